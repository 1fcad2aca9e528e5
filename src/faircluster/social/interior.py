"""An interior point method for the relaxation on some facilities and the pairs within reach.

The program: open ``y_j`` of facility j and serve ``x_ij`` of client i by it, or leave ``v_i`` of the
client in its sink at cost ``reach_i``,

    minimise z   with   sum_j x_ij + v_i = 1,   0 <= x_ij <= y_j,   sum_j y_j = k,
                        sum_i w_s(i) (sum_j c_ij x_ij + reach_i v_i) <= z   for every group s.

Its dual has a price alpha_i for every client, multipliers lambda_s of the groups (they sum to 1), and nu
for the number of facilities. Pairs and clients are eliminated from Newton's equations in closed form, and
a matrix as large as the number of facilities is left. No general solver is used: the program has as many
rows as pairs, and this way none of them is ever written down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from faircluster.social.interior_kernels import (
    directions,
    normal_equations,
    right_hand_side,
    scaled_portions,
)

__all__ = ["InteriorPoint", "InteriorSolution", "Pairs", "solve_pairs"]

Array = NDArray[Any]
_BLOCK = 4096  # clients whose pairs are made dense at a time


@dataclass(frozen=True, eq=False)
class Pairs:
    """Clients and the facilities within their reach.

    Attributes
    ----------
    start : ndarray of shape (n + 1,), int64
        Pairs ``start[i]:start[i + 1]`` are those of client i.
    facility : ndarray of int32
        Facility of each pair, ascending within a client.
    cost : ndarray of float64
        Cost of each pair.
    reach : ndarray of shape (n,)
        Cost of leaving a client unserved, above those of its pairs.
    n_facilities : int
    """

    start: NDArray[np.int64]
    facility: NDArray[np.int32]
    cost: NDArray[np.float64]
    reach: NDArray[np.float64]
    n_facilities: int

    @classmethod
    def within(cls, cost: Array, reach: Array, limit: Array | None = None) -> Pairs:
        """Pairs of a matrix (facilities, clients) below a reach; none above a limit."""
        near = cost < (reach if limit is None else np.minimum(reach, limit))
        client, facility = np.nonzero(near.T)
        start = np.concatenate([[0], np.cumsum(near.sum(axis=0))]).astype(np.int64)
        return cls(start, facility.astype(np.int32), cost[facility, client], reach, len(cost))


@dataclass(frozen=True, eq=False)
class InteriorSolution:
    """Primal and dual values next to the optimum.

    Attributes
    ----------
    y : ndarray of shape (r,)
        How much of each facility is open; they sum to k.
    value : float
        z of the program with sinks.
    prices : ndarray of shape (n,)
        alpha.
    multipliers : ndarray of shape (m,)
        lambda.
    rent : float
        nu.
    sink : ndarray of shape (n,)
        How much of each client is not served.
    gap : float
        Relative difference of the values of primal and dual.
    n_iter : int
    """

    y: NDArray[np.float64]
    value: float
    prices: NDArray[np.float64]
    multipliers: NDArray[np.float64]
    rent: float
    sink: NDArray[np.float64]
    gap: float
    n_iter: int


def solve_pairs(
    pairs: Pairs, weights: Array, k: int, *, tolerance: float = 1e-7, max_iter: int = 200
) -> InteriorSolution:
    """Solve the program of the module to a relative gap.

    Parameters
    ----------
    pairs : Pairs
        Every reach must be positive, every facility must have a pair.
    weights : ndarray of shape (m, n)
        No row and no column may be zero throughout.
    k : int
    tolerance : float, default=1e-7
    max_iter : int, default=200

    Returns
    -------
    InteriorSolution
        The last iterate is strictly feasible for both programs, whether or not the gap is reached.

    Notes
    -----
    Mehrotra's predictor and corrector from a strictly feasible pair. An iteration costs O(n r^2),
    as a product of matrices, and the Cholesky factor of a matrix (r, r). Since all
    iterates stay off the boundary, the prices are central, which is what pricing new facilities
    wants: extreme prices make column generation wander (Gondzio, Gonzalez-Brevis & Munari 2013).

    Examples
    --------
    >>> import numpy as np
    >>> cost = np.array([[0.0, 1.0, 9.0], [9.0, 8.0, 0.0]])
    >>> pairs = Pairs.within(cost, np.full(3, 20.0))
    >>> round(solve_pairs(pairs, np.full((1, 3), 1 / 3), 2).value, 5)
    0.33333
    """
    return InteriorPoint(pairs, weights, k).run(tolerance, max_iter)


class InteriorPoint:
    """The method of :func:`solve_pairs`, which can be continued to a smaller gap."""

    def __init__(self, pairs: Pairs, weights: Array, k: int) -> None:
        n, m, r, size = len(pairs.reach), len(weights), pairs.n_facilities, len(pairs.cost)
        self.weights, self.k = weights, k
        self.scale = float(weights.mean(axis=0) @ pairs.reach)
        cost, reach = pairs.cost / self.scale, pairs.reach / self.scale
        self._layout: tuple[Array, ...] = (pairs.start, pairs.facility, cost, reach, weights)
        self.theta, self.portion = np.empty(size), np.empty(size)
        self.total, self.center, self.mean = np.empty(n), np.empty(n), np.empty(n)
        self.diagonal, self.A, self.V = np.empty(r), np.empty((r, m)), np.empty((m, m))
        self.block = np.empty((min(n, _BLOCK), r))
        self.e, self.f, self.dalpha = np.empty(r), np.empty(m), np.empty(n)
        self.delta = [np.empty(size) for _ in range(4)] + [np.empty(n) for _ in range(2)]
        self.n_iter = 0
        self._begin(pairs, cost, reach)

    def run(self, tolerance: float, max_iter: int = 200) -> InteriorSolution:
        """Continue to a relative gap, for at most so many further iterations."""
        last = self.n_iter + max_iter
        while self.gap > tolerance * self.value and self.n_iter < last and self._advance():
            self.n_iter += 1
        return InteriorSolution(
            self.y.copy(),
            float(self.value) * self.scale,
            self.alpha * self.scale,
            self.lam.copy(),
            float(self.nu) * self.scale,
            self.sink.copy(),
            float(self.gap / self.value),
            self.n_iter,
        )

    def _begin(self, pairs: Pairs, cost: Array, reach: Array) -> None:
        """Set a strictly feasible pair of solutions, all products of about the same size."""
        n, size, k, r = len(reach), len(cost), self.k, pairs.n_facilities
        degree = np.diff(pairs.start)
        client = np.repeat(np.arange(n), degree)
        self.y = np.full(r, k / r)
        share = np.minimum(1.0 / (degree + 1.0), 0.5 * k / r)
        self.x = share[client]
        self.u = k / r - self.x
        self.sink = 1.0 - share * degree
        spent = self.weights @ (np.bincount(client, self.x * cost, minlength=n) + self.sink * reach)
        mu = 1.0 / max(size, n)
        self.value = _level(spent, mu)
        self.t = self.value - spent
        self.lam = mu / self.t
        self.lam /= self.lam.sum()
        omega = self.lam @ self.weights
        # every facility must earn the same rent from the pairs it has
        used = np.bincount(pairs.facility, minlength=r)
        self.nu = mu * float(used.max()) * r / k
        self.beta = (self.nu / used)[pairs.facility]
        lowest = omega * reach
        np.minimum.at(lowest, client, omega[client] * cost + self.beta)
        self.alpha = lowest - mu / share
        self.sigma = omega[client] * cost + self.beta - self.alpha[client]
        self.slack = omega * reach - self.alpha
        self.gap = self._products()

    def _products(self) -> float:
        return float(self.x @ self.sigma + self.u @ self.beta + self.sink @ self.slack + self.t @ self.lam)

    def _state(self) -> tuple[Array, ...]:
        return self.x, self.u, self.sigma, self.beta, self.sink, self.slack

    def _factorize(self) -> None:
        m, r = len(self.weights), len(self.y)
        normal_equations(  # type: ignore[call-arg]
            *self._layout, *self._state(),
            self.theta, self.portion, self.total, self.center, self.diagonal, self.A, self.V,
        )  # fmt: skip
        M = np.diag(self.diagonal)
        for first in range(0, len(self.total), _BLOCK):
            part = self.block[: len(self.total) - first]
            scaled_portions(self._layout[0], self._layout[1], self.portion, self.total, first, part)
            M += part.T @ part
        M[np.arange(r), np.arange(r)] *= 1 + 1e-14
        self._factor = cho_factor(M, lower=True, overwrite_a=True, check_finite=False)
        solved = cho_solve(self._factor, np.column_stack([np.ones(r), self.A]), check_finite=False)
        self._one, self._groups = solved[:, 0], solved[:, 1:]
        S = np.zeros((m + 2, m + 2))
        S[:m, :m] = self.A.T @ self._groups + self.V + np.diag(self.t / self.lam)
        S[:m, m] = S[m, :m] = 1.0
        S[:m, m + 1] = -self.A.T @ self._one
        S[m + 1, :m] = self._one @ self.A
        S[m + 1, m + 1] = -self._one.sum()
        self._small = S

    def _direction(self, wx: Array, wu: Array, ws: Array, wt: Array) -> tuple[Any, ...]:
        """Newton's direction towards products changed by these amounts, and the longest steps along it."""
        m = len(self.weights)
        x, u, sigma, beta, sink, slack = self._state()
        inner = (self.theta, self.portion, self.total, self.center)
        right_hand_side(  # type: ignore[call-arg]
            *self._layout, x, u, sink, slack, *inner, wx, wu, ws, self.e, self.mean, self.f
        )  # fmt: skip
        solved = cho_solve(self._factor, self.e, check_finite=False)
        known = np.concatenate([wt / self.lam + self.f - self.A.T @ solved, [0.0, -solved.sum()]])
        small = np.linalg.solve(self._small, known)
        dlam, dz, dnu = small[:m], small[m], small[m + 1]
        dy = solved - self._one * dnu + self._groups @ dlam
        dt = (wt - self.t * dlam) / self.lam
        primal, dual = directions(  # type: ignore[call-arg]
            *self._layout, x, u, sigma, beta, sink, slack, *inner,
            wx, wu, ws, self.mean, dy, dlam, self.dalpha, *self.delta,
        )  # fmt: skip
        primal = max(primal, float((-dt / self.t).max()), 1.0)
        dual = max(dual, float((-dlam / self.lam).max()), 1.0)
        with np.errstate(invalid="ignore"):  # infinities of both signs
            sums = [primal, dual, dz, dnu, dy.sum(), self.dalpha.sum(), *(d.sum() for d in self.delta)]
        if not np.isfinite(sums).all():
            raise LinAlgError("the direction is not finite")
        return dy, dlam, dz, dnu, dt, 1.0 / primal, 1.0 / dual

    def _advance(self) -> bool:
        """One predictor-corrector step; False when rounding errors allow no more."""
        x, u, sigma, beta, sink, slack = self._state()
        dx, du, dsigma, dbeta, dsink, dslack = self.delta
        mu = self.gap / (2 * len(x) + len(sink) + len(self.t))
        try:
            self._factorize()
            dy, dlam, dz, dnu, dt, primal, dual = self._direction(
                -x * sigma, -u * beta, -sink * slack, -self.t * self.lam
            )
            predicted = float(
                (x + primal * dx) @ (sigma + dual * dsigma)
                + (u + primal * du) @ (beta + dual * dbeta)
                + (sink + primal * dsink) @ (slack + dual * dslack)
                + (self.t + primal * dt) @ (self.lam + dual * dlam)
            )
            aim = max((predicted / self.gap) ** 3, 1e-6) * mu
            dy, dlam, dz, dnu, dt, primal, dual = self._direction(
                aim - x * sigma - dx * dsigma,
                aim - u * beta - du * dbeta,
                aim - sink * slack - dsink * dslack,
                aim - self.t * self.lam - dt * dlam,
            )
        except (LinAlgError, np.linalg.LinAlgError):
            return False
        if max(primal, dual) < 1e-9:
            return False
        primal, dual = 0.99 * primal, 0.99 * dual
        self.y += primal * dy
        self.value += primal * dz
        self.t += primal * dt
        for values, change in ((x, dx), (u, du), (sink, dsink)):
            np.add(values, primal * change, out=values)
        self.alpha += dual * self.dalpha
        self.lam += dual * dlam
        self.nu += dual * dnu
        for values, change in ((sigma, dsigma), (beta, dbeta), (slack, dslack)):
            np.add(values, dual * change, out=values)
        self.gap = self._products()
        return True


def _level(spent: Array, mu: float) -> float:
    """Find z above all groups' costs with multipliers mu / (z - cost) that sum to 1."""
    low, high = float(spent.max()), float(spent.max()) + len(spent) * mu
    for _ in range(60):
        middle = 0.5 * (low + high)
        if (mu / np.maximum(middle - spent, 1e-300)).sum() > 1:
            low = middle
        else:
            high = middle
    return high
