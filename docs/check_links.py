"""Check the links inside the built documentation: ``python docs/check_links.py docs/_build/html``.

Sphinx checks what is written as a reference; this also sees links in templates, raw HTML and pictures.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page links to, and the places in it that can be linked to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places = [], {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Note links and ids."""
        found = dict(attrs)
        self.places |= {found[name] for name in ("id", "name") if found.get(name)}
        self.links += [found[name] for name in ("href", "src") if found.get(name)]


def broken_links(root):
    """List links of pages under a folder that lead to no file there, or to no place in it."""
    root = root.resolve()
    # what themes bring along in _static are templates, not pages
    files = [path for path in sorted(root.rglob("*.html")) if "_static" not in path.parts]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in files}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue  # elsewhere
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            inside = target.is_relative_to(root) and target.is_file()
            if not inside or (target in pages and unquote(parts.fragment) not in pages[target].places):
                broken.append(f"{path.relative_to(root)}: {link}")
    return len(pages), broken


if __name__ == "__main__":
    count, wrong = broken_links(Path(sys.argv[1]))
    print("\n".join([*wrong, f"{count} pages, {len(wrong)} broken links inside"]))  # noqa: T201
    sys.exit(1 if wrong or not count else 0)
