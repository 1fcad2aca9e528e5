"""A stronger bound: guess the optimum, rule out what no solution that cheap can do.

After Makarychev & Vakilian, "Approximation algorithms for socially fair clustering" (COLT 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faircluster.social.instance import SocialInstance
from faircluster.social.relaxation import SocialRelaxation, relax

__all__ = ["StrengthenedBound", "service_limits", "strengthen"]

Array = NDArray[Any]
_BLOCK = 4_000_000


@dataclass(frozen=True, eq=False)
class StrengthenedBound:
    """What guessing proved.

    Attributes
    ----------
    lower_bound : float
        No k facilities cost less.
    guess : float
        Least guess tried that was not refuted.
    relaxation : SocialRelaxation
        The relaxation at that guess.
    limit : ndarray of shape (n,)
        Costs above it are ruled out there.
    """

    lower_bound: float
    guess: float
    relaxation: SocialRelaxation
    limit: NDArray[np.float64]


def service_limits(instance: SocialInstance, guess: float) -> NDArray[np.float64]:
    """Largest cost at which each client may be served if no group pays more than the guess.

    Parameters
    ----------
    instance : SocialInstance
    guess : float
        Positive.

    Returns
    -------
    ndarray of shape (n,)

    Notes
    -----
    If the nearest center of client i is at distance D, a client i' is at least ``D - d(i, i')`` from all
    centers, so group s pays at least ``sum_i' w_s(i') max(0, D - d(i, i'))^p``. The limit is the p-th power
    of the largest D for which no group's sum exceeds the guess. Makarychev and Vakilian count
    ``w_s(B(i, D/2)) (D/2)^p`` instead, which is never more: this limit rules out all that theirs does.
    O(n^2) a step of the bisection.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.social import SocialInstance
    >>> instance = SocialInstance.from_points(np.array([[0.0], [0.0], [9.0]]), list("aab"), 1, 1)
    >>> service_limits(instance, 3.0).round(6).tolist()
    [3.0, 3.0, 3.0]
    """
    n = instance.n_clients
    client, group = np.nonzero(instance.weights.T)
    start = np.concatenate([[0], np.cumsum(np.bincount(client, minlength=n))]).astype(np.int64)
    weight = np.ascontiguousarray(instance.weights.T[client, group])
    limit = np.empty(n)
    step = max(1, _BLOCK // n)
    for first in range(0, n, step):
        rows = np.arange(first, min(first + step, n))
        away = instance.client_distances(rows)
        _largest(
            away, start, group.astype(np.int64), weight, instance.n_groups,
            instance.power, guess, limit[first : first + len(rows)],
        )  # fmt: skip
    return limit**instance.power


def strengthen(
    instance: SocialInstance,
    relaxation: SocialRelaxation,
    start: Array,
    *,
    tolerance: float = 1e-3,
    time_limit: float | None = None,
) -> StrengthenedBound:
    """Find the least guess that the relaxation within its limits does not refute.

    Parameters
    ----------
    instance : SocialInstance
    relaxation : SocialRelaxation
        Without limits.
    start : ndarray of shape (k,), int
        Good facilities; their cost bounds the guess from above.
    tolerance : float, default=1e-3
        Relative width at which the search ends.
    time_limit : float, default=None
        Seconds a relaxation may take.

    Returns
    -------
    StrengthenedBound
        Never weaker than the relaxation's bound.

    Notes
    -----
    If the optimum were at most the guess, its pairs would be within the limits and the relaxation's
    value at most the guess; a dual bound above the guess refutes that. Needs the triangle inequality. One
    relaxation a step of the bisection.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.social import SocialInstance
    >>> from faircluster.social.relaxation import relax
    >>> X = np.array([[0.0], [4.0]])
    >>> instance = SocialInstance.from_points(X, list("ab"), 1, 1, facilities=X)
    >>> plain = relax(instance, np.array([0]))
    >>> found = strengthen(instance, plain, np.array([0]))
    >>> round(plain.lower_bound, 3), round(found.lower_bound, 2)
    (2.0, 4.0)
    """
    low, high = relaxation.lower_bound, instance.cost(start)
    found, bound = relaxation, relaxation.lower_bound
    limit = np.full(instance.n_clients, np.inf)
    if not 0 < low < high:
        return StrengthenedBound(bound, high, found, limit)
    limit = service_limits(instance, low)
    if _keeps_to(instance, relaxation, limit):
        return StrengthenedBound(bound, low, found, limit)
    limit = service_limits(instance, high)
    while high > low * (1 + tolerance):
        guess = 0.5 * (low + high)
        trial = service_limits(instance, guess)
        answer = relax(instance, start, limit=trial, enough=guess, time_limit=time_limit)
        if answer.lower_bound > guess:
            low = bound = guess
            continue
        high = guess
        if answer.value <= guess:
            found, limit = answer, trial
    if found is relaxation and not _keeps_to(instance, relaxation, limit):
        found = relax(instance, start, limit=limit, time_limit=time_limit)
    return StrengthenedBound(bound, high, found, limit)


def _keeps_to(instance: SocialInstance, relaxation: SocialRelaxation, limit: Array) -> bool:
    """Whether the fractional solution serves nobody beyond the limit."""
    used = np.flatnonzero(relaxation.y)
    cost, y = instance.costs(used), relaxation.y[used]
    within = np.where(cost <= limit, y[:, None], 0.0).sum(axis=0)
    return bool((within >= 1.0 - 1e-9).all())


@njit(nogil=True, cache=True)
def _largest(away, start, group, weight, m, power, guess, out):  # type: ignore[no-untyped-def]
    """Largest distance for every row of ``away``, from above by bisection."""
    paid = np.empty(m)
    for row in range(away.shape[0]):
        low, high = 0.0, 1.0
        while not _exceeds(away[row], high, start, group, weight, power, guess, paid):
            low, high = high, 2.0 * high
        for _ in range(40):
            if high - low <= 1e-7 * high:
                break
            middle = 0.5 * (low + high)
            if _exceeds(away[row], middle, start, group, weight, power, guess, paid):
                high = middle
            else:
                low = middle
        out[row] = high


@njit(nogil=True, cache=True)
def _exceeds(away, distance, start, group, weight, power, guess, paid):  # type: ignore[no-untyped-def]
    paid[:] = 0.0
    for i in range(len(away)):
        if away[i] < distance:
            cost = (distance - away[i]) ** power
            for q in range(start[i], start[i + 1]):
                paid[group[q]] += weight[q] * cost
                if paid[group[q]] > guess:
                    return True
    return False
