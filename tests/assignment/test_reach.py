import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.assignment.reach import pack, reach_classes, unpack
from tests.assignment.instances import seeds


@given(seed=seeds, n=st.integers(1, 300), k=st.sampled_from([1, 3, 63, 64, 65, 130]), weighted=st.booleans())
@settings(derandomize=True, deadline=None, max_examples=40)
def test_classes_count_points_by_signature_and_reach(seed, n, k, weighted):
    rng = np.random.default_rng(seed)
    cost, signature = rng.random((n, k)), rng.integers(0, 3, n).astype(np.int32)
    weights = rng.integers(0, 3, n).astype(float) if weighted else None
    mass = np.ones(n) if weights is None else weights
    radius = rng.choice([0.02, 0.3])
    classes = reach_classes(cost, signature, weights, 3, radius)
    reach = cost <= radius
    expected: dict = {}
    for i in np.flatnonzero(mass > 0):
        key = signature[i], reach[i].tobytes()
        expected[key] = expected.get(key, 0.0) + mass[i]
    of_class = np.repeat(np.arange(3), np.diff(classes.starts))
    found = {
        (s, allowed.tobytes()): supply
        for s, allowed, supply in zip(of_class, classes.allowed, classes.supply, strict=True)
    }
    assert len(classes.supply) == len(found)
    assert found == expected
    of_points = classes.of_points(cost, signature)
    held = mass > 0
    assert (classes.allowed[of_points[held]] == reach[held]).all()
    assert (of_class[of_points[held]] == signature[held]).all()


def test_the_answer_is_the_same_for_any_order_of_the_rows():
    rng = np.random.default_rng(0)
    cost, signature = rng.random((20_000, 6)), rng.integers(0, 4, 20_000).astype(np.int32)
    shuffled = rng.permutation(20_000)
    here = reach_classes(cost, signature, None, 4, 0.4)
    there = reach_classes(cost[shuffled], signature[shuffled], None, 4, 0.4)
    assert np.array_equal(here.words, there.words)
    assert np.array_equal(here.supply, there.supply)


@given(seed=seeds, k=st.integers(1, 200))
@settings(derandomize=True, deadline=None, max_examples=30)
def test_unpack_is_the_inverse_of_pack(seed, k):
    sets = np.random.default_rng(seed).random((5, k)) < 0.5
    assert np.array_equal(unpack(pack(sets), k), sets)
