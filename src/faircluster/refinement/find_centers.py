"""Centers for k-center: farthest-first starts, the best of them improved; large data by a part of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.bounds import BoundRows
from faircluster.centers.greedy import farthest_first
from faircluster.centers.metric import Metric
from faircluster.groups import Groups
from faircluster.refinement.bottleneck import Centers, CenterSearch
from faircluster.sampling import stratified_sample

__all__ = ["FoundCenters", "SearchLimits", "best_start", "farthest_each", "find_centers"]

Array = NDArray[Any]
_LARGE = 100_000  # points above which centers are searched on a part
_SAMPLE = 40_000  # points of the part that stand for many
_FAR = 10_000  # points far from everybody that the part holds as they are
_ROUNDS = 5  # searches on a part that grows by the points it had missed


@dataclass(frozen=True)
class SearchLimits:
    """How much work the search for centers may do.

    Attributes
    ----------
    n_init : int
        Farthest-first starts.
    n_swaps : int
        Swaps in a row that may fail.
    max_iter : int
        Rounds of improvement.
    deadline : float, default=inf
        Value of ``time.perf_counter()`` at which to stop.
    """

    n_init: int
    n_swaps: int
    max_iter: int
    deadline: float = np.inf


@dataclass(frozen=True, eq=False)
class FoundCenters:
    """The outcome of :func:`find_centers`.

    Attributes
    ----------
    trail : list of (rows, radius)
        Centers on the way, the best last, each with a radius that whole points cannot go below, or
        for large data one near it.
    cost : ndarray of shape (n, k) or None
        Distances to the last centers, where they are at hand.
    plain_radius : float
        Least radius of a start without bounds.
    lower_bound : float
        No centers have a smaller radius.
    n_iter : int
        Rounds of improvement.
    late : bool
        Whether the deadline ended the search.
    """

    trail: list[tuple[NDArray[np.intp], float]]
    cost: Array | None
    plain_radius: float
    lower_bound: float
    n_iter: int
    late: bool


def find_centers(
    metric: Metric,
    groups: Groups,
    rows: BoundRows,
    n_clusters: int,
    limits: SearchLimits,
    random_state: np.random.RandomState,
    report: Callable[..., None],
) -> FoundCenters:
    """Search for centers of small relaxed radius.

    Parameters
    ----------
    metric : Metric
    groups : Groups
    rows : BoundRows
        Bounds that quotas can meet.
    n_clusters : int
    limits : SearchLimits
    random_state : RandomState
    report : callable
        Takes a format and its arguments, as loggers do.

    Returns
    -------
    FoundCenters

    Notes
    -----
    Above 100,000 points the search runs on a part of them: a sample in which every signature is
    represented, and the points farthest from the centers of a start on all points, which decide the
    radius. Points that lie beyond the radius of what was found there join the part, and the search
    goes on. The start on all points stays in the trail, so that its guarantee holds.
    """
    order = metric.order()
    if metric.n_points <= _LARGE:
        search = CenterSearch(metric, groups, rows, order, limits.deadline)
        start, plain, bound = best_start(search, n_clusters, limits.n_init, random_state, report)
        best, trail = search.improve(start, limits.n_swaps, random_state, limits.max_iter)
        return FoundCenters(trail, best.cost, plain, bound, len(trail) - 1, search.late)
    return _LargeSearch(metric, groups, rows, order, limits, random_state, report).run(n_clusters)


def farthest_each(cost: Array, radius: float) -> tuple[NDArray[np.intp], int]:
    """Points beyond a radius, per nearest center the farthest.

    Parameters
    ----------
    cost : ndarray of shape (n, k)
    radius : float

    Returns
    -------
    rows : ndarray of int
        About 10,000 at most.
    n_beyond : int
        How many points are beyond the radius.

    Examples
    --------
    >>> farthest_each(np.array([[3.0, 9.0], [1.0, 9.0], [9.0, 4.0]]), 2.0)
    (array([0, 2]), 2)
    """
    nearest, own = cost.argmin(axis=1), cost.min(axis=1)
    beyond = np.flatnonzero(own > radius)
    each = _FAR // cost.shape[1] + 1
    by_center = beyond[np.lexsort((-own[beyond], nearest[beyond]))]
    starts = np.searchsorted(nearest[by_center], np.arange(cost.shape[1]))
    rank = np.arange(len(by_center)) - starts[nearest[by_center]]
    return by_center[rank < each], len(beyond)


def best_start(
    search: CenterSearch,
    n_clusters: int,
    n_init: int,
    random_state: np.random.RandomState,
    report: Callable[..., None],
    best: Centers | None = None,
) -> tuple[Centers, float, float]:
    """Choose the best of some farthest-first starts.

    Parameters
    ----------
    search : CenterSearch
    n_clusters, n_init : int
    random_state : RandomState
    report : callable
        Takes a format and its arguments.
    best : Centers, default=None
        Centers to beat.

    Returns
    -------
    centers : Centers
        Of least relaxed radius.
    plain : float
        Least radius without bounds.
    lower_bound : float
        No centers have a smaller radius.
    """
    weights = search.groups.weights
    held = None if weights is None else weights > 0
    plain, bound = np.inf, 0.0
    for start in range(n_init):
        first = search.draw(search.order, random_state)
        centers, radius, below = farthest_first(search.metric, n_clusters, first, search.order, held)
        plain, bound = min(plain, radius), max(bound, below)
        trial = search.probe(centers, np.inf if best is None else best.radius)
        report("start %d, radius %.6g without bounds, relaxed %.6g", start + 1, radius, trial.radius)
        if best is None or trial.radius < best.radius:
            best = trial
    assert best is not None
    return best, plain, bound


class _LargeSearch:
    """Search on a part of the points that grows by those it has missed."""

    def __init__(
        self,
        metric: Metric,
        groups: Groups,
        rows: BoundRows,
        order: NDArray[np.intp],
        limits: SearchLimits,
        random_state: np.random.RandomState,
        report: Callable[..., None],
    ) -> None:
        self.metric, self.groups, self.rows, self.limits = metric, groups, rows, limits
        self.random_state, self.report = random_state, report
        self.mass = np.ones(groups.n_rows) if groups.weights is None else groups.weights
        self.order = order[self.mass[order] > 0]
        self.whole = np.zeros(groups.n_rows, dtype=np.bool_)  # points that stand for themselves only

    def run(self, n_clusters: int) -> FoundCenters:
        total = np.cumsum(self.mass[self.order])
        first = np.searchsorted(total, self.random_state.uniform() * total[-1], side="right")
        first = int(self.order[min(int(first), len(self.order) - 1)])
        held = None if self.groups.weights is None else self.mass > 0
        centers, plain, bound = farthest_first(self.metric, n_clusters, first, self.order, held)
        self.report("all points: radius %.6g without bounds", plain)
        self._add_far(self.metric.to(centers), -np.inf)
        best, radius, n_iter = centers, np.inf, 0
        for turn in range(_ROUNDS):
            part, groups = self._part(best)
            search = CenterSearch(
                self.metric.part(part), groups, self.rows, np.arange(len(part)), self.limits.deadline
            )
            start = search.probe(self._inside(part, best))
            if turn == 0:
                start, _, below = best_start(
                    search, n_clusters, self.limits.n_init - 1, self.random_state, self.report, start
                )
                bound = max(bound, below)
            found, way = search.improve(start, self.limits.n_swaps, self.random_state, self.limits.max_iter)
            best, radius = part[found.rows] if self.metric.own else found.rows, found.radius
            n_iter += len(way) - 1
            cost = self.metric.to(best)
            missed = self._add_far(cost, radius)
            self.report(
                "part of %d points: radius %.6g after %d rounds, %d points beyond it",
                len(part), radius, len(way) - 1, missed,
            )  # fmt: skip
            if missed == 0 or search.late:
                break
        return FoundCenters([(centers, plain), (best, radius)], cost, plain, bound, n_iter, search.late)

    def _add_far(self, cost: Array, radius: float) -> int:
        """Let points beyond a radius stand for themselves, per center the farthest; how many there are."""
        far, n_beyond = farthest_each(cost[self.order], radius)
        self.whole[self.order[far]] = True
        return n_beyond

    def _part(self, centers: NDArray[np.intp]) -> tuple[NDArray[np.intp], Groups]:
        """Points of the part in their order, and groups in which they stand for all.

        Centers that are points belong to it.
        """
        if self.metric.own:
            self.whole[centers] = True
        rest = self.order[~self.whole[self.order]]
        chosen, weights = stratified_sample(
            self.groups.signature[rest], self.groups.n_signatures, _SAMPLE, self.mass[rest]
        )
        mass = np.where(self.whole, self.mass, 0.0)
        mass[rest[chosen]] = weights
        part = self.order[mass[self.order] > 0]
        return part, replace(self.groups, signature=self.groups.signature[part], weights=mass[part])

    def _inside(self, part: NDArray[np.intp], centers: NDArray[np.intp]) -> NDArray[np.intp]:
        """Rows of the part's metric for facilities."""
        if not self.metric.own:
            return centers
        position = np.full(self.groups.n_rows, -1, dtype=np.intp)
        position[part] = np.arange(len(part))
        return position[centers]
