"""What a student sees: a summary, and of each test cell the behaviour it tests, not its source."""

import functools
import html
import re

from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from nbformat.v4 import new_markdown_cell
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution

from autograder import notebooks
from autograder.findings import mistake_in, unwritten

STYLE = """<style>
.panel-default > .panel-heading { max-height: 32em; overflow-y: auto; }
.panel-heading ol { columns: 4 15em; }
div.nbgrader_cell .panel-heading { height: auto; overflow: hidden; }
.container .container { padding: 0; }
td, th { padding: 2px 1.5em 2px 0; }
td, td code { overflow-wrap: anywhere; white-space: normal; }
@media (max-width: 480px) {
  td, th { padding-right: 0.6em; }
  td code { font-size: 80%; padding: 2px; }
}
</style>"""


CHARSET = '<meta charset="utf-8" />'
VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1" />'
PICTURE = re.compile(r"<img\b(?![^>]*\salt\s*=)", re.IGNORECASE)
KEPT = 500  # cells: what the pages of a class have in common is coloured once


class FeedbackExporter(HTMLExporter):
    """nbconvert's HTMLExporter in a fourth of the time.

    It does not parse the page again to describe its pictures, remembers how cells look, and neither
    copies a notebook twice nor validates it after each step.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._text = functools.lru_cache(KEPT)(functools.partial(super().markdown2html, {}))
        self._coloured = functools.lru_cache(KEPT)(
            lambda lexer, source: Highlight2HTML(pygments_lexer=lexer, parent=self)(source))

    def from_notebook_node(self, nb, resources=None, **kwargs):
        """The page of an autograded notebook, and its resources."""
        about = nb.metadata.get("language_info", {})
        lexer = about.get("pygments_lexer", about.get("name"))
        resources = self._init_resources(resources)
        self.register_filter("highlight_code", lambda source, **_: self._coloured(lexer, source))
        self.register_filter("filter_data_type", WidgetsDataTypeFilter(
            notebook_metadata=self._nb_metadata, parent=self, resources=resources))
        page, resources = super(HTMLExporter, self).from_notebook_node(nb, resources, **kwargs)
        page = page.replace(CHARSET, f"{CHARSET}\n{VIEWPORT}", 1)  # else a phone makes it tiny
        return PICTURE.sub('<img alt="a picture that the cell shows"', page), resources

    def _preprocess(self, nb, resources):
        """The notebook after all steps, which work on the copy that `from_notebook_node` made."""
        for preprocessor in self._preprocessors:
            nb, resources = preprocessor(nb, resources)
        return nb, resources

    @pass_context
    def markdown2html(self, context, source):
        """A cell's text as HTML."""
        if context.get("cell", {}).get("attachments"):
            return super().markdown2html(context, source)
        return self._text(source)


class ShowBehaviour(NbGraderPreprocessor):
    """Put a summary at the top, and the docstring of each test cell in the place of its source.

    Comes after nbgrader's GetGrades, which writes the scores into the cells.
    """

    def preprocess(self, nb, resources):
        """Change an autograded notebook on its way to the feedback page."""
        functions = {}
        for cell in nb.cells:
            if cell.cell_type == "code" and is_grade(cell) and not is_solution(cell):
                found = notebooks.checked(cell.source)
                if found:  # else it is a visible test, without points
                    functions.setdefault(found[0], []).append(cell)
        for cells in functions.values():
            for cell in cells:
                cell.source = f"# {notebooks.opening(cell.source) or 'A hidden test.'}"
        if functions:
            nb.cells.insert(0, new_markdown_cell(summary(functions), id="summary"))
        return nb, resources


def summary(functions):
    """A table of points and what to look at; `functions` maps a name to its graded test cells."""
    lines = [STYLE, "", "## Your result", "", "| function | points | look at |", "|---|---|---|"]
    for name, cells in functions.items():
        about = [cell.metadata.nbgrader for cell in cells]
        score = sum(a.get("score") or 0 for a in about)
        points = sum(a.get("points") or 0 for a in about)
        lines.append(f"| `{name}` | {score:g} of {points:g} | {_look_at(cells)} |")
    return "\n".join(lines)


def _look_at(cells):
    """What a student should look at: a known mistake, or else a report; a link leads there."""
    failed = [cell for cell in cells if (cell.metadata.nbgrader.get("score") or 0)
              < (cell.metadata.nbgrader.get("points") or 0)]
    if not failed:
        return ""
    outputs = [output for cell in failed for output in cell.get("outputs", [])]
    mistakes = dict.fromkeys(m for m in map(mistake_in, outputs) if m)
    what = html.escape("; ".join(mistakes).replace("|", "/"))
    if not what:
        what = "not written yet" if any(map(unwritten, outputs)) else "the reports below"
    return f"[{what}](#{failed[0].metadata.nbgrader.grade_id})"
