"""HTML elements as nodes, for directives that draw forms; other builders write what is inside."""

from html import escape

from docutils import nodes

VOID = ("input",)


class tag(nodes.General, nodes.Element):
    """An HTML element: its name in `element`, and its `attributes`."""


class phrase(nodes.TextElement):
    """Words without a paragraph of their own, as a <label> or a <legend> wants them."""


def html(element, /, *children, **attributes):
    """A tag; `class_` and `for_` stand for words that Python keeps, and None for no attribute."""
    return tag("", *children, element=element, attributes={
        key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()
        if value is not None})


def visit_html(translator, node):
    """Open an HTML element."""
    attributes = "".join(f' {key}="{escape(value)}"' for key, value in node["attributes"].items())
    translator.body.append(f"<{node['element']}{attributes}>")


def depart_html(translator, node):
    """Close an HTML element, if it has an end."""
    if node["element"] not in VOID:
        translator.body.append(f"</{node['element']}>")


def leave_out(translator, node):
    """Write nothing around what is inside."""


def setup(app):
    """Register the nodes; called by Sphinx."""
    nothing = (leave_out, leave_out)
    app.add_node(tag, html=(visit_html, depart_html), singlehtml=(visit_html, depart_html),
                 text=nothing, latex=nothing)
    app.add_node(phrase, html=nothing, singlehtml=nothing, text=nothing, latex=nothing)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
