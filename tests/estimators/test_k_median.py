"""What is particular to fair k-median: geometric medians and medoids."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from faircluster import FairKMeans, FairKMedian
from tests.estimators.cases import BY_GROUP, QUICK, excess_by_group, make_points

X, GROUPS = make_points()
SEX = GROUPS[["sex"]]
D = cdist(X, X)
K = 3
SLACK = BY_GROUP["slack"][1]


def medoid_totals(model, weights=None):
    """Cost of each cluster at its medoid and at its best member."""
    mass = np.ones(len(X)) if weights is None else weights
    for j, medoid in enumerate(model.center_indices_):
        mine = np.flatnonzero((model.labels_ == j) & (mass > 0))
        yield mass[mine] @ D[mine, medoid], (mass[mine] @ D[np.ix_(mine, mine)]).min()


def test_medoids_are_points_and_suit_their_clusters():
    model = FairKMedian(K, metric="precomputed", **QUICK).fit(D, sensitive_features=SEX)
    assert model.center_indices_.shape == (K,)
    assert not hasattr(model, "cluster_centers_")
    assert model.violation_ == 0
    assert excess_by_group(SLACK, model.labels_, SEX, K) == 0
    cost = D[np.arange(len(X)), model.center_indices_[model.labels_]].sum()
    assert model.inertia_ == model.cost_ == pytest.approx(cost)
    assert model.lower_bound_ <= model.cost_
    for at_medoid, best in medoid_totals(model):
        # the last quotas may leave a medoid a little behind its final cluster
        assert at_medoid <= best * 1.02


def test_plain_medoids_are_optimal_for_their_clusters():
    model = FairKMedian(K, metric="precomputed", **QUICK).fit(D)
    assert (model.labels_ == D[:, model.center_indices_].argmin(axis=1)).all()
    for at_medoid, best in medoid_totals(model):
        assert at_medoid == pytest.approx(best)


def test_weights_pull_medoids():
    line = np.array([0.0, 1.0, 2.0, 3.0, 10.0])
    distances = np.abs(np.subtract.outer(line, line))
    fit = FairKMedian(1, metric="precomputed").fit
    assert fit(distances).center_indices_.tolist() == [2]
    assert fit(distances, sample_weight=[1, 1, 1, 1, 9]).center_indices_.tolist() == [4]
    assert fit(distances, sample_weight=[1, 1, 0, 1, 1]).center_indices_.tolist()[0] in (1, 3)


def test_new_points_bring_their_distances_to_the_old_ones():
    model = FairKMedian(K, metric="precomputed", **QUICK).fit(D, sensitive_features=SEX)
    new, new_groups = make_points(30, seed=4)
    rows = cdist(new, X)
    assert (model.predict(rows) == rows[:, model.center_indices_].argmin(axis=1)).all()
    assert (model.transform(rows) == rows[:, model.center_indices_]).all()
    assert (
        excess_by_group(SLACK, model.assign(rows, sensitive_features=new_groups), new_groups[["sex"]], K) == 0
    )
    assert model.get_feature_names_out().tolist() == ["fairkmedian0", "fairkmedian1", "fairkmedian2"]


def test_one_step_agrees_between_coordinates_and_distances():
    start = np.array([0, 25, 50])
    vectors = FairKMedian(K, init=X[start], max_iter=1).fit(X, sensitive_features=SEX)
    matrix = FairKMedian(K, metric="precomputed", init=start, max_iter=1).fit(D, sensitive_features=SEX)
    assert (vectors.cluster_centers_ == X[start]).all()
    assert (matrix.center_indices_ == start).all()
    assert matrix.inertia_ == pytest.approx(vectors.inertia_, rel=2e-3)
    assert matrix.lower_bound_ == pytest.approx(vectors.lower_bound_, rel=2e-3)
    assert matrix.unconstrained_cost_ == pytest.approx(vectors.unconstrained_cost_)


def test_medians_cost_less_than_medoids_from_the_same_start():
    start = np.array([0, 25, 50])
    vectors = FairKMedian(K, init=X[start], bounds=None).fit(X)
    matrix = FairKMedian(K, metric="precomputed", init=start, bounds=None).fit(D)
    assert vectors.inertia_ < matrix.inertia_ <= 2 * vectors.inertia_


def test_centers_are_geometric_medians_of_plain_clusters():
    model = FairKMedian(K, bounds=None, tol=0, **QUICK).fit(X)
    for j in range(K):
        mine = X[model.labels_ == j]
        away = model.cluster_centers_[j] - mine
        pull = (away / np.linalg.norm(away, axis=1)[:, None]).sum(axis=0)
        assert np.linalg.norm(pull) <= 1e-4 * len(mine)


def test_far_points_pull_medians_less_than_means():
    far = np.vstack([X, [[1e4, 0.0]]])
    start = np.zeros((1, 2))
    median = FairKMedian(1, init=start).fit(far).cluster_centers_[0]
    mean = FairKMeans(1, init=start).fit(far).cluster_centers_[0]
    assert abs(median[0] - np.median(X[:, 0])) < 2 < mean[0] - np.median(X[:, 0])


@pytest.mark.parametrize("matrix", [D[:5], D[:, :5]])
def test_a_matrix_that_is_not_square_is_refused(matrix):
    with pytest.raises(ValueError, match="X must be a square matrix"):
        FairKMedian(2, metric="precomputed").fit(matrix)


def test_bad_matrices_and_starts_are_refused():
    negative = D.copy()
    negative[7, 3] = -1.0
    with pytest.raises(ValueError, match="negative distances, the first in row 7"):
        FairKMedian(2, metric="precomputed").fit(negative)
    with pytest.raises(ValueError, match="metric must be 'euclidean' or 'precomputed', got 'cosine'"):
        FairKMedian(2, metric="cosine").fit(X)
    for init in ([0, len(X)], [-1, 0], [0, 1, 2], [0.0, 1.0], X[:2]):
        with pytest.raises(ValueError, match="init must hold n_clusters=2 indices of points"):
            FairKMedian(2, metric="precomputed", init=np.array(init)).fit(D)
