"""What a center is: a mean, a geometric median or a medoid. Blind to groups.

A geometry holds the points and answers the questions every alternating method asks: what do the
points cost at these centers, which centers suit these labels best, where to start.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faircluster.centers.seeding import canonical_order, plus_plus, random_points
from faircluster.distances import CostSource, DenseCosts, DistanceCosts, map_blocks

__all__ = ["Geometry", "Means", "Medians", "Medoids"]

Array = NDArray[Any]
_DENSE_ENTRIES = 4_000_000  # larger cost matrices are computed again rather than kept in memory


class Geometry(Protocol):
    """Points and the kind of center they are clustered around."""

    weights: Array | None

    @property
    def n_points(self) -> int:
        """Number of points."""

    @property
    def order(self) -> Array:
        """Order of the points that depends on their values only, for draws."""

    def costs(self, centers: Array) -> CostSource:
        """Cost of every point at every center."""

    def update(self, labels: Array, centers: Array) -> Array:
        """Best centers for these labels; those of empty clusters stay."""

    def start(self, how: str, n_clusters: int, random_state: np.random.RandomState) -> Array:
        """Draw starting centers, ``how`` is "k-means++" or "random"."""

    def at(self, rows: Array) -> Array:
        """Centers at these points."""

    def subset(self, rows: Array, weights: Array | None) -> Geometry:
        """Return the same geometry on some of the points."""

    def scale(self) -> float:
        """Return the unit in which movements of centers are compared with a tolerance."""


class _Vectors:
    """Points with coordinates."""

    power: int

    def __init__(self, X: Array, weights: Array | None = None) -> None:
        self.X, self.weights = X, weights

    @property
    def n_points(self) -> int:
        return int(self.X.shape[0])

    def costs(self, centers: Array) -> CostSource:
        lazy = DistanceCosts(self.X, centers, self.power)
        if lazy.shape[0] * lazy.shape[1] > _DENSE_ENTRIES:
            return lazy
        return DenseCosts(np.concatenate(map_blocks(lazy.shape[0], lazy.block)))

    @cached_property
    def order(self) -> Array:
        return canonical_order(self.X)

    def start(self, how: str, n_clusters: int, random_state: np.random.RandomState) -> Array:
        if how == "random":
            return self.at(random_points(self.X, self.order, self.weights, n_clusters, random_state))
        rows = plus_plus(
            lambda rows: DistanceCosts(self.X, self.X[rows], self.power),
            self.order,
            self.weights,
            n_clusters,
            random_state,
        )
        return self.at(rows)

    def at(self, rows: Array) -> Array:
        return self.X[rows].copy()

    def _weights(self, part: slice) -> Array:
        return np.empty(0) if self.weights is None else self.weights[part]

    def subset(self, rows: Array, weights: Array | None) -> Any:
        return type(self)(self.X[rows], weights)

    def scale(self) -> float:
        return self._variance

    @cached_property
    def _variance(self) -> float:
        """Variance of the points, mean over the features."""
        near = self.X[0].astype(np.float64)  # far from zero, squares would cancel

        def work(start: int, stop: int) -> tuple[Array, Array, Array]:
            part = self.X[start:stop] - near
            weights = np.ones(len(part)) if self.weights is None else self.weights[start:stop]
            weighted = part * weights[:, None]
            return np.array(weights.sum()), weighted.sum(axis=0), (weighted * part).sum(axis=0)

        mass, sums, squares = _total(map_blocks(self.n_points, work))
        return float(np.mean(np.maximum(squares / mass - (sums / mass) ** 2, 0.0)))


class Means(_Vectors):
    """Squared Euclidean distances; the best center is the weighted mean.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    weights : ndarray of shape (n,), default=None

    Examples
    --------
    >>> import numpy as np
    >>> Means(np.array([[0.0], [2.0], [9.0]])).update(np.array([0, 0, 1]), np.zeros((2, 1)))
    array([[1.],
           [9.]])
    """

    power = 2

    def update(self, labels: Array, centers: Array) -> Array:
        """Weighted means, O(n d); centers of empty clusters stay."""
        return self.from_sums(self.sums(labels, centers), centers)

    def sums(self, labels: Array, centers: Array) -> list[Array]:
        """Add up what :meth:`from_sums` needs; sums of parts of the points add up to it."""

        def work(start: int, stop: int) -> tuple[Array, Array]:
            sums, mass = np.zeros(centers.shape), np.zeros(len(centers))
            part = slice(start, stop)
            _add_means(self.X[part], labels[part], self._weights(part), sums, mass)
            return sums, mass

        return _total(map_blocks(self.n_points, work))

    @staticmethod
    def from_sums(total: list[Array], centers: Array) -> Array:
        """Means from sums and weights."""
        sums, mass = total
        held = mass > 0
        new = centers.astype(np.float64)
        new[held] = sums[held] / mass[held, None]
        return new.astype(centers.dtype)


class Medians(_Vectors):
    """Euclidean distances; the best center is the weighted geometric median.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    weights : ndarray of shape (n,), default=None

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [2.0], [9.0]])
    >>> Medians(X).update(np.zeros(3, dtype=np.int32), X[:1]).round(3)
    array([[2.]])
    """

    power = 1
    steps = 30

    def update(self, labels: Array, centers: Array) -> Array:
        """Weiszfeld's iteration as mended by Vardi & Zhang (2000), O(n d) a step.

        It starts from ``centers``, so the cost never rises, and ends with a look at the nearest
        member of each cluster: near a point that is the median itself the iteration is slow.
        """
        new = centers.astype(np.float64)
        unit = self.scale() ** 0.5
        for _ in range(self.steps):
            moved = self._weiszfeld(labels, new, 1e-12 * unit)
            shift = float(np.abs(moved - new).max(initial=0.0))
            new = moved
            if shift <= 1e-6 * unit:
                break
        return self._snap(labels, new).astype(centers.dtype)

    def _weiszfeld(self, labels: Array, centers: Array, near: float) -> Array:
        return self.from_sums(self.sums(labels, centers, near), centers)

    def sums(self, labels: Array, centers: Array, near: float) -> list[Array]:
        """Add up what a step of the iteration needs; sums of parts of the points add up to it."""

        def work(start: int, stop: int) -> tuple[Array, Array, Array]:
            sums, mass, here = np.zeros(centers.shape), np.zeros(len(centers)), np.zeros(len(centers))
            part = slice(start, stop)
            _add_medians(self.X[part], labels[part], self._weights(part), centers, near, sums, mass, here)
            return sums, mass, here

        return _total(map_blocks(self.n_points, work))

    @staticmethod
    def from_sums(total: list[Array], centers: Array) -> Array:
        """One step from the centers."""
        sums, mass, here = total
        pull = sums - centers * mass[:, None]
        strength = np.sqrt((pull**2).sum(axis=1))
        # A center that sits on a point moves only if the others pull harder than that point holds.
        hold = np.divide(here, strength, out=np.ones_like(here), where=strength > 0)
        step = np.divide(pull, mass[:, None], out=np.zeros_like(pull), where=mass[:, None] > 0)
        moved: Array = centers + np.clip(1.0 - hold, 0.0, 1.0)[:, None] * step
        return moved

    def _snap(self, labels: Array, centers: Array) -> Array:
        """Move centers to the nearest member of their cluster where that is cheaper."""

        def find(start: int, stop: int) -> tuple[Array, Array]:
            row, least = np.full(len(centers), -1), np.full(len(centers), np.inf)
            part = slice(start, stop)
            _nearest_members(self.X[part], labels[part], self._weights(part), centers, row, least)
            return np.where(row >= 0, row + start, -1), least

        def compare(start: int, stop: int) -> tuple[Array]:
            gain = np.zeros(len(centers))
            part = slice(start, stop)
            _add_gain(self.X[part], labels[part], self._weights(part), centers, members, gain)
            return (gain,)

        rows, least = (np.stack(column) for column in zip(*map_blocks(self.n_points, find), strict=True))
        row = rows[least.argmin(axis=0), np.arange(len(centers))]
        members = np.where((row >= 0)[:, None], self.X[row], centers).astype(np.float64)
        (gain,) = _total(map_blocks(self.n_points, compare))
        return np.where((gain > 0)[:, None], members, centers)


class Medoids:
    """A matrix of distances; the best center is the member with the least total distance.

    Parameters
    ----------
    D : ndarray of shape (n, m)
        Distance of each point to each possible center; square when the points are the centers.
    weights : ndarray of shape (n,), default=None
    facilities : ndarray of shape (n,), default=None
        Column of each point; the points themselves by default.

    Examples
    --------
    >>> import numpy as np
    >>> D = np.abs(np.subtract.outer([0.0, 2.0, 9.0], [0.0, 2.0, 9.0]))
    >>> Medoids(D).update(np.zeros(3, dtype=np.int32), np.array([0]))
    array([1])
    """

    def __init__(self, D: Array, weights: Array | None = None, facilities: Array | None = None) -> None:
        self.D, self.weights = D, weights
        self.facilities = np.arange(D.shape[0]) if facilities is None else facilities

    @property
    def n_points(self) -> int:
        """Number of points."""
        return int(self.D.shape[0])

    def costs(self, centers: Array) -> CostSource:
        """Columns of the matrix."""
        return DenseCosts(np.ascontiguousarray(self.D[:, centers]))

    def update(self, labels: Array, centers: Array) -> Array:
        """Exact medoids, O(sum of squared cluster sizes); points without weight are not eligible."""
        new = centers.copy()
        counts = True if self.weights is None else self.weights > 0
        for j in range(len(centers)):
            members = np.flatnonzero((labels == j) & counts)
            if len(members):
                weights = np.ones(len(members)) if self.weights is None else self.weights[members]
                columns = self.facilities[members]
                total = weights @ self.D[np.ix_(members, columns)]
                present = np.flatnonzero(columns == centers[j])
                best = int(np.argmin(total))
                # keep the present medoid in a tie, so that the iteration ends
                if len(present) and total[present[0]] <= total[best]:
                    best = int(present[0])
                new[j] = columns[best]
        return new

    @cached_property
    def order(self) -> Array:
        """Order of the points by their distances to all others."""
        # sorted, because the order of the columns is that of the rows
        return canonical_order(np.sort(self.D, axis=1))

    def start(self, how: str, n_clusters: int, random_state: np.random.RandomState) -> Array:
        """Draw points like k-means++ with distances, or at random."""
        if how == "random":
            return self.at(random_points(self.D, self.order, self.weights, n_clusters, random_state))
        rows = plus_plus(
            lambda rows: self.costs(self.facilities[rows]),
            self.order,
            self.weights,
            n_clusters,
            random_state,
        )
        return self.at(rows)

    def at(self, rows: Array) -> Array:
        """Columns of these points."""
        return np.array(self.facilities[rows])

    def subset(self, rows: Array, weights: Array | None) -> Medoids:
        """Keep some rows of the matrix, all columns."""
        return Medoids(self.D[rows], weights, self.facilities[rows])

    def scale(self) -> float:
        """Medoids do not move by small amounts."""
        return 1.0


def _total(parts: list[tuple[Array, ...]]) -> list[Array]:
    return [np.sum(np.stack(column), axis=0) for column in zip(*parts, strict=True)]


@njit(nogil=True, cache=True)
def _add_means(X, labels, weights, sums, mass):  # type: ignore[no-untyped-def]
    for i in range(X.shape[0]):
        j = labels[i]
        w = weights[i] if len(weights) else 1.0
        mass[j] += w
        for t in range(X.shape[1]):
            sums[j, t] += w * X[i, t]


@njit(nogil=True, cache=True)
def _distance(x, center):  # type: ignore[no-untyped-def]
    squared = 0.0
    for t in range(len(x)):
        squared += (x[t] - center[t]) ** 2
    return np.sqrt(squared)


@njit(nogil=True, cache=True)
def _add_medians(X, labels, weights, centers, near, sums, mass, here):  # type: ignore[no-untyped-def]
    for i in range(X.shape[0]):
        j = labels[i]
        w = weights[i] if len(weights) else 1.0
        distance = _distance(X[i], centers[j])
        if distance <= near:
            here[j] += w
            continue
        mass[j] += w / distance
        for t in range(X.shape[1]):
            sums[j, t] += w * X[i, t] / distance


@njit(nogil=True, cache=True)
def _nearest_members(X, labels, weights, centers, row, least):  # type: ignore[no-untyped-def]
    for i in range(X.shape[0]):
        j = labels[i]
        if len(weights) and weights[i] == 0.0:
            continue
        distance = _distance(X[i], centers[j])
        if distance < least[j]:
            row[j], least[j] = i, distance


@njit(nogil=True, cache=True)
def _add_gain(X, labels, weights, centers, members, gain):  # type: ignore[no-untyped-def]
    for i in range(X.shape[0]):
        j = labels[i]
        w = weights[i] if len(weights) else 1.0
        gain[j] += w * (_distance(X[i], centers[j]) - _distance(X[i], members[j]))
