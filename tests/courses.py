"""Courses in temporary folders, for tests that release and grade."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from autograder.course import Course

ROOT = Path(__file__).resolve().parent.parent
SLUG = "convolution"


def new_course(folder, released=True):
    """A course in `folder` with this repository's configuration and notebooks, and no marks."""
    for name in ("nbgrader_config.py", "solutions") + (("exercises",) if released else ()):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    (folder / "autograder").mkdir()
    return Course(folder)


def copy_of(course, folder):
    """A copy of a course in another folder."""
    shutil.copytree(course.root, folder)
    return Course(folder)


def run(folder, *command, **environment):
    """Run a command in a course with this interpreter's programs; return the finished process."""
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, text=True,
                          capture_output=True, timeout=500, env=variables(**environment))


def variables(**more):
    """The environment of a command in a course.

    Its package is the repository's: a course's own folder `autograder` holds nothing but data.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    package = os.environ.get("PYTHONPATH") or str(ROOT)
    return {**os.environ, "PATH": path, "PYTHONPATH": package, **more}


def autograder(folder, *arguments, **environment):
    """Run ``python -m autograder`` in a course."""
    return run(folder, "autograder", *arguments, **environment)


def nbgrader(folder, *arguments, **environment):
    """Run stock ``nbgrader`` in a course."""
    return run(folder, "nbgrader", *arguments, **environment)


def exercise():
    """The student notebook of the convolution assignment."""
    return nbformat.read(ROOT / "exercises" / SLUG / f"{SLUG}.ipynb", as_version=4)


def cell(notebook, grade_id):
    """The first cell of a notebook with this grade_id."""
    return next(c for c in notebook.cells
                if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def hand_in(course, student, notebook):
    """Put a notebook, or the raw bytes of one, into a student's folder."""
    path = course.notebook("submitted", SLUG, student)
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = notebook if isinstance(notebook, bytes) else nbformat.writes(notebook).encode()
    path.write_bytes(raw)
    return path
