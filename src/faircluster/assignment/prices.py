"""Prices: the dual of the relaxed assignment problem, solved by a smoothed Newton method.

One multiplier for every bound row and cluster gives one price for every signature and cluster.
At given multipliers the dual function is a minimum over the clusters for every point, so any
multipliers at all give a valid lower bound. The minimum is smoothed by a temperature, which makes
the dual twice differentiable; its gradient is the excess over the bounds and its Hessian needs
only a k x k matrix a signature. The temperature falls until the smoothing no longer matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from faircluster.assignment.point_program import solve_point_program
from faircluster.assignment.smoothed_dual import DualPoint, SmoothedDual
from faircluster.distances import CostSource, DenseCosts
from faircluster.sampling import stratified_sample

__all__ = ["Relaxation", "anneal", "lower_bound", "relax"]

Array = NDArray[Any]
_COOLING = 0.2  # factor between temperatures
_NEWTON_STEPS = 40  # a temperature
_LEVELS = 14
_WARM_POINTS = 2_500  # least points of the part that high temperatures are run on
_WARM = 0.05  # times the spread of the costs: lower temperatures are run on all points
_WARM_GAP = 0.05  # relative gap between cost and dual value at which the part has done its work


@dataclass(frozen=True)
class Relaxation:
    """Solution of the assignment problem without integrality.

    Attributes
    ----------
    multipliers : ndarray of shape (k, r)
        Non-negative multiplier of each bound row in each cluster; r = 0 where only prices are known.
    prices : ndarray of shape (S, k)
        What the multipliers add to the cost of a signature in a cluster.
    quotas : ndarray of shape (S, k)
        Weight of each signature in each cluster, not whole, within the bounds up to tolerance.
    values : ndarray of shape (S,)
        Least ``cost + price`` summed over the points of a signature.
    lower_bound : float
        Dual value: no assignment within the bounds costs less.
    cost : float
        Cost of the smoothed assignment; its distance to ``lower_bound`` tells how exact both are.
    temperature : float
        The last temperature, a place to start from when costs change a little.
    basis : tuple of two ndarrays or None
        Another such place, for problems small enough for the simplex method.
    """

    multipliers: NDArray[np.float64]
    prices: NDArray[np.float64]
    quotas: NDArray[np.float64]
    values: NDArray[np.float64]
    lower_bound: float
    cost: float
    temperature: float
    basis: tuple[NDArray[np.int8], NDArray[np.int8]] | None = None


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
    exact: int = 5_000,
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
    exact : int, default=5_000
        Entries of the cost matrix up to which the problem is solved exactly by the simplex method.

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
    # matrices of a few dozen rows: on a busy machine threads would wait for each other at every step
    with _controller().limit(limits=1, user_api="blas"):
        return _relax(dual, start, tolerance, sample, exact)


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def _relax(
    dual: SmoothedDual, start: Relaxation | None, tolerance: float, sample: int, exact: int
) -> Relaxation:
    source, rhs = dual.source, dual.rhs
    if source.shape[0] * source.shape[1] <= exact:
        found = _by_simplex(dual, start)
        if found is not None:
            return found
    if len(dual.signature) > 2 * sample:
        small = _part(dual, sample)
        rough = _warm_then_cool(small, *_starting_point(small.source, rhs, start), tolerance)
        return anneal(dual, rough.multipliers, rough.temperature, tolerance, 3)
    return _warm_then_cool(dual, *_starting_point(source, rhs, start), tolerance)


def _warm_then_cool(
    dual: SmoothedDual, multipliers: Array, temperature: float, tolerance: float
) -> Relaxation:
    """Anneal, the first and most costly temperatures on a part of the points."""
    n = len(dual.signature)
    if n > 2 * _WARM_POINTS and temperature > _WARM * _spread(dual.source):
        part = _part(dual, max(_WARM_POINTS, n // 8))
        warm = anneal(part, multipliers, temperature, max(_WARM_GAP, tolerance), _LEVELS)
        multipliers, temperature = warm.multipliers, warm.temperature * _COOLING
    return anneal(dual, multipliers, temperature, tolerance, _LEVELS)


def _part(dual: SmoothedDual, size: int) -> SmoothedDual:
    """Return the dual of a stratified sample."""
    chosen, weights = stratified_sample(dual.signature, dual.coef.shape[2], size, dual.weights)
    source = DenseCosts(dual.source.take(chosen))
    return SmoothedDual(source, dual.signature[chosen], weights, dual.coef, dual.rhs)


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


def _by_simplex(dual: SmoothedDual, start: Relaxation | None) -> Relaxation | None:
    """Solve a small problem exactly; None when the solver fails."""
    n = dual.source.shape[0]
    cost = dual.source.block(0, n)
    found = solve_point_program(
        cost, dual.signature, dual.weights, dual.coef, dual.rhs, None if start is None else start.basis
    )
    if found is None:
        return None
    weight = np.ones(n) if dual.weights is None else dual.weights
    quotas = np.zeros((dual.coef.shape[2], dual.source.shape[1]))
    np.add.at(quotas, dual.signature, found.shares * weight[:, None])
    point = dual.at(found.multipliers, 1e-300)
    value = float(np.vdot(found.shares * weight[:, None], cost))
    temperature = 1e-3 * _spread(dual.source)
    prices = dual.prices(found.multipliers)
    return Relaxation(
        found.multipliers, prices, quotas, point.values, point.hard, value, temperature, found.basis
    )


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


def anneal(
    dual: SmoothedDual,
    multipliers: Array,
    temperature: float,
    tolerance: float,
    levels: int,
    most_excess: float = np.inf,
) -> Relaxation:
    """Newton's method at falling temperatures until cost and dual value agree.

    Parameters
    ----------
    dual : SmoothedDual
    multipliers : ndarray of shape (k, r)
        Where to start.
    temperature : float
        The first.
    tolerance : float
        Relative gap between smoothed cost and dual value at which to stop.
    levels : int
        Most temperatures.
    most_excess : float, default=inf
        Weight by which bounds may be broken; never more than the tolerance allows.

    Returns
    -------
    Relaxation
    """
    total = dual.total
    point = dual.at(multipliers, temperature)
    damping = 1e-2
    # bounds may be broken by as much as the solution may be off
    rough = min(total * min(max(3e-5, tolerance / 100), 1e-3), most_excess)
    for level in range(levels):
        if level:
            temperature *= _COOLING
            point = dual.at(multipliers, temperature)
        multipliers, point, damping = _newton(dual, multipliers, point, temperature, rough, damping)
        if _smoothing(point, multipliers) > 3 * tolerance * abs(point.hard):
            continue
        for _ in range(2):  # perhaps the last temperature
            fine = min(rough, tolerance / 30 * total)
            multipliers, point, damping = _newton(dual, multipliers, point, temperature, fine, damping)
            gap = max(_smoothing(point, multipliers), point.cost - point.hard)
            excess = np.maximum(point.gradient, 0.0).max(initial=0.0)
            if gap <= tolerance * abs(point.hard) and excess <= max(1e-4 * total, rough):
                return _finish(dual, multipliers, temperature, point)
        if _smoothing(point, multipliers) <= tolerance * abs(point.hard):
            break  # what is left is not due to the temperature
    return _finish(dual, multipliers, temperature, point)


def _smoothing(point: DualPoint, multipliers: Array) -> float:
    """Return the part of the gap between cost and dual value that is due to the temperature."""
    return point.cost + float(np.vdot(multipliers, point.gradient)) - point.hard


def _newton(
    dual: SmoothedDual,
    multipliers: Array,
    point: DualPoint,
    temperature: float,
    excess: float,
    damping: float,
) -> tuple[Array, DualPoint, float]:
    """Levenberg-Marquardt at one temperature until the bounds hold up to ``excess``; returns its damping."""
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
            damping = max(damping * (0.1 if gained > 0.9 else 0.4 if gained > 0.45 else 1.0), 1e-10)
        else:
            damping *= 8.0
    return multipliers, point, min(max(damping, 1e-4), 1.0)


def _finish(
    dual: SmoothedDual, multipliers: Array, temperature: float, point: DualPoint | None = None
) -> Relaxation:
    point = dual.at(multipliers, temperature) if point is None else point
    return Relaxation(
        multipliers,
        dual.prices(multipliers),
        point.quotas,
        point.values,
        point.hard,
        point.cost,
        temperature,
    )
