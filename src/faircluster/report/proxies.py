"""How well clusters give protected attributes away, and which features tell groups apart inside clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from faircluster.metrics.contingency import Contingency
from faircluster.report.evidence import FEW, EffectiveSizes, simultaneous_z

__all__ = ["FeatureTable", "attribute_leak", "feature_table", "separating_features"]

Floats = NDArray[np.float64]

_ROWS = 1 << 20  # rows in one step: 8 MB a column
_CELLS = 1 << 22  # counts in one histogram: 32 MB
_SAMPLE = 1 << 17  # values that the borders of the histogram's bins are read from


def attribute_leak(
    table: Contingency, members: NDArray[np.intp], effective: EffectiveSizes
) -> dict[str, float | bool]:
    """How much the clusters say about one attribute; O(S k).

    Parameters
    ----------
    table : Contingency
    members : ndarray of int
        Positions of the attribute's groups.
    effective : EffectiveSizes

    Returns
    -------
    dict
        ``mutual_information`` in bits, less what chance alone makes (Miller & Madow 1955); ``explained``, its
        part of the attribute's entropy (Theil's U); ``cramers_v``, bias-corrected (Bergsma 2013);
        ``p_value`` of the G-test of independence; ``few``, when expected counts are too small for it;
        ``guess`` and ``blind_guess``, how often the most frequent value of a row's cluster, and of everyone,
        is right.

    Notes
    -----
    Rows that belong to several groups of the attribute, or to none, count with that combination as their
    value. Under weights the sample size is Kish's.

    Examples
    --------
    >>> from faircluster.metrics.contingency import contingency
    >>> from faircluster.report.evidence import effective_sizes
    >>> table = contingency([0] * 50 + [1] * 50, ["a"] * 50 + ["b"] * 50)
    >>> leak = attribute_leak(table, np.arange(2), effective_sizes(table))
    >>> leak["guess"], leak["blind_guess"], round(leak["explained"], 2)
    (1.0, 0.5, 0.99)
    """
    values, code = np.unique(table.groups.signature_membership[:, members], axis=0, return_inverse=True)
    joint = np.zeros((len(values), len(table.labels)))
    np.add.at(joint, code.ravel(), table.quotas)
    joint = joint[joint.sum(axis=1) > 0][:, table.occupied]
    share = joint / joint.sum()
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    expected = np.outer(rows, columns)
    bits = float((share * np.log2(np.where(share > 0, share / expected, 1.0))).sum())
    entropy = float(-(rows * np.log2(rows)).sum())
    n, freedom = effective.total, (len(rows) - 1) * (len(columns) - 1)
    corrected = float(max(0.0, bits - freedom / (2 * n * np.log(2))))
    return {
        "mutual_information": corrected,
        "explained": min(1.0, corrected / entropy) if entropy > 0 else 0.0,
        "cramers_v": _cramers_v(share, expected, n),
        "p_value": float(chi2.sf(2 * n * np.log(2) * bits, freedom)) if freedom else 1.0,
        "few": bool((expected * n < FEW).mean() > 0.2),
        "guess": float(share.max(axis=0).sum()),
        "blind_guess": float(rows.max()),
    }


def _cramers_v(share: Floats, expected: Floats, n: float) -> float:
    t, k = share.shape
    if t < 2 or k < 2 or n <= 1:
        return 0.0
    phi = float(((share - expected) ** 2 / expected).sum())
    phi = max(0.0, phi - (t - 1) * (k - 1) / (n - 1))
    t_fair, k_fair = t - (t - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)
    least = min(t_fair, k_fair) - 1
    return float(min(1.0, np.sqrt(phi / least))) if least > 0 else 0.0


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """What is counted of each feature in one pass: d features, S signatures, k clusters, B bins.

    Attributes
    ----------
    names : tuple of d str
    shift : ndarray of shape (d,), float64
        Subtracted before summing, so that sums of squares keep their digits.
    sums, squares : ndarray of shape (d, S, k), float64
        Weighted sums of the shifted values and of their squares.
    bins : list of d ndarrays of shape (S, k, B), float64
        Weighted counts by bin; every value has its own bin where few enough values occur.
    exact : ndarray of shape (d,), bool
        Whether they have.
    """

    names: tuple[str, ...]
    shift: Floats
    sums: Floats
    squares: Floats
    bins: list[Floats]
    exact: NDArray[np.bool_]

    def centers(self, sizes: Floats) -> Floats:
        """Mean of each cluster, shape (k, d); the overall mean for an empty one."""
        sums = self.sums.sum(axis=1)
        means = np.divide(sums, sizes, out=np.zeros_like(sums), where=sizes > 0)
        return np.asarray((means + self.shift[:, None]).T)


def feature_table(
    X: NDArray[Any],
    names: tuple[str, ...],
    table: Contingency,
    on_feature: Callable[[int], None] = lambda done: None,
) -> FeatureTable:
    """Sum and count every feature by signature, cluster and bin; O(n d log B).

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Finite numbers.
    names : tuple of d str
    table : Contingency
    on_feature : callable, optional
        Called with the number of features done.

    Returns
    -------
    FeatureTable

    Notes
    -----
    All rows are counted; at most 8 MB a step are held besides the result.

    Examples
    --------
    >>> from faircluster.metrics.contingency import contingency
    >>> found = feature_table(np.array([[1.0], [3.0]]), ("x",), contingency([0, 0], ["a", "b"]))
    >>> found.centers(np.array([2.0])).tolist(), found.bins[0].shape
    ([[2.0]], (2, 1, 2))
    """
    groups, k = table.groups, len(table.labels)
    shape = (groups.n_signatures, k)
    cells = shape[0] * k
    most = int(np.clip(_CELLS // cells, 64, 1024))
    place = groups.signature.astype(np.int64)
    place *= k
    place += table.cluster
    weights, d = groups.weights, X.shape[1]
    shift, sums, squares = np.zeros(d), np.zeros((d, *shape)), np.zeros((d, *shape))
    bins, exact = [], np.zeros(d, dtype=bool)
    for f in range(d):
        edges, exact[f] = _edges(X[:, f], most)
        shift[f] = edges[len(edges) // 2]
        counts = np.zeros(cells * len(edges))
        for start in range(0, len(X), _ROWS):
            rows = slice(start, start + _ROWS)
            column = X[rows, f].astype(np.float64)  # a copy, which is shifted below
            w = None if weights is None else weights[rows]
            code = place[rows] * len(edges) + np.minimum(np.searchsorted(edges, column), len(edges) - 1)
            counts += np.bincount(code, w, minlength=len(counts))
            column -= shift[f]
            weighted = column if w is None else column * w
            sums[f] += np.bincount(place[rows], weighted, minlength=cells).reshape(shape)
            squares[f] += np.bincount(place[rows], weighted * column, minlength=cells).reshape(shape)
        bins.append(counts.reshape(*shape, len(edges)))
        on_feature(f + 1)
    return FeatureTable(names, shift, sums, squares, bins, exact)


def _edges(column: NDArray[Any], most: int) -> tuple[Floats, bool]:
    """Upper ends of bins: the values themselves if few occur in the whole column, else quantiles."""
    step = max(1, len(column) // _SAMPLE)
    values = np.unique(column[::step]).astype(np.float64)
    if len(values) <= most and (step == 1 or _all_among(column, values)):
        return values, True
    ends = np.quantile(column[::step].astype(np.float64), np.linspace(0, 1, most + 1)[1:])
    return np.unique(ends), False


def _all_among(column: NDArray[Any], values: Floats) -> bool:
    for start in range(0, len(column), _ROWS):
        part = column[start : start + _ROWS].astype(np.float64)
        if not (values[np.minimum(np.searchsorted(values, part), len(values) - 1)] == part).all():
            return False
    return True


def separating_features(
    features: FeatureTable,
    table: Contingency,
    members: NDArray[np.intp],
    effective: EffectiveSizes,
    confidence: float,
) -> list[dict[str, Any]]:
    """For each feature the group of one attribute that it sets apart most inside clusters; O(d t S k B).

    Parameters
    ----------
    features : FeatureTable
    table : Contingency
    members : ndarray of int
        Positions of the attribute's groups.
    effective : EffectiveSizes
    confidence : float

    Returns
    -------
    list of dict
        Largest difference first: ``feature``, ``group``; ``difference``, group minus others inside clusters,
        and ``overall``, without regard to clusters, both in pooled standard deviations; ``auc``, the chance
        that a member of the group has a larger value than another row of its cluster (ties half);
        ``conclusive``, whether chance is ruled out for all features and groups together; ``few``;
        ``auc_exact``; ``worst_cluster``, the position of the cluster that differs most, or None.

    Notes
    -----
    Differences of clusters are averaged with weights a b / (a + b), a members and b others, which makes the
    average as sure as can be; the AUC with weights a b, the number of pairs (van Elteren 1960).

    Examples
    --------
    >>> from faircluster.metrics.contingency import contingency
    >>> from faircluster.report.evidence import effective_sizes
    >>> x = np.array([[0.0], [1.0], [2.0], [5.0], [6.0], [7.0]])
    >>> table = contingency([0] * 6, list("aaabbb"))
    >>> found = separating_features(
    ...     feature_table(x, ("x",), table), table, np.arange(2), effective_sizes(table), 0.95
    ... )
    >>> found[0]["group"], round(found[0]["difference"], 2), found[0]["auc"]
    ('a', -6.12, 0.0)
    """
    membership = table.groups.signature_membership[:, members]
    if membership.shape[1] == 2 and (membership.sum(axis=1) == 1).all():
        membership, members = membership[:, :1], members[:1]  # the other group is its mirror image
    scale = effective.total / table.groups.total if table.groups.total > 0 else 0.0
    z = simultaneous_z(confidence, len(features.names) * len(members))
    found = []
    for f, name in enumerate(features.names):
        rivals = [_difference(features, table, f, membership[:, t], scale, z) for t in range(len(members))]
        t = max(range(len(members)), key=lambda i: (not rivals[i]["few"], abs(rivals[i]["difference"])))
        inside = membership[:, t]
        auc = _auc(features.bins[f], inside)
        found.append({
            "feature": name,
            "group": table.groups.names[members[t]],
            **rivals[t],
            "auc": auc,
            "auc_exact": bool(features.exact[f]),
        })  # fmt: skip
    return sorted(found, key=lambda row: (row["few"], -abs(row["difference"])))


def _difference(
    features: FeatureTable, table: Contingency, f: int, inside: NDArray[np.bool_], scale: float, z: float
) -> dict[str, Any]:
    """Standardized mean difference of a group from the others, inside clusters and overall."""
    sides = [(table.quotas[side].sum(axis=0), features.sums[f][side].sum(axis=0),
              features.squares[f][side].sum(axis=0)) for side in (inside, ~inside)]  # fmt: skip
    (a, sum_a, _), (b, sum_b, _) = sides
    both = (a > 0) & (b > 0)
    weight = np.divide(a * b, a + b, out=np.zeros_like(a), where=both)
    gap = np.divide(sum_a, a, out=np.zeros_like(a), where=both) - np.divide(
        sum_b, b, out=np.zeros_like(b), where=both
    )
    spread = np.array([_spread(n, total, square) for n, total, square in sides])
    within = _root(float(spread.sum()), float(a.sum() + b.sum()))
    ends = [tuple(np.atleast_1d(part.sum()) for part in side) for side in sides]
    overall = _root(sum(float(_spread(*end).sum()) for end in ends), float(a.sum() + b.sum()))
    mass = float(weight.sum())
    difference = float(weight @ gap) / mass if mass > 0 else 0.0
    standard = difference / within if within > 0 else 0.0
    reach = float(z / np.sqrt(mass * scale)) if mass > 0 else np.inf
    # in each cluster by its own spread
    own = np.sqrt(np.divide(spread.sum(axis=0), a + b, out=np.zeros_like(a), where=both))
    local = np.divide(gap, own, out=np.zeros_like(a), where=own > 0)
    sure = both & (np.minimum(a, b) * scale >= FEW)
    worst = int(np.argmax(np.where(sure & (own > 0), np.abs(local), -1.0)))
    known = bool(sure[worst] and own[worst] > 0)
    return {
        "difference": standard,
        "overall": (_mean(ends[0]) - _mean(ends[1])) / overall if overall > 0 else 0.0,
        "interval": [standard - reach, standard + reach] if mass > 0 else None,
        "conclusive": bool(abs(standard) > reach and sure.any()),
        "few": not sure.any(),
        "worst_cluster": worst if known else None,
        "worst_difference": float(local[worst]) if known else None,
    }


def _mean(side: tuple[Floats, ...]) -> float:
    return float(side[1][0] / side[0][0]) if side[0][0] > 0 else 0.0


def _spread(n: Floats, total: Floats, square: Floats) -> Floats:
    """Sum of squared deviations from the mean, cluster by cluster."""
    left = square - np.divide(total**2, n, out=np.zeros_like(total), where=n > 0)
    return np.where(left > 1e-12 * square, left, 0.0)  # what is left of cancellation is no spread


def _root(squares: float, n: float) -> float:
    return float(np.sqrt(squares / n)) if n > 0 else 0.0


def _auc(bins: Floats, inside: NDArray[np.bool_]) -> float | None:
    """Chance that a member's value is the larger one in a pair from one cluster."""
    members, others = bins[inside].sum(axis=0), bins[~inside].sum(axis=0)
    below = np.cumsum(others, axis=1) - 0.5 * others
    pairs = members.sum(axis=1) * others.sum(axis=1)
    total = float(pairs.sum())
    return float((members * below).sum() / total) if total > 0 else None
