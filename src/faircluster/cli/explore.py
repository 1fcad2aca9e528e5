"""The commands for those who decide: the trade-off curve, and the local web page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import click

from faircluster.atomic import atomic_write
from faircluster.cli.commands import main
from faircluster.cli.console import Progress, require_extras, show
from faircluster.cli.options import (
    PATH,
    input_file,
    json_option,
    missing_option,
    sensitive_option,
    weights_option,
)
from faircluster.cli.reports import report_option, require_report, write_report
from faircluster.cli.steps import OBJECTIVES, check_outputs, choose_features, read_features, read_weights
from faircluster.groups import Groups
from faircluster.persistence import Preparation
from faircluster.report import TradeoffCurve, comparison_table, tradeoff_curve
from faircluster.report.summarize import audit as full_audit
from faircluster.report.text import number
from faircluster.report.tradeoff import COLUMNS, GRID
from faircluster.tables import Table, read_table, write_table

__all__ = ["app", "parse_grid", "tradeoff"]


def parse_grid(text: str) -> list[float]:
    """Read slacks separated by commas.

    Raises
    ------
    ValueError
        Anything but numbers from 0 to below 1.

    Examples
    --------
    >>> parse_grid("0.5, 0.2")
    [0.5, 0.2]
    """
    try:
        slacks = [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{text!r} is no list of slacks such as 0.5,0.2,0.1") from None
    wrong = [slack for slack in slacks if not 0 <= slack < 1]
    if wrong:
        raise ValueError(f"slacks must be at least 0 and below 1, got {wrong[0]:g}")
    return slacks


class GridType(click.ParamType):
    """Slacks as :func:`parse_grid` reads them."""

    name = "grid"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[float]:
        """Turn what cannot be read into a usage error."""
        if not isinstance(value, str):
            return list(value)
        try:
            return parse_grid(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@main.command()
@input_file
@sensitive_option
@click.option("--clusters", "-k", type=click.IntRange(min=1), required=True, help="Number of clusters.")
@click.option("--features", "-f", multiple=True, metavar="COLUMN", help="Numeric column to cluster on.")
@click.option(
    "--grid",
    type=GridType(),
    default=",".join(f"{slack:g}" for slack in GRID),
    show_default=True,
    help="Slacks to try, separated by commas.",
)
@click.option("--objective", type=click.Choice(list(OBJECTIVES)), default="k-means", show_default=True)
@weights_option
@click.option(
    "--scale", type=click.Choice(["minmax", "standard", "none"]), default="minmax", show_default=True,
    help="How features are made comparable.",
)  # fmt: skip
@missing_option
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--starts", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--output", "-o", type=PATH, help="Table of the curve to write (.csv or .parquet).")
@click.option("--plot", "plot_file", type=PATH, help="Picture of the curve to write (.svg, .png or .pdf).")
@report_option
@json_option
def tradeoff(
    file: Path,
    sensitive: tuple[str, ...],
    clusters: int,
    features: tuple[str, ...],
    grid: list[float],
    objective: str,
    weights: str | None,
    scale: Literal["minmax", "standard", "none"],
    missing: Literal["error", "group"],
    seed: int,
    starts: int,
    output: Path | None,
    plot_file: Path | None,
    report_file: Path | None,
    json_file: Path | None,
) -> None:
    """Show what tighter bounds cost: cluster FILE under several slacks and name the knee of the curve.

    The report is that of the clustering at the knee, or at the tightest slack if there is none.
    """
    require_extras()
    check_outputs(output, plot_file, report_file, json_file)
    require_report(report_file)
    _check_picture(plot_file)
    with Progress() as progress:
        progress.phase(f"reading {file}")
        table = read_table(file)
        protected = table.protected(sensitive, allow_missing=missing == "group")
        weight = read_weights(table, weights)
        groups = Groups.from_features(protected, sample_weight=weight, missing=missing)
        chosen = choose_features(table, features, {*sensitive, weights}, progress)
        raw = read_features(table, chosen)
        X = Preparation.fitted(raw, chosen, sensitive, scale).apply(raw)
        model = OBJECTIVES[objective](clusters, n_init=starts, missing=missing, random_state=seed)
        curve = tradeoff_curve(
            model,
            X,
            protected,
            grid,
            sample_weight=weight,
            on_point=lambda done, total, text: progress.phase(f"{text}, {done + 1} of {total}"),
        )
        done = _write(curve, file, output, plot_file, json_file)
        best = _chosen(curve)
        if report_file is not None and best is not None:
            result = full_audit(
                curve.labels[best],  # type: ignore[arg-type]
                groups,
                X,
                curve.rows[best]["slack"],
                feature_names=chosen,
                title=f"{curve.method} of {file.name} at slack {curve.rows[best]['slack']:g}",
                source=file.name,
                on_phase=progress.phase,
            )
            done += write_report(result, report_file, progress, curve)
    show(curve_table(curve), f"knee: {curve.reason}", *done)


def _check_picture(path: Path | None) -> None:
    if path is not None and path.suffix.lower() not in (".svg", ".png", ".pdf"):
        raise ValueError(f"{path}: the name of a picture must end in .svg, .png or .pdf")


def _chosen(curve: TradeoffCurve) -> int | None:
    """Position of the knee, else of the tightest bounds that can be met."""
    if curve.knee is not None:
        return curve.knee
    return max((i for i, row in enumerate(curve.rows) if row["cost"] is not None), default=None)


def _write(
    curve: TradeoffCurve, file: Path, output: Path | None, plot_file: Path | None, json_file: Path | None
) -> list[str]:
    done = []
    if output is not None:
        import pyarrow as pa

        columns = {name: [row[name] for row in curve.rows] for name in COLUMNS}
        write_table(Table(pa.table(columns), "the curve"), output, formulas="text")
        done.append(f"table written to {output}")
    if plot_file is not None:
        kind = plot_file.suffix.lower().removeprefix(".")
        figure = curve.plot().get_figure(root=True)
        with atomic_write(plot_file) as stream:
            figure.savefig(stream, format=kind, dpi=150)  # type: ignore[union-attr]
        done.append(f"picture written to {plot_file}")
    if json_file is not None:
        text = json.dumps({"input": str(file), **curve.to_dict()}, indent=2, ensure_ascii=False)
        with atomic_write(json_file) as stream:
            stream.write(f"{text}\n".encode())
        done.append(f"figures written to {json_file}")
    return done


def curve_table(curve: TradeoffCurve) -> Any:
    """Lay the curve out for the terminal."""
    rows = {}
    for i, row in enumerate(curve.rows):
        mark = " (knee)" if i == curve.knee else ""
        name = f"slack {row['slack']:g}{mark}" if row["slack"] is not None else f"{row['bounds']}{mark}"
        if row["cost"] is None:
            rows[name] = ["cannot be met", "", "", "", "", ""]
            continue
        rows[name] = [
            number(row["cost"]),
            "" if row["price"] is None else f"{row['price']:.4f}",
            "" if row["gap"] is None else f"{row['gap']:.3%}",
            number(row["violation"]),
            f"{row['balance']:.3f}",
            f"{row['seconds']:.1f}",
        ]
    titles = (curve.measure, "price", "gap", "violation", "balance", "seconds")
    return comparison_table(rows, titles, f"{curve.method}: what tighter bounds cost")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port; by default any free one.")
@click.option("--max-upload", type=click.IntRange(min=1), default=200, show_default=True, metavar="MB")
@click.option("--keep", type=PATH, help="Keep uploads and results in this folder; by default nothing stays.")
@click.option("--open/--no-open", "open_browser", default=True, help="Open the page in the browser.")
def app(host: str, port: int, max_upload: int, keep: Path | None, open_browser: bool) -> None:
    """Serve a page on this machine to cluster and audit files without programming.

    The address has a secret in it; only who has it can use the page. Ends with Ctrl-C.
    """
    require_extras()
    from faircluster.app import serve

    serve(
        host,
        port,
        max_upload_bytes=max_upload * 1_000_000,
        keep=keep,
        open_browser=open_browser,
        on_ready=lambda address: show(f"serving on {address} (Ctrl-C ends it)"),
    )
