"""Let a reader run a page and get its exercise: in Colab, or as a file.

A notebook's page opens with a folded note on how to run it in Colab, where the files beside the
notebook are missing.
A notebook that names `exercises/<slug>/<slug>.ipynb` gets a box below the last place that names
it, and a line in the launch menu.
The box opens the exercise in Colab and downloads it; the file is copied into the site, to the
path that it has in the repository.
A notebook that the quiz asks about ends with a box that leads to the first of its questions.
Owner, repository and branch are those of `repository` in _config.yml; the tests hold every
address to the files that there are.
"""

import json
import re
import shutil
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

import entries
import quiz
from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)

EXERCISE = re.compile(r"exercises/(\w+)/\1\.ipynb")
QUIZ = "book/quiz"  # the page that asks the questions
NEEDED = "the file that draws the digits and the style of the figures"


def repository(app):
    """The settings `owner/repository`, branch and Colab's address, as the theme has them."""
    theme = app.config.html_theme_options
    name = urlsplit(theme["repository_url"]).path.strip("/")
    colab = theme["launch_buttons"]["colab_url"].strip("/")
    return name, theme["repository_branch"], colab


def colab(app, path):
    """The address at which Colab opens a notebook of the repository."""
    name, branch, address = repository(app)
    return f"{address}/github/{name}/blob/{branch}/{path}"


def first_cell(app, docname):
    """What a reader runs first in Colab, so that the notebook finds the files beside it."""
    name, branch, _ = repository(app)
    folder = str(Path(name.split("/")[1], docname).parent)
    return (f"!git clone --depth 1 --branch {branch} \\\n"
            f"    https://github.com/{name}\n"
            f"%cd {folder}\n"
            'import sys; sys.path.insert(0, "..")')


def title(path):
    """The first heading of a notebook."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        found = re.search(r"^# (.+)$", "".join(cell["source"]), re.MULTILINE)
        if cell["cell_type"] == "markdown" and found:
            return found[1]
    return path.stem


def named(doctree):
    """The exercises that a page names, as {slug: last node that does}, in their order."""
    found = {}
    for node in doctree.findall(lambda node: isinstance(node, nodes.Text)):
        for match in EXERCISE.finditer(node):
            found[match[1]] = node
    return found


def exercise_path(slug):
    """Where an exercise lies, from the root of the repository and of the site."""
    return f"exercises/{slug}/{slug}.ipynb"


def exercise_box(app, docname, slug):
    """The box of one exercise, as HTML."""
    path = exercise_path(slug)
    name = escape(title(Path(app.srcdir) / path))
    return (f'<div class="launch launch-exercise"><p class="launch-title">{name}</p>'
            f'<p><a class="launch-button" href="{colab(app, path)}">Open in Colab</a> '
            f'<a class="launch-button" href="{"../" * docname.count("/")}{path}" '
            f'download="{slug}.ipynb">Download the notebook</a></p>'
            "<p>It needs PyTorch and nothing else.</p></div>")


def questions_about(app, docname):
    """The ids of the questions about a page, in the order in which the quiz asks them."""
    path, book = quiz.files(app, "questions")
    if QUIZ not in app.env.found_docs or not path.is_file():
        return []
    name = Path(docname).name
    return [entry["id"] for entry in entries.read(path, "questions", book)[0]
            if entry["page"] == name]


def quiz_box(app, docname, questions):
    """The box that leads to the questions about a page, as HTML."""
    address = f"{app.builder.get_relative_uri(docname, QUIZ)}#{questions[0]}"
    many = "1 question" if len(questions) == 1 else f"{len(questions)} questions"
    return ('<div class="launch launch-quiz"><p class="launch-title">Test yourself</p>'
            f'<p><a class="launch-button" href="{address}">{many} about this page</a></p>'
            "<p>Each answer links to the cell that shows it.</p></div>")


def run_note(app, docname):
    """The folded note at the top of a notebook's page, as nodes."""
    above = ('<details class="launch launch-run"><summary>Run this page in Colab</summary>'
             '<p>Add a cell at the very top with these lines, and run it once. '
             f"It fetches {NEEDED}.</p>")
    below = (f'<p><a class="launch-button" href="{colab(app, docname + ".ipynb")}">'
             "Open in Colab</a></p></details>")
    code = first_cell(app, docname)
    return [nodes.raw("", above, format="html"),
            nodes.literal_block(code, code, language="text"),
            nodes.raw("", below, format="html")]


def depend_on_boxes(app, doctree):
    """Build a page anew when an exercise that it names or the questions about it have changed."""
    for slug in named(doctree):
        app.env.note_dependency(str(Path(app.srcdir) / exercise_path(slug)))
    if questions_about(app, app.env.docname):
        app.env.note_dependency(str(quiz.files(app, "questions")[0]))


def add_boxes(app, doctree, docname):
    """Put the note and the boxes on a notebook's page, and the exercises into the site."""
    if app.builder.format != "html" or not app.env.doc2path(docname).endswith(".ipynb"):
        return
    for slug, node in named(doctree).items():
        path = Path(app.srcdir) / exercise_path(slug)
        if not path.is_file():
            logger.warning("there is no %s: name an exercise that exists, or release this one: "
                           "python -m autograder release %s", exercise_path(slug), slug,
                           location=docname, type="launch")
            continue
        copy = Path(app.outdir) / exercise_path(slug)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        while not isinstance(node.parent, nodes.section):
            node = node.parent
        box = nodes.raw("", exercise_box(app, docname, slug), format="html")
        node.parent.insert(node.parent.index(node) + 1, box)
    questions = questions_about(app, docname)
    if questions:
        *_, last = doctree.findall(nodes.section)
        last += nodes.raw("", quiz_box(app, docname, questions), format="html")
    first = next(doctree.findall(nodes.title))
    place = first.parent.index(first) + 1
    first.parent[place:place] = run_note(app, docname)


def add_menu_entries(app, pagename, templatename, context, doctree):
    """List the exercises of a page in the theme's launch menu."""
    for group in context.get("header_buttons", []):
        if group.get("label") == "launch-buttons":
            group["buttons"] += [
                {"type": "link", "text": f"Exercise: {slug}",
                 "tooltip": "Open the exercise in Colab",
                 "icon": "_static/images/logo_colab.png", "url": colab(app, exercise_path(slug))}
                for slug in named(doctree)]


def setup(app):
    """Register the note, the boxes and the menu's entries; called by Sphinx."""
    app.add_css_file("launch.css")
    app.connect("doctree-read", depend_on_boxes)
    app.connect("doctree-resolved", add_boxes)
    app.connect("html-page-context", add_menu_entries, priority=600)  # after the theme's own
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
