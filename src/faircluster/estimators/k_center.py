"""Fair k-center."""

from __future__ import annotations

import logging
import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from faircluster.assignment.radius import RadiusResult, solve_radius, whole_below
from faircluster.bounds import check_feasible
from faircluster.centers.metric import Metric
from faircluster.distances import CostSource, DenseCosts
from faircluster.estimators._base import (
    BaseFairClusterer,
    _check_n_clusters,
    _ratio,
    is_number,
    on_collections,
)
from faircluster.groups import Groups
from faircluster.refinement.bottleneck import settle
from faircluster.refinement.find_centers import SearchLimits, find_centers

__all__ = ["FairKCenter"]

Array = NDArray[Any]
logger = logging.getLogger("faircluster")


class FairKCenter(  # type: ignore[misc]
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseFairClusterer
):
    """k-center in which every cluster keeps bounds on the shares of protected groups.

    The cost is the radius, the largest distance of a point to the center of its cluster. Centers
    are points, or facilities that ``fit`` names (k-supplier).

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters k; some may stay empty.
    metric : str, default="euclidean"
        Name of a metric of ``sklearn.metrics.pairwise_distances``; with "precomputed", X holds
        distances between the points, (n, n).
    bounds, rounding, size_min, size_max, missing, intersect, random_state, verbose
        As in :class:`FairKMeans`. ``rounding="nearest"`` keeps the relaxed radius at the least
        violation; "randomized" draws every point by itself at that radius (KFC as published), fair
        in expectation only.
    n_init : int, default=5
        Farthest-first starts; the one with the least relaxed radius is improved.
    n_swaps : int, default=None
        Swaps of a center that may fail in a row before the search ends, 24 + 4 k by default. 0: no swaps.
    max_iter : int, default=20
        Most rounds of improvement; 0 keeps the centers of the best start.
    time_limit : float, default=None
        Seconds; half of them for the search for centers. Without it, work is limited by steps that
        do not depend on the machine.

    Attributes
    ----------
    labels_ : ndarray of shape (n,), int32
    radius_ : float
        Largest distance of a point (with positive weight) to the center of its label.
    relaxed_radius_ : float
        No assignment to these centers within the bounds has a smaller radius, fractional ones
        included.
    lower_bound_ : float
        No k centers at all have a smaller radius, with bounds or without: by the triangle
        inequality, from points far apart.
    gap_ : float
        ``radius_`` over the smallest radius at these centers that is not excluded, minus 1.
    unconstrained_radius_ : float
        Least radius found without bounds.
    center_indices_ : ndarray of shape (k,), int
        Points, or facilities, that are the centers; precomputed, columns of X.
    cluster_centers_ : ndarray of shape (k, d)
        Their coordinates; not there when precomputed.
    price_of_fairness_ : float
        ``radius_ / unconstrained_radius_``.
    violation_, status_, quotas_, groups_, bounds_, limits_, n_iter_
        As in :class:`FairKMeans`.

    Notes
    -----
    A start costs O(n k d); a probe of new centers O(n d) to O(n k), plus small linear programs
    whose size does not depend on n. Above 100,000 points centers are searched on a part of them, a
    sample and the points far from everybody; the assignment and its certificates are those of all
    points. With farthest-first starts the relaxed radius is at most 3
    times the least fair radius for any centers among the points, and at most 5 times when only
    facilities may be centers; improvement only lowers it.

    References
    ----------
    Harb & Lam, "KFC: A scalable approximation algorithm for k-center fair clustering", NeurIPS 2020.

    Hochbaum & Shmoys, "A unified approach to approximation algorithms for bottleneck problems",
    Journal of the ACM 33 (1986): starts for k-supplier.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster import FairKCenter
    >>> X = np.array([[0.0], [1.0], [2.0], [9.0], [10.0], [11.0]])
    >>> model = FairKCenter(n_clusters=2, bounds=0.5, random_state=0)
    >>> model.fit(X, sensitive_features=["a", "b", "a", "b", "a", "b"]).radius_
    1.0
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        metric: str = "euclidean",
        bounds: Any = 0.2,
        rounding: str = "strict",
        size_min: Any = None,
        size_max: Any = None,
        n_init: int = 5,
        n_swaps: int | None = None,
        max_iter: int = 20,
        time_limit: float | None = None,
        missing: str = "error",
        intersect: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.metric = metric
        self.bounds = bounds
        self.rounding = rounding
        self.size_min = size_min
        self.size_max = size_max
        self.n_init = n_init
        self.n_swaps = n_swaps
        self.max_iter = max_iter
        self.time_limit = time_limit
        self.missing = missing
        self.intersect = intersect
        self.random_state = random_state
        self.verbose = verbose

    @on_collections
    def fit(  # type: ignore[override]
        self,
        X: Any,
        y: Any = None,
        *,
        sensitive_features: Any = None,
        sample_weight: Any = None,
        facilities: Any = None,
    ) -> Any:
        """Cluster the points within the bounds.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Points; with ``metric="precomputed"`` distances, (n, n), or (n, p) with ``facilities``.
        y : ignored
        sensitive_features : array-like or data frame with n rows, default=None
            Protected attributes, as in :meth:`FairKMeans.fit`.
        sample_weight : array-like of shape (n,), default=None
            Non-negative weights; shares and sizes are counted in them.
        facilities : array-like of shape (m, d), default=None
            Places that may be centers (k-supplier); with ``metric="precomputed"`` columns of X,
            shape (m,). By default the points themselves.

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
        places = self._checked_facilities(facilities, checked)
        groups = self._groups(checked, sensitive_features, sample_weight)
        _check_n_clusters(self.n_clusters, checked.shape[0])
        if places is not None and self.n_clusters > len(places):
            raise ValueError(
                f"n_clusters={self.n_clusters} is more than the {len(places)} facilities; ask for fewer"
            )
        self._check_parameters()
        self._search(Metric(checked, self.metric, places), groups)
        return self

    def fit_predict(  # type: ignore[override]
        self,
        X: Any,
        y: Any = None,
        *,
        sensitive_features: Any = None,
        sample_weight: Any = None,
        facilities: Any = None,
    ) -> NDArray[np.int32]:
        """Fit and return the fair labels, ``labels_``.

        Parameters
        ----------
        X, y, sensitive_features, sample_weight, facilities
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n,), int32
        """
        fitted = self.fit(
            X, y, sensitive_features=sensitive_features, sample_weight=sample_weight, facilities=facilities
        )
        labels: NDArray[np.int32] = fitted.labels_
        return labels

    def _search(self, metric: Metric, groups: Groups) -> None:
        started = time.perf_counter()
        random_state = check_random_state(self.random_state)
        bounds = self._bounds_on(groups)
        rows = bounds.rows(groups, self.n_clusters, self.size_min, self.size_max)
        check_feasible(groups, bounds, self.n_clusters, self.size_min, self.size_max)
        limit, limits = self.time_limit, self._search_limits(started)
        found = find_centers(metric, groups, rows, self.n_clusters, limits, random_state, self._say)

        def left() -> float | None:
            return None if limit is None else max(started + limit - time.perf_counter(), 0.02 * limit)

        def assign(centers: NDArray[np.intp]) -> RadiusResult:
            at_hand = found.cost if centers is found.trail[-1][0] else None
            cost = metric.to(centers) if at_hand is None else at_hand
            return self._solve(cost, groups, left(), random_state)

        def reaches(centers: NDArray[np.intp], radius: float) -> bool:
            in_time = limit is None or time.perf_counter() < started + limit
            return in_time and whole_below(metric.to(centers), groups, rows, radius, left())

        centers, result = settle(found.trail, assign, reaches)
        self._say("radius %.6g, relaxed %.6g, %s", result.radius, result.relaxed_radius, result.status)
        self._keep(metric, centers, result, found.n_iter)
        self.lower_bound_ = found.lower_bound
        self.unconstrained_radius_ = min(found.plain_radius, result.lower_bound)
        self.price_of_fairness_ = _ratio(result.radius, self.unconstrained_radius_)
        if found.late and result.status != "time_limit":
            self.status_ = "time_limit"
            warnings.warn(
                f"time_limit={limit} s reached by the search for centers; the radius is {result.radius:g}",
                RuntimeWarning,
                stacklevel=3,
            )

    def _search_limits(self, started: float) -> SearchLimits:
        """Half of the time, if it is limited, is for the centers."""
        n_swaps = 24 + 4 * self.n_clusters if self.n_swaps is None else self.n_swaps
        deadline = np.inf if self.time_limit is None else started + 0.5 * self.time_limit
        return SearchLimits(self.n_init, n_swaps, self.max_iter, deadline)

    def _say(self, message: str, *values: Any) -> None:
        logger.log(logging.INFO if self.verbose else logging.DEBUG, f"FairKCenter: {message}", *values)

    def _solve(
        self, cost: Array, groups: Groups, time_limit: float | None, random_state: Any = None
    ) -> RadiusResult:
        return solve_radius(
            cost,
            groups,
            self._bounds_on(groups),
            size_min=self.size_min,
            size_max=self.size_max,
            rounding=self.rounding,
            time_limit=time_limit,
            random_state=random_state,
        )

    def _keep(self, metric: Metric, centers: NDArray[np.intp], result: RadiusResult, n_iter: int) -> None:
        self.labels_ = result.labels
        self.center_indices_ = centers
        if metric.matrix:
            self.center_indices_ = metric.at(centers)
        else:
            self.cluster_centers_ = metric.at(centers)
        self.radius_, self.relaxed_radius_, self.gap_ = result.radius, result.relaxed_radius, result.gap
        self.violation_, self.status_, self.quotas_ = result.violation, result.status, result.quotas
        self.groups_, self.bounds_ = result.groups.summary(), self._bounds_on(result.groups)
        limits = self.bounds_.limits(result.groups, self.n_clusters) if result.rows.descriptions else None
        self.limits_, self.n_iter_ = limits, n_iter

    def _check_parameters(self) -> None:
        for name, least in (("n_init", 1), ("max_iter", 0), ("n_swaps", 0)):
            value = getattr(self, name)
            if name == "n_swaps" and value is None:
                continue
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
        if self.time_limit is not None and not (is_number(self.time_limit) and self.time_limit > 0):
            raise ValueError(f"time_limit must be None or seconds above zero, got {self.time_limit!r}")

    def _validate(self, X: Any, *, reset: bool) -> Array:
        if not isinstance(self.metric, str):
            raise ValueError(f"metric must be the name of a metric or 'precomputed', got {self.metric!r}")
        X = super()._validate(X, reset=reset)
        if self.metric == "precomputed":
            negative = (X < 0).any(axis=1)
            if negative.any():
                raise ValueError(f"X holds negative distances, the first in row {int(np.argmax(negative))}")
        return X

    def _checked_facilities(self, facilities: Any, X: Array) -> Array | None:
        """Coordinates of the facilities, or precomputed their columns of X; None: the points."""
        n, d = X.shape
        if self.metric != "precomputed":
            if facilities is None:
                return None
            places = check_array(facilities, dtype=X.dtype, order="C", input_name="facilities")
            if places.shape[1] != d:
                raise ValueError(
                    f"facilities has {places.shape[1]} columns but X has {d}; they must be the same"
                )
            return np.asarray(places)
        if facilities is None:
            if n != d:
                raise ValueError(
                    f"X must be a square matrix of distances when precomputed, got {X.shape}; "
                    "name the columns that may be centers with facilities"
                )
            return None
        columns = np.asarray(facilities)
        inside = columns.dtype.kind in "iu" and columns.ndim == 1 and len(np.unique(columns)) == columns.size
        if not inside or (columns < 0).any() or (columns >= d).any():
            raise ValueError(
                f"facilities must be different columns of X, whole numbers from 0 to {d - 1}, "
                f"when precomputed; got {facilities!r}"
            )
        return columns.astype(np.intp)

    def _cost_source(self, X: Array, given: Any) -> CostSource:
        return DenseCosts(self._distances(X))

    def _distances(self, X: Array) -> Array:
        if self.metric == "precomputed":
            return np.ascontiguousarray(X[:, self.center_indices_])
        return Metric(X, self.metric).between(X, self.cluster_centers_)

    def _assign(self, X: Any, sensitive_features: Any, sample_weight: Any) -> Any:
        check_is_fitted(self)
        checked = self._validate(X, reset=False)
        groups = self._groups(checked, sensitive_features, sample_weight)
        return self._solve(self._distances(checked), groups, self.time_limit, self.random_state)

    @on_collections
    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, sensitive_features: Any = None
    ) -> float:
        """Negative radius of the batch's fair assignment, or without protected attributes of ``predict``.

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
        return -float(self._assign(X, sensitive_features, sample_weight).radius)

    @on_collections
    def transform(self, X: Any) -> Array:
        """Distances to the centers.

        Parameters
        ----------
        X : array-like of shape (n, d), or (n, points at fit) when precomputed

        Returns
        -------
        ndarray of shape (n, k)
        """
        check_is_fitted(self)
        return self._distances(self._validate(X, reset=False))

    @property
    def _n_features_out(self) -> int:
        return int(self.quotas_.shape[1])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.metric == "precomputed"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
