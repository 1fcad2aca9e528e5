"""The picture shows the shares it was given."""

import io
import sys

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from faircluster.metrics import group_shares
from faircluster.report import audit_clustering, plot_group_shares
from faircluster.report.plots import AFTER, BEFORE


@pytest.fixture
def shares(plain_and_fair):
    plain, fair, frame = plain_and_fair
    audit = audit_clustering(plain, frame, 0.2)
    limits = tuple(
        np.concatenate([getattr(a, side).T for a in audit.attributes]) for side in ("lower", "upper")
    )
    return group_shares(plain, frame), group_shares(fair, frame), limits


def points(axis, color, filled=None):
    """Places of the markers of a color, those filled with it only, or those filled with white only."""
    found = []
    for collection in axis.collections:
        faces, edges = collection.get_facecolor(), collection.get_edgecolor()
        if not isinstance(collection, PathCollection) or not collection.get_offsets().size:
            continue  # lines, bands and what the legend shows
        if color not in (to_hex(faces[0]).upper(), to_hex(edges[0]).upper()):
            continue
        if filled is None or (to_hex(faces[0]).upper() == color) == filled:
            found += np.asarray(collection.get_offsets()).tolist()
    return sorted(found)


def test_one_panel_a_group_with_every_share(shares):
    before, after, limits = shares
    axes = plot_group_shares(before, after, limits=limits)
    assert len(axes) == len(before.names)
    for t, axis in enumerate(axes):
        attribute = before.attributes[t]
        assert axis.get_title(loc="left") == before.names[t].removeprefix(f"{attribute}=")
        assert axis.get_title(loc="right") == f"{before.population[t]:.1%} of everyone"
        expected = [[float(j), share] for j, share in enumerate(before.shares[:, t].tolist())]
        assert points(axis, BEFORE) == expected
        expected = [[float(j), share] for j, share in enumerate(after.shares[:, t].tolist())]
        assert points(axis, AFTER) == expected
        low, high = axis.get_ylim()
        shown = np.concatenate([before.shares[:, t], after.shares[:, t], limits[0][t], limits[1][t]])
        assert low <= shown.min()
        assert shown.max() <= high


def test_markers_are_filled_where_bounds_are_broken(shares):
    before, after, limits = shares
    axes = plot_group_shares(before, after, limits=limits)
    broken = 0
    for t, axis in enumerate(axes):
        old = before.shares[:, t]
        outside = (old < limits[0][t]) | (old > limits[1][t])
        assert [int(x) for x, _ in points(axis, BEFORE, filled=True)] == np.flatnonzero(outside).tolist()
        assert [int(x) for x, _ in points(axis, BEFORE, filled=False)] == np.flatnonzero(~outside).tolist()
        broken += outside.sum()
    assert broken > 0


def test_the_two_differ_in_more_than_color(shares):
    before, after, _ = shares
    axis = plot_group_shares(before, after)[0]
    shapes = {tuple(c.get_paths()[0].vertices.shape) for c in axis.collections if c.get_offsets().size > 2}
    assert len(shapes) >= 2


def test_legend_names_what_is_drawn(shares):
    before, after, limits = shares

    def legend(*args, **options):
        (found,) = plot_group_shares(*args, **options)[0].figure.legends
        return [text.get_text() for text in found.get_texts()]

    assert legend(before) == ["before", "share of everyone"]
    assert legend(before, after, labels=("plain", "fair")) == ["plain", "fair", "share of everyone"]
    assert legend(before, after, limits=limits) == [
        "before",
        "before, outside the bounds",
        "after",
        "share of everyone",
        "allowed",
    ]


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_chosen_groups_in_their_order_on_a_given_figure(shares, columns):
    before, after, _ = shares
    figure = Figure()
    axes = plot_group_shares(before, after, groups=["race=b", "sex=F"], columns=columns, figure=figure)
    assert [axis.get_title(loc="left") for axis in axes] == ["b", "F"]
    assert axes[0].figure is figure
    assert len(figure.axes) == 2


def test_saves_in_any_format_with_titles_names_and_empty_clusters():
    names = ["$x_1$", "b & <c>", "$x_1$", "b & <c>"]
    before = group_shares([0, 0, 1, 1], names, n_clusters=3)
    after = group_shares([0, 1, 0, 1], names, n_clusters=3)
    axes = plot_group_shares(before, after, limits=([0.4, 0.4], [0.6, 0.6]), title="T $1", subtitle="S $2")
    for kind in ("png", "svg", "pdf"):
        file = io.BytesIO()
        axes[0].figure.savefig(file, format=kind)
        assert len(file.getvalue()) > 5000


def test_constant_shares_have_room():
    table = group_shares([0, 1], ["a", "a"])
    low, high = plot_group_shares(table)[0].get_ylim()
    assert low < 1.0 < high


def test_bad_input_is_named(shares):
    before, after, _ = shares
    with pytest.raises(ValueError, match="group 'x' does not occur; the groups are 'sex=F'"):
        plot_group_shares(before, groups=["x"])
    with pytest.raises(ValueError, match="before and after must have the same groups and clusters"):
        plot_group_shares(before, group_shares([0, 1], ["a", "b"]))
    assert after.shares.shape == before.shares.shape


def test_pyplot_is_not_involved(shares):
    plot_group_shares(shares[0])
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_without_matplotlib_one_sentence_says_what_to_install(shares, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "faircluster\[data,report\]"'):
        plot_group_shares(shares[0])
