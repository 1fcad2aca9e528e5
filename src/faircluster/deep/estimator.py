"""The estimator."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_feature_names

from faircluster.bounds import FairnessBounds
from faircluster.deep.fair_step import fair_labels
from faircluster.deep.fitting import Fitted, fit_network, stored_seed
from faircluster.deep.inputs import Rows, read_statistics
from faircluster.deep.labelling import NetworkLabels
from faircluster.deep.memory import reused_memory
from faircluster.deep.parallel import Team
from faircluster.deep.prediction import predict_proba
from faircluster.deep.preparing import (
    choose_device,
    choose_network,
    fingerprint,
    make_job,
    network_maker,
    scaling,
)
from faircluster.deep.recipes import Recipe, resolve_recipe
from faircluster.groups import Groups
from faircluster.metrics import balance

__all__ = ["DeepFairClustering"]

Array = NDArray[Any]


class DeepFairClustering(NetworkLabels):
    """A network that clusters images or tables, drawn towards exactly fair assignments.

    First the network learns clusters that are clear, of similar size and the same for a sample and its
    perturbed copy. Then, epoch by epoch, its predictions for all samples go to the assignment engine, and it
    learns the fair labels that come back. The network needs no protected attribute to predict.

    Parameters
    ----------
    n_clusters : int, default=10
        Number of clusters k.
    bounds : FairnessBounds, float, "exact" or None, default="exact"
        "exact" asks for the data's proportions in every cluster, as DFDC does; None trains without fairness.
    preset : {"best", "paper"}, default="best"
        Where settings that are None below come from. "paper": DFDC as published, with the mutual information
        weights and the network of IMSAT, on which it builds.
    network : {"auto", "conv", "mlp"}, nn.Module or callable, default="auto"
        A module gives scores of shape (n, k); it is copied and initialized anew. A callable makes one.
        "auto": convolutions for images of at least 8 x 8 pixels, else 1200-1200 fully connected.
    perturbation : {"auto", "augment", "noise", "vat"} or callable, default="auto"
        What must not change a sample's cluster: affine maps of images, noise on features, an adversarial
        step, or any function of a batch. "auto": "augment" for images, "vat" for vectors.
    fairness : float, default=None
        Weight of the fairness term, of the guide's labels too. Both presets: 4. "best" begins with a tenth of
        it where the first fair step moves more than a twentieth of the points.
    epochs : int, default=None
        Epochs of the first stage, without the fairness term unless there is a guide. "best": as many as make
        540 steps on (up to) 12,000 rows drawn at random; "paper": 50 on all rows.
    fair_epochs : int, default=None
        Epochs with it. "best": 4, on small data up to 12, where the first fair step moves more than a
        twentieth of the points 18; "paper": 50. 0: DFDC without the fair step.
    fair_every : int, default=1
        Epochs between fair steps.
    sizes : {"auto", "predicted", "nearest", "uniform"}, array of shape (k,) or None, default="auto"
        Cluster sizes of the fair labels. "predicted": those of the network's labels. "nearest": those at
        which the fewest labels have to change; if one group has most of the rows, about its own. An array
        gives them, None leaves them free. "auto": predicted while training, and nearest for `fair_labels_`
        and :meth:`assign`, with "paper" and with a guide, which says what sizes there should be, predicted.
    targets : {"hard", "weighted"}, default="hard"
        "weighted": fair labels count by the probability the network gives them.
    smoothing : float, default=None
        Label smoothing of the fair labels; "best": 0.1, "paper": 0.
    by_group : bool, default=None
        Ask for clusters of similar size within every group, not only in all. "best": where batches hold
        enough of every group; "paper": no.
    guide : bool, default=None
        Vectors: learn exactly fair k-means in the first stage, unless its labels depend on the group for more
        than a tenth of the rows, or sizes are given. "best": yes; "paper": no.
    regroup : bool, default=None
        Images: after the first stage let parts of clusters go where their nearest neighbors, as pixels, are.
        False suits images whose backgrounds say nothing of what they show. "best": yes; "paper": no.
    n_init : int, default=None
        Starts. Kept is, of images, the one whose clusters, once regrouped, say most about those of nearest
        neighbors (``information_``), of vectors the one with the least of ``scores_``; neither needs labels.
        "best": 8, "paper": 1. With a guide these are starts of k-means, and one network is trained.
    batch_size, learning_rate : int and float, default=None
        "best": 250 and 0.002 (a quarter or half of that in the fair stage); "paper": 250 and 0.002.
    balance_target : float, default=None
        Stop as soon as the network's own labels have this balance.
    checkpoint : path, default=None
        File kept up to date after every epoch. A fit that finds it goes on from there, to the same result;
        it is removed at the end.
    device : str, default="auto"
        "auto": CUDA where there is one.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        "auto": bfloat16 for large networks on CUDA.
    missing : {"error", "group"}, default="error"
        What a missing protected value is.
    intersect : bool, default=False
        Make one attribute of all combinations of the protected columns' values.
    random_state : int, RandomState or None, default=None
    verbose : int, default=0
        Log each epoch at level INFO instead of DEBUG (logger "faircluster").

    Attributes
    ----------
    labels_ : ndarray of shape (n,), int32
        The network's own labels of the training samples.
    fair_labels_ : ndarray of shape (n,), int32
        Labels within the bounds, at least ``sum (1 - p)``.
    violation_ : float
        Largest excess of ``fair_labels_`` over any bound, in points.
    gap_ : float
        How far their cost may be from the least possible, as a fraction.
    balance_, fair_balance_ : float
        Balance of ``labels_`` and of ``fair_labels_``.
    history_ : list of dict
        Loss and its terms, balance and seconds (of the clock and of processors) of every epoch, and moved
        points of every fair step.
    scores_ : list of float
        ``0.1 H(Y|X) - 0.4 H(Y) + KL`` of every start. With a guide H(Y) is log k - KL(mean || its sizes),
        also in ``history_``.
    information_ : list of float
        Of several starts on images: the mutual information between the clusters, regrouped if they will be,
        of samples and of their ten nearest neighbors, in nats. Else empty.
    start_ : int
        Number of the start that was kept.
    guided_ : bool
        Whether the first stage learned fair k-means.
    status_ : {"finished", "balance_reached", "diverged"}
    network_ : nn.Module
    groups_ : Groups
        One row a signature.
    bounds_ : FairnessBounds
    n_iter_ : int
        Epochs of all starts and stages.
    sample_shape_ : tuple of int

    See Also
    --------
    faircluster.deep.diagnose : What may have gone wrong, and what to try.

    Notes
    -----
    Fair labels are optimal up to ``gap_``; nothing is guaranteed of the network. Images are scaled to
    [-1, 1], vectors are taken as they are: scale them first. For one number of threads and one device a seed
    gives the same result. The augmentation is domain knowledge that published results of DFDC do not use.

    References
    ----------
    Zhang & Davidson, "Deep fair discriminative clustering", arXiv 2105.14146. Hu et al., "Learning discrete
    representations via information maximizing self-augmented training", ICML 2017.

    Examples
    --------
    >>> from faircluster import DeepFairClustering
    >>> from faircluster.datasets import make_fair_blobs
    >>> X, group, _ = make_fair_blobs(300, 4, centers=3, random_state=0)
    >>> model = DeepFairClustering(3, epochs=2, fair_epochs=1, n_init=1, random_state=0)
    >>> model = model.fit(X, sensitive_features=group)
    >>> model.violation_, model.predict(X[:5]).shape, model.transform(X[:5]).shape
    (0.0, (5,), (5, 1200))
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"sensitive_features": True}

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        bounds: Any = "exact",
        preset: str = "best",
        network: Any = "auto",
        perturbation: Any = "auto",
        fairness: float | None = None,
        epochs: int | None = None,
        fair_epochs: int | None = None,
        fair_every: int = 1,
        sizes: Any = "auto",
        targets: str = "hard",
        smoothing: float | None = None,
        by_group: bool | None = None,
        guide: bool | None = None,
        regroup: bool | None = None,
        n_init: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        balance_target: float | None = None,
        checkpoint: Any = None,
        device: str = "auto",
        precision: str = "auto",
        missing: str = "error",
        intersect: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.bounds = bounds
        self.preset = preset
        self.network = network
        self.perturbation = perturbation
        self.fairness = fairness
        self.epochs = epochs
        self.fair_epochs = fair_epochs
        self.fair_every = fair_every
        self.sizes = sizes
        self.targets = targets
        self.smoothing = smoothing
        self.by_group = by_group
        self.guide = guide
        self.regroup = regroup
        self.n_init = n_init
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.balance_target = balance_target
        self.checkpoint = checkpoint
        self.device = device
        self.precision = precision
        self.missing = missing
        self.intersect = intersect
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, *, sensitive_features: Any = None) -> DeepFairClustering:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, h, w) or (n, c, h, w), or torch Dataset
            Vectors or images. Memory maps and lazy arrays are read in batches. Of a Dataset's tuples the
            first entry is the sample.
        y : ignored
        sensitive_features : array-like or data frame with n rows, default=None
            As in the other estimators. None: no fairness.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Bad input; the message names the argument and the remedy.
        InfeasibleBoundsError
            No clustering can meet the bounds.
        FloatingPointError
            The loss is not finite from the first epoch on, in every start.
        """
        if hasattr(X, "__dask_graph__"):
            raise ValueError(
                "X is a Dask collection, of which batches cannot be drawn at random; write it to a .npy file "
                "and pass numpy.load(file, mmap_mode='r'), which is read in batches as well"
            )
        self._check_parameters()
        recipe = resolve_recipe(
            self.preset,
            fairness=self.fairness,
            epochs=self.epochs,
            fair_epochs=self.fair_epochs,
            smoothing=self.smoothing,
            by_group=self.by_group,
            guide=self.guide,
            regroup=self.regroup,
            n_init=self.n_init,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
        )
        _check_feature_names(self, X, reset=True)
        rows = Rows(X, choose_device(self.device))
        n = len(rows)
        if self.n_clusters > n:
            raise ValueError(
                f"n_clusters={self.n_clusters} is more than the {n} rows of X; ask for fewer clusters"
            )
        groups = self._groups(sensitive_features, n)
        bounds = FairnessBounds.from_any(None if sensitive_features is None else self.bounds)
        FairnessBounds.from_any(self.bounds)  # wrong ones are told in any case
        network = choose_network(self.network, recipe, rows.shape)
        self.network_kind_ = network if isinstance(network, str) else "given"
        make_network = network_maker(network, rows.shape, self.n_clusters, recipe, rows.device)
        with reused_memory():
            self._store(self._train(rows, groups, bounds, recipe, make_network), rows, groups, bounds)
        return self

    def _train(
        self,
        rows: Rows,
        groups: Groups,
        bounds: FairnessBounds,
        recipe: Recipe,
        make_network: Callable[[int], torch.nn.Module],
    ) -> Fitted:
        seen = read_statistics(rows)
        rows.center, rows.scale = scaling(rows.shape, seen)
        job = make_job(
            rows,
            seen,
            groups,
            bounds,
            recipe,
            make_network,
            perturbation=self.perturbation,
            n_clusters=self.n_clusters,
            sizes="predicted" if isinstance(self.sizes, str) and self.sizes == "auto" else self.sizes,
            targets=self.targets,
            fair_every=self.fair_every,
            balance_target=self.balance_target,
            precision=self.precision,
            seed=self._seed(),
        )
        parameters = {k: v for k, v in self.get_params(deep=False).items() if k not in _NOT_OF_THE_FIT}
        return fit_network(
            job,
            make_network,
            checkpoint=self.checkpoint,
            fingerprint=fingerprint(job, seen, parameters),
            level=logging.INFO if self.verbose else logging.DEBUG,
        )

    def _store(self, fitted: Fitted, rows: Rows, groups: Groups, bounds: FairnessBounds) -> None:
        """Fitted attributes, among them the labels of the training samples."""
        self.network_ = fitted.run.network.eval()
        self.center_, self.scale_, self.sample_shape_ = rows.center, rows.scale, rows.shape
        if len(rows.shape) == 1:
            self.n_features_in_ = rows.shape[0]
        self.history_, self.scores_, self.status_ = fitted.run.history, fitted.scores, fitted.status
        self.information_, self.start_ = fitted.information, fitted.start
        self.guided_ = fitted.guided
        self.n_iter_ = sum("loss" in row for row in self.history_)
        self.groups_, self.bounds_ = groups.summary(), bounds
        team = Team.current()
        proba = predict_proba(self.network_, rows, team)
        fair = team.shared(
            lambda: fair_labels(proba, groups, bounds, sizes=self._sizes_for(bounds), start=fitted.run.warm)
        )
        self.labels_ = proba.argmax(axis=1).astype(np.int32)
        self.fair_labels_, self.violation_, self.gap_ = fair.labels, fair.violation, fair.gap
        self.balance_ = balance(self.labels_, groups, n_clusters=self.n_clusters)
        self.fair_balance_ = balance(self.fair_labels_, groups, n_clusters=self.n_clusters)

    def _seed(self) -> int:
        stored = stored_seed(self.checkpoint) if self.random_state is None else None
        return int(check_random_state(self.random_state).randint(2**31 - 1)) if stored is None else stored

    def _check_parameters(self) -> None:
        for name, value in (("n_clusters", self.n_clusters), ("fair_every", self.fair_every)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        if self.targets not in ("hard", "weighted"):
            raise ValueError(f"targets must be 'hard' or 'weighted', got {self.targets!r}")
        for name in ("by_group", "guide", "regroup"):
            if (value := getattr(self, name)) not in (None, True, False):
                raise ValueError(f"{name} must be True, False or None, got {value!r}")
        target = self.balance_target
        if target is not None and not (isinstance(target, int | float) and 0 < target <= 1):
            raise ValueError(f"balance_target must be None or a number in (0, 1], got {target!r}")


# parameters that do not change the result of a fit
_NOT_OF_THE_FIT = ("checkpoint", "random_state", "verbose")
