"""Make the clustering of another estimator fair after the fact."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import TransformerTags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from faircluster.assignment import AssignmentProblem, AssignmentResult, solve
from faircluster.distances import CostSource, DenseCosts, DistanceCosts
from faircluster.estimators._base import BaseFairClusterer
from faircluster.groups import Groups

__all__ = ["FairAssignment"]

Array = NDArray[Any]


def _estimator_has(method: str) -> Any:
    def check(self: Any) -> bool:
        return hasattr(getattr(self, "estimator_", self.estimator), method)

    return available_if(check)


class FairAssignment(BaseFairClusterer):
    """Reassign the points of a fitted clustering so that every cluster keeps the bounds.

    Parameters
    ----------
    estimator : estimator
        Any clusterer of the scikit-learn kind, or a mixture model.
    bounds, rounding, size_min, size_max, time_limit, missing, intersect
        As in :class:`FairKMeans`.
    cost : {"auto", "distance", "proba", "labels"}, default="auto"
        What moving a point costs: squared distances to ``cluster_centers_``, one minus
        ``predict_proba``, or 1 for every point that leaves its cluster (fewest points moved,
        Davidson & Ravi). "auto" takes the first of the three that the estimator offers.
    prefit : bool, default=False
        The estimator is already fitted; use it as it is instead of fitting a clone.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clusterer.
    labels_ : ndarray of shape (n,), int
        Fair labels, in the estimator's own label values.
    plain_labels_ : ndarray of shape (n,), int
        The estimator's labels.
    classes_ : ndarray of shape (k,)
        The estimator's label values; every distinct one is a cluster, DBSCAN's noise too.
    n_moved_ : int
        Points whose label changed.
    cost_ : float
        Total (weighted) cost of the fair labels.
    lower_bound_, gap_, violation_, price_of_fairness_, unconstrained_cost_, status_, quotas_, \
groups_, bounds_, limits_, n_iter_
        As in :class:`FairKMeans`.

    Notes
    -----
    One call of the engine: O(n k) an evaluation of the prices.

    References
    ----------
    Davidson & Ravi, "Making existing clusterings fairer: algorithms, complexity results and
    insights", AAAI 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.cluster import AgglomerativeClustering
    >>> from faircluster import FairAssignment
    >>> X = np.array([[0.0], [0.2], [0.4], [9.0], [9.2], [9.4]])
    >>> sex = ["F", "F", "F", "M", "M", "M"]
    >>> model = FairAssignment(AgglomerativeClustering(2), bounds=0.5)
    >>> model.fit(X, sensitive_features=sex).n_moved_
    2
    """

    def __init__(
        self,
        estimator: Any,
        *,
        bounds: Any = 0.2,
        cost: str = "auto",
        prefit: bool = False,
        rounding: str = "strict",
        size_min: Any = None,
        size_max: Any = None,
        time_limit: float | None = None,
        missing: str = "error",
        intersect: bool = False,
    ) -> None:
        self.estimator = estimator
        self.bounds = bounds
        self.cost = cost
        self.prefit = prefit
        self.rounding = rounding
        self.size_min = size_min
        self.size_max = size_max
        self.time_limit = time_limit
        self.missing = missing
        self.intersect = intersect

    def _fit(self, X: Array, groups: Groups) -> None:
        self.estimator_ = self._fitted_estimator(X, groups.weights)
        self.cost_kind_ = self._cost_kind()
        plain = self._labels_of(X)
        self.classes_ = self._find_classes(plain)
        source = self._costs(X, plain)
        result = solve(self._problem(groups, source))
        anyone = Groups.from_features(None, n_rows=len(X), sample_weight=groups.weights)
        cheapest = solve(AssignmentProblem(source, anyone)).cost
        self.plain_labels_ = plain
        self._store(result, min(cheapest, result.cost), 1)
        self.cost_ = result.cost
        self.labels_ = self.classes_[result.labels]
        self.n_moved_ = int((self.labels_ != plain).sum())

    def _fitted_estimator(self, X: Array, weights: Array | None) -> Any:
        if not isinstance(self.prefit, bool | np.bool_):
            raise ValueError(f"prefit must be True or False, got {self.prefit!r}")
        if self.prefit:
            check_is_fitted(self.estimator)
            return self.estimator
        estimator = clone(self.estimator)
        if weights is not None and has_fit_parameter(estimator, "sample_weight"):
            return estimator.fit(X, sample_weight=weights)
        return estimator.fit(X)

    def _cost_kind(self) -> str:
        offers = {
            "distance": hasattr(self.estimator_, "cluster_centers_"),
            "proba": hasattr(self.estimator_, "predict_proba"),
            "labels": True,
        }
        if self.cost == "auto":
            return next(kind for kind, offered in offers.items() if offered)
        if self.cost not in offers:
            raise ValueError(f"cost must be 'auto', 'distance', 'proba' or 'labels', got {self.cost!r}")
        if not offers[self.cost]:
            needed = {"distance": "cluster_centers_", "proba": "predict_proba"}[self.cost]
            raise ValueError(
                f"cost={self.cost!r} needs {needed}, which {type(self.estimator_).__name__} does not have; "
                "use cost='labels'"
            )
        return str(self.cost)

    def _labels_of(self, X: Array) -> Array:
        """The estimator's labels of these points: its rule, else its labels if X is what it was fitted to."""
        if hasattr(self.estimator_, "predict"):
            return np.asarray(self.estimator_.predict(X))
        labels = getattr(self.estimator_, "labels_", None)
        if labels is None or len(labels) != len(X):
            raise ValueError(
                f"{type(self.estimator_).__name__} cannot label new points (it has no predict); "
                "pass the points it was fitted to"
            )
        return np.asarray(labels)

    def _find_classes(self, labels: Array) -> Array:
        if self.cost_kind_ == "distance":
            return np.arange(len(self.estimator_.cluster_centers_))
        if self.cost_kind_ == "proba":
            return np.arange(self.estimator_.predict_proba(np.zeros((1, self.n_features_in_))).shape[1])
        return np.unique(labels)

    def _cost_source(self, X: Array) -> CostSource:
        return self._costs(X, None)

    def _costs(self, X: Array, labels: Array | None) -> CostSource:
        if self.cost_kind_ == "distance":
            return DistanceCosts(X, np.asarray(self.estimator_.cluster_centers_, dtype=X.dtype))
        if self.cost_kind_ == "proba":
            return DenseCosts(1.0 - np.asarray(self.estimator_.predict_proba(X), dtype=np.float64))
        labels = self._labels_of(X) if labels is None else labels
        position = np.searchsorted(self.classes_, labels)
        known = self.classes_[np.minimum(position, len(self.classes_) - 1)] == labels
        if not known.all():
            raise ValueError(f"label {labels[~known][0]!r} did not occur in the training data")
        cost = np.ones((len(X), len(self.classes_)))
        cost[np.arange(len(X)), position] = 0.0
        return DenseCosts(cost)

    @_estimator_has("predict")
    def predict(self, X: Any) -> Array:
        """Labels by the estimator's own rule: no protected attribute, no bounds.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n,)
        """
        check_is_fitted(self)
        return self._labels_of(self._validate(X, reset=False))

    def assign(self, X: Any, *, sensitive_features: Any = None, sample_weight: Any = None) -> Array:
        """Assign a batch to the fitted clusters within the bounds, at least cost.

        Parameters
        ----------
        X : array-like of shape (n, d)
        sensitive_features : array-like or data frame with n rows, default=None
        sample_weight : array-like of shape (n,), default=None

        Returns
        -------
        ndarray of shape (n,)
            In the estimator's label values.
        """
        result: AssignmentResult = self._assign(X, sensitive_features, sample_weight)
        labels: Array = self.classes_[result.labels]
        return labels

    @_estimator_has("transform")
    def transform(self, X: Any) -> Array:
        """Transform by the estimator.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        ndarray
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.transform(self._validate(X, reset=False)))

    @_estimator_has("transform")
    def fit_transform(
        self, X: Any, y: Any = None, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> Array:
        """Fit, then transform by the estimator.

        Parameters
        ----------
        X, y, sensitive_features, sample_weight
            As in :meth:`fit`.

        Returns
        -------
        ndarray
        """
        self.fit(X, y, sensitive_features=sensitive_features, sample_weight=sample_weight)
        return np.asarray(self.transform(X))

    @_estimator_has("predict")
    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, sensitive_features: Any = None
    ) -> float:
        """Negative cost of the fair assignment of the batch.

        Parameters
        ----------
        X : array-like of shape (n, d)
        y : ignored
        sample_weight : array-like of shape (n,), default=None
        sensitive_features : array-like or data frame with n rows, default=None

        Returns
        -------
        float
            Larger is better.
        """
        return super().score(X, y, sample_weight, sensitive_features=sensitive_features)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if hasattr(self, "transform"):
            tags.transformer_tags = TransformerTags(preserves_dtype=[])
        return tags
