"""The way from an official file to a checked table, on a made table; no network."""

import hashlib
import io
import os
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from faircluster.datasets import _fetch
from faircluster.datasets._fetch import TableSource, content_checksum, load_table, write_parquet

FRAME = pd.DataFrame({"sex": ["f", "m", None], "age": [1, 2, 3], "share": [0.1, 2.0, np.nan]})
RAW = FRAME.to_csv(index=False).encode()
SOURCE = TableSource(
    file="made.parquet",
    checksum=content_checksum(FRAME),
    url="https://example.org/made.csv",
    members=(),
    raw_checksum=hashlib.sha256(RAW).hexdigest(),
    parse=lambda raw: pd.read_csv(io.BytesIO(raw)),
)


@pytest.fixture
def downloads(monkeypatch):
    """Serve RAW and record the addresses asked for; also no data folder."""
    asked = []

    def serve(url):
        asked.append(url)
        return RAW

    monkeypatch.setattr(_fetch, "_download", serve)
    monkeypatch.delenv("FAIRCLUSTER_DATA", raising=False)
    return asked


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def test_fetched_once_then_cached(downloads, own_cache):
    first = load_table(SOURCE)
    second = load_table(SOURCE)
    pd.testing.assert_frame_equal(first, second)
    assert downloads == [SOURCE.url]
    assert os.listdir(own_cache) == ["made.parquet"]
    assert first["age"].tolist() == [1, 2, 3]


def test_argument_beats_variable_beats_user_cache(downloads, own_cache, tmp_path, monkeypatch):
    load_table(SOURCE, data_home=tmp_path / "chosen")
    assert (tmp_path / "chosen" / "made.parquet").is_file()
    assert not own_cache.exists()
    monkeypatch.delenv("FAIRCLUSTER_CACHE")
    assert _fetch.cache_folder().name == "faircluster"
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pooch.*faircluster\[data\].*data_home"):
        _fetch.cache_folder()


def test_data_folder_comes_first(downloads, tmp_path, monkeypatch, own_cache):
    monkeypatch.setenv("FAIRCLUSTER_DATA", str(tmp_path))
    FRAME.astype({"age": np.int32}).to_parquet(tmp_path / "made.parquet")
    frame = load_table(SOURCE)
    assert downloads == []
    assert not own_cache.exists()
    assert frame["age"].dtype == np.int64  # the same types from every place


def test_table_missing_from_data_folder_is_fetched(downloads, tmp_path, monkeypatch, own_cache):
    monkeypatch.setenv("FAIRCLUSTER_DATA", str(tmp_path))
    load_table(SOURCE)
    assert (own_cache / "made.parquet").is_file()
    assert not (tmp_path / "made.parquet").exists()


def test_cache_serves_as_data_folder(downloads, own_cache, monkeypatch, tmp_path):
    load_table(SOURCE)
    monkeypatch.setenv("FAIRCLUSTER_DATA", str(own_cache))
    load_table(SOURCE, data_home=tmp_path / "unused")
    assert len(downloads) == 1


@pytest.mark.parametrize("folder", [None, "/nowhere/data"])
def test_offline_says_what_and_where(monkeypatch, own_cache, folder):
    monkeypatch.delenv("FAIRCLUSTER_DATA", raising=False)
    if folder:
        monkeypatch.setenv("FAIRCLUSTER_DATA", folder)
    with pytest.raises(ConnectionError) as caught:
        load_table(SOURCE)
    message = str(caught.value)
    for needed in ("made.parquet", SOURCE.url, "no network in tests", "copy made.parquet", str(own_cache)):
        assert needed in message
    assert (f"FAIRCLUSTER_DATA={folder}" if folder else "FAIRCLUSTER_DATA is not set") in message
    assert not own_cache.exists()


def test_altered_download_is_refused_and_not_cached(downloads, own_cache, monkeypatch):
    monkeypatch.setattr(_fetch, "_download", lambda url: RAW.replace(b"m", b"w"))
    with pytest.raises(
        ValueError, match=rf"not the published one.*{SOURCE.raw_checksum}.*nothing was cached"
    ):
        load_table(SOURCE)
    assert not own_cache.exists()
    monkeypatch.setattr(_fetch, "_download", lambda url: RAW)
    assert len(load_table(SOURCE)) == 3


def test_altered_download_is_never_parsed(downloads, monkeypatch):
    monkeypatch.setattr(_fetch, "_download", lambda url: RAW + b"x")
    with pytest.raises(ValueError, match="not the published one"):
        load_table(replace(SOURCE, parse=lambda raw: pytest.fail("parsed")))


@pytest.mark.parametrize("place", ["cache", "folder"])
@pytest.mark.parametrize("damage", ["value", "truncated"])
def test_altered_table_is_refused(downloads, own_cache, monkeypatch, place, damage):
    load_table(SOURCE)
    path = own_cache / "made.parquet"
    if place == "folder":
        monkeypatch.setenv("FAIRCLUSTER_DATA", str(own_cache))
    if damage == "value":
        write_parquet(FRAME.assign(age=[1, 2, 4]), path)
    else:
        path.write_bytes(path.read_bytes()[:-20])
    problem = "content checksum" if damage == "value" else "not a readable Parquet file"
    remedy = "delete it" if place == "cache" else "replace it"
    with pytest.raises(ValueError, match=rf"made\.parquet.*{problem}.*{remedy}"):
        load_table(SOURCE)
    assert len(downloads) == 1


def test_nested_archive(downloads, own_cache, monkeypatch):
    inner = zipped(**{"__MACOSX__._made.csv": b"twin", "folder__made.csv": RAW})
    monkeypatch.setattr(_fetch, "_download", lambda url: zipped(**{"inner.zip": inner, "readme": b""}))
    assert len(load_table(replace(SOURCE, members=("inner.zip", "made.csv")))) == 3


@pytest.mark.parametrize("content", [b"<html>moved</html>", zipped(other=RAW)])
def test_archive_without_the_file(downloads, own_cache, monkeypatch, content):
    monkeypatch.setattr(_fetch, "_download", lambda url: content)
    with pytest.raises(ValueError, match=r"does not hold made\.csv"):
        load_table(replace(SOURCE, members=("made.csv",)))
    assert not own_cache.exists()


def test_failed_write_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "made.parquet"
    path.write_bytes(b"what was there")

    def half(self, name, **options):
        with open(name, "wb") as file:
            file.write(b"PAR1")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", half)
    with pytest.raises(OSError, match="disk full"):
        write_parquet(FRAME, path)
    assert path.read_bytes() == b"what was there"
    assert os.listdir(tmp_path) == ["made.parquet"]


def test_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'needs pandas: pip install "faircluster\[data\]"'):
        load_table(SOURCE)


def test_content_checksum_is_the_documented_text():
    frame = pd.DataFrame({"b": ["x", None], "a": [2.0, 0.5]})
    text = "a\x1f2\x1f0.5\x1f\x1eb\x1fx\x1f\x1f\x1e"
    assert content_checksum(frame) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "same",
    [
        FRAME[["share", "sex", "age"]],
        FRAME.astype({"age": np.float32}),
        FRAME.assign(share=[np.nextafter(0.1, 1), 2.0, np.nan]),
        FRAME.astype({"sex": "category"}),
        FRAME.astype({"sex": object}),
        FRAME.set_index(pd.Index([7, 8, 9])),
        FRAME.convert_dtypes(),
    ],
)
def test_content_checksum_ignores_storage(same):
    assert content_checksum(same) == SOURCE.checksum


@pytest.mark.parametrize(
    "other",
    [
        FRAME.iloc[::-1],
        FRAME.iloc[:2],
        FRAME.rename(columns={"age": "years"}),
        FRAME.assign(share=[0.1, 2.0, 0.0]),
        FRAME.assign(share=[0.1 + 1e-14, 2.0, np.nan]),
        FRAME.assign(sex=["f", None, "m"]),
    ],
)
def test_content_checksum_sees_content(other):
    assert content_checksum(other) != SOURCE.checksum


def test_import_touches_neither_network_nor_pooch():
    import subprocess

    code = (
        "import socket, sys\n"
        "def closed(*args, **options): raise SystemExit('network')\n"
        "socket.socket.connect = closed\n"
        "import faircluster.datasets\n"
        "sys.exit(int('pooch' in sys.modules))  # scikit-learn itself imports pandas"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
