"""The table of group shares."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from faircluster.metrics import group_shares

LABELS = [0, 0, 0, 0, 0, 2, 2, 2]
SEX = ["f", "f", "m", "m", "m", "f", "m", "m"]


def test_shares_by_hand():
    table = group_shares(LABELS, SEX, n_clusters=3)
    assert table.names == ("f", "m")
    assert table.labels.tolist() == [0, 1, 2]
    assert table.sizes.tolist() == [5, 0, 3]
    assert table.counts.tolist() == [[2, 3], [0, 0], [1, 2]]
    np.testing.assert_allclose(table.shares, [[0.4, 0.6], [np.nan, np.nan], [1 / 3, 2 / 3]])
    assert table.population.tolist() == [3 / 8, 5 / 8]
    assert table.lower[1].tolist() == [0, 0]
    assert table.upper[1].tolist() == [1, 1]


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.99))
def test_intervals_are_wilsons(counts, confidence):
    hits, n = counts
    # A second cluster holds both groups, so that both exist whatever the first one has.
    labels, groups = [0] * n + [1, 1], ["a"] * hits + ["b"] * (n - hits) + ["a", "b"]
    table = group_shares(labels, groups, confidence)
    expected = binomtest(hits, n).proportion_ci(confidence, method="wilson")
    assert table.lower[0, 0] == pytest.approx(expected.low, abs=1e-12)
    assert table.upper[0, 0] == pytest.approx(expected.high, abs=1e-12)
    assert 0 <= table.lower[0, 0] <= table.shares[0, 0] <= table.upper[0, 0] <= 1


def test_equal_weights_change_counts_but_no_interval():
    plain, heavy = group_shares(LABELS, SEX), group_shares(LABELS, SEX, sample_weight=[7.0] * 8)
    np.testing.assert_allclose(heavy.counts, 7 * plain.counts)
    np.testing.assert_allclose(heavy.lower, plain.lower)
    np.testing.assert_allclose(heavy.upper, plain.upper)


def test_unequal_weights_use_the_effective_size_of_kish():
    # weights 3, 1, 1, 1: (6)^2 / 12 = 3 effective points, share of a = 1/2
    table = group_shares([0] * 4, ["a", "b", "b", "b"], sample_weight=[3.0, 1.0, 1.0, 1.0])
    z2 = 1.959963984540054**2
    half = np.sqrt(z2) * np.sqrt(0.25 / 3 + z2 / 36) / (1 + z2 / 3)
    np.testing.assert_allclose(table.lower[0], 0.5 - half)
    np.testing.assert_allclose(table.upper[0], 0.5 + half)


def test_more_confidence_is_wider():
    narrow, wide = group_shares(LABELS, SEX, 0.8), group_shares(LABELS, SEX, 0.99)
    assert (wide.lower < narrow.lower).all()
    assert (wide.upper > narrow.upper).all()


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, float("nan")])
def test_confidence_is_checked(confidence):
    with pytest.raises(ValueError, match="confidence must lie strictly between 0 and 1"):
        group_shares(LABELS, SEX, confidence)


def test_dict_is_json_with_the_same_numbers():
    table = group_shares(LABELS, SEX, n_clusters=3)
    content = json.loads(json.dumps(table.to_dict(), allow_nan=False))
    assert content["confidence"] == 0.95
    assert content["population"] == {"f": 0.375, "m": 0.625}
    assert [cluster["label"] for cluster in content["clusters"]] == [0, 1, 2]
    assert content["clusters"][0]["groups"]["f"] == {
        "count": 2.0,
        "share": 0.4,
        "lower": table.lower[0, 0],
        "upper": table.upper[0, 0],
    }
    assert content["clusters"][1]["groups"]["m"] == {"count": 0.0, "share": None, "lower": 0.0, "upper": 1.0}


def test_groups_of_several_attributes_keep_theirs():
    table = group_shares([0, 0], np.array([["f", "x"], ["m", "x"]]))
    assert table.shares.tolist() == [[0.5, 0.5, 1.0]]
    assert table.to_dict()["attributes"] == {
        "column 0=f": "column 0",
        "column 0=m": "column 0",
        "column 1=x": "column 1",
    }
