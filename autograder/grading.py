"""Grade submissions with nbgrader, one student at a time, and read the results back."""

import re
from dataclasses import dataclass, field

from nbgrader.api import MissingEntry

from autograder import notebooks
from autograder.course import CourseError
from autograder.rebuild import REASON, UNREADABLE
from autograder.scan import NOTE

MISTAKE = re.compile(r"^  This is what comes out when (.*)\.$", re.MULTILINE)
NOTED = re.compile(rf"{re.escape(NOTE)}this cell uses ([\w, ]+)\.\n")
EXCEPTION = re.compile(r"^ *((?:\w+\.)+[A-Z]\w+: .+|[A-Z]\w*(?:Error|Exception): .+)$",
                       re.MULTILINE)


@dataclass
class Result:
    """What came of one submission.

    `mistakes` are the known mistakes named in it; `notes` are for a teacher to look at. `broken` is
    why it could not be read, which is its author's to mend; `failure` is why it could not be
    graded, which is not.
    """

    student: str
    slug: str
    score: float = 0.0
    max_score: float = 0.0
    mistakes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    broken: str | None = None
    failure: str | None = None


def grade(course, slug):
    """Grade every submission of an assignment again, with feedback; yield a `Result` for each.

    Raises CourseError if the assignment has not been released or nobody has handed in anything.
    A submission that fails does not stop the others.
    """
    course.require_released(slug)
    students = course.students(slug)
    if not students:
        folder = course.folder("submitted", slug, "<student>").relative_to(course.root)
        raise CourseError(f"nobody has handed in anything: put notebooks into {folder}/")
    for student in students:
        yield grade_one(course, slug, student)


def grade_one(course, slug, student):
    """Grade one submission, write its feedback, and return its `Result`."""
    folder = course.folder("submitted", slug, student)
    if not any(folder.glob("*.ipynb")):
        where = folder.relative_to(course.root)
        return Result(student, slug, failure=f"no {slug}.ipynb in {where}/")
    result = course.api.autograde(slug, student, force=True, create=True)
    if not result["success"]:
        return Result(student, slug, failure=_reason(result))
    feedback = course.api.generate_feedback(slug, student, force=True)
    found = read_result(course, slug, student)
    if not feedback["success"]:
        found.failure = _reason(feedback)
    return found


def read_result(course, slug, student):
    """The result of a submission that has been graded."""
    found = Result(student, slug)
    try:
        with course.gradebook() as gradebook:
            submission = gradebook.find_submission(slug, student)
            found.score, found.max_score = submission.score, submission.max_score
    except MissingEntry:
        found.failure = "it has no score in the gradebook"
        return found
    notebook = notebooks.read(course.notebook("autograded", slug, student))
    found.broken = next((cell.source.removeprefix(UNREADABLE).strip()
                         for cell in notebook.cells[:1] if cell.get("id") == REASON), None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            noted = NOTED.fullmatch(output.get("text", ""))
            if noted:
                found.notes.append(f"look at {_name(cell)}: it uses {noted[1]}")
            mistake = mistake_in(output)
            if mistake and cell.metadata.get("nbgrader", {}).get("grade"):
                line = f"{output.evalue.split(':')[0]}: {mistake}"
                found.mistakes += [line] if line not in found.mistakes else []
    return found


def mistake_in(output):
    """The known mistake that a test cell's output names, or None."""
    message = output.get("evalue", "").replace("\n    ", " ")  # unwrapped
    found = MISTAKE.search(message)
    return found and found[1]


def _name(cell):
    """What to call a cell."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "a cell of their own")


def _reason(result):
    """Why nbgrader failed, in one line: the exception of its last traceback."""
    said = f"{result.get('log') or ''}\n{result.get('error') or ''}".strip()
    lines = [line for line in EXCEPTION.findall(said) if "above traceback" not in line]
    return (lines or said.splitlines() or ["nbgrader gave no reason"])[-1].strip()
