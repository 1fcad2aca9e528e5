"""A small piece of real data, end to end."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.preprocessing import MinMaxScaler

from faircluster import FairKMeans, FairKMedian, FairnessBounds
from faircluster.datasets import load_adult
from tests.estimators.cases import BY_GROUP, cost_of, excess_by_group, excess_of_balance


@pytest.fixture(scope="module")
def adult():
    data = load_adult("train")
    rows = np.random.default_rng(2).permutation(len(data.X))[:3000]
    return MinMaxScaler().fit_transform(data.X)[rows], data.sensitive.iloc[rows].reset_index(drop=True)


def test_moving_centers_beats_one_step_from_plain_centers(adult):
    X, sensitive = adult
    sex, k = sensitive[["sex"]], 5
    bounds = FairnessBounds.balance(0.49)
    plain = KMeans(k, n_init=5, random_state=0).fit(X)
    assert excess_of_balance(0.49, plain.labels_, sex, k) > 10
    baseline = FairKMeans(k, bounds=bounds, init=plain.cluster_centers_, max_iter=1)
    baseline.fit(X, sensitive_features=sex)
    model = FairKMeans(k, bounds=bounds, n_init=5, random_state=0).fit(X, sensitive_features=sex)
    for fit in (baseline, model):
        assert fit.violation_ == 0
        assert excess_of_balance(0.49, fit.labels_, sex, k) == 0
        assert fit.inertia_ == pytest.approx(cost_of(X, fit.cluster_centers_, fit.labels_))
        assert fit.gap_ < 0.005
    assert model.inertia_ < baseline.inertia_
    # the plain method's cost is the yardstick of both
    assert model.unconstrained_cost_ == pytest.approx(plain.inertia_, rel=0.02)
    assert 1 <= model.price_of_fairness_ < baseline.price_of_fairness_ * 1.02


def test_overlapping_groups_of_real_data(adult):
    X, sensitive = adult
    groups = sensitive.assign(race=np.where(sensitive["race"] == "White", "White", "other"))
    model = FairKMedian(4, n_init=1, n_swaps=0, random_state=0).fit(X, sensitive_features=groups)
    assert model.violation_ == 0
    assert excess_by_group(BY_GROUP["slack"][1], model.labels_, groups, 4) == 0
    assert model.gap_ < 0.02
    batch = slice(0, 500)
    labels = model.assign(X[batch], sensitive_features=groups[batch])
    assert excess_by_group(BY_GROUP["slack"][1], labels, groups[batch], 4) == 0
