"""Quotas within the bounds that can be filled within a radius, as linear and integer programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from faircluster.assignment.hall import HallCuts
from faircluster.assignment.quotas import QuotaSolution, run_program
from faircluster.assignment.sized_quotas import cut_rows
from faircluster.bounds import BoundRows

__all__ = ["RadiusProgram"]

Array = NDArray[Any]
_REMEMBERED = 12  # proofs that no quotas exist, tried at other radii and centers before a program is solved


@dataclass(frozen=True, eq=False)
class _Proof:
    """Multipliers of rows: by duality a bound on the least excess, whatever the cuts' right-hand sides are.

    Attributes
    ----------
    constant : float
        What rows other than cuts contribute.
    cuts : ndarray
        Multipliers of the cuts known when it was made, non-negative.
    rising, falling : ndarrays of shape (S, k)
        What quotas gain from their lower limits, and lose by their upper ones.
    """

    constant: float
    cuts: NDArray[np.float64]
    rising: NDArray[np.float64]
    falling: NDArray[np.float64]

    def excess(self, needed: Array, least: Array, most: Array) -> float:
        """Bound at these right-hand sides and limits of the quotas."""
        limits = float(np.vdot(self.rising, least) - np.vdot(self.falling, most))
        return self.constant + float(self.cuts @ needed[: len(self.cuts)]) + limits


class RadiusProgram:
    """The bounds and the cuts at the radius that the cuts have visited last.

    Parameters
    ----------
    counts : ndarray of shape (S,)
        Weight of every signature.
    rows : BoundRows
    cuts : HallCuts
    whole : bool, default=True
        Whether quotas must be whole numbers in the integer program.

    Notes
    -----
    Cluster sizes are columns of their own. A bound on a group then has entries for the group and
    the size instead of all signatures, and the programs stay sparse.

    Examples
    --------
    >>> from faircluster.bounds import FairnessBounds
    >>> from faircluster.groups import Groups
    >>> from faircluster.assignment.reach import reach_classes
    >>> groups = Groups.from_features(list("aabb"))
    >>> cuts = HallCuts(2, 2)
    >>> program = RadiusProgram(groups.signature_counts, FairnessBounds.exact().rows(groups, 2), cuts)
    >>> cost = np.array([[0.0, 2.0], [0.0, 2.0], [3.0, 1.0], [3.0, 1.0]])
    >>> cuts.visit(reach_classes(cost, groups.signature, None, 2, 1.0))
    >>> program.feasible_quotas(1e-6) is None
    True
    """

    def __init__(self, counts: Array, rows: BoundRows, cuts: HallCuts, *, whole: bool = True) -> None:
        self.counts, self.rows, self.cuts, self.whole = counts, rows, cuts, whole
        self.S, self.k = len(counts), len(rows.rhs)
        self._matrix, self._lower, self._upper = self._base_rows()
        self._highs = self._relaxed_program()
        self._rows_held = 0
        self._proofs: list[_Proof] = []

    def feasible_quotas(self, tolerance: float, *, remembered: bool = True) -> NDArray[np.float64] | None:
        """Quotas, not whole, that can be filled at the visited radius; None when there are none.

        Parameters
        ----------
        tolerance : float
            Weight that may lack a center within the radius: rounding of the solver.
        remembered : bool, default=True
            Try the proofs of earlier calls first.

        Returns
        -------
        ndarray of shape (S, k) or None
        """
        if remembered and self._excluded(2.0 * tolerance):
            return None
        held = -1
        while True:
            excess, quotas = self._least_excess()
            if quotas is None or excess > tolerance:
                if quotas is not None:
                    self._remember()
                return None
            missing = self.cuts.separate(quotas, tolerance / self.S)
            # no new cut although points are missing: what is missing is rounding
            if missing <= tolerance or held == len(self.cuts):
                return quotas
            held = len(self.cuts)

    def blocking(self, tolerance: float) -> list[tuple[int, NDArray[np.bool_]]]:
        """Cuts that together rule out the visited radius.

        Parameters
        ----------
        tolerance : float

        Returns
        -------
        list of (signature, set of centers)
            Those with a positive multiplier in the program's dual; none if the radius is feasible, or
            if no quotas keep the bounds anywhere.
        """
        limits = self.cuts.least, self.cuts.most
        # as columns' limits would rule the radius out without any cut to tell why
        self.cuts.least, self.cuts.most = np.zeros(limits[0].shape), np.full(limits[1].shape, np.inf)
        quotas = self.feasible_quotas(tolerance, remembered=False)
        self.cuts.least, self.cuts.most = limits
        if quotas is not None or self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return []
        duals = np.array(self._highs.getSolution().row_dual)[self._matrix.shape[0] :]
        return [(self.cuts.signatures[c], self.cuts.sets[c]) for c in np.flatnonzero(duals > 1e-7)]

    def near(
        self,
        target: Array,
        *,
        reach: float | None = None,
        whole: bool = True,
        mend: bool = False,
        time_limit: float | None = None,
        nodes: int | None = None,
    ) -> QuotaSolution:
        """Quotas next to others that keep the bounds and the cuts.

        Parameters
        ----------
        target : ndarray of shape (S, k)
        reach : float, default=None
            Largest distance of a quota from the target, beyond rounding.
        whole : bool, default=True
            Whether quotas must be whole numbers (if they must be in this program at all).
        mend : bool, default=False
            Allow the bounds to be broken, as little as possible.
        time_limit : float, default=None
            Seconds.
        nodes : int, default=None
            Search nodes.

        Returns
        -------
        QuotaSolution
            ``bound`` is the distance from the target, plus a large multiple of the violation.
        """
        size, k, whole = self.S * self.k, self.k, whole and self.whole
        # Columns are distances from a base: small numbers, for any number of points.
        base = np.clip(np.floor(target) if whole else target, 0.0, self.counts[:, None])
        low, high = self.cuts.least, np.minimum(self.cuts.most, self.counts[:, None])
        if reach is not None:
            low = np.maximum(low, np.floor(target) - reach)
            high = np.minimum(high, np.ceil(target) + reach)
        if (low > high).any():
            return QuotaSolution(None, np.inf, "infeasible")
        held, loads = self._matrix.shape[0], base.sum(axis=0)
        # columns: quotas, sizes, steps up, steps down, violation
        broken = np.zeros((held, 1))
        broken[self.S + k :] = -1.0
        deviation = sp.hstack([sp.eye(size), sp.csr_matrix((size, k)), -sp.eye(size), sp.eye(size)])
        of_cuts = cut_rows(self.cuts, self.S, k)
        matrix = sp.vstack(
            [
                sp.hstack([self._matrix, sp.csr_matrix((held, 2 * size)), sp.csr_matrix(broken)]),
                sp.hstack([of_cuts, sp.csr_matrix((len(self.cuts), k + 2 * size + 1))]),
                sp.hstack([deviation, sp.csr_matrix((size, 1))]),
            ],
            format="csr",
        )
        met = self._matrix @ np.concatenate([base.ravel(), loads])
        offset = (target - base).ravel()
        needed = self.cuts.needed() - of_cuts @ base.ravel()
        lower = np.concatenate([self._lower - met, needed, offset])
        upper = np.concatenate([self._upper - met, np.full(len(needed), np.inf), offset])
        large = 10.0 * max(1.0, float(self.counts.sum()))
        cost = np.concatenate([np.zeros(size + k), np.ones(2 * size), [large]])
        column_low = np.concatenate([(low - base).ravel(), -loads, np.zeros(2 * size + 1)])
        column_high = np.concatenate(
            [(high - base).ravel(), np.full(k + 2 * size, np.inf), [np.inf if mend else 0.0]]
        )
        gap = 0.02 * size + 1e-6 * float(self.counts.sum())
        values, bound, status = run_program(
            cost, matrix, lower, upper, column_low, column_high,
            size if whole else 0, time_limit, gap, nodes, presolve=True,
        )  # fmt: skip
        if values is None:
            return QuotaSolution(None, bound, status)
        quotas = base + values[:size].reshape(self.S, k)
        return QuotaSolution(np.rint(quotas) if whole else self._normalised(quotas), bound, status)

    def _normalised(self, quotas: Array) -> NDArray[np.float64]:
        """Non-negative, with sums exactly the weights: the solver's are off by its tolerance."""
        quotas = np.maximum(quotas, 0.0)
        sums = quotas.sum(axis=1)
        factor: NDArray[np.float64] = np.divide(self.counts, sums, out=np.zeros_like(sums), where=sums > 0)
        out: NDArray[np.float64] = quotas * factor[:, None]
        return out

    # ---- proofs

    def _excluded(self, tolerance: float) -> bool:
        """Whether an earlier proof holds at the visited radius as well; it moves to the front."""
        if not self._proofs:
            return False
        needed, most = self.cuts.needed(), np.minimum(self.cuts.most, self.counts[:, None])
        for i, proof in enumerate(self._proofs):
            if proof.excess(needed, self.cuts.least, most) > tolerance:
                self._proofs.insert(0, self._proofs.pop(i))
                return True
        return False

    def _remember(self) -> None:
        """Keep the multipliers of the program just solved."""
        size, base = self.S * self.k, self._matrix.shape[0]
        duals = np.array(self._highs.getSolution().row_dual)
        rows, cuts = duals[:base], np.maximum(duals[base:], 0.0)
        one_sided = np.isinf(self._lower)
        rows[one_sided] = np.minimum(rows[one_sided], 0.0)
        pull = -(rows @ self._matrix)
        for c in np.flatnonzero(cuts):
            inside = np.flatnonzero(self.cuts.sets[c])
            pull[self.cuts.signatures[c] * self.k + inside] -= cuts[c]
        # a size, or the excess of a signature, is at most everything
        excess = 1.0 - np.bincount(self.cuts.signatures, cuts, self.S) if len(cuts) else np.ones(self.S)
        total = float(self.counts.sum())
        constant = float(rows @ np.where(rows > 0, np.where(one_sided, 0.0, self._lower), self._upper))
        constant += total * float(np.minimum(pull[size:], 0.0).sum() + np.minimum(excess, 0.0).sum())
        quotas = pull[:size].reshape(self.S, self.k)
        proof = _Proof(constant, cuts, np.maximum(quotas, 0.0), np.maximum(-quotas, 0.0))
        self._proofs = [proof, *self._proofs[: _REMEMBERED - 1]]

    # ---- the programs

    def _base_rows(self) -> tuple[sp.csr_matrix, Array, Array]:
        """Totals of the signatures, sizes of the clusters, bounds; columns are quotas, then sizes."""
        S, k = self.S, self.k
        r = self.rows.rhs.shape[1]
        coef = self.rows.coef
        usual = _mode(coef[:1] if coef.strides[0] == 0 else coef)
        rest = coef - usual[:, :, None]
        cluster, row, signature = np.nonzero(rest)
        bounds = sp.csr_matrix(
            (rest[cluster, row, signature], (cluster * r + row, signature * k + cluster)),
            shape=(k * r, S * k),
        )
        shared = np.broadcast_to(usual, (k, r))
        at = np.arange(k * r)
        sizes = sp.csr_matrix((shared.ravel(), (at, at // r if r else at)), shape=(k * r, k))
        sizes.eliminate_zeros()
        totals = sp.kron(sp.eye(S), np.ones((1, k)))
        loads = sp.kron(np.ones((1, S)), sp.eye(k))
        matrix = sp.vstack(
            [
                sp.hstack([totals, sp.csr_matrix((S, k))]),
                sp.hstack([loads, -sp.eye(k)]),
                sp.hstack([bounds, sizes]),
            ],
            format="csr",
        )
        lower = np.concatenate([self.counts, np.zeros(k), np.full(k * r, -np.inf)])
        upper = np.concatenate([self.counts, np.zeros(k), self.rows.rhs.ravel()])
        return matrix, lower, upper

    def _relaxed_program(self) -> Any:
        """Least excess over the cuts; columns are quotas, sizes, and the excess of every signature."""
        S, k = self.S, self.k
        matrix = sp.hstack([self._matrix, sp.csr_matrix((self._matrix.shape[0], S))], format="csr")
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = matrix.shape
        lp.col_cost_ = np.concatenate([np.zeros(S * k + k), np.ones(S)])
        lp.col_lower_ = np.zeros(S * k + k + S)
        lp.col_upper_ = np.concatenate([np.repeat(self.counts, k), np.full(k + S, np.inf)])
        lp.row_lower_, lp.row_upper_ = self._lower, self._upper
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = (
            matrix.indptr,
            matrix.indices,
            matrix.data,
        )
        highs = highspy.Highs()
        for option, value in (
            ("output_flag", False),
            ("threads", 1),
            ("random_seed", 0),
            ("presolve", "off"),
        ):
            highs.setOptionValue(option, value)
        highs.setOptionValue("primal_feasibility_tolerance", 1e-9)
        highs.passModel(lp)
        return highs

    def _least_excess(self) -> tuple[float, NDArray[np.float64] | None]:
        """Solve the relaxed program at the visited radius, from its last basis."""
        S, k, highs = self.S, self.k, self._highs
        first, base = self._rows_held, self._matrix.shape[0]
        if len(self.cuts) > first:
            slack = sp.csr_matrix(
                (
                    np.ones(len(self.cuts) - first),
                    (np.arange(len(self.cuts) - first), self.cuts.signatures[first:]),
                ),
                shape=(len(self.cuts) - first, S),
            )
            new = sp.hstack(
                [cut_rows(self.cuts, S, k, first), sp.csr_matrix((len(self.cuts) - first, k)), slack],
                format="csr",
            )
            none, unlimited = np.zeros(new.shape[0]), np.full(new.shape[0], np.inf)
            highs.addRows(new.shape[0], none, unlimited, new.nnz, new.indptr[:-1], new.indices, new.data)
            self._rows_held = len(self.cuts)
        for c, value in enumerate(self.cuts.needed()):
            highs.changeRowBounds(base + c, float(value), np.inf)
        size = S * k
        most = np.minimum(self.cuts.most, self.counts[:, None])
        highs.changeColsBounds(size, np.arange(size, dtype=np.int32), self.cuts.least.ravel(), most.ravel())
        highs.run()
        status = highs.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            return np.inf, None
        if status != highspy.HighsModelStatus.kOptimal:
            highs.clearSolver()  # a cold start where the warm one went astray
            highs.run()
            if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                return np.inf, None
        values = np.array(highs.getSolution().col_value)[:size]
        return float(highs.getInfo().objective_function_value), np.maximum(values, 0.0).reshape(S, k)


def _mode(coef: Array) -> NDArray[np.float64]:
    """Most frequent entry along the last axis, shape of the first two."""
    out = np.zeros(coef.shape[:2])
    for at in np.ndindex(*coef.shape[:2]):
        values, counts = np.unique(coef[at], return_counts=True)
        out[at] = values[np.argmax(counts)]
    return out
