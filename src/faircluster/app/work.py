"""What the page computes: a plain and a fair clustering of a table, their audits, and the trade-off."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from faircluster.bounds import FairnessBounds
from faircluster.estimators import (
    FairKCenter,
    FairKMeans,
    FairKMedian,
    SociallyFairKMeans,
    SociallyFairKMedian,
)
from faircluster.groups import Groups
from faircluster.persistence import Preparation
from faircluster.report import AuditResult, TradeoffCurve, tradeoff_curve
from faircluster.report.summarize import audit
from faircluster.tables import Table

__all__ = ["OBJECTIVES", "SOCIAL", "Request", "Results", "read_request", "run_request", "warm_up"]

SHARES: dict[str, Any] = {"k-means": FairKMeans, "k-median": FairKMedian, "k-center": FairKCenter}
SOCIAL: dict[str, Any] = {
    "k-means, worst-off group": SociallyFairKMeans,
    "k-median, worst-off group": SociallyFairKMedian,
}
OBJECTIVES = SHARES | SOCIAL
MOST_CLUSTERS = 100
_TRADEOFF_ROWS = 20_000  # rows the trade-off is shown on; the page says so
Phase = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What a user asked for.

    Attributes
    ----------
    sensitive, features : tuple of str
        Columns.
    objective : str
        Of ``OBJECTIVES``.
    n_clusters : int
    slack : float
        Bound on shares; without ``bounded`` only what they are held against.
    starts, seed : int
    tradeoff : bool
        Whether the curve is wanted, too.
    bounded : bool
        Whether shares are bounded; a choice only where the cost of the worst-off group is the objective.
    """

    sensitive: tuple[str, ...]
    features: tuple[str, ...]
    objective: str
    n_clusters: int
    slack: float
    starts: int = 3
    seed: int = 0
    tradeoff: bool = True
    bounded: bool = True

    @property
    def social(self) -> bool:
        """Whether the cost of the worst-off group is made small."""
        return self.objective in SOCIAL


@dataclass(eq=False)
class Results:
    """What has been found so far; None for what is still to come.

    Attributes
    ----------
    plain, fair : AuditResult or None
    plain_labels, fair_labels : ndarray of shape (n,) or None
    curve : TradeoffCurve or None
    curve_rows : int
        Rows the curve was made from.
    notes : list of str
    """

    plain: AuditResult | None = None
    fair: AuditResult | None = None
    plain_labels: NDArray[np.int32] | None = None
    fair_labels: NDArray[np.int32] | None = None
    curve: TradeoffCurve | None = None
    curve_rows: int = 0
    notes: list[str] = field(default_factory=list)


def read_request(given: Any, table: Table) -> Request:
    """Check what the page sent.

    Parameters
    ----------
    given : any JSON value
    table : Table

    Returns
    -------
    Request

    Raises
    ------
    ValueError
        In words for the user.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = Table(pa.table({"sex": ["F", "M"], "age": [30, 40]}), "people.csv")
    >>> asked = {"sensitive": ["sex"], "features": ["age"], "objective": "k-means"}
    >>> read_request({**asked, "clusters": 2, "slack": 0.2}, table).n_clusters
    2
    """
    if not isinstance(given, dict):
        raise ValueError("the request must be an object")
    sensitive, features = (_names(given.get(role), role, table) for role in ("sensitive", "features"))
    both = set(sensitive) & set(features)
    if both:
        raise ValueError(f"column {min(both)!r} cannot be protected and a feature at once")
    if given.get("objective") not in OBJECTIVES:
        raise ValueError(f"the objective must be one of: {'; '.join(OBJECTIVES)}")
    clusters = _whole(given.get("clusters"), "the number of clusters", 1, min(MOST_CLUSTERS, table.n_rows))
    slack = given.get("slack")
    if isinstance(slack, bool) or not isinstance(slack, int | float) or not 0 <= slack < 1:
        raise ValueError("the slack must be a number of at least 0 and below 1")
    bounded = given["objective"] not in SOCIAL or bool(given.get("bounded", False))
    return Request(
        sensitive,
        features,
        given["objective"],
        clusters,
        float(slack),
        _whole(given.get("starts", 3), "the number of starts", 1, 50),
        _whole(given.get("seed", 0), "the seed", 0, 2**31 - 1),
        bounded and bool(given.get("tradeoff", True)),
        bounded,
    )


def _names(given: Any, role: str, table: Table) -> tuple[str, ...]:
    words = {"sensitive": "protected column", "features": "feature"}[role]
    if not isinstance(given, list) or not given:
        raise ValueError(f"choose at least one {words}")
    for name in given:
        if name not in table.columns:
            raise ValueError(f"there is no column {name!r}")
    return tuple(dict.fromkeys(given))


def _whole(given: Any, what: str, least: int, most: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
        raise ValueError(f"{what} must be a whole number from {least} to {most}")
    return given


def run_request(request: Request, table: Table, results: Results, on_phase: Phase) -> None:
    """Do what was asked for, filling in results as they come.

    Parameters
    ----------
    request : Request
    table : Table
    results : Results
    on_phase : callable
        Called with what begins; what it raises ends the work.

    Raises
    ------
    ValueError
        Columns that do not hold what they are asked for, or bounds that cannot be met.
    """
    on_phase("reading columns")
    protected = table.protected(request.sensitive, allow_missing=True)
    missing = sum(column.null_count for column in protected.itercolumns())
    if missing:
        results.notes.append(f"{missing:,} empty protected cells are a group of their own, 'missing'.")
    raw = np.column_stack([table.numbers(name) for name in request.features])
    X = Preparation.fitted(raw, request.features, request.sensitive, "minmax").apply(raw)
    groups = Groups.from_features(protected, missing="group")
    bounds = FairnessBounds.slack(request.slack)
    options: dict[str, Any] = {"feature_names": request.features, "source": table.path, "on_phase": on_phase}

    on_phase("clustering without bounds")
    plain = _plain(request, X)
    results.plain_labels = plain.labels_
    title = f"{_plain_name(request)} without bounds"
    results.plain = audit(plain.labels_, groups, X, bounds, model=plain, title=title, **options)

    on_phase("clustering within the bounds" if request.bounded else "clustering for the worst-off group")
    model = _estimator(request).set_params(bounds=bounds if request.bounded else None)
    with _told(on_phase):
        model.fit(X, sensitive_features=protected)
    results.fair_labels = model.labels_
    title = f"{request.objective}{' within bounds' if request.bounded else ''}"
    results.fair = audit(
        model.labels_, groups, X, bounds, model=model, before=results.plain_labels, title=title, **options
    )
    if request.tradeoff:
        results.curve, results.curve_rows = _curve(request, X, protected, on_phase)


class _Teller(logging.Handler):
    """Tells what a model logs of its starts, so that a long fit is seen to go on, and can be stopped."""

    def __init__(self, on_phase: Phase) -> None:
        super().__init__()
        self._on_phase = on_phase
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on the message without the name of the model; what that raises ends the fit."""
        if record.thread == self._thread:
            self._on_phase(f"clustering: {record.getMessage().partition(': ')[2]}")


@contextmanager
def _told(on_phase: Phase) -> Iterator[None]:
    logger, teller = logging.getLogger("faircluster"), _Teller(on_phase)
    level = logger.level
    logger.addHandler(teller)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(teller)


def _estimator(request: Request) -> Any:
    options: dict[str, Any] = {"n_init": request.starts, "random_state": request.seed, "verbose": 1}
    if request.social:
        options["method"] = "lloyd"  # the linear program would keep a small table waiting
    return OBJECTIVES[request.objective](request.n_clusters, missing="group", **options)


def _plain_name(request: Request) -> str:
    return request.objective.partition(",")[0]


@dataclass(frozen=True, eq=False)
class _Plain:
    """A clustering without promises, with what an audit needs to measure costs as those of the fair one."""

    labels_: NDArray[np.int32]
    cluster_centers_: NDArray[np.float64]
    distance_power: int


def _plain(request: Request, X: NDArray[np.float64]) -> _Plain:
    """Cluster as everyone does: by scikit-learn for k-means, by the method without bounds otherwise."""
    name = _plain_name(request)
    method = KMeans if name == "k-means" else SHARES[name]
    model = method(request.n_clusters, n_init=request.starts, random_state=request.seed).fit(X)
    return _Plain(model.labels_, model.cluster_centers_, 2 if name == "k-means" else 1)


def _curve(
    request: Request, X: NDArray[np.float64], protected: Any, on_phase: Phase
) -> tuple[TradeoffCurve, int]:
    """Find the trade-off on all rows, or on a sample where that would take too long to wait for."""
    rows = np.arange(len(X))
    if len(X) > _TRADEOFF_ROWS:
        chosen = np.random.default_rng(request.seed).choice(len(X), _TRADEOFF_ROWS, replace=False)
        rows = np.sort(chosen)
    grid = sorted({0.5, 0.35, 0.2, 0.1, request.slack})
    model = _estimator(request)
    curve = tradeoff_curve(
        model.set_params(n_init=1),
        X[rows],
        protected.take(rows),
        grid,
        on_point=lambda done, total, text: on_phase(f"trade-off: {min(done + 1, total)} of {total}"),
    )
    return curve, len(rows)


def warm_up() -> None:
    """Compile every kernel on a few rows, so that the first clustering does not wait for it."""
    rng = np.random.default_rng(0)
    X, sex = rng.normal(size=(200, 2)), rng.choice(["a", "b"], 200)
    for name in OBJECTIVES:
        request = Request(("sex",), ("x", "y"), name, 3, 0.2, starts=1)
        _estimator(request).set_params(bounds=0.2).fit(X, sensitive_features=sex)
