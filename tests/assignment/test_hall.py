import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.assignment.hall import HallCuts
from faircluster.assignment.reach import reach_classes
from tests.assignment.instances import seeds


@given(seed=seeds, n=st.integers(1, 15), k=st.integers(1, 5))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_cuts_are_valid_at_every_radius_and_find_what_is_missing(seed, n, k):
    rng = np.random.default_rng(seed)
    cost = rng.integers(0, 6, (n, k)).astype(float)
    cuts, signature = HallCuts(1, k), np.zeros(n, dtype=np.int32)
    subsets = (np.arange(1 << k)[:, None] >> np.arange(k) & 1).astype(bool)

    def needed(inside, radius):
        return ((cost <= radius) <= inside).all(axis=1).sum()

    for radius in rng.permutation(np.arange(cost.min(axis=1).max(), 7.0)):
        cuts.visit(reach_classes(cost, signature, None, 1, radius))
        quotas = rng.dirichlet(np.ones(k)) * n
        worst = max(needed(inside, radius) - quotas[inside].sum() for inside in subsets)
        assert cuts.separate(quotas[None], 1e-9) == pytest.approx(max(worst, 0.0), abs=1e-8)
        assert cuts.needed().tolist() == [needed(inside, radius) for inside in cuts.sets]


@given(seed=seeds, n=st.integers(1, 20), k=st.integers(1, 70))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_spread_fills_the_quotas_within_reach(seed, n, k):
    rng = np.random.default_rng(seed)
    cost, signature = rng.random((n, k)), rng.integers(0, 2, n).astype(np.int32)
    weights = rng.integers(1, 4, n).astype(float)
    radius = max(cost.min(axis=1).max(), 0.3)
    cuts = HallCuts(2, k)
    cuts.visit(reach_classes(cost, signature, weights, 2, radius))
    # quotas that some division of the points fills
    shares = (cost <= radius) * rng.random((n, k))
    shares /= shares.sum(axis=1, keepdims=True)
    quotas = np.array([(weights * (signature == s)) @ shares for s in range(2)])
    assert cuts.separate(quotas, 1e-9) <= 1e-8
    spread = cuts.spread(quotas, 1e-9)
    assert np.allclose(spread.sum(axis=1), 1.0)
    assert not spread[~cuts.classes.allowed].any()
    mass = spread * cuts.classes.supply[:, None]
    starts = cuts.classes.starts
    for s in range(2):
        assert np.allclose(mass[starts[s] : starts[s + 1]].sum(axis=0), quotas[s], atol=1e-6)
