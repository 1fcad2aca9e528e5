"""Assignment within group bounds: faircluster, strict and nearest, against the linear program over points.

python -m benchmarks.bounded [--quick]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.harness import Task, timed
from benchmarks.instances import checksum

REPEATS = 3


def assign(data: str, n: int, k: int, slack: float, seed: int, rounding: str) -> dict[str, Any]:
    """``solve`` on squared distances, after a first call on a small part has compiled the kernels."""
    from faircluster.assignment import AssignmentProblem, solve

    cost, groups = _instance(data, n, k, seed)
    part = np.arange(0, n, max(n // 1_000, 1))
    solve(AssignmentProblem(cost[part], groups.subset(part), slack, rounding="nearest"))
    problem = AssignmentProblem(cost, groups, slack, rounding=rounding)
    result, seconds = timed(lambda: solve(problem), REPEATS)
    return {
        "cost": result.cost,
        "lower_bound": result.lower_bound,
        "gap": result.gap,
        "violation": result.violation,
        "status": result.status,
        "seconds": seconds,
        "steps": result.seconds,
        "groups": groups.n_groups,
        "signatures": groups.n_signatures,
        "unconstrained_cost": float(cost.min(axis=1).sum()),
        "instance": checksum(cost),
    }


def lp(data: str, n: int, k: int, slack: float, seed: int, solver: str) -> dict[str, Any]:
    """HiGHS on the linear program over points, the same bounds as rows."""
    from benchmarks.point_lp import solve_point_lp
    from faircluster.bounds import FairnessBounds

    cost, groups = _instance(data, n, k, seed)
    rows = FairnessBounds.from_any(slack).rows(groups, k)
    low = np.full(rows.rhs.shape, -np.inf)
    solved = solve_point_lp(cost, groups.signature, rows.coef, low, rows.rhs, solver)
    return {**solved, "instance": checksum(cost)}


def _instance(data: str, n: int, k: int, seed: int) -> tuple[np.ndarray, Any]:
    """Squared distances (n, k) of n points, drawn if there are more, to k-means centers; and Groups."""
    from sklearn.cluster import KMeans

    from faircluster.groups import Groups

    X, sensitive = _adult() if data == "adult" else _blobs(n, k, seed)
    centers = KMeans(k, n_init=3, random_state=seed).fit(X).cluster_centers_
    if n < len(X):
        rows = np.sort(np.random.default_rng(seed).choice(len(X), n, replace=False))
        X, sensitive = X[rows], sensitive.iloc[rows] if data == "adult" else sensitive[rows]
    cost = np.zeros((n, k))
    for j, center in enumerate(centers):
        cost[:, j] = ((X - center) ** 2).sum(axis=1)
    return cost, Groups.from_features(sensitive)


def _adult() -> tuple[np.ndarray, Any]:
    """Six numeric columns scaled to [0, 1]; sex and race, 7 overlapping groups."""
    from sklearn.preprocessing import MinMaxScaler

    from faircluster.datasets import load_adult

    adult = load_adult()
    return MinMaxScaler().fit_transform(adult.X), adult.sensitive


def _blobs(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping blobs in which a cluster tells something of the group, 4 disjoint groups."""
    from faircluster.datasets import make_fair_blobs

    X, sensitive, _ = make_fair_blobs(
        n, 10, centers=k, cluster_std=3.0, groups=(0.4, 0.3, 0.2, 0.1), cluster_proxy=0.5, random_state=seed
    )
    return X, sensitive


JOBS = {"assign": assign, "lp": lp}


def plan(quick: bool) -> Iterator[Task]:
    rest: dict[str, Any] = {"slack": 0.2, "seed": 0}
    adult = [
        {"data": "adult", "n": n, "k": 10, **rest} for n in ((2_000,) if quick else (2_000, 10_000, 48_842))
    ]
    blobs = {"data": "blobs", "n": 2_000 if quick else 20_000, "k": 20, **rest}
    for instance in (*adult, blobs):
        for rounding in ("nearest", "strict"):
            yield Task("assign", {**instance, "rounding": rounding})
        if instance["n"] <= 10_000:
            for solver in ("simplex", "ipm"):
                yield Task("lp", {**instance, "solver": solver})


if __name__ == "__main__":
    sys.exit(harness.main("bounded", JOBS, plan))
