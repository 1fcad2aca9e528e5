"""Fairness bounds: how much of each cluster a group may, or must, be.

State the bounds once; :meth:`FairnessBounds.rows` turns them into linear rows over quotas for any data.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.bound_rows import (
    BoundRows,
    InfeasibleBoundsError,
    check_n_clusters,
    join_rows,
    size_limits,
    size_rows,
)
from faircluster.feasibility import require_feasible
from faircluster.group_rows import GroupRows, exact_rows, pair_rows, per_cluster_rows, share_rows
from faircluster.groups import Groups
from faircluster.share_limits import (
    NamedShares,
    check_collisions,
    implied_by_balance,
    named_shares,
    share_in_range,
    shares_by_name,
    target_shares,
)

__all__ = ["BoundRows", "FairnessBounds", "InfeasibleBoundsError", "check_feasible"]


@dataclass(frozen=True, repr=False)
class FairnessBounds:
    """What share of each cluster each group may have. Build it with one of the class methods.

    Bounds are values: they compare and hash by what they ask for. p is a group's share of the data, or the
    one given in `target`, a dict from group name to share (the groups it leaves out keep the data's). Numbers
    outside their range are a ValueError, anything but numbers a TypeError.

    Examples
    --------
    >>> from faircluster.bounds import FairnessBounds
    >>> from faircluster.groups import Groups
    >>> groups = Groups.from_features(["a", "b", "b", "b"])
    >>> lower, upper = FairnessBounds.slack(0.2).limits(groups, n_clusters=2)
    >>> lower[:, 0].round(3).tolist(), upper[:, 0].round(3).tolist()
    ([0.2, 0.6], [0.312, 0.938])
    """

    kind: str
    value: float | None = None
    lower: NamedShares = ()
    upper: NamedShares = ()
    target: NamedShares = ()
    parts: tuple[FairnessBounds, ...] = ()

    @classmethod
    def slack(cls, s: float = 0.2, *, target: Mapping[str, float] | None = None) -> FairnessBounds:
        """Share between ``(1 - s) p`` and ``p / (1 - s)``; 0 <= s < 1, and s = 0 asks for p itself.

        Examples
        --------
        >>> FairnessBounds.slack(0.2)
        FairnessBounds.slack(0.2)
        """
        return cls(
            "slack",
            share_in_range("s", s, high_open=True),
            target=named_shares("target", target, scalar=True),
        )

    @classmethod
    def interval(cls, eps: float, *, target: Mapping[str, float] | None = None) -> FairnessBounds:
        """Share within `eps` of p; 0 <= eps <= 1.

        Examples
        --------
        >>> FairnessBounds.interval(0.05, target={"sex=Female": 0.5})
        FairnessBounds.interval(0.05, target={'sex=Female': 0.5})
        """
        return cls("interval", share_in_range("eps", eps), target=named_shares("target", target, scalar=True))

    @classmethod
    def ratio(cls, r: float = 0.8, *, target: Mapping[str, float] | None = None) -> FairnessBounds:
        """Share between ``r p`` and ``p / r``; 0 < r <= 1. The four-fifths rule is r = 0.8.

        Examples
        --------
        >>> FairnessBounds.ratio()
        FairnessBounds.ratio(0.8)
        """
        return cls(
            "ratio", share_in_range("r", r, low_open=True), target=named_shares("target", target, scalar=True)
        )

    @classmethod
    def balance(cls, t: float) -> FairnessBounds:
        """At least `t` members of each group for each member of any other of its attribute; 0 <= t <= 1.

        Examples
        --------
        >>> FairnessBounds.balance(0.5)
        FairnessBounds.balance(0.5)
        """
        return cls("balance", share_in_range("t", t))

    @classmethod
    def max_share(cls, a: float) -> FairnessBounds:
        """No group more than `a` of a cluster; 0 < a <= 1.

        Examples
        --------
        >>> FairnessBounds.max_share(0.6)
        FairnessBounds.max_share(0.6)
        """
        return cls("max_share", share_in_range("a", a, low_open=True))

    @classmethod
    def exact(cls, *, target: Mapping[str, float] | None = None) -> FairnessBounds:
        """Each count less than one from proportional, ``abs(count - p * size) < 1``.

        With weights that are not whole numbers, less than the largest weight from proportional.

        Examples
        --------
        >>> FairnessBounds.exact()
        FairnessBounds.exact()
        """
        return cls("exact", target=named_shares("target", target, scalar=True))

    @classmethod
    def explicit(
        cls, lower: Mapping[str, Any] | None = None, upper: Mapping[str, Any] | None = None
    ) -> FairnessBounds:
        """Share limits by group name, one share or an array with one for each cluster; other groups are free.

        Examples
        --------
        >>> FairnessBounds.explicit(lower={"Female": 0.3}, upper={"Male": [0.6, 0.7]})
        FairnessBounds.explicit(lower={'Female': 0.3}, upper={'Male': [0.6, 0.7]})
        """
        return cls("explicit", lower=named_shares("lower", lower), upper=named_shares("upper", upper))

    @classmethod
    def per_cluster(cls, parts: Sequence[Any]) -> FairnessBounds:
        """Bounds of their own for each cluster: anything :meth:`from_any` takes, one for each.

        Examples
        --------
        >>> FairnessBounds.per_cluster([0.2, None])
        FairnessBounds.per_cluster([FairnessBounds.slack(0.2), FairnessBounds.explicit()])
        """
        if isinstance(parts, str) or not isinstance(parts, Sequence | np.ndarray) or not len(parts):
            raise TypeError(f"per_cluster needs a list with the bounds of each cluster, got {parts!r}")
        bounds = tuple(cls.from_any(part) for part in parts)
        for j, part in enumerate(bounds):
            if part.parts or any(isinstance(share, tuple) for _, share in part.lower + part.upper):
                raise ValueError(
                    f"per_cluster entry {j} has bounds per cluster itself; give it single shares: {part!r}"
                )
        return cls("per_cluster", parts=bounds)

    @classmethod
    def from_any(cls, bounds: Any) -> FairnessBounds:
        """Read the `bounds` parameter of an estimator.

        Parameters
        ----------
        bounds : FairnessBounds, float, "exact" or None
            A number s means ``slack(s)``; None means no bounds.

        Returns
        -------
        FairnessBounds

        Raises
        ------
        TypeError, ValueError
            Anything else.

        Examples
        --------
        >>> FairnessBounds.from_any(0.2)
        FairnessBounds.slack(0.2)
        """
        if isinstance(bounds, FairnessBounds):
            return bounds
        if bounds is None:
            return cls.explicit()
        if isinstance(bounds, numbers.Real) and not isinstance(bounds, bool | np.bool_):
            return cls.slack(float(bounds))
        accepted = "bounds must be a FairnessBounds, a number s (slack), 'exact' or None"
        if isinstance(bounds, str):
            if bounds == "exact":
                return cls.exact()
            raise ValueError(f"{accepted}, got {bounds!r}")
        raise TypeError(f"{accepted}, got {bounds!r} of type {type(bounds).__name__}")

    def __repr__(self) -> str:
        if self.parts:
            return f"FairnessBounds.per_cluster({list(self.parts)!r})"
        arguments = [] if self.value is None else [repr(self.value)]
        for argument in ("lower", "upper", "target"):
            shares = {n: list(v) if isinstance(v, tuple) else v for n, v in getattr(self, argument)}
            arguments += [f"{argument}={shares!r}"] if shares else []
        return f"FairnessBounds.{self.kind}({', '.join(arguments)})"

    def limits(self, groups: Groups, n_clusters: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Smallest and largest share of each group in each cluster.

        For ``balance`` they are those it implies where the groups of an attribute partition the data, else 0
        and 1; for ``exact`` both are p. O(g k + S g).

        Parameters
        ----------
        groups : Groups
            Names and shares of the groups.
        n_clusters : int
            Number of clusters k.

        Returns
        -------
        lower, upper : ndarray of shape (g, k), float64

        Raises
        ------
        ValueError
            A group that does not occur, limits that collide, or bounds for another number of clusters.

        Examples
        --------
        >>> from faircluster.groups import Groups
        >>> lower, upper = FairnessBounds.balance(0.5).limits(Groups.from_features(["a", "b"]), 1)
        >>> lower.ravel().round(3).tolist(), upper.ravel().round(3).tolist()
        ([0.333, 0.333], [0.667, 0.667])
        """
        k = check_n_clusters(n_clusters)
        if self.parts:
            pairs = [part._share_limits(groups, 1) for part in self._parts_for(k)]
            lower, upper = (np.hstack([pair[side] for pair in pairs]) for side in (0, 1))
        else:
            lower, upper = self._share_limits(groups, k)
        shape = (groups.n_groups, k)
        return np.broadcast_to(lower, shape).copy(), np.broadcast_to(upper, shape).copy()

    def rows(self, groups: Groups, n_clusters: int, size_min: Any = None, size_max: Any = None) -> BoundRows:
        """Linear rows over quotas: first the bounds on groups, then those on sizes.

        Rows that no quotas can break are left out. O(k r S) when clusters differ, else O(r S).

        Parameters
        ----------
        groups : Groups
            Signatures, names and shares of the groups.
        n_clusters : int
            Number of clusters k.
        size_min, size_max : None, float or array-like of shape (k,)
            Smallest and largest (weighted) size, for every cluster or for each.

        Returns
        -------
        BoundRows

        Raises
        ------
        ValueError
            A group that does not occur, limits that collide, or bounds for another number of clusters.
        InfeasibleBoundsError
            The sizes leave no room for the total.

        Examples
        --------
        >>> from faircluster.groups import Groups
        >>> groups = Groups.from_features(["a", "b", "b", "b"])
        >>> FairnessBounds.max_share(0.8).rows(groups, 2, size_max=3).descriptions
        ('a at most 0.800 of the cluster', 'b at most 0.800 of the cluster', 'size at most 3')
        """
        k = check_n_clusters(n_clusters)
        low, high = size_limits(size_min, size_max, k, groups.total)
        group_rows = self._group_rows(groups, k).bound_rows(groups.names, k)
        return join_rows(group_rows, size_rows(low, high, groups.total, groups.n_signatures))

    def _parts_for(self, n_clusters: int) -> tuple[FairnessBounds, ...]:
        if len(self.parts) != n_clusters:
            raise ValueError(
                f"bounds are given for {len(self.parts)} clusters but n_clusters is {n_clusters}"
            )
        return self.parts

    def _group_rows(self, groups: Groups, n_clusters: int) -> GroupRows:
        """Rows for the groups alone, for one cluster when all are alike, else for each."""
        if self.parts:
            parts = self._parts_for(n_clusters)
            if len(set(parts)) == 1:
                return parts[0]._group_rows(groups, 1)
            built = {part: part._group_rows(groups, 1) for part in set(parts)}
            return per_cluster_rows([built[part] for part in parts])
        has = groups.signature_membership.T.astype(np.float64)
        if self.kind == "balance":
            rows = pair_rows(self.value or 0.0, has, groups.attributes)
        else:
            lower, upper = self._share_limits(groups, n_clusters)
            exact = self.kind == "exact"
            rows = (
                exact_rows(lower[:, 0], self._tolerance(groups), has)
                if exact
                else share_rows(lower, upper, has)
            )
        return rows.binding()

    def _tolerance(self, groups: Groups) -> float:
        """Largest difference from proportional that is still less than one."""
        if groups.integer_weights and not self.target:
            # total * count - group's count * size is a whole number
            return 1.0 - 1.0 / max(groups.total, 1.0)
        weights = None if groups.integer_weights else groups.weights
        largest = 1.0 if weights is None else float(weights.max(initial=0.0))
        return largest * (1.0 - 1e-6)  # far enough below to tell from rounding

    def _share_limits(
        self, groups: Groups, n_clusters: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Limits of shape (g, 1) when all clusters are alike, else (g, k)."""
        p = target_shares(self.target, groups)[:, None]
        v = self.value or 0.0
        match self.kind:
            case "slack":
                lower, upper = (1 - v) * p, p / (1 - v)
            case "interval":
                lower, upper = p - v, p + v
            case "ratio":
                lower, upper = v * p, p / v
            case "max_share":
                lower, upper = np.zeros_like(p), np.full_like(p, v)
            case "exact":
                lower, upper = p, p
            case "balance":
                return implied_by_balance(v, groups)
            case _:
                lower, upper = np.broadcast_arrays(
                    shares_by_name("lower", self.lower, groups, n_clusters, 0.0),
                    shares_by_name("upper", self.upper, groups, n_clusters, 1.0),
                )
        lower, upper = np.clip(lower, 0.0, 1.0), np.clip(upper, 0.0, 1.0)
        check_collisions(lower, upper, groups)
        return lower, upper


def check_feasible(
    groups: Groups, bounds: FairnessBounds, n_clusters: int, size_min: Any = None, size_max: Any = None
) -> None:
    """Raise in words when no clustering can meet the bounds.

    Points count as divisible: bounds that fail only because points are whole are not found here. O(r S) when
    the clusters share their bounds on groups; else a linear program over S k quotas may be needed.

    Parameters
    ----------
    groups : Groups
        The protected groups of the data.
    bounds : FairnessBounds
        Bounds on shares.
    n_clusters : int
        Number of clusters k; clusters may stay empty.
    size_min, size_max : None, float or array-like of shape (k,)
        Smallest and largest (weighted) size, for every cluster or for each.

    Raises
    ------
    InfeasibleBoundsError
        Names the group or cluster, what is asked and what is possible.
    ValueError
        As :meth:`FairnessBounds.rows`.

    Examples
    --------
    >>> from faircluster.bounds import FairnessBounds, check_feasible
    >>> from faircluster.groups import Groups
    >>> check_feasible(Groups.from_features(["a", "b"]), FairnessBounds.slack(0.2), n_clusters=2)
    """
    k = check_n_clusters(n_clusters)
    low, high = size_limits(size_min, size_max, k, groups.total)
    group_rows = bounds._group_rows(groups, k)
    rows = join_rows(
        group_rows.bound_rows(groups.names, k), size_rows(low, high, groups.total, groups.n_signatures)
    )
    require_feasible(groups, group_rows, rows, low, high)
