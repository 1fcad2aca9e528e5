"""Memory that a training loop frees and needs again a moment later stays with the process."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["reused_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of malloc.h
_EVERYTHING = 1 << 30  # bytes; no batch of ours takes more at a time
_ADAPTED = 32 << 20  # the highest to which the C library moves its threshold by itself


@contextmanager
def reused_memory() -> Iterator[None]:
    """Let the C library keep freed memory for a while, instead of giving it back to the system.

    Every step of training frees and takes the same tensors of some tens of megabytes. The GNU C library gives
    such blocks back at once, and the system clears them page by page when they are taken again: up to a third
    of the processor time with the small convolutions and two threads. Results do not depend on it. With other
    C libraries nothing changes.

    Notes
    -----
    The setting is one of the process. Afterwards free memory is given back, and the thresholds are left where
    the library's own adaptation ends once blocks of 32 MB have been freed: earlier ones cannot be asked for.

    Examples
    --------
    >>> import torch
    >>> with reused_memory():
    ...     total = torch.ones(3).sum()
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    library = ctypes.CDLL(None)
    _set_thresholds(library, _EVERYTHING, _EVERYTHING)
    try:
        yield
    finally:
        _set_thresholds(library, _ADAPTED, 2 * _ADAPTED)
        library.malloc_trim(0)


def _set_thresholds(library: ctypes.CDLL, mmap: int, trim: int) -> None:
    library.mallopt(_MMAP_THRESHOLD, mmap)
    library.mallopt(_TRIM_THRESHOLD, trim)
