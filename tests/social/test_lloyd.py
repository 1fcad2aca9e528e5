import itertools

import numpy as np
import pytest

from faircluster import AssignmentProblem, FairnessBounds
from faircluster.groups import Groups
from faircluster.social.bounded import assign_for_groups, find_bounded_centers
from faircluster.social.coreset import social_coreset
from faircluster.social.lloyd import social_lloyd
from faircluster.social.search import draw_starts, find_centers, improve_by_social_swaps
from faircluster.social.sweep import GroupedPoints
from tests.assignment.oracles import point_rows


def blobs(n=600, seed=0, groups=("a", "b", "c"), d=2):
    rng = np.random.default_rng(seed)
    where = rng.integers(0, 5, n)
    X = 6.0 * rng.normal(size=(5, d))[where] + rng.normal(size=(n, d))
    chance = rng.dirichlet(np.ones(len(groups)), size=5)
    names = np.array([groups[np.searchsorted(np.cumsum(chance[w]), rng.random())] for w in where])
    names[: len(groups)] = groups
    return X, names


def mean_costs(X, names, centers, power=2.0, weights=None):
    own = np.linalg.norm(X[:, None] - centers, axis=2).min(axis=1) ** power
    weights = np.ones(len(X)) if weights is None else weights
    return np.array([np.average(own[names == g], weights=weights[names == g]) for g in np.unique(names)])


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0, 3.0])
def test_the_worst_cost_never_rises(power):
    X, names = blobs()
    points = GroupedPoints(X, Groups.from_features(names), power)
    values = []
    found = social_lloyd(points, X[:6], report=lambda _, value: values.append(value))
    assert found.cost == min(values) if power == 2 else found.cost <= min(values)
    assert found.cost < 0.9 * values[0]
    if power == 2:  # elsewhere costs are smoothed at first, or a step is tried and halved
        assert all(after <= before for before, after in itertools.pairwise(values[:-1]))
    assert found.group_costs == pytest.approx(mean_costs(X, names, found.centers, power))
    assert found.cost == found.group_costs.max()
    assert (found.labels == np.linalg.norm(X[:, None] - found.centers, axis=2).argmin(axis=1)).all()
    assert found.lower_bound <= found.cost <= found.lower_bound * (1 + 1e-4)


def test_two_groups_end_up_equal_unless_one_decides_alone():
    seen = set()
    for seed in range(12):
        X, names = blobs(seed=seed, groups=("a", "b"))
        found = find_centers(
            GroupedPoints(X, Groups.from_features(names)), 4, np.random.RandomState(0), n_init=2
        )
        alone = found.multipliers.max() == 1.0
        seen.add(alone)
        if not alone:
            assert found.group_costs[0] == pytest.approx(found.group_costs[1], rel=1e-3)
    assert seen == {True, False}


def test_a_proof_for_the_labels_holds_for_other_centers():
    X, names = blobs(n=80)
    points, rng = GroupedPoints(X, Groups.from_features(names)), np.random.default_rng(0)
    found = social_lloyd(points, X[:3])
    for _ in range(20):
        centers = found.centers + rng.normal(size=(3, 2)) * rng.choice([0.01, 0.1, 1.0])
        assert points.sweep(centers, labels=found.labels).model.value >= found.lower_bound


def test_best_of_starts_and_not_worse_than_any():
    X, names = blobs(seed=3)
    points = GroupedPoints(X, Groups.from_features(names))
    starts = draw_starts(points, 6, 4, np.random.RandomState(1))
    found = find_centers(points, 6, np.random.RandomState(1), n_init=4)
    each = [social_lloyd(points, centers, max_iter=20).cost for centers in starts]
    assert found.cost <= min(each)
    swapped = find_centers(points, 6, np.random.RandomState(1), n_init=4, n_swaps=12)
    assert swapped.cost <= found.cost


def test_group_aware_start_serves_a_small_far_group():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(5_000, 2)), rng.normal(size=(5, 2))])
    X[-5:, 0] += 300.0
    X[-2:] += [0.0, 300.0]
    names = np.array(["many"] * 5_000 + ["few"] * 5)
    found = find_centers(GroupedPoints(X, Groups.from_features(names)), 3, np.random.RandomState(0), n_init=2)
    assert found.cost < 10.0


def test_swaps_mend_a_bad_start():
    X, names = blobs(seed=5)
    points = GroupedPoints(X, Groups.from_features(names))
    poor = social_lloyd(points, np.concatenate([X[:1] + 1e-3 * np.arange(4)[:, None], [[100.0, 0.0]]]))
    better = improve_by_social_swaps(points, poor, 20, np.random.RandomState(0))
    assert better.cost < 0.8 * poor.cost
    assert improve_by_social_swaps(points, better, 3, np.random.RandomState(0)).cost <= better.cost


def test_empty_clusters_are_reopened_and_too_many_clusters_are_fine():
    X, names = blobs(n=40)
    far = np.concatenate([X[:2], [[1e6, 1e6]]])
    found = social_lloyd(GroupedPoints(X, Groups.from_features(names)), far)
    assert (np.bincount(found.labels, minlength=3) > 0).all()
    same = np.repeat([[0.0, 0.0], [1.0, 1.0]], 3, axis=0)
    points = GroupedPoints(same, Groups.from_features(list("ababab")))
    found = find_centers(points, 4, np.random.RandomState(0), n_init=2, n_swaps=3)
    assert found.cost == found.lower_bound == 0.0


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_order_of_rows_weights_and_repeated_rows(power):
    X, names = blobs(n=150, seed=2)
    weights = np.random.default_rng(0).integers(0, 3, 150).astype(float)
    weights[:3] = 1.0

    def cost(X, names, weights=None):
        groups = Groups.from_features(names, sample_weight=weights)
        points = GroupedPoints(X, groups, power)
        return find_centers(points, 4, np.random.RandomState(0), n_init=2, n_swaps=2).cost

    weighted = cost(X, names, weights)
    order = np.random.default_rng(1).permutation(150)
    assert cost(X[order], names[order], weights[order]) == pytest.approx(weighted, rel=1e-5)
    times = weights.astype(int)
    assert cost(np.repeat(X, times, axis=0), np.repeat(names, times)) == pytest.approx(weighted, rel=1e-5)


def test_coreset_takes_as_many_of_each_group_and_estimates_every_group():
    X, _ = blobs(n=30_000, seed=4)
    names = np.where(
        np.arange(30_000) % 100 == 0, "rare", np.where(np.arange(30_000) % 7 == 0, "some", "most")
    )
    X[0] = [500.0, 500.0]  # far point of a rare group: uniform samples would mostly miss it
    points = GroupedPoints(X, Groups.from_features(names))
    sample, rows = social_coreset(points, 3_000)
    assert sample.n_points == len(rows) <= 3_000
    assert int((names[rows] == "rare").sum()) == 300
    assert sample.groups.counts == pytest.approx(points.groups.counts)
    assert abs(int((names[rows] == "some").sum()) - int((names[rows] == "most").sum())) < 200
    centers = X[1:6]
    whole, part = points.sweep(centers).model.group_costs, sample.sweep(centers).model.group_costs
    assert part == pytest.approx(whole, rel=0.1)
    order = np.random.default_rng(0).permutation(30_000)
    again, _ = social_coreset(GroupedPoints(X[order], Groups.from_features(names[order])), 3_000)
    assert (again.X == sample.X).all()


def test_large_data_settle_on_a_coreset(monkeypatch):
    from faircluster.social import search

    X, names = blobs(n=20_000, seed=6)
    points = GroupedPoints(X, Groups.from_features(names))
    whole = find_centers(points, 5, np.random.RandomState(0), n_init=3)
    monkeypatch.setattr(search, "_WHOLE", 5_000)
    monkeypatch.setattr(search, "_SAMPLE", 4_000)
    coarse = find_centers(points, 5, np.random.RandomState(0), n_init=3)
    assert coarse.cost <= whole.cost * 1.02
    assert coarse.group_costs == pytest.approx(mean_costs(X, names, coarse.centers))


# ---- bounds and the worst group at once


def worst_of(points, centers, labels):
    return points.sweep(centers, labels=labels).model.value


@pytest.mark.parametrize("seed", range(4))
def test_bounded_bound_holds_for_every_assignment(seed):
    rng = np.random.default_rng(seed)
    X, names = rng.normal(size=(9, 2)), np.array(list("aaaaabbbb"))
    X[names == "b"] += 1.0
    groups, bounds = Groups.from_features(names), FairnessBounds.slack(0.4)
    points, rows = GroupedPoints(X, groups), point_rows(groups, bounds, 2)
    start = social_lloyd(points, X[[0, 8]])
    found = find_bounded_centers(points, AssignmentProblem(None, bounds=bounds), start)
    assert rows.violation(found.social.labels) == found.violation == 0.0
    fair = [np.array(z, dtype=np.int32) for z in itertools.product(range(2), repeat=9)]
    best = min(worst_of(points, found.social.centers, z) for z in fair if rows.violation(z) == 0)
    assert found.social.lower_bound <= best * (1 + 1e-9)
    assert best <= found.social.cost * (1 + 1e-9)
    assert worst_of(points, found.social.centers, found.social.labels) == pytest.approx(found.social.cost)


def test_bounds_cost_the_worst_group_less_than_when_it_is_not_asked():
    X, names = blobs(n=1_500, seed=1, groups=("a", "b"))
    points = GroupedPoints(X, Groups.from_features(names))
    problem = AssignmentProblem(None, bounds=0.2)
    start = find_centers(points, 4, np.random.RandomState(0), n_init=2)
    even = assign_for_groups(points, problem, start.centers, points.groups.shares)
    found = find_bounded_centers(points, problem, start)
    assert even.violation == found.violation == 0.0
    assert start.cost < found.social.cost < worst_of(points, start.centers, even.labels)
    assert found.social.cost <= found.social.lower_bound * 1.05


def test_one_assignment_keeps_the_centers():
    X, names = blobs(n=200, groups=("a", "b"))
    points = GroupedPoints(X, Groups.from_features(names))
    start = social_lloyd(points, X[:3])
    found = find_bounded_centers(points, AssignmentProblem(None, bounds=0.3), start, max_iter=1)
    assert (found.social.centers == start.centers).all()
    assert found.violation == 0.0
