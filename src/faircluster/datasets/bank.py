"""Bank Marketing, in its three versions."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Literal

from faircluster.datasets._fetch import TableSource, load_table
from faircluster.datasets.dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_bank"]

URL = "https://archive.ics.uci.edu/static/public/222/bank+marketing.zip"


def parse(raw: bytes) -> pd.DataFrame:
    """Read the official text: semicolons, text in quotes, nothing missing."""
    import pandas as pd

    return pd.read_csv(io.BytesIO(raw), sep=";", keep_default_na=False)


SOURCES = {
    "small": TableSource(
        file="bank.parquet",
        checksum="dc8d93965d6b62020adf5cff1d1aa5ad4ae8e4808bf090b060651db297ab7273",
        url=URL,
        members=("bank.zip", "bank.csv"),
        raw_checksum="dc8d576e9bda0f41ee891251bd84bab9a39ce576cba715aac08adc2374a01fde",
        parse=parse,
    ),
    "full": TableSource(
        file="bank_full.parquet",
        checksum="3890ce04a6c763c3a1fd3f31d8e9563dd426e4ca0b3b36bc0e99abeedd07398f",
        url=URL,
        members=("bank.zip", "bank-full.csv"),
        raw_checksum="d1513ec63b385506f7cfce9f2c5caa9fe99e7ba4e8c3fa264b3aaf0f849ed32d",
        parse=parse,
    ),
    "additional": TableSource(
        file="bank_additional_full.parquet",
        checksum="649500444e696918e1cb3fe569ef699f516e8e76b81e5c20059d8bb45a9b9eb8",
        url=URL,
        members=("bank-additional.zip", "bank-additional-full.csv"),
        raw_checksum="74adfc578bf77a7ff4bb1ba4a9f8709d9e3c6907342959c2c8416847e0afb4d8",
        parse=parse,
    ),
}
FEATURES = {
    "small": ("age", "balance", "duration"),
    "full": ("age", "balance", "duration"),
    "additional": ("age", "duration", "euribor3m", "nr.employed", "cons.price.idx", "campaign"),
}


def load_bank(
    version: Literal["small", "full", "additional"] = "small",
    *,
    data_home: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Load Bank Marketing: telephone campaigns of a Portuguese bank, from 2008 on.

    Parameters
    ----------
    version : {"small", "full", "additional"}, default="small"
        "small": 4,521 rows, a tenth of "full" (45,211 rows), both with 17 columns. "additional": 41,188 rows
        and 21 columns, among them economic indicators.
    data_home : path, optional
        Cache folder; else the folder of ``FAIRCLUSTER_CACHE``, else the user's cache folder.

    Returns
    -------
    Dataset
        Features age, balance and duration (n, 3), as in Chierichetti et al. (2017) and Bera et al. (2019);
        "additional" has the six (n, 6) of Ziko et al. (2021). Protected columns marital and default.
        Target y.

    Raises
    ------
    ValueError
        If `version` is none of the three, or the file found or fetched is not the published one.
    ConnectionError
        If the table is neither in the data folder nor in the cache and cannot be fetched.
    ImportError
        If pandas, pyarrow or pooch is missing.

    Notes
    -----
    Taken from the folder that the environment variable ``FAIRCLUSTER_DATA`` names, else from the cache, else
    fetched from UCI and cached.

    Examples
    --------
    >>> from faircluster.datasets import load_bank
    >>> load_bank("full")  # doctest: +SKIP
    Dataset(bank: 45211 rows, 3 features; sensitive: marital, default; target: y)
    """
    if version not in SOURCES:
        raise ValueError(f"version must be one of {tuple(SOURCES)}, got {version!r}")
    return Dataset(
        name="bank",
        data=load_table(SOURCES[version], data_home),
        feature_names=FEATURES[version],
        sensitive_names=("marital", "default"),
        target_name="y",
        description=(
            "Clients called in campaigns of a Portuguese bank; y: whether the client subscribed a term "
            f"deposit. Version {version!r}. 'unknown' is a value of its own: 80 clients have it as marital "
            "status in version 'additional'."
        ),
        source=(
            "UCI Machine Learning Repository, data set 222, "
            "https://archive.ics.uci.edu/dataset/222/bank+marketing. Moro, S., Rita, P. and Cortez, P. "
            "(2014). Bank Marketing [Dataset]. https://doi.org/10.24432/C5K306"
        ),
        licence="CC BY 4.0",
    )
