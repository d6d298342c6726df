"""A class graded by workers: the same marks as stock nbgrader, whatever happens to the workers."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from courses import ROOT, autograder, copy_of, exercise, hand_in, nbgrader, new_course, variables
from test_grading import SCORES
from test_journal import lines, state

from autograder import pool as pools
from autograder.__main__ import main
from autograder.course import Course, CourseError
from autograder.grading import Grading
from autograder.journal import read
from autograder.pool import Cluster, LocalPool
from autograder.progress import Meter
from autograder.release import release
from autograder.sample import CLASS
from autograder.sample import hand_in as hand_in_sample

SLUG = "convolution"
SEED = "\nc.TrustedExecute.seed = 1\n"


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A released course with a sample class, a broken notebook and a resubmission's timestamp."""
    course = new_course(tmp_path_factory.mktemp("class"), released=False)
    with open(course.root / "nbgrader_config.py", "a") as config:
        config.write(SEED)
    course = Course(course.root)
    release(course, SLUG)
    for student, bends in CLASS[SLUG].items():
        hand_in_sample(course, SLUG, student, bends)
    hand_in(course, "hana", b"{")
    stamp = course.folder("submitted", SLUG, "bo") / "timestamp.txt"
    stamp.write_text("2026-11-01 10:00:00 UTC")
    return course


@pytest.fixture(scope="module")
def stock(released, tmp_path_factory):
    """The same course graded by `nbgrader autograde` and `generate_feedback`."""
    course = copy_of(released, tmp_path_factory.mktemp("stock") / "course")
    for command in ("autograde", "generate_feedback"):
        run = nbgrader(course.root, command, SLUG)
        assert run.returncode == 0, run.stderr
    for path in course.folder("feedback").rglob("*.sha256"):  # a copy that serves nobody
        path.unlink()
    return course


@pytest.fixture
def course(released, tmp_path):
    """A copy of the released course."""
    return copy_of(released, tmp_path / "course")


def test_workers_write_what_stock_commands_write(course, stock):
    """Every row of the gradebook, every executed notebook and every page, to the byte."""
    run = autograder(course.root, "grade", SLUG, "--jobs", "2")
    assert run.returncode == 0, run.stderr
    (rows, files), (want_rows, want_files) = state(course), state(stock)
    assert rows == want_rows and len(rows["grade"]) > 300
    assert files.keys() == want_files.keys()
    different = [name for name in files if files[name] != want_files[name]]
    assert different == []
    assert "8 of 8" in run.stderr and run.stderr.count("\n") < 10
    again = autograder(course.root, "grade", SLUG, "--jobs", "1")
    assert "8 of 8 were graded before" in again.stdout and "8 of 8" not in again.stderr
    assert state(course) == (rows, files)


def test_stock_commands_go_on_where_workers_stopped(course, stock):
    """`nbgrader autograde` finds the marks there and has nothing to do; export reads them."""
    shutil.rmtree(course.folder("submitted", SLUG, "farah"))
    assert autograder(course.root, "grade", SLUG, "--no-feedback").returncode == 0
    assert not course.folder("feedback").exists()
    shutil.copytree(stock.folder("submitted", SLUG, "farah"),
                    course.folder("submitted", SLUG, "farah"))
    run = nbgrader(course.root, "autograde", SLUG)
    assert run.returncode == 0
    assert run.stderr.count("Skipping existing assignment") == 7
    rows, files = state(course)
    want_rows, want_files = state(stock)
    assert rows == want_rows
    assert files == {name: data for name, data in want_files.items() if "feedback/" not in name}


@pytest.fixture
def faulty(released, tmp_path, monkeypatch):
    """A course whose workers meet with accidents."""
    course = copy_of(released, tmp_path / "course")
    shutil.rmtree(course.folder("submitted"))
    notebook = nbformat.read(released.notebook("submitted", SLUG, "amina"), as_version=4)
    for student in ("a-right", "b-killed", "c-hangs", "d-hungry", "e-raises", "once-killed",
                    "once-hangs", "z-right"):
        hand_in(course, student, notebook)
    names = course.config.Autograde.autograde_preprocessors
    course.config.Autograde.autograde_preprocessors = ["faults.Fault", *names]
    course.config.Fault.folder = str(tmp_path)
    course.config.TrustedExecute.budget = 10
    monkeypatch.setattr(pools, "GRACE", 3)
    monkeypatch.setattr(pools, "ATTEMPTS", 2)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'tests'}")
    return course


def test_accidents_of_workers(faulty):
    """A worker that dies, hangs or runs out of memory costs its own paper at most."""
    pool = LocalPool(2)
    try:
        with Grading(faulty, SLUG, feedback=False) as work:
            found = {result.student: result for result in work.results(pool, 2)}
    finally:
        pool.close()
    right = {student for student, result in found.items() if result.score == SCORES[SLUG]["amina"]}
    assert right == {"a-right", "z-right", "once-killed", "once-hangs"}
    failures = {student: r.failure for student, r in found.items() if r.failure}
    assert failures.keys() == {"b-killed", "c-hangs", "d-hungry", "e-raises"}
    assert "died" in failures["b-killed"] and "-9" in failures["b-killed"]
    assert "hung" in failures["c-hangs"]
    assert "out of memory" in failures["d-hungry"]
    assert failures["e-raises"] == "ValueError: out of order"
    with faulty.gradebook() as gradebook:
        assert {s.student_id for s in gradebook.assignment_submissions(SLUG)} == right


def test_a_fork_server_that_dies_is_started_again(course):
    """Its end costs the papers in flight another attempt, and nothing else."""
    pool, seen = LocalPool(2), []
    try:
        with Grading(course, SLUG, feedback=False) as work:
            for result in work.results(pool, 2):
                seen.append(result)
                if len(seen) == 1:
                    pool.forks.process.kill()
    finally:
        pool.close()
    assert [r.failure for r in seen] == [None] * 8
    assert sum(r.score for r in seen) > 100


def processes(word):
    """The numbers of the processes whose command line has a word."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if word in line:
                found.append(int(entry.name))
    return found


def test_the_real_command_is_killed_and_goes_on(course, stock):
    """kill -9 in the middle: no process stays, and the next run does what was missing."""
    before = set(processes(b"zygote.py")) | set(processes(b"forkserver"))
    command = [sys.executable, "-m", "autograder", "grade", SLUG, "--jobs", "2"]
    run = subprocess.Popen(command, cwd=course.root, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, env=variables())
    until(lambda: len(lines(course)) >= 2)
    run.send_signal(signal.SIGKILL)
    run.wait()
    done = {line["student"] for line in lines(course)}
    assert 2 <= len(done) < 8
    until(lambda: not (set(processes(b"zygote.py")) | set(processes(b"forkserver"))) - before)
    again = autograder(course.root, "grade", SLUG)
    assert again.returncode == 0, again.stderr
    assert f"{len(done)} of 8 were graded before" in again.stdout
    assert state(course) == state(stock)


def until(condition, seconds=120):
    """Wait for something that must come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler and two workers in processes of their own: (address, workers)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    dask = [sys.executable, "-m", "dask"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    quiet = {"cwd": tmp_path, "env": env, "stdout": subprocess.DEVNULL,
             "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port",
                                 address.rpartition(":")[2], "--no-dashboard"], **quiet)]
    workers = [subprocess.Popen([*dask, "worker", address, "--nthreads", "1", "--no-dashboard",
                                 "--no-nanny", "--local-directory", str(tmp_path / str(i))],
                                **quiet) for i in range(2)]
    started += workers
    yield address, workers
    for process in started:
        process.kill()
        process.wait()


def test_a_cluster_grades_and_loses_a_worker(course, stock, cluster, tmp_path):
    """Two workers over TCP, one killed in the middle: the same rows, notebooks and pages."""
    address, workers = cluster
    for i in range(8):  # more papers than a shard holds for each
        shutil.copytree(course.folder("submitted", SLUG, "amina"),
                        course.folder("submitted", SLUG, f"amina-{i}"))
    pool = until_workers(address, 2)
    pool.shard = 2
    seen = []
    with Grading(course, SLUG) as work:
        for result in work.results(pool):
            seen.append(result)
            if len(seen) == 2:
                workers[0].kill()
    pool.close()
    assert sorted(r.student for r in seen) == sorted([*CLASS[SLUG], "hana"] + [
        f"amina-{i}" for i in range(8)])
    assert [r.failure for r in seen] == [None] * 16
    (rows, files), (want_rows, want_files) = state(course), state(stock)
    assert {row for row in rows["grade"] if "-" not in row[0]} == set(want_rows["grade"])
    assert {name: data for name, data in files.items() if "amina-" not in name} == want_files


def until_workers(address, count):
    """A pool on the cluster, once that many workers have come."""
    deadline = time.monotonic() + 60
    while True:
        try:
            pool = Cluster(address)
            break
        except CourseError:
            assert time.monotonic() < deadline
    pool.client.wait_for_workers(count, timeout=60)
    return pool


def test_a_cluster_that_is_not_there(course):
    """One line, exit code 1, and the journal is as it was."""
    run = autograder(course.root, "grade", SLUG, "--scheduler", "tcp://127.0.0.1:9")
    assert run.returncode == 1 and run.stderr.count("\n") == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in run.stderr
    assert not lines(course)


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_a_wrong_number_of_jobs(capsys, jobs):
    """It says what a number of jobs is."""
    with pytest.raises(SystemExit) as ended:
        main(["grade", SLUG, f"--jobs={jobs}"])
    assert ended.value.code == 2
    assert f"'{jobs}' is not a number of jobs: 1 or more" in capsys.readouterr().err


def test_a_course_without_trusted_execution(course):
    """Our command does not grade what it cannot vouch for."""
    with open(course.root / "nbgrader_config.py", "a") as config:
        config.write("\nc.Autograde.autograde_preprocessors = []\n")
    run = autograder(course.root, "grade", SLUG)
    assert run.returncode == 1 and run.stderr.count("\n") == 1
    assert "has no autograder.execute.TrustedExecute" in run.stderr


class Terminal:
    """A stream that says it is a terminal."""

    def __init__(self, tty):
        self.tty, self.text = tty, ""

    def write(self, text):
        """Keep it."""
        self.text += text

    def flush(self):
        """Nothing."""

    def isatty(self):
        """What it says."""
        return self.tty


@pytest.mark.parametrize("tty", [True, False])
def test_progress(tty, monkeypatch):
    """A bar with a rate and the time left on a terminal; lines now and then elsewhere."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("autograder.progress.EVERY", 0.05)
    stream = Terminal(tty)
    with Meter("convolution", 40, stream) as meter:
        for _ in range(40):
            time.sleep(0.005)
            meter.step()
    assert ("\x1b[" in stream.text) == tty
    if tty:
        assert "40/40" in stream.text and "/s" in stream.text
    else:
        told = stream.text.splitlines()
        assert 2 <= len(told) <= 12 and "s left" in told[0]
        assert told[-1].startswith("convolution: 40 of 40, ")


def test_the_journal_says_what_happened(course):
    """A line a submission with marks, time and reasons, between two lines of the run.

    The gradebook has them all.
    """
    notebook = exercise()
    next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id")
         == "conv_out_size").source = "import os\nos._exit(1)"
    hand_in(course, "ivo", notebook)
    for student in CLASS[SLUG]:
        if student != "chidi":
            shutil.rmtree(course.folder("submitted", SLUG, student))
    assert autograder(course.root, "grade", SLUG).returncode == 0
    told = list(read(course.journal(SLUG)))
    assert told[0].keys() == {"run", "seed", "jobs", "begun"} and "end" in told[-1]
    by = {line["student"]: line for line in told[1:-1] if "student" in line}
    assert by.keys() == {"chidi", "hana", "ivo"}
    assert {name for line in told for name in line.get("saved", ())} == by.keys()
    assert by["chidi"]["mistakes"] == ["conv2d: the kernel is flipped"]
    assert sum(by["chidi"]["scores"].values()) == 34 and by["chidi"]["seconds"] > 0
    assert "It is not JSON" in by["hana"]["broken"]
    assert "conv_out_size" in by["ivo"]["lost"] and by["ivo"]["failure"] is None
    assert json.dumps(told)
