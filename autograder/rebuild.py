"""A submission made anew: the released notebook with the student's answers in it.

Of what a student hands in, only the sources of answer cells and of extra code cells count. Tags,
metadata, test cells, copies, foreign cells and the order of cells are the release's. A submission
that cannot be read becomes the untouched release, with the reason at its top.
"""

import copy
import functools
import hashlib
import json
import os
import stat
from pathlib import Path
from unittest.mock import patch

import nbformat
from nbconvert.exporters import Exporter, NotebookExporter
from nbgrader.converters import autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.utils import rmtree

from autograder import sandbox
from autograder.preprocessors import opened

LARGEST = 20_000_000  # bytes of a submitted notebook, outputs and all
MOST_CELLS, MOST_SOURCE = 5_000, 300_000  # cells, and characters in all of them
REASON = "autograder-unreadable"  # the id of the cell that holds the reason
UNREADABLE = "**This submission could not be read, so it has no points.**"
AGAIN = "Open it in Jupyter, save it, and hand it in again."


class Unreadable(Exception):
    """Why a submission cannot be read, and what its author can do, in one line."""


def read_file(path):
    """The bytes of a regular file; Unreadable for a link, a pipe, a folder or a huge file."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise Unreadable(f"There is no file called {Path(path).name}. Give your notebook this "
                         "name, and hand it in again.") from None
    except OSError:
        raise Unreadable(f"It is a link, or cannot be opened. {AGAIN}") from None
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        raise Unreadable(f"It is not a file. {AGAIN}")
    with open(descriptor, "rb") as file:
        if about.st_size > LARGEST:
            raise Unreadable(f"It is larger than {LARGEST // 10**6} MB. Clear its outputs, save "
                             "it, and hand it in again.")
        return file.read(LARGEST + 1)


def handed_in(folder, name):
    """The bytes of a file in a submission's folder; Unreadable with a reason."""
    if any(part.is_symlink() for part in (folder, folder.parent)):
        raise Unreadable(f"Its folder is a link. {AGAIN}")
    return read_file(folder / name)


def read_bytes(raw):
    """The cells of a submitted notebook as (type, source, grade_id or None).

    Reads nbformat 3 and 4 and asks for nothing more than cells with sources.
    Raises Unreadable with a reason.
    """
    try:
        notebook = json.loads(raw.decode("utf-8-sig"))
        if notebook.get("nbformat") == 3:
            sheets = notebook["worksheets"]
            cells = [{**cell, "source": cell.get("input", cell.get("source"))}
                     for sheet in sheets for cell in sheet["cells"]]
        else:
            cells = notebook["cells"]
        found = [_cell(cell) for cell in cells]
    except UnicodeDecodeError:
        raise Unreadable(f"It is not UTF-8 text. {AGAIN}") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"It is not JSON from line {error.lineno} on. {AGAIN}") from None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise Unreadable(f"It is not a notebook. {AGAIN}") from None
    if len(found) > MOST_CELLS or sum(len(source) for _, source, _ in found) > MOST_SOURCE:
        raise Unreadable(f"It holds more than {MOST_CELLS:,} cells or {MOST_SOURCE:,} characters. "
                         "Shorten it, save it, and hand it in again.")
    return found


def _cell(cell):
    """One submitted cell as (type, source, grade_id or None)."""
    source = cell["source"]
    source = source if isinstance(source, str) else "".join(source)
    metadata = cell.get("metadata")
    about = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = about.get("grade_id") if isinstance(about, dict) else None
    whole = source.encode("utf-8", "replace").decode()  # a lone surrogate cannot be saved
    return cell.get("cell_type"), whole, grade_id if isinstance(grade_id, str) else None


def rebuild(release, submitted):
    """A copy of the notebook `release` with the answers of `submitted`, cells of read_bytes.

    Extra code cells keep their place: they come right before the next cell that the release has
    too. A second copy of an answer cell is an extra cell.
    """
    notebook = copy.deepcopy(release)
    place = {_id(cell): i for i, cell in enumerate(notebook.cells) if _id(cell)}
    own = {cell.source for cell in release.cells}
    extras = {i: [] for i in range(len(notebook.cells) + 1)}
    seen, pending, last = set(), [], -1
    for kind, source, grade_id in submitted:
        at = place.get(grade_id)
        if at is not None and grade_id not in seen:
            seen.add(grade_id)
            extras[at] += pending
            pending, last = [], max(last, at)
            if notebook.cells[at].metadata.nbgrader.solution:
                notebook.cells[at].source = source
        elif kind == "code" and source.strip() and source not in own and not _locked(release, at):
            pending.append(source)
    extras[_next_test(notebook, last)] += pending
    cells = []
    for i in range(len(notebook.cells) + 1):
        for source in extras[i]:
            cells.append(nbformat.v4.new_code_cell(source, id=f"extra-{len(cells)}"))
        cells += notebook.cells[i:i + 1]
    notebook.cells = cells
    return notebook


def _id(cell):
    """A released cell's grade_id, or None."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def _locked(release, at):
    """Whether the released cell number `at` is one that students may not change."""
    return at is not None and not release.cells[at].metadata.nbgrader.solution


def _next_test(notebook, last):
    """The number of the first test after cell `last`, or of the end."""
    for i in range(last + 1, len(notebook.cells)):
        if notebook.cells[i].metadata.get("nbgrader", {}).get("grade"):
            return i
    return len(notebook.cells)


def unreadable(release, reason):
    """A copy of `release` that says at its top why the submission counts for nothing."""
    notebook = copy.deepcopy(release)
    text = f"{UNREADABLE} {reason}"
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(text, id=REASON))
    return notebook


class RebuildExporter(NotebookExporter):
    """Stands where nbgrader reads a submitted notebook, and hands it a rebuilt one.

    It also keeps the rest of a submission's files out, has a submission graded again when it has
    changed or was not finished, and stops the command where kernels can't be isolated.
    """

    def __init__(self, config=None, **kwargs):
        super().__init__(config=config, **kwargs)
        if self.config.TrustedExecute.get("sandbox", True) and (reason := sandbox.unavailable()):
            self.parent.log.error(reason)
            raise NbGraderException(reason)
        # Nothing but the notebook is taken from a submission: no links, no pipes, no modules.
        self.parent.coursedir = copy.copy(self.parent.coursedir)
        self.parent.coursedir.ignore = ["*"]
        stock_timestamp = self.parent.coursedir.get_existing_timestamp
        self.parent.coursedir.get_existing_timestamp = lambda folder: _quietly(
            stock_timestamp, folder)
        self._stock_init_destination = self.parent.init_destination
        self.parent.init_destination = self._init_destination
        self._stock_init_assignment = self.parent.init_assignment
        self.parent.init_assignment = self._init_assignment

    def _init_destination(self, assignment, student):
        """Have nbgrader grade a submission unless this very file has been graded to the end."""
        graded = Path(self.parent._format_dest(assignment, student))
        # The notebooks that were asked for, whatever lies there instead of them.
        folder = os.path.dirname(self.parent.notebooks[0])
        self.parent.notebooks = sorted(
            os.path.join(folder, path.name) for path in self._release(assignment).glob("*.ipynb"))
        for submitted in self.parent.notebooks:
            mark = graded / f"{Path(submitted).stem}.sha256"
            if graded.exists() and (not mark.is_file() or mark.read_text() != _digest(submitted)):
                rmtree(str(graded))
        return self._stock_init_destination(assignment, student)

    def _init_assignment(self, assignment, student):
        """Have nbgrader make the rows of a submission, with one gradebook instead of five."""
        with patch.object(autograde, "Gradebook", opened):
            self._stock_init_assignment(assignment, student)

    def _release(self, assignment):
        """The folder of an assignment's released notebooks."""
        directory = self.parent.coursedir
        return Path(directory.format_path(directory.release_directory, ".", assignment))

    def from_filename(self, filename, resources=None, **kwargs):
        """Read and convert a notebook; one that was handed in is rebuilt first."""
        about = resources["nbgrader"]
        graded = Path(self.parent._format_dest(about["assignment"], about["student"]))
        folder = self.parent.coursedir.format_path(
            self.parent.coursedir.submitted_directory, about["student"], about["assignment"])
        if not self.parent._sanitizing:
            result = super().from_filename(filename, resources, **kwargs)
            submitted = Path(folder) / Path(filename).name
            (graded / f"{about['notebook']}.sha256").write_text(_digest(submitted))
            return result
        graded.mkdir(parents=True, exist_ok=True)
        stamp = read_stamp(Path(folder))
        if stamp is not None:
            (graded / "timestamp.txt").write_text(stamp)
        path = self._release(about["assignment"]) / f"{about['notebook']}.ipynb"
        state = path.stat()
        release = _read_release(path, state.st_mtime_ns, state.st_size)
        try:
            raw = handed_in(Path(folder), Path(filename).name)
            notebook = rebuild(release, read_bytes(raw))
        except Unreadable as error:
            notebook = unreadable(release, str(error))
        # It is read once more and then written anew: without spaces that is quicker.
        notebook, resources = Exporter.from_notebook_node(self, notebook, resources, **kwargs)
        return f"{nbformat.writes(notebook, indent=None)}\n", resources


@functools.lru_cache(maxsize=4)
def _read_release(path, *_):
    """The notebook at `path`; what follows tells one version of the file from another."""
    return nbformat.read(path, as_version=4)


def _quietly(read, folder):
    """The time of handing in, or None where it can't be read."""
    try:
        return read(folder)
    except Exception:  # nbgrader's parser has many ways to fail
        return None


def _digest(path):
    """What tells one submitted file from another, whatever it is."""
    try:
        return hashlib.sha256(handed_in(Path(path).parent, Path(path).name)).hexdigest()
    except Unreadable as error:
        return f"unreadable: {error}"


def read_stamp(folder):
    """The text of a folder's timestamp.txt, if it is a small file of text, or None."""
    try:
        return read_file(folder / "timestamp.txt")[:100].decode()
    except (Unreadable, UnicodeDecodeError):
        return None
