"""Warn about every image that a reader who cannot see it would miss.

A picture needs alternative text that says what it shows.
With `-W` a warning fails the build.
"""

from html.parser import HTMLParser
from pathlib import PurePosixPath

from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)

WAY_OUT = ("write ![what it shows](file), or, for an output of a notebook, "
           'cell metadata {"mystnb": {"image": {"alt": "what it shows"}}}')


class _HtmlImages(HTMLParser):
    """Collect (src, alt) of the images in a piece of raw HTML."""

    def __init__(self):
        super().__init__()
        self.images = []

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            attributes = dict(attrs)
            self.images.append((attributes.get("src"), attributes.get("alt")))


def _images(node):
    """The (address, alternative text) of each image of an image node or a raw HTML node."""
    if isinstance(node, nodes.image):
        return [(node["uri"], node.get("alt"))]
    if isinstance(node, nodes.raw) and "html" in node.get("format", ""):
        parser = _HtmlImages()
        parser.feed(node.astext())
        return parser.images
    return []


def _place(node, path):
    """The file and, where the parser kept it, the cell or the line of a node."""
    line = None
    while node is not None:
        if isinstance(node, nodes.Element) and "cell_index" in node:
            return f"{path}, cell {node['cell_index'] + 1}"
        line = line or node.line
        node = node.parent
    # MyST-NB counts the lines of a notebook's text from 10000 times its cell
    return f"{path}:{line}" if line and line < 10000 else str(path)


def warn_about_missing_text(app, doctree, docname):
    """Warn for each image of a page whose alternative text is missing or a file name."""
    for node in doctree.findall():
        for address, text in _images(node):
            text = (text or "").strip()
            # Sphinx falls back on the address, which a screen reader would spell
            if not text or text in (address, PurePosixPath(address or "").name):
                logger.warning("image without alternative text: %s (%s)", address, WAY_OUT,
                               location=_place(node, app.env.doc2path(docname)), type="alttext",
                               subtype="missing")


def setup(app):
    """Register the check; called by Sphinx."""
    app.connect("doctree-resolved", warn_about_missing_text)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
