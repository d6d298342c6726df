"""The hostile and unlucky notebooks, graded by ``nbgrader autograde`` with this course's settings.

They are graded in a few large batches, two at a time, each between two right notebooks. A case
passes when it gets what it must get, in time; both its neighbours have all points; and nothing
outside of its own folder bears its trace.
"""

import dataclasses
import multiprocessing
import re
import shutil
from concurrent.futures import ProcessPoolExecutor

import pytest
from courses import SLUG, new_course
from hostile import CASES, FULL, HONEST, run_batch

from autograder.course import Course
from autograder.release import release
from autograder.scan import NOTE

LIMIT, BUDGET = 4, 20  # seconds of a cell and of a notebook, where a case waits for them
LIMITS = f"\nc.TrustedExecute.timeout = {LIMIT}\nc.TrustedExecute.budget = {BUDGET}\n"
MEMORY = 2_000_000_000  # bytes that the grader may use, whatever it is sent
SLACK = 20  # seconds for the start of a kernel on a busy machine


def batches():
    """The cases in groups of which each is graded in one run; the slowest group first."""
    waiting = [case for case in CASES if case.limits]
    rest = [case for case in CASES if not case.limits]
    return [waiting, rest[0::3], rest[1::3], rest[2::3]]


def grade(number, template, folder):
    """Grade one group in a copy of a course, in a process of its own."""
    shutil.copytree(template, folder)
    if number == 0:
        with open(folder / "nbgrader_config.py", "a") as config:
            config.write(LIMITS)
    return run_batch(Course(folder), batches()[number], LIMIT)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A course with the assignment released and nobody's work in it."""
    course = new_course(tmp_path_factory.mktemp("template"), released=False)
    release(course, SLUG)
    return course.root


@pytest.fixture(scope="module")
def reports(template, tmp_path_factory):
    """What came of each group."""
    base = tmp_path_factory.mktemp("hostile")
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(grade, number, template, base / str(number))
                for number in range(len(batches()))]
        return [job.result() for job in jobs]


def report_of(case, reports):
    """The report of the batch that holds a case."""
    return next(report for report, batch in zip(reports, batches(), strict=True) if case in batch)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case, reports):
    """The verdict, the neighbours, the traces, the time."""
    assert list(problems(case, report_of(case, reports))) == []


def problems(case, report):
    """What is not as it must be with one case, one line each."""
    score, text = report.scores.get(case.name), report.text.get(case.name, "")
    least, most = case.score if isinstance(case.score, tuple) else (case.score, case.score)
    noted = NOTE in text
    if score is None or case.name not in report.graded:
        yield f"it was not graded; in the gradebook: {score}"
    elif not (least <= score <= most or case.or_flagged and score > most and noted):
        yield f"its score is {score}, not {case.score}"
    if case.name in report.waiting:
        yield "somebody has to mark it by hand"
    if case.says and not re.search(case.says, text):
        yield f"its graded notebook does not say '{case.says}'"
    if noted and case.row == "luck":
        yield "the teacher is asked to look at it"
    if report.seconds.get(case.name, 0) > case.seconds + SLACK:
        yield f"it took {report.seconds[case.name]:.0f} seconds, not {case.seconds}"
    yield from (line for line in report.harm if case.name in line)
    yield from (f"{student}, a neighbour, has {report.scores.get(student)}"
                for student in HONEST if report.scores.get(student) != FULL)


def test_nothing_else_is_touched(reports):
    """No trace of any case, told or untold; every run ends well, within bounds of memory."""
    assert [line for report in reports for line in report.harm] == []
    assert [report.code for report in reports] == [0] * len(reports)
    assert max(report.memory for report in reports) < MEMORY


def test_right_work_is_not_suspected(reports):
    """The teacher is not asked to look at the two right notebooks."""
    assert not any(NOTE in report.text[student] for report in reports for student in HONEST)


def test_a_fault_is_seen(reports):
    """Each of the four kinds of problem is told, where there is one."""
    case = next(case for case in CASES if case.name == "skip-tag")
    right = report_of(case, reports)
    assert list(problems(case, right)) == []
    for change in ({"scores": right.scores | {case.name: 1}},
                   {"scores": right.scores | {HONEST[1]: FULL - 1}},
                   {"harm": ["skip-tag: left a process"]}, {"graded": set()},
                   {"seconds": {case.name: 1000}}, {"waiting": {case.name}}):
        assert len(list(problems(case, dataclasses.replace(right, **change)))) == 1, change
