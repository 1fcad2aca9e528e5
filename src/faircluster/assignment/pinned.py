"""The least cost where sizes and bounds pin each quota to a whole number or the next one: a flow problem.

A point flows to the node of its signature and cluster, and from there to the cluster, whose size is given.
What flows from the one node to the other is a quota, between two whole limits. As all limits are whole, so
is a cheapest flow, and its prices prove that no assignment of whole points costs less: no rounding, no gap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.augment import augment_coupled
from faircluster.assignment.newton_system import SharedRows
from faircluster.assignment.repair import REACH, margin_threshold
from faircluster.assignment.sized_quotas import limits_at
from faircluster.assignment.transport import Transport, assign_by_price, transport
from faircluster.bounds import BoundRows
from faircluster.distances import CostSource
from faircluster.groups import Groups

__all__ = ["Pinned", "assign_at_sizes", "assign_pinned", "pinned_limits"]

Array = NDArray[Any]
# exact bounds end 1 / n below a whole number: rounding has to be told from that
_NOISE = 8 * float(np.finfo(np.float64).eps)
_PATHS = 1_000  # between looks at the clock


@dataclass(frozen=True)
class Pinned:
    """An optimal assignment and its proof.

    Attributes
    ----------
    moved : Transport
    quotas : ndarray of shape (S, k)
    lower_bound : float
        Dual value: no assignment of whole points costs less.
    """

    moved: Transport
    quotas: NDArray[np.float64]
    lower_bound: float


def assign_at_sizes(
    source: CostSource,
    groups: Groups,
    rows: BoundRows,
    sizes: Array,
    prices: Array | None = None,
    out_of_time: Callable[[], bool] = lambda: False,
) -> Pinned | None:
    """Assign points at least cost within bounds that pin the quotas down at these sizes.

    Parameters
    ----------
    source : CostSource of shape (n, k)
    groups : Groups
    rows : BoundRows
    sizes : ndarray of shape (k,)
        Whole, with sum n.
    prices : ndarray of shape (S, k), default=None
        Of a similar problem, to start from.
    out_of_time : callable, default=never
        Whether to give up.

    Returns
    -------
    Pinned or None
        None with weights, where bounds leave more room or none, or when time is up.

    Examples
    --------
    >>> from faircluster.bounds import FairnessBounds
    >>> from faircluster.distances import DenseCosts
    >>> cost = DenseCosts(np.array([[0.0, 5.0], [0.0, 1.0], [0.0, 3.0], [0.0, 2.0]]))
    >>> groups = Groups.from_features(list("aabb"))
    >>> found = assign_at_sizes(cost, groups, FairnessBounds.exact().rows(groups, 2), np.array([2.0, 2.0]))
    >>> found.moved.labels.tolist(), found.lower_bound
    ([0, 1, 0, 1], 3.0)
    """
    if groups.weights is not None:
        return None
    limits = pinned_limits(rows, groups.signature_counts, sizes)
    if limits is None:
        return None
    found = assign_pinned(source, groups.signature, *limits, sizes, prices, out_of_time)
    return None if found is None or rows.violation(found.quotas) > 0 else found


def pinned_limits(rows: BoundRows, counts: Array, sizes: Array) -> tuple[Array, Array] | None:
    """Least and most of each quota at given sizes, if that leaves no more than two whole numbers each.

    Parameters
    ----------
    rows : BoundRows
    counts : ndarray of shape (S,)
        Points of each signature.
    sizes : ndarray of shape (k,)
        Whole, with the sum of the counts.

    Returns
    -------
    low, high : ndarrays of shape (S, k)
        Or None: a bound is on several signatures at once, a quota has more room, or there are no such quotas.

    Examples
    --------
    >>> from faircluster.bounds import FairnessBounds
    >>> from faircluster.groups import Groups
    >>> groups = Groups.from_features(list("aaabb"))
    >>> rows = FairnessBounds.exact().rows(groups, 2)
    >>> low, high = pinned_limits(rows, groups.signature_counts, np.array([2.0, 3.0]))
    >>> low.tolist(), high.tolist()  # a: 1.2 and 1.8, b: 0.8 and 1.2
    ([[1.0, 1.0], [0.0, 1.0]], [[2.0, 2.0], [1.0, 2.0]])
    """
    structure = SharedRows.of(rows.coef, fewest=2)
    if structure is None:
        return None
    low, high, kept = (part[0] for part in limits_at(structure, rows.rhs, counts, sizes[None, :], _NOISE))
    # what the other signatures leave of the size
    low, high = (
        np.maximum(low, sizes - (high.sum(axis=0) - high)),
        np.minimum(high, sizes - (low.sum(axis=0) - low)),
    )
    if not kept.all() or (low > high).any() or (high - low > 1.0).any():
        return None
    if (low.sum(axis=1) > counts).any() or (high.sum(axis=1) < counts).any():
        return None
    return low, high


def assign_pinned(
    source: CostSource,
    signature: NDArray[np.int32],
    low: Array,
    high: Array,
    sizes: Array,
    prices: Array | None = None,
    out_of_time: Callable[[], bool] = lambda: False,
) -> Pinned | None:
    """Assign points at least cost with every quota between its limits and every cluster of its size.

    Parameters
    ----------
    source : CostSource of shape (n, k)
    signature : ndarray of shape (n,), int32
    low, high : ndarrays of shape (S, k)
        Whole, at most 1 apart.
    sizes : ndarray of shape (k,)
    prices : ndarray of shape (S, k), default=None
        Of a similar problem, to start from.
    out_of_time : callable, default=never
        Whether to give up.

    Returns
    -------
    Pinned or None
        None when no whole quotas keep limits and sizes, or time is up.

    Notes
    -----
    Exact. A transport to quotas that meet the limits but not the sizes, then at most 2 S k shortest paths in
    a graph of S k + k nodes and S k^2 edges (successive shortest paths after Ahuja, Magnanti & Orlin,
    "Network Flows" (1993), chapter 9).

    Examples
    --------
    >>> from faircluster.distances import DenseCosts
    >>> cost = DenseCosts(np.array([[0.0, 5.0], [0.0, 1.0], [0.0, 3.0], [0.0, 2.0]]))
    >>> low, high = np.zeros((2, 2)), np.full((2, 2), 2.0)
    >>> found = assign_pinned(cost, np.array([0, 0, 1, 1], dtype=np.int32), low, high, np.array([2.0, 2.0]))
    >>> found.moved.labels.tolist(), found.lower_bound
    ([0, 1, 0, 1], 3.0)
    """
    counts = np.bincount(signature, minlength=len(low)).astype(np.float64)
    quotas = _raised_by_price(low, high, counts, np.zeros(low.shape) if prices is None else prices)
    moved = transport(source, signature, quotas, prices)
    own = moved.prices - moved.prices.mean(axis=1, keepdims=True)
    shared = np.median(own, axis=0)
    # a price above the cluster's keeps the quota down, so it is as high as it may be
    flow = np.where(own > shared, high, np.where(own < shared, low, quotas))
    labels = moved.labels
    excess = np.concatenate([(quotas - flow).ravel(), flow.sum(axis=0) - sizes])
    potential = np.zeros(len(excess))
    margin = assign_by_price(source, signature, own)[1]
    count = REACH * (float(np.maximum(excess, 0.0).sum()) + 32.0)
    while excess.any():
        threshold = margin_threshold(margin, count)
        near = np.flatnonzero(margin <= threshold)
        value = source.take(near).astype(np.float64) + own[signature[near]]
        held, tie = labels[near].astype(np.int64), shared - own
        while augment_coupled(
            value, signature[near], held, tie, low, high, flow, excess, potential, threshold, _PATHS
        ):
            if out_of_time():
                return None
        labels[near] = held
        if threshold == np.inf:
            break
        count *= 4.0
    if excess.any():
        return None
    S, k = low.shape
    own, shared = own - potential[: S * k].reshape(S, k), shared - potential[S * k :]
    return _proven(source, signature, labels, own, shared, low, high, sizes, flow)


def _raised_by_price(low: Array, high: Array, counts: Array, prices: Array) -> NDArray[np.float64]:
    """Quotas between the limits with the right sum in each row, the cheapest ones high."""
    missing = counts - low.sum(axis=1)
    room = high - low
    order = np.argsort(prices, axis=1, kind="stable")
    ordered = np.take_along_axis(room, order, axis=1)
    before = np.cumsum(ordered, axis=1) - ordered
    raised = np.clip(missing[:, None] - before, 0.0, ordered)
    quotas = low.astype(np.float64)
    np.put_along_axis(quotas, order, np.take_along_axis(quotas, order, axis=1) + raised, axis=1)
    return quotas


def _proven(
    source: CostSource,
    signature: NDArray[np.int32],
    labels: NDArray[np.int32],
    own: Array,
    shared: Array,
    low: Array,
    high: Array,
    sizes: Array,
    flow: Array,
) -> Pinned:
    """Costs of the labels, and the dual value of the prices, from one pass."""
    S = len(low)
    cheapest, _, cost = assign_by_price(source, signature, own)
    least = float((cost + own[signature, cheapest]).sum())
    above, below = np.maximum(own - shared, 0.0), np.maximum(shared - own, 0.0)
    bound = least - float((above * high).sum() - (below * low).sum() + (shared * sizes).sum())
    differs = np.flatnonzero(cheapest != labels)  # ties
    cost[differs] = source.take(differs)[np.arange(len(differs)), labels[differs]]
    values = np.bincount(signature, cost, S).astype(np.float64)
    none = np.empty(0, dtype=np.intp)
    moved = Transport(labels, own, values, cost, none, none.astype(np.int32), none.astype(np.float64))
    return Pinned(moved, flow, bound)
