"""Tables that are opened in spreadsheets run nothing."""

import csv
import io

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.tables import Table, is_formula, read_table, write_table

DANGEROUS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1", "=", "--"]  # noqa: RUF001
HARMLESS = ["", "a", "a=b", "-5", "+3.25", "-1e-5", "-", "+", "'=1", "5-3", "-inf", "é"]


def written(path):
    return list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))


def test_what_is_a_formula():
    assert [is_formula(text) for text in DANGEROUS] == [True] * 8 + [False, True]
    assert not any(is_formula(text) for text in HARMLESS)


def test_cells_and_names_become_text(tmp_path):
    cells = [*DANGEROUS, *HARMLESS]
    table = Table(pa.table({"=name": cells, "n": range(len(cells)), "x": [-0.5] * len(cells)}), "made here")
    count = write_table(table, tmp_path / "safe.csv", formulas="text")
    header, *rows = written(tmp_path / "safe.csv")
    assert header == ["'=name", "n", "x"]
    assert [row[0] for row in rows] == [f"'{c}" if is_formula(c) else c for c in cells]
    assert {row[2] for row in rows} == {"-0.5"}  # numbers stay numbers
    assert count == 1 + sum(map(is_formula, cells))


def test_kept_unless_asked_and_never_changed_in_parquet(tmp_path):
    table = Table(pa.table({"=name": DANGEROUS}), "made here")
    assert write_table(table, tmp_path / "kept.csv") == 0
    assert [row[0] for row in written(tmp_path / "kept.csv")] == ["=name", *DANGEROUS]
    assert write_table(table, tmp_path / "kept.parquet", formulas="text") == 0
    assert read_table(tmp_path / "kept.parquet").data["=name"].to_pylist() == DANGEROUS


def test_nulls_and_chunks(tmp_path):
    column = pa.chunked_array([["=1", None], [None, "x", "=1"], pa.array([], pa.string())])
    table = Table(pa.table({"a": column, "b": pa.array([None] * 5, pa.string())}), "made here")
    assert write_table(table, tmp_path / "t.csv", formulas="text") == 2
    assert written(tmp_path / "t.csv")[1:] == [["'=1", ""], ["", ""], ["", ""], ["x", ""], ["'=1", ""]]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=1, max_size=8))
def test_no_cell_that_is_written_is_a_formula(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    write_table(Table(pa.table({"a": cells, "b": ["x"] * len(cells)}), "made here"), path, formulas="text")
    assert not any(is_formula(row[0]) for row in written(path))


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.decimal128(21, 2)])
def test_negative_numbers_are_numbers(tmp_path, kind):
    table = Table(pa.table({"a": pa.array([-5, -7]).cast(kind)}), "made here")
    assert write_table(table, tmp_path / "t.csv", formulas="text") == 0
