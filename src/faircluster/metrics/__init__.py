"""Fairness, cost and agreement of a clustering, as plain functions of arrays.

All of them take ``labels`` and, where groups matter, ``sensitive_features``: a `Groups`, or anything
`Groups.from_features` accepts. Every distinct label is a cluster: drop the rows of a noise label first to
leave them out. NMI is scikit-learn's function under its own name, here so that one import serves a whole
report.
"""

from sklearn.metrics import normalized_mutual_info_score

from faircluster.metrics.agreement import clustering_accuracy, f_beta, mnce
from faircluster.metrics.cost import GroupCosts, group_costs, point_costs, price_of_fairness
from faircluster.metrics.fairness import additive_violation, balance, balance_by_cluster, fairness_ratio
from faircluster.metrics.shares import GroupShares, group_shares

__all__ = [
    "GroupCosts",
    "GroupShares",
    "additive_violation",
    "balance",
    "balance_by_cluster",
    "clustering_accuracy",
    "f_beta",
    "fairness_ratio",
    "group_costs",
    "group_shares",
    "mnce",
    "normalized_mutual_info_score",
    "point_costs",
    "price_of_fairness",
]
