"""Data sets used in the fair clustering literature, one loader each, and made data of any size.

Adult ships with the package. The others are read from the folder that ``FAIRCLUSTER_DATA`` names, else from
the cache, else fetched from their official source, checked against its published content, and cached.
"""

from faircluster.datasets.adult import load_adult
from faircluster.datasets.array_dataset import ArrayDataset, InvertedPair
from faircluster.datasets.bank import load_bank
from faircluster.datasets.blobs import make_fair_blobs
from faircluster.datasets.compas import load_compas
from faircluster.datasets.credit_default import load_credit_default
from faircluster.datasets.dataset import Dataset
from faircluster.datasets.diabetes import load_diabetes
from faircluster.datasets.digits import load_inverted_digits, load_mnist_usps, load_reverse_mnist
from faircluster.datasets.german_credit import load_german_credit
from faircluster.datasets.har import load_har

__all__ = [
    "ArrayDataset",
    "Dataset",
    "InvertedPair",
    "load_adult",
    "load_bank",
    "load_compas",
    "load_credit_default",
    "load_diabetes",
    "load_german_credit",
    "load_har",
    "load_inverted_digits",
    "load_mnist_usps",
    "load_reverse_mnist",
    "make_fair_blobs",
]
