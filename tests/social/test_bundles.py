import numpy as np
import pytest

from faircluster.social import SocialInstance
from faircluster.social.bundles import Bundles, _dependent, _pairs
from faircluster.social.polishing import polish
from faircluster.social.relaxation import relax
from faircluster.social.swaps import SwapSearch
from tests.social.small import draw


@pytest.mark.parametrize("seed", range(25))
def test_at_most_k_facilities_of_any_kind_of_instance(seed):
    instance = draw(seed).instance.merged().instance
    k = instance.n_clusters
    relaxed = relax(instance, np.arange(k))
    for random in (np.random.RandomState(seed), np.random.default_rng(seed)):
        found = Bundles(instance, relaxed.y).best(10, random)
        assert 0 < len(found) <= k
        assert (np.diff(found) > 0).all()
        assert found[-1] < instance.n_facilities


def test_whole_solutions_stay_as_they_are():
    X = np.array([[0.0], [1.0], [2.0], [50.0], [51.0], [52.0], [90.0], [91.0], [92.0]])
    instance = SocialInstance.from_points(X, list("abcabcabc"), 3, 1)
    y = np.zeros(9)
    y[[1, 4, 7]] = 1.0
    assert Bundles(instance, y).best(4, np.random.RandomState(0)).tolist() == [1, 4, 7]


def test_roundings_keep_sums_within_pairs_and_in_expectation():
    mass = np.array([0.5, 0.7, 0.9, 0.5, 0.8, 0.6])  # 4 together
    pairs = [(0, 1), (2, 3), (4, 5)]
    random = np.random.RandomState(0)
    found = np.array([_dependent(mass, pairs, random) for _ in range(4_000)])
    assert (found.sum(axis=1) == 4).all()
    for a, b in pairs:  # more than one together: at least one of the two is open
        assert (found[:, a] | found[:, b]).all()
    assert np.abs(found.mean(axis=0) - mass).max() < 0.04


def test_nearest_bundles_are_paired_and_one_may_be_left():
    at = np.array([0.0, 10.0, 1.0, 12.0, 30.0])
    assert _pairs(np.abs(at[:, None] - at)) == [(0, 2), (1, 3)]


@pytest.mark.parametrize("seed", range(6))
def test_the_polish_is_never_dearer_than_the_best_rounding(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 4, 80).astype(str)
    instance = SocialInstance.from_points(rng.normal(size=(80, 3)), groups, 5, 1 + seed % 2)
    poor = np.arange(5)
    relaxed = relax(instance, poor)
    rounded = Bundles(instance, relaxed.y).best(200, np.random.RandomState(seed))
    search = SwapSearch(instance)
    found = polish(search, [poor], relaxed, 5, 0, np.random.RandomState(seed), lambda: False)
    assert instance.cost(found) <= instance.cost(rounded) * (1 + 1e-9)
