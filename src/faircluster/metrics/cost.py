"""What a clustering costs, point by point, group by group, and against a rival."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faircluster.metrics.contingency import encode_labels, resolve_groups

__all__ = ["GroupCosts", "group_costs", "point_costs", "price_of_fairness"]

# Differences to centers are formed for this many numbers at a time (8 MB), whatever n is.
_CHUNK_NUMBERS = 1 << 20


def point_costs(X: ArrayLike, centers: ArrayLike, labels: ArrayLike, power: int = 2) -> NDArray[np.float64]:
    """Cost of each point at the center it is assigned to: Euclidean distance to a power.

    Parameters
    ----------
    X : array-like of shape (n, d)
    centers : array-like of shape (k, d)
    labels : array-like of shape (n,), integers in 0 to k - 1
        Row of ``centers`` that each point is assigned to.
    power : {1, 2}, default 2
        2 for squared distances (k-means), 1 for distances (k-median).

    Returns
    -------
    ndarray of shape (n,), float64

    Raises
    ------
    ValueError
        When shapes do not fit, a label is no row of ``centers``, ``power`` is neither 1 nor 2, or a cost is
        not finite.

    Notes
    -----
    O(n d) time, and 8 MB of memory beyond input and output.

    Examples
    --------
    >>> point_costs([[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0]], [0, 0])
    array([ 0., 25.])
    >>> point_costs([[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0]], [0, 0], power=1)
    array([0., 5.])
    """
    if power not in (1, 2):
        raise ValueError(f"power must be 1 (distances) or 2 (squared distances), got {power!r}")
    points, places = np.asarray(X), np.asarray(centers, dtype=np.float64)
    if points.ndim != 2 or places.ndim != 2 or points.shape[1] != places.shape[1]:
        raise ValueError(
            "X and centers must be tables with the same number of columns, "
            f"got shapes {points.shape} and {places.shape}"
        )
    cluster, _ = encode_labels(labels, n_clusters=len(places))
    if len(cluster) != len(points):
        raise ValueError(
            f"labels must have one label for each of the {len(points)} rows of X, got {len(cluster)}"
        )
    cost = np.empty(len(points))
    step = max(1, _CHUNK_NUMBERS // max(1, points.shape[1]))
    for start in range(0, len(points), step):
        rows = slice(start, start + step)
        difference = points[rows] - places[cluster[rows]]
        np.einsum("ij,ij->i", difference, difference, out=cost[rows])
    wrong = np.flatnonzero(~np.isfinite(cost))
    if len(wrong):
        raise ValueError(
            f"row {wrong[0]} has no finite cost: X or centers holds NaN, infinity or a huge number"
        )
    return np.sqrt(cost, out=cost) if power == 1 else cost


@dataclass(frozen=True, eq=False)
class GroupCosts:
    """Mean cost of each group, and how unequal the groups are.

    Attributes
    ----------
    names : tuple of g str
    means : ndarray of shape (g,), float64
        Weighted mean cost of the group's points; NaN for a group without any.
    worst_group : str
        Name of the group with the largest mean.
    worst : float
        That mean: the objective of socially fair clustering.
    ratio : float
        Largest mean / smallest mean, at least 1; 1 when both are 0, infinite when only the smallest is.
    """

    names: tuple[str, ...]
    means: NDArray[np.float64]
    worst_group: str
    worst: float
    ratio: float


def group_costs(
    cost_per_point: ArrayLike,
    sensitive_features: Any,
    sample_weight: ArrayLike | None = None,
) -> GroupCosts:
    """Mean cost by group, the worst group and the ratio of worst to best.

    The groups of all attributes are compared with each other. A row counts for every group it is in.

    Parameters
    ----------
    cost_per_point : array-like of shape (n,)
        Costs of at least 0, as from `point_costs`.
    sensitive_features : Groups or anything `Groups.from_features` accepts
    sample_weight : array-like of shape (n,), optional
        Only with columns; a `Groups` already carries its weights.

    Returns
    -------
    GroupCosts

    Raises
    ------
    ValueError
        When the lengths differ, a cost is negative or not finite, or no group has members.

    Notes
    -----
    O(n) per call.

    Examples
    --------
    >>> costs = group_costs([1.0, 3.0, 6.0], ["a", "a", "b"])
    >>> costs.names, costs.means, costs.worst_group, costs.ratio
    (('a', 'b'), array([2., 6.]), 'b', 3.0)
    """
    cost = np.asarray(cost_per_point, dtype=np.float64)
    if cost.ndim != 1:
        raise ValueError(f"cost_per_point must be one cost a row, shape (n,), got shape {cost.shape}")
    wrong = np.flatnonzero(~((cost >= 0) & np.isfinite(cost)))
    if len(wrong):
        raise ValueError(
            f"cost_per_point must be finite and at least 0, got {cost[wrong[0]]} in row {wrong[0]}"
        )
    groups = resolve_groups(sensitive_features, len(cost), sample_weight)
    weighted = cost if groups.weights is None else cost * groups.weights
    by_signature = np.bincount(groups.signature, weights=weighted, minlength=groups.n_signatures)
    totals = groups.signature_membership.T.astype(np.float64) @ by_signature
    means = np.full(groups.n_groups, np.nan)
    np.divide(totals, groups.counts, out=means, where=groups.counts > 0)
    if np.isnan(means).all():
        raise ValueError("no group has members of positive weight: there is no group cost to compare")
    position = int(np.nanargmax(means))
    worst = float(means[position])
    ratio = price_of_fairness(worst, float(np.nanmin(means)))
    return GroupCosts(groups.names, means, groups.names[position], worst, ratio)


def price_of_fairness(fair_cost: float, unconstrained_cost: float) -> float:
    """Cost under bounds divided by the cost without them.

    Parameters
    ----------
    fair_cost, unconstrained_cost : float
        Finite and at least 0.

    Returns
    -------
    float
        1 when fairness is free; below 1 when the unconstrained clustering was not optimal. 0 / 0 is 1
        (nothing was paid) and x / 0 is infinite.

    Raises
    ------
    ValueError
        When a cost is negative or not finite.

    Examples
    --------
    >>> price_of_fairness(12.0, 10.0)
    1.2
    """
    for name, value in (("fair_cost", fair_cost), ("unconstrained_cost", unconstrained_cost)):
        if not 0 <= value < np.inf:
            raise ValueError(f"{name} must be finite and at least 0, got {value!r}")
    if unconstrained_cost == 0:
        return 1.0 if fair_cost == 0 else float("inf")
    return float(fair_cost) / float(unconstrained_cost)
