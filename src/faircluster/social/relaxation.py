"""The linear relaxation of socially fair clustering, by column generation with a certified bound.

    minimise z   with   sum_j x_ij = 1,   0 <= x_ij <= y_j,   sum_j y_j <= k,
                        sum_i w_s(i) sum_j d_ij^p x_ij <= z   for every group s

has a row for every pair of a client and a facility: four million at 2,000 x 2,000. But at the optimum few
facilities are open, and no client uses one beyond its price. So the program is solved on some facilities
and on pairs within reach; the prices then tell which facilities earn more than their rent, and which
clients were held back by their reach; and the bound of :func:`~faircluster.social.pricing.dual_bound`
holds for the whole program at every round.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.social.instance import SocialInstance
from faircluster.social.interior import InteriorPoint, InteriorSolution, Pairs
from faircluster.social.pricing import dual_bound, earnings, fractional_costs
from faircluster.social.swaps import SwapSearch

__all__ = ["SocialRelaxation", "relax"]

Array = NDArray[Any]
_ROUNDS = 60
_NONE = 1e300  # value while no solution is known


@dataclass(frozen=True, eq=False)
class SocialRelaxation:
    """Fractional facilities and the prices that prove how good they are.

    Attributes
    ----------
    y : ndarray of shape (f,)
        How much of each facility is open, at most 1; they sum to at most k.
    value : float
        Cost of the worst-off group at ``y``, with every client served by its nearest open parts.
    lower_bound : float
        No fractional solution, hence no k facilities, cost less: ``dual_bound`` of multipliers and prices.
    multipliers : ndarray of shape (m,)
        They sum to 1.
    prices : ndarray of shape (n,)
    gap : float
        ``(value - lower_bound) / value``.
    status : {"optimal", "stalled", "time_limit"}
        "optimal": the gap is within the tolerance.
    rounds : int
        Restricted programs solved.
    n_iter : int
        Interior point iterations in all.
    """

    y: NDArray[np.float64]
    value: float
    lower_bound: float
    multipliers: NDArray[np.float64]
    prices: NDArray[np.float64]
    gap: float
    status: str
    rounds: int = 0
    n_iter: int = 0


def relax(
    instance: SocialInstance,
    start: Array,
    *,
    tolerance: float = 1e-6,
    time_limit: float | None = None,
    limit: Array | None = None,
    enough: float = np.inf,
) -> SocialRelaxation:
    """Solve the relaxation to a relative gap, with a proof.

    Parameters
    ----------
    instance : SocialInstance
    start : ndarray of shape (k,), int
        Good facilities, where the search for the others begins.
    tolerance : float, default=1e-6
        Relative gap between value and bound.
    time_limit : float, default=None
        Seconds; the bound found by then is valid.
    limit : ndarray of shape (n,), default=None
        Clients may not be served at costs above it.
    enough : float, default=inf
        If finite: stop when it is clear whether the relaxation's value exceeds this.

    Returns
    -------
    SocialRelaxation

    Notes
    -----
    A round costs O(n f) for pricing and some hundred interior point iterations on a few hundred
    facilities; usually 3 to 8 rounds. See ``docs/social.md`` for measured times.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.social import SocialInstance
    >>> X = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> instance = SocialInstance.from_points(X, list("abab"), 2, 1)
    >>> found = relax(instance, np.array([0, 2]))
    >>> round(found.value, 6), found.gap < 1e-6
    (0.5, True)
    """
    search = _ColumnGeneration(instance, start, tolerance, time_limit, limit, enough)
    if search.solved_by_start():
        return search.result("optimal")
    return search.result(search.run())


class _ColumnGeneration:
    """Facilities and reaches at hand, and the best value and bound so far."""

    def __init__(
        self,
        instance: SocialInstance,
        start: Array,
        tolerance: float,
        time_limit: float | None,
        limit: Array | None,
        enough: float,
    ) -> None:
        self.instance, self.tolerance, self.limit, self.enough = instance, tolerance, limit, enough
        self.deadline = np.inf if time_limit is None else time.perf_counter() + time_limit
        self.groups = np.flatnonzero(instance.weights.any(axis=1))
        self.clients = np.flatnonzero(instance.weights.any(axis=0))
        self.weights = np.ascontiguousarray(instance.weights[np.ix_(self.groups, self.clients)])
        self.start = np.asarray(start, dtype=np.intp)
        self.y = np.zeros(instance.n_facilities)
        self.y[self.start] = 1.0
        own = fractional_costs(instance.costs(self.start), np.ones(len(self.start)), limit)
        self.value = float((instance.weights @ np.minimum(own, _NONE)).max())
        self.nothing = 1e-12 * instance.cost(self.start)
        self.bound, self.rounds, self.n_iter = -np.inf, 0, 0
        self.multipliers = np.zeros(instance.n_groups)
        self.prices = np.zeros(instance.n_clients)

    def solved_by_start(self) -> bool:
        """All facilities open, or nothing to pay: then the nearest costs are prices that prove it."""
        cost = self.instance.group_costs(self.start)
        if self.limit is not None:
            return False
        if len(self.start) < self.instance.n_facilities and cost.max() > 0:
            return False
        multipliers = np.zeros(self.instance.n_groups)
        multipliers[int(np.argmax(cost))] = 1.0
        own = self.instance.nearest(self.start)[1]
        self._offer(multipliers, multipliers @ self.instance.weights * own)
        return True

    def run(self) -> str:
        at_hand, reach = self._first_facilities(), self._first_reach()
        loose, best_gap = 1e-2, np.inf
        for _ in range(_ROUNDS):
            at_hand, method = self._restricted(at_hand, reach)
            while True:
                begun = method.n_iter
                found = method.run(loose)
                self.n_iter += found.n_iter - begun
                self._open(at_hand, found)
                earned, news, lost = self._priced(at_hand, found)
                gap = self._gap()
                decided = self.bound > self.enough or self.value <= self.enough < np.inf
                if gap <= self.tolerance or decided:
                    self._settle(at_hand, method)
                    return "optimal"
                if time.perf_counter() > self.deadline:
                    return "time_limit"
                reached = found.gap <= loose
                loose = max(min(loose, 0.03 * gap, 0.1 * found.gap), 0.03 * self.tolerance)
                # go on as long as what is missing is accuracy rather than facilities
                if not reached or found.gap <= loose or lost > 0.5 * found.gap:
                    break
            held_back = found.sink > max(0.1 * found.gap, 1e-9)
            if not len(news) and not held_back.any():
                return "stalled"
            halved = gap < 0.5 * best_gap
            best_gap = min(gap, best_gap)
            at_hand = self._next_facilities(at_hand, found, earned, news, halved)
            reach = self._next_reach(reach, found, held_back)
        return "stalled"

    def _restricted(self, at_hand: Array, reach: Array) -> tuple[Array, InteriorPoint]:
        """Set up the program on these facilities, less those that no client can reach."""
        cost = self.instance.costs(at_hand)[:, self.clients]
        limit = None if self.limit is None else self.limit[self.clients]
        pairs = Pairs.within(cost, reach, limit)
        used = np.bincount(pairs.facility, minlength=len(at_hand)) > 0
        if not used.all():
            at_hand = at_hand[used]
            pairs = Pairs.within(cost[used], reach, limit)
        self.rounds += 1
        return at_hand, InteriorPoint(pairs, self.weights, self.instance.n_clusters)

    def _open(self, at_hand: Array, found: InteriorSolution) -> None:
        y = np.zeros(self.instance.n_facilities)
        y[at_hand] = np.clip(found.y, 0.0, 1.0)
        self._try(y)

    def _settle(self, at_hand: Array, method: InteriorPoint) -> None:
        """Take a few more steps, at the end they cost little, and close what is hardly open."""
        begun = method.n_iter
        found = method.run(1e-11, 5)
        self.n_iter += found.n_iter - begun
        self._open(at_hand, found)
        y = np.zeros(self.instance.n_facilities)
        y[at_hand] = np.clip(found.y, 0.0, 1.0)
        for least in (1e-6, 1e-5, 1e-4, 1e-3):
            self._try(np.where(y < least, 0.0, y), slack=0.2 * self.tolerance)

    def _try(self, y: Array, slack: float = 0.0) -> None:
        """Keep fractional facilities if they are better, or within the slack and fewer."""
        total = y.sum()
        if not total > 0.5:
            return
        y = np.minimum(y * min(1.0, self.instance.n_clusters / total), 1.0)
        y = y * max(1.0, 1.0 / y.sum())
        used = np.flatnonzero(y)
        own = fractional_costs(self.instance.costs(used), y[used], self.limit)
        value = float((self.instance.weights @ np.where(np.isfinite(own), own, _NONE)).max())
        if value < self.value * (1 + slack):
            self.y, self.value = y, value

    def _priced(self, at_hand: Array, found: InteriorSolution) -> tuple[Array, Array, float]:
        """Earnings, facilities not at hand that earn more than the rent, and what they cost the bound."""
        multipliers, prices = np.zeros(self.instance.n_groups), np.zeros(self.instance.n_clients)
        multipliers[self.groups] = found.multipliers / found.multipliers.sum()
        prices[self.clients] = found.prices
        earned = self._offer(multipliers, prices)
        rich = earned > found.rent * (1 + 1e-9)
        rich[at_hand] = False
        k = self.instance.n_clusters
        lost = np.partition(earned, len(earned) - k)[len(earned) - k :].sum() - k * found.rent
        return earned, np.flatnonzero(rich), float(lost) / found.value

    def _offer(self, multipliers: Array, prices: Array) -> Array:
        earned = earnings(self.instance, multipliers @ self.instance.weights, prices, self.limit)
        k = self.instance.n_clusters
        bound = float(prices.sum() - np.partition(earned, len(earned) - k)[len(earned) - k :].sum())
        if bound > self.bound:
            self.bound, self.multipliers, self.prices = bound, multipliers, prices
        return earned

    def _gap(self) -> float:
        if self.value >= _NONE:  # no solution keeps to the limit so far
            return 1.0
        # next to nothing, compared with the start: an optimum of zero
        return (self.value - self.bound) / self.value if self.value > self.nothing else 0.0

    def _first_facilities(self) -> NDArray[np.intp]:
        """Take the start, and the facilities that would replace a center of it at the least cost."""
        count = min(self.instance.n_facilities, 60 + 10 * self.instance.n_clusters)
        values = SwapSearch(self.instance).values(self.start)
        return np.union1d(self.start, np.argsort(values, kind="stable")[:count])

    def _first_reach(self) -> Array:
        """Reach a little beyond the second nearest center of the start."""
        cost = np.sort(self.instance.costs(self.start)[:, self.clients], axis=0)
        second = cost[1] if len(cost) > 1 else 4.0 * cost[0]
        reach = np.maximum(1.2 * second, 1e-3 * max(float(second.mean()), 1e-300))
        if self.limit is None:
            self.bounded = np.zeros(len(reach), dtype=bool)
            return reach
        # where costs are ruled out, staying unserved must be dear, and brings in no pairs
        self.bounded = self.limit[self.clients] < reach
        dear = self._known_cost() / self.weights.max(axis=0)
        return np.where(self.bounded, np.maximum(dear, 4.0 * reach), reach)

    def _known_cost(self) -> float:
        """Cost of the start when nothing is ruled out."""
        return self.instance.cost(self.start)

    def _next_facilities(
        self, at_hand: Array, found: InteriorSolution, earned: Array, news: Array, shrink: bool
    ) -> NDArray[np.intp]:
        """Take in those that earn most; leave out what earns little, but only after progress."""
        keep = at_hand
        if shrink:
            keep = at_hand[(earned[at_hand] > 0.95 * found.rent) | (found.y > 1e-3)]
        count = max(50, len(keep) // 2)
        return np.union1d(keep, news[np.argsort(-earned[news], kind="stable")[:count]])

    def _next_reach(self, reach: Array, found: InteriorSolution, held_back: Array) -> Array:
        """Just beyond the prices, where they mean something; further for clients held back."""
        omega = found.multipliers @ self.weights / found.multipliers.sum()
        paid = np.divide(found.prices, omega, out=np.copy(reach), where=omega > 1e-6 * omega.mean())
        margin = 1.05 if self._gap() < 1e-2 else 1.2
        nearer = np.clip(margin * paid, 1e-3 * reach, reach)
        nearer = np.where(self.bounded, reach, nearer)
        return np.where(held_back, 1.5 * reach, np.maximum(nearer, 1e-3 * float(reach.mean())))

    def result(self, status: str) -> SocialRelaxation:
        """Put the best of both sides together."""
        total = self.multipliers.sum()
        # the bound is computed anew from what is returned
        bound = dual_bound(self.instance, self.multipliers, self.prices, self.limit) if total > 0 else 0.0
        bound = max(bound, 0.0)
        gap = (self.value - bound) / self.value if self.value > self.nothing else 0.0
        return SocialRelaxation(
            self.y, self.value, bound, self.multipliers, self.prices, gap, status, self.rounds, self.n_iter
        )
