"""The notion of social fairness on the command line: options, fits and group costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from faircluster.bounds import FairnessBounds
from faircluster.estimators import SociallyFairKMeans, SociallyFairKMedian
from faircluster.report import comparison_table
from faircluster.report.social import group_cost_table
from faircluster.report.text import number

if TYPE_CHECKING:
    from rich.table import Table as TextTable

__all__ = [
    "SOCIAL_OBJECTIVES",
    "bounds_for",
    "notion_option",
    "paid_table",
    "social_fields",
    "social_tables",
]

SOCIAL_OBJECTIVES: dict[str, Any] = {"k-means": SociallyFairKMeans, "k-median": SociallyFairKMedian}
Social = SociallyFairKMeans | SociallyFairKMedian


def notion_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that chooses the notion of fairness."""
    return click.option(
        "--notion",
        type=click.Choice(["proportional", "social"]),
        default="proportional",
        show_default=True,
        help="Bound the shares of groups in clusters, or make the cost of the worst-off group small (then "
        "shares are bounded only if --bounds is given).",
    )(command)


def bounds_for(notion: str, bounds: FairnessBounds) -> FairnessBounds:
    """Return the bounds that apply: under the social notion none unless they were asked for."""
    source = click.get_current_context().get_parameter_source("bounds")
    if notion == "social" and source == click.core.ParameterSource.DEFAULT:
        return FairnessBounds.from_any(None)
    return bounds


def social_fields(model: Social) -> dict[str, Any]:
    """Figures of a fitted model, for JSON."""
    costs = dict(zip(model.groups_.names, model.group_costs_.tolist(), strict=True))
    weights = dict(zip(model.groups_.names, model.multipliers_.tolist(), strict=True))
    figures = {
        "cost": model.cost_,
        "lower_bound": model.lower_bound_,
        "gap": model.gap_,
        "violation": model.violation_,
        "unconstrained_cost": model.unconstrained_cost_,
        "price_of_fairness": model.price_of_fairness_,
        "inertia": model.inertia_,
    }
    plain = {name: float(value) if math.isfinite(value) else None for name, value in figures.items()}
    rest = {"method": model.method_, "status": model.status_, "n_iter": model.n_iter_}
    return {**plain, **rest, "group_costs": costs, "multipliers": weights}


def social_tables(model: Social, seconds: float) -> list[TextTable]:
    """Figures of a fitted model and its group costs, for people."""
    rows = {
        "worst-off group's mean cost": [number(model.cost_)],
        "gap to the lower bound": [f"{model.gap_:.3%}"],
        "cost of everyone": [number(model.inertia_)],
        "method": [model.method_],
        "status": [model.status_],
        "seconds": [f"{seconds:.1f}"],
    }
    if model.limits_ is not None:
        rows["worst-off group's cost without bounds"] = [number(model.unconstrained_cost_)]
        rows["price of the bounds"] = [f"{model.price_of_fairness_:.4f}"]
        rows["violation, points"] = [number(model.violation_)]
    title = f"{type(model).__name__}, {model.n_centers_} clusters"
    costs = group_cost_table(model.groups_.names, model.group_costs_.tolist(), model.multipliers_.tolist())
    return [comparison_table(rows, [""], title), costs]


def paid_table(figures: dict[str, Any]) -> list[TextTable]:
    """Return the group costs that an audit measured, as a table."""
    paid = figures["clustering"]["costs"]["groups"]
    return [group_cost_table([row["group"] for row in paid], [row["mean"] for row in paid])]
