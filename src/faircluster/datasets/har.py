"""Human activity recognition: what people do, from a telephone at their waist; people are the groups."""

from __future__ import annotations

import io
import os
import zipfile
from typing import Literal

import numpy as np

from faircluster.datasets._arrays import Arrays, ArraySource, array_checksum, load_arrays
from faircluster.datasets.array_dataset import ArrayDataset

__all__ = ["load_har"]

URL = "https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip"
LABELS_CHECKSUM = "dbe4c10c0226d6e41573bacf6d5e9f5c36674959f144eaa69a484b1f5df50d57"
_HELD_OUT = 40  # samples a person in the test part, as Zhang & Davidson (2021) have it


def parse(raw: bytes) -> Arrays:
    """Nested archive with text files; its labels are compared with the published ones."""
    with zipfile.ZipFile(io.BytesIO(raw)) as outer:
        inner = next(name for name in outer.namelist() if name.endswith("UCI HAR Dataset.zip"))
        with zipfile.ZipFile(io.BytesIO(outer.read(inner))) as archive:
            texts = {
                f"{what}_{part}": archive.read(f"UCI HAR Dataset/{part}/{what}_{part}.txt").decode("ascii")
                for what in ("X", "y", "subject")
                for part in ("train", "test")
            }
    table = np.loadtxt(io.StringIO(texts["X_train"] + texts["X_test"]), dtype=np.float64)
    whole = {
        name: np.array((texts[f"{name}_train"] + texts[f"{name}_test"]).split(), dtype=np.uint8)
        for name in ("y", "subject")
    }
    if array_checksum(whole) != LABELS_CHECKSUM or table.shape != (10_299, 561) or np.abs(table).max() > 1:
        raise ValueError(f"{URL} does not hold the published data; nothing was cached. Try again later.")
    return {"x": table.astype(np.float32), **whole}


# the labels are compared with the published ones; of the features no checksum is known
ORIGINAL = ArraySource("har.npz", ("x", "y", "subject"), "", (URL,), parse)
RECOMPUTED = ArraySource(
    "har_features.npz",
    ("x_int16", "y", "subject"),
    "39ca405ecbd881e50db760930553b4197d3b5fbdddf6675ab0f67452d2c74f2e",
    (),
    None,
)


def load_har(
    part: Literal["all", "train", "test"] = "all",
    *,
    version: Literal["original", "recomputed"] = "original",
    data_home: str | os.PathLike[str] | None = None,
) -> ArrayDataset:
    """Load Human Activity Recognition: six activities of 30 people.

    Parameters
    ----------
    part : {"all", "train", "test"}, default="all"
        "test": 40 samples of each person drawn at random; "train": the others.
    version : {"original", "recomputed"}, default="original"
        "original": 10,299 windows with their 561 published features. "recomputed": 10,411 windows with 561
        features computed anew from the raw signals; only in data folders (``har_features.npz``). Results on
        the two compare only roughly.
    data_home : path, optional
        Cache folder; else the folder of ``FAIRCLUSTER_CACHE``, else the user's cache folder.

    Returns
    -------
    ArrayDataset
        float32 features in [-1, 1]; groups "person 1" to "person 30".

    Raises
    ------
    ValueError
        If `part` or `version` is unknown, or the data are not the published ones.
    ConnectionError
        If the data are not on this machine and cannot be fetched.

    Examples
    --------
    >>> from faircluster.datasets import load_har
    >>> load_har()  # doctest: +SKIP
    ArrayDataset(har: 10299 samples of shape 561; sensitive: person; 6 classes)
    """
    if part not in ("all", "train", "test"):
        raise ValueError(f"part must be 'all', 'train' or 'test', got {part!r}")
    if version == "original":
        arrays = load_arrays(ORIGINAL, data_home)
        X, activity, person = arrays["x"], arrays["y"], arrays["subject"]
    elif version == "recomputed":
        arrays = load_arrays(RECOMPUTED, data_home)
        basic = arrays["y"] <= 6  # the others are transitions between postures
        X = (arrays["x_int16"][basic] / np.float32(32767)).astype(np.float32)
        activity, person = arrays["y"][basic], arrays["subject"][basic]
    else:
        raise ValueError(f"version must be 'original' or 'recomputed', got {version!r}")
    held_out = np.zeros(len(X), dtype=bool)
    rng = np.random.default_rng(0)
    for one in np.unique(person):
        held_out[rng.permutation(np.flatnonzero(person == one))[:_HELD_OUT]] = True
    chosen = np.ones(len(X), dtype=bool) if part == "all" else held_out == (part == "test")
    return ArrayDataset(
        name="har",
        X=X[chosen],
        sensitive=np.array([f"person {number}" for number in person[chosen]]),
        target=activity[chosen].astype(np.int64),
        sensitive_name="person",
        description=(
            "Windows of 2.56 s of the acceleration and rotation of a telephone at the waist, described by "
            "561 features; walking, walking upstairs, walking downstairs, sitting, standing, lying. Version "
            f"{version!r}."
        ),
        source=(
            "UCI Machine Learning Repository, data set 240 (recomputed: from the signals of data set 341). "
            "Anguita, D. et al. (2013). Human Activity Recognition Using Smartphones [Dataset]. "
            "https://doi.org/10.24432/C54S4K"
        ),
        licence="CC BY 4.0",
    )
