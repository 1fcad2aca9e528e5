"""Tables and pictures of ``social_lp`` and ``social_lloyd``: ``docs/benchmarks_social.md`` and its images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.claims import Rows, social_lines

__all__ = ["write"]

LP_PICTURE, LLOYD_PICTURE = "social_lp_p{p}.svg", "social_lloyd.svg"
Lines = list[dict[str, Any]]
LP_METHODS = (
    ("cost", "exactly k", "-", "#1f6f8b"),
    ("makarychev_vakilian", "Makarychev & Vakilian", "--", "#d1603d"),
    ("goyal_jaiswal", "Goyal & Jaiswal", "-.", "#c9a227"),
    ("group_blind", "blind to groups", "--", "#8b6fb3"),
    ("more", "up to k + m - 1 centers", "-", "#5aa469"),
)
LLOYD_METHODS = (
    ("cost", "SociallyFairKMeans", "-", "#1f6f8b"),
    ("published", "Fair-Lloyd as published", "--", "#d1603d"),
    ("plain", "k-means, blind to groups", "--", "#8b6fb3"),
)


def write(results: Path, docs: Path, environments: Callable[[Iterable[Rows]], str]) -> None:
    """Write page and pictures, if anything was measured; ``environments`` tells where rows are from."""
    program, whole = (Rows(results / f"social_{name}.json") for name in ("lp", "lloyd"))
    lines = social_lines(program)
    if not lines and not whole.all:
        return
    parts = [
        "# Benchmarks: socially fair clustering",
        "Made by `python -m benchmarks.render` from `benchmarks/results/social_lp.json` and "
        "`social_lloyd.json`; no number is typed by hand. Cost of a group: mean "
        "of d^p over its members; shown is that of the "
        "worst-off group. All columns are standardised. Promises and whether they are kept: "
        "[benchmarks](benchmarks.md).",
        *_program(lines, docs),
        *_tables(whole, docs),
        "## Where the numbers come from",
        environments((program, whole)),
    ]
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "benchmarks_social.md").write_text("\n\n".join(parts) + "\n")


# ---- the linear program and roundings of it


def _program(lines: Lines, docs: Path) -> list[str]:
    if not lines:
        return []
    sizes = sorted({line["n"] for line in lines})
    # the largest samples that there are of all data sets
    largest = max(sizes, key=lambda n: (len({(x["data"], x["p"]) for x in lines if x["n"] == n}), n))
    pictures = []
    for p in sorted({line["p"] for line in lines}):
        path = docs / "images" / LP_PICTURE.format(p=p)
        part = [line for line in lines if line["p"] == p and line["n"] == largest]
        _draw_program(part, path, f"p = {p}, {largest:,} clients")
        pictures.append(
            f"![Worst group's cost and its ratio to the bound against k, p = {p}](images/{path.name})"
        )
    parts = [
        "## Certified costs",
        "Samples of clients; every client is a candidate center. All methods round the same linear "
        "relaxation, whose certified lower bound is the dotted line: no k centers cost less. Makarychev & "
        "Vakilian's "
        "relaxation is strengthened as they ask, and theirs is the best of 200 roundings. Means over the "
        "samples with 95 % intervals (Student's t). Ratios below 0.9 and, where "
        "centers are blind to groups, large ones lie outside the picture.",
        *pictures,
        "Ratios of our cost to the bound, with exactly k centers; of the others' costs to ours. In brackets: "
        "the same after the local search that ends our method was applied to theirs as well. *Rounding "
        "alone* is ours without it, to the bound. Seconds are those of the relaxation, on one core.",
        _summary(lines),
    ]
    for n in sizes:
        parts += [f"### {n:,} clients", _details([line for line in lines if line["n"] == n])]
    return parts


def _summary(lines: Lines) -> str:
    rows = []
    for (data, n, p), part in _grouped(lines, "data", "n", "p").items():
        ratio = np.array([line["cost"] / line["bound"] for line in part])
        seconds = [line["seconds"]["relaxation"] for line in part]
        abbasi = [a for line in part for a in line["abbasi"] if a["our_cost"] > 0]
        rows.append(
            [
                data, f"{n:,}", str(p), str(len(part)), f"{np.median(ratio):.4f}", f"{ratio.max():.3f}",
                f"{np.median([line['rounded'] / line['bound'] for line in part]):.3f}",
                _with_polish(part, "makarychev_vakilian"),
                _mean(line["goyal_jaiswal"] / line["cost"] for line in part),
                _mean(line["group_blind"] / line["cost"] for line in part),
                f"{_mean(a['cost'] / a['our_cost'] for a in abbasi)} "
                f"({_mean(a['polished'] / a['our_cost'] for a in abbasi)})",
                f"{max(line['gap'] for line in part):.0e}",
                f"{np.median(seconds):.2f}", f"{max(seconds):.1f}",
            ]
        )  # fmt: skip
    head = (
        "data", "clients", "p", "rows", "ratio, median", "largest", "rounding alone",
        "Makarychev & Vakilian", "Goyal & Jaiswal", "blind to groups", "Abbasi et al., same centers",
        "gap of the relaxation", "seconds", "most",
    )  # fmt: skip
    return _table(head, rows)


def _with_polish(part: Lines, name: str) -> str:
    polished = _mean(line[f"{name}_polished"] / line["cost"] for line in part)
    return f"{_mean(line[name] / line['cost'] for line in part)} ({polished})"


def _mean(values: Any) -> str:
    return f"{np.mean(list(values)):.3f}"


def _details(lines: Lines) -> str:
    rows = []
    for (data, p, k), part in _grouped(lines, "data", "p", "k").items():
        abbasi = [line["abbasi"][0] for line in part]
        rows.append(
            [
                data, str(p), str(k), _interval([line["bound"] for line in part]),
                _interval([line["cost"] for line in part]),
                _interval([line["cost"] / line["bound"] for line in part]),
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


def _draw_program(lines: Lines, path: Path, title: str) -> None:
    """Worst group's cost against k with the bound drawn in, and below it the ratio to the bound."""
    settings = sorted({line["data"] for line in lines})
    figure = _figure(2.5 * len(settings), 5.2)
    axes = figure.subplots(2, len(settings), squeeze=False, sharex=True, sharey="row")
    highest = 1.0
    for column, data in enumerate(settings):
        by_k = _grouped([line for line in lines if line["data"] == data], "k")
        ks = [k for (k,) in by_k]
        top, below = axes[:, column]
        bound = [float(np.mean([line["bound"] for line in part])) for part in by_k.values()]
        top.plot(ks, bound, ":", color="#222222", label="lower bound (relaxation)", lw=2, zorder=5)
        for name, words, style, color in LP_METHODS:
            costs = [[_value(line, name) for line in part] for part in by_k.values()]
            _curve(top, ks, costs, style, color, words)
            ratios = [[_value(line, name) / line["bound"] for line in part] for part in by_k.values()]
            _curve(below, ks, ratios, style, color, words)
            if name != "group_blind":  # which may cost many times as much, and would flatten all others
                highest = max(highest, *(float(np.mean(part)) for part in ratios))
        below.axhline(1.0, ls=":", color="#222222", lw=2)
        top.set(title=data)
        below.set(xlabel="k", xticks=ks)
        top.grid(alpha=0.3)
        below.grid(alpha=0.3)
    axes[0, 0].set_ylim(bottom=0)  # of the whole row, and only now: it ends the choice of a top
    axes[0, 0].set_ylabel("worst group's cost")
    axes[1, 0].set_ylabel("ratio to the bound")
    axes[1, 0].set_ylim(0.9, 1.0 + 1.1 * (highest - 1.0))
    _finish(figure, axes[0, 0], title, path, columns=3)


# ---- whole tables


def _tables(rows: Rows, docs: Path) -> list[str]:
    found = sorted(rows.select("compare"), key=lambda row: (row["params"]["data"], row["params"]["k"]))
    parts = []
    if found:
        _draw_tables(found, docs / "images" / LLOYD_PICTURE)
        parts += [
            "## Whole tables",
            "p = 2, all rows of Adult and Credit, ten starts that are the same for all methods, one core. "
            "Fair-Lloyd as published (20 iterations a start) bisects for two groups and uses multiplicative "
            "weights for more; `SociallyFairKMeans(method=\"lloyd\")` solves the center step exactly. "
            "*Left*: by how much the worst group could still gain while the clusters stay. "
            "*One alone*: the group whose "
            "multiplier is 1, which no centers for these clusters serve better. KMeans is scikit-learn's, 20 "
            "iterations a start; best of five runs, in turn with ours.",
            f"![Worst group's cost against k on whole tables](images/{LLOYD_PICTURE})",
            _table(
                ("data", "k", "ours", "as published", "blind k-means", "costs of two groups", "one alone",
                 "center step solved to", "left", "left, published", "seconds", "KMeans", "times"),
                [_table_line(row) for row in found],
            ),
        ]  # fmt: skip
    for row in rows.select("large"):
        params, result = row["params"], row["result"]
        parts.append(
            f"{params['n']:,} x {params['d']}, k = {params['k']}, {params['groups']} groups, all cores: "
            f"{result['seconds']['best']:.1f} s, peak memory {row['peak_rss_mib']:,.0f} MiB "
            f"({result['before_rss_mib'] or 0:,.0f} MiB before the fit), left {result['gap']:.1e}."
        )
    return parts


def _table_line(row: dict[str, Any]) -> list[str]:
    result = row["result"]
    alone = ""
    if max(result["step_multipliers"]) >= 1.0:
        alone = result["groups"][int(np.argmax(result["step_multipliers"]))]
    two = ", ".join(f"{cost:.5g}" for cost in result["group_costs"]) if len(result["groups"]) == 2 else ""
    ours, plain = result["seconds"]["best"], result["kmeans_seconds"]["best"]
    return [
        row["params"]["data"], str(row["params"]["k"]), f"{result['cost']:.5g}", f"{result['published']:.5g}",
        f"{result['plain']:.5g}", two, alone, f"{result['step_gap']:.0e}", f"{result['gap']:.0e}",
        f"{result['published_step_gap']:.0e}", f"{ours:.2f}", f"{plain:.2f}", f"{ours / plain:.1f}",
    ]  # fmt: skip


def _draw_tables(rows: Lines, path: Path) -> None:
    """Worst group's cost against k, and below it the ratio of the others' to ours."""
    settings = sorted({row["params"]["data"] for row in rows})
    figure = _figure(2.8 * len(settings), 5.0)
    axes = figure.subplots(2, len(settings), squeeze=False, sharex=True, sharey="row")
    for column, data in enumerate(settings):
        part = [row for row in rows if row["params"]["data"] == data]
        ks = [row["params"]["k"] for row in part]
        top, below = axes[:, column]
        for name, words, style, color in LLOYD_METHODS:
            top.plot(ks, [row["result"][name] for row in part], style, color=color, label=words, lw=1.5)
            ratio = [row["result"][name] / row["result"]["cost"] for row in part]
            below.plot(ks, ratio, style, color=color, lw=1.5)
        top.set(title=data)
        below.set(xlabel="k", xticks=ks)
        top.grid(alpha=0.3)
        below.grid(alpha=0.3)
    axes[0, 0].set_ylim(bottom=0)  # of the whole row, and only now: it ends the choice of a top
    axes[0, 0].set_ylabel("worst group's cost")
    axes[1, 0].set_ylabel("ratio to ours")
    _finish(figure, axes[0, 0], "whole tables, p = 2", path, columns=3)


# ---- common


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _grouped(lines: Lines, *keys: str) -> dict[tuple[Any, ...], Lines]:
    found = defaultdict(list)
    for line in lines:
        found[tuple(line[key] for key in keys)].append(line)
    return dict(sorted(found.items()))


def _interval(values: list[float]) -> str:
    mean = float(np.mean(values))
    return f"{mean:.4g}" if len(values) < 2 else f"{mean:.4g} ± {_half_width(values):.2g}"


def _half_width(values: list[float]) -> float:
    quantile = stats.t.ppf(0.975, len(values) - 1)
    return float(quantile * np.std(values, ddof=1) / np.sqrt(len(values)))


def _value(line: dict[str, Any], name: str) -> float:
    return float(line["bicriteria"]["cost"] if name == "more" else line[name])


def _curve(axis: Any, ks: list[int], values: list[list[float]], style: str, color: str, words: str) -> None:
    """Means, with their interval where there are enough samples for one that fits the picture."""
    mean = np.array([np.mean(part) for part in values])
    axis.plot(ks, mean, style, color=color, label=words, lw=1.5)
    if min(map(len, values)) > 2:
        half = np.array([_half_width(part) for part in values])
        axis.fill_between(ks, mean - half, mean + half, color=color, alpha=0.12, lw=0)


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _finish(figure: Any, first: Any, title: str, path: Path, columns: int) -> None:
    import matplotlib as mpl

    handles, words = first.get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower center", ncols=columns, frameon=False)
    figure.suptitle(title)
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "faircluster"}):
        figure.savefig(path, metadata={"Date": None})
