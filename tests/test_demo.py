"""The demo on a part of Adult: its figures are so, its files are whole."""

import csv
import json
import os
import xml.etree.ElementTree as ET
from functools import partial
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from faircluster.cli import commands, main
from faircluster.datasets import load_adult
from faircluster.demo import run_demo
from faircluster.metrics import additive_violation, balance, point_costs
from faircluster.persistence import Preparation

ROWS, K = 2000, 3


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    phases = []
    output = tmp_path_factory.mktemp("demo") / "new" / "folder"
    return run_demo(output, rows=ROWS, n_clusters=K, on_phase=phases.append), output, phases


@pytest.fixture(scope="module")
def labels(demo):
    return pd.read_csv(demo[1] / "labels.csv", dtype=str, keep_default_na=False)


def test_plain_breaks_the_bounds_and_fair_keeps_them(demo, labels):
    protected = labels[["sex", "race"]]
    plain, fair = (labels[name].astype(int) for name in ("plain_cluster", "fair_cluster"))
    assert additive_violation(fair, protected, 0.2) == 0 == demo[0].fair.audit.violation
    assert additive_violation(plain, protected, 0.2) == pytest.approx(demo[0].plain.audit.violation)
    assert demo[0].plain.audit.violation > 0
    assert demo[0].fair.audit.attributes[0].balance == balance(fair, protected["sex"])


def test_costs_are_those_of_the_labels(demo, labels):
    X = labels[list(load_adult().feature_names)].astype(float).to_numpy()
    X = Preparation.fitted(X, list("abcdef"), scale="minmax").apply(X)
    for clustering, column in ((demo[0].plain, "plain_cluster"), (demo[0].fair, "fair_cluster")):
        cluster = labels[column].astype(int).to_numpy()
        centers = np.array([X[cluster == j].mean(axis=0) for j in range(K)])
        # centers are those of the labels up to the last step of the alternation
        assert point_costs(X, centers, cluster).sum() == pytest.approx(clustering.cost, rel=2e-2)
    assert demo[0].price_of_fairness >= 1 - 1e-9
    assert demo[0].fair.cost / demo[0].plain.cost == pytest.approx(demo[0].price_of_fairness, rel=1e-2)


def test_labels_hold_adult_as_it_is(demo, labels):
    adult = load_adult().data.astype(str)
    assert labels.columns.tolist() == [*adult.columns, "plain_cluster", "fair_cluster"]
    assert len(labels) == ROWS
    known = set(map(tuple, adult.to_numpy()))
    assert all(tuple(row) in known for row in labels[adult.columns].to_numpy())


def test_clusters_are_numbered_alike(demo, labels):
    """Clusters of one number share more people than any other pairing would give."""
    together = pd.crosstab(labels["plain_cluster"], labels["fair_cluster"]).to_numpy()
    best = max(sum(together[i, j] for i, j in enumerate(order)) for order in permutations(range(K)))
    assert together.trace() == best
    shares = demo[0].plain.audit.attributes[0].shares.shares[:, 0]
    assert (np.diff(shares) >= 0).all()


def test_summary_is_plain_json(demo):
    summary = json.loads((demo[1] / "summary.json").read_text())
    assert summary["price_of_fairness"] == demo[0].price_of_fairness
    assert summary["clusterings"]["fair"]["audit"]["violation"] == 0
    assert summary["clusterings"]["plain"]["audit"]["violation"] > 0
    assert len(summary["clusterings"]["fair"]["audit"]["attributes"][1]["clusters"]) == K


def test_pictures_are_whole(demo):
    from matplotlib.image import imread

    picture = imread(demo[1] / "group-shares.png")
    assert picture.shape[1] > 1200
    assert picture[..., :3].std() > 0.05
    root = ET.parse(demo[1] / "group-shares.svg").getroot()
    assert root.tag.endswith("svg")


def test_files_phases_and_nothing_else(demo):
    files = sorted(path.name for path in demo[1].iterdir())
    assert files == ["group-shares.png", "group-shares.svg", "labels.csv", "summary.json"]
    assert sorted(path.name for path in demo[0].files) == files
    assert len(demo[2]) == 5


def test_again_gives_the_same_files(demo, tmp_path):
    run_demo(tmp_path, rows=ROWS, n_clusters=K)
    for name in ("labels.csv", "group-shares.svg"):
        assert (tmp_path / name).read_bytes() == (demo[1] / name).read_bytes()


def test_command_prints_the_two_side_by_side(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "run_demo", partial(run_demo, n_clusters=K))
    result = CliRunner().invoke(main, ["demo", "--output", str(tmp_path / "out"), "--rows", "2000"])
    assert result.exit_code == 0, result.output
    for text in (
        "plain k-means",
        "FairKMeans",
        "price of fairness",
        "gap",
        "balance, race",
        "seconds",
        "sex:",
    ):
        assert text in result.stdout
    with open(tmp_path / "out" / "labels.csv", newline="") as file:
        assert sum(1 for _ in csv.reader(file)) == ROWS + 1


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(main, ["demo", "--output", str(tmp_path / "file" / "out"), "--rows", "2000"])
    assert result.exit_code == 3
    assert os.listdir(tmp_path) == ["file"]
