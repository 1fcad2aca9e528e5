import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is missing")

from faircluster.deep import diagnose, plot_curves, plot_embedding


@pytest.fixture
def healthy(fitted):
    """A fit with nothing to remark on."""
    made = copy.copy(fitted)
    made.labels_ = np.arange(len(fitted.labels_)).astype(np.int32) % 3
    made.balance_, made.fair_balance_, made.status_ = 0.95, 1.0, "finished"
    made.history_ = [
        {"start": 0, "stage": "pretrain", "epoch": 0, "loss": 1.0, "conditional_entropy": 0.1},
        *(
            {"start": 0, "stage": "fair", "epoch": e, "loss": 1.0, "conditional_entropy": 0.1, "balance": 0.5,
             "moved": 0.05 - 0.01 * e, "predicted_balance": 0.5 + 0.2 * e}
            for e in range(3)
        ),
    ]  # fmt: skip
    return made


def fair_rows(model):
    return [row for row in model.history_ if row["stage"] == "fair"]


def test_nothing_to_remark(healthy):
    assert diagnose(healthy) == []


def test_collapsed_clusters(healthy):
    healthy.labels_ = np.where(healthy.labels_ == 2, 1, healthy.labels_)
    (words,) = diagnose(healthy)
    assert words.startswith("cluster 2 has collapsed to 0 of 240 points (expected about 80)")
    assert "n_init" in words


def test_undecided_network(healthy):
    healthy.history_[-1]["conditional_entropy"] = 1.0
    (words,) = diagnose(healthy)
    assert "undecided" in words
    assert "epochs" in words


def test_groups_in_clusters_of_their_own(healthy):
    fair_rows(healthy)[0].update(predicted_balance=0.0, moved=0.5)
    (words,) = diagnose(healthy)
    assert "some group was missing from a cluster (balance 0, 50% of the points moved" in words
    assert "by_group=True" in words


def test_clusters_matched_anew_and_many_moved(healthy):
    fair_rows(healthy)[0].update(moved=0.4)
    assert "moved 40% of the points" in diagnose(healthy)[0]
    fair_rows(healthy)[0].update(moved=0.02)
    healthy.history_.insert(1, {**healthy.history_[0], "stage": "align", "aligned": 1, "moved": 0.4})
    assert "were matched anew with those of the others (40% of the points" in diagnose(healthy)[0]


def test_balance_that_does_not_move(healthy):
    healthy.balance_ = 0.5
    for row in fair_rows(healthy):
        row["predicted_balance"] = 0.5
    (words,) = diagnose(healthy)
    assert words.startswith("balance does not move (0.500 to 0.500")
    fair_rows(healthy)[-1]["moved"] = 0.001
    (words,) = diagnose(healthy)
    assert "by heart" in words


def test_diverged(healthy):
    healthy.status_ = "diverged"
    assert "lower learning_rate" in diagnose(healthy)[0]


def test_pictures(fitted, blobs):
    X, group, _ = blobs
    figure = plot_curves(fitted)
    loss = [line for line in figure.axes[0].lines if len(line.get_xdata())]
    drawn = sorted((x, y) for line in loss for x, y in zip(*line.get_data(), strict=True))
    assert [x for x, _ in drawn] == list(range(1, 8))
    assert [y for _, y in drawn] == [row["loss"] for row in fitted.history_]
    both = plot_embedding(fitted, X, group, most=60).axes
    assert [len(axis.collections[0].get_offsets()) for axis in both] == [60, 60]
    with pytest.raises(ValueError, match="one attribute with 240 values"):
        plot_embedding(fitted, X, group[:3])
