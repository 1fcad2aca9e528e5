"""What is read is what is written: every cell, whatever is in it."""

import csv
import datetime
import decimal
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.tables import Table, check_suffix, read_table, write_table


def cells(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def labelled(source, target, overwrite=False):
    table = read_table(source)
    labels = np.arange(table.n_rows, dtype=np.int32)
    write_table(table.with_column("cluster", labels, overwrite=overwrite), target)


# ---- CSV


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_cell_survives(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("csv")
    names = data.draw(
        st.lists(
            text.map(lambda name: name.replace("\ufeff", "")).filter(bool),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    names = [name for name in names if name != "cluster"] or ["x"]
    rows = data.draw(st.lists(st.tuples(*[text] * len(names)), min_size=1, max_size=5))
    with open(folder / "in.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    labelled(folder / "in.csv", folder / "out.csv")
    expected = [[*names, "cluster"], *([*row, str(i)] for i, row in enumerate(rows))]
    assert cells(folder / "out.csv") == expected


INTACT = (
    "zip,born,name,note,x\n"
    '00501,2001-02-03,"Lovelace, Ada","she said ""hi""\nand left",1.10\n'
    "01234,,Ångström,  padded  ,1e3\n"
    "00000,NA,null,#N/A,-0\n"
)


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_written_as_usual_changes_in_nothing_but_the_label(tmp_path, bom, newline):
    lines = INTACT.replace("\nand left", "|").replace("\n", newline).replace("|", "\nand left")
    (tmp_path / "in.csv").write_bytes((bom + lines).encode())
    labelled(tmp_path / "in.csv", tmp_path / "out.csv")
    written = (tmp_path / "out.csv").read_bytes().decode()
    assert written.startswith(bom + "zip,born,name,note,x,cluster" + newline)
    assert written.count(newline) == lines.count(newline)
    for ending in (",1.10,0", ",1e3,1", ",-0,2"):
        assert ending + newline in written
    stripped = written.replace(",cluster", "", 1)
    for i, x in enumerate(("1.10", "1e3", "-0")):
        stripped = stripped.replace(f",{x},{i}{newline}", f",{x}{newline}")
    assert stripped == bom + lines


def test_lone_carriage_returns_stay_inside_their_cell(tmp_path):
    (tmp_path / "in.csv").write_bytes(b'a,b\n"x\ry",1\n')
    labelled(tmp_path / "in.csv", tmp_path / "out.csv")
    assert cells(tmp_path / "out.csv") == [["a", "b", "cluster"], ["x\ry", "1", "0"]]


def test_one_column_with_empty_cells(tmp_path):
    (tmp_path / "in.csv").write_text("a\n1\n\n3\n")
    labelled(tmp_path / "in.csv", tmp_path / "out.csv")
    assert cells(tmp_path / "out.csv") == [["a", "cluster"], ["1", "0"], ["", "1"], ["3", "2"]]


def test_blank_lines_between_rows_are_no_rows(tmp_path):
    (tmp_path / "in.csv").write_text("\na,b\n1,2\n\n3,4\n\n")
    assert read_table(tmp_path / "in.csv").data.to_pydict() == {"a": ["1", "3"], "b": ["2", "4"]}


def test_many_rows_come_in_order(tmp_path):
    n = 70_000  # more than are written at a time
    (tmp_path / "in.csv").write_text("a,b\n" + "".join(f"{i:06d},x\n" for i in range(n)))
    labelled(tmp_path / "in.csv", tmp_path / "out.csv")
    frame = pd.read_csv(tmp_path / "out.csv", dtype={"a": str})
    assert frame["a"].tolist() == [f"{i:06d}" for i in range(n)]
    assert frame["cluster"].tolist() == list(range(n))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty"),
        (b"a,b\n", r"has columns \('a', 'b'\) but no rows"),
        (b"a,b\n1\n", "Row #2: Expected 2 columns, got 1"),
        (b"a,b\n1,2\n1,2,3\n", "Row #3: Expected 2 columns, got 3"),
        (b"a,a\n1,2\n", "two columns named 'a'"),
        ("a,b\né,1\n".encode("latin-1"), "no UTF-8 text"),
        (b"a;b\n1;2\n", "cells are separated by semicolons; save it with commas"),
        (b"a\tb\n1\t2\n", "cells are separated by tabs"),
        ("é,b\n1,1\n".encode("latin-1"), "UTF-8 text"),
        ("a,b\n1,1\n".encode("utf-16"), "UTF-8 text"),
        (b"\n\n", "cannot be read as CSV"),
        (b'a,"b\n1,2\n', "cannot be read as CSV|no rows"),
    ],
)
def test_bad_csv_is_told_in_one_line(tmp_path, content, match):
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=match) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "none.csv")


# ---- Parquet


@pytest.fixture
def typed(tmp_path):
    frame = pd.DataFrame(
        {
            "id": ["001", None, "003"],
            "day": [datetime.date(2020, 1, 2), None, datetime.date(1999, 12, 31)],
            "when": pd.to_datetime(["2020-01-01 12:00", None, "2021-05-06 00:00"]),
            "age": [30, 40, 50],
            "score": [0.1, np.nan, 1e-300],
            "ok": [True, False, None],
            "kind": pd.Categorical(["a", "b", "a"]),
            "price": [decimal.Decimal("1.10"), None, decimal.Decimal("2.00")],
        }
    )
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    return tmp_path / "in.parquet"


def test_parquet_keeps_types_and_values(typed, tmp_path):
    labelled(typed, tmp_path / "out.parquet")
    before, after = pq.read_table(typed), pq.read_table(tmp_path / "out.parquet")
    assert after.column_names == [*before.column_names, "cluster"]
    assert after.drop(["cluster"]).equals(before)
    assert after["cluster"].to_pylist() == [0, 1, 2]
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "out.parquet").drop(columns="cluster"), pd.read_parquet(typed)
    )


def test_parquet_to_csv_writes_values_as_text(typed, tmp_path):
    labelled(typed, tmp_path / "out.csv")
    header, first, second, _ = cells(tmp_path / "out.csv")
    assert header == ["id", "day", "when", "age", "score", "ok", "kind", "price", "cluster"]
    assert first[:2] == ["001", "2020-01-02"]
    assert first[3:] == ["30", "0.1", "true", "a", "1.10", "0"]
    assert second[0] == second[1] == second[7] == ""


def test_csv_to_parquet_keeps_text(tmp_path):
    (tmp_path / "in.csv").write_text("zip,x\n00501,1.50\n")
    labelled(tmp_path / "in.csv", tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == [
        {"zip": "00501", "x": "1.50", "cluster": 0}
    ]


def test_nested_columns_stay_in_parquet_only(tmp_path):
    pq.write_table(pa.table({"x": [1], "many": [[1, 2]]}), tmp_path / "in.parquet")
    labelled(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet")["many"].to_pylist() == [[1, 2]]
    with pytest.raises(ValueError, match=r"column 'many' .* which CSV cannot hold; write to a .parquet file"):
        labelled(tmp_path / "in.parquet", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_folder_names_are_no_columns(tmp_path):
    folder = tmp_path / "year=2020"
    folder.mkdir()
    pq.write_table(pa.table({"x": [1]}), folder / "in.parquet")
    assert read_table(folder / "in.parquet").columns == ["x"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"a,b\n1,2\n", b"PAR1" + b"\0" * 40 + b"PAR1"])
def test_damaged_parquet(tmp_path, content):
    path = tmp_path / "in.parquet"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot be read as Parquet|is empty") as caught:
        read_table(path)
    assert str(path) in str(caught.value)


# ---- both


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.csv.gz", ".csv"])
def test_other_endings(tmp_path, name):
    with pytest.raises(ValueError, match=r"must end in \.csv or \.parquet"):
        check_suffix(tmp_path / name)
    with pytest.raises(ValueError, match="must end in"):
        read_table(tmp_path / name)
    with pytest.raises(ValueError, match="must end in"):
        write_table(Table(pa.table({"a": [1]}), "x"), tmp_path / name)


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch, name):
    (tmp_path / "in.csv").write_text("a\n1\n")
    (tmp_path / name).write_text("old")

    def fail(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        labelled(tmp_path / "in.csv", tmp_path / name)
    assert (tmp_path / name).read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv", name]


def test_input_can_be_replaced_by_output(tmp_path):
    (tmp_path / "in.csv").write_text("a\n1\n2\n")
    labelled(tmp_path / "in.csv", tmp_path / "in.csv")
    assert (tmp_path / "in.csv").read_text() == "a,cluster\n1,0\n2,1\n"


def test_without_pyarrow_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "in.csv").write_text("a\n1\n")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r'pip install "faircluster\[data,report\]"'):
        read_table(tmp_path / "in.csv")
