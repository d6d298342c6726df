"""What a student sees of a test cell: the behaviour it tests, not its source."""

import ast

from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution


class ShowBehaviour(NbGraderPreprocessor):
    """Put the docstring of each test cell in the place of its source."""

    def preprocess_cell(self, cell, resources, cell_index):
        """Change one cell of an autograded notebook on its way to the feedback page."""
        if cell.cell_type == "code" and is_grade(cell) and not is_solution(cell):
            try:
                cell.source = f"# {ast.get_docstring(ast.parse(cell.source)) or 'A hidden test.'}"
            except SyntaxError:
                cell.source = "# A hidden test."
        return cell, resources
