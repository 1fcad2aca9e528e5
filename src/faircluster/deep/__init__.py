"""Deep fair clustering: a network whose clusters are drawn towards exactly fair assignments.

Needs PyTorch: ``pip install "faircluster[deep]"``. The rest of the package works without it.
"""

try:
    import safetensors  # noqa: F401
    import torch  # noqa: F401
except ImportError as error:
    message = f'DeepFairClustering needs {error.name}: pip install "faircluster[deep]"'
    raise ImportError(message, name=error.name) from error

from faircluster.deep.diagnostics import diagnose, plot_curves, plot_embedding
from faircluster.deep.estimator import DeepFairClustering
from faircluster.deep.networks import MLP, ConvNet
from faircluster.deep.perturbations import FeatureNoise, ImageAugmentation, VirtualAdversary

__all__ = [
    "MLP",
    "ConvNet",
    "DeepFairClustering",
    "FeatureNoise",
    "ImageAugmentation",
    "VirtualAdversary",
    "diagnose",
    "plot_curves",
    "plot_embedding",
]
