"""Each command does its job and leaves what it was given intact."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faircluster import FairKCenter, FairKMeans, FairKMedian, FairnessBounds, __version__
from faircluster.metrics import additive_violation
from faircluster.persistence import Preparation, load_model, load_prepared, save_model
from tests.cli.conftest import HEADER, make_rows, read_csv, write_csv


def labels_of(path):
    rows = read_csv(path)
    assert rows[0][-1] == "cluster"
    return np.array([int(row[-1]) for row in rows[1:]])


def frame_of(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


@pytest.fixture
def fitted(run, people, tmp_path):
    model = tmp_path / "model.npz"
    run("fit", people, "-s", "sex", "-k", 3, "-o", tmp_path / "fitted.csv", "--model", model)
    return model


# ---- fit


def test_fit_writes_every_column_back_and_keeps_the_bounds(run, people, tmp_path):
    out = tmp_path / "out.csv"
    result = run("fit", people, "--sensitive", "sex", "--sensitive", "race", "--clusters", 3, "--output", out)
    before, after = read_csv(people), read_csv(out)
    assert [row[:-1] for row in after] == before
    labels = labels_of(out)
    assert set(labels) <= {0, 1, 2}
    assert additive_violation(labels, frame_of(people)[["sex", "race"]], 0.2) == 0
    assert "clustering on 3 columns: age, income, w" in result.stderr
    assert "not used, because some cells are no numbers or begin with 0 as codes do: id" in result.stderr
    assert "violation, points" in result.stdout
    assert "sex: share of each cluster" in result.stdout
    assert "race: share of each cluster" in result.stdout


def test_fit_is_the_estimator(run, people, tmp_path):
    arguments = ["-s", "sex", "-k", 2, "-f", "age", "-f", "income", "--scale", "standard", "--seed", 3]
    arguments += ["--bounds", "interval:0.1", "--weights", "w", "--starts", 2, "--size-min", 20]
    run("fit", people, *arguments, "-o", tmp_path / "out.csv", "--model", tmp_path / "m.npz")
    frame = frame_of(people)
    X = np.ascontiguousarray(frame[["age", "income"]].astype(float))
    X = Preparation.fitted(X, ["age", "income"], scale="standard").apply(X)
    bounds = FairnessBounds.interval(0.1)
    model = FairKMeans(2, bounds=bounds, size_min=20, n_init=2, random_state=3)
    model.fit(X, sensitive_features=frame[["sex"]], sample_weight=frame["w"].astype(float))
    assert labels_of(tmp_path / "out.csv").tolist() == model.labels_.tolist()
    saved, preparation = load_prepared(tmp_path / "m.npz")
    np.testing.assert_allclose(saved.cluster_centers_, model.cluster_centers_)
    assert saved.bounds == bounds
    assert (preparation.features, preparation.sensitive) == (("age", "income"), ("sex",))


def test_fit_k_median_nearest_intersect_and_parquet(run, people, tmp_path):
    out = tmp_path / "out.parquet"
    result = run(
        *("fit", people, "-s", "sex", "-s", "race", "-k", 2, "--objective", "k-median", "--intersect"),
        *(
            "--rounding",
            "nearest",
            "--scale",
            "none",
            "--bounds",
            "0.5",
            "-o",
            out,
            "--model",
            tmp_path / "m.npz",
        ),
    )
    table = pq.read_table(out)
    assert table.column_names == [*HEADER, "cluster"]
    assert table["id"].to_pylist()[:2] == ["00000", "00001"]
    model = load_model(tmp_path / "m.npz")
    assert isinstance(model, FairKMedian)
    assert model.groups_.attributes == ("sex & race",) * 4
    assert "sex=F & race=a" in result.stdout


def test_fit_k_center_and_assign_by_its_model(run, people, tmp_path):
    out, saved = tmp_path / "out.csv", tmp_path / "m.npz"
    result = run(
        *("fit", people, "-s", "sex", "-k", 3, "--objective", "k-center", "--bounds", 0.5, "-o", out),
        *("--model", saved, "--json", tmp_path / "out.json"),
    )
    model = load_model(saved)
    assert isinstance(model, FairKCenter)
    assert labels_of(out).tolist() == model.labels_.tolist()
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures["radius"] == model.radius_ >= figures["relaxed_radius"] >= figures["lower_bound"]
    assert figures["violation"] == 0
    assert "radius without bounds" in result.stdout
    run("assign", people, "--model", saved, "-o", tmp_path / "again.csv")
    assert labels_of(tmp_path / "again.csv").tolist() == model.labels_.tolist()


def test_fit_json_has_everything(run, people, tmp_path):
    run("fit", people, "-s", "sex", "-k", 3, "-o", tmp_path / "out.csv", "--json", tmp_path / "out.json")
    summary = json.loads((tmp_path / "out.json").read_text())
    assert summary["features"] == ["age", "income", "w"]
    assert summary["cost"] >= summary["lower_bound"] > 0
    assert summary["price_of_fairness"] == pytest.approx(summary["cost"] / summary["unconstrained_cost"])
    assert summary["violation"] == summary["audit"]["violation"] == 0
    clusters = summary["audit"]["attributes"][0]["clusters"]
    assert sum(cluster["size"] for cluster in clusters) == 90


def test_fit_of_missing_groups(run, tmp_path):
    rows = make_rows(60, 0)
    for row in rows[:20]:
        row[4] = ""
    people = write_csv(tmp_path / "people.csv", rows)
    arguments = ("fit", people, "-s", "sex", "-k", 2, "-o", tmp_path / "out.csv")
    result = run(*arguments, code=3)
    assert "column 'sex'" in result.stderr
    assert "20 of 60 rows, the first is line 2" in result.stderr
    assert "missing" in run(*arguments, "--missing", "group").stdout


def test_label_column_is_never_lost_silently(run, people, tmp_path):
    out = tmp_path / "out.csv"
    run("fit", people, "-s", "sex", "-k", 2, "-o", out)
    result = run("fit", out, "-s", "sex", "-k", 2, "-o", tmp_path / "again.csv", code=3)
    assert "already has a column 'cluster'" in result.stderr
    assert not (tmp_path / "again.csv").exists()
    run(
        "fit", out, "-s", "sex", "-k", 2, "-o", tmp_path / "again.csv", "--label-column", "other", "-f", "age"
    )
    assert read_csv(tmp_path / "again.csv")[0] == [*HEADER, "cluster", "other"]
    result = run("fit", out, "-s", "sex", "-k", 2, "-o", tmp_path / "again.csv", "--overwrite-column")
    assert read_csv(tmp_path / "again.csv")[0] == [*HEADER, "cluster"]
    assert "clustering on 3 columns: age, income, w" in result.stderr  # not on the old labels


# ---- assign, predict


def test_predict_uses_the_scaling_of_the_fit(run, fitted, newcomers, tmp_path):
    run("predict", newcomers, "--model", fitted, "-o", tmp_path / "out.csv")
    model, preparation = load_prepared(fitted)
    X = frame_of(newcomers)[list(preparation.features)].astype(float).to_numpy()
    assert labels_of(tmp_path / "out.csv").tolist() == model.predict(preparation.apply(X)).tolist()
    assert [row[:-1] for row in read_csv(tmp_path / "out.csv")] == read_csv(newcomers)


def test_predict_needs_no_protected_column(run, fitted, tmp_path):
    bare = write_csv(tmp_path / "bare.csv", [["30", "1", "100"]], ["age", "w", "income"])
    assert "labels written to" in run("predict", bare, "-m", fitted, "-o", tmp_path / "out.csv").stdout


def test_assign_keeps_the_bounds_on_the_new_rows(run, fitted, newcomers, tmp_path):
    out = tmp_path / "out.csv"
    run("assign", newcomers, "--model", fitted, "-o", out, "--json", tmp_path / "out.json")
    frame = frame_of(newcomers)
    assert additive_violation(labels_of(out), frame["sex"], 0.2) == 0
    assert json.loads((tmp_path / "out.json").read_text())["audit"]["violation"] == 0
    assert [row[:-1] for row in read_csv(out)] == read_csv(newcomers)
    model, preparation = load_prepared(fitted)
    X = preparation.apply(frame[list(preparation.features)].astype(float).to_numpy())
    expected = model.assign(X, sensitive_features=frame[["sex"]])
    assert labels_of(out).tolist() == expected.tolist()


def test_assign_to_other_columns_and_weights(run, fitted, newcomers, tmp_path):
    result = run(
        *("assign", newcomers, "-m", fitted, "-s", "race", "--weights", "w", "-o", tmp_path / "out.parquet")
    )
    assert "race: share of each cluster" in result.stdout
    assert "sex: share" not in result.stdout
    table = pq.read_table(tmp_path / "out.parquet").to_pandas()
    weights = table["w"].astype(float)
    assert additive_violation(table["cluster"], table["race"], 0.2, sample_weight=weights) == 0


def test_models_saved_from_python(run, newcomers, tmp_path):
    frame = frame_of(newcomers)
    X = frame[["age", "income"]].astype(float)
    model = FairKMeans(2, random_state=0).fit(X, sensitive_features=frame["sex"])
    save_model(model, tmp_path / "named.npz")
    run("predict", newcomers, "-m", tmp_path / "named.npz", "-o", tmp_path / "out.csv")
    assert labels_of(tmp_path / "out.csv").tolist() == model.predict(X).tolist()
    result = run("assign", newcomers, "-m", tmp_path / "named.npz", "-o", tmp_path / "out.csv", code=3)
    assert "name them with --sensitive" in result.stderr
    run("assign", newcomers, "-m", tmp_path / "named.npz", "-s", "sex", "-o", tmp_path / "out.csv")

    save_model(model.fit(X.to_numpy(), sensitive_features=frame["sex"]), tmp_path / "nameless.npz")
    result = run("predict", newcomers, "-m", tmp_path / "nameless.npz", "-o", tmp_path / "out.csv", code=3)
    assert "does not say which columns" in result.stderr

    distances = np.abs(np.subtract.outer(np.arange(6.0), np.arange(6.0)))
    medoids = FairKMedian(2, metric="precomputed", random_state=0).fit(distances)
    save_model(medoids, tmp_path / "medoids.npz")
    result = run("predict", newcomers, "-m", tmp_path / "medoids.npz", "-o", tmp_path / "out.csv", code=3)
    assert "precomputed distances" in result.stderr


# ---- audit


def test_audit_of_labels_from_anywhere(run, people, tmp_path):
    table = pa.Table.from_pandas(frame_of(people).astype({"w": float}))
    names = np.where(np.arange(90) % 2 == 0, "even", "odd")
    table = table.append_column("team", pa.array(names))
    pq.write_table(table, tmp_path / "teams.parquet")
    result = run(
        *(
            "audit",
            tmp_path / "teams.parquet",
            "--labels",
            "team",
            "--sensitive",
            "sex",
            "--sensitive",
            "race",
        ),
        *("--bounds", "balance:0.3", "--weights", "w", "--json", tmp_path / "audit.json"),
    )
    for text in ("even", "odd", "sex: share of each cluster", "race: share of each cluster", "balance"):
        assert text in result.stdout
    summary = json.loads((tmp_path / "audit.json").read_text())
    frame = frame_of(people)
    weights = frame["w"].astype(float)
    expected = additive_violation(
        (names == "odd").astype(int),
        frame[["sex", "race"]],
        FairnessBounds.balance(0.3),
        sample_weight=weights,
    )
    assert summary["audit"]["violation"] == pytest.approx(expected)
    assert summary["audit"]["total_weight"] == weights.sum()
    assert [c["label"] for c in summary["audit"]["attributes"][0]["clusters"]] == ["even", "odd"]


def test_audit_flags_what_plain_words_call_unfair(run, tmp_path):
    rows = [["0", "F"]] * 10 + [["1", "M"]] * 10
    path = write_csv(tmp_path / "apart.csv", rows, ["cluster", "sex"])
    result = run("audit", path, "--labels", "cluster", "-s", "sex")
    assert "▲ above 100.0%" in result.stdout
    assert "▼ worst 0.0%" in result.stdout
    assert "the bounds are broken by up to 4 points" in result.stdout
    even = write_csv(
        tmp_path / "even.csv", [["0", "F"], ["0", "M"], ["1", "F"], ["1", "M"]], ["cluster", "sex"]
    )
    assert "every cluster keeps the bounds" in run("audit", even, "--labels", "cluster", "-s", "sex").stdout


# ---- around


def test_version_and_help(run):
    assert run("--version").stdout == f"faircluster, version {__version__}\n"
    text = run("--help").stdout
    for line in ("0  done", "3  bad input", "4  bounds that no clustering can meet", "5  time limit"):
        assert line in text
    for command in ("fit", "assign", "predict", "audit", "demo"):
        assert command in text
        assert "Usage" in run(command, "--help").stdout


def test_module_runs_as_a_command(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "faircluster",
            "audit",
            str(tmp_path / "none.csv"),
            "--labels",
            "a",
            "-s",
            "b",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr == f"Error: {tmp_path / 'none.csv'}: No such file or directory\n"
    assert done.stdout == ""
