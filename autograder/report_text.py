"""A report as text for a terminal: short for any class, and plain where there is no terminal."""

import sys
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.similar import HONEST

TOP = 10  # rows of a table
NAMES = 6  # students in a line
QUESTIONS = 25  # rows of the table of questions


def terminal(report, stream=None):
    """The text of a `Report` for `stream`, by default standard output.

    It is as wide as the stream's terminal, or 80 columns, and has colours only on a terminal.
    """
    stream = stream or sys.stdout
    console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=False)
    with console.capture() as captured:
        for section in (_summary, _failures, _questions, _tests, _mistakes, _broken, _times,
                        _notes, _alike):
            section(console, report)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = "\n".join(line.rstrip() for line in captured.get().split("\n"))
    return text.encode(encoding, "replace").decode(encoding)


def clean(text):
    """A text that someone else wrote, on one line, without anything that steers a terminal."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(str(text).split()))


def names(students, most=NAMES):
    """The first of some names, and how many more there are."""
    more = len(students) - most
    shown = ", ".join(map(clean, students[:most]))
    return f"{shown} and {more:,} more" if more > 0 else shown


def percent(share):
    """A share as a whole percentage; 0 % and 100 % are exact."""
    whole = round(100 * share)
    if whole in (0, 100) and whole != 100 * share:
        whole = 1 if whole == 0 else 99
    return f"{whole} %"


def seconds(value):
    """A time in seconds with about two digits."""
    return f"{value:.0f} s" if value >= 10 else f"{value:.2g} s" if value >= 1 else f"{value:.2f} s"


def count(number, one, many=None):
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def headline(report):
    """The class in one sentence."""
    graded = len(report.students)
    if not graded:
        return "Nobody has a mark yet."
    scores = [student.score for student in report.students]
    full = sum(score >= report.max_score for score in scores)
    text = (f"{count(graded, 'submission')} graded; the median is {median(scores):g} of "
            f"{report.max_score:g} points, {full:,} with all points")
    return text + (f", {len(report.broken):,} could not be read." if report.broken else ".")


def remarks(report):
    """Further sentences on what the marks do not include."""
    found = []
    if report.waiting:
        why = {reason for _, reason in report.waiting if reason}
        found.append(f"{count(len(report.waiting), 'submission')} not graded yet: "
                     f"{names([student for student, _ in report.waiting])}"
                     f"{' (' + clean(min(why)) + ')' if why else ''}.")
    if report.manual:
        found.append(f"{count(report.manual, 'cell')} to be graded by hand.")
    if report.late:
        found.append(f"{count(report.late, 'submission')} with a penalty for being late; the "
                     "points here are those before it.")
    if report.unseen:
        found.append(f"The autograded notebook cannot be read, so nothing but the points is known: "
                     f"{names(report.unseen)}.")
    return found


def times(report):
    """How long grading took, in a sentence."""
    slow = report.times
    if not slow:
        return "Times are not known: python -m autograder grade keeps a journal of them."
    known = "" if len(slow) == len(report.students) else f" of {len(slow):,} whose time is known"
    slowest = ", ".join(f"{clean(name)} {seconds(value)}" for value, name in slow[:3])
    return (f"A submission took {seconds(median(value for value, _ in slow))} (median{known}); "
            f"the slowest: {slowest}.")


def _summary(console, report):
    console.print(Text(f"\n{clean(report.slug)}", style="bold"))
    for line in (headline(report), *remarks(report)):
        console.print(Text(line))


def _table(console, title, columns, rows, most=TOP):
    """Print the first rows of a table; a column is (heading, "left" or "right")."""
    rows = list(rows)
    if not rows:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    if not console.is_terminal:
        table.box = None
    for heading, justify in columns:
        table.add_column(heading, justify=justify, overflow="fold",
                         no_wrap=justify == "right")
    for row in rows[:most]:
        table.add_row(*(Text(clean(item)) for item in row))
    console.print(Text(f"\n{title}", style="bold"))
    console.print(table)
    if len(rows) > most:
        console.print(Text(f"{len(rows) - most:,} more in the page"))


def _failures(console, report):
    _table(console, "The grader failed here; it is not the students' fault",
           [("student", "left"), ("reason", "left"), ("mark", "left")],
           [(student, reason, "none" if mark is None else f"{mark:g}, from an earlier run")
            for student, reason, mark in report.failures])


def _questions(console, report):
    if report.readable:
        _table(console, "Which questions were hard?",
               [("question", "left"), ("points got", "right"), ("all", "right"),
                ("none", "right"), ("untouched", "right")],
               [(q.name, percent(q.share), f"{q.full:,}", f"{q.none:,}", f"{q.untouched:,}")
                for q in report.questions], QUESTIONS)


def hardest(report):
    """(question, test) of the tests at which somebody lost points, the hardest first."""
    tests = [(question, test) for question in report.questions for test in question.tests
             if test.share < 1]
    return sorted(tests, key=lambda pair: pair[1].share) if report.readable else []


def _tests(console, report):
    _table(console, "Which hidden tests were hard?",
           [("test", "left"), ("points got", "right"), ("all", "right"), ("none", "right")],
           [(f"{question.name}: {test.about or test.name}", percent(test.share),
             f"{test.full:,}", f"{test.none:,}") for question, test in hardest(report)])


def _mistakes(console, report):
    _table(console, "Which known mistakes were made?",
           [("students", "right"), ("mistake", "left"), ("who", "left")],
           [(f"{len(who):,}", mistake, names(who, 3)) for mistake, who in report.mistakes])


def _broken(console, report):
    _table(console, "Which submissions could not be read?",
           [("student", "left"), ("reason", "left")],
           [(student.name, student.broken) for student in report.broken])


def _times(console, report):
    console.print()
    console.print(Text(times(report)))
    _table(console, "Where did a cell come to no result?",
           [("students", "right"), ("reason", "left"), ("who", "left")],
           [(f"{len(who):,}", reason, names(who, 3)) for reason, who in report.lost])


def _notes(console, report):
    _table(console, "Which forbidden functions are worth a look?",
           [("students", "right"), ("note", "left"), ("who", "left")],
           [(f"{len(who):,}", note, names(who, 3)) for note, who in report.notes])


def _alike(console, report):
    _table(console, "Which answers are nearly the same?",
           [("students", "left"), ("questions", "left"), ("alike", "right")],
           [(names(group.students), ", ".join(group.questions), percent(group.similarity))
            for group in report.alike])
    if report.alike:
        console.print(Text(HONEST))
