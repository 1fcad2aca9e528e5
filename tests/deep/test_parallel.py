"""Two processes train one network: the same loss, weights and labels, and the same as one process alone."""

import weakref

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from faircluster import DeepFairClustering
from faircluster.deep.parallel import Team
from faircluster.metrics import additive_violation


def data(n=901):
    rng = np.random.default_rng(0)
    blob = rng.integers(0, 3, n)
    X = (5 * np.eye(3)[blob] + rng.normal(size=(n, 3))).astype(np.float32)
    return X, np.where(rng.random(n) < 0.3 + 0.2 * blob, "a", "b")


def smaller(x):
    """Perturb without random numbers and without a look at the rest of the batch."""
    return 0.9 * x


def plain_network():
    """Without batch norm, whose statistics each process would take from its share of the batch."""
    return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))


def fitted(network="auto", perturbation="auto", checkpoint=None):
    X, groups = data()
    model = DeepFairClustering(
        3, network=network, perturbation=perturbation, epochs=4, fair_epochs=2, n_init=2, batch_size=128,
        random_state=0, device="cpu", checkpoint=checkpoint,
    )  # fmt: skip
    return model.fit(X, sensitive_features=groups)


def member(rank, size, folder, network, perturbation):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=size
    )
    model = fitted(network, perturbation, f"{folder}/checkpoint.safetensors")
    weights = {name: value.numpy() for name, value in model.network_.state_dict().items()}
    np.savez(
        f"{folder}/{rank}.npz", labels=model.labels_, fair=model.fair_labels_,
        losses=[row["loss"] for row in model.history_ if "loss" in row], **weights,
    )  # fmt: skip
    group = weakref.ref(torch.distributed.group.WORLD)
    torch.distributed.destroy_process_group()
    assert group() is None  # else its threads would end with the interpreter, which may abort the process


def independent():
    """Groups that have nothing to do with the blobs."""
    X, _ = data()
    return X, np.random.default_rng(1).choice(["a", "b"], len(X))


def guided_member(rank, size, folder):
    """Fit with a guide, and without one from several starts."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=size
    )
    X, groups = independent()
    settings = {"network": plain_network, "perturbation": smaller, "epochs": 6, "fair_epochs": 2,
                "batch_size": 128, "learning_rate": 0.02, "device": "cpu", "random_state": 0}  # fmt: skip
    weights = {}
    for name, given in (("guided", {"n_init": 2}), ("alone", {"n_init": 3, "guide": False})):
        model = DeepFairClustering(3, **settings, **given).fit(X, sensitive_features=groups)
        assert model.guided_ == (name == "guided")
        weights |= {f"{name}.{part}": value.numpy() for part, value in model.network_.state_dict().items()}
        weights[f"{name}.fair"] = model.fair_labels_
    np.savez(f"{folder}/{rank}.npz", **weights)
    torch.distributed.destroy_process_group()


def together(folder, network="auto", perturbation="auto", size=2):
    torch.multiprocessing.spawn(member, (size, str(folder), network, perturbation), nprocs=size)
    assert not (folder / "checkpoint.safetensors").exists()
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(size)]


def test_alone_nothing_is_exchanged():
    team, part = Team.current(), torch.ones(3, 2)
    assert team.size == 1
    assert team.joined(part, 3) is part
    assert team.own(np.arange(3)).tolist() == [0, 1, 2]
    assert team.filled(np.array([7])).tolist() == [7, 7]
    assert team.shared(lambda: 5) == 5


def test_two_processes_do_what_one_does(tmp_path):
    one, two = together(tmp_path, plain_network, smaller)
    alone = fitted(plain_network, smaller)
    weights = {name: value.numpy() for name, value in alone.network_.state_dict().items()}
    for name, value in weights.items():
        assert (one[name] == two[name]).all()
        assert one[name] == pytest.approx(value, abs=2e-4)
    losses = [row["loss"] for row in alone.history_ if "loss" in row]
    assert one["losses"] == pytest.approx(losses, abs=1e-4)
    assert (one["labels"] == alone.labels_).mean() > 0.995


def test_members_agree_with_batch_norm_noise_and_exact_labels(tmp_path):
    one, two = together(tmp_path)
    assert all((one[name] == two[name]).all() for name in one)
    _, groups = data()
    assert additive_violation(one["fair"], groups, bounds="exact") == 0
    assert len(np.unique(one["labels"])) == 3


def test_members_agree_on_guides(tmp_path):
    torch.multiprocessing.spawn(guided_member, (2, str(tmp_path)), nprocs=2)
    one, two = (dict(np.load(tmp_path / f"{rank}.npz")) for rank in range(2))
    assert all((one[name] == two[name]).all() for name in one)
