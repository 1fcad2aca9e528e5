"""Summaries of all points, merged on the workers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from faircluster.centers.coreset import (
    Coreset,
    mean_coreset,
    merge_mean_coresets,
    merge_radius_coresets,
    radius_coreset,
    stacked,
)
from faircluster.centers.seeding import canonical_order
from faircluster.dask.partitions import Part, PartitionedPoints
from faircluster.sampling import stratified_sample

__all__ = ["mean_summary", "point_sample", "radius_summary"]

_REPRESENTATIVES = 20_000  # of all signatures together, about
_PLACES = 256  # different points a partition's summary for k-center has
_SAMPLE = 40_000  # points of a sample


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
        Some hundred different points, each for every signature it stands for; one pass.
    """
    few: Coreset = points.reduce(
        partial(_radius_part, size=_PLACES, metric=metric),
        partial(merge_radius_coresets, size=_PLACES, metric=metric),
        "summary",
    )
    return few


def point_sample(points: PartitionedPoints) -> Coreset:
    """Draw points in which every signature is represented.

    Parameters
    ----------
    points : PartitionedPoints

    Returns
    -------
    Coreset
        40,000 to 100,000 points, all of them where there are no more; rare signatures stay whole. A sample
        promises nothing of movement, which is infinite. One pass.
    """
    n_signatures, parts = points.groups.n_signatures, max(len(points.order()), 1)
    return points.reduce(
        partial(_sampled_part, n_signatures=n_signatures, size=max(_SAMPLE // parts, 1)),
        partial(_sampled, n_signatures=n_signatures),
        "sample",
    )


def _sampled_part(part: Part, *, n_signatures: int, size: int) -> Coreset:
    order = canonical_order(part.X)
    signature = part.signature[order]
    rows, weights = stratified_sample(signature, n_signatures, size)
    return Coreset(part.X[order[rows]], signature[rows], weights, np.inf)


def _sampled(parts: Sequence[Coreset], *, n_signatures: int) -> Coreset:
    points, signature, weights = stacked(parts)
    if len(points) <= 2 * _SAMPLE:
        return Coreset(points, signature, weights, np.inf)
    rows, weights = stratified_sample(signature, n_signatures, _SAMPLE, weights)
    return Coreset(points[rows], signature[rows], weights, np.inf)


def _mean_part(part: Part, *, size: int, power: int) -> Coreset:
    return mean_coreset(part.X, part.signature, size, power)


def _radius_part(part: Part, *, size: int, metric: str) -> Coreset:
    return radius_coreset(part.X, part.signature, size, metric)
