"""One clustering as plain dicts: clusters, attributes cell by cell, and intersections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.bounds import FairnessBounds
from faircluster.metrics.contingency import Contingency
from faircluster.report.audit import AttributeAudit, Audit, audit_clustering
from faircluster.report.evidence import EffectiveSizes, Evidence, effective_sizes, judge_shares
from faircluster.report.intersections import intersections, with_groups
from faircluster.report.proxies import attribute_leak
from faircluster.report.text import short_name

__all__ = ["Counted", "clustering_section", "count_clusters"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Counted:
    """A clustering, counted once.

    Attributes
    ----------
    table : Contingency
    effective : EffectiveSizes
    audit : Audit
        Shares against the bounds.
    names : tuple of k str
        Of the clusters.
    """

    table: Contingency
    effective: EffectiveSizes
    audit: Audit
    names: tuple[str, ...]


def count_clusters(
    table: Contingency, names: Sequence[str], bounds: FairnessBounds, confidence: float
) -> Counted:
    """Count groups by cluster and hold them against bounds; O(n) for each attribute.

    Parameters
    ----------
    table : Contingency
    names : sequence of k str
    bounds : FairnessBounds
    confidence : float

    Returns
    -------
    Counted

    Examples
    --------
    >>> from faircluster.metrics.contingency import contingency
    >>> table = contingency([0, 1], ["a", "a"])
    >>> count_clusters(table, ["x", "y"], FairnessBounds.slack(0.2), 0.95).audit.violation
    0.0
    """
    audit = audit_clustering(
        table.cluster, table.groups, bounds, n_clusters=len(names), cluster_names=names, confidence=confidence
    )
    return Counted(table, effective_sizes(table), audit, tuple(names))


def clustering_section(counted: Counted, confidence: float) -> dict[str, Any]:
    """Clusters, attributes and intersections as plain dicts; O(S k).

    Parameters
    ----------
    counted : Counted
    confidence : float

    Returns
    -------
    dict
        ``clusters``, ``overall``, ``attributes`` and ``intersections``.

    Examples
    --------
    >>> from faircluster.metrics.contingency import contingency
    >>> counted = count_clusters(
    ...     contingency([0, 0, 1, 1], list("abab")), "xy", FairnessBounds.slack(0.2), 0.95
    ... )
    >>> section = clustering_section(counted, 0.95)
    >>> section["clusters"][0], section["overall"]["balance"]
    ({'label': 'x', 'size': 2.0, 'share': 0.5}, 1.0)
    """
    table, audit = counted.table, counted.audit
    total = float(table.sizes.sum())
    clusters = [
        {"label": name, "size": float(size), "share": float(size) / total}
        for name, size in zip(counted.names, table.sizes, strict=True)
    ]
    attributes = [
        _attribute(attribute, members, counted, confidence)
        for attribute, members in zip(audit.attributes, table.by_attribute(), strict=True)
    ]
    return {
        "n_clusters": len(clusters),
        "n_empty": int((table.sizes == 0).sum()),
        "clusters": clusters,
        "overall": {
            "violation": audit.violation,
            "balance": min(a["balance"] for a in attributes),
            "fairness_ratio": min(a["fairness_ratio"] for a in attributes),
        },
        "attributes": attributes,
        "intersections": [_intersection(both, counted, confidence) for both in intersections(table.groups)],
    }


def _attribute(
    attribute: AttributeAudit, members: NDArray[np.intp], counted: Counted, confidence: float
) -> dict[str, Any]:
    table, shares = counted.table, attribute.shares
    evidence = judge_shares(shares.counts, shares.sizes, table.groups, members, counted.effective, confidence)
    verdicts = evidence.verdicts(attribute.lower, attribute.upper, attribute.excess)
    cells = [
        [_cell(attribute, evidence, verdicts, j, t) for t in range(len(members))]
        for j in range(len(counted.names))
    ]
    worst = attribute.worst_cell
    flat = [cell for row in cells for cell in row if cell["state"] != "empty"]
    return {
        "attribute": attribute.attribute,
        "title": attribute.attribute or "groups",
        "groups": [
            {
                "name": name,
                "value": short_name(name, attribute.attribute),
                "count": float(table.groups.counts[members[t]]),
                "share": float(shares.population[t]),
            }
            for t, name in enumerate(shares.names)
        ],
        "balance": attribute.balance,
        "fairness_ratio": attribute.fairness_ratio,
        "violation": attribute.violation,
        "worst": None if worst is None else {**vars(worst), "words": str(worst)},
        "same_limits": bool(
            (attribute.lower == attribute.lower[0]).all() and (attribute.upper == attribute.upper[0]).all()
        ),
        "leak": attribute_leak(table, members, counted.effective),
        "counts": {
            "cells": len(flat),
            "outside": sum(c["state"] != "within" for c in flat),
            "outside_conclusive": sum(c["state"] != "within" and c["evidence"] == "conclusive" for c in flat),
            "undecided": sum(c["evidence"] != "conclusive" for c in flat),
            "few": sum(c["evidence"] == "too few" for c in flat),
            "differs": sum(c["differs"] for c in flat),
            "four_fifths": sum(c["four_fifths"] != "kept" for c in flat),
            "four_fifths_conclusive": sum(c["four_fifths"] == "broken" for c in flat),
        },
        "cells": cells,
    }


def _cell(
    attribute: AttributeAudit, evidence: Evidence, verdicts: NDArray[np.str_], j: int, t: int
) -> dict[str, Any]:
    if attribute.shares.sizes[j] == 0:
        return {"state": "empty", "evidence": "empty", "count": 0.0, "share": None}
    excess, share = float(attribute.excess[j, t]), float(evidence.shares[j, t])
    population = float(attribute.shares.population[t])
    fifths = "kept"
    if evidence.below_four_fifths[j, t]:
        fifths = "broken" if evidence.four_fifths_sure[j, t] else "not conclusive"
    return {
        "count": float(attribute.shares.counts[j, t]),
        "share": share,
        "lower": float(evidence.lower[j, t]),
        "upper": float(evidence.upper[j, t]),
        "least": float(attribute.lower[j, t]),
        "most": float(attribute.upper[j, t]),
        "state": "above" if excess > 0 else "below" if excess < 0 else "within",
        "excess": excess,
        "evidence": str(verdicts[j, t]),
        "differs": bool(evidence.differs[j, t]),
        "ratio": share / population if population > 0 else None,
        "rate": float(evidence.rates[j, t]),
        "impact_ratio": float(evidence.impact_ratio[j, t]),
        "four_fifths": fifths,
    }


def _intersection(both: Any, counted: Counted, confidence: float) -> dict[str, Any]:
    """Shares of combinations; they have no bounds of their own, so only differences are judged."""
    table = with_groups(counted.table, both)
    squares = effective_sizes(table)
    members = np.arange(both.n_groups)
    counts = table.counts.T
    evidence = judge_shares(counts, table.sizes, both, members, squares, confidence)
    rows = []
    for t, name in enumerate(both.names):
        share = float(both.shares[t])
        seen = np.flatnonzero(table.sizes > 0)
        ratios = evidence.shares[seen, t] / share
        distance = np.abs(np.log(np.maximum(ratios, 1e-12)))
        judged = ~evidence.few[seen, t]
        j = int(seen[np.argmax(np.where(judged, distance, -1.0))])
        rows.append({
            "group": name,
            "count": float(both.counts[t]),
            "share": share,
            "cells": len(seen),
            "few": int((~judged).sum()),
            "differs": int(evidence.differs[seen, t].sum()),
            "cluster": counted.names[j] if judged.any() else None,
            "cluster_share": float(evidence.shares[j, t]) if judged.any() else None,
            "lower": float(evidence.lower[j, t]) if judged.any() else None,
            "upper": float(evidence.upper[j, t]) if judged.any() else None,
            "ratio": float(evidence.shares[j, t] / share) if judged.any() else None,
            "conclusive": bool(evidence.differs[j, t]) if judged.any() else False,
        })  # fmt: skip
    rows.sort(key=lambda row: -abs(math.log(max(row["ratio"], 1e-12))) if row["ratio"] is not None else 1.0)
    return {"attribute": both.attributes[0], "combinations": rows}
