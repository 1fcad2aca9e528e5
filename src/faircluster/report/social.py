"""What each group pays, for people: sentences about a socially fair model, and a table of group costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from faircluster.report.text import comparison_table, number

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["group_cost_table", "social_claim"]

_DECIDES = 1e-6  # multipliers below it are left by the solver's tolerance


def social_claim(model: Any) -> str:
    """Return what a socially fair model proves about its cost, as a clause.

    Parameters
    ----------
    model : SociallyFairKMeans or SociallyFairKMedian
        Fitted.

    Returns
    -------
    str

    Examples
    --------
    >>> from faircluster import SociallyFairKMeans
    >>> model = SociallyFairKMeans(1, method="lloyd").fit([[0.0], [2.0]], sensitive_features=list("ab"))
    >>> social_claim(model).split(": ")[0]
    "the worst-off group's mean cost is 1, at most 0.00% above the bound 1"
    """
    above = f"at most {max(model.gap_, 0.0):.2%} above the bound {number(model.lower_bound_)}"
    if model.limits_ is not None:
        what = "no assignment to its centers within the bounds costs the worst-off group less"
    elif model.method_ == "lp":
        what = f"no {model.n_clusters} of the points are centers at which the worst-off group pays less"
    elif model.method_ == "lp+lloyd":
        what = f"no {model.n_clusters} centers anywhere cost the worst-off group less"
    else:
        what = "no centers at all cost the worst-off group less while clusters keep their members"
    return f"the worst-off group's mean cost is {number(model.cost_)}, {above}: {what}"


def group_cost_table(
    names: Sequence[str], costs: Sequence[float], multipliers: Sequence[float] | None = None
) -> Table:
    """Mean cost of each group, the worst first.

    Parameters
    ----------
    names : sequence of m str
    costs : sequence of m float
    multipliers : sequence of m float, optional
        Weights of the groups in the proof: those with a positive one decide the cost.

    Returns
    -------
    rich.table.Table

    Raises
    ------
    ImportError
        If rich is missing.

    Examples
    --------
    >>> group_cost_table(("sex=F", "sex=M"), (2.0, 1.5), (1.0, 0.0)).row_count
    2
    """
    worst = max(costs)
    rows = {}
    for s in sorted(range(len(names)), key=lambda s: -costs[s]):
        below = f"{costs[s] / worst - 1.0:+.1%}" if worst > 0 else "0.0%"
        weight = [] if multipliers is None else [f"{multipliers[s]:.3f}" if multipliers[s] > _DECIDES else ""]
        rows[names[s]] = [number(float(costs[s])), below, *weight]
    titles = ["mean cost", "to the worst", *([] if multipliers is None else ["weight in the proof"])]
    return comparison_table(rows, titles, "what each group pays")
