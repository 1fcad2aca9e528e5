"""The center step against SciPy's solvers on the same problem written down from the points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from faircluster.groups import Groups
from faircluster.social.center_step import center_step
from faircluster.social.power_step import center_step_power, certified_bound
from faircluster.social.sweep import GroupedPoints


def group_costs(X, membership, weights, labels, centers, power=2.0):
    """Mean cost of each group from the definition; groups without weight are left out."""
    own = np.linalg.norm(X - centers[labels], axis=1) ** power * weights
    held = membership.T @ weights > 0
    return (membership.T @ own)[held] / (membership.T @ weights)[held]


def exact_value(X, membership, weights, labels, k, power=2.0):
    """Least worst cost by SLSQP on (centers, z), started from the means, or the best of SciPy's attempts."""
    d = X.shape[1]

    def slack(v):
        return v[-1] - group_costs(X, membership, weights, labels, v[:-1].reshape(k, d), power)

    first = np.array([X[labels == j].mean(axis=0) if (labels == j).any() else np.zeros(d) for j in range(k)])
    z = group_costs(X, membership, weights, labels, first, power).max()
    found = minimize(
        lambda v: v[-1], np.append(first.ravel(), z), jac=lambda v: np.eye(len(v))[-1], method="SLSQP",
        constraints={"type": "ineq", "fun": slack}, options={"ftol": 1e-13, "maxiter": 500},
    )  # fmt: skip
    centers = found.x[:-1].reshape(k, d)
    return group_costs(X, membership, weights, labels, centers, power).max()


def instance(seed, n=40, d=2, k=3, m=3, *, overlapping=False, weighted=False):
    """Points, a membership matrix in which every row has a group, weights and arbitrary labels."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * rng.uniform(0.5, 3.0, size=d)
    membership = np.eye(m, dtype=bool)[rng.integers(0, m, n)]
    membership[:m] |= np.eye(m, dtype=bool)
    if overlapping:
        membership |= rng.random((n, m)) < 0.3
    X += membership @ rng.normal(size=(m, d))
    weights = rng.uniform(0.0, 2.0, n) if weighted else np.ones(n)
    return X, membership, weights, rng.integers(0, k, n).astype(np.int32)


def step_of(X, membership, weights, labels, k, at=None):
    points = GroupedPoints(X, Groups.from_features(membership, sample_weight=weights))
    centers = np.zeros((k, X.shape[1])) if at is None else at
    return center_step(points.sweep(centers, labels=labels).model)


@pytest.mark.parametrize("m", [2, 3, 5])
@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_equals_scipy_and_proves_it(seed, m, overlapping):
    X, membership, weights, labels = instance(seed, m=m, overlapping=overlapping, weighted=seed % 2 == 1)
    step = step_of(X, membership, weights, labels, 3)
    true = group_costs(X, membership, weights, labels, step.centers)
    assert step.costs == pytest.approx(true, rel=1e-9)
    assert step.value == pytest.approx(true.max(), rel=1e-9)
    exact = exact_value(X, membership, weights, labels, 3)
    assert step.value <= exact * (1 + 1e-9)
    assert step.lower_bound <= exact * (1 + 1e-9)
    assert step.gap <= 1e-8
    assert step.multipliers.sum() == pytest.approx(1.0)
    assert (step.multipliers >= 0).all()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 30),
    d=st.integers(1, 4),
    k=st.integers(1, 5),
    m=st.integers(1, 12),
    overlapping=st.booleans(),
)
def test_the_gap_closes_whatever_the_clusters(seed, n, d, k, m, overlapping):
    """More groups or clusters than points, empty clusters, clusters of one group, rounded duplicates."""
    X, membership, weights, labels = instance(seed, max(n, m), d, k, m, overlapping=overlapping)
    X = np.round(X)
    step = step_of(X, membership, weights, labels, k)
    scale = float((X**2).sum(axis=1).max())
    assert step.value - step.lower_bound <= 1e-8 * step.value + 1e-13 * scale
    true = group_costs(X, membership, weights, labels, step.centers)
    assert step.value == pytest.approx(true.max(), rel=1e-8, abs=1e-10 * scale)


def test_two_groups_pay_the_same_unless_one_decides_alone():
    for seed in range(20):
        X, membership, weights, labels = instance(seed, m=2)
        X[membership[:, 0]] *= 1.0 + 0.2 * (seed % 5)
        step = step_of(X, membership, weights, labels, 3)
        if step.multipliers.max() < 1.0:
            assert step.costs[0] == pytest.approx(step.costs[1], rel=1e-9)
        else:
            alone = int(step.multipliers.argmax())
            own = [X[membership[:, alone] & (labels == j)] for j in range(3)]
            assert step.centers == pytest.approx(np.array([part.mean(axis=0) for part in own]))
            assert step.costs[alone] == step.value >= step.costs[1 - alone]


def test_one_group_gets_its_means_and_empty_clusters_stay():
    X, _, weights, labels = instance(0, m=1)
    labels = np.minimum(labels, 1)
    at = np.full((3, 2), 7.0)
    step = step_of(X, np.ones((40, 1), dtype=bool), weights, labels, 3, at)
    assert step.centers[:2] == pytest.approx(np.array([X[labels == j].mean(axis=0) for j in range(2)]))
    assert step.centers[2].tolist() == [7.0, 7.0]
    assert step.lower_bound == pytest.approx(step.value, rel=1e-12)


def test_centers_that_do_not_decide_still_keep_their_groups_below_the_value():
    """Group a decides alone in cluster 0; b and c share cluster 1 and would pay too much at their mean."""
    X = np.array([[-10.0], [10.0], [97.0], [103.0], [99.0], [101.0]])
    names = list("aabbcc")
    X[2:4] += 9.7  # b sits around 109.7 with variance 9, c around 100 with variance 1
    labels = np.array([0, 0, 1, 1, 1, 1], dtype=np.int32)
    points = GroupedPoints(X, Groups.from_features(names))
    step = center_step(points.sweep(np.zeros((2, 1)), labels=labels).model)
    assert step.value == pytest.approx(100.0, rel=1e-7)
    assert (step.costs <= step.value).all()
    assert step.gap <= 1e-8


def test_groups_without_weight_and_rows_without_a_group_do_not_count():
    X, membership, weights, labels = instance(3, m=2)
    here = step_of(X, membership, weights, labels, 3)
    more = np.vstack([X, [[50.0, 50.0]], [[-70.0, 0.0]]])
    groups = Groups.from_features(np.vstack([membership, [[False, False]], [[True, False]]]))
    groups = Groups(
        groups.signature, np.column_stack([groups.signature_membership, np.zeros(groups.n_signatures, bool)]),
        (*groups.names, "nobody"), (*groups.attributes, ""), np.append(np.ones(41), 0.0),
    )  # fmt: skip
    model = GroupedPoints(more, groups).sweep(np.zeros((3, 2)), labels=np.append(labels, [0, 1])).model
    step = center_step(model)
    assert step.centers == pytest.approx(here.centers, abs=1e-9)
    assert step.multipliers[2] == 0.0
    assert step.costs[2] == 0.0


def test_far_from_the_origin_nothing_is_lost():
    X, membership, weights, labels = instance(5, m=3)
    here = step_of(X, membership, weights, labels, 3)
    far = X + 1e7
    at = np.array([far[labels == j].mean(axis=0) for j in range(3)])
    there = step_of(far, membership, weights, labels, 3, at)
    assert there.value == pytest.approx(here.value, rel=1e-7)
    assert there.gap <= 1e-8


def test_the_start_changes_the_way_and_not_the_goal():
    X, membership, _, labels = instance(6, m=5)
    points = GroupedPoints(X, Groups.from_features(membership))
    model = points.sweep(np.zeros((3, 2)), labels=labels).model
    cold = center_step(model)
    warm = center_step(model, start=cold.multipliers)
    wrong = center_step(model, start=np.eye(5)[int(cold.multipliers.argmin())])
    assert warm.value == pytest.approx(cold.value, rel=1e-9)
    assert wrong.value == pytest.approx(cold.value, rel=1e-9)


@pytest.mark.parametrize("power", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("m", [1, 2, 4])
def test_other_powers_equal_scipy_and_prove_it(power, m):
    X, membership, weights, labels = instance(int(10 * power) + m, m=m, weighted=m == 2)
    points = GroupedPoints(X, Groups.from_features(membership, sample_weight=weights), power)
    step = center_step_power(points, labels, np.zeros((3, 2)))
    true = group_costs(X, membership, weights, labels, step.centers, power)
    assert step.value == pytest.approx(true.max(), rel=1e-9)
    exact = exact_value(X, membership, weights, labels, 3, power)
    assert step.value <= exact * (1 + 1.1e-6)
    assert step.lower_bound <= exact * (1 + 1e-9)
    assert step.gap <= 1e-6


def test_medians_on_points_are_found():
    """Half of the weight on one point: the median sits on it, where distances have no slope."""
    X = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [4.0, 1.0], [3.0, -2.0]])
    points = GroupedPoints(X, Groups.from_features(list("aabab")), 1.0)
    step = center_step_power(points, np.zeros(5, dtype=np.int32), X[3:4])
    assert step.gap <= 1e-6
    one = GroupedPoints(X, Groups.from_features(["a"] * 5), 1.0)
    step = center_step_power(one, np.zeros(5, dtype=np.int32), X[3:4])
    assert step.value == pytest.approx(np.linalg.norm(X, axis=1).mean(), rel=1e-6)


def test_the_bound_of_any_weights_holds():
    X, membership, _, labels = instance(9, m=3)
    rng = np.random.default_rng(0)
    for power in (1.0, 2.0, 2.5):
        points = GroupedPoints(X, Groups.from_features(membership), power)
        best = center_step_power(points, labels, np.zeros((3, 2))).value
        for _ in range(5):
            centers, gamma = rng.normal(size=(3, 2)), rng.dirichlet(np.ones(3))
            model = points.sweep(centers, labels=labels, tip=1e-9).model
            assert certified_bound(model, gamma, power) <= best


def test_costs_of_zero():
    X = np.zeros((4, 2))
    for names in (list("abab"), list("abca")):
        step = step_of(X, Groups.from_features(names).membership, np.ones(4), np.zeros(4, dtype=np.int32), 1)
        assert step.value == step.lower_bound == step.gap == 0.0
