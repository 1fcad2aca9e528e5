import json
import os
from pathlib import Path

import numpy as np
import pytest
from benchmarks import claims, harness, instances, render
from benchmarks.harness import Task
from benchmarks.point_lp import solve_point_lp
from scipy.optimize import linear_sum_assignment

ENVIRONMENT = {
    "cpu": "c",
    "cores": 2,
    "memory_gib": 8.0,
    "system": "s",
    "commit": "abc",
    "versions": {"numpy": "2"},
}
SMALL = {"instance": "uniform", "n": 60, "k": 3, "seed": 0}
LARGE = {"instance": "uniform", "n": 120_000, "k": 10, "seed": 0}


def row(job="transport", params=LARGE, seconds=1.0, environment=ENVIRONMENT, **result):
    return {
        "job": job,
        "params": params,
        "result": {"seconds": {"best": seconds, "median": seconds, "all": [seconds]}, **result},
        "peak_rss_mib": 100.0,
        "busy_by_others": 0.1,
        "date": "2026-01-01T00:00:00+00:00",
        "environment": environment,
    }


def least_cost(cost, quotas):
    repeated = np.repeat(cost, quotas, axis=1)
    return repeated[linear_sum_assignment(repeated)].sum()


class TestResultsFile:
    def test_keeps_earlier_rows_and_replaces_the_same_key(self, tmp_path):
        path = tmp_path / "new" / "r.json"
        first, second = row(params={"n": 1}, optimum=1.0), row(params={"n": 2}, optimum=2.0)
        again = row(params={"n": 1}, optimum=3.0)
        for one in (first, second, again):
            harness.write_row(path, one)
        assert harness.read_rows(path) == [again, second]

    def test_drops_environments_no_row_refers_to(self, tmp_path):
        path = tmp_path / "r.json"
        harness.write_row(path, row(environment={**ENVIRONMENT, "commit": "old"}))
        harness.write_row(path, row())
        assert list(json.loads(path.read_text())["environments"].values()) == [ENVIRONMENT]

    def test_a_cut_off_write_leaves_the_file_as_it_was(self, tmp_path, monkeypatch):
        path = tmp_path / "r.json"
        harness.write_row(path, row())
        before = path.read_bytes()

        def cut_off(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "replace", cut_off)
        with pytest.raises(KeyboardInterrupt):
            harness.write_row(path, row(params={"n": 2}))
        assert path.read_bytes() == before
        assert [file.name for file in tmp_path.iterdir()] == ["r.json"]


class TestRunTask:
    def test_measures_a_job_in_a_child_process(self):
        task = Task("highs", {**SMALL, "solver": "simplex"})
        measured = harness.run_task("benchmarks.transport", task)
        cost = instances.draw_costs("uniform", 60, 3, 0)
        assert measured["result"]["optimum"] == pytest.approx(
            least_cost(cost, instances.draw_quotas(60, 3, 0))
        )
        assert measured["result"]["instance"] == instances.checksum(cost)
        seconds = measured["result"]["seconds"]
        assert seconds["best"] == min(seconds["all"]) <= seconds["median"] <= max(seconds["all"])
        assert measured["peak_rss_mib"] > 30
        assert measured["environment"]["versions"]["numpy"] == np.__version__
        assert measured["environment"]["cores"] >= 1
        assert measured["busy_by_others"] >= 0

    def test_tells_what_a_failed_child_said(self):
        with pytest.raises(RuntimeError, match="kind must be one of"):
            harness.run_task(
                "benchmarks.transport", Task("highs", {**SMALL, "instance": "nothing", "solver": "ipm"})
            )


class TestMain:
    TASKS = (Task("own", {"n": 1}), Task("own", {"n": 2}), Task("far", {"n": 1}, rival=True))

    @pytest.fixture
    def ran(self, monkeypatch):
        """Tasks that were run, without child processes."""
        ran = []

        def run(script, task, interpreter):
            ran.append((task, str(interpreter)))
            if task.params["n"] == 3:
                raise RuntimeError("broken")
            return row(task.job, task.params)

        monkeypatch.setattr(harness, "run_task", run)
        return ran

    def main(self, tmp_path, *options, tasks=TASKS):
        return harness.main("x", {}, lambda quick: tasks, ["--results", str(tmp_path), *options])

    def test_leaves_rivals_out_without_their_interpreter(self, ran, tmp_path, capsys):
        assert self.main(tmp_path, "--rivals", str(tmp_path / "none")) == 0
        assert [task.job for task, _ in ran] == ["own", "own"]
        assert "left out" in capsys.readouterr().out

    def test_runs_rivals_in_their_interpreter(self, ran, tmp_path):
        (tmp_path / "python").touch()
        self.main(tmp_path, "--rivals", str(tmp_path / "python"), "--only", "far")
        assert ran == [(self.TASKS[2], str(tmp_path / "python"))]

    def test_missing_runs_only_what_has_no_row(self, ran, tmp_path):
        harness.write_row(tmp_path / "x.json", row("own", {"n": 1}))
        self.main(tmp_path, "--missing", "--rivals", str(tmp_path / "none"))
        assert [task.params for task, _ in ran] == [{"n": 2}]

    def test_goes_on_after_a_failure_and_says_so(self, ran, tmp_path, capsys):
        assert self.main(tmp_path, tasks=(Task("own", {"n": 3}), Task("own", {"n": 1}))) == 1
        assert [stored["params"] for stored in harness.read_rows(tmp_path / "x.json")] == [{"n": 1}]
        assert "failed: broken" in capsys.readouterr().out


def test_timed_stops_repeating_when_its_budget_is_spent():
    calls = []
    value, seconds = harness.timed(lambda: calls.append(1) or len(calls), 5)
    assert (value, len(seconds["all"])) == (5, 5)
    assert len(harness.timed(lambda: None, 5, budget=0.0)[1]["all"]) == 1


class TestInstances:
    @pytest.mark.parametrize("kind", instances.KINDS)
    def test_a_seed_gives_the_same_costs_again(self, kind):
        first, again, other = (instances.draw_costs(kind, 200, 4, seed) for seed in (0, 0, 1))
        assert instances.checksum(first) == instances.checksum(again) != instances.checksum(other)
        assert first.shape == (200, 4)
        assert (first >= 0).all()

    def test_quotas_are_whole_and_sum_to_n(self):
        quotas = instances.draw_quotas(1_000, 7, 3)
        assert quotas.shape == (7,)
        assert quotas.dtype.kind == "i"
        assert quotas.sum() == 1_000

    def test_blob_costs_are_squared_distances(self):
        X, centers = instances.draw_points(50, 3, 0)
        expected = ((X[:, None, :] - centers) ** 2).sum(axis=2)
        np.testing.assert_allclose(instances.draw_costs("blobs", 50, 3, 0), expected)


@pytest.mark.parametrize("solver", ["simplex", "ipm"])
def test_point_lp_of_a_transport_is_its_optimum(solver):
    cost, quotas = instances.draw_costs("uniform", 40, 3, 0), instances.draw_quotas(40, 3, 0)
    sizes = quotas[:, None].astype(float)
    solved = solve_point_lp(cost, np.zeros(40, dtype=int), np.ones((3, 1, 1)), sizes, sizes, solver)
    assert solved["optimum"] == pytest.approx(least_cost(cost, quotas), rel=1e-5)


def test_point_lp_keeps_bounds_of_groups():
    # two groups of two; each cluster must take as much of one as of the other
    cost = np.array([[0.0, 4.0], [0.0, 3.0], [5.0, 0.0], [4.0, 0.0]])
    coef = np.broadcast_to(np.array([[1.0, -1.0]]), (2, 1, 2))
    zero = np.zeros((2, 1))
    solved = solve_point_lp(cost, np.array([0, 0, 1, 1]), coef, zero, zero, "simplex")
    assert solved["optimum"] == pytest.approx(7.0)


class TestPage:
    def test_says_what_is_not_measured(self, tmp_path):
        text = render.page(tmp_path, None)
        assert text.count("*Not measured yet.*") == 8
        assert "not measured yet |" in text

    def test_shows_the_measured_numbers(self, tmp_path):
        path = tmp_path / "transport.json"
        harness.write_row(path, row(seconds=0.5, optimum=10.0, instance="a"))
        rival = row("ortools", seconds=3.0, optimum=10.0, instance="a", build_seconds=1.0, solve_seconds=2.0)
        harness.write_row(path, rival)
        harness.write_row(path, row("large", LARGE, optimum=1.0, before_rss_mib=90.0))
        assert render.main(["--results", str(tmp_path), "--docs", str(tmp_path / "docs"), "--check"]) == 0
        text = (tmp_path / "docs" / "benchmarks.md").read_text()
        assert "| uniform, 120,000 x 10 | 0.5 |" in text
        assert "| 6.0x |" in text
        assert "at least 5 times faster than OR-tools | 6.0 times | yes |" in text
        assert (tmp_path / "docs" / "images" / render.GROWTH).stat().st_size > 1_000

    def test_a_broken_promise_ends_the_check_with_status_1(self, tmp_path, capsys):
        path = tmp_path / "transport.json"
        harness.write_row(path, row(seconds=1.0, optimum=10.0, instance="a"))
        harness.write_row(path, row("pot", seconds=20.0, optimum=10.0, instance="a"))
        options = ["--results", str(tmp_path), "--docs", str(tmp_path)]
        assert render.main(options) == 0
        assert render.main([*options, "--check"]) == 1
        assert "30 times faster than POT" in capsys.readouterr().out

    def test_refuses_to_compare_different_instances(self, tmp_path):
        path = tmp_path / "transport.json"
        harness.write_row(path, row(optimum=10.0, instance="a"))
        harness.write_row(path, row("pot", optimum=10.0, instance="b"))
        with pytest.raises(ValueError, match="another instance"):
            list(claims.pairs(claims.Rows(path), "pot"))


def test_the_plans_have_no_task_twice_and_only_known_jobs():
    from benchmarks import bounded, kcenter, kmeans, social_lloyd, social_lp, transport

    for script in (transport, bounded, kmeans, kcenter, social_lp, social_lloyd):
        for quick in (True, False):
            tasks = list(script.plan(quick))
            assert {task.job for task in tasks} <= set(script.JOBS)
            keys = [json.dumps([task.job, task.params], sort_keys=True) for task in tasks]
            assert len(set(keys)) == len(keys)
    assert Path(transport.__file__).parent == harness.ROOT / "benchmarks"
