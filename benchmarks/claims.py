"""What the library promises about speed and quality, judged by the measured rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import Row, read_rows
from benchmarks.transport import SCALE

__all__ = [
    "CLAIMS",
    "Rows",
    "Verdict",
    "judge",
    "optimum_difference",
    "pairs",
    "point_lps",
    "promise_rows",
    "seconds",
    "social_lines",
]

SIZES = ((120_000, 10), (50_000, 20))  # of the transport promises
MOST_MEMORY_GIB = 24
ROUNDING = 1 + 1e-9  # two sums of the same numbers
KMEANS_COST = {5: 2431.0, 10: 1603.0, 15: 1283.0}


class Rows:
    """Rows of one results file, found by job and parameters."""

    def __init__(self, path: Path) -> None:
        self.all = read_rows(path)

    def select(self, job: str, **params: Any) -> list[Row]:
        """Rows of a job that have these parameters; None: the parameter must be absent."""
        return [
            row
            for row in self.all
            if row["job"] == job and all(row["params"].get(key) == value for key, value in params.items())
        ]

    def find(self, job: str, params: dict[str, Any], **changed: Any) -> Row | None:
        """The row of a job with exactly these parameters."""
        wanted = {key: value for key, value in {**params, **changed}.items() if value is not None}
        return next((row for row in self.all if (row["job"], row["params"]) == (job, wanted)), None)


@dataclass(frozen=True)
class Verdict:
    """What was measured for a claim, and whether that is enough."""

    measured: str
    kept: bool


def seconds(row: Row) -> float:
    """Median wall seconds."""
    return float(row["result"]["seconds"]["median"])


def pairs(rows: Rows, job: str, **without: Any) -> Iterator[tuple[Row, Row]]:
    """Every rival row with our row of the very same instance; ``without=None``: a parameter only it has."""
    for rival in rows.select(job):
        own = rows.find("transport", rival["params"], **without)
        if own is not None:
            if own["result"]["instance"] != rival["result"]["instance"]:
                raise ValueError(
                    f"{job} {rival['params']} ran on another instance than faircluster; "
                    "install the rivals' NumPy in the version of benchmarks/rivals-requirements.txt"
                )
            yield own, rival


def optimum_difference(own: Row, rival: Row) -> float:
    """Difference of the optima."""
    return abs(own["result"]["optimum"] - rival["result"]["optimum"])


def same_as_ortools(rows: Rows) -> Verdict | None:
    shares = [
        optimum_difference(own, rival) / (own["params"]["n"] / SCALE) for own, rival in pairs(rows, "ortools")
    ]
    if not shares:
        return None
    return Verdict(f"at most {max(shares):.2g} of what rounding can make", max(shares) <= 1)


def same_as_highs(rows: Rows) -> Verdict | None:
    relative = [
        optimum_difference(own, rival) / abs(own["result"]["optimum"])
        for own, rival in pairs(rows, "highs", solver=None)
        if rival["params"]["solver"] == "simplex"
    ]
    if not relative:
        return None
    return Verdict(f"relative difference at most {max(relative):.1e}", max(relative) <= 1e-7)


def faster_than(job: str, factor: float) -> Callable[[Rows], Verdict | None]:
    def verdict(rows: Rows) -> Verdict | None:
        measured = [(own, rival) for own, rival in pairs(rows, job) if _promised(own)]
        return _speedups([seconds(rival) / seconds(own) for own, rival in measured], factor)

    return verdict


def warm_faster(rows: Rows) -> Verdict | None:
    measured = [row for row in rows.select("resolve") if _promised(row)]
    return _speedups([row["result"]["cold_seconds"]["median"] / seconds(row) for row in measured], 5)


def largest(rows: Rows) -> Verdict | None:
    found = rows.select("large", n=10_000_000, lazy=None)
    if not found:
        return None
    peak = max(row["peak_rss_mib"] for row in found) / 1024
    slowest = max(seconds(row) for row in found)
    return Verdict(f"{slowest:.3g} s, peak {peak:.2f} GiB", peak <= MOST_MEMORY_GIB)


def nearest_cost(rows: Rows) -> Verdict | None:
    return _bounded(rows, "nearest", 1e-3)


def strict_cost(rows: Rows) -> Verdict | None:
    return _bounded(rows, "strict", 2e-2)


def faster_than_point_lp(rounding: str) -> Callable[[Rows], Verdict | None]:
    def verdict(rows: Rows) -> Verdict | None:
        factors = [
            min(seconds(row) for row in solvers) / seconds(own)
            for own in rows.select("assign", data="adult", n=10_000, rounding=rounding)
            if (solvers := point_lps(rows, own))
        ]
        return _speedups(factors, 20)

    return verdict


def point_lps(rows: Rows, own: Row) -> list[Row]:
    """The linear program over points of an assignment row, simplex first, then interior point."""
    found = [rows.find("lp", own["params"], rounding=None, solver=name) for name in ("simplex", "ipm")]
    return [row for row in found if row is not None]


def adult_cost(rows: Rows) -> Verdict | None:
    found = sorted(rows.select("adult", n=48_842, swaps=None), key=lambda row: row["params"]["k"])
    if not found:
        return None
    words = ", ".join(f"{row['result']['cost']:,.1f} (k={row['params']['k']})" for row in found)
    kept = all(
        row["result"]["cost"] <= KMEANS_COST[row["params"]["k"]] and row["result"]["violation"] == 0
        for row in found
    )
    worst = max(row["result"]["violation"] for row in found)
    tried = {row["params"]["k"] for row in found}
    return Verdict(f"{words}, violation {worst:g}", kept and tried == set(KMEANS_COST))


def as_fast_as_kmeans(rows: Rows) -> Verdict | None:
    factors = [
        seconds(fair) / seconds(plain)
        for fair in rows.select("fair", n=1_000_000)
        if (plain := rows.find("plain", fair["params"])) is not None
    ]
    if not factors:
        return None
    return Verdict(f"{max(factors):.2f} times", max(factors) <= 5)


def social_lines(rows: Rows) -> list[dict[str, Any]]:
    """Every sample and number of clusters of the socially fair comparison, with its parameters."""
    return [{**row["params"], **line} for row in rows.select("compare") for line in row["result"]["lines"]]


def social_bicriteria(rows: Rows) -> Verdict | None:
    pairs_ = [(line, other) for line in social_lines(rows) for other in line["abbasi"]]
    return _never_dearer(
        [
            other["our_cost"] <= other["cost"] * ROUNDING and other["our_centers"] <= other["centers"]
            for _, other in pairs_
        ]
    )


def social_exactly_k(rows: Rows) -> Verdict | None:
    lines = social_lines(rows)
    return _never_dearer([line["cost"] <= line["makarychev_vakilian"] * ROUNDING for line in lines])


def social_ratio(rows: Rows) -> Verdict | None:
    ratios = sorted(line["cost"] / line["bound"] for line in social_lines(rows))
    if not ratios:
        return None
    median = ratios[len(ratios) // 2]
    return Verdict(f"median {median:.4f}, largest {ratios[-1]:.3f}, {len(ratios)} rows", median <= 1.15)


def lloyd_cost(rows: Rows) -> Verdict | None:
    found = [row["result"] for row in rows.select("compare")]
    return _never_dearer([each["cost"] <= each["published"] * ROUNDING for each in found])


def lloyd_step(rows: Rows) -> Verdict | None:
    gaps = [row["result"]["step_gap"] for row in rows.select("compare")]
    return Verdict(f"relative gap at most {max(gaps):.1e}", max(gaps) <= 1e-6) if gaps else None


def lloyd_equal(rows: Rows) -> Verdict | None:
    found = [row["result"] for row in rows.select("compare") if len(row["result"]["groups"]) == 2]
    if not found:
        return None
    both = [each for each in found if max(each["step_multipliers"]) < 1]
    apart = [max(each["group_costs"]) / min(each["group_costs"]) - 1 for each in both]
    words = f"apart by at most {max(apart, default=0.0):.3%}, one alone in {len(found) - len(both)}"
    return Verdict(f"{words} of {len(found)} rows", max(apart, default=0.0) <= 1e-3)


def lloyd_speed(rows: Rows) -> Verdict | None:
    found = [row["result"] for row in rows.select("compare")]
    if not found:
        return None
    factors = [each["seconds"]["best"] / each["kmeans_seconds"]["best"] for each in found]
    return Verdict(f"{min(factors):.1f} to {max(factors):.1f} times", max(factors) <= 3)


def lloyd_large(rows: Rows) -> Verdict | None:
    found = rows.select("large", n=2_000_000)
    if not found:
        return None
    slowest, peak = max(seconds(row) for row in found), max(row["peak_rss_mib"] or 0.0 for row in found)
    return Verdict(f"{slowest:.3g} s, peak {peak / 1024:.2f} GiB", slowest <= 300)


def _never_dearer(kept: list[bool]) -> Verdict | None:
    return Verdict(f"in {sum(kept)} of {len(kept)} rows", all(kept)) if kept else None


def _promised(row: Row) -> bool:
    return (row["params"]["n"], row["params"]["k"]) in SIZES


def _speedups(factors: list[float], wanted: float) -> Verdict | None:
    if not factors:
        return None
    low, high = f"{min(factors):.1f}", f"{max(factors):.1f}"
    return Verdict(f"{low} times" if low == high else f"{low} to {high} times", min(factors) >= wanted)


def _bounded(rows: Rows, rounding: str, most: float) -> Verdict | None:
    found = rows.select("assign", data="adult", n=48_842, rounding=rounding)
    if not found:
        return None
    gap, violation = found[0]["result"]["gap"], found[0]["result"]["violation"]
    kept = gap <= most and (rounding == "nearest" or violation == 0)
    return Verdict(f"gap {gap:.4%}, violation {violation:g}", kept)


# results file, promise, how it is judged
CLAIMS: list[tuple[str, str, Callable[[Rows], Verdict | None]]] = [
    ("transport", "Transport: the optimum of OR-tools, up to its rounding of the costs", same_as_ortools),
    ("transport", "Transport: the optimum of HiGHS at small n", same_as_highs),
    (
        "transport",
        "Transport, 120,000 x 10 and 50,000 x 20: at least 5 times faster than OR-tools",
        faster_than("ortools", 5),
    ),
    ("transport", "Transport, the same: at least 30 times faster than POT", faster_than("pot", 30)),
    (
        "transport",
        "Transport, the same: at least 5 times faster from the last prices after a change of 1 %",
        warm_faster,
    ),
    ("transport", f"Transport: 10,000,000 x 10 within {MOST_MEMORY_GIB} GiB", largest),
    ("bounded", "Adult, sex and race: nearest within 0.1 % of the lower bound", nearest_cost),
    ("bounded", "Adult, sex and race: strict within 2 % at violation 0", strict_cost),
    (
        "bounded",
        "Adult, n = 10,000: nearest 20 times faster than HiGHS on the program over points",
        faster_than_point_lp("nearest"),
    ),
    (
        "bounded",
        "Adult, n = 10,000: strict 20 times faster than HiGHS on the program over points",
        faster_than_point_lp("strict"),
    ),
    (
        "kmeans",
        "Adult, sex, balance 0.49: cost at most "
        + ", ".join(f"{cost:,.0f} (k={k})" for k, cost in KMEANS_COST.items())
        + " at violation 0",
        adult_cost,
    ),
    ("kmeans", "1,000,000 x 10: at most 5 times the time of plain k-means", as_fast_as_kmeans),
    (
        "social_lp",
        "Socially fair: at most the cost of Abbasi et al. with no more centers, in every row",
        social_bicriteria,
    ),
    (
        "social_lp",
        "Socially fair, exactly k: at most the cost of Makarychev & Vakilian, in every row",
        social_exactly_k,
    ),
    (
        "social_lp",
        "Socially fair, exactly k: median ratio to the certified bound at most 1.15",
        social_ratio,
    ),
    (
        "social_lloyd",
        "Fair-Lloyd, whole tables: worst group's cost at most that of the published method, in every row",
        lloyd_cost,
    ),
    ("social_lloyd", "Fair-Lloyd: center step solved to 1e-6", lloyd_step),
    (
        "social_lloyd",
        "Fair-Lloyd, two groups: equal costs within 0.1 %, unless one provably decides alone",
        lloyd_equal,
    ),
    (
        "social_lloyd",
        "Fair-Lloyd: at most 3 times the time of scikit-learn's KMeans from the same starts",
        lloyd_speed,
    ),
    ("social_lloyd", "Fair-Lloyd, 2,000,000 x 10, k = 10, 4 groups: within five minutes", lloyd_large),
]


def promise_rows(
    judged: list[tuple[str, Verdict | None]], missing: str = "not measured yet"
) -> list[tuple[str, str, str]]:
    """Promise, what was measured, and whether it is kept: rows of a table."""
    words = {True: "yes", False: "**no**"}
    return [
        (promise, missing, "") if found is None else (promise, found.measured, words[found.kept])
        for promise, found in judged
    ]


def judge(results: Path) -> list[tuple[str, Verdict | None]]:
    """Every promise with its verdict; None where nothing was measured."""
    files = {name: Rows(results / f"{name}.json") for name in {name for name, _, _ in CLAIMS}}
    return [(promise, verdict(files[name])) for name, promise, verdict in CLAIMS]
