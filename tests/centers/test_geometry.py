import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.centers import Means, Medians, Medoids

seeds = st.integers(0, 2**31 - 1)


def instance(seed, n, k, d=2, grid=False):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 3, (n, d)).astype(float) if grid else rng.normal(size=(n, d))
    return X, rng.integers(0, k, n).astype(np.int32), rng.integers(0, 4, n).astype(float), rng


def summed_distances(X, weights, center):
    return float(weights @ np.linalg.norm(X - center, axis=1))


def unbalanced_pull(X, weights, center, near=1e-6):
    """How far a center is from the optimality condition of a geometric median, relative to the weight."""
    distance = np.linalg.norm(X - center, axis=1)
    at = distance <= near
    pull = ((X[~at] - center) * (weights[~at] / distance[~at])[:, None]).sum(axis=0)
    return max(0.0, np.linalg.norm(pull) - weights[at].sum()) / weights.sum()


@given(seed=seeds, n=st.integers(1, 30), k=st.integers(1, 4), weighted=st.booleans())
@settings(derandomize=True, deadline=None, max_examples=60)
def test_means_are_averages_and_empty_clusters_stay(seed, n, k, weighted):
    X, labels, weights, _ = instance(seed, n, k)
    weights = weights if weighted else None
    before = np.full((k, 2), 7.0)
    after = Means(X, weights).update(labels, before)
    for j in range(k):
        mine = labels == j
        mass = np.ones(n)[mine] if weights is None else weights[mine]
        expected = np.average(X[mine], axis=0, weights=mass) if mass.sum() > 0 else before[j]
        assert after[j] == pytest.approx(expected)


def test_means_over_many_blocks_of_rows():
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(100_000, 2)), rng.integers(0, 3, 100_000).astype(np.int32)
    expected = [X[labels == j].mean(axis=0) for j in range(3)]
    assert Means(X).update(labels, np.zeros((3, 2))) == pytest.approx(np.array(expected))


@given(seed=seeds, n=st.integers(3, 30), k=st.integers(1, 3), weighted=st.booleans())
@settings(derandomize=True, deadline=None, max_examples=60)
def test_medians_keep_the_gradient_condition(seed, n, k, weighted):
    X, labels, weights, rng = instance(seed, n, k, d=3)
    weights = weights if weighted else np.ones(n)
    before = rng.normal(size=(k, 3))
    geometry = Medians(X, weights if weighted else None)
    after = before
    for _ in range(20):  # each update goes on where the last one ended
        after = geometry.update(labels, after)
    for j in range(k):
        mine = labels == j
        if weights[mine].sum() == 0:
            assert (after[j] == before[j]).all()
        else:
            assert unbalanced_pull(X[mine], weights[mine], after[j]) <= 1e-3


@given(seed=seeds, n=st.integers(1, 25))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_one_median_update_is_nearly_optimal_even_where_points_coincide(seed, n):
    X, _, weights, rng = instance(seed, n, 1, grid=True)
    weights[0] += 1.0
    labels = np.zeros(n, dtype=np.int32)
    geometry = Medians(X, weights)
    start = X[[rng.integers(n)]]  # a center that sits on a point
    once, long = geometry.update(labels, start)[0], start
    for _ in range(50):
        long = geometry.update(labels, long)
    best = summed_distances(X, weights, long[0])
    assert summed_distances(X, weights, once) <= best * (1 + 1e-3) + 1e-12
    assert summed_distances(X, weights, once) <= summed_distances(X, weights, start[0]) + 1e-12
    assert best <= min(summed_distances(X, weights, x) for x in X) + 1e-9


def test_a_median_that_is_a_point_is_found_exactly():
    # the weight of the middle point holds against any pull of the others
    X = np.array([[0.0, 0.0], [3.0, 1.0], [-1.0, 2.0], [-2.0, -2.0]])
    weights = np.array([5.0, 1.0, 1.0, 1.0])
    labels = np.zeros(4, dtype=np.int32)
    for start in ([[9.0, 9.0]], [[3.0, 1.0]], [[0.0, 0.0]]):
        assert Medians(X, weights).update(labels, np.array(start)).tolist() == [[0.0, 0.0]]
    # on a line the geometric median is the median
    line = np.array([[1.0], [2.0], [4.0], [8.0], [16.0]])
    assert Medians(line).update(np.zeros(5, dtype=np.int32), line[:1]).tolist() == [[4.0]]


@pytest.mark.parametrize("unit", [1e-15, 1e-6, 1e9])
def test_medians_do_not_depend_on_the_unit(unit):
    X, labels, weights, _ = instance(3, 40, 2)
    plain = Medians(X, weights).update(labels, X[:2])
    scaled = Medians(X * unit, weights).update(labels, X[:2] * unit)
    assert scaled / unit == pytest.approx(plain, rel=1e-9)


def test_a_median_leaves_a_point_that_does_not_hold_it():
    X = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, -1.0], [2.0, 0.0]])
    after = Medians(X).update(np.zeros(5, dtype=np.int32), X[:1])
    assert after == pytest.approx(np.array([[1.0, 0.0]]), abs=1e-6)


@given(seed=seeds, n=st.integers(1, 20), k=st.integers(1, 3), weighted=st.booleans())
@settings(derandomize=True, deadline=None, max_examples=60)
def test_medoids_are_the_best_members(seed, n, k, weighted):
    X, labels, weights, rng = instance(seed, n, k)
    weights = weights if weighted else None
    D = np.linalg.norm(X[:, None] - X, axis=2)
    before = rng.integers(0, n, k)
    after = Medoids(D, weights).update(labels, before)
    mass = np.ones(n) if weights is None else weights
    for j in range(k):
        eligible = np.flatnonzero((labels == j) & (mass > 0))
        if len(eligible) == 0:
            assert after[j] == before[j]
            continue
        assert after[j] in eligible
        totals = {m: float(mass[labels == j] @ D[labels == j, m]) for m in eligible}
        assert totals[after[j]] == pytest.approx(min(totals.values()))


def test_the_present_medoid_stays_in_a_tie():
    D = np.array([[0.0, 1.0], [1.0, 0.0]])
    labels = np.zeros(2, dtype=np.int32)
    assert [Medoids(D).update(labels, np.array([m]))[0] for m in (0, 1)] == [0, 1]


def test_costs_are_those_of_the_definition():
    X, _, _, _ = instance(0, 12, 2)
    distance = np.linalg.norm(X[:, None] - X[:3], axis=2)
    assert Means(X).costs(X[:3]).block(0, 12) == pytest.approx(distance**2)
    assert Medians(X).costs(X[:3]).block(0, 12) == pytest.approx(distance)
    D = np.linalg.norm(X[:, None] - X, axis=2)
    assert (Medoids(D).costs(np.array([4, 4, 0])).block(2, 5) == D[2:5][:, [4, 4, 0]]).all()


@pytest.mark.parametrize("kind", [Means, Medians])
def test_a_part_is_the_same_geometry_on_fewer_points(kind):
    X, _, weights, _ = instance(0, 12, 2)
    rows = np.array([1, 4, 7])
    part = kind(X, weights).subset(rows, weights[rows])
    assert part.n_points == 3
    assert (part.at(np.array([2])) == X[[7]]).all()
    labels = np.zeros(3, dtype=np.int32)
    alone = kind(X[rows], weights[rows]).update(labels, X[:1])
    assert (part.update(labels, X[:1]) == alone).all()


def test_medoids_of_a_part_stay_columns_of_the_whole():
    D = np.abs(np.subtract.outer(np.arange(6.0), np.arange(6.0)))
    part = Medoids(D).subset(np.array([3, 4, 5]), None)
    assert part.update(np.zeros(3, dtype=np.int32), np.array([0])).tolist() == [4]
    assert part.at(np.array([0])).tolist() == [3]
    assert set(part.start("k-means++", 2, np.random.RandomState(0))) <= {3, 4, 5}


@pytest.mark.parametrize("kind", [Means, Medians])
def test_the_unit_of_movement_counts_weights(kind):
    X, _, weights, _ = instance(1, 20, 2)
    copies = np.repeat(X, weights.astype(int), axis=0)
    assert kind(X, weights).scale() == pytest.approx(kind(copies).scale())
    assert kind(copies).scale() == pytest.approx(copies.var(axis=0).mean())
    assert kind(np.ones((5, 2))).scale() == 0.0


@pytest.mark.parametrize("kind", [Means, Medians])
def test_centers_keep_the_kind_of_number(kind):
    X, labels, _, _ = instance(0, 12, 2)
    X = X.astype(np.float32)
    assert kind(X).update(labels, X[:2]).dtype == np.float32
    assert kind(X).costs(X[:2]).block(0, 5).dtype == np.float32
