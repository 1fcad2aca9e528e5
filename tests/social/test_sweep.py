import numpy as np
import pytest

from faircluster.groups import Groups
from faircluster.social import sweep as module
from faircluster.social.costs import PowerCosts
from faircluster.social.sweep import GroupedPoints


def draw(n=700, d=5, k=6, m=3, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    membership = rng.random((n, m)) < 0.5
    membership[:m] |= np.eye(m, dtype=bool)
    return rng.normal(size=(n, d)).astype(dtype), membership, rng.uniform(0, 2, n), rng.normal(size=(k, d))


@pytest.mark.parametrize("power", [1.0, 2.0, 3.5])
@pytest.mark.parametrize("d", [1, 4, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_labels_costs_slopes_by_the_definition(power, d, dtype):
    X, membership, weights, centers = draw(d=d, dtype=dtype)
    found = GroupedPoints(X, Groups.from_features(membership, sample_weight=weights), power).sweep(centers)
    X = X.astype(np.float64)
    away = np.linalg.norm(X[:, None] - centers, axis=2)
    labels = away.argmin(axis=1)
    assert (found.labels == labels).all()
    assert found.sizes == pytest.approx(np.bincount(labels, weights, minlength=6))
    own, share = away.min(axis=1), membership * weights[:, None] / (membership.T @ weights)
    assert found.model.group_costs == pytest.approx(share.T @ own**power)
    assert found.model.value == found.model.group_costs.max()
    for j in range(6):
        here = labels == j
        assert found.model.mass[:, j] == pytest.approx(share[here].sum(axis=0))
        pull = power * own[here] ** (power - 2) if power != 2 else np.full(here.sum(), 2.0)
        slope = (share[here] * pull[:, None]).T @ (centers[j] - X[here])
        assert found.model.slopes[:, j] == pytest.approx(slope, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_the_model_lies_above_the_smooth_cost_and_that_above_the_cost(power):
    X, membership, weights, centers = draw(n=60)
    centers[0] = X[0]  # a center on a point, where distances have no slope
    points = GroupedPoints(X, Groups.from_features(membership, sample_weight=weights), power)
    labels, rng = points.sweep(centers).labels, np.random.default_rng(1)
    tip = 0.3
    model = points.sweep(centers, labels=labels, tip=tip).model
    assert (model.smooth >= model.costs - 1e-12).all()
    assert (model.smooth.sum(axis=1) <= model.costs.sum(axis=1) + model.excess + 1e-12).all()
    for _ in range(10):
        move = 0.3 * rng.normal(size=centers.shape)
        linear = np.einsum("mkd,kd->mk", model.slopes, move)
        above = model.smooth + linear + 0.5 * model.curvature * (move**2).sum(axis=1)
        moved = points.sweep(centers + move, labels=labels, tip=tip).model
        assert (above >= moved.smooth - 1e-12).all()
        if power == 2:
            assert above == pytest.approx(moved.costs)


def test_blocks_do_not_change_the_sums(monkeypatch):
    X, membership, weights, centers = draw(n=30_000, d=2)
    points = GroupedPoints(X, Groups.from_features(membership, sample_weight=weights))
    whole = points.sweep(centers)
    monkeypatch.setattr(module, "_ROUND", 7_000)
    parts = points.sweep(centers)
    assert (parts.labels == whole.labels).all()
    assert parts.model.slopes == pytest.approx(whole.model.slopes)
    assert parts.model.costs == pytest.approx(whole.model.costs)


def test_point_weights_and_own_costs_add_up_to_group_costs():
    X, membership, weights, centers = draw()
    points = GroupedPoints(X, Groups.from_features(membership, sample_weight=weights), 1.0)
    found, gamma = points.sweep(centers), np.array([0.2, 0.5, 0.3])
    own = points.own_costs(centers, found.labels)
    assert points.point_weights(gamma) @ own == pytest.approx(gamma @ found.model.group_costs)


def test_power_costs():
    X, _, weights, centers = draw(n=50)
    expected = weights[:, None] * np.linalg.norm(X[:, None] - centers, axis=2) ** 3
    source = PowerCosts(X, centers, 3.0, weights)
    assert source.shape == (50, 6)
    assert source.block(10, 20) == pytest.approx(expected[10:20])
    assert source.take(np.array([4, 1])) == pytest.approx(expected[[4, 1]])


def test_bad_input():
    with pytest.raises(ValueError, match="power must be at least 1"):
        GroupedPoints(np.zeros((2, 1)), Groups.from_features(["a", "b"]), 0.5)
    with pytest.raises(ValueError, match="groups has 3"):
        GroupedPoints(np.zeros((2, 1)), Groups.from_features(["a", "b", "b"]))
