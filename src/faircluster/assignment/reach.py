"""Classes of points: the same signature, and the same centers within a radius."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faircluster.distances import map_blocks

__all__ = ["ReachClasses", "contains", "merge_classes", "pack", "reach_classes", "unpack"]

Array = NDArray[Any]
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: spreads the bits of a key


@dataclass(frozen=True, eq=False)
class ReachClasses:
    """Points counted by signature and by the set of centers they reach.

    Attributes
    ----------
    radius : float
    starts : ndarray of shape (S + 1,), int64
        The classes of signature s are those from ``starts[s]`` to ``starts[s + 1]``.
    words : ndarray of shape (C, ceil(k / 64)), uint64
        Set of centers that a class reaches, 64 to a word; increasing within a signature.
    allowed : ndarray of shape (C, k), bool
        The same, unpacked.
    supply : ndarray of shape (C,)
        Weight of the points of a class.
    """

    radius: float
    starts: NDArray[np.int64]
    words: NDArray[np.uint64]
    allowed: NDArray[np.bool_]
    supply: NDArray[np.float64]

    def of_points(self, cost: Array, signature: NDArray[np.int32]) -> NDArray[np.int64]:
        """Class of every point, shape (n,); -1 for a point without weight whose class has no members.

        Parameters
        ----------
        cost : ndarray of shape (n, k)
        signature : ndarray of shape (n,), int32
        """
        out = np.empty(len(cost), dtype=np.int64)

        def work(start: int, stop: int) -> None:
            part = slice(start, stop)
            _look_up(cost[part], signature[part], self.radius, self.starts, self.words, out[part])

        map_blocks(len(cost), work)
        return out


def reach_classes(
    cost: Array, signature: NDArray[np.int32], weights: Array | None, n_signatures: int, radius: float
) -> ReachClasses:
    """Count the points with weight by signature and reach.

    Parameters
    ----------
    cost : ndarray of shape (n, k)
    signature : ndarray of shape (n,), int32
    weights : ndarray of shape (n,) or None
    n_signatures : int
    radius : float

    Returns
    -------
    ReachClasses

    Notes
    -----
    One pass over the costs with a hash table for every block of rows, O(n k); then O(C log C) for
    the C classes.

    Examples
    --------
    >>> import numpy as np
    >>> cost = np.array([[0.0, 2.0], [1.0, 3.0], [2.0, 0.0]])
    >>> classes = reach_classes(cost, np.zeros(3, dtype=np.int32), None, 1, 1.5)
    >>> classes.allowed.tolist(), classes.supply.tolist()
    ([[True, False], [False, True]], [2.0, 1.0])
    """
    k = cost.shape[1]
    none = np.empty(0)

    def work(start: int, stop: int) -> tuple[Array, Array]:
        rows = stop - start
        keys = np.empty((rows, 1 + (k + 63) // 64), dtype=np.uint64)
        mass = np.empty(rows)
        table = np.full(1 << (2 * rows - 1).bit_length(), -1, dtype=np.int32)
        part = slice(start, stop)
        held = none if weights is None else weights[part]
        found = _count(cost[part], signature[part], held, radius, keys, mass, table)
        return keys[:found].copy(), mass[:found].copy()

    parts = map_blocks(len(cost), work)
    keys = np.concatenate([part[0] for part in parts])
    mass = np.concatenate([part[1] for part in parts])
    return _counted(keys, mass, n_signatures, k, radius)


def merge_classes(parts: Sequence[ReachClasses]) -> ReachClasses:
    """Classes of all points, from those of parts of them at the same radius.

    Parameters
    ----------
    parts : sequence of ReachClasses
        At least one.

    Returns
    -------
    ReachClasses

    Examples
    --------
    >>> import numpy as np
    >>> none = np.zeros(1, dtype=np.int32)
    >>> one, two = (reach_classes(np.array([[c, 2.0]]), none, None, 1, 1.5) for c in (0.0, 1.0))
    >>> merge_classes([one, two]).supply.tolist()
    [2.0]
    """
    n_signatures, k = len(parts[0].starts) - 1, parts[0].allowed.shape[1]
    keys = []
    for part in parts:
        signature = np.repeat(np.arange(n_signatures, dtype=np.uint64), np.diff(part.starts))
        keys.append(np.column_stack([signature, part.words]))
    mass = np.concatenate([part.supply for part in parts])
    return _counted(np.concatenate(keys), mass, n_signatures, k, parts[0].radius)


def _counted(keys: Array, mass: Array, n_signatures: int, k: int, radius: float) -> ReachClasses:
    """Classes from keys (signature, words) that may occur more than once."""
    order = np.lexsort(keys.T[::-1])
    keys, mass = keys[order], mass[order]
    new = np.ones(len(keys), dtype=np.bool_)
    new[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    first = np.flatnonzero(new)
    words = np.ascontiguousarray(keys[first, 1:])
    starts = np.searchsorted(keys[first, 0], np.arange(n_signatures + 1, dtype=np.uint64))
    supply = np.add.reduceat(mass, first) if len(first) else mass
    return ReachClasses(radius, starts.astype(np.int64), words, unpack(words, k), supply)


def pack(sets: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Write sets as words of 64 bits, shape (len(sets), ceil(k / 64)).

    Examples
    --------
    >>> import numpy as np
    >>> pack(np.array([[True, False, True]])).tolist()
    [[5]]
    """
    m, k = sets.shape
    bits = np.zeros((m, -(-k // 64) * 64), dtype=np.uint8)
    bits[:, :k] = sets
    packed = np.packbits(bits, axis=1, bitorder="little").view("<u8")
    return packed.astype(np.uint64, copy=False)


def unpack(words: NDArray[np.uint64], k: int) -> NDArray[np.bool_]:
    """Inverse of :func:`pack`.

    Examples
    --------
    >>> import numpy as np
    >>> unpack(np.array([[5]], dtype=np.uint64), 3).tolist()
    [[True, False, True]]
    """
    at = np.arange(k)
    shifted = words[:, at // 64] >> (at % 64).astype(np.uint64)
    return (shifted & np.uint64(1)).astype(np.bool_)


@njit(nogil=True, cache=True)
def contains(words, row, j):  # type: ignore[no-untyped-def]
    """Tell whether the set in this row holds j."""
    return (words[row, j >> 6] >> np.uint64(j & 63)) & np.uint64(1) == np.uint64(1)


@njit(nogil=True, cache=True)
def _key(cost, i, radius, key):  # type: ignore[no-untyped-def]
    """Write the words of point i behind its signature."""
    k = cost.shape[1]
    for w in range(len(key) - 1):
        word = np.uint64(0)
        for j in range(64 * w, min(64 * w + 64, k)):
            if np.float64(cost[i, j]) <= radius:
                word |= np.uint64(1) << np.uint64(j & 63)
        key[w + 1] = word


@njit(nogil=True, cache=True)
def _count(cost, signature, weights, radius, keys, mass, table):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(table) - 1)
    key = np.empty(keys.shape[1], dtype=np.uint64)
    found = 0
    for i in range(len(cost)):
        weight = weights[i] if len(weights) else 1.0
        if weight <= 0.0:
            continue
        key[0] = np.uint64(signature[i])
        _key(cost, i, radius, key)
        value = np.uint64(0)
        for word in key:
            value = (value ^ word) * _MULTIPLIER
            value ^= value >> np.uint64(29)
        slot = value & mask
        while True:
            c = table[slot]
            if c < 0:
                table[slot] = found
                keys[found] = key
                mass[found] = weight
                found += 1
                break
            if (keys[c] == key).all():
                mass[c] += weight
                break
            slot = (slot + np.uint64(1)) & mask
    return found


@njit(nogil=True, cache=True)
def _look_up(cost, signature, radius, starts, words, out):  # type: ignore[no-untyped-def]
    """Binary search of every point among the classes of its signature."""
    n_words = words.shape[1]
    key = np.empty(n_words + 1, dtype=np.uint64)
    for i in range(len(cost)):
        _key(cost, i, radius, key)
        s = signature[i]
        low, high = starts[s], starts[s + 1]
        while low < high:
            middle = (low + high) // 2
            less = False
            for w in range(n_words):
                if words[middle, w] != key[w + 1]:
                    less = words[middle, w] < key[w + 1]
                    break
            if less:
                low = middle + 1
            else:
                high = middle
        out[i] = -1
        if low < starts[s + 1] and (words[low] == key[1:]).all():
            out[i] = low
