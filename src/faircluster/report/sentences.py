"""Plain sentences about an audit, made from its figures, each with what it does not say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from faircluster.bounds import FairnessBounds
from faircluster.report.text import number

__all__ = ["assumptions", "bounds_in_words", "findings", "limits"]

Figures = dict[str, Any]


def bounds_in_words(bounds: FairnessBounds) -> str:
    """Say what bounds ask of every cluster.

    Parameters
    ----------
    bounds : FairnessBounds

    Returns
    -------
    str

    Examples
    --------
    >>> bounds_in_words(FairnessBounds.slack(0.2))
    "every group's share of every cluster between 80% and 125% of its share of everyone"
    """
    whose = "its target share" if bounds.target else "its share of everyone"
    value, every = bounds.value or 0.0, "every group's share of every cluster"
    words = {
        "slack": f"{every} between {1 - value:.0%} and {1 / (1 - value) if value < 1 else 1:.0%} of {whose}",
        "ratio": f"{every} between {value:.0%} and {1 / value if value else 1:.0%} of {whose}",
        "interval": f"{every} within {100 * value:.4g} percentage points of {whose}",
        "balance": f"in every cluster {value:.4g} or more members of each group for each one of any other",
        "max_share": f"no group more than {value:.0%} of a cluster",
        "exact": f"counts less than one member from proportional to {whose}",
        "explicit": "shares between limits given group by group",
    }
    return words.get(bounds.kind, "limits given cluster by cluster")


def findings(figures: Figures) -> list[dict[str, str]]:
    """Sum up an audit in sentences.

    Parameters
    ----------
    figures : dict
        Of `audit`, complete but for the sentences.

    Returns
    -------
    list of dict
        ``level`` ("good", "bad", "open" or "note") and ``text``.

    Examples
    --------
    >>> from faircluster import audit
    >>> audit([0, 0, 1, 1] * 50, list("abab") * 50, bounds=0.2).to_dict()["summary"][0]["text"]
    'Every cluster keeps the bounds for every group.'
    """
    found = [*_about_bounds(figures["clustering"], figures["bounds"]["words"])]
    for attribute in figures["clustering"]["attributes"]:
        found += _about_attribute(attribute)
    found += _about_intersections(figures["clustering"]["intersections"])
    found += _about_costs(figures["clustering"]["costs"])
    found += _about_proxies(figures["proxies"])
    found += _about_price(figures)
    if figures["before"] is not None:
        found += _about_change(figures["before"], figures["clustering"])
    return [{"level": level, "text": text} for level, text in found]


def _about_bounds(clustering: Figures, words: str) -> Iterator[tuple[str, str]]:
    broken = [a for a in clustering["attributes"] if a["worst"] is not None]
    if clustering["overall"]["violation"] == 0:
        yield "good", "Every cluster keeps the bounds for every group."
    else:
        points = number(clustering["overall"]["violation"])
        cells = sum(a["counts"]["outside"] for a in clustering["attributes"])
        sure = sum(a["counts"]["outside_conclusive"] for a in clustering["attributes"])
        of = sum(a["counts"]["cells"] for a in clustering["attributes"])
        yield (
            "bad",
            (
                f"The bounds ({words}) are broken by up to {points} points: {cells} of {of} shares lie "
                "outside, "
                f"{sure} of them conclusively."
            ),
        )
    for attribute in broken:
        yield "bad", f"For {attribute['title']}, {attribute['worst']['words']}."
    if clustering["n_empty"]:
        yield "note", f"{_count(clustering['n_empty'], 'cluster has', 'clusters have')} no members."


def _about_attribute(attribute: Figures) -> Iterator[tuple[str, str]]:
    counts, name = attribute["counts"], attribute["title"]
    if len(attribute["groups"]) < 2:
        return
    if counts["four_fifths"]:
        sure = counts["four_fifths_conclusive"]
        yield (
            ("bad" if sure else "open"),
            (
                f"By the four-fifths rule, {_count(counts['four_fifths'], 'rate', 'rates')} of {name} "
                f"{'is' if counts['four_fifths'] == 1 else 'are'} below 80% of the highest in the same "
                "cluster, "
                f"{sure} conclusively."
            ),
        )
    if counts["undecided"]:
        few = f"; {counts['few']} of them are of too few people to judge" if counts["few"] else ""
        yield (
            "open",
            (
                f"For {name}, {counts['undecided']} of {counts['cells']} shares are so close to a limit, or "
                "of "
                f"so few people, that further people like these could fall on either side of it{few}."
            ),
        )


def _about_intersections(sections: list[Figures]) -> Iterator[tuple[str, str]]:
    for section in sections:
        off = [
            row for row in section["combinations"] if row["conclusive"] and not 0.8 <= row["ratio"] <= 1.25
        ]
        if off:
            worst = off[0]
            yield (
                "bad",
                (
                    f"Intersections ({section['attribute']}): "
                    f"{_count(len(off), 'combination is', 'combinations are')} "
                    f"conclusively below 80% or above 125% of {'its' if len(off) == 1 else 'their'} share "
                    "somewhere, "
                    f"most of all {worst['group']}: "
                    f"{worst['cluster_share']:.1%} of cluster {worst['cluster']} against "
                    f"{worst['share']:.1%} of everyone."
                ),
            )


def _about_costs(costs: Figures | None) -> Iterator[tuple[str, str]]:
    if costs is None or costs["ratio"] is None or len(costs["groups"]) < 2:
        return
    worst = next(row for row in costs["groups"] if row["group"] == costs["worst_group"])
    sure = "conclusively more" if worst["conclusive"] else "not conclusively more"
    yield (
        "note",
        (
            f"{costs['worst_group']} is served worst: its mean cost ({costs['measure']}) is "
            f"{worst['relative']:.2f} times that of everyone, {sure}, and {costs['ratio']:.2f} times that of "
            f"the best served group, {costs['best_group']}."
        ),
    )


def _about_proxies(proxies: Figures) -> Iterator[tuple[str, str]]:
    for row in proxies["attributes"]:
        if row["explained"] >= 0.01 and row["p_value"] < 0.01:
            guess = (
                f", and guessing it is right in {row['guess']:.1%} of cases instead of "
                f"{row['blind_guess']:.1%}"
                if row["guess"] - row["blind_guess"] >= 0.001
                else ", too little for a better guess"
            )
            yield (
                ("bad" if row["explained"] >= 0.1 else "note"),
                (
                    f"Clusters give {row['title']} away in part: knowing the cluster removes "
                    f"{row['explained']:.1%} of the uncertainty about it{guess}."
                ),
            )
        strong = [f for f in row["features"] if f["conclusive"] and abs(f["difference"]) >= 0.2]
        if strong:
            named = ", ".join(f"{f['feature']} ({f['group']}, {f['difference']:+.2f} sd)" for f in strong[:3])
            yield (
                "note",
                (
                    f"Even inside clusters {len(strong)} of {len(row['features'])} features tell groups of "
                    f"{row['title']} apart, most of all {named}."
                ),
            )


def _about_price(figures: Figures) -> Iterator[tuple[str, str]]:
    price, certificate = figures["price"], figures["certificate"]
    if price is not None:
        if price["price"] < 1:
            yield "note", f"It costs {price['price']:.4f} times what it is compared with ({price['source']})."
        else:
            yield "note", f"Fairness costs {price['price'] - 1:.1%} more, {price['source']}."
    if certificate is not None:
        yield ("good" if certificate["applies"] else "note"), certificate["words"]


def _about_change(before: Figures, after: Figures) -> Iterator[tuple[str, str]]:
    old, new = before["overall"], after["overall"]
    broken, now = old["violation"], new["violation"]
    if broken == now == 0:
        words = "The bounds were kept before, too"
    elif broken == 0:
        words = f"Before, the bounds were kept, now they are broken by up to {number(now)} points"
    else:
        still = f"by {number(now)}" if now else "they are kept"
        words = f"Before, the bounds were broken by up to {number(broken)} points, now {still}"
    yield "note", f"{words}; balance went from {old['balance']:.3f} to {new['balance']:.3f}."


def limits() -> list[dict[str, Any]]:
    """Say what no audit of shares can show.

    Returns
    -------
    list of dict
        ``text`` and ``cite``, keys of `REFERENCES`.

    Examples
    --------
    >>> limits()[0]["cite"]
    ['dickerson2024', 'selbst2019']
    """
    return [
        {
            "text": "A fair composition is not a fair outcome. Shares say who is together, not what happens "
            "to "
            "them: judge what each cluster leads to, and who decides.",
            "cite": ["dickerson2024", "selbst2019"],
        },
        {
            "text": "Proportional clusters can serve some groups worse: look at costs by group, and at the "
            "price, "
            "next to balance.",
            "cite": ["dickerson2024", "ghadiri2021", "abbasi2021"],
        },
        {
            "text": "Bounds on single attributes can hide what happens to their combinations.",
            "cite": ["kearns2018"],
        },
        {
            "text": "The groups are those of the columns: nobody outside of them is counted, and wrong or "
            "missing "
            "values go into every figure.",
            "cite": ["chhabra2021"],
        },
        {
            "text": "The four-fifths rule is a rule of thumb of employment law about being selected. Here "
            "being "
            "put into a cluster counts as being selected, whether that is good or bad for the person.",
            "cite": ["eeoc1978"],
        },
    ]


def assumptions(figures: Figures, notes: list[str]) -> list[str]:
    """List how the figures were made.

    Parameters
    ----------
    figures : dict
    notes : list of str
        What was decided on the way.

    Returns
    -------
    list of str

    Examples
    --------
    >>> assumptions({"confidence": 0.95, "data": {"weighted": False}}, ["So it was."])[-1]
    'So it was.'
    """
    level = f"{figures['confidence']:.0%}"
    weighted = figures["data"]["weighted"]
    return [
        "Counts and shares are those of the rows given, all of them; nothing was sampled for a figure.",
        f"Intervals of shares are Wilson score intervals, {level} each on its own. They take the members of "
        "a "
        "cluster for a random sample of people like them: if the rows are everyone there is, the shares "
        "themselves are the facts.",
        f"'Conclusive' is said only if an interval that holds for all cells of the attribute together "
        f"({level}, "
        "Bonferroni) lies on one side; cells where fewer than 5 members or 5 others are expected are 'too "
        "few'.",
        "The share of everyone is taken as known, and it includes the cluster itself; so differences from it "
        "are "
        "judged with caution.",
        "Impact ratios compare the part of each group that is in a cluster with the largest of any group of "
        "the "
        "same attribute; their intervals are those of a log ratio (Katz).",
        "Mutual information is corrected for chance (Miller-Madow). Differences of features inside clusters "
        "are "
        "means over clusters, in pooled standard deviations; under 0.1 is usually called negligible, 0.2 "
        "small, "
        "0.5 medium, 0.8 large.",
        *(
            ["Sample sizes under weights are effective ones (Kish)."]
            if weighted
            else ["Every row counts once."]
        ),
        *notes,
    ]


def _count(n: int, one: str, more: str) -> str:
    return f"{n} {one if n == 1 else more}"
