import numpy as np
import pytest

from faircluster.assignment.margins import move_costs
from faircluster.assignment.transport import transport
from faircluster.distances import DenseCosts


def far_away(n=3_000, apart=50):
    """Two clusters that touch and one apart: none of its points is among those nearest to a border."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(0, 2, n), rng.uniform(9.5, 10.5, apart)])
    centers = np.array([0.5, 1.5, 10.0])
    return DenseCosts((points[:, None] - centers) ** 2), np.zeros(n + apart, dtype=np.int32)


@pytest.mark.parametrize("farthest", [4, 16, 64])
def test_leaving_a_cluster_apart_is_known_to_be_dear(farthest):
    source, signature = far_away()
    moves = move_costs(source, signature, None, np.zeros((1, 3)), farthest=farthest)
    # a unit leaves one cluster and enters another, half of the margin each
    dearest = source.cost[-50:, 1].max()
    assert (moves.down[:, 0, 2] > 0.25 * dearest).all()
    assert moves.down[0, 0, :2].max() < 0.01


@pytest.mark.parametrize("units", [1, 4, 16])
def test_steps_add_up_to_the_cost_of_moving(units):
    source, signature = far_away()
    flat = np.zeros((1, 3))
    moves = move_costs(source, signature, None, flat, farthest=units)
    quotas = np.bincount(source.cost.argmin(axis=1), minlength=3).astype(float)[None]
    base = transport(source, signature, quotas, flat, None).values.sum()
    moved = transport(source, signature, quotas + np.array([[0, units, -units]]), flat, None).values.sum()
    taken = np.diff(np.minimum(np.cumsum(moves.widths), units), prepend=0)
    estimate = taken @ moves.down[:, 0, 2] + taken @ moves.up[:, 0, 1]
    # entering the clusters that touch is nearly free, so leaving counts alone, with its half
    assert estimate == pytest.approx(0.5 * (moved - base), rel=0.1)
