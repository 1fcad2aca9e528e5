"""The training loop: a first stage, one that matches groups where needed, and one on fair labels."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from faircluster.assignment.prices import Relaxation
from faircluster.bounds import FairnessBounds
from faircluster.deep import losses
from faircluster.deep.alignment import align_clusters, cluster_means
from faircluster.deep.fair_step import FairLabels, fair_labels
from faircluster.deep.guide import Guide
from faircluster.deep.inputs import Rows
from faircluster.deep.parallel import Team
from faircluster.deep.perturbations import Perturb, VirtualAdversary, frozen_statistics
from faircluster.deep.prediction import predict_proba
from faircluster.deep.recipes import Recipe
from faircluster.groups import Groups
from faircluster.metrics import balance

__all__ = ["DivergedError", "Job", "Run", "train_stage"]

Array = NDArray[Any]
STAGES = ("pretrain", "align", "fair")
_FAR = 0.05  # of the labels moved by the first fair step, beyond which the fair stage is a long one
_GUIDED = 2 / 3  # of a long fair stage, in which fair labels guide
_LEAST = 0.5  # of the mean size, or of the guide's, for the clusters of a long fair stage
_LEARNED = 0.05  # of the labels of a matching may be predicted differently when it counts as learned
FINAL_RATE = 0.02  # of the learning rate, at the end of the cosine


class DivergedError(FloatingPointError):
    """The loss is not a finite number any more."""


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
    fair_epochs: int
    long_fair_epochs: int
    seed: int
    precision: torch.dtype
    guide: Guide | None = None
    team: Team = Team()  # noqa: RUF009


@dataclass(eq=False)
class Run:
    """What changes during a fit, and all that has to be kept to go on later.

    Attributes
    ----------
    network, optimizer
    start : int
        Number of the start.
    stage : {"pretrain", "align", "fair"}
    epoch : int
        Epochs of the stage that are done.
    fair : FairLabels or None
        Of the last fair step.
    warm : Relaxation or None
        Where the next fair step starts.
    averaged : ndarray of shape (n, k) or None
        Average of the predictions of a guided fair stage.
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
    history: list[dict[str, Any]] = field(default_factory=list)
    reached: bool = False


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
    first = run.stage == "pretrain"
    pool = job.pool if first else np.arange(len(job.rows))
    while not run.reached and run.epoch < _length(job, run.stage, run.history):
        begun = time.perf_counter()
        seed = [job.seed, run.start, STAGES.index(run.stage), run.epoch]
        row: dict[str, Any] = {"start": run.start, "stage": run.stage, "epoch": run.epoch}
        if run.stage == "align":
            if not (found := _align_step(job, run)):
                break
            row |= found
        if run.stage == "fair" and run.epoch % job.fair_every == 0:
            row |= _fair_step(job, run)
            if run.reached:
                run.history.append({**row, "seconds": time.perf_counter() - begun})
                break
        rows = [*run.history, row]
        total = _length(job, run.stage, rows)
        rate, fairness = _strengths(job, run.stage, rows, run.epoch / total)
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
        run.history.append({**row, "seconds": time.perf_counter() - begun})
        on_epoch(run)


def _length(job: Job, stage: str, history: list[dict[str, Any]]) -> int:
    """Epochs of a stage. Predictions far from fair need many steps of assigning and learning."""
    if stage == "pretrain":
        return job.epochs
    return job.long_fair_epochs if stage == "fair" and _is_far(history) else job.fair_epochs


def _is_far(history: list[dict[str, Any]]) -> bool:
    """Whether the first fair step moved many points."""
    return next((row["moved"] for row in history if row["stage"] == "fair"), 0.0) > _FAR


def _is_guided(job: Job, history: list[dict[str, Any]]) -> bool:
    """Whether fair labels guide before they are learned by heart.

    Where the first of them are far from the predictions, many are wrong: the other terms have to find
    clusters that fit them better. At full weight the network would learn the labels as they are. And as the
    predicted sizes become the quotas, a cluster that fits badly would get smaller from step to step until it
    has died; it keeps at least half of the mean size, or of the guide's cluster.
    """
    return job.recipe.guidance < 1.0 and _is_far(history)


def _strengths(job: Job, stage: str, history: list[dict[str, Any]], done: float) -> tuple[float, float]:
    """Learning rate before the cosine, and weight of the fairness term."""
    recipe = job.recipe
    if stage != "fair":
        return recipe.learning_rate, recipe.fairness
    if not _is_guided(job, history):
        return recipe.fair_learning_rate, recipe.fairness
    return recipe.guided_learning_rate, recipe.fairness * (recipe.guidance if done < _GUIDED else 1.0)


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
            loss = loss + fairness * _fair_loss(job, fair, log_p, log_q, index)
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
    job: Job, fair: FairLabels | Guide, log_p: torch.Tensor, log_q: torch.Tensor, index: NDArray[np.intp]
) -> torch.Tensor:
    labels = torch.from_numpy(fair.labels[index].astype(np.int64)).to(log_p.device)
    weights = None
    if job.weighted_targets and isinstance(fair, FairLabels):
        weights = torch.from_numpy(fair.confidence[index]).to(log_p.device)
    own = losses.fairness(log_p, labels, weights, job.recipe.smoothing)
    if job.recipe.fair_views == 1:
        return own
    return 0.5 * (own + losses.fairness(log_q, labels, weights, job.recipe.smoothing))


def _align_step(job: Job, run: Run) -> dict[str, Any]:
    """Match clusters across groups, and tell when the network has learned it; nothing when it is done.

    The labels stay the same until then: a network half way between two numberings of the clusters predicts
    neither, and new fair labels would follow it.
    """
    proba = predict_proba(run.network, job.rows, job.team)
    predicted = proba.argmax(axis=1)
    found: dict[str, Any] = {}
    if run.epoch == 0:

        def matched() -> tuple[int, FairLabels | None]:
            chunks = ((index, chunk.cpu().numpy()) for index, chunk in job.rows.chunks())
            means, counts = cluster_means(chunks, predicted, job.groups, job.n_clusters)
            alignment = align_clusters(means, counts, job.seed)
            if not alignment.changed:
                return 0, None
            aligned = alignment.apply(proba, job.groups.signature)
            return len(alignment.changed), fair_labels(aligned, job.groups, job.bounds, sizes=job.sizes)

        found["aligned"], run.fair = job.team.shared(matched)
        if run.fair is None:
            return {}
    assert run.fair is not None
    moved = float(np.mean(run.fair.labels != predicted))
    return {} if moved <= _LEARNED else {**found, "moved": moved}


def _fair_step(job: Job, run: Run) -> dict[str, Any]:
    """Predict everything and take new fair labels from the engine."""
    proba = predict_proba(run.network, job.rows, job.team)
    predicted = proba.argmax(axis=1)
    found: dict[str, Any] = {"predicted_balance": balance(predicted, job.groups, n_clusters=job.n_clusters)}
    if job.balance_target is not None and _complete_balance(predicted, job) >= job.balance_target:
        run.reached = True
        return found
    least: Array | None = None
    if _is_guided(job, run.history):
        expected = 1.0 / job.n_clusters if job.guide is None else job.guide.shares
        least = np.full(job.n_clusters, _LEAST * expected)
    seen = _averaged(job, run, proba)
    run.fair = job.team.shared(
        lambda: fair_labels(seen, job.groups, job.bounds, sizes=job.sizes, least=least, start=run.warm)
    )
    run.warm = run.fair.start
    return {
        **found,
        "moved": float(np.mean(run.fair.labels != predicted)),
        "violation": run.fair.violation,
        "fair_seconds": run.fair.seconds,
    }


def _averaged(job: Job, run: Run, proba: Array) -> Array:
    """Average of these and earlier predictions (after Laine & Aila 2017), in a guided fair stage."""
    memory = job.recipe.memory
    if not memory or not (run.epoch == 0 or _is_guided(job, run.history)):
        run.averaged = None
        return proba
    run.averaged = proba if run.averaged is None else memory * run.averaged + (1.0 - memory) * proba
    return run.averaged


def _complete_balance(predicted: Array, job: Job) -> float:
    """Balance that is 0 when a cluster is empty: merging everything is no success."""
    if len(np.unique(predicted)) < job.n_clusters:
        return 0.0
    return float(balance(predicted, job.groups, n_clusters=job.n_clusters))


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
