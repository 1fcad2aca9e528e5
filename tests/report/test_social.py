import numpy as np
import pytest

from faircluster import FairKMeans, SociallyFairKMeans
from faircluster.report import tradeoff_curve
from faircluster.report.certificate import certificate_section, price_section
from faircluster.report.social import group_cost_table, social_claim

X = np.random.default_rng(0).normal(size=(60, 2))
SEX = np.array(["f", "m", "m"] * 20)


def fitted(**options):
    model = SociallyFairKMeans(2, n_init=2, random_state=0).set_params(**options)
    return model.fit(X, sensitive_features=SEX)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "lloyd"}, "while clusters keep their members"),
        ({"method": "lp"}, "no 2 of the points"),
        ({"method": "auto"}, "no 2 centers anywhere"),
        ({"bounds": 0.3}, "within the bounds"),
    ],
)
def test_claims_say_what_is_proved_and_of_what_cost(options, words):
    model = fitted(**options)
    assert words in social_claim(model)
    section = certificate_section(model, True)
    assert section["cost"] == model.cost_ != model.inertia_
    assert words in section["words"]
    price = price_section(model, True, None, None)
    assert price is None if model.limits_ is None else price["fair_cost"] == model.cost_


def test_other_models_claim_their_total_cost():
    model = FairKMeans(2, random_state=0).fit(X, sensitive_features=SEX)
    assert certificate_section(model, True)["cost"] == model.inertia_


def test_the_trade_off_of_bounds_is_in_the_worst_groups_cost():
    model = SociallyFairKMeans(2, n_init=2, n_swaps=0, random_state=0)
    curve = tradeoff_curve(model, X, SEX, [0.8, 0.2])
    free = fitted(method="lloyd", n_swaps=0).cost_
    costs = [row["cost"] for row in curve.rows]
    assert curve.unconstrained == pytest.approx(free, rel=0.05)
    assert free * (1 - 1e-9) <= costs[0] <= costs[1] < 5 * free


def test_group_cost_table_puts_the_worst_first():
    table = group_cost_table(("a", "b"), (1.0, 4.0), (0.0, 1.0))
    names, costs, below, weights = (list(column.cells) for column in table.columns)
    assert names == ["b", "a"]
    assert costs == ["4", "1"]
    assert below == ["+0.0%", "-75.0%"]
    assert weights == ["1.000", ""]
    assert group_cost_table(("a",), (0.0,)).row_count == 1
