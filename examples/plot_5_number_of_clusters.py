"""
Cost and radius against the number of clusters
==============================================

More clusters cost less, with bounds and without; bounds bind harder where clusters are small.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import MinMaxScaler

from faircluster import FairKCenter, FairKMeans
from faircluster.datasets import load_adult
from faircluster.report import plot_cost_by_k

adult = load_adult()
rows = np.random.default_rng(0).choice(len(adult.X), 4000, replace=False)
X = MinMaxScaler().fit_transform(adult.X)[rows]
sex = adult.sensitive["sex"].iloc[rows]
ks = [2, 4, 8, 12]
fair, plain, bound = [], [], []
for k in ks:
    model = FairKMeans(k, bounds=0.1, n_init=1, n_swaps=0, random_state=0).fit(X, sensitive_features=sex)
    fair.append(model.inertia_)
    plain.append(model.unconstrained_cost_)
    bound.append(model.lower_bound_)

# %%
_, axis = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
plot_cost_by_k(
    ks,
    {"without bounds": plain, "within 10 %": fair},
    lower_bounds={"within 10 %": bound},
    measure="sum of squared distances",
    axis=axis,
)
plt.show()

# %%
# The same for the largest distance.
radius, free = [], []
for k in ks:
    center = FairKCenter(k, bounds=0.1, n_init=1, n_swaps=0, random_state=0).fit(X, sensitive_features=sex)
    radius.append(center.radius_)
    free.append(center.unconstrained_radius_)
_, axis = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
plot_cost_by_k(ks, {"without bounds": free, "within 10 %": radius}, measure="radius", axis=axis)
plt.show()
