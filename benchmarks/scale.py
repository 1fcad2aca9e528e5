"""Tables larger than memory: bounds held over all rows, memory, traffic and time on Dask workers.

python -m benchmarks.scale [--missing] [--only kmeans] [--quick]

Jobs: ``kmeans`` and ``kcenter`` (fit from Parquet, labels written by the workers, all checked again on what
was written), ``in_memory`` (the same estimators on the first rows of the same table). Tables are drawn once,
by partition, into the folder of FAIRCLUSTER_SCRATCH, else a temporary one that stays for the next run.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.harness import Task

PARTITION = 250_000  # rows of a file
WORKER_GIB = 4
SIZES = (1_000_000, 4_000_000, 16_000_000)


# ---- data


def table(n: int, d: int, groups: int, partition: int = PARTITION) -> Path:
    """Folder of Parquet files: blobs whose groups are uneven, each file by a seed of its own."""
    import pandas as pd

    scratch = Path(os.environ.get("FAIRCLUSTER_SCRATCH", tempfile.gettempdir())) / "faircluster-scale"
    folder = scratch / f"{d}x{groups}-{partition}"
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(-(-n // partition)):
        file = folder / f"{i:05d}.parquet"
        if file.exists():
            continue
        X, group = _rows(i, min(partition, n - i * partition), d, groups)
        frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(d)])
        frame["group"] = pd.Series([f"g{g}" for g in range(groups)]).take(group).to_numpy()
        partial = file.with_suffix(".part")
        frame.to_parquet(partial, index=False)
        partial.rename(file)
    return folder


def _rows(seed: int, n: int, d: int, groups: int) -> tuple[np.ndarray, np.ndarray]:
    centers = np.random.default_rng(7).normal(size=(30, d)) * 3
    random = np.random.default_rng([seed, 11])
    blob = random.integers(0, len(centers), n)
    X = centers[blob] + random.normal(size=(n, d))
    chance = np.ones((len(centers), groups)) + 3 * np.eye(groups)[np.arange(len(centers)) % groups]
    chance = (chance / chance.sum(axis=1, keepdims=True)).cumsum(axis=1)
    return X, (random.random(n)[:, None] > chance[blob]).sum(axis=1).clip(0, groups - 1)


def files(n: int, d: int, groups: int, partition: int) -> list[str]:
    folder = table(n, d, groups, partition)
    return [str(folder / f"{i:05d}.parquet") for i in range(-(-n // partition))]


# ---- jobs


def kmeans(n: int, d: int, groups: int, k: int, workers: int, partition: int, seed: int) -> dict[str, Any]:
    """FairKMeans on workers of 4 GB."""
    from faircluster import FairKMeans

    model = FairKMeans(k, random_state=seed)
    return _measured(model, n, d, groups, workers, partition, lambda: {"cost": model.inertia_ / n})


def kcenter(n: int, d: int, groups: int, k: int, workers: int, partition: int, seed: int) -> dict[str, Any]:
    """FairKCenter on workers of 4 GB."""
    from faircluster import FairKCenter

    model = FairKCenter(k, random_state=seed)
    return _measured(
        model, n, d, groups, workers, partition,
        lambda: {"radius": model.radius_, "relaxed": model.relaxed_radius_},
    )  # fmt: skip


def in_memory(method: str, n: int, d: int, groups: int, k: int, partition: int, seed: int) -> dict[str, Any]:
    """The estimator on the first rows, without Dask."""
    import pandas as pd

    from faircluster import FairKCenter, FairKMeans

    frame = pd.concat([pd.read_parquet(file) for file in files(n, d, groups, partition)])[:n]
    X, group = frame.drop(columns="group").to_numpy(), frame["group"].to_numpy()
    begun = time.perf_counter()
    if method == "kmeans":
        means = FairKMeans(k, random_state=seed).fit(X, sensitive_features=group)
        found = {"cost": means.inertia_ / n, "violation": means.violation_}
    else:
        center = FairKCenter(k, random_state=seed).fit(X, sensitive_features=group)
        found = {"radius": center.radius_, "violation": center.violation_}
    return {**found, "wall": time.perf_counter() - begun}


def _measured(
    model: Any, n: int, d: int, groups: int, workers: int, partition: int, figures: Any
) -> dict[str, Any]:
    import dask.dataframe as dd

    from faircluster.dask.files import local_workers
    from faircluster.metrics import additive_violation

    names = files(n, d, groups, partition)
    out = tempfile.TemporaryDirectory(prefix="faircluster-labels-")
    with out as folder, local_workers(workers, WORKER_GIB << 30) as client:
        frame = dd.read_parquet(names)
        frame[["x0"]].head(10)  # the workers have started
        peak, traffic = _Peak(client), _loopback_bytes()
        phases: dict[str, list[float]] = {}
        with peak, _Recorded(phases):
            begun = time.perf_counter()
            model.fit(frame, sensitive_features="group")
            fitted = time.perf_counter() - begun
        traffic = _loopback_bytes() - traffic
        begun = time.perf_counter()
        frame.assign(cluster=model.labels_).to_parquet(folder, write_index=False)
        written = time.perf_counter() - begun
        back = dd.read_parquet(folder)
        checked = additive_violation(back["cluster"], back["group"], bounds=0.2)
        labels = back["cluster"].compute().to_numpy(dtype=np.int32)  # in the order of the table
    return {
        **figures(),
        "rows": len(labels),
        "quotas": model.quotas_.tolist(),
        "labels_sha256": hashlib.sha256(labels.tobytes()).hexdigest(),
        "violation": model.violation_,
        "violation_checked": checked,
        "gap": model.gap_,
        "wall": fitted,
        "write": written,
        "phases": {name: {"passes": len(times), "seconds": sum(times)} for name, times in phases.items()},
        "traffic_mib": traffic / (1 << 20),
        "worker_peak_mib": peak.workers,
        "driver_peak_mib": peak.driver,
        "partitions": len(names),
    }


class _Peak:
    """Largest memory of the workers and of this process, looked at four times a second."""

    def __init__(self, client: Any) -> None:
        self.pids = list(client.run(os.getpid).values())
        self.workers, self.driver = 0.0, 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.25):
            self.workers = max([self.workers, *map(_resident_mib, self.pids)])
            self.driver = max(self.driver, _resident_mib(os.getpid()))


def _resident_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def _loopback_bytes() -> int:
    """All that processes of this machine have sent each other; other traffic must be little."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[0])
    return 0


class _Recorded:
    """Seconds of every pass, by what it was for."""

    def __init__(self, phases: dict[str, list[float]]) -> None:
        self.phases = phases

    def __enter__(self) -> None:
        from faircluster.dask.partitions import PartitionedPoints

        self.ordinary = PartitionedPoints._compute

        def compute(points: Any, tasks: Any, what: str) -> Any:
            begun = time.perf_counter()
            found = self.ordinary(points, tasks, what)
            self.phases.setdefault(what, []).append(time.perf_counter() - begun)
            return found

        PartitionedPoints._compute = compute  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        from faircluster.dask.partitions import PartitionedPoints

        PartitionedPoints._compute = self.ordinary  # type: ignore[method-assign]


JOBS = {"kmeans": kmeans, "kcenter": kcenter, "in_memory": in_memory}


def plan(quick: bool) -> Iterator[Task]:
    if quick:
        small = {"d": 10, "groups": 4, "k": 5, "partition": 10_000, "seed": 0}
        yield Task("kmeans", {"n": 60_000, **small, "workers": 2})
        yield Task("kcenter", {"n": 60_000, **small, "workers": 2})
        yield Task("in_memory", {"method": "kmeans", "n": 60_000, **small})
        yield Task("in_memory", {"method": "kcenter", "n": 60_000, **small})
        return
    means = {"d": 10, "groups": 4, "k": 20, "seed": 0}
    centers = {"d": 8, "groups": 8, "k": 32, "seed": 0}
    for n in (20_000_000, 2_000_000):
        yield Task("kmeans", {"n": n, **means, "workers": 2, "partition": PARTITION})
    yield Task("in_memory", {"method": "kmeans", "n": 2_000_000, **means, "partition": PARTITION})
    for n in (20_000_000, 2_000_000):
        yield Task("kcenter", {"n": n, **centers, "workers": 2, "partition": PARTITION}, timeout=3600)
    yield Task("in_memory", {"method": "kcenter", "n": 2_000_000, **centers, "partition": PARTITION})
    for n in SIZES:  # the same number of partitions, so that only the rows grow
        yield Task("kmeans", {"n": n, **means, "workers": 2, "partition": n // 32})
    # the largest, where computing takes nearly all of the passes
    yield Task("kmeans", {"n": SIZES[-1], **means, "workers": 1, "partition": SIZES[-1] // 32})


if __name__ == "__main__":
    sys.exit(harness.main("scale", JOBS, plan))
