"""Iterative rounding: at most k + m - 1 centers at a constant factor of the relaxation.

After Ghadiri, Singh & Vempala, "Constant-factor approximation algorithms for socially fair k-clustering"
(2022), whose abstract states k + m centers and the factor (5 + 2 sqrt 6)^p; derived and proved anew.

**Method.** Split facilities into copies such that every client uses a copy fully or not at all: F_i are the
copies client i uses, y(F_i) = 1. Round distances up to powers ``D(l) = base tau^l``, zero is level -1.
L_i is the highest level in F_i, the *inner ball* B_i are the copies of F_i below it. Keep a set C* of
clients with disjoint F_i: going through clients by level, one joins unless a member of C* of no higher
level shares a copy with it; when it joins, members that share one leave. Then solve

    min z   with   y(F_i) = 1 for i in C*,   y(B_i) <= 1 for all i,   y(all) <= k,
                   sum_i w_s(i) [sum_{f in B_i} D_if^p y_f + (1 - y(B_i)) D(L_i)^p] <= z   for every s

to a *vertex*; clients with y(B_i) = 1 shrink to their inner ball and ask to join C* again; repeat until
none does. Open every copy with y_f > 0.

**Value.** When a client shrinks, y stays feasible and its terms keep their sum, and members that leave C*
only relax the program: z never rises. At first z is at most tau^p times the relaxation's value.

**Number.** At the end no row y(B_i) <= 1 is tight, so of a vertex's |supp y| + 1 tight rows all but the
bounds are among |C*| equalities, y(all) <= k and m groups. If |C*| <= k - 1, |supp y| + 1 <= |C*| + 1 + m
gives at most k + m - 1. If |C*| = k, then y(all) = k is the sum of the equalities on the support, hence not
independent of them, and |supp y| + 1 <= k + m. Either way **at most k + m - 1** centers: one fewer than in
the paper, and exactly k for a single group.

**Distance.** If a client is ever in C* at level l, an open facility is within c D(l), c = (tau + 1) / (tau -
1): either it stays, and y(F_i) = 1 at the end opens one within D(l); or a client of a level l' <= l - 1 that
shares a copy with it takes its place, at a distance of at most D(l) + D(l - 1), and c D(l) >= D(l) +
(1 + c) D(l - 1) carries the induction. Any client shares a copy, when it last asks, with a member of
no higher level (or is one itself): an open facility is within (2 + c) D(L_i).

**Cost.** If the support meets B_i, the nearest open facility costs at most the average over B_i, hence at
most the client's term in z. If not, the term is D(L_i)^p. So the cost of every group is at most
``(2 + c)^p z <= (tau (3 tau - 1) / (tau - 1))^p`` times the value, least at tau = 1 + sqrt(6) / 3: (5 + 2
sqrt 6)^p.

**This instance.** What rounding up costs at first is known before anything is decided, so ``tau`` and
``base`` are chosen, of some pairs among which is the tau above, to make the product of both factors least;
the factor proved for the instance is usually far below 9.9^p (below 8^p as a rule: on average over
bases rounding up multiplies a cost by (tau^p - 1) / (p ln tau) instead of tau^p).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from faircluster.social.instance import SocialInstance
from faircluster.social.programs import vertex

__all__ = ["BEST_TAU", "RoundedCenters", "round_relaxation"]

Array = NDArray[Any]
BEST_TAU = 1.0 + np.sqrt(6.0) / 3.0
_TAUS = (BEST_TAU, 1.5, 2.1, 2.4, 2.8, 3.3)
_BASES = 12
_SAME = 1e-9  # shares of a facility closer than this are one copy
_TIGHT = 1e-7


@dataclass(frozen=True, eq=False)
class RoundedCenters:
    """Centers from the relaxation, and what is proved about them.

    Attributes
    ----------
    centers : ndarray of int
        At most k + m - 1 facilities, ascending.
    factor : float
        Their cost is at most ``factor`` times the value of the relaxation that was rounded.
    values : tuple of float
        z of the programs in turn, over the relaxation's value; never rising.
    """

    centers: NDArray[np.intp]
    factor: float
    values: tuple[float, ...]


def round_relaxation(instance: SocialInstance, y: Array) -> RoundedCenters:
    """Round fractional facilities by a sequence of linear programs, as the module describes.

    Parameters
    ----------
    instance : SocialInstance
        Distances must obey the triangle inequality for the factor to hold.
    y : ndarray of shape (f,)
        Feasible for the relaxation: sums to at most k, and to at least 1.

    Returns
    -------
    RoundedCenters

    Notes
    -----
    The programs have a column for every copy of an open facility and a row for every different inner
    ball; each of them lowers the level of a client, usually of many. Costs O(n copies) a program
    besides solving it.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.social import SocialInstance
    >>> X = np.array([[0.0], [1.0], [2.0], [9.0]])
    >>> instance = SocialInstance.from_points(X, list("aabb"), 2, 1)
    >>> round_relaxation(instance, np.array([0.0, 1.0, 0.0, 1.0])).centers.tolist()
    [1, 3]
    """
    support = np.flatnonzero(y > 0)
    distance = instance.distances(support)
    served = _served(distance, y[support])
    value = float((instance.weights @ (served * distance**instance.power).sum(axis=0)).max())
    if value <= 0:
        return RoundedCenters(_open_at_no_cost(support, served), 1.0, (0.0,))
    tau, base, factor = _least_factor(instance, distance, served, value)
    owner, member = _copies(served)
    state = _State(instance, distance[owner], member, tau, base, value)
    amounts, values = state.run()
    centers = np.unique(support[owner[amounts > _SAME]])
    return RoundedCenters(centers, factor, values)


def _served(distance: Array, y: Array) -> NDArray[np.float64]:
    """Share of each client (columns) served by each facility: the nearest first."""
    order = np.argsort(distance, axis=0, kind="stable")
    open_ = y[order]
    before = np.cumsum(open_, axis=0) - open_
    served = np.empty_like(open_)
    np.put_along_axis(served, order, np.clip(1.0 - before, 0.0, open_), axis=0)
    served[served < _SAME] = 0.0
    return served


def _open_at_no_cost(support: Array, served: Array) -> NDArray[np.intp]:
    """Whole facilities when nobody pays: each client's are all at its own place."""
    chosen: list[int] = []
    for i in range(served.shape[1]):
        mine = np.flatnonzero(served[:, i])
        if not len(np.intersect1d(mine, chosen)):
            chosen.append(int(mine[0]))
    return np.sort(support[chosen])


def _least_factor(
    instance: SocialInstance, distance: Array, served: Array, value: float
) -> tuple[float, float, float]:
    """Tau and base for which (2 + c)^p times the rounded value is least."""
    pair = np.nonzero((served > 0) & (distance > 0))
    logs, mass = np.log(distance[pair]), served[pair]
    lowest = float(np.exp(logs.min()))
    best = (BEST_TAU, lowest, np.inf)
    for tau in _TAUS:
        reach = (3.0 * tau - 1.0) / (tau - 1.0)
        for step in range(_BASES):
            base = lowest * tau ** (-step / _BASES)
            up = base * tau ** _levels(logs, tau, base)
            paid = np.bincount(pair[1], mass * up**instance.power, minlength=instance.n_clients)
            factor = reach**instance.power * float((instance.weights @ paid).max()) / value
            if factor < best[2]:
                best = (tau, base, factor)
    return best


def _levels(logs: Array, tau: float, base: float) -> NDArray[np.float64]:
    return np.asarray(np.ceil((logs - np.log(base)) / np.log(tau) - 1e-12))


def _copies(served: Array) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Facility of each copy, and which clients use it, shape (copies, n)."""
    owner, member = [], []
    for j, row in enumerate(served):
        edges = np.unique(row[row > 0])
        if not len(edges):
            continue
        edges = edges[np.append(np.diff(edges) > _SAME, True)]
        for edge in np.concatenate([[0.0], edges[:-1]]):
            owner.append(j)
            member.append(row > edge + _SAME)
    return np.array(owner, dtype=np.intp), np.array(member)


def _different(sets: Array) -> NDArray[np.bool_]:
    """List the different sets among the columns that are not empty, one a row."""
    packed = np.packbits(sets[:, sets.any(axis=0)].T, axis=1)
    keys = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").reshape(-1)
    return np.unpackbits(packed[np.unique(keys, return_index=True)[1]], axis=1, count=len(sets)).astype(bool)


class _State:
    """Levels, copies within reach, and the clients that must be served."""

    def __init__(
        self, instance: SocialInstance, distance: Array, member: Array, tau: float, base: float, value: float
    ) -> None:
        self.weights, self.k = instance.weights, instance.n_clusters
        self.level = np.full(distance.shape, -1.0)
        positive = distance > 0
        self.level[positive] = _levels(np.log(distance[positive]), tau, base)
        self._power, self._tau, self._base, self._value = instance.power, tau, base, value
        self.paid = self._cost(self.level)
        self.near = member
        self.top = np.where(member, self.level, -1.0).max(axis=0)
        self.served: list[int] = []
        for i in np.argsort(self.top, kind="stable"):
            self._update(int(i))

    def _cost(self, level: Array) -> NDArray[np.float64]:
        """D(l)^p in units of the relaxation's value."""
        cost = (self._base * self._tau**level) ** self._power / self._value
        return np.asarray(np.where(level < 0, 0.0, cost))

    def _inner(self) -> NDArray[np.bool_]:
        return self.near & (self.level < self.top)

    def _update(self, i: int) -> None:
        """Let a client join C*, unless a member of no higher level shares a copy with it."""
        others = np.array([j for j in self.served if j != i], dtype=np.intp)
        shared = others[self.near[self.near[:, i]][:, others].any(axis=0)]
        if (self.top[shared] <= self.top[i]).any():
            return
        leaving = set(shared.tolist())
        self.served = [j for j in self.served if j not in leaving]
        if i not in self.served:
            self.served.append(i)

    def run(self) -> tuple[NDArray[np.float64], tuple[float, ...]]:
        values = []
        while True:
            inner = self._inner()
            y, z = self._program(inner)
            values.append(z)
            tight = np.flatnonzero(y @ inner >= 1.0 - _TIGHT)
            if not len(tight):
                return y, tuple(values)
            self.near[:, tight] = inner[:, tight]
            self.top[tight] = np.where(inner[:, tight], self.level[:, tight], -1.0).max(axis=0)
            for i in tight[np.argsort(self.top[tight], kind="stable")]:
                self._update(int(i))

    def _program(self, inner: Array) -> tuple[NDArray[np.float64], float]:
        copies, m = len(self.near), len(self.weights)
        outer = self._cost(self.top)
        saved = np.where(inner, self.paid - outer, 0.0) @ self.weights.T
        balls = _different(inner)
        rows = sp.vstack(
            [
                sp.csr_matrix(np.hstack([self.near[:, self.served].T, np.zeros((len(self.served), 1))])),
                sp.csr_matrix(np.hstack([balls, np.zeros((len(balls), 1))])),
                sp.csr_matrix(np.append(np.ones(copies), 0.0)[None, :]),
                sp.csr_matrix(np.hstack([saved.T, -np.ones((m, 1))])),
            ],
            format="csr",
            dtype=np.float64,
        )
        equal, below = np.ones(len(self.served)), np.full(len(balls) + 1 + m, -np.inf)
        upper = np.concatenate([equal, np.ones(len(balls)), [float(self.k)], -self.weights @ outer])
        cost = np.append(np.zeros(copies), 1.0)
        found = vertex(cost, rows, np.concatenate([equal, below]), upper)
        return found[:-1], float(found[-1])
