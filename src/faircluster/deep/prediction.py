"""What a network says about all rows."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from faircluster.deep.inputs import CHUNK, Rows
from faircluster.deep.networks import embed_and_score
from faircluster.deep.parallel import Team

__all__ = ["embed_rows", "predict_proba"]


def predict_proba(network: nn.Module, rows: Rows, team: Team | None = None) -> NDArray[np.float32]:
    """Probabilities of the clusters for all rows, of shape (n, k); no row depends on the others.

    With a team every member predicts a share of the rows, and all get all.
    """
    network.eval()
    team = team or Team()
    every = list(rows.ranges())
    ends = np.linspace(0, len(every), team.size + 1).astype(int)
    found = [np.empty((0, 0), dtype=np.float32)]
    with torch.no_grad():
        for index in every[ends[team.rank] : ends[team.rank + 1]]:
            scores = network(rows.network_input(index)).float()
            found.append(functional.softmax(scores, dim=1).cpu().numpy())
    width = max(part.shape[1] for part in found)
    part = np.concatenate([part.reshape(-1, width) for part in found]) if width else found[0]
    return part if team.size == 1 else np.concatenate([p for p in team.parts(part) if len(p)])


def embed_rows(
    network: nn.Module, rows: Rows, index: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Embeddings of some rows, of shape (m, e), and their clusters."""
    network.eval()
    embedded, labels = [], []
    with torch.no_grad():
        for start in range(0, len(index), CHUNK):
            x = rows.network_input(index[start : start + CHUNK])
            embedding, scores = embed_and_score(network, x)
            embedded.append(embedding.float().cpu().numpy())
            labels.append(scores.argmax(dim=1).int().cpu().numpy())
    return np.concatenate(embedded), np.concatenate(labels)
