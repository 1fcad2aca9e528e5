"""Counting signatures by cluster."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faircluster.groups import Groups
from faircluster.metrics.contingency import contingency, encode_labels, resolve_groups


@given(arrays(np.int64, st.integers(1, 30), elements=st.integers(-5, 5) | st.integers(-(10**12), 10**12)))
def test_encode_labels_is_numpy_unique(labels):
    values, expected = np.unique(labels, return_inverse=True)
    cluster, found = encode_labels(labels)
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(cluster, expected)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_encode_labels_of_any_integer_type_does_not_overflow(dtype):
    low = -128 if dtype is np.int8 else 0
    cluster, values = encode_labels(np.array([127, low, 127], dtype=dtype))
    assert cluster.tolist() == [1, 0, 1]
    assert values.tolist() == [low, 127]


def test_n_clusters_keeps_empty_clusters():
    cluster, values = encode_labels([2, 0], n_clusters=4)
    assert cluster.tolist() == [2, 0]
    assert values.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("labels", "n_clusters", "message"),
    [
        ([], None, "one label a row"),
        ([[0, 1]], None, r"shape \(1, 2\)"),
        ([0.0, 1.0], None, "must be integers, got float64"),
        (["a", "b"], None, "must be integers"),
        ([0, 3], 3, "0 to 2 for n_clusters=3, got 3"),
        ([-1, 1], 3, "got -1"),
        ([0], 0, "at least 1, got 0"),
    ],
)
def test_bad_labels_are_refused(labels, n_clusters, message):
    with pytest.raises(ValueError, match=message):
        encode_labels(labels, n_clusters)


def test_counts_of_two_attributes_by_hand():
    columns = np.array([["f", "x"], ["f", "y"], ["m", "x"], ["f", "x"], ["m", "y"]])
    table = contingency([0, 0, 1, 1, 1], columns)
    assert table.groups.names == ("column 0=f", "column 0=m", "column 1=x", "column 1=y")
    assert table.counts.tolist() == [[2, 1], [0, 2], [1, 2], [1, 1]]
    assert table.sizes.tolist() == [2, 3]
    assert [members.tolist() for members in table.by_attribute()] == [[0, 1], [2, 3]]


def test_weights_count_and_a_weightless_cluster_is_not_occupied():
    table = contingency([0, 0, 1], ["a", "b", "a"], sample_weight=[2.0, 0.5, 0.0])
    assert table.counts.tolist() == [[2.0, 0.0], [0.5, 0.0]]
    assert table.occupied.tolist() == [True, False]


def test_groups_pass_through_and_keep_their_weights():
    groups = Groups.from_features(["a", "b"], sample_weight=[3.0, 1.0])
    table = contingency([0, 0], groups)
    assert table.groups is groups
    assert table.sizes.tolist() == [4.0]


def test_groups_of_other_rows_or_with_second_weights_are_refused():
    groups = Groups.from_features(["a", "b"])
    with pytest.raises(ValueError, match="describes 2 rows, but there are 3"):
        resolve_groups(groups, 3)
    with pytest.raises(ValueError, match="sample_weight cannot be given next to a Groups"):
        resolve_groups(groups, 2, [1.0, 1.0])
    with pytest.raises(ValueError, match="sensitive_features has 2 rows"):
        resolve_groups(["a", "b"], 3)


def test_none_is_one_group():
    assert contingency([0, 1, 1], None).counts.tolist() == [[1.0, 2.0]]
