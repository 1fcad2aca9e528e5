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

from faircluster.assignment.repair import Repair
from faircluster.distances import CostSource, map_blocks

__all__ = ["Transport", "assign_by_price", "loads_of", "round_rows", "transport"]

Array = NDArray[Any]
_SAMPLE_FACTOR = 8  # a cold start solves a sample this many times smaller first
_SMALL = 2_048  # rows a signature may have before sampling pays


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
        point, which may go to different clusters; at most k - 1 points a signature are split,
        a few more where costs tie.

    Returns
    -------
    Transport

    Raises
    ------
    ValueError
        Quotas that are negative, not whole (without weights), or do not sum to the weights.

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
    repair = Repair(source, signature, weights, quotas, labels, margin, prices, loads, own_cost)
    repair.run()
    return Transport(labels, prices, repair.values(), own_cost, *repair.splits())


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
