"""A fork server: a process that has imported all that notebooks import, and forks into sandboxes.

    python -I zygote.py FOLDER CONTROL DOOR

FOLDER holds what the course has for a student's side. CONTROL is the number of a socket to the
process that started the server, DOOR that of a socket at which others may connect. A request is
the JSON of a `sandbox.plan` and two file descriptors: the notebook's channel (see
`autograder/shell.py`) and the pipe for the jail's own lines (see `autograder/jail.py`). The answer
is the number of the warden's process and a handle of it. A request that is a list has sources of
cells that notebooks to come will share; they are compiled, and nothing is answered. When a socket
closes, the sandboxes that were asked for through it end; when CONTROL does, the server ends, and
every sandbox with it.

It holds nothing secret, and has one thread when it forks: threads do not live on in a fork.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PRELOAD = ("numpy", "torch", "torch._dynamo", "matplotlib", "matplotlib.pyplot",
           "matplotlib_inline.backend_inline", "autograder", "autograder.checking",
           "autograder.drivers", "strokes")
WARM = """import matplotlib.pyplot as plt, torch
plt.plot([1, 2])
plt.show()
x, w = torch.ones(2, 1, 5, 5, requires_grad=True), torch.ones(1, 1, 3, 3, requires_grad=True)
torch.nn.functional.conv2d(x, w).mean().backward()
torch.optim.SGD([w], lr=0.1).step()
from autograder.drivers import without
with without({"convolution"}):
    pass
x"""
# A traceback through a file of torch's has that file parsed first, for 70 ms and more.
ERRORS = ("1/0", "torch.testing.assert_close(x, x + 1)", "torch.nn.Linear(2, 3)(x)",
          "torch.einsum('ij', x)")
COLLAPSE = 25  # MADV_COLLAPSE, Linux 6.1
HUGE = 1 << 21


def preload(folder):
    """Import all that notebooks import, run a cell of each kind, and return the shell."""
    sys.path[:0] = [folder]
    sys.path.append(HERE)
    import shell

    made = shell.make()
    for name in PRELOAD:
        importlib.import_module(name)
    for module in pkgutil.iter_modules(sys.modules["autograder.drivers"].__path__):
        importlib.import_module(f"autograder.drivers.{module.name}")
    from matplotlib_inline.backend_inline import configure_inline_support

    configure_inline_support(made, "inline")
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = shell.Stream("stdout", 1), shell.Stream("stderr", 2)
    for source in (WARM, *ERRORS):
        made.run_cell(source, store_history=False)
    sys.stdout, sys.stderr = kept
    made.reset(new_session=True)
    made.execution_count = 1
    return made


def collapse():
    """Put this process's memory into large pages: forks copy fewer tables, and are faster."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    with open("/proc/self/maps") as file:
        maps = [line.split() for line in file]
    for place, rights, *_, name in (line if len(line) > 5 else [*line, ""] for line in maps):
        if rights.startswith("rw") and name in ("", "[heap]"):
            start, end = (int(part, 16) for part in place.split("-"))
            for page in range(-(-start // HUGE) * HUGE, end // HUGE * HUGE, HUGE):
                libc.madvise(page, HUGE, COLLAPSE)


def become(shell_of_this_process, plan):
    """Be the process in which a notebook's cells run: the last step of the jail."""
    import linux
    import shell

    linux.prctl(linux.DUMPABLE, 1)  # as after the start of a program
    os.environ.clear()
    os.environ.update(plan["env"])
    sys.argv[:] = ["notebook"]
    sys.path[:] = ["", *(path for path in sys.path if path != HERE)]
    for name in ("jail", "linux", "warden", "shell", "compiling"):
        sys.modules.pop(name, None)
    shell.serve(shell_of_this_process, 3)


def fork(shell, plan, channel, lines):
    """Fork a sandbox with a notebook's process in it; return the warden's process number."""
    import jail

    plan["owner"] = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(lines, 2)
        os.dup2(channel, 3)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = jail.main(plan, lambda: become(shell, plan), keep=1)
    finally:
        os._exit(code)


def main(folder, control, door):
    """Serve until the socket `control` closes."""
    control, door = socket.socket(fileno=control), socket.socket(fileno=door)
    shell = preload(folder)
    import jail  # noqa: F401  (before the fork, for all of them)

    gc.collect()
    gc.freeze()
    collapse()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended forks need no wait
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control.send(b"ready")
    served = selectors.DefaultSelector()
    served.register(door, selectors.EVENT_READ)
    served.register(control, selectors.EVENT_READ, [])
    while True:
        for key, _ in served.select():
            if key.fileobj is door:
                served.register(door.accept()[0], selectors.EVENT_READ, [])
            elif not answer(key.fileobj, shell, key.data):
                if key.fileobj is control:
                    return
                end(key.data)
                served.unregister(key.fileobj)
                key.fileobj.close()


def answer(connection, shell, handles):
    """Serve one request, if there is one; `handles` are those of the connection's sandboxes."""
    try:
        request, numbers, _, _ = socket.recv_fds(connection, 1 << 20, 2)
        if not request:
            return False
        plan = json.loads(request)
        if isinstance(plan, list):
            shell.prepare(plan)
            gc.freeze()
            return True
        pid = fork(shell, plan, *numbers)
        for number in numbers:
            os.close(number)
        for handle in select.select(handles, [], [], 0)[0] if handles else ():  # they have ended
            handles.remove(handle)
            os.close(handle)
        handles.append(os.pidfd_open(pid))
        socket.send_fds(connection, [str(pid).encode()], [handles[-1]])
    except OSError:  # nobody is there any more
        return False
    return True


def end(handles):
    """End sandboxes, by the handles of their wardens."""
    for handle in handles:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(handle, signal.SIGTERM)
        os.close(handle)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
