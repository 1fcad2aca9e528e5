"""Transport instances from a seed. Needs NumPy only: the rivals' interpreter draws them too.

Sums run over one coordinate after the other, never through BLAS, so that every process gets the same bits;
the checksum of each instance is part of the row.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "checksum", "draw_costs", "draw_points", "draw_quotas"]

KINDS = ("uniform", "blobs", "softmax")
CHUNK = 1 << 16  # rows drawn at a time, so that drawing does not set the memory peak
FEATURES = 10

Array = NDArray[Any]


def draw_quotas(n: int, k: int, seed: int) -> Array:
    """Random whole quotas (k,) with sum n."""
    rng = np.random.default_rng([seed, n, k, 1])
    return rng.multinomial(n, rng.dirichlet(np.full(k, 4.0)))


def draw_costs(kind: str, n: int, k: int, seed: int, dtype: str = "float64") -> Array:
    """Costs (n, k).

    "uniform": independent. "blobs": squared distances of overlapping Gaussian blobs to centers after three
    Lloyd steps. "softmax": 1 - p for the probabilities p of a network that is often sure and mostly right.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    if kind == "blobs":
        return _squared_distances(*draw_points(n, k, seed, dtype))
    rng = np.random.default_rng([seed, n, k, 2])
    if kind == "uniform":
        return rng.random((n, k), dtype=np.dtype(dtype))
    cost = np.empty((n, k), dtype=dtype)
    for start in range(0, n, CHUNK):
        score = rng.normal(size=(min(CHUNK, n - start), k))
        score[np.arange(len(score)), rng.integers(k, size=len(score))] += 3.0
        score = np.exp(2.0 * (score - score.max(axis=1, keepdims=True)))
        cost[start : start + CHUNK] = 1.0 - score / score.sum(axis=1, keepdims=True)
    return cost


def draw_points(n: int, k: int, seed: int, dtype: str = "float64") -> tuple[Array, Array]:
    """Points (n, 10) of k overlapping Gaussian blobs, and k centers (k, 10)."""
    rng = np.random.default_rng([seed, n, k, 3])
    positions = rng.uniform(-10.0, 10.0, size=(k, FEATURES))
    X = np.empty((n, FEATURES), dtype=dtype)
    for start in range(0, n, CHUNK):
        stop = min(start + CHUNK, n)
        blob = rng.integers(k, size=stop - start)
        X[start:stop] = positions[blob] + 5.0 * rng.normal(size=(stop - start, FEATURES))
    sample = X[: 2 * CHUNK]
    centers = sample[rng.choice(len(sample), k, replace=False)].copy()
    for _ in range(3):
        nearest = _squared_distances(sample, centers).argmin(axis=1)
        for j in range(k):
            if (nearest == j).any():
                centers[j] = sample[nearest == j].mean(axis=0)
    return X, centers


def checksum(array: Array) -> str:
    """CRC-32 of the bytes, for telling whether two processes had the same instance."""
    return f"{zlib.crc32(np.ascontiguousarray(array)):08x}"


def _squared_distances(X: Array, centers: Array) -> Array:
    cost = np.zeros((len(X), len(centers)), dtype=X.dtype)
    for start in range(0, len(X), CHUNK):
        block, out = X[start : start + CHUNK], cost[start : start + CHUNK]
        for j, center in enumerate(centers):
            for t in range(X.shape[1]):
                out[:, j] += (block[:, t] - center[t]) ** 2
    return cost
