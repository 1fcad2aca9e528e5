"""Published algorithms for socially fair clustering, on the relaxation that faircluster solves.

All of them get facilities and clients of a :class:`~faircluster.social.SocialInstance` without
repetitions, and return facilities. Fair-Lloyd, which needs no relaxation, is in ``social_lloyd_rival.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.social import SocialInstance
from faircluster.social.exactly_k import best_subset
from faircluster.social.polishing import disjoint_balls
from faircluster.social.pricing import fractional_costs
from faircluster.social.swaps import SwapSearch

__all__ = ["abbasi", "goyal_jaiswal", "group_blind", "makarychev_vakilian"]

Array = NDArray[Any]
DRAWS = 200  # Makarychev & Vakilian: the best of so many roundings


def abbasi(instance: SocialInstance, y: Array, eps: float) -> NDArray[np.intp]:
    """Abbasi, Bhaskara & Venkatasubramanian (FAccT 2021): at most k / (1 - eps) centers."""
    return disjoint_balls(instance, y, eps)


def makarychev_vakilian(
    instance: SocialInstance, y: Array, limit: Array | None, draw: np.random.Generator, draws: int = DRAWS
) -> NDArray[np.intp]:
    """Makarychev & Vakilian (COLT 2021): exactly k centers by randomised rounding, the best of many.

    Clients are consolidated into at most 2 k bundles with at least half an open facility each; bundles
    next to each other are paired, and each pair opens at least one of its two: every other draw at the
    client the bundle is built around, else at a facility of the bundle drawn by how much it is open. Centers
    that a rounding leaves over are spent on whatever helps the worst-off group most, which the paper does not
    ask for.
    """
    k = instance.n_clusters
    bundles = _bundles(instance, y, limit)
    used = np.flatnonzero(y)
    nearest = instance.distances(used)[:, bundles].argmin(axis=1)
    mass = np.minimum(np.bincount(nearest, y[used], minlength=len(bundles)), 1.0)
    pairs = _pairs(instance.client_distances(bundles)[:, bundles])
    places = _at_clients(instance, bundles)
    search = SwapSearch(instance)
    best, least, seen = places[:k], np.inf, set()
    for number in range(draws):
        at = places if number % 2 else _drawn(places, used, nearest, y[used], draw)
        opened = np.unique(at[_rounded(mass, pairs, draw)])
        if not 0 < len(opened) <= k or tuple(opened) in seen:
            continue
        seen.add(tuple(opened))
        cost = instance.cost(opened)
        if cost < least:
            best, least = opened, cost
    return search.extend(np.unique(best), k)


def goyal_jaiswal(instance: SocialInstance, centers: Array) -> NDArray[np.intp]:
    """Goyal & Jaiswal (2021): the best k of the centers of a bicriteria algorithm."""
    chosen = best_subset(instance, centers, instance.n_clusters)[0]
    return SwapSearch(instance).extend(chosen, instance.n_clusters)


def group_blind(instance: SocialInstance, share: Array, starts: int, draw: np.random.Generator) -> Array:
    """k-medians or k-means over the facilities, blind to groups: local search on the mean cost.

    ``share`` is the weight of every group's mean in the mean over all clients.
    """
    search = SwapSearch(instance)
    found = [
        search.improve(draw.choice(instance.n_facilities, instance.n_clusters, replace=False), share)
        for _ in range(starts)
    ]
    return min(found, key=lambda centers: float(share @ instance.group_costs(centers)))


def _at_clients(instance: SocialInstance, clients: Array) -> NDArray[np.intp]:
    """Facility next to each client: its own place where that is one."""
    nearest, least = np.zeros(len(clients), dtype=np.intp), np.full(len(clients), np.inf)
    for first, cost in instance.blocks():
        part = cost[:, clients]
        at = part.argmin(axis=0)
        value = part[at, np.arange(len(clients))]
        better = value < least
        nearest[better], least[better] = first + at[better], value[better]
    return nearest


def _bundles(instance: SocialInstance, y: Array, limit: Array | None) -> NDArray[np.intp]:
    """Clients with disjoint balls of at least half an open facility, by what they pay."""
    used = np.flatnonzero(y)
    paid = fractional_costs(instance.costs(used), y[used], limit)
    radius = (2.0 * paid) ** (1.0 / instance.power)
    kept: list[int] = []
    for i in np.argsort(paid, kind="stable"):
        if kept and (instance.client_distances(np.array([i]))[0, kept] <= 2.0 * radius[i]).any():
            continue
        kept.append(int(i))
    return np.array(kept, dtype=np.intp)


def _pairs(distance: Array) -> list[tuple[int, int]]:
    """Match bundles, closest pairs first."""
    rows, columns = np.triu_indices(len(distance), 1)
    free = np.ones(len(distance), dtype=bool)
    pairs = []
    for at in np.argsort(distance[rows, columns], kind="stable"):
        a, b = int(rows[at]), int(columns[at])
        if free[a] and free[b]:
            free[a] = free[b] = False
            pairs.append((a, b))
    return pairs


def _drawn(
    places: Array, facilities: Array, bundle: Array, y: Array, draw: np.random.Generator
) -> NDArray[np.intp]:
    """A facility of each bundle, with chances in proportion to y; ``places`` for bundles without any."""
    order = np.argsort(draw.exponential(size=len(y)) / y, kind="stable")  # least of exponential clocks
    bundles, first = np.unique(bundle[order], return_index=True)
    chosen = places.copy()
    chosen[bundles] = facilities[order[first]]
    return chosen


def _rounded(mass: Array, pairs: list[tuple[int, int]], draw: np.random.Generator) -> NDArray[np.bool_]:
    """Dependent rounding (Srinivasan): keeps expectations and the sum, first within pairs."""
    value = mass.copy()
    for a, b in pairs:
        _settle(value, a, b, draw)
    open_ = [int(j) for j in np.flatnonzero((value > 1e-9) & (value < 1 - 1e-9))]
    draw.shuffle(open_)
    while len(open_) > 1:
        a, b = open_[-2:]
        _settle(value, a, b, draw)
        open_ = open_[:-2] + [j for j in (a, b) if 1e-9 < value[j] < 1 - 1e-9]
    return value >= 1 - 1e-9


def _settle(value: Array, a: int, b: int, draw: np.random.Generator) -> None:
    """Move mass between two until one of them is 0 or 1, in either direction with the right odds."""
    up, down = min(1 - value[a], value[b]), min(value[a], 1 - value[b])
    if up + down <= 1e-12:
        return
    step = up if draw.random() < down / (up + down) else -down
    value[a] += step
    value[b] -= step
