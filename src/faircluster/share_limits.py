"""Share limits of the groups of given data: named shares, targets, what a balance implies, and collisions."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faircluster.bound_rows import number
from faircluster.groups import Groups

__all__ = [
    "NamedShares",
    "check_collisions",
    "implied_by_balance",
    "named_shares",
    "share_in_range",
    "shares_by_name",
    "target_shares",
]

# name -> share, or name -> one share per cluster; sorted by name so that equal bounds compare equal
NamedShares = tuple[tuple[str, float | tuple[float, ...]], ...]


def share_in_range(argument: str, value: Any, *, low_open: bool = False, high_open: bool = False) -> float:
    """Check a number between 0 and 1, either end excluded on request.

    Examples
    --------
    >>> share_in_range("s", 0)
    0.0
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{argument} must be a number, got {value!r}")
    x = float(value)
    if not 0 <= x <= 1 or (low_open and x == 0) or (high_open and x == 1):
        allowed = f"0 {'<' if low_open else '<='} {argument} {'<' if high_open else '<='} 1"
        raise ValueError(f"{argument} must satisfy {allowed}, got {value!r}")
    return x


def named_shares(argument: str, shares: Mapping[str, Any] | None, *, scalar: bool = False) -> NamedShares:
    """Check a dict from group name to share (or to one share per cluster) and sort it by name.

    Examples
    --------
    >>> named_shares("lower", {"b": [0.1, 0.2], "a": 0.5})
    (('a', 0.5), ('b', (0.1, 0.2)))
    """
    if shares is None:
        return ()
    if not isinstance(shares, Mapping):
        raise TypeError(f"{argument} must be a dict from group name to share, got {shares!r}")
    checked: dict[str, float | tuple[float, ...]] = {}
    for name, share in shares.items():
        where = f"{argument}[{name!r}]"
        if scalar or np.ndim(share) == 0:
            checked[str(name)] = share_in_range(where, share)
        else:
            checked[str(name)] = tuple(
                share_in_range(where, value) for value in np.asarray(share).ravel().tolist()
            )
    return tuple(sorted(checked.items()))


def shares_by_name(
    argument: str, shares: NamedShares, groups: Groups, n_clusters: int, default: float
) -> NDArray[np.float64]:
    """Limits given by group name; O(g k).

    Parameters
    ----------
    argument : str
        Name of the argument, for messages.
    shares : tuple of (name, share) pairs
        A share is one number, or a tuple of k.
    groups : Groups
        Names of the groups.
    n_clusters : int
        Number of clusters k.
    default : float
        Limit of the groups not named.

    Returns
    -------
    ndarray of shape (g, 1), or (g, k) when one of them is given per cluster, float64

    Raises
    ------
    ValueError
        A group that does not occur or is named twice, or a wrong number of shares.

    Examples
    --------
    >>> from faircluster.groups import Groups
    >>> groups = Groups.from_features(["a", "b"])
    >>> shares_by_name("lower", (("b", 0.3),), groups, 2, 0.0).tolist()
    [[0.0], [0.3]]
    """
    width = n_clusters if any(isinstance(share, tuple) for _, share in shares) else 1
    limits = np.full((groups.n_groups, width), default)
    for index, (name, share) in _positions(argument, shares, groups).items():
        if isinstance(share, tuple) and len(share) != n_clusters:
            raise ValueError(f"{argument}[{name!r}] has {len(share)} shares but n_clusters is {n_clusters}")
        limits[index] = share
    return limits


def _positions(
    argument: str, shares: NamedShares, groups: Groups
) -> dict[int, tuple[str, float | tuple[float, ...]]]:
    found: dict[int, tuple[str, float | tuple[float, ...]]] = {}
    for name, share in shares:
        index = groups.position(name)
        if index in found:
            raise ValueError(
                f"{argument} names group {groups.names[index]!r} twice, as {found[index][0]!r} and {name!r}"
            )
        found[index] = (name, share)
    return found


def target_shares(target: NamedShares, groups: Groups) -> NDArray[np.float64]:
    """Shares p: those of the data, replaced by the target's where it names a group; O(g + S g).

    Parameters
    ----------
    target : tuple of (name, share) pairs
        Shares in [0, 1].
    groups : Groups
        Names and shares of the groups.

    Returns
    -------
    ndarray of shape (g,), float64

    Raises
    ------
    ValueError
        A group that does not occur or is named twice, or shares of a whole attribute that do not sum to 1.

    Examples
    --------
    >>> from faircluster.groups import Groups
    >>> target_shares((("b", 0.6),), Groups.from_features(["a", "b"])).tolist()
    [0.5, 0.6]
    """
    shares = groups.shares.copy()
    found = _positions("target", target, groups)
    for index, (_, share) in found.items():
        shares[index] = share
    for attribute in dict.fromkeys(groups.attributes) if found else ():
        members = _members(groups, attribute)
        if _overlap(groups, members) == (1, 1) and all(i in found for i in members):
            total = shares[members].sum()
            if abs(total - 1.0) > 1e-6:
                listed = " + ".join(f"{groups.names[i]} {shares[i]:g}" for i in members)
                raise ValueError(f"target shares of one attribute must sum to 1, got {listed} = {total:g}")
    return shares


def _members(groups: Groups, attribute: str) -> list[int]:
    return [i for i, name in enumerate(groups.attributes) if name == attribute]


def _overlap(groups: Groups, members: list[int]) -> tuple[int, int]:
    """Fewest and most of these groups that a row belongs to: (1, 1) when they partition the data."""
    counted = groups.signature_counts > 0
    each = groups.signature_membership[counted][:, members].sum(axis=1)
    return int(each.min(initial=1)), int(each.max(initial=1))


def implied_by_balance(t: float, groups: Groups) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share limits that a balance implies where the groups of an attribute partition the data; O(S g).

    A group's share is smallest when each other group is 1/t times as large, largest when each is t times.

    Parameters
    ----------
    t : float
        Balance.
    groups : Groups
        Groups and signatures.

    Returns
    -------
    lower, upper : ndarray of shape (g, 1), float64
        0 and 1 where the groups of the attribute overlap or leave rows out.

    Examples
    --------
    >>> from faircluster.groups import Groups
    >>> lower, upper = implied_by_balance(0.5, Groups.from_features(["a", "b", "c"]))
    >>> lower.ravel().tolist(), upper.ravel().tolist()
    ([0.2, 0.2, 0.2], [0.5, 0.5, 0.5])
    """
    lower, upper = np.zeros((groups.n_groups, 1)), np.ones((groups.n_groups, 1))
    for attribute in dict.fromkeys(groups.attributes):
        members = _members(groups, attribute)
        if _overlap(groups, members) == (1, 1):
            others = len(members) - 1
            lower[members] = t / (t + others) if others else 1.0
            upper[members] = 1.0 / (1.0 + t * others)
    return lower, upper


def check_collisions(lower: NDArray[np.float64], upper: NDArray[np.float64], groups: Groups) -> None:
    """Refuse limits that contradict one another whatever the data; O(g k + S g).

    Parameters
    ----------
    lower, upper : ndarray of shape (g, 1 or k), float64
        Share limits.
    groups : Groups
        Names, attributes and signatures.

    Raises
    ------
    ValueError
        Lower above upper, or limits of the groups of one attribute whose sum lies on the wrong side of 1.

    Examples
    --------
    >>> import numpy as np
    >>> from faircluster.groups import Groups
    >>> check_collisions(np.full((2, 1), 0.5), np.ones((2, 1)), Groups.from_features(["a", "b"]))
    """
    crossed = np.argwhere(lower > upper)
    if len(crossed):
        i, j = crossed[0]
        raise ValueError(
            f"lower bound {lower[i, j]:g} of group {groups.names[i]!r} exceeds its upper bound "
            f"{upper[i, j]:g}; lower one or raise the other"
        )
    for attribute in dict.fromkeys(groups.attributes):
        members = _members(groups, attribute)
        fewest, most = _overlap(groups, members)
        if most <= 1:
            _check_sum("lower", lower[members], [groups.names[i] for i in members])
        if (fewest, most) == (1, 1):
            _check_sum("upper", upper[members], [groups.names[i] for i in members])


def _check_sum(side: str, limits: NDArray[np.float64], names: list[str]) -> None:
    sums = limits.sum(axis=0)
    wrong = sums > 1 + 1e-9 if side == "lower" else sums < 1 - 1e-9
    if wrong.any():
        j = int(np.argmax(wrong))
        listed = " + ".join(f"{name} {number(limits[i, j])}" for i, name in enumerate(names[:10]))
        more = " + ..." if len(names) > 10 else ""
        beyond, remedy = ("more", "lower") if side == "lower" else ("less", "raise")
        raise ValueError(
            f"{side} bounds of disjoint groups sum to {beyond} than 1: {listed}{more} = {sums[j]:.6g}; "
            f"{remedy} one of them"
        )
