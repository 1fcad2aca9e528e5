"""From starts to centers: k-means++ starts, Fair-Lloyd, swaps that lower the worst group's cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.centers.seeding import canonical_order, plus_plus, random_points
from faircluster.distances import map_blocks
from faircluster.social.coreset import social_coreset
from faircluster.social.costs import PowerCosts
from faircluster.social.lloyd import SocialClustering, social_lloyd
from faircluster.social.sweep import GroupedPoints

__all__ = ["draw_starts", "find_centers", "improve_by_social_swaps", "social_start"]

Array = NDArray[Any]
_WHOLE = 200_000  # points up to which starts are tried on all of them
_SAMPLE = 50_000  # size of the coreset they are tried on otherwise
_SMALL_SAMPLE = 10_000  # size of the coreset that swaps are tried on
_DRAWN_FROM = 5_000  # size of the coreset that starts are drawn from; more when there are many clusters
_EXPLORE = 20  # center steps of a start
_ROUGH = 1e-5  # how far the best start settles before swaps are tried
_SETTLE = 8  # center steps after a swap


def social_start(
    points: GroupedPoints,
    n_clusters: int,
    random_state: np.random.RandomState,
    *,
    how: str = "k-means++",
    multipliers: Array | None = None,
) -> NDArray[np.float64]:
    """Draw starting centers among the points.

    Parameters
    ----------
    points : GroupedPoints
    n_clusters : int
    random_state : RandomState
    how : {"k-means++", "random"}, default="k-means++"
    multipliers : ndarray of shape (m,), default=None
        None: points are drawn by their sample weights, blind to groups. Otherwise by what they weigh in the
        sum of the groups' mean costs with these factors, so that small groups draw as many centers as large.

    Returns
    -------
    ndarray of shape (k, d), float64

    Notes
    -----
    O(n k d log k); the centers do not depend on the order of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.groups import Groups
    >>> points = GroupedPoints(np.array([[0.0], [0.1], [9.0]]), Groups.from_features(list("aab")))
    >>> sorted(social_start(points, 2, np.random.RandomState(0)).ravel().tolist())[-1]
    9.0
    """
    order = canonical_order(points.X)
    weights = points.groups.weights if multipliers is None else points.point_weights(multipliers)
    if how == "random":
        rows = random_points(points.X, order, weights, n_clusters, random_state)
    else:
        rows = plus_plus(
            lambda chosen: PowerCosts(points.X, points.X[chosen], points.power),
            order,
            weights,
            n_clusters,
            random_state,
        )
    return points.X[rows].astype(np.float64)


def draw_starts(
    points: GroupedPoints,
    n_clusters: int,
    n_init: int,
    random_state: np.random.RandomState,
    how: str = "k-means++",
) -> list[NDArray[np.float64]]:
    """Blind starts of :func:`find_centers`, for methods that are to begin with the same.

    Parameters
    ----------
    points : GroupedPoints
    n_clusters : int
    n_init : int
        Number of starts.
    random_state : RandomState
    how : {"k-means++", "random"}, default="k-means++"

    Returns
    -------
    list of ndarrays of shape (k, d), float64

    Notes
    -----
    More than 5,000 points (or 20 a cluster, if that is more) are drawn from by a coreset of that size.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.groups import Groups
    >>> points = GroupedPoints(np.array([[0.0], [0.1], [9.0]]), Groups.from_features(list("aab")))
    >>> len(draw_starts(points, 2, 3, np.random.RandomState(0)))
    3
    """
    sample = _sample_for(points, n_clusters)
    return [social_start(sample, n_clusters, random_state, how=how) for _ in range(n_init)]


def find_centers(
    points: GroupedPoints,
    n_clusters: int,
    random_state: np.random.RandomState,
    *,
    init: str | Array = "k-means++",
    n_init: int = 10,
    n_swaps: int = 0,
    max_iter: int = 300,
    tol: float = 1e-6,
    report: Callable[[int, float], None] | None = None,
) -> SocialClustering:
    """Centers with a small cost of the worst group: starts, Fair-Lloyd, swaps, Fair-Lloyd to the end.

    Parameters
    ----------
    points : GroupedPoints
    n_clusters : int
    random_state : RandomState
    init : {"k-means++", "random"} or ndarray of shape (k, d), default="k-means++"
    n_init : int, default=10
        Number of blind starts, each for 20 center steps; one more then draws by the groups that decide. One
        when centers are given.
    n_swaps : int, default=0
        Swaps of a center that are tried on the best.
    max_iter : int, default=300
        Most center steps of a start.
    tol : float, default=1e-6
        As in :func:`social_lloyd`.
    report : callable, default=None
        Called with the number of each start and its cost.

    Returns
    -------
    SocialClustering
        Up to 200,000 points no worse than any iterate of any start on all points. Beyond, starts are tried
        on a coreset of 50,000 with equally many points a signature, and the best goes on with all points.

    Notes
    -----
    O(n k d) a center step, about 20 ``n_init`` and then as many as the best takes to settle; swaps are tried
    on a coreset of 10,000 and kept only if all points agree.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.groups import Groups
    >>> X = np.array([[0.0], [1.0], [2.0], [8.0], [9.0], [12.0]])
    >>> points = GroupedPoints(X, Groups.from_features(list("abbaab")))
    >>> round(find_centers(points, 2, np.random.RandomState(0)).cost, 3)
    1.801
    """
    whole = points.n_points <= _WHOLE
    part = points if whole else social_coreset(points, _SAMPLE)[0]
    explore = min(max_iter, _EXPLORE)
    if isinstance(init, str):
        starts = draw_starts(points, n_clusters, n_init, random_state, init)
    else:
        starts = [np.asarray(init, dtype=np.float64)]
    best = _best_of(part, starts, explore, tol, report)
    if len(starts) > 1 and len(best.multipliers) > 1:
        # half of the weight to the groups that decide, and half to all, for they may come to decide
        gamma = 0.5 * best.multipliers + 0.5 / len(best.multipliers)
        sample = _sample_for(points, n_clusters)
        aware = social_start(sample, n_clusters, random_state, how=str(init), multipliers=gamma)
        trial = _best_of(part, [aware], explore, tol, report, first=len(starts) + 1)
        best = trial if trial.cost < best.cost else best
    left = max(max_iter - best.n_iter, 0) if whole else max_iter
    if n_swaps == 0 or max_iter == 0:
        return _continued(points, best, left, tol)
    best = _continued(points, best, left, max(tol, _ROUGH))
    swapped = improve_by_social_swaps(points, best, n_swaps, random_state, max_iter=max_iter, tol=tol)
    if swapped is not best:
        return swapped  # settled already
    return _continued(points, best, max(max_iter - best.n_iter, 0) if whole else max_iter, tol)


def _sample_for(points: GroupedPoints, n_clusters: int) -> GroupedPoints:
    return social_coreset(points, max(_DRAWN_FROM, 20 * n_clusters))[0]


def _best_of(
    points: GroupedPoints,
    starts: list[NDArray[np.float64]],
    max_iter: int,
    tol: float,
    report: Callable[[int, float], None] | None,
    first: int = 1,
) -> SocialClustering:
    best: SocialClustering | None = None
    for number, centers in enumerate(starts, first):
        trial = social_lloyd(points, centers, max_iter=max_iter, tol=tol, prove=False)
        if report is not None:
            report(number, trial.cost)
        if best is None or trial.cost < best.cost:
            best = trial
    assert best is not None
    return best


def _continued(points: GroupedPoints, start: SocialClustering, max_iter: int, tol: float) -> SocialClustering:
    """Go on with these points, maybe others than before, and add up the center steps."""
    found = social_lloyd(points, start.centers, max_iter=max_iter, tol=tol, multipliers=start.multipliers)
    return replace(found, n_iter=start.n_iter + found.n_iter)


def improve_by_social_swaps(
    points: GroupedPoints,
    start: SocialClustering,
    attempts: int,
    random_state: np.random.RandomState,
    *,
    max_iter: int = 300,
    tol: float = 1e-6,
) -> SocialClustering:
    """Close one center, open another, let them settle, and keep what lowers the worst group's cost.

    Parameters
    ----------
    points : GroupedPoints
    start : SocialClustering
    attempts : int
        Number of swaps tried.
    random_state : RandomState
    max_iter, tol
        For settling on all points after the swaps, as in :func:`social_lloyd`.

    Returns
    -------
    SocialClustering
        Never dearer than ``start``.

    Notes
    -----
    Points pay in proportion to their share in the groups that decide (the multipliers). The center to close
    is drawn in inverse proportion to what its points would pay elsewhere; the one to open is the best of
    ``2 + log k`` points drawn by what they pay. Up to 8 center steps on a coreset of 10,000 points each.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.groups import Groups
    >>> X = np.array([[0.0], [0.1], [5.0], [5.1], [9.0], [9.1]])
    >>> points = GroupedPoints(X, Groups.from_features(list("ababab")))
    >>> poor = social_lloyd(points, np.array([[0.0], [0.1], [7.0]]))
    >>> improve_by_social_swaps(points, poor, 5, np.random.RandomState(0)).cost < poor.cost
    True
    """
    if len(start.centers) < 2:
        return start
    part, _ = social_coreset(points, _SMALL_SAMPLE)
    settle = min(_SETTLE, max_iter)
    here = social_lloyd(
        part, start.centers, max_iter=settle, tol=1e-4, multipliers=start.multipliers, prove=False
    )
    improved = False
    for _ in range(attempts):
        centers = _swapped(part, here, random_state)
        trial = social_lloyd(
            part, centers, max_iter=settle, tol=1e-4, multipliers=here.multipliers, prove=False
        )
        if trial.cost < here.cost * (1 - 1e-5):
            here, improved = trial, True
    if not improved:
        return start
    settled = _continued(points, replace(here, n_iter=start.n_iter), max_iter, tol)
    return settled if settled.cost < start.cost else start


def _swapped(
    points: GroupedPoints, present: SocialClustering, random_state: np.random.RandomState
) -> NDArray[np.float64]:
    """Centers with one of them closed and another opened."""
    k = len(present.centers)
    cost = _matrix(points, present.centers)
    rows = np.arange(len(cost))
    own = cost[rows, present.labels]
    cost[rows, present.labels] = np.inf
    weights = points.point_weights(present.multipliers)
    loss = np.bincount(present.labels, weights * (cost.min(axis=1) - own), minlength=k)
    away = np.ones(k) if not loss.max() > 0 else 1.0 / np.maximum(loss / loss.max(), 1e-12)
    closed = int(random_state.choice(k, p=away / away.sum()))
    # what is left when the center is gone
    own = np.where(present.labels == closed, cost.min(axis=1), own)
    total = np.cumsum(weights * own)
    centers = present.centers.copy()
    if not total[-1] > 0:
        return centers
    draws = random_state.uniform(size=2 + int(np.log(k))) * total[-1]
    opened = np.unique(np.minimum(np.searchsorted(total, draws, side="right"), len(own) - 1))
    left = weights @ np.minimum(_matrix(points, points.X[opened]), own[:, None])
    centers[closed] = points.X[opened[int(np.argmin(left))]]
    return centers


def _matrix(points: GroupedPoints, centers: Array) -> NDArray[np.float64]:
    source = PowerCosts(points.X, centers, points.power)
    return np.concatenate(map_blocks(points.n_points, source.block)).astype(np.float64)
