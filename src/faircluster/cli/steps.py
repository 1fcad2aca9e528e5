"""What the commands do between reading and writing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faircluster.atomic import atomic_write
from faircluster.bounds import FairnessBounds, InfeasibleBoundsError
from faircluster.cli.console import Progress
from faircluster.estimators import FairKCenter, FairKMeans, FairKMedian
from faircluster.groups import Groups
from faircluster.persistence import Preparation, load_prepared
from faircluster.report import Audit, comparison_table
from faircluster.report.text import number
from faircluster.tables import Table, check_suffix

if TYPE_CHECKING:
    from rich.table import Table as TextTable

__all__ = [
    "OBJECTIVES",
    "check_bounds",
    "check_outputs",
    "choose_features",
    "fit_table",
    "fitted_figures",
    "load_for_tables",
    "read_features",
    "read_weights",
    "write_json",
]

Model = FairKMeans | FairKMedian | FairKCenter
OBJECTIVES: dict[str, type[Model]] = {
    "k-means": FairKMeans,
    "k-median": FairKMedian,
    "k-center": FairKCenter,
}


def check_outputs(table: Path | None, *others: Path | None) -> None:
    """Refuse before any work what could not be written after it.

    Raises
    ------
    ValueError
        The table's name has another ending, or two outputs are one file.
    FileNotFoundError
        The folder of an output does not exist.
    """
    if table is not None:
        check_suffix(table)
    paths = [path for path in (table, *others) if path is not None]
    for path in paths:
        if not path.resolve().parent.is_dir():
            raise FileNotFoundError(f"cannot write {path}: its folder does not exist")
    if len({path.resolve() for path in paths}) < len(paths):
        raise ValueError("two outputs have the same name; give each its own")


def choose_features(
    table: Table, named: Sequence[str], others: Iterable[str | None], progress: Progress
) -> list[str]:
    """Columns to cluster on: those named, else all that hold numbers and have no other role.

    Says on stderr which they are.

    Raises
    ------
    ValueError
        A column that does not exist, or no column with numbers.
    """
    if named:
        table.require(named)
        return list(dict.fromkeys(named))
    roles = set(others)
    numeric, nearly = table.numeric_columns(name for name in table.columns if name not in roles)
    if nearly:
        progress.note(
            f"not used, because some cells are no numbers or begin with 0 as codes do: {', '.join(nearly)} "
            "(name the columns to use with --features)"
        )
    if not numeric:
        raise ValueError(f"{table.path} has no column of numbers to cluster on")
    progress.note(f"clustering on {len(numeric)} columns: {', '.join(numeric)}")
    return numeric


def read_features(table: Table, names: Sequence[str]) -> NDArray[np.float64]:
    """Read columns as points, shape (n, d)."""
    return np.column_stack([table.numbers(name) for name in names])


def read_weights(table: Table, name: str | None) -> NDArray[np.float64] | None:
    """Column of weights, none of them negative."""
    if name is None:
        return None
    weights = table.numbers(name)
    negative = np.flatnonzero(weights < 0)
    if len(negative):
        row = int(negative[0])
        raise ValueError(
            f"column {name!r} of {table.path} must hold weights, but {table.place(row)} has {weights[row]:g}"
        )
    return weights


def check_bounds(bounds: FairnessBounds, groups: Groups, n_clusters: int) -> None:
    """Raise InfeasibleBoundsError also for bounds that contradict each other on these groups."""
    try:
        bounds.limits(groups, n_clusters)
    except InfeasibleBoundsError:
        raise
    except ValueError as error:
        raise InfeasibleBoundsError(str(error)) from error


def load_for_tables(path: Path) -> tuple[Model, Preparation]:
    """Load a model and how its columns are read.

    Raises
    ------
    ValueError
        No model; or one of precomputed distances, or without column names.
    """
    model, preparation = load_prepared(path)
    if getattr(model, "metric", "") == "precomputed":
        raise ValueError(f"{path} is a model of precomputed distances; use it from Python")
    if preparation is None:
        names = getattr(model, "feature_names_in_", None)
        if names is None:
            raise ValueError(f"{path} does not say which columns it was fitted on; fit it on a data frame")
        # what the model was fitted on came as it was
        preparation = Preparation.fitted(np.zeros((1, len(names))), list(names))
        del model.feature_names_in_  # columns are chosen by name here, and passed without
    return model, preparation


def fitted_figures(model: Model) -> dict[str, Any]:
    """Figures of a fitted model, for JSON."""
    figures = {
        **_costs(model),
        "lower_bound": model.lower_bound_,
        "gap": model.gap_,
        "violation": model.violation_,
        "price_of_fairness": model.price_of_fairness_,
    }
    plain = {name: float(value) if math.isfinite(value) else None for name, value in figures.items()}
    return {**plain, "status": model.status_, "n_iter": model.n_iter_}


def _costs(model: Model) -> dict[str, float]:
    """Return what the clustering costs, and what it would without bounds."""
    if isinstance(model, FairKCenter):
        return {
            "radius": model.radius_,
            "relaxed_radius": model.relaxed_radius_,
            "unconstrained_radius": model.unconstrained_radius_,
        }
    return {"cost": model.inertia_, "unconstrained_cost": model.unconstrained_cost_}


def fit_table(model: Model, seconds: float) -> TextTable:
    """Figures of a fitted model, for people."""
    words = {
        "cost": "cost",
        "unconstrained_cost": "cost without bounds",
        "radius": "radius",
        "relaxed_radius": "least radius for these centers, points divided",
        "unconstrained_radius": "radius without bounds",
    }
    rows = {words[name]: [number(value)] for name, value in _costs(model).items()}
    rows |= {
        "price of fairness": [f"{model.price_of_fairness_:.4f}"],
        "gap to the lower bound": [f"{model.gap_:.3%}"],
        "violation, points": [number(model.violation_)],
        "status": [model.status_],
        "seconds": [f"{seconds:.1f}"],
    }
    return comparison_table(rows, [""], f"{type(model).__name__}, {model.quotas_.shape[1]} clusters")


def write_json(path: Path | None, figures: dict[str, Any], audit: Audit) -> None:
    """Write figures and an audit as JSON, atomically, if a path is given."""
    if path is None:
        return
    text = json.dumps({**figures, "audit": audit.to_dict()}, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_write(path) as file:
        file.write(f"{text}\n".encode())
