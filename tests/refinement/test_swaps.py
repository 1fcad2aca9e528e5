"""Swaps leave local optima and never make things worse."""

import numpy as np
import pytest

from faircluster.bounds import FairnessBounds
from faircluster.centers import Means, Medians, Medoids
from faircluster.groups import Groups
from faircluster.refinement import fair_lloyd, improve_by_swaps
from tests.estimators.cases import cost_of, make_points

X, FRAME = make_points(90)
GROUPS = Groups.from_features(FRAME["sex"].to_numpy())
K = 3
FREE = FairnessBounds.from_any(None).rows(GROUPS, K)
FAIR = FairnessBounds.slack(0.2).rows(GROUPS, K)


def poor_start(geometry):
    """Two centers in one blob, one for the two others: a local optimum of the plain method."""
    at = np.array([0, 1, 45])
    return geometry.at(at)


@pytest.mark.parametrize("kind", [Means, Medians])
def test_a_local_optimum_is_left(kind):
    line = np.r_[np.linspace(0, 1, 20), np.linspace(50, 51, 20), np.linspace(60, 61, 20)][:, None]
    groups = Groups.from_features(["a"] * 60)
    rows = FairnessBounds.from_any(None).rows(groups, 3)
    stuck = fair_lloyd(kind(line), groups, rows, np.array([[0.2], [0.8], [55.0]]))
    assert sorted(np.bincount(stuck.labels)) == [10, 10, 40]
    better = improve_by_swaps(kind(line), groups, rows, stuck, 20, np.random.RandomState(0))
    assert sorted(np.bincount(better.labels)) == [20, 20, 20]
    assert better.cost < 0.5 * stuck.cost
    assert better.n_iter > stuck.n_iter


@pytest.mark.parametrize("rows", [FREE, FAIR], ids=["free", "fair"])
def test_swaps_never_cost_more_and_say_what_they_cost(rows):
    geometry = Means(X)
    start = fair_lloyd(geometry, GROUPS, rows, poor_start(geometry))
    costs = [start.cost]
    for attempts in (1, 6):
        better = improve_by_swaps(geometry, GROUPS, rows, start, attempts, np.random.RandomState(1))
        assert better.cost == pytest.approx(cost_of(X, better.centers, better.labels))
        costs.append(better.cost)
    assert costs[0] >= costs[1] >= costs[2] * (1 - 1e-9)


def test_the_same_seed_makes_the_same_swaps():
    geometry = Means(X)
    start = fair_lloyd(geometry, GROUPS, FREE, poor_start(geometry))
    first, second = (
        improve_by_swaps(geometry, GROUPS, FREE, start, 5, np.random.RandomState(7)) for _ in range(2)
    )
    assert (first.centers == second.centers).all()


def test_nothing_to_swap():
    geometry = Means(X)
    start = fair_lloyd(geometry, GROUPS, FREE, poor_start(geometry))
    assert improve_by_swaps(geometry, GROUPS, FREE, start, 0, np.random.RandomState(0)) is start
    one = FairnessBounds.from_any(None).rows(GROUPS, 1)
    alone = fair_lloyd(geometry, GROUPS, one, X[:1])
    assert improve_by_swaps(geometry, GROUPS, one, alone, 5, np.random.RandomState(0)) is alone


def test_points_that_cost_nothing_have_nothing_to_gain():
    few = np.repeat([[0.0], [1.0], [2.0]], 4, axis=0)
    groups = Groups.from_features(list("ab") * 6)
    rows = FairnessBounds.from_any(None).rows(groups, 3)
    start = fair_lloyd(Means(few), groups, rows, np.array([[0.0], [1.0], [2.0]]))
    assert start.cost == 0
    assert improve_by_swaps(Means(few), groups, rows, start, 5, np.random.RandomState(0)).cost == 0


def test_medoids_swap_too():
    line = np.r_[np.linspace(0, 1, 20), np.linspace(50, 51, 20), np.linspace(60, 61, 20)]
    geometry = Medoids(np.abs(np.subtract.outer(line, line)))
    groups = Groups.from_features(["a"] * 60)
    rows = FairnessBounds.from_any(None).rows(groups, 3)
    stuck = fair_lloyd(geometry, groups, rows, np.array([3, 15, 30]))
    better = improve_by_swaps(geometry, groups, rows, stuck, 20, np.random.RandomState(0))
    assert sorted(better.centers // 20) == [0, 1, 2]
    assert better.cost < 0.5 * stuck.cost
    assert better.cost == pytest.approx(np.abs(line - line[better.centers[better.labels]]).sum())
