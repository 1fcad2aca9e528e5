"""The radius search on all points: partitions count classes of points, programs run at the driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.prices import Relaxation, relax
from faircluster.assignment.radius_rounding import STEEP, RadiusRounding, WithinRadius
from faircluster.assignment.reach import ReachClasses, merge_classes, reach_classes
from faircluster.assignment.relaxed_radius import RelaxedSearch
from faircluster.bounds import BoundRows, InfeasibleBoundsError
from faircluster.centers.coreset import Coreset
from faircluster.dask.partitions import Part, PartitionedPoints
from faircluster.dask.relaxed import Costs, relax_all
from faircluster.dask.solver import summary_groups
from faircluster.dask.transport import Plan, labels_by_plan, price_point, settle_all

__all__ = ["AllPointsRadius", "PenalisedCosts"]

Array = NDArray[Any]
_AT_ONCE = 4  # radii looked at in one pass
_CLOSE = 1e-3  # relative width at which the search for the radius ends
_EXCESS = 1_000.0
_GROWTH = 4.0  # of the steps by which a radius grows that whole points cannot keep


class PenalisedCosts:
    """Costs with a penalty on entries beyond a radius, for the points of any partition.

    Parameters
    ----------
    costs : callable
        Points -> CostSource of distances.
    radius, penalty : float
    """

    def __init__(self, costs: Costs, radius: float, penalty: float) -> None:
        self.costs, self.radius, self.penalty = costs, radius, penalty

    def __call__(self, X: Array) -> WithinRadius:
        """Costs of these points."""
        return WithinRadius(_matrix(self.costs, X), self.radius, self.penalty)


class AllPointsRadius(RelaxedSearch):
    """The relaxed radius of all points, then whole quotas and a plan.

    Parameters
    ----------
    points : PartitionedPoints
    costs : callable
        Points -> CostSource of distances to the centers.
    few : Coreset
    rows : BoundRows

    Attributes
    ----------
    lower_bound : float
        Radius without bounds.
    relaxed_radius : float
        No assignment within the bounds has a smaller one.
    gap : float
        Radius over that, minus 1.

    Notes
    -----
    A pass counts the classes of four radii. The radius is found up to one part in a thousand, and the proof
    says from below what it can be; each partition sends its classes, at most 2^k a signature and in practice
    a few thousand.
    """

    def __init__(self, points: PartitionedPoints, costs: Costs, few: Coreset, rows: BoundRows) -> None:
        self.points, self.costs, self.few = points, costs, few
        self._groups, self._rows, self._program = points.groups, rows, None
        self.held = None
        self.tolerance = 1e-6 * max(1.0, 1e-5 * points.n_rows)
        self.shape = (points.groups.n_signatures, len(rows.rhs))
        self.free = price_point(points, costs, np.zeros(self.shape))
        self.lower_bound, self._highest = points.reduce(partial(_extent, costs=costs), _widest, "distances")
        self.unbounded = rows.violation(self.free.loads) == 0
        self._known: dict[float, ReachClasses] = {}
        self.cost = np.empty((0, self.shape[1]))  # no rows at the driver; its columns are the centers

    @property
    def highest(self) -> float:
        """Largest distance of a point to a center."""
        return self._highest

    def visit(self, radius: float) -> None:
        """Move the programs to a radius."""
        if radius not in self._known:
            self._count([radius])
        self.program.cuts.visit(self._known[radius])

    def solve(self, guess: float, rounding: str, deadline: float | None) -> tuple[Plan, float, float, bool]:
        """Assign all points.

        Parameters
        ----------
        guess : float
            A radius that may be near.
        rounding : {"strict", "nearest"}
        deadline : float or None

        Returns
        -------
        plan : Plan
        radius : float
            Largest distance of a point to its center.
        relaxed : float
            No assignment within the bounds has a smaller radius.
        late : bool
            Whether the deadline cut the search short.
        """
        if self.unbounded:
            prices = np.zeros(self.shape)
            free = Plan(self.costs, prices, self.free.loads, self.free.values)
            return free, self.lower_bound, self.lower_bound, False
        low, high = self._relaxed(guess)
        rounded = _Rounding(self, deadline)
        target = rounded.relaxed(high)
        quotas = rounded.mended(high, target) if rounding == "nearest" else None
        radius = high
        if rounding == "strict":
            radius, quotas = self._whole(rounded, target, high)
        assert quotas is not None
        penalty = (2 * self.shape[1] + 1) * max(self._highest, 1e-300)
        costs = PenalisedCosts(self.costs, radius, penalty)
        assert rounded.relaxation is not None
        plan = settle_all(
            self.points, costs, quotas, rounded.relaxation.prices, rounded.relaxation.temperature
        )
        radius = self.points_radius(plan)
        return plan, radius, low, rounded.late

    def points_radius(self, plan: Plan) -> float:
        """Largest distance of a point to the center of its label."""
        bare = replace(plan, shares={})

        def work(i: int) -> Callable[[Part], float]:
            return partial(_farthest, costs=self.costs, plan=bare, share=plan.shares.get(i))

        return max(self.points.gather(work, "radius").values())

    def _relaxed(self, guess: float) -> tuple[float, float]:
        """Enclose the relaxed radius: no smaller one will do than the first, the second does."""
        low, high = self.lower_bound, self._highest
        spread = 0.05 * guess
        radii = [low, *(guess + step * spread for step in (-1.0, -0.2, 0.2, 1.0))]
        self._count([r for r in radii if low <= r < high])
        if self._feasible(low):
            return low, low
        inside = sorted(r for r in radii[1:] if low < r < high)
        while True:
            while inside:
                middle = len(inside) // 2
                if self._feasible(inside[middle]):
                    high, inside = inside[middle], inside[:middle]
                else:
                    low, inside = inside[middle], inside[middle + 1 :]
            if high - low <= _CLOSE * high:
                return low, high
            self._forget(high)
            inside = (low + (high - low) * np.arange(1, _AT_ONCE + 1) / (_AT_ONCE + 1)).tolist()
            self._count(inside)

    def _whole(self, rounded: RadiusRounding, target: Array, lowest: float) -> tuple[float, Array]:
        """Whole quotas at a radius as small as a few steps find."""
        radius, step = lowest, _CLOSE
        while radius < self._highest:
            quotas = rounded.whole(radius, target, anywhere=False)
            if quotas is not None:
                return radius, quotas
            radius, step = radius * (1 + step), step * _GROWTH
            self._forget(lowest)
        quotas = rounded.whole(self._highest, target)
        if quotas is None:
            quotas = self._one_cluster()
        if quotas is None:
            raise InfeasibleBoundsError(
                "no assignment of whole points within the bounds was found: "
                f"{self.points.n_rows} points, {self.shape[1]} clusters, smallest group "
                f"{self.points.groups.counts.min():g}; widen the bounds or the sizes, or use "
                "rounding='nearest'"
            )
        return self._highest, quotas

    def _one_cluster(self) -> Array | None:
        """All points in one cluster, which keeps any bounds on shares that the data keep."""
        for j in range(self.shape[1]):
            quotas = np.zeros(self.shape)
            quotas[:, j] = self.points.groups.signature_counts
            if self._rows.violation(quotas) == 0:
                return quotas
        return None

    def _count(self, radii: Sequence[float]) -> None:
        radii = sorted({float(radius) for radius in radii} - set(self._known))
        if not radii:
            return
        work = partial(_classes, costs=self.costs, radii=radii, n_signatures=self.shape[0])
        found: list[ReachClasses] = self.points.reduce(work, _merge_all, "classes")
        self._known.update(zip(radii, found, strict=True))

    def _forget(self, keep: float) -> None:
        """Classes take memory: those of one radius at a time are enough."""
        self._known = {radius: classes for radius, classes in self._known.items() if radius == keep}


class _Rounding(RadiusRounding):
    """Rounding whose relaxed quotas are those of all points."""

    def __init__(self, search: AllPointsRadius, deadline: float | None) -> None:
        super().__init__(search, search.points.groups, search._rows, deadline)
        self.all = search

    def relaxed(self, radius: float) -> NDArray[np.float64]:
        """Quotas, not whole, that keep the bounds and can be filled, at about the least total distance."""
        search, rows = self.all, self.rows
        costs = PenalisedCosts(search.costs, radius, STEEP * radius)
        few = summary_groups(search.points.groups, search.few)
        start: Relaxation = relax(
            costs(search.few.points), few.signature, few.weights, rows.coef, rows.rhs, tolerance=1e-3
        )
        self.relaxation = relax_all(search.points, costs, rows.coef, rows.rhs, start, _EXCESS)
        search.visit(radius)
        found = self._filled(self.relaxation.quotas, whole=False)
        return self.relaxation.quotas if found is None else found


# ---- on the workers


def _matrix(costs: Costs, X: Array) -> Array:
    source = costs(X)
    return np.asarray(source.block(0, len(X)))


def _extent(part: Part, *, costs: Costs) -> tuple[float, float]:
    matrix = _matrix(costs, part.X)
    return float(matrix.min(axis=1).max()), float(matrix.max())


def _widest(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return max(part[0] for part in parts), max(part[1] for part in parts)


def _classes(part: Part, *, costs: Costs, radii: Sequence[float], n_signatures: int) -> list[ReachClasses]:
    matrix = _matrix(costs, part.X)
    return [reach_classes(matrix, part.signature, None, n_signatures, radius) for radius in radii]


def _merge_all(parts: Sequence[list[ReachClasses]]) -> list[ReachClasses]:
    return [merge_classes(same) for same in zip(*parts, strict=True)]


def _farthest(part: Part, *, costs: Costs, plan: Plan, share: Any) -> float:
    labels = labels_by_plan(part.X, part.signature, plan, share)
    return float(_matrix(costs, part.X)[np.arange(len(labels)), labels].max())
