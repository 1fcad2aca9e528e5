"""The table every fairness metric is read from: how many points of each signature a cluster holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faircluster.groups import Groups

__all__ = ["Contingency", "contingency", "encode_labels", "resolve_groups"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contingency:
    """Weighted counts of signatures, and so of groups, by cluster.

    Attributes
    ----------
    groups : Groups
        The g groups and S signatures of the n rows.
    cluster : ndarray of shape (n,), int64
        Position of each row's cluster, 0 to k - 1.
    labels : ndarray of shape (k,), int64
        The label of each cluster, ascending.
    quotas : ndarray of shape (S, k), float64
        Weight of each signature in each cluster.
    """

    groups: Groups
    cluster: NDArray[np.int64]
    labels: NDArray[np.int64]
    quotas: Floats

    @cached_property
    def counts(self) -> Floats:
        """Weight of each group in each cluster, shape (g, k)."""
        return np.asarray(self.groups.signature_membership.T.astype(np.float64) @ self.quotas)

    @cached_property
    def sizes(self) -> Floats:
        """Weight of each cluster, shape (k,)."""
        return np.asarray(self.quotas.sum(axis=0))

    @property
    def occupied(self) -> NDArray[np.bool_]:
        """Which clusters hold any weight, shape (k,)."""
        return self.sizes > 0

    def by_attribute(self) -> Iterator[NDArray[np.intp]]:
        """Positions of the groups of one attribute after the other."""
        attributes = np.asarray(self.groups.attributes, dtype=object)
        for attribute in dict.fromkeys(self.groups.attributes):
            yield np.flatnonzero(attributes == attribute)


def contingency(
    labels: ArrayLike,
    sensitive_features: Any,
    sample_weight: ArrayLike | None = None,
    n_clusters: int | None = None,
) -> Contingency:
    """Count signatures by cluster in one pass, O(n) time plus an (S, k) table.

    Parameters
    ----------
    labels : array-like of shape (n,), integers, or a Dask array or series
        See `encode_labels`. Of a Dask collection the cells of the table are the rows, with their counts.
    sensitive_features : Groups or anything `Groups.from_features` accepts
    sample_weight : array-like of shape (n,), optional
        Only with columns; a `Groups` already carries its weights.
    n_clusters : int, optional
        See `encode_labels`.

    Raises
    ------
    ValueError
        When the lengths differ, the labels are not integers or out of range, or weights are given twice.

    Examples
    --------
    >>> contingency([0, 0, 1], ["a", "b", "a"]).counts
    array([[1., 1.],
           [1., 0.]])
    """
    if hasattr(labels, "__dask_graph__"):
        # by name: the package stands above this one, and only those who have Dask get here
        labels, sensitive_features = import_module("faircluster.dask.metrics").cells(
            labels, sensitive_features, sample_weight
        )
        sample_weight = None
    cluster, values = encode_labels(labels, n_clusters)
    groups = resolve_groups(sensitive_features, len(cluster), sample_weight)
    k, n_signatures = len(values), groups.n_signatures
    cell = groups.signature.astype(np.int64)
    cell *= k
    cell += cluster
    table = np.bincount(cell, weights=groups.weights, minlength=n_signatures * k)
    return Contingency(groups, cluster, values, table.astype(np.float64).reshape(n_signatures, k))


def resolve_groups(sensitive_features: Any, n_rows: int, sample_weight: ArrayLike | None = None) -> Groups:
    """Read the groups of ``n_rows`` rows from protected columns, or check the length of a given `Groups`.

    Raises
    ------
    ValueError
        When the lengths differ or weights are given twice.

    Examples
    --------
    >>> resolve_groups(["a", "b", "a"], 3).n_groups
    2
    """
    if not isinstance(sensitive_features, Groups):
        return Groups.from_features(sensitive_features, n_rows=n_rows, sample_weight=sample_weight)
    if sample_weight is not None:
        raise ValueError(
            "sample_weight cannot be given next to a Groups, which carries its own weights; "
            "pass it to Groups.from_features"
        )
    if sensitive_features.n_rows != n_rows:
        raise ValueError(
            f"sensitive_features describes {sensitive_features.n_rows} rows, but there are {n_rows}; "
            "pass the Groups of the same rows (Groups.subset selects rows)"
        )
    return sensitive_features


def encode_labels(
    labels: ArrayLike, n_clusters: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give integer labels positions 0 to k - 1, and each position its label.

    Every distinct integer is a cluster, negative ones too: the noise label -1 of a density-based
    clusterer counts as one more cluster. Drop those rows first to leave noise out.

    Parameters
    ----------
    labels : array-like of shape (n,), integers
    n_clusters : int, optional
        Clusters are then 0 to ``n_clusters - 1`` whether or not they have points.

    Returns
    -------
    cluster : ndarray of shape (n,), int64
    values : ndarray of shape (k,), int64
        Ascending.

    Raises
    ------
    ValueError
        When ``labels`` is empty, not one-dimensional, not integer, or outside ``n_clusters``.

    Notes
    -----
    O(n) when the labels span at most n values (or 1024), else O(n log n).

    Examples
    --------
    >>> encode_labels([7, -1, 7])
    (array([1, 0, 1]), array([-1,  7]))
    """
    given = np.asarray(labels)
    if given.ndim != 1 or given.size == 0:
        raise ValueError(f"labels must be one label a row, shape (n,) with n >= 1, got shape {given.shape}")
    if given.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be integers, got {given.dtype}; convert them, "
            "for example with numpy.unique(labels, return_inverse=True)[1]"
        )
    if n_clusters is not None and n_clusters < 1:
        raise ValueError(f"n_clusters must be at least 1, got {n_clusters!r}")
    low, high = int(given.min()), int(given.max())
    if n_clusters is not None:
        if low < 0 or high >= n_clusters:
            raise ValueError(
                f"labels must lie in 0 to {n_clusters - 1} for n_clusters={n_clusters}, "
                f"got {low if low < 0 else high}; leave n_clusters out to take the labels as they are"
            )
        return given.astype(np.int64), np.arange(n_clusters, dtype=np.int64)
    if high - low >= max(given.size, 1024):
        values, cluster = np.unique(given, return_inverse=True)
        return cluster.astype(np.int64), values.astype(np.int64)
    # Few values: counting finds the distinct ones without a sort.
    offset = given.astype(np.int64) - low
    present = np.bincount(offset) > 0
    return (np.cumsum(present) - 1)[offset], np.flatnonzero(present) + low
