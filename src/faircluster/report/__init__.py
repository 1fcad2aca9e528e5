"""Reports for people: audits of clusterings as numbers, as text and as pictures.

Importing this needs no optional package; tables in the terminal need rich, pictures need matplotlib.
"""

from faircluster.report.audit import AttributeAudit, Audit, WorstCell, audit_clustering
from faircluster.report.plots import plot_group_shares
from faircluster.report.text import audit_tables, comparison_table, shares_table

__all__ = [
    "AttributeAudit",
    "Audit",
    "WorstCell",
    "audit_clustering",
    "audit_tables",
    "comparison_table",
    "plot_group_shares",
    "shares_table",
]
