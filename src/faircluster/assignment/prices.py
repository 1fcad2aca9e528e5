"""Prices: the dual of the relaxed assignment problem, solved by a smoothed Newton method.

One multiplier for every bound row and cluster gives one price for every signature and cluster.
At given multipliers the dual function is a minimum over the clusters for every point, so any
multipliers at all give a valid lower bound. The minimum is smoothed by a temperature, which makes
the dual twice differentiable; its gradient is the excess over the bounds and its Hessian needs
only a k x k matrix a signature. The temperature falls until the smoothing no longer matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faircluster.assignment.pivoting import maximise_above
from faircluster.distances import CostSource, map_blocks
from faircluster.sampling import stratified_sample

__all__ = ["Relaxation", "lower_bound", "relax"]

Array = NDArray[Any]
_COOLING = 0.2  # factor between temperatures
_NEWTON_STEPS = 40  # a temperature
_LEVELS = 14


@dataclass(frozen=True)
class Relaxation:
    """Solution of the assignment problem without integrality.

    Attributes
    ----------
    multipliers : ndarray of shape (k, r)
        Non-negative multiplier of each bound row in each cluster.
    prices : ndarray of shape (S, k)
        What the multipliers add to the cost of a signature in a cluster.
    quotas : ndarray of shape (S, k)
        Weight of each signature in each cluster, not whole, within the bounds up to tolerance.
    density : ndarray of shape (S, k)
        Weight that changes cluster for a unit change of price.
    values : ndarray of shape (S,)
        Least ``cost + price`` summed over the points of a signature.
    lower_bound : float
        Dual value: no assignment within the bounds costs less.
    cost : float
        Cost of the smoothed assignment; its distance to ``lower_bound`` tells how exact both are.
    temperature : float
        The last temperature, a place to start from when costs change a little.
    """

    multipliers: NDArray[np.float64]
    prices: NDArray[np.float64]
    quotas: NDArray[np.float64]
    density: NDArray[np.float64]
    values: NDArray[np.float64]
    lower_bound: float
    cost: float
    temperature: float


@dataclass(frozen=True)
class _Point:
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

    def prices(self, multipliers: Array) -> Array:
        """Prices (S, k) that the multipliers (k, r) make."""
        return np.ascontiguousarray(np.einsum("jrs,jr->sj", self.coef, multipliers))

    def at(self, multipliers: Array, temperature: float) -> _Point:
        """Value, gradient and Hessian; O(n k) and O(k^2) for each point near a border."""
        prices = self.prices(multipliers)
        S, k = prices.shape

        def work(start: int, stop: int) -> tuple[Array, Array, Array]:
            mass, hessian, sums = np.zeros((S, k)), np.zeros((S, k, k)), np.zeros((S, 3))
            part = slice(start, stop)
            weights = np.ones(0) if self.weights is None else self.weights[part]
            _soft_block(
                self.source.block(start, stop),
                self.signature[part],
                weights,
                prices,
                temperature,
                mass,
                hessian,
                sums,
            )
            return mass, hessian, sums

        parts = map_blocks(self.source.shape[0], work)
        mass = sum((part[0] for part in parts[1:]), parts[0][0])
        hessian = sum((part[1] for part in parts[1:]), parts[0][1])
        values = sum((part[2] for part in parts[1:]), parts[0][2])
        soft, hard, cost = values.sum(axis=0)
        constant = float(np.vdot(multipliers, self.rhs))
        gradient = np.einsum("jrs,sj->jr", self.coef, mass) - self.rhs
        soft, hard, cost = (float(value) for value in (soft - constant, hard - constant, cost))
        return _Point(soft, hard, cost, mass, values[:, 1], hessian, gradient)

    def step(self, multipliers: Array, point: _Point, temperature: float, damping: float) -> Array:
        """Damped Newton step: maximiser of the quadratic model over multipliers >= 0.

        The damping is measured against the largest curvature the smoothed dual can have, so that
        directions in which no point is near a border do not make the step explode.
        """
        direction = np.zeros_like(multipliers)
        free = self._free(multipliers, point.gradient)
        if not free.any():
            return direction
        cluster, row = np.nonzero(free)
        hessian = self._reduced_hessian(cluster, row, point.hessian) / temperature
        squares = self.coef[cluster, row] ** 2
        steepest = np.einsum("fs,sf->f", squares, point.quotas[:, cluster])
        # a cluster that no point is near has no curvature at all: give it that of an even spread
        even = float((squares @ point.quotas.sum(axis=1)).max()) / point.quotas.shape[1]
        diagonal = np.einsum("ii->i", hessian)
        diagonal += damping * (steepest + 1e-3 * max(float(steepest.max()), even) + 1e-300) / temperature
        direction[free] = maximise_above(hessian, point.gradient[free], -multipliers[free])
        return direction

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
        for a in range(count):
            for b in range(count):
                hessian[s, near[a], near[b]] -= w * share[a] * share[b]
            hessian[s, near[a], near[a]] += w * share[a]


def relax(
    source: CostSource,
    signature: NDArray[np.int32],
    weights: Array | None,
    coef: Array,
    rhs: Array,
    *,
    start: Relaxation | None = None,
    tolerance: float = 1e-5,
    sample: int = 40_000,
) -> Relaxation:
    """Solve the relaxed assignment problem to a relative duality gap.

    Parameters
    ----------
    source : CostSource of shape (n, k)
    signature : ndarray of shape (n,), int32
        Signature of each point, 0 to S-1.
    weights : ndarray of shape (n,) or None
        Non-negative weights, 1 each by default.
    coef, rhs : ndarrays of shapes (k, r, S) and (k, r)
        Bound rows: ``coef[j] @ quotas[:, j] <= rhs[j]``; they must admit a solution.
    start : Relaxation, default=None
        Solution of a similar problem with the same signatures and rows.
    tolerance : float, default=1e-5
        Relative gap between smoothed cost and dual value at which to stop.
    sample : int, default=40_000
        Problems larger than twice this are first solved on a sample of about this many points,
        every signature represented; the full data are then used for the last Newton steps.

    Returns
    -------
    Relaxation

    Notes
    -----
    A Newton step costs O(n k) and O((k r)^3) with only the rows counted that bind. A few dozen
    steps as a rule, most of them on the sample.

    Examples
    --------
    Two points, two clusters, at most one point in each:

    >>> import numpy as np
    >>> from faircluster.distances import DenseCosts
    >>> cost = DenseCosts(np.array([[0.0, 2.0], [0.0, 3.0]]))
    >>> coef, rhs = np.ones((2, 1, 1)), np.ones((2, 1))
    >>> solution = relax(cost, np.zeros(2, dtype=np.int32), None, coef, rhs)
    >>> round(solution.lower_bound, 3)
    2.0
    """
    dual = SmoothedDual(source, signature, weights, coef, rhs)
    if coef.shape[1] == 0:
        return _finish(dual, np.zeros(rhs.shape), _spread(source) * 1e-3)
    if len(signature) <= 2 * sample:
        multipliers, temperature = _starting_point(source, rhs, start)
        return _anneal(dual, multipliers, temperature, tolerance, _LEVELS)
    chosen, sample_weights = stratified_sample(signature, coef.shape[2], sample, weights)
    small = SmoothedDual(_gather(source, chosen), signature[chosen], sample_weights, coef, rhs)
    multipliers, temperature = _starting_point(small.source, rhs, start)
    rough = _anneal(small, multipliers, temperature, tolerance, _LEVELS)
    return _anneal(dual, rough.multipliers, rough.temperature, tolerance, 3)


def lower_bound(
    source: CostSource,
    signature: NDArray[np.int32],
    weights: Array | None,
    coef: Array,
    rhs: Array,
    multipliers: Array,
) -> float:
    """Dual value at given multipliers: a lower bound whatever they are (if non-negative).

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.distances import DenseCosts
    >>> cost = DenseCosts(np.array([[0.0, 2.0], [0.0, 3.0]]))
    >>> lower_bound(cost, np.zeros(2, dtype=np.int32), None, np.ones((2, 1, 1)), np.ones((2, 1)),
    ...             np.array([[2.0], [0.0]]))
    2.0
    """
    dual = SmoothedDual(source, signature, weights, coef, rhs)
    return dual.at(multipliers, 1e-300).hard


def _starting_point(source: CostSource, rhs: Array, start: Relaxation | None) -> tuple[Array, float]:
    spread = _spread(source)
    if start is None or start.multipliers.shape != rhs.shape:
        return np.zeros(rhs.shape), 0.1 * spread
    return start.multipliers.copy(), min(max(start.temperature / _COOLING, spread * 1e-4), 0.1 * spread)


def _spread(source: CostSource) -> float:
    """Typical difference between a point's costs: the scale temperatures are measured in."""
    n = source.shape[0]
    cost = source.take(np.arange(0, n, max(1, n // 1_000))).astype(np.float64)
    spread = float((cost.mean(axis=1) - cost.min(axis=1)).mean())
    return spread if spread > 0 else 1.0


def _gather(source: CostSource, rows: Array) -> CostSource:
    from faircluster.distances import DenseCosts

    return DenseCosts(source.take(rows))


def _anneal(
    dual: SmoothedDual, multipliers: Array, temperature: float, tolerance: float, levels: int
) -> Relaxation:
    """Newton's method at falling temperatures until cost and dual value agree."""
    total = len(dual.signature) if dual.weights is None else float(dual.weights.sum())
    point = dual.at(multipliers, temperature)
    for level in range(levels):
        if level:
            temperature *= _COOLING
            point = dual.at(multipliers, temperature)
        multipliers, point = _newton(dual, multipliers, point, temperature, 1e-6 * total)
        excess = np.maximum(point.gradient, 0.0).max(initial=0.0)
        if point.cost - point.hard <= tolerance * abs(point.hard) and excess <= 1e-4 * total:
            break
    return _finish(dual, multipliers, temperature, point)


def _newton(
    dual: SmoothedDual, multipliers: Array, point: _Point, temperature: float, excess: float
) -> tuple[Array, _Point]:
    """Levenberg-Marquardt at one temperature until the bounds hold up to ``excess``."""
    damping = 1e-4
    for _ in range(_NEWTON_STEPS):
        residual = np.where(multipliers > 0, np.abs(point.gradient), np.maximum(point.gradient, 0.0))
        if residual.max(initial=0.0) <= excess:
            break
        direction = dual.step(multipliers, point, temperature, damping)
        promised = float(np.vdot(point.gradient, direction))
        if promised <= 1e-13 * abs(point.value):
            break
        trial = np.maximum(multipliers + direction, 0.0)
        candidate = dual.at(trial, temperature)
        gained = (candidate.value - point.value) / promised
        if gained > 1e-3:
            multipliers, point = trial, candidate
        damping = max(damping * 0.1, 1e-10) if gained > 0.4 else damping if gained > 0.2 else damping * 8
    return multipliers, point


def _finish(
    dual: SmoothedDual, multipliers: Array, temperature: float, point: _Point | None = None
) -> Relaxation:
    point = dual.at(multipliers, temperature) if point is None else point
    return Relaxation(
        multipliers,
        dual.prices(multipliers),
        point.quotas,
        np.einsum("sjj->sj", point.hessian) / temperature,
        point.values,
        point.hard,
        point.cost,
        temperature,
    )
