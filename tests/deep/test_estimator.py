import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch", reason="torch is missing")

from sklearn.base import clone

from faircluster import DeepFairClustering, FairnessBounds, Groups, InfeasibleBoundsError
from faircluster.deep import ImageAugmentation
from faircluster.deep.fair_step import fair_labels
from faircluster.metrics import additive_violation, balance, clustering_accuracy
from tests.deep.conftest import make_blobs, small_net


def same(a, b):
    return np.array_equal(a.labels_, b.labels_) and np.array_equal(a.fair_labels_, b.fair_labels_)


def test_finds_blobs_and_keeps_the_bounds(model, blobs):
    X, group, labels = blobs
    found = model(epochs=25, bounds=FairnessBounds.interval(0.03)).fit(X, sensitive_features=group)
    assert clustering_accuracy(labels, found.labels_) > 0.75  # fairness asks to move some
    assert found.violation_ == 0.0
    assert additive_violation(found.fair_labels_, group, found.bounds_) == 0
    assert found.balance_ == balance(found.labels_, group, n_clusters=3)
    assert found.fair_balance_ == balance(found.fair_labels_, group, n_clusters=3)


def test_without_fairness_the_blobs_are_found(model, blobs):
    X, group, labels = blobs
    plain = model(epochs=25, bounds=None).fit(X, sensitive_features=group)
    assert clustering_accuracy(labels, plain.labels_) > 0.97
    assert {row["stage"] for row in plain.history_} == {"pretrain"}
    np.testing.assert_array_equal(plain.labels_, plain.fair_labels_)


@pytest.fixture(scope="module")
def slope():
    """Points on a line without a gap; the group leans to one side, and a second feature tells it."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, 400)
    group = np.where(rng.random(400) < 1 / (1 + np.exp(1.5 * x)), "a", "b")
    return np.column_stack([x, np.where(group == "a", 1.0, -1.0)]), group


def line_net():
    return torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))


def test_the_fair_stage_raises_the_balance_of_the_network_itself(model, slope):
    X, group = slope
    settings = {"network": line_net, "perturbation": lambda x: x + 0.0, "by_group": False}
    before = model(**settings, fair_epochs=0).set_params(n_clusters=2).fit(X, sensitive_features=group)
    after = model(**settings, fair_epochs=40).set_params(n_clusters=2).fit(X, sensitive_features=group)
    assert after.balance_ > before.balance_ + 0.2
    # the same until the fair stage
    old, new = before.history_, after.history_[: len(before.history_)]
    assert [row["loss"] for row in new] == [row["loss"] for row in old]


def test_a_seed_gives_one_result_and_leaves_torch_alone(model, blobs):
    X, group, _ = blobs
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = model().fit(X, sensitive_features=group)
    assert torch.equal(torch.rand(1), expected)
    second = model().fit(X, sensitive_features=group)
    assert same(first, second)
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    other = model(random_state=1).fit(X, sensitive_features=group)
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


def test_predictions_need_no_group_and_no_company(fitted, blobs):
    X, _, _ = blobs
    np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
    np.testing.assert_allclose(fitted.predict_proba(X[7:8]), fitted.predict_proba(X)[7:8], atol=1e-6)
    assert fitted.predict_proba(X).sum(axis=1) == pytest.approx(np.ones(len(X)), abs=1e-5)
    assert fitted.transform(X).shape == (len(X), 3)  # a plain Sequential has no embedding of its own


def test_assign_keeps_the_bounds_of_a_new_batch(fitted):
    X, group, _ = make_blobs(150, seed=9)
    labels = fitted.assign(X, sensitive_features=group)
    assert additive_violation(labels, group, FairnessBounds.exact()) == 0
    np.testing.assert_array_equal(fitted.assign(X), fitted.predict(X))


@pytest.mark.parametrize("kind", ["memmap", "dataset", "float64", "frame", "list"])
def test_rows_of_any_kind_give_the_same(kind, model, fitted, blobs, tmp_path):
    X, group, _ = blobs
    if kind == "memmap":
        given = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=X.shape)
        given[:] = X
    elif kind == "dataset":
        given = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.zeros(len(X)))
    else:
        given = {"float64": X.astype(np.float64), "frame": pd.DataFrame(X, columns=list("abcd"))}.get(
            kind, X.tolist()
        )
    found = model().fit(given, sensitive_features=group)
    assert same(found, fitted)
    np.testing.assert_array_equal(found.predict(given), found.labels_)


def test_frames_are_remembered_by_their_columns(model, blobs):
    X, group, _ = blobs
    frame = pd.DataFrame(X, columns=list("abcd"))
    found = model(epochs=1, fair_epochs=0).fit(frame, sensitive_features=group)
    assert found.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        found.predict(frame.rename(columns={"a": "z"}))


@pytest.mark.parametrize("shape", [(60, 8, 8), (60, 3, 16, 12)])
def test_images(shape):
    X = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    found = DeepFairClustering(2, epochs=1, fair_epochs=1, n_init=1, random_state=0)
    found.fit(X, sensitive_features=np.arange(60) % 2)
    assert type(found.network_).__name__ == "ConvNet"
    assert found.transform(X[:4]).shape == (4, 128)
    assert found.violation_ == 0.0


@pytest.mark.parametrize(
    "changed",
    [
        {"perturbation": "noise"},
        {"perturbation": lambda x: x + 0.1},
        {"targets": "weighted"},
        {"sizes": "uniform"},
        {"sizes": "nearest"},
        {"by_group": True},
        {"fair_every": 2},
        {"preset": "paper", "network": "mlp"},
        {"precision": "bfloat16"},
    ],
    ids=str,
)
def test_every_setting_fits_and_changes_the_result(changed, model, fitted, blobs):
    X, group, _ = blobs
    found = model(**changed).fit(X, sensitive_features=group)
    assert found.violation_ == 0.0
    assert np.isfinite([row["loss"] for row in found.history_]).all()
    if changed.get("network") is None:
        assert not np.array_equal(found.predict_proba(X), fitted.predict_proba(X))


def test_labels_are_given_out_at_the_nearest_sizes(model, blobs):
    """Unless sizes are named, the paper is followed, or a guide has said what sizes there should be."""
    X, _, labels = blobs
    group = np.where((labels == 0) & (np.arange(len(X)) % 4 == 0), "few", "many")
    auto, predicted, nearest, paper, guided = (
        model(**{"guide": False, **changed}).fit(X, sensitive_features=group)
        for changed in (
            {},
            {"sizes": "predicted"},
            {"sizes": "nearest"},
            {"preset": "paper"},
            {"guide": True},
        )
    )
    assert guided.guided_
    np.testing.assert_array_equal(auto.labels_, predicted.labels_)
    moved = [np.sum(each.labels_ != each.fair_labels_) for each in (auto, predicted)]
    assert moved[0] < moved[1]
    for each in (auto, nearest):
        fair = fair_labels(each.predict_proba(X), Groups.from_features(group), each.bounds_, sizes="nearest")
        np.testing.assert_array_equal(each.fair_labels_, fair.labels)
        np.testing.assert_array_equal(each.assign(X, sensitive_features=group), fair.labels)
    for each in (predicted, paper, guided):
        sizes = np.bincount(each.labels_, minlength=3)
        np.testing.assert_array_equal(np.bincount(each.fair_labels_, minlength=3), sizes)


def test_stops_at_the_balance_target(model, slope):
    X, group = slope
    settings = {"network": line_net, "perturbation": lambda x: x + 0.0, "by_group": False}
    found = model(**settings, fair_epochs=60, balance_target=0.6)
    found.set_params(n_clusters=2).fit(X, sensitive_features=group)
    assert found.status_ == "balance_reached"
    assert found.balance_ >= 0.6
    assert sum(row["stage"] == "fair" and "loss" in row for row in found.history_) < 60


def test_several_attributes_and_missing_values(model, blobs):
    X, group, _ = blobs
    frame = pd.DataFrame({"sex": group, "age": np.where(np.arange(len(X)) % 5 == 0, None, "old")})
    with pytest.raises(ValueError, match="age"):
        model().fit(X, sensitive_features=frame)
    found = model(missing="group", bounds=0.2, epochs=2).fit(X, sensitive_features=frame)
    assert found.violation_ == 0.0
    assert (
        found.groups_.names == ("sex=a", "sex=b", "age=missing", "age=old")
        or "age=old" in found.groups_.names
    )


@pytest.mark.parametrize("n", [1, 3])
def test_as_many_clusters_as_rows(n):
    X = np.arange(4.0 * n).reshape(n, 4)
    found = DeepFairClustering(n, epochs=1, n_init=1, network=lambda: torch.nn.Linear(4, n), random_state=0)
    assert found.fit(X).labels_.shape == (n,)


def test_parameters_are_cloned_unchanged():
    made = DeepFairClustering(4, network=small_net(), perturbation=ImageAugmentation(), epochs=3)
    assert clone(made).get_params()["epochs"] == 3
    before = {name: value.clone() for name, value in made.network.state_dict().items()}
    X = np.random.default_rng(0).normal(size=(30, 4))
    given = DeepFairClustering(3, network=made.network, epochs=1, n_init=1, random_state=0).fit(X)
    assert given.network_ is not made.network
    assert all(torch.equal(value, before[name]) for name, value in made.network.state_dict().items())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"n_clusters": 0}, "n_clusters must be a whole number"),
        ({"n_clusters": 1000}, "n_clusters=1000 is more than the 240 rows"),
        ({"preset": "nature"}, "preset must be one of"),
        ({"perturbation": "blur"}, "perturbation must be"),
        ({"perturbation": "augment"}, "needs images"),
        ({"network": "conv"}, "needs images"),
        ({"network": "net"}, "network must be"),
        ({"network": torch.nn.Linear(4, 2)}, "score for each of the 3 clusters"),
        ({"targets": "soft"}, "targets must be"),
        ({"sizes": "big"}, "sizes must be"),
        ({"balance_target": 2}, "balance_target must be"),
        ({"device": "abacus"}, "device must be"),
        ({"precision": "half"}, "precision must be"),
        ({"epochs": -1}, "epochs must be a whole number"),
        ({"n_init": 0}, "n_init must be a whole number"),
        ({"learning_rate": 0.0}, "learning_rate must be a number"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"smoothing": 1.0}, "smoothing must be below 1"),
        ({"fair_every": 0}, "fair_every must be"),
        ({"by_group": "some"}, "by_group must be"),
    ],
    ids=str,
)
def test_bad_parameters(changed, words, model, blobs):
    X, group, _ = blobs
    with pytest.raises(ValueError, match=words):
        model().set_params(**changed).fit(X, sensitive_features=group)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((0, 3)), "0 rows"),
        (np.zeros(5), "must be vectors"),
        (np.array([["a", "b"]]), "must hold numbers"),
        (np.array([[0.0, 1.0], [np.nan, 1.0]]), "NaN or infinity, first in row 1"),
    ],
)
def test_bad_data(X, words):
    with pytest.raises(ValueError, match=words):
        DeepFairClustering(1).fit(X)


def test_bad_data_later(fitted, blobs):
    X, group, _ = blobs
    with pytest.raises(ValueError, match="the model was fitted on"):
        fitted.predict(X[:, :2])
    with pytest.raises(ValueError, match="NaN"):
        fitted.predict(np.full((2, 4), np.nan))
    with pytest.raises(ValueError, match="rows"):
        fitted.assign(X, sensitive_features=group[:5])


def test_impossible_bounds_are_told_before_training(model, blobs):
    X, group, _ = blobs
    with pytest.raises(InfeasibleBoundsError):
        model(bounds=FairnessBounds.explicit(lower={"a": 0.99})).fit(X, sensitive_features=group)


def test_importing_faircluster_does_not_import_torch():
    code = "import sys, faircluster; assert 'torch' not in sys.modules; faircluster.DeepFairClustering"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_torch_one_sentence_says_what_to_install():
    code = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, Missing())
import faircluster
try:
    from faircluster import DeepFairClustering
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == 'DeepFairClustering needs torch: pip install "faircluster[deep]"'


class Table(torch.nn.Module):
    """Looks up the nearest of eight places; the second group's half is numbered differently."""

    def __init__(self, places, numbering):
        super().__init__()
        self.register_buffer("places", places)
        self.scores = torch.nn.Parameter(5.0 * torch.eye(4)[numbering])

    def forward(self, x):
        near = torch.softmax(-10.0 * (x[:, :1] - self.places) ** 2, dim=1)
        return near @ self.scores


@pytest.mark.parametrize("align", [True, False])
def test_clusters_numbered_differently_in_another_group_are_matched(align, model, monkeypatch):
    from faircluster.deep import recipes

    monkeypatch.setitem(recipes.PRESETS, "best", recipes.Recipe(align=align))
    line = np.array([0.0, 1.0, 5.0, 14.0])
    places = np.concatenate([line, -5.0 - line])  # the second group is a mirror image
    where = np.arange(160) % 8
    X, labels, group = places[where][:, None], where % 4, where // 4
    numbering = [0, 1, 2, 3, 2, 0, 3, 1]
    found = model(
        network=lambda: Table(torch.tensor(places, dtype=torch.float32), numbering),
        perturbation=lambda x: x, epochs=0, fair_epochs=8, learning_rate=0.5,
    )  # fmt: skip
    found.set_params(n_clusters=4).fit(X, sensitive_features=group)
    if align:
        assert clustering_accuracy(labels, found.labels_) == 1.0
        assert found.history_[0]["aligned"] == 1
        assert found.history_[0]["moved"] == 0.5
        assert len([row for row in found.history_ if row["stage"] == "align"]) < 8
    else:
        assert clustering_accuracy(labels, found.labels_) < 0.6  # perfectly balanced, and wrong
        assert found.balance_ == 1.0
