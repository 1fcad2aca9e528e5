"""Make the clustering of another estimator fair after the fact."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import TransformerTags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from faircluster.assignment import AssignmentProblem, AssignmentResult, solve
from faircluster.distances import CostSource, DenseCosts, DistanceCosts
from faircluster.estimators._base import BaseFairClusterer, on_collections
from faircluster.groups import Groups

__all__ = ["FairAssignment"]

Array = NDArray[Any]
Method = TypeVar("Method", bound=Callable[..., Any])


def _estimator_has(method: str) -> Callable[[Method], Method]:
    def check(self: Any) -> bool:
        return hasattr(getattr(self, "estimator_", self.estimator), method)

    decorate: Callable[[Method], Method] = available_if(check)
    return decorate


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

    def _fit(self, X: Array, groups: Groups, given: Any) -> None:
        self.estimator_ = self._fitted_estimator(X, groups.weights, given)
        # Labels without a rule are known for these points only, so the points must be known again.
        self._fitted_to = None if hasattr(self.estimator_, "predict") else _fingerprint(X)
        plain = self._labels_of(X, given)
        self.cost_kind_ = self._cost_kind(X, plain, given)
        self.classes_ = self._find_classes(X, plain, given)
        source = self._costs(X, given, plain)
        result = solve(self._problem(groups, source))
        anyone = Groups.from_features(None, n_rows=len(X), sample_weight=groups.weights)
        self.plain_labels_ = plain
        self._store(result, solve(AssignmentProblem(source, anyone)).cost, 1)
        self.cost_ = result.cost
        self.labels_ = self.classes_[result.labels]
        self.n_moved_ = int((self.labels_ != plain).sum())

    def _fitted_estimator(self, X: Array, weights: Array | None, given: Any) -> Any:
        if not isinstance(self.prefit, bool | np.bool_):
            raise ValueError(f"prefit must be True or False, got {self.prefit!r}")
        if self.prefit:
            check_is_fitted(self.estimator)
            return self.estimator
        estimator = clone(self.estimator)
        points = given if hasattr(self, "feature_names_in_") else X
        # some clusterers do not take y, FrozenEstimator insists on it
        arguments: dict[str, Any] = {"y": None} if has_fit_parameter(estimator, "y") else {}
        if weights is not None and has_fit_parameter(estimator, "sample_weight"):
            arguments["sample_weight"] = weights
        return estimator.fit(points, **arguments)

    def _cost_kind(self, X: Array, plain: Array, given: Any) -> str:
        offers = {
            "distance": self._has_centers(X, plain),
            "proba": hasattr(self.estimator_, "predict_proba"),
            "labels": True,
        }
        if self.cost == "auto":
            return next(kind for kind, offered in offers.items() if offered)
        if self.cost not in offers:
            raise ValueError(f"cost must be 'auto', 'distance', 'proba' or 'labels', got {self.cost!r}")
        if not offers[self.cost]:
            needed = {
                "distance": "cluster_centers_ in the space of X, one for each of the labels 0 to k - 1",
                "proba": "predict_proba",
            }[self.cost]
            raise ValueError(
                f"cost={self.cost!r} needs {needed}, which {type(self.estimator_).__name__} does not have; "
                "use cost='labels'"
            )
        return str(self.cost)

    def _has_centers(self, X: Array, plain: Array) -> bool:
        """Whether there are centers that X and the labels go with."""
        centers = np.asarray(getattr(self.estimator_, "cluster_centers_", np.empty(0)))
        fits = centers.ndim == 2 and len(centers) > 0 and centers.shape[1] == X.shape[1]
        return fits and bool(np.isin(plain, np.arange(len(centers))).all())

    def _inner(self, X: Array, given: Any) -> Any:
        """X as the estimator knows it: with column names if it was fitted with them."""
        return given if hasattr(self.estimator_, "feature_names_in_") else X

    def _labels_of(self, X: Array, given: Any) -> Array:
        """Labels of these points: the estimator's rule, else its labels if X is what it was fitted to."""
        if hasattr(self.estimator_, "predict"):
            return np.asarray(self.estimator_.predict(self._inner(X, given)))
        name = type(self.estimator_).__name__
        labels = getattr(self.estimator_, "labels_", None)
        if labels is None:
            raise ValueError(f"{name} has neither predict nor labels_; estimator must be a clusterer")
        if len(labels) != len(X) or self._fitted_to != _fingerprint(X):
            raise ValueError(
                f"{name} cannot label new points (it has no predict); pass the points it was fitted to"
            )
        return np.asarray(labels)

    def _find_classes(self, X: Array, plain: Array, given: Any) -> Array:
        if self.cost_kind_ == "distance":
            return np.arange(len(self.estimator_.cluster_centers_))
        if self.cost_kind_ == "proba":
            width = self.estimator_.predict_proba(self._inner(X, given)[:1]).shape[1]
            return np.asarray(getattr(self.estimator_, "classes_", np.arange(width)))
        return np.unique(plain)

    def _cost_source(self, X: Array, given: Any) -> CostSource:
        return self._costs(X, given, None)

    def _costs(self, X: Array, given: Any, labels: Array | None) -> CostSource:
        if self.cost_kind_ == "distance":
            return DistanceCosts(X, np.asarray(self.estimator_.cluster_centers_, dtype=X.dtype))
        if self.cost_kind_ == "proba":
            proba = self.estimator_.predict_proba(self._inner(X, given))
            return DenseCosts(1.0 - np.asarray(proba, dtype=np.float64))
        labels = self._labels_of(X, given) if labels is None else labels
        position = np.searchsorted(self.classes_, labels)
        known = self.classes_[np.minimum(position, len(self.classes_) - 1)] == labels
        if not known.all():
            raise ValueError(f"label {labels[~known][0]!r} did not occur in the training data")
        cost = np.ones((len(X), len(self.classes_)))
        cost[np.arange(len(X)), position] = 0.0
        return DenseCosts(cost)

    @_estimator_has("predict")
    @on_collections
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
        return self._labels_of(self._validate(X, reset=False), X)

    @on_collections
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
    @on_collections
    def transform(self, X: Any) -> Any:
        """Transform by the estimator.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        ndarray, or the data frame that set_output asks for
        """
        check_is_fitted(self)
        return self.estimator_.transform(self._inner(self._validate(X, reset=False), X))

    @_estimator_has("transform")
    @on_collections
    def fit_transform(
        self, X: Any, y: Any = None, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> Any:
        """Fit, then transform by the estimator.

        Parameters
        ----------
        X, y, sensitive_features, sample_weight
            As in :meth:`fit`.

        Returns
        -------
        ndarray, or the data frame that set_output asks for
        """
        self.fit(X, y, sensitive_features=sensitive_features, sample_weight=sample_weight)
        return self.transform(X)

    @_estimator_has("get_feature_names_out")
    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Names of the estimator's output columns.

        Parameters
        ----------
        input_features : array-like of str, default=None

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        names: Array = self.estimator_.get_feature_names_out(input_features)
        return names

    @_estimator_has("set_output")
    def set_output(self, *, transform: str | None = None) -> FairAssignment:
        """Choose what the estimator's ``transform`` returns.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None

        Returns
        -------
        self
        """
        for estimator in (self.estimator, getattr(self, "estimator_", None)):
            if estimator is not None:
                estimator.set_output(transform=transform)
        return self

    @_estimator_has("predict")
    @on_collections
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
        if hasattr(self.estimator, "__sklearn_tags__"):
            tags.input_tags.pairwise = get_tags(self.estimator).input_tags.pairwise
        return tags


def _fingerprint(X: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(X).data).hexdigest()
