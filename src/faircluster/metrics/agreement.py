"""How well clusters agree with known classes, and with independence from the groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import entr
from sklearn.metrics import normalized_mutual_info_score

from faircluster.metrics.contingency import contingency, encode_labels

__all__ = ["clustering_accuracy", "f_beta", "mnce"]


def clustering_accuracy(labels_true: ArrayLike, labels: ArrayLike) -> float:
    """Share of points that the best one-to-one matching of clusters with classes gets right.

    The matching is the Hungarian one, the optimum. There may be more clusters than classes or fewer;
    points of an unmatched cluster or class count as wrong.

    Parameters
    ----------
    labels_true : array-like of shape (n,)
        Classes: integers, strings or anything that sorts.
    labels : array-like of shape (n,), integers
        Clusters; every distinct integer is one, -1 too.

    Returns
    -------
    float
        In (0, 1].

    Raises
    ------
    ValueError
        When the lengths differ or an input is empty or not one-dimensional.

    Notes
    -----
    O(n log n) for the table of c classes and k clusters and O(c k min(c, k)) for the matching.

    Examples
    --------
    >>> clustering_accuracy(["cat", "cat", "dog", "dog"], [1, 1, 0, 1])
    0.75
    """
    cluster, values = encode_labels(labels)
    classes, n_classes = _encode_classes(labels_true, len(cluster))
    cell = classes * len(values) + cluster
    table = np.bincount(cell, minlength=n_classes * len(values)).reshape(n_classes, len(values))
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / len(cluster))


def mnce(
    labels: ArrayLike,
    sensitive_features: Any,
    sample_weight: ArrayLike | None = None,
    n_clusters: int | None = None,
) -> float:
    """Minimal normalized conditional entropy: ``min over clusters c of H(G | c) / H(G)``.

    1 when every cluster has the proportions of the data, 0 when some cluster holds one group only.

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
        In [0, 1]. Several attributes: the smallest of their values.

    Raises
    ------
    ValueError
        When the lengths differ or the labels are not integers.

    Notes
    -----
    Empty clusters are ignored: they hold nobody. With one group, H(G) = 0 and nothing can be unfair:
    the value is 1. Groups of a membership matrix may overlap or leave rows out; their entropy is then
    that of the combinations of them that occur. The published definition is for disjoint groups, where
    the two are the same; its released code adds 1e-5 inside the logarithm, which this one does not
    need. O(n) per call.

    References
    ----------
    Zeng et al., "Deep Fair Clustering via Maximizing and Minimizing Mutual Information", CVPR 2023.

    Examples
    --------
    >>> mnce([0, 0, 1, 1], ["a", "b", "a", "b"])
    1.0
    >>> round(mnce([0, 0, 0, 0, 1, 1], ["a", "b", "b", "b", "a", "a"]), 3)
    0.0
    """
    table = contingency(labels, sensitive_features, sample_weight, n_clusters)
    quotas = table.quotas[:, table.occupied]
    smallest = 1.0
    if not table.occupied.any():
        return smallest
    for members in table.by_attribute():
        patterns, pattern = np.unique(
            table.groups.signature_membership[:, members], axis=0, return_inverse=True
        )
        counts = np.zeros((len(patterns), quotas.shape[1]))
        np.add.at(counts, pattern.ravel(), quotas)
        whole = _entropy(counts.sum(axis=1, keepdims=True))[0]
        if whole > 0:
            smallest = min(smallest, float(_entropy(counts).min() / whole))
    return smallest


def f_beta(
    labels_true: ArrayLike,
    labels: ArrayLike,
    sensitive_features: Any,
    beta: float = 1.0,
) -> float:
    """Weighted harmonic mean of quality (NMI) and fairness (MNCE).

    ``(1 + beta^2) * NMI * MNCE / (beta^2 * NMI + MNCE)``, where a larger ``beta`` counts MNCE more.

    Parameters
    ----------
    labels_true : array-like of shape (n,)
        Classes.
    labels : array-like of shape (n,), integers
        Clusters; every distinct integer is one, -1 too.
    sensitive_features : Groups or anything `Groups.from_features` accepts
        Without weights: NMI is unweighted.
    beta : float, default 1.0
        At least 0; 0 gives NMI alone.

    Returns
    -------
    float
        In [0, 1]; 0 when NMI or MNCE is 0 (with ``beta=0``: when NMI is 0).

    Raises
    ------
    ValueError
        When ``beta`` is negative or not finite, the lengths differ or the labels are not integers.

    See Also
    --------
    sklearn.metrics.normalized_mutual_info_score : the NMI used here, arithmetic mean in the denominator.

    Notes
    -----
    O(n log n) per call.

    References
    ----------
    Zeng et al., "Deep Fair Clustering via Maximizing and Minimizing Mutual Information", CVPR 2023.

    Examples
    --------
    >>> f_beta([0, 0, 1, 1], [1, 1, 0, 0], ["a", "b", "a", "b"])
    1.0
    """
    if not 0 <= beta < np.inf:
        raise ValueError(f"beta must be a finite number of at least 0, got {beta!r}")
    cluster, _ = encode_labels(labels)
    classes, _ = _encode_classes(labels_true, len(cluster))
    quality = float(normalized_mutual_info_score(classes, cluster))
    if beta == 0 or quality == 0:
        return quality
    fairness = mnce(labels, sensitive_features)
    return (1 + beta**2) * quality * fairness / (beta**2 * quality + fairness)


def _encode_classes(labels_true: ArrayLike, n_rows: int) -> tuple[NDArray[np.intp], int]:
    given = np.asarray(labels_true)
    if given.shape != (n_rows,):
        raise ValueError(
            f"labels_true must have one class for each of the {n_rows} labels, got shape {given.shape}"
        )
    values, codes = np.unique(given, return_inverse=True)
    return codes, len(values)


def _entropy(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy of each column of counts, in nats."""
    return np.asarray(entr(counts / counts.sum(axis=0)).sum(axis=0))
