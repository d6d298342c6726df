"""Run a command, and count the processor time and the memory of all its processes.

Grading forks processes that nobody waits for: the fork server ignores their end, and then Linux
adds their time to nobody's ``getrusage``. So the time comes from a counter of the kernel's (the
event task-clock of perf_event_open) that is opened on the command before it starts; every process
that it starts, and every one that these start, inherits it, whoever reaps them and in whatever
namespace they are. `counts_everything` tries that out.
"""

import contextlib
import ctypes
import os
import platform
import select
import signal
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time

import psutil

TICK = 0.01  # seconds between two looks at a command
SYSCALL = {"x86_64": 298, "aarch64": 241}.get(platform.machine())  # perf_event_open
SOFTWARE, TASK_CLOCK = 1, 1
DISABLED, INHERIT, ON_EXEC = 1 << 0, 1 << 1, 1 << 12
ATTRIBUTES = 64  # bytes of perf_event_attr in its first version
CLOSE_ON_EXEC = 8
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
WAIT = 'read go; exec "$@"'  # until there is a counter
ORPHANS = """
import os, signal, sys, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    if os.fork() == 0:
        while time.process_time() < 0.2:
            pass
    os._exit(0)
time.sleep(0.6)
"""


@dataclass
class Run:
    """What a command took.

    `cpu` is in seconds of user and system time of all its processes, `wall` too; `begun` and
    `ended` are times of the clock. `series` has (time of the clock, cpu so far), and `memory`
    (time of the clock, bytes of all processes, what they share counted once), if it was watched;
    `unread` processes would not tell theirs. `others` is how many processors everything else on
    the machine kept busy meanwhile.
    """

    code: int = 0
    begun: float = 0.0
    ended: float = 0.0
    cpu: float = 0.0
    series: list = field(default_factory=list)
    memory: list = field(default_factory=list)
    unread: int = 0
    others: float = 0.0
    log: str = ""

    @property
    def wall(self):
        """Seconds from the start to the end."""
        return self.ended - self.begun

    @property
    def peak(self):
        """The most memory at once, in bytes; None if it was not watched."""
        return max((size for _, size in self.memory), default=None)

    def cpu_at(self, when):
        """The processor time that was used up to a time of the clock."""
        before = [cpu for moment, cpu in self.series if moment <= when]
        return before[-1] if before else 0.0


class Counter:
    """Seconds of processor time of a process and all that it starts, from its next exec on."""

    def __init__(self, pid):
        attributes = bytearray(ATTRIBUTES)
        struct.pack_into("IIQQQQQ", attributes, 0, SOFTWARE, ATTRIBUTES, TASK_CLOCK, 0, 0, 0,
                         DISABLED | INHERIT | ON_EXEC)
        if SYSCALL is None:
            raise OSError(f"no number of perf_event_open for {platform.machine()}")
        libc = ctypes.CDLL(None, use_errno=True)
        self.file = libc.syscall(SYSCALL, (ctypes.c_char * ATTRIBUTES).from_buffer(attributes),
                                 pid, -1, -1, CLOSE_ON_EXEC)
        if self.file < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def read(self):
        """The seconds until now."""
        return struct.unpack("Q", os.read(self.file, 8))[0] / 1e9

    def close(self):
        """Give it back."""
        os.close(self.file)


def run(command, cwd=None, env=None, limit=3600, watch=None, memory=None):
    """Run a command to its end, or for `limit` seconds, and return its `Run`.

    `watch` is called after each hundredth of a second. Memory is looked at every `memory` seconds,
    if at all: it stops the processes for a moment, so the times of such a run count for nothing.
    """
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)  # what is left over becomes our child
    others = set(psutil.Process().children())
    result, looked, busy = Run(), 0.0, _busy()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(["/bin/sh", "-c", WAIT, "sh", *command], cwd=cwd, env=env,
                                   stdin=subprocess.PIPE, stdout=log, stderr=log,
                                   start_new_session=True)
        handle, counter = os.pidfd_open(process.pid), None
        try:
            counter = _counter(process.pid)
            result.begun, started = time(), monotonic()
            process.stdin.write(b"\n")
            process.stdin.close()
            while not select.select([handle], [], [], TICK)[0]:
                if counter:
                    result.series.append((time(), counter.read()))
                if watch:
                    watch()
                if memory and monotonic() - looked > memory:
                    _look(process.pid, result)
                    looked = monotonic()
                if monotonic() - started > limit:
                    raise TimeoutError(f"{' '.join(command)} took more than {limit} seconds")
            result.ended = time()
        finally:
            os.close(handle)
            _end(process, others)
            if counter:
                result.cpu = counter.read()
                counter.close()
        log.seek(0)
        result.log = log.read().decode("utf-8", "replace")
    result.code = process.returncode
    if not counter:
        result.cpu = process.used.ru_utime + process.used.ru_stime
    result.series.append((result.ended, result.cpu))
    result.others = max(0.0, _busy() - busy - result.cpu) / result.wall
    return result


def _counter(pid):
    """A counter on a process, or None where Linux does not let us."""
    try:
        return Counter(pid)
    except OSError:
        return None


def _end(process, others):
    """End a process, if it has not ended, and all that it left; keep what it used."""
    process.stdin.close()
    if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        os.killpg(process.pid, signal.SIGKILL)
    _, status, process.used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    until = monotonic() + 3
    while left := set(psutil.Process().children()) - others:
        for child in left:
            with contextlib.suppress(psutil.Error):
                if monotonic() > until:
                    child.kill()
                child.wait(0.05)


def _look(pid, result):
    """Add up the memory of a process and all below it."""
    total, unread = 0, 0
    try:
        tree = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return
    for number in tree:
        try:
            total += proportional(number)
        except PermissionError:
            unread += 1
        except OSError:  # it has ended
            continue
    result.memory.append((time(), total))
    result.unread = max(result.unread, unread)


def _busy():
    """Seconds of processor time that this machine has used or lost to its host, all in all."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def proportional(pid):
    """Bytes of a process, with its part of what it shares with others."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


def counts_everything():
    """Whether the time of processes that nobody waits for is counted here."""
    return 0.15 < run([sys.executable, "-S", "-c", ORPHANS]).cpu < 0.6
