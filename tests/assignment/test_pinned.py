"""Given sizes and exact bounds: a flow problem, solved to the optimum and with proof."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.assignment import AssignmentProblem, pinned, solve
from faircluster.bounds import FairnessBounds, InfeasibleBoundsError
from faircluster.distances import DenseCosts
from faircluster.groups import Groups
from tests.assignment.instances import COSTS, make_cost, seeds
from tests.assignment.oracles import point_rows, points_milp


def draw(seed, n, k, n_groups):
    """Groups of uneven sizes that all occur, and sizes that sum to n."""
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(n_groups, 2.0))
    groups = Groups.from_features(np.r_[np.arange(n_groups), rng.choice(n_groups, n - n_groups, p=share)])
    return rng, groups, rng.multinomial(n, rng.dirichlet(np.full(k, 3.0))).astype(float)


def solved(cost, groups, sizes, bounds=None, **options):
    """The result of the engine, and whether the flow gave it."""
    bounds = FairnessBounds.exact() if bounds is None else bounds
    result = solve(AssignmentProblem(cost, groups, bounds, sizes, sizes, **options))
    known = result.relaxation
    return result, known is not None and known.multipliers.shape[1] == 0


@given(
    seed=seeds, n=st.integers(6, 18), k=st.integers(2, 4), n_groups=st.integers(2, 5),
    kind=st.sampled_from(COSTS), target=st.booleans(),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=150)
def test_the_flow_is_the_optimum_of_the_integer_program_over_points(seed, n, k, n_groups, kind, target):
    rng, groups, sizes = draw(seed, n, k, n_groups)
    cost = make_cost(rng, kind, n, k)
    # a target off the groups' shares can leave a quota more than two whole numbers, or none
    shares = groups.shares * (1 - 0.1 * np.eye(n_groups)[0])
    aim = dict(zip(groups.names, (shares / shares.sum()).tolist(), strict=True))
    bounds = FairnessBounds.exact(target=aim if target else None)
    rows = point_rows(groups, bounds, k, sizes, sizes)
    optimum = points_milp(cost, rows)
    try:
        result, by_flow = solved(cost, groups, sizes, bounds)
    except InfeasibleBoundsError:
        assert optimum is None
        return
    assert optimum is not None
    scale = float(np.abs(cost).max()) * n
    assert result.violation == 0.0
    assert rows.violation(result.labels) == 0.0
    assert np.bincount(result.labels, minlength=k).tolist() == sizes.tolist()
    if by_flow:
        assert result.cost == pytest.approx(optimum, abs=1e-7 * scale)
        assert result.lower_bound == pytest.approx(optimum, abs=1e-7 * scale)
        assert result.status == "optimal"
    else:
        assert target or result.relaxation is None  # nothing is left to the search but odd targets


@given(
    seed=seeds, k=st.integers(2, 8), n_groups=st.integers(2, 30), start=st.booleans(), narrow=st.booleans()
)
@settings(derandomize=True, deadline=None, max_examples=40)
def test_prices_prove_the_optimum_of_larger_problems(seed, k, n_groups, start, narrow):
    rng, groups, sizes = draw(seed, 600, k, n_groups)
    cost = rng.random((600, k)) + rng.random((n_groups, k))[groups.signature]
    limits = pinned.pinned_limits(
        FairnessBounds.exact().rows(groups, k, sizes, sizes), groups.signature_counts, sizes
    )
    assert limits is not None
    prices = rng.normal(size=(n_groups, k)) if start else None
    with pytest.MonkeyPatch.context() as patch:
        if narrow:  # few points at first, so that others have to join
            patch.setattr(pinned, "REACH", 0.01)
        found = pinned.assign_pinned(DenseCosts(cost), groups.signature, *limits, sizes, prices)
    low, high = limits
    labels, own = found.moved.labels, found.moved.prices
    assert ((found.quotas >= low) & (found.quotas <= high)).all()
    assert found.quotas.sum(axis=0).tolist() == sizes.tolist()
    counted = np.zeros((n_groups, k))
    np.add.at(counted, (groups.signature, labels), 1)
    assert (counted == found.quotas).all()
    # the proof, from nothing but prices: for any common price of a cluster this is below every assignment
    value = cost[np.arange(600), labels].sum()
    assert found.moved.values.sum() == pytest.approx(value)
    assert found.lower_bound == pytest.approx(value, rel=1e-12)
    priced = cost + own[groups.signature]
    assert priced[np.arange(600), labels] == pytest.approx(priced.min(axis=1), abs=1e-9)


def test_other_orders_and_names_cost_the_same():
    rng, groups, sizes = draw(3, 400, 5, 7)
    cost = rng.random((400, 5))
    result, by_flow = solved(cost, groups, sizes)
    assert by_flow
    order, clusters = rng.permutation(400), rng.permutation(5)
    renamed = Groups.from_features((6 - groups.signature)[order])
    other, _ = solved(cost[order][:, clusters], renamed, sizes[clusters])
    assert other.cost == pytest.approx(result.cost, rel=1e-12)
    assert (clusters[other.labels] == result.labels[order]).all()  # without ties the optimum is one


def test_a_start_from_a_similar_problem_changes_nothing():
    rng, groups, sizes = draw(4, 500, 4, 6)
    cost = rng.random((500, 4))
    first, _ = solved(cost, groups, sizes)
    moved = cost + 0.1 * rng.random((500, 4))
    cold, warm = solved(moved, groups, sizes)[0], solved(moved, groups, sizes, start=first)[0]
    assert (cold.labels == warm.labels).all()
    # prices of a flow start other problems, too
    free = solve(AssignmentProblem(moved, groups, 0.1, start=first))
    assert free.cost == pytest.approx(solve(AssignmentProblem(moved, groups, 0.1)).cost, rel=1e-3)


def test_no_flow_where_quotas_have_room():
    _, groups, sizes = draw(5, 200, 3, 4)
    wide = FairnessBounds.slack(0.2).rows(groups, 3, sizes, sizes)
    assert pinned.pinned_limits(wide, groups.signature_counts, sizes) is None
    two = Groups.from_features(np.c_[np.arange(200) % 2, np.arange(200) % 3])  # bounds on several signatures
    rows = FairnessBounds.exact().rows(two, 3, sizes, sizes)
    assert pinned.pinned_limits(rows, two.signature_counts, sizes) is None


def test_no_quotas_for_these_sizes():
    cost = DenseCosts(np.zeros((4, 2)))
    signature = np.array([0, 0, 1, 1], dtype=np.int32)
    low, high = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[2.0, 1.0], [2.0, 1.0]])
    assert pinned.assign_pinned(cost, signature, low, high, np.array([1.0, 3.0])) is None


def test_many_groups_and_clusters_are_no_search():
    """Groups of 100 and 12 clusters: the integer program over quotas found nothing in minutes."""
    rng = np.random.default_rng(0)
    groups = Groups.from_features(np.arange(6_000) % 100)
    cost = rng.random((6_000, 12)) + rng.random((100, 12))[groups.signature]
    sizes = np.full(12, 500.0)
    result, by_flow = solved(cost, groups, sizes)
    assert by_flow
    assert (result.violation, result.status) == (0.0, "optimal")
    assert result.gap == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    "bounds", [FairnessBounds.exact(), FairnessBounds.exact(target={"0": 0.5, "1": 0.5})]
)
def test_many_points_pin_their_quotas_as_few_do(bounds):
    """Where a share of a size is whole only that count is allowed, one over n from the next."""
    n, k = 240_000, 10
    groups = Groups.from_features([str(i % 2) for i in range(n)])
    sizes = np.full(k, n / k)
    limits = pinned.pinned_limits(bounds.rows(groups, k, sizes, sizes), groups.signature_counts, sizes)
    assert limits is not None
    assert (limits[0] == n / k / 2).all()
    assert (limits[1] == n / k / 2).all()


def test_bounds_that_hold_but_for_a_hair_do_not_hold():
    groups = Groups.from_features(["a"] * 1_999 + ["b"] * 4_001)
    sizes = np.array([3_000.0, 3_000.0])
    hair = FairnessBounds.explicit(lower={"a": 0.333}, upper={"a": 0.3333333333})  # at most 999.9999999
    with pytest.raises(InfeasibleBoundsError):
        solved(np.random.default_rng(0).random((6_000, 2)), groups, sizes, hair)


def test_an_optimum_that_costs_nothing_has_no_gap():
    """The dual value may be off zero by rounding, which as a share of zero is anything."""
    groups, sizes = Groups.from_features(np.arange(12) % 3), np.full(3, 4.0)
    by_flow = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        fair, _ = solved(rng.random((12, 3)), groups, sizes)
        cost = rng.random((12, 3))
        cost[rng.random((12, 3)) < 0.3] = 0.0  # ties, so that the cheapest break the bounds
        cost[np.arange(12), fair.labels] = 0.0
        result, flow = solved(cost, groups, sizes)
        assert (result.cost, result.lower_bound, result.gap, result.status) == (0.0, 0.0, 0.0, "optimal")
        by_flow += flow
    assert by_flow > 50


def test_time_is_kept():
    rng = np.random.default_rng(0)
    groups = Groups.from_features(np.arange(3_000) % 37)
    cost = rng.random((3_000, 9)) + rng.random((37, 9))[groups.signature]
    sizes = np.bincount(np.arange(3_000) % 9).astype(float)
    limits = pinned.pinned_limits(
        FairnessBounds.exact().rows(groups, 9, sizes, sizes), groups.signature_counts, sizes
    )
    asked = []

    def out_of_time():
        asked.append(1)
        return len(asked) == 3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pinned, "_PATHS", 5)
        given = (DenseCosts(cost), groups.signature, *limits, sizes)
        assert pinned.assign_pinned(*given, None, out_of_time) is None
        assert len(asked) == 3
        # in parts it is what it is in one
        parts = pinned.assign_pinned(*given)
    assert parts.moved.values.sum() == pytest.approx(
        pinned.assign_pinned(*given).moved.values.sum(), rel=1e-12
    )
