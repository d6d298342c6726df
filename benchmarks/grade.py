"""Grade a class in one way, in a course of its own, and say what it took."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from time import time

from courses import SLUG, new_course
from stock_comparison import copy_of, stock_course

from autograder.course import Course
from autograder.release import release
from benchmarks import ROOT, measure, mix

START, LONGEST = 600, 60  # seconds after which a command hangs: for itself, for each submission
WRITTEN = (f"autograder/*/*/{SLUG}/{SLUG}.*", "autograder/gradebook.db")


class BenchmarkError(Exception):
    """What was measured is worthless: one line that says why."""


@dataclass
class Took:
    """What one command took; `seconds` and `cpu` are those of one submission more.

    `seconds` is the time from the first finished submission to the last thing written, by the
    number of the others, and `cpu` the processor time in it: starting up is not in them. `finished`
    has the times of the clock, `ends` those at which each student's file was written, and `last`
    is that of the last of all files. `scores` are those in the gradebook, None if not graded.
    `journal` is the lines of ours, by student. `sizes` is bytes by the end of a file's name.
    """

    run: measure.Run
    finished: list
    ends: dict
    last: float
    scores: dict
    journal: dict
    seconds: float = 0.0
    cpu: float = 0.0
    sizes: dict = field(default_factory=dict)

    def pace(self, start=0):
        """(seconds, CPU seconds) of one submission more, from the finished one with this number."""
        first = self.finished[max(start, -len(self.finished))]
        done = sum(moment <= first + measure.TICK for moment in self.finished)
        others = len(self.scores) - done  # those that a grader failed at took time, too
        if others < 1:
            raise BenchmarkError("all submissions were finished at once: grade more of them")
        spent = self.run.cpu_at(self.last) - self.run.cpu_at(first)
        return (self.last - first) / others, spent / others


class Bench:
    """Makes courses with submissions in the folder `base`, all of the sort `only`, and grades."""

    def __init__(self, base, only=None):
        self.base, self.only, self.made = base, only, 0
        self.env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        (base / "ours").mkdir()
        self.ours = new_course(base / "ours", released=False)
        release(self.ours, SLUG)
        self.stock = None

    def course(self, count, stock=False):
        """A new course with `count` submissions, and nbgrader's own settings if it is `stock`."""
        folder = self.base / f"c{self.made}"
        self.made += 1
        if stock:
            self.stock = self.stock or stock_course(self.base / "stock")
            course = copy_of(self.stock, folder)
        else:
            course = Course(shutil.copytree(self.ours.root, folder))
        mix.fill(course, count, self.only)
        return course

    def grade(self, course, *command, memory=None):
        """Run ``python -m`` with this command in a course, and return what it `Took`."""
        stock = (course.root / "lib").is_dir()
        env = {**self.env, "PYTHONPATH": str(course.root / "lib")} if stock else self.env
        step = "feedback" if "generate_feedback" in command else "autograded"
        journal, lines = course.root / "autograder" / "journal" / f"{SLUG}.jsonl", Lines()
        students = course.students(SLUG)
        try:
            run = measure.run([sys.executable, "-m", *command], course.root, env,
                              START + LONGEST * len(students), lambda: lines.read(journal), memory)
        except TimeoutError as error:
            raise BenchmarkError(str(error)) from None
        if run.code and not stock:
            raise BenchmarkError(f"{' '.join(command)} failed:\n{run.log[-4000:]}")
        lines.read(journal)
        ends = {path.parent.parent.name: path.stat().st_mtime
                for path in course.folder(step).glob(f"*/{SLUG}/{SLUG}.*")}
        finished = sorted(lines.times or ends.values())
        if len(finished) < 2:
            raise BenchmarkError(f"{' '.join(command)} graded nothing:\n{run.log[-4000:]}")
        written = [path for pattern in WRITTEN for path in course.root.glob(pattern)]
        last = max(finished[-1], *(path.stat().st_mtime for path in written))
        took = Took(run, finished, ends, last, scores(course, students, ends), lines.found)
        took.seconds, took.cpu = took.pace()
        for path in (journal, course.root / "autograder" / "gradebook.db"):
            took.sizes[path.suffix] = path.stat().st_size if path.is_file() else 0
        return took

    def remove(self, course):
        """Remove a course that has been read."""
        shutil.rmtree(course.root)

    def floor(self, course):
        """CPU seconds of each student's cells in one warm process."""
        run = subprocess.run([sys.executable, "-m", "benchmarks.floor", str(course.root)], cwd=ROOT,
                             env=self.env, capture_output=True, text=True, check=False)
        if run.returncode:
            raise BenchmarkError(f"the floor could not be measured:\n{run.stderr[-4000:]}")
        return json.loads(run.stdout)


class Lines:
    """The lines of a journal, as they are written: `times` of the clock, and `found` by student."""

    def __init__(self):
        self.times, self.found, self.done = [], {}, 0

    def read(self, path):
        """Take in what has been written since the last time."""
        if not path.is_file() or path.stat().st_size == self.done:
            return
        with open(path, "rb") as file:
            file.seek(self.done)
            text = file.read()
        whole = text[:text.rfind(b"\n") + 1]
        self.done += len(whole)
        for line in map(json.loads, whole.splitlines()):
            if "student" in line:
                self.times.append(time())
                self.found[line["student"]] = line


def scores(course, students, graded):
    """The score of each student in the gradebook, or None for those who were not graded."""
    with course.gradebook() as gradebook:
        found = {s.student_id: s.score for s in gradebook.assignment_submissions(SLUG)}
    return {student: found.get(student) if student in graded else None for student in students}


def check(took, wanted):
    """Hold every honest student's score against the others' with the same answers.

    `wanted` has the score of each kind of submission, and is given those that it lacks. Raises
    BenchmarkError where one is different.
    """
    for student, score in took.scores.items():
        kind = mix.kind(student)
        if kind[0] != mix.HOSTILE and score != wanted.setdefault(kind, score):
            raise BenchmarkError(f"{student} ({kind[1]}) has {score} points, and should have "
                                 f"{wanted[kind]} as from another grader")
