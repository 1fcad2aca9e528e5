"""Point-to-center costs, as a matrix or computed block by block from points and centers.

Everything above this file asks a cost source for blocks of rows and never needs the whole n x k
matrix. Blocks have fixed borders, so sums over them are the same for any number of threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "BLOCK_ROWS",
    "CostSource",
    "DenseCosts",
    "DistanceCosts",
    "SomeColumns",
    "as_cost_source",
    "map_blocks",
    "one_thread",
]

BLOCK_ROWS = 32_768
T = TypeVar("T")
Floats = NDArray[np.floating[Any]]


class CostSource(Protocol):
    """Rows of an (n, k) cost matrix, wherever they come from."""

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of points and centers, (n, k)."""

    def block(self, start: int, stop: int) -> Floats:
        """Cost rows ``start`` to ``stop``, shape (stop - start, k)."""

    def take(self, rows: NDArray[np.intp]) -> Floats:
        """Cost rows with these indices, shape (len(rows), k)."""


class DenseCosts:
    """A cost matrix that lies in memory.

    Parameters
    ----------
    cost : ndarray of shape (n, k), float32 or float64
        Not copied.

    Examples
    --------
    >>> import numpy as np
    >>> DenseCosts(np.array([[0.0, 1.0], [2.0, 3.0]])).take(np.array([1]))
    array([[2., 3.]])
    """

    def __init__(self, cost: Floats) -> None:
        self.cost = cost

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of points and centers, (n, k)."""
        return self.cost.shape[0], self.cost.shape[1]

    def block(self, start: int, stop: int) -> Floats:
        """Cost rows ``start`` to ``stop`` (a view)."""
        return self.cost[start:stop]

    def take(self, rows: NDArray[np.intp]) -> Floats:
        """Cost rows with these indices (a copy)."""
        return self.cost[rows]


class SomeColumns:
    """Some of the centers of a cost source.

    Parameters
    ----------
    source : CostSource of shape (n, k)
    columns : ndarray of shape (m,), int

    Examples
    --------
    >>> import numpy as np
    >>> SomeColumns(DenseCosts(np.array([[0.0, 1.0, 2.0]])), np.array([2, 0])).block(0, 1)
    array([[2., 0.]])
    """

    def __init__(self, source: CostSource, columns: NDArray[np.intp]) -> None:
        self.source, self.columns = source, columns

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of points and centers, (n, m)."""
        return self.source.shape[0], len(self.columns)

    def block(self, start: int, stop: int) -> Floats:
        """Cost rows ``start`` to ``stop`` (a copy)."""
        return np.ascontiguousarray(self.source.block(start, stop)[:, self.columns])

    def take(self, rows: NDArray[np.intp]) -> Floats:
        """Cost rows with these indices."""
        return np.ascontiguousarray(self.source.take(rows)[:, self.columns])


class DistanceCosts:
    """Powers of Euclidean distances to centers, computed when asked for.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32 or float64
        Not copied.
    centers : ndarray of shape (k, d)
    power : {1, 2}
        2 for squared distances (k-means), 1 for distances (k-median).

    Raises
    ------
    ValueError
        Another power, shapes that do not fit, NaN or infinity.

    Notes
    -----
    A block costs O(rows * d * k) and no memory beyond the block. Differences are squared one
    coordinate after the other, which keeps float32 input accurate where the expansion
    ``x.x - 2 x.c + c.c`` cancels.

    Examples
    --------
    >>> import numpy as np
    >>> DistanceCosts(np.array([[0.0], [3.0]]), np.array([[0.0], [1.0]])).block(0, 2)
    array([[0., 1.],
           [9., 4.]])
    """

    def __init__(self, X: Floats, centers: Floats, power: int = 2) -> None:
        if power not in (1, 2):
            raise ValueError(f"power must be 1 or 2, got {power!r}")
        self.X = _points("X", X)
        centers = _points("centers", centers)
        if self.X.shape[1] != centers.shape[1]:
            raise ValueError(
                f"X has {self.X.shape[1]} columns but centers has {centers.shape[1]}; they must be the same"
            )
        self.columns = np.ascontiguousarray(centers.T, dtype=self.X.dtype)
        self.power = power

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of points and centers, (n, k)."""
        return self.X.shape[0], self.columns.shape[1]

    def block(self, start: int, stop: int) -> Floats:
        """Cost rows ``start`` to ``stop``."""
        return self._cost(self.X[start:stop])

    def take(self, rows: NDArray[np.intp]) -> Floats:
        """Cost rows with these indices."""
        return self._cost(self.X[rows])

    def _cost(self, X: Floats) -> Floats:
        out = np.empty((X.shape[0], self.columns.shape[1]), dtype=self.X.dtype)
        _squared_distances(X, self.columns, out)
        return np.sqrt(out, out=out) if self.power == 1 else out


@njit(nogil=True, cache=True)
def _squared_distances(X, columns, out):  # type: ignore[no-untyped-def]
    n, d = X.shape
    k = columns.shape[1]
    for i in range(n):
        for j in range(k):
            out[i, j] = 0.0
        for t in range(d):
            x = X[i, t]
            for j in range(k):
                difference = x - columns[t, j]
                out[i, j] += difference * difference


def _points(argument: str, points: Any) -> Floats:
    """Check points: two-dimensional, at least one, finite; whole numbers become float64."""
    array = _floats(argument, points)
    if array.ndim != 2 or len(array) == 0:
        raise ValueError(f"{argument} must have one row a point, got shape {array.shape}")
    with np.errstate(all="ignore"):
        finite = bool(np.isfinite(array.sum(dtype=np.float64)))
    if not finite:
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if len(bad):
            raise ValueError(
                f"{argument} has NaN or infinity in {len(bad)} rows, the first is row {bad[0]}; "
                "impute or drop them"
            )
    return array


def _floats(argument: str, values: Any) -> Floats:
    """Return float32 and float64 arrays as they are, other real numbers as float64."""
    array = np.asarray(values)
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind not in "biufO":
        raise ValueError(f"{argument} must hold real numbers, got dtype {array.dtype}")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{argument} must hold real numbers ({error})") from error


def as_cost_source(cost: Any) -> CostSource:
    """Wrap a cost matrix; a cost source passes through unchanged.

    Raises
    ------
    ValueError
        When the matrix is not two-dimensional, has no rows or columns, or holds anything but real numbers.

    Examples
    --------
    >>> as_cost_source([[0, 1], [1, 0]]).shape
    (2, 2)
    """
    if hasattr(cost, "block") and hasattr(cost, "take"):
        source: CostSource = cost
        return source
    array = _floats("cost", cost)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"cost must have one row a point and one column a center (n, k), got shape {array.shape}"
        )
    return DenseCosts(np.ascontiguousarray(array))


def map_blocks(n: int, work: Callable[[int, int], T]) -> list[T]:
    """Call ``work(start, stop)`` for consecutive blocks of rows on all cores; results in row order.

    ``work`` should spend its time outside the interpreter lock (numba ``nogil``, NumPy).

    Examples
    --------
    >>> map_blocks(10_000, lambda start, stop: stop - start)
    [4096, 4096, 1808]
    """
    size = BLOCK_ROWS if n >= 4 * BLOCK_ROWS else max(4_096, -(-n // 4))
    starts = range(0, n, size)
    stops = [min(start + size, n) for start in starts]
    if len(stops) <= 1 or _cores() == 1 or getattr(_HERE, "alone", False):
        return [work(start, stop) for start, stop in zip(starts, stops, strict=True)]
    return list(_pool().map(work, starts, stops))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let :func:`map_blocks` work in the calling thread: others have the rest of the cores.

    Examples
    --------
    >>> with one_thread():
    ...     map_blocks(10_000, lambda start, stop: stop - start)
    [4096, 4096, 1808]
    """
    before = getattr(_HERE, "alone", False)
    _HERE.alone = True
    try:
        yield
    finally:
        _HERE.alone = before


_HERE = threading.local()
_POOLS: dict[int, ThreadPoolExecutor] = {}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pool() -> ThreadPoolExecutor:
    # One pool a process: after a fork the parent's threads are gone, so the child makes its own.
    pid = os.getpid()
    if pid not in _POOLS:
        _POOLS.clear()
        _POOLS[pid] = ThreadPoolExecutor(_cores(), thread_name_prefix="faircluster")
    return _POOLS[pid]
