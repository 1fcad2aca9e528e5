"""Fair k-means."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from faircluster.assignment import AssignmentResult
from faircluster.centers import Geometry, Means
from faircluster.distances import CostSource, DistanceCosts
from faircluster.estimators._alternating import AlternatingClusterer
from faircluster.estimators._base import on_collections

__all__ = ["FairKMeans"]

Array = NDArray[Any]


class FairKMeans(AlternatingClusterer):
    """k-means in which every cluster keeps bounds on the shares of protected groups.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters k.
    bounds : FairnessBounds, float, "exact" or None, default=0.2
        A float s means ``FairnessBounds.slack(s)``: every group's share of every cluster lies
        between ``(1 - s) p`` and ``p / (1 - s)``, with p its share of the data.
    rounding : {"strict", "nearest"}, default="strict"
        "strict" keeps every bound exactly; "nearest" may break one by a point and costs no more
        than the relaxed problem.
    size_min, size_max : float or array-like of shape (k,), default=None
        Least and largest cluster sizes (in weight).
    init : {"k-means++", "random"} or ndarray of shape (k, d), default="k-means++"
        Starting centers.
    n_init : int, default=3
        Number of starts; the best is kept. One when centers are given.
    n_swaps : int, default=None
        Swaps of centers tried to improve on the best start; ``2 * n_clusters`` by default, none
        when starting centers are given.
    max_iter : int, default=100
        Most assignments a start may take. With 1 the starting centers stay as they are and only
        the points are assigned: given centers of a plain clustering, the method of Bera et al.
    tol : float, default=1e-4
        Movement of the centers, relative to the variance of the points, at which to stop.
    time_limit : float, default=None
        Seconds for each strict assignment.
    missing : {"error", "group"}, default="error"
        What a missing protected value is.
    intersect : bool, default=False
        Make one attribute of all combinations of the protected columns' values.
    random_state : int, RandomState or None, default=None
        Seed of the starts.
    verbose : int, default=0
        Log each start at level INFO instead of DEBUG (logger "faircluster").

    Attributes
    ----------
    labels_ : ndarray of shape (n,), int32
        Fair labels of the training points.
    cluster_centers_ : ndarray of shape (k, d)
    inertia_ : float
        Weighted sum of squared distances from the points to the centers of their labels.
    lower_bound_ : float
        No assignment to these centers within the bounds costs less.
    gap_ : float
        ``inertia_ / lower_bound_ - 1``.
    violation_ : float
        Largest excess over any bound, in points; 0 under ``rounding="strict"``.
    price_of_fairness_ : float
        ``inertia_`` over the cost of the best clustering without bounds that was found.
    unconstrained_cost_ : float
        That cost.
    status_ : {"optimal", "feasible", "time_limit"}
    quotas_ : ndarray of shape (S, k)
        Weight of each signature in each cluster.
    groups_ : Groups
        Names and counts of the groups (one row a signature).
    bounds_ : FairnessBounds
    limits_ : tuple of two ndarrays of shape (g, k), or None
        Least and largest share of each group in each cluster.
    n_iter_ : int
        Assignments made from the best start on.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    See Also
    --------
    FairKMedian : Distances instead of squared distances.
    FairAssignment : Make the clustering of another estimator fair.

    Notes
    -----
    An assignment costs O(n k d); the number of points enters nothing else. Alternation finds a
    local optimum; for the centers it ends with, the assignment is optimal up to ``gap_``. From
    centers of a rho-approximate k-means, one fair assignment is within (rho + 2) of the optimal
    fair clustering in the distance norm (Bera et al. 2019, theorem 1), here with violation 0.

    References
    ----------
    Bera, Chakrabarty, Flores, Negahbani, "Fair algorithms for clustering", NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster import FairKMeans
    >>> X = np.array([[0.0], [0.2], [0.4], [9.0], [9.2], [9.4]])
    >>> sex = ["F", "F", "F", "M", "F", "M"]
    >>> model = FairKMeans(n_clusters=2, bounds=0.5, random_state=0).fit(X, sensitive_features=sex)
    >>> model.violation_
    0.0
    >>> model.predict([[0.1], [9.1]]).shape
    (2,)
    """

    def _geometry(self, X: Array, weights: Array | None) -> Geometry:
        return Means(X, weights)

    def _cost_source(self, X: Array, given: Any) -> CostSource:
        return DistanceCosts(X, self.cluster_centers_)

    def _keep_centers(self, centers: Array, result: AssignmentResult) -> None:
        self.cluster_centers_ = centers
        self.inertia_ = result.cost

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)

    @on_collections
    def transform(self, X: Any) -> Array:
        """Distances to the centers.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n, k)
        """
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        distances: Array = DistanceCosts(X, self.cluster_centers_, power=1).block(0, len(X))
        return distances
