"""What a fitted network says of samples, with and without protected attributes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import _check_feature_names, check_is_fitted

from faircluster.bounds import FairnessBounds
from faircluster.deep import saving
from faircluster.deep.fair_step import fair_labels
from faircluster.deep.inputs import Rows, read_statistics
from faircluster.deep.networks import embed
from faircluster.deep.prediction import predict_proba
from faircluster.deep.recipes import resolve_recipe
from faircluster.groups import Groups

if TYPE_CHECKING:
    from faircluster.deep.estimator import DeepFairClustering

__all__ = ["NetworkLabels"]


class NetworkLabels(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Half of :class:`~faircluster.deep.DeepFairClustering`: all but fitting."""

    # given by the constructor of the other half
    preset: str
    bounds: Any
    sizes: Any
    missing: Any
    intersect: bool
    # given by fitting
    network_: torch.nn.Module
    guided_: bool
    center_: float
    scale_: float
    sample_shape_: tuple[int, ...]

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Probabilities of the clusters; no protected attribute is used.

        Parameters
        ----------
        X : as in :meth:`fit`, of n samples of the same shape

        Returns
        -------
        ndarray of shape (n, k), float32
            The same whatever else is in the batch, up to rounding.
        """
        return predict_proba(self._network(), self._rows(X))

    def predict(self, X: Any) -> NDArray[np.int32]:
        """Most probable cluster of each sample; no protected attribute is used and no bounds are promised.

        Parameters
        ----------
        X : as in :meth:`fit`

        Returns
        -------
        ndarray of shape (n,), int32
        """
        return self.predict_proba(X).argmax(axis=1).astype(np.int32)

    def assign(self, X: Any, *, sensitive_features: Any = None) -> NDArray[np.int32]:
        """Assign a batch within the bounds, at least ``sum (1 - p)``.

        Parameters
        ----------
        X : as in :meth:`fit`
        sensitive_features : array-like or data frame with n rows, default=None

        Returns
        -------
        ndarray of shape (n,), int32
            Bounds apply to this batch, with its own shares unless ``bounds`` names target shares.

        Raises
        ------
        InfeasibleBoundsError
            The batch cannot meet the bounds.
        """
        proba = self.predict_proba(X)
        groups = self._groups(sensitive_features, len(proba))
        bounds = FairnessBounds.from_any(None if sensitive_features is None else self.bounds)
        return fair_labels(proba, groups, bounds, sizes=self._sizes_for(bounds)).labels

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Embedding of each sample: the network's last hidden layer.

        Parameters
        ----------
        X : as in :meth:`fit`

        Returns
        -------
        ndarray of shape (n, e), float32
            A given network without a method ``embed`` gives its scores.
        """
        network, rows = self._network(), self._rows(X)
        with torch.no_grad():
            parts = [embed(network, rows.network_input(i)).float().cpu().numpy() for i in rows.ranges()]
        return np.concatenate(parts)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the fitted model to a safetensors file, atomically; nothing is pickled.

        Parameters
        ----------
        path : path

        Raises
        ------
        OSError
            The file cannot be written.
        """
        check_is_fitted(self, "network_")
        saving.save_model(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], network: Any = None) -> DeepFairClustering:
        """Load a model that :meth:`save` wrote.

        Parameters
        ----------
        path : path
        network : nn.Module or callable, default=None
            Needed if the model was fitted with a network of one's own: the file holds weights, no code.

        Returns
        -------
        DeepFairClustering

        Raises
        ------
        ValueError
            The file is cut short, altered or something else, or the network does not fit.
        OSError
            The file cannot be read.

        Examples
        --------
        >>> import tempfile, numpy as np
        >>> from pathlib import Path
        >>> from faircluster import DeepFairClustering
        >>> X = np.random.default_rng(0).normal(size=(40, 3))
        >>> model = DeepFairClustering(2, epochs=1, n_init=1, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(Path(folder) / "m.safetensors")
        ...     loaded = DeepFairClustering.load(Path(folder) / "m.safetensors")
        >>> bool((loaded.predict_proba(X) == model.predict_proba(X)).all())
        True
        """
        loaded: DeepFairClustering = saving.load_model(cls, path, network)
        return loaded

    # ---- small things

    def _network(self) -> torch.nn.Module:
        check_is_fitted(self, "network_")
        network: torch.nn.Module = self.network_
        return network.eval()

    def _rows(self, X: Any) -> Rows:
        check_is_fitted(self, "network_")
        _check_feature_names(self, X, reset=False)
        device = next(self.network_.parameters()).device
        rows = Rows(X, device, self.center_, self.scale_)
        if rows.shape != self.sample_shape_:
            raise ValueError(
                f"X has samples of shape {rows.shape}, but the model was fitted on {self.sample_shape_}; "
                "give it the same features or image size"
            )
        read_statistics(rows)
        return rows

    def _groups(self, sensitive_features: Any, n: int) -> Groups:
        missing: Any = self.missing
        return Groups.from_features(sensitive_features, n_rows=n, intersect=self.intersect, missing=missing)

    def _sizes_for(self, bounds: FairnessBounds) -> Any:
        if not isinstance(self.sizes, str):
            return self.sizes
        if bounds == FairnessBounds.from_any(None):
            return None  # sizes that depend on predictions change nothing
        if self.sizes != "auto":
            return self.sizes
        # a network with a guide was told which sizes its clusters should have
        return "predicted" if self.guided_ else resolve_recipe(self.preset).final_sizes
