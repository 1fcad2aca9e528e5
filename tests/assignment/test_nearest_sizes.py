import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from faircluster import FairnessBounds, Groups, InfeasibleBoundsError
from faircluster.assignment import AssignmentProblem, solve
from faircluster.assignment.nearest_sizes import nearest_sizes

EXACT = FairnessBounds.exact()


def table(groups, labels, k):
    counts = np.zeros((groups.n_signatures, k))
    np.add.at(counts, (groups.signature, labels), 1.0)
    return counts


def moves(labels, groups, bounds, sizes):
    """Labels to change at these sizes, by the engine."""
    cost = 1.0 - np.eye(len(sizes))[labels]
    return solve(AssignmentProblem(cost, groups, bounds, sizes, sizes)).cost


def fewest(counts, rows, sizes=None):
    """Fewest fractional changes of a table of counts, at sizes up to one point from the given ones."""
    S, k = counts.shape
    cells = S * k
    upper, right = [], []
    for (s, j), now in np.ndenumerate(counts):  # changes of a cell are at least its differences
        for sign in (1.0, -1.0):
            row = np.zeros(2 * cells)
            row[s * k + j], row[cells + s * k + j] = sign, -1.0
            upper.append(row)
            right.append(sign * now)
    for j, of_cluster in enumerate(rows.coef):
        for coefficients, limit in zip(of_cluster, rows.rhs[j], strict=True):
            row = np.zeros(2 * cells)
            row[j:cells:k] = coefficients
            upper.append(row)
            right.append(limit)
    for j, size in enumerate([] if sizes is None else sizes):
        for sign in (1.0, -1.0):
            row = np.zeros(2 * cells)
            row[j:cells:k] = sign
            upper.append(row)
            right.append(sign * size + 1.0)
    equal = np.hstack([np.kron(np.eye(S), np.ones(k)), np.zeros((S, cells))])
    cost = np.repeat([0.0, 0.5], cells)
    found = linprog(cost, np.array(upper), right, equal, counts.sum(axis=1))
    return found.fun if found.success else np.inf


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_other_sizes_need_clearly_fewer_changes(data):
    k = data.draw(st.integers(2, 4))
    counts = np.array(
        data.draw(
            st.lists(st.lists(st.integers(0, 40), min_size=k, max_size=k), min_size=2, max_size=4).filter(
                lambda table: all(sum(row) for row in table)
            )
        ),
        dtype=float,
    )
    groups = Groups.from_features(np.repeat(np.arange(len(counts)), counts.sum(axis=1).astype(int)))
    bounds = data.draw(st.sampled_from([EXACT, FairnessBounds.interval(0.1), FairnessBounds.slack(0.5)]))
    rows = bounds.rows(groups, k)
    sizes = nearest_sizes(counts, rows)
    assert sizes.sum() == counts.sum()
    assert (sizes == np.rint(sizes)).all()
    assert fewest(counts, rows, sizes) <= fewest(counts, rows) + 0.01 * counts.sum() + 1e-6


def test_the_many_stay_where_they_are_and_the_few_follow():
    rng = np.random.default_rng(0)
    values = np.repeat(["many", "few"], [5000, 500])
    labels = np.concatenate([rng.choice(4, 5000, p=[0.4, 0.3, 0.2, 0.1]), rng.choice(4, 500)])
    groups = Groups.from_features(values)
    counts = table(groups, labels, 4)
    sizes = nearest_sizes(counts, EXACT.rows(groups, 4))
    many = counts[groups.signature[0]]
    np.testing.assert_allclose(sizes, many * 1.1, atol=4)
    kept, met = moves(labels, groups, EXACT, sizes), moves(labels, groups, EXACT, counts.sum(axis=0))
    assert kept < 0.6 * met


def test_equal_groups_keep_the_sizes_that_are_there():
    labels = np.random.default_rng(1).choice(5, 4000, p=[0.3, 0.25, 0.2, 0.15, 0.1])
    groups = Groups.from_features(np.arange(4000) % 2)
    sizes = nearest_sizes(table(groups, labels, 5), EXACT.rows(groups, 5))
    np.testing.assert_array_equal(sizes, np.bincount(labels, minlength=5))


def test_fair_labels_keep_their_sizes():
    rng = np.random.default_rng(2)
    groups = Groups.from_features(rng.choice(["a", "b", "c"], 600, p=[0.7, 0.2, 0.1]))
    labels = rng.choice(3, 600)
    fair = solve(AssignmentProblem(1.0 - np.eye(3)[labels], groups, EXACT)).labels
    sizes = nearest_sizes(table(groups, fair, 3), EXACT.rows(groups, 3))
    np.testing.assert_array_equal(sizes, np.bincount(fair, minlength=3))


def test_order_of_groups_and_clusters_does_not_matter():
    rng = np.random.default_rng(3)
    values = rng.choice(["a", "b", "c"], 900, p=[0.6, 0.3, 0.1])
    labels = (rng.random(900) * (1 + (values == "a")) * 2).astype(int)
    order = np.array([2, 0, 3, 1])
    groups, other = Groups.from_features(values), Groups.from_features(np.char.translate(values, {97: "z"}))
    sizes = nearest_sizes(table(groups, labels, 4), EXACT.rows(groups, 4))
    changed = nearest_sizes(table(other, order[labels], 4), EXACT.rows(other, 4))
    np.testing.assert_array_equal(changed[order], sizes)


def test_limits_on_sizes_are_kept_and_overlapping_groups_allowed():
    rng = np.random.default_rng(4)
    groups = Groups.from_features(np.column_stack([rng.choice(["f", "m"], 300), rng.choice(["x", "y"], 300)]))
    labels = np.where(rng.random(300) < 0.9, 0, rng.choice(3, 300))
    rows = FairnessBounds.interval(0.05).rows(groups, 3, size_min=40)
    sizes = nearest_sizes(table(groups, labels, 3), rows)
    assert sizes.min() == 40
    assert sizes.sum() == 300


def test_bounds_that_nothing_can_keep():
    groups = Groups.from_features(list("aab"))
    rows = FairnessBounds.explicit(lower={"b": 0.9}).rows(groups, 2)
    with pytest.raises(InfeasibleBoundsError, match="no quotas keep the bounds"):
        nearest_sizes(table(groups, np.array([0, 0, 1]), 2), rows)
