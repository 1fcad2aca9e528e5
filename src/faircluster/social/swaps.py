"""Local search: exchange one center for a facility while the worst-off group gains."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faircluster.social.instance import SocialInstance

__all__ = ["SwapSearch"]

Array = NDArray[Any]


class SwapSearch:
    """Swaps of centers on one instance.

    Parameters
    ----------
    instance : SocialInstance

    Notes
    -----
    A candidate is compared with all k centers it might replace in one pass over the clients, O(n + k m)
    for groups that do not overlap, as in FasterPAM (Schubert & Rousseeuw 2021) but with a cost for
    each group; an improvement is made at once, which costs O(n k).

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.social import SocialInstance
    >>> instance = SocialInstance.from_points(np.arange(6.0)[:, None], list("aaabbb"), 2, 1)
    >>> SwapSearch(instance).improve(np.array([0, 1])).tolist()
    [1, 4]
    """

    def __init__(self, instance: SocialInstance) -> None:
        self.instance = instance
        client, group = np.nonzero(instance.weights.T)
        count = np.bincount(client, minlength=instance.n_clients)
        self._start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        self._group = group.astype(np.int32)
        self._weight = np.ascontiguousarray(instance.weights.T[client, group])

    def improve(self, centers: Array, multipliers: Array | None = None) -> NDArray[np.intp]:
        """Swap until no exchange of one center lowers the cost.

        Parameters
        ----------
        centers : ndarray of shape (q,), int
            Different facilities.
        multipliers : ndarray of shape (m,), default=None
            Minimise the sum of the groups' costs with these weights instead of the largest.

        Returns
        -------
        ndarray of shape (q,), int
            Ascending; never worse than ``centers``. Among equal costs of the worst-off group, a
            smaller sum over all groups is an improvement too: two groups may have to gain in turn.
        """
        state = _State(self, np.array(centers, dtype=np.intp), multipliers)
        quiet, f = 0, self.instance.n_facilities
        while quiet < f:
            for first, cost in self.instance.blocks():
                quiet = state.sweep(first, cost, quiet, f)
                if quiet >= f:
                    break
        return np.sort(state.centers)

    def values(self, centers: Array) -> NDArray[np.float64]:
        """Cost after the best exchange that brings in each facility, shape (f,); O(n f)."""
        state = _State(self, np.array(centers, dtype=np.intp), None)
        out = np.empty(self.instance.n_facilities)
        for first, cost in self.instance.blocks():
            _values(cost, *state.tables(), out[first : first + len(cost)])  # type: ignore[call-arg]
        return out

    def extend(self, centers: Array, n_centers: int) -> NDArray[np.intp]:
        """Add the facility that helps the worst-off group most, until there are ``n_centers``."""
        chosen = [int(j) for j in centers]
        own = self.instance.costs(np.array(chosen)).min(axis=0)
        while len(chosen) < min(n_centers, self.instance.n_facilities):
            best, value, column = -1, (np.inf, np.inf), own
            for first, cost in self.instance.blocks():
                after = np.empty((len(cost), self.instance.n_groups))
                _added(cost, own, self._start, self._group, self._weight, after)
                after[[j - first for j in chosen if first <= j < first + len(cost)]] = np.inf
                # equal worst groups: the one that helps all of them together
                order = np.lexsort((after.sum(axis=1), after.max(axis=1)))
                found = (float(after[order[0]].max()), float(after[order[0]].sum()))
                if found < value:
                    best, value, column = first + int(order[0]), found, cost[order[0]]
            if best < 0:
                break
            chosen.append(best)
            own = np.minimum(own, column)
        return np.sort(np.array(chosen, dtype=np.intp))


class _State:
    """Centers with the two nearest of each client and the costs of the groups."""

    def __init__(self, search: SwapSearch, centers: NDArray[np.intp], multipliers: Array | None) -> None:
        instance = search.instance
        n, m = instance.n_clients, instance.n_groups
        self.centers, self._search = centers, search
        self._costs = instance.costs(centers)
        self._nearest = np.zeros(n, dtype=np.int32)
        self._first, self._second = np.empty(n), np.empty(n)
        self._base, self._loss = np.empty(m), np.empty((len(centers), m))
        self._multipliers = np.empty(0) if multipliers is None else np.asarray(multipliers, dtype=np.float64)
        self._refresh()

    def _refresh(self) -> None:
        search = self._search
        _two_nearest(self._costs, self._nearest, self._first, self._second)
        _group_totals(
            search._start, search._group, search._weight,
            self._nearest, self._first, self._second, self._base, self._loss,
        )  # fmt: skip

    def tables(self) -> tuple[Array, ...]:
        search = self._search
        return (
            search._start, search._group, search._weight, self._nearest, self._first, self._second,
            self._base, self._loss, self._multipliers,
        )  # fmt: skip

    def sweep(self, first: int, cost: Array, quiet: int, f: int) -> int:
        """Try a block of facilities; number of facilities in a row that were no improvement."""
        at = 0
        while at < len(cost) and quiet < f:
            found, place = _next_swap(cost, at, min(len(cost) - at, f - quiet), *self.tables())
            if found < 0:
                return quiet + min(len(cost) - at, f - quiet)
            self.centers[place] = first + found
            self._costs[place] = cost[found]
            self._refresh()
            quiet, at = 0, found + 1
        return quiet


@njit(nogil=True, cache=True)
def _two_nearest(costs, nearest, first, second):  # type: ignore[no-untyped-def]
    first[:] = np.inf
    second[:] = np.inf
    for t in range(costs.shape[0]):
        for i in range(costs.shape[1]):
            value = costs[t, i]
            if value < first[i]:
                second[i], first[i], nearest[i] = first[i], value, t
            elif value < second[i]:
                second[i] = value


@njit(nogil=True, cache=True)
def _group_totals(start, group, weight, nearest, first, second, base, loss):  # type: ignore[no-untyped-def]
    """Cost of every group, and what closing each center adds to it (nothing is known of the only one)."""
    base[:] = 0.0
    loss[:] = 0.0
    for i in range(len(first)):
        for q in range(start[i], start[i + 1]):
            base[group[q]] += weight[q] * first[i]
            if len(loss) > 1:
                loss[nearest[i], group[q]] += weight[q] * (second[i] - first[i])


@njit(nogil=True, cache=True)
def _after(row, start, group, weight, nearest, first, second, base, loss, b, ls):  # type: ignore[no-untyped-def]
    """Group costs with a facility added (b), and what closing each center then adds (ls)."""
    b[:] = base
    ls[:] = loss
    if len(loss) == 1:  # the only center is replaced
        b[:] = 0.0
        for i in range(len(first)):
            for q in range(start[i], start[i + 1]):
                b[group[q]] += weight[q] * row[i]
        return
    for i in range(len(first)):
        value = row[i]
        if value < second[i]:
            gain = max(first[i] - value, 0.0)
            # closing the nearest center no longer sends the client to its second nearest
            kept = second[i] - max(first[i], value)
            for q in range(start[i], start[i + 1]):
                b[group[q]] -= weight[q] * gain
                ls[nearest[i], group[q]] -= weight[q] * kept


@njit(nogil=True, cache=True)
def _objective(b, extra, multipliers):  # type: ignore[no-untyped-def]
    """Return what is minimised, and the sum over all groups, which decides between equals."""
    value, total = 0.0, 0.0
    for s in range(len(b)):
        total += b[s] + extra[s]
        if len(multipliers):
            value += multipliers[s] * (b[s] + extra[s])
        else:
            value = max(value, b[s] + extra[s])
    return value, total


@njit(nogil=True, cache=True)
def _better(value, total, best, best_total, least):  # type: ignore[no-untyped-def]
    if value < best * (1.0 - least):
        return True
    return value <= best * (1.0 + 1e-12) and total < best_total * (1.0 - least)


@njit(nogil=True, cache=True)
def _best_exchange(row, start, group, weight, nearest, first, second, base, loss, multipliers, b, ls):  # type: ignore[no-untyped-def] # fmt: skip
    _after(row, start, group, weight, nearest, first, second, base, loss, b, ls)
    best, best_total, place = np.inf, np.inf, -1
    for t in range(len(ls)):
        value, total = _objective(b, ls[t], multipliers)
        if place < 0 or _better(value, total, best, best_total, 0.0):
            best, best_total, place = value, total, t
    return best, best_total, place


@njit(nogil=True, cache=True)
def _next_swap(cost, at, count, start, group, weight, nearest, first, second, base, loss, multipliers):  # type: ignore[no-untyped-def] # fmt: skip
    b, ls = np.empty_like(base), np.empty_like(loss)
    present, present_total = _objective(base, np.zeros_like(base), multipliers)
    for j in range(at, at + count):
        value, total, place = _best_exchange(
            cost[j], start, group, weight, nearest, first, second, base, loss, multipliers, b, ls
        )
        if _better(value, total, present, present_total, 1e-9):
            return j, place
    return -1, -1


@njit(nogil=True, cache=True)
def _values(cost, start, group, weight, nearest, first, second, base, loss, multipliers, out):  # type: ignore[no-untyped-def] # fmt: skip
    b, ls = np.empty_like(base), np.empty_like(loss)
    for j in range(cost.shape[0]):
        out[j] = _best_exchange(
            cost[j], start, group, weight, nearest, first, second, base, loss, multipliers, b, ls
        )[0]


@njit(nogil=True, cache=True)
def _added(cost, own, start, group, weight, out):  # type: ignore[no-untyped-def]
    out[:] = 0.0
    for j in range(cost.shape[0]):
        for i in range(len(own)):
            value = min(own[i], cost[j, i])
            for q in range(start[i], start[i + 1]):
                out[j, group[q]] += weight[q] * value
