"""Every exit code, in plain words, and nothing half written."""

import os
import sys
import threading

import numpy as np
import pytest

from faircluster.cli.steps import OBJECTIVES
from tests.cli.conftest import read_csv, write_csv


@pytest.fixture
def fit(run, people, tmp_path):
    """Fit with further arguments, which come last and win."""

    def fit(*arguments, code, file=people):
        return run("fit", file, "-s", "sex", "-k", 2, "-o", tmp_path / "out.csv", *arguments, code=code)

    return fit


def untouched(folder, names=("people.csv",)):
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", "0"),
        ("-k", "two"),
        ("--bounds", "fair"),
        ("--bounds", "1.5"),
        ("--bounds", "slack:"),
        ("--bounds", "explicit:0.5"),
        ("--bounds", "balance:2"),
        ("--objective", "k-centre"),
        ("--objective", "k-center", "--notion", "social"),
        ("--scale", "log"),
        ("--starts", "0"),
        ("--nonsense",),
    ],
)
def test_wrong_use_is_2(fit, tmp_path, arguments):
    result = fit(*arguments, code=2)
    assert "Usage:" in result.stderr
    assert untouched(tmp_path)


def test_missing_options_are_2(run, people):
    assert "--sensitive" in run("fit", people, "-k", 2, "-o", "out.csv", code=2).stderr
    assert "--output" in run("fit", people, "-k", 2, "-s", "sex", code=2).stderr
    assert "--labels" in run("audit", people, "-s", "sex", code=2).stderr
    run("cluster", code=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-s", "gender"), "has no column 'gender'; its columns are 'id', 'name', 'age'"),
        (("-f", "nope"), "has no column 'nope'"),
        (("-f", "name"), "column 'name' of"),
        (("-f", "born"), "has an empty cell"),
        (("-k", "91"), "n_clusters=91 is more than the n_samples=90"),
        (("-o", "labels.xlsx"), "must end in .csv or .parquet"),
        (("-o", "nowhere/out.csv"), "its folder does not exist"),
        (("--model", "nowhere/model.npz"), "its folder does not exist"),
        (("--model", "same.csv", "-o", "same.csv"), "two outputs have the same name"),
    ],
)
def test_bad_input_is_3(fit, tmp_path, arguments, message):
    result = fit(*arguments, code=3)
    assert message in result.stderr
    assert untouched(tmp_path)


def test_bad_files_are_3(run, fit, tmp_path, people):
    for name, content, message in (
        ("empty.csv", b"", "is empty"),
        ("header.csv", b"sex,x\n", "no rows"),
        ("ragged.csv", b"sex,x\nF\n", "Expected 2 columns"),
        ("latin.csv", "sex,x\né,1\n".encode("latin-1"), "UTF-8"),
        ("text.csv", b"sex,x\nF,a\n", "no column of numbers to cluster on"),
        ("broken.parquet", b"PAR1", "cannot be read as Parquet"),
        ("people.txt", b"sex,x\nF,1\n", "must end in .csv or .parquet"),
    ):
        (tmp_path / name).write_bytes(content)
        result = fit(file=tmp_path / name, code=3)
        assert message in result.stderr
        assert name in result.stderr
    assert "No such file" in fit(file=tmp_path / "none.csv", code=3).stderr
    fit(file=tmp_path, code=3)
    result = run("predict", people, "-m", people, "-o", tmp_path / "out.csv", code=3)
    assert f"{people} is not a model faircluster can load" in result.stderr
    assert not (tmp_path / "out.csv").exists()


def test_negative_weights_are_3(fit, tmp_path):
    path = write_csv(tmp_path / "w.csv", [["F", "1", "1"], ["M", "2", "-1"]], ["sex", "x", "w"])
    result = fit("--weights", "w", "-k", "1", file=path, code=3)
    assert "column 'w'" in result.stderr
    assert "line 3 has -1" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--bounds", "balance:0.99"),
        ("--bounds", "max-share:0.3"),
        ("--size-max", "10"),
        ("--size-min", "80"),
    ],
)
def test_bounds_that_cannot_be_met_are_4(fit, tmp_path, arguments):
    assert "these bounds cannot be met: " in fit(*arguments, code=4).stderr
    assert untouched(tmp_path)


def test_audit_holds_labels_against_impossible_bounds_with_4(run, tmp_path):
    path = write_csv(tmp_path / "p.csv", [["F", "0"], ["M", "1"]], ["sex", "c"])
    run("audit", path, "-s", "sex", "--labels", "c", "--bounds", "max-share:0.3", code=4)


def test_time_without_a_solution_is_5(fit, tmp_path, monkeypatch):
    def fit_too_long(*_, **__):
        raise TimeoutError("time_limit=1.0 passed before any assignment within the bounds was found")

    monkeypatch.setattr(OBJECTIVES["k-means"], "fit", fit_too_long)
    assert "time_limit=1.0 passed" in fit("--time-limit", "1", code=5).stderr
    assert untouched(tmp_path)


def test_the_unexpected_is_1_without_a_traceback(fit, tmp_path, monkeypatch):
    monkeypatch.setattr(OBJECTIVES["k-means"], "fit", lambda *_, **__: {}["gone"])
    result = fit(code=1)
    assert "unexpected KeyError: 'gone'; this is a fault of faircluster" in result.stderr
    assert untouched(tmp_path)


@pytest.mark.parametrize("package", ["rich", "pyarrow"])
def test_missing_packages_are_1_and_say_what_to_install(run, people, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    for arguments in (
        ("fit", people, "-s", "sex", "-k", 2, "-o", tmp_path / "out.csv"),
        ("predict", people, "-m", people, "-o", tmp_path / "out.csv"),
        ("assign", people, "-m", people, "-o", tmp_path / "out.csv"),
        ("audit", people, "-s", "sex", "--labels", "race"),
        ("demo", "--output", tmp_path / "demo"),
    ):
        result = run(*arguments, code=1)
        assert result.stderr == (
            f'Error: the faircluster command needs {package}: pip install "faircluster[data,report]"\n'
        )
    assert untouched(tmp_path)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_write_that_fails_leaves_the_old_files(run, people, tmp_path, monkeypatch, suffix):
    out = tmp_path / f"out.{suffix}"
    arguments = ("fit", people, "-s", "sex", "-k", 2, "-o", out)
    arguments += ("--model", tmp_path / "m.npz", "--json", tmp_path / "s.json")
    run(*arguments)
    old = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    assert "No space left on device" in run(*arguments, "--seed", 1, "--bounds", "0.5", code=3).stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == old


def test_progress_leaves_no_thread_and_no_handler(run, people, tmp_path):
    import logging

    logger = logging.getLogger("faircluster")
    before = (logger.level, list(logger.handlers), threading.active_count())
    run("fit", people, "-s", "sex", "-k", 2, "-o", tmp_path / "out.csv")
    run("fit", people, "-s", "nope", "-k", 2, "-o", tmp_path / "out.csv", code=3)
    assert (logger.level, list(logger.handlers)) == before[:2]
    assert len(read_csv(tmp_path / "out.csv")) == 91


def test_long_work_is_told_on_stderr_only(run, people, tmp_path, monkeypatch):
    import logging
    import time
    import warnings

    from faircluster.cli import console

    monkeypatch.setattr(console, "QUIET_SECONDS", 0.05)
    original = OBJECTIVES["k-means"].fit

    def slow(self, *arguments, **named):
        time.sleep(0.3)
        logging.getLogger("faircluster").debug("half way")
        warnings.warn("time_limit reached", RuntimeWarning, stacklevel=2)
        warnings.warn("internal", DeprecationWarning, stacklevel=2)
        return original(self, *arguments, **named)

    monkeypatch.setattr(OBJECTIVES["k-means"], "fit", slow)
    result = run("fit", people, "-s", "sex", "-k", 2, "-o", tmp_path / "out.csv")
    assert "clustering 90 rows (the first run also compiles) ..." in result.stderr
    assert "s: half way" in result.stderr
    assert "warning: time_limit reached" in result.stderr
    assert "internal" not in result.output
    assert "half way" not in result.stdout


def test_spinner_in_a_terminal(run, people, tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    result = run("fit", people, "-s", "sex", "-k", 2, "-o", tmp_path / "out.csv")
    assert "clustering 90 rows" in result.stderr
    assert "\x1b[" in result.stderr
    assert np.isin(["0", "1"], [row[-1] for row in read_csv(tmp_path / "out.csv")]).all()
