"""What tighter bounds cost: one clustering for each of a grid of bounds, each started from its neighbors."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from faircluster.bounds import FairnessBounds, InfeasibleBoundsError
from faircluster.groups import Groups
from faircluster.metrics import additive_violation, balance, fairness_ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GRID", "TradeoffCurve", "find_knee", "tradeoff_curve"]

GRID = (0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)
COLUMNS = (
    "bounds", "slack", "cost", "lower_bound", "gap", "price", "violation", "balance", "fairness_ratio",
    "status", "start", "seconds", "problem",
)  # fmt: skip
_LEAST_RISE = 0.005  # of the cost, below which there is nothing to trade
_LEAST_BEND = 0.1  # of the curve's height, below which it is straight


@dataclass(frozen=True, eq=False)
class TradeoffCurve:
    """Clusterings for bounds from loose to tight.

    Attributes
    ----------
    rows : list of dict
        One for each of the bounds: ``bounds``, ``slack`` (None unless they are one), ``cost``,
        ``lower_bound`` (at the same centers), ``gap``, ``price``, ``violation``, ``balance``,
        ``fairness_ratio``, ``status``, ``start``, ``seconds``, and ``problem`` where there is no clustering.
    labels : list of ndarray of shape (n,), or None
    measure : str
        What the cost is.
    method : str
    unconstrained : float
        Least cost without bounds that was found.
    knee : int or None
        Position of the bounds from which on fairness becomes expensive.
    reason : str
        Why it is there, or why there is none.
    """

    rows: list[dict[str, Any]]
    labels: list[NDArray[np.int32] | None]
    measure: str
    method: str
    unconstrained: float
    knee: int | None
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Everything but the labels as plain dicts, lists and numbers, for JSON.

        Examples
        --------
        >>> TradeoffCurve([], [], "cost", "FairKMeans", 1.0, None, "no points").to_dict()["knee"] is None
        True
        """
        return {
            "method": self.method,
            "measure": self.measure,
            "unconstrained": self.unconstrained,
            "knee": self.knee,
            "reason": self.reason,
            "rows": self.rows,
        }

    def plot(self, axis: Axes | None = None) -> Axes:
        """Draw the curve; see `plot_tradeoff`.

        Raises
        ------
        ValueError
            Bounds that are no slacks, which have no common scale.
        ImportError
            If matplotlib is missing.

        Examples
        --------
        >>> row = {"slack": 0.2, "cost": 1.0, "lower_bound": 1.0, "balance": 0.5, "violation": 0.0}
        >>> TradeoffCurve([row], [None], "cost", "FairKMeans", 1.0, None, "").plot().get_ylabel()
        'cost'
        """
        return draw_tradeoff(self.to_dict(), axis)


def draw_tradeoff(curve: dict[str, Any], axis: Axes | None = None) -> Axes:
    """Draw what `TradeoffCurve.to_dict` gives.

    Raises
    ------
    ValueError
        Bounds that are no slacks.
    """
    from faircluster.report.charts import plot_tradeoff

    rows = curve["rows"]
    if any(row["slack"] is None for row in rows):
        raise ValueError("only a grid of slacks has a common scale to draw it on; see the table instead")
    found = [i for i, row in enumerate(rows) if row["cost"] is not None]
    chosen = [rows[i] for i in found]
    return plot_tradeoff(
        [row["slack"] for row in chosen],
        [row["cost"] for row in chosen],
        lower_bounds=[row["lower_bound"] for row in chosen],
        unconstrained=curve["unconstrained"],
        balances=[row["balance"] for row in chosen],
        violations=[row["violation"] for row in chosen],
        knee=None if curve["knee"] is None else found.index(curve["knee"]),
        measure=curve["measure"],
        axis=axis,
    )


def tradeoff_curve(
    estimator: Any,
    X: Any,
    sensitive_features: Any,
    grid: Iterable[float | FairnessBounds] = GRID,
    *,
    sample_weight: ArrayLike | None = None,
    on_point: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> TradeoffCurve:
    """Fit one clusterer under bounds from loose to tight, each started from its neighbors.

    Parameters
    ----------
    estimator : fair clusterer
        With a parameter ``bounds``; it is cloned, not changed.
    X : array-like of shape (n, d)
    sensitive_features : array-like or data frame with n rows
    grid : iterable of float or FairnessBounds, default=GRID
        A float is a slack, and slacks are put in order; other bounds must come from loose to tight.
    sample_weight : array-like of shape (n,), optional
    on_point : callable, optional
        Called with the number of points done, that of all, and the present bounds.

    Returns
    -------
    TradeoffCurve

    Raises
    ------
    ValueError
        An estimator without bounds, an empty grid, bad data.

    Notes
    -----
    One fit with all its starts for the loosest bounds; every other one starts from the centers of the one
    before, if the estimator takes centers as ``init``. Then, from tight to loose, the points are also
    assigned to the centers of the tighter neighbor: what keeps tighter bounds keeps looser ones, so the cost
    never rises as bounds loosen. Bounds that cannot be met have no cost, and a reason.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster import FairKMeans, tradeoff_curve
    >>> X = np.array([[0.0], [0.2], [0.4], [9.0], [9.2], [9.4]])
    >>> model = FairKMeans(2, n_init=1, random_state=0)
    >>> curve = tradeoff_curve(model, X, ["F", "F", "M", "F", "M", "M"], [0.9, 0.4])
    >>> [row["violation"] for row in curve.rows]
    [0.0, 0.0]
    """
    if "bounds" not in estimator.get_params():
        raise ValueError(f"estimator must have a parameter bounds, {type(estimator).__name__} has none")
    rules = _ordered(grid)
    keep = {name: estimator.get_params().get(name, default) for name, default in _READING.items()}
    groups = Groups.from_features(sensitive_features, sample_weight=sample_weight, **keep)
    given = {"sensitive_features": sensitive_features, "sample_weight": sample_weight}
    models: list[Any] = []
    problems: list[str | None] = []
    seconds, starts = np.zeros(len(rules)), [""] * len(rules)
    last: Any = None
    for i, bounds in enumerate(rules):
        on_point(i, len(rules), repr(bounds))
        begun = time.perf_counter()
        try:
            warm = _warm(estimator, last)
            last = clone(estimator).set_params(bounds=bounds, **warm).fit(X, **given)
            models.append(last)
            problems.append(None)
            starts[i] = "from looser bounds" if warm else "own starts"
        except InfeasibleBoundsError as error:
            models.append(None)
            problems.append(str(error))
        seconds[i] = time.perf_counter() - begun
    _from_tighter(estimator, X, given, rules, models, seconds, starts)
    on_point(len(rules), len(rules), "done")
    return _curve(estimator, rules, models, problems, seconds, starts, groups)


_READING: dict[str, Any] = {"missing": "error", "intersect": False}


def _ordered(grid: Iterable[float | FairnessBounds]) -> list[FairnessBounds]:
    given = list(grid)
    if not given:
        raise ValueError("grid must hold at least one slack or FairnessBounds")
    if all(not isinstance(point, FairnessBounds) for point in given):
        given = sorted(given, reverse=True)  # type: ignore[type-var]
    return [FairnessBounds.from_any(point) for point in given]


def _warm(estimator: Any, last: Any) -> dict[str, Any]:
    """Parameters that start a fit from the centers of another one, as far as the estimator takes them."""
    if last is None or "init" not in estimator.get_params():
        return {}
    if getattr(estimator, "metric", "") == "precomputed":
        return {"init": last.center_indices_}
    return {"init": last.cluster_centers_}


def _from_tighter(
    estimator: Any,
    X: Any,
    given: dict[str, Any],
    rules: list[FairnessBounds],
    models: list[Any],
    seconds: NDArray[np.float64],
    starts: list[str],
) -> None:
    """Take, from tight to loose, what the tighter neighbor's centers give where that is better."""
    fitted = [i for i, model in enumerate(models) if model is not None]
    for i, tighter in zip(fitted[-2::-1], fitted[:0:-1], strict=True):
        warm = _warm(estimator, models[tighter])
        if not warm or "max_iter" not in estimator.get_params():
            continue
        begun = time.perf_counter()
        trial = clone(estimator).set_params(bounds=rules[i], max_iter=1, **warm).fit(X, **given)
        seconds[i] += time.perf_counter() - begun
        if _cost(trial) < _cost(models[i]):
            models[i], starts[i] = trial, "centers of tighter bounds"


def _cost(model: Any) -> float:
    # the inertia_ of a socially fair model is that of everyone, not what it makes small
    for name in ("cost_",) if hasattr(model, "group_costs_") else ("radius_", "inertia_", "cost_"):
        value = getattr(model, name, None)
        if value is not None:
            return float(value)
    raise ValueError(f"{type(model).__name__} tells no cost after fitting")


def _curve(
    estimator: Any,
    rules: list[FairnessBounds],
    models: list[Any],
    problems: list[str | None],
    seconds: NDArray[np.float64],
    starts: list[str],
    groups: Groups,
) -> TradeoffCurve:
    radius = any(hasattr(model, "radius_") for model in models)
    plain = "unconstrained_radius_" if radius else "unconstrained_cost_"
    unconstrained = min((float(getattr(m, plain, np.inf)) for m in models if m is not None), default=np.inf)
    labels: list[NDArray[np.int32] | None] = []
    costs: list[float | None] = []
    rows: list[dict[str, Any]] = []
    for model in models:
        labels.append(None if model is None else np.asarray(model.labels_))
        costs.append(None if model is None else _cost(model))
    for i in range(len(models) - 2, -1, -1):  # an estimator that takes no centers
        tighter, own = costs[i + 1], costs[i]
        if tighter is None or own is None or own <= tighter:
            continue
        if additive_violation(labels[i + 1], groups, rules[i]) == 0:  # type: ignore[arg-type]
            labels[i], costs[i], models[i], starts[i] = (
                labels[i + 1], tighter, models[i + 1], "labels of tighter bounds",
            )  # fmt: skip
    for i, bounds in enumerate(rules):
        rows.append(
            _row(bounds, models[i], labels[i], costs[i], unconstrained, groups)
            | {"start": starts[i], "seconds": float(seconds[i]), "problem": problems[i]}
        )
    slacks = [row["slack"] for row in rows]
    knee, reason = find_knee(slacks, costs)
    measure = "radius" if radius else "sum of distances" if _is_median(estimator) else "cost"
    if type(estimator).__name__ == "FairKMeans":
        measure = "sum of squared distances"
    name = type(estimator).__name__
    return TradeoffCurve(rows, labels, measure, name, float(unconstrained), knee, reason)


def _is_median(estimator: Any) -> bool:
    return "Median" in type(estimator).__name__


def _row(
    bounds: FairnessBounds, model: Any, labels: Any, cost: float | None, unconstrained: float, groups: Groups
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row["bounds"] = repr(bounds)
    row["slack"] = bounds.value if bounds.kind == "slack" else None
    if model is None or cost is None:
        return row
    gap = max(0.0, float(model.gap_))
    return row | {
        "cost": cost,
        "lower_bound": cost / (1 + gap) if math.isfinite(gap) else 0.0,
        "gap": gap if math.isfinite(gap) else None,
        "price": cost / unconstrained if 0 < unconstrained < math.inf else None,
        "violation": additive_violation(labels, groups, bounds),
        "balance": balance(labels, groups),
        "fairness_ratio": fairness_ratio(labels, groups),
        "status": str(getattr(model, "status_", "")),
    }


def find_knee(slacks: list[float | None], costs: list[float | None]) -> tuple[int | None, str]:
    """Find the bounds from which on the cost rises steeply, and say why.

    Parameters
    ----------
    slacks : list of m floats or None
        From loose to tight; no knee is named unless all are numbers.
    costs : list of m floats or None
        None where there is no clustering.

    Returns
    -------
    knee : int or None
        The point farthest below the straight line between the ends, if by a tenth of the line's height.
    reason : str

    References
    ----------
    Satopaa, Albrecht, Irwin & Raghavan, "Finding a 'kneedle' in a haystack: detecting knee points in system
    behavior", ICDCS workshops 2011.

    Examples
    --------
    >>> find_knee([0.4, 0.3, 0.2, 0.1, 0.0], [10.0, 10.0, 10.1, 12.0, 18.0])[0]
    3
    >>> find_knee([0.2, 0.1, 0.0], [10.0, 11.0, 12.0])[1]
    'no knee: the cost rises evenly from slack 0.2 to 0, by 20.0% in all'
    """
    known = [i for i, cost in enumerate(costs) if cost is not None]
    if len(known) < 3 or any(slacks[i] is None for i in known):
        return None, "no knee: that takes at least three slacks for which there is a clustering"
    x = np.array([float(slacks[i] or 0.0) for i in known])
    y = np.array([float(costs[i] or 0.0) for i in known])
    rise = float(y[-1] / y[0] - 1) if y[0] > 0 else 0.0
    if rise < _LEAST_RISE:
        return None, (
            f"no knee: slack {x[-1]:g} costs only {max(rise, 0.0):.2%} more than slack {x[0]:g}; "
            "take the tightest"
        )
    line = y[0] + (y[-1] - y[0]) * (x[0] - x) / (x[0] - x[-1])
    bend = (line - y) / (y[-1] - y[0])
    i = int(np.argmax(bend))
    if bend[i] < _LEAST_BEND:
        return None, f"no knee: the cost rises evenly from slack {x[0]:g} to {x[-1]:g}, by {rise:.1%} in all"
    return known[i], (
        f"slack {x[i]:g}: from {x[i - 1]:g} to it the cost rises by {y[i] / y[i - 1] - 1:.2%}, on to "
        f"{x[i + 1]:g} by {y[i + 1] / y[i] - 1:.2%}; of all points it lies farthest below the line between "
        "the "
        f"ends of the curve, by {bend[i]:.0%} of its height"
    )
