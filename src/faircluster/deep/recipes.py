"""Everything a training run is told, and the two presets."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Recipe", "resolve_recipe"]


@dataclass(frozen=True)
class Recipe:
    """Settings of a fit.

    Attributes
    ----------
    network : {"auto", "conv", "mlp"}
        "auto": the convolutions for images of at least 8 x 8 pixels, else the MLP.
    perturbation : {"auto", "augment", "noise", "vat"}
        "auto": augmentation for images, an adversarial step for vectors.
    confidence, marginal, invariance, fairness, decay : float
        Weights of H(Y|X), -H(Y), the consistency, the cross-entropy to fair labels and the squares of the
        network's weights.
    by_group : bool or "auto"
        Marginal entropy within groups. "auto": where every group has at least ten rows of a batch for each
        cluster, so that the entropy of the group's mean is estimated to a twentieth of a nat.
    fair_views : {1, 2}
        Whether the fair labels are learned from the sample alone or from the perturbed one as well.
    smoothing : float
        Label smoothing of the fair labels.
    batch_size : int
    learning_rate, fair_learning_rate, guided_learning_rate : float
        Adam's, for the two stages, and for a fair stage with guidance.
    guidance : float
        Fraction of the weight of the fairness term while fair labels only guide; see
        the training loop. 1: no guidance.
    memory : float
        Weight of the past in the average of predictions that the fair step sees in a guided fair stage:
        clusters still change there, and one epoch's errors would be passed on. 0: no average.
    shortage : float
        Fair labels count more where a group lacks predictions, in a guided fair stage in its last third: the
        power of how many times too few they are, less some slack. 0: all count once.
    final_sizes : {"nearest", "predicted"}
        Cluster sizes of the labels that are given out, unless the user names some or a guide did. In training
        they are as predicted: the nearest leave most labels as they are, and a network learns little from its
        own.
    cosine : bool
        Learning rates fall along a cosine to 2 %; else they are constant.
    epochs : int or None
        Epochs without fairness term; None: as many as make `steps` steps.
    steps : int
    pretrain_rows : int or None
        Rows drawn for that stage, all by default.
    fair_epochs : int or None
        Epochs with fairness term on all rows; None: 4, and more on small data, up to 12, for 180 steps; 18
        where the first fair step moves more than a twentieth of the points.
    n_init : int
    guide : bool
        Vectors: the first stage learns exactly fair k-means beside the other terms, where that does not
        mislead. Then `n_init` counts the starts of k-means, and one network is trained.
    regroup : bool
        Images: parts of clusters that belong to another one by their nearest neighbors go there, and the
        network learns it in 180 steps, but no more than the first stage has, on its rows.
    align : bool
        Match clusters across groups before the first fair labels are taken.
    uniform_start : bool
        IMSAT's initialization.
    """

    network: str = "auto"
    perturbation: str = "auto"
    confidence: float = 0.1
    marginal: float = 0.4
    invariance: float = 1.0
    fairness: float = 4.0
    decay: float = 1e-4
    by_group: bool | str = "auto"
    fair_views: int = 2
    smoothing: float = 0.1
    batch_size: int = 250
    learning_rate: float = 2e-3
    fair_learning_rate: float = 5e-4
    guided_learning_rate: float = 1e-3
    guidance: float = 0.1
    memory: float = 0.5
    shortage: float = 1.5
    final_sizes: str = "nearest"
    cosine: bool = True
    epochs: int | None = None
    steps: int = 540
    pretrain_rows: int | None = 12_000
    fair_epochs: int | None = None
    n_init: int = 8
    guide: bool = True
    regroup: bool = True
    align: bool = True
    uniform_start: bool = False


PRESETS = {
    "best": Recipe(),
    # Zhang & Davidson 2021 where it says something, else IMSAT, on which it builds. The paper's decay of
    # 1e-4, summed over 1200-1200 weights, made the score of the first stage worse
    "paper": Recipe(
        perturbation="vat",
        decay=0.0,
        by_group=False,
        fair_views=1,
        smoothing=0.0,
        fair_learning_rate=2e-3,
        guided_learning_rate=2e-3,
        guidance=1.0,
        memory=0.0,
        shortage=0.0,
        final_sizes="predicted",
        cosine=False,
        epochs=50,
        pretrain_rows=None,
        fair_epochs=50,
        n_init=1,
        guide=False,
        regroup=False,
        align=False,
        uniform_start=True,
        network="mlp",
    ),
}
_POSITIVE = ("batch_size", "n_init", "learning_rate")
_COUNTS = ("epochs", "fair_epochs")
_AT_LEAST_0 = ("epochs", "fair_epochs", "fairness", "smoothing")


def resolve_recipe(preset: str, **given: Any) -> Recipe:
    """Take the preset and what the user set beside it.

    Parameters
    ----------
    preset : {"best", "paper"}
    **given
        Fields of :class:`Recipe`; None keeps the preset's.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        An unknown preset or a value out of range.

    Examples
    --------
    >>> resolve_recipe("paper", epochs=3).epochs, resolve_recipe("best", epochs=None).epochs
    (3, None)
    """
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {tuple(PRESETS)}, got {preset!r}")
    chosen = {name: value for name, value in given.items() if value is not None}
    for name, value in chosen.items():
        if name in (*_POSITIVE, *_AT_LEAST_0):
            whole = name in ("batch_size", "n_init", *_COUNTS)
            least = 0 if name in _AT_LEAST_0 else 1 if whole else 1e-12
            right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
            if not right or not math.isfinite(value) or value < least:
                kind = "a whole number" if whole else "a number"
                raise ValueError(f"{name} must be {kind} of at least {least}, got {value!r}")
    if chosen.get("batch_size", 2) < 2:
        raise ValueError("batch_size must be at least 2, got 1; batch norms need two samples")
    if chosen.get("smoothing", 0) >= 1:
        raise ValueError(f"smoothing must be below 1, got {chosen['smoothing']}")
    base = PRESETS[preset]
    if "learning_rate" in chosen:  # one number for all stages, which keep their ratios
        factor = chosen["learning_rate"] / base.learning_rate
        chosen["fair_learning_rate"] = base.fair_learning_rate * factor
        chosen["guided_learning_rate"] = base.guided_learning_rate * factor
    return dataclasses.replace(base, **chosen)
