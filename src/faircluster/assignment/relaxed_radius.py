"""The smallest radius at which points that may be divided can be assigned within the bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.hall import HallCuts
from faircluster.assignment.radius_program import RadiusProgram
from faircluster.assignment.reach import reach_classes
from faircluster.assignment.transport import assign_by_price, loads_of
from faircluster.bounds import BoundRows
from faircluster.distances import DenseCosts, map_blocks
from faircluster.groups import Groups

__all__ = ["RelaxedSearch", "relaxed_radius"]

Array = NDArray[Any]
_MOST_CANDIDATES = 1_000_000  # entries sorted at a time
_MOST_CUTS = 4_000  # cuts a program carries from one set of centers to the next


def relaxed_radius(cost: Array, groups: Groups, rows: BoundRows, *, below: float = np.inf) -> float:
    """Smallest radius at which points that may be divided can be assigned within the bounds.

    Parameters
    ----------
    cost : ndarray of shape (n, k)
    groups : Groups
    rows : BoundRows
        Bounds that quotas can meet.
    below : float, default=inf
        Give up unless the radius is smaller than this, which one probe tells.

    Returns
    -------
    float
        An entry of ``cost``; infinity when it is not smaller than ``below``.

    Notes
    -----
    Binary search over the entries; see :class:`~faircluster.assignment.hall.HallCuts`. A probe is
    one pass over the costs, O(n k), and a few linear programs in S * k quotas.

    Examples
    --------
    >>> from faircluster.bounds import FairnessBounds
    >>> groups = Groups.from_features(list("aabb"))
    >>> cost = np.array([[0.0, 4.0], [1.0, 3.0], [5.0, 0.0], [2.0, 1.0]])
    >>> rows = FairnessBounds.slack(0.2).rows(groups, 2)
    >>> relaxed_radius(cost, groups, rows), relaxed_radius(cost, groups, rows, below=2.0)
    (3.0, inf)
    """
    return RelaxedSearch(cost, groups, rows).run(below)


class RelaxedSearch:
    """Binary search for the relaxed radius; its cuts serve the search for whole points after it.

    Parameters
    ----------
    cost : ndarray of shape (n, k)
    groups : Groups
    rows : BoundRows
    before : RelaxedSearch, default=None
        Search for the same groups, bounds and number of centers: its program and cuts are taken
        over, and the earlier search must not be used any more.
    """

    def __init__(
        self, cost: Array, groups: Groups, rows: BoundRows, before: RelaxedSearch | None = None
    ) -> None:
        self.cost, weights = cost, groups.weights
        self.held = None if weights is None or (weights > 0).all() else weights > 0
        shape = (groups.n_signatures, cost.shape[1])
        self.tolerance = 1e-6 * max(1.0, 1e-5 * groups.total)
        self.nearest, _, own = assign_by_price(DenseCosts(cost), groups.signature, np.zeros(shape))
        self.lower_bound = float((own if self.held is None else own[self.held]).max())
        self.unbounded = rows.violation(loads_of(self.nearest, groups.signature, weights, shape)) == 0
        self._groups, self._rows = groups, rows
        self._program: RadiusProgram | None = None
        if before is not None and before._program is not None and len(before._program.cuts) <= _MOST_CUTS:
            self._program = before._program

    @property
    def program(self) -> RadiusProgram:
        """Programs over quotas, and the cuts found so far."""
        if self._program is None:
            groups = self._groups
            cuts = HallCuts(groups.n_signatures, self.cost.shape[1])
            self._program = RadiusProgram(
                groups.signature_counts, self._rows, cuts, whole=groups.integer_weights
            )
        return self._program

    @property
    def highest(self) -> float:
        """Largest entry of a point with weight."""
        return self.largest(np.inf)

    def visit(self, radius: float) -> None:
        """Move the programs to a radius: one pass over the costs."""
        groups = self._groups
        self.program.cuts.visit(
            reach_classes(self.cost, groups.signature, groups.weights, groups.n_signatures, radius)
        )

    def run(self, below: float = np.inf) -> float:
        """Find the relaxed radius, or infinity when it is not smaller than ``below``."""
        if self.lower_bound >= below:
            return np.inf
        if self.unbounded:
            return self.lower_bound
        if below < np.inf and not self.below(below):
            return np.inf
        high = self.largest(below)
        if self._feasible(self.lower_bound):
            return self.lower_bound
        return self.smallest(self.lower_bound, high, self._feasible)

    def below(self, radius: float) -> bool:
        """Whether the relaxed radius is smaller than this; one probe."""
        if self.lower_bound >= radius:
            return False
        return self.unbounded or self._feasible(self.largest(radius))

    def blocking(self, radius: float) -> list[NDArray[np.intp]]:
        """Find sets of points that together rule out every smaller radius; none when nothing does.

        The points of a set have the same signature and need one of the same few centers.
        """
        self.visit(self.largest(radius))
        classes = self.program.cuts.classes
        of_points = classes.of_points(self.cost, self._groups.signature)
        found = []
        for s, inside in self.program.blocking(self.tolerance):
            needs = np.zeros(len(classes.supply), dtype=np.bool_)
            part = slice(classes.starts[s], classes.starts[s + 1])
            needs[part] = (classes.allowed[part] <= inside).all(axis=1)
            found.append(np.flatnonzero((of_points >= 0) & needs[of_points]))
        return [points for points in found if len(points)]

    def _feasible(self, radius: float) -> bool:
        self.visit(radius)
        return self.program.feasible_quotas(self.tolerance) is not None

    def smallest(
        self, low: float, high: float, feasible: Callable[[float], bool], close: float = 0.0
    ) -> float:
        """Smallest entry at which ``feasible`` holds: it does not at low, it does at high.

        With ``close`` the search ends when they are so near to each other, as a share.
        """
        while True:
            values, complete = self.entries(low, high)
            while len(values) and high > low * (1 + close):
                middle = len(values) // 2
                if feasible(float(values[middle])):
                    high, values = float(values[middle]), values[:middle]
                else:
                    low, values = float(values[middle]), values[middle + 1 :]
            if complete or high <= low * (1 + close):
                return high

    def entries(self, low: float, high: float) -> tuple[Array, bool]:
        """Different entries strictly between two values, sorted; a sample where there are too many."""
        n = len(self.cost)
        counts = map_blocks(n, lambda start, stop: int(self._between(start, stop, low, high).sum()))
        step = -(-sum(counts) // _MOST_CANDIDATES)
        if step == 0:
            return np.empty(0), True

        def collect(start: int, stop: int) -> Array:
            return self.cost[start:stop][self._between(start, stop, low, high)][::step]

        values = np.unique(np.concatenate(map_blocks(n, collect)))
        return values.astype(np.float64), step == 1

    def next_above(self, radius: float) -> float:
        """Smallest entry above a radius, infinity without one."""

        def least(start: int, stop: int) -> float:
            inside = self._between(start, stop, radius, np.inf)
            return float(self.cost[start:stop][inside].min(initial=np.inf))

        return min(map_blocks(len(self.cost), least))

    def largest(self, below: float) -> float:
        """Largest entry below a value."""

        def most(start: int, stop: int) -> float:
            inside = self._between(start, stop, -np.inf, below)
            return float(self.cost[start:stop][inside].max(initial=-np.inf))

        return max(map_blocks(len(self.cost), most))

    def _between(self, start: int, stop: int, low: float, high: float) -> NDArray[np.bool_]:
        part = self.cost[start:stop]
        inside: NDArray[np.bool_] = (part > low) & (part < high)
        if self.held is not None:
            inside &= self.held[start:stop, None]
        return inside
