"""The exact assignment of all points to quotas, with only the points next to a border at the driver.

At prices every point has a cheapest cluster, and a margin: how much worse the second choice is. Quotas are
met by moving points of small margin. Those below a threshold, one for each signature and cluster, are
collected and the engine settles them. As long as no cluster gets dearer than another by more than its
threshold, no other point could have moved: the assignment of all points is optimal for its quotas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.prices import Relaxation
from faircluster.assignment.transport import assign_by_price, loads_of, transport
from faircluster.dask.partitions import Part, PartitionedPoints
from faircluster.dask.relaxed import Costs, add, relax_all
from faircluster.distances import DenseCosts

__all__ = ["Plan", "PricePoint", "Share", "labels_by_plan", "price_point", "settle_all"]

Array = NDArray[Any]
_MARGINS = 65_536  # smallest margins that are looked at in all, and points collected at first
_FEWEST = 256  # of each signature and cluster
_PATIENCE = 4.0  # points collected, at first, for every point that has to move
_BORDERS = 16.0  # points of each signature and cluster on top: moves are chains across many borders
_IMPROVEMENTS = 4
_ROUNDS = 30


@dataclass(frozen=True, eq=False)
class Share:
    """What a partition does with its points next to a border.

    Attributes
    ----------
    keys : ndarray of shape (m, q)
        What tells points apart: their coordinates, or what their costs depend on.
    signature : ndarray of shape (m,), int32
    amounts : ndarray of shape (m, k), int32
        How many of the equal points go to each cluster.
    threshold : ndarray of shape (S, k)
        Margins of the points are not above it.
    """

    keys: Array
    signature: NDArray[np.int32]
    amounts: NDArray[np.int32]
    threshold: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plan:
    """An assignment of all points that each partition can carry out by itself.

    Attributes
    ----------
    costs : callable
        Points -> CostSource.
    prices : ndarray of shape (S, k)
        A point without a share of its own goes where ``cost + price`` is least.
    shares : dict of int to Share
        By partition.
    quotas : ndarray of shape (S, k)
        Points of each signature in each cluster.
    values : ndarray of shape (S,)
        Cost of the assignment by signature.
    collected : int
        Points that came to the driver, at most at once.
    """

    costs: Costs
    prices: NDArray[np.float64]
    quotas: NDArray[np.float64]
    values: NDArray[np.float64]
    shares: dict[int, Share] = field(default_factory=dict)
    collected: int = 0


@dataclass(frozen=True, eq=False)
class PricePoint:
    """What all points do at some prices.

    Attributes
    ----------
    loads : ndarray of shape (S, k)
    values : ndarray of shape (S,)
        Cost, prices aside.
    margins : list of S k ndarrays
        The smallest margins of each signature and cluster, different ones, increasing.
    """

    loads: Array
    values: Array
    margins: list[Array]


def price_point(points: PartitionedPoints, costs: Costs, prices: Array, cap: int = 1) -> PricePoint:
    """Find what all points do at some prices; one pass.

    Parameters
    ----------
    points : PartitionedPoints
    costs : callable
    prices : ndarray of shape (S, k)
    cap : int, default=1
        How many of the smallest margins to list.
    """
    work = partial(_price_point, costs=costs, prices=prices, cap=cap)
    found: PricePoint = points.reduce(work, partial(_join, cap=cap), "margins")
    return found


def settle_all(
    points: PartitionedPoints, costs: Costs, quotas: Array, prices: Array, temperature: float
) -> Plan:
    """Assign all points at least cost such that every quota is met.

    Parameters
    ----------
    points : PartitionedPoints
    costs : callable
        Points -> CostSource with finite costs.
    quotas : ndarray of shape (S, k)
        Whole; rows sum to the points of the signatures.
    prices : ndarray of shape (S, k)
        Prices to begin with; good ones save passes.
    temperature : float
        In the unit of the costs, to begin with where prices have to be improved first.

    Returns
    -------
    Plan
        Optimal for these quotas.

    Notes
    -----
    A pass for the margins, one to collect, seldom more. What is collected is some points for every point
    that is off its quota, and for every border, at first at most 65,536 different ones; if that is too few,
    prices are improved on all points until they are off by less. Where points that were not collected might
    have to move, four times as many are; prices stay, as those at which too few points met the quotas are
    wild. In the end all points would come, so it ends.
    """
    S, k = quotas.shape
    cap, most = max(_MARGINS // (S * k), _FEWEST), _MARGINS / S
    patience, collected, improved = _PATIENCE, 0, 0
    here: PricePoint | None = None
    for _ in range(_ROUNDS):
        if here is None:
            here = price_point(points, costs, prices, cap)
        over = np.maximum(here.loads - quotas, 0.0)
        if over.sum() == 0:
            return Plan(costs, prices, quotas, here.values, collected=collected)
        if (_PATIENCE * over.sum(axis=1) > 0.5 * most).any() and improved < _IMPROVEMENTS:
            prices = _improved(points, costs, quotas, prices, temperature * 0.2**improved, most / 64)
            improved, here = improved + 1, None
            continue
        threshold, exhausted = _thresholds(here, over, patience, cap)
        near = partial(_near, costs=costs, prices=prices, threshold=threshold)
        found = points.ask(near, "collect")
        came = sum(len(part.points) for part in found.values())
        collected = max(collected, came)
        plan, moved = _settled(points, costs, quotas, prices, here, found, threshold)
        if plan is not None:
            return replace(plan, collected=collected)
        patience *= 4.0
        if came > _MARGINS:  # so many that their prices say more than those before
            prices, here = moved, None
        elif exhausted:
            cap, here = 4 * cap, None
    raise RuntimeError(
        f"the assignment of {points.n_rows} points did not settle in {_ROUNDS} passes: the costs of too many "
        "different points tie"
    )  # pragma: no cover


def labels_by_plan(X: Array, signature: NDArray[np.int32], plan: Plan, share: Share | None) -> Array:
    """Labels of a partition's points.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    signature : ndarray of shape (n,), int32
    plan : Plan
        Its shares are not looked at.
    share : Share or None
        That of the partition.

    Returns
    -------
    ndarray of shape (n,), int32

    Raises
    ------
    RuntimeError
        The partition does not hold the points the plan was made for.

    Notes
    -----
    O(n k). Points of a share are known by their coordinates, so that the labels do not depend on the last
    digit of a margin, which may differ between processors.
    """
    if len(X) == 0:
        return np.zeros(0, dtype=np.int32)
    labels, margin, _ = assign_by_price(plan.costs(X), signature, plan.prices)
    if share is None:
        return labels
    near = np.flatnonzero(margin <= (share.threshold * (1 + 1e-9))[signature, labels])
    keys, _, inverse, _ = _distinct(_keys_of(plan.costs, X[near]), signature[near])
    mine = {key.tobytes(): i for i, key in enumerate(keys)}
    rows = near[np.argsort(inverse, kind="stable")]
    ends = np.cumsum(np.bincount(inverse, minlength=len(keys)))
    starts = ends - np.bincount(inverse, minlength=len(keys))
    for key, amounts in zip(_keys(share.keys, share.signature), share.amounts, strict=True):
        at = mine.get(key.tobytes())
        if at is None or ends[at] - starts[at] != amounts.sum():
            raise RuntimeError(
                "a partition changed after the assignment was made; fit again, on data that stay as they are"
            )
        labels[rows[starts[at] : ends[at]]] = np.repeat(np.arange(len(amounts)), amounts)
    return labels


def _keys_of(costs: Costs, X: Array) -> Array:
    """Say what tells points apart: costs may know that it is less than all coordinates."""
    keys = getattr(costs, "keys", None)
    return X if keys is None else np.ascontiguousarray(keys(X))


def _keys(X: Array, signature: NDArray[np.int32]) -> Array:
    """Signature and coordinates of each row as one value that can be compared."""
    raw = np.ascontiguousarray(X).view(np.uint8).reshape(len(X), -1)
    raw = np.hstack([np.ascontiguousarray(signature, dtype=np.int32).view(np.uint8).reshape(-1, 4), raw])
    return np.ascontiguousarray(raw).view(np.dtype((np.void, raw.shape[1]))).ravel()


def _distinct(X: Array, signature: NDArray[np.int32]) -> tuple[Array, Array, Array, Array]:
    """Different rows: their keys, first positions, where each row is among them, and counts."""
    if len(X) == 0:
        none = np.zeros(0, dtype=np.intp)
        return np.zeros(0, dtype="V4"), none, none, none
    return np.unique(_keys(X, signature), return_index=True, return_inverse=True, return_counts=True)


# ---- on the workers


def _price_point(part: Part, *, costs: Costs, prices: Array, cap: int) -> PricePoint:
    labels, margin, own = assign_by_price(costs(part.X), part.signature, prices)
    S, k = prices.shape
    values = np.bincount(part.signature, own, minlength=S)
    cell = part.signature * np.int64(k) + labels
    ends = np.cumsum(np.bincount(cell, minlength=S * k))[:-1]
    margins = [_smallest(each, cap) for each in np.split(margin[np.argsort(cell, kind="stable")], ends)]
    return PricePoint(loads_of(labels, part.signature, None, prices.shape), values, margins)


def _smallest(margin: Array, cap: int) -> Array:
    """Different margins among the smallest, increasing."""
    if len(margin) > 4 * cap:
        few = np.unique(np.partition(margin, 4 * cap)[: 4 * cap])
        if len(few) >= cap:
            return few[:cap]
    return np.unique(margin)[:cap]


def _join(parts: Sequence[PricePoint], *, cap: int) -> PricePoint:
    loads, values = add([(part.loads, part.values) for part in parts])
    return PricePoint(
        loads,
        values,
        [
            np.unique(np.concatenate(columns))[:cap]
            for columns in zip(*(p.margins for p in parts), strict=True)
        ],
    )


@dataclass(frozen=True, eq=False)
class _Near:
    points: Array
    keys: Array
    signature: NDArray[np.int32]
    count: NDArray[np.int64]
    loads: Array  # of these points, at the prices
    values: Array


def _near(part: Part, *, costs: Costs, prices: Array, threshold: Array) -> _Near:
    """Points whose margin is within the threshold of their signature and cluster, equal ones once."""
    labels, margin, own = assign_by_price(costs(part.X), part.signature, prices)
    rows = np.flatnonzero(margin <= threshold[part.signature, labels])
    loads = loads_of(labels[rows], part.signature[rows], None, prices.shape)
    values = np.bincount(part.signature[rows], own[rows], minlength=len(prices))
    keys = _keys_of(costs, part.X[rows])
    _, first, _, count = _distinct(keys, part.signature[rows])
    chosen = rows[first]
    return _Near(part.X[chosen], keys[first], part.signature[chosen], count, loads, values)


# ---- on the driver


def _thresholds(here: PricePoint, over: Array, patience: float, cap: int) -> tuple[Array, bool]:
    """Margins up to which points are collected, and whether more of them would be, if they were known.

    So many points of a signature as suffice if borders are alike, wherever they are; and of each cluster some
    for every one that must leave it, however far its border is.
    """
    S, k = over.shape
    threshold, exhausted = np.full((S, k), -1.0), False
    for s in np.flatnonzero(over.sum(axis=1)):
        lists = here.margins[s * k : (s + 1) * k]
        union = np.sort(np.concatenate(lists))
        common = np.ceil(patience * (over[s].sum() + _BORDERS * k))
        level = union[int(common) - 1] if common <= len(union) else np.inf
        for j, listed in enumerate(lists):
            wanted = max(np.searchsorted(listed, level, "right"), np.ceil(patience * over[s, j]), 1)
            short = wanted >= len(listed)
            threshold[s, j] = listed[int(wanted) - 1] if not short else np.inf
            if short and len(listed) >= cap:  # there are more, of which nothing is known
                threshold[s, j], exhausted = listed[-1], True
    return threshold, exhausted


def _improved(
    points: PartitionedPoints, costs: Costs, quotas: Array, prices: Array, temperature: float, excess: float
) -> Array:
    """Prices at which the loads are near the quotas, by the dual in which every quota is a limit."""
    S, k = quotas.shape
    coef = np.ascontiguousarray(np.broadcast_to(np.eye(S), (k, S, S)))
    # quotas are met if none is exceeded, so prices are multipliers; only their differences matter
    multipliers = np.ascontiguousarray((prices - prices.min(axis=1, keepdims=True)).T)
    begin = Relaxation(multipliers, prices, quotas, np.zeros(S), 0.0, 0.0, temperature)
    return relax_all(points, costs, coef, np.ascontiguousarray(quotas.T), begin, excess).prices


def _settled(
    points: PartitionedPoints,
    costs: Costs,
    quotas: Array,
    prices: Array,
    here: PricePoint,
    found: dict[int, _Near],
    threshold: Array,
) -> tuple[Plan | None, Array]:
    """Move the collected points; the plan if it is optimal for all points, and the new prices."""
    order = [i for i in points.order() if i in found]
    X = np.concatenate([found[i].points for i in order])
    signature = np.concatenate([found[i].signature for i in order])
    count = np.concatenate([found[i].count for i in order]).astype(np.float64)
    away = sum((found[i].loads for i in order), np.zeros(quotas.shape))
    left = quotas - (here.loads - away)
    used = threshold[:, 0] >= 0
    # those of signatures that are not looked at stay where they are
    left[~used] = 0.0
    if (left < 0).any():
        return None, prices  # too few points of a cluster that must give some away
    source = costs(X)
    matrix = DenseCosts(source.block(0, len(X)).astype(np.float64))
    moved = transport(matrix, signature, left, prices, count)
    change = moved.prices - prices
    dearer = change - change.min(axis=1, keepdims=True)
    if (dearer[used] > threshold[used]).any():
        return None, moved.prices
    values = here.values - sum((found[i].values for i in order), np.zeros(len(prices))) + moved.values
    amounts = _amounts(moved, count, quotas.shape[1])
    ends = np.cumsum([len(found[i].points) for i in order])
    shares = {
        i: Share(found[i].keys, found[i].signature, amounts[end - len(found[i].points) : end], threshold)
        for i, end in zip(order, ends.tolist(), strict=True)
        if len(found[i].points)
    }
    return Plan(costs, prices, quotas, values, shares), moved.prices


def _amounts(moved: Any, count: Array, k: int) -> NDArray[np.int32]:
    """How many of each collected point go to each cluster."""
    amounts = np.zeros((len(count), k))
    amounts[np.arange(len(count)), moved.labels] = count
    if len(moved.split_rows):
        amounts[np.unique(moved.split_rows)] = 0.0
        np.add.at(amounts, (moved.split_rows, moved.split_clusters), moved.split_weights)
    whole = np.rint(amounts).astype(np.int32)
    if (whole.sum(axis=1) != count).any():  # pragma: no cover
        raise RuntimeError("whole points were divided; this is a bug")
    return whole
