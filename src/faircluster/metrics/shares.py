"""The table behind an audit: the share of each group in each cluster, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from faircluster.metrics.contingency import Contingency, contingency

__all__ = ["GroupShares", "group_shares"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GroupShares:
    """Share of each group in each cluster, with confidence intervals.

    Attributes
    ----------
    labels : ndarray of shape (k,), int64
        Label of each cluster.
    names : tuple of g str
    attributes : tuple of g str
        Attribute each group comes from.
    sizes : ndarray of shape (k,), float64
        Weight of each cluster.
    counts : ndarray of shape (k, g), float64
        Weight of each group in each cluster.
    shares : ndarray of shape (k, g), float64
        ``counts / sizes``; NaN for an empty cluster.
    lower, upper : ndarray of shape (k, g), float64
        Wilson score interval of each share; 0 and 1 for an empty cluster.
    population : ndarray of shape (g,), float64
        Share of each group in the data.
    confidence : float
    """

    labels: NDArray[np.int64]
    names: tuple[str, ...]
    attributes: tuple[str, ...]
    sizes: Floats
    counts: Floats
    shares: Floats
    lower: Floats
    upper: Floats
    population: Floats
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers for JSON; the share in an empty cluster is None.

        Examples
        --------
        >>> group_shares([0, 0], ["a", "b"]).to_dict()["clusters"][0]["groups"]["a"]["share"]
        0.5
        """
        clusters = []
        for j, (label, size) in enumerate(zip(self.labels.tolist(), self.sizes.tolist(), strict=True)):
            columns = zip(self.counts[j], self.shares[j], self.lower[j], self.upper[j], strict=True)
            groups = {
                name: {
                    "count": float(count),
                    "share": float(share) if size > 0 else None,
                    "lower": float(low),
                    "upper": float(high),
                }
                for name, (count, share, low, high) in zip(self.names, columns, strict=True)
            }
            clusters.append({"label": label, "size": size, "groups": groups})
        return {
            "confidence": self.confidence,
            "attributes": dict(zip(self.names, self.attributes, strict=True)),
            "population": dict(zip(self.names, self.population.tolist(), strict=True)),
            "clusters": clusters,
        }


def group_shares(
    labels: ArrayLike,
    sensitive_features: Any,
    confidence: float = 0.95,
    sample_weight: ArrayLike | None = None,
    n_clusters: int | None = None,
) -> GroupShares:
    """Share of each group in each cluster, with Wilson score intervals.

    Parameters
    ----------
    labels : array-like of shape (n,), integers
        Every distinct integer is a cluster, -1 too.
    sensitive_features : Groups or anything `Groups.from_features` accepts
    confidence : float, default 0.95
        Coverage of each interval on its own, in (0, 1).
    sample_weight : array-like of shape (n,), optional
        Only with columns; a `Groups` already carries its weights.
    n_clusters : int, optional
        Clusters are then 0 to ``n_clusters - 1``, with rows for the empty ones.

    Returns
    -------
    GroupShares

    Raises
    ------
    ValueError
        When ``confidence`` is outside (0, 1), the lengths differ, or the labels are not integers or out of
        range.

    Notes
    -----
    The intervals treat a cluster as a random sample and say how well its points pin down the share among
    further points like them. Under weights the sample size is the effective one of Kish,
    ``(sum w)^2 / sum w^2``. O(n) per call.

    Examples
    --------
    >>> table = group_shares([0] * 10, ["a"] * 4 + ["b"] * 6)
    >>> table.names, table.shares[0]
    (('a', 'b'), array([0.4, 0.6]))
    >>> table.lower[0].round(3), table.upper[0].round(3)
    (array([0.168, 0.313]), array([0.687, 0.832]))
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1, got {confidence!r}; 0.95 is usual")
    table = contingency(labels, sensitive_features, sample_weight, n_clusters)
    counts, sizes, groups = table.counts.T, table.sizes, table.groups
    shares = np.full(counts.shape, np.nan)
    np.divide(counts, sizes[:, None], out=shares, where=table.occupied[:, None])
    lower, upper = np.zeros_like(shares), np.ones_like(shares)
    occupied = table.occupied
    size = _effective_sizes(table)[occupied, None]
    lower[occupied], upper[occupied] = _wilson(shares[occupied], size, confidence)
    return GroupShares(
        table.labels,
        groups.names,
        groups.attributes,
        sizes,
        counts,
        shares,
        lower,
        upper,
        groups.shares,
        confidence,
    )


def _effective_sizes(table: Contingency) -> Floats:
    """Kish's effective sample size of each cluster, shape (k,)."""
    weights = table.groups.weights
    if weights is None or table.groups.counted:
        return table.sizes
    squares = np.bincount(table.cluster, weights=weights**2, minlength=len(table.labels))
    return np.divide(table.sizes**2, squares, out=np.zeros_like(squares), where=squares > 0)


def _wilson(share: Floats, size: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Wilson score interval of a proportion seen in a sample of this size."""
    z = float(ndtri(0.5 + confidence / 2))
    spread = z * np.sqrt(share * (1 - share) / size + (z / (2 * size)) ** 2)
    middle = share + z**2 / (2 * size)
    scale = 1 + z**2 / size
    # The interval holds the share it is for; rounding must not push a limit past it or out of [0, 1].
    lower = np.clip((middle - spread) / scale, 0.0, share)
    upper = np.clip((middle + spread) / scale, share, 1.0)
    return lower, upper
