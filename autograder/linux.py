"""The calls to Linux that the sandbox needs and Python 3.11 does not have."""

import ctypes
import errno
import os
import platform
import socket
import struct

NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
SPACES = NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWPID | NEWNET
NOSUID, NODEV, NOEXEC, BIND, RECURSIVE, PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
NOSYMFOLLOW = 256  # Linux 5.10
SEAL_RDONLY, SEAL_NOSUID, SEAL_NODEV, SEAL_RECURSIVE = 1, 2, 4, 0x8000
PDEATHSIG, DUMPABLE, SECCOMP, CAPBSET_DROP, NO_NEW_PRIVS, CAP_AMBIENT = 1, 4, 22, 24, 38, 47
SPARE_ID = 0x70000000  # with a process number added: user ids that no system hands out
DETACH, MOUNT_SETATTR, CURRENT_FOLDER = 2, 442, -100

# Calls refused inside: memory that no limit counts (memfd_create, memfd_secret, shmget, semget,
# msgget), and doors into the kernel that homework does not need (add_key, request_key, keyctl, bpf,
# perf_event_open, userfaultfd, io_uring_setup, io_uring_enter, io_uring_register, unshare, setns).
# By machine: its AUDIT_ARCH; clone, clone3, socket, mmap; the refused.
CALLS = {
    "x86_64": (0xC000003E, (56, 435, 41, 9), (319, 447, 29, 64, 68, 248, 249, 250, 321, 298, 323,
                                              425, 426, 427, 272, 308)),
    "aarch64": (0xC00000B7, (220, 435, 198, 222), (279, 447, 194, 190, 186, 217, 218, 219, 280, 241,
                                                   282, 425, 426, 427, 97, 268)),
}
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    """Raise OSError "cannot <what>: <why>" if a C function returned -1."""
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot {what}: {os.strerror(code)}")


def spare_id(path):
    """An id from the map of ids at `path` that no user has, other for every running process."""
    with open(path) as file:
        ranges = [tuple(map(int, line.split())) for line in file]
    if any(start <= SPARE_ID and start + count > SPARE_ID + 2**22 for start, _, count in ranges):
        return SPARE_ID + os.getpid()
    start, _, count = max(ranges, key=lambda r: r[2])
    if count < 2:
        raise OSError(errno.EPERM, "cannot find another user for root to become")
    return start + count - 1 - os.getpid() % (count // 2)


def unshare(spaces):
    """Move this process, and its children to come, into new namespaces."""
    check(libc.unshare(spaces), "make namespaces")


def mount(source, target, kind=None, flags=0, data=None):
    """Mount `source`, or a file system of the kind, on `target`."""
    texts = [text.encode() if text else None for text in (source, target, kind, data)]
    check(libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]), f"mount {target}")


def seal(target, attributes, flags=0):
    """Add attributes, as SEAL_RDONLY, to a mount, or with SEAL_RECURSIVE to all below it too."""
    values = struct.pack("QQQQ", attributes, 0, 0, 0)
    result = libc.syscall(ctypes.c_long(MOUNT_SETATTR), CURRENT_FOLDER, target.encode(),
                          ctypes.c_uint(flags), values, ctypes.c_size_t(len(values)))
    check(result, f"seal {target}")


def change_root(folder):
    """Make `folder`, a mount, the root of this mount namespace, and let go of the old one."""
    os.chdir(folder)
    check(libc.pivot_root(b".", b"."), "change the root folder")
    check(libc.umount2(b".", DETACH), "leave the old root folder")
    os.chdir("/")


def prctl(option, value, *more):
    """prctl(2): -1 on failure."""
    return libc.prctl(option, *(ctypes.c_ulong(v) for v in (value, *more, 0, 0, 0)[:4]))


def drop_bounds():
    """Let no program that is started have a capability; needs CAP_SETPCAP."""
    capability = 0
    while prctl(CAPBSET_DROP, capability) == 0:
        capability += 1


def drop_capabilities():
    """Give up every capability, and the means to get one again."""
    prctl(CAP_AMBIENT, 4)  # clear all
    check(libc.capset(struct.pack("Ii", 0x20080522, 0), bytes(24)), "drop capabilities")
    check(prctl(NO_NEW_PRIVS, 1), "give up new privileges")


def filter_calls():
    """Refuse what CALLS says to this process and all that it starts; needs drop_capabilities."""
    if platform.machine() not in CALLS:
        raise OSError(errno.ENOSYS, f"cannot filter system calls on {platform.machine()}")
    arch, (clone, clone3, new_socket, mmap), refused = CALLS[platform.machine()]
    load, and_, equal, at_least, any_bit, end = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
    number, argument = 0, (16, 24, 32, 40)  # where they stand in what the filter is given
    refuse, allow = 0x00050000, 0x7FFF0000
    program = []

    def add(code, value, then=0, otherwise=0):
        program.append(struct.pack("HBBI", code, then, otherwise, value))

    def refuse_if(code, value, error=errno.EPERM):
        add(code, value, 0, 1)
        add(end, refuse | error)

    add(load, 4)
    add(equal, arch, 1, 0)
    add(end, refuse | errno.EPERM)
    add(load, number)
    refuse_if(at_least, 0x40000000)  # the other numbers that x86-64 has
    for call in refused:
        refuse_if(equal, call)
    refuse_if(equal, clone3, errno.ENOSYS)  # its flags are out of sight; clone's are not
    add(equal, clone, 0, 3)
    add(load, argument[0])
    refuse_if(any_bit, SPACES | NEWUSER)
    add(load, number)
    add(equal, mmap, 0, 4)  # shared and anonymous: pages that stay when they are unmapped
    add(load, argument[3])
    add(and_, 0x21)
    refuse_if(equal, 0x21)
    add(load, number)
    add(equal, new_socket, 0, 2 + len(FAMILIES))
    add(load, argument[0])
    for i, family in enumerate(FAMILIES):
        add(equal, family, len(FAMILIES) - i, 0)
    add(end, refuse | errno.EAFNOSUPPORT)
    add(end, allow)
    code = ctypes.create_string_buffer(b"".join(program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program),
                                                     ctypes.addressof(code)))
    check(prctl(SECCOMP, 2, ctypes.addressof(header)), "filter system calls")
