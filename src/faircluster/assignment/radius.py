"""The bottleneck assignment: the smallest largest cost within bounds, for k-center."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from faircluster.assignment.problem import relative_gap
from faircluster.assignment.radius_rounding import RadiusRounding, draw_labels
from faircluster.assignment.relaxed_radius import RelaxedSearch
from faircluster.assignment.transport import loads_of
from faircluster.bounds import BoundRows, FairnessBounds, InfeasibleBoundsError, check_feasible
from faircluster.distances import CostSource, DenseCosts, as_cost_source, map_blocks
from faircluster.groups import Groups

__all__ = ["RadiusResult", "solve_radius", "whole_below"]

Array = NDArray[Any]
_WIDER = 1e-3  # share by which a radius must grow for the cheapest quotas to change much
_CLOSE = 1e-6  # share above the relaxed radius that is not worth a long search, but is stated as a gap
_LARGE, _NEAR = 300, 2e-3  # above so many quotas the search for whole points ends within this share
_UNDECIDED = 1  # radii that may stay without an answer before smaller ones are given up


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
        ``radius`` over the smallest radius not excluded, minus 1; never negative with violation 0.
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
    random_state: Any = None,
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
    rounding : {"strict", "nearest", "randomized"}, default="strict"
        "strict": the smallest radius at which every bound can be kept exactly. "nearest": the
        relaxed radius, at the least violation, at most one point as a rule. "randomized": the
        relaxed radius, every point drawn by itself; the bounds hold for the expected counts.
    time_limit : float, default=None
        Seconds after which the best assignment found is returned. Without it the integer programs
        are limited by search nodes, so that results do not depend on the machine.
    random_state : int, RandomState or None, default=None
        For "randomized".

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
    Radii are found by binary search over the entries of ``cost``, so they are exact; above 300 quotas that of
    whole points, where the relaxed one does not admit them, up to 0.2 %, which ``gap`` states. A probe costs
    O(n k) for the classes of points, then small linear programs in S * k quotas, each answered by
    S maximum flows; cuts found at one radius serve at all others. Among the assignments at the
    radius found, one of small total distance is taken: quotas near the cheapest relaxed ones, and
    the cheapest labels for these quotas.

    The relaxed radius is that of the linear program of Harb & Lam, "KFC: A scalable approximation
    algorithm for k-center fair clustering", NeurIPS 2020, without its classes of joiners.

    Examples
    --------
    >>> import numpy as np
    >>> cost = np.array([[0.0, 4.0], [1.0, 3.0], [5.0, 0.0], [2.0, 1.0]])
    >>> result = solve_radius(cost, ["a", "a", "b", "b"], 0.2)
    >>> result.labels.tolist(), result.radius, result.lower_bound
    ([0, 1, 1, 0], 3.0, 1.0)
    """
    return _RadiusSearch(cost, groups, bounds, size_min, size_max, rounding, time_limit, random_state).run()


def whole_below(
    cost: Array, groups: Groups, rows: BoundRows, radius: float, time_limit: float | None = None
) -> bool:
    """Tell whether whole points can be assigned within bounds at less than a radius.

    Parameters
    ----------
    cost : ndarray of shape (n, k)
    groups : Groups
    rows : BoundRows
    radius : float
    time_limit : float, default=None
        Seconds.

    Returns
    -------
    bool
        False also when there are some, but none next to divided ones at this radius.

    Notes
    -----
    One probe, at the largest entry below the radius; no prices and no labels.

    Examples
    --------
    >>> from faircluster.bounds import FairnessBounds
    >>> groups = Groups.from_features(["a", "a", "b", "b"])
    >>> cost = np.array([[0.0, 4.0], [1.0, 3.0], [5.0, 0.0], [2.0, 1.0]])
    >>> rows = FairnessBounds.slack(0.2).rows(groups, 2)
    >>> whole_below(cost, groups, rows, 4.0), whole_below(cost, groups, rows, 3.0)
    (True, False)
    """
    search = RelaxedSearch(cost, groups, rows)
    if search.lower_bound >= radius:
        return False
    if search.unbounded:
        return True
    trial = search.largest(radius)
    search.visit(trial)
    quotas = search.program.feasible_quotas(search.tolerance)
    deadline = None if time_limit is None else time.perf_counter() + time_limit
    rounding = RadiusRounding(search, groups, rows, deadline)
    return quotas is not None and rounding.whole(trial, quotas, anywhere=False) is not None


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
        random_state: Any,
    ) -> None:
        self.time_limit = time_limit
        self.deadline = None if time_limit is None else time.perf_counter() + time_limit
        if rounding not in ("strict", "nearest", "randomized"):
            raise ValueError(f"rounding must be 'strict', 'nearest' or 'randomized', got {rounding!r}")
        self.rounding, self.random_state = rounding, random_state
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

    def run(self) -> RadiusResult:
        search = self.search = RelaxedSearch(self.cost, self.groups, self.rows)
        self.lower_bound = self.relaxed_radius = search.lower_bound
        if search.unbounded:
            return self._result(search.nearest, None)
        self.relaxed_radius = radius = search.run()
        rounding = RadiusRounding(search, self.groups, self.rows, self.deadline)
        target = rounding.relaxed(radius)
        if self.rounding == "randomized":
            drawn = draw_labels(search, self.groups, target, check_random_state(self.random_state))
            return self._result(drawn, rounding)
        quotas: Array | None
        if self.rounding == "strict":
            radius, quotas = self._strict(rounding, target)
        else:
            quotas = rounding.mended(radius, target)
        if quotas is None:
            radius, quotas = self._one_cluster()
        return self._result(rounding.labels(quotas, radius), rounding)

    def _strict(self, rounding: RadiusRounding, target: Array) -> tuple[float, Array | None]:
        """Smallest radius at which whole quotas keep the bounds, as far as the limits allow.

        Quotas next to the relaxed ones first, at growing radii; then what lies below the radius found
        there is searched everywhere, until too many programs end without an answer.
        """
        best: dict[float, Array] = {}
        undecided = 0

        def found(radius: float, **where: bool) -> bool:
            quotas = rounding.whole(radius, target, **where)
            if quotas is not None:
                best[radius] = quotas
            return quotas is not None

        def nearby(radius: float) -> bool:
            return found(radius, anywhere=False)

        def anywhere(radius: float) -> bool:
            nonlocal undecided
            if undecided == _UNDECIDED:
                return False
            if found(radius, nearby=False):
                return True
            undecided += rounding.excluded < radius
            return False

        close = _NEAR if self.shape[0] * self.shape[1] > _LARGE else 0.0
        lowest = low = self.relaxed_radius
        if nearby(lowest):
            return lowest, best[lowest]
        highest = self.search.highest
        values, _ = self.search.entries(lowest, highest)
        for radius in [float(values[i]) for i in _doubling(len(values))] + [highest]:
            if nearby(radius):
                self.search.smallest(low, radius, nearby, close)
                break
            low = radius
        if not best and not anywhere(highest):
            if rounding.excluded >= highest:
                raise InfeasibleBoundsError(
                    "the bounds can be met by shares of points but not by whole points: "
                    f"{self.groups.total:g} points, {self.k} clusters, smallest group "
                    f"{self.groups.counts.min():g}; widen the bounds or the sizes, or use rounding='nearest'"
                )
            return highest, None
        if min(best) > lowest * (1 + _CLOSE):
            if anywhere(lowest):
                return lowest, best[lowest]
            self.search.smallest(lowest, min(best), anywhere, close)
        smallest = min(best)
        if smallest > lowest * (1 + _WIDER):  # shorter distances: once more from its own relaxation
            again = rounding.whole(smallest, rounding.relaxed(smallest), anywhere=False)
            best[smallest] = best[smallest] if again is None else again
        return smallest, best[smallest]

    def _one_cluster(self) -> tuple[float, Array]:
        """All points in one cluster, which keeps any bounds on shares that the data keep."""
        held = self.search.held
        farthest = (self.cost if held is None else self.cost[held]).max(axis=0)
        for j in np.argsort(farthest, kind="stable"):
            quotas = np.zeros(self.shape)
            quotas[:, j] = self.groups.signature_counts
            if self.rows.violation(quotas) == 0:
                return float(farthest[j]), quotas
        limit = "within the limits of the search" if self.time_limit is None else "in time"
        raise TimeoutError(
            f"no assignment within the bounds was found {limit} (time_limit={self.time_limit}); "
            "raise time_limit or widen the bounds"
        )

    # ---- the result

    def _result(self, labels: NDArray[np.int32], rounding: RadiusRounding | None) -> RadiusResult:
        own, held = self.cost[np.arange(len(labels)), labels], self.search.held
        radius = float((own if held is None else own[held]).max())
        quotas = loads_of(labels, self.groups.signature, self.groups.weights, self.shape)
        violation = self.rows.violation(quotas)
        proven = self.relaxed_radius if rounding is None else self._proven(radius, rounding)
        status = "feasible"
        if violation == 0 and radius <= proven:
            status = "optimal"
        elif rounding is not None and rounding.late:
            status = "time_limit"
            warnings.warn(
                f"time_limit={self.time_limit} s reached; the violation is {violation:g} and the radius at "
                f"most {relative_gap(radius, proven):.2%} above the smallest",
                RuntimeWarning,
                stacklevel=4,
            )
        return RadiusResult(
            labels, radius, self.relaxed_radius, self.lower_bound, violation, status,
            relative_gap(radius, proven), quotas, self.groups, self.rows,
        )  # fmt: skip

    def _proven(self, radius: float, rounding: RadiusRounding) -> float:
        """Smallest entry that is not known to be too small for whole points."""
        if rounding.excluded < self.relaxed_radius or radius <= rounding.excluded:
            return self.relaxed_radius
        return min(self.search.next_above(rounding.excluded), radius)


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
