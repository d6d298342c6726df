"""Set a page as a printer would: pictures at one scale, and lines that break where they may.

A picture stands in a box that knows its width in inches, so that the style sheet shows the
letters of all figures in one size; on a phone a wide picture scrolls in its box.
No line breaks inside "3 × 3" or "95 %", or between a formula and the full stop behind it.
A long name breaks behind its underscores, dots and slashes, and so does a short one in the narrow
column of a table; an output of one line is words, and breaks where words do.
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
MARK = re.compile(r"(?<=\w\w)(?:[_/]|\.(?=[a-z]))(?=\w\w)")
NAME = re.compile(r"[^\s<>]+")
SHORT = 16  # letters of code that stays in one line
LONG = 30  # letters of a name that a phone's line may not hold
FIXED = ("pre", "script", "style", "svg", "textarea")
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
    """Make spaces inside numbers with a sign unbreakable, and tie marks to formulas.

    Short code, such as `(1, 1)`, is tied as a whole: its spaces stay, for it may be copied.
    """
    for code in doctree.findall(nodes.literal):
        if len(code.astext()) <= SHORT:
            code["classes"].append("tied")
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


def wrap_lines(doctree):
    """Let an output of one line, such as an error message, go on in a second one."""
    for block in doctree.findall(nodes.literal_block):
        if "output" in block["classes"] and "\n" not in block.astext().strip():
            block["classes"].append("one-line")


def pieces(name):
    """Return a name that may break behind its marks; a short one does so in tables alone."""
    place = "<wbr>" if len(name[0]) >= LONG else '<wbr class="short">'
    return MARK.sub(rf"\g<0>{place}", name[0])


def breakable(body):
    """Return HTML in which names may break behind a mark: `running_mean`, `a/b.ipynb`.

    Programs, drawings and formulas stay as they are.
    """
    parts = re.split(r"(<[^>]+>)", body)
    inside = 0
    for place in range(1, len(parts) - 1, 2):
        name = re.match(r"</?(\w+)", parts[place])
        if name and name[1] in FIXED:
            inside += -1 if parts[place].startswith("</") else 1
        if not inside and 'class="math' not in parts[place]:
            parts[place + 1] = NAME.sub(pieces, parts[place + 1])
    return "".join(parts)


def typeset(app, doctree, docname):
    """Do what belongs to the tree of a page that is ready to be written as HTML."""
    if app.builder.format == "html":
        box_pictures(app, doctree)
        bind(doctree)
        wrap_lines(doctree)


def finish(app, pagename, templatename, context, doctree):
    """Do what belongs to the written page, whose words the search has read already."""
    if "body" in context:
        context["body"] = breakable(context["body"])


def setup(app):
    """Register the extension; called by Sphinx."""
    app.connect("doctree-resolved", typeset)
    app.connect("html-page-context", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
