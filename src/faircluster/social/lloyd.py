"""Fair-Lloyd: alternate nearest centers and the exact center step, so that the worst group's cost falls.

Moving every point to its nearest center raises no group's cost, and the center step lowers the largest as far
as centers can. Starts, coresets and swaps are in :mod:`faircluster.social.search`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.social.center_step import CenterStep, center_step
from faircluster.social.power_step import center_step_power, certified_bound
from faircluster.social.sweep import GroupedPoints, Sweep

__all__ = ["SocialClustering", "social_lloyd"]

Array = NDArray[Any]
_FIRST_TIP = 0.3  # of the typical distance: distances below cost as a parabola does in the first passes
_TIP_SHRINK = 0.3
_LAST_REOPENING = 10  # later, centers of empty clusters stay
_PROOFS, _PROOF_PASSES = 3, 60  # for p other than 2: rounds, and passes in each


@dataclass(frozen=True, eq=False)
class SocialClustering:
    """Centers, the nearest of which each point goes to, and what the groups pay.

    Attributes
    ----------
    centers : ndarray of shape (k, d), float64
    labels : ndarray of shape (n,), int32
        Nearest center of each point.
    group_costs : ndarray of shape (m,)
        Mean cost of each group.
    cost : float
        The largest of them.
    lower_bound : float
        No centers at all give the clusters of ``labels`` a smaller cost.
    multipliers : ndarray of shape (m,)
        Weights of the groups in that proof; they add up to 1. A group whose multiplier is 1 decides alone.
    n_iter : int
        Center steps made.
    """

    centers: Array
    labels: NDArray[np.int32]
    group_costs: NDArray[np.float64]
    cost: float
    lower_bound: float
    multipliers: NDArray[np.float64]
    n_iter: int


def social_lloyd(
    points: GroupedPoints,
    centers: Array,
    *,
    max_iter: int = 100,
    tol: float = 1e-6,
    multipliers: Array | None = None,
    prove: bool = True,
    report: Callable[[int, float], None] | None = None,
) -> SocialClustering:
    """Alternate from given centers until no center step helps.

    Parameters
    ----------
    points : GroupedPoints
        Points, groups and p.
    centers : ndarray of shape (k, d)
        Where to start.
    max_iter : int, default=100
        Most center steps; 0 keeps the centers.
    tol : float, default=1e-6
        Stop when better centers could lower the worst group's cost by less than this share of it.
    multipliers : ndarray of shape (m,), default=None
        Of a similar problem, to begin with.
    prove : bool, default=True
        For p other than 2, look at the points up to 60 times more for a tight lower bound.
    report : callable, default=None
        Called with the number of center steps and the worst group's cost.

    Returns
    -------
    SocialClustering
        The best of all centers on the way.

    Notes
    -----
    One pass over the points an iteration, O(n k d), which assigns, measures and sums for the next center
    step; the step itself does not depend on n. For p <= 2 the cost never rises; for p > 2 a step that raises
    it is halved. A local optimum: started from k-means++, the cost is O(m log k) times the optimum in
    expectation before the first step (each group's cost is at most m times the sum of all).

    References
    ----------
    Ghadiri, Samadi & Vempala, "Socially fair k-means clustering", FAccT 2021, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.groups import Groups
    >>> X = np.array([[0.0], [1.0], [2.0], [8.0], [9.0], [12.0]])
    >>> points = GroupedPoints(X, Groups.from_features(list("abbaab")))
    >>> found = social_lloyd(points, X[[0, 3]])
    >>> found.group_costs.round(3).tolist(), found.labels.tolist()
    ([1.801, 1.801], [0, 0, 0, 1, 1, 1])
    """
    at, tip = np.array(centers, dtype=np.float64), _first_tip(points, centers)
    last_tip, gamma = 1e-7 * tip, multipliers
    best: tuple[Sweep, CenterStep] | None = None
    done = 0
    while True:
        found = points.sweep(at, tip=tip)
        value = found.model.value
        if report is not None:
            report(done, value)
        moved = _reopened(points, found, gamma) if done < min(max_iter, _LAST_REOPENING) else None
        if moved is None:
            better = best is None or value < best[0].model.value
            if better or points.power < 2:
                step = center_step(found.model, start=gamma)
                gamma, moved = step.multipliers, step.centers
                best = (found, step) if better else best
                saved = float(found.model.smooth.sum(axis=1).max()) - step.value
                if tip <= last_tip and saved <= tol * value:
                    break
            elif best is not None and points.power > 2:  # the model went too far
                moved = 0.5 * (at + best[0].model.centers)
            else:
                break  # rounding decides from here on
        if done >= max_iter or np.array_equal(moved, at):
            break
        at, tip, done = moved, max(_TIP_SHRINK * tip, last_tip), done + 1
    assert best is not None
    return _proved(points, *best, done, tol if prove else None)


def _first_tip(points: GroupedPoints, centers: Array) -> float:
    """Distance below which cost is rounded off in the first pass: centers may sit on points."""
    if points.power >= 2:
        return 0.0
    return float(_FIRST_TIP * points.sweep(centers).model.value ** (1.0 / points.power))


def _reopened(points: GroupedPoints, found: Sweep, multipliers: Array | None) -> Array | None:
    """Centers with those of empty clusters on the points that cost most; None if there is nothing to gain."""
    empty = np.flatnonzero(found.sizes == 0)
    if len(empty) == 0:
        return None
    m = len(found.model.mass)
    weight = points.point_weights(np.full(m, 1.0 / m) if multipliers is None else multipliers)
    own = np.where(weight > 0, points.own_costs(found.model.centers, found.labels), 0.0)
    farthest = np.argsort(-own, kind="stable")[: len(empty)]
    farthest = farthest[own[farthest] > 0]
    if len(farthest) == 0:
        return None
    centers = found.model.centers.copy()
    centers[empty[: len(farthest)]] = points.X[farthest]
    return centers


def _proved(
    points: GroupedPoints, found: Sweep, step: CenterStep, n_iter: int, tol: float | None
) -> SocialClustering:
    """Best clustering with its lower bound; for p other than 2 that takes more looks at the points."""
    bound, gamma = step.lower_bound, step.multipliers
    if points.power != 2:
        bound = certified_bound(found.model, gamma, points.power)
        for _ in range(0 if tol is None else _PROOFS):
            exact = center_step_power(
                points, found.labels, found.model.centers, tolerance=tol or 0.0, max_passes=_PROOF_PASSES
            )
            bound, gamma = exact.lower_bound, exact.multipliers
            again = points.sweep(exact.centers)
            if again.model.value >= found.model.value:
                break
            same = np.array_equal(again.labels, found.labels)
            found = again
            if same:
                break
            bound = certified_bound(again.model, gamma, points.power)
    model = found.model
    return SocialClustering(
        centers=model.centers,
        labels=found.labels,
        group_costs=model.group_costs,
        cost=model.value,
        lower_bound=min(bound, model.value),
        multipliers=gamma,
        n_iter=n_iter,
    )
