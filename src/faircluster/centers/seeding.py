"""Starting centers, blind to groups.

Draws are made from the points in an order that depends on their values only, so the centers are
the same for any order of the rows, and a point with weight 2 counts as two equal points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faircluster.distances import CostSource

__all__ = ["canonical_order", "plus_plus", "random_points"]

Array = NDArray[Any]


def canonical_order(X: Array) -> NDArray[np.intp]:
    """Order of the rows by a hash of their values.

    Parameters
    ----------
    X : ndarray of shape (n, d)

    Returns
    -------
    ndarray of shape (n,), int
        Equal rows are neighbors; the order of different rows is scattered.

    Notes
    -----
    O(n d + n log n).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0], [2.0], [3.0]])
    >>> bool((X[canonical_order(X)] == X[::-1][canonical_order(X[::-1])]).all())
    True
    """
    hashes = np.empty(X.shape[0], dtype=np.uint64)
    _hash_rows(np.ascontiguousarray(X, dtype=np.float64), hashes)
    return np.argsort(hashes, kind="stable")


@njit(nogil=True, cache=True)
def _hash_rows(X, out):  # type: ignore[no-untyped-def]
    bits = X.view(np.uint64)
    for i in range(X.shape[0]):
        h = np.uint64(0x9E3779B97F4A7C15)
        for t in range(X.shape[1]):
            value = bits[i, t]
            if X[i, t] == 0.0:
                value = np.uint64(0)  # minus zero is zero
            h ^= value
            h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            h ^= h >> np.uint64(31)
        out[i] = h


def random_points(
    X: Array, order: Array, weights: Array | None, n_clusters: int, random_state: np.random.RandomState
) -> NDArray[np.intp]:
    """Draw different points at random, by weight; equal rows are one point while there are others.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    order : ndarray of shape (n,)
        From :func:`canonical_order`.
    weights : ndarray of shape (n,) or None
    n_clusters : int
    random_state : RandomState

    Returns
    -------
    ndarray of shape (n_clusters,), int
        Row indices.

    Notes
    -----
    O(n d k).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0], [2.0], [3.0]])
    >>> random_points(X, np.arange(3), None, 3, np.random.RandomState(0)).tolist()
    [1, 2, 0]
    """
    mass = np.ones(len(order)) if weights is None else weights[order].astype(np.float64)
    left = mass.copy()
    chosen: list[int] = []
    for _ in range(n_clusters):
        row = int(order[_draw(left if left.any() else mass, random_state.uniform(size=1))[0]])
        chosen.append(row)
        left[(X[order] == X[row]).all(axis=1)] = 0.0
    return np.array(chosen, dtype=np.intp)


def plus_plus(
    costs_to: Any,
    order: Array,
    weights: Array | None,
    n_clusters: int,
    random_state: np.random.RandomState,
) -> NDArray[np.intp]:
    """k-means++ (or its k-median form) with greedy trials.

    Parameters
    ----------
    costs_to : callable
        Row indices -> CostSource of shape (n, len(indices)): the cost of every point at them.
    order : ndarray of shape (n,)
        From :func:`canonical_order`.
    weights : ndarray of shape (n,) or None
    n_clusters : int
    random_state : RandomState

    Returns
    -------
    ndarray of shape (n_clusters,), int
        Row indices of the centers.

    Notes
    -----
    O(n d k log k). Each center is the best of ``2 + log k`` draws with probability proportional
    to the present cost; expected cost O(log k) times the optimum (Arthur & Vassilvitskii 2007,
    theorem 1.1, for a single draw).

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.distances import DistanceCosts
    >>> X = np.array([[0.0], [0.1], [9.0]])
    >>> sorted(plus_plus(lambda rows: DistanceCosts(X, X[rows]), np.arange(3), None, 2,
    ...                  np.random.RandomState(0)).tolist())[-1]
    2
    """
    trials = 2 + int(np.log(n_clusters))
    mass = np.ones(len(order)) if weights is None else weights[order].astype(np.float64)
    first = order[_draw(mass, random_state.uniform(size=1))]
    chosen = [int(first[0])]
    closest = _column_costs(costs_to(first))[order, 0]
    for _ in range(1, n_clusters):
        left = mass * closest
        draws = order[_draw(left if left.any() else mass, random_state.uniform(size=trials))]
        costs = np.minimum(_column_costs(costs_to(draws))[order], closest[:, None])
        best = int(np.argmin(mass @ costs))
        chosen.append(int(draws[best]))
        closest = costs[:, best]
    return np.array(chosen, dtype=np.intp)


def _column_costs(source: CostSource) -> Array:
    from faircluster.distances import map_blocks

    return np.concatenate(map_blocks(source.shape[0], source.block))


def _draw(mass: Array, uniform: Array) -> Array:
    """Positions drawn with probability proportional to mass."""
    total = np.cumsum(mass)
    found = np.searchsorted(total, uniform * total[-1], side="right")
    # rounding up to the very end must not find a position without mass
    return np.asarray(np.minimum(found, np.searchsorted(total, total[-1])))
