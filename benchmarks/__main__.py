"""Grade a class in every way there is, and print what each took, as Markdown.

README.md in this folder says what is measured, and how.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from courses import SLUG

from benchmarks import measure, mix, tables
from benchmarks.grade import Bench, BenchmarkError, check
from benchmarks.tables import Row

AUTOGRADE, FEEDBACK = ("nbgrader", "autograde", SLUG), ("nbgrader", "generate_feedback", SLUG)
GRADE = ("autograder", "grade", SLUG)
LOOK = 0.3  # seconds between two looks at the memory
QUICK = 6
BUSY = 0.2  # processors that others may keep busy before the times are suspect


class Benchmark:
    """Grades `count` submissions in each way; `rows` has what was measured, by short names."""

    def __init__(self, bench, count, stock):
        self.bench, self.count, self.stock = bench, count, stock
        self.rows, self.runs = {}, {}
        for name, words in (("stock", "stock"), ("ours", "our settings")):
            if stock or name != "stock":
                self._row(name, f"{words}: `nbgrader autograde`", AUTOGRADE)
                self._row(f"{name}+", f"{words}: `autograde`, `generate_feedback`", AUTOGRADE,
                          FEEDBACK)
        for jobs in "12":
            options = ("--jobs", jobs)
            self._row(f"plain{jobs}", f"`grade --jobs {jobs} --no-feedback`",
                      (*GRADE, *options, "--no-feedback"))
            self._row(f"grade{jobs}", f"`grade --jobs {jobs}`", (*GRADE, *options))
        self.floors, self.scores, self.others, self.unread = [], {}, [], 0

    def _row(self, name, title, *commands):
        against = "stock+" if name.endswith("+") or name.startswith("grade") else "stock"
        stock = None if name.startswith("stock") else self.rows.get(against)
        self.rows[name], self.runs[name] = Row(title, against=stock), commands

    def ours(self):
        """The short names of the rows to run, but for stock's; a row with + holds one without."""
        return ["ours+", *(name for name in self.rows if name[-1] in "12")]

    def run(self, name, count=None, memory=None):
        """Run a row once in a course of its own; return the course and what each command took."""
        count = count or self.count
        say(f"{self.rows[name].name}, {count} submissions" + (", for the memory" if memory else ""))
        stock = name.startswith("stock")
        course = self.bench.course(count, stock)
        found = [self.bench.grade(course, *command, memory=memory) for command in self.runs[name]]
        check(found[0], self.scores)
        self.others += [took.run.others for took in found if not memory]
        self.unread = max(self.unread, *(took.run.unread for took in found))
        return course, found

    def time(self, name):
        """Run a row once, and keep what it took."""
        course, found = self.run(name)
        self.rows[name].takes.append(found)
        say(f"  {' + '.join(tables.number(took.seconds) for took in found)} s each")
        if name.endswith("+"):
            self.rows[name[:-1]].takes.append(found[:1])
        if name == "ours+":
            say("the floor")
            self.floors.append(self.bench.floor(course))
        self.bench.remove(course)

    def weigh(self, name, count):
        """Run a row once for its memory."""
        course, found = self.run(name, count, LOOK)
        for short, took in ((name, found), (name[:-1], found[:1])):
            if short in self.rows:
                self.rows[short].memory = max(one.run.peak for one in took)
        self.bench.remove(course)

    def grow(self, sizes):
        """Grade classes of several sizes; return by size what it took, and again with memory."""
        takes = {}
        for size in sizes:
            for memory in (None, LOOK):
                course, found = self.run("grade2", size, memory)
                takes.setdefault(size, []).append(found[0])
                self.bench.remove(course)
        return takes

    @property
    def floor(self):
        """CPU seconds of each student's cells: the median of the times they were measured."""
        return {student: tables.median(found[student] for found in self.floors)
                for student in self.floors[0]}


def measured(base, count, sizes=(), repeats=1, stock=True, only=None):
    """Measure everything, in courses below the folder `base`; yield the Markdown as it is made."""
    whole = measure.counts_everything()
    benchmark = Benchmark(Bench(base, only), count, stock)
    for turn in range(repeats):
        for name in benchmark.ours():
            benchmark.time(name)
        if stock and turn == (repeats - 1) // 2:
            benchmark.time("stock+")
    for name in benchmark.ours() + ["stock+"] * stock:
        benchmark.weigh(name, min(count, len(mix.CLASS)) if "stock" in name else count)
    rows, floor = benchmark.rows, benchmark.floor
    each = sum(floor.values()) / len(floor)
    yield f"## {count} {only or 'mixed'} submissions"
    yield tables.machine()
    yield tables.ways(rows.values(), each, count)
    yield "### By kind of submission"
    yield tables.kinds(stock and rows["stock"].takes[0][0], rows["plain1"].takes[0][0], floor)
    takes = benchmark.grow(sizes)
    if takes:
        yield "## Growing classes: `grade --jobs 2`"
        yield tables.growth(takes)
    yield "## Targets"
    yield tables.targets(rows, each, takes)
    yield from _doubts(benchmark, whole)


def _doubts(benchmark, whole):
    """What a reader must know before believing the tables, one paragraph each."""
    honest = sum(1 for student in benchmark.floor if mix.kind(student)[0] != mix.HOSTILE)
    graders = "stock and ours" if benchmark.stock else "all of ours"
    yield f"The {honest} honest students have the same points from {graders}."
    if benchmark.count % len(mix.CLASS):
        yield (f"**The targets are for whole classes of {len(mix.CLASS)}**: among "
               f"{benchmark.count}, the slow submission has too large a part in the floor.")
    others = max(benchmark.others)
    suspect = ": **more than a quiet machine has, so the times are suspect**" * (others > BUSY)
    yield (f"Other programs kept {tables.median(benchmark.others):.2f} processors busy in the "
           f"median run and {others:.2f} in the worst{suspect}.")
    if not whole:
        yield ("**The processor times are worth nothing**: Linux does not let us count processes "
               "that nobody waits for. Run this as root, or set kernel.perf_event_paranoid to 2.")
    if benchmark.unread:
        yield (f"**Memory is too low throughout**: {benchmark.unread} processes did not show "
               "theirs. Run this as root.")


def say(text):
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)


def main(arguments=None):
    """Read the command line, measure, print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--submissions", type=int, metavar="N", help="how many; 40 if not said")
    parser.add_argument("--growth", metavar="N,N,…", help="sizes of growing classes; "
                        "100,300,1000 if not said, '' for none")
    parser.add_argument("--repeats", type=int, metavar="N",
                        help="how often to measure all but stock nbgrader; 3 if not said")
    parser.add_argument("--no-stock", action="store_true", help="leave stock nbgrader out")
    parser.add_argument("--only", choices=(mix.RIGHT, mix.WRONG, mix.UNTOUCHED, mix.SLOW),
                        help="submissions of one sort instead of the mix")
    parser.add_argument("--quick", action="store_true",
                        help=f"{QUICK} submissions, once, and no growing classes, if not said")
    options = parser.parse_args(arguments)
    count, growth, repeats = (QUICK, "", 1) if options.quick else (40, "100,300,1000", 3)
    count = count if options.submissions is None else options.submissions
    growth = growth if options.growth is None else options.growth
    repeats = repeats if options.repeats is None else options.repeats
    try:
        sizes = sorted({int(size) for size in growth.split(",") if size})
    except ValueError:
        parser.error(f"--growth is '{growth}': give whole numbers with commas between them")
    if min(count, *sizes, count) < 3 or repeats < 1:
        parser.error("give at least 3 submissions and 1 repeat")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ.pop("GRADEBOOK_URL", None)
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as base:
            for part in measured(Path(base), count, sizes, repeats, not options.no_stock,
                                 options.only):
                print(f"{part}\n", flush=True)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
