"""Can any clustering meet the bounds? If not, say in words what is asked and what is possible."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from faircluster.bound_rows import BoundRows, InfeasibleBoundsError, noise
from faircluster.group_rows import GroupRows, describe
from faircluster.groups import Groups

__all__ = ["require_feasible"]


def require_feasible(
    groups: Groups,
    group_rows: GroupRows,
    rows: BoundRows,
    size_low: NDArray[np.float64],
    size_high: NDArray[np.float64],
) -> None:
    """Raise in words when no fractional quotas satisfy the rows.

    O(k r S) when a group's share of the whole data settles it, which is always so when clusters share their
    share bounds; else a linear program over S k quotas.

    Parameters
    ----------
    groups : Groups
        Names, shares and the (weighted) number of rows of each signature.
    group_rows : GroupRows
        The share bounds alone, with what each row means.
    rows : BoundRows
        All rows, sizes included.
    size_low, size_high : ndarray of shape (k,), float64
        Size limits that leave room for the total.

    Raises
    ------
    InfeasibleBoundsError
        No clustering can meet the rows.
    """
    reason = _whole_data_reason(groups, group_rows, len(size_low))
    if reason:
        raise InfeasibleBoundsError(reason)
    counts, total = groups.signature_counts, groups.total
    room = size_high - size_low
    spare = total - size_low.sum()
    sizes = size_low + (room * (spare / room.sum()) if spare > 0 else 0.0)
    if total > 0 and rows.violation(np.outer(counts, sizes / total)) == 0.0:
        return  # every cluster a scaled copy of the data
    reason = _linear_program_reason(groups, group_rows, rows)
    if reason:
        raise InfeasibleBoundsError(reason)


def _whole_data_reason(groups: Groups, rows: GroupRows, n_clusters: int) -> str | None:
    """Add each row up over the clusters: the loosest cluster's bound must hold for the data as a whole."""
    asked = (rows.coef @ groups.signature_counts).min(axis=0)
    allowed = rows.rhs.sum(axis=0) * (n_clusters / len(rows.rhs))
    failing = np.flatnonzero(asked > allowed + noise(groups.total))
    if not len(failing):
        return None
    r = int(failing[np.argmax((asked - allowed)[failing])])
    key = rows.keys[r]
    share, name = groups.shares[key.group], groups.names[key.group]
    has = f"group {name!r} makes up {share:.6g} of the data"
    never = "impossible whatever the clustering"
    if key.kind == "lower":
        return (
            f"{has}, but every cluster must hold at least {np.nanmin(rows.values[:, r]):.6g} of it: "
            f"{never}; lower the bound to at most {_rounded_down(share):g}"
        )
    if key.kind == "upper":
        return (
            f"{has}, but no cluster may hold more than {np.nanmax(rows.values[:, r]):.6g} of it: "
            f"{never}; raise the bound to at least {1 - _rounded_down(1 - share):g}"
        )
    if key.kind == "pair":
        ratio, other = groups.counts[key.group] / groups.counts[key.other], groups.names[key.other]
        return (
            f"the data has {ratio:.6g} of group {name!r} for each one of group {other!r}, but every cluster "
            f"must have at least {np.nanmin(rows.values[:, r]):.6g}: {never}; lower the balance to at most "
            f"{_rounded_down(ratio):g}"
        )
    return (
        f"{has}, but each of {n_clusters} clusters must be less than one point from a share of "
        f"{rows.values[0, r]:.6g}: {never}; set its target to {share:.6g}"
    )


def _rounded_down(share: float) -> float:
    """Four significant digits, never above `share` by more than rounding noise: advice that holds."""
    if share <= 0:
        return 0.0
    digits = 3 - math.floor(math.log10(share))
    nearest = round(share, digits)
    return nearest if nearest <= share * (1 + 1e-12) else round(nearest - 10.0**-digits, digits)


def _linear_program_reason(groups: Groups, group_rows: GroupRows, rows: BoundRows) -> str | None:
    """Find the quotas with the smallest sum of excesses, and name the rows that still fail."""
    quotas = _closest_quotas(rows, groups.signature_counts)
    excess = rows.excess(quotas)
    # the solver's tolerance, which is wider than rounding noise
    beyond = np.argwhere(excess > 1e-6 * max(1.0, 1e-3 * groups.total))
    if not len(beyond):
        return None
    worst = beyond[np.argsort(-excess[tuple(beyond.T)], kind="stable")][:3]
    cases = "; ".join(_shortfall(groups, group_rows, rows, quotas, int(j), int(r)) for j, r in worst)
    more = f"; and {len(beyond) - len(worst)} more" if len(beyond) > len(worst) else ""
    return (
        "no clustering meets all the bounds together. The one that comes closest is beyond them by "
        f"{excess[excess > 0].sum():.6g} points in all: {cases}{more}. Loosen these bounds"
    )


def _shortfall(
    groups: Groups, group_rows: GroupRows, rows: BoundRows, quotas: NDArray[np.float64], j: int, r: int
) -> str:
    """Say what cluster j is asked in row r and how near the quotas come."""
    size = quotas[:, j].sum()
    asked, reached = rows.descriptions[r], ""
    if r < len(group_rows.keys):  # else a row on sizes
        key = group_rows.keys[r]
        own = slice(j, j + 1) if len(group_rows.values) > 1 else slice(0, 1)
        asked = describe(key, group_rows.values[own, r], groups.names)
        count = quotas[groups.signature_membership[:, key.group], j].sum()
        reached = f" ({count:.6g} of {size:.6g} points are in {groups.names[key.group]})"
    beyond = rows.coef[j, r] @ quotas[:, j] - rows.rhs[j, r]
    return f"cluster {j} breaks '{asked}' by {beyond:.6g}{reached}"


def _closest_quotas(rows: BoundRows, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fractional quotas with the smallest sum of excesses, shape (S, k)."""
    from scipy import sparse
    from scipy.optimize import linprog

    k, r, n_signatures = rows.coef.shape
    # one column per (cluster, signature), then one per (cluster, row) for the excess
    limits = sparse.block_diag([sparse.csr_array(block) for block in rows.coef], format="csr")
    limits = sparse.hstack([limits, -sparse.eye_array(k * r, format="csr")], format="csr")
    placed = sparse.hstack([sparse.eye_array(n_signatures, format="csr")] * k, format="csr")
    placed = sparse.hstack([placed, sparse.csr_array((n_signatures, k * r))], format="csr")
    cost = np.concatenate([np.zeros(k * n_signatures), np.ones(k * r)])
    solution = linprog(cost, A_ub=limits, b_ub=rows.rhs.ravel(), A_eq=placed, b_eq=counts, method="highs")
    if solution.x is None:
        raise RuntimeError(f"the linear program over quotas failed: {solution.message}")
    return np.asarray(solution.x[: k * n_signatures]).reshape(k, n_signatures).T
