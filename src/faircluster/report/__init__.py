"""Reports for people: audits of clusterings as numbers, as text, as pictures and as one HTML file.

Importing this needs no optional package; tables in the terminal need rich, pictures matplotlib, the HTML
report jinja2 as well. The way is one: `summarize` makes a plain dict, `render` makes the file from it alone.
"""

from faircluster.report.audit import AttributeAudit, Audit, WorstCell, audit_clustering
from faircluster.report.charts import (
    plot_cost_by_k,
    plot_embedding,
    plot_group_costs,
    plot_tradeoff,
    plot_training,
)
from faircluster.report.plots import plot_group_shares
from faircluster.report.render import render_report
from faircluster.report.summarize import AuditResult
from faircluster.report.text import audit_tables, comparison_table, shares_table
from faircluster.report.tradeoff import TradeoffCurve, find_knee, tradeoff_curve

__all__ = [
    "AttributeAudit",
    "Audit",
    "AuditResult",
    "TradeoffCurve",
    "WorstCell",
    "audit_clustering",
    "audit_tables",
    "comparison_table",
    "find_knee",
    "plot_cost_by_k",
    "plot_embedding",
    "plot_group_costs",
    "plot_group_shares",
    "plot_tradeoff",
    "plot_training",
    "render_report",
    "shares_table",
    "tradeoff_curve",
]
