"""How evenly the groups are spread over the clusters.

Conventions of every function here: each distinct label is a cluster (also the noise label -1 of a
density-based clusterer); a cluster without weight is ignored, since nobody in it can be treated unfairly;
with several attributes each is judged on its own and the worst one counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faircluster.bounds import FairnessBounds
from faircluster.metrics.contingency import contingency

__all__ = ["additive_violation", "balance", "balance_by_cluster", "fairness_ratio"]

Floats = NDArray[np.float64]


def balance(
    labels: ArrayLike,
    sensitive_features: Any,
    sample_weight: ArrayLike | None = None,
    n_clusters: int | None = None,
) -> float:
    """Smallest ratio of the smallest to the largest group count in a cluster.

    ``min over clusters j of min_t N_tj / max_t N_tj``, where N_tj is the (weighted) number of points of
    group t in cluster j. For disjoint groups that cover all points it is at most ``min_t N_t / max_t N_t``,
    reached exactly when every cluster has the proportions of the data.

    Parameters
    ----------
    labels : array-like of shape (n,), integers
        Every distinct integer is a cluster, -1 too.
    sensitive_features : Groups or anything `Groups.from_features` accepts
    sample_weight : array-like of shape (n,), optional
        Only with columns; a `Groups` already carries its weights.
    n_clusters : int, optional
        Clusters are then 0 to ``n_clusters - 1``; the value does not depend on the empty ones.

    Returns
    -------
    float
        In [0, 1]. An empty cluster is ignored, a group that is absent from a nonempty cluster makes it 0,
        and an attribute with one group has balance 1. Several attributes: the smallest of their values.

    Raises
    ------
    ValueError
        When the lengths differ, the labels are not integers or out of range, or weights are given twice.

    Notes
    -----
    O(n) per call. Unlike `fairness_ratio` it does not compare with the shares of the data, so data with
    a rare group cannot reach 1.

    References
    ----------
    Zhang & Davidson, "Deep Fair Discriminative Clustering", 2021, equations 1 and 2.

    Examples
    --------
    >>> balance([0, 0, 0, 1, 1], ["a", "a", "b", "a", "b"])
    0.5
    """
    by_cluster = balance_by_cluster(labels, sensitive_features, sample_weight, n_clusters)
    return float(np.min(by_cluster, where=~np.isnan(by_cluster), initial=1.0))


def balance_by_cluster(
    labels: ArrayLike,
    sensitive_features: Any,
    sample_weight: ArrayLike | None = None,
    n_clusters: int | None = None,
) -> Floats:
    """Ratio of the smallest to the largest group count in each cluster.

    Parameters
    ----------
    labels : array-like of shape (n,), integers
        Every distinct integer is a cluster, -1 too.
    sensitive_features : Groups or anything `Groups.from_features` accepts
        With several attributes a cluster gets the smallest value; pass one column to see one attribute.
    sample_weight : array-like of shape (n,), optional
        Only with columns; a `Groups` already carries its weights.
    n_clusters : int, optional
        Clusters are then 0 to ``n_clusters - 1``, else the distinct labels in ascending order.

    Returns
    -------
    ndarray of shape (k,), float64
        In [0, 1]; NaN for an empty cluster. Edge cases as in `balance`.

    Raises
    ------
    ValueError
        When the lengths differ, the labels are not integers or out of range, or weights are given twice.

    Notes
    -----
    O(n) per call.

    Examples
    --------
    >>> balance_by_cluster([0, 0, 0, 1, 1], ["a", "a", "b", "a", "b"], n_clusters=3)
    array([0.5, 1. , nan])
    """
    table = contingency(labels, sensitive_features, sample_weight, n_clusters)
    worst = np.where(table.occupied, 1.0, np.nan)
    for members in table.by_attribute():
        if len(members) == 1:  # one group has nothing to be compared with
            continue
        smallest, largest = table.counts[members].min(axis=0), table.counts[members].max(axis=0)
        ratio = np.divide(smallest, largest, out=np.zeros_like(smallest), where=largest > 0)
        worst = np.minimum(worst, ratio)
    return worst


def fairness_ratio(
    labels: ArrayLike,
    sensitive_features: Any,
    sample_weight: ArrayLike | None = None,
    n_clusters: int | None = None,
) -> float:
    """Largest factor by which a group's share in a cluster is off its share in the data, as a ratio.

    ``min over clusters j and groups t of min(rho_t / rho_tj, rho_tj / rho_t)``, where rho_t is the share of
    group t in the data and rho_tj its share in cluster j.

    Parameters
    ----------
    labels : array-like of shape (n,), integers
        Every distinct integer is a cluster, -1 too.
    sensitive_features : Groups or anything `Groups.from_features` accepts
    sample_weight : array-like of shape (n,), optional
        Only with columns; a `Groups` already carries its weights.
    n_clusters : int, optional
        Clusters are then 0 to ``n_clusters - 1``; the value does not depend on the empty ones.

    Returns
    -------
    float
        In [0, 1]; 1 when every cluster has the proportions of the data. An empty cluster is ignored, a
        group that is absent from a nonempty cluster makes it 0 (unless it is absent from the data, as
        after `Groups.subset`: then its shares agree), and a single group of all points gives 1.

    Raises
    ------
    ValueError
        When the lengths differ, the labels are not integers or out of range, or weights are given twice.

    Notes
    -----
    O(n) per call.

    References
    ----------
    Zhang & Davidson, "Deep Fair Discriminative Clustering", 2021, equation 3.

    Examples
    --------
    >>> fairness_ratio([0, 0, 1, 1, 1, 1], ["a", "b", "a", "a", "a", "b"])
    0.6666666666666666
    """
    table = contingency(labels, sensitive_features, sample_weight, n_clusters)
    if not table.occupied.any():
        return 1.0
    shares = table.counts[:, table.occupied] / table.sizes[table.occupied]
    population = np.broadcast_to(table.groups.shares[:, None], shares.shape)
    smaller, larger = np.minimum(shares, population), np.maximum(shares, population)
    return float(np.divide(smaller, larger, out=np.ones_like(shares), where=larger > 0).min())


def additive_violation(
    labels: ArrayLike,
    sensitive_features: Any,
    bounds: FairnessBounds | float | str | None = None,
    *,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    n_clusters: int | None = None,
) -> float:
    """Smallest E such that every bound holds up to E points in every cluster.

    For share limits: ``lower_t |C_j| - E <= N_tj <= upper_t |C_j| + E`` for all groups t and clusters j.
    Other bounds are judged by the rows that state them; see `FairnessBounds`.

    Parameters
    ----------
    labels : array-like of shape (n,), integers
        Every distinct integer is a cluster, -1 too.
    sensitive_features : Groups or anything `Groups.from_features` accepts
    bounds : FairnessBounds, float or "exact", optional
        A float is a slack, as in the estimators.
    lower, upper : array-like of shape (g,) or (g, k), optional
        Share limits instead of ``bounds``, in the order of `Groups.names`; one of them may be left out.
    sample_weight : array-like of shape (n,), optional
        Only with columns; a `Groups` already carries its weights. E is then in units of weight.
    n_clusters : int, optional
        Clusters are then 0 to ``n_clusters - 1``, else the distinct labels in ascending order; give it
        when the bounds differ by cluster.

    Returns
    -------
    float
        At least 0, not rounded up; excesses that rounding alone can cause count as 0. An empty cluster
        keeps every share bound.

    Raises
    ------
    ValueError
        When neither or both of ``bounds`` and ``lower``/``upper`` are given, limits have the wrong shape or
        collide, the lengths differ, or the labels are not integers or out of range.

    Notes
    -----
    O(n) per call.

    Examples
    --------
    Half of each cluster may be off by a fifth: at least 1.6 of 4 points, and cluster 0 has 1.

    >>> labels, group = [0, 0, 0, 0, 1, 1, 1, 1], ["a", "b", "b", "b", "a", "a", "a", "b"]
    >>> round(additive_violation(labels, group, 0.2), 9)
    0.6
    >>> additive_violation(labels, group, upper=[0.5, 0.5])
    1.0
    """
    if (bounds is None) == (lower is None and upper is None):
        raise ValueError("give either bounds (for example bounds=0.2) or share limits lower and/or upper")
    table = contingency(labels, sensitive_features, sample_weight, n_clusters)
    k = len(table.labels)
    if bounds is None:
        names = table.groups.names
        rules = FairnessBounds.explicit(
            lower=_limits_by_name("lower", lower, names, k), upper=_limits_by_name("upper", upper, names, k)
        )
    else:
        rules = FairnessBounds.from_any(bounds)
    return rules.rows(table.groups, k).violation(table.quotas)


def _limits_by_name(
    argument: str, limits: ArrayLike | None, names: tuple[str, ...], n_clusters: int
) -> dict[str, Any] | None:
    if limits is None:
        return None
    shares = np.asarray(limits, dtype=np.float64)
    if shares.shape not in ((len(names),), (len(names), n_clusters)):
        raise ValueError(
            f"{argument} must have one share a group, shape ({len(names)},) for {', '.join(names)}, "
            f"or one a group and cluster, shape ({len(names)}, {n_clusters}), got shape {shares.shape}"
        )
    return dict(zip(names, shares.tolist(), strict=True))
