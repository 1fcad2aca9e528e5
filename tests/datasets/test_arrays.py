"""Images and signals: facts, lazy negatives, official files rebuilt and served in place of downloads."""

import gzip

import numpy as np
import pytest

from faircluster.datasets import (
    InvertedPair,
    _fetch,
    digits,
    load_har,
    load_inverted_digits,
    load_mnist_usps,
    load_reverse_mnist,
)
from faircluster.metrics import balance


def test_inverted_pair_is_the_concatenation():
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 2), dtype=np.uint8)
    pair, whole = InvertedPair(images, 255), np.concatenate([images, 255 - images])
    assert pair.shape == whole.shape
    for index in (7, slice(3, 8), np.array([9, 0, 4]), np.arange(10) > 6, np.array([], dtype=int)):
        found = pair[index]
        np.testing.assert_array_equal(found, whole[index])
        assert found.dtype == np.uint8


def test_inverted_digits():
    found = load_inverted_digits()
    assert found.X.shape == (3594, 8, 8)
    assert balance(found.target, found.sensitive) == 1.0
    np.testing.assert_array_equal(found.X[:1797] + found.X[1797:], 16)


@pytest.mark.parametrize(
    ("part", "sizes", "truth"), [("train", [60_000, 7_291], 0.0926), ("test", [10_000, 2_007], 0.1430)]
)
def test_mnist_usps(benchmark_data, part, sizes, truth):
    found = load_mnist_usps(part)
    assert np.unique(found.sensitive, return_counts=True)[1].tolist() == sizes
    assert found.X.shape == (sum(sizes), 28, 28)
    assert found.X.dtype == np.uint8
    assert balance(found.target, found.sensitive) == pytest.approx(truth, abs=1e-4)
    small = digits.load_arrays(digits.USPS)[f"x_{part}"]
    usps = found.X[sizes[0] :].mean(axis=(1, 2)) / 255  # resizing keeps the brightness, but for borders
    np.testing.assert_allclose(usps, small.mean(axis=(1, 2)), atol=0.02)


def test_reverse_mnist(benchmark_data):
    found = load_reverse_mnist("test")
    assert len(found.X) == 20_000
    assert balance(found.target, found.sensitive) == 1.0
    np.testing.assert_array_equal(found.X[np.array([3, 10_003])].sum(axis=0), 255)


def test_har(benchmark_data):
    whole, train, test = (load_har(part, version="recomputed") for part in ("all", "train", "test"))
    assert whole.X.shape == (10_411, 561)
    assert len(train.X) + len(test.X) == len(whole.X)
    assert np.unique(test.sensitive, return_counts=True)[1].tolist() == [40] * 30
    assert np.abs(whole.X).max() <= 1
    assert balance(whole.target, whole.sensitive) == pytest.approx(0.484, abs=1e-3)


def test_official_files_give_the_same_images(benchmark_data, monkeypatch, own_cache):
    expected = load_mnist_usps("test")
    mnist, usps = digits.load_arrays(digits.MNIST), digits.load_arrays(digits.USPS)
    served = {}
    for url, name in zip(digits.MNIST.urls, digits.MNIST.names, strict=True):
        array = mnist[name]
        head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">i4").tobytes()
        served[url] = gzip.compress(head + array.tobytes(), 1)
    for url, part in zip(digits.USPS.urls, ("train", "test"), strict=True):
        grey = np.rint((2.0 * usps[f"x_{part}"].reshape(-1, 256).astype(float) - 1.0) * 1000) / 1000
        lines = (
            f"{digit:.4f} " + " ".join(f"{value:.4f}" for value in row)
            for digit, row in zip(usps[f"y_{part}"], grey, strict=True)
        )
        served[url] = gzip.compress(("\n".join(lines) + "\n").encode(), 1)
    monkeypatch.delenv("FAIRCLUSTER_DATA")
    monkeypatch.setattr(_fetch, "_download", served.__getitem__)
    fetched = load_mnist_usps("test")
    np.testing.assert_array_equal(fetched.X, expected.X)
    np.testing.assert_array_equal(fetched.target, expected.target)
    assert sorted(path.name for path in own_cache.iterdir()) == ["mnist.npz", "usps.npz"]


def test_altered_files_are_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("FAIRCLUSTER_DATA", str(tmp_path))
    arrays = {name: np.zeros((2, 28, 28), dtype=np.uint8) for name in digits.MNIST.names}
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(ValueError, match="does not hold the published arrays"):
        load_reverse_mnist()
    (tmp_path / "mnist.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ValueError, match="not a readable file of arrays"):
        load_reverse_mnist()


@pytest.mark.parametrize("load", [load_mnist_usps, load_reverse_mnist, load_har])
def test_offline_names_what_is_missing(load, monkeypatch):
    monkeypatch.delenv("FAIRCLUSTER_DATA", raising=False)
    with pytest.raises(ConnectionError, match="npz is neither"):
        load()


def test_unknown_parts(monkeypatch):
    monkeypatch.delenv("FAIRCLUSTER_DATA", raising=False)
    for load in (load_mnist_usps, load_reverse_mnist, load_har):
        with pytest.raises(ValueError, match="part must be"):
            load("validation")
    with pytest.raises(ValueError, match="version must be"):
        load_har(version="new")
    with pytest.raises(ConnectionError, match="data folders only"):
        load_har(version="recomputed")
