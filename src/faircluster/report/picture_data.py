"""What pictures need besides the figures: a sample of points, and clusters in matching order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from faircluster.metrics.contingency import Contingency

__all__ = ["embedding", "matched_order"]

POINTS = 1200  # shown; more are a blot and a large file
_FITTED = 20_000  # rows the axes are found from


def embedding(X: NDArray[Any], table: Contingency) -> dict[str, Any]:
    """Sample of points on the first two principal axes; O(d^2) besides the sample.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    table : Contingency

    Returns
    -------
    dict
        ``x``, ``y``, ``cluster`` (positions), ``signature_groups`` (positions of each point's groups),
        ``explained`` (part of the variance on each axis), ``rows`` and ``words``.

    Examples
    --------
    >>> from faircluster.metrics.contingency import contingency
    >>> embedding(np.array([[0.0], [2.0]]), contingency([0, 1], ["a", "b"]))["x"]
    [-1.0, 1.0]
    """
    n = len(X)
    held = np.arange(n) if table.groups.weights is None else np.flatnonzero(table.groups.weights > 0)
    rng = np.random.default_rng(0)
    fitted = rng.choice(held, min(len(held), _FITTED), replace=False, shuffle=False)
    sample = np.asarray(X[fitted], dtype=np.float64)
    middle = sample.mean(axis=0)
    _, spread, axes = np.linalg.svd(sample - middle, full_matrices=False)
    axes = axes * np.where(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]
    shown = fitted[rng.permutation(len(fitted))[:POINTS]]
    shown.sort()
    flat = (np.asarray(X[shown], dtype=np.float64) - middle) @ axes[:2].T
    if flat.shape[1] < 2:
        flat = np.column_stack([flat[:, 0], np.zeros(len(flat))])
    power = spread**2
    total = float(power.sum())
    part = (power / total).tolist() if total > 0 else [0.0]
    membership = table.groups.signature_membership[table.groups.signature[shown]]
    whole = "all rows" if len(shown) == n else f"a random sample of {len(shown):,} of {n:,} rows"
    return {
        "x": np.round(flat[:, 0], 5).tolist(),
        "y": np.round(flat[:, 1], 5).tolist(),
        "cluster": table.cluster[shown].tolist(),
        "signature_groups": [np.flatnonzero(row).tolist() for row in membership],
        "explained": [float(share) for share in (*part, 0.0)[:2]],
        "rows": len(shown),
        "words": f"The picture of points shows {whole} on their first two principal axes; no figure depends "
        "on it.",
    }


def matched_order(before: Contingency, after: Contingency) -> list[int | None]:
    """For each cluster after, the position of the cluster before that shares most rows with it.

    Parameters
    ----------
    before, after : Contingency
        Of the same rows.

    Returns
    -------
    list of int or None
        One to one; None where there are more clusters after than before.

    Examples
    --------
    >>> from faircluster.metrics.contingency import contingency
    >>> matched_order(contingency([0, 0, 1], list("aab")), contingency([1, 1, 0], list("aab")))
    [1, 0]
    """
    old, new = len(before.labels), len(after.labels)
    weights = after.groups.weights
    together = np.bincount(after.cluster * old + before.cluster, weights, minlength=old * new)
    rows, columns = linear_sum_assignment(-together.reshape(new, old))
    order: list[int | None] = [None] * new
    for j, i in zip(rows.tolist(), columns.tolist(), strict=True):
        order[j] = i
    return order
