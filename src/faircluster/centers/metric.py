"""Distances between points and the facilities that may be centers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.centers.seeding import canonical_order
from faircluster.distances import DistanceCosts, map_blocks

__all__ = ["Metric"]

Array = NDArray[Any]


class Metric:
    """Distances to the facilities: Euclidean, another metric of scikit-learn, or a matrix.

    Parameters
    ----------
    X : ndarray of shape (n, d), or (n, p) when precomputed
    name : str, default="euclidean"
        Name of a metric that ``sklearn.metrics.pairwise_distances`` takes, or "precomputed".
    facilities : ndarray of shape (m, d), default=None
        What may be a center: coordinates; or, precomputed, columns of X, shape (m,). The points
        themselves by default.

    Examples
    --------
    >>> import numpy as np
    >>> Metric(np.array([[0.0], [3.0]]), "manhattan").to(np.array([1]))
    array([[3.],
           [0.]])
    >>> Metric(np.array([[0.0], [3.0]]), facilities=np.array([[2.0]])).to(np.array([0]))
    array([[2.],
           [1.]])
    """

    def __init__(self, X: Array, name: str = "euclidean", facilities: Array | None = None) -> None:
        self.X, self.name = X, name
        self.n_points = len(X)
        self.own = facilities is None  # whether the points are the facilities
        self.matrix = name == "precomputed"
        if facilities is None:
            facilities = np.arange(self.n_points) if self.matrix else X
        self.facilities = facilities
        self.n_facilities = len(facilities)

    def to(self, rows: NDArray[np.intp]) -> Array:
        """Distances of every point to these facilities, shape (n, len(rows)); O(n d) each."""
        if self.matrix:
            return np.ascontiguousarray(self.X[:, self.facilities[rows]])
        return self.between(self.X, self.facilities[rows])

    def among(self, members: NDArray[np.intp], row: int) -> Array:
        """Distances of some points to one facility, shape (len(members),)."""
        if self.matrix:
            return np.asarray(self.X[members, self.facilities[row]])
        return self.between(self.X[members], self.facilities[row : row + 1])[:, 0]

    def of(self, point: int, rows: NDArray[np.intp] | None = None) -> Array:
        """Distances of one point to some facilities, all by default."""
        if self.matrix:
            return np.asarray(self.X[point, self.facilities if rows is None else self.facilities[rows]])
        places = self.facilities if rows is None else self.facilities[rows]
        return self.between(places, self.X[point : point + 1])[:, 0]

    def apart(self, point: int) -> Array:
        """How far every point is from one, shape (n,), as a start for centers needs it.

        Points that one facility can serve within r are at most 2 r apart, and the facility nearest
        to either of two points that are at most 2 r apart is within 3 r of both, if it is within r
        of its own. Distances between points have both properties; without them, twice the least
        radius that serves both points has.
        """
        if not self.matrix:
            return self.between(self.X, self.X[point : point + 1])[:, 0]
        if self.own:
            return np.asarray(self.X[:, point])
        served = self.X[point, self.facilities]

        def least(start: int, stop: int) -> Array:
            return np.maximum(self.X[start:stop][:, self.facilities], served).min(axis=1)

        return 2.0 * np.concatenate(map_blocks(self.n_points, least))

    def between(self, points: Array, centers: Array) -> Array:
        """Distances of points to centers given by coordinates."""
        if self.name == "euclidean":
            source = DistanceCosts(points, centers, power=1)
            out = np.empty(source.shape, dtype=source.X.dtype)

            def fill(start: int, stop: int) -> None:
                out[start:stop] = source.block(start, stop)

            map_blocks(len(points), fill)
            return out
        from sklearn.metrics import pairwise_distances

        return np.ascontiguousarray(pairwise_distances(points, centers, metric=self.name))

    def nearest(self, point: int) -> int:
        """Facility nearest to a point; the point itself where points are the facilities."""
        return point if self.own else int(np.argmin(self.of(point)))

    def at(self, rows: NDArray[np.intp]) -> Array:
        """Coordinates of facilities, (len(rows), d); not when precomputed."""
        return np.array(self.facilities[rows])

    def part(self, rows: NDArray[np.intp]) -> Metric:
        """Distances of some of the points; they are the facilities if the points were."""
        if not self.own:
            return Metric(self.X[rows], self.name, self.facilities)
        return Metric(self.X[np.ix_(rows, rows)] if self.matrix else self.X[rows], self.name)

    def order(self) -> NDArray[np.intp]:
        """Order of the points by their values only, so that draws do not depend on the order of rows."""
        if self.matrix and self.own:
            return canonical_order(np.sort(self.X, axis=1))
        return canonical_order(self.X)
