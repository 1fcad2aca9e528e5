"""Fair assignment after another clusterer on Dask collections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.dask.costs import Rule, as_given
from faircluster.dask.partitions import Part, PartitionedPoints
from faircluster.dask.relaxed import Costs
from faircluster.dask.runner import Runner, labelled
from faircluster.dask.solver import AllPointsSolver
from faircluster.dask.summaries import mean_summary
from faircluster.dask.transport import Plan, labels_by_plan

__all__ = ["Assignment"]

Array = NDArray[Any]


class Assignment(Runner):
    """Fair assignment after another clusterer, which is fitted to a summary unless it is fitted already."""

    def _fit(self, points: PartitionedPoints) -> None:
        model = self.model
        few = mean_summary(points, 2)
        model.estimator_ = self._estimator(few.points.astype(points.table.dtype), few.weights)
        model._fitted_to = None
        if not hasattr(model.estimator_, "predict"):
            raise ValueError(
                f"{type(model.estimator_).__name__} cannot label new points (it has no predict), which Dask "
                "collections need"
            )
        X = np.zeros((1, points.table.n_features), dtype=points.table.dtype)
        given = as_given(model, X)
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
        """Label points by the estimator's rule, lazily."""
        return self._table(X, None).labelled(Rule(self.model).labels, self.model.classes_.dtype)

    def transform(self, X: Any) -> Any:
        """Refuse: what the estimator returns cannot be known without asking it."""
        raise TypeError("transform takes arrays; call it on X.compute(), or use map_partitions")

    def fit_transform(self, X: Any, y: Any = None, **named: Any) -> Any:
        """Refuse, as :meth:`transform` does."""
        return self.transform(X)

    def _costs(self) -> Costs:
        return Rule(self.model)

    def _labels(self, points: PartitionedPoints, plan: Plan) -> Any:
        bare, classes = replace(plan, shares={}), self.model.classes_
        return points.labels(
            lambda i: partial(labelled, plan=bare, share=plan.shares.get(i), classes=classes), classes.dtype
        )

    def _estimator(self, X: Array, weights: Array) -> Any:
        model = self.model
        return model._fitted_estimator(X, weights, as_given(model, X))


# ---- on the workers


def _seen(part: Part, *, rule: Rule) -> Array:
    return np.unique(rule.labels(part.X))


def _all_seen(parts: Sequence[Array]) -> Array:
    return np.unique(np.concatenate(parts))


def _moved(part: Part, *, plan: Plan, share: Any, rule: Rule) -> int:
    labels = rule.model.classes_[labels_by_plan(part.X, part.signature, plan, share)]
    return int((labels != rule.labels(part.X)).sum())
