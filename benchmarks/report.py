"""Reports for people: how long an audit with its HTML file takes, how large it is, how soon the page answers.

python -m benchmarks.report [--quick]
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.harness import Task

GROUPS = (2, 5, 8)  # of the protected attributes
PAGES = ("k-means", "k-median", "k-center", "k-means, worst-off group")


def audit(n: int, d: int, attributes: int, k: int, seed: int) -> dict[str, Any]:
    """Audit a clustering next to one before, and write the report; reading the rows does not count."""
    from faircluster import audit as audit_rows

    X, frame, labels, before = _people(n, d, attributes, k, seed)
    small = slice(0, 2_000)
    audit_rows(labels[small], frame.iloc[small], X[small]).to_html()  # compiles, and loads matplotlib
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        begun = time.perf_counter()
        found = audit_rows(labels, frame, X, before=before)
        audited = time.perf_counter() - begun
        found.to_html(path)
        spent = time.perf_counter() - begun
        text = path.read_text(encoding="utf-8")
        size = path.stat().st_size
    shown = found.figures["pictures"]["embedding"]
    return {
        "audit_seconds": audited,
        "bytes": size,
        "points_shown": len(shown["x"]),
        "sample_is_said": shown["words"] in text,
        "seconds": {"best": spent, "median": spent, "all": [spent]},
    }


def _people(n: int, d: int, attributes: int, k: int, seed: int) -> tuple[Any, Any, Any, Any]:
    """Blobs whose clusters tell of groups, their labels, and those of one moved row in ten."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    X = rng.normal(size=(n, d))
    X += rng.normal(scale=3.0, size=(k, d))[labels]
    columns = {}
    for a in range(attributes):
        g = GROUPS[a % len(GROUPS)]
        shares = rng.dirichlet(np.full(g, 5.0), size=k).cumsum(axis=1)
        codes = (rng.random(n)[:, None] > shares[labels, :-1]).sum(axis=1)
        names = [f"{a}{chr(ord('a') + t)}" for t in range(g)]
        columns[f"attribute {a}"] = pd.Categorical.from_codes(codes, names)
    before = np.where(rng.random(n) < 0.1, rng.integers(k, size=n), labels)
    return X, pd.DataFrame(columns), labels, before


def page(n: int, k: int, objective: str) -> dict[str, Any]:
    """Serve the page as the command does, upload n rows of Adult, and ask for a clustering."""
    import httpx

    from faircluster.datasets import load_adult

    adult = load_adult().data
    content = adult.iloc[np.arange(n) % len(adult)].to_csv(index=False).encode()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with open(log, "wb") as out:
            command = [sys.executable, "-m", "faircluster", "app", "--no-open"]
            child = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "TMPDIR": folder})
        try:
            with httpx.Client(timeout=120, trust_env=False, follow_redirects=True) as client:
                return _drive(client, _address(log, child), content, k, objective)
        finally:
            child.send_signal(signal.SIGINT)
            child.wait(30)


def _address(log: Path, child: subprocess.Popen[bytes]) -> str:
    while child.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+/\?token=[\w-]+", log.read_text().replace("\n", ""))
        if found:
            time.sleep(20)  # the page compiles in the background while its user looks for a file
            return found[0]
        time.sleep(0.05)
    raise RuntimeError(log.read_text())


def _drive(client: Any, address: str, content: bytes, k: int, objective: str) -> dict[str, Any]:
    """Upload, start, and ask as often as the page does; seconds from the start of the upload."""
    answer = client.get(address)
    csrf = answer.text.split('name="csrf" content="')[1].split('"')[0]
    origin = address.split("/?", maxsplit=1)[0]
    client.headers.update({"X-CSRF-Token": csrf, "Origin": origin})
    begun = time.perf_counter()
    table = client.post(f"{origin}/uploads", params={"name": "adult.csv"}, content=content).json()
    uploaded = time.perf_counter() - begun
    asked = {
        "upload": table["upload"],
        "sensitive": ["sex", "race"],
        "features": [column["name"] for column in table["columns"] if column["numeric"]],
        "objective": objective,
        "clusters": k,
        "slack": 0.2,
    }
    job = client.post(f"{origin}/jobs", json=asked).json()["job"]
    reached: dict[str, float] = {}
    phases: list[str] = []
    silent, last = 0.0, time.perf_counter()
    while True:
        now = client.get(f"{origin}/jobs/{job}").json()
        if not phases or now["phase"] != phases[-1]:
            silent, last = max(silent, time.perf_counter() - last), time.perf_counter()
            phases.append(now["phase"])
        for what in now["ready"]:
            if what not in reached:
                client.get(f"{origin}/jobs/{job}/panel/compare").raise_for_status()
                reached[what] = time.perf_counter() - begun
        if now["state"] not in ("waiting", "running"):
            break
        time.sleep(0.2)
    if now["state"] != "done":
        raise RuntimeError(now["problem"])
    done = time.perf_counter() - begun
    return {
        "upload_seconds": uploaded,
        "first_results_seconds": reached["plain"],
        "fair_results_seconds": reached["fair"],
        "phases_told": len(phases),
        "longest_phase_seconds": silent,
        "seconds": {"best": done, "median": done, "all": [done]},
    }


JOBS = {"audit": audit, "page": page}


def plan(quick: bool) -> Iterator[Task]:
    for n in (5_000,) if quick else (100_000, 1_000_000, 10_000_000):
        yield Task("audit", {"n": n, "d": 20, "attributes": 3, "k": 20, "seed": 0})
    for objective in ("k-means",) if quick else PAGES:
        yield Task("page", {"n": 2_000 if quick else 50_000, "k": 8, "objective": objective})


if __name__ == "__main__":
    sys.exit(harness.main("report", JOBS, plan))
