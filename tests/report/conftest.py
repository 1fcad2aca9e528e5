import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

from faircluster import FairKMeans


@pytest.fixture(scope="session")
def plain_and_fair():
    """Labels of k-means, labels of FairKMeans, and two protected columns that go with the place."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(center, 1.0, size=(60, 2)) for center in (0, 4, 8)])
    place = np.repeat([0, 1, 2], 60)
    sex = np.where(rng.random(180) < 0.25 + 0.25 * place, "F", "M")
    race = rng.choice(["a", "b", "c"], 180, p=[0.5, 0.3, 0.2])
    frame = pd.DataFrame({"sex": sex, "race": race})
    plain = KMeans(3, n_init=3, random_state=0).fit_predict(X)
    fair = FairKMeans(3, bounds=0.2, random_state=0).fit_predict(X, sensitive_features=frame)
    return plain, fair, frame
