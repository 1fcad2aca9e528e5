"""From the estimator's parameters and the data to what the training loop takes."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from faircluster.bounds import FairnessBounds, check_feasible
from faircluster.deep.guide import find_guide
from faircluster.deep.inputs import Rows, Statistics
from faircluster.deep.job import Job
from faircluster.deep.neighbors import neighbor_radius
from faircluster.deep.networks import build_network
from faircluster.deep.parallel import Team
from faircluster.deep.perturbations import FeatureNoise, ImageAugmentation, Perturb, VirtualAdversary
from faircluster.deep.recipes import Recipe
from faircluster.groups import Groups

__all__ = ["choose_device", "choose_network", "fingerprint", "make_job", "network_maker", "scaling"]

_ROWS_A_CLUSTER = 10  # of a group in a batch, for entropies within groups
_WIDE = 1_000_000  # weights from which bfloat16 pays on a GPU; smaller networks wait for launches
_FAIR_STEPS, _FAIR_EPOCHS = 180, (4, 12)
_LONG_FAIR_EPOCHS = 18
_REGROUP_STEPS = 180
_GUIDE_ROWS = 100_000  # to cluster for a guide, or all of the first stage if that has more


def choose_device(device: str) -> torch.device:
    """Find the device of a name; "auto" is CUDA where there is one, else the CPU."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device must be 'auto', 'cpu' or 'cuda', got {device!r}") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={device!r}, but torch finds no CUDA device here; use 'auto' or 'cpu'")
    return chosen


def scaling(shape: tuple[int, ...], seen: Statistics) -> tuple[float, float]:
    """Center and scale that take images to [-1, 1]; vectors stay as they are."""
    if len(shape) == 1 or seen.high == seen.low:
        return 0.0, 1.0
    return 0.5 * (seen.high + seen.low), 0.5 * (seen.high - seen.low)


def choose_network(network: Any, recipe: Recipe, shape: tuple[int, ...]) -> Any:
    """Network to build: the one given, the preset's, or what suits the samples."""
    if network == "auto":
        network = recipe.network
    if isinstance(network, str) and network == "auto":
        return "conv" if len(shape) == 3 and min(shape[1:]) >= 8 else "mlp"
    return network


def network_maker(
    network: Any, shape: tuple[int, ...], n_clusters: int, recipe: Recipe, device: torch.device
) -> Callable[[int], nn.Module]:
    """Return a function from a seed to a new network; torch's generator stays as it was."""

    def make(seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = build_network(network, shape, n_clusters, uniform_start=recipe.uniform_start)
        made = made.to(device)
        if len(shape) == 3:
            made = made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return made

    return make


def make_job(
    rows: Rows,
    seen: Statistics,
    groups: Groups,
    bounds: FairnessBounds,
    recipe: Recipe,
    make_network: Callable[[int], nn.Module],
    *,
    perturbation: Any,
    n_clusters: int,
    sizes: Any,
    targets: str,
    fair_every: int,
    balance_target: float | None,
    precision: str,
    seed: int,
) -> Job:
    """Resolve what is "auto", and draw the rows of the first stage.

    Raises
    ------
    InfeasibleBoundsError
        No clustering can meet the bounds.
    ValueError
        A perturbation that does not suit the data.
    """
    n = len(rows)
    check_feasible(groups, bounds, n_clusters, None, None)
    perturb = _perturbation(perturbation, recipe, rows.shape, seen)
    radius = None
    if isinstance(perturb, VirtualAdversary):
        radius = neighbor_radius(rows.network_input, n, seed)
    taken = n if recipe.pretrain_rows is None else min(n, recipe.pretrain_rows)
    order = np.random.default_rng(seed).permutation(n)
    pool = np.sort(order[:taken])
    steps = max(1, round(taken / recipe.batch_size))
    epochs = math.ceil(recipe.steps / steps) if recipe.epochs is None else recipe.epochs
    regroup_epochs = 0
    if recipe.regroup and len(rows.shape) == 3:  # vectors that are close may have nothing else in common
        regroup_epochs = min(epochs, math.ceil(_REGROUP_STEPS / steps))
    if recipe.fair_epochs is None:
        wanted = math.ceil(_FAIR_STEPS / max(1, round(n / recipe.batch_size)))
        fair_epochs, long_fair_epochs = min(max(wanted, _FAIR_EPOCHS[0]), _FAIR_EPOCHS[1]), _LONG_FAIR_EPOCHS
    else:
        fair_epochs = long_fair_epochs = recipe.fair_epochs
    if bounds == FairnessBounds.from_any(None) or groups.n_groups == 1:
        fair_epochs = long_fair_epochs = 0  # nothing to be fair to
    team, guide = Team.current(), None
    free = sizes is None or (isinstance(sizes, str) and sizes in ("predicted", "nearest"))
    if recipe.guide and free and recipe.fairness and len(rows.shape) == 1 and epochs and fair_epochs:
        drawn = np.sort(order[: max(taken, _GUIDE_ROWS)])
        guide = team.shared(lambda: find_guide(rows, drawn, groups, n_clusters, recipe.n_init, seed))
    if guide is not None:
        recipe = dataclasses.replace(recipe, n_init=1)  # its starts were those of k-means
    return Job(
        rows=rows,
        groups=groups,
        bounds=bounds,
        recipe=recipe,
        by_group=_by_group(recipe, groups, bounds, n_clusters),
        perturbation=perturb,
        radius=radius,
        radius_median=0.0 if radius is None else float(radius.median()),
        n_clusters=n_clusters,
        sizes=sizes,
        weighted_targets=targets == "weighted",
        fair_every=fair_every,
        balance_target=balance_target,
        pool=pool,
        epochs=epochs,
        regroup_epochs=regroup_epochs,
        fair_epochs=fair_epochs,
        long_fair_epochs=long_fair_epochs,
        seed=seed,
        precision=_precision(precision, rows.device, make_network),
        guide=guide,
        team=team,
    )


def _perturbation(
    given: Any, recipe: Recipe, shape: tuple[int, ...], seen: Statistics
) -> VirtualAdversary | Perturb:
    chosen = recipe.perturbation if isinstance(given, str) and given == "auto" else given
    if isinstance(chosen, str) and chosen == "auto":
        chosen = "augment" if len(shape) == 3 else "vat"
    if isinstance(chosen, VirtualAdversary) or callable(chosen):
        return chosen
    if chosen == "vat":
        return VirtualAdversary()
    if chosen == "noise":
        return FeatureNoise(seen.std)
    if chosen == "augment":
        if len(shape) != 3:
            raise ValueError(
                f"perturbation='augment' needs images, got samples of shape {shape}; use 'noise'"
            )
        return ImageAugmentation()
    raise ValueError(f"perturbation must be 'auto', 'augment', 'noise', 'vat' or a callable, got {given!r}")


def _by_group(recipe: Recipe, groups: Groups, bounds: FairnessBounds, n_clusters: int) -> bool:
    if groups.n_groups == 1 or bounds == FairnessBounds.from_any(None):
        return False
    if isinstance(recipe.by_group, bool):
        return recipe.by_group
    in_batch = float(groups.shares.min()) * min(recipe.batch_size, groups.n_rows)
    return in_batch >= _ROWS_A_CLUSTER * n_clusters


def _precision(precision: str, device: torch.device, make_network: Callable[[int], nn.Module]) -> torch.dtype:
    if precision == "auto":
        able = device.type == "cuda" and torch.cuda.is_bf16_supported()
        wide = able and sum(p.numel() for p in make_network(0).parameters()) >= _WIDE
        return torch.bfloat16 if wide else torch.float32
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f"precision must be 'auto', 'float32' or 'bfloat16', got {precision!r}")
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def fingerprint(job: Job, seen: Statistics, parameters: dict[str, Any]) -> dict[str, Any]:
    """Plain JSON that tells a fit from others: parameters, data and groups."""
    digest = hashlib.sha256(np.ascontiguousarray(job.groups.signature).tobytes())
    sample = np.linspace(0, len(job.rows) - 1, min(len(job.rows), 64)).astype(np.intp)
    digest.update(job.rows.batch(sample).cpu().numpy().tobytes())
    return {
        "parameters": {name: _described(value) for name, value in sorted(parameters.items())},
        "seed": job.seed,
        "rows": len(job.rows),
        "shape": list(job.rows.shape),
        "range": [seen.low, seen.high, seen.total],
        "groups": list(job.groups.names),
        "content": digest.hexdigest(),
    }


def _described(value: Any) -> str:
    """Put a parameter in words that do not change from process to process."""
    if isinstance(value, np.ndarray):
        return repr(value.tolist())
    if isinstance(value, VirtualAdversary | ImageAugmentation | FeatureNoise):
        return f"{type(value).__name__}{sorted((name, str(part)) for name, part in vars(value).items())}"
    if callable(value) and not isinstance(value, nn.Module):
        return str(getattr(value, "__qualname__", type(value).__qualname__))
    return repr(value)
