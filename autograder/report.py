"""What a teacher wants to know of a class that has been graded.

`report` gathers it from the gradebook, the autograded notebooks and, if there is one, the journal;
`terminal` and `page` show it, and `write` does all of that. Nothing here loads torch.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from autograder import notebooks
from autograder import report_sources as sources
from autograder.course import CourseError
from autograder.report_page import page
from autograder.report_text import terminal
from autograder.similar import Group, similar

__all__ = ["Question", "Report", "Student", "Test", "page", "report", "terminal", "write"]


@dataclass
class Test:
    """One graded cell, and how much of its points the class has got, of submissions that could
    be read: `share` is between 0 and 1, `full` and `none` count students with all and no points.

    `name` is the behaviour, `about` the sentence that the test opens with.
    """

    cell: str
    name: str
    about: str
    points: float
    share: float = 0.0
    full: int = 0
    none: int = 0


@dataclass
class Question:
    """A function to be written, with its tests; `untouched` counts answers left as they were."""

    name: str
    tests: list[Test] = field(default_factory=list)
    points: float = 0.0
    share: float = 0.0
    full: int = 0
    none: int = 0
    untouched: int = 0


@dataclass
class Student:
    """One graded submission. `shares` maps a question to the share of its points.

    `seconds` is how long grading took, or None; `broken` says why it could not be read, or None.
    """

    name: str
    score: float
    shares: dict[str, float] = field(default_factory=dict)
    seconds: float | None = None
    broken: str | None = None
    mistakes: list[str] = field(default_factory=list)


@dataclass
class Report:
    """A class and an assignment. Pairs are (text, [student, ...]), the most frequent first.

    `failures` are (student, reason, the mark that stands or None): the grader's fault. `waiting`
    are (student, reason) of what is handed in and not graded. `unseen` names students whose
    autograded notebook can't be read. `manual` counts cells that wait for a person, `late`
    submissions with a penalty.
    """

    slug: str
    max_score: float
    questions: list[Question]
    students: list[Student]
    mistakes: list[tuple[str, list[str]]] = field(default_factory=list)
    notes: list[tuple[str, list[str]]] = field(default_factory=list)
    lost: list[tuple[str, list[str]]] = field(default_factory=list)
    alike: list[Group] = field(default_factory=list)
    failures: list[tuple[str, str, float | None]] = field(default_factory=list)
    waiting: list[tuple[str, str]] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    manual: int = 0
    late: int = 0

    @property
    def readable(self):
        """The graded submissions that could be read."""
        return [student for student in self.students if student.broken is None]

    @property
    def broken(self):
        """The graded submissions that could not be read."""
        return [student for student in self.students if student.broken is not None]

    @property
    def times(self):
        """(seconds, student) where the time is known, the slowest first."""
        return sorted(((student.seconds, student.name) for student in self.students
                       if student.seconds is not None), reverse=True)


def report(course, slug):
    """The `Report` on an assignment.

    Raises CourseError if the assignment is not released, or there is nothing to report yet.
    """
    course.require_released(slug)
    marks, lines = sources.marks(course, slug), sources.lines(course, slug)
    order, starters, known = sources.given(course, slug)
    found = Report(slug, sum(points for points, _ in marks.cells.values()),
                   _questions(marks.cells, order),
                   [Student(name, sum(points.values())) for name, points in marks.points.items()],
                   manual=marks.manual, late=marks.late)
    _add_ungraded(course, found, lines)
    answers = defaultdict(dict)
    mistakes, notes, lost = defaultdict(list), defaultdict(list), defaultdict(list)
    for student in found.students:
        graded = sources.graded(course, slug, student.name)
        if graded is None:
            found.unseen.append(student.name)
            graded = sources.Graded()
        student.broken, student.mistakes = graded.broken, graded.mistakes
        line = lines.get(student.name, {})
        if line.get("failure") is None:
            student.seconds = line.get("seconds")
        for into, texts in ((mistakes, graded.mistakes), (notes, graded.notes),
                            (lost, dict.fromkeys((line.get("lost") or {}).values()))):
            for text in texts:
                into[text].append(student.name)
        for question, source in ({} if graded.broken else graded.answers).items():
            answers[question][student.name] = source
    _rate(found, marks, starters, answers)
    found.mistakes, found.notes, found.lost = map(_by_frequency, (mistakes, notes, lost))
    found.alike = similar(answers, starters, sources.models(course, slug), known)
    return found


def _questions(cells, order):
    """The questions and tests of the graded cells, in the order of the notebook."""
    place = {name: i for i, name in enumerate(order)}
    questions = {}
    for cell in sorted(cells, key=lambda name: (place.get(name, len(place)), name)):
        points, source = cells[cell]
        function, behaviour = notebooks.checked(source) or (cell, cell)
        question = questions.setdefault(function, Question(function))
        question.tests.append(Test(cell, behaviour, notebooks.opening(source), points))
        question.points += points
    return list(questions.values())


def _add_ungraded(course, found, lines):
    """Add failures of the grader, and what waits; CourseError if there is nothing else."""
    slug, scores = found.slug, {student.name: student.score for student in found.students}
    for name, line in sorted(lines.items()):
        if line.get("failure") is not None:
            found.failures.append((name, str(line["failure"]), scores.get(name)))
    failed = {name for name, _, _ in found.failures}
    handed_in = course.students(slug)
    for name in handed_in:
        folder = course.folder("submitted", slug, name)
        if name not in scores and name not in failed:
            found.waiting.append((name, "" if any(folder.glob("*.ipynb")) else
                                  f"no {slug}.ipynb in {folder.relative_to(course.root)}/"))
    if not found.students and not found.failures:
        raise CourseError(f"nothing to report on {slug}, none of {len(handed_in)} submissions is "
                          f"graded: run `python -m autograder grade {slug}` first" if handed_in
                          else f"nothing to report on {slug}: nobody has handed in anything")


def _rate(found, marks, starters, answers):
    """Fill in the shares of points, per test and question and student."""
    readable = found.readable
    for question in found.questions:
        got = []
        for test in question.tests:
            points = [marks.points[s.name].get(test.cell, 0.0) for s in readable]
            test.share, test.full, test.none = _share(points, test.points)
            got.append(points)
        totals = [sum(parts) for parts in zip(*got, strict=True)]
        question.share, question.full, question.none = _share(totals, question.points)
        starter = starters.get(question.name)
        question.untouched = sum(source == starter for source in answers[question.name].values())
        for student, total in zip(readable, totals, strict=True):
            student.shares[question.name] = total / question.points


def _share(points, most):
    """(share of the points, how many have all, how many have none)."""
    if not points:
        return 0.0, 0, 0
    return (sum(points) / (most * len(points)), sum(p >= most for p in points),
            sum(p <= 0 for p in points))


def _by_frequency(found):
    """[(text, students)], most students first."""
    return sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))


def write(course, slugs=(), html=None, stream=None):
    """Report on assignments: one slug, several, or all that somebody has handed in.

    Writes a page for each, or one for all to the file `html`, and returns what to print on
    `stream`, by default standard output. One that can't be reported on leaves the others; raises
    CourseError if none can.
    """
    slugs = [slugs] if isinstance(slugs, str) else list(slugs)
    slugs = slugs or [slug for slug in course.slugs() if course.students(slug)]
    if not slugs:
        raise CourseError("nothing to report: nobody has handed in anything")
    reports, missing = [], []
    for slug in slugs:
        try:
            reports.append(report(course, slug))
        except CourseError as error:
            missing.append(str(error))
    if not reports:
        raise CourseError("\n".join(missing))
    folder = course.folder("autograded").parent / "report"
    targets = ({course.root / html: reports} if html else
               {folder / f"{one.slug}.html": [one] for one in reports})
    shown = [terminal(one, stream) for one in reports]
    for path, those in targets.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page(those), encoding="utf-8")
        except OSError as error:
            raise CourseError(f"{path}: cannot be written ({error.strerror}): choose another "
                              "place with --html") from None
        inside = path.is_relative_to(course.root)
        shown.append(f"page: {path.relative_to(course.root) if inside else path}")
    return "\n".join([*shown, *missing])
