import numpy as np
import pytest

from faircluster.social import SocialInstance
from faircluster.social.relaxation import relax
from faircluster.social.rounding import BEST_TAU, round_relaxation
from tests.social.small import draw

PAPER = 5 + 2 * np.sqrt(6)


def groups_that_count(instance):
    return int(instance.weights.any(axis=1).sum())


def test_the_best_tau_gives_the_factor_of_the_paper():
    factor = BEST_TAU * (3 * BEST_TAU - 1) / (BEST_TAU - 1)
    assert factor == pytest.approx(PAPER, rel=1e-12)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_proved_holds(seed):
    small = draw(seed, metric=seed % 3 == 0)
    instance = small.instance.merged().instance
    relaxed = relax(instance, np.arange(small.k))
    rounded = round_relaxation(instance, relaxed.y)
    assert len(rounded.centers) <= small.k + groups_that_count(instance) - 1
    assert rounded.factor <= PAPER**instance.power * (1 + 1e-9)
    assert instance.cost(rounded.centers) <= rounded.factor * relaxed.value * (1 + 1e-6) + 1e-9
    assert (np.diff(rounded.values) <= 1e-6).all()


@pytest.mark.parametrize("seed", range(25))
def test_any_feasible_y_is_rounded(seed):
    """The proof needs a feasible solution, not an optimal one; random ones are far from integral."""
    rng = np.random.default_rng(seed)
    n, k, m, power = 40, 5, 3, [1, 2, 3][seed % 3]
    groups = np.append(np.arange(m), rng.integers(0, m, n - m)).astype(str)
    instance = SocialInstance.from_points(rng.normal(size=(n, 2)), groups, k, power)
    y = rng.dirichlet(np.full(n, 0.3)) * k
    y = np.minimum(y, 1.0)
    served = instance.distances(np.arange(n)) ** power
    order = np.argsort(served, axis=0)
    taken = np.clip(1.0 - (np.cumsum(y[order], axis=0) - y[order]), 0.0, y[order])
    value = (instance.weights @ (taken * np.take_along_axis(served, order, 0)).sum(axis=0)).max()
    rounded = round_relaxation(instance, y)
    assert len(rounded.values) > 1  # clients shrank
    assert len(rounded.centers) <= k + m - 1
    assert instance.cost(rounded.centers) <= rounded.factor * value * (1 + 1e-6)
    assert (np.diff(rounded.values) <= 1e-6).all()
    assert rounded.factor <= PAPER**power * (1 + 1e-9)


def test_one_group_needs_no_center_too_many():
    rng = np.random.default_rng(0)
    instance = SocialInstance.from_points(rng.normal(size=(40, 2)), None, 4, 1)
    y = np.full(40, 0.1)
    assert len(round_relaxation(instance, y).centers) <= 4


def test_nobody_pays():
    X = np.array([[0.0], [0.0], [7.0]])
    instance = SocialInstance.from_points(X, list("aab"), 2)
    assert round_relaxation(instance, np.array([0.5, 0.5, 1.0])).centers.tolist() == [0, 2]
