from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.assignment.margins import MoveCosts, move_costs
from faircluster.assignment.quotas import Cut, QuotaProgram, run_program
from faircluster.assignment.transport import transport
from faircluster.bounds import FairnessBounds
from faircluster.distances import DenseCosts
from faircluster.groups import Groups
from tests.assignment.instances import BOUNDS, make_bounds, make_cost, make_groups, make_sizes, seeds


def compositions(total, k):
    """All ways to divide a whole number among k clusters."""
    if k == 1:
        return [(total,)]
    return [(first, *rest) for first in range(total + 1) for rest in compositions(total - first, k - 1)]


def all_quotas(groups, k):
    each = [compositions(int(count), k) for count in groups.signature_counts]
    return [np.array(rows, dtype=float) for rows in product(*each)]


def within(rows, quotas, allowance=0.0):
    return (rows.excess(quotas) - allowance).max(initial=0.0) <= 1e-9


def estimate(quotas, target, prices, moves):
    """Cost of quotas as ``nearest`` estimates it, from the definition."""
    change = quotas - target
    cost = -(prices * change).sum()
    for s, j in np.ndindex(change.shape):
        steps = moves.up if change[s, j] > 0 else moves.down
        left = abs(change[s, j])
        for q, width in enumerate([*moves.widths[:-1], np.inf]):
            cost += steps[q, s, j] * min(left, width)
            left -= min(left, width)
    return cost


def small_problem(seed, bound, size=None, n=7, k=3):
    rng = np.random.default_rng(seed)
    while True:
        groups = make_groups(rng, n, attributes=1)
        size_min, size_max = make_sizes(rng, size, n, k)
        try:
            rows = make_bounds(rng, bound, groups.names, k).rows(groups, k, size_min, size_max)
        except ValueError:
            continue
        return rng, groups, rows


@given(seed=seeds, bound=st.sampled_from(BOUNDS), size=st.sampled_from([None, "least", "most"]))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_nearest_is_the_least_estimate(seed, bound, size):
    rng, groups, rows = small_problem(seed, bound, size)
    S, k = groups.n_signatures, 3
    target = rng.dirichlet(np.ones(k), S) * groups.signature_counts[:, None]
    prices = rng.normal(size=(S, k))
    up, down = np.sort(rng.random((2, 2, S, k)), axis=1)
    moves = MoveCosts(np.array([1.0, 2.0]), up, down)
    program = QuotaProgram(groups.signature_counts, rows.coef, rows.rhs)
    allowed = [quotas for quotas in all_quotas(groups, k) if within(rows, quotas)]
    found = program.nearest(target, prices, moves)
    if not allowed:
        assert found.quotas is None
        assert found.status == "infeasible"
        return
    best = min(estimate(quotas, target, prices, moves) for quotas in allowed)
    assert within(rows, found.quotas)
    assert found.quotas.sum(axis=1).tolist() == groups.signature_counts.tolist()
    assert np.array_equal(found.quotas, np.rint(found.quotas))
    assert estimate(found.quotas, target, prices, moves) == pytest.approx(best, abs=1e-6)
    assert found.bound == pytest.approx(best, abs=1e-6)


@given(seed=seeds, bound=st.sampled_from(BOUNDS), n_cuts=st.integers(1, 4))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_cheapest_is_the_least_the_cuts_allow(seed, bound, n_cuts):
    rng, groups, rows = small_problem(seed, bound)
    S, k = groups.n_signatures, 3
    cuts = [Cut(10 * rng.random(S), rng.normal(size=(S, k))) for _ in range(n_cuts)]
    allowed = [quotas for quotas in all_quotas(groups, k) if within(rows, quotas)]
    program = QuotaProgram(groups.signature_counts, rows.coef, rows.rhs)
    found = program.cheapest(cuts, np.tile(groups.signature_counts[:, None] / k, k))
    if not allowed:
        assert found.status == "infeasible"
        return

    def known(quotas):
        return np.max([cut.values - (cut.prices * quotas).sum(axis=1) for cut in cuts], axis=0).sum()

    best = min(known(quotas) for quotas in allowed)
    assert known(found.quotas) == pytest.approx(best, abs=1e-6)
    assert best - 1e-6 <= found.bound <= best + 1e-7


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6])
def test_the_scale_of_the_costs_does_not_matter(scale):
    rng, groups, rows = small_problem(1, "slack")
    S = groups.n_signatures
    program = QuotaProgram(groups.signature_counts, rows.coef, rows.rhs)
    target, prices = np.tile(groups.signature_counts[:, None] / 3, 3), rng.normal(size=(S, 3))
    moves = MoveCosts(np.ones(1), rng.random((1, S, 3)), rng.random((1, S, 3)))
    scaled = MoveCosts(moves.widths, scale * moves.up, scale * moves.down)
    found, other = program.nearest(target, prices, moves), program.nearest(target, scale * prices, scaled)
    assert np.array_equal(found.quotas, other.quotas)
    assert other.bound == pytest.approx(scale * found.bound, rel=1e-6)
    cut = Cut(rng.random(S), prices)
    cheap = program.cheapest([cut], target)
    again = program.cheapest([Cut(scale * cut.values, scale * prices)], target)
    assert again.bound == pytest.approx(scale * cheap.bound, rel=1e-6)


def test_prices_and_first_steps_of_zero():
    # ties: the first unit moves for nothing, later ones do not
    program = QuotaProgram(np.array([4.0]), np.ones((2, 1, 1)), np.array([[1.0], [4.0]]))
    up = np.array([[[0.0, 0.0]], [[3.0, 3.0]]])
    found = program.nearest(np.array([[3.0, 1.0]]), np.zeros((1, 2)), MoveCosts(np.ones(2), up, up))
    assert found.quotas.tolist() == [[1.0, 3.0]]
    assert found.bound == pytest.approx(6.0)
    free = MoveCosts(np.ones(1), np.zeros((1, 1, 2)), np.zeros((1, 1, 2)))
    assert program.nearest(np.array([[3.0, 1.0]]), np.zeros((1, 2)), free).bound == 0.0
    assert program.cheapest([Cut(np.array([5.0]), np.zeros((1, 2)))], np.array([[3.0, 1.0]])).bound == 5.0


def test_reach_and_allowance():
    program = QuotaProgram(np.array([10.0]), np.ones((2, 1, 1)), np.array([[4.0], [10.0]]))
    moves = MoveCosts(np.ones(1), np.ones((1, 1, 2)), np.ones((1, 1, 2)))
    target = np.array([[8.5, 1.5]])
    assert program.nearest(target, np.zeros((1, 2)), moves).quotas.tolist() == [[4.0, 6.0]]
    assert program.nearest(target, np.zeros((1, 2)), moves, reach=2.0).status == "infeasible"
    loose = program.nearest(target, np.zeros((1, 2)), moves, allowance=2.0)
    assert loose.quotas.tolist() == [[6.0, 4.0]]
    assert program.nearest(target, np.zeros((1, 2)), moves, allowance=9.0, reach=0.0).quotas is not None


def test_budget_limits_the_estimate():
    program = QuotaProgram(np.array([10.0]), np.zeros((2, 1, 1)), np.zeros((2, 1)))
    moves = MoveCosts(np.ones(1), np.zeros((1, 1, 2)), np.zeros((1, 1, 2)))
    target, prices = np.array([[5.0, 5.0]]), np.array([[1.0, 0.0]])
    # a unit more in cluster 0 saves 1
    found = program.nearest(target, prices, moves, budget=-2.5).quotas
    assert found[0, 0] >= 7.5
    assert program.nearest(target, prices, moves, budget=-6.0).status == "infeasible"


def test_quotas_that_need_not_be_whole_sum_exactly():
    rng = np.random.default_rng(0)
    weights = rng.random(30)
    groups = Groups.from_features(rng.choice(list("ab"), 30), sample_weight=weights)
    rows = FairnessBounds.slack(0.1).rows(groups, 3, size_min=weights.sum() / 4)
    program = QuotaProgram(groups.signature_counts, rows.coef, rows.rhs, whole=False)
    prices = rng.normal(size=(2, 3))
    moves = MoveCosts(np.ones(1), rng.random((1, 2, 3)), rng.random((1, 2, 3)))
    found = program.nearest(groups.signature_counts[:, None] * [0.9, 0.1, 0.0], prices, moves)
    assert np.abs(found.quotas.sum(axis=1) - groups.signature_counts).max() < 1e-14 * weights.sum()
    assert rows.excess(found.quotas).max() < 1e-7
    assert not np.array_equal(found.quotas, np.rint(found.quotas))


def test_feasible_programs_that_presolve_calls_infeasible():
    # relaxed quotas a hair below whole numbers
    groups = Groups.from_features(
        np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1], [0, 1, 0], [0, 1, 0]], dtype=bool)
    )
    rows = FairnessBounds.interval(0.1).rows(groups, 3)
    program = QuotaProgram(groups.signature_counts, rows.coef, rows.rhs)
    for off in (0.0, 1e-12, 1e-10, 1e-9, 1e-8, 1e-7):
        for j in range(3):
            target = np.full((3, 3), off / 2) * groups.signature_counts[:, None]
            target[:, j] = groups.signature_counts * (1 - off)
            moves = move_costs(
                DenseCosts(np.random.default_rng(j).normal(size=(5, 3))),
                groups.signature,
                None,
                np.zeros((3, 3)),
            )
            for reach in (2.0, 16.0, None):
                found = program.nearest(target, np.zeros((3, 3)), moves, reach=reach, gap=1e-5)
                assert rows.violation(found.quotas) == 0


def run(cost, matrix, lower, upper, high, n_whole, **options):
    arrays = [np.array(part, dtype=float) for part in (cost, lower, upper, np.zeros(len(cost)), high)]
    return run_program(
        arrays[0], sp.csr_matrix(np.array(matrix, dtype=float)), *arrays[1:], n_whole,
        options.get("time_limit"), options.get("gap", 0.0), options.get("nodes"),
    )  # fmt: skip


def test_run_program():
    # a knapsack: 3x + 2y at most 4, the most of 5x + 3y
    values, bound, status = run([-5, -3], [[3, 2]], [-np.inf], [4], [1, 1], 2)
    assert values.round(9).tolist() == [1.0, 0.0]
    assert (bound, status) == (pytest.approx(-5.0), "optimal")
    values, bound, status = run([-5, -3], [[3, 2]], [-np.inf], [4], [1, 1], 0)
    assert values.round(9).tolist() == [1.0, 0.5]
    assert (bound, status) == (pytest.approx(-6.5), "optimal")
    assert run([1], [[2]], [1], [1], [9], 1) == (None, np.inf, "infeasible")


@pytest.mark.parametrize("limit", [{"nodes": 1}, {"time_limit": 0.0}, {"nodes": 1, "time_limit": 0.0}])
def test_a_stopped_program_claims_no_more_than_it_proved(limit):
    # market split: hard to meet, so the least excess takes a long search
    rng = np.random.default_rng(0)
    m, n = 4, 30
    weights = rng.integers(0, 100, (m, n)).astype(float)
    matrix = np.hstack([weights, np.eye(m), -np.eye(m)])
    half = np.floor(weights.sum(axis=1) / 2)
    cost = np.concatenate([np.zeros(n), np.ones(2 * m)])
    high = np.concatenate([np.ones(n), np.full(2 * m, np.inf)])
    values, bound, status = run(cost, matrix, half, half, high, n, **limit)
    assert status == "limit"
    assert bound <= 4.0  # below what any point found so far costs, since nothing is proved
    if values is not None:
        assert np.allclose(matrix @ values, half, atol=1e-6)


@given(seed=seeds, k=st.integers(2, 4), weighted=st.booleans())
@settings(derandomize=True, deadline=None, max_examples=50)
def test_margins_underestimate_no_single_move_by_more_than_half(seed, k, weighted):
    # from the optimum at some quotas, moving one unit from a to b costs at least the two halves
    rng = np.random.default_rng(seed)
    cost, signature = make_cost(rng, "points", 12, k), np.zeros(12, dtype=np.int32)
    weights = np.full(12, 3.0) if weighted else None
    quotas = rng.multinomial(12, np.full(k, 1 / k)).astype(float)[None] * (3.0 if weighted else 1.0)
    here = transport(DenseCosts(cost), signature, quotas, None, weights)
    moves = move_costs(DenseCosts(cost), signature, weights, here.prices)
    assert (np.diff(moves.up, axis=0) >= -1e-12).all()
    assert (np.diff(moves.down, axis=0) >= -1e-12).all()
    assert moves.widths[0] == (3.0 if weighted else 1.0)
    for a, b in product(range(k), range(k)):
        if a == b or quotas[0, a] == 0:
            continue
        moved = quotas.copy()
        moved[0, a] -= 1
        moved[0, b] += 1
        there = transport(DenseCosts(cost), signature, moved, here.prices, weights)
        change = there.values.sum() - here.values.sum() + here.prices[0, b] - here.prices[0, a]
        assert change >= -1e-9
        if quotas[0, a] == 12 * (3.0 if weighted else 1.0):
            # nobody else is there to take part: the estimate is the cost
            assert change >= moves.down[0, 0, a] - 1e-9


def test_margins_do_not_depend_on_scale_or_weightless_points():
    rng = np.random.default_rng(0)
    cost, signature, prices = rng.random((20, 3)), rng.integers(0, 2, 20).astype(np.int32), np.zeros((2, 3))
    one = move_costs(DenseCosts(cost), signature, None, prices)
    small = move_costs(DenseCosts(cost * 1e-9), signature, None, prices)
    assert np.allclose(small.up, one.up * 1e-9)
    assert np.allclose(small.down, one.down * 1e-9)
    light = move_costs(DenseCosts(cost), signature, np.full(20, 1e-3), prices)
    assert np.allclose(light.up, one.up)
    assert np.allclose(light.widths, 1e-3 * one.widths)
    # a point of weight zero is not there to be moved, even where it is the only one
    far = np.vstack([cost, [[-9.0, 0.0, 0.0]]])
    weights = np.append(np.ones(20), 0.0)
    same = move_costs(DenseCosts(far), np.append(signature, 0).astype(np.int32), weights, prices)
    assert np.allclose(same.up, one.up)
    assert np.allclose(same.down, one.down)


def test_margins_of_one_cluster_or_signature_without_neighbours():
    moves = move_costs(DenseCosts(np.zeros((3, 1))), np.zeros(3, dtype=np.int32), None, np.zeros((1, 1)))
    assert np.isfinite(moves.up).all()
    assert np.isfinite(moves.down).all()
