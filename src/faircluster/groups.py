"""Protected columns become groups, and rows become signatures.

A *group* is one value of one protected attribute ("sex=Female"). A row's *signature* is the combination of
groups it belongs to. Bounds are linear in how many rows of each signature a cluster receives, so everything
downstream works on the few signatures that occur. Overlap and intersections are decided here only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faircluster.protected import ProtectedColumn, read_columns

__all__ = ["Groups"]

Missing = Literal["error", "group"]


@dataclass(frozen=True, eq=False)
class Groups:
    """Which groups each row belongs to, stored as one signature per row.

    Build it with :meth:`from_features`.

    Parameters
    ----------
    signature : ndarray of shape (n,), int32
        Index of each row's signature.
    signature_membership : ndarray of shape (S, g), bool
        Which groups a signature belongs to; only signatures that occur, in an order that depends on the set
        of signatures alone, not on the order of the rows.
    names : tuple of str, length g
        Group names, "sex=Female" when the column has a name, else "Female".
    attributes : tuple of str, length g
        Attribute (column) each group comes from; "" when it has no name.
    weights : ndarray of shape (n,), float64, or None
        Sample weights; None counts every row once.
    counted : bool, default=False
        Whether a weight is a number of equal rows, and not how much one row counts: samples are then as
        large as their weights say.

    Examples
    --------
    >>> from faircluster.groups import Groups
    >>> groups = Groups.from_features(["b", "a", "b", "b"])
    >>> groups.names, groups.counts.tolist(), groups.signature.tolist()
    (('a', 'b'), [1.0, 3.0], [1, 0, 1, 1])
    """

    signature: NDArray[np.int32]
    signature_membership: NDArray[np.bool_]
    names: tuple[str, ...]
    attributes: tuple[str, ...]
    weights: NDArray[np.float64] | None = None
    counted: bool = False

    @classmethod
    def from_features(
        cls,
        sensitive_features: Any,
        *,
        n_rows: int | None = None,
        sample_weight: Any = None,
        intersect: bool = False,
        missing: Missing = "error",
    ) -> Groups:
        """Read protected attributes from any table or array.

        O(n) per column for factorization, O(n g) in all for signatures.

        Parameters
        ----------
        sensitive_features : array-like, data frame or None
            One-dimensional (list, NumPy array, pandas or polars Series, pyarrow array): one attribute whose
            values are the groups. Two-dimensional (array, data frame, pyarrow table): each column is an
            attribute. Two-dimensional and boolean throughout: a membership matrix, each column one group, and
            a row may belong to any number of groups. None: one group, "all", that holds every row.
        n_rows : int, optional
            Expected number of rows; required when both `sensitive_features` and `sample_weight` are None.
        sample_weight : array-like of shape (n,), optional
            Non-negative weights. Groups with a total weight of zero are left out.
        intersect : bool, default=False
            Make one attribute of all columns, whose groups are the combinations that occur.
        missing : {"error", "group"}, default="error"
            Whether missing values (None, NaN, NaT, null) are an error or a group of their own.

        Returns
        -------
        Groups

        Raises
        ------
        ValueError
            Lengths that differ, no rows, missing values, invalid weights, a column that looks continuous,
            a group without members, or names that are not unique.
        TypeError
            An input that is not a table, array, series or list.

        Examples
        --------
        >>> import pandas as pd
        >>> from faircluster.groups import Groups
        >>> frame = pd.DataFrame({"sex": ["F", "M", "M"], "old": ["no", "no", "yes"]})
        >>> Groups.from_features(frame).names
        ('sex=F', 'sex=M', 'old=no', 'old=yes')
        >>> Groups.from_features(frame, intersect=True).names
        ('sex=F & old=no', 'sex=M & old=no', 'sex=M & old=yes')
        """
        if missing not in ("error", "group"):
            raise ValueError(f"missing must be 'error' or 'group', got {missing!r}")
        if sensitive_features is None:
            n_rows = _expected_rows(n_rows, sample_weight)
            columns = [ProtectedColumn("", ("all",), np.zeros(n_rows, dtype=np.int64))]
        else:
            columns = read_columns(sensitive_features, missing_group=missing == "group")
        n = len(columns[0].codes)
        if n_rows is not None and n != n_rows:
            raise ValueError(
                f"sensitive_features has {n} rows but {n_rows} are expected; pass one per row of X"
            )
        if n == 0:
            raise ValueError("sensitive_features has 0 rows; at least one row is needed")
        weights = _check_weights(sample_weight, n)
        signature, membership = _signatures(columns)
        names = tuple(name for column in columns for name in column.names)
        attributes = tuple(column.attribute for column in columns for _ in column.names)
        if intersect and len(columns) > 1:
            names = _intersection_names(membership, names)
            attributes = (" & ".join(filter(None, dict.fromkeys(attributes))),) * len(names)
            membership = np.eye(len(names), dtype=bool)
        _check_unique(names)
        groups = cls(signature, membership, names, attributes, weights)
        return groups if weights is None else _drop_weightless(groups)

    @property
    def n_rows(self) -> int:
        """Number of rows n."""
        return len(self.signature)

    @property
    def n_groups(self) -> int:
        """Number of groups g."""
        return len(self.names)

    @property
    def n_signatures(self) -> int:
        """Number of signatures S that occur."""
        return len(self.signature_membership)

    @property
    def membership(self) -> NDArray[np.bool_]:
        """Which groups each row belongs to, shape (n, g); built on each access in O(n g)."""
        return self.signature_membership[self.signature]

    @cached_property
    def signature_counts(self) -> NDArray[np.float64]:
        """Weighted number of rows of each signature, shape (S,)."""
        counts = np.bincount(self.signature, self.weights, minlength=self.n_signatures)
        return counts.astype(np.float64, copy=False)

    @cached_property
    def total(self) -> float:
        """Sum of the weights; the number of rows when there are none."""
        return float(self.signature_counts.sum())

    @cached_property
    def counts(self) -> NDArray[np.float64]:
        """Weighted number of rows of each group, shape (g,)."""
        # einsum adds in a fixed order; a BLAS product may not, and whole counts stay whole either way
        membership = self.signature_membership.astype(np.float64)
        counts: NDArray[np.float64] = np.einsum("s,sg->g", self.signature_counts, membership)
        return counts

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """Each group's share of the total, shape (g,), in [0, 1]; zeros when the total is zero."""
        return np.minimum(1.0, self.counts / self.total) if self.total > 0 else np.zeros(self.n_groups)

    @cached_property
    def integer_weights(self) -> bool:
        """Whether every weight is a whole number (true without weights)."""
        return self.weights is None or bool(np.all(self.weights == np.rint(self.weights)))

    def summary(self) -> Groups:
        """Return the same groups with one row a signature, weighted by its count.

        Keeps names, counts and shares when the rows themselves are no longer needed. O(S).

        Returns
        -------
        Groups

        Examples
        --------
        >>> from faircluster.groups import Groups
        >>> Groups.from_features(["b", "a", "b", "b"]).summary().weights.tolist()
        [1.0, 3.0]
        """
        signature = np.arange(self.n_signatures, dtype=np.int32)
        return replace(self, signature=signature, weights=self.signature_counts)

    def cells(self, signature: Any, counts: Any) -> Groups:
        """Return the same groups with a row for each signature given, which stands for so many rows.

        Parameters
        ----------
        signature : array-like of shape (c,), int
        counts : array-like of shape (c,)

        Returns
        -------
        Groups

        Examples
        --------
        >>> from faircluster.groups import Groups
        >>> Groups.from_features(["b", "a"]).cells([0, 0, 1], [5, 2, 1]).counts.tolist()
        [7.0, 1.0]
        """
        rows, weights = np.asarray(signature, dtype=np.int32), np.asarray(counts, dtype=np.float64)
        return replace(self, signature=rows, weights=weights, counted=True)

    def subset(self, rows: Any) -> Groups:
        """Select rows; the names and order of the groups stay, signatures that no longer occur go.

        O(len(rows) + S g).

        Parameters
        ----------
        rows : array-like of int or bool, or slice
            Row positions, or a mask of length n.

        Returns
        -------
        Groups
            Groups without members among `rows` are kept, with a count of zero.

        Examples
        --------
        >>> from faircluster.groups import Groups
        >>> part = Groups.from_features(["b", "a", "b", "b"]).subset([0, 2])
        >>> part.names, part.counts.tolist(), part.n_signatures
        (('a', 'b'), [0.0, 2.0], 1)
        """
        index = rows if isinstance(rows, slice) else np.asarray(rows)
        if isinstance(index, np.ndarray) and index.size == 0:
            index = index.astype(np.intp)
        chosen = self.signature[index]
        occurs = np.bincount(chosen, minlength=self.n_signatures) > 0
        renumbered = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
        weights = None if self.weights is None else self.weights[index]
        return replace(
            self,
            signature=renumbered[chosen],
            signature_membership=self.signature_membership[occurs],
            weights=weights,
        )

    def position(self, name: str) -> int:
        """Find a group by its name.

        Parameters
        ----------
        name : str
            "sex=Female", or "Female" alone when only one group has that value.

        Returns
        -------
        int
            Index into `names`.

        Raises
        ------
        ValueError
            No group, or more than one, has that name; the message lists the groups that occur.

        Examples
        --------
        >>> import numpy as np
        >>> from faircluster.groups import Groups
        >>> Groups.from_features(np.array([["F", "no"], ["M", "no"]])).position("M")
        1
        """
        name = str(name)
        if name in self.names:
            return self.names.index(name)
        qualified = zip(self.names, self.attributes, strict=True)
        found = [i for i, (full, attribute) in enumerate(qualified) if full == f"{attribute}={name}"]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(
                f"group {name!r} is ambiguous: use one of {_listed([self.names[i] for i in found])}"
            )
        raise ValueError(f"group {name!r} does not occur; the groups that occur are {_listed(self.names)}")


def _listed(names: Sequence[str], most: int = 30) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _expected_rows(n_rows: int | None, sample_weight: Any) -> int:
    if n_rows is not None:
        return n_rows
    if sample_weight is None:
        raise ValueError("n_rows is needed when sensitive_features and sample_weight are None")
    return len(sample_weight)


def _check_weights(sample_weight: Any, n: int) -> NDArray[np.float64] | None:
    if sample_weight is None:
        return None
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight must hold numbers, one per row ({error})") from error
    if weights.ndim != 1:
        raise ValueError(f"sample_weight must be one-dimensional, got shape {weights.shape}")
    if len(weights) != n:
        raise ValueError(f"sample_weight has {len(weights)} entries but there are {n} rows; pass one per row")
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"sample_weight must be finite and non-negative, got {weights[row]} in row {row}; "
            "use 0 for a row that should not count"
        )
    if not weights.sum() > 0:
        raise ValueError("sample_weight sums to zero from row 0 on; at least one row needs a positive weight")
    return weights


def _check_unique(names: tuple[str, ...]) -> None:
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f"sensitive_features makes two groups named {repeated!r}; rename a column or the value so that "
            "group names are unique"
        )


def _signatures(columns: list[ProtectedColumn]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Give each combination of codes that occurs a number, in lexicographic order of the codes."""
    n = len(columns[0].codes)
    combined = np.zeros(n, dtype=np.int64)
    radix = 1
    for column in columns:
        # code -1 means no group of this attribute, hence one more digit than there are groups
        digits = len(column.names) + 1
        combined = combined * digits + (column.codes + 1)
        combined, radix = _renumber(combined, radix * digits)
    signature = combined.astype(np.int32)
    row = np.empty(radix, dtype=np.int64)
    row[signature] = np.arange(n)  # any row of a signature tells its groups
    parts = [column.codes[row][:, None] == np.arange(len(column.names)) for column in columns]
    return signature, np.hstack(parts)


def _renumber(codes: NDArray[np.int64], radix: int) -> tuple[NDArray[np.int64], int]:
    """Replace codes in [0, radix) by their ranks among the codes that occur."""
    if radix > max(4 * len(codes), 1 << 16):
        values, ranks = np.unique(codes, return_inverse=True)
        return ranks.astype(np.int64, copy=False), len(values)
    occurs = np.bincount(codes, minlength=radix) > 0
    ranks = np.cumsum(occurs, dtype=np.int64) - 1
    return ranks[codes], int(ranks[-1]) + 1


def _intersection_names(membership: NDArray[np.bool_], names: tuple[str, ...]) -> tuple[str, ...]:
    joined = (" & ".join(names[i] for i in np.flatnonzero(row)) for row in membership)
    return tuple(name or "none" for name in joined)


def _drop_weightless(groups: Groups) -> Groups:
    """Leave out groups whose total weight is zero; signatures that then coincide become one."""
    keep = groups.counts > 0
    if not keep.any():
        raise ValueError("no row with a positive sample_weight belongs to a group")
    if keep.all():
        return groups
    membership, ranks = np.unique(groups.signature_membership[:, keep], axis=0, return_inverse=True)
    return Groups(
        signature=ranks.reshape(-1).astype(np.int32)[groups.signature],
        signature_membership=membership,
        names=tuple(np.array(groups.names, dtype=object)[keep]),
        attributes=tuple(np.array(groups.attributes, dtype=object)[keep]),
        weights=groups.weights,
    )
