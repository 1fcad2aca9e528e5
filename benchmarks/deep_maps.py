"""The picture of where deep networks put samples, for ``docs/benchmarks_deep.md``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness import Row

__all__ = ["draw_maps"]

STAGES = (("before", "before fair labels"), ("after", "after them"))


def draw_maps(rows: Sequence[Row], titles: dict[str, str], images: Path) -> list[str]:
    """A line of panels for each data set, colored by cluster and by group; the page's part about them."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    if not rows:
        return []
    with mpl.rc_context({"svg.hashsalt": "faircluster", "font.size": 9}):
        figure = Figure(figsize=(11, 3.1 * len(rows)), layout="constrained")
        lines = figure.subplots(len(rows), 4, squeeze=False)
        for line, row in zip(lines, rows, strict=True):
            names, groups = np.unique(row["result"]["groups"], return_inverse=True)
            for (stage, words), panels in zip(STAGES, (line[:2], line[2:]), strict=True):
                found = row["result"][stage]
                x, y = np.array(found["places"]).T
                panels[0].scatter(x, y, c=found["clusters"], cmap="tab10", s=4, linewidths=0)
                panels[0].set_title(f"{words}: balance {found['balance']:.3f}")
                for number, name in enumerate(names):
                    own = groups == number
                    panels[1].scatter(x[own], y[own], s=4, linewidths=0, label=name, alpha=0.7)
                panels[1].legend(
                    markerscale=3, ncols=2, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0.0)
                )
            line[0].set_ylabel(titles[row["params"]["dataset"]])
            for axis in line:
                axis.set_xticks([])
                axis.set_yticks([])
        images.mkdir(parents=True, exist_ok=True)
        figure.savefig(images / "deep_maps.png", dpi=110)
    params = rows[0]["params"]
    shown, of = f"{params['shown']:,}", f"{params['rows']:,}"
    return [
        "## Where the network puts samples",
        f"`best` on {of} samples, {shown} of them drawn, by t-SNE of the embedding: colored by cluster, and "
        "beside it by group.",
        "![Embeddings by cluster and by group](images/deep_maps.png)",
    ]
