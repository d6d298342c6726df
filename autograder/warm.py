"""Notebooks' processes from a fork server, each in a sandbox of its own.

A `ForkServer` takes seconds to start, and then milliseconds for each `WarmKernel`.
"""

import atexit
import contextlib
import functools
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic

from autograder import sandbox

# All that the course has for a student's kernel, from the root of the repository.
STUDENT_SIDE = ("autograder/__init__.py", "autograder/checking.py", "autograder/drivers",
                "autograder/wire.py", "strokes.py")
START = 120  # seconds in which a server must be ready
LARGEST = 8_000_000  # bytes of one message that a notebook's process may send


def copy_student_side(target):
    """Copy what of the course a student's notebook imports, and nothing else, into `target`."""
    for name in STUDENT_SIDE:
        source = sandbox.COURSE / name
        (target / name).parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target / name)


class KernelDied(Exception):
    """A notebook's process has ended, or does not keep to the protocol."""


class TooLarge(KernelDied):
    """A notebook's process sent more at once than a grader takes in."""


class TooLate(Exception):
    """A cell took longer than it may."""


class ForkServer:
    """A process that has imported torch and forks."""

    def __init__(self):
        self.process, self.folder = None, Path(tempfile.mkdtemp(prefix="warm-"))
        atexit.register(self.close)
        os.chmod(self.folder, 0o755)
        self.python = self.folder / "python"
        self.python.mkdir()
        copy_student_side(self.python)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        zygote = Path(__file__).with_name("zygote.py")
        env = sandbox.environment([]) | {"HOME": str(self.folder), "MPLBACKEND":
                                         "module://matplotlib_inline.backend_inline"}
        env |= {"MPLCONFIGDIR": str(self.folder / "matplotlib"),
                "IPYTHONDIR": str(self.folder / "ipython")}
        self.control.settimeout(START)
        try:
            with theirs:
                number = theirs.fileno()
                self.process = subprocess.Popen(
                    [sys.executable, "-I", str(zygote), str(self.python), str(number)], cwd="/",
                    env=env, pass_fds=[number], stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL)
            ready, why = self.control.recv(16), "it ended at once"
        except OSError as error:
            ready, why = b"", str(error)
        if ready != b"ready":
            self.close()
            raise sandbox.SandboxError(f"no kernel was started, the fork server failed: {why}")

    def kernel(self, limits):
        """A new `WarmKernel` under `limits`."""
        return WarmKernel(self, limits)

    def fork(self, plan, channel, lines):
        """Fork a sandbox; return (process number, handle) of its warden."""
        socket.send_fds(self.control, [json.dumps(plan).encode()], [channel, lines])
        answer, handles, _, _ = socket.recv_fds(self.control, 64, 1)
        if not answer:
            raise sandbox.SandboxError("the fork server has ended")
        return int(answer), handles[0]

    def close(self):
        """End the server and all that it forked."""
        atexit.unregister(self.close)
        self.control.close()
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@functools.cache
def server():
    """The fork server of this process, started when it is first asked for."""
    return ForkServer()


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

    def run(self, source, seconds, count=True):
        """Run a cell, and yield (kind, content) of each message; the last is of the kind "idle".

        Raises TooLate if it runs for more than `seconds`, and KernelDied.
        """
        self._send({"run": source, "count": count})
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

    def _send(self, question):
        body = json.dumps(question).encode()
        try:
            self.channel.settimeout(START)
            self.channel.sendall(struct.pack(">I", len(body)) + body)
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
                part = self.channel.recv(min(length - len(self.pending), 1 << 20))
            except TimeoutError:
                raise TooLate from None
            except OSError:
                part = b""
            if not part:
                raise KernelDied("it ended")
            self.pending += part
