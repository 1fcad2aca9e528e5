"""Protected groups through pipelines and searches, with and without metadata routing."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.cluster import KMeans
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from faircluster import FairAssignment, FairKMeans, FairKMedian, FairnessBounds
from tests.estimators.cases import BY_GROUP, QUICK, excess_by_group, make_points

X, GROUPS = make_points(60)
SEX = GROUPS[["sex"]]
FORMS = {
    "numpy": lambda frame: frame.to_numpy(),
    "pandas": lambda frame: frame.set_index(np.arange(500, 500 + len(frame))),
    "polars": lambda frame: pl.DataFrame({"sex": frame["sex"].tolist()}),
}
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
each_model = pytest.mark.parametrize(
    "model",
    [
        FairKMeans(2, bounds=0.05, **QUICK),
        FairKMedian(2, bounds=0.05, **QUICK),
        FairAssignment(KMeans(2, n_init=1, random_state=0), bounds=0.05),
    ],
    ids=lambda m: type(m).__name__,
)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@each_form
@each_model
@pytest.mark.usefixtures("routing")
def test_pipelines_route_groups_unasked(model, form):
    pipeline = make_pipeline(StandardScaler(), sklearn.clone(model))
    labels = pipeline.fit_predict(X, sensitive_features=form(SEX))
    assert excess_by_group(BY_GROUP["slack"][1], labels, SEX, 2) == 0
    alone = sklearn.clone(model).fit(StandardScaler().fit_transform(X), sensitive_features=SEX)
    assert (labels == alone.labels_).all()
    again = sklearn.clone(pipeline).fit(X, sensitive_features=form(SEX))
    assert (again[-1].labels_ == labels).all()
    assert again.predict(X).shape == (60,)
    distances = sklearn.clone(pipeline).fit_transform(X, sensitive_features=form(SEX))
    assert distances == pytest.approx(again.transform(X))
    score = again.score(X, sensitive_features=form(SEX))
    assert score == pytest.approx(alone.score(StandardScaler().fit_transform(X), sensitive_features=SEX))
    assert score < again.score(X)  # without groups no bounds


@each_form
def test_pipelines_take_groups_by_step_name_without_routing(form):
    pipeline = Pipeline([("scale", StandardScaler()), ("fair", FairKMeans(2, **QUICK))])
    labels = pipeline.fit_predict(X, fair__sensitive_features=form(SEX))
    assert excess_by_group(BY_GROUP["slack"][1], labels, SEX, 2) == 0
    assert (pipeline.fit(X, fair__sensitive_features=form(SEX))[-1].labels_ == labels).all()
    assert pipeline.fit_transform(X, fair__sensitive_features=form(SEX)).shape == (60, 2)


@pytest.mark.usefixtures("routing")
def test_pipelines_give_data_frames():
    pipeline = make_pipeline(StandardScaler(), FairKMeans(2, **QUICK)).set_output(transform="pandas")
    frame = pipeline.fit_transform(X, sensitive_features=SEX)
    assert frame.columns.tolist() == ["fairkmeans0", "fairkmeans1"]
    inner = FairAssignment(KMeans(2, n_init=1, random_state=0))
    pipeline = make_pipeline(StandardScaler(), inner).set_output(transform="polars")
    assert pipeline.fit_transform(X, sensitive_features=SEX).columns == ["kmeans0", "kmeans1"]


@pytest.mark.usefixtures("routing")
def test_sample_weight_is_routed_on_request():
    weights = np.random.default_rng(0).integers(1, 3, 60).astype(float)
    fair = FairKMeans(2, **QUICK).set_fit_request(sample_weight=True)
    pipeline = make_pipeline(StandardScaler(), fair)
    pipeline[0].set_fit_request(sample_weight=False)
    labels = pipeline.fit_predict(X, sensitive_features=SEX, sample_weight=weights)
    assert excess_by_group(BY_GROUP["slack"][1], labels, SEX, 2, weights) == 0


SEARCHED = [0.1, 0.3, FairnessBounds.balance(0.3), "exact", None]


class Witness(FairKMeans):
    """Notes the rows and groups of every fit and score."""

    seen: list = []  # noqa: RUF012 - shared by the clones on purpose

    def fit(self, X, y=None, *, sensitive_features=None, sample_weight=None):
        self.seen.append(("fit", np.asarray(X), np.asarray(sensitive_features)))
        return super().fit(X, y, sensitive_features=sensitive_features, sample_weight=sample_weight)

    def score(self, X, y=None, sample_weight=None, *, sensitive_features=None):
        self.seen.append(("score", np.asarray(X), np.asarray(sensitive_features)))
        return super().score(X, y, sample_weight, sensitive_features=sensitive_features)


@each_form
@pytest.mark.usefixtures("routing")
def test_a_search_splits_groups_with_the_rows(form):
    Witness.seen = []
    search = GridSearchCV(Witness(2, **QUICK), {"bounds": [0.3, None]}, cv=KFold(2), refit=False)
    search.fit(X, sensitive_features=form(SEX))
    # every fit and score got the groups of its own rows
    assert sorted(what for what, _, _ in Witness.seen) == ["fit"] * 4 + ["score"] * 4
    for _, rows, groups in Witness.seen:
        at = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in rows]
        assert len(at) == 30
        assert groups.ravel().tolist() == SEX["sex"].to_numpy()[at].tolist()


@pytest.mark.usefixtures("routing")
def test_a_search_over_bounds_with_routing():
    folds = KFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(FairKMeans(2, **QUICK), {"bounds": SEARCHED}, cv=folds)
    search.fit(X, sensitive_features=SEX)
    for bounds, found in zip(SEARCHED, search.cv_results_["mean_test_score"], strict=True):
        by_hand = [
            FairKMeans(2, bounds=bounds, **QUICK)
            .fit(X[train], sensitive_features=SEX.iloc[train])
            .score(X[test], sensitive_features=SEX.iloc[test])
            for train, test in folds.split(X)
        ]
        assert found == pytest.approx(np.mean(by_hand))
    best = search.best_estimator_
    assert best.labels_.shape == (60,)
    assert best.bounds == SEARCHED[int(np.argmax(search.cv_results_["mean_test_score"]))]


def test_a_search_over_bounds_without_routing():
    pipeline = Pipeline([("scale", StandardScaler()), ("fair", FairKMeans(2, **QUICK))])
    search = GridSearchCV(pipeline, {"fair__bounds": [0.1, FairnessBounds.balance(0.3)]}, cv=2)
    search.fit(X, fair__sensitive_features=SEX["sex"].to_numpy())
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_[-1].violation_ == 0
    alone = GridSearchCV(FairKMeans(2, **QUICK), {"bounds": [0.1, 0.3]}, cv=2)
    alone.fit(X, sensitive_features=pd.Series(SEX["sex"].to_numpy()))
    assert alone.best_estimator_.violation_ == 0


@pytest.mark.usefixtures("routing")
def test_a_search_over_a_distance_matrix_splits_both_axes():
    distances = np.linalg.norm(X[:, None] - X, axis=2)
    search = GridSearchCV(FairKMedian(2, metric="precomputed", **QUICK), {"bounds": [0.3, None]}, cv=KFold(2))
    search.fit(distances, sensitive_features=SEX)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
