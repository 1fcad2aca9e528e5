"""Fair-Lloyd with exact center steps on whole tables, against Fair-Lloyd as published and plain k-means.

python -m benchmarks.social_lloyd [--missing] [--only k=16] [--quick]

All methods begin at the same starting centers, on the same core; the times are of the same minute. Data: the
folder of FAIRCLUSTER_DATA, else fetched.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.harness import Task, timed
from benchmarks.social_lp import whole_table

SETTINGS = ("adult sex", "adult race", "credit education", "credit sex")
CLUSTERS = (4, 6, 8, 10, 12, 14, 16)
STARTS, ITERATIONS = 10, 20


def compare(data: str, k: int, seed: int, rows: int | None = None, repeats: int = 5) -> dict[str, Any]:
    """The estimator, the published method and scikit-learn's KMeans on one table for one k."""
    if hasattr(os, "sched_setaffinity"):  # one core for all methods; before their thread pools are made
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    from benchmarks.social_lloyd_rival import fair_lloyd, group_costs
    from faircluster import SociallyFairKMeans
    from faircluster.groups import Groups
    from faircluster.social.center_step import center_step
    from faircluster.social.search import draw_starts
    from faircluster.social.sweep import GroupedPoints

    X, labels = (part[:rows] for part in whole_table(data))
    names, group = np.unique(labels, return_inverse=True)
    points = GroupedPoints(X, Groups.from_features(labels))
    # what the estimator itself draws for this seed
    starts = draw_starts(points, k, STARTS, np.random.RandomState(seed))

    def ours() -> Any:
        model = SociallyFairKMeans(k, method="lloyd", n_init=STARTS, random_state=seed)
        return model.fit(X, sensitive_features=labels)

    def plain() -> Any:
        fits = [KMeans(k, init=start, n_init=1, max_iter=ITERATIONS).fit(X) for start in starts]
        return min(fits, key=lambda fit: float(fit.inertia_))

    with threadpool_limits(1):
        ours(), plain()
        both = [(timed(ours, 1), timed(plain, 1)) for _ in range(repeats)]  # in turn: the same noise
        begun = time.perf_counter()
        centers, paid = fair_lloyd(X, group, starts, ITERATIONS)
        spent = time.perf_counter() - begun
    model, blind = both[0][0][0], both[0][1][0]
    step = center_step(points.sweep(model.cluster_centers_).model)
    seconds, kmeans_seconds = (sorted(run[at][1]["best"] for run in both) for at in (0, 1))
    again = group_costs(X, group, model.cluster_centers_)
    return {
        "groups": [str(name) for name in names],
        "cost": float(again.max()),
        "group_costs": again.tolist(),
        "cost_reported": float(model.cost_),
        "gap": float(model.gap_),
        "multipliers": model.multipliers_.tolist(),
        "step_gap": float(step.gap),
        "step_costs": step.costs.tolist(),
        "step_multipliers": step.multipliers.tolist(),
        "published": float(paid.max()),
        "published_group_costs": paid.tolist(),
        "published_step_gap": _gap_of(points, centers),
        "published_seconds": spent,
        "plain": float(group_costs(X, group, blind.cluster_centers_).max()),
        "plain_iterations": int(blind.n_iter_),
        "seconds": {"best": seconds[0], "median": seconds[len(seconds) // 2], "all": seconds},
        "kmeans_seconds": {
            "best": kmeans_seconds[0],
            "median": kmeans_seconds[len(kmeans_seconds) // 2],
            "all": kmeans_seconds,
        },
    }


def _gap_of(points: Any, centers: np.ndarray) -> float:
    """How much the worst group could still gain while the clusters of these centers stay, relatively."""
    from faircluster.social.center_step import center_step

    model = points.sweep(centers).model
    return float(model.value / center_step(model).lower_bound - 1.0)


def large(n: int, d: int, k: int, groups: int, seed: int) -> dict[str, Any]:
    """The estimator on a table of millions of rows, all cores."""
    from faircluster import SociallyFairKMeans

    rng = np.random.default_rng(seed)
    where = rng.integers(0, 2 * k, n)
    X = rng.normal(size=(n, d)) + 3.0 * rng.normal(size=(2 * k, d))[where]
    # groups of different sizes, each at home in other places
    chance = rng.dirichlet(np.linspace(1.0, 0.2, groups), size=2 * k).cumsum(axis=1)
    group = (rng.random(n)[:, None] > chance[where, :-1]).sum(axis=1)

    def fit(rows: int) -> Any:
        model = SociallyFairKMeans(k, method="lloyd", n_init=STARTS, random_state=seed)
        return model.fit(X[:rows], sensitive_features=group[:rows])

    fit(3_000)
    before = harness.forget_peak()
    model, seconds = timed(lambda: fit(n), 1)
    return {
        "cost": float(model.cost_),
        "gap": float(model.gap_),
        "group_sizes": np.bincount(group).tolist(),
        "group_costs": model.group_costs_.tolist(),
        "multipliers": model.multipliers_.tolist(),
        "iterations": int(model.n_iter_),
        "before_rss_mib": before,
        "seconds": seconds,
    }


JOBS: harness.Jobs = {"compare": compare, "large": large}


def plan(quick: bool) -> Iterator[Task]:
    for data in SETTINGS[:2] if quick else SETTINGS:
        for k in CLUSTERS[:1] if quick else CLUSTERS:
            params: dict[str, Any] = {"data": data, "k": k, "seed": 0}
            yield Task("compare", {**params, "rows": 2_000, "repeats": 1} if quick else params)
    yield Task("large", {"n": 20_000 if quick else 2_000_000, "d": 10, "k": 10, "groups": 4, "seed": 0})


if __name__ == "__main__":
    sys.exit(harness.main("social_lloyd", JOBS, plan))
