"""Notebooks' processes from a fork server, each in a sandbox of its own.

A `ForkServer` takes seconds to start, and then milliseconds for each `WarmKernel`.
"""

import atexit
import contextlib
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from autograder import sandbox
from autograder.warm_kernel import START, WarmKernel

# All that the course has for a student's kernel, from the root of the repository.
STUDENT_SIDE = ("autograder/__init__.py", "autograder/checking.py", "autograder/drivers",
                "autograder/wire.py", "strokes.py")
DOOR = "fork.sock"  # where other processes reach a server, in its folder
LARGEST_REQUEST = 100_000  # bytes of a cell to prepare; a socket surely takes them


def copy_student_side(target):
    """Copy what of the course a student's notebook imports, and nothing else, into `target`."""
    for name in STUDENT_SIDE:
        source = sandbox.COURSE / name
        (target / name).parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target / name)


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
    for source in sources:
        if source in prepared or len(request := json.dumps([source]).encode()) > LARGEST_REQUEST:
            continue
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
