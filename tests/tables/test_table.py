"""Columns as numbers, groups and labels, and messages that say where a cell is."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from faircluster.groups import Groups
from faircluster.tables import Table, read_table


@pytest.fixture
def make(tmp_path):
    def make(text):
        path = tmp_path / "in.csv"
        path.write_text(text, encoding="utf-8")
        return read_table(path)

    return make


# ---- numbers


def test_numbers_as_people_write_them(make):
    column = make('x\n1\n -2.5 \n+3\n1e-3\n"0004"\n.5\n').numbers("x")
    assert column.dtype == np.float64
    assert column.tolist() == [1.0, -2.5, 3.0, 0.001, 4.0, 0.5]


@pytest.mark.parametrize(
    "cell", ["abc", "1,5", "1_000", "nan", "inf", "-Infinity", "?", "1 2", "0x10", "1e999"]
)
def test_other_cells_are_named_with_their_line(make, cell):
    table = make(f'x,y\n1,a\n2,a\n"{cell}",a\n"{cell}",a\n')
    with pytest.raises(ValueError, match=r"column 'x' .* must hold numbers, but line 4 has ") as caught:
        table.numbers("x")
    assert repr(cell) in str(caught.value)
    assert "(2 cells of this kind)" in str(caught.value)


@pytest.mark.parametrize("cell", ["", "  "])
def test_empty_cells_are_called_empty(make, cell):
    with pytest.raises(ValueError, match=r"line 3 has an empty cell$"):
        make(f"x,y\n1,a\n{cell},a\n").numbers("x")


def test_lines_count_breaks_inside_quotes(make):
    table = make('"a\nb",x\n"1\n2",1\n"",bad\n')
    with pytest.raises(ValueError, match="but line 5 has 'bad'"):
        table.numbers("x")


def test_typed_numbers():
    table = Table(
        pa.table({"i": [1, 2], "f": pa.array([0.5, 2.0], pa.float32()), "b": [True, False], "s": ["1", "2"]}),
        "t",
    )
    assert table.numbers("i").tolist() == [1.0, 2.0]
    assert table.numbers("f").tolist() == [0.5, 2.0]
    for name, kind in (("b", "bool"), ("s", "string")):
        with pytest.raises(ValueError, match=f"column '{name}' of t holds {kind}, not numbers"):
            table.numbers(name)


def test_typed_missing_numbers_are_named_with_their_row():
    table = Table(pa.table({"i": [1, None, 3], "f": [1.0, 2.0, float("nan")]}), "t")
    with pytest.raises(ValueError, match="row 2 has an empty cell"):
        table.numbers("i")
    with pytest.raises(ValueError, match="row 3 has nan"):
        table.numbers("f")


def test_unknown_column_lists_the_columns(make):
    table = make("a,b\n1,2\n")
    for read in (table.numbers, table.labels, lambda name: table.protected([name])):
        with pytest.raises(ValueError, match="has no column 'c'; its columns are 'a', 'b'"):
            read("c")


def test_numeric_columns(make):
    table = make("n,mostly,text,zip,zero,half\n1,1,a,01,0,1\n2,x,b,2,0.5,x\n3,3,c,3,-0.1,\n")
    assert table.numeric_columns(table.columns) == (["n", "zero"], ["mostly", "zip"])
    assert table.numeric_columns(["text"]) == ([], [])
    typed = Table(pa.table({"i": [1], "b": [True], "s": ["1"], "m": pa.array([None], pa.float64())}), "t")
    assert typed.numeric_columns(typed.columns) == (["i"], [])


# ---- groups


def test_csv_values_are_groups_and_empty_cells_missing(make):
    table = make("sex,age\nF,1\n,2\nM,3\n")
    with pytest.raises(
        ValueError, match=r"'sex' .* has no value in 1 of 3 rows, the first is line 3; fill them"
    ):
        table.protected(["sex"])
    groups = Groups.from_features(table.protected(["sex"], allow_missing=True), missing="group")
    assert groups.names == ("sex=F", "sex=M", "sex=missing")


def test_typed_values_are_groups_also_when_boolean():
    frame = pd.DataFrame(
        {"female": [True, False, None], "kind": pd.Categorical(["b", "a", "b"]), "n": [1, 2, 1]}
    )
    table = Table(pa.Table.from_pandas(frame), "t")
    groups = Groups.from_features(
        table.protected(["female", "kind", "n"], allow_missing=True), missing="group"
    )
    assert groups.names == ("female=false", "female=true", "female=missing", "kind=a", "kind=b", "n=1", "n=2")
    with pytest.raises(ValueError, match="the first is row 3"):
        table.protected(["female"])


# ---- labels


@pytest.mark.parametrize(
    ("cells", "codes", "names"),
    [
        (["10", "9", "10"], [1, 0, 1], ["9", "10"]),
        (["b", "a", "10"], [2, 1, 0], ["10", "a", "b"]),
        (["-1", "0", "-1"], [0, 1, 0], ["-1", "0"]),
    ],
)
def test_labels_of_any_name(make, cells, codes, names):
    found, given = make("c,x\n" + "".join(f"{cell},1\n" for cell in cells)).labels("c")
    assert (found.tolist(), given) == (codes, names)


def test_typed_labels():
    table = Table(pa.table({"i": [3, 1], "b": [True, False], "m": [1, None]}), "t")
    assert table.labels("i")[1] == ["1", "3"]
    assert table.labels("b")[1] == ["false", "true"]
    with pytest.raises(ValueError, match="column 'm' of t has no label in row 2"):
        table.labels("m")


def test_missing_label_is_named(make):
    with pytest.raises(ValueError, match="has no label in line 3"):
        make("c,x\n1,1\n,1\n").labels("c")


# ---- one more column


def test_column_is_appended_or_replaced_in_place(make):
    table = make("a,cluster,b\n1,old,2\n")
    with pytest.raises(ValueError, match="already has a column 'cluster'; choose another name"):
        table.with_column("cluster", np.array([7], dtype=np.int32))
    replaced = table.with_column("cluster", np.array([7], dtype=np.int32), overwrite=True)
    assert replaced.data.to_pylist() == [{"a": "1", "cluster": 7, "b": "2"}]
    assert table.with_column("new", np.array([7], dtype=np.int32)).columns == ["a", "cluster", "b", "new"]
