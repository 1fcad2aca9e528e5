import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is missing")

from faircluster.deep import MLP, ConvNet
from faircluster.deep.inputs import Rows, read_statistics
from faircluster.deep.networks import build_network, embed, embed_and_score
from faircluster.deep.recipes import resolve_recipe

CPU = torch.device("cpu")


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 8, 8), (3, 28, 28), (1, 13, 30)])
def test_conv_net_takes_any_image(shape):
    net = ConvNet(shape, 5)
    x = torch.zeros(3, *shape)
    assert net(x).shape == (3, 5)
    torch.testing.assert_close(net.eval().head(net.embed(x)), net(x))


def test_uniform_start_is_undecided():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        proba = torch.softmax(MLP(20, 4, uniform_start=True)(torch.randn(50, 20)), dim=1)
        clear = torch.softmax(MLP(20, 4)(torch.randn(50, 20)), dim=1)
    assert float((proba - 0.25).abs().max().detach()) < 0.01
    assert float((clear - 0.25).abs().max().detach()) > 0.05


def test_modules_are_initialized_anew():
    given = torch.nn.Linear(4, 2)
    made = build_network(given, (4,), 2)
    assert made is not given
    assert not torch.equal(made.weight, given.weight)


def test_makers_have_to_make_networks():
    with pytest.raises(TypeError, match="must make a torch module"):
        build_network(lambda: 3, (4,), 2)


def test_statistics_in_chunks():
    X = np.random.default_rng(0).normal(5, 2, size=(5000, 3))
    seen = read_statistics(Rows(X, CPU))
    np.testing.assert_allclose(seen.std, X.std(axis=0), rtol=1e-4)
    assert (seen.low, seen.high) == pytest.approx((X.min(), X.max()))


def test_lazy_arrays_are_read_in_batches_only():
    class Lazy:
        shape, dtype, most = (10_000, 3), np.dtype(np.uint8), 0

        def __getitem__(self, index):
            Lazy.most = max(Lazy.most, len(index))
            return np.repeat(np.asarray(index)[:, None] % 7, 3, axis=1).astype(np.uint8)

    rows = Rows(Lazy(), CPU)
    assert read_statistics(rows).high == 6.0
    assert rows.batch(np.array([8])).tolist() == [[1.0, 1.0, 1.0]]
    assert Lazy.most <= 2048


def test_network_input_is_scaled():
    rows = Rows(np.array([[[0, 255]]], dtype=np.uint8), CPU, 127.5, 127.5)
    assert rows.network_input(np.array([0])).flatten().tolist() == [-1.0, 1.0]


def test_presets():
    paper, best = resolve_recipe("paper"), resolve_recipe("best")
    assert (paper.fairness, paper.decay, paper.batch_size, paper.invariance) == (4.0, 0.0, 250, 1.0)
    assert paper.perturbation == "vat"
    assert best.perturbation == "auto"


def test_embedding_and_scores_of_a_batch_are_those_of_either_alone():
    class Reversed(MLP):
        def forward(self, x):
            return super().forward(x).flip(1)

    x = torch.randn(7, 5)
    for network in (MLP(5, 3, hidden=(4,)), Reversed(5, 3, hidden=(4,)), torch.nn.Linear(5, 3)):
        embedded, scores = embed_and_score(network.eval(), x)
        torch.testing.assert_close(embedded, embed(network, x))
        torch.testing.assert_close(scores, network(x))
