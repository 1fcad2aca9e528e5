"""What comes before an epoch: clusters are regrouped, or matched across groups, or fair labels are taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from faircluster.deep.alignment import align_clusters, cluster_means
from faircluster.deep.fair_step import FairLabels, fair_labels, shortage_weights
from faircluster.deep.job import Job, Run
from faircluster.deep.neighbors import neighbor_information
from faircluster.deep.prediction import embed_rows, predict_proba
from faircluster.deep.regrouping import regroup
from faircluster.metrics import balance

__all__ = [
    "align_step",
    "complete_balance",
    "fair_step",
    "is_candidate",
    "is_guided",
    "learns_by_heart",
    "regroup_step",
    "regrouped",
    "stage_length",
]

Array = NDArray[Any]
_FAR = 0.05  # of the labels moved by the first fair step, beyond which the fair stage is a long one
_GUIDED = 2 / 3  # of a long fair stage, in which fair labels guide
_CANDIDATES = 1 / 6  # of a guided fair stage, at its end: the most balanced network of these is given out
_LEAST = 0.5  # of the mean size, or of the guide's, for the clusters of a long fair stage
_LEARNED = 0.05  # of the labels of a matching may be predicted differently when it counts as learned


@dataclass(frozen=True, eq=False)
class Regrouped:
    """Clusters after parts of them have moved.

    Attributes
    ----------
    index : ndarray of shape (m,)
        Rows that were looked at.
    labels : ndarray of shape (m,), int32
    moved : float
        Share of them whose cluster is another one now.
    information : float
        What clusters say about those of nearest neighbors, in nats.
    """

    index: NDArray[np.intp]
    labels: NDArray[np.int32]
    moved: float
    information: float


def stage_length(job: Job, stage: str, history: list[dict[str, Any]]) -> int:
    """Epochs of a stage. Predictions far from fair need many steps of assigning and learning."""
    if stage == "pretrain":
        return job.epochs
    if stage == "regroup":
        return job.regroup_epochs
    return job.long_fair_epochs if stage == "fair" and _is_far(history) else job.fair_epochs


def _is_far(history: list[dict[str, Any]]) -> bool:
    """Whether the first fair step moved many points."""
    return next((row["moved"] for row in history if row["stage"] == "fair"), 0.0) > _FAR


def is_guided(job: Job, history: list[dict[str, Any]]) -> bool:
    """Whether fair labels guide before they are learned by heart.

    Where the first of them are far from the predictions, many are wrong: the other terms have to find
    clusters that fit them better. At full weight the network would learn the labels as they are. And as the
    predicted sizes become the quotas, a cluster that fits badly would get smaller from step to step until it
    has died; it keeps at least half of the mean size, or of the guide's cluster.
    """
    return job.recipe.guidance < 1.0 and _is_far(history)


def learns_by_heart(job: Job, run: Run) -> bool:
    """Whether a guided fair stage is in its last third, where fair labels have their full weight."""
    length = stage_length(job, "fair", run.history)
    return is_guided(job, run.history) and run.epoch >= _GUIDED * length


def is_candidate(job: Job, run: Run) -> bool:
    """Whether the network may be given out: one of the last sixth of a guided fair stage, after an epoch.

    Rates are small there and networks much alike, but a balance is that of one cell and goes up and down.
    """
    if run.stage != "fair" or not is_guided(job, run.history):
        return False
    length = stage_length(job, "fair", run.history)
    return run.epoch > length - max(int(_CANDIDATES * length), 1)


def regroup_step(job: Job, run: Run) -> dict[str, Any]:
    """Move parts of clusters to where their nearest neighbors are; nothing where none has to move."""
    if run.epoch:
        return {"regrouped": run.history[-1]["regrouped"]}

    found = regrouped(job, run.network)
    if not found.moved:
        return {}
    whole = np.zeros(len(job.rows), dtype=np.int32)  # only those of the pool are learned
    whole[found.index] = found.labels
    run.fair = FairLabels.unbounded(whole)
    return {"regrouped": found.moved}


def regrouped(job: Job, network: nn.Module) -> Regrouped:
    """Let parts of clusters go where their nearest neighbors are; the same for all members of a team."""

    def found() -> Regrouped:
        rows, neighbors = job.neighbors
        index = np.unique(np.concatenate([job.pool, rows, neighbors.ravel()]))
        embedded, before = embed_rows(network, job.rows, index)
        near = [np.searchsorted(index, part) for part in (rows, neighbors)]
        after, _ = regroup(embedded, before, near[0], near[1], job.n_clusters, job.seed)
        return Regrouped(index, after, float(np.mean(after != before)), neighbor_information(after, *near))

    return job.team.shared(found)


def align_step(job: Job, run: Run) -> dict[str, Any]:
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
        run.weights = _weights(job, run, predicted)
    assert run.fair is not None
    moved = float(np.mean(run.fair.labels != predicted))
    return {} if moved <= _LEARNED else {**found, "moved": moved}


def fair_step(job: Job, run: Run) -> dict[str, Any]:
    """Predict everything and take new fair labels from the engine."""
    proba = predict_proba(run.network, job.rows, job.team)
    predicted = proba.argmax(axis=1)
    found: dict[str, Any] = {"predicted_balance": balance(predicted, job.groups, n_clusters=job.n_clusters)}
    if job.balance_target is not None and complete_balance(predicted, job) >= job.balance_target:
        run.reached = True
        return found
    least: Array | None = None
    if is_guided(job, run.history):
        expected = 1.0 / job.n_clusters if job.guide is None else job.guide.shares
        least = np.full(job.n_clusters, _LEAST * expected)
    seen = _averaged(job, run, proba)
    run.fair = job.team.shared(
        lambda: fair_labels(seen, job.groups, job.bounds, sizes=job.sizes, least=least, start=run.warm)
    )
    run.warm = run.fair.start
    found["moved"] = float(np.mean(run.fair.labels != predicted))
    guides = is_guided(job, [*run.history, {"stage": "fair", **found}]) and not learns_by_heart(job, run)
    run.weights = _weights(job, run, predicted, by_shortage=not guides)
    return {**found, "violation": run.fair.violation, "fair_seconds": run.fair.seconds}


def _weights(
    job: Job, run: Run, predicted: NDArray[np.intp], *, by_shortage: bool = False
) -> NDArray[np.float32] | None:
    """How much each fair label counts: by its confidence where asked for, and by what its cluster lacks."""
    assert run.fair is not None
    weights = run.fair.confidence if job.weighted_targets else None
    if not (by_shortage and job.recipe.shortage):
        return weights
    short, run.shortage = shortage_weights(
        run.fair.labels, predicted, job.groups, job.n_clusters, job.recipe.shortage, run.shortage
    )
    return short if weights is None else weights * short


def _averaged(job: Job, run: Run, proba: Array) -> Array:
    """Average of these and earlier predictions (after Laine & Aila 2017), in a guided fair stage."""
    memory = job.recipe.memory
    if not memory or not (run.epoch == 0 or is_guided(job, run.history)):
        run.averaged = None
        return proba
    run.averaged = proba if run.averaged is None else memory * run.averaged + (1.0 - memory) * proba
    return run.averaged


def complete_balance(predicted: Array, job: Job) -> float:
    """Balance that is 0 when a cluster is empty: merging everything is no success."""
    if len(np.unique(predicted)) < job.n_clusters:
        return 0.0
    return float(balance(predicted, job.groups, n_clusters=job.n_clusters))
