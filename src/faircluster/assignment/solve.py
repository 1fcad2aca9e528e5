"""The front door of the assignment engine."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.first_quotas import FirstQuotas
from faircluster.assignment.margins import MoveCosts, move_costs
from faircluster.assignment.pinned import assign_at_sizes
from faircluster.assignment.prices import Relaxation, relax
from faircluster.assignment.problem import AssignmentProblem, AssignmentResult, relative_gap
from faircluster.assignment.quotas import Cut, QuotaProgram
from faircluster.assignment.search import QuotaSearch
from faircluster.assignment.transport import Transport, assign_by_price, loads_of, transport
from faircluster.assignment.unsplit import unsplit
from faircluster.bounds import BoundRows, FairnessBounds, InfeasibleBoundsError, check_feasible
from faircluster.distances import CostSource, DenseCosts, as_cost_source
from faircluster.groups import Groups

__all__ = ["Solver", "solve"]

Array = NDArray[Any]
_PATIENCE = 10.0  # seconds a step may take without a time limit; limits on its work come first
_NODES = 1  # search nodes of a program for quotas: the root, with its heuristics
_NEAREST_COST = 5e-4  # what "nearest" may add to the relaxed cost before it allows more violation


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
    Where sizes are given and bounds on single groups leave each quota no more than two whole numbers, as
    exact bounds do, this is a flow problem, and is solved exactly.

    Else three steps: prices from the smoothed dual (O(n k) each evaluation), whole quotas from an
    integer program in S * k variables, transport of the points to those quotas (exact). While the
    gap exceeds the tolerance, each transport adds a cut to the integer program, which gives the
    next quotas and, once its box covers everything, a better lower bound.

    Examples
    --------
    >>> import numpy as np
    >>> cost = np.array([[0.0, 4.0], [0.0, 3.0], [5.0, 0.0], [2.0, 0.0]])
    >>> result = solve(AssignmentProblem(cost, ["a", "a", "b", "b"], 0.2))
    >>> result.labels.tolist(), result.cost, result.violation
    ([0, 1, 1, 0], 5.0, 0.0)
    """
    return Solver(problem).run()


class Solver:
    """One call of :func:`solve`: the validated problem, the clock and the best assignment so far.

    A subclass may look at more points than the problem holds: it then says what they do at no prices, what
    the relaxed solution is and how quotas are met (``unconstrained``, ``pinned``, ``relax``, ``transport``,
    ``result``).

    Parameters
    ----------
    problem : AssignmentProblem
    """

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
        """Solve the problem."""
        sizes = self._fixed_sizes()
        if sizes is not None and self.groups.n_signatures == 1:
            moved = self.transport(sizes[None, :], self._start_prices())
            return self.result(moved, float(moved.values.sum()), "optimal", None)
        plain = self.unconstrained()
        if plain is not None:
            return plain
        if sizes is not None and self.problem.rounding == "strict":
            pinned = self.pinned(sizes)
            if pinned is not None:
                return pinned
        relaxation = self.relax()
        if self.problem.rounding == "nearest":
            return self._nearest(relaxation)
        return self._strict(relaxation)

    # ---- the steps

    def _fixed_sizes(self) -> Array | None:
        """Sizes of the clusters when there is nothing to choose about them, whole where points are."""
        if self.problem.size_min is None or self.problem.size_max is None:
            return None
        low = np.broadcast_to(np.asarray(self.problem.size_min, dtype=np.float64), (self.k,))
        high = np.broadcast_to(np.asarray(self.problem.size_max, dtype=np.float64), (self.k,))
        whole = not self.groups.integer_weights or (low == np.floor(low)).all()
        if (low != high).any() or low.sum() != self.groups.total or not whole:
            return None
        return low.copy()

    def _start_prices(self) -> Array | None:
        """Prices of the similar problem, if they have the shape of this one's."""
        start = None if self.problem.start is None else self.problem.start.prices
        return start if start is not None and start.shape == (self.groups.n_signatures, self.k) else None

    def pinned(self, sizes: Array) -> AssignmentResult | None:
        """Solve the problem as a flow where sizes and bounds leave each quota at most two whole numbers."""
        begun = time.perf_counter()
        start = self._start_prices()
        found = assign_at_sizes(self.source, self.groups, self.rows, sizes, start, self._out_of_time)
        if found is None:
            return None
        self.seconds["transport"] = time.perf_counter() - begun
        cost = float(found.moved.values.sum())
        bound = max(found.lower_bound, self.cheapest)
        if abs(cost - bound) <= 1e-13 * float(np.abs(found.moved.prices).max()) * sizes.sum():
            bound = cost  # but for rounding
        known = Relaxation(
            multipliers=np.zeros((self.k, 0)),
            prices=found.moved.prices,
            quotas=found.quotas,
            values=found.moved.values,
            lower_bound=bound,
            cost=cost,
            temperature=0.0,
        )
        status = "optimal" if cost - bound <= self._tolerance(cost) else "feasible"
        return self.result(found.moved, bound, status, known)

    def unconstrained(self) -> AssignmentResult | None:
        """Every point at its cheapest center, if that keeps the bounds."""
        shape = (self.groups.n_signatures, self.k)
        labels, _, own = assign_by_price(self.source, self.signature, np.zeros(shape))
        quotas = loads_of(labels, self.signature, self.weights, shape)
        weighted = own if self.weights is None else own * self.weights
        values = np.bincount(self.signature, weights=weighted, minlength=shape[0]).astype(np.float64)
        self.cheapest = float(values.sum())
        if not np.isfinite(self.cheapest):
            raise ValueError("cost overflows when summed; rescale it, or use float64 points and centers")
        if self.rows.violation(quotas) > 0:
            return None
        none = np.empty(0, dtype=np.intp)
        moved = Transport(
            labels, np.zeros(shape), values, own, none, none.astype(np.int32), none.astype(np.float64)
        )
        return self.result(moved, self.cheapest, "optimal", None)

    def relax(self) -> Relaxation:
        """Find prices."""
        begun = time.perf_counter()
        given = self.problem.start
        start = given.relaxation if isinstance(given, AssignmentResult) else given
        relaxation = relax(
            self.source,
            self.signature,
            self.weights,
            self.rows.coef,
            self.rows.rhs,
            start=start,
            tolerance=min(3e-5, 0.1 * self.problem.tolerance),
        )
        self.seconds["prices"] = time.perf_counter() - begun
        return relaxation

    def transport(self, quotas: Array, prices: Array | None) -> Transport:
        """Assign points to quotas at least cost."""
        begun = time.perf_counter()
        moved = transport(self.source, self.signature, quotas, prices, self.weights)
        self.seconds["transport"] = self.seconds.get("transport", 0.0) + time.perf_counter() - begun
        return moved

    def _program(self) -> QuotaProgram:
        return QuotaProgram(
            self.groups.signature_counts, self.rows.coef, self.rows.rhs, whole=self.groups.integer_weights
        )

    def _nearest(self, relaxation: Relaxation) -> AssignmentResult:
        """Round the relaxed quotas at the least rounding cost, violations of one point first.

        The estimated cost only has to stay near the relaxed one: nothing is gained by breaking bounds.
        """
        program, moves = self._program(), self._moves(relaxation.prices, farthest=4)
        bound = max(relaxation.lower_bound, self.cheapest)
        best: tuple[tuple[bool, float], Transport] | None = None
        half, full, any_cost = 0.4 * _NEAREST_COST, _NEAREST_COST, np.inf
        for allowance, reach, budget in (
            (1.0, 0.0, half), (1.0, 0.0, -half), (1.0, 1.0, full),
            (1.0, 1.0, any_cost), (2.0, 1.0, any_cost), (4.0, 2.0, any_cost),
        ):  # fmt: skip
            found = program.nearest(
                relaxation.quotas,
                relaxation.prices,
                moves,
                reach=reach,
                allowance=allowance - 1e-7,
                budget=budget * abs(bound) if budget < any_cost else any_cost,
                nodes=_NODES,
                time_limit=self._seconds_left(_PATIENCE),
                gap=0.1 * _NEAREST_COST * abs(bound),
            ).quotas
            if found is None:
                continue
            moved = self.transport(found, relaxation.prices)
            dearer = float(moved.values.sum()) - bound
            rank = (self.rows.violation(found) > 1.0, dearer)
            if best is None or rank < best[0]:
                best = rank, moved
            if dearer <= _NEAREST_COST * abs(bound) or budget == any_cost:
                break
        if best is None:
            raise InfeasibleBoundsError("no whole quotas lie next to the relaxed ones; use rounding='strict'")
        return self.result(best[1], bound, "feasible", relaxation)

    def _strict(self, relaxation: Relaxation) -> AssignmentResult:
        """Quotas within the bounds, improved until the gap is small."""
        program = self._program()
        first = FirstQuotas(
            self.source,
            self.groups,
            self.rows,
            self._tolerance(relaxation.lower_bound),
            lambda: self._seconds_left(_PATIENCE),
            self._out_of_time,
        )
        quotas = first.find(relaxation)
        if quotas is None:
            quotas = self._one_cluster()
        best = self.transport(quotas, relaxation.prices)
        limited = self.problem.time_limit is not None
        search = QuotaSearch(
            program, self.transport, self._moves, self._tolerance, self._deadline(), thorough=limited
        )
        cut = Cut(relaxation.values, relaxation.prices)
        best, bound = search.run(quotas, best, max(relaxation.lower_bound, self.cheapest), cut)
        status = "feasible"
        if float(best.values.sum()) - bound <= self._tolerance(bound):
            status = "optimal"
        elif self._out_of_time():
            status = "time_limit"
        return self.result(best, bound, status, relaxation)

    def _one_cluster(self) -> Array:
        """All points in one cluster, which keeps any bounds on shares that the data keep."""
        for j in range(self.k):
            quotas = np.zeros((self.groups.n_signatures, self.k))
            quotas[:, j] = self.groups.signature_counts
            if self.rows.violation(quotas) == 0:
                return quotas
        seconds = time.perf_counter() - self.started
        raise TimeoutError(
            f"no assignment within the bounds was found in {seconds:.1f} s "
            f"(time_limit={self.problem.time_limit}); raise time_limit or widen the bounds"
        )

    # ---- small things

    def _moves(self, prices: Array, farthest: int = 64) -> MoveCosts:
        return move_costs(self.source, self.signature, self.weights, prices, farthest=farthest)

    def _tolerance(self, value: float) -> float:
        return self.problem.tolerance * abs(value)

    def _deadline(self) -> float:
        limit = _PATIENCE if self.problem.time_limit is None else self.problem.time_limit
        return self.started + limit

    def _out_of_time(self) -> bool:
        """Whether a time limit was given and has passed."""
        return self.problem.time_limit is not None and time.perf_counter() >= self._deadline()

    def _seconds_left(self, patience: float) -> float:
        """Seconds one step may take: its patience, or what is left of the time limit."""
        if self.problem.time_limit is None:
            return patience
        return max(min(self._deadline() - time.perf_counter(), patience), 0.1)

    def result(
        self, moved: Transport, bound: float, status: str, relaxation: Relaxation | None
    ) -> AssignmentResult:
        """Put the result of a transport together with what is known about it."""
        shape = (self.groups.n_signatures, self.k)
        labels, cost = moved.labels, float(moved.values.sum())
        if len(moved.split_rows):
            patience = self._seconds_left(_PATIENCE)
            labels, cost = unsplit(self.source, self.groups, self.rows, moved, patience)
        quotas = loads_of(labels, self.signature, self.weights, shape)
        violation = self.rows.violation(quotas)
        if len(moved.split_rows) and (violation > 0 or cost - bound > self._tolerance(cost)):
            status = "feasible" if status == "optimal" else status
        if status == "time_limit":
            warnings.warn(
                f"time_limit={self.problem.time_limit} s reached; the violation is {violation:g} and the "
                f"cost at most {relative_gap(cost, bound):.2%} above the optimum",
                RuntimeWarning,
                stacklevel=5,  # the caller of solve
            )
        self.seconds["total"] = time.perf_counter() - self.started
        return AssignmentResult(
            labels=labels,
            cost=cost,
            lower_bound=bound,
            gap=relative_gap(cost, bound),
            violation=violation,
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
