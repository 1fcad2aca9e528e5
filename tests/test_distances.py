import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from faircluster import distances
from faircluster.distances import BLOCK_ROWS, DenseCosts, DistanceCosts, as_cost_source, map_blocks


@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(1, 30), d=st.integers(1, 6), k=st.integers(1, 6),
    order=st.sampled_from("CF"),
    power=st.sampled_from([1, 2]), dtype=st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=60)
def test_powers_of_distances(seed, n, d, k, power, dtype, order):
    rng = np.random.default_rng(seed)
    X, centers = np.asarray(rng.normal(size=(n, d)), dtype=dtype, order=order), rng.normal(size=(k, d))
    source = DistanceCosts(X, centers, power)
    expected = cdist(X, centers.astype(dtype)) ** power
    assert source.shape == (n, k)
    assert source.block(0, n).dtype == dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    assert np.allclose(source.block(0, n), expected, rtol=tolerance, atol=tolerance * expected.max())
    start, stop = sorted(rng.integers(0, n + 1, 2))
    assert np.array_equal(source.block(start, stop), source.block(0, n)[start:stop])
    rows = rng.integers(0, n, 5)
    assert np.array_equal(source.take(rows), source.block(0, n)[rows])


def test_float32_is_accurate_far_from_the_origin():
    # x.x - 2 x.c + c.c would lose everything here
    X = np.array([[4096.0, 4096.0], [4096.5, 4096.0]], dtype=np.float32)
    assert DistanceCosts(X, X).block(0, 2).tolist() == [[0.0, 0.25], [0.25, 0.0]]


def test_whole_numbers_and_lists_work():
    source = DistanceCosts([[0], [3]], [[0.5], [1]])
    assert source.block(0, 2).tolist() == [[0.25, 1.0], [6.25, 4.0]]
    assert DistanceCosts(np.array([[True], [False]]), np.array([[1]])).block(0, 2).tolist() == [[0.0], [1.0]]


def test_points_are_not_copied_or_changed():
    X = np.random.default_rng(0).random((5, 2))
    kept = X.copy()
    source = DistanceCosts(X, X[:2], 1)
    source.block(0, 5)
    assert source.X is X
    assert np.array_equal(X, kept)


GOOD = np.zeros((3, 2))
BAD = np.array([[0.0, 0.0], [0.0, np.nan], [np.inf, 0.0]])


@pytest.mark.parametrize(
    ("X", "centers", "power", "message"),
    [
        (GOOD, GOOD, 3, "power must be 1 or 2, got 3"),
        (BAD, GOOD, 2, "X has NaN or infinity in 2 rows, the first is row 1"),
        (GOOD, BAD[2:], 2, "centers has NaN or infinity in 1 rows, the first is row 0"),
        (np.zeros(3), GOOD, 2, r"X must have one row a point, got shape \(3,\)"),
        (np.zeros((0, 2)), GOOD, 2, r"X must have one row a point, got shape \(0, 2\)"),
        (GOOD, np.zeros((0, 2)), 2, r"centers must have one row a point, got shape \(0, 2\)"),
        (GOOD, np.zeros((2, 1)), 2, "X has 2 columns but centers has 1"),
        (np.array([["a", "b"]]), GOOD, 2, "X must hold real numbers, got dtype <U1"),
        (GOOD * 1j, GOOD, 2, "X must hold real numbers, got dtype complex128"),
    ],
)
def test_bad_points(X, centers, power, message):
    with pytest.raises(ValueError, match=message):
        DistanceCosts(X, centers, power)


def test_large_finite_points_pass():
    # their sum overflows, they do not
    DistanceCosts(np.full((3, 1), 1e308), np.zeros((1, 1)))


def test_dense_costs():
    cost = np.arange(6.0).reshape(3, 2)
    source = DenseCosts(cost)
    assert source.shape == (3, 2)
    assert np.shares_memory(source.block(1, 3), cost)
    assert source.block(1, 3).tolist() == [[2.0, 3.0], [4.0, 5.0]]
    assert source.take(np.array([2, 0])).tolist() == [[4.0, 5.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (np.zeros((2, 3), dtype=np.float32), np.float32),
        (np.zeros((2, 3)), np.float64),
        (np.zeros((2, 3), dtype=np.float16), np.float64),
        (np.zeros((2, 3), dtype=np.int8), np.float64),
        ([[0, 1, 2], [3, 4, 5]], np.float64),
        (np.array([[0, 1.5, 2]], dtype=object), np.float64),
        (np.asfortranarray(np.zeros((2, 3))), np.float64),
    ],
)
def test_as_cost_source(given, dtype):
    source = as_cost_source(given)
    assert source.block(0, 2).dtype == dtype
    assert np.array_equal(source.block(0, 2), np.asarray(given, dtype=dtype))
    assert source.cost.flags.c_contiguous


def test_as_cost_source_copies_nothing_it_need_not():
    cost = np.zeros((2, 2))
    source = as_cost_source(cost)
    assert source.cost is cost
    assert as_cost_source(source) is source
    lazy = DistanceCosts(GOOD, GOOD)
    assert as_cost_source(lazy) is lazy


@pytest.mark.parametrize("cost", [np.zeros(3), np.zeros((0, 3)), np.zeros((3, 0)), np.zeros((1, 1, 1)), 1.0])
def test_as_cost_source_refuses_other_shapes(cost):
    with pytest.raises(ValueError, match="cost must have one row a point and one column a center"):
        as_cost_source(cost)


@pytest.mark.parametrize("n", [0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS])
def test_blocks_cover_the_rows_in_order(n):
    blocks = map_blocks(n, lambda start, stop: (start, stop))
    rows = [row for start, stop in blocks for row in range(start, stop)]
    assert rows == list(range(n))
    assert all(start < stop <= start + BLOCK_ROWS for start, stop in blocks)


def test_borders_do_not_depend_on_the_number_of_cores(monkeypatch):
    before = map_blocks(100_000, lambda start, stop: (start, stop))
    monkeypatch.setattr(distances, "_POOLS", {os.getpid(): ThreadPoolExecutor(1)})
    assert map_blocks(100_000, lambda start, stop: (start, stop)) == before
    distances._pool().shutdown()


def test_blocks_run_in_the_pool_and_errors_come_out():
    names = map_blocks(4 * BLOCK_ROWS, lambda start, stop: threading.current_thread().name)
    assert all(name.startswith("faircluster") for name in names)

    def fail(start, stop):
        if start > 0:
            raise RuntimeError(f"block at {start}")

    with pytest.raises(RuntimeError, match=f"block at {BLOCK_ROWS}"):
        map_blocks(4 * BLOCK_ROWS, fail)


def test_a_forked_child_makes_its_own_pool(monkeypatch):
    mine = distances._pool()
    assert distances._pool() is mine
    monkeypatch.setattr(os, "getpid", lambda: -1)
    monkeypatch.setattr(distances, "_POOLS", dict(distances._POOLS))
    other = distances._pool()
    assert other is not mine
    other.shutdown()
