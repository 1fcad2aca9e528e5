"""From a request to results: checked, shown, downloaded."""

import csv
import io
import logging
import re
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from faircluster.app.jobs import Job
from faircluster.app.store import Upload
from faircluster.app.work import OBJECTIVES, SOCIAL, Results, read_request, run_request
from faircluster.metrics import additive_violation
from faircluster.tables import Table
from tests.app.conftest import is_refused
from tests.cli.conftest import make_rows, write_csv


def test_results_are_shown_and_downloaded(client, ask):
    key, now = ask(tradeoff=True)
    assert now["state"] == "done"
    assert now["ready"] == ["plain", "fair", "tradeoff"]
    compare = client.get(f"/jobs/{key}/panel/compare").text
    assert "The fair clustering keeps the bounds" in compare
    assert compare.count("<svg") == 1
    assert "Knee: " in client.get(f"/jobs/{key}/panel/tradeoff").text
    answer = client.get(f"/jobs/{key}/files/labels.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="labels.csv"'
    frame = pd.read_csv(io.BytesIO(answer.content))
    assert additive_violation(frame["fair_cluster"], frame["sex"], 0.4) == 0
    assert len(frame) == 120
    parquet = pd.read_parquet(io.BytesIO(client.get(f"/jobs/{key}/files/labels.parquet").content))
    assert parquet["fair_cluster"].tolist() == frame["fair_cluster"].tolist()
    assert client.get(f"/jobs/{key}/files/audit.json").json()["schema"] == "faircluster.audit/1"
    curve = pd.read_csv(io.BytesIO(client.get(f"/jobs/{key}/files/tradeoff.csv").content))
    assert (curve["violation"] == 0).all()
    report = client.get(f"/jobs/{key}/files/report.html")
    assert "attachment" in report.headers["content-disposition"]
    shown = client.get(f"/jobs/{key}/files/report.html", params={"show": ""})
    assert shown.text == report.text
    assert shown.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "frame-ancestors 'self'" in shown.headers["content-security-policy"]


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_every_objective(client, ask, objective):
    key, now = ask(objective=objective, bounded=True)
    assert now["state"] == "done", now["problem"]
    assert "The fair clustering keeps the bounds" in client.get(f"/jobs/{key}/panel/compare").text


@pytest.mark.parametrize("objective", sorted(SOCIAL))
def test_the_worst_off_group_is_served_better_where_shares_are_free(client, ask, objective):
    key, now = ask(objective=objective, tradeoff=True)
    assert now["ready"] == ["plain", "fair"]  # there are no bounds to trade
    compare = client.get(f"/jobs/{key}/panel/compare").text
    assert re.search(r"mean cost is \d+\.\d% less than under plain", compare)
    assert "Shares were not bounded" in compare
    assert "keeps every bound" not in compare


@pytest.mark.parametrize("name", ["k-median", "k-center"])
def test_plain_and_fair_costs_are_of_one_measure(name):
    table, results = Table(_people(), "people"), Results()
    run_request(replace(_request(table), objective=name), table, results, lambda phase: None)
    powers = [found.figures["clustering"]["costs"]["power"] for found in (results.plain, results.fair)]
    assert powers == [1, 1]
    assert results.plain.figures["certificate"] is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sensitive": []}, "at least one protected column"),
        ({"features": []}, "at least one feature"),
        ({"features": ["sex"]}, "cannot be protected and a feature"),
        ({"sensitive": ["<b>"]}, "there is no column '<b>'"),
        ({"sensitive": "sex"}, "at least one protected column"),
        ({"objective": "magic"}, "the objective must be one of"),
        ({"clusters": 0}, "whole number from 1 to 100"),
        ({"clusters": 2.5}, "whole number"),
        ({"clusters": True}, "whole number"),
        ({"clusters": 10**9}, "whole number"),
        ({"slack": 1.0}, "the slack must be"),
        ({"slack": "0.2"}, "the slack must be"),
        ({"seed": -1}, "the seed must be"),
        ({"starts": 1000}, "the number of starts"),
    ],
)
def test_bad_requests_are_told(ask, uploaded, changes, message):
    answer = ask(**changes)
    assert is_refused(answer, 400)
    assert message in answer.json()["problem"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"{}", b"[" * 100_000])
def test_bodies_that_are_no_request(client, body):
    assert client.post("/jobs", content=body).status_code in (400, 404)


def test_work_that_cannot_be_done_is_told(ask):
    _, now = ask(features=["name"])
    assert now["state"] == "failed"
    assert "must hold numbers" in now["problem"]
    _, now = ask(sensitive=["id"])
    assert now["state"] in ("failed", "done")


def test_files_only_by_their_names_and_only_when_done(client, ask, uploaded):
    key, _ = ask()
    for name in ("upload.csv", "..%2Fupload.csv", "tradeoff.csv", "none", "%2e%2e"):
        assert is_refused(client.get(f"/jobs/{key}/files/{name}"), 404)
    assert is_refused(client.get(f"/jobs/{key}/panel/none"), 404)
    assert is_refused(client.get("/jobs/none/panel/compare"), 404)
    client.post("/forget")
    assert is_refused(client.get(f"/jobs/{key}/files/labels.csv"), 404)


def test_hostile_names_and_values_are_text(client, tmp_path):
    rows = make_rows(60, 0)
    for row in rows:
        row[4] = "=cmd()" if row[4] == "F" else "<img src=x onerror=alert(1)>"
    header = ["id", "name", "=1+1", "<script>alert(1)</script>", '"><b>', "race", "w", "born"]
    path = write_csv(tmp_path / "p.csv", rows, header)
    found = client.post("/uploads", params={"name": "<b>.csv"}, content=path.read_bytes()).json()
    answer = client.post("/jobs", json={
        "upload": found["upload"], "sensitive": ['"><b>'], "features": ["=1+1", "<script>alert(1)</script>"],
        "objective": "k-means", "clusters": 2, "slack": 0.5, "starts": 1, "tradeoff": False,
    })  # fmt: skip
    key = answer.json()["job"]
    import time

    while client.get(f"/jobs/{key}").json()["state"] in ("waiting", "running"):
        time.sleep(0.05)
    compare = client.get(f"/jobs/{key}/panel/compare").text
    assert "<img" not in compare
    assert "<b>" not in compare.replace("<b>under", "")
    assert "&lt;img src=x onerror=alert(1)&gt;" in compare
    text = client.get(f"/jobs/{key}/files/labels.csv").text
    header_now, *cells = csv.reader(io.StringIO(text))
    assert header_now[2] == "'=1+1"
    assert {row[4] for row in cells} == {"'=cmd()", "<img src=x onerror=alert(1)>"}


def test_a_new_request_replaces_the_old_one_and_cancel_ends_it(tmp_path):
    table = Table(_people(), "people")
    entered, go_on = threading.Event(), threading.Event()
    job = Job(Upload("people", table, tmp_path), _request(table))

    def wait(phase):
        entered.set()
        go_on.wait(10)

    job._at, original = (lambda phase: (wait(phase), original(phase))), job._at
    worker = threading.Thread(target=job.run, args=(lambda done: None,))
    worker.start()
    assert entered.wait(10)
    job.cancel()
    go_on.set()
    worker.join(10)
    assert job.state == "cancelled"
    assert job.results.plain is None


def test_a_fit_can_be_stopped_between_its_starts(tmp_path):
    table = Table(_people(), "people")
    job = Job(Upload("people", table, tmp_path), _request(table))
    original = job._at

    def stop(phase):
        original(phase)
        if phase == "clustering within the bounds":
            job.cancel()

    job._at = stop
    job.run(lambda done: None)
    assert (job.state, job.results.fair) == ("cancelled", None)
    assert job.phase == "clustering within the bounds"


def test_faults_are_told_without_a_traceback(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("faircluster.app.jobs.run_request", lambda *_: {}["gone"])
    table = Table(_people(), "people")
    job = Job(Upload("people", table, tmp_path), _request(table))
    job.run(lambda done: None)
    assert job.state == "failed"
    assert "Unexpected KeyError" in job.problem
    assert "job failed" in caplog.text


def test_plain_results_come_before_fair_ones():
    table, results, seen = Table(_people(), "people"), Results(), []
    run_request(
        _request(table), table, results, lambda phase: seen.append((phase, results.plain is not None))
    )
    assert ("clustering within the bounds", True) in seen
    assert any(phase.startswith("clustering: start 1") for phase, _ in seen)  # within the fit
    assert logging.getLogger("faircluster").handlers == []
    assert results.fair.violation == 0
    assert results.fair.figures["before"]["n_clusters"] == 2


def _people():
    import pyarrow as pa

    rng = np.random.default_rng(0)
    return pa.table({"sex": rng.choice(["F", "M"], 80), "x": rng.normal(size=80), "y": rng.normal(size=80)})


def _request(table):
    return read_request(
        {"sensitive": ["sex"], "features": ["x", "y"], "objective": "k-means", "clusters": 2, "slack": 0.3,
         "starts": 1, "tradeoff": False},
        table,
    )  # fmt: skip
