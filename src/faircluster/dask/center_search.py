"""Centers for k-center on Dask collections, searched on a part of the points that grows by those missed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.bounds import BoundRows
from faircluster.centers.coreset import Coreset
from faircluster.centers.greedy import farthest_first
from faircluster.centers.metric import Metric
from faircluster.dask.partitions import Part, PartitionedPoints
from faircluster.dask.summaries import radius_summary
from faircluster.refinement.bottleneck import CenterSearch
from faircluster.refinement.find_centers import SearchLimits, best_start, farthest_each

__all__ = ["FoundPlaces", "find_places"]

Array = NDArray[Any]
_ROUNDS = 5  # searches on a part that grows by the points it had missed


@dataclass(frozen=True, eq=False)
class FoundPlaces:
    """The outcome of :func:`find_places`.

    Attributes
    ----------
    centers : ndarray of shape (k, d)
        The best found.
    start : ndarray of shape (k, d)
        Farthest-first centers.
    start_radius : float
        Radius of the start on all points, without bounds.
    lower_bound : float
        No centers have a smaller radius.
    radius : float
        Relaxed radius of the best on the part: about that on all points.
    n_iter : int
    late : bool
        Whether the deadline ended the search.
    """

    centers: Array
    start: Array
    start_radius: float
    lower_bound: float
    radius: float
    n_iter: int
    late: bool


@dataclass(frozen=True, eq=False)
class _Far:
    X: Array
    signature: NDArray[np.int32]
    cost: Array
    n_beyond: int
    radius: float


def find_places(
    points: PartitionedPoints,
    sample: Coreset,
    metric: str,
    rows: BoundRows,
    n_clusters: int,
    limits: SearchLimits,
    random_state: np.random.RandomState,
    report: Callable[..., None],
) -> FoundPlaces:
    """Search for centers of small relaxed radius.

    Parameters
    ----------
    points : PartitionedPoints
    sample : Coreset
        Points in which every signature is represented.
    metric : str
    rows : BoundRows
    n_clusters : int
    limits : SearchLimits
    random_state : RandomState
    report : callable
        Takes a format and its arguments, as loggers do.

    Returns
    -------
    FoundPlaces

    Notes
    -----
    As in memory above 100,000 points: the part is a sample, and the points farthest from the centers of a
    start on all points, which decide the radius. Points beyond the radius of what was found there join the
    part, and the search goes on. The start is farthest-first on a summary of all points (Ceccarello et al.),
    a pass; each round is another.
    """
    covering = radius_summary(points, metric)
    of_covering = Metric(
        covering.points, metric
    )  # points of X, so what no centers can do here none can there
    held, _, bound = farthest_first(of_covering, n_clusters, 0, of_covering.order())
    start = covering.points[held].astype(points.table.dtype)
    far = _farthest(points, start, metric, -np.inf)
    start_radius = far.radius
    report("all points: radius %.6g without bounds", start_radius)
    part = _GrowingPart(points, sample)
    part.add(start, covering.signature[held])
    part.add(far.X, far.signature)
    best, n_iter = part.rows_of(start), 0
    for turn in range(_ROUNDS):
        search = part.search(metric, rows, limits.deadline)
        centers = search.probe(best)
        if turn == 0:
            centers, _, below = best_start(
                search, n_clusters, limits.n_init - 1, random_state, report, centers
            )
            bound = max(bound, below)
        found, way = search.improve(centers, limits.n_swaps, random_state, limits.max_iter)
        best, n_iter = found.rows, n_iter + len(way) - 1
        far = _farthest(points, part.X[best], metric, found.radius)
        report(
            "part of %d points: radius %.6g after %d rounds, %d points beyond it",
            len(part.X), found.radius, len(way) - 1, far.n_beyond,
        )  # fmt: skip
        if far.n_beyond == 0 or search.late:
            break
        part.add(far.X, far.signature)
    return FoundPlaces(part.X[best], start, start_radius, bound, found.radius, n_iter, search.late)


class _GrowingPart:
    """A sample that stands for many points, and points that stand for themselves; rows keep their places."""

    def __init__(self, points: PartitionedPoints, sample: Coreset) -> None:
        self.groups, self.sample = points.groups, sample
        self.X, self.signature = sample.points.astype(points.table.dtype), sample.signature

    def add(self, X: Array, signature: NDArray[np.int32]) -> None:
        """Let these points stand for themselves."""
        m = len(self.sample)
        known = set(zip(map(bytes, self.X[m:]), self.signature[m:].tolist(), strict=True))
        fresh = [i for i, s in enumerate(signature.tolist()) if (X[i].tobytes(), s) not in known]
        self.X = np.concatenate([self.X, X[fresh]])
        self.signature = np.concatenate([self.signature, signature[fresh]])

    def rows_of(self, places: Array) -> NDArray[np.intp]:
        """Rows at these coordinates, all different."""
        position = {row.tobytes(): i for i, row in reversed(list(enumerate(self.X)))}
        return np.array([position[place.tobytes()] for place in places], dtype=np.intp)

    def search(self, metric: str, rows: BoundRows, deadline: float) -> CenterSearch:
        """Local search on the part."""
        of_part = Metric(self.X, metric)
        groups = replace(self.groups, signature=self.signature, weights=self._weights())
        return CenterSearch(of_part, groups, rows, np.arange(len(self.X)), deadline)

    def _weights(self) -> Array:
        """Of the sample as many as the points that do not stand for themselves, by signature."""
        n_signatures, m = self.groups.n_signatures, len(self.sample)
        alone = np.bincount(self.signature[m:], minlength=n_signatures)
        drawn = np.bincount(self.sample.signature, self.sample.weights, n_signatures)
        left = np.maximum(self.groups.signature_counts - alone, 0)
        factor = np.divide(left, drawn, out=np.zeros(n_signatures), where=drawn > 0)
        return np.concatenate([self.sample.weights * factor[self.sample.signature], np.ones(len(self.X) - m)])


def _farthest(points: PartitionedPoints, centers: Array, metric: str, radius: float) -> _Far:
    """Points beyond a radius of their nearest centers, the farthest of each."""
    work = partial(_far_part, centers=centers, metric=metric, radius=radius)
    far: _Far = points.reduce(work, partial(_farther, radius=radius), "far points")
    return far


# ---- on the workers


def _far_part(part: Part, *, centers: Array, metric: str, radius: float) -> _Far:
    cost = Metric(part.X, metric).between(part.X, centers)
    rows, n_beyond = farthest_each(cost, radius)
    return _Far(part.X[rows], part.signature[rows], cost[rows], n_beyond, float(cost.min(axis=1).max()))


def _farther(parts: Sequence[_Far], *, radius: float) -> _Far:
    X = np.concatenate([part.X for part in parts])
    signature = np.concatenate([part.signature for part in parts])
    cost = np.concatenate([part.cost for part in parts])
    rows, _ = farthest_each(cost, radius)
    return _Far(
        X[rows], signature[rows], cost[rows], sum(p.n_beyond for p in parts), max(p.radius for p in parts)
    )
