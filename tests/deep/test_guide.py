"""A first clustering from fair k-means: where it is taken, and what a network makes of it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is missing")

from sklearn.metrics import adjusted_rand_score

from faircluster import DeepFairClustering, FairKMeans
from faircluster.deep import fitting, guide, steps, training
from faircluster.deep.guide import find_guide
from faircluster.deep.inputs import Rows
from faircluster.groups import Groups
from faircluster.metrics import additive_violation

CPU = torch.device("cpu")


def independent(n=240, shares=(1 / 3, 1 / 3, 1 / 3), seed=0):
    """Blobs, and groups that have nothing to do with them."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(len(shares), n, p=shares)
    X = (4.0 * np.eye(len(shares), 4)[labels] + rng.normal(size=(n, 4))).astype(np.float32)
    return X, rng.choice(["a", "b"], n), labels


def small_net():
    return torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))


def found(X, groups, k, n_init=3, drawn=None, seed=0):
    drawn = np.arange(len(X)) if drawn is None else drawn
    return find_guide(Rows(X, CPU), drawn, Groups.from_features(groups), k, n_init, seed)


def test_a_guide_is_exactly_fair_k_means():
    X, group, _ = independent()
    guided = found(X, group, 3)
    fair = FairKMeans(3, bounds="exact", random_state=0).fit(X, sensitive_features=group)
    assert adjusted_rand_score(guided.labels, fair.labels_) > 0.95
    assert additive_violation(guided.labels, group, bounds="exact", n_clusters=3) <= 3
    np.testing.assert_allclose(guided.shares, np.bincount(guided.labels) / len(X))


def test_only_rows_that_are_drawn_are_clustered():
    X, group, labels = independent()
    drawn = np.arange(0, len(X), 2)
    moved = X.copy()
    moved[1::2] = 100.0
    guided = found(moved, group, 3, drawn=drawn)
    assert adjusted_rand_score(guided.labels[drawn], labels[drawn]) > 0.8
    assert guided.shares.sum() == pytest.approx(1.0)


def test_distances_that_tell_groups_apart_give_no_guide():
    X, group, _ = independent()
    shifted = X + 20.0 * (group == "a")[:, None].astype(np.float32)
    assert found(X, group, 3) is not None
    assert found(shifted, group, 3) is None


def test_outliers_are_no_cluster_of_their_own():
    rng = np.random.default_rng(0)
    sizes = np.array([200, 200, 4])
    X = np.repeat([[-1.0], [1.0], [12.0]], sizes, axis=0) + rng.normal(0, 0.3, (404, 2))
    group = np.arange(404) % 2
    alone = [found(X, group, 2, n_init=1, seed=seed).shares.min() for seed in range(5)]
    assert min(alone) < 0.02  # what k-means likes best
    assert found(X, group, 2, n_init=20).shares.min() > guide.SMALL / 2


SETTINGS = {"n_init": 2, "epochs": 10, "fair_epochs": 4, "batch_size": 60, "random_state": 0,
            "network": small_net, "learning_rate": 0.02}  # fmt: skip


def unchanged(x):
    return x + 0.0


def test_a_network_learns_unequal_clusters_from_the_guide():
    """Without one, and with nothing that holds a sample and its neighbors together, halves are best."""
    X, group, labels = independent(600, (0.85, 0.15))
    guided = DeepFairClustering(2, perturbation=unchanged, **SETTINGS).fit(X, sensitive_features=group)
    alone = DeepFairClustering(2, perturbation=unchanged, guide=False, **SETTINGS)
    alone.fit(X, sensitive_features=group)
    assert guided.guided_
    assert len(guided.scores_) == 1
    assert not alone.guided_
    assert len(alone.scores_) == 2
    assert adjusted_rand_score(labels, guided.labels_) > 0.9
    assert adjusted_rand_score(labels, alone.labels_) < 0.6


def test_the_sizes_of_the_guide_are_expected_ones(monkeypatch):
    X, group, _ = independent(600, (0.85, 0.15))
    seen, plain = [], training.losses.marginal_entropy

    def spy(log_p, members=None, expected=None):
        seen.append(expected)
        return plain(log_p, members, expected)

    monkeypatch.setattr(training.losses, "marginal_entropy", spy)
    DeepFairClustering(2, **SETTINGS).fit(X, sensitive_features=group)
    shares = np.sort([expected.numpy() for expected in seen], axis=1)
    np.testing.assert_allclose(shares, np.tile([0.15, 0.85], (len(seen), 1)), atol=0.03)
    seen.clear()
    DeepFairClustering(2, guide=False, **SETTINGS).fit(X, sensitive_features=group)
    assert set(seen) == {None}


@pytest.mark.parametrize(
    "settings",
    [{"preset": "paper"}, {"fair_epochs": 0}, {"bounds": None}, {"sizes": "uniform"}, {"sizes": [1, 5]},
     {"fairness": 0}, {"epochs": 0}, {"guide": False}],
)  # fmt: skip
def test_who_has_no_guide(settings):
    X, group, _ = independent(200, (0.85, 0.15))
    few = {**SETTINGS, "epochs": 1, "fair_epochs": 1, "n_init": 1}
    assert DeepFairClustering(2, **few).fit(X, sensitive_features=group).guided_
    assert not DeepFairClustering(2, **{**few, **settings}).fit(X, sensitive_features=group).guided_


def test_fewer_different_points_than_clusters_give_no_guide():
    X = np.repeat(np.eye(2, dtype=np.float32), 10, axis=0)
    assert found(X, np.arange(20) % 2, 2) is not None
    assert found(X, np.arange(20) % 2, 3) is None


def test_images_have_no_guide():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (60, 8, 8), dtype=np.uint8)
    model = DeepFairClustering(2, epochs=1, fair_epochs=1, n_init=1, random_state=0)
    assert not model.fit(images, sensitive_features=np.arange(60) % 2).guided_


@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("far", [True, False])
def test_a_long_fair_stage_keeps_clusters_from_dying(monkeypatch, far, guided):
    """The first fair step sees what it moves only afterwards; the others know."""
    X, group, _ = independent(400, (0.85, 0.15))
    given, plain = [], steps.fair_labels

    def spy(*arguments, **named):
        given.append(named["least"])
        return plain(*arguments, **named)

    monkeypatch.setattr(steps, "fair_labels", spy)
    monkeypatch.setattr(steps, "_FAR", 0.0 if far else 1.0)
    settings = {**SETTINGS, "n_init": 1, "fair_epochs": 3, "guide": guided}
    DeepFairClustering(2, **settings).fit(X, sensitive_features=group)
    first, *others = given
    assert first is None
    assert len(others) == 2
    for least in others:
        if far:
            assert np.sort(least) == pytest.approx([0.075, 0.425] if guided else [0.25, 0.25], abs=0.03)
        else:
            assert least is None


@pytest.mark.parametrize("killed", [4, 12])
def test_an_interrupted_fit_finds_its_guide_again(killed, tmp_path, monkeypatch):
    X, group, _ = independent(300, (0.85, 0.15))
    path, save, count = tmp_path / "checkpoint", fitting._Keeper.save, []

    def dying(self, run):
        save(self, run)
        count.append(1)
        if len(count) == killed:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fitting._Keeper, "save", dying)
        with pytest.raises(KeyboardInterrupt):
            DeepFairClustering(2, checkpoint=path, **SETTINGS).fit(X, sensitive_features=group)
    resumed = DeepFairClustering(2, checkpoint=path, **SETTINGS).fit(X, sensitive_features=group)
    whole = DeepFairClustering(2, **SETTINGS).fit(X, sensitive_features=group)
    assert resumed.guided_
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    np.testing.assert_array_equal(resumed.fair_labels_, whole.fair_labels_)
