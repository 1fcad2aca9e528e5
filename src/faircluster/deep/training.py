"""The training loop: a first stage, those that regroup or match clusters where needed, one on fair labels."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from faircluster.deep import losses
from faircluster.deep.job import Job, Run
from faircluster.deep.perturbations import VirtualAdversary, frozen_statistics
from faircluster.deep.recipes import PRESETS
from faircluster.deep.steps import (
    align_step,
    fair_step,
    is_guided,
    learns_by_heart,
    regroup_step,
    stage_length,
)
from faircluster.groups import Groups

__all__ = ["DivergedError", "train_stage"]

Array = NDArray[Any]
STAGES = ("pretrain", "align", "fair", "regroup")  # numbers of random streams, in no other order
STEPS = {"align": align_step, "regroup": regroup_step}
FINAL_RATE = 0.02  # of the learning rate, at the end of the cosine


class DivergedError(FloatingPointError):
    """The loss is not a finite number any more."""


def train_stage(job: Job, run: Run, on_epoch: Callable[[Run], None]) -> None:
    """Train the run's stage to its end, from the epoch it is at.

    Parameters
    ----------
    job : Job
    run : Run
        Changed in place.
    on_epoch : callable
        Called after every epoch, with the run in a state that can be kept.

    Raises
    ------
    DivergedError
        The loss is not finite; the network is that of the last good epoch.

    Notes
    -----
    All random numbers of an epoch come from (seed, start, stage, epoch), so an interrupted run goes on as
    if nothing had happened. torch's own generator is left as it was.
    """
    pool = job.pool if run.stage in ("pretrain", "regroup") else np.arange(len(job.rows))
    while not run.reached and run.epoch < stage_length(job, run.stage, run.history):
        begun = _clocks()
        seed = [job.seed, run.start, STAGES.index(run.stage), run.epoch]
        row: dict[str, Any] = {"start": run.start, "stage": run.stage, "epoch": run.epoch}
        if run.stage in STEPS:
            if not (found := STEPS[run.stage](job, run)):
                break
            row |= found
        if run.stage == "fair" and run.epoch % job.fair_every == 0:
            row |= fair_step(job, run)
            if run.reached:
                run.history.append({**row, **_since(begun)})
                break
        rows = [*run.history, row]
        total = stage_length(job, run.stage, rows)
        rate, fairness = _strengths(job, run, rows)
        good = {name: value.clone() for name, value in run.network.state_dict().items()}
        # members of a team perturb different samples: they must not draw the same numbers
        with _seeded([*seed, job.team.rank] if job.team.rank else seed, job.rows.device):
            order = np.random.default_rng(seed).permutation(pool)
            batches = np.array_split(order, max(1, round(len(order) / job.recipe.batch_size)))
            row |= _epoch(job, run, batches, run.epoch / total, 1.0 / total, rate, fairness)
        job.team.average_statistics(run.network)
        if not math.isfinite(row["loss"]):
            run.network.load_state_dict(good)
            raise DivergedError(
                f"the loss became {row['loss']} in epoch {run.epoch} of stage {run.stage!r}; the network of "
                "the epoch before is kept. Try a lower learning_rate, and look for extreme values in X"
            )
        run.epoch += 1
        run.history.append({**row, **_since(begun)})
        on_epoch(run)


def _strengths(job: Job, run: Run, history: list[dict[str, Any]]) -> tuple[float, float]:
    """Learning rate before the cosine, and weight of the fairness term."""
    recipe = job.recipe
    if run.stage == "regroup":
        return recipe.learning_rate, PRESETS["best"].fairness  # asked for by no bounds
    if run.stage != "fair":
        return recipe.learning_rate, recipe.fairness
    if not is_guided(job, history):
        return recipe.fair_learning_rate, recipe.fairness
    by_heart = learns_by_heart(job, run)
    return recipe.guided_learning_rate, recipe.fairness * (1.0 if by_heart else recipe.guidance)


def _epoch(
    job: Job, run: Run, batches: list[Array], begin: float, length: float, base: float, fairness: float
) -> dict[str, Any]:
    """Train on every batch once; means of the terms, and who went where."""
    device, recipe, k = job.rows.device, job.recipe, job.n_clusters
    fair = job.guide if run.stage == "pretrain" else run.fair
    prior = None if job.guide is None else torch.from_numpy(job.guide.shares).to(device).float()
    sums = torch.zeros(5, device=device, dtype=torch.float64)
    tally = torch.zeros(job.groups.n_signatures * k, dtype=torch.int64, device=device)
    run.network.train()
    for position, chosen in enumerate(batches):
        index = job.team.filled(chosen)
        own = job.team.own(index)
        rate = base * _cosine(begin + length * position / len(batches)) if recipe.cosine else base
        for group in run.optimizer.param_groups:
            group["lr"] = rate
        views = _both_views(job, run.network, job.rows.network_input(own), own)
        log_p, log_q = (job.team.joined(view, len(index)) for view in views)
        signature = job.groups.signature[index]
        members = None
        if job.by_group:
            members = torch.from_numpy(job.groups.signature_membership[signature]).to(device).float()
        conditional = losses.conditional_entropy(log_p)
        marginal = losses.marginal_entropy(log_p, members, prior)
        invariance = losses.consistency(log_p, log_q)
        score = recipe.confidence * conditional - recipe.marginal * marginal + recipe.invariance * invariance
        loss = score + recipe.decay * losses.weight_decay(run.network)
        if fair is not None:
            loss = loss + fairness * _fair_loss(job, fair.labels, run.weights, log_p, log_q, index)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        job.team.average_gradients(run.network)
        run.optimizer.step()
        sums += torch.stack([loss, score, conditional, marginal, invariance]).detach().double()
        cell = torch.from_numpy(signature.astype(np.int64)).to(device) * k + log_p.argmax(dim=1)
        tally += torch.bincount(cell, minlength=len(tally))
    loss_, score_, conditional_, marginal_, invariance_ = (sums / len(batches)).tolist()
    means = {"loss": loss_, "score": score_, "conditional_entropy": conditional_}
    means |= {"marginal_entropy": marginal_, "consistency": invariance_, "learning_rate": rate}
    return {**means, **_composition(tally.cpu().numpy().reshape(-1, k), job.groups)}


def _both_views(
    job: Job, network: nn.Module, x: torch.Tensor, index: NDArray[np.intp]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log probabilities of the samples and of their perturbed copies."""
    reduced = job.precision != torch.float32
    with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=reduced):
        if isinstance(job.perturbation, VirtualAdversary):
            assert job.radius is not None
            near = job.radius[torch.from_numpy(index).to(x.device)]
            scores = network(x)
            log_p = functional.log_softmax(scores.float(), dim=1)
            moved = job.perturbation.perturb(network, x, log_p, near, job.radius_median)
            with frozen_statistics(network):  # an adversary is not part of the data
                perturbed = network(moved)
        else:
            both = network(torch.cat([x, job.perturbation(x)]))
            scores, perturbed = both[: len(x)], both[len(x) :]
    return functional.log_softmax(scores.float(), dim=1), functional.log_softmax(perturbed.float(), dim=1)


def _fair_loss(
    job: Job,
    labels: NDArray[np.int32],
    weights: NDArray[np.float32] | None,
    log_p: torch.Tensor,
    log_q: torch.Tensor,
    index: NDArray[np.intp],
) -> torch.Tensor:
    own = torch.from_numpy(labels[index].astype(np.int64)).to(log_p.device)
    counts = None if weights is None else torch.from_numpy(weights[index]).to(log_p.device)
    loss = losses.fairness(log_p, own, counts, job.recipe.smoothing)
    if job.recipe.fair_views == 1:
        return loss
    return 0.5 * (loss + losses.fairness(log_q, own, counts, job.recipe.smoothing))


def _composition(tally: Array, groups: Groups) -> dict[str, Any]:
    """Balance and cluster sizes from counts by signature and cluster."""
    counts = groups.signature_membership.T.astype(np.float64) @ tally
    worst = 1.0
    for attribute in dict.fromkeys(groups.attributes):
        part = counts[[name == attribute for name in groups.attributes]]
        most = part.max(axis=0)
        occupied = most > 0
        if len(part) > 1 and occupied.any():
            worst = min(worst, float((part.min(axis=0)[occupied] / most[occupied]).min()))
    sizes = tally.sum(axis=0)
    return {"balance": worst, "smallest_cluster": float(sizes.min() / max(sizes.sum(), 1))}


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(begun: tuple[float, float]) -> dict[str, float]:
    """Seconds that have passed, on the clock and of this process's processors."""
    now = _clocks()
    return {"seconds": now[0] - begun[0], "cpu_seconds": now[1] - begun[1]}


def _cosine(done: float) -> float:
    return FINAL_RATE + (1.0 - FINAL_RATE) * 0.5 * (1.0 + math.cos(math.pi * done))


@contextmanager
def _seeded(seed: list[int], device: torch.device) -> Iterator[None]:
    """Seed torch's generators for a while, and its choice of convolution algorithms."""
    devices = [device] if device.type == "cuda" else []
    with (
        torch.random.fork_rng(devices=devices),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
    ):
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 1))
        yield
