"""What the assignment engine takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.prices import Relaxation
from faircluster.bounds import BoundRows
from faircluster.groups import Groups

__all__ = ["AssignmentProblem", "AssignmentResult", "relative_gap"]


@dataclass(frozen=True, eq=False)
class AssignmentProblem:
    """Points to be assigned to centers at least total cost within bounds.

    Attributes
    ----------
    cost : array-like of shape (n, k), or a cost source
        Cost of each point at each center, float32 or float64; or
        :class:`~faircluster.distances.DistanceCosts`, which computes costs from points and
        centers when asked, so that the matrix never exists.
    groups : Groups or anything ``Groups.from_features`` takes, default=None
        Protected groups (and sample weights); None for a single group.
    bounds : FairnessBounds, float, "exact" or None, default=None
        A float s means ``FairnessBounds.slack(s)``.
    size_min, size_max : float or array-like of shape (k,), default=None
        Least and largest weight of each cluster.
    rounding : {"strict", "nearest"}, default="strict"
        "strict" keeps every bound exactly. "nearest" stays next to the relaxed solution and may
        break a bound by a point.
    tolerance : float, default=1e-3
        Relative gap at which the search for better quotas ends.
    time_limit : float, default=None
        Seconds after which the best assignment found is returned.
    start : AssignmentResult or Relaxation, default=None
        Solution of a similar problem: its prices are the starting point.
    """

    cost: Any
    groups: Any = None
    bounds: Any = None
    size_min: Any = None
    size_max: Any = None
    rounding: Literal["strict", "nearest"] = "strict"
    tolerance: float = 1e-3
    time_limit: float | None = None
    start: AssignmentResult | Relaxation | None = None


@dataclass(frozen=True, eq=False)
class AssignmentResult:
    """An assignment and its certificate.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
        Cluster of each point.
    cost : float
        Total (weighted) cost of ``labels``.
    lower_bound : float
        No assignment of whole points within the bounds costs less; where sizes are free or bounds have room,
        no fractional one does, either.
    gap : float
        ``cost / lower_bound - 1``. With violation 0 never negative but for rounding; an
        assignment that breaks bounds may cost less than the bound.
    violation : float
        Largest excess of ``labels`` over any bound, in points (weight); 0 when all hold.
    status : {"optimal", "feasible", "time_limit"}
        "optimal": the gap is within the tolerance, or no whole assignment is better.
    quotas : ndarray of shape (S, k)
        Weight of each signature in each cluster under ``labels``.
    prices : ndarray of shape (S, k)
        Prices of the transport: a point is where ``cost + price`` is least.
    relaxation : Relaxation or None
        The relaxed solution with its multipliers; None when no bound mattered. Where the problem was solved
        as a flow, prices without multipliers.
    split_rows, split_clusters, split_weights : ndarrays of equal length
        The fractional plan for points whose weight the exact plan divides between clusters
        (weighted problems only); ``labels`` gives each of them to one cluster.
    groups : Groups
    rows : BoundRows
        The bounds as linear rows.
    seconds : dict
        Time spent in each step.
    """

    labels: NDArray[np.int32]
    cost: float
    lower_bound: float
    gap: float
    violation: float
    status: str
    quotas: NDArray[np.float64]
    prices: NDArray[np.float64]
    relaxation: Relaxation | None
    groups: Groups
    rows: BoundRows
    split_rows: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    split_clusters: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    split_weights: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    seconds: dict[str, float] = field(default_factory=dict)


def relative_gap(value: float, bound: float) -> float:
    """How far a value is above a bound, as a share of it.

    Examples
    --------
    >>> relative_gap(3.0, 2.0), relative_gap(0.0, 0.0), relative_gap(1.0, 0.0)
    (0.5, 0.0, inf)
    """
    if bound == 0:
        return 0.0 if value == 0 else float("inf")
    return (value - bound) / abs(bound)
