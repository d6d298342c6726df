"""Anchors for the cells of notebooks: the page of a notebook holds `#cell-<id>` for each cell.

A cell's id is the one that the notebook's file gives it.
Links to cells are made by `link`; one that leads nowhere is a warning, as for any reference.
"""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.nodes import make_refnode

LINES = 10000  # MyST-NB counts the lines of cell n from n times this
PLACES = (nodes.section, nodes.paragraph, nodes.bullet_list, nodes.enumerated_list,
          nodes.definition_list, nodes.block_quote, nodes.table, nodes.figure, nodes.math_block,
          nodes.literal_block, nodes.container, nodes.Admonition, nodes.transition)


class Cell(NamedTuple):
    """A cell of a notebook: `kind` is code or markdown, `heading` the last one at or before it."""

    kind: str
    source: str
    outputs: list
    heading: str


def read(path):
    """The title of a notebook, and its Cells by their id; the file must be there."""
    path = Path(path)
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path, changed):
    """The same; `changed` is when the file was."""
    title, heading, cells = "", "", {}
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for level, text in re.findall(r"^(#+) +(.+?) *$", source, re.MULTILINE):
                title = title or text
                heading = text if level == "##" else heading
        cells[cell.get("id", str(number))] = Cell(
            cell["cell_type"], source, cell.get("outputs", []), heading)
    return title, cells


def printed(cell):
    """What a code cell shows as text, one output after the other."""
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "")
             for output in cell.outputs]
    return "\n".join("".join(text) for text in texts)


def link(docname, target, words):
    """A reference in `docname` to `target`, "page#id", where `page` has no folder."""
    return pending_xref("", nodes.inline("", words), refdomain="", reftype="cell",
                        reftarget=target, refdoc=docname, refexplicit=True, refwarn=True)


def resolve(app, env, node, words):
    """Turn a reference to a cell into a link, if there is such a cell; called by Sphinx."""
    if node["reftype"] != "cell":
        return None
    page, _, name = node["reftarget"].partition("#")
    docname = f"book/{page}"
    path = Path(env.doc2path(docname))
    if docname not in env.found_docs or path.suffix != ".ipynb" or name not in read(path)[1]:
        return None
    return make_refnode(app.builder, node["refdoc"], docname, f"cell-{name}", words)


def add_anchors(app, doctree):
    """Give the first part of each cell the cell's anchor; called by Sphinx."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    names = list(read(path)[1])
    starts = {}
    for node in doctree.findall(nodes.Element):
        if "cell_index" in node and node.get("nb_element") == "cell_code":
            starts.setdefault(node["cell_index"], node)
        elif isinstance(node, PLACES) and (node.line or 0) >= LINES:
            starts.setdefault(node.line // LINES - 1, node)
    for index, node in starts.items():
        # behind the ids that are there: a heading keeps its own address
        node["ids"].append(f"cell-{names[index]}")


def setup(app):
    """Register the anchors; called by Sphinx."""
    app.connect("doctree-read", add_anchors)
    app.connect("missing-reference", resolve)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
