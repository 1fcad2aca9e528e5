"""Farthest-first centers for k-center and k-supplier, and the best center of a cluster."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.centers.metric import Metric

__all__ = ["farthest_first", "minimax_center"]

Array = NDArray[Any]


def farthest_first(
    metric: Metric, n_clusters: int, first: int, order: NDArray[np.intp], held: Array | None = None
) -> tuple[NDArray[np.intp], float, float]:
    """Centers nearest to points each of which is the farthest from those before it.

    Parameters
    ----------
    metric : Metric
    n_clusters : int
        At most the number of facilities.
    first : int
        The first point.
    order : ndarray of shape (n,)
        From :meth:`Metric.order`; decides ties.
    held : ndarray of shape (n,), bool, default=None
        Points that count; the others are not visited, nor are they centers while others are left.

    Returns
    -------
    rows : ndarray of shape (n_clusters,), int
        Different facilities.
    radius : float
        Largest distance of a point to its nearest center.
    lower_bound : float
        No centers have a smaller radius, by the triangle inequality: two of k + 1 points share one.

    Notes
    -----
    O(n k d). With the points as facilities the radius is at most twice the least (Gonzalez,
    "Clustering to minimize the maximum intercluster distance", 1985). With others at most three
    times (Hochbaum & Shmoys, "A unified approach to approximation algorithms for bottleneck
    problems", 1986): points visited while someone is still more than 2 r away are served by
    different facilities within r, the optimum.

    Examples
    --------
    >>> import numpy as np
    >>> metric = Metric(np.array([[0.0], [1.0], [9.0], [5.0]]))
    >>> farthest_first(metric, 2, 0, metric.order())
    (array([0, 2]), 4.0, 2.0)
    """
    chosen: list[int] = []
    gap = np.full(metric.n_points, np.inf)  # to the points visited
    if held is not None:
        gap[~held] = -np.inf
    reach = gap.copy()  # to the centers
    point, lower_bound = first, 0.0
    for visited in range(1, 2 * n_clusters + 1):
        center = metric.nearest(point)
        if center not in chosen:
            chosen.append(center)
            np.minimum(reach, metric.to(np.array([center]))[:, 0], out=reach)
        if metric.own:
            np.minimum(gap, reach, out=gap)
        else:
            lower_bound = max(lower_bound, float(metric.among(np.array([point]), center)[0]))
            np.minimum(gap, metric.apart(point), out=gap)
        gap[point] = -np.inf
        point = int(order[np.argmax(gap[order])])
        if visited == n_clusters:
            lower_bound = max(lower_bound, 0.5 * float(gap[point]))
        if len(chosen) == n_clusters or gap[point] == -np.inf:
            break
    for row in range(metric.n_facilities):  # where points, or their nearest facilities, are too few
        if len(chosen) < n_clusters and row not in chosen:
            chosen.append(row)
            np.minimum(reach, metric.to(np.array([row]))[:, 0], out=reach)
    return np.array(chosen, dtype=np.intp), float(reach.max()), lower_bound


def minimax_center(
    metric: Metric, members: NDArray[np.intp], start: int, trials: int = 40
) -> tuple[int, float]:
    """Facility whose largest distance to some points is least.

    Parameters
    ----------
    metric : Metric
    members : ndarray of int
        Points of the cluster. Where the points are the facilities, only members are tried.
    start : int
        A facility to begin with.
    trials : int, default=40
        Most facilities whose largest distance is computed.

    Returns
    -------
    row : int
        The best facility found, or ``start`` when none is better.
    radius : float

    Notes
    -----
    O(m d) a trial for m members and facilities. The largest distance to the far points found so
    far bounds every facility's radius from below; the one with the least bound is tried next,
    and once its bound is not below the best radius, that is the optimum.

    Examples
    --------
    >>> import numpy as np
    >>> metric = Metric(np.array([[0.0], [4.0], [5.0], [9.0]]))
    >>> minimax_center(metric, np.arange(4), 0)
    (1, 5.0)
    """
    candidates = members if metric.own else np.arange(metric.n_facilities)
    distances = metric.among(members, start)
    best, radius = start, float(distances.max())
    bound = np.zeros(len(candidates))
    far = int(members[np.argmax(distances)])
    for _ in range(trials):
        np.maximum(bound, metric.of(far, candidates), out=bound)
        candidate = int(np.argmin(bound))
        if bound[candidate] >= radius:
            break
        distances = metric.among(members, int(candidates[candidate]))
        eccentricity = float(distances.max())
        bound[candidate] = eccentricity
        if eccentricity < radius:
            best, radius = int(candidates[candidate]), eccentricity
        far = int(members[np.argmax(distances)])
    return best, radius
