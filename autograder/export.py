"""``nbgrader export`` with every field quoted, and nothing that a spreadsheet would run."""

import csv

from nbgrader.api import MissingEntry
from nbgrader.plugins import ExportPlugin

FIELDS = ["assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
          "raw_score", "late_submission_penalty", "score", "max_score"]
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the start of one


class SafeCsvExportPlugin(ExportPlugin):
    """The same table as nbgrader's own plugin writes, as real CSV."""

    def export(self, gradebook):
        """Write the marks of `gradebook` to the file `to`, or to grades.csv."""
        target = self.to or "grades.csv"
        self.log.info("Exporting grades to %s", target)
        with open(target, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, FIELDS, quoting=csv.QUOTE_MINIMAL)
            table.writeheader()
            for assignment in gradebook.assignments:
                for student in gradebook.students:
                    if _wanted(assignment.name, self.assignment) and _wanted(
                            student.id, self.student):
                        table.writerow(_row(gradebook, assignment, student))


def _wanted(name, chosen):
    return not chosen or name in map(str, chosen)


def _row(gradebook, assignment, student):
    """One line of the table."""
    row = {"assignment": assignment.name, "duedate": assignment.duedate, "student_id": student.id,
           "last_name": student.last_name, "first_name": student.first_name,
           "email": student.email, "max_score": assignment.max_score}
    try:
        submission = gradebook.find_submission(assignment.name, student.id)
    except MissingEntry:
        row |= {"timestamp": "", "raw_score": 0.0, "late_submission_penalty": 0.0, "score": 0.0}
    else:
        penalty = submission.late_submission_penalty
        row |= {"timestamp": submission.timestamp, "raw_score": submission.score,
                "late_submission_penalty": penalty,
                "score": max(0.0, submission.score - (penalty or 0.0))}
    return {key: _defused(value) for key, value in row.items()}


def _defused(value):
    """A field as text; one that would be a formula gets an apostrophe in front."""
    if value is None or isinstance(value, int | float):
        return "" if value is None else value
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
