"""A killed run costs what was in flight: the writer is killed at every point and goes on.

The papers' marks are made up here; `tests/test_class.py` has real ones.
"""

import json
import os
import shutil
import signal
from contextlib import contextmanager

import nbformat
import pytest
from courses import copy_of, hand_in, new_course
from sqlalchemy import text

from autograder import grading, worker
from autograder.course import CourseError
from autograder.grading import Grading
from autograder.journal import Journal, read
from autograder.release import release

SLUG = "convolution"
STUDENTS = ["amina", "bo", "chidi", "dora", "emil", "farah"]
TABLES = {
    "grade": "select s.student_id, b.name, g.auto_score, g.manual_score, g.needs_manual_grade "
             "from grade g join base_cell b on g.cell_id = b.id join submitted_notebook n "
             "on g.notebook_id = n.id join submitted_assignment s on n.assignment_id = s.id",
    "comment": "select s.student_id, b.name, c.auto_comment, c.manual_comment from comment c "
               "join base_cell b on c.cell_id = b.id join submitted_notebook n "
               "on c.notebook_id = n.id join submitted_assignment s on n.assignment_id = s.id",
    "submission": "select s.student_id, s.timestamp, n.late_submission_penalty from "
                  "submitted_assignment s join submitted_notebook n on n.assignment_id = s.id",
}


class Invented:
    """A pool whose marks follow from the paper's bytes and the seed alone."""

    def __init__(self):
        self.asked = []

    @contextmanager
    def serving(self, job, seconds):
        """Keep the job."""
        self.job = job
        yield self

    def mark(self, papers):
        """Mark each paper at once; "sick" is a failure of the grader."""
        cells = [c for c in nbformat.reads(self.job.master, as_version=4).cells
                 if c.metadata.get("nbgrader", {}).get("grade")]
        for paper in papers:
            self.asked.append(paper.student)
            if paper.student == "sick":
                yield paper, "its worker died"
                continue
            scores = {c.metadata.nbgrader.grade_id: float(
                (int(paper.digest[:8], 16) + i) % 2 * c.metadata.nbgrader.points)
                for i, c in enumerate(cells)}
            notebook = json.dumps({"cells": [], "metadata": {"seed": self.job.seed,
                                                             "of": paper.digest}})
            yield paper, worker.Marked(paper.student, notebook, f"<p>{paper.digest}</p>", scores,
                                       {"conv2d": "No response."}, ["conv2d: flipped"], [], None,
                                       {}, 0.25)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A released course with a few submissions, all different."""
    course = new_course(tmp_path_factory.mktemp("journal"), released=False)
    release(course, SLUG)
    for student in STUDENTS:
        hand_in(course, student, f'{{"cells": [], "of": "{student}"}}'.encode())
    stamp = course.folder("submitted", SLUG, "bo") / "timestamp.txt"
    stamp.write_text("2026-11-01 10:00:00 UTC")
    return course


@pytest.fixture
def course(released, tmp_path):
    """A copy of it."""
    return copy_of(released, tmp_path / "course")


def run(course, seed=7, **options):
    """Grade with invented marks; return (the students who were marked, the results)."""
    pool = Invented()
    course.config.TrustedExecute.seed = seed
    with Grading(course, SLUG, **options) as work:
        results = list(work.results(pool))
    return pool.asked, results


def state(course):
    """All that grading leaves, as data that can be compared."""
    with course.gradebook() as gradebook:
        rows = {name: sorted(map(tuple, gradebook.db.execute(text(query))), key=repr)
                for name, query in TABLES.items()}
    folders = [course.folder(step) for step in ("autograded", "feedback")]
    files = {str(path.relative_to(course.root)): path.read_bytes()
             for folder in folders for path in folder.rglob("*") if path.is_file()}
    return rows, files


def lines(course):
    """The journal's lines about students."""
    return [line for line in read(course.journal(SLUG)) if "student" in line]


def count_down(monkeypatch, left):
    """Kill this process at event number `left` of those that change anything on disk."""
    def counted(function):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)
        return call

    from pathlib import Path

    from sqlalchemy.orm import Session

    for owner, name in ((Path, "write_text"), (Path, "mkdir"), (os, "rename"), (shutil, "rmtree"),
                        (Journal, "_write"), (Session, "commit"), (Session, "execute"),
                        (os, "fsync")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))


def killed_at(course, event, **options):
    """Grade in a fork that is killed at an event; return whether it came to that."""
    pid = os.fork()
    if pid == 0:
        try:
            count_down(pytest.MonkeyPatch(), [event])
            run(course, **options)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def test_killed_at_any_moment_and_run_again(released, tmp_path, monkeypatch):
    """The result is that of a run that nobody killed, and nothing is done twice."""
    monkeypatch.setattr(grading, "BATCH", 2)
    whole = copy_of(released, tmp_path / "whole")
    assert run(whole)[0] == STUDENTS
    want, points = state(whole), 0
    for event in range(1, 1000, 3):
        course = copy_of(released, tmp_path / "killed")
        if not killed_at(course, event):
            break
        points += 1
        before = [line["student"] for line in lines(course)]
        asked, results = run(course)
        assert asked == [student for student in STUDENTS if student not in before], event
        assert sorted(result.student for result in results) == STUDENTS
        assert state(course) == want, event
        assert sorted(line["student"] for line in lines(course)) == STUDENTS
        shutil.rmtree(course.root)
    assert points > 30, "it has to be killed at many points"


def test_killed_before_a_penalty(released, tmp_path, monkeypatch):
    """Who was late is late, whenever the run was killed."""
    monkeypatch.setattr(grading, "BATCH", 2)
    due = copy_of(released, tmp_path / "due")
    with open(due.root / "nbgrader_config.py", "a") as config:
        config.write('\nc.LateSubmissionPlugin.penalty_method = "zero"\n')
    with due.gradebook() as gradebook:
        gradebook.update_or_create_assignment(SLUG, duedate="2026-10-31 10:00:00 UTC")
    whole = copy_of(due, tmp_path / "whole")
    run(whole, feedback=False)
    want, points = state(whole), 0
    assert {student: bool(penalty) for student, _, penalty in want[0]["submission"]} == {
        student: student == "bo" for student in STUDENTS}
    for event in range(60, 1000, 5):
        course = copy_of(due, tmp_path / "killed")
        if not killed_at(course, event, feedback=False):
            break
        points += 1
        run(course, feedback=False)
        assert state(course) == want, event
        shutil.rmtree(course.root)
    assert points > 10, "it has to be killed at many points"


def test_killed_twice_and_with_a_secret_seed(released, tmp_path, monkeypatch):
    """Runs that go on keep the seed of the first; the next new run has another."""
    monkeypatch.setattr(grading, "BATCH", 1)
    course = copy_of(released, tmp_path / "course")
    for event in (90, 70):
        assert killed_at(course, event, seed=None)
    asked, _ = run(course, seed=None)
    assert 0 < len(asked) < len(STUDENTS)
    runs = [line for line in read(course.journal(SLUG)) if "run" in line]
    assert len(runs) == 1
    seeds = {json.loads(path.read_text())["metadata"]["seed"]
             for path in course.folder("autograded").rglob("*.ipynb")}
    assert seeds == {runs[0]["seed"]}
    run(course, seed=None, regrade=True)
    runs = [line for line in read(course.journal(SLUG)) if "run" in line]
    assert len({line["seed"] for line in runs}) == 2


def test_nothing_to_do(course):
    """A second run marks nobody, and says what the first found."""
    _, first = run(course)
    asked, second = run(course)
    assert asked == []
    assert [(r.student, r.score, r.mistakes) for r in second] == [
        (r.student, r.score, r.mistakes) for r in first]
    assert all(r.now for r in first) and not any(r.now for r in second)


@pytest.mark.parametrize("change", ["bytes", "timestamp", "notebook", "feedback", "mark"])
def test_what_has_changed_is_done_again_and_nothing_else(course, change):
    """A resubmission, a later timestamp, files that somebody deleted."""
    run(course)
    folders = {step: course.folder(step, SLUG, "chidi")
               for step in ("submitted", "autograded", "feedback")}
    if change == "bytes":
        hand_in(course, "chidi", b"{}")
    elif change == "timestamp":
        (folders["submitted"] / "timestamp.txt").write_text("2026-11-02 10:00:00 UTC")
    elif change == "notebook":
        (folders["autograded"] / f"{SLUG}.ipynb").unlink()
    elif change == "mark":
        mark = folders["autograded"] / f"{SLUG}.sha256"
        mark.chmod(0o644)
        mark.write_text("of another file")
    else:
        (folders["feedback"] / f"{SLUG}.html").unlink()
    assert run(course)[0] == ["chidi"]
    assert run(course)[0] == []


@pytest.mark.parametrize("file,touched", [
    ("references/convolution/__init__.py", True), ("references/normalization/__init__.py", False),
    ("drivers/convolution.py", True), ("drivers/receptive_fields.py", False),
    ("verdicts.py", True), ("report.py", False),
])
def test_a_changed_reference_touches_its_own_assignment(course, tmp_path, monkeypatch, file,
                                                        touched):
    """What marks depend on is graded again; what they don't is left alone."""
    package = tmp_path / "autograder"
    shutil.copytree(os.path.dirname(worker.__file__), package,
                    ignore=shutil.ignore_patterns("submitted", "autograded", "feedback"))
    monkeypatch.setattr(worker, "__file__", str(package / "worker.py"))
    worker.version.cache_clear()
    run(course)
    with open(package / file, "a") as source:
        source.write("\n# another version\n")
    worker.version.cache_clear()
    assert run(course)[0] == (STUDENTS if touched else [])
    worker.version.cache_clear()


def test_regrade_does_everything_again(course):
    """Marks that a person gave stay, and ask to be looked at."""
    run(course)
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("conv2d_bias", SLUG, SLUG, "emil")
        grade.manual_score, grade.extra_credit = 0.5, 0.25
        gradebook.find_comment("conv2d", SLUG, SLUG, "emil").manual_comment = "well done"
        gradebook.db.commit()
    asked, _ = run(course, regrade=True)
    assert asked == STUDENTS
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("conv2d_bias", SLUG, SLUG, "emil")
        assert (grade.manual_score, grade.extra_credit, grade.needs_manual_grade) == (
            0.5, 0.25, True)
        assert gradebook.find_comment("conv2d", SLUG, SLUG, "emil").comment == "well done"
    with Grading(course, SLUG) as work:
        assert work.records.kept() == {"emil": {"conv2d_bias": (0.5, 0.25, None),
                                                "conv2d": (None, None, "well done")}}


def test_a_new_gradebook_is_filled_from_the_journal(course):
    """Marks that the gradebook has lost come back without running anything."""
    run(course)
    want = state(course)
    (course.root / "autograder" / "gradebook.db").unlink()
    release(course, SLUG)
    assert run(course)[0] == []
    assert state(course) == want


def test_a_failure_of_the_grader_has_no_mark_and_is_tried_again(course):
    """It is not a zero."""
    hand_in(course, "sick", b"{}")
    asked, results = run(course)
    assert [r.failure for r in results if r.student == "sick"] == ["its worker died"]
    with course.gradebook() as gradebook:
        assert "sick" not in {s.student_id for s in gradebook.assignment_submissions(SLUG)}
    assert not course.notebook("autograded", SLUG, "sick").exists()
    assert run(course)[0] == ["sick"]


def test_a_folder_without_a_notebook(course):
    """It is told in one line, each time, and stands in no journal."""
    folder = course.folder("submitted", SLUG, "hana")
    folder.mkdir(parents=True)
    (folder / "convolution.txt").write_text("{}")
    for _ in range(2):
        asked, results = run(course)
        assert "hana" not in asked
        assert [r.failure for r in results if r.student == "hana"] == [
            "no convolution.ipynb in autograder/submitted/hana/convolution/"]
    assert "hana" not in {line["student"] for line in lines(course)}


def test_late_submissions_get_nbgraders_penalty(course):
    """A plug-in of the course's decides; here, all points."""
    course.config.AssignLatePenalties.plugin_class = "nbgrader.plugins.LateSubmissionPlugin"
    course.config.LateSubmissionPlugin.penalty_method = "zero"
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment(SLUG, duedate="2026-10-31 10:00:00 UTC")
    run(course, feedback=False)
    with course.gradebook() as gradebook:
        for student in STUDENTS:
            submission = gradebook.find_submission(SLUG, student)
            penalty = submission.late_submission_penalty or 0
            assert penalty == (submission.score if student == "bo" else 0)


def test_a_torn_line_is_dropped(course):
    """What a killed run has left of a line does not spoil the next."""
    run(course)
    with open(course.journal(SLUG), "ab") as file:
        file.write(b'{"student": "am')
    assert run(course)[0] == []
    assert course.journal(SLUG).read_bytes().endswith(b"\n")
    with Journal(course.journal(SLUG)) as journal:
        journal.add({"student": "gita", "key": "k", "failure": None})
    assert [line["student"] for line in lines(course)][-1] == "gita"


def test_two_runs_at_once(course):
    """The second is told to wait, in one line, and changes nothing."""
    run(course)
    with (Journal(course.journal(SLUG)),
          pytest.raises(CourseError, match=r"convolution\.jsonl is in use")):
        run(course)
