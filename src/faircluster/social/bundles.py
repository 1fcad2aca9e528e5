"""Randomised rounding of the relaxation to exactly k centers, by bundles of at least half a center each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.social.instance import SocialInstance
from faircluster.social.pricing import fractional_costs

__all__ = ["Bundles"]

Array = NDArray[Any]


class Bundles:
    """Roundings of one solution of the relaxation.

    Parameters
    ----------
    instance : SocialInstance
    y : ndarray of shape (f,)
        How much of each facility the relaxation opens.
    limit : ndarray of shape (n,), default=None
        Most that a client may pay, where the relaxation was strengthened.

    Notes
    -----
    Clients are consolidated into at most 2 k bundles with at least half an open facility each; bundles next
    to each other are paired, and each pair opens at least one of its two. From a relaxation strengthened
    as the paper asks, the best of many roundings costs ``e^O(p) log m / log log m`` times the optimum, with
    high probability (Makarychev & Vakilian, "Approximation algorithms for socially fair clustering", COLT
    2021). O(n f') to prepare, f' facilities that the relaxation opens; O(n k) a rounding.

    Examples
    --------
    >>> from faircluster.social import SocialInstance
    >>> instance = SocialInstance.from_points(np.array([[0.0], [1.0], [9.0]]), list("aab"), 2, 1)
    >>> Bundles(instance, np.array([0.5, 0.5, 1.0])).best(20, np.random.RandomState(0)).tolist()
    [0, 2]
    """

    def __init__(self, instance: SocialInstance, y: Array, limit: Array | None = None) -> None:
        self.instance = instance
        self._used = np.flatnonzero(y)
        self._open = np.asarray(y[self._used], dtype=np.float64)
        clients = self._consolidated(limit)
        self._bundle = instance.distances(self._used)[:, clients].argmin(axis=1)
        self._mass = np.minimum(np.bincount(self._bundle, self._open, len(clients)), 1.0)
        self._pairs = _pairs(instance.client_distances(clients)[:, clients])
        self._places = _nearest_facilities(instance, clients)

    def best(self, n_draws: int, draw: Any) -> NDArray[np.intp]:
        """Cheapest of some roundings.

        Parameters
        ----------
        n_draws : int
            Every other one opens the facility next to the client a bundle is built around, the others a
            facility of the bundle drawn by how much of it is open.
        draw : RandomState or Generator

        Returns
        -------
        ndarray of int
            At most k facilities, ascending.
        """
        k = self.instance.n_clusters
        best, least, seen = np.unique(self._places[:k]), np.inf, set()
        for number in range(n_draws):
            at = self._places if number % 2 else self._drawn(draw)
            opened = np.unique(at[_dependent(self._mass, self._pairs, draw)])
            if not 0 < len(opened) <= k or tuple(opened) in seen:
                continue
            seen.add(tuple(opened))
            cost = self.instance.cost(opened)
            if cost < least:
                best, least = opened, cost
        return best

    def _consolidated(self, limit: Array | None) -> NDArray[np.intp]:
        """Clients with disjoint balls of at least half an open facility, by what they pay."""
        instance = self.instance
        paid = fractional_costs(instance.costs(self._used), self._open, limit)
        radius = (2.0 * paid) ** (1.0 / instance.power)
        near = np.zeros(len(paid), dtype=bool)
        kept: list[int] = []
        for i in np.argsort(paid, kind="stable"):
            if not near[i]:
                kept.append(int(i))
                near |= instance.client_distances(np.array([i]))[0] <= 2.0 * radius
        return np.array(kept, dtype=np.intp)

    def _drawn(self, draw: Any) -> NDArray[np.intp]:
        """Draw a facility of each bundle by y; where none belongs to it, the one next to its client."""
        order = np.argsort(draw.exponential(size=len(self._open)) / self._open, kind="stable")
        bundles, first = np.unique(self._bundle[order], return_index=True)
        chosen = self._places.copy()
        chosen[bundles] = self._used[order[first]]
        return chosen


def _nearest_facilities(instance: SocialInstance, clients: Array) -> NDArray[np.intp]:
    """Facility next to each client: its own place where that is one."""
    nearest, least = np.zeros(len(clients), dtype=np.intp), np.full(len(clients), np.inf)
    for first, cost in instance.blocks():
        part = cost[:, clients]
        at = part.argmin(axis=0)
        value = part[at, np.arange(len(clients))]
        better = value < least
        nearest[better], least[better] = first + at[better], value[better]
    return nearest


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


def _dependent(mass: Array, pairs: list[tuple[int, int]], draw: Any) -> NDArray[np.bool_]:
    """Dependent rounding (Srinivasan): keeps expectations and the sum, first within pairs."""
    value = mass.copy()
    for a, b in pairs:
        _settle(value, a, b, draw)
    left = [int(j) for j in np.flatnonzero((value > 1e-9) & (value < 1 - 1e-9))]
    draw.shuffle(left)
    while len(left) > 1:
        a, b = left[-2:]
        _settle(value, a, b, draw)
        left = left[:-2] + [j for j in (a, b) if 1e-9 < value[j] < 1 - 1e-9]
    return value >= 1 - 1e-9


def _settle(value: Array, a: int, b: int, draw: Any) -> None:
    """Move mass between two until one of them is 0 or 1, in either direction with the right odds."""
    up, down = min(1 - value[a], value[b]), min(value[a], 1 - value[b])
    if up + down <= 1e-12:
        return
    step = up if draw.uniform() < down / (up + down) else -down
    value[a] += step
    value[b] -= step
