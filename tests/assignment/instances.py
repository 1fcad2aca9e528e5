"""Small random problems of every kind; a seed and a few shapes, so that hypothesis can shrink them."""

import numpy as np
from hypothesis import strategies as st

from faircluster.bounds import FairnessBounds
from faircluster.groups import Groups

COSTS = ("normal", "ties", "constant", "labels", "points", "columns", "float32", "tiny", "huge", "offset")
WEIGHTS = (None, "whole", "real", "uneven", "one scale")
BOUNDS = (
    "none", "slack", "slack 0", "interval", "ratio", "balance", "max_share", "exact", "target", "explicit",
    "explicit per cluster", "per_cluster",
)  # fmt: skip
SIZES = (None, "least", "most", "both", "fixed")

seeds = st.integers(0, 2**32 - 1)


def make_cost(rng, kind, n, k):  # noqa: PLR0911
    match kind:
        case "normal":
            return rng.normal(size=(n, k))
        case "ties":
            return rng.integers(0, 3, (n, k)).astype(float)
        case "constant":
            return np.full((n, k), 7.0)
        case "labels":
            return (rng.integers(0, k, n)[:, None] != np.arange(k)).astype(float)
        case "columns":
            return np.repeat(rng.random((1, k)), n, axis=0)
        case "float32":
            return rng.random((n, k)).astype(np.float32)
        case "tiny":
            return rng.random((n, k)) * 1e-9
        case "huge":
            return rng.random((n, k)) * 1e9
        case "offset":
            return 1e3 + rng.random((n, k))
        case _:
            points, centers = rng.normal(size=(n, 2)), 3 * rng.normal(size=(k, 2))
            return ((points[:, None] - centers) ** 2).sum(axis=2)


def make_weights(rng, kind, n):
    match kind:
        case "whole":
            weights = rng.integers(0, 4, n).astype(float)
        case "real":
            weights = rng.random(n)
        case "uneven":
            weights = rng.choice([0.0, 0.5, 1.3, 100.0], n)
        case "one scale":
            weights = rng.random(n) * 1e-4
        case _:
            return None
    weights[0] += weights.sum() == 0
    return weights


def make_features(rng, n, attributes=None):
    """One attribute, two that overlap, or a membership matrix."""
    if attributes is None:
        attributes = int(rng.integers(0, 3))
    if attributes == 0:
        member = rng.random((n, 2)) < 0.5
        member[0] = True  # no group without members
        return member
    sizes = rng.integers(1, 4, attributes)
    columns = [[f"{name}{v}" for v in rng.integers(0, s, n)] for name, s in zip("pq", sizes, strict=False)]
    return np.array(columns).T


def make_bounds(rng, kind, names, k):  # noqa: PLR0911
    match kind:
        case "slack":
            return FairnessBounds.slack(rng.choice([0.2, 0.5, 0.8]))
        case "slack 0":
            return FairnessBounds.slack(0.0)
        case "interval":
            return FairnessBounds.interval(rng.choice([0.0, 0.1, 0.3]))
        case "ratio":
            return FairnessBounds.ratio(rng.choice([1.0, 0.8, 0.5]))
        case "balance":
            return FairnessBounds.balance(rng.choice([0.2, 0.5]))
        case "max_share":
            return FairnessBounds.max_share(rng.choice([0.6, 0.8, 0.9]))
        case "exact":
            return FairnessBounds.exact()
        case "target":
            return FairnessBounds.slack(0.5, target={names[0]: rng.choice([0.3, 0.5])})
        case "explicit":
            lower, upper = rng.choice([0.1, 0.3]), rng.choice([0.6, 0.8])
            return FairnessBounds.explicit(lower={names[0]: lower}, upper={names[-1]: upper})
        case "explicit per cluster":
            return FairnessBounds.explicit(upper={names[0]: 0.3 + 0.7 * rng.random(k)})
        case "per_cluster":
            kinds = rng.choice(["none", "slack", "interval", "balance", "exact", "explicit"], k)
            return FairnessBounds.per_cluster([make_bounds(rng, one, names, k) for one in kinds])
        case _:
            return FairnessBounds.from_any(None)


def make_sizes(rng, kind, total, k):
    match kind:
        case "least":
            return np.floor(total / (k + 1)), None
        case "most":
            return None, np.ceil(total / k) + rng.integers(0, 2)
        case "both":
            return np.floor(total / k), np.ceil(total / k)
        case "fixed":
            sizes = rng.multinomial(int(total), np.full(k, 1 / k)).astype(float)
            return sizes, sizes
        case _:
            return None, None


def make_groups(rng, n, weights=None, attributes=None):
    return Groups.from_features(make_features(rng, n, attributes), sample_weight=weights)


def make_quotas(rng, signature, n_signatures, k, weights, *, whole):
    """Random quotas with the right sums, several of them zero."""
    weights = np.ones(len(signature)) if weights is None else weights
    quotas = np.zeros((n_signatures, k))
    for s in range(n_signatures):
        total, shares = weights[signature == s].sum(), rng.dirichlet(np.full(k, 0.5))
        quotas[s] = rng.multinomial(int(total), shares) if whole else shares * total
    return quotas
