"""
What tighter bounds cost
========================

One clustering for each slack, each started from its neighbors. The band goes from the proven lower
bound to the cost:
for the centers found, the best assignment lies in it.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import MinMaxScaler

from faircluster import FairKMeans, tradeoff_curve
from faircluster.datasets import load_adult

adult = load_adult()
rows = np.random.default_rng(0).choice(len(adult.X), 6000, replace=False)
X = MinMaxScaler().fit_transform(adult.X)[rows]
sex = adult.sensitive["sex"].iloc[rows]
model = FairKMeans(5, n_init=1, n_swaps=0, random_state=0)
curve = tradeoff_curve(model, X, sex, [0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02])

# %%
_, axis = plt.subplots(figsize=(7.6, 4.6), layout="constrained")
curve.plot(axis)
plt.show()

# %%
# The knee, and why it is there.
print(curve.reason)
for row in curve.rows:
    print(f"slack {row['slack']:.2f}: price {row['price']:.4f}, balance {row['balance']:.3f}")
