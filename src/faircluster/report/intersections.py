"""Intersections of protected attributes: groups that bounds on single attributes can miss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from faircluster.groups import Groups
from faircluster.metrics.contingency import Contingency

__all__ = ["MOST_COMBINATIONS", "intersections"]

MOST_COMBINATIONS = 400  # of one set of attributes; more are too many to judge and mostly too small


def intersections(groups: Groups) -> Iterator[Groups]:
    """Every pair of attributes as one attribute of combinations, and all attributes together.

    Parameters
    ----------
    groups : Groups

    Yields
    ------
    Groups
        Over the same rows; its one attribute is named "sex & race", its groups are the combinations that
        occur. Sets of attributes with more than 400 combinations are left out.

    Notes
    -----
    O(S g) for each, whatever the number of rows.

    References
    ----------
    Kearns, Neel, Roth & Wu, "Preventing fairness gerrymandering: auditing and learning for subgroup
    fairness", ICML 2018.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"sex": ["F", "M", "M"], "old": ["no", "no", "yes"]})
    >>> [both.names for both in intersections(Groups.from_features(frame))]
    [('sex=F & old=no', 'sex=M & old=no', 'sex=M & old=yes')]
    """
    attributes = np.asarray(groups.attributes, dtype=object)
    names = list(dict.fromkeys(groups.attributes))
    sets = list(combinations(names, 2))
    if len(names) > 2:
        sets.append(tuple(names))  # type: ignore[arg-type]
    for chosen in sets:
        members = np.flatnonzero(np.isin(attributes, chosen))
        combined = _combined(groups, members, " & ".join(name or "groups" for name in chosen))
        if combined.n_groups <= MOST_COMBINATIONS:
            yield combined


def _combined(groups: Groups, members: NDArray[np.intp], attribute: str) -> Groups:
    values, code = np.unique(groups.signature_membership[:, members], axis=0, return_inverse=True)
    code = code.ravel()
    held = np.bincount(code, groups.signature_counts, minlength=len(values)) > 0
    # rows of the table of values come sorted; the order of the groups reads better reversed
    order = np.flatnonzero(held)[::-1]
    names = tuple(
        " & ".join(groups.names[i] for i in members[np.flatnonzero(values[v])]) or "none" for v in order
    )
    return replace(
        groups,
        signature_membership=code[:, None] == order,
        names=names,
        attributes=(attribute,) * len(names),
    )


def with_groups(table: Contingency, groups: Groups) -> Contingency:
    """Return the same counts with other groups over the same signatures."""
    return replace(table, groups=groups)
