"""A gradebook on PostgreSQL: a real server, started here and gone afterwards."""

import csv
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from courses import autograder, nbgrader, new_course
from nbgrader import api
from sqlalchemy import select
from test_grading import SCORES as GRADES

SLUG, COURSE = "convolution", "convnets-by-hand"  # the assignment that is graded fastest
SCORES = {student: GRADES[SLUG][student] for student in ("amina", "chidi", "emil")}
DEBIAN = "/usr/lib/postgresql"
USER = "gradebook"
TABLES = (api.Assignment, api.BaseCell, api.Grade, api.Comment, api.Student, api.SubmittedNotebook,
          api.SubmittedAssignment)


def find_programs(where=DEBIAN):
    """The folder of the newest PostgreSQL's own programs, or None."""
    folders = [path.parent for path in Path(where).glob("*/bin/pg_ctl")]
    return max(folders, key=lambda path: int(path.parent.name), default=None)


def without_postgres(environment=os.environ):
    """Skip the calling test with the reason; on a CI server, where CI is set, fail it."""
    reason = "needs PostgreSQL: apt-get install --no-install-recommends postgresql"
    if environment.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def unprivileged():
    """Arguments for `subprocess.run` that make it not root, which PostgreSQL refuses to be."""
    if os.geteuid():
        return {}
    person = pwd.getpwnam("postgres")  # Debian's package makes it
    return {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []}


class Server:
    """A PostgreSQL server in a folder of its own, which listens on a socket in that folder."""

    def __init__(self, programs):
        self.programs, self.run_as = programs, unprivileged()
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))  # pytest's own is closed to others
        if self.run_as:
            os.chown(self.folder, self.run_as["user"], self.run_as["group"])
        try:
            self._run("initdb", "--auth=trust", f"--username={USER}", "--encoding=UTF8",
                      "--locale=C", "--no-sync")
            self._run("pg_ctl", "start", "-w", "-t", "60", "-l", f"{self.folder}/log", "-o",
                      f"-c listen_addresses= -c fsync=off -c unix_socket_directories={self.folder}")
        except BaseException:
            self.stop()
            raise

    def _run(self, program, *arguments, check=True):
        run = subprocess.run([self.programs / program, *arguments, "-D", self.folder / "data"],
                             cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=120, **self.run_as)
        if check and run.returncode:
            log = self.folder / "log"
            raise RuntimeError(f"{program} failed: {run.stdout}"
                               f"{log.read_text() if log.exists() else ''}")

    def url(self, database):
        """The address of a database, as SQLAlchemy wants it."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}"

    def make(self, database):
        """Make an empty database and return its address."""
        with psycopg.connect(host=str(self.folder), user=USER, dbname="postgres",
                             autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}")
        return self.url(database)

    def stop(self):
        """End it and remove its folder."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", check=False)
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def server():
    """A server for all tests of this file."""
    programs = find_programs()
    if programs is None:
        without_postgres()
    running = Server(programs)
    yield running
    running.stop()
    assert not running.folder.exists()


def begin(folder, url):
    """A course with its gradebook at `url` and a sample class that has handed in; no marks."""
    course = new_course(folder, released=False)
    for command in ("release", "sample"):
        run = autograder(course.root, command, SLUG, GRADEBOOK_URL=url)
        assert run.returncode == 0, run.stderr
    for student in set(course.students(SLUG)) - set(SCORES):  # a few are enough
        shutil.rmtree(course.folder("submitted") / student)
    return SimpleNamespace(root=course.root, url=url)


def grade(course, *options):
    """Run our grade command; return what it shows."""
    run = autograder(course.root, "grade", SLUG, "--no-feedback", *options,
                     GRADEBOOK_URL=course.url)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def course(server, tmp_path_factory):
    """A course with its gradebook on the server, graded by our command."""
    course = begin(tmp_path_factory.mktemp("postgres"), server.make("class"))
    grade(course)
    return course


@pytest.fixture(scope="module")
def on_file(tmp_path_factory):
    """The same with SQLite."""
    folder = tmp_path_factory.mktemp("sqlite")
    course = begin(folder, f"sqlite:///{folder}/autograder/gradebook.db")
    grade(course)
    return course


def marks(course):
    """All that a gradebook has on each student, without the random names of its rows."""
    with api.Gradebook(course.url, COURSE) as gradebook:
        found = {}
        for paper in gradebook.assignment_submissions(SLUG):
            assert paper.student_id not in found
            (notebook,) = paper.notebooks
            about = (paper.score, paper.max_score, paper.timestamp, paper.late_submission_penalty,
                     notebook.score, notebook.needs_manual_grade, notebook.failed_tests)
            grades = {row.cell.name: (row.auto_score, row.manual_score, row.extra_credit,
                                      row.needs_manual_grade, row.max_score)
                      for row in notebook.grades}
            comments = {row.cell.name: (row.auto_comment, row.manual_comment)
                        for row in notebook.comments}
            assert len(grades) == len(notebook.grades) > 5
            assert len(comments) == len(notebook.comments) > 5
            found[paper.student_id] = about, grades, comments
    return found


def rows(course):
    """Every row of the tables that grading writes, to the last column."""
    with api.Gradebook(course.url, COURSE) as gradebook:
        return {table.__tablename__: sorted(map(repr, gradebook.db.execute(
            select(*table.__table__.columns)))) for table in TABLES}


def exported(course, target):
    """The score of each student as `nbgrader export` writes it."""
    run = nbgrader(course.root, "export", "--to", str(target), GRADEBOOK_URL=course.url)
    assert run.returncode == 0, run.stderr
    with open(target) as file:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}


def test_the_marks_are_those_of_sqlite(course, on_file):
    """Each score, comment and flag of each cell of each student."""
    found = marks(course)
    assert {student: about[0] for student, (about, _, _) in found.items()} == SCORES
    assert found == marks(on_file)


def test_nothing_is_kept_elsewhere(course):
    """No gradebook lies in the course's folder."""
    assert not list(course.root.rglob("*.db"))


def test_nbgrader_exports_them(course, on_file, tmp_path):
    """Stock `nbgrader export` reads the same marks from both."""
    assert exported(course, tmp_path / "a.csv") == SCORES
    assert exported(on_file, tmp_path / "b.csv") == SCORES


def test_grading_again_changes_nothing(course):
    """Not one column of one row."""
    before = rows(course)
    assert sum(map(len, before.values())) > 100
    grade(course)
    assert rows(course) == before


def test_stock_autograde_and_our_command_agree(course):
    """Graded again by either, with a score given by hand between: nothing else moves."""
    before = marks(course)
    run = nbgrader(course.root, "autograde", SLUG, "--force", GRADEBOOK_URL=course.url)
    assert run.returncode == 0, run.stderr
    assert marks(course) == before
    with api.Gradebook(course.url, COURSE) as gradebook:
        row = next(row for row in gradebook.find_submission(SLUG, "chidi").notebooks[0].grades
                   if row.auto_score == 0 and row.max_score)
        row.manual_score, name = 0.5, row.cell.name
        gradebook.db.commit()
    grade(course, "--regrade")
    after = marks(course)
    assert after["chidi"][1][name][:2] == (0, 0.5)
    assert after["chidi"][0][0] == SCORES["chidi"] + 0.5
    assert {**after, "chidi": None} == {**before, "chidi": None}


@pytest.mark.parametrize("address,words", [
    ("postgresql+psycopg://gradebook:hush@127.0.0.1:1/class", "connection"),
    ("postgresql+psycopg://gradebook@/absent?host={folder}", '"absent" does not exist'),
    ("postgresql+nothing://gradebook@/class", "postgresql.nothing"),
    ("no address", "URL"),
])
def test_a_gradebook_that_cannot_be_reached_is_one_line(server, course, address, words):
    """It says what is wrong, without the password; the exit code is 1."""
    before = rows(course)
    run = autograder(course.root, "grade", SLUG,
                     GRADEBOOK_URL=address.format(folder=server.folder))
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1 and words in run.stderr, run.stderr
    assert "hush" not in run.stderr and "Traceback" not in run.stderr
    assert rows(course) == before


def test_a_missing_server_fails_in_ci_and_skips_elsewhere(tmp_path):
    """Never skipped where the tests must have run."""
    assert find_programs(tmp_path) is None
    for version in ("9", "15"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "pg_ctl").touch()
    assert find_programs(tmp_path) == tmp_path / "15" / "bin"
    with pytest.raises(pytest.fail.Exception, match="needs PostgreSQL"):
        without_postgres({"CI": "true"})
    with pytest.raises(pytest.skip.Exception, match="needs PostgreSQL"):
        without_postgres({})
