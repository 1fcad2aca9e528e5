"""Fair clustering with hard guarantees.

State the protected groups and the bounds once, and get clusterings that keep them exactly, with
the price they cost and a proof of how close to optimal they are.
"""

from faircluster.assignment import AssignmentProblem, AssignmentResult, solve
from faircluster.bounds import FairnessBounds, InfeasibleBoundsError
from faircluster.estimators import FairAssignment, FairKCenter, FairKMeans, FairKMedian
from faircluster.groups import Groups
from faircluster.persistence import load_model, save_model

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
    "load_model",
    "save_model",
    "solve",
]
