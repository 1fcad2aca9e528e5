"""The linear program over points that quota space avoids, solved by HiGHS: the reference and a rival."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["solve_point_lp"]

Array = NDArray[Any]


def solve_point_lp(
    cost: Array, signature: Array, coef: Array, low: Array, high: Array, solver: str
) -> dict[str, Any]:
    """Least cost of a fractional assignment with ``low <= coef[j] @ quotas[:, j] <= high``.

    One variable x_ij for each of the n x k pairs, a row for each point (its shares sum to 1) and for each
    cluster and bound: coef (k, r, S), low and high (k, r), signature (n,). ``solver`` is "simplex" or "ipm"
    (interior point without crossover, all that an optimum asks for).
    """
    import highspy

    begun = time.perf_counter()
    n, k = cost.shape
    start, index, value = _columns(signature, coef, n, k)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = n * k, n + low.size
    lp.col_cost_ = np.asarray(cost, dtype=np.float64).ravel()
    lp.col_lower_, lp.col_upper_ = np.zeros(n * k), np.full(n * k, highspy.kHighsInf)
    lp.row_lower_ = np.concatenate([np.ones(n), low.ravel()])
    lp.row_upper_ = np.concatenate([np.ones(n), high.ravel()])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = start, index, value
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("solver", solver)
    if solver == "ipm":
        highs.setOptionValue("run_crossover", "off")
    highs.passModel(lp)
    built = time.perf_counter()
    highs.run()
    done = time.perf_counter()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"HiGHS ended with status {highs.getModelStatus()}")
    return {
        "optimum": highs.getInfo().objective_function_value,
        "seconds": {"best": done - begun, "median": done - begun, "all": [done - begun]},
        "build_seconds": built - begun,
        "solve_seconds": done - built,
    }


def _columns(signature: Array, coef: Array, n: int, k: int) -> tuple[Array, Array, Array]:
    """The matrix by columns; column i * k + j holds point i's row, then the rows of cluster j."""
    r = coef.shape[1]
    by_pair = coef.transpose(2, 0, 1)[signature].reshape(n * k, r)  # bound coefficients of every column
    values = np.concatenate([np.ones((n * k, 1)), by_pair], axis=1)
    rows = np.empty((n, k, 1 + r), dtype=np.int64)
    rows[:, :, 0] = np.arange(n)[:, None]
    rows[:, :, 1:] = n + np.arange(k * r).reshape(k, r)
    held = values != 0.0
    start = np.concatenate([[0], np.cumsum(held.sum(axis=1))])
    return start, rows.reshape(n * k, 1 + r)[held], values[held]
