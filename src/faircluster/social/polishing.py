"""Better centers than rounding gives: local search from what the relaxation knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.social.bundles import Bundles
from faircluster.social.instance import SocialInstance
from faircluster.social.pricing import fractional_costs
from faircluster.social.relaxation import SocialRelaxation
from faircluster.social.swaps import SwapSearch

__all__ = ["disjoint_balls", "polish"]

Array = NDArray[Any]
_NEAR = 1.003  # centers that cost up to this many times the best are a place to go on from
_STRAY = 7  # restarts in a row without a new best, after which the best is gone back to
_USUAL_GAP, _LEAST, _MOST = 2.5e-3, 2.0, 8.0  # where the bound leaves more room, more restarts may pay
_DRAWS, _FIRST_DRAWS = 20, 200  # roundings of the relaxation of which the best is improved
_RANK = 20.0  # mean rank of a facility that is brought in at little cost


def polish(
    search: SwapSearch,
    starts: list[Array],
    relaxation: SocialRelaxation,
    n_centers: int,
    n_restarts: int,
    draw: np.random.RandomState,
    stop: Callable[[], bool],
) -> NDArray[np.intp]:
    """Improve centers by swaps from many starts, and keep the best.

    Parameters
    ----------
    search : SwapSearch
    starts : list of ndarrays of int
        Centers known, no more than ``n_centers`` each.
    relaxation : SocialRelaxation
    n_centers : int
    n_restarts : int
        Restarts in a row without a better solution after which to stop, where the gap to the relaxation is
        a quarter of a percent; in proportion to the gap, but 2 to 8 times as many, if there are to be k
        centers. They begin by turns with the best of some centers drawn from the relaxation, with some of
        the present ones replaced at random or by what costs least, with the present ones improved for
        groups that are weighed at random, and with any facilities.
    draw : RandomState
    stop : callable
        Asked before each restart whether to end.

    Returns
    -------
    ndarray of shape (n_centers,), int
        At most as dear as the best start, as the disjoint balls of the relaxation (Abbasi et al.), as the
        best of 200 randomised roundings of it (Makarychev & Vakilian), and as all else tried.

    Examples
    --------
    >>> from faircluster.social import SocialInstance
    >>> from faircluster.social.relaxation import relax
    >>> instance = SocialInstance.from_points(np.arange(6.0)[:, None], list("aaabbb"), 2, 1)
    >>> start, draw = np.array([0, 5]), np.random.RandomState(0)
    >>> polish(SwapSearch(instance), [start], relax(instance, start), 2, 4, draw, lambda: False).tolist()
    [1, 4]
    """
    instance = search.instance
    bundles = Bundles(instance, relaxation.y)
    best, least = starts[0], np.inf
    rounded = bundles.best(_FIRST_DRAWS, draw)
    for start in (*_first(search, starts, relaxation, n_centers), rounded[:n_centers]):
        found = search.improve(search.extend(start, n_centers))
        cost = instance.cost(found)
        if cost < least:
            best, least = found, cost
    chain = _chain(instance, np.flatnonzero(relaxation.y)) if n_restarts else np.empty(0, dtype=np.intp)
    # the largest of several costs has many local optima: from time to time a slightly worse one is accepted
    here, quiet, number = best, 0, 0
    while quiet < _patience(n_restarts, least, relaxation, n_centers == instance.n_clusters) and not stop():
        start = _restart(search, number, here, chain, bundles, relaxation, n_centers, draw)
        found = search.improve(start)
        cost = instance.cost(found)
        number, quiet = number + 1, quiet + 1
        if cost < least * (1 - 1e-9):
            best, least, quiet = found, cost, 0
        if cost < least * _NEAR:
            here = found
        elif quiet % _STRAY == 0:
            here = best
    return best


def disjoint_balls(instance: SocialInstance, y: Array, eps: float) -> NDArray[np.intp]:
    """Facilities next to clients whose balls in the relaxation are disjoint: at most k / (1 - eps).

    The ball of a client holds the facilities at most ``1 / eps`` times as dear as what the client pays, and
    by Markov's inequality ``1 - eps`` of an open one. Clients are taken by what they pay. Every client
    shares a facility with one taken that pays no more, so the cost is at most ``2^p / eps`` times the
    relaxation's where clients are facilities (Abbasi, Bhaskara & Venkatasubramanian 2021).

    Parameters
    ----------
    instance : SocialInstance
    y : ndarray of shape (f,)
        From the relaxation.
    eps : float
        Between 0 and 1.

    Returns
    -------
    ndarray of int

    Examples
    --------
    >>> from faircluster.social import SocialInstance
    >>> instance = SocialInstance.from_points(np.array([[0.0], [1.0], [9.0]]), list("aab"), 2, 1)
    >>> disjoint_balls(instance, np.array([0.5, 0.5, 1.0]), 0.5).tolist()
    [0, 2]
    """
    used = np.flatnonzero(y)
    cost = instance.costs(used)
    paid = fractional_costs(cost, y[used])
    balls = cost <= paid / eps * (1 + 1e-9)
    taken = np.zeros(len(used), dtype=bool)
    opened: list[int] = []
    for i in np.argsort(paid, kind="stable"):
        if not (taken & balls[:, i]).any():
            taken |= balls[:, i]
            opened.append(int(i))
    return _next_to(instance, np.array(opened))


def _next_to(instance: SocialInstance, clients: Array) -> NDArray[np.intp]:
    nearest, least = np.zeros(len(clients), dtype=np.intp), np.full(len(clients), np.inf)
    for first, cost in instance.blocks():
        at = cost[:, clients].argmin(axis=0)
        value = cost[at, clients]
        better = value < least
        nearest[better], least[better] = first + at[better], value[better]
    return np.unique(nearest)


def _first(
    search: SwapSearch, starts: list[Array], relaxation: SocialRelaxation, n_centers: int
) -> Iterator[Array]:
    """Known centers, those that suit the groups as the relaxation weighs them, and disjoint balls."""
    yield from starts
    yield search.improve(search.extend(starts[0], n_centers), relaxation.multipliers)
    k, m = search.instance.n_clusters, search.instance.n_groups
    seen = set()
    for eps in (m / (k + m), 1 / 3, 1 / 2):
        centers = disjoint_balls(search.instance, relaxation.y, eps)
        if len(centers) <= n_centers and tuple(centers) not in seen:
            seen.add(tuple(centers))
            yield centers


def _patience(n_restarts: int, cost: float, relaxation: SocialRelaxation, comparable: bool) -> float:
    """Restarts without success after which to stop; none when the bound is reached."""
    if not comparable:
        return n_restarts if cost > 0 else 0
    gap = cost - relaxation.lower_bound
    if gap <= 1e-9 * cost:
        return 0
    return n_restarts * float(np.clip(gap / (_USUAL_GAP * cost), _LEAST, _MOST))


def _restart(
    search: SwapSearch,
    number: int,
    here: Array,
    chain: Array,
    bundles: Bundles,
    relaxation: SocialRelaxation,
    n_centers: int,
    draw: np.random.RandomState,
) -> NDArray[np.intp]:
    """Centers to improve next, the five kinds by turns; the relaxation is rounded in two ways by turns."""
    kind = number % 5
    if kind == 0 and number % 2:
        return search.extend(bundles.best(_DRAWS, draw)[:n_centers], n_centers)
    if kind == 0:
        drawn = [_drawn(chain, relaxation.y, draw, n_centers) for _ in range(_DRAWS)]
        return search.extend(min(drawn, key=search.instance.cost), n_centers)
    if kind == 1:
        return _disturbed(here, relaxation.y, draw)
    if kind == 2:
        m = len(relaxation.multipliers)
        return search.improve(here, 0.5 * relaxation.multipliers + 0.5 * draw.dirichlet(np.ones(m)))
    if kind == 3:
        return _exchanged(search, here, draw)
    return draw.choice(search.instance.n_facilities, len(here), replace=False).astype(np.intp)


def _exchanged(search: SwapSearch, centers: Array, draw: np.random.RandomState) -> NDArray[np.intp]:
    """Bring in two facilities that cost little: the first in the best place, the second anywhere."""
    order = np.argsort(search.values(centers), kind="stable")
    order = order[~np.isin(order, centers)]
    if not len(order):
        return centers
    first, second = order[np.minimum(draw.exponential(_RANK, 2).astype(np.intp), len(order) - 1)]
    places = np.arange(len(centers))
    trials = [np.where(places == at, first, centers) for at in places]
    chosen = min(trials, key=search.instance.cost)
    if second != first:
        chosen[draw.randint(len(centers))] = second
    return chosen


def _chain(instance: SocialInstance, facilities: Array) -> NDArray[np.intp]:
    """Facilities in an order in which each is next to one near it."""
    distance = instance.distances(facilities)
    apart = np.array([(row + distance).min(axis=1) for row in distance])
    left = np.ones(len(facilities), dtype=bool)
    order = [0]
    left[0] = False
    while left.any():
        following = np.where(left, apart[order[-1]], np.inf)
        order.append(int(np.argmin(following)))
        left[order[-1]] = False
    return facilities[order]


def _drawn(chain: Array, y: Array, draw: np.random.RandomState, n_centers: int) -> NDArray[np.intp]:
    """Systematic sampling: every facility with its share, one of those that share a center."""
    ends = np.cumsum(y[chain])
    marks = draw.uniform() + np.arange(np.floor(ends[-1] + 1e-6))
    chosen = np.unique(chain[np.minimum(np.searchsorted(ends, marks), len(chain) - 1)])
    return draw.permutation(chosen)[:n_centers]


def _disturbed(centers: Array, y: Array, draw: np.random.RandomState) -> NDArray[np.intp]:
    """Replace up to a third of the centers, at least two where there are as many, by other facilities.

    Each of the new ones is as likely to be any facility as to be one the relaxation opens.
    """
    others = np.setdiff1d(np.arange(len(y)), centers)
    count = min(len(centers), max(2, len(centers) // 3), len(others))
    if count == 0:
        return centers
    odds = np.full(len(others), 0.5 / len(others))
    if y[others].sum() > 0:
        odds += 0.5 * y[others] / y[others].sum()
    new = draw.choice(others, count, replace=False, p=odds / odds.sum())
    return np.concatenate([draw.permutation(centers)[count:], new]).astype(np.intp)
