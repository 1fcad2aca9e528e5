"""One pass over the points: nearest centers, group costs, and all that the center step needs to know.

A pass sums by (signature, cluster) and the sums by signature become sums by group, so overlapping groups
cost nothing per point. Sums are taken relative to the present centers, which keeps them accurate where
clusters are small next to their distance from the origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faircluster.distances import BLOCK_ROWS, map_blocks
from faircluster.groups import Groups

__all__ = ["CostModel", "GroupedPoints", "Sweep"]

Array = NDArray[Any]
_ROUND = 16 * BLOCK_ROWS  # rows whose sums are held at the same time
_TILE = 128  # rows whose distances are computed together in fast memory


@dataclass(frozen=True, eq=False)
class CostModel:
    """Costs of m groups in k clusters at given centers, with their slopes and curvatures.

    When cluster j's center moves by v, the cost of group s there becomes
    ``costs[s, j] + slopes[s, j] @ v + curvature[s, j] / 2 * v @ v``: exactly so for p = 2, not less than
    the true cost for p < 2, to first order for p > 2.

    Attributes
    ----------
    centers : ndarray of shape (k, d), float64
        Where the model is exact.
    costs : ndarray of shape (m, k)
        Mean cost of each group, by cluster: a row adds up to the group's cost.
    slopes : ndarray of shape (m, k, d)
    curvature : ndarray of shape (m, k)
    mass : ndarray of shape (m, k)
        Share of each group's weight in each cluster.
    smooth : ndarray of shape (m, k)
        For p < 2 the costs with the tip of the distance rounded off, which is what the model bounds;
        otherwise ``costs`` itself.
    excess : float
        By how much the smooth cost of a group is above the true one, at most.
    """

    centers: Array
    costs: Array
    slopes: Array
    curvature: Array
    mass: Array
    smooth: Array
    excess: float = 0.0

    @cached_property
    def group_costs(self) -> NDArray[np.float64]:
        """Mean cost of each group, (m,); 0 for a group without weight."""
        return np.asarray(self.costs.sum(axis=1))

    @property
    def value(self) -> float:
        """Cost of the worst-off group."""
        return float(self.group_costs.max(initial=0.0))


@dataclass(frozen=True, eq=False)
class Sweep:
    """What a pass found.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
    model : CostModel
    sizes : ndarray of shape (k,)
        Weight of each cluster, points of no group included.
    """

    labels: NDArray[np.int32]
    model: CostModel
    sizes: Array


class GroupedPoints:
    """Points with the groups they belong to and a power of the distance.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32 or float64
        Not copied.
    groups : Groups
        With n rows, and sample weights if there are any. A group's cost is the weighted mean of its members.
    power : float, default=2
        p of the cost ``distance ** p``, at least 1.

    Raises
    ------
    ValueError
        A power below 1, or lengths that differ.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0], [8.0], [9.0]])
    >>> points = GroupedPoints(X, Groups.from_features(["a", "b", "a", "b"]))
    >>> points.sweep(np.array([[0.0], [9.0]])).model.group_costs
    array([0.5, 0.5])
    """

    def __init__(self, X: Array, groups: Groups, power: float = 2.0) -> None:
        if not power >= 1:
            raise ValueError(f"power must be at least 1, got {power!r}")
        if groups.n_rows != len(X):
            raise ValueError(
                f"X has {len(X)} rows but groups has {groups.n_rows}; give one group value a row"
            )
        self.X, self.groups, self.power = np.ascontiguousarray(X), groups, float(power)
        member = groups.signature_membership
        counts = groups.counts[None, :]
        #: (S, m): weight 1 of a signature is this share of each group
        self.shares = np.divide(member, counts, out=np.zeros(member.shape), where=member & (counts > 0))

    @property
    def n_points(self) -> int:
        """Number of points n."""
        return len(self.X)

    def sweep(self, centers: Array, *, labels: Array | None = None, tip: float = 0.0) -> Sweep:
        """Find the nearest centers and the costs there.

        Parameters
        ----------
        centers : ndarray of shape (k, d)
        labels : ndarray of shape (n,), int32, default=None
            Clusters to use instead of the nearest.
        tip : float, default=0.0
            For p < 2: distances below it cost as a parabola does, which makes costs smooth. It should be
            positive when a center may sit on a point.

        Returns
        -------
        Sweep

        Notes
        -----
        O(n k d) in one pass, and O(S k d) for the sums by signature. Of equally near centers, the first.
        """
        out, numbers, slopes = self.sums(centers, labels, tip)
        return Sweep(out, self.model(centers, numbers, slopes, tip), numbers[0].sum(axis=0))

    def sums(
        self, centers: Array, labels: Array | None, tip: float
    ) -> tuple[NDArray[np.int32], Array, Array]:
        """Labels, and by signature and cluster what :meth:`model` needs; sums of parts add up.

        Returns
        -------
        labels : ndarray of shape (n,), int32
        numbers : ndarray of shape (4, S, k)
            Weight, cost, smooth cost and curvature.
        slopes : ndarray of shape (S, k, d)
        """
        centers = np.ascontiguousarray(centers, dtype=np.float64)
        k, d = centers.shape
        signatures = self.groups.n_signatures
        out = (
            np.empty(self.n_points, dtype=np.int32) if labels is None else np.asarray(labels, dtype=np.int32)
        )

        def work(start: int, stop: int) -> tuple[Array, Array]:
            numbers, slopes = np.zeros((4, signatures, k)), np.zeros((signatures, k, d))
            _sweep_block(
                self.X[start:stop], self.groups.signature[start:stop], self._weights(start, stop), centers,
                labels is not None, self.power, max(tip, 1e-150), out[start:stop], numbers, slopes,
            )  # fmt: skip
            return numbers, slopes

        numbers, slopes = _total(self.n_points, work)
        return out, numbers, slopes

    def model(self, centers: Array, numbers: Array, slopes: Array, tip: float) -> CostModel:
        """Costs of the groups from what :meth:`sums` gives."""
        mass, costs, smooth, curvature = (self._by_group(part) for part in numbers)
        if self.power == 2:
            smooth, curvature = costs, 2.0 * mass
        elif self.power > 2:
            smooth = costs
        excess = (1.0 - 0.5 * self.power) * tip**self.power if self.power < 2 else 0.0
        centers = np.ascontiguousarray(centers, dtype=np.float64)
        return CostModel(centers, costs, self._by_group(slopes), curvature, mass, smooth, excess)

    def own_costs(self, centers: Array, labels: Array) -> NDArray[np.float64]:
        """Cost of each point at the center of its label, unweighted, (n,)."""
        centers = np.asarray(centers, dtype=np.float64)

        def work(start: int, stop: int) -> Array:
            away = self.X[start:stop] - centers[labels[start:stop]]
            return np.asarray(np.einsum("ij,ij->i", away, away) ** (0.5 * self.power))

        return np.concatenate(map_blocks(self.n_points, work))

    def point_weights(self, multipliers: Array) -> NDArray[np.float64]:
        """Weight of each point in the sum over groups of multiplier times mean cost, (n,)."""
        weights: Array = (self.shares @ multipliers)[self.groups.signature]
        return weights if self.groups.weights is None else weights * self.groups.weights

    def _weights(self, start: int, stop: int) -> Array:
        return np.empty(0) if self.groups.weights is None else self.groups.weights[start:stop]

    def _by_group(self, sums: Array) -> Array:
        """Turn sums by signature, (S, ...), into means by group, (m, ...)."""
        flat = self.shares.T @ sums.reshape(len(sums), -1)
        return np.asarray(flat.reshape(-1, *sums.shape[1:]))


def _total(n: int, work: Callable[[int, int], tuple[Array, ...]]) -> list[Array]:
    """Sum of what the blocks give, holding the results of a few blocks at a time."""
    total: list[Array] = []
    for begin in range(0, n, _ROUND):
        size = min(_ROUND, n - begin)
        for part in map_blocks(size, partial(_shifted, work, begin)):
            total = [sums + more for sums, more in zip(total, part, strict=True)] if total else list(part)
    return total


def _shifted(
    work: Callable[[int, int], tuple[Array, ...]], begin: int, start: int, stop: int
) -> tuple[Array, ...]:
    return work(begin + start, begin + stop)


@njit(nogil=True, cache=True, fastmath={"contract"})
def _nearest_tile(X, columns, centers, squared, nearest, near):  # type: ignore[no-untyped-def]
    """Squared distances of a few rows to their nearest centers; one coordinate of all rows is a run."""
    b, d = X.shape
    k = len(centers)
    for t in range(d):
        for i in range(b):
            columns[t, i] = X[i, t]
    for i in range(b):
        near[i] = np.inf
        nearest[i] = 0.0
    for j in range(0, k, 2):  # two centers for every coordinate read, the last one twice if k is odd
        other = min(j + 1, k - 1)
        for i in range(b):
            squared[0, i] = 0.0
            squared[1, i] = 0.0
        t = 0
        while t + 2 <= d:
            a0, a1, b0, b1 = centers[j, t], centers[j, t + 1], centers[other, t], centers[other, t + 1]
            for i in range(b):
                x0, x1 = columns[t, i], columns[t + 1, i]
                squared[0, i] += (x0 - a0) * (x0 - a0) + (x1 - a1) * (x1 - a1)
                squared[1, i] += (x0 - b0) * (x0 - b0) + (x1 - b1) * (x1 - b1)
            t += 2
        if t < d:
            a0, b0 = centers[j, t], centers[other, t]
            for i in range(b):
                x0 = columns[t, i]
                squared[0, i] += (x0 - a0) * (x0 - a0)
                squared[1, i] += (x0 - b0) * (x0 - b0)
        for i in range(b):
            closer = squared[0, i] < near[i]
            nearest[i] = float(j) if closer else nearest[i]
            near[i] = squared[0, i] if closer else near[i]
            closer = squared[1, i] < near[i]
            nearest[i] = float(other) if closer else nearest[i]
            near[i] = squared[1, i] if closer else near[i]


@njit(nogil=True, cache=True, fastmath={"contract"})
def _sweep_block(X, signature, weights, centers, given, power, tip, labels, numbers, slopes):  # type: ignore[no-untyped-def]
    n, d = X.shape
    columns, squared = np.empty((d, _TILE)), np.empty((2, _TILE))
    near, nearest = np.empty(_TILE), np.empty(_TILE)
    for start in range(0, n, _TILE):
        stop = min(start + _TILE, n)
        if not given:
            _nearest_tile(X[start:stop], columns, centers, squared, nearest, near)
        for i in range(start, stop):
            j = labels[i] if given else int(nearest[i - start])
            labels[i] = j
            s = signature[i]
            w = weights[i] if len(weights) else 1.0
            away = near[i - start]
            if given:
                away = 0.0
                for t in range(d):
                    away += (X[i, t] - centers[j, t]) ** 2
            pull = 2.0 * w
            numbers[0, s, j] += w
            if power == 2.0:
                numbers[1, s, j] += w * away
            else:
                pull = _add_power(w, np.sqrt(away), power, tip, numbers[:, s, j])
            for t in range(d):
                slopes[s, j, t] += pull * (centers[j, t] - X[i, t])


@njit(nogil=True, cache=True)
def _add_power(w, distance, power, tip, sums):  # type: ignore[no-untyped-def]
    """Add a point's cost, smooth cost and curvature; its slope is what is returned times its offset."""
    sums[1] += w * distance**power
    if power > 2.0:
        pull = w * power * distance ** (power - 2.0)
        sums[3] += (power - 1.0) * pull
        return pull
    bent = max(distance, tip)
    pull = w * power * bent ** (power - 2.0)
    sums[2] += w * bent**power + 0.5 * pull * (distance**2 - bent**2)
    sums[3] += pull
    return pull
