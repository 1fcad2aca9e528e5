"""Weighted samples in which every group is represented by as many points."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.centers.seeding import canonical_order
from faircluster.sampling import spread_sample
from faircluster.social.sweep import GroupedPoints

__all__ = ["social_coreset"]

Array = NDArray[Any]


def social_coreset(points: GroupedPoints, size: int) -> tuple[GroupedPoints, NDArray[np.intp]]:
    """Sample about ``size`` points, as many of every signature, to stand for all of them.

    Parameters
    ----------
    points : GroupedPoints
    size : int
        Number of points wanted. Signatures with fewer points than their share stay whole and leave the rest
        to the others.

    Returns
    -------
    sample : GroupedPoints
        In an order that depends on the points' values only. Weights add up to those of each signature.
    rows : ndarray of shape (n_sample,), int
        Rows of the points in the sample.

    Notes
    -----
    The maximum of sums over groups is kept within 1 +- eps if every group's sum is, so a union of samples by
    group will do (and by signature when groups overlap). Within a signature points are taken with
    probability proportional to ``1/2 + 1/2 cost to the mean / mean cost`` and weighted by its inverse, the
    lightweight coreset, so that far points are not missed. The draw is systematic: evenly spaced over the
    points in an order scattered by value, no random numbers. O(n d + n log n).

    References
    ----------
    Bachem, Lucic & Krause, "Scalable k-means clustering via lightweight coresets", KDD 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.groups import Groups
    >>> X = np.arange(100.0)[:, None]
    >>> sample, rows = social_coreset(GroupedPoints(X, Groups.from_features(["a"] * 90 + ["b"] * 10)), 20)
    >>> sample.groups.counts.round(6).tolist(), int((rows >= 90).sum())
    ([90.0, 10.0], 10)
    """
    groups = points.groups
    order = canonical_order(points.X)
    weights = np.ones(points.n_points) if groups.weights is None else groups.weights
    if points.n_points <= size:
        chosen, held = order, weights[order]
    else:
        order = order[np.argsort(groups.signature[order], kind="stable")]
        members = np.bincount(groups.signature, minlength=groups.n_signatures)
        parts = []
        for take, block in zip(_shares(members, size), np.split(order, np.cumsum(members)[:-1]), strict=True):
            parts.append(_sampled(points, block, weights[block], take))
        chosen = np.concatenate([rows for rows, _ in parts])
        held = np.concatenate([mass for _, mass in parts])
        scattered = canonical_order(points.X[chosen])
        chosen, held = chosen[scattered], held[scattered]
    part = replace(groups, signature=groups.signature[chosen], weights=held)
    return GroupedPoints(points.X[chosen], part, points.power), chosen


def _shares(members: Array, size: int) -> Array:
    """How many points to take of each signature: equally many, and all of those that have fewer."""
    take = np.zeros(len(members), dtype=np.intp)
    open_ = members > 0
    left = size
    while open_.any():
        share = max(left // int(open_.sum()), 1)
        small = open_ & (members <= share)
        if not small.any():
            take[open_] = share
            break
        take[small] = members[small]
        left -= int(members[small].sum())
        open_ &= ~small
    return take


def _sampled(points: GroupedPoints, rows: Array, weights: Array, take: int) -> tuple[Array, Array]:
    """Sample of some rows, and the weights to give it."""
    found, held = spread_sample(points.X[rows], weights, take, points.power)
    return rows[found], held
