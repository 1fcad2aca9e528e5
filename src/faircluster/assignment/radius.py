"""The bottleneck assignment: the smallest largest cost within bounds, for k-center."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.relaxed_radius import RelaxedSearch
from faircluster.assignment.transport import Transport, loads_of, transport
from faircluster.assignment.unsplit import unsplit
from faircluster.bounds import BoundRows, FairnessBounds, InfeasibleBoundsError, check_feasible
from faircluster.distances import CostSource, DenseCosts, as_cost_source, map_blocks
from faircluster.groups import Groups

__all__ = ["RadiusResult", "solve_radius"]

Array = NDArray[Any]
_PATIENCE = 60.0  # seconds for whole quotas without a time limit
_MOST_CANDIDATES = 1_000_000  # entries sorted at a time


@dataclass(frozen=True, eq=False)
class RadiusResult:
    """An assignment of small radius and its certificates.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
        Cluster of each point.
    radius : float
        Largest cost of a point (with positive weight) at its label.
    relaxed_radius : float
        Smallest radius when points may be divided: no assignment within the bounds has a smaller one.
    lower_bound : float
        Largest cost of a point at its nearest center, the radius without bounds.
    violation : float
        Largest excess of ``labels`` over any bound, in points (weight); 0 when all hold.
    status : {"optimal", "feasible", "time_limit"}
        "optimal": violation 0, and no smaller radius admits that.
    gap : float
        ``radius`` over the smallest radius not excluded, minus 1.
    quotas : ndarray of shape (S, k)
        Weight of each signature in each cluster under ``labels``.
    groups : Groups
    rows : BoundRows
        The bounds as linear rows.
    """

    labels: NDArray[np.int32]
    radius: float
    relaxed_radius: float
    lower_bound: float
    violation: float
    status: str
    gap: float
    quotas: NDArray[np.float64]
    groups: Groups
    rows: BoundRows


def solve_radius(
    cost: Any,
    groups: Any = None,
    bounds: Any = None,
    *,
    size_min: Any = None,
    size_max: Any = None,
    rounding: str = "strict",
    time_limit: float | None = None,
) -> RadiusResult:
    """Assign points to centers within bounds so that the largest cost is least.

    Parameters
    ----------
    cost : array-like of shape (n, k), or a cost source
        Distance of each point to each center.
    groups : Groups or anything ``Groups.from_features`` takes, default=None
    bounds : FairnessBounds, float, "exact" or None, default=None
    size_min, size_max : float or array-like of shape (k,), default=None
        Least and largest weight of each cluster.
    rounding : {"strict", "nearest"}, default="strict"
        "strict": the smallest radius at which every bound can be kept exactly. "nearest": the
        relaxed radius, at the least violation, at most one point as a rule.
    time_limit : float, default=None
        Seconds after which the best assignment found is returned.

    Returns
    -------
    RadiusResult

    Raises
    ------
    InfeasibleBoundsError
        No assignment meets the bounds, or none of whole points does.
    TimeoutError
        None was found in time.
    ValueError
        Costs that are not finite, arguments whose shapes differ.

    Notes
    -----
    Radii are found by binary search over the entries of ``cost``, so they are exact. A probe costs
    O(n k) for the classes of points, then small linear programs in S * k quotas, each answered by
    S maximum flows; cuts found at one radius serve at all others.

    Examples
    --------
    >>> import numpy as np
    >>> cost = np.array([[0.0, 4.0], [1.0, 3.0], [5.0, 0.0], [2.0, 1.0]])
    >>> result = solve_radius(cost, ["a", "a", "b", "b"], 0.2)
    >>> result.labels.tolist(), result.radius, result.lower_bound
    ([0, 1, 1, 0], 3.0, 1.0)
    """
    return _RadiusSearch(cost, groups, bounds, size_min, size_max, rounding, time_limit).run()


class _WithinRadius:
    """Costs with a penalty on entries beyond a radius, so large that none is used without need."""

    def __init__(self, cost: Array, radius: float, penalty: float) -> None:
        self.cost, self.radius, self.penalty = cost, radius, penalty
        self.shape: tuple[int, int] = cost.shape

    def block(self, start: int, stop: int) -> Array:
        return self._priced(self.cost[start:stop])

    def take(self, rows: NDArray[np.intp]) -> Array:
        return self._priced(self.cost[rows])

    def _priced(self, cost: Array) -> Array:
        wide = cost.astype(np.float64)
        wide[wide > self.radius] += self.penalty
        return wide


class _RadiusSearch:
    """One call of ``solve_radius``."""

    def __init__(
        self,
        cost: Any,
        groups: Any,
        bounds: Any,
        size_min: Any,
        size_max: Any,
        rounding: str,
        time_limit: float | None,
    ) -> None:
        self.time_limit = time_limit
        self.deadline = time.perf_counter() + (_PATIENCE if time_limit is None else time_limit)
        if rounding not in ("strict", "nearest"):
            raise ValueError(f"rounding must be 'strict' or 'nearest', got {rounding!r}")
        self.rounding = rounding
        self.cost = _dense(as_cost_source(cost))
        n, self.k = self.cost.shape
        self.groups = groups if isinstance(groups, Groups) else Groups.from_features(groups, n_rows=n)
        if self.groups.n_rows != n:
            raise ValueError(
                f"cost has {n} rows but groups has {self.groups.n_rows}; give one protected value a row"
            )
        fairness = FairnessBounds.from_any(bounds)
        self.rows = fairness.rows(self.groups, self.k, size_min, size_max)
        if self.rows.descriptions:
            check_feasible(self.groups, fairness, self.k, size_min, size_max)
        self.shape = (self.groups.n_signatures, self.k)
        self.excluded = -np.inf  # largest radius known to be too small
        self.late = False

    def run(self) -> RadiusResult:
        search = self.search = RelaxedSearch(self.cost, self.groups, self.rows)
        self.lower_bound = self.relaxed_radius = search.lower_bound
        if search.unbounded:
            return self._result(search.nearest)
        self.cuts, self.program, self.highest = search.cuts, search.program, search.highest
        self.relaxed_radius = search.run()
        self.cuts.bracket(self.relaxed_radius, self.highest)
        if self.rounding == "nearest":
            radius, quotas = self.relaxed_radius, self._nearest_quotas()
        else:
            radius, quotas = self._strict()
        moved = self._transport(quotas, radius)
        labels = moved.labels
        if len(moved.split_rows):
            source = self._within(radius)
            labels, _ = unsplit(source, self.groups, self.rows, moved, self._seconds_left())
        return self._result(labels)

    # ---- whole quotas

    def _strict(self) -> tuple[float, Array]:
        """Smallest radius at which whole quotas keep the bounds, as far as time allows."""
        best: dict[float, Array] = {}

        def feasible(radius: float) -> bool:
            quotas = self._whole_quotas(radius)
            if quotas is not None:
                best[radius] = quotas
            return quotas is not None

        if feasible(self.relaxed_radius):
            return self.relaxed_radius, best[self.relaxed_radius]
        values, _ = self.search.entries(self.relaxed_radius, self.highest)
        ladder = [float(values[i]) for i in _doubling(len(values))] + [self.highest]
        low = self.relaxed_radius
        for radius in ladder:
            if feasible(radius):
                self.cuts.bracket(low, radius)
                self.search.smallest(low, radius, feasible)
                return min(best), best[min(best)]
            low = radius
        if self.excluded >= self.highest:
            raise InfeasibleBoundsError(
                "the bounds can be met by shares of points but not by whole points: "
                f"{self.groups.total:g} points, {self.k} clusters, smallest group "
                f"{self.groups.counts.min():g}; widen the bounds or the sizes, or use rounding='nearest'"
            )
        return self._one_cluster()

    def _whole_quotas(self, radius: float) -> Array | None:
        """Whole quotas within the bounds that can be filled at a radius; None: there are none, or no time."""
        if radius <= self.excluded or self._out_of_time():
            return None
        self.cuts.visit(radius)
        target = self._filled(self.search.loads, whole=False)
        if target is None:
            return None
        # half of what is left, so that larger radii have their turn
        until = time.perf_counter() + 0.5 * self._seconds_left()
        for reach in (1.0, 4.0, None):
            quotas = self._filled(target, reach=reach, until=until)
            if quotas is not None:
                return quotas
        return None

    def _filled(
        self,
        target: Array,
        *,
        reach: float | None = None,
        whole: bool = True,
        mend: bool = False,
        until: float = np.inf,
    ) -> Array | None:
        """Quotas near the target that keep the bounds and that points within the radius can fill."""
        integral = whole and self.groups.integer_weights
        tolerance = 0.5 if integral else self.search.tolerance
        while True:
            left = min(until, self.deadline) - time.perf_counter()
            if integral and left <= 0:
                self.late = True
                return None
            found = self.program.near(
                target, reach=reach, whole=whole, mend=mend, time_limit=max(left, 0.1) if integral else None
            )
            if found.quotas is None:
                self.late |= found.status == "limit"
                if found.status == "infeasible" and reach is None and not mend:
                    self.excluded = max(self.excluded, self.cuts.radius)
                return None
            held = len(self.cuts)
            missing = self.cuts.separate(found.quotas, tolerance)
            if missing <= tolerance or len(self.cuts) == held:
                return found.quotas

    def _nearest_quotas(self) -> Array:
        """Quotas of least violation at the relaxed radius."""
        self.cuts.visit(self.relaxed_radius)
        target = self._filled(self.search.loads, whole=False)
        target = self.search.loads if target is None else target
        for reach, mend in ((1.0, False), (1.0, True), (None, True)):
            quotas = self._filled(target, reach=reach, mend=mend)
            if quotas is not None:
                return quotas
        return self._one_cluster()[1]

    def _one_cluster(self) -> tuple[float, Array]:
        """All points in one cluster, which keeps any bounds on shares that the data keep."""
        farthest = self.search.counted(self.cost).max(axis=0)
        for j in np.argsort(farthest, kind="stable"):
            quotas = np.zeros(self.shape)
            quotas[:, j] = self.groups.signature_counts
            if self.rows.violation(quotas) == 0:
                return float(farthest[j]), quotas
        raise TimeoutError(
            f"no assignment within the bounds was found in time (time_limit={self.time_limit}); "
            "raise time_limit or widen the bounds"
        )

    # ---- distances

    def _within(self, radius: float) -> _WithinRadius:
        # an exchange around a cycle of clusters never saves more than this
        return _WithinRadius(
            self.cost, radius, (2 * self.k + 1) * max(float(np.abs(self.cost).max()), 1e-300)
        )

    def _transport(self, quotas: Array, radius: float) -> Transport:
        return transport(self._within(radius), self.groups.signature, quotas, None, self.groups.weights)

    # ---- small things

    def _seconds_left(self) -> float:
        return max(self.deadline - time.perf_counter(), 0.1)

    def _out_of_time(self) -> bool:
        self.late |= time.perf_counter() >= self.deadline
        return self.late and time.perf_counter() >= self.deadline

    def _result(self, labels: NDArray[np.int32]) -> RadiusResult:
        own = self.cost[np.arange(len(labels)), labels]
        radius = float(self.search.counted(own).max())
        quotas = loads_of(labels, self.groups.signature, self.groups.weights, self.shape)
        violation = self.rows.violation(quotas)
        proven = self._proven(radius)
        status = "feasible"
        if violation == 0 and radius <= proven:
            status = "optimal"
        elif self.time_limit is not None and self.late:
            status = "time_limit"
            warnings.warn(
                f"time_limit={self.time_limit} s reached; the violation is {violation:g} and the radius at "
                f"most {_gap(radius, proven):.2%} above the smallest",
                RuntimeWarning,
                stacklevel=4,
            )
        return RadiusResult(
            labels, radius, self.relaxed_radius, self.lower_bound, violation, status,
            _gap(radius, proven), quotas, self.groups, self.rows,
        )  # fmt: skip

    def _proven(self, radius: float) -> float:
        """Smallest entry that is not known to be too small for whole points."""
        if self.excluded < self.relaxed_radius or radius <= self.excluded:
            return self.relaxed_radius
        above, radii = np.inf, self.search.counted(self.cost)
        above = float(radii[radii > self.excluded].min(initial=radius))
        return min(above, radius)


def _gap(radius: float, bound: float) -> float:
    if bound == 0:
        return 0.0 if radius == 0 else float("inf")
    return (radius - bound) / abs(bound)


def _doubling(n: int) -> list[int]:
    """0, 1, 3, 7, ... below n."""
    return [2**e - 1 for e in range(n.bit_length())]


def _dense(source: CostSource) -> Array:
    """Return the matrix, checked to be finite."""
    if isinstance(source, DenseCosts):
        cost = source.cost
    else:
        cost = np.concatenate(map_blocks(source.shape[0], source.block))
    with np.errstate(all="ignore"):
        if np.isfinite(cost.sum(dtype=np.float64)):
            return cost
    bad = np.flatnonzero(~np.isfinite(cost).all(axis=1))
    if len(bad):
        raise ValueError(
            f"cost has NaN or infinity in {len(bad)} rows, the first is row {bad[0]}; "
            "use a large finite cost to discourage an assignment"
        )
    return cost
