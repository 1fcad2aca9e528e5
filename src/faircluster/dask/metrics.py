"""Counts of groups by cluster of Dask collections: all that fairness metrics and the audit of shares need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.dask.inputs import Table
from faircluster.dask.partitions import Part, PartitionedPoints
from faircluster.groups import Groups

__all__ = ["cells"]

_MOST_CLUSTERS = 100_000
Counts = dict[tuple[int, int], int]


def cells(
    labels: Any, sensitive_features: Any, sample_weight: Any = None, *, missing: str = "error"
) -> tuple[NDArray[np.int64], Groups]:
    """Count groups by cluster.

    Parameters
    ----------
    labels : dask array or series of integers
    sensitive_features : dask series, data frame or array of the same partitions
    sample_weight : None
    missing : {"error", "group"}, default="error"

    Returns
    -------
    labels : ndarray of shape (c,), int64
        Cluster of each cell (signature and cluster) that has rows.
    groups : Groups
        Signature of each cell, weighted by the number of its rows.

    Raises
    ------
    ValueError
        Labels that are no integers, weights, or partitions that differ.

    Notes
    -----
    One pass; each partition sends its cells.
    """
    if sample_weight is not None:
        raise ValueError("sample_weight is not taken with Dask collections; repeat rows instead")
    if np.dtype(getattr(labels, "dtype", object)).kind not in "iu":
        raise ValueError(f"labels must be integers, got {getattr(labels, 'dtype', type(labels).__name__)}")
    column = labels.to_frame() if hasattr(labels, "to_frame") else labels[:, None]
    points = PartitionedPoints(Table(column, sensitive_features, labelled=False), missing=missing)
    counts: Counts = points.reduce(_counted, _merged, "counts")
    found = sorted(counts)
    signature = [s for s, _ in found]
    weights = [counts[cell] for cell in found]
    return np.array([label for _, label in found], dtype=np.int64), points.groups.cells(signature, weights)


def _counted(part: Part) -> Counts:
    pairs = np.column_stack([part.signature, part.X[:, 0].astype(np.int64)])
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    if len(found) > _MOST_CLUSTERS:
        raise ValueError(f"labels have {len(found)} different values and groups; they look like identifiers")
    return dict(zip(map(tuple, found.tolist()), counts.tolist(), strict=True))


def _merged(parts: Sequence[Counts]) -> Counts:
    total: Counts = {}
    for part in parts:
        for cell, count in part.items():
            total[cell] = total.get(cell, 0) + count
    return total
