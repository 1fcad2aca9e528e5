"""Socially fair clustering: minimise the cost of the worst-off group."""

from faircluster.social.instance import SocialInstance, group_weights
from faircluster.social.result import SocialResult
from faircluster.social.solve import SocialSolver, solve_social

__all__ = ["SocialInstance", "SocialResult", "SocialSolver", "group_weights", "solve_social"]
