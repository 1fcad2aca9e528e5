import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from faircluster.centers.greedy import farthest_first, minimax_center
from faircluster.centers.metric import Metric

seeds = st.integers(0, 2**32 - 1)


def euclidean(X):
    return cdist(X, X)


@given(seed=seeds, n=st.integers(2, 9), k=st.integers(1, 3))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_at_most_twice_the_least_radius(seed, n, k):
    rng = np.random.default_rng(seed)
    X, k = rng.integers(0, 5, (n, 2)).astype(float), min(k, n)
    metric, D = Metric(X), euclidean(X)
    rows, radius, bound = farthest_first(metric, k, int(rng.integers(n)), metric.order())
    assert radius == pytest.approx(D[:, rows].min(axis=1).max())
    assert bound == 0.5 * radius
    subsets = np.array(np.meshgrid(*[np.arange(n)] * k)).reshape(k, -1).T
    least = min(D[:, subset].min(axis=1).max() for subset in subsets)
    assert 0.5 * radius <= least + 1e-12
    assert least <= radius + 1e-12


def test_a_matrix_leads_to_the_same_centers():
    X = np.random.default_rng(0).normal(size=(30, 3))
    given_matrix = farthest_first(Metric(euclidean(X), "precomputed"), 4, 0, np.arange(30))
    points = farthest_first(Metric(X), 4, 0, np.arange(30))
    assert given_matrix[0].tolist() == points[0].tolist()


@given(seed=seeds, n=st.integers(1, 9), m=st.integers(1, 7), k=st.integers(1, 3), matrix=st.booleans())
@settings(derandomize=True, deadline=None, max_examples=80)
def test_k_supplier_at_most_three_times_the_least_radius(seed, n, m, k, matrix):
    rng = np.random.default_rng(seed)
    X, F, k = rng.integers(0, 6, (n, 2)).astype(float), rng.integers(0, 6, (m, 2)).astype(float), min(k, m)
    D = cdist(X, F)
    metric = Metric(D, "precomputed", np.arange(m)) if matrix else Metric(X, "euclidean", F)
    rows, radius, bound = farthest_first(metric, k, int(rng.integers(n)), metric.order())
    assert len(set(rows.tolist())) == k
    assert radius == pytest.approx(D[:, rows].min(axis=1).max())
    subsets = np.array(np.meshgrid(*[np.arange(m)] * k)).reshape(k, -1).T
    least = min(D[:, subset].min(axis=1).max() for subset in subsets)
    assert bound <= least + 1e-12
    assert least <= radius + 1e-12
    assert radius <= 3.0 * least + 1e-12


def test_the_order_of_the_rows_does_not_matter():
    rng = np.random.default_rng(1)
    X = rng.integers(0, 3, (40, 2)).astype(float)
    shuffled = rng.permutation(40)
    metric, other = Metric(X), Metric(X[shuffled])
    rows, radius, _ = farthest_first(metric, 5, int(metric.order()[0]), metric.order())
    again, same, _ = farthest_first(other, 5, int(other.order()[0]), other.order())
    assert X[rows].tolist() == X[shuffled][again].tolist()
    assert radius == same


def test_points_that_do_not_count_are_never_centers():
    metric = Metric(np.array([[0.0], [1.0], [100.0], [3.0]]))
    rows, radius, _ = farthest_first(metric, 2, 0, metric.order(), np.array([True, True, False, True]))
    assert rows.tolist() == [0, 3]
    assert radius == 1.0


@given(seed=seeds, m=st.integers(1, 40))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_minimax_center_is_the_best_when_trials_suffice(seed, m):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(50, 2))
    members = rng.choice(50, m, replace=False)
    row, radius = minimax_center(Metric(X), members, int(members[0]), trials=m + 1)
    D = euclidean(X)[np.ix_(members, members)]
    assert radius == pytest.approx(D.max(axis=0).min())
    assert radius == pytest.approx(euclidean(X)[members, row].max())
    assert minimax_center(Metric(X), members, int(members[0]), trials=1)[1] >= radius - 1e-12


def test_any_facility_may_be_the_center_of_a_cluster():
    rng = np.random.default_rng(3)
    X, F = rng.normal(size=(40, 2)), rng.normal(size=(25, 2))
    members = np.arange(0, 40, 3)
    row, radius = minimax_center(Metric(X, "euclidean", F), members, 0, trials=30)
    eccentricity = cdist(X[members], F).max(axis=0)
    assert row == eccentricity.argmin()
    assert radius == pytest.approx(eccentricity.min())
