"""What the README and the documentation show runs as it stands, page by page, and links lead somewhere."""

import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from click.testing import CliRunner

from faircluster.cli import main
from faircluster.datasets import load_adult

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
FENCED = re.compile(r"^```(?:\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?:^(?: {4}.*)?\n)+", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
# one serves until it is stopped and the other has tests of its own
ELSEWHERE = ("app", "demo")


def text_of(page):
    return page.read_text(encoding="utf-8")


def commands(page):
    """Commands of faircluster in blocks, fenced or indented, lines that go on joined."""
    text = text_of(page)
    blocks = FENCED.findall(text) + INDENTED.findall(FENCED.sub("\n", text))
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines if line.strip().startswith("faircluster ")]
    return [line[1:] for line in words if line[1] not in ELSEWHERE]


def named(pages):
    return [pytest.param(page, id=page.name) for page in pages]


@pytest.mark.parametrize("page", named(page for page in PAGES if PYTHON.search(text_of(page))))
def test_python_blocks_run_one_after_the_other(page, tmp_path, monkeypatch, capsys):
    if page.name == "deep.md":
        pytest.importorskip("torch", reason="torch is not installed")
        from faircluster import DeepFairClustering
        from faircluster.deep import MLP

        small = MLP(64, 10, hidden=(32,))
        quick = {"epochs": 1, "fair_epochs": 1, "network": small, "perturbation": "noise"}  # not minutes
        for name, value in quick.items():
            monkeypatch.setitem(DeepFairClustering.__init__.__kwdefaults__, name, value)
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    text = text_of(page)
    for block in PYTHON.finditer(text):
        # lines as in the page, so that a traceback names the right one
        above = "\n" * (text.count("\n", 0, block.start()) + 1)
        exec(compile(above + block[1], str(page), "exec"), namespace)


@pytest.fixture
def people(tmp_path, monkeypatch):
    """A folder as its reader may have it: people.csv with clusters from elsewhere, and newcomers.csv."""
    monkeypatch.chdir(tmp_path)
    data = load_adult().data.sample(900, random_state=0)
    data = data[["age", "education-num", "hours-per-week", "sex", "race"]]
    data = data.rename(columns={"hours-per-week": "income"})
    data = data.assign(cluster=np.arange(900) % 4, old_cluster=np.arange(900) % 3)
    data.iloc[:600].to_csv("people.csv", index=False)
    data.iloc[600:].to_csv("newcomers.csv", index=False)


@pytest.mark.parametrize("page", named(page for page in PAGES if commands(page)))
@pytest.mark.usefixtures("people")
def test_commands_run_in_their_order(page):
    for arguments in commands(page):
        if arguments[0] in ("fit", "tradeoff"):  # quickly
            arguments += ["--starts", "1", "--bounds" if arguments[0] == "fit" else "--grid", "0.9"]
        if arguments[0] in ("fit", "assign", "predict"):  # the table has clusters from elsewhere already
            arguments += ["--overwrite-column"]
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 0, f"{shlex.join(arguments)}\n{done.output}"


@pytest.mark.parametrize("page", named(PAGES))
def test_links_to_files_lead_to_them(page):
    text = FENCED.sub("", text_of(page))
    for link in LINK.findall(text):
        parts = urlsplit(link)
        if parts.scheme or not parts.path or parts.path.startswith("gallery/"):
            continue  # elsewhere, on this page, or made when the documentation is
        assert (page.parent / parts.path).exists(), link
