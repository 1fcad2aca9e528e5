"""What clusters give away: held against scikit-learn, scipy and counting pairs."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, entropy
from scipy.stats.contingency import association
from sklearn.metrics import mutual_info_score, roc_auc_score

from faircluster.groups import Groups
from faircluster.metrics.contingency import contingency
from faircluster.report.evidence import effective_sizes
from faircluster.report.proxies import attribute_leak, feature_table, separating_features


def leak(labels, groups, weights=None):
    table = contingency(labels, groups, weights)
    return attribute_leak(table, np.arange(table.groups.n_groups), effective_sizes(table))


def separated(X, labels, groups, weights=None):
    table = contingency(labels, groups, weights)
    names = tuple(f"x{j}" for j in range(X.shape[1]))
    features = feature_table(X, names, table)
    return features, separating_features(
        features, table, np.arange(table.groups.n_groups), effective_sizes(table), 0.95
    )


def test_leak_against_scikit_learn_and_scipy():
    rng = np.random.default_rng(0)
    groups = rng.choice(list("abc"), 2000, p=[0.5, 0.3, 0.2])
    labels = np.where(rng.random(2000) < 0.3, np.searchsorted(list("abc"), groups), rng.integers(0, 4, 2000))
    found = leak(labels, groups)
    bits = mutual_info_score(labels, groups) / np.log(2)
    chance = 2 * 3 / (2 * 2000 * np.log(2))
    assert found["mutual_information"] == pytest.approx(bits - chance)
    shares = np.unique(groups, return_counts=True)[1] / 2000
    assert found["explained"] == pytest.approx((bits - chance) / entropy(shares, base=2))
    observed = np.array([[np.sum((labels == j) & (groups == g)) for j in range(4)] for g in "abc"])
    test = chi2_contingency(observed, lambda_="log-likelihood")
    assert found["p_value"] == pytest.approx(test.pvalue)
    assert found["cramers_v"] == pytest.approx(association(observed, correction=False), abs=0.02)
    assert found["guess"] == pytest.approx(observed.max(axis=0).sum() / 2000)
    assert found["blind_guess"] == pytest.approx(shares.max())
    assert found["few"] is False


def test_independent_labels_give_nothing_away():
    rng = np.random.default_rng(3)
    found = [leak(rng.integers(0, 8, 500), rng.choice(list("ab"), 500)) for _ in range(200)]
    assert np.mean([f["mutual_information"] for f in found]) < 0.003
    assert np.mean([f["p_value"] < 0.05 for f in found]) < 0.12
    assert np.mean([f["cramers_v"] for f in found]) < 0.04


def test_leak_of_one_group_of_overlapping_groups_and_of_few_rows():
    assert leak([0, 1], ["a", "a"])["explained"] == 0.0
    member = np.array([[True, False], [True, True], [False, True], [False, False]] * 30)
    found = leak(np.arange(120) % 4, Groups.from_features(member))
    assert found["explained"] > 0.9
    assert found["blind_guess"] == 0.25
    assert leak([0, 1, 0, 1], list("abab"))["few"] is True


def brute_auc(x, labels, inside):
    won = pairs = 0.0
    for a, b in itertools.product(np.flatnonzero(inside), np.flatnonzero(~inside)):
        if labels[a] == labels[b]:
            won += (x[a] > x[b]) + 0.5 * (x[a] == x[b])
            pairs += 1
    return won / pairs if pairs else None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_difference_and_auc_against_counting(seed, rounded):
    rng = np.random.default_rng(seed)
    n = 40
    labels, groups = rng.integers(0, 3, n), rng.choice(list("ab"), n)
    groups[:2] = ["a", "b"]
    x = rng.normal(1e4, 1.0, n)
    x = np.round(x, 0) if rounded else x
    _, (row,) = separated(x[:, None], labels, groups)
    inside = groups == "a"
    sums, weight, squares = 0.0, 0.0, 0.0
    for j in range(3):
        a, b = x[(labels == j) & inside], x[(labels == j) & ~inside]
        squares += ((a - a.mean()) ** 2).sum() if len(a) else 0.0
        squares += ((b - b.mean()) ** 2).sum() if len(b) else 0.0
        if len(a) and len(b):
            w = len(a) * len(b) / (len(a) + len(b))
            sums, weight = sums + w * (a.mean() - b.mean()), weight + w
    spread = np.sqrt(squares / n)
    expected = sums / weight / spread if weight and spread > 0 else 0.0
    assert row["difference"] == pytest.approx(expected, abs=1e-7)
    assert row["group"] == "a"  # b is its mirror image
    auc = brute_auc(x, labels, inside)
    assert row["auc"] == (None if auc is None else pytest.approx(auc, abs=1e-12))
    pooled = np.sqrt((inside.sum() * x[inside].var() + (~inside).sum() * x[~inside].var()) / n)
    if pooled > 0:
        assert row["overall"] == pytest.approx((x[inside].mean() - x[~inside].mean()) / pooled, abs=1e-7)


def test_whole_weights_are_copies():
    rng = np.random.default_rng(5)
    X, labels = rng.normal(size=(60, 2)), rng.integers(0, 2, 60)
    groups, weights = rng.choice(list("ab"), 60), rng.integers(0, 4, 60)
    kept = np.repeat(np.arange(60), weights)
    copies, with_weights = (
        separated(X[kept], labels[kept], groups[kept])[1],
        separated(X, labels, groups, weights)[1],
    )
    for one, two in zip(copies, with_weights, strict=True):
        for name in ("feature", "group"):
            assert one[name] == two[name]
        for name in ("difference", "overall", "auc"):
            assert one[name] == pytest.approx(two[name], abs=1e-9)


def test_auc_of_many_values_is_close_to_exact():
    rng = np.random.default_rng(6)
    inside = rng.random(50_000) < 0.3
    x = rng.normal(size=50_000) + 0.4 * inside
    features, (row,) = separated(x[:, None], np.zeros(50_000, dtype=int), np.where(inside, "a", "b"))
    assert not features.exact[0]
    assert row["auc_exact"] is False
    assert row["auc"] == pytest.approx(roc_auc_score(inside, x), abs=1e-4)


def test_centers_are_means_and_the_input_is_left_alone():
    rng = np.random.default_rng(8)
    X = np.asfortranarray(rng.normal(3.0, 1.0, size=(300, 4)))  # columns that are views, not copies
    labels = rng.integers(0, 3, 300)
    kept = X.copy()
    table = contingency(labels, rng.choice(list("ab"), 300))
    centers = feature_table(X, tuple("wxyz"), table).centers(table.sizes)
    assert centers == pytest.approx(np.array([X[labels == j].mean(axis=0) for j in range(3)]))
    assert (kept == X).all()


def test_conclusive_only_beyond_chance():
    rng = np.random.default_rng(9)
    groups = rng.choice(["a", "b", "c"], 3000)
    labels = rng.integers(0, 4, 3000)
    X = rng.normal(size=(3000, 6))
    X[:, 2] += 0.3 * (groups == "b")
    _, found = separated(X, labels, groups)
    assert [row["feature"] for row in found if row["conclusive"]] == ["x2"]
    assert (found[0]["feature"], found[0]["group"]) == ("x2", "b")
    low, high = found[0]["interval"]
    assert low < 0.3 / np.sqrt(1 + 0.02) < high


def test_few_members_are_not_judged():
    X = np.arange(12.0)[:, None]
    _, (row,) = separated(X, [0] * 12, ["a"] * 3 + ["b"] * 9)
    assert row["few"]
    assert not row["conclusive"]
    assert row["worst_cluster"] is None


def test_constant_features_separate_nothing():
    _, (row,) = separated(np.full((40, 1), 1e8), [0, 1] * 20, ["a"] * 20 + ["b"] * 20)
    assert (row["difference"], row["overall"], row["auc"]) == (0.0, 0.0, 0.5)
