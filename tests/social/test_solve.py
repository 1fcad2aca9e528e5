import numpy as np
import pytest

from faircluster.groups import Groups
from faircluster.social import SocialInstance, solve_social
from faircluster.social.relaxation import relax
from faircluster.social.strengthening import service_limits, strengthen
from tests.social.small import brute_force, dense_lp, draw

BICRITERIA, EXACTLY_K = 5 + 2 * np.sqrt(6), 7 + 2 * np.sqrt(6)


@pytest.mark.parametrize("seed", range(40))
def test_exactly_k_within_the_proved_factor(seed):
    small = draw(seed, metric=seed % 3 == 0)
    optimum, _ = brute_force(small)
    p = small.instance.power
    for polish in (False, True):
        found = solve_social(small.instance, polish=polish, random_state=0)
        assert found.n_centers == len(np.unique(found.centers)) == small.k
        assert found.lower_bound <= optimum * (1 + 1e-9) + 1e-12
        assert optimum * (1 - 1e-9) <= found.cost <= found.rounded_cost * (1 + 1e-9) + 1e-12
        assert found.rounded_cost <= found.factor * optimum * (1 + 1e-6) + 1e-9
        assert found.factor <= EXACTLY_K**p * (1 + 1e-5)
        assert found.cost == pytest.approx(small.instance.cost(found.centers))
        own = small.cost[:, found.centers].min(axis=1)
        labelled = small.cost[np.arange(len(own)), found.centers[found.labels]]
        np.testing.assert_allclose(labelled, own)
        np.testing.assert_allclose(found.group_costs, small.instance.weights @ own)


@pytest.mark.parametrize("seed", range(40))
def test_bicriteria_within_the_proved_factor(seed):
    small = draw(seed)
    optimum, _ = brute_force(small)
    m = int(small.instance.weights.any(axis=1).sum())
    for polish in (False, True):
        found = solve_social(small.instance, bicriteria=True, polish=polish, random_state=0)
        assert found.n_centers <= small.k + m - 1
        assert found.cost <= found.rounded_cost * (1 + 1e-9) + 1e-12
        assert found.rounded_cost <= found.factor * optimum * (1 + 1e-6) + 1e-9
        assert found.factor <= BICRITERIA**small.instance.power * (1 + 1e-5)


@pytest.mark.parametrize("cap", [1, 2, 4, 5])
def test_no_more_centers_than_allowed(cap):
    rng = np.random.default_rng(5)
    groups = rng.integers(0, 4, 50).astype(str)
    instance = SocialInstance.from_points(rng.normal(size=(50, 2)), groups, 3, 1)
    found = solve_social(instance, bicriteria=True, max_centers=cap, random_state=0)
    assert found.n_centers == cap
    exact = solve_social(instance, random_state=0)
    assert (found.cost <= exact.cost * (1 + 1e-9)) == (cap >= 3)


def test_rows_may_come_in_any_order():
    rng = np.random.default_rng(3)
    X, groups = rng.normal(size=(60, 3)), rng.integers(0, 3, 60).astype(str)
    order = rng.permutation(60)
    one = solve_social(SocialInstance.from_points(X, groups, 4, 2), random_state=1)
    two = solve_social(SocialInstance.from_points(X[order], groups[order], 4, 2), random_state=1)
    assert sorted(order[two.centers]) == one.centers.tolist()
    assert two.cost == pytest.approx(one.cost, rel=1e-12)


def test_a_weight_of_two_is_two_clients():
    rng = np.random.default_rng(4)
    X, labels = rng.normal(size=(30, 2)), rng.integers(0, 2, 30).astype(str)
    weight = rng.integers(1, 4, 30)
    weighted = Groups.from_features(labels, sample_weight=weight)
    one = solve_social(SocialInstance.from_points(X, weighted, 3, 1), random_state=0)
    many = np.repeat(np.arange(30), weight)
    two = solve_social(SocialInstance.from_points(X[many], labels[many], 3, 1), random_state=0)
    assert two.cost == pytest.approx(one.cost)
    assert two.lower_bound == pytest.approx(one.lower_bound, rel=2e-6)


def test_edges():
    one = solve_social(SocialInstance.from_points(np.array([[1.0]]), ["a"], 1))
    assert (one.cost, one.gap, one.status, one.n_centers) == (0.0, 0.0, "optimal", 1)
    same = solve_social(SocialInstance.from_points(np.ones((5, 2)), list("ababa"), 3), random_state=0)
    assert (same.cost, same.lower_bound, same.n_centers) == (0.0, 0.0, 3)
    everyone = solve_social(SocialInstance.from_points(np.arange(4.0)[:, None], list("abab"), 4))
    assert (everyone.cost, everyone.status) == (0.0, "optimal")
    alone = SocialInstance.from_points(np.arange(5.0)[:, None], None, 1, 1)
    assert solve_social(alone).cost == pytest.approx(1.2)


def test_time_is_up_at_once():
    rng = np.random.default_rng(6)
    instance = SocialInstance.from_points(rng.normal(size=(80, 2)), rng.integers(0, 2, 80).astype(str), 5, 1)
    found = solve_social(instance, time_limit=0.0, random_state=0)
    assert found.n_centers == 5
    assert found.lower_bound <= found.cost
    assert found.status == "time_limit"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_centers": 3}, "max_centers=3 needs bicriteria=True"),
        ({"bicriteria": True, "max_centers": 0}, "max_centers must be a whole number of at least 1, got 0"),
        ({"n_starts": 0}, "n_starts must be a whole number of at least 1, got 0"),
        ({"n_restarts": -1}, "n_restarts must be a whole number of at least 0, got -1"),
    ],
)
def test_bad_options_are_refused(options, words):
    instance = SocialInstance.from_points(np.arange(4.0)[:, None], list("abab"), 2)
    with pytest.raises(ValueError, match=words):
        solve_social(instance, **options)


# ---- the stronger bound


@pytest.mark.parametrize("seed", range(25))
def test_the_stronger_bound_holds_and_limits_rule_out_no_optimum(seed):
    small = draw(seed, metric=seed % 2 == 0)
    optimum, chosen = brute_force(small)
    if optimum == 0:
        return
    limit = service_limits(small.instance, optimum * (1 + 1e-9))
    own = small.cost[:, list(chosen)].min(axis=1)
    counted = small.instance.weights.any(axis=0)
    assert (own[counted] <= limit[counted] * (1 + 1e-6)).all()
    plain = relax(small.instance, np.arange(small.k))
    found = strengthen(small.instance, plain, np.array(chosen))
    assert plain.lower_bound <= found.lower_bound <= optimum * (1 + 1e-9)
    # what it could not refute, the dense program within the limits does not refute either
    tight = service_limits(small.instance, found.guess)
    assert dense_lp(small, tight) <= found.guess * (1 + 1e-3)


def test_limits_are_no_larger_than_those_of_makarychev_and_vakilian():
    small = draw(11)
    guess = brute_force(small)[0]
    away = small.instance.client_distances(np.arange(small.instance.n_clients))
    limit = service_limits(small.instance, guess) ** (1 / small.instance.power)
    for i, row in enumerate(away):
        radius = 0.5 * limit[i] * (1 - 1e-6)
        mass = small.instance.weights[:, row <= radius].sum(axis=1)
        assert (mass * radius**small.instance.power).max() <= guess * (1 + 1e-6)


def test_the_stronger_bound_is_stronger_where_groups_are_far_apart():
    """The relaxation opens half a center at each; no single center is worth more than its bound says."""
    instance = SocialInstance.from_points(np.array([[0.0], [4.0]]), list("ab"), 1, 1)
    weak = solve_social(instance, random_state=0)
    strong = solve_social(instance, strengthen=True, random_state=0)
    assert weak.lower_bound == pytest.approx(2.0, rel=1e-5)
    assert strong.lower_bound == pytest.approx(4.0, rel=2e-3)
    assert strong.cost == 4.0
