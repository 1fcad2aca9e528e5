"""For given sizes a linear program decides whether whole points can be assigned, exactly."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from faircluster.assignment.radius_rounding import RadiusRounding
from faircluster.assignment.relaxed_radius import RelaxedSearch
from faircluster.bounds import FairnessBounds
from faircluster.groups import Groups


def whole_points_fit(cost, groups, rows, radius, sizes):
    """Whether points can be assigned within the radius and the bounds, by an integer program over points."""
    n, k = cost.shape
    points = np.kron(np.eye(n), np.ones((1, k)))
    clusters = np.tile(np.eye(k), (1, n))
    loads = [
        np.stack(
            [np.outer(groups.signature == s, np.arange(k) == j).ravel() for s in range(len(rows.coef[0, 0]))]
        )
        for j in range(k)
    ]
    bounds = [rows.coef[j] @ loads[j] for j in range(k)]
    found = milp(
        np.zeros(n * k),
        constraints=[
            LinearConstraint(points, 1, 1),
            LinearConstraint(clusters, sizes, sizes),
            LinearConstraint(np.concatenate(bounds), -np.inf, rows.rhs.ravel() + 1e-9),
        ],
        integrality=np.ones(n * k),
        bounds=Bounds(0, (cost <= radius).ravel().astype(float)),
    )
    return found.status == 0


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 100_000),
    S=st.integers(3, 5),
    k=st.integers(2, 4),
    slack=st.sampled_from([0.1, 0.3, 0.6]),
    wide=st.floats(0.0, 1.0),
)
def test_sizes_can_be_filled_if_and_only_if_the_program_says_so(seed, S, k, slack, wide):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(12, 36))
    groups = Groups.from_features(np.r_[np.arange(S), rng.integers(0, S, n - S)])
    cost = rng.random((n, k)).round(2)
    rows = FairnessBounds.slack(slack).rows(groups, k)
    search = RelaxedSearch(cost, groups, rows)
    if search.unbounded:
        return
    radius = search.run()
    radius += wide * (search.highest - radius)
    rounding = RadiusRounding(search, groups, rows, None)
    target = rounding.relaxed(radius)
    near = np.rint(target.sum(axis=0))
    spread = rng.multinomial(n, np.full(k, 1 / k)).astype(float)
    for sizes in (near if near.sum() == n else spread, spread):
        quotas = rounding._at_sizes(target, sizes)
        assert (quotas is not None) == whole_points_fit(cost, groups, rows, radius, sizes)
        if quotas is not None:
            assert rows.violation(quotas) == 0
            assert quotas.sum(axis=0).tolist() == sizes.tolist()
            assert search.program.cuts.separate(quotas, 0.5) <= 0.5


def test_sizes_of_its_own_keep_bounds_that_most_sizes_break():
    """Three members of each of 50 groups make 150; sizes of 149 and 151 cannot keep the bounds."""
    groups = Groups.from_features(np.repeat(np.arange(50), 6))
    rows = FairnessBounds.slack(0.2).rows(groups, 2)
    cost = np.random.default_rng(0).random((300, 2))
    search = RelaxedSearch(cost, groups, rows)
    search.visit(1.0)
    sized = RadiusRounding(search, groups, rows, None)._sized
    target = np.tile([3.02, 2.98], (50, 1))
    assert sized.near(target, search.program.cuts).sum(axis=0).tolist() == [150.0, 150.0]
    assert sized.near(target, search.program.cuts, np.array([151.0, 149.0])) is None


def test_groups_that_overlap_are_left_to_the_integer_program():
    groups = Groups.from_features(np.array([["a", "x"], ["a", "y"], ["b", "x"], ["b", "y"]]))
    rows = FairnessBounds.slack(0.2).rows(groups, 2)
    search = RelaxedSearch(np.zeros((4, 2)), groups, rows)
    assert not RadiusRounding(search, groups, rows, None)._sized.possible
    assert RadiusRounding(search, groups, rows, None)._at_sizes(np.ones((4, 2))) is None
