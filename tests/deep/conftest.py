import numpy as np
import pytest

# torch is imported inside, so that the tests skip themselves where it is missing

SETTINGS = {"n_init": 1, "epochs": 4, "fair_epochs": 3, "random_state": 0, "batch_size": 50,
            "learning_rate": 0.02}  # fmt: skip


def small_net():
    import torch

    return torch.nn.Sequential(
        torch.nn.Linear(4, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Linear(16, 3)
    )


def make_blobs(n=240, seed=0):
    """Three blobs in four dimensions; the group leans towards some of them."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    centers = np.array([[3.0, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0]])
    X = (centers[labels] + 0.5 * rng.normal(size=(n, 4))).astype(np.float32)
    group = np.where(rng.random(n) < np.array([0.3, 0.5, 0.7])[labels], "a", "b")
    return X, group, labels


@pytest.fixture(scope="session")
def blobs():
    return make_blobs()


@pytest.fixture(scope="session")
def images():
    """Digits from 0 to 3, 8 x 8 pixels, and two groups."""
    from sklearn.datasets import load_digits

    data = load_digits(n_class=4)
    return data.images[:200].astype(np.float32), np.where(np.arange(200) % 3 == 0, "a", "b")


@pytest.fixture(scope="session")
def fitted(blobs):
    from faircluster import DeepFairClustering

    X, group, _ = blobs
    return DeepFairClustering(3, network=small_net, **SETTINGS).fit(X, sensitive_features=group)


@pytest.fixture
def model():
    """A model to be fitted, with arguments changed at will."""
    from faircluster import DeepFairClustering

    def make(**changed):
        return DeepFairClustering(3, **{"network": small_net, **SETTINGS, **changed})

    return make
