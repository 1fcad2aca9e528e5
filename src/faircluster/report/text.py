"""Audits and comparisons as tables for the terminal (rich)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from faircluster.report.audit import AttributeAudit, Audit

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["MARKS", "audit_tables", "comparison_table", "shares_table"]

ABOVE, BELOW, DIFFERS = "▲", "▼", "≠"
_BIDI = {"\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"}
MARKS = f"{ABOVE} above and {BELOW} below what the bounds allow"


def _new_table(title: str) -> Table:
    try:
        from rich import box, table
    except ImportError as error:
        message = 'tables in the terminal need rich: pip install "faircluster[data,report]"'
        raise ImportError(message, name="rich") from error
    return table.Table(title=_plain(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)


def _shares_header(title: str, audit: AttributeAudit) -> Table:
    """Table with a column for each group, the share of everyone, and what all clusters are allowed."""
    shown = _new_table(title)
    shown.add_column("cluster", no_wrap=True)
    shown.add_column("size", justify="right", no_wrap=True)
    for name in audit.shares.names:
        shown.add_column(_plain(short_name(name, audit.attribute)), justify="right", overflow="fold")
    everyone = number(audit.shares.sizes.sum())
    shown.add_row("everyone", everyone, *[f"{share:.1%}" for share in audit.shares.population])
    if (audit.lower == audit.lower[0]).all() and (audit.upper == audit.upper[0]).all():
        limits = [_span(low, high) for low, high in zip(audit.lower[0], audit.upper[0], strict=True)]
        shown.add_row("allowed", "", *limits, end_section=True)
    return shown


def _plain(text: str) -> str:
    """Text from the data, in which rich must not look for markup."""
    from rich.markup import escape

    return escape(text)


def audit_tables(audit: Audit) -> list[Table | str]:
    """One table an attribute, each followed by sentences that sum it up.

    Parameters
    ----------
    audit : Audit

    Returns
    -------
    list of rich.table.Table and str
        To be printed in turn.

    Raises
    ------
    ImportError
        If rich is missing.

    Examples
    --------
    >>> from faircluster.report import audit_clustering, audit_tables
    >>> audit_tables(audit_clustering([0, 0, 1, 1], list("abab")))[1].splitlines()[0]
    'balance 1.000, fairness ratio 1.000, violation 0 points'
    """
    parts: list[Table | str] = []
    for attribute in audit.attributes:
        parts += [_attribute_table(attribute), _summary(attribute)]
    parts.append(
        f"{MARKS}, worst: by most points. Under each share its {audit.confidence:.0%} confidence interval, "
        f"{DIFFERS} where it leaves out the share of everyone."
    )
    return parts


def _attribute_table(audit: AttributeAudit) -> Table:
    shown = _shares_header(f"{audit.attribute or 'groups'}: share of each cluster", audit)
    for j, cluster in enumerate(audit.clusters):
        cells = [_cell(audit, j, t) for t in range(len(audit.shares.names))]
        shown.add_row(_plain(cluster), number(audit.shares.sizes[j]), *cells)
    return shown


def _cell(audit: AttributeAudit, j: int, t: int) -> str:
    """Share with its flag, and below it the confidence interval."""
    if audit.shares.sizes[j] == 0:
        return "empty"
    share = f"{audit.shares.shares[j, t]:.1%}"
    excess = audit.excess[j, t]
    if excess:
        word = "worst" if audit.worst == (j, t) else "above" if excess > 0 else "below"
        share = f"[bold red]{ABOVE if excess > 0 else BELOW} {word}[/] {share}"
    interval = _span(audit.shares.lower[j, t], audit.shares.upper[j, t])
    return f"{share}\n[dim]{DIFFERS + ' ' if audit.differs[j, t] else ''}{interval}[/]"


def _span(low: float, high: float) -> str:
    return f"{100 * low:.1f}-{100 * high:.1f}%"


def _summary(audit: AttributeAudit) -> str:
    text = (
        f"balance {audit.balance:.3f}, fairness ratio {audit.fairness_ratio:.3f}, "
        f"violation {number(audit.violation)} points"
    )
    worst = audit.worst_cell
    broken = int((audit.excess != 0).sum())
    return text if worst is None else f"{text}; {broken} cells break the bounds\nworst: {worst}"


def shares_table(before: Audit, after: Audit, titles: tuple[str, str]) -> list[Table]:
    """Shares by cluster of two clusterings in one table an attribute, cell by cell.

    Parameters
    ----------
    before, after : Audit
        Of the same rows, with clusters in the same order.
    titles : tuple of two str
        What the two are.

    Returns
    -------
    list of rich.table.Table

    Raises
    ------
    ImportError
        If rich is missing.

    Examples
    --------
    >>> from faircluster.report import audit_clustering, shares_table
    >>> before = audit_clustering([0, 0, 1, 1], list("aabb"))
    >>> after = audit_clustering([0, 1, 0, 1], list("aabb"))
    >>> shares_table(before, after, ("plain", "fair"))[0].row_count
    4
    """
    tables = []
    for old, new in zip(before.attributes, after.attributes, strict=True):
        shown = _shares_header(f"{old.attribute or 'groups'}: share in %, {titles[0]} → {titles[1]}", old)
        for j, cluster in enumerate(old.clusters):
            sizes = f"{number(old.shares.sizes[j])} → {number(new.shares.sizes[j])}"
            cells = [f"{_marked(old, j, t)} → {_marked(new, j, t)}" for t in range(len(old.shares.names))]
            shown.add_row(_plain(cluster), sizes, *cells)
        tables.append(shown)
    return tables


def _marked(audit: AttributeAudit, j: int, t: int) -> str:
    if audit.shares.sizes[j] == 0:
        return "empty"
    share = f"{100 * audit.shares.shares[j, t]:.1f}"
    excess = audit.excess[j, t]
    return f"[bold red]{ABOVE if excess > 0 else BELOW}{share}[/]" if excess else f"{share}"


def comparison_table(rows: Mapping[str, Sequence[str]], titles: Sequence[str], title: str) -> Table:
    """Figures of several clusterings side by side.

    Parameters
    ----------
    rows : dict from what it is to one text for each clustering
    titles : sequence of str
        What the clusterings are; no header if all are empty.
    title : str

    Returns
    -------
    rich.table.Table

    Raises
    ------
    ImportError
        If rich is missing.

    Examples
    --------
    >>> comparison_table({"cost": ["1.0", "1.2"]}, ["plain", "fair"], "cost").row_count
    1
    """
    shown = _new_table(title)
    shown.show_header = any(titles)
    shown.add_column("", no_wrap=True)
    for heading in titles:
        shown.add_column(_plain(heading), justify="right")
    for name, cells in rows.items():
        shown.add_row(_plain(name), *map(_plain, cells))
    return shown


def number(value: float) -> str:
    """Whole numbers with separators, others with four digits or one after the point.

    Examples
    --------
    >>> number(48842.0), number(1234.56), number(0.25)
    ('48,842', '1,234.6', '0.25')
    """
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"


def short_name(name: str, attribute: str) -> str:
    """Group without its attribute.

    Examples
    --------
    >>> short_name("sex=Female", "sex")
    'Female'
    """
    return name.removeprefix(f"{attribute}=") if attribute else name


def visible(text: str) -> str:
    r"""Show characters that are not to be seen, or that turn the direction of what follows, as escapes.

    Examples
    --------
    >>> visible("a\x00b\u202ec")
    'a\\x00b\\u202ec'
    """
    if text.isprintable():
        return text
    return "".join(
        repr(c)[1:-1] if c in _BIDI or (unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t") else c
        for c in text
    )
