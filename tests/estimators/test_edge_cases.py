"""Input that is unusual and must simply work."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from faircluster import FairAssignment, FairKMeans, FairKMedian, FairnessBounds
from tests.estimators.cases import BY_GROUP, QUICK, excess_by_group, make_points

X, GROUPS = make_points(30)
SEX = GROUPS[["sex"]]
KINDS = pytest.mark.parametrize("kind", [FairKMeans, FairKMedian])
SLACK = BY_GROUP["slack"][1]


@KINDS
def test_no_groups_means_no_bounds_on_groups(kind):
    for bounds in (0.2, "exact", FairnessBounds.explicit({"F": 0.4}), FairnessBounds.per_cluster([0.1] * 3)):
        model = kind(3, bounds=bounds, size_min=5, **QUICK).fit(X)
        assert (model.labels_ == model.predict(X)).all()
        assert model.violation_ == 0
        assert model.groups_.names == ("all",)
        assert model.assign(X).shape == (30,)


@KINDS
def test_one_group_bounds_nothing(kind):
    one = kind(3, **QUICK).fit(X, sensitive_features=["F"] * 30)
    assert (one.labels_ == kind(3, **QUICK).fit(X).labels_).all()
    assert one.groups_.names == ("F",)


@KINDS
def test_one_cluster(kind):
    model = kind(1, bounds="exact", **QUICK).fit(X, sensitive_features=SEX)
    assert (model.labels_ == 0).all()
    assert model.violation_ == 0
    assert model.price_of_fairness_ == pytest.approx(1.0)


@KINDS
def test_as_many_clusters_as_points(kind):
    plain = kind(30, **QUICK).fit(X)
    assert sorted(plain.labels_) == list(range(30))
    assert plain.inertia_ == 0
    assert plain.price_of_fairness_ == 1.0
    assert plain.gap_ == 0
    few = kind(4, bounds=0.2, **QUICK).fit(X[13:17], sensitive_features=["F", "M", "F", "M"])
    assert few.violation_ == 0  # only pairs, or all together
    assert few.inertia_ > 0
    assert few.unconstrained_cost_ >= 0
    whole = kind(12, random_state=0).fit(X[9:21], sensitive_features=SEX.iloc[9:21])  # swaps and all
    assert whole.violation_ == 0
    assert excess_by_group(SLACK, whole.labels_, SEX.iloc[9:21], 12) == 0


@KINDS
def test_constant_features(kind):
    constant = np.column_stack([X, np.ones(30)])
    model = kind(3, **QUICK).fit(constant, sensitive_features=SEX)
    assert excess_by_group(SLACK, model.labels_, SEX, 3) == 0
    assert model.cluster_centers_[:, 2] == pytest.approx(1.0)
    same = kind(3, **QUICK).fit(np.ones((30, 2)), sensitive_features=SEX)
    assert same.inertia_ == 0
    assert same.violation_ == 0


@KINDS
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_fewer_distinct_points_than_clusters(kind, init):
    few = np.repeat([[0.0, 0.0], [1.0, 1.0]], 15, axis=0)
    model = kind(4, init=init, bounds=None, **QUICK).fit(few)
    assert model.inertia_ == 0
    assert np.isfinite(model.cluster_centers_).all()
    fair = kind(4, init=init, **QUICK).fit(few, sensitive_features=SEX)
    assert fair.violation_ == 0
    assert excess_by_group(SLACK, fair.labels_, SEX, 4) == 0


@KINDS
def test_a_center_far_from_all_points_is_put_to_use(kind):
    start = np.array([[0.0, 0.0], [5.0, 0.0], [1e6, 1e6]])
    model = kind(3, init=start, bounds=None).fit(X)
    assert len(np.unique(model.labels_)) == 3
    assert np.abs(model.cluster_centers_).max() < 20
    fair = kind(3, init=start).fit(X, sensitive_features=SEX)
    assert len(np.unique(fair.labels_)) == 3
    assert fair.violation_ == 0


def test_a_cluster_may_end_up_empty():
    # two of each group, and every cluster must be half and half: three clusters need six points
    model = FairKMeans(3, bounds="exact", size_min=0, **QUICK)
    model.set_params(bounds=FairnessBounds.slack(0.0)).fit(
        [[0.0], [1.0], [8.0], [9.0]], sensitive_features=list("abab")
    )
    assert model.violation_ == 0
    assert len(np.unique(model.labels_)) <= 2
    assert np.isfinite(model.cluster_centers_).all()
    assert model.predict([[0.0]]).shape == (1,)


def test_one_feature_and_one_row():
    assert FairKMeans(1).fit([[3.0]], sensitive_features=["F"]).cluster_centers_.tolist() == [[3.0]]
    assert FairKMedian(1).fit([[3.0]]).predict([[5.0]]).tolist() == [0]
    assert FairKMedian(1, metric="precomputed").fit([[0.0]]).center_indices_.tolist() == [0]


def test_many_small_groups():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 6, 60)
    points = rng.normal(size=(60, 2))
    model = FairKMeans(2, bounds="exact", max_iter=1, **QUICK).fit(points, sensitive_features=groups)
    assert model.violation_ == 0
    for g in range(6):
        count = np.bincount(model.labels_[groups == g], minlength=2)
        assert (abs(count - (groups == g).mean() * np.bincount(model.labels_)) < 1).all()


def test_points_that_belong_to_no_group():
    member = np.zeros((30, 1), dtype=bool)
    member[:12] = True
    model = FairKMeans(3, bounds=0.2, **QUICK).fit(X, sensitive_features=member)
    count = np.bincount(model.labels_[:12], minlength=3)
    sizes = np.bincount(model.labels_, minlength=3)
    assert (count >= 0.8 * 0.4 * sizes - 1e-9).all()
    assert (count <= 0.4 / 0.8 * sizes + 1e-9).all()


def test_bounds_given_by_another_name_for_the_same_thing():
    by_float = FairKMeans(3, bounds=0.25, **QUICK).fit(X, sensitive_features=SEX)
    by_object = FairKMeans(3, bounds=FairnessBounds.slack(0.25), **QUICK).fit(X, sensitive_features=SEX)
    assert (by_float.labels_ == by_object.labels_).all()
    assert by_float.bounds_ == by_object.bounds_


def test_a_refit_forgets_the_last_fit():
    model = FairKMeans(3, **QUICK).fit(X, sensitive_features=SEX)
    model.set_params(n_clusters=2, bounds=None).fit(X[:, :1])
    fresh = FairKMeans(2, bounds=None, **QUICK).fit(X[:, :1])
    assert model.n_features_in_ == 1
    assert model.limits_ is None
    assert (model.labels_ == fresh.labels_).all()
    after = FairAssignment(KMeans(2, random_state=0)).fit(X, sensitive_features=SEX)
    after.set_params(estimator__n_clusters=3).fit(X, sensitive_features=SEX)
    assert len(after.classes_) == 3
