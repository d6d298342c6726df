"""Give the entries of a bibliography a role that screen readers know.

Sphinx marks them `doc-biblioentry`, which WAI-ARIA has withdrawn in favour of
the items of a list; the list around them it marks already.
"""


def replace_role(app, pagename, templatename, context, doctree):
    """Rewrite the role in the body of a page."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app):
    """Register the change; called by Sphinx."""
    app.connect("html-page-context", replace_role)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
