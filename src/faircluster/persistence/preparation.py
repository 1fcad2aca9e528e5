"""How the columns of a table become the points of a model: which ones, and how they are scaled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Preparation"]

SCALES = ("minmax", "standard", "none")


@dataclass(frozen=True)
class Preparation:
    """Column names and scaling, kept next to a model so that new tables are read the same way.

    Build it with :meth:`fitted`.

    Parameters
    ----------
    features : tuple of str, length d
        Numeric columns, in the order of the model's features.
    sensitive : tuple of str
        Protected columns the model was fitted with.
    scale : {"minmax", "standard", "none"}
        "minmax" maps the smallest value to 0 and the largest to 1, "standard" the mean to 0 and the standard
        deviation to 1.
    offset, spread : tuple of float, length d
        A feature x becomes ``(x - offset) / spread``; a constant column has spread 1.

    Examples
    --------
    >>> from faircluster.persistence import Preparation
    >>> preparation = Preparation.fitted([[10.0], [30.0]], ["age"], ["sex"], scale="minmax")
    >>> preparation.apply([[20.0]])
    array([[0.5]])
    """

    features: tuple[str, ...]
    sensitive: tuple[str, ...]
    scale: str
    offset: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def fitted(
        cls,
        X: ArrayLike,
        features: Sequence[str],
        sensitive: Sequence[str] = (),
        scale: Literal["minmax", "standard", "none"] = "none",
    ) -> Preparation:
        """Measure the scaling on data; O(n d).

        Parameters
        ----------
        X : array-like of shape (n, d), n >= 1
            Finite numbers.
        features : sequence of d str
        sensitive : sequence of str, default=()
        scale : {"minmax", "standard", "none"}, default="none"

        Returns
        -------
        Preparation

        Raises
        ------
        ValueError
            An unknown scale, a number of names that is not d, or numbers too large to be scaled.

        Examples
        --------
        >>> Preparation.fitted([[1.0], [3.0]], ["x"], scale="standard").offset
        (2.0,)
        """
        values = np.asarray(X, dtype=np.float64)
        if scale not in SCALES:
            raise ValueError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
        if values.ndim != 2 or values.shape[1] != len(features) or len(values) == 0:
            raise ValueError(
                f"X must have shape (n, {len(features)}), one column a feature, got {values.shape}"
            )
        offset, spread = np.zeros(len(features)), np.ones(len(features))
        with np.errstate(over="ignore", invalid="ignore"):  # judged below
            if scale == "minmax":
                offset, spread = values.min(axis=0), np.ptp(values, axis=0)
            elif scale == "standard":
                offset, spread = values.mean(axis=0), values.std(axis=0)
        wrong = np.flatnonzero(~(np.isfinite(offset) & np.isfinite(spread)))
        if len(wrong):
            raise ValueError(f"column {features[wrong[0]]!r} holds numbers that are too large to be scaled")
        spread = np.where(spread > 0, spread, 1.0)
        return cls(tuple(features), tuple(sensitive), scale, tuple(offset.tolist()), tuple(spread.tolist()))

    def apply(self, X: ArrayLike) -> NDArray[np.float64]:
        """Scale new data as the data measured; O(n d).

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n, d), float64

        Examples
        --------
        >>> Preparation.fitted([[1.0], [3.0]], ["x"], scale="none").apply([[5.0]])
        array([[5.]])
        """
        values: NDArray[np.float64] = np.asarray(X, dtype=np.float64)
        return (values - np.array(self.offset)) / np.array(self.spread)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, strings and numbers, for JSON.

        Examples
        --------
        >>> Preparation.fitted([[1.0]], ["x"]).to_dict()["features"]
        ['x']
        """
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: Any) -> Preparation:
        """Read what :meth:`to_dict` gives, checking everything.

        Raises
        ------
        ValueError
            A field that is missing, unknown or of the wrong kind.

        Examples
        --------
        >>> preparation = Preparation.fitted([[1.0], [3.0]], ["x"], ["sex"], "minmax")
        >>> Preparation.from_dict(preparation.to_dict()) == preparation
        True
        """
        fields = {"features", "sensitive", "scale", "offset", "spread"}
        if not isinstance(values, dict) or values.keys() != fields:
            raise ValueError(f"preparation must have the fields {', '.join(sorted(fields))}")
        for field in ("features", "sensitive"):
            names = values[field]
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ValueError(f"preparation field {field!r} must be a list of column names")
        for field in ("offset", "spread"):
            numbers = values[field]
            if (
                not isinstance(numbers, list)
                or len(numbers) != len(values["features"])
                or not all(type(x) in (int, float) and math.isfinite(x) for x in numbers)
            ):
                raise ValueError(f"preparation field {field!r} must hold one finite number a feature")
        if values["scale"] not in SCALES or not all(x > 0 for x in values["spread"]):
            raise ValueError("preparation has an unknown scale or a spread that is not positive")
        return cls(
            tuple(values["features"]),
            tuple(values["sensitive"]),
            values["scale"],
            tuple(map(float, values["offset"])),
            tuple(map(float, values["spread"])),
        )
