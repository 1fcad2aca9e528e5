"""Small random instances, brute force over all sets of k facilities, and the dense linear program."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from faircluster.groups import Groups
from faircluster.social import SocialInstance


@dataclass(frozen=True)
class Small:
    """An instance with its costs (n, f), power and k."""

    instance: SocialInstance
    cost: np.ndarray

    @property
    def k(self):
        return self.instance.n_clusters


def draw(seed, *, n_max=12, f_max=10, metric=False):
    """Clients and facilities, overlapping or weighted groups, p in {1, 2, 3}; some points coincide."""
    rng = np.random.default_rng(seed)
    n, f = int(rng.integers(3, n_max + 1)), int(rng.integers(3, f_max + 1))
    power = int(rng.integers(1, 4))
    k = int(rng.integers(1, min(4, f) + 1))
    m = int(rng.integers(1, 5))
    X = rng.integers(0, 6, size=(n, 2)).astype(float) if rng.random() < 0.3 else rng.normal(size=(n, 2))
    F = X if rng.random() < 0.4 else rng.normal(size=(f, 2))
    k = min(k, len(F))
    membership = rng.random((n, m)) < 0.6
    membership[rng.integers(n), :] = True  # no group is empty
    if rng.random() < 0.5:  # disjoint groups, some rows in none
        membership = np.eye(m, dtype=bool)[np.append(np.arange(m), rng.integers(m, size=max(n - m, 0)))[:n]]
        membership = membership[:, membership.any(axis=0)]
        membership[rng.random(n) < 0.1] = False
        membership = membership[:, membership.any(axis=0)]
        if membership.shape[1] == 0:
            membership = np.ones((n, 1), dtype=bool)
    sample_weight = rng.integers(0, 4, size=n) + 0.0 if rng.random() < 0.4 else None
    if sample_weight is not None:
        sample_weight[membership.argmax(axis=0)] += 1.0
    groups = Groups.from_features(membership, sample_weight=sample_weight)
    distance = np.sqrt(((X[:, None] - F[None]) ** 2).sum(axis=2))
    if metric:
        instance = SocialInstance.from_distances(distance, groups, k, power)
    else:
        instance = SocialInstance.from_points(X, groups, k, power, facilities=F)
    return Small(instance, distance**power)


def brute_force(small, k=None):
    """Cheapest set of k facilities and its cost."""
    found = [
        ((small.instance.weights @ small.cost[:, list(chosen)].min(axis=1)).max(), chosen)
        for chosen in combinations(range(small.cost.shape[1]), k or small.k)
    ]
    return min(found)


def dense_lp(small, limit=None):
    """Value of the relaxation as one program for HiGHS; infinite when limits leave no solution."""
    (n, f), (m, _) = small.cost.shape, small.instance.weights.shape
    pairs = n * f
    cost = np.append(np.zeros(pairs + f), 1.0)
    serve = sp.hstack([sp.kron(sp.eye(n), np.ones((1, f))), sp.csr_matrix((n, f + 1))])
    link = sp.hstack([sp.eye(pairs), -sp.kron(np.ones((n, 1)), sp.eye(f)), sp.csr_matrix((pairs, 1))])
    count = sp.csr_matrix(np.concatenate([np.zeros(pairs), np.ones(f), [0.0]])[None, :])
    paid = (small.instance.weights[:, :, None] * small.cost[None]).reshape(m, pairs)
    group = sp.csr_matrix(np.hstack([paid, np.zeros((m, f)), -np.ones((m, 1))]))
    above = np.concatenate([np.zeros(pairs), [small.k], np.zeros(m)])
    high = np.full(pairs, np.inf)
    if limit is not None:
        high[(small.cost > limit[:, None]).ravel()] = 0.0
    bounds = np.column_stack([np.zeros(pairs + f + 1), np.concatenate([high, np.full(f + 1, np.inf)])])
    found = linprog(
        cost, sp.vstack([link, count, group]), above, serve, np.ones(n), bounds=bounds, method="highs"
    )
    return found.fun if found.status == 0 else np.inf
