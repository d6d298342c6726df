"""Run a command where it can do no harm: no network, no course, no home, nothing that outlives it.

Made of Linux namespaces, limits and a filter of system calls, without help from other programs;
`autograder/jail.py` does it. Works for root and for ordinary users.
"""

import functools
import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

GB = 2**30
MB = 2**20
COURSE = Path(__file__).resolve().parents[1]
WAY_OUT = "or use --no-sandbox if you trust every submission"
OLDEST = (5, 14)  # Linux: counts processes for each user namespace, knows mount_setattr
HOME = "/tmp/home"
TOP = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
IN_PREFIX = ("bin", "include", "lib", "lib32", "lib64", "libexec", "pyvenv.cfg")
FILES = {  # the rest of /etc
    "/etc/passwd": "student:x:{uid}:{gid}::" + HOME + ":/bin/sh\n",
    "/etc/group": "student:x:{gid}:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n",
    "/etc/fonts/fonts.conf": "<fontconfig><cachedir>" + HOME + "/fonts</cachedir></fontconfig>\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
TRIAL = "import importlib.util as u; raise SystemExit(0 if u.find_spec('ipykernel') else 3)"


class SandboxError(RuntimeError):
    """A kernel was not started because its sandbox could not be made."""


@dataclass(frozen=True)
class Limits:
    """What a sandboxed command may use.

    memory: bytes that one process may allocate. Python sees MemoryError, torch RuntimeError.
    total_memory: bytes of all processes together; the sandbox is killed above it.
    processes: processes and threads together. cpu: seconds of processor time, all processes.
    file_size: bytes of one file. scratch: bytes of all files together; they live in memory.
    open_files: open files and sockets of one process.
    """

    memory: int = 3 * GB
    total_memory: int = 4 * GB
    processes: int = 128
    cpu: int = 600
    file_size: int = 256 * MB
    scratch: int = 512 * MB
    open_files: int = 512


@functools.cache
def unavailable():
    """None where a sandbox can be made, else one line: why not, and the way out.

    Makes one, the first time it is asked.
    """
    if sys.platform != "linux":
        return f"the sandbox needs Linux: grade in a Linux virtual machine or in WSL 2, {WAY_OUT}"
    release = platform.release()
    found = tuple(int(n) for n in re.findall(r"\d+", release)[:2])
    if found < OLDEST:
        return f"the sandbox needs Linux 5.14 or newer and this is {release}: update it, {WAY_OUT}"
    command = wrap([sys.executable, "-c", TRIAL], None, Limits())
    try:
        trial = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               cwd="/", env={}, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no sandbox can be made here ({error}): see the teacher's pages, {WAY_OUT}"
    if trial.returncode == 0:
        return None
    why = (trial.stderr.strip().splitlines() or ["no reason given"])[-1]
    if why.startswith("ready"):
        why = (f"{sys.executable} or its packages cannot be read inside; "
               "keep them in a virtual environment that every user can read")
    elif "make namespaces" in why:
        why += ("; a container needs more rights for it, Ubuntu needs "
                "kernel.apparmor_restrict_unprivileged_userns=0")
    return f"no sandbox can be made here ({why}): see the teacher's pages, {WAY_OUT}"


def wrap(command, shared, limits, python_path=(), sockets=None, env=None):
    """The command line that runs `command` in a sandbox, for the process that calls this.

    The other arguments are those of `plan`. `command` starts with an absolute path; it writes to
    stdout only, and stderr has the lines that `autograder/jail.py` describes.
    """
    spec = plan(shared, limits, python_path, sockets, env) | {"owner": os.getpid()}
    jail = Path(__file__).with_name("jail.py")
    return [sys.executable, "-I", "-S", str(jail), json.dumps(spec), *command]


def plan(shared, limits, python_path=(), sockets=None, env=None):
    """What a sandbox is to be like, for `autograder/jail.py`, but for its owner.

    `shared` and the folders of `python_path` are seen inside at their own paths, read-only; the
    latter are on PYTHONPATH. `sockets` is a folder made inside, in private memory: from outside it
    is /proc/<pid of the command line>/root/<sockets>. `env` has variables besides the usual ones;
    none come from this process.
    """
    mine = [os.path.abspath(folder) for folder in python_path]
    hidden = _hidden()
    return {
        "limits": asdict(limits),
        "show": _outermost([*_system(), *_python(), *mine, *(_absolute(shared))], hidden),
        "links": {path: os.readlink(path) for path in TOP if os.path.islink(path)},
        "hide": hidden,
        "files": FILES,
        "private": ["/tmp", "/dev/shm", *_absolute(sockets)],
        "folder": f"{HOME}/work",
        "env": environment(mine) | (env or {}),
    }


def _absolute(path):
    """The absolute path in a list, or an empty list for None."""
    return [os.path.abspath(path)] if path else []


def _system():
    """The system's programs and libraries, and the little of /etc that they need."""
    top = [path for path in TOP if not os.path.islink(path)]
    return ["/usr", *top, "/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives"]


def _python():
    """This Python and its packages: no more of its folders, which may lie in the course."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    prefixes |= {os.path.realpath(prefix) for prefix in prefixes}
    shown = [os.path.join(prefix, name) for prefix in prefixes for name in IN_PREFIX]
    program = sys.executable  # perhaps a link to a link: each has to be there
    while os.path.islink(program):
        program = os.path.join(os.path.dirname(program), os.readlink(program))
        shown.append(os.path.normpath(program))
    return shown


def _hidden():
    """What stays out of sight even where a shown folder holds it."""
    fonts = ["/usr/share/fonts", "/usr/local/share/fonts"]  # matplotlib would list them each time
    course = [str(COURSE)] if (COURSE / "nbgrader_config.py").exists() else []
    return [*fonts, *course, str(COURSE / "autograder"), os.path.expanduser("~")]


def _outermost(paths, hidden):
    """The paths that exist, without those that another one of them brings along."""
    kept = []
    for path in sorted({path for path in paths if os.path.exists(path)}):
        around = [p for p in (*kept, *hidden) if path.startswith(f"{p}/")]
        if path not in kept and (not around or max(around, key=len) not in kept):
            kept.append(path)
    return kept


def environment(python_path):
    """All the variables that a command sees."""
    env = {
        "PATH": f"{os.path.dirname(sys.executable)}:/usr/local/bin:/usr/bin:/bin",
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(python_path),
        "PYTHONHASHSEED": "0",
        "MPLCONFIGDIR": f"{HOME}/matplotlib",
        "IPYTHONDIR": f"{HOME}/ipython",
    }
    env |= {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    env |= {f"JUPYTER_{kind}_DIR": f"{HOME}/jupyter" for kind in ("CONFIG", "DATA", "RUNTIME")}
    return env
