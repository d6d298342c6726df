"""The student's side of a hidden test.

`check` asks a grader for inputs, drives the student's function over them and hands back what came
out. It knows no expected value. When a notebook is graded, the grader is another process behind a
socket, and what it makes of the answer never comes back here. When nobody grades, one in this
process answers, and a wrong answer raises.
"""

import contextlib
import os
import socket

from autograder import wire
from autograder.drivers import drive, without

SOCKET = "AUTOGRADER_SOCKET"  # the environment variable that names the grader's socket

_attached = None
given = {}  # what the grader sent along with the running cell: a frame for each of its checks


class CheckFailed(AssertionError):
    """A hidden test that did not pass; its text is what the student reads."""

    def _render_traceback_(self):
        # IPython shows these lines instead of a traceback through the grader's code.
        return [f"CheckFailed: {line}" if i == 0 else line
                for i, line in enumerate(str(self).splitlines())]


class Remote:
    """The grader behind a Unix socket."""

    def __init__(self, path):
        self.path, self.kept = path, None  # a connection at which nothing is under way

    def _ask(self, question):
        frame = wire.frame(question)
        kept, self.kept = self.kept, None
        if kept is not None:
            with contextlib.suppress(OSError, EOFError):  # the grader has closed it
                return self._exchange(kept, frame)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(self.path)
        return self._exchange(connection, frame)

    def _exchange(self, connection, frame):
        connection.sendall(frame)
        answer = wire.receive(connection)
        self.kept = connection  # an interrupted exchange leaves none: its answer would come later
        return answer

    def open(self, name):
        """The cases of a check and the torch operations that it forbids."""
        frame = given.pop(name, None)
        answer = self._ask({"open": name}) if frame is None else wire.read(frame)
        if "error" in answer:
            raise LookupError(answer["error"])
        return answer["cases"], answer["forbidden"]

    def judge(self, name, outcomes):
        """Hand the outcomes in; what they are worth is not for this process to know."""
        self._ask({"judge": name, "outcomes": outcomes})


def attach(grader):
    """Let `grader` answer every later `check`; None looks for one again.

    A grader has ``open(name) -> (cases, forbidden)``, where a case is (driver, args, kwargs), and
    ``judge(name, outcomes) -> message or None``; `outcomes` holds one `drive` result per case.
    """
    global _attached
    _attached = grader


def check(name, fn):
    """Run the hidden test called ``"slug/function/behaviour"`` on the student's `fn`.

    Returns None. Raises `CheckFailed` with a message for the student when a grader in this process
    finds the answer wrong, and LookupError when there is no test of that name.
    """
    if _attached is None:
        if os.environ.get(SOCKET):
            attach(Remote(os.environ[SOCKET]))
        else:
            from autograder.verdicts import Judge

            attach(Judge.from_environment())
    cases, forbidden = _attached.open(name)
    with without(forbidden) if forbidden else contextlib.nullcontext():  # once for all of them
        outcomes = [drive(driver, fn, args, kwargs, forbidden) for driver, args, kwargs in cases]
    message = _attached.judge(name, outcomes)
    if message is not None:
        raise CheckFailed(message)
