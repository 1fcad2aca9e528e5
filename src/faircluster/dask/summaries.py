"""Summaries of all points, merged on the workers."""

from __future__ import annotations

from functools import partial

from faircluster.centers.coreset import (
    Coreset,
    mean_coreset,
    merge_mean_coresets,
    merge_radius_coresets,
    radius_coreset,
)
from faircluster.dask.partitions import Part, PartitionedPoints

__all__ = ["mean_summary", "radius_summary"]

_REPRESENTATIVES = 20_000  # of all signatures together, about
_PLACES = 1_024  # different points a partition's summary for k-center has


def mean_summary(points: PartitionedPoints, power: int) -> Coreset:
    """Find representatives for sum objectives, as many of every signature.

    Parameters
    ----------
    points : PartitionedPoints
    power : {1, 2}

    Returns
    -------
    Coreset
        About 10,000 to 40,000 points, whatever their number; one pass.
    """
    size = max(_REPRESENTATIVES // points.groups.n_signatures // 2, 50)
    parts = max(len(points.order()), 1)
    few: Coreset = points.reduce(
        partial(_mean_part, size=max(size // parts, min(size, 200)), power=power),
        partial(merge_mean_coresets, size=size, power=power),
        "summary",
    )
    return few


def radius_summary(points: PartitionedPoints, metric: str) -> Coreset:
    """Find representatives for k-center, no point far from its own.

    Parameters
    ----------
    points : PartitionedPoints
    metric : str

    Returns
    -------
    Coreset
        Some thousand different points, each for every signature it stands for; one pass.
    """
    few: Coreset = points.reduce(
        partial(_radius_part, size=_PLACES, metric=metric),
        partial(merge_radius_coresets, size=_PLACES, metric=metric),
        "summary",
    )
    return few


def _mean_part(part: Part, *, size: int, power: int) -> Coreset:
    return mean_coreset(part.X, part.signature, size, power)


def _radius_part(part: Part, *, size: int, metric: str) -> Coreset:
    return radius_coreset(part.X, part.signature, size, metric)
