"""Samples in which every signature is represented."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["stratified_sample"]


def stratified_sample(
    signature: NDArray[np.int32],
    n_signatures: int,
    size: int,
    weights: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Take evenly spread rows of every signature; rare signatures stay whole.

    Parameters
    ----------
    signature : ndarray of shape (n,), int32
    n_signatures : int
        Number of signatures S.
    size : int
        About how many rows to take, 1 in every n / size of the common signatures.
    weights : ndarray of shape (n,), default=None
        Weights of the rows, 1 each by default.

    Returns
    -------
    rows : ndarray of shape (m,), int
    weights : ndarray of shape (m,)
        Weight each row stands for; the sums by signature are those of all rows.

    Notes
    -----
    O(n log n); no random numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.sampling import stratified_sample
    >>> rows, weights = stratified_sample(np.zeros(10, dtype=np.int32), 1, 2)
    >>> rows.tolist(), weights.tolist()
    ([2, 7], [5.0, 5.0])
    """
    members = np.bincount(signature, minlength=n_signatures)
    total = np.bincount(signature, weights=weights, minlength=n_signatures)
    enough = max(size // (4 * n_signatures), 1)
    stride = np.maximum(1, np.minimum(members // enough, max(1, len(signature) // size)))
    order = np.argsort(signature, kind="stable") if n_signatures > 1 else np.arange(len(signature))
    ends = np.cumsum(members)
    rows = np.concatenate(
        [order[end - m + h // 2 : end : h] for end, m, h in zip(ends, members, stride, strict=True)]
    )
    held = np.ones(len(rows)) if weights is None else weights[rows]
    sums = np.bincount(signature[rows], weights=held, minlength=n_signatures)
    factor = np.divide(total, sums, out=np.ones(n_signatures), where=sums > 0)
    return rows, held * factor[signature[rows]]
