"""The size law: known mistakes and hidden tests."""

import math

from autograder.references import Behaviour, Mistake, Task
from autograder.references.convolution import functions as right


def _size(formula):
    """The size law with another number of places for the window, refusing what does not fit."""
    def wrong(input_size, kernel_size, stride=1, padding=0, dilation=1):
        right.conv_out_size(input_size, kernel_size, stride, padding, dilation)
        return formula(input_size, kernel_size, stride, padding, dilation)
    return wrong


CONV_OUT_SIZE = [
    Mistake("the division is rounded up",
            "A window that runs over the edge does not count: divide with `//`.",
            _size(lambda n, k, s, p, d: math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1)),
    Mistake("the division is rounded to the nearest whole number",
            "A window that runs over the edge does not count: divide with `//`.",
            _size(lambda n, k, s, p, d: round((n + 2 * p - d * (k - 1) - 1) / s) + 1)),
    Mistake("the result is a float",
            "A size is a whole number: `//` gives an int, `/` does not.",
            _size(lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1)),
    Mistake("the padding is counted on one side only",
            "Padding is added on both sides: the picture grows by 2 * padding.",
            _size(lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1)),
    Mistake("the first window is forgotten (no + 1)",
            "Count fence posts: a window that can move 4 steps has 5 places.",
            _size(lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s)),
    Mistake("the dilation is ignored",
            "Spread apart, a kernel of k entries spans dilation * (k - 1) + 1 pixels.",
            _size(lambda n, k, s, p, d: (n + 2 * p - k) // s + 1)),
    Mistake("the dilated kernel spans dilation * k pixels",
            "Between k entries there are k - 1 gaps: it spans dilation * (k - 1) + 1 pixels.",
            _size(lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1)),
    Mistake("a window that does not fit is given a size",
            "Raise a ValueError when the window is larger than the padded picture.",
            lambda n, k, s=1, p=0, d=1: (n + 2 * p - d * (k - 1) - 1) // s + 1),
]


def conv_out_size():
    """Tests of the size law."""
    return Task(right.conv_out_size, {
        "formula": Behaviour(lambda draw: [
            (28, 3, 2, 1), (227, 11, 4), (32, 5, 1, 2), (7, 3, 3), (8, 3, 3), (224, 7, 2, 3),
            (9, 9),
        ]),
        "dilation": Behaviour(lambda draw: [
            (10, 3, 1, 0, 2), (15, 3, 2, 2, 3), (28, 5, 3, 4, 2), (7, 1, 1, 0, 4),
        ]),
        "refuses": Behaviour(lambda draw: [(3, 5), (4, 3, 1, 0, 2), (5, 7, 2), (2, 5, 1, 1), (5, 5),
                                               (4, 6, 1, 1)]),
    }, CONV_OUT_SIZE)
