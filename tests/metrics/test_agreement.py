"""Accuracy, MNCE and F-beta."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import normalized_mutual_info_score as sklearn_nmi

from faircluster.metrics import clustering_accuracy, f_beta, mnce, normalized_mutual_info_score

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20)


@given(PAIRS)
def test_accuracy_is_that_of_the_best_matching(pairs):
    classes, labels = np.array(pairs).T
    best = max(np.mean(np.array(order)[labels] == classes) for order in permutations(range(4)))
    assert clustering_accuracy(classes, labels) == pytest.approx(best)
    assert clustering_accuracy(labels, classes) == pytest.approx(best)


def test_accuracy_with_other_numbers_of_clusters_than_classes():
    assert clustering_accuracy(["x", "x", "y", "y"], [0, 1, 2, 2]) == 0.75
    assert clustering_accuracy([0, 1, 2, 2], [5, 5, -1, -1]) == 0.75


def test_accuracy_refuses_other_lengths():
    with pytest.raises(ValueError, match="labels_true must have one class for each of the 3 labels"):
        clustering_accuracy([0, 1], [0, 1, 1])


def entropy(*counts):
    shares = np.array(counts) / sum(counts)
    return -np.sum(shares * np.log(shares))


def test_mnce_by_hand():
    # cluster 0 has 1 a and 3 b, cluster 1 has 3 a and 3 b
    labels, groups = [0] * 4 + [1] * 6, list("abbb") + list("aaabbb")
    assert mnce(labels, groups) == pytest.approx(entropy(1, 3) / entropy(4, 6))


def test_mnce_edge_cases():
    assert mnce([0, 0, 1], ["a", "b", "a"]) == 0.0
    assert mnce([0, 0, 1], ["a", "a", "a"]) == 1.0
    assert mnce([0, 0, 1], None) == 1.0
    assert mnce([0, 0, 2, 2], ["a", "b", "a", "b"], n_clusters=4) == 1.0
    assert mnce([0, 0, 1], ["a", "b", "a"], sample_weight=[1.0, 1.0, 0.0]) == 1.0


@given(PAIRS)
def test_mnce_lies_between_0_and_1(pairs):
    labels, groups = np.array(pairs).T
    assert 0.0 <= mnce(labels, groups.astype(str)) <= 1.0


def test_mnce_takes_the_worst_attribute():
    columns = np.array([["f", "x"], ["m", "x"], ["f", "y"], ["m", "x"]])
    assert mnce([0, 0, 1, 1], columns[:, 0]) == 1.0
    assert mnce([0, 0, 1, 1], columns) == 0.0


def test_mnce_of_overlapping_groups_is_that_of_their_combinations():
    member = np.array([[1, 1], [1, 0], [0, 0], [1, 1], [1, 0], [1, 0]], dtype=bool)
    combination = np.array(["both", "one", "none", "both", "one", "one"])
    labels = [0, 0, 0, 1, 1, 1]
    assert mnce(labels, member) == pytest.approx(mnce(labels, combination))
    assert 0 < mnce(labels, member) < 1


def test_mnce_weights_equal_repeated_rows():
    labels, groups, weight = np.array([0, 0, 1, 1]), np.array(list("abab")), [1, 3, 2, 1]
    repeated = mnce(np.repeat(labels, weight), np.repeat(groups, weight))
    assert mnce(labels, groups, sample_weight=weight) == pytest.approx(repeated)
    assert repeated < 1


CLASSES, LABELS, GROUPS = [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1], list("abaabb")


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 3.0])
def test_f_beta_by_hand(beta):
    quality, fairness = sklearn_nmi(CLASSES, LABELS), mnce(LABELS, GROUPS)
    expected = 1 / ((1 / quality + beta**2 / fairness) / (1 + beta**2))
    assert f_beta(CLASSES, LABELS, GROUPS, beta) == pytest.approx(expected)


def test_f_beta_edge_cases():
    assert f_beta([0, 0, 1, 1], [0, 0, 1, 1], list("abab")) == pytest.approx(1.0)
    assert f_beta([0, 0, 1, 1], [0, 0, 1, 1], list("aabb")) == 0.0
    assert f_beta([0, 0, 1, 1], [0, 1, 0, 1], list("aabb")) == 0.0
    assert f_beta([0, 0, 1, 1], [0, 0, 1, 1], list("aabb"), beta=0) == pytest.approx(1.0)


@pytest.mark.parametrize("beta", [-1.0, np.inf, np.nan])
def test_f_beta_refuses_beta(beta):
    with pytest.raises(ValueError, match="beta must be a finite number"):
        f_beta(CLASSES, LABELS, GROUPS, beta)


def test_nmi_is_scikit_learns():
    assert normalized_mutual_info_score is sklearn_nmi
