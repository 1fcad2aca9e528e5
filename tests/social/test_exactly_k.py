import numpy as np
import pytest

from faircluster.social import SocialInstance
from faircluster.social.exactly_k import _drop_one_by_one, best_subset
from tests.social.small import brute_force, draw


@pytest.mark.parametrize("seed", range(40))
def test_best_subset_is_the_best_by_both_ways(seed):
    small = draw(seed)
    f = small.instance.n_facilities
    cost, _ = brute_force(small)
    for exhaustive in (10**9, 0):
        chosen, proven = best_subset(small.instance, np.arange(f), small.k, exhaustive=exhaustive)
        assert proven
        assert len(np.unique(chosen)) == small.k
        assert small.instance.cost(chosen) == pytest.approx(cost, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("seed", range(30))
def test_a_subset_costs_no_more_than_proved(seed):
    """(2 OPT^(1/p) + C^(1/p))^p for any centers with cost C, also bad ones."""
    small, rng = draw(seed), np.random.default_rng(seed)
    f, p = small.instance.n_facilities, small.instance.power
    best, _ = brute_force(small)
    given = rng.choice(f, min(f, small.k + 2), replace=False)
    bound = (2 * best ** (1 / p) + small.instance.cost(given) ** (1 / p)) ** p
    assert small.instance.cost(best_subset(small.instance, given, small.k)[0]) <= bound * (1 + 1e-9) + 1e-12


def test_enough_already():
    instance = SocialInstance.from_points(np.arange(5.0)[:, None], list("ababa"), 3)
    assert best_subset(instance, np.array([4, 0]), 3)[0].tolist() == [0, 4]


def test_dropping_one_by_one_leaves_k():
    instance = SocialInstance.from_points(np.array([[0.0], [0.1], [5.0], [9.0]]), list("abab"), 3, 1)
    assert len(_drop_one_by_one(instance, np.arange(4), 2)) == 2
    assert _drop_one_by_one(instance, np.arange(4), 3).tolist() in ([0, 2, 3], [1, 2, 3])
