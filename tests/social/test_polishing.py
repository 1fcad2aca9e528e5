import numpy as np
import pytest

from faircluster.social import SocialInstance
from faircluster.social.polishing import _exchanged, _patience, disjoint_balls, polish
from faircluster.social.pricing import fractional_costs
from faircluster.social.relaxation import relax
from faircluster.social.swaps import SwapSearch
from tests.social.small import draw


def never():
    return False


@pytest.mark.parametrize("eps", [1 / 2, 1 / 4])
@pytest.mark.parametrize("seed", range(15))
def test_disjoint_balls_keep_their_two_promises(seed, eps):
    """At most k / (1 - eps) centers at most 2^p / eps times the relaxation, where clients are facilities."""
    rng = np.random.default_rng(seed)
    n, k, p = 30, 4, 1 + seed % 3
    groups = np.append(["0", "1", "2"], rng.integers(0, 3, n - 3).astype(str))
    instance = SocialInstance.from_points(rng.normal(size=(n, 2)), groups, k, p)
    y = np.minimum(rng.dirichlet(np.full(n, 0.3)) * k, 1.0)
    value = (instance.weights @ fractional_costs(instance.costs(np.arange(n)), y)).max()
    centers = disjoint_balls(instance, y, eps)
    assert len(centers) <= k / (1 - eps) + 1e-9
    assert instance.cost(centers) <= 2**p / eps * value * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(25))
def test_never_worse_than_any_start(seed):
    small = draw(seed)
    instance = small.instance.merged().instance
    k, random = instance.n_clusters, np.random.RandomState(seed)
    starts = [random.choice(instance.n_facilities, k, replace=False) for _ in range(2)]
    relaxed = relax(instance, starts[0])
    found = polish(SwapSearch(instance), starts, relaxed, k, 4, random, never)
    assert len(np.unique(found)) == k
    balls = [disjoint_balls(instance, relaxed.y, eps) for eps in (1 / 3, 1 / 2)]
    for start in starts + [centers for centers in balls if len(centers) <= k]:
        assert instance.cost(found) <= instance.cost(start) * (1 + 1e-9) + 1e-12


def test_restarts_find_what_swaps_miss():
    """Two swaps at once are needed: from the poor start no single one helps."""
    rng = np.random.default_rng(1)
    costs = []
    for n_restarts in (0, 30):
        total = 0.0
        for seed in range(4):
            X = np.random.default_rng(seed).normal(size=(60, 2))
            instance = SocialInstance.from_points(X, rng.integers(0, 2, 60).astype(str), 8, 1)
            poor = np.arange(8)
            relaxed = relax(instance, poor)
            random = np.random.RandomState(0)
            found = polish(SwapSearch(instance), [poor], relaxed, 8, n_restarts, random, never)
            total += instance.cost(found) / relaxed.lower_bound
        rng = np.random.default_rng(1)
        costs.append(total)
    assert costs[1] < costs[0]


def test_ends_when_told():
    asked = []

    def stop():
        asked.append(True)
        return True

    rng = np.random.default_rng(0)
    instance = SocialInstance.from_points(rng.normal(size=(40, 2)), rng.integers(0, 2, 40).astype(str), 5, 1)
    polish(
        SwapSearch(instance),
        [np.arange(5)],
        relax(instance, np.arange(5)),
        5,
        50,
        np.random.RandomState(0),
        stop,
    )
    assert len(asked) == 1


def test_where_the_bound_leaves_room_the_search_is_longer():
    instance = SocialInstance.from_points(np.arange(12.0)[:, None], list("aabb" * 3), 2, 1)
    relaxed = relax(instance, np.array([0, 11]))
    bound = relaxed.lower_bound
    asked = [_patience(20, cost, relaxed, True) for cost in (bound, 1.001 * bound, 1.01 * bound, 2 * bound)]
    assert asked == sorted(asked)
    assert asked[0] == 0
    assert asked[-1] == 160
    assert _patience(20, 2 * bound, relaxed, False) == 20
    assert _patience(20, 0.0, relaxed, False) == 0


@pytest.mark.parametrize("seed", range(10))
def test_exchanged_centers_are_different_facilities(seed):
    small = draw(seed)
    instance = small.instance.merged().instance
    k, random = instance.n_clusters, np.random.RandomState(seed)
    centers = random.choice(instance.n_facilities, k, replace=False)
    found = _exchanged(SwapSearch(instance), centers, random)
    assert len(np.unique(found)) == len(found) == k
