"""Alternate fair assignments and center updates.

While centers move, assignments are relaxed: prices from a sample, quotas rounded without regard to
the last point, transport exact. Quotas stay as they are while only points and centers change and
are found anew when that has settled. The integer program, and with it violation 0, comes last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment import AssignmentProblem, AssignmentResult, solve
from faircluster.assignment.prices import Relaxation, relax
from faircluster.assignment.transport import assign_by_price, loads_of, round_rows, transport
from faircluster.bounds import BoundRows
from faircluster.centers import Geometry
from faircluster.distances import CostSource, DenseCosts
from faircluster.groups import Groups
from faircluster.sampling import stratified_sample

__all__ = ["Clustering", "coarse_part", "fair_lloyd", "polish"]

Array = NDArray[Any]
_SAMPLE = 30_000  # points that prices are found on while centers move
_COARSE_SAMPLE = 10_000  # and while they move on a part of large data
_FINE = 10  # assignments of all points after large data have settled on a sample
_TIES = 0.02  # share of the points that may be off the quotas before ties are settled by transport
_PRECISION = 1e-4  # relative gap of a relaxed assignment
_INNER = 8  # center updates at the same quotas


@dataclass(frozen=True)
class Clustering:
    """Centers and the assignment that goes with them.

    Attributes
    ----------
    centers : ndarray
        Coordinates (k, d), or column indices (k,) of medoids.
    labels : ndarray of shape (n,), int32
    cost : float
        Cost of the labels at the centers; fair up to rounding.
    n_iter : int
        Assignments made.
    relaxation : Relaxation or None
        None when no bound mattered.
    """

    centers: Array
    labels: NDArray[np.int32]
    cost: float
    n_iter: int
    relaxation: Relaxation | None = None


def fair_lloyd(
    geometry: Geometry,
    groups: Groups,
    rows: BoundRows,
    centers: Array,
    *,
    max_iter: int = 100,
    tol: float = 1e-4,
    precision: float = _PRECISION,
    report: Callable[[int, float], None] | None = None,
) -> Clustering:
    """Alternate from given centers until they settle.

    Parameters
    ----------
    geometry : Geometry
        Points and kind of centers.
    groups : Groups
    rows : BoundRows
        Bounds as rows over quotas; without rows this is the plain method.
    centers : ndarray
        Starting centers.
    max_iter : int, default=100
        Largest number of assignments; 1 assigns to the given centers and leaves them.
    tol : float, default=1e-4
        Stop when the centers move by less, squared and relative to the variance of the points.
    precision : float, default=1e-4
        Relative gap to which the relaxed assignments are solved.
    report : callable, default=None
        Called with the iteration and the cost.

    Returns
    -------
    Clustering

    Notes
    -----
    Each assignment is one pass, O(n k d). At given quotas every step lowers the cost; quotas
    change only when that has settled. More than 200,000 points settle on a sample first
    and then take at most ten assignments.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.bounds import FairnessBounds
    >>> from faircluster.centers import Means
    >>> groups = Groups.from_features(["a", "b", "a", "b"])
    >>> rows = FairnessBounds.exact().rows(groups, 2)
    >>> X = np.array([[0.0], [1.0], [8.0], [9.0]])
    >>> fair_lloyd(Means(X), groups, rows, X[[0, 3]]).labels
    array([0, 0, 1, 1], dtype=int32)
    """
    done, relaxation = 0, None
    if max_iter > 1:
        part, part_groups = coarse_part(geometry, groups)
        if part is not geometry:
            coarse = _alternate(
                part, part_groups, rows, centers, max_iter, tol, report, None, precision, _COARSE_SAMPLE,
                coarse=True,
            )  # fmt: skip
            centers, done, relaxation = coarse.centers, coarse.n_iter, coarse.relaxation
    left = min(max(max_iter - done, 2), _FINE) if done else max_iter
    settled = _alternate(
        geometry, groups, rows, centers, left, tol, report, relaxation, precision, coarse=done > 0
    )
    return replace(settled, n_iter=settled.n_iter + done)


def coarse_part(geometry: Geometry, groups: Groups, size: int = 50_000) -> tuple[Geometry, Groups]:
    """Return a weighted sample of large data, on which centers settle first; small data as they are.

    Parameters
    ----------
    geometry : Geometry
    groups : Groups
    size : int, default=50_000
        About how many points the sample has; data up to four times as large stay whole.

    Returns
    -------
    geometry : Geometry
    groups : Groups
        With weights that add up to the whole data's by signature.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.centers import Means
    >>> coarse_part(Means(np.zeros((3, 1))), Groups.from_features(list("abb")))[0].n_points
    3
    """
    if geometry.n_points <= 4 * size:
        return geometry, groups
    chosen, weights = stratified_sample(groups.signature, groups.n_signatures, size, groups.weights)
    part = replace(groups, signature=groups.signature[chosen], weights=weights)
    return geometry.subset(chosen, weights), part


def _alternate(
    geometry: Geometry,
    groups: Groups,
    rows: BoundRows,
    centers: Array,
    max_iter: int,
    tol: float,
    report: Callable[[int, float], None] | None,
    relaxation: Relaxation | None,
    precision: float,
    sample: int = _SAMPLE,
    *,
    coarse: bool = False,
) -> Clustering:
    assigner = _Assigner(groups, rows, relaxation, precision, sample, coarse=coarse)
    limit = tol * geometry.scale()
    iteration, fresh = 0, True
    while True:
        source = geometry.costs(centers)
        labels, cost, own = assigner.assign(source, fresh=fresh)
        iteration += 1
        if report is not None:
            report(iteration, cost)
        if iteration >= max_iter:
            break
        new = _reopen_empty(geometry, labels, own, geometry.update(labels, centers), iteration, max_iter)
        still = _movement(new, centers) <= limit
        if still and fresh:
            break
        # quotas are found anew when points and centers agree on the old ones, and now and then
        fresh = still or iteration % _INNER == 0 or not assigner.bound
        centers = centers if still else new
    return Clustering(centers, labels, cost, iteration, assigner.relaxation)


class _Assigner:
    """Relaxed fair assignments to moving centers, each starting where the last one ended."""

    def __init__(
        self,
        groups: Groups,
        rows: BoundRows,
        start: Relaxation | None,
        precision: float,
        sample: int,
        *,
        coarse: bool = False,
    ) -> None:
        self.signature, self.weights, self.rows = groups.signature, groups.weights, rows
        self.relaxation, self.precision, self.coarse = start, precision, coarse
        self.bound = False  # whether the bounds mattered in the last assignment
        self._quotas: Array | None = None
        self._prices: Array | None = None
        self._counts = groups.signature_counts
        self._sample: tuple[Array, Array] | None = None
        if groups.n_rows > 2 * sample:
            self._sample = stratified_sample(groups.signature, groups.n_signatures, sample, groups.weights)

    def assign(self, source: CostSource, *, fresh: bool) -> tuple[NDArray[np.int32], float, Array]:
        """Labels, total cost and the cost of each point; ``fresh`` finds new quotas."""
        if fresh or self._quotas is None:
            if self.relaxation is None or not self.relaxation.multipliers.any():
                plain = self._plain(source)
                if plain is not None:
                    return plain
            self._quotas = self._find_quotas(source)
            if self.coarse:
                by_price = self._by_price(source)
                if by_price is not None:
                    return by_price
        moved = transport(source, self.signature, self._quotas, self._prices, self.weights)
        self._prices = moved.prices
        return moved.labels, float(moved.values.sum()), moved.costs

    def _by_price(self, source: CostSource) -> tuple[NDArray[np.int32], float, Array] | None:
        """Cheapest clusters at the prices, good enough for a sample unless ties spoil the quotas."""
        assert self._prices is not None
        assert self._quotas is not None
        labels, _, own = assign_by_price(source, self.signature, self._prices)
        loads = loads_of(labels, self.signature, self.weights, self._prices.shape)
        if np.abs(loads - self._quotas).sum() > 2 * _TIES * self._counts.sum():
            return None
        self.bound = False  # no quotas to stay with: prices are found anew each time
        return labels, _weighted_sum(own, self.weights), own

    def _plain(self, source: CostSource) -> tuple[NDArray[np.int32], float, Array] | None:
        shape = (len(self._counts), source.shape[1])
        labels, _, own = assign_by_price(source, self.signature, np.zeros(shape))
        loads = loads_of(labels, self.signature, self.weights, shape)
        self.bound = self.rows.violation(loads) > 0
        if self.bound:
            return None
        return labels, _weighted_sum(own, self.weights), own

    def _find_quotas(self, source: CostSource) -> Array:
        signature, weights = self.signature, self.weights
        if self._sample is not None:
            chosen, weights = self._sample
            source, signature = DenseCosts(source.take(chosen)), signature[chosen]
        self.relaxation = relax(
            source,
            signature,
            weights,
            self.rows.coef,
            self.rows.rhs,
            start=self.relaxation,
            tolerance=self.precision,
        )
        self._prices = self.relaxation.prices
        quotas = self.relaxation.quotas
        sums = quotas.sum(axis=1)
        quotas = quotas * np.divide(self._counts, sums, out=np.zeros_like(sums), where=sums > 0)[:, None]
        return quotas if self.weights is not None else round_rows(quotas)


def _weighted_sum(own: Array, weights: Array | None) -> float:
    return float(own.sum() if weights is None else (own * weights).sum())  # BLAS would wake its threads


def _reopen_empty(
    geometry: Geometry, labels: Array, own: Array, centers: Array, iteration: int, max_iter: int
) -> Array:
    """Move centers of empty clusters to the points that cost most, early enough to settle again."""
    empty = np.flatnonzero(np.bincount(labels, minlength=len(centers)) == 0)
    if len(empty) == 0 or iteration > min(max_iter // 2, 20):
        return centers
    cost = own if geometry.weights is None else own * (geometry.weights > 0)
    farthest = np.argpartition(cost, -len(empty))[-len(empty) :]
    centers = centers.copy()
    centers[empty] = geometry.at(farthest[np.argsort(-cost[farthest], kind="stable")])
    return centers


def _movement(new: Array, old: Array) -> float:
    if new.ndim == 1:
        return float((new != old).sum()) * 1e9
    return float(((new.astype(np.float64) - old) ** 2).sum())


def polish(
    geometry: Geometry,
    problem: AssignmentProblem,
    start: Clustering,
    *,
    rounds: int = 3,
    max_iter: int = 100,
) -> tuple[Array, AssignmentResult, int]:
    """Make a clustering strictly fair, then improve its centers at the quotas found.

    Parameters
    ----------
    geometry : Geometry
    problem : AssignmentProblem
        Groups, bounds, sizes, rounding and time limit; its cost is replaced.
    start : Clustering
        From :func:`fair_lloyd`.
    rounds : int, default=3
        Most calls of the engine.
    max_iter : int, default=100
        Most center updates at the same quotas.

    Returns
    -------
    centers : ndarray
    result : AssignmentResult
        The engine's answer at these centers, certificate included.
    n_iter : int
        Assignments made.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.centers import Means
    >>> X = np.array([[0.0], [1.0], [8.0], [9.0]])
    >>> problem = AssignmentProblem(None, ["a", "b", "a", "b"], "exact")
    >>> begin = Clustering(X[[0, 3]], np.zeros(4, dtype=np.int32), 0.0, 0)
    >>> polish(Means(X), problem, begin)[1].cost
    1.0
    """
    centers, n_iter = start.centers, 0
    result = solve(replace(problem, cost=geometry.costs(centers), start=start.relaxation))
    groups = result.groups
    for _ in range(rounds - 1):
        moved, prices, value, labels = centers, result.prices, result.cost, result.labels
        for _ in range(max_iter):
            candidate = geometry.update(labels, moved)
            again = transport(
                geometry.costs(candidate), groups.signature, result.quotas, prices, groups.weights
            )
            n_iter += 1
            cost = float(again.values.sum())
            if cost >= value * (1 - 1e-5):
                break
            moved, prices, value, labels = candidate, again.prices, cost, again.labels
        if value >= result.cost * (1 - 1e-4):
            break
        trial = solve(replace(problem, cost=geometry.costs(moved), start=result))
        if trial.cost >= result.cost or trial.violation > result.violation:
            break
        centers, result = moved, trial
    return centers, result, n_iter
