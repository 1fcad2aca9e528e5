"""Read protected columns from any table: names, values and the code of every row."""

from __future__ import annotations

import numbers
from collections.abc import Hashable
from decimal import Decimal
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

__all__ = ["ProtectedColumn", "read_columns"]


class ProtectedColumn(NamedTuple):
    """One protected attribute: its groups, and the group of every row.

    Attributes
    ----------
    attribute : str
        Name of the column; "" when it has none.
    names : tuple of str
        Names of its groups.
    codes : ndarray of shape (n,), int64
        Index into `names` for each row, -1 for a row in none of them.
    """

    attribute: str
    names: tuple[str, ...]
    codes: NDArray[np.int64]


class _Factor(NamedTuple):
    codes: NDArray[np.int64]  # -1: missing
    values: list[str]


def read_columns(features: Any, *, missing_group: bool = False) -> list[ProtectedColumn]:
    """Split a series, array or table into protected columns with sorted groups.

    O(n) per column (O(n log n) for numbers far apart).

    Parameters
    ----------
    features : array-like, series, data frame or arrow table
        See :meth:`faircluster.groups.Groups.from_features`.
    missing_group : bool, default=False
        Whether missing values are a group of their own; otherwise they are an error.

    Returns
    -------
    list of ProtectedColumn

    Raises
    ------
    TypeError
        Not a series, array or table; or values that cannot be hashed.
    ValueError
        Missing values, a wrong number of dimensions, no column, repeated column names, a group without
        members, or a column that looks continuous.

    Examples
    --------
    >>> from faircluster.protected import read_columns
    >>> read_columns(["b", "a", "b"])[0].codes.tolist()
    [1, 0, 1]
    """
    named, flat = _split(features)
    if not named:
        raise ValueError("sensitive_features has no columns; pass None for no protected attribute")
    titles = [title for title, _ in named]
    if len(set(titles)) < len(titles):
        repeated = next(title for title in titles if titles.count(title) > 1)
        raise ValueError(f"sensitive_features has two columns named {repeated!r}; rename one")
    is_membership = not flat and all(_is_boolean(values) for _, values in named)
    read = _membership_column if is_membership else _value_column
    return [read(title, values, missing_group) for title, values in named]


def _split(features: Any) -> tuple[list[tuple[str, Any]], bool]:
    """Return the (name, values) of each column, and whether the input was one-dimensional."""
    try:
        native = nw.from_native(_as_chunked(features), pass_through=True, allow_series=True)
    except nw.exceptions.DuplicateError as error:
        raise ValueError(f"sensitive_features has columns of the same name; rename them ({error})") from error
    if isinstance(native, nw.LazyFrame):
        raise TypeError("sensitive_features is a lazy frame; collect() it first")
    if isinstance(native, nw.DataFrame):
        return [(_title(column.name), column) for column in native.iter_columns()], False
    if isinstance(native, nw.Series):
        return [(_title(native.name), native)], True
    array = _as_array(features)
    if array.ndim == 1:
        return [("", array)], True
    return [(f"column {i}", array[:, i]) for i in range(array.shape[1])], False


def _as_chunked(features: Any) -> Any:
    """Turn the two arrow containers that narwhals does not take into those it does."""
    if type(features).__module__.partition(".")[0] != "pyarrow":
        return features
    import pyarrow as pa

    if isinstance(features, pa.Array):
        return pa.chunked_array([features])
    return pa.Table.from_batches([features]) if isinstance(features, pa.RecordBatch) else features


def _as_array(features: Any) -> NDArray[Any]:
    sequence = isinstance(features, list | tuple)
    if not sequence and not hasattr(features, "__array__"):
        raise TypeError(
            f"sensitive_features must be a list, array, series or data frame, got {type(features).__name__}"
        )
    if isinstance(features, np.ma.MaskedArray):
        unmasked = features.data.astype(object)
        unmasked[np.ma.getmaskarray(features)] = None
        features = unmasked
    try:
        array = np.asarray(features)
        if sequence and array.dtype.kind in "US":
            array = np.asarray(features, dtype=object)  # as text, NumPy would hide NaN among the strings
    except ValueError as error:
        raise ValueError(f"sensitive_features has rows of different lengths ({error})") from error
    if array.ndim not in (1, 2):
        raise ValueError(f"sensitive_features must have one or two dimensions, got shape {array.shape}")
    return array


def _title(name: Hashable) -> str:
    if name is None or isinstance(name, str):
        return name or ""
    # pandas numbers the columns of an unnamed array: name them as for the array itself
    return f"column {name}" if isinstance(name, numbers.Integral) else str(name)


def _is_boolean(values: Any) -> bool:
    return bool(values.dtype == nw.Boolean) if isinstance(values, nw.Series) else values.dtype.kind == "b"


def _value_column(title: str, values: Any, missing_group: bool) -> ProtectedColumn:
    where = f"sensitive_features column {title!r}" if title else "sensitive_features"
    codes, labels = _factorize(values, where)
    absent = codes < 0
    if absent.any():
        if not missing_group:
            raise ValueError(_missing_message(where, absent))
        codes = np.where(absent, len(labels), codes)
        labels = [*labels, "missing"]
    prefix = f"{title}=" if title else ""
    return ProtectedColumn(title, tuple(prefix + label for label in labels), codes)


def _membership_column(title: str, values: Any, missing_group: bool) -> ProtectedColumn:
    name = title.replace("column ", "group ", 1) if isinstance(values, np.ndarray) else title
    where = f"sensitive_features column {name!r}"
    names = [name]
    codes = np.full(len(values), -1, dtype=np.int64)
    absent = (
        values.is_null().to_numpy() if isinstance(values, nw.Series) else np.zeros(len(values), dtype=bool)
    )
    member = np.asarray(values.fill_null(False).to_numpy() if absent.any() else values, dtype=bool)
    codes[member] = 0
    if absent.any():
        if not missing_group:
            raise ValueError(_missing_message(where, absent))
        codes[absent] = 1
        names.append(f"{name}=missing")
    if len(codes) and not member.any():
        raise ValueError(f"{where} is a group without members; drop it")
    return ProtectedColumn("", tuple(names), codes)


def _missing_message(where: str, absent: NDArray[np.bool_]) -> str:
    return (
        f"{where} has missing values in {int(absent.sum())} of {len(absent)} rows, the first in row "
        f"{int(np.argmax(absent))}; fill or drop them, or pass missing='group' to make a group of them"
    )


def _factorize(values: Any, where: str) -> _Factor:
    if isinstance(values, nw.Series):
        if values.dtype.is_integer():
            absent = values.is_null().to_numpy()
            filled = values.fill_null(0).to_numpy() if absent.any() else values.to_numpy()
            return _factorize_numbers(np.asarray(filled), np.asarray(absent, dtype=bool), where)
        if not values.dtype.is_float():
            return _factorize_objects(values.to_list(), where)
        values = values.to_numpy()
    if values.dtype.kind in "iu":
        return _factorize_numbers(values, np.zeros(len(values), dtype=bool), where)
    if values.dtype.kind == "f":
        # adding 0.0 turns -0.0 into 0.0: they are equal, so they must have one name
        return _factorize_numbers(values + values.dtype.type(0), np.isnan(values), where)
    if values.dtype.kind in "mM":
        return _factorize_numbers(values, np.isnat(values), where)
    return _factorize_objects(values.tolist(), where)


def _factorize_numbers(values: NDArray[Any], absent: NDArray[np.bool_], where: str) -> _Factor:
    present = values[~absent] if absent.any() else values
    codes = np.full(len(values), -1, dtype=np.int64)
    if present.dtype.kind in "iu" and len(present):
        low, high = int(present.min()), int(present.max())
        width = high - low + 1
        if width <= max(len(present), 1 << 16) and high < 1 << 62:  # close together: counting beats sorting
            offset = present.astype(np.int64) - low
            occurs = np.bincount(offset, minlength=width) > 0
            codes[~absent] = (np.cumsum(occurs) - 1)[offset]
            distinct = [str(low + int(i)) for i in np.flatnonzero(occurs)]
            _check_cardinality(len(distinct), len(values), where)
            return _Factor(codes, distinct)
    unique, inverse = np.unique(present, return_inverse=True)
    _check_cardinality(len(unique), len(values), where)
    codes[~absent] = inverse
    return _Factor(codes, [str(value) for value in unique])


def _factorize_objects(values: list[Any], where: str) -> _Factor:
    try:
        distinct = set(values)
    except TypeError as error:
        raise TypeError(f"{where} holds values that cannot be hashed ({error}); make them strings") from error
    absent = {value for value in distinct if _is_missing(value)}
    present = distinct - absent
    _check_cardinality(len(present), len(values), where)
    if not all(isinstance(value, str) for value in present):
        _check_one_name_each(values, where)
    numeric = all(isinstance(value, numbers.Real | Decimal) for value in present)
    ordered = sorted(present) if numeric else sorted(present, key=str)
    code = {value: i for i, value in enumerate(ordered)} | dict.fromkeys(absent, -1)
    codes = np.fromiter(map(code.__getitem__, values), dtype=np.int64, count=len(values))
    return _Factor(codes, [str(value) for value in ordered])


def _is_missing(value: Any) -> bool:
    # pandas.NA has no truth value; NaN and NaT differ from themselves
    return value is None or type(value).__name__ == "NAType" or bool(value != value)  # noqa: PLR0124


def _check_one_name_each(values: list[Any], where: str) -> None:
    """Refuse 1 next to "1" (one name, two values) and 1 next to True (equal: row order would name them)."""
    kinds = {
        (str if isinstance(value, str) else type(value), value) for value in values if not _is_missing(value)
    }
    by_value = {value for _, value in kinds}
    by_name = {str(value) for _, value in kinds}
    if not len(kinds) == len(by_value) == len(by_name):
        raise ValueError(
            f"{where} mixes types whose values are equal or read the same (such as 1, 1.0, True and '1'); "
            "convert it to one type"
        )


def _check_cardinality(n_values: int, n_rows: int, where: str) -> None:
    if n_values > max(1000, n_rows // 2):
        raise ValueError(
            f"{where} has {n_values} distinct values in {n_rows} rows: it looks continuous or like an "
            "identifier; bin it (for example with pandas.cut) or leave it out"
        )
