"""Measured jobs, each in a process of its own, and the JSON files their rows go to.

A script names its jobs (functions of keyword arguments that return a dict) and plans tasks (a job and its
parameters). ``main`` starts one child process for a task, so that memory peaks are those of one method, and
libraries that cannot share a process (highspy and ortools) never meet. A finished row is written at once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

__all__ = [
    "RESULTS",
    "ROOT",
    "Row",
    "Task",
    "forget_peak",
    "main",
    "measure",
    "peak_rss_mib",
    "read_rows",
    "run_task",
    "timed",
    "write_row",
]

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
RIVALS = ROOT / ".venv-rivals" / "bin" / "python"
PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "highspy", "dask", "ortools", "POT", "faircluster")

T = TypeVar("T")
Row = dict[str, Any]
Jobs = dict[str, Callable[..., dict[str, Any]]]


@dataclass(frozen=True)
class Task:
    """One row to be measured: a job of a script with its parameters (which include all seeds)."""

    job: str
    params: dict[str, Any]
    rival: bool = False  # runs in the interpreter that has the rivals
    timeout: float = 1800.0


# ---- in the child process


def timed(work: Callable[[], T], repeats: int, *, budget: float = 60.0) -> tuple[T, dict[str, Any]]:
    """Call ``work`` up to ``repeats`` times; its last value, and best, median and all wall seconds.

    A new call starts only within ``budget`` seconds, so slow methods are repeated less often.
    """
    seconds: list[float] = []
    while len(seconds) < repeats and (not seconds or sum(seconds) < budget):
        begun = time.perf_counter()
        value = work()
        seconds.append(time.perf_counter() - begun)
    ordered = sorted(seconds)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return value, {"best": ordered[0], "median": median, "all": seconds}


def measure(job: Callable[..., dict[str, Any]], params: dict[str, Any]) -> Row:
    """Run a job in this process: what it returns, the peak memory and the versions at work."""
    result = job(**params)
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {"result": result, "peak_rss_mib": peak_rss_mib(), "versions": versions}


def peak_rss_mib() -> float | None:
    """Largest resident memory of this process so far, None where the system does not tell."""
    try:  # VmHWM starts anew with the program; ru_maxrss can be that of the parent before exec
        return _status_mib("VmHWM")
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


def forget_peak() -> float | None:
    """Let the peak count from here on (Linux); resident memory now, None where the system does not tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status_mib("VmRSS")
    except OSError:
        return None


def _status_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


# ---- in the parent process


def run_task(script: str, task: Task, interpreter: str | Path = sys.executable) -> Row:
    """Run a task in a child process; its finished row, or RuntimeError with what the child said."""
    command = [str(interpreter), "-m", script, "--job", task.job, "--params", json.dumps(task.params)]
    busy, begun = _busy_by_others(), time.perf_counter()
    child = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=task.timeout, check=False
    )
    busy, spent = _busy_by_others() - busy, time.perf_counter() - begun
    if child.returncode:
        raise RuntimeError(f"exit status {child.returncode}\n{child.stderr.strip()[-2000:]}")
    measured = json.loads(child.stdout.splitlines()[-1])
    return {
        "job": task.job,
        "params": task.params,
        "result": measured["result"],
        "peak_rss_mib": measured["peak_rss_mib"],
        "busy_by_others": round(max(busy / spent, 0.0), 2),  # cores, on average; near 0 on a quiet machine
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": {**machine(), "commit": commit(), "versions": measured["versions"]},
    }


def _busy_by_others() -> float:
    """Processor seconds since the start that neither we nor our children used; 0 if not on Linux."""
    try:
        ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except OSError:
        return 0.0
    idle = ticks[3] + ticks[4]
    own = os.times()
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK") - sum(own[:4])


def machine() -> dict[str, Any]:
    """Processor, usable cores, memory and system."""
    model = platform.processor()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = None
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), 1)
    return {"cpu": model, "cores": cores, "memory_gib": memory, "system": platform.system()}


def commit() -> str | None:
    """Commit of the working tree, with a plus sign when the sources differ from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "src", "benchmarks/*.py")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def read_rows(path: Path) -> list[Row]:
    """Rows of a results file, each with its environment; none when there is no file."""
    if not path.exists():
        return []
    stored = json.loads(path.read_text())
    return [{**row, "environment": stored["environments"][row["environment"]]} for row in stored["rows"]]


def write_row(path: Path, row: Row) -> None:
    """Add a row to a results file, in place of an earlier one of the same job and parameters.

    The file is replaced as a whole, so that a reader, or a run that is cut off, finds it complete.
    """
    rows = read_rows(path)
    same = [i for i, old in enumerate(rows) if (old["job"], old["params"]) == (row["job"], row["params"])]
    if same:
        rows[same[0]] = row
    else:
        rows.append(row)
    environments: dict[str, Any] = {}
    stored = []
    for entry in rows:
        text = json.dumps(entry["environment"], sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()[:8]
        environments[name] = entry["environment"]
        stored.append({**entry, "environment": name})
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w") as file:
            # a row a line: small, and a new row is one line of a difference
            lines = ",\n".join(json.dumps(entry) for entry in stored)
            file.write(f'{{"environments": {json.dumps(environments, indent=1)},\n"rows": [\n{lines}\n]}}\n')
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def main(name: str, jobs: Jobs, plan: Callable[[bool], Iterable[Task]], argv: list[str] | None = None) -> int:
    """Command line of a script: measure its plan, or one job of it (what a child process does)."""
    options = _parser(name).parse_args(argv)
    beside = ROOT.parent / "shared" / "data"
    if beside.is_dir():  # else the loaders fetch
        os.environ.setdefault("FAIRCLUSTER_DATA", str(beside))
    if options.job:
        print(json.dumps(measure(jobs[options.job], json.loads(options.params))))
        return 0
    path = (RESULTS / "quick" if options.quick else options.results) / f"{name}.json"
    known = [(row["job"], row["params"]) for row in read_rows(path)] if options.missing else []
    failed = 0
    for task in plan(options.quick):
        words = f"{task.job} " + " ".join(f"{key}={value}" for key, value in task.params.items())
        if (task.job, task.params) in known or any(part not in words for part in options.only):
            continue
        if task.rival and not options.rivals.exists():
            print(f"{words}: left out, no interpreter at {options.rivals} (see benchmarks/README.md)")
            continue
        print(f"{words}: ", end="", flush=True)
        try:
            row = run_task(f"benchmarks.{name}", task, options.rivals if task.rival else sys.executable)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"failed: {error}")
            continue
        write_row(path, row)
        print(_headline(row), flush=True)
    return 1 if failed else 0


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--quick", action="store_true", help="small sizes, rows to results/quick")
    parser.add_argument("--missing", action="store_true", help="only tasks that have no row yet")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="only tasks with this text, e.g. n=120000"
    )
    parser.add_argument("--rivals", type=Path, default=RIVALS, metavar="PYTHON", help="their interpreter")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--params", default="{}", help=argparse.SUPPRESS)
    return parser


def _headline(row: Row) -> str:
    numbers = {key: value for key, value in row["result"].items() if isinstance(value, int | float)}
    seconds = row["result"].get("seconds")
    words = [] if seconds is None else [f"{seconds['median']:.4g} s"]
    return ", ".join(words + [f"{key} {value:.10g}" for key, value in numbers.items()])
