"""The transport kernel: the cheapest assignment with given quotas, exact.

Within one signature the points are supplies and the clusters demands of a transportation problem
with far more points than clusters. The kernel keeps a price for every cluster, gives each point
to its cheapest cluster, and repairs the loads by shortest augmenting paths in the graph of the k
clusters, where edge (a, b) is the cheapest move of a point from a to b.

Two things make it fast. Cold starts take their prices from a sample, solved the same way, so few
points have to move. And only points whose margin (how much worse the second choice is) lies below
a threshold enter the path search; the search stops where a point outside could matter, and goes
on with a higher threshold. Neither changes the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faircluster.assignment.augment import augment
from faircluster.distances import CostSource, map_blocks

__all__ = ["Transport", "assign_by_price", "loads_of", "round_rows", "transport"]

Array = NDArray[Any]
_SAMPLE_FACTOR = 8  # a cold start solves a sample this many times smaller first
_SMALL = 2_048  # rows a signature may have before sampling pays
_REACH = 4.0  # points looked at, at first, for every point that has to move


@dataclass(frozen=True)
class Transport:
    """An optimal transport of points to quotas.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
        Cluster of each point; of a split point, the cluster that gets most of its weight.
    prices : ndarray of shape (S, k)
        Dual prices: every point is in a cluster minimising ``cost + price`` (of its signature).
    values : ndarray of shape (S,)
        Transport cost by signature.
    costs : ndarray of shape (n,)
        Cost of each point at its label, without weight.
    split_rows, split_clusters, split_weights : ndarrays of equal length
        Where the weight of split points goes (empty without weights).
    """

    labels: NDArray[np.int32]
    prices: NDArray[np.float64]
    values: NDArray[np.float64]
    costs: NDArray[np.float64]
    split_rows: NDArray[np.intp]
    split_clusters: NDArray[np.int32]
    split_weights: NDArray[np.float64]


def transport(
    source: CostSource,
    signature: NDArray[np.int32],
    quotas: NDArray[np.float64],
    prices: NDArray[np.float64] | None = None,
    weights: NDArray[np.float64] | None = None,
) -> Transport:
    """Assign points to clusters at least cost such that every quota is met exactly.

    Parameters
    ----------
    source : CostSource of shape (n, k)
        Finite costs.
    signature : ndarray of shape (n,), int32
        Signature of each point, 0 to S-1.
    quotas : ndarray of shape (S, k)
        Weight of each signature that each cluster must receive; rows sum to the signatures'
        total weights.
    prices : ndarray of shape (S, k), default=None
        Starting prices, for example those of a similar problem. Any prices lead to an optimum;
        good ones lead there sooner.
    weights : ndarray of shape (n,), default=None
        Non-negative weights, 1 each by default. A weight counts as that many copies of the
        point, which may go to different clusters; at most k - 1 points a signature are split.

    Returns
    -------
    Transport

    Notes
    -----
    One pass over the costs, O(n k), for every round (two or three rounds as a rule), plus
    O(moves * (k^2 + k log n)). Exact up to rounding of float64 sums. Successive shortest paths
    after Ahuja, Magnanti & Orlin, "Network Flows" (1993), chapter 9, on a graph contracted to
    the clusters as in Tokuyama & Nakano (1995).

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.distances import DenseCosts
    >>> cost = DenseCosts(np.array([[0.0, 5.0], [0.0, 1.0], [0.0, 3.0]]))
    >>> transport(cost, np.zeros(3, dtype=np.int32), np.array([[2.0, 1.0]])).labels
    array([0, 1, 0], dtype=int32)
    """
    if prices is None:
        prices = _sampled_prices(source, signature, quotas, weights)
    prices = np.array(prices, dtype=np.float64)
    labels, margin, own_cost = assign_by_price(source, signature, prices)
    loads = loads_of(labels, signature, weights, quotas.shape)
    return _Repair(source, signature, weights, quotas, labels, margin, prices, loads, own_cost).run()


def _sampled_prices(
    source: CostSource, signature: NDArray[np.int32], quotas: Array, weights: Array | None
) -> NDArray[np.float64]:
    """Prices of the same problem on a sample of every large signature."""
    rows = _stride_sample(signature, quotas.shape[0])
    if rows is None:
        return np.zeros(quotas.shape)
    sample_signature = signature[rows]
    sample_weights = None if weights is None else weights[rows]
    total = np.bincount(sample_signature, weights=sample_weights, minlength=quotas.shape[0])
    full = quotas.sum(axis=1)
    wanted = quotas * np.divide(total, full, out=np.zeros_like(full), where=full > 0)[:, None]
    if weights is None:
        wanted = round_rows(wanted)
    sample = _Rows(source, rows)
    return transport(sample, sample_signature, wanted, None, sample_weights).prices


def _stride_sample(signature: NDArray[np.int32], n_signatures: int) -> NDArray[np.intp] | None:
    """Every eighth row of large signatures, all rows of small ones; None when all are small."""
    counts = np.bincount(signature, minlength=n_signatures)
    if counts.max() <= _SMALL * 2:
        return None
    if n_signatures == 1:
        return np.arange(_SAMPLE_FACTOR // 2, len(signature), _SAMPLE_FACTOR)
    order = np.argsort(signature, kind="stable")
    ends = np.cumsum(counts)
    pieces = [
        order[end - count : end : _SAMPLE_FACTOR if count > _SMALL else 1]
        for end, count in zip(ends, counts, strict=True)
    ]
    return np.concatenate(pieces)


def round_rows(quotas: Array) -> Array:
    """Whole quotas with the same row sums (largest remainders)."""
    whole = np.floor(quotas)
    missing = np.rint(quotas.sum(axis=1) - whole.sum(axis=1)).astype(int)
    order = np.argsort(whole - quotas, axis=1, kind="stable")
    for s, count in enumerate(missing):
        whole[s, order[s, :count]] += 1
    return whole


class _Rows:
    """Some rows of a cost source, as a cost source."""

    def __init__(self, source: CostSource, rows: NDArray[np.intp]) -> None:
        self._source, self._rows = source, rows
        self.shape = (len(rows), source.shape[1])

    def block(self, start: int, stop: int) -> Array:
        return self._source.take(self._rows[start:stop])

    def take(self, rows: NDArray[np.intp]) -> Array:
        return self._source.take(self._rows[rows])


def assign_by_price(
    source: CostSource, signature: NDArray[np.int32], prices: Array
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Cheapest cluster of every point at given prices.

    Parameters
    ----------
    source : CostSource of shape (n, k)
    signature : ndarray of shape (n,), int32
    prices : ndarray of shape (S, k)

    Returns
    -------
    labels : ndarray of shape (n,), int32
    margin : ndarray of shape (n,)
        How much more the second choice costs, prices included.
    cost : ndarray of shape (n,)
        Cost of the labels, without prices.

    Notes
    -----
    One pass, O(n k).

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.distances import DenseCosts
    >>> source = DenseCosts(np.array([[1.0, 2.0]]))
    >>> assign_by_price(source, np.zeros(1, dtype=np.int32), np.array([[3.0, 0.0]]))[0]
    array([1], dtype=int32)
    """
    n = source.shape[0]
    labels, margin, cost = np.empty(n, dtype=np.int32), np.empty(n), np.empty(n)

    def work(start: int, stop: int) -> None:
        part = slice(start, stop)
        _assign_block(
            source.block(start, stop), signature[part], prices, labels[part], margin[part], cost[part]
        )

    map_blocks(n, work)
    return labels, margin, cost


@njit(nogil=True, cache=True)
def _assign_block(cost, signature, prices, labels, margin, own_cost):  # type: ignore[no-untyped-def]
    n, k = cost.shape
    for i in range(n):
        s = signature[i]
        first = np.inf
        second = np.inf
        own = 0
        for j in range(k):
            value = np.float64(cost[i, j]) + prices[s, j]
            # selections, not branches: on real costs the branches are mispredicted half the time
            larger = value if value > first else first
            second = larger if larger < second else second
            own = j if value < first else own
            first = value if value < first else first
        labels[i] = own
        margin[i] = second - first
        own_cost[i] = cost[i, own]


def loads_of(
    labels: Array, signature: Array, weights: Array | None, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Weight of each signature in each cluster, shape (S, k).

    Examples
    --------
    >>> import numpy as np
    >>> loads_of(np.array([0, 1, 1], dtype=np.int32), np.zeros(3, dtype=np.int32), None, (1, 2))
    array([[1., 2.]])
    """
    S, k = shape
    flat = labels if S == 1 else signature * np.int32(k) + labels
    return np.bincount(flat, weights=weights, minlength=S * k).reshape(S, k).astype(np.float64)


class _Repair:
    """Moves points between clusters until the loads are the quotas, keeping prices optimal."""

    def __init__(
        self,
        source: CostSource,
        signature: NDArray[np.int32],
        weights: Array | None,
        quotas: Array,
        labels: NDArray[np.int32],
        margin: Array,
        prices: Array,
        loads: Array,
        own_cost: Array,
    ) -> None:
        self.source, self.signature, self.weights, self.quotas = source, signature, weights, quotas
        self.labels, self.margin, self.prices, self.loads = labels, margin, prices, loads
        self.own_cost = own_cost
        # pieces of split points, by row: [(cluster, weight), ...] of the whole point
        self.pieces: dict[int, list[tuple[int, float]]] = {}
        self.slack = 0.0 if weights is None else 1e-9 * float(weights.sum())

    def run(self) -> Transport:
        for s, rows in self._unsettled():
            self._settle(s, rows)
        return self._result()

    def _unsettled(self) -> list[tuple[int, Array | None]]:
        """Signatures whose loads are off, with their rows (None: all rows)."""
        off = np.flatnonzero(np.abs(self.loads - self.quotas).max(axis=1) > self._tolerance)
        if self.quotas.shape[0] == 1 or len(off) == 0:
            return [(int(s), None) for s in off]
        wanted = np.zeros(self.quotas.shape[0], dtype=bool)
        wanted[off] = True
        members = np.flatnonzero(wanted[self.signature])
        members = members[np.argsort(self.signature[members], kind="stable")]
        borders = np.searchsorted(self.signature[members], np.arange(self.quotas.shape[0] + 1))
        return [(int(s), members[borders[s] : borders[s + 1]]) for s in off]

    @property
    def _tolerance(self) -> float:
        # a sum of k clusters within the slack leaves no more than k times the slack
        return self.slack * (self.quotas.shape[1] + 1)

    def _settle(self, s: int, rows: Array | None) -> None:
        """Shortest augmenting paths for signature ``s``, among ever more points until all fits.

        Margins and thresholds refer to the prices at the start throughout: a point whose margin
        lies above the distance travelled so far cannot be on a shortest path, so no second pass
        over the costs is needed.
        """
        margin = self.margin if rows is None else self.margin[rows]
        excess = self.loads[s] - self.quotas[s]
        unit = 1.0 if self.weights is None else max(float(self.loads[s].sum()) / len(margin), 1e-300)
        potential = np.zeros(len(excess))
        count = _REACH * (float(np.maximum(excess, 0.0).sum()) / unit + 32.0)
        while np.abs(excess).max() > self._tolerance:
            threshold = _threshold(margin, count)
            near = np.flatnonzero(margin <= threshold)
            near = near if rows is None else rows[near]
            cost = self.source.take(near).astype(np.float64)
            row, cluster, weight = augment(
                cost + self.prices[s], *self._pieces_of(near), excess, potential, threshold, self.slack
            )
            self._store(near, row, cluster, weight)
            self.own_cost[near] = cost[np.arange(len(near)), self.labels[near]]
            count *= 4.0
        self.loads[s] = self.quotas[s] + excess
        self.prices[s] -= potential

    def _pieces_of(self, rows: Array) -> tuple[Array, Array, Array]:
        weights = np.ones(len(rows)) if self.weights is None else self.weights[rows]
        if not self.pieces:
            return np.arange(len(rows)), self.labels[rows].astype(np.int64), weights.copy()
        position, cluster, weight = [], [], []
        for p, i in enumerate(rows.tolist()):
            for c, w in self.pieces.get(i, [(int(self.labels[i]), float(weights[p]))]):
                position.append(p)
                cluster.append(c)
                weight.append(w)
        return np.array(position), np.array(cluster, dtype=np.int64), np.array(weight)

    def _store(self, rows: Array, row: Array, cluster: Array, weight: Array) -> None:
        if self.weights is None:
            self.labels[rows[row]] = cluster
            return
        held = weight > self.slack * 1e-3
        row, cluster, weight = row[held], cluster[held], weight[held]
        k = self.quotas.shape[1]
        key, inverse = np.unique(row * k + cluster, return_inverse=True)
        weight = np.bincount(inverse, weights=weight)
        row, cluster = key // k, key % k
        times = np.bincount(row, minlength=len(rows))
        whole = times[row] == 1
        self.labels[rows[row[whole]]] = cluster[whole]
        for i in rows[row[whole]].tolist() if self.pieces else ():
            self.pieces.pop(i, None)
        for p in np.flatnonzero(times > 1).tolist():
            mine = np.flatnonzero(row == p)
            self.pieces[int(rows[p])] = [(int(cluster[q]), float(weight[q])) for q in mine]
            self.labels[rows[p]] = cluster[mine[np.argmax(weight[mine])]]

    def _result(self) -> Transport:
        rows = [i for i, held in self.pieces.items() for _ in held]
        clusters = [c for held in self.pieces.values() for c, _ in held]
        weights = [w for held in self.pieces.values() for _, w in held]
        return Transport(
            self.labels,
            self.prices,
            self._values(),
            self.own_cost,
            np.array(rows, dtype=np.intp),
            np.array(clusters, dtype=np.int32),
            np.array(weights, dtype=np.float64),
        )

    def _values(self) -> Array:
        """Cost by signature."""
        S = self.quotas.shape[0]
        own = self.own_cost if self.weights is None else self.own_cost * self.weights
        if S == 1:
            total = np.array([own.sum()])
        else:
            total = np.bincount(self.signature, weights=own, minlength=S)
        for i, held in self.pieces.items():
            costs = self.source.take(np.array([i]))[0]
            split = sum(w * float(costs[c]) for c, w in held)
            total[self.signature[i]] += split - float(own[i])
        return total


def _threshold(margin: Array, count: float) -> float:
    """A margin below which about ``count`` points lie (estimated on a sample); inf for all."""
    n = len(margin)
    if count >= n / 2:
        return np.inf
    step = max(1, n // 8_192)
    sample = margin[::step]
    position = min(int(np.ceil(count / step)) + 2, len(sample) - 1)
    return float(np.partition(sample, position)[position])
