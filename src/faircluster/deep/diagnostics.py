"""What may have gone wrong in a fit, in words, and pictures of how it went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from faircluster.deep.guide import SMALL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["diagnose", "plot_curves", "plot_embedding"]

_MERGED = 0.5  # of log k that the marginal entropy must have at least, against what the sizes allow
_MOVED = 0.2
_FROZEN = 0.005
STAGES = {
    "pretrain": "#0072B2",
    "regroup": "#009E73",
    "align": "#CC79A7",
    "fair": "#D55E00",
}  # in their order
_REGROUPED = 0.1
_SHORT = 0.9  # of the balance that the fair labels reach


def diagnose(model: Any) -> list[str]:
    """Say what a fit shows that it should not, each with what to try.

    Parameters
    ----------
    model : DeepFairClustering
        Fitted.

    Returns
    -------
    list of str
        Empty if nothing is conspicuous; which is no proof that the clusters are right.

    Notes
    -----
    Looks at: clusters much smaller than the others or empty, a network that cannot tell clusters apart,
    groups in clusters of their own, nearest neighbors that disagree, fair labels far from the predictions,
    balance that no longer moves, a loss that diverged.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster import DeepFairClustering
    >>> from faircluster.deep import diagnose
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> model = DeepFairClustering(2, epochs=1, n_init=1, random_state=0).fit(X)
    >>> model.labels_[:] = 0
    >>> print(diagnose(model)[0][:50])
    cluster 1 has collapsed to 0 of 60 points (expecte
    """
    return [
        *_collapsed(model),
        *_unclear(model),
        *_apart(model),
        *_regrouped(model),
        *_frozen(model),
        *(["the loss diverged; try a lower learning_rate"] if model.status_ == "diverged" else []),
    ]


def _collapsed(model: Any) -> list[str]:
    k, n = model.n_clusters, len(model.labels_)
    sizes = np.bincount(model.labels_, minlength=k)
    small = np.flatnonzero(sizes < SMALL * n / k)
    if k == 1 or len(small) == 0:
        return []
    names = f"cluster {small[0]} has" if len(small) == 1 else f"clusters {', '.join(map(str, small))} have"
    total = int(sizes[small].sum())
    return [
        f"{names} collapsed to {total} of {n} points (expected about {n * len(small) / k:.0f}); another has "
        "probably swallowed a class. Try more starts (n_init) or another random_state; if the fair stage "
        "emptied them, sizes='uniform'; if classes truly differ that much in size, fewer clusters"
    ]


def _unclear(model: Any) -> list[str]:
    last = next((row for row in reversed(model.history_) if "loss" in row), None)
    top = np.log(model.n_clusters)
    if last is None or model.n_clusters == 1 or last["conditional_entropy"] <= _MERGED * top:
        return []
    return [
        f"the network is undecided: the mean entropy of its predictions is {last['conditional_entropy']:.2f} "
        f"of at most {top:.2f}. Try more epochs, a higher learning_rate or a weaker perturbation"
    ]


def _apart(model: Any) -> list[str]:
    fair = [row for row in model.history_ if row["stage"] == "fair" and "moved" in row]
    if not fair:
        return []
    found = []
    first = fair[0]
    aligned = [row for row in model.history_ if "aligned" in row]
    if first["predicted_balance"] == 0 and first["moved"] > _FROZEN:
        found.append(
            f"after the first stage some group was missing from a cluster (balance 0, {first['moved']:.0%} "
            "of the points moved by the first fair step): the network told groups apart instead of classes. "
            "Balance alone will then look better than the clusters are. Try by_group=True, a perturbation "
            "that hides the difference between the groups, or more starts (n_init)"
        )
    elif first["moved"] > _MOVED:
        found.append(
            f"the first fair step moved {first['moved']:.0%} of the points: clusters and groups were far "
            "from independent, and fair labels split them almost at will. Try by_group=True or wider bounds"
        )
    if aligned:
        found.append(
            f"before the fair stage the clusters of {aligned[0]['aligned']} combinations of groups were "
            f"matched anew with those of the others ({aligned[0]['moved']:.0%} of the points moved): the "
            "network had given the same class different clusters in different groups. Look at a few samples "
            "of each group in each cluster, and try more starts (n_init)"
        )
    return found


def _regrouped(model: Any) -> list[str]:
    share = next((row["regrouped"] for row in model.history_ if "regrouped" in row), 0.0)
    if share <= _REGROUPED:
        return []
    return [
        f"after the first stage {share:.0%} of the points went to the cluster of their nearest neighbors: "
        "the network and plain distances see different things in them. Look at a few samples of each "
        "cluster, and try more starts (n_init)"
    ]


def _frozen(model: Any) -> list[str]:
    fair = [row for row in model.history_ if row["stage"] == "fair" and "moved" in row]
    if len(fair) < 2 or model.balance_ >= _SHORT * model.fair_balance_:
        return []
    if fair[-1]["moved"] < _FROZEN:
        return [
            f"balance stays at {model.balance_:.3f} of {model.fair_balance_:.3f} although the last fair step "
            f"moved only {fair[-1]['moved']:.2%} of the points: the network has learned the fair labels by "
            "heart. More fair_epochs will not help; use fair_labels_ or assign where bounds must hold"
        ]
    if abs(fair[-1]["predicted_balance"] - fair[0]["predicted_balance"]) < 0.01 * model.fair_balance_:
        return [
            f"balance does not move ({fair[0]['predicted_balance']:.3f} to "
            f"{fair[-1]['predicted_balance']:.3f}, fair labels have {model.fair_balance_:.3f}). Try a larger "
            "fairness weight, targets='hard', smoothing=0 or more fair_epochs"
        ]
    return []


def plot_curves(model: Any, figure: Figure | None = None) -> Figure:
    """Draw loss, balance and moved points by epoch.

    Parameters
    ----------
    model : DeepFairClustering
        Fitted.
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
        Other starts than the one kept are drawn thin.

    Raises
    ------
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster import DeepFairClustering
    >>> from faircluster.deep import plot_curves
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> model = DeepFairClustering(2, epochs=2, n_init=1, random_state=0).fit(X)
    >>> len(plot_curves(model).axes)
    3
    """
    figure = _figure(figure, (10.0, 3.2))
    panels = figure.subplots(1, 3)
    titles = (("loss", "loss"), ("balance", "balance of the network's labels"), ("moved", "points moved"))
    for axis, (key, title) in zip(panels, titles, strict=True):
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_xlabel("epoch")
        for start in range(len(model.scores_)):
            for stage, color in STAGES.items():
                rows = [
                    row
                    for row in model.history_
                    if row["start"] == start and row["stage"] == stage and key in row
                ]
                shift = _before(model, start, stage)
                epochs = [row["epoch"] + 1 + shift for row in rows]
                width, alpha = (1.8, 1.0) if start == model.start_ else (0.8, 0.5)
                axis.plot(epochs, [row[key] for row in rows], color=color, linewidth=width, alpha=alpha,
                          marker="o" if len(rows) < 3 else None,
                          label=f"{stage} stage" if start == model.start_ and rows else None)  # fmt: skip
        axis.spines[["top", "right"]].set_visible(False)
    panels[1].axhline(model.fair_balance_, color="#4D4D4D", linestyle="--", linewidth=1, label="fair labels")
    panels[1].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    return figure


def plot_embedding(
    model: Any, X: Any, sensitive_features: Sequence[Any], *, most: int = 2000, figure: Figure | None = None
) -> Figure:
    """Draw a t-SNE map of the embedding, colored by cluster and by group.

    Parameters
    ----------
    model : DeepFairClustering
        Fitted.
    X : array of n samples
    sensitive_features : sequence of length n
        One attribute.
    most : int, default=2000
        Samples drawn at random if there are more.
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ValueError
        Lengths that differ, or fewer than four samples.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster import DeepFairClustering
    >>> from faircluster.deep import plot_embedding
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> model = DeepFairClustering(2, epochs=1, n_init=1, random_state=0).fit(X)
    >>> len(plot_embedding(model, X, ["a", "b"] * 30).axes)
    2
    """
    from sklearn.manifold import TSNE

    n = len(X)
    values = np.asarray(sensitive_features)
    if values.ndim != 1 or len(values) != n:
        raise ValueError(
            f"sensitive_features must be one attribute with {n} values, got shape {values.shape}"
        )
    if n < 4:
        raise ValueError(f"X has {n} rows; a map needs at least 4")
    chosen = np.sort(np.random.default_rng(0).permutation(n)[:most])
    samples = X[chosen] if hasattr(X, "shape") and not hasattr(X, "columns") else np.asarray(X)[chosen]
    perplexity = min(30.0, (len(chosen) - 1) / 3)
    place = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(model.transform(samples))
    figure = _figure(figure, (10.0, 4.6))
    panels = figure.subplots(1, 2)
    groups = np.unique(values[chosen], return_inverse=True)[1]
    for axis, codes, title in (
        (panels[0], model.predict(samples), "clusters"),
        (panels[1], groups, "groups"),
    ):
        axis.scatter(*place.T, c=codes, cmap="tab10" if codes.max() < 10 else "viridis", s=5, linewidths=0)
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_axis_off()
    figure.tight_layout()
    return figure


def _before(model: Any, start: int, stage: str) -> int:
    """Epochs of a start before a stage."""
    stages = list(STAGES)
    earlier = stages[: stages.index(stage)]
    return sum(row["start"] == start and row["stage"] in earlier for row in model.history_)


def _figure(figure: Figure | None, size: tuple[float, float]) -> Figure:
    if figure is not None:
        return figure
    try:
        from matplotlib.figure import Figure as NewFigure
    except ImportError as error:
        raise ImportError(
            'pictures need matplotlib: pip install "faircluster[report]"', name=error.name
        ) from error
    return NewFigure(figsize=size)
