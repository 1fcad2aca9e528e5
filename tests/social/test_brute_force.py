"""All that is proved, on instances small enough to try every set of centers, degenerate ones among them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from faircluster.groups import Groups
from faircluster.social import SocialInstance, SocialSolver
from tests.social.small import Small, brute_force

BICRITERIA, EXACTLY_K = 5 + 2 * np.sqrt(6), 7 + 2 * np.sqrt(6)


@st.composite
def instances(draw):
    """Clients and facilities on a grid (many coincide) or anywhere, near or far from the origin."""
    n, dims, m = draw(st.integers(1, 12)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.normal(size=(n, dims))
    if draw(st.booleans()):
        X = np.round(X)
    F = X if draw(st.booleans()) else rng.normal(size=(draw(st.integers(1, 10)), dims))
    scale, shift = draw(st.sampled_from([1.0, 1e8, 1e-6])), draw(st.sampled_from([0.0, 0.0, 1e3]))
    X, F = (X + shift) * scale, (F + shift) * scale
    if draw(st.booleans()):  # overlapping groups; rows may be in none
        membership = rng.random((n, m)) < 0.5
    else:
        membership = rng.integers(0, m, n)[:, None] == np.arange(m)
    membership[0] |= ~membership.any(axis=0)
    weight = rng.integers(0, 3, n).astype(float) if draw(st.booleans()) else None
    if weight is not None:  # some rows count for nothing, but every group counts
        weight[membership.argmax(axis=0)] += 1.0
    groups = Groups.from_features(membership, sample_weight=weight)
    k, power = draw(st.integers(1, len(F))), draw(st.sampled_from([1, 2, 3]))
    distance = np.sqrt(((X[:, None] - F[None]) ** 2).sum(axis=2))
    if draw(st.booleans()):
        instance = SocialInstance.from_distances(distance, groups, k, power)
    else:
        instance = SocialInstance.from_points(X, groups, k, power, facilities=F)
    return Small(instance, distance**power)


@settings(max_examples=80, deadline=None)
@given(small=instances(), polish=st.booleans())
def test_every_proof_holds(small, polish):
    instance, k, p = small.instance, small.k, small.instance.power
    optimum, _ = brute_force(small)
    least = 1e-9 * float(small.cost.max())
    solver = SocialSolver(instance, random_state=0)
    exact, more = solver.solve(polish=polish), solver.solve(bicriteria=True, polish=polish)
    assert len(np.unique(exact.centers)) == exact.n_centers == k
    assert more.n_centers <= min(k + instance.n_groups - 1, instance.n_facilities)
    for found, constant in ((exact, EXACTLY_K), (more, BICRITERIA)):
        assert found.lower_bound <= optimum * (1 + 1e-9) + least
        assert found.cost <= found.rounded_cost * (1 + 1e-9) + least
        assert found.rounded_cost <= found.factor * optimum * (1 + 1e-6) + least
        assert found.factor <= constant**p * (1 + 1e-5)
        own = small.cost[:, found.centers].min(axis=1)
        np.testing.assert_allclose(found.group_costs, instance.weights @ own, rtol=1e-6, atol=least)
    assert exact.cost >= optimum * (1 - 1e-9) - least
    if exact.status == "optimal":
        assert exact.cost <= optimum * (1 + 1e-5) + least
