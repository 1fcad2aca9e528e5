"""What socially fair clustering returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["SocialResult"]


@dataclass(frozen=True, eq=False)
class SocialResult:
    """Centers for the worst-off group, and their certificate.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
        Position in ``centers`` of the nearest center of each client.
    centers : ndarray of shape (n_centers,), int
        Facilities opened, in ascending order.
    cost : float
        Cost of the worst-off group, ``max(group_costs)``.
    group_costs : ndarray of shape (m,)
        ``sum_i w_s(i) d(i, centers)^p`` of every group.
    lower_bound : float
        No k of the facilities have a smaller cost (proved by ``multipliers``).
    gap : float
        ``cost / lower_bound - 1``; with more than k centers it may be negative.
    relaxation_value : float
        Value of the linear relaxation's solution, ``lower_bound`` up to the tolerance.
    status : {"optimal", "feasible", "time_limit"}
        "optimal": exactly k centers and a gap within the tolerance. "time_limit": the relaxation was cut
        short; the bound is valid but weaker.
    n_centers : int
        Number of centers opened.
    factor : float
        Proved before the polish: ``cost <= factor * optimum with k centers``.
    multipliers : ndarray of shape (m,)
        What each group's cost weighs in the lower bound; they sum to 1.
    rounded_cost : float
        Cost before the polish.
    seconds : dict
        Time spent in each step.
    """

    labels: NDArray[np.int32]
    centers: NDArray[np.intp]
    cost: float
    group_costs: NDArray[np.float64]
    lower_bound: float
    gap: float
    relaxation_value: float
    status: str
    n_centers: int
    factor: float
    multipliers: NDArray[np.float64]
    rounded_cost: float
    seconds: dict[str, float] = field(default_factory=dict)
