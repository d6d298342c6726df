"""What the warden of a sandbox watches from outside, and when it ends everything inside.

Part of the program `jail.py`; needs nothing but the standard library.
"""

import os
import resource
import select
import signal

TICK = 0.1  # seconds between two looks
SOCKET = 2 * 212_992  # bytes that a Unix socket holds until they are read, at most


def usage(seen):
    """(bytes, CPU seconds) of all processes inside; `seen` keeps the time of those that ended."""
    if os.path.exists("/proc/self"):  # the machine's own: the sandbox has not yet gone into its
        return 0, 0.0
    total, page = 0, resource.getpagesize()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        seen[name, fields[19]] = int(fields[11]) + int(fields[12])
        total += int(fields[21]) * page
    return total, sum(seen.values()) / os.sysconf("SC_CLK_TCK")


def shared_once():
    """Bytes of memory of the processes inside, where what several of them share counts once."""
    total = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except OSError:  # it has ended
            continue
    return total * 1024


def unread():
    """Bytes that the sockets inside may hold: memory of no process."""
    try:
        with open("/proc/1/net/unix") as file:
            return sum(1 for _ in file) * SOCKET
    except OSError:  # all has ended
        return 0


def over(limits, seen):
    """Why the command must be killed, in plain words, or None."""
    memory, seconds = usage(seen)
    if seconds > limits["cpu"]:
        return f"it used more than {limits['cpu']} seconds of processor time"
    most = limits["total_memory"] - unread()
    if memory > most and shared_once() > most:
        return f"it used more than {limits['total_memory'] / 2**30:.3g} GB of memory"
    return None


def watch(spec, init):
    """Be the warden until init ends; return the exit code."""
    signal.signal(signal.SIGINT, lambda *_: os.kill(init, signal.SIGINT))
    signal.signal(signal.SIGTERM, lambda *_: os.kill(init, signal.SIGKILL))
    handle, seen = os.pidfd_open(init), {}
    while not select.select([handle], [], [], TICK)[0]:
        reason = over(spec["limits"], seen)
        if reason or os.getppid() != spec["owner"]:
            if reason:
                os.write(2, f"killed: {reason}\n".encode())
            os.kill(init, signal.SIGKILL)
            break
    code = os.waitstatus_to_exitcode(os.waitpid(init, 0)[1])
    return code if code >= 0 else 128 - code
