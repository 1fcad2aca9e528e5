"""Whole quotas: how many points of each signature every cluster receives, by integer programming.

The program has S * k whole variables, whatever the number of points. Its objective is what is
known of the transport cost: near the relaxed quotas, prices and curvature; further away, one cut
for every trial that has been evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from faircluster.assignment.margins import MoveCosts

__all__ = ["Cut", "QuotaProgram", "QuotaSolution", "run_program"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Cut:
    """Linear lower bound on the transport cost of every signature: ``values - prices . quotas``.

    Attributes
    ----------
    values : ndarray of shape (S,)
    prices : ndarray of shape (S, k)
    """

    values: NDArray[np.float64]
    prices: NDArray[np.float64]


@dataclass(frozen=True)
class QuotaSolution:
    """Quotas and what the program proved.

    Attributes
    ----------
    quotas : ndarray of shape (S, k) or None
        None when nothing was found.
    bound : float
        No quotas the program admits have a smaller objective.
    status : {"optimal", "limit", "infeasible"}
    """

    quotas: NDArray[np.float64] | None
    bound: float
    status: str


class QuotaProgram:
    """Quotas within the bounds, as an integer program.

    Parameters
    ----------
    counts : ndarray of shape (S,)
        Weight of every signature.
    coef, rhs : ndarrays of shapes (k, r, S) and (k, r)
        Bound rows: ``coef[j] @ quotas[:, j] <= rhs[j]``.
    whole : bool, default=True
        Whether quotas must be whole numbers.

    Examples
    --------
    Three points of one signature, at most two in each of two clusters:

    >>> import numpy as np
    >>> program = QuotaProgram(np.array([3.0]), np.ones((2, 1, 1)), np.full((2, 1), 2.0))
    >>> moves = MoveCosts(np.ones(1), np.ones((1, 1, 2)), np.ones((1, 1, 2)))
    >>> program.nearest(np.array([[2.6, 0.4]]), np.zeros((1, 2)), moves).quotas
    array([[2., 1.]])
    """

    def __init__(self, counts: Array, coef: Array, rhs: Array, *, whole: bool = True) -> None:
        self.counts, self.coef, self.rhs, self.whole = counts, coef, rhs, whole
        k, r, S = coef.shape
        cluster, row, signature = np.nonzero(coef)
        self._bounds = sp.csr_matrix(
            (coef[cluster, row, signature], (cluster * r + row, signature * k + cluster)),
            shape=(k * r, S * k),
        )
        self._totals = sp.kron(sp.eye(S), np.ones((1, k)), format="csr")

    def nearest(
        self,
        target: Array,
        prices: Array,
        moves: MoveCosts,
        *,
        reach: float | None = None,
        allowance: float = 0.0,
        budget: float | None = None,
        sizes: Array | None = None,
        nodes: int | None = None,
        time_limit: float | None = None,
        gap: float = 0.0,
    ) -> QuotaSolution:
        """Quotas of least estimated cost near quotas that are well known.

        Parameters
        ----------
        target, prices : ndarrays of shape (S, k)
            Quotas at which prices and margins are known; not whole as a rule.
        moves : MoveCosts
            Cost of distances from the target beyond what the prices say.
        reach : float, default=None
            Largest distance of a quota from the target, beyond rounding; unlimited by default.
        allowance : float, default=0
            By how much every bound may be broken.
        budget : float, default=None
            Largest estimated change of the cost. With it, quotas are those with the smallest
            margins within the budget, so that nothing is gained by breaking bounds.
        sizes : ndarray of shape (k,), default=None
            Cluster sizes to keep to. For disjoint groups the program is then a flow problem, whose
            vertices are whole.
        nodes : int, default=None
            Search nodes after which the best quotas found are returned: a limit that, unlike one
            in seconds, gives the same answer everywhere.
        time_limit : float, default=None
            Seconds.
        gap : float, default=0
            Absolute difference from the optimum at which the solver may stop.

        Returns
        -------
        QuotaSolution
            ``bound`` is the estimated change of cost.
        """
        size = target.size
        if self.whole:  # presolve goes wrong over steps of 1e-9
            target = np.where(np.abs(target - np.rint(target)) < 1e-6, np.rint(target), target)
        base, low, high = self._box(target, reach)
        moves = moves.within(float(np.maximum(high - (target - base), (target - base) - low).max()))
        steps = len(moves.widths)
        scale = max(float(np.abs(prices).max()), float(moves.up[0].max()))
        scale = scale or float(np.maximum(moves.up, moves.down).max()) or 1.0
        cost = np.concatenate([-prices.ravel(), moves.up.ravel(), moves.down.ravel()]) / scale
        width = np.append(moves.widths[:-1], np.inf)
        # quota = target + steps up - steps down
        identity = sp.eye(size, format="csr")
        sides = sp.hstack([-identity] * steps + [identity] * steps)
        rest = sp.csr_matrix((len(self.counts) + self._bounds.shape[0], 2 * steps * size))
        matrix = sp.vstack(
            [
                sp.hstack([sp.vstack([self._totals, self._bounds]), rest]),
                sp.hstack([identity, sides]),
            ],
            format="csr",
        )
        left = self.counts - base.sum(axis=1)
        room = self.rhs.ravel() + allowance - self._bounds @ base.ravel()
        offset = (target - base).ravel()
        lower = np.concatenate([left, np.full(len(room), -np.inf), offset])
        upper = np.concatenate([left, room, offset])
        column_low = np.concatenate([low.ravel(), np.zeros(2 * steps * size)])
        column_high = np.concatenate([high.ravel(), np.tile(np.repeat(width, size), 2)])
        if budget is not None:
            spent = (budget + float(np.vdot(prices, base - target))) / scale
            matrix = sp.vstack([matrix, sp.csr_matrix(cost)], format="csr")
            lower, upper = np.append(lower, -np.inf), np.append(upper, spent)
            cost = np.concatenate([np.zeros(size), cost[size:]])
        if sizes is not None:
            by_cluster = sp.kron(np.ones((1, len(self.counts))), sp.eye(len(sizes)))
            unused = sp.csr_matrix((len(sizes), 2 * steps * size))
            matrix = sp.vstack([matrix, sp.hstack([by_cluster, unused])], format="csr")
            missing = sizes - base.sum(axis=0)
            lower, upper = np.concatenate([lower, missing]), np.concatenate([upper, missing])
        solution = run_program(
            cost,
            matrix,
            lower,
            upper,
            column_low,
            column_high,
            size if self.whole else 0,
            time_limit,
            gap / scale,
            nodes,
            presolve=sizes is not None,
        )
        return self._unpack(solution, base, scale, -float(np.vdot(prices, base - target)))

    def cheapest(
        self,
        cuts: list[Cut],
        target: Array,
        *,
        reach: float | None = None,
        nodes: int | None = None,
        time_limit: float | None = None,
        gap: float = 0.0,
    ) -> QuotaSolution:
        """Quotas of least cost as far as the cuts know it; without reach, the bound is a proof.

        Parameters
        ----------
        cuts : list of Cut
            At least one.
        target : ndarray of shape (S, k)
            Center of the box that ``reach`` draws.
        reach, nodes, time_limit, gap
            As in :meth:`nearest`.

        Returns
        -------
        QuotaSolution
        """
        S, k = target.shape
        base, low, high = self._box(target, reach)
        scale = max(float(np.abs(cut.prices).max()) for cut in cuts)
        scale = scale or max(float(np.abs(cut.values).max()) for cut in cuts) or 1.0
        size = S * k
        left = self.counts - base.sum(axis=1)
        room = self.rhs.ravel() - self._bounds @ base.ravel()
        # theta_s + prices . delta >= values - prices . base
        blocks = [sp.hstack([_block_rows(cut.prices / scale), sp.eye(S)], format="csr") for cut in cuts]
        known = [(cut.values - (cut.prices * base).sum(axis=1)) / scale for cut in cuts]
        center = known[-1]
        matrix = sp.vstack(
            [
                sp.hstack([self._totals, sp.csr_matrix((S, S))]),
                sp.hstack([self._bounds, sp.csr_matrix((len(room), S))]),
                *blocks,
            ],
            format="csr",
        )
        lower = np.concatenate([left, np.full(len(room), -np.inf), *(value - center for value in known)])
        upper = np.concatenate([left, room, np.full(S * len(cuts), np.inf)])
        cost = np.concatenate([np.zeros(size), np.ones(S)])
        column_low = np.concatenate([low.ravel(), np.full(S, -np.inf)])
        column_high = np.concatenate([high.ravel(), np.full(S, np.inf)])
        solution = run_program(
            cost,
            matrix,
            lower,
            upper,
            column_low,
            column_high,
            size if self.whole else 0,
            time_limit,
            gap / scale,
            nodes,
        )
        return self._unpack(solution, base, scale, float(center.sum()) * scale)

    def _box(self, target: Array, reach: float | None) -> tuple[Array, Array, Array]:
        """Find base quotas near the target and limits of the distance from them."""
        # Distances from a base instead of quotas keep the numbers small, and so the solver's
        # absolute tolerances meaningful, for any number of points.
        base = np.floor(target) if self.whole else target
        total = np.broadcast_to(self.counts[:, None], target.shape)
        base = np.clip(base, 0.0, total)
        if reach is None:
            return base, -base, total - base
        return base, np.maximum(-base, -np.ceil(reach)), np.minimum(total - base, np.ceil(reach) + 1)

    def _unpack(
        self, solution: tuple[Array | None, float, str], base: Array, scale: float, constant: float = 0.0
    ) -> QuotaSolution:
        values, bound, status = solution
        if values is None:
            return QuotaSolution(None, bound * scale + constant, status)
        moved = values[: base.size].reshape(base.shape)
        quotas = np.maximum(base + (np.rint(moved) if self.whole else moved), 0.0)
        if not self.whole:  # the solver's sums are off by its tolerance
            sums = quotas.sum(axis=1)
            quotas *= np.divide(self.counts, sums, out=np.zeros_like(sums), where=sums > 0)[:, None]
        return QuotaSolution(quotas, bound * scale + constant, status)


def _block_rows(prices: Array) -> sp.csr_matrix:
    """One row a signature, with its prices at its own k columns."""
    S, k = prices.shape
    columns = np.arange(S * k)
    return sp.csr_matrix((prices.ravel(), (columns // k, columns)), shape=(S, S * k))


def run_program(
    cost: Array,
    matrix: sp.csr_matrix,
    lower: Array,
    upper: Array,
    column_low: Array,
    column_high: Array,
    n_whole: int,
    time_limit: float | None,
    gap: float,
    nodes: int | None = None,
    *,
    presolve: bool = False,
) -> tuple[Array | None, float, str]:
    """Minimise with HiGHS; the first ``n_whole`` columns are whole numbers."""
    import highspy

    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, column_low, column_high
    lp.row_lower_, lp.row_upper_ = lower, upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    if n_whole:
        kinds = [highspy.HighsVarType.kInteger] * n_whole
        lp.integrality_ = kinds + [highspy.HighsVarType.kContinuous] * (len(cost) - n_whole)
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("random_seed", 0)
    highs.setOptionValue("mip_rel_gap", 0.0)
    highs.setOptionValue("mip_abs_gap", max(gap, 1e-9))
    for tolerance in ("mip_feasibility_tolerance", "primal_feasibility_tolerance"):
        highs.setOptionValue(tolerance, 1e-9)
    if nodes is not None:
        highs.setOptionValue("mip_max_nodes", nodes)
        # in a short search presolve and restarts take longer than they save
        highs.setOptionValue("presolve", "choose" if presolve else "off")
        highs.setOptionValue("mip_allow_restart", False)
        highs.setOptionValue("mip_max_improving_sols", 4 * nodes)
    if time_limit is not None:
        highs.setOptionValue("time_limit", max(time_limit, 0.01))
    highs.passModel(lp)
    highs.run()
    if highs.getModelStatus() == highspy.HighsModelStatus.kInfeasible and (nodes is None or presolve):
        # presolve at tight tolerances has called feasible programs infeasible
        highs.setOptionValue("presolve", "off")
        highs.run()
    status, info = highs.getModelStatus(), highs.getInfo()
    solved = status == highspy.HighsModelStatus.kOptimal
    proven = float(info.mip_dual_bound) if n_whole else -np.inf
    if solved and not n_whole:
        proven = float(info.objective_function_value)
    if status == highspy.HighsModelStatus.kInfeasible:
        return None, np.inf, "infeasible"
    if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        word = "optimal" if solved else "limit"
        return np.array(highs.getSolution().col_value), proven, word
    # out of time or nodes, or the solver gave up: nothing is known
    stopped = (highspy.HighsModelStatus.kTimeLimit, highspy.HighsModelStatus.kSolutionLimit)
    return None, proven if status in stopped else -np.inf, "limit"
