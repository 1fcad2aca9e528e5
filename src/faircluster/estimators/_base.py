"""What every fair clusterer shares: validation, routing, prediction and the constrained batch."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from faircluster.assignment import AssignmentProblem, AssignmentResult, solve
from faircluster.bounds import FairnessBounds
from faircluster.distances import CostSource
from faircluster.groups import Groups

__all__ = ["BaseFairClusterer", "is_number", "on_collections"]

Array = NDArray[Any]
Method = TypeVar("Method", bound=Callable[..., Any])


def on_collections(method: Method) -> Method:
    """Let a method whose first argument is X run elsewhere when that is a Dask collection."""

    @wraps(method)
    def call(self: Any, X: Any, *arguments: Any, **named: Any) -> Any:
        if hasattr(X, "__dask_graph__"):
            # by name: the package stands above this one, and only those who have Dask get here
            elsewhere = import_module("faircluster.dask.estimators")
            return elsewhere.run(method.__name__, self, X, *arguments, **named)
        return method(self, X, *arguments, **named)

    return call  # type: ignore[return-value]


class BaseFairClusterer(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the fair clusterers.

    A subclass gives ``_fit`` and ``_cost_source``. Both get X checked, and as the caller gave it.
    """

    # Routed without a set_fit_request call: a fair clusterer always wants the protected groups.
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"sensitive_features": True}
    __metadata_request__score: ClassVar[dict[str, bool]] = {"sensitive_features": True}

    @on_collections
    def fit(self, X: Any, y: Any = None, *, sensitive_features: Any = None, sample_weight: Any = None) -> Any:
        """Cluster the points within the bounds.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Points.
        y : ignored
            For scikit-learn's pipelines.
        sensitive_features : array-like or data frame with n rows, default=None
            Protected attributes: one column, several columns (their values are groups, which
            overlap across columns) or a boolean membership matrix. None: no bounds on groups.
        sample_weight : array-like of shape (n,), default=None
            Non-negative weights; shares and sizes are counted in them.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Bad input; the message names the argument and the remedy.
        InfeasibleBoundsError
            No clustering can meet the bounds; the message says which and why.
        """
        checked = self._validate(X, reset=True)
        groups = self._groups(checked, sensitive_features, sample_weight)
        if hasattr(self, "n_clusters"):
            _check_n_clusters(self.n_clusters, checked.shape[0])
        self._fit(checked, groups, X)
        return self

    def fit_predict(
        self, X: Any, y: Any = None, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> NDArray[np.int32]:
        """Fit and return the fair labels, ``labels_``.

        Parameters
        ----------
        X, y, sensitive_features, sample_weight
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n,), int32
        """
        fitted = self.fit(X, y, sensitive_features=sensitive_features, sample_weight=sample_weight)
        labels: NDArray[np.int32] = fitted.labels_
        return labels

    @on_collections
    def predict(self, X: Any) -> NDArray[np.int32]:
        """Cluster of each point by a rule of its own: the cheapest center, no protected attribute.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n,), int32
            The same whatever the batch; no bounds are promised. See :meth:`assign`.
        """
        check_is_fitted(self)
        checked = self._validate(X, reset=False)
        return solve(AssignmentProblem(self._cost_source(checked, X))).labels

    @on_collections
    def assign(
        self, X: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> NDArray[np.int32]:
        """Assign a batch to the fitted clusters within the bounds, at least cost.

        Parameters
        ----------
        X : array-like of shape (n, d)
        sensitive_features : array-like or data frame with n rows, default=None
        sample_weight : array-like of shape (n,), default=None

        Returns
        -------
        ndarray of shape (n,), int32
            Bounds are those of the estimator applied to this batch: shares are the batch's own
            unless ``bounds`` names target shares. Size limits hold for the batch.

        Raises
        ------
        InfeasibleBoundsError
            The batch cannot meet the bounds.
        """
        return self._assign(X, sensitive_features, sample_weight).labels

    @on_collections
    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, sensitive_features: Any = None
    ) -> float:
        """Negative cost of the batch: of its fair assignment, or without protected attributes of ``predict``.

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
        return -self._assign(X, sensitive_features, sample_weight).cost

    def _assign(self, X: Any, sensitive_features: Any, sample_weight: Any) -> AssignmentResult:
        check_is_fitted(self)
        checked = self._validate(X, reset=False)
        groups = self._groups(checked, sensitive_features, sample_weight)
        return solve(self._problem(groups, self._cost_source(checked, X)))

    def _problem(self, groups: Groups, cost: Any = None) -> AssignmentProblem:
        if self.time_limit is not None and not (is_number(self.time_limit) and self.time_limit > 0):
            raise ValueError(f"time_limit must be None or seconds above zero, got {self.time_limit!r}")
        return AssignmentProblem(
            cost,
            groups,
            self._bounds_on(groups),
            size_min=self.size_min,
            size_max=self.size_max,
            rounding=self.rounding,
            time_limit=self.time_limit,
        )

    def _bounds_on(self, groups: Groups) -> FairnessBounds:
        """Return the bounds that apply: without protected groups only sizes are bounded."""
        bounds = FairnessBounds.from_any(self.bounds)
        if groups.names == ("all",) and groups.attributes == ("",):
            return FairnessBounds.from_any(None)
        return bounds

    def _validate(self, X: Any, *, reset: bool) -> Array:
        X = validate_data(
            self, X, reset=reset, dtype=[np.float64, np.float32], order="C", ensure_all_finite=False
        )
        checked: Array = np.asarray(X)
        _check_finite(checked, getattr(self, "feature_names_in_", None))
        return checked

    def _groups(self, X: Array, sensitive_features: Any, sample_weight: Any) -> Groups:
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        return Groups.from_features(
            sensitive_features,
            n_rows=X.shape[0],
            sample_weight=weights,
            intersect=self.intersect,
            missing=self.missing,
        )

    def _store(self, result: AssignmentResult, unconstrained_cost: float, n_iter: int) -> None:
        """Fitted attributes that every fair clusterer has."""
        bounds = self._bounds_on(result.groups)
        k = result.quotas.shape[1]
        self.labels_ = result.labels
        # sums in another order may differ in the last digit
        fair = result.violation == 0
        self.lower_bound_ = min(result.lower_bound, result.cost) if fair else result.lower_bound
        self.gap_ = max(result.gap, 0.0) if fair else result.gap
        self.violation_ = result.violation
        self.status_ = result.status
        self.quotas_ = result.quotas
        self.groups_ = result.groups.summary()
        self.bounds_ = bounds
        self.limits_ = bounds.limits(result.groups, k) if result.rows.descriptions else None
        self.unconstrained_cost_ = min(unconstrained_cost, result.cost)
        self.price_of_fairness_ = _ratio(result.cost, self.unconstrained_cost_)
        self.n_iter_ = n_iter

    def _fit(self, X: Array, groups: Groups, given: Any) -> None:
        raise NotImplementedError  # pragma: no cover

    def _cost_source(self, X: Array, given: Any) -> CostSource:
        raise NotImplementedError  # pragma: no cover


def _check_finite(X: Array, names: Any) -> None:
    with np.errstate(all="ignore"):
        if np.isfinite(X.sum(dtype=np.float64)):
            return
    bad = np.argwhere(~np.isfinite(X))
    if len(bad) == 0:
        return
    row, column = bad[0]
    what = "NaN" if np.isnan(X[row, column]) else "infinity"
    where = column if names is None else repr(str(names[column]))
    raise ValueError(
        f"Input X contains {what} in row {row}, column {where} (entries that are not finite: {len(bad)}); "
        "impute or drop them"
    )


def is_number(value: Any) -> bool:
    """Tell real numbers from everything else, truth values included."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)


def _check_n_clusters(n_clusters: Any, n: int) -> None:
    if isinstance(n_clusters, bool) or not isinstance(n_clusters, int | np.integer) or n_clusters < 1:
        raise ValueError(f"n_clusters must be a whole number of at least 1, got {n_clusters!r}")
    if n_clusters > n:
        raise ValueError(
            f"n_clusters={n_clusters} is more than the n_samples={n} of X; ask for fewer clusters"
        )


def _ratio(cost: float, unconstrained: float) -> float:
    if unconstrained == 0:
        return 1.0 if cost == 0 else float("inf")
    return cost / unconstrained
