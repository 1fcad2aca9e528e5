"""Fitted models of every kind that can be saved."""

import numpy as np
import pandas as pd
import pytest

from faircluster import (
    FairKCenter,
    FairKMeans,
    FairKMedian,
    FairnessBounds,
    SociallyFairKMeans,
    SociallyFairKMedian,
)

N = 60


def data(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 3)) + rng.integers(0, 3, size=N)[:, None] * 4
    frame = pd.DataFrame({"sex": rng.choice(["F", "M"], N), "race": rng.choice(["a", "b", "é$c"], N)})
    return X, frame


def _precomputed():
    X, _ = data()
    return np.linalg.norm(X[:, None] - X[None], axis=2)


def _fitted(name):  # noqa: PLR0912 - one kind of model a branch
    X, frame = data()
    weights = np.random.default_rng(1).integers(1, 4, N).astype(float)
    fit = {"sensitive_features": frame}
    target = {"sex=F": 0.5, "sex=M": 0.5}
    match name:
        case "plain":
            model = FairKMeans(3, bounds=0.3, random_state=0)
        case "float32":
            X, model = X.astype(np.float32), FairKMeans(3, bounds=0.3, random_state=np.int64(0))
        case "weights":
            model, fit = FairKMeans(3, bounds=0.3, random_state=0), {**fit, "sample_weight": weights}
        case "frame":
            X, model = pd.DataFrame(X, columns=["x", "y", "ü"]), FairKMeans(3, bounds=0.3, random_state=0)
        case "exact":
            model, fit = FairKMeans(2, bounds="exact", random_state=0), {"sensitive_features": frame["sex"]}
        case "no groups":
            model, fit = FairKMeans(3, size_max=np.inf, random_state=0), {}
        case "arrays":
            model = FairKMeans(
                3, bounds=0.5, init=X[:3], size_min=[5, 6, 7], size_max=np.array([40.0, 50.0, 60.0])
            )
        case "per cluster":
            bounds = FairnessBounds.per_cluster([0.5, None, FairnessBounds.interval(0.3, target=target)])
            model = FairKMeans(3, bounds=bounds, random_state=0)
        case "explicit":
            bounds = FairnessBounds.explicit(lower={"sex=F": 0.2}, upper={"race=a": [0.7, 0.8, 0.9]})
            model = FairKMeans(3, bounds=bounds, intersect=False, missing="group", random_state=0)
        case "intersect":
            model = FairKMeans(2, bounds=0.6, intersect=True, random_state=0)
        case "median":
            model = FairKMedian(3, bounds=0.3, random_state=0)
        case "medoids":
            X, model = _precomputed(), FairKMedian(3, metric="precomputed", bounds=0.3, random_state=0)
        case "center":
            model = FairKCenter(3, metric="manhattan", bounds=0.5, random_state=0)
        case "center precomputed":
            X, model = _precomputed(), FairKCenter(3, metric="precomputed", bounds=0.5, random_state=0)
        case "supplier":
            model = FairKCenter(3, bounds=0.5, rounding="nearest", time_limit=60.0, random_state=0)
            return model.fit(X, facilities=X[::2] + 0.1, **fit), X, fit
        case "social":
            model = SociallyFairKMeans(3, n_init=2, random_state=0)
        case "social bounded":
            model = SociallyFairKMeans(3, bounds=0.5, n_init=2, random_state=0)
            fit = {"sensitive_features": frame["sex"]}
        case "social program":
            model = SociallyFairKMedian(3, method="lp", random_state=0)
        case "social precomputed":
            X, model = _precomputed(), SociallyFairKMedian(3, metric="precomputed", random_state=0)
    return model.fit(X, **fit), X, fit


KINDS = (
    "plain",
    "float32",
    "weights",
    "frame",
    "exact",
    "no groups",
    "arrays",
    "per cluster",
    "explicit",
    "intersect",
    "median",
    "medoids",
    "center",
    "center precomputed",
    "supplier",
    "social",
    "social bounded",
    "social program",
    "social precomputed",
)


@pytest.fixture(scope="session", params=KINDS)
def fitted(request):
    """(model, X, keyword arguments of fit)."""
    return _fitted(request.param)


@pytest.fixture(scope="session")
def plain():
    return _fitted("plain")
