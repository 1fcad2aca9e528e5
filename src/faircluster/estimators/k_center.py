"""Fair k-center."""

from __future__ import annotations

import logging
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from faircluster.assignment.radius import RadiusResult, solve_radius
from faircluster.bounds import check_feasible
from faircluster.centers.greedy import Metric, farthest_first
from faircluster.distances import CostSource, DenseCosts
from faircluster.estimators._base import BaseFairClusterer, _ratio
from faircluster.groups import Groups
from faircluster.refinement.bottleneck import Centers, CenterSearch

__all__ = ["FairKCenter"]

Array = NDArray[Any]
logger = logging.getLogger("faircluster")


class FairKCenter(  # type: ignore[misc]
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseFairClusterer
):
    """k-center in which every cluster keeps bounds on the shares of protected groups.

    The cost is the radius, the largest distance of a point to the center of its cluster; centers
    are points.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters k; some may stay empty.
    metric : str, default="euclidean"
        Name of a metric of ``sklearn.metrics.pairwise_distances``; with "precomputed", X holds
        distances between the points, (n, n).
    bounds, rounding, size_min, size_max, missing, intersect, random_state, verbose
        As in :class:`FairKMeans`. ``rounding="nearest"`` keeps the relaxed radius at the least
        violation.
    n_init : int, default=5
        Farthest-first starts; the one with the least relaxed radius is improved.
    n_swaps : int, default=None
        Swaps of a center that may fail in a row before the search ends, 4 k by default. 0: no swaps.
    max_iter : int, default=20
        Most rounds of improvement; 0 keeps the centers of the best start.
    time_limit : float, default=None
        Seconds for the search for centers, and again for the last assignment.

    Attributes
    ----------
    labels_ : ndarray of shape (n,), int32
    radius_ : float
        Largest distance of a point (with positive weight) to the center of its label.
    relaxed_radius_ : float
        No assignment to these centers within the bounds has a smaller radius, fractional ones
        included.
    lower_bound_ : float
        No k centers at all have a smaller radius, with bounds or without (triangle inequality
        assumed): half of the farthest-first radius.
    gap_ : float
        ``radius_`` over the smallest radius at these centers that is not excluded, minus 1.
    unconstrained_radius_ : float
        Least radius found without bounds.
    center_indices_ : ndarray of shape (k,), int
        Points that are the centers.
    cluster_centers_ : ndarray of shape (k, d)
        Their coordinates; not there when precomputed.
    price_of_fairness_ : float
        ``radius_ / unconstrained_radius_``.
    violation_, status_, quotas_, groups_, bounds_, limits_, n_iter_
        As in :class:`FairKMeans`.

    Notes
    -----
    A start costs O(n k d); so does a probe of new centers, plus small linear programs whose size
    does not depend on n. With centers from farthest-first, the radius is at most 3 times the
    least fair radius for any centers among the points, relaxed; improvement only lowers it.

    References
    ----------
    Harb & Lam, "KFC: A scalable approximation algorithm for k-center fair clustering", NeurIPS 2020.

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

    def _fit(self, X: Array, groups: Groups, given: Any) -> None:
        self._check_parameters()
        started = time.perf_counter()
        random_state = check_random_state(self.random_state)
        metric, bounds = Metric(X, self.metric), self._bounds_on(groups)
        rows = bounds.rows(groups, self.n_clusters, self.size_min, self.size_max)
        check_feasible(groups, bounds, self.n_clusters, self.size_min, self.size_max)
        deadline = np.inf if self.time_limit is None else started + self.time_limit
        search = CenterSearch(metric, groups, rows, metric.order(), deadline)
        best, plain, bound = self._best_start(search, groups, random_state)
        n_swaps = 4 * self.n_clusters if self.n_swaps is None else self.n_swaps
        best, result, n_iter = search.improve(
            best, lambda cost: self._solve(cost, groups), n_swaps, random_state, self.max_iter
        )
        self._keep(X, best, result, bound, min(plain, result.lower_bound), n_iter)

    def _best_start(
        self, search: CenterSearch, groups: Groups, random_state: np.random.RandomState
    ) -> tuple[Centers, float, float]:
        """Centers of least relaxed radius, the least radius without bounds, and the bound on any radius."""
        held = None if groups.weights is None else groups.weights > 0
        best: Centers | None = None
        plain, bound = np.inf, 0.0
        for start in range(self.n_init):
            first = search.draw(search.order, random_state)
            centers, radius = farthest_first(search.metric, self.n_clusters, first, search.order, held)
            plain, bound = min(plain, radius), max(bound, 0.5 * radius)
            trial = search.probe(centers) if best is None else search.probe(centers, best)
            logger.log(
                logging.INFO if self.verbose else logging.DEBUG,
                "FairKCenter: start %d, radius %.6g without bounds, relaxed %.6g",
                start + 1, radius, trial.radius,
            )  # fmt: skip
            if best is None or trial.radius < best.radius:
                best = trial
        assert best is not None
        return best, plain, bound

    def _solve(self, cost: Array, groups: Groups) -> RadiusResult:
        return solve_radius(
            cost,
            groups,
            self._bounds_on(groups),
            size_min=self.size_min,
            size_max=self.size_max,
            rounding=self.rounding,
            time_limit=self.time_limit,
        )

    def _keep(
        self, X: Array, best: Centers, result: RadiusResult, bound: float, plain: float, n_iter: int
    ) -> None:
        bounds = self._bounds_on(result.groups)
        self.labels_ = result.labels
        self.center_indices_ = best.rows
        if self.metric != "precomputed":
            self.cluster_centers_ = X[best.rows].copy()
        self.radius_, self.relaxed_radius_ = result.radius, result.relaxed_radius
        self.lower_bound_, self.gap_ = bound, result.gap
        self.violation_, self.status_, self.quotas_ = result.violation, result.status, result.quotas
        self.unconstrained_radius_ = plain
        self.price_of_fairness_ = _ratio(result.radius, plain)
        self.groups_, self.bounds_ = result.groups.summary(), bounds
        self.limits_ = bounds.limits(result.groups, self.n_clusters) if result.rows.descriptions else None
        self.n_iter_ = n_iter

    def _check_parameters(self) -> None:
        for name, least in (("n_init", 1), ("max_iter", 0), ("n_swaps", 0)):
            value = getattr(self, name)
            if name == "n_swaps" and value is None:
                continue
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")

    def _validate(self, X: Any, *, reset: bool) -> Array:
        if not isinstance(self.metric, str):
            raise ValueError(f"metric must be the name of a metric or 'precomputed', got {self.metric!r}")
        X = super()._validate(X, reset=reset)
        if self.metric == "precomputed":
            if reset and X.shape[0] != X.shape[1]:
                raise ValueError(f"X must be a square matrix of distances when precomputed, got {X.shape}")
            if (X < 0).any():
                row = int(np.flatnonzero((X < 0).any(axis=1))[0])
                raise ValueError(f"X holds negative distances, the first in row {row}")
        return X

    def _cost_source(self, X: Array, given: Any) -> CostSource:
        return DenseCosts(self._distances(X))

    def _distances(self, X: Array) -> Array:
        if self.metric == "precomputed":
            return np.ascontiguousarray(X[:, self.center_indices_])
        return Metric(X, self.metric).between(X, self.cluster_centers_)

    def _assign(self, X: Any, sensitive_features: Any, sample_weight: Any) -> Any:
        check_is_fitted(self)
        checked = self._validate(X, reset=False)
        return self._solve(self._distances(checked), self._groups(checked, sensitive_features, sample_weight))

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
        return len(self.center_indices_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.metric == "precomputed"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
