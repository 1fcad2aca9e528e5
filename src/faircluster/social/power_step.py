"""The center step for other powers of the distance than 2, with a certificate.

No moments hold the cost of a cluster when p is not 2, so this step looks at the points several times. Each
pass gives a quadratic model that :func:`center_step` solves exactly. For p < 2 the model lies above the cost
and touches it at the present centers, so the worst group's cost falls with each pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.social.center_step import CenterStep, center_step
from faircluster.social.sweep import CostModel, GroupedPoints

__all__ = ["center_step_power", "certified_bound"]

Array = NDArray[Any]
_HISTORY = 6  # earlier steps that an extrapolation uses
_SHRINK = 0.2  # of the rounded tip, from pass to pass


def certified_bound(model: CostModel, multipliers: Array, power: float) -> float:
    """Lower bound on the worst group's cost at any centers, the clusters given.

    Parameters
    ----------
    model : CostModel
    multipliers : ndarray of shape (m,)
        Non-negative, with sum 1: weights of the groups. Good ones are those of a center step.
    power : float
        p.

    Returns
    -------
    float
        No centers at all give these clusters a smaller largest group cost.

    Notes
    -----
    With h_j the weighted cost of cluster j, a_j its weight and r_j the slope of h_j at the center, convexity
    gives ``h_j(c) >= h_j - |r_j| |c - c_j|``, and a better c lies within ``2 (h_j / a_j)^(1/p)`` of c_j
    (Minkowski). The bound is tight when the slopes vanish, whatever p is. O(m k d).

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.groups import Groups
    >>> points = GroupedPoints(np.array([[0.0], [1.0], [5.0]]), Groups.from_features(list("aaa")), power=1)
    >>> model = points.sweep(np.array([[1.0]]), tip=1e-9).model
    >>> round(certified_bound(model, np.ones(1), 1), 6), round(model.value, 6)
    (1.666667, 1.666667)
    """
    cost = multipliers @ model.smooth
    weight = multipliers @ model.mass
    slope = np.sqrt((np.einsum("m,mkd->kd", multipliers, model.slopes) ** 2).sum(axis=1))
    reach = 2.0 * np.divide(cost, weight, out=np.zeros_like(cost), where=weight > 0) ** (1.0 / power)
    return max(float((cost - np.minimum(slope * reach, cost)).sum()) - model.excess, 0.0)


def center_step_power(
    points: GroupedPoints,
    labels: Array,
    centers: Array,
    *,
    tolerance: float = 1e-6,
    max_passes: int = 300,
) -> CenterStep:
    """Minimise the worst group's cost over all centers for given clusters, any p of at least 1.

    Parameters
    ----------
    points : GroupedPoints
        Its power is p.
    labels : ndarray of shape (n,), int32
        Cluster of each point.
    centers : ndarray of shape (k, d)
        Where to start; centers of empty clusters stay.
    tolerance : float, default=1e-6
        Relative gap between value and lower bound at which to stop.
    max_passes : int, default=300
        Most looks at the points.

    Returns
    -------
    CenterStep
        ``costs`` and ``value`` are the true costs of the centers returned, ``lower_bound`` is proved. For
        p = 2 exact. Otherwise the gap says how near: it is at most ``tolerance`` unless the passes ran out,
        which happens where costs are all but flat, such as p = 1 on a line.

    Notes
    -----
    O(n d) a pass. For p < 2 iteratively reweighted means inside the dual (Weiszfeld's iteration when there is
    one group), distances below a tip that shrinks to ``tolerance`` being rounded off; for p > 2 local models.
    Both are extrapolated (Anderson 1965), and a step that does not lower the cost is taken back.

    References
    ----------
    Weiszfeld & Plastria, "On the point for which the sum of the distances to n given points is minimum",
    Annals of Operations Research 167, 2009. Anderson, "Iterative procedures for nonlinear integral
    equations", Journal of the ACM 12, 1965.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.groups import Groups
    >>> X = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0], [9.0, 9.0]])
    >>> points = GroupedPoints(X, Groups.from_features(list("abab")), power=1)
    >>> step = center_step_power(points, np.zeros(4, dtype=np.int32), X[:1])
    >>> step.gap <= 1e-6
    True
    """
    model = points.sweep(centers, labels=labels).model
    if points.power == 2 or model.value == 0:
        return center_step(model)
    return _Iteration(points, labels, tolerance).run(model, max_passes)


class _Iteration:
    """Passes over the points until value and bound meet."""

    def __init__(self, points: GroupedPoints, labels: Array, tolerance: float) -> None:
        self.points, self.labels, self.tolerance = points, labels, tolerance
        self.rounded = max(1.0 - 0.5 * points.power, 0.0)
        self.past: list[tuple[Array, Array]] = []  # centers and where the step from there leads

    def run(self, model: CostModel, max_passes: int) -> CenterStep:
        power = self.points.power
        best, bound, gamma = model, 0.0, None
        tip = 0.3 * model.value ** (1.0 / power) if self.rounded else 0.0
        lowest, lowest_at, safe, at = np.inf, model.centers, model.centers, model.centers
        step = center_step(model)
        for done in range(1, max_passes + 1):
            model = self.points.sweep(at, labels=self.labels, tip=tip).model
            reached = float(model.smooth.sum(axis=1).max())
            if model.value < best.value:
                best = model
            if reached > lowest * (1 + 0.01 * self.tolerance) and done < max_passes:
                # an extrapolation or a local model went too far: back to the plain step, or half of it
                self.past.clear()
                at = safe = safe if at is not safe else 0.5 * (lowest_at + safe)
                if np.abs(at - lowest_at).max() <= 1e-13 * np.abs(lowest_at).max():
                    break
                continue
            step = center_step(model, start=gamma, tolerance=1e-4 * self.tolerance)
            gamma = step.multipliers
            bound = max(bound, certified_bound(model, gamma, power))
            if best.value - bound <= self.tolerance * best.value:
                break
            lowest, lowest_at, safe = min(reached, lowest), at, step.centers
            smaller = self._next_tip(tip, best.value)
            if smaller < tip:
                self.past.clear()
            tip, at = smaller, self._extrapolated(at, step.centers)
        return CenterStep(
            best.centers, best.group_costs, best.value, min(bound, best.value), step.multipliers, done
        )

    def _next_tip(self, tip: float, value: float) -> float:
        if not self.rounded:
            return 0.0
        last = (0.25 * self.tolerance * value / self.rounded) ** (1.0 / self.points.power)
        return tip if tip <= 2.0 * last else max(last, _SHRINK * tip)

    def _extrapolated(self, at: Array, to: Array) -> Array:
        """Centers at which the last few steps together would hardly move."""
        self.past = [*self.past[-_HISTORY:], (at.ravel(), to.ravel())]
        if len(self.past) < 3:
            return to
        moves = np.array([there - here for here, there in self.past])
        ends = np.array([there for _, there in self.past])
        rise = np.diff(moves, axis=0).T
        scale = np.abs(rise).max()
        if not scale > 0:
            return to
        weights = np.linalg.lstsq(rise / scale, moves[-1] / scale, rcond=1e-10)[0]
        return np.asarray((ends[-1] - np.diff(ends, axis=0).T @ weights).reshape(at.shape))
