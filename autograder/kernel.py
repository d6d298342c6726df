"""Kernels that run in the sandbox, for nbclient, nbconvert and nbgrader.

``c.Execute.kernel_manager_class = "autograder.kernel.SandboxKernelManager"`` is all it takes.
"""

import asyncio
import os
import re
import select
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import zmq
import zmq.asyncio
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import LocalProvisioner
from traitlets import Bool, Instance

from autograder import sandbox
from autograder.sandbox import SandboxError
from autograder.warm import copy_student_side

START = 30  # seconds in which a sandbox must stand
LARGEST_MESSAGE = 8_000_000  # bytes of one message that a kernel may send
MESSAGES = 50  # how many may wait
LONGEST = 80  # characters of a folder for sockets, whose paths may have 107


class SandboxProvisioner(LocalProvisioner):
    """Starts a kernel in the sandbox, under the limits of its manager."""

    _lines = None  # where the sandbox says what it does: a file descriptor
    _said = b""

    async def launch_kernel(self, cmd, **kwargs):
        """Start the command `cmd` in the sandbox; raise SandboxError if that is not possible."""
        manager = self.parent
        reason = sandbox.unavailable()
        if reason:
            raise SandboxError(reason)
        for entry in os.scandir(manager.runtime):  # only this user gets as far as to its folder
            mode = entry.stat(follow_symlinks=False).st_mode
            if not stat.S_ISLNK(mode):
                os.chmod(entry, 0o666 if stat.S_ISSOCK(mode) else 0o644)
        command = sandbox.wrap(cmd, manager.runtime, manager.limits, [manager.student_side],
                               sockets=manager.sockets, env=manager.variables)
        self._close()
        self._said = b""
        self._lines, lines = os.pipe()
        kwargs.update(cwd="/", env={}, stdin=subprocess.DEVNULL, stderr=lines)
        try:
            with open(manager.log_file, "wb") as output:
                info = await super().launch_kernel(command, stdout=output, **kwargs)
        finally:
            os.close(lines)
        said = await asyncio.to_thread(self._listen, START)
        if not said.startswith(b"ready\n"):
            await self.kill()
            line = (said.decode(errors="replace").strip().splitlines() or ["it did not stand"])[-1]
            raise SandboxError(f"the kernel was not started, no sandbox could be made: {line}")
        # The sockets are in the sandbox's own memory; a link makes their paths good out here.
        if manager.sockets.is_symlink():
            manager.sockets.unlink()
        manager.sockets.symlink_to(f"/proc/{self.process.pid}/root{manager.sockets}")
        return info

    def _listen(self, seconds):
        """All that the sandbox has said, after waiting up to `seconds` for a line."""
        lines = select.poll()
        if self._lines is not None:
            lines.register(self._lines)
        while self._lines is not None and lines.poll(seconds * 1000):
            data = os.read(self._lines, 4096)
            if not data:
                self._close()
            self._said += data
            if b"\n" in data:
                seconds = 0
        return self._said

    @property
    def killed_for(self):
        """Why the sandbox killed the kernel, in plain words, or None."""
        found = re.search(rb"^killed: (.*)$", self._listen(0), re.MULTILINE)
        return found and found[1].decode()

    async def kill(self, restart=False):
        """Kill all that is in the sandbox, and wait until it has gone."""
        if self.process:
            self.process.terminate()  # the warden kills, waits, and ends last
            for _ in range(300):
                if self.process.poll() is not None:
                    return
                await asyncio.sleep(0.01)
            await super().kill(restart)

    async def cleanup(self, restart=False):
        """Keep what the sandbox said, and let go of the rest."""
        self._listen(0)
        self._close()
        await super().cleanup(restart)

    def _close(self):
        if self._lines is not None:
            os.close(self._lines)
            self._lines = None


class SandboxKernelManager(AsyncKernelManager):
    """Starts this Python's kernel, in the sandbox unless `sandboxed` is False.

    What a notebook asks for as its kernel counts for nothing. `runtime` is a folder that the kernel
    can read at the same path: the place for ``judge.sock``, a socket of the grader's, which the
    kernel finds in its variable AUTOGRADER_SOCKET.
    """

    sandboxed = Bool(True, help="False: run kernels without a sandbox").tag(config=True)
    limits = Instance(sandbox.Limits, (), help="what a sandboxed kernel may use").tag(config=True)
    _folder = None

    def _context_default(self):
        """Sockets that take in no more than a grader can hold, whatever a kernel sends."""
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.MAXMSGSIZE, LARGEST_MESSAGE)
        context.setsockopt(zmq.RCVHWM, MESSAGES)
        return context

    @property
    def folder(self):
        """A folder that only this user can enter; it goes when the kernel's resources do."""
        if self._folder is None:
            place = tempfile.gettempdir()
            place = place if len(place) < LONGEST else "/tmp"
            self._folder = tempfile.TemporaryDirectory(prefix="kernel-", dir=place,
                                                       ignore_cleanup_errors=True)
            for name in ("runtime", "python"):
                (Path(self._folder.name) / name).mkdir()
        return Path(self._folder.name)

    @property
    def runtime(self):
        """The folder that the kernel can read."""
        return self.folder / "runtime"

    @property
    def sockets(self):
        """The folder of the kernel's own sockets."""
        return self.folder / "sockets"

    @property
    def log_file(self):
        """What the kernel's process itself wrote; if it dies at once, why."""
        return self.folder / "kernel.log"

    @property
    def variables(self):
        """The environment variables that tell the kernel where the grader's socket is."""
        path = self.runtime / "judge.sock"
        return {"AUTOGRADER_SOCKET": str(path)} if path.is_socket() else {}

    @property
    def student_side(self):
        """A folder with what of the course a student's notebook imports, and nothing else."""
        target = self.folder / "python"
        if not any(target.iterdir()):
            copy_student_side(target)
        return target

    @property
    def killed_for(self):
        """Why the sandbox killed the kernel, in plain words, or None."""
        return getattr(self.provisioner, "killed_for", None)

    @property
    def kernel_spec(self):
        """This Python's own kernel, whatever is installed elsewhere under its name."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")

    async def _async_pre_start_kernel(self, **kwargs):
        self.connection_file = str(self.runtime / "connection.json")
        self.transport = "ipc"
        self.ip = str(self.sockets / "kernel")
        if self.sandboxed and self.provisioner is None:
            self.kernel_id = self.kernel_id or kwargs.pop("kernel_id", self.folder.name)
            self.provisioner = SandboxProvisioner(kernel_id=self.kernel_id, parent=self,
                                                  kernel_spec=self.kernel_spec)
        if not self.sandboxed:
            self.sockets.mkdir(exist_ok=True)
            kwargs["env"] = {**kwargs.get("env", os.environ), **self.variables}
        return await super()._async_pre_start_kernel(**kwargs)

    async def _async_cleanup_resources(self, restart=False):
        await super()._async_cleanup_resources(restart=restart)
        if self._folder is not None and self.log_file.exists():
            with open(self.log_file, errors="replace") as file:
                self.log.debug("The kernel wrote: %s", file.read(10_000))
        if not restart and self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    pre_start_kernel = _async_pre_start_kernel
    cleanup_resources = _async_cleanup_resources
