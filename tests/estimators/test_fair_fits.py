"""What every fair fit promises, checked against the definitions."""

from itertools import pairwise

import numpy as np
import pytest

from faircluster import FairKMeans, FairKMedian, FairnessBounds
from tests.estimators.cases import (
    BY_GROUP,
    QUICK,
    cost_of,
    excess_by_group,
    excess_of_balance,
    group_counts,
    make_points,
    squared_distances,
)

X, GROUPS = make_points()
WEIGHTS = np.random.default_rng(5).integers(0, 4, len(X)).astype(float)
K = 3
BOTH = pytest.mark.parametrize(("kind", "power"), [(FairKMeans, 2), (FairKMedian, 1)])


def check_certificate(model, power, weights=None):
    """Everything the fitted attributes say about the labels, from the labels."""
    labels, k = model.labels_, model.n_clusters
    assert labels.shape == (len(X),)
    assert labels.dtype == np.int32
    assert set(np.unique(labels)) <= set(range(k))
    assert model.inertia_ == pytest.approx(
        cost_of(X, model.cluster_centers_, labels, weights, power), rel=1e-9
    )
    assert model.lower_bound_ <= model.inertia_
    assert model.gap_ == pytest.approx(model.inertia_ / model.lower_bound_ - 1, abs=1e-12)
    assert model.unconstrained_cost_ <= model.inertia_
    assert model.price_of_fairness_ == pytest.approx(model.inertia_ / model.unconstrained_cost_)
    assert model.price_of_fairness_ >= 1
    sizes = np.bincount(labels, weights, minlength=k)
    assert model.quotas_.sum(axis=0) == pytest.approx(sizes)
    # no assignment to these centers, bounds or not, is cheaper than each point at its nearest
    nearest = squared_distances(X, model.cluster_centers_).min(axis=1) ** (power / 2)
    mass = np.ones(len(X)) if weights is None else weights
    assert float(nearest @ mass) <= model.lower_bound_ * (1 + 1e-6)
    assert model.status_ in ("optimal", "feasible")


@BOTH
@pytest.mark.parametrize("name", BY_GROUP)
def test_bounds_on_groups_hold_in_every_cluster(kind, power, name):
    bounds, rule = BY_GROUP[name]
    model = kind(K, bounds=bounds, **QUICK).fit(X, sensitive_features=GROUPS[["sex"]])
    assert model.violation_ == 0
    assert excess_by_group(rule, model.labels_, GROUPS[["sex"]], K) == 0
    check_certificate(model, power)


@pytest.mark.parametrize("name", BY_GROUP)
def test_bounds_on_overlapping_groups_hold_at_once(name):
    bounds, rule = BY_GROUP[name]
    model = FairKMeans(K, bounds=bounds, max_iter=1, **QUICK).fit(X, sensitive_features=GROUPS)
    assert model.violation_ == 0
    assert excess_by_group(rule, model.labels_, GROUPS, K) == 0
    check_certificate(model, 2)


@pytest.mark.parametrize("name", BY_GROUP)
def test_the_plain_labels_break_these_bounds(name):
    # otherwise the test above could not fail
    plain = FairKMeans(K, bounds=None, **QUICK).fit(X, sensitive_features=GROUPS)
    assert excess_by_group(BY_GROUP[name][1], plain.labels_, GROUPS, K) > 0.5
    assert plain.price_of_fairness_ == pytest.approx(1.0, abs=0.02)


@BOTH
def test_balance_holds_between_every_two_groups(kind, power):
    model = kind(K, bounds=FairnessBounds.balance(0.7), **QUICK).fit(X, sensitive_features=GROUPS)
    assert model.violation_ == 0
    assert excess_of_balance(0.7, model.labels_, GROUPS, K) == 0
    check_certificate(model, power)


def test_explicit_limits_hold_by_group_and_by_cluster():
    bounds = FairnessBounds.explicit(
        lower={"F": 0.45, "old": [0.5, 0.3, 0.0]}, upper={"young": [0.5, 0.6, 0.7]}
    )
    model = FairKMeans(K, bounds=bounds, **QUICK).fit(X, sensitive_features=GROUPS)
    assert model.violation_ == 0
    sizes = np.bincount(model.labels_, minlength=K)
    female = group_counts(model.labels_, GROUPS["sex"], K)["F"]
    age = group_counts(model.labels_, GROUPS["age"], K)
    assert (female >= 0.45 * sizes - 1e-9).all()
    assert (age["old"] >= np.array([0.5, 0.3, 0.0]) * sizes - 1e-9).all()
    assert (age["young"] <= np.array([0.5, 0.6, 0.7]) * sizes + 1e-9).all()


def test_each_cluster_may_have_bounds_of_its_own():
    bounds = FairnessBounds.per_cluster(["exact", 0.2, None])
    model = FairKMeans(K, bounds=bounds, **QUICK).fit(X, sensitive_features=GROUPS[["sex"]])
    assert model.violation_ == 0
    counts = group_counts(model.labels_, GROUPS["sex"], K)
    sizes = np.bincount(model.labels_, minlength=K)
    for count in counts.values():
        p = count.sum() / len(X)
        assert abs(count[0] - p * sizes[0]) < 1
        assert 0.8 * p * sizes[1] - 1e-9 <= count[1] <= p / 0.8 * sizes[1] + 1e-9


def test_target_shares_replace_those_of_the_data():
    bounds = FairnessBounds.slack(0.1, target={"F": 0.45, "M": 0.55})
    assert (GROUPS["sex"] == "F").mean() > 0.47  # the target is not the data's
    model = FairKMeans(K, bounds=bounds, **QUICK).fit(X, sensitive_features=GROUPS["sex"])
    counts = group_counts(model.labels_, GROUPS["sex"], K)
    sizes = np.bincount(model.labels_, minlength=K)
    assert (counts["F"] <= 0.45 / 0.9 * sizes + 1e-9).all()
    assert (counts["M"] >= 0.9 * 0.55 * sizes - 1e-9).all()


def test_a_membership_matrix_bounds_overlapping_groups():
    matrix = np.column_stack([GROUPS["sex"] == "F", GROUPS["age"] == "old", X[:, 0] > 2])
    model = FairKMeans(K, bounds=0.4, max_iter=1, **QUICK).fit(X, sensitive_features=matrix)
    assert model.groups_.names == ("group 0", "group 1", "group 2")
    assert model.violation_ == 0
    sizes = np.bincount(model.labels_, minlength=K)
    for column in matrix.T:
        count, p = np.bincount(model.labels_[column], minlength=K), column.mean()
        assert (count >= 0.6 * p * sizes - 1e-9).all()
        assert (count <= min(1.0, p / 0.6) * sizes + 1e-9).all()


def test_intersections_are_bounded_by_choice():
    both = GROUPS["sex"] + GROUPS["age"]
    model = FairKMeans(K, bounds=0.4, intersect=True, **QUICK).fit(X, sensitive_features=GROUPS)
    assert len(model.groups_.names) == 4
    sizes = np.bincount(model.labels_, minlength=K)
    for count in group_counts(model.labels_, both, K).values():
        p = count.sum() / len(X)
        assert (count >= 0.6 * p * sizes - 1e-9).all()


@BOTH
def test_whole_weights_count_in_bounds_and_cost(kind, power):
    model = kind(K, bounds=0.2, **QUICK).fit(X, sensitive_features=GROUPS["sex"], sample_weight=WEIGHTS)
    assert model.violation_ == 0
    assert excess_by_group(BY_GROUP["slack"][1], model.labels_, GROUPS[["sex"]], K, WEIGHTS) == 0
    check_certificate(model, power, WEIGHTS)


@BOTH
def test_sizes_hold_with_and_without_groups(kind, power):
    for groups in (None, GROUPS["sex"]):
        model = kind(K, bounds=0.3, size_min=[25, 25, 10], size_max=[35, 60, 60], **QUICK)
        model.fit(X, sensitive_features=groups)
        sizes = np.bincount(model.labels_, minlength=K)
        assert (sizes >= [25, 25, 10]).all()
        assert (sizes <= [35, 60, 60]).all()
        assert model.violation_ == 0
        check_certificate(model, power)


def test_nearest_rounding_costs_no_more_than_the_bound_and_breaks_little():
    strict = FairKMeans(K, **QUICK).fit(X, sensitive_features=GROUPS)
    model = FairKMeans(K, rounding="nearest", init=strict.cluster_centers_, max_iter=1)
    model.fit(X, sensitive_features=GROUPS)
    assert model.violation_ <= 2
    assert model.inertia_ <= model.lower_bound_ * 1.001 <= strict.inertia_ * 1.002
    assert excess_by_group(BY_GROUP["slack"][1], model.labels_, GROUPS, K) == pytest.approx(model.violation_)


def test_tighter_bounds_at_the_same_centers_never_cost_less():
    centers = FairKMeans(K, bounds=None, **QUICK).fit(X).cluster_centers_
    costs = []
    for s in (0.5, 0.3, 0.1):
        model = FairKMeans(K, bounds=s, init=centers, max_iter=1).fit(X, sensitive_features=GROUPS["sex"])
        assert (model.cluster_centers_ == centers).all()
        costs.append((model.lower_bound_, model.inertia_))
    for (loose_bound, _), (_, tight_cost) in pairwise(costs):
        assert loose_bound <= tight_cost * (1 + 1e-9)


def test_fitted_attributes_say_what_was_asked():
    model = FairKMeans(K, bounds=0.2, **QUICK).fit(X, sensitive_features=GROUPS)
    assert model.bounds_ == FairnessBounds.slack(0.2)
    assert model.groups_.names == ("sex=F", "sex=M", "age=old", "age=young")
    assert model.groups_.counts.tolist() == [
        GROUPS.eq(v).to_numpy().sum() for v in ("F", "M", "old", "young")
    ]
    lower, upper = model.limits_
    assert lower.shape == upper.shape == (4, K)
    assert lower[:, 0] == pytest.approx(0.8 * model.groups_.counts / len(X))
    assert model.quotas_.shape == (4, K)  # every combination occurs
    assert model.n_iter_ >= 1
    assert model.n_features_in_ == 2
