"""The demo: Adult clustered plainly and fairly, side by side."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans

from faircluster.atomic import atomic_write
from faircluster.datasets import load_adult
from faircluster.estimators import FairKMeans
from faircluster.groups import Groups
from faircluster.metrics import group_shares, price_of_fairness
from faircluster.persistence import Preparation
from faircluster.report import Audit, audit_clustering, plot_group_shares
from faircluster.report.text import number
from faircluster.tables import Table, write_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Clustered", "Demo", "run_demo"]

SLACK = 0.2
STARTS = 5


@dataclass(frozen=True, eq=False)
class Clustered:
    """One of the two clusterings.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
    cost : float
        Sum of squared distances to the centers.
    gap : float or None
        How far the cost may be from the best for these centers, as a fraction; None without a certificate.
    seconds : float
    audit : Audit
    """

    labels: NDArray[np.int32]
    cost: float
    gap: float | None
    seconds: float
    audit: Audit


@dataclass(frozen=True, eq=False)
class Demo:
    """What the demo found and wrote.

    Attributes
    ----------
    plain, fair : Clustered
        scikit-learn's k-means and FairKMeans, with clusters in the same order.
    price_of_fairness : float
        Fair cost over the least cost without bounds that either found.
    files : tuple of Path
    """

    plain: Clustered
    fair: Clustered
    price_of_fairness: float
    files: tuple[Path, ...]

    def figures(self) -> dict[str, list[str]]:
        """Rows of the side-by-side table: what it is, plain, fair.

        Returns
        -------
        dict from str to list of two str
        """
        pair = (self.plain, self.fair)
        rows = {
            "share a group may have": ["any", "4/5 to 5/4 of everyone's"],
            "largest violation, points": [number(c.audit.violation) for c in pair],
            "cost": [f"{c.cost:,.1f}" for c in pair],
            "price of fairness": ["1", f"{self.price_of_fairness:.4f}"],
            "gap to the lower bound": ["-" if c.gap is None else f"{c.gap:.3%}" for c in pair],
            "seconds": [f"{c.seconds:.1f}" for c in pair],
        }
        for old, new in zip(self.plain.audit.attributes, self.fair.audit.attributes, strict=True):
            rows |= {
                f"balance, {old.attribute}": [f"{a.balance:.3f}" for a in (old, new)],
                f"fairness ratio, {old.attribute}": [f"{a.fairness_ratio:.3f}" for a in (old, new)],
            }
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists and numbers for JSON."""
        return {
            "data": "Adult",
            "price_of_fairness": self.price_of_fairness,
            "clusterings": {
                name: {"cost": c.cost, "gap": c.gap, "seconds": c.seconds, "audit": c.audit.to_dict()}
                for name, c in (("plain", self.plain), ("fair", self.fair))
            },
        }


def run_demo(
    output: str | os.PathLike[str],
    *,
    rows: int | None = None,
    n_clusters: int = 8,
    on_phase: Callable[[str], None] = lambda phase: None,
) -> Demo:
    """Cluster Adult with scikit-learn's KMeans and with FairKMeans, and write what comes out.

    Parameters
    ----------
    output : path
        Folder for ``labels.csv``, ``summary.json``, ``group-shares.png`` and ``group-shares.svg``; made if it
        does not exist.
    rows : int, optional
        Take this many rows at random instead of all 48,842.
    n_clusters : int, default=8
    on_phase : callable, optional
        Called with what begins.

    Returns
    -------
    Demo

    Raises
    ------
    ValueError
        `rows` is less than `n_clusters`.
    ImportError
        If pandas, pyarrow or matplotlib is missing.
    OSError
        The folder or a file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from faircluster.demo import run_demo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     demo = run_demo(folder, rows=2000, n_clusters=2)
    >>> demo.fair.audit.violation
    0.0
    """
    paths = _paths(Path(output))
    on_phase("reading Adult")
    adult = load_adult()
    data = adult.data
    if rows is not None:
        chosen = np.random.default_rng(0).permutation(len(data))[:rows]
        data = data.iloc[np.sort(chosen)].reset_index(drop=True)
    X = data[list(adult.feature_names)].to_numpy(dtype=np.float64)
    X = Preparation.fitted(X, adult.feature_names, scale="minmax").apply(X)
    groups = Groups.from_features(data[list(adult.sensitive_names)])
    on_phase("plain k-means (scikit-learn)")
    plain_labels, plain_cost, plain_seconds = _plain(X, n_clusters)
    on_phase("compiling (the first run only)")
    _compile(X[:1000], data["sex"][:1000])
    on_phase("FairKMeans")
    begun = time.perf_counter()
    model = FairKMeans(n_clusters, bounds=SLACK, n_init=STARTS, n_swaps=0, random_state=0)
    model.fit(X, sensitive_features=data[list(adult.sensitive_names)])
    fair_seconds = time.perf_counter() - begun
    on_phase("writing labels, summary and picture")
    before, after = _ordered(plain_labels, model.labels_, groups, n_clusters)
    audits = [audit_clustering(labels, groups, SLACK, n_clusters=n_clusters) for labels in (before, after)]
    plain = Clustered(before, plain_cost, None, plain_seconds, audits[0])
    fair = Clustered(after, model.inertia_, model.gap_, fair_seconds, audits[1])
    least = min(plain_cost, model.unconstrained_cost_)
    demo = Demo(plain, fair, price_of_fairness(fair.cost, least), paths)
    _write(demo, data, groups)
    return demo


def _compile(X: NDArray[np.float64], sex: pd.Series) -> None:
    """Run every kernel once, so that the seconds shown are those of the work."""
    FairKMeans(2, bounds="exact", n_init=1, random_state=0).fit(X, sensitive_features=sex)


def _plain(X: NDArray[np.float64], n_clusters: int) -> tuple[NDArray[np.int32], float, float]:
    """Labels, cost and seconds of scikit-learn's k-means from as many starts."""
    begun = time.perf_counter()
    model = KMeans(n_clusters, n_init=STARTS, random_state=0).fit(X)
    return model.labels_, float(model.inertia_), time.perf_counter() - begun


def _ordered(
    before: NDArray[np.int32], after: NDArray[np.int32], groups: Groups, k: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Give clusters that hold the same people the same number, in the order of the first group's share."""
    together = np.zeros((k, k))
    np.add.at(together, (before, after), 1.0)
    _, partner = linear_sum_assignment(-together)
    share = np.bincount(before, weights=groups.membership[:, 0], minlength=k) / np.bincount(
        before, minlength=k
    )
    order = np.argsort(share, kind="stable")
    new, new_after = np.empty(k, dtype=np.int32), np.empty(k, dtype=np.int32)
    new[order] = np.arange(k)
    new_after[partner] = new
    return new[before], new_after[after]


def _paths(folder: Path) -> tuple[Path, ...]:
    """Files to write, in a folder that is there before the work begins."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("labels.csv", "summary.json", "group-shares.png", "group-shares.svg")
    return tuple(folder / name for name in names)


def _write(demo: Demo, data: pd.DataFrame, groups: Groups) -> None:
    """Write labels, summary and picture into the folder."""
    import pyarrow as pa
    from matplotlib import rc_context

    labels, summary, *pictures = demo.files
    table = Table(pa.Table.from_pandas(data, preserve_index=False), "Adult")
    table = table.with_column("plain_cluster", demo.plain.labels).with_column(
        "fair_cluster", demo.fair.labels
    )
    write_table(table, labels)
    with atomic_write(summary) as file:
        file.write(json.dumps(demo.to_dict(), indent=2, allow_nan=False).encode())
    figure = _picture(demo, groups)
    for picture in pictures:
        # neither a date nor random names: the same run gives the same file
        metadata = {"Date": None} if picture.suffix == ".svg" else None
        with atomic_write(picture) as file, rc_context({"svg.hashsalt": "faircluster"}):
            figure.savefig(file, format=picture.suffix[1:], dpi=150, metadata=metadata)


def _picture(demo: Demo, groups: Groups) -> Figure:
    """Group shares by cluster before and after; of two groups that add up to everyone, one."""
    audits = demo.fair.audit.attributes
    names = [a.shares.names for a in audits]
    shown = [name for group in names for name in (group[:1] if len(group) == 2 else group)]
    lower = np.concatenate([a.lower.T for a in audits])
    upper = np.concatenate([a.upper.T for a in audits])
    k = demo.fair.audit.n_clusters
    axes = plot_group_shares(
        group_shares(demo.plain.labels, groups, n_clusters=k),
        group_shares(demo.fair.labels, groups, n_clusters=k),
        limits=(lower, upper),
        groups=shown,
        labels=("plain k-means", "FairKMeans"),
        title="Plain k-means separates groups; FairKMeans keeps every cluster in bounds",
        subtitle=(
            f"{groups.n_rows:,} people of the Adult census data in {k} clusters. "
            "Allowed: from 4/5 to 5/4 of a group's share of everyone"
        ),
    )
    figure: Figure = axes[0].figure
    return figure
