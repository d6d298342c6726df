"""One submission from bytes to marks: what a worker process does, here or on another machine.

A worker needs the package and nothing of the course: a `Job` carries the released notebook, its
master copy with the hidden tests and nbgrader's configuration, a `Paper` the bytes that a student
handed in. The `Marked` that comes back is plain data; whoever asked writes it down.
"""

import contextlib
import ctypes
import functools
import hashlib
import resource
import signal
import threading
from pathlib import Path
from time import monotonic

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader import utils
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.preprocessors import AssignLatePenalties, GetGrades, SaveAutoGrades
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from autograder import notebooks, warm
from autograder.execute import TrustedExecute
from autograder.findings import findings
from autograder.hidden_tests import checks
from autograder.papers import Marked, Paper
from autograder.rebuild import Unreadable, read_bytes, rebuild, unreadable
from autograder.sandbox import GB

WARM_UP = 1  # second, after which no known mistake is tried out before it is needed
MEMORY = 4 * GB  # that a worker may allocate beyond what it has at its start
PDEATHSIG = 1
# Not parts of what marks depend on: how work is handed out, written down and told.
ELSEWHERE = {"__main__", "course", "export", "grading", "journal", "pool", "progress", "records",
             "release", "rules", "sample", "similar"}


@functools.cache
def version():
    """A digest of all that marks depend on besides the course: this package's code and torch's."""
    from importlib.metadata import version as installed

    home = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*home.glob("*.py"), home / "drivers/__init__.py",
                        home / "references/__init__.py"]):
        if path.stem not in ELSEWHERE and not path.stem.startswith("report"):
            digest.update(path.read_bytes())
    for name in ("torch", "numpy", "nbgrader", "ipython"):
        digest.update(f"{name} {installed(name)}".encode())
    return digest.hexdigest()


def references_digest(slug):
    """A digest of an assignment's references, cases, known mistakes and drivers."""
    home = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*home.glob(f"references/{slug}/**/*.py"),
                        *home.glob(f"drivers/{slug}*.py")]):
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


class _Given(GetGrades):
    """nbgrader's GetGrades, with grades from `resources` and not from a gradebook."""

    def preprocess(self, nb, resources):
        """Write scores and comments into the cells' metadata."""
        about, total, most = resources["nbgrader"], 0.0, 0.0
        for cell in nb.cells:
            nb_cell = cell.metadata.get("nbgrader")
            if not nb_cell:
                continue
            grade_id = nb_cell.get("grade_id")
            manual, extra, comment = about["kept"].get(grade_id, (None, None, None))
            if utils.is_solution(cell) or utils.is_task(cell):
                nb_cell["comment"] = comment if comment is not None else (
                    about["comments"].get(grade_id))
            if utils.is_grade(cell) or utils.is_task(cell):
                score = about["scores"].get(grade_id) if manual is None else manual
                nb_cell["score"] = 0.0 if score is None else score + (extra or 0.0)
                total, most = total + nb_cell["score"], most + nb_cell["points"]
        about |= {"score": total, "max_score": most, "late_penalty": 0}
        return nb, resources


class Marker:
    """Marks papers of one `Job`."""

    def __init__(self, job):
        import torch

        torch.set_num_threads(1)
        self.job = job
        config = Config(job.config)
        config.TrustedExecute.seed = job.seed
        self.release = nbformat.reads(job.release, as_version=4)
        self.master = nbformat.reads(job.master, as_version=4)
        self.answer_key = {c.metadata.nbgrader.grade_id: c for c in self.master.cells
                           if c.metadata.get("nbgrader", {}).get("grade_id")}
        converter = Autograde(config=config)
        self.exporter = NotebookExporter(config=converter.config)
        self.preprocessors = []
        for name in converter.autograde_preprocessors:
            made = import_item(name) if isinstance(name, str) else name
            if not issubclass(made, SaveAutoGrades | AssignLatePenalties):  # theirs is a gradebook
                self.preprocessors.append(made(parent=self.exporter))
        self.execute = next(p for p in self.preprocessors if isinstance(p, TrustedExecute))
        self.pages = self._pages(config) if job.feedback else None

    def _pages(self, config):
        """nbgrader's exporter of feedback pages, without a gradebook."""
        converter = GenerateFeedback(config=config)
        exporter = converter.exporter_class(parent=converter, config=converter.config)
        for name in converter.preprocessors:
            made = import_item(name) if isinstance(name, str) else name
            exporter.register_preprocessor(_Given if issubclass(made, GetGrades) else made)
        return exporter

    def warm_up(self):
        """Do what all papers share, as far as it can be known: a fork server is not ready at once.
        """
        until = monotonic() + WARM_UP
        judge = self.execute.judge()
        names = [name for cell in self.master.cells for name in checks(cell)]
        for name in names:
            judge.opened(name)
            judge.expected(name)
        notebooks.text(self.master)
        if self.pages:
            self._page(Paper("", b"", None, ""), self.master, {}, {})
        for name in names:
            if monotonic() < until:
                judge.expect_mistakes(name)

    def mark(self, paper):
        """Grade one paper: a `Marked`."""
        begun = monotonic()
        notebook, broken = self.rebuilt(paper)
        resources = self._resources(paper)
        for preprocessor in self.preprocessors:
            notebook, resources = preprocessor(notebook, resources)
        scores, comments = {}, {}
        for cell in notebook.cells:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if utils.is_grade(cell):
                scores[grade_id], _ = utils.determine_grade(cell)
            if utils.is_solution(cell) or utils.is_task(cell):
                same = cell.metadata.nbgrader.get("checksum") == utils.compute_checksum(cell)
                comments[grade_id] = "No response." if same and not utils.is_task(cell) else None
        text = notebooks.text(notebook)
        mistakes, notes = findings(notebook)
        lost = {_name(notebook, i): why for i, why in self.execute.lost.items()}
        page = self._page(paper, notebook, scores, comments) if self.pages else None
        return Marked(paper.student, text, page, scores, comments, mistakes, notes, broken,
                      {} if broken else lost, monotonic() - begun)

    def rebuilt(self, paper):
        """The master copy with the student's answers, and why the paper is broken or None."""
        try:
            if paper.raw is None:
                raise Unreadable(paper.reason)
            notebook, broken = rebuild(self.release, read_bytes(paper.raw)), None
        except Unreadable as error:
            notebook, broken = unreadable(self.release, str(error)), str(error)
        notebook.metadata = self.master.metadata.copy()
        for i, cell in enumerate(notebook.cells):
            own = self.answer_key.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
            if own is not None:
                notebook.cells[i] = nbformat.from_dict(own)
                if own.metadata.nbgrader.solution:
                    notebook.cells[i].source = cell.source
        return notebook, broken

    def _resources(self, paper):
        slug = self.job.slug
        about = {"student": paper.student, "assignment": slug, "notebook": slug}
        return {"unique_key": slug, "output_files_dir": f"{slug}_files", "nbgrader": about}

    def _page(self, paper, notebook, scores, comments):
        resources = self._resources(paper)
        resources["nbgrader"] |= {"scores": scores, "comments": comments, "kept": paper.kept}
        resources["metadata"] = {"name": self.job.slug}
        return self.pages.from_notebook_node(notebook, resources=resources)[0]


def _name(notebook, index):
    """What to call cell number `index`."""
    return notebook.cells[index].metadata.get("nbgrader", {}).get("grade_id") or f"cell {index + 1}"


_mine = threading.local()  # a thread's marker: it runs one notebook at a time


def marker(job):
    """This thread's `Marker` for a job."""
    if getattr(_mine, "key", None) != job.key:
        _mine.marker, _mine.key = Marker(job), job.key
    return _mine.marker


_job = None


def begin(job, forks):
    """Make this process a worker of a pool on this machine, with a fork server or None."""
    global _job
    _job = job
    ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)  # a worker does not outlive its pool
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # that is for the pool to act on
    limit_memory()
    if forks:
        warm.join(forks)
    with contextlib.suppress(Exception):  # who marks meets it again, and reports it
        marker(job).warm_up()


def limit_memory():
    """Let this process run into MemoryError before the machine runs out of memory."""
    with open("/proc/self/status") as file:
        now = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:"))
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = now + MEMORY if most == resource.RLIM_INFINITY else min(most, now + MEMORY)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


def mark(paper):
    """Grade a paper with the job that this process began with."""
    return marker(_job).mark(paper)


def mark_shard(job, papers, expected):
    """Grade several papers on another machine: [`Marked`, or the text of an error, ...].

    Raises RuntimeError where this machine's version is not the `expected` one.
    """
    mine = (version(), references_digest(job.slug))
    if mine != expected:
        raise RuntimeError("this worker has another version of autograder, torch or nbgrader than "
                           "the machine that asks; install the same on both")
    done = []
    for paper in papers:
        try:
            done.append(marker(job).mark(paper))
        except Exception as error:
            done.append(f"{type(error).__name__}: {error}")
    return done
