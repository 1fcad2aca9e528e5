"""Fit of tables larger than memory, on the processes of this machine or on a cluster."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np

from faircluster.bounds import FairnessBounds
from faircluster.cli.console import Progress
from faircluster.cli.social import SOCIAL_OBJECTIVES, social_fields, social_tables
from faircluster.cli.steps import OBJECTIVES, check_bounds, fit_table, fitted_figures, write_json
from faircluster.persistence import Preparation, save_model
from faircluster.report import audit_clustering, audit_tables

__all__ = ["LargeFit", "cluster_option", "fit_large", "needs_workers"]

cluster_option = click.option(
    "--cluster",
    "address",
    metavar="ADDRESS",
    help="Work on a Dask cluster, tcp://host:port, or with local in a process for every core. By default "
    "what is larger than memory allows, a folder, or a pattern is worked on like that here.",
)


@dataclass(frozen=True)
class LargeFit:
    """What ``fit`` was asked for."""

    file: Path
    sensitive: tuple[str, ...]
    clusters: int
    features: tuple[str, ...]
    social: bool
    bounds: FairnessBounds
    objective: str
    scale: Literal["minmax", "standard", "none"]
    output: Path
    label_column: str
    overwrite_column: bool
    weights: str | None
    model_file: Path | None
    report_file: Path | None
    json_file: Path | None
    arguments: dict[str, Any]  # of the estimator


def needs_workers(file: Path, address: str | None, output: Path) -> bool:
    """Whether a table is not read into memory.

    Raises
    ------
    ImportError
        It should not, but Dask is not installed.
    ValueError
        The labels would not go to a folder of Parquet files.
    """
    try:
        from faircluster.dask.files import is_large

        large = address is not None or is_large(file)
    except ImportError as error:
        if address is None and not file.is_dir() and "*" not in file.name:
            return False
        message = f'--cluster needs {error.name}: pip install "faircluster[dask]"'
        raise ImportError(message, name=error.name) from error
    if large and output.suffix.lower() != ".parquet":
        raise ValueError(f"--output {output} must end in .parquet: large tables go to a folder of such files")
    return large


def fit_large(asked: LargeFit, address: str) -> list[Any]:
    """Cluster a table on workers; what to show.

    Parameters
    ----------
    asked : LargeFit
    address : str
        Of a Dask scheduler, or "local".

    Returns
    -------
    list
        Text and tables.

    Raises
    ------
    UsageError
        Weights or a report are asked for, which need a table in memory.
    """
    if asked.weights is not None or asked.report_file is not None:
        raise click.UsageError("--weights and --report need a table in memory; leave them out")
    with Progress() as progress:
        return _fitted(asked, address, progress)


def _fitted(asked: LargeFit, address: str, progress: Progress) -> list[Any]:
    from faircluster.dask.files import open_frame, start_workers, write_frame

    progress.phase("starting workers" if address == "local" else f"connecting to {address}")
    with start_workers(address):
        table = open_frame(asked.file)
        columns = [str(name) for name in table.columns]
        _check_columns(asked, columns)
        chosen = list(asked.features) or _numeric(table, {*asked.sensitive, asked.label_column})
        if not chosen:
            raise ValueError(f"{asked.file} has no column of numbers to cluster on")
        if not asked.features:
            progress.note(f"clustering on {len(chosen)} columns: {', '.join(chosen)}")
        progress.phase(f"measuring {len(chosen)} columns of {table.npartitions} partitions")
        preparation = measured(table, chosen, asked.sensitive, asked.scale)
        scaled = (table[chosen] - np.array(preparation.offset)) / np.array(preparation.spread)
        points = scaled.assign(**{name: table[name] for name in asked.sensitive})
        progress.phase("clustering")
        begun = time.perf_counter()
        model = (SOCIAL_OBJECTIVES if asked.social else OBJECTIVES)[asked.objective](
            asked.clusters, bounds=asked.bounds, **asked.arguments
        )
        model.fit(points, sensitive_features=list(asked.sensitive))
        seconds = time.perf_counter() - begun
        check_bounds(asked.bounds, model.groups_, asked.clusters)
        progress.phase(f"writing {asked.output}")
        write_frame(table.assign(**{asked.label_column: model.labels_}), asked.output)
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_  # columns are chosen by name here, and passed without
    if asked.model_file is not None:
        save_model(model, asked.model_file, preparation=preparation)
    signature, cluster = np.nonzero(model.quotas_)
    cells = model.groups_.cells(signature, model.quotas_[signature, cluster])
    audit = audit_clustering(cluster, cells, asked.bounds, n_clusters=asked.clusters)
    fitted = social_fields(model) if asked.social else fitted_figures(model)
    figures = {"objective": asked.objective, "notion": "social" if asked.social else "proportional"}
    names = {"features": chosen, "sensitive": list(asked.sensitive), "weights": None, "scale": asked.scale}
    head = {"input": str(asked.file), "output": str(asked.output)}
    write_json(asked.json_file, {**head, **names, **figures, **fitted, "seconds": seconds}, audit)
    shown = social_tables(model, seconds) if asked.social else [fit_table(model, seconds)]
    return [*shown, *audit_tables(audit), f"labels written to {asked.output}"]


def measured(
    table: Any, chosen: Sequence[str], sensitive: Sequence[str], scale: Literal["minmax", "standard", "none"]
) -> Preparation:
    """Scaling of the columns of a Dask data frame; one pass."""
    import dask

    part = table[list(chosen)]
    low, high, mean, std = dask.compute(part.min(), part.max(), part.mean(), part.std(ddof=0))
    # two rows with these least and largest values, or this mean and deviation
    rows = np.array([low, high]) if scale == "minmax" else np.array([mean - std, mean + std])
    return Preparation.fitted(rows.astype(np.float64), chosen, sensitive, scale)


def _check_columns(asked: LargeFit, columns: Sequence[str]) -> None:
    for name in (*asked.sensitive, *asked.features):
        if name not in columns:
            raise ValueError(f"{asked.file} has no column {name!r}; it has {', '.join(columns)}")
    if asked.label_column in columns and not asked.overwrite_column:
        raise ValueError(
            f"{asked.file} has a column {asked.label_column!r} already; name another with --label-column, or "
            "replace it with --overwrite-column"
        )


def _numeric(table: Any, others: set[str]) -> list[str]:
    return [str(name) for name, kind in table.dtypes.items() if kind.kind in "iuf" and name not in others]
