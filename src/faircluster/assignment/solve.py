"""The front door of the assignment engine."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.problem import AssignmentProblem, AssignmentResult
from faircluster.assignment.prices import Relaxation, relax
from faircluster.assignment.quotas import Cut, QuotaProgram
from faircluster.assignment.transport import Transport, assign_by_price, loads_of, transport
from faircluster.assignment.unsplit import unsplit
from faircluster.bounds import BoundRows, FairnessBounds, InfeasibleBoundsError, check_feasible
from faircluster.distances import CostSource, DenseCosts, as_cost_source
from faircluster.groups import Groups

__all__ = ["solve"]

Array = NDArray[Any]
_ROUNDS = 60  # trials of quotas without a time limit
_PATIENCE = 30.0  # seconds without a time limit after which a gap is accepted


def solve(problem: AssignmentProblem) -> AssignmentResult:
    """Assign points to centers at least cost within bounds on groups and sizes.

    Parameters
    ----------
    problem : AssignmentProblem

    Returns
    -------
    AssignmentResult
        With ``rounding="strict"`` violation 0 (unweighted, or whole weights unless single
        heavy points make it impossible), whatever the cost. With ``"nearest"`` the cost of the
        relaxed problem and, for disjoint groups, a violation of at most one point as a rule; the
        result states it.

    Raises
    ------
    InfeasibleBoundsError
        No assignment meets the bounds, or none of whole points does.
    ValueError
        Costs that are not finite, arguments whose shapes differ.

    Notes
    -----
    Three steps: prices from the smoothed dual (O(n k) each evaluation), whole quotas from an
    integer program in S * k variables, transport of the points to those quotas (exact). While the
    gap exceeds the tolerance, each transport adds a cut to the integer program, which gives the
    next quotas and, once its box covers everything, a better lower bound.

    Examples
    --------
    >>> import numpy as np
    >>> cost = np.array([[0.0, 4.0], [0.0, 3.0], [5.0, 0.0], [4.0, 0.0]])
    >>> result = solve(AssignmentProblem(cost, ["a", "a", "b", "b"], "exact"))
    >>> result.labels.tolist(), result.cost, result.violation
    ([0, 1, 1, 0], 7.0, 0.0)
    """
    return _Solver(problem).run()


class _Solver:
    """One call of ``solve``: the validated problem, the clock and the best assignment so far."""

    def __init__(self, problem: AssignmentProblem) -> None:
        self.started = time.perf_counter()
        self.seconds: dict[str, float] = {}
        self.problem = problem
        self.source: CostSource = as_cost_source(problem.cost)
        n, self.k = self.source.shape
        _check_finite(self.source)
        if problem.rounding not in ("strict", "nearest"):
            raise ValueError(f"rounding must be 'strict' or 'nearest', got {problem.rounding!r}")
        given = problem.groups
        self.groups = given if isinstance(given, Groups) else Groups.from_features(given, n_rows=n)
        if self.groups.n_rows != n:
            raise ValueError(
                f"cost has {n} rows but groups has {self.groups.n_rows}; give one protected value a row"
            )
        bounds = FairnessBounds.from_any(problem.bounds)
        self.rows: BoundRows = bounds.rows(self.groups, self.k, problem.size_min, problem.size_max)
        if self.rows.descriptions:
            check_feasible(self.groups, bounds, self.k, problem.size_min, problem.size_max)
        self.weights = self.groups.weights
        self.signature = self.groups.signature

    def run(self) -> AssignmentResult:
        fixed = self._fixed_quotas()
        if fixed is not None:
            start = None if self.problem.start is None else self.problem.start.prices
            prices = start if start is not None and start.shape == fixed.shape else None
            moved = self._transport(fixed, prices)
            return self._result(moved, float(moved.values.sum()), "optimal", None)
        plain = self._unconstrained()
        if plain is not None:
            return plain
        relaxation = self._relax()
        if self.problem.rounding == "nearest":
            return self._nearest(relaxation)
        return self._strict(relaxation)

    # ---- the steps

    def _fixed_quotas(self) -> Array | None:
        """Quotas when there is nothing to choose: one signature and sizes that are given."""
        if self.groups.n_signatures > 1 or self.problem.size_min is None or self.problem.size_max is None:
            return None
        low = np.broadcast_to(np.asarray(self.problem.size_min, dtype=np.float64), (self.k,))
        high = np.broadcast_to(np.asarray(self.problem.size_max, dtype=np.float64), (self.k,))
        if (low != high).any() or low.sum() != self.groups.total:
            return None
        return low[None, :].copy()

    def _unconstrained(self) -> AssignmentResult | None:
        """Every point at its cheapest center, if that keeps the bounds."""
        shape = (self.groups.n_signatures, self.k)
        labels, _, own = assign_by_price(self.source, self.signature, np.zeros(shape))
        quotas = loads_of(labels, self.signature, self.weights, shape)
        if self.rows.violation(quotas) > 0:
            return None
        values = np.bincount(
            self.signature, weights=own if self.weights is None else own * self.weights, minlength=shape[0]
        )
        none = np.empty(0, dtype=np.intp)
        moved = Transport(
            labels, np.zeros(shape), values, none, none.astype(np.int32), none.astype(np.float64)
        )
        return self._result(moved, float(values.sum()), "optimal", None)

    def _relax(self) -> Relaxation:
        begun = time.perf_counter()
        start = None if self.problem.start is None else self.problem.start.relaxation
        relaxation = relax(
            self.source,
            self.signature,
            self.weights,
            self.rows.coef,
            self.rows.rhs,
            start=start,
            tolerance=min(1e-5, 0.1 * self.problem.tolerance),
        )
        self.seconds["prices"] = time.perf_counter() - begun
        return relaxation

    def _transport(self, quotas: Array, prices: Array | None) -> Transport:
        begun = time.perf_counter()
        moved = transport(self.source, self.signature, quotas, prices, self.weights)
        self.seconds["transport"] = self.seconds.get("transport", 0.0) + time.perf_counter() - begun
        return moved

    def _program(self) -> QuotaProgram:
        return QuotaProgram(
            self.groups.signature_counts, self.rows.coef, self.rows.rhs, whole=self.groups.integer_weights
        )

    def _nearest(self, relaxation: Relaxation) -> AssignmentResult:
        """Quotas next to the relaxed ones, with the smallest violation possible there."""
        program, best = self._program(), None
        for reach in (0.0, 1.0, 3.0):
            found = program.nearest(
                relaxation.quotas,
                relaxation.prices,
                self._curvature(relaxation),
                reach=reach,
                allow_violation=True,
                time_limit=self._remaining(5.0),
                gap=0.1 * self._tolerance(relaxation.lower_bound),
            ).quotas
            if found is not None:
                violation = self.rows.violation(found)
                if best is None or violation < best[0]:
                    best = (violation, found)
                if violation <= 1.0:
                    break
        if best is None:
            raise InfeasibleBoundsError("no whole quotas lie next to the relaxed ones; use rounding='strict'")
        moved = self._transport(self._sum_exactly(best[1]), relaxation.prices)
        return self._result(moved, relaxation.lower_bound, "feasible", relaxation)

    def _strict(self, relaxation: Relaxation) -> AssignmentResult:
        """Quotas within the bounds, improved by cuts until the gap is small."""
        program = self._program()
        bound = relaxation.lower_bound
        quotas = self._first_quotas(program, relaxation)
        cuts = [Cut(relaxation.values, relaxation.prices)]
        best = self._transport(quotas, relaxation.prices)
        center, reach, status = quotas, self._first_reach(relaxation), "feasible"
        moved, seen = best, {quotas.tobytes()}
        for _ in range(_ROUNDS):
            value = float(best.values.sum())
            if value - bound <= self._tolerance(bound):
                status = "optimal"
                break
            if self._remaining(_PATIENCE) <= 0:
                status = "feasible" if self.problem.time_limit is None else "time_limit"
                break
            cuts.append(Cut(moved.values + (moved.prices * quotas).sum(axis=1), moved.prices))
            quotas, proven, reach = self._next_quotas(program, cuts, center, reach, value)
            bound = max(bound, min(proven, value))
            if quotas is None or quotas.tobytes() in seen:
                # the box holds nothing better
                if reach is None:
                    status = "optimal" if value - bound <= self._tolerance(bound) else status
                    break
                quotas = center
                reach = self._wider(reach)
                cuts.pop()
                continue
            seen.add(quotas.tobytes())
            moved = self._transport(quotas, moved.prices)
            if moved.values.sum() < value:
                best, center = moved, quotas
        return self._result(best, bound, status, relaxation)

    def _first_reach(self, relaxation: Relaxation) -> float | None:
        largest = float(self.groups.signature_counts.max())
        return None if largest <= 64 else 4.0

    def _wider(self, reach: float) -> float | None:
        return None if reach * 8 >= float(self.groups.signature_counts.max()) else reach * 8

    def _next_quotas(
        self, program: QuotaProgram, cuts: list[Cut], center: Array, reach: float | None, value: float
    ) -> tuple[Array | None, float, float | None]:
        """Next quotas to try, the bound proven (if any) and the reach used."""
        tolerance = self._tolerance(value)
        while True:
            found = program.cheapest(
                cuts, center, reach=reach, time_limit=max(self._remaining(_PATIENCE), 0.05), gap=0.3 * tolerance
            )
            proven = found.bound if reach is None else -np.inf
            promising = found.quotas is not None and found.bound < value - 0.5 * tolerance
            if promising or reach is None or self._remaining(_PATIENCE) <= 0:
                quotas = self._sum_exactly(found.quotas) if promising and found.quotas is not None else None
                return quotas, proven, reach
            reach = self._wider(reach)

    def _first_quotas(self, program: QuotaProgram, relaxation: Relaxation) -> Array:
        """Whole quotas within the bounds near the relaxed ones."""
        for reach, patience in ((2.0, 5.0), (16.0, 10.0), (None, 30.0)):
            limit = self._remaining(patience, from_now=True)
            found = program.nearest(
                relaxation.quotas,
                relaxation.prices,
                self._curvature(relaxation),
                reach=reach,
                time_limit=limit,
                gap=0.1 * self._tolerance(relaxation.lower_bound),
            )
            if found.quotas is not None and self.rows.violation(found.quotas) == 0:
                return self._sum_exactly(found.quotas)
            if reach is None and found.status == "infeasible":
                raise InfeasibleBoundsError(
                    "the bounds can be met by shares of points but not by whole points: "
                    f"{self.groups.total:g} points, {self.k} clusters, smallest group "
                    f"{self.groups.counts.min():g}; widen the bounds or the sizes, or use rounding='nearest'"
                )
        return self._one_cluster()

    def _one_cluster(self) -> Array:
        """All points in one cluster, which keeps any bounds on shares that the data keep."""
        for j in range(self.k):
            quotas = np.zeros((self.groups.n_signatures, self.k))
            quotas[:, j] = self.groups.signature_counts
            if self.rows.violation(quotas) == 0:
                return quotas
        raise TimeoutError(
            f"time_limit={self.problem.time_limit} passed before any assignment within the bounds was found; "
            "raise time_limit or widen the bounds"
        )

    # ---- small things

    def _curvature(self, relaxation: Relaxation) -> Array:
        """Cost of moving a quota one unit away from the relaxed one."""
        positive = relaxation.density[relaxation.density > 0]
        floor = float(positive.min()) if len(positive) else 1.0
        return 1.0 / np.maximum(relaxation.density, floor)

    def _sum_exactly(self, quotas: Array) -> Array:
        if self.groups.integer_weights:
            return quotas
        sums = quotas.sum(axis=1, keepdims=True)
        counts = self.groups.signature_counts[:, None]
        return quotas * np.divide(counts, sums, out=np.zeros_like(sums), where=sums > 0)

    def _tolerance(self, value: float) -> float:
        return self.problem.tolerance * abs(value)

    def _remaining(self, patience: float, *, from_now: bool = False) -> float:
        """Seconds left of the time limit, or of our own patience without one."""
        elapsed = time.perf_counter() - self.started
        if self.problem.time_limit is None:
            return patience if from_now else patience - elapsed
        left = self.problem.time_limit - elapsed
        return max(min(left, patience), 0.1) if from_now else left

    def _result(
        self, moved: Transport, bound: float, status: str, relaxation: Relaxation | None
    ) -> AssignmentResult:
        shape = (self.groups.n_signatures, self.k)
        labels, cost = moved.labels, float(moved.values.sum())
        if len(moved.split_rows):
            labels, cost = unsplit(self.source, self.groups, self.rows, moved)
        quotas = loads_of(labels, self.signature, self.weights, shape)
        if status == "time_limit":
            warnings.warn(
                f"time_limit={self.problem.time_limit} s reached; the assignment keeps the bounds, its cost is "
                f"at most {_gap(cost, bound):.2%} above the optimum",
                RuntimeWarning,
                stacklevel=4,
            )
        self.seconds["total"] = time.perf_counter() - self.started
        return AssignmentResult(
            labels=labels,
            cost=cost,
            lower_bound=bound,
            gap=_gap(cost, bound),
            violation=self.rows.violation(quotas),
            status=status,
            quotas=quotas,
            prices=moved.prices,
            relaxation=relaxation,
            groups=self.groups,
            rows=self.rows,
            split_rows=moved.split_rows,
            split_clusters=moved.split_clusters,
            split_weights=moved.split_weights,
            seconds=self.seconds,
        )


def _gap(cost: float, bound: float) -> float:
    if bound == 0:
        return 0.0 if cost == 0 else float("inf")
    return (cost - bound) / abs(bound)


def _check_finite(source: CostSource) -> None:
    if not isinstance(source, DenseCosts):
        return  # points and centers are checked where they come in
    cost = source.cost
    with np.errstate(all="ignore"):
        if np.isfinite(cost.sum(dtype=np.float64)):
            return
    bad = np.flatnonzero(~np.isfinite(cost).all(axis=1))
    if len(bad):
        raise ValueError(
            f"cost has NaN or infinity in {len(bad)} rows, the first is row {bad[0]}; "
            "use a large finite cost to discourage an assignment"
        )
