"""Images of handwritten digits in two guises: from two sources, or as they are and inverted."""

from __future__ import annotations

import gzip
import os
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from faircluster.datasets._arrays import Arrays, ArraySource, load_arrays
from faircluster.datasets.array_dataset import ArrayDataset, InvertedPair

__all__ = ["load_inverted_digits", "load_mnist_usps", "load_reverse_mnist"]

Part = Literal["train", "test"]
MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
USPS_URL = "https://hastie.su.domains/ElemStatLearn/datasets/"
_NAMES = ("x_train", "y_train", "x_test", "y_test")


def parse_mnist(*files: bytes) -> Arrays:
    """Four IDX files: images and labels of the training part, then of the test part."""
    return {name: _idx(raw) for name, raw in zip(_NAMES, files, strict=True)}


def _idx(raw: bytes) -> NDArray[np.uint8]:
    content = gzip.decompress(raw)
    sides = content[3]
    shape = np.frombuffer(content, dtype=">i4", count=sides, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * sides).reshape(shape).copy()


def parse_usps(*files: bytes) -> Arrays:
    """Two text files, training and test part: the digit and 256 values in [-1, 1] a line."""
    arrays: Arrays = {}
    for part, raw in zip(("train", "test"), files, strict=True):
        lines = gzip.decompress(raw).decode("ascii").split("\n")
        table = np.array([line.split() for line in lines if line.strip()], dtype=np.float64)
        arrays[f"x_{part}"] = (0.5 * (table[:, 1:] + 1.0)).astype(np.float32).reshape(-1, 16, 16)
        arrays[f"y_{part}"] = table[:, 0].astype(np.uint8)
    return arrays


MNIST = ArraySource(
    file="mnist.npz",
    names=_NAMES,
    checksum="bb5ca1a823815f1eaee8ecc3603e2364cd151de77288afb2a881d3e890782386",
    urls=tuple(
        f"{MNIST_URL}{name}-ubyte.gz"
        for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    ),
    parse=parse_mnist,
)
USPS = ArraySource(
    file="usps.npz",
    names=_NAMES,
    checksum="2746c6c38b9ca5f8485c3052f83e4fc0777b7be199a085d73b91c22fd487cbb1",
    urls=(f"{USPS_URL}zip.train.gz", f"{USPS_URL}zip.test.gz"),
    parse=parse_usps,
)
_MNIST_SOURCE = (
    "LeCun, Y., Cortes, C. and Burges, C. J. C. The MNIST database of handwritten digits (OpenML 554)"
)


def load_mnist_usps(part: Part = "train", *, data_home: str | os.PathLike[str] | None = None) -> ArrayDataset:
    """Load MNIST-USPS: handwritten digits from two sources, which are the groups.

    Parameters
    ----------
    part : {"train", "test"}, default="train"
        60,000 + 7,291 or 10,000 + 2,007 images, MNIST first.
    data_home : path, optional
        Cache folder; else the folder of ``FAIRCLUSTER_CACHE``, else the user's cache folder.

    Returns
    -------
    ArrayDataset
        uint8 images of 28 x 28 pixels; USPS is resized from 16 x 16, bilinearly. Groups "MNIST" and "USPS".

    Raises
    ------
    ValueError
        If `part` is neither, or a file is not the published one.
    ConnectionError
        If the images are neither in the data folder nor in the cache and cannot be fetched.

    Notes
    -----
    The balance of the true classes is 0.0926 in the training part (0.1430 in the test part): USPS has
    16 % zeros, MNIST 10 %. An exactly fair clustering has 0.1215 (0.2007), and an accuracy of at most 0.990
    (0.983).

    Examples
    --------
    >>> from faircluster.datasets import load_mnist_usps
    >>> load_mnist_usps()  # doctest: +SKIP
    ArrayDataset(mnist_usps: 67291 samples of shape 28 x 28; sensitive: source; 10 classes)
    """
    _check(part)
    mnist, usps = load_arrays(MNIST, data_home), load_arrays(USPS, data_home)
    images, small = mnist[f"x_{part}"], usps[f"x_{part}"]
    return ArrayDataset(
        name="mnist_usps",
        X=np.concatenate([images, _resized(small)]),
        sensitive=np.repeat(["MNIST", "USPS"], [len(images), len(small)]),
        target=np.concatenate([mnist[f"y_{part}"], usps[f"y_{part}"]]).astype(np.int64),
        sensitive_name="source",
        description="Handwritten digits of MNIST and, resized from 16 x 16 to 28 x 28 pixels, of USPS.",
        source=(
            f"{_MNIST_SOURCE}. LeCun, Y. et al. (1989), zip codes of the US Postal Service, as "
            "distributed with The Elements of Statistical Learning (OpenML 41082)"
        ),
        licence="MNIST: CC BY-SA 3.0; USPS: none stated",
    )


def load_reverse_mnist(
    part: Part = "train", *, data_home: str | os.PathLike[str] | None = None
) -> ArrayDataset:
    """Load Reverse-MNIST: every digit as it is and as a negative.

    Parameters
    ----------
    part : {"train", "test"}, default="train"
        60,000 or 10,000 images and as many negatives.
    data_home : path, optional
        Cache folder; else the folder of ``FAIRCLUSTER_CACHE``, else the user's cache folder.

    Returns
    -------
    ArrayDataset
        X is an :class:`InvertedPair`: negatives are made when asked for. Groups "original" and "inverted".

    Raises
    ------
    ValueError, ConnectionError
        As :func:`load_mnist_usps`.

    Examples
    --------
    >>> from faircluster.datasets import load_reverse_mnist
    >>> load_reverse_mnist()  # doctest: +SKIP
    ArrayDataset(reverse_mnist: 120000 samples of shape 28 x 28; sensitive: ink; 10 classes)
    """
    _check(part)
    mnist = load_arrays(MNIST, data_home)
    images, digits = mnist[f"x_{part}"], mnist[f"y_{part}"]
    return ArrayDataset(
        name="reverse_mnist",
        X=InvertedPair(images, 255),
        sensitive=np.repeat(["original", "inverted"], len(images)),
        target=np.concatenate([digits, digits]).astype(np.int64),
        sensitive_name="ink",
        description="Handwritten digits of MNIST, white on black, followed by their negatives.",
        source=_MNIST_SOURCE,
        licence="CC BY-SA 3.0",
    )


def load_inverted_digits() -> ArrayDataset:
    """Load scikit-learn's 1,797 small digits, as they are and as negatives. No network, no files.

    Returns
    -------
    ArrayDataset
        3,594 uint8 images of 8 x 8 pixels with values from 0 to 16. Groups "original" and "inverted"; the
        true classes are exactly fair.

    Examples
    --------
    >>> from faircluster.datasets import load_inverted_digits
    >>> digits = load_inverted_digits()
    >>> digits.X.shape, int(digits.X[[0, 1797]].sum(axis=0).min())
    ((3594, 8, 8), 16)
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images, digits = bunch.images.astype(np.uint8), bunch.target.astype(np.int64)
    return ArrayDataset(
        name="inverted_digits",
        X=np.concatenate([images, 16 - images]),
        sensitive=np.repeat(["original", "inverted"], len(images)),
        target=np.concatenate([digits, digits]),
        sensitive_name="ink",
        description="Handwritten digits of 8 x 8 pixels, followed by their negatives.",
        source=(
            "UCI Machine Learning Repository, data set 80 (test part), as shipped with scikit-learn. "
            "Alpaydin, E. and Kaynak, C. (1998). Optical Recognition of Handwritten Digits [Dataset]. "
            "https://doi.org/10.24432/C50P49"
        ),
        licence="CC BY 4.0",
    )


def _check(part: str) -> None:
    if part not in ("train", "test"):
        raise ValueError(f"part must be 'train' or 'test', got {part!r}")


def _resized(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """16 x 16 in [0, 1] to 28 x 28 in 0 .. 255, bilinear between pixel centers."""
    exact = np.rint(images.astype(np.float64) * 1e4) / 1e4  # whatever the last bit
    place = np.clip((np.arange(28) + 0.5) * 16 / 28 - 0.5, 0, 15)
    left = np.minimum(place.astype(int), 14)
    weights = np.zeros((28, 16))
    weights[np.arange(28), left] = 1 - (place - left)
    weights[np.arange(28), left + 1] = place - left
    return np.rint(255 * (weights @ exact @ weights.T)).astype(np.uint8)
