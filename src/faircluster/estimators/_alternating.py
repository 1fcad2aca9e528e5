"""Clusterers that alternate between centers and fair assignments."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state

from faircluster.assignment import AssignmentProblem
from faircluster.assignment.transport import assign_by_price
from faircluster.bounds import BoundRows, check_feasible
from faircluster.centers import Geometry
from faircluster.estimators._base import BaseFairClusterer, is_number
from faircluster.groups import Groups
from faircluster.refinement import Clustering, fair_lloyd, improve_by_swaps, polish

__all__ = ["AlternatingClusterer"]

Array = NDArray[Any]
logger = logging.getLogger("faircluster")


class AlternatingClusterer(  # type: ignore[misc]
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseFairClusterer
):
    """Starts, alternation, strict assignment: the common course of fair k-means and k-median."""

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        bounds: Any = 0.2,
        rounding: str = "strict",
        size_min: Any = None,
        size_max: Any = None,
        init: Any = "k-means++",
        n_init: int = 3,
        n_swaps: int | None = None,
        max_iter: int = 100,
        tol: float = 1e-4,
        time_limit: float | None = None,
        missing: str = "error",
        intersect: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.bounds = bounds
        self.rounding = rounding
        self.size_min = size_min
        self.size_max = size_max
        self.init = init
        self.n_init = n_init
        self.n_swaps = n_swaps
        self.max_iter = max_iter
        self.tol = tol
        self.time_limit = time_limit
        self.missing = missing
        self.intersect = intersect
        self.random_state = random_state
        self.verbose = verbose

    def _geometry(self, X: Array, weights: Array | None) -> Geometry:
        raise NotImplementedError  # pragma: no cover

    def _keep_centers(self, centers: Array, result: Any) -> None:
        raise NotImplementedError  # pragma: no cover

    def _fit(self, X: Array, groups: Groups, given: Any) -> None:
        geometry, problem, best, plain = self._search(X, groups)
        centers, result, more = polish(
            geometry, problem, best, rounds=1 if self.max_iter == 1 else 3, max_iter=self.max_iter
        )
        nearest = assign_by_price(
            geometry.costs(centers), groups.signature, np.zeros((groups.n_signatures, self.n_clusters))
        )[2]
        here = float(nearest.sum() if groups.weights is None else nearest @ groups.weights)
        self._store(result, min(plain, here), best.n_iter + more)
        self._keep_centers(centers, result)

    def _search(self, X: Array, groups: Groups) -> tuple[Geometry, AssignmentProblem, Clustering, float]:
        """Best relaxed clustering, and the least cost without bounds; weights may be divided."""
        self._check_parameters()
        random_state = check_random_state(self.random_state)
        geometry = self._geometry(X, groups.weights)
        problem = self._problem(groups)
        rows = problem.bounds.rows(groups, self.n_clusters, self.size_min, self.size_max)
        check_feasible(groups, problem.bounds, self.n_clusters, self.size_min, self.size_max)
        best, plain = self._best_start(geometry, groups, rows, random_state)
        swaps = self.n_swaps
        if swaps is None:  # centers that are given are meant
            swaps = 2 * self.n_clusters if isinstance(self.init, str) else 0
        if self.max_iter > 1 and swaps:
            best = improve_by_swaps(
                geometry, groups, rows, best, swaps, random_state, max_iter=self.max_iter, tol=self.tol
            )
        return geometry, problem, best, plain

    def _best_start(
        self, geometry: Geometry, groups: Groups, rows: BoundRows, random_state: np.random.RandomState
    ) -> tuple[Clustering, float]:
        """Best clustering of all starts, and the least cost without bounds."""
        free = replace(rows, coef=rows.coef[:, :0], rhs=rows.rhs[:, :0], descriptions=())
        best: Clustering | None = None
        least = np.inf
        given = not isinstance(self.init, str)
        for start in range(1 if given else self.n_init):
            centers = self._start(geometry, random_state)
            if self.max_iter > 1:
                # The plain method first: its centers are near the fair ones, and its cost is the
                # yardstick for the price of fairness.
                plain = fair_lloyd(geometry, groups, free, centers, max_iter=self.max_iter, tol=self.tol)
                least = min(least, plain.cost)
                if not given:  # centers that are given may be fair ones already
                    centers = plain.centers
            trial = fair_lloyd(geometry, groups, rows, centers, max_iter=self.max_iter, tol=self.tol)
            logger.log(
                logging.INFO if self.verbose else logging.DEBUG,
                "%s: start %d, cost %.6g after %d assignments",
                type(self).__name__,
                start + 1,
                trial.cost,
                trial.n_iter,
            )
            if best is None or trial.cost < best.cost:
                best = trial
        assert best is not None
        return best, float(least)

    def _start(self, geometry: Geometry, random_state: np.random.RandomState) -> Array:
        if isinstance(self.init, str):
            return geometry.start(self.init, self.n_clusters, random_state)
        return self._given_centers(np.asarray(self.init), geometry)

    def _given_centers(self, init: Array, geometry: Geometry) -> Array:
        X = geometry.X  # type: ignore[attr-defined]
        if init.shape != (self.n_clusters, X.shape[1]):
            raise ValueError(
                f"init has shape {init.shape}; starting centers need (n_clusters, n_features) = "
                f"({self.n_clusters}, {X.shape[1]})"
            )
        if init.dtype.kind not in "iuf" or not np.isfinite(init).all():
            raise ValueError(
                f"init must hold finite numbers, got {init.dtype} with {init.ravel()[:3]} ...; "
                "give finite starting centers"
            )
        return np.array(init, dtype=X.dtype)

    def _check_parameters(self) -> None:
        for name, least in (("n_init", 1), ("max_iter", 1)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
        if self.n_swaps is not None and (not isinstance(self.n_swaps, int | np.integer) or self.n_swaps < 0):
            raise ValueError(f"n_swaps must be None or a whole number of at least 0, got {self.n_swaps!r}")
        if not is_number(self.tol) or not self.tol >= 0:
            raise ValueError(f"tol must be a number of zero or more, got {self.tol!r}")
        if isinstance(self.init, str) and self.init not in ("k-means++", "random"):
            raise ValueError(f"init must be 'k-means++', 'random' or an array of centers, got {self.init!r}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
