"""predict, assign, transform, score; seeds, row order and weights."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from faircluster import FairKMeans, FairKMedian, InfeasibleBoundsError
from tests.estimators.cases import BY_GROUP, QUICK, cost_of, excess_by_group, make_points, squared_distances

X, GROUPS = make_points()
SEX = GROUPS[["sex"]]
NEW, NEW_GROUPS = make_points(45, seed=9)
NEW_SEX = NEW_GROUPS[["sex"]]
K = 3
SLACK = BY_GROUP["slack"][1]
BOTH = pytest.mark.parametrize(("kind", "power"), [(FairKMeans, 2), (FairKMedian, 1)])


@pytest.fixture(scope="module")
def models():
    return {kind: kind(K, **QUICK).fit(X, sensitive_features=SEX) for kind in (FairKMeans, FairKMedian)}


@BOTH
def test_predict_is_the_nearest_center_whatever_the_batch(models, kind, power):
    model = models[kind]
    nearest = squared_distances(NEW, model.cluster_centers_).argmin(axis=1)
    labels = model.predict(NEW)
    assert (labels == nearest).all()
    assert labels.dtype == np.int32
    assert [model.predict(x[None])[0] for x in NEW[:5]] == nearest[:5].tolist()
    # the fair labels are something else
    assert excess_by_group(SLACK, model.predict(X), SEX, K) > 0


@BOTH
def test_assign_keeps_the_bounds_of_a_new_batch(models, kind, power):
    model = models[kind]
    labels = model.assign(NEW, sensitive_features=NEW_SEX)
    assert excess_by_group(SLACK, labels, NEW_SEX, K) == 0
    assert excess_by_group(SLACK, model.predict(NEW), NEW_SEX, K) > 0
    weights = np.random.default_rng(0).integers(1, 4, len(NEW)).astype(float)
    labels = model.assign(NEW, sensitive_features=NEW_SEX, sample_weight=weights)
    assert excess_by_group(SLACK, labels, NEW_SEX, K, weights) == 0
    assert (model.assign(NEW) == model.predict(NEW)).all()  # no groups, no bounds


@BOTH
def test_assigning_the_training_points_costs_what_the_labels_cost(models, kind, power):
    model = models[kind]
    again = model.assign(X, sensitive_features=SEX)
    cost = cost_of(X, model.cluster_centers_, again, power=power)
    # both are within the engine's tolerance of the same optimum
    assert cost == pytest.approx(model.inertia_, rel=2e-3)
    assert cost >= model.lower_bound_ * (1 - 1e-9)


def test_assign_applies_sizes_to_the_batch():
    model = FairKMeans(K, bounds=None, size_max=25, **QUICK).fit(X)
    assert np.bincount(model.assign(NEW), minlength=K).max() <= 25
    with pytest.raises(InfeasibleBoundsError, match="size_max"):
        model.assign(np.vstack([X, NEW]))


@BOTH
def test_transform_gives_distances(models, kind, power):
    distances = np.sqrt(squared_distances(NEW, models[kind].cluster_centers_))
    assert models[kind].transform(NEW) == pytest.approx(distances)
    assert kind(K, **QUICK).fit_transform(X, sensitive_features=SEX) == pytest.approx(
        models[kind].transform(X)
    )


@BOTH
def test_score_is_the_negative_cost(models, kind, power):
    model = models[kind]
    nearest = cost_of(NEW, model.cluster_centers_, model.predict(NEW), power=power)
    assert model.score(NEW) == pytest.approx(-nearest)
    fair = cost_of(NEW, model.cluster_centers_, model.assign(NEW, sensitive_features=NEW_SEX), power=power)
    assert model.score(NEW, sensitive_features=NEW_SEX) == pytest.approx(-fair)
    assert fair > nearest
    weights = np.arange(45.0)
    weighted = cost_of(NEW, model.cluster_centers_, model.predict(NEW), weights, power)
    assert model.score(NEW, sample_weight=weights) == pytest.approx(-weighted)


@BOTH
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_the_same_seed_gives_the_same_fit(kind, power, init):
    first, second = (
        kind(K, init=init, n_init=2, n_swaps=2, random_state=s).fit(X, sensitive_features=SEX)
        for s in (3, np.random.RandomState(3))
    )
    assert (first.labels_ == second.labels_).all()
    assert (first.cluster_centers_ == second.cluster_centers_).all()
    assert first.inertia_ == second.inertia_


def test_fitting_leaves_numpy_random_numbers_alone():
    np.random.seed(0)  # noqa: NPY002 - the global state is what this test is about
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    FairKMeans(K, n_init=1, n_swaps=1, random_state=0).fit(X, sensitive_features=SEX)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@BOTH
def test_the_order_of_rows_does_not_matter(kind, power):
    p = np.random.default_rng(1).permutation(len(X))
    for settings in (QUICK, {**QUICK, "n_swaps": 5}):
        first = kind(K, **settings).fit(X, sensitive_features=SEX)
        second = kind(K, **settings).fit(X[p], sensitive_features=SEX.iloc[p])
        assert second.inertia_ == pytest.approx(first.inertia_, rel=1e-3)
        assert adjusted_rand_score(first.labels_[p], second.labels_) > 0.9


@BOTH
def test_swaps_do_not_depend_on_the_order_of_rows(kind, power):
    rng = np.random.default_rng(3)
    many, p = rng.normal(size=(200, 2)), rng.permutation(200)
    first, second = (
        kind(12, bounds=None, n_init=1, n_swaps=3, random_state=0).fit(rows) for rows in (many, many[p])
    )
    assert (first.labels_[p] == second.labels_).all()


@BOTH
def test_given_centers_are_where_the_search_begins(kind, power):
    fitted = kind(K, n_init=3, random_state=0).fit(X, sensitive_features=SEX)
    again = kind(K, init=fitted.cluster_centers_).fit(X, sensitive_features=SEX)
    assert again.inertia_ <= fitted.inertia_ * (1 + 1e-3)


@BOTH
def test_equal_weights_change_nothing(kind, power):
    twos = np.full(len(X), 2.0)
    free = kind(K, bounds=None, **QUICK)
    assert (free.fit(X).labels_ == free.fit(X, sample_weight=twos).labels_).all()
    # at the same centers the engine's answers agree up to its tolerance
    step = kind(K, init=free.cluster_centers_, max_iter=1)
    plain = step.fit(X, sensitive_features=SEX).inertia_
    double = step.fit(X, sensitive_features=SEX, sample_weight=twos)
    assert double.inertia_ == pytest.approx(2 * plain, rel=2e-3)
    assert double.violation_ == 0
    # on the way to other centers that tolerance may lead to another local optimum
    plain, double = (kind(K, **QUICK).fit(X, sensitive_features=SEX, sample_weight=w) for w in (None, twos))
    assert double.inertia_ == pytest.approx(2 * plain.inertia_, rel=0.02)
    assert double.violation_ == 0


@BOTH
def test_points_without_weight_are_ignored(kind, power):
    rng = np.random.default_rng(2)
    far = rng.normal(size=(20, 2)) * 50
    both = np.vstack([X, far])
    groups = SEX["sex"].tolist() + ["F"] * 20
    weights = np.r_[np.ones(len(X)), np.zeros(20)]
    plain = kind(K, **QUICK).fit(X, sensitive_features=SEX, sample_weight=np.ones(len(X)))
    model = kind(K, **QUICK).fit(both, sensitive_features=groups, sample_weight=weights)
    assert model.inertia_ == pytest.approx(plain.inertia_, rel=1e-3)
    assert model.cluster_centers_ == pytest.approx(plain.cluster_centers_, abs=0.1)
    assert model.groups_.counts.tolist() == plain.groups_.counts.tolist()
    assert excess_by_group(SLACK, model.labels_[: len(X)], SEX, K) == 0


def test_a_group_without_weight_is_no_group():
    groups = np.where(np.arange(len(X)) < 5, "rare", SEX["sex"])
    weights = np.where(np.arange(len(X)) < 5, 0.0, 1.0)
    model = FairKMeans(K, **QUICK).fit(X, sensitive_features=groups, sample_weight=weights)
    assert model.groups_.names == ("F", "M")
    assert model.labels_.shape == (len(X),)


def test_real_weights_give_almost_fair_labels():
    weights = np.random.default_rng(3).uniform(0.5, 2.0, len(X))
    model = FairKMeans(K, **QUICK).fit(X, sensitive_features=SEX, sample_weight=weights)
    assert model.violation_ <= 2 * weights.max()
    assert model.inertia_ == pytest.approx(cost_of(X, model.cluster_centers_, model.labels_, weights))
    assert excess_by_group(SLACK, model.labels_, SEX, K, weights) == pytest.approx(model.violation_, abs=1e-9)


def test_plain_centers_and_one_iteration_are_the_method_of_bera_et_al():
    plain = KMeans(K, n_init=3, random_state=0).fit(X)
    one_step = FairKMeans(K, init=plain.cluster_centers_, max_iter=1).fit(X, sensitive_features=SEX)
    assert (one_step.cluster_centers_ == plain.cluster_centers_).all()
    assert one_step.violation_ == 0
    assert one_step.unconstrained_cost_ == pytest.approx(plain.inertia_)
    assert one_step.price_of_fairness_ > 1
    # the centers may move once the bounds are kept, and then they cost less
    moved = FairKMeans(K, init=plain.cluster_centers_).fit(X, sensitive_features=SEX)
    assert moved.inertia_ < one_step.inertia_ * (1 - 1e-3)


def test_without_bounds_it_is_plain_k_means():
    start = X[[0, 30, 59]]
    ours = FairKMeans(K, bounds=None, init=start, tol=0).fit(X)
    theirs = KMeans(K, init=start, n_init=1, tol=0).fit(X)
    assert ours.inertia_ == pytest.approx(theirs.inertia_)
    assert (ours.labels_ == theirs.labels_).all()
    assert ours.violation_ == 0
    assert ours.price_of_fairness_ == pytest.approx(1.0)


def test_more_starts_and_swaps_never_hurt():
    few = FairKMeans(6, bounds=None, init="random", n_init=1, n_swaps=0, random_state=4).fit(X)
    many = FairKMeans(6, bounds=None, init="random", n_init=8, n_swaps=20, random_state=4).fit(X)
    assert many.inertia_ <= few.inertia_


def test_progress_is_logged_not_printed(caplog, capsys):
    with caplog.at_level("INFO", logger="faircluster"):
        FairKMeans(K, bounds=None, n_init=2, n_swaps=0, verbose=1).fit(X)
        assert len(caplog.records) == 2
        assert "cost" in caplog.text
        FairKMeans(K, bounds=None, **QUICK).fit(X)
        assert len(caplog.records) == 2
    assert capsys.readouterr().out == ""
