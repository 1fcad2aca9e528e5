"""Rows over quotas for share bounds, pairs of groups and exact proportions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faircluster.bound_rows import BoundRows, number, span

__all__ = ["GroupRows", "RowKey", "describe", "exact_rows", "pair_rows", "per_cluster_rows", "share_rows"]


class RowKey(NamedTuple):
    """What a row bounds.

    Attributes
    ----------
    kind : str
        "lower" or "upper" (share of a group), "pair" (one group against another), "short" or "over" (count
        against proportional count).
    group : int
        Index of the group.
    other : int
        Index of the group it is compared with; -1 without one.
    """

    kind: str
    group: int
    other: int = -1


class GroupRows(NamedTuple):
    """Rows with their meaning, for one cluster (when all are alike) or for each.

    Attributes
    ----------
    keys : list of RowKey, length r
    values : ndarray of shape (1 or k, r), float64
        The number in the bound; NaN where a cluster lacks the row.
    coef : ndarray of shape (1 or k, r, S), float64
    rhs : ndarray of shape (1 or k, r), float64
    """

    keys: list[RowKey]
    values: NDArray[np.float64]
    coef: NDArray[np.float64]
    rhs: NDArray[np.float64]

    def binding(self) -> GroupRows:
        """Leave out the rows that no non-negative quotas can break."""
        keep = (self.coef > 1e-12).any(axis=(0, 2)) | (self.rhs < 0).any(axis=0)
        if keep.all():
            return self
        keys = [self.keys[r] for r in np.flatnonzero(keep)]
        return GroupRows(keys, self.values[:, keep], self.coef[:, keep], self.rhs[:, keep])

    def bound_rows(self, names: Sequence[str], n_clusters: int) -> BoundRows:
        """Rows for all clusters, as broadcast views when the clusters are alike, described in words."""
        descriptions = tuple(describe(key, self.values[:, r], names) for r, key in enumerate(self.keys))
        return BoundRows(
            np.broadcast_to(self.coef, (n_clusters, *self.coef.shape[1:])),
            np.broadcast_to(self.rhs, (n_clusters, len(self.keys))),
            descriptions,
        )


def describe(key: RowKey, values: NDArray[np.float64], names: Sequence[str]) -> str:
    """Put a row into words, with the number it has in the given clusters."""
    value = number(values[0]) if len(values) == 1 else span(values, number)
    name = names[key.group]
    match key.kind:
        case "lower":
            return f"{name} at least {value} of the cluster"
        case "upper":
            return f"{name} at most {value} of the cluster"
        case "pair":
            return f"{name} at least {value} times {names[key.other]}"
        case "short":
            return f"{name} less than one point below {value} of the cluster"
        case _:
            return f"{name} less than one point above {value} of the cluster"


def share_rows(lower: NDArray[np.float64], upper: NDArray[np.float64], has: NDArray[np.float64]) -> GroupRows:
    """Rows for ``lower * |C| <= count <= upper * |C|``; none for limits of 0 and 1.

    Parameters
    ----------
    lower, upper : ndarray of shape (g, 1 or k), float64
        Share limits.
    has : ndarray of shape (g, S), float64
        1 where a signature belongs to a group.

    Returns
    -------
    GroupRows

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.group_rows import share_rows
    >>> share_rows(np.array([[0.2]]), np.array([[1.0]]), np.array([[1.0, 0.0]])).coef.tolist()
    [[[-0.8, 0.2]]]
    """
    low, high = np.flatnonzero((lower > 0).any(axis=1)), np.flatnonzero((upper < 1).any(axis=1))
    keys = [RowKey("lower", int(i)) for i in low] + [RowKey("upper", int(i)) for i in high]
    values = np.concatenate([lower[low].T, upper[high].T], axis=1)
    member = has[np.concatenate([low, high])]
    sign = np.repeat([1.0, -1.0], [len(low), len(high)])[:, None]
    coef = sign * (values[:, :, None] - member)
    return GroupRows(keys, values, coef, np.zeros(values.shape))


def pair_rows(balance: float, has: NDArray[np.float64], attributes: Sequence[str]) -> GroupRows:
    """Rows for ``count_a >= balance * count_b``, for every ordered pair of groups of the same attribute.

    Parameters
    ----------
    balance : float
        Smallest ratio allowed.
    has : ndarray of shape (g, S), float64
        1 where a signature belongs to a group.
    attributes : sequence of str, length g
        Attribute of each group.

    Returns
    -------
    GroupRows

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.group_rows import pair_rows
    >>> pair_rows(0.5, np.eye(2), ["sex", "sex"]).coef.tolist()
    [[[-1.0, 0.5], [0.5, -1.0]]]
    """
    codes = np.unique(np.array(attributes, dtype=object), return_inverse=True)[1].reshape(-1)
    a, b = np.nonzero((codes[:, None] == codes) & ~np.eye(len(codes), dtype=bool))
    keys = [RowKey("pair", i, j) for i, j in zip(a.tolist(), b.tolist(), strict=True)]
    coef = (balance * has[b] - has[a])[None]
    return GroupRows(keys, np.full((1, len(keys)), balance), coef, np.zeros((1, len(keys))))


def exact_rows(shares: NDArray[np.float64], tolerance: float, has: NDArray[np.float64]) -> GroupRows:
    """Rows for ``abs(count - share * |C|) <= tolerance``.

    Parameters
    ----------
    shares : ndarray of shape (g,), float64
        Proportions to keep.
    tolerance : float
        Largest difference allowed, in (weighted) points.
    has : ndarray of shape (g, S), float64
        1 where a signature belongs to a group.

    Returns
    -------
    GroupRows

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.group_rows import exact_rows
    >>> exact_rows(np.array([0.5]), 0.9, np.array([[1.0, 0.0]])).coef.tolist()
    [[[-0.5, 0.5], [0.5, -0.5]]]
    """
    keys = [RowKey(kind, i) for kind in ("short", "over") for i in range(len(has))]
    short = shares[:, None] - has
    rhs = np.full((1, len(keys)), tolerance)
    return GroupRows(keys, np.tile(shares, 2)[None], np.concatenate([short, -short])[None], rhs)


def per_cluster_rows(parts: Sequence[GroupRows]) -> GroupRows:
    """Stack the rows of single clusters; a cluster that lacks a row gets zeros, which never bind.

    Parameters
    ----------
    parts : sequence of GroupRows, length k
        Rows of each cluster, for one cluster each.

    Returns
    -------
    GroupRows
        With as many rows as there are different keys.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.group_rows import per_cluster_rows, share_rows
    >>> one, none = np.ones((1, 1)), np.zeros((1, 1))
    >>> has = np.array([[1.0, 0.0]])
    >>> loose, tight = share_rows(none, one, has), share_rows(none, 0.5 * one, has)
    >>> per_cluster_rows([loose.binding(), tight.binding()]).coef.tolist()
    [[[0.0, 0.0]], [[0.5, -0.5]]]
    """
    place = {key: r for r, key in enumerate(dict.fromkeys(key for part in parts for key in part.keys))}
    k, r, n_signatures = len(parts), len(place), parts[0].coef.shape[2]
    stacked = GroupRows(
        list(place), np.full((k, r), np.nan), np.zeros((k, r, n_signatures)), np.zeros((k, r))
    )
    for j, part in enumerate(parts):
        to = [place[key] for key in part.keys]
        stacked.values[j, to] = part.values[0]
        stacked.coef[j, to] = part.coef[0]
        stacked.rhs[j, to] = part.rhs[0]
    return stacked
