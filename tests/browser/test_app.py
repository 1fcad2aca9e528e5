"""The local page driven as a user would: upload, choose, cluster, look, download."""

import os
import re
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from faircluster.datasets import load_adult
from faircluster.metrics import additive_violation
from tests.browser.conftest import CONTRAST


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A page served as the command serves it; it must end when asked to, and leave nothing behind."""
    log = tmp_path_factory.mktemp("app") / "log"
    scratch = tmp_path_factory.mktemp("scratch")
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "faircluster", "app", "--no-open"],
            stdout=out, stderr=out, env={**os.environ, "TMPDIR": str(scratch)},
        )  # fmt: skip
    try:
        found = None
        for _ in range(600):
            found = re.search(r"http://127\.0\.0\.1:\d+/\?token=[\w-]+", log.read_text().replace("\n", ""))
            if found or process.poll() is not None:
                break
            time.sleep(0.1)
        assert found, log.read_text()
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert "Traceback" not in log.read_text()
    assert list(scratch.iterdir()) == []


@pytest.fixture
def page(watch, address):
    page = watch(re.search(r"//([^/]+)/", address)[1], accept_downloads=True)
    page.goto(address)
    return page


def choose(page, group, names):
    for box in page.locator(f"#{group} input").all():
        box.set_checked(box.get_attribute("value") in names) if box.is_enabled() else None


def cluster(page, k="4"):
    page.fill("#clusters", k)
    page.click("#start")


def test_the_secret_leaves_the_address_and_strangers_are_refused(watch, address, page):
    assert "token" not in page.url
    stranger = watch(re.search(r"//([^/]+)/", address)[1])
    answer = stranger.request.get(address.split("?")[0])
    assert answer.status == 403


def test_from_upload_to_download_on_real_data(page, tmp_path, shoot):
    adult = load_adult()
    data = adult.data.sample(3000, random_state=0)[["age", "hours-per-week", "education-num", "sex", "race"]]
    data.to_csv(tmp_path / "adult.csv", index=False)
    page.set_input_files("#file", tmp_path / "adult.csv")
    page.wait_for_selector("#choices:not([hidden])")
    assert page.inner_text("#data-state") == "adult.csv: 3,000 rows, 5 columns."
    assert page.locator("#sensitive input:checked").evaluate_all("boxes => boxes.map(b => b.value)") == [
        "sex",
        "race",
    ]
    choose(page, "sensitive", {"sex"})
    choose(page, "features", {"age", "hours-per-week"})
    page.fill("#slack", "0.3")
    assert "70% to 143%" in page.inner_text("#slack-hint")
    shoot(page, "app-choices")
    cluster(page)
    page.wait_for_selector("#panel-compare table")
    page.wait_for_selector("#tab-files:not([disabled])")
    assert "keeps the bounds in every cluster" in page.inner_text("#panel-compare")
    shoot(page, "app-results")

    page.get_by_role("tab", name="Trade-off").click()
    assert "Knee: " in page.inner_text("#panel-tradeoff")
    shoot(page, "app-tradeoff")
    page.keyboard.press("ArrowRight")  # on to the report
    frame = page.frame_locator("iframe")
    assert frame.locator("h1").inner_text() == "k-means within bounds"
    frame.get_by_text("before", exact=True).first.click()
    assert frame.locator('div[data-when="before"]').first.is_visible()
    shoot(page, "app-report")

    page.get_by_role("tab", name="Downloads").click()
    with page.expect_download() as download:
        page.click('a[data-name="labels.csv"]')
    labels = pd.read_csv(download.value.path())
    assert len(labels) == 3000
    assert additive_violation(labels["fair_cluster"], labels["sex"], 0.3) == 0
    with page.expect_download() as download:
        page.click('a[data-name="report.html"]')
    assert download.value.suggested_filename == "report.html"


def test_the_example_switches_attributes_and_is_forgotten(page):
    page.click("#example")
    page.wait_for_selector("#choices:not([hidden])")
    choose(page, "sensitive", {"race"})
    page.uncheck("#tradeoff")
    cluster(page, "2")
    page.wait_for_selector("#tab-report:not([disabled])")
    assert page.locator("#panel-compare h3").first.inner_text() == "race"
    choose(page, "sensitive", {"sex"})
    cluster(page, "2")
    page.locator("#panel-compare h3", has_text="sex").wait_for()
    page.wait_for_selector("#tab-report:not([disabled])")
    assert page.locator("#tab-tradeoff").is_disabled()
    page.click("#forget")
    page.wait_for_selector("#choices", state="hidden")


@pytest.mark.parametrize("name", ["light", "dark", "narrow"])
def test_the_worst_off_group_in_light_dark_and_narrow(page, shoot, name):
    page.emulate_media(color_scheme="dark" if name == "dark" else "light")
    if name == "narrow":
        page.set_viewport_size({"width": 390, "height": 844})
    page.click("#example")
    page.wait_for_selector("#choices:not([hidden])")
    page.select_option("#objective", "k-means, worst-off group")
    assert "not bounded" in page.inner_text("#slack-hint")
    assert not page.locator("#tradeoff").is_visible()
    page.check("#bounded")  # both notions at once
    assert page.locator("#tradeoff").is_visible()
    page.uncheck("#bounded")
    shoot(page, f"app-choices-{name}")
    cluster(page, "3")
    page.wait_for_selector("#tab-report:not([disabled])")
    assert "worst-off group's mean cost" in page.inner_text("#panel-compare .verdict")
    assert page.locator("#tab-tradeoff").is_disabled()
    # wide tables and pictures scroll inside themselves, not the page
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(CONTRAST) == []
    shoot(page, f"app-worst-off-{name}")


def test_the_keyboard_is_enough(page):
    page.focus("#example")
    page.keyboard.press("Enter")
    page.wait_for_selector("#choices:not([hidden])")
    page.focus("#clusters")
    page.fill("#clusters", "2")
    page.uncheck("#tradeoff")
    page.focus("#clusters")
    page.keyboard.press("Enter")
    page.wait_for_selector("#tab-files:not([disabled])")
    page.focus("#tab-compare")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-report"
    page.keyboard.press("ArrowRight")
    assert page.locator("#panel-files").is_visible()


def test_mistakes_are_told_in_words(watch, address, tmp_path):
    # the browser itself notes every request that is refused
    page = watch(re.search(r"//([^/]+)/", address)[1], expected="status of 400")
    page.goto(address)
    for content, words in (
        (b"a,b\n1\n", "bad.csv cannot be read as CSV"),
        (b"", "bad.csv is empty"),
        (b"a;b\n1;2\n", "separated by semicolons"),
        ("a,b\né,1\n".encode("latin-1"), "no UTF-8 text"),
        (b"a,a\n1,2\n", "two columns named 'a'"),
    ):
        (tmp_path / "bad.csv").write_bytes(content)
        page.set_input_files("#file", tmp_path / "bad.csv")
        page.locator("#problem", has_text=words).wait_for()
    (tmp_path / "one.csv").write_text("age\n1\n2\n")
    page.set_input_files("#file", tmp_path / "one.csv")
    page.locator("#data-state", has_text="one.csv: 2 rows").wait_for()
    page.click("#start")
    page.locator("#problem", has_text="at least one protected column").wait_for()


def test_hostile_columns_are_text(page, tmp_path, shoot):
    names = {
        "x": "<script>alert(1)</script>", "y": "=1+1", "g": '"><img src=x onerror=alert(1)>',
        "h": "שלום" + "x" * 300,
    }  # fmt: skip
    data = load_adult().data.sample(400, random_state=1)
    table = pd.DataFrame({
        names["x"]: data["age"], names["y"]: data["hours-per-week"],
        names["g"]: data["sex"].map({"Male": "=cmd()", "Female": "<b onclick=alert(1)>F</b>"}),
        names["h"]: data["race"].eq("White").map({True: "\u202eab", False: "w" * 100}),
    })  # fmt: skip
    table.to_csv(tmp_path / "hostile <b>.csv", index=False)
    page.set_input_files("#file", tmp_path / "hostile <b>.csv")
    page.wait_for_selector("#choices:not([hidden])")
    assert page.inner_text("#data-state").startswith("hostile <b>.csv: 400 rows")
    choose(page, "sensitive", {names["g"], names["h"]})
    choose(page, "features", {names["x"], names["y"]})
    page.uncheck("#tradeoff")
    cluster(page, "2")
    page.wait_for_selector("#tab-report:not([disabled])")
    assert page.locator("#panel-compare img, #panel-compare script, #panel-compare b[onclick]").count() == 0
    assert names["g"] in page.inner_text("#panel-compare")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shoot(page, "app-hostile")
    page.get_by_role("tab", name="Downloads").click()
    with page.expect_download() as download:
        page.click('a[data-name="labels.csv"]')
    labels = pd.read_csv(download.value.path())
    assert list(labels.columns[:2]) == [names["x"], "'=1+1"]
    assert set(labels[names["g"]]) == {"'=cmd()", "<b onclick=alert(1)>F</b>"}
