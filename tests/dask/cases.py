"""Data in partitions, and what must hold of every result."""

import numpy as np

from faircluster.dask.inputs import Table
from faircluster.dask.partitions import PartitionedPoints


def blobs(n=4_000, seed=0, d=4, k=5, groups=3):
    """Points in blobs with unequal shares of groups, and the groups."""
    rng = np.random.default_rng(seed)
    centers = 4 * rng.normal(size=(k, d))
    blob = rng.integers(0, k, n)
    X = centers[blob] + rng.normal(size=(n, d))
    chance = np.ones((k, groups)) + 2 * np.eye(groups)[np.arange(k) % groups]
    chance /= chance.sum(axis=1, keepdims=True)
    group = (rng.random(n)[:, None] > chance[blob].cumsum(axis=1)).sum(axis=1)
    return X, np.array(list("abcdefgh"))[group]


def arrays(X, groups, sizes):
    """Dask arrays with partitions of these sizes."""
    import dask.array as da

    chunks = tuple(sizes)
    return da.from_array(X, chunks=(chunks, X.shape[1])), da.from_array(groups, chunks=(chunks,))


def partitioned(X, groups, sizes):
    """The same as the estimators see it."""
    return PartitionedPoints(Table(*arrays(X, groups, sizes)))


def split(n, parts, seed=0):
    """Sizes of partitions that are far from equal."""
    cuts = np.sort(np.random.default_rng(seed).integers(0, n + 1, parts - 1))
    return np.diff(np.r_[0, cuts, n]).tolist()
