"""Prices on all partitions: each sums up what the dual needs, Newton's method runs where the sums arrive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray

from faircluster.assignment.prices import Relaxation, anneal
from faircluster.assignment.smoothed_dual import SmoothedDual, soft_sums
from faircluster.dask.partitions import Part, PartitionedPoints
from faircluster.distances import CostSource

__all__ = ["Costs", "PartitionedDual", "add", "relax_all"]

Array = NDArray[Any]
Costs = Callable[[Array], CostSource]  # points -> their costs at all centers; sent to the workers
_TOLERANCE = 3e-5
_LEVELS = 6


class PartitionedDual(SmoothedDual):
    """The smoothed dual of points in partitions.

    Parameters
    ----------
    points : PartitionedPoints
    costs : callable
        Points -> CostSource.
    coef, rhs : ndarrays of shapes (k, r, S) and (k, r)
        Bound rows, as in :class:`SmoothedDual`.

    Notes
    -----
    An evaluation is one pass over the partitions; each sends S k (k + 1) numbers.
    """

    def __init__(self, points: PartitionedPoints, costs: Costs, coef: Array, rhs: Array) -> None:
        self.points, self.costs = points, costs
        self.coef, self.rhs = coef, rhs

    @property
    def total(self) -> float:
        """Number of points."""
        return float(self.points.n_rows)

    def sums(self, prices: Array, temperature: float) -> tuple[Array, Array, Array]:
        """All that ``at`` needs of the points."""
        work = partial(_sums, costs=self.costs, prices=prices, temperature=temperature)
        found: tuple[Array, Array, Array] = self.points.reduce(work, add, "prices")
        return found


def relax_all(
    points: PartitionedPoints, costs: Costs, coef: Array, rhs: Array, start: Relaxation, most_excess: float
) -> Relaxation:
    """Solve the relaxed assignment problem of all points, from the solution of a summary.

    Parameters
    ----------
    points : PartitionedPoints
    costs : callable
    coef, rhs : ndarrays of shapes (k, r, S) and (k, r)
    start : Relaxation
        Of a similar problem with the same signatures and rows.
    most_excess : float
        Points by which bounds may be broken.

    Returns
    -------
    Relaxation
        Its lower bound holds for all points.
    """
    dual = PartitionedDual(points, costs, coef, rhs)
    return anneal(dual, start.multipliers, start.temperature, _TOLERANCE, _LEVELS, most_excess)


def add(parts: Sequence[tuple[Array, ...]]) -> tuple[Any, ...]:
    """Add up tuples of arrays, in the order given."""
    return tuple(sum(column[1:], column[0]) for column in zip(*parts, strict=True))


def _sums(part: Part, *, costs: Costs, prices: Array, temperature: float) -> tuple[Array, Array, Array]:
    return soft_sums(costs(part.X), part.signature, None, prices, temperature)
