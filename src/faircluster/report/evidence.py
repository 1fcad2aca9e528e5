"""How sure the shares of an audit are: intervals, small counts, and rates by the four-fifths rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from faircluster.groups import Groups
from faircluster.metrics.contingency import Contingency

__all__ = ["FEW", "EffectiveSizes", "Evidence", "effective_sizes", "judge_shares", "simultaneous_z", "wilson"]

Floats = NDArray[np.float64]

FEW = 5.0  # expected members and others below which the normal approximation is not trusted (Cochran 1954)
FOUR_FIFTHS = 0.8


@dataclass(frozen=True, eq=False)
class EffectiveSizes:
    """Sample sizes that unequal weights leave (Kish 1965); without weights the numbers of rows.

    Attributes
    ----------
    clusters : ndarray of shape (k,), float64
    groups : ndarray of shape (g,), float64
    total : float
    """

    clusters: Floats
    groups: Floats
    total: float


def effective_sizes(table: Contingency) -> EffectiveSizes:
    """Kish's effective sample sizes, ``(sum w)^2 / sum w^2``, of clusters, groups and everyone; O(n).

    Parameters
    ----------
    table : Contingency

    Returns
    -------
    EffectiveSizes

    Examples
    --------
    >>> from faircluster.metrics.contingency import contingency
    >>> effective_sizes(contingency([0, 0, 1], ["a", "b", "a"], [1.0, 3.0, 1.0])).clusters
    array([1.6, 1. ])
    """
    groups = table.groups
    if groups.weights is None or groups.counted:
        return EffectiveSizes(table.sizes, groups.counts, groups.total)
    squares = groups.weights**2
    by_cluster = np.bincount(table.cluster, squares, minlength=len(table.labels)).astype(np.float64)
    by_signature = np.bincount(groups.signature, squares, minlength=groups.n_signatures).astype(np.float64)
    by_group = groups.signature_membership.T.astype(np.float64) @ by_signature
    return EffectiveSizes(
        _kish(table.sizes, by_cluster),
        _kish(groups.counts, by_group),
        float(_kish(np.array([groups.total]), np.array([squares.sum()]))[0]),
    )


def _kish(sums: Floats, squares: Floats) -> Floats:
    return np.asarray(np.divide(sums**2, squares, out=np.zeros_like(sums), where=squares > 0))


def simultaneous_z(confidence: float, comparisons: int) -> float:
    """Find the normal quantile at which all of several two-sided intervals hold together (Bonferroni).

    Examples
    --------
    >>> round(simultaneous_z(0.95, 1), 3), round(simultaneous_z(0.95, 100), 3)
    (1.96, 3.481)
    """
    return float(ndtri(1.0 - (1.0 - confidence) / (2.0 * max(1, comparisons))))


def wilson(share: Floats, size: Floats, z: float) -> tuple[Floats, Floats]:
    """Wilson score interval of shares seen in samples of the given sizes; 0 to 1 where there is none.

    Parameters
    ----------
    share : ndarray, float64
        NaN where nothing was seen.
    size : ndarray that broadcasts against `share`
    z : float
        Normal quantile.

    Returns
    -------
    lower, upper : ndarray, float64

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927. Recommended
    by Brown, Cai & DasGupta, "Interval estimation for a binomial proportion", Statistical Science 2001.

    Examples
    --------
    >>> [side.round(3).tolist() for side in wilson(np.array([0.4]), np.array([10.0]), 1.959964)]
    [[0.168], [0.687]]
    """
    share, size = np.broadcast_arrays(np.asarray(share, float), np.asarray(size, float))
    seen = np.isfinite(share) & (size > 0)
    p, n = np.where(seen, share, 0.5), np.where(seen, size, 1.0)
    spread = z * np.sqrt(np.maximum(p * (1 - p), 0.0) / n + (z / (2 * n)) ** 2)
    middle, scale = p + z**2 / (2 * n), 1 + z**2 / n
    lower = np.where(seen, np.clip((middle - spread) / scale, 0.0, p), 0.0)
    upper = np.where(seen, np.clip((middle + spread) / scale, p, 1.0), 1.0)
    return lower, upper


@dataclass(frozen=True, eq=False)
class Evidence:
    """What k clusters say about t groups, cell by cell; every array has shape (k, t).

    Attributes
    ----------
    shares : ndarray, float64
        NaN in an empty cluster.
    lower, upper : ndarray, float64
        Wilson interval of each share on its own.
    wide_lower, wide_upper : ndarray, float64
        Intervals that hold for all cells together (Bonferroni).
    few : ndarray, bool
        Fewer than 5 members or 5 others would be expected: no verdict is drawn.
    differs : ndarray, bool
        The wide interval leaves the share of everyone out, and the cell is not `few`.
    rates : ndarray, float64
        Part of each group that is in each cluster.
    impact_ratio : ndarray, float64
        Rate over the largest rate of any group in that cluster; NaN in an empty cluster.
    below_four_fifths : ndarray, bool
        The impact ratio is below 0.8.
    four_fifths_sure : ndarray, bool
        So is the upper end of its interval (log ratio, Katz; all cells together), and it is not `few`.
    """

    shares: Floats
    lower: Floats
    upper: Floats
    wide_lower: Floats
    wide_upper: Floats
    few: NDArray[np.bool_]
    differs: NDArray[np.bool_]
    rates: Floats
    impact_ratio: Floats
    below_four_fifths: NDArray[np.bool_]
    four_fifths_sure: NDArray[np.bool_]

    def verdicts(self, lower: Floats, upper: Floats, excess: Floats) -> NDArray[np.str_]:
        """Whether each cell's place inside or outside of limits is conclusive.

        Parameters
        ----------
        lower, upper : ndarray of shape (k, t)
            Share limits.
        excess : ndarray of shape (k, t)
            Points above (positive) or below (negative) the limits, else 0.

        Returns
        -------
        ndarray of shape (k, t), str
            "conclusive": the wide interval lies on the side where the share is. "not conclusive": it
            reaches across a limit. "too few": see `few`. "empty": nobody in the cluster.
        """
        above, below = excess > 0, excess < 0
        sure = np.where(
            above,
            self.wide_lower > upper,
            np.where(below, self.wide_upper < lower, (self.wide_lower >= lower) & (self.wide_upper <= upper)),
        )
        words = np.where(sure, "conclusive", "not conclusive")
        words = np.where(self.few, "too few", words)
        return np.asarray(np.where(np.isnan(self.shares), "empty", words))


def judge_shares(
    counts: Floats,
    sizes: Floats,
    groups: Groups,
    members: NDArray[np.intp],
    effective: EffectiveSizes,
    confidence: float,
) -> Evidence:
    """Intervals, small counts and rates of the groups of one attribute; O(k t).

    Parameters
    ----------
    counts : ndarray of shape (k, t), float64
        Weight of each of the t groups in each cluster.
    sizes : ndarray of shape (k,), float64
    groups : Groups
    members : ndarray of shape (t,), int
        Positions of the groups.
    effective : EffectiveSizes
    confidence : float
        In (0, 1).

    Returns
    -------
    Evidence

    Examples
    --------
    >>> from faircluster.metrics.contingency import contingency
    >>> table = contingency([0] * 50 + [1] * 50, ["a"] * 40 + ["b"] * 10 + ["a"] * 10 + ["b"] * 40)
    >>> judged = judge_shares(
    ...     table.counts.T, table.sizes, table.groups, np.arange(2), effective_sizes(table), 0.95
    ... )
    >>> judged.differs.all(), judged.impact_ratio[0].round(2).tolist()
    (np.True_, [1.0, 0.25])
    """
    shares = np.full(counts.shape, np.nan)
    np.divide(counts, sizes[:, None], out=shares, where=sizes[:, None] > 0)
    population, n = groups.shares[members], effective.clusters[:, None]
    wide = simultaneous_z(confidence, int((sizes > 0).sum()) * len(members))
    lower, upper = wilson(shares, n, simultaneous_z(confidence, 1))
    wide_lower, wide_upper = wilson(shares, n, wide)
    few = np.minimum(n * population, n * (1 - population)) < FEW
    differs = ~few & ((wide_lower > population) | (wide_upper < population))
    totals = groups.counts[members]
    rates = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    impact, sure = _impact(rates, effective.groups[members], wide)
    impact[sizes == 0] = np.nan
    below = impact < FOUR_FIFTHS
    return Evidence(
        shares, lower, upper, wide_lower, wide_upper, few, differs, rates, impact, below,
        below & sure & ~few,
    )  # fmt: skip


def _impact(rates: Floats, sizes: Floats, z: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Ratio of each rate to the largest in its cluster, and whether its interval lies below four fifths."""
    best = np.argmax(rates, axis=1)
    top = np.take_along_axis(rates, best[:, None], axis=1)
    ratio = np.divide(rates, top, out=np.ones_like(rates), where=top > 0)
    # half a member more on both sides, so that a rate of zero has a finite logarithm
    n, m = np.maximum(sizes, 1.0), np.maximum(sizes[best][:, None], 1.0)
    a, b = rates * n + 0.5, top * m + 0.5
    spread = np.sqrt(np.maximum(1 / a - 1 / (n + 0.5) + 1 / b - 1 / (m + 0.5), 0.0))
    high = np.log(a / (n + 0.5)) - np.log(b / (m + 0.5)) + z * spread
    return ratio, np.asarray(high < np.log(FOUR_FIFTHS))
