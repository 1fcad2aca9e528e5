"""Balance, fairness ratio and additive violation."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faircluster.bounds import FairnessBounds
from faircluster.groups import Groups
from faircluster.metrics import additive_violation, balance, balance_by_cluster, fairness_ratio, mnce

LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 1])
SEX = np.array(["f", "f", "m", "m", "m", "f", "m", "m"])
# counts: f (2, 1), m (3, 2); shares f (0.4, 1/3) of 0.375


@st.composite
def clusterings(draw, max_rows=25):
    rows = draw(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), min_size=1, max_size=max_rows))
    return np.array([label for label, _ in rows]), np.array([group for _, group in rows])


def brute_balance(labels, groups):
    worst = 1.0
    for label in np.unique(labels):
        counts = [np.sum((labels == label) & (groups == group)) for group in np.unique(groups)]
        worst = min(worst, min(counts) / max(counts))
    return worst


def brute_ratio(labels, groups):
    worst = 1.0
    for label in np.unique(labels):
        for group in np.unique(groups):
            share, population = np.mean(groups[labels == label] == group), np.mean(groups == group)
            worst = min(worst, share / population, population / share if share else 0.0)
    return worst


def brute_violation(labels, groups, lower, upper):
    excess = 0.0
    for label in np.unique(labels):
        size = np.sum(labels == label)
        for i, group in enumerate(np.unique(groups)):
            count = np.sum((labels == label) & (groups == group))
            excess = max(excess, lower[i] * size - count, count - upper[i] * size)
    return excess


def test_balance_by_hand():
    assert balance_by_cluster(LABELS, SEX).tolist() == [2 / 3, 1 / 2]
    assert balance(LABELS, SEX) == 1 / 2


def test_balance_of_three_groups_compares_smallest_with_largest():
    assert balance([0] * 7, list("aabbccc")) == 2 / 3
    assert balance([0] * 7, list("abbcccc")) == 1 / 4


@given(clusterings())
def test_metrics_equal_their_definitions(data):
    labels, groups = data
    assert balance(labels, groups) == pytest.approx(brute_balance(labels, groups))
    assert fairness_ratio(labels, groups) == pytest.approx(brute_ratio(labels, groups))


@given(clusterings(), st.floats(0, 0.9))
def test_violation_equals_its_definition(data, slack):
    labels, groups = data
    shares = Groups.from_features(groups).shares
    lower, upper = (1 - slack) * shares, np.minimum(1.0, shares / (1 - slack))
    expected = pytest.approx(brute_violation(labels, groups, lower, upper), abs=2e-9)
    assert additive_violation(labels, groups, slack) == expected
    assert additive_violation(labels, groups, lower=lower, upper=upper) == expected


@given(clusterings(), st.randoms(use_true_random=False))
def test_row_order_and_names_do_not_matter(data, random):
    labels, groups = data
    order = random.sample(range(len(labels)), len(labels))
    names = dict(zip("abc", random.sample(["z", "y", "x"], 3), strict=True))
    numbers = np.array(random.sample(range(-3, 5), 4))
    other_labels = numbers[labels][order]
    other_groups = np.array([names[group] for group in groups])[order]
    for metric in (balance, fairness_ratio, mnce):
        assert metric(labels, groups) == pytest.approx(metric(other_labels, other_groups), abs=1e-12)
    here, there = additive_violation(labels, groups, 0.1), additive_violation(other_labels, other_groups, 0.1)
    assert here == pytest.approx(there, abs=1e-9)


@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=4), st.lists(st.integers(1, 5), min_size=1, max_size=4)
)
def test_proportional_clusters_reach_the_optimum_of_every_metric(base, copies):
    groups = np.concatenate([np.repeat(np.arange(len(base)), base)] * sum(copies))
    labels = np.repeat(np.arange(len(copies)), np.array(copies) * sum(base))
    assert balance(labels, groups.astype(str)) == min(base) / max(base)
    assert fairness_ratio(labels, groups.astype(str)) == pytest.approx(1.0)
    assert mnce(labels, groups.astype(str)) == pytest.approx(1.0)
    assert additive_violation(labels, groups.astype(str), 0.0) == 0.0


@given(clusterings())
def test_balance_never_exceeds_that_of_the_data(data):
    labels, groups = data
    counts = np.unique(groups, return_counts=True)[1]
    assert balance(labels, groups) <= counts.min() / counts.max() + 1e-12


def test_several_attributes_are_judged_apart_and_the_worst_counts():
    frame = pd.DataFrame({"sex": list("ffmm"), "race": list("xxxy")})
    assert balance([0, 0, 0, 0], frame["sex"]) == 1.0
    assert balance([0, 0, 0, 0], frame["race"]) == 1 / 3
    assert balance([0, 0, 0, 0], frame) == 1 / 3
    # counts over all four groups together would give 1 / 3 here too, but not there:
    assert balance([0, 0, 1, 1], pd.DataFrame({"sex": list("fmfm"), "all": list("aaaa")})) == 1.0


def test_overlapping_groups_of_a_membership_matrix_and_rows_in_no_group():
    member = np.array([[True, True], [True, False], [False, False], [True, False]])
    assert balance([0, 0, 0, 0], member) == 1 / 3
    assert fairness_ratio([0, 0, 1, 1], member) == 0.0
    # group 1 has one point, and half of the cluster is two
    assert additive_violation([0, 0, 0, 0], member, lower=[0.75, 0.5]) == 1.0


def test_cluster_without_any_group_is_unbalanced():
    member = np.array([[True, False], [False, True], [False, False]])
    assert balance_by_cluster([0, 0, 1], member).tolist() == [1.0, 0.0]


def test_empty_cluster_is_ignored():
    assert balance(LABELS, SEX, n_clusters=4) == balance(LABELS, SEX)
    assert fairness_ratio(LABELS, SEX, n_clusters=4) == fairness_ratio(LABELS, SEX)
    assert additive_violation(LABELS, SEX, 0.1, n_clusters=4) == additive_violation(LABELS, SEX, 0.1)
    assert np.isnan(balance_by_cluster(LABELS, SEX, n_clusters=4)).tolist() == [False, False, True, True]


def test_cluster_of_weight_zero_is_ignored():
    weight = [1, 1, 1, 1, 1, 0, 0, 0]
    assert balance(LABELS, SEX, sample_weight=weight) == 2 / 3
    assert fairness_ratio(LABELS, SEX, sample_weight=weight) == pytest.approx(1.0)


def test_absent_group_makes_balance_and_ratio_zero():
    assert balance([0, 0, 1], ["a", "b", "a"]) == 0.0
    assert fairness_ratio([0, 0, 1], ["a", "b", "a"]) == 0.0


def test_one_group_is_fair():
    for sensitive in (["a", "a", "a"], None):
        assert balance([0, 0, 1], sensitive) == 1.0
        assert fairness_ratio([0, 0, 1], sensitive) == 1.0
        assert additive_violation([0, 0, 1], sensitive, 0.0) == 0.0


def test_group_absent_from_a_subset():
    part = Groups.from_features(["a", "b", "c"]).subset([0, 1])
    assert balance([0, 0], part) == 0.0
    assert fairness_ratio([0, 0], part) == 1.0


def test_subset_of_no_weight_is_fair():
    nothing = Groups.from_features(["a", "b"], sample_weight=[0.0, 1.0]).subset([0])
    assert balance([0], nothing) == fairness_ratio([0], nothing) == mnce([0], nothing) == 1.0


def test_fairness_ratio_by_hand():
    # f: 0.4 and 1/3 of 0.375, m: 0.6 and 2/3 of 0.625; the worst is (1/3) / 0.375
    assert fairness_ratio(LABELS, SEX) == pytest.approx(8 / 9)


def test_integer_weights_equal_repeated_rows():
    weight = np.array([1, 2, 1, 3, 1, 4, 1, 2])
    labels, sex = np.repeat(LABELS, weight), np.repeat(SEX, weight)
    assert balance(LABELS, SEX, sample_weight=weight) == balance(labels, sex)
    assert fairness_ratio(LABELS, SEX, sample_weight=weight) == pytest.approx(fairness_ratio(labels, sex))
    weighted = additive_violation(LABELS, SEX, 0.1, sample_weight=weight)
    assert weighted == pytest.approx(additive_violation(labels, sex, 0.1))
    assert weighted > 0


def test_violation_by_hand():
    # m has 3 of 5 and 2 of 3 points; at most half: 0.5 too many in both. f at least 0.45: 0.25 and 0.35 short
    assert additive_violation(LABELS, SEX, upper=[1.0, 0.5]) == pytest.approx(0.5)
    assert additive_violation(LABELS, SEX, lower=[0.45, 0.0]) == pytest.approx(0.35)
    assert additive_violation(LABELS, SEX, lower=[0.3, 0.0], upper=[1.0, 0.7]) == 0.0


def test_violation_with_limits_by_cluster():
    upper = np.array([[1.0, 1.0], [0.8, 0.5]])
    assert additive_violation(LABELS, SEX, lower=np.zeros((2, 2)), upper=upper) == pytest.approx(0.5)
    assert additive_violation(LABELS, SEX, lower=np.zeros((2, 2)), upper=upper[:, ::-1]) == pytest.approx(0.5)
    upper = np.array([[1.0, 1.0], [0.5, 0.8]])
    assert additive_violation(LABELS, SEX, upper=upper) == pytest.approx(0.5)
    assert additive_violation(LABELS, SEX, lower=[0.0, 0.0], upper=upper) == pytest.approx(0.5)


def test_violation_of_bounds_by_pair_and_by_cluster():
    # f at least 0.75 m: 2.25 - 2 and 1.5 - 1
    assert additive_violation(LABELS, SEX, FairnessBounds.balance(0.75)) == pytest.approx(0.5)
    parts = FairnessBounds.per_cluster([FairnessBounds.max_share(0.5), None])
    assert additive_violation(LABELS, SEX, parts) == pytest.approx(0.5)
    assert additive_violation(LABELS, SEX, "exact") == 0.0
    assert additive_violation([0, 0, 1, 1], list("aabb"), "exact") > 0.0


def test_violation_asks_for_one_kind_of_bounds():
    with pytest.raises(ValueError, match="give either bounds"):
        additive_violation(LABELS, SEX)
    with pytest.raises(ValueError, match="give either bounds"):
        additive_violation(LABELS, SEX, 0.2, lower=[0.1, 0.1])
    with pytest.raises(ValueError, match=r"upper must have one share a group, shape \(2,\) for f, m"):
        additive_violation(LABELS, SEX, upper=[0.5])


@pytest.mark.parametrize("read", [list, pd.Series, pl.Series, pd.Categorical], ids=lambda read: read.__name__)
def test_any_column_gives_the_same(read):
    assert balance(LABELS, read(SEX)) == 1 / 2


@pytest.mark.parametrize("read", [list, pd.Series, pl.Series], ids=lambda read: read.__name__)
def test_any_labels_give_the_same(read):
    assert balance(read(LABELS), SEX) == 1 / 2


def test_noise_label_is_a_cluster():
    assert balance_by_cluster([-1, -1, 0, 0], list("aaab")).tolist() == [0.0, 1.0]
