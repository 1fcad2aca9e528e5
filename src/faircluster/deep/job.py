"""What a fit is told, and what changes while it runs."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from faircluster.assignment.prices import Relaxation
from faircluster.bounds import FairnessBounds
from faircluster.deep.fair_step import FairLabels
from faircluster.deep.guide import Guide
from faircluster.deep.inputs import Rows
from faircluster.deep.neighbors import nearest_neighbors
from faircluster.deep.parallel import Team
from faircluster.deep.perturbations import Perturb, VirtualAdversary
from faircluster.deep.recipes import Recipe
from faircluster.groups import Groups

__all__ = ["Job", "Run"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Job:
    """What does not change during a fit.

    Attributes
    ----------
    rows : Rows of n samples
    groups : Groups
    bounds : FairnessBounds
    recipe : Recipe
    by_group : bool
        Marginal entropy within groups.
    perturbation : VirtualAdversary or callable
    radius : tensor of shape (n,) or None
        Of the neighborhoods, for a VirtualAdversary.
    radius_median : float
    n_clusters : int
    sizes, weighted_targets, fair_every, balance_target
        Of the fair step; see :class:`~faircluster.deep.DeepFairClustering`.
    pool : ndarray of int
        Rows for the first stage.
    epochs, fair_epochs : int
    regroup_epochs : int
        In which the network learns where parts of clusters belong.
    long_fair_epochs : int
        Instead of `fair_epochs`, where the first fair labels are far from what was predicted.
    seed : int
    precision : torch.dtype
    guide : Guide or None
        Labels of the pool for the first stage, which else has no fairness term; its sizes are expected ones.
    team : Team
        Processes that train together.
    """

    rows: Rows
    groups: Groups
    bounds: FairnessBounds
    recipe: Recipe
    by_group: bool
    perturbation: VirtualAdversary | Perturb
    radius: torch.Tensor | None
    radius_median: float
    n_clusters: int
    sizes: Any
    weighted_targets: bool
    fair_every: int
    balance_target: float | None
    pool: NDArray[np.intp]
    epochs: int
    regroup_epochs: int
    fair_epochs: int
    long_fair_epochs: int
    seed: int
    precision: torch.dtype
    guide: Guide | None = None
    team: Team = Team()  # noqa: RUF009

    @functools.cached_property
    def neighbors(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and their nearest others; see :func:`~faircluster.deep.neighbors.nearest_neighbors`."""
        return nearest_neighbors(
            self.rows.network_input, len(self.rows), math.prod(self.rows.shape), self.seed
        )


@dataclass(eq=False)
class Run:
    """What changes during a fit, and all that has to be kept to go on later.

    Attributes
    ----------
    network, optimizer
    start : int
        Number of the start.
    stage : {"pretrain", "regroup", "align", "fair"}
    epoch : int
        Epochs of the stage that are done.
    fair : FairLabels or None
        Labels that are learned: of the last fair step, or those with which clusters are regrouped or matched.
    warm : Relaxation or None
        Where the next fair step starts.
    averaged : ndarray of shape (n, k) or None
        Average of the predictions of a guided fair stage.
    weights : ndarray of shape (n,), float32, or None
        How much each row's fair label counts; None: once each.
    shortage : ndarray of shape (G, k) or None
        Logarithms of what fair labels of a group in a cluster count, where that group lacks predictions.
    history : list of dict
        A row an epoch.
    reached : bool
        Whether the balance target is reached.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    start: int = 0
    stage: str = "pretrain"
    epoch: int = 0
    fair: FairLabels | None = None
    warm: Relaxation | None = None
    averaged: Array | None = None
    weights: NDArray[np.float32] | None = None
    shortage: NDArray[np.float64] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    reached: bool = False
