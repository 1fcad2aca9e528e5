"""Rows of any kind as float32 batches: arrays, memory maps, lazily made arrays, torch data sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["Rows", "Statistics", "read_statistics"]

CHUNK = 2048  # rows looked at or predicted at a time
_RESIDENT = 1 << 30  # arrays of at most so many bytes are kept on the device


@dataclass(frozen=True)
class Statistics:
    """What one pass over the data tells.

    Attributes
    ----------
    low, high : float
        Least and largest value.
    std : ndarray of shape (d,), float32
        Standard deviation of each feature (of the flattened sample).
    total : float
        Sum of all values, part of the data's fingerprint.
    """

    low: float
    high: float
    std: NDArray[np.float32]
    total: float


class Rows:
    """Samples of one shape, read in batches.

    Parameters
    ----------
    X : array-like of shape (n, d), (n, h, w) or (n, c, h, w), or torch Dataset
        Numbers. Anything that has ``shape`` and takes an array of row numbers in brackets is read lazily:
        memory maps and :class:`~faircluster.datasets.InvertedPair` are never loaded whole. Of a torch
        Dataset's tuples the first entry is the sample.
    device : torch.device
    center, scale : float, default=0.0, 1.0
        What :meth:`network_input` subtracts and divides by.

    Attributes
    ----------
    shape : tuple of int
        Of a sample: (d,) or (c, h, w).

    Raises
    ------
    ValueError
        Neither vectors nor images, or no rows.

    Examples
    --------
    >>> import numpy as np, torch
    >>> rows = Rows(np.zeros((5, 8, 8), dtype=np.uint8), torch.device("cpu"))
    >>> rows.shape, rows.batch(np.array([0, 3])).shape
    ((1, 8, 8), torch.Size([2, 1, 8, 8]))
    """

    def __init__(self, X: Any, device: torch.device, center: float = 0.0, scale: float = 1.0) -> None:
        self.device, self.center, self.scale = device, center, scale
        self._dataset = X if _is_dataset(X) else None
        if self._dataset is not None:
            self._n = len(X)
            first = () if self._n == 0 else tuple(_sample(X[0]).shape)
        else:
            self._array = X if _is_lazy(X) else np.asarray(X)
            if self._array.dtype.kind not in "biuf":
                raise ValueError(f"X must hold numbers, got dtype {self._array.dtype}; encode it first")
            self._n, *rest = self._array.shape if self._array.shape else (0,)
            first = tuple(rest)
        if self._n == 0:
            raise ValueError("X has 0 rows; at least one row is needed")
        if len(first) not in (1, 2, 3) or 0 in first:
            raise ValueError(
                "X must be vectors (n, d) or images (n, height, width) or (n, channels, height, width), got "
                f"samples of shape {first}; reshape it"
            )
        self.shape: tuple[int, ...] = (1, *first) if len(first) == 2 else first
        self._tensor: torch.Tensor | None = None
        plain = self._dataset is None and isinstance(self._array, np.ndarray)
        if plain and not isinstance(self._array, np.memmap) and self._array.nbytes <= _RESIDENT:
            whole = np.ascontiguousarray(self._array)
            kept = whole if whole.dtype == np.uint8 else whole.astype(np.float32, copy=False)
            self._tensor = torch.from_numpy(kept if kept.flags.writeable else kept.copy()).to(device)

    def __len__(self) -> int:
        return self._n

    def batch(self, index: NDArray[np.intp]) -> torch.Tensor:
        """Rows as they are, float32 on the device, of shape (len(index), *shape)."""
        if self._tensor is not None:
            taken = self._tensor[torch.from_numpy(index).to(self.device)].float()
        elif self._dataset is not None:
            whole = getattr(self._dataset, "__getitems__", None)
            items = whole(index.tolist()) if whole else [self._dataset[i] for i in index.tolist()]
            taken = torch.stack([_sample(item) for item in items]).to(self.device)
        else:
            taken = torch.from_numpy(np.asarray(self._array[index], dtype=np.float32)).to(self.device)
        return taken.reshape(len(index), *self.shape)

    def network_input(self, index: NDArray[np.intp]) -> torch.Tensor:
        """Rows as a network takes them: centered, scaled, images with their channels last in memory."""
        x = (self.batch(index) - self.center) / self.scale
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x

    def ranges(self) -> Iterator[NDArray[np.intp]]:
        """Numbers of all rows, in order, a chunk at a time."""
        for start in range(0, self._n, CHUNK):
            yield np.arange(start, min(start + CHUNK, self._n))

    def chunks(self) -> Iterator[tuple[NDArray[np.intp], torch.Tensor]]:
        """All rows in order, a chunk at a time, with their numbers."""
        for index in self.ranges():
            yield index, self.batch(index)


def read_statistics(rows: Rows) -> Statistics:
    """One pass over the data: range, spread, and whether every value is finite.

    Parameters
    ----------
    rows : Rows of n samples

    Returns
    -------
    Statistics

    Raises
    ------
    ValueError
        NaN or infinity, naming the first row.

    Notes
    -----
    O(n d) time, O(d) memory.

    Examples
    --------
    >>> import numpy as np, torch
    >>> seen = read_statistics(Rows(np.array([[0.0, 1.0], [2.0, 1.0]]), torch.device("cpu")))
    >>> seen.high, seen.std.tolist()
    (2.0, [1.0, 0.0])
    """
    low, high, total = np.inf, -np.inf, 0.0
    mean: NDArray[np.float64] = np.zeros(int(np.prod(rows.shape)))
    squares = np.zeros_like(mean)
    for index, chunk in rows.chunks():
        flat = chunk.reshape(len(index), -1).double()
        if not bool(torch.isfinite(flat).all()):
            bad = index[int((~torch.isfinite(flat)).any(dim=1).nonzero()[0])]
            raise ValueError(f"X has NaN or infinity, first in row {bad}; impute or drop such rows")
        low, high = min(low, float(flat.min())), max(high, float(flat.max()))
        part = flat.sum(dim=0).cpu().numpy()
        total += float(part.sum())
        mean = mean + part / len(rows)
        squares = squares + (flat**2).sum(dim=0).cpu().numpy() / len(rows)
    variance = np.maximum(squares - np.square(mean), 0.0)
    return Statistics(low, high, np.sqrt(variance).astype(np.float32), total)


def _is_dataset(X: Any) -> bool:
    return isinstance(X, torch.utils.data.Dataset)


def _is_lazy(X: Any) -> bool:
    """Arrays (memory maps among them) and what behaves like one; frames and lists are converted."""
    return isinstance(X, np.ndarray) or (
        all(hasattr(X, name) for name in ("shape", "dtype", "__getitem__")) and not hasattr(X, "columns")
    )


def _sample(item: Any) -> torch.Tensor:
    first = item[0] if isinstance(item, tuple | list) else item
    return torch.as_tensor(first, dtype=torch.float32)
