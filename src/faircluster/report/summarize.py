"""Audit a clustering, whoever made it: everything an auditor asks, as one plain dict."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faircluster.atomic import atomic_write
from faircluster.bounds import FairnessBounds
from faircluster.groups import Groups
from faircluster.metrics.contingency import contingency
from faircluster.persistence import bounds_to_dict
from faircluster.report.audit import Audit
from faircluster.report.certificate import certificate_section, price_section
from faircluster.report.costs import cost_section, measure_for
from faircluster.report.inputs import read_labels, read_points, same_labels
from faircluster.report.picture_data import embedding, matched_order
from faircluster.report.proxies import FeatureTable, feature_table, separating_features
from faircluster.report.references import REFERENCES
from faircluster.report.sections import Counted, clustering_section, count_clusters
from faircluster.report.sentences import assumptions, bounds_in_words, findings, limits

__all__ = ["SCHEMA", "AuditResult", "audit"]

SCHEMA = "faircluster.audit/1"
Phase = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class AuditResult:
    """What an audit found.

    Attributes
    ----------
    figures : dict
        Plain dicts, lists, strings, numbers and None; see the documentation's page on auditing.
    shares : Audit
        Shares against the bounds, for tables in the terminal.
    """

    figures: dict[str, Any]
    shares: Audit

    def __str__(self) -> str:
        """Return the summary, a sentence a line."""
        return "\n".join(sentence["text"] for sentence in self.figures["summary"])

    @property
    def violation(self) -> float:
        """Points by which any bound is broken at most."""
        return self.shares.violation

    def to_dict(self) -> dict[str, Any]:
        """Return the figures.

        Examples
        --------
        >>> from faircluster import audit
        >>> audit([0, 0, 1, 1], list("abab")).to_dict()["clustering"]["overall"]["balance"]
        1.0
        """
        return self.figures

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the figures as JSON text, and write them to a file if one is named.

        Parameters
        ----------
        path : path, optional
            Written completely or not at all.

        Returns
        -------
        str

        Raises
        ------
        OSError
            The file cannot be written.

        Examples
        --------
        >>> import json
        >>> from faircluster import audit
        >>> json.loads(audit([0, 0, 1, 1], list("abab")).to_json())["schema"]
        'faircluster.audit/1'
        """
        text = json.dumps(self.figures, indent=1, ensure_ascii=False, allow_nan=False)
        if path is not None:
            with atomic_write(path) as file:
                file.write(f"{text}\n".encode())
        return text

    def to_html(self, path: str | os.PathLike[str] | None = None, *, tradeoff: Any = None) -> str:
        """Return the report, one HTML file that needs nothing else, and write it if a file is named.

        Parameters
        ----------
        path : path, optional
            Written completely or not at all.
        tradeoff : TradeoffCurve, optional
            Adds a section with the curve.

        Returns
        -------
        str

        Raises
        ------
        ImportError
            If jinja2 or matplotlib is missing.
        OSError
            The file cannot be written.

        Examples
        --------
        >>> from faircluster import audit
        >>> audit([0, 0, 1, 1], list("abab")).to_html().startswith("<!doctype html>")
        True
        """
        from faircluster.report.render import render_report

        text = render_report(self.figures, None if tradeoff is None else tradeoff.to_dict())
        if path is not None:
            with atomic_write(path) as file:
                file.write(text.encode())
        return text


def audit(
    labels: ArrayLike,
    sensitive_features: Any,
    X: Any = None,
    bounds: FairnessBounds | float | str | None = None,
    *,
    model: Any = None,
    before: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    feature_names: Sequence[str] | None = None,
    cluster_names: Sequence[str] | None = None,
    missing: Literal["error", "group"] = "error",
    confidence: float = 0.95,
    title: str = "Fairness audit",
    source: str = "",
    on_phase: Phase = lambda phase: None,
) -> AuditResult:
    """Audit any clustering: shares, costs, intersections, proxies, price and certificate.

    Parameters
    ----------
    labels : array-like of shape (n,), integers or strings, or a Dask array or series of integers
        Every distinct value is a cluster. With Dask, shares are audited, without `X` and `before`.
    sensitive_features : Groups or anything `Groups.from_features` accepts
        Protected attributes; of Dask labels, a Dask collection of the same partitions.
    X : array-like or data frame of shape (n, d), optional
        Features, scaled as they were for the clustering. Without them there are no costs and no features
        that separate groups.
    bounds : FairnessBounds, float or "exact", optional
        What shares are held against; by default those of `model`, else ``FairnessBounds.slack(0.2)``.
    model : estimator, optional
        Fitted clusterer: gives its certificate, price of fairness, bounds and centers.
    before : array-like of shape (n,), integers or strings, optional
        Another clustering of the same rows, for example the plain one, to compare with.
    sample_weight : array-like of shape (n,), optional
        Not with a `Groups`, which carries its own.
    feature_names : sequence of d str, optional
        By default the columns of `X`, else "feature 0" and so on.
    cluster_names : sequence of k str, optional
        In the order of the labels.
    missing : {"error", "group"}, default="error"
        What a missing protected value is.
    confidence : float, default=0.95
    title, source : str, optional
        Shown in the report: what this is, and where the rows come from.
    on_phase : callable, optional
        Called with what begins.

    Returns
    -------
    AuditResult

    Raises
    ------
    ValueError
        Lengths that differ, labels that are missing, X that is not finite, bounds that name no group, a
        confidence outside (0, 1).

    Notes
    -----
    O(n (d + attributes)) time. All rows are counted; only the picture of points is a sample, which it says.
    Intervals are Wilson's; verdicts hold for all cells of an attribute together (Bonferroni); small counts
    get none.

    References
    ----------
    Dickerson, Esmaeili, Morgenstern & Zhang, "Fair clustering: critique, caveats, and future directions",
    arXiv 2406.15960, 2024, on what such figures do not show.

    Examples
    --------
    >>> from faircluster import audit
    >>> found = audit(["x"] * 40 + ["y"] * 40, (["F"] * 30 + ["M"] * 10) + (["F"] * 10 + ["M"] * 30))
    >>> print(str(found).splitlines()[1])
    For groups, cluster x has 25.0% of M where at least 40.0% is allowed: 6 points too few.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1, got {confidence!r}; 0.95 is usual")
    on_phase("counting groups")
    notes: list[str] = []
    if hasattr(labels, "__dask_graph__"):
        if X is not None or before is not None:
            raise ValueError(
                "of Dask collections shares are audited, without X and before; for costs and pictures audit "
                "a sample as well, for example labels.sample(frac=0.01).compute()"
            )
        # by name: the package stands above this one, and only those who have Dask get here
        labels, sensitive_features = import_module("faircluster.dask.metrics").cells(
            labels, sensitive_features, sample_weight, missing=missing
        )
        sample_weight = None
    codes, names = read_labels(labels, cluster_names)
    groups = sensitive_features
    if not isinstance(groups, Groups):
        groups = Groups.from_features(groups, n_rows=len(codes), sample_weight=sample_weight, missing=missing)
    elif sample_weight is not None:
        raise ValueError("sample_weight cannot be given next to a Groups, which carries its own weights")
    rules = _rules(bounds, model, notes)
    counted = count_clusters(contingency(codes, groups, None, len(names)), names, rules, confidence)
    old = None
    if before is not None:
        old_codes, old_names = read_labels(before, None, "before")
        table = contingency(old_codes, groups, None, len(old_names))
        old = count_clusters(table, old_names, rules, confidence)
    points, columns = read_points(X, feature_names, len(codes))
    data = {
        "title": title,
        "source": source,
        "rows": int(groups.total) if groups.counted else groups.n_rows,
        "total_weight": groups.total,
        "weighted": groups.weights is not None and not groups.counted,
        "features": list(columns),
    }
    figures = _figures(counted, old, points, columns, model, confidence, notes, on_phase)
    figures = {
        "schema": SCHEMA,
        "data": data,
        "confidence": confidence,
        "bounds": {**bounds_to_dict(rules), "words": bounds_in_words(rules), "repr": repr(rules)},
        **figures,
    }
    figures["assumptions"] = assumptions(figures, notes)
    figures["summary"] = findings(figures)
    figures["limits"] = limits()
    figures["references"] = REFERENCES
    return AuditResult(figures, counted.audit)


def _rules(bounds: Any, model: Any, notes: list[str]) -> FairnessBounds:
    if bounds is not None:
        return FairnessBounds.from_any(bounds)
    own = getattr(model, "bounds_", None)
    if isinstance(own, FairnessBounds):
        notes.append(f"Bounds are those of the model: {own!r}.")
        return own
    notes.append("No bounds were given, so shares are held against FairnessBounds.slack(0.2).")
    return FairnessBounds.slack(0.2)


def _figures(
    counted: Counted,
    old: Counted | None,
    points: NDArray[Any] | None,
    columns: tuple[str, ...],
    model: Any,
    confidence: float,
    notes: list[str],
    on_phase: Phase,
) -> dict[str, Any]:
    """Everything that is measured."""
    new = {**clustering_section(counted, confidence), "costs": None}
    past = None if old is None else {**clustering_section(old, confidence), "costs": None}
    same = same_labels(model, counted.table.cluster)
    features: FeatureTable | None = None
    pictures: dict[str, Any] = {"embedding": None, "before_order": None}
    if points is not None:

        def phase(done: int) -> None:
            on_phase(f"comparing groups: {done} of {len(columns)} features")

        features = feature_table(points, columns, counted.table, phase)
        if not features.exact.all():
            notes.append("AUCs of features with many values are read from histograms of up to 1,024 bins.")
        on_phase("measuring costs")
        measure = measure_for(model, same, features.centers(counted.table.sizes))
        new["costs"] = cost_section(points, counted.table, measure, counted.effective, confidence)
        if past is not None and old is not None:
            measure = measure_for(None, False, _means(points, old))
            past["costs"] = cost_section(points, old.table, measure, old.effective, confidence)
        on_phase("choosing points to show")
        pictures["embedding"] = embedding(points, counted.table)
        notes.append(pictures["embedding"]["words"])
    if old is not None:
        pictures["before_order"] = matched_order(old.table, counted.table)
    comparable = past is not None and past["costs"] is not None and new["costs"]["power"] == 2
    return {
        "clustering": new,
        "before": past,
        "proxies": _proxies(counted, features, confidence),
        "price": price_section(
            model,
            same,
            new["costs"]["total"] if comparable else None,
            past["costs"]["total"] if comparable and past is not None else None,
        ),
        "certificate": certificate_section(model, same),
        "pictures": pictures,
    }


def _proxies(counted: Counted, features: FeatureTable | None, confidence: float) -> dict[str, Any]:
    rows = []
    for members, attribute in zip(counted.table.by_attribute(), counted.audit.attributes, strict=True):
        found: list[dict[str, Any]] = []
        if features is not None and len(members) > 1:
            found = separating_features(features, counted.table, members, counted.effective, confidence)
        for row in found:
            place = row.pop("worst_cluster")
            row["worst_cluster"] = None if place is None else counted.names[place]
        rows.append((attribute.attribute, members, found))
    from faircluster.report.proxies import attribute_leak

    return {
        "attributes": [
            {
                "attribute": name,
                "title": name or "groups",
                **attribute_leak(counted.table, members, counted.effective),
                "features": found,
            }
            for name, members, found in rows
        ]
    }


def _means(points: NDArray[Any], old: Counted) -> NDArray[np.float64]:
    """Mean of each cluster, (k, d)."""
    table, k = old.table, len(old.names)
    weights = table.groups.weights
    sizes = np.where(table.sizes > 0, table.sizes, 1.0)
    columns = []
    for f in range(points.shape[1]):
        column = np.asarray(points[:, f], dtype=np.float64)
        shift = float(column[0])
        moved = column - shift
        columns.append(
            np.bincount(table.cluster, moved if weights is None else moved * weights, minlength=k) / sizes
            + shift
        )
    return np.column_stack(columns)
