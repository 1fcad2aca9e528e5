import copy
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone

from faircluster.bounds import FairnessBounds as Bounds
from faircluster.groups import Groups

# sex: F 2, M 3 of 5; race: b 2, w 3 of 5
OVERLAPPING = Groups.from_features(pd.DataFrame({"sex": list("FMMFM"), "race": list("wwbbw")}))
# shares 0.2, 0.3, 0.5
THREE = Groups.from_features(list("aabbbccccc"))
# a holds rows 0-5, b rows 3-7, nobody rows 8-9
MATRIX = Groups.from_features(np.array([[i < 6, 3 <= i < 8] for i in range(10)]))

EVERY_KIND = [
    Bounds.slack(0.2),
    Bounds.slack(0.1, target={"a": 0.25}),
    Bounds.interval(0.05),
    Bounds.ratio(0.8),
    Bounds.balance(0.3),
    Bounds.max_share(0.6),
    Bounds.exact(),
    Bounds.exact(target={"a": 0.2, "b": 0.3, "c": 0.5}),
    Bounds.explicit(lower={"a": 0.1}, upper={"b": [0.4, 0.5]}),
    Bounds.per_cluster([0.2, None]),
    Bounds.from_any(None),
]


def quotas_of(groups, labels, n_clusters):
    weights = np.ones(groups.n_rows) if groups.weights is None else groups.weights
    quotas = np.zeros((groups.n_signatures, n_clusters))
    np.add.at(quotas, (groups.signature, np.asarray(labels)), weights)
    return quotas


def column(bounds, groups=THREE):
    lower, upper = bounds.limits(groups, 1)
    return lower.ravel().round(6).tolist(), upper.ravel().round(6).tolist()


@pytest.mark.parametrize(
    ("bounds", "lower", "upper"),
    [
        (Bounds.slack(), [0.16, 0.24, 0.4], [0.25, 0.375, 0.625]),
        (Bounds.slack(0), [0.2, 0.3, 0.5], [0.2, 0.3, 0.5]),
        (Bounds.slack(0.75), [0.05, 0.075, 0.125], [0.8, 1.0, 1.0]),
        (Bounds.interval(0.25), [0.0, 0.05, 0.25], [0.45, 0.55, 0.75]),
        (Bounds.interval(0.6), [0.0, 0.0, 0.0], [0.8, 0.9, 1.0]),
        (Bounds.ratio(), [0.16, 0.24, 0.4], [0.25, 0.375, 0.625]),
        (Bounds.ratio(0.5), [0.1, 0.15, 0.25], [0.4, 0.6, 1.0]),
        (Bounds.ratio(1), [0.2, 0.3, 0.5], [0.2, 0.3, 0.5]),
        (Bounds.balance(0.5), [0.2] * 3, [0.5] * 3),
        (Bounds.balance(1), [0.333333] * 3, [0.333333] * 3),
        (Bounds.balance(0), [0.0] * 3, [1.0] * 3),
        (Bounds.max_share(0.6), [0.0] * 3, [0.6] * 3),
        (Bounds.exact(), [0.2, 0.3, 0.5], [0.2, 0.3, 0.5]),
        (Bounds.explicit({"b": 0.1}, {"c": 0.9}), [0.0, 0.1, 0.0], [1.0, 1.0, 0.9]),
        (Bounds.from_any(None), [0.0] * 3, [1.0] * 3),
        (
            Bounds.slack(0.2, target={"a": 0.3, "b": 0.3, "c": 0.4}),
            [0.24, 0.24, 0.32],
            [0.375, 0.375, 0.5],
        ),
        (Bounds.interval(0.1, target={"a": 0.15}), [0.05, 0.2, 0.4], [0.25, 0.4, 0.6]),
    ],
    ids=repr,
)
def test_limits_by_hand(bounds, lower, upper):
    assert column(bounds) == (lower, upper)


def test_limits_of_one_group_and_of_membership():
    everyone = Groups.from_features(None, n_rows=4)
    for bounds in (0.2, "exact", Bounds.balance(0.4), Bounds.interval(0.1)):
        assert column(Bounds.from_any(bounds), everyone)[1] == [1.0]
        assert Bounds.from_any(bounds).rows(everyone, 3).descriptions == ()
    # groups that overlap or leave rows out: balance implies nothing about shares
    assert column(Bounds.balance(0.5), MATRIX) == ([0.0, 0.0], [1.0, 1.0])
    partition = Groups.from_features(np.array([[True, False], [False, True]]))
    assert column(Bounds.balance(0.5), partition) == ([0.333333] * 2, [0.666667] * 2)


def test_rows_by_hand():
    rows = Bounds.slack(0.2).rows(THREE, 2)
    assert rows.coef.shape == (2, 6, 3)
    assert rows.coef.strides[0] == 0
    assert np.allclose(rows.coef[0, 0], [0.16 - 1, 0.16, 0.16])
    assert np.allclose(rows.coef[1, 5], [-0.625, -0.625, 1 - 0.625])
    assert not rows.rhs.any()
    assert rows.descriptions[0] == "a at least 0.160 of the cluster"
    assert rows.descriptions[5] == "c at most 0.625 of the cluster"
    # cluster 0: 2 a, 1 b, 1 c; a may be 0.25 * 4 = 1: excess 1; c must be 0.4 * 4 = 1.6: excess 0.6
    quotas = [[2, 0], [1, 2], [1, 4]]
    excess = rows.excess(quotas)
    assert excess[0, 3] == pytest.approx(1.0)
    assert excess[0, 2] == pytest.approx(0.6)
    # cluster 1: no a of 6, 0.96 needed
    assert excess[1, 0] == pytest.approx(0.96)
    assert rows.violation(quotas) == pytest.approx(1.0)
    assert rows.violation([[1, 1], [1.5, 1.5], [2.5, 2.5]]) == 0.0
    assert rows.violation(np.zeros((3, 2))) == 0.0


def test_rows_over_overlapping_groups():
    rows = Bounds.explicit(lower={"F": 0.5}, upper={"w": 0.25}).rows(OVERLAPPING, 1)
    # signatures F b, F w, M b, M w
    assert rows.coef[0].tolist() == [[-0.5, -0.5, 0.5, 0.5], [-0.25, 0.75, -0.25, 0.75]]
    assert rows.excess([[1], [0], [0], [3]]).tolist() == [[1.0, 2.0]]


def test_balance_rows():
    rows = Bounds.balance(0.5).rows(OVERLAPPING, 2)
    assert rows.descriptions == (
        "sex=F at least 0.500 times sex=M",
        "sex=M at least 0.500 times sex=F",
        "race=b at least 0.500 times race=w",
        "race=w at least 0.500 times race=b",
    )
    # cluster 0: F b and M w; cluster 1: F w, M b, M w
    quotas = quotas_of(OVERLAPPING, [1, 0, 1, 0, 1], 2)
    assert rows.excess(quotas).tolist() == [[-0.5, -0.5, -0.5, -0.5], [0.0, -1.5, 0.0, -1.5]]
    assert Bounds.balance(0).rows(OVERLAPPING, 2).descriptions == ()


def test_exact_rows():
    rows = Bounds.exact().rows(THREE, 2)
    assert np.allclose(rows.rhs, 0.9)  # counts differ from proportional in tenths, and by less than one
    # cluster 0 of 5: proportional 1, 1.5, 2.5
    assert rows.violation([[1, 1], [2, 1], [2, 3]]) == 0.0
    assert rows.violation([[0, 2], [2, 1], [3, 2]]) == pytest.approx(0.1)  # off by exactly one
    assert Bounds.exact(target={"a": 0.2, "b": 0.3, "c": 0.5}).rows(THREE, 1).rhs[0, 0] < 1.0
    weighted = Groups.from_features(["a", "b", "b"], sample_weight=[0.5, 2.5, 1.0])
    assert np.allclose(Bounds.exact().rows(weighted, 1).rhs, 2.5)
    whole = Groups.from_features(["a", "b", "b"], sample_weight=[2, 5, 1])
    assert np.allclose(Bounds.exact().rows(whole, 1).rhs, 1 - 1 / 8)


def test_exact_sees_a_difference_of_one_among_many():
    groups = Groups.from_features(["a", "b"], sample_weight=[1_000_000, 1_000_000])
    rows = Bounds.exact().rows(groups, 2)
    assert rows.violation([[500_000, 500_000], [500_000, 500_000]]) == 0.0
    assert rows.violation([[500_001, 499_999], [499_999, 500_001]]) == pytest.approx(5e-7, rel=1e-3)


def test_rows_that_cannot_bind_are_left_out():
    assert Bounds.from_any(None).rows(THREE, 4).coef.shape == (4, 0, 3)
    assert Bounds.max_share(1).rows(THREE, 4).descriptions == ()
    assert len(Bounds.slack(0.75).rows(THREE, 4).descriptions) == 4  # two upper limits are 1
    assert Bounds.explicit({"b": 0.1}).rows(THREE, 4).descriptions == ("b at least 0.100 of the cluster",)
    assert Bounds.from_any(None).rows(THREE, 2, 0, 10).descriptions == ()
    assert Bounds.from_any(None).rows(THREE, 2, None, math.inf).descriptions == ()


def test_limits_per_cluster():
    bounds = Bounds.explicit(lower={"a": [0.1, 0.0]}, upper={"b": 0.4})
    lower, upper = bounds.limits(THREE, 2)
    assert lower.tolist() == [[0.1, 0.0], [0.0, 0.0], [0.0, 0.0]]
    assert upper.tolist() == [[1.0, 1.0], [0.4, 0.4], [1.0, 1.0]]
    rows = bounds.rows(THREE, 2)
    assert rows.descriptions == ("a at least 0.000...0.100 of the cluster", "b at most 0.400 of the cluster")
    assert rows.excess([[0, 2], [2, 1], [2, 3]]).round(6).tolist() == [[0.4, 0.4], [-2.0, -1.4]]


def test_bounds_per_cluster():
    bounds = Bounds.per_cluster([Bounds.max_share(0.6), None, Bounds.balance(0.2), "exact"])
    rows = bounds.rows(THREE, 4)
    assert rows.coef.shape == (4, 3 + 6 + 6, 3)
    assert not rows.coef[1].any()
    assert not rows.rhs[:3].any()
    assert np.count_nonzero(rows.rhs[3]) == 6
    assert np.array_equal(rows.coef[0, :3], Bounds.max_share(0.6).rows(THREE, 1).coef[0])
    lower, upper = bounds.limits(THREE, 4)
    assert upper[:, 0].tolist() == [0.6, 0.6, 0.6]
    assert upper[:, 1].tolist() == [1.0, 1.0, 1.0]
    assert np.allclose(upper[:, 2], 1 / 1.4)
    assert lower[:, 3].tolist() == [0.2, 0.3, 0.5]
    same = Bounds.per_cluster([0.2, 0.2]).rows(THREE, 2)
    assert np.array_equal(same.coef, Bounds.slack(0.2).rows(THREE, 2).coef)
    with pytest.raises(ValueError, match="bounds are given for 4 clusters but n_clusters is 3"):
        bounds.rows(THREE, 3)
    with pytest.raises(ValueError, match="bounds are given for 4 clusters but n_clusters is 5"):
        bounds.limits(THREE, 5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Bounds.slack(1), ValueError, "s must satisfy 0 <= s < 1, got 1"),
        (lambda: Bounds.slack(-0.1), ValueError, r"got -0\.1"),
        (lambda: Bounds.interval(1.1), ValueError, "eps must satisfy 0 <= eps <= 1"),
        (lambda: Bounds.interval(math.nan), ValueError, "got nan"),
        (lambda: Bounds.ratio(0), ValueError, "r must satisfy 0 < r <= 1"),
        (lambda: Bounds.balance(2), ValueError, "t must satisfy 0 <= t <= 1, got 2"),
        (lambda: Bounds.max_share(0.0), ValueError, "a must satisfy 0 < a <= 1"),
        (lambda: Bounds.slack("0.2"), TypeError, "s must be a number, got '0.2'"),
        (lambda: Bounds.balance(True), TypeError, "t must be a number, got True"),
        (lambda: Bounds.explicit({"a": 1.5}), ValueError, r"lower\['a'\] must satisfy"),
        (lambda: Bounds.explicit(None, {"a": [0.5, -1]}), ValueError, r"upper\['a'\] must satisfy"),
        (lambda: Bounds.explicit([0.1]), TypeError, "lower must be a dict from group name to share"),
        (
            lambda: Bounds.slack(target={"a": [0.1, 0.2]}),
            TypeError,
            r"target\['a'\] must be a number",
        ),
        (lambda: Bounds.per_cluster([]), TypeError, "per_cluster needs a list"),
        (lambda: Bounds.per_cluster("exact"), TypeError, "per_cluster needs a list"),
        (
            lambda: Bounds.per_cluster([0.1, Bounds.explicit({"a": [0.1]})]),
            ValueError,
            "per_cluster entry 1 has bounds per cluster itself",
        ),
        (lambda: Bounds.from_any(True), TypeError, "got True of type bool"),
        (
            lambda: Bounds.from_any([0.2]),
            TypeError,
            r"or None, got \[0\.2\] of type list",
        ),
        (lambda: Bounds.from_any("exakt"), ValueError, "'exact' or None, got 'exakt'"),
        (lambda: Bounds.from_any(1.5), ValueError, "s must satisfy"),
    ],
)
def test_invalid_numbers_are_refused_at_construction(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (
            Bounds.explicit({"x": 0.1}),
            "group 'x' does not occur; the groups that occur are 'a', 'b', 'c'",
        ),
        (Bounds.slack(target={"x": 0.1}), "group 'x' does not occur"),
        (
            Bounds.explicit({"a": 0.5}, {"a": 0.4}),
            "lower bound 0.5 of group 'a' exceeds its upper bound 0.4",
        ),
        (Bounds.explicit({"a": [0.1, 0.5]}, {"a": 0.4}), "lower bound 0.5 of group 'a'"),
        (
            Bounds.explicit({"a": 0.5, "b": 0.6}),
            r"more than 1: a 0\.500 \+ b 0\.600 \+ c 0\.000 = 1\.1",
        ),
        (
            Bounds.max_share(0.3),
            r"less than 1: a 0\.300 \+ b 0\.300 \+ c 0\.300 = 0\.9",
        ),
        (Bounds.explicit({"a": [0.1]}), r"lower\['a'\] has 1 shares but n_clusters is 2"),
        (
            Bounds.slack(target={"a": 0.5, "b": 0.5, "c": 0.5}),
            r"target shares of one attribute must sum to 1, got a 0\.5 \+ b 0\.5 \+ c 0\.5 = 1\.5",
        ),
        (Bounds.interval(0, target={"a": 0.4}), "lower bounds of disjoint groups sum to more than 1"),
    ],
    ids=repr,
)
def test_bounds_that_collide(bounds, message):
    for ask in (bounds.limits, bounds.rows):
        with pytest.raises(ValueError, match=message):
            ask(THREE, 2)


def test_bounds_of_overlapping_groups_may_sum_to_anything():
    assert Bounds.explicit({"group 0": 0.6, "group 1": 0.6}).rows(MATRIX, 2).rhs.shape == (2, 2)
    assert Bounds.max_share(0.3).rows(MATRIX, 2).rhs.shape == (2, 2)
    named_twice = Bounds.explicit({"F": 0.1, "sex=F": 0.2})
    with pytest.raises(ValueError, match="lower names group 'sex=F' twice, as 'F' and 'sex=F'"):
        named_twice.rows(OVERLAPPING, 1)


@pytest.mark.parametrize("n_clusters", [0, -1, 1.5, True, "2"])
def test_invalid_n_clusters(n_clusters):
    with pytest.raises(ValueError, match="n_clusters must be a whole number of at least 1"):
        Bounds.slack(0.2).rows(THREE, n_clusters)


def test_from_any():
    assert Bounds.from_any(0.3) == Bounds.slack(0.3)
    assert Bounds.from_any(np.float64(0.3)) == Bounds.slack(0.3)
    assert Bounds.from_any(0) == Bounds.slack(0.0)
    assert Bounds.from_any("exact") == Bounds.exact()
    assert Bounds.from_any(None) == Bounds.explicit()
    bounds = Bounds.balance(0.5)
    assert Bounds.from_any(bounds) is bounds


class Holder(BaseEstimator):
    def __init__(self, bounds=0.2):
        self.bounds = bounds


@pytest.mark.parametrize("bounds", EVERY_KIND, ids=repr)
def test_bounds_are_values(bounds):
    for twin in (copy.deepcopy(bounds), pickle.loads(pickle.dumps(bounds)), clone(Holder(bounds)).bounds):
        assert twin == bounds
        assert hash(twin) == hash(bounds)
        assert np.array_equal(twin.rows(THREE, 2).coef, bounds.rows(THREE, 2).coef)
    assert eval(repr(bounds), {"FairnessBounds": Bounds}) == bounds
    assert sum(bounds == other for other in EVERY_KIND) == 1


def test_equality_ignores_the_order_of_names():
    assert Bounds.explicit({"a": 0.1, "b": 0.2}) == Bounds.explicit({"b": 0.2, "a": 0.1})
    assert Bounds.slack(0.2) != Bounds.slack(0.2, target={"a": 0.1})
    assert repr(Bounds.slack(0.2)) == "FairnessBounds.slack(0.2)"


@st.composite
def labelled(draw):
    n = draw(st.integers(1, 25))
    n_attributes = draw(st.integers(1, 2))
    values = [draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)) for _ in range(n_attributes)]
    weights = draw(
        st.none() | st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=n, max_size=n).filter(any)
    )
    k = draw(st.integers(1, 4))
    labels = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    return Groups.from_features(np.array(values).T, sample_weight=weights), np.array(labels), k


SHARE_BOUNDS = st.one_of(
    st.floats(0, 0.9).map(Bounds.slack),
    st.floats(0, 1).map(Bounds.interval),
    st.floats(0.1, 1).map(Bounds.ratio),
)


@given(labelled(), SHARE_BOUNDS | st.just(Bounds.exact()), st.data())
@settings(max_examples=100, deadline=None)
def test_scaled_copies_of_the_data_always_satisfy(case, bounds, data):
    groups, _, k = case
    parts = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=k, max_size=k)))
    quotas = np.outer(groups.signature_counts, parts / parts.sum())
    assert bounds.rows(groups, k).violation(quotas) == 0.0


@given(labelled(), SHARE_BOUNDS | st.just(Bounds.max_share(0.7)))
@settings(max_examples=100, deadline=None)
def test_rows_agree_with_limits(case, bounds):
    groups, labels, k = case
    try:
        lower, upper = bounds.limits(groups, k)
    except ValueError:
        assume(False)
    weights = np.ones(groups.n_rows) if groups.weights is None else groups.weights
    clusters = labels[:, None] == np.arange(k)
    counts = groups.membership.T.astype(float) @ (weights[:, None] * clusters)
    sizes = weights @ clusters
    worst = max(0.0, (lower * sizes - counts).max(), (counts - upper * sizes).max())
    assert bounds.rows(groups, k).violation(quotas_of(groups, labels, k)) == pytest.approx(worst, abs=1e-9)


@given(labelled(), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_balance_agrees_with_counts(case, t):
    groups, labels, k = case
    weights = np.ones(groups.n_rows) if groups.weights is None else groups.weights
    worst = 0.0
    for j in range(k):
        counts = weights[labels == j] @ groups.membership[labels == j]
        for a, first in enumerate(groups.attributes):
            for b, second in enumerate(groups.attributes):
                if first == second:
                    worst = max(worst, t * counts[b] - counts[a])
    quotas = quotas_of(groups, labels, k)
    assert Bounds.balance(t).rows(groups, k).violation(quotas) == pytest.approx(worst, abs=1e-9)


@given(labelled())
@settings(max_examples=100, deadline=None)
def test_exact_agrees_with_whole_numbers(case):
    groups, labels, k = case
    groups = Groups.from_features(groups.membership.argmax(axis=1))  # one attribute, no weights
    n, counts = groups.n_rows, groups.counts.astype(int)
    inside = np.array([groups.membership[labels == j].sum(axis=0) for j in range(k)])
    sizes = np.bincount(labels, minlength=k)
    holds = bool((np.abs(n * inside - np.outer(sizes, counts)) < n).all())
    violation = Bounds.exact().rows(groups, k).violation(quotas_of(groups, labels, k))
    assert (violation == 0.0) == holds
