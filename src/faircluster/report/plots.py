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
BEFORE, AFTER, BAND, LINE = "#D55E00", "#0072B2", "#CFE3F1", "#4D4D4D"


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

    A hollow diamond is the share before, a filled circle the one after; the line is the share in the whole
    data, the band what the bounds allow. A cross marks what lies outside.

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
    figure = _new_figure(columns, rows) if figure is None else figure
    axes = np.atleast_1d(figure.subplots(rows, columns, sharex=True)).ravel()
    for axis in axes[len(chosen) :]:
        axis.remove()
    for axis, t in zip(axes, chosen, strict=False):
        _panel(axis, before, after, t, None if band is None else (band[0][t], band[1][t]))
    lowest = axes[: len(chosen)][-columns:]
    for axis in lowest:
        axis.set_xlabel("cluster")
        axis.tick_params(labelbottom=True)
    _headings(figure, band is not None, title, subtitle, labels if after is not None else labels[:1])
    return axes[: len(chosen)]


def _new_figure(columns: int, rows: int) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        message = 'pictures need matplotlib: pip install "faircluster[data,report]"'
        raise ImportError(message, name="matplotlib") from error
    return Figure(figsize=(4.6 * columns, 2.1 * rows + 1.3), layout="constrained", facecolor="white")


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
    axis.axhline(before.population[t], color=LINE, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1)
    old = before.shares[:, t]
    if after is not None:
        new = after.shares[:, t]
        axis.vlines(x, old, new, color="#9A9A9A", linewidth=1.2, zorder=2)
        axis.scatter(x, new, s=52, color=AFTER, edgecolor="white", linewidth=0.8, zorder=4)
    axis.scatter(x, old, s=42, marker="D", facecolor="white", edgecolor=BEFORE, linewidth=1.6, zorder=3)
    if band is not None:
        _crosses(axis, x, old, band)
    top = np.nanmax([np.nanmax(old), 0 if band is None else band[1].max(), before.population[t]])
    axis.set_ylim(bottom=0.0, top=min(1.04, 1.12 * top))
    axis.set_xlim(-0.5, k - 0.5)
    axis.set_xticks(x, [str(label) for label in before.labels])
    axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(length=0, labelsize=9, colors="#333333")
    axis.grid(axis="y", color="#E6E6E6", linewidth=0.7, zorder=-1)
    axis.set_axisbelow(True)
    name = before.names[t].removeprefix(f"{before.attributes[t]}=")
    axis.set_title(f"{name}: {before.population[t]:.1%} of everyone", loc="left", fontsize=10.5, weight="bold")


def _crosses(axis: Axes, x: NDArray[Any], shares: NDArray[np.float64], band: Any) -> None:
    outside = (shares < band[0] - 1e-12) | (shares > band[1] + 1e-12)
    axis.scatter(x[outside], shares[outside], s=16, marker="x", color=BEFORE, linewidth=1.3, zorder=5)


def _headings(
    figure: Figure, banded: bool, title: str | None, subtitle: str | None, labels: Sequence[str]
) -> None:
    """Title, subtitle and one legend for all panels."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def marker(label: str, shape: str, face: str, edge: str, size: float) -> Line2D:
        return Line2D(
            [], [], linestyle="", label=label, marker=shape, color=edge, markerfacecolor=face, markersize=size
        )

    handles: list[Any] = [marker(labels[0], "D", "white", BEFORE, 6.5)]
    if banded:
        handles.append(marker("outside the bounds", "x", BEFORE, BEFORE, 5))
    if len(labels) > 1:
        handles.append(marker(labels[1], "o", AFTER, "white", 8.5))
    handles.append(Line2D([], [], color=LINE, linewidth=1.2, linestyle=(0, (5, 3)), label="share of everyone"))
    if banded:
        handles.append(Patch(color=BAND, label="allowed by the bounds"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9.5)
    if title:
        lines = title if subtitle is None else f"{title}\n"
        figure.suptitle(lines, x=0.01, ha="left", fontsize=14, weight="bold")
    if subtitle:
        figure.text(0.01, 0.945, subtitle, ha="left", va="top", fontsize=10.5, color="#333333")
