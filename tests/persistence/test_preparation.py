import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from faircluster.persistence import Preparation

X = np.random.default_rng(0).normal(size=(50, 3)) * [1.0, 100.0, 0.01] + 5


@pytest.mark.parametrize(("scale", "scaler"), [("minmax", MinMaxScaler()), ("standard", StandardScaler())])
def test_scales_as_scikit_learn_does(scale, scaler):
    new = X[:10] * 1.3
    preparation = Preparation.fitted(X, list("abc"), ["sex"], scale)
    np.testing.assert_allclose(preparation.apply(new), scaler.fit(X).transform(new), atol=1e-12)


def test_none_leaves_numbers_as_they_are():
    assert (Preparation.fitted(X, list("abc"), scale="none").apply(X) == X).all()


@pytest.mark.parametrize("scale", ["minmax", "standard"])
def test_constant_column_becomes_zero(scale):
    assert Preparation.fitted([[7.0], [7.0]], ["a"], scale=scale).apply([[7.0]]) == 0.0


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.sampled_from(["minmax", "standard", "none"])
)
def test_json_round_trip_is_exact(column, scale):
    preparation = Preparation.fitted(np.array(column)[:, None], ["ä, b"], ["s"], scale)
    assert Preparation.from_dict(json.loads(json.dumps(preparation.to_dict()))) == preparation


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="scale must be one of minmax, standard, none, got 'max'"):
        Preparation.fitted(X, list("abc"), scale="max")
    for wrong in (X[:, :2], X[0], X[:0]):
        with pytest.raises(ValueError, match=r"X must have shape \(n, 3\)"):
            Preparation.fitted(wrong, list("abc"))
    for scale in ("minmax", "standard"):
        with pytest.raises(ValueError, match="column 'b' holds numbers that are too large"):
            Preparation.fitted([[0.0, -1e308], [1.0, 1e308]], ["a", "b"], scale=scale)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("features", "x"),
        ("features", [1]),
        ("sensitive", None),
        ("offset", [1.0, 2.0]),
        ("offset", [True]),
        ("offset", [float("nan")]),
        ("spread", [0.0]),
        ("spread", ["1"]),
        ("scale", "log"),
        ("more", 1),
    ],
)
def test_from_dict_refuses(field, value):
    values = Preparation.fitted([[1.0]], ["x"], ["s"]).to_dict() | {field: value}
    with pytest.raises(ValueError, match="preparation"):
        Preparation.from_dict(values)
    with pytest.raises(ValueError, match="preparation"):
        Preparation.from_dict([values])
