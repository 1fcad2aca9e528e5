"""Exact transport with fixed quotas: faircluster against OR-tools, POT and HiGHS; warm starts; growth.

python -m benchmarks.transport [--quick] [--rivals PYTHON]
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.harness import Task, timed
from benchmarks.instances import KINDS, checksum, draw_costs, draw_points, draw_quotas

REPEATS = 7
SCALE = 1_000_000  # OR-tools takes whole costs: rounded after this factor

# ---- faircluster


def transport(instance: str, n: int, k: int, seed: int, cores: int | None = None) -> dict[str, Any]:
    """The kernel itself on a cost matrix in memory."""
    if cores is not None:  # before the pool of threads exists: it asks for the usable cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    cost = draw_costs(instance, n, k, seed)
    kernel = _compiled(cost[:10_000])
    quotas = draw_quotas(n, k, seed)
    moved, seconds = timed(lambda: kernel(cost, quotas), REPEATS)
    return {"optimum": float(moved.values.sum()), "seconds": seconds, "instance": checksum(cost)}


def solve(instance: str, n: int, k: int, seed: int) -> dict[str, Any]:
    """The front door, ``solve(AssignmentProblem)``: checks of the input and the certificate included."""
    from faircluster import assignment

    cost, quotas = draw_costs(instance, n, k, seed), draw_quotas(n, k, seed)
    _compiled(cost[:10_000])
    problem = assignment.AssignmentProblem(cost, size_min=quotas, size_max=quotas)
    result, seconds = timed(lambda: assignment.solve(problem), REPEATS)
    return {
        "optimum": result.cost,
        "gap": result.gap,
        "violation": result.violation,
        "seconds": seconds,
        "instance": checksum(cost),
    }


def large(instance: str, n: int, k: int, seed: int, lazy: bool = False) -> dict[str, Any]:
    """The kernel on float32, as for the largest problems; ``lazy``: costs from points and centers."""
    from faircluster.distances import DistanceCosts

    if lazy:
        X, centers = draw_points(n, k, seed, "float32")
        source: Any = DistanceCosts(X, centers)
        kernel = _compiled(DistanceCosts(X[:10_000], centers))
    else:
        source = draw_costs(instance, n, k, seed, "float32")
        kernel = _compiled(source[:10_000])
    quotas = draw_quotas(n, k, seed)
    before = harness.forget_peak()
    moved, seconds = timed(lambda: kernel(source, quotas), 3)
    return {"optimum": float(moved.values.sum()), "seconds": seconds, "before_rss_mib": before}


def resolve(instance: str, n: int, k: int, seed: int, change: str) -> dict[str, Any]:
    """After a change of 1 % of the costs: from the last prices, against from nothing.

    "rows": one point in a hundred is another one. "noise": each cost is off by 1 % (standard deviation).
    """
    spare = max(n // 100, 1)
    drawn, quotas = draw_costs(instance, n + spare, k, seed), draw_quotas(n, k, seed)
    rng = np.random.default_rng([seed, n, k, 4])
    cost, changed = drawn[:n], drawn[:n].copy()
    if change == "rows":
        changed[rng.choice(n, spare, replace=False)] = drawn[n:]
    else:
        changed *= 1.0 + 0.01 * rng.normal(size=cost.shape)
    kernel = _compiled(cost[:10_000])
    prices = kernel(cost, quotas).prices
    cold, cold_seconds = timed(lambda: kernel(changed, quotas), REPEATS)
    warm, warm_seconds = timed(lambda: kernel(changed, quotas, prices), REPEATS)
    return {
        "cold_optimum": float(cold.values.sum()),
        "optimum": float(warm.values.sum()),
        "cold_seconds": cold_seconds,
        "seconds": warm_seconds,
    }


def _compiled(sample: Any) -> Callable[..., Any]:
    """The kernel for one signature, after a first call with a small sample of the same kind."""
    from faircluster.assignment.transport import transport as kernel
    from faircluster.distances import as_cost_source

    def call(cost: Any, quotas: np.ndarray, prices: np.ndarray | None = None) -> Any:
        source = as_cost_source(cost)
        wanted = np.asarray(quotas, dtype=np.float64)[None, :]
        return kernel(source, np.zeros(source.shape[0], dtype=np.int32), wanted, prices)

    n, k = as_cost_source(sample).shape
    call(sample, draw_quotas(n, k, 0))
    return call


# ---- rivals


def ortools(instance: str, n: int, k: int, seed: int) -> dict[str, Any]:
    """SimpleMinCostFlow on whole costs, arcs added as arrays."""
    from ortools.graph.python import min_cost_flow

    cost, quotas = draw_costs(instance, n, k, seed), draw_quotas(n, k, seed)
    parts: list[tuple[float, float]] = []

    def work() -> Any:
        begun = time.perf_counter()
        flow = min_cost_flow.SimpleMinCostFlow()
        flow.add_arcs_with_capacity_and_unit_cost(
            np.repeat(np.arange(n, dtype=np.int32), k),
            np.tile(np.arange(n, n + k, dtype=np.int32), n),
            np.ones(n * k, dtype=np.int64),
            np.rint(cost * SCALE).astype(np.int64).ravel(),
        )
        flow.set_nodes_supplies(
            np.arange(n + k, dtype=np.int32), np.concatenate([np.ones(n, dtype=np.int64), -quotas])
        )
        built = time.perf_counter()
        if flow.solve() != flow.OPTIMAL:
            raise RuntimeError("OR-tools found no optimum")
        parts.append((built - begun, time.perf_counter() - built))
        return flow

    flow, seconds = timed(work, REPEATS)
    labels = flow.flows(np.arange(n * k)).reshape(n, k).argmax(axis=1)
    return {
        "optimum": flow.optimal_cost() / SCALE,
        "cost": float(cost[np.arange(n), labels].sum()),  # of its labels, unrounded
        "seconds": seconds,
        "build_seconds": float(np.median([build for build, _ in parts])),
        "solve_seconds": float(np.median([solve for _, solve in parts])),
        "instance": checksum(cost),
    }


def pot(instance: str, n: int, k: int, seed: int) -> dict[str, Any]:
    """``ot.emd``, the network simplex of POT."""
    import ot

    cost, quotas = draw_costs(instance, n, k, seed), draw_quotas(n, k, seed)
    supply, demand = np.ones(n), quotas.astype(np.float64)
    (_, log), seconds = timed(
        lambda: ot.emd(supply, demand, cost, numItermax=1_000_000_000, log=True), REPEATS
    )
    if log["warning"]:
        raise RuntimeError(f"POT found no optimum: {log['warning']}")
    return {"optimum": float(log["cost"]), "seconds": seconds, "instance": checksum(cost)}


def highs(instance: str, n: int, k: int, seed: int, solver: str) -> dict[str, Any]:
    """HiGHS on the linear program over points."""
    from benchmarks.point_lp import solve_point_lp

    cost, quotas = draw_costs(instance, n, k, seed), draw_quotas(n, k, seed)
    sizes = quotas[:, None].astype(np.float64)
    solved = solve_point_lp(cost, np.zeros(n, dtype=np.int32), np.ones((k, 1, 1)), sizes, sizes, solver)
    return {**solved, "instance": checksum(cost)}


JOBS = {
    "transport": transport,
    "solve": solve,
    "large": large,
    "resolve": resolve,
    "ortools": ortools,
    "pot": pot,
    "highs": highs,
}


def plan(quick: bool) -> Iterator[Task]:
    sizes = [(3_000, 5), (2_000, 8)] if quick else [(120_000, 10), (50_000, 20)]
    seed = {"seed": 0}
    for n, k in sizes:
        for kind in KINDS:
            one = {"instance": kind, "n": n, "k": k, **seed}
            yield Task("transport", one)
            yield Task("transport", {**one, "cores": 1})
            yield Task("solve", one)
            yield Task("ortools", one, rival=True)
            yield Task("pot", one, rival=True)
            for change in ("rows", "noise"):
                yield Task("resolve", {**one, "change": change})
    for kind in KINDS:
        small = {"instance": kind, "n": 200 if quick else 2_000, "k": 10, **seed}
        yield Task("transport", small)
        yield Task("highs", {**small, "solver": "simplex"})
        yield Task("highs", {**small, "solver": "ipm"})
    for kind in ("uniform", "blobs"):
        for n in (5_000, 20_000) if quick else (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000):
            yield Task("large", {"instance": kind, "n": n, "k": 10, **seed})
        for k in (5, 10) if quick else (5, 10, 20, 50):
            yield Task("large", {"instance": kind, "n": 10_000 if quick else 200_000, "k": k, **seed})
    most = 20_000 if quick else 10_000_000
    yield Task("large", {"instance": "blobs", "n": most, "k": 10, **seed, "lazy": True})


if __name__ == "__main__":
    sys.exit(harness.main("transport", JOBS, plan))
