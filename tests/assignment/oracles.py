"""Reference answers from programs over single points; nothing here looks at signatures or quotas."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import LinearConstraint, linprog, milp


@dataclass
class PointRows:
    """Bounds as rows over points: ``sum_i weight_i * coef[q, i] * x[i, cluster[q]] <= rhs[q]``."""

    cluster: list
    coef: list
    rhs: list

    def add(self, cluster, coef, rhs):
        self.cluster.append(cluster)
        self.coef.append(np.asarray(coef, dtype=float))
        self.rhs.append(float(rhs))

    def violation(self, labels, weights=None):
        """Largest excess of whole points over any row, in weight; 0 when all hold."""
        labels = np.asarray(labels)
        weights = np.ones(len(labels)) if weights is None else weights
        worst = 0.0
        for j, coef, rhs in zip(self.cluster, self.coef, self.rhs, strict=True):
            inside = labels == j
            worst = max(worst, float((coef[inside] * weights[inside]).sum()) - rhs)
        return worst if worst > 1e-9 * max(1.0, weights.sum()) else 0.0


def point_rows(groups, bounds, k, size_min=None, size_max=None):
    """Write the bounds down from their definitions, one cluster and group at a time."""
    rows = PointRows([], [], [])
    member = groups.membership.astype(float)
    # the largest count less than one from proportional; any target or weight may leave a fraction
    whole = groups.integer_weights and not bounds.target
    heaviest = 1.0 if groups.integer_weights else groups.weights.max()
    off = 1.0 - 1.0 / groups.total if whole else heaviest * (1.0 - 1e-6)
    n = len(member)
    lower, upper = bounds.limits(groups, k)
    for j in range(k):
        part = bounds.parts[j] if bounds.parts else bounds
        if part.kind == "balance":
            _add_balance(rows, j, member, groups.attributes, part.value)
        elif part.kind == "exact":
            for g in range(groups.n_groups):
                rows.add(j, lower[g, j] - member[:, g], off)
                rows.add(j, member[:, g] - lower[g, j], off)
        else:
            for g in range(groups.n_groups):
                rows.add(j, lower[g, j] - member[:, g], 0.0)
                rows.add(j, member[:, g] - upper[g, j], 0.0)
    for sign, size in ((-1.0, size_min), (1.0, size_max)):
        if size is not None:
            for j, limit in enumerate(np.broadcast_to(size, (k,))):
                rows.add(j, np.full(n, sign), sign * limit)
    return rows


def _add_balance(rows, j, member, attributes, t):
    for a, attribute in enumerate(attributes):
        for b, other in enumerate(attributes):
            if a != b and attribute == other:
                rows.add(j, t * member[:, b] - member[:, a], 0.0)


def _matrices(cost, rows, weights):
    n, k = cost.shape
    once = sparse.kron(sparse.eye_array(n), np.ones((1, k)), format="csr")
    over = np.zeros((len(rows.rhs), n, k))
    for q, (j, coef) in enumerate(zip(rows.cluster, rows.coef, strict=True)):
        over[q, :, j] = coef * weights
    # HiGHS has absolute tolerances, hence units of the heaviest point
    unit = max(weights.max(), 1e-300)
    over = sparse.csr_array(over.reshape(len(rows.rhs), n * k) / unit)
    return once, over, np.array(rows.rhs) / unit


def points_lp(cost, rows, weights=None):
    """Optimum when points may be divided; None when the bounds cannot be met."""
    cost = np.asarray(cost, dtype=float)
    n, _ = cost.shape
    weights = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
    once, over, rhs = _matrices(cost, rows, weights)
    unit, heaviest = max(np.abs(cost).max(), 1e-300), max(weights.max(), 1e-300)
    found = linprog(
        (cost / unit * (weights / heaviest)[:, None]).ravel(),
        A_ub=over if len(rhs) else None,
        b_ub=rhs if len(rhs) else None,
        A_eq=once,
        b_eq=np.ones(n),
        method="highs",
    )
    assert found.status in (0, 2), found.message
    return float(found.fun) * unit * heaviest if found.status == 0 else None


def points_milp(cost, rows, weights=None):
    """Optimum over whole points; None when no assignment meets the bounds."""
    cost = np.asarray(cost, dtype=float)
    n, k = cost.shape
    weights = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
    once, over, rhs = _matrices(cost, rows, weights)
    constraints = [LinearConstraint(once, 1.0, 1.0)]
    if len(rhs):
        constraints.append(LinearConstraint(over, -np.inf, rhs + 1e-9))
    unit, heaviest = max(np.abs(cost).max(), 1e-300), max(weights.max(), 1e-300)
    found = milp(
        (cost / unit * (weights / heaviest)[:, None]).ravel(),
        constraints=constraints,
        integrality=np.ones(n * k),
        bounds=(0, 1),
        options={"mip_rel_gap": 0.0, "presolve": False},  # presolve has called feasible programs infeasible
    )
    assert found.status in (0, 2), found.message
    if found.status == 2:
        return None
    labels = found.x.reshape(n, k).argmax(axis=1)
    return float((cost * weights[:, None])[np.arange(n), labels].sum())


def transport_lp(cost, signature, quotas, weights=None):
    """Least cost of meeting the quotas exactly."""
    cost = np.asarray(cost, dtype=float)
    n, k = cost.shape
    weights = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
    heaviest, unit = max(weights.max(), 1e-300), max(np.abs(cost).max(), 1e-300)
    supplies = sparse.kron(sparse.eye_array(n), np.ones((1, k)))
    member = signature[None, :] == np.arange(len(quotas))[:, None]
    demands = sparse.kron(sparse.csr_array(member.astype(float)), sparse.eye_array(k))
    found = linprog(
        cost.ravel() / unit,
        A_eq=sparse.vstack([supplies, demands], format="csr"),
        b_eq=np.concatenate([weights, np.asarray(quotas, dtype=float).ravel()]) / heaviest,
        method="highs",
    )
    assert found.status == 0, found.message
    return float(found.fun) * unit * heaviest
