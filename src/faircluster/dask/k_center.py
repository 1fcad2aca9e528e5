"""Fair k-center on Dask collections."""

from __future__ import annotations

import time
import warnings
from typing import Any

from sklearn.utils import check_random_state

from faircluster.assignment.problem import relative_gap
from faircluster.bounds import BoundRows, check_feasible
from faircluster.dask.center_search import find_places
from faircluster.dask.costs import MetricCosts
from faircluster.dask.partitions import PartitionedPoints
from faircluster.dask.radius import AllPointsRadius
from faircluster.dask.relaxed import Costs
from faircluster.dask.runner import Runner
from faircluster.dask.summaries import point_sample
from faircluster.dask.transport import Plan

__all__ = ["KCenter"]


class KCenter(Runner):
    """Fair k-center: centers of a part of the points, radius search and assignment on all points."""

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sensitive_features: Any = None,
        sample_weight: Any = None,
        facilities: Any = None,
    ) -> Any:
        """Fit to all points."""
        if facilities is not None:
            raise ValueError("facilities are not taken with Dask collections; centers are points of X")
        return super().fit(X, y, sensitive_features=sensitive_features, sample_weight=sample_weight)

    def _costs(self) -> Costs:
        return MetricCosts(self.model.cluster_centers_, self.model.metric)

    def _fit(self, points: PartitionedPoints) -> None:
        model, started = self.model, time.perf_counter()
        model._check_parameters()
        self._check_rounding()
        rows, limit = self._rows(points), model.time_limit
        sample = point_sample(points)
        found = find_places(
            points, sample, model.metric, rows, model.n_clusters,
            model._search_limits(started),
            check_random_state(model.random_state), model._say,
        )  # fmt: skip
        deadline = None if limit is None else started + limit
        model.cluster_centers_, model.n_iter_ = found.centers, found.n_iter
        search = AllPointsRadius(points, self._costs(), sample, rows)
        plan, radius, relaxed, late = search.solve(found.radius, model.rounding, deadline)
        plain = min(search.lower_bound, found.start_radius)
        if radius > found.start_radius:  # the farthest-first start may do better, and has a guarantee
            model.cluster_centers_ = found.start
            other = AllPointsRadius(points, self._costs(), sample, rows)
            better = other.solve(found.start_radius, model.rounding, deadline)
            if better[1] < radius:
                plan, radius, relaxed, late = better
            else:
                model.cluster_centers_ = found.centers
        self._store(points, plan, radius, relaxed, late or found.late)
        model.lower_bound_, model.unconstrained_radius_ = found.lower_bound, plain
        model.price_of_fairness_ = 1.0 + relative_gap(radius, plain)

    def _store(
        self, points: PartitionedPoints, plan: Plan, radius: float, relaxed: float, late: bool
    ) -> None:
        model = self.model
        rows = self._rows(points)
        model.labels_ = self._labels(points, plan)
        model.radius_, model.relaxed_radius_ = radius, relaxed
        model.gap_ = relative_gap(radius, relaxed)
        model.violation_, model.quotas_ = rows.violation(plan.quotas), plan.quotas
        model.groups_, model.bounds_ = points.groups, model._bounds_on(points.groups)
        model.limits_ = model.bounds_.limits(points.groups, model.n_clusters) if rows.descriptions else None
        exact = model.violation_ == 0 and radius <= relaxed
        model.status_ = "optimal" if exact else "time_limit" if late else "feasible"
        if late and not exact:
            warnings.warn(
                f"time_limit={model.time_limit} s reached; the radius is {radius:g}, at most "
                f"{model.gap_:.2%} above the smallest",
                RuntimeWarning,
                stacklevel=6,
            )

    def _rows(self, points: PartitionedPoints) -> BoundRows:
        model, groups = self.model, points.groups
        bounds = model._bounds_on(groups)
        check_feasible(groups, bounds, model.n_clusters, model.size_min, model.size_max)
        rows: BoundRows = bounds.rows(groups, model.n_clusters, model.size_min, model.size_max)
        return rows

    def _check_rounding(self) -> None:
        if self.model.rounding not in ("strict", "nearest"):
            raise ValueError(
                f"rounding={self.model.rounding!r} is not offered with Dask collections; use 'strict' or "
                "'nearest'"
            )

    def _assigned(
        self, X: Any, sensitive_features: Any, sample_weight: Any
    ) -> tuple[PartitionedPoints, Plan, float]:
        self._refuse(sample_weight)
        self._check_rounding()
        points = self._batch(X, sensitive_features)
        search = AllPointsRadius(points, self._costs(), point_sample(points), self._rows(points))
        limit = self.model.time_limit
        deadline = None if limit is None else time.perf_counter() + limit
        plan, radius, _, _ = search.solve(self.model.radius_, self.model.rounding, deadline)
        return points, plan, radius
