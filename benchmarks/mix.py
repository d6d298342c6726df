"""The submissions that are graded: a class of twenty, again and again.

Each is a notebook of the convolution assignment. `CLASS` says which kinds there are and in which
order; the first five are one of each sort. Nobody's notebook hangs: see README.md for the reason.
"""

import itertools
import shutil

from courses import SLUG, cell
from hostile import CASES, HONEST, Place, hand_in_honest
from nbformat.v4 import new_code_cell

from autograder.sample import CLASS as SAMPLE
from autograder.sample import hand_in

RIGHT, WRONG, UNTOUCHED, SLOW, HOSTILE = "right", "wrong", "untouched", "slow", "hostile"
FINISHED = ("conv_out_size", "conv2d", "im2col", "conv2d_im2col")  # of who did the first half
FLOOD = 'for line in range(40_000):\n    print(f"line {line:5}:", "x" * 60)'  # 3 MB
ONE_BY_ONE = """                for n in range(N):
                    window = padded[n, :, rows, columns]
                    for c in range(C):
                        for a in range(kH):
                            for b in range(kW):
                                out[n, o, i, j] += window[c, a, b] * weight[o, c, a, b]"""
LOOPS = {"conv2d": ("""                window = padded[:, :, rows, columns]
                out[:, o, i, j] = (window * weight[o]).sum(dim=(1, 2, 3))""", ONE_BY_ONE)}


def _half(notebook, blank):
    """The second half is as it was released."""
    for own, old in zip(notebook.cells, blank.cells, strict=True):
        about = own.metadata.get("nbgrader", {})
        if about.get("solution") and about["grade_id"] not in FINISHED:
            own.source = old.source


def _slip(notebook, blank):
    """A bracket is missing in one answer, so its cell does not run."""
    answer = cell(notebook, "max_pool2d")
    answer.source = answer.source.replace("float(\"-inf\")", "float(\"-inf\"", 1)


def _flood(notebook, blank):
    """A cell of the student's own prints 3 MB."""
    notebook.cells.insert(4, new_code_cell(FLOOD))


# (sort, what it is, how it is made): the changes of a sample student, a function that edits the
# right notebook, or the name of a case in tests/hostile.py.
CLASS = [
    (RIGHT, "the solution's answers", {}),
    (WRONG, "the kernel is flipped", SAMPLE[SLUG]["chidi"]),
    (UNTOUCHED, "the exercise as it was released", None),
    (SLOW, "right, and conv2d is seven loops over single numbers", LOOPS),
    (HOSTILE, "ends its process in the middle of a test", "exits"),
    (RIGHT, "the solution's answers", {}),
    (WRONG, "a size is rounded up, which most functions need", SAMPLE[SLUG]["dora"]),
    (RIGHT, "the solution's answers", {}),
    (WRONG, "the first half is answered", _half),
    (WRONG, "a mean for a sum, and zeros at the border", SAMPLE[SLUG]["emil"]),
    (RIGHT, "the solution's answers", {}),
    (HOSTILE, "prints 3 MB", _flood),
    (RIGHT, "the solution's answers", {}),
    (WRONG, "strides counted twice, and overlaps overwritten", SAMPLE[SLUG]["farah"]),
    (RIGHT, "the solution's answers", {}),
    (WRONG, "a bracket is missing in one answer", _slip),
    (HOSTILE, "reads the teacher's solutions", "reads-solution"),
    (RIGHT, "right, in other ways than the solution's", "other-styles"),
    (RIGHT, "the solution's answers", {}),
    (RIGHT, "the solution's answers", {}),
]


def name(number):
    """The student with this number."""
    return f"s{number:05}"


def kind(student):
    """The (sort, what it is) of a student's submission."""
    return CLASS[int(student[1:]) % len(CLASS)][:2]


def fill(course, count, only=None):
    """Hand in `count` submissions in a released course, all of the sort `only` if that is given."""
    cases = {case.name: case for case in CASES}
    hand_in_honest(course)  # on whose notebook some of the others are based
    numbers = (n for n in itertools.count() if only in (None, CLASS[n % len(CLASS)][0]))
    for number in itertools.islice(numbers, count):
        _, _, made = CLASS[number % len(CLASS)]
        place = Place(course, name(number))
        if isinstance(made, str):
            cases[made].write(place)
        elif callable(made):
            notebook = place.right()
            made(notebook, place.blank())
            place.put(notebook)
        else:
            hand_in(course, SLUG, name(number), made)
    for student in HONEST:
        shutil.rmtree(course.folder("submitted", SLUG, student).parent)
