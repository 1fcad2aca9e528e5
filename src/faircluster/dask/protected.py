"""Protected columns of many partitions: one list of groups for all of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faircluster.groups import Groups

__all__ = ["DistinctRows", "Vocabulary", "distinct_rows"]

Array = NDArray[Any]
_MOST_ROWS = 20_000  # different combinations in a partition above which a column must be an identifier


@dataclass(frozen=True, eq=False)
class DistinctRows:
    """The combinations of protected values that occur in a partition.

    Attributes
    ----------
    rows : list of tuple
        None for a missing value.
    codes : ndarray of shape (n,), int32
        Combination of each row.
    kinds : tuple of frozenset of str
        Kinds of values in each column, missing ones aside.
    """

    rows: list[tuple[Hashable, ...]]
    codes: NDArray[np.int32]
    kinds: tuple[frozenset[str], ...]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Rows that have each combination."""
        return np.bincount(self.codes, minlength=len(self.rows))


def distinct_rows(features: Any, n_rows: int) -> DistinctRows:
    """Read the protected columns of a partition.

    Parameters
    ----------
    features : pandas Series or DataFrame, ndarray of one or two dimensions, or None
    n_rows : int

    Returns
    -------
    DistinctRows

    Raises
    ------
    ValueError
        Another number of rows, or too many different values for groups.

    Examples
    --------
    >>> found = distinct_rows(np.array(["b", "a", "b"]), 3)
    >>> found.rows, found.counts.tolist()
    ([('a',), ('b',)], [1, 2])
    """
    if features is None:
        return DistinctRows([()], np.zeros(n_rows, dtype=np.int32), ())
    columns = _columns(features)
    for column in columns:
        if len(column) != n_rows:
            raise ValueError(
                f"sensitive_features has {len(column)} rows where X has {n_rows}; give both the same "
                "partitions"
            )
    if n_rows == 0:
        return DistinctRows([], np.zeros(0, dtype=np.int32), tuple(frozenset() for _ in columns))
    codes = np.zeros(n_rows, dtype=np.int64)
    for column in columns:
        own, size = _factorize(column)
        codes = codes * size + own
        _, codes = np.unique(codes, return_inverse=True)
        codes = codes.astype(np.int64)
    _, first = np.unique(codes, return_index=True)
    if len(first) > _MOST_ROWS:
        raise ValueError(
            f"sensitive_features has {len(first)} different combinations of values in {n_rows} rows: a "
            "column looks continuous or like an identifier; bin it or leave it out"
        )
    values = [[_plain(value) for value in _some(column, first)] for column in columns]
    kinds = tuple(frozenset(_kind(value) for value in column if value is not None) for column in values)
    return DistinctRows(list(zip(*values, strict=True)), codes.astype(np.int32), kinds)


def _columns(features: Any) -> list[Any]:
    if hasattr(features, "columns"):
        return [features[name] for name in features.columns]
    if hasattr(features, "iloc"):
        return [features]
    array = np.asarray(features)
    return [array] if array.ndim == 1 else list(array.T)


def _factorize(column: Any) -> tuple[Array, int]:
    """Codes of the values and how many there are; a missing value is one of them."""
    if isinstance(column, np.ndarray) and column.dtype != object:
        values, codes = np.unique(column, return_inverse=True)
        return codes.astype(np.int64), len(values)
    import pandas as pd

    codes, values = pd.factorize(column, use_na_sentinel=True)
    return codes.astype(np.int64) + 1, len(values) + 1


def _some(column: Any, rows: Array) -> list[Any]:
    chosen = column.iloc[rows] if hasattr(column, "iloc") else column[rows]
    values: list[Any] = chosen.tolist()
    return values


def _plain(value: Any) -> Hashable:
    """Return the value as a key that is equal in all partitions; None when it is missing."""
    if value is None or type(value).__name__ == "NAType" or bool(value != value):  # noqa: PLR0124
        return None
    return value  # type: ignore[no-any-return]


def _kind(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "truth values"
    if isinstance(value, str):
        return "text"
    return "numbers" if isinstance(value, int | float | np.number) else type(value).__name__


class Vocabulary:
    """Groups of the whole data set, and the signature of every combination of values.

    Parameters
    ----------
    parts : sequence of DistinctRows
        What each partition found, in any order; codes are not needed, see ``counts``.
    counts : sequence of ndarray
        How many rows of each partition have each combination.
    names : list of str or None
        Names of the columns; None for a series or array of one dimension without a name.
    one_dimensional : bool
        Whether the protected attribute came as a series or array of one dimension.
    missing, intersect
        As in :meth:`Groups.from_features`.

    Attributes
    ----------
    groups : Groups
        One row a signature, weighted by its count.

    Raises
    ------
    ValueError
        Columns with text in one partition and numbers in another, and all that ``Groups`` refuses.

    Examples
    --------
    >>> parts = [distinct_rows(np.array(["b", "a"]), 2), distinct_rows(np.array(["b"]), 1)]
    >>> known = Vocabulary(parts, [part.counts for part in parts], None, True)
    >>> known.groups.names, known.groups.counts.tolist(), known.signatures(parts[1]).tolist()
    (('a', 'b'), [1.0, 2.0], [1])
    """

    def __init__(
        self,
        parts: Sequence[DistinctRows],
        counts: Sequence[Array],
        names: list[str] | None,
        one_dimensional: bool,
        *,
        missing: Literal["error", "group"] = "error",
        intersect: bool = False,
    ) -> None:
        _check_kinds(parts, names)
        total: dict[tuple[Hashable, ...], int] = {}
        for part, count in zip(parts, counts, strict=True):
            for row, held in zip(part.rows, count.tolist(), strict=True):
                total[row] = total.get(row, 0) + held
        rows = sorted(total, key=lambda row: tuple((value is None, str(value)) for value in row))
        weights = np.array([total[row] for row in rows], dtype=np.float64)
        features = None if rows and not rows[0] else _frame(rows, names, one_dimensional)
        known = Groups.from_features(
            features,
            n_rows=len(rows),
            sample_weight=weights,
            missing=missing,
            intersect=intersect,
        )
        self.groups = known.summary()
        self._signature = dict(zip(rows, known.signature.tolist(), strict=True))

    def signatures(self, part: DistinctRows) -> NDArray[np.int32]:
        """Signature of every row of a partition."""
        unknown = [row for row in part.rows if row not in self._signature]
        if unknown:
            raise RuntimeError(f"the data changed while they were read: {unknown[0]} did not occur before")
        table = np.array([self._signature[row] for row in part.rows], dtype=np.int32)
        return table[part.codes] if len(table) else np.zeros(0, dtype=np.int32)


def _check_kinds(parts: Sequence[DistinctRows], names: list[str] | None) -> None:
    width = max((len(part.kinds) for part in parts), default=0)
    for column in range(width):
        where: dict[str, int] = {}
        for i, part in enumerate(parts):
            for kind in part.kinds[column]:
                where.setdefault(kind, i)
        if len(where) > 1:
            (one, i), (other, j) = sorted(where.items(), key=lambda item: item[1])[:2]
            title = f" column {names[column]!r}" if names else ""
            raise ValueError(
                f"sensitive_features{title} holds {one} in partition {i} and {other} in partition {j}; "
                "convert it to one type"
            )


def _frame(rows: list[tuple[Hashable, ...]], names: list[str] | None, one_dimensional: bool) -> Any:
    """Put the combinations into the kind of table they came from."""
    if names is None:
        array = np.array([row[0] for row in rows] if one_dimensional else rows, dtype=object)
        return array if any(None in row for row in rows) else np.array(array.tolist())
    import pandas as pd

    if one_dimensional:
        return pd.Series([row[0] for row in rows], name=names[0])
    return pd.DataFrame(rows, columns=names)
