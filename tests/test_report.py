"""The teacher's report: what it says of a class, and that nothing a student wrote can act in it."""

import copy
import io
import json
import random
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import nbformat
import pytest
from courses import ROOT, autograder, hand_in, new_course
from nbgrader.api import (
    BaseCell,
    Grade,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    new_uuid,
)
from sqlalchemy import Engine, event, insert, select
from test_browser import violations
from test_grading import MISTAKES, SCORES

from autograder import notebooks
from autograder.course import Course, CourseError
from autograder.rebuild import unreadable
from autograder.release import release
from autograder.report import report, terminal, write
from autograder.report_page import page
from autograder.scan import NOTE
from autograder.similar import HONEST

SLUG = "receptive_fields"
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "$\\frac{$",
           "[red]b[/red]", "\x1b[31mred\x1b[0m", "\u202eevil", "{{ 7*7 }}",
           "</text></svg><script>1</script>",
           "é日本🎈", "-->", "'; drop table", "%s%n"]
MISTAKE = ("{function}: wrong in 2 of 2 cases.\n  Called with x\n"
           "  This is what comes out when {name}.\n  Hint: think.")
COPIED = {
    "rf_table": '''
    rows, steps, reached, begin = [], 1, 1, 0.5
    for layer in layers:
        width = layer["dilation"] * (layer["kernel_size"] - 1)
        reached = reached + width * steps
        begin = begin + steps * (width / 2.0 - layer["padding"])
        steps *= layer["stride"]
        rows.append(dict(rf=reached, jump=steps, start=begin, size=None))
    return list(rows)
''',
    "rf_size": '''
    pixels = [0]
    for part in reversed(list(layers)):
        pixels = sorted({p * part.get("stride", 1) + k * part.get("dilation", 1)
                         for p in pixels for k in range(part["kernel_size"])})
    return pixels[-1] - pixels[0] + 1
'''}


def copied(name, starter, renamed=False):
    """An answer that is not the model's; `renamed` dresses it up."""
    body = COPIED[name]
    if renamed:
        for old, new in (("reached", "r"), ("begin", "anfang"), ("pixels", "P"), ("part", "lay")):
            body = re.sub(rf"\b{old}\b", new, body)
        body = body.replace("    return", "\n\n    # at last\n    return").replace('"', "'")
        body = body.replace(" + ", "+").replace("2.0", "2.00")
    return starter.replace("\n    raise NotImplementedError", body.rstrip())


class Synthetic:
    """A course with a class whose marks and notebooks are made, not graded."""

    template = None  # the folder of a course with one released assignment

    def __init__(self, folder):
        shutil.copytree(self.template, folder, dirs_exist_ok=True)
        self.course = Course(folder)
        self.release = notebooks.read(self.course.notebook("release", SLUG))
        self.starters = {c.grade_id: c.cell.source for c in notebooks.grade_cells(self.release)
                         if c.kind == "solution"}
        source = notebooks.read(self.course.notebook("source", SLUG))
        self.models = {c.grade_id: c.cell.source for c in notebooks.grade_cells(source)
                       if c.kind == "solution"}
        with self.course.gradebook() as gradebook:
            self.cells = dict(gradebook.db.execute(
                select(BaseCell.name, BaseCell.id).where(BaseCell.type == "GradeCell")).all())
            self.notebook, self.assignment = gradebook.db.execute(
                select(Notebook.id, Notebook.assignment_id)).one()
        self.tests = [c.grade_id for c in notebooks.grade_cells(self.release)
                      if c.kind == "test" and c.points]
        self.rows = {table: [] for table in (Student, SubmittedAssignment, SubmittedNotebook,
                                             Grade)}
        self.lines = [{"run": "1", "seed": 1, "begun": "2026-01-01T00:00:00+00:00", "jobs": 2}]

    def add(self, name, wrong=(), mistakes=(), answers=None, notes=(), broken=None, seconds=None,
            lost=None, extra=None):
        """One graded student; `mistakes` are (test, function, mistake), `notes` (cell, words)."""
        work = unreadable(self.release, broken) if broken else copy.deepcopy(self.release)
        answers = {**self.models, **(answers or {})} if not broken else {}
        said = {test: MISTAKE.format(function=function, name=mistake)
                for test, function, mistake in mistakes}
        noted = dict(notes)
        for cell in work.cells:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if grade_id in answers:
                cell.source = answers[grade_id]
            if grade_id in said:
                cell.outputs = [nbformat.v4.new_output(
                    "error", ename="CheckFailed", evalue=said[grade_id], traceback=[])]
            if grade_id in noted:
                cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=(
                    f"{NOTE}this cell uses {noted[grade_id]}.\n"))]
        if extra:
            work.cells.append(nbformat.v4.new_code_cell(extra, id="extra-1"))
        path = self.course.notebook("autograded", SLUG, name)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(work))
        self.hand_in(name)
        submission, own = new_uuid(), new_uuid()
        self.rows[Student].append({"id": name})
        self.rows[SubmittedAssignment].append({"id": submission, "student_id": name,
                                               "assignment_id": self.assignment})
        self.rows[SubmittedNotebook].append({"id": own, "assignment_id": submission,
                                             "notebook_id": self.notebook, "flagged": False})
        failed = {*wrong, *said} if not broken else set(self.tests)
        points = {cell: 0.0 if cell in failed else self.points(cell) for cell in self.cells}
        self.rows[Grade] += [{"id": new_uuid(), "cell_id": id, "notebook_id": own,
                              "auto_score": points[cell], "needs_manual_grade": False}
                             for cell, id in self.cells.items()]
        if seconds is not None:
            self.lines.append({"student": name, "slug": SLUG, "key": "k", "scores": points,
                               "failure": None, "seconds": seconds, "lost": lost or {}})

    def points(self, cell):
        """What a test is worth."""
        return next(c.points for c in notebooks.grade_cells(self.release) if c.grade_id == cell)

    def hand_in(self, name):
        """Put something into a student's folder."""
        path = self.course.notebook("submitted", SLUG, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")

    def fail(self, name, reason):
        """The grader failed on a student."""
        self.hand_in(name)
        self.lines.append({"student": name, "failure": reason, "seconds": 0.0, "scores": {}})

    def save(self, journal=True):
        """Write the gradebook and the journal, and return the course."""
        with self.course.gradebook() as gradebook:
            for table, rows in self.rows.items():
                if rows:
                    gradebook.db.execute(insert(table), rows)
            gradebook.db.commit()
        if journal:
            path = self.course.journal(SLUG)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(line) + "\n" for line in self.lines)
                            + '{"student": "torn')
        return self.course


def a_class(folder, size):
    """A synthetic class of `size`, the same in each run."""
    made, draw = Synthetic(folder), random.Random(7)
    named = {"rf_size_stride": ("rf_size", "each layer adds kernel_size - 2"),
             made.tests[-1]: ("min_layers_for_rf", "the field must be larger than the target")}
    for i in range(size):
        name, skill = f"student{i:04}", draw.random()
        seconds = draw.lognormvariate(-1, 0.5)
        if i % 100 == 50:
            made.add(name, broken="It is not JSON from line 3 on.", seconds=0.02)
            continue
        wrong = [test for place, test in enumerate(made.tests)
                 if draw.random() > skill ** (place / len(made.tests))]
        mistakes = [(test, *named[test]) for test in wrong if test in named]
        answers = {}
        if i in (3, 30, 200):
            answers = {"rf_table": copied("rf_table", made.starters["rf_table"], i == 30)}
        if i in (3, 30):
            answers["rf_size"] = copied("rf_size", made.starters["rf_size"], i == 3)
        if i % 10 == 4:
            answers["rf_size"] = made.starters["rf_size"]
        made.add(name, wrong, mistakes, answers, seconds=25.0 if i == 77 else seconds,
                 notes=[("rf_size", "gc")] if i % 60 == 5 else (),
                 lost={"rf_table": "the cell took longer than 30 seconds"} if i == 77 else None)
    made.fail("zoe", "a worker was killed: out of memory")
    made.fail("zeno", "a worker was killed: out of memory")
    made.hand_in("yet-to-come")
    return made


@pytest.fixture(scope="module", autouse=True)
def template(tmp_path_factory):
    """What synthetic courses are copies of."""
    course = new_course(tmp_path_factory.mktemp("template"), released=False)
    release(course, SLUG)
    Synthetic.template = course.root


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A course with a class of 300."""
    return a_class(tmp_path_factory.mktemp("large"), 300).save()


@pytest.fixture(scope="module")
def found(large):
    """The report on the class of 300."""
    return report(large, SLUG)


def small(folder, hostile=False):
    """A class of a dozen; `hostile` gives them names and reasons that want to be more than text."""
    made = Synthetic(folder)
    for i, text in enumerate(HOSTILE):
        name = text.replace("/", "") if hostile else f"s{i:02}"
        made.add(name, mistakes=[("rf_size_growth", "rf_size", text if hostile else "x")] * (i > 2),
                 seconds=0.1 + i, notes=[("rf_table", "gc")] if i == 1 else (),
                 lost={"rf_table": text} if hostile else None)
    made.add("broken", broken=HOSTILE[0] if hostile else "It is not a file.", seconds=0.1)
    made.fail("unlucky", HOSTILE[0] if hostile else "no memory")
    return made


def lines_of(text):
    """The lines of a text, without those that are blank."""
    return [line for line in text.split("\n") if line.strip()]


def test_a_class_of_300_is_counted_right(large, found):
    """Shares and counts are what the gradebook's rows give when they are added up here."""
    with large.gradebook() as gradebook:
        grades = [g.to_dict() for g in gradebook.db.scalars(select(Grade))
                  if g.student.id not in ("student0050", "student0150", "student0250")]
    for question in found.questions:
        for test in question.tests:
            points = [g["auto_score"] for g in grades if g["name"] == test.cell]
            assert test.share == pytest.approx(sum(points) / (test.points * 297))
            assert test.full == points.count(test.points)
            assert test.none == points.count(0.0)
            assert test.full + test.none == 297
    assert found.max_score == 27 and len(found.students) == 300
    assert sum(q.points for q in found.questions) == 27
    sizes = found.questions[0]
    assert sizes.name == "rf_size" and sizes.untouched == 30
    by_student = {}
    for grade in grades:
        by_student.setdefault(grade["student"], {})[grade["name"]] = grade["auto_score"]
    mine = [sum(points[t.cell] for t in sizes.tests) for points in by_student.values()]
    assert (sizes.full, sizes.none) == (mine.count(sizes.points), mine.count(0.0))
    assert sizes.share == pytest.approx(sum(mine) / (297 * sizes.points))
    assert {s.name: s.score for s in found.readable} == {
        name: sum(points.values()) for name, points in by_student.items()}


def test_mistakes_times_failures_and_what_waits_are_told_apart(found):
    """Each kind of thing that goes wrong is in a list of its own."""
    named = {text: len(who) for text, who in found.mistakes}
    tests = {test.cell: test for question in found.questions for test in question.tests}
    assert named == {
        "min_layers_for_rf: the field must be larger than the target":
            tests["min_layers_for_rf_refuses"].none,
        "rf_size: each layer adds kernel_size - 2": tests["rf_size_stride"].none}
    assert list(named.values()) == sorted(named.values(), reverse=True)
    assert [s.name for s in found.broken] == ["student0050", "student0150", "student0250"]
    assert found.broken[0].broken == "It is not JSON from line 3 on." and not found.broken[0].shares
    assert found.failures == [("zeno", "a worker was killed: out of memory", None),
                              ("zoe", "a worker was killed: out of memory", None)]
    assert found.waiting == [("yet-to-come", "")]
    assert found.times[0] == (25.0, "student0077") and len(found.times) == 300
    assert found.lost == [("the cell took longer than 30 seconds", ["student0077"])]
    assert found.notes == [("look at rf_size: it uses gc", [
        f"student{i:04}" for i in (5, 65, 125, 185, 245)])]


def test_answers_that_are_nearly_the_same_are_found_in_a_class(found):
    """Two who copied, one of them in disguise, and a third in one question."""
    assert {(group.students, group.questions) for group in found.alike} == {
        (("student0003", "student0030", "student0200"), ("rf_table",)),
        (("student0003", "student0030"), ("rf_size",))}
    assert all(group.similarity == 1.0 and group.tokens > 40 for group in found.alike)


def test_the_terminal_gets_a_short_plain_text_of_its_width(found, monkeypatch):
    """Not a line too long, not a control character, less than two screens for 300 students."""
    for width in (60, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        text = terminal(found, io.StringIO())
        assert max(map(len, text.split("\n"))) <= width
    assert "\x1b" not in text and "─" not in text and len(lines_of(text)) < 80
    assert "more in the page" in text and HONEST[:60] in text
    flat = " ".join(text.split())
    assert "300 submissions graded; the median is 21 of 27 points" in flat
    assert "3 could not be read" in flat and "not the students' fault" in flat
    assert "the slowest: student0077 25 s" in flat and "1 submission not graded yet" in flat


def test_a_terminal_gets_colours(found, monkeypatch):
    """Where there is a terminal, there is bold text."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = io.StringIO()
    stream.isatty = lambda: True
    assert "\x1b[1m" in terminal(found, stream)


def test_the_gradebook_is_asked_few_questions(large, tmp_path):
    """As many queries for 300 students as for a dozen."""
    asked = []

    def count(course):
        asked.clear()
        report(course, SLUG)
        return len(asked)

    listener = lambda *about: asked.append(about[2])  # noqa: E731
    event.listen(Engine, "before_cursor_execute", listener)
    try:
        assert count(large) == count(small(tmp_path).save())
    finally:
        event.remove(Engine, "before_cursor_execute", listener)
    assert sum("grade" in text and "SELECT" in text for text in asked) < 10


def test_without_a_journal_the_report_says_that_times_are_not_known(tmp_path):
    """As after `nbgrader autograde`."""
    course = small(tmp_path).save(journal=False)
    found = report(course, SLUG)
    text = terminal(found, io.StringIO())
    assert "Times are not known" in text and not found.times and not found.failures
    assert "Times are not known" in page([found]) and "Histogram of the time" not in page([found])
    assert found.waiting == [("unlucky", "")]  # nobody knows that the grader failed


def test_the_last_line_of_a_student_counts_and_a_mark_may_stand(tmp_path):
    """A failure after a mark leaves the mark; the page says so."""
    made = small(tmp_path)
    made.lines += [{"student": "s01", "failure": "killed", "seconds": 99.0, "scores": {}},
                   {"student": "unlucky", "failure": None, "seconds": 1.0, "scores": {}}]
    found = report(made.save(), SLUG)
    assert found.failures == [("s01", "killed", 27.0)]
    assert "27, from an earlier run" in terminal(found, io.StringIO())
    assert "s01" not in [student for _, student in found.times]
    assert found.waiting == [("unlucky", "")]  # no mark, whatever the journal says


def test_an_autograded_notebook_that_cannot_be_read_costs_only_itself(tmp_path):
    """Four ways to be unreadable; the marks come from the gradebook."""
    course = small(tmp_path).save()
    whole = report(course, SLUG)
    for name, raw in (("s03", b"{"), ("s04", b"[" * 100_000), ("s05", b'{"cells": 3}')):
        course.notebook("autograded", SLUG, name).write_bytes(raw)
    course.notebook("autograded", SLUG, "s06").unlink()
    found = report(course, SLUG)
    assert found.unseen == ["s03", "s04", "s05", "s06"]
    assert [s.score for s in found.students] == [s.score for s in whole.students]
    assert found.questions[1].share == whole.questions[1].share
    assert "cannot be read, so nothing but the points" in " ".join(
        terminal(found, io.StringIO()).split())


class Tags(HTMLParser):
    """What a browser would make of a page: its elements, their attributes, its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Note an element."""
        self.tags.add(tag)
        self.attributes += attributes

    def handle_data(self, data):
        """Note text."""
        self.text.append(data)


def test_nothing_that_a_student_wrote_acts_in_the_report(tmp_path):
    """Names, mistakes and reasons that are markup, escape codes, formulas or templates are text."""
    made = small(tmp_path, hostile=True)
    made.fail("late<b>", HOSTILE[7])
    found = report(made.save(), SLUG)
    text = terminal(found, io.StringIO())
    assert "\x1b" not in text and "\u202e" not in text
    assert "[red]b[red]" in text  # rich's markup is text
    seen = Tags(page([found]))
    assert not seen.tags & {"script", "img", "iframe", "object", "link", "b", "form", "a"}
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    said = " ".join(seen.text)
    for hostile in HOSTILE[:4] + HOSTILE[6:]:
        assert " ".join(hostile.split()) in said  # each as one reads it, in a mistake or a reason
    assert "?[31mred?[0m" in said and "?evil" in said
    assert all(name.replace("/", "") in said for name in HOSTILE[:4])


def test_a_page_needs_nothing_but_itself(found):
    """No address, no script, and no id twice, in a page with several plots."""
    text = page([found])
    for name, value in Tags(text).attributes:
        if name.endswith(("src", "href", "action", "data")) or name in ("style", "content"):
            assert "//" not in (value or "") and "url(http" not in (value or ""), (name, value)
    assert "@import" not in text and "<script" not in text
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids)) > 20


def test_a_heatmap_only_where_it_can_be_read(found, tmp_path):
    """Twelve students yes, three hundred no."""
    assert "Who got stuck where?" not in page([found])
    few = page([report(small(tmp_path).save(), SLUG)])
    assert "Who got stuck where?" in few and "A grid of 12 students" in few


@pytest.fixture(scope="module")
def both(found, tmp_path_factory):
    """The file of a page on two classes, a large one and a hostile one."""
    folder = tmp_path_factory.mktemp("both")
    path = folder / "page.html"
    path.write_text(page([found, report(small(folder / "few", hostile=True).save(), SLUG)]))
    return path


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 375])
def test_the_page_in_a_browser(browser, both, theme, width):
    """No request, no error, no breach of WCAG A and AA; both themes, a phone, and paper."""
    context = browser.new_context(color_scheme=theme, viewport={"width": width, "height": 900})
    tab = context.new_page()
    heard = []
    tab.on("request", lambda request: heard.append(request.url))
    tab.on("console", lambda message: heard.append(message.text))
    tab.on("dialog", lambda dialog: heard.append(dialog.message) or dialog.dismiss())
    tab.on("pageerror", lambda error: heard.append(str(error)))
    tab.goto(both.as_uri())
    assert heard == [both.as_uri()]
    assert violations(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("""() => [...document.querySelectorAll("table")].every(table =>
        table.caption && [...table.rows].every(row => row.querySelector("th[scope]")))""")
    pictures = tab.locator("svg[role=img]")
    assert pictures.count() == 9
    assert all(len(pictures.nth(i).get_attribute("aria-label")) > 40 for i in range(9))
    background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = tab.evaluate("getComputedStyle(document.querySelector('svg text')).fill")
    assert (sum(map(int, re.findall(r"\d+", background))) > 600) == (theme == "light")
    assert (sum(map(int, re.findall(r"\d+", ink))) > 600) == (theme == "dark")
    folded = tab.locator("details table").first
    assert not folded.is_visible()
    tab.emulate_media(media="print")  # on paper, what is folded is shown
    assert folded.is_visible()
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    context.close()


def test_the_command_on_an_empty_course(tmp_path):
    """One clear line, whatever is missing."""
    course = new_course(tmp_path, released=False)
    run = autograder(course.root, "report")
    assert (run.returncode, run.stdout) == (1, "") and len(lines_of(run.stderr)) == 1
    with pytest.raises(CourseError, match="nobody has handed in anything"):
        write(course)
    with pytest.raises(CourseError, match="does not exist|is no gradebook|does not know"):
        report(course, SLUG)
    made = Synthetic(tmp_path / "other")
    with pytest.raises(CourseError, match="nobody has handed in anything$"):
        report(made.course, SLUG)
    made.hand_in("early")
    with pytest.raises(CourseError, match="none of 1 submission.* is graded: run `python -m"):
        report(made.course, SLUG)


def test_the_sample_class(tmp_path):
    """From submissions through both commands to a report; each mistake is that of one student."""
    course = new_course(tmp_path, released=False)
    release(course, SLUG)
    for command in ("sample", "grade"):
        run = autograder(course.root, command, SLUG)
        assert run.returncode == 0, run.stderr
    run = autograder(course.root, "report", COLUMNS="200")
    assert run.returncode == 0, run.stderr
    found = report(course, SLUG)
    assert dict(found.mistakes) == {mistake: [student] for student, mistakes in MISTAKES[
        SLUG].items() for mistake in mistakes}
    assert {s.name: s.score for s in found.students} == SCORES[SLUG]
    assert {s.name for s in found.students} == {name for _, name in found.times}
    assert [q.untouched for q in found.questions] == [2] * 7  # bo, goran
    assert "rf_size: each layer adds kernel_size - 2" in run.stdout and not found.alike
    assert run.stdout.endswith(f"page: autograder/report/{SLUG}.html\n")
    shown = Tags((course.root / f"autograder/report/{SLUG}.html").read_text())
    assert "Who got stuck where?" in shown.text and "chidi" in shown.text


def test_all_that_failed_is_a_report_too(tmp_path):
    """A class of which nobody has a mark."""
    made = Synthetic(tmp_path)
    made.fail("zoe", "no memory")
    found = report(made.save(), SLUG)
    assert "Nobody has a mark yet." in terminal(found, io.StringIO())
    assert "no memory" in page([found]) and "<svg" not in page([found])


def test_all_that_is_broken_is_a_report_too(tmp_path):
    """A class in which nobody's notebook could be read."""
    made = Synthetic(tmp_path)
    made.add("zoe", broken="It is not a notebook.")
    found = report(made.save(), SLUG)
    assert "1 could not be read" in " ".join(terminal(found, io.StringIO()).split())
    assert "It is not a notebook." in page([found])


def test_write_puts_pages_where_it_is_told_to(tmp_path):
    """One page each, or one for all; what can't be reported on does not stop the rest."""
    course = small(tmp_path).save()
    said = write(course, SLUG)
    assert said.endswith(f"page: autograder/report/{SLUG}.html")
    release(course, "convolution")
    hand_in(course, "early", b"{}")
    said = write(course, html="all.html")
    assert "page: all.html" in said and "nothing to report on convolution" in said.split("\n")[-1]
    assert "rf_table" in (tmp_path / "all.html").read_text()
    (tmp_path / "taken").write_text("")
    with pytest.raises(CourseError, match="taken.*cannot be written .*--html"):
        write(course, SLUG, html="taken/page.html")


def test_a_report_does_not_load_torch():
    """It starts fast."""
    program = "import sys, autograder.report; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, text=True,
                         capture_output=True, check=True)
    assert run.stdout == "False\n"
