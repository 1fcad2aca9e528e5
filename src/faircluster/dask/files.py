"""Large tables on disk, and the workers that read them."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["is_large", "local_workers", "open_frame", "start_workers", "write_frame"]

_GROWTH = {".csv": 2.0, ".parquet": 5.0}  # memory a table takes, about, for every byte on disk
_SHARE = 0.4  # of the free memory that a table may fill before it is left on disk
_WORKERS_SHARE = 0.8  # of the free memory that workers may use together
_PATIENCE = "10s"  # for a scheduler to answer


def table_files(path: str | os.PathLike[str]) -> list[Path]:
    """Files of a table: one file, the files of a folder, or those a pattern names.

    Raises
    ------
    FileNotFoundError
        There are none.
    ValueError
        Neither CSV nor Parquet, or both.
    """
    text = os.fspath(path)
    if os.path.isdir(text):
        found = [Path(text) / name for name in sorted(os.listdir(text))]
    else:
        found = [Path(text)] if os.path.exists(text) else [Path(name) for name in sorted(glob.glob(text))]
    found = [file for file in found if file.is_file() and not file.name.startswith((".", "_"))]
    if not found:
        raise FileNotFoundError(2, "no such file, and no files in such a folder", text)
    kinds = {file.suffix.lower() for file in found}
    if len(kinds) > 1 or not kinds <= set(_GROWTH):
        raise ValueError(f"{text}: files must all end in .csv, or all in .parquet; found {sorted(kinds)}")
    return found


def is_large(path: str | os.PathLike[str]) -> bool:
    """Tell whether a table is too large to be read into the free memory of this machine.

    Parameters
    ----------
    path : path
        File, folder or pattern.

    Returns
    -------
    bool
        True also for folders and patterns, which only Dask reads.
    """
    import psutil

    text = os.fspath(path)
    if not os.path.isdir(text) and not glob.has_magic(text) and Path(text).suffix.lower() not in _GROWTH:
        return False  # a table in memory says what is wrong with it
    if not os.path.exists(text) and not glob.has_magic(text):
        return False
    files = table_files(path)
    needed = sum(file.stat().st_size * _GROWTH[file.suffix.lower()] for file in files)
    several = len(files) > 1 or os.path.isdir(path)
    return several or needed > _SHARE * psutil.virtual_memory().available


def open_frame(path: str | os.PathLike[str]) -> Any:
    """Open a table without reading it.

    Parameters
    ----------
    path : path
        A Parquet or CSV file, a folder of such files, or a pattern like ``data/*.parquet``.

    Returns
    -------
    dask data frame
    """
    import dask.dataframe as dd

    files = [os.fspath(file) for file in table_files(path)]
    if files[0].lower().endswith(".csv"):
        return dd.read_csv(files)
    return dd.read_parquet(files)


def write_frame(frame: Any, path: str | os.PathLike[str]) -> None:
    """Write a frame to a folder of Parquet files, a file a partition, by the workers.

    Parameters
    ----------
    frame : dask data frame
    path : path
        Folder to write; one that is there is replaced once the new one is complete.

    Raises
    ------
    OSError
        The disk is full, or the folder cannot be written; what was there stays as it was.
    ValueError
        A file has that name, or a folder with something else in it.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and (not target.is_dir() or _foreign(target)):
        raise ValueError(f"{path} exists and is no folder of Parquet files; give another name")
    mark = secrets.token_hex(8)
    partial = target.with_name(f".{target.name[:100]}.{mark}.part")
    try:
        frame.to_parquet(os.fspath(partial), write_index=False)
        if target.exists():
            old = target.with_name(f".{target.name[:100]}.{mark}.old")
            os.rename(target, old)
            os.rename(partial, target)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.rename(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _foreign(folder: Path) -> bool:
    names = [entry.name for entry in folder.iterdir()]
    return any(not name.endswith(".parquet") and not name.startswith(("_", ".")) for name in names)


@contextmanager
def start_workers(address: str) -> Iterator[Any]:
    """Connect to a cluster, or start one on this machine for as long as the context lasts.

    Parameters
    ----------
    address : str
        Of a Dask scheduler, ``tcp://host:8786``; or "local": a process for every core, which together use
        most of the free memory and spill to disk what does not fit.

    Yields
    ------
    distributed.Client

    Raises
    ------
    OSError
        No scheduler answers there.
    """
    import psutil
    from distributed import Client

    if address != "local":
        with Client(address, timeout=_PATIENCE) as client:
            yield client
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = int(_WORKERS_SHARE * psutil.virtual_memory().available / cores)
    with local_workers(cores, limit) as client:
        yield client


@contextmanager
def local_workers(n_workers: int, memory_limit: int) -> Iterator[Any]:
    """Start processes of one thread on this machine, between which no partition travels.

    Work stealing is off: every partition costs the same, and a stolen task takes its partition along, so
    that traffic would grow with the rows.

    Parameters
    ----------
    n_workers : int
    memory_limit : int
        Bytes of each; partitions beyond it are spilled to disk.

    Yields
    ------
    distributed.Client
    """
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set({"distributed.scheduler.work-stealing": False}),
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, memory_limit=memory_limit, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
