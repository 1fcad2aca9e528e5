"""Socially fair k-means, k-median and other powers of the distance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.estimators._base import is_number
from faircluster.estimators._social import SocialClusterer

__all__ = ["SociallyFairKMeans", "SociallyFairKMedian"]

Array = NDArray[Any]


class SociallyFairKMeans(SocialClusterer):
    """k-means for the worst-off group: no group's mean squared distance is larger than it must be.

    Minimises the maximum over groups of the mean squared distance to the nearest center. Groups of
    several attributes may overlap and all count.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters k.
    method : {"auto", "lloyd", "lp"}, default="auto"
        "lloyd": Fair-Lloyd with exact center steps, for tables of any size. "lp": centers among the points
        with a proved factor and a global lower bound, from a linear program over pairs of points, for up to
        a few thousand. "auto": "lloyd", up to 300 points also from the centers of "lp", whichever is better;
        ``method_`` says which.
    bounds : FairnessBounds, float, "exact" or None, default=None
        Bounds on the shares of groups in clusters to be kept as well, as in :class:`FairKMeans`; not with
        "lp". A float s means ``FairnessBounds.slack(s)``.
    rounding : {"strict", "nearest"}, default="strict"
        How bounds are kept, as in :class:`FairKMeans`.
    size_min, size_max : float or array-like of shape (k,), default=None
        Least and largest cluster sizes (in weight); not with "lp".
    bicriteria : bool, default=False
        Open more centers, up to one fewer than k plus the number of groups; "lp" only.
    init : {"k-means++", "random"} or ndarray of shape (k, d), default="k-means++"
        Starting centers of Fair-Lloyd.
    n_init : int, default=10
        Number of starts that are blind to groups; one more draws points by the groups that decide. One when
        centers are given.
    n_swaps : int, default=None
        Swaps of centers tried to improve on the best start; ``n_clusters`` by default, none when starting
        centers are given.
    max_iter : int, default=300
        Most center steps of a start; the first 20 decide which start goes on.
    tol : float, default=1e-10
        Stop when better centers for the same clusters could lower the cost by no more than this share. Points
        that change clusters then may add up to a hundred times as much.
    time_limit : float, default=None
        Seconds for the linear program, or for each assignment within bounds.
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
        Nearest center of each training point; with bounds, labels within them.
    cluster_centers_ : ndarray of shape (n_centers_, d)
    group_costs_ : ndarray of shape (m,)
        Mean cost of each group, in the order of ``groups_.names``.
    cost_ : float
        Cost of the worst-off group, the largest of ``group_costs_``.
    lower_bound_ : float
        What is proved depends on ``method_``. "lloyd" without bounds: no centers at all give the clusters of
        ``labels_`` a smaller cost. "lloyd" with bounds: no assignment to these centers within the bounds
        has a smaller cost. "lp": no k of the points are centers with a smaller cost. "lp+lloyd": no k
        centers anywhere have a smaller cost (a quarter of the program's value).
    gap_ : float
        ``cost_ / lower_bound_ - 1``; negative only if ``bicriteria`` buys less than the bound on k centers.
    multipliers_ : ndarray of shape (m,)
        Weights of the groups in that proof. Where one is 1, its group decides alone, and the others pay less.
    method_ : {"lloyd", "lp", "lp+lloyd"}
        What was done.
    n_centers_ : int
        k, or more with ``bicriteria``.
    factor_ : float
        Proved for "lp" and "lp+lloyd": the cost is at most this times that of the best k of the points.
    center_indices_ : ndarray of shape (n_centers_,)
        Points that are the centers; only for "lp".
    inertia_ : float
        Weighted sum of squared distances of all points.
    unconstrained_cost_ : float
        ``cost_`` of the socially fair clustering found without bounds.
    price_of_fairness_ : float
        ``cost_ / unconstrained_cost_``: what the bounds cost the worst-off group.
    violation_ : float
        Largest excess over any bound, in points; 0 without bounds and under ``rounding="strict"``.
    status_ : {"optimal", "feasible", "time_limit"}
    quotas_ : ndarray of shape (S, n_centers_)
        Weight of each signature in each cluster.
    groups_ : Groups
        Names and counts of the groups (one row a signature).
    bounds_, limits_, n_iter_, n_features_in_, feature_names_in_
        As in :class:`FairKMeans`.

    See Also
    --------
    SociallyFairKMedian : Distances, or other powers of them.
    FairKMeans : Bounds on the composition of clusters, least total cost.

    Notes
    -----
    A center step takes one pass over the points, O(n k d), and solves a convex problem exactly in
    O(k m^2 d + m^3) that does not depend on n. Fair-Lloyd finds a local optimum. More than 200,000 points
    settle on a coreset first.

    References
    ----------
    Ghadiri, Samadi & Vempala, "Socially fair k-means clustering", FAccT 2021. Ghadiri, Singh & Vempala,
    "Constant-factor approximation algorithms for socially fair k-clustering", arXiv 2206.11210.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster import SociallyFairKMeans
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0], [8.0], [12.0]])
    >>> model = SociallyFairKMeans(n_clusters=2, method="lloyd", random_state=0)
    >>> model.fit(X, sensitive_features=list("aaaabb")).group_costs_.round(3)
    array([1.25, 4.  ])
    >>> model.groups_.names, model.multipliers_.round(3).tolist()
    (('a', 'b'), [0.0, 1.0])
    """

    def _p(self) -> float:
        return 2.0


class SociallyFairKMedian(SocialClusterer):
    """k-median for the worst-off group: no group's mean distance is larger than it must be.

    Minimises the maximum over groups of the mean distance to the nearest center, or of a power of it.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters k.
    power : float, default=1
        p of the cost ``distance ** p``, at least 1; larger ones weigh far points more.
    metric : {"euclidean", "precomputed"}, default="euclidean"
        With "precomputed", X holds distances between the points, (n, n), centers are points, and the method
        is "lp".
    method, bounds, rounding, size_min, size_max, bicriteria, init, n_init, n_swaps, max_iter, \
time_limit, missing, intersect, random_state, verbose
        As in :class:`SociallyFairKMeans`.
    tol : float, default=1e-6
        As in :class:`SociallyFairKMeans`, and the gap to which the last center step is proved.

    Attributes
    ----------
    labels_, cluster_centers_, group_costs_, cost_, gap_, multipliers_, method_, n_centers_, factor_, \
center_indices_, unconstrained_cost_, price_of_fairness_, violation_, status_, quotas_, groups_, \
bounds_, limits_, n_iter_
        As in :class:`SociallyFairKMeans`; no ``cluster_centers_`` when precomputed.
    lower_bound_ : float
        As in :class:`SociallyFairKMeans`; for "lp+lloyd" the program's value over 2^p.
    inertia_ : float
        Weighted sum of ``distance ** p`` over all points.

    Notes
    -----
    The center step is solved by passes over the points, one for each center step of Fair-Lloyd; at the end up
    to 180 more make sure that ``gap_`` is small, as a rule below 1e-6 and without bounds. Costs in one
    dimension with p = 1 are flat between points, and there it may stay larger.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster import SociallyFairKMedian
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0], [8.0], [12.0]])
    >>> model = SociallyFairKMedian(n_clusters=2, method="lp", random_state=0)
    >>> model.fit(X, sensitive_features=list("aaaabb")).cost_
    2.0
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        power: float = 1.0,
        metric: str = "euclidean",
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
        tol: float = 1e-6,
        time_limit: float | None = None,
        missing: str = "error",
        intersect: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            n_clusters,
            method=method,
            bounds=bounds,
            rounding=rounding,
            size_min=size_min,
            size_max=size_max,
            bicriteria=bicriteria,
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
        self.power = power
        self.metric = metric

    def _p(self) -> float:
        return float(self.power)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not is_number(self.power) or not 1 <= self.power < np.inf:
            raise ValueError(f"power must be a number of at least 1, got {self.power!r}")

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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.metric == "precomputed"
        return tags
