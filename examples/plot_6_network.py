"""
What a network learns
=====================

Handwritten digits and their negatives: ink is the protected attribute. A network is drawn towards clusters
in which both inks have their share; pictures show how training went, and where its map puts the digits.
"""

# %%
# A small network and few epochs, so that this page builds in seconds; the defaults do better.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from faircluster import DeepFairClustering
from faircluster.datasets import load_inverted_digits
from faircluster.deep import MLP
from faircluster.report import plot_embedding, plot_training

digits = load_inverted_digits()
network = MLP(64, 10, hidden=(200, 200))
model = DeepFairClustering(10, network=network, epochs=10, fair_epochs=5, n_init=1, random_state=0)
model.fit(digits.X, sensitive_features=digits.sensitive)
print(f"balance {model.balance_:.3f} of the network's labels, {model.fair_balance_:.3f} of the fair ones")

# %%
# Training: first the loss alone, then the fair stage, in which balance is measured as well.
history = [row for row in model.history_ if "loss" in row]
figure = plt.figure(figsize=(9, 3), layout="constrained")
plot_training(
    {
        "loss": [row["loss"] for row in history],
        "balance of the network's labels": [row.get("balance", np.nan) for row in history],
        "points moved by the fair step": [row.get("moved", np.nan) for row in history],
    },
    figure=figure,
)
plt.show()

# %%
# Color is the cluster, the marker is the ink.
rows = np.random.default_rng(0).choice(len(digits.X), 700, replace=False)
places = PCA(2, random_state=0).fit_transform(model.transform(digits.X[rows]))
_, axis = plt.subplots(figsize=(7.2, 5.5), layout="constrained")
plot_embedding(places, model.fair_labels_[rows], np.asarray(digits.sensitive)[rows].astype(str), axis=axis)
plt.show()
