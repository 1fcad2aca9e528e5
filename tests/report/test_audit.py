"""An audit says what is so: held against counting by hand."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster import FairKMeans, FairnessBounds
from faircluster.groups import Groups
from faircluster.metrics import additive_violation, balance, fairness_ratio
from faircluster.report import audit_clustering


@st.composite
def clusterings(draw):
    n = draw(st.integers(4, 40))
    labels = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    sex = draw(st.lists(st.sampled_from("FM"), min_size=n, max_size=n))
    race = draw(st.lists(st.sampled_from("abc"), min_size=n, max_size=n))
    weights = draw(st.none() | st.lists(st.integers(1, 3), min_size=n, max_size=n))
    return np.array(labels), pd.DataFrame({"sex": sex, "race": race}), weights


bounds = st.one_of(
    st.floats(0.0, 0.9).map(FairnessBounds.slack),
    st.floats(0.0, 0.5).map(FairnessBounds.interval),
    st.just(FairnessBounds.exact()),
)


@settings(max_examples=150, deadline=None)
@given(clusterings(), bounds)
def test_cells_agree_with_counting(clustering, rules):
    labels, frame, weights = clustering
    audit = audit_clustering(labels, frame, rules, sample_weight=weights)
    w = np.ones(len(labels)) if weights is None else np.array(weights, dtype=float)
    clusters = sorted(set(labels.tolist()))
    for attribute in audit.attributes:
        column = frame[attribute.attribute].to_numpy()
        groups = sorted(set(column))
        assert attribute.clusters == tuple(map(str, clusters))
        assert attribute.shares.names == tuple(f"{attribute.attribute}={group}" for group in groups)
        for j, cluster in enumerate(clusters):
            for t, group in enumerate(groups):
                size, count = w[labels == cluster].sum(), w[(labels == cluster) & (column == group)].sum()
                low, high = attribute.lower[j, t], attribute.upper[j, t]
                beyond = max(count - high * size, low * size - count)
                # exact proportions ask for less than one point of difference
                allowed = 1 - 0.5 / w.sum() if rules.kind == "exact" else 1e-9 * w.sum()
                assert (attribute.excess[j, t] != 0) == (beyond > allowed)
                if beyond > allowed:
                    sign = 1 if count - high * size > low * size - count else -1
                    assert attribute.excess[j, t] == pytest.approx(sign * beyond)
        assert (attribute.excess == 0).all() == (attribute.violation == 0)
        worst = attribute.worst_cell
        if worst is None:
            assert attribute.violation == 0
        else:
            assert worst.points == np.abs(attribute.excess).max()
            assert (worst.share > worst.limit) == (worst.side == "above")
    assert audit.violation == pytest.approx(
        additive_violation(labels, frame, rules, sample_weight=weights), abs=1e-9 * w.sum()
    )
    json.dumps(audit.to_dict(), allow_nan=False)


def test_figures_of_an_attribute_are_the_metrics(plain_and_fair):
    labels, _, frame = plain_and_fair
    audit = audit_clustering(labels, frame, 0.2)
    for attribute in audit.attributes:
        column = frame[[attribute.attribute]]
        assert attribute.balance == balance(labels, column)
        assert attribute.fairness_ratio == fairness_ratio(labels, column)
        assert attribute.violation == pytest.approx(additive_violation(labels, column, 0.2))


@pytest.mark.parametrize(
    "rules",
    [
        0.2,
        "exact",
        FairnessBounds.balance(0.4),
        FairnessBounds.max_share(0.8),
        FairnessBounds.slack(0.2, target={"sex=F": 0.5, "sex=M": 0.5}),
        FairnessBounds.explicit(lower={"F": [0.4, 0.2, 0.0]}, upper={"race=a": 0.6}),
        FairnessBounds.per_cluster([0.3, None, FairnessBounds.explicit(lower={"race=a": 0.1})]),
        FairnessBounds.exact(target={"sex=F": 0.5, "sex=M": 0.5}),
    ],
)
def test_overall_violation_is_that_of_all_attributes_together(plain_and_fair, rules):
    labels, _, frame = plain_and_fair
    assert audit_clustering(labels, frame, rules).violation == pytest.approx(
        additive_violation(labels, frame, rules)
    )


def test_fair_clustering_passes_and_plain_one_does_not(plain_and_fair):
    plain, fair, frame = plain_and_fair
    assert audit_clustering(fair, frame, 0.2).violation == 0
    assert all(a.worst is None for a in audit_clustering(fair, frame, 0.2).attributes)
    assert audit_clustering(plain, frame, 0.2).violation > 1


def test_exact_clustering_passes_its_own_audit():
    rng = np.random.default_rng(0)
    X, sex = rng.normal(size=(61, 2)), rng.choice(list("FM"), 61)
    model = FairKMeans(4, bounds="exact", random_state=0).fit(X, sensitive_features=sex)
    (attribute,) = audit_clustering(model.labels_, sex, "exact").attributes
    assert attribute.worst is None


def test_names_empty_clusters_and_intervals():
    audit = audit_clustering([0, 0, 2], list("aab"), 0.2, n_clusters=4, cluster_names=["w", "x", "y", "z"])
    (attribute,) = audit.attributes
    assert attribute.clusters == ("w", "x", "y", "z")
    assert attribute.shares.sizes.tolist() == [2, 0, 1, 0]
    assert not attribute.excess[[1, 3]].any()
    packed = audit.to_dict()["attributes"][0]["clusters"]
    assert [cluster["label"] for cluster in packed] == ["w", "x", "y", "z"]
    assert packed[1]["groups"]["a"]["share"] is None
    assert packed[0]["groups"]["a"]["differs_from_population"] is False
    with pytest.raises(ValueError, match="cluster_names has 1 names but there are 2 clusters"):
        audit_clustering([0, 1], list("ab"), cluster_names=["w"])


def test_difference_from_the_population_is_that_of_the_interval():
    labels = [0] * 200 + [1] * 200
    sex = ["a"] * 150 + ["b"] * 50 + ["a"] * 100 + ["b"] * 100
    (attribute,) = audit_clustering(labels, sex, 0.2).attributes
    assert attribute.shares.population[0] == 0.625
    assert attribute.differs.tolist() == [[True, True], [True, True]]
    (attribute,) = audit_clustering(labels[::10], sex[::10], 0.2).attributes
    assert attribute.differs.tolist() == [[False, False], [False, False]]


def test_a_groups_with_weights_is_taken_as_it_is():
    groups = Groups.from_features(["a", "b", "a"], sample_weight=[2, 1, 1])
    audit = audit_clustering([0, 0, 1], groups, 0.2)
    assert (audit.total, audit.n_rows, audit.n_clusters) == (4.0, 3, 2)


def test_worst_cell_reads_as_a_sentence():
    audit = audit_clustering([0] * 10 + [1] * 10, ["a"] * 2 + ["b"] * 8 + ["a"] * 6 + ["b"] * 4, 0.2)
    (attribute,) = audit.attributes
    assert str(attribute.worst_cell) == (
        "cluster 0 has 20.0% of a where at least 32.0% is allowed: 1.2 points too few"
    )
