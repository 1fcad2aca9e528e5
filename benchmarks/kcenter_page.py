"""``docs/benchmarks_k_center.md`` and its pictures, from the rows of ``kcenter``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.claims import Rows, Verdict, promise_rows
from benchmarks.harness import Row
from benchmarks.kcenter_pictures import draw_rounding, draw_seconds, draw_slacks, save

__all__ = ["judge", "write"]

# KFC's pipeline from five starts, recomputed in an earlier study with its authors' files and features:
# radius, median and least, for k = 2, 4, 8, 16; None where it did not finish within 900 seconds
KFC_MEDIAN = {
    ("c50", 0.2): (2.79, 2.72, 2.67, None),
    ("victorian", 0.2): (7.04, 6.39, 5.73, 5.33),
    ("victorian", 0.5): (7.04, 6.39, None, None),
    ("4area", 0.2): (13.26, 12.77, 12.26, 10.87),
    ("4area", 0.5): (13.26, 12.77, 12.26, 10.87),
    ("bank", 0.2): (44_882, 29_143, 29_143, 29_143),
    ("bank", 0.5): (44_882, 29_143, 29_143, 29_143),
    ("census", 0.2): (1_039_537, 634_848, 634_848, 536_460),
    ("census", 0.5): (1_039_537, 634_848, 634_848, 536_460),
    ("creditcard", 0.2): (2_445_010, 2_313_287, 1_464_020, 1_422_514),
    ("creditcard", 0.5): (2_445_010, 2_313_287, 1_464_020, 1_422_514),
}
KFC_BEST = {
    ("c50", 0.2): (2.72, 2.65, 2.45, None),
    ("victorian", 0.2): (5.95, 5.95, 5.36, 4.62),
    ("victorian", 0.5): (5.95, 5.95, None, None),
    ("4area", 0.2): (12.89, 12.46, 11.74, 10.43),
    ("4area", 0.5): (12.89, 12.46, 11.74, 10.43),
    ("bank", 0.2): (44_882, 29_143, 29_143, 29_143),
    ("bank", 0.5): (44_882, 29_143, 29_143, 29_143),
    ("census", 0.2): (1_039_537, 624_357, 531_117, 531_117),
    ("census", 0.5): (1_039_537, 624_357, 531_117, 531_117),
    ("creditcard", 0.2): (2_406_940, 2_313_287, 1_464_020, 1_422_514),
    ("creditcard", 0.5): (2_406_940, 2_313_287, 1_464_020, 1_422_514),
}
CLUSTERS = (2, 4, 8, 16)
DIGITS = 1.0005  # the figures above are rounded
HARD = (("c50", 8), ("c50", 16), ("victorian", 8), ("victorian", 16), ("4area", 16))


def _lines(rows: Rows, job: str) -> list[dict[str, Any]]:
    return [{**row["params"], **line} for row in rows.select(job) for line in row["result"]["lines"]]


# ---- promises


def no_violation(rows: Rows) -> Verdict | None:
    lines = _lines(rows, "fit") + _lines(rows, "given")
    if not lines:
        return None
    worst = max(line["violation"] for line in lines)
    return Verdict(f"largest violation {worst:g} in {len(lines):,} assignments", worst == 0)


def relaxed_reached(rows: Rows) -> Verdict | None:
    """At the relaxed radius, or above it by no more than the certificate shows: proven, or with its gap."""
    lines = _lines(rows, "fit") + _lines(rows, "given")
    if not lines:
        return None
    reached = sum(line["radius"] <= line["relaxed"] for line in lines)
    proven = sum(line["status"] == "optimal" for line in lines)
    largest = max(line["gap"] for line in lines)
    words = f"at it in {reached:,} of {len(lines):,}, least possible by proof in {proven:,}"
    return Verdict(f"{words}; largest gap {largest:.2%}", largest < 0.01)


def best_of_five(rows: Rows) -> Verdict | None:
    return _against(rows, KFC_BEST, lambda ratios: max(ratios) <= DIGITS, "largest")


def below_median(rows: Rows) -> Verdict | None:
    return _against(rows, KFC_MEDIAN, lambda ratios: float(np.mean(ratios)) <= 0.9, "mean")


def _against(
    rows: Rows, known: dict[tuple[str, float], Any], kept: Callable[[list[float]], bool], words: str
) -> Verdict | None:
    """Median radius over the seeds against a figure of every row."""
    ratios: list[float] = []
    every: list[float] = []
    for row in rows.select("fit"):
        at = known.get((row["params"]["data"], row["params"]["slack"]))
        figure = at[CLUSTERS.index(row["params"]["k"])] if at else None
        if figure is not None:
            radii = [line["radius"] / figure for line in row["result"]["lines"]]
            ratios.append(float(np.median(radii)))
            every += radii
    if not ratios:
        return None
    value = max(ratios) if words == "largest" else float(np.mean(ratios))
    below = sum(ratio <= DIGITS for ratio in every)
    words = (
        f"{words} ratio {value:.3f} over {len(ratios)} rows; {below:,} of {len(every):,} fits at most that"
    )
    return Verdict(words, kept(ratios))


def same_as_joiner(rows: Rows) -> Verdict | None:
    found = [
        (ours, theirs["result"]["radius"])
        for theirs, ours in _joined(rows)
        if "radius" in theirs["result"] and ours is not None
    ]
    if not found:
        return None
    off = max(abs(ours["relaxed"] / radius - 1.0) for ours, radius in found)
    return Verdict(f"relative difference at most {off:.1e} in {len(found)} rows", off <= 1e-9)


def faster_than_joiner(rows: Rows) -> Verdict | None:
    factors, least = [], False
    for theirs, ours in _joined(rows):
        if (theirs["params"]["data"], theirs["params"]["k"]) in HARD and ours is not None:
            # by bisection as published, where trying the radius without bounds first would be the answer
            published = rows.find("bisected", theirs["params"]) or theirs
            factors.append(published["result"]["wall"] / ours["relaxed_seconds"])
            least |= "out_of_time" in published["result"]
    if not factors:
        return None
    more = " or more, the joiner program being out of time" if least else ""
    return Verdict(f"{min(factors):.1f} to {max(factors):,.0f} times{more}", min(factors) >= 10)


def large_in_time(rows: Rows) -> Verdict | None:
    found = rows.select("large", n=2_500_000)
    if not found:
        return None
    result, peak = found[0]["result"], found[0]["peak_rss_mib"] / 1024
    words = f"{result['wall']:.0f} s, peak {peak:.2f} GiB, violation {result['violation']:g}"
    return Verdict(words, result["wall"] <= 120 and peak <= 4 and result["violation"] == 0)


def _joined(rows: Rows) -> list[tuple[Row, dict[str, Any] | None]]:
    """Every row of the joiner program with our line for the same centers."""
    lines = _lines(rows, "given")
    same = ("data", "k", "slack", "seed")
    return [
        (row, next((line for line in lines if all(line[key] == row["params"][key] for key in same)), None))
        for row in rows.select("joiner")
    ]


CLAIMS: list[tuple[str, Callable[[Rows], Verdict | None]]] = [
    ("k-center: violation 0 in every row", no_violation),
    ("k-center: at KFC's relaxed radius, or above it by no more than the certificate shows", relaxed_reached),
    ("k-center: median radius at most the best of KFC's five starts, in every row", best_of_five),
    ("k-center: at least 10 % below the median of KFC's five starts on average", below_median),
    ("k-center: the relaxed radius of KFC's program wherever that finishes", same_as_joiner),
    (
        "k-center: that radius 10 times faster than KFC's program "
        "on c50 and victorian, k >= 8, and 4area, k = 16",
        faster_than_joiner,
    ),
    ("k-center: 2,500,000 x 8, 8 groups, k = 32 in two minutes and 4 GB", large_in_time),
]


def judge(results: Path) -> list[tuple[str, Verdict | None]]:
    """Every promise with its verdict; None where nothing was measured."""
    rows = Rows(results / "kcenter.json")
    return [(promise, verdict(rows)) for promise, verdict in CLAIMS]


# ---- page


def write(
    results: Path,
    docs: Path,
    table: Callable[..., str],
    environments: Callable[[Iterable[Rows]], str],
) -> None:
    """Write page and pictures, if anything was measured."""
    rows = Rows(results / "kcenter.json")
    if not rows.all:
        return
    promises = promise_rows(judge(results))
    parts = [
        "# Benchmarks: fair k-center",
        "Made by `python -m benchmarks.render` from `benchmarks/results/kcenter.json`; no number is typed by "
        "hand, except those of KFC's five starts, which come from an earlier study with the files, features "
        "and groups of its authors. Every row of `FairKCenter` is many fits from different seeds, all at "
        "violation 0. Features are not scaled, as in the papers; *both*: with the second attribute, which "
        "the authors' code left without members.",
        table(("promise", "measured", "kept"), promises),
        "## Radius",
        "`FairKCenter`, five starts and improvement: median over the seeds, and the interval that holds 90 % "
        "of them. One start of KFC: the relaxed radius at farthest-first centers, which its program finds, "
        "median over the seeds. Lower bound: no k centers have a smaller radius, fair or not.",
        _radii(rows, table),
        *save(
            docs, "k_center_radius.svg", "Radius against seconds, one point for every k", rows, draw_seconds
        ),
        "## The same centers for all",
        "Farthest-first centers of the first seed. Of faircluster's seconds the first are those of the "
        "relaxed radius, which the joiner program finds as well; the second end with labels of violation 0. "
        "Those of the joiner program end with its best of five draws, those of Bera et al. with their "
        "iterative rounding; *slower by*, to both of ours. A dash: out of time.",
        _given(rows, table),
        _bisected(rows),
        *save(
            docs, "k_center_rounding.svg", "Violations of KFC's rounding, and of strict", rows, draw_rounding
        ),
        "## A cap on shares",
        "Ahmadian et al. open facilities and assign points in one program, here over 2 k candidates; a cap "
        "of one half, or a tenth above the largest group's share if that is more. Beside it `FairKCenter` "
        "under the same cap.",
        _capped(rows, table),
        "## Growth",
        "Drawn data, 8 features, slack 0.2. By the number of groups: 20,000 points, k = 8, the same centers.",
        _by_groups(rows, table),
        "By the number of points: `FairKCenter` with its defaults, 8 groups.",
        _by_points(rows, table),
        "## What a slack costs",
        "k = 4, median of three seeds; relaxed and strict at farthest-first centers, and after improvement.",
        *save(docs, "k_center_slack.svg", "Radius against slack", rows, draw_slacks),
        "## Where the numbers come from",
        environments((rows,)),
    ]
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "benchmarks_k_center.md").write_text("\n\n".join(part for part in parts if part) + "\n")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.4g}"


def _median(lines: list[dict[str, Any]], key: str) -> float:
    return float(np.median([line[key] for line in lines]))


def _name(row: Row) -> str:
    params = row["params"]
    return f"{params['data']}, slack {params['slack']:g}, k = {params['k']}"


def _order(row: Row) -> tuple[Any, ...]:
    return tuple(str(row["params"].get(key)).rjust(12) for key in ("data", "slack", "cap", "k"))


def _radii(rows: Rows, table: Callable[..., str]) -> str:
    out = []
    for row in sorted(rows.select("fit"), key=_order):
        lines, params = row["result"]["lines"], row["params"]
        low, high = np.quantile([line["radius"] for line in lines], (0.05, 0.95))
        same = {key: params[key] for key in ("data", "k", "slack")}
        start = next(iter(rows.select("given", **same)), None)
        known = KFC_BEST.get((params["data"], params["slack"]), (None,) * 4)[CLUSTERS.index(params["k"])]
        median = _median(lines, "radius")
        out.append(
            (
                _name(row),
                str(len(lines)),
                f"{_number(median)} [{_number(low)}, {_number(high)}]",
                "" if start is None else _number(_median(start["result"]["lines"], "relaxed")),
                "" if known is None else _number(known),
                "" if known is None else f"{median / known:.3f}",
                _number(max(line["lower_bound"] for line in lines)),
                f"{sum(line['status'] == 'optimal' for line in lines)}",
                f"{max(line['gap'] for line in lines):.2%}",
                f"{_median(lines, 'seconds'):.3g}",
            )
        )
    head = (
        "data", "seeds", "FairKCenter [90 %]", "KFC, one start", "best of KFC's five", "ratio to it",
        "lower bound", "proven least at the centers", "largest gap", "seconds",
    )  # fmt: skip
    return table(head, out)


def _given(rows: Rows, table: Callable[..., str]) -> str:
    out = []
    for row in sorted(rows.select("given"), key=_order):
        line = row["result"]["lines"][0]
        same = {key: row["params"][key] for key in ("data", "k", "slack")}
        joiner, bera = (next(iter(rows.select(job, **same, seed=0)), None) for job in ("joiner", "bera"))
        out.append(
            (
                _name(row),
                _number(line["relaxed"]),
                f"{line['relaxed_seconds']:.3g}",
                _number(line["radius"]),
                f"{line['seconds']:.3g}",
                f"{line['nearest']['violation']:.2g}",
                *_rival(joiner, line),
                *_rival(bera, line),
            )
        )
    head = (
        "data", "relaxed radius", "seconds", "strict", "seconds", "violation of nearest",
        "joiner program, radius", "its violation", "slower by",
        "Bera et al., radius", "its violation", "slower by",
    )  # fmt: skip
    return table(head, out)


def _bisected(rows: Rows) -> str:
    """What the joiner program gains from trying the radius without bounds first."""
    parts = []
    for row in rows.select("bisected"):
        quick = rows.find("joiner", row["params"])
        if quick is not None:
            parts.append(
                f"{_name(row)}: {row['result']['wall']:.3g} s instead of {quick['result']['wall']:.3g} s"
            )
    if not parts:
        return ""
    return (
        "The joiner program is given a start that its paper does not have: it tries the radius without "
        "bounds first. Where that is the answer, bisection alone takes longer (" + "; ".join(parts) + ")."
    )


def _rival(row: Row | None, ours: dict[str, Any]) -> tuple[str, str, str]:
    if row is None:
        return "", "", ""
    result = row["result"]
    times = f"{result['wall'] / ours['relaxed_seconds']:,.1f}x, {result['wall'] / ours['seconds']:,.1f}x"
    if "out_of_time" in result:
        return "-", "-", f"over {times}"
    return _number(result["radius"]), f"{result['violation']:.3g}", times


def _capped(rows: Rows, table: Callable[..., str]) -> str:
    out = []
    for row in sorted(rows.select("ahmadian"), key=_order):
        result, params = row["result"], row["params"]
        late = "out_of_time" in result
        out.append(
            (
                f"{params['data']}, k = {params['k']}, cap {result['cap']:.3g}",
                _number(result["ours"]["radius"]),
                f"{result['ours']['violation']:g}",
                f"{result['ours']['seconds']:.3g}",
                "-" if late else _number(result["radius"]),
                "-" if late else f"{result['violation']:.3g}",
                f"over {result['wall']:.3g}" if late else f"{result['wall']:.3g}",
            )
        )
    head = ("data", "FairKCenter", "violation", "seconds", "Ahmadian et al.", "violation", "seconds")
    return table(head, out)


def _by_groups(rows: Rows, table: Callable[..., str]) -> str:
    out = []
    for row in sorted(rows.select("groups"), key=lambda row: int(row["params"]["n_groups"])):
        ours, theirs = row["result"]["ours"], row["result"]["joiner"]
        late = "out_of_time" in theirs
        out.append(
            (
                str(row["params"]["n_groups"]),
                _number(ours["relaxed"]),
                _number(ours["radius"]),
                f"{ours['violation']:g}",
                f"{ours['seconds']:.3g}",
                "-" if late else _number(theirs["radius"]),
                f"over {theirs['wall']:.3g}" if late else f"{theirs['wall']:.3g}",
            )
        )
    head = ("groups", "relaxed", "strict", "violation", "seconds", "joiner program", "seconds")
    return table(head, out)


def _by_points(rows: Rows, table: Callable[..., str]) -> str:
    out = []
    for row in sorted(rows.select("large"), key=lambda row: int(row["params"]["n"])):
        params, result = row["params"], row["result"]
        out.append(
            (
                f"{params['n']:,} x {params['d']}, k = {params['k']}",
                _number(result["radius"]),
                _number(result["relaxed"]),
                _number(result["plain"]),
                f"{result['violation']:g}",
                f"{result['wall']:.3g}",
                f"{result['before_rss_mib']:,.0f}",
                f"{row['peak_rss_mib']:,.0f}",
                f"{row['busy_by_others']:g}",
            )
        )
    head = (
        "data", "radius", "relaxed", "without bounds", "violation", "seconds", "memory before, MiB",
        "peak, MiB", "cores used by others",
    )  # fmt: skip
    return table(head, out)
