import math
import time

import numpy as np
import pytest

from faircluster.bounds import FairnessBounds as Bounds
from faircluster.bounds import InfeasibleBoundsError
from faircluster.groups import Groups

THREE = Groups.from_features(list("aabbbccccc"))


def test_size_rows():
    rows = Bounds.max_share(0.9).rows(THREE, 3, size_min=[1, 2, 0], size_max=5)
    assert rows.descriptions[-2:] == ("size at least 0...2", "size at most 5")
    assert rows.coef[1, -2:].tolist() == [[-1.0] * 3, [1.0] * 3]
    assert rows.rhs[:, -2:].tolist() == [[-1.0, 5.0], [-2.0, 5.0], [0.0, 5.0]]
    assert rows.excess([[2, 0, 0], [3, 0, 0], [1, 1, 3]])[:, -2:].tolist() == [
        [-5.0, 1.0],
        [1.0, -4.0],
        [-3.0, -2.0],
    ]
    assert rows.coef.strides[0] == 0
    differing = Bounds.explicit(upper={"a": [0.9, 0.8]}).rows(THREE, 2, size_max=[4, math.inf])
    assert differing.rhs[:, -1].tolist() == [4.0, 10.0]
    assert differing.coef[:, -1].tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize(
    ("size_min", "size_max", "error", "message"),
    [
        (4, None, InfeasibleBoundsError, "size_min asks for 12 points over 3 clusters but the data has 10"),
        (
            None,
            [3, 3, 3],
            InfeasibleBoundsError,
            "size_max leaves room for 9 points in 3 clusters but the data has 10",
        ),
        (
            [1, 2],
            None,
            ValueError,
            r"size_min has shape \(2,\); give one number, or one for each of 3",
        ),
        (-1, None, ValueError, "size_min must be zero or more, got -1 for cluster 0"),
        (None, [9, -2, 9], ValueError, "size_max must be zero or more, got -2 for cluster 1"),
        (None, math.nan, ValueError, "size_max must be zero or more, got nan"),
        (math.inf, None, ValueError, "size_min must be zero or more, got inf"),
        ([0, 5, 0], [9, 4, 9], ValueError, "size_min 5 exceeds size_max 4 for cluster 1"),
        ("3", None, TypeError, "size_min must be None, a number or 3 numbers, got '3'"),
        (None, True, TypeError, "size_max must be None, a number or 3 numbers, got True"),
    ],
)
def test_invalid_sizes(size_min, size_max, error, message):
    with pytest.raises(error, match=message) as caught:
        Bounds.slack(0.2).rows(THREE, 3, size_min, size_max)
    assert isinstance(caught.value, InfeasibleBoundsError) == (error is InfeasibleBoundsError)


def test_excess_checks_its_input():
    rows = Bounds.slack(0.2).rows(THREE, 2)
    with pytest.raises(ValueError, match=r"quotas has shape \(2, 3\), expected \(3, 2\)"):
        rows.excess(np.zeros((2, 3)))


def test_rows_are_quick():
    rng = np.random.default_rng(0)
    small = Groups.from_features(np.c_[rng.integers(0, 2, 5000), rng.integers(0, 5, 5000)])
    large = Groups.from_features(rng.integers(0, 100, 50_000))
    start = time.perf_counter()
    Bounds.slack(0.2).rows(small, 10)
    Bounds.slack(0.2).rows(large, 30)
    rows = Bounds.balance(0.1).rows(large, 30)
    assert time.perf_counter() - start < 1.0  # 0.05 s on two idle cores
    assert rows.coef.shape == (30, 9900, 100)
    assert rows.coef.strides[0] == 0
