"""Concave quadratic maximisation above lower limits, for Newton steps over multipliers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

__all__ = ["maximise_above"]

Array = NDArray[Any]


def maximise_above(hessian: Array, gradient: Array, low: Array) -> Array:
    """Maximise ``gradient.x - x.hessian.x / 2`` over ``x >= low`` by block pivoting.

    Parameters
    ----------
    hessian : ndarray of shape (f, f)
        Positive definite.
    gradient, low : ndarrays of shape (f,)

    Returns
    -------
    ndarray of shape (f,)

    Notes
    -----
    Block principal pivoting (Judice & Pires 1994), O(f^3) a round; ends early if it cycles, which
    the line search of the caller tolerates.

    Examples
    --------
    >>> maximise_above(np.eye(2), np.array([3.0, -3.0]), np.zeros(2)).tolist()
    [3.0, 0.0]
    """
    moving = np.ones(len(low), dtype=bool)
    x = low.copy()
    for _ in range(30):
        x = low.copy()
        if moving.any():
            wanted = gradient[moving] - hessian[np.ix_(moving, ~moving)] @ low[~moving]
            x[moving] = _solve_positive(hessian[np.ix_(moving, moving)], wanted)
        below = moving & (x < low)
        pull = ~moving & (gradient - hessian @ x > 0)
        if not below.any() and not pull.any():
            break
        moving = (moving & ~below) | pull
    return np.maximum(x, low)


def _solve_positive(matrix: Array, wanted: Array) -> Array:
    _, solution, failed = dposv(matrix, wanted)
    if failed:  # positive definite but for rounding
        return np.asarray(np.linalg.solve(matrix, wanted))
    return np.asarray(solution)
