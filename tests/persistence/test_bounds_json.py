import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faircluster import FairnessBounds
from faircluster.persistence import bounds_from_dict, bounds_to_dict

share = st.floats(0.01, 0.99)
named = st.dictionaries(st.text(max_size=8), share, max_size=3)
shares = st.dictionaries(st.text(max_size=8), share | st.lists(share, min_size=2, max_size=3), max_size=3)
single = st.one_of(
    st.builds(FairnessBounds.slack, share, target=named),
    st.builds(FairnessBounds.interval, share, target=named),
    st.builds(FairnessBounds.ratio, share, target=named),
    st.builds(FairnessBounds.balance, share),
    st.builds(FairnessBounds.max_share, share),
    st.builds(FairnessBounds.exact, target=named),
    st.builds(FairnessBounds.explicit, lower=named, upper=named),
)
bounds = (
    single
    | st.builds(FairnessBounds.explicit, lower=shares, upper=shares)
    | st.builds(FairnessBounds.per_cluster, st.lists(single, min_size=1, max_size=3))
)


@given(bounds)
def test_json_round_trip(b):
    assert bounds_from_dict(json.loads(json.dumps(bounds_to_dict(b), allow_nan=False))) == b


@pytest.mark.parametrize(
    "packed",
    [
        None,
        [],
        {},
        {"kind": "slack"},
        {"kind": "slack", "value": 1.0},
        {"kind": "balance", "value": 0.5, "target": {}},
        {"kind": "per_cluster", "parts": {}},
        {"kind": "per_cluster", "parts": [{"kind": "per_cluster", "parts": [{"kind": "exact"}]}]},
        {"kind": "rows"},
        {"kind": ["slack"], "value": 0.2},
    ],
)
def test_anything_else_is_refused(packed):
    with pytest.raises(ValueError, match=r"bounds|s must|per_cluster"):
        bounds_from_dict(packed)


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(TypeError, match="s must be a number"):
        bounds_from_dict({"kind": "slack", "value": "0.2"})
