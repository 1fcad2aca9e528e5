"""Files that were uploaded, and tables read from them, for as long as the page runs."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faircluster.tables import Table, check_suffix, read_table

__all__ = ["Store", "Upload"]

MOST_CELLS = 400_000_000
MOST_BYTES = 4_000_000_000
_LIKELY = re.compile(r"sex|gender|race|ethnic|religio|disab|nation|marital|married|age.?group", re.IGNORECASE)
_MOST_GROUPS = 50


@dataclass(frozen=True, eq=False)
class Upload:
    """One table.

    Attributes
    ----------
    name : str
        What the user calls it.
    table : Table
    folder : Path
        Its own, for what is made of it.
    """

    name: str
    table: Table
    folder: Path

    def describe(self) -> dict[str, Any]:
        """Columns and what they may be used for.

        Returns
        -------
        dict
            ``name``, ``rows`` and ``columns``, each with ``name``, ``numeric``, ``values`` (number of
            distinct ones), ``missing``, ``groups`` (whether it can be protected) and ``likely``.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        numeric, _ = self.table.numeric_columns(self.table.columns)
        columns = []
        for name in self.table.columns:
            column = self.table.data[name]
            try:
                distinct = int(pc.count_distinct(column, mode="all").as_py())
            except pa.ArrowNotImplementedError:
                distinct = 0  # nested columns are of no use here
            missing = column.null_count
            if self.table.text:
                missing += int(pc.sum(pc.equal(column, "")).as_py() or 0)
            groups = 1 < distinct <= _MOST_GROUPS
            columns.append({
                "name": name,
                "numeric": name in numeric,
                "values": distinct,
                "missing": missing,
                "groups": groups,
                "likely": groups and _LIKELY.search(name) is not None,
            })  # fmt: skip
        return {"name": self.name, "rows": self.table.n_rows, "columns": columns}


class Store:
    """Uploads by a key that cannot be guessed.

    Parameters
    ----------
    root : Path
        Folder that holds them.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._uploads: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def new_folder(self) -> tuple[str, Path]:
        """Make room for an upload, under a new key."""
        key = secrets.token_urlsafe(12)
        folder = self._root / key
        folder.mkdir(mode=0o700)
        return key, folder

    def read(self, key: str, folder: Path, name: str) -> Upload:
        """Read what was uploaded into a folder as a table.

        Raises
        ------
        ValueError
            It is no table, or too large a one.
        """
        path = folder / f"upload{check_suffix(name)}"
        _check_parquet(path, name)
        try:
            table = read_table(path)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), name)) from error
        return self.add(key, folder, name, Table(table.data, name, table.text, table.bom, table.newline))

    def add(self, key: str, folder: Path, name: str, table: Table) -> Upload:
        """Keep a table."""
        if table.n_rows * len(table.columns) > MOST_CELLS:
            raise ValueError(f"{name} has more than {MOST_CELLS:,} cells; use the command line for it")
        upload = Upload(name, table, folder)
        with self._lock:
            self._uploads[key] = upload
        return upload

    def get(self, key: str) -> Upload:
        """Find an upload.

        Raises
        ------
        KeyError
            There is none, or no longer.
        """
        with self._lock:
            return self._uploads[key]

    def discard(self, folder: Path) -> None:
        """Remove a folder that holds no table."""
        shutil.rmtree(folder, ignore_errors=True)

    def forget(self) -> None:
        """Remove all uploads and what was made of them."""
        with self._lock:
            folders = [upload.folder for upload in self._uploads.values()]
            self._uploads.clear()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _check_parquet(path: Path, name: str) -> None:
    """Refuse a small file that becomes a very large table, before it is read."""
    if path.suffix != ".parquet":
        return
    import pyarrow as pa
    from pyarrow import parquet

    try:
        found = parquet.ParquetFile(path).metadata
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{name} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    if found.num_rows * found.num_columns > MOST_CELLS:
        raise ValueError(f"{name} has more than {MOST_CELLS:,} cells; use the command line for it")
    size = sum(found.row_group(i).total_byte_size for i in range(found.num_row_groups))
    if size > MOST_BYTES:
        raise ValueError(f"{name} holds {size:,} bytes once unpacked; use the command line for it")
