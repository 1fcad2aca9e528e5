"""Find a table: the data folder first, then the cache, then the official file.

The data folder (environment variable ``FAIRCLUSTER_DATA``) and the cache hold the same Parquet files, so a
cache filled on one machine serves as the data folder of another. Two checksums guard the way: the official
file is compared byte for byte before anything is parsed, and every table that is read is compared by content.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

DATA_VARIABLE = "FAIRCLUSTER_DATA"
CACHE_VARIABLE = "FAIRCLUSTER_CACHE"
TIMEOUT = 60.0  # seconds without an answer


@dataclass(frozen=True)
class TableSource:
    """Where a table comes from and what proves that it is the published one.

    Parameters
    ----------
    file : str
        Name of the Parquet file in the data folder and in the cache.
    checksum : str
        :func:`content_checksum` of the table.
    url : str
        The official file, or the archive that holds it.
    members : tuple of str
        Base names to follow through (nested) zip archives; empty when `url` is the file itself.
    raw_checksum : str
        SHA-256 of the official file. Archives are not pinned: their hosts repack them now and then.
    parse : callable
        The official file's bytes to the table.
    """

    file: str
    checksum: str
    url: str
    members: tuple[str, ...]
    raw_checksum: str
    parse: Callable[[bytes], pd.DataFrame]


def load_table(source: TableSource, data_home: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Return the table of a source, fetching and caching it if need be.

    Parameters
    ----------
    source : TableSource
        What to load.
    data_home : path, optional
        Cache folder; else ``FAIRCLUSTER_CACHE``, else the user's cache folder.

    Returns
    -------
    pandas.DataFrame
        Integers are int64, fractions float64, everything else text.

    Raises
    ------
    ImportError
        If pandas, pyarrow or pooch is missing.
    ConnectionError
        If the table is nowhere on this machine and cannot be fetched.
    ValueError
        If what was found or fetched is not the published table.
    """
    require_data_extra()
    folder = os.environ.get(DATA_VARIABLE)
    if folder and (path := Path(folder) / source.file).is_file():
        return _read_checked(path, source, remedy="replace it by an intact copy, or unset " + DATA_VARIABLE)
    path = cache_folder(data_home) / source.file
    if not path.is_file():
        write_parquet(source.parse(_official_file(source, path.parent)), path)
    return _read_checked(path, source, remedy="delete it, and it is fetched anew on the next call")


def require_data_extra() -> None:
    """Raise ImportError in one sentence if the packages that read tables are missing."""
    try:
        import pandas  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError as error:
        message = f'faircluster.datasets needs {error.name}: pip install "faircluster[data]"'
        raise ImportError(message, name=error.name) from error


def cache_folder(data_home: str | os.PathLike[str] | None = None) -> Path:
    """Return `data_home`, else the folder of ``FAIRCLUSTER_CACHE``, else the user's cache folder."""
    chosen = data_home or os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    try:
        import pooch
    except ImportError as error:
        message = 'fetching needs pooch: pip install "faircluster[data]", or name a cache folder in data_home'
        raise ImportError(message, name="pooch") from error
    return Path(pooch.os_cache("faircluster"))


def content_checksum(frame: pd.DataFrame) -> str:
    r"""SHA-256 of a table's content, whatever its column order, dtypes and file format.

    The canonical text takes the columns sorted by name, and of each the name and the values from top to
    bottom, every one followed by the ASCII unit separator (0x1f), with a record separator (0x1e) after the
    column, in UTF-8. Whole numbers are written without a fraction, other numbers with 15 significant digits
    (so that readers which round the last bit differently agree), missing values as the empty string.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns of text and numbers.

    Returns
    -------
    str
        64 hexadecimal digits. O(cells).

    Examples
    --------
    >>> import pandas as pd
    >>> a = pd.DataFrame({"x": [1, 2], "y": ["u", None]})
    >>> b = pd.DataFrame({"y": ["u", None], "x": [1.0, 2.0]})
    >>> content_checksum(a) == content_checksum(b)
    True
    """
    import pandas as pd

    digest = hashlib.sha256()
    for name in sorted(frame.columns):
        # values repeat a lot: write each distinct one once
        codes, distinct = pd.factorize(frame[name])
        words = np.array([_canonical(value) for value in distinct.tolist()] + [""], dtype=object)
        digest.update(f"{name}\x1f{''.join((words + chr(0x1F))[codes])}\x1e".encode())
    return digest.hexdigest()


def _canonical(value: object) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.15g}"
    return str(value)


def _read_checked(path: Path, source: TableSource, remedy: str) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is not a readable Parquet file ({error}); {remedy}.") from error
    found = content_checksum(frame)
    if found != source.checksum:
        raise ValueError(
            f"{path} does not hold the published table (content checksum {found}, expected "
            f"{source.checksum}); {remedy}."
        )
    return widen_integers(frame)


def widen_integers(frame: pd.DataFrame) -> pd.DataFrame:
    """Make every integer column int64, so that types do not depend on how a table was stored."""
    return frame.astype(dict.fromkeys(frame.select_dtypes("integer").columns, np.int64))


def _official_file(source: TableSource, cache: Path) -> bytes:
    """Download and unpack the official file; no parser sees it before its checksum is right."""
    try:
        raw = _download(source.url)
    except (OSError, http.client.HTTPException) as error:
        folder = os.environ.get(DATA_VARIABLE)
        looked = f"{DATA_VARIABLE}={folder}" if folder else f"{DATA_VARIABLE} is not set"
        raise ConnectionError(
            f"{source.file} is neither in the data folder ({looked}) nor in the cache ({cache}), and "
            f"fetching it from {source.url} failed: {error}. Without a network, load the data set once on "
            f"another machine and copy {source.file} from its cache into the folder that {DATA_VARIABLE} "
            "names."
        ) from error
    try:
        for member in source.members:
            raw = _unzip(raw, member)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(
            f"the archive fetched from {source.url} does not hold {'/'.join(source.members)} ({error}); "
            "nothing was cached. Try again later, or load the data set from a data folder."
        ) from error
    found = hashlib.sha256(raw).hexdigest()
    if found != source.raw_checksum:
        raise ValueError(
            f"the file fetched from {source.url} is not the published one (SHA-256 {found}, expected "
            f"{source.raw_checksum}); nothing was cached. Try again later, or load the data set from a data "
            "folder."
        )
    return raw


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
        content: bytes = response.read()
    return content


def _unzip(raw: bytes, member: str) -> bytes:
    """Return the archive's file of this base name, in whichever folder it is."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for name in archive.namelist():
            # macOS leaves "__MACOSX/._name" twins behind; those have another base name
            if name.rsplit("/", 1)[-1] == member:
                return archive.read(name)
    raise KeyError(member)


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a table so that a reader sees all of it or nothing, even if this process dies half way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".partial-") as folder:
        partial = Path(folder) / path.name
        frame.to_parquet(partial, engine="pyarrow", compression="zstd", index=False)
        os.replace(partial, path)
