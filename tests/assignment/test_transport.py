import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from faircluster.assignment import AssignmentProblem, repair, solve
from faircluster.assignment import transport as module
from faircluster.assignment.transport import assign_by_price, loads_of, round_rows, transport
from faircluster.bounds import FairnessBounds
from faircluster.distances import DenseCosts, DistanceCosts
from tests.assignment.instances import COSTS, WEIGHTS, make_cost, make_quotas, make_weights, seeds
from tests.assignment.oracles import transport_lp


def plan_of(moved, n, k, weights=None):
    """Weight of each point in each cluster, split points included."""
    weights = np.ones(n) if weights is None else weights
    plan = np.zeros((n, k))
    plan[np.arange(n), moved.labels] = weights
    plan[np.unique(moved.split_rows)] = 0.0
    np.add.at(plan, (moved.split_rows, moved.split_clusters), moved.split_weights)
    return plan


def check(cost, signature, quotas, weights, moved):
    """The plan meets the quotas, the prices prove that none is cheaper; returns the dual value."""
    n, k = cost.shape
    cost = cost.astype(float)
    each = np.ones(n) if weights is None else weights
    plan = plan_of(moved, n, k, weights)
    small = 1e-8 * each.sum()
    assert np.allclose(plan.sum(axis=1), each, rtol=0, atol=small)
    met = np.zeros_like(quotas)
    np.add.at(met, signature, plan)
    if weights is None:
        assert np.array_equal(met, quotas)
    assert np.allclose(met, quotas, rtol=0, atol=small)
    reduced = cost + moved.prices[signature]
    above = reduced - reduced.min(axis=1, keepdims=True)
    noise = 1e-12 * (np.abs(cost).max() + np.abs(moved.prices).max())
    assert above[plan > small].max(initial=0.0) <= noise
    # labels of points too light to notice are at the least price too
    assert above[np.arange(n), moved.labels].max() <= noise
    assert np.array_equal(moved.costs, cost[np.arange(n), moved.labels])
    values = np.bincount(signature, (plan * cost).sum(axis=1), len(quotas))
    assert np.allclose(moved.values, values, rtol=1e-9, atol=1e-9 * each.sum() * np.abs(cost).max())
    return (reduced.min(axis=1) * each).sum() - (moved.prices * quotas).sum()


@given(
    seed=seeds, n=st.integers(1, 40), k=st.integers(1, 7), S=st.integers(1, 4),
    kind=st.sampled_from(COSTS), weighting=st.sampled_from(WEIGHTS), warm=st.booleans(),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=250)
def test_optimal_whatever_the_costs(seed, n, k, S, kind, weighting, warm):
    rng = np.random.default_rng(seed)
    cost, weights = make_cost(rng, kind, n, k), make_weights(rng, weighting, n)
    signature = rng.integers(0, S, n).astype(np.int32)
    quotas = make_quotas(rng, signature, S, k, weights, whole=weighting in (None, "whole"))
    prices = rng.normal(size=(S, k)) * np.abs(cost).max() * 10.0 if warm else None
    moved = transport(DenseCosts(cost), signature, quotas, prices, weights)
    scale = float(np.abs(cost).max()) * (n if weights is None else weights.sum())
    dual = check(cost, signature, quotas, weights, moved)
    assert moved.values.sum() == pytest.approx(dual, abs=1e-8 * scale)
    assert moved.values.sum() == pytest.approx(
        transport_lp(cost, signature, quotas, weights), abs=1e-7 * scale
    )


@pytest.mark.parametrize("k", [1, 6])
def test_one_cluster_and_one_point_each(k):
    rng = np.random.default_rng(k)
    cost, signature = rng.random((6, k)), np.zeros(6, dtype=np.int32)
    quotas = np.full((1, k), 6 / k)
    moved = transport(DenseCosts(cost), signature, quotas)
    check(cost, signature, quotas, None, moved)
    assert np.bincount(moved.labels).tolist() == [6 // k] * k


def test_known_answer_moves_the_cheaper_point():
    cost = DenseCosts(np.array([[0.0, 5.0, 9.0], [0.0, 1.0, 9.0], [0.0, 3.0, 0.5]]))
    moved = transport(cost, np.zeros(3, dtype=np.int32), np.array([[1.0, 1.0, 1.0]]))
    assert moved.labels.tolist() == [0, 1, 2]
    assert moved.values.tolist() == [1.5]
    # only a chain of moves gets there: point 1 makes room in cluster 1 for point 0
    cost = DenseCosts(np.array([[0.0, 1.0, 9.0], [9.0, 0.0, 1.0], [0.0, 9.0, 9.0]]))
    moved = transport(cost, np.zeros(3, dtype=np.int32), np.array([[1.0, 1.0, 1.0]]))
    assert moved.labels.tolist() == [1, 2, 0]


@pytest.mark.parametrize("weighting", [None, "whole", "real"])
@pytest.mark.parametrize("kind", ["points", "labels", "constant", "float32"])
def test_large_problems_take_prices_from_a_sample(kind, weighting, monkeypatch):
    rng = np.random.default_rng(0)
    n, k, S = 20_000, 8, 3
    cost, weights = make_cost(rng, kind, n, k), make_weights(rng, weighting, n)
    signature = rng.choice(S, n, p=[0.7, 0.28, 0.02]).astype(np.int32)
    quotas = make_quotas(rng, signature, S, k, weights, whole=weighting != "real")
    samples, thresholds = [], []
    stride, threshold = module._stride_sample, repair.margin_threshold
    monkeypatch.setattr(module, "_stride_sample", lambda *a: samples.append(stride(*a)) or samples[-1])
    monkeypatch.setattr(
        repair, "margin_threshold", lambda *a: thresholds.append(threshold(*a)) or thresholds[-1]
    )
    moved = transport(DenseCosts(cost), signature, quotas, None, weights)
    dual = check(cost, signature, quotas, weights, moved)
    scale = float(np.abs(cost).max()) * (n if weights is None else weights.sum())
    assert moved.values.sum() == pytest.approx(dual, abs=1e-10 * scale)
    assert samples[0] is not None
    assert samples[-1] is None  # the smallest sample is solved from nothing
    if kind in ("points", "float32"):
        assert min(thresholds) < np.inf  # some round left points out
    # from bad and from good prices to the same value, with the same points moved at no cost
    for start in (np.zeros((S, k)), 100 * rng.normal(size=(S, k)), moved.prices):
        again = transport(DenseCosts(cost), signature, quotas, start, weights)
        check(cost, signature, quotas, weights, again)
        assert again.values.sum() == pytest.approx(moved.values.sum(), abs=1e-9 * scale)


def test_lazy_costs_equal_dense_ones():
    rng = np.random.default_rng(3)
    X, centers = rng.normal(size=(9_000, 3)), rng.normal(size=(5, 3))
    lazy = DistanceCosts(X, centers)
    dense = DenseCosts(lazy.block(0, len(X)))
    signature = rng.integers(0, 2, len(X)).astype(np.int32)
    quotas = make_quotas(rng, signature, 2, 5, None, whole=True)
    one, other = transport(lazy, signature, quotas), transport(dense, signature, quotas)
    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(one.prices, other.prices)
    single = DistanceCosts(X.astype(np.float32), centers)
    assert transport(single, signature, quotas).values.sum() == pytest.approx(one.values.sum(), rel=1e-5)


def test_real_weights_do_not_fall_to_pieces():
    # many clusters, few points, quotas of many sizes: parts of a point that meet again must join
    rng = np.random.default_rng(203)
    for _ in range(20):
        cost, weights = rng.random((12, 12)), 100 * rng.random(12)
        signature = np.zeros(12, dtype=np.int32)
        quotas = (rng.dirichlet(np.full(12, 0.3)) * weights.sum())[None]
        moved = transport(DenseCosts(cost), signature, quotas, 3 * rng.normal(size=(1, 12)), weights)
        check(cost, signature, quotas, weights, moved)
        assert len(np.unique(moved.split_rows)) <= 11
        pairs = np.stack([moved.split_rows, moved.split_clusters], axis=1)
        assert len(np.unique(pairs, axis=0)) == len(pairs)


def test_whole_weights_equal_repeated_rows():
    rng = np.random.default_rng(5)
    for _ in range(20):
        weights = rng.integers(0, 4, 15).astype(float)
        cost, signature = rng.random((15, 4)), rng.integers(0, 2, 15).astype(np.int32)
        quotas = make_quotas(rng, signature, 2, 4, weights, whole=True)
        moved = transport(DenseCosts(cost), signature, quotas, None, weights)
        copies = np.repeat(np.arange(15), weights.astype(int))
        repeated = transport(DenseCosts(cost[copies]), signature[copies], quotas)
        assert np.allclose(moved.values, repeated.values)
        assert np.array_equal(moved.split_weights, np.rint(moved.split_weights))


@pytest.mark.parametrize(
    ("quotas", "weights", "message"),
    [
        ([[2.0, 2.0]], None, "quotas of signature 0 are .* sum to its weight, 3"),
        ([[1.5, 1.5]], None, "whole without weights"),
        ([[4.0, -1.0]], None, "non-negative"),
        ([[np.nan, 3.0]], None, "quotas of signature 0"),
        ([[1.0, 1.0]], [0.5, 0.5, 0.5], "in sum 2; .* its weight, 1.5"),
    ],
)
def test_quotas_that_cannot_be_met(quotas, weights, message):
    weights = None if weights is None else np.array(weights)
    with pytest.raises(ValueError, match=message):
        transport(DenseCosts(np.zeros((3, 2))), np.zeros(3, dtype=np.int32), np.array(quotas), None, weights)


def test_arguments_are_left_alone():
    rng = np.random.default_rng(0)
    cost, prices, quotas, weights = (
        rng.random((9, 3)),
        rng.random((1, 3)),
        np.full((1, 3), 2.0),
        np.full(9, 2 / 3),
    )
    signature = np.zeros(9, dtype=np.int32)
    kept = [a.copy() for a in (cost, signature, quotas, prices, weights)]
    transport(DenseCosts(cost), signature, quotas, prices, weights)
    assert all(
        np.array_equal(a, b) for a, b in zip(kept, (cost, signature, quotas, prices, weights), strict=True)
    )


def test_assign_by_price():
    cost = np.array([[1.0, 2.0, 4.0], [1.0, 1.0, 1.0], [-1.0, 0.0, -3.0]])
    prices = np.array([[0.0, 0.0, 0.0], [0.0, -2.0, 5.0]])
    signature = np.array([0, 0, 1], dtype=np.int32)
    labels, margin, own = assign_by_price(DenseCosts(cost), signature, prices)
    assert labels.tolist() == [0, 0, 1]  # the first of equals
    assert margin.tolist() == [1.0, 0.0, 1.0]
    assert own.tolist() == [1.0, 1.0, 0.0]
    _, margin, _ = assign_by_price(DenseCosts(cost[:, :1]), signature, prices[:, :1])
    assert np.isposinf(margin).all()


def test_assign_by_price_over_several_blocks():
    rng = np.random.default_rng(0)
    cost, prices = rng.random((100_000, 3)), rng.random((2, 3))
    signature = rng.integers(0, 2, len(cost)).astype(np.int32)
    labels, margin, own = assign_by_price(DenseCosts(cost), signature, prices)
    reduced = cost + prices[signature]
    assert np.array_equal(labels, reduced.argmin(axis=1))
    assert np.allclose(margin, np.diff(np.sort(reduced, axis=1)[:, :2])[:, 0])
    assert np.array_equal(own, cost[np.arange(len(cost)), labels])


def test_loads_of():
    labels, signature = np.array([0, 2, 2, 1], dtype=np.int32), np.array([0, 1, 1, 0], dtype=np.int32)
    assert loads_of(labels, signature, None, (2, 3)).tolist() == [[1, 1, 0], [0, 0, 2]]
    assert loads_of(labels, signature, np.array([1, 2, 3, 0.5]), (2, 3)).tolist() == [[1, 0.5, 0], [0, 0, 5]]


@given(seed=seeds, S=st.integers(1, 5), k=st.integers(1, 6), total=st.integers(0, 50))
@example(seed=0, S=1, k=3, total=1)
@settings(derandomize=True, deadline=None)
def test_round_rows(seed, S, k, total):
    rng = np.random.default_rng(seed)
    quotas = rng.dirichlet(np.ones(k), S) * total
    whole = round_rows(quotas)
    assert np.array_equal(whole.sum(axis=1), np.full(S, total))
    assert np.array_equal(whole, np.rint(whole))
    assert np.abs(whole - quotas).max() < 1.0


def test_tied_costs_of_many_points_need_few_rounds(monkeypatch):
    """Passes at prices that differ by rounding only went on for ever."""
    rng = np.random.default_rng(0)
    n, k = 30_000, 10
    group = rng.random(n) < 0.11
    shares = rng.dirichlet(np.full(k, 20)), rng.dirichlet(np.full(k, 50))
    labels = np.where(group, rng.choice(k, n, p=shares[0]), rng.choice(k, n, p=shares[1]))
    rounds = []

    def counted(margin, count):
        rounds.append(count)
        assert len(rounds) < 100
        return threshold(margin, count)

    threshold = repair.margin_threshold
    monkeypatch.setattr(repair, "margin_threshold", counted)
    found = solve(AssignmentProblem(1.0 - np.eye(k)[labels], group, FairnessBounds.exact()))
    assert found.violation == 0.0
    assert found.cost <= found.lower_bound + 2 * k
