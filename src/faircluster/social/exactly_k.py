"""From a few centers too many to exactly k: the best subset."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray

from faircluster.assignment.quotas import run_program
from faircluster.social.instance import SocialInstance

__all__ = ["best_subset"]

Array = NDArray[Any]
_EXHAUSTIVE = 1_000_000_000  # subsets times clients that are tried one by one
_NODES = 20_000  # of the integer program's search beyond


def best_subset(
    instance: SocialInstance, centers: Array, k: int, *, exhaustive: int = _EXHAUSTIVE
) -> tuple[NDArray[np.intp], bool]:
    """Find the k of these centers for which the worst-off group pays least.

    Parameters
    ----------
    instance : SocialInstance
    centers : ndarray of shape (q,), int
        Different facilities, q at least k.
    k : int
    exhaustive : int, default=10**9
        Up to this many subsets times clients, all subsets are tried; beyond, an integer program
        is solved.

    Returns
    -------
    centers : ndarray of shape (k,), int
        Ascending.
    proven : bool
        Whether no other subset is better (false only when the integer program's search was cut short).

    Notes
    -----
    If the q centers cost C and k facilities with cost OPT exist, the best subset costs at most

        (2 OPT^(1/p) + C^(1/p))^p.

    For let o_i be the facility of the optimum that serves client i, at distance a_i, and b_i the
    client's distance to the q centers. Keep for every o the center nearest to it. Client i reaches that of
    o_i over o_i within ``a_i + d(o_i, centers) <= a_i + (a_i + b_i)``, and by Minkowski's inequality in
    the norm ``(sum_i w_s(i) |.|^p)^(1/p)`` of each group the claim follows. With C at most ``F^p OPT`` this
    is a factor ``(2 + F)^p``: (7 + 2 sqrt 6)^p for F = 5 + 2 sqrt 6, against (15 + 6 sqrt 6)^p
    in Ghadiri, Singh & Vempala (2022). The conversion is that of Goyal & Jaiswal (2021).

    Only the q - k + 1 nearest centers of a client matter. Subsets: O(n) each. Program: a
    column for every different set of nearest centers that may close.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.social import SocialInstance
    >>> instance = SocialInstance.from_points(np.array([[0.0], [1.0], [4.0], [9.0]]), list("aaab"), 2, 1)
    >>> best_subset(instance, np.array([0, 1, 2, 3]), 2)[0].tolist()
    [1, 3]
    """
    centers = np.unique(np.asarray(centers, dtype=np.intp))
    if k >= len(centers):
        return centers, True
    dropped = len(centers) - k
    cost = instance.costs(centers)
    order = np.argsort(cost, axis=0, kind="stable")[: dropped + 1]
    sorted_cost = np.take_along_axis(cost, order, axis=0)
    if comb(len(centers), dropped) * instance.n_clients <= exhaustive and len(centers) < 63:
        drop = np.empty(dropped, dtype=np.int64)
        _try_all(
            np.ascontiguousarray(order.T).astype(np.int64), np.ascontiguousarray(sorted_cost.T),
            np.ascontiguousarray(instance.weights.T), len(centers), drop,
        )  # fmt: skip
        return np.delete(centers, drop), True
    return _program(instance, centers, k, order, sorted_cost)


def _program(
    instance: SocialInstance, centers: Array, k: int, order: Array, cost: Array
) -> tuple[NDArray[np.intp], bool]:
    """Integer program: a column t >= 1 - (open centers of a set) for every set of nearest centers."""
    q, m = len(centers), instance.n_groups
    scale = float((instance.weights @ cost[0]).max()) or 1.0
    columns: dict[tuple[int, ...], int] = {}
    place, client = [], []
    for i in range(order.shape[1]):
        for last in range(1, len(order)):
            nearest = tuple(sorted(order[:last, i].tolist()))
            place.append(columns.setdefault(nearest, len(columns)))
            client.append(i)
    extra = (np.diff(cost, axis=0).T.ravel() / scale)[None, :] * instance.weights[:, client]
    paid = np.zeros((m, len(columns)))
    np.add.at(paid.T, place, extra.T)
    base = instance.weights @ cost[0] / scale
    t = len(columns)
    rows = [j for j, nearest in enumerate(columns) for _ in nearest]
    opened = [c for nearest in columns for c in nearest]
    cover = sp.csr_matrix((np.ones(len(rows)), (rows, opened)), shape=(t, q))
    matrix = sp.vstack(
        [
            sp.hstack([cover, sp.eye(t), sp.csr_matrix((t, 1))]),
            sp.hstack([sp.csr_matrix((m, q)), sp.csr_matrix(paid), -np.ones((m, 1))]),
            sp.csr_matrix(np.concatenate([np.ones(q), np.zeros(t + 1)])[None, :]),
        ],
        format="csr",
    )
    lower = np.concatenate([np.ones(t), np.full(m, -np.inf), [float(k)]])
    upper = np.concatenate([np.full(t, np.inf), -base, [float(k)]])
    high = np.concatenate([np.ones(q + t), [np.inf]])
    objective = np.append(np.zeros(q + t), 1.0)
    values, _, status = run_program(
        objective, matrix, lower, upper, np.zeros(q + t + 1), high, q, None, 1e-9, _NODES, presolve=True
    )
    if values is None:
        return _drop_one_by_one(instance, centers, k), False
    return np.sort(centers[np.argsort(-values[:q], kind="stable")[:k]]), status == "optimal"


def _drop_one_by_one(instance: SocialInstance, centers: Array, k: int) -> NDArray[np.intp]:
    kept = centers
    while len(kept) > k:
        without = [instance.cost(np.delete(kept, j)) for j in range(len(kept))]
        kept = np.delete(kept, int(np.argmin(without)))
    return kept


@njit(nogil=True, cache=True)
def _try_all(order, cost, weights, q, drop):  # type: ignore[no-untyped-def]
    """Every set of ``len(drop)`` centers to close; the best one is left in ``drop``."""
    size, (n, m) = len(drop), weights.shape
    chosen = np.arange(size)
    paid = np.empty(m)
    best = np.inf
    while True:
        mask = np.int64(0)
        for j in range(size):
            mask |= np.int64(1) << chosen[j]
        paid[:] = 0.0
        for i in range(n):
            last = 0
            while (mask >> order[i, last]) & 1:
                last += 1
            for s in range(m):
                paid[s] += weights[i, s] * cost[i, last]
        if paid.max() < best:
            best = paid.max()
            drop[:] = chosen
        j = size - 1
        while j >= 0 and chosen[j] == q - size + j:
            j -= 1
        if j < 0:
            return
        chosen[j] += 1
        for later in range(j + 1, size):
            chosen[later] = chosen[later - 1] + 1
