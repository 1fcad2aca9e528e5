from itertools import product

import numpy as np
import pytest

from faircluster.social import SocialInstance
from faircluster.social import instance as module
from faircluster.social.swaps import SwapSearch
from tests.social.small import draw


def exchanges(instance, centers):
    for out, entrant in product(range(len(centers)), range(instance.n_facilities)):
        if entrant not in centers:
            yield entrant, np.append(np.delete(centers, out), entrant)


@pytest.mark.parametrize("seed", range(40))
def test_no_exchange_improves_what_is_found(seed):
    small = draw(seed)
    instance, rng = small.instance, np.random.default_rng(seed)
    begin = rng.choice(instance.n_facilities, small.k, replace=False)
    found = SwapSearch(instance).improve(begin)
    assert len(np.unique(found)) == small.k
    cost = instance.cost(found)
    assert cost <= instance.cost(begin) * (1 + 1e-9)
    for _, other in exchanges(instance, found):
        assert instance.cost(other) >= cost * (1 - 1e-8) - 1e-12


@pytest.mark.parametrize("seed", range(15))
def test_with_multipliers_the_weighted_sum_is_minimised(seed):
    small = draw(seed)
    instance, rng = small.instance, np.random.default_rng(seed)
    multipliers = rng.random(instance.n_groups)
    found = SwapSearch(instance).improve(np.arange(small.k), multipliers)
    value = multipliers @ instance.group_costs(found)
    for _, other in exchanges(instance, found):
        assert multipliers @ instance.group_costs(other) >= value * (1 - 1e-8) - 1e-12


@pytest.mark.parametrize("seed", range(25))
def test_values_are_those_of_the_best_exchange(seed):
    small = draw(seed)
    instance = small.instance
    centers = np.arange(small.k)
    best = np.full(instance.n_facilities, np.inf)
    for entrant, other in exchanges(instance, centers):
        best[entrant] = min(best[entrant], instance.cost(other))
    new = np.isfinite(best)
    values = SwapSearch(instance).values(centers)
    np.testing.assert_allclose(values[new], best[new], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(15))
def test_extending_adds_the_facility_that_helps_most(seed):
    small = draw(seed)
    instance = small.instance
    more = min(small.k + 1, instance.n_facilities)
    found = SwapSearch(instance).extend(np.arange(small.k), more)
    assert len(np.unique(found)) == more
    if more > small.k:
        costs = [instance.cost(np.append(np.arange(small.k), j)) for j in range(instance.n_facilities)]
        assert instance.cost(found) == pytest.approx(min(costs), rel=1e-9, abs=1e-12)


def test_two_groups_may_have_to_gain_in_turn():
    instance = SocialInstance.from_points(np.arange(6.0)[:, None], list("aaabbb"), 2, 1)
    assert instance.cost(SwapSearch(instance).improve(np.array([0, 5]))) == pytest.approx(2 / 3)


def test_the_same_when_costs_are_not_kept(monkeypatch):
    small = draw(8)
    kept = SwapSearch(small.instance).improve(np.arange(small.k))
    monkeypatch.setattr(module, "_DENSE_ENTRIES", 0)
    monkeypatch.setattr(module, "_BLOCK_ENTRIES", small.instance.n_clients)
    assert SwapSearch(draw(8).instance).improve(np.arange(small.k)).tolist() == kept.tolist()
