"""What facilities earn at given prices, what clients pay at fractional facilities, and the bound."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faircluster.social.instance import SocialInstance

__all__ = ["dual_bound", "earnings", "fractional_costs"]

Array = NDArray[Any]


def dual_bound(
    instance: SocialInstance, multipliers: Array, prices: Array, limit: Array | None = None
) -> float:
    """Bound on the cost of any k facilities, from any multipliers and prices.

    Parameters
    ----------
    instance : SocialInstance
    multipliers : ndarray of shape (m,)
        Non-negative; divided by their sum.
    prices : ndarray of shape (n,)
        Price alpha_i that each client offers for being served.
    limit : ndarray of shape (n,), default=None
        Costs above it are ruled out for the client.

    Returns
    -------
    float

    Notes
    -----
    With ``omega = multipliers @ weights``, facility j earns ``rho_j = sum_i max(0, alpha_i - omega_i
    c_ij)``. Any k open facilities C give every client ``omega_i c_i(C) >= alpha_i - max(0, ...)``, hence

        max_s cost_s >= sum_i omega_i c_i(C) >= sum_i alpha_i - (sum of the k largest rho_j),

    whatever the prices: nothing needs to be optimal, or even close, for the bound to hold. The same
    holds for the linear relaxation. O(n f).

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.social import SocialInstance
    >>> instance = SocialInstance.from_points(np.array([[0.0], [2.0]]), ["a", "b"], 1, 1)
    >>> dual_bound(instance, np.array([0.5, 0.5]), np.array([0.5, 0.5]))
    0.5
    """
    lam = multipliers / multipliers.sum()
    earned = earnings(instance, lam @ instance.weights, prices, limit)
    best = np.partition(earned, len(earned) - instance.n_clusters)[len(earned) - instance.n_clusters :]
    return float(prices.sum() - best.sum())


def earnings(
    instance: SocialInstance, omega: Array, prices: Array, limit: Array | None = None
) -> NDArray[np.float64]:
    """Sum what each facility earns, ``rho_j = sum_i max(0, alpha_i - omega_i c_ij)``, shape (f,); O(n f)."""
    earned = np.empty(instance.n_facilities)
    highest = np.full(instance.n_clients, np.finfo(float).max) if limit is None else limit
    for first, cost in instance.blocks():
        _earnings(cost, omega, prices, highest, earned[first : first + len(cost)])
    return earned


def fractional_costs(cost: Array, y: Array, limit: Array | None = None) -> NDArray[np.float64]:
    """Return what each client pays when it may use ``y_j`` of facility j, shape (n,).

    Parameters
    ----------
    cost : ndarray of shape (r, n)
    y : ndarray of shape (r,)
        Sums to at least 1.
    limit : ndarray of shape (n,), default=None
        Costs above it cannot be used; infinite when too little is left.

    Returns
    -------
    ndarray of shape (n,)
        ``min sum_j c_ij x_ij`` with ``0 <= x_ij <= y_j`` and ``sum_j x_ij = 1``: the nearest first.

    Examples
    --------
    >>> import numpy as np
    >>> fractional_costs(np.array([[0.0, 5.0], [4.0, 1.0]]), np.array([0.5, 1.0])).tolist()
    [2.0, 1.0]
    """
    used = np.flatnonzero(y > 0)
    cost, y = cost[used], y[used]
    order = np.argsort(cost, axis=0, kind="stable")
    sorted_cost, open_ = np.take_along_axis(cost, order, axis=0), y[order]
    if limit is not None:
        open_ = np.where(sorted_cost <= limit, open_, 0.0)
    before = np.cumsum(open_, axis=0) - open_
    taken = np.clip(1.0 - before, 0.0, open_)
    paid = (taken * sorted_cost).sum(axis=0)
    left = 1.0 - taken.sum(axis=0)
    if limit is not None:
        return np.where(left > 1e-9, np.inf, paid)
    # y sums to 1 up to rounding: the last crumb goes to the farthest
    return np.asarray(paid + np.maximum(left, 0.0) * sorted_cost[-1])


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})
def _earnings(cost, omega, prices, limit, out):  # type: ignore[no-untyped-def]
    for j in range(cost.shape[0]):
        total = 0.0
        for i in range(cost.shape[1]):
            gain = prices[i] - omega[i] * cost[j, i]
            if gain > 0.0 and cost[j, i] <= limit[i]:
                total += gain
        out[j] = total
