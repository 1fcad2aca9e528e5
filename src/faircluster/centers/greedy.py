"""Farthest-first centers for k-center, and the best center of a cluster."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.centers.seeding import canonical_order
from faircluster.distances import DistanceCosts, map_blocks

__all__ = ["Metric", "farthest_first", "minimax_member"]

Array = NDArray[Any]


class Metric:
    """Distances between points: Euclidean, another metric of scikit-learn, or a matrix.

    Parameters
    ----------
    X : ndarray of shape (n, d), or (n, n) when precomputed
    name : str, default="euclidean"
        Name of a metric that ``sklearn.metrics.pairwise_distances`` takes, or "precomputed".

    Examples
    --------
    >>> import numpy as np
    >>> Metric(np.array([[0.0], [3.0]]), "manhattan").to(np.array([1]))
    array([[3.],
           [0.]])
    """

    def __init__(self, X: Array, name: str = "euclidean") -> None:
        self.X, self.name = X, name
        self.n_points = len(X)

    def to(self, rows: NDArray[np.intp]) -> Array:
        """Distances of every point to these, shape (n, len(rows)); O(n d) each."""
        if self.name == "precomputed":
            return np.ascontiguousarray(self.X[:, rows])
        return self.between(self.X, self.X[rows])

    def among(self, members: NDArray[np.intp], row: int) -> Array:
        """Distances of some points to one, shape (len(members),)."""
        if self.name == "precomputed":
            return np.asarray(self.X[members, row])
        return self.between(self.X[members], self.X[row : row + 1])[:, 0]

    def between(self, points: Array, centers: Array) -> Array:
        """Distances of points to centers given by coordinates."""
        if self.name == "euclidean":
            source = DistanceCosts(points, centers, power=1)
            return np.concatenate(map_blocks(len(points), source.block))
        from sklearn.metrics import pairwise_distances

        return np.ascontiguousarray(pairwise_distances(points, centers, metric=self.name))

    def order(self) -> NDArray[np.intp]:
        """Order of the points by their values only, so that draws do not depend on the order of rows."""
        if self.name == "precomputed":
            return canonical_order(np.sort(self.X, axis=1))
        return canonical_order(self.X)


def farthest_first(
    metric: Metric, n_clusters: int, first: int, order: NDArray[np.intp], held: Array | None = None
) -> tuple[NDArray[np.intp], float]:
    """Centers each of which is the point farthest from those before it.

    Parameters
    ----------
    metric : Metric
    n_clusters : int
    first : int
        Row of the first center.
    order : ndarray of shape (n,)
        From :meth:`Metric.order`; decides ties.
    held : ndarray of shape (n,), bool, default=None
        Points that count; the others are never centers nor farthest.

    Returns
    -------
    rows : ndarray of shape (n_clusters,), int
    radius : float
        Largest distance of a point to its nearest center; half of it is a lower bound for any
        centers, by the triangle inequality.

    Notes
    -----
    O(n k d). At most twice the least radius (Gonzalez, "Clustering to minimize the maximum
    intercluster distance", 1985).

    Examples
    --------
    >>> import numpy as np
    >>> metric = Metric(np.array([[0.0], [1.0], [9.0], [5.0]]))
    >>> farthest_first(metric, 2, 0, metric.order())
    (array([0, 2]), 4.0)
    """
    rows = np.empty(n_clusters, dtype=np.intp)
    closest = np.full(metric.n_points, np.inf)
    row = first
    for j in range(n_clusters):
        rows[j] = row
        np.minimum(closest, metric.to(np.array([row]))[:, 0], out=closest)
        if held is not None:
            closest[~held] = -np.inf
        row = int(order[np.argmax(closest[order])])
    return rows, float(closest[row])


def minimax_member(
    metric: Metric, members: NDArray[np.intp], start: int, trials: int = 40
) -> tuple[int, float]:
    """Member whose largest distance to the members is least.

    Parameters
    ----------
    metric : Metric
    members : ndarray of int
        Rows of the cluster.
    start : int
        A row to begin with, a member or not.
    trials : int, default=40
        Most members whose largest distance is computed.

    Returns
    -------
    row : int
        The best member found, or ``start`` when none is better.
    radius : float

    Notes
    -----
    O(m d) a trial. The largest distance to the far points found so far bounds every member's
    radius from below; the member with the least bound is tried next, and once its bound is not
    below the best radius, that is the optimum.

    Examples
    --------
    >>> import numpy as np
    >>> metric = Metric(np.array([[0.0], [4.0], [5.0], [9.0]]))
    >>> minimax_member(metric, np.arange(4), 0)
    (1, 5.0)
    """
    distances = metric.among(members, start)
    best, radius = start, float(distances.max())
    bound = np.zeros(len(members))
    far = int(members[np.argmax(distances)])
    for _ in range(trials):
        np.maximum(bound, metric.among(members, far), out=bound)
        candidate = int(np.argmin(bound))
        if bound[candidate] >= radius:
            break
        distances = metric.among(members, int(members[candidate]))
        eccentricity = float(distances.max())
        bound[candidate] = eccentricity
        if eccentricity < radius:
            best, radius = int(members[candidate]), eccentricity
        far = int(members[np.argmax(distances)])
    return best, radius
