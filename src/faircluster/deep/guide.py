"""A first clustering from the engine, for vectors whose distances mean something."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faircluster.assignment.transport import assign_by_price
from faircluster.bounds import FairnessBounds
from faircluster.centers import Means
from faircluster.deep.inputs import CHUNK, Rows
from faircluster.groups import Groups
from faircluster.refinement.lloyd import Clustering, fair_lloyd

__all__ = ["SMALL", "Guide", "find_guide"]

_APART = 0.1  # of the rows may have another center nearer than the one of their cluster
SMALL = 0.2  # of the mean size: a smaller cluster is one of outliers


@dataclass(frozen=True, eq=False)
class Guide:
    """Labels that a network without any of its own begins with.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
        Of the rows that were clustered; 0 for others.
    shares : ndarray of shape (k,)
        Of the clusters; they sum to 1.
    """

    labels: NDArray[np.int32]
    shares: NDArray[np.float64]


def find_guide(
    rows: Rows, drawn: NDArray[np.intp], groups: Groups, n_clusters: int, n_init: int, seed: int
) -> Guide | None:
    """Exactly fair k-means of some rows; None where it would mislead.

    Distances that are dominated by the protected attribute, as those between the signals of different
    people, put groups into clusters of their own. Then exact fairness assigns many points to a center that is
    not the nearest, by their group: labels that nobody can tell from the sample. A tenth is the most allowed.

    The objective asks for clusters of similar size, and k-means does not: of its starts the cheapest without
    a cluster below a fifth of the mean size is taken, if there is one.

    Parameters
    ----------
    rows : Rows of n samples of shape (d,)
    drawn : ndarray of shape (m,)
        Numbers of the rows to cluster.
    groups : Groups
    n_clusters, n_init, seed : int

    Returns
    -------
    Guide or None

    Notes
    -----
    O(m k d) an iteration.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from faircluster import Groups
    >>> rows = Rows(np.array([[0.0], [0.1], [9.0], [9.1]]), torch.device("cpu"))
    >>> guide = find_guide(rows, np.arange(4), Groups.from_features(list("abab")), 2, 1, 0)
    >>> bool(guide.labels[0] == guide.labels[1] != guide.labels[2]), guide.shares.tolist()
    (True, [0.5, 0.5])
    >>> find_guide(rows, np.arange(4), Groups.from_features(list("aabb")), 2, 1, 0) is None
    True
    """
    part = groups.subset(drawn)
    X = np.empty((len(drawn), *rows.shape))
    for start in range(0, len(drawn), CHUNK):
        X[start : start + CHUNK] = rows.batch(drawn[start : start + CHUNK]).cpu().numpy()
    geometry = Means(X)
    exact = FairnessBounds.exact().rows(part, n_clusters)
    free = FairnessBounds.from_any(None).rows(part, n_clusters)
    random_state = np.random.RandomState(seed % 2**32)
    found: list[tuple[bool, float, Clustering, NDArray[np.float64]]] = []
    for _ in range(n_init):
        plain = fair_lloyd(geometry, part, free, geometry.start("k-means++", n_clusters, random_state))
        fair = fair_lloyd(geometry, part, exact, plain.centers)
        shares = np.bincount(fair.labels, minlength=n_clusters) / len(drawn)
        found.append((bool(shares.min() < SMALL / n_clusters), fair.cost, fair, shares))
    *_, best, shares = min(found, key=lambda each: each[:2])
    no_prices = np.zeros((part.n_signatures, n_clusters))
    nearest = assign_by_price(geometry.costs(best.centers), part.signature, no_prices)[0]
    if shares.min() == 0 or np.mean(nearest != best.labels) > _APART:
        return None
    labels = np.zeros(len(rows), dtype=np.int32)
    labels[drawn] = best.labels
    return Guide(labels, shares)
