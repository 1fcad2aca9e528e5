"""Pictures of what a clustering does to groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faircluster.metrics import GroupShares

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_group_shares"]

# Okabe and Ito's palette, told apart by all kinds of color vision; shapes differ as well
BEFORE, AFTER, BAND, LINE = "#D55E00", "#0072B2", "#D3E6F3", "#4D4D4D"
DASHES = (0, (5, 3))
OPEN_DIAMOND: dict[str, Any] = {
    "s": 40,
    "marker": "D",
    "facecolor": "white",
    "edgecolor": BEFORE,
    "linewidth": 1.6,
}
FULL_DIAMOND: dict[str, Any] = {
    "s": 40,
    "marker": "D",
    "facecolor": BEFORE,
    "edgecolor": BEFORE,
    "linewidth": 1.6,
}
CIRCLE: dict[str, Any] = {"s": 58, "marker": "o", "facecolor": AFTER, "edgecolor": "white", "linewidth": 0.9}
_MOST_TEXT = 36  # letters of cluster names that fit under a panel
CROSS: dict[str, Any] = {"s": 22, "marker": "x", "color": "white", "linewidth": 1.4}


def plot_group_shares(
    before: GroupShares,
    after: GroupShares | None = None,
    *,
    limits: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    groups: Sequence[str] | None = None,
    labels: tuple[str, str] = ("before", "after"),
    title: str | None = None,
    subtitle: str | None = None,
    columns: int = 2,
    figure: Figure | None = None,
) -> NDArray[Any]:
    """Draw the share of each group in each cluster, one panel a group, before and after.

    A diamond is the share before, filled if it lies outside the bounds; a circle is the share after, with a
    cross if it does. The line is the share in the whole data, the band what the bounds allow.

    Parameters
    ----------
    before : GroupShares
        k clusters and g groups.
    after : GroupShares, optional
        Another clustering of the same data, with its clusters in the same order.
    limits : tuple of two arrays of shape (g,) or (g, k), optional
        Least and largest share allowed, in the order of the groups.
    groups : sequence of str, optional
        Names of the groups to draw; all by default.
    labels : tuple of two str, default=("before", "after")
        What the two are, for the legend.
    title, subtitle : str, optional
    columns : int, default=2
        Panels in a row.
    figure : matplotlib Figure, optional
        To draw on; a new one by default, which `matplotlib.pyplot` does not know of.

    Returns
    -------
    ndarray of matplotlib Axes, one a group
        Save the picture with ``axes[0].figure.savefig(...)``.

    Raises
    ------
    ValueError
        A group that does not occur, or clusters or groups that differ.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> from faircluster.metrics import group_shares
    >>> from faircluster.report import plot_group_shares
    >>> before = group_shares([0, 0, 1, 1], list("aabb"))
    >>> after = group_shares([0, 1, 0, 1], list("aabb"))
    >>> len(plot_group_shares(before, after, limits=([0.4, 0.4], [0.6, 0.6])))
    2
    """
    if after is not None and (after.names != before.names or after.shares.shape != before.shares.shape):
        raise ValueError(
            f"before and after must have the same groups and clusters, got {before.shares.shape} and "
            f"{after.shares.shape} (clusters, groups); pass n_clusters to group_shares for empty clusters"
        )
    chosen = _positions(before.names, groups)
    band = _band(limits, before)
    rows = -(-len(chosen) // columns)
    figure = new_figure((4.7 * columns, 2.05 * rows + 1.2)) if figure is None else figure
    axes = np.atleast_1d(figure.subplots(rows, columns, sharex=True)).ravel()
    for axis in axes[len(chosen) :]:
        axis.remove()
    for axis, t in zip(axes, chosen, strict=False):
        _panel(axis, before, after, t, None if band is None else (band[0][t], band[1][t]))
    axes = axes[: len(chosen)]
    for axis in axes[-columns:]:
        axis.set_xlabel("cluster", fontsize=10.5, color="#333333")
        axis.tick_params(labelbottom=True)
    shown = labels[: 1 if after is None else 2]
    _legend(figure, list(axes), shown, band is not None, min(columns, len(axes)))
    _headings(figure, title, subtitle)
    return axes


def new_figure(size: tuple[float, float]) -> Figure:
    """Make a figure that `matplotlib.pyplot` does not know of, or say what to install."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        message = 'pictures need matplotlib: pip install "faircluster[data,report]"'
        raise ImportError(message, name="matplotlib") from error
    return Figure(figsize=size, layout="constrained", facecolor="white")


def _positions(names: tuple[str, ...], groups: Sequence[str] | None) -> list[int]:
    wanted = list(names if groups is None else groups)
    for name in wanted:
        if name not in names:
            raise ValueError(f"group {name!r} does not occur; the groups are {', '.join(map(repr, names))}")
    return [names.index(name) for name in wanted]


def _band(limits: Any, shares: GroupShares) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if limits is None:
        return None
    k, g = shares.shares.shape
    lower, upper = (np.asarray(side, dtype=np.float64) for side in limits)
    wide = [side[:, None] if side.ndim == 1 else side for side in (lower, upper)]
    return np.broadcast_to(wide[0], (g, k)), np.broadcast_to(wide[1], (g, k))


def _panel(
    axis: Axes,
    before: GroupShares,
    after: GroupShares | None,
    t: int,
    band: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
) -> None:
    """One group: clusters from left to right, shares upwards."""
    k = len(before.labels)
    x = np.arange(k)
    if band is not None:
        edges = np.repeat(np.arange(k + 1) - 0.5, 2)[1:-1]
        axis.fill_between(
            edges, np.repeat(band[0], 2), np.repeat(band[1], 2), color=BAND, linewidth=0, zorder=0
        )
    axis.axhline(before.population[t], color=LINE, linewidth=1.2, linestyle=DASHES, zorder=1)
    old = before.shares[:, t]
    drawn = [old]
    out = _outside(old, band)
    axis.scatter(x[~out], old[~out], **OPEN_DIAMOND, zorder=3, clip_on=False)
    axis.scatter(x[out], old[out], **FULL_DIAMOND, zorder=3, clip_on=False)
    if after is not None:
        new = after.shares[:, t]
        drawn.append(new)
        axis.vlines(x, old, new, color="#8C8C8C", linewidth=1.3, zorder=2)
        axis.scatter(x, new, **CIRCLE, zorder=4, clip_on=False)
        out = _outside(new, band)
        axis.scatter(x[out], new[out], **CROSS, zorder=5, clip_on=False)
    _scale(axis, np.concatenate([*drawn, [before.population[t]], *(band or ())]))
    axis.set_xlim(-0.5, k - 0.5)
    names = [str(label) for label in before.labels]
    axis.set_xticks(x, [literal(name) for name in names])
    if sum(map(len, names)) > _MOST_TEXT:
        for tick in axis.get_xticklabels():
            tick.set(rotation=40, ha="right", rotation_mode="anchor")
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color("#B0B0B0")
    axis.tick_params(length=0, labelsize=10, colors="#333333")
    axis.grid(axis="y", color="#E8E8E8", linewidth=0.7)
    axis.set_axisbelow(True)
    attribute, name = before.attributes[t], before.names[t]
    group = name.removeprefix(f"{attribute}=") if attribute else name
    axis.set_title(literal(group), loc="left", fontsize=11.5, weight="bold")
    axis.set_title(f"{before.population[t]:.1%} of everyone", loc="right", fontsize=10, color="#555555")


def _scale(axis: Axes, shares: NDArray[np.float64]) -> None:
    """Shares upwards in percent: from zero, unless everything lies far above it."""
    low, high = float(np.nanmin(shares)), float(np.nanmax(shares))
    room = 0.12 * (high - low) or 0.05
    axis.set_ylim(low - room if low > 0.5 * high else 0.0, min(high + room, max(1.02, high)))
    axis.yaxis.set_major_locator(_locator())
    axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")


def _locator() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10])


def _outside(shares: NDArray[np.float64], band: Any) -> NDArray[np.bool_]:
    if band is None:
        return np.zeros(len(shares), dtype=bool)
    return (shares < band[0] - 1e-9) | (shares > band[1] + 1e-9)


def literal(text: str) -> str:
    """Text from the data, in which matplotlib must not look for formulas."""
    return text.replace("$", r"\$")


def _legend(figure: Figure, axes: Sequence[Axes], labels: Sequence[str], banded: bool, columns: int) -> None:
    """One legend for all panels, with no more in it than is drawn."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def key(style: dict[str, Any], label: str) -> Any:
        return axes[0].scatter([], [], **style, label=label)

    handles: list[Any] = [key(OPEN_DIAMOND, literal(labels[0]))]
    if banded:
        handles.append(key(FULL_DIAMOND, f"{literal(labels[0])}, outside the bounds"))
    if len(labels) > 1:
        handles.append(key(CIRCLE, literal(labels[1])))
    handles.append(Line2D([], [], color=LINE, linewidth=1.2, linestyle=DASHES, label="share of everyone"))
    if banded:
        handles.append(Patch(color=BAND, label="allowed"))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        # as many entries next to each other as fit: wider than the figure, it would be cut off
        ncols=min(len(handles), 2 if columns == 1 else 2 * columns + 1),
        frameon=False,
        fontsize=10,
        columnspacing=1.4,
        handletextpad=0.4,
    )


def _headings(figure: Figure, title: str | None, subtitle: str | None) -> None:
    """Bold title over a plain subtitle at the left edge, in room that the panels leave."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    inch = 1.0 / figure.get_size_inches()[1]
    top = 1.0
    for text, size, weight in ((title, 15, "bold"), (subtitle, 11, "normal")):
        if text:
            top -= 0.12 * inch
            figure.text(0.01, top, literal(text), va="top", fontsize=size, weight=weight, color="#1A1A1A")
            top -= size / 72 * inch
    if top < 1.0:
        top -= 0.12 * inch
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0.0, 0.0, 0.995, top), hspace=0.05, wspace=0.04)
