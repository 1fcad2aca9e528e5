"""Fair-Lloyd on all points: partitions sum up what the center step needs."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.dask.partitions import Part, PartitionedPoints
from faircluster.dask.relaxed import add
from faircluster.groups import Groups
from faircluster.social.sweep import GroupedPoints, Sweep

__all__ = ["AllGroupedPoints"]

Array = NDArray[Any]


class AllGroupedPoints(GroupedPoints):
    """Points of all partitions for :func:`~faircluster.social.lloyd.social_lloyd`.

    Parameters
    ----------
    points : PartitionedPoints
    power : float, default=2
        p of the cost ``distance ** p``.

    Notes
    -----
    A sweep is one pass; each partition sends S k (d + 4) numbers. It has no labels, and no center is
    reopened: starts come from a summary, where that is done.
    """

    def __init__(self, points: PartitionedPoints, power: float = 2.0) -> None:
        super().__init__(np.empty((points.groups.n_rows, points.table.n_features)), points.groups, power)
        self.points = points

    @property
    def n_points(self) -> int:
        """Number of points n."""
        return self.points.n_rows

    def sweep(self, centers: Array, *, labels: Array | None = None, tip: float = 0.0) -> Sweep:
        """Costs of the groups at their nearest centers."""
        work = partial(_sums, groups=self.groups, centers=centers, power=self.power, tip=tip)
        numbers, slopes = self.points.reduce(work, add, "sweep")
        self.quotas = numbers[0]
        self.total_cost = float(numbers[1].sum())
        sizes = np.maximum(numbers[0].sum(axis=0), 1.0)  # as if no cluster were empty
        return Sweep(np.empty(0, dtype=np.int32), self.model(centers, numbers, slopes, tip), sizes)


def _sums(part: Part, *, groups: Groups, centers: Array, power: float, tip: float) -> tuple[Array, Array]:
    from dataclasses import replace

    mine = replace(groups, signature=part.signature, weights=None)
    _, numbers, slopes = GroupedPoints(part.X, mine, power).sums(centers, None, tip)
    return numbers, slopes
