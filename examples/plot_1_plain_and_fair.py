"""
Plain and fair, side by side
============================

Plain k-means of census data separates women from men and races from each other, though neither is among its
features. FairKMeans keeps every group within four fifths to five fourths of its share of everyone.
"""

# %%
# Adult: 48,842 persons of the 1994 census of the United States. Features are six numeric columns, scaled to
# [0, 1]; sex and race are protected and not among them.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.preprocessing import MinMaxScaler

from faircluster import FairKMeans
from faircluster.datasets import load_adult
from faircluster.metrics import group_shares
from faircluster.report import plot_group_shares

adult = load_adult()
X = MinMaxScaler().fit_transform(adult.X)
plain = KMeans(6, n_init=3, random_state=0).fit(X)

# %%
# The fair clustering starts from the plain centers, so that clusters can be compared one by one.
fair = FairKMeans(6, bounds=0.2, init=plain.cluster_centers_, random_state=0)
fair.fit(X, sensitive_features=adult.sensitive)
print(f"violation {fair.violation_}, gap {fair.gap_:.3%}, price of fairness {fair.price_of_fairness_:.3f}")

# %%
# Diamonds are plain, filled where bounds are broken; circles are fair. The band is what is allowed.
figure = plt.figure(figsize=(9.4, 7.4), layout="constrained")
plot_group_shares(
    group_shares(plain.labels_, adult.sensitive),
    group_shares(fair.labels_, adult.sensitive),
    limits=fair.limits_,
    groups=[
        "sex=Female",
        "race=Amer-Indian-Eskimo",
        "race=Asian-Pac-Islander",
        "race=Black",
        "race=Other",
        "race=White",
    ],
    labels=("plain k-means", "FairKMeans"),
    figure=figure,
)
plt.show()

# %%
# Most people stay where they were.
print(f"{np.mean(plain.labels_ == fair.labels_):.1%} of labels are the same")
