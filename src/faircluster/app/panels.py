"""What the page shows of results, rendered here so that everything is escaped in one place."""

from __future__ import annotations

from typing import Any

from faircluster.app.jobs import Job
from faircluster.report.render import report_environment
from faircluster.report.report_pictures import report_pictures
from faircluster.report.text import number

__all__ = ["Panels"]


class Panels:
    """The page and its parts as HTML."""

    def __init__(self) -> None:
        self._environment = report_environment("faircluster.app")

    def page(self, **values: Any) -> str:
        """Render the page itself."""
        from faircluster import __version__

        text: str = self._environment.get_template("page.html").render(version=__version__, **values)
        return text

    def panel(self, name: str, job: Job) -> str | None:
        """Render a part of the results; None for one that does not exist or has nothing to show yet.

        Parameters
        ----------
        name : {"compare", "tradeoff"}
        job : Job
        """
        if name == "compare" and job.results.plain is not None:
            return self._compare(job)
        if name == "tradeoff" and job.results.curve is not None:
            return self._tradeoff(job)
        return None

    def _compare(self, job: Job) -> str:
        from markupsafe import Markup

        plain, fair = job.results.plain, job.results.fair
        assert plain is not None
        shown = plain if fair is None else fair
        pictures = report_pictures(shown.figures, only=("shares",))["shares"]
        text: str = self._environment.get_template("compare.html").render(
            rows=_rows(plain.figures, None if fair is None else fair.figures),
            fair=fair is not None,
            kept=fair is not None and fair.violation == 0,
            worst=None if fair is None or job.request.bounded else _worst(plain.figures, fair.figures),
            words=shown.figures["bounds"]["words"],
            summary=shown.figures["summary"],
            notes=job.results.notes,
            pictures=[{**picture, "svg": Markup(picture["svg"])} for picture in pictures],
        )
        return text

    def _tradeoff(self, job: Job) -> str:
        from markupsafe import Markup

        curve = job.results.curve
        assert curve is not None
        assert job.results.plain is not None
        picture = report_pictures(job.results.plain.figures, curve.to_dict(), only=("tradeoff",))["tradeoff"]
        text: str = self._environment.get_template("tradeoff.html").render(
            curve=curve.to_dict(),
            rows=job.results.curve_rows,
            all_rows=job.upload.table.n_rows,
            pictures=[Markup(found["svg"]) for found in picture],
        )
        return text


def _worst(plain: dict[str, Any], fair: dict[str, Any]) -> str:
    """Say what making the cost of the worst-off group small did to it."""
    old, new = (_worst_cost(figures) for figures in (plain, fair))
    if new < old:
        return f"The worst-off group's mean cost is {1 - new / old:.1%} less than under plain clustering"
    return "The worst-off group's mean cost is no less than under plain clustering"


def _worst_cost(figures: dict[str, Any]) -> float:
    return max(float(row["mean"]) for row in figures["clustering"]["costs"]["groups"])


def _rows(plain: dict[str, Any], fair: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """Figures side by side: what it is, plain, fair."""

    def pair(name: str, read: Any) -> tuple[str, str, str]:
        return name, read(plain), "…" if fair is None else read(fair)

    rows = [
        pair(
            "Bounds broken by at most", lambda f: f"{number(f['clustering']['overall']['violation'])} points"
        )
    ]
    for a, attribute in enumerate(plain["clustering"]["attributes"]):
        title = attribute["title"]

        def of(figures: dict[str, Any], what: str, a: int = a) -> float:
            return float(figures["clustering"]["attributes"][a][what])

        rows += [
            pair(f"Balance of {title}", lambda f, of=of: f"{of(f, 'balance'):.3f}"),
            pair(f"Fairness ratio of {title}", lambda f, of=of: f"{of(f, 'fairness_ratio'):.3f}"),
            pair(
                f"Shares outside, {title}",
                lambda f, a=a: "{outside} of {cells}".format(**f["clustering"]["attributes"][a]["counts"]),
            ),
        ]
    rows.append(pair("Mean cost", lambda f: number(f["clustering"]["costs"]["mean"])))
    rows.append(pair("Mean cost of the group served worst", lambda f: number(_worst_cost(f))))
    rows.append(pair("Group served worst", lambda f: f["clustering"]["costs"]["worst_group"]))
    price = None if fair is None else fair["price"]
    told = "…" if fair is None else f"{price['price']:.4f}" if price else "-"
    rows.append(("Price of fairness, against the best found without bounds", "1", told))
    gap = None if fair is None else fair["certificate"]
    rows.append(("Gap to the lower bound", "-", "…" if fair is None else f"{gap['gap']:.3%}" if gap else "-"))
    return rows
