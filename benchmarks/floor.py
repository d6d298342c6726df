"""The floor: the cells of graded notebooks, run one after the other in this process.

    python -m benchmarks.floor COURSE

No kernel, no sandbox, no nbgrader, nothing written: Python compiles and runs each code cell, hidden
tests included, with torch loaded, the references' answers known, and one thread. COURSE is a course
that has been graded, whose notebooks hold the tests. A notebook that is hostile would end this
process, or flood it, so a right one is run in its place. Prints JSON: student -> CPU seconds.
"""

import contextlib
import io
import json
import sys
from time import process_time

import torch
from courses import SLUG

from autograder.checking import attach
from autograder.course import Course
from autograder.verdicts import Judge
from benchmarks import mix


def sources(course, student):
    """The code cells of a student's graded notebook."""
    with open(course.notebook("autograded", SLUG, student)) as file:
        cells = json.load(file)["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def seconds(cells):
    """CPU seconds of running these cells; one that fails does not stop the others."""
    space, begun = {"__name__": "__main__"}, process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for source in cells:
            with contextlib.suppress(Exception):
                exec(compile(source, "cell", "exec"), space)
    return process_time() - begun


def main(folder):
    """Run every notebook of a course, after the first class of it for the warmth."""
    torch.set_num_threads(1)
    attach(Judge(1))
    course = Course(folder)
    students = course.students(SLUG)
    right = sources(course, students[0])
    notebooks = {student: right if mix.kind(student)[0] == mix.HOSTILE
                 else sources(course, student) for student in students}
    for student in students[:len(mix.CLASS)]:
        seconds(notebooks[student])
    json.dump({student: seconds(cells) for student, cells in notebooks.items()}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
