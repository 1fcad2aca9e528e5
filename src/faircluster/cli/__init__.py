"""The command ``faircluster``: fit, assign, predict, audit, trade-off and a local page; and the demo."""

from faircluster.cli.commands import main
from faircluster.cli.explore import app, tradeoff

__all__ = ["app", "main", "tradeoff"]
