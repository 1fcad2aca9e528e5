"""Labels and features as callers have them, read as what an audit needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.metrics.contingency import encode_labels

__all__ = ["read_labels", "read_points", "same_labels"]


def read_labels(
    labels: Any, names: Sequence[str] | None, argument: str = "labels"
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Give labels of any kind positions 0 to k - 1 and names.

    Parameters
    ----------
    labels : array-like of shape (n,), integers or strings
    names : sequence of k str, optional
        In the order of the labels.
    argument : str
        For messages.

    Returns
    -------
    codes : ndarray of shape (n,), int64
    names : tuple of k str

    Raises
    ------
    ValueError
        Missing labels, labels that are neither integers nor strings, or names that do not number k.

    Notes
    -----
    O(n) for integers, O(n log n) for strings.

    Examples
    --------
    >>> read_labels(["b", "a", "b"], None)
    (array([1, 0, 1]), ('a', 'b'))
    """
    given = np.asarray(labels)
    if given.ndim != 1 or given.size == 0:
        raise ValueError(
            f"{argument} must be one label a row, shape (n,) with n >= 1, got shape {given.shape}"
        )
    if given.dtype.kind == "b":
        given = given.astype(str)
    if given.dtype.kind in "iu":
        codes, values = encode_labels(given)
        found = [str(value) for value in values.tolist()]
    elif given.dtype.kind in "OUST":
        texts = given.astype(object)
        odd = [x for x in texts if not isinstance(x, str | int | np.integer)]
        if odd:
            raise ValueError(
                f"{argument} must be integers or strings, but holds {odd[0]!r} ({len(odd)} of this kind); "
                "give every row a label"
            )
        distinct, codes = np.unique(texts.astype(str), return_inverse=True)
        found = distinct.tolist()
    else:
        raise ValueError(
            f"{argument} must be integers or strings, got {given.dtype}; convert them, "
            "for example with .astype(int)"
        )
    if names is not None:
        if len(names) != len(found):
            raise ValueError(f"cluster_names has {len(names)} names but there are {len(found)} clusters")
        found = [str(name) for name in names]
    return np.asarray(codes, dtype=np.int64), tuple(found)


def read_points(
    X: Any, feature_names: Sequence[str] | None, n_rows: int
) -> tuple[NDArray[Any] | None, tuple[str, ...]]:
    """Check features and find their names.

    Parameters
    ----------
    X : array-like or data frame of shape (n, d), or None
    feature_names : sequence of d str, optional
    n_rows : int

    Returns
    -------
    X : ndarray of shape (n, d) and a float type, or None
    names : tuple of d str

    Raises
    ------
    ValueError
        Another number of rows or names, or numbers that are not finite.

    Examples
    --------
    >>> read_points([[1.0], [2.0]], None, 2)[1]
    ('feature 0',)
    """
    if X is None:
        return None, ()
    from sklearn.utils import check_array

    own = getattr(X, "columns", None)
    points: NDArray[Any] = check_array(X, dtype=[np.float64, np.float32], input_name="X")
    if len(points) != n_rows:
        raise ValueError(f"X has {len(points)} rows but there are {n_rows} labels; pass the same rows")
    if feature_names is None:
        feature_names = (
            [str(name) for name in own]
            if own is not None
            else [f"feature {j}" for j in range(points.shape[1])]
        )
    if len(feature_names) != points.shape[1]:
        raise ValueError(f"feature_names has {len(feature_names)} names but X has {points.shape[1]} columns")
    return points, tuple(map(str, feature_names))


def same_labels(model: Any, codes: NDArray[np.int64]) -> bool:
    """Whether labels are those of the fit, position by position; O(n).

    Examples
    --------
    >>> same_labels(None, np.array([0]))
    False
    """
    own = getattr(model, "labels_", None)
    return own is not None and np.array_equal(np.asarray(own), codes)
