"""Fitted models in files that loading cannot run code from."""

from faircluster.persistence.bounds_json import bounds_from_dict, bounds_to_dict
from faircluster.persistence.models import load_model, load_prepared, save_model
from faircluster.persistence.preparation import Preparation

__all__ = [
    "Preparation",
    "bounds_from_dict",
    "bounds_to_dict",
    "load_model",
    "load_prepared",
    "save_model",
]
