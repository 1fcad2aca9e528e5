"""Costs for the points of any partition, in a form that can be sent to the workers."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.centers.metric import Metric
from faircluster.distances import CostSource, DenseCosts, DistanceCosts

__all__ = ["EuclideanCosts", "MetricCosts", "Rule", "as_given", "without_labels"]

Array = NDArray[Any]


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
        self.model = without_labels(model)

    def __call__(self, X: Array) -> CostSource:
        """Costs of these points."""
        source: CostSource = self.model._costs(X, as_given(self.model, X), None)
        return source

    def labels(self, X: Array) -> Array:
        """Label points by the estimator."""
        if len(X) == 0:
            return np.zeros(0, dtype=np.int32)
        return np.asarray(self.model._labels_of(X, as_given(self.model, X)))

    def keys(self, X: Array) -> Array:
        """Say what the costs of points depend on."""
        if self.model.cost_kind_ == "labels":
            return self.labels(X)[:, None]
        return X


def without_labels(model: Any) -> Any:
    """Copy the estimator without its labels, to be sent to the workers."""
    light = copy(model)
    for name in ("labels_", "plain_labels_"):
        light.__dict__.pop(name, None)
    return light


def as_given(model: Any, X: Array) -> Any:
    """Points as the estimator knows them: with the names of their columns if it was given some."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return X
    import pandas as pd

    return pd.DataFrame(X, columns=names)
