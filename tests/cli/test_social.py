"""The notion of social fairness on the command line."""

import json

import numpy as np
import pandas as pd
import pytest

from faircluster import FairnessBounds, SociallyFairKMeans, SociallyFairKMedian
from faircluster.persistence import Preparation, load_model
from tests.cli.conftest import read_csv


def frame_of(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def fit_here(people, model):
    frame = frame_of(people)
    X = np.ascontiguousarray(frame[["age", "income"]].astype(float))
    X = Preparation.fitted(X, ["age", "income"], scale="minmax").apply(X)
    return model.fit(X, sensitive_features=frame[["sex"]])


FEATURES = ("-f", "age", "-f", "income", "-s", "sex")


@pytest.mark.parametrize("objective", ["k-means", "k-median"])
def test_fit_is_the_estimator_and_bounds_nothing_unless_asked(run, people, tmp_path, objective):
    out, model_file, figures_file = tmp_path / "out.csv", tmp_path / "m.npz", tmp_path / "f.json"
    result = run(
        "fit", people, *FEATURES, "-k", 3, "--notion", "social", "--objective", objective, "--seed", 1,
        "-o", out, "--model", model_file, "--json", figures_file,
    )  # fmt: skip
    kind = SociallyFairKMeans if objective == "k-means" else SociallyFairKMedian
    model = fit_here(people, kind(3, n_init=3, random_state=1))
    assert [int(row[-1]) for row in read_csv(out)[1:]] == model.labels_.tolist()
    figures = json.loads(figures_file.read_text())
    assert figures["notion"] == "social"
    assert figures["cost"] == pytest.approx(model.cost_)
    assert figures["group_costs"] == pytest.approx(
        dict(zip(("sex=F", "sex=M"), model.group_costs_, strict=True))
    )
    assert figures["cost"] == max(figures["group_costs"].values())
    assert "what each group pays" in result.stdout
    assert "worst-off group's mean cost" in result.stdout
    assert "price of the bounds" not in result.stdout
    loaded = load_model(model_file)
    assert loaded.bounds_ == FairnessBounds.from_any(None)
    assert loaded.cost_ == pytest.approx(model.cost_)


def test_both_notions_at_once(run, people, tmp_path):
    figures_file = tmp_path / "f.json"
    result = run(
        "fit", people, *FEATURES, "-k", 2, "--notion", "social", "--bounds", "0.4", "-o", tmp_path / "o.csv",
        "--json", figures_file,
    )  # fmt: skip
    figures = json.loads(figures_file.read_text())
    assert figures["violation"] == figures["audit"]["violation"] == 0.0
    assert figures["cost"] >= figures["unconstrained_cost"]
    assert "price of the bounds" in result.stdout


def test_a_saved_model_predicts_and_assigns(run, people, newcomers, tmp_path):
    model = tmp_path / "m.npz"
    run("fit", people, *FEATURES, "-k", 2, "--notion", "social", "-o", tmp_path / "o.csv", "--model", model)
    run("predict", newcomers, "--model", model, "-o", tmp_path / "p.csv")
    run("assign", newcomers, "--model", model, "-o", tmp_path / "a.csv")
    assert read_csv(tmp_path / "p.csv") == read_csv(tmp_path / "a.csv")


def test_audit_tells_what_each_group_pays(run, people, tmp_path):
    out = tmp_path / "o.csv"
    run("fit", people, *FEATURES, "-k", 2, "-o", out)
    result = run("audit", out, "--labels", "cluster", *FEATURES, "--notion", "social")
    frame = frame_of(out)
    X = np.ascontiguousarray(frame[["age", "income"]].astype(float))
    X = Preparation.fitted(X, ["age", "income"], scale="minmax").apply(X)
    labels = frame["cluster"].astype(int).to_numpy()
    own = ((X - np.stack([X[labels == j].mean(axis=0) for j in range(2)])[labels]) ** 2).sum(axis=1)
    for value in ("F", "M"):
        assert f"{own[(frame.sex == value).to_numpy()].mean():.4g}" in result.stdout
    assert "what each group pays" in result.stdout


def test_audit_of_costs_needs_features(run, people, tmp_path):
    out = tmp_path / "o.csv"
    run("fit", people, *FEATURES, "-k", 2, "-o", out)
    result = run("audit", out, "--labels", "cluster", "-s", "sex", "--notion", "social", code=2)
    assert "--features" in result.stderr
