"""The socially fair clustering problem: clients, candidate facilities, groups and their weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.distances import CostSource, DenseCosts, DistanceCosts, as_cost_source
from faircluster.groups import Groups

__all__ = ["Merged", "SocialInstance", "group_weights"]

Array = NDArray[Any]
_DENSE_ENTRIES = 25_000_000  # costs of up to this many pairs are kept in memory
_BLOCK_ENTRIES = 4_000_000  # otherwise they are computed in blocks of about this many


def group_weights(groups: Groups) -> NDArray[np.float64]:
    """Weights with which the cost of a row counts for every group: rows sum to 1.

    Row s holds ``weight_i / (weight of group s)`` for the members of group s and 0 elsewhere, so
    that ``group_weights(groups) @ own`` is the mean cost of each group. Groups may overlap; a group
    without weight gets a row of zeros. O(n m).

    Parameters
    ----------
    groups : Groups

    Returns
    -------
    ndarray of shape (m, n), float64

    Examples
    --------
    >>> from faircluster.groups import Groups
    >>> group_weights(Groups.from_features(["b", "a", "b", "b"])).round(2).tolist()
    [[0.0, 1.0, 0.0, 0.0], [0.33, 0.0, 0.33, 0.33]]
    """
    share = np.zeros((groups.n_groups, groups.n_signatures))
    np.divide(
        groups.signature_membership.T,
        groups.counts[:, None],
        out=share,
        where=(groups.counts[:, None] > 0) & groups.signature_membership.T,
    )
    weights: NDArray[np.float64] = share[:, groups.signature]
    return weights if groups.weights is None else weights * groups.weights


class SocialInstance:
    """Clients to be served by k of the candidate facilities so that no group pays too much.

    The cost of centers C is ``max_s sum_i w_s(i) d(i, C)^p`` over groups s and clients i. Build it
    with :meth:`from_points` or :meth:`from_distances`.

    Parameters
    ----------
    source : CostSource
        Facilities in rows, clients in columns: squared distances when ``power`` is 2 and ``squared``
        holds, else distances.
    weights : array-like of shape (m, n)
        ``w_s(i)``, finite and non-negative; rows and columns of zeros are allowed, but not all of them.
    n_clusters : int
        k, from 1 to the number of facilities.
    power : float, default=2
        p >= 1: 1 for k-median, 2 for k-means costs.
    squared : bool, default=False
        Whether the source already holds squared distances.

    Attributes
    ----------
    weights : ndarray of shape (m, n), float64
    n_clients, n_facilities, n_groups, n_clusters : int
    power : float

    Raises
    ------
    ValueError
        Weights that are negative, not finite or all zero; a power below 1; k out of range.

    Notes
    -----
    Costs of up to 25 million pairs are kept; more are computed again, block by block, on each pass.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.social import SocialInstance
    >>> X = np.array([[0.0], [1.0], [5.0], [9.0]])
    >>> instance = SocialInstance.from_points(X, ["a", "a", "b", "b"], n_clusters=2, power=1)
    >>> instance.group_costs(np.array([0, 3])).tolist()
    [0.5, 2.0]
    """

    def __init__(
        self, source: CostSource, weights: Any, n_clusters: int, power: float = 2, *, squared: bool = False
    ) -> None:
        self.n_facilities, self.n_clients = source.shape
        self.weights = _check_weights(weights, self.n_clients)
        self.n_groups = len(self.weights)
        if not isinstance(power, int | float | np.number) or not (np.isfinite(power) and power >= 1):
            raise ValueError(f"power must be a number of at least 1, got {power!r}")
        if not isinstance(n_clusters, int | np.integer) or isinstance(n_clusters, bool) or n_clusters < 1:
            raise ValueError(f"n_clusters must be a whole number of at least 1, got {n_clusters!r}")
        if n_clusters > self.n_facilities:
            raise ValueError(
                f"n_clusters={n_clusters} but there are only {self.n_facilities} facilities to choose from; "
                "ask for fewer clusters or offer more facilities"
            )
        self.n_clusters, self.power = int(n_clusters), float(power)
        self._source, self._exponent = source, self.power / (2 if squared else 1)
        self._root = 0.5 if squared else 1.0
        self._kept: Array | None = None

    @classmethod
    def from_points(
        cls,
        X: Any,
        groups: Any,
        n_clusters: int,
        power: float = 2,
        *,
        facilities: Any = None,
    ) -> SocialInstance:
        """Euclidean distances between points.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Clients.
        groups : Groups, or anything ``Groups.from_features`` takes
            Protected groups (and sample weights): every group's cost is the mean of its members.
        n_clusters : int
        power : float, default=2
        facilities : array-like of shape (f, d), default=None
            Candidate centers; the clients themselves by default.

        Returns
        -------
        SocialInstance

        Raises
        ------
        ValueError
            NaN or infinity, shapes that do not fit, and what the class refuses.
        """
        clients = np.asarray(X, dtype=np.float64)
        offered = clients if facilities is None else np.asarray(facilities, dtype=np.float64)
        source = DistanceCosts(offered, clients, 2 if power == 2 else 1)
        known = _as_groups(groups, len(clients))
        return cls(source, group_weights(known), n_clusters, power, squared=power == 2)

    @classmethod
    def from_distances(cls, distances: Any, groups: Any, n_clusters: int, power: float = 2) -> SocialInstance:
        """Any metric, as a matrix.

        Parameters
        ----------
        distances : array-like of shape (n, f)
            Distances (not their powers) of clients to facilities. The proved factors assume the
            triangle inequality, lower bounds do not.
        groups, n_clusters, power
            As in :meth:`from_points`.

        Returns
        -------
        SocialInstance

        Raises
        ------
        ValueError
            Negative or infinite distances, shapes that do not fit, and what the class refuses.
        """
        source = as_cost_source(distances)
        matrix = np.asarray(source.block(0, source.shape[0]), dtype=np.float64)
        bad = ~(np.isfinite(matrix) & (matrix >= 0)).all(axis=1)
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(f"distances must be finite and non-negative, but row {row} is not")
        known = _as_groups(groups, len(matrix))
        return cls(DenseCosts(np.ascontiguousarray(matrix.T)), group_weights(known), n_clusters, power)

    def costs(self, facilities: Array) -> NDArray[np.float64]:
        """Costs d^p of all clients at some facilities, shape (len(facilities), n)."""
        if self._keeps():
            return np.asarray(self._all()[facilities])
        return self._powers(self._source.take(np.asarray(facilities)))

    def distances(self, facilities: Array) -> NDArray[np.float64]:
        """Distances of all clients to some facilities, shape (len(facilities), n)."""
        found = np.asarray(self._source.take(np.asarray(facilities)), dtype=np.float64)
        return np.sqrt(found) if self._root != 1 else found

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """All costs, a few facilities at a time: the first of them, and their costs (b, n)."""
        if self._keeps():
            yield 0, self._all()
            return
        step = max(1, _BLOCK_ENTRIES // self.n_clients)
        for start in range(0, self.n_facilities, step):
            yield start, self._powers(self._source.block(start, min(start + step, self.n_facilities)))

    def client_distances(self, rows: Array) -> NDArray[np.float64]:
        """Distances between some clients and all, shape (len(rows), n), or bounds on them from above.

        Without coordinates: the length of the way over the best facility, O(n f) a row.
        """
        if isinstance(self._source, DistanceCosts):
            clients = np.ascontiguousarray(self._source.columns.T)
            source = DistanceCosts(clients[rows], clients, 1)
            return np.asarray(source.block(0, len(rows)), dtype=np.float64)
        ways = np.full((len(rows), self.n_clients), np.inf)
        for j in range(self.n_facilities):
            there = np.asarray(self._source.block(j, j + 1))[0]
            np.minimum(ways, there[rows][:, None] + there, out=ways)
        ways[np.arange(len(rows)), rows] = 0.0
        return ways

    def nearest(self, centers: Array) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Position in ``centers`` of each client's nearest one, and its cost there; O(n len(centers))."""
        cost = self.costs(centers)
        labels = cost.argmin(axis=0)
        return labels.astype(np.int32), cost[labels, np.arange(self.n_clients)]

    def group_costs(self, centers: Array) -> NDArray[np.float64]:
        """Cost of every group at these centers, shape (m,)."""
        return np.asarray(self.weights @ self.nearest(centers)[1])

    def cost(self, centers: Array) -> float:
        """Cost of the worst-off group at these centers."""
        return float(self.group_costs(centers).max())

    def merged(self) -> Merged:
        """Make one client of those at the same place, and one facility; drop clients without weight.

        Costs do not change, and points come in an order that does not depend on that of the rows.
        O(n f log n).
        """
        counts = self.weights.any(axis=0)
        if isinstance(self._source, DistanceCosts):
            clients, facilities = np.ascontiguousarray(self._source.columns.T), self._source.X
        else:
            facilities = np.concatenate([self._source.block(0, self.n_facilities)])
            clients = np.ascontiguousarray(facilities.T)
        present = np.flatnonzero(counts)
        _, first, inverse = np.unique(clients[present], axis=0, return_index=True, return_inverse=True)
        weights = np.zeros((self.n_groups, len(first)))
        np.add.at(weights.T, inverse.reshape(-1), self.weights[:, present].T)
        _, rows = np.unique(facilities, axis=0, return_index=True)
        if len(rows) < self.n_clusters:  # as many as asked for, though some are the same
            more = np.setdiff1d(np.arange(self.n_facilities), rows)
            rows = np.concatenate([rows, more[: self.n_clusters - len(rows)]])
        source: CostSource
        if isinstance(self._source, DistanceCosts):
            source = DistanceCosts(facilities[rows], clients[present[first]], self._source.power)
        else:
            source = DenseCosts(np.ascontiguousarray(facilities[np.ix_(rows, present[first])]))
        part = SocialInstance(source, weights, self.n_clusters, self.power, squared=self._root != 1)
        return Merged(part, rows)

    def _keeps(self) -> bool:
        return self.n_clients * self.n_facilities <= _DENSE_ENTRIES

    def _all(self) -> NDArray[np.float64]:
        if self._kept is None:
            self._kept = self._powers(self._source.block(0, self.n_facilities))
        return self._kept

    def _powers(self, found: Array) -> NDArray[np.float64]:
        values = np.ascontiguousarray(found, dtype=np.float64)
        return values if self._exponent == 1 else np.power(values, self._exponent)


@dataclass(frozen=True, eq=False)
class Merged:
    """An instance without repetitions.

    Attributes
    ----------
    instance : SocialInstance
    facilities : ndarray of shape (f,), int
        Facility of the original instance each of its facilities is.
    """

    instance: SocialInstance
    facilities: NDArray[np.intp]


def _as_groups(groups: Any, n: int) -> Groups:
    known = groups if isinstance(groups, Groups) else Groups.from_features(groups, n_rows=n)
    if known.n_rows != n:
        raise ValueError(f"groups has {known.n_rows} rows but there are {n} clients; pass one per client")
    return known


def _check_weights(weights: Any, n: int) -> NDArray[np.float64]:
    array = np.ascontiguousarray(weights, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != n or len(array) == 0:
        raise ValueError(f"weights must have one row a group and {n} columns, got shape {array.shape}")
    bad = ~(np.isfinite(array) & (array >= 0)).all(axis=1)
    if bad.any():
        group = int(np.argmax(bad))
        raise ValueError(f"weights must be finite and non-negative, but those of group {group} are not")
    if not array.any():
        raise ValueError("weights are all zero; at least one client must count for one group")
    return array
