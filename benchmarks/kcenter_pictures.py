"""Pictures of the k-center benchmark: radius against seconds, spread of rounding, price of slacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.claims import Rows
from benchmarks.harness import Row

__all__ = ["draw_rounding", "draw_seconds", "draw_slacks", "save"]

BLUE, RED, GREY, GREEN = "#1f6f8b", "#d1603d", "#888888", "#5aa469"


def save(docs: Path, name: str, words: str, rows: Rows, draw: Callable[[Rows, Any], bool]) -> list[str]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "faircluster", "font.size": 9}):
        figure = Figure(figsize=(10, 5.6), layout="constrained")
        if not draw(rows, figure):
            return []
        path = docs / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
    return [f"![{words}](images/{name})"]


def _panels(figure: Any, names: list[str]) -> list[Any]:
    across = min(3, len(names))
    axes = figure.subplots(-(-len(names) // across), across, squeeze=False).ravel()
    for axis in axes[len(names) :]:
        axis.remove()
    for axis, name in zip(axes, names, strict=False):
        axis.set_title(name)
        axis.grid(alpha=0.3)
    return list(axes[: len(names)])


def _single(rows: Rows, job: str) -> list[str]:
    found = {row["params"]["data"] for row in rows.select(job)}
    return sorted(name for name in found if not name.endswith("both"))


def draw_seconds(rows: Rows, figure: Any) -> bool:
    """Radius against seconds, the points being the numbers of clusters; slack 0.2."""
    names = _single(rows, "fit")
    for axis, data in zip(_panels(figure, names) if names else [], names, strict=True):
        series = [
            ("FairKCenter", BLUE, "o-", [_point(row, "radius") for row in _by_k(rows, "fit", data)]),
            ("engine, one start", GREEN, "s-", [_point(row, "radius") for row in _by_k(rows, "given", data)]),
            *(
                (words, color, mark, [_rival_point(row) for row in _by_k(rows, job, data)])
                for words, color, mark, job in (
                    ("joiner program (KFC)", RED, "^--", "joiner"),
                    ("Bera et al.", GREY, "v--", "bera"),
                )
            ),
        ]
        for words, color, mark, points in series:
            kept = [point for point in points if point is not None]
            if kept:
                x, y, k = zip(*kept, strict=True)
                axis.semilogx(x, y, mark, color=color, label=words, markersize=4)
                for at in zip(k, x, y, strict=True):
                    axis.annotate(str(at[0]), at[1:], textcoords="offset points", xytext=(4, 3), fontsize=7)
        axis.xaxis.set_major_locator(LogLocator(numticks=5))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set(xlabel="seconds", ylabel="radius")
    if names:
        lines, words = figure.axes[0].get_legend_handles_labels()
        figure.legend(lines, words, frameon=False, ncols=len(words), loc="outside lower center")
        figure.suptitle("slack 0.2, one point for every k (its number beside it)")
    return bool(names)


def _by_k(rows: Rows, job: str, data: str) -> list[Row]:
    return sorted(rows.select(job, data=data, slack=0.2), key=lambda row: int(row["params"]["k"]))


def _point(row: Row, key: str) -> tuple[float, float, int]:
    lines = row["result"]["lines"]
    return _median(lines, "seconds"), _median(lines, key), row["params"]["k"]


def _rival_point(row: Row) -> tuple[float, float, int] | None:
    if "radius" not in row["result"]:
        return None
    return row["result"]["wall"], row["result"]["radius"], row["params"]["k"]


def draw_rounding(rows: Rows, figure: Any) -> bool:
    """Violations of every randomized draw, by k; slack 0.2."""
    names = _single(rows, "given")
    for axis, data in zip(_panels(figure, names) if names else [], names, strict=True):
        found = _by_k(rows, "given", data)
        draws = [np.concatenate([line["randomized"] for line in row["result"]["lines"]]) for row in found]
        labels = [str(row["params"]["k"]) for row in found]
        axis.boxplot(draws, tick_labels=labels, whis=(0, 100), medianprops={"color": RED})
        strict = [max(line["violation"] for line in row["result"]["lines"]) for row in found]
        axis.plot(range(1, len(found) + 1), strict, "o", color=BLUE, label="strict")
        axis.set(xlabel="k", ylabel="violation, points")
    if names:
        figure.axes[0].legend(frameon=False)
        figure.suptitle("KFC's randomized rounding: all draws (box: half of them); slack 0.2")
    return bool(names)


def draw_slacks(rows: Rows, figure: Any) -> bool:
    found = sorted(rows.select("slack"), key=lambda row: str(row["params"]["data"]))
    names = [f"{row['params']['data']}, k = {row['params']['k']}" for row in found]
    for axis, row in zip(_panels(figure, names) if names else [], found, strict=True):
        lines = row["result"]["lines"]
        x = [line["slack"] for line in lines]
        for key, words, color, mark in (
            ("start", "strict, one start", GREEN, "s-"),
            ("relaxed", "relaxed, one start", GREY, "--"),
            ("improved", "FairKCenter", BLUE, "o-"),
        ):
            axis.plot(
                x, [np.median(line[key]) for line in lines], mark, color=color, label=words, markersize=4
            )
        axis.plot(x, [line["plain"] for line in lines], ":", color=RED, label="least without bounds")
        axis.set(xlabel="slack", ylabel="radius")
    if names:
        figure.axes[0].legend(frameon=False, fontsize=8)
    return bool(names)


def _median(lines: list[dict[str, Any]], key: str) -> float:
    return float(np.median([line[key] for line in lines]))
