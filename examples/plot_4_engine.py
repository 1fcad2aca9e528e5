"""
The engine in pictures
======================

Fair assignment to fixed centers, step by step: signatures, quotas, prices, transport. The words are in
:doc:`/engine`.
"""

# %%
# Points in the plane, three centers, and two protected attributes whose groups overlap. A row's
# *signature* is its
# combination of groups: here four occur.
import matplotlib.pyplot as plt
import numpy as np

from faircluster import AssignmentProblem, FairnessBounds, Groups, solve
from faircluster.distances import DistanceCosts

rng = np.random.default_rng(3)
n = 900
sex = rng.choice(["F", "M"], n)
age = rng.choice(["old", "young"], n, p=[0.3, 0.7])
X = rng.normal(size=(n, 2)) + np.column_stack([2.2 * (sex == "M"), 1.5 * (age == "old")])
centers = np.array([[-0.5, 0.0], [2.6, 0.2], [1.2, 2.6]])
groups = Groups.from_features(np.column_stack([sex, age]))
print(groups.names, groups.n_signatures, "signatures")

# %%
# Everyone to the nearest center, and the exact fair assignment at those centers. Points that move
# lie near borders:
# the engine looks at their margins only.
costs = DistanceCosts(X, centers)
plain = solve(AssignmentProblem(costs)).labels
fair = solve(AssignmentProblem(costs, groups, bounds=FairnessBounds.slack(0.1)))
colors = np.array(["#0072B2", "#E69F00", "#009E73"])
figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained", sharey=True)
for axis, labels, title in ((axes[0], plain, "nearest"), (axes[1], fair.labels, "fair")):
    moved = labels != plain
    axis.scatter(*X[~moved].T, c=colors[labels[~moved]], s=9)
    axis.scatter(*X[moved].T, c=colors[labels[moved]], s=22, marker="^", edgecolor="black", linewidth=0.4)
    axis.scatter(*centers.T, c=colors, s=170, marker="*", edgecolor="black")
    axis.set_title(f"{title}: {int(moved.sum())} moved")
plt.show()

# %%
# A *quota* is how many points of a signature a cluster gets. All bounds are linear in these few
# numbers, whatever
# the number of points; this is the table the whole-number program chooses.
names = [
    " & ".join(groups.names[g].split("=")[1] for g in np.flatnonzero(row))
    for row in groups.signature_membership
]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained", sharey=True)
nearest = np.zeros_like(fair.quotas)
np.add.at(nearest, (groups.signature, plain), 1)
for axis, quotas, title in ((axes[0], nearest, "nearest"), (axes[1], fair.quotas, "fair")):
    axis.imshow(quotas, cmap="Blues", aspect="auto", vmin=0, vmax=max(nearest.max(), fair.quotas.max()))
    for s, j in np.ndindex(quotas.shape):
        dark = quotas[s, j] > 0.6 * fair.quotas.max()
        axis.text(j, s, f"{quotas[s, j]:.0f}", ha="center", va="center", color="white" if dark else "black")
    axis.set_xticks(range(3), ["cluster 0", "cluster 1", "cluster 2"])
    axis.set_yticks(range(len(names)), names)
    axis.set_title(f"quotas, {title}")
plt.show()

# %%
# *Prices*: given the quotas, each signature has a price for each cluster at which the cheapest
# choice of each point
# fills them. They move the borders, one way for each signature.
figure, axes = plt.subplots(2, 2, figsize=(9, 7), layout="constrained", sharex=True, sharey=True)
x, y = np.meshgrid(np.linspace(-3.5, 5.5, 240), np.linspace(-3.5, 5.5, 240))
plane = np.column_stack([x.ravel(), y.ravel()])
distance = ((plane[:, None, :] - centers) ** 2).sum(axis=2)
for s, axis in enumerate(axes.ravel()):
    choice = (distance - fair.prices[s]).argmin(axis=1).reshape(x.shape)
    axis.contourf(x, y, choice, levels=[-0.5, 0.5, 1.5, 2.5], colors=list(colors), alpha=0.25)
    axis.contour(
        x, y, distance.argmin(axis=1).reshape(x.shape), levels=[0.5, 1.5], colors="#777777", linestyles=":"
    )
    mine = groups.signature == s
    axis.scatter(*X[mine].T, c=colors[fair.labels[mine]], s=8)
    axis.set_title(names[s])
plt.show()

# %%
# The certificate: no assignment to these centers within the bounds, not even of fractions of
# points, costs less than
# the lower bound.
print(f"cost {fair.cost:.2f}, lower bound {fair.lower_bound:.2f}, gap {fair.gap:.3%}")
print(f"violation {fair.violation}")
