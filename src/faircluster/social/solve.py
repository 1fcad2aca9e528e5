"""The front door of socially fair clustering with guarantees."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from faircluster.social.exactly_k import best_subset
from faircluster.social.instance import SocialInstance
from faircluster.social.polishing import polish as improve
from faircluster.social.relaxation import SocialRelaxation, relax
from faircluster.social.result import SocialResult
from faircluster.social.rounding import round_relaxation
from faircluster.social.strengthening import strengthen as stronger_bound
from faircluster.social.swaps import SwapSearch

__all__ = ["SocialSolver", "solve_social"]

Array = NDArray[Any]


def solve_social(
    instance: SocialInstance,
    *,
    bicriteria: bool = False,
    max_centers: int | None = None,
    strengthen: bool = False,
    polish: bool = True,
    n_starts: int = 3,
    n_restarts: int = 20,
    tolerance: float = 1e-6,
    time_limit: float | None = None,
    random_state: Any = None,
) -> SocialResult:
    """Open centers so that the worst-off group pays as little as possible, with a proof.

    Parameters
    ----------
    instance : SocialInstance
    bicriteria : bool, default=False
        Open up to k + m - 1 centers (m groups with weight) instead of exactly k.
    max_centers : int, default=None
        With ``bicriteria``, open no more than this.
    strengthen : bool, default=False
        Look for a larger lower bound as in :func:`~faircluster.social.strengthening.strengthen`; takes about
        ten times as long.
    polish : bool, default=True
        Improve the rounded centers by swaps; False returns them as they are.
    n_starts : int, default=3
        Random starts of the local search that precedes the relaxation.
    n_restarts : int, default=20
        The polish ends after about so many restarts in a row that found nothing better; after more of them
        where the relaxation's bound leaves more room. See :func:`~faircluster.social.polishing.polish`.
    tolerance : float, default=1e-6
        Relative gap to which the relaxation is solved.
    time_limit : float, default=None
        Seconds after which the relaxation and the polish end; what was proved by then holds.
    random_state : int, RandomState or None, default=None
        For starts and restarts.

    Returns
    -------
    SocialResult

    Raises
    ------
    ValueError
        ``max_centers`` without ``bicriteria`` or out of range, counts that are negative.

    Notes
    -----
    The relaxation, then rounding: at most k + m - 1 centers that cost at most (5 + 2 sqrt 6)^p times the
    optimum with k centers; then the best k of them, at most (7 + 2 sqrt 6)^p times. ``factor`` is what
    was proved for this instance, ``gap`` what came of it. The polish keeps the better of the rounded centers
    and of those found by local search, so it never makes anything worse. Proofs in
    :mod:`faircluster.social.rounding` and :func:`~faircluster.social.exactly_k.best_subset`.

    References
    ----------
    Ghadiri, Singh & Vempala, "Constant-factor approximation algorithms for socially fair k-clustering"
    (arXiv 2206.11210).

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.social import SocialInstance, solve_social
    >>> X = np.array([[0.0], [1.0], [5.0], [9.0], [10.0]])
    >>> instance = SocialInstance.from_points(X, list("aabab"), n_clusters=2, power=1)
    >>> result = solve_social(instance, random_state=0)
    >>> result.n_centers, round(result.cost, 4), result.cost >= result.lower_bound
    (2, 2.0, True)
    """
    solver = SocialSolver(
        instance, n_starts=n_starts, tolerance=tolerance, time_limit=time_limit, random_state=random_state
    )
    return solver.solve(
        bicriteria=bicriteria,
        max_centers=max_centers,
        strengthen=strengthen,
        polish=polish,
        n_restarts=n_restarts,
    )


class SocialSolver:
    """One relaxation of an instance, from which several numbers of centers are opened.

    Parameters
    ----------
    instance, n_starts, tolerance, time_limit, random_state
        As in :func:`solve_social`. The relaxation is solved at the first call of :meth:`solve`.

    Attributes
    ----------
    merged : Merged
        The instance without repetitions; all below is in its numbers.
    known : ndarray of shape (k,), int
        Facilities found by local search.
    relaxation : SocialRelaxation
    rounded : RoundedCenters

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.social import SocialInstance, SocialSolver
    >>> instance = SocialInstance.from_points(np.arange(12.0)[:, None], list("aabb" * 3), 2, 1)
    >>> solver = SocialSolver(instance, random_state=0)
    >>> solver.solve().n_centers, solver.solve(bicriteria=True).n_centers
    (2, 3)
    """

    def __init__(
        self,
        instance: SocialInstance,
        *,
        n_starts: int = 3,
        tolerance: float = 1e-6,
        time_limit: float | None = None,
        random_state: Any = None,
    ) -> None:
        _check_counts(n_starts=(n_starts, 1))
        self.instance, self.tolerance = instance, tolerance
        self._n_starts, self._time_limit = n_starts, time_limit
        self._draw = check_random_state(random_state)

    def _prepare(self, clock: _Clock) -> None:
        self.merged = self.instance.merged()
        part = self.merged.instance
        self._search = SwapSearch(part)
        self.known = _starting_centers(self._search, self._n_starts, self._draw)
        clock.mark("start")
        self.relaxation = relax(part, self.known, tolerance=self.tolerance, time_limit=clock.left())
        clock.mark("relaxation")
        self.rounded = round_relaxation(part, self.relaxation.y)
        clock.mark("rounding")

    def solve(
        self,
        *,
        bicriteria: bool = False,
        max_centers: int | None = None,
        strengthen: bool = False,
        polish: bool = True,
        n_restarts: int = 20,
    ) -> SocialResult:
        """Open centers; parameters, result and errors as in :func:`solve_social`."""
        target = _n_centers(self.instance, bicriteria, max_centers)
        _check_counts(n_restarts=(n_restarts, 0))
        clock = _Clock(self._time_limit)
        if not hasattr(self, "rounded"):
            self._prepare(clock)
        part, relaxation = self.merged.instance, self.relaxation
        centers, factor = self._counted(target)
        rounded_cost = part.cost(centers)
        clock.mark("subset")
        if polish:
            starts = [centers] if target < part.n_clusters else [centers, self.known]
            centers = improve(
                self._search, starts, relaxation, target, n_restarts, self._draw, lambda: clock.left() == 0.0
            )
            clock.mark("polish")
        bound = relaxation.lower_bound
        if strengthen:
            best = self.known if len(centers) != part.n_clusters else centers
            bound = max(bound, stronger_bound(part, relaxation, best, time_limit=clock.left()).lower_bound)
            clock.mark("strengthening")
        chosen = np.sort(self.merged.facilities[centers])
        return _result(self.instance, chosen, bound, relaxation, factor, rounded_cost, self.tolerance, clock)

    def _counted(self, target: int) -> tuple[NDArray[np.intp], float]:
        """Take rounded centers, no more than wanted, and the factor proved for them."""
        part, rounded = self.merged.instance, self.rounded
        centers, _ = best_subset(part, rounded.centers, min(target, len(rounded.centers)))
        factor = rounded.factor * _ratio(self.relaxation.value, self.relaxation.lower_bound)
        if len(centers) < len(rounded.centers):
            reach = factor ** (1 / part.power)
            factor = (2 + reach) ** part.power if target >= part.n_clusters else np.inf
        # rounding may do with fewer than k; those missing cannot make it worse
        return self._search.extend(centers, min(target, part.n_clusters)), factor


def _n_centers(instance: SocialInstance, bicriteria: bool, max_centers: int | None) -> int:
    """How many centers may be opened."""
    k, m = instance.n_clusters, int(instance.weights.any(axis=1).sum())
    if max_centers is None:
        return min(k + m - 1, instance.n_facilities) if bicriteria else k
    if not bicriteria:
        raise ValueError(f"max_centers={max_centers!r} needs bicriteria=True; n_clusters sets k otherwise")
    if not isinstance(max_centers, int | np.integer) or isinstance(max_centers, bool) or max_centers < 1:
        raise ValueError(f"max_centers must be a whole number of at least 1, got {max_centers!r}")
    return min(int(max_centers), k + m - 1, instance.n_facilities)


def _check_counts(**counts: tuple[int, int]) -> None:
    for name, (value, least) in counts.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def _starting_centers(search: SwapSearch, n_starts: int, draw: np.random.RandomState) -> NDArray[np.intp]:
    """Best of some local searches from random facilities."""
    instance = search.instance
    found = [
        search.improve(draw.choice(instance.n_facilities, instance.n_clusters, replace=False))
        for _ in range(n_starts)
    ]
    return min(found, key=instance.cost)


def _result(
    instance: SocialInstance,
    centers: Array,
    bound: float,
    relaxation: SocialRelaxation,
    factor: float,
    rounded_cost: float,
    tolerance: float,
    clock: _Clock,
) -> SocialResult:
    labels, own = instance.nearest(centers)
    group_costs = instance.weights @ own
    cost = float(group_costs.max())
    # the same sums in another order may differ in the last digits
    bound = min(bound, cost) if bound <= cost * (1 + 1e-12) else bound
    gap = _ratio(cost, bound) - 1.0
    status = "time_limit" if relaxation.status == "time_limit" else "feasible"
    if len(centers) <= instance.n_clusters and gap <= tolerance:
        status = "optimal"
    return SocialResult(
        labels=labels,
        centers=centers,
        cost=cost,
        group_costs=np.asarray(group_costs),
        lower_bound=bound,
        gap=gap,
        relaxation_value=relaxation.value,
        status=status,
        n_centers=len(centers),
        factor=float(factor),
        multipliers=relaxation.multipliers,
        rounded_cost=rounded_cost,
        seconds=clock.seconds,
    )


def _ratio(cost: float, bound: float) -> float:
    if bound > 0:
        return cost / bound
    return 1.0 if cost == 0 else float("inf")


class _Clock:
    """Seconds by step, and seconds left."""

    def __init__(self, time_limit: float | None) -> None:
        self._last = time.perf_counter()
        self._end = None if time_limit is None else self._last + time_limit
        self.seconds: dict[str, float] = {}

    def mark(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = now - self._last
        self._last = now

    def left(self) -> float | None:
        return None if self._end is None else max(0.0, self._end - time.perf_counter())
