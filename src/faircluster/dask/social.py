"""Fair-Lloyd on all points: partitions sum up what the center step needs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from faircluster.assignment.problem import relative_gap
from faircluster.dask.costs import EuclideanCosts
from faircluster.dask.partitions import Part, PartitionedPoints
from faircluster.dask.relaxed import Costs, add
from faircluster.dask.runner import Runner, nearest
from faircluster.dask.solver import summary_groups
from faircluster.dask.summaries import mean_summary
from faircluster.groups import Groups
from faircluster.social.lloyd import social_lloyd
from faircluster.social.sweep import GroupedPoints, Sweep

__all__ = ["AllGroupedPoints", "Social"]

Array = NDArray[Any]


class AllGroupedPoints(GroupedPoints):
    """Points of all partitions for :func:`~faircluster.social.lloyd.social_lloyd`.

    Parameters
    ----------
    points : PartitionedPoints
    power : float, default=2
        p of the cost ``distance ** p``.

    Notes
    -----
    A sweep is one pass; each partition sends S k (d + 4) numbers. It has no labels, and no center is
    reopened: starts come from a summary, where that is done.
    """

    def __init__(self, points: PartitionedPoints, power: float = 2.0) -> None:
        super().__init__(np.empty((points.groups.n_rows, points.table.n_features)), points.groups, power)
        self.points = points

    @property
    def n_points(self) -> int:
        """Number of points n."""
        return self.points.n_rows

    def sweep(self, centers: Array, *, labels: Array | None = None, tip: float = 0.0) -> Sweep:
        """Costs of the groups at their nearest centers."""
        work = partial(_sums, groups=self.groups, centers=centers, power=self.power, tip=tip)
        numbers, slopes = self.points.reduce(work, add, "sweep")
        self.quotas = numbers[0]
        self.total_cost = float(numbers[1].sum())
        sizes = np.maximum(numbers[0].sum(axis=0), 1.0)  # as if no cluster were empty
        return Sweep(np.empty(0, dtype=np.int32), self.model(centers, numbers, slopes, tip), sizes)


class Social(Runner):
    """Socially fair: centers of a summary that holds all groups alike, then Fair-Lloyd on all points."""

    def _costs(self) -> Costs:
        return EuclideanCosts(self.model.cluster_centers_, 2)

    def _fit(self, points: PartitionedPoints) -> None:
        model = self.model
        model._check_parameters()
        problem = model._problem(points.groups)
        if problem.bounds.rows(points.groups, model.n_clusters, model.size_min, model.size_max).descriptions:
            raise ValueError(
                "bounds and sizes next to the socially fair objective are not taken with Dask collections; "
                "fit FairKMeans, or fit on a sample"
            )
        if model.method == "lp" or model.bicriteria:
            raise ValueError("method='lp' needs all points in memory; use method='lloyd', or fit on a sample")
        power = model._p()
        few = mean_summary(points, 2 if power >= 2 else 1)
        small = GroupedPoints(few.points, summary_groups(points.groups, few), power)
        start = model._lloyd(small, check_random_state(model.random_state))
        everyone = AllGroupedPoints(points, power)
        found = social_lloyd(
            everyone, start.centers, max_iter=min(model.max_iter, 20), tol=max(model.tol, 1e-6),
            multipliers=start.multipliers, prove=False,
        )  # fmt: skip
        everyone.sweep(found.centers)
        model.method_, model.status_ = "lloyd", "feasible"
        model.cluster_centers_ = found.centers.astype(points.table.dtype)
        model.labels_ = points.table.labelled(partial(nearest, costs=self._costs()))
        model.group_costs_, model.multipliers_ = found.group_costs, found.multipliers
        model.cost_, model.lower_bound_ = found.cost, found.lower_bound
        model.gap_ = relative_gap(found.cost, found.lower_bound)
        model.inertia_, model.quotas_ = everyone.total_cost, everyone.quotas
        model.unconstrained_cost_, model.price_of_fairness_ = found.cost, 1.0
        model.n_centers_, model.n_iter_ = len(found.centers), found.n_iter + 1
        model.groups_, model.violation_ = points.groups, 0.0
        model.bounds_, model.limits_ = model._bounds_on(points.groups), None

    def assign(self, X: Any, *, sensitive_features: Any = None, sample_weight: Any = None) -> Any:
        """Label a batch by its nearest centers, which is best for every group."""
        self._refuse(sample_weight)
        return self.predict(X)

    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, sensitive_features: Any = None
    ) -> float:
        """Negative mean cost of the batch's worst-off group."""
        self._refuse(sample_weight)
        points = self._batch(X, sensitive_features)
        return -AllGroupedPoints(points, self.model._p()).sweep(self.model.cluster_centers_).model.value


def _sums(part: Part, *, groups: Groups, centers: Array, power: float, tip: float) -> tuple[Array, Array]:
    mine = replace(groups, signature=part.signature, weights=None)
    _, numbers, slopes = GroupedPoints(part.X, mine, power).sums(centers, None, tip)
    return numbers, slopes
