import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.assignment.hall import HallCuts
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
@settings(derandomize=True, deadline=None, max_examples=150)
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
@settings(derandomize=True, deadline=None, max_examples=120)
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
@settings(derandomize=True, deadline=None, max_examples=100)
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
    if strict == result.relaxed_radius:
        assert result.violation == 0.0
    else:
        assert result.violation > 0.0


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


def test_among_assignments_of_least_radius_distances_are_small():
    # both groups balanced: everyone can stay at the nearest center
    cost = np.array([[0.0, 5.0], [0.0, 5.0], [5.0, 0.0], [5.0, 0.0], [5.0, 4.0], [5.0, 6.0]])
    result = solve_radius(cost, list("ababab"), "exact")
    assert result.radius == 5.0
    assert result.labels[:4].tolist() == [0, 0, 1, 1]


def test_below_answers_without_the_whole_search():
    rng = np.random.default_rng(1)
    cost, groups = rng.random((60, 4)), Groups.from_features(rng.choice(list("abc"), 60))
    rows = FairnessBounds.slack(0.1).rows(groups, 4)
    radius = relaxed_radius(cost, groups, rows)
    assert relaxed_radius(cost, groups, rows, below=radius) == np.inf
    assert relaxed_radius(cost, groups, rows, below=np.nextafter(radius, np.inf)) == radius


@given(seed=seeds, n=st.integers(1, 15), k=st.integers(1, 5))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_cuts_are_valid_at_every_radius_and_find_what_is_missing(seed, n, k):
    rng = np.random.default_rng(seed)
    cost = rng.integers(0, 6, (n, k)).astype(float)
    cuts = HallCuts(cost, np.zeros(n, dtype=np.int32), None, 1)
    subsets = (np.arange(1 << k)[:, None] >> np.arange(k) & 1).astype(bool)

    def needed(inside, radius):
        return ((cost <= radius) <= inside).all(axis=1).sum()

    cuts.bracket(cost.min(axis=1).max(), 6.0)
    for radius in rng.permutation(np.arange(cost.min(axis=1).max(), 7.0)):
        cuts.visit(radius)
        quotas = rng.dirichlet(np.ones(k)) * n
        worst = max(needed(inside, radius) - quotas[inside].sum() for inside in subsets)
        assert cuts.separate(quotas[None], 1e-9) == pytest.approx(max(worst, 0.0), abs=1e-8)
        assert cuts.needed().tolist() == [needed(inside, radius) for inside in cuts.sets]


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
