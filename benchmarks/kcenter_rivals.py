"""Rivals for fair k-center, written down from their papers; no line of them is shared with the engine.

* ``joiner_lp``: the frequency distributor of Harb & Lam, "KFC" (NeurIPS 2020): one variable for every class
  of points (signature and centers within reach) and center, and their randomised rounding.
* ``point_lp``: Bera, Chakrabarty, Flores & Negahbani, "Fair algorithms for clustering" (NeurIPS 2019): one
  variable for every point and center, and their iterative rounding.
* ``capped_lp``: Ahmadian, Epasto, Kumar & Mahdian, "Clustering without over-representation" (KDD 2019):
  points and open facilities in one program, an upper limit on shares only, disjoint groups.

Each radius is found exactly, by binary search over the distances; programs are solved by HiGHS.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp

__all__ = [
    "OutOfTimeError",
    "capped_lp",
    "draw_rounding",
    "iterative_rounding",
    "joiner_lp",
    "point_lp",
    "violation",
]

Array = np.ndarray
Solution = tuple[Array, Array, Array]  # rows (or classes), centers, amounts


class OutOfTimeError(Exception):
    """The time limit was reached."""


def solve(
    cost: Array, matrix: Any, low: Array, high: Array, deadline: float, most: float = np.inf
) -> Array | None:
    """Minimise over variables between 0 and ``most``; None when infeasible."""
    matrix = sp.csc_matrix(matrix)
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_, lp.row_lower_, lp.row_upper_ = cost, low, high
    lp.col_lower_, lp.col_upper_ = np.zeros(len(cost)), np.full(len(cost), most)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    left = deadline - time.perf_counter()
    if left <= 0:
        raise OutOfTimeError
    highs.setOptionValue("time_limit", left)
    highs.passModel(lp)
    highs.run()
    status = highs.getModelStatus()
    if status == highspy.HighsModelStatus.kTimeLimit:
        raise OutOfTimeError
    if status == highspy.HighsModelStatus.kInfeasible:
        return None
    if status != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"HiGHS ended with status {status}")
    return np.array(highs.getSolution().col_value)


def smallest_radius(
    distances: Array, feasible: Callable[[float], Any], *, lowest_first: bool = True
) -> tuple[float, Any]:
    """Smallest distance at which ``feasible`` gives a solution, and the solution.

    The radius without bounds is tried first unless that is forbidden, as in the published search.
    """
    lowest = float(distances.min(axis=1).max())
    if lowest_first:
        found = feasible(lowest)
        if found is not None:
            return lowest, found
        values = np.unique(distances[distances > lowest])
    else:
        values = np.unique(distances[distances >= lowest])
    low, high = -1, len(values) - 1
    best = feasible(float(values[high]))
    if best is None:
        raise ValueError("no fair assignment exists")
    while high - low > 1:
        middle = (low + high) // 2
        found = feasible(float(values[middle]))
        if found is None:
            low = middle
        else:
            high, best = middle, found
    return float(values[high]), best


def violation(labels: Array, membership: Array, lower: Array, upper: Array, k: int) -> float:
    """Largest excess over a bound, in points: (g,) lower and upper shares."""
    worst = 0.0
    sizes = np.bincount(labels, minlength=k)
    for g in range(membership.shape[1]):
        inside = np.bincount(labels[membership[:, g]], minlength=k)
        worst = max(worst, (lower[g] * sizes - inside).max(), (inside - upper[g] * sizes).max())
    return float(worst) if worst > 1e-7 else 0.0


# ---- Harb & Lam


def joiner_lp(
    distances: Array,
    membership: Array,
    lower: Array,
    upper: Array,
    seconds: float,
    *,
    lowest_first: bool = True,
) -> tuple[float, Solution, Array]:
    """Radius, amounts by class and center, and the class of every point."""
    deadline = time.perf_counter() + seconds
    k = distances.shape[1]
    kept: dict[str, Array] = {}

    def feasible(radius: float) -> Solution | None:
        reach = distances <= radius
        keys = np.packbits(np.hstack([membership, reach]), axis=1)
        _, first, of_points, supply = np.unique(
            keys, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        allowed, groups = reach[first], membership[first]
        if not allowed.any(axis=1).all():
            return None
        kept["of_points"] = of_points.ravel()
        joiner, center = np.nonzero(allowed)
        columns = np.arange(len(joiner))
        matrix = sp.csr_matrix((np.ones(len(joiner)), (joiner, columns)), shape=(len(supply), len(joiner)))
        bounds, top = _bound_rows(groups[joiner], center, lower, upper, k)
        rows = sp.vstack([matrix, bounds])
        amounts = solve(
            np.zeros(len(joiner)),
            rows,
            np.concatenate([supply, np.full(len(top), -np.inf)]),
            np.concatenate([supply, top]),
            deadline,
        )
        if amounts is None:
            return None
        kept["best"] = kept["of_points"]
        return joiner, center, amounts

    radius, solution = smallest_radius(distances, feasible, lowest_first=lowest_first)
    return radius, solution, kept["best"]


def _bound_rows(groups: Array, center: Array, lower: Array, upper: Array, k: int) -> tuple[Any, Array]:
    """Rows ``lower * size - count <= 0`` and ``count - upper * size <= 0`` for variables of these groups."""
    m, g = groups.shape
    at = (center[:, None] * g + np.arange(g)).ravel()
    columns = np.repeat(np.arange(m), g)
    below = sp.csr_matrix(((lower - groups).ravel(), (at, columns)), shape=(k * g, m))
    above = sp.csr_matrix(((groups - upper).ravel(), (at, columns)), shape=(k * g, m))
    return sp.vstack([below, above]), np.zeros(2 * k * g)


def draw_rounding(solution: Solution, of_points: Array, k: int, random: np.random.Generator) -> Array:
    """Every point picks a center with the probabilities of its class."""
    joiner, center, amounts = solution
    shares = np.zeros((of_points.max() + 1, k))
    np.add.at(shares, (joiner, center), np.maximum(amounts, 0.0))
    cumulated = np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1)[of_points]
    drawn = (random.random(len(of_points))[:, None] >= cumulated).sum(axis=1)
    last = k - 1 - np.argmax(shares[:, ::-1] > 0, axis=1)
    return np.minimum(drawn, last[of_points])


# ---- Bera et al.


def point_lp(
    distances: Array, membership: Array, lower: Array, upper: Array, seconds: float
) -> tuple[float, Solution]:
    """Radius, and amounts by point and center."""
    deadline = time.perf_counter() + seconds
    n, k = distances.shape

    def feasible(radius: float) -> Solution | None:
        point, center = np.nonzero(distances <= radius)
        m = len(point)
        once = sp.csr_matrix((np.ones(m), (point, np.arange(m))), shape=(n, m))
        bounds, top = _bound_rows(membership[point], center, lower, upper, k)
        low = np.concatenate([np.ones(n), np.full(len(top), -np.inf)])
        high = np.concatenate([np.ones(n), top])
        amounts = solve(np.zeros(m), sp.vstack([once, bounds]), low, high, deadline)
        return None if amounts is None else (point, center, amounts)

    return smallest_radius(distances, feasible)


def iterative_rounding(solution: Solution, distances: Array, membership: Array, seconds: float) -> Array:
    """Whole points from a fractional assignment: Bera et al., section 4.

    Vertices of the program that keeps sizes and counts between the rounded fractional ones; what is 0 or 1
    stays so, and a row goes once few variables of it are fractional. Violation at most 4 Delta + 3, where
    Delta is the most groups a point belongs to.
    """
    deadline = time.perf_counter() + seconds
    point, center, amounts = solution
    n, k = distances.shape
    g = membership.shape[1]
    most = int(membership.sum(axis=1).max())
    held = amounts > 1e-7
    point, center, amounts = point[held], center[held], np.minimum(amounts[held], 1.0)
    labels = np.full(n, -1)
    # row 0 of a center is its size, then its groups
    kept = np.ones((k, 1 + g), dtype=bool)
    while True:
        whole = amounts > 1.0 - 1e-7
        labels[point[whole]] = center[whole]
        left = ~whole & (amounts > 1e-7) & (labels[point] < 0)
        point, center, amounts = point[left], center[left], amounts[left]
        if not len(point):
            return labels
        member = np.hstack([np.ones((len(point), 1), dtype=bool), membership[point]])
        variable, row = np.nonzero(member)
        at = center[variable] * (1 + g) + row
        size = k * (1 + g)
        total = np.bincount(at, amounts[variable], size)
        few = np.bincount(at, minlength=size).reshape(k, 1 + g) <= 2 * (most + 1)
        kept &= ~few
        _, renumbered = np.unique(point, return_inverse=True)
        m = len(point)
        once = sp.csr_matrix((np.ones(m), (renumbered, np.arange(m))))
        counts = sp.csr_matrix((np.ones(len(variable)), (at, variable)), shape=(size, m))[kept.ravel()]
        low, high = np.floor(total[kept.ravel()] + 1e-7), np.ceil(total[kept.ravel()] - 1e-7)
        ones = np.ones(once.shape[0])
        found = solve(
            distances[point, center].astype(float),
            sp.vstack([once, counts]),
            np.concatenate([ones, low]),
            np.concatenate([ones, high]),
            deadline,
            1.0,
        )
        if found is None:
            raise RuntimeError("the rounding program became infeasible")
        amounts = found


# ---- Ahmadian et al.


def capped_lp(
    distances: Array, groups: Array, cap: float, k: int, seconds: float, facility_distances: Array
) -> tuple[float, Array, Array, float]:
    """Relaxed radius, centers, labels, and the radius of the rounded solution.

    Parameters: distances (n, m) to candidate facilities, groups (n,) codes, cap the largest share, and
    distances between the facilities (m, m).
    """
    deadline = time.perf_counter() + seconds
    n, m = distances.shape
    n_groups = int(groups.max()) + 1
    few = int(np.ceil(1.0 / cap))

    def feasible(radius: float) -> Solution | None:
        point, place = np.nonzero(distances <= radius)
        size = len(point)
        x = np.arange(size)
        once = sp.hstack([sp.csr_matrix((np.ones(size), (point, x)), shape=(n, size)), sp.csr_matrix((n, m))])
        opened = sp.hstack(
            [sp.eye(size), sp.csr_matrix((-np.ones(size), (x, place)), shape=(size, m))]
        )  # x <= y
        at = (place[:, None] * n_groups + np.arange(n_groups)).ravel()
        share = (groups[point][:, None] == np.arange(n_groups)) - cap
        shares = sp.csr_matrix((share.ravel(), (at, np.repeat(x, n_groups))), shape=(m * n_groups, size + m))
        load = sp.csr_matrix((np.ones(size), (place, x)), shape=(m, size))
        enough = sp.hstack([load, -few * sp.eye(m)])
        count = sp.csr_matrix(np.concatenate([np.zeros(size), np.ones(m)]))
        matrix = sp.vstack([once, opened, shares, enough, count])
        low = np.concatenate([np.ones(n), np.full(size + m * n_groups, -np.inf), np.zeros(m), [0.0]])
        high = np.concatenate([np.ones(n), np.zeros(size + m * n_groups), np.full(m, np.inf), [float(k)]])
        found = solve(np.zeros(size + m), matrix, low, high, deadline, 1.0)
        return None if found is None else (point, place, found)

    radius, (point, place, found) = smallest_radius(distances, feasible)
    amounts, opening = found[: len(point)], found[len(point) :]
    centers: list[int] = []  # a maximal set of open facilities more than twice the radius apart
    for j in np.argsort(-opening, kind="stable"):
        if opening[j] > 1e-7 and not (facility_distances[j, centers] <= 2.0 * radius).any():
            centers.append(int(j))
    chosen = np.sort(centers)
    column = facility_distances[:, chosen].argmin(axis=1)[place]
    labels = _flow_rounding(point, column, amounts, groups, len(chosen), deadline)
    return radius, chosen, labels, float(distances[np.arange(n), chosen[labels]].max())


def _flow_rounding(
    point: Array, center: Array, amounts: Array, groups: Array, k: int, deadline: float
) -> Array:
    """Whole points with every count and size next to the fractional one; the program has whole vertices."""
    n, n_groups = int(point.max()) + 1, int(groups.max()) + 1
    # the same point may reach a center by several facilities
    pairs, where = np.unique(point * k + center, return_inverse=True)
    mass = np.bincount(where.ravel(), amounts)
    point, center = pairs // k, pairs % k
    m = len(pairs)
    x = np.arange(m)
    once = sp.csr_matrix((np.ones(m), (point, x)), shape=(n, m))
    at = center * n_groups + groups[point]
    counts = sp.csr_matrix((np.ones(m), (at, x)), shape=(k * n_groups, m))
    sizes = sp.csr_matrix((np.ones(m), (center, x)), shape=(k, m))
    total = np.concatenate([np.bincount(at, mass, k * n_groups), np.bincount(center, mass, k)])
    ones = np.ones(n)
    found = solve(
        np.zeros(m),
        sp.vstack([once, counts, sizes]),
        np.concatenate([ones, np.floor(total + 1e-7)]),
        np.concatenate([ones, np.ceil(total - 1e-7)]),
        deadline,
        1.0,
    )
    if found is None:
        raise RuntimeError("the rounding program became infeasible")
    labels = np.zeros(n, dtype=int)
    chosen = found > 0.5
    labels[point[chosen]] = center[chosen]
    return labels
