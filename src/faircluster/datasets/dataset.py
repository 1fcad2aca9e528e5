"""The one container every loader returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dataset"]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A table with the roles its columns play in fair clustering.

    Nothing is scaled: features come as recorded, because published results differ in the scaling they use.
    Put :class:`sklearn.preprocessing.MinMaxScaler` or :class:`sklearn.preprocessing.StandardScaler` in
    front.

    Parameters
    ----------
    name : str
        Short name, as in ``load_<name>``.
    data : pandas.DataFrame of shape (n, columns)
        All columns of the source, in its row order.
    feature_names : tuple of str, length d
        Numeric columns to cluster on, as used in the literature.
    sensitive_names : tuple of str
        Protected columns.
    target_name : str
        The label; clustering does not use it, evaluations may.
    description : str
        What the rows are, how missing values are written, and where the choice of features comes from.
    source : str
        Where the table comes from, with a citation.
    licence : str
        The licence the source states.

    Examples
    --------
    >>> from faircluster.datasets import load_adult
    >>> adult = load_adult()
    >>> adult
    Dataset(adult: 48842 rows, 6 features; sensitive: sex, race; target: income)
    >>> adult.X.shape, adult.sensitive["sex"].value_counts().to_dict()
    ((48842, 6), {'Male': 32650, 'Female': 16192})
    """

    name: str
    data: pd.DataFrame
    feature_names: tuple[str, ...]
    sensitive_names: tuple[str, ...]
    target_name: str
    description: str
    source: str
    licence: str

    @property
    def X(self) -> NDArray[np.float64]:  # noqa: N802 - scikit-learn's name for the feature matrix
        """The features, an array of shape (n, d) and dtype float64; a new array on every access."""
        return self.data[list(self.feature_names)].to_numpy(dtype=np.float64)

    @property
    def sensitive(self) -> pd.DataFrame:
        """The protected columns, a DataFrame of shape (n, attributes)."""
        return self.data[list(self.sensitive_names)]

    @property
    def target(self) -> pd.Series:
        """The label, a Series of length n."""
        return self.data[self.target_name]

    def __repr__(self) -> str:
        """One line: the name, the size and the roles."""
        return (
            f"Dataset({self.name}: {len(self.data)} rows, {len(self.feature_names)} features; "
            f"sensitive: {', '.join(self.sensitive_names)}; target: {self.target_name})"
        )
