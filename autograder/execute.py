"""Run a submission in a sandboxed kernel, and let nobody but the grader say what it is worth.

`TrustedExecute` stands where nbgrader runs a notebook. It runs it cell by cell, with a budget; a
cell that hangs or kills its kernel costs its own points, and the rest goes on in a fresh one. The
kernel is a process of the fork server's, or, if `warm` is off, a Jupyter kernel behind nbclient.
When all has run, the outputs of each test cell are written anew from the verdicts of the `Desk`:
what the kernel printed, returned or patched does not count.
"""

import asyncio
import contextlib
import gc
import secrets
from time import monotonic

from nbclient.client import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade, is_locked, is_solution
from traitlets import Bool, Instance, Integer

from autograder import scan, warm, warm_kernel
from autograder.hidden_tests import checks, only_checks
from autograder.kernel import SandboxKernelManager
from autograder.outputs import Collector
from autograder.rebuild import REASON
from autograder.sandbox import Limits, SandboxError, unavailable

TOTAL_OUTPUT = 5  # times what one cell may print, for the whole notebook
TO_STOP = 4  # seconds that a cell has to end after it was interrupted
FRESH_KERNELS = 30  # how often one notebook may lose its kernel, if its budget lasts


class TrustedExecute(Execute):
    """nbgrader's Execute with a sandboxed kernel and verdicts from outside of it."""

    budget = Integer(300, help="Seconds for the whole notebook.").tag(config=True)
    output_limit = Integer(1_000_000, help="Bytes that one cell may print.").tag(
        config=True)
    sandbox = Bool(True, help="Isolate the kernel; without it, a notebook runs with all the rights "
                              "of whoever grades.").tag(config=True)
    warm = Bool(True, help="Run notebooks in forks of a process that has imported torch; without "
                           "it, or without the sandbox, in Jupyter kernels.").tag(config=True)
    limits = Instance(Limits, (), help="What a sandboxed notebook may use.").tag(config=True)
    seed = Integer(None, allow_none=True, help="Draws the inputs of the hidden tests. None draws "
                                               "others in each run.").tag(config=True)

    forked = None  # the warm kernel that runs
    _judge = None  # one per process: it remembers expected outcomes

    def __init__(self, *args, **kwargs):
        kwargs["kernel_manager_class"] = SandboxKernelManager
        super().__init__(*args, **kwargs)

    def judge(self):
        """The judge of this run."""
        from autograder.verdicts import Judge  # loads torch: not before a notebook is graded

        cls = type(self)
        seed = cls._judge.seed if cls._judge and self.seed is None else self.seed
        if cls._judge is None or cls._judge.seed != seed:
            cls._judge = Judge(secrets.randbits(60) if seed is None else seed)
            gc.freeze()  # torch and nbgrader stay: collections need not look at them each time
        return cls._judge

    def preprocess(self, nb, resources, km=None):
        """Run `nb`, write the verdicts into its test cells, and return both arguments."""
        from autograder.desk import Desk

        NotebookClient.__init__(self, nb, km)
        self.reset_execution_trackers()
        self._check_assign_resources(resources)
        self.timeout_func = self._seconds_for
        self.shutdown_kernel = "immediate"
        self.desk = Desk(self.judge())
        self.deadline = monotonic() + self.budget
        self.printed = 0  # bytes that the notebook has put out
        self.lost = {}  # cell number -> why it has no result
        if nb.cells and nb.cells[0].get("id") == REASON:
            self.lost = dict.fromkeys(range(len(nb.cells)), "the notebook could not be read")
        else:
            self._run_all()
        for index, cell in enumerate(nb.cells):
            if cell.cell_type == "code":
                self._write(index, cell)
        scan.mark(nb, self.desk.judge)
        return nb, resources

    def _seconds_for(self, cell):
        """The time a cell may take; the author's own, which import torch, are given more."""
        own = is_locked(cell) and not is_grade(cell)
        limit = max(self.timeout, 60) if own else self.timeout
        return max(1, min(limit, int(self.deadline - monotonic())))

    def _run_all(self):
        """Run every cell, in as many kernels as it takes."""
        done, index = [], 0
        for _ in range(FRESH_KERNELS):
            if monotonic() > self.deadline:
                break
            index = self._run_from(index, done)
            if index == len(self.nb.cells):
                return
        late = monotonic() > self.deadline
        for rest in range(index, len(self.nb.cells)):
            self.lost[rest] = (f"the notebook took longer than {self.budget} seconds" if late
                               else "too many cells before it killed their kernel")

    def _run_from(self, start, done):
        """Run cells in one kernel, and return the number of the first that has not run.

        `done` holds the numbers of earlier cells whose definitions later ones may need.
        """
        index = start
        with self._a_kernel() as kernel:
            for earlier in list(done):
                if monotonic() > self.deadline or self._run_cell(earlier):
                    done.remove(earlier)  # it ran before, and does not any more
                    return start
            for index in range(start, len(self.nb.cells)):
                if monotonic() > self.deadline:
                    self.lost[index] = f"the notebook took longer than {self.budget} seconds"
                    continue
                why = self._run_cell(index)
                if why:
                    self.lost[index] = kernel.killed_for or self.collector.full or why
                    return index + 1
                if not is_grade(self.nb.cells[index]):
                    done.append(index)
        return len(self.nb.cells)

    @contextlib.contextmanager
    def _a_kernel(self):
        """A kernel with the desk at its side, while the block runs."""
        if self.warm and self.sandbox:
            reason = unavailable()
            if reason:
                raise SandboxError(reason)
            server = warm.server()
            # These are the master copy's: what a student wrote is compiled in the sandbox.
            server.prepare(cell.source for cell in self.nb.cells
                           if cell.cell_type == "code" and is_locked(cell))
            try:
                with (contextlib.closing(server.kernel(self.limits)) as self.forked,
                      self.desk.listening(self.forked.socket)):
                    yield self.forked
            finally:
                self.forked = None
            return
        self.km = self.create_kernel_manager()
        self.km.sandboxed, self.km.limits = self.sandbox, self.limits
        try:
            with self.desk.listening(self.km.runtime / "judge.sock"), self.setup_kernel():
                yield self.km
        finally:
            self.km = self.kc = None

    def _run_cell(self, index):
        """Run one cell; return why its kernel can't be used any more, or None."""
        cell = self.nb.cells[index]
        self.desk.expect(checks(cell) if index not in self.lost else ())
        self.timed_out = False
        room = TOTAL_OUTPUT * self.output_limit - self.printed
        self.collector = Collector(max(0, min(self.output_limit, room)))
        try:
            if self.forked:
                self._run_forked(cell)
            else:
                self.execute_cell(cell, index, store_history=True)
        except warm_kernel.TooLarge:
            return f"it printed more than {self.output_limit:,} bytes"
        except Exception as error:  # a kernel can break nbclient in many ways
            if self.timed_out:
                return f"it took longer than {self.timeout} seconds, and would not stop"
            return f"its kernel died ({type(error).__name__})"
        finally:
            self.printed += self.collector.size
            self.desk.expect(())
        if self.timed_out:
            self.lost[index] = f"it took longer than {self.timeout} seconds"
        return self.collector.full

    def _run_forked(self, cell):
        """Run one cell in the forked kernel."""
        if cell.cell_type != "code" or not cell.source.strip():
            return
        cell.outputs = []
        seconds = self._seconds_for(cell)
        messages = self.forked.run(cell.source, seconds, test=only_checks(cell),
                                   inputs=self.desk.hand_out())
        while True:
            try:
                for kind, content in messages:
                    self.collector.take(kind, content, cell.outputs)
                    count = content.get("execution_count")
                    if kind == "idle" and isinstance(count, int):
                        cell.execution_count = count
                    if self.collector.full:
                        raise warm_kernel.KernelDied(self.collector.full)
                return
            except warm_kernel.TooLate:
                if self.timed_out:
                    raise
                self.timed_out = True
                self.forked.interrupt()
                messages = self.forked.messages(TO_STOP)

    async def _async_handle_timeout(self, timeout, cell=None):
        self.timed_out = True
        return await super()._async_handle_timeout(timeout, cell)

    def on_cell_executed(self, **kwargs):
        """Nothing: nbgrader would write into the outputs here."""

    def process_message(self, msg, cell, cell_index):
        """Take in one message of the kernel, within the limits of the collector."""
        content = msg.get("content", {})
        if msg["msg_type"] == "status" and content.get("execution_state") == "idle":
            raise CellExecutionComplete()
        was_full = self.collector.full
        self.collector.take(msg["msg_type"], content, cell.outputs)
        if self.collector.full and not was_full:
            asyncio.ensure_future(self.km.provisioner.kill())

    def _write(self, index, cell):
        """Outputs as the gradebook, formgrader and feedback may read them."""
        lost = self.lost.get(index)
        test = is_grade(cell) and not is_solution(cell)
        names = checks(cell)
        message = self._failure(names, cell.outputs, lost) if names else lost
        if test:
            cell.outputs = [_plain(output) for output in cell.outputs]
        if message:
            name = "CheckFailed" if names else "Stopped"
            cell.outputs.append(new_output("error", ename=name, evalue=message,
                                           traceback=f"{name}: {message}".split("\n")))

    def _failure(self, names, outputs, lost):
        """Why a test cell has no points, or None if every check in it passed."""
        verdicts = [self.desk.verdicts.get(name) for name in names]
        if all(verdict and verdict.passed for verdict in verdicts):
            return None
        said = next((v.message for v in verdicts if v and not v.passed), None)
        raised = [o.ename + (f": {o.evalue}" if o.evalue else "")
                  for o in outputs if o.output_type == "error"]
        return said or lost or (raised[-1] if raised else "the function could not be tested")


def _plain(output):
    """An output that nbgrader does not take for a verdict."""
    if output.output_type == "stream":
        return new_output("stream", name="stdout", text=output.text)
    if output.output_type == "error":
        return new_output("stream", name="stdout", text="\n".join(output.traceback) + "\n")
    return new_output("display_data", data=output.data)
