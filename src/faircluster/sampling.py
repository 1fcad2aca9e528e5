"""Samples in which every signature is represented."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["spread_sample", "stratified_sample"]


def stratified_sample(
    signature: NDArray[np.int32],
    n_signatures: int,
    size: int,
    weights: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Take evenly spread rows of every signature; rare signatures stay whole.

    Parameters
    ----------
    signature : ndarray of shape (n,), int32
    n_signatures : int
        Number of signatures S.
    size : int
        About how many rows to take, 1 in every n / size of the common signatures.
    weights : ndarray of shape (n,), default=None
        Weights of the rows, 1 each by default.

    Returns
    -------
    rows : ndarray of shape (m,), int
    weights : ndarray of shape (m,)
        Weight each row stands for; the sums by signature are those of all rows.

    Notes
    -----
    O(n log n); no random numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.sampling import stratified_sample
    >>> rows, weights = stratified_sample(np.zeros(10, dtype=np.int32), 1, 2)
    >>> rows.tolist(), weights.tolist()
    ([2, 7], [5.0, 5.0])
    """
    members = np.bincount(signature, minlength=n_signatures)
    total = np.bincount(signature, weights=weights, minlength=n_signatures)
    enough = max(size // (4 * n_signatures), 1)
    stride = np.maximum(1, np.minimum(members // enough, max(1, len(signature) // size)))
    order = np.argsort(signature, kind="stable") if n_signatures > 1 else np.arange(len(signature))
    ends = np.cumsum(members)
    rows = np.concatenate(
        [order[end - m + h // 2 : end : h] for end, m, h in zip(ends, members, stride, strict=True)]
    )
    held = np.ones(len(rows)) if weights is None else weights[rows]
    sums = np.bincount(signature[rows], weights=held, minlength=n_signatures)
    factor = np.divide(total, sums, out=np.ones(n_signatures), where=sums > 0)
    return rows, held * factor[signature[rows]]


def spread_sample(
    X: NDArray[np.floating], weights: NDArray[np.float64], take: int, power: float = 2.0
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Take points by weight and by distance from the mean, so that far ones are not missed.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        In an order that has nothing to do with the values, such as that of a hash.
    weights : ndarray of shape (n,)
    take : int
        How many points to take at most.
    power : float, default=2.0
        Of the distance.

    Returns
    -------
    rows : ndarray of shape (m,), int
        Increasing; all rows where there are no more than ``take``.
    weights : ndarray of shape (m,)
        Weight each row stands for, with the sum of all.

    Notes
    -----
    Points are taken with probability proportional to ``1/2 + 1/2 cost to the mean / mean cost``, weighted by
    its inverse: the lightweight coreset of Bachem, Lucic & Krause (KDD 2018). The draw is systematic, evenly
    spaced over the rows, without random numbers. O(n d).

    Examples
    --------
    >>> X = np.array([[0.0], [0.1], [0.2], [90.0]])
    >>> rows, weights = spread_sample(X, np.ones(4), 2)
    >>> 3 in rows, round(float(weights.sum()), 9)
    (True, 4.0)
    """
    total = float(weights.sum())
    if len(X) <= take or total == 0:
        return np.arange(len(X))[:take], weights[:take]
    points = X.astype(np.float64)
    away = points - (weights @ points) / total
    cost = np.einsum("ij,ij->i", away, away) ** (0.5 * power) * weights
    chance = 0.5 * weights / total
    chance += 0.5 * cost / cost.sum() if cost.sum() > 0 else chance
    ends = np.cumsum(chance)
    hits = np.searchsorted(ends, (np.arange(take) + 0.5) / take * ends[-1], side="right")
    found, times = np.unique(np.minimum(hits, len(X) - 1), return_counts=True)
    held = times * weights[found] / chance[found]
    return found, held * (total / held.sum())
