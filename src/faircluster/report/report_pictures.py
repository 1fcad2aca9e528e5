"""Pictures of the HTML report, drawn from its figures."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.metrics import GroupShares
from faircluster.report.charts import plot_embedding, plot_group_costs
from faircluster.report.plots import plot_group_shares
from faircluster.report.svg import inline_svg
from faircluster.report.tradeoff import draw_tradeoff

__all__ = ["report_pictures"]

Figures = dict[str, Any]

MOST_GROUPS = 8  # in pictures; tables have all
MOST_CLUSTERS = 40
MOST_MARKERS = 8


def report_pictures(
    figures: Figures,
    tradeoff: Figures | None = None,
    only: Collection[str] = ("shares", "points", "costs", "tradeoff"),
) -> dict[str, list[Figures]]:
    """Draw what the report shows.

    Parameters
    ----------
    figures : dict
        Of `AuditResult.to_dict`.
    tradeoff : dict, optional
        Of `TradeoffCurve.to_dict`.
    only : collection of str
        Which of the kinds to draw.

    Returns
    -------
    dict
        ``shares``, ``points``, ``costs`` and ``tradeoff``: lists of dicts with ``svg``, ``caption`` and
        ``attribute``.

    Raises
    ------
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> from faircluster import audit
    >>> len(report_pictures(audit([0, 0, 1, 1], list("abab")).to_dict())["shares"])
    1
    """
    attributes = range(len(figures["clustering"]["attributes"]))
    draw: dict[str, Callable[[], list[Figures]]] = {
        "shares": lambda: [_shares(figures, a) for a in attributes] if _few_clusters(figures) else [],
        "points": lambda: [_points(figures, a) for a in [a for a in attributes if _can_mark(figures, a)][:3]],
        "costs": lambda: [_costs(figures)] if figures["clustering"]["costs"] else [],
        "tradeoff": lambda: [_tradeoff(tradeoff)] if tradeoff and _drawable(tradeoff) else [],
    }
    return {kind: draw[kind]() for kind in only}


def _few_clusters(figures: Figures) -> bool:
    return bool(figures["clustering"]["n_clusters"] <= MOST_CLUSTERS)


def _shares(figures: Figures, a: int) -> Figures:
    now, before = figures["clustering"], figures["before"]
    attribute = now["attributes"][a]
    sizes = [group["count"] for group in attribute["groups"]]
    largest = sorted(range(len(sizes)), key=lambda t: -sizes[t])[:MOST_GROUPS]
    shown = sorted(largest)
    if len(sizes) == 2 and abs(sum(g["share"] for g in attribute["groups"]) - 1) < 1e-9:
        shown = shown[:1]  # the other one is its mirror image
    names = [attribute["groups"][t]["name"] for t in shown]
    table = _table(attribute, now["clusters"], None)
    old = None
    if before is not None:
        old = _table(before["attributes"][a], now["clusters"], figures["pictures"]["before_order"])
    limits = (_column(attribute, "least"), _column(attribute, "most"))
    first, labels = (table, ("share", "")) if old is None else (old, ("before", "after"))
    axes = plot_group_shares(
        first,
        None if old is None else table,
        limits=limits,
        groups=names,
        labels=labels,
        columns=min(2, len(names)),
    )
    more = "" if len(sizes) <= MOST_GROUPS else f" The {MOST_GROUPS} largest of {len(sizes)} groups."
    matched = " Clusters before are matched to those after that share most rows with them." if old else ""
    title = attribute["title"]
    return {
        "svg": inline_svg(axes[0].figure, f"shares{a}", f"Share of groups of {title} in each cluster"),
        "caption": f"Share of each group of {title} in every cluster against what is allowed.{more}{matched}",
        "attribute": title,
    }


def _column(attribute: Figures, what: str) -> NDArray[np.float64]:
    """Read one figure of all cells, (g, k); NaN for empty clusters."""
    cells = attribute["cells"]
    table = [[np.nan if c["state"] == "empty" else c[what] for c in row] for row in cells]
    return np.array(table, dtype=np.float64).T


def _table(attribute: Figures, clusters: list[Figures], order: list[int | None] | None) -> GroupShares:
    shares = _column(attribute, "share").T
    if order is not None:
        blank = np.full(shares.shape[1], np.nan)
        shares = np.array([blank if i is None else shares[i] for i in order])
    k, g = shares.shape
    empty = np.zeros((k, g))
    return GroupShares(
        labels=np.array([_clip(cluster["label"]) for cluster in clusters], dtype=object),
        names=tuple(group["name"] for group in attribute["groups"]),
        attributes=(attribute["attribute"],) * g,
        sizes=np.array([cluster["size"] for cluster in clusters]),
        counts=empty,
        shares=shares,
        lower=empty,
        upper=empty,
        population=np.array([group["share"] for group in attribute["groups"]]),
        confidence=0.95,
    )


def _clip(text: str, most: int = 10) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _can_mark(figures: Figures, a: int) -> bool:
    groups = figures["clustering"]["attributes"][a]["groups"]
    return figures["pictures"]["embedding"] is not None and len(groups) <= MOST_MARKERS


def _points(figures: Figures, a: int) -> Figures:
    found, attribute = figures["pictures"]["embedding"], figures["clustering"]["attributes"][a]
    first = sum(len(other["groups"]) for other in figures["clustering"]["attributes"][:a])
    values = [group["value"] for group in attribute["groups"]]
    names = []
    for belongs in found["signature_groups"]:
        own = [values[t - first] for t in belongs if first <= t < first + len(values)]
        names.append(" and ".join(own) or "none")
    axis = plot_embedding(
        np.column_stack([found["x"], found["y"]]),
        found["cluster"],
        names,
        cluster_names=[cluster["label"] for cluster in figures["clustering"]["clusters"]],
    )
    one, two = found["explained"]
    return {
        "svg": inline_svg(axis.figure, f"points{a}", f"Points by cluster and by {attribute['title']}"),
        "caption": f"{found['words']} The axes hold {one:.0%} and {two:.0%} of the variance; cluster by "
        "color and "
        f"name, {attribute['title']} by marker. What lies apart here is apart, not the other way round.",
        "attribute": attribute["title"],
    }


def _costs(figures: Figures) -> Figures:
    costs, before = figures["clustering"]["costs"], figures["before"]
    rows = sorted(costs["groups"], key=lambda row: -row["mean"])[:20]
    old = None
    if before is not None and before["costs"] is not None and before["costs"]["power"] == costs["power"]:
        means = {row["group"]: row["mean"] for row in before["costs"]["groups"]}
        old = [means[row["group"]] for row in rows]
    axis = plot_group_costs(
        [row["group"] for row in rows],
        [row["mean"] for row in rows],
        intervals=([row["lower"] for row in rows], [row["upper"] for row in rows]),
        before=old,
        everyone=costs["mean"],
        labels=("before", "mean" if old is None else "after"),
    )
    return {
        "svg": inline_svg(axis.figure, "costs", "Mean cost of each group"),
        "caption": f"Mean cost of each group ({costs['measure']}), with its interval.",
        "attribute": "",
    }


def _drawable(tradeoff: Figures) -> bool:
    found = [row for row in tradeoff["rows"] if row["cost"] is not None]
    return len(found) > 1 and all(row["slack"] is not None for row in tradeoff["rows"])


def _tradeoff(tradeoff: Figures) -> Figures:
    axis = draw_tradeoff(tradeoff)
    return {
        "svg": inline_svg(axis.figure, "tradeoff", f"{tradeoff['measure']} against slack"),
        "caption": f"{tradeoff['measure'].capitalize()} and balance against slack. Tighter bounds are to the "
        "left. "
        "For the centers found, no assignment within the bounds costs less than the lower edge of the band.",
        "attribute": "",
    }
