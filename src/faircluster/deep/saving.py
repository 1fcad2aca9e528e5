"""Fitted models in one file each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from faircluster.bounds import FairnessBounds
from faircluster.deep.files import read_tensors, write_tensors
from faircluster.deep.preparing import choose_device, network_maker
from faircluster.deep.recipes import resolve_recipe
from faircluster.groups import Groups
from faircluster.persistence import bounds_from_dict, bounds_to_dict

if TYPE_CHECKING:
    from faircluster.deep.estimator import DeepFairClustering

__all__ = ["load_model", "save_model"]

KIND = "faircluster deep model"
_NUMBERS = ("center_", "scale_", "violation_", "gap_", "balance_", "fair_balance_")
_PLAIN = ("scores_", "information_", "start_", "status_", "guided_", "n_iter_", "history_", "network_kind_")
_ARRAYS = {"labels": "labels_", "fair_labels": "fair_labels_"}


def save_model(model: DeepFairClustering, path: str | os.PathLike[str]) -> None:
    """Write parameters, fitted attributes and weights; see :meth:`DeepFairClustering.save`."""
    parameters = {}
    for name, value in model.get_params(deep=False).items():
        if isinstance(value, np.ndarray | np.generic):
            value = value.tolist()  # noqa: PLW2901 - the same, for JSON
        # code cannot be kept, seeds and files belong to the fit
        plain = value is None or isinstance(value, str | bool | int | float | list)
        if plain and name not in ("bounds", "checkpoint"):
            parameters[name] = value
    groups = model.groups_
    header = {
        "parameters": parameters,
        "bounds": bounds_to_dict(FairnessBounds.from_any(model.bounds)),
        "applied_bounds": bounds_to_dict(model.bounds_),
        "fitted": {name: getattr(model, name) for name in (*_NUMBERS, *_PLAIN)},
        "shape": list(model.sample_shape_),
        "feature_names": [str(name) for name in getattr(model, "feature_names_in_", ())],
        "groups": {"names": list(groups.names), "attributes": list(groups.attributes)},
    }
    arrays = {name: getattr(model, attribute) for name, attribute in _ARRAYS.items()}
    arrays |= {"membership": groups.signature_membership, "counts": groups.signature_counts}
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    weights = {f"network.{name}": value for name, value in model.network_.state_dict().items()}
    write_tensors(path, KIND, header, tensors | weights)


def load_model(cls: type[Any], path: str | os.PathLike[str], network: Any) -> DeepFairClustering:
    """Read what :func:`save_model` wrote; see :meth:`DeepFairClustering.load`."""
    header, tensors = read_tensors(path, KIND)
    fitted, shape = header["fitted"], tuple(header["shape"])
    kind = fitted["network_kind_"]
    if kind == "given" and network is None:
        raise ValueError(f"{os.fspath(path)} was fitted with a network of its own; give it as network=...")
    parameters = header["parameters"]
    model: DeepFairClustering = cls(**{**parameters, "bounds": bounds_from_dict(header["bounds"])})
    if network is not None:
        model.network = network
    if not torch.cuda.is_available():
        model.device = "auto"  # a model fitted on a GPU predicts on a CPU as well
    recipe = resolve_recipe(model.preset)
    make = network_maker(kind if network is None else network, shape, model.n_clusters, recipe,
                         choose_device(model.device))  # fmt: skip
    model.network_ = make(0).eval()
    weights = {name[8:]: value for name, value in tensors.items() if name.startswith("network.")}
    try:
        model.network_.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"network does not fit the weights in {os.fspath(path)}: {error}") from error
    for name, value in fitted.items():
        setattr(model, name, value)
    model.sample_shape_ = shape
    if len(shape) == 1:
        model.n_features_in_ = shape[0]
    if header["feature_names"]:
        model.feature_names_in_ = np.array(header["feature_names"], dtype=object)
    for name, attribute in _ARRAYS.items():
        setattr(model, attribute, tensors[name].numpy())
    membership = tensors["membership"].numpy()
    model.groups_ = Groups(
        np.arange(len(membership), dtype=np.int32),
        membership,
        tuple(header["groups"]["names"]),
        tuple(header["groups"]["attributes"]),
        tensors["counts"].numpy(),
    )
    model.bounds_ = bounds_from_dict(header["applied_bounds"])
    return model
