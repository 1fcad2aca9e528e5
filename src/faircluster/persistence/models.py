"""Save fitted models to one file and load them again, without pickle.

The file (see :mod:`faircluster.persistence.archive`) holds names and numbers only: loading one cannot run
code, whoever wrote it. Everything read is checked before a model is made of it.
"""

from __future__ import annotations

import numbers
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from faircluster.bounds import FairnessBounds
from faircluster.estimators import (
    FairKCenter,
    FairKMeans,
    FairKMedian,
    SociallyFairKMeans,
    SociallyFairKMedian,
)
from faircluster.groups import Groups
from faircluster.persistence.archive import read_archive, write_archive
from faircluster.persistence.bounds_json import bounds_from_dict, bounds_to_dict
from faircluster.persistence.fields import packed_number, take, texts, unpacked_number, whole
from faircluster.persistence.preparation import Preparation
from faircluster.persistence.social_fields import SOCIAL, pack_social, unpack_social

__all__ = ["load_model", "load_prepared", "save_model"]

FORMAT = "faircluster model"
FORMAT_VERSION = 1
_CLASSES = {
    "FairKMeans": FairKMeans,
    "FairKMedian": FairKMedian,
    "FairKCenter": FairKCenter,
    "SociallyFairKMeans": SociallyFairKMeans,
    "SociallyFairKMedian": SociallyFairKMedian,
}
_EVERY = ("lower_bound_", "gap_", "violation_", "price_of_fairness_")
_SUMS = ("inertia_", "unconstrained_cost_", *_EVERY)
# fitted numbers of each class; those not named here have both costs
_NUMBERS = {
    "FairKMeans": _SUMS,
    "FairKCenter": ("radius_", "relaxed_radius_", "unconstrained_radius_", *_EVERY),
}
_STATUSES = ("optimal", "feasible", "time_limit")
_PARAMETER = "parameter."  # before the names of arrays that are constructor parameters

Model = FairKMeans | FairKMedian | FairKCenter | SociallyFairKMeans | SociallyFairKMedian


def save_model(model: Model, path: str | os.PathLike[str], *, preparation: Preparation | None = None) -> None:
    """Save a fitted model, atomically; O(n + k d).

    Parameters
    ----------
    model : FairKMeans, FairKMedian, FairKCenter, SociallyFairKMeans or SociallyFairKMedian
        Fitted.
    path : path
        File to write, customarily ``.npz``.
    preparation : Preparation, optional
        Column names and scaling that belong to the model; :func:`load_prepared` returns it.

    Raises
    ------
    TypeError
        Another class: a FairAssignment holds somebody else's estimator.
    ValueError
        A model that is not fitted, or a parameter that is no plain value, such as a RandomState.
    OSError
        The file cannot be written; an older one is left as it was.

    See Also
    --------
    load_model : Its inverse.

    Notes
    -----
    Kept are the constructor's parameters and all fitted attributes. Not kept are settings of scikit-learn
    such as ``set_output``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from faircluster import FairKMeans
    >>> from faircluster.persistence import load_model, save_model
    >>> X = [[0.0], [1.0], [8.0], [9.0]]
    >>> model = FairKMeans(2, random_state=0).fit(X, sensitive_features=list("abab"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, Path(folder) / "model.npz")
    ...     loaded = load_model(Path(folder) / "model.npz")
    >>> (loaded.predict([[2.0], [7.0]]) == model.predict([[2.0], [7.0]])).all()
    np.True_
    """
    name = type(model).__name__
    if _CLASSES.get(name) is not type(model):
        why = (
            "it holds an estimator of another library; save that estimator with its own tools and its "
            "labels next to it"
            if name == "FairAssignment"
            else f"only {', '.join([*_CLASSES][:-1])} and {[*_CLASSES][-1]} can be"
        )
        raise TypeError(f"a {name} cannot be saved: {why}")
    check_is_fitted(model)
    from faircluster import __version__

    parameters, arrays = _packed_parameters(model)
    groups = model.groups_
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "faircluster_version": __version__,
        "class": name,
        "parameters": parameters,
        "fitted": {key: packed_number(getattr(model, key)) for key in _numbers(type(model))},
        "status": model.status_,
        "n_iter": int(model.n_iter_),
        "bounds": bounds_to_dict(model.bounds_),
        "groups": {"names": list(groups.names), "attributes": list(groups.attributes)},
        "n_features_in": int(model.n_features_in_),
        "feature_names_in": [str(feature) for feature in getattr(model, "feature_names_in_", ())] or None,
        "preparation": None if preparation is None else preparation.to_dict(),
    }
    arrays |= {
        # those of a Dask collection stay with the data
        "labels": np.empty(0, np.int32) if hasattr(model.labels_, "__dask_graph__") else model.labels_,
        "quotas": model.quotas_,
        "signature_membership": groups.signature_membership,
        "signature_counts": groups.signature_counts,
    }
    for attribute in ("cluster_centers_", "center_indices_"):
        if hasattr(model, attribute):
            arrays[attribute.removesuffix("_")] = getattr(model, attribute)
    if isinstance(model, SOCIAL):
        header["social"], more = pack_social(model)
        arrays |= more
    if model.limits_ is not None:
        arrays["lower_limits"], arrays["upper_limits"] = model.limits_
    write_archive(path, header, arrays)


def load_model(path: str | os.PathLike[str]) -> Model:
    """Load a model saved by :func:`save_model`.

    Parameters
    ----------
    path : path

    Returns
    -------
    FairKMeans, FairKMedian, FairKCenter, SociallyFairKMeans or SociallyFairKMedian
        Fitted; it predicts, assigns and transforms as the one that was saved.

    Raises
    ------
    ValueError
        The file is no model, is damaged, or comes from a newer faircluster; the message names the file.
    OSError
        The file does not exist or cannot be read.

    Examples
    --------
    See :func:`save_model`.
    """
    return load_prepared(path)[0]


def load_prepared(path: str | os.PathLike[str]) -> tuple[Model, Preparation | None]:
    """Load a model and the preparation of its data.

    Parameters
    ----------
    path : path

    Returns
    -------
    model : FairKMeans, FairKMedian, FairKCenter, SociallyFairKMeans or SociallyFairKMedian
    preparation : Preparation or None
        None when the model was saved without one.

    Raises
    ------
    ValueError, OSError
        As :func:`load_model`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from faircluster import FairKMeans
    >>> from faircluster.persistence import Preparation, load_prepared, save_model
    >>> X, sex = [[0.0], [1.0], [8.0], [9.0]], list("abab")
    >>> preparation = Preparation.fitted(X, ["age"], ["sex"], "minmax")
    >>> model = FairKMeans(2, random_state=0).fit(preparation.apply(X), sensitive_features=sex)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, Path(folder) / "model.npz", preparation=preparation)
    ...     load_prepared(Path(folder) / "model.npz")[1].features
    ('age',)
    """
    try:
        header, arrays = read_archive(path)
        _check_format(header)
        return _unpacked(header, arrays)
    # A hostile header can hold any value anywhere: what the checks do not foresee is damage all the same.
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        reason = str(error) if type(error) is ValueError else f"its content is damaged ({error!r})"
        raise ValueError(f"{os.fspath(path)} is not a model faircluster can load: {reason}") from error


def _check_format(header: dict[str, Any]) -> None:
    if header.get("format") != FORMAT:
        raise ValueError("it is an archive of something else")
    version = header.get("format_version")
    if type(version) is not int or version < 1:
        raise ValueError(f"its format version is {version!r}")
    if version > FORMAT_VERSION:
        writer = str(header.get("faircluster_version"))[:20]
        raise ValueError(
            f"it was written by a newer faircluster ({writer}, format {version}; this one reads up to "
            f"{FORMAT_VERSION}), upgrade to load it"
        )


def _unpacked(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> tuple[Model, Preparation | None]:
    """Make the model of a header and arrays, checking each against the others."""
    cls = _CLASSES.get(header["class"]) if isinstance(header["class"], str) else None
    if cls is None:
        raise ValueError(f"it holds a {str(header['class'])[:40]!r}, not one of {', '.join(_CLASSES)}")
    model: Model = cls(**_unpacked_parameters(cls, header["parameters"], arrays))
    d = whole(header, "n_features_in", least=1)
    groups = _unpacked_groups(header["groups"], arrays)
    quotas = take(arrays, "quotas", "f8", (groups.n_signatures, None), least=0)
    k = quotas.shape[1]
    if k < 1:
        raise ValueError("it has no clusters")
    labels = take(arrays, "labels", "i4", (None,), least=0, most=k - 1)
    precomputed = getattr(model, "metric", "") == "precomputed"
    if precomputed or (isinstance(model, FairKCenter) and "center_indices" in arrays):
        last = {"most": d - 1} if precomputed else {}
        model.center_indices_ = take(arrays, "center_indices", "i8", (k,), least=0, **last)  # type: ignore[union-attr]
    if not precomputed:
        model.cluster_centers_ = take(arrays, "cluster_centers", "f", (k, d))
    if isinstance(model, SOCIAL):
        unpack_social(model, header["social"], arrays, (groups.n_groups, k, len(labels)))
    for name, value in _unpacked_fitted(cls, header["fitted"]).items():
        setattr(model, name, value)
    if header["status"] not in _STATUSES:
        raise ValueError(f"its status is {str(header['status'])[:40]!r}, not one of {', '.join(_STATUSES)}")
    model.labels_, model.quotas_, model.groups_ = labels, quotas, groups
    model.status_, model.n_iter_ = header["status"], whole(header, "n_iter", least=0)
    model.bounds_ = bounds_from_dict(header["bounds"])
    model.limits_ = None
    if "lower_limits" in arrays or "upper_limits" in arrays:
        shape = (groups.n_groups, k)
        model.limits_ = (
            take(arrays, "lower_limits", "f8", shape, least=0, most=1),
            take(arrays, "upper_limits", "f8", shape, least=0, most=1),
        )
    model.n_features_in_ = d
    if header["feature_names_in"] is not None:
        model.feature_names_in_ = np.array(texts(header, "feature_names_in", d), dtype=object)
    if arrays:
        raise ValueError(f"it holds unknown arrays: {', '.join(arrays)}")
    given = header["preparation"]
    preparation = None if given is None else Preparation.from_dict(given)
    if preparation is not None and len(preparation.features) != d:
        raise ValueError(f"its preparation has {len(preparation.features)} features, the model {d}")
    return model, preparation


# ---- constructor parameters


def _packed_parameters(model: Model) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Parameters as JSON, and those that are arrays."""
    parameters: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in model.get_params(deep=False).items():
        if value is None or isinstance(value, str):
            parameters[name] = value
        elif isinstance(value, bool | np.bool_):
            parameters[name] = bool(value)
        elif isinstance(value, numbers.Integral):
            parameters[name] = int(value)
        elif isinstance(value, numbers.Real):
            parameters[name] = packed_number(value)
        elif isinstance(value, FairnessBounds):
            parameters[name] = {"bounds": bounds_to_dict(value)}
        else:
            parameters[name] = {"array": True}
            arrays[_PARAMETER + name] = _numeric_array(name, value)
    return parameters, arrays


def _numeric_array(name: str, value: Any) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "iuf" or array.ndim not in (1, 2):
        raise ValueError(
            f"parameter {name}={value!r} cannot be saved, only plain values and arrays of numbers can; "
            f"set another with set_params({name}=...), which leaves the fitted model as it is"
        )
    kept = array.dtype in (np.float64, np.float32, np.int64, np.int32)
    return array if kept else array.astype(np.float64 if array.dtype.kind == "f" else np.int64)


def _unpacked_parameters(
    cls: type[Model], packed: dict[str, Any], arrays: dict[str, NDArray[Any]]
) -> dict[str, Any]:
    """Parameters to construct with; one that is missing was added later and keeps its default."""
    known = cls().get_params(deep=False)
    unknown = sorted(packed.keys() - known.keys())
    if unknown:
        raise ValueError(f"it has unknown parameters: {', '.join(unknown)[:200]}")
    parameters: dict[str, Any] = {}
    for name, value in packed.items():
        match value:
            case {"bounds": content}:
                parameters[name] = bounds_from_dict(content)
            case {"array": True}:
                parameters[name] = arrays.pop(_PARAMETER + name)
            case None | bool() | int() | float() | str():
                parameters[name] = value
            case _:
                parameters[name] = unpacked_number(value, name)
    FairnessBounds.from_any(parameters.get("bounds"))
    return parameters


# ---- fitted values


def _numbers(cls: type[Model]) -> tuple[str, ...]:
    """Names of the fitted numbers of a class."""
    return _NUMBERS.get(cls.__name__, ("cost_", *_SUMS))


def _unpacked_fitted(cls: type[Model], packed: dict[str, Any]) -> dict[str, float]:
    expected = _numbers(cls)
    if sorted(packed) != sorted(expected):
        raise ValueError(f"its fitted values are {', '.join(packed)[:200]}, not {', '.join(expected)}")
    return {name: unpacked_number(packed[name], name) for name in expected}


def _unpacked_groups(packed: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Groups:
    membership = take(arrays, "signature_membership", "b1", (None, None))
    counts = take(arrays, "signature_counts", "f8", (len(membership),), least=0)
    names = texts(packed, "names", membership.shape[1])
    attributes = texts(packed, "attributes", membership.shape[1])
    if not names or len(set(names)) < len(names):
        raise ValueError("its groups have no names or repeated ones")
    signature = np.arange(len(membership), dtype=np.int32)
    return Groups(signature, membership, tuple(names), tuple(attributes), counts)
