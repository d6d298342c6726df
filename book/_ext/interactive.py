"""The directive {interactive}: a figure that a reader changes, drawn by a script of the book.

    ```{interactive} tracer
    :alt: what the figure shows, and what a reader can do with it
    A caption.
    ```

Figure `x` is the script `x.js` in book/_static/interactive/; its parts beside it, such as
`x.data.js`, are loaded first, and `x.example.txt` is what readers without scripts get: a worked
example.
The scripts are classic ones with `defer`, so that a page works as a file; only pages that hold a
figure load them, each once.
With `:name:` a page can point to the figure with {numref}; it counts with the other figures.
Builders other than HTML get the alternative text and the caption.
"""

from html import escape
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

FOLDER = Path(__file__).parents[1] / "_static" / "interactive"


def figures():
    """The names of the figures that exist, in order."""
    return sorted(path.stem for path in FOLDER.glob("*.js")
                  if path.stem != "common" and "." not in path.stem)


def scripts(names):
    """What figures of these names load, each script once: the common ones, parts, their own."""
    parts = [path.name for name in sorted(names)
             for path in (*sorted(FOLDER.glob(f"{name}.*.js")), FOLDER / f"{name}.js")]
    common = [path.name for path in sorted(FOLDER.glob("common.*.js"))]
    return ["common.js", *common, *parts] if names else []


def example(name):
    """The path of a figure's worked example."""
    return FOLDER / f"{name}.example.txt"


class interactive(nodes.General, nodes.Element):
    """What a script draws: `figure`, its name; `key`, its name on the page; `alt`."""


class Interactive(SphinxDirective):
    """Put a figure on the page: name of the figure, :alt:, and optionally a caption."""

    required_arguments = 1
    has_content = True
    option_spec = {"alt": directives.unchanged, "name": directives.unchanged}

    def refuse(self, reason):
        """Warn about this directive, and put nothing on the page."""
        logger.warning("interactive figure %r: %s", self.arguments[0], reason,
                       location=self.get_location(), type="interactive")
        return []

    def run(self):
        """Return the figure, or nothing after a warning."""
        name, alt = self.arguments[0], self.options.get("alt", "").strip()
        if name not in figures():
            return self.refuse(f"there is none of that name: use {' or '.join(figures())}, "
                               "or add its script to book/_static/interactive")
        if not alt:
            return self.refuse("no alternative text: write `:alt: what it shows and does`")
        if not example(name).is_file():
            return self.refuse("no example for readers without scripts: write "
                               f"book/_static/interactive/{example(name).name}")
        self.env.note_dependency(str(example(name)))
        serial = self.env.new_serialno(f"interactive-{name}")
        key = f"{name}-{serial + 1}" if serial else name
        figure = nodes.figure("", interactive(figure=name, key=key, alt=alt),
                              classes=["interactive"])
        self.set_source_info(figure)
        self.add_name(figure)
        figure["ids"].append(f"interactive-{key}")
        text = self.parse_content_to_nodes()
        if text and not isinstance(text[0], nodes.paragraph):
            return self.refuse("its caption must begin with a paragraph")
        if text:
            figure += nodes.caption("", "", *text[0].children)
        if text[1:]:
            figure += nodes.legend("", *text[1:])
        return [figure]


def visit_html(translator, node):
    """Write the empty box that the script fills, and what stands there without scripts."""
    alt = escape(node["alt"])
    text = escape(example(node["figure"]).read_text(encoding="utf-8"))
    translator.body.append(
        f'<div class="interactive-body" role="group" aria-label="{alt}" '
        f'data-interactive="{node["figure"]}" data-key="{node["key"]}">'
        f'<noscript><p>{alt}</p><pre>{text}</pre></noscript></div>\n')
    raise nodes.SkipNode


def visit_text(translator, node):
    """Write the alternative text."""
    translator.new_state(0)
    translator.add_text(node["alt"])
    translator.end_state()
    raise nodes.SkipNode


def visit_latex(translator, node):
    """Write the alternative text."""
    translator.body.append(f"\n{translator.encode(node['alt'])}\n\n")
    raise nodes.SkipNode


def load_scripts(app, pagename, templatename, context, doctree):
    """Load what the figures of a page need, on that page alone."""
    if doctree is None:
        return
    names = {node["figure"] for node in doctree.findall(interactive)}
    if names:
        app.add_css_file("interactive/interactive.css")
    for script in scripts(names):
        app.add_js_file(f"interactive/{script}", loading_method="defer")


def setup(app):
    """Register the directive; called by Sphinx."""
    html = (visit_html, None)
    app.add_node(interactive, html=html, singlehtml=html, text=(visit_text, None),
                 latex=(visit_latex, None))
    app.add_directive("interactive", Interactive)
    app.connect("html-page-context", load_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
