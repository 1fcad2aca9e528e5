"""Data sets that are arrays, not tables: images and signals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArrayDataset", "InvertedPair"]


class InvertedPair:
    """Images followed by their negatives, which are made when asked for.

    Parameters
    ----------
    images : ndarray of shape (n, h, w)
        Memory maps are fine.
    top : float
        Value that becomes 0; 255 for uint8.

    Examples
    --------
    >>> import numpy as np
    >>> pair = InvertedPair(np.array([[[0, 255]]], dtype=np.uint8), 255)
    >>> pair.shape, pair[np.array([1])].tolist()
    ((2, 1, 2), [[[255, 0]]])
    """

    def __init__(self, images: NDArray[Any], top: float) -> None:
        self.images, self.top = images, top
        self.dtype = images.dtype
        self.shape = (2 * len(images), *images.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Image at a number, or images at an array of numbers, a mask or a slice."""
        rows = np.arange(len(self))[index]
        found = self.images[rows % len(self.images)]
        inverted = np.asarray(rows >= len(self.images)).reshape(-1, *[1] * (self.images.ndim - 1))
        negative = (self.dtype.type(self.top) - found).astype(self.dtype)
        whole: NDArray[Any] = np.where(inverted, negative, found)
        return whole.reshape(found.shape)


@dataclass(frozen=True, eq=False, repr=False)
class ArrayDataset:
    """Samples as an array, one protected attribute and the class.

    Parameters
    ----------
    name : str
    X : ndarray or InvertedPair of shape (n, d) or (n, h, w)
    sensitive : ndarray of shape (n,), str
        Group of each sample.
    target : ndarray of shape (n,), int
        Class; clustering does not use it, evaluations may.
    sensitive_name : str
    description, source, licence : str

    Examples
    --------
    >>> from faircluster.datasets import load_inverted_digits
    >>> load_inverted_digits()
    ArrayDataset(inverted_digits: 3594 samples of shape 8 x 8; sensitive: ink; 10 classes)
    """

    name: str
    X: Any
    sensitive: NDArray[np.str_]
    target: NDArray[np.integer]
    sensitive_name: str
    description: str
    source: str
    licence: str

    def __repr__(self) -> str:
        """One line: the name, the size and the roles."""
        shape = " x ".join(map(str, self.X.shape[1:]))
        return (
            f"ArrayDataset({self.name}: {len(self.X)} samples of shape {shape}; "
            f"sensitive: {self.sensitive_name}; {len(np.unique(self.target))} classes)"
        )
