"""What each method of the estimators does when X is a Dask collection."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from faircluster.assignment import AssignmentResult
from faircluster.assignment.transport import assign_by_price
from faircluster.bounds import check_feasible
from faircluster.centers import Means, Medians
from faircluster.centers.coreset import (
    Coreset,
    mean_coreset,
    merge_mean_coresets,
    merge_radius_coresets,
    radius_coreset,
)
from faircluster.centers.metric import Metric
from faircluster.dask.inputs import Table
from faircluster.dask.partitions import Part, PartitionedPoints
from faircluster.dask.radius import AllPointsRadius
from faircluster.dask.relaxed import Costs, add
from faircluster.dask.social import AllGroupedPoints
from faircluster.dask.solver import AllPointsSolver, free_plan, summary_groups
from faircluster.dask.transport import Plan, labels_by_plan
from faircluster.distances import CostSource, DenseCosts, DistanceCosts, one_thread

__all__ = ["run"]

Array = NDArray[Any]
_REPRESENTATIVES = 20_000  # of all signatures together, about
_PLACES = 1_024  # different points a partition's summary for k-center has
_REFINEMENTS = 3  # rounds in which centers move on all points
_SETTLED = 1e-4  # relative gain of a round below which they stop


def run(method: str, model: Any, X: Any, *arguments: Any, **named: Any) -> Any:
    """Do what an estimator's method does, on a Dask collection.

    Parameters
    ----------
    method : str
        Name of the method.
    model : estimator
    X : dask array or data frame
    *arguments, **named
        Of the method.

    Returns
    -------
    What the method returns; labels and distances as Dask collections.
    """
    kinds = {cls.__name__: RUNNERS[cls.__name__] for cls in type(model).__mro__ if cls.__name__ in RUNNERS}
    if not kinds:
        raise TypeError(f"{type(model).__name__} does not take Dask collections; pass X.compute()")
    runner = next(iter(kinds.values()))(model)
    return getattr(runner, method)(X, *arguments, **named)


class _Runner:
    """The methods all estimators have."""

    def __init__(self, model: Any) -> None:
        self.model = model

    # ---- as in scikit-learn

    def fit(self, X: Any, y: Any = None, *, sensitive_features: Any = None, sample_weight: Any = None) -> Any:
        self._refuse(sample_weight)
        table = Table(X, sensitive_features)
        self.model._validate(table.example(), reset=True)
        points = PartitionedPoints(table, missing=self.model.missing, intersect=self.model.intersect)
        self._check_size(points)
        self._fit(points)
        return self.model

    def predict(self, X: Any) -> Any:
        table = self._table(X, None)
        return table.labelled(partial(_nearest, costs=self._costs()))

    def assign(self, X: Any, *, sensitive_features: Any = None, sample_weight: Any = None) -> Any:
        return self._labels(*self._assigned(X, sensitive_features, sample_weight)[:2])

    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, sensitive_features: Any = None
    ) -> float:
        return -self._assigned(X, sensitive_features, sample_weight)[2]

    def transform(self, X: Any) -> Any:
        """Distances to the centers: an array, or a data frame for data frames."""
        table = self._table(X, None)
        names = [str(name) for name in self.model.get_feature_names_out()]
        return table.mapped(partial(_transformed, model=_bare(self.model)), names)

    # ---- what differs

    def _fit(self, points: PartitionedPoints) -> None:
        raise NotImplementedError  # pragma: no cover

    def _costs(self) -> Costs:
        raise NotImplementedError  # pragma: no cover

    def _assigned(
        self, X: Any, sensitive_features: Any, sample_weight: Any
    ) -> tuple[PartitionedPoints, Plan, float]:
        """Points, the plan and the cost of a batch."""
        self._refuse(sample_weight)
        points = self._batch(X, sensitive_features)
        few = _summary(points, 2)
        solver = AllPointsSolver(points, self._costs(), few, self.model._problem(points.groups))
        result = solver.run()
        return points, solver.plan, result.cost

    # ---- small things

    def _batch(self, X: Any, sensitive_features: Any) -> PartitionedPoints:
        table = self._table(X, sensitive_features)
        return PartitionedPoints(table, missing=self.model.missing, intersect=self.model.intersect)

    def _table(self, X: Any, sensitive_features: Any) -> Table:
        check_is_fitted(self.model)
        table = Table(X, sensitive_features, self._columns())
        self.model._validate(table.example(), reset=False)
        return table

    def _columns(self) -> list[str] | None:
        names = getattr(self.model, "feature_names_in_", None)
        return None if names is None else list(names)

    def _refuse(self, sample_weight: Any) -> None:
        if sample_weight is not None:
            raise ValueError("sample_weight is not taken with Dask collections; repeat rows instead")
        if getattr(self.model, "metric", "euclidean") == "precomputed":
            raise ValueError("metric='precomputed' needs all distances in memory; pass points to use Dask")

    def _check_size(self, points: PartitionedPoints) -> None:
        k = getattr(self.model, "n_clusters", 1)
        if isinstance(k, int | np.integer) and k > points.n_rows:
            raise ValueError(
                f"n_clusters={k} is more than the n_samples={points.n_rows} of X; ask for fewer clusters"
            )

    def _labels(self, points: PartitionedPoints, plan: Plan) -> Any:
        bare = replace(plan, shares={})
        return points.labels(lambda i: partial(_labelled, plan=bare, share=plan.shares.get(i)))

    def _keep(self, points: PartitionedPoints, result: AssignmentResult, plan: Plan) -> AssignmentResult:
        labelled: AssignmentResult = replace(result, labels=self._labels(points, plan))
        return labelled


class _Alternating(_Runner):
    """Fair k-means and k-median: centers of a summary, moved on all points, then the exact assignment."""

    @property
    def _power(self) -> int:
        return 1 if type(self.model).__name__ == "FairKMedian" else 2

    def _costs(self) -> Costs:
        return EuclideanCosts(self.model.cluster_centers_, self._power)

    def _fit(self, points: PartitionedPoints) -> None:
        model, power = self.model, self._power
        few = _summary(points, power)
        model._fit(few.points.astype(points.table.dtype), summary_groups(points.groups, few), few.points)
        plain = model.unconstrained_cost_ + few.movement
        centers, solver = self._refined(points, few, model.cluster_centers_)
        result = solver.run()
        unconstrained = min(plain, free_plan(points, solver.costs, result.quotas.shape).values.sum())
        model._store(self._keep(points, result, solver.plan), unconstrained, model.n_iter_)
        model._keep_centers(centers, result)

    def _refined(
        self, points: PartitionedPoints, few: Coreset, centers: Array
    ) -> tuple[Array, AllPointsSolver]:
        """Centers moved on all points while the relaxed cost falls, and the solver for them."""
        problem = self.model._problem(points.groups)
        best = AllPointsSolver(points, EuclideanCosts(centers, self._power), few, problem)
        given = not isinstance(self.model.init, str)
        if self.model.max_iter == 1 or (given and self.model.max_iter <= 1):
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


class _KCenter(_Runner):
    """Fair k-center: centers of a farthest-first summary, radius search and assignment on all points."""

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sensitive_features: Any = None,
        sample_weight: Any = None,
        facilities: Any = None,
    ) -> Any:
        if facilities is not None:
            raise ValueError("facilities are not taken with Dask collections; centers are points of X")
        return super().fit(X, y, sensitive_features=sensitive_features, sample_weight=sample_weight)

    def _costs(self) -> Costs:
        return MetricCosts(self.model.cluster_centers_, self.model.metric)

    def _fit(self, points: PartitionedPoints) -> None:
        model, started = self.model, time.perf_counter()
        model._check_parameters()
        self._check_rounding()
        rows = self._rows(points)
        few = self._places(points)
        model._search(
            Metric(few.points.astype(points.table.dtype), model.metric), summary_groups(points.groups, few)
        )
        deadline = None if model.time_limit is None else started + model.time_limit
        search = AllPointsRadius(points, self._costs(), few, rows)
        plan, radius, relaxed, late = search.solve(model.radius_, model.rounding, deadline)
        self._store(points, plan, radius, relaxed, late)
        model.unconstrained_radius_ = min(model.unconstrained_radius_ + few.movement, search.lower_bound)
        model.price_of_fairness_ = (
            radius / model.unconstrained_radius_ if model.unconstrained_radius_ else 1.0
        )
        del model.center_indices_  # rows of the summary

    def _store(
        self, points: PartitionedPoints, plan: Plan, radius: float, relaxed: float, late: bool
    ) -> None:
        model = self.model
        rows = self._rows(points)
        model.labels_ = self._labels(points, plan)
        model.radius_, model.relaxed_radius_ = radius, relaxed
        model.gap_ = (radius - relaxed) / relaxed if relaxed else 0.0
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

    def _rows(self, points: PartitionedPoints) -> Any:
        model, groups = self.model, points.groups
        bounds = model._bounds_on(groups)
        check_feasible(groups, bounds, model.n_clusters, model.size_min, model.size_max)
        return bounds.rows(groups, model.n_clusters, model.size_min, model.size_max)

    def _places(self, points: PartitionedPoints) -> Coreset:
        metric = self.model.metric
        few: Coreset = points.reduce(
            partial(_radius_part, size=_PLACES, metric=metric),
            partial(merge_radius_coresets, size=_PLACES, metric=metric),
            "summary",
        )
        return few

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
        search = AllPointsRadius(points, self._costs(), self._places(points), self._rows(points))
        limit = self.model.time_limit
        deadline = None if limit is None else time.perf_counter() + limit
        plan, radius, _, _ = search.solve(self.model.radius_, self.model.rounding, deadline)
        return points, plan, radius


class _Social(_Runner):
    """Socially fair: centers of a summary that holds all groups alike, then Fair-Lloyd on all points."""

    def _costs(self) -> Costs:
        return EuclideanCosts(self.model.cluster_centers_, 2)

    def _fit(self, points: PartitionedPoints) -> None:
        from faircluster.social.lloyd import social_lloyd
        from faircluster.social.sweep import GroupedPoints

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
        few = _summary(points, 2 if power >= 2 else 1)
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
        model.labels_ = points.table.labelled(partial(_nearest, costs=self._costs()))
        model.group_costs_, model.multipliers_ = found.group_costs, found.multipliers
        model.cost_, model.lower_bound_ = found.cost, found.lower_bound
        model.gap_ = found.cost / found.lower_bound - 1.0 if found.lower_bound else 0.0
        model.inertia_, model.quotas_ = everyone.total_cost, everyone.quotas
        model.unconstrained_cost_, model.price_of_fairness_ = found.cost, 1.0
        model.n_centers_, model.n_iter_ = len(found.centers), found.n_iter + 1
        model.groups_, model.violation_ = points.groups, 0.0
        model.bounds_, model.limits_ = model._bounds_on(points.groups), None

    def assign(self, X: Any, *, sensitive_features: Any = None, sample_weight: Any = None) -> Any:
        self._refuse(sample_weight)
        return self.predict(X)

    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, sensitive_features: Any = None
    ) -> float:
        self._refuse(sample_weight)
        points = self._batch(X, sensitive_features)
        return -AllGroupedPoints(points, self.model._p()).sweep(self.model.cluster_centers_).model.value


class _Assignment(_Runner):
    """Fair assignment after another clusterer, which is fitted to a summary unless it is fitted already."""

    def _fit(self, points: PartitionedPoints) -> None:
        model = self.model
        few = _summary(points, 2)
        model.estimator_ = self._estimator(few.points.astype(points.table.dtype), few.weights)
        model._fitted_to = None
        if not hasattr(model.estimator_, "predict"):
            raise ValueError(
                f"{type(model.estimator_).__name__} cannot label new points (it has no predict), which Dask "
                "collections need"
            )
        X, given = self._few(points)
        seen = points.reduce(partial(_seen, rule=Rule(model)), _all_seen, "labels")
        model.cost_kind_ = model._cost_kind(X, seen, given)
        model.classes_ = model._find_classes(X, seen, given)
        rule = Rule(model)
        solver = AllPointsSolver(points, rule, few, model._problem(points.groups))
        result = solver.run()
        model._store(self._keep(points, result, solver.plan), float(solver.cheapest), 1)
        model.cost_ = result.cost
        model.plain_labels_ = points.table.labelled(rule.labels, model.classes_.dtype)
        bare, shares = replace(solver.plan, shares={}), solver.plan.shares
        moved = points.gather(lambda i: partial(_moved, plan=bare, share=shares.get(i), rule=rule), "moved")
        model.n_moved_ = int(sum(moved.values()))

    def predict(self, X: Any) -> Any:
        return self._table(X, None).labelled(Rule(self.model).labels, self.model.classes_.dtype)

    def transform(self, X: Any) -> Any:
        raise TypeError("transform takes arrays; call it on X.compute(), or use map_partitions")

    def fit_transform(self, X: Any, y: Any = None, **named: Any) -> Any:
        return self.transform(X)

    def _costs(self) -> Costs:
        return Rule(self.model)

    def _labels(self, points: PartitionedPoints, plan: Plan) -> Any:
        bare, classes = replace(plan, shares={}), self.model.classes_
        return points.labels(
            lambda i: partial(_labelled, plan=bare, share=plan.shares.get(i), classes=classes), classes.dtype
        )

    def _estimator(self, X: Array, weights: Array) -> Any:
        model = self.model
        given = _as_given(model, X)
        if model.prefit:
            return model._fitted_estimator(X, None, given)
        if has_fit_parameter(model.estimator, "sample_weight"):
            return model._fitted_estimator(X, weights, given)
        return model._fitted_estimator(X, None, given)

    def _few(self, points: PartitionedPoints) -> tuple[Array, Any]:
        X = np.zeros((1, points.table.n_features), dtype=points.table.dtype)
        return X, _as_given(self.model, X)


RUNNERS: dict[str, type[_Runner]] = {
    "FairKMeans": _Alternating,
    "FairKMedian": _Alternating,
    "FairKCenter": _KCenter,
    "SocialClusterer": _Social,
    "FairAssignment": _Assignment,
}


# ---- costs, sent to the workers


class EuclideanCosts:
    """Powers of Euclidean distances to centers, for the points of any partition.

    Parameters
    ----------
    centers : ndarray of shape (k, d)
    power : {1, 2}
    """

    def __init__(self, centers: Array, power: int) -> None:
        self.centers, self.power = centers, power

    def __call__(self, X: Array) -> CostSource:
        """Costs of these points."""
        return DistanceCosts(X, self.centers, self.power)


class MetricCosts:
    """Distances to centers in a metric of scikit-learn, for the points of any partition.

    Parameters
    ----------
    centers : ndarray of shape (k, d)
    metric : str
    """

    def __init__(self, centers: Array, metric: str) -> None:
        self.centers, self.metric = centers, metric

    def __call__(self, X: Array) -> CostSource:
        """Costs of these points."""
        if self.metric == "euclidean":
            return DistanceCosts(X, self.centers, 1)
        return DenseCosts(Metric(X, self.metric).between(X, self.centers))


class Rule:
    """Labels and costs by another estimator, for the points of any partition.

    Parameters
    ----------
    model : FairAssignment
        With its ``estimator_``; its labels are not kept.
    """

    def __init__(self, model: Any) -> None:
        self.model = _bare(model)

    def __call__(self, X: Array) -> CostSource:
        """Costs of these points."""
        source: CostSource = self.model._costs(X, _as_given(self.model, X), None)
        return source

    def labels(self, X: Array) -> Array:
        """Label points by the estimator."""
        if len(X) == 0:
            return np.zeros(0, dtype=np.int32)
        return np.asarray(self.model._labels_of(X, _as_given(self.model, X)))

    def keys(self, X: Array) -> Array:
        """Say what the costs of points depend on."""
        if self.model.cost_kind_ == "labels":
            return self.labels(X)[:, None]
        return X


def _bare(model: Any) -> Any:
    """Copy the estimator without its labels, to be sent to the workers."""
    light = copy(model)
    for name in ("labels_", "plain_labels_"):
        light.__dict__.pop(name, None)
    return light


def _as_given(model: Any, X: Array) -> Any:
    """Points as the estimator knows them: with the names of their columns if it was given some."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return X
    import pandas as pd

    return pd.DataFrame(X, columns=names)


# ---- on the workers


def _seen(part: Part, *, rule: Rule) -> Array:
    return np.unique(rule.labels(part.X))


def _all_seen(parts: Sequence[Array]) -> Array:
    return np.unique(np.concatenate(parts))


def _moved(part: Part, *, plan: Plan, share: Any, rule: Rule) -> int:
    labels = rule.model.classes_[labels_by_plan(part.X, part.signature, plan, share)]
    return int((labels != rule.labels(part.X)).sum())


def _summary(points: PartitionedPoints, power: int) -> Coreset:
    """Find representatives, as many of every signature."""
    size = max(_REPRESENTATIVES // points.groups.n_signatures // 2, 50)
    parts = max(len(points.order()), 1)
    few: Coreset = points.reduce(
        partial(_mean_part, size=max(size // parts, min(size, 200)), power=power),
        partial(merge_mean_coresets, size=size, power=power),
        "summary",
    )
    return few


def _mean_part(part: Part, *, size: int, power: int) -> Coreset:
    return mean_coreset(part.X, part.signature, size, power)


def _radius_part(part: Part, *, size: int, metric: str) -> Coreset:
    return radius_coreset(part.X, part.signature, size, metric)


def _nearest(X: Array, *, costs: Costs) -> Array:
    if len(X) == 0:
        return np.zeros(0, dtype=np.int32)
    source = costs(X)
    with one_thread():
        none = np.zeros((1, source.shape[1]))
        return assign_by_price(source, np.zeros(len(X), dtype=np.int32), none)[0]


def _labelled(part: Part, *, plan: Plan, share: Any, classes: Array | None = None) -> Array:
    labels = labels_by_plan(part.X, part.signature, plan, share)
    return labels if classes is None else classes[labels]


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


def _transformed(X: Array, *, model: Any) -> Array:
    return np.asarray(model.transform(_as_given(model, X)))
