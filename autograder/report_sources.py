"""What a report is made of: rows of the gradebook, graded notebooks, lines of the journal."""

import ast
import json
from collections import defaultdict
from dataclasses import dataclass, field

import nbformat
from nbgrader.api import (
    BaseCell,
    Grade,
    GradeCell,
    Notebook,
    SourceCell,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from sqlalchemy import func, select

from autograder import journal, notebooks
from autograder.findings import findings
from autograder.rebuild import REASON, UNREADABLE

OWN_CELLS = "cells of their own"


@dataclass
class Marks:
    """The gradebook's view: `cells` maps a graded cell to (points, source), `points` a student to
    points by cell; it has the students with at least one mark. `manual` counts cells that wait for
    a person, `late` submissions with a penalty.
    """

    cells: dict[str, tuple[float, str]]
    points: dict[str, dict[str, float]]
    manual: int = 0
    late: int = 0


@dataclass
class Graded:
    """One autograded notebook: why the submission could not be read, and what it says."""

    broken: str | None = None
    mistakes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)


def marks(course, slug):
    """The `Marks` of an assignment, with one query for cells, one for grades, one for penalties."""
    cell, graded, task = BaseCell.__table__, GradeCell.__table__, TaskCell.__table__
    with course.gradebook() as gradebook:
        assignment = gradebook.find_assignment(slug).id
        cells = gradebook.db.execute(
            select(cell.c.name, func.coalesce(graded.c.max_score, task.c.max_score),
                   SourceCell.source)
            .select_from(cell).join(Notebook, cell.c.notebook_id == Notebook.id)
            .outerjoin(graded, graded.c.id == cell.c.id)
            .outerjoin(task, task.c.id == cell.c.id)
            .outerjoin(SourceCell, (SourceCell.notebook_id == Notebook.id)
                       & (SourceCell.name == cell.c.name))
            .where(Notebook.assignment_id == assignment)).all()
        grades = gradebook.db.execute(
            select(SubmittedAssignment.student_id, cell.c.name, Grade.score, Grade.auto_score,
                   Grade.manual_score, Grade.needs_manual_grade)
            .select_from(Grade).join(cell, cell.c.id == Grade.cell_id)
            .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
            .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
            .where(SubmittedAssignment.assignment_id == assignment)).all()
        late = gradebook.db.scalar(
            select(func.count()).select_from(SubmittedNotebook)
            .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
            .where(SubmittedAssignment.assignment_id == assignment,
                   SubmittedNotebook.late_submission_penalty > 0))
    points, waiting, marked = defaultdict(dict), defaultdict(int), set()
    for student, name, score, by_test, by_hand, waits in grades:
        points[student][name] = score
        waiting[student] += bool(waits)
        if by_test is not None or by_hand is not None:
            marked.add(student)
    return Marks({name: (most, source or "") for name, most, source in cells if most},
                 {student: points[student] for student in sorted(marked)},
                 sum(waiting[student] for student in marked), late)


def lines(course, slug):
    """The last line of the journal about each student: {student: dictionary}."""
    last = {}
    for line in journal.read(course.journal(slug)):
        if isinstance(line.get("student"), str):
            last[line["student"]] = line
    return last


def graded(course, slug, student):
    """The `Graded` notebook of a student, or None if it can't be read."""
    try:
        raw = course.notebook("autograded", slug, student).read_bytes()
        notebook = nbformat.v4.to_notebook(json.loads(raw))
        mistakes, notes = findings(notebook)
        return Graded(_broken(notebook), mistakes, notes, _answers(notebook))
    except (OSError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None


def _broken(notebook):
    """Why a submission could not be read, or None."""
    first = notebook.cells[0] if notebook.cells else {}
    return (first.source.removeprefix(UNREADABLE).strip() if first.get("id") == REASON else None)


def _answers(notebook):
    """{question: source} of the answers in a notebook; extra cells count as one answer."""
    found, own = {}, []
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and about.get("solution"):
            found[about.grade_id] = cell.source
        elif cell.cell_type == "code" and not about and str(cell.get("id")).startswith("extra-"):
            own.append(cell.source)
    return found | ({OWN_CELLS: "\n".join(own)} if own else {})


def given(course, slug):
    """(names of graded cells in their order, starters, names that everybody has) of a release."""
    notebook = notebooks.read(course.notebook("release", slug))
    cells = list(notebooks.grade_cells(notebook))
    known = set()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            known |= _bound(cell.source)
    return [cell.grade_id for cell in cells], _answers(notebook), frozenset(known)


def models(course, slug):
    """The model solution's answers: {question: source}; nothing where there is none to read."""
    try:
        return _answers(notebooks.read(course.notebook("source", slug)))
    except notebooks.NotebookError:
        return {}


def _bound(source):
    """The names that a source defines or imports at its top level."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError):
        return set()
    names = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return names
