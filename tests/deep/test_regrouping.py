import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from faircluster.deep import regrouping
from faircluster.deep.regrouping import regroup


def pairs_within(places, rng, count=3):
    """Rows, and neighbors drawn among those of the same place."""
    rows = np.arange(len(places))
    return rows, np.stack([rng.choice(np.flatnonzero(places == place), count) for place in places])


def styles(rng, n=600):
    """Three classes in two styles each: places of neighbors, and an embedding that tells styles apart."""
    kind, style = np.arange(n) % 3, rng.random(n) < 0.4
    embedded = np.column_stack([4.0 * kind, 10.0 * style]) + rng.normal(scale=0.3, size=(n, 2))
    return kind, style, embedded


def test_a_style_goes_to_the_class_of_its_neighbors():
    rng = np.random.default_rng(0)
    kind, style, embedded = styles(rng)
    wrong = np.where((kind == 2) & style, 0, kind)
    rows, neighbors = pairs_within(kind, rng)
    found, gain = regroup(embedded, wrong, rows, neighbors, 3, seed=0)
    np.testing.assert_array_equal(found, kind)
    told = [mutual_info_score(np.repeat(labels, 3), labels[neighbors].ravel()) for labels in (wrong, found)]
    assert gain == pytest.approx(told[1] - told[0], abs=1e-3)  # both directions count the same


def test_right_clusters_and_noise_stay():
    rng = np.random.default_rng(1)
    kind, _, embedded = styles(rng)
    for places in (kind, rng.integers(0, 1, len(kind))):  # neighbors of the class, and anybody
        rows, neighbors = pairs_within(places, rng)
        found, gain = regroup(embedded, kind, rows, neighbors, 3, seed=0)
        assert gain == 0.0
        np.testing.assert_array_equal(found, kind)


def test_the_same_whatever_the_order_of_samples():
    rng = np.random.default_rng(2)
    kind, style, embedded = styles(rng)
    wrong = np.where((kind == 1) & style, 2, kind)
    rows, neighbors = pairs_within(kind, rng)
    order = rng.permutation(len(kind))
    place = np.argsort(order)
    found, _ = regroup(embedded, wrong, rows, neighbors, 3, seed=0)
    shuffled, _ = regroup(embedded[order], wrong[order], place[rows], place[neighbors], 3, seed=0)
    np.testing.assert_array_equal(shuffled, found[order])


def test_empty_clusters_and_single_samples():
    rows, neighbors = np.arange(4), np.array([[1], [0], [3], [2]])
    found, gain = regroup(np.zeros((4, 2)), np.array([0, 0, 3, 0]), rows, neighbors, 5, seed=0)
    assert set(found) <= {0, 3}
    assert gain >= 0.0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(2, 9), k=st.integers(2, 4))
def test_gains_are_those_of_the_information(seed, parts, k):
    """Each gain is the difference of two mutual informations, and moves end where no more can be gained."""
    rng = np.random.default_rng(seed)
    flows = rng.random((parts, parts)) * (rng.random((parts, parts)) < 0.6)
    flows = flows + flows.T + 1e-3 * np.eye(parts)
    flows /= flows.sum()
    owner = rng.integers(0, k, parts).astype(np.int32)

    def information(owner):
        known = np.eye(k)[owner]
        return regrouping._information(known.T @ flows @ known)

    known = np.eye(k)[owner]
    toward = flows @ known
    target = np.where(known > 0, -1.0, toward).argmax(axis=1)
    gains = regrouping._gains(known.T @ toward, toward, flows.diagonal(), owner, target)
    for s in range(parts):
        changed = owner.copy()
        changed[s] = target[s]
        assert gains[s] == pytest.approx(information(changed) - information(owner), abs=1e-9)
    moved = regrouping._moved(flows, owner, k)
    assert information(moved) >= information(owner) - 1e-12
    toward = flows @ np.eye(k)[moved]
    target = np.where(np.eye(k)[moved] > 0, -1.0, toward).argmax(axis=1)
    for s in range(parts):
        changed = moved.copy()
        changed[s] = target[s]
        assert information(changed) <= information(moved) + 1e-9 or toward[s, target[s]] <= 0
