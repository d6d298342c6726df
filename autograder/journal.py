"""An append-only record of what has been graded, one line a submission.

A run opens with a line that has its seed, and closes with another. A submission's line is written
once its files are in place, so a killed run loses what was in flight and nothing else: the next one
goes on with the same seed. A line counts as long as its key is that of the work to be done.
"""

import fcntl
import json
import os
import secrets
from datetime import UTC, datetime
from time import monotonic

from autograder.course import CourseError


class Journal:
    """The journal of one assignment, in the file `path`; to be used in a ``with`` statement.

    `lines` maps each student to the last line about them; `saved` are those of them whose line has
    gone into the gradebook, penalty and all. Raises CourseError if somebody else writes it.
    """

    def __init__(self, path):
        self.path, self.lines, self.saved = path, {}, set()
        self.run = self.seed = None  # of the run that goes on

    def __enter__(self):
        """Lock the file and read it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(self.path, "a+b")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.file.close()
            raise CourseError(f"{self.path.name} is in use: another run grades this assignment; "
                              "wait for it, or stop it") from None
        self._cut_torn_line()
        for line in read(self.path):
            if "run" in line:
                self.run, self.seed = line["run"], line["seed"]
            elif "end" in line:
                self.run = self.seed = None
            elif "saved" in line:
                self.saved.update(line["saved"])
            elif "student" in line:
                self._take(line)
        return self

    def __exit__(self, *_):
        """Let others write it."""
        self.file.close()

    def begin(self, jobs, seed=None):
        """Go on with the run that was not finished, or open another; return the seed.

        `seed` None draws one.
        """
        self._begun = monotonic()
        if self.run is None or seed not in (None, self.seed):
            self.run = secrets.token_hex(8)
            self.seed = secrets.randbits(60) if seed is None else seed
            self._write({"run": self.run, "seed": self.seed, "jobs": jobs,
                         "begun": datetime.now(UTC).isoformat(timespec="seconds")})
        return self.seed

    def add(self, line):
        """Write the line of a submission, a dictionary with at least "student" and "key"."""
        self._take(line)
        self._write(line)

    def save(self, students):
        """Write down that the gradebook has the last lines of these students."""
        self.saved.update(students)
        self._write({"saved": list(students)})

    def _take(self, line):
        self.lines[line["student"]] = line
        self.saved.discard(line["student"])

    def sync(self):
        """Have the disk hold what was written, should the machine stop."""
        os.fsync(self.file.fileno())

    def end(self):
        """Close the run."""
        self._write({"end": self.run, "seconds": round(monotonic() - self._begun, 3)})
        self.sync()
        self.run = self.seed = None

    def _write(self, line):
        self.file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        self.file.flush()

    def _cut_torn_line(self):
        """Drop the piece of a line at the end, which a killed run has left."""
        size = self.file.seek(0, os.SEEK_END)
        end = size
        while end:
            start = max(0, end - 65536)
            self.file.seek(start)
            at = self.file.read(end - start).rfind(b"\n")
            if at >= 0:
                end = start + at + 1
                break
            end = start
        if end < size:
            self.file.truncate(end)
        self.file.seek(0, os.SEEK_END)


def read(path):
    """The lines of a journal as dictionaries; what is not one is left out. None without a file."""
    if not path.is_file():
        return
    with open(path, "rb") as file:
        for raw in file:
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield line
