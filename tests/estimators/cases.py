"""Data for the estimators and definitions of the bounds, written down without the library's own rows."""

import numpy as np
import pandas as pd

from faircluster.bounds import FairnessBounds as Bounds

# starts that make a fit quick; tests of the search itself say otherwise
QUICK = {"n_init": 1, "n_swaps": 0, "random_state": 0}


def make_points(n=60, seed=0):
    """Three blobs; groups follow the blobs, so fairness costs something."""
    rng = np.random.default_rng(seed)
    blob = np.repeat([0, 1, 2], -(-n // 3))[:n]
    X = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])[blob] + rng.normal(size=(n, 2))
    sex = np.where(rng.random(n) < np.array([0.7, 0.5, 0.3])[blob], "F", "M")
    age = np.array(["old", "young"])[(rng.random(n) < np.array([0.3, 0.6, 0.6])[blob]).astype(int)]
    return X, pd.DataFrame({"sex": sex, "age": age})


def squared_distances(X, centers):
    return ((X[:, None] - centers[None]) ** 2).sum(axis=2)


def cost_of(X, centers, labels, weights=None, power=2):
    """Cost of the labels from the definition."""
    own = np.linalg.norm(X.astype(float) - centers.astype(float)[labels], axis=1) ** power
    return float(own.sum() if weights is None else own @ weights)


def slack(count, p, size):
    return max(0.8 * p * size - count, count - p / 0.8 * size)


def interval(count, p, size):
    return max((p - 0.1) * size - count, count - (p + 0.1) * size)


def ratio(count, p, size):
    return max(0.7 * p * size - count, count - p / 0.7 * size)


def max_share(count, p, size):
    return count - 0.65 * size


def exact(count, p, size):
    return 0.0 if abs(count - p * size) < 1 - 1e-9 else abs(count - p * size)


BY_GROUP = {
    "slack": (0.2, slack),
    "interval": (Bounds.interval(0.1), interval),
    "ratio": (Bounds.ratio(0.7), ratio),
    "max_share": (Bounds.max_share(0.65), max_share),
    "exact": ("exact", exact),
}


def group_counts(labels, column, k, weights=None):
    """Weight of each value of the column in each cluster: dict from value to an array of length k."""
    weights = np.ones(len(labels)) if weights is None else weights
    column = np.asarray(column)
    values = np.unique(column[weights > 0])
    return {v: np.bincount(labels[column == v], weights[column == v], minlength=k) for v in values}


def excess_by_group(rule, labels, frame, k, weights=None):
    """Largest excess over a rule that looks at one group of one cluster at a time, in points."""
    worst = 0.0
    for name in frame.columns:
        counts = group_counts(labels, frame[name], k, weights)
        sizes = sum(counts.values())
        for count in counts.values():
            p = count.sum() / sizes.sum()
            worst = max([worst, *(rule(count[j], p, sizes[j]) for j in range(k))])
    return worst if worst > 1e-9 else 0.0


def excess_of_balance(t, labels, frame, k, weights=None):
    worst = 0.0
    for name in frame.columns:
        counts = group_counts(labels, frame[name], k, weights)
        for a in counts.values():
            for b in counts.values():
                if a is not b:
                    worst = max(worst, float((t * b - a).max()))
    return worst if worst > 1e-9 else 0.0
