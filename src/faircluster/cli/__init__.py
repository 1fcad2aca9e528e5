"""The command ``faircluster``: fit, assign, predict and audit on files, and the demo."""

from faircluster.cli.commands import main

__all__ = ["main"]
