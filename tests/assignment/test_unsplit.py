import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from faircluster.assignment.margins import MoveCosts
from faircluster.assignment.quotas import QuotaProgram
from faircluster.assignment.transport import transport
from faircluster.assignment.unsplit import unsplit
from faircluster.bounds import FairnessBounds
from faircluster.distances import DenseCosts
from faircluster.groups import Groups
from tests.assignment.instances import BOUNDS, make_bounds, make_cost, make_groups, make_weights, seeds
from tests.assignment.oracles import point_rows, points_milp


def split_somewhere(rng, cost, groups, rows):
    """Transport to random quotas within the bounds, as a rule one that divides points."""
    k = cost.shape[1]
    program = QuotaProgram(groups.signature_counts, rows.coef, rows.rhs, whole=False)
    target = rng.dirichlet(np.ones(k), groups.n_signatures) * groups.signature_counts[:, None]
    even = MoveCosts(np.ones(1), np.ones((1, *target.shape)), np.ones((1, *target.shape)))
    quotas = program.nearest(target, np.zeros(target.shape), even).quotas
    if quotas is None:
        return None
    return transport(DenseCosts(cost), groups.signature, quotas, None, groups.weights)


def least_violation(rows, n, k, weights):
    """The least violation of whole points, by trying all labels."""
    every = np.stack(np.meshgrid(*[np.arange(k)] * n, indexing="ij"), axis=-1).reshape(-1, n)
    return min(rows.violation(labels, weights) for labels in every)


@given(
    seed=seeds, n=st.integers(2, 10), k=st.integers(2, 4), bound=st.sampled_from(BOUNDS),
    weighting=st.sampled_from(["whole", "real", "uneven", "one scale"]),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=60)
def test_no_violation_where_none_is_needed(seed, n, k, bound, weighting):
    rng = np.random.default_rng(seed)
    groups = make_groups(rng, n, make_weights(rng, weighting, n))
    cost, weights = make_cost(rng, "points", n, k), groups.weights
    try:
        bounds = make_bounds(rng, bound, groups.names, k)
        reference = point_rows(groups, bounds, k)
    except ValueError:
        assume(False)
    rows = bounds.rows(groups, k)
    moved = split_somewhere(rng, cost, groups, rows)
    assume(moved is not None)
    kept = moved.labels.copy()
    labels, value = unsplit(DenseCosts(cost), groups, rows, moved)
    assert np.array_equal(moved.labels, kept)
    assert value == pytest.approx((weights * cost[np.arange(n), labels]).sum())
    best = points_milp(cost, reference, weights)
    violation = reference.violation(labels, weights)
    assert (violation == 0.0) == (best is not None)
    # labels within the bounds stay as they are
    if reference.violation(kept, weights) == 0.0:
        assert np.array_equal(labels, kept)


@given(seed=seeds, bound=st.sampled_from(["slack", "slack 0", "interval", "balance"]))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_the_violation_left_is_the_least(seed, bound):
    rng = np.random.default_rng(seed)
    n, k = 6, 2
    groups = Groups.from_features(rng.choice(["a", "b"], n), sample_weight=rng.random(n) + 0.1)
    cost = rng.random((n, k))
    try:
        bounds = make_bounds(rng, bound, groups.names, k)
        size = groups.total / 2
        rows, reference = bounds.rows(groups, k, size, size), point_rows(groups, bounds, k, size, size)
    except ValueError:
        assume(False)
    moved = split_somewhere(rng, cost, groups, rows)
    assume(moved is not None)
    labels, _ = unsplit(DenseCosts(cost), groups, rows, moved)
    least = least_violation(reference, n, k, groups.weights)
    assert reference.violation(labels, groups.weights) == pytest.approx(least, abs=1e-6)


def test_the_cheapest_repair_is_taken():
    # sizes of 4 and 4: the heavy points part, and the light ones fill up at least cost
    groups = Groups.from_features(None, sample_weight=[3.0, 3.0, 1.0, 1.0])
    cost = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 5.0], [0.0, 4.0]])
    rows = FairnessBounds.from_any(None).rows(groups, 2, 4.0, 4.0)
    moved = transport(DenseCosts(cost), groups.signature, np.array([[4.0, 4.0]]), None, groups.weights)
    assert len(moved.split_rows) > 0
    labels, value = unsplit(DenseCosts(cost), groups, rows, moved)
    assert labels.tolist() == [1, 0, 0, 1]
    assert value == 7.0


def test_large_problems_move_few_points():
    rng = np.random.default_rng(0)
    n, k = 100_000, 5
    weights = rng.random(n) + 0.5
    groups = Groups.from_features(rng.choice(list("abc"), n), sample_weight=weights)
    cost = rng.random((n, k))
    rows = FairnessBounds.slack(0.01).rows(groups, k, 0.19 * groups.total)
    quotas = groups.signature_counts[:, None] * np.full(k, 1 / k)
    moved = transport(DenseCosts(cost), groups.signature, quotas, None, weights)
    labels, value = unsplit(DenseCosts(cost), groups, rows, moved)
    assert (labels != moved.labels).sum() < 300
    assert value == pytest.approx(moved.values.sum(), rel=1e-4)
    assert value == pytest.approx((weights * cost[np.arange(n), labels]).sum(), rel=1e-12)


def test_time_limit():
    # a partition problem without a solution: the least violation takes a long search
    rng = np.random.default_rng(0)
    weights = rng.integers(10**6, 10**7, 60) * np.sqrt(2.0)
    groups = Groups.from_features(None, sample_weight=weights)
    cost = rng.random((60, 3))
    third = weights.sum() / 3
    rows = FairnessBounds.from_any(None).rows(groups, 3, third, third)
    moved = transport(DenseCosts(cost), groups.signature, np.full((1, 3), third), None, weights)
    begun = time.perf_counter()
    labels, _ = unsplit(DenseCosts(cost), groups, rows, moved, 0.4)
    assert time.perf_counter() - begun < 5.0
    before = np.bincount(moved.labels, weights, 3) - third
    after = np.bincount(labels, weights, 3) - third
    assert np.abs(after).max() <= np.abs(before).max()


def test_without_weights_there_is_nothing_to_unsplit():
    groups = Groups.from_features(["a", "b"])
    rows = FairnessBounds.from_any(None).rows(groups, 2)
    moved = transport(DenseCosts(np.eye(2)), groups.signature, np.eye(2))
    with pytest.raises(ValueError, match="groups has no weights"):
        unsplit(DenseCosts(np.eye(2)), groups, rows, moved)
