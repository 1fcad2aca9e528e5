"""A headless Chromium, if there is one; every page is watched for errors and for requests to elsewhere."""

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

# text that has less contrast than 4.5 with what is behind it
CONTRAST = """() => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const wrong = [];
  for (const e of document.querySelectorAll("body *")) {
    const drawn = e instanceof SVGElement;
    if (drawn ? e.tagName !== "text" || !e.closest("figure").offsetParent : !e.offsetParent) continue;
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(e)[drawn ? "fill" : "color"])), light(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) wrong.push([e.tagName, e.textContent.slice(0, 30), ratio.toFixed(2)]);
  }
  return wrong.slice(0, 10);
}"""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium():
    named = os.environ.get("FAIRCLUSTER_CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def chromium():
    path = find_chromium()
    if path is None:
        pytest.skip(f"no Chromium found under {', '.join(NAMES)}; name one with FAIRCLUSTER_CHROMIUM")
    with sync_api.sync_playwright() as play:
        # in a container there is neither a sandbox for root nor much shared memory
        browser = play.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()


class Watched:
    """A page, and what it should not have done."""

    def __init__(self, page, allowed, expected):
        self.page = page
        self.expected = expected
        self.allowed = allowed
        self.errors = []
        self.elsewhere = []
        page.on("console", lambda message: message.type in ("error", "warning") and self._note(message.text))
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("dialog", lambda dialog: (self._note(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", self._request)

    def _note(self, text):
        if self.expected is None or self.expected not in text:
            self.errors.append(text)

    def _request(self, request):
        parts = urlsplit(request.url)
        if parts.scheme in ("data", "blob", "about"):
            return
        if parts.scheme == "file" and self.allowed == "file":
            return
        if parts.netloc != self.allowed:
            self.elsewhere.append(request.url)

    def check(self):
        assert self.errors == []
        assert self.elsewhere == []


@pytest.fixture
def watch(chromium):
    """Open pages that may ask one host only; at the end none may have complained."""
    opened = []

    def watch(allowed="file", expected=None, **options):
        context = chromium.new_context(viewport={"width": 1240, "height": 1000}, **options)
        page = context.new_page()
        page.set_default_timeout(60_000)
        opened.append((context, Watched(page, allowed, expected)))
        return page

    yield watch
    for context, watched in opened:
        watched.check()
        context.close()


@pytest.fixture(scope="session")
def shoot(tmp_path_factory):
    """Take a screenshot: of the whole page where FAIRCLUSTER_SCREENSHOTS names a folder, to be looked at."""
    named = os.environ.get("FAIRCLUSTER_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)

    def shoot(page, name):
        path = folder / f"{name}.png"
        page.screenshot(path=path, full_page=named is not None)
        assert path.stat().st_size > 5000

    return shoot
