"""Fair-Lloyd as published: Ghadiri, Samadi & Vempala, "Socially fair k-means clustering" (FAccT 2021).

Written down from the paper, without the slips of the authors' code: a restart is kept when its worst group
pays less, the last step is an assignment whose cost is measured, and clusters without members keep their
centers. NumPy only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fair_lloyd", "group_costs"]

Array = NDArray[Any]
BISECTIONS, NARROW = 64, 1e-10  # the line search of the authors' code
ROUNDS = 200  # of multiplicative weights; the best of all their centers is kept


def fair_lloyd(X: Array, group: Array, starts: list[Array], iterations: int) -> tuple[Array, Array]:
    """Centers of the best start and what every group pays.

    ``group`` numbers the groups of the rows; every start is given ``iterations`` rounds of an assignment and
    a fair center step.
    """
    best, least = starts[0], np.inf
    for start in starts:
        centers = start
        for _ in range(iterations):
            centers = _center_step(X, group, _nearest(X, centers), centers)
        cost = float(group_costs(X, group, centers).max())
        if cost < least:
            best, least = centers, cost
    return best, group_costs(X, group, best)


def group_costs(X: Array, group: Array, centers: Array) -> NDArray[np.float64]:
    """Mean squared distance of each group to its nearest centers, from the definition."""
    own = ((X - centers[_nearest(X, centers)]) ** 2).sum(axis=1)
    return np.bincount(group, own) / np.bincount(group)


def _nearest(X: Array, centers: Array) -> NDArray[np.intp]:
    return np.asarray(((centers**2).sum(axis=1) - 2.0 * (X @ centers.T)).argmin(axis=1))


def _center_step(X: Array, group: Array, labels: Array, centers: Array) -> Array:
    """Shares, means and spread of the groups in the clusters, then the search over weights of the groups."""
    k, m = len(centers), int(group.max()) + 1
    place = group * k + labels
    counts = np.bincount(place, minlength=m * k).reshape(m, k)
    sums = np.array([np.bincount(place, column, minlength=m * k) for column in X.T]).T.reshape(m, k, -1)
    means = sums / np.maximum(counts, 1)[:, :, None]
    alpha = counts / counts.sum(axis=1, keepdims=True)
    spread = np.bincount(group, ((X - means[group, labels]) ** 2).sum(axis=1)) / counts.sum(axis=1)
    search = _line_search if m == 2 else _multiplicative_weights
    return search(alpha, means, spread, centers)


def _costs(alpha: Array, means: Array, spread: Array, centers: Array) -> Array:
    return spread + (alpha * ((means - centers) ** 2).sum(axis=2)).sum(axis=1)


def _weighted_means(gamma: Array, alpha: Array, means: Array, centers: Array) -> Array:
    """Centers that are best for a weighted sum of the groups' costs."""
    mass = gamma[:, None] * alpha
    total = mass.sum(axis=0)
    found = (mass[:, :, None] * means).sum(axis=0) / np.where(total > 0, total, 1.0)[:, None]
    return np.where(total[:, None] > 0, found, centers)


def _line_search(alpha: Array, means: Array, spread: Array, centers: Array) -> Array:
    """Two groups: bisection on the weight of the first until both pay the same."""
    low, high = 0.0, 1.0
    middle = centers
    for _ in range(BISECTIONS):
        gamma = 0.5 * (low + high)
        # a center only one group needs stays at its mean, whatever the weight
        middle = _weighted_means(np.array([gamma, 1.0 - gamma]), alpha, means, centers)
        first, second = _costs(alpha, means, spread, middle)
        if high - low < NARROW or first == second:
            break
        low, high = (gamma, high) if first > second else (low, gamma)
    return middle


def _multiplicative_weights(alpha: Array, means: Array, spread: Array, centers: Array) -> Array:
    """More groups: weights grow with what a group pays; the best centers on the way, or their mean.

    Costs are scaled to between 0 and 1 in each round, which serves the method well: they hardly differ.
    """
    m = len(alpha)
    gamma, rate = np.full(m, 1.0 / m), np.sqrt(np.log(m) / ROUNDS)
    tried = []
    for _ in range(ROUNDS):
        tried.append(_weighted_means(gamma, alpha, means, centers))
        cost = _costs(alpha, means, spread, tried[-1])
        if not cost.max() > cost.min():
            break
        gamma = gamma * (1.0 + rate * (cost - cost.min()) / (cost.max() - cost.min()))
        gamma /= gamma.sum()
    tried.append(np.mean(tried, axis=0))
    return min(tried, key=lambda at: float(_costs(alpha, means, spread, at).max()))
