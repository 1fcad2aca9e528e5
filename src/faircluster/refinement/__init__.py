"""Improve centers and assignments in turn."""

from faircluster.refinement.lloyd import Clustering, fair_lloyd, polish
from faircluster.refinement.swaps import improve_by_swaps

__all__ = ["Clustering", "fair_lloyd", "improve_by_swaps", "polish"]
