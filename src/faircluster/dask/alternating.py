"""Fair k-means and k-median on Dask collections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.transport import assign_by_price
from faircluster.centers import Means, Medians
from faircluster.centers.coreset import Coreset
from faircluster.dask.costs import EuclideanCosts
from faircluster.dask.partitions import Part, PartitionedPoints
from faircluster.dask.relaxed import Costs, add
from faircluster.dask.runner import Runner
from faircluster.dask.solver import AllPointsSolver, free_plan, summary_groups
from faircluster.dask.summaries import mean_summary
from faircluster.estimators import FairKMedian

__all__ = ["Alternating"]

Array = NDArray[Any]
_REFINEMENTS = 3  # rounds in which centers move on all points
_SETTLED = 1e-4  # relative gain of a round below which they stop


class Alternating(Runner):
    """Fair k-means and k-median: centers of a summary, moved on all points, then the exact assignment."""

    @property
    def _power(self) -> int:
        return 1 if isinstance(self.model, FairKMedian) else 2

    def _costs(self) -> Costs:
        return EuclideanCosts(self.model.cluster_centers_, self._power)

    def _fit(self, points: PartitionedPoints) -> None:
        model, power = self.model, self._power
        few = mean_summary(points, power)
        found = model._search(few.points.astype(points.table.dtype), summary_groups(points.groups, few))
        _, _, best, plain = found  # representatives may be divided, so there is no need to round
        centers, solver = self._refined(points, few, best.centers)
        result = solver.run()
        unconstrained = min(
            plain + few.movement, free_plan(points, solver.costs, result.quotas.shape).values.sum()
        )
        model._store(self._keep(points, result, solver.plan), unconstrained, best.n_iter)
        model._keep_centers(centers, result)

    def _refined(
        self, points: PartitionedPoints, few: Coreset, centers: Array
    ) -> tuple[Array, AllPointsSolver]:
        """Centers moved on all points while the relaxed cost falls, and the solver for them."""
        problem = self.model._problem(points.groups)
        best = AllPointsSolver(points, EuclideanCosts(centers, self._power), few, problem)
        if self.model.max_iter == 1:  # centers that are given stay as they are
            return centers, best
        relaxation = best.relax()
        for _ in range(_REFINEMENTS):
            moved = self._moved(points, centers, relaxation.prices)
            trial = AllPointsSolver(
                points, EuclideanCosts(moved, self._power), few, replace(problem, start=relaxation)
            )
            again = trial.relax()
            gain = relaxation.lower_bound - again.lower_bound
            if gain <= 0:
                break
            centers, best, relaxation = moved, trial, again
            if gain <= _SETTLED * abs(again.lower_bound):
                break
        best.problem = replace(problem, start=relaxation)
        return centers, best

    def _moved(self, points: PartitionedPoints, centers: Array, prices: Array) -> Array:
        costs = EuclideanCosts(centers, self._power)
        if self._power == 2:
            work: Callable[[Part], Any] = partial(_mean_sums, costs=costs, prices=prices)
            means: Any = points.reduce(work, add, "means")
            return Means.from_sums(list(means), centers).astype(centers.dtype)
        near = 1e-12 * float(np.ptp(centers, axis=0).max() or 1.0)
        at = centers.astype(np.float64)
        for _ in range(3):
            work = partial(_median_sums, costs=costs, prices=prices, centers=at, near=near)
            medians: Any = points.reduce(work, add, "medians")
            at = Medians.from_sums(list(medians), at)
        return at.astype(centers.dtype)


# ---- on the workers


def _mean_sums(part: Part, *, costs: Costs, prices: Array) -> tuple[Array, ...]:
    labels = _by_price(part, costs, prices)
    centers = costs.centers  # type: ignore[attr-defined]
    return tuple(Means(part.X).sums(labels, centers))


def _median_sums(
    part: Part, *, costs: Costs, prices: Array, centers: Array, near: float
) -> tuple[Array, ...]:
    return tuple(Medians(part.X).sums(_by_price(part, costs, prices), centers, near))


def _by_price(part: Part, costs: Costs, prices: Array) -> Array:
    return assign_by_price(costs(part.X), part.signature, prices)[0]
