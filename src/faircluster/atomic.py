"""Write a file so that a reader sees all of it or nothing."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_write"]


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` once it is complete.

    What is written goes to a temporary file in the same folder, which is flushed to the disk and renamed at
    the end. If anything fails on the way, the old file stays as it was and the temporary one is removed. A
    symbolic link stays a link, a file that is replaced keeps its permissions.

    Parameters
    ----------
    path : path
        File to write, new or to be replaced.

    Yields
    ------
    binary file
        Open for writing and seeking.

    Raises
    ------
    OSError
        The folder does not exist or cannot be written, the path is no regular file, the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from faircluster.atomic import atomic_write
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(Path(folder) / "note.txt") as file:
    ...         _ = file.write(b"whole")
    ...     (Path(folder) / "note.txt").read_bytes()
    b'whole'
    """
    target = Path(os.path.realpath(path))
    mode = _mode_to_keep(target)
    partial = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(partial, flags, 0o666)
    except OSError as error:  # in terms of the file that was asked for
        raise type(error)(error.errno, f"cannot write the file: {error.strerror}", str(path)) from error
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(partial, mode)
        os.replace(partial, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise
    _sync_folder(target.parent)


def _mode_to_keep(target: Path) -> int | None:
    """Permissions of the file that will be replaced; an error for anything that cannot be."""
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {target}: the folder {target.parent} does not exist")
    try:
        found = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found):  # renaming over a folder fails, over a device would destroy it
        raise OSError(f"cannot write {target}: it exists and is not a regular file")
    return stat.S_IMODE(found)


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself survive a power failure, where folders can be synchronized."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
