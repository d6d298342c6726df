"""A notebook's process that a fork server has made: what goes to it, and what comes from it."""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import tempfile
from pathlib import Path
from time import monotonic

from autograder import sandbox

START = 120  # seconds in which a server or a process must be ready
LARGEST = 8_000_000  # bytes of one message that a notebook's process may send


class KernelDied(Exception):
    """A notebook's process has ended, or does not keep to the protocol."""


class TooLarge(KernelDied):
    """A notebook's process sent more at once than a grader takes in."""


class TooLate(Exception):
    """A cell took longer than it may."""


class WarmKernel:
    """One notebook's process: `run` its cells, `interrupt` it, `close` it.

    `runtime` is a folder that it can read at the same path: the place for ``judge.sock``, a socket
    of the grader's, which it finds in its variable AUTOGRADER_SOCKET.
    """

    def __init__(self, fork_server, limits):
        self.folder = Path(tempfile.mkdtemp(prefix="kernel-"))
        self.runtime = self.folder / "runtime"
        self.runtime.mkdir()
        self.socket = self.runtime / "judge.sock"
        self.said, self.pending = b"", bytearray()  # of the jail's lines, of the next message
        self.channel, theirs = socket.socketpair()
        self.lines, lines = os.pipe()
        plan = sandbox.plan(self.runtime, limits, [fork_server.python],
                            env={"AUTOGRADER_SOCKET": str(self.socket)})
        try:
            self.pid, self.handle = fork_server.fork(plan, theirs.fileno(), lines)
        finally:
            theirs.close()
            os.close(lines)
        try:
            if self._receive(monotonic() + START)[0] != "ready":
                raise KernelDied
        except (KernelDied, TooLate):
            said = self._listen(1).decode(errors="replace").strip().splitlines()
            self.close()
            raise sandbox.SandboxError("the kernel was not started, no sandbox could be made: "
                                       f"{said[-1] if said else 'it did not stand'}") from None

    def run(self, source, seconds, count=True, test=False, inputs=None):
        """Run a cell, and yield (kind, content) of each message; the last is of the kind "idle".

        `count` gives it a number and a place in the history; `test` says that it is hidden tests
        and nothing else; `inputs` is what `Desk.hand_out` returns for its checks. Raises TooLate
        if it runs for more than `seconds`, and KernelDied.
        """
        inputs = inputs or {}
        lengths = {name: len(frame) for name, frame in inputs.items()}
        self._send({"run": source, "count": count, "test": test, "inputs": lengths},
                   *inputs.values())
        yield from self.messages(seconds)

    def messages(self, seconds):
        """The messages of the running cell until it ends."""
        deadline = monotonic() + seconds
        while True:
            kind, content = self._receive(deadline)
            yield kind, content
            if kind == "idle":
                return

    def interrupt(self):
        """Let the running cell raise KeyboardInterrupt."""
        self._signal(signal.SIGINT)

    def close(self):
        """End it with all that it started, and wait until that has gone."""
        if self.lines is not None:
            self._signal(signal.SIGTERM)
            if hasattr(self, "handle"):
                select.select([self.handle], [], [], 3)
                self._signal(signal.SIGKILL)
                os.close(self.handle)
            self._listen(1)
            os.close(self.lines)
            self.lines = None
            self.channel.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def killed_for(self):
        """Why the sandbox killed the process, in plain words, or None."""
        found = re.search(rb"^killed: (.*)$", self._listen(0), re.MULTILINE)
        return found and found[1].decode()

    def _signal(self, number):
        with contextlib.suppress(OSError, AttributeError):
            signal.pidfd_send_signal(self.handle, number)

    def _listen(self, seconds):
        """All that the sandbox has said; after up to `seconds`, or its end."""
        deadline = monotonic() + seconds
        while self.lines is not None:
            if not select.select([self.lines], [], [], max(0, deadline - monotonic()))[0]:
                break
            data = os.read(self.lines, 4096)
            if not data:
                break
            self.said += data
        return self.said

    def _send(self, question, *frames):
        body = json.dumps(question).encode()
        try:
            self.channel.settimeout(START)
            self.channel.sendall(b"".join((struct.pack(">I", len(body)), body, *frames)))
        except OSError:
            raise KernelDied("it does not listen") from None

    def _receive(self, deadline):
        """The next (kind, content); what has come of it stays when it is TooLate for the rest."""
        self._fill(4, deadline)
        end = 4 + struct.unpack(">I", self.pending[:4])[0]
        if end > LARGEST:
            raise TooLarge
        self._fill(end, deadline)
        body = bytes(self.pending[4:end])
        del self.pending[:end]
        try:
            kind, content = json.loads(body)
        except (ValueError, TypeError, RecursionError):
            raise KernelDied("a message cannot be read") from None
        if not isinstance(kind, str) or not isinstance(content, dict):
            raise KernelDied("a message cannot be read")
        return kind, content

    def _fill(self, length, deadline):
        """Wait until `length` bytes of the next message are there."""
        while len(self.pending) < length:
            left = deadline - monotonic()
            if left <= 0:
                raise TooLate
            self.channel.settimeout(left)
            try:
                part = self.channel.recv(1 << 16)  # perhaps with the next messages
            except TimeoutError:
                raise TooLate from None
            except OSError:
                part = b""
            if not part:
                raise KernelDied("it ended")
            self.pending += part
