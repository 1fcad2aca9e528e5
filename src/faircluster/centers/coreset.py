"""Summaries of many points by few: weighted representatives by signature, with what moving there costs.

A summary of a part of the points is small; summaries of parts merge to a summary of all, so they are what
travels when points lie on many machines. Weights are whole numbers of points, hence flows on a summary stay
whole, and the counts of every signature are those of the points, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.centers.greedy import farthest_first
from faircluster.centers.metric import Metric
from faircluster.centers.seeding import canonical_order
from faircluster.distances import BLOCK_ROWS, DistanceCosts, map_blocks
from faircluster.sampling import spread_sample

__all__ = [
    "Coreset",
    "mean_coreset",
    "merge_mean_coresets",
    "merge_radius_coresets",
    "radius_coreset",
    "stacked",
]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Coreset:
    """Weighted representatives of points.

    Attributes
    ----------
    points : ndarray of shape (m, d), float64
    signature : ndarray of shape (m,), int32
    weights : ndarray of shape (m,), float64
        Whole numbers: the points that a representative stands for, all of its signature.
    movement : float
        For sum objectives the sum over the points of the distance to their representatives, to the power of
        the objective; for k-center the largest such distance. An upper bound after merging.
    """

    points: NDArray[np.float64]
    signature: NDArray[np.int32]
    weights: NDArray[np.float64]
    movement: float

    def __len__(self) -> int:
        return len(self.points)

    @property
    def total(self) -> float:
        """Number of points summarised."""
        return float(self.weights.sum())


def mean_coreset(X: Array, signature: NDArray[np.int32], size: int, power: int = 2) -> Coreset:
    """Summarise points for k-means or k-median by means of small cells.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    signature : ndarray of shape (n,), int32
    size : int
        Most representatives of each signature: equally many whatever its share, so that rare groups are
        represented as finely as common ones (what the socially fair objective needs).
    power : {1, 2}, default=2

    Returns
    -------
    Coreset

    Notes
    -----
    Representatives are the means of the points nearest to a spread sample of each signature, O(n size d).
    For p = 2 and any centers, if points go where their representative goes, their cost is that of the
    coreset plus the movement, exactly (the theorem of the parallel axis); in general the square root of the
    cost, or for p = 1 the cost, differs by at most (the square root of) the movement. Movement-bounded
    coresets by color after Schmidt, Schwiegelshohn & Sohler, "Fair coresets and streaming algorithms for
    fair k-means", WAOA 2019.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [2.0], [9.0], [5.0]])
    >>> few = mean_coreset(X, np.array([0, 0, 0, 1], dtype=np.int32), 2)
    >>> float(few.weights.sum()), few.signature.tolist(), round(few.movement, 3)
    (4.0, [0, 0, 1], 2.0)
    """
    X = np.asarray(X, dtype=np.float64)
    return _by_signature(X, signature, np.ones(len(X)), size, power, 0.0)


def merge_mean_coresets(parts: Sequence[Coreset], size: int, power: int = 2) -> Coreset:
    """Summary of all that some coresets summarise.

    Parameters
    ----------
    parts : sequence of Coreset
        At least one, from :func:`mean_coreset` or from here.
    size : int
        Signatures that end with more than four times as many representatives are summarised again.
    power : {1, 2}, default=2

    Returns
    -------
    Coreset
    """
    points, signature, weights = stacked(parts)
    moved = sum(part.movement for part in parts)
    members = np.bincount(signature)
    crowded = members > 4 * size
    if not crowded.any():
        return Coreset(points, signature, weights, moved)
    again = crowded[signature]
    few = _by_signature(points[again], signature[again], weights[again], 2 * size, power, moved)
    kept = Coreset(points[~again], signature[~again], weights[~again], 0.0)
    points, signature, weights = stacked([kept, few])
    return Coreset(points, signature, weights, few.movement)


def _by_signature(
    X: Array, signature: NDArray[np.int32], weights: Array, size: int, power: int, moved: float
) -> Coreset:
    # by value, so that the order of the points does not matter; and signature by signature
    order = canonical_order(X)
    order = order[np.argsort(signature[order], kind="stable")]
    present, starts = np.unique(signature[order], return_index=True)
    points, found, held = [], [], []
    for s, rows in zip(present, np.split(order, starts[1:]), strict=True):
        means, mass, movement = _cells(X[rows], weights[rows], size, power)
        moved += movement
        points.append(means)
        found.append(np.full(len(means), s, dtype=np.int32))
        held.append(mass)
    return Coreset(np.concatenate(points), np.concatenate(found), np.concatenate(held), moved)


def _cells(X: Array, weights: Array, size: int, power: int) -> tuple[Array, Array, float]:
    """Means and weights of the points nearest to each of some seeds, and the movement to them."""
    seeds = X[spread_sample(X, weights, size, power)[0]]
    seeds = np.unique(seeds, axis=0)
    source = DistanceCosts(X, seeds)
    cell = np.concatenate(map_blocks(len(X), lambda start, stop: source.block(start, stop).argmin(axis=1)))
    mass = np.bincount(cell, weights, len(seeds))
    sums = np.stack([np.bincount(cell, weights * column, len(seeds)) for column in X.T], axis=1)
    used = mass > 0
    means = np.divide(sums, mass[:, None], out=seeds.copy(), where=used[:, None])
    away = X - means[cell]
    movement = float(weights @ np.einsum("ij,ij->i", away, away) ** (0.5 * power))
    return means[used], mass[used], movement


def radius_coreset(X: Array, signature: NDArray[np.int32], size: int, metric: str = "euclidean") -> Coreset:
    """Summarise points for k-center by some of them, no point far from its representative.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    signature : ndarray of shape (n,), int32
    size : int
        Number of different points kept; each counts the points of every signature that it stands for.
    metric : str, default="euclidean"
        Of ``sklearn.metrics.pairwise_distances``.

    Returns
    -------
    Coreset
        Its movement is the largest distance of a point to its representative: any radius on the coreset is
        off by at most that.

    Notes
    -----
    Farthest-first traversal, O(n size d): Gonzalez, as in Ceccarello, Pietracaprina & Pucci, "Fast and
    accurate fair k-center clustering in doubling metrics", WWW 2024.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0], [9.0]])
    >>> few = radius_coreset(X, np.array([0, 1, 0], dtype=np.int32), 2)
    >>> few.movement, float(few.weights.sum())
    (1.0, 3.0)
    """
    X = np.asarray(X, dtype=np.float64)
    return _covered(X, signature, np.ones(len(X)), size, metric, 0.0)


def merge_radius_coresets(parts: Sequence[Coreset], size: int, metric: str = "euclidean") -> Coreset:
    """Summary of all that some coresets summarise.

    Parameters
    ----------
    parts : sequence of Coreset
        At least one, from :func:`radius_coreset` or from here.
    size : int
        Above four times as many representatives the coresets are summarised again; the movement grows
        by the distance that takes.
    metric : str, default="euclidean"

    Returns
    -------
    Coreset
    """
    points, signature, weights = stacked(parts)
    moved = max(part.movement for part in parts)
    if len(points) <= 4 * size * len(np.unique(signature)):
        return Coreset(points, signature, weights, moved)
    return _covered(points, signature, weights, 2 * size, metric, moved)


def _covered(
    X: Array, signature: NDArray[np.int32], weights: Array, size: int, metric: str, moved: float
) -> Coreset:
    order = canonical_order(X)
    X, signature, weights = X[order], signature[order], weights[order]
    distances = Metric(X, metric)
    count = min(size, len(X))
    rows, radius, _ = farthest_first(distances, count, 0, np.arange(len(X)))
    blocks = [X[start : start + BLOCK_ROWS] for start in range(0, len(X), BLOCK_ROWS)]
    nearest = np.concatenate([distances.between(block, X[rows]).argmin(axis=1) for block in blocks])
    n_signatures = int(signature.max()) + 1
    table = np.bincount(signature.astype(np.int64) * count + nearest, weights, n_signatures * count)
    s, at = np.nonzero(table.reshape(n_signatures, count))
    return Coreset(X[rows[at]], s.astype(np.int32), table[s * count + at], moved + float(radius))


def stacked(parts: Sequence[Coreset]) -> tuple[Array, Array, Array]:
    """Points, signatures and weights of all coresets, in their order."""
    return (
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.signature for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )
