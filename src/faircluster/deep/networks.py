"""Networks that give each sample a score for every cluster, and an embedding."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

__all__ = ["MLP", "ConvNet", "build_network", "embed", "embed_and_score"]

_POOLED = 12  # side of a map from which it is pooled


class ConvNet(nn.Module):
    """Two small convolutions and one hidden layer, for small images.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of an image.
    n_clusters : int
    widths : tuple of two int, default=(16, 32)
        Channels of the convolutions.
    hidden : int, default=128
        Width e of the embedding.

    Notes
    -----
    Convolution 3 x 3, maximum pooling, batch norm, ReLU, twice; then a hidden layer with batch norm. Maps of
    less than 12 x 12 are not pooled. Pooling before normalizing computes the same function as the usual order
    where the norm's gain is positive, in two thirds of the time.

    Examples
    --------
    >>> import torch
    >>> net = ConvNet((1, 8, 8), n_clusters=3)
    >>> net(torch.zeros(2, 1, 8, 8)).shape, net.embed(torch.zeros(2, 1, 8, 8)).shape
    (torch.Size([2, 3]), torch.Size([2, 128]))
    """

    def __init__(
        self, shape: Sequence[int], n_clusters: int, widths: tuple[int, int] = (16, 32), hidden: int = 128
    ) -> None:
        super().__init__()
        channels, height, width = shape
        layers: list[nn.Module] = []
        for filters in widths:
            layers.append(nn.Conv2d(channels, filters, 3, padding=1))
            if min(height, width) >= _POOLED:
                layers.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
            layers += [nn.BatchNorm2d(filters), nn.ReLU()]
            channels = filters
        layers += [nn.Flatten(), nn.Linear(channels * height * width, hidden), nn.BatchNorm1d(hidden)]
        self.features = nn.Sequential(*layers, nn.ReLU())
        self.head = nn.Linear(hidden, n_clusters)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Embedding of shape (n, hidden)."""
        embedded: torch.Tensor = self.features(x)
        return embedded

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores of shape (n, k); their softmax are the probabilities of the clusters."""
        scores: torch.Tensor = self.head(self.embed(x))
        return scores


class MLP(nn.Module):
    """Fully connected layers with batch norm; IMSAT's network by default.

    Parameters
    ----------
    n_features : int
        Values a sample, d; images are flattened.
    n_clusters : int
    hidden : tuple of int, default=(1200, 1200)
    uniform_start : bool, default=False
        Initialize as IMSAT does: the last layer with standard deviation 1e-4, so that every sample begins
        with nearly equal probabilities.

    References
    ----------
    Hu et al., "Learning discrete representations via information maximizing self-augmented training",
    ICML 2017, section 4.

    Examples
    --------
    >>> import torch
    >>> net = MLP(5, n_clusters=3, hidden=(16,))
    >>> net(torch.zeros(2, 5)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        n_features: int,
        n_clusters: int,
        hidden: Sequence[int] = (1200, 1200),
        *,
        uniform_start: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        width = n_features
        for size in hidden:
            layer = nn.Linear(width, size)
            if uniform_start:
                nn.init.normal_(layer.weight, std=0.1 * (2.0 / width) ** 0.5)
                nn.init.zeros_(layer.bias)
            layers += [layer, nn.BatchNorm1d(size), nn.ReLU()]
            width = size
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(width, n_clusters)
        if uniform_start:
            nn.init.normal_(self.head.weight, std=1e-4)
            nn.init.zeros_(self.head.bias)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Embedding of shape (n, last hidden width)."""
        embedded: torch.Tensor = self.features(x)
        return embedded

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores of shape (n, k); their softmax are the probabilities of the clusters."""
        scores: torch.Tensor = self.head(self.embed(x))
        return scores


def build_network(
    network: str | nn.Module | Callable[[], nn.Module],
    shape: tuple[int, ...],
    n_clusters: int,
    *,
    uniform_start: bool = False,
) -> nn.Module:
    """Make a freshly initialized network for samples of a shape.

    Parameters
    ----------
    network : "conv", "mlp", nn.Module or callable
        A module is copied and its layers initialized anew; a callable makes a module.
    shape : tuple of int
        (d,) or (c, h, w).
    n_clusters : int
    uniform_start : bool, default=False
        Of :class:`MLP`.

    Returns
    -------
    nn.Module
        Random values come from torch's generator; seed it first.

    Raises
    ------
    ValueError
        Another name, "conv" for vectors, or a module whose output is not of shape (n, k).

    Examples
    --------
    >>> type(build_network("mlp", (4,), 2)).__name__
    'MLP'
    """
    if isinstance(network, nn.Module):
        made = copy.deepcopy(network)
        for part in made.modules():
            if callable(reset := getattr(part, "reset_parameters", None)):
                reset()
    elif callable(network):
        made = network()
    elif network == "conv":
        if len(shape) != 3:
            raise ValueError(f"network='conv' needs images, got samples of shape {shape}; use 'mlp'")
        made = ConvNet(shape, n_clusters)
    elif network == "mlp":
        made = MLP(int(torch.Size(shape).numel()), n_clusters, uniform_start=uniform_start)
    else:
        raise ValueError(
            f"network must be 'auto', 'conv', 'mlp', a torch module or a callable, got {network!r}"
        )
    _check_output(made, shape, n_clusters)
    return made


def embed(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Embedding of a batch: the network's ``embed``, else its scores, of shape (n, e)."""
    method: Any = getattr(network, "embed", network)
    embedded: torch.Tensor = method(x)
    return embedded.reshape(len(x), -1)


def embed_and_score(network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Embedding and scores of a batch; in one pass where the network is one of ours.

    Not of a class made from ours: it may score in another way.
    """
    if type(network) is ConvNet or type(network) is MLP:
        embedded = network.embed(x)
        return embedded, network.head(embedded)
    return embed(network, x), network(x)


def _check_output(network: Any, shape: tuple[int, ...], n_clusters: int) -> None:
    if not isinstance(network, nn.Module):
        raise TypeError(f"network must make a torch module, got {type(network).__name__}")
    network.eval()
    with torch.no_grad():
        scores = network(torch.zeros(2, *shape))
    network.train()
    if not isinstance(scores, torch.Tensor) or tuple(scores.shape) != (2, n_clusters):
        found = tuple(scores.shape) if isinstance(scores, torch.Tensor) else type(scores).__name__
        raise ValueError(
            f"network must give a score for each of the {n_clusters} clusters, of shape (n, {n_clusters}); "
            f"for 2 samples it gave {found}"
        )
