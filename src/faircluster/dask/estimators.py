"""What each method of the estimators does when X is a Dask collection."""

from __future__ import annotations

from typing import Any

from faircluster.dask.alternating import Alternating
from faircluster.dask.fair_assignment import Assignment
from faircluster.dask.k_center import KCenter
from faircluster.dask.runner import Runner
from faircluster.dask.social import Social

__all__ = ["run"]

RUNNERS: dict[str, type[Runner]] = {
    "FairKMeans": Alternating,
    "FairKMedian": Alternating,
    "FairKCenter": KCenter,
    "SocialClusterer": Social,
    "FairAssignment": Assignment,
}


def run(method: str, model: Any, X: Any, *arguments: Any, **named: Any) -> Any:
    """Do what an estimator's method does, on a Dask collection.

    Parameters
    ----------
    method : str
        Name of the method.
    model : estimator
    X : dask array or data frame
    *arguments, **named
        Of the method.

    Returns
    -------
    What the method returns; labels and distances as Dask collections.
    """
    kinds = {cls.__name__: RUNNERS[cls.__name__] for cls in type(model).__mro__ if cls.__name__ in RUNNERS}
    if not kinds:
        raise TypeError(f"{type(model).__name__} does not take Dask collections; pass X.compute()")
    runner = next(iter(kinds.values()))(model)
    return getattr(runner, method)(X, *arguments, **named)
