"""What a fitted model proves about its clustering, and what fairness cost it."""

from __future__ import annotations

import math
from typing import Any

from faircluster.report.social import social_claim

__all__ = ["certificate_section", "price_section"]


def certificate_section(model: Any, same_labels: bool) -> dict[str, Any] | None:
    """Lower bound, gap and status of a fitted fair clusterer; None if it offers none.

    Parameters
    ----------
    model : estimator or None
        Fitted.
    same_labels : bool
        Whether the labels audited are those of the fit.

    Returns
    -------
    dict or None
        ``method``, ``cost``, ``lower_bound``, ``gap``, ``status``, ``violation``, ``kind`` ("radius" or
        "cost"), ``applies`` and ``words``.

    Examples
    --------
    >>> from faircluster import FairKMeans
    >>> model = FairKMeans(2, random_state=0).fit([[0.0], [1.0], [5.0], [6.0]])
    >>> certificate_section(model, True)["gap"]
    0.0
    """
    bound, gap = _number(model, "lower_bound_"), _number(model, "gap_")
    if model is None or bound is None or gap is None:
        return None
    radius = hasattr(model, "radius_")
    cost = _number(model, _cost_name(model))
    exact = getattr(model, "violation_", 0.0) == 0
    kept = "keeps every bound exactly" if exact else f"breaks a bound by up to {model.violation_:.4g} points"
    if hasattr(model, "group_costs_"):
        what = social_claim(model)
    elif radius:
        what = (
            f"its radius is at most {gap:.2%} above the smallest that is not excluded for its centers; "
            f"no centers at all have a radius below {bound:.4g}, with bounds or without"
        )
    else:
        what = (
            f"no assignment to its centers within the bounds costs less than {bound:,.6g}, "
            f"so its cost is at most {max(gap, 0.0):.2%} above the least possible for them"
        )
    words = (
        f"{type(model).__name__} {kept}; {what}." if _bounded(model) else f"{type(model).__name__}: {what}."
    )
    if not same_labels:
        words += " This is proven for the labels of the fit, which are not the ones audited here."
    return {
        "method": type(model).__name__,
        "kind": "radius" if radius else "cost",
        "cost": cost,
        "lower_bound": bound,
        "gap": gap,
        "status": str(getattr(model, "status_", "")),
        "rounding": str(getattr(model, "rounding", "")),
        "violation": _number(model, "violation_"),
        "applies": same_labels,
        "words": words,
    }


def price_section(
    model: Any, same_labels: bool, cost: float | None, before: float | None
) -> dict[str, Any] | None:
    """Cost of the clustering over the cost without bounds; None if neither is known.

    Parameters
    ----------
    model : estimator or None
    same_labels : bool
    cost, before : float or None
        Total cost of the clustering audited, and of the one before.

    Returns
    -------
    dict or None
        ``price``, ``fair_cost``, ``unconstrained_cost`` and ``source``.

    Examples
    --------
    >>> price_section(None, False, 12.0, 10.0)["price"]
    1.2
    """
    price = _number(model, "price_of_fairness_")
    if same_labels and price is not None and _bounded(model):
        radius = hasattr(model, "radius_")
        fair = _number(model, _cost_name(model))
        return {
            "price": price,
            "fair_cost": fair,
            "unconstrained_cost": _number(
                model, "unconstrained_radius_" if radius else "unconstrained_cost_"
            ),
            "source": "against the best clustering without bounds that the model found",
        }
    if cost is None or before is None or before <= 0:
        return None
    return {
        "price": cost / before,
        "fair_cost": cost,
        "unconstrained_cost": before,
        "source": "against the clustering before, both measured from the means of their clusters",
    }


def _bounded(model: Any) -> bool:
    """Whether a model was fitted within bounds, as far as it says."""
    return getattr(model, "limits_", ()) is not None


def _number(model: Any, name: str) -> float | None:
    value = getattr(model, name, None)
    if value is None or isinstance(value, str):
        return None
    value = float(value)
    return value if math.isfinite(value) else None


def _cost_name(model: Any) -> str:
    """Fitted attribute that holds what a model makes small."""
    if hasattr(model, "group_costs_"):
        return "cost_"  # of the worst-off group; its inertia_ is that of everyone
    names = ("radius_", "inertia_", "cost_")
    return next((name for name in names if hasattr(model, name)), "cost_")
