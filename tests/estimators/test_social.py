import logging
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from faircluster import FairnessBounds, SociallyFairKMeans, SociallyFairKMedian
from faircluster.groups import Groups
from tests.assignment.oracles import point_rows
from tests.estimators.cases import cost_of, make_points

X, GROUPS = make_points(90)
SEX = GROUPS["sex"].to_numpy()
QUICK = {"n_init": 2, "n_swaps": 0, "random_state": 0}


@parametrize_with_checks(
    [
        SociallyFairKMeans(3, method="lloyd", n_init=2),
        SociallyFairKMeans(3, method="lp"),
        SociallyFairKMedian(3, method="lloyd", n_init=2),
    ]
)
@pytest.mark.filterwarnings("ignore")  # the checks warn on purpose
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def models():
    return [
        SociallyFairKMeans(3, method="lloyd", **QUICK),
        SociallyFairKMeans(3, method="lloyd", bounds=FairnessBounds.slack(0.5), **QUICK),
        SociallyFairKMeans(3, method="lp", **QUICK),
        SociallyFairKMedian(3, method="lloyd", power=1.5, **QUICK),
        SociallyFairKMedian(3, method="lp", **QUICK),
    ]


each_model = pytest.mark.parametrize(
    "model", models(), ids=lambda m: f"{type(m).__name__}-{m.method}-{m.bounds}"
)


def worst_cost(points, centers, labels, column, power, weights=None):
    """From the definition."""
    weights = np.ones(len(points)) if weights is None else weights
    return max(
        cost_of(points[column == v], centers, labels[column == v], weights[column == v], power)
        / weights[column == v].sum()
        for v in np.unique(column)
    )


@each_model
def test_attributes_describe_the_clustering(model):
    model = clone(model).fit(X, sensitive_features=GROUPS)
    power = getattr(model, "power", 2)
    worst = [
        worst_cost(X, model.cluster_centers_, model.labels_, GROUPS[c].to_numpy(), power) for c in GROUPS
    ]
    assert model.cost_ == pytest.approx(max(worst))
    assert model.cost_ == model.group_costs_.max()
    assert model.groups_.names == ("sex=F", "sex=M", "age=old", "age=young")
    assert model.group_costs_.shape == model.multipliers_.shape == (4,)
    assert model.multipliers_.sum() == pytest.approx(1.0)
    assert model.inertia_ == pytest.approx(cost_of(X, model.cluster_centers_, model.labels_, power=power))
    assert model.lower_bound_ <= model.cost_
    assert model.gap_ == pytest.approx(model.cost_ / model.lower_bound_ - 1.0)
    assert model.n_centers_ == 3 == len(model.cluster_centers_) == model.quotas_.shape[1]
    assert model.method_ == model.method
    assert model.quotas_.sum() == 90
    if model.bounds is None:
        assert (model.predict(X) == model.labels_).all()
        assert (model.assign(X, sensitive_features=GROUPS) == model.labels_).all()
        assert model.score(X, sensitive_features=GROUPS) == pytest.approx(-model.cost_)
        assert model.price_of_fairness_ == 1.0
    if model.method == "lp":
        assert (model.cluster_centers_ == X[model.center_indices_]).all()
        assert model.factor_ >= 1.0


def test_the_worst_group_pays_less_than_under_plain_k_means():
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(900, 2)), rng.normal(size=(60, 2)) * 4 + [7.0, 0.0]])
    group = np.array(["many"] * 900 + ["few"] * 60)
    plain = KMeans(4, n_init=5, random_state=0).fit(points)
    fair = SociallyFairKMeans(4, n_init=5, random_state=0).fit(points, sensitive_features=group)
    assert fair.method_ == "lloyd"
    assert fair.cost_ < 0.8 * worst_cost(points, plain.cluster_centers_, plain.labels_, group, 2)
    assert fair.gap_ <= 1e-5
    assert fair.inertia_ > plain.inertia_


def test_auto_takes_the_better_and_says_what_it_did():
    small = SociallyFairKMeans(3, **QUICK).fit(X, sensitive_features=SEX)
    lloyd = SociallyFairKMeans(3, method="lloyd", **QUICK).fit(X, sensitive_features=SEX)
    program = SociallyFairKMeans(3, method="lp", **QUICK).fit(X, sensitive_features=SEX)
    assert (small.method_, lloyd.method_, program.method_) == ("lp+lloyd", "lloyd", "lp")
    assert small.cost_ <= min(lloyd.cost_, program.cost_)
    assert small.lower_bound_ == pytest.approx(program.lower_bound_ / 4, rel=1e-5)
    assert small.factor_ == program.factor_
    assert program.lower_bound_ <= program.cost_
    assert SociallyFairKMeans(3, bounds=0.5, **QUICK).fit(X, sensitive_features=SEX).method_ == "lloyd"
    again = small.set_params(method="lloyd").fit(X, sensitive_features=SEX)
    assert not hasattr(again, "factor_")


def test_bicriteria_opens_a_few_more():
    plain = SociallyFairKMedian(3, method="lp", random_state=0).fit(X, sensitive_features=GROUPS)
    more = SociallyFairKMedian(3, bicriteria=True, random_state=0).fit(X, sensitive_features=GROUPS)
    assert more.method_ == "lp"
    assert 3 <= more.n_centers_ <= 3 + 4
    assert more.transform(X).shape == (90, more.n_centers_)
    assert more.lower_bound_ == pytest.approx(plain.lower_bound_, rel=1e-5)


@pytest.mark.parametrize("rounding", ["strict", "nearest"])
def test_bounds_hold_and_the_trade_off_is_told(rounding):
    bounds = FairnessBounds.slack(0.3)
    model = SociallyFairKMeans(3, bounds=bounds, rounding=rounding, **QUICK)
    model.fit(X, sensitive_features=SEX)
    free = SociallyFairKMeans(3, method="lloyd", **QUICK).fit(X, sensitive_features=SEX)
    groups = Groups.from_features(SEX)
    violation = point_rows(groups, bounds, 3).violation(model.labels_)
    assert model.violation_ == pytest.approx(violation)
    assert model.violation_ == 0.0 if rounding == "strict" else model.violation_ <= 1.0
    assert model.unconstrained_cost_ == pytest.approx(free.cost_)
    assert model.price_of_fairness_ == pytest.approx(model.cost_ / free.cost_)
    assert model.price_of_fairness_ > 1.0
    assert model.limits_[0].shape == (2, 3)
    batch = model.assign(X[:60], sensitive_features=SEX[:60])
    if rounding == "strict":
        assert point_rows(Groups.from_features(SEX[:60]), bounds, 3).violation(batch) == 0.0
    unseen = np.where(SEX[:60] == "F", "F", "X")
    assert model.assign(X[:60], sensitive_features=unseen).shape == (60,)
    assert (model.assign(X[:60]) == model.predict(X[:60])).all()


def test_sizes_alone_are_bounds_too():
    model = SociallyFairKMeans(3, size_min=25, size_max=35, **QUICK).fit(X, sensitive_features=SEX)
    assert (np.bincount(model.labels_, minlength=3) >= 25).all()
    assert (np.bincount(model.labels_, minlength=3) <= 35).all()


def test_precomputed_distances():
    D = np.linalg.norm(X[:, None] - X, axis=2)
    model = SociallyFairKMedian(3, metric="precomputed", random_state=0).fit(D, sensitive_features=SEX)
    by_points = SociallyFairKMedian(3, method="lp", random_state=0).fit(X, sensitive_features=SEX)
    assert model.method_ == "lp"
    assert model.cost_ == pytest.approx(by_points.cost_)
    assert not hasattr(model, "cluster_centers_")
    assert (model.predict(D) == model.labels_).all()
    assert model.score(D, sensitive_features=SEX) == pytest.approx(-model.cost_)
    with pytest.raises(ValueError, match="square"):
        clone(model).fit(D[:, :5])
    with pytest.raises(ValueError, match="negative"):
        clone(model).fit(-D)


def test_sample_weights_count_as_repeated_rows():
    weights = np.random.default_rng(0).integers(0, 3, 90)
    weights[:4] = 1
    weighted = SociallyFairKMeans(3, method="lloyd", **QUICK)
    weighted.fit(X, sensitive_features=SEX, sample_weight=weights)
    repeated = clone(weighted).fit(np.repeat(X, weights, axis=0), sensitive_features=np.repeat(SEX, weights))
    assert weighted.cost_ == pytest.approx(repeated.cost_, rel=1e-5)
    score = weighted.score(X, sample_weight=weights, sensitive_features=SEX)
    assert score == pytest.approx(-weighted.cost_)


@each_model
def test_order_of_rows_does_not_matter(model):
    order = np.random.default_rng(1).permutation(90)
    here = clone(model).fit(X, sensitive_features=SEX)
    there = clone(model).fit(X[order], sensitive_features=SEX[order])
    # with bounds, assignments are optimal up to the engine's tolerance
    assert there.cost_ == pytest.approx(here.cost_, rel=1e-5 if model.bounds is None else 1e-3)


@each_model
def test_pickles_clones_and_frames(model):
    plain = clone(model).fit(X, sensitive_features=SEX)
    copy = pickle.loads(pickle.dumps(plain))
    assert (copy.predict(X) == plain.predict(X)).all()
    frame = pd.DataFrame(X, columns=["u", "v"], index=np.arange(100, 190))
    named = clone(model).set_output(transform="pandas").fit(frame, sensitive_features=SEX)
    assert (named.labels_ == plain.labels_).all()
    assert named.feature_names_in_.tolist() == ["u", "v"]
    assert named.transform(frame).index.tolist() == frame.index.tolist()
    name = type(model).__name__.lower()
    assert named.transform(frame).columns.tolist() == [f"{name}{j}" for j in range(3)]
    polars = clone(model).set_output(transform="polars")
    table = pl.DataFrame({"u": X[:, 0], "v": X[:, 1]})
    assert isinstance(
        polars.fit_transform(table, sensitive_features=pl.DataFrame({"sex": SEX})), pl.DataFrame
    )
    with pytest.raises(NotFittedError):
        clone(model).predict(X)


def test_metadata_reaches_it_through_a_pipeline():
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), SociallyFairKMeans(3, method="lloyd", **QUICK))
        pipeline.fit(X, sensitive_features=SEX)
        assert pipeline[-1].groups_.names == ("F", "M")
        assert pipeline.score(X, sensitive_features=SEX) == pytest.approx(-pipeline[-1].cost_)


def test_single_precision_whole_numbers_and_one_group():
    single = SociallyFairKMeans(3, method="lloyd", **QUICK).fit(X.astype(np.float32), sensitive_features=SEX)
    double = SociallyFairKMeans(3, method="lloyd", **QUICK).fit(X, sensitive_features=SEX)
    assert single.cluster_centers_.dtype == single.transform(X.astype(np.float32)).dtype == np.float32
    assert single.cost_ == pytest.approx(double.cost_, rel=1e-4)
    whole = np.rint(3 * X).astype(int)
    assert SociallyFairKMeans(3, **QUICK).fit(whole, sensitive_features=SEX).cost_ > 0
    one = SociallyFairKMeans(3, method="lloyd", **QUICK).fit(X)
    assert one.cost_ == pytest.approx(one.inertia_ / 90)
    assert SociallyFairKMeans(1, **QUICK).fit(X, sensitive_features=SEX).cluster_centers_.shape == (1, 2)
    few = SociallyFairKMeans(4, method="lloyd", **QUICK).fit(X[:4], sensitive_features=SEX[:4])
    assert few.cost_ == pytest.approx(0.0, abs=1e-12)


def test_starts_are_logged_and_given_centers_are_used(caplog):
    model = SociallyFairKMeans(3, method="lloyd", init=X[:3], verbose=1)
    with caplog.at_level(logging.INFO, "faircluster"):
        model.fit(X, sensitive_features=SEX)
    assert "start 1, worst group's cost" in caplog.text
    assert "start 2" not in caplog.text
    same = clone(model).fit(X, sensitive_features=SEX)
    assert (same.cluster_centers_ == model.cluster_centers_).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "simplex"}, "method must be"),
        ({"method": "lp", "bounds": 0.2}, "knows no bounds"),
        ({"method": "lp", "size_min": 2}, "knows no bounds"),
        ({"method": "lloyd", "bicriteria": True}, "bicriteria=True"),
        ({"bicriteria": True, "bounds": 0.2}, "bicriteria=True"),
        ({"bicriteria": 2}, "bicriteria must be True or False"),
        ({"n_init": 0}, "n_init"),
        ({"n_swaps": -1}, "n_swaps"),
        ({"max_iter": 0}, "max_iter"),
        ({"tol": -1.0}, "tol"),
        ({"init": "best"}, "init must be"),
        ({"init": np.zeros((2, 2)), "method": "lloyd"}, "init has shape"),
        ({"init": np.full((3, 2), np.nan), "method": "lloyd"}, "finite"),
        ({"time_limit": 0}, "time_limit"),
        ({"n_clusters": 91}, "n_clusters=91"),
        ({"power": 0.5}, "power must be"),
        ({"metric": "cosine"}, "metric must be"),
        ({"metric": "precomputed", "method": "lloyd"}, "precomputed"),
    ],
)
def test_bad_parameters_are_named(options, message):
    kind = SociallyFairKMedian if {"power", "metric"} & options.keys() else SociallyFairKMeans
    data = np.zeros((90, 90)) if options.get("metric") == "precomputed" else X
    with pytest.raises(ValueError, match=message):
        kind(**{"n_clusters": 3, **options}).fit(data, sensitive_features=SEX)


def test_the_program_refuses_what_would_take_hours():
    many = np.arange(10_001.0)[:, None]
    with pytest.raises(ValueError, match="X has 10,001"):
        SociallyFairKMeans(2, method="lp").fit(many, sensitive_features=np.arange(10_001) % 2)
