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
import threading
from pathlib import Path
from time import monotonic

from autograder import sandbox

# All that the course has for a student's kernel, from the root of the repository.
STUDENT_SIDE = ("autograder/__init__.py", "autograder/checking.py", "autograder/drivers",
                "autograder/wire.py", "strokes.py")
START = 120  # seconds in which a server must be ready
DOOR = "fork.sock"  # where other processes reach a server, in its folder
LARGEST_REQUEST = 100_000  # bytes of a cell to prepare; a socket surely takes them
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
    """A process that has imported torch and forks, for this process and for those that `join` it.

    It ends, with all that it forked, when the process that started it does.
    """

    def __init__(self):
        self.process, self.folder = None, Path(tempfile.mkdtemp(prefix="warm-"))
        self.prepared = set()
        atexit.register(self.close)
        os.chmod(self.folder, 0o755)
        self.python = self.folder / "python"
        self.python.mkdir()
        copy_student_side(self.python)
        self.start()

    def start(self):
        """Start the process, again if it has ended; it takes seconds until it is ready."""
        self.ready = False
        self.prepared.clear()
        env = sandbox.environment([]) | {"HOME": str(self.folder), "MPLBACKEND":
                                         "module://matplotlib_inline.backend_inline"}
        env |= {"MPLCONFIGDIR": str(self.folder / "matplotlib"),
                "IPYTHONDIR": str(self.folder / "ipython")}
        address = self.folder / DOOR
        address.unlink(missing_ok=True)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(START)
        try:
            with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
                door.bind(str(address))
                address.chmod(0o600)
                door.listen(128)
                numbers = theirs.fileno(), door.fileno()
                zygote = Path(__file__).with_name("zygote.py")
                self.process = subprocess.Popen(
                    [sys.executable, "-I", str(zygote), str(self.python), *map(str, numbers)],
                    cwd="/", env=env, pass_fds=numbers, stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL)
        except OSError as error:
            self._fail(error)

    def wait(self):
        """Wait until it is ready. Raises SandboxError."""
        if not self.ready:
            try:
                if self.control.recv(16) != b"ready":
                    self._fail("it ended at once")
            except OSError as error:
                self._fail(error)
            self.ready = True

    def _fail(self, why):
        self.close()
        raise sandbox.SandboxError(f"no kernel was started, the fork server failed: {why}")

    def alive(self):
        """Whether its process runs."""
        return self.process.poll() is None

    def kernel(self, limits):
        """A new `WarmKernel` under `limits`."""
        return WarmKernel(self, limits)

    def prepare(self, sources):
        """Compile cells that the notebooks to come share; the grader's own, not a student's."""
        self.wait()
        _prepare(self.control, sources, self.prepared)

    def fork(self, plan, channel, lines):
        """Fork a sandbox; return (process number, handle) of its warden."""
        self.wait()
        return _ask_for_fork(self.control, plan, channel, lines)

    def close(self):
        """End the server and all that it forked."""
        atexit.unregister(self.close)
        self.control.close()
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Joined:
    """The fork server that another process has started in `folder`.

    What it forks for this process ends when this process does.
    """

    def __init__(self, folder):
        self.folder, self.python, self.control = Path(folder), Path(folder) / "python", None
        self.prepared = set()

    def kernel(self, limits):
        """A new `WarmKernel` under `limits`."""
        return WarmKernel(self, limits)

    def prepare(self, sources):
        """Compile cells that the notebooks to come share; the grader's own, not a student's."""
        with self._connected():
            _prepare(self.control, sources, self.prepared)

    def fork(self, plan, channel, lines):
        """Fork a sandbox; return (process number, handle) of its warden."""
        with self._connected():
            return _ask_for_fork(self.control, plan, channel, lines)

    @contextlib.contextmanager
    def _connected(self):
        """The connection for the block; SandboxError if the server has ended."""
        try:
            if self.control is None:
                self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                self.control.settimeout(START)
                self.control.connect(str(self.folder / DOOR))
            yield
        except (OSError, sandbox.SandboxError) as error:
            self.close()
            raise sandbox.SandboxError(f"the fork server has ended ({error})") from None

    def close(self):
        """Part from the server."""
        self.prepared.clear()
        if self.control is not None:
            self.control.close()
            self.control = None


def _prepare(control, sources, prepared):
    """Send the cells that the server does not know yet; not one too long for a socket."""
    for source in dict.fromkeys(sources):
        request = json.dumps([source]).encode()
        if source not in prepared and len(request) < LARGEST_REQUEST:
            prepared.add(source)
            with _asking:
                control.send(request)


def _ask_for_fork(control, plan, channel, lines):
    with _asking:
        socket.send_fds(control, [json.dumps(plan).encode()], [channel, lines])
        answer, handles, _, _ = socket.recv_fds(control, 64, 1)
    if not answer:
        raise sandbox.SandboxError("the fork server has ended")
    return int(answer), handles[0]


_joined = None  # the server that this process uses instead of its own
_asking = threading.Lock()  # one request at a time


def join(folder):
    """From now on let the fork server in `folder`, a `ForkServer.folder`, serve this process."""
    global _joined
    _joined = Joined(folder)


def server():
    """The fork server of this process: the one it has joined, or its own, started when needed."""
    return _joined or own_server()


@functools.cache
def own_server():
    """The fork server that this process has started."""
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
