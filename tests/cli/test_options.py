import pytest

from faircluster import FairnessBounds
from faircluster.cli.options import parse_bounds


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("0.2", FairnessBounds.slack(0.2)),
        ("0", FairnessBounds.slack(0.0)),
        ("slack:0.1", FairnessBounds.slack(0.1)),
        ("exact", FairnessBounds.exact()),
        ("balance:0.5", FairnessBounds.balance(0.5)),
        ("ratio:0.8", FairnessBounds.ratio(0.8)),
        ("interval:0.05", FairnessBounds.interval(0.05)),
        ("max-share:0.6", FairnessBounds.max_share(0.6)),
    ],
)
def test_bounds_in_words(text, bounds):
    assert parse_bounds(text) == bounds


@pytest.mark.parametrize(
    "text", ["", ":", ":0.2", "exact:1", "0.2:slack", "max_share:0.5", "nan", "-0.1", "1"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"bounds|number|must satisfy"):
        parse_bounds(text)
