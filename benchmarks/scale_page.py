"""``docs/benchmarks_scale.md``: bounds, memory, traffic and time on Dask workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.claims import Rows, Verdict, promise_rows
from benchmarks.harness import Row
from benchmarks.scale import SIZES, WORKER_GIB

__all__ = ["judge", "write"]

PICTURE = "scale_growth.svg"
LARGE, SAMPLE = 20_000_000, 2_000_000
BLUE, RED, GREY = "#1f6f8b", "#d1603d", "#888888"


# ---- promises


def all_kept(rows: Rows) -> Verdict | None:
    """Whether bounds hold in the labels that the workers wrote."""
    found = [row for job in ("kmeans", "kcenter") for row in rows.select(job)]
    if not found:
        return None
    worst = max(row["result"]["violation_checked"] for row in found)
    n_rows = sum(row["result"]["rows"] for row in found)
    return Verdict(f"violation {worst:g}, {n_rows:,} labels", worst == 0)


def cost_near_memory(rows: Rows) -> Verdict | None:
    return _above(rows, "kmeans", LARGE, "cost", 0.02)


def radius_near_memory(rows: Rows) -> Verdict | None:
    return _above(rows, "kcenter", SAMPLE, "radius", 0.10)


def memory_kept(rows: Rows) -> Verdict | None:
    found = [row["result"] for job in ("kmeans", "kcenter") for row in rows.select(job, n=LARGE)]
    if not found:
        return None
    workers, driver = (max(each[f"{who}_peak_mib"] for each in found) / 1024 for who in ("worker", "driver"))
    return Verdict(f"workers {workers:.2f} GiB, driver {driver:.2f} GiB", max(workers, driver) <= WORKER_GIB)


def flat(figure: str, unit: str, most: float) -> Callable[[Rows], Verdict | None]:
    """Whether a figure stays as it is while rows grow sixteenfold."""

    def verdict(rows: Rows) -> Verdict | None:
        found = _growth(rows)
        if len(found) < len(SIZES):
            return None
        values = [row["result"][figure] for row in found]
        words = ", ".join(f"{value:,.1f}" for value in values) + f" {unit}"
        return Verdict(words, values[-1] <= most * values[0])

    return verdict


def linear_time(rows: Rows) -> Verdict | None:
    found = _growth(rows)
    if len(found) < len(SIZES):
        return None
    each = [1e6 * row["result"]["wall"] / row["params"]["n"] for row in found]
    words = ", ".join(f"{value:.2f}" for value in each) + " microseconds a row"
    return Verdict(words, each[-1] <= 1.1 * min(each[:-1]))


def same_labels(rows: Rows) -> Verdict | None:
    """Whether cost, quotas and every label are the same for one and two workers."""
    pair = _one_and_two(rows)
    if pair is None:
        return None
    kept = all(
        pair[0]["result"][name] == pair[1]["result"][name] for name in ("cost", "quotas", "labels_sha256")
    )
    return Verdict(f"{pair[0]['result']['rows']:,} labels", kept)


def two_workers(rows: Rows) -> Verdict | None:
    pair = _one_and_two(rows)
    if pair is None:
        return None
    one, two = pair
    factor = _in_passes(one) / _in_passes(two)
    return Verdict(f"{factor:.2f} times", factor >= 1.6)


CLAIMS: list[tuple[str, Callable[[Rows], Verdict | None]]] = [
    ("Bounds hold over all rows, in the labels as written by the workers", all_kept),
    (
        "FairKMeans, 20,000,000 x 10, k = 20: cost a row at most 2 % above in memory at 2,000,000 rows",
        cost_near_memory,
    ),
    (f"20,000,000 rows: no process above {WORKER_GIB} GiB", memory_kept),
    (
        "FairKCenter, x 8, k = 32, 8 groups: radius at most 10 % above in memory on the same 2,000,000 rows",
        radius_near_memory,
    ),
    ("The same labels, quotas and cost by one worker and by two", same_labels),
    ("Network traffic does not grow with rows (1, 4, 16 million)", flat("traffic_mib", "MiB", 1.1)),
    ("Memory of the driver does not grow with rows", flat("driver_peak_mib", "MiB", 1.1)),
    ("Time grows no faster than rows", linear_time),
    (
        "16,000,000 rows: two workers at least 1.6 times as fast as one, in the passes over the points",
        two_workers,
    ),
]


def judge(results: Path) -> list[tuple[str, Verdict | None]]:
    """Every promise with its verdict; None where nothing was measured."""
    rows = Rows(results / "scale.json")
    return [(promise, verdict(rows)) for promise, verdict in CLAIMS]


def _above(rows: Rows, job: str, n: int, figure: str, most: float) -> Verdict | None:
    found = [row for row in rows.select(job, n=n) if row["params"]["partition"] == 250_000]
    memory = rows.select("in_memory", method=job, n=SAMPLE)
    if not found or not memory:
        return None
    there, here = found[0]["result"][figure], memory[0]["result"][figure]
    return Verdict(f"{there:,.4f} against {here:,.4f}, {there / here - 1:+.2%}", there <= (1 + most) * here)


def _growth(rows: Rows) -> list[Row]:
    """Runs of the same number of partitions, by rows."""
    found = [
        row
        for row in rows.select("kmeans", workers=2)
        if row["params"]["n"] in SIZES and row["result"]["partitions"] == 32
    ]
    return sorted(found, key=lambda row: int(row["params"]["n"]))


def _one_and_two(rows: Rows) -> tuple[Row, Row] | None:
    """The same fit by one worker and by two."""
    one = next(iter(rows.select("kmeans", workers=1)), None)
    two = None if one is None else rows.find("kmeans", one["params"], workers=2)
    return None if one is None or two is None else (one, two)


def _in_passes(row: Row) -> float:
    return float(sum(phase["seconds"] for phase in row["result"]["phases"].values()))


# ---- page


def write(results: Path, docs: Path, table: Any, environments: Any) -> None:
    """Write the page and its picture, if there is anything to be told."""
    rows = Rows(results / "scale.json")
    if not rows.all:
        return
    promises = promise_rows(judge(results))
    drawn = len(_growth(rows)) > 1
    if drawn:
        _draw(_growth(rows), docs / "images" / PICTURE)
    parts = [
        "# Benchmarks: tables larger than memory",
        "Made by `python -m benchmarks.render` from `benchmarks/results/scale.json`, measured by "
        "`python -m benchmarks.scale`. Blobs in Parquet files, uneven groups, `slack(0.2)`; workers are "
        f"processes of one thread and {WORKER_GIB} GiB on one machine. Labels are those written, read "
        "back and checked.",
        table(("promise", "measured", "kept"), promises),
        "## Runs",
        table(
            ("run", "cost a row or radius", "gap", "fit, s", "labels, s", "a worker, MiB", "driver, MiB",
             "traffic, MiB"),
            [_line(row) for job in ("kmeans", "kcenter", "in_memory") for row in rows.select(job)],
        ),
        "Traffic is all that the processes of the machine sent each other during the fit. In memory there is "
        "one process; its peak stands under driver.",
        *([f"![Time, traffic and memory against rows](images/{PICTURE})"] if drawn else []),
        "## Where the time goes",
        table(
            ("run", "in passes, s", "at the driver, s", "passes (seconds each)"),
            [_phases(row) for job in ("kmeans", "kcenter") for row in rows.select(job)],
        ),
        "## Where the numbers come from",
        environments((rows,)),
    ]  # fmt: skip
    (docs / "benchmarks_scale.md").write_text("\n\n".join(parts) + "\n")


def _name(row: Row) -> str:
    params = row["params"]
    method = {"kmeans": "FairKMeans", "kcenter": "FairKCenter"}[params.get("method", row["job"])]
    size = f"{method}, {params['n']:,} x {params['d']}, k = {params['k']}, {params['groups']} groups"
    if row["job"] == "in_memory":
        return f"{size}, in memory"
    workers = "1 worker" if params["workers"] == 1 else f"{params['workers']} workers"
    return f"{size}, {row['result']['partitions']} partitions, {workers}"


def _line(row: Row) -> Sequence[str]:
    result = row["result"]
    value = result["cost"] if "cost" in result else result["radius"]
    if row["job"] == "in_memory":
        return (
            _name(row),
            f"{value:,.4f}",
            "",
            f"{result['wall']:,.0f}",
            "",
            "",
            f"{row['peak_rss_mib']:,.0f}",
            "",
        )
    return (
        _name(row),
        f"{value:,.4f}",
        f"{result['gap']:.3%}",
        f"{result['wall']:,.0f}",
        f"{result['write']:,.0f}",
        f"{result['worker_peak_mib']:,.0f}",
        f"{result['driver_peak_mib']:,.0f}",
        f"{result['traffic_mib']:,.1f}",
    )


def _phases(row: Row) -> Sequence[str]:
    passes = _in_passes(row)
    each = (
        f"{name} {phase['passes']} ({phase['seconds'] / phase['passes']:.2f})"
        for name, phase in row["result"]["phases"].items()
    )
    return _name(row), f"{passes:,.0f}", f"{row['result']['wall'] - passes:,.0f}", ", ".join(each)


def _draw(rows: Sequence[Row], path: Path) -> None:
    """Time in proportion to rows; traffic and memory level."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    n = [row["params"]["n"] for row in rows]
    with mpl.rc_context({"svg.hashsalt": "faircluster", "font.size": 10}):
        figure = Figure(figsize=(10, 3.4), layout="constrained")
        time, traffic, memory = figure.subplots(1, 3)
        seconds = [row["result"]["wall"] for row in rows]
        time.loglog(n, seconds, "o-", color=BLUE, label="fit")
        time.loglog(n, [_in_passes(row) for row in rows], "s-", color=RED, label="in passes over the points")
        time.loglog(
            n, [seconds[-1] * each / n[-1] for each in n], ":", color=GREY, label="in proportion to rows"
        )
        traffic.semilogx(n, [row["result"]["traffic_mib"] for row in rows], "o-", color=BLUE)
        for who, color in (("driver", BLUE), ("worker", RED)):
            peaks = [row["result"][f"{who}_peak_mib"] for row in rows]
            memory.semilogx(n, peaks, "o-", color=color, label=who)
        for axis, title, unit in (
            (time, "time", "seconds"), (traffic, "network traffic", "MiB"), (memory, "peak memory", "MiB"),
        ):  # fmt: skip
            axis.set(title=title, xlabel="rows", ylabel=unit)
            axis.grid(alpha=0.3)
            if axis is not time:
                axis.set_ylim(bottom=0)
        for axis in (time, memory):
            axis.legend(frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
