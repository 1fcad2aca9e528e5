"""Figures of matplotlib as SVG inside a page: in its colors, clashing with nothing, running nothing."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING

from faircluster.report.text import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = ["inline_svg"]

# what is drawn in these becomes a variable of the page, so that it can be seen on a dark one
_VARIABLES = {
    "#333333": "--ink", "#1a1a1a": "--ink", "#555555": "--soft", "#4d4d4d": "--line", "#8c8c8c": "--soft",
    "#b0b0b0": "--edge", "#e8e8e8": "--grid", "#d3e6f3": "--band", "#0072b2": "--after",
    "#d55e00": "--before", "#ffffff": "--paper", "#000000": "--ink",
}  # fmt: skip
_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_SHEET = re.compile(r"<style type=.*?</style>", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_ID = re.compile(r'\s+id="([^"]*)"')
_REFERENCE = re.compile(r'(xlink:href="#|url\(#)')
_COLOR = re.compile("|".join(_VARIABLES), re.IGNORECASE)
_STYLE = re.compile(r'style="[^"]*"')
_LONG = re.compile(r"(?<=[ \d])(-?\d+\.\d{2})\d+")
_FONT = re.compile(r"(font(?:-family)?:[^;\"]*?)'DejaVu Sans'(?:, [^;\"]*)?")


def inline_svg(figure: Figure | SubFigure, name: str, description: str) -> str:
    """Draw a figure as an ``<svg>`` element for a page of its own colors.

    Parameters
    ----------
    figure : matplotlib Figure
    name : str
        Letters and digits; tells the ids of this picture from those of others.
    description : str
        What is to be seen, for those who do not see it; escaped here.

    Returns
    -------
    str
        Text stays text, so that it can be read aloud, searched and shown in the page's font; scripts, links
        and comments do not occur.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> inline_svg(Figure(), "empty", "Nothing & nobody")[:70]
    '<svg role="img" aria-label="Nothing &amp; nobody" width="100%" viewBox'
    """
    from html import escape

    from matplotlib import rc_context

    figure.patch.set_alpha(0.0)
    for axis in figure.axes:
        axis.patch.set_alpha(0.0)
    file = io.StringIO()
    with warnings.catch_warnings(), rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the page's font will have it
        figure.figure.savefig(file, format="svg", metadata={"Date": None})
    text = _HEAD.sub("", file.getvalue())
    for unwanted in (_COMMENT, _METADATA, _SHEET):
        text = unwanted.sub("", text)
    used = set(re.findall(r"(?:xlink:href=\"|url\()#([\w-]+)", text))
    # only inside of tags: what stands between them is the data's
    parts = _TAG.split(text)
    tags = [_fitted(tag, name, used) for tag in _TAG.findall(text)]
    text = "".join(visible(part) + tag for part, tag in zip(parts, [*tags, ""], strict=True))
    text = re.sub(r">\s+<", "><", text)
    box = re.search(r'viewBox="([^"]*)"', text)
    assert box is not None
    opening = (
        f'<svg role="img" aria-label="{escape(visible(description))}" width="100%" viewBox="{box[1]}" '
        f'style="max-width: {float(box[1].split()[2]) * 96 / 72:.0f}px" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return opening + text[text.index(">", text.index("<svg")) + 1 :].strip()


def _fitted(tag: str, name: str, used: set[str]) -> str:
    tag = _ID.sub(lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", tag)
    tag = _REFERENCE.sub(rf"\g<1>{name}-", tag)
    tag = _STYLE.sub(lambda found: _COLOR.sub(_variable, found[0]), tag)
    tag = re.sub(r"\s+", " ", _LONG.sub(r"\1", tag))
    return _FONT.sub(r"\1sans-serif", tag)


def _variable(found: re.Match[str]) -> str:
    return f"var({_VARIABLES[found[0].lower()]})"
