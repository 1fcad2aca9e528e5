"""What the methods of every estimator do when X is a Dask collection."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from faircluster.assignment import AssignmentResult
from faircluster.assignment.transport import assign_by_price
from faircluster.dask.costs import as_given, without_labels
from faircluster.dask.inputs import Table
from faircluster.dask.partitions import Part, PartitionedPoints
from faircluster.dask.relaxed import Costs
from faircluster.dask.solver import AllPointsSolver
from faircluster.dask.summaries import mean_summary
from faircluster.dask.transport import Plan, labels_by_plan
from faircluster.distances import one_thread
from faircluster.estimators._base import _check_n_clusters

__all__ = ["Runner", "labelled", "nearest"]

Array = NDArray[Any]


class Runner:
    """The methods all estimators have."""

    def __init__(self, model: Any) -> None:
        self.model = model

    # ---- as in scikit-learn

    def fit(self, X: Any, y: Any = None, *, sensitive_features: Any = None, sample_weight: Any = None) -> Any:
        """Fit to all points."""
        self._refuse(sample_weight)
        table = Table(X, sensitive_features)
        self.model._validate(table.example(), reset=True)
        points = PartitionedPoints(table, missing=self.model.missing, intersect=self.model.intersect)
        if hasattr(self.model, "n_clusters"):
            _check_n_clusters(self.model.n_clusters, points.n_rows)
        self._fit(points)
        return self.model

    def predict(self, X: Any) -> Any:
        """Label points by their nearest center, lazily."""
        table = self._table(X, None)
        return table.labelled(partial(nearest, costs=self._costs()))

    def assign(self, X: Any, *, sensitive_features: Any = None, sample_weight: Any = None) -> Any:
        """Label a batch within the bounds; the labels themselves are lazy."""
        return self._labels(*self._assigned(X, sensitive_features, sample_weight)[:2])

    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, sensitive_features: Any = None
    ) -> float:
        """Negative cost of the fair assignment of a batch."""
        return -self._assigned(X, sensitive_features, sample_weight)[2]

    def transform(self, X: Any) -> Any:
        """Distances to the centers: an array, or a data frame for data frames."""
        table = self._table(X, None)
        names = [str(name) for name in self.model.get_feature_names_out()]
        return table.mapped(partial(_transformed, model=without_labels(self.model)), names)

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
        few = mean_summary(points, 2)
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

    def _labels(self, points: PartitionedPoints, plan: Plan) -> Any:
        bare = replace(plan, shares={})
        return points.labels(lambda i: partial(labelled, plan=bare, share=plan.shares.get(i)))

    def _keep(self, points: PartitionedPoints, result: AssignmentResult, plan: Plan) -> AssignmentResult:
        complete: AssignmentResult = replace(result, labels=self._labels(points, plan))
        return complete


# ---- on the workers


def nearest(X: Array, *, costs: Costs) -> Array:
    """Find the cheapest center of every point, (n,)."""
    if len(X) == 0:
        return np.zeros(0, dtype=np.int32)
    source = costs(X)
    with one_thread():
        none = np.zeros((1, source.shape[1]))
        return assign_by_price(source, np.zeros(len(X), dtype=np.int32), none)[0]


def labelled(part: Part, *, plan: Plan, share: Any, classes: Array | None = None) -> Array:
    """Label a partition's points by its share of a plan, (n,)."""
    labels = labels_by_plan(part.X, part.signature, plan, share)
    return labels if classes is None else classes[labels]


def _transformed(X: Array, *, model: Any) -> Array:
    return np.asarray(model.transform(as_given(model, X)))
