import sys

import numpy as np
import pandas as pd
import pytest

from faircluster.datasets import load_adult
from faircluster.datasets._fetch import content_checksum
from faircluster.groups import Groups


def test_needs_no_data_folder(monkeypatch):
    monkeypatch.delenv("FAIRCLUSTER_DATA", raising=False)
    adult = load_adult()
    assert len(adult.data) == 48_842
    assert adult.feature_names == (
        *("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"),
    )
    assert adult.sensitive_names == ("sex", "race")


def test_published_counts():
    adult = load_adult()
    assert adult.data["part"].value_counts().to_dict() == {"train": 32_561, "test": 16_281}
    assert adult.sensitive["sex"].value_counts().to_dict() == {"Male": 32_650, "Female": 16_192}
    train = load_adult("train")
    assert train.sensitive["race"].value_counts().to_dict() == {
        **{
            "White": 27_816,
            "Black": 3_124,
            "Asian-Pac-Islander": 1_039,
            "Amer-Indian-Eskimo": 311,
            "Other": 271,
        },
    }
    assert train.target.value_counts().to_dict() == {"<=50K": 24_720, ">50K": 7_841}
    assert load_adult("test").target.value_counts().to_dict() == {"<=50K": 12_435, ">50K": 3_846}
    assert (train.data != "?").all(axis=1).sum() == 30_162


def test_train_precedes_test():
    whole = load_adult()
    parts = pd.concat([load_adult("train").data, load_adult("test").data], ignore_index=True)
    pd.testing.assert_frame_equal(whole.data, parts)


def test_features_are_fresh_float64():
    adult = load_adult("test")
    X = adult.X
    assert X.shape == (16_281, 6)
    assert X.dtype == np.float64
    assert X[0].tolist() == [25, 226_802, 7, 0, 0, 40]
    X[:] = 0
    assert adult.X[0, 0] == 25


def test_groups_accept_the_protected_columns():
    groups = Groups.from_features(load_adult().sensitive)
    assert groups.n_groups == 7
    assert groups.counts[groups.position("Female")] == 16_192


def test_same_table_as_the_benchmark_folder(benchmark_data):
    for part in ("train", "test"):
        bundled = load_adult(part).data.drop(columns="part")
        assert content_checksum(bundled) == content_checksum(
            pd.read_parquet(benchmark_data / f"adult_{part}.parquet")
        )


def test_unknown_part():
    with pytest.raises(ValueError, match=r"part must be one of \('all', 'train', 'test'\), got 'valid'"):
        load_adult("valid")


def test_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r'needs pyarrow: pip install "faircluster\[data\]"'):
        load_adult()
