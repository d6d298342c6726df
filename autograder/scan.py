"""Look for forbidden functions in what a student wrote, and leave a note for the teacher.

A hit is not proof, and costs no points by itself: it asks a person to look.
"""

import ast
import re

from nbformat.v4 import new_output
from nbgrader.utils import is_grade, is_solution

NOTE = "For your teacher to look at: "
# What no homework needs: the grader itself, ways around the interpreter, ways to hide a name.
ANYWHERE = frozenset({"autograder", "_C", "_VF", "ops", "ctypes", "cffi", "cpp_extension", "gc",
                      "_python_dispatch", "_getframe", "import_module", "threading", "concurrent",
                      "multiprocessing", "subprocess"})
ATTRIBUTE = re.compile(r"(?:\.|import\s+|['\"])(\w+)")
BUILTINS = frozenset({"__import__", "eval", "exec", "compile", "get_ipython"})


def mark(notebook, judge=None):
    """Write a note under each cell of a student's that names something forbidden."""
    words = _rules(notebook).words | ANYWHERE
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code" or (about and not is_solution(cell)):
            continue
        found = sorted(set(forbidden_words(cell.source, words)))
        if found:
            text = f"{NOTE}this cell uses {', '.join(found)}."
            cell.outputs.insert(0, new_output("stream", name="stdout", text=text + "\n"))


def forbidden_words(source, words):
    """The words of a source that are among `words`, as attributes, imports or strings."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # a magic line, or worse
        yield from (word for word in ATTRIBUTE.findall(source) if word in words)
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in words:
            yield node.attr
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [*(getattr(node, "module", None) or "").split("."),
                     *(part for alias in node.names for part in alias.name.split("."))]
            yield from (name for name in names if name in words)
        elif isinstance(node, ast.Name) and node.id in BUILTINS:
            yield node.id
        elif (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr"
              and not isinstance(node.args[1:2] and node.args[1], ast.Constant)):
            yield "getattr"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in words:
            yield node.value


def _rules(notebook):
    """The rules of the assignment that a notebook's checks belong to."""
    from autograder.references import Rules, UnknownCheck, rules  # loads torch

    for cell in notebook.cells:
        if is_grade(cell) and 'check("' in cell.source:
            slug = cell.source.split('check("')[1].split("/")[0]
            try:
                return rules(slug)
            except UnknownCheck:
                break
    return Rules()
