"""Tables and pictures from the results files: ``docs/benchmarks*.md``, ``docs/images``.

python -m benchmarks.render [--results FOLDER] [--docs FOLDER] [--check]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import deep_page, kcenter_page, report_page, scale_page, social_page
from benchmarks.claims import Rows, judge, optimum_difference, pairs, point_lps, promise_rows, seconds
from benchmarks.harness import RESULTS, ROOT, Row
from benchmarks.transport import SCALE

GROWTH = "transport_growth.svg"

# ---- words


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, first column left, the others right; a note when there are no rows."""
    body = ["| " + " | ".join(row) + " |" for row in rows]
    if not body:
        return "*Not measured yet.*"
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + body)


def duration(value: float) -> str:
    """Seconds with three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def times(slow: float, fast: float) -> str:
    return f"{slow / fast:.1f}x"


def size(row: Row) -> str:
    return f"{row['params']['n']:,} x {row['params']['k']}"


def memory(row: Row) -> str:
    return "" if row["peak_rss_mib"] is None else f"{row['peak_rss_mib']:,.0f}"


# ---- sections


def promises(results: Path) -> str:
    return table(("promise", "measured", "kept"), promise_rows(judge(results)))


def rivals(rows: Rows) -> str:
    """Exact transport, one line an instance."""
    lines = []
    for own, ortools in pairs(rows, "ortools"):
        params = own["params"]
        line = [f"{params['instance']}, {size(own)}", duration(seconds(own))]
        for other in (rows.find("transport", params, cores=1), rows.find("solve", params)):
            line.append("" if other is None else duration(seconds(other)))
        built, solved = (ortools["result"][part] for part in ("build_seconds", "solve_seconds"))
        line += [duration(seconds(ortools)), f"{duration(built)} + {duration(solved)}"]
        line.append(times(seconds(ortools), seconds(own)))
        pot = rows.find("pot", params)
        line += ["", ""] if pot is None else [duration(seconds(pot)), times(seconds(pot), seconds(own))]
        line.append(f"{optimum_difference(own, ortools):.1e} ({params['n'] / SCALE:g})")
        line.append("" if pot is None else f"{optimum_difference(own, pot) / own['result']['optimum']:.0e}")
        lines.append(line)
    head = (
        "instance",
        "faircluster",
        "1 core",
        "`solve`",
        "OR-tools",
        "build + solve",
        "slower by",
        "POT",
        "slower by",
        "optimum - OR-tools' (rounding allows)",
        "relative to POT's",
    )
    return table(head, lines)


def point_lp(rows: Rows) -> str:
    lines = [
        (
            f"{own['params']['instance']}, {size(own)}",
            rival["params"]["solver"],
            duration(seconds(own)),
            duration(seconds(rival)),
            times(seconds(rival), seconds(own)),
            f"{optimum_difference(own, rival) / own['result']['optimum']:.0e}",
        )
        for own, rival in pairs(rows, "highs", solver=None)
    ]
    head = ("instance", "HiGHS solver", "faircluster", "HiGHS", "slower by", "relative difference of optima")
    return table(head, lines)


def warm(rows: Rows) -> str:
    words = {"rows": "1 % of the points replaced", "noise": "every cost off by 1 %"}
    lines = []
    for row in rows.select("resolve"):
        cold = row["result"]["cold_seconds"]["median"]
        difference = abs(row["result"]["optimum"] - row["result"]["cold_optimum"]) / row["result"]["optimum"]
        lines.append(
            (
                f"{row['params']['instance']}, {size(row)}",
                words[row["params"]["change"]],
                duration(cold),
                duration(seconds(row)),
                times(cold, seconds(row)),
                f"{difference:.0e}",
            )
        )
    head = (
        "instance",
        "change",
        "cold",
        "from the last prices",
        "faster by",
        "relative difference of optima",
    )
    return table(head, lines)


def growth(rows: Rows) -> str:
    found = sorted(rows.select("large"), key=_growth_order)
    lines = []
    for row in found:
        params = row["params"]
        before = row["result"]["before_rss_mib"]
        kind = params["instance"] + (", costs from points" if params.get("lazy") else "")
        per_pair = seconds(row) / (params["n"] * params["k"]) * 1e9
        resident = "" if before is None else f"{before:,.0f}"
        lines.append((kind, size(row), duration(seconds(row)), f"{per_pair:.1f}", resident, memory(row)))
    head = ("instance", "n x k", "seconds", "ns per cost", "memory before, MiB", "peak memory, MiB")
    return table(head, lines)


def bounded(rows: Rows) -> str:
    lines = []
    for row in rows.select("assign"):
        params, result = row["params"], row["result"]
        solvers = point_lps(rows, row)
        best = min((seconds(found) for found in solvers), default=None)
        optimum = [f"{found['result']['optimum']:,.4f}" for found in solvers[:1]]
        lines.append(
            (
                f"{params['data']}, {size(row)}, {result['groups']} groups",
                params["rounding"],
                f"{result['cost']:,.4f}",
                f"{result['lower_bound']:,.4f}",
                *(optimum or [""]),
                f"{result['gap']:.3%}",
                f"{result['violation']:.3g}",
                duration(seconds(row)) + _in_steps(result["steps"]),
                *(("", "") if best is None else (duration(best), times(best, seconds(row)))),
            )
        )
    head = (
        "instance",
        "rounding",
        "cost",
        "lower bound",
        "optimum over points",
        "gap",
        "violation",
        "seconds (steps)",
        "HiGHS, faster solver",
        "slower by",
    )
    return table(head, lines)


def kmeans_cost(rows: Rows) -> str:
    lines = []
    for row in sorted(rows.select("adult"), key=lambda row: row["params"]["k"]):
        result = row["result"]
        swaps = ", no swaps" if row["params"].get("swaps") == 0 else ""
        lines.append(
            (
                f"{row['params']['n']:,}, k = {row['params']['k']}, {row['params']['starts']} starts, "
                f"seed {row['params']['seed']}{swaps}",
                f"{result['cost']:,.1f}",
                "" if result["published"] is None else f"{result['published']:,.0f}",
                f"{result['balance']:.4f}",
                f"{result['violation']:g}",
                f"{result['gap']:.3%}",
                f"{result['price_of_fairness']:.3f}",
                duration(seconds(row)),
            )
        )
    head = (
        "rows of Adult",
        "cost",
        "best published",
        "balance",
        "violation",
        "gap at the centers",
        "price of fairness",
        "seconds",
    )
    return table(head, lines)


def kmeans_speed(rows: Rows) -> str:
    lines = []
    for fair in rows.select("fair"):
        plain = rows.find("plain", fair["params"])
        for name, row in (("FairKMeans", fair), ("scikit-learn KMeans", plain)):
            if row is not None:
                result = row["result"]
                counts = (f"{result['iterations']}", duration(seconds(row)))
                rest = (f"{result['cost']:,.0f}", f"{result['violation']:,.6g}", memory(row))
                ratio = times(seconds(row), seconds(plain)) if plain is not None else ""
                lines.append((f"{name}, {size(row)}", *counts, ratio, *rest))
    head = ("method", "iterations", "seconds", "times plain", "cost", "violation, points", "peak memory, MiB")
    return table(head, lines)


def environments(files: Iterable[Rows]) -> str:
    """Each machine, commit and set of versions that rows come from, with the number of rows."""
    counts: dict[tuple[str, ...], list[Row]] = {}
    for row in (row for rows in files for row in rows.all):
        at = row["environment"]
        cores = f"{at['cores']} cores, {at['memory_gib']} GiB, {at['system']}"
        versions = ", ".join(f"{name} {version}" for name, version in at["versions"].items())
        counts.setdefault((f"{at['cpu']}, {cores}", at["commit"] or "", versions), []).append(row)
    lines = []
    for words, rows in counts.items():
        dates = sorted(row["date"][:10] for row in rows)
        busy = max(row["busy_by_others"] for row in rows)
        span = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
        lines.append((*words, span, f"{busy:.2f}", str(len(rows))))
    return table(("machine", "commit", "versions", "date", "cores used by others, at most", "rows"), lines)


def _growth_order(row: Row) -> tuple[Any, ...]:
    params = row["params"]
    return params["instance"], bool(params.get("lazy")), params["n"], params["k"]


def _in_steps(steps: dict[str, float]) -> str:
    """Seconds by step; what belongs to no named step is the search for whole quotas."""
    named = {step: spent for step, spent in steps.items() if step != "total"}
    named["quotas"] = steps["total"] - sum(named.values())
    return " (" + ", ".join(f"{step} {duration(spent)}" for step, spent in named.items()) + ")"


# ---- picture


def draw_growth(rows: Rows, path: Path) -> None:
    """Time of the transport against n and against k, on logarithmic axes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    same_n = [row["params"]["n"] for row in rows.select("large", lazy=None)]
    of_k = max(sorted(set(same_n)), key=same_n.count)
    with mpl.rc_context({"svg.hashsalt": "faircluster", "font.size": 10}):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        axes = figure.subplots(1, 2)
        for axis, varied, fixed, title in (
            (axes[0], "n", {"k": 10}, "k = 10"),
            (axes[1], "k", {"n": of_k}, f"n = {of_k:,}"),
        ):
            for kind, mark, color in (("uniform", "o", "#1f6f8b"), ("blobs", "s", "#d1603d")):
                found = rows.select("large", instance=kind, lazy=None, **fixed)
                line = sorted((row["params"][varied], seconds(row)) for row in found)
                if line:
                    axis.loglog(*zip(*line, strict=True), marker=mark, color=color, label=kind)
                if len(line) > 1 and kind == "uniform":
                    (first, begun), (last, _) = line[0], line[-1]
                    ends = (begun, begun * last / first)
                    axis.loglog((first, last), ends, ":", color="#888888", label=f"in proportion to {varied}")
            axis.set(xlabel=varied, ylabel="seconds", title=f"exact transport, {title}")
            axis.grid(alpha=0.3, which="both")
            if axis.lines:
                axis.legend(frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})


# ---- page


def page(results: Path, picture: str | None) -> str:
    transport, limits, kmeans = (
        Rows(results / f"{name}.json") for name in ("transport", "bounded", "kmeans")
    )
    plot = [f"![Time of the transport against n and k]({picture})"] if picture else []
    parts = [
        "# Benchmarks",
        "Made by `python -m benchmarks.render` from the files in `benchmarks/results`; no number is typed by "
        "hand. Every method runs in a process of its own. Times are medians in wall seconds, after compiled "
        "code is loaded. How to run them: `benchmarks/README.md`.",
        promises(results),
        "## Exact transport against other solvers",
        "Same costs, same random quotas. faircluster gets the cost matrix and uses all cores (and, for "
        f"comparison, one); OR-tools is `SimpleMinCostFlow` on costs times {SCALE:,}, rounded, with arcs "
        "added as arrays; POT is `ot.emd`; these use one core. `solve` is the front door, with its checks.",
        rivals(transport),
        "HiGHS on the same problem as a linear program over points:",
        point_lp(transport),
        "## From the last prices",
        "The problem is solved, the costs change, and it is solved again.",
        warm(transport),
        "## Growth",
        "float32 costs. Memory is that of the whole process: before, of interpreter and instance; at the "
        "peak, while solving.",
        *plot,
        growth(transport),
        "## Group bounds",
        "Squared distances to k-means centers, `slack(0.2)`. Adult: sex and race, 7 overlapping groups; "
        "blobs: 4 disjoint groups. The rival is HiGHS on the linear program over points (simplex and "
        "interior point; the faster counts), which ends with fractions of points; faircluster's labels are "
        "whole.",
        bounded(limits),
        "## Fair k-means",
        "Adult, six numeric columns scaled to [0, 1], balance at least 0.49 by sex, against the best "
        "published cost (MPFC, arXiv 2605.13759, least of up to 100 starts):",
        kmeans_cost(kmeans),
        "One start from the same centers, two groups, `slack(0.2)`, the same stopping rule:",
        kmeans_speed(kmeans),
        "## Where the numbers come from",
        environments((transport, limits, kmeans)),
    ]
    return "\n\n".join(parts) + "\n"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.render")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", metavar="FOLDER")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a measured promise is broken")
    options = parser.parse_args(argv)
    transport = Rows(options.results / "transport.json")
    drawn = bool(transport.select("large"))
    if drawn:
        draw_growth(transport, options.docs / "images" / GROWTH)
    options.docs.mkdir(parents=True, exist_ok=True)
    text = page(options.results, f"images/{GROWTH}" if drawn else None)
    (options.docs / "benchmarks.md").write_text(text)
    social_page.write(options.results, options.docs, environments)
    report_page.write(options.results, options.docs)
    kcenter_page.write(options.results, options.docs, table, environments)
    scale_page.write(options.results, options.docs, table, environments)
    deep_page.write(options.results, options.docs, table, environments)
    verdicts = [
        *judge(options.results),
        *report_page.judge(options.results),
        *kcenter_page.judge(options.results),
        *scale_page.judge(options.results),
        *deep_page.judge(options.results),
    ]
    broken = [promise for promise, verdict in verdicts if verdict and not verdict.kept]
    for promise in broken:
        print(f"not kept: {promise}")
    return 1 if broken and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
