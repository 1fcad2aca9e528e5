"""Alternation of relaxed fair assignments and centers, and the strict end of it."""

from itertools import pairwise

import numpy as np
import pytest

from faircluster.assignment import AssignmentProblem
from faircluster.bounds import FairnessBounds
from faircluster.centers import Means, Medians, Medoids
from faircluster.groups import Groups
from faircluster.refinement import fair_lloyd, polish
from faircluster.refinement.lloyd import Clustering
from tests.estimators.cases import cost_of, make_points, squared_distances

X, FRAME = make_points(120)
SEX = FRAME["sex"].to_numpy()
GROUPS = Groups.from_features(SEX)
K = 3
START = X[[0, 50, 100]]
FREE = FairnessBounds.from_any(None).rows(GROUPS, K)
FAIR = FairnessBounds.slack(0.2).rows(GROUPS, K)


def quotas_of(labels, groups=GROUPS, k=K):
    quotas = np.zeros((groups.n_signatures, k))
    np.add.at(quotas, (groups.signature, labels), 1.0 if groups.weights is None else groups.weights)
    return quotas


@pytest.mark.parametrize(("kind", "power"), [(Means, 2), (Medians, 1)])
def test_one_iteration_leaves_the_centers(kind, power):
    done = fair_lloyd(kind(X), GROUPS, FAIR, START, max_iter=1)
    assert (done.centers == START).all()
    assert done.n_iter == 1
    assert done.cost == pytest.approx(cost_of(X, START, done.labels, power=power))
    assert FAIR.violation(quotas_of(done.labels)) <= 2.0  # up to rounding


@pytest.mark.parametrize(("kind", "power"), [(Means, 2), (Medians, 1)])
def test_without_rows_it_is_the_plain_method(kind, power):
    done = fair_lloyd(kind(X), GROUPS, FREE, START, tol=0.0)
    labels, centers = START[:0], START
    for _ in range(100):
        labels = squared_distances(X, centers).argmin(axis=1).astype(np.int32)
        centers = kind(X).update(labels, centers)
    assert (done.labels == labels).all()
    assert done.centers == pytest.approx(centers, abs=1e-4)
    assert done.relaxation is None


@pytest.mark.parametrize(("kind", "power"), [(Means, 2), (Medians, 1)])
def test_the_cost_is_that_of_the_labels_at_the_centers(kind, power):
    for rows in (FREE, FAIR):
        done = fair_lloyd(kind(X), GROUPS, rows, START)
        assert done.cost == pytest.approx(cost_of(X, done.centers, done.labels, power=power))
        assert done.labels.dtype == np.int32
        assert rows.violation(quotas_of(done.labels)) <= 2.0
        assert (done.relaxation is not None) == (rows is FAIR)


def test_alternation_pays():
    one = fair_lloyd(Means(X), GROUPS, FAIR, START, max_iter=1)
    many = fair_lloyd(Means(X), GROUPS, FAIR, START)
    assert many.cost < 0.95 * one.cost
    assert many.n_iter > 1


def test_progress_is_reported_and_falls():
    seen = []
    done = fair_lloyd(Means(X), GROUPS, FAIR, START, report=lambda i, cost: seen.append((i, cost)))
    assert [i for i, _ in seen] == list(range(1, done.n_iter + 1))
    costs = [cost for _, cost in seen]
    assert costs[-1] == done.cost
    # rounded quotas may cost a little more than those before
    assert all(after <= before * 1.01 for before, after in pairwise(costs))


def test_the_number_of_assignments_is_limited():
    assert fair_lloyd(Means(X), GROUPS, FAIR, START, max_iter=3, tol=0.0).n_iter <= 3


@pytest.mark.parametrize("kind", [Means, Medians])
def test_weights_count_as_copies(kind):
    copies = np.random.default_rng(0).integers(0, 3, len(X))
    weighted = Groups.from_features(SEX, sample_weight=copies.astype(float))
    repeated = Groups.from_features(np.repeat(SEX, copies))
    first = fair_lloyd(kind(X, weighted.weights), weighted, FREE, START)
    second = fair_lloyd(kind(np.repeat(X, copies, axis=0)), repeated, FREE, START)
    assert first.cost == pytest.approx(second.cost)
    assert first.centers == pytest.approx(second.centers)
    assert (np.repeat(first.labels, copies) == second.labels).all()


def test_medoids_alternate_too():
    D = np.sqrt(squared_distances(X, X))
    done = fair_lloyd(Medoids(D), GROUPS, FAIR, np.array([0, 50, 100]))
    assert done.cost == pytest.approx(D[np.arange(len(X)), done.centers[done.labels]].sum())
    assert done.cost < fair_lloyd(Medoids(D), GROUPS, FAIR, np.array([0, 50, 100]), max_iter=1).cost


def test_empty_clusters_open_where_points_cost_most():
    start = np.array([[0.0, 0.0], [0.1, 0.0], [1e5, 1e5]])
    done = fair_lloyd(Means(X), GROUPS, FREE, start)
    assert len(np.unique(done.labels)) == K
    same = fair_lloyd(Means(np.ones((6, 1))), Groups.from_features(list("ababab")), FREE, np.ones((K, 1)))
    assert same.cost == 0


def test_large_data_settle_on_a_part_and_end_on_the_whole():
    rng = np.random.default_rng(0)
    n = 250_000
    points = rng.normal(size=(n, 1)) + 6.0 * (np.arange(n) % 2)[:, None]
    sex = np.where(rng.random(n) < 0.3 + 0.4 * (np.arange(n) % 2), "F", "M")
    groups = Groups.from_features(sex)
    rows = FairnessBounds.slack(0.1).rows(groups, 2)
    done = fair_lloyd(Means(points), groups, rows, np.array([[0.0], [1.0]]))
    assert done.labels.shape == (n,)
    assert done.cost == pytest.approx(cost_of(points, done.centers, done.labels))
    assert rows.violation(quotas_of(done.labels, groups, 2)) <= 1e-3 * n  # prices come from a sample
    # the means of the final labels, but for the last step
    means = [points[done.labels == j].mean() for j in range(2)]
    assert done.centers.ravel() == pytest.approx(means, abs=0.02)


@pytest.mark.parametrize("kind", [Means, Medians])
def test_polish_ends_strictly_fair_and_never_above_its_first_answer(kind):
    geometry = kind(X)
    problem = AssignmentProblem(None, GROUPS, FairnessBounds.slack(0.2))
    start = fair_lloyd(geometry, GROUPS, FAIR, START)
    once_centers, once, _ = polish(geometry, problem, start, rounds=1)
    centers, result, _ = polish(geometry, problem, start)
    assert (once_centers == start.centers).all()
    assert once.violation == result.violation == 0
    assert result.cost <= once.cost
    assert result.lower_bound <= result.cost * (1 + 1e-12)
    power = geometry.power
    assert result.cost == pytest.approx(cost_of(X, centers, result.labels, power=power))


def test_polish_moves_centers_to_suit_the_quotas():
    start = Clustering(START, np.zeros(len(X), dtype=np.int32), 0.0, 0)
    problem = AssignmentProblem(None, GROUPS, FairnessBounds.slack(0.2))
    _, once, _ = polish(Means(X), problem, start, rounds=1)
    _, result, assignments = polish(Means(X), problem, start)
    assert result.cost < once.cost
    assert result.violation == 0
    assert assignments > 0
