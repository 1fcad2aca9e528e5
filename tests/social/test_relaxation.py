import numpy as np
import pytest

from faircluster.social import SocialInstance
from faircluster.social import relaxation as module
from faircluster.social.interior import Pairs, solve_pairs
from faircluster.social.pricing import dual_bound, earnings, fractional_costs
from faircluster.social.relaxation import relax
from tests.social.small import brute_force, dense_lp, draw


def relaxed(small, **options):
    return relax(small.instance, np.arange(small.k), **options)


@pytest.mark.parametrize("seed", range(60))
def test_value_is_that_of_the_dense_program_and_the_bound_proves_it(seed):
    small = draw(seed, metric=seed % 3 == 0)
    found, value = relaxed(small), dense_lp(small)
    assert found.status == "optimal"
    assert found.lower_bound <= brute_force(small)[0] * (1 + 1e-9) + 1e-12
    assert found.lower_bound <= value * (1 + 1e-7) + 1e-9
    assert found.value == pytest.approx(value, rel=2e-6, abs=1e-9)
    assert found.lower_bound == pytest.approx(value, rel=2e-6, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_y_is_feasible_and_costs_what_it_says(seed):
    small = draw(seed)
    found = relaxed(small)
    assert (found.y >= 0).all()
    assert (found.y <= 1 + 1e-12).all()
    assert 1 - 1e-9 <= found.y.sum() <= small.k * (1 + 1e-9)
    paid = small.instance.weights @ fractional_costs(small.cost.T, found.y)
    assert paid.max() == pytest.approx(found.value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_holds_for_any_multipliers_and_prices(seed):
    small, rng = draw(seed), np.random.default_rng(seed)
    cost, _ = brute_force(small)
    for _ in range(20):
        multipliers = rng.random(small.instance.n_groups) + 1e-3
        prices = rng.normal(scale=rng.choice([0.1, 1.0, 5.0]), size=small.instance.n_clients)
        assert dual_bound(small.instance, multipliers, prices) <= cost * (1 + 1e-12) + 1e-12


def test_column_generation_finds_facilities_it_did_not_begin_with(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    instance = SocialInstance.from_points(X, rng.integers(0, 3, 60).astype(str), 4, 1)
    whole = relax(instance, np.arange(4))
    monkeypatch.setattr(module._ColumnGeneration, "_first_facilities", lambda self: self.start)
    few = relax(instance, np.arange(4))
    assert few.rounds > 1
    assert few.value == pytest.approx(whole.value, rel=2e-6)
    assert few.lower_bound == pytest.approx(whole.value, rel=2e-6)


def test_reaches_grow_where_they_are_too_short(monkeypatch):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 2))
    instance = SocialInstance.from_points(X, rng.integers(0, 2, 50).astype(str), 3, 2)
    whole = relax(instance, np.arange(3))
    usual = module._ColumnGeneration._first_reach
    monkeypatch.setattr(module._ColumnGeneration, "_first_reach", lambda self: 0.02 * usual(self))
    short = relax(instance, np.arange(3))
    assert short.status == "optimal"
    assert short.lower_bound == pytest.approx(whole.value, rel=2e-6)


def test_a_time_limit_leaves_a_valid_bound():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(80, 2))
    instance = SocialInstance.from_points(X, rng.integers(0, 2, 80).astype(str), 5, 1)
    cut, whole = relax(instance, np.arange(5), time_limit=0.0), relax(instance, np.arange(5))
    assert cut.status == "time_limit"
    assert 0 < cut.lower_bound <= whole.value
    assert cut.value >= whole.lower_bound


def test_nothing_to_pay_and_nothing_to_choose():
    X = np.array([[0.0], [0.0], [5.0]])
    free = relax(SocialInstance.from_points(X, list("aab"), 2), np.array([0, 2]))
    assert (free.value, free.lower_bound, free.gap) == (0.0, 0.0, 0.0)
    F = np.array([[1.0], [4.0]])
    everything = relax(SocialInstance.from_points(X, list("aab"), 2, 1, facilities=F), np.array([0, 1]))
    assert everything.value == everything.lower_bound == 1.0


@pytest.mark.parametrize("seed", range(15))
def test_the_interior_point_method_alone(seed):
    """All pairs within reach: the restricted program is the whole one."""
    small = draw(seed)
    held = small.instance.weights.any(axis=0)
    reach = np.full(int(held.sum()), 10.0 * small.cost.max() + 1.0)
    pairs = Pairs.within(small.cost[held].T, reach)
    found = solve_pairs(pairs, small.instance.weights[:, held], small.k, tolerance=1e-8)
    value = dense_lp(small)
    assert found.value == pytest.approx(value, rel=1e-6, abs=1e-6 * small.cost.max())
    dual = found.prices.sum() - small.k * found.rent
    assert dual <= value * (1 + 1e-7) + 1e-9
    assert found.multipliers.sum() == pytest.approx(1.0)
    assert found.y.sum() == pytest.approx(small.k)


def test_earnings_and_fractional_costs_by_hand():
    instance = SocialInstance.from_distances([[1.0, 4.0], [3.0, 0.0]], list("ab"), 1, 1)
    earned = earnings(instance, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    assert earned.tolist() == [2.0, 4.0]
    assert earnings(instance, np.ones(2), np.full(2, 5.0), np.array([2.0, 2.0])).tolist() == [4.0, 5.0]
    cost = np.array([[1.0, 3.0], [4.0, 0.0]])
    assert fractional_costs(cost, np.array([0.25, 0.75])).tolist() == [3.25, 0.75]
    assert fractional_costs(cost, np.array([0.5, 0.5]), np.array([2.0, 9.0])).tolist() == [np.inf, 1.5]
