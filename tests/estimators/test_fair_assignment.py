"""Fairness after the fact, for any clusterer."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import DBSCAN, AgglomerativeClustering, Birch, KMeans, MeanShift
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture

from faircluster import FairAssignment, FairnessBounds
from tests.estimators.cases import BY_GROUP, excess_by_group, make_points, squared_distances

X, GROUPS = make_points()
SEX = GROUPS[["sex"]]
NEW, NEW_GROUPS = make_points(45, seed=9)
SLACK = BY_GROUP["slack"][1]


def kmeans(k=3):
    return KMeans(k, n_init=1, random_state=0)


class Labels(ClusterMixin, BaseEstimator):
    """Labels it is told, no rule for new points."""

    def __init__(self, labels):
        self.labels = labels

    def fit(self, X):
        self.labels_ = np.asarray(self.labels)
        return self


class Rule(Labels):
    """Labels by the sign of the first column."""

    def predict(self, X):
        return np.where(X[:, 0] > 2.5, 7, 3)


class OddCenters(Rule):
    """Centers in a space of its own."""

    def fit(self, X):
        self.cluster_centers_ = np.zeros((2, 1))
        return super().fit(X)


def codes(labels):
    return np.unique(labels, return_inverse=True)[1]


@pytest.mark.parametrize(
    ("estimator", "kind"),
    [
        (kmeans(), "distance"),
        (GaussianMixture(3, random_state=0), "proba"),
        (AgglomerativeClustering(3), "labels"),
        (Birch(n_clusters=3), "labels"),
        (MeanShift(bandwidth=3), "distance"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_any_clusterer_becomes_fair(estimator, kind):
    model = FairAssignment(estimator).fit(X, sensitive_features=SEX)
    assert model.cost_kind_ == kind
    assert model.violation_ == 0
    k = len(model.classes_)
    assert excess_by_group(SLACK, codes(model.labels_), SEX, k) == 0
    assert excess_by_group(SLACK, codes(model.plain_labels_), SEX, k) > 0
    assert model.n_moved_ == (model.labels_ != model.plain_labels_).sum() > 0
    assert model.lower_bound_ <= model.cost_
    assert model.price_of_fairness_ >= 1


def test_distances_are_to_the_centers_of_the_estimator():
    model = FairAssignment(kmeans()).fit(X, sensitive_features=SEX)
    centers = model.estimator_.cluster_centers_
    own = squared_distances(X, centers)[np.arange(len(X)), model.labels_]
    assert model.cost_ == pytest.approx(own.sum())
    assert model.unconstrained_cost_ == pytest.approx(model.estimator_.inertia_)


def test_probabilities_are_what_a_point_gives_up():
    model = FairAssignment(GaussianMixture(3, random_state=0)).fit(X, sensitive_features=SEX)
    proba = model.estimator_.predict_proba(X)
    assert model.cost_ == pytest.approx(len(X) - proba[np.arange(len(X)), model.labels_].sum())


def fewest_moves(labels, sex, lower, upper):
    """Brute force: the least number of points that must change, or None."""
    best = None
    for trial in product(np.unique(labels), repeat=len(labels)):
        trial = np.array(trial)  # noqa: PLW2901
        female = [(sex[trial == j] == "F").mean() if (trial == j).any() else None for j in np.unique(labels)]
        if all(share is None or lower - 1e-9 <= share <= upper + 1e-9 for share in female):
            moved = int((trial != labels).sum())
            best = moved if best is None else min(best, moved)
    return best


@given(seed=st.integers(0, 10_000))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_labels_alone_move_the_fewest_points(seed):
    rng = np.random.default_rng(seed)
    n = 8
    labels = rng.permutation(np.r_[3, 7, rng.choice([3, 7], n - 2)])
    sex = rng.permutation(np.array(["F", "M"])[np.r_[0, 1, rng.integers(0, 2, n - 2)]])
    share = (sex == "F").mean()
    lower, upper = max(0.0, share - 0.2), min(1.0, share + 0.2)
    bounds = FairnessBounds.explicit({"F": lower}, {"F": upper})
    model = FairAssignment(Labels(labels), bounds=bounds).fit(np.zeros((n, 1)), sensitive_features=sex)
    assert model.cost_kind_ == "labels"
    assert model.violation_ == 0
    assert set(model.labels_) <= {3, 7}
    assert model.n_moved_ == model.cost_ == fewest_moves(labels, sex, lower, upper)


def test_label_values_of_the_estimator_are_kept():
    model = FairAssignment(Rule([3] * 20)).fit(X, sensitive_features=SEX)
    assert model.classes_.tolist() == [3, 7]
    assert set(model.labels_) == set(model.plain_labels_) == {3, 7}
    assert model.n_moved_ < 20
    assert (model.predict(NEW) == np.where(NEW[:, 0] > 2.5, 7, 3)).all()
    assert set(model.assign(NEW, sensitive_features=NEW_GROUPS)) <= {3, 7}


def test_noise_of_dbscan_is_a_cluster_like_the_others():
    model = FairAssignment(DBSCAN(eps=0.8), bounds=0.4).fit(X, sensitive_features=SEX)
    assert model.classes_[0] == -1
    assert (model.plain_labels_ == model.estimator_.labels_).all()
    assert model.violation_ == 0


def test_without_a_rule_only_the_training_points_have_labels():
    model = FairAssignment(DBSCAN(eps=0.8), bounds=0.4).fit(X, sensitive_features=SEX)
    assert not hasattr(model, "predict")
    assert not hasattr(model, "score")
    assert not hasattr(model, "transform")
    assert (model.assign(X, sensitive_features=SEX) == model.labels_).all()
    for other in (NEW, X + 1.0, X[::-1]):  # of another length, or other points
        with pytest.raises(ValueError, match="DBSCAN cannot label new points"):
            model.assign(other, sensitive_features=np.resize(SEX["sex"], len(other)))


def test_predict_is_the_rule_of_the_estimator():
    model = FairAssignment(kmeans()).fit(X, sensitive_features=SEX)
    assert (model.predict(NEW) == model.estimator_.predict(NEW)).all()
    assert (model.transform(NEW) == model.estimator_.transform(NEW)).all()
    labels = model.assign(NEW, sensitive_features=NEW_GROUPS)
    assert excess_by_group(SLACK, labels, NEW_GROUPS[["sex", "age"]], 3) == 0
    score = model.score(NEW, sensitive_features=NEW_GROUPS)
    own = squared_distances(NEW, model.estimator_.cluster_centers_)[np.arange(45), labels]
    assert score == pytest.approx(-own.sum())


def test_the_given_estimator_is_cloned_unless_it_is_fitted():
    inner = kmeans()
    model = FairAssignment(inner).fit(X, sensitive_features=SEX)
    assert not hasattr(inner, "labels_")
    assert model.estimator_ is not inner
    fitted = kmeans().fit(NEW)
    centers = fitted.cluster_centers_.copy()
    model = FairAssignment(fitted, prefit=True).fit(X, sensitive_features=SEX)
    assert model.estimator_ is fitted
    assert (fitted.cluster_centers_ == centers).all()
    frozen = FairAssignment(FrozenEstimator(fitted)).fit(X, sensitive_features=SEX)
    assert (frozen.labels_ == model.labels_).all()
    with pytest.raises(NotFittedError):
        FairAssignment(kmeans(), prefit=True).fit(X)


def test_a_fitted_estimator_gets_the_columns_it_knows():
    frame = pd.DataFrame(X, columns=["u", "v"])
    fitted = kmeans().fit(frame)
    model = FairAssignment(fitted, prefit=True).fit(frame, sensitive_features=SEX)
    assert (model.predict(frame) == fitted.labels_).all()
    assert model.violation_ == 0


def test_weights_reach_an_estimator_that_takes_them():
    weights = np.random.default_rng(0).integers(1, 5, len(X)).astype(float)
    model = FairAssignment(kmeans()).fit(X, sensitive_features=SEX, sample_weight=weights)
    assert (
        model.estimator_.cluster_centers_ == kmeans().fit(X, sample_weight=weights).cluster_centers_
    ).all()
    assert excess_by_group(SLACK, model.labels_, SEX, 3, weights) == 0
    ignored = FairAssignment(AgglomerativeClustering(3)).fit(X, sensitive_features=SEX, sample_weight=weights)
    assert excess_by_group(SLACK, ignored.labels_, SEX, 3, weights) == 0


@pytest.mark.parametrize("cost", ["distance", "proba", "labels"])
def test_the_kind_of_cost_can_be_chosen_where_it_is_offered(cost):
    assert FairAssignment(kmeans(), cost="labels").fit(X, sensitive_features=SEX).cost_kind_ == "labels"
    if cost != "labels":
        with pytest.raises(ValueError, match=f"cost='{cost}' needs .* which AgglomerativeClustering"):
            FairAssignment(AgglomerativeClustering(3), cost=cost).fit(X, sensitive_features=SEX)


def test_labels_as_cost_move_fewer_points_than_distances():
    by_distance = FairAssignment(kmeans()).fit(X, sensitive_features=SEX)
    by_label = FairAssignment(kmeans(), cost="labels").fit(X, sensitive_features=SEX)
    assert by_label.n_moved_ <= by_distance.n_moved_
    assert by_label.cost_ == by_label.n_moved_


def test_centers_in_another_space_are_not_used():
    model = FairAssignment(OddCenters([0])).fit(X, sensitive_features=SEX)
    assert model.cost_kind_ == "labels"
    with pytest.raises(ValueError, match="in the space of X"):
        FairAssignment(OddCenters([0]), cost="distance").fit(X, sensitive_features=SEX)


def test_bad_parameters_are_named():
    with pytest.raises(ValueError, match="cost must be 'auto', 'distance', 'proba' or 'labels', got 'moves'"):
        FairAssignment(kmeans(), cost="moves").fit(X)
    with pytest.raises(ValueError, match="prefit must be True or False, got 'yes'"):
        FairAssignment(kmeans(), prefit="yes").fit(X)
    with pytest.raises(TypeError, match="Cannot clone object"):
        FairAssignment("kmeans").fit(X)
    with pytest.raises(ValueError, match="has neither predict nor labels_"):
        FairAssignment(PCA()).fit(X)
    with pytest.raises(ValueError, match="pass the points it was fitted to"):
        FairAssignment(Labels([0, 1])).fit(X)
