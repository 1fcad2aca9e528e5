import urllib.error

import pytest

from faircluster.datasets import _fetch


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """No test touches the network or the user's cache."""

    def closed(url):
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(_fetch, "_download", closed)
    monkeypatch.setenv("FAIRCLUSTER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
