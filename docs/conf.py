"""Configuration of the documentation: ``make docs``."""

import importlib
import inspect
import re
import warnings
from pathlib import Path

import matplotlib

import faircluster

matplotlib.use("agg")
HERE = Path(__file__).parent

project = "faircluster"
author = "The faircluster developers"
copyright = f"2026, {author}"
version = release = faircluster.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "**/README*"]
templates_path = ["_templates"]
html_static_path = ["_static"]
myst_heading_anchors = 3
default_role = "py:obj"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = "faircluster"
html_css_files = ["faircluster.css"]
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 3,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_show_sourcelink = False
html_sidebars = {"*": []}  # pages of the first level have nothing below them to navigate to

sphinx_gallery_conf = {
    "examples_dirs": str(HERE.parent / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "remove_config_comments": True,
    "abort_on_example_error": True,
}
warnings.filterwarnings("error", category=UserWarning, module="faircluster")

# what a page of the reference is made of: modules, and what they offer
REFERENCE = [
    ("Estimators", "faircluster.estimators"),
    ("Groups, bounds and the engine", "faircluster"),
    ("Socially fair clustering", "faircluster.social"),
    ("Deep clustering", "faircluster.deep"),
    ("Metrics", "faircluster.metrics"),
    ("Reports and pictures", "faircluster.report"),
    ("Data sets", "faircluster.datasets"),
    ("Models in files", "faircluster.persistence"),
    ("Tables in files", "faircluster.tables"),
]


def write_reference(app):
    """Write one list of names a module, from what the modules say they offer."""
    seen = set()
    pages = []
    for title, name in REFERENCE:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue  # an extra that is not installed
        names = [public for public in module.__all__ if id(getattr(module, public)) not in seen]
        seen |= {id(getattr(module, public)) for public in names}
        names = [public for public in names if _is_own(getattr(module, public))]
        if not names:
            continue
        pages.append(page := name.replace(".", "_"))
        about = (inspect.getdoc(module) or "").split("\n\n")[0]
        lines = [title, "=" * len(title), "", about, "", f".. currentmodule:: {name}", ""]
        lines += [".. autosummary::", "   :toctree: generated", ""]
        _write(HERE / "api" / f"{page}.rst", [*lines, *(f"   {public}" for public in names)])
    head = ["API reference", "=============", "", ".. toctree::", "   :maxdepth: 2", ""]
    _write(HERE / "api" / "index.rst", [*head, *(f"   {page}" for page in pages)])


def _is_own(thing):
    return callable(thing) and thing.__module__.startswith("faircluster")


def _write(path, lines):
    path.parent.mkdir(exist_ok=True)
    text = "\n".join([*lines, ""])
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def escape_shapes(app, what, name, thing, options, lines):
    """Let ``(n_centers_, d)`` be a shape: reST takes a word that ends in an underscore for a link."""
    lines[:] = [
        re.sub(r"of shape \([^)]*\)", lambda shape: re.sub(r"_(?=[,)])", r"\\_", shape[0]), line)
        for line in lines
    ]


def setup(app):
    """Write the reference before Sphinx looks for sources."""
    app.connect("autodoc-process-docstring", escape_shapes, priority=400)  # before numpydoc
    write_reference(app)
