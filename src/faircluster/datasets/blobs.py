"""Made data: Gaussian blobs with protected groups that may depend on the clusters."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["make_fair_blobs"]

CHUNK = 1 << 16  # rows drawn at a time, so that temporaries stay in cache

GroupShares = int | Sequence[float]


def make_fair_blobs(
    n_samples: int = 1000,
    n_features: int = 10,
    *,
    centers: int | ArrayLike = 5,
    cluster_weights: ArrayLike | None = None,
    cluster_std: float = 1.0,
    center_box: tuple[float, float] = (-10.0, 10.0),
    groups: GroupShares | Sequence[GroupShares] = 2,
    cluster_proxy: float = 0.0,
    feature_proxy: float = 0.0,
    dtype: DTypeLike = np.float64,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
) -> tuple[NDArray[np.floating], NDArray[np.int32], NDArray[np.int32]]:
    """Make isotropic Gaussian blobs with protected groups of chosen sizes and proxies of chosen strength.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows n.
    n_features : int, default=10
        Number of features d; taken from `centers` when that is an array.
    centers : int or array-like of shape (k, d), default=5
        Number of clusters, placed uniformly in `center_box`, or the centers themselves.
    cluster_weights : array-like of shape (k,), optional
        Relative cluster sizes; equal by default.
    cluster_std : float, default=1.0
        Standard deviation of every feature within a cluster.
    center_box : pair of float, default=(-10.0, 10.0)
        Range of the centers' coordinates.
    groups : int, sequence of float, or sequence of these, default=2
        An int: one attribute with that many groups of equal size. A sequence of floats, such as
        ``(0.7, 0.3)``: one attribute with groups of these relative sizes. A sequence of such entries, such as
        ``[2, (0.7, 0.2, 0.1)]``: one attribute for each.
    cluster_proxy : float, default=0.0
        Strength in [0, 1] of the tie between groups and clusters. At 0 they are independent; at 1 a cluster
        holds as few groups as its slice of the rows allows (see Notes), and a fair clustering costs most.
    feature_proxy : float, default=0.0
        Correlation in [0, 1] of a feature with the group codes. When positive, the last features (one for
        each attribute, in order) are drawn as such proxies, with the spread of `center_box`, and tell nothing
        of the clusters beyond what the groups do.
    dtype : numpy.float64 or numpy.float32, default=numpy.float64
        Of X. With float32, 10,000,000 x 10 take seconds and about 0.8 GB at the peak.
    random_state : int, numpy Generator or RandomState, optional
        Pass an int for the same data on every call.

    Returns
    -------
    X : ndarray of shape (n, d), of `dtype`
        The features.
    sensitive : ndarray of shape (n,) or (n, attributes), int32
        Group codes 0, 1, ...; 2-D when `groups` is a sequence of attributes. Fit for ``sensitive_features``.
    labels : ndarray of shape (n,), int32
        The true clusters.

    Raises
    ------
    ValueError
        If a count is not positive, a size or weight is negative or all are zero, a strength is outside
        [0, 1], or there are fewer features than proxies ask for.

    Notes
    -----
    Cluster and group sizes are exact: relative size times n, rounded by largest remainder. Every row has a
    latent level in [0, 1), and an attribute's groups are consecutive slices of the ranked levels. With
    probability `cluster_proxy` the level lies in the slice of the row's cluster (clusters in random order,
    anew for each attribute), else anywhere. Time O(n (d + attributes)).

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.datasets import make_fair_blobs
    >>> X, sensitive, labels = make_fair_blobs(
    ...     1000, 2, centers=2, groups=(0.7, 0.3), cluster_proxy=1.0, random_state=0
    ... )
    >>> X.shape, np.bincount(sensitive).tolist()
    ((1000, 2), [700, 300])
    >>> [np.bincount(sensitive[labels == j], minlength=2).tolist() for j in range(2)]  # far from 7 : 3
    [[200, 300], [500, 0]]
    """
    n = _positive("n_samples", n_samples)
    rng = _generator(random_state)
    positions = _positions(centers, n_features, center_box, rng)
    k, d = positions.shape
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64, got {kind}")
    if not (np.isfinite(cluster_std) and cluster_std >= 0):
        raise ValueError(f"cluster_std must be a number >= 0, got {cluster_std}")
    weights = _sizes("cluster_weights", np.ones(k) if cluster_weights is None else cluster_weights, k)
    attributes, two_dimensional = _attributes(groups)
    for name, strength in (("cluster_proxy", cluster_proxy), ("feature_proxy", feature_proxy)):
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"{name} must be in [0, 1], got {strength}")
    if feature_proxy > 0 and len(attributes) > d:
        raise ValueError(
            f"feature_proxy needs a feature for each of the {len(attributes)} attributes, got {d}"
        )

    labels = rng.permutation(np.repeat(np.arange(k, dtype=np.int32), _counts(weights, n)))
    X = _features(positions.astype(kind), labels, cluster_std, rng)
    sensitive = np.empty((n, len(attributes)), dtype=np.int32)
    for column, shares in enumerate(attributes):
        sensitive[:, column] = _group_codes(labels, weights, shares, cluster_proxy, rng)
        if feature_proxy > 0:
            spread = (center_box[1] - center_box[0]) / np.sqrt(12.0)
            target = X[:, d - len(attributes) + column]
            _fill_proxy(target, sensitive[:, column], shares, feature_proxy, spread, rng)
    return X, sensitive if two_dimensional else sensitive[:, 0], labels


def _features(
    positions: NDArray[np.floating], labels: NDArray[np.int32], std: float, rng: np.random.Generator
) -> NDArray[np.floating]:
    X = np.empty((len(labels), positions.shape[1]), dtype=positions.dtype)
    for start in range(0, len(labels), CHUNK):
        rows = slice(start, start + CHUNK)
        rng.standard_normal(out=X[rows], dtype=X.dtype.type)
        X[rows] *= std
        X[rows] += positions[labels[rows]]
    return X


def _group_codes(
    labels: NDArray[np.int32],
    weights: NDArray[np.float64],
    shares: NDArray[np.float64],
    strength: float,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Cut the ranked levels at the group sizes."""
    n = len(labels)
    level = rng.random(n)
    if strength > 0:
        order = rng.permutation(len(weights))
        start = np.empty_like(weights)
        start[order] = np.cumsum(weights[order]) - weights[order]
        tied = slice(None) if strength == 1.0 else rng.random(n) < strength
        level[tied] = start[labels[tied]] + weights[labels[tied]] * level[tied]
    ends = np.cumsum(_counts(shares, n))[:-1]
    cuts = np.append(level, np.inf)  # a last group of no rows starts behind every level
    cuts = np.partition(cuts, np.unique(ends))[ends] if len(ends) else cuts[:0]
    return np.searchsorted(cuts, level, side="right")


def _fill_proxy(
    target: NDArray[np.floating],
    codes: NDArray[np.int32],
    shares: NDArray[np.float64],
    strength: float,
    spread: float,
    rng: np.random.Generator,
) -> None:
    """Overwrite a column by standardized codes and noise, mixed to the given correlation."""
    values = np.arange(len(shares), dtype=np.float64)
    mean = values @ shares
    deviation = np.sqrt((values - mean) ** 2 @ shares)
    standardized = (values - mean) / (deviation if deviation > 0 else 1.0)
    noise = spread * np.sqrt(1.0 - strength**2)
    for start in range(0, len(codes), CHUNK):
        rows = slice(start, start + CHUNK)
        target[rows] = (
            noise * rng.standard_normal(len(codes[rows])) + spread * strength * standardized[codes[rows]]
        )


def _counts(shares: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    """Round shares times n to whole numbers that sum to n, by largest remainder."""
    counts = np.floor(shares * n).astype(np.intp)
    # stable, so that equal remainders favor the first
    largest = np.argsort(counts - shares * n, kind="stable")
    counts[largest[: n - counts.sum()]] += 1
    return counts


def _generator(random_state: int | np.random.Generator | np.random.RandomState | None) -> np.random.Generator:
    if isinstance(random_state, np.random.RandomState):  # scikit-learn hands these around; it has no float32
        random_state = int(random_state.randint(np.iinfo(np.int32).max))
    return np.random.default_rng(random_state)


def _positions(
    centers: int | ArrayLike, n_features: int, box: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.float64]:
    low, high = box
    if not (np.isfinite(low) and np.isfinite(high) and low <= high):
        raise ValueError(f"center_box must be two finite numbers in ascending order, got {box}")
    if isinstance(centers, Integral):
        return rng.uniform(low, high, (_positive("centers", centers), _positive("n_features", n_features)))
    positions = np.asarray(centers, dtype=np.float64)
    if positions.ndim != 2 or positions.size == 0 or not np.isfinite(positions).all():
        raise ValueError(
            f"centers must be an int or a finite array of shape (k, d), got shape {positions.shape}"
        )
    return positions


def _positive(name: str, value: object) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a positive int, got {value!r}")
    return int(value)


def _sizes(name: str, sizes: ArrayLike, length: int | None = None) -> NDArray[np.float64]:
    """Relative sizes as shares that sum to 1."""
    values = np.asarray(sizes, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or length not in (None, values.size):
        raise ValueError(f"{name} must be a sequence of {length or 'one or more'} sizes, got {sizes!r}")
    if not np.isfinite(values).all() or (values < 0).any() or values.sum() <= 0:
        raise ValueError(f"{name} must be finite sizes >= 0, not all zero, got {sizes!r}")
    shares: NDArray[np.float64] = values / values.sum()
    return shares


def _attributes(groups: GroupShares | Sequence[GroupShares]) -> tuple[list[NDArray[np.float64]], bool]:
    """Return the shares of each attribute's groups, and whether `groups` is a sequence of attributes."""
    if isinstance(groups, Sequence | np.ndarray) and not all(isinstance(entry, float) for entry in groups):
        return [_attribute(entry) for entry in groups], True
    return [_attribute(groups)], False


def _attribute(entry: object) -> NDArray[np.float64]:
    if isinstance(entry, Integral):
        return np.full(size := _positive("groups", entry), 1.0 / size)
    if isinstance(entry, Sequence | np.ndarray) and all(isinstance(share, float) for share in entry):
        return _sizes("groups", list(entry))
    raise ValueError(
        "groups must be an int, a sequence of floats, or a sequence of such entries (one for each "
        f"attribute), got {entry!r}"
    )
