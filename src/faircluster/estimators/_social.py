"""What the socially fair clusterers share: choice of method, fit, batches."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from faircluster.assignment.transport import loads_of
from faircluster.bounds import FairnessBounds, check_feasible
from faircluster.centers.seeding import canonical_order
from faircluster.distances import CostSource, DenseCosts, DistanceCosts
from faircluster.estimators._base import BaseFairClusterer, _ratio, is_number, on_collections
from faircluster.groups import Groups
from faircluster.social import SocialInstance, SocialResult, solve_social
from faircluster.social.bounded import BoundedClustering, assign_for_groups, find_bounded_centers
from faircluster.social.lloyd import SocialClustering
from faircluster.social.search import find_centers
from faircluster.social.sweep import GroupedPoints

__all__ = ["SocialClusterer"]

Array = NDArray[Any]
_MOST_ROWS = 10_000  # of the linear program over points and centers
_AUTO_ROWS = 300  # up to which "auto" solves it
_OPTIMAL = 1e-3  # gap below which an assignment within bounds is called optimal, as in the engine
_EVEN = 0.02  # share of the weight spread evenly over the groups when a batch is assigned
logger = logging.getLogger("faircluster")


class SocialClusterer(  # type: ignore[misc]
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseFairClusterer
):
    """Centers for the worst-off group: Fair-Lloyd, or a linear program with a proof."""

    metric = "euclidean"

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        method: str = "auto",
        bounds: Any = None,
        rounding: str = "strict",
        size_min: Any = None,
        size_max: Any = None,
        bicriteria: bool = False,
        init: Any = "k-means++",
        n_init: int = 10,
        n_swaps: int | None = None,
        max_iter: int = 300,
        tol: float = 1e-10,
        time_limit: float | None = None,
        missing: str = "error",
        intersect: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.method = method
        self.bounds = bounds
        self.rounding = rounding
        self.size_min = size_min
        self.size_max = size_max
        self.bicriteria = bicriteria
        self.init = init
        self.n_init = n_init
        self.n_swaps = n_swaps
        self.max_iter = max_iter
        self.tol = tol
        self.time_limit = time_limit
        self.missing = missing
        self.intersect = intersect
        self.random_state = random_state
        self.verbose = verbose

    def _p(self) -> float:
        """Power of the distance."""
        raise NotImplementedError  # pragma: no cover

    # ---- fit

    def _fit(self, X: Array, groups: Groups, given: Any) -> None:
        self._check_parameters()
        random_state = check_random_state(self.random_state)
        problem = self._problem(groups)  # checks bounds and time_limit
        bounded = bool(
            problem.bounds.rows(groups, self.n_clusters, self.size_min, self.size_max).descriptions
        )
        how = self._how(len(X), bounded)
        # left from an earlier fit with another method
        for name in ("cluster_centers_", "center_indices_", "factor_"):
            if hasattr(self, name):
                delattr(self, name)
        if how == "lp":
            self._keep_program(X, groups, self._program(X, groups, random_state))
            return
        points = GroupedPoints(X, groups, self._p())
        found = self._lloyd(points, random_state)
        if bounded:
            check_feasible(groups, problem.bounds, self.n_clusters, self.size_min, self.size_max)
            fair = find_bounded_centers(
                points, problem, found, max_iter=self.max_iter, report=self._reporter("assignment")
            )
            self._keep_bounded(X, points, fair, found.cost)
            return
        if how == "lp+lloyd":
            program = self._program(X, groups, random_state)
            again = self._lloyd(points, random_state, X[program.centers])
            found = again if again.cost <= found.cost else found
            # the nearest point to any center is at most twice as far from those it serves
            bound = program.lower_bound / 2.0 ** self._p()
            self.factor_ = program.factor
        else:
            bound = found.lower_bound
        self._keep_social(X, points, found, bound, how)

    def _how(self, n: int, bounded: bool) -> str:
        if self.method == "lloyd" or (bounded and self.method == "auto"):
            return "lloyd"
        if self.method == "lp" or self.bicriteria or self.metric == "precomputed":
            if n > _MOST_ROWS:
                raise ValueError(
                    f"method='lp' solves a linear program over all pairs of points, for up to {_MOST_ROWS:,} "
                    f"rows; X has {n:,}. Use method='lloyd', or fit on a sample and predict"
                )
            return "lp"
        return "lp+lloyd" if n <= _AUTO_ROWS and isinstance(self.init, str) else "lloyd"

    def _lloyd(
        self, points: GroupedPoints, random_state: np.random.RandomState, centers: Array | None = None
    ) -> SocialClustering:
        init = self.init if centers is None else centers
        if not isinstance(init, str):
            init = self._given_centers(np.asarray(init), points.X)
        swaps = self.n_swaps
        if swaps is None:  # centers that are given are meant
            swaps = self.n_clusters if isinstance(self.init, str) else 0
        return find_centers(
            points,
            self.n_clusters,
            random_state,
            init=init,
            n_init=self.n_init,
            n_swaps=swaps,
            max_iter=self.max_iter,
            tol=self.tol,
            report=self._reporter("start"),
        )

    def _program(self, X: Array, groups: Groups, random_state: np.random.RandomState) -> SocialResult:
        make = SocialInstance.from_distances if self.metric == "precomputed" else SocialInstance.from_points
        return solve_social(
            make(X, groups, self.n_clusters, self._p()),
            bicriteria=bool(self.bicriteria),
            time_limit=self.time_limit,
            random_state=random_state,
        )

    def _given_centers(self, init: Array, X: Array) -> Array:
        if init.shape != (self.n_clusters, X.shape[1]):
            raise ValueError(
                f"init has shape {init.shape}; starting centers need (n_clusters, n_features) = "
                f"({self.n_clusters}, {X.shape[1]})"
            )
        if init.dtype.kind not in "iuf" or not np.isfinite(init).all():
            raise ValueError(
                f"init must hold finite numbers, got {init.dtype} with {init.ravel()[:3]} ...; "
                "give finite starting centers"
            )
        return np.asarray(init, dtype=np.float64)

    def _reporter(self, what: str) -> Any:
        level = logging.INFO if self.verbose else logging.DEBUG

        def report(number: int, cost: float) -> None:
            logger.log(level, "%s: %s %d, worst group's cost %.6g", type(self).__name__, what, number, cost)

        return report

    # ---- fitted attributes

    def _keep_social(
        self, X: Array, points: GroupedPoints, found: SocialClustering, bound: float, how: str
    ) -> None:
        groups = points.groups
        shape = (groups.n_signatures, len(found.centers))
        self.method_, self.status_ = how, "feasible"
        self.cluster_centers_ = found.centers.astype(X.dtype)
        self.unconstrained_cost_ = found.cost
        own = points.own_costs(found.centers, found.labels)
        self._keep(groups, found, bound, own)
        self.violation_ = 0.0
        self.quotas_ = loads_of(found.labels, groups.signature, groups.weights, shape)
        self.bounds_, self.limits_ = self._bounds_on(groups), None

    def _keep_bounded(self, X: Array, points: GroupedPoints, fair: BoundedClustering, free: float) -> None:
        groups, found = points.groups, fair.social
        self.method_ = "lloyd"
        self.cluster_centers_ = found.centers.astype(X.dtype)
        self.unconstrained_cost_ = min(free, found.cost)
        self._keep(groups, found, found.lower_bound, points.own_costs(found.centers, found.labels))
        ended = "optimal" if self.gap_ <= _OPTIMAL and fair.violation == 0 else "feasible"
        self.status_ = "time_limit" if fair.assignment.status == "time_limit" else ended
        self.violation_, self.quotas_ = fair.violation, fair.quotas
        self.bounds_ = self._bounds_on(groups)
        self.limits_ = self.bounds_.limits(groups, len(found.centers))

    def _keep_program(self, X: Array, groups: Groups, result: SocialResult) -> None:
        self.method_, self.status_, self.factor_ = "lp", result.status, result.factor
        rows, labels = np.asarray(result.centers, dtype=np.int64), result.labels
        if self.metric != "precomputed":
            order = canonical_order(X[rows])  # numbers of clusters must not depend on the order of the rows
            rows, labels = rows[order], np.argsort(order).astype(np.int32)[labels]
            self.cluster_centers_ = X[rows].copy()
        self.center_indices_ = rows
        found = SocialClustering(
            rows, labels, result.group_costs, result.cost, result.lower_bound,
            result.multipliers, 0,
        )  # fmt: skip
        self.unconstrained_cost_ = result.cost
        own = self._distances(X)[np.arange(len(X)), labels].astype(np.float64) ** self._p()
        self._keep(groups, found, result.lower_bound, own)
        shape = (groups.n_signatures, len(rows))
        self.violation_ = 0.0
        self.quotas_ = loads_of(labels, groups.signature, groups.weights, shape)
        self.bounds_, self.limits_ = self._bounds_on(groups), None

    def _keep(self, groups: Groups, found: SocialClustering, bound: float, own: Array) -> None:
        self.labels_ = found.labels
        self.group_costs_, self.multipliers_ = found.group_costs, found.multipliers
        self.cost_, self.lower_bound_ = found.cost, bound
        self.gap_ = _ratio(found.cost, bound) - 1.0
        self.inertia_ = float(own.sum() if groups.weights is None else own @ groups.weights)
        self.price_of_fairness_ = _ratio(found.cost, self.unconstrained_cost_)
        self.n_centers_ = len(found.centers)
        self.groups_ = groups.summary()
        self.n_iter_ = found.n_iter + 1

    # ---- batches

    @on_collections
    def assign(
        self, X: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> NDArray[np.int32]:
        """Assign a batch to the fitted clusters, within the bounds if there are any.

        Parameters
        ----------
        X : array-like of shape (n, d)
        sensitive_features : array-like or data frame with n rows, default=None
        sample_weight : array-like of shape (n,), default=None

        Returns
        -------
        ndarray of shape (n,), int32
            Without bounds the nearest center, which is best for every group. With bounds, those of the
            estimator applied to this batch, at least weighted cost of the groups (``multipliers_``).

        Raises
        ------
        InfeasibleBoundsError
            The batch cannot meet the bounds.
        """
        return self._batch(X, sensitive_features, sample_weight)[0]

    @on_collections
    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, sensitive_features: Any = None
    ) -> float:
        """Negative mean cost of the batch's worst-off group; without protected attributes, of all points.

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
        labels, checked, groups = self._batch(X, sensitive_features, sample_weight)
        own = self._distances(checked)[np.arange(len(labels)), labels].astype(np.float64) ** self._p()
        weighted = own if groups.weights is None else own * groups.weights
        sums = np.bincount(groups.signature, weighted, minlength=groups.n_signatures)
        held = groups.counts > 0
        return -float(((sums @ groups.signature_membership)[held] / groups.counts[held]).max())

    def _batch(
        self, X: Any, sensitive_features: Any, sample_weight: Any
    ) -> tuple[NDArray[np.int32], Array, Groups]:
        """Labels of a batch, the batch checked, and its groups."""
        check_is_fitted(self)
        checked = self._validate(X, reset=False)
        groups = self._groups(checked, sensitive_features, sample_weight)
        problem = self._problem(groups)
        if not problem.bounds.rows(groups, self.n_centers_, self.size_min, self.size_max).descriptions:
            return self.predict(X), checked, groups
        points = GroupedPoints(checked, groups, self._p())
        known = dict(zip(self.groups_.names, self.multipliers_, strict=True))
        gamma = np.array([known.get(name, 0.0) for name in groups.names])
        gamma = gamma / gamma.sum() if gamma.sum() > 0 else np.full(len(gamma), 1.0 / len(gamma))
        gamma = (1.0 - _EVEN) * gamma + _EVEN / len(gamma)
        return assign_for_groups(points, problem, self.cluster_centers_, gamma).labels, checked, groups

    @on_collections
    def transform(self, X: Any) -> Array:
        """Distances to the centers.

        Parameters
        ----------
        X : array-like of shape (n, d), or (n, points at fit) when precomputed

        Returns
        -------
        ndarray of shape (n, n_centers_)
        """
        check_is_fitted(self)
        return self._distances(self._validate(X, reset=False))

    def _distances(self, X: Array) -> Array:
        if self.metric == "precomputed":
            return np.ascontiguousarray(X[:, self.center_indices_])
        return DistanceCosts(X, self.cluster_centers_, power=1).block(0, len(X))

    def _cost_source(self, X: Array, given: Any) -> CostSource:
        if self.metric == "precomputed":
            return DenseCosts(self._distances(X))
        return DistanceCosts(X, self.cluster_centers_)

    @property
    def _n_features_out(self) -> int:
        return int(self.n_centers_)

    def _check_parameters(self) -> None:
        if self.method not in ("auto", "lloyd", "lp"):
            raise ValueError(f"method must be 'auto', 'lloyd' or 'lp', got {self.method!r}")
        limited = FairnessBounds.from_any(self.bounds) != FairnessBounds.from_any(None)
        limited = limited or self.size_min is not None or self.size_max is not None
        if self.method == "lp" and limited:
            raise ValueError("method='lp' knows no bounds or sizes; use method='lloyd' with them")
        if self.bicriteria and (self.method == "lloyd" or limited):
            raise ValueError(
                "bicriteria=True opens more than n_clusters centers, which only method='lp' does, without "
                "bounds and sizes"
            )
        if self.metric == "precomputed" and (self.method == "lloyd" or limited):
            raise ValueError("metric='precomputed' needs method='lp' or 'auto', without bounds and sizes")
        for name, least in (("n_init", 1), ("max_iter", 1), ("n_swaps", 0)):
            value = getattr(self, name)
            if name == "n_swaps" and value is None:
                continue
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
        if not is_number(self.tol) or not self.tol >= 0:
            raise ValueError(f"tol must be a number of zero or more, got {self.tol!r}")
        if not isinstance(self.bicriteria, bool | np.bool_):
            raise ValueError(f"bicriteria must be True or False, got {self.bicriteria!r}")
        if isinstance(self.init, str) and self.init not in ("k-means++", "random"):
            raise ValueError(f"init must be 'k-means++', 'random' or an array of centers, got {self.init!r}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
