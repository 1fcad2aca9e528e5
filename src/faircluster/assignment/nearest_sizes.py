"""Cluster sizes at which the bounds can be kept with the fewest points reassigned."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from faircluster.assignment.quotas import run_program
from faircluster.assignment.transport import round_rows
from faircluster.bound_rows import BoundRows
from faircluster.bounds import InfeasibleBoundsError

__all__ = ["nearest_sizes"]

Array = NDArray[Any]
_TIE = 0.01  # what a point of a cluster's size counts against a point reassigned: it settles ties


def nearest_sizes(quotas: Array, rows: BoundRows) -> NDArray[np.float64]:
    """Sizes of the nearest quotas within the bounds.

    Keeping the sizes of an unfair assignment makes all groups meet half way. If one of them has most of the
    points, it is cheaper to leave those where they are and let the others follow: for two groups and exact
    bounds that saves up to half of the moves. The nearest sizes are, in every cluster, a median of the shares
    of groups, weighted by how large these are, up to a common correction that makes them sum to n.

    Parameters
    ----------
    quotas : ndarray of shape (S, k)
        Points of each signature in each cluster, as they are assigned.
    rows : BoundRows
        Bounds; rows with limits on sizes are kept as well.

    Returns
    -------
    ndarray of shape (k,), float64
        Whole numbers that sum to the total of `quotas`. Among sizes with as many points to reassign they are
        those closest to the present ones; sizes that need up to a hundredth more may be taken if closer.

    Raises
    ------
    InfeasibleBoundsError
        No quotas keep the bounds.

    Notes
    -----
    Minimize ``sum |m - quotas| / 2`` over fractional m of shape (S, k) within the bounds: a linear program
    in 3 S k + 3 k variables, whatever the number of points.

    Examples
    --------
    Nine tenths of the points are split evenly; the others follow them, but for the one point that whole
    counts may be off:

    >>> import numpy as np
    >>> from faircluster import FairnessBounds, Groups
    >>> groups = Groups.from_features(["a"] * 90 + ["b"] * 10)
    >>> nearest_sizes(np.array([[45, 45], [10, 0]]), FairnessBounds.exact().rows(groups, 2))
    array([51., 49.])
    """
    S, k = quotas.shape
    size = quotas.sum(axis=0)
    total = float(size.sum())
    cells = S * k
    one, by_cluster = sp.eye(cells), sp.kron(np.ones((1, S)), sp.eye(k))
    # columns: quotas, more and fewer than now; sizes, more and fewer than now
    matrix = sp.vstack(
        [
            sp.hstack([sp.kron(sp.eye(S), np.ones((1, k))), sp.csr_matrix((S, 2 * cells + 3 * k))]),
            sp.hstack([one, -one, one, sp.csr_matrix((cells, 3 * k))]),
            sp.hstack([by_cluster, sp.csr_matrix((k, 2 * cells)), -sp.eye(k), sp.csr_matrix((k, 2 * k))]),
            sp.hstack([sp.csr_matrix((k, 3 * cells)), sp.eye(k), -sp.eye(k), sp.eye(k)]),
            _bounds(rows, cells),
        ],
        format="csr",
    )
    known = np.concatenate([quotas.sum(axis=1), quotas.ravel(), np.zeros(k), size]) / total
    values, _, _ = run_program(
        np.concatenate([np.zeros(cells), np.ones(2 * cells), np.zeros(k), np.full(2 * k, _TIE)]),
        matrix,
        np.concatenate([known, np.full(rows.rhs.size, -np.inf)]),
        np.concatenate([known, rows.rhs.ravel() / total]),
        np.zeros(matrix.shape[1]),
        np.full(matrix.shape[1], np.inf),
        0,
        None,
        0.0,
    )
    if values is None:
        raise InfeasibleBoundsError("no quotas keep the bounds and sizes; widen the bounds or the sizes")
    found = values[3 * cells : 3 * cells + k]
    sizes: NDArray[np.float64] = round_rows((found / found.sum() * total)[None, :])[0]
    return sizes


def _bounds(rows: BoundRows, cells: int) -> sp.csr_matrix:
    """Rows of the bounds over quotas and sizes.

    Most coefficients of a row on shares are alike, minus the share: as one coefficient of the size they leave
    a few of the quotas, without it S.
    """
    k, r, _ = rows.coef.shape
    common = np.median(rows.coef, axis=2)
    own = rows.coef - common[:, :, None]
    cluster, row, signature = np.nonzero(own)
    of_quotas = sp.csr_matrix(
        (own[cluster, row, signature], (cluster * r + row, signature * k + cluster)), shape=(k * r, cells)
    )
    cluster = np.repeat(np.arange(k), r)
    of_sizes = sp.csr_matrix((common.ravel(), (np.arange(k * r), cluster)), shape=(k * r, k))
    unused = sp.csr_matrix((k * r, 2 * cells)), sp.csr_matrix((k * r, 2 * k))
    return sp.hstack([of_quotas, unused[0], of_sizes, unused[1]])
