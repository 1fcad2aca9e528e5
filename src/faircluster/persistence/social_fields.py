"""What a socially fair model has beyond the others, to a file and back."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from faircluster.estimators import SociallyFairKMeans, SociallyFairKMedian
from faircluster.persistence.fields import packed_number, take, unpacked_number

__all__ = ["SOCIAL", "pack_social", "unpack_social"]

SOCIAL = (SociallyFairKMeans, SociallyFairKMedian)
_METHODS = ("lloyd", "lp", "lp+lloyd")
Model = SociallyFairKMeans | SociallyFairKMedian


def pack_social(model: Model) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Header entries and arrays of a fitted model; O(m).

    Examples
    --------
    >>> model = SociallyFairKMeans(1, method="lloyd").fit([[0.0], [2.0]])
    >>> pack_social(model)[0]["method"]
    'lloyd'
    """
    header: dict[str, Any] = {"method": model.method_}
    if hasattr(model, "factor_"):
        header["factor"] = packed_number(model.factor_)
    return header, {"group_costs": model.group_costs_, "multipliers": model.multipliers_}


def unpack_social(
    model: Model, header: dict[str, Any], arrays: dict[str, NDArray[Any]], sizes: tuple[int, int, int]
) -> None:
    """Set on a model what :func:`pack_social` kept, checking it; O(m).

    Parameters
    ----------
    model : SociallyFairKMeans or SociallyFairKMedian
    header, arrays : dict
        What is used of the arrays is taken out.
    sizes : tuple of three int
        Numbers of groups, centers and training points.

    Raises
    ------
    ValueError
        An entry does not fit.

    Examples
    --------
    >>> header, arrays = pack_social(SociallyFairKMeans(1, method="lloyd").fit([[0.0], [2.0]]))
    >>> model = SociallyFairKMeans(1)
    >>> unpack_social(model, header, arrays, (1, 1, 2))
    >>> model.group_costs_
    array([1.])
    """
    n_groups, n_centers, n_points = sizes
    if header["method"] not in _METHODS:
        raise ValueError(f"its method is {str(header['method'])[:40]!r}, not one of {', '.join(_METHODS)}")
    model.method_, model.n_centers_ = header["method"], n_centers
    model.group_costs_ = take(arrays, "group_costs", "f8", (n_groups,), least=0)
    model.multipliers_ = take(arrays, "multipliers", "f8", (n_groups,), least=0)
    if "factor" in header:
        model.factor_ = unpacked_number(header["factor"], "factor")
    if "center_indices" in arrays:
        indices = take(arrays, "center_indices", "i8", (n_centers,), least=0, most=n_points - 1)
        model.center_indices_ = indices
