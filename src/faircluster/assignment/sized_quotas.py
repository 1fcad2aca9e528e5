"""Whole quotas for given cluster sizes without a search: a linear program whose corners are whole.

Where every bound is on one signature, as with disjoint groups, sizes turn bounds into limits of single
quotas. What remains are two families of constraints: the rows of the quota table with Hall's condition (a
transversal polymatroid for every signature), and its column sums, which are disjoint. The corners of the
intersection of two such polyhedra with whole limits are whole (Edmonds 1970; Frank & Tardos 1988).
"""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from faircluster.assignment.hall import HallCuts
from faircluster.assignment.newton_system import SharedRows
from faircluster.assignment.transport import round_rows
from faircluster.bounds import BoundRows

__all__ = ["SizedQuotas", "cut_rows", "limits_at"]

Array = NDArray[Any]
_WINDOW = 64  # how far a size may lie from what is wanted
_ATTEMPTS = 12  # at sizes with which the rows add up as well
_NOISE = 1e-9  # of a size: a limit that is off a whole number by rounding is that number


class SizedQuotas:
    """Quotas near others for the sizes that those have, rounded.

    Parameters
    ----------
    counts : ndarray of shape (S,)
        Points of each signature, whole.
    rows : BoundRows

    Attributes
    ----------
    possible : bool
        Whether every bound is on one signature.

    Examples
    --------
    >>> from faircluster.assignment.reach import reach_classes
    >>> from faircluster.bounds import FairnessBounds
    >>> from faircluster.groups import Groups
    >>> groups, cuts = Groups.from_features(list("aabbcc")), HallCuts(3, 2)
    >>> cuts.visit(reach_classes(np.zeros((6, 2)), groups.signature, None, 3, 1.0))
    >>> sized = SizedQuotas(groups.signature_counts, FairnessBounds.exact().rows(groups, 2))
    >>> sized.near(np.array([[1.3, 0.7], [1.0, 1.0], [0.8, 1.2]]), cuts).tolist()
    [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """

    def __init__(self, counts: Array, rows: BoundRows) -> None:
        self.counts, self.rows = counts, rows
        self._structure = SharedRows.of(rows.coef)

    @property
    def possible(self) -> bool:
        """Whether every bound is on one signature."""
        return self._structure is not None

    def near(self, target: Array, cuts: HallCuts, sizes: Array | None = None) -> NDArray[np.float64] | None:
        """Whole quotas next to others that keep the bounds and the cuts found so far.

        Parameters
        ----------
        target : ndarray of shape (S, k)
            Rows sum to the counts.
        cuts : HallCuts
            At the radius visited last.
        sizes : ndarray of shape (k,), default=None
            Whole; those near the target's that bounds allow by default.

        Returns
        -------
        ndarray of shape (S, k) or None
            None when there are none for these sizes, or none so near.
        """
        assert self._structure is not None
        if sizes is None:
            sizes = self._sizes(target.sum(axis=0), cuts)
        if sizes is None:
            return None
        least, most, _ = self._limits(sizes[None, :])
        low, high = np.maximum(least[0], cuts.least), np.minimum(most[0], cuts.most)
        if (low > high).any():
            return None
        quotas = self._solved(target, low, high, sizes, cuts)
        if quotas is None or self.rows.violation(quotas) > 0:
            return None
        return quotas

    def _sizes(self, wanted: Array, cuts: HallCuts) -> Array | None:
        """Whole sizes near those wanted that each cluster can have; None when there are none so near.

        Clusters of a few members of each group cannot have any size: shares of 1/50 within a fifth allow
        three members of each of 50 groups, and 150 in all, but not 149. The least total distance that gives
        the right sum is found by dynamic programming.
        """
        start = round_rows(wanted[None, :])[0]
        steps = np.arange(-_WINDOW, _WINDOW + 1)
        sizes = np.maximum(start + steps[:, None], 0.0)  # (z, k)
        least, most, kept = self._limits(sizes)
        least, most = np.maximum(least, cuts.least), np.minimum(most, cuts.most)
        fits = kept & (least <= most).all(axis=1)
        fits &= (least.sum(axis=1) <= sizes) & (most.sum(axis=1) >= sizes)
        fits &= start + steps[:, None] >= 0
        cost = np.where(fits, np.abs(start + steps[:, None] - wanted), np.inf)
        # every cut needs room, and the rows must add up: sizes that leave too little become dearer
        of, inside, needed = self._demands(cuts)
        room = most[:, of, :] * inside  # (z, demands, k)
        at = np.arange(len(start))
        for _ in range(_ATTEMPTS):
            chosen = _cheapest_steps(cost)
            if chosen is None:
                return None
            lacking = np.maximum(needed - room[chosen, :, at].sum(axis=0), 0.0)
            surplus = np.maximum(least[chosen, :, at].sum(axis=0) - self.counts, 0.0)
            if not lacking.any() and not surplus.any():
                return np.asarray(start + steps[chosen])
            cost = cost - np.einsum("c,zcj->zj", lacking, room) + np.einsum("s,zsj->zj", surplus, least)
        return None

    def _demands(self, cuts: HallCuts) -> tuple[NDArray[np.intp], Array, Array]:
        """Signature, centers (0 or 1) and least sum of quotas there: of whole rows, then of the cuts."""
        S, k = cuts.least.shape
        of = np.concatenate([np.arange(S), np.asarray(cuts.signatures, dtype=np.intp)])
        inside = np.concatenate([np.ones((S, k)), *(held[None, :].astype(np.float64) for held in cuts.sets)])
        return of, inside, np.concatenate([self.counts, cuts.needed()])

    def _limits(self, sizes: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        assert self._structure is not None
        return limits_at(self._structure, self.rows.rhs, self.counts, sizes, _NOISE)

    def _solved(
        self, target: Array, low: Array, high: Array, sizes: Array, cuts: HallCuts
    ) -> NDArray[np.float64] | None:
        S, k = target.shape
        first, last = np.clip(np.floor(target), low, high), np.clip(np.ceil(target), low, high)
        # a quota is its floor, plus a step to its ceiling, minus steps below, plus steps above
        matrix = sp.vstack(
            [sp.kron(sp.eye(S), np.ones((1, k))), sp.kron(np.ones((1, S)), sp.eye(k)), cut_rows(cuts, S, k)],
            format="csr",
        )
        met = matrix @ first.ravel()
        given = np.concatenate([self.counts, sizes])
        lower = np.concatenate([given, cuts.needed()]) - met
        upper = np.concatenate([given, np.full(len(cuts), np.inf)]) - met
        slope = 1.0 - 2.0 * (target - np.floor(target))
        one = np.ones(S * k)
        program = highspy.HighsLp()
        columns = sp.hstack([matrix, -matrix, matrix], format="csr")
        program.num_row_, program.num_col_ = columns.shape
        program.col_cost_ = np.concatenate([slope.ravel(), one, one])
        program.col_lower_ = np.zeros(3 * S * k)
        program.col_upper_ = np.concatenate(
            [(last - first).ravel(), (first - low).ravel(), (high - last).ravel()]
        )
        program.row_lower_, program.row_upper_ = lower, upper
        program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        program.a_matrix_.start_, program.a_matrix_.index_ = columns.indptr, columns.indices
        program.a_matrix_.value_ = columns.data
        highs = highspy.Highs()
        for option, value in (
            ("output_flag", False),
            ("threads", 1),
            ("random_seed", 0),
            ("solver", "simplex"),
        ):
            highs.setOptionValue(option, value)
        highs.passModel(program)
        highs.run()
        if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        steps = np.array(highs.getSolution().col_value).reshape(3, S, k)
        quotas = first + steps[0] - steps[1] + steps[2]
        whole = np.rint(quotas)
        return whole if np.abs(quotas - whole).max() < 1e-6 else None


def limits_at(
    structure: SharedRows, rhs: Array, counts: Array, sizes: Array, noise: float
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Turn bounds on single signatures into limits of single quotas at given sizes.

    Parameters
    ----------
    structure : SharedRows
        Of the bound rows.
    rhs : ndarray of shape (k, r)
    counts : ndarray of shape (S,)
    sizes : ndarray of shape (z, k)
        Whole.
    noise : float
        Share of a size by which a limit off a whole number is that number.

    Returns
    -------
    least, most : ndarrays of shape (z, S, k)
        Whole.
    kept : ndarray of shape (z, k), bool
        Whether the rows that limit sizes alone hold.
    """
    own = structure.own
    rest = structure.placed(rhs) - structure.shared * sizes[:, None, None, :]  # (z, S, t, k)
    off = noise * np.maximum(sizes, 1.0)[:, None, None, :]
    kept = ((own != 0) | (rest >= -off)).all(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = rest / own
    most = np.where(own > 0, np.floor(limit + off), np.inf).min(axis=2)
    least = np.where(own < 0, np.ceil(limit - off), 0.0).max(axis=2)
    return np.maximum(least, 0.0), np.minimum(most, counts[:, None]), kept


def _cheapest_steps(cost: Array) -> NDArray[np.intp] | None:
    """Row of the cost table (steps, k) for every column, steps adding up to zero; None without a way."""
    window, k = len(cost) // 2, cost.shape[1]
    far = 4 * window  # how far the sum may stray on the way
    total = np.full(2 * far + 1, np.inf)
    total[far] = 0.0
    chosen = np.zeros((k, len(total)), dtype=np.intp)
    for j in range(k):
        best = np.full(len(total), np.inf)
        for i in np.flatnonzero(np.isfinite(cost[:, j])).tolist():
            step = i - window
            moved = np.full(len(total), np.inf)
            moved[max(step, 0) : len(total) + min(step, 0)] = (
                total[max(-step, 0) : len(total) - max(step, 0)] + cost[i, j]
            )
            better = moved < best
            best[better], chosen[j, better] = moved[better], i
        total = best
    if not np.isfinite(total[far]):
        return None
    out, at = np.zeros(k, dtype=np.intp), far
    for j in range(k - 1, -1, -1):
        out[j] = chosen[j, at]
        at -= int(out[j]) - window
    return out


def cut_rows(cuts: HallCuts, S: int, k: int, first: int = 0) -> sp.csr_matrix:
    """Cuts, from ``first`` on, as rows over the quotas.

    Parameters
    ----------
    cuts : HallCuts
    S, k : int
    first : int, default=0

    Returns
    -------
    csr_matrix of shape (len(cuts) - first, S * k)
    """
    if len(cuts) == first:
        return sp.csr_matrix((0, S * k))
    cut, center = np.nonzero(np.stack(cuts.sets[first:]))
    columns = np.asarray(cuts.signatures[first:])[cut] * k + center
    return sp.csr_matrix((np.ones(len(cut)), (cut, columns)), shape=(len(cuts) - first, S * k))
