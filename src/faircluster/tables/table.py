"""Columns of a file, read as what they are needed for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Table"]


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of a file, and what must be known to write them back.

    Build it with :func:`read_table`.

    Parameters
    ----------
    data : pyarrow.Table
        Text columns if the file is CSV.
    path : str
        Where it comes from, for messages.
    text : bool
        Whether it comes from CSV: cells are text, and an empty one is a missing value.
    bom : bool
        Whether the CSV file begins with a byte order mark.
    newline : str
        What ends a line of the CSV file.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from faircluster.tables import Table
    >>> table = Table(pa.table({"zip": ["00501"], "age": ["38"], "sex": [""]}), "people.csv", text=True)
    >>> table.numbers("age")
    array([38.])
    >>> table.protected(["sex"], allow_missing=True).to_pylist()
    [{'sex': None}]
    """

    data: pa.Table
    path: str
    text: bool = False
    bom: bool = False
    newline: str = "\n"

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.data.column_names)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.data.num_rows)

    def require(self, names: Iterable[str]) -> None:
        """Check that columns exist.

        Raises
        ------
        ValueError
            Names the first that does not, and lists those that do.
        """
        for name in names:
            if name not in self.columns:
                raise ValueError(
                    f"{self.path} has no column {name!r}; "
                    f"its columns are {', '.join(map(repr, self.columns))}"
                )

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Read a column as finite numbers.

        Parameters
        ----------
        name : str

        Returns
        -------
        ndarray of shape (n,), float64

        Raises
        ------
        ValueError
            No such column, or a cell that is no finite number: names the column, the cell and its line.
        """
        self.require([name])
        values = self._as_numbers(name)
        if values is None:
            raise ValueError(f"column {name!r} of {self.path} holds {self.data[name].type}, not numbers")
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            row = int(wrong[0])
            cell = self.data[name][row].as_py()
            what = "an empty cell" if cell is None or str(cell).strip() == "" else f"{cell!r}"
            more = f" ({len(wrong)} cells of this kind)" if len(wrong) > 1 else ""
            raise ValueError(
                f"column {name!r} of {self.path} must hold numbers, but {self.place(row)} has {what}{more}"
            )
        return values

    def numeric_columns(self, names: Iterable[str]) -> tuple[list[str], list[str]]:
        """Tell which columns hold numbers throughout, and which only look like it.

        Parameters
        ----------
        names : iterable of str
            Columns to look at.

        Returns
        -------
        numeric : list of str
        nearly : list of str
            More than half of the cells are numbers but not all, or some are written as codes are, with
            leading zeros.
        """
        numeric, nearly = [], []
        for name in names:
            values = self._as_numbers(name)
            if values is None:
                continue
            finite = np.isfinite(values).mean() if len(values) else 0.0
            if finite == 1.0 and not self._has_codes(name):
                numeric.append(name)
            elif finite > 0.5:
                nearly.append(name)
        return numeric, nearly

    def protected(self, names: Sequence[str], *, allow_missing: bool = False) -> pa.Table:
        """Read columns whose values are groups.

        Parameters
        ----------
        names : sequence of str
        allow_missing : bool, default=False
            Whether empty cells may occur.

        Returns
        -------
        pyarrow.Table
            Empty cells of a CSV file are null; true and false are text, so that they are two groups.

        Raises
        ------
        ValueError
            No such column, or empty cells that are not allowed.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        self.require(names)
        columns = {}
        for name in names:
            column = self.data[name]
            if self.text:
                column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
            elif pa.types.is_boolean(column.type):
                column = column.cast(pa.string())
            if column.null_count and not allow_missing:
                row = int(pc.index(pc.is_null(column), True).as_py())
                raise ValueError(
                    f"column {name!r} of {self.path} has no value in {column.null_count} of {self.n_rows} "
                    f"rows, the first is {self.place(row)}; fill them, or make them a group of their own "
                    "(--missing group)"
                )
            columns[name] = column
        return pa.table(columns)

    def labels(self, name: str) -> tuple[NDArray[np.int64], list[str]]:
        """Read a column of cluster labels, whatever they are called.

        Parameters
        ----------
        name : str

        Returns
        -------
        codes : ndarray of shape (n,), int64
        names : list of k str
            Name of each code: numbers in their order, else in that of the alphabet.

        Raises
        ------
        ValueError
            No such column, or an empty cell.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        self.require([name])
        column = self.data[name].cast(pa.string()).combine_chunks()
        absent = pc.fill_null(pc.equal(column, ""), True)
        if pc.any(absent).as_py():
            row = int(pc.index(absent, True).as_py())
            raise ValueError(f"column {name!r} of {self.path} has no label in {self.place(row)}")
        encoded = column.dictionary_encode()
        found = encoded.dictionary.to_pylist()
        values = [_number(text) for text in found]
        numeric = all(map(np.isfinite, values))
        order = sorted(range(len(found)), key=values.__getitem__ if numeric else found.__getitem__)
        rank = np.empty(len(found), dtype=np.int64)
        rank[order] = np.arange(len(found))
        return rank[encoded.indices.to_numpy(zero_copy_only=False)], [found[i] for i in order]

    def place(self, row: int) -> str:
        """Say where a row stands in the file: its line in CSV, its number in Parquet (from 1)."""
        if not self.text:
            return f"row {row + 1}"
        import pyarrow.compute as pc

        before = self.data.slice(0, row)
        breaks = sum(pc.sum(pc.count_substring(column, "\n")).as_py() or 0 for column in before.itercolumns())
        return f"line {row + 2 + breaks + sum(name.count(chr(10)) for name in self.columns)}"

    def with_column(self, name: str, values: NDArray[np.int32], *, overwrite: bool = False) -> Table:
        """Append a column, or put it in the place of the one of that name.

        Parameters
        ----------
        name : str
        values : ndarray of shape (n,), int32
        overwrite : bool, default=False

        Returns
        -------
        Table

        Raises
        ------
        ValueError
            The column exists and `overwrite` is not set.
        """
        import pyarrow as pa

        column = pa.array(values)
        if name not in self.columns:
            return replace(self, data=self.data.append_column(name, column))
        self.check_free(name, overwrite=overwrite)
        return replace(self, data=self.data.set_column(self.columns.index(name), name, column))

    def check_free(self, name: str, *, overwrite: bool) -> None:
        """Raise ValueError if a column exists that may not be overwritten."""
        if name in self.columns and not overwrite:
            raise ValueError(
                f"{self.path} already has a column {name!r}; choose another name with --label-column, "
                "or replace it with --overwrite-column"
            )

    def _has_codes(self, name: str) -> bool:
        """Whether a cell has a zero before another digit, which numbers have not."""
        import pyarrow.compute as pc

        return self.text and bool(
            pc.any(pc.match_substring_regex(self.data[name], r"^\s*[+-]?0[0-9]")).as_py()
        )

    def _as_numbers(self, name: str) -> NDArray[np.float64] | None:
        """Column as float64, NaN where a cell is no number; None if its type is not one of numbers."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self.data[name].combine_chunks()
        kind = column.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            cells = column.cast(pa.float64(), safe=False)
        elif not self.text:
            return None
        else:
            try:
                cells = pc.utf8_trim_whitespace(column).cast(pa.float64())
            except pa.ArrowInvalid:  # not all are numbers, or written as only Python reads them, such as +1
                encoded = column.dictionary_encode()
                distinct = np.array([_number(text) for text in encoded.dictionary.to_pylist()], dtype=float)
                return np.asarray(distinct[encoded.indices.to_numpy()], dtype=np.float64)
        return np.asarray(cells.to_numpy(zero_copy_only=False), dtype=np.float64)


def _number(text: str) -> float:
    try:
        return float("nan") if "_" in text else float(text)
    except ValueError:
        return float("nan")
