import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from faircluster.assignment.prices import lower_bound, relax
from faircluster.assignment.smoothed_dual import SmoothedDual
from faircluster.bounds import FairnessBounds
from faircluster.distances import DenseCosts
from faircluster.groups import Groups
from tests.assignment.instances import (
    BOUNDS,
    COSTS,
    SIZES,
    WEIGHTS,
    make_bounds,
    make_cost,
    make_groups,
    make_sizes,
    make_weights,
    seeds,
)  # fmt: skip
from tests.assignment.oracles import point_rows, points_lp


def relaxed(cost, groups, rows, **options):
    return relax(DenseCosts(cost), groups.signature, groups.weights, rows.coef, rows.rhs, **options)


@given(
    seed=seeds, n=st.sampled_from([1, 5, 20, 60]), k=st.integers(1, 5), kind=st.sampled_from(COSTS),
    bound=st.sampled_from(BOUNDS), size=st.sampled_from(SIZES), weighting=st.sampled_from(WEIGHTS),
    exact=st.sampled_from([0, 5_000]),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=200)
def test_lower_bound_is_the_optimum_over_points(seed, n, k, kind, bound, size, weighting, exact):
    rng = np.random.default_rng(seed)
    groups = make_groups(rng, n, make_weights(rng, weighting, n))
    cost = make_cost(rng, kind, n, k)
    size_min, size_max = make_sizes(rng, size, groups.total, k)
    try:
        bounds = make_bounds(rng, bound, groups.names, k)
        rows = bounds.rows(groups, k, size_min, size_max)
    except ValueError:
        assume(False)
    optimum = points_lp(cost, point_rows(groups, bounds, k, size_min, size_max), groups.weights)
    assume(optimum is not None)
    solution = relaxed(cost, groups, rows, exact=exact)
    # what the cost can change by; the solver of the reference is exact to 1e-7 of it
    scale = float(np.ptp(cost)) * groups.total
    assert (solution.multipliers >= 0).all()
    assert solution.lower_bound <= optimum + 1e-7 * scale + 1e-9 * abs(optimum)
    assert solution.lower_bound >= optimum - 1e-4 * abs(optimum) - 1e-6 * scale
    assert solution.quotas.sum(axis=1) == pytest.approx(groups.signature_counts, rel=1e-9)
    # a start from there, after a change of the costs, is as good
    moved = cost * (1 + 0.01 * rng.random(cost.shape).astype(cost.dtype))
    cold, warm = (relaxed(moved, groups, rows, exact=exact, start=start) for start in (None, solution))
    close = 1e-4 * abs(cold.lower_bound) + 1e-6 * scale
    assert warm.lower_bound == pytest.approx(cold.lower_bound, abs=close)


def problem(n=400, k=5, seed=0):
    rng = np.random.default_rng(seed)
    groups = Groups.from_features(rng.choice(list("abc"), n, p=[0.6, 0.3, 0.1]))
    points, centers = rng.normal(size=(n, 2)), rng.normal(size=(k, 2))
    points[:, 0] += groups.signature
    return ((points[:, None] - centers) ** 2).sum(axis=2), groups


@given(seed=seeds)
@settings(derandomize=True, deadline=None, max_examples=30)
def test_any_multipliers_give_a_lower_bound(seed):
    cost, groups = problem(40, 3)
    bounds = FairnessBounds.slack(0.2)
    rows = bounds.rows(groups, 3, size_min=5)
    optimum = points_lp(cost, point_rows(groups, bounds, 3, 5))
    multipliers = np.random.default_rng(seed).exponential(size=rows.rhs.shape)
    arguments = DenseCosts(cost), groups.signature, None, rows.coef, rows.rhs
    assert lower_bound(*arguments, multipliers) <= optimum + 1e-9
    # and it is the least cost + price of each point, less what the bounds allow
    prices = np.einsum("jrs,jr->sj", rows.coef, multipliers)
    value = (cost + prices[groups.signature]).min(axis=1).sum() - (multipliers * rows.rhs).sum()
    assert lower_bound(*arguments, multipliers) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("exact", [0, 5_000])
def test_relaxed_quotas_keep_the_bounds_and_prices_come_from_multipliers(exact):
    cost, groups = problem()
    rows = FairnessBounds.slack(0.1).rows(groups, 5, size_min=60)
    solution = relaxed(cost, groups, rows, exact=exact)
    assert rows.excess(solution.quotas).max() < 1e-3 * groups.total
    assert np.allclose(solution.prices, np.einsum("jrs,jr->sj", rows.coef, solution.multipliers))
    # a multiplier that is not zero belongs to a bound that is met exactly, or nearly
    slack = -rows.excess(solution.quotas)
    assert slack[solution.multipliers > 1e-3 * solution.multipliers.max()].max() < 1e-3 * groups.total
    assert solution.values.sum() - (solution.multipliers * rows.rhs).sum() == pytest.approx(
        solution.lower_bound
    )
    assert solution.cost == pytest.approx(solution.lower_bound, rel=2e-5)


def test_without_rows_every_point_is_at_its_cheapest_cluster():
    cost, groups = problem()
    solution = relaxed(cost, groups, FairnessBounds.from_any(None).rows(groups, 5))
    assert solution.lower_bound == pytest.approx(cost.min(axis=1).sum())
    assert not solution.prices.any()


@pytest.mark.parametrize("far", [10.0, 1e2, 1e4])
@pytest.mark.parametrize("least", [[1] + [0] * 8, [5] + [0] * 8, [1] * 9])
@pytest.mark.parametrize("exact", [0, 5_000])
def test_a_cluster_no_point_is_near_still_gets_its_least_size(far, least, exact):
    rng = np.random.default_rng(0)
    points, centers = rng.normal(size=(60, 2)), rng.normal(size=(9, 2))
    centers[0] = far
    cost = ((points[:, None] - centers) ** 2).sum(axis=2)
    groups, bounds = Groups.from_features(None, n_rows=60), FairnessBounds.from_any(None)
    solution = relaxed(cost, groups, bounds.rows(groups, 9, np.array(least)), exact=exact)
    optimum = points_lp(cost, point_rows(groups, bounds, 9, np.array(least)))
    assert solution.lower_bound == pytest.approx(optimum, rel=1e-5)
    assert solution.lower_bound <= optimum * (1 + 1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_large_problems_start_from_a_sample(weighted):
    n, k = 100_000, 4
    cost, groups = problem(n, k)
    if weighted:
        names = np.array(groups.names)[groups.signature]
        groups = Groups.from_features(names, sample_weight=np.random.default_rng(1).random(n))
    rows = FairnessBounds.slack(0.1).rows(groups, k)
    solution = relaxed(cost, groups, rows)
    weights = np.ones(n) if groups.weights is None else groups.weights
    # valid on all the points, not on the sample: the dual written out
    prices = np.einsum("jrs,jr->sj", rows.coef, solution.multipliers)
    dual = ((cost + prices[groups.signature]).min(axis=1) * weights).sum()
    assert solution.lower_bound == pytest.approx(dual - (solution.multipliers * rows.rhs).sum(), rel=1e-12)
    # the same without a sample, and a feasible plan that costs no more
    whole = relaxed(cost, groups, rows, sample=n)
    assert solution.lower_bound == pytest.approx(whole.lower_bound, rel=3e-5)
    assert rows.excess(solution.quotas).max() < 2e-4 * groups.total
    assert solution.cost - solution.lower_bound < 3e-5 * solution.cost


def test_bounds_that_cannot_be_met_give_a_finite_result():
    cost, groups = problem(60, 3)
    rows = FairnessBounds.explicit(lower={"c": 0.9}).rows(groups, 3)
    solution = relaxed(cost, groups, rows)
    assert np.isfinite(solution.multipliers).all()
    # the dual has no maximum: its value is above any assignment's cost
    assert solution.lower_bound > cost.max(axis=1).sum()


def test_gradient_and_curvature_of_the_smoothed_dual():
    cost, groups = problem(50, 3)
    rows = FairnessBounds.slack(0.2).rows(groups, 3, size_min=10)
    dual = SmoothedDual(DenseCosts(cost), groups.signature, None, rows.coef, rows.rhs)
    rng = np.random.default_rng(0)
    at, step = rng.random(rows.rhs.shape), 1e-5 * rng.normal(size=rows.rhs.shape)
    before, here, after = (dual.at(at + sign * step, 0.3) for sign in (-1, 0, 1))
    assert after.value - before.value == pytest.approx(2 * np.vdot(here.gradient, step), rel=1e-5)
    prices = np.einsum("jrs,jr->sj", rows.coef, step)
    change = -np.einsum("sj,sjl,sl->", prices, here.hessian, prices) / 0.3
    assert np.vdot(after.gradient - before.gradient, step) == pytest.approx(2 * change, rel=1e-4)
    assert here.value <= here.hard <= here.value + 0.3 * np.log(3) * 50
