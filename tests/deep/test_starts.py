"""Which of several starts is kept, and how its clusters are regrouped."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is missing")

from sklearn.datasets import load_digits

from faircluster import DeepFairClustering
from faircluster.deep import diagnose, steps
from faircluster.deep.neighbors import nearest_neighbors, neighbor_information


def test_the_best_of_several_starts_has_the_least_score(model, blobs):
    X, group, _ = blobs
    found = model(n_init=3, epochs=2, fair_epochs=0).fit(X, sensitive_features=group)
    last = [row["score"] for row in found.history_ if row["epoch"] == 1]
    assert found.scores_ == last
    assert found.information_ == []
    kept = int(np.argmin(last))
    assert found.start_ == kept
    alone = [model(n_init=1 + kept, epochs=2, fair_epochs=0).fit(X, sensitive_features=group)]
    np.testing.assert_array_equal(found.predict_proba(X), alone[0].predict_proba(X))


def test_of_several_starts_on_images_the_one_that_says_most_about_neighbors_is_kept(images, monkeypatch):
    X, group = images
    monkeypatch.setattr(steps, "regroup", lambda embedded, labels, *_: (labels, 0.0))
    found = DeepFairClustering(4, n_init=3, epochs=2, fair_epochs=0, random_state=7)
    found.fit(X, sensitive_features=group)
    assert len(found.information_) == 3
    assert found.start_ == int(np.argmax(found.information_)) != int(np.argmin(found.scores_))
    scaled = ((X[:, None] - found.center_) / found.scale_).astype(np.float32)
    rows, neighbors = nearest_neighbors(lambda i: torch.from_numpy(scaled[i]), len(X), 64, 0)
    told = neighbor_information(found.labels_, rows, neighbors)
    assert told == pytest.approx(found.information_[found.start_])
    monkeypatch.undo()
    regrouped = DeepFairClustering(4, n_init=3, epochs=2, fair_epochs=0, random_state=7)
    regrouped.fit(X, sensitive_features=group)
    assert (np.array(regrouped.information_) >= np.array(found.information_)).all()
    assert max(regrouped.information_) > max(found.information_) + 0.1
    assert neighbor_information(regrouped.labels_, rows, neighbors) > told + 0.1
    learned = [row for row in regrouped.history_ if row["stage"] == "regroup"]
    assert [row["epoch"] for row in learned] == [0, 1]
    assert all(0.05 < row["regrouped"] < 1 for row in learned)
    assert any("nearest neighbors" in remark for remark in diagnose(regrouped))


def test_a_start_is_judged_by_what_is_left_of_it_after_regrouping(images, monkeypatch):
    """The one of least information before is the best here, as it is mended."""
    X, group = images
    truth = load_digits(n_class=4).target[: len(X)].astype(np.int32)
    monkeypatch.setattr(steps, "regroup", lambda embedded, labels, *_: (labels, 0.0))
    plain = DeepFairClustering(4, n_init=3, epochs=2, fair_epochs=0, random_state=7)
    worst = int(np.argmin(plain.fit(X, sensitive_features=group).information_))
    assert worst != plain.start_
    calls = []

    def mended(embedded, labels, rows, neighbors, n_clusters, seed):
        calls.append(labels)
        start = (len(calls) - 1) if len(calls) <= 3 else None
        if start == worst or (start is None and np.array_equal(labels, calls[worst])):
            return truth, 1.0
        return labels, 0.0

    monkeypatch.setattr(steps, "regroup", mended)
    found = DeepFairClustering(4, n_init=3, epochs=2, fair_epochs=0, random_state=7)
    found.fit(X, sensitive_features=group)
    assert found.start_ == worst
    assert len(calls) == 4
    assert {row["stage"] for row in found.history_} == {"pretrain", "regroup"}


def test_neither_vectors_nor_the_paper_are_regrouped_nor_who_does_not_want_it(images, fitted):
    X, group = images
    paper = DeepFairClustering(4, preset="paper", epochs=1, fair_epochs=1, random_state=0)
    told = DeepFairClustering(4, regroup=False, n_init=1, epochs=1, fair_epochs=1, random_state=0)
    for found in (fitted, *(each.fit(X, sensitive_features=group) for each in (paper, told))):
        assert all(row["stage"] != "regroup" for row in found.history_)
