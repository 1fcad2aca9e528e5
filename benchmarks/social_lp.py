"""Socially fair clustering with guarantees against published algorithms, certified by the relaxation.

python -m benchmarks.social_lp [--missing] [--only n=500 --only p=1] [--quick]

A task is one sample of one data set for one power, all numbers of clusters in turn; ``--missing`` goes on
after an interruption. All methods round the same relaxation (Makarychev & Vakilian's is strengthened as they
ask). Costs of the rivals are those of the published methods; how far the same local search as ours brings
them is told beside. Data: the folder of FAIRCLUSTER_DATA, else fetched.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.harness import Task

CLUSTERS = (4, 6, 8, 10, 12, 14, 16)
SETTINGS = ("adult sex", "adult race", "credit education", "credit sex", "compas race")
SIZES = (500, 1_000, 2_000)
SAMPLES = range(5)


def whole_table(data: str) -> tuple[np.ndarray, np.ndarray]:
    """All rows of a data set, standardised, and their groups."""
    from faircluster import datasets

    name, group = data.split()
    load = {"adult": "load_adult", "credit": "load_credit_default", "compas": "load_compas"}[name]
    table = getattr(datasets, load)()
    X = (table.X - table.X.mean(axis=0)) / table.X.std(axis=0)
    if group == "education":  # graduate school or university, against all others
        return X, np.where(table.sensitive["EDUCATION"].to_numpy(dtype=np.int64) <= 2, "higher", "lower")
    column = group.upper() if name == "credit" else group
    return X, np.asarray(table.sensitive[column]).astype(str)


def sample(data: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a data set, standardised over all of it, and their groups."""
    X, labels = whole_table(data)
    rows = np.random.default_rng([seed, n]).choice(len(X), n, replace=False)
    return X[rows], labels[rows]


def compare(data: str, n: int, p: int, seed: int, clusters: list[int]) -> dict[str, Any]:
    """All methods on one sample, for every number of clusters."""
    from faircluster.groups import Groups

    X, labels = sample(data, n, seed)
    groups = Groups.from_features(labels)
    _line(
        X[:40], Groups.from_features(labels[:40]), 2, p, seed
    )  # compiled code is loaded before clocks start
    begun = time.perf_counter()
    lines = [_line(X, groups, k, p, seed) for k in clusters]
    return {
        "groups": len(groups.names),
        "smallest_group": int(groups.counts.min()),
        "all_seconds": time.perf_counter() - begun,
        "lines": lines,
    }


def _line(X: np.ndarray, groups: Any, k: int, p: int, seed: int) -> dict[str, Any]:
    from benchmarks.social_rivals import abbasi, goyal_jaiswal, group_blind, makarychev_vakilian
    from faircluster.social import SocialInstance, SocialSolver
    from faircluster.social.strengthening import strengthen
    from faircluster.social.swaps import SwapSearch

    solver = SocialSolver(SocialInstance.from_points(X, groups, k, p), random_state=seed)
    exact = solver.solve()
    plain = solver.solve(polish=False)
    more = solver.solve(bicriteria=True)
    part, relaxation = solver.merged.instance, solver.relaxation
    m, draw = part.n_groups, np.random.default_rng(seed)
    same = {j: i for i, j in enumerate(solver.merged.facilities)}
    mine = np.array([same[j] for j in exact.centers])
    stronger = strengthen(part, relaxation, mine, tolerance=0.01)
    y, limit = stronger.relaxation.y, stronger.limit
    search = SwapSearch(part)
    rivals, ours = [], {more.n_centers: more}
    for eps in (m / (k + m), 1 / 3, 1 / 2):
        theirs = abbasi(part, relaxation.y, eps)
        most = min(len(theirs), k + m - 1)
        if most not in ours:
            ours[most] = solver.solve(bicriteria=True, max_centers=most)
        rivals.append(
            {
                "eps": eps,
                "centers": len(theirs),
                "cost": part.cost(theirs),
                "polished": part.cost(search.improve(theirs)),
                "our_centers": ours[most].n_centers,
                "our_cost": ours[most].cost,
            }
        )
    mv = makarychev_vakilian(part, y, limit if np.isfinite(limit).all() else None, draw)
    return {
        "k": k,
        "bound": exact.lower_bound,
        "stronger_bound": max(stronger.lower_bound, exact.lower_bound),
        "value": relaxation.value,
        "gap": relaxation.gap,
        "seconds": {**exact.seconds, "total": sum(exact.seconds.values())},
        "cost": exact.cost,
        "rounded": plain.cost,
        "factor": exact.factor,
        "bicriteria": {
            "centers": more.n_centers,
            "cost": more.cost,
            "rounded_centers": len(solver.rounded.centers),
            "rounded_cost": part.cost(solver.rounded.centers),
        },
        "abbasi": rivals,
        "makarychev_vakilian": part.cost(mv),
        "makarychev_vakilian_polished": part.cost(search.improve(mv)),
        "goyal_jaiswal": part.cost(goyal_jaiswal(part, abbasi(part, relaxation.y, 0.5))),
        "group_blind": part.cost(group_blind(part, groups.shares, 3, draw)),
    }


JOBS = {"compare": compare}


def plan(quick: bool) -> Iterator[Task]:
    clusters = [4, 8] if quick else list(CLUSTERS)
    # two samples everywhere before the rest: an unfinished run then has rows of all kinds
    for seeds in (range(1),) if quick else (SAMPLES[:2], SAMPLES[2:]):
        for n in (200,) if quick else SIZES:
            for seed in seeds:
                for data in ("adult sex", "adult race") if quick else SETTINGS:
                    for p in (1, 2):
                        params = {"data": data, "n": n, "p": p, "seed": seed, "clusters": clusters}
                        yield Task("compare", params, timeout=7_200)


if __name__ == "__main__":
    sys.exit(harness.main("social_lp", JOBS, plan))
