"""Adult: census income, shipped with the package."""

from __future__ import annotations

from importlib import resources
from typing import Literal

from faircluster.datasets._fetch import require_data_extra, widen_integers
from faircluster.datasets.dataset import Dataset

__all__ = ["load_adult"]

PARTS = ("all", "train", "test")


def load_adult(part: Literal["all", "train", "test"] = "all") -> Dataset:
    """Load Adult, 48,842 persons of the 1994 census of the United States.

    Ships with the package: no network, no data folder. ``data`` holds the 15 original columns and ``part``
    ("train" for the first 32,561 rows, "test" for the other 16,281). ``?`` stands for a missing value in
    workclass, occupation and native-country; the features and the protected columns are complete.

    Parameters
    ----------
    part : {"all", "train", "test"}, default="all"
        Which of the two official files; "all" is both, train first.

    Returns
    -------
    Dataset
        Six numeric features (n, 6); protected columns sex (2 groups) and race (5 groups); target income.

    Raises
    ------
    ValueError
        If `part` is none of the three.
    ImportError
        If pandas or pyarrow is missing.

    Examples
    --------
    >>> from faircluster.datasets import load_adult
    >>> test = load_adult("test")
    >>> test.X.shape, test.sensitive.columns.tolist()
    ((16281, 6), ['sex', 'race'])
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {PARTS}, got {part!r}")
    require_data_extra()
    import pandas as pd

    # made as data/README.md says
    with resources.as_file(resources.files(__package__) / "data" / "adult.parquet") as path:
        data = widen_integers(pd.read_parquet(path, engine="pyarrow"))
    if part != "all":
        data = data[data["part"] == part].reset_index(drop=True)
    return Dataset(
        name="adult",
        data=data,
        feature_names=("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"),
        sensitive_names=("sex", "race"),
        target_name="income",
        description=(
            "Persons of the 1994 census of the United States; income above or below 50,000 dollars a year. "
            "'?' stands for a missing value. The features are all six numeric columns; Bera et al. (2019) "
            "and others leave capital-loss out."
        ),
        source=(
            "UCI Machine Learning Repository, data set 2, https://archive.ics.uci.edu/dataset/2/adult. "
            "Becker, B. and Kohavi, R. (1996). Adult [Dataset]. https://doi.org/10.24432/C5XW20"
        ),
        licence="CC BY 4.0",
    )
