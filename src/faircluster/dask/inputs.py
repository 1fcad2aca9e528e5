"""Dask arrays and data frames as partitions of points and protected columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import partial
from typing import Any

import dask
import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

__all__ = ["Reader", "Table", "is_dask"]

Array = NDArray[Any]


def is_dask(value: Any) -> bool:
    """Tell Dask collections (arrays, series, data frames) from everything else."""
    return bool(dask.is_dask_collection(value))


class Table:
    """Points and protected columns of the same rows.

    Parameters
    ----------
    X : dask array of shape (n, d), or dask data frame
    sensitive_features : column names of X, dask series, data frame or array, or None
        Columns of X that are named are protected, and no features.
    columns : sequence, default=None
        Columns of a data frame that are features; all that are not protected by default.
    labelled : bool, default=True
        Whether labels will be put next to X, which must then keep its partitions.

    Raises
    ------
    TypeError, ValueError
        Inputs whose partitions cannot belong together; the message says what to do.

    Attributes
    ----------
    reader : Reader
        Turns a partition into arrays, on the workers.
    names : list of str or None
        Names of the protected columns.
    one_dimensional : bool
        Whether the protected attribute is a series or an array of one dimension.
    feature_names : list of str or None
    """

    def __init__(
        self,
        X: Any,
        sensitive_features: Any = None,
        columns: Sequence[Any] | None = None,
        *,
        labelled: bool = True,
    ) -> None:
        self.X = X
        self.is_frame = hasattr(X, "to_delayed") and hasattr(X, "divisions")
        self._separate: Any = None  # protected columns that are no columns of X
        self.names: list[str] | None = None
        self.one_dimensional = False
        if self.is_frame:
            if not hasattr(X, "columns") or getattr(X, "ndim", 2) != 2:
                raise TypeError("X is a Dask series; pass a data frame, for example X.to_frame()")
            # not optimised: reading fewer columns Dask would join partitions, and their numbers would change
            self._points = X.to_delayed(optimize_graph=False)
            given = list(X.columns)
        else:
            if getattr(X, "ndim", 0) != 2:
                raise ValueError(f"X must have two dimensions, got a Dask array of {getattr(X, 'ndim', 0)}")
            self._points = list(X.rechunk({1: -1}).to_delayed()[:, 0])
            given = None
        self._features, named = self._protected(sensitive_features, given)
        kept: list[Any] | None = None
        if given is not None:
            wanted = given if columns is None else self._wanted(list(columns), given)
            kept = [name for name in wanted if name not in named]
            if labelled:
                _check_partitions(X)
            if not kept:
                raise ValueError(
                    "X has no columns besides the protected ones; there is nothing to cluster by"
                )
        self.dtype = np.dtype(np.float32 if self._is_narrow(kept) else np.float64)
        self.reader = Reader(kept, named, self.dtype)
        self.feature_names = None if kept is None else [str(name) for name in kept]
        self.n_features = X.shape[1] if kept is None else len(kept)

    def __len__(self) -> int:
        return len(self._points)

    def partitions(self) -> Iterator[tuple[Delayed, Any]]:
        """Points and protected columns of each partition."""
        features = self._features if self._features is not None else [None] * len(self._points)
        return zip(self._points, features, strict=True)

    def by_partition(
        self, work: Callable[[int, Any, Any], Array], lengths: Sequence[float], dtype: Any
    ) -> Any:
        """One value a row, lazily: a series that can be put next to the columns of X, or an array for arrays.

        Parameters
        ----------
        work : callable
            (number of the partition, its points, its protected columns) -> values of its rows.
        lengths : sequence of float
            Rows of each partition; NaN where unknown.
        dtype : dtype
        """
        if not self.is_frame:
            import dask.array as da

            shared = delayed(work, pure=False, traverse=False)
            tasks = [shared(i, *parts) for i, parts in enumerate(self.partitions())]
            parts = [da.from_delayed(task, (n,), dtype=dtype) for task, n in zip(tasks, lengths, strict=True)]
            return da.concatenate(parts)
        import pandas as pd

        meta = pd.Series([], dtype=dtype, name="cluster", index=self.X._meta.index[:0])
        if self._separate is not None and not hasattr(self._separate, "divisions"):
            import dask.dataframe as dd

            shared = delayed(_series, pure=False, traverse=False)
            tasks = [shared(work, i, *parts) for i, parts in enumerate(self.partitions())]
            divisions = self.X.divisions if self.X.known_divisions else None
            return dd.from_delayed(tasks, meta=meta, divisions=divisions, verify_meta=False)
        others = [] if self._separate is None else [self._separate]
        return self.X.map_partitions(
            _numbered,
            *others,
            work=delayed(work, pure=False, traverse=False),
            meta=meta,
            align_dataframes=False,
        )

    def example(self) -> Any:
        """One row of zeros, with the names of the features, for checks of names and numbers of columns."""
        zeros = np.zeros((1, self.n_features), dtype=self.dtype)
        if self.feature_names is None:
            return zeros
        import pandas as pd

        return pd.DataFrame(zeros, columns=self.feature_names)

    def labelled(self, work: Callable[[Array], Array], dtype: Any = np.int32) -> Any:
        """One value a row from ``work(X)`` of every partition, lazily; protected columns are not read."""
        lengths = [np.nan] * len(self) if self.is_frame else list(self.X.chunks[0])
        bare = copy(self)
        bare._separate, bare._features = None, None
        return bare.by_partition(partial(_of_points, work, self.reader), lengths, dtype)

    def mapped(self, work: Callable[[Array], Array], names: list[str]) -> Any:
        """Values by row and name from ``work(X)`` of every partition: a frame, or an array for arrays."""
        if not self.is_frame:
            import dask.array as da

            shared = delayed(_mapped, pure=False, traverse=False)
            parts = [
                da.from_delayed(shared(part, work, self.reader, names), (n, len(names)), dtype=self.dtype)
                for part, n in zip(self._points, self.X.chunks[0], strict=True)
            ]
            return da.concatenate(parts)
        import pandas as pd

        meta = pd.DataFrame({name: pd.Series([], dtype=self.dtype) for name in names})
        return self.X.map_partitions(_mapped, work, self.reader, names, meta=meta)

    def _is_narrow(self, columns: list[Any] | None) -> bool:
        kinds = [self.X.dtype] if columns is None else [self.X.dtypes[name] for name in columns]
        return all(kind == np.float32 for kind in kinds)

    def n_bytes(self) -> float:
        """Size of the points as far as it is known; infinite if not."""
        if self.is_frame:
            return float("inf")
        size = float(np.prod([float(side) for side in self.X.shape])) * self.X.dtype.itemsize
        return size if np.isfinite(size) else float("inf")

    def _wanted(self, columns: list[Any], given: list[Any]) -> list[Any]:
        absent = [name for name in columns if name not in given]
        if absent:
            raise ValueError(
                f"X has no column {absent[0]!r}, which the estimator was fitted with; it has {given}"
            )
        return columns

    def _protected(self, features: Any, given: list[Any] | None) -> tuple[list[Any] | None, list[Any]]:
        """Delayed protected columns, or names of columns of X."""
        if features is None:
            return None, []
        names = [features] if isinstance(features, str) else features
        if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
            return None, self._named(list(names), given, one=isinstance(features, str))
        if not is_dask(features):
            raise TypeError(
                f"sensitive_features is {type(features).__name__} but X is a Dask collection; pass column "
                "names of X, or a Dask series, data frame or array of the same partitions"
            )
        if hasattr(features, "divisions"):
            self.one_dimensional = not hasattr(features, "columns") or features.ndim == 1
            self.names = [str(features.name)] if self.one_dimensional else [str(c) for c in features.columns]
            parts = features.to_delayed(optimize_graph=False)
        else:
            self.one_dimensional = features.ndim == 1
            known = not np.isnan([*features.chunks[0], *(() if self.is_frame else self.X.chunks[0])]).any()
            if not self.is_frame and known and features.chunks[0] != self.X.chunks[0]:
                features = features.rechunk({0: self.X.chunks[0]})
            whole = features if self.one_dimensional else features.rechunk({1: -1})
            parts = list(whole.to_delayed().ravel())
        if len(parts) != len(self._points):
            raise ValueError(
                f"sensitive_features has {len(parts)} partitions but X has {len(self._points)}; take both "
                "from the same frame, or name columns of X"
            )
        self._separate = features
        return parts, []

    def _named(self, names: list[str], given: list[Any] | None, *, one: bool) -> list[Any]:
        if given is None:
            raise ValueError(
                f"sensitive_features names columns ({names}) but X is a Dask array without names; pass the "
                "protected values as a Dask array of the same rows"
            )
        absent = [name for name in names if name not in given]
        if absent:
            raise ValueError(
                f"sensitive_features names {absent[0]!r}, which is no column of X; it has {given}"
            )
        self.names, self.one_dimensional = names, one
        return names


def _check_partitions(X: Any) -> None:
    """Refuse frames that Dask reads in other partitions than they say, because labels would not fit."""
    if X.optimize(fuse=False).npartitions != X.npartitions:
        raise ValueError(
            "X is a selection of columns that Dask reads in fewer, larger partitions; pass X.optimize(), "
            "X.persist(), or the whole frame with the protected columns named in sensitive_features"
        )


class Reader:
    """Turns a partition into points and protected columns, and checks the points.

    Parameters
    ----------
    columns : list or None
        Columns of a data frame that are features; None for arrays.
    named : list
        Columns of a data frame that are protected.
    dtype : dtype
        Of the points in all partitions.
    """

    def __init__(self, columns: list[Any] | None, named: list[Any], dtype: np.dtype[Any]) -> None:
        self.columns, self.named, self.dtype = columns, named, dtype

    def __call__(self, points: Any, features: Any) -> tuple[Array, Any]:
        """Points (n, d) and protected columns of a partition."""
        if self.columns is not None:
            absent = [name for name in [*self.columns, *self.named] if name not in points.columns]
            if absent:
                raise ValueError(f"X has no column {absent[0]!r} here; all partitions need the same columns")
            if self.named:
                features = points[self.named] if len(self.named) > 1 else points[self.named[0]]
            points = points[self.columns]
        return self._numbers(points), features

    def _numbers(self, points: Any) -> Array:
        if self.columns is not None:
            for name in self.columns:
                if points[name].dtype.kind not in "biuf":
                    raise ValueError(
                        f"X column {str(name)!r} holds {points[name].dtype}, not numbers; encode it, or name "
                        "it in sensitive_features if it is protected"
                    )
            X = points.to_numpy(dtype=self.dtype, na_value=np.nan)
        else:
            X = np.asarray(points)
            if X.dtype.kind not in "biuf":
                raise ValueError(f"X holds {X.dtype}, not numbers")
            X = X.astype(self.dtype, copy=False)
        X = np.ascontiguousarray(X)
        if not np.isfinite(X.sum(dtype=np.float64)):
            bad = np.argwhere(~np.isfinite(X))
            if len(bad):
                row, column = bad[0]
                where = column if self.columns is None else repr(str(self.columns[column]))
                what = "NaN" if np.isnan(X[row, column]) else "infinity"
                raise ValueError(
                    f"X contains {what} in row {row} of the partition, column {where} (entries that are not "
                    f"finite: {len(bad)}); impute or drop them"
                )
        return X


def _mapped(points: Any, work: Callable[[Array], Array], reader: Reader, names: list[str]) -> Any:
    X, _ = reader(points, None)
    values = work(X) if len(X) else np.empty((0, len(names)), dtype=reader.dtype)
    if reader.columns is None:
        return values
    import pandas as pd

    return pd.DataFrame(values, index=points.index, columns=names)


def _of_points(work: Callable[[Array], Array], reader: Reader, i: int, points: Any, features: Any) -> Array:
    del i, features
    return work(reader(points, None)[0])


def _series(work: Callable[[int, Any, Any], Array], i: int, points: Any, features: Any) -> Any:
    import pandas as pd

    return pd.Series(work(i, points, features), index=points.index, name="cluster")


def _numbered(points: Any, *features: Any, work: Any, partition_info: Any = None) -> Any:
    number = partition_info["number"] if partition_info else 0
    return _series(work, number, points, features[0] if features else None)
