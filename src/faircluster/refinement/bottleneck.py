"""Better centers for k-center: recentering, reopening empty centers, and swaps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.prices import Relaxation
from faircluster.assignment.radius import RadiusResult
from faircluster.assignment.radius_rounding import relaxed_labels
from faircluster.assignment.relaxed_radius import RelaxedSearch
from faircluster.assignment.transport import assign_by_price
from faircluster.bounds import BoundRows
from faircluster.centers.greedy import minimax_center
from faircluster.centers.metric import Metric
from faircluster.distances import DenseCosts
from faircluster.groups import Groups

__all__ = ["CenterSearch", "Centers", "settle"]

Array = NDArray[Any]
# facilities near a tight point: drawn, judged by so many points, and the best tried
_CANDIDATES, _WITNESSES, _BEST = 400, 20_000, 12


@dataclass(frozen=True, eq=False)
class Centers:
    """Centers and what they achieve.

    Attributes
    ----------
    rows : ndarray of shape (k,), int
        Facilities that are the centers.
    cost : ndarray of shape (n, k)
        Distances to them.
    radius : float
        Their relaxed radius.
    """

    rows: NDArray[np.intp]
    cost: Array
    radius: float


class CenterSearch:
    """Local search over centers, with the relaxed radius as judge.

    Parameters
    ----------
    metric : Metric
    groups : Groups
    rows : BoundRows
        Bounds that quotas can meet.
    order : ndarray of shape (n,)
        Points in an order that does not depend on that of the rows.
    deadline : float, default=inf
        Value of ``time.perf_counter()`` at which to stop.

    Attributes
    ----------
    late : bool
        Whether the deadline has ended a search.

    Notes
    -----
    New centers cost O(n d) for the distances. Most are turned down in O(n), because some point
    would have no center near enough; the others take one pass over the costs, O(n k), and linear
    programs in S * k quotas that begin with the cuts of earlier centers. Only successful ones
    search for their radius.

    Examples
    --------
    >>> from faircluster.bounds import FairnessBounds
    >>> X, groups = np.arange(8.0)[:, None], Groups.from_features(list("abababab"))
    >>> rows = FairnessBounds.slack(0.5).rows(groups, 2)
    >>> metric = Metric(X)
    >>> search = CenterSearch(metric, groups, rows, metric.order())
    >>> start = search.probe(np.array([0, 7]))
    >>> search.improve(start, 10, np.random.RandomState(0))[0].radius
    2.0
    """

    def __init__(
        self, metric: Metric, groups: Groups, rows: BoundRows, order: Array, deadline: float = np.inf
    ) -> None:
        self.metric, self.groups, self.rows, self.deadline = metric, groups, rows, deadline
        self._mass = np.ones(groups.n_rows) if groups.weights is None else groups.weights
        self.order = order[self._mass[order] > 0]
        self.late = False
        self._last: RelaxedSearch | None = None
        self._relaxation: Relaxation | None = None

    def draw(self, rows: NDArray[np.intp], random_state: np.random.RandomState) -> int:
        """Draw one of these points by weight, so that a point of weight 2 counts as two points."""
        total = np.cumsum(self._mass[rows])
        at = np.searchsorted(total, random_state.uniform() * total[-1], side="right")
        return int(rows[min(int(at), len(rows) - 1)])

    def probe(self, rows: NDArray[np.intp], below: float = np.inf) -> Centers:
        """Relaxed radius of centers; infinite when it is not below a value."""
        cost = self.metric.to(rows)
        return Centers(rows, cost, self._radius(cost, below))

    def improve(
        self, best: Centers, n_swaps: int, random_state: np.random.RandomState, max_iter: int = 20
    ) -> tuple[Centers, list[tuple[NDArray[np.intp], float]]]:
        """Recenter and swap until nothing helps.

        Parameters
        ----------
        best : Centers
            Their cost matrix is written to.
        n_swaps : int
            Swaps in a row that may fail before the search ends.
        random_state : RandomState
        max_iter : int, default=20
            Most rounds.

        Returns
        -------
        centers : Centers
        trail : list of (rows, radius)
            All centers on the way, these last, with their relaxed radii, which fall.
        """
        trail = [(best.rows, best.radius)]
        while len(trail) <= max_iter and not self._is_late():
            labels = self._labels(best)
            better = self._recentered(best, labels)
            if better is None:
                better = self._swapped(best, labels, n_swaps, random_state)
            if better is None:
                break
            best = better
            trail.append((best.rows, best.radius))
        return best, trail

    def _radius(self, cost: Array, below: float) -> float:
        self._last = RelaxedSearch(cost, self.groups, self.rows, self._last)
        return self._last.run(below)

    def _labels(self, best: Centers) -> NDArray[np.int32]:
        labels, self._relaxation = relaxed_labels(
            best.cost, self.groups, self.rows, best.radius, self._relaxation
        )
        return labels

    def _recentered(self, best: Centers, labels: NDArray[np.int32]) -> Centers | None:
        """Every cluster around the facility with the least largest distance; empty ones reopen."""
        rows = best.rows.copy()
        sizes = self._sizes(labels, len(rows))
        own = best.cost[np.arange(len(labels)), labels]
        for j in np.flatnonzero(sizes > 0):
            rows[j] = minimax_center(self.metric, self._members(labels, int(j)), int(rows[j]))[0]
        for j in np.flatnonzero(sizes == 0):
            # a center inside the largest cluster, where its points are farthest from their own
            members = self._members(labels, int(np.argmax(sizes)))
            rows[j] = self.metric.nearest(int(members[np.argmax(own[members])]))
            own = np.minimum(own, self.metric.to(rows[j : j + 1])[:, 0])
        if (rows == best.rows).all() or len(set(rows.tolist())) < len(rows) or self._is_late():
            return None
        found = self.probe(rows, best.radius)
        return found if found.radius < best.radius else None

    def _swapped(
        self, best: Centers, labels: Array, n_swaps: int, random_state: np.random.RandomState
    ) -> Centers | None:
        """Let one facility after the other take the place of a center that can be spared."""
        emptiest = np.argsort(self._sizes(labels, len(best.rows)), kind="stable")
        none = np.zeros((self.groups.n_signatures, len(best.rows)))
        nearest, margin, least = assign_by_price(DenseCosts(best.cost), self.groups.signature, none)
        entrants = self._entrants(best, labels, random_state)
        for trial, entrant in zip(range(n_swaps), entrants, strict=False):
            if self._is_late():
                break
            if entrant in best.rows:
                continue
            column = self.metric.to(np.array([entrant]))[:, 0]
            # points that only their own center or the entrant would be near enough to
            far = self.order[column[self.order] >= best.radius]
            if (least[far] >= best.radius).any():
                continue
            needed = np.unique(nearest[far[least[far] + margin[far] >= best.radius]])
            spare = emptiest[~np.isin(emptiest, needed)]
            for leaver in dict.fromkeys([*spare[:1], *spare[trial % max(len(spare), 1) :][:1]]):
                found = self._with_column(best, int(leaver), entrant, column)
                if found is not None:
                    return found
        return None

    def _with_column(self, best: Centers, j: int, entrant: int, column: Array) -> Centers | None:
        """Centers with one replaced, if their relaxed radius is smaller."""
        before = best.cost[:, j].copy()
        best.cost[:, j] = column
        radius = self._radius(best.cost, best.radius)
        if radius < best.radius:
            rows = best.rows.copy()
            rows[j] = entrant
            return Centers(rows, best.cost, radius)
        best.cost[:, j] = before
        return None

    def _entrants(self, best: Centers, labels: Array, random_state: np.random.RandomState) -> Iterator[int]:
        """Facilities worth trying, without end: those that relieve what is tight, then from everywhere."""
        own = best.cost[np.arange(len(labels)), labels]
        farthest = int(self.order[np.argmax(own[self.order])])
        yield self.metric.nearest(farthest)
        if self.metric.own:
            yield minimax_center(self.metric, self.order, int(self.order[0]), 8)[0]
        yield from self._relieving(best, random_state)
        members = self._members(labels, int(labels[farthest]))
        while True:
            yield self.metric.nearest(self.draw(self.order, random_state))
            yield self.metric.nearest(self.draw(members, random_state))

    def _relieving(self, best: Centers, random_state: np.random.RandomState) -> list[int]:
        """Facilities that serve points from as many as possible of the sets that rule out a smaller radius.

        They are near to points of the smallest set, often a single one far from everybody.
        """
        self._last = RelaxedSearch(best.cost, self.groups, self.rows, self._last)
        sets = self._last.blocking(best.radius)
        if not sets:
            return []
        smallest = min(sets, key=len)
        near = np.flatnonzero(self.metric.of(self.draw(smallest, random_state)) < best.radius)
        if self.metric.own:
            near = near[self._mass[near] > 0]
        near = random_state.permutation(near)[:_CANDIDATES]
        parts = [points[:: -(-len(points) * len(sets) // _WITNESSES)] for points in sets]
        points = np.concatenate(parts)
        starts = np.cumsum([0, *map(len, parts[:-1])])
        scores = []
        for row in near.tolist():
            reached = self.metric.among(points, int(row)) < best.radius
            shares = np.add.reduceat(reached, starts, dtype=np.float64) / [len(part) for part in parts]
            # sets reached at all come first, then how much of them
            scores.append(-float((shares > 0).sum() + shares.mean()))
        return [int(row) for row in near[np.argsort(scores, kind="stable")[:_BEST]]]

    def _sizes(self, labels: Array, k: int) -> NDArray[np.float64]:
        return np.bincount(labels, self._mass, k).astype(np.float64)

    def _members(self, labels: Array, j: int) -> NDArray[np.intp]:
        members: NDArray[np.intp] = self.order[labels[self.order] == j]
        return members

    def _is_late(self) -> bool:
        self.late |= time.perf_counter() >= self.deadline
        return self.late


def settle(
    trail: list[tuple[NDArray[np.intp], float]],
    assign: Callable[[NDArray[np.intp]], RadiusResult],
    reaches: Callable[[NDArray[np.intp], float], bool],
    tries: int = 3,
) -> tuple[NDArray[np.intp], RadiusResult]:
    """Assign whole points to the last centers, or to earlier ones where that gives a smaller radius.

    Parameters
    ----------
    trail : list of (rows, relaxed radius)
        From :meth:`CenterSearch.improve`.
    assign : callable
        Rows of centers -> RadiusResult.
    reaches : callable
        Rows of centers, radius -> whether an assignment of smaller radius is within reach.
    tries : int, default=3
        Most earlier centers looked at.

    Returns
    -------
    rows : ndarray of shape (k,), int
    result : RadiusResult
        Of least violation, then least radius.
    """
    rows, result = trail[-1][0], assign(trail[-1][0])
    for earlier, relaxed in trail[-2 : -tries - 2 : -1]:
        if result.violation == 0 and result.radius <= relaxed:
            break  # no assignment to earlier centers can be better
        if result.violation == 0 and not reaches(earlier, result.radius):
            continue
        other = assign(earlier)
        if (other.violation, other.radius) < (result.violation, result.radius):
            rows, result = earlier, other
    return rows, result
