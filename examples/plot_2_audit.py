"""
Audit a clustering
==================

A clustering somebody else made is held against the four-fifths rule: verdicts with their evidence,
costs by group,
and which features still tell groups apart inside clusters.
"""

# %%
import matplotlib.pyplot as plt
from sklearn.cluster import KMeans
from sklearn.preprocessing import MinMaxScaler

from faircluster import FairnessBounds, audit
from faircluster.datasets import load_adult
from faircluster.report import plot_group_costs

adult = load_adult()
X = MinMaxScaler().fit_transform(adult.X)
labels = KMeans(6, n_init=3, random_state=0).fit_predict(X)
result = audit(
    labels, adult.sensitive, X, bounds=FairnessBounds.ratio(0.8), feature_names=adult.feature_names
)  # fmt: skip

# %%
# In words. ``result.to_html("report.html")`` writes the whole report,
# ``result.to_json("audit.json")`` every figure.
for sentence in result.figures["summary"]:
    print(f"[{sentence['level']}] {sentence['text']}\n")

# %%
# Who is far from the center of their cluster?
costs = result.figures["clustering"]["costs"]
_, axis = plt.subplots(figsize=(7.2, 4), layout="constrained")
plot_group_costs(
    [row["group"] for row in costs["groups"]],
    [row["mean"] for row in costs["groups"]],
    intervals=([row["lower"] for row in costs["groups"]], [row["upper"] for row in costs["groups"]]),
    everyone=costs["mean"],
    labels=("", "mean cost"),
    axis=axis,
)
plt.show()

# %%
# Features that tell women from men inside clusters, in pooled standard deviations.
for row in result.figures["proxies"]["attributes"][0]["features"]:
    sure = "conclusive" if row["conclusive"] else "not conclusive"
    print(f"{row['feature']:16} {row['difference']:+.2f}  AUC {row['auc']:.3f}  {sure}")
