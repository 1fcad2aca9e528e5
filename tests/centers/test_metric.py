import numpy as np
import pytest
from scipy.spatial.distance import cdist

from faircluster.centers.metric import Metric


@pytest.mark.parametrize("name", ["euclidean", "manhattan", "cosine"])
def test_distances_are_those_of_scipy(name):
    rng = np.random.default_rng(0)
    X, F = rng.normal(size=(30, 3)), rng.normal(size=(12, 3))
    D = cdist(X, F, "cityblock" if name == "manhattan" else name)
    metric = Metric(X, name, F)
    rows = np.array([3, 8])
    assert np.allclose(metric.to(rows), D[:, rows])
    assert np.allclose(metric.among(np.arange(5), 8), D[:5, 8])
    assert np.allclose(metric.of(4), D[4])
    assert np.allclose(metric.of(4, rows), D[4, rows])
    assert metric.nearest(7) == D[7].argmin()
    assert np.array_equal(metric.at(rows), F[rows])


def test_a_matrix_gives_what_the_points_give():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(20, 2))
    D = cdist(X, X)
    points, matrix = Metric(X), Metric(D, "precomputed")
    rows = np.array([1, 5])
    assert np.allclose(points.to(rows), matrix.to(rows))
    assert np.allclose(points.of(3), matrix.of(3))
    assert np.allclose(points.apart(3), matrix.apart(3))
    assert points.nearest(3) == matrix.nearest(3) == 3


def test_columns_of_a_matrix_are_the_facilities():
    D = np.array([[1.0, 9.0, 4.0], [8.0, 2.0, 3.0]])
    metric = Metric(D, "precomputed", np.array([2, 1]))
    assert metric.of(0).tolist() == [4.0, 9.0]
    assert metric.nearest(0) == 0
    assert metric.at(np.array([0])).tolist() == [2]
    # column 2 serves both points within 4
    assert metric.apart(0).tolist() == [8.0, 8.0]


def test_the_order_follows_the_values():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(30, 2))
    shuffled = rng.permutation(30)
    here, there = Metric(X), Metric(X[shuffled])
    assert np.array_equal(X[here.order()], X[shuffled][there.order()])
    D = cdist(X, X)
    here, there = Metric(D, "precomputed"), Metric(D[np.ix_(shuffled, shuffled)], "precomputed")
    assert np.array_equal(here.order(), shuffled[there.order()])
