"""Workers of one machine run their notebooks in turn."""

import select
import subprocess
import sys

import pytest
from courses import variables

WORKER = """
import sys
from autograder import turns
turns.take_seat(sys.argv[1], int(sys.argv[2]))
print("seated", flush=True)
with turns.turn():
    print("in", flush=True)
    sys.stdin.read()
print("out", flush=True)
"""


class Worker:
    """A process that takes a seat, waits for its turn, and has it until it is told to go on."""

    def __init__(self, folder, turns):
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", WORKER, str(folder), str(turns)], env=variables(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self.says() == "seated"

    def says(self, seconds=60):
        """The next line, or None if none comes."""
        ready = select.select([self.process.stdout], [], [], seconds)[0]
        return self.process.stdout.readline().decode().strip() if ready else None

    def end(self):
        """Kill it."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def hire(tmp_path):
    """Start workers in one folder."""
    workers = []

    def start(turns):
        workers.append(Worker(tmp_path, turns))
        return workers[-1]

    yield start
    for worker in workers:
        worker.end()
        worker.process.stdin.close()
        worker.process.stdout.close()


def test_two_workers_run_one_after_the_other(hire):
    """The second waits until the first has done."""
    first = hire(1)
    assert first.says() == "in"
    second = hire(1)
    assert second.says(0.5) is None
    first.process.stdin.close()
    assert (first.says(), second.says()) == ("out", "in")


def test_each_turn_is_for_two(hire):
    """With two turns two workers run at once, and the third shares the first one's."""
    workers = [hire(2) for _ in range(3)]
    assert [worker.says(5) for worker in workers[:2]] == ["in", "in"]
    assert workers[2].says(0.5) is None
    workers[0].process.stdin.close()
    assert workers[2].says() == "in"


def test_a_killed_worker_leaves_its_turn_and_its_seat(hire):
    """Who waited goes on, and who comes for it shares the same turn."""
    first, other, waiting = hire(2), hire(2), hire(2)
    assert (first.says(), other.says()) == ("in", "in")
    first.end()
    assert waiting.says() == "in"
    again = hire(2)
    assert again.says(0.5) is None
    waiting.process.stdin.close()
    assert again.says() == "in"
