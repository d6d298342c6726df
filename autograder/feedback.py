"""What a student sees: a summary, and of each test cell the behaviour it tests, not its source."""

import ast
import html
import re

from nbformat.v4 import new_markdown_cell
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution

from autograder.findings import mistake_in

STYLE = "<style>.panel-heading ol {columns: 4} td, th {padding: 2px 1.5em 2px 0}</style>"
CHECK = re.compile(r'check\("[^/"]*/([^/"]*)/[^"]*"')


class ShowBehaviour(NbGraderPreprocessor):
    """Put a summary at the top, and the docstring of each test cell in the place of its source.

    Comes after nbgrader's GetGrades, which writes the scores into the cells.
    """

    def preprocess(self, nb, resources):
        """Change an autograded notebook on its way to the feedback page."""
        functions = {}
        for cell in nb.cells:
            if cell.cell_type == "code" and is_grade(cell) and not is_solution(cell):
                found = CHECK.search(cell.source)
                if found:  # else it is a visible test, without points
                    functions.setdefault(found[1], []).append(cell)
        for cells in functions.values():
            for cell in cells:
                cell.source = f"# {_docstring(cell.source)}"
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


def _docstring(source):
    """The sentence that a test cell opens with, on one line."""
    try:
        text = ast.get_docstring(ast.parse(source))
    except SyntaxError:
        text = None
    return " ".join((text or "A hidden test.").split())
