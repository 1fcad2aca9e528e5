"""Summaries: counts are exact, movement is what it says, the order of points and parts does not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.centers.coreset import (
    mean_coreset,
    merge_mean_coresets,
    merge_radius_coresets,
    radius_coreset,
)


def cloud(seed, n=300, d=3, S=3):
    rng = np.random.default_rng(seed)
    signature = rng.choice(S, n, p=np.r_[0.02, np.full(S - 1, 0.98 / (S - 1))]).astype(np.int32)
    signature[0] = 0
    return rng.normal(size=(n, d)).round(int(rng.integers(0, 4))), signature


def same(one, two):
    rows = [np.column_stack([c.signature, c.points, c.weights]) for c in (one, two)]
    a, b = (rows[i][np.lexsort(rows[i].T)] for i in range(2))
    return a.shape == b.shape and np.allclose(a, b)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 60), power=st.sampled_from([1, 2]))
def test_counts_by_signature_are_those_of_the_points(seed, size, power):
    X, signature = cloud(seed)
    for few in (mean_coreset(X, signature, size, power), radius_coreset(X, signature, size)):
        held = np.bincount(few.signature, few.weights, minlength=3)
        assert held.tolist() == np.bincount(signature, minlength=3).tolist()
        assert (few.weights == np.rint(few.weights)).all()
        assert len(few) <= 3 * size


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 60), parts=st.integers(1, 6))
def test_merged_counts_are_exact_and_parts_may_come_in_any_order(seed, size, parts):
    X, signature = cloud(seed)
    for make, merge in ((mean_coreset, merge_mean_coresets), (radius_coreset, merge_radius_coresets)):
        pieces = [make(X[i::parts], signature[i::parts], size) for i in range(parts)]
        one, two = merge(pieces, max(size // 8, 1)), merge(pieces[::-1], max(size // 8, 1))
        assert one.total == two.total == len(X)
        held = np.bincount(one.signature, one.weights, minlength=3)
        assert held.tolist() == np.bincount(signature, minlength=3).tolist()
        assert same(one, two)
        assert one.movement == pytest.approx(two.movement)


def test_the_order_of_the_points_does_not_matter():
    X, signature = cloud(1)
    order = np.random.default_rng(0).permutation(len(X))
    for make in (mean_coreset, radius_coreset):
        assert same(make(X, signature, 20), make(X[order], signature[order], 20))


@pytest.mark.parametrize("merged", [False, True])
def test_cost_is_that_of_the_summary_plus_the_movement(merged):
    """The theorem of the parallel axis; points go where their representative goes: here to one center."""
    X, signature = cloud(2, n=2_000)
    few = mean_coreset(X, signature, 30)
    if merged:
        few = merge_mean_coresets([mean_coreset(X[i::4], signature[i::4], 30) for i in range(4)], 3)
        assert len(few) < 60
    center = np.array([0.3, -0.1, 2.0])
    whole = ((X - center) ** 2).sum()
    part = few.weights @ ((few.points - center) ** 2).sum(axis=1)
    assert part + few.movement == pytest.approx(whole)


def test_any_cost_differs_by_no_more_than_the_movement():
    X, signature = cloud(3, n=2_000)
    centers = np.random.default_rng(0).normal(size=(5, 3))

    def cost(points, weights, power):
        away = np.sqrt(((points[:, None] - centers) ** 2).sum(axis=2)).min(axis=1)
        return weights @ away**power

    for power in (1, 2):
        few = mean_coreset(X, signature, 25, power)
        whole, part = cost(X, np.ones(len(X)), power), cost(few.points, few.weights, power)
        assert abs(whole ** (1 / power) - part ** (1 / power)) <= few.movement ** (1 / power) + 1e-9


def test_no_point_is_farther_from_the_summary_than_the_movement():
    X, signature = cloud(4, n=1_000)
    few = radius_coreset(X, signature, 40)
    for s in range(3):
        kept = few.points[few.signature == s]
        away = np.sqrt(((X[signature == s][:, None] - kept) ** 2).sum(axis=2)).min(axis=1)
        assert away.max() <= few.movement + 1e-12
    assert radius_coreset(X, signature, len(X)).movement == 0.0


def test_rare_signatures_are_represented_as_finely_as_common_ones():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5_000, 2))
    signature = (np.arange(5_000) >= 4_900).astype(np.int32)
    few = mean_coreset(X, signature, 50)
    assert np.bincount(few.signature).tolist() == pytest.approx([50, 50], abs=12)
