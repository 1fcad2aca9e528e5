"""Linear and mixed integer programs by HiGHS."""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

__all__ = ["vertex"]

Array = NDArray[Any]


def vertex(cost: Array, rows: sp.csr_matrix, lower: Array, upper: Array) -> NDArray[np.float64]:
    """Optimal vertex of a linear program in non-negative variables, by the simplex method.

    Parameters
    ----------
    cost : ndarray of shape (v,)
        To be minimised.
    rows : csr matrix of shape (r, v)
    lower, upper : ndarrays of shape (r,)
        Bounds of the rows.

    Returns
    -------
    ndarray of shape (v,)
        Values that are not basic are exactly zero.

    Raises
    ------
    RuntimeError
        If the program has no optimum.

    Examples
    --------
    >>> rows = sp.csr_matrix(np.array([[1.0, 1.0]]))
    >>> vertex(np.array([1.0, 2.0]), rows, np.array([1.0]), np.array([np.inf])).tolist()
    [1.0, 0.0]
    """
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = rows.shape
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, np.zeros(len(cost)), np.full(len(cost), np.inf)
    lp.row_lower_, lp.row_upper_ = lower, upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = rows.indptr, rows.indices, rows.data
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("solver", "simplex")
    highs.setOptionValue("threads", 1)
    for tolerance in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
        highs.setOptionValue(tolerance, 1e-9)
    highs.passModel(lp)
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        # presolve at tight tolerances has called feasible programs infeasible
        highs.setOptionValue("presolve", "off")
        highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        status = highs.modelStatusToString(highs.getModelStatus())
        raise RuntimeError(f"a linear program that has an optimum was not solved: {status}")
    values = np.array(highs.getSolution().col_value)
    basic = np.array(
        [status == highspy.HighsBasisStatus.kBasic for status in highs.getBasis().col_status], dtype=bool
    )
    return np.where(basic, np.maximum(values, 0.0), 0.0)
