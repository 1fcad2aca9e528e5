"""The search for k-center's centers, on large data by a part of the points."""

import time

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from faircluster.assignment.relaxed_radius import relaxed_radius
from faircluster.bounds import FairnessBounds
from faircluster.centers.metric import Metric
from faircluster.groups import Groups
from faircluster.refinement import find_centers as module
from faircluster.refinement.find_centers import SearchLimits, find_centers


def instance(seed, n=900):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2)) + 6.0 * rng.integers(0, 4, (n, 1))
    X[:3] += [[60.0, 0.0], [0.0, 70.0], [-65.0, 0.0]]  # hardly in any sample, and they decide the radius
    groups = Groups.from_features(np.where(X[:, 0] + 4.0 * rng.normal(size=n) > 9.0, "a", "b"))
    return X, groups


def search(X, groups, places=None, **limits):
    metric = Metric(X, "euclidean", places)
    rows = FairnessBounds.slack(0.3).rows(groups, 5)
    limits = SearchLimits(**{"n_init": 3, "n_swaps": 30, "max_iter": 20} | limits)
    found = find_centers(metric, groups, rows, 5, limits, np.random.RandomState(0), lambda *_: None)
    return found, rows


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(module, "_LARGE", 100)
    monkeypatch.setattr(module, "_SAMPLE", 150)
    monkeypatch.setattr(module, "_FAR", 30)


@pytest.mark.parametrize("facilities", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_part_leads_to_centers_nearly_as_good_as_all_points(seed, facilities, small_parts, monkeypatch):
    X, groups = instance(seed)
    places = np.random.default_rng(8).uniform(-70.0, 80.0, (200, 2)) if facilities else None
    found, rows = search(X, groups, places)
    D = cdist(X, X if places is None else places)
    first, last = (relaxed_radius(D[:, centers], groups, rows) for centers, _ in found.trail)
    assert found.trail[0][1] <= first  # the start on all points: what it reaches without bounds
    assert np.allclose(found.cost, D[:, found.trail[-1][0]])
    monkeypatch.setattr(module, "_LARGE", 10_000)
    best = search(X, groups, places)[0].trail[-1][1]
    assert last <= 1.4 * best  # both are local optima
    assert found.lower_bound <= min(last, best)


def test_points_that_the_part_had_missed_join_it(small_parts, monkeypatch):
    X, groups = instance(1)
    X = X[3:]  # no outliers: the border of every blob decides, and a small sample misses it
    groups = Groups.from_features(None, n_rows=len(X))
    monkeypatch.setattr(module, "_SAMPLE", 20)
    monkeypatch.setattr(module, "_FAR", 0)  # one point per center
    lines = []
    metric, rows = Metric(X), FairnessBounds.slack(0.95).rows(groups, 5)
    find_centers(
        metric, groups, rows, 5, SearchLimits(3, 30, 20), np.random.RandomState(0), lambda *a: lines.append(a)
    )
    parts = [line for line in lines if line[0].startswith("part")]
    assert len(parts) > 1
    assert parts[0][-1] > 0
    assert parts[-1][-1] == 0


def test_rows_in_another_order_lead_to_the_same_centers(small_parts):
    X, groups = instance(2)
    shuffled = np.random.default_rng(0).permutation(len(X))
    one, _ = search(X, groups)
    other, _ = search(X[shuffled], groups.subset(shuffled))
    assert one.trail[-1][1] == pytest.approx(other.trail[-1][1])
    assert sorted(one.trail[-1][0].tolist()) == sorted(shuffled[other.trail[-1][0]].tolist())


def test_weights_count_in_the_part(small_parts):
    X, groups = instance(3)
    weights = np.ones(len(X))
    weights[:3] = 0.0  # without them the radius is small
    labels = np.where(groups.membership[:, 0], "a", "b")
    weighted = Groups.from_features(labels, sample_weight=weights)
    found, _ = search(X, weighted)
    assert found.trail[-1][1] < 30.0
    assert not np.isin(found.trail[-1][0], [0, 1, 2]).any()


def test_the_deadline_ends_the_search_on_a_part(small_parts):
    X, groups = instance(4)
    found, _ = search(X, groups, deadline=time.perf_counter())
    assert found.late
    assert len(found.trail) == 2
