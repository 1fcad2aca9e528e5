"""Tables and pictures of ``benchmarks.social_lp``: ``docs/social_lp.md`` and two images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.claims import Rows, social_lines

__all__ = ["write"]

PICTURE = "social_lp_p{p}.svg"
Lines = list[dict[str, Any]]


def write(results: Path, docs: Path) -> None:
    """Write page and pictures, if anything was measured."""
    lines = social_lines(Rows(results / "social_lp.json"))
    if not lines:
        return
    sizes = sorted({line["n"] for line in lines})
    pictures = []
    for p in sorted({line["p"] for line in lines}):
        path = docs / "images" / PICTURE.format(p=p)
        of_p = [line for line in lines if line["p"] == p]
        largest = max(sizes, key=lambda n: (len({x["data"] for x in of_p if x["n"] == n}), n))
        _draw([line for line in of_p if line["n"] == largest], path, f"p = {p}, {largest:,} clients")
        pictures.append(f"![Worst group's cost against k, p = {p}](images/{path.name})")
    parts = [
        "# Socially fair clustering: certified costs",
        "Made by `python -m benchmarks.render` from `benchmarks/results/social_lp.json`. Samples of clients, "
        "standardised over the whole data set; every client is a candidate center; cost of a group: mean of "
        "d^p over its members. All methods round the same linear relaxation, whose certified lower bound is "
        "the dotted line. One core; means over the samples, with 95 % intervals (Student's t).",
        *pictures,
        "## By data set",
        "Ratios of the worst group's cost to the bound, with exactly k centers; of other methods' costs to "
        "ours; seconds for the relaxation.",
        _summary(lines),
    ]
    for n in sizes:
        parts += [f"## {n:,} clients", _details([line for line in lines if line["n"] == n])]
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "social_lp.md").write_text("\n\n".join(parts) + "\n")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _grouped(lines: Lines, *keys: str) -> dict[tuple[Any, ...], Lines]:
    found = defaultdict(list)
    for line in lines:
        found[tuple(line[key] for key in keys)].append(line)
    return dict(sorted(found.items()))


def _summary(lines: Lines) -> str:
    rows = []
    for (data, n, p), part in _grouped(lines, "data", "n", "p").items():
        ratio = np.array([line["cost"] / line["bound"] for line in part])
        seconds = [line["seconds"]["relaxation"] for line in part]
        row = [data, f"{n:,}", str(p), str(len(part)), f"{np.median(ratio):.4f}", f"{ratio.max():.3f}"]
        row += [
            f"{np.mean([line[name] / line['cost'] for line in part]):.3f}"
            for name in ("makarychev_vakilian", "goyal_jaiswal", "group_blind")
        ]
        abbasi = [a["cost"] / a["our_cost"] for line in part for a in line["abbasi"] if a["our_cost"] > 0]
        row += [f"{np.mean(abbasi):.3f}", f"{max(line['gap'] for line in part):.0e}"]
        rows.append([*row, f"{np.median(seconds):.2f}", f"{max(seconds):.1f}"])
    head = (
        "data", "clients", "p", "rows", "ratio, median", "largest", "Makarychev & Vakilian",
        "Goyal & Jaiswal", "blind to groups", "Abbasi et al., same centers", "gap of the relaxation",
        "seconds", "most",
    )  # fmt: skip
    return _table(head, rows)


def _details(lines: Lines) -> str:
    rows = []
    for (data, p, k), part in _grouped(lines, "data", "p", "k").items():
        ratio = [line["cost"] / line["bound"] for line in part]
        abbasi = [line["abbasi"][0] for line in part]
        rows.append(
            [
                data, str(p), str(k), _interval([line["bound"] for line in part]),
                _interval([line["cost"] for line in part]), _interval(ratio),
                _interval([line["makarychev_vakilian"] for line in part]),
                _interval([line["group_blind"] for line in part]),
                _interval([a["our_cost"] for a in abbasi]),
                _interval([a["cost"] for a in abbasi]),
                f"{np.mean([a['our_centers'] for a in abbasi]):.1f}, "
                f"{np.mean([a['centers'] for a in abbasi]):.1f}",
            ]
        )  # fmt: skip
    head = (
        "data", "p", "k", "bound", "exactly k", "over bound", "Makarychev & Vakilian", "blind to groups",
        "bicriteria", "Abbasi et al., eps = m / (k + m)", "centers of both",
    )  # fmt: skip
    return _table(head, rows)


def _interval(values: list[float]) -> str:
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.4g}"
    return f"{mean:.4g} ± {_half_width(values):.2g}"


def _half_width(values: list[float]) -> float:
    quantile = stats.t.ppf(0.975, len(values) - 1)
    return float(quantile * np.std(values, ddof=1) / np.sqrt(len(values)))


def _draw(lines: Lines, path: Path, title: str) -> None:
    """Worst group's cost against k for every data set, with the bound drawn in."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings = sorted({line["data"] for line in lines})
    drawn = (
        ("bound", "lower bound (relaxation)", ":", "#444444"),
        ("cost", "exactly k", "-", "#1f6f8b"),
        ("more", "up to k + m - 1 centers", "-", "#5aa469"),
        ("makarychev_vakilian", "Makarychev & Vakilian", "--", "#d1603d"),
        ("group_blind", "blind to groups", "--", "#8b6fb3"),
    )
    with mpl.rc_context({"svg.hashsalt": "faircluster", "font.size": 9}):
        figure = Figure(figsize=(2.9 * len(settings), 3.4), layout="constrained")
        for axis, data in zip(figure.subplots(1, len(settings), squeeze=False)[0], settings, strict=True):
            by_k = _grouped([line for line in lines if line["data"] == data], "k")
            ks = [k for (k,) in by_k]
            for name, words, style, color in drawn:
                values = [[_value(line, name) for line in part] for part in by_k.values()]
                mean = np.array([np.mean(part) for part in values])
                axis.plot(ks, mean, style, color=color, label=words, lw=1.5)
                if name in ("bound", "cost") and min(map(len, values)) > 1:
                    half = np.array([_half_width(part) for part in values])
                    axis.fill_between(ks, mean - half, mean + half, color=color, alpha=0.15, lw=0)
            axis.set(title=data, xlabel="k", ylim=(0, None))
            axis.grid(alpha=0.3)
        figure.axes[0].set_ylabel("worst group's cost")
        handles, words = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, words, loc="outside lower center", ncols=len(drawn), frameon=False)
        figure.suptitle(title)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})


def _value(line: dict[str, Any], name: str) -> float:
    return float(line["bicriteria"]["cost"] if name == "more" else line[name])
