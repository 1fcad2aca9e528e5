import datetime
import time
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from faircluster.groups import Groups


@pytest.mark.parametrize(
    ("column", "names"),
    [
        (np.array([10, 9, -1]), ("-1", "9", "10")),
        (np.array([127, -128, 0], dtype=np.int8), ("-128", "0", "127")),
        (np.array([2**63 + 5, 1], dtype=np.uint64), ("1", str(2**63 + 5))),
        (np.array([5 * 10**12, 10, 9]), ("9", "10", "5000000000000")),
        (np.array([10.0, 9.5]), ("9.5", "10.0")),
        (np.array([0.1, 0.2], dtype=np.float32), ("0.1", "0.2")),
        (np.array([-0.0, 0.0, 1.0]), ("0.0", "1.0")),
        (np.array([True, False]), ("False", "True")),
        ([Decimal(10), Decimal(9)], ("9", "10")),
        (np.array([10, 9.5], dtype=object), ("9.5", "10")),
        (np.array([10, "9"], dtype=object), ("10", "9")),
        (np.array(["2021-01-01", "2020-01-01"], dtype="M8[D]"), ("2020-01-01", "2021-01-01")),
        ([datetime.date(2021, 1, 1), datetime.date(2020, 1, 1)], ("2020-01-01", "2021-01-01")),
        (pd.Series([2, 1], dtype="Int64"), ("1", "2")),
        (pl.Series([2, 1], dtype=pl.UInt8), ("1", "2")),
        (["é", "z", ""], ("", "z", "é")),
    ],
)
def test_groups_are_named_and_sorted_by_value(column, names):
    groups = Groups.from_features(column)
    assert groups.names == names
    assert [names[i] for i in groups.membership.argmax(axis=1)] == [
        names[i] for i in Groups.from_features(column[::-1]).membership.argmax(axis=1)[::-1]
    ]


MISSING_COLUMNS = [
    (["a", None, "b", np.nan], "a b"),
    (["a", np.nan, "b", np.nan], "a b"),
    (np.array(["a", None, "b", float("nan")], dtype=object), "a b"),
    (np.array([1.0, np.nan, 2.0, np.nan]), "1.0 2.0"),
    (np.array(["2020", "NaT", "2021", "NaT"], dtype="M8[Y]"), "2020 2021"),
    (np.ma.array([1, 0, 2, 0], mask=[False, True, False, True]), "1 2"),
    (pd.Series(["a", None, "b", np.nan]), "a b"),
    (pd.Series(["a", None, "b", None], dtype="category"), "a b"),
    (pd.Series([1, None, 2, None], dtype="Int64"), "1 2"),
    (pd.Series([True, None, False, None], dtype="boolean"), "False True"),
    (pd.Series([1.5, None, 2.5, None], dtype="Float64"), "1.5 2.5"),
    (pd.array(["a", pd.NA, "b", pd.NA]), "a b"),
    (pd.to_datetime(pd.Series(["2020-01-01", None, "2021-01-01", None])).dt.date, "2020-01-01 2021-01-01"),
    (np.array([1, "NaT", 2, "NaT"], dtype="m8[D]"), "1_days 2_days"),
    (pl.Series(["a", None, "b", None]), "a b"),
    (pl.Series([1, None, 2, None]), "1 2"),
    (pl.Series([1.0, None, 2.0, float("nan")]), "1.0 2.0"),
    (pa.array([1, None, 2, None]), "1 2"),
    (pa.array(["a", None, "b", None]), "a b"),
]


@pytest.mark.parametrize(("column", "present"), MISSING_COLUMNS)
def test_missing_values(column, present):
    with pytest.raises(ValueError, match=r"missing values in 2 of 4 rows, the first in row 1"):
        Groups.from_features(column)
    groups = Groups.from_features(column, missing="group")
    assert [name.replace(" ", "_") for name in groups.names] == [*present.split(), "missing"]
    assert groups.counts.tolist() == [1.0, 1.0, 2.0]
    assert groups.signature[1] == groups.signature[3]


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        ([], ValueError, "0 rows"),
        (pd.DataFrame({"a": []}), ValueError, "0 rows"),
        (np.zeros((0, 2), dtype=bool), ValueError, "0 rows"),
        (np.zeros((3, 0)), ValueError, "no columns"),
        (pd.DataFrame(index=[0, 1]), ValueError, "no columns"),
        (np.zeros((2, 2, 2)), ValueError, r"got shape \(2, 2, 2\)"),
        (np.array("a"), ValueError, r"got shape \(\)"),
        ([[1, 2], [1]], ValueError, "different lengths"),
        ("abc", TypeError, "got str"),
        ({"a": [1]}, TypeError, "got dict"),
        (sparse.eye_array(3), TypeError, "must be a list, array, series or data frame"),
        (pl.LazyFrame({"a": [1]}), TypeError, "collect"),
        (pd.DataFrame([["x", "y"]], columns=["a", "a"]), ValueError, "same name"),
        (pd.DataFrame([["x", "y"]], columns=[1, "column 1"]), ValueError, "two columns named 'column 1'"),
        (pd.DataFrame({"a": ["b=c"], "a=b": ["c"]}), ValueError, "two groups named 'a=b=c'"),
        (pd.Series([[1], [2]]), TypeError, "cannot be hashed"),
        (np.array([1, "1"], dtype=object), ValueError, "mixes types"),
        (np.array([1, True], dtype=object), ValueError, "mixes types"),
        (np.array([1, True, "1"], dtype=object), ValueError, "mixes types"),
    ],
)
def test_invalid_features(features, error, message):
    with pytest.raises(error, match=message):
        Groups.from_features(features)


def test_continuous_columns_are_refused():
    rng = np.random.default_rng(0)
    for column in (rng.normal(size=2500), np.arange(2500), [str(i) for i in range(2500)]):
        with pytest.raises(ValueError, match="2500 distinct values in 2500 rows: it looks continuous"):
            Groups.from_features(column)
    assert Groups.from_features(np.arange(1000.0)).n_groups == 1000
    assert Groups.from_features(rng.normal(size=20)).n_groups == 20
    assert Groups.from_features(np.arange(5000) % 100).n_groups == 100


def test_a_million_rows_are_fast():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"sex": rng.choice(["F", "M"], 10**6), "race": rng.choice(["w", "b", "other"], 10**6)}
    )
    start = time.perf_counter()
    groups = Groups.from_features(frame)
    assert time.perf_counter() - start < 5  # 0.7 s on two idle cores
    assert groups.n_signatures == 6
