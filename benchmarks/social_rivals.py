"""Published algorithms for socially fair clustering, on the relaxation that faircluster solves.

All of them get facilities and clients of a :class:`~faircluster.social.SocialInstance` without
repetitions, and return facilities. Fair-Lloyd, which needs no relaxation, is in ``social_lloyd_rival.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.social import SocialInstance
from faircluster.social.bundles import Bundles
from faircluster.social.exactly_k import best_subset
from faircluster.social.polishing import disjoint_balls
from faircluster.social.swaps import SwapSearch

__all__ = ["abbasi", "goyal_jaiswal", "group_blind", "makarychev_vakilian"]

Array = NDArray[Any]
DRAWS = 200  # Makarychev & Vakilian: the best of so many roundings


def abbasi(instance: SocialInstance, y: Array, eps: float) -> NDArray[np.intp]:
    """Abbasi, Bhaskara & Venkatasubramanian (FAccT 2021): at most k / (1 - eps) centers."""
    return disjoint_balls(instance, y, eps)


def makarychev_vakilian(
    instance: SocialInstance, y: Array, limit: Array | None, draw: np.random.Generator, draws: int = DRAWS
) -> NDArray[np.intp]:
    """Makarychev & Vakilian (COLT 2021): exactly k centers by randomised rounding, the best of many.

    Centers that a rounding leaves over are spent on whatever helps the worst-off group most, which the paper
    does not ask for.
    """
    best = Bundles(instance, y, limit).best(draws, draw)
    return SwapSearch(instance).extend(best, instance.n_clusters)


def goyal_jaiswal(instance: SocialInstance, centers: Array) -> NDArray[np.intp]:
    """Goyal & Jaiswal (2021): the best k of the centers of a bicriteria algorithm."""
    chosen = best_subset(instance, centers, instance.n_clusters)[0]
    return SwapSearch(instance).extend(chosen, instance.n_clusters)


def group_blind(instance: SocialInstance, share: Array, starts: int, draw: np.random.Generator) -> Array:
    """k-medians or k-means over the facilities, blind to groups: local search on the mean cost.

    ``share`` is the weight of every group's mean in the mean over all clients.
    """
    search = SwapSearch(instance)
    found = [
        search.improve(draw.choice(instance.n_facilities, instance.n_clusters, replace=False), share)
        for _ in range(starts)
    ]
    return min(found, key=lambda centers: float(share @ instance.group_costs(centers)))
