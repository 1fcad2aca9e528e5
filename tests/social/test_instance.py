import numpy as np
import pytest

from faircluster.groups import Groups
from faircluster.social import SocialInstance, group_weights
from faircluster.social import instance as module
from tests.social.small import draw

X = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [6.0, 8.0]])


def test_costs_are_powers_of_distances_whatever_the_source():
    F = np.array([[0.0, 0.0], [3.0, 4.0], [1.0, 1.0]])
    distance = np.sqrt(((X[:, None] - F[None]) ** 2).sum(axis=2))
    for power in (1, 2, 3, 1.5):
        points = SocialInstance.from_points(X, list("abab"), 2, power, facilities=F)
        matrix = SocialInstance.from_distances(distance, list("abab"), 2, power)
        for instance in (points, matrix):
            np.testing.assert_allclose(instance.costs(np.array([2, 0])), distance[:, [2, 0]].T ** power)
            np.testing.assert_allclose(instance.distances(np.array([1])), distance[:, [1]].T)
            expected = distance[:, [0, 2]].min(axis=1) ** power
            np.testing.assert_allclose(
                instance.group_costs(np.array([0, 2])), (expected[:2] + expected[2:]) / 2
            )


def test_blocks_are_the_costs_also_when_they_are_not_kept(monkeypatch):
    small = draw(3)
    kept = np.concatenate([cost for _, cost in small.instance.blocks()])
    monkeypatch.setattr(module, "_DENSE_ENTRIES", 0)
    monkeypatch.setattr(module, "_BLOCK_ENTRIES", 2 * small.instance.n_clients)
    lazy = draw(3).instance
    firsts = [first for first, _ in lazy.blocks()]
    assert firsts == list(range(0, lazy.n_facilities, 2))
    np.testing.assert_array_equal(np.concatenate([cost for _, cost in lazy.blocks()]), kept)


def test_weights_are_means_of_the_groups():
    groups = Groups.from_features(
        np.array([[True, True], [True, False], [False, True]]), sample_weight=[1.0, 3.0, 2.0]
    )
    expected = [[0.25, 0.75, 0.0], [1 / 3, 0.0, 2 / 3]]
    np.testing.assert_allclose(group_weights(groups), expected)


@pytest.mark.parametrize("seed", range(12))
def test_merging_changes_no_cost(seed):
    small = draw(seed, metric=seed % 2 == 0)
    merged = small.instance.merged()
    part = merged.instance
    assert len(np.unique(merged.facilities)) == part.n_facilities
    assert part.weights.any(axis=0).all()
    rng = np.random.default_rng(seed)
    for _ in range(5):
        chosen = rng.choice(part.n_facilities, small.k, replace=False)
        assert part.cost(chosen) == pytest.approx(small.instance.cost(merged.facilities[chosen]))


def test_merging_joins_equal_clients_and_facilities_but_leaves_k():
    part = SocialInstance.from_points(X, list("abab"), 2).merged().instance
    assert (part.n_clients, part.n_facilities) == (3, 3)
    same = SocialInstance.from_points(np.zeros((4, 1)), list("abab"), 3).merged()
    assert (same.instance.n_clients, same.instance.n_facilities) == (1, 3)


def test_client_distances_are_ways_over_facilities_without_coordinates():
    distance = np.array([[1.0, 5.0], [2.0, 9.0], [7.0, 1.0]])
    ways = SocialInstance.from_distances(distance, list("abc"), 1).client_distances(np.arange(3))
    assert ways.tolist() == [[0.0, 3.0, 6.0], [3.0, 0.0, 9.0], [6.0, 9.0, 0.0]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_clusters": 0}, "n_clusters must be a whole number of at least 1, got 0"),
        ({"n_clusters": 5}, "n_clusters=5 but there are only 4 facilities"),
        ({"n_clusters": True}, "n_clusters must be a whole number"),
        ({"power": 0.5}, "power must be a number of at least 1, got 0.5"),
        ({"power": "2"}, "power must be a number of at least 1, got '2'"),
        ({"groups": list("ab")}, "2 rows"),
        ({"X": np.array([[0.0], [np.nan], [1.0], [2.0]])}, "NaN"),
        ({"facilities": np.zeros((3, 3))}, "columns"),
    ],
)
def test_bad_points_are_refused(change, words):
    arguments = {"X": X, "groups": list("abab"), "n_clusters": 2} | change
    with pytest.raises(ValueError, match=words):
        SocialInstance.from_points(**arguments)


def test_bad_distances_and_weights_are_refused():
    with pytest.raises(ValueError, match="row 1 is not"):
        SocialInstance.from_distances([[0.0, 1.0], [-1.0, 0.0]], list("ab"), 1)
    source = SocialInstance.from_points(X, list("abab"), 2)._source
    for weights, words in (
        ([[1.0, 1.0]], "4 columns"),
        ([[1.0, 1.0, -1.0, 0.0]], "group 0 are not"),
        ([[0.0] * 4], "all zero"),
    ):
        with pytest.raises(ValueError, match=words):
            SocialInstance(source, weights, 2)
