"""Structured Newton systems have the solution of the dense ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.assignment.newton_system import SharedRows, maximise_dense
from faircluster.bounds import FairnessBounds
from faircluster.groups import Groups


def laplacians(rng, S, k):
    """Hessians as the smoothed dual has them: rows sum to zero."""
    H = -rng.exponential(size=(S, k, k)) * (rng.random((S, k, k)) < 0.7)
    H = H + H.transpose(0, 2, 1)
    H[:, np.arange(k), np.arange(k)] = 0.0
    H[:, np.arange(k), np.arange(k)] = -H.sum(axis=2)
    return H


def dense(coef, H, cluster, row):
    rows = coef[cluster, row]
    return np.einsum("fs,sfh,hs->fh", rows, H[:, cluster][:, :, cluster], rows)


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 10_000),
    S=st.integers(3, 8),
    k=st.integers(1, 5),
    kind=st.sampled_from(["slack", "balance", "sizes", "exact"]),
    damping=st.sampled_from([1e-6, 1e-2, 1.0]),
)
def test_same_step_as_the_dense_system(seed, S, k, kind, damping):
    rng = np.random.default_rng(seed)
    groups = Groups.from_features(np.r_[np.arange(S), rng.integers(0, S, 40)])
    bounds = {"balance": FairnessBounds.max_share(0.9), "exact": FairnessBounds.slack(0.0)}.get(
        kind, FairnessBounds.slack(0.3)
    )
    rows = bounds.rows(groups, k, size_min=1.0 if kind == "sizes" else None)
    structure = SharedRows.of(rows.coef)
    assert structure is not None
    H = laplacians(rng, S, k)
    shape = rows.rhs.shape
    gradient, low = rng.normal(size=shape), -rng.exponential(size=shape) * (rng.random(shape) < 0.5)
    free = rng.random(shape) < 0.8
    diagonal = damping * (0.5 + rng.random(shape))
    found = structure.maximise(H, diagonal, gradient, low, free)
    assert (found[~free] == 0).all()
    if free.any():
        cluster, row = np.nonzero(free)
        matrix = dense(rows.coef, H, cluster, row) + np.diag(diagonal[free])
        exact = maximise_dense(matrix, gradient[free], low[free])
        value = lambda x: gradient[free] @ x - 0.5 * x @ matrix @ x  # noqa: E731
        assert (found[free] >= low[free] - 1e-9).all()
        assert value(found[free]) == pytest.approx(value(exact), rel=1e-5, abs=1e-6)


def test_rows_of_overlapping_groups_have_no_such_structure():
    groups = Groups.from_features(np.array([["a", "x"], ["a", "y"], ["b", "x"], ["b", "y"]]))
    assert SharedRows.of(FairnessBounds.slack(0.2).rows(groups, 3).coef) is None
