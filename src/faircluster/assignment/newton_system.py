"""Newton systems over multipliers, dense or with the structure that disjoint groups give them.

A bound on one group has the same coefficient for all signatures but the group's own. The matrix of such
bounds is then block diagonal, a block a signature, plus a term of rank 2 k: a solve takes S k^3 operations
instead of (S k)^3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

__all__ = ["SharedRows", "maximise_above", "maximise_dense"]

Array = NDArray[Any]
_ROUNDS = 30


def maximise_above(
    product: Callable[[Array], Array],
    solve: Callable[[NDArray[np.bool_], Array], Array],
    gradient: Array,
    low: Array,
) -> Array:
    """Maximise ``gradient.x - x.M.x / 2`` over ``x >= low`` by block pivoting.

    Parameters
    ----------
    product : callable
        x -> M x, for a positive definite M.
    solve : callable
        (moving, wanted) -> solution of M x = wanted among the moving entries, 0 for the others.
    gradient, low : ndarrays of the same shape

    Returns
    -------
    ndarray

    Notes
    -----
    Block principal pivoting (Judice & Pires 1994), a solve a round; ends early if it cycles, which
    the line search of the caller tolerates.
    """
    moving = np.ones(low.shape, dtype=np.bool_)
    x = low.copy()
    for _ in range(_ROUNDS):
        held = np.where(moving, 0.0, low)
        x = held
        if moving.any():
            wanted = np.where(moving, gradient - product(held), 0.0)
            x = held + solve(moving, wanted)
        below = moving & (x < low)
        pull = ~moving & (gradient - product(x) > 0)
        if not below.any() and not pull.any():
            break
        moving = (moving & ~below) | pull
    return np.maximum(x, low)


def maximise_dense(hessian: Array, gradient: Array, low: Array) -> Array:
    """Maximise ``gradient.x - x.hessian.x / 2`` over ``x >= low``.

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
    O(f^3) a round of :func:`maximise_above`.

    Examples
    --------
    >>> maximise_dense(np.eye(2), np.array([3.0, -3.0]), np.zeros(2)).tolist()
    [3.0, 0.0]
    """

    def solve(moving: NDArray[np.bool_], wanted: Array) -> Array:
        out = np.zeros(len(wanted))
        out[moving] = _solve_positive(hessian[np.ix_(moving, moving)], wanted[moving])
        return out

    return maximise_above(lambda x: hessian @ x, solve, gradient, low)


class SharedRows:
    """Bound rows that have one coefficient for all signatures, but for one signature each.

    Build it with :meth:`of`.

    Parameters
    ----------
    place : ndarray of shape (r,), int
        Where each row stands among S * t places, t to a signature.
    own : ndarray of shape (S, t, k)
        By how much the coefficient of a row's own signature differs from the others.
    shared : ndarray of shape (S, t, k)
        Coefficient for the others.

    Examples
    --------
    >>> from faircluster.bounds import FairnessBounds
    >>> from faircluster.groups import Groups
    >>> rows = FairnessBounds.slack(0.2).rows(Groups.from_features(list("abcc")), 2)
    >>> SharedRows.of(rows.coef).own.shape  # three signatures, two rows each, two clusters
    (3, 2, 2)
    """

    def __init__(self, place: NDArray[np.intp], own: Array, shared: Array) -> None:
        self.place, self.own, self.shared = place, own, shared

    @classmethod
    def of(cls, coef: Array, fewest: int = 3) -> SharedRows | None:
        """Structure of these coefficients, (k, r, S); None when they do not have it.

        A row belongs to the same signature in all clusters. Of two signatures (`fewest` = 2) all belong to
        the first.
        """
        k, r, S = coef.shape
        if r == 0 or fewest > S:
            return None
        shared = np.median(coef, axis=2) if S > 2 else coef[:, :, -1]
        off = coef - shared[:, :, None]
        differs = (off != 0).any(axis=0)  # (r, S)
        if (differs.sum(axis=1) > 1).any():
            return None
        signature = differs.argmax(axis=1)
        signature[~differs.any(axis=1)] = 0
        order = np.argsort(signature, kind="stable")
        counts = np.bincount(signature, minlength=S)
        rank = np.empty(r, dtype=np.intp)
        rank[order] = np.arange(r) - np.repeat(np.cumsum(counts) - counts, counts)
        t = int(counts.max())
        structure = cls(signature * t + rank, np.zeros((S, t, k)), np.zeros((S, t, k)))
        structure.own = structure.placed(off[:, np.arange(r), signature])
        structure.shared = structure.placed(shared)
        return structure

    def placed(self, values: Array) -> Array:
        """Values of rows, (k, r), at their places, (S, t, k); 0 elsewhere."""
        S, t, k = self.own.shape
        out = np.zeros((S * t, k), dtype=values.dtype)
        out[self.place] = values.T
        return out.reshape(S, t, k)

    def taken(self, values: Array) -> Array:
        """Inverse of :meth:`placed`."""
        return np.ascontiguousarray(values.reshape(-1, values.shape[2])[self.place].T)

    def maximise(self, hessian: Array, diagonal: Array, gradient: Array, low: Array, free: Array) -> Array:
        """Newton step over the free multipliers.

        Parameters
        ----------
        hessian : ndarray of shape (S, k, k)
            In the prices of each signature.
        diagonal, gradient, low : ndarrays of shape (k, r)
            Damping, slope, and how far multipliers can fall.
        free : ndarray of shape (k, r), bool

        Returns
        -------
        ndarray of shape (k, r)
            0 where not free.
        """
        allowed = self.placed(free)
        D = np.where(allowed, self.placed(diagonal), 1.0)
        own, shared = np.where(allowed, self.own, 0.0), np.where(allowed, self.shared, 0.0)
        total = hessian.sum(axis=0)

        def product(x: Array) -> Array:
            prices = (own * x).sum(axis=1) + (shared * x).sum(axis=(0, 1))
            slopes = np.matmul(hessian, prices[:, :, None])[:, :, 0]
            return np.asarray(own * slopes[:, None, :] + shared * slopes.sum(axis=0) + D * x)

        def solve(moving: NDArray[np.bool_], wanted: Array) -> Array:
            mine, common = np.where(moving, own, 0.0), np.where(moving, shared, 0.0)
            return _solve_shared(hessian, total, mine, common, np.where(moving, D, 1.0), wanted)

        step = maximise_above(
            product,
            solve,
            np.where(allowed, self.placed(gradient), 0.0),
            np.where(allowed, self.placed(low), 0.0),
        )
        return np.where(free, self.taken(step), 0.0)


def _solve_shared(H: Array, total: Array, own: Array, shared: Array, D: Array, wanted: Array) -> Array:
    """Solve for rows x: with c the sum of shared * x, and u that of H (own x + c), blocks do not touch.

    ``own (H (own x + c)) + shared u + D x = wanted`` gives x in terms of c and u by a solve a signature;
    put into the definitions of c and u that leaves 2 k equations.
    """
    S, t, k = own.shape
    scale = float(np.abs(total).max()) or 1.0  # u is then of the size of c
    flat = own.reshape(S, t * k)
    at = np.tile(np.arange(k), t)
    spread = H[:, at][:, :, at]  # (S, tk, tk)
    blocks = flat[:, :, None] * spread * flat[:, None, :]
    diagonal = np.einsum("sii->si", blocks)
    diagonal += D.reshape(S, t * k)
    ones = np.tile(np.eye(k), (t, 1))  # (tk, k)
    slopes = flat[:, :, None] * H[:, at]  # (S, tk, k): own H
    common = shared.reshape(S, t * k)[:, :, None] * ones
    right = np.concatenate([wanted.reshape(S, t * k, 1), slopes, scale * common], axis=2)
    found = np.linalg.solve(blocks, right)
    sums = np.matmul(common.transpose(0, 2, 1), found).sum(axis=0)  # (k, 1 + 2 k): shared x
    bent = np.matmul(slopes.transpose(0, 2, 1), found).sum(axis=0) / scale  # H own x
    eye = np.eye(k)
    matrix = np.block(
        [
            [eye + sums[:, 1 : k + 1], sums[:, k + 1 :]],
            [bent[:, 1 : k + 1] - total / scale, eye + bent[:, k + 1 :]],
        ]
    )
    both = np.linalg.solve(matrix, np.concatenate([sums[:, 0], bent[:, 0]]))
    x = found[:, :, 0] - found[:, :, 1:] @ both
    return np.asarray(x.reshape(S, t, k))


def _solve_positive(matrix: Array, wanted: Array) -> Array:
    _, solution, failed = dposv(matrix, wanted)
    if failed:  # positive definite but for rounding
        return np.asarray(np.linalg.solve(matrix, wanted))
    return np.asarray(solution)
