"""Read and write tables in CSV and Parquet files."""

from __future__ import annotations

import csv
import io
import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from faircluster.atomic import atomic_write
from faircluster.tables.table import Table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["check_suffix", "is_formula", "read_table", "write_table"]

SUFFIXES = (".csv", ".parquet")
_BOM = "\ufeff"
_ROWS_AT_A_TIME = 1 << 16
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}  # of what others call CSV
_BLANK = "".join(map(chr, range(33))) + "\x7f\xa0\ufeff"
_MAYBE_FORMULA = "^[\\s\\x00-\\x20\\x7f\u00a0\ufeff]*[=+@\uff1d\uff0b\uff0d\uff20-]"


def check_suffix(path: str | os.PathLike[str]) -> str:
    """Tell the format of a table by the end of its name.

    Parameters
    ----------
    path : path

    Returns
    -------
    {".csv", ".parquet"}

    Raises
    ------
    ValueError
        Any other ending.

    Examples
    --------
    >>> check_suffix("people.CSV")
    '.csv'
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{os.fspath(path)}: the name of a table must end in {' or '.join(SUFFIXES)}")
    return suffix


def read_table(path: str | os.PathLike[str]) -> Table:
    r"""Read a CSV file (UTF-8, commas, a header) or a Parquet file.

    Parameters
    ----------
    path : path
        Ends in ``.csv`` or ``.parquet``.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        Another ending; an empty, damaged or ragged file; no rows; two columns of one name.
    OSError
        The file does not exist or cannot be opened.
    ImportError
        If pyarrow is missing.

    Notes
    -----
    O(cells); the whole table is held in memory.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from faircluster.tables import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "people.csv"
    ...     _ = path.write_text("zip,age\n00501,38\n")
    ...     read_table(path).data.to_pylist()
    [{'zip': '00501', 'age': '38'}]
    """
    suffix = check_suffix(path)
    try:
        import pyarrow as pa
    except ImportError as error:
        message = 'reading tables needs pyarrow: pip install "faircluster[data,report]"'
        raise ImportError(message, name="pyarrow") from error

    name = os.fspath(path)
    with open(path, "rb") as file:
        if not file.read(1):
            raise ValueError(f"{name} is empty")
        file.seek(0)
        try:
            table = _read_csv(file, name) if suffix == ".csv" else _read_parquet(file, name)
        except (pa.ArrowException, UnicodeDecodeError, csv.Error, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's fault, not the content's
            reason = str(error).splitlines()[0]
            if "utf" in reason.lower() and suffix == ".csv":
                reason = "it is no UTF-8 text; a spreadsheet writes that as 'CSV UTF-8'"
            kind = "CSV" if suffix == ".csv" else "Parquet"
            raise ValueError(f"{name} cannot be read as {kind}: {reason}") from error
    repeated = [column for column in table.columns if table.columns.count(column) > 1]
    if repeated:
        raise ValueError(f"{name} has two columns named {repeated[0]!r}; rename one")
    if table.n_rows == 0:
        raise ValueError(f"{name} has columns ({', '.join(map(repr, table.columns))}) but no rows")
    return table


def _read_csv(file: BinaryIO, path: str) -> Table:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    first = file.read(1 << 16)
    bom = first.startswith(_BOM.encode())
    newline = "\r\n" if first.partition(b"\n")[0].endswith(b"\r") else "\n"
    file.seek(0)
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    rows = list(islice((row for row in csv.reader(lines) if row), 20))
    header = rows[0] if rows else []
    lines.detach()
    _check_separator(rows)
    if len(set(header)) < len(header):  # pyarrow would not take a type for each
        return Table(pa.table([[]] * len(header), names=header), path)
    file.seek(0)
    data = arrow_csv.read_csv(
        file,
        # one thread: only then do messages tell the row
        read_options=arrow_csv.ReadOptions(block_size=1 << 24, use_threads=False),
        # an empty line is an empty cell if there is but one column
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=len(header) != 1),
        convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string())),
    )
    if data.column_names != header:
        raise csv.Error(f"its header is ambiguous: {', '.join(map(repr, header))}")
    return Table(data, path, text=True, bom=bom, newline=newline)


def _check_separator(rows: list[list[str]]) -> None:
    """Refuse one column that is several, as spreadsheets of many countries write them."""
    if len(rows) < 2 or any(len(row) != 1 for row in rows):
        return
    for mark, word in _SEPARATORS.items():
        names = rows[0][0].split(mark)
        alike = len({row[0].count(mark) for row in rows}) == 1
        if alike and len(names) > 1 and all(name.strip() for name in names):
            raise csv.Error(f"its cells are separated by {word}; save it with commas")


def _read_parquet(file: BinaryIO, path: str) -> Table:
    from pyarrow import parquet

    return Table(parquet.ParquetFile(file).read(), path)


def write_table(
    table: Table, path: str | os.PathLike[str], *, formulas: Literal["keep", "text"] = "keep"
) -> int:
    r"""Write a table as CSV or Parquet, atomically.

    Parameters
    ----------
    table : Table
    path : path
        Ends in ``.csv`` or ``.parquet``; the format of the table's own file does not matter.
    formulas : {"keep", "text"}, default="keep"
        "text" puts an apostrophe before text in CSV, names of columns too, that a spreadsheet would run as a
        formula; see :func:`is_formula`. Parquet needs none.

    Returns
    -------
    int
        Number of cells that got one.

    Raises
    ------
    ValueError
        Another ending, or nested columns that CSV cannot hold.
    OSError
        The file cannot be written; an older one is left as it was.

    Notes
    -----
    O(cells). Missing values of Parquet become empty cells of CSV.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pyarrow as pa
    >>> from faircluster.tables import Table, write_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "people.csv"
    ...     _ = write_table(Table(pa.table({"name": ["Lovelace, Ada"], "cluster": [0]}), "made here"), path)
    ...     path.read_text()
    'name,cluster\n"Lovelace, Ada",0\n'
    """
    defused = 0
    if check_suffix(path) == ".csv":
        columns = _text_columns(table)
        if formulas == "text":
            columns, defused = _without_formulas(columns, table)
        with atomic_write(path) as file:
            _write_csv(columns, table, file)
    else:
        from pyarrow import parquet

        with atomic_write(path) as file:
            parquet.write_table(table.data, file, compression="zstd")
    return defused


def is_formula(text: str) -> bool:
    r"""Tell whether a spreadsheet may take a cell for a formula.

    Parameters
    ----------
    text : str

    Returns
    -------
    bool
        It begins with one of ``= + - @``, also wide or behind blanks and control characters, and is neither
        a number nor that character alone.

    Examples
    --------
    >>> [is_formula(text) for text in ("=1+1", "\t@SUM(A1)", "-5", "-", "a=b")]
    [True, True, False, False, False]
    """
    bare = text.lstrip(_BLANK)
    if len(bare) < 2 or bare[0] not in "=+-@\uff1d\uff0b\uff0d\uff20":
        return False
    try:
        float(bare)
    except ValueError:
        return True
    return False


def _without_formulas(columns: pa.Table, table: Table) -> tuple[pa.Table, int]:
    import pyarrow as pa
    import pyarrow.compute as pc

    count = sum(map(is_formula, table.columns))
    safe = []
    for name, column in zip(table.columns, columns.itercolumns(), strict=True):
        kind = table.data[name].type
        if not pc.any(pc.match_substring_regex(column, _MAYBE_FORMULA)).as_py() or _is_number(kind):
            safe.append(column)
            continue
        cells = column.combine_chunks().dictionary_encode()
        texts = cells.dictionary.to_pylist()
        hits = [is_formula(text) for text in texts]
        indices = cells.indices.fill_null(0).to_numpy()
        count += int(np.array([*hits, False])[indices][cells.is_valid().to_numpy(False)].sum())
        values = [f"'{text}" if hit else text for text, hit in zip(texts, hits, strict=True)]
        safe.append(
            pa.DictionaryArray.from_arrays(cells.indices, pa.array(values, pa.string())).cast(pa.string())
        )
    names = [f"'{name}" if is_formula(name) else name for name in table.columns]
    return pa.table(safe, names=names), count


def _is_number(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _text_columns(table: Table) -> pa.Table:
    import pyarrow as pa

    columns = []
    for name in table.columns:
        try:
            columns.append(table.data[name].cast(pa.string()))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ValueError(
                f"column {name!r} of {table.path} holds {table.data[name].type}, which CSV cannot hold; "
                "write to a .parquet file"
            ) from error
    return pa.table(columns, names=table.columns)


def _write_csv(columns: pa.Table, table: Table, file: BinaryIO) -> None:
    import pyarrow.compute as pc

    # csv quotes the characters of its own line ending only, so cells with a lone "\r" need that one
    returns = any(pc.any(pc.match_substring(column, "\r")).as_py() for column in columns.itercolumns())
    newline = "\r\n" if returns or "\r" in "".join(columns.column_names) else table.newline
    lines = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        lines.write(_BOM if table.bom else "")
        writer = csv.writer(lines, lineterminator=newline)
        writer.writerow(columns.column_names)
        for batch in columns.to_batches(max_chunksize=_ROWS_AT_A_TIME):
            writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    finally:
        lines.detach()  # flushes, and leaves the file open
