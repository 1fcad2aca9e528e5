"""Pictures of costs, points, trade-offs and training, each as matplotlib axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faircluster.report.plots import AFTER, BEFORE, DASHES, LINE, literal, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_cost_by_k", "plot_embedding", "plot_group_costs", "plot_tradeoff", "plot_training"]

INK, GRID, SOFT = "#333333", "#E8E8E8", "#B0B0B0"
# told apart by all kinds of color vision as far as that goes; names are written next to the colors
CLUSTERS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7F7F7F", "#B8A800", "#44337A",
    "#8C564B", "#17BECF", "#6B8E23", "#C2185B", "#1B5E20", "#5C6BC0", "#A1887F", "#00796B", "#F06292",
    "#827717", "#263238",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
STYLES = ("-", "--", "-.", ":")


def plot_group_costs(
    names: Sequence[str],
    means: ArrayLike,
    *,
    intervals: tuple[ArrayLike, ArrayLike] | None = None,
    before: ArrayLike | None = None,
    everyone: float | None = None,
    labels: tuple[str, str] = ("before", "after"),
    measure: str = "mean cost",
    axis: Axes | None = None,
) -> Axes:
    """Draw the mean cost of each group, before and after.

    Parameters
    ----------
    names : sequence of g str
    means : array-like of shape (g,)
    intervals : tuple of two array-likes of shape (g,), optional
        Lower and upper end of each mean's confidence interval.
    before : array-like of shape (g,), optional
        Means of another clustering of the same rows.
    everyone : float, optional
        Mean cost of all rows.
    labels : tuple of two str
        What before and after are.
    measure : str
        What the cost is, for the axis.
    axis : matplotlib Axes, optional
        To draw on; a new one by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        Lengths that differ.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> from faircluster.report import plot_group_costs
    >>> plot_group_costs(["a", "b"], [1.0, 2.0], before=[1.0, 1.5]).get_xlabel()
    'mean cost'
    """
    values = _same_length("means", means, names)
    axis = _axis(axis, (7.2, 0.34 * len(names) + 1.3))
    y = np.arange(len(names))[::-1]
    if everyone is not None:
        axis.axvline(everyone, color=LINE, linewidth=1.2, linestyle=DASHES, label="everyone", zorder=1)
    if intervals is not None:
        low, high = (_same_length("intervals", side, names) for side in intervals)
        axis.hlines(y, low, high, color=AFTER, linewidth=2.4, alpha=0.45, zorder=2)
    if before is not None:
        old = _same_length("before", before, names)
        axis.scatter(
            old, y, marker="D", s=36, facecolor="none", edgecolor=BEFORE, linewidth=1.6,
            label=literal(labels[0]), zorder=3,
        )  # fmt: skip
    axis.scatter(values, y, marker="o", s=44, color=AFTER, label=literal(labels[1]), zorder=4)
    axis.set_yticks(y, [literal(_clip(name)) for name in names])
    axis.set_ylim(-0.7, len(names) - 0.3)
    axis.set_xlabel(literal(measure), color=INK)
    _dress(axis, "x")
    _key(axis)
    return axis


def plot_embedding(
    points: ArrayLike,
    labels: ArrayLike,
    groups: Sequence[str],
    *,
    cluster_names: Sequence[str] | None = None,
    axis: Axes | None = None,
) -> Axes:
    """Draw points in the plane: the cluster by color and by its name at the middle, the group by marker.

    Parameters
    ----------
    points : array-like of shape (n, 2)
        For example two principal axes.
    labels : array-like of shape (n,), integers from 0
    groups : sequence of n str
        Group of each point; the eighth and further ones share a marker.
    cluster_names : sequence of k str, optional
    axis : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        Points that are not two-dimensional, or lengths that differ.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> from faircluster.report import plot_embedding
    >>> axis = plot_embedding([[0.0, 0.0], [1.0, 1.0]], [0, 1], ["a", "b"])
    >>> [text.get_text() for text in axis.get_legend().get_texts()]
    ['a', 'b']
    """
    flat, code = np.asarray(points, dtype=np.float64), np.asarray(labels)
    if flat.ndim != 2 or flat.shape[1] != 2 or len(flat) != len(code) or len(flat) != len(groups):
        raise ValueError(
            f"points must have shape (n, 2) with a label and a group for each, got {flat.shape}, "
            f"{len(code)} labels and {len(groups)} groups"
        )
    axis = _axis(axis, (7.2, 5.0))
    kinds = list(dict.fromkeys(sorted(groups)))
    which = np.array([min(kinds.index(name), len(MARKERS) - 1) for name in groups])
    colors = np.array([CLUSTERS[int(j) % len(CLUSTERS)] for j in code])
    for t in range(min(len(kinds), len(MARKERS))):
        rows = which == t
        more = t == len(MARKERS) - 1 and len(kinds) > len(MARKERS)
        axis.scatter(
            flat[rows, 0], flat[rows, 1], s=17, marker=MARKERS[t], c=colors[rows], alpha=0.75, linewidth=0,
        )  # fmt: skip
        axis.scatter(
            [], [], s=32, marker=MARKERS[t], color=LINE, label=literal(_clip("others" if more else kinds[t]))
        )
    for j in np.unique(code):
        x, y = np.median(flat[code == j], axis=0)
        name = str(j) if cluster_names is None else str(cluster_names[int(j)])
        axis.text(
            x, y, literal(_clip(name, 16)), ha="center", va="center", fontsize=10, weight="bold", color=INK,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "alpha": 0.85, "linewidth": 1.4,
                  "edgecolor": CLUSTERS[int(j) % len(CLUSTERS)]},
        )  # fmt: skip
    axis.set_xlabel("first axis", color=INK)
    axis.set_ylabel("second axis", color=INK)
    _dress(axis, "both")
    _key(axis)
    return axis


def plot_cost_by_k(
    n_clusters: ArrayLike,
    costs: Mapping[str, ArrayLike],
    *,
    lower_bounds: Mapping[str, ArrayLike] | None = None,
    measure: str = "cost",
    axis: Axes | None = None,
) -> Axes:
    """Draw radius or cost against the number of clusters, one line a method.

    Parameters
    ----------
    n_clusters : array-like of shape (m,), integers
    costs : dict from method to array-like of shape (m,)
    lower_bounds : dict from method to array-like of shape (m,), optional
        The band from each bound to the cost is where the optimum for the same centers can be.
    measure : str
    axis : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        No method, or lengths that differ.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> from faircluster.report import plot_cost_by_k
    >>> len(plot_cost_by_k([2, 4, 8], {"plain": [9, 5, 3], "fair": [9.5, 6, 4]}).lines)
    2
    """
    if not costs:
        raise ValueError("costs must hold at least one method, from its name to its costs")
    ks = np.asarray(n_clusters)
    axis = _axis(axis, (7.2, 4.0))
    for i, (name, values) in enumerate(costs.items()):
        line = _same_length(f"costs[{name!r}]", values, ks)
        color = CLUSTERS[i % len(CLUSTERS)]
        axis.plot(
            ks, line, color=color, marker=MARKERS[i % len(MARKERS)], linestyle=STYLES[i % len(STYLES)],
            linewidth=1.8, label=literal(name),
        )  # fmt: skip
        if lower_bounds is not None and name in lower_bounds:
            bound = _same_length(f"lower_bounds[{name!r}]", lower_bounds[name], ks)
            axis.fill_between(ks, bound, line, color=color, alpha=0.18, linewidth=0)
    axis.set_xlabel("number of clusters k", color=INK)
    axis.set_ylabel(literal(measure), color=INK)
    axis.set_ylim(bottom=0)
    axis.set_xticks(ks, [str(k) for k in ks.tolist()])
    _dress(axis, "y")
    _key(axis)
    return axis


def plot_training(
    history: Mapping[str, ArrayLike], *, columns: int = 3, figure: Figure | None = None
) -> NDArray[Any]:
    """Draw what was measured in each epoch of training, one panel a measure: their scales differ.

    Parameters
    ----------
    history : dict from measure to array-like of one number an epoch
        NaN where an epoch has none.
    columns : int, default=3
        Panels in a row.
    figure : matplotlib Figure, optional
        To draw on; a new one by default.

    Returns
    -------
    ndarray of matplotlib Axes, one a measure

    Raises
    ------
    ValueError
        An empty history.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> from faircluster.report import plot_training
    >>> axes = plot_training({"loss": [2.0, 1.0], "balance": [0.1, 0.4]})
    >>> [axis.get_title(loc="left") for axis in axes]
    ['loss', 'balance']
    """
    if not history:
        raise ValueError("history must hold at least one measure, from its name to its values by epoch")
    columns = min(columns, len(history))
    rows = -(-len(history) // columns)
    figure = new_figure((3.4 * columns, 2.6 * rows)) if figure is None else figure
    axes = np.atleast_1d(figure.subplots(rows, columns, sharex=True)).ravel()
    for axis in axes[len(history) :]:
        axis.remove()
    axes = axes[: len(history)]
    for axis, (name, values) in zip(axes, history.items(), strict=True):
        line = np.asarray(values, dtype=np.float64)
        axis.plot(np.arange(1, len(line) + 1), line, color=AFTER, linewidth=1.8, marker=".")
        axis.set_title(literal(name), loc="left", fontsize=11)
        _dress(axis, "y")
    for axis in axes[-columns:]:
        axis.set_xlabel("epoch", color=INK)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.tick_params(labelbottom=True)
    return axes


def plot_tradeoff(
    slacks: ArrayLike,
    costs: ArrayLike,
    *,
    lower_bounds: ArrayLike | None = None,
    unconstrained: float | None = None,
    balances: ArrayLike | None = None,
    violations: ArrayLike | None = None,
    knee: int | None = None,
    measure: str = "cost",
    axis: Axes | None = None,
) -> Axes:
    """Draw what tighter bounds cost, with the certificate band, and what balance they bring.

    Parameters
    ----------
    slacks : array-like of shape (m,)
        How loose the bounds are.
    costs : array-like of shape (m,)
        NaN where no clustering was found.
    lower_bounds : array-like of shape (m,), optional
        Shown as a band up to the cost: the optimum for the same centers lies in it.
    unconstrained : float, optional
        Cost without bounds.
    balances, violations : array-like of shape (m,), optional
        Drawn on a second scale; violations are written next to the points that have any.
    knee : int, optional
        Position of the point to mark.
    measure : str
    axis : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        Of the cost; ``axis.figure.axes[1]`` is that of the balance.

    Raises
    ------
    ValueError
        Lengths that differ.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> from faircluster.report import plot_tradeoff
    >>> plot_tradeoff([0.0, 0.2], [12.0, 10.0], lower_bounds=[11.0, 10.0], knee=1).get_ylabel()
    'cost'
    """
    x = np.asarray(slacks, dtype=np.float64)
    y = _same_length("costs", costs, x)
    axis = _axis(axis, (7.2, 4.2))
    if lower_bounds is not None:
        low = _same_length("lower_bounds", lower_bounds, x)
        axis.fill_between(x, low, y, color=AFTER, alpha=0.22, linewidth=0, label="optimum lies in here")
    axis.plot(x, y, color=AFTER, marker="o", markersize=6, linewidth=2, label=literal(measure))
    if unconstrained is not None:
        axis.axhline(unconstrained, color=LINE, linestyle=DASHES, linewidth=1.2, label="without bounds")
    if violations is not None:
        for i, off in enumerate(_same_length("violations", violations, x)):
            if off > 0:
                axis.annotate(
                    f"violation {off:.3g}", (x[i], y[i]), (0, 9), textcoords="offset points", fontsize=9,
                    ha="center", color=INK,
                )  # fmt: skip
    if knee is not None:
        axis.scatter(x[knee], y[knee], s=190, facecolor="none", edgecolor=BEFORE, linewidth=2.2, label="knee")
    axis.set_xlabel("slack: shares may be from (1 - s) p to p / (1 - s)", color=INK)
    axis.set_ylabel(literal(measure), color=INK)
    axis.margins(y=0.15)
    _dress(axis, "y")
    handles, texts = axis.get_legend_handles_labels()
    if balances is not None:
        twin = axis.twinx()
        (line,) = twin.plot(
            x, _same_length("balances", balances, x), color=BEFORE, marker="D", markersize=5, linestyle=":",
            linewidth=1.8, markerfacecolor="none",
        )  # fmt: skip
        twin.set_ylabel("balance", color=INK)
        twin.set_ylim(0, 1.15 * max([*map(float, line.get_ydata()), 1e-9]))  # type: ignore[arg-type]
        twin.spines[["top", "left"]].set_visible(False)
        twin.spines["right"].set_color(SOFT)
        twin.tick_params(length=0, colors=INK)
        handles, texts = [*handles, line], [*texts, "balance (right)"]
    _key(axis, handles, texts)
    return axis


def _axis(axis: Axes | None, size: tuple[float, float]) -> Axes:
    return new_figure(size).subplots() if axis is None else axis


def _same_length(argument: str, values: ArrayLike, like: Any) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (len(like),):
        raise ValueError(f"{argument} must have {len(like)} numbers, one each, got shape {array.shape}")
    return array


def _clip(text: str, most: int = 30) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _dress(axis: Axes, grid: Any) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(SOFT)
    axis.tick_params(length=0, labelsize=10, colors=INK)
    axis.grid(axis=grid, color=GRID, linewidth=0.7)
    axis.set_axisbelow(True)


def _key(axis: Axes, handles: Any = None, texts: Any = None) -> None:
    """Legend below the picture, where it hides nothing, whatever the height."""
    from matplotlib.transforms import ScaledTranslation

    if handles is None:
        handles, texts = axis.get_legend_handles_labels()
    figure = axis.get_figure(root=True)
    assert figure is not None
    below = ScaledTranslation(0, -38 / 72, figure.dpi_scale_trans)
    axis.legend(
        handles, texts, loc="upper center", bbox_to_anchor=(0.5, 0.0), bbox_transform=axis.transAxes + below,
        ncols=min(4, max(1, len(texts))), frameon=False, fontsize=10, columnspacing=1.4, handletextpad=0.5,
    )  # fmt: skip
