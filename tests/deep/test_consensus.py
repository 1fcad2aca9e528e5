"""Starts that found the same clusters, asked together in the fair step."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is missing")

from faircluster import DeepFairClustering
from faircluster.deep import fitting, training
from faircluster.deep.consensus import consensus
from faircluster.deep.inputs import Rows
from faircluster.deep.prediction import predict_proba

CPU = torch.device("cpu")


def linear(order):
    network = torch.nn.Linear(3, 3)
    with torch.no_grad():
        network.weight.copy_(6.0 * torch.eye(3)[order])
        network.bias.zero_()
    return network


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return np.eye(3, dtype=np.float32)[np.arange(90) % 3] + 0.1 * rng.normal(size=(90, 3)).astype(np.float32)


def together(points, *networks):
    rows, first = Rows(points, CPU), linear([0, 1, 2])
    return consensus(first, [n.state_dict() for n in networks], predict_proba(first, rows), rows)


def test_clusters_are_matched_before_probabilities_are_averaged(points):
    own = predict_proba(linear([0, 1, 2]), Rows(points, CPU))
    np.testing.assert_allclose(together(points, linear([0, 1, 2]), linear([1, 2, 0])), own, rtol=1e-5)


def test_others_change_what_is_close(points):
    tilted = linear([0, 1, 2])
    with torch.no_grad():
        tilted.bias[0] = 1.0
    rows = Rows(points, CPU)
    own, theirs = predict_proba(linear([0, 1, 2]), rows), predict_proba(tilted, rows)
    np.testing.assert_allclose(together(points, tilted), (own + theirs) / 2, rtol=1e-5)


def test_a_network_with_other_clusters_is_left_out(points):
    own = predict_proba(linear([0, 1, 2]), Rows(points, CPU))
    np.testing.assert_array_equal(together(points, linear([0, 0, 2])), own)


def test_a_network_that_diverged_has_no_voice(points):
    broken, own = linear([0, 1, 2]), predict_proba(linear([0, 1, 2]), Rows(points, CPU))
    with torch.no_grad():
        broken.bias[1] = float("nan")
    np.testing.assert_array_equal(together(points, broken), own)


def independent(n=240):
    """Blobs, and groups that have nothing to do with them."""
    rng = np.random.default_rng(3)
    X = 5.0 * np.eye(3, 4)[np.arange(n) % 3] + rng.normal(size=(n, 4))
    return X.astype(np.float32), rng.choice(["a", "b"], n)


def model(**changes):
    network = lambda: torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))  # noqa: E731
    settings = {"n_init": 3, "epochs": 8, "fair_epochs": 3, "batch_size": 40, "learning_rate": 0.02,
                "guide": False, "random_state": 0, "perturbation": "noise"}  # fmt: skip
    return DeepFairClustering(3, network=network, **{**settings, **changes})


@pytest.fixture
def given(monkeypatch):
    """What the engine was given in the fair steps."""
    seen, plain = [], training.fair_labels

    def spy(proba, *arguments, **named):
        seen.append(proba)
        return plain(proba, *arguments, **named)

    monkeypatch.setattr(training, "fair_labels", spy)
    return seen


def test_the_first_fair_labels_are_those_of_the_mean(given, monkeypatch):
    found, plain = [], training.consensus

    def asking(network, others, proba, *more):
        found.append((len(others), proba, plain(network, others, proba, *more)))
        return found[-1][2]

    monkeypatch.setattr(training, "consensus", asking)
    X, group = independent()
    model().fit(X, sensitive_features=group)
    ((others, proba, mean),) = found
    assert others == 2
    assert not np.allclose(mean, proba)
    own, asked, *later = given
    np.testing.assert_array_equal(own, proba)
    np.testing.assert_array_equal(asked, mean)
    assert len(later) == 2  # one for each epoch


def test_far_from_fair_the_other_starts_are_not_asked(given, monkeypatch):
    monkeypatch.setattr(training, "_FAR", 0.0)
    X, group = independent()
    found = model(fair_epochs=2).fit(X, sensitive_features=group)
    assert found.history_[-2]["moved"] > 0
    assert len(given) == 2


@pytest.mark.parametrize(("guide", "killed"), [(False, 24), (False, 25), (False, 26), (True, 5), (True, 9)])
def test_an_interrupted_fit_asks_the_same_networks_again(guide, killed, tmp_path, monkeypatch):
    X, group = independent()
    path, save, count = tmp_path / "checkpoint", fitting._Keeper.save, []

    def dying(self, run):
        save(self, run)
        count.append(1)
        if len(count) == killed:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fitting._Keeper, "save", dying)
        with pytest.raises(KeyboardInterrupt):
            model(checkpoint=path, guide=guide).fit(X, sensitive_features=group)
    resumed = model(checkpoint=path, guide=guide).fit(X, sensitive_features=group)
    whole = model(guide=guide).fit(X, sensitive_features=group)
    assert whole.guided_ == guide
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    np.testing.assert_array_equal(resumed.fair_labels_, whole.fair_labels_)
