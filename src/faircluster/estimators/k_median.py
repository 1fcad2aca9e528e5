"""Fair k-median."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from faircluster.assignment import AssignmentResult
from faircluster.centers import Geometry, Medians, Medoids
from faircluster.distances import CostSource, DenseCosts, DistanceCosts
from faircluster.estimators._alternating import AlternatingClusterer
from faircluster.estimators._base import on_collections

__all__ = ["FairKMedian"]

Array = NDArray[Any]


class FairKMedian(AlternatingClusterer):
    """k-median in which every cluster keeps bounds on the shares of protected groups.

    The cost is the sum of distances, not of their squares, so far points pull less.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters k.
    metric : {"euclidean", "precomputed"}, default="euclidean"
        With "euclidean", centers are geometric medians. With "precomputed", X holds distances
        between the points, (n, n), and centers are points (medoids).
    bounds, rounding, size_min, size_max, n_init, n_swaps, max_iter, tol, time_limit, missing, \
intersect, random_state, verbose
        As in :class:`FairKMeans`.
    init : {"k-means++", "random"} or ndarray, default="k-means++"
        Starting centers: coordinates (k, d), or indices (k,) of points when precomputed.

    Attributes
    ----------
    labels_, lower_bound_, gap_, violation_, price_of_fairness_, unconstrained_cost_, status_, \
quotas_, groups_, bounds_, limits_, n_iter_
        As in :class:`FairKMeans`.
    cluster_centers_ : ndarray of shape (k, d)
        Geometric medians; not there when precomputed.
    center_indices_ : ndarray of shape (k,)
        Medoids; only there when precomputed.
    inertia_, cost_ : float
        Weighted sum of distances from the points to the centers of their labels.

    Notes
    -----
    An assignment costs O(n k d), medoids O(sum of squared cluster sizes) an update.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster import FairKMedian
    >>> X = np.array([[0.0], [0.2], [0.4], [9.0], [9.2], [99.0]])
    >>> sex = ["F", "M", "F", "M", "F", "M"]
    >>> model = FairKMedian(n_clusters=2, bounds=0.5, random_state=0).fit(X, sensitive_features=sex)
    >>> model.violation_
    0.0
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
        init: Any = "k-means++",
        n_init: int = 3,
        n_swaps: int | None = None,
        max_iter: int = 100,
        tol: float = 1e-4,
        time_limit: float | None = None,
        missing: str = "error",
        intersect: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            n_clusters,
            bounds=bounds,
            rounding=rounding,
            size_min=size_min,
            size_max=size_max,
            init=init,
            n_init=n_init,
            n_swaps=n_swaps,
            max_iter=max_iter,
            tol=tol,
            time_limit=time_limit,
            missing=missing,
            intersect=intersect,
            random_state=random_state,
            verbose=verbose,
        )
        self.metric = metric

    def _validate(self, X: Any, *, reset: bool) -> Array:
        if self.metric not in ("euclidean", "precomputed"):
            raise ValueError(f"metric must be 'euclidean' or 'precomputed', got {self.metric!r}")
        X = super()._validate(X, reset=reset)
        if self.metric == "precomputed":
            if reset and X.shape[0] != X.shape[1]:
                raise ValueError(f"X must be a square matrix of distances when precomputed, got {X.shape}")
            if (X < 0).any():
                row = int(np.flatnonzero((X < 0).any(axis=1))[0])
                raise ValueError(f"X holds negative distances, the first in row {row}")
        return X

    def _geometry(self, X: Array, weights: Array | None) -> Geometry:
        return Medoids(X, weights) if self.metric == "precomputed" else Medians(X, weights)

    def _given_centers(self, init: Array, geometry: Geometry) -> Array:
        if self.metric != "precomputed":
            return super()._given_centers(init, geometry)
        n = geometry.n_points
        valid = init.shape == (self.n_clusters,) and init.dtype.kind in "iu"
        if not valid or (init < 0).any() or (init >= n).any():
            raise ValueError(
                f"init must hold n_clusters={self.n_clusters} indices of points between 0 and {n - 1} when "
                "the metric is precomputed"
            )
        return init.astype(np.intp)

    def _cost_source(self, X: Array, given: Any) -> CostSource:
        if self.metric == "precomputed":
            return DenseCosts(np.ascontiguousarray(X[:, self.center_indices_]))
        return DistanceCosts(X, self.cluster_centers_, power=1)

    def _keep_centers(self, centers: Array, result: AssignmentResult) -> None:
        if self.metric == "precomputed":
            self.center_indices_ = centers
        else:
            self.cluster_centers_ = centers
        self.inertia_ = self.cost_ = result.cost

    @property
    def _n_features_out(self) -> int:
        return len(self.quotas_[0])

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
        checked = self._validate(X, reset=False)
        distances: Array = self._cost_source(checked, X).block(0, len(checked))
        return distances

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = tags.input_tags.positive_only = self.metric == "precomputed"
        return tags
