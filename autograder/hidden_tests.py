"""Which hidden tests a test cell runs."""

import ast
import functools

from nbgrader.utils import is_grade, is_solution


def checks(cell):
    """The names of the checks that a test cell's master copy runs."""
    if cell.cell_type != "code" or not is_grade(cell) or is_solution(cell):
        return []
    return _checks_in(cell.source)[0]


def only_checks(cell):
    """Whether a cell runs checks and does nothing else."""
    return bool(checks(cell)) and _checks_in(cell.source)[1]


@functools.lru_cache(maxsize=1024)
def _checks_in(source):
    """The names of the checks, and whether all else is a docstring and imports."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree)
             if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check"]
    alone = all(isinstance(node, ast.ImportFrom | ast.Import) or isinstance(node, ast.Expr)
                and (isinstance(node.value, ast.Constant) or node.value in calls)
                for node in tree.body)
    return [node.args[0].value for node in calls], alone
