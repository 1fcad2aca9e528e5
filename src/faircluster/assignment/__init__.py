"""The assignment engine: costs, groups and bounds in, labels and a certificate out."""

from faircluster.assignment.problem import AssignmentProblem, AssignmentResult
from faircluster.assignment.solve import solve

__all__ = ["AssignmentProblem", "AssignmentResult", "solve"]
