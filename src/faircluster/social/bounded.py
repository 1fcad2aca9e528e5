"""Both notions at once: bounds on the shares of groups in clusters, and a small cost of the worst group.

For weights gamma of the groups that add up to 1, the engine assigns at least ``sum_s gamma_s cost_s`` within
the bounds, and its lower bound holds for the worst group too, for no average exceeds the maximum. The exact
center step then gives the best centers for those clusters; gamma moves towards the groups that pay most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment import AssignmentProblem, AssignmentResult, solve
from faircluster.assignment.prices import Relaxation, relax
from faircluster.assignment.transport import loads_of, round_rows, transport
from faircluster.bounds import FairnessBounds
from faircluster.social.center_step import CenterStep, center_step
from faircluster.social.coreset import social_coreset
from faircluster.social.costs import PowerCosts
from faircluster.social.lloyd import SocialClustering
from faircluster.social.power_step import center_step_power
from faircluster.social.sweep import GroupedPoints

__all__ = ["BoundedClustering", "assign_for_groups", "find_bounded_centers"]

Array = NDArray[Any]
_WHOLE, _SAMPLE = 50_000, 20_000  # points up to which all steps look at all of them; else a coreset's size
_ROUNDS = 20  # assignments while centers and weights of the groups settle
_FINAL = 4  # strict assignments of all points at the end
_RATE = 0.5  # how fast weights follow the costs of the groups at first
_FLOOR = 0.02  # share of the weight that is spread evenly, so that no group's points cost nothing
_POWER_PASSES = 15
_ROUGH = 0.01  # gap of strict assignments while centers still move


@dataclass(frozen=True, eq=False)
class BoundedClustering:
    """Centers and fair labels, and what is proved about them.

    Attributes
    ----------
    social : SocialClustering
        ``labels`` keep the bounds; ``lower_bound``: no assignment to these centers within the bounds has a
        smaller cost of the worst group.
    assignment : AssignmentResult
        The engine's assignment that the bound comes from: quotas of its own labels, rows, status.
    quotas : ndarray of shape (S, k)
        Weight of each signature in each cluster under ``social.labels``.
    violation : float
        Largest excess over any bound, in points.
    """

    social: SocialClustering
    assignment: AssignmentResult
    quotas: NDArray[np.float64]
    violation: float


def assign_for_groups(
    points: GroupedPoints,
    problem: AssignmentProblem,
    centers: Array,
    multipliers: Array,
    start: AssignmentResult | None = None,
) -> AssignmentResult:
    """Assign within bounds at least cost when group s counts with weight ``multipliers[s]``.

    Parameters
    ----------
    points : GroupedPoints
    problem : AssignmentProblem
        Bounds, sizes, rounding and time limit; its cost and groups are replaced.
    centers : ndarray of shape (k, d)
    multipliers : ndarray of shape (m,)
        Non-negative, with sum 1.
    start : AssignmentResult, default=None
        Of a similar problem.

    Returns
    -------
    AssignmentResult
        ``cost`` is the weighted mean of the groups' mean costs, ``lower_bound`` a bound on it and so on the
        worst group's cost of every assignment to these centers within the bounds.

    Raises
    ------
    InfeasibleBoundsError
        As :func:`faircluster.solve`.

    Notes
    -----
    As :func:`faircluster.solve`. Points of no group cost nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.groups import Groups
    >>> X = np.array([[0.0], [1.0], [8.0], [9.0]])
    >>> points = GroupedPoints(X, Groups.from_features(list("abba")))
    >>> problem = AssignmentProblem(None, bounds="exact")
    >>> assign_for_groups(points, problem, X[[0, 3]], np.array([0.5, 0.5])).labels.tolist()
    [0, 0, 1, 1]
    """
    cost = _weighted_costs(points, centers, multipliers)
    return solve(replace(problem, cost=cost, groups=points.groups, start=start))


def _weighted_costs(points: GroupedPoints, centers: Array, multipliers: Array) -> PowerCosts:
    factors = (points.shares @ multipliers)[points.groups.signature]
    return PowerCosts(points.X, centers, points.power, factors)


def find_bounded_centers(
    points: GroupedPoints,
    problem: AssignmentProblem,
    start: SocialClustering,
    *,
    max_iter: int = 300,
    report: Callable[[int, float], None] | None = None,
) -> BoundedClustering:
    """Improve centers and labels for the worst group, keeping the bounds.

    Parameters
    ----------
    points : GroupedPoints
    problem : AssignmentProblem
        Bounds, sizes, rounding and time limit.
    start : SocialClustering
        Socially fair centers without bounds.
    max_iter : int, default=300
        Most assignments; 1 keeps the centers of ``start``.
    report : callable, default=None
        Called with the number of assignments and the worst group's cost.

    Returns
    -------
    BoundedClustering
        With ``rounding="strict"`` violation 0, as :func:`faircluster.solve` promises it.

    Raises
    ------
    InfeasibleBoundsError
        No assignment meets the bounds.

    Notes
    -----
    Alternates assignments at weights of the groups with the exact center step; weights follow the costs by a
    multiplicative rule with falling rate (the Lagrangian of the maximum). The first 20 assignments are
    relaxed, on a coreset of 20,000 where there are more than 50,000 points, the last five are the engine's.
    Labels and centers returned had the least worst cost. Local as to the centers; for those returned the
    lower bound holds for every assignment within the bounds.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.groups import Groups
    >>> from faircluster.social.lloyd import social_lloyd
    >>> X = np.array([[0.0], [1.0], [2.0], [8.0], [9.0], [12.0]])
    >>> points = GroupedPoints(X, Groups.from_features(list("aababb")))
    >>> start = social_lloyd(points, X[[0, 3]])
    >>> found = find_bounded_centers(points, AssignmentProblem(None, bounds=0.3), start)
    >>> found.violation, found.social.cost >= found.social.lower_bound
    (0.0, True)
    """
    return _Search(points, problem, max_iter, report).run(start)


class _Relaxed:
    """Assignments while centers move: relaxed quotas, points moved to them exactly, no integer programs."""

    def __init__(self, points: GroupedPoints, problem: AssignmentProblem, k: int) -> None:
        self.points = points
        bounds = FairnessBounds.from_any(problem.bounds)
        self.rows = bounds.rows(points.groups, k, problem.size_min, problem.size_max)
        self.last: Relaxation | None = None

    def assign(self, centers: Array, weights: Array) -> tuple[Array, float]:
        groups = self.points.groups
        source = _weighted_costs(self.points, centers, weights)
        found = relax(
            source, groups.signature, groups.weights, self.rows.coef, self.rows.rhs,
            start=self.last, tolerance=1e-4,
        )  # fmt: skip
        self.last = found
        sums = found.quotas.sum(axis=1)
        factor = np.divide(groups.signature_counts, sums, out=np.zeros_like(sums), where=sums > 0)
        quotas = found.quotas * factor[:, None]
        quotas = quotas if groups.weights is not None else round_rows(quotas)
        return transport(source, groups.signature, quotas, found.prices, groups.weights).labels, 0.0


class _Search:
    """One call: the points, the bounds, and the weights of the groups so far."""

    def __init__(
        self,
        points: GroupedPoints,
        problem: AssignmentProblem,
        max_iter: int,
        report: Callable[[int, float], None] | None,
    ) -> None:
        self.points, self.problem, self.max_iter, self.report = points, problem, max_iter, report
        live = points.groups.counts > 0
        self.even = live / live.sum()
        self.last: AssignmentResult | None = None
        self.done = 0

    def run(self, start: SocialClustering) -> BoundedClustering:
        centers, gamma = start.centers, 0.5 * start.multipliers + 0.5 * self.even
        left = self.max_iter - 1  # the last assignment proves the bound
        if left > _FINAL:
            part = self.points if self.points.n_points <= _WHOLE else social_coreset(self.points, _SAMPLE)[0]
            relaxed = _Relaxed(part, self.problem, len(centers))
            centers, gamma, _, _ = self._alternate(
                part, relaxed.assign, centers, gamma, min(_ROUNDS, left - _FINAL)
            )
        labels: Array | None = None
        value = np.inf
        if left > 0:
            centers, gamma, labels, value = self._alternate(
                self.points, self._strict, centers, gamma, min(_FINAL, left)
            )
        return self._proved(centers, gamma, labels, value, start.n_iter)

    def _strict(self, centers: Array, weights: Array) -> tuple[Array, float]:
        rough = replace(self.problem, tolerance=max(self.problem.tolerance, _ROUGH))
        self.last = assign_for_groups(self.points, rough, centers, weights, self.last)
        return self.last.labels, self.last.violation

    def _alternate(
        self,
        points: GroupedPoints,
        assign: Callable[[Array, Array], tuple[Array, float]],
        centers: Array,
        gamma: Array,
        rounds: int,
    ) -> tuple[Array, Array, Array | None, float]:
        """Centers, weights and labels with the least violation and then worst cost, and that cost."""
        best = (np.inf, np.inf)
        kept: tuple[Array, Array, Array | None, float] = (centers, gamma, None, np.inf)
        for number in range(1, rounds + 1):
            weights = (1.0 - _FLOOR) * gamma + _FLOOR * self.even
            labels, violation = assign(centers, weights)
            before = points.sweep(centers, labels=labels).model.group_costs
            step = self._center_step(points, labels, centers)
            self._tell(step.value)
            if (violation, step.value) < best:
                best, kept = (violation, step.value), (step.centers, weights, labels, step.value)
            centers, gamma = step.centers, self._towards(gamma, before, step.multipliers, number)
        return kept

    @staticmethod
    def _towards(gamma: Array, costs: Array, decided: Array, number: int) -> Array:
        """Weights that lean to the groups that paid most, and to those that decided where centers are."""
        rate = _RATE / np.sqrt(number)
        lean = gamma * np.exp(4.0 * rate * (costs / max(float(costs.max()), 1e-300) - 1.0))
        return np.asarray((1.0 - rate) * lean / lean.sum() + rate * decided)

    @staticmethod
    def _center_step(points: GroupedPoints, labels: Array, centers: Array) -> CenterStep:
        if points.power == 2:
            return center_step(points.sweep(centers, labels=labels).model)
        return center_step_power(points, labels, centers, tolerance=1e-4, max_passes=_POWER_PASSES)

    def _proved(
        self, centers: Array, gamma: Array, labels: Array | None, value: float, n_iter: int
    ) -> BoundedClustering:
        """Assign once more to the centers, for the lower bound; keep the better labels."""
        proof = assign_for_groups(self.points, self.problem, centers, gamma, self.last)
        costs = self.points.sweep(centers, labels=proof.labels).model.group_costs
        self._tell(float(costs.max()))
        quotas, violation = proof.quotas, proof.violation
        if labels is None or float(costs.max()) <= value:
            labels = proof.labels
        else:
            costs = self.points.sweep(centers, labels=labels).model.group_costs
            quotas = loads_of(labels, self.points.groups.signature, self.points.groups.weights, quotas.shape)
            violation = proof.rows.violation(quotas)
        social = SocialClustering(
            centers=centers,
            labels=np.asarray(labels, dtype=np.int32),
            group_costs=costs,
            cost=float(costs.max()),
            lower_bound=min(proof.lower_bound, float(costs.max())) if violation == 0 else proof.lower_bound,
            multipliers=gamma,
            n_iter=n_iter + self.done,
        )
        return BoundedClustering(social, proof, quotas, violation)

    def _tell(self, value: float) -> None:
        self.done += 1
        if self.report is not None:
            self.report(self.done, value)
