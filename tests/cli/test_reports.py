"""Reports and trade-offs from files, and cells that spreadsheets would run."""

import json

import pandas as pd
import pytest

from faircluster.cli.explore import parse_grid
from faircluster.metrics import additive_violation
from tests.cli.conftest import make_rows, read_csv, write_csv


@pytest.fixture
def labelled(people, tmp_path):
    header, *rows = read_csv(people)
    rows = [[*row, str(i % 3), f"team {i % 2}"] for i, row in enumerate(rows)]
    return write_csv(tmp_path / "labelled.csv", rows, [*header, "cluster", "team"])


def test_audit_writes_report_and_json(run, labelled, tmp_path):
    result = run(
        *("audit", labelled, "--labels", "cluster", "-s", "sex", "-s", "race", "--before", "team"),
        *("-f", "age", "-f", "income", "--report", tmp_path / "r.html", "--json", tmp_path / "r.json"),
    )
    assert f"report written to {tmp_path / 'r.html'}" in " ".join(result.stdout.split())
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "Fairness audit of cluster" in page
    summary = json.loads((tmp_path / "r.json").read_text())
    figures = summary["figures"]
    assert figures["schema"] == "faircluster.audit/1"
    assert figures["data"]["features"] == ["age", "income"]
    assert [c["label"] for c in figures["before"]["clusters"]] == ["team 0", "team 1"]
    assert figures["clustering"]["overall"]["violation"] == summary["audit"]["violation"]
    assert figures["price"] is not None


def test_fit_reports_before_and_after(run, people, tmp_path):
    run(
        *("fit", people, "-s", "sex", "-k", 3, "-o", tmp_path / "out.csv", "--report", tmp_path / "r.html"),
        *("--weights", "w"),
    )
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Certificate of FairKMeans" in page
    assert 'data-when="before"' in page


def test_report_names_are_checked_before_any_work(run, labelled, tmp_path):
    for name, message in (("r.txt", "must end in .html"), ("no/r.html", "its folder does not exist")):
        result = run(
            "audit", labelled, "--labels", "cluster", "-s", "sex", "--report", tmp_path / name, code=3
        )
        assert message in " ".join(result.stderr.split())


def test_tradeoff_writes_everything(run, people, tmp_path):
    outputs = [tmp_path / name for name in ("curve.csv", "curve.svg", "curve.html", "curve.json")]
    result = run(
        *("tradeoff", people, "-s", "sex", "-k", 3, "--grid", "0.6,0.4,0.3", "--starts", 1),
        *("-f", "age", "-f", "income", "-o", outputs[0], "--plot", outputs[1], "--report", outputs[2]),
        *("--json", outputs[3]),
    )
    assert "knee: " in result.stdout
    curve = json.loads(outputs[3].read_text())
    assert [row["slack"] for row in curve["rows"]] == [0.6, 0.4, 0.3]
    table = pd.read_csv(outputs[0])
    assert table["cost"].tolist() == pytest.approx([row["cost"] for row in curve["rows"]])
    assert outputs[1].read_bytes().startswith(b"<?xml")
    page = outputs[2].read_text(encoding="utf-8")
    assert 'id="tradeoff"' in page
    assert curve["reason"] in page


def test_tradeoff_refuses_what_it_cannot_do(run, people, tmp_path):
    arguments = ("tradeoff", people, "-s", "sex", "-k", 2)
    assert "slacks must be at least 0 and below 1" in run(*arguments, "--grid", "1.5", code=2).stderr
    assert "no list of slacks" in " ".join(run(*arguments, "--grid", "a", code=2).stderr.split())
    run(*arguments, "-o", tmp_path / "curve.txt", code=3)
    run(*arguments, "--plot", tmp_path / "curve.gif", code=3)
    assert list(tmp_path.iterdir()) == [people]


def test_grid():
    assert parse_grid("0.1, 0.5") == [0.1, 0.5]


def test_labels_are_safe_for_spreadsheets_unless_told_otherwise(run, tmp_path):
    rows = make_rows(60, 0)
    for row in rows[:5]:
        row[1] = "=HYPERLINK(A1)"
    people = write_csv(tmp_path / "people.csv", rows)
    out = tmp_path / "out.csv"
    arguments = ("fit", people, "-s", "sex", "-k", 2, "--starts", 1, "-o", out)
    assert "5 cells that a spreadsheet would run" in run(*arguments).stderr
    cells = [row[1] for row in read_csv(out)[1:]]
    assert cells[:5] == ["'=HYPERLINK(A1)"] * 5
    assert cells[5:] == [row[1] for row in rows[5:]]
    assert "spreadsheet" not in run(*arguments, "--formulas", "keep").stderr
    assert [row[1] for row in read_csv(out)[1:]] == [row[1] for row in rows]
    frame = pd.read_csv(out)
    assert additive_violation(frame["cluster"], frame["sex"], 0.2) == 0


def test_app_without_its_packages_says_what_to_install(run, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert 'pip install "faircluster[data,report,app]"' in " ".join(run("app", code=1).stderr.split())
