"""The figures of an audit as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import math
from typing import Any

from faircluster.report.report_pictures import report_pictures
from faircluster.report.text import number, visible

__all__ = ["render_report", "report_environment"]

MINUS = "\u2212"
MOST_ROWS = 60  # of a list whose length depends on the data; the JSON has all


def render_report(figures: dict[str, Any], tradeoff: dict[str, Any] | None = None) -> str:
    """Render the figures of an audit as a page.

    Parameters
    ----------
    figures : dict
        Of `AuditResult.to_dict`.
    tradeoff : dict, optional
        Of `TradeoffCurve.to_dict`.

    Returns
    -------
    str
        HTML. Everything from the data is escaped, the only script allowed to run is the page's own, and
        nothing is loaded from anywhere.

    Raises
    ------
    ImportError
        If jinja2 or matplotlib is missing.

    Examples
    --------
    >>> from faircluster import audit
    >>> page = render_report(audit([0, 0, 1, 1], ["<b>", "x", "<b>", "x"]).to_dict())
    >>> "&lt;b&gt;" in page, "<b>x" in page
    (True, False)
    """
    environment = report_environment()
    from markupsafe import Markup

    pictures = {
        place: [{**picture, "svg": Markup(picture["svg"])} for picture in found]
        for place, found in report_pictures(figures, tradeoff).items()
    }
    script = _source(environment, "report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    before = figures["before"]
    sides = (
        [(before, "before"), (figures["clustering"], "after")] if before else [(figures["clustering"], "now")]
    )
    from faircluster import __version__

    return environment.get_template("report.html").render(
        **{name: value for name, value in figures.items() if name != "pictures"},
        tradeoff=tradeoff,
        pictures=pictures,
        sides=sides,
        cards=_cards(figures),
        links=_links(figures, tradeoff),
        numbers={key: i for i, key in enumerate(figures["references"], 1)},
        most_rows=MOST_ROWS,
        version=__version__,
        style=Markup(_source(environment, "report.css")),
        script=Markup(script),
        script_hash=digest,
    )


def report_environment(package: str = "faircluster.report") -> Any:
    """Templates of a package, with escaping always on and the filters of reports.

    Raises
    ------
    ImportError
        If jinja2 is missing.

    Examples
    --------
    >>> report_environment().from_string("{{ name }}").render(name="<b>")
    '&lt;b&gt;'
    """
    try:
        import jinja2
    except ImportError as error:
        message = 'the HTML report needs jinja2: pip install "faircluster[data,report]"'
        raise ImportError(message, name="jinja2") from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    environment.filters |= {
        "percent": _percent,
        "number": lambda value: "" if value is None else number(float(value)),
        "fixed": _fixed,
        "signed": lambda value: f"{value:+.2f}".replace("-", MINUS),
        "pvalue": lambda value: "< 0.0001" if value < 1e-4 else f"= {value:.4f}",
        "css": lambda share: f"{100 * min(1.0, max(0.0, share)):.2f}%",
        "blank": lambda value: "" if value is None else value,
        "tops": _tops,
        "first_full": lambda cells: next((row for row in cells if row[0]["state"] != "empty"), None),
    }
    return environment


def _source(environment: Any, name: str) -> str:
    text: str = environment.loader.get_source(environment, name)[0]
    return text


def _percent(share: float | None, digits: int = 1) -> str:
    return "" if share is None else f"{share:.{digits}%}"


def _fixed(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _tops(attribute: dict[str, Any]) -> list[float]:
    """Where the strips of each group end: a little above all that they show."""
    tops = []
    for t, group in enumerate(attribute["groups"]):
        shown = [group["share"]]
        for row in attribute["cells"]:
            if row[t]["state"] != "empty":
                shown += [row[t]["share"], row[t]["upper"]] + [row[t]["most"]] * (row[t]["most"] < 1)
        tops.append(min(1.0, 1.08 * max(shown)) or 1.0)
    return tops


def _cards(figures: dict[str, Any]) -> list[dict[str, str]]:
    """Figures at the top of the page: what, how much, and beside what to read it."""
    now, before = figures["clustering"], figures["before"]

    def was(measure: str, digits: int) -> str:
        return "" if before is None else f"before: {before['overall'][measure]:,.{digits}f}"

    # a point is no percentage point
    unit = was("violation", 1) or "a point is one row" + (
        " of weight 1" if figures["data"]["weighted"] else ""
    )
    cards = [
        ("Largest violation", f"{number(now['overall']['violation'])} points", unit),
        ("Balance, worst attribute", f"{now['overall']['balance']:.3f}", was("balance", 3)),
        ("Fairness ratio, worst", f"{now['overall']['fairness_ratio']:.3f}", was("fairness_ratio", 3)),
    ]
    costs, price, certificate = now["costs"], figures["price"], figures["certificate"]
    if costs is not None and costs["ratio"] is not None and len(costs["groups"]) > 1:
        cards.append(("Cost, worst over best group", f"{costs['ratio']:.2f}", visible(costs["worst_group"])))
    if price is not None:
        cards.append(("Price of fairness", f"{price['price']:.4f}", "1 is free"))
    if certificate is not None:
        cards.append(("Gap to the lower bound", f"{certificate['gap']:.3%}", certificate["method"]))
    leaks = [row for row in figures["proxies"]["attributes"] if math.isfinite(row["explained"])]
    worst = max(leaks, key=lambda row: row["explained"])
    cards.append(
        ("Most given away", f"{worst['explained']:.1%}", f"of what is unknown about {worst['title']}")
    )
    return [{"name": name, "value": value, "note": note} for name, value, note in cards]


def _links(figures: dict[str, Any], tradeoff: dict[str, Any] | None) -> list[dict[str, str]]:
    sections = [("summary", "In words"), ("shares", "Groups"), ("clusters", "Clusters")]
    if figures["clustering"]["intersections"]:
        sections.append(("intersections", "Intersections"))
    if figures["clustering"]["costs"]:
        sections.append(("costs", "Costs"))
    sections += [("proxies", "Proxies"), ("price", "Price")]
    if tradeoff:
        sections.append(("tradeoff", "Trade-off"))
    return [{"id": place, "text": text} for place, text in [*sections, ("method", "Method")]]
