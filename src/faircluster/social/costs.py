"""Costs of points at centers for any power of the distance, each row times a factor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.distances import DistanceCosts

__all__ = ["PowerCosts"]

Array = NDArray[Any]


class PowerCosts:
    """``factor_i * |x_i - c_j| ** p``, computed block by block when asked for: a cost source for the engine.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32 or float64
        Not copied.
    centers : ndarray of shape (k, d)
    power : float, default=2
        p, at least 1.
    factors : ndarray of shape (n,), default=None
        Non-negative; 1 each by default.

    Raises
    ------
    ValueError
        As :class:`~faircluster.distances.DistanceCosts`.

    Notes
    -----
    A block costs O(rows * d * k).

    Examples
    --------
    >>> import numpy as np
    >>> PowerCosts(np.array([[0.0], [3.0]]), np.array([[1.0]]), 3, np.array([1.0, 0.5])).block(0, 2)
    array([[1.],
           [4.]])
    """

    def __init__(self, X: Array, centers: Array, power: float = 2.0, factors: Array | None = None) -> None:
        self._squared, self._power, self._factors = DistanceCosts(X, centers), power, factors

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of points and centers, (n, k)."""
        return self._squared.shape

    def block(self, start: int, stop: int) -> Array:
        """Cost rows ``start`` to ``stop``."""
        return self._scaled(self._squared.block(start, stop), slice(start, stop))

    def take(self, rows: NDArray[np.intp]) -> Array:
        """Cost rows with these indices."""
        return self._scaled(self._squared.take(rows), rows)

    def _scaled(self, squared: Array, rows: slice | NDArray[np.intp]) -> Array:
        if self._power != 2:
            np.power(squared, 0.5 * self._power, out=squared)
        if self._factors is not None:
            squared *= self._factors[rows, None]
        return squared
