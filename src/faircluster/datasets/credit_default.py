"""Default of Credit Card Clients."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from faircluster.datasets._fetch import TableSource, load_table
from faircluster.datasets.dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_credit_default"]

BILLS = tuple(f"BILL_AMT{month}" for month in range(1, 7))
PAYMENTS = tuple(f"PAY_AMT{month}" for month in range(1, 7))
# the names of the spreadsheet, for UCI's text version calls them ID, X1 .. X23, Y; there is no PAY_1
COLUMNS = (
    *("ID", "LIMIT_BAL", "SEX", "EDUCATION", "MARRIAGE", "AGE"),
    *("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6"),
    *BILLS,
    *PAYMENTS,
    "default payment next month",
)


def parse(raw: bytes) -> pd.DataFrame:
    """Read UCI's text version and give the columns the names of the spreadsheet."""
    import pandas as pd

    return pd.read_csv(io.BytesIO(raw)).set_axis(list(COLUMNS), axis=1)


SOURCE = TableSource(
    file="creditcard_default.parquet",
    checksum="eb6776ed9310d603ac304196442d4e76166e2258f49e800022d25f7498d572f2",
    url="https://archive.ics.uci.edu/static/public/350/data.csv",
    members=(),
    raw_checksum="45bcf4df62ff2e237a74eb155cabfb4bbbc171219a0637daef44fdad07503dd0",
    parse=parse,
)


def load_credit_default(*, data_home: str | os.PathLike[str] | None = None) -> Dataset:
    """Load Default of Credit Card Clients: 30,000 clients of a bank in Taiwan, 2005.

    Parameters
    ----------
    data_home : path, optional
        Cache folder; else the folder of ``FAIRCLUSTER_CACHE``, else the user's cache folder.

    Returns
    -------
    Dataset
        The 14 numeric features of Bera et al. (2019), (30000, 14): credit limit, age, bills and payments.
        Protected columns, as codes: MARRIAGE (1 married, 2 single, 3 others, 0 undocumented), EDUCATION
        (1 graduate school, 2 university, 3 high school, 4 others; 0, 5 and 6 undocumented), SEX (1 male,
        2 female). Target "default payment next month".

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
    >>> from faircluster.datasets import load_credit_default
    >>> load_credit_default().X.shape  # doctest: +SKIP
    (30000, 14)
    """
    return Dataset(
        name="credit_default",
        data=load_table(SOURCE, data_home),
        feature_names=("LIMIT_BAL", "AGE", *BILLS, *PAYMENTS),
        sensitive_names=("MARRIAGE", "EDUCATION", "SEX"),
        target_name="default payment next month",
        description=(
            "Credit card clients in Taiwan, April to September 2005; 1 = defaulted on the next payment. "
            "Nothing is missing, but the codes MARRIAGE 0 and EDUCATION 0, 5 and 6 are undocumented and rare."
        ),
        source=(
            "UCI Machine Learning Repository, data set 350, "
            "https://archive.ics.uci.edu/dataset/350/default+of+credit+card+clients. Yeh, I-C. (2009). "
            "Default of Credit Card Clients [Dataset]. https://doi.org/10.24432/C55S3H"
        ),
        licence="CC BY 4.0",
    )
