"""The deep demo: small digits and their negatives, clustered on pixels and by a network."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import normalized_mutual_info_score

from faircluster.atomic import atomic_write
from faircluster.datasets import load_inverted_digits
from faircluster.deep.diagnostics import diagnose, plot_curves
from faircluster.deep.estimator import DeepFairClustering
from faircluster.estimators import FairKMeans
from faircluster.metrics import balance, clustering_accuracy

__all__ = ["DeepDemo", "run_deep_demo"]


@dataclass(frozen=True, eq=False)
class DeepDemo:
    """What the deep demo found and wrote.

    Attributes
    ----------
    figures : dict from str to list of three str
        Rows of a table: fair k-means, the network's labels, its fair labels.
    remarks : list of str
        Of :func:`~faircluster.deep.diagnose`.
    seconds : float
    files : tuple of Path
    """

    figures: dict[str, list[str]]
    remarks: list[str]
    seconds: float
    files: tuple[Path, ...]


def run_deep_demo(
    output: str | os.PathLike[str],
    *,
    rows: int | None = None,
    epochs: int | None = None,
    on_phase: Callable[[str], None] = lambda phase: None,
) -> DeepDemo:
    """Cluster scikit-learn's digits and their negatives; nothing tells the network of the inversion.

    Parameters
    ----------
    output : path
        Folder for ``labels.csv``, ``summary.json``, ``curves.png`` and ``model.safetensors``; made if it does
        not exist.
    rows : int, optional
        Take this many images at random instead of all 3,594.
    epochs : int, optional
        As in :class:`DeepFairClustering`.
    on_phase : callable, optional
        Called with what begins.

    Returns
    -------
    DeepDemo

    Raises
    ------
    ImportError
        If matplotlib is missing.
    OSError
        The folder or a file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from faircluster.deep.demo import run_deep_demo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     demo = run_deep_demo(folder, rows=400, epochs=1)
    >>> demo.figures["violation, points"][2]
    '0'
    """
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    names = ("labels.csv", "summary.json", "curves.png", "model.safetensors")
    paths = tuple(folder / name for name in names)
    digits = load_inverted_digits()
    chosen = np.sort(np.random.default_rng(0).permutation(len(digits.X))[:rows])
    X, ink, target = digits.X[chosen], digits.sensitive[chosen], digits.target[chosen]
    on_phase("fair k-means on pixels")
    plain = FairKMeans(10, bounds="exact", n_init=1, n_swaps=0, random_state=0)
    plain.fit(X.reshape(len(X), -1).astype(np.float64), sensitive_features=ink)
    on_phase("training a network")
    begun = time.perf_counter()
    model = DeepFairClustering(10, n_init=1, epochs=epochs, random_state=0).fit(X, sensitive_features=ink)
    seconds = time.perf_counter() - begun
    on_phase("writing labels, summary, curves and model")
    columns = {
        "k-means": (plain.labels_, plain.violation_),
        "network": (model.labels_, None),
        "network, fair": (model.fair_labels_, model.violation_),
    }
    figures = _figures(columns, target, ink)
    demo = DeepDemo(figures, diagnose(model), seconds, paths)
    _write(
        demo, model, {"image": chosen, "ink": ink, "digit": target, **{n: v[0] for n, v in columns.items()}}
    )
    return demo


def _figures(
    columns: dict[str, tuple[NDArray[np.int32], float | None]], target: NDArray[Any], ink: NDArray[Any]
) -> dict[str, list[str]]:
    labels = [found for found, _ in columns.values()]
    return {
        "accuracy": [f"{clustering_accuracy(target, one):.3f}" for one in labels],
        "NMI": [f"{normalized_mutual_info_score(target, one):.3f}" for one in labels],
        "balance": [f"{balance(one, ink, n_clusters=10):.3f}" for one in labels],
        "violation, points": ["-" if v is None else f"{v:g}" for _, v in columns.values()],
    }


def _write(demo: DeepDemo, model: DeepFairClustering, table: dict[str, NDArray[Any]]) -> None:
    labels, summary, curves, weights = demo.files
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*(column.tolist() for column in table.values()), strict=True))
    found = {"data": "inverted digits", "figures": demo.figures, "remarks": demo.remarks,
             "seconds": demo.seconds, "history": model.history_}  # fmt: skip
    for path, content in ((labels, text.getvalue()), (summary, json.dumps(found, indent=2))):
        with atomic_write(path) as file:
            file.write(content.encode())
    with atomic_write(curves) as file:
        plot_curves(model).savefig(file, format="png", dpi=150)
    model.save(weights)
