import csv
import functools
import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is missing")

from click.testing import CliRunner

from faircluster import DeepFairClustering
from faircluster.cli import main
from faircluster.datasets import load_inverted_digits
from faircluster.deep import demo
from faircluster.metrics import additive_violation


def test_the_command_shows_and_writes_what_it_found(tmp_path, monkeypatch):
    quick = functools.partial(demo.run_deep_demo, epochs=1)
    monkeypatch.setattr(demo, "run_deep_demo", quick)
    result = CliRunner().invoke(main, ["demo", "--deep", "--rows", "400", "--output", str(tmp_path / "new")])
    assert result.exit_code == 0, result.output
    assert "network, fair labels" in result.stdout
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"labels.csv", "summary.json", "curves.png", "model.safetensors"}
    with open(tmp_path / "new" / "labels.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 400
    ink = [row["ink"] for row in rows]
    assert additive_violation([int(row["network, fair"]) for row in rows], ink, "exact") == 0
    model = DeepFairClustering.load(tmp_path / "new" / "model.safetensors")
    images = load_inverted_digits().X[np.array([int(row["image"]) for row in rows])]
    assert model.predict(images).tolist() == [int(row["network"]) for row in rows]
    summary = json.loads((tmp_path / "new" / "summary.json").read_text())
    assert summary["figures"]["violation, points"][2] == "0"
