"""What the networks of several starts say together, where they found the same clusters."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import nn

from faircluster.deep.inputs import Rows
from faircluster.deep.parallel import Team
from faircluster.deep.prediction import predict_proba

__all__ = ["consensus"]

Array = NDArray[Any]
_AGREEING = 0.9  # of the samples, after matching of the clusters


def consensus(
    network: nn.Module,
    others: list[dict[str, torch.Tensor]],
    proba: Array,
    rows: Rows,
    team: Team | None = None,
) -> Array:
    """Mean probabilities of a network and of those others that agree with it.

    Parameters
    ----------
    network : nn.Module
        Not changed.
    others : list of dict of tensor
        Weights of networks of the same kind, whose clusters may be numbered otherwise.
    proba : ndarray of shape (n, k)
        What `network` predicts.
    rows : Rows of n samples
    team : Team, optional

    Returns
    -------
    ndarray of shape (n, k)
        In the order of the network's clusters. Another network counts if nine in ten of its predictions are
        the same after the best matching of the clusters.

    Notes
    -----
    A pass over the data for each, and an assignment problem of k by k (Hungarian method).

    Examples
    --------
    >>> import numpy as np, torch
    >>> rows, network = Rows(np.eye(3, dtype=np.float32), torch.device("cpu")), torch.nn.Linear(3, 3)
    >>> state = {"weight": 9 * torch.eye(3), "bias": torch.zeros(3)}
    >>> turned = {"weight": 5 * torch.eye(3)[[2, 0, 1]], "bias": torch.zeros(3)}
    >>> _ = network.load_state_dict(state)
    >>> mean = consensus(network, [turned], predict_proba(network, rows), rows)
    >>> mean.argmax(axis=1).tolist(), [f"{p:.3f}" for p in mean.diagonal()]
    ([0, 1, 2], ['0.993', '0.993', '0.993'])
    """
    other = copy.deepcopy(network)
    predicted, total, voices = proba.argmax(axis=1), proba.copy(), 1
    for state in others:
        other.load_state_dict(state)
        theirs = predict_proba(other, rows, team)
        if not np.isfinite(theirs).all():  # it diverged
            continue
        theirs = theirs[:, linear_sum_assignment(proba.T @ theirs, maximize=True)[1]]
        if np.mean(theirs.argmax(axis=1) == predicted) >= _AGREEING:
            total += theirs
            voices += 1
    mean: Array = total / np.float32(voices)
    return mean
