"""The smoothed dual of the relaxed assignment problem.

Soft minima at a temperature make the dual function smooth: its gradient is the excess over the
bounds and its Hessian needs only a k x k matrix a signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faircluster.assignment.newton_system import SharedRows, maximise_dense
from faircluster.distances import CostSource, map_blocks

__all__ = ["DualPoint", "SmoothedDual", "soft_sums"]

Array = NDArray[Any]
_DENSE_ROWS = 100  # rows up to which one dense system is solved faster


@dataclass(frozen=True)
class DualPoint:
    """The smoothed dual at some multipliers."""

    value: float  # smoothed dual
    hard: float  # true dual
    cost: float
    quotas: Array
    values: Array  # (S,), hard
    hessian: Array  # (S, k, k), without the factor 1 / temperature
    gradient: Array  # (k, r)


class SmoothedDual:
    """The smoothed dual function of one problem.

    Parameters
    ----------
    source : CostSource of shape (n, k)
    signature : ndarray of shape (n,), int32
    weights : ndarray of shape (n,) or None
    coef, rhs : ndarrays of shapes (k, r, S) and (k, r)
        Bound rows: ``coef[j] @ quotas[:, j] <= rhs[j]``.
    """

    def __init__(
        self, source: CostSource, signature: NDArray[np.int32], weights: Array | None, coef: Array, rhs: Array
    ) -> None:
        self.source, self.signature, self.weights = source, signature, weights
        self.coef, self.rhs = coef, rhs

    @property
    def total(self) -> float:
        """Weight of all points."""
        return float(len(self.signature) if self.weights is None else self.weights.sum())

    def prices(self, multipliers: Array) -> Array:
        """Prices (S, k) that the multipliers (k, r) make."""
        return np.ascontiguousarray(np.einsum("jrs,jr->sj", self.coef, multipliers))

    def at(self, multipliers: Array, temperature: float) -> DualPoint:
        """Value, gradient and Hessian; O(n k) and O(k^2) for each point near a border."""
        mass, hessian, values = self.sums(self.prices(multipliers), temperature)
        hessian = hessian + np.tril(hessian, -1).transpose(0, 2, 1)
        soft, hard, cost = values.sum(axis=0)
        constant = float(np.vdot(multipliers, self.rhs))
        gradient = np.einsum("jrs,sj->jr", self.coef, mass) - self.rhs
        soft, hard, cost = (float(value) for value in (soft - constant, hard - constant, cost))
        return DualPoint(soft, hard, cost, mass, values[:, 1], hessian, gradient)

    def sums(self, prices: Array, temperature: float) -> tuple[Array, Array, Array]:
        """All that :meth:`at` needs of the points, added up; sums of parts of the points add up to it.

        Returns
        -------
        mass : ndarray of shape (S, k)
        hessian : ndarray of shape (S, k, k)
            Lower triangles.
        values : ndarray of shape (S, 3)
            Soft minimum, minimum, and cost.
        """
        return soft_sums(self.source, self.signature, self.weights, prices, temperature)

    def step(self, multipliers: Array, point: DualPoint, temperature: float, damping: float) -> Array:
        """Damped Newton step: maximiser of the quadratic model over multipliers >= 0.

        The damping is measured against the largest curvature the smoothed dual can have, so that
        directions in which no point is near a border do not make the step explode.
        """
        direction = np.zeros_like(multipliers)
        free = self._free(multipliers, point.gradient)
        if not free.any():
            return direction
        cluster, row = np.nonzero(free)
        squares = self.coef[cluster, row] ** 2
        steepest = np.einsum("fs,sf->f", squares, point.quotas[:, cluster])
        # a cluster that no point is near has no curvature at all: give it that of an even spread
        even = float((squares @ point.quotas.sum(axis=1)).max()) / point.quotas.shape[1]
        damped = damping * (steepest + 1e-3 * max(float(steepest.max()), even) + 1e-300) / temperature
        if self.structure is not None and len(cluster) > _DENSE_ROWS:
            diagonal = np.zeros_like(multipliers)
            diagonal[free] = damped
            hessian = point.hessian / temperature
            return self.structure.maximise(hessian, diagonal, point.gradient, -multipliers, free)
        hessian = self._reduced_hessian(cluster, row, point.hessian) / temperature
        diagonal = np.einsum("ii->i", hessian)
        diagonal += damped
        direction[free] = maximise_dense(hessian, point.gradient[free], -multipliers[free])
        return direction

    @cached_property
    def structure(self) -> SharedRows | None:
        """What makes Newton systems of many rows easy to solve, if the rows have it."""
        return SharedRows.of(self.coef)

    def _free(self, multipliers: Array, gradient: Array) -> Array:
        """Multipliers that may move: the positive ones and those of the most broken rows.

        At the optimum no more rows bind than there are quotas, so when far more are broken
        (ratios between all pairs of many groups) the others can wait.
        """
        free: Array = (multipliers > 0) | (gradient > 0)
        room = max(200, 2 * self.coef.shape[2] * len(multipliers))
        waiting = (multipliers <= 0) & free
        surplus = int(free.sum()) - room
        if surplus > 0:
            drop = min(surplus, int(waiting.sum()))
            broken = np.flatnonzero(waiting)
            least = broken[np.argsort(gradient.ravel()[broken], kind="stable")[:drop]]
            free.ravel()[least] = False
        return free

    def _reduced_hessian(self, cluster: Array, row: Array, hessian: Array) -> Array:
        """Hessian in the multipliers given, which come cluster by cluster."""
        rows = self.coef[cluster, row]  # (f, S)
        out = np.empty((len(cluster), len(cluster)))
        borders = np.searchsorted(cluster, np.arange(hessian.shape[1] + 1))
        for j in range(hessian.shape[1]):
            mine = slice(borders[j], borders[j + 1])
            out[mine] = rows[mine] @ (hessian[:, j, cluster] * rows.T)
        return out


def soft_sums(
    source: CostSource, signature: NDArray[np.int32], weights: Array | None, prices: Array, temperature: float
) -> tuple[Array, Array, Array]:
    """Add up what :meth:`SmoothedDual.sums` gives, of these points.

    Parameters
    ----------
    source : CostSource of shape (n, k)
    signature : ndarray of shape (n,), int32
    weights : ndarray of shape (n,) or None
    prices : ndarray of shape (S, k)
    temperature : float

    Returns
    -------
    mass, hessian, values : ndarrays of shapes (S, k), (S, k, k) and (S, 3)
    """
    S, k = prices.shape

    def work(start: int, stop: int) -> tuple[Array, Array, Array]:
        mass, hessian, sums = np.zeros((S, k)), np.zeros((S, k, k)), np.zeros((S, 3))
        part = slice(start, stop)
        held = np.ones(0) if weights is None else weights[part]
        _soft_block(
            source.block(start, stop), signature[part], held, prices, temperature, mass, hessian, sums
        )
        return mass, hessian, sums

    parts = map_blocks(source.shape[0], work)
    mass, hessian, values = (sum((part[i] for part in parts[1:]), parts[0][i]) for i in range(3))
    return mass, hessian, values


@njit(nogil=True, cache=True)
def _soft_block(cost, signature, weights, prices, temperature, mass, hessian, sums):  # type: ignore[no-untyped-def]
    n, k = cost.shape
    value = np.empty(k)
    share = np.empty(k)
    near = np.empty(k, dtype=np.int64)
    cutoff = 30.0 * temperature
    for i in range(n):
        s = signature[i]
        w = weights[i] if len(weights) else 1.0
        if w == 0.0:
            continue
        first = np.inf
        for j in range(k):
            v = np.float64(cost[i, j]) + prices[s, j]
            value[j] = v
            first = v if v < first else first
        count = 0
        limit = first + cutoff
        for j in range(k):
            if value[j] <= limit:
                near[count] = j
                count += 1
        sums[s, 1] += w * first
        if count == 1:
            j = near[0]
            mass[s, j] += w
            sums[s, 0] += w * first
            sums[s, 2] += w * cost[i, j]
            continue
        norm = 0.0
        for a in range(count):
            e = np.exp((first - value[near[a]]) / temperature)
            share[a] = e
            norm += e
        sums[s, 0] += w * (first - temperature * np.log(norm))
        for a in range(count):
            share[a] /= norm
            j = near[a]
            mass[s, j] += w * share[a]
            sums[s, 2] += w * share[a] * cost[i, j]
        # the lower triangle: near is in increasing order
        for a in range(count):
            mine, row = w * share[a], near[a]
            for b in range(a):
                hessian[s, row, near[b]] -= mine * share[b]
            hessian[s, row, row] += mine * (1.0 - share[a])
