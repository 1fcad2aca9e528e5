"""Statlog German Credit."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import numpy as np

from faircluster.datasets._fetch import TableSource, load_table
from faircluster.datasets.dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_german_credit"]

COLUMNS = (
    *("status", "duration", "credit_history", "purpose", "credit_amount", "savings", "employment"),
    *("installment_rate", "personal_status_sex", "other_debtors", "residence_since", "property", "age"),
    *("other_installment_plans", "housing", "existing_credits", "job", "people_liable", "telephone"),
    *("foreign_worker", "credit"),
)
FEMALE = ("A92", "A95")  # codes of personal_status_sex; A91, A93 and A94 are male


def parse(raw: bytes) -> pd.DataFrame:
    """Read the official text (spaces, no header) and add the sex its joint code holds."""
    import pandas as pd

    frame = pd.read_csv(io.BytesIO(raw), sep=" ", names=list(COLUMNS), keep_default_na=False)
    return frame.assign(sex=np.where(frame["personal_status_sex"].isin(FEMALE), "female", "male"))


SOURCE = TableSource(
    file="german_credit.parquet",
    checksum="f71417f7824129060d355afd386b7b80c57028c8a10d952bb47c095384702e98",
    url="https://archive.ics.uci.edu/static/public/144/statlog+german+credit+data.zip",
    members=("german.data",),
    raw_checksum="b21f3d81db8071257d5ff1deaeba1fd4303b62712e6fcc9715c7a86202cb5871",
    parse=parse,
)


def load_german_credit(*, data_home: str | os.PathLike[str] | None = None) -> Dataset:
    """Load German Credit: 1,000 credits of a German bank, good and bad risks.

    ``data`` has the 21 original columns with their codes (A11, ...), ``sex``, derived from
    personal_status_sex, and ``age_group`` ("25 or younger", "over 25"), the split usual in the literature.

    Parameters
    ----------
    data_home : path, optional
        Cache folder; else the folder of ``FAIRCLUSTER_CACHE``, else the user's cache folder.

    Returns
    -------
    Dataset
        Features (1000, 7): the numeric columns, age among them. Protected columns sex and age_group. Target
        credit (1 good, 2 bad).

    Raises
    ------
    ValueError
        If the file found or fetched is not the published one.
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
    >>> from faircluster.datasets import load_german_credit
    >>> load_german_credit()  # doctest: +SKIP
    Dataset(german_credit: 1000 rows, 7 features; sensitive: sex, age_group; target: credit)
    """
    data = load_table(SOURCE, data_home)
    return Dataset(
        name="german_credit",
        data=data.assign(age_group=np.where(data["age"] <= 25, "25 or younger", "over 25")),
        feature_names=(
            "duration",
            "credit_amount",
            "installment_rate",
            "residence_since",
            "age",
            "existing_credits",
            "people_liable",
        ),
        sensitive_names=("sex", "age_group"),
        target_name="credit",
        description=(
            "Credits of a German bank; credit: 1 good, 2 bad risk. Nothing is missing. Groemping (2019) "
            "found that code A92 of personal_status_sex may hold single men as well, so sex is only as good "
            "as that code."
        ),
        source=(
            "UCI Machine Learning Repository, data set 144, "
            "https://archive.ics.uci.edu/dataset/144/statlog+german+credit+data. Hofmann, H. (1994). Statlog "
            "(German Credit Data) [Dataset]. https://doi.org/10.24432/C5NC77"
        ),
        licence="CC BY 4.0",
    )
