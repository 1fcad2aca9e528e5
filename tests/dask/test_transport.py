"""The assignment of all points is the engine's, though only points next to a border are brought together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.assignment.transport import loads_of, round_rows, transport
from faircluster.dask import transport as module
from faircluster.dask.costs import EuclideanCosts
from faircluster.dask.transport import labels_by_plan, settle_all
from faircluster.distances import DistanceCosts
from tests.dask.cases import partitioned, split


def instance(seed, n, k, S, digits):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2)).round(digits)
    groups = np.array(list("abcd"))[rng.integers(0, S, n)]
    centers = rng.normal(size=(k, 2))
    _, signature = np.unique(groups, return_inverse=True)
    counts = np.bincount(signature)
    quotas = round_rows(rng.dirichlet(np.ones(k), len(counts)) * counts[:, None])
    return X, groups, signature.astype(np.int32), centers, quotas


def labels_of(points, plan):
    return np.asarray(
        points.labels(
            lambda i: lambda part: labels_by_plan(part.X, part.signature, plan, plan.shares.get(i))
        ).compute()
    )


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 250),
    k=st.integers(1, 6),
    S=st.integers(1, 4),
    digits=st.sampled_from([0, 1, 8]),
    parts=st.integers(1, 6),
    cap=st.sampled_from([4, 65_536]),
)
def test_same_cost_as_in_memory_and_quotas_met(seed, n, k, S, digits, parts, cap):
    X, groups, signature, centers, quotas = instance(seed, n, k, S, digits)
    points = partitioned(X, groups, split(n, parts, seed))
    costs = EuclideanCosts(centers, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MARGINS", cap)
        patch.setattr(module, "_FEWEST", 4)
        plan = settle_all(points, costs, quotas, np.zeros(quotas.shape), 0.1)
    exact = transport(DistanceCosts(X, centers), signature, quotas)
    assert plan.values == pytest.approx(exact.values, rel=1e-9, abs=1e-9)
    labels = labels_of(points, plan)
    assert (loads_of(labels, signature, None, quotas.shape) == quotas).all()
    own = ((X - centers[labels]) ** 2).sum(axis=1)
    assert np.bincount(signature, own) == pytest.approx(exact.values, rel=1e-9, abs=1e-9)


def test_few_points_are_brought_together():
    X, groups, _, centers, _ = instance(0, 20_000, 5, 2, 12)
    points = partitioned(X, groups, [5_000] * 4)
    costs = EuclideanCosts(centers, 2)
    free = module.price_point(points, costs, np.zeros((2, 5)))
    quotas = free.loads.copy()
    quotas[0, 0] -= 3
    quotas[0, 1] += 3
    plan = settle_all(points, costs, quotas, np.zeros((2, 5)), 0.1)
    assert 0 < plan.collected < 500
    assert (loads_of(labels_of(points, plan), *_parts(groups), quotas.shape) == quotas).all()


def test_a_cluster_far_from_the_others_gives_points_away_though_its_border_is_far(monkeypatch):
    """Thousands of points lie nearer to a border, between two clusters that keep theirs."""
    monkeypatch.setattr(module, "_MARGINS", 64)
    monkeypatch.setattr(module, "_FEWEST", 16)
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.uniform(0, 1, 8_000), rng.normal(100, 1, 4_000)])[:, None]
    points = partitioned(X, np.full(len(X), "a"), [5_000, 0, 7_000])
    costs = EuclideanCosts(np.array([[0.0], [1.0], [100.0]]), 2)
    free = module.price_point(points, costs, np.zeros((1, 3)))
    quotas = free.loads + np.array([[0.0, 5.0, -5.0]])
    monkeypatch.setattr(module, "_IMPROVEMENTS", 0)
    plan = settle_all(points, costs, quotas, np.zeros((1, 3)), 0.1)
    exact = transport(DistanceCosts(X, costs.centers), np.zeros(len(X), dtype=np.int32), quotas)
    assert plan.values == pytest.approx(exact.values, rel=1e-12)
    assert np.bincount(labels_of(points, plan)).tolist() == quotas[0].tolist()
    assert plan.collected < 2_000


def _parts(groups):
    return np.unique(groups, return_inverse=True)[1].astype(np.int32), None


def test_equal_points_on_a_border_are_counted_not_sent():
    """100,000 equal points, half of which must go to the other cluster, travel as one."""
    X = np.full((100_000, 1), 0.5)
    points = partitioned(X, np.full(len(X), "a"), [40_000, 60_000])
    quotas = np.array([[50_001.0, 49_999.0]])
    plan = settle_all(points, EuclideanCosts(np.array([[0.0], [1.0]]), 2), quotas, np.zeros((1, 2)), 0.1)
    assert plan.collected == 2
    assert np.bincount(labels_of(points, plan)).tolist() == [50_001, 49_999]


def test_a_partition_that_has_changed_is_noticed():
    X, groups, signature, centers, quotas = instance(3, 200, 3, 1, 12)
    points = partitioned(X, groups, [200])
    plan = settle_all(points, EuclideanCosts(centers, 2), quotas, np.zeros(quotas.shape), 0.1)
    with pytest.raises(RuntimeError, match="changed after the assignment"):
        labels_by_plan(X + 1e-9, signature, plan, plan.shares[0])


def test_good_prices_need_no_others_and_few_points_travel():
    rng = np.random.default_rng(3)
    n, k, S = 40_000, 16, 2
    X, groups = rng.normal(size=(n, 4)), rng.choice(list("ab"), n)
    signature = (groups == "b").astype(np.int32)
    centers = rng.normal(size=(k, 4))
    counts = np.bincount(signature)
    quotas = round_rows(rng.dirichlet(np.full(k, 20.0), S) * counts[:, None])
    best = transport(DistanceCosts(X, centers), signature, quotas)
    points = partitioned(X, groups, split(n, 5, 0))
    passes, ordinary = [], points._compute
    points._compute = lambda tasks, what: passes.append(what) or ordinary(tasks, what)
    prices = best.prices + rng.normal(size=(S, k)) * 2e-3  # some 50 points of each group are off
    plan = settle_all(points, EuclideanCosts(centers, 2), quotas, prices, 1e-3)
    assert plan.values == pytest.approx(best.values, rel=1e-9)
    assert "prices" not in passes
    assert passes.count("margins") == 1
    assert plan.collected < n / 8
