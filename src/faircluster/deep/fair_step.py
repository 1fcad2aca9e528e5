"""The fair step: what the network predicts becomes an assignment that keeps the bounds exactly."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment import AssignmentProblem, AssignmentResult, solve
from faircluster.assignment.nearest_sizes import nearest_sizes
from faircluster.assignment.prices import Relaxation
from faircluster.assignment.transport import loads_of, round_rows
from faircluster.bounds import FairnessBounds, InfeasibleBoundsError
from faircluster.groups import Groups
from faircluster.metrics.contingency import contingency

__all__ = ["FairLabels", "fair_labels", "shortage_weights", "sizes_for"]

Array = NDArray[Any]


_SLACK = 0.1  # by which fair labels of a cell exceed its predictions, up to which it needs no help
_DEVIATIONS = 1.5  # of a count of its size, up to which it needs none, either
_KEPT = 0.7  # of the logarithm of a cell's weight, to the next epoch
_MOST = 20.0  # that a fair label counts: few rows must not outweigh all others
_CELLS = 2_000  # of signatures and clusters, beyond which the nearest sizes would take seconds


@dataclass(frozen=True, eq=False)
class FairLabels:
    """Fair labels and how far they are from the predictions.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
    confidence : ndarray of shape (n,), float32
        Probability of each label.
    moved : float
        Share of the points whose label is not the likeliest.
    violation : float
        Largest excess over any bound, in points.
    cost : float
        Sum of ``1 - p`` over the labels.
    gap : float
        How far that may be from the least possible, as a fraction.
    start : Relaxation or None
        Where the next call should start.
    seconds : float
    """

    labels: NDArray[np.int32]
    confidence: NDArray[np.float32]
    moved: float
    violation: float
    cost: float
    gap: float
    start: Relaxation | None
    seconds: float

    @classmethod
    def unbounded(cls, labels: NDArray[np.int32]) -> FairLabels:
        """Labels to learn that keep no bounds."""
        return cls(labels, np.ones(len(labels), dtype=np.float32), 0.0, 0.0, 0.0, 0.0, None, 0.0)


def fair_labels(
    proba: Array,
    groups: Groups,
    bounds: FairnessBounds,
    *,
    sizes: str | Array | None = "predicted",
    least: Array | None = None,
    start: Relaxation | None = None,
) -> FairLabels:
    """Assign points to clusters within the bounds at least ``sum (1 - p)``.

    Parameters
    ----------
    proba : ndarray of shape (n, k), float32 or float64
        Probabilities of the clusters.
    groups : Groups
    bounds : FairnessBounds
    sizes : {"predicted", "nearest", "uniform"}, array of shape (k,) or None, default="predicted"
        Sizes of the clusters: as predicted, those with the fewest labels to change, equal, given (scaled to
        n), or free.
    least : ndarray of shape (k,), default=None
        Predicted sizes count as no less than these shares of n, which sum to at most 1.
    start : Relaxation, default=None
        ``start`` of the last call: its prices are the starting point.

    Returns
    -------
    FairLabels
        Violation 0, the optimum up to ``gap``. Where the bounds cannot be kept at those sizes the sizes
        are left free.

    Raises
    ------
    InfeasibleBoundsError
        No assignment keeps the bounds, whatever the sizes.
    ValueError
        `sizes` of another kind.

    Notes
    -----
    Exact bounds at given sizes are a flow problem (``assignment/pinned.py``), solved to the optimum in O(n k)
    and 2 S k shortest paths among S k nodes; others take an integer program in S * k variables. Zhang &
    Davidson (2021, section 3.3) fix the quotas at fractions, which whole points cannot meet; here each count
    is rounded up or down, whichever costs less.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster import FairnessBounds, Groups
    >>> proba = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]])
    >>> fair = fair_labels(proba, Groups.from_features(list("aabb")), FairnessBounds.exact())
    >>> fair.labels.tolist(), fair.moved, fair.violation
    ([0, 1, 0, 1], 0.5, 0.0)
    """
    begun = time.perf_counter()
    k = proba.shape[1]
    predicted = proba.argmax(axis=1)
    cost = 1.0 - proba
    result: AssignmentResult | None = None
    try:
        fixed = sizes_for(sizes, predicted, groups, bounds, k, least)
        if fixed is not None:
            result = solve(AssignmentProblem(cost, groups, bounds, fixed, fixed, start=start))
    except InfeasibleBoundsError:  # whole points may not fit these sizes; they may fit others
        result = None
    if result is None:
        result = solve(AssignmentProblem(cost, groups, bounds, start=start))
    labels = result.labels
    return FairLabels(
        labels=labels,
        confidence=proba[np.arange(len(labels)), labels].astype(np.float32),
        moved=float(np.mean(labels != predicted)),
        violation=result.violation,
        cost=result.cost,
        gap=result.gap,
        start=result.relaxation if result.relaxation is not None else start,
        seconds=time.perf_counter() - begun,
    )


def shortage_weights(
    labels: NDArray[np.integer],
    predicted: NDArray[np.integer],
    groups: Groups,
    n_clusters: int,
    power: float,
    past: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Let fair labels count more where the predictions give a group too little of a cluster.

    A network that learns all fair labels alike ends at different distances from the bounds for different
    groups, and a balance is that of the worst. With f fair labels and q predictions in a cell of group and
    cluster, the cell's fair labels count (f / s q) ** power times, and that times its weight of the last
    epoch to the power .7, at least once and at most twenty times. The slack s is 1.1, and in small cells
    1 + 1.5 / sqrt(f): what chance may do. q counts as at least 1; rows in several groups count by the cell
    that lacks most.

    Parameters
    ----------
    labels, predicted : ndarrays of shape (n,)
        Fair and predicted clusters.
    groups : Groups
        G of them.
    n_clusters : int
    power : float
    past : ndarray of shape (G, n_clusters), default=None
        Second result of the epoch before.

    Returns
    -------
    weights : ndarray of shape (n,), float32
        In [1, 20].
    logs : ndarray of shape (G, n_clusters), float64
        Logarithms of the cells' weights.

    Notes
    -----
    O(n + S G k) with S signatures and G groups. Multiplicative weights for constrained learning (Agarwal et
    al. 2018; Cotter et al. 2019), which forget: without the past a cell that was helped in one epoch would
    fall back in the next, and with all of it cells would count long after they have enough.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster import Groups
    >>> groups = Groups.from_features(["a"] * 400 + ["b"] * 100)
    >>> fair, predicted = np.arange(500) % 2, np.r_[np.arange(400) % 2, np.arange(100) % 4 == 0]
    >>> weights, logs = shortage_weights(fair, predicted, groups, n_clusters=2, power=1.5)
    >>> print(logs.round(2))
    [[0.   0.  ]
     [0.   0.75]]
    >>> print(weights[[0, 1, 400, 401]].round(2))
    [1.   1.   1.   2.12]
    >>> print(shortage_weights(fair, fair, groups, n_clusters=2, power=1.5, past=logs)[0].max().round(2))
    1.27
    """
    wanted, there = (
        contingency(found, groups, n_clusters=n_clusters).counts for found in (labels, predicted)
    )
    with np.errstate(divide="ignore"):  # no fair label: none to count
        slack = 1.0 + np.maximum(_SLACK, _DEVIATIONS / np.sqrt(wanted))
        lacking = np.log(wanted / (slack * np.maximum(there, 1.0)))
    kept = 0.0 if past is None else _KEPT * past
    logs: NDArray[np.float64] = np.clip(kept + power * lacking, 0.0, math.log(_MOST))
    of_signature = np.zeros((groups.n_signatures, n_clusters))
    for of_group, inside in zip(logs, groups.signature_membership.T, strict=True):
        of_signature[inside] = np.maximum(of_signature[inside], of_group)
    return np.exp(of_signature)[groups.signature, labels].astype(np.float32), logs


def sizes_for(
    sizes: str | Array | None,
    predicted: NDArray[np.intp],
    groups: Groups,
    bounds: FairnessBounds,
    n_clusters: int,
    least: Array | None = None,
) -> NDArray[np.float64] | None:
    """Whole sizes of the clusters that sum to n; None for free sizes.

    Predicted and nearest sizes are no smaller than ``1 / smallest share`` and the share `least` of n:
    otherwise the smallest group would have no place there. "nearest" is "predicted" where signatures times
    clusters are more than 2,000; see :func:`~faircluster.assignment.nearest_sizes.nearest_sizes`.
    O(n + k log n) without it.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster import FairnessBounds, Groups
    >>> groups, exact = Groups.from_features(list("ab") * 5), FairnessBounds.exact()
    >>> sizes_for("predicted", np.array([0] * 9 + [1]), groups, exact, 2).tolist()
    [8.0, 2.0]
    """
    if sizes is None:
        return None
    if isinstance(sizes, str) and sizes == "uniform":
        share = np.full(n_clusters, 1.0 / n_clusters)
    elif isinstance(sizes, str) and sizes in ("predicted", "nearest"):
        counts = loads_of(predicted, groups.signature, None, (groups.n_signatures, n_clusters))
        low = _least_sizes(groups, n_clusters, least)
        if sizes == "nearest" and counts.size <= _CELLS:
            return nearest_sizes(counts, bounds.rows(groups, n_clusters, size_min=low))
        return _raised(counts.sum(axis=0).astype(np.intp), low).astype(np.float64)
    elif isinstance(sizes, str):
        raise ValueError(
            f"sizes must be 'predicted', 'nearest', 'uniform', None or an array of sizes, got {sizes!r}"
        )
    else:
        given = np.asarray(sizes, dtype=np.float64)
        if (
            given.shape != (n_clusters,)
            or not np.isfinite(given).all()
            or (given < 0).any()
            or not given.sum()
        ):
            raise ValueError(f"sizes must be {n_clusters} sizes of at least 0, not all 0, got {sizes!r}")
        share = given / given.sum()
    return round_rows((share * groups.n_rows)[None, :])[0]


def _least_sizes(groups: Groups, n_clusters: int, least: Array | None) -> NDArray[np.intp]:
    """Sizes that leave room for the smallest group, and at least the shares `least` if those fit as well."""
    n, shares = groups.n_rows, groups.shares[groups.shares > 0]
    room = min(math.ceil(1.0 / shares.min() - 1e-9) if len(shares) else 1, n // n_clusters)
    low = np.full(n_clusters, room)
    if least is not None:
        higher = np.maximum(low, np.floor(least * n).astype(np.intp))
        low = higher if higher.sum() <= n else low
    return low


def _raised(counts: NDArray[np.intp], low: NDArray[np.intp]) -> NDArray[np.intp]:
    """Raise the small ones; the largest are lowered to one level for it."""
    n = int(counts.sum())
    raised = np.maximum(counts, low)

    def lowered(level: int) -> NDArray[np.intp]:
        return np.clip(raised, low, np.maximum(low, level))

    level, above = 0, n
    while level < above:
        middle = (level + above + 1) // 2
        level, above = (middle, above) if lowered(middle).sum() <= n else (level, middle - 1)
    sizes = lowered(level)
    sizes[np.flatnonzero((raised > level) & (low <= level))[: n - int(sizes.sum())]] += 1
    return sizes
