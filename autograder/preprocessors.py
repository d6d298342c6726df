"""nbgrader's steps between a submission and the gradebook, with a few queries for each notebook.

nbgrader asks the gradebook anew for every cell. These do what its own of the same purpose do, with
its own code for each cell, on rows that were read together.
"""

import functools
import json
from types import SimpleNamespace

from nbgrader import preprocessors
from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    GradeCell,
    MissingEntry,
    Notebook,
    SourceCell,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from nbgrader.preprocessors import NbGraderPreprocessor
from sqlalchemy import select, update


@functools.lru_cache(maxsize=8)
def opened(db_url, *course_id):
    """The gradebook at `db_url`, for a ``with`` statement; it remembers how it put its queries."""
    return Gradebook(db_url, *course_id)


class _Rows:
    """Stands where nbgrader's code for one cell expects a gradebook."""

    db = SimpleNamespace(commit=lambda: None)  # it is done once, at the end

    def __init__(self, **tables):
        self.tables = tables

    def _find(self, table, name):
        try:
            return self.tables[table][name]
        except KeyError:
            raise MissingEntry(f"the gradebook has no {table} for '{name}'") from None

    def find_source_cell(self, name, *_):
        """The released form of a cell."""
        return self._find("source", name)

    def find_graded_cell(self, name, *_):
        """What a graded cell is worth."""
        return self._find("points", name)

    def find_grade(self, name, *_):
        """The mark of a graded cell."""
        return self._find("grade", name)

    def find_comment(self, name, *_):
        """The comment on an answer."""
        return self._find("comment", name)


class OverwriteCells(preprocessors.OverwriteCells):
    """Puts the released form of each cell, hidden tests among it, into a notebook; its kernel too.

    It takes the places of nbgrader's OverwriteCells and OverwriteKernelspec.
    """

    def preprocess(self, nb, resources):
        """Overwrite the cells of `nb`; return both arguments."""
        about = resources["nbgrader"]
        self.notebook_id, self.assignment_id = about["notebook"], about["assignment"]
        self.db_url = about["db_url"]
        with opened(self.db_url) as gradebook:
            notebook, kernel = gradebook.db.execute(
                select(Notebook.id, Notebook.kernelspec).join(
                    Assignment, Assignment.id == Notebook.assignment_id).where(
                    Notebook.name == self.notebook_id,
                    Assignment.name == self.assignment_id)).one()
            source, points, tasks = (
                {cell.name: cell for cell in gradebook.db.scalars(
                    select(table).where(table.notebook_id == notebook))}
                for table in (SourceCell, GradeCell, TaskCell))
            self.gradebook = _Rows(source=source, points=tasks | points)
            if kernel := kernel and json.loads(kernel):
                nb.metadata["kernelspec"] = kernel
            return NbGraderPreprocessor.preprocess(self, nb, resources)


class CheckCellMetadata(preprocessors.CheckCellMetadata):
    """Checks nbgrader's metadata, but the same only once: all submissions have the release's."""

    _whole = None  # what was checked last

    def preprocess(self, nb, resources):
        """Raise ValidationError unless the metadata of `nb` are whole; return both arguments."""
        kept = json.dumps([[cell.cell_type, cell.metadata["nbgrader"]] for cell in nb.cells
                           if "nbgrader" in cell.metadata])
        if kept != self._whole:
            super().preprocess(nb, resources)
            type(self)._whole = kept
        return nb, resources


def _submitted(resources):
    """What selects the id of a submitted notebook."""
    about = resources["nbgrader"]
    return select(SubmittedNotebook.id).join(
        Notebook, Notebook.id == SubmittedNotebook.notebook_id).join(
        SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id).join(
        Assignment, Assignment.id == SubmittedAssignment.assignment_id).where(
        Notebook.name == about["notebook"], Assignment.name == about["assignment"],
        SubmittedAssignment.student_id == about["student"])


class SaveAutoGrades(preprocessors.SaveAutoGrades):
    """Saves all marks and comments of a notebook together."""

    def preprocess(self, nb, resources):
        """Write the marks of `nb` into the gradebook; return both arguments."""
        about = resources["nbgrader"]
        self.notebook_id, self.assignment_id = about["notebook"], about["assignment"]
        self.student_id, self.db_url = about["student"], about["db_url"]
        with opened(self.db_url) as gradebook:
            notebook = gradebook.db.scalars(_submitted(resources)).one()
            self.gradebook = _Rows(**{
                name: {cell: row for row, cell in gradebook.db.execute(
                    select(table, BaseCell.name).join(BaseCell, BaseCell.id == table.cell_id).where(
                        table.notebook_id == notebook))}
                for name, table in (("grade", Grade), ("comment", Comment))})
            nb, resources = NbGraderPreprocessor.preprocess(self, nb, resources)
            gradebook.db.commit()
        return nb, resources


class AssignLatePenalties(preprocessors.AssignLatePenalties):
    """Leaves out the work where nobody can be late."""

    def preprocess(self, nb, resources):
        """Set the penalty of `nb`; return both arguments."""
        about = resources["nbgrader"]
        with opened(about["db_url"]) as gradebook:
            due = gradebook.db.scalars(select(Assignment.duedate).where(
                Assignment.name == about["assignment"])).one()
            if due is None:
                notebook = gradebook.db.scalars(_submitted(resources)).one()
                gradebook.db.execute(update(SubmittedNotebook).where(
                    SubmittedNotebook.id == notebook,
                    SubmittedNotebook.late_submission_penalty.is_not(None)).values(
                    late_submission_penalty=None))
                gradebook.db.commit()
                return nb, resources
        return super().preprocess(nb, resources)
