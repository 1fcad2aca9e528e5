"""The engine on all points of a Dask collection, with a summary of them at the driver."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment import AssignmentProblem, AssignmentResult
from faircluster.assignment.prices import Relaxation, relax
from faircluster.assignment.problem import relative_gap
from faircluster.assignment.solve import Solver
from faircluster.centers.coreset import Coreset
from faircluster.dask.partitions import PartitionedPoints
from faircluster.dask.relaxed import Costs, relax_all
from faircluster.dask.transport import Plan, price_point, settle_all
from faircluster.groups import Groups

__all__ = ["AllPointsSolver", "free_plan", "summary_groups"]

Array = NDArray[Any]
_EXCESS = 1_000.0  # points by which the relaxed solution may break bounds, whatever their number
_FINE = 1e-4  # relative gap of relaxed solutions on the summary


def summary_groups(groups: Groups, few: Coreset) -> Groups:
    """Put the same groups on the representatives of a summary."""
    return replace(groups, signature=few.signature, weights=few.weights)


class AllPointsSolver(Solver):
    """Bounds, quotas and search as in the engine; prices and transport on all points.

    Parameters
    ----------
    points : PartitionedPoints
    costs : callable
        Points -> CostSource.
    few : Coreset
        Summary of the points, to begin with and to estimate what changes of quotas cost.
    problem : AssignmentProblem
        Bounds, sizes, rounding, time limit and start; groups and costs are replaced.

    Attributes
    ----------
    plan : Plan
        How each partition labels its points, after :meth:`run`.

    Notes
    -----
    The result has no labels; ``plan`` has them. Its lower bound, cost, quotas and violation are those of all
    points. About ten passes over the partitions for the prices, two for the transport.
    """

    def __init__(
        self, points: PartitionedPoints, costs: Costs, few: Coreset, problem: AssignmentProblem
    ) -> None:
        self.points, self.costs = points, costs
        groups = summary_groups(points.groups, few)
        super().__init__(replace(problem, cost=costs(few.points), groups=groups))

    def unconstrained(self) -> AssignmentResult | None:
        """Every point at its cheapest center, if that keeps the bounds."""
        shape = (self.groups.n_signatures, self.k)
        here = free_plan(self.points, self.costs, shape)
        self.cheapest = float(here.values.sum())
        if not np.isfinite(self.cheapest):
            raise ValueError("cost overflows when summed; rescale it, or use float64 points and centers")
        if self.rows.violation(here.quotas) > 0:
            return None
        return self.result(here, self.cheapest, "optimal", None)

    def pinned(self, sizes: Array) -> AssignmentResult | None:
        """Never: the flow would be that of the summary's points."""
        return None

    def relax(self) -> Relaxation:
        """Prices of all points, from those of the summary."""
        begun = time.perf_counter()
        given = self.problem.start
        start = given.relaxation if isinstance(given, AssignmentResult) else given
        if start is None or start.multipliers.shape != self.rows.rhs.shape:
            start = relax(
                self.source, self.signature, self.weights, self.rows.coef, self.rows.rhs, tolerance=_FINE
            )
        relaxation = relax_all(self.points, self.costs, self.rows.coef, self.rows.rhs, start, _EXCESS)
        self.seconds["prices"] = time.perf_counter() - begun
        return relaxation

    def transport(self, quotas: Array, prices: Array | None) -> Any:
        """Optimal assignment of all points to quotas, as a plan."""
        begun = time.perf_counter()
        temperature = 1e-3 * float(np.median(self.source.take(np.arange(min(1000, len(self.signature))))))
        first = np.zeros(quotas.shape) if prices is None else prices
        plan = settle_all(self.points, self.costs, quotas, first, temperature)
        self.seconds["transport"] = self.seconds.get("transport", 0.0) + time.perf_counter() - begun
        return plan

    def result(
        self, moved: Any, bound: float, status: str, relaxation: Relaxation | None
    ) -> AssignmentResult:
        """Put together the result of a plan."""
        plan: Plan = moved
        self.plan = plan
        cost = float(plan.values.sum())
        violation = self.rows.violation(plan.quotas)
        self.seconds["total"] = time.perf_counter() - self.started
        return AssignmentResult(
            labels=np.empty(0, dtype=np.int32),
            cost=cost,
            lower_bound=bound,
            gap=relative_gap(cost, bound),
            violation=violation,
            status=status,
            quotas=plan.quotas,
            prices=plan.prices,
            relaxation=relaxation,
            groups=self.points.groups,
            rows=self.rows,
            seconds=self.seconds,
        )


def free_plan(points: PartitionedPoints, costs: Costs, shape: tuple[int, int]) -> Plan:
    """Every point at its cheapest center."""
    prices = np.zeros(shape)
    here = price_point(points, costs, prices)
    return Plan(costs, prices, here.loads, here.values)
