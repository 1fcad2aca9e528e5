"""Improve centers and assignments in turn."""

from faircluster.refinement.lloyd import Clustering, fair_lloyd, polish

__all__ = ["Clustering", "fair_lloyd", "polish"]
