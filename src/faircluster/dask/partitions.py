"""A table in partitions: read and checked once, then asked for sums."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import dask
import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from faircluster.dask.inputs import Table
from faircluster.dask.protected import DistinctRows, Vocabulary, distinct_rows
from faircluster.distances import one_thread
from faircluster.groups import Groups

__all__ = ["Part", "PartitionedPoints"]

Array = NDArray[Any]
T = TypeVar("T")
_FAN = 8  # summaries merged at a time
_IN_MEMORY = 0.25  # share of the free memory that partitions may take where nothing else keeps them
logger = logging.getLogger("faircluster")


@dataclass(frozen=True, eq=False)
class Part:
    """Points of one partition.

    Attributes
    ----------
    X : ndarray of shape (n, d), float32 or float64
    signature : ndarray of shape (n,), int32
    """

    X: Array
    signature: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class _Summary:
    n_rows: int
    digest: bytes
    distinct: DistinctRows
    counts: Array


class PartitionedPoints:
    """Points and groups of a Dask collection.

    Parameters
    ----------
    table : Table
    missing, intersect
        As in :meth:`Groups.from_features`.

    Attributes
    ----------
    groups : Groups
        One row a signature, weighted by its count.
    lengths : list of int
        Rows of each partition; some may be 0.
    parts : list of Delayed or None
        The partitions with rows; None for those without.

    Notes
    -----
    Reading costs one pass. On a cluster the partitions then stay in the memory of the workers, which spill
    to disk what does not fit; without a cluster they stay if they are small, else each pass reads them again.
    """

    def __init__(self, table: Table, *, missing: Any = "error", intersect: bool = False) -> None:
        self.table = table
        read = [
            delayed(_read, pure=False, traverse=False)(i, points, features, table.reader)
            for i, (points, features) in enumerate(table.partitions())
        ]
        raw = self._kept(read, [1] * len(read))
        found: list[_Summary] = self._compute([delayed(_summary, pure=False)(part) for part in raw], "read")
        self.lengths = [summary.n_rows for summary in found]
        if sum(self.lengths) == 0:
            raise ValueError("X has 0 rows in all its partitions; at least one row is needed")
        held = [i for i, n in enumerate(self.lengths) if n]
        vocabulary = self.vocabulary = Vocabulary(
            [found[i].distinct for i in held],
            [found[i].counts for i in held],
            table.names,
            table.one_dimensional,
            missing=missing,
            intersect=intersect,
        )
        self.groups: Groups = vocabulary.groups
        self.parts: list[Delayed | None] = [None] * len(raw)
        signed = self._kept(
            [delayed(_signed, pure=False)(raw[i], vocabulary) for i in held], [self.lengths[i] for i in held]
        )
        for i, part in zip(held, signed, strict=True):
            self.parts[i] = part
        # by content, so that sums and summaries are the same for any order of the partitions
        self._order = sorted(held, key=lambda i: (found[i].digest, i))

    @property
    def n_rows(self) -> int:
        """Number of rows of all partitions."""
        return sum(self.lengths)

    def reduce(self, work: Callable[[Part], T], merge: Callable[[Sequence[T]], T], what: str = "pass") -> T:
        """Merge what ``work`` says of every partition, some at a time, on the workers.

        Parameters
        ----------
        work : callable
            Part -> summary. It must be possible to send it to the workers.
        merge : callable
            Sequence of summaries -> summary.
        what : str, default="pass"
            Name in the log.

        Returns
        -------
        summary
            The same for any number of workers, and for any order of the partitions.
        """
        level = [delayed(_alone, pure=False)(work, self.parts[i]) for i in self._order]
        while len(level) > 1:
            groups = [level[i : i + _FAN] for i in range(0, len(level), _FAN)]
            level = [delayed(_merged, pure=False)(merge, group) for group in groups]
        found: T = self._compute(level, what)[0]
        return found

    def ask(self, work: Callable[[Part], T], what: str = "pass") -> dict[int, T]:
        """Ask each partition with rows the same; its answers by number."""
        return self.gather(lambda _: work, what)

    def gather(self, work: Callable[[int], Callable[[Part], T]], what: str = "pass") -> dict[int, T]:
        """Ask each partition with rows ``work(number)``; its answers by number."""
        held = sorted(self._order)
        found = self._compute([delayed(_alone, pure=False)(work(i), self.parts[i]) for i in held], what)
        return dict(zip(held, found, strict=True))

    def labels(self, work: Callable[[int], Callable[[Part], Array]], dtype: Any = np.int32) -> Any:
        """Labels of all rows, lazily: a Dask series aligned with X, or a Dask array.

        They are computed from X itself when asked for; nothing stays on the cluster until then.
        """
        works = {i: work(i) for i in range(len(self.table)) if self.parts[i] is not None}
        by_number = partial(
            _label, reader=self.table.reader, vocabulary=self.vocabulary, works=works, dtype=dtype
        )
        return self.table.by_partition(by_number, self.lengths, dtype)

    def order(self) -> list[int]:
        """Partitions with rows, in an order that depends on their content only."""
        return list(self._order)

    def _compute(self, tasks: list[Delayed], what: str) -> list[Any]:
        begun = time.perf_counter()
        found = list(dask.compute(*tasks))
        logger.debug("%s over %d partitions, %.2f s", what, len(self.table), time.perf_counter() - begun)
        return found

    def _kept(self, parts: list[Delayed], sizes: Sequence[int]) -> list[Delayed]:
        """Keep partitions in memory if there is somebody to keep them."""
        client = _cluster()
        if client is not None and (threads := client.nthreads()):
            return _spread(client, threads, parts, sizes)
        if client is not None or self.table.n_bytes() < _IN_MEMORY * _free_memory():
            return list(dask.persist(*parts))
        return parts


def _cluster() -> Any:
    """Client of the cluster that computes, None without one."""
    try:
        from distributed import get_client
    except ImportError:  # pragma: no cover
        return None
    try:
        return get_client()
    except ValueError:
        return None


def _spread(
    client: Any, threads: dict[str, int], parts: list[Delayed], sizes: Sequence[int]
) -> list[Delayed]:
    """Keep partitions where every thread has as many rows as another: a pass takes as long as the last one.

    When a worker is lost, others take over.
    """
    rows, homes = dict.fromkeys(sorted(threads), 0.0), {}
    for i in sorted(range(len(parts)), key=lambda i: -sizes[i]):
        home = min(rows, key=lambda worker: (rows[worker] + sizes[i]) / threads[worker])
        rows[home] += sizes[i]
        homes[i] = home
    kept: list[Any] = list(parts)
    for worker in dict.fromkeys(homes.values()):  # there may be fewer partitions than workers
        mine = [i for i, home in homes.items() if home == worker]
        found = client.persist([parts[i] for i in mine], workers=[worker], allow_other_workers=True)
        for i, part in zip(mine, found, strict=True):
            kept[i] = part
    return kept


def _free_memory() -> float:
    try:
        import psutil

        return float(psutil.virtual_memory().available)
    except ImportError:  # pragma: no cover
        return 1e9


def _read(i: int, points: Any, features: Any, reader: Any) -> tuple[Array, DistinctRows]:
    try:
        X, protected = reader(points, features)
        return X, distinct_rows(protected, len(X))
    except (ValueError, TypeError) as error:
        raise type(error)(f"partition {i}: {error}") from error


def _summary(raw: tuple[Array, DistinctRows]) -> _Summary:
    X, distinct = raw
    digest = hashlib.blake2b(np.ascontiguousarray(X).data, digest_size=16)
    digest.update(distinct.codes.data)
    few = DistinctRows(distinct.rows, np.zeros(0, dtype=np.int32), distinct.kinds)
    return _Summary(len(X), digest.digest(), few, distinct.counts)


def _signed(raw: tuple[Array, DistinctRows], vocabulary: Vocabulary) -> Part:
    return Part(raw[0], vocabulary.signatures(raw[1]))


def _alone(work: Callable[[Part], T], part: Part) -> T:
    with one_thread():
        return work(part)


def _merged(merge: Callable[[Sequence[T]], T], parts: Sequence[T]) -> T:
    return parts[0] if len(parts) == 1 else merge(parts)


def _label(
    i: int,
    points: Any,
    features: Any,
    *,
    reader: Any,
    vocabulary: Vocabulary,
    works: dict[int, Callable[[Part], Array]],
    dtype: Any,
) -> Array:
    X, distinct = _read(i, points, features, reader)
    if i not in works or len(X) == 0:
        if len(X):
            raise RuntimeError(
                f"partition {i} was empty when the labels were found, and is not now; fit again"
            )
        return np.zeros(0, dtype=dtype)
    with one_thread():
        return works[i](Part(X, vocabulary.signatures(distinct)))
