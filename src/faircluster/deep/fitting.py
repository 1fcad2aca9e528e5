"""A whole fit: several starts, the best of them taken through the fair stage, checkpoints on the way."""

from __future__ import annotations

import functools
import json
import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from faircluster.assignment.prices import Relaxation
from faircluster.deep.fair_step import FairLabels
from faircluster.deep.files import read_tensors, write_tensors
from faircluster.deep.job import Job, Run
from faircluster.deep.neighbors import neighbor_information
from faircluster.deep.parallel import Team
from faircluster.deep.prediction import predict_proba
from faircluster.deep.steps import complete_balance, is_candidate, regrouped
from faircluster.deep.training import DivergedError, train_stage

__all__ = ["Fitted", "fit_network", "stored_seed"]

KIND = "faircluster deep checkpoint"
logger = logging.getLogger("faircluster")


@dataclass(frozen=True, eq=False)
class Fitted:
    """Outcome of :func:`fit_network`.

    Attributes
    ----------
    run : Run
        With the trained network.
    scores : list of float
        The objective of every start without its fairness term; infinite if it diverged.
    information : list of float
        Of several starts on images: what clusters, regrouped if they will be, say about those of nearest
        neighbors; else empty.
    start : int
        Number of the start that was kept.
    status : {"finished", "balance_reached", "diverged"}
    guided : bool
        Whether the first stage had a guide.
    """

    run: Run
    scores: list[float]
    information: list[float]
    start: int
    status: str
    guided: bool


_RUN_ARRAYS = ("averaged", "weights", "shortage")


class _Keeper:
    """Scores, the best network so far (of the starts, then of the fair stage), and the checkpoint file."""

    def __init__(
        self, path: Path | None, fingerprint: str, seed: int, level: int, team: Team | None = None
    ) -> None:
        self.path, self.fingerprint, self.seed, self.level = path, fingerprint, seed, level
        self.team = team or Team()
        self.scores: list[float] = []
        self.information: list[float] = []
        self.best: dict[str, torch.Tensor] = {}
        self.balance = -1.0  # of the best network of the fair stage, as soon as there is one

    @property
    def best_start(self) -> int:
        return int(np.argmax(self.information) if self.information else np.argmin(self.scores))

    def keep(self, network: nn.Module) -> None:
        self.best = {name: value.clone() for name, value in network.state_dict().items()}

    def on_fair_epoch(self, job: Job, run: Run) -> None:
        """Keep the network if it is the most balanced candidate, and go on as after any epoch."""
        if is_candidate(job, run):
            labels = predict_proba(run.network, job.rows, job.team).argmax(axis=1)
            if (found := complete_balance(labels, job)) >= self.balance:
                self.balance = found
                self.keep(run.network)
        self.on_epoch(run)

    def on_epoch(self, run: Run) -> None:
        if self.team.rank:
            return
        row = run.history[-1]
        logger.log(
            self.level,
            "start %d, %s epoch %d: loss %.4f, balance %.3f%s, %.1f s",
            *(row["start"] + 1, row["stage"], row["epoch"] + 1, row["loss"], row["balance"]),
            f", moved {row['moved']:.2%}" if "moved" in row else "",
            row["seconds"],
        )
        self.save(run)

    def save(self, run: Run) -> None:
        if self.path is None:
            return
        header = {
            "fingerprint": self.fingerprint,
            "seed": self.seed,
            "scores": self.scores,
            "information": self.information,
            "balance": self.balance,
            "run": {name: getattr(run, name) for name in ("start", "stage", "epoch", "history", "reached")},
        }
        tensors = {f"network.{name}": value for name, value in run.network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for number, state in run.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(v) for name, v in state.items()}
        kept = {name: getattr(run, name) for name in _RUN_ARRAYS}
        tensors |= {name: torch.from_numpy(a) for name, a in kept.items() if a is not None}
        write_tensors(self.path, KIND, header, tensors | _pack_fair(run.fair, "fair") | _pack_warm(run.warm))

    def load(self, run: Run) -> None:
        """Put a run where the checkpoint left it."""
        assert self.path is not None
        header, tensors = read_tensors(self.path, KIND)
        if header["fingerprint"] != self.fingerprint:
            raise ValueError(
                f"checkpoint {self.path} belongs to a fit with other data or parameters; delete it, or name "
                "another file"
            )
        self.scores, self.information = header["scores"], header["information"]
        self.balance = header["balance"]
        for name, value in header["run"].items():
            setattr(run, name, value)
        run.network.load_state_dict(_under(tensors, "network."))
        self.best = _under(tensors, "best.")
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in _under(tensors, "optimizer.").items():
            number, _, what = name.partition(".")
            state.setdefault(int(number), {})[what] = value
        groups = run.optimizer.state_dict()["param_groups"]
        run.optimizer.load_state_dict({"state": state, "param_groups": groups})
        for name in _RUN_ARRAYS:
            setattr(run, name, tensors[name].numpy() if name in tensors else None)
        run.fair, run.warm = _unpack_fair(_under(tensors, "fair.")), _unpack_warm(_under(tensors, "warm."))

    def exists(self) -> bool:
        """Whether there is a checkpoint, the same for all members of a team."""
        return self.team.shared(lambda: self.path is not None and self.path.exists())

    def drop(self) -> None:
        self.team.wait()
        if self.path is not None and self.team.rank == 0:
            self.path.unlink(missing_ok=True)


def fit_network(
    job: Job,
    make_network: Callable[[int], nn.Module],
    *,
    checkpoint: str | os.PathLike[str] | None,
    fingerprint: dict[str, Any],
    level: int,
) -> Fitted:
    """Train every start in the first stage, and take the best of them through the others.

    Parameters
    ----------
    job : Job
    make_network : callable
        Seed to a new network on the job's device.
    checkpoint : path or None
        Written after every epoch; a fit that finds it there goes on from it, and removes it at its end.
    fingerprint : dict
        Plain JSON that tells this fit from others.
    level : int
        Logging level of progress.

    Returns
    -------
    Fitted
        Of several starts on images the one with the most
        :func:`~faircluster.deep.neighbors.neighbor_information` is kept, on vectors the one with the least
        score. Vectors come here where distances between them mislead, or nobody asked whether they do: they
        would have a guide else, and one network. Of a guided fair stage the most balanced of the last
        networks is kept.

    Raises
    ------
    DivergedError
        Every start diverged.
    ValueError
        The checkpoint belongs to another fit or is damaged.
    """
    text = json.dumps(fingerprint, sort_keys=True)
    path = None if checkpoint is None else Path(checkpoint)
    keeper = _Keeper(path, text, job.seed, level, job.team)
    run = _begin(job, make_network, 0)
    if keeper.exists():
        keeper.load(run)
    while run.stage == "pretrain":
        failure = _finish_start(job, run, keeper)
        if run.start + 1 < job.recipe.n_init:
            run = _begin(job, make_network, run.start + 1, run.history)
            continue
        if not np.isfinite(min(keeper.scores)):
            raise failure if failure is not None else DivergedError("every start diverged")
        run = _begin(job, make_network, keeper.best_start, run.history, stage="regroup")
        run.network.load_state_dict(keeper.best)
    status = "finished"
    try:
        if run.stage == "regroup":
            train_stage(job, run, keeper.on_epoch)
            run.stage, run.epoch, run.fair = "align", 0, None
        if run.stage == "align":
            if job.recipe.align and job.groups.n_signatures > 1:
                train_stage(job, run, keeper.on_epoch)
            run.stage, run.epoch, run.fair = "fair", 0, None
        train_stage(job, run, functools.partial(keeper.on_fair_epoch, job))
    except DivergedError as error:
        warnings.warn(str(error), RuntimeWarning, stacklevel=4)
        status = "diverged"
    if keeper.balance >= 0.0 and not run.reached:
        run.network.load_state_dict(keeper.best)
    keeper.drop()
    status = "balance_reached" if run.reached else status
    return Fitted(run, keeper.scores, keeper.information, run.start, status, job.guide is not None)


def _finish_start(job: Job, run: Run, keeper: _Keeper) -> DivergedError | None:
    """Train a start to its end, and keep it if it is the best; why it diverged if it did."""
    score, failure = 0.0, None
    try:
        train_stage(job, run, keeper.on_epoch)
        if job.epochs > 0:
            score = run.history[-1]["score"]
    except DivergedError as error:
        logger.log(logging.WARNING, "start %d: %s", run.start + 1, error)
        # what was learned before may still be the best there is
        rows = [row for row in run.history if row["start"] == run.start and row["stage"] == "pretrain"]
        score, failure = (rows[-1]["score"] if rows else float("inf")), error
        if rows:
            warnings.warn(f"start {run.start + 1}: {error}", RuntimeWarning, stacklevel=5)
    keeper.scores.append(score)
    if job.recipe.n_init > 1 and len(job.rows.shape) == 3:
        keeper.information.append(_information(job, run.network) if np.isfinite(score) else 0.0)
    if keeper.best_start == run.start:
        keeper.keep(run.network)
    return failure


def _information(job: Job, network: nn.Module) -> float:
    """Tell what clusters say about those of nearest neighbors, in nats; the same for all members of a team.

    The objective itself prefers clusters that the perturbations leave alone. Where samples are close without
    one being a perturbation of the other, starts that take them apart are the worse ones. Where clusters will
    be regrouped it is that of the regrouped ones: what can be mended does not count.
    """
    if job.regroup_epochs:
        return regrouped(job, network).information
    labels = predict_proba(network, job.rows, job.team).argmax(axis=1)
    return job.team.shared(lambda: neighbor_information(labels, *job.neighbors))


def _begin(
    job: Job,
    make_network: Callable[[int], nn.Module],
    start: int,
    history: list[dict[str, Any]] | None = None,
    stage: str = "pretrain",
) -> Run:
    network = make_network(int(np.random.SeedSequence([job.seed, start]).generate_state(1)[0]))
    optimizer = torch.optim.Adam(network.parameters(), lr=job.recipe.learning_rate)
    return Run(network, optimizer, start=start, stage=stage, history=list(history or []))


def stored_seed(checkpoint: str | os.PathLike[str] | None) -> int | None:
    """Seed of the fit that a checkpoint belongs to; None where there is none."""
    if checkpoint is None or not Path(checkpoint).exists():
        return None
    return int(read_tensors(checkpoint, KIND)[0]["seed"])


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _pack_fair(fair: FairLabels | None, prefix: str) -> dict[str, torch.Tensor]:
    if fair is None:
        return {}
    numbers = [fair.moved, fair.violation, fair.cost, fair.gap, fair.seconds]
    packed = {"labels": fair.labels, "confidence": fair.confidence, "numbers": np.array(numbers)}
    return {f"{prefix}.{name}": torch.from_numpy(value) for name, value in packed.items()}


def _unpack_fair(tensors: dict[str, torch.Tensor]) -> FairLabels | None:
    if not tensors:
        return None
    moved, violation, cost, gap, seconds = tensors["numbers"].tolist()
    labels, confidence = tensors["labels"].numpy(), tensors["confidence"].numpy()
    return FairLabels(labels, confidence, moved, violation, cost, gap, None, seconds)


_WARM_ARRAYS = ("multipliers", "prices", "quotas", "values")


def _pack_warm(warm: Relaxation | None) -> dict[str, torch.Tensor]:
    if warm is None:
        return {}
    packed = {name: getattr(warm, name) for name in _WARM_ARRAYS}
    packed["numbers"] = np.array([warm.lower_bound, warm.cost, warm.temperature])
    if warm.basis is not None:
        packed["columns"], packed["rows"] = warm.basis
    return {f"warm.{name}": torch.from_numpy(np.array(a)) for name, a in packed.items()}


def _unpack_warm(tensors: dict[str, torch.Tensor]) -> Relaxation | None:
    if not tensors:
        return None
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    bound, cost, temperature = arrays.pop("numbers").tolist()
    basis = (arrays.pop("columns"), arrays.pop("rows")) if "columns" in arrays else None
    return Relaxation(**arrays, lower_bound=bound, cost=cost, temperature=temperature, basis=basis)
