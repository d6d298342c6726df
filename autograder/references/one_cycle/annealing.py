"""Annealing between two numbers: known mistakes and hidden tests."""

import math

from autograder.references import Behaviour, Mistake, Task
from autograder.references.one_cycle import functions as right


def quarter(start, end, pct):
    """A quarter of a cosine."""
    return right.lin_anneal(start, end, 1 - math.cos(math.pi * pct / 2))


def geometric(start, end, pct):
    """Equal factors instead of equal parts."""
    return start * (end / start) ** pct


def _shared(anneal):
    """The mistakes that both kinds of annealing share."""
    return [
        Mistake("start and end are swapped",
                "pct=0 is the start, pct=1 the end.",
                lambda start, end, pct: anneal(end, start, pct)),
        Mistake("pct is taken for a percentage",
                "pct runs from 0 to 1.", lambda start, end, pct: anneal(start, end, pct / 100)),
        Mistake("equal steps multiply instead of add",
                "That is exponential: the formula has no power and no exponential in it.",
                geometric),
    ]


def lin_anneal():
    """Tests of the line."""
    return Task(right.lin_anneal, {"values": _annealed()}, [
        *_shared(right.lin_anneal),
        Mistake("it is a cosine", "A line adds equal parts in equal times.", right.cos_anneal),
        Mistake("the start is not added", "At pct=0 the result is start.",
                lambda start, end, pct: (end - start) * pct),
    ])


def cos_anneal():
    """Tests of the cosine."""
    return Task(right.cos_anneal, {"values": _annealed()}, [
        *_shared(right.cos_anneal),
        Mistake("it is a line", "Half a cosine is flat at both ends.", right.lin_anneal),
        Mistake("it is a quarter of a cosine",
                "The angle goes from 0 to pi: it is flat at the end too.", quarter),
        Mistake("it is a quarter of a sine",
                "The angle goes from 0 to pi: it is flat at the start too.",
                lambda start, end, pct: right.lin_anneal(start, end, math.sin(math.pi * pct / 2))),
        Mistake("the cosine goes up and down again",
                "Half a period: the angle goes from 0 to pi, not to 2 pi.",
                lambda start, end, pct: right.cos_anneal(start, end, 2 * pct)),
    ])


def _annealed():
    return Behaviour(lambda draw: [
        (0.2, 3.0, (0.0, 0.1, 0.25, 0.5, 0.8, 1.0)), (0.9, 0.3, (0.0, 0.4, 0.7, 0.99, 1.0)),
    ], driver="one_cycle.over")
