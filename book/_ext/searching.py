"""Let the search work in a folder on disk, and keep search engines off pages without contents.

Sphinx fetches each page that it found, to quote from it; a browser forbids that to a file, and
the error would be on the console.
There the results stand without quotations.
"""

FILE = 'if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;'
WITHOUT_CONTENTS = ("search", "genindex", "404")


def prepare(app, pagename, templatename, context, doctree):
    """Change the search page's options, and mark pages that no search engine should list."""
    if pagename == "search":
        app.add_js_file(None, body=FILE)
    if pagename in WITHOUT_CONTENTS:
        context["metatags"] = context.get("metatags", "") + \
            '<meta name="robots" content="noindex">\n'


def setup(app):
    """Register the changes; called by Sphinx."""
    app.connect("html-page-context", prepare)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
