"""The first whole quotas within the bounds, found from the relaxed ones.

Close to the relaxed quotas they cost next to nothing. Where groups are tiny there are none close by:
a cluster too small for one member of the rarest group must grow a lot or close. Which is better
depends on all the others; closing those that are far too small and solving again for the rest is
nearly always better than what an integer program over all clusters finds in a short search.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from faircluster.assignment.margins import move_costs
from faircluster.assignment.pinned import Pinned, assign_at_sizes
from faircluster.assignment.prices import Relaxation, relax
from faircluster.assignment.quotas import QuotaProgram, run_program
from faircluster.assignment.transport import round_rows, transport
from faircluster.bounds import BoundRows, InfeasibleBoundsError
from faircluster.distances import CostSource, SomeColumns
from faircluster.groups import Groups

__all__ = ["FirstQuotas"]

Array = NDArray[Any]
_NODES = 1  # search nodes of a program for quotas: the root, with its heuristics
_NEAR = 20.0  # tolerances that quotas may cost for the sizes they keep before other sizes are tried
_TOO_SMALL = 0.5  # of the least size a cluster can have: below it closing is tried before growing


class FirstQuotas:
    """Search for whole quotas within the bounds.

    Parameters
    ----------
    source : CostSource of shape (n, k)
    groups : Groups
    rows : BoundRows
    tolerance : float
        Absolute difference of cost that does not matter.
    seconds_left : callable
        () -> seconds one step may take.
    out_of_time : callable
        () -> whether a time limit has passed.
    """

    def __init__(
        self,
        source: CostSource,
        groups: Groups,
        rows: BoundRows,
        tolerance: float,
        seconds_left: Callable[[], float],
        out_of_time: Callable[[], bool],
    ) -> None:
        self.source, self.groups, self.rows = source, groups, rows
        self.tolerance, self.seconds_left, self.out_of_time = tolerance, seconds_left, out_of_time
        self.whole = groups.integer_weights
        # quotas that are not whole come with the solver's tolerance
        self.noise = 0.0 if self.whole else 1e-7 * groups.total

    def find(self, relaxation: Relaxation) -> Array | None:
        """Quotas near the relaxed ones if there are any, else with fewer clusters, else any.

        Parameters
        ----------
        relaxation : Relaxation
            Of the whole problem.

        Returns
        -------
        ndarray of shape (S, k) or None
            None when time ran out first.

        Raises
        ------
        InfeasibleBoundsError
            No whole quotas keep the bounds.

        Notes
        -----
        At most k relaxed problems and some three integer programs for each; one program as a rule. Exact
        bounds pin the quotas down once sizes are given: those for the relaxed sizes, rounded, are optimal.
        """
        everyone = np.arange(len(self.rows.rhs))
        flow = self._by_flow(relaxation)
        if flow is not None:
            return self._with_other_sizes(flow, everyone, relaxation)
        found = self._among(everyone, relaxation)
        if found is not None:
            return found
        solution = self._program(everyone).nearest(
            relaxation.quotas,
            relaxation.prices,
            move_costs(self.source, self.groups.signature, self.groups.weights, relaxation.prices),
            time_limit=self.seconds_left(),
            gap=0.2 * self.tolerance,
        )
        if solution.status == "infeasible":
            raise InfeasibleBoundsError(
                "the bounds can be met by shares of points but not by whole points: "
                f"{self.groups.total:g} points, {len(everyone)} clusters, smallest group "
                f"{self.groups.counts.min():g}; widen the bounds or the sizes, or use rounding='nearest'"
            )
        if solution.quotas is not None and self.rows.violation(solution.quotas) <= self.noise:
            return solution.quotas
        return None

    def _by_flow(self, relaxation: Relaxation) -> Pinned | None:
        """Optimal assignment for the relaxed sizes, rounded, where bounds then pin the quotas down."""
        sizes = round_rows(relaxation.quotas.sum(axis=0)[None, :])[0]
        return assign_at_sizes(
            self.source, self.groups, self.rows, sizes, relaxation.prices, self.out_of_time
        )

    def _with_other_sizes(self, flow: Pinned, opened: Array, relaxation: Relaxation) -> Array:
        """Return the quotas of the flow, or those nearby with other sizes if these cost much less."""
        cost = float(flow.moved.values.sum())
        if cost - relaxation.lower_bound <= _NEAR * self.tolerance:
            return flow.quotas
        other = self._near(opened, self.source, relaxation, [(4.0, False)])
        if other is None:
            return flow.quotas
        moved = transport(self.source, self.groups.signature, other, relaxation.prices)
        return other if float(moved.values.sum()) < cost else flow.quotas

    def _among(self, opened: Array, relaxation: Relaxation) -> Array | None:
        """Quotas that use the open clusters only, or some of them."""
        source = self._columns(opened)
        near = self._near(opened, source, relaxation, [(2.0, True), (4.0, False)])
        if near is not None:
            return near
        size = relaxation.quotas.sum(axis=0)
        closable = (self.rows.rhs[opened] >= 0).all(axis=1) & self.whole
        small = closable & (size < _TOO_SMALL * self._least_sizes(opened))
        if small.any() and not small.all():
            fewer = self._closing(opened, small)
            if fewer is not None:
                return fewer
        far = self._near(opened, source, relaxation, [(64.0, False), (None, False)])
        if far is not None or closable.sum() < 1 or len(opened) < 2:
            return far
        return self._closing(opened, np.arange(len(opened)) == np.argmin(np.where(closable, size, np.inf)))

    def _closing(self, opened: Array, closed: Array) -> Array | None:
        """Quotas without some of the open clusters."""
        if self.seconds_left() <= 0.1:
            return None
        rest = opened[~closed]
        relaxation = relax(
            self._columns(rest),
            self.groups.signature,
            self.groups.weights,
            self.rows.coef[rest],
            self.rows.rhs[rest],
            tolerance=1e-4,
        )
        excess = np.einsum("jrs,sj->jr", self.rows.coef[rest], relaxation.quotas) - self.rows.rhs[rest]
        if excess.max(initial=0.0) > 1e-3 * self.groups.total:
            return None  # the rest is too little: sizes, or bounds of single clusters
        return self._among(rest, relaxation)

    def _near(
        self,
        opened: Array,
        source: CostSource,
        relaxation: Relaxation,
        stages: list[tuple[float | None, bool]],
    ) -> Array | None:
        """Quotas within some reach of the relaxed ones; True: only if their sizes can stay."""
        program = self._program(opened)
        for reach, fixed in stages if self.whole else [stage for stage in stages if not stage[1]]:
            farthest = self.groups.n_rows if reach is None else int(4 * reach)
            moves = move_costs(
                source, self.groups.signature, self.groups.weights, relaxation.prices, farthest=farthest
            )
            found = program.nearest(
                relaxation.quotas,
                relaxation.prices,
                moves,
                reach=reach,
                sizes=round_rows(relaxation.quotas.sum(axis=0)[None, :])[0] if fixed else None,
                nodes=_NODES,
                time_limit=self.seconds_left(),
                gap=0.2 * self.tolerance,
            )
            if fixed and not (found.status == "optimal" and found.bound <= _NEAR * self.tolerance):
                continue  # other sizes may be much better
            if found.quotas is not None:
                quotas = np.zeros((self.groups.n_signatures, len(self.rows.rhs)))
                quotas[:, opened] = found.quotas
                if self.rows.violation(quotas) <= self.noise:
                    return quotas
        return None

    def _least_sizes(self, opened: Array) -> Array:
        """Smallest size, other than zero, at which a cluster can keep its bounds; 0 where unknown."""
        known: dict[bytes, float] = {}
        return np.array([self._least_size(j, known) for j in opened])

    def _least_size(self, j: int, known: dict[bytes, float]) -> float:
        coef, rhs = self.rows.coef[j], self.rows.rhs[j]
        key = coef.tobytes() + rhs.tobytes()
        if key not in known:
            counts = self.groups.signature_counts
            matrix = sp.csr_matrix(np.vstack([coef, np.ones(len(counts))]))
            low = np.append(np.full(len(rhs), -np.inf), 1.0)
            high = np.append(rhs, np.inf)
            one = np.ones(len(counts))
            _, bound, status = run_program(
                one, matrix, low, high, 0 * one, counts, len(one), self.seconds_left(), 0.0, 200
            )
            known[key] = bound if status != "infeasible" and np.isfinite(bound) else 0.0
        return known[key]

    def _program(self, opened: Array) -> QuotaProgram:
        return QuotaProgram(
            self.groups.signature_counts, self.rows.coef[opened], self.rows.rhs[opened], whole=self.whole
        )

    def _columns(self, opened: Array) -> CostSource:
        return self.source if len(opened) == len(self.rows.rhs) else SomeColumns(self.source, opened)
