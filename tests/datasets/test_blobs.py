import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faircluster.datasets import make_fair_blobs
from faircluster.groups import Groups


def table(codes, labels):
    counts = np.zeros((codes.max() + 1, labels.max() + 1), dtype=int)
    np.add.at(counts, (codes, labels), 1)
    return counts


def dependence(codes, labels):
    """Cramer's V."""
    counts = table(codes, labels)
    expected = np.outer(counts.sum(1), counts.sum(0)) / counts.sum()
    return np.sqrt(((counts - expected) ** 2 / expected).sum() / counts.sum() / (min(counts.shape) - 1))


def test_defaults():
    X, sensitive, labels = make_fair_blobs(random_state=0)
    assert X.shape == (1000, 10)
    assert X.dtype == np.float64
    assert sensitive.dtype == labels.dtype == np.int32
    assert np.bincount(sensitive).tolist() == [500, 500]
    assert np.bincount(labels).tolist() == [200] * 5


shares = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5).filter(lambda sizes: sum(sizes) > 1e-3)


@given(
    n=st.integers(1, 300),
    sizes=shares,
    weights=shares,
    proxy=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_sizes_are_exact(n, sizes, weights, proxy, seed):
    _, sensitive, labels = make_fair_blobs(
        *(n, 2),
        centers=len(weights),
        cluster_weights=weights,
        groups=sizes,
        cluster_proxy=proxy,
        random_state=seed,
    )
    for codes, parts in ((sensitive, sizes), (labels, weights)):
        counts = np.bincount(codes, minlength=len(parts))
        assert len(counts) == len(parts)
        assert counts.sum() == n
        assert np.abs(counts - n * np.array(parts) / sum(parts)).max() < 1 + 1e-6


def test_same_seed_same_data_and_dtype_keeps_groups():
    first = make_fair_blobs(500, groups=[2, 3], cluster_proxy=0.5, random_state=7)
    second = make_fair_blobs(500, groups=[2, 3], cluster_proxy=0.5, random_state=7)
    other = make_fair_blobs(500, groups=[2, 3], cluster_proxy=0.5, random_state=8)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])
    assert make_fair_blobs(10, dtype=np.float32, random_state=7)[0].dtype == np.float32


@pytest.mark.parametrize("kind", [np.random.RandomState, np.random.default_rng])
def test_random_state_objects(kind):
    a = make_fair_blobs(50, random_state=kind(3))[0]
    b = make_fair_blobs(50, random_state=kind(3))[0]
    np.testing.assert_array_equal(a, b)


def test_global_seed_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_fair_blobs(50, random_state=None)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_cluster_proxy_ties_groups_to_clusters():
    values = [
        dependence(*make_fair_blobs(20_000, centers=4, cluster_proxy=strength, random_state=1)[1:])
        for strength in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert values[0] < 0.03
    # four equal clusters, two equal groups: the mixture makes the dependence equal to the strength
    np.testing.assert_allclose(values, [0, 0.25, 0.5, 0.75, 1.0], atol=0.03)


def test_full_proxy_of_matching_sizes_is_one_to_one():
    _, sensitive, labels = make_fair_blobs(900, centers=3, groups=3, cluster_proxy=1.0, random_state=0)
    assert (np.sort(table(sensitive, labels), axis=1) == [0, 0, 300]).all()


def test_attributes_are_tied_to_clusters_in_different_orders():
    _, sensitive, labels = make_fair_blobs(
        10_000, centers=8, groups=[2, 2, 2, 2], cluster_proxy=1.0, random_state=0
    )
    assert sensitive.shape == (10_000, 4)
    codes = {tuple(np.round(table(column, labels)[0] / 1250)) for column in sensitive.T}
    assert len(codes) > 1


def test_blobs_lie_around_their_centers():
    centers = np.array([[0.0, 100.0], [50.0, -20.0], [-30.0, 0.0]])
    X, _, labels = make_fair_blobs(
        30_000, centers=centers, cluster_weights=[1, 2, 7], cluster_std=2.0, random_state=0
    )
    assert X.shape == (30_000, 2)
    assert np.bincount(labels).tolist() == [3_000, 6_000, 21_000]
    for j, center in enumerate(centers):
        np.testing.assert_allclose(X[labels == j].mean(0), center, atol=0.15)
        np.testing.assert_allclose(X[labels == j].std(0), 2.0, atol=0.1)


def test_center_box():
    X, _, _ = make_fair_blobs(100, 3, centers=20, cluster_std=0.0, center_box=(5, 6), random_state=0)
    assert X.min() >= 5
    assert X.max() <= 6


@pytest.mark.parametrize("strength", [0.1, 0.6, 1.0])
def test_feature_proxy_is_a_correlation(strength):
    X, sensitive, labels = make_fair_blobs(
        *(50_000, 6), centers=4, groups=[(0.7, 0.3), (0.5, 0.3, 0.2)], feature_proxy=strength, random_state=0
    )
    for column in range(2):
        found = np.corrcoef(X[:, 4 + column], sensitive[:, column])[0, 1]
        assert abs(found - strength) < 0.02
        assert abs(X[:, 4 + column].std() - 20 / np.sqrt(12)) < 0.1
        assert abs(np.corrcoef(X[:, 0], sensitive[:, column])[0, 1]) < 0.02
    # what is left to the clusters is in the other features only
    means = [X[labels == j, 4:].mean(0) for j in range(4)]
    assert np.ptp(means, axis=0).max() < 0.5


def test_feature_proxy_of_a_single_group_is_noise():
    X, sensitive, _ = make_fair_blobs(1000, 2, groups=1, feature_proxy=1.0, random_state=0)
    assert not sensitive.any()
    assert np.isfinite(X).all()


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        (3, ("0", "1", "2")),
        ([2], ("column 0=0", "column 0=1")),
        ([2, (0.7, 0.2, 0.1)], ("column 0=0", "column 0=1", "column 1=0", "column 1=1", "column 1=2")),
        (np.array([0.2, 0.8]), ("0", "1")),
    ],
)
def test_groups_accept_the_codes(groups, names):
    sensitive = make_fair_blobs(200, 2, groups=groups, random_state=0)[1]
    assert Groups.from_features(sensitive).names == names


def test_large_float32_is_fast():
    start = time.perf_counter()
    X, sensitive, labels = make_fair_blobs(
        *(1_000_000, 10), groups=[2, (0.7, 0.2, 0.1)], cluster_proxy=0.5, dtype=np.float32, random_state=0
    )
    assert time.perf_counter() - start < 10  # about 0.5 s; a loop over rows takes far longer
    assert X.nbytes == 40_000_000
    assert len(sensitive) == len(labels) == 1_000_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": 0}, "n_samples must be a positive int, got 0"),
        ({"n_samples": 10.0}, "n_samples must be a positive int, got 10.0"),
        ({"n_features": -1}, "n_features must be a positive int"),
        ({"centers": 0}, "centers must be a positive int"),
        ({"centers": [1.0, 2.0]}, "centers must be an int or a finite array"),
        ({"centers": [[np.nan]]}, "centers must be an int or a finite array"),
        ({"center_box": (1, 0)}, "center_box"),
        ({"cluster_std": -1.0}, "cluster_std"),
        ({"cluster_weights": [1, 2]}, "cluster_weights must be a sequence of 5 sizes"),
        ({"cluster_weights": [1, 1, 1, 1, -1]}, "cluster_weights must be finite sizes >= 0"),
        ({"groups": 0}, "groups must be a positive int"),
        ({"groups": True}, "groups must be a positive int"),
        ({"groups": (0.0, 0.0)}, "groups must be finite sizes >= 0, not all zero"),
        ({"groups": []}, "groups must be a sequence of one or more sizes"),
        ({"groups": (1, 0.5)}, "groups must be an int, a sequence of floats"),
        ({"groups": [[2, 3]]}, "groups must be an int, a sequence of floats"),
        ({"groups": "ab"}, "groups must be an int, a sequence of floats"),
        ({"groups": None}, "groups must be an int, a sequence of floats"),
        ({"cluster_proxy": 1.1}, r"cluster_proxy must be in \[0, 1\], got 1.1"),
        ({"feature_proxy": np.nan}, r"feature_proxy must be in \[0, 1\], got nan"),
        (
            {"feature_proxy": 0.5, "n_features": 1, "groups": [2, 2]},
            "needs a feature for each of the 2 attributes",
        ),
        ({"dtype": np.int64}, "dtype must be float32 or float64, got int64"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        make_fair_blobs(**options)
