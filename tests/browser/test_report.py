"""The report in a browser: it sorts, filters and switches, prints, and shows hostile text as text."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

from faircluster import FairKMeans, audit, tradeoff_curve
from faircluster.datasets import load_adult
from tests.browser.conftest import CONTRAST
from tests.report.test_render import HOSTILE


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Real data: 6,000 persons of Adult, plain and fair."""
    adult = load_adult()
    rows = np.sort(np.random.default_rng(0).permutation(len(adult.data))[:6000])
    X = adult.X[rows]
    X = (X - X.min(axis=0)) / np.ptp(X, axis=0)
    frame = adult.sensitive.iloc[rows]
    model = FairKMeans(5, n_init=1, n_swaps=0, random_state=0)
    curve = tradeoff_curve(model, X, frame, [0.5, 0.3, 0.2])
    model.fit(X, sensitive_features=frame)
    plain = KMeans(5, n_init=1, random_state=0).fit_predict(X)
    result = audit(
        model.labels_, frame, X, model=model, before=plain, feature_names=adult.feature_names,
        title="Adult in five clusters", source="1994 census",
    )  # fmt: skip
    path = tmp_path_factory.mktemp("report") / "report.html"
    result.to_html(path, tradeoff=curve)
    return path


def column(page, table, place):
    return (
        page.locator(table)
        .locator("tbody")
        .last.locator("tr")
        .evaluate_all(
            f"rows => rows.map(row => row.children[{place}].dataset.sort ?? "
            f"row.children[{place}].textContent)"
        )
    )


@pytest.mark.parametrize("name", ["light", "dark", "narrow"])
def test_opens_without_a_word_in_light_dark_and_narrow(watch, report, shoot, name):
    page = watch()
    page.emulate_media(color_scheme="dark" if name == "dark" else "light")
    if name == "narrow":
        page.set_viewport_size({"width": 390, "height": 844})
    page.goto(report.as_uri())
    assert page.title() == "Adult in five clusters"
    # wide tables scroll inside themselves, not the page
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(CONTRAST) == []
    shoot(page, f"report-{name}")


def test_sorts_by_any_column_both_ways(watch, report):
    page = watch()
    page.goto(report.as_uri())
    table = 'div[data-attribute="sex"][data-when="after"] table'
    button = page.locator(table).locator("thead button").nth(1)
    button.click()
    sizes = [float(value) for value in column(page, table, 1)]
    assert sizes == sorted(sizes, reverse=True)
    assert page.locator(table).locator("thead th").nth(1).get_attribute("aria-sort") == "descending"
    button.click()
    assert [float(value) for value in column(page, table, 1)] == sorted(sizes)
    first = page.locator(table).locator("thead button").first
    first.focus()
    page.keyboard.press("Enter")  # with the keyboard, too
    assert column(page, table, 0) == sorted(column(page, table, 0))
    assert page.locator(table).locator("tbody").first.locator("tr").first.inner_text().startswith("everyone")


def test_filters_by_attribute_and_switches_between_before_and_after(watch, report, shoot):
    page = watch()
    page.goto(report.as_uri())
    sex, race = (
        page.locator(f'div[data-attribute="{name}"][data-when="after"]').first for name in ("sex", "race")
    )
    assert sex.is_visible()
    assert race.is_visible()
    page.select_option("#attribute", "race")
    assert not sex.is_visible()
    assert race.is_visible()
    page.get_by_text("before", exact=True).first.click()
    assert not race.is_visible()
    assert page.locator('div[data-attribute="race"][data-when="before"]').first.is_visible()
    shoot(page, "report-before")
    page.select_option("#attribute", "")
    page.locator('input[value="before"]').focus()
    page.keyboard.press("ArrowRight")
    assert sex.is_visible()


def test_prints_without_tools_and_in_light_colors(watch, report, tmp_path):
    page = watch()
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(report.as_uri())
    assert not page.locator(".tools").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.pdf(path=tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").stat().st_size > 20_000


def test_without_scripts_everything_is_shown(watch, report):
    page = watch(java_script_enabled=False)
    page.goto(report.as_uri())
    assert page.locator('div[data-attribute="sex"][data-when="before"]').first.is_visible()
    assert page.locator('div[data-attribute="sex"][data-when="after"]').first.is_visible()
    assert not page.locator("#attribute").is_visible()


def test_hostile_names_and_values_are_text(watch, tmp_path, shoot):
    n = len(HOSTILE) * 20
    values = np.array(HOSTILE * 20, dtype=object)
    frame = pd.DataFrame({HOSTILE[0]: values, HOSTILE[1]: np.array(["a", "b"] * (n // 2))})
    X = np.random.default_rng(0).normal(size=(n, 3))
    audit(
        values,
        frame,
        X,
        feature_names=HOSTILE[:3],
        title=HOSTILE[0],
        source=HOSTILE[1],
        before=np.arange(n) % 3,
    ).to_html(tmp_path / "hostile.html")
    page = watch()
    page.goto((tmp_path / "hostile.html").as_uri())
    assert page.title() == HOSTILE[0]
    assert page.locator("h1").inner_text() == HOSTILE[0]
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    names = column(page, "#clusters div[data-when=after] table", 0)
    assert set(HOSTILE[:7]) <= set(names)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.select_option("#attribute", HOSTILE[0])
    shoot(page, "report-hostile")
