"""The plots of a report, as SVG to be put into a page: its colours are the page's, and its texts
are texts. No pyplot, so nothing is shared with other figures of the process.
"""

import io
import math
import textwrap
import warnings
import xml.etree.ElementTree as ET
from statistics import median

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autograder.report_text import clean, count, percent, seconds

BLUE, ORANGE, GREEN, RED, GREY, INK = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#6b7280", "#1f2937")
VARIABLES = {BLUE: "--blue", ORANGE: "--orange", GREEN: "--green", RED: "--red", GREY: "--grey",
             INK: "--ink"}
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "report", "font.family": "DejaVu Sans",
         "font.size": 10, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GREY,
         "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False,
         "axes.spines.right": False, "axes.linewidth": 0.8}
WIDTH = 5.0  # inches: 480 pixels of CSS
ROW, LINE = 0.24, 0.19  # inches that a bar and a line of text take
SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
PLAIN = {"parse_math": False}  # a dollar sign is a dollar sign
STUDENTS, QUESTIONS = 40, 14  # that a heatmap can show
MISTAKES = 15


def scores(report):
    """How many students have how many points: (alternative text, draw)."""
    values = [student.score for student in report.students]

    def draw(axes):
        top = max([report.max_score, *values])
        step = max(1, math.ceil(top / 20))
        edges = [step * i - step / 2 for i in range(math.ceil(top / step) + 2)]
        axes.hist(values, edges, color=BLUE, rwidth=0.9)
        axes.axvline(median(values), color=GREY, linestyle="--")
        axes.text(median(values), 1.0, f" median {median(values):g}", va="bottom", ha="center",
                  transform=axes.get_xaxis_transform())
        axes.set(xlabel=f"points, of {report.max_score:g}", ylabel="students",
                 xlim=(edges[0], edges[-1]))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))

    alt = (f"Histogram of the points of {count(len(values), 'student')}, from {min(values):g} to "
           f"{max(values):g}; the median is {median(values):g} of {report.max_score:g}.")
    return alt, draw, 2.4


def tests(report):
    """A bar for each hidden test, as long as the share of its points."""
    rows = []  # (label, share or None for a heading)
    for question in report.questions:
        rows.append((question.name, None))
        rows += [(test.name, test.share) for test in question.tests]

    def draw(axes):
        for y, (label, share) in enumerate(rows):
            if share is None:
                axes.text(0, y + 0.1, clean(label), weight="bold", va="center", **PLAIN)
                continue
            axes.barh(y, 1, height=0.62, color=GREY, alpha=0.2)
            axes.barh(y, share, height=0.62, color=GREEN)
            axes.text(1.02, y, percent(share), va="center")
        axes.set_yticks([y for y, row in enumerate(rows) if row[1] is not None],
                        [clean(label) for label, share in rows if share is not None], **PLAIN)
        _bars(axes, len(rows), 1)

    tested = [(test.share, question.name, test.name) for question in report.questions
              for test in question.tests]
    share, question, name = min(tested)
    alt = (f"Bars for {count(len(tested), 'hidden test')}. The lowest is {clean(name)} of "
           f"{clean(question)}, with {percent(share)} of its points.")
    return alt, draw, ROW * len(rows) + 0.2


def mistakes(report):
    """How many students made each of the most frequent named mistakes."""
    rows = [("\n".join(textwrap.wrap(clean(text), 60)[:3]), len(who))
            for text, who in report.mistakes[:MISTAKES]]
    most = rows[0][1]
    heights = [2.2 + 0.9 * text.count("\n") for text, _ in rows]  # in lines of text
    ends = [sum(heights[:i + 1]) for i in range(len(heights))]

    def draw(axes):
        for (text, number), end in zip(rows, ends, strict=True):
            axes.barh(end - 0.55, number, height=0.6, color=RED)
            axes.text(0, end - 1, text, va="bottom", linespacing=1.1, **PLAIN)
            axes.text(number + most * 0.015, end - 0.55, f"{number:,}", va="center")
        axes.set_yticks([])
        _bars(axes, ends[-1], most)

    text, who = report.mistakes[0]
    alt = (f"Bars for the {count(len(rows), 'most frequent mistake')}. The longest: "
           f"{clean(text)}, {count(len(who), 'student')}.")
    return alt, draw, LINE * ends[-1] + 0.2


def heatmap(report):
    """Who got how much of each question; None if that could not be read."""
    students = sorted(report.readable, key=lambda student: (-student.score, student.name))
    questions = [question.name for question in report.questions]
    if not 2 <= len(students) <= STUDENTS or not 2 <= len(questions) <= QUESTIONS:
        return None

    def draw(axes):
        for y, student in enumerate(students):
            for x, question in enumerate(questions):
                axes.barh(y, 0.92, left=x - 0.46, height=0.88, color=BLUE,
                          alpha=0.08 + 0.92 * student.shares[question])
        axes.set_xticks(range(len(questions)), [clean(name)[:24] for name in questions],
                        rotation=50, ha="left", rotation_mode="anchor", **PLAIN)
        axes.set_yticks(range(len(students)), [clean(student.name)[:24] for student in students],
                        **PLAIN)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.set(xlim=(-0.5, len(questions) - 0.5), ylim=(len(students) - 0.5, -0.5))
        axes.spines[:].set_visible(False)

    alt = (f"A grid of {len(students)} students, those with the most points first, and "
           f"{len(questions)} questions; the stronger a field's colour, the more of the points. "
           "The table of students has the numbers.")
    return alt, draw, ROW * len(students) + 1.2


def times(report):
    """How long grading took."""
    values = [value for value, _ in report.times]
    least, most = min(values), max(values)

    def draw(axes):
        wide = least > 0 and most > 10 * median(values)
        if wide:
            edges = [least * (most / least) ** (i / 20) for i in range(21)]
            axes.set_xscale("log")
        else:
            edges = 20 if most > least else 1
        axes.hist(values, edges, color=GREY, rwidth=0.9)
        if wide:
            ticks = [10 ** power for power in range(math.floor(math.log10(least)),
                                                    math.ceil(math.log10(most)) + 1)]
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set(xlabel="seconds", ylabel="students")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))

    alt = (f"Histogram of the time that {count(len(values), 'submission')} took, from "
           f"{seconds(least)} to {seconds(most)}; the median is {seconds(median(values))}.")
    return alt, draw, 2.2


def _bars(axes, rows, most):
    """The frame of horizontal bars, of which the first is at the top."""
    axes.set(xlim=(0, 1.12 * most), ylim=(rows - 0.4, -0.6), xticks=[])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def svg(plot, name):
    """A plot, as the functions above return it, as an SVG element whose ids begin with `name`."""
    alt, draw, height = plot
    file = io.BytesIO()
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that the font has not: the reader's may have
        figure = Figure((WIDTH, height), layout="constrained")
        draw(figure.subplots())
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    root = ET.fromstring(file.getvalue())
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag == f"{SVG}metadata"]:
            parent.remove(child)
        _adapt(parent, name)
    root.attrib |= {"role": "img", "aria-label": alt}
    for key in ("width", "height"):
        root.attrib.pop(key, None)
    ET.register_namespace("", SVG[1:-1])
    ET.register_namespace("xlink", LINK[1:].split("}")[0])
    return ET.tostring(root, encoding="unicode")


def _adapt(element, name):
    """Give an element the page's colours and font, and an id that no other plot has."""
    attributes = element.attrib
    if "id" in attributes:
        attributes["id"] = f"{name}-{attributes['id']}"
    if LINK in attributes:
        attributes[LINK] = f"#{name}-{attributes[LINK][1:]}"
    if "clip-path" in attributes:
        attributes["clip-path"] = attributes["clip-path"].replace("#", f"#{name}-")
    style = attributes.get("style", "")
    for colour, variable in VARIABLES.items():
        style = style.replace(colour, f"var({variable})")
    if style:
        attributes["style"] = style.replace("'DejaVu Sans'", "inherit")
