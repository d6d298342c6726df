"""What search engines, messengers and the book's own search are told of a page.

A page describes itself in whole sentences; without contents of its own it asks not to be listed.
The file robots.txt names the sitemap; engines read it at the root of a host, so it counts once the
book has a host of its own.
The site's index.html leads to the first page, and says so to a reader whose browser stays.
Sphinx fetches each page that its search found, to quote from it; a browser forbids that to a
file, so in a folder on disk the results stand without quotations.
"""

import re
from html import escape
from pathlib import Path

from docutils import nodes

SHORT, LONG = 50, 200  # characters of a description
FILE = 'if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;'
WITHOUT_CONTENTS = ("search", "genindex", "404")


def text_of(node):
    """The text of a paragraph or a list in one line, without what only HTML shows."""
    if isinstance(node, nodes.bullet_list):
        return " ".join(text_of(item) for item in node.children)
    words = (text.astext() for text in node.findall(nodes.Text)
             if not isinstance(text.parent, nodes.raw))
    return " ".join("".join(words).split())


def description(doctree):
    """What a page says of itself: its first sentences, or the aims that it lists first."""
    section = next(doctree.findall(nodes.section), None)
    found = ""
    for node in section.children if section else ():
        if isinstance(node, nodes.paragraph | nodes.bullet_list):
            found = f"{found} {text_of(node)}".strip()
        elif isinstance(node, nodes.section):
            break
    return shortened(found)


def shortened(text):
    """A text of at most 200 characters: whole sentences, else whole aims, else whole words."""
    for end in (r"[.?!](?= |$)", r";(?= )", r"(?= )"):
        ends = [match.end() for match in re.finditer(end, text) if SHORT <= match.end() <= LONG]
        if ends:
            whole = text[:ends[-1]]
            return whole if whole[-1] in ".?!" else whole.rstrip(",;: ") + " …"
    return text[:LONG]


def describe(app, pagename, templatename, context, doctree):
    """Give a page its description, and keep search engines off pages without contents."""
    if pagename in WITHOUT_CONTENTS:
        context["metatags"] = context.get("metatags", "") + \
            '<meta name="robots" content="noindex">\n'
    if pagename == "search":
        app.add_js_file(None, body=FILE)
    text = description(doctree) if doctree is not None else ""
    if text:
        context["meta"] = {**(context.get("meta") or {}), "og:description": text}
        context["metatags"] += f'<meta name="description" content="{escape(text)}">\n'


def write_entrances(app, exception):
    """Write robots.txt and index.html, where engines and readers come in."""
    if exception is not None or app.builder.format != "html":
        return
    base, first = app.config.html_baseurl, f"{app.config.root_doc}.html"
    robots = f"User-agent: *\nAllow: /\nSitemap: {base}sitemap.xml\n"
    Path(app.outdir, "robots.txt").write_text(robots, encoding="utf-8")
    title = escape(app.config.html_title)
    Path(app.outdir, "index.html").write_text(
        f'<!DOCTYPE html>\n<html lang="{app.config.language}">\n<head>\n<meta charset="utf-8">\n'
        f'<title>{title}</title>\n<link rel="canonical" href="{base}{first}">\n'
        f'<meta http-equiv="refresh" content="0; url={first}">\n</head>\n'
        f'<body><p><a href="{first}">{title}</a></p></body>\n</html>\n', encoding="utf-8")


def setup(app):
    """Register the changes; called by Sphinx."""
    app.connect("html-page-context", describe, priority=400)  # before sphinxext.opengraph
    app.connect("build-finished", write_entrances)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
