"""Centers for k-center when most points stay where they are."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.utils import check_random_state

from faircluster import FairKCenter
from faircluster.bounds import FairnessBounds
from faircluster.dask import k_center, summaries
from faircluster.dask.center_search import find_places
from faircluster.refinement.find_centers import SearchLimits
from tests.dask.cases import arrays, blobs, partitioned, split

pytestmark = pytest.mark.filterwarnings("ignore")  # of Dask about pandas


@pytest.fixture
def few(monkeypatch):
    """Samples so small that most points are not in them."""
    monkeypatch.setattr(summaries, "_SAMPLE", 60)
    monkeypatch.setattr(summaries, "_PLACES", 32)


def outlying(seed=0):
    """Blobs, and in each of six parts a point far from everybody."""
    X, groups = blobs(seed=seed)
    sizes = split(len(X), 6)
    for end, side in zip(np.cumsum(sizes), np.linspace(0, 6, 6), strict=True):
        X[end - 1] = X.mean(axis=0) + 25 * np.array([np.cos(side), np.sin(side), 0.0, 0.0])
    return X, groups, sizes


def places(X, groups, sizes, k=5, rounds=20):
    points = partitioned(X, groups, sizes)
    rows = FairnessBounds.slack(0.2).rows(points.groups, k)
    limits, said = SearchLimits(2, 20, rounds), []
    sample = summaries.point_sample(points)
    found = find_places(
        points, sample, "euclidean", rows, k, limits, check_random_state(0), lambda *words: said.append(words)
    )
    return points, sample, found, said


def test_a_sample_stands_for_all_by_signature(few):
    X, groups, sizes = outlying()
    points, sample, _, _ = places(X, groups, sizes)
    assert len(sample) < 0.2 * len(X)
    held = np.bincount(sample.signature, sample.weights, points.groups.n_signatures)
    assert np.allclose(held, points.groups.signature_counts)
    assert {row.tobytes() for row in sample.points} <= {row.tobytes() for row in X}


def test_points_far_from_everybody_are_not_missed(few):
    X, groups, sizes = outlying()
    _, _, found, said = places(X, groups, sizes)
    nearest = np.sqrt(((X[:, None] - found.centers) ** 2).sum(axis=2)).min(axis=1)
    assert said[-1][-1] == 0  # no points beyond the radius of the part
    assert nearest.max() <= found.radius * (1 + 1e-9)
    assert {row.tobytes() for row in found.centers} <= {row.tobytes() for row in X}
    assert len(np.unique(found.centers, axis=0)) == 5


def test_no_centers_do_better_than_the_bound_and_the_start_is_within_its_guarantee(few):
    for seed in range(3):
        X, groups, sizes = outlying(seed)
        _, _, found, _ = places(X, groups, sizes)
        apart = np.sqrt(((X[:, None] - found.start) ** 2).sum(axis=2)).min(axis=1)
        assert found.start_radius == pytest.approx(apart.max())
        assert 0 < found.lower_bound <= min(found.radius, found.start_radius)
        assert found.start_radius <= 4 * found.radius


def test_the_radius_is_near_that_in_memory_though_few_points_were_seen(few):
    X, groups, sizes = outlying()
    dX, dg = arrays(X, groups, sizes)
    model = FairKCenter(5, random_state=0).fit(dX, sensitive_features=dg)
    whole = FairKCenter(5, random_state=0).fit(X, sensitive_features=groups)
    assert model.violation_ == 0
    assert model.radius_ <= 1.1 * whole.radius_
    assert model.lower_bound_ <= model.unconstrained_radius_ <= model.radius_


def test_the_start_is_taken_where_it_is_better(monkeypatch):
    X, groups, sizes = outlying()

    def worse(*arguments):
        found = find_places(*arguments)
        return replace(found, centers=found.centers[[0] * 5] + 1e-3 * np.arange(5)[:, None])

    dX, dg = arrays(X, groups, sizes)
    monkeypatch.setattr(k_center, "find_places", worse)
    model = FairKCenter(5, random_state=0).fit(dX, sensitive_features=dg)
    own = np.sqrt(((X - model.cluster_centers_[model.labels_.compute()]) ** 2).sum(axis=1))
    assert model.violation_ == 0
    assert model.radius_ == pytest.approx(own.max())
    assert {row.tobytes() for row in model.cluster_centers_} <= {row.tobytes() for row in X}
