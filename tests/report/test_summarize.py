"""The whole audit: every section against its metric, and what it assumes said."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

from faircluster import FairKCenter, FairKMeans, FairKMedian, FairnessBounds, audit
from faircluster.groups import Groups
from faircluster.metrics import balance, fairness_ratio, group_costs, point_costs
from faircluster.report.audit import audit_clustering


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(center, 1.0, size=(150, 2)) for center in (0, 4, 8)])
    place = np.repeat([0, 1, 2], 150)
    sex = np.where(rng.random(450) < 0.25 + 0.25 * place, "F", "M")
    race = rng.choice(["a", "b", "c"], 450, p=[0.6, 0.25, 0.15])
    frame = pd.DataFrame({"sex": sex, "race": race})
    plain = KMeans(3, n_init=3, random_state=0).fit(X)
    model = FairKMeans(3, bounds=0.3, n_init=1, random_state=0).fit(X, sensitive_features=frame)
    return X, frame, plain, model


def test_sections_are_the_metrics(case):
    X, frame, plain, model = case
    found = audit(model.labels_, frame, X, model=model, before=plain.labels_).to_dict()
    after, before = found["clustering"], found["before"]
    for section, labels in ((after, model.labels_), (before, plain.labels_)):
        assert [c["size"] for c in section["clusters"]] == np.bincount(labels).tolist()
        assert section["overall"]["balance"] == balance(labels, frame)
        assert section["overall"]["fairness_ratio"] == fairness_ratio(labels, frame)
        assert section["overall"]["violation"] == audit_clustering(labels, frame, 0.3).violation
    assert found["bounds"]["value"] == 0.3
    cost = point_costs(X, model.cluster_centers_, model.labels_)
    expected = group_costs(cost, frame)
    assert after["costs"]["total"] == pytest.approx(model.inertia_)
    assert [g["mean"] for g in after["costs"]["groups"]] == pytest.approx(expected.means)
    assert after["costs"]["worst_group"] == expected.worst_group
    assert after["costs"]["ratio"] == pytest.approx(expected.ratio)
    assert before["costs"]["total"] == pytest.approx(plain.inertia_, rel=1e-3)
    assert found["price"]["price"] == model.price_of_fairness_
    certificate = found["certificate"]
    assert certificate["applies"]
    assert (certificate["lower_bound"], certificate["gap"]) == (model.lower_bound_, model.gap_)


def test_cells_count_and_flag(case):
    _, frame, plain, _ = case
    found = audit(plain.labels_, frame, bounds=0.2).to_dict()["clustering"]
    for attribute in found["attributes"]:
        column = frame[attribute["attribute"]].to_numpy()
        flat = []
        for j, row in enumerate(attribute["cells"]):
            for group, cell in zip(attribute["groups"], row, strict=True):
                inside = plain.labels_ == j
                share = (column[inside] == group["value"]).mean()
                assert cell["share"] == pytest.approx(share)
                everyone = (column == group["value"]).mean()
                outside = share < 0.8 * everyone - 1e-12 or share > everyone / 0.8 + 1e-12
                assert (cell["state"] != "within") == outside
                assert cell["ratio"] == pytest.approx(share / everyone)
                assert cell["lower"] <= share <= cell["upper"]
                flat.append(cell)
        counts = attribute["counts"]
        assert counts["cells"] == len(flat)
        assert counts["outside"] == sum(c["state"] != "within" for c in flat)
        assert 0 < counts["outside_conclusive"] <= counts["outside"] or attribute["attribute"] == "race"
        assert counts["few"] <= counts["undecided"]


def test_json_is_plain_and_complete(case, tmp_path):
    X, frame, plain, model = case
    result = audit(model.labels_, frame, X, model=model, before=plain.labels_)
    text = result.to_json(tmp_path / "audit.json")
    assert json.loads((tmp_path / "audit.json").read_text()) == json.loads(text) == result.to_dict()
    assert result.to_json() == text
    assert str(result).splitlines()[0] == "Every cluster keeps the bounds for every group."


def test_without_features_model_or_rival_it_says_less(case):
    _, frame, plain, _ = case
    found = audit(plain.labels_, frame).to_dict()
    assert found["before"] is found["price"] is found["certificate"] is None
    assert found["clustering"]["costs"] is None
    assert found["pictures"]["embedding"] is None
    assert any("No bounds were given" in line for line in found["assumptions"])
    assert all(row["features"] == [] for row in found["proxies"]["attributes"])


def test_price_against_another_clustering(case):
    X, frame, plain, model = case
    found = audit(model.labels_, frame, X, 0.3, before=plain.labels_).to_dict()
    means = np.array([X[model.labels_ == j].mean(axis=0) for j in range(3)])
    cost = point_costs(X, means, model.labels_).sum()
    assert found["price"]["fair_cost"] == pytest.approx(cost)
    assert found["price"]["price"] == pytest.approx(cost / plain.inertia_, rel=1e-3)


def test_a_certificate_is_for_its_own_labels(case):
    X, frame, plain, model = case
    found = audit(plain.labels_, frame, X, model=model).to_dict()
    assert not found["certificate"]["applies"]
    assert "not the ones audited here" in found["certificate"]["words"]
    assert found["price"] is None
    assert found["clustering"]["costs"]["measure"].endswith("the mean of the cluster")


def test_other_objectives(case):
    X, frame, _, _ = case
    median = FairKMedian(3, bounds=0.3, n_init=1, random_state=0).fit(X, sensitive_features=frame)
    found = audit(median.labels_, frame, X, model=median).to_dict()
    assert found["clustering"]["costs"]["power"] == 1
    assert found["clustering"]["costs"]["total"] == pytest.approx(median.inertia_)
    center = FairKCenter(3, bounds=0.3, n_init=1, random_state=0).fit(X, sensitive_features=frame)
    found = audit(center.labels_, frame, X, model=center).to_dict()
    assert found["clustering"]["costs"]["radius"] == pytest.approx(center.radius_)
    assert found["certificate"]["kind"] == "radius"
    assert found["price"]["fair_cost"] == center.radius_


def test_intersections_find_what_single_attributes_hide():
    # both attributes are spread evenly over both clusters, their combinations are not
    sex = np.array(["F", "M"] * 200)
    race = np.array(["a", "a", "b", "b"] * 100)
    labels = ((sex == "F") == (race == "a")).astype(int)
    found = audit(labels, pd.DataFrame({"sex": sex, "race": race}), bounds=0.1).to_dict()
    assert found["clustering"]["overall"]["violation"] == 0
    (both,) = found["clustering"]["intersections"]
    assert both["attribute"] == "sex & race"
    assert {row["group"] for row in both["combinations"]} == {
        "sex=F & race=a", "sex=F & race=b", "sex=M & race=a", "sex=M & race=b",
    }  # fmt: skip
    assert all(row["conclusive"] and row["differs"] == 2 for row in both["combinations"])
    assert any("Intersections (sex & race): 4 combinations" in s["text"] for s in found["summary"])


def test_three_attributes_give_pairs_and_the_whole():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.choice(["x", "y"], 80) for name in "abc"})
    found = audit(rng.integers(0, 2, 80), frame).to_dict()["clustering"]["intersections"]
    assert [part["attribute"] for part in found] == ["a & b", "a & c", "b & c", "a & b & c"]
    assert [len(part["combinations"]) for part in found] == [4, 4, 4, 8]
    assert all(sum(row["count"] for row in part["combinations"]) == 80 for part in found)


def test_weights_are_copies_in_every_share(case):
    X, frame, plain, _ = case
    weights = np.random.default_rng(2).integers(1, 4, len(X))
    kept = np.repeat(np.arange(len(X)), weights)
    one = audit(plain.labels_, frame, X, sample_weight=weights).to_dict()
    two = audit(plain.labels_[kept], frame.iloc[kept], X[kept]).to_dict()
    assert one["data"]["weighted"]
    assert any("Kish" in line for line in one["assumptions"])
    assert one["data"]["total_weight"] == two["data"]["rows"]
    for a, b in zip(one["clustering"]["attributes"], two["clustering"]["attributes"], strict=True):
        for row, other in zip(a["cells"], b["cells"], strict=True):
            assert [c["share"] for c in row] == pytest.approx([c["share"] for c in other])
            assert all(
                c["upper"] - c["lower"] > d["upper"] - d["lower"] for c, d in zip(row, other, strict=True)
            )
    means = [[g["mean"] for g in found["clustering"]["costs"]["groups"]] for found in (one, two)]
    assert means[0] == pytest.approx(means[1])


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pd.Categorical])
def test_labels_of_any_kind(kind):
    names = ["x", "y", "x", "y"]
    found = audit(kind(names), list("abab")).to_dict()
    assert [c["label"] for c in found["clustering"]["clusters"]] == ["x", "y"]
    found = audit(np.array([7, -1, 7, -1]), list("abab")).to_dict()
    assert [c["label"] for c in found["clustering"]["clusters"]] == ["-1", "7"]


def test_names_come_from_the_frame(case):
    X, frame, plain, _ = case
    found = audit(plain.labels_, frame, pd.DataFrame(X, columns=["age", "pay"])).to_dict()
    assert found["data"]["features"] == ["age", "pay"]
    found = audit(plain.labels_, frame, X, cluster_names=["p", "q", "r"]).to_dict()
    assert found["data"]["features"] == ["feature 0", "feature 1"]
    assert [c["label"] for c in found["clustering"]["clusters"]] == ["p", "q", "r"]


def test_the_input_is_left_alone(case):
    X, frame, plain, model = case
    fortran = np.asfortranarray(X)
    for given in (X, fortran, X[:, :1]):
        kept = given.copy()
        audit(plain.labels_, frame, given, before=model.labels_)
        assert (given == kept).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confidence": 1.0}, "confidence must lie strictly between 0 and 1"),
        ({"X": np.zeros((3, 1))}, "X has 3 rows but there are 4 labels"),
        ({"X": np.full((4, 1), np.nan)}, "Input X contains NaN"),
        ({"X": np.zeros((4, 1)), "feature_names": ["a", "b"]}, "feature_names has 2 names"),
        ({"cluster_names": ["a"]}, "cluster_names has 1 names"),
        ({"labels": [0.5, 0.5, 1.0, 1.0]}, "labels must be integers or strings"),
        ({"labels": ["a", None, "b", "b"]}, "labels must be integers or strings, but holds None"),
        ({"labels": [[0, 1]]}, "labels must be one label a row"),
        ({"before": ["a", None, "b", "b"]}, "before must be integers or strings"),
        ({"labels": [0, 1]}, "sensitive_features has 4 rows"),
        ({"bounds": 2.0}, "s must satisfy"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"labels": [0, 0, 1, 1], "sensitive_features": list("abab"), **change}
    with pytest.raises(ValueError, match=message):
        audit(**given)


def test_weights_are_not_given_twice():
    groups = Groups.from_features(list("abab"))
    with pytest.raises(ValueError, match="carries its own weights"):
        audit([0, 0, 1, 1], groups, sample_weight=[1, 1, 1, 1])


def test_every_kind_of_bounds_has_words():
    for rules in (
        "exact", 0.2, FairnessBounds.interval(0.05), FairnessBounds.ratio(0.8), FairnessBounds.balance(0.4),
        FairnessBounds.max_share(0.7), FairnessBounds.explicit(lower={"a": 0.1}), FairnessBounds.slack(0.0),
        FairnessBounds.per_cluster([0.1, None]),
    ):  # fmt: skip
        found = audit([0, 0, 1, 1] * 30, list("abab") * 30, bounds=rules).to_dict()
        assert len(found["bounds"]["words"]) > 20
        assert found["summary"][0]["text"] == "Every cluster keeps the bounds for every group."


def test_empty_and_single_clusters():
    found = audit(["x"] * 6, list("ababab")).to_dict()
    assert found["clustering"]["n_clusters"] == 1
    assert found["proxies"]["attributes"][0]["explained"] == 0
    found = audit([0, 0, 0, 0], ["a"] * 4, [[0.0]] * 4).to_dict()
    assert found["clustering"]["costs"]["ratio"] is None
