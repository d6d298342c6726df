"""Where a course keeps its things, as its nbgrader_config.py says, and nbgrader's own interface."""

import warnings
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from sqlalchemy.exc import SAWarning
from traitlets.config.loader import PyFileConfigLoader

# nbgrader 0.9.6 with SQLAlchemy 2.1 warns about its own order of inserts, at every submission.
warnings.filterwarnings("ignore", category=SAWarning)

CONFIG = "nbgrader_config.py"


class CourseError(Exception):
    """Something a teacher can put right: "what is wrong: the way out", in one line."""


class Course:
    """The course in the folder `root`, which holds nbgrader_config.py.

    `sandboxed` False runs students' notebooks with the rights of whoever grades.
    Raises CourseError if there is no course in `root`.
    """

    def __init__(self, root=".", sandboxed=True):
        self.root = Path(root).resolve()
        if not (self.root / CONFIG).is_file():
            raise CourseError(f"no {CONFIG} in {self.root}: run this from the root of the course")
        config = PyFileConfigLoader(CONFIG, path=str(self.root)).load_config()
        if not sandboxed:
            config.TrustedExecute.sandbox = False
        self.config = config
        self.sandboxed = config.TrustedExecute.get("sandbox", True)
        self.warm = config.TrustedExecute.get("warm", True)
        self.api = NbGraderAPI(config=config)
        self.directory = self.api.coursedir

    def folder(self, step, slug=None, student="."):
        """The folder of one `step`: "source", "release", "submitted", "autograded" or "feedback".

        With `slug`, that of one assignment; with `student` too, of one submission.
        """
        name = getattr(self.directory, f"{step}_directory")
        return self.root / name / student / slug if slug else self.root / name

    def notebook(self, step, slug, student="."):
        """The path of an assignment's notebook at one step."""
        return self.folder(step, slug, student) / f"{slug}.ipynb"

    def journal(self, slug):
        """The path of the record of what has been graded of an assignment."""
        return self.root / "autograder" / "journal" / f"{slug}.jsonl"

    def slugs(self):
        """The assignments that have a source notebook."""
        return sorted(p.stem for p in self.folder("source").glob("*/*.ipynb")
                      if p.stem == p.parent.name)

    def students(self, slug):
        """Those who have handed in something for an assignment."""
        return sorted(p.parent.name for p in self.folder("submitted").glob(f"*/{slug}"))

    def gradebook(self):
        """nbgrader's gradebook, to be used in a ``with`` statement."""
        return Gradebook(self.directory.db_url, self.directory.course_id)

    def require(self, slug):
        """Raise CourseError unless `slug` is an assignment of this course."""
        if slug not in self.slugs():
            there_are = ", ".join(self.slugs()) or "none"
            raise CourseError(f"no assignment '{slug}' in {self.directory.source_directory}/: "
                              f"there are: {there_are}")

    def require_released(self, slug):
        """Raise CourseError unless `slug` has been released into this gradebook."""
        self.require(slug)
        way_out = f"run `python -m autograder release {slug}` first"
        if not self.notebook("release", slug).is_file():
            raise CourseError(f"{self.notebook('release', slug)} does not exist: {way_out}")
        sqlite = self.directory.db_url.removeprefix("sqlite:///")
        if sqlite != self.directory.db_url and not Path(sqlite).is_file():
            raise CourseError(f"there is no gradebook at {sqlite}: {way_out}")
        try:
            with self.gradebook() as gradebook:
                gradebook.find_assignment(slug)
        except MissingEntry:
            raise CourseError(f"the gradebook does not know '{slug}': {way_out}") from None
