"""Repair of loads by shortest augmenting paths: from cheapest clusters to quotas met exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.augment import augment, label_margins
from faircluster.distances import CostSource, map_blocks

__all__ = ["REACH", "Repair", "margin_threshold"]

Array = NDArray[Any]
REACH = 4.0  # points looked at, at first, for every point that has to move
_WORTH_A_PASS = 20_000  # points from which a pass at new prices beats looking at most of them


class Repair:
    """Moves points between clusters until the loads are the quotas, keeping prices optimal.

    Parameters
    ----------
    source : CostSource of shape (n, k)
    signature : ndarray of shape (n,), int32
    weights : ndarray of shape (n,) or None
    quotas, prices : ndarrays of shape (S, k)
    labels, margin, own_cost : ndarrays of shape (n,)
        What ``assign_by_price`` says at ``prices``; changed in place.

    Examples
    --------
    >>> from faircluster.distances import DenseCosts
    >>> source = DenseCosts(np.array([[0.0, 5.0], [0.0, 1.0]]))
    >>> labels, margin, own = np.zeros(2, dtype=np.int32), np.array([5.0, 1.0]), np.zeros(2)
    >>> signature, prices, loads = np.zeros(2, dtype=np.int32), np.zeros((1, 2)), np.array([[2.0, 0.0]])
    >>> repair = Repair(source, signature, None, np.ones((1, 2)), labels, margin, prices, loads, own)
    >>> repair.run()
    >>> repair.labels.tolist(), repair.values().tolist()
    ([0, 1], [1.0])
    """

    def __init__(
        self,
        source: CostSource,
        signature: NDArray[np.int32],
        weights: Array | None,
        quotas: Array,
        labels: NDArray[np.int32],
        margin: Array,
        prices: Array,
        loads: Array,
        own_cost: Array,
    ) -> None:
        self.source, self.signature, self.weights, self.quotas = source, signature, weights, quotas
        self.labels, self.margin, self.prices, self.loads = labels, margin, prices, loads
        self.own_cost = own_cost
        # pieces of split points, by row: [(cluster, weight), ...] of the whole point
        self.pieces: dict[int, list[tuple[int, float]]] = {}
        self.slack = 0.0 if weights is None else 1e-9 * float(weights.sum())

    def run(self) -> None:
        """Meet all quotas."""
        self._check_quotas()
        for s, rows in self._unsettled():
            self._settle(s, rows)
        if self.weights is not None:
            self._place_weightless(np.flatnonzero(self.weights <= self.slack * 1e-3))

    def _check_quotas(self) -> None:
        """Refuse quotas that no transport can meet, which the search for paths would chase for ever."""
        held, asked = self.loads.sum(axis=1), self.quotas.sum(axis=1)
        wrong = ~(np.abs(held - asked) <= self.slack) | (self.quotas < -self.slack).any(axis=1)
        if self.weights is None:
            wrong |= (self.quotas != np.floor(self.quotas)).any(axis=1)
        if wrong.any():
            s = int(np.argmax(wrong))
            raise ValueError(
                f"quotas of signature {s} are {self.quotas[s].tolist()}, in sum {asked[s]:g}; they must be "
                f"non-negative, whole without weights, and sum to its weight, {held[s]:g}"
            )

    def _place_weightless(self, rows: Array) -> None:
        """Points that no quota notices go where the prices at the end send them."""
        cost = self.source.take(rows)
        own = (cost + self.prices[self.signature[rows]]).argmin(axis=1)
        self.labels[rows], self.own_cost[rows] = own, cost[np.arange(len(rows)), own]

    def _unsettled(self) -> list[tuple[int, Array | None]]:
        """Signatures whose loads are off, with their rows (None: all rows)."""
        off = np.flatnonzero(np.abs(self.loads - self.quotas).max(axis=1) > self._tolerance)
        if self.quotas.shape[0] == 1 or len(off) == 0:
            return [(int(s), None) for s in off]
        wanted = np.zeros(self.quotas.shape[0], dtype=bool)
        wanted[off] = True
        members = np.flatnonzero(wanted[self.signature])
        members = members[np.argsort(self.signature[members], kind="stable")]
        borders = np.searchsorted(self.signature[members], np.arange(self.quotas.shape[0] + 1))
        return [(int(s), members[borders[s] : borders[s + 1]]) for s in off]

    @property
    def _tolerance(self) -> float:
        # a sum of k clusters within the slack leaves no more than k times the slack
        return self.slack * float(self.quotas.shape[1] + 1)

    def _settle(self, s: int, rows: Array | None) -> None:
        """Shortest augmenting paths for signature ``s``, among ever more points until all fits.

        Margins and thresholds refer to the same prices from round to round: a point whose margin
        lies above the distance travelled cannot be on a shortest path, so more points can join
        without a pass over the costs. When most of them would have to, a pass at the present
        prices is cheaper.
        """
        margin = self.margin if rows is None else self.margin[rows]
        excess = self.loads[s] - self.quotas[s]
        unit = 1.0 if self.weights is None else max(float(self.loads[s].sum()) / len(margin), 1e-300)
        potential = np.zeros(len(excess))
        count = REACH * (float(np.maximum(excess, 0.0).sum()) / unit + 32.0)
        while np.abs(excess).max() > self._tolerance:
            threshold = margin_threshold(margin, count)
            near = np.flatnonzero(margin <= threshold)
            near = near if rows is None else rows[near]
            cost = self.source.take(near).astype(np.float64)
            row, cluster, weight = augment(
                cost + self.prices[s], *self._pieces_of(near), excess, potential, threshold, self.slack
            )
            self._store(near, row, cluster, weight)
            self.own_cost[near] = cost[np.arange(len(near)), self.labels[near]]
            if threshold == np.inf:
                break  # every path has been open: what is left is rounding
            count *= 4.0
            if count > 0.1 * len(margin) and len(margin) > _WORTH_A_PASS and self._is_new(s, potential):
                self.prices[s] -= potential
                potential[:] = 0.0
                margin = self._margins(s, rows)
                count = 0.05 * len(margin)
        self.loads[s] = self.quotas[s] + excess
        self.prices[s] -= potential

    def _is_new(self, s: int, potential: Array) -> bool:
        """Whether prices differ from the last ones by more than rounding.

        Where many points are tied the threshold is 0 or nearly so, and a pass would change nothing, again and
        again.
        """
        return bool(np.ptp(potential) > 1e-12 * (1e-300 + np.abs(self.prices[s]).max()))

    def _margins(self, s: int, rows: Array | None) -> Array:
        """How much worse than its label each point's next choice is, at the present prices."""
        n = len(self.labels) if rows is None else len(rows)
        margin = np.empty(n)

        def work(start: int, stop: int) -> None:
            part = slice(start, stop) if rows is None else rows[start:stop]
            cost = self.source.block(start, stop) if rows is None else self.source.take(rows[start:stop])
            label_margins(cost, self.labels[part], self.prices[s], margin[start:stop])

        map_blocks(n, work)
        if self.pieces:  # a split point is tied between its clusters
            tied = np.array(list(self.pieces))
            margin[tied if rows is None else np.isin(rows, tied)] = 0.0
        return margin

    def _pieces_of(self, rows: Array) -> tuple[Array, Array, Array]:
        """Row (position in ``rows``), cluster and weight of every piece of these points."""
        row, cluster = np.arange(len(rows)), self.labels[rows].astype(np.int64)
        weight = np.ones(len(rows)) if self.weights is None else self.weights[rows]
        if not self.pieces:
            return row, cluster, weight
        split = np.isin(rows, list(self.pieces))
        held = [(p, c, w) for p in row[split].tolist() for c, w in self.pieces[int(rows[p])]]
        more = np.array(held).reshape(-1, 3)
        return (
            np.append(row[~split], more[:, 0].astype(np.int64)),
            np.append(cluster[~split], more[:, 1].astype(np.int64)),
            np.append(weight[~split], more[:, 2]),
        )

    def _store(self, rows: Array, row: Array, cluster: Array, weight: Array) -> None:
        if self.weights is None:
            self.labels[rows[row]] = cluster
            return
        held = weight > self.slack * 1e-3
        row, cluster, weight = row[held], cluster[held], weight[held]
        times = np.bincount(row, minlength=len(rows))
        whole = times[row] == 1
        self.labels[rows[row[whole]]] = cluster[whole]
        for i in rows[row[whole]].tolist() if self.pieces else ():
            self.pieces.pop(i, None)
        for p in np.flatnonzero(times > 1).tolist():
            mine = np.flatnonzero(row == p)
            self.pieces[int(rows[p])] = [(int(cluster[q]), float(weight[q])) for q in mine]
            self.labels[rows[p]] = cluster[mine[np.argmax(weight[mine])]]

    def splits(self) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float64]]:
        """Row, cluster and weight of every piece of the split points."""
        rows = [i for i, held in self.pieces.items() for _ in held]
        clusters = [c for held in self.pieces.values() for c, _ in held]
        weights = [w for held in self.pieces.values() for _, w in held]
        return (
            np.array(rows, dtype=np.intp),
            np.array(clusters, dtype=np.int32),
            np.array(weights, dtype=np.float64),
        )

    def values(self) -> NDArray[np.float64]:
        """Cost by signature."""
        S = self.quotas.shape[0]
        own = self.own_cost if self.weights is None else self.own_cost * self.weights
        # a plain sum is pairwise, hence more exact, and faster
        total: NDArray[np.float64] = np.array([own.sum()])
        if S > 1:
            total = np.bincount(self.signature, own, S).astype(np.float64)
        for i, held in self.pieces.items():
            costs = self.source.take(np.array([i]))[0]
            split = sum(w * float(costs[c]) for c, w in held)
            total[self.signature[i]] += split - float(own[i])
        return total


def margin_threshold(margin: Array, count: float) -> float:
    """Return a margin below which about ``count`` points lie (estimated on a sample); inf for all."""
    n = len(margin)
    if count >= n / 2:
        return np.inf
    step = max(1, n // 8_192)
    sample = margin[::step]
    position = min(int(np.ceil(count / step)) + 2, len(sample) - 1)
    return float(np.partition(sample, position)[position])
