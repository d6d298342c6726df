"""Grade a class: hand papers to workers, write down what comes back, and go on after a kill."""

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

import nbformat
from nbgrader.converters import Autograde
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from autograder import notebooks, worker
from autograder.course import CourseError
from autograder.journal import Journal
from autograder.papers import Job, Paper
from autograder.rebuild import Unreadable, handed_in, read_stamp
from autograder.records import Records

BATCH, LONGEST = 50, 1.0  # submissions, and seconds, until marks go to the gradebook
EXECUTE = "autograder.execute.TrustedExecute"


@dataclass
class Result:
    """What came of one submission.

    `mistakes` are the known mistakes named in it; `notes` are for a teacher to look at. `broken` is
    why it could not be read, which is its author's to mend; `failure` is why it could not be
    graded, which is not. `scores` are points by cell, `seconds` the time it took. `now` is False
    for what an earlier run has graded.
    """

    student: str
    slug: str
    score: float = 0.0
    max_score: float = 0.0
    mistakes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    broken: str | None = None
    failure: str | None = None
    scores: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    now: bool = True


class Grading:
    """The grading of one assignment, to be used in a ``with`` statement.

    ``results(pool)`` does the work for the students in `missing`. `regrade` does everything again.
    Raises CourseError if the assignment has not been released, nobody has handed in anything, or
    another run grades it.
    """

    def __init__(self, course, slug, regrade=False, feedback=True):
        course.require_released(slug)
        self.students = course.students(slug)
        if not self.students:
            folder = course.folder("submitted", slug, "<student>").relative_to(course.root)
            raise CourseError(f"nobody has handed in anything: put notebooks into {folder}/")
        self.course, self.slug, self.regrade, self.feedback = course, slug, regrade, feedback

    def __enter__(self):
        """Open the journal and the gradebook, and find out what has to be done."""
        with contextlib.ExitStack() as opened:
            self.journal = opened.enter_context(Journal(self.course.journal(self.slug)))
            self.records = opened.enter_context(Records(self.course, self.slug))
            self._prepare()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_):
        """Close both."""
        self._opened.close()

    def _prepare(self):
        config = self.course.config
        self.release = self.course.notebook("release", self.slug).read_text()
        self.master = master(self.course, self.slug)
        names = Autograde(config=config).autograde_preprocessors
        if EXECUTE not in names:
            raise CourseError(f"c.Autograde.autograde_preprocessors has no {EXECUTE}: put it back "
                              "into nbgrader_config.py, or use `nbgrader autograde`")
        self.most = sum(cell.metadata.nbgrader.points for cell in self._graded_cells())
        seed = config.TrustedExecute.get("seed")
        settings = json.dumps([names, config.TrustedExecute, config.Autograde, seed], default=repr,
                              sort_keys=True)
        parts = (self.release, self.master, settings, worker.version(),
                 worker.references_digest(self.slug))
        self.key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        self.missing, self.behind, self.done, self.absent = [], [], [], []
        totals = self.records.totals()
        for student in self.students:
            folder = self.course.folder("submitted", self.slug, student)
            if not any(folder.glob("*.ipynb")):
                self.absent.append(student)
                continue
            line = self.journal.lines.get(student)
            if self.regrade or not self._holds(student, line):
                self.missing.append(student)
            else:
                self.done.append(student)
                score = sum(s for s in line["scores"].values() if s is not None)
                if student not in self.journal.saved or totals.get(student) != score:
                    self.behind.append(student)

    def _graded_cells(self):
        notebook = nbformat.reads(self.master, as_version=4)
        return [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]

    def _holds(self, student, line):
        """Whether what the journal says of a student is about what there is to be graded."""
        paper = self._paper(student)
        mark = self.course.folder("autograded", self.slug, student) / f"{self.slug}.sha256"
        page = self.course.folder("feedback", self.slug, student) / f"{self.slug}.html"
        return (line is not None and line["failure"] is None
                and line["key"] == self._key(paper) and mark.is_file()
                and mark.read_text() == paper.digest
                and self.course.notebook("autograded", self.slug, student).is_file()
                and (not self.feedback or page.is_file()))

    def _key(self, paper):
        """What tells this piece of work from all others."""
        about = f"{self.key}\0{paper.digest}\0{self._stamp(paper.student)}"
        return hashlib.sha256(about.encode()).hexdigest()

    def _stamp(self, student):
        return read_stamp(self.course.folder("submitted", self.slug, student))

    def _paper(self, student, kept=None):
        """What a student handed in, as it lies there now."""
        folder = self.course.folder("submitted", self.slug, student)
        try:
            raw = handed_in(folder, f"{self.slug}.ipynb")
            return Paper(student, raw, None, hashlib.sha256(raw).hexdigest(), kept or {})
        except Unreadable as error:
            return Paper(student, None, str(error), f"unreadable: {error}", kept or {})

    def results(self, pool, jobs=1):
        """Yield a `Result` for each submission: those without a notebook, those that an earlier
        run has graded, and then those that `pool` marks, as they come.
        """
        for student in self.absent:
            where = self.course.folder("submitted", self.slug, student).relative_to(
                self.course.root)
            yield Result(student, self.slug, max_score=self.most,
                         failure=f"no {self.slug}.ipynb in {where}/")
        self._save([self.journal.lines[student] for student in self.behind])
        for student in self.done:
            yield self._result(self.journal.lines[student], now=False)
        if not self.missing:
            return
        config = self.course.config.TrustedExecute
        seed = self.journal.begin(jobs, config.get("seed"))
        job = Job(self.slug, self.release, self.master, _plain(self.course.config), seed,
                         self.feedback, f"{self.key} {seed} {self.feedback}")
        kept = self.records.kept()
        papers = (self._paper(student, kept.get(student)) for student in self.missing)
        waiting, since = [], monotonic()
        with pool.serving(job, config.get("budget", 300)):
            for paper, marked in pool.mark(papers):
                line = self._line(paper, marked)
                self.journal.add(line)
                if line["failure"] is None:
                    waiting.append(line)
                if len(waiting) >= BATCH or monotonic() - since > LONGEST:
                    self._save(waiting)
                    waiting, since = [], monotonic()
                yield self._result(line)
            self._save(waiting)
        self.journal.end()

    def _line(self, paper, marked):
        """Put a paper's files in place, and return its line for the journal."""
        line = {"student": paper.student, "slug": self.slug, "key": self._key(paper),
                "at": datetime.now(UTC).isoformat(timespec="seconds")}
        if isinstance(marked, str):
            return line | {"scores": {}, "comments": {}, "mistakes": [], "notes": [],
                           "broken": None, "failure": marked, "seconds": 0.0, "lost": {}}
        stamp = self._stamp(paper.student)
        stamped = {} if stamp is None else {"timestamp.txt": stamp}
        put(self.course.folder("autograded", self.slug, paper.student), stamped | {
            f"{self.slug}.ipynb": marked.notebook, f"{self.slug}.sha256": paper.digest}, 0o444)
        if marked.page is not None:
            put(self.course.folder("feedback", self.slug, paper.student), stamped | {
                f"{self.slug}.html": marked.page}, 0o644)
        return line | {"scores": marked.scores, "comments": marked.comments,
                       "mistakes": marked.mistakes, "notes": marked.notes,
                       "broken": marked.broken, "failure": None,
                       "seconds": round(marked.seconds, 3), "lost": marked.lost, "stamp": stamp}

    def _save(self, lines):
        """Bring lines of the journal into the gradebook; who is late gets a page with the penalty.
        """
        if not lines:
            return
        self.journal.sync()
        for student in self.records.save(lines):
            if self.feedback:
                done = self.course.api.generate_feedback(self.slug, student, force=True)
                if not done["success"]:
                    why = (done.get("error") or done.get("log") or "no reason").strip()
                    raise CourseError(f"{self.slug}: the late penalty of '{student}' is not on "
                                      f"their page ({why.splitlines()[-1]}); grade again")
        self.journal.save([line["student"] for line in lines])

    def _result(self, line, now=True):
        score = sum(s for s in line["scores"].values() if s is not None)
        return Result(line["student"], self.slug, score, self.most, line["mistakes"],
                      line["notes"], line["broken"], line["failure"], line["scores"],
                      line["seconds"], now)


def master(course, slug):
    """The released notebook with hidden tests, as nbgrader makes it of a submission; as JSON."""
    notebook = notebooks.read(course.notebook("release", slug))
    resources = {"nbgrader": {"assignment": slug, "notebook": slug, "student": "",
                              "db_url": course.directory.db_url}}
    for name in Autograde(config=course.config).sanitize_preprocessors:
        made = import_item(name) if isinstance(name, str) else name
        notebook, resources = made(config=course.config)(notebook, resources)
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT)


def put(folder, files, mode):
    """Have `folder` hold these texts and nothing else; at no moment does it hold half of them."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    new, old = (folder.with_name(f".{folder.name}.{end}") for end in ("new", "old"))
    for left in (new, old):
        if left.exists():
            shutil.rmtree(left)
    new.mkdir()
    for name, text in files.items():
        (new / name).write_text(text, encoding="utf-8")
        (new / name).chmod(mode)
    if folder.exists():
        os.rename(folder, old)
    os.rename(new, folder)
    shutil.rmtree(old, ignore_errors=True)


def _plain(config):
    """A configuration that can be sent to another process: the same, without paths of this one."""
    plain = Config({name: dict(values) for name, values in config.items()})
    plain.pop("CourseDirectory", None)
    return dict(plain)
