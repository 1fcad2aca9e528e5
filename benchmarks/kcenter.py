"""Fair k-center against published algorithms, on the data sets of their papers.

python -m benchmarks.kcenter [--missing] [--only data=c50 --only k=16] [--quick]

Jobs: ``fit`` (FairKCenter, many seeds a row), ``given`` (the same farthest-first centers for everybody: the
engine, strict, nearest and KFC's randomized rounding), ``joiner`` (Harb & Lam), ``bera``, ``ahmadian``,
``groups`` and ``large`` (growth), ``slack`` (what each slack costs).
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.harness import Task, forget_peak
from benchmarks.kcenter_data import DATA, drawn, load

CLUSTERS = (2, 4, 8, 16)
SLACKS = (0.2, 0.5)
SEEDS = 30
FEW_SEEDS = 10  # of whole fits with many clusters, which take up to half a minute each
DRAWS = 30  # randomized roundings a start
FINE_SLACKS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
GROUPS = (2, 5, 10, 20, 50, 100)
LARGE = (10_000, 100_000, 1_000_000, 2_500_000)
Instance = tuple[np.ndarray, Any]


# ---- faircluster


def fit(data: str, k: int, slack: float, seeds: int) -> dict[str, Any]:
    """FairKCenter as users call it, from different seeds; the first fit compiles and does not count."""
    from faircluster import FairKCenter

    X, sensitive = load(data)
    few = np.linspace(0, len(X) - 1, 400).astype(int)
    FairKCenter(2, bounds=0.9, random_state=0).fit(X[few], sensitive_features=sensitive.iloc[few])
    lines = []
    for seed in range(seeds):
        begun = time.perf_counter()
        model = FairKCenter(k, bounds=slack, random_state=seed).fit(X, sensitive_features=sensitive)
        lines.append(
            {
                "radius": model.radius_,
                "relaxed": model.relaxed_radius_,
                "plain": model.unconstrained_radius_,
                "lower_bound": model.lower_bound_,
                "gap": model.gap_,
                "violation": model.violation_,
                "status": model.status_,
                "seconds": time.perf_counter() - begun,
            }
        )
    return {"n": len(X), "lines": lines}


def given(data: str, k: int, slack: float, seeds: int) -> dict[str, Any]:
    """The engine at farthest-first centers: the relaxed radius alone, then whole points."""
    from faircluster.assignment.radius import solve_radius
    from faircluster.assignment.relaxed_radius import relaxed_radius
    from faircluster.bounds import FairnessBounds
    from faircluster.groups import Groups

    X, sensitive = load(data)
    groups = Groups.from_features(sensitive)
    few = np.linspace(0, len(X) - 1, 400).astype(int)
    solve_radius(_distances(X, 2, 0)[few], groups.subset(few), 0.9)
    lines = []
    for seed in range(seeds):
        distances = _distances(X, k, seed)

        def timed(rounding: str, distances: np.ndarray = distances) -> tuple[Any, float]:
            begun = time.perf_counter()
            result = solve_radius(distances, groups, slack, rounding=rounding)
            return result, time.perf_counter() - begun

        begun = time.perf_counter()
        relaxed_radius(distances, groups, FairnessBounds.slack(slack).rows(groups, k))
        relaxed_seconds = time.perf_counter() - begun
        strict, strict_seconds = timed("strict")
        nearest, nearest_seconds = timed("nearest")
        lines.append(
            {
                "seed": seed,
                "plain": strict.lower_bound,
                "relaxed": strict.relaxed_radius,
                "relaxed_seconds": relaxed_seconds,
                "radius": strict.radius,
                "gap": strict.gap,
                "violation": strict.violation,
                "status": strict.status,
                "seconds": strict_seconds,
                "nearest": {
                    "radius": nearest.radius,
                    "violation": nearest.violation,
                    "seconds": nearest_seconds,
                },
                "randomized": _randomized(distances, groups, slack),
            }
        )
    return {"n": len(X), "groups": groups.n_groups, "lines": lines}


def _randomized(distances: np.ndarray, groups: Any, slack: float) -> list[float]:
    """Violations of KFC's rounding."""
    from faircluster.assignment.radius_rounding import RadiusRounding, draw_labels
    from faircluster.assignment.relaxed_radius import RelaxedSearch
    from faircluster.assignment.transport import loads_of
    from faircluster.bounds import FairnessBounds

    rows = FairnessBounds.slack(slack).rows(groups, distances.shape[1])
    search = RelaxedSearch(distances, groups, rows)
    radius = search.run()
    if search.unbounded:
        return [0.0] * DRAWS
    target = RadiusRounding(search, groups, rows, None).relaxed(radius)
    random = np.random.RandomState(0)
    shape = (groups.n_signatures, distances.shape[1])
    drawn_labels = [draw_labels(search, groups, target, random) for _ in range(DRAWS)]
    loads = [loads_of(labels, groups.signature, groups.weights, shape) for labels in drawn_labels]
    return [round(rows.violation(load), 6) for load in loads]  # of points: more digits are noise


# ---- rivals, at the same centers


def joiner(
    data: str, k: int, slack: float, seed: int, limit: float, *, lowest_first: bool = True
) -> dict[str, Any]:
    """Harb & Lam: the frequency distributor's program, and their rounding, best of five draws."""
    from benchmarks.kcenter_rivals import draw_rounding, joiner_lp, violation

    X, sensitive = load(data)
    distances, (membership, lower, upper) = _distances(X, k, seed), _bounds(sensitive, slack)

    def work() -> dict[str, Any]:
        radius, solution, of_points = joiner_lp(
            distances, membership, lower, upper, limit, lowest_first=lowest_first
        )
        random = np.random.default_rng(seed)
        drawn_labels = [draw_rounding(solution, of_points, k, random) for _ in range(5)]
        broken = [violation(labels, membership, lower, upper, k) for labels in drawn_labels]
        return {"radius": radius, "violation": min(broken), "classes": int(of_points.max()) + 1}

    return _within(work)


def bisected(data: str, k: int, slack: float, seed: int, limit: float) -> dict[str, Any]:
    """``joiner`` by bisection only, as published: the radius without bounds is not tried first."""
    return joiner(data, k, slack, seed, limit, lowest_first=False)


def bera(data: str, k: int, slack: float, seed: int, limit: float) -> dict[str, Any]:
    """Bera et al.: the program over points, and their iterative rounding."""
    from benchmarks.kcenter_rivals import iterative_rounding, point_lp, violation

    X, sensitive = load(data)
    distances, (membership, lower, upper) = _distances(X, k, seed), _bounds(sensitive, slack)

    def work() -> dict[str, Any]:
        radius, solution = point_lp(distances, membership, lower, upper, limit)
        labels = iterative_rounding(solution, distances, membership, limit)
        own = distances[np.arange(len(labels)), labels]
        return {
            "radius": radius,
            "rounded": float(own.max()),
            "violation": violation(labels, membership, lower, upper, k),
        }

    return _within(work)


def ahmadian(data: str, k: int, cap: float, seed: int, limit: float) -> dict[str, Any]:
    """Ahmadian et al.: a cap on shares, 2 k candidate facilities; beside it FairKCenter under the cap."""
    from benchmarks.kcenter_rivals import capped_lp, violation
    from faircluster import FairKCenter, FairnessBounds

    X, sensitive = load(data)
    codes = sensitive.iloc[:, 0].astype("category").cat.codes.to_numpy()
    # at the share of the largest group itself every cluster would have to hold exactly that share
    cap = max(cap, 1.1 * float(np.bincount(codes).max()) / len(codes))
    places = _farthest_first(X, 2 * k, seed)
    distances = np.stack([_to(X, row) for row in places], axis=1)
    membership = codes[:, None] == np.arange(codes.max() + 1)
    bounds = FairnessBounds.explicit(upper=dict.fromkeys(sensitive.iloc[:, 0].unique(), cap))
    begun = time.perf_counter()
    model = FairKCenter(k, bounds=bounds, random_state=seed).fit(X, sensitive_features=sensitive.iloc[:, 0])
    ours = {
        "radius": model.radius_,
        "violation": model.violation_,
        "seconds": time.perf_counter() - begun,
    }

    def work() -> dict[str, Any]:
        relaxed, chosen, labels, radius = capped_lp(distances, codes, cap, k, limit, distances[places])
        none = np.zeros(membership.shape[1])
        broken = violation(labels, membership, none, none + cap, len(chosen))
        return {"relaxed": relaxed, "radius": radius, "violation": broken, "centers": len(chosen)}

    return {"cap": cap, "ours": ours, **_within(work)}


def _within(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The outcome with its seconds, or that the time was up."""
    from benchmarks.kcenter_rivals import OutOfTimeError

    begun = time.perf_counter()
    try:
        found = work()
    except OutOfTimeError:
        found = {"out_of_time": True}
    return {**found, "wall": time.perf_counter() - begun}


# ---- growth and slack


def groups(n: int, n_groups: int, k: int, slack: float, limit: float) -> dict[str, Any]:
    """Engine and joiner program at the same centers of drawn data, by the number of groups."""
    from benchmarks.kcenter_rivals import joiner_lp
    from faircluster.assignment.radius import solve_radius
    from faircluster.groups import Groups

    X, codes = drawn(n, 8, n_groups, 0)
    distances = _distances(X, k, 0)
    few = np.arange(400)
    solve_radius(distances[few], Groups.from_features(codes[few] % 2), 0.9)
    begun = time.perf_counter()
    result = solve_radius(distances, Groups.from_features(codes), slack)
    spent = time.perf_counter() - begun
    membership = codes[:, None] == np.arange(n_groups)
    shares = membership.mean(axis=0)
    lower, upper = (1 - slack) * shares, np.minimum(shares / (1 - slack), 1.0)

    def work() -> dict[str, Any]:
        return {"radius": joiner_lp(distances, membership, lower, upper, limit)[0]}

    ours = {
        "radius": result.radius,
        "relaxed": result.relaxed_radius,
        "violation": result.violation,
        "status": result.status,
        "seconds": spent,
    }
    return {"ours": ours, "joiner": _within(work)}


def large(n: int, d: int, n_groups: int, k: int, seed: int) -> dict[str, Any]:
    """FairKCenter on drawn data; memory from after the data are made."""
    from faircluster import FairKCenter

    X, codes = drawn(n, d, n_groups, seed)
    FairKCenter(4, random_state=0).fit(X[:2_000], sensitive_features=codes[:2_000])
    before = forget_peak()
    begun = time.perf_counter()
    model = FairKCenter(k, random_state=seed).fit(X, sensitive_features=codes)
    return {
        "radius": model.radius_,
        "relaxed": model.relaxed_radius_,
        "plain": model.unconstrained_radius_,
        "violation": model.violation_,
        "status": model.status_,
        "before_rss_mib": before,
        "wall": time.perf_counter() - begun,
    }


def slack(data: str, k: int, slacks: list[float], seeds: int) -> dict[str, Any]:
    """The strict radius for each slack, at farthest-first centers and after improvement."""
    from faircluster import FairKCenter
    from faircluster.assignment.radius import solve_radius
    from faircluster.groups import Groups

    X, sensitive = load(data)
    known = Groups.from_features(sensitive)
    lines = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for value in slacks:
            starts = [solve_radius(_distances(X, k, seed), known, value) for seed in range(seeds)]
            fits = [
                FairKCenter(k, bounds=value, random_state=seed).fit(X, sensitive_features=sensitive)
                for seed in range(seeds)
            ]
            lines.append(
                {
                    "slack": value,
                    "start": [result.radius for result in starts],
                    "relaxed": [result.relaxed_radius for result in starts],
                    "improved": [model.radius_ for model in fits],
                    "violation": max(model.violation_ for model in fits),
                    "plain": min(model.unconstrained_radius_ for model in fits),
                }
            )
    return {"lines": lines}


# ---- instances


def _to(X: np.ndarray, row: int) -> np.ndarray:
    return np.sqrt(np.maximum(((X - X[row]) ** 2).sum(axis=1), 0.0))


def _farthest_first(X: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Gonzalez, from a point drawn by the seed."""
    rows = [int(np.random.default_rng(seed).integers(len(X)))]
    least = _to(X, rows[0])
    while len(rows) < k:
        rows.append(int(np.argmax(least)))
        np.minimum(least, _to(X, rows[-1]), out=least)
    return np.array(rows)


def _distances(X: np.ndarray, k: int, seed: int) -> np.ndarray:
    return np.stack([_to(X, row) for row in _farthest_first(X, k, seed)], axis=1)


def _bounds(sensitive: Any, value: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Membership (n, g), lower and upper shares, without a line of the library."""
    columns = [
        (sensitive[name] == group).to_numpy() for name in sensitive for group in sensitive[name].unique()
    ]
    membership = np.stack(columns, axis=1)
    shares = membership.mean(axis=0)
    return membership, (1 - value) * shares, np.minimum(shares / (1 - value), 1.0)


JOBS = {
    "fit": fit,
    "given": given,
    "joiner": joiner,
    "bisected": bisected,
    "bera": bera,
    "ahmadian": ahmadian,
    "groups": groups,
    "large": large,
    "slack": slack,
}


def plan(quick: bool) -> Iterator[Task]:
    names = ["bank", "bank both"] if quick else list(DATA)
    clusters = CLUSTERS[:2] if quick else CLUSTERS
    seeds = 2 if quick else SEEDS
    for k in clusters:
        for data in names:
            for value in SLACKS:
                yield Task("given", {"data": data, "k": k, "slack": value, "seeds": seeds}, timeout=3600)
                fits = min(seeds, FEW_SEEDS) if k == max(CLUSTERS) else seeds
                yield Task("fit", {"data": data, "k": k, "slack": value, "seeds": fits}, timeout=7200)
    for n in (10_000,) if quick else LARGE:
        yield Task("large", {"n": n, "d": 8, "n_groups": 8, "k": 8 if quick else 32, "seed": 0})
    for number in GROUPS[:2] if quick else GROUPS:
        rest = {"k": 8, "slack": 0.2, "limit": 120.0}
        yield Task("groups", {"n": 2_000 if quick else 20_000, "n_groups": number, **rest})
    for data in names[:1] if quick else ("c50", "victorian", "4area", "census both", "creditcard both"):
        yield Task("slack", {"data": data, "k": 4, "slacks": list(FINE_SLACKS), "seeds": min(seeds, 3)})
    for k in clusters:
        for data in names:
            for value in SLACKS:
                yield Task("joiner", {"data": data, "k": k, "slack": value, "seed": 0, "limit": 300.0})
    for value in () if quick else SLACKS:
        yield Task("bisected", {"data": "4area", "k": 16, "slack": value, "seed": 0, "limit": 300.0})
    for k in clusters:
        for data in [name for name in names if not name.endswith("both")]:
            yield Task("bera", {"data": data, "k": k, "slack": 0.2, "seed": 0, "limit": 60.0})
            yield Task("ahmadian", {"data": data, "k": k, "cap": 0.5, "seed": 0, "limit": 60.0})


if __name__ == "__main__":
    sys.exit(harness.main("kcenter", JOBS, plan))
