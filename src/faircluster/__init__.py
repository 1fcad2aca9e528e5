"""Fair clustering with hard guarantees.

State the protected groups and the bounds once, and get clusterings that keep them exactly, with
the price they cost and a proof of how close to optimal they are.
"""

from typing import Any

from faircluster.assignment import AssignmentProblem, AssignmentResult, solve
from faircluster.bounds import FairnessBounds, InfeasibleBoundsError
from faircluster.estimators import (
    FairAssignment,
    FairKCenter,
    FairKMeans,
    FairKMedian,
    SociallyFairKMeans,
    SociallyFairKMedian,
)
from faircluster.groups import Groups
from faircluster.persistence import load_model, save_model
from faircluster.report.summarize import audit
from faircluster.report.tradeoff import TradeoffCurve, tradeoff_curve

__version__ = "0.1.0"

__all__ = [
    "AssignmentProblem",
    "AssignmentResult",
    "FairAssignment",
    "FairKCenter",
    "FairKMeans",
    "FairKMedian",
    "FairnessBounds",
    "Groups",
    "InfeasibleBoundsError",
    "SociallyFairKMeans",
    "SociallyFairKMedian",
    "TradeoffCurve",
    "audit",
    "load_model",
    "save_model",
    "solve",
    "tradeoff_curve",
]


def __getattr__(name: str) -> Any:
    """Import the deep estimator when it is asked for: it needs PyTorch, the rest does not."""
    if name == "DeepFairClustering":
        from faircluster.deep import DeepFairClustering

        return DeepFairClustering
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
