"""Audit a clustering, whoever made it: every group's share of every cluster against bounds and population."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faircluster.bounds import FairnessBounds
from faircluster.groups import Groups
from faircluster.metrics import GroupShares, additive_violation, balance, fairness_ratio, group_shares
from faircluster.metrics.contingency import encode_labels
from faircluster.persistence import bounds_to_dict
from faircluster.share_limits import NamedShares

__all__ = ["AttributeAudit", "Audit", "WorstCell", "audit_clustering"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WorstCell:
    """Group and cluster that break the bounds by most.

    Attributes
    ----------
    cluster : str
    group : str
    share, limit : float
        Share of the group in the cluster, and the limit it breaks.
    side : {"above", "below"}
    points : float
        By how many points it breaks the limit.
    """

    cluster: str
    group: str
    share: float
    limit: float
    side: str
    points: float

    def __str__(self) -> str:
        """Return a sentence."""
        asked = "at most" if self.side == "above" else "at least"
        surplus = "too many" if self.side == "above" else "too few"
        return (
            f"cluster {self.cluster} has {self.share:.1%} of {self.group} where {asked} {self.limit:.1%} "
            f"is allowed: {self.points:,.4g} points {surplus}"
        )


@dataclass(frozen=True, eq=False)
class AttributeAudit:
    """One protected attribute: t groups, k clusters.

    Attributes
    ----------
    attribute : str
    clusters : tuple of k str
        Names of the clusters.
    shares : GroupShares
        Sizes, counts, shares and their confidence intervals, (k, t) each.
    lower, upper : ndarray of shape (k, t), float64
        Share limits of the bounds.
    balance, fairness_ratio : float
    violation : float
        Points by which a bound is broken at most.
    tolerance : float
        Points by which a count may be off a limit without breaking it.
    """

    attribute: str
    clusters: tuple[str, ...]
    shares: GroupShares
    lower: Floats
    upper: Floats
    balance: float
    fairness_ratio: float
    violation: float
    tolerance: float

    @cached_property
    def excess(self) -> Floats:
        """Points above the upper limit (positive) or below the lower one (negative), else 0, (k, t)."""
        sizes, counts = self.shares.sizes[:, None], self.shares.counts
        above, below = counts - self.upper * sizes, self.lower * sizes - counts
        above[above <= self.tolerance] = 0.0
        below[below <= self.tolerance] = 0.0
        return np.asarray(np.where(below > above, -below, above))

    @property
    def differs(self) -> NDArray[np.bool_]:
        """Whether the confidence interval leaves the population's share out, (k, t)."""
        population = self.shares.population
        return np.asarray((population < self.shares.lower) | (population > self.shares.upper))

    @property
    def worst(self) -> tuple[int, int] | None:
        """Position (cluster, group) of the largest excess; None if there is none."""
        size = np.abs(self.excess)
        if not size.any():
            return None
        j, t = np.unravel_index(int(np.argmax(size)), size.shape)
        return int(j), int(t)

    @property
    def worst_cell(self) -> WorstCell | None:
        """The same, spelled out."""
        if self.worst is None:
            return None
        j, t = self.worst
        above = self.excess[j, t] > 0
        return WorstCell(
            cluster=self.clusters[j],
            group=self.shares.names[t],
            share=float(self.shares.shares[j, t]),
            limit=float((self.upper if above else self.lower)[j, t]),
            side="above" if above else "below",
            points=float(abs(self.excess[j, t])),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers for JSON."""
        table = self.shares.to_dict()
        for j, cluster in enumerate(table["clusters"]):
            cluster["label"] = self.clusters[j]
            for t, cell in enumerate(cluster["groups"].values()):
                cell["lower_limit"], cell["upper_limit"] = float(self.lower[j, t]), float(self.upper[j, t])
                cell["excess"] = float(self.excess[j, t])
                cell["differs_from_population"] = bool(self.differs[j, t])
        worst = self.worst_cell
        return {
            "attribute": self.attribute,
            "balance": self.balance,
            "fairness_ratio": self.fairness_ratio,
            "violation": self.violation,
            "worst": None if worst is None else vars(worst),
            "population": table["population"],
            "clusters": table["clusters"],
        }


@dataclass(frozen=True, eq=False)
class Audit:
    """Every protected attribute of a clustering.

    Attributes
    ----------
    attributes : tuple of AttributeAudit
    bounds : FairnessBounds
        What the shares are held against.
    confidence : float
    n_rows : int
    total : float
        Sum of the weights; the number of rows when there are none.
    """

    attributes: tuple[AttributeAudit, ...]
    bounds: FairnessBounds
    confidence: float
    n_rows: int
    total: float

    @property
    def violation(self) -> float:
        """Points by which any bound is broken at most."""
        return max(audit.violation for audit in self.attributes)

    @property
    def n_clusters(self) -> int:
        """Number of clusters k."""
        return len(self.attributes[0].clusters)

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers for JSON.

        Examples
        --------
        >>> audit_clustering([0, 0, 1, 1], list("abab"), 0.2).to_dict()["violation"]
        0.0
        """
        return {
            "rows": self.n_rows,
            "total_weight": self.total,
            "n_clusters": self.n_clusters,
            "bounds": bounds_to_dict(self.bounds),
            "confidence": self.confidence,
            "violation": self.violation,
            "attributes": [audit.to_dict() for audit in self.attributes],
        }


def audit_clustering(
    labels: ArrayLike,
    sensitive_features: Any,
    bounds: FairnessBounds | float | str = 0.2,
    *,
    sample_weight: ArrayLike | None = None,
    n_clusters: int | None = None,
    cluster_names: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Audit:
    """Hold the shares of every group in every cluster against bounds and against the population.

    Parameters
    ----------
    labels : array-like of shape (n,), integers
        Every distinct integer is a cluster.
    sensitive_features : Groups or anything `Groups.from_features` accepts
    bounds : FairnessBounds, float or "exact", default=0.2
        A float is a slack, as in the estimators.
    sample_weight : array-like of shape (n,), optional
        Only with columns; a `Groups` already carries its weights.
    n_clusters : int, optional
        Clusters are then 0 to ``n_clusters - 1``, with the empty ones.
    cluster_names : sequence of k str, optional
        Names in the order of the labels; the labels themselves by default.
    confidence : float, default=0.95
        Of each interval on its own; see `faircluster.metrics.group_shares`.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        As `faircluster.metrics.group_shares` and `FairnessBounds.limits`; or names that do not number k.

    Notes
    -----
    O(n) per attribute.

    Examples
    --------
    >>> from faircluster.report import audit_clustering
    >>> audit = audit_clustering([0, 0, 0, 1, 1, 1], list("aababb"), 0.2)
    >>> audit.violation > 0, str(audit.attributes[0].worst_cell)
    (True, 'cluster 0 has 33.3% of b where at least 40.0% is allowed: 0.2 points too few')
    """
    if isinstance(sensitive_features, Groups):
        groups = sensitive_features
    else:
        groups = Groups.from_features(sensitive_features, sample_weight=sample_weight)
    rules = FairnessBounds.from_any(bounds)
    _, values = encode_labels(labels, n_clusters)
    names = tuple(map(str, values.tolist() if cluster_names is None else cluster_names))
    if len(names) != len(values):
        raise ValueError(f"cluster_names has {len(names)} names but there are {len(values)} clusters")
    audits = [
        _audit_attribute(attribute, labels, groups, rules, names, n_clusters, confidence)
        for attribute in dict.fromkeys(groups.attributes)
    ]
    return Audit(tuple(audits), rules, confidence, groups.n_rows, groups.total)


def _audit_attribute(
    attribute: str,
    labels: ArrayLike,
    groups: Groups,
    rules: FairnessBounds,
    clusters: tuple[str, ...],
    n_clusters: int | None,
    confidence: float,
) -> AttributeAudit:
    members = [i for i, name in enumerate(groups.attributes) if name == attribute]
    part = replace(
        groups,
        signature_membership=groups.signature_membership[:, members],
        names=tuple(groups.names[i] for i in members),
        attributes=tuple(groups.attributes[i] for i in members),
    )
    part_rules = _rules_for(members, rules, groups)
    lower, upper = part_rules.limits(part, len(clusters))
    return AttributeAudit(
        attribute=attribute,
        clusters=clusters,
        shares=group_shares(labels, part, confidence, n_clusters=n_clusters),
        lower=lower.T,
        upper=upper.T,
        balance=balance(labels, part),
        fairness_ratio=fairness_ratio(labels, part),
        violation=additive_violation(labels, part, part_rules, n_clusters=n_clusters),
        tolerance=_tolerance(rules, groups),
    )


def _rules_for(members: list[int], rules: FairnessBounds, groups: Groups) -> FairnessBounds:
    """Return the bounds without the groups of other attributes."""

    def kept(shares: NamedShares) -> NamedShares:
        return tuple(pair for pair in shares if groups.position(pair[0]) in members)

    return replace(
        rules,
        lower=kept(rules.lower),
        upper=kept(rules.upper),
        target=kept(rules.target),
        parts=tuple(_rules_for(members, part, groups) for part in rules.parts),
    )


def _tolerance(rules: FairnessBounds, groups: Groups) -> float:
    """Points by which a count may be off a limit: exact proportions ask for less than one."""
    if rules.kind != "exact":
        return 1e-9 * max(1.0, groups.total)
    if groups.weights is None or groups.integer_weights:
        return 1.0 - 0.5 / max(groups.total, 1.0)
    return float(groups.weights.max()) * (1.0 - 1e-6)
