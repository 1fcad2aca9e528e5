"""Passes over the pairs of a restricted relaxation, one for every step of the interior point method.

Client i may be served by the pairs ``start[i]:start[i + 1]``, pair q by facility ``facility[q]`` at
``cost[q]``, or stay in its sink at ``reach[i]``. For pair q: ``x`` (served), ``u = y - x`` (room), and
their dual slacks ``sigma`` and ``beta``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["directions", "normal_equations", "right_hand_side", "scaled_portions"]

# divisions and sums may be reordered; infinities must keep their meaning
_FAST = {"reassoc", "contract", "arcp", "nsz"}


@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def normal_equations(start, facility, cost, reach, weights, x, u, sigma, beta, sink, slack, theta, portion, total, center, diagonal, A, V):  # type: ignore[no-untyped-def] # fmt: skip # noqa: E501
    """Eliminate the pairs: what is left are a diagonal (facilities), A and V (groups).

    Writes theta = 1 / (beta / u + sigma / x), portion = theta beta / u, and per client the sum of
    theta (total) and its mean cost weighted by theta (center). O(pairs m).
    """
    n, m = len(reach), weights.shape[0]
    diagonal[:] = 0.0
    A[:] = 0.0
    V[:] = 0.0
    for i in range(n):
        t0 = sink[i] / slack[i]
        mass, moment = t0, t0 * reach[i]
        for q in range(start[i], start[i + 1]):
            b = beta[q] / u[q]
            s = sigma[q] / x[q]
            theta[q] = 1.0 / (b + s)
            portion[q] = b * theta[q]
            mass += theta[q]
            moment += theta[q] * cost[q]
            diagonal[facility[q]] += portion[q] * s
        total[i], center[i] = mass, moment / mass
        spread = t0 * (reach[i] - center[i]) ** 2
        for q in range(start[i], start[i + 1]):
            e = cost[q] - center[i]
            spread += theta[q] * e * e
            e *= portion[q]
            for s_ in range(m):
                A[facility[q], s_] -= e * weights[s_, i]
        for a in range(m):
            if weights[a, i] != 0.0:
                for b_ in range(m):
                    V[a, b_] += weights[a, i] * weights[b_, i] * spread


@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def scaled_portions(start, facility, portion, total, first, out):  # type: ignore[no-untyped-def]
    """Portions of the clients from ``first`` on over the root of their total, dense (clients, facilities)."""
    out[:] = 0.0
    for row in range(out.shape[0]):
        i = first + row
        factor = 1.0 / np.sqrt(total[i])
        for q in range(start[i], start[i + 1]):
            out[row, facility[q]] = portion[q] * factor


@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def right_hand_side(start, facility, cost, reach, weights, x, u, sink, slack, theta, portion, total, center, wx, wu, ws, e, mean, f):  # type: ignore[no-untyped-def] # fmt: skip # noqa: E501
    """Right-hand sides e (facilities) and f (groups) for complementarity targets wx, wu and ws."""
    n, m = len(reach), weights.shape[0]
    e[:] = 0.0
    f[:] = 0.0
    for i in range(n):
        t = ws[i] / slack[i]  # theta of the sink times ws / sink
        h, moment = t, t * (reach[i] - center[i])
        for q in range(start[i], start[i + 1]):
            room = wu[q] / u[q]
            both = wx[q] / x[q] - room
            t = theta[q] * both
            h += t
            moment += t * (cost[q] - center[i])
            e[facility[q]] += room + portion[q] * both
        mean[i] = h / total[i]
        for q in range(start[i], start[i + 1]):
            e[facility[q]] -= portion[q] * mean[i]
        for s in range(m):
            f[s] += weights[s, i] * moment


@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def directions(start, facility, cost, reach, weights, x, u, sigma, beta, sink, slack, theta, portion, total, center, wx, wu, ws, mean, dy, dlam, dalpha, dx, du, dsigma, dbeta, dsink, dslack):  # type: ignore[no-untyped-def] # fmt: skip # noqa: E501
    """Directions of everything that was eliminated; largest shares by which variables shrink."""
    n, m = len(reach), weights.shape[0]
    primal, dual = 0.0, 0.0
    for i in range(n):
        g = 0.0
        for s in range(m):
            g += weights[s, i] * dlam[s]
        taken = 0.0
        for q in range(start[i], start[i + 1]):
            taken += portion[q] * dy[facility[q]]
        a = center[i] * g - mean[i] - taken / total[i]
        dalpha[i] = a
        target = ws[i] / sink[i]
        v = sink[i] / slack[i] * (target + a - reach[i] * g)
        w = target - slack[i] / sink[i] * v
        dsink[i], dslack[i] = v, w
        primal, dual = max(primal, -v / sink[i]), max(dual, -w / slack[i])
        for q in range(start[i], start[i + 1]):
            over_x, over_u = 1.0 / x[q], 1.0 / u[q]
            tx, tu = wx[q] * over_x, wu[q] * over_u
            move = dy[facility[q]]
            v = theta[q] * (tx - tu + a - cost[q] * g) + portion[q] * move
            room = move - v
            ds = tx - sigma[q] * over_x * v
            db = tu - beta[q] * over_u * room
            dx[q], du[q], dsigma[q], dbeta[q] = v, room, ds, db
            primal = max(primal, -v * over_x, -room * over_u)
            dual = max(dual, -ds / sigma[q], -db / beta[q])
    return primal, dual
