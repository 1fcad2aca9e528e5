"""Centers that are best for the worst-off group while the clusters stay: a convex min-max problem.

For p = 2 the cost of group s is ``offset_s + sum_j alpha_sj |c_j - mu_sj|^2``, with mu_sj the mean of the
group's members in cluster j. The dual maximises ``g(gamma) = min_c sum_s gamma_s f_s(c)`` over weights of the
groups that add up to 1. Its inner minimum is ``c_j = sum_s gamma_s alpha_sj mu_sj / sum_s gamma_s alpha_sj``,
its gradient is f(c(gamma)), and every gamma on the way brings both centers and a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faircluster.social.sweep import CostModel

__all__ = ["CenterStep", "center_step"]

Array = NDArray[Any]
_MOST_STEPS = 200
_PATIENCE = 40  # steps without progress after which rounding decides
_CENTERING = 0.05  # of the present mean of multiplier times slack: what a step aims for
_SHARE_KEPT = 0.99  # of the way to the border of the simplex


@dataclass(frozen=True, eq=False)
class CenterStep:
    """Best centers for given clusters, and the proof.

    Attributes
    ----------
    centers : ndarray of shape (k, d), float64
    costs : ndarray of shape (m,)
        Cost of each group at the centers, by the model.
    value : float
        Largest of them.
    lower_bound : float
        No centers have a smaller largest cost (for these clusters): the dual value.
    multipliers : ndarray of shape (m,)
        Dual weights of the groups, which add up to 1; the groups that decide have positive ones.
    n_iter : int
        Evaluations of the dual.
    """

    centers: Array
    costs: NDArray[np.float64]
    value: float
    lower_bound: float
    multipliers: NDArray[np.float64]
    n_iter: int

    @property
    def gap(self) -> float:
        """``value / lower_bound - 1``; 0 when both are 0."""
        difference = self.value - self.lower_bound
        return difference / self.lower_bound if self.lower_bound > 0 else (0.0 if difference <= 0 else np.inf)


def center_step(model: CostModel, *, tolerance: float = 1e-10, start: Array | None = None) -> CenterStep:
    """Minimise the worst group's modelled cost over all centers, exactly.

    Parameters
    ----------
    model : CostModel
        From :meth:`GroupedPoints.sweep`: costs, slopes and curvatures by group and cluster.
    tolerance : float, default=1e-10
        Relative gap between the value and the lower bound at which to stop.
    start : ndarray of shape (m,), default=None
        Multipliers of a similar problem.

    Returns
    -------
    CenterStep
        For p = 2 the true optimum for the clusters of the model. For p < 2 the optimum of an upper bound
        that touches the true costs at the present centers, for p > 2 of a local model: one step of an
        iteration; see :func:`faircluster.social.power_step.center_step_power`.

    Notes
    -----
    One group: its means. Two groups: Newton's method with bisection on the ratio of their multipliers,
    O(k d + k log(1 / tolerance)). More: a barrier method on the dual in m variables whose Newton steps are
    scaled by primal slacks, as a rule 8 to 15 of them, O(k m^2 d + m^3) each. Neither depends on n. Groups
    may overlap. Clusters without members keep their centers; where only groups without a multiplier have
    members, the centers still keep those groups below the value.

    References
    ----------
    Ghadiri, Samadi & Vempala, "Socially fair k-means clustering", FAccT 2021, section 3 (line search
    for two groups).

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.groups import Groups
    >>> from faircluster.social.sweep import GroupedPoints
    >>> points = GroupedPoints(np.array([[0.0], [0.0], [0.0], [4.0]]), Groups.from_features(list("aaab")))
    >>> step = center_step(points.sweep(np.array([[1.0]])).model)
    >>> step.centers.round(6).tolist(), round(step.value, 6), step.multipliers.round(6).tolist()
    ([[2.0]], 4.0, [0.5, 0.5])
    """
    live = np.flatnonzero(model.mass.any(axis=1))
    held = model.mass.any(axis=0)
    m = len(model.mass)
    if len(live) == 0:
        return CenterStep(model.centers.copy(), np.zeros(m), 0.0, 0.0, np.full(m, 1.0 / max(m, 1)), 0)
    curvature = model.curvature[np.ix_(live, held)]
    slopes = model.slopes[np.ix_(live, held)]
    means = np.divide(
        -slopes, curvature[:, :, None], out=np.zeros_like(slopes), where=curvature[:, :, None] > 0
    )
    saved = 0.5 * np.einsum("mk,mkd,mkd->m", curvature, means, means)
    offset = np.maximum(model.smooth[live].sum(axis=1) - saved, 0.0)
    alpha = 0.5 * curvature
    gamma = np.full(len(live), 1.0 / len(live))
    if len(live) == 1:
        moved, bound, steps = means[0], float(offset[0]), 1
    elif len(live) == 2:
        gamma, moved, steps = _two_groups(offset, alpha, means, tolerance)
        bound = float(gamma @ _evaluate(offset, alpha, means, gamma)[1])
    else:
        if start is not None and np.any(np.asarray(start)[live] > 0):
            gamma = np.maximum(np.asarray(start, dtype=np.float64)[live], 1e-3 / len(live))
            gamma /= gamma.sum()
        gamma, moved, bound, steps = _many_groups(offset, alpha, means, gamma, tolerance)
    costs = offset + (alpha * ((means - moved) ** 2).sum(axis=2)).sum(axis=1)
    centers = model.centers.copy()
    centers[held] += moved
    every_cost, multipliers = np.zeros(m), np.zeros(m)
    every_cost[live], multipliers[live] = costs, gamma
    value = float(costs.max())
    return CenterStep(centers, every_cost, value, min(bound, value), multipliers, steps)


@njit(nogil=True, cache=True)
def _two_groups(offset, alpha, means, tolerance):  # type: ignore[no-untyped-def]
    """Multipliers and centers of two groups: centers lie between the two means of each cluster."""
    k, d = means.shape[1:]
    a, b = alpha
    squared, place = np.zeros(k), np.zeros(k)
    low, high, first, second = np.inf, -np.inf, 0.0, 0.0
    for j in range(k):
        place[j] = 0.0 if a[j] > 0.0 else 1.0
        if a[j] > 0.0 and b[j] > 0.0:
            for t in range(d):
                squared[j] += (means[1, j, t] - means[0, j, t]) ** 2
            low, high = min(low, np.log(b[j] / a[j])), max(high, np.log(b[j] / a[j]))
            first, second = first + a[j] * squared[j], second + b[j] * squared[j]
    gamma, step = np.array([1.0, 0.0]), 1
    if offset[0] < offset[1] + second:
        gamma = np.array([0.0, 1.0])
        for j in range(k):
            place[j] = 1.0 if b[j] > 0.0 else 0.0
        if offset[1] < offset[0] + first:
            low, high = low - 45.0, high + 45.0  # e^45 times any ratio of weights is as good as infinity
            at, step = _equal_costs(offset, a, b, squared, place, low, high, tolerance)
            share = 1.0 / (1.0 + np.exp(-at))
            gamma = np.array([share, 1.0 - share])
    centers = np.empty((k, d))
    for j in range(k):
        for t in range(d):
            centers[j, t] = means[0, j, t] + place[j] * (means[1, j, t] - means[0, j, t])
    return gamma, centers, step


@njit(nogil=True, cache=True)
def _equal_costs(offset, a, b, squared, place, low, high, tolerance):  # type: ignore[no-untyped-def]
    """Logarithm of the ratio of multipliers at which two groups pay the same; sets the places of centers.

    The place of a center is 0 at the mean of the first group and 1 at that of the second.
    """
    at = min(max(np.log((b * squared).sum() / (a * squared).sum()), low), high)
    step = 1
    while step < _MOST_STEPS:
        step += 1
        first, second, slope = offset[0], offset[1], 0.0
        for j in range(len(a)):
            if a[j] > 0.0 and b[j] > 0.0:
                here = b[j] / (np.exp(at) * a[j] + b[j])
                place[j] = here
                first += a[j] * squared[j] * here**2
                second += b[j] * squared[j] * (1.0 - here) ** 2
                slope -= 2.0 * squared[j] * here * (1.0 - here) * (a[j] * here + b[j] * (1.0 - here))
        close = abs(first - second) <= 0.1 * tolerance * max(first, second)
        if close or high - low < 1e-14 * (1.0 + abs(at)):
            break
        # the difference falls as the first group's multiplier grows
        if first > second:
            low = at
        else:
            high = at
        newton = at - (first - second) / slope if slope < 0.0 else low
        at = newton if low < newton < high else 0.5 * (low + high)
    return at, step


@njit(nogil=True, cache=True)
def _evaluate(offset, alpha, means, gamma):  # type: ignore[no-untyped-def]
    """Centers that are best for the weighted sum, group costs there, and minus the Hessian of the dual."""
    m, k, d = means.shape
    centers, costs, curvature = np.zeros((k, d)), offset.copy(), np.zeros((m, m))
    pulls = np.empty((m, d))
    for j in range(k):
        total = 0.0
        for s in range(m):
            total += gamma[s] * alpha[s, j]
        if total <= 0.0:
            continue
        for s in range(m):
            share = gamma[s] * alpha[s, j] / total
            for t in range(d):
                centers[j, t] += share * means[s, j, t]
        for s in range(m):
            squared = 0.0
            for t in range(d):
                away = means[s, j, t] - centers[j, t]
                squared += away * away
                pulls[s, t] = alpha[s, j] * away
            costs[s] += alpha[s, j] * squared
        _add_products(pulls, 2.0 / total, curvature)
    return centers, costs, curvature


@njit(nogil=True, cache=True)
def _add_products(rows, factor, out):  # type: ignore[no-untyped-def]
    """Add the products of all pairs of rows, times a factor."""
    for s in range(len(rows)):
        for r in range(s + 1):
            product = 0.0
            for t in range(rows.shape[1]):
                product += rows[s, t] * rows[r, t]
            out[s, r] += factor * product
            if r < s:
                out[r, s] += factor * product


@njit(nogil=True, cache=True)
def _many_groups(offset, alpha, means, gamma, tolerance):  # type: ignore[no-untyped-def]
    """Multipliers, centers, lower bound and steps of the barrier method."""
    m = len(offset)
    centers, costs, curvature = _evaluate(offset, alpha, means, gamma)
    best, value, bound = centers, costs.max(), (gamma * costs).sum()
    step, idle, barrier = 1, 0, np.inf
    while step < _MOST_STEPS and value - bound > tolerance * value and idle < _PATIENCE:
        before = value - bound
        here = (gamma * costs).sum()
        barrier = min(barrier, max(_CENTERING * (costs.max() - here), 0.1 * tolerance * value) / m)
        direction, rise = _newton(gamma, costs, curvature, barrier)
        shrink = (-direction / gamma).max()
        length = 1.0 if shrink <= _SHARE_KEPT else _SHARE_KEPT / shrink
        merit = here + barrier * np.log(gamma).sum()
        accepted = False
        for _ in range(40):
            step += 1
            trial = gamma + length * direction
            trial /= trial.sum()
            centers, costs, curvature = _evaluate(offset, alpha, means, trial)
            reached = (trial * costs).sum()
            if costs.max() < value:
                best, value = centers, costs.max()
            bound = max(bound, reached)
            enough = merit + 1e-4 * length * rise - 1e-14 * abs(merit)
            if reached + barrier * np.log(trial).sum() >= enough:
                accepted = True
                break
            length *= 0.5
        if not accepted:
            break  # rounding decides from here on
        gamma = trial
        idle = 0 if value - bound < 0.9 * before else idle + 1
    return gamma, best, bound, step


@njit(nogil=True, cache=True)
def _newton(gamma, costs, curvature, barrier):  # type: ignore[no-untyped-def]
    """Direction in which the dual plus the barrier rises, and by how much at first."""
    m = len(gamma)
    root = np.sqrt(gamma)
    matrix = np.empty((m, m))
    for s in range(m):
        for r in range(m):
            matrix[s, r] = root[s] * curvature[s, r] * root[r]
        matrix[s, s] += max(costs.max() - costs[s], barrier / gamma[s])
    # only differences count, and large equal parts would drown them
    gradient = (costs - (gamma * costs).sum()) + barrier / gamma
    gradient -= (gradient * gamma).sum()
    first, second = root * gradient, root.copy()
    _solve_both(matrix, first, second)
    first, second = root * first, root * second
    direction = first - first.sum() / second.sum() * second
    return direction, (gradient * direction).sum()


@njit(nogil=True, cache=True)
def _solve_both(matrix, first, second):  # type: ignore[no-untyped-def]
    """Solve a positive definite system for two right-hand sides, in place, by Cholesky's method."""
    m = len(matrix)
    for s in range(m):
        for r in range(s + 1):
            rest = matrix[s, r]
            for t in range(r):
                rest -= matrix[s, t] * matrix[r, t]
            matrix[s, r] = rest / matrix[r, r] if r < s else np.sqrt(max(rest, 1e-300))
    for right in (first, second):
        for s in range(m):
            for t in range(s):
                right[s] -= matrix[s, t] * right[t]
            right[s] /= matrix[s, s]
        for s in range(m - 1, -1, -1):
            for t in range(s + 1, m):
                right[s] -= matrix[t, s] * right[t]
            right[s] /= matrix[s, s]
