"""Facts of the published tables, and the official files that the loaders read.

The official files are rebuilt from the benchmark folder byte for byte (their SHA-256 proves it), and served
to the loaders in place of a download.
"""

import csv
import io
import itertools
import zipfile

import numpy as np
import pandas as pd
import pytest

from faircluster.datasets import (
    _fetch,
    bank,
    compas,
    credit_default,
    diabetes,
    german_credit,
    load_bank,
    load_compas,
    load_credit_default,
    load_diabetes,
    load_german_credit,
)
from faircluster.groups import Groups

LOADERS = {
    "small": lambda **options: load_bank("small", **options),
    "full": lambda **options: load_bank("full", **options),
    "additional": lambda **options: load_bank("additional", **options),
    "credit": load_credit_default,
    "compas": load_compas,
    "diabetes": load_diabetes,
    "german": load_german_credit,
}
SOURCES = {
    **bank.SOURCES,
    "credit": credit_default.SOURCE,
    "compas": compas.SOURCE,
    "diabetes": diabetes.SOURCE,
    "german": german_credit.SOURCE,
}
FACTS = {
    "small": (4_521, 3, {"marital": [528, 1_196, 2_797], "default": [76, 4_445]}, [521, 4_000]),
    "full": (45_211, 3, {"marital": [5_207, 12_790, 27_214], "default": [815, 44_396]}, [5_289, 39_922]),
    "additional": (
        *(
            41_188,
            6,
            {"marital": [80, 4_612, 11_568, 24_928], "default": [3, 8_597, 32_588]},
            [4_640, 36_548],
        ),
    ),
    "credit": (
        *(30_000, 14),
        {
            "MARRIAGE": [54, 323, 13_659, 15_964],
            "EDUCATION": [14, 51, 123, 280, 4_917, 10_585, 14_030],
            "SEX": [11_888, 18_112],
        },
        [6_636, 23_364],
    ),
    "compas": (7_214, 5, {"race": [18, 32, 377, 637, 2_454, 3_696], "sex": [1_395, 5_819]}, [3_251, 3_963]),
    "diabetes": (
        *(101_766, 8),
        {
            "gender": [3, 47_055, 54_708],
            "race": [641, 1_506, 2_037, 2_273, 19_210, 76_099],
            "age": [161, 691, 1_657, 2_793, 3_775, 9_685, 17_197, 17_256, 22_483, 26_068],
        },
        [11_357, 35_545, 54_864],
    ),
    "german": (1_000, 7, {"sex": [310, 690], "age_group": [190, 810]}, [300, 700]),
}


@pytest.mark.parametrize("key", LOADERS)
def test_published_facts(benchmark_data, key):
    dataset = LOADERS[key]()
    rows, features, groups, target = FACTS[key]
    assert dataset.X.shape == (rows, features)
    assert dataset.X.dtype == np.float64
    assert np.isfinite(dataset.X).all()
    assert dataset.sensitive_names == tuple(groups)
    assert {name: sorted(column.value_counts()) for name, column in dataset.sensitive.items()} == groups
    assert sorted(dataset.target.value_counts()) == target
    assert repr(dataset).startswith(f"Dataset({dataset.name}: {rows} rows, {features} features; sensitive: ")
    assert len(repr(dataset)) < 130
    assert dataset.licence in ("CC BY 4.0", "none stated")
    assert not set(dataset.feature_names) & {*dataset.sensitive_names, dataset.target_name}


@pytest.mark.parametrize("key", LOADERS)
def test_groups_accept_the_protected_columns(benchmark_data, key):
    dataset = LOADERS[key]()
    groups = Groups.from_features(dataset.sensitive)
    assert sorted(groups.counts) == sorted(itertools.chain(*FACTS[key][2].values()))


def test_german_age_group_splits_at_25(benchmark_data):
    data = load_german_credit().data
    assert data.groupby("age_group")["age"].agg(["min", "max"]).to_dict("index") == {
        "25 or younger": {"min": 19, "max": 25},
        "over 25": {"min": 26, "max": 75},
    }


def test_compas_holds_nothing_that_identifies(benchmark_data):
    assert not set(load_compas().data.columns) & set(compas.IDENTIFYING)


def quoted(frame):
    """Bank's official form: semicolons, text in quotes, numbers in their shortest form."""
    columns = [
        frame[name].map("{:.15g}".format if frame[name].dtype.kind in "if" else '"{}"'.format)
        for name in frame
    ]
    rows = [";".join(f'"{name}"' for name in frame), *map(";".join, zip(*columns, strict=True))]
    return rows


def official(key, folder):
    """The official file, rebuilt from the benchmark folder."""
    frame = pd.read_parquet(folder / SOURCES[key].file)
    if key in bank.SOURCES:
        ending = "\r\n" if key == "additional" else "\n"
        return "".join(row + ending for row in quoted(frame)).encode()
    if key == "german":
        return (
            frame.drop(columns="sex").to_csv(index=False, header=False, sep=" ", lineterminator="\n").encode()
        )
    if key == "credit":
        frame.columns = ["ID", *(f"X{i}" for i in range(1, 24)), "Y"]
    return frame.to_csv(index=False, lineterminator="\r\n").encode()


def archive(raw, members):
    """Wrap a file into (nested) archives as its host does."""
    for member in reversed(members):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr("readme.txt", "about")
            file.writestr(f"some folder/{member}", raw)
        raw = buffer.getvalue()
    return raw


@pytest.mark.parametrize("key", [key for key in LOADERS if key != "compas"])
def test_official_file_gives_the_same_dataset(benchmark_data, monkeypatch, key, own_cache):
    expected = LOADERS[key]()
    source = SOURCES[key]
    served = archive(official(key, benchmark_data), source.members)
    monkeypatch.delenv("FAIRCLUSTER_DATA")
    monkeypatch.setattr(_fetch, "_download", {source.url: served}.__getitem__)
    fetched = LOADERS[key]()
    pd.testing.assert_frame_equal(fetched.data, expected.data)
    assert [path.name for path in own_cache.iterdir()] == [source.file]


def test_official_compas_loses_its_identifying_columns(benchmark_data):
    """No copy here has the identifying columns, so the form is rebuilt with made ones, not the checksum."""
    expected = load_compas().data
    frame = expected.copy()
    for position, name in enumerate(compas.IDENTIFYING):
        frame.insert(position + 1, name, "made up, with a comma")
    # the official header repeats two names, which pandas numbers
    header = [name.removesuffix(".1") for name in frame]
    numbers = frame.select_dtypes("float").columns
    frame[numbers] = frame[numbers].astype("Int64")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(header)
    frame.to_csv(text, index=False, header=False)
    parsed = compas.parse(text.getvalue().encode())
    assert _fetch.content_checksum(parsed) == compas.SOURCE.checksum
    pd.testing.assert_frame_equal(parsed, expected)


@pytest.mark.parametrize("key", LOADERS)
def test_offline_names_the_file(monkeypatch, key):
    monkeypatch.delenv("FAIRCLUSTER_DATA", raising=False)
    with pytest.raises(ConnectionError, match=SOURCES[key].file):
        LOADERS[key]()


@pytest.mark.parametrize("key", LOADERS)
def test_data_home_is_the_cache(monkeypatch, tmp_path, key):
    monkeypatch.delenv("FAIRCLUSTER_DATA", raising=False)
    with pytest.raises(ConnectionError, match=f"cache .{tmp_path}/mine"):
        LOADERS[key](data_home=tmp_path / "mine")


def test_sources_are_pinned():
    assert len({source.file for source in SOURCES.values()}) == len(SOURCES)
    for source in SOURCES.values():
        assert source.url.startswith("https://")
        assert len(bytes.fromhex(source.checksum)) == len(bytes.fromhex(source.raw_checksum)) == 32


def test_unknown_version():
    with pytest.raises(
        ValueError, match=r"version must be one of \('small', 'full', 'additional'\), got 'big'"
    ):
        load_bank("big")
