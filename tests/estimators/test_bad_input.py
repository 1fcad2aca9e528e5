"""What bad input gets: the error names the argument, the value and the remedy."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

from faircluster import FairAssignment, FairKMeans, FairKMedian, FairnessBounds, InfeasibleBoundsError
from tests.estimators.cases import QUICK, make_points

X, GROUPS = make_points(30)
SEX = GROUPS["sex"].to_numpy()
EACH = pytest.mark.parametrize("model", [FairKMeans(2), FairKMedian(2), FairAssignment(KMeans(2))])


@EACH
@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_points_that_are_not_finite(model, value, word):
    bad = X.copy()
    bad[4, 1] = bad[9, 0] = value
    with pytest.raises(ValueError, match=rf"X contains {word} in row 4, column 1 \(.*: 2\)"):
        model.fit(bad)
    frame = pd.DataFrame(bad, columns=["age", "pay"])
    with pytest.raises(ValueError, match=rf"X contains {word} in row 4, column 'pay'"):
        model.fit(frame)
    fitted = FairKMeans(2, **QUICK).fit(X)
    for method in (fitted.predict, fitted.assign, fitted.transform, fitted.score):
        with pytest.raises(ValueError, match=f"X contains {word} in row 4"):
            method(bad)


def test_large_points_are_finite():
    assert FairKMeans(2, **QUICK).fit(np.sign(X) * 1e150).labels_.shape == (30,)
    assert FairKMeans(2, **QUICK).fit(X.astype(np.float32) * np.float32(1e15)).violation_ == 0


@EACH
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": X[0]}, "Expected 2D array"),
        ({"X": np.empty((0, 2))}, "0 sample"),
        ({"X": np.empty((30, 0))}, "0 feature"),
        ({"X": np.full((30, 2), "a")}, "could not convert string to float"),
        ({"sensitive_features": SEX[:-1]}, "sensitive_features has 29 rows but 30 are expected"),
        ({"sample_weight": np.ones(29)}, "sample_weight.shape"),
        ({"sample_weight": -np.ones(30)}, "Negative values in data passed to `sample_weight`"),
        ({"sample_weight": np.full(30, np.nan)}, "sample_weight contains NaN"),
        ({"sample_weight": np.zeros(30)}, "sample_weight sums to zero|non-positive|zero"),
    ],
)
def test_arrays_that_do_not_fit(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        model.fit(**{"X": X} | arguments)


@EACH
def test_missing_protected_values(model):
    groups = SEX.astype(object)
    groups[[4, 8]] = None
    with pytest.raises(ValueError, match="missing values in 2 of 30 rows, the first in row 4"):
        model.fit(X, sensitive_features=groups)
    with pytest.raises(ValueError, match=r"'sex'.*missing values in 2 of 30 rows"):
        model.fit(X, sensitive_features=pd.DataFrame({"sex": groups}))
    with pytest.raises(ValueError, match="missing must be 'error' or 'group', got 'drop'"):
        type(model)(**model.get_params(deep=False) | {"missing": "drop"}).fit(X, sensitive_features=groups)


def test_missing_protected_values_as_a_group():
    groups = pd.DataFrame({"sex": SEX.astype(object)})
    groups.iloc[:9, 0] = None
    model = FairKMeans(2, missing="group", bounds=0.5, **QUICK).fit(X, sensitive_features=groups)
    assert model.groups_.names == ("sex=F", "sex=M", "sex=missing")
    count = np.bincount(model.labels_[:9], minlength=2)
    sizes = np.bincount(model.labels_, minlength=2)
    assert (count >= 0.5 * 0.3 * sizes - 1e-9).all()
    assert (count <= 0.3 / 0.5 * sizes + 1e-9).all()


PARAMETERS = [
    ({"n_clusters": 31}, "n_clusters=31 is more than the n_samples=30"),
    ({"n_clusters": 0}, "n_clusters must be a whole number of at least 1, got 0"),
    ({"n_clusters": 2.0}, "n_clusters must be a whole number of at least 1, got 2.0"),
    ({"n_clusters": True}, "n_clusters must be a whole number of at least 1, got True"),
    ({"init": "k-means"}, r"init must be 'k-means\+\+', 'random' or an array of centers, got 'k-means'"),
    ({"init": X[:3]}, r"init has shape \(3, 2\); .* \(2, 2\)"),
    ({"init": np.full((2, 2), np.nan)}, "init must hold finite numbers"),
    ({"init": [["a", "b"], ["c", "d"]]}, "init must hold finite numbers"),
    ({"n_init": 0}, "n_init must be a whole number of at least 1, got 0"),
    ({"n_swaps": -1}, "n_swaps must be None or a whole number of at least 0, got -1"),
    ({"max_iter": 0}, "max_iter must be a whole number of at least 1, got 0"),
    ({"max_iter": 1.5}, "max_iter must be a whole number of at least 1, got 1.5"),
    ({"tol": -1e-4}, "tol must be a number of zero or more, got -0.0001"),
    ({"tol": "small"}, "tol must be a number of zero or more, got 'small'"),
    ({"time_limit": 0}, "time_limit must be None or seconds above zero, got 0"),
    ({"time_limit": "1 s"}, "time_limit must be None or seconds above zero, got '1 s'"),
    ({"rounding": "up"}, "rounding must be 'strict' or 'nearest', got 'up'"),
    ({"bounds": 1.5}, "s must satisfy 0 <= s < 1, got 1.5"),
    ({"bounds": "fair"}, "bounds must be .* got 'fair'"),
    ({"size_min": 3, "size_max": 2}, "size_min 3 exceeds size_max 2"),
    ({"size_min": [1, 2, 3]}, r"size_min has shape \(3,\)"),
]


@pytest.mark.parametrize("kind", [FairKMeans, FairKMedian])
@pytest.mark.parametrize(("parameters", "message"), PARAMETERS)
def test_parameters_out_of_range(kind, parameters, message):
    with pytest.raises(ValueError, match=message):
        kind(**{"n_clusters": 2} | parameters).fit(X, sensitive_features=SEX)


@EACH
@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (FairnessBounds.explicit(lower={"F": 0.9}), "group 'F' .* at least 0.9"),
        (FairnessBounds.explicit(upper={"M": 0.1}), "group 'M' .* more than 0.1"),
        (FairnessBounds.max_share(0.51), "group '[FM]' .* more than 0.51"),
        (FairnessBounds.balance(1.0), "group '[FM]'"),
    ],
)
def test_bounds_no_clustering_can_meet(model, bounds, message):
    model = type(model)(**model.get_params(deep=False) | {"bounds": bounds})
    with pytest.raises(InfeasibleBoundsError, match=message):
        model.fit(X, sensitive_features=SEX)


@EACH
def test_sizes_that_leave_no_room(model):
    for sizes in ({"size_min": 16}, {"size_max": 14}):
        tight = type(model)(**model.get_params(deep=False) | sizes)
        with pytest.raises(InfeasibleBoundsError, match=next(iter(sizes))):
            tight.fit(X)


@EACH
def test_groups_that_do_not_occur(model):
    model = type(model)(**model.get_params(deep=False) | {"bounds": FairnessBounds.explicit({"X": 0.1})})
    with pytest.raises(ValueError, match="group 'X' does not occur; the groups that occur are 'F', 'M'"):
        model.fit(X, sensitive_features=SEX)


def test_bounds_for_another_number_of_clusters():
    bounds = FairnessBounds.per_cluster([0.2, 0.2, 0.2])
    with pytest.raises(ValueError, match="bounds are given for 3 clusters but n_clusters is 2"):
        FairKMeans(2, bounds=bounds).fit(X, sensitive_features=SEX)


def test_a_batch_that_cannot_meet_the_bounds():
    model = FairKMeans(2, bounds=FairnessBounds.explicit(lower={"F": 0.2}), **QUICK).fit(
        X, sensitive_features=SEX
    )
    few = np.array(["F", *"MMMMMMMMM"])
    with pytest.raises(InfeasibleBoundsError, match=r"group 'F' makes up 0\.1 of the data"):
        model.assign(X[:10], sensitive_features=few)


def test_a_time_limit_gives_the_best_found_and_a_warning():
    points, groups = make_points(300, seed=2)
    third = np.random.default_rng(0).choice(["x", "y", "z"], 300, p=[0.9, 0.07, 0.03])
    model = FairKMeans(8, bounds=0.05, time_limit=0.05, max_iter=1, init=points[::40])
    with pytest.warns(RuntimeWarning, match=r"time_limit=0.05 s reached"):
        model.fit(points, sensitive_features=groups.assign(third=third))
    assert model.status_ == "time_limit"
    assert model.violation_ == 0
    assert model.gap_ > 0
