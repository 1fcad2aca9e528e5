"""The page is complete, well-formed, and shows whatever the data holds as text."""

import base64
import hashlib
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from faircluster import FairKMeans, audit, tradeoff_curve
from faircluster.report import render_report
from faircluster.report.svg import inline_svg
from faircluster.report.text import visible

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    '=HYPERLINK("http://evil.example","x")',
    "{{ 7*7 }}{% raw %}",
    "$\\frac{1}{0}$",
    "שלום",
    "a\u202eb",
    "nul\x00and\x07bell",
    "x" * 400,
    'style="fill: #ffffff" id="u" xlink:href="#a"',
    "</svg></style></script>",
]
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements, attributes and text of a page; knows which elements were left open."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text, self.stray = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.stray.append(tag)

    def handle_data(self, data):
        self.text.append(data)

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(center, 1.0, size=(80, 2)) for center in (0, 4, 8)])
    frame = pd.DataFrame({
        "sex": np.where(rng.random(240) < np.repeat([0.2, 0.5, 0.8], 80), "F", "M"),
        "race": rng.choice(list("abc"), 240, p=[0.6, 0.3, 0.1]),
    })  # fmt: skip
    model = FairKMeans(3, n_init=1, n_swaps=0, random_state=0)
    curve = tradeoff_curve(model, X, frame, [0.5, 0.3, 0.2])
    model.fit(X, sensitive_features=frame)
    result = audit(model.labels_, frame, X, model=model, before=np.repeat([0, 1, 2], 80))
    return result, curve, result.to_html(tradeoff=curve)


def test_well_formed_with_every_section(page):
    found = Page(page[2])
    assert found.open == []
    assert found.stray == []
    sections = {a["id"] for a in found.named("section")}
    assert sections == {
        "summary", "shares", "clusters", "intersections", "costs", "proxies", "price", "tradeoff", "method",
    }  # fmt: skip
    links = {a["href"][1:] for a in found.named("a")}
    ids = [a["id"] for _, a in found.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert links <= set(ids)


def test_self_contained_and_only_its_own_script_may_run(page):
    found = Page(page[2])
    for tag, attributes in found.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "action", "xlink:href"):
                assert value.startswith("#"), (tag, name, value)
    assert not re.search(r"@import|url\((?!#)", page[2])
    (policy,) = [a["content"] for a in found.named("meta") if a.get("http-equiv")]
    assert "default-src 'none'" in policy
    script = page[2][page[2].index("<script>") + 8 : page[2].index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy


def test_figures_of_the_dict_are_on_the_page(page):
    result, curve, text = page
    said = "".join(Page(text).text)
    for sentence in result.figures["summary"]:
        assert sentence["text"] in said
    for line in (*result.figures["assumptions"], curve.reason):
        assert line in said
    for attribute in result.figures["clustering"]["attributes"]:
        for row in attribute["cells"]:
            for cell in row:
                assert f"{cell['share']:.1%}" in said
    assert f"{result.figures['price']['price']:.4f}" in said


def test_pictures_are_described_and_colored_by_the_page(page):
    pictures = Page(page[2]).named("svg")
    assert len(pictures) == 2 + 2 + 1 + 1  # shares, points, costs, trade-off
    assert all(a["role"] == "img" and len(a["aria-label"]) > 10 for a in pictures)
    assert "var(--ink)" in page[2]
    assert "DejaVu" not in page[2]


def test_tables_have_captions_and_headers(page):
    found = Page(page[2])
    assert all("scope" in a for a in found.named("th"))
    for region in (a for _, a in found.elements if a.get("role") == "region"):
        assert region["tabindex"] == "0"
        assert region["aria-label"]


def test_the_same_run_gives_the_same_page(page):
    result, curve, text = page
    assert render_report(result.to_dict(), curve.to_dict()) == text


@pytest.mark.parametrize("role", ["column", "value", "label", "feature", "title"])
def test_whatever_the_data_holds_is_text(role):
    n = len(HOSTILE) * 12
    values = np.array(HOSTILE * 12, dtype=object)
    plain = np.array(["a", "b"] * (n // 2), dtype=object)
    names = HOSTILE[:2] if role == "column" else ["one", "two"]
    frame = pd.DataFrame({names[0]: values if role == "value" else plain, names[1]: plain[::-1]})
    labels = values if role == "label" else np.arange(n) % 3
    features = HOSTILE if role == "feature" else [f"f{i}" for i in range(len(HOSTILE))]
    title = " ".join(HOSTILE) if role == "title" else "x"
    X = np.random.default_rng(0).normal(size=(n, len(HOSTILE)))
    text = audit(labels, frame, X, feature_names=features, title=title, source=title).to_html()
    found = Page(text)
    assert found.stray == []
    assert found.open == []
    assert len(found.named("script")) == 1
    assert found.named("img") == []
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)
    said = "".join(found.text)
    for hostile in HOSTILE[:2] if role == "column" else HOSTILE:
        assert visible(hostile) in said
    assert "\x00" not in text
    assert "\u202e" not in text
    assert "\n49" not in said


def test_pictures_keep_text_as_it_is():
    from matplotlib.figure import Figure

    name = 'style="fill: #ffffff" id="u" <!-- xlink:href="#a" 12.345678'
    figure = Figure()
    figure.subplots().set_title(name)
    text = inline_svg(figure, "one", name)
    found = Page(text)
    assert name in "".join(found.text)
    assert found.named("svg")[0]["aria-label"] == name
    assert found.open == []
    other = inline_svg(figure, "two", name)
    ids = [{a["id"] for _, a in Page(picture).elements if "id" in a} for picture in (text, other)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_many_groups_and_clusters_still_make_a_page():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"land": rng.choice([f"land {i}" for i in range(60)], 4000)})
    text = audit(rng.integers(0, 50, 4000), frame, rng.normal(size=(4000, 3))).to_html()
    assert Page(text).open == []
    assert len(text) < 3_000_000


@pytest.mark.parametrize("package", ["jinja2", "matplotlib.figure"])
def test_missing_packages_are_named_in_one_sentence(monkeypatch, package):
    result = audit([0, 0, 1, 1], list("abab"))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r'pip install "faircluster\[data,report\]"'):
        result.to_html()


def test_written_completely_or_not_at_all(tmp_path):
    result = audit([0, 0, 1, 1], list("abab"))
    text = result.to_html(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text
    with pytest.raises(FileNotFoundError):
        result.to_html(tmp_path / "none" / "report.html")
