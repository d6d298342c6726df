"""What was measured, as Markdown."""

import os
import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median

from benchmarks import mix

MORE = 40, 15  # times stock's throughput: our own command, and nbgrader's under our settings
FLOOR = 5  # times the floor's processor time, at most
FLAT = 1.1  # times, at most, for what should not grow with the class
MB = 1e6


@dataclass
class Row:
    """One way to grade: its name, and what it took, each time that it was measured.

    Each of `takes` is a list of commands that ran one after the other. `memory` is that of a run
    of its own. `against` is the row of stock nbgrader's that does the same.
    """

    name: str
    takes: list = field(default_factory=list)
    memory: int | None = None
    against: "Row | None" = None

    def middle(self, what):
        """The median of `what(took)`, added up over the commands."""
        return median(self.each(what))

    def each(self, what):
        """`what(took)` of each time it was measured, added up over the commands."""
        return [sum(what(took) for took in commands) for commands in self.takes]

    @property
    def seconds(self):
        """Seconds of one submission more."""
        return self.middle(lambda took: took.seconds)

    @property
    def cpu(self):
        """Seconds of processor time of one submission more."""
        return self.middle(lambda took: took.cpu)

    @property
    def wall(self):
        """Seconds from the start of the command to its end."""
        return self.middle(lambda took: took.run.wall)

    def faster(self, other=None):
        """(times the throughput of another row, the same with starting up), or None."""
        other = other or self.against
        return other and (other.seconds / self.seconds, other.wall / self.wall)


def table(head, rows):
    """A Markdown table without its empty columns; the first is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    kept = [number for number in range(len(head)) if any(row[number] != "" for row in rows)]
    return "\n".join(f"| {' | '.join(str(row[number]) for number in kept)} |"
                     for row in (head, rule, *rows))


def machine():
    """One line on what this was measured on."""
    model = next((line.split(": ")[1] for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    names = ", ".join(f"{name} {version(name)}" for name in ("torch", "nbgrader", "ipykernel"))
    return (f"{os.cpu_count()} processors ({model}), Linux {platform.release()}, "
            f"Python {platform.python_version()}, {names}.")


def ways(rows, floor, count):
    """The table of the ways to grade."""
    lines = [["floor: the same cells in one warm process", number(floor), number(floor),
              f"{1 / floor:.1f}", "", "1", "", "", "", "", ""]]
    for row in rows:
        times = row.faster()
        spread = row.each(lambda took: took.seconds)
        wide = f" ({number(min(spread))}–{number(max(spread))})" if len(spread) > 1 else ""
        lines.append([
            row.name, number(row.seconds) + wide, number(row.cpu), f"{1 / row.seconds:.3g}",
            f"{times[0]:.1f}" if times else "", f"{row.cpu / floor:.1f}", f"{row.wall:.1f}",
            f"{row.middle(lambda took: took.run.cpu):.1f}", f"{count / row.wall:.3g}",
            f"{times[1]:.1f}" if times else "",
            f"{row.memory / MB:,.0f}" if row.memory else ""])
    return table(["way", "s each", "CPU s each", "each second", "× stock", "CPU × floor",
                  "whole: s", "whole: CPU s", "whole: each second", "whole: × stock", "peak MB"],
                 lines)


def kinds(stock, ours, floor):
    """The table of the kinds of submission: points, and what one takes.

    `stock` and `ours` are what two serial commands took, or None; `floor` is seconds by student.
    """
    lines, spent = [], stock and times(stock)
    for kind in dict.fromkeys(entry[:2] for entry in mix.CLASS):
        students = [student for student in floor if mix.kind(student) == kind]
        if not students:
            continue
        lines.append([
            ": ".join(kind), len(students), points(stock, students), points(ours, students),
            average(spent, students), average(_entries(ours, "seconds"), students),
            average(_entries(ours, "cpu"), students), average(floor, students)])
    return table(["submission", "how many", "points: stock", "points: ours", "s: stock",
                  "s: `--jobs 1`", "CPU s: its notebook", "floor"], lines)


def times(took):
    """Seconds by student of a serial run, for those whose predecessor was graded, too."""
    ends = sorted((end, student) for student, end in took.ends.items())
    every = sorted(took.scores)
    return {student: end - before for (before, earlier), (end, student)
            in zip(ends, ends[1:], strict=False)
            if every.index(student) == every.index(earlier) + 1}


def _entries(took, key):
    """One entry of the journal's lines, by student."""
    lines = took.journal if took else {}
    return {student: line[key] for student, line in lines.items() if line.get(key) is not None}


def points(took, students):
    """What students who handed in the same got."""
    found = {took.scores[student] for student in students} if took else ()
    return ", ".join("not graded" if score is None else f"{score:g}" for score in found)


def average(found, students):
    """The mean over those of the students who have a number."""
    numbers = [found[student] for student in students if student in (found or {})]
    return number(mean(numbers)) if numbers else ""


def number(seconds):
    """Seconds, with three digits that count."""
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.3g}"


def growth(takes):
    """The table of growing classes; `takes` has, by size, what it took, and again with memory."""
    lines, before = [], None
    for size, (timed, watched) in takes.items():
        wall, last = timed.run.wall, timed.pace(-100)
        lines.append([
            f"{size:,}", number(timed.seconds), number(timed.cpu),
            number((wall - before[1]) / (size - before[0])) if before else "",
            number(last[0]), number(last[1]), f"{wall:.1f}",
            f"{watched.run.peak / MB:,.0f}", f"{level(watched) / MB:,.0f}",
            f"{timed.sizes['.jsonl'] / 1e3:,.0f}", f"{timed.sizes['.db'] / 1e3:,.0f}"])
        before = size, wall
    return table(["submissions", "s each", "CPU s each", "s each more than above",
                  "last hundred: s each", "last hundred: CPU s each", "whole: s", "peak MB",
                  "median MB", "journal kB", "gradebook kB"], lines)


def level(took):
    """The median of the memory while submissions were graded, in bytes."""
    found = [size for when, size in took.run.memory if when > took.finished[0]]
    return median(found or [took.run.peak])


def targets(rows, floor, takes):
    """The targets, what was measured, and whether that is enough; `rows` by their short names."""
    lines = []

    def judge(what, bound, value, whole=None, least=True):
        met = value >= bound if least else value <= bound
        sign = "at least" if least else "at most"
        lines.append([what, f"{sign} {bound:g} ×", f"{value:.2f} ×",
                      f"{whole:.2f} ×" if whole else "", "met" if met else "**not met**"])

    if "stock" in rows:
        for name, other in (("plain2", "stock"), ("grade2", "stock+"), ("grade2", "stock")):
            if name in rows:
                judge(f"throughput of {rows[name].name} to {rows[other].name}", MORE[0],
                      *rows[name].faster(rows[other]))
        judge(f"throughput of {rows['ours'].name} to {rows['stock'].name}", MORE[1],
              *rows["ours"].faster(rows["stock"]))
    for name in ("plain1", "plain2", "grade2"):
        if name in rows:
            judge(f"CPU of {rows[name].name} to the floor", FLOOR, rows[name].cpu / floor,
                  least=False)
    if len(takes) > 1:
        (small, (few, low)), *_, (large, (many, high)) = takes.items()
        size = f"{large:,} submissions to {small:,}"
        judge(f"peak memory of {size}", FLAT, high.run.peak / low.run.peak, least=False)
        judge(f"seconds of each of {size}", FLAT, many.seconds / few.seconds, least=False)
        judge(f"CPU of each of {size}", FLAT, many.cpu / few.cpu, least=False)
    return table(["target", "wanted", "measured", "with starting up", ""], lines)
