"""Hall's condition: which quotas can be filled by points that reach their center within a radius.

Quotas of signature s can be filled at radius r if and only if for every set J of centers the quotas
of J are at least the weight of the points that reach no center outside J. Such a cut (s, J) holds at
every radius, and for any centers, once its right-hand side is evaluated there, so cuts found in one
place serve in all others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faircluster.assignment.reach import ReachClasses, contains, pack, unpack

__all__ = ["HallCuts"]

Array = NDArray[Any]


class HallCuts:
    """The cuts found so far, and the search for more.

    Parameters
    ----------
    n_signatures, n_centers : int

    Examples
    --------
    Two points reach only center 0 at radius 1, so a quota of one each cannot be filled:

    >>> import numpy as np
    >>> from faircluster.assignment.reach import reach_classes
    >>> cuts = HallCuts(1, 2)
    >>> cost = np.array([[0.0, 2.0], [1.0, 3.0]])
    >>> cuts.visit(reach_classes(cost, np.zeros(2, dtype=np.int32), None, 1, 1.0))
    >>> cuts.separate(np.array([[1.0, 1.0]]), 1e-6)
    1.0
    >>> cuts.signatures, cuts.needed()
    ([0], array([2.]))
    """

    def __init__(self, n_signatures: int, n_centers: int) -> None:
        self.S, self.k = n_signatures, n_centers
        self.signatures: list[int] = []
        self.sets: list[NDArray[np.bool_]] = []
        self._known: set[tuple[int, bytes]] = set()

    def __len__(self) -> int:
        return len(self.sets)

    @property
    def radius(self) -> float:
        """Radius of the classes visited last."""
        return self.classes.radius

    def visit(self, classes: ReachClasses) -> None:
        """Move to a radius; it sets the ``least`` and ``most`` that each quota can be, shape (S, k)."""
        self.classes = classes
        self.least, self.most = np.zeros((self.S, self.k)), np.zeros((self.S, self.k))
        single = classes.allowed.sum(axis=1) == 1
        for s in range(self.S):
            part = slice(classes.starts[s], classes.starts[s + 1])
            supply, allowed, alone = classes.supply[part], classes.allowed[part], single[part]
            self.most[s] = supply @ allowed
            self.least[s] = supply[alone] @ allowed[alone]

    def needed(self) -> NDArray[np.float64]:
        """Right-hand side of every cut at the radius visited."""
        out = np.zeros(len(self))
        if len(self):
            signatures = np.array(self.signatures)
            _needed(signatures, pack(np.stack(self.sets)), *self._flow_input(), out)
        return out

    def separate(self, quotas: Array, tolerance: float) -> float:
        """Add the most violated cut of every signature.

        Parameters
        ----------
        quotas : ndarray of shape (S, k)
        tolerance : float
            Weight by which a cut must be violated to be added; without it the same cut, violated by
            rounding, would be found for ever.

        Returns
        -------
        float
            Weight of the points that the quotas leave without a center within the radius.

        Notes
        -----
        One maximum flow a signature, from the classes of points to the centers.
        """
        cut = np.zeros((self.S, (self.k + 63) // 64), dtype=np.uint64)
        flow = np.empty((0, self.k))
        missing = _separate(*self._flow_input(), self._quotas(quotas), 0.01 * tolerance, flow, cut)
        inside = unpack(cut, self.k)
        for s in np.flatnonzero(missing > tolerance):
            self._add(int(s), inside[s])
        return float(missing.sum())

    def spread(self, quotas: Array, tolerance: float) -> NDArray[np.float64]:
        """Shares of every class that go to each center when the quotas are filled.

        Parameters
        ----------
        quotas : ndarray of shape (S, k)
            That can be filled.
        tolerance : float
            Weight that may lack a center within the radius.

        Returns
        -------
        ndarray of shape (C, k)
            Non-negative, rows sum to 1, zero where a class does not reach.
        """
        flow = np.zeros(self.classes.allowed.shape)
        cut = np.zeros((self.S, (self.k + 63) // 64), dtype=np.uint64)
        _separate(*self._flow_input(), self._quotas(quotas), 0.01 * tolerance, flow, cut)
        sums = flow.sum(axis=1, keepdims=True)
        # a class so light that it was left over as rounding goes anywhere it reaches
        flow = np.where(sums > 0, flow, self.classes.allowed)
        out: NDArray[np.float64] = flow / flow.sum(axis=1, keepdims=True)
        return out

    def _flow_input(self) -> tuple[Array, Array, Array]:
        return self.classes.words, self.classes.supply, self.classes.starts

    def _quotas(self, quotas: Array) -> NDArray[np.float64]:
        return np.ascontiguousarray(quotas, dtype=np.float64)

    def _add(self, s: int, inside: NDArray[np.bool_]) -> None:
        key = (s, inside.tobytes())
        if key not in self._known:
            self._known.add(key)
            self.signatures.append(s)
            self.sets.append(inside.copy())


@njit(nogil=True, cache=True)
def _needed(signatures, sets, words, supply, starts, out):  # type: ignore[no-untyped-def]
    for i in range(len(signatures)):
        for c in range(starts[signatures[i]], starts[signatures[i] + 1]):
            inside = True
            for w in range(words.shape[1]):
                inside &= words[c, w] & ~sets[i, w] == 0
            if inside:
                out[i] += supply[c]


@njit(nogil=True, cache=True)
def _separate(words, supply, starts, quotas, noise, flow, cut):  # type: ignore[no-untyped-def]
    """Fill every signature's quotas; the flow is kept if there is room for it."""
    missing = np.zeros(len(quotas))
    k = quotas.shape[1]
    for s in range(len(quotas)):
        part = slice(starts[s], starts[s + 1])
        own = flow[part] if len(flow) else np.zeros((starts[s + 1] - starts[s], k))
        missing[s] = _fill(words[part], supply[part].copy(), quotas[s].copy(), noise, own, cut[s])
    return missing


@njit(nogil=True, cache=True)
def _fill(words, left, room, noise, flow, cut):  # type: ignore[no-untyped-def]
    """Maximum flow from classes to centers; what stays behind, and in ``cut`` the centers it reaches.

    Shortest augmentations in phases (Dinitz): within one, a class only goes to the centers it reaches
    that are nearest to room, so no flow is moved twice, and each push uses up a class, a center or an
    amount of flow.
    """
    C, k = flow.shape
    _first_flow(words, left, room, noise, flow)
    links = np.empty((k, words.shape[1]), dtype=np.uint64)
    hop = np.empty(k, dtype=np.int64)
    distance = np.empty(k, dtype=np.int64)
    level = np.empty(C, dtype=np.int64)
    pointer = np.empty((k, k), dtype=np.int64)
    moved = True
    while moved:
        _link(words, flow, noise, links)
        _towards_room(links, room, noise, hop, distance)
        _levels(words, distance, level)
        pointer[:] = 0
        moved = False
        for c in range(C):
            if left[c] <= noise:
                continue
            for j in range(k):
                while left[c] > noise and hop[j] >= 0 and distance[j] == level[c] and contains(words, c, j):
                    amount = _push(words, flow, left[c], room, hop, distance, level, pointer, j, noise)
                    if amount <= 0.0:
                        break
                    flow[c, j] += amount
                    left[c] -= amount
                    moved = True
    return _minimum_cut(words, left, links, noise, cut)


@njit(nogil=True, cache=True)
def _first_flow(words, left, room, noise, flow):  # type: ignore[no-untyped-def]
    """Fill the centers with most room, classes with little choice first."""
    C, k = flow.shape
    choice = np.zeros(C, dtype=np.int64)
    for c in range(C):
        for j in range(k):
            choice[c] += contains(words, c, j)
    for c in np.argsort(choice, kind="mergesort"):
        while left[c] > noise:
            best, widest = -1, noise
            for j in range(k):
                if room[j] > widest and contains(words, c, j):
                    best, widest = j, room[j]
            if best < 0:
                break
            amount = min(left[c], room[best])
            flow[c, best] += amount
            left[c] -= amount
            room[best] -= amount


@njit(nogil=True, cache=True)
def _minimum_cut(words, left, links, noise, cut):  # type: ignore[no-untyped-def]
    """Mark the centers that what is left reaches, directly or by moves; return how much that is."""
    total = 0.0
    for c in range(len(left)):
        if left[c] > noise:
            total += left[c]
            cut |= words[c]
    for _ in range(len(links)):
        for a in range(len(links)):
            if (cut[a >> 6] >> np.uint64(a & 63)) & np.uint64(1) == np.uint64(1):
                cut |= links[a]
    return total


@njit(nogil=True, cache=True)
def _link(words, flow, noise, links):  # type: ignore[no-untyped-def]
    """Edge (a, b): some class has points in a that reach b."""
    C, k = flow.shape
    links[:] = np.uint64(0)
    for c in range(C):
        for a in range(k):
            if flow[c, a] > noise:
                for w in range(words.shape[1]):
                    links[a, w] |= words[c, w]


@njit(nogil=True, cache=True)
def _towards_room(links, room, noise, hop, distance):  # type: ignore[no-untyped-def]
    """Next center on a shortest way to one with room; itself where there is room, -1 without a way."""
    k = len(room)
    queue = np.empty(k, dtype=np.int64)
    end = 0
    for j in range(k):
        hop[j], distance[j] = -1, k
        if room[j] > noise:
            hop[j], distance[j] = j, 0
            queue[end] = j
            end += 1
    begin = 0
    while begin < end:
        b = queue[begin]
        begin += 1
        for a in range(k):
            if hop[a] < 0 and contains(links, a, b):
                hop[a], distance[a] = b, distance[b] + 1
                queue[end] = a
                end += 1


@njit(nogil=True, cache=True)
def _levels(words, distance, level):  # type: ignore[no-untyped-def]
    """Least distance to room of the centers that a class reaches."""
    for c in range(len(level)):
        level[c] = len(distance)
        for j in range(len(distance)):
            if distance[j] < level[c] and contains(words, c, j):
                level[c] = distance[j]


@njit(nogil=True, cache=True)
def _push(words, flow, most, room, hop, distance, level, pointer, start, noise):  # type: ignore[no-untyped-def]
    """Make room in ``start`` by moves along the hops; the weight moved, 0 when a hop has worn out."""
    C = len(flow)
    amount = most
    j = start
    while hop[j] != j:
        b = hop[j]
        p = pointer[j, b]
        while p < C and not (flow[p, j] > noise and level[p] == distance[b] and contains(words, p, b)):
            p += 1
        pointer[j, b] = p
        if p == C:
            return 0.0
        amount = min(amount, flow[p, j])
        j = b
    amount = min(amount, room[j])
    if amount <= noise:
        return 0.0
    room[j] -= amount
    j = start
    while hop[j] != j:
        b = hop[j]
        p = pointer[j, b]
        flow[p, j] -= amount
        flow[p, b] += amount
        j = b
    return amount
