import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from faircluster.assignment.relaxed_radius import relaxed_radius
from faircluster.bounds import FairnessBounds
from faircluster.centers.metric import Metric
from faircluster.groups import Groups
from faircluster.refinement.bottleneck import CenterSearch, settle


def instance(seed, n=120, slack=0.2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2)) + 4.0 * rng.integers(0, 3, (n, 1))
    groups = Groups.from_features(np.where(X[:, 0] + 3.0 * rng.normal(size=n) > 4.0, "a", "b"))
    return X, groups, FairnessBounds.slack(slack)


@pytest.mark.parametrize("facilities", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_every_step_lowers_the_relaxed_radius_and_states_it_truly(seed, facilities):
    X, groups, bounds = instance(seed)
    places = np.random.default_rng(9).normal(size=(60, 2)) * 5.0 if facilities else X
    metric = Metric(X, "euclidean", places if facilities else None)
    rows = bounds.rows(groups, 4)
    search = CenterSearch(metric, groups, rows, metric.order())
    best, trail = search.improve(search.probe(np.arange(4)), 40, np.random.RandomState(seed))
    radii = [radius for _, radius in trail]
    assert len(radii) > 1
    assert all(later < earlier for earlier, later in itertools.pairwise(radii))
    D = cdist(X, places)
    for centers, radius in trail:
        assert len(set(centers.tolist())) == 4
        assert radius == pytest.approx(relaxed_radius(D[:, centers], groups, rows))
    assert np.array_equal(best.rows, trail[-1][0])
    assert np.allclose(best.cost, D[:, best.rows])


def test_points_without_weight_do_not_matter():
    X, groups, bounds = instance(6)
    far = np.vstack([X, [[1e6, 1e6]]])
    weights = np.append(np.ones(len(X)), 0.0)
    labels = np.append(groups.membership[:, 0], True)
    weighted = Groups.from_features(np.where(labels, "a", "b"), sample_weight=weights)
    metric = Metric(far)
    search = CenterSearch(metric, weighted, bounds.rows(weighted, 3), metric.order())
    best, _ = search.improve(search.probe(np.arange(3)), 20, np.random.RandomState(0))
    assert best.radius < 100.0
    assert len(X) not in best.rows


def test_the_deadline_ends_the_search():
    X, groups, bounds = instance(7)
    metric = Metric(X)
    search = CenterSearch(metric, groups, bounds.rows(groups, 4), metric.order(), deadline=0.0)
    _, trail = search.improve(search.probe(np.arange(4)), 40, np.random.RandomState(0))
    assert len(trail) == 1
    assert search.late


@dataclass
class Answer:
    radius: float
    violation: float = 0.0


@pytest.mark.parametrize(
    ("strict", "chosen", "asked"),
    [
        ([9.0, 8.0, 7.0], 2, 1),  # as good as its relaxation: nothing earlier can be better
        ([9.0, 8.0, 8.5], 1, 2),  # an earlier relaxation is smaller than what whole points reach
        ([9.0, 9.5, 9.9], 0, 3),
        ([9.5, 9.5, 9.0], 2, 1),  # a probe tells that whole points do no better there
    ],
)
def test_earlier_centers_are_taken_when_whole_points_do_better_there(strict, chosen, asked):
    trail = [(np.array([i]), relaxed) for i, relaxed in enumerate([9.0, 8.0, 7.0])]
    calls = []

    def assign(rows):
        calls.append(int(rows[0]))
        return Answer(strict[rows[0]])

    rows, result = settle(trail, assign, lambda rows, radius: strict[rows[0]] < radius)
    assert rows[0] == chosen
    assert result.radius == strict[chosen]
    assert len(calls) == asked


def test_facilities_that_relieve_what_is_tight_are_found():
    # the "a" around 100 need "b" in their cluster, and only 45 and 50 are near enough to both
    X = np.concatenate([np.zeros(20), [100.0, 101.0, 102.0], [45.0, 50.0]])[:, None]
    groups = Groups.from_features(["b"] * 20 + ["a"] * 3 + ["b"] * 2)
    rows = FairnessBounds.explicit(upper={"a": 0.6}).rows(groups, 2)
    metric = Metric(X)
    search = CenterSearch(metric, groups, rows, metric.order())
    start = search.probe(np.array([0, 23]))
    assert start.radius == 57.0
    assert 24 in search._relieving(start, np.random.RandomState(0))[:2]
    best, _ = search.improve(start, 10, np.random.RandomState(0))
    assert best.radius <= 52.0
