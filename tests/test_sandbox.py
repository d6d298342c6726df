"""What a submission's kernel can do in the sandbox, and what it cannot.

Every test runs twice where root runs them: as root, and once more as an ordinary user.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpec

from autograder import sandbox, warm, warm_kernel
from autograder.kernel import SandboxKernelManager
from autograder.sandbox import SandboxError

if sys.platform != "linux":
    pytest.skip("the sandbox is made of Linux namespaces", allow_module_level=True)

ROOT = Path(__file__).resolve().parent.parent
MB = 2**20
SECRET = "a-secret-of-the-teacher"


def shown(messages):
    """What a cell shows: stdout and stderr, then ``Name: text`` if it raised."""
    found = []
    for kind, content in messages:
        if kind == "stream":
            found.append(content["text"])
        elif kind == "error":
            found.append(f"{content['ename']}: {content['evalue']}")
        elif kind == "display_data":
            found.append(" ".join(content["data"]))
    return "".join(found).strip()


class Warm:
    """A fork of the server's in the sandbox."""

    def __init__(self, server=None, **limits):
        self.kernel = warm.server().kernel(sandbox.Limits(**limits))
        self.runtime, self.folder = self.kernel.runtime, self.kernel.folder
        self.python, self.pid = warm.server().python, self.kernel.pid
        if server:
            server.bind(str(self.kernel.socket))
            self.kernel.socket.chmod(0o666)
            server.listen()

    def run(self, code, interrupt_after=None, timeout=60):
        """What a cell shows."""
        found = []
        try:
            found += self.kernel.run(code, interrupt_after or timeout)
        except warm_kernel.TooLate:
            if not interrupt_after:
                raise
            self.kernel.interrupt()
            found += self.kernel.messages(timeout)
        return shown(found)

    def begin(self, code):
        """Start a cell and leave it running."""
        with pytest.raises(warm_kernel.TooLate):
            list(self.kernel.run(code, 0.01))

    def interrupt(self):
        """Send SIGINT."""
        self.kernel.interrupt()

    @property
    def killed_for(self):
        """Why the sandbox killed it."""
        return self.kernel.killed_for

    def stop(self):
        """End it at once."""
        self.kernel.close()


class Kernel:
    """A Jupyter kernel in the sandbox, for tests that are not asynchronous."""

    def __init__(self, sandboxed=True, server=None, **limits):
        self.loop = asyncio.new_event_loop()
        self.manager = SandboxKernelManager(sandboxed=sandboxed, limits=sandbox.Limits(**limits))
        if server:
            server.bind(str(self.manager.runtime / "judge.sock"))
            server.listen()
        self.loop.run_until_complete(self._start())

    async def _start(self):
        await self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        await self.client.wait_for_ready(timeout=60)
        self.runtime, self.folder = self.manager.runtime, self.manager.folder
        self.python = self.manager.student_side
        self.pid = self.manager.has_kernel and self.manager.provisioner.pid

    def run(self, code, interrupt_after=None, timeout=60):
        """What a cell shows."""
        return self.loop.run_until_complete(self._run(code, interrupt_after, timeout))

    async def _run(self, code, interrupt_after, timeout):
        found = []
        cell = asyncio.ensure_future(self.client.execute_interactive(
            code, output_hook=lambda m: found.append((m["msg_type"], m["content"])),
            timeout=timeout))
        if interrupt_after:
            await asyncio.wait([cell], timeout=interrupt_after)
            await self.manager.interrupt_kernel()
        while not (await asyncio.wait([cell], timeout=0.1))[0]:
            if not await self.manager.is_alive():
                cell.cancel()
                raise warm_kernel.KernelDied
        await cell
        return shown(found)

    def begin(self, code):
        """Start a cell and leave it running."""
        self.client.execute(code)
        time.sleep(0.3)

    def interrupt(self):
        """Send SIGINT."""
        self.loop.run_until_complete(self.manager.interrupt_kernel())

    @property
    def killed_for(self):
        """Why the sandbox killed it."""
        return self.manager.killed_for

    def stop(self):
        """End it at once."""
        if not self.loop.is_closed():
            self.client.stop_channels()
            self.loop.run_until_complete(self.manager.shutdown_kernel(now=True))
            self.loop.close()


KINDS = pytest.mark.parametrize("kind", [Kernel, Warm])


@contextlib.contextmanager
def a_kernel(kind=Kernel, **settings):
    """A kernel of a test's own."""
    kernel = kind(**settings)
    try:
        yield kernel
    finally:
        kernel.stop()


@pytest.fixture(scope="module")
def warm_server():
    """The fork server, started with a secret of the teacher's around."""
    os.environ["TOKEN_OF_THE_TEACHER"] = SECRET
    warm.server()
    del os.environ["TOKEN_OF_THE_TEACHER"]
    yield
    warm.own_server().close()
    warm.own_server.cache_clear()


@pytest.fixture(scope="module", params=[Kernel, Warm], ids=["jupyter", "warm"])
def kind(request):
    """How the shared kernel comes to be."""
    return request.param


@pytest.fixture(scope="module")
def judge(kind):
    """A socket of the grader's, in the folder that the shared kernel can read."""
    with socket.socket(socket.AF_UNIX) as server:
        yield server


@pytest.fixture(scope="module")
def kernel(kind, judge, warm_server):
    """One kernel for all tests that leave it as it was."""
    os.environ["TOKEN_OF_THE_TEACHER"] = SECRET
    try:
        with a_kernel(kind, server=judge, memory=1500 * MB, processes=64, scratch=64 * MB,
                      file_size=16 * MB) as shared:
            yield shared
    finally:
        del os.environ["TOKEN_OF_THE_TEACHER"]


def commands():
    """The command lines of all processes that can be seen out here."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes().decode(errors="replace")


def running(mark):
    """How many processes carry the mark in their command line."""
    return sum(mark in command for command in commands())


def gone(mark, seconds=5):
    """Whether no process carries the mark, after some time at most."""
    deadline = time.monotonic() + seconds
    while running(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not running(mark)


# What homework needs is there


def test_the_course_and_its_libraries_work(kernel):
    """A notebook can import what it needs, in an empty folder, on one thread."""
    code = """
        import numpy, os, torch
        from autograder import check
        print(int(numpy.arange(4).sum()), torch.nn.Linear(2, 2)(torch.ones(1, 2)).shape, check)
        print(os.getcwd(), os.listdir(), os.environ["HOME"], torch.get_num_threads())
    """
    lines = kernel.run(code).splitlines()
    assert lines[0].startswith("6 torch.Size([1, 2]) <function check at")
    assert lines[1:] == ["/tmp/home/work [] /tmp/home 1"]


def test_figures_are_shown_inline_and_nothing_is_said_on_stderr(kernel):
    """Matplotlib draws as in any notebook, without a warning."""
    shown = kernel.run("import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()")
    assert shown == "text/plain image/png" or shown == "image/png text/plain"


def test_shell_lines_threads_and_processes_work(kernel):
    """Lines with !, threads and worker processes work."""
    code = """
        import multiprocessing, threading
        !echo shell $(id -un)
        thread = threading.Thread(target=print, args=("thread",)); thread.start(); thread.join()
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(abs, [-1, -2]))
    """
    assert kernel.run(code).split() == ["shell", "student", "thread", "[1,", "2]"]


def test_the_socket_of_the_grader_can_be_reached(kernel, judge):
    """The kernel finds the grader's socket and can talk through it."""
    judge.settimeout(10)
    kernel.run("""
        import os, socket
        talk = socket.socket(socket.AF_UNIX)
        talk.connect(os.environ["AUTOGRADER_SOCKET"])
        talk.sendall(b"hello")
    """)
    with judge.accept()[0] as connection:
        assert connection.recv(5) == b"hello"


# What it must not reach is not there


def test_no_network(kernel, tmp_path):
    """Neither other machines, nor this one, nor its local sockets can be reached."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as named, \
            socket.socket(socket.AF_UNIX) as unnamed:
        named.bind(str(tmp_path / "s"))
        unnamed.bind("\0sandbox-test")
        for listener in (named, unnamed):
            listener.listen()
        reachable = [["AF_INET", server.getsockname()], ["AF_UNIX", str(tmp_path / "s")],
                     ["AF_UNIX", "\0sandbox-test"]]
        for family, address in reachable:
            with socket.socket(getattr(socket, family)) as client:
                client.connect(tuple(address) if isinstance(address, list) else address)
        attempts = [*reachable, ["AF_INET", ["192.0.2.1", 80]], ["AF_VSOCK", [2, 1]]]
        shown = kernel.run(f"""
            import socket
            for family, address in {attempts!r}:
                try:
                    client = socket.socket(getattr(socket, family))
                    client.settimeout(3)
                    client.connect(tuple(address) if isinstance(address, list) else address)
                    print("connected")
                except OSError as error:
                    print(type(error).__name__)
            print(*[name for _, name in socket.if_nameindex()])
        """).splitlines()
    assert len(shown) == 6 and "connected" not in shown
    assert shown[-1] == "lo"


def test_nothing_of_the_course_or_the_home_folder(kernel, tmp_path):
    """Solutions, gradebook, settings, submissions and the home folder are not there."""
    course = tmp_path / "course"
    own = ["solutions/p/p.ipynb", "gradebook.db", "nbgrader_config.py", "submitted/a/p/p.ipynb"]
    for name in own:
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        (course / name).write_text("secret")
    home = Path("~").expanduser()
    real = ["nbgrader_config.py", "pyproject.toml", "solutions", "exercises", "tests", ".git",
            "autograder/verdicts.py", "autograder/references/__init__.py"]
    paths = [course / name for name in own] + [ROOT / name for name in real]
    paths += [path for path in (home, Path("/etc/shadow"), Path("/var"), Path("/run"))
              if path.exists() and os.listdir(path.parent)]
    paths += [path for path in home.iterdir()] if os.access(home, os.R_OK) else []
    paths = [path for path in paths if path.exists() and not Path(sys.base_prefix).is_relative_to(
        path) and not Path(sys.prefix).is_relative_to(path)]
    assert len(paths) > 10
    code = f"import os; print([path for path in {list(map(str, paths))} if os.path.lexists(path)])"
    assert kernel.run(code) == "[]"


def test_what_grades_cannot_be_imported(kernel):
    """The package inside is the student's side of it."""
    for module in ("autograder.references", "autograder.verdicts", "autograder.sandbox"):
        assert kernel.run(f"import {module}").startswith("ModuleNotFoundError")


def test_a_hidden_folder_inside_a_shown_one_is_empty(tmp_path, monkeypatch):
    """A course below a folder that is shown stays hidden; an environment in it does not."""
    visible = tmp_path / "visible"
    for name in ("course/nbgrader_config.py", "course/solutions/p.py", "course/venv/lib.py",
                 "other.py"):
        (visible / name).parent.mkdir(parents=True, exist_ok=True)
        (visible / name).write_text("x")
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    monkeypatch.setattr(sandbox, "COURSE", visible / "course")
    code = "import os, sys; print(sorted(f for r, d, fs in os.walk(sys.argv[1]) for f in fs))"
    command = sandbox.wrap([sys.executable, "-c", code, str(visible)], None, sandbox.Limits(),
                           python_path=[visible, visible / "course" / "venv"])
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stderr, done.stdout) == ("ready\n", "['lib.py', 'other.py']\n")


def test_no_other_process_can_be_seen_or_signalled(kernel):
    """The grader and the warden have no number inside, and init keeps its own."""
    shown = kernel.run(f"""
        import os
        print(sorted(int(name) for name in os.listdir("/proc") if name.isdigit()), os.getppid())
        for pid in ({os.getpid()}, {kernel.pid}):
            try:
                os.kill(pid, 0)
                print("reached")
            except ProcessLookupError:
                print("not there")
        try:
            print(open("/proc/1/environ").read())
        except PermissionError:
            print("closed")
    """).splitlines()
    seen = json.loads(shown[0].rsplit(" ", 1)[0])
    assert shown[0].endswith("1") and seen[:2] == [1, 2] and len(seen) < 6
    assert shown[1:] == ["not there", "not there", "closed"]


def test_the_environment_is_clean(kernel):
    """No variable of the teacher's gets in."""
    shown = kernel.run("""
        import os
        everything = "".join(open(f"/proc/{p}/environ").read() for p in (os.getpid(), "self"))
        print(everything.replace(chr(0), chr(10)))
    """)
    names = {line.split("=")[0] for line in shown.splitlines()}
    assert SECRET not in shown
    assert names - {"MPLBACKEND"} | {"AUTOGRADER_SOCKET"} == {
        "PATH", "HOME", "LANG", "PYTHONPATH", "PYTHONHASHSEED", "MPLCONFIGDIR", "IPYTHONDIR",
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "AUTOGRADER_SOCKET"}


def test_no_rights_and_no_input_come_from_outside(kernel):
    """No capability, no way to get one, no file descriptor, nothing to read, an own session."""
    shown = kernel.run("""
        import os
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        print(*(status[name].strip() for name in
                ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")))
        print(os.getuid() != 0, os.read(0, 1), os.getsid(0) == os.getpid())
    """).splitlines()
    assert shown == [" ".join(["0" * 16] * 5 + ["1", "2"]), "True b'' True"]


def test_no_file_descriptor_is_inherited(tmp_path):
    """An open file of the grader's is closed before the command runs."""
    code = "import os; print(len(os.listdir('/proc/self/fd')))"  # 0, 1, 2, and the listing's own
    with open(tmp_path / "grades", "w") as file:
        command = sandbox.wrap([sys.executable, "-c", code], None, sandbox.Limits())
        done = subprocess.run(command, pass_fds=[file.fileno()], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
    assert done.stdout == "4\n"


@pytest.mark.parametrize("place", ["/", "/usr", "/etc", "/dev", sys.prefix + "/lib", "RUNTIME",
                                   "PYTHON"])
def test_nothing_but_the_private_folders_can_be_written_to(kernel, place):
    """The system, the libraries and the course's own folders are read-only."""
    place = {"RUNTIME": kernel.runtime, "PYTHON": kernel.python}.get(place, place)
    shown = kernel.run(f"open('{place}/mark', 'w')")
    assert re.match(r"(OSError: \[Errno 30\]|PermissionError: \[Errno 13\])", shown), shown


@pytest.mark.parametrize("code", [
    "import os; os.memfd_create('x')",
    "import mmap; mmap.mmap(-1, 100)",
    "import ctypes; assert ctypes.CDLL(None).shmget(0, 4096, 0o1600) >= 0, 'refused'",
    "import ctypes, os; ctypes.CDLL(None, use_errno=True).syscall(425, 1, bytes(120))  # io_uring\n"
    "raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))",
    "import subprocess\n"
    "assert not subprocess.run(['unshare', '--user', 'true']).returncode, 'refused'",
    "import socket; socket.socket(socket.AF_VSOCK)",
])
def test_memory_that_no_limit_counts_and_doors_into_the_kernel_are_refused(kernel, code):
    """The filter of system calls is in place; what a program says may come after the error."""
    assert set(kernel.run(code).splitlines()) & {
        "PermissionError: [Errno 1] Operation not permitted", "AssertionError: refused",
        "OSError: [Errno 97] Address family not supported by protocol"}


# Limits


def test_a_process_that_wants_too_much_memory_gets_an_error(kernel):
    """Python and torch raise, and the kernel goes on."""
    assert kernel.run("x = bytearray(2 * 10**9)").startswith("MemoryError")
    assert kernel.run("import torch; x = torch.ones(5 * 10**8)").startswith("RuntimeError")
    assert kernel.run("x = bytearray(10**8); print(len(x)); del x") == "100000000"


def test_forks_stop_at_the_limit(kernel):
    """A bounded fork bomb runs into the limit of processes."""
    shown = kernel.run("""
        import os, signal, time
        children = []
        try:
            for _ in range(300):
                child = os.fork()
                if child == 0:
                    time.sleep(60)
                    os._exit(0)
                children.append(child)
        except BlockingIOError:
            print("stopped", 10 < len(children) < 64)
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    """)
    assert shown == "stopped True"
    assert kernel.run("print('alive')") == "alive"


def test_large_files_and_a_full_disk_are_errors(kernel):
    """A file and all files together have a limit."""
    shown = kernel.run("""
        import errno, os
        def fill(folder, files, size):
            try:
                for n in range(files):
                    with open(f"{folder}/{n}.big", "wb") as file:
                        for _ in range(size):
                            file.write(bytes(10**6))
                print("no limit")
            except OSError as error:
                print(errno.errorcode[error.errno])
            for name in os.listdir(folder):
                if name.endswith(".big"):
                    os.remove(f"{folder}/{name}")
        fill("/tmp", 1, 20)
        fill("/tmp", 10, 10)
        fill("/dev/shm", 10, 10)
        open("/tmp/small", "w").write("room again")
    """)
    assert shown.split() == ["EFBIG", "ENOSPC", "ENOSPC"]


@KINDS
def test_all_processes_together_are_killed_for_too_much_memory(kind, warm_server):
    """Processes that are small alone cannot add up."""
    with a_kernel(kind, total_memory=512 * MB) as kernel:
        with pytest.raises(warm_kernel.KernelDied):
            kernel.run("""
                import os, time
                for _ in range(8):
                    if os.fork() == 0:
                        held = b"x" * 10**8
                        time.sleep(60)
                time.sleep(60)
            """)
        assert kernel.killed_for == "it used more than 0.5 GB of memory"


@KINDS
def test_memory_that_processes_share_counts_once(kind, warm_server):
    """Forks of one large process are not taken for as many large ones."""
    with a_kernel(kind, total_memory=512 * MB) as kernel:
        code = """
            import os, time
            held = b"x" * 10**8
            for _ in range(8):
                if os.fork() == 0:
                    time.sleep(1)
                    os._exit(0)
            time.sleep(1)
            print("alive")
        """
        assert kernel.run(code) == "alive"
        assert kernel.killed_for is None


@KINDS
def test_processor_time_is_limited_over_all_processes(kind, warm_server):
    """Processes share one limit of seconds, and those that have ended count."""
    with a_kernel(kind, cpu=2) as kernel:
        with pytest.raises(warm_kernel.KernelDied):
            kernel.run("""
                import os, time
                for _ in range(4):
                    if os.fork() == 0:
                        start = time.process_time()
                        while time.process_time() - start < 0.8:
                            pass
                        os._exit(0)
                    os.wait()
                time.sleep(1)
            """)
        assert kernel.killed_for == "it used more than 2 seconds of processor time"


# Ends


@KINDS
def test_a_cell_can_be_interrupted_and_one_that_refuses_can_be_killed(kind, warm_server):
    """SIGINT gets through; where it is ignored, the kill does."""
    with a_kernel(kind) as kernel:
        assert kernel.run("while True: pass", interrupt_after=2).startswith("KeyboardInterrupt")
        sleep = "import time; time.sleep(60)"
        assert kernel.run(sleep, interrupt_after=2).startswith("KeyboardInterrupt")
        kernel.run("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")
        kernel.begin("while True:\n    try:\n        pass\n    except BaseException: pass")
        start = time.monotonic()
        kernel.interrupt()
        kernel.stop()
        assert time.monotonic() - start < 3
        assert not Path(f"/proc/{kernel.pid}").exists()


def test_half_a_message_is_kept_when_time_is_up(warm_server):
    """A cell that is interrupted while it prints does not confuse what it says afterwards."""
    with a_kernel(Warm) as kernel:
        theirs = kernel.kernel.channel
        kernel.kernel.channel, student = socket.socketpair()
        with theirs, student:
            frame = b'["stream", {"name": "stdout", "text": "whole"}]'
            frame = len(frame).to_bytes(4, "big") + frame
            for start, end in ((0, 2), (2, 20), (20, None)):
                with pytest.raises(warm_kernel.TooLate):
                    next(kernel.kernel.messages(0.05))
                student.sendall(frame[start:end])
            assert next(kernel.kernel.messages(5)) == ("stream", {"name": "stdout",
                                                                  "text": "whole"})


LEAVE_A_DAEMON = """
import subprocess, sys
command = [sys.executable, "-c", "import time; time.sleep(300)  # {mark}"]
daemon = subprocess.Popen(["setsid", "--fork", *command])
daemon.wait()
print("left")
"""


@KINDS
def test_a_daemon_is_gone_after_the_kernel(kind, warm_server):
    """A process that left the kernel's session ends with it."""
    mark = f"daemon-{os.getpid()}-{time.time()}"
    with a_kernel(kind) as kernel:
        assert kernel.run(LEAVE_A_DAEMON.format(mark=mark)) == "left"
        assert running(mark) == 1
        kernel.stop()
        assert running(mark) == 0
    assert not kernel.folder.exists()


@KINDS
def test_a_kernel_that_ends_itself_is_gone_with_all_it_started(kind, warm_server):
    """A kernel's own exit leaves nothing behind either."""
    mark = f"orphan-{os.getpid()}-{time.time()}"
    with a_kernel(kind) as kernel:
        kernel.run(LEAVE_A_DAEMON.format(mark=mark))
        with pytest.raises(warm_kernel.KernelDied):
            kernel.run("import os; os._exit(0)")
        assert gone(mark)
        assert kernel.killed_for is None


def test_the_sandbox_ends_with_the_grader():
    """A grader that is killed takes its sandboxes along."""
    mark = f"grader-{os.getpid()}-{time.time()}"
    command = [sys.executable, "-c", f"import time; print(flush=True); time.sleep(300)  # {mark}"]
    code = ("import subprocess, sys; from autograder import sandbox; subprocess.run(sandbox.wrap("
            f"{command!r}, None, sandbox.Limits()))")
    grader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT,
                              stderr=subprocess.DEVNULL)
    grader.stdout.readline()
    assert running(mark) >= 1
    grader.send_signal(signal.SIGKILL)
    grader.wait()
    assert gone(mark)
    grader.stdout.close()


def test_a_kernel_can_be_restarted():
    """A fresh kernel knows nothing of the one before."""
    with a_kernel() as kernel:
        kernel.run("x = 1; open('/tmp/left', 'w').close()")
        kernel.client.stop_channels()
        kernel.loop.run_until_complete(kernel.manager.restart_kernel(now=True))
        kernel.client = kernel.manager.client()
        kernel.client.start_channels()
        kernel.loop.run_until_complete(kernel.client.wait_for_ready(timeout=60))
        assert kernel.run("import os; print(os.path.exists('/tmp/left'), 'x' in globals())") == (
            "False False")


# Where there is no sandbox


def test_without_the_sandbox_a_kernel_is_an_ordinary_one():
    """With sandboxed=False the kernel sees what the teacher sees."""
    with a_kernel(sandboxed=False) as kernel:
        code = f"import os; print(os.path.exists({str(ROOT / 'pyproject.toml')!r}))"
        assert kernel.run(code) == "True"
        assert kernel.killed_for is None


def test_isolation_works_here():
    """This machine can make a sandbox; if not, the line says why."""
    assert sandbox.unavailable() is None


@pytest.mark.parametrize("what, value, says", [
    (("sys", "platform"), "darwin", "needs Linux"),
    (("platform", "release"), lambda: "5.4.0-1-generic", "needs Linux 5.14"),
    (("sys", "executable"), "/nonexistent/python", "no sandbox can be made here"),
])
def test_where_no_sandbox_can_be_made_one_line_says_so(monkeypatch, what, value, says):
    """Other systems, old ones, and a Python that is not there."""
    monkeypatch.setattr(getattr(sandbox, what[0]), what[1], value)
    line = sandbox.unavailable.__wrapped__()
    assert says in line and "--no-sandbox" in line and "\n" not in line


NO_NAMESPACES = """
import os, sys
sys.path.append({folder!r})
import linux
ids = os.getuid(), os.getgid()
linux.unshare(linux.NEWUSER)
for name, text in (("setgroups", "deny"), ("uid_map", "1 %d 1" % ids[0]),
                   ("gid_map", "1 %d 1" % ids[1])):
    with open("/proc/self/" + name, "w") as file:
        file.write(text)
with open("/proc/sys/user/max_user_namespaces", "w") as file:
    file.write("0")
code = "from autograder import sandbox; print(sandbox.unavailable())"
os.execv(sys.executable, [sys.executable, "-c", code])
"""


def test_a_system_that_allows_no_namespaces_is_recognised():
    """As on a system whose user.max_user_namespaces is 0."""
    code = NO_NAMESPACES.format(folder=str(ROOT / "autograder"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr == ""
    assert "cannot make namespaces" in done.stdout and "--no-sandbox" in done.stdout
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("fault, says", [
    ("unavailable", "^the sandbox is out of order$"),
    ("at start", "^the kernel was not started, no sandbox could be made: cannot mount /tmp/tmp: "),
])
def test_without_isolation_no_kernel_starts(monkeypatch, fault, says):
    """Whether it is known before or fails in the middle: an error in one line, no process."""
    mark = f"never-{os.getpid()}-{time.time()}"

    class Marked(SandboxKernelManager):
        code = f"import time; time.sleep(60)  # {mark}"
        kernel_spec = KernelSpec(argv=[sys.executable, "-c", code])

    if fault == "unavailable":
        monkeypatch.setattr(sandbox, "unavailable", lambda: "the sandbox is out of order")
    manager = Marked(limits=sandbox.Limits(scratch="nonsense" if fault == "at start" else MB))
    with pytest.raises(SandboxError, match=says) as caught:
        asyncio.run(manager.start_kernel())
    assert "\n" not in str(caught.value)
    assert gone(mark, 1)
    asyncio.run(manager.cleanup_resources())


# Once more, as somebody else

AS_NOBODY = """
import os, stat, sys
sys.path.append({folder!r})
import linux
linux.unshare(linux.NEWNS)
linux.mount(None, "/", None, linux.RECURSIVE | linux.PRIVATE)
closed = {{}}  # a folder that only root enters -> what is needed below it
for place in {places!r}:
    parts = place.split("/")
    for n in range(2, len(parts)):
        folder = "/".join(parts[:n])
        if not os.stat(folder).st_mode & stat.S_IXOTH:
            closed.setdefault(folder, {{}})[place] = os.open(place, os.O_PATH)
            break
for folder, needed in closed.items():
    linux.mount("tmpfs", folder, "tmpfs", 0, "mode=755")
    for place, number in needed.items():
        os.makedirs(place)
        linux.mount("/proc/self/fd/%d" % number, place, None, linux.BIND | linux.RECURSIVE)
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
os.execv(sys.executable, [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                          "--basetemp", {temporary!r} + "/pytest", {file!r}])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests have run as an ordinary user")
def test_all_of_this_as_an_ordinary_user():
    """Root runs this file again as a user without any rights."""
    with tempfile.TemporaryDirectory(dir="/tmp") as temporary:
        os.chown(temporary, 65534, 65534)
        places = sorted({str(ROOT), sys.prefix, sys.base_prefix})
        code = AS_NOBODY.format(folder=str(ROOT / "autograder"), places=places,
                                temporary=temporary, file=__file__)
        env = {**os.environ, "HOME": "/nonexistent", "TMPDIR": temporary,
               "PYTHONDONTWRITEBYTECODE": "1"}
        env = {name: value for name, value in env.items() if not name.startswith("PYTEST_")}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                              cwd=ROOT, env=env, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert re.search(r"\b\d\d passed, 1 skipped", done.stdout), done.stdout[-1000:]
