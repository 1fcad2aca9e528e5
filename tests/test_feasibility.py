import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from faircluster.bounds import FairnessBounds as Bounds
from faircluster.bounds import InfeasibleBoundsError, check_feasible
from faircluster.groups import Groups

# F 332, M 668; b 700, w 300, in three signatures of four
ADULTISH = Groups.from_features(
    np.array([["F", "b"]] * 332 + [["M", "b"]] * 368 + [["M", "w"]] * 300, dtype=object)
)
EQUAL = {"F": 0.5, "M": 0.5}


@pytest.mark.parametrize(
    "bounds",
    [
        None,
        0.0,
        0.2,
        "exact",
        Bounds.interval(0),
        Bounds.ratio(1),
        Bounds.balance(0.42),
        Bounds.max_share(0.7),
        Bounds.slack(0.4, target=EQUAL),
        Bounds.explicit({"F": 0.332}, {"F": 0.332}),
        Bounds.explicit({"F": [0.9, 0.0, 0.0]}),
        Bounds.explicit({"F": [0.9, 0.9, 0.0]}, {"b": [1.0, 0.9, 1.0]}),
        Bounds.per_cluster([0.1, None, Bounds.balance(0.6)]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("sizes", [(None, None), (300, 400), ([0, 0, 750], None)])
def test_feasible(bounds, sizes):
    if sizes == (300, 400) and "0.9" in repr(bounds):
        sizes = ([10, 0, 0], None)
    check_feasible(ADULTISH, Bounds.from_any(bounds), 3, *sizes)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (
            Bounds.explicit({"F": 0.4}),
            r"group 'column 0=F' makes up 0\.332 of the data, but every cluster must hold at least 0\.4 "
            r"of it: impossible whatever the clustering; lower the bound to at most 0\.332$",
        ),
        (
            Bounds.explicit({"F": [0.4, 0.5, 0.6]}),
            r"must hold at least 0\.4 of it",
        ),
        (
            Bounds.explicit(upper={"M": 0.6}),
            r"'column 0=M' makes up 0\.668 of the data, but no cluster may hold more than 0\.6 of it: .* "
            r"raise the bound to at least 0\.668$",
        ),
        (Bounds.slack(0.2, target=EQUAL), r"'column 0=F' makes up 0\.332 .* at least 0\.4"),
        (Bounds.max_share(0.65), r"'column 1=b' makes up 0\.7 .* more than 0\.65"),
        (
            Bounds.balance(0.5),
            r"the data has 0\.428571 of group 'column 1=w' for each one of group 'column 1=b', but every "
            r"cluster must have at least 0\.5: .* lower the balance to at most 0\.4285$",
        ),
        (
            Bounds.exact(target=EQUAL),
            r"each of 3 clusters must be less than one point from a share of 0\.5: .* its target to 0\.332$",
        ),
        (
            Bounds.per_cluster([Bounds.balance(0.5), Bounds.balance(0.9), Bounds.balance(0.6)]),
            r"at least 0\.5",
        ),
    ],
    ids=repr,
)
def test_what_the_whole_data_rules_out(bounds, message):
    with pytest.raises(InfeasibleBoundsError, match=message):
        check_feasible(ADULTISH, bounds, 3)


def test_the_advice_holds():
    groups = Groups.from_features(np.repeat(["F", "M"], [331_554, 668_446]))
    with pytest.raises(InfeasibleBoundsError, match=r"makes up 0\.331554 .* at most 0\.3315$"):
        check_feasible(groups, Bounds.explicit({"F": 0.4}), 2)
    check_feasible(groups, Bounds.explicit({"F": 0.3315}), 2)
    with pytest.raises(InfeasibleBoundsError, match=r"makes up 0\.668446 .* at least 0\.6685$"):
        check_feasible(groups, Bounds.explicit(upper={"M": 0.6}), 2)
    check_feasible(groups, Bounds.explicit(upper={"M": 0.6685}), 2)


def test_a_group_absent_from_a_subset():
    part = Groups.from_features(["a", "b", "b"]).subset([1, 2])
    check_feasible(part, Bounds.slack(0.2), 2)
    with pytest.raises(
        InfeasibleBoundsError, match=r"'a' makes up 0 of the data, .* lower the bound to at most 0$"
    ):
        check_feasible(part, Bounds.explicit({"a": 0.1}), 2)


@pytest.mark.parametrize(
    ("bounds", "size_min", "size_max", "message"),
    [
        # 332 F in all: 390 * 0.9 = 351 are asked of cluster 0
        (
            Bounds.explicit({"F": [0.9, 0, 0]}),
            [390, 0, 0],
            None,
            r"beyond them by 19 points in all: cluster 0 breaks 'column 0=F at least 0\.900 of the cluster' "
            r"by 19 \(332 of 390 points are in column 0=F\)\. Loosen",
        ),
        # cluster 2 takes at most 500 points, so the others need 0.9 F among 500
        (Bounds.explicit({"F": [0.9, 0.9, 0]}), None, [1000, 1000, 500], r"by 118 points in all"),
        # 332 F and 368 M make 700, 18 M more than half
        (Bounds.explicit(upper={"M": [0.5, 1, 1]}), [700, 0, 0], None, r"by 18 \(368 of 700 points are in"),
    ],
)
def test_what_only_the_linear_program_finds(bounds, size_min, size_max, message):
    with pytest.raises(InfeasibleBoundsError, match=message):
        check_feasible(ADULTISH, bounds, 3, size_min, size_max)


def test_exact_with_a_target_near_the_data():
    groups = Groups.from_features(np.repeat(["a", "b"], [9, 11]))
    target = {"a": 0.5, "b": 0.5}
    check_feasible(groups, Bounds.exact(target=target), 2)  # one point short over two clusters
    with pytest.raises(InfeasibleBoundsError, match=r"less than one point from a share of 0\.5"):
        check_feasible(groups, Bounds.exact(target=target), 1)


def test_sizes_are_checked():
    with pytest.raises(InfeasibleBoundsError, match="size_min asks for 1200 points"):
        check_feasible(ADULTISH, Bounds.slack(0.2), 3, 400)
    with pytest.raises(ValueError, match="n_clusters must be a whole number"):
        check_feasible(ADULTISH, Bounds.slack(0.2), 0)


SHARES = st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.7, 1.0])


@st.composite
def cases(draw):
    k = draw(st.integers(1, 3))
    n = draw(st.integers(1, 12))
    table = np.array([draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)) for _ in range(2)]).T
    groups = Groups.from_features(table)
    limits = [{}, {}]
    for name in groups.names:
        pairs = [sorted(draw(st.tuples(SHARES, SHARES))) for _ in range(k)]
        for side in (0, 1):
            if draw(st.booleans()):
                limits[side][name] = [pair[side] for pair in pairs]
    low = draw(st.lists(st.integers(0, 4), min_size=k, max_size=k))
    high = [size + draw(st.integers(0, 12)) for size in low]
    return groups, Bounds.explicit(*limits), k, low, high


@given(cases())
@settings(max_examples=200, deadline=None)
def test_agrees_with_the_linear_program(case):
    groups, bounds, k, low, high = case
    try:
        rows = bounds.rows(groups, k, low, high)
    except ValueError as error:
        with pytest.raises(type(error)):
            check_feasible(groups, bounds, k, low, high)
        return
    r, n_signatures = rows.coef.shape[1:]
    upper = np.zeros((k * r, n_signatures * k))
    placed = np.zeros((n_signatures, n_signatures * k))
    for j in range(k):
        upper[j * r : (j + 1) * r, j::k] = rows.coef[j]
        placed[:, j::k] = np.eye(n_signatures)
    plain = linprog(
        np.zeros(n_signatures * k),
        A_ub=upper if r else None,
        b_ub=rows.rhs.ravel() if r else None,
        A_eq=placed,
        b_eq=groups.signature_counts,
    )
    assert plain.status in (0, 2)
    if plain.status == 0:
        check_feasible(groups, bounds, k, low, high)
    else:
        with pytest.raises(InfeasibleBoundsError):
            check_feasible(groups, bounds, k, low, high)
