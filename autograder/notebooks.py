"""Read notebooks, and write them.

`read` loads a notebook or raises `NotebookError` with one clear line; `text` is what to save.
`grade_cells` and `regions` say what nbgrader will do with it, `checked` and `opening` what a test
cell tests.
"""

import ast
import copy
import functools
import json
import re
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat.validator import iter_validate

LONGEST = 5_000  # characters of a cell in JSON that is remembered
EMPTY = '"cells": []'
BEFORE, AFTER = nbformat.v4.writes(nbformat.v4.new_notebook()).split("[]")  # a lone cell's
CHECK = re.compile(r'check\("[^/"]*/([^/"]*)/([^"]*)"')
MEND = "open it in Jupyter and save it again, or restore it from git"


class NotebookError(Exception):
    """A notebook that cannot be used: "path: what is wrong: the way out"."""


class GradeCell(NamedTuple):
    """A cell with nbgrader metadata, as `grade_cells` yields it.

    `index` counts from 0, `points` is a float (0 where the cell is not graded), and `kind` is
    "test" (graded, locked), "solution" (an answer), "manual" (an answer graded by hand),
    "task" (marked by hand) or "locked" (text that nbgrader writes back).
    """

    index: int
    grade_id: str
    points: float
    kind: str
    cell: dict


def read(path):
    """Return the version-4 notebook in the file `path`, unchanged, as a NotebookNode.

    Cell ids are not repaired, so that a rule can miss them.
    Raises NotebookError with one line if the file is missing, unreadable or not a notebook.
    """
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8"))
        version = raw["nbformat"]
        notebook = nbformat.v4.to_notebook(raw) if version == 4 else None
    except FileNotFoundError:
        raise NotebookError(f"{path}: no such notebook: check the name and the folder") from None
    except OSError as error:
        reason = error.strerror or error
        raise NotebookError(f"{path}: cannot be read ({reason}): check the file") from None
    except UnicodeDecodeError:
        raise NotebookError(f"{path}: not UTF-8 text: {MEND}") from None
    except json.JSONDecodeError as error:
        what = f"not JSON at line {error.lineno} ({error.msg})"
        raise NotebookError(f"{path}: {what}: {MEND}") from None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise NotebookError(f"{path}: JSON, but not a notebook: {MEND}") from None
    if notebook is None:
        raise NotebookError(f"{path}: notebook format {version!r}, not 4: {MEND}")
    fault = _fault(notebook)
    if fault:
        raise NotebookError(f"{path}: not a valid notebook ({fault}): {MEND}")
    return notebook


def _fault(notebook):
    """Return the first breach of the notebook schema in one line, or None; ids may be missing."""
    filled = copy.deepcopy(notebook)
    minor = filled.get("nbformat_minor")
    cells = filled.get("cells")
    for number, cell in enumerate(cells if isinstance(cells, list) else []):
        if isinstance(cell, dict) and isinstance(minor, int) and minor >= 5:
            cell.setdefault("id", f"cell-{number}")
    minor = minor if isinstance(minor, int) else 5
    for error in iter_validate(filled, version=4, version_minor=minor):
        place = "/".join(str(part) for part in error.absolute_path) or "top level"
        return f"{place}: {str(error.message).splitlines()[0]}"[:160]
    return None


def grade_cells(notebook):
    """Yield a GradeCell for every cell of `notebook` that bears nbgrader metadata."""
    for index, cell in enumerate(notebook.cells):
        meta = cell.metadata.get("nbgrader")
        if not isinstance(meta, dict):
            continue
        graded, solution = bool(meta.get("grade")), bool(meta.get("solution"))
        if meta.get("task"):
            kind = "task"
        elif solution:
            kind = "manual" if graded else "solution"
        else:
            kind = "test" if graded else "locked"
        points = float(meta.get("points") or 0) if graded or kind == "task" else 0.0
        yield GradeCell(index, meta.get("grade_id", ""), points, kind, cell)


def regions(source, name):
    """Return the texts between `### BEGIN name` and `### END name` lines of `source`, a list.

    `name` is "SOLUTION" or "HIDDEN TESTS".
    Raises ValueError if a region is nested, never ends, or ends before it begins.
    """
    found, lines = [], None
    for number, line in enumerate(source.split("\n"), start=1):
        if f"### BEGIN {name}" in line:
            if lines is not None:
                raise ValueError(f"line {number}: BEGIN {name} inside another")
            lines = []
        elif f"### END {name}" in line:
            if lines is None:
                raise ValueError(f"line {number}: END {name} without its BEGIN")
            found.append("\n".join(lines))
            lines = None
        elif lines is not None:
            lines.append(line)
    if lines is not None:
        raise ValueError(f"BEGIN {name} without its END")
    return found


def checked(source):
    """(function, behaviour) that the source of a test cell has checked, or None."""
    found = CHECK.search(source)
    return found and found.groups()


def opening(source):
    """The docstring that a test cell opens with, on one line; "" if there is none."""
    try:
        text = ast.get_docstring(ast.parse(source))
    except (SyntaxError, ValueError):
        text = None
    return " ".join((text or "").split())


def text(notebook):
    """The text that ``nbformat.writes`` makes of a version-4 notebook, without looking for errors.

    Cells that many notebooks share are put into this form once.
    """
    compact = (json.dumps(cell, ensure_ascii=False, sort_keys=True) for cell in notebook.cells)
    lines = ",\n".join((_cell if len(cell) < LONGEST else _cell.__wrapped__)(cell)
                       for cell in compact)
    frame = nbformat.v4.writes(nbformat.from_dict({**notebook, "cells": []}))
    head, tail = frame.split(EMPTY, 1)
    return f"{head}{EMPTY[:-1]}\n{lines}\n ]{tail}\n" if lines else f"{frame}\n"


@functools.lru_cache(500)
def _cell(compact):
    """The lines of one cell, in a notebook, from its JSON."""
    alone = nbformat.v4.new_notebook(cells=[nbformat.from_dict(json.loads(compact))])
    return nbformat.v4.writes(alone).removeprefix(f"{BEFORE}[\n").removesuffix(f"\n ]{AFTER}")
