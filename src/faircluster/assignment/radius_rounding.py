"""From relaxed quotas within a radius to whole ones, and to labels, at a small total distance."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faircluster.assignment.prices import Relaxation, relax
from faircluster.assignment.relaxed_radius import RelaxedSearch
from faircluster.assignment.sized_quotas import SizedQuotas
from faircluster.assignment.transport import assign_by_price, loads_of, round_rows, transport
from faircluster.assignment.unsplit import unsplit
from faircluster.bounds import BoundRows
from faircluster.distances import DenseCosts, map_blocks
from faircluster.groups import Groups

__all__ = ["STEEP", "RadiusRounding", "WithinRadius", "draw_labels", "relaxed_labels"]

Array = NDArray[Any]
STEEP = 100.0  # times the radius: what an entry beyond it costs more while prices are sought
_GENTLE = 3.0  # the same where a few points beyond the radius do no harm
_UNSPLIT_SECONDS = 8.0  # for whole points of different weights, without a time limit
# reach of the quotas and search nodes of one integer program after the other; limits that, unlike
# seconds, lead to the same answer everywhere
_NEARBY = ((1.0, 1), (4.0, 1))
_ANYWHERE = ((None, 1), (None, 50))
_MEND = ((1.0, 20), (4.0, 200), (None, 2_000))


class WithinRadius:
    """Costs with a penalty on entries beyond a radius.

    Parameters
    ----------
    cost : ndarray of shape (n, k)
    radius : float
    penalty : float
    """

    def __init__(self, cost: Array, radius: float, penalty: float) -> None:
        self.cost, self.radius, self.penalty = cost, radius, penalty
        self.shape: tuple[int, int] = cost.shape

    def block(self, start: int, stop: int) -> Array:
        """Rows ``start`` to ``stop``."""
        return self._priced(self.cost[start:stop])

    def take(self, rows: NDArray[np.intp]) -> Array:
        """Rows with these indices."""
        return self._priced(self.cost[rows])

    def _priced(self, cost: Array) -> Array:
        wide = cost.astype(np.float64)
        wide += self.penalty * (wide > self.radius)  # a third of the time of a masked sum
        return wide


def relaxed_labels(
    cost: Array, groups: Groups, rows: BoundRows, radius: float, start: Relaxation | None = None
) -> tuple[NDArray[np.int32], Relaxation | None]:
    """Labels next to a cheap relaxed assignment within a radius: what clusters look like there.

    Parameters
    ----------
    cost : ndarray of shape (n, k)
    groups : Groups
    rows : BoundRows
    radius : float
        At which a relaxed assignment exists.
    start : Relaxation, default=None
        That of a similar call.

    Returns
    -------
    labels : ndarray of shape (n,), int32
        Bounds may be broken by a few points, and a few points may lie beyond the radius.
    relaxation : Relaxation or None
        For the next call.
    """
    shape = (groups.n_signatures, cost.shape[1])
    nearest, _, _ = assign_by_price(DenseCosts(cost), groups.signature, np.zeros(shape))
    if rows.violation(loads_of(nearest, groups.signature, groups.weights, shape)) == 0:
        return nearest, start
    source = WithinRadius(cost, radius, _GENTLE * _scale(cost, radius))
    relaxation = relax(
        source, groups.signature, groups.weights, rows.coef, rows.rhs, start=start, tolerance=0.1
    )
    quotas = round_rows(relaxation.quotas) if groups.integer_weights else relaxation.quotas
    moved = transport(source, groups.signature, quotas, relaxation.prices, groups.weights)
    return moved.labels, relaxation


class RadiusRounding:
    """Whole quotas within the bounds that can be filled within a radius.

    Parameters
    ----------
    search : RelaxedSearch
        After its run.
    groups : Groups
    rows : BoundRows
    deadline : float or None
        Value of ``time.perf_counter()`` at which to stop.

    Attributes
    ----------
    excluded : float
        Largest radius at which there are no such quotas, by proof.
    late : bool
        Whether the deadline has cut a search short.
    """

    def __init__(
        self, search: RelaxedSearch, groups: Groups, rows: BoundRows, deadline: float | None
    ) -> None:
        self.search, self.program, self.groups, self.rows = search, search.program, groups, rows
        self.deadline = deadline
        self.excluded, self.late = -np.inf, False
        self._sized = SizedQuotas(groups.signature_counts, rows)
        self.relaxation: Relaxation | None = None

    def relaxed(self, radius: float) -> NDArray[np.float64]:
        """Quotas, not whole, that keep the bounds and can be filled, at about the least total distance.

        Parameters
        ----------
        radius : float
            At which there are some.

        Returns
        -------
        ndarray of shape (S, k)

        Notes
        -----
        Prices know the total distance, but the radius only as a penalty; a linear program then
        moves their quotas to the nearest ones that can be filled.
        """
        groups, cost = self.groups, self.search.cost
        source = WithinRadius(cost, radius, STEEP * _scale(cost, radius))
        self.relaxation = relax(
            source, groups.signature, groups.weights, self.rows.coef, self.rows.rhs,
            start=self.relaxation, tolerance=1e-3,
        )  # fmt: skip
        self.search.visit(radius)
        found = self._filled(self.relaxation.quotas, whole=False)
        return self.relaxation.quotas if found is None else found

    def whole(
        self, radius: float, target: Array, *, nearby: bool = True, anywhere: bool = True
    ) -> NDArray[np.float64] | None:
        """Whole quotas near others; None when there are none or none was found within the limits.

        Parameters
        ----------
        radius : float
        target : ndarray of shape (S, k)
        nearby : bool, default=True
            Look next to the target, which is quick but proves nothing.
        anywhere : bool, default=True
            Look everywhere, which may take seconds; without a find, :attr:`excluded` tells whether
            there are none.

        Returns
        -------
        ndarray of shape (S, k) or None
        """
        if radius <= self.excluded or self._out_of_time():
            return None
        self.search.visit(radius)
        near = self._filled(target, whole=False)
        if near is None:
            return None
        sized = self._at_sizes(near) if nearby else None
        if sized is not None:
            return sized
        # half of what is left, so that larger radii have their turn
        until = time.perf_counter() + 0.5 * self._left()
        for reach, nodes in (_NEARBY if nearby else ()) + (_ANYWHERE if anywhere else ()):
            quotas = self._filled(near, reach=reach, nodes=nodes, until=until)
            if quotas is not None or radius <= self.excluded:
                return quotas
        return None

    def mended(self, radius: float, target: Array) -> NDArray[np.float64] | None:
        """Whole quotas near others that break the bounds as little as possible.

        Parameters
        ----------
        radius : float
        target : ndarray of shape (S, k)

        Returns
        -------
        ndarray of shape (S, k) or None
        """
        self.search.visit(radius)
        best, least = self._filled(target, reach=1.0, nodes=1), 0.0
        for reach, nodes in () if best is not None else _MEND:
            quotas = self._filled(target, reach=reach, nodes=nodes, mend=True)
            if quotas is None:
                continue
            violation = self.rows.violation(quotas)
            if best is None or violation < least:
                best, least = quotas, violation
            if least <= 1.0:
                break
        return best

    def labels(self, quotas: Array, radius: float) -> NDArray[np.int32]:
        """Labels of least total distance for these quotas, within the radius.

        Parameters
        ----------
        quotas : ndarray of shape (S, k)
        radius : float

        Returns
        -------
        ndarray of shape (n,), int32
        """
        groups, cost = self.groups, self.search.cost
        largest = max(map_blocks(len(cost), lambda start, stop: float(np.abs(cost[start:stop]).max())))
        # an exchange around a cycle of clusters never saves more than this
        source = WithinRadius(cost, radius, (2 * cost.shape[1] + 1) * max(largest, 1e-300))
        prices = None if self.relaxation is None else self.relaxation.prices
        moved = transport(source, groups.signature, quotas, prices, groups.weights)
        if not len(moved.split_rows):
            return moved.labels
        return unsplit(source, groups, self.rows, moved, min(self._left(), _UNSPLIT_SECONDS))[0]

    def _filled(
        self,
        target: Array,
        *,
        reach: float | None = None,
        nodes: int | None = None,
        whole: bool = True,
        mend: bool = False,
        until: float = np.inf,
    ) -> Array | None:
        """Quotas near the target that keep the bounds and that points within the radius can fill."""
        cuts, integral = self.program.cuts, whole and self.groups.integer_weights
        tolerance = 0.5 if integral else self.search.tolerance
        while True:
            left = min(until - time.perf_counter(), self._left())
            if integral and left <= 0:
                self.late = True
                return None
            limit = None if not integral or np.isinf(left) else left
            found = self.program.near(
                target, reach=reach, whole=whole, mend=mend, nodes=nodes, time_limit=limit
            )
            if found.quotas is None:
                if found.status == "infeasible" and whole and reach is None and not mend:
                    self.excluded = max(self.excluded, cuts.radius)
                return None
            held = len(cuts)
            missing = cuts.separate(found.quotas, tolerance)
            if missing <= tolerance or len(cuts) == held:
                return found.quotas
            if integral and not mend:  # these sizes with the new cuts, instead of another search
                sized = self._at_sizes(target, found.quotas.sum(axis=0))
                if sized is not None:
                    return sized

    def _at_sizes(self, target: Array, sizes: Array | None = None) -> NDArray[np.float64] | None:
        """Whole quotas for given sizes, or near those of the target: no search where groups are disjoint."""
        if not (self.groups.integer_weights and self._sized.possible):
            return None
        cuts = self.program.cuts
        while True:
            quotas = self._sized.near(target, cuts, sizes)
            held = len(cuts)
            if quotas is None or cuts.separate(quotas, 0.5) <= 0.5 or len(cuts) == held:
                return quotas

    def _left(self) -> float:
        return np.inf if self.deadline is None else max(self.deadline - time.perf_counter(), 0.05)

    def _out_of_time(self) -> bool:
        out = self.deadline is not None and time.perf_counter() >= self.deadline
        self.late |= out
        return out


def draw_labels(
    search: RelaxedSearch, groups: Groups, quotas: Array, random_state: np.random.RandomState
) -> NDArray[np.int32]:
    """Labels drawn for every point by itself, such that quotas are right in expectation.

    Parameters
    ----------
    search : RelaxedSearch
        Visiting a radius at which the quotas can be filled.
    groups : Groups
    quotas : ndarray of shape (S, k)
    random_state : RandomState

    Returns
    -------
    ndarray of shape (n,), int32
        No point lies beyond the radius.

    Notes
    -----
    The points of a class share its flow to the centers as probabilities, O(n k). A count of m
    expected points is off by about sqrt(m), less where classes have no choice. Harb & Lam, "KFC",
    NeurIPS 2020, section 3.
    """
    cuts = search.program.cuts
    cumulated = np.cumsum(cuts.spread(quotas, search.tolerance), axis=1)
    cumulated[:, -1] = np.inf
    # the last center a class reaches takes what rounding leaves
    last = cuts.k - 1 - np.argmax(cuts.classes.allowed[:, ::-1], axis=1)
    of_points = cuts.classes.of_points(search.cost, groups.signature)
    labels = search.nearest.copy()
    _draw(of_points, cumulated, last, random_state.uniform(size=len(labels)), labels)
    return labels


@njit(nogil=True, cache=True)
def _draw(of_points, cumulated, last, uniform, labels):  # type: ignore[no-untyped-def]
    for i in range(len(labels)):
        c = of_points[i]
        if c < 0:
            continue
        j = 0
        while cumulated[c, j] <= uniform[i]:
            j += 1
        labels[i] = min(j, last[c])


def _scale(cost: Array, radius: float) -> float:
    """Distance of the radius from the least entry, 1 where that is nothing."""
    least = min(map_blocks(len(cost), lambda start, stop: float(cost[start:stop].min())))
    return radius - least or 1.0
