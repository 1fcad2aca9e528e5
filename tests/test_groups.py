import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.groups import Groups

SEX = ["F", "M", "M", "F", "M"]
RACE = ["w", "w", "b", "b", "w"]
FRAME = pd.DataFrame({"sex": SEX, "race": RACE})


def summary(groups):
    """Everything but the numbering of signatures, in comparable form."""
    return groups.names, groups.attributes, groups.counts.tolist(), groups.membership.tolist()


@pytest.mark.parametrize(
    "column",
    [
        SEX,
        tuple(SEX),
        np.array(SEX),
        np.array(SEX, dtype=object),
        np.array(SEX, dtype=np.dtypes.StringDType()),
        pd.Series(SEX),
        pd.Series(SEX, dtype=object),
        pd.Series(SEX, dtype="category"),
        pd.Categorical(SEX, categories=["X", "M", "F"]),
        pd.Index(SEX),
        pl.Series(SEX),
        pl.Series(SEX, dtype=pl.Categorical),
        pa.array(SEX),
        pa.chunked_array([SEX[:2], SEX[2:]]),
        pa.array(SEX).dictionary_encode(),
    ],
    ids=lambda column: f"{type(column).__module__}.{type(column).__name__}",
)
def test_unnamed_column_of_any_kind(column):
    groups = Groups.from_features(column)
    assert groups.names == ("F", "M")
    assert groups.attributes == ("", "")
    assert groups.signature.tolist() == [0, 1, 1, 0, 1]
    assert groups.signature.dtype == np.int32
    assert groups.signature_membership.tolist() == [[True, False], [False, True]]
    assert groups.counts.tolist() == [2.0, 3.0]
    assert groups.shares.tolist() == [0.4, 0.6]
    assert (groups.n_rows, groups.n_groups, groups.n_signatures, groups.total) == (5, 2, 2, 5.0)


@pytest.mark.parametrize("column", [pd.Series(SEX, name="sex"), pl.Series("sex", SEX)])
def test_a_series_keeps_its_name(column):
    groups = Groups.from_features(column)
    assert groups.names == ("sex=F", "sex=M")
    assert groups.attributes == ("sex", "sex")


@pytest.mark.parametrize(
    "table",
    [
        FRAME,
        FRAME.astype("category"),
        FRAME.astype(object),
        pl.from_pandas(FRAME),
        pa.Table.from_pandas(FRAME),
        pa.RecordBatch.from_pandas(FRAME),
    ],
    ids=["pandas", "pandas category", "pandas object", "polars", "arrow table", "arrow batch"],
)
def test_columns_of_a_table_are_attributes(table):
    groups = Groups.from_features(table)
    assert groups.names == ("sex=F", "sex=M", "race=b", "race=w")
    assert groups.attributes == ("sex", "sex", "race", "race")
    assert groups.counts.tolist() == [2.0, 3.0, 2.0, 3.0]
    # signatures in the order of (sex, race): F b, F w, M b, M w
    assert groups.signature.tolist() == [1, 3, 2, 0, 3]
    assert groups.signature_counts.tolist() == [1.0, 1.0, 1.0, 2.0]
    assert groups.membership[2].tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    "array",
    [FRAME.to_numpy(), FRAME.to_numpy(dtype=str), FRAME.to_numpy().tolist(), pd.DataFrame(FRAME.to_numpy())],
)
def test_columns_without_names_are_numbered(array):
    groups = Groups.from_features(array)
    assert groups.names == ("column 0=F", "column 0=M", "column 1=b", "column 1=w")
    assert groups.attributes == ("column 0", "column 0", "column 1", "column 1")


def test_none_is_one_group():
    groups = Groups.from_features(None, n_rows=3)
    assert (groups.names, groups.counts.tolist(), groups.n_signatures) == (("all",), [3.0], 1)
    weighted = Groups.from_features(None, sample_weight=[1.0, 2.0])
    assert weighted.counts.tolist() == [3.0]
    with pytest.raises(ValueError, match="n_rows is needed"):
        Groups.from_features(None)


@pytest.mark.parametrize("values", [["a"] * 4, [3], np.zeros(5)])
def test_one_value_is_one_group(values):
    groups = Groups.from_features(values)
    assert groups.shares.tolist() == [1.0]
    assert groups.n_signatures == 1


MEMBER = np.array([[True, False], [True, True], [False, False], [True, True]])


@pytest.mark.parametrize(
    ("matrix", "names"),
    [
        (MEMBER, ("group 0", "group 1")),
        (MEMBER.tolist(), ("group 0", "group 1")),
        (pd.DataFrame(MEMBER, columns=["old", "poor"]), ("old", "poor")),
        (pl.DataFrame(MEMBER, schema=["old", "poor"]), ("old", "poor")),
        (pa.table({"old": MEMBER[:, 0], "poor": MEMBER[:, 1]}), ("old", "poor")),
        (pd.DataFrame(MEMBER, columns=["old", "poor"]).convert_dtypes(), ("old", "poor")),
    ],
)
def test_boolean_matrix_is_membership(matrix, names):
    groups = Groups.from_features(matrix)
    assert groups.names == names
    assert groups.attributes == ("", "")
    assert groups.membership.tolist() == MEMBER.tolist()
    assert groups.counts.tolist() == [3.0, 2.0]
    assert groups.n_signatures == 3


def test_a_boolean_column_next_to_others_is_an_attribute():
    groups = Groups.from_features(pd.DataFrame({"old": [True, False], "sex": ["F", "M"]}))
    assert groups.names == ("old=False", "old=True", "sex=F", "sex=M")


def test_membership_group_without_members():
    with pytest.raises(ValueError, match="'poor' is a group without members"):
        Groups.from_features(pd.DataFrame({"old": [True, False], "poor": [False, False]}))


def test_intersections():
    groups = Groups.from_features(FRAME, intersect=True)
    assert groups.names == ("sex=F & race=b", "sex=F & race=w", "sex=M & race=b", "sex=M & race=w")
    assert set(groups.attributes) == {"sex & race"}
    assert groups.signature.tolist() == [1, 3, 2, 0, 3]
    assert np.array_equal(groups.signature_membership, np.eye(4, dtype=bool))
    # only the combinations that occur
    assert Groups.from_features(FRAME[:2], intersect=True).names == ("sex=F & race=w", "sex=M & race=w")
    assert Groups.from_features(FRAME["sex"], intersect=True).names == ("sex=F", "sex=M")
    table = pd.DataFrame(MEMBER, columns=["old", "poor"])
    assert Groups.from_features(table, intersect=True).names == ("none", "old", "old & poor")


def test_missing_values_name_their_column():
    frame = pd.DataFrame({"sex": ["F", "M"], "race": ["w", None]})
    with pytest.raises(ValueError, match="column 'race' has missing values in 1 of 2 rows, the first in row"):
        Groups.from_features(frame)
    assert Groups.from_features(frame, missing="group").names[-1] == "race=missing"
    with pytest.raises(ValueError, match="two groups named 'race=missing'"):
        Groups.from_features(frame.fillna("missing").assign(race=["missing", None]), missing="group")
    with pytest.raises(ValueError, match="missing must be 'error' or 'group', got 'drop'"):
        Groups.from_features(frame, missing="drop")


def test_missing_membership():
    frame = pd.DataFrame({"old": pd.array([True, None, False], dtype="boolean")})
    with pytest.raises(ValueError, match="'old' has missing values in 1 of 3 rows"):
        Groups.from_features(frame)
    groups = Groups.from_features(frame, missing="group")
    assert groups.names == ("old", "old=missing")
    assert groups.membership.tolist() == [[True, False], [False, True], [False, False]]


def test_weights_count():
    groups = Groups.from_features(["a", "b", "b"], sample_weight=[0.5, 1, 2])
    assert groups.counts.tolist() == [0.5, 3.0]
    assert groups.total == 3.5
    assert groups.shares.tolist() == [0.5 / 3.5, 3.0 / 3.5]
    assert not groups.integer_weights
    assert Groups.from_features(["a", "b"], sample_weight=np.array([2.0, 0.0])).integer_weights
    assert Groups.from_features(["a", "b"]).integer_weights
    assert Groups.from_features(["a", "b"], sample_weight=pl.Series([2, 3])).counts.tolist() == [2.0, 3.0]


def test_a_weight_of_zero_does_not_make_a_group():
    frame = pd.DataFrame({"sex": ["F", "M", "X", "M"], "race": ["w", "w", "w", "b"]})
    groups = Groups.from_features(frame, sample_weight=[1, 1, 0, 1])
    assert groups.names == ("sex=F", "sex=M", "race=b", "race=w")
    assert groups.membership[2].tolist() == [False, False, False, True]
    assert groups.n_rows == 4
    assert groups.counts.tolist() == [1.0, 2.0, 1.0, 2.0]
    # two signatures that differ in a dropped group only become one
    merged = Groups.from_features(["a", "b", "c", "a"], sample_weight=[1, 0, 0, 1])
    assert merged.names == ("a",)
    assert merged.membership.ravel().tolist() == [True, False, False, True]
    assert merged.n_signatures == 2


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, -1, 1], r"sample_weight must be finite and non-negative, got -1\.0 in row 1"),
        ([1, 1, np.nan], r"got nan in row 2"),
        ([np.inf, 1, 1], r"got inf in row 0"),
        ([1, 1], r"sample_weight has 2 entries but there are 3 rows"),
        ([0, 0, 0], r"sums to zero"),
        ([[1], [1], [1]], r"one-dimensional, got shape \(3, 1\)"),
        (["x", "y", "z"], r"sample_weight must hold numbers"),
    ],
)
def test_invalid_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        Groups.from_features(["a", "b", "b"], sample_weight=weights)


def test_row_count_must_match():
    with pytest.raises(ValueError, match="sensitive_features has 2 rows but 3 are expected"):
        Groups.from_features(["a", "b"], n_rows=3)


def test_position():
    groups = Groups.from_features(pd.DataFrame({"sex": ["F", "M"], "old": ["no", "M"], "z": [1, 2]}))
    assert groups.names == ("sex=F", "sex=M", "old=M", "old=no", "z=1", "z=2")
    assert [groups.position(name) for name in ("sex=M", "F", "no", "old=M", "2")] == [1, 0, 3, 2, 5]
    with pytest.raises(ValueError, match="'M' is ambiguous: use one of 'sex=M', 'old=M'"):
        groups.position("M")
    with pytest.raises(ValueError, match="'X' does not occur; the groups that occur are 'sex=F', 'sex=M'"):
        groups.position("X")
    with pytest.raises(ValueError, match="'o' does not occur"):
        groups.position("o")  # the end of a value is not a value
    many = Groups.from_features(np.arange(100))
    with pytest.raises(ValueError, match=r"and 70 more$"):
        many.position("x")


@pytest.mark.parametrize("rows", [[4, 0], np.array([True, False, False, False, True]), slice(0, 2), []])
def test_subset(rows):
    groups = Groups.from_features(FRAME, sample_weight=[1, 2, 3, 4, 5])
    part = groups.subset(rows)
    index = np.asarray(rows, dtype=int) if isinstance(rows, list) else rows
    assert part.names == groups.names
    assert part.membership.tolist() == groups.membership[index].tolist()
    assert part.weights.tolist() == groups.weights[index].tolist()
    assert sorted(set(part.signature.tolist())) == list(range(part.n_signatures))
    assert np.allclose(part.counts, groups.weights[index] @ groups.membership[index])
    assert np.isfinite(part.shares).all()


def test_groups_survive_pickling():
    groups = pickle.loads(pickle.dumps(Groups.from_features(FRAME)))
    assert summary(groups) == summary(Groups.from_features(FRAME))


def test_many_columns_do_not_overflow():
    rng = np.random.default_rng(0)
    columns = rng.integers(0, 900, size=(2000, 12))  # 900 ** 12 combinations do not fit in 64 bits
    groups = Groups.from_features(columns)
    distinct = np.unique(columns, axis=0)
    assert groups.n_signatures == len(distinct)
    assert groups.membership.sum() == 2000 * 12
    order = np.lexsort(columns.T[::-1])
    assert (np.diff(groups.signature[order]) >= 0).all()


@st.composite
def tables(draw):
    n = draw(st.integers(1, 30))
    column = st.one_of(
        st.lists(st.sampled_from("abc"), min_size=n, max_size=n),
        st.lists(st.integers(-3, 3), min_size=n, max_size=n),
        st.lists(st.sampled_from([0.5, -1.0, 2.0]), min_size=n, max_size=n),
    )
    columns = draw(st.lists(column, min_size=1, max_size=3))
    weights = draw(st.none() | st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any))
    return pd.DataFrame({f"c{i}": values for i, values in enumerate(columns)}), weights


@given(tables(), st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=60, deadline=None)
def test_row_order_does_not_matter(table, random, intersect):
    frame, weights = table
    order = list(range(len(frame)))
    random.shuffle(order)
    shuffled = None if weights is None else [weights[i] for i in order]
    groups = Groups.from_features(frame, sample_weight=weights, intersect=intersect)
    other = Groups.from_features(frame.iloc[order], sample_weight=shuffled, intersect=intersect)
    assert other.names == groups.names
    assert other.attributes == groups.attributes
    assert np.array_equal(other.signature_membership, groups.signature_membership)
    assert np.array_equal(other.signature, groups.signature[order])


@given(tables())
@settings(max_examples=60, deadline=None)
def test_membership_agrees_with_the_table(table):
    frame, weights = table
    groups = Groups.from_features(frame, sample_weight=weights)
    w = np.ones(len(frame)) if weights is None else np.array(weights, dtype=float)
    occurring = {f"{c}={v}" for c in frame for v, x in zip(frame[c], w, strict=True) if x > 0}
    assert set(groups.names) == occurring
    for i, name in enumerate(groups.names):
        column, _, value = name.partition("=")
        member = np.array([str(v) == value for v in frame[column].tolist()])
        assert np.array_equal(groups.membership[:, i], member)
        assert groups.counts[i] == w[member].sum()
    assert len(np.unique(groups.signature_membership, axis=0)) == groups.n_signatures
    assert np.array_equal(np.unique(groups.signature), np.arange(groups.n_signatures))
