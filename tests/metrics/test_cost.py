"""Costs by point and group, price of fairness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faircluster.groups import Groups
from faircluster.metrics import cost as cost_module
from faircluster.metrics import group_costs, point_costs, price_of_fairness


def test_point_costs_by_hand():
    X, centers, labels = [[0, 0], [3, 4], [1, 1]], [[0, 0], [1, 0]], [0, 0, 1]
    assert point_costs(X, centers, labels).tolist() == [0.0, 25.0, 1.0]
    assert point_costs(X, centers, labels, power=1).tolist() == [0.0, 5.0, 1.0]


def test_point_costs_do_not_depend_on_the_chunks(monkeypatch):
    rng = np.random.default_rng(0)
    X, centers, labels = rng.normal(size=(50, 3)), rng.normal(size=(4, 3)), rng.integers(0, 4, 50)
    whole = point_costs(X, centers, labels)
    monkeypatch.setattr(cost_module, "_CHUNK_NUMBERS", 20)
    np.testing.assert_array_equal(point_costs(X, centers, labels), whole)
    np.testing.assert_allclose(whole, ((X - centers[labels]) ** 2).sum(axis=1))


def test_point_costs_of_float32_far_from_the_origin_do_not_cancel():
    X = np.array([[4096.0], [4096.5]], dtype=np.float32)
    costs = point_costs(X, X[:1], [0, 0])
    assert costs.dtype == np.float64
    assert costs.tolist() == [0.0, 0.25]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0.0]], [[0.0]], [0], 3), "power must be 1 .* got 3"),
        (([[0.0]], [[0.0, 1.0]], [0]), r"shapes \(1, 1\) and \(1, 2\)"),
        (([0.0], [[0.0]], [0]), r"shapes \(1,\)"),
        (([[0.0]], [[0.0]], [1]), "0 to 0 for n_clusters=1, got 1"),
        (([[0.0], [1.0]], [[0.0]], [0]), "each of the 2 rows of X, got 1"),
        (([[0.0], [np.nan]], [[0.0]], [0, 0]), "row 1 has no finite cost"),
    ],
)
def test_point_costs_refuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        point_costs(*arguments)


def test_group_costs_by_hand():
    costs = group_costs([1.0, 3.0, 5.0, 7.0], ["a", "a", "b", "b"])
    assert costs.names == ("a", "b")
    assert costs.means.tolist() == [2.0, 6.0]
    assert (costs.worst_group, costs.worst, costs.ratio) == ("b", 6.0, 3.0)


def test_group_costs_count_weights_and_every_group_of_a_row():
    columns = np.array([["f", "x"], ["f", "y"], ["m", "y"]])
    costs = group_costs([1.0, 4.0, 2.0], columns, sample_weight=[1.0, 2.0, 3.0])
    np.testing.assert_allclose(costs.means, [9 / 3, 2.0, 1.0, 14 / 5])
    assert costs.worst_group == "column 0=f"
    assert costs.ratio == pytest.approx(3.0)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from("abc")), min_size=1, max_size=30))
def test_group_costs_are_means(rows):
    cost, groups = np.array([c for c, _ in rows]), np.array([g for _, g in rows])
    expected = [cost[groups == group].mean() for group in np.unique(groups)]
    found = group_costs(cost, groups)
    np.testing.assert_allclose(found.means, expected, rtol=1e-9)
    assert found.worst == found.means.max()
    assert found.ratio >= 1


def test_free_groups():
    assert group_costs([0.0, 0.0], ["a", "b"]).ratio == 1.0
    assert group_costs([0.0, 1.0], ["a", "b"]).ratio == np.inf


def test_group_without_members_has_no_mean_and_is_not_compared():
    part = Groups.from_features(["a", "b", "c"]).subset([0, 1])
    costs = group_costs([1.0, 2.0], part)
    assert costs.means[:2].tolist() == [1.0, 2.0]
    assert np.isnan(costs.means[2])
    assert costs.ratio == 2.0


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        ([1.0, -2.0], "got -2.0 in row 1"),
        ([np.inf, 1.0], "got inf in row 0"),
        ([np.nan, 1.0], "got nan in row 0"),
        ([[1.0, 1.0]], r"shape \(1, 2\)"),
        ([1.0], "sensitive_features"),
    ],
)
def test_bad_costs_are_refused(cost, message):
    with pytest.raises(ValueError, match=message):
        group_costs(cost, ["a", "b"])


def test_nobody_to_compare_is_refused():
    nobody = Groups.from_features(np.array([[True], [False]])).subset([1])
    with pytest.raises(ValueError, match="no group has members"):
        group_costs([1.0], nobody)


@pytest.mark.parametrize(
    ("fair", "plain", "price"),
    [(3, 2, 1.5), (2, 2, 1.0), (1, 2, 0.5), (0, 0, 1.0), (1, 0, np.inf), (0, 1, 0.0)],
)
def test_price_of_fairness(fair, plain, price):
    assert price_of_fairness(fair, plain) == price


@pytest.mark.parametrize(
    ("fair", "plain", "name"),
    [(-1, 1, "fair_cost"), (1, np.inf, "unconstrained_cost"), (np.nan, 1, "fair_cost")],
)
def test_price_of_fairness_refuses(fair, plain, name):
    with pytest.raises(ValueError, match=f"{name} must be finite"):
        price_of_fairness(fair, plain)
