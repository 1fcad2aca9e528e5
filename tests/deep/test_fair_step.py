import copy

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment

pytest.importorskip("torch", reason="torch is missing")

from faircluster import FairnessBounds, Groups, InfeasibleBoundsError
from faircluster.deep import fair_step, losses, steps
from faircluster.deep.alignment import align_clusters, cluster_means
from faircluster.deep.fair_step import fair_labels, shortage_weights, sizes_for
from faircluster.deep.prediction import predict_proba
from faircluster.metrics import additive_violation

EXACT = FairnessBounds.exact()


def probabilities(n, k, seed):
    return np.random.default_rng(seed).dirichlet(np.ones(k), size=n).astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
def test_exact_labels_are_optimal(seed):
    """Against the Hungarian method over every way of rounding the quotas."""
    rng = np.random.default_rng(seed)
    n, k = 21, 3
    proba = probabilities(n, k, seed)
    groups = Groups.from_features(np.where(rng.random(n) < 0.4, "a", "b"))
    fair = fair_labels(proba, groups, EXACT)
    sizes = sizes_for("predicted", proba.argmax(axis=1), groups, EXACT, k).astype(int)
    np.testing.assert_array_equal(np.bincount(fair.labels, minlength=k), sizes)
    assert fair.violation == 0.0
    best = np.inf
    members = groups.membership[:, 0]
    center = groups.shares[0] * sizes
    choices = [range(int(np.floor(c)), int(np.ceil(c)) + 1) for c in center]
    for quota in np.array(np.meshgrid(*choices)).reshape(k, -1).T:
        if quota.sum() != members.sum():
            continue
        total = 0.0
        for inside, counts in ((members, quota), (~members, sizes - quota)):
            cost = np.repeat(1.0 - proba[inside].astype(float), counts, axis=1)
            rows, columns = linear_sum_assignment(cost)
            total += cost[rows, columns].sum()
        best = min(best, total)
    assert fair.cost == pytest.approx(best, rel=2e-3)
    assert fair.cost >= best - 1e-5


def test_warm_start_gives_no_worse_labels():
    proba = probabilities(400, 4, 0)
    groups = Groups.from_features(np.arange(400) % 3)
    bounds = FairnessBounds.interval(0.02)
    cold = fair_labels(proba, groups, bounds)
    warm = fair_labels(proba, groups, bounds, start=cold.start)
    assert warm.violation == 0
    assert warm.cost == pytest.approx(cold.cost, rel=2e-3)


@pytest.mark.parametrize("sizes", ["uniform", "nearest", None, np.array([1.0, 1.0, 2.0])])
@pytest.mark.parametrize("bounds", [EXACT, FairnessBounds.interval(0.05), FairnessBounds.slack(0.3)])
def test_sizes_and_bounds_for_overlapping_groups(sizes, bounds):
    rng = np.random.default_rng(1)
    columns = np.column_stack([rng.choice(["f", "m"], 200), rng.choice(["x", "y", "z"], 200)])
    groups = Groups.from_features(columns)
    fair = fair_labels(probabilities(200, 3, 2), groups, bounds, sizes=sizes)
    assert fair.violation == 0.0
    assert additive_violation(fair.labels, groups, bounds) == 0
    if sizes is not None and not (isinstance(sizes, str) and sizes == "nearest"):
        wanted = {"uniform": [66, 67]}.get(sizes if isinstance(sizes, str) else "", [50, 100])
        assert set(np.bincount(fair.labels).tolist()) <= set(wanted)


def test_moved_and_confidence_are_those_of_the_labels():
    proba = probabilities(100, 3, 3)
    fair = fair_labels(proba, Groups.from_features(np.arange(100) % 2), EXACT)
    assert fair.moved == np.mean(fair.labels != proba.argmax(axis=1))
    np.testing.assert_array_equal(fair.confidence, proba[np.arange(100), fair.labels])


@pytest.mark.parametrize("sizes", ["predicted", "nearest"])
def test_a_dead_cluster_gets_room_for_every_group(sizes):
    groups = Groups.from_features(["a"] * 27 + ["b"] * 3)
    found = sizes_for(sizes, np.zeros(30, dtype=int), groups, EXACT, 3)
    assert found.tolist() == [10.0, 10.0, 10.0]


def test_nearest_sizes_move_fewer_points_of_the_large_group():
    rng = np.random.default_rng(0)
    large = np.arange(900) < 800
    predicted = np.where(large, rng.choice(3, 900, p=[0.5, 0.3, 0.2]), rng.choice(3, 900, p=[0.1, 0.3, 0.6]))
    proba = (0.02 + 0.94 * np.eye(3)[predicted]).astype(np.float32)
    groups = Groups.from_features(large)
    met, followed = (fair_labels(proba, groups, EXACT, sizes=s) for s in ("predicted", "nearest"))
    assert followed.violation == 0.0
    assert followed.moved < 0.65 * met.moved
    assert np.mean(followed.labels[large] != predicted[large]) < 0.005
    assert followed.cost < met.cost


def test_nearest_sizes_of_very_many_groups_are_the_predicted_ones(monkeypatch):
    monkeypatch.setattr(fair_step, "_CELLS", 5)
    rng = np.random.default_rng(0)
    groups, predicted = Groups.from_features(rng.choice(["a", "b"], 90, p=[0.8, 0.2])), rng.choice(3, 90)
    found = sizes_for("nearest", predicted, groups, EXACT, 3)
    np.testing.assert_array_equal(found, np.bincount(predicted, minlength=3))


@pytest.mark.parametrize("seed", range(20))
def test_small_predicted_sizes_are_raised_at_the_cost_of_the_largest(seed):
    """Against taking one point at a time from the largest cluster."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(20, 300)), int(rng.integers(2, 7))
    least = rng.choice([0.0, 0.3, 0.5, 1.0]) * rng.dirichlet(np.full(k, 2.0))
    predicted = rng.choice(k, n, p=rng.dirichlet(np.full(k, 0.3)))
    groups = Groups.from_features(np.arange(n) % 4)
    room = min(-(-n // (n // 4)), n // k)
    low = np.maximum(room, np.floor(least * n).astype(int))
    low = low if low.sum() <= n else np.full(k, room)
    wanted = np.maximum(np.bincount(predicted, minlength=k), low)
    while wanted.sum() > n:
        wanted[np.where(wanted > low, wanted, -1).argmax()] -= 1
    sizes = sizes_for("predicted", predicted, groups, EXACT, k, least)
    assert (sizes >= low).all()
    assert sizes.sum() == n
    assert np.sort(sizes).tolist() == np.sort(wanted).tolist()


@pytest.mark.parametrize("sizes", ["largest", [1.0, 2.0], [0.0, 0.0, 0.0], [-1.0, 1.0, 1.0]])
def test_bad_sizes(sizes):
    with pytest.raises(ValueError, match="sizes must be"):
        fair_labels(probabilities(9, 3, 0), Groups.from_features([0] * 9), EXACT, sizes=sizes)


def test_impossible_bounds():
    groups = Groups.from_features(list("aab"))
    with pytest.raises(InfeasibleBoundsError):
        fair_labels(probabilities(3, 2, 0), groups, FairnessBounds.explicit(lower={"b": 0.9}))


# ---- alignment


def test_alignment_finds_a_permutation_under_inversion_and_noise():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(8, 30))
    order = rng.permutation(8)
    other = 1.0 - means[order] + 0.02 * rng.normal(size=(8, 30))
    found = align_clusters(np.stack([means, other]), np.full((2, 8), 50.0), seed=0)
    assert found.changed == (1,)
    np.testing.assert_array_equal(order[found.columns[1]], np.arange(8))


def test_alignment_leaves_matching_clusters_and_groups_that_lack_one():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(6, 10))
    noisy = means + 0.1 * rng.normal(size=(6, 10))
    counts = np.full((3, 6), 50.0)
    counts[2, 4] = 0
    found = align_clusters(np.stack([means, noisy, means[::-1]]), counts, seed=0)
    assert found.changed == ()
    assert found.skipped == (2,)
    proba = rng.random((4, 6))
    assert found.apply(proba, np.zeros(4, dtype=np.int32)) is proba


def test_alignment_does_not_follow_noise():
    """Unrelated geometries have no clearly better matching than the present one."""
    rng = np.random.default_rng(5)
    means = rng.normal(size=(2, 5, 200))
    assert align_clusters(means, np.full((2, 5), 50.0), seed=0).changed == ()


def test_alignment_leaves_groups_in_the_same_guise():
    """Mirrored, the distances agree; but each mean is nearest to that of its own number."""
    means = np.array([[[0.0], [1.0], [5.0], [14.0]], [[0.0], [9.0], [13.0], [14.0]]])
    counts = np.full((2, 4), 9.0)
    assert align_clusters(means, counts, seed=0).changed == ()
    shift = np.array([[[0.0]], [[40.0]]])
    assert align_clusters(means + shift, counts, seed=0).changed == ()
    assert align_clusters(means * [[[1.0]], [[-1.0]]], counts, seed=0).changed == (1,)


def test_aligned_probabilities_swap_columns():
    means = np.array([[[0.0], [1.0], [5.0], [14.0]], [[5.0], [0.0], [1.0], [14.0]]])
    found = align_clusters(means, np.full((2, 4), 9.0), seed=0)
    proba = np.array([[0.1, 0.2, 0.3, 0.4], [0.3, 0.1, 0.2, 0.4]])
    np.testing.assert_array_equal(found.apply(proba, np.array([0, 1]))[1], proba[0])


def test_cluster_means_in_chunks():
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(50, 3)), rng.integers(0, 4, 50)
    groups = Groups.from_features(rng.integers(0, 2, 50))
    chunks = [(np.arange(30), X[:30]), (np.arange(30, 50), X[30:])]
    means, counts = cluster_means(chunks, labels, groups, 4)
    for s in range(2):
        for j in range(4):
            inside = (groups.signature == s) & (labels == j)
            assert counts[s, j] == inside.sum()
            np.testing.assert_allclose(means[s, j], X[inside].mean(axis=0))


@pytest.mark.parametrize("preset", ["best", "paper"])
@pytest.mark.parametrize("apart", [False, True])
def test_the_fair_stage_is_long_and_guided_where_predictions_are_far_from_fair(model, blobs, apart, preset):
    X, group, labels = blobs
    group = np.where(labels == 0, "a", "b") if apart else np.tile(["a", "a", "a", "b", "b", "b"], 40)
    given = {} if preset == "best" else {"fair_epochs": 3}
    made = model(preset=preset, epochs=8, **{"fair_epochs": None, **given}).fit(X, sensitive_features=group)
    stage = [row for row in made.history_ if row["stage"] == "fair"]
    assert (stage[0]["moved"] > 0.05) == apart
    guided = apart and preset == "best"
    assert len(stage) == (3 if preset == "paper" else 18 if apart else 12)
    begin = made.get_params()["learning_rate"] * (1.0 if preset == "paper" else 0.5 if apart else 0.25)
    assert 0.9 * begin < stage[0]["learning_rate"] <= begin
    # the fairness term has a tenth of its weight until two thirds of the stage are done
    term = [row["loss"] - row["score"] for row in stage]
    assert not guided or term[12] > 3 * term[11]
    assert guided or max(term[1:]) < 1.5 * term[0]


@pytest.mark.parametrize(("apart", "preset"), [(True, "best"), (True, "paper"), (False, "best")])
def test_where_fair_labels_guide_they_come_from_averaged_predictions(model, blobs, apart, preset):
    X, group, labels = blobs
    group = np.where(labels == 0, "a", "b") if apart else np.tile(["a", "a", "a", "b", "b", "b"], 40)
    predicted, seen = [], []

    def predict(*arguments):
        predicted.append(predict_proba(*arguments))
        return predicted[-1]

    def assign(proba, *arguments, **options):
        seen.append(proba)
        return fair_labels(proba, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "predict_proba", predict)
        patch.setattr(steps, "fair_labels", assign)
        made = model(preset=preset, epochs=8, fair_epochs=4).fit(X, sensitive_features=group)
    assert (next(row["moved"] for row in made.history_ if "moved" in row) > 0.05) == apart
    predicted = predicted[-len(seen) :]  # the others were for the matching of clusters
    expected = predicted[0]
    for step, proba in enumerate(predicted):
        expected = 0.5 * expected + 0.5 * proba if apart and preset == "best" and step else proba
        np.testing.assert_allclose(seen[step], expected, rtol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_fair_labels_count_more_where_a_group_lacks_predictions(seed):
    rng = np.random.default_rng(seed)
    n, k = (60, 1200)[seed % 2], 3  # small cells, and large ones
    features = {"sex": rng.choice(["f", "m"], n), "age": rng.choice(["young", "middle", "old"], n)}
    labels, predicted = rng.integers(k, size=n), np.minimum(rng.integers(k + 2, size=n), k - 1)
    groups = Groups.from_features(pd.DataFrame(features))
    first, logs = shortage_weights(labels, predicted, groups, k, power=2.0)
    later = rng.permutation(predicted)
    second, _ = shortage_weights(labels, later, groups, k, power=2.0, past=logs)
    for i in range(n):
        short = {"first": [1.0], "second": [1.0]}
        for values in features.values():
            own = values == values[i]
            wanted, there, then = ((found[own] == labels[i]).sum() for found in (labels, predicted, later))
            slack = 1 + max(0.1, 1.5 / wanted**0.5)
            factor = min(max((wanted / max(there, 1) / slack) ** 2, 1.0), 20.0)
            short["first"].append(factor)
            short["second"].append(factor**0.7 * (wanted / max(then, 1) / slack) ** 2)
        assert first[i] == pytest.approx(max(short["first"]))
        assert second[i] == pytest.approx(min(max(short["second"]), 20.0))
    assert first.max() > 1.0
    assert (second != first).any()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("apart", "preset"), [(True, "best"), (True, "paper"), (False, "best")])
def test_shortage_counts_when_fair_labels_do_not_only_guide(model, blobs, apart, preset, weighted):
    X, group, labels = blobs
    group = np.where(labels == 0, "a", "b") if apart else np.tile(["a", "a", "a", "b", "b", "b"], 40)
    given, counts, plain = [], [], losses.fairness

    def short(found, predicted, groups, k, power, past):
        given.append((power, past))
        return np.full(len(found), 7.0, dtype=np.float32), np.full((2, k), float(len(given)))

    def fairness(log_proba, found, weights=None, smoothing=0.0):
        counts.append(1.0 if weights is None else float(weights.max()))
        return plain(log_proba, found, weights, smoothing)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "shortage_weights", short)
        patch.setattr(losses, "fairness", fairness)
        options = {"epochs": 8, "fair_epochs": 6, "targets": "weighted" if weighted else "hard"}
        found = model(preset=preset, **options).fit(X, sensitive_features=group)
    epochs = 0 if preset == "paper" else 2 if apart else 6  # a guided stage is one of apart groups here
    assert [power for power, _ in given] == [1.5] * epochs
    assert [None if past is None else past.max() for _, past in given] == [None, 1.0, 2.0, 3.0, 4.0, 5.0][
        :epochs
    ]
    late = 2 * round(len(X) / found.batch_size) * epochs  # both views of a batch
    early, late = counts[: len(counts) - late], counts[len(counts) - late :]
    assert max(early) <= 1.0
    assert min(late, default=7.0) > 1.0
    assert (min([*(count / 7.0 for count in late), *early]) < 1.0) == weighted


def test_a_fair_stage_from_a_finished_network_is_that_of_one_fit(model, blobs):
    """The benchmark takes IMSAT, and from it DFDC, instead of training twice."""
    X, group, _ = blobs
    given = {"preset": "paper", "epochs": 3, "fair_epochs": 2, "random_state": 0}
    whole = model(**given).fit(X, sensitive_features=group)
    unfair = model(**given, bounds=None).fit(X, sensitive_features=group)
    first = model(**{**given, "fair_epochs": 0}).fit(X, sensitive_features=group)
    np.testing.assert_array_equal(first.predict_proba(X), unfair.predict_proba(X))
    after = model(**{**given, "epochs": 0}, network=lambda: copy.deepcopy(first.network_))
    after.fit(X, sensitive_features=group)
    np.testing.assert_array_equal(after.predict_proba(X), whole.predict_proba(X))
    assert (after.predict_proba(X) != first.predict_proba(X)).any()
