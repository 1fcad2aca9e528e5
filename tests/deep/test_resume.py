import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is missing")

from faircluster import DeepFairClustering
from faircluster.deep import fitting
from tests.deep.conftest import small_net


class KilledError(Exception):
    pass


def kill_after(monkeypatch, epochs):
    """Let the process die as soon as the checkpoint of that many epochs is written."""
    save, count = fitting._Keeper.save, []

    def dying(self, run):
        save(self, run)
        count.append(1)
        if len(count) == epochs:
            raise KilledError

    monkeypatch.setattr(fitting._Keeper, "save", dying)


@pytest.mark.parametrize("killed", range(1, 8))
def test_killed_at_any_epoch_it_resumes_to_the_same_result(killed, model, blobs, tmp_path, monkeypatch):
    X, group, _ = blobs
    settings = {"n_init": 2, "epochs": 2, "fair_epochs": 4, "fair_every": 2, "random_state": None}
    path = tmp_path / "checkpoint"
    with monkeypatch.context() as patch:
        kill_after(patch, killed)
        with pytest.raises(KilledError):
            model(**settings, checkpoint=path).fit(X, sensitive_features=group)
    seed = fitting.stored_seed(path)
    resumed = model(**settings, checkpoint=path).fit(X, sensitive_features=group)
    assert not path.exists()
    with monkeypatch.context() as patch:
        patch.setattr(DeepFairClustering, "_seed", lambda self: seed)
        whole = model(**settings).fit(X, sensitive_features=group)
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    np.testing.assert_array_equal(resumed.fair_labels_, whole.fair_labels_)
    assert resumed.scores_ == whole.scores_
    timeless = [
        [{k: v for k, v in row.items() if "seconds" not in k} for row in m.history_] for m in (resumed, whole)
    ]
    assert timeless[0] == timeless[1]


@pytest.mark.parametrize("killed", range(1, 9))
def test_killed_between_starts_on_images(killed, images, tmp_path, monkeypatch):
    """What the starts before say about neighbors is in the checkpoint, and how clusters are regrouped."""
    X, group = images
    path = tmp_path / "checkpoint"
    settings = {"n_init": 2, "epochs": 2, "fair_epochs": 2, "random_state": 0}
    with monkeypatch.context() as patch:
        kill_after(patch, killed)
        with pytest.raises(KilledError):
            DeepFairClustering(4, **settings, checkpoint=path).fit(X, sensitive_features=group)
    resumed = DeepFairClustering(4, **settings, checkpoint=path).fit(X, sensitive_features=group)
    whole = DeepFairClustering(4, **settings).fit(X, sensitive_features=group)
    assert resumed.information_ == whole.information_
    assert resumed.start_ == whole.start_
    assert [row["stage"] for row in whole.history_] == ["pretrain"] * 4 + ["regroup"] * 2 + ["fair"] * 2
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))


@pytest.mark.parametrize(("balances", "given"), [((0.5, 0.2), 11), ((0.2, 0.5), 12), ((0.3, 0.3), 12)])
def test_the_most_balanced_of_the_last_networks_is_given_out(balances, given, model, blobs, tmp_path):
    """Two of twelve epochs of a guided stage are looked at, also where the process dies between them."""
    X, _, labels = blobs
    group = np.where(labels == 0, "a", "b")
    left, networks, save = list(balances), [], fitting._Keeper.save

    def saved(self, run):
        save(self, run)
        if run.stage == "fair":
            networks.append({name: value.clone() for name, value in run.network.state_dict().items()})
            if len(networks) == 11:
                raise KilledError

    settings = {"epochs": 2, "fair_epochs": 12, "checkpoint": tmp_path / "checkpoint"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting._Keeper, "save", saved)
        patch.setattr(fitting, "complete_balance", lambda *_: left.pop(0))
        with pytest.raises(KilledError):
            model(**settings).fit(X, sensitive_features=group)
        assert len(left) == 1
        found = model(**settings).fit(X, sensitive_features=group)
    assert len(networks) == 12
    assert not left
    same = [
        all(torch.equal(value, found.network_.state_dict()[name].cpu()) for name, value in network.items())
        for network in networks
    ]
    assert [number for number, equal in enumerate(same, 1) if equal] == [given]


def test_a_stage_that_is_not_guided_gives_out_its_last_network(model, blobs, monkeypatch):
    X, _, _ = blobs
    group = np.tile(["a", "a", "a", "b", "b", "b"], 40)  # fair already
    monkeypatch.setattr(fitting, "complete_balance", lambda *_: pytest.fail("looked at"))
    found = model(epochs=8, fair_epochs=12).fit(X, sensitive_features=group)
    assert found.history_[-1]["stage"] == "fair"


@pytest.mark.parametrize("killed", range(5, 9))
def test_killed_between_fair_steps_that_weigh_their_labels(killed, model, blobs, tmp_path, monkeypatch):
    """The last fair step of a guided stage is at its fifth epoch, and the sixth learns the same labels."""
    X, _, labels = blobs
    group, path = np.where(labels == 0, "a", "b"), tmp_path / "checkpoint"
    settings = {"epochs": 2, "fair_epochs": 6, "fair_every": 2}
    with monkeypatch.context() as patch:
        kill_after(patch, killed)
        with pytest.raises(KilledError):
            model(**settings, checkpoint=path).fit(X, sensitive_features=group)
    resumed = model(**settings, checkpoint=path).fit(X, sensitive_features=group)
    whole = model(**settings).fit(X, sensitive_features=group)
    assert next(row["moved"] for row in whole.history_ if "moved" in row) > 0.05
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))


def test_a_checkpoint_of_another_fit_is_refused(model, blobs, tmp_path, monkeypatch):
    X, group, _ = blobs
    path = tmp_path / "checkpoint"
    with monkeypatch.context() as patch:
        kill_after(patch, 1)
        with pytest.raises(KilledError):
            model(checkpoint=path).fit(X, sensitive_features=group)
    for changed, data in (({"fairness": 9.0}, X), ({}, X + 1), ({"random_state": 4}, X)):
        with pytest.raises(ValueError, match="other data or parameters"):
            model(checkpoint=path, **changed).fit(data, sensitive_features=group)
    raw = path.read_bytes()
    path.write_bytes(raw[:-7])
    with pytest.raises(ValueError, match="cut short"):
        model(checkpoint=path).fit(X, sensitive_features=group)


class TestSaved:
    def test_a_loaded_model_does_all_that_the_saved_one_did(self, fitted, blobs, tmp_path):
        X, group, _ = blobs
        path = tmp_path / "m.safetensors"
        fitted.save(path)
        loaded = DeepFairClustering.load(path, network=small_net)
        np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
        np.testing.assert_array_equal(
            loaded.assign(X, sensitive_features=group), fitted.assign(X, sensitive_features=group)
        )
        for name in ("labels_", "fair_labels_"):
            np.testing.assert_array_equal(getattr(loaded, name), getattr(fitted, name))
        for name in ("violation_", "balance_", "history_", "scores_", "bounds_", "status_", "n_iter_"):
            assert getattr(loaded, name) == getattr(fitted, name)
        assert loaded.groups_.names == fitted.groups_.names
        again = {k: v for k, v in loaded.get_params().items() if k not in ("network", "bounds")}
        assert again == {k: v for k, v in fitted.get_params().items() if k not in ("network", "bounds")}

    def test_own_networks_have_to_be_given_and_to_fit(self, fitted, tmp_path):
        path = tmp_path / "m"
        fitted.save(path)
        with pytest.raises(ValueError, match="network of its own"):
            DeepFairClustering.load(path)
        with pytest.raises(ValueError, match="does not fit the weights"):
            DeepFairClustering.load(path, network=torch.nn.Linear(4, 3))

    def test_cut_files(self, fitted, tmp_path):
        path = tmp_path / "m"
        fitted.save(path)
        raw = path.read_bytes()
        for length in (0, 5, 200, len(raw) // 2, len(raw) - 1):
            path.write_bytes(raw[:length])
            with pytest.raises(ValueError, match="cut short, altered or another kind"):
                DeepFairClustering.load(path, network=small_net)

    def test_altered_files(self, fitted, tmp_path):
        path = tmp_path / "m"
        fitted.save(path)
        raw = path.read_bytes()
        places = np.random.default_rng(0).permutation(len(raw))[:40]
        for place in [len(raw) - 1, *places.tolist()]:
            altered = bytearray(raw)
            altered[place] ^= 1
            path.write_bytes(bytes(altered))
            with pytest.raises(ValueError, match=r"altered|not a faircluster deep model"):
                DeepFairClustering.load(path, network=small_net)

    def test_other_files(self, fitted, tmp_path):
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(2)}, tmp_path / "foreign")
        with pytest.raises(ValueError, match="another kind of file"):
            DeepFairClustering.load(tmp_path / "foreign")
        with pytest.raises(FileNotFoundError):
            DeepFairClustering.load(tmp_path / "missing")


class TestNaN:
    def test_the_last_good_network_is_kept(self, model, blobs):
        X, group, _ = blobs
        calls = []

        def breaking(x):
            calls.append(1)
            # five batches an epoch; the check of the output at the start makes no call
            return x * (float("nan") if len(calls) > 12 else 1.0)

        with pytest.warns(RuntimeWarning, match="the loss became nan in epoch 2"):
            broken = model(perturbation=breaking, fair_epochs=0).fit(X, sensitive_features=group)
        good = model(perturbation=lambda x: x * 1.0, epochs=2, fair_epochs=0)
        # the learning rate would fall faster over two epochs
        assert np.isfinite(broken.predict_proba(X)).all()
        assert [row["epoch"] for row in broken.history_] == [0, 1]
        assert good.fit(X, sensitive_features=group).history_[0]["epoch"] == 0

    def test_in_the_fair_stage(self, model, blobs):
        X, group, _ = blobs
        calls = []

        def breaking(x):
            calls.append(1)
            return x * (float("nan") if len(calls) > 10 else 1.0)

        with pytest.warns(RuntimeWarning, match="stage 'fair'"):
            broken = model(perturbation=breaking, epochs=2).fit(X, sensitive_features=group)
        assert broken.status_ == "diverged"
        before = model(perturbation=lambda x: x * 1.0, epochs=2, fair_epochs=0)
        np.testing.assert_array_equal(
            broken.predict_proba(X), before.fit(X, sensitive_features=group).predict_proba(X)
        )
        assert broken.violation_ == 0.0

    def test_from_the_start(self, model, blobs):
        X, group, _ = blobs
        with pytest.raises(FloatingPointError, match="lower learning_rate"):
            model(perturbation=lambda x: x * float("nan")).fit(X, sensitive_features=group)
