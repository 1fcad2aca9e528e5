"""Hall's condition: which quotas can be filled by points that reach their center within a radius.

Quotas of signature s can be filled at radius r if and only if for every set J of centers the quotas
of J are at least the weight of the points that reach no center outside J. Such a cut (s, J) holds at
every radius once its right-hand side is evaluated there, so cuts found at one radius serve all others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["HallCuts"]

Array = NDArray[Any]


class HallCuts:
    """The cuts found so far, and the search for more.

    Parameters
    ----------
    cost : ndarray of shape (n, k)
    signature : ndarray of shape (n,), int32
    weights : ndarray of shape (n,) or None
    n_signatures : int

    Examples
    --------
    Two points reach only center 0 at radius 1, so a quota of one each cannot be filled:

    >>> import numpy as np
    >>> cuts = HallCuts(np.array([[0.0, 2.0], [1.0, 3.0]]), np.zeros(2, dtype=np.int32), None, 1)
    >>> cuts.visit(1.0)
    >>> cuts.separate(np.array([[1.0, 1.0]]), 1e-6)
    1.0
    >>> cuts.signatures, cuts.needed()
    ([0], array([2.]))
    """

    def __init__(self, cost: Array, signature: Array, weights: Array | None, n_signatures: int) -> None:
        self.cost = cost
        self.weights = np.ones(len(cost)) if weights is None else weights
        order = np.argsort(signature, kind="stable")
        self._order = order[self.weights[order] > 0]
        self._starts = np.searchsorted(signature[self._order], np.arange(n_signatures + 1))
        self.signatures: list[int] = []
        self.sets: list[NDArray[np.bool_]] = []
        self._known: set[tuple[int, bytes]] = set()
        self._thresholds: list[tuple[Array, Array]] = []
        self._low, self._high = -np.inf, np.inf
        self.radius = np.nan

    def __len__(self) -> int:
        return len(self.sets)

    def bracket(self, low: float, high: float) -> None:
        """Announce that only radii from low to high will be visited, which keeps the cuts small."""
        widened = low < self._low or high > self._high
        self._low, self._high = low, high
        if widened:
            pairs = zip(self.signatures, self.sets, strict=True)
            self._thresholds = [self._threshold(s, inside) for s, inside in pairs]
        else:
            self._thresholds = [self._narrowed(*threshold) for threshold in self._thresholds]

    def visit(self, radius: float) -> None:
        """Move to a radius: classes of points that reach the same centers, and limits of the quotas."""
        self.radius = radius
        S, k = len(self._starts) - 1, self.cost.shape[1]
        words = _reach(self.cost, self._order, radius, (k + 63) // 64)
        members, supplies, starts = [], [], [0]
        self.least, self.most = np.zeros((S, k)), np.zeros((S, k))
        for s in range(S):
            part = slice(self._starts[s], self._starts[s + 1])
            weights = self.weights[self._order[part]]
            if words.shape[1] == 1:
                classes, inverse = np.unique(words[part, 0], return_inverse=True)
                classes = classes[:, None]
            else:
                classes, inverse = np.unique(words[part], axis=0, return_inverse=True)
            supply = np.bincount(inverse.ravel(), weights, len(classes))
            allowed = _unpack(classes, k)
            self.most[s] = supply @ allowed
            single = allowed.sum(axis=1) == 1
            self.least[s] = supply[single] @ allowed[single]
            members.append(allowed)
            supplies.append(supply)
            starts.append(starts[-1] + len(classes))
        self._allowed = np.concatenate(members)
        self._supply = np.concatenate(supplies).astype(np.float64)
        self._class_starts = np.array(starts)

    def needed(self) -> NDArray[np.float64]:
        """Right-hand side of every cut at the visited radius."""
        out = np.empty(len(self))
        for c, (values, beyond) in enumerate(self._thresholds):
            out[c] = beyond[np.searchsorted(values, self.radius, side="right")]
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
        S, k = quotas.shape
        cut = np.zeros((S, k), dtype=np.bool_)
        missing = _separate(
            self._allowed,
            self._supply,
            self._class_starts,
            np.ascontiguousarray(quotas, dtype=np.float64),
            0.01 * tolerance,
            cut,
        )
        for s in np.flatnonzero(missing > tolerance):
            self._add(int(s), cut[s])
        return float(missing.sum())

    def _add(self, s: int, inside: NDArray[np.bool_]) -> None:
        key = (s, inside.tobytes())
        if key in self._known:
            return
        self._known.add(key)
        self.signatures.append(s)
        self.sets.append(inside.copy())
        self._thresholds.append(self._threshold(s, inside))

    def _threshold(self, s: int, inside: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Radii in the bracket at which points begin to reach out of the set, and the weight left then."""
        rows = self._order[self._starts[s] : self._starts[s + 1]]
        values = _nearest_outside(self.cost, rows, inside)
        weights = self.weights[rows]
        ahead = values > self._high
        within = (values > self._low) & ~ahead
        order = np.argsort(values[within], kind="stable")
        beyond = np.append(np.cumsum(weights[within][order][::-1])[::-1], 0.0) + weights[ahead].sum()
        return values[within][order], beyond

    def _narrowed(self, values: Array, beyond: Array) -> tuple[Array, Array]:
        first = np.searchsorted(values, self._low, side="right")
        last = np.searchsorted(values, self._high, side="right")
        if first == 0 and last == len(values):
            return values, beyond
        return values[first:last].copy(), beyond[first : last + 1].copy()


def _unpack(words: Array, k: int) -> NDArray[np.bool_]:
    bits = np.arange(k)
    shifted = words[:, bits // 64] >> (bits % 64).astype(np.uint64)
    return (shifted & np.uint64(1)).astype(np.bool_)


@njit(nogil=True, cache=True)
def _reach(cost, order, radius, n_words):  # type: ignore[no-untyped-def]
    k = cost.shape[1]
    words = np.zeros((len(order), n_words), dtype=np.uint64)
    for p in range(len(order)):
        for j in range(k):
            if np.float64(cost[order[p], j]) <= radius:
                words[p, j // 64] |= np.uint64(1) << np.uint64(j % 64)
    return words


@njit(nogil=True, cache=True)
def _nearest_outside(cost, rows, inside):  # type: ignore[no-untyped-def]
    out = np.full(len(rows), np.inf)
    for p in range(len(rows)):
        for j in range(cost.shape[1]):
            if not inside[j] and np.float64(cost[rows[p], j]) < out[p]:
                out[p] = cost[rows[p], j]
    return out


@njit(nogil=True, cache=True)
def _separate(allowed, supply, starts, quotas, noise, cut):  # type: ignore[no-untyped-def]
    missing = np.zeros(len(quotas))
    for s in range(len(quotas)):
        part = slice(starts[s], starts[s + 1])
        missing[s] = _fill(allowed[part], supply[part].copy(), quotas[s].copy(), noise, cut[s])
    return missing


@njit(nogil=True, cache=True)
def _fill(allowed, left, room, noise, cut):  # type: ignore[no-untyped-def]
    """Maximum flow from classes to centers; what stays behind, and in ``cut`` the centers it reaches."""
    C, k = allowed.shape
    flow = np.zeros((C, k))
    _first_flow(allowed, left, room, noise, flow)
    links = np.empty((k, k), dtype=np.bool_)
    hop = np.empty(k, dtype=np.int64)
    pointer = np.empty((k, k), dtype=np.int64)
    moved = True
    while moved:
        _link(allowed, flow, noise, links)
        _towards_room(links, room, noise, hop)
        pointer[:] = 0
        moved = False
        for c in range(C):
            for j in range(k):
                while left[c] > noise and allowed[c, j] and hop[j] >= 0:
                    amount = _push(allowed, flow, left[c], room, hop, pointer, j, noise)
                    if amount <= 0.0:
                        break
                    flow[c, j] += amount
                    left[c] -= amount
                    moved = True
    return _minimum_cut(allowed, left, links, noise, cut)


@njit(nogil=True, cache=True)
def _first_flow(allowed, left, room, noise, flow):  # type: ignore[no-untyped-def]
    """Fill the centers with most room, classes with little choice first."""
    C, k = allowed.shape
    choice = np.zeros(C, dtype=np.int64)
    for c in range(C):
        for j in range(k):
            choice[c] += allowed[c, j]
    for c in np.argsort(choice, kind="mergesort"):
        while left[c] > noise:
            best, widest = -1, noise
            for j in range(k):
                if allowed[c, j] and room[j] > widest:
                    best, widest = j, room[j]
            if best < 0:
                break
            amount = min(left[c], room[best])
            flow[c, best] += amount
            left[c] -= amount
            room[best] -= amount


@njit(nogil=True, cache=True)
def _minimum_cut(allowed, left, links, noise, cut):  # type: ignore[no-untyped-def]
    """Mark the centers that what is left reaches, directly or by moves; return how much that is."""
    C, k = allowed.shape
    total = 0.0
    for c in range(C):
        if left[c] > noise:
            total += left[c]
            cut |= allowed[c]
    for _ in range(k):
        for a in range(k):
            if cut[a]:
                cut |= links[a]
    return total


@njit(nogil=True, cache=True)
def _link(allowed, flow, noise, links):  # type: ignore[no-untyped-def]
    """Edge (a, b): some class has points in a that reach b."""
    C, k = allowed.shape
    links[:] = False
    for c in range(C):
        for a in range(k):
            if flow[c, a] > noise:
                for b in range(k):
                    links[a, b] |= allowed[c, b]


@njit(nogil=True, cache=True)
def _towards_room(links, room, noise, hop):  # type: ignore[no-untyped-def]
    """Next center on a shortest way to one with room; itself where there is room, -1 without a way."""
    k = len(room)
    queue = np.empty(k, dtype=np.int64)
    end = 0
    for j in range(k):
        hop[j] = -1
        if room[j] > noise:
            hop[j] = j
            queue[end] = j
            end += 1
    begin = 0
    while begin < end:
        b = queue[begin]
        begin += 1
        for a in range(k):
            if hop[a] < 0 and links[a, b]:
                hop[a] = b
                queue[end] = a
                end += 1


@njit(nogil=True, cache=True)
def _push(allowed, flow, most, room, hop, pointer, start, noise):  # type: ignore[no-untyped-def]
    """Make room in ``start`` by moves along the hops; the weight moved, 0 when a hop has worn out."""
    C = len(flow)
    amount = most
    j = start
    while hop[j] != j:
        b = hop[j]
        p = pointer[j, b]
        while p < C and not (flow[p, j] > noise and allowed[p, b]):
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
