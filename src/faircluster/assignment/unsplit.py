"""Whole points under weights: give every split point to one cluster and mend what that breaks."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from faircluster.assignment.quotas import run_program
from faircluster.assignment.transport import Transport, assign_by_price, loads_of
from faircluster.bounds import BoundRows
from faircluster.distances import CostSource
from faircluster.groups import Groups

__all__ = ["unsplit"]

Array = NDArray[Any]


def unsplit(
    source: CostSource, groups: Groups, rows: BoundRows, moved: Transport, time_limit: float = 8.0
) -> tuple[NDArray[np.int32], float]:
    """Labels for whole points, next to a transport that splits some.

    Each split point goes where most of its weight is. If that breaks a bound, an integer program
    over the points that are cheapest to move looks for the least violation, then the least cost.

    Parameters
    ----------
    source : CostSource of shape (n, k)
    groups : Groups
        With weights.
    rows : BoundRows
    moved : Transport
    time_limit : float, default=8.0
        Seconds for the integer programs.

    Returns
    -------
    labels : ndarray of shape (n,), int32
    cost : float
        Weighted cost of the labels.

    Notes
    -----
    Keeping bounds with indivisible weights is NP-hard already for two clusters (partition), so a
    violation may remain; it is at most the weight of the split points, of which there are no more
    than k - 1 a signature.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.bounds import FairnessBounds
    >>> from faircluster.distances import DenseCosts
    >>> from faircluster.assignment.transport import transport
    >>> groups = Groups.from_features(None, n_rows=3, sample_weight=[2.0, 1.0, 1.0])
    >>> source = DenseCosts(np.array([[0.0, 1.0], [0.0, 3.0], [0.0, 3.0]]))
    >>> rows = FairnessBounds.explicit().rows(groups, 2, size_max=3)
    >>> moved = transport(source, groups.signature, np.array([[3.0, 1.0]]), None, groups.weights)
    >>> unsplit(source, groups, rows, moved)
    (array([1, 0, 0], dtype=int32), 2.0)
    """
    if groups.weights is None:
        raise ValueError("groups has no weights, so no point can be split")
    labels = moved.labels.copy()
    shape = moved.prices.shape
    violation = rows.violation(loads_of(labels, groups.signature, groups.weights, shape))
    if violation > 0:
        _, margin, _ = assign_by_price(source, groups.signature, moved.prices)
        margin[moved.split_rows] = -1.0
        for count in (60, 240):
            movable = _cheapest_to_move(margin, groups, count)
            trial = _repair(source, groups, rows, labels, moved.prices, movable, 0.5 * time_limit)
            after = rows.violation(loads_of(trial, groups.signature, groups.weights, shape))
            if after < violation:
                labels, violation = trial, after
            if violation == 0:
                break
    cost = 0.0
    for start in range(0, len(labels), 1 << 16):
        part = slice(start, start + (1 << 16))
        block = source.block(start, min(start + (1 << 16), len(labels)))
        cost += float(block[np.arange(len(block)), labels[part]].astype(np.float64) @ groups.weights[part])
    return labels, cost


def _cheapest_to_move(margin: Array, groups: Groups, count: int) -> Array:
    """Points of least margin, the light ones first among equals, with a share for every signature."""
    chosen = []
    each = max(8, count // groups.n_signatures)
    assert groups.weights is not None
    order = np.lexsort((groups.weights, margin))
    signature = groups.signature[order]
    for s in range(groups.n_signatures):
        chosen.append(order[signature == s][:each])
    return np.concatenate(chosen)


def _repair(
    source: CostSource,
    groups: Groups,
    rows: BoundRows,
    labels: Array,
    prices: Array,
    movable: Array,
    time_limit: float,
) -> NDArray[np.int32]:
    """Reassign the movable points: least violation first, then least cost."""
    assert groups.weights is not None
    k = prices.shape[1]
    weights, signature = groups.weights[movable], groups.signature[movable]
    rest = labels.astype(np.int64)
    held = np.ones(len(labels), dtype=bool)
    held[movable] = False
    fixed = loads_of(rest[held], groups.signature[held], groups.weights[held], prices.shape)
    cost = source.take(movable).astype(np.float64) * weights[:, None]
    unit, dearest = float(weights.max()) or 1.0, float(np.abs(cost).max()) or 1.0
    m, r = len(movable), rows.rhs.shape[1]
    # one column for every (point, cluster), then the violation in units of the heaviest point
    point, cluster = np.repeat(np.arange(m), k), np.tile(np.arange(k), m)
    bound_row = (cluster[:, None] * r + np.arange(r)).ravel()
    bound_column = np.repeat(np.arange(m * k), r)
    bound_value = (rows.coef[cluster, :, signature[point]] * weights[point, None] / unit).ravel()
    bounds = sp.csr_matrix((bound_value, (bound_row, bound_column)), shape=(k * r, m * k))
    matrix = sp.vstack(
        [
            sp.hstack([sp.csr_matrix((np.ones(m * k), (point, np.arange(m * k)))), sp.csr_matrix((m, 1))]),
            sp.hstack([bounds, sp.csr_matrix(-np.ones((k * r, 1)))]),
        ],
        format="csr",
    )
    lower = np.concatenate([np.ones(m), np.full(k * r, -np.inf)])
    upper = np.concatenate([np.ones(m), -rows.excess(fixed).ravel() / unit])
    low, high = np.zeros(m * k + 1), np.append(np.ones(m * k), np.inf)
    out = labels.astype(np.int32).copy()
    # No weight of the violation in one objective would do: it may be as small as it likes.
    for objective in (np.append(np.zeros(m * k), 1.0), np.append(cost.ravel() / dearest, 0.0)):
        values, _, _ = run_program(objective, matrix, lower, upper, low, high, m * k, 0.5 * time_limit, 1e-9)
        if values is None:
            break
        out[movable] = values[: m * k].reshape(m, k).argmax(axis=1)
        high[-1] = max(float(values[-1]), 0.0) + 1e-10
    return out
