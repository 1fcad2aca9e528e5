"""Intervals and verdicts: held against formulas written out, scipy, and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from scipy.stats.contingency import relative_risk

from faircluster.metrics import group_shares
from faircluster.metrics.contingency import contingency
from faircluster.report.evidence import effective_sizes, judge_shares, simultaneous_z, wilson


def judged(labels, groups, weights=None, confidence=0.95):
    table = contingency(labels, groups, weights)
    members = np.arange(table.groups.n_groups)
    return table, judge_shares(
        table.counts.T, table.sizes, table.groups, members, effective_sizes(table), confidence
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.data())
def test_wilson_is_that_of_scipy(n, data):
    k = data.draw(st.integers(0, n))
    low, high = wilson(np.array(k / n), np.array(float(n)), simultaneous_z(0.95, 1))
    found = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert low == pytest.approx(found.low, abs=1e-12)
    assert high == pytest.approx(found.high, abs=1e-12)


def test_wilson_of_nothing_is_everything():
    low, high = wilson(np.array([np.nan, 0.5]), np.array([5.0, 0.0]), 1.96)
    assert low.tolist() == [0.0, 0.0]
    assert high.tolist() == [1.0, 1.0]


def test_simultaneous_level_is_bonferroni():
    assert simultaneous_z(0.9, 8) == pytest.approx(norm.ppf(1 - 0.1 / 16))
    assert simultaneous_z(0.9, 0) == simultaneous_z(0.9, 1)


def test_intervals_are_those_of_group_shares_also_under_weights():
    rng = np.random.default_rng(1)
    labels, groups = rng.integers(0, 3, 200), rng.choice(list("abc"), 200)
    weights = rng.integers(1, 5, 200).astype(float)
    _, found = judged(labels, groups, weights)
    shares = group_shares(labels, groups, sample_weight=weights)
    assert found.lower == pytest.approx(shares.lower)
    assert found.upper == pytest.approx(shares.upper)
    assert (found.wide_lower <= found.lower).all()
    assert (found.wide_upper >= found.upper).all()


def test_small_counts_get_no_verdict():
    # 4 of group b are expected among the 40 of cluster 0, 6 among the 60 of cluster 1
    labels = [0] * 40 + [1] * 60
    groups = (["a"] * 30 + ["b"] * 10) + ["a"] * 60
    _, found = judged(labels, groups)
    assert found.few.tolist() == [[True, True], [False, False]]
    assert not found.differs[0].any()
    words = found.verdicts(np.zeros((2, 2)), np.full((2, 2), 0.2), np.array([[1.0, 1.0], [1.0, 0.0]]))
    assert words[0].tolist() == ["too few", "too few"]
    assert words[1].tolist() == ["conclusive", "conclusive"]


def test_verdicts_ask_for_the_whole_wide_interval():
    labels, groups = [0] * 400 + [1] * 400, ["a"] * 240 + ["b"] * 160 + ["a"] * 160 + ["b"] * 240
    _, found = judged(labels, groups)
    low, high = found.wide_lower[0, 0], found.wide_upper[0, 0]

    def verdict(least, most, excess):
        shape = (2, 2)
        return found.verdicts(np.full(shape, least), np.full(shape, most), np.full(shape, excess))[0, 0]

    assert verdict(0.0, low - 0.01, 5.0) == "conclusive"
    assert verdict(0.0, low + 0.01, 5.0) == "not conclusive"
    assert verdict(high + 0.01, 1.0, -5.0) == "conclusive"
    assert verdict(high - 0.01, 1.0, -5.0) == "not conclusive"
    assert verdict(low - 0.01, high + 0.01, 0.0) == "conclusive"
    assert verdict(low + 0.01, 1.0, 0.0) == "not conclusive"


def test_empty_clusters_have_no_evidence():
    table = contingency([0, 0, 2], list("aab"), None, 3)
    found = judge_shares(
        table.counts.T, table.sizes, table.groups, np.arange(2), effective_sizes(table), 0.95
    )
    assert np.isnan(found.shares[1]).all()
    assert np.isnan(found.impact_ratio[1]).all()
    assert not found.below_four_fifths[1].any()
    words = found.verdicts(np.zeros((3, 2)), np.ones((3, 2)), np.zeros((3, 2)))
    assert words[1].tolist() == ["empty", "empty"]


def test_impact_ratio_and_its_interval():
    labels = [0] * 300 + [1] * 700
    groups = ["a"] * 200 + ["b"] * 100 + ["a"] * 300 + ["b"] * 400
    _, found = judged(labels, groups)
    assert found.rates == pytest.approx(np.array([[0.4, 0.2], [0.6, 0.8]]))
    assert found.impact_ratio == pytest.approx(np.array([[1.0, 0.5], [0.75, 1.0]]))
    assert found.below_four_fifths.tolist() == [[False, True], [True, False]]
    # the same as the Katz interval of scipy, but for half a member more
    level = 1 - 0.05 / 4
    katz = relative_risk(100, 500, 200, 500).confidence_interval(level)
    assert katz.high < 0.8
    assert found.four_fifths_sure[0, 1]
    katz = relative_risk(300, 500, 400, 500).confidence_interval(level)
    assert katz.high > 0.8
    assert not found.four_fifths_sure[1, 0]


def test_weights_make_evidence_weaker():
    rng = np.random.default_rng(0)
    labels, groups = (
        np.repeat([0, 1], 300),
        np.concatenate(
            [rng.choice(["a", "b"], 300, p=[0.6, 0.4]), rng.choice(["a", "b"], 300, p=[0.4, 0.6])]
        ),
    )
    _, plain = judged(labels, groups)
    equal = judged(labels, groups, np.full(600, 3.0))[1]
    assert equal.lower == pytest.approx(plain.lower)  # a common factor of all weights means nothing
    unequal = judged(labels, groups, np.where(np.arange(600) % 10 == 0, 50.0, 1.0))[1]
    assert (unequal.upper - unequal.lower > plain.upper - plain.lower).all()


def test_false_alarms_are_rare_where_nothing_is_wrong():
    """Labels drawn without regard to groups: any 'differs' in 400 audits of 40 cells each is a false one."""
    rng = np.random.default_rng(7)
    alarms = fifths = 0
    for _ in range(400):
        labels = rng.choice(10, 3000, p=np.arange(1, 11) / 55)
        groups = rng.choice(list("abcd"), 3000, p=[0.55, 0.3, 0.1, 0.05])
        _, found = judged(labels, groups)
        alarms += found.differs.any()
        fifths += found.four_fifths_sure.any()
    assert alarms <= 0.05 * 400
    assert fifths <= 0.05 * 400


def test_what_is_wrong_is_found():
    rng = np.random.default_rng(7)
    groups = rng.choice(["a", "b"], 5000, p=[0.7, 0.3])
    labels = np.where(groups == "b", rng.choice(4, 5000, p=[0.4, 0.2, 0.2, 0.2]), rng.integers(0, 4, 5000))
    _, found = judged(labels, groups)
    assert found.differs[0].all()
    assert found.four_fifths_sure[0, 0]
