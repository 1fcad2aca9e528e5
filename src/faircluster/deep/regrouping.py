"""Parts of clusters that, by their nearest neighbors, belong to another cluster.

A network may put a style of one class (sevens with a bar) into the cluster of another class (twos): its own
objective does not mind. The nearest neighbors of such samples do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from sklearn.cluster import KMeans

__all__ = ["regroup"]

Array = NDArray[Any]
_NEAREST = 3  # neighbors: of ten too many are of another class
_PARTS = (8, 10, 12)  # into which a cluster is divided
_DIVISIONS = 15  # so many times in all
_MAJORITY = 1 / 2  # of the divisions have to move a sample to the same cluster
_SMALLEST = 1e-12  # nats of a move: less is rounding
_LEAST_GAIN = 1e-3  # nats that moves must bring: less is the noise of so many samples


def regroup(
    embedded: Array,
    labels: NDArray[np.integer],
    rows: NDArray[np.intp],
    neighbors: NDArray[np.intp],
    n_clusters: int,
    seed: int,
) -> tuple[NDArray[np.int32], float]:
    """Give parts of clusters to other clusters while that makes nearest neighbors more informative.

    Parameters
    ----------
    embedded : ndarray of shape (n, e)
        Embedding, in which clusters are divided.
    labels : ndarray of shape (n,)
    rows, neighbors : ndarrays of shapes (m,) and (m, t)
        Samples and their nearest others, the nearest first, as positions among the n. Three are looked at.
    n_clusters : int
    seed : int
        Of the divisions.

    Returns
    -------
    labels : ndarray of shape (n,), int32
        The same where nothing helps.
    gain : float
        Nats by which the mutual information between the clusters of a sample and of a neighbor rose.

    Notes
    -----
    Each cluster is divided by k-means of its embedded samples. One at a time the part is moved whose move
    raises the information most, to the cluster where most of its neighbors outside its own are, until none
    raises it. A single division may miss such a part, or cut off what neighbors mistake (sevens like nines),
    so 15 of them are made, and a sample moves where more than half agree. O(n e p + m) for p parts a
    cluster and, for each move, O(p k^2). A heuristic: the information does not fall; no more is promised.

    Examples
    --------
    Samples in three places; the third has been put with the first, though its neighbors are in the second.

    >>> embedded = np.repeat([[0.0], [1.0], [5.0]], 50, axis=0)
    >>> labels = np.repeat([0, 1, 0], 50)
    >>> rows = np.arange(150)
    >>> neighbors = np.r_[np.arange(1, 51) % 50, np.arange(100, 150), np.arange(50, 100)][:, None]
    >>> found, gain = regroup(embedded, labels, rows, neighbors, n_clusters=2, seed=0)
    >>> found[[0, 50, 100]], round(gain, 2)
    (array([0, 1, 1], dtype=int32), 0.46)
    """
    given: NDArray[np.int32] = np.asarray(labels, dtype=np.int32)
    neighbors = neighbors[:, :_NEAREST]
    votes = np.zeros((len(labels), n_clusters), dtype=np.int32)
    for number in range(_DIVISIONS):
        parts = _PARTS[number % len(_PARTS)]
        part, owner = _divided(embedded, given, rows, n_clusters, parts, seed + number)
        moved = _moved(_flows(part, rows, neighbors, len(owner)), owner, n_clusters)
        votes[np.arange(len(labels)), moved[part]] += 1
    agreed = np.where(votes.max(axis=1) > _MAJORITY * _DIVISIONS, votes.argmax(axis=1), given)
    before, after = (_information(_flows(found, rows, neighbors, n_clusters)) for found in (given, agreed))
    if after < before + _LEAST_GAIN:
        return given, 0.0
    return agreed.astype(np.int32), after - before


def _divided(
    embedded: Array, labels: NDArray[np.int32], rows: NDArray[np.intp], n_clusters: int, parts: int, seed: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Part of every sample, and the cluster of every part."""
    asked = np.zeros(len(labels), dtype=bool)
    asked[rows] = True
    part = np.empty(len(labels), dtype=np.int32)
    owner: list[int] = []
    for cluster in range(n_clusters):
        own = np.flatnonzero(labels == cluster)
        known = embedded[own[asked[own]]]
        count = min(parts, len(np.unique(known, axis=0)))
        within = np.zeros(len(own), dtype=np.int32)
        if count > 1:
            within = KMeans(count, n_init=1, random_state=seed % 2**32).fit(known).predict(embedded[own])
        part[own] = len(owner) + within
        owner += [cluster] * max(count, 1)
    return part, np.array(owner, dtype=np.int32)


def _flows(labels: NDArray[np.int32], rows: Array, neighbors: Array, count: int) -> NDArray[np.float64]:
    """Shares of pairs of a sample and a neighbor by their labels, the same in both directions."""
    pairs = np.repeat(labels[rows].astype(np.intp), neighbors.shape[1]) * count + labels[neighbors].ravel()
    flows = np.bincount(pairs, minlength=count * count).reshape(count, count) / neighbors.size
    return 0.5 * (flows + flows.T)


def _moved(flows: NDArray[np.float64], owner: NDArray[np.int32], n_clusters: int) -> NDArray[np.int32]:
    """Move parts, the best move first, until none helps: each part's cluster."""
    owner = owner.copy()
    every = np.arange(len(owner))
    known = np.eye(n_clusters)[owner]
    toward = flows @ known  # from parts to clusters
    while True:
        outside = np.where(known > 0, -1.0, toward)
        target = outside.argmax(axis=1)
        gains = _gains(known.T @ toward, toward, flows.diagonal(), owner, target)
        gains[outside[every, target] <= 0] = 0.0
        best = int(np.argmax(gains))
        if gains[best] <= _SMALLEST:
            return owner
        toward[:, owner[best]] -= flows[:, best]
        toward[:, target[best]] += flows[:, best]
        known[best, owner[best]], known[best, target[best]] = 0.0, 1.0
        owner[best] = target[best]


def _gains(table: Array, toward: Array, inside: Array, source: Array, target: Array) -> NDArray[np.float64]:
    """Information that each part's move from one cluster to another would bring.

    With table T between clusters, flows r of the part to them and d within it, a move from a to c makes
    ``T + e r' + r e' + d e e'`` of it, where e is -1 at a, 1 at c and else 0.
    """
    every = np.arange(len(source))
    at_source, at_target = table[source] - toward, table[target] + toward
    at_source[every, source] += inside - toward[every, source]
    at_target[every, target] += inside + toward[every, target]
    between = table[source, target] + toward[every, source] - toward[every, target] - inside
    at_source[every, target] = at_target[every, source] = between
    total, shares = toward.sum(axis=1), table.sum(axis=1)
    after = _of_two_rows(at_source, at_target, source, target)
    before = _of_two_rows(table[source], table[target], source, target)
    after -= 2.0 * (_x_log_x(shares[source] - total) + _x_log_x(shares[target] + total))
    before -= 2.0 * (_x_log_x(shares[source]) + _x_log_x(shares[target]))
    return after - before


def _of_two_rows(first: Array, second: Array, a: Array, c: Array) -> NDArray[np.float64]:
    """Sum of x log x over rows and columns a and c of symmetric tables, by their rows."""
    every = np.arange(len(a))
    twice = 2.0 * (_x_log_x(first).sum(axis=1) + _x_log_x(second).sum(axis=1))
    corners = _x_log_x(first[every, a]) + _x_log_x(second[every, c]) + 2.0 * _x_log_x(first[every, c])
    found: NDArray[np.float64] = twice - corners
    return found


def _x_log_x(x: Array) -> NDArray[np.float64]:
    positive = np.maximum(x, 0.0)  # differences may fall short of 0 by rounding
    found: NDArray[np.float64] = xlogy(positive, positive)
    return found


def _information(table: NDArray[np.float64]) -> float:
    """Mutual information of a symmetric table of shares, in nats."""
    return float(_x_log_x(table).sum() - 2.0 * _x_log_x(table.sum(axis=0)).sum())
