"""Networks of other starts that found the same clusters, asked together with the chosen one."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import nn

from faircluster.deep.inputs import Rows
from faircluster.deep.parallel import Team
from faircluster.deep.prediction import predict_proba

__all__ = ["Companion", "ask_companions"]

Array = NDArray[Any]
_AGREEING = 0.9  # of the samples, after matching of the clusters


@dataclass(eq=False)
class Companion:
    """A network of another start.

    Attributes
    ----------
    state : dict of tensor
        Its weights.
    order : list of int or None
        Its clusters in the order of the chosen network's; None before they are matched.
    """

    state: dict[str, torch.Tensor]
    order: list[int] | None = None


def ask_companions(
    companions: list[Companion], network: nn.Module, proba: Array, rows: Rows, team: Team | None = None
) -> tuple[list[Companion], Array]:
    """Match companions with a network, drop those that disagree, and let the others predict.

    Parameters
    ----------
    companions : list of Companion
        Those that have an order are taken as they are.
    network : nn.Module
        Of the same kind; not changed.
    proba : ndarray of shape (n, k)
        What it predicts.
    rows : Rows of n samples
    team : Team, optional

    Returns
    -------
    agreeing : list of Companion
        With their orders: nine in ten of their predictions are those of the network.
    total : ndarray of shape (n, k)
        Sum of their probabilities.

    Notes
    -----
    A pass over the data for each, and an assignment problem of k by k (Hungarian method).

    Examples
    --------
    >>> import numpy as np, torch
    >>> from faircluster.deep.prediction import predict_proba
    >>> rows = Rows(np.eye(3, dtype=np.float32), torch.device("cpu"))
    >>> network, other = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    >>> _ = network.load_state_dict({"weight": 9 * torch.eye(3), "bias": torch.zeros(3)})
    >>> state = {"weight": 9 * torch.eye(3)[[2, 0, 1]], "bias": torch.zeros(3)}
    >>> agreeing, total = ask_companions([Companion(state)], network, predict_proba(network, rows), rows)
    >>> agreeing[0].order, total.argmax(axis=1).tolist()
    ([1, 2, 0], [0, 1, 2])
    """
    predicted = proba.argmax(axis=1)
    other = copy.deepcopy(network)
    agreeing, total = [], np.zeros_like(proba)
    for companion in companions:
        other.load_state_dict(companion.state)
        theirs = predict_proba(other, rows, team)
        order = companion.order
        if order is None:
            order = linear_sum_assignment(proba.T @ theirs, maximize=True)[1].tolist()
            if np.mean(theirs[:, order].argmax(axis=1) == predicted) < _AGREEING:
                continue
        total += theirs[:, order]
        agreeing.append(Companion(companion.state, order))
    return agreeing, total
