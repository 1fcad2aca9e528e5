"""Pictures show the numbers they were given."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from faircluster.report import (
    plot_cost_by_k,
    plot_embedding,
    plot_group_costs,
    plot_tradeoff,
    plot_training,
)


def legend(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def saved(axis):
    file = io.BytesIO()
    axis.get_figure(root=True).savefig(file, format="svg")
    return file.getvalue()


def test_group_costs():
    axis = plot_group_costs(
        ["a", "$b$"], [1.0, 2.0], intervals=([0.5, 1.5], [1.5, 2.5]), before=[1.2, 1.0], everyone=1.4
    )
    after = axis.collections[-1].get_offsets()
    assert np.asarray(after).tolist() == [[1.0, 1.0], [2.0, 0.0]]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["a", r"\$b\$"]
    assert set(legend(axis)) == {"everyone", "before", "after"}
    assert len(saved(axis)) > 1000
    with pytest.raises(ValueError, match="before must have 2 numbers"):
        plot_group_costs(["a", "b"], [1.0, 2.0], before=[1.0])


def test_embedding_has_cluster_by_name_and_group_by_marker():
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(60, 2)), np.arange(60) % 3
    groups = [f"g{i % 10}" for i in range(60)]
    axis = plot_embedding(points, labels, groups, cluster_names=["p", "q", "r"])
    assert [text.get_text() for text in axis.texts] == ["p", "q", "r"]
    assert legend(axis) == ["g0", "g1", "g2", "g3", "g4", "g5", "g6", "others"]
    drawn = sum(len(c.get_offsets()) for c in axis.collections)
    assert drawn == 60
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        plot_embedding(points[:, :1], labels, groups)


def test_cost_by_k():
    axis = plot_cost_by_k(
        [2, 4], {"plain": [3.0, 2.0], "fair": [4.0, 2.5]}, lower_bounds={"fair": [3.5, 2.5]}
    )
    assert [line.get_ydata().tolist() for line in axis.lines] == [[3.0, 2.0], [4.0, 2.5]]
    assert len({line.get_linestyle() for line in axis.lines}) == 2  # told apart without color
    assert len(axis.collections) == 1
    with pytest.raises(ValueError, match="at least one method"):
        plot_cost_by_k([2], {})
    with pytest.raises(ValueError, match="'fair'"):
        plot_cost_by_k([2, 4], {"fair": [1.0]})


def test_training():
    axes = plot_training({"loss": [3.0, 2.0, 1.0], "$b$": [0.1, 0.2], "c": [1.0], "d": [2.0]})
    assert axes[0].lines[0].get_xdata().tolist() == [1, 2, 3]
    assert axes[1].lines[0].get_ydata().tolist() == [0.1, 0.2]
    assert [axis.get_title(loc="left") for axis in axes] == ["loss", r"\$b\$", "c", "d"]
    assert [axis.get_xlabel() for axis in axes] == ["", "epoch", "epoch", "epoch"]
    assert len(saved(axes[0])) > 1000
    with pytest.raises(ValueError, match="at least one measure"):
        plot_training({})


def test_tradeoff():
    axis = plot_tradeoff(
        [0.5, 0.2, 0.1], [1.0, 1.1, 2.0], lower_bounds=[0.9, 1.0, 1.5], unconstrained=0.95,
        balances=[0.1, 0.2, 0.3], violations=[0.0, 0.0, 1.5], knee=1,
    )  # fmt: skip
    assert axis.lines[0].get_ydata().tolist() == [1.0, 1.1, 2.0]
    second = axis.get_figure().axes[1]
    assert second.get_ylabel() == "balance"
    assert second.lines[0].get_ydata().tolist() == [0.1, 0.2, 0.3]
    assert [text.get_text() for text in axis.texts] == ["violation 1.5"]
    assert np.asarray(axis.collections[-1].get_offsets()).tolist() == [[0.2, 1.1]]
    assert legend(axis)[-1] == "balance (right)"
    assert {"optimum lies in here", "without bounds", "knee"} <= set(legend(axis))


def test_draws_on_axes_that_are_given():
    figure = Figure(layout="constrained")
    one, two = figure.subplots(1, 2)
    assert plot_cost_by_k([2, 3], {"fair": [2.0, 1.0]}, axis=one) is one
    assert plot_group_costs(["a"], [1.0], axis=two) is two
    assert len(saved(one)) > 1000
    (axis,) = plot_training({"loss": [1.0]}, figure=figure)
    assert axis.get_figure() is figure
