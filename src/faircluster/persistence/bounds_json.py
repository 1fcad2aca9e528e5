"""Fairness bounds as plain JSON."""

from __future__ import annotations

from typing import Any

from faircluster.bounds import FairnessBounds

__all__ = ["bounds_from_dict", "bounds_to_dict"]


def bounds_to_dict(bounds: FairnessBounds) -> dict[str, Any]:
    """Bounds as plain dicts, lists, strings and numbers, for JSON.

    Parameters
    ----------
    bounds : FairnessBounds

    Returns
    -------
    dict
        Read it with :func:`bounds_from_dict`.

    Examples
    --------
    >>> from faircluster import FairnessBounds
    >>> bounds_to_dict(FairnessBounds.slack(0.2))
    {'kind': 'slack', 'value': 0.2}
    """
    packed: dict[str, Any] = {"kind": bounds.kind}
    if bounds.value is not None:
        packed["value"] = bounds.value
    for argument in ("lower", "upper", "target"):
        shares = getattr(bounds, argument)
        if shares:
            packed[argument] = {
                name: list(share) if isinstance(share, tuple) else share for name, share in shares
            }
    if bounds.parts:
        packed["parts"] = [bounds_to_dict(part) for part in bounds.parts]
    return packed


def bounds_from_dict(packed: Any) -> FairnessBounds:
    """Bounds from what :func:`bounds_to_dict` gives, checked like those a user builds.

    Parameters
    ----------
    packed : dict

    Returns
    -------
    FairnessBounds

    Raises
    ------
    ValueError, TypeError
        An unknown kind, or numbers out of range.

    Examples
    --------
    >>> bounds_from_dict({"kind": "balance", "value": 0.5})
    FairnessBounds.balance(0.5)
    """
    if not isinstance(packed, dict):
        raise ValueError(f"bounds must be a dict, got {str(packed)[:40]!r}")
    given = {name: value for name, value in packed.items() if name != "kind"}
    match packed.get("kind"):
        case "slack" | "interval" | "ratio" as kind if "value" in given:
            build: Any = getattr(FairnessBounds, kind)
            value, target = given.pop("value"), given.pop("target", None)
            bounds = build(value, target=target)
        case "balance" | "max_share" as kind if "value" in given:
            build = getattr(FairnessBounds, kind)
            bounds = build(given.pop("value"))
        case "exact":
            bounds = FairnessBounds.exact(target=given.pop("target", None))
        case "explicit":
            bounds = FairnessBounds.explicit(given.pop("lower", None), given.pop("upper", None))
        case "per_cluster" if isinstance(given.get("parts"), list):
            bounds = FairnessBounds.per_cluster([bounds_from_dict(part) for part in given.pop("parts")])
        case kind:
            raise ValueError(f"bounds of kind {str(kind)[:40]!r} are unknown or incomplete")
    if given:
        raise ValueError(f"bounds have unknown fields: {', '.join(given)[:200]}")
    return bounds
