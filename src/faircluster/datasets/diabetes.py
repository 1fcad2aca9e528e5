"""Diabetes 130-US Hospitals."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from faircluster.datasets._fetch import TableSource, load_table
from faircluster.datasets.dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_diabetes"]


def parse(raw: bytes) -> pd.DataFrame:
    """Read the official text; "None" is a value of two columns, not a missing one."""
    import pandas as pd

    return pd.read_csv(io.BytesIO(raw), keep_default_na=False, low_memory=False)


SOURCE = TableSource(
    file="diabetes_130us.parquet",
    checksum="665b5bd3fcb4cdf9db4a6b57c08e504370b77d7505000c5028acc11e42ef543f",
    url="https://archive.ics.uci.edu/static/public/296/diabetes+130-us+hospitals+for+years+1999-2008.zip",
    members=("diabetic_data.csv",),
    raw_checksum="0689e7ec031237dc63031b938805c48377748761a3b26acab621567afa24df97",
    parse=parse,
)


def load_diabetes(*, data_home: str | os.PathLike[str] | None = None) -> Dataset:
    """Load Diabetes 130-US Hospitals: 101,766 hospital stays, 1999 to 2008.

    Parameters
    ----------
    data_home : path, optional
        Cache folder; else the folder of ``FAIRCLUSTER_CACHE``, else the user's cache folder.

    Returns
    -------
    Dataset
        Features (101766, 8): the length of the stay and the seven counts; codes and identifiers are no
        features. Protected columns gender, race and age (10 brackets). Target readmitted (NO, >30 or
        <30 days).

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
    fetched from UCI and cached. A patient may have several stays (column patient_nbr).

    Examples
    --------
    >>> from faircluster.datasets import load_diabetes
    >>> load_diabetes().X.shape  # doctest: +SKIP
    (101766, 8)
    """
    return Dataset(
        name="diabetes",
        data=load_table(SOURCE, data_home),
        feature_names=(
            "time_in_hospital",
            "num_lab_procedures",
            "num_procedures",
            "num_medications",
            "number_outpatient",
            "number_emergency",
            "number_inpatient",
            "number_diagnoses",
        ),
        sensitive_names=("gender", "race", "age"),
        target_name="readmitted",
        description=(
            "Hospital stays of diabetic patients in 130 hospitals of the United States; readmitted: not, "
            "after more than 30 days, or within 30. '?' stands for a missing value: 2,273 rows of race have "
            "it, and 3 rows of gender are 'Unknown/Invalid'. Left as they are, each is a group of its own; "
            "sensitive.replace('?', None) makes the first missing."
        ),
        source=(
            "UCI Machine Learning Repository, data set 296, "
            "https://archive.ics.uci.edu/dataset/296/diabetes+130-us+hospitals+for+years+1999-2008. Clore, "
            "J., Cios, K., DeShazo, J. and Strack, B. (2014). Diabetes 130-US Hospitals for Years 1999-2008 "
            "[Dataset]. https://doi.org/10.24432/C5230J"
        ),
        licence="CC BY 4.0",
    )
