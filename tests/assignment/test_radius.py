import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.assignment.radius import solve_radius
from faircluster.assignment.relaxed_radius import relaxed_radius
from faircluster.bounds import FairnessBounds, InfeasibleBoundsError
from faircluster.distances import DistanceCosts
from faircluster.groups import Groups
from tests.assignment.instances import (
    BOUNDS,
    SIZES,
    make_bounds,
    make_cost,
    make_groups,
    make_sizes,
    make_weights,
    seeds,
)
from tests.assignment.oracles import point_rows, points_lp, points_milp

KINDS = ("normal", "ties", "constant", "labels", "points", "columns", "float32", "tiny", "huge")


def smallest_radius(cost, rows, weights, program):
    """Smallest entry within which the program over points finds an assignment; None without one."""
    held = slice(None) if weights is None else weights > 0
    values = np.unique(cost[held].astype(float))

    def beyond(radius):
        return program((cost.astype(float) > radius).astype(float), rows, weights)

    if beyond(values[-1]) is None:
        return None
    low, high = -1, len(values) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if beyond(values[middle]) < 1e-7:
            high = middle
        else:
            low = middle
    return values[high]


def random_instance(seed, n, k, kind, bounding, sizing, weighting=None):
    rng = np.random.default_rng(seed)
    cost, weights = make_cost(rng, kind, n, k), make_weights(rng, weighting, n)
    groups = make_groups(rng, n, weights)
    bounds = make_bounds(rng, bounding, groups.names, k)
    return cost, groups, bounds, *make_sizes(rng, sizing, groups.total, k)


@given(
    seed=seeds, n=st.integers(1, 12), k=st.integers(1, 4), kind=st.sampled_from(KINDS),
    bounding=st.sampled_from(BOUNDS), sizing=st.sampled_from(SIZES),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=70)
def test_radii_equal_those_of_programs_over_points(seed, n, k, kind, bounding, sizing):
    cost, groups, bounds, least, most = random_instance(seed, n, k, kind, bounding, sizing)
    try:
        rows = point_rows(groups, bounds, k, least, most)
        relaxed = smallest_radius(cost, rows, None, points_lp)
    except (InfeasibleBoundsError, ValueError):
        relaxed = None
    strict = None if relaxed is None else smallest_radius(cost, rows, None, points_milp)
    if strict is None:
        with pytest.raises((InfeasibleBoundsError, ValueError)):
            solve_radius(cost, groups, bounds, size_min=least, size_max=most)
        return
    result = solve_radius(cost, groups, bounds, size_min=least, size_max=most)
    assert result.relaxed_radius == relaxed
    assert result.radius == strict
    assert result.status == "optimal"
    assert result.gap == 0.0
    assert result.violation == 0.0
    assert rows.violation(result.labels) == 0.0
    assert result.radius == cost[np.arange(n), result.labels].max()
    assert result.lower_bound == cost.min(axis=1).max()


@given(
    seed=seeds, n=st.integers(2, 12), k=st.integers(1, 4), bounding=st.sampled_from(BOUNDS),
    weighting=st.sampled_from(["whole", "real", "uneven"]),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=80)
def test_weights_count_as_copies_and_weightless_points_not_at_all(seed, n, k, bounding, weighting):
    cost, groups, bounds, _, _ = random_instance(seed, n, k, "points", bounding, None, weighting)
    try:
        rows = point_rows(groups, bounds, k)
        relaxed = smallest_radius(cost, rows, groups.weights, points_lp)
        result = solve_radius(cost, groups, bounds)
    except (InfeasibleBoundsError, ValueError):
        return
    assert result.relaxed_radius == relaxed
    held = groups.weights > 0
    assert result.radius == cost[np.arange(n), result.labels][held].max()
    assert result.violation == pytest.approx(rows.violation(result.labels, groups.weights), abs=1e-6)
    if result.status == "optimal":
        assert result.violation == 0.0


@given(seed=seeds, n=st.integers(2, 12), k=st.integers(1, 4), bounding=st.sampled_from(BOUNDS))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_nearest_keeps_the_relaxed_radius(seed, n, k, bounding):
    cost, groups, bounds, _, _ = random_instance(seed, n, k, "points", bounding, None)
    try:
        rows = point_rows(groups, bounds, k)
        result = solve_radius(cost, groups, bounds, rounding="nearest")
    except (InfeasibleBoundsError, ValueError):
        return
    assert result.radius <= result.relaxed_radius
    assert result.violation == pytest.approx(rows.violation(result.labels), abs=1e-6)
    strict = smallest_radius(cost, rows, None, points_milp)
    assert (result.violation == 0.0) == (strict == result.relaxed_radius)


@given(seed=seeds, n=st.integers(6, 60), k=st.integers(2, 6), slack=st.sampled_from([0.0, 0.1, 0.3]))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_nearest_breaks_bounds_on_disjoint_groups_by_a_point_at_most(seed, n, k, slack):
    rng = np.random.default_rng(seed)
    groups = rng.choice(list("abcd"), n)
    result = solve_radius(rng.random((n, k)), groups, slack, rounding="nearest")
    assert result.violation <= 1.0 + 1e-9
    assert result.radius <= result.relaxed_radius


def test_many_centers_need_more_than_one_word():
    rng = np.random.default_rng(0)
    X, centers = rng.normal(size=(300, 2)), rng.normal(size=(70, 2))
    cost, groups = DistanceCosts(X, centers, power=1).block(0, 300), Groups.from_features(list("aab") * 100)
    result = solve_radius(cost, groups, 0.2)
    assert (
        result.violation == point_rows(groups, FairnessBounds.slack(0.2), 70).violation(result.labels) == 0.0
    )
    assert result.radius == result.relaxed_radius
    few = solve_radius(cost[:, :8], groups, 0.2)
    assert few.radius == few.relaxed_radius >= result.radius


def test_among_assignments_of_least_radius_total_distances_are_small():
    ratios = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        X, centers = rng.normal(size=(40, 2)), rng.normal(size=(3, 2))
        cost = DistanceCosts(X, centers, power=1).block(0, 40)
        groups = Groups.from_features(rng.choice(list("ab"), 40, p=[0.4, 0.6]))
        bounds = FairnessBounds.slack(0.2)
        result = solve_radius(cost, groups, bounds)
        # an entry beyond the radius costs more than everyone else together
        within = np.where(cost > result.radius, 1e3, cost)
        least = points_milp(within, point_rows(groups, bounds, 3))
        ratios.append(cost[np.arange(40), result.labels].sum() / least)
    assert min(ratios) >= 1.0 - 1e-6
    assert np.mean(ratios) <= 1.02
    assert max(ratios) <= 1.1


def test_randomized_rounding_is_fair_in_expectation_and_repeats_itself():
    rng = np.random.default_rng(3)
    X, centers = rng.normal(size=(400, 2)), rng.normal(size=(5, 2))
    cost = DistanceCosts(X, centers, power=1).block(0, 400)
    groups = Groups.from_features(np.where(X[:, 0] + rng.normal(size=400) > 0, "a", "b"))
    bounds = FairnessBounds.slack(0.1)
    draws = [
        solve_radius(cost, groups, bounds, rounding="randomized", random_state=seed) for seed in range(80)
    ]
    assert all(draw.radius <= draw.relaxed_radius for draw in draws)
    assert max(draw.violation for draw in draws) > 1.0
    quotas = np.array([draw.quotas for draw in draws])
    assert quotas.std(axis=0).max() > 0.5
    rows = bounds.rows(groups, 5)
    # the mean of 80 draws is off by less than 5 standard errors
    error = 5.0 * np.sqrt(quotas.var(axis=0).sum(axis=0).max() / 80)
    assert rows.excess(quotas.mean(axis=0)).max() <= error
    again = solve_radius(cost, groups, bounds, rounding="randomized", random_state=7)
    assert np.array_equal(again.labels, draws[7].labels)
    assert not np.array_equal(draws[0].labels, draws[1].labels)


def test_below_answers_without_the_whole_search():
    rng = np.random.default_rng(1)
    cost, groups = rng.random((60, 4)), Groups.from_features(rng.choice(list("abc"), 60))
    rows = FairnessBounds.slack(0.1).rows(groups, 4)
    radius = relaxed_radius(cost, groups, rows)
    assert relaxed_radius(cost, groups, rows, below=radius) == np.inf
    assert relaxed_radius(cost, groups, rows, below=np.nextafter(radius, np.inf)) == radius


def test_time_limit_returns_an_assignment_within_bounds():
    rng = np.random.default_rng(2)
    cost, groups = rng.random((400, 6)), rng.integers(0, 40, 400)
    bounds = FairnessBounds.slack(0.3)
    with pytest.warns(RuntimeWarning, match="time_limit"):
        result = solve_radius(cost, groups.astype(str), bounds, time_limit=1e-6)
    assert result.status == "time_limit"
    assert result.violation == 0.0
    assert result.gap == pytest.approx(result.radius / result.relaxed_radius - 1.0)


@pytest.mark.parametrize(
    ("cost", "groups", "options", "message"),
    [
        (np.array([[0.0, np.nan]]), None, {}, "first is row 0"),
        (np.zeros((3, 2)), ["a", "b"], {}, "3 rows"),
        (np.zeros((2, 2)), ["a", "b"], {"rounding": "up"}, "rounding"),
    ],
)
def test_bad_input_is_named(cost, groups, options, message):
    given_groups = None if groups is None else Groups.from_features(groups)
    with pytest.raises(ValueError, match=message):
        solve_radius(cost, given_groups, 0.2, **options)


def test_whole_points_that_cannot_meet_bounds():
    with pytest.raises(InfeasibleBoundsError, match="whole points"):
        solve_radius(
            np.random.default_rng(0).random((3, 2)), list("aab"), FairnessBounds.slack(0.0), size_max=2
        )
