"""KFC's program, Bera's and Ahmadian's, written down from their papers, against the engine; and the page."""

import numpy as np
import pytest
from benchmarks import kcenter_page
from benchmarks.harness import write_row
from benchmarks.kcenter_rivals import (
    OutOfTimeError,
    capped_lp,
    draw_rounding,
    iterative_rounding,
    joiner_lp,
    point_lp,
    violation,
)
from benchmarks.render import environments, table
from scipy.spatial.distance import cdist

from faircluster.assignment.radius import solve_radius
from faircluster.groups import Groups


def instance(seed, n=60, k=3):
    """Distances, membership of two overlapping attributes, bounds, and the same as Groups."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2)) + 3.0 * rng.integers(0, 2, (n, 1))
    first = np.where(X[:, 0] + rng.normal(size=n) > 1.5, "a", "b")
    second = rng.choice(["c", "d", "e"], n, p=[0.5, 0.3, 0.2])
    columns = [first == "a", first == "b", second == "c", second == "d", second == "e"]
    membership = np.stack(columns, axis=1)
    shares = membership.mean(axis=0)
    groups = Groups.from_features(np.column_stack([first, second]))
    return cdist(X, X[:k]), membership, 0.6 * shares, np.minimum(shares / 0.6, 1.0), groups


@pytest.mark.parametrize("seed", range(6))
def test_the_rivals_find_the_relaxed_radius_of_the_engine(seed):
    D, membership, lower, upper, groups = instance(seed)
    ours = solve_radius(D, groups, 0.4)
    radius, solution, of_points = joiner_lp(D, membership, lower, upper, 60.0)
    assert radius == ours.relaxed_radius
    labels = draw_rounding(solution, of_points, D.shape[1], np.random.default_rng(seed))
    assert D[np.arange(len(D)), labels].max() <= radius
    radius, solution = point_lp(D, membership, lower, upper, 60.0)
    assert radius == ours.relaxed_radius
    labels = iterative_rounding(solution, D, membership, 60.0)
    assert D[np.arange(len(D)), labels].max() <= radius
    assert violation(labels, membership, lower, upper, D.shape[1]) <= 4 * 2 + 3
    assert violation(ours.labels, membership, lower, upper, D.shape[1]) == ours.violation == 0


def test_the_capped_program_keeps_its_cap_up_to_two_points():
    D, membership, _, _, _ = instance(1)
    codes = np.where(membership[:, 0], 0, 1)
    cap = 0.8
    relaxed, chosen, labels, radius = capped_lp(D, codes, cap, 3, 60.0, D[:3])
    assert radius >= relaxed
    none = np.zeros(2)
    assert violation(labels, membership[:, :2], none, none + cap, len(chosen)) <= 2


def test_rivals_stop_in_time():
    D, membership, lower, upper, _ = instance(0)
    with pytest.raises(OutOfTimeError):
        point_lp(D, membership, lower, upper, 0.0)


def stored(job, params, result):
    environment = {
        "cpu": "c", "cores": 2, "memory_gib": 8.0, "system": "s", "commit": "abc", "versions": {"numpy": "2"},
    }  # fmt: skip
    return {
        "job": job, "params": params, "result": result, "peak_rss_mib": 900.0, "busy_by_others": 0.0,
        "date": "2026-01-01T00:00:00+00:00", "environment": environment,
    }  # fmt: skip


def test_page_and_promises_come_from_the_rows(tmp_path):
    path = tmp_path / "kcenter.json"
    same = {"data": "c50", "k": 8, "slack": 0.2}
    line = {
        "seed": 0, "radius": 2.0, "relaxed": 2.0, "relaxed_seconds": 0.5, "plain": 1.5,
        "lower_bound": 1.0, "gap": 0.0, "violation": 0.0, "status": "optimal", "seconds": 1.0,
        "nearest": {"violation": 0.5}, "randomized": [1.0, 2.0],
    }  # fmt: skip
    for job in ("fit", "given"):
        write_row(path, stored(job, {**same, "seeds": 1}, {"n": 2500, "lines": [line]}))
    rival = {"radius": 2.0, "violation": 3.0, "classes": 9, "wall": 30.0}
    write_row(path, stored("joiner", {**same, "seed": 0, "limit": 300.0}, rival))
    kcenter_page.write(tmp_path, tmp_path, table, environments)
    text = (tmp_path / "benchmarks_k_center.md").read_text()
    assert "60.0x, 30.0x" in text
    verdicts = dict(kcenter_page.judge(tmp_path))
    kept = {promise: found.kept for promise, found in verdicts.items() if found is not None}
    assert len(kept) == 6
    assert all(kept.values())
    for name in ("radius", "rounding"):
        assert (tmp_path / "images" / f"k_center_{name}.svg").exists()
    late = {"out_of_time": True, "wall": 4.0}
    write_row(path, stored("joiner", {**same, "seed": 0, "limit": 300.0}, late))
    broken = {**line, "violation": 1.0, "gap": 0.2}
    write_row(path, stored("fit", {**same, "seeds": 1}, {"n": 2500, "lines": [broken]}))
    verdicts = [found for _, found in kcenter_page.judge(tmp_path) if found is not None]
    assert sum(not found.kept for found in verdicts) == 3
