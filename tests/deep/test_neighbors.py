import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is missing")

from faircluster.deep import neighbors
from faircluster.deep.neighbors import nearest_neighbors, neighbor_information, neighbor_radius


@pytest.mark.parametrize("n", [12, 300])
def test_radius_is_the_distance_to_the_tenth_other_point(n):
    x = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    found = neighbor_radius(lambda index: torch.from_numpy(x[index]), n, seed=0)
    distance = np.sort(np.linalg.norm(x[:, None] - x[None], axis=2), axis=1)
    np.testing.assert_allclose(found, distance[:, 10], rtol=1e-3)


def test_radius_on_a_part_of_the_data_is_near_that_on_all(monkeypatch):
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(2000, 2)).astype(np.float32))

    def batches(index):
        return x[torch.from_numpy(index)]

    whole = neighbor_radius(batches, 2000, seed=0)
    monkeypatch.setattr(neighbors, "_RADIUS_REFERENCE", 400)
    part = neighbor_radius(batches, 2000, seed=0)
    assert float(part.median() / whole.median()) == pytest.approx(1.0, abs=0.15)


def batches_of(x):
    return lambda index: torch.from_numpy(x[index])


def test_the_ten_nearest_others():
    x = np.random.default_rng(0).normal(size=(300, 2, 2)).astype(np.float32)
    rows, found = nearest_neighbors(batches_of(x), 300, 4, seed=0)
    flat = x.reshape(300, -1)
    distance = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    np.testing.assert_array_equal(rows, np.arange(300))
    wanted = np.argsort(distance, axis=1)[:, 1:11]
    np.testing.assert_array_equal(np.sort(found, axis=1), np.sort(wanted, axis=1))


def test_a_part_of_the_data_and_duplicates(monkeypatch):
    """Neighbors are others even where they are equal, and come from the part that is looked through."""
    monkeypatch.setattr(neighbors, "_NUMBERS", 120)
    monkeypatch.setattr(neighbors, "_ASKED", 30)
    monkeypatch.setattr(neighbors, "_DISTANCES", 200)
    x = np.repeat(np.random.default_rng(0).normal(size=(50, 3)), 4, axis=0).astype(np.float32)
    rows, found = nearest_neighbors(batches_of(x), 200, 3, seed=1)
    assert len(rows) == 30
    assert len(np.unique(found)) <= 40
    assert not (found == rows[:, None]).any()


def test_fewer_samples_than_neighbors():
    x = np.arange(5, dtype=np.float32)[:, None]
    rows, found = nearest_neighbors(batches_of(x), 5, 1, seed=0)
    assert found.shape == (5, 4)
    assert neighbor_information(np.zeros(5, dtype=int), rows, found) == 0.0


def test_information_of_clusters_that_lie_apart_and_of_others():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 100)
    x = (20.0 * np.eye(4)[truth] + rng.normal(size=(400, 4))).astype(np.float32)
    rows, found = nearest_neighbors(batches_of(x), 400, 4, seed=0)
    best = neighbor_information(truth, rows, found)
    assert best == pytest.approx(np.log(4))
    assert neighbor_information(np.minimum(truth, 2), rows, found) < best - 0.3  # two in one
    half = np.where(truth == 0, rng.integers(0, 2, 400) * 4, truth)
    assert neighbor_information(np.minimum(half, 3), rows, found) < best - 0.1  # one taken apart at random
    assert neighbor_information(rng.integers(0, 4, 400), rows, found) < 0.1
    relabeled = np.array([2, 0, 3, 1])[truth]
    assert neighbor_information(relabeled, rows, found) == pytest.approx(best)
