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
from autograder.findings import mistake_in

STYLE = "<style>.panel-heading ol {columns: 4} td, th {padding: 2px 1.5em 2px 0}</style>"


PICTURE = re.compile(r"<img\b(?![^>]*\salt\s*=)", re.IGNORECASE)
KEPT = 2000  # cells: what the pages of a class have in common is coloured once


class FeedbackExporter(HTMLExporter):
    """nbconvert's HTMLExporter in a third of the time.

    It does not parse the page again to describe its pictures, and remembers how cells look.
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
        return PICTURE.sub('<img alt="a picture that the cell shows"', page), resources

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
    """A table of points and named mistakes; `functions` maps a name to its graded test cells."""
    lines = [STYLE, "", "## Your result", "", "| function | points | look at |", "|---|---|---|"]
    for name, cells in functions.items():
        about = [cell.metadata.nbgrader for cell in cells]
        score = sum(a.get("score") or 0 for a in about)
        points = sum(a.get("points") or 0 for a in about)
        mistakes = [mistake_in(output) for cell in cells for output in cell.get("outputs", [])]
        look = html.escape("; ".join(dict.fromkeys(m for m in mistakes if m)).replace("|", "/"))
        look = look or ("" if score == points else "the reports below")
        lines.append(f"| `{name}` | {score:g} of {points:g} | {look} |")
    return "\n".join(lines)
