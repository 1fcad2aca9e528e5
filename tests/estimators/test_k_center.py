import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from faircluster import FairKCenter, FairnessBounds
from faircluster.groups import Groups
from tests.assignment.oracles import point_rows


@parametrize_with_checks([FairKCenter(n_clusters=3, random_state=0)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def blobs(seed=0, n=200):
    rng = np.random.default_rng(seed)
    where = rng.integers(0, 4, n)
    X = 6.0 * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])[where] + rng.normal(size=(n, 2))
    sex = np.where(rng.random(n) < np.where(where < 2, 0.7, 0.3), "f", "m")
    return X, pd.DataFrame({"sex": sex, "old": rng.random(n) < 0.4})


def fair_optimum(X, groups, bounds, k):
    """Least radius over all centers among the points and all assignments."""
    D, rows, n = cdist(X, X), point_rows(groups, bounds, k), len(X)
    best = np.inf
    fair = [labels for labels in itertools.product(range(k), repeat=n) if rows.violation(labels) == 0]
    for labels in map(np.array, fair):
        parts = [np.flatnonzero(labels == j) for j in range(k)]
        best = min(best, max(D[part].max(axis=0).min() for part in parts if len(part)))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_at_most_three_times_the_fair_optimum(seed):
    rng = np.random.default_rng(seed)
    n, k = 8, 2
    X, sex = rng.normal(size=(n, 2)), rng.permutation(list("aaaabbbb"))
    bounds = FairnessBounds.slack(0.34)
    optimum = fair_optimum(X, Groups.from_features(sex), bounds, k)
    started = FairKCenter(k, bounds=bounds, n_init=1, max_iter=0, random_state=seed)
    started.fit(X, sensitive_features=sex)
    assert started.relaxed_radius_ <= 3.0 * optimum + 1e-12
    assert started.radius_ <= 3.0 * optimum + 1e-12
    improved = FairKCenter(k, bounds=bounds, random_state=seed).fit(X, sensitive_features=sex)
    assert optimum - 1e-12 <= improved.radius_ <= started.radius_
    assert improved.lower_bound_ <= optimum + 1e-12


def test_attributes_describe_the_clustering():
    X, frame = blobs()
    model = FairKCenter(4, bounds=0.2, random_state=0).fit(X, sensitive_features=frame)
    groups = Groups.from_features(frame)
    own = cdist(X, model.cluster_centers_)[np.arange(len(X)), model.labels_]
    assert np.array_equal(model.cluster_centers_, X[model.center_indices_])
    assert model.radius_ == pytest.approx(own.max())
    assert (
        model.violation_ == point_rows(groups, FairnessBounds.slack(0.2), 4).violation(model.labels_) == 0.0
    )
    assert model.status_ == "optimal"
    assert model.lower_bound_ <= model.unconstrained_radius_ <= model.radius_
    assert model.relaxed_radius_ <= model.radius_
    assert model.price_of_fairness_ == pytest.approx(model.radius_ / model.unconstrained_radius_)
    assert model.score(X, sensitive_features=frame) == -model.radius_
    assert np.array_equal(model.predict(X), cdist(X, model.cluster_centers_).argmin(axis=1))
    assert model.transform(X).shape == (200, 4)
    assert model.get_feature_names_out().tolist() == [f"fairkcenter{j}" for j in range(4)]
    batch = model.assign(X[:50], sensitive_features=frame[:50])
    assert point_rows(Groups.from_features(frame[:50]), FairnessBounds.slack(0.2), 4).violation(batch) == 0.0


def test_improvement_lowers_the_radius():
    X, frame = blobs(1)
    plain = FairKCenter(4, max_iter=0, random_state=0).fit(X, sensitive_features=frame)
    better = FairKCenter(4, random_state=0).fit(X, sensitive_features=frame)
    assert better.radius_ < plain.radius_
    assert better.n_iter_ > plain.n_iter_ == 0


def test_precomputed_and_other_metrics():
    X, frame = blobs(2, 80)
    by_points = FairKCenter(3, metric="manhattan", random_state=0).fit(X, sensitive_features=frame)
    D = cdist(X, X, "cityblock")
    model = FairKCenter(3, metric="precomputed", random_state=0).fit(D, sensitive_features=frame)
    assert not hasattr(model, "cluster_centers_")
    own = D[np.arange(80), model.center_indices_[model.labels_]]
    assert model.radius_ == own.max()
    assert np.array_equal(model.predict(D), D[:, model.center_indices_].argmin(axis=1))
    labels = by_points.labels_
    assert by_points.radius_ == pytest.approx(D[np.arange(80), by_points.center_indices_[labels]].max())
    with pytest.raises(ValueError, match="square"):
        clone(model).fit(D[:, :5])
    with pytest.raises(ValueError, match="negative"):
        clone(model).fit(-D)


def test_sizes_weights_and_degenerate_data():
    X, frame = blobs(3, 60)
    sized = FairKCenter(3, size_min=15, size_max=25, random_state=0).fit(X, sensitive_features=frame.sex)
    assert (np.bincount(sized.labels_, minlength=3) >= 15).all()
    assert (np.bincount(sized.labels_, minlength=3) <= 25).all()
    weights = np.ones(60)
    weights[:5], X[0] = 0.0, 1e6
    weighted = FairKCenter(3, random_state=0).fit(X, sensitive_features=frame.sex, sample_weight=weights)
    assert weighted.radius_ < 100.0
    assert not set(weighted.center_indices_) & set(range(5))
    assert (
        FairKCenter(2, random_state=0).fit(np.ones((6, 2)), sensitive_features=list("aabbab")).radius_ == 0.0
    )
    alone = FairKCenter(4, random_state=0).fit(np.arange(4.0)[:, None])
    assert alone.radius_ == 0.0
    assert alone.price_of_fairness_ == 1.0


def test_the_order_of_rows_does_not_change_the_radius():
    X, frame = blobs(4, 100)
    shuffled = np.random.default_rng(0).permutation(100)
    options = {"n_clusters": 4, "random_state": 3, "max_iter": 0}
    here = FairKCenter(**options).fit(X, sensitive_features=frame)
    there = FairKCenter(**options).fit(X[shuffled], sensitive_features=frame.iloc[shuffled])
    assert here.radius_ == there.radius_
    assert here.cluster_centers_.tolist() == there.cluster_centers_.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n_init": 0}, "n_init"), ({"max_iter": -1}, "max_iter"), ({"n_swaps": -1}, "n_swaps"),
     ({"metric": 3}, "metric"), ({"rounding": "up"}, "rounding"), ({"n_clusters": 9}, "n_clusters")],
)  # fmt: skip
def test_bad_parameters_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        FairKCenter(**{"n_clusters": 2, **options}).fit(
            np.arange(6.0)[:, None], sensitive_features=list("ababab")
        )
