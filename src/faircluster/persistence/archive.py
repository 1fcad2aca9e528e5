"""One file with a JSON header and NumPy arrays, readable without trust in whoever wrote it.

The file is an ordinary ``.npz`` archive whose members are stored without compression. So nothing in it can
be larger than the file itself, and every array can be checked against the bytes that are there before any
memory is taken. Nothing is pickled.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from faircluster.atomic import atomic_write

__all__ = ["read_archive", "write_archive"]

HEADER = "header"
_HEADER_BYTES = 16 << 20
_MOST_ARRAYS = 64
_TYPES = {np.dtype(name) for name in ("<f8", "<f4", "<i8", "<i4", "|b1", "|u1")}
# what zipfile and NumPy raise on files that are not what they seem
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OverflowError, OSError, ValueError)


def write_archive(
    path: str | os.PathLike[str], header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write a header and arrays, atomically; O(bytes).

    Parameters
    ----------
    path : path
        File to write.
    header : dict
        Plain JSON: dicts, lists, strings, finite numbers, booleans and None.
    arrays : dict from name to ndarray
        float64, float32, int64, int32, bool or uint8.

    Raises
    ------
    ValueError
        A header that is not plain JSON or exceeds 16 MiB, or an array of another type.
    OSError
        The file cannot be written; an older file of that name is left as it was.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_archive(Path(folder) / "a.npz", {"kind": "demo"}, {"x": np.arange(3.0)})
    ...     read_archive(Path(folder) / "a.npz")
    ({'kind': 'demo'}, {'x': array([0., 1., 2.])})
    """
    text = json.dumps(header, allow_nan=False).encode("ascii")
    if len(text) > _HEADER_BYTES:
        raise ValueError(f"the names and parameters take {len(text)} bytes, more than {_HEADER_BYTES}")
    members = {HEADER: np.frombuffer(text, dtype=np.uint8)}
    for name, array in arrays.items():
        little_endian = array.dtype.newbyteorder("<")
        if little_endian not in _TYPES:
            raise ValueError(f"array {name!r} has type {array.dtype}, which the file cannot hold")
        members[name] = np.asarray(array, dtype=little_endian, order="C")
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in members.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def read_archive(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read a header and arrays; nothing is allocated or run that the file merely claims.

    Parameters
    ----------
    path : path
        File written by :func:`write_archive`.

    Returns
    -------
    header : dict
    arrays : dict from name to ndarray

    Raises
    ------
    ValueError
        The file is not such an archive, or it is damaged; the message says how, not which file it is.
    OSError
        The file does not exist or cannot be opened.

    Notes
    -----
    Takes about twice the size of the file in memory.

    Examples
    --------
    See :func:`write_archive`.
    """
    with open(path, "rb") as file:
        try:
            members = _members(file)
        except _UNREADABLE as error:
            if type(error) is ValueError:
                raise
            raise ValueError(f"it is no intact archive ({error})") from error
    if HEADER not in members:
        raise ValueError("it is an archive of something else: it has no header")
    return _header(members.pop(HEADER)), {name: _array(name, raw) for name, raw in members.items()}


def _members(file: BinaryIO) -> dict[str, bytes]:
    """Bytes of every member, once it is sure that they add up to no more than the file."""
    if file.read(2) != b"PK":
        raise ValueError("it is another kind of file" if file.tell() else "it is empty")
    size = file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        if len(infos) > _MOST_ARRAYS or len({info.filename for info in infos}) < len(infos):
            raise ValueError("it is an archive of something else: it has too many or repeated members")
        if any(not info.filename.endswith(".npy") for info in infos):
            raise ValueError("it is an archive of something else: it holds more than arrays")
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise ValueError("its members are compressed, which this format never does")
        # overlapping members could still multiply what little there is
        if sum(max(info.file_size, info.compress_size) for info in infos) > size:
            raise ValueError("its members claim to be larger than the file")
        return {info.filename.removesuffix(".npy"): archive.read(info) for info in infos}


def _array(name: str, raw: bytes) -> NDArray[Any]:
    """Decode one ``.npy`` member, comparing its stated shape with its bytes."""
    stream = io.BytesIO(raw)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read_header(stream)
    except (KeyError, ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"array {name!r} has a damaged header") from error
    if dtype not in _TYPES:
        raise ValueError(f"array {name!r} holds {'Python objects' if dtype.hasobject else dtype}")
    if len(shape) > 2 or any(side < 0 for side in shape):
        raise ValueError(f"array {name!r} has the impossible shape {shape}")
    if math.prod(shape) * dtype.itemsize != len(raw) - stream.tell():
        raise ValueError(f"array {name!r} claims shape {shape}, which its {len(raw)} bytes do not fill")
    flat = np.frombuffer(raw, dtype=dtype, offset=stream.tell())
    if dtype.kind == "b" and (flat.view(np.uint8) > 1).any():
        raise ValueError(f"array {name!r} holds booleans that are neither true nor false")
    return flat.reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="), order="C")


def _header(raw: bytes) -> dict[str, Any]:
    text = _array(HEADER, raw)
    if text.dtype != np.uint8 or text.ndim != 1 or len(text) > _HEADER_BYTES:
        raise ValueError("its header is not text of a reasonable size")
    try:
        header = json.loads(text.tobytes().decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise ValueError("its header is not JSON") from error
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    return header
