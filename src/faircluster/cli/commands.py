"""The commands."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np

from faircluster import __version__
from faircluster.bounds import FairnessBounds
from faircluster.cli.console import CommandGroup, Progress, require_extras, show
from faircluster.cli.options import (
    EXIT_CODES,
    PATH,
    bounds_option,
    input_file,
    json_option,
    missing_option,
    model_option,
    output_options,
    sensitive_option,
    weights_option,
)
from faircluster.cli.reports import (
    Formulas,
    audit_fit,
    audit_labels,
    report_option,
    require_report,
    write_labels,
    write_report,
)
from faircluster.cli.scale import LargeFit, cluster_option, fit_large, needs_workers
from faircluster.cli.social import (
    SOCIAL_OBJECTIVES,
    bounds_for,
    notion_option,
    paid_table,
    social_fields,
    social_tables,
)
from faircluster.cli.steps import (
    OBJECTIVES,
    check_bounds,
    check_outputs,
    choose_features,
    fit_table,
    fitted_figures,
    load_for_tables,
    read_features,
    read_weights,
    write_json,
)
from faircluster.demo import run_demo
from faircluster.groups import Groups
from faircluster.persistence import Preparation, save_model
from faircluster.report import audit_clustering, audit_tables, comparison_table, shares_table
from faircluster.report.text import MARKS, number
from faircluster.tables import read_table

__all__ = ["main"]


@click.group(cls=CommandGroup, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="faircluster")
def main() -> None:
    """Fair clustering with hard guarantees, on CSV and Parquet files.

    Labels go to the table that --output names, results to stdout, messages to stderr.
    """


@main.command()
@click.option("--output", type=PATH, default="demo-output", show_default=True, help="Folder to write to.")
@click.option("--rows", type=click.IntRange(min=100), hidden=True, help="Use this many rows only.")
@click.option("--deep", is_flag=True, help="Cluster images by a network instead (needs the extra deep).")
def demo(output: Path, rows: int | None, deep: bool) -> None:
    """Cluster the Adult census data plainly and fairly, side by side."""
    require_extras()
    if deep:
        _deep_demo(output, rows)
        return
    with Progress() as progress:
        done = run_demo(output, rows=rows, on_phase=progress.phase)
    titles = ("plain k-means", "FairKMeans")
    plain, fair = done.plain.audit, done.fair.audit
    show(
        comparison_table(
            done.figures(), titles, f"Adult: {fair.n_rows:,} people, {fair.n_clusters} clusters"
        ),
        *shares_table(plain, fair, titles),
        MARKS,
        "written: " + ", ".join(map(str, done.files)),
    )


def _deep_demo(output: Path, rows: int | None) -> None:
    from faircluster.deep.demo import run_deep_demo

    with Progress() as progress:
        done = run_deep_demo(output, rows=rows, on_phase=progress.phase)
    titles = ["fair k-means on pixels", "network", "network, fair labels"]
    show(
        comparison_table(done.figures, titles, f"digits and negatives, {done.seconds:.0f} s of training"),
        *done.remarks,
        "written: " + ", ".join(map(str, done.files)),
    )


@main.command()
@input_file
@sensitive_option
@click.option("--clusters", "-k", type=click.IntRange(min=1), required=True, help="Number of clusters.")
@click.option(
    "--features",
    "-f",
    multiple=True,
    metavar="COLUMN",
    help="Numeric column to cluster on; by default all that are neither protected nor weights.",
)
@notion_option
@bounds_option
@click.option(
    "--objective",
    type=click.Choice([*OBJECTIVES]),
    default="k-means",
    show_default=True,
    help="What is made small: squared distances to the centers, distances, or the largest distance.",
)
@click.option(
    "--rounding",
    type=click.Choice(["strict", "nearest"]),
    default="strict",
    show_default=True,
    help="Keep the bounds exactly, or up to a point at less cost.",
)
@click.option("--size-min", type=float, help="Least size of each cluster, in weight.")
@click.option("--size-max", type=float, help="Largest size of each cluster, in weight.")
@weights_option
@click.option(
    "--scale",
    type=click.Choice(["minmax", "standard", "none"]),
    default="minmax",
    show_default=True,
    help="How features are made comparable.",
)
@missing_option
@click.option("--intersect", is_flag=True, help="Make groups of the combinations of all protected columns.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--starts", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--time-limit", type=float, help="Seconds for each strict assignment.")
@cluster_option
@output_options
@click.option("--model", "model_file", type=PATH, help="Save the model to this file.")
@report_option
@json_option
def fit(
    file: Path,
    sensitive: tuple[str, ...],
    clusters: int,
    features: tuple[str, ...],
    notion: str,
    bounds: FairnessBounds,
    objective: str,
    rounding: str,
    size_min: float | None,
    size_max: float | None,
    weights: str | None,
    scale: Literal["minmax", "standard", "none"],
    missing: Literal["error", "group"],
    intersect: bool,
    seed: int,
    starts: int,
    time_limit: float | None,
    address: str | None,
    output: Path,
    label_column: str,
    overwrite_column: bool,
    formulas: Formulas,
    model_file: Path | None,
    report_file: Path | None,
    json_file: Path | None,
) -> None:
    """Cluster the rows of FILE within bounds on the shares of protected groups.

    Writes FILE with one more column, the cluster of each row, and shows the share of every group in every
    cluster. With --notion social the cost of the worst-off group is made small instead, or as well.
    """
    require_extras()
    bounds, social = bounds_for(notion, bounds), notion == "social"
    if social and objective not in SOCIAL_OBJECTIVES:
        raise click.BadParameter(
            f"--notion social goes with {' and '.join(SOCIAL_OBJECTIVES)}, not with {objective}: the largest "
            "distance is that of one point, of whatever group",
            param_hint="--objective",
        )
    check_outputs(output, model_file, report_file, json_file)
    require_report(report_file)
    arguments: dict[str, Any] = {
        "rounding": rounding, "size_min": size_min, "size_max": size_max, "n_init": starts,
        "time_limit": time_limit, "missing": missing, "intersect": intersect, "random_state": seed,
    }  # fmt: skip
    if needs_workers(file, address, output):
        asked = LargeFit(
            file, sensitive, clusters, features, social, bounds, objective, scale, output, label_column,
            overwrite_column, weights, model_file, report_file, json_file, arguments,
        )  # fmt: skip
        show(*fit_large(asked, address or "local"))
        return
    with Progress() as progress:
        progress.phase(f"reading {file}")
        table = read_table(file)
        table.check_free(label_column, overwrite=overwrite_column)
        protected = table.protected(sensitive, allow_missing=missing == "group")
        weight = read_weights(table, weights)
        groups = Groups.from_features(protected, sample_weight=weight, missing=missing, intersect=intersect)
        chosen = choose_features(table, features, {*sensitive, weights, label_column}, progress)
        raw = read_features(table, chosen)
        preparation = Preparation.fitted(raw, chosen, sensitive, scale)
        check_bounds(bounds, groups, clusters)
        progress.phase(f"clustering {len(raw):,} rows (the first run also compiles)")
        begun = time.perf_counter()
        model = (SOCIAL_OBJECTIVES if social else OBJECTIVES)[objective](clusters, bounds=bounds, **arguments)
        model.fit(preparation.apply(raw), sensitive_features=protected, sample_weight=weight)
        seconds = time.perf_counter() - begun
        progress.phase(f"writing {output}")
        audit = audit_clustering(model.labels_, groups, bounds, n_clusters=clusters)
        labelled = table.with_column(label_column, model.labels_, overwrite=overwrite_column)
        write_labels(labelled, output, formulas, progress)
        if model_file is not None:
            save_model(model, model_file, preparation=preparation)
        fitted = social_fields(model) if social else fitted_figures(model)
        figures = {"objective": objective, "notion": notion, **fitted, "seconds": seconds}
        names = {"features": chosen, "sensitive": list(sensitive), "weights": weights, "scale": scale}
        write_json(json_file, {"input": str(file), "output": str(output), **names, **figures}, audit)
        done = [f"labels written to {output}"]
        if report_file is not None:
            result = audit_fit(model, preparation.apply(raw), groups, chosen, file, progress)
            done += write_report(result, report_file, progress)
    shown = social_tables(model, seconds) if social else [fit_table(model, seconds)]
    show(*shown, *audit_tables(audit), *done)


@main.command()
@input_file
@model_option
@click.option(
    "--sensitive", "-s", multiple=True, metavar="COLUMN", help="Protected columns; by default as in fit."
)
@weights_option
@output_options
@json_option
def assign(
    file: Path,
    model_file: Path,
    sensitive: tuple[str, ...],
    weights: str | None,
    output: Path,
    label_column: str,
    overwrite_column: bool,
    formulas: Formulas,
    json_file: Path | None,
) -> None:
    """Assign the rows of FILE to the clusters of a model, within its bounds.

    Columns and scaling are those of the fit. Shares are held against those of FILE itself.
    """
    require_extras()
    check_outputs(output, json_file)
    with Progress() as progress:
        progress.phase(f"reading {file}")
        table = read_table(file)
        table.check_free(label_column, overwrite=overwrite_column)
        model, preparation = load_for_tables(model_file)
        columns = sensitive or preparation.sensitive
        if not columns:
            raise ValueError(f"{model_file} names no protected columns; name them with --sensitive")
        missing: Literal["error", "group"] = "group" if model.missing == "group" else "error"
        protected = table.protected(columns, allow_missing=missing == "group")
        weight = read_weights(table, weights)
        groups = Groups.from_features(
            protected, sample_weight=weight, missing=missing, intersect=model.intersect
        )
        X = preparation.apply(read_features(table, preparation.features))
        k = model.quotas_.shape[1]
        check_bounds(FairnessBounds.from_any(model.bounds), groups, k)
        progress.phase(f"assigning {len(X):,} rows")
        labels = model.assign(X, sensitive_features=protected, sample_weight=weight)
        progress.phase(f"writing {output}")
        audit = audit_clustering(labels, groups, model.bounds, n_clusters=k)
        labelled = table.with_column(label_column, labels, overwrite=overwrite_column)
        write_labels(labelled, output, formulas, progress)
        names = {"input": str(file), "model": str(model_file), "output": str(output)}
        write_json(json_file, {**names, "sensitive": list(columns)}, audit)
    show(*audit_tables(audit), f"labels written to {output}")


@main.command()
@input_file
@model_option
@output_options
def predict(
    file: Path,
    model_file: Path,
    output: Path,
    label_column: str,
    overwrite_column: bool,
    formulas: Formulas,
) -> None:
    """Give each row of FILE the nearest cluster of a model; no protected column is read.

    Rows are judged one by one, so no bounds are promised: see assign.
    """
    require_extras()
    check_outputs(output)
    with Progress() as progress:
        progress.phase(f"reading {file}")
        table = read_table(file)
        table.check_free(label_column, overwrite=overwrite_column)
        model, preparation = load_for_tables(model_file)
        X = preparation.apply(read_features(table, preparation.features))
        progress.phase(f"predicting {len(X):,} rows")
        labels = model.predict(X)
        labelled = table.with_column(label_column, labels, overwrite=overwrite_column)
        write_labels(labelled, output, formulas, progress)
    sizes = np.bincount(labels, minlength=model.quotas_.shape[1])
    rows = {str(j): [number(size)] for j, size in enumerate(sizes.tolist())}
    show(comparison_table(rows, [""], "rows by cluster"), f"labels written to {output}")


@main.command()
@input_file
@click.option("--labels", required=True, metavar="COLUMN", help="Column with the cluster of each row.")
@sensitive_option
@notion_option
@bounds_option
@click.option("--before", metavar="COLUMN", help="Column with other clusters of the same rows, to compare.")
@click.option(
    "--features", "-f", multiple=True, metavar="COLUMN",
    help="Numeric column the rows were clustered on; for costs, and features that separate groups.",
)  # fmt: skip
@click.option(
    "--scale", type=click.Choice(["minmax", "standard", "none"]), default="minmax", show_default=True,
    help="How features are made comparable.",
)  # fmt: skip
@weights_option
@missing_option
@report_option
@json_option
def audit(
    file: Path,
    labels: str,
    sensitive: tuple[str, ...],
    notion: str,
    bounds: FairnessBounds,
    before: str | None,
    features: tuple[str, ...],
    scale: Literal["minmax", "standard", "none"],
    weights: str | None,
    missing: Literal["error", "group"],
    report_file: Path | None,
    json_file: Path | None,
) -> None:
    """Show how the protected groups are spread over the clusters of FILE, whoever made them.

    Shares of each cluster with 95 % confidence intervals, held against everyone's and against bounds; with
    --report, a page that people can read; with --notion social, what each group pays on --features first.
    """
    require_extras()
    bounds = bounds_for(notion, bounds)
    if notion == "social" and not features:
        raise click.UsageError("--notion social needs --features, the columns that costs are measured on")
    check_outputs(None, report_file, json_file)
    require_report(report_file)
    with Progress() as progress:
        progress.phase(f"reading {file}")
        table = read_table(file)
        codes, names = table.labels(labels)
        protected = table.protected(sensitive, allow_missing=missing == "group")
        groups = Groups.from_features(protected, sample_weight=read_weights(table, weights), missing=missing)
        check_bounds(bounds, groups, len(names))
        result = audit_labels(
            table, codes, names, groups, bounds, before=before, features=features, scale=scale,
            title=f"Fairness audit of {labels}", progress=progress,
        )  # fmt: skip
        head = {"input": str(file), "labels": labels, "sensitive": list(sensitive)}
        write_json(json_file, {**head, "figures": result.figures}, result.shares)
        done = write_report(result, report_file, progress)
    verdict = (
        "every cluster keeps the bounds"
        if result.violation == 0
        else (f"the bounds are broken by up to {number(result.violation)} points")
    )
    paid = paid_table(result.figures) if notion == "social" else []
    show(*paid, *audit_tables(result.shares), f"{bounds!r}: {verdict}", *done)
