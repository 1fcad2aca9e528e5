"""scikit-learn estimators over the engine."""

from faircluster.estimators.fair_assignment import FairAssignment
from faircluster.estimators.k_center import FairKCenter
from faircluster.estimators.k_means import FairKMeans
from faircluster.estimators.k_median import FairKMedian
from faircluster.estimators.social import SociallyFairKMeans, SociallyFairKMedian

__all__ = [
    "FairAssignment",
    "FairKCenter",
    "FairKMeans",
    "FairKMedian",
    "SociallyFairKMeans",
    "SociallyFairKMedian",
]
