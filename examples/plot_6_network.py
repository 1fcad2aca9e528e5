"""
What a network learns
=====================

Handwritten digits and their negatives: ink is the protected attribute. A network is drawn towards clusters
in which both inks have their share; pictures show how training went, and where its map puts the digits.
"""

# %%
# Few digits and epochs, so that this page builds in seconds; the defaults do better.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from faircluster import DeepFairClustering
from faircluster.datasets import load_inverted_digits
from faircluster.report import plot_embedding, plot_training

digits = load_inverted_digits()
few = np.random.default_rng(0).choice(len(digits.X), 1200, replace=False)
X, ink = digits.X[few], np.asarray(digits.sensitive)[few].astype(str)
model = DeepFairClustering(10, epochs=14, fair_epochs=6, n_init=1, sizes="uniform", random_state=0)
model.fit(X, sensitive_features=ink)
print(f"balance {model.balance_:.3f} of the network's labels, {model.fair_balance_:.3f} of the fair ones")

# %%
# Training: first the loss alone, then the fair stage, whose loss also counts labels that are not the fair
# ones. After so few epochs the network only begins to follow them.
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
places = PCA(2, random_state=0).fit_transform(model.transform(X[:700]))
_, axis = plt.subplots(figsize=(7.2, 5.5), layout="constrained")
plot_embedding(places, model.fair_labels_[:700], ink[:700], axis=axis)
plt.show()
