"""What it costs to change a quota: the margins of the points nearest to a border, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.transport import assign_by_price
from faircluster.distances import CostSource

__all__ = ["MoveCosts", "move_costs"]

Array = NDArray[Any]
_GROWTH = 4  # each step ends at so many times the last


@dataclass(frozen=True)
class MoveCosts:
    """Estimated cost, prices included, of raising or lowering each quota step by step.

    Attributes
    ----------
    widths : ndarray of shape (q,)
        Weight that each step holds (so many points of mean weight); the last step is endless.
    up, down : ndarrays of shape (q, S, k)
        Cost of a unit in that step, not decreasing from step to step.
    """

    widths: NDArray[np.float64]
    up: NDArray[np.float64]
    down: NDArray[np.float64]

    def within(self, distance: float) -> MoveCosts:
        """Leave out the steps that no move up to this distance takes."""
        needed = 1 + int(np.searchsorted(np.cumsum(self.widths)[:-1], distance * (1 - 1e-9)))
        return MoveCosts(self.widths[:needed], self.up[:needed], self.down[:needed])


def move_costs(
    source: CostSource,
    signature: NDArray[np.int32],
    weights: Array | None,
    prices: Array,
    *,
    farthest: int = 64,
) -> MoveCosts:
    """Estimate what changes of the quotas cost, from the points nearest to a border.

    Parameters
    ----------
    source : CostSource of shape (n, k)
    signature : ndarray of shape (n,), int32
    weights : ndarray of shape (n,) or None
    prices : ndarray of shape (S, k)
        Prices of the present quotas.
    farthest : int, default=64
        How far quotas will move, which limits the points that are looked at.

    Returns
    -------
    MoveCosts

    Notes
    -----
    A unit that leaves one cluster enters another, so each side counts half of the margin. One
    pass over the costs, O(n k), then a sort of a few thousand points a signature.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.distances import DenseCosts
    >>> cost = DenseCosts(np.array([[0.0, 1.0], [0.0, 3.0], [4.0, 0.0]]))
    >>> move_costs(cost, np.zeros(3, dtype=np.int32), None, np.zeros((1, 2))).down[:2, 0]
    array([[0.5  , 2.   ],
           [1.875, 5.   ]])
    """
    S, k = prices.shape
    labels, margin, _ = assign_by_price(source, signature, prices)
    unit = 1.0 if weights is None else float(weights[weights > 0].mean())
    ends = _GROWTH ** np.arange(1 + max(int(np.ceil(np.log(farthest) / np.log(_GROWTH) - 1e-9)), 0))
    up = np.empty((len(ends), S, k))
    down = np.empty_like(up)
    order = np.argsort(signature, kind="stable") if S > 1 else np.arange(len(signature))
    borders = np.searchsorted(signature[order], np.arange(S + 1)) if S > 1 else np.array([0, len(order)])
    for s in range(S):
        rows = order[borders[s] : borders[s + 1]]
        near = _nearest_border(rows, margin, labels, int(ends[-1]), k)
        reduced = source.take(near).astype(np.float64) + prices[s]
        own = labels[near]
        reduced -= reduced[np.arange(len(near)), own][:, None]
        weight = np.ones(len(near)) if weights is None else weights[near] / unit
        leaving, movable = margin[near], weight > 0
        for j in range(k):
            inside, outside = movable & (own == j), movable & (own != j)
            down[:, s, j] = _steps(leaving[inside], weight[inside], ends)
            up[:, s, j] = _steps(reduced[outside, j], weight[outside], ends)
    return MoveCosts(unit * np.diff(ends, prepend=0), _known(0.5 * up), _known(0.5 * down))


def _known(cost: Array) -> Array:
    """Where nothing is known (no point there to move), the dearest known cost."""
    unknown = np.isnan(cost)
    dearest = 1.0 if unknown.all() else float(cost[~unknown].max())
    return np.where(unknown, dearest, cost)


def _nearest_border(rows: Array, margin: Array, labels: Array, depth: int, k: int) -> Array:
    """Points nearest to a border, and of every cluster at least ``depth`` as far as it has so many."""
    if len(rows) <= 4 * depth * k:
        return rows
    near = rows[np.argpartition(margin[rows], 4 * depth * k)[: 4 * depth * k]]
    inside = np.bincount(labels[near], minlength=k)
    chosen = [near]
    for j in np.flatnonzero(inside < depth):  # a cluster apart from the others
        members = rows[labels[rows] == j]
        if len(members) > inside[j]:
            first = np.argpartition(margin[members], min(depth, len(members) - 1))[: depth + 1]
            chosen.append(np.setdiff1d(members[first], near))
    return np.concatenate(chosen)


def _steps(margins: Array, weights: Array, ends: Array) -> Array:
    """Margin at the middle of each step; beyond the last known point it grows on linearly."""
    if len(margins) == 0 or not np.isfinite(margins).any():
        return np.full(len(ends), np.nan)
    order = np.argsort(margins, kind="stable")
    reached, sorted_margins = np.cumsum(weights[order]), margins[order]
    middle = 0.5 * (ends + np.concatenate([[0], ends[:-1]]))
    position = np.minimum(np.searchsorted(reached, middle), len(order) - 1)
    beyond = np.maximum(middle / float(reached[-1]), 1.0)
    return np.asarray(np.maximum(sorted_margins[position], 0.0) * beyond)
