from functools import partial
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from faircluster.assignment import AssignmentProblem, solve
from faircluster.assignment.prices import relax
from faircluster.assignment.unsplit import unsplit
from faircluster.bounds import FairnessBounds, InfeasibleBoundsError
from faircluster.distances import DistanceCosts
from faircluster.groups import Groups
from tests.assignment.instances import (
    BOUNDS,
    COSTS,
    SIZES,
    make_bounds,
    make_cost,
    make_groups,
    make_sizes,
    make_weights,
    seeds,
)  # fmt: skip
from tests.assignment.oracles import point_rows, points_lp, points_milp


def run(cost, groups=None, bounds=None, **options):
    return solve(AssignmentProblem(cost, groups, bounds, **options))


def check(result, cost, rows, weights=None):
    """Everything the result says about its labels, computed again from the labels."""
    n = len(cost)
    each = np.ones(n) if weights is None else weights
    cost = np.asarray(cost, dtype=float)
    scale = float(np.abs(cost).max()) * each.sum()
    assert result.labels.shape == (n,)
    assert result.labels.dtype == np.int32
    assert result.cost == pytest.approx((each * cost[np.arange(n), result.labels]).sum(), abs=1e-9 * scale)
    assert result.violation == pytest.approx(rows.violation(result.labels, weights), abs=1e-7 * each.sum())
    quotas = np.zeros_like(result.quotas)
    np.add.at(quotas, (result.groups.signature, result.labels), each)
    assert np.allclose(result.quotas, quotas)
    if result.lower_bound:
        gap = (result.cost - result.lower_bound) / abs(result.lower_bound)
        assert result.gap == pytest.approx(gap, rel=1e-9, abs=1e-12)
    else:
        assert result.gap == (0.0 if result.cost == 0 else np.inf)
    assert result.status in ("optimal", "feasible")
    return scale


def build(seed, n, bound, size, k, weights=None):
    """Groups, bounds, sizes and the same bounds as rows over points."""
    rng = np.random.default_rng(seed)
    groups = make_groups(rng, n, make_weights(rng, weights, n))
    size_min, size_max = make_sizes(rng, size, groups.total, k)
    try:
        bounds = make_bounds(rng, bound, groups.names, k)
        rows = point_rows(groups, bounds, k, size_min, size_max)
    except ValueError:
        assume(False)  # limits that collide
    return rng, groups, bounds, {"size_min": size_min, "size_max": size_max}, rows


@pytest.mark.parametrize("bound", BOUNDS)
@given(
    seed=seeds, n=st.integers(1, 12), k=st.integers(1, 4), kind=st.sampled_from(COSTS),
    size=st.sampled_from(SIZES), exact=st.sampled_from([0, 5_000]),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=20)
def test_strict_against_the_integer_program_over_points(bound, seed, n, k, kind, size, exact):
    rng, groups, bounds, sizes, rows = build(seed, n, bound, size, k)
    cost = make_cost(rng, kind, n, k)
    optimum = points_milp(cost, rows)
    try:  # large problems never see the simplex method: here some small ones do not either
        with mock.patch("faircluster.assignment.solve.relax", partial(relax, exact=exact)):
            result = run(cost, groups, bounds, **sizes)
    except InfeasibleBoundsError:
        assert optimum is None
        return
    assert optimum is not None
    scale = check(result, cost, rows)
    assert result.violation == 0.0
    assert result.cost >= optimum - 1e-7 * scale
    # the certificate: the optimum lies between the two, always
    assert result.lower_bound <= optimum + 1e-8 * scale
    if result.status == "optimal":
        assert result.cost <= optimum + 1e-3 * abs(optimum) + 1e-8 * scale


@given(seed=seeds, n=st.integers(2, 12), k=st.integers(2, 4), bound=st.sampled_from(BOUNDS))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_strict_finds_the_optimum_when_no_gap_is_accepted(seed, n, k, bound):
    rng, groups, bounds, _, rows = build(seed, n, bound, None, k)
    cost = make_cost(rng, "normal", n, k)
    optimum = points_milp(cost, rows)
    assume(optimum is not None)
    result = run(cost, groups, bounds, tolerance=1e-7)
    check(result, cost, rows)
    assert result.cost == pytest.approx(optimum, abs=1e-6)
    assert result.status == "optimal"


@given(seed=seeds, k=st.integers(2, 4), kind=st.sampled_from(COSTS), bound=st.sampled_from(BOUNDS))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_nearest_for_disjoint_groups(seed, k, kind, bound):
    n = 60
    rng = np.random.default_rng(seed)
    groups = Groups.from_features(rng.choice(list("abc"), n, p=[0.5, 0.3, 0.2]))
    bounds = make_bounds(rng, bound, groups.names, k)
    rows = point_rows(groups, bounds, k)
    cost = make_cost(rng, kind, n, k)
    relaxed = points_lp(cost, rows)
    assume(relaxed is not None)
    result = run(cost, groups, bounds, rounding="nearest")
    scale = check(result, cost, rows)
    assert result.violation <= 1.0
    assert result.lower_bound <= relaxed + 1e-7 * scale
    # the cost of the relaxed problem, but for the points that cannot be divided: at most one for
    # each signature and cluster changes place
    worst = np.ptp(cost.astype(float), axis=1).max() * 3 * k
    assert relaxed - worst - 1e-7 * scale <= result.cost <= relaxed + worst + 1e-7 * scale


def blobs(n, k, n_groups, seed=0, overlap=False):
    rng = np.random.default_rng(seed)
    shares = np.r_[0.6, np.full(n_groups - 1, 0.4 / (n_groups - 1))]
    group = rng.choice(n_groups, n, p=shares)
    X = rng.normal(size=(n, 3))
    X[:, 0] += group
    centers = X[rng.choice(n, k, replace=False)]
    features = np.array([f"g{v}" for v in group])
    if overlap:
        features = np.stack([features, rng.choice(["x", "y"], n)], axis=1)
    return X, centers, ((X[:, None] - centers) ** 2).sum(axis=2), Groups.from_features(features)


@pytest.mark.parametrize("overlap", [False, True])
def test_thousands_of_points(overlap):
    *_, cost, groups = blobs(3_000, 6, 3, overlap=overlap)
    rows = point_rows(groups, FairnessBounds.slack(0.1), 6, size_max=900)
    relaxed = points_lp(cost, rows)
    strict = run(cost, groups, 0.1, size_max=900)
    nearest = run(cost, groups, 0.1, size_max=900, rounding="nearest")
    for result in (strict, nearest):
        check(result, cost, rows)
        assert relaxed * (1 - 1e-4) <= result.lower_bound
    assert nearest.lower_bound <= relaxed * (1 + 1e-7)
    assert strict.violation == 0.0
    assert strict.gap < 0.02
    assert strict.cost >= relaxed * (1 - 1e-7)
    assert nearest.violation <= (2.0 if overlap else 1.0)
    assert nearest.cost == pytest.approx(relaxed, rel=1e-3)


@pytest.fixture(scope="module")
def labels_alone():
    """Labels that break the bounds; costs of 0 and 1 count the points that change theirs."""
    rng = np.random.default_rng(0)
    n, k = 5_000, 8
    group = rng.choice(list("abc"), n, p=[0.5, 0.3, 0.2])
    before = (rng.random(n) * 5 + 3 * (group == "a")).astype(int)
    cost = (before[:, None] != np.arange(k)).astype(float)
    groups, bounds = Groups.from_features(group), FairnessBounds.slack(0.2)
    rows = point_rows(groups, bounds, k)
    return before, cost, groups, bounds, rows, points_lp(cost, rows)


@pytest.mark.parametrize("rounding", ["strict", "nearest"])
def test_labels_alone_with_heavy_ties(rounding, labels_alone):
    before, cost, groups, bounds, rows, relaxed = labels_alone
    result = run(cost, groups, bounds, rounding=rounding)
    check(result, cost, rows)
    assert result.cost == (result.labels != before).sum()
    assert relaxed * (1 - 1e-4) - 1e-9 <= result.lower_bound
    if rounding == "strict":
        assert result.violation == 0.0
        assert result.cost <= relaxed * 1.02
    else:
        assert result.violation <= 1.0
        assert result.cost == pytest.approx(relaxed, rel=1e-2)


@given(
    seed=seeds, n=st.integers(2, 12), k=st.integers(2, 3), bound=st.sampled_from(BOUNDS),
    size=st.sampled_from([None, "least", "most"]),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=40)
def test_whole_weights_are_repeated_rows(seed, n, k, bound, size):
    rng, groups, bounds, sizes, rows = build(seed, n, bound, size, k, "whole")
    cost = make_cost(rng, "normal", n, k)
    copies = np.repeat(np.arange(n), groups.weights.astype(int))
    repeated = Groups(groups.signature[copies], groups.signature_membership, groups.names, groups.attributes)
    optimum = points_milp(cost[copies], point_rows(repeated, bounds, k, **sizes))
    try:
        with mock.patch("faircluster.assignment.solve.unsplit", wraps=unsplit) as spy:
            result = run(cost, groups, bounds, **sizes)
    except InfeasibleBoundsError:
        assert optimum is None
        return
    scale = check(result, cost, rows, groups.weights)
    # the plan before points are made whole, which is an assignment of the copies
    planned = spy.call_args.args[3] if spy.called else result
    plan = np.zeros((n, k))
    plan[np.arange(n), planned.labels] = groups.weights
    plan[np.unique(planned.split_rows)] = 0.0
    np.add.at(plan, (planned.split_rows, planned.split_clusters), planned.split_weights)
    assert np.array_equal(plan.sum(axis=1), groups.weights)
    assert np.array_equal(plan, np.rint(plan))
    labels = np.repeat(np.tile(np.arange(k), n), plan.ravel().astype(int))
    assert point_rows(repeated, bounds, k, **sizes).violation(labels) == 0.0
    value = (plan * cost).sum()
    assert optimum - 1e-7 * scale <= value <= optimum + 1e-3 * abs(optimum) + 1e-7 * scale
    assert result.lower_bound <= optimum + 1e-7 * scale
    # whole points: the least violation there is, none when some assignment has none
    best = points_milp(cost, rows, groups.weights)
    assert (result.violation == 0.0) == (best is not None)
    if result.status == "optimal":
        assert result.violation == 0.0
        assert result.cost <= best + 1e-3 * abs(best) + 1e-7 * scale


@given(
    seed=seeds, n=st.integers(2, 12), k=st.integers(2, 3), bound=st.sampled_from(BOUNDS),
    size=st.sampled_from([None, "least", "most"]), weighting=st.sampled_from(["real", "uneven"]),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=40)
def test_real_weights_state_their_violation(seed, n, k, bound, size, weighting):
    rng, groups, bounds, sizes, rows = build(seed, n, bound, size, k, weighting)
    cost = make_cost(rng, "points", n, k)
    relaxed = points_lp(cost, rows, groups.weights)
    try:
        result = run(cost, groups, bounds, **sizes)
    except InfeasibleBoundsError:
        assert relaxed is None
        return
    assert relaxed is not None
    scale = check(result, cost, rows, groups.weights)
    assert relaxed * (1 - 1e-4) - 1e-7 * scale <= result.lower_bound <= relaxed + 1e-7 * scale
    best = points_milp(cost, rows, groups.weights)
    assert (result.violation == 0.0) == (best is not None)
    if result.status == "optimal":
        assert result.violation == 0.0
        assert result.cost <= best * (1 + 1e-3) + 1e-7 * scale


@given(
    seed=seeds, n=st.integers(2, 20), k=st.integers(1, 4), bound=st.sampled_from(BOUNDS[:-2]),
    rounding=st.sampled_from(["strict", "nearest"]),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=15)
def test_order_and_names_do_not_matter(seed, n, k, bound, rounding):
    rng = np.random.default_rng(seed)
    features = np.array([rng.choice(["a", "b"], n), rng.choice(["c", "d", "e"], n)]).T
    cost = rng.random((n, k))  # no ties, hence one answer
    groups = Groups.from_features(features)
    try:
        bounds = make_bounds(rng, "slack" if bound in ("target", "explicit") else bound, groups.names, k)
        result = run(cost, groups, bounds, rounding=rounding, tolerance=1e-7)
    except ValueError:
        assume(False)
    rows, columns = rng.permutation(n), rng.permutation(k)
    renamed = np.select([features == v for v in "abcde"], list("zyxwv"), "")
    for other_cost, other_features, expected in (
        (cost[rows], features[rows], result.labels[rows]),
        (cost[:, columns], features, np.argsort(columns)[result.labels]),
        (cost, renamed, result.labels),
    ):
        other = run(
            other_cost, Groups.from_features(other_features), bounds, rounding=rounding, tolerance=1e-7
        )
        if rounding == "strict":
            assert other.cost == pytest.approx(result.cost, rel=1e-6)
            assert other.violation == result.violation == 0.0
            assert np.array_equal(other.labels, expected)
        else:  # which of several equal roundings is not fixed
            assert other.lower_bound == pytest.approx(result.lower_bound, rel=1e-4)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("rounding", ["strict", "nearest"])
def test_lazy_costs_equal_dense_ones(power, rounding):
    X, centers, cost, groups = blobs(2_000, 5, 2)
    cost = cost ** (power / 2)
    options = {"bounds": 0.1, "size_min": 300, "rounding": rounding}
    lazy = run(DistanceCosts(X, centers, power), groups, **options)
    dense = run(DistanceCosts(X, centers, power).block(0, len(X)), groups, **options)
    assert np.array_equal(lazy.labels, dense.labels)
    assert lazy.cost == dense.cost
    assert lazy.lower_bound == dense.lower_bound
    rows = point_rows(groups, FairnessBounds.slack(0.1), 5, size_min=300)
    check(lazy, cost, rows)
    single = run(DistanceCosts(X.astype(np.float32), centers, power), groups, **options)
    assert single.cost == pytest.approx(lazy.cost, rel=2e-3)
    assert single.lower_bound == pytest.approx(lazy.lower_bound, rel=1e-4)
    assert single.violation == pytest.approx(lazy.violation, abs=1.0)


def test_a_start_changes_nothing_but_the_time():
    X, centers, cost, groups = blobs(3_000, 5, 3)
    first = run(cost, groups, 0.1)
    moved = ((X[:, None] - centers - 0.01) ** 2).sum(axis=2)
    cold, warm = run(moved, groups, 0.1), run(moved, groups, 0.1, start=first)
    assert warm.lower_bound == pytest.approx(cold.lower_bound, rel=1e-4)
    assert warm.cost == pytest.approx(cold.cost, rel=2e-3)
    assert warm.violation == 0.0
    assert run(moved, groups, 0.1, start=first.relaxation).lower_bound == warm.lower_bound
    # a start of other shapes is of no use and no harm
    other = run(cost[:, :3], groups, 0.1, start=first)
    assert other.lower_bound == pytest.approx(run(cost[:, :3], groups, 0.1).lower_bound, rel=1e-4)
    sizes = np.array([600.0] * 5)
    fixed = run(cost, size_min=sizes, size_max=sizes)
    again = run(cost, size_min=sizes, size_max=sizes, start=fixed)
    assert np.array_equal(fixed.labels, again.labels)
    assert run(cost, size_min=sizes, size_max=sizes, start=first).cost == pytest.approx(fixed.cost)


def test_the_same_call_gives_the_same_answer():
    *_, cost, groups = blobs(2_000, 6, 3, overlap=True)
    one, other = run(cost, groups, 0.1), run(cost, groups, 0.1)
    assert np.array_equal(one.labels, other.labels)
    assert one.lower_bound == other.lower_bound


@pytest.mark.parametrize("limit", [0.0, 1e-3, 0.5])
def test_time_limit_never_breaks_a_bound(limit):
    *_, cost, groups = blobs(400, 8, 4, overlap=True)
    with pytest.warns(RuntimeWarning, match=f"time_limit={limit} s reached; the violation is 0 ") as caught:
        result = run(cost, groups, 0.05, time_limit=limit, tolerance=1e-9)
    assert caught[0].filename == __file__  # points at the caller
    assert result.status == "time_limit"
    rows = point_rows(groups, FairnessBounds.slack(0.05), 8)
    assert rows.violation(result.labels) == result.violation == 0.0
    assert result.lower_bound <= result.cost
    assert result.gap > 0
    assert result.seconds["total"] < limit + 5.0


def test_time_limit_that_is_not_reached():
    *_, cost, groups = blobs(2_000, 4, 2)
    result = run(cost, groups, 0.2, time_limit=60.0, tolerance=0.05)
    assert result.status == "optimal"
    assert result.seconds["total"] < 30.0


# ---- degenerate problems


@pytest.mark.parametrize("rounding", ["strict", "nearest"])
@pytest.mark.parametrize("bounds", [None, 0.2, "exact", FairnessBounds.balance(0.5)])
@pytest.mark.parametrize(
    ("features", "cost"),
    [
        (None, np.random.default_rng(0).random((6, 3))),  # one group of all
        (["a"] * 6, np.random.default_rng(0).random((6, 3))),
        (list("abbaab"), np.zeros((6, 3))),
        (list("abbaab"), np.full((6, 3), -4.0)),
        (list("abbaab"), np.repeat([[1.0, 2.0, 3.0]], 6, axis=0)),  # duplicate points
        (list("abbaab"), np.arange(6.0)[:, None]),  # k = 1
        (list("abbaab"), np.random.default_rng(0).random((6, 6))),  # n = k
        (list("ab"), np.random.default_rng(0).random((2, 5))),  # n < k
        (["a"], np.array([[3, 1]])),  # integers, one point
    ],
)
def test_degenerate_problems(features, cost, bounds, rounding):
    groups = Groups.from_features(features, n_rows=len(cost))
    rows = point_rows(groups, FairnessBounds.from_any(bounds), cost.shape[1])
    result = run(cost, features, bounds, rounding=rounding)
    check(result, cost, rows)
    if rounding == "strict":
        assert result.violation == 0.0
        optimum = points_milp(cost, rows)
        assert result.cost == pytest.approx(optimum, rel=1e-3)
        assert result.lower_bound <= optimum + 1e-9
    else:
        assert result.violation <= 1.0


def test_without_bounds_every_point_is_at_its_cheapest_center():
    cost = np.random.default_rng(0).random((50, 4))
    result = run(cost)
    assert np.array_equal(result.labels, cost.argmin(axis=1))
    assert (result.gap, result.status, result.relaxation) == (0.0, "optimal", None)


def test_bounds_that_cost_nothing_have_gap_zero():
    # all costs 0, but the cheapest labels by chance all lie in cluster 0, which is too full
    result = run(np.zeros((10, 2)), size_max=5)
    assert (result.cost, result.lower_bound, result.gap, result.status) == (0.0, 0.0, 0.0, "optimal")
    # ties: a cost of 0 within the bounds, below which no relaxation may be stated
    cost = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    result = run(cost, list("abab"), 0.1)
    assert (result.cost, result.gap, result.status) == (0.0, 0.0, "optimal")
    nearest = run(np.zeros((10, 2)), size_max=5, rounding="nearest")
    assert (nearest.cost, nearest.violation) == (0.0, 0.0)


@pytest.mark.parametrize("scale", [1e-10, 1e10])
@pytest.mark.parametrize("rounding", ["strict", "nearest"])
def test_the_scale_of_the_costs_does_not_matter(scale, rounding):
    *_, cost, groups = blobs(1_500, 4, 2)
    one, other = (run(c, groups, 0.1, rounding=rounding) for c in (cost, scale * cost))
    assert other.cost == pytest.approx(scale * one.cost, rel=2e-3)
    assert other.lower_bound == pytest.approx(scale * one.lower_bound, rel=2e-3)
    assert other.violation <= 1.0


def test_sizes_that_are_given_leave_nothing_to_choose():
    rng = np.random.default_rng(0)
    cost, sizes = rng.random((30, 3)), np.array([5.0, 5.0, 20.0])
    rows = point_rows(Groups.from_features(None, n_rows=30), FairnessBounds.from_any(None), 3, sizes, sizes)
    for options in ({}, {"rounding": "nearest"}):
        result = run(cost, size_min=sizes, size_max=sizes, **options)
        check(result, cost, rows)
        assert result.cost == pytest.approx(points_milp(cost, rows))
        assert np.bincount(result.labels).tolist() == sizes.tolist()
        assert result.gap == pytest.approx(0.0, abs=1e-12)


def test_sizes_that_are_not_whole():
    cost = np.random.default_rng(0).random((3, 2))
    with pytest.raises(InfeasibleBoundsError, match="shares of points but not by whole points"):
        run(cost, size_min=1.5, size_max=1.5)
    result = run(cost, size_min=1.5, size_max=1.5, rounding="nearest")
    assert sorted(np.bincount(result.labels)) == [1, 2]
    assert result.violation == 0.5
    # with weights that can be divided they can be met, but not by whole points
    groups = Groups.from_features(None, sample_weight=[1.0, 1.0, 0.5])
    result = run(cost, groups, size_min=1.25, size_max=1.25)
    assert result.violation == 0.25
    assert result.status == "feasible"


# ---- bad input

GOOD = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])


def with_value(row, value, dtype=float):
    cost = GOOD.astype(dtype)
    cost[row, 1] = value
    return cost


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cost": with_value(1, np.nan)}, "cost has NaN or infinity in 1 rows, the first is row 1"),
        ({"cost": with_value(2, np.inf, np.float32)}, "the first is row 2; use a large finite cost"),
        ({"cost": np.array([[1.0, np.inf], [-np.inf, 1.0]])}, "in 2 rows, the first is row 0"),
        ({"cost": np.zeros(3)}, r"cost must have .* got shape \(3,\)"),
        ({"cost": np.zeros((0, 2))}, r"cost must have .* got shape \(0, 2\)"),
        ({"cost": np.zeros((3, 0))}, r"cost must have .* got shape \(3, 0\)"),
        ({"cost": [["a", "b"]]}, "cost must hold real numbers, got dtype <U1"),
        ({"cost": np.array([[1j, 2.0]])}, "cost must hold real numbers, got dtype complex128"),
        ({"cost": np.array([["a", 2.0]], dtype=object)}, "cost must hold real numbers"),
        ({"cost": np.full((3, 2), 1e308), "groups": None}, "cost overflows when summed"),
        ({"rounding": "up"}, "rounding must be 'strict' or 'nearest', got 'up'"),
        ({"groups": ["a", "b"]}, "2 rows but 3 are expected"),
        ({"groups": Groups.from_features(["a", "b"])}, "cost has 3 rows but groups has 2"),
        ({"size_min": [1.0, 1.0, 1.0]}, "size_min has shape"),
        ({"size_min": 2, "size_max": 1}, "size_min 2 exceeds size_max 1"),
        ({"bounds": 1.5}, "s must satisfy"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        run(**{"cost": GOOD, "groups": ["a", "b", "b"], **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size_min": 2}, "size_min asks for 4 points over 2 clusters but the data has 3"),
        ({"bounds": FairnessBounds.explicit(lower={"a": 0.5})}, "group 'a' makes up 0.333"),
        ({"bounds": 0.1, "size_min": 1}, "shares of points but not by whole points: 3 points, 2 clusters"),
    ],
)
def test_infeasible_in_words(options, message):
    with pytest.raises(InfeasibleBoundsError, match=message):
        run(GOOD, ["a", "b", "b"], **options)
