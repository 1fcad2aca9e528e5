"""Better quotas: local improvement with exact margins, then cuts that also prove a bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from faircluster.assignment.margins import MoveCosts
from faircluster.assignment.quotas import Cut, QuotaProgram
from faircluster.assignment.transport import Transport

__all__ = ["QuotaSearch"]

Array = NDArray[Any]
_PROVABLE = 200  # total weight up to which cuts have a chance to close the gap
_ROUNDS = 25  # cuts made unless a time limit was given
_NODES = 200  # search nodes for each of them


class QuotaSearch:
    """Search for quotas whose transport costs less.

    Parameters
    ----------
    program : QuotaProgram
    transport : callable
        (quotas, prices) -> Transport, exact.
    moves : callable
        prices -> MoveCosts.
    tolerance : callable
        cost -> absolute gap at which to stop.
    deadline : float
        Time of ``time.perf_counter`` at which to stop.
    thorough : bool, default=False
        Search on until the gap is closed or time is up, whatever the size; otherwise only small
        problems are searched, within limits that do not depend on the machine.
    """

    def __init__(
        self,
        program: QuotaProgram,
        transport: Callable[[Array, Array | None], Transport],
        moves: Callable[[Array], MoveCosts],
        tolerance: Callable[[float], float],
        deadline: float,
        *,
        thorough: bool = False,
    ) -> None:
        self.program, self.transport, self.moves = program, transport, moves
        self.tolerance, self.deadline, self.thorough = tolerance, deadline, thorough

    def run(self, quotas: Array, best: Transport, bound: float, cut: Cut) -> tuple[Transport, float]:
        """Improve on feasible quotas.

        Parameters
        ----------
        quotas : ndarray of shape (S, k)
            Whole quotas within the bounds.
        best : Transport
            Their transport.
        bound : float
            Lower bound known.
        cut : Cut
            The cut of the relaxed solution.

        Returns
        -------
        best : Transport
        bound : float
            The better lower bound of the two.
        """
        if not self.thorough and quotas.sum() > _PROVABLE:
            return best, bound
        quotas, best = self._improve(quotas, best, bound)
        if not self._done(best, bound):
            best, bound = self._prove(quotas, best, bound, cut)
        return best, bound

    def _improve(self, quotas: Array, best: Transport, bound: float) -> tuple[Array, Transport]:
        """Move to the best quotas nearby as the margins tell, as long as the exact cost falls."""
        reach = 16.0
        while reach >= 1.0 and not self._done(best, bound):
            value = float(best.values.sum())
            found = self.program.nearest(
                quotas,
                best.prices,
                self.moves(best.prices),
                reach=reach,
                nodes=None if self.thorough else 1,
                time_limit=self._left() / 4,
                gap=0.2 * self.tolerance(value),
            )
            if found.quotas is None or (found.quotas == quotas).all():
                break
            trial = self.transport(found.quotas, best.prices)
            if trial.values.sum() < value - 0.05 * self.tolerance(value):
                quotas, best = found.quotas, trial
            else:
                reach /= 4.0
        return quotas, best

    def _prove(self, quotas: Array, best: Transport, bound: float, cut: Cut) -> tuple[Transport, float]:
        """Benders' decomposition: every transport gives a cut, the program the next quotas and a bound."""
        cuts, center, moved = [cut], quotas, best
        seen = {quotas.tobytes()}
        while not self._done(best, bound) and (self.thorough or len(cuts) <= _ROUNDS):
            cuts.append(Cut(moved.values + (moved.prices * quotas).sum(axis=1), moved.prices))
            value = float(best.values.sum())
            found = self.program.cheapest(
                cuts,
                center,
                nodes=None if self.thorough else _NODES,
                time_limit=self._left(),
                gap=0.3 * self.tolerance(value),
            )
            if found.status != "infeasible":  # which could only be an error: quotas within the bounds exist
                bound = max(bound, min(found.bound, value))
            if found.quotas is None or found.quotas.tobytes() in seen:
                break
            quotas = found.quotas
            seen.add(quotas.tobytes())
            moved = self.transport(quotas, moved.prices)
            if moved.values.sum() < value:
                best, center = moved, quotas
        return best, bound

    def _done(self, best: Transport, bound: float) -> bool:
        value = float(best.values.sum())
        return value - bound <= self.tolerance(value) or self._left() <= 0.0

    def _left(self) -> float:
        return self.deadline - time.perf_counter()
