"""Find arrays: the data folder first, then the cache, then the official files.

The data folder and the cache hold the same ``.npz`` files; whatever is read is compared by content.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.datasets import _fetch

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class ArraySource:
    """Where arrays come from and what proves that they are the published ones.

    Parameters
    ----------
    file : str
        Name of the ``.npz`` file in the data folder and in the cache.
    names : tuple of str
        Arrays in it that are read.
    checksum : str
        :func:`array_checksum` of those.
    urls : tuple of str
        Official files; empty if only a data folder has these arrays.
    parse : callable
        Their bytes, in order, to the arrays.
    """

    file: str
    names: tuple[str, ...]
    checksum: str
    urls: tuple[str, ...]
    parse: Callable[..., Arrays] | None


def load_arrays(source: ArraySource, data_home: str | os.PathLike[str] | None = None) -> Arrays:
    """Return the arrays of a source, fetching and caching them if need be.

    Parameters
    ----------
    source : ArraySource
    data_home : path, optional
        Cache folder; else ``FAIRCLUSTER_CACHE``, else the user's cache folder.

    Returns
    -------
    dict from name to ndarray

    Raises
    ------
    ConnectionError
        If the arrays are nowhere on this machine and cannot be fetched.
    ValueError
        If what was found or fetched are not the published arrays.
    ImportError
        If pooch is missing and no cache folder is named.
    """
    folder = os.environ.get(_fetch.DATA_VARIABLE)
    if folder and (path := Path(folder) / source.file).is_file():
        return _read(path, source, f"replace it by an intact copy, or unset {_fetch.DATA_VARIABLE}")
    if source.parse is None:
        raise ConnectionError(
            f"{source.file} exists in data folders only; name one that has it in {_fetch.DATA_VARIABLE} "
            f"(now {folder or 'not set'})"
        )
    path = _fetch.cache_folder(data_home) / source.file
    if not path.is_file():
        arrays = source.parse(*_official(source, path.parent))
        _check(arrays, source, f"what {source.urls[0]} and its like hold", "try again later")
        _write(path, arrays)
    return _read(path, source, "delete it, and it is fetched anew on the next call")


def array_checksum(arrays: Arrays) -> str:
    """SHA-256 of names, shapes and values.

    Fractions count in ten thousandths, so that readers may round the last bit differently.

    Examples
    --------
    >>> array_checksum({"a": np.arange(3, dtype=np.uint8)})[:8]
    '9d07db9d'
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        if array.dtype.kind == "f":
            array = np.rint(array.astype(np.float64) * 1e4).astype(np.int32)
        plain = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}\x1f{plain.dtype.str}\x1f{plain.shape}\x1e".encode())
        digest.update(plain.tobytes())
    return digest.hexdigest()


def _official(source: ArraySource, cache: Path) -> list[bytes]:
    raw = []
    for url in source.urls:
        try:
            raw.append(_fetch._download(url))
        except (OSError, http.client.HTTPException) as error:
            folder = os.environ.get(_fetch.DATA_VARIABLE) or "not set"
            raise ConnectionError(
                f"{source.file} is neither in the data folder ({_fetch.DATA_VARIABLE}: {folder}) nor in the "
                f"cache ({cache}), and fetching {url} failed: {error}. Without a network, load the data set "
                f"once on another machine and copy {source.file} into the data folder."
            ) from error
    return raw


def _read(path: Path, source: ArraySource, remedy: str) -> Arrays:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in source.names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a readable file of arrays ({error}); {remedy}.") from error
    return _check(arrays, source, str(path), remedy)


def _check(arrays: Arrays, source: ArraySource, where: str, remedy: str) -> Arrays:
    found = array_checksum({name: arrays[name] for name in source.names})
    if source.checksum and found != source.checksum:
        raise ValueError(
            f"{where} does not hold the published arrays (checksum {found}, expected {source.checksum}); "
            f"{remedy}."
        )
    return arrays


def _write(path: Path, arrays: Arrays) -> None:
    """Write so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".partial-") as folder:
        partial = Path(folder) / path.name
        np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]
        os.replace(partial, path)
