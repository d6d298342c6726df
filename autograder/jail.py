"""Run a command in namespaces of its own: the program behind `autograder.sandbox.wrap`.

    python -I -S jail.py SPEC COMMAND...

`autograder/zygote.py` does the same to its own children, through `main`.

Three processes. The *warden*, this one, stays outside: it passes signals on, watches the limits,
and ends everything when its parent ends. The *init* is process 1 of the new namespaces: when it
ends, Linux ends all that is in them. The *command* is its child. SPEC is what `wrap` writes.

The command writes to stdout only. On stderr stand the jail's own lines: ``ready`` once the command
is shut in, ``killed: <reason>`` when it went over a limit, or one line on why it was not started.
Needs nothing but the standard library and Linux 5.14.
"""

import json
import os
import resource
import select
import signal
import socket
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # for `linux`, after all of Python's

import linux  # noqa: E402
import warden  # noqa: E402

INNER_ID = 1000  # the user that an ordinary user seems to be inside
ADDRESSES = 16 * 2**30  # bytes of addresses that a process may have beyond its memory
DEVICES = ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")
# Not /dev/zero: mapped, it is memory that no limit counts.


def enter():
    """Move this process into new namespaces; return the user and group ids for the command."""
    if os.geteuid() == 0:
        ids = linux.spare_id("/proc/self/uid_map"), linux.spare_id("/proc/self/gid_map")
        linux.unshare(linux.SPACES)
        return ids
    outer = os.geteuid(), os.getegid()
    linux.unshare(linux.SPACES | linux.NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{INNER_ID} {outer[0]} 1"),
                       ("gid_map", f"{INNER_ID} {outer[1]} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    return INNER_ID, INNER_ID


def build_root(spec, uid, gid):
    """Make the file system that the command sees, and move into it."""
    linux.mount(None, "/", None, linux.RECURSIVE | linux.PRIVATE)
    shown = {path: os.open(path, os.O_PATH | os.O_CLOEXEC)
             for path in (*spec["show"], *DEVICES) if os.path.exists(path)}
    root = "/tmp"  # it is there, and what it holds has been opened
    quiet = linux.NOSUID | linux.NODEV
    linux.mount("tmpfs", root, "tmpfs", quiet, "mode=755,size=1m,nr_inodes=4096")
    for path, target in spec["links"].items():
        os.symlink(target, root + path)
    for path, text in spec["files"].items():
        make(root + path)
        with open(root + path, "w") as file:
            file.write(text.format(uid=uid, gid=gid))
    make(root + "/proc", folder=True)
    linux.mount("proc", root + "/proc", "proc", quiet | linux.NOEXEC)
    linux.seal(root + "/proc", linux.SEAL_RDONLY)
    make(root + "/dev/pts", folder=True)  # IPython's ! lines open a terminal of their own
    linux.mount("devpts", root + "/dev/pts", "devpts", linux.NOSUID | linux.NOEXEC,
                "newinstance,ptmxmode=0666")
    os.symlink("pts/ptmx", root + "/dev/ptmx")
    # One limited file system in memory holds all that the command can write to.
    private = root + "/tmp"
    make(private, folder=True)
    # The grader finds the kernel's sockets by their path: no link of a student's may lead it away.
    linux.mount("tmpfs", private, "tmpfs", quiet | linux.NOSYMFOLLOW,
                f"mode=755,size={spec['limits']['scratch']},nr_inodes=32768")
    for path in spec["private"]:
        source = private + "/" + path.strip("/").replace("/", "-")
        os.mkdir(source)
        os.chmod(source, 0o1777)
        shown[path] = os.open(source, os.O_PATH | os.O_CLOEXEC)
    masks = []
    for path in sorted({*shown, *spec["hide"]}, key=lambda p: p.count("/")):
        target = root + path
        if path in shown:
            source = f"/proc/self/fd/{shown[path]}"
            make(target, folder=os.path.isdir(source))
            linux.mount(source, target, None, linux.BIND | linux.RECURSIVE)
            os.close(shown[path])
            if path not in spec["private"]:
                device = 0 if path in DEVICES else linux.SEAL_NODEV
                linux.seal(target, linux.SEAL_RDONLY | linux.SEAL_NOSUID | device,
                           linux.SEAL_RECURSIVE)
        elif os.path.isdir(target):  # something shown holds it
            linux.mount("tmpfs", target, "tmpfs", quiet, "mode=755,size=64k")
            masks.append(path)
    for path in (spec["env"]["HOME"], spec["folder"]):
        os.mkdir(root + path)
        os.chown(root + path, uid, gid)
    linux.change_root(root)
    for path in ["/", *masks]:
        linux.seal(path, linux.SEAL_RDONLY)


def make(path, folder=False):
    """Make an empty folder, or an empty file, to mount on or write to."""
    os.makedirs(path if folder else os.path.dirname(path), exist_ok=True)
    if not folder and not os.path.exists(path):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def give_up_rights(limits, uid, gid):
    """Set the limits of every process inside, and drop ids and capabilities for good."""
    for name, value in (("DATA", limits["memory"]), ("AS", limits["memory"] + ADDRESSES),
                        ("FSIZE", limits["file_size"]), ("NPROC", limits["processes"]),
                        ("NOFILE", limits["open_files"]), ("CPU", limits["cpu"] + 5),
                        ("CORE", 0), ("MEMLOCK", 0), ("MSGQUEUE", 0)):
        kind = getattr(resource, f"RLIMIT_{name}", 12)  # Python 3.11 does not know MSGQUEUE
        most = resource.getrlimit(kind)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))
    linux.drop_bounds()
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    linux.drop_capabilities()


def run_init(spec, start, lifeline, keep):
    """Be process 1: shut everything in, start the command, reap what ends; end with the command."""
    build_root(spec, *spec["ids"])
    socket.sethostname("sandbox")
    give_up_rights(spec["limits"], *spec["ids"])
    linux.prctl(linux.DUMPABLE, 0)  # nothing inside may look into this process
    linux.prctl(linux.PDEATHSIG, signal.SIGKILL)
    if select.select([lifeline], [], [], 0)[0]:  # the warden had gone before
        os._exit(1)
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(spec["folder"])
        linux.filter_calls()
        for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.write(2, b"ready\n")
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(1, 2)
        os.closerange(3 + keep, 4096)
        start()
        os._exit(0)
    signal.signal(signal.SIGINT, lambda *_: os.killpg(child, signal.SIGINT))
    os.closerange(2, 3 + keep)
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def main(spec, start, keep=0):
    """Shut the process that calls `start` in as `spec` says, and return its exit code.

    The first `keep` file descriptors after 0, 1 and 2 stay open for it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.closerange(3 + keep, 65536)
    os.chdir("/")
    os.umask(0o022)
    try:
        with open("/proc/self/oom_score_adj", "w") as file:  # should memory run out, it goes first
            file.write("1000")
        spec["ids"] = enter()
        lifeline, end = os.pipe()
        init = os.fork()
        if init == 0:
            os.close(end)
            run_init(spec, start, lifeline, keep)
        os.close(lifeline)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        os.write(2, f"{error.strerror}{where}\n".encode())
        os._exit(1)
    os.closerange(3, 3 + keep)
    return warden.watch(spec, init)


if __name__ == "__main__":
    read, command = json.loads(sys.argv[1]), sys.argv[2:]
    sys.exit(main(read, lambda: os.execve(command[0], command, read["env"])))
