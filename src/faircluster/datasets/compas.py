"""COMPAS recidivism scores, as published by ProPublica."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from faircluster.datasets._fetch import TableSource, load_table
from faircluster.datasets.dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_compas"]

# they identify persons and serve no clustering, so they are dropped before anything is stored
IDENTIFYING = ["name", "first", "last", "dob", "c_case_number", "r_case_number", "vr_case_number"]


def parse(raw: bytes) -> pd.DataFrame:
    """Read ProPublica's text without names, birth dates and case numbers."""
    import pandas as pd

    frame = pd.read_csv(io.BytesIO(raw), keep_default_na=False, na_values=[""])
    return frame.drop(columns=IDENTIFYING)


SOURCE = TableSource(
    file="compas_two_years.parquet",
    checksum="f55893dfc2411ae3aa2a69e9a05889fe030759e0f79a865601038335bc3100f8",
    url=(
        "https://raw.githubusercontent.com/propublica/compas-analysis/"
        "bafff5da3f2e45eca6c2d5055faad269defd135a/compas-scores-two-years.csv"
    ),
    members=(),
    raw_checksum="c451db85908b2f7fef1d83203bedf6b71ecda0d5af468d82ae62178f91d0cc7d",
    parse=parse,
)


def load_compas(*, data_home: str | os.PathLike[str] | None = None) -> Dataset:
    """Load COMPAS: 7,214 defendants of Broward County, Florida, followed for two years.

    Names, birth dates and case numbers (7 of the 53 columns) are dropped and never stored.

    Parameters
    ----------
    data_home : path, optional
        Cache folder; else the folder of ``FAIRCLUSTER_CACHE``, else the user's cache folder.

    Returns
    -------
    Dataset
        Features (7214, 5): age, the three counts of juvenile offences and the count of prior offences; the
        scores are in ``data`` but no features, for they are what is audited. Protected columns race (6
        groups) and sex (2 groups). Target two_year_recid.

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
    fetched from ProPublica's repository and cached. All rows are kept; ProPublica's own analysis filters them
    to 6,172 by days_b_screening_arrest, is_recid and c_charge_degree.

    Examples
    --------
    >>> from faircluster.datasets import load_compas
    >>> load_compas()  # doctest: +SKIP
    Dataset(compas: 7214 rows, 5 features; sensitive: race, sex; target: two_year_recid)
    """
    return Dataset(
        name="compas",
        data=load_table(SOURCE, data_home),
        feature_names=("age", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count"),
        sensitive_names=("race", "sex"),
        target_name="two_year_recid",
        description=(
            "Defendants scored by COMPAS in Broward County, Florida, in 2013 and 2014; 1 = a new offence "
            "within two years. Columns of dates and charges have missing values, the features and protected "
            "columns none."
        ),
        source=(
            "https://github.com/propublica/compas-analysis, compas-scores-two-years.csv. Larson, J., Mattu, "
            "S., Kirchner, L. and Angwin, J. (2016). How We Analyzed the COMPAS Recidivism Algorithm. "
            "ProPublica"
        ),
        licence="none stated",
    )
