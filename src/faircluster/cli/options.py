"""Options that commands share, and how bounds are written on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from faircluster.bounds import FairnessBounds

__all__ = ["parse_bounds"]

EXIT_CODES = """\b
Exit codes:
  0  done
  1  unexpected error, or a package that is not installed
  2  wrong use of the command line
  3  bad input: a file, a column or a value; or a file cannot be written
  4  bounds that no clustering can meet
  5  time limit reached before any solution was found
"""
_BOUNDS: dict[str, Callable[[float], FairnessBounds]] = {
    "slack": FairnessBounds.slack,
    "interval": FairnessBounds.interval,
    "ratio": FairnessBounds.ratio,
    "balance": FairnessBounds.balance,
    "max-share": FairnessBounds.max_share,
}


def parse_bounds(text: str) -> FairnessBounds:
    """Read bounds as they are written on the command line.

    Parameters
    ----------
    text : str
        A number (slack), "exact", or one of slack, interval, ratio, balance and max-share with a number
        after a colon.

    Returns
    -------
    FairnessBounds

    Raises
    ------
    ValueError
        Anything else, or a number out of range.

    Examples
    --------
    >>> parse_bounds("balance:0.5"), parse_bounds("0.2"), parse_bounds("exact")
    (FairnessBounds.balance(0.5), FairnessBounds.slack(0.2), FairnessBounds.exact())
    """
    if text == "exact":
        return FairnessBounds.exact()
    kind, colon, value = text.rpartition(":")
    if kind not in _BOUNDS and colon:
        raise ValueError(f"{kind!r} is no kind of bounds; use one of exact, {', '.join(_BOUNDS)}")
    try:
        share = float(value)
    except ValueError:
        raise ValueError(f"{text!r} is neither a number, nor exact, nor a kind and a number") from None
    return _BOUNDS[kind or "slack"](share)


class BoundsType(click.ParamType):
    """Bounds as :func:`parse_bounds` reads them."""

    name = "bounds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> FairnessBounds:
        """Turn what cannot be read into a usage error."""
        if isinstance(value, FairnessBounds):
            return value
        try:
            return parse_bounds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


PATH = click.Path(path_type=Path)
input_file = click.argument("file", type=PATH)
sensitive_option = click.option(
    "--sensitive",
    "-s",
    multiple=True,
    required=True,
    metavar="COLUMN",
    help="Protected column, its values are the groups; may be repeated.",
)
model_option = click.option(
    "--model", "-m", "model_file", type=PATH, required=True, help="File written by fit --model."
)
bounds_option = click.option(
    "--bounds",
    type=BoundsType(),
    default="0.2",
    show_default=True,
    help="How far shares may be from those of everyone: a number s for (1-s)p to p/(1-s), exact, "
    "interval:0.05, ratio:0.8, balance:0.5, max-share:0.6.",
)
weights_option = click.option("--weights", metavar="COLUMN", help="Column with the weight of each row.")
missing_option = click.option(
    "--missing",
    type=click.Choice(["error", "group"]),
    default="error",
    show_default=True,
    help="What an empty cell in a protected column is.",
)
json_option = click.option("--json", "json_file", type=PATH, help="Write all figures to this file.")


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of the commands that write a table."""
    for option in (
        click.option(
            "--formulas",
            type=click.Choice(["text", "keep"]),
            default="text",
            show_default=True,
            help="What becomes of CSV cells that a spreadsheet would run: text, with an apostrophe, or kept.",
        ),
        click.option("--overwrite-column", is_flag=True, help="Replace the label column if there is one."),
        click.option(
            "--label-column", default="cluster", show_default=True, metavar="NAME", help="Column to add."
        ),
        click.option("--output", "-o", type=PATH, required=True, help="Table to write (.csv or .parquet)."),
    ):
        command = option(command)
    return command
