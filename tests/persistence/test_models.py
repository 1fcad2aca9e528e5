"""Saved models come back the same; anything else is refused in one sentence."""

import os
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError

from faircluster import FairAssignment, FairKMeans, FairKMedian, FairnessBounds
from faircluster.groups import Groups
from faircluster.persistence import Preparation, load_model, load_prepared, save_model
from faircluster.persistence.archive import read_archive, write_archive

# ---- round trip


def same(a, b):
    """Deep equality, types of arrays and exact numbers included."""
    if isinstance(a, Groups):
        return all(same(getattr(a, f), getattr(b, f)) for f in a.__dataclass_fields__)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    return bool(np.all(a == b))


def test_everything_fitted_comes_back(fitted, tmp_path):
    model, _, _ = fitted
    save_model(model, tmp_path / "model.npz")
    loaded = load_model(tmp_path / "model.npz")
    assert type(loaded) is type(model)
    before, after = vars(model), vars(loaded)
    assert before.keys() == after.keys()
    parameters = model.get_params(deep=False).keys()
    for name in before.keys() - parameters:
        assert same(before[name], after[name]), name
    for name in parameters:
        assert np.array_equal(before[name], after[name]), name


def test_loaded_model_behaves_the_same(fitted, tmp_path):
    model, X, fit = fitted
    save_model(model, tmp_path / "model.npz")
    loaded = load_model(tmp_path / "model.npz")
    batch = X[:40] if isinstance(X, np.ndarray) else X.iloc[:40]
    part = {name: values[:40] for name, values in fit.items()}
    assert same(loaded.predict(batch), model.predict(batch))
    assert same(loaded.transform(batch), model.transform(batch))
    if model.size_min is None:  # sizes of the fit do not suit a smaller batch
        assert same(loaded.assign(batch, **part), model.assign(batch, **part))
    assert loaded.score(X, **fit) == model.score(X, **fit)
    assert same(loaded.get_feature_names_out(), model.get_feature_names_out())


def test_saving_again_gives_the_same_bytes(fitted, tmp_path):
    save_model(fitted[0], tmp_path / "a.npz")
    save_model(load_model(tmp_path / "a.npz"), tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_loaded_model_can_be_fitted_again(plain, tmp_path):
    model, X, fit = plain
    save_model(model, tmp_path / "model.npz")
    assert same(load_model(tmp_path / "model.npz").fit(X, **fit).labels_, model.labels_)


def test_preparation_travels_along(plain, tmp_path):
    model, X, _ = plain
    preparation = Preparation.fitted(X, ["x", "y", "ü"], ["sex", "race"], "standard")
    save_model(model, tmp_path / "model.npz", preparation=preparation)
    assert load_prepared(tmp_path / "model.npz")[1] == preparation
    save_model(model, tmp_path / "model.npz")
    assert load_prepared(tmp_path / "model.npz")[1] is None


def test_infinite_figures_survive(tmp_path):
    X = np.array([[0.0], [0.0], [1.0], [1.0]])
    model = FairKMeans(2, bounds="exact", random_state=0).fit(X, sensitive_features=list("aabb"))
    assert model.price_of_fairness_ == np.inf
    save_model(model, tmp_path / "model.npz")
    assert load_model(tmp_path / "model.npz").price_of_fairness_ == np.inf


def test_file_is_an_ordinary_archive_without_objects(plain, tmp_path):
    save_model(plain[0], tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as archive:
        assert same(archive["cluster_centers"], plain[0].cluster_centers_)
        assert all(archive[name].dtype.kind in "fiub" for name in archive.files)


# ---- what cannot be saved


def test_fair_assignment_is_refused(tmp_path):
    X, sex = np.arange(6.0)[:, None], list("ababab")
    model = FairAssignment(KMeans(2, n_init=1, random_state=0)).fit(X, sensitive_features=sex)
    with pytest.raises(TypeError, match="FairAssignment cannot be saved: it holds an estimator of another"):
        save_model(model, tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_subclasses_and_strangers_are_refused(plain, tmp_path):
    class Mine(FairKMeans):
        pass

    Mine.__name__ = "FairKMeans"  # not even under a known name
    for model in (Mine(), KMeans()):
        with pytest.raises(
            TypeError,
            match="only FairKMeans, FairKMedian, FairKCenter, SociallyFairKMeans and SociallyFairKMedian",
        ):
            save_model(model, tmp_path / "model.npz")


def test_unfitted_model_is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        save_model(FairKMeans(), tmp_path / "model.npz")


@pytest.mark.parametrize("value", [np.random.RandomState(0), object(), [[1.0], [2.0, 3.0]]])
def test_parameters_that_are_no_plain_values_are_named(plain, tmp_path, value):
    model = pickle.loads(pickle.dumps(plain[0])).set_params(random_state=value)
    with pytest.raises(ValueError, match=r"parameter random_state=.* set_params\(random_state="):
        save_model(model, tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_failed_write_keeps_the_old_model(plain, tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    save_model(plain[0], path)
    old = path.read_bytes()

    def fail(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(OSError, match="No space"):
        save_model(plain[0], path)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]


# ---- what cannot be loaded


def refused(path, match):
    """The file is refused with one sentence that names it."""
    with pytest.raises(ValueError, match=match) as caught:
        load_model(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is not a model faircluster can load: ")
    assert "\n" not in message


@pytest.fixture
def saved(plain, tmp_path):
    path = tmp_path / "model.npz"
    save_model(plain[0], path, preparation=Preparation.fitted(plain[1], ["x", "y", "z"], ["sex"], "minmax"))
    return path


def test_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none.npz")


def test_foreign_files(tmp_path):
    path = tmp_path / "foreign.npz"
    for content, match in (
        (b"", "it is empty"),
        (b"a,b\n1,2\n", "another kind"),
        (b"PK\x03\x04", "no intact"),
    ):
        path.write_bytes(content)
        refused(path, match)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(path, "more than arrays")
    np.savez(path, x=np.arange(3))
    refused(path, "no header")
    write_archive(path, {"format": "weights"}, {})
    refused(path, "archive of something else")


def test_pickled_objects_are_never_read(tmp_path):
    fired = []

    class Bomb:
        def __reduce__(self):
            return fired.append, (1,)

    path = tmp_path / "bomb.npz"
    np.savez(path, header=np.array([Bomb()], dtype=object))
    refused(path, "Python objects")
    path.write_bytes(pickle.dumps(Bomb()))
    refused(path, "another kind")
    assert not fired


def test_every_truncation_is_noticed(saved):
    content = saved.read_bytes()
    for length in range(0, len(content), 97):
        saved.write_bytes(content[:length])
        refused(saved, None)


def refused_or_intact(path, plain):
    message, loaded = str(path), None
    try:
        loaded = load_model(path)
    except ValueError as error:
        message = str(error)
    assert str(path) in message
    if loaded is not None:
        vars(loaded).pop("feature_names_in_", None)  # other names are as good, and warned about
        assert same(loaded.predict(plain[1]), plain[0].predict(plain[1]))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_are_noticed_or_harmless(plain, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "model.npz"
    save_model(plain[0], path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    refused_or_intact(path, plain)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_refused(tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("noise") / "model.npz"
    path.write_bytes(b"PK" + noise)
    refused(path, None)


def edited(path, change):
    """Change header and arrays of an intact file."""
    header, arrays = read_archive(path)
    change(header, arrays)
    write_archive(path, header, arrays)


def put(name, value):
    return lambda header, arrays: header.__setitem__(name, value)


def put_array(name, value):
    return lambda header, arrays: arrays.__setitem__(name, value)


def scaled(name, factor):
    return lambda header, arrays: arrays.__setitem__(name, arrays[name] * factor)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (put("format_version", 2), r"newer faircluster \(.*, format 2; this one reads up to 1\), upgrade"),
        (put("format_version", "1"), "format version is '1'"),
        (put("format_version", True), "format version is True"),
        (put("class", "FairAssignment"), "holds a 'FairAssignment', not one of"),
        (put("class", "os.system"), "holds a 'os.system'"),
        (put("class", ["FairKMeans"]), "not one of"),
        (put("parameters", {"n_clusters": 3, "hook": "x"}), "unknown parameters: hook"),
        (put("parameters", {"bounds": {"bounds": {"kind": "slack", "value": 7}}}), "s must satisfy"),
        (put("parameters", {"bounds": {"bounds": {"kind": "from_any"}}}), "unknown or incomplete"),
        (
            put("parameters", {"bounds": {"bounds": {"kind": "balance", "value": 0.1, "x": 1}}}),
            "unknown fields: x",
        ),
        (put("parameters", {"bounds": "fair"}), "bounds must be"),
        (put("parameters", {"init": {"array": True}}), "damaged"),
        (put("parameters", {"tol": {"number": "1e5"}}), "'tol' is not a number"),
        (put("parameters", []), "damaged"),
        (put("fitted", {"inertia_": 1.0}), "its fitted values are inertia_, not"),
        (put("status", "great"), "status is 'great'"),
        (put("n_iter", -1), "'n_iter' is -1"),
        (put("n_features_in", 10**400), "cluster_centers"),
        (put("n_features_in", 0), "at least 1"),
        (put("feature_names_in", ["x"]), "not a list of 3 names"),
        (put("groups", {"names": ["a"], "attributes": ["a"]}), "not a list of 5 names"),
        (put("groups", {"names": ["a"] * 5, "attributes": ["a"] * 5}), "repeated"),
        (put("bounds", None), "bounds must be a dict"),
        (put("preparation", {"features": ["x"]}), "preparation must have the fields"),
        (
            put("preparation", Preparation.fitted([[1.0]], ["x"]).to_dict()),
            "preparation has 1 features, the model 3",
        ),
        (scaled("cluster_centers", np.nan), "'cluster_centers' in it holds NaN"),
        (put_array("cluster_centers", np.zeros((3, 4))), r"\(3, 4\), not of shape 3 x 3"),
        (put_array("cluster_centers", np.zeros(9)), "not of shape 3 x 3"),
        (put_array("cluster_centers", np.zeros((3, 3), dtype=np.int64)), "is int64"),
        (put_array("labels", np.full(60, 3, dtype=np.int32)), "'labels' in it holds values out of range"),
        (put_array("labels", np.zeros((60, 1), dtype=np.int32)), "'labels'"),
        (scaled("quotas", -1.0), "'quotas' in it holds values out of range"),
        (put_array("quotas", np.zeros((6, 0))), "no clusters"),
        (put_array("signature_counts", np.zeros(2)), "'signature_counts'"),
        (put_array("lower_limits", np.full((5, 3), 2.0)), "'lower_limits' in it holds values out of range"),
        (put_array("extra", np.zeros(2)), "unknown arrays: extra"),
        (lambda header, arrays: arrays.pop("labels"), "array 'labels' is missing"),
        (lambda header, arrays: arrays.pop("upper_limits"), "array 'upper_limits' is missing"),
        (lambda header, arrays: header.pop("groups"), "damaged"),
    ],
)
def test_contradictions_are_refused(saved, change, match):
    edited(saved, change)
    refused(saved, match)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_header_value_is_taken_or_refused_with_a_value_error(plain, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("header") / "model.npz"
    save_model(plain[0], path)
    header, arrays = read_archive(path)
    place = header
    name = data.draw(st.sampled_from(sorted(header)))
    if isinstance(header[name], dict) and header[name] and data.draw(st.booleans()):
        place, name = header[name], data.draw(st.sampled_from(sorted(header[name])))
    place[name] = data.draw(JSON)
    write_archive(path, header, arrays)
    refused_or_intact(path, plain)


def test_missing_parameter_keeps_its_default(saved):
    edited(saved, lambda header, arrays: header["parameters"].pop("n_swaps"))
    assert load_model(saved).n_swaps is None


def test_kinds_are_not_mixed_up(saved, tmp_path):
    edited(saved, put("class", "FairKMedian"))
    refused(saved, "fitted values")
    X = np.abs(np.subtract.outer(np.arange(6.0), np.arange(6.0)))
    model = FairKMedian(2, metric="precomputed", bounds=FairnessBounds.slack(0.5), random_state=0)
    save_model(model.fit(X, sensitive_features=list("ababab")), tmp_path / "medoids.npz")
    edited(tmp_path / "medoids.npz", put_array("center_indices", np.array([0, 6])))
    refused(tmp_path / "medoids.npz", "'center_indices' in it holds values out of range")


def test_reading_costs_no_more_than_the_file(saved):
    """Sizes that a file merely claims are never allocated."""
    import tracemalloc

    size = os.path.getsize(saved)
    tracemalloc.start()
    load_model(saved)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * size + (2 << 20)
