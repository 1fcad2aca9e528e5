"""Tables say with words and symbols, not only in color, what breaks the bounds."""

import io
import sys

import pandas as pd
import pytest
from rich.console import Console

from faircluster.report import audit_clustering, audit_tables, comparison_table, shares_table
from faircluster.report.text import number


def printed(*parts, width=120):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for part in parts:
        console.print(part, markup=not isinstance(part, str))
    return console.file.getvalue()


@pytest.fixture
def audits(plain_and_fair):
    plain, fair, frame = plain_and_fair
    return audit_clustering(plain, frame, 0.2), audit_clustering(fair, frame, 0.2)


def test_broken_bounds_are_marked_cell_by_cell(audits):
    plain, fair = audits
    text = printed(*audit_tables(plain))
    excess = [attribute.excess for attribute in plain.attributes]
    worst = sum(attribute.worst is not None for attribute in plain.attributes)
    above = sum(int((e > 0).sum()) for e in excess)
    below = sum(int((e < 0).sum()) for e in excess)
    # the last line explains the marks
    marks = text[: text.index("▲ above and ▼ below")]
    assert marks.count("▲ above") + marks.count("▼ below") + marks.count(" worst ") == above + below
    assert marks.count("▲") == above
    assert marks.count("▼") == below
    assert marks.count(" worst ") == worst
    assert worst >= 1
    fair_text = printed(*audit_tables(fair))
    assert "▲" not in fair_text[: fair_text.index("▲ above and ▼ below")]


def test_every_share_has_its_interval(audits):
    text = printed(*audit_tables(audits[0]))
    attribute = audits[0].attributes[0]
    for j in range(3):
        low, high = attribute.shares.lower[j, 0], attribute.shares.upper[j, 0]
        assert f"{100 * attribute.shares.shares[j, 0]:.1f}%" in text
        assert f"{100 * low:.1f}-{100 * high:.1f}%" in text
    assert "95% confidence interval" in text
    assert f"balance {attribute.balance:.3f}" in text


def test_before_and_after_share_a_table(audits):
    text = printed(*shares_table(*audits, ("plain", "fair")))
    before, after = audits
    cell = before.attributes[0].shares.shares[0, 0], after.attributes[0].shares.shares[0, 0]
    assert f"{100 * cell[0]:.1f} → {100 * cell[1]:.1f}" in text


def test_names_from_the_data_are_not_markup():
    frame = pd.DataFrame({"[red]sex": ["[bold]x", "[/bold]", "[bold]x", "[/bold]"]})
    audit = audit_clustering([0, 0, 1, 1], frame, cluster_names=["[u]a", "[/u]b"])
    text = printed(*audit_tables(audit), *shares_table(audit, audit, ("[i]", "b")))
    for name in ("[red]sex", "[bold]x", "[/bold]", "[u]a", "[/u]b", "[i]"):
        assert name in text
    assert "[z]" in printed(comparison_table({"[z]": ["[/y]"]}, ["[x]"], "[w]"))


def test_empty_clusters_say_so():
    audit = audit_clustering([0, 0, 2, 2], list("abab"), n_clusters=3)
    assert printed(*audit_tables(audit)).count("empty") == 2
    assert "empty → empty" in printed(*shares_table(audit, audit, ("a", "b")))


def test_fits_a_narrow_terminal(audits):
    assert max(map(len, printed(*audit_tables(audits[0]), width=60).splitlines())) <= 60


def test_comparison_without_headings_has_no_header():
    assert "─" not in printed(comparison_table({"cost": ["1"]}, [""], "title"))
    assert "fair" in printed(comparison_table({"cost": ["1", "2"]}, ["plain", "fair"], "title"))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (48842.0, "48,842"), (219.569, "219.6"), (0.12345, "0.1235"), (-7.5, "-7.5")],
)
def test_numbers(value, text):
    assert number(value) == text


def test_without_rich_one_sentence_says_what_to_install(audits, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(ImportError, match=r'pip install "faircluster\[data,report\]"'):
        audit_tables(audits[0])
