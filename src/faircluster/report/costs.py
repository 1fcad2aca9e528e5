"""What the clustering costs each group and each cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.metrics.contingency import Contingency
from faircluster.metrics.cost import point_costs
from faircluster.report.evidence import EffectiveSizes, simultaneous_z

__all__ = ["Measure", "cost_section", "measure_for"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measure:
    """Where costs are measured from, and how.

    Attributes
    ----------
    centers : ndarray of shape (k, d), float64
    power : {1, 2}
        Distances or squared distances.
    words : str
        The same for readers.
    """

    centers: Floats
    power: int
    words: str


def measure_for(model: Any, fits: bool, means: Floats) -> Measure:
    """Centers and power of a model's own cost, else squared distances to the means of the clusters.

    Parameters
    ----------
    model : estimator or None
    fits : bool
        Whether cluster j of the audit is row j of the model's centers.
    means : ndarray of shape (k, d)

    Returns
    -------
    Measure

    Examples
    --------
    >>> measure_for(None, False, np.zeros((2, 1))).words
    'squared Euclidean distance to the mean of the cluster'
    """
    centers = getattr(model, "cluster_centers_", None)
    if not fits or centers is None or np.shape(centers) != means.shape:
        return Measure(means, 2, "squared Euclidean distance to the mean of the cluster")
    name = type(model).__name__
    power = getattr(model, "distance_power", None)  # of what has centers but is no model of ours
    if power not in (1, 2):
        power = 1 if hasattr(model, "radius_") or "Median" in name or "Medoids" in name else 2
    what = "Euclidean distance" if power == 1 else "squared Euclidean distance"
    return Measure(
        np.asarray(centers, dtype=np.float64), power, f"{what} to the model's center of the cluster"
    )


def cost_section(
    X: NDArray[Any],
    table: Contingency,
    measure: Measure,
    effective: EffectiveSizes,
    confidence: float,
) -> dict[str, Any]:
    """Mean cost of every group and cluster, with intervals; O(n d).

    Parameters
    ----------
    X : ndarray of shape (n, d)
    table : Contingency
    measure : Measure
    effective : EffectiveSizes
    confidence : float

    Returns
    -------
    dict
        ``total``, ``mean``; ``groups``, a list with ``mean``, its interval (normal approximation),
        ``relative`` to everyone's and ``conclusive`` (differs from everyone's, all groups together);
        ``clusters``, a list with ``mean`` and ``radius``; ``worst_group``, ``ratio`` of the largest to the
        smallest mean; ``measure``.

    Examples
    --------
    >>> from faircluster.metrics.contingency import contingency
    >>> from faircluster.report.evidence import effective_sizes
    >>> table = contingency([0, 0, 0], ["a", "a", "b"])
    >>> measure = Measure(np.array([[0.0]]), 1, "distance")
    >>> found = cost_section(np.array([[1.0], [2.0], [6.0]]), table, measure, effective_sizes(table), 0.95)
    >>> found["mean"], found["worst_group"], found["ratio"]
    (3.0, 'b', 4.0)
    """
    groups, k = table.groups, len(table.labels)
    cost = point_costs(X, measure.centers, table.cluster, measure.power)
    weighted = cost if groups.weights is None else cost * groups.weights
    total = float(weighted.sum())
    mean = total / groups.total
    membership = groups.signature_membership.T.astype(np.float64)
    sums = membership @ np.bincount(groups.signature, weighted, minlength=groups.n_signatures)
    squares = membership @ np.bincount(groups.signature, weighted * cost, minlength=groups.n_signatures)
    means = np.divide(sums, groups.counts, out=np.full(len(sums), np.nan), where=groups.counts > 0)
    variance = np.maximum(squares / np.maximum(groups.counts, 1e-300) - means**2, 0.0)
    error = np.sqrt(variance / np.maximum(effective.groups - 1, 1.0))
    z, wide = simultaneous_z(confidence, 1), simultaneous_z(confidence, groups.n_groups)
    few = effective.groups < 30  # the mean of fewer need not be close to normal
    by_cluster = np.bincount(table.cluster, weighted, minlength=k)
    distance = cost if measure.power == 1 else np.sqrt(cost)
    radius = np.zeros(k)
    held = slice(None) if groups.weights is None else groups.weights > 0
    np.maximum.at(radius, table.cluster[held], distance[held])
    worst, best = int(np.nanargmax(means)), int(np.nanargmin(means))
    return {
        "measure": measure.words,
        "power": measure.power,
        "total": total,
        "mean": mean,
        "radius": float(radius.max()),
        "worst_group": groups.names[worst],
        "best_group": groups.names[best],
        "ratio": float(means[worst] / means[best]) if means[best] > 0 else None,
        "groups": [
            {
                "group": name,
                "attribute": groups.attributes[t],
                "mean": float(means[t]),
                "lower": float(max(0.0, means[t] - z * error[t])),
                "upper": float(means[t] + z * error[t]),
                "relative": float(means[t] / mean) if mean > 0 else 1.0,
                "conclusive": bool(not few[t] and abs(means[t] - mean) > wide * error[t]),
                "few": bool(few[t]),
            }
            for t, name in enumerate(groups.names)
            if np.isfinite(means[t])
        ],
        "clusters": [
            {"mean": float(c / s) if s > 0 else None, "radius": float(r) if s > 0 else None}
            for c, s, r in zip(by_cluster, table.sizes, radius, strict=True)
        ],
    }
