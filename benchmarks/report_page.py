"""``docs/benchmarks_report.md``: how long people wait for reports and for the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.claims import Rows, Verdict, promise_rows, seconds
from benchmarks.harness import Row

__all__ = ["judge", "write"]

MOST_SECONDS = {100_000: 15.0, 10_000_000: 120.0}
MOST_BYTES = 3_000_000
FIRST_RESULTS = 15.0


def audits_in_time(rows: Rows) -> Verdict | None:
    """Whether every report that something is promised for came in time, small and open about its sample."""
    found = [row for row in rows.select("audit") if row["params"]["n"] in MOST_SECONDS]
    if {row["params"]["n"] for row in found} != set(MOST_SECONDS):
        return None
    words = ", ".join(
        f"{seconds(row):.3g} s and {row['result']['bytes'] / 1e6:.2f} MB for {row['params']['n']:,} rows"
        for row in found
    )
    kept = all(
        seconds(row) <= MOST_SECONDS[row["params"]["n"]]
        and row["result"]["bytes"] <= MOST_BYTES
        and row["result"]["sample_is_said"]
        for row in found
    )
    return Verdict(words, kept)


def page_in_time(rows: Rows) -> Verdict | None:
    """Whether the first results of every objective came in time."""
    found = [row["result"]["first_results_seconds"] for row in rows.select("page", n=50_000)]
    if not found:
        return None
    return Verdict(f"after {min(found):.2g} to {max(found):.2g} s", max(found) <= FIRST_RESULTS)


def judge(results: Path) -> list[tuple[str, Verdict | None]]:
    """Every promise with its verdict; None where nothing was measured."""
    rows = Rows(results / "report.json")
    return [(promise, verdict(rows)) for promise, verdict in CLAIMS]


def write(results: Path, docs: Path) -> None:
    """Write the page, if there is anything to be told."""
    rows = Rows(results / "report.json")
    if not rows.all:
        return
    promises = promise_rows(judge(results))
    cores = sorted({row["environment"]["cores"] for row in rows.all})
    busy = max(row["busy_by_others"] for row in rows.all)
    parts = [
        "# Benchmarks: reports and the page",
        "Made by `python -m benchmarks.render` from `benchmarks/results/report.json`. Measured on "
        f"{' or '.join(map(str, cores))} cores, of which others used up to {busy:.2g} meanwhile.",
        _table(("promise", "measured", "kept"), promises),
        "## Reports",
        "20 features, 3 protected attributes of 2, 5 and 8 groups, 20 clusters, and a clustering before to "
        "compare with. Figures count every row; the picture of points is a sample, which the report says.",
        _table(
            ("rows", "seconds", "of them for the figures", "MB", "points shown", "peak memory, MiB"),
            [_audit(row) for row in sorted(rows.select("audit"), key=lambda row: int(row["params"]["n"]))],
        ),
        "## The page",
        "Served as `faircluster app` does, driven over HTTP: a CSV file of Adult, all columns of numbers as "
        "features, sex and race protected, slack 0.2, three starts, the trade-off asked for. Seconds count "
        "from the beginning of the upload. First results are the plain clustering with its figures and "
        "pictures; the page tells what is being done and for how long.",
        _table(
            ("objective", "upload", "first results", "plain and fair", "all files", "steps told"),
            [_page(row) for row in rows.select("page")],
        ),
    ]
    (docs / "benchmarks_report.md").write_text("\n\n".join(parts) + "\n")


def _table(head: tuple[str, ...], lines: list[list[str]]) -> str:
    rows = ["| " + " | ".join(line) + " |" for line in [list(head), *lines]]
    return "\n".join([rows[0], "|---|" + "---:|" * (len(head) - 1), *rows[1:]])


def _audit(row: Row) -> list[str]:
    result, memory = row["result"], row["peak_rss_mib"]
    return [
        f"{row['params']['n']:,}",
        f"{seconds(row):.3g}",
        f"{result['audit_seconds']:.3g}",
        f"{result['bytes'] / 1e6:.2f}",
        f"{result['points_shown']:,}",
        "" if memory is None else f"{memory:,.0f}",
    ]


def _page(row: Row) -> list[str]:
    steps = ("upload", "first_results", "fair_results")
    return [
        f"{row['params']['objective']}, {row['params']['n']:,} rows, k = {row['params']['k']}",
        *(f"{row['result'][f'{step}_seconds']:.3g}" for step in steps),
        f"{seconds(row):.3g}",
        str(row["result"]["phases_told"]),
    ]


# promise, how it is judged
CLAIMS: list[tuple[str, Callable[[Rows], Verdict | None]]] = [
    (
        "Report, 20 features, 3 attributes, 20 clusters: 100,000 rows in 15 s, 10,000,000 in 2 minutes, "
        "at most 3 MB, samples said in it",
        audits_in_time,
    ),
    ("The page, upload of 50,000 rows: first results in 15 s", page_in_time),
]
