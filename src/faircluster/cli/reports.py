"""Reports that commands write: options, and what is done for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
from numpy.typing import NDArray

from faircluster.bounds import FairnessBounds
from faircluster.cli.console import Progress
from faircluster.cli.options import PATH
from faircluster.groups import Groups
from faircluster.persistence import Preparation
from faircluster.report import AuditResult, TradeoffCurve
from faircluster.report.summarize import audit as full_audit
from faircluster.tables import Table, write_table

__all__ = [
    "Formulas",
    "audit_fit",
    "audit_labels",
    "report_option",
    "require_report",
    "write_labels",
    "write_report",
]

Formulas = Literal["keep", "text"]


def report_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option of the commands that write a report."""
    return click.option(
        "--report", "report_file", type=PATH, help="Write a report for people to this HTML file."
    )(command)


def require_report(path: Path | None) -> None:
    """Refuse before any work what a report needs and is not there.

    Raises
    ------
    ImportError
        If jinja2 or matplotlib is missing.
    ValueError
        The name does not end in .html.
    """
    if path is None:
        return
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{path}: the name of a report must end in .html")
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        message = f'the report needs {error.name}: pip install "faircluster[data,report]"'
        raise ImportError(message, name=error.name) from error


def write_report(
    result: AuditResult, path: Path | None, progress: Progress, tradeoff: TradeoffCurve | None = None
) -> list[str]:
    """Write the report, if one is asked for, and return the line that says so."""
    if path is None:
        return []
    progress.phase(f"writing {path}")
    result.to_html(path, tradeoff=tradeoff)
    return [f"report written to {path}"]


def write_labels(table: Table, path: Path, formulas: Formulas, progress: Progress) -> None:
    """Write a table with its labels, and say which of its cells are no longer what they were."""
    changed = write_table(table, path, formulas=formulas)
    if changed:
        progress.note(
            f"{changed:,} cells that a spreadsheet would run as formulas begin with an apostrophe now "
            "(--formulas keep leaves them)"
        )


def audit_labels(
    table: Table,
    codes: NDArray[np.int64],
    names: Sequence[str],
    groups: Groups,
    bounds: FairnessBounds,
    *,
    before: str | None,
    features: Sequence[str],
    scale: Literal["minmax", "standard", "none"],
    title: str,
    progress: Progress,
) -> AuditResult:
    """Audit labels read from a table.

    Raises
    ------
    ValueError
        A column that does not exist or does not hold what it is asked for.
    """
    past = None
    if before is not None:
        old, old_names = table.labels(before)
        past = np.array(old_names, dtype=object)[old]
    X, columns = None, list(dict.fromkeys(features))
    if columns:
        X = np.column_stack([table.numbers(name) for name in columns])
        X = Preparation.fitted(X, columns, (), scale).apply(X)
    return full_audit(
        codes,
        groups,
        X,
        bounds,
        before=past,
        feature_names=columns if columns else None,
        cluster_names=names,
        title=title,
        source=Path(table.path).name,
        on_phase=progress.phase,
    )


def audit_fit(
    model: Any,
    X: NDArray[np.float64],
    groups: Groups,
    features: Sequence[str],
    source: Path,
    progress: Progress,
) -> AuditResult:
    """Audit a fitted model, beside the same method without bounds."""
    from sklearn.base import clone

    progress.phase("clustering without bounds, to compare")
    plain = clone(model).set_params(bounds=None, size_min=None, size_max=None)
    before = plain.fit(X, sample_weight=groups.weights).labels_
    return full_audit(
        model.labels_,
        groups,
        X,
        model.bounds_,
        model=model,
        before=before,
        feature_names=features,
        title=f"{type(model).__name__} of {source.name}",
        source=source.name,
        on_phase=progress.phase,
    )
