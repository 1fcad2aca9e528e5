import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from faircluster.centers import Means, Medians, Medoids
from faircluster.centers.seeding import canonical_order

seeds = st.integers(0, 2**31 - 1)
small_tables = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 12), st.integers(1, 3)), elements=st.integers(-2, 2).map(float)
)


def starts(geometry, k, seed, how):
    return geometry.start(how, k, np.random.RandomState(seed))


@given(X=small_tables, seed=seeds)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_canonical_order_depends_on_values_only(X, seed):
    shuffled = X[np.random.default_rng(seed).permutation(len(X))]
    assert (X[canonical_order(X)] == shuffled[canonical_order(shuffled)]).all()
    assert sorted(canonical_order(X)) == list(range(len(X)))


def test_canonical_order_takes_minus_zero_for_zero():
    X = np.array([[0.0, 1.0], [3.0, 0.0], [-0.0, 1.0]])
    order = canonical_order(X).tolist()
    assert abs(order.index(0) - order.index(2)) == 1


@pytest.mark.parametrize("kind", [Means, Medians])
@pytest.mark.parametrize("how", ["k-means++", "random"])
@given(X=small_tables, k=st.integers(1, 5), seed=seeds)
@settings(derandomize=True, deadline=None, max_examples=40)
def test_starts_do_not_depend_on_row_order_and_weights_count_as_copies(kind, how, X, k, seed):
    rng = np.random.default_rng(seed)
    shuffled = X[rng.permutation(len(X))]
    first = starts(kind(X), k, seed, how)
    assert (first == starts(kind(shuffled), k, seed, how)).all()
    copies = rng.integers(0, 3, len(X))
    copies[rng.integers(len(X))] = 2  # some point counts
    weighted = starts(kind(X, copies.astype(float)), k, seed, how)
    repeated = starts(kind(np.repeat(X, copies, axis=0)), k, seed, how)
    assert (weighted == repeated).all()


@pytest.mark.parametrize("how", ["k-means++", "random"])
def test_starts_of_a_distance_matrix_do_not_depend_on_row_order(how):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(15, 2))
    D = np.linalg.norm(X[:, None] - X, axis=2)
    p = rng.permutation(15)
    for seed in range(10):
        first = starts(Medoids(D), 4, seed, how)
        assert first.tolist() == p[starts(Medoids(D[np.ix_(p, p)]), 4, seed, how)].tolist()


@pytest.mark.parametrize("how", ["k-means++", "random"])
def test_starts_are_different_points_while_there_are_some(how):
    X = np.repeat([[0.0], [1.0], [2.0]], 20, axis=0)
    for seed in range(20):
        assert sorted(starts(Means(X), 3, seed, how).ravel()) == [0.0, 1.0, 2.0]
        assert set(starts(Means(X), 5, seed, how).ravel()) == {0.0, 1.0, 2.0}


@pytest.mark.parametrize("how", ["k-means++", "random"])
def test_points_without_weight_are_never_centers(how):
    X = np.arange(6.0)[:, None]
    weights = np.array([0.0, 1.0, 0.0, 2.0, 0.0, 0.0])
    for seed in range(20):
        assert set(starts(Means(X, weights), 3, seed, how).ravel()) == {1.0, 3.0}
        D = np.abs(X - X.T)
        assert set(starts(Medoids(D, weights), 3, seed, how)) == {1, 3}


def test_plus_plus_prefers_far_points():
    X = np.concatenate([np.zeros(50), np.full(50, 1.0), [100.0]])[:, None]
    hits = sum(100.0 in starts(Means(X), 2, seed, "k-means++") for seed in range(50))
    # the far point has 10,000 of 10,050 of the cost
    assert hits >= 45
    assert sum(100.0 in starts(Means(X), 2, seed, "random") for seed in range(50)) < 45


def test_starts_keep_the_kind_of_number():
    X = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    assert starts(Means(X), 2, 0, "k-means++").dtype == np.float32
