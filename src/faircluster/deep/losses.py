"""The terms of the objective, all to be minimized, as functions of log probabilities."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["conditional_entropy", "consistency", "fairness", "marginal_entropy", "weight_decay"]


def conditional_entropy(log_proba: torch.Tensor) -> torch.Tensor:
    """H(Y|X), the mean entropy of the samples' probabilities: low when decisions are clear.

    Parameters
    ----------
    log_proba : tensor of shape (n, k)

    Returns
    -------
    tensor of shape ()
        In [0, log k].

    Examples
    --------
    >>> import torch
    >>> round(float(conditional_entropy(torch.tensor([[0.5, 0.5], [0.5, 0.5]]).log())), 4)
    0.6931
    """
    return -(log_proba.exp() * log_proba).sum(dim=1).mean()


def marginal_entropy(
    log_proba: torch.Tensor, membership: torch.Tensor | None = None, expected: torch.Tensor | None = None
) -> torch.Tensor:
    """H(Y), the entropy of the mean probabilities: high when clusters are of equal size.

    H(Y) - H(Y|X) is the mutual information of samples and clusters; the entropies have weights of their
    own, as in IMSAT.

    Parameters
    ----------
    log_proba : tensor of shape (n, k)
    membership : tensor of shape (n, g), optional
        1 where a sample is in a group. Then H(Y|G): the mean over the groups that occur of the entropy
        within the group, which is low when a group keeps to clusters of its own.
    expected : tensor of shape (k,), optional
        Shares of the clusters that are expected, instead of equal ones: the value is least far from the
        largest, log k, where the means are these. It is log k - KL(mean || expected).

    Returns
    -------
    tensor of shape ()
        In [0, log k]; with expected shares at most log k.

    References
    ----------
    Hu et al., ICML 2017, equation 7; Zhang & Davidson 2021, equation 4.

    Examples
    --------
    >>> import torch
    >>> apart = torch.tensor([[1.0, 1e-9], [1e-9, 1.0]]).log()
    >>> round(float(marginal_entropy(apart)), 4), round(float(marginal_entropy(apart, torch.eye(2))), 4)
    (0.6931, 0.0)
    """
    proba = log_proba.exp()
    if membership is None:
        means = proba.mean(dim=0, keepdim=True)
    else:
        counts = membership.sum(dim=0)
        occurs = counts > 0
        means = (membership.T @ proba)[occurs] / counts[occurs, None]
    value = torch.special.entr(means.clamp_min(1e-12)).sum(dim=1).mean()
    if expected is None:
        return value
    likely = (expected.clamp_min(1e-12) * expected.numel()).log()
    return value + (means @ likely).mean()


def consistency(log_proba: torch.Tensor, log_perturbed: torch.Tensor) -> torch.Tensor:
    """Mean KL(p(x) || p(x')): a perturbed sample should be judged as the sample was.

    Parameters
    ----------
    log_proba, log_perturbed : tensors of shape (n, k)
        No gradient flows through the first, as in IMSAT.

    Returns
    -------
    tensor of shape ()
        At least 0.

    Examples
    --------
    >>> import torch
    >>> log_p = torch.tensor([[0.25, 0.75]]).log()
    >>> float(consistency(log_p, log_p))
    0.0
    """
    return functional.kl_div(log_perturbed, log_proba.detach(), log_target=True, reduction="batchmean")


def fairness(
    log_proba: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor | None = None,
    smoothing: float = 0.0,
) -> torch.Tensor:
    """Cross-entropy to the labels of the fair assignment.

    Parameters
    ----------
    log_proba : tensor of shape (n, k)
    labels : tensor of shape (n,), int64
    weights : tensor of shape (n,), optional
        1 each by default.
    smoothing : float, default=0.0
        Share of the target spread evenly over the clusters.

    Returns
    -------
    tensor of shape ()

    Notes
    -----
    Zhang & Davidson (2021) print this term without the minus sign of a cross-entropy.

    Examples
    --------
    >>> import torch
    >>> round(float(fairness(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([1]))), 4)
    0.6931
    """
    own = -log_proba.gather(1, labels[:, None])[:, 0]
    each = (1.0 - smoothing) * own - smoothing * log_proba.mean(dim=1)
    return each.mean() if weights is None else (each * weights).mean()


def weight_decay(network: nn.Module) -> torch.Tensor:
    """Sum of squares of the weight matrices and kernels; biases and norms are left out.

    Examples
    --------
    >>> import torch
    >>> float(weight_decay(torch.nn.Linear(2, 1, bias=False).requires_grad_(False).apply(
    ...     lambda layer: layer.weight.fill_(2.0))))
    8.0
    """
    squares = [p.square().sum() for p in network.parameters() if p.ndim > 1]
    return torch.stack(squares).sum() if squares else torch.zeros(())
