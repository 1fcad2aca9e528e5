"""Leave local optima: close one center, open another, settle again, keep what is better."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.bounds import BoundRows
from faircluster.centers import Geometry
from faircluster.distances import CostSource, map_blocks
from faircluster.groups import Groups
from faircluster.refinement.lloyd import Clustering, coarse_part, fair_lloyd

__all__ = ["improve_by_swaps"]

Array = NDArray[Any]
_SAMPLE = 20_000  # points that swaps of large data are tried on
_ROUGH = 1e-3  # relative gap of the relaxed assignments on trial
_SETTLE = 25  # assignments a swap gets to show what it is worth


def improve_by_swaps(
    geometry: Geometry,
    groups: Groups,
    rows: BoundRows,
    start: Clustering,
    attempts: int,
    random_state: np.random.RandomState,
    *,
    max_iter: int = 100,
    tol: float = 1e-4,
) -> Clustering:
    """Try random swaps of centers and keep the improvements.

    Parameters
    ----------
    geometry : Geometry
    groups : Groups
    rows : BoundRows
    start : Clustering
        From :func:`fair_lloyd`.
    attempts : int
        Number of swaps tried.
    random_state : RandomState
    max_iter, tol
        For settling after the swaps, as in :func:`fair_lloyd`.

    Returns
    -------
    Clustering
        Never dearer than ``start``.

    Notes
    -----
    Random swap clustering (Franti 2018, "Efficiency of random swap clustering"), with the center
    to close drawn in inverse proportion to what its points would pay elsewhere and the new one
    like in k-means++. Each attempt costs up to 25 assignments; large data swap on a sample.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.bounds import FairnessBounds
    >>> from faircluster.centers import Means
    >>> X = np.array([[0.0], [0.1], [5.0], [5.1], [9.0], [9.1]])
    >>> groups = Groups.from_features(list("ababab"))
    >>> rows = FairnessBounds.exact().rows(groups, 3)
    >>> poor = fair_lloyd(Means(X), groups, rows, np.array([[0.0], [0.1], [7.0]]))
    >>> better = improve_by_swaps(Means(X), groups, rows, poor, 10, np.random.RandomState(0))
    >>> round(better.cost, 3) <= round(poor.cost, 3)
    True
    """
    if len(start.centers) < 2 or attempts == 0:
        return start
    part_geometry, part_groups = coarse_part(geometry, groups, _SAMPLE)
    whole = part_geometry is geometry
    best = start
    if not whole:
        best = fair_lloyd(part_geometry, part_groups, rows, start.centers, max_iter=_SETTLE, tol=tol)
    improved = False
    for _ in range(attempts):
        centers = _swapped(part_geometry, best, random_state)
        trial = fair_lloyd(
            part_geometry,
            part_groups,
            rows,
            centers,
            max_iter=min(_SETTLE, max_iter),
            tol=tol,
            precision=_ROUGH,
        )
        if trial.cost < best.cost * (1 - 1e-5):
            best, improved = trial, True
    if not improved:
        return start
    settled = fair_lloyd(geometry, groups, rows, best.centers, max_iter=max_iter, tol=tol)
    if settled.cost < start.cost:
        return replace(settled, n_iter=start.n_iter + settled.n_iter)
    return start


def _swapped(geometry: Geometry, present: Clustering, random_state: np.random.RandomState) -> Array:
    own, loss = _losses(geometry.costs(present.centers), present.labels, geometry.weights)
    keep_away = 1.0 / np.maximum(loss, 1e-12 * max(float(loss.max()), 1e-300))
    closed = int(random_state.choice(len(loss), p=keep_away / keep_away.sum()))
    total = np.cumsum(own[geometry.order])
    if total[-1] <= 0:
        return present.centers
    drawn = int(np.searchsorted(total, random_state.uniform() * total[-1], side="right"))
    opened = geometry.order[min(drawn, len(own) - 1)]
    centers = present.centers.copy()
    centers[closed] = geometry.at(np.array([opened]))[0]
    return centers


def _losses(source: CostSource, labels: Array, weights: Array | None) -> tuple[Array, Array]:
    """Cost of every point, and what closing each center would add."""
    k = source.shape[1]

    def work(start: int, stop: int) -> tuple[Array, Array]:
        cost = np.array(source.block(start, stop), dtype=np.float64)
        mine = labels[start:stop]
        rows = np.arange(len(mine))
        own = cost[rows, mine]
        cost[rows, mine] = np.inf
        weight = 1.0 if weights is None else weights[start:stop]
        extra = np.maximum(cost.min(axis=1) - own, 0.0) * weight
        return own * weight, np.bincount(mine, weights=extra, minlength=k)

    parts = map_blocks(len(labels), work)
    return np.concatenate([own for own, _ in parts]), np.sum([loss for _, loss in parts], axis=0)
