import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is missing")

from faircluster.deep import losses


def log_probabilities(n=7, k=4, seed=0):
    scores = torch.randn(n, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.log_softmax(scores, dim=1).requires_grad_(True)


def test_entropies_are_their_definitions():
    log_p = log_probabilities()
    p = log_p.detach().exp().numpy()
    mean = p.mean(axis=0)
    assert float(losses.conditional_entropy(log_p).detach()) == pytest.approx(-(p * np.log(p)).sum() / 7)
    assert float(losses.marginal_entropy(log_p).detach()) == pytest.approx(-(mean * np.log(mean)).sum())


def test_entropy_by_group_is_the_mean_over_groups_that_occur():
    log_p = log_probabilities(6)
    members = torch.zeros(6, 3, dtype=torch.float64)
    members[:2, 0] = members[2:, 1] = 1.0  # nobody in the third
    parts = [float(losses.marginal_entropy(part).detach()) for part in (log_p[:2], log_p[2:])]
    assert float(losses.marginal_entropy(log_p, members).detach()) == pytest.approx(np.mean(parts))


def test_expected_sizes_take_the_place_of_equal_ones():
    log_p = log_probabilities(6)
    mean = log_p.exp().mean(dim=0).detach().numpy()
    expected = np.array([0.1, 0.5, 0.1, 0.3])
    value = losses.marginal_entropy(log_p, expected=torch.from_numpy(expected).to(log_p.dtype))
    divergence = (mean * np.log(mean / expected)).sum()
    assert float(value.detach()) == pytest.approx(np.log(len(mean)) - divergence)


def test_minimizing_the_information_terms_makes_decisions_clear_and_sizes_equal():
    scores = torch.randn(60, 3, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
    for _ in range(300):
        log_p = torch.log_softmax(scores, dim=1)
        loss = losses.conditional_entropy(log_p) - 4 * losses.marginal_entropy(log_p)
        (gradient,) = torch.autograd.grad(loss, scores)
        scores = (scores - 20.0 * gradient).detach().requires_grad_(True)
    p = torch.softmax(scores.detach(), dim=1)
    assert float(p.max(dim=1).values.min()) > 0.9
    np.testing.assert_allclose(p.mean(dim=0).numpy(), 1 / 3, atol=0.05)


def test_consistency_is_the_divergence_and_leaves_the_first_argument_alone():
    log_p, log_q = log_probabilities(seed=1), log_probabilities(seed=2)
    value = losses.consistency(log_p, log_q)
    expected = (log_p.exp() * (log_p - log_q)).sum(dim=1).mean()
    assert float(value.detach()) == pytest.approx(float(expected.detach()))
    value.backward()
    assert log_p.grad is None
    assert log_q.grad is not None


def test_fairness_is_the_cross_entropy_of_torch():
    log_p = log_probabilities()
    labels = torch.tensor([0, 1, 2, 3, 0, 1, 2])
    for smoothing in (0.0, 0.1):
        expected = torch.nn.functional.cross_entropy(log_p, labels, label_smoothing=smoothing)
        assert float(losses.fairness(log_p, labels, None, smoothing).detach()) == pytest.approx(
            float(expected.detach())
        )
    none = losses.fairness(log_p, labels, torch.zeros(7, dtype=torch.float64))
    assert float(none.detach()) == 0.0


def test_fairness_falls_towards_the_labels():
    """The published formula lacks a minus sign; with it, a step against the gradient helps."""
    scores = torch.zeros(1, 3, requires_grad=True)
    losses.fairness(torch.log_softmax(scores, dim=1), torch.tensor([2])).backward()
    assert float(scores.grad[0, 2]) < 0


def test_weight_decay_leaves_biases_and_norms_out():
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    expected = float(net[0].weight.square().sum().detach())
    assert float(losses.weight_decay(net).detach()) == pytest.approx(expected)
