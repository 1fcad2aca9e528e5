"""The curve: every point keeps its bounds, costs never rise as bounds loosen, and the knee is one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from faircluster import FairAssignment, FairKCenter, FairKMeans, FairKMedian, FairnessBounds, tradeoff_curve
from faircluster.metrics import additive_violation, balance, fairness_ratio, point_costs
from faircluster.report.tradeoff import find_knee


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(center, 1.0, size=(60, 2)) for center in (0, 4, 8)])
    sex = np.where(rng.random(180) < np.repeat([0.2, 0.5, 0.8], 60), "F", "M")
    return X, sex


@pytest.mark.parametrize(
    "estimator",
    [
        FairKMeans(3, n_init=1, random_state=0),
        FairKMedian(3, n_init=1, random_state=0),
        FairKCenter(3, n_init=2, random_state=0),
        FairAssignment(KMeans(3, n_init=1, random_state=0)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_every_point_keeps_its_bounds_and_costs_are_monotone(points, estimator):
    X, sex = points
    before = estimator.get_params(deep=False)
    curve = tradeoff_curve(estimator, X, sex, [0.1, 0.5, 0.3, 0.7])
    assert estimator.get_params(deep=False) == before
    assert [row["slack"] for row in curve.rows] == [0.7, 0.5, 0.3, 0.1]
    for row, labels in zip(curve.rows, curve.labels, strict=True):
        assert row["violation"] == additive_violation(labels, sex, row["slack"]) == 0
        assert row["balance"] == balance(labels, sex)
        assert row["fairness_ratio"] == fairness_ratio(labels, sex)
        assert row["lower_bound"] <= row["cost"] * (1 + 1e-12)
        assert row["price"] == pytest.approx(row["cost"] / curve.unconstrained)
        assert row["problem"] is None
    costs = [row["cost"] for row in curve.rows]
    assert costs == sorted(costs)
    assert curve.method == type(estimator).__name__


def test_costs_are_those_of_the_labels(points):
    X, sex = points
    curve = tradeoff_curve(FairKMeans(3, n_init=1, random_state=0), X, sex, [0.4, 0.2])
    for row, labels in zip(curve.rows, curve.labels, strict=True):
        means = np.array([X[labels == j].mean(axis=0) for j in range(3)])
        assert row["cost"] >= point_costs(X, means, labels).sum() - 1e-9
    assert curve.measure == "sum of squared distances"


def test_neighbors_are_started_from(points):
    X, sex = points
    curve = tradeoff_curve(FairKMeans(3, n_init=3, random_state=0), X, sex, [0.5, 0.3, 0.1])
    assert curve.rows[-1]["start"] == "from looser bounds"
    assert all(row["start"] != "" for row in curve.rows)


def test_bounds_that_cannot_be_met_are_told_not_raised():
    X, sex = np.arange(7.0)[:, None], list("FMMMMMM")
    model = FairKMeans(3, n_init=1, size_min=2, random_state=0)
    curve = tradeoff_curve(model, X, sex, [1 - 1e-9, 0.3])
    assert curve.rows[1]["cost"] is None
    assert curve.rows[1]["problem"] != ""
    assert curve.rows[0]["problem"] is None
    assert curve.labels[1] is None
    assert curve.knee is None


def test_other_bounds_in_the_order_given_and_weights(points):
    X, sex = points
    weights = np.random.default_rng(1).integers(1, 3, len(X))
    grid = [FairnessBounds.interval(0.3), FairnessBounds.interval(0.1)]
    curve = tradeoff_curve(FairKMeans(3, n_init=1, random_state=0), X, sex, grid, sample_weight=weights)
    assert [row["slack"] for row in curve.rows] == [None, None]
    assert [row["bounds"] for row in curve.rows] == [repr(rules) for rules in grid]
    with pytest.raises(ValueError, match="only a grid of slacks"):
        curve.plot()


def test_missing_values_and_intersections_are_read_as_the_estimator_reads_them(points):
    X, sex = points
    frame = pd.DataFrame({"sex": np.where(np.arange(180) % 9 == 0, None, sex), "half": np.arange(180) % 2})
    model = FairKMeans(2, n_init=1, missing="group", intersect=True, random_state=0)
    curve = tradeoff_curve(model, X, frame, [0.8, 0.5])
    assert all(row["violation"] == 0 for row in curve.rows)


def test_progress_and_bad_input(points):
    X, sex = points
    seen = []
    tradeoff_curve(
        FairKMeans(2, n_init=1, random_state=0),
        X,
        sex,
        [0.5, 0.3],
        on_point=lambda *args: seen.append(args[:2]),
    )
    assert seen == [(0, 2), (1, 2), (2, 2)]
    with pytest.raises(ValueError, match="estimator must have a parameter bounds, KMeans has none"):
        tradeoff_curve(KMeans(2), X, sex)
    with pytest.raises(ValueError, match="grid must hold at least one"):
        tradeoff_curve(FairKMeans(2), X, sex, [])


def test_plot_of_the_curve(points):
    X, sex = points
    curve = tradeoff_curve(FairKMeans(3, n_init=1, random_state=0), X, sex, [0.7, 0.4, 0.1])
    axis = curve.plot()
    assert axis.lines[0].get_ydata().tolist() == [row["cost"] for row in curve.rows]


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 9), st.integers(0, 10_000))
def test_a_sharp_bend_is_found(m, seed):
    rng = np.random.default_rng(seed)
    bend = int(rng.integers(1, m - 1))
    slacks = np.linspace(0.5, 0.1, m)
    steps = np.where(np.arange(1, m) <= bend, 0.1, 5.0)
    costs = 10 + np.concatenate([[0], np.cumsum(steps)])
    knee, reason = find_knee(slacks.tolist(), costs.tolist())
    assert knee == bend
    assert reason.startswith(f"slack {slacks[bend]:g}: ")


def test_no_knee_where_there_is_none():
    assert find_knee([0.3, 0.2, 0.1], [10.0, 10.01, 10.02])[0] is None
    assert "take the tightest" in find_knee([0.3, 0.2, 0.1], [10.0, 10.01, 10.02])[1]
    assert find_knee([0.3, 0.2, 0.1], [10.0, 11.0, 12.0])[0] is None
    assert find_knee([0.3, 0.2], [1.0, 2.0])[0] is None
    assert find_knee([None, 0.2, 0.1], [1.0, 2.0, 9.0])[0] is None
    knee, _ = find_knee([0.4, 0.3, 0.2, 0.1], [1.0, 1.0, None, 2.0])
    assert knee == 1
    assert find_knee([0.3, 0.2, 0.1], [0.0, 0.0, 0.0])[0] is None
