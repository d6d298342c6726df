"""Set a page as a printer would: pictures at one scale, and lines that break where they may.

A picture stands in a box that knows its width in inches, so that the style sheet shows the
letters of all figures in one size; on a phone a wide picture scrolls in its box.
No line breaks inside "3 × 3" or "95 %", or between a formula and the full stop behind it.
"""

import html
import re
import struct
from pathlib import Path

from docutils import nodes

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CSS_DPI = 96  # of a PNG that does not say its own
PHONE = 343 / 64  # inches that a phone shows, at the 64 pixels an inch of book.css
BINDING = re.compile(r"(?<=\d) (?=[×%] ?)|(?<=\d\u00a0×) (?=\d)")
BEFORE, AFTER = re.compile(r"[(\[“‘]+$"), re.compile(r"^[.,;:!?)\]”’]+")


def inches(path):
    """The width of the PNG file `path` in inches, or None for anything else.

    The resolution is the one that the file gives (chunk pHYs), else 96 pixels an inch.
    """
    data = Path(path).read_bytes()
    if not data.startswith(SIGNATURE) or len(data) < 24:
        return None
    width, dpi, place = struct.unpack(">I", data[16:20])[0], CSS_DPI, 8
    while place + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        if kind == b"pHYs" and data[place + 16] == 1:  # pixels a metre
            dpi = struct.unpack(">I", data[place + 8:place + 12])[0] * 0.0254
        if kind == b"IDAT":
            break
        place += length + 12
    return width / dpi


def box_pictures(app, doctree):
    """Put each PNG of a page into a box with its width in inches."""
    for image in list(doctree.findall(nodes.image)):
        path = Path(app.srcdir, image["uri"])
        wide = inches(path) if path.suffix == ".png" and path.is_file() else None
        if wide is None or isinstance(image.parent, nodes.TextElement):
            continue
        label = html.escape(image.get("alt", "picture").partition(".")[0])
        kind = "picture wide" if wide > PHONE else "picture"
        start = (f'<div class="{kind}" style="--inches: {wide:.2f}" tabindex="0" role="group" '
                 f'aria-label="{label}">')
        image.replace_self([nodes.raw("", start, format="html"), image,
                            nodes.raw("", "</div>", format="html")])


def bind(doctree):
    """Make spaces inside numbers with a sign unbreakable, and tie marks to formulas."""
    for text in list(doctree.findall(nodes.Text)):
        if isinstance(text.parent, nodes.literal | nodes.math | nodes.FixedTextElement | nodes.raw):
            continue
        bound = BINDING.sub("\u00a0", BINDING.sub("\u00a0", text))
        if bound != text:
            text.parent.replace(text, nodes.Text(bound))
    for formula in list(doctree.findall(nodes.math)):
        parent, place = formula.parent, formula.parent.index(formula)
        left, right = ("", ""), ("", "")
        if place and isinstance(parent[place - 1], nodes.Text):
            left = split(str(parent[place - 1]), BEFORE)
        if place + 1 < len(parent) and isinstance(parent[place + 1], nodes.Text):
            right = split(str(parent[place + 1]), AFTER)
        if not (left[1] or right[1]):
            continue
        tied = nodes.inline("", "", classes=["tied"])
        if right[1]:
            parent[place + 1] = nodes.Text(right[0])
        if left[1]:
            parent[place - 1] = nodes.Text(left[0])
        parent[place] = tied
        tied += [nodes.Text(left[1]), formula, nodes.Text(right[1])]


def split(text, pattern):
    """Return `text` without what `pattern` finds at one of its ends, and what it finds."""
    found = pattern.search(text)
    return (pattern.sub("", text), found[0]) if found else (text, "")


def typeset(app, doctree, docname):
    """Do all of this to a page that is ready to be written as HTML."""
    if app.builder.format == "html":
        box_pictures(app, doctree)
        bind(doctree)


def setup(app):
    """Register the extension; called by Sphinx."""
    app.connect("doctree-resolved", typeset)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
