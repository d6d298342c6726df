"""The one writer to nbgrader's gradebook: many submissions in one transaction.

Writes what nbgrader's `Autograde`, `SaveAutoGrades` and `AssignLatePenalties` write, row by row,
with any database that nbgrader takes.
"""

from nbformat.v4 import new_notebook
from nbgrader import utils
from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    new_uuid,
)
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy import func, insert, select, update


class Records:
    """An assignment's rows in the gradebook; to be used in a ``with`` statement."""

    def __init__(self, course, slug):
        self.course, self.slug = course, slug

    def __enter__(self):
        """Open the gradebook and read what the assignment has."""
        self.gradebook = self.course.gradebook()
        self.db = self.gradebook.db
        row = self.db.execute(select(Assignment.id, Assignment.duedate, Notebook.id).join(
            Notebook, Notebook.assignment_id == Assignment.id).where(
            Assignment.name == self.slug, Notebook.name == self.slug)).one()
        self.assignment, self.duedate, self.notebook = row
        cells = self.db.execute(select(BaseCell.id, BaseCell.name, BaseCell.type).where(
            BaseCell.notebook_id == self.notebook)).all()
        self.graded = {name: id for id, name, kind in cells if kind != "SolutionCell"}
        self.commented = {name: id for id, name, kind in cells if kind != "GradeCell"}
        self.submitted = {}  # student -> (submission, its notebook)
        for student, submission, notebook in self.db.execute(self._submissions()):
            self.submitted[student] = submission, notebook
        return self

    def __exit__(self, *_):
        """Close the gradebook; what was not saved is not in it."""
        self.gradebook.close()

    def _submissions(self):
        return select(SubmittedAssignment.student_id, SubmittedAssignment.id,
                      SubmittedNotebook.id).join(
            SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id).where(
            SubmittedAssignment.assignment_id == self.assignment,
            SubmittedNotebook.notebook_id == self.notebook)

    def totals(self):
        """The sum of the automatic scores of each student who has any."""
        return dict(self.db.execute(select(
            SubmittedAssignment.student_id, func.sum(Grade.auto_score)).select_from(Grade).join(
            SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id).join(
            SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id).where(
            SubmittedNotebook.notebook_id == self.notebook, Grade.auto_score.is_not(None)).group_by(
            SubmittedAssignment.student_id)).all())

    def kept(self):
        """What people wrote: {student: {cell: (score, extra credit, comment)}}."""
        found = {}
        for row, place in ((Grade, 0), (Comment, 2)):
            fields = ([row.manual_score, row.extra_credit] if row is Grade
                      else [row.manual_comment])
            query = select(SubmittedAssignment.student_id, BaseCell.name, *fields).select_from(
                row).join(BaseCell, row.cell_id == BaseCell.id).join(
                SubmittedNotebook, row.notebook_id == SubmittedNotebook.id).join(
                SubmittedAssignment,
                SubmittedNotebook.assignment_id == SubmittedAssignment.id).where(
                SubmittedNotebook.notebook_id == self.notebook,
                fields[0].is_not(None) | fields[-1].is_not(None))
            for student, cell, *values in self.db.execute(query):
                was = found.setdefault(student, {}).setdefault(cell, [None, None, None])
                was[place:place + len(values)] = values
        return {student: {cell: tuple(values) for cell, values in cells.items()}
                for student, cells in found.items()}

    def save(self, lines):
        """Save marks in one transaction; return the students who are late.

        A line has "student", "scores" and "comments" by cell, and "stamp", the text of
        timestamp.txt, or None. What people
        wrote stays; a cell with a manual score asks to be looked at again, as with nbgrader.
        """
        self._add_missing([line["student"] for line in lines])
        of = {self.submitted[line["student"]][1]: line for line in lines}
        times = [{"id": self.submitted[line["student"]][0], "timestamp": time}
                 for line in lines if (time := parsed(line["stamp"]))]
        grades, comments = [], []
        for id, name, notebook, manual in self.db.execute(self._rows(Grade, of)):
            score = of[notebook]["scores"].get(name)
            grades.append({"id": id, "auto_score": score,
                           "needs_manual_grade": manual is not None or score is None})
        for id, name, notebook, _ in self.db.execute(self._rows(Comment, of)):
            comments.append({"id": id, "auto_comment": of[notebook]["comments"].get(name)})
        notebooks = [{"id": id, "late_submission_penalty": None} for id in of]
        for table, rows in ((SubmittedAssignment, times), (SubmittedNotebook, notebooks),
                            (Grade, grades), (Comment, comments)):
            if rows:
                self.db.execute(update(table), rows)
        self.db.commit()
        return self._late(lines)

    def _rows(self, table, notebooks):
        """Ask for the rows of a table that belong to submitted notebooks."""
        manual = table.manual_score if table is Grade else table.manual_comment
        return select(table.id, BaseCell.name, table.notebook_id, manual).join(
            BaseCell, table.cell_id == BaseCell.id).where(table.notebook_id.in_(notebooks))

    def _add_missing(self, students):
        """Make the rows of students and submissions that are not there, without marks."""
        known = set(self.db.scalars(select(Student.id).where(Student.id.in_(students))))
        new = [student for student in students if student not in self.submitted]
        rows = {Student: [{"id": student} for student in students if student not in known],
                SubmittedAssignment: [], SubmittedNotebook: [], Grade: [], Comment: []}
        for student in new:
            submission, notebook = new_uuid(), new_uuid()
            self.submitted[student] = submission, notebook
            rows[SubmittedAssignment].append({"id": submission, "assignment_id": self.assignment,
                                              "student_id": student})
            rows[SubmittedNotebook].append({"id": notebook, "assignment_id": submission,
                                            "notebook_id": self.notebook, "flagged": False})
            for table, cells in ((Grade, self.graded), (Comment, self.commented)):
                rows[table] += [{"id": new_uuid(), "cell_id": cell, "notebook_id": notebook}
                                for cell in cells.values()]
        for row in rows[Grade]:
            row["needs_manual_grade"] = True
        for table, values in rows.items():
            if values:
                self.db.execute(insert(table), values)

    def _late(self, lines):
        """Have nbgrader's plug-in set the penalties of those who are late, and name them."""
        if self.duedate is None:
            return []
        late = []
        for line in lines:
            submission = self.db.get(SubmittedAssignment, self.submitted[line["student"]][0])
            if submission.total_seconds_late > 0:
                late.append(line["student"])
        self.db.commit()
        penalties = AssignLatePenalties(config=self.course.config)
        for student in late:
            penalties.preprocess(new_notebook(), {"nbgrader": {
                "notebook": self.slug, "assignment": self.slug, "student": student,
                "db_url": self.course.directory.db_url}})
        return late


def parsed(stamp):
    """The time that a timestamp.txt tells, or None."""
    try:
        return stamp and utils.parse_utc(stamp.strip())
    except Exception:  # nbgrader's parser has many ways to fail
        return None
