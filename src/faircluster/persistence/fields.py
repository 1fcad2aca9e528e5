"""Read single fields of a file that may say anything, and refuse what does not fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["packed_number", "take", "texts", "unpacked_number", "whole"]


def packed_number(value: Any) -> float | dict[str, str]:
    """JSON has no infinity: it goes as text."""
    number = float(value)
    return number if math.isfinite(number) else {"number": repr(number)}


def unpacked_number(value: Any, name: str) -> float:
    """Inverse of :func:`packed_number`."""
    if type(value) in (int, float):
        return float(value)
    if isinstance(value, dict) and value.get("number") in ("inf", "-inf", "nan"):
        return float(value["number"])
    raise ValueError(f"{name!r} is not a number in it")


def whole(header: dict[str, Any], name: str, least: int) -> int:
    """Whole number of at least `least`."""
    value = header[name]
    if type(value) is not int or value < least:
        raise ValueError(f"{name!r} is {str(value)[:40]} in it, not a whole number of at least {least}")
    return value


def texts(header: dict[str, Any], name: str, length: int) -> list[str]:
    """List of `length` strings."""
    found = header[name]
    if not isinstance(found, list) or len(found) != length or not all(isinstance(t, str) for t in found):
        raise ValueError(f"{name!r} in it is not a list of {length} names")
    return found


def take(
    arrays: dict[str, NDArray[Any]],
    name: str,
    kind: str,
    shape: tuple[int | None, ...],
    *,
    least: float | None = None,
    most: float | None = None,
) -> NDArray[Any]:
    """Take an array out, of this type ("f": any float), shape (None: any length) and range of values."""
    if name not in arrays:
        raise ValueError(f"array {name!r} is missing in it")
    array = arrays.pop(name)
    right = array.dtype.kind == "f" if kind == "f" else array.dtype == np.dtype(kind)
    fits = array.ndim == len(shape) and all(
        b is None or a == b for a, b in zip(array.shape, shape, strict=False)
    )
    if not right or not fits:
        wanted = " x ".join("any" if side is None else str(side) for side in shape)
        raise ValueError(f"array {name!r} in it is {array.dtype} {array.shape}, not of shape {wanted}")
    if not np.isfinite(array).all():
        raise ValueError(f"array {name!r} in it holds NaN or infinity")
    if array.size and (
        (least is not None and array.min() < least) or (most is not None and array.max() > most)
    ):
        raise ValueError(f"array {name!r} in it holds values out of range")
    return array
