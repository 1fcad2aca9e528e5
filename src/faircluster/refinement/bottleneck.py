"""Better centers for k-center: recentering, reopening empty centers, and swaps."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.radius import RadiusResult
from faircluster.assignment.relaxed_radius import relaxed_radius
from faircluster.bounds import BoundRows
from faircluster.centers.greedy import Metric, minimax_member
from faircluster.groups import Groups

__all__ = ["CenterSearch", "Centers"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Centers:
    """Centers and what they achieve.

    Attributes
    ----------
    rows : ndarray of shape (k,), int
        Points that are the centers.
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

    Notes
    -----
    One probe of new centers costs O(n d) for the distances and one check of feasibility just below
    the best radius; only successful probes search for their radius.

    Examples
    --------
    >>> from faircluster.assignment.radius import solve_radius
    >>> from faircluster.bounds import FairnessBounds
    >>> X, groups = np.arange(8.0)[:, None], Groups.from_features(list("abababab"))
    >>> rows = FairnessBounds.slack(0.5).rows(groups, 2)
    >>> metric = Metric(X)
    >>> search = CenterSearch(metric, groups, rows, metric.order())
    >>> start = search.probe(np.array([0, 7]))
    >>> assign = lambda cost: solve_radius(cost, groups, 0.5)
    >>> search.improve(start, assign, 10, np.random.RandomState(0))[0].radius
    2.0
    """

    def __init__(
        self, metric: Metric, groups: Groups, rows: BoundRows, order: Array, deadline: float = np.inf
    ) -> None:
        self.metric, self.groups, self.rows, self.deadline = metric, groups, rows, deadline
        self._mass = np.ones(groups.n_rows) if groups.weights is None else groups.weights
        self.order = order[self._mass[order] > 0]

    def draw(self, rows: NDArray[np.intp], random_state: np.random.RandomState) -> int:
        """Draw one of these points by weight, so that a point of weight 2 counts as two points."""
        total = np.cumsum(self._mass[rows])
        at = np.searchsorted(total, random_state.uniform() * total[-1], side="right")
        return int(rows[min(int(at), len(rows) - 1)])

    def probe(self, rows: NDArray[np.intp], best: Centers | None = None) -> Centers:
        """Relaxed radius of centers; infinite when it does not beat the best."""
        if best is not None and (rows == best.rows).all():
            return Centers(rows, best.cost, np.inf)
        cost = self.metric.to(rows) if best is None else self._changed(rows, best)
        below = np.inf if best is None else best.radius
        return Centers(rows, cost, relaxed_radius(cost, self.groups, self.rows, below=below))

    def _changed(self, rows: NDArray[np.intp], best: Centers) -> Array:
        cost = best.cost.copy()
        new = np.flatnonzero(rows != best.rows)
        cost[:, new] = self.metric.to(rows[new])
        return cost

    def improve(
        self,
        best: Centers,
        assign: Any,
        n_swaps: int,
        random_state: np.random.RandomState,
        max_iter: int = 20,
    ) -> tuple[Centers, RadiusResult, int]:
        """Recenter and swap until nothing helps.

        Parameters
        ----------
        best : Centers
        assign : callable
            Cost -> RadiusResult, the assignment by which clusters are judged.
        n_swaps : int
            Swaps in a row that may fail before the search ends.
        random_state : RandomState
        max_iter : int, default=20
            Most rounds.

        Returns
        -------
        centers : Centers
        result : RadiusResult
            Their assignment.
        n_iter : int
            Rounds that found better centers.
        """
        result = assign(best.cost)
        rounds = 0
        while rounds < max_iter:
            better = self._recentered(best, result)
            if better.radius >= best.radius:
                better = self._swapped(best, result, n_swaps, random_state)
            if better.radius >= best.radius:
                break
            rounds += 1
            after = assign(better.cost)
            if after.violation <= result.violation and after.radius >= result.radius:
                break  # a better relaxation that whole points cannot follow
            best, result = better, after
        return best, result, rounds

    def _recentered(self, best: Centers, result: RadiusResult) -> Centers:
        """Every cluster around the member with the least largest distance; empty ones reopen."""
        rows = best.rows.copy()
        sizes = result.quotas.sum(axis=0)
        own = best.cost[np.arange(len(result.labels)), result.labels]
        for j in np.flatnonzero(sizes > 0):
            rows[j] = minimax_member(self.metric, self._members(result.labels, int(j)), int(rows[j]))[0]
        for j in np.flatnonzero(sizes == 0):
            # a center inside the largest cluster, where its points are farthest from their own
            members = self._members(result.labels, int(np.argmax(sizes)))
            rows[j] = members[np.argmax(own[members])]
            own = np.minimum(own, self.metric.to(rows[j : j + 1])[:, 0])
        if self._late():
            return best
        return self.probe(rows, best)

    def _swapped(
        self, best: Centers, result: RadiusResult, n_swaps: int, random_state: np.random.RandomState
    ) -> Centers:
        """Replace one center at a time; the emptiest clusters give way first."""
        sizes = result.quotas.sum(axis=0)
        own = best.cost[np.arange(len(result.labels)), result.labels]
        emptiest = np.argsort(sizes, kind="stable")
        k = len(sizes)
        for trial in range(n_swaps):
            if self._late():
                break
            leaver = int(emptiest[trial % k])
            entrant = self._entrant(trial // k, result.labels, own, random_state)
            rows = best.rows.copy()
            rows[leaver] = entrant
            found = best if entrant in best.rows else self.probe(rows, best)
            if found.radius < best.radius:
                return found
        return best

    def _entrant(self, turn: int, labels: Array, own: Array, random_state: np.random.RandomState) -> int:
        """Name a point worth trying: the farthest, the middle of all, then points drawn from everywhere."""
        if turn == 0:
            return int(self.order[np.argmax(own[self.order])])
        if turn == 1:
            return minimax_member(self.metric, self.order, int(self.order[0]), 8)[0]
        if turn % 2:
            return self.draw(self.order, random_state)
        # from the cluster of the farthest point
        farthest = int(self.order[np.argmax(own[self.order])])
        return self.draw(self._members(labels, int(labels[farthest])), random_state)

    def _members(self, labels: Array, j: int) -> NDArray[np.intp]:
        members: NDArray[np.intp] = self.order[labels[self.order] == j]
        return members

    def _late(self) -> bool:
        return time.perf_counter() >= self.deadline
