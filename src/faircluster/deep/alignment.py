"""Match clusters across groups by the geometry of their means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment, quadratic_assignment
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist

from faircluster.groups import Groups

__all__ = ["Alignment", "align_clusters", "cluster_means"]

Array = NDArray[Any]
_FEWEST = 5  # points of a group in a cluster below which its mean says nothing
_CLEARLY = 0.5  # a matching counts if its objective is at most this times that of the identity
_STARTS = 30
_SHUFFLES = 5


@dataclass(frozen=True, eq=False)
class Alignment:
    """Which cluster of the reference each cluster of a signature corresponds to.

    Attributes
    ----------
    columns : ndarray of shape (S, k), int
        ``proba[i, columns[s, j]]`` is the probability that point i of signature s is in cluster j of the
        reference.
    changed : tuple of int
        Signatures whose clusters are matched differently.
    skipped : tuple of int
        Signatures that lack points in some cluster and could not be compared.
    """

    columns: NDArray[np.intp]
    changed: tuple[int, ...]
    skipped: tuple[int, ...]

    def apply(self, proba: Array, signature: NDArray[np.int32]) -> Array:
        """Probabilities with every signature's columns in the order of the reference."""
        if not self.changed:
            return proba
        aligned: Array = np.take_along_axis(proba, self.columns[signature], axis=1)
        return aligned


def cluster_means(chunks: Any, labels: Array, groups: Groups, n_clusters: int) -> tuple[Array, Array]:
    """Mean sample of every signature in every cluster.

    Parameters
    ----------
    chunks : iterable of (index, samples)
        Row numbers and an array of shape (m, ...).
    labels : ndarray of shape (n,), int
    groups : Groups
    n_clusters : int

    Returns
    -------
    means : ndarray of shape (S, k, d)
    counts : ndarray of shape (S, k)

    Notes
    -----
    O(n d) time, O(S k d) memory.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster import Groups
    >>> X, groups = np.array([[0.0], [2.0], [5.0]]), Groups.from_features(list("aab"))
    >>> means, counts = cluster_means([(np.arange(3), X)], np.array([0, 0, 1]), groups, 2)
    >>> means[0, 0].tolist(), counts.tolist()
    ([1.0], [[2.0, 0.0], [0.0, 1.0]])
    """
    cells = groups.n_signatures * n_clusters
    sums: Any = None
    for index, samples in chunks:
        flat = np.asarray(samples, dtype=np.float64).reshape(len(index), -1)
        sums = np.zeros((cells, flat.shape[1])) if sums is None else sums
        cell = groups.signature[index] * n_clusters + labels[index]
        sums += csr_array((np.ones(len(index)), (cell, np.arange(len(index)))), (cells, len(index))) @ flat
    counts = np.bincount(groups.signature * n_clusters + labels, minlength=cells).astype(np.float64)
    shape = (groups.n_signatures, n_clusters)
    return (sums / np.maximum(counts, 1.0)[:, None]).reshape(*shape, -1), counts.reshape(shape)


def align_clusters(means: Array, counts: Array, seed: int) -> Alignment:
    """Match each signature's clusters with those of the largest one, by distances between cluster means.

    Two groups may show the same classes in different guise (a digit and its negative): then distances
    between the classes agree although the means do not, and a network may have numbered the clusters of
    the two groups differently.

    Parameters
    ----------
    means : ndarray of shape (S, k, d)
    counts : ndarray of shape (S, k)
    seed : int

    Returns
    -------
    Alignment
        A signature keeps its own order unless another has at most half the objective, the squared difference
        of the (normalized) distance matrices, and at most half of what the best matching with shuffled
        distances has: few clusters can be matched with anything. It keeps it in any case where each of its
        means pairs up with that of the same cluster: then the groups are not in different guise.

    Notes
    -----
    A quadratic assignment problem of size k a signature: FAQ (Vogelstein et al. 2015) from 30 starts, each
    refined by 2-opt; no guarantee. O(S (k^2 d + 180 k^3)) and more.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.array([[0.0], [1.0], [5.0], [14.0]])
    >>> b = -a[[2, 0, 1, 3]]  # the same geometry in another order
    >>> align_clusters(np.stack([a, b]), np.full((2, 4), 9.0), seed=0).columns.tolist()
    [[0, 1, 2, 3], [1, 2, 0, 3]]
    """
    n_signatures, k, _ = means.shape
    columns = np.tile(np.arange(k), (n_signatures, 1))
    complete = (counts >= _FEWEST).all(axis=1)
    skipped = tuple(np.flatnonzero(~complete).tolist())
    if k < 4 or complete.sum() < 2:  # three distances can be matched in any order
        return Alignment(columns, (), skipped)
    reference = int(np.argmax(np.where(complete, counts.sum(axis=1), -1.0)))
    target = _distances(means[reference])
    rng = np.random.default_rng(seed)
    changed = []
    for s in np.flatnonzero(complete).tolist():
        if s == reference or _same_guise(means[reference], means[s]):
            continue
        own = _distances(means[s])
        best = _match(target, own, rng)
        found = _difference(target, own, best)
        present = _difference(target, own, np.arange(k))
        if found < present and found <= _CLEARLY * min(present, _by_chance(target, own, rng)):
            changed.append(s)
            columns[s] = best
    return Alignment(columns, tuple(changed), skipped)


def _same_guise(reference: Array, own: Array) -> bool:
    """Whether the closest pairing of the means is the present numbering."""
    paired: Array = linear_sum_assignment(cdist(reference, own, "sqeuclidean"))[1]
    return bool((paired == np.arange(len(paired))).all())


def _distances(means: Array) -> Array:
    between = np.sqrt(np.maximum(((means[:, None] - means[None]) ** 2).sum(axis=2), 0.0))
    total = between.sum()
    scaled: Array = between / total if total > 0 else between
    return scaled


def _difference(target: Array, own: Array, order: Array) -> float:
    return float(((target - own[np.ix_(order, order)]) ** 2).sum())


def _by_chance(target: Array, own: Array, rng: np.random.Generator) -> float:
    """Least objective of a matching with the same distances in random order, over a few draws."""
    above = np.triu_indices(len(own), 1)
    least = np.inf
    for _ in range(_SHUFFLES):
        shuffled = np.zeros_like(own)
        shuffled[above] = rng.permutation(own[above])
        shuffled += shuffled.T
        least = min(least, _difference(target, shuffled, _match(target, shuffled, rng)))
    return least


def _match(target: Array, own: Array, rng: np.random.Generator) -> Array:
    best, least = np.arange(len(target)), np.inf
    for start in range(_STARTS):
        kind: Any = "barycenter" if start == 0 else "randomized"
        options = {"maximize": True, "P0": kind, "rng": rng}
        rough = quadratic_assignment(target, own, method="faq", options=options).col_ind
        pairs = np.column_stack([np.arange(len(rough)), rough])
        options = {"maximize": True, "partial_guess": pairs, "rng": rng}
        fine = quadratic_assignment(target, own, method="2opt", options=options).col_ind
        if (found := _difference(target, own, fine)) < least:
            best, least = fine, found
    return best
