"""Bounds as linear rows over quotas.

A *quota* m[s, j] is how many rows of signature s cluster j receives. Every share bound and every size bound
is linear in the quotas of one cluster, however many rows the data has and however the groups overlap.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BoundRows",
    "InfeasibleBoundsError",
    "join_rows",
    "noise",
    "number",
    "size_limits",
    "size_rows",
    "span",
]


class InfeasibleBoundsError(ValueError):
    """No clustering can meet the bounds; the message says what is asked and what is possible.

    Examples
    --------
    >>> from faircluster.bounds import InfeasibleBoundsError
    >>> issubclass(InfeasibleBoundsError, ValueError)
    True
    """


@dataclass(frozen=True, eq=False)
class BoundRows:
    """Linear rows per cluster over quotas: ``coef[j] @ quotas[:, j] <= rhs[j]``.

    Parameters
    ----------
    coef : ndarray of shape (k, r, S), float64
        May be a read-only broadcast view when all clusters share their bounds.
    rhs : ndarray of shape (k, r), float64
        Right-hand sides, all finite; zero with zero coefficients where a cluster lacks a row.
    descriptions : tuple of str, length r
        Each row in words, "sex=Female at least 0.264 of the cluster".

    Examples
    --------
    >>> from faircluster.bounds import FairnessBounds
    >>> from faircluster.groups import Groups
    >>> rows = FairnessBounds.max_share(0.75).rows(Groups.from_features(list("aabb")), 2)
    >>> rows.descriptions
    ('a at most 0.750 of the cluster', 'b at most 0.750 of the cluster')
    >>> rows.violation(np.array([[2, 0], [0, 2]]))
    0.5
    """

    coef: NDArray[np.float64]
    rhs: NDArray[np.float64]
    descriptions: tuple[str, ...]

    def excess(self, quotas: Any) -> NDArray[np.float64]:
        """How far each cluster is beyond each row, in (weighted) points; negative within it.

        O(k r S).

        Parameters
        ----------
        quotas : array-like of shape (S, k)
            (Weighted) number of rows of each signature in each cluster.

        Returns
        -------
        ndarray of shape (k, r), float64

        Raises
        ------
        ValueError
            `quotas` of another shape.
        """
        m = np.asarray(quotas, dtype=np.float64)
        k, _, n_signatures = self.coef.shape
        if m.shape != (n_signatures, k):
            raise ValueError(
                f"quotas has shape {m.shape}, expected {(n_signatures, k)} (signatures, clusters)"
            )
        if self.coef.strides[0] == 0:  # one product for all clusters instead of one each
            met: NDArray[np.float64] = (self.coef[0] @ m).T
        else:
            met = np.matmul(self.coef, m.T[:, :, None])[:, :, 0]
        return met - self.rhs

    def violation(self, quotas: Any) -> float:
        """Return the largest excess, in (weighted) points; 0 when every row holds.

        Rounding noise (below 1e-9, and below 1e-13 of the total) counts as zero. O(k r S).

        Parameters
        ----------
        quotas : array-like of shape (S, k)
            (Weighted) number of rows of each signature in each cluster.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            `quotas` of another shape.
        """
        worst = float(self.excess(quotas).max(initial=0.0))
        return worst if worst > noise(float(np.sum(quotas))) else 0.0


def noise(total: float) -> float:
    """Excess that rounding alone can cause: well below 1/total, which integer counts can differ by."""
    return max(1e-9, 1e-13 * total)


def check_n_clusters(n_clusters: int) -> int:
    """Refuse anything but a whole number of at least 1."""
    if isinstance(n_clusters, bool) or not isinstance(n_clusters, numbers.Integral) or n_clusters < 1:
        raise ValueError(f"n_clusters must be a whole number of at least 1, got {n_clusters!r}")
    return int(n_clusters)


def size_limits(
    size_min: Any, size_max: Any, n_clusters: int, total: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check cluster sizes and give them as one number per cluster.

    Parameters
    ----------
    size_min, size_max : None, float or array-like of shape (k,)
        Smallest and largest (weighted) cluster size; a single number holds for every cluster.
    n_clusters : int
        Number of clusters k.
    total : float
        Sum of the weights.

    Returns
    -------
    size_min, size_max : ndarray of shape (k,), float64
        0 and `total` where there is no limit.

    Raises
    ------
    TypeError
        Not numbers.
    ValueError
        A wrong length, negative or NaN, or a minimum above the maximum.
    InfeasibleBoundsError
        The sizes leave no room for the total.

    Examples
    --------
    >>> from faircluster.bound_rows import size_limits
    >>> size_limits(None, 3, 2, 5.0)
    (array([0., 0.]), array([3., 3.]))
    """
    low = _per_cluster_sizes("size_min", size_min, 0.0, n_clusters)
    high = _per_cluster_sizes("size_max", size_max, np.inf, n_clusters)
    if (low > high).any():
        j = int(np.argmax(low > high))
        raise ValueError(
            f"size_min {low[j]:g} exceeds size_max {high[j]:g} for cluster {j}; lower one or raise the other"
        )
    if low.sum() > total * (1 + 1e-12):
        raise InfeasibleBoundsError(
            f"size_min asks for {low.sum():g} points over {n_clusters} clusters but the data has {total:g}; "
            f"lower size_min to at most {total / n_clusters:g} on average, or use fewer clusters"
        )
    if high.sum() < total * (1 - 1e-12):
        raise InfeasibleBoundsError(
            f"size_max leaves room for {high.sum():g} points in {n_clusters} clusters but the data has "
            f"{total:g}; raise size_max to at least {total / n_clusters:g} on average, or use more clusters"
        )
    return low, np.minimum(high, total)


def _per_cluster_sizes(argument: str, size: Any, default: float, n_clusters: int) -> NDArray[np.float64]:
    if size is None:
        return np.full(n_clusters, default)
    values = np.asarray(size)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"{argument} must be None, a number or {n_clusters} numbers, got {size!r}")
    if values.ndim and values.shape != (n_clusters,):
        raise ValueError(
            f"{argument} has shape {values.shape}; give one number, or one for each of {n_clusters} clusters"
        )
    values = np.broadcast_to(values.astype(np.float64), (n_clusters,))
    if not (values >= 0).all() or (argument == "size_min" and np.isinf(values).any()):
        j = int(np.argmin(np.isfinite(values) & (values >= 0)))
        raise ValueError(f"{argument} must be zero or more, got {values[j]:g} for cluster {j}")
    return values


def size_rows(
    low: NDArray[np.float64], high: NDArray[np.float64], total: float, n_signatures: int
) -> BoundRows:
    """Rows for the sizes that can bind, at most two.

    Parameters
    ----------
    low, high : ndarray of shape (k,), float64
        Limits from :func:`size_limits`.
    total : float
        Sum of the weights.
    n_signatures : int
        Number of signatures S.

    Returns
    -------
    BoundRows

    Examples
    --------
    >>> from faircluster.bound_rows import size_limits, size_rows
    >>> size_rows(*size_limits(None, 3, 2, 5.0), 5.0, 1).descriptions
    ('size at most 3',)
    """
    signs, sides, words = [], [], []
    if (low > 0).any():
        signs.append(-1.0)
        sides.append(-low)
        words.append(f"size at least {span(low, '{:g}'.format)}")
    if (high < total).any():
        signs.append(1.0)
        sides.append(high)
        words.append(f"size at most {span(high, '{:g}'.format)}")
    k = len(low)
    coef = np.broadcast_to(np.array(signs)[None, :, None], (k, len(signs), n_signatures))
    rhs = np.stack(sides, axis=1) if sides else np.zeros((k, 0))
    return BoundRows(coef, rhs, tuple(words))


def number(value: float) -> str:
    """Three decimals, or two significant digits for a small share."""
    return f"{value:.3f}" if value == 0 or value >= 0.01 else f"{value:.2g}"


def span(values: NDArray[np.float64], word: Callable[[float], str]) -> str:
    """One number in words, or its range over the clusters as low...high; NaN: a cluster without it."""
    low, high = word(float(np.nanmin(values))), word(float(np.nanmax(values)))
    return low if low == high else f"{low}...{high}"


def join_rows(first: BoundRows, second: BoundRows) -> BoundRows:
    """Put the rows of two sets after one another, as a broadcast view where both are."""
    if not second.descriptions:
        return first
    k = len(first.rhs)
    shared = all(rows.coef.strides[0] == 0 or not rows.descriptions for rows in (first, second))
    blocks = [rows.coef[: 1 if shared else k] for rows in (first, second)]
    coef = np.concatenate(blocks, axis=1)
    return BoundRows(
        np.broadcast_to(coef, (k, *coef.shape[1:])),
        np.concatenate([first.rhs, second.rhs], axis=1),
        first.descriptions + second.descriptions,
    )
