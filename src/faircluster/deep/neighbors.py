"""Nearest neighbors of samples: how far a perturbation may go, and how well a start fits what lies close."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import mutual_info_score

__all__ = ["nearest_neighbors", "neighbor_information", "neighbor_radius"]

Batches = Callable[[NDArray[np.intp]], torch.Tensor]
NEIGHBORS = 10  # as IMSAT takes them
_RADIUS_REFERENCE = 5_000  # samples among which the 10th neighbor is looked for
_ASKED = 12_000  # samples whose neighbors are looked for
_NUMBERS = 2**26  # that the samples among which they are looked for may hold: 256 MiB
_DISTANCES = 2**25  # at a time: 128 MiB
_BLOCK = 1_000  # rows at a time, at most


def neighbor_radius(batches: Batches, n: int, seed: int) -> torch.Tensor:
    """Distance of each sample to its 10th nearest neighbor, not counting itself.

    Parameters
    ----------
    batches : callable
        Row numbers to a tensor of samples.
    n : int
        Number of samples.
    seed : int
        Of the part of the data in which neighbors are looked for.

    Returns
    -------
    tensor of shape (n,)

    Notes
    -----
    Up to 5,000 samples exactly. Beyond, neighbors are looked for among 5,000 samples; among s of n the
    10th neighbor of the whole is about the ``10 s / n``-th, and at least the first. O(n s d).

    Examples
    --------
    >>> import numpy as np, torch
    >>> line = torch.arange(30.0)[:, None]
    >>> neighbor_radius(lambda index: line[torch.from_numpy(index)], 30, seed=0)[0]
    tensor(10.)
    """
    size = min(n, _RADIUS_REFERENCE)
    reference = _drawn(n, size, seed)
    rank = min(max(round(NEIGHBORS * size / n), 1), max(size - 1, 1))
    found = []
    for distance in _distances(batches, np.arange(n), reference):
        nearest = distance.topk(min(rank, size), largest=False).values[:, -1]
        found.append(torch.where(torch.isfinite(nearest), nearest, torch.zeros_like(nearest)))
    return torch.cat(found)


def nearest_neighbors(
    batches: Batches, n: int, d: int, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the ten nearest others of up to 12,000 samples.

    Parameters
    ----------
    batches : callable
        Row numbers to a tensor of samples.
    n, d : int
        Number of samples and of numbers in each.
    seed : int
        Of the samples that are drawn.

    Returns
    -------
    rows : ndarray of shape (m,)
        Row numbers of the samples asked for.
    neighbors : ndarray of shape (m, min(10, n - 1))
        Row numbers of their nearest others, among as many samples as fit into 256 MiB.

    Notes
    -----
    O(m s d) for s samples to look among: half a minute of one core for images of 28 x 28.

    Examples
    --------
    >>> import numpy as np, torch
    >>> line = torch.arange(30.0)[:, None]
    >>> rows, found = nearest_neighbors(lambda index: line[torch.from_numpy(index)], 30, 1, seed=0)
    >>> sorted(found[rows == 0][0].tolist())
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    """
    reference = _drawn(n, min(n, max(_NUMBERS // d, NEIGHBORS + 1)), seed)
    rows = reference if len(reference) <= _ASKED else reference[_drawn(len(reference), _ASKED, seed)]
    count = min(NEIGHBORS, len(reference) - 1)
    found = [
        reference[distance.topk(count, largest=False).indices.cpu().numpy()]
        for distance in _distances(batches, rows, reference)
    ]
    return rows, np.concatenate(found)


def neighbor_information(
    labels: NDArray[np.integer], rows: NDArray[np.intp], neighbors: NDArray[np.intp]
) -> float:
    """How much the cluster of a sample says about those of its nearest neighbors, in nats.

    Parameters
    ----------
    labels : ndarray of shape (n,)
    rows, neighbors : ndarrays of shapes (m,) and (m, t)
        Of :func:`nearest_neighbors`.

    Returns
    -------
    float
        Mutual information, from 0 to log k. Merging two clusters never raises it, and it is high where
        clusters are many, of similar size, and divided where samples are sparse.

    Notes
    -----
    O(m t). Ji et al. (2019) train networks with the information between paired samples; here it judges them.

    Examples
    --------
    >>> import numpy as np
    >>> rows, neighbors = np.arange(4), np.array([[1], [0], [3], [2]])
    >>> float(round(neighbor_information(np.array([0, 0, 1, 1]), rows, neighbors), 3))
    0.693
    >>> neighbor_information(np.array([0, 0, 0, 0]), rows, neighbors)
    0.0
    """
    own = np.repeat(labels[rows], neighbors.shape[1])
    return float(mutual_info_score(own, labels[neighbors].ravel()))


def _drawn(n: int, size: int, seed: int) -> NDArray[np.intp]:
    return np.sort(np.random.default_rng(seed).permutation(n)[:size])


def _distances(
    batches: Batches, rows: NDArray[np.intp], reference: NDArray[np.intp]
) -> Iterator[torch.Tensor]:
    """Distances of rows to reference samples, a block of rows at a time; infinite to themselves."""
    samples = batches(reference).reshape(len(reference), -1)
    block = min(_BLOCK, max(_DISTANCES // len(reference), 1))
    for start in range(0, len(rows), block):
        index = rows[start : start + block]
        distance = torch.cdist(batches(index).reshape(len(index), -1), samples)
        own = torch.from_numpy(index[:, None] == reference[None, :]).to(distance.device)
        distance[own] = math.inf
        yield distance
