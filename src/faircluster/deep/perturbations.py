"""Changes to a sample that should not change its cluster."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from faircluster.deep.losses import consistency

__all__ = ["FeatureNoise", "ImageAugmentation", "VirtualAdversary", "frozen_statistics"]

Perturb = Callable[[torch.Tensor], torch.Tensor]


class ImageAugmentation:
    """A random affine map and change of light for every image.

    Domain knowledge: things keep their identity when they are turned, scaled or moved a little.

    Parameters
    ----------
    rotation : float, default=20.0
        Largest angle in degrees.
    scale : tuple of float, default=(0.7, 1.4)
        Range of the size, log-uniform.
    aspect : float, default=0.1
        Largest relative stretch of width against height.
    shear : float, default=0.3
    shift : float, default=0.1
        Largest shift as a fraction of the side.
    flip : bool, default=False
        Mirror left and right at random.
    brightness, contrast : float, default=0.0
        Largest relative change.

    Notes
    -----
    Bilinear, O(pixels). What comes in from outside has the mean of the image's four corner pixels, so that
    dark images keep a dark border and light ones a light one. Random numbers come from torch's generator.

    Examples
    --------
    >>> import torch
    >>> augment = ImageAugmentation(contrast=0.2)
    >>> augment(torch.ones(3, 1, 8, 8)).shape
    torch.Size([3, 1, 8, 8])
    """

    def __init__(
        self,
        *,
        rotation: float = 20.0,
        scale: tuple[float, float] = (0.7, 1.4),
        aspect: float = 0.1,
        shear: float = 0.3,
        shift: float = 0.1,
        flip: bool = False,
        brightness: float = 0.0,
        contrast: float = 0.0,
    ) -> None:
        if not 0 < scale[0] <= scale[1]:
            raise ValueError(f"scale must be two positive numbers in ascending order, got {scale}")
        self.rotation, self.scale, self.aspect, self.shear = rotation, scale, aspect, shear
        self.shift, self.flip, self.brightness, self.contrast = shift, flip, brightness, contrast

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Perturb images of shape (n, c, h, w)."""
        if x.ndim != 4:
            raise ValueError(f"ImageAugmentation needs images, got a batch of shape {tuple(x.shape)}")
        corners = x[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].mean(dim=2)[:, :, None, None]
        grid = functional.affine_grid(self._maps(x), list(x.shape), align_corners=False)
        moved = functional.grid_sample(x - corners, grid, align_corners=False) + corners
        return self._light(moved) if self.brightness or self.contrast else moved

    def _maps(self, x: torch.Tensor) -> torch.Tensor:
        """Inverse affine maps, shape (n, 2, 3), in coordinates from -1 to 1."""
        n = len(x)

        def draw(most: float) -> torch.Tensor:
            return (2.0 * torch.rand(n, device=x.device) - 1.0) * most

        angle = draw(math.radians(self.rotation))
        low, high = math.log(self.scale[0]), math.log(self.scale[1])
        size = torch.exp(0.5 * (low + high) + draw(0.5 * (high - low)))
        stretch, shear = 1.0 + draw(self.aspect), draw(self.shear)
        cos, sin = torch.cos(angle), torch.sin(angle)
        mirror = torch.where(torch.rand(n, device=x.device) < 0.5, -1.0, 1.0) if self.flip else 1.0
        top = torch.stack([mirror * cos / (size * stretch), (shear * cos - sin) / size], dim=1)
        bottom = torch.stack([mirror * sin / (size * stretch), (shear * sin + cos) / size], dim=1)
        shifts = torch.stack([draw(2.0 * self.shift), draw(2.0 * self.shift)], dim=1)
        return torch.cat([torch.stack([top, bottom], dim=1), shifts[:, :, None]], dim=2)

    def _light(self, x: torch.Tensor) -> torch.Tensor:
        factors = 2.0 * torch.rand(len(x), 2, 1, 1, 1, device=x.device) - 1.0
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        spread = x.std(dim=(1, 2, 3), keepdim=True)
        return (
            mean
            + (x - mean) * (1.0 + self.contrast * factors[:, 0])
            + self.brightness * spread * factors[:, 1]
        )


class FeatureNoise:
    """Noise on every value and features left out at random, for tables.

    Parameters
    ----------
    std : array-like of shape (d,), optional
        Standard deviation of each feature; by default that in the batch.
    noise : float, default=0.3
        Standard deviation of the noise, in those of the features.
    dropout : float, default=0.1
        Chance of a feature to be replaced by another row's value in the batch, which keeps its distribution.

    Notes
    -----
    O(values). Random numbers come from torch's generator.

    Examples
    --------
    >>> import torch
    >>> FeatureNoise([1.0, 1.0])(torch.zeros(3, 2)).shape
    torch.Size([3, 2])
    """

    def __init__(self, std: Any = None, *, noise: float = 0.3, dropout: float = 0.1) -> None:
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        self.std = None if std is None else torch.as_tensor(std, dtype=torch.float32)
        self.noise, self.dropout = noise, dropout

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Perturb a batch of shape (n, ...)."""
        flat = x.reshape(len(x), -1)
        std = flat.std(dim=0, correction=0) if self.std is None else self.std.to(x.device)
        noisy = flat + self.noise * std * torch.randn_like(flat)
        if self.dropout:
            other = flat[torch.randperm(len(flat), device=x.device)]
            noisy = torch.where(torch.rand_like(flat) < self.dropout, other, noisy)
        return noisy.reshape(x.shape)


class VirtualAdversary:
    """Virtual adversarial training: the small step that changes the prediction most.

    Parameters
    ----------
    fraction : float, default=0.25
        Length of the step as a fraction of the distance to the 10th nearest neighbor in the data.
    steps : int, default=1
        Power iterations.
    probe : float, default=0.5
        Length of the trial step of an iteration, as a fraction of the median distance to the 10th neighbor,
        so that it does not depend on the scaling (IMSAT's code has 10 for MNIST in [-1, 1]).

    References
    ----------
    Miyato et al. 2017; Hu et al., ICML 2017, section 3.2 and the authors' code (radius of each sample).

    Examples
    --------
    >>> import numpy as np, torch
    >>> net = torch.nn.Linear(2, 3)
    >>> adversary = VirtualAdversary()
    >>> x = torch.zeros(4, 2)
    >>> log_proba = net(x).log_softmax(dim=1)
    >>> moved = adversary.perturb(net, x, log_proba, radius=torch.full((4,), 2.0), scale=2.0)
    >>> moved.norm(dim=1)  # a quarter of the radius
    tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """

    def __init__(self, *, fraction: float = 0.25, steps: int = 1, probe: float = 0.5) -> None:
        if steps < 1 or fraction <= 0 or probe <= 0:
            raise ValueError(f"fraction, steps and probe must be positive, got {fraction}, {steps}, {probe}")
        self.fraction, self.steps, self.probe = fraction, steps, probe

    def perturb(
        self,
        network: nn.Module,
        x: torch.Tensor,
        log_proba: torch.Tensor,
        radius: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        """Perturb a batch.

        Parameters
        ----------
        network : nn.Module
        x : tensor of shape (n, ...)
        log_proba : tensor of shape (n, k)
            What the network says of x; no gradient flows back through it.
        radius : tensor of shape (n,)
            Distance of each sample to its 10th neighbor.
        scale : float
            Median of that over the data.

        Returns
        -------
        tensor of the shape of x
        """
        with frozen_statistics(network):
            direction = _unit(torch.randn_like(x))
            for _ in range(self.steps):
                direction.requires_grad_(True)
                moved = functional.log_softmax(network(x + self.probe * scale * direction).float(), dim=1)
                (gradient,) = torch.autograd.grad(consistency(log_proba, moved), direction)
                direction = _unit(gradient.detach())
        lengths = (self.fraction * radius).reshape(-1, *[1] * (x.ndim - 1))
        return x + lengths * direction


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Let batch norms use the batch's statistics without remembering them."""
    norms = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.num_batches_tracked = None  # not counted, either
    try:
        yield
    finally:
        for norm, (momentum, tracked) in zip(norms, kept, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, tracked


def _unit(direction: torch.Tensor) -> torch.Tensor:
    lengths = direction.flatten(1).norm(dim=1).clamp_min(1e-12)
    return direction / lengths.reshape(-1, *[1] * (direction.ndim - 1))
