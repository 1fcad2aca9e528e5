"""The six data sets of the fair k-center papers, with their groups; and larger ones that are drawn.

The folder that the environment variable FAIRCLUSTER_DATA names (../shared/data by default) holds the files;
Adult comes with the package.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import ROOT

__all__ = ["DATA", "drawn", "load"]

# Name: (file, features, protected columns). Features and groups are those of KFC's experiments
# (Harb & Lam 2020), unscaled; " both" adds the second attribute, which their code left empty.
DATA: dict[str, tuple[str, tuple[str, ...] | None, tuple[str, ...]]] = {
    "c50": ("reuter_c50", None, ("color",)),
    "victorian": ("victorian", None, ("color",)),
    "4area": ("4area", None, ("color",)),
    "bank": ("bank", ("age", "balance", "duration", "marital", "default"), ("marital",)),
    "bank both": ("bank", ("age", "balance", "duration", "marital", "default"), ("marital", "default")),
    "census": (
        "adult_train",
        ("age", "fnlwgt", "education-num", "capital-gain", "hours-per-week"),
        ("race",),
    ),
    "census both": (
        "adult_train",
        ("age", "fnlwgt", "education-num", "capital-gain", "hours-per-week"),
        ("race", "sex"),
    ),
    "creditcard": ("creditcard_default", None, ("MARRIAGE",)),
    "creditcard both": ("creditcard_default", None, ("MARRIAGE", "EDUCATION")),
}
_NOT_FEATURES = {"color", "ID", "SEX", "EDUCATION", "MARRIAGE", "default payment next month"}


def load(name: str) -> tuple[np.ndarray, Any]:
    """Points (n, d) and the data frame of their protected attributes."""
    import pandas as pd

    file, features, protected = DATA[name]
    folder = Path(os.environ.get("FAIRCLUSTER_DATA", ROOT.parent / "shared" / "data"))
    frame = pd.read_parquet(folder / f"{file}.parquet")
    if "EDUCATION" in frame:  # the rare codes belong to their neighbors, as in the papers
        frame["EDUCATION"] = frame["EDUCATION"].clip(1, 4)
    sensitive = frame[list(protected)].astype(str)
    columns = features or [column for column in frame if column not in _NOT_FEATURES]
    codes = {
        column: frame[column].astype("category").cat.codes
        for column in columns
        if not pd.api.types.is_numeric_dtype(frame[column])
    }
    return np.ascontiguousarray(frame.assign(**codes)[list(columns)].to_numpy(np.float64)), sensitive


def drawn(n: int, d: int, n_groups: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping blobs in which a point's place tells something of its group."""
    random = np.random.default_rng(seed)
    centers = 4.0 * random.normal(size=(20, d))
    where = random.integers(0, 20, n)
    X = centers[where] + random.normal(size=(n, d))
    leaning = random.dirichlet(np.full(n_groups, 2.0), size=20)
    cumulated = np.cumsum(leaning, axis=1)
    groups = (random.random(n)[:, None] > cumulated[where, :-1]).sum(axis=1)
    return X, groups.astype(np.int32)
