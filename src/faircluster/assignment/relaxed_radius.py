"""The smallest radius at which points that may be divided can be assigned within the bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.hall import HallCuts
from faircluster.assignment.radius_program import RadiusProgram
from faircluster.assignment.transport import assign_by_price, loads_of
from faircluster.bounds import BoundRows
from faircluster.distances import DenseCosts, map_blocks
from faircluster.groups import Groups

__all__ = ["RelaxedSearch", "relaxed_radius"]

Array = NDArray[Any]
_MOST_CANDIDATES = 1_000_000  # entries sorted at a time


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
    Binary search over the entries; see :class:`~faircluster.assignment.hall.HallCuts`.

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
    """

    def __init__(self, cost: Array, groups: Groups, rows: BoundRows) -> None:
        self.cost, weights = cost, groups.weights
        self.held = None if weights is None or (weights > 0).all() else weights > 0
        shape = (groups.n_signatures, cost.shape[1])
        self.tolerance = 1e-6 * max(1.0, 1e-5 * groups.total)
        self.nearest, _, own = assign_by_price(DenseCosts(cost), groups.signature, np.zeros(shape))
        # fewest points moved from their nearest centers: clusters that look sensible
        self.loads = loads_of(self.nearest, groups.signature, weights, shape)
        self.lower_bound = float(self.counted(own).max())
        self.highest = float(self.counted(cost).max())
        self.unbounded = rows.violation(self.loads) == 0
        self._groups, self._rows = groups, rows
        self._cuts: HallCuts | None = None
        self._program: RadiusProgram | None = None

    @property
    def cuts(self) -> HallCuts:
        """The cuts found so far."""
        if self._cuts is None:
            signature, weights = self._groups.signature, self._groups.weights
            self._cuts = HallCuts(self.cost, signature, weights, self._groups.n_signatures)
        return self._cuts

    @property
    def program(self) -> RadiusProgram:
        """The programs over quotas with those cuts."""
        if self._program is None:
            whole = self._groups.integer_weights
            self._program = RadiusProgram(self._groups.signature_counts, self._rows, self.cuts, whole=whole)
        return self._program

    def run(self, below: float = np.inf) -> float:
        """Find the relaxed radius, or infinity when it is not smaller than ``below``."""
        if self.lower_bound >= below:
            return np.inf
        if self.unbounded:
            return self.lower_bound
        self.cuts.bracket(self.lower_bound, self.highest)
        high = self.highest
        if below <= high:
            values = self.counted(self.cost)
            high = float(values[values < below].max())
            if not self._feasible(high):
                return np.inf
            self.cuts.bracket(self.lower_bound, high)
        if self._feasible(self.lower_bound):
            return self.lower_bound
        return self.smallest(self.lower_bound, high, self._feasible)

    def _feasible(self, radius: float) -> bool:
        self.cuts.visit(radius)
        return self.program.feasible_quotas(self.tolerance) is not None

    def smallest(self, low: float, high: float, feasible: Callable[[float], bool]) -> float:
        """Smallest entry at which ``feasible`` holds: it does not at low, it does at high."""
        while True:
            values, complete = self.entries(low, high)
            while len(values):
                middle = len(values) // 2
                if feasible(float(values[middle])):
                    high, values = float(values[middle]), values[:middle]
                else:
                    low, values = float(values[middle]), values[middle + 1 :]
                self.cuts.bracket(low, high)
            if complete:
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

    def _between(self, start: int, stop: int, low: float, high: float) -> NDArray[np.bool_]:
        part = self.cost[start:stop]
        inside: NDArray[np.bool_] = (part > low) & (part < high)
        if self.held is not None:
            inside &= self.held[start:stop, None]
        return inside

    def counted(self, values: Array) -> Array:
        """Rows with weight."""
        return values if self.held is None else values[self.held]
