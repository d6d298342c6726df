"""A notebook's cells in this process, without a Jupyter kernel: what comes out goes to a channel.

`make` builds the shell once; a process that was forked afterwards calls `serve` with its end of a
socket pair. A frame is the length of what follows (4 bytes, big-endian) and JSON: a question is
``{"run": source, "count": bool, "test": bool, "inputs": {check: length}}``, and as many bytes come
after it for each check; answers have the kind and the content of Jupyter's messages, and the last
is ``idle``.
"""

import base64
import builtins
import contextlib
import copy
import getpass
import os
import random
import signal
import sys
import warnings
from types import TracebackType

from channel import Stream, emit, flush, open_channel  # noqa: F401  (the fork server's too)
from compiling import Compiler, Syntax, file_name
from IPython.core import page
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.ultratb import FrameInfo
from IPython.paths import get_ipython_dir
from stack_data import RepeatedFrames
from traitlets import Type

INSIDE = 2  # the number that a notebook's process has in its sandbox
DEEPEST, KEPT = 100, 10  # calls in a traceback; of a deeper one, at each end
SEEN = {"TERM": "xterm-color", "CLICOLOR": "1", "FORCE_COLOR": "1", "CLICOLOR_FORCE": "1",
        "PAGER": "cat", "GIT_PAGER": "cat",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # ipykernel's variables


def _encoded(data):
    """A MIME bundle with bytes in base64."""
    return {kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for kind, value in data.items()}


class Results(DisplayHook):
    """Sends the value of a cell's last expression."""

    def start_displayhook(self):
        """Nothing."""

    def write_output_prompt(self):
        """Nothing."""

    def write_format_data(self, format_dict, md_dict=None):
        """Send the value in all its forms."""
        if format_dict:
            emit("execute_result", {"data": _encoded(format_dict), "metadata": md_dict or {},
                                    "execution_count": self.prompt_count})

    def finish_displayhook(self):
        """Nothing."""


class Displays(DisplayPublisher):
    """Sends what `display` shows, pictures among it."""

    def publish(self, data, metadata=None, *, transient=None, update=False, **_):
        """Send a MIME bundle, or what takes the place of an earlier one."""
        self._validate_data(data, metadata)
        emit("update_display_data" if update else "display_data", {
            "data": _encoded(data), "metadata": metadata or {}, "transient": transient or {}})

    def clear_output(self, wait=False):
        """Send that what was shown may go; a grader keeps it."""
        emit("clear_output", {"wait": wait})


class Shell(InteractiveShell):
    """IPython's shell with the channel in the place of a terminal."""

    displayhook_class = Type(Results)
    display_pub_class = Type(Displays)
    compiler_class = Type(Compiler)
    shown = None, []  # the last exception and its traceback

    def __init__(self, *args, **kwargs):
        super().__init__(*args, input_transformer_manager=Syntax(), **kwargs)
        self.input_transformer_manager.compiler = self.compile

    def prepare(self, sources):
        """Compile cells that are the same in many notebooks, before the processes that run them.

        Not what changes the compiler, and not what it warns of: each process has its own warnings.
        """
        for source in sources:
            if "__future__" in source:
                continue
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("error")
                cell = self.transform_cell(source)
                self.compile.prepare(cell, file_name(source, INSIDE))
                self.input_transformer_manager.prepared[source] = cell

    def transform_ast(self, node):
        """The tree after transformers of the notebook's own, which get a copy to work on."""
        return super().transform_ast(copy.deepcopy(node) if self.ast_transformers else node)

    def should_run_async(self, raw_cell, *, transformed_cell=None, **about):
        """Whether the cell awaits something; one without the words is not compiled to find out."""
        if transformed_cell and not ("await" in transformed_cell or "async" in transformed_cell):
            return False
        return super().should_run_async(raw_cell, transformed_cell=transformed_cell, **about)

    def init_environment(self):
        """Tell programs what they may use: colours, no pager, no window."""
        os.environ.update(SEEN)

    def init_hooks(self):
        """Show no help: a notebook would have it in a window of its own."""
        super().init_hooks()
        self.set_hook("show_in_pager", page.as_hook(lambda *_, **__: None), 99)

    def init_traceback_handlers(self, custom_exceptions):
        """Leave out the middle of deep tracebacks, which take IPython seconds."""
        super().init_traceback_handlers(custom_exceptions)
        records = self.InteractiveTB.get_records
        self.InteractiveTB.get_records = lambda etb, context, offset: _at_both_ends(
            etb, lambda part: records(part, context, offset))

    @property
    def db(self):
        """IPython's notes, in the home of whoever asks first, which is no fork server."""
        if self._db is None:
            self.ipython_dir = get_ipython_dir()
            self.init_profile_dir(None)
        return super().db

    def init_history(self):
        """Keep no history on disk."""
        self.config.HistoryManager.hist_file = ":memory:"
        self.config.HistoryManager.enabled = False
        super().init_history()

    def enable_gui(self, gui=None):
        """Nothing: there is no window."""

    def _showtraceback(self, etype, evalue, stb):
        self.shown = evalue, list(stb)
        emit("error", {"ename": etype.__name__, "evalue": str(evalue), "traceback": list(stb)})

    def _format_exception_for_storage(self, exception, *args, **kwargs):
        """What `%notebook` may write, without making a traceback twice."""
        shown, lines = self.shown
        if shown is not exception:
            return super()._format_exception_for_storage(exception, *args, **kwargs)
        return {"ename": type(exception).__name__, "evalue": str(exception), "traceback": lines}

    def ask_exit(self):
        """End the process, as `exit` ends a kernel."""
        flush()
        os._exit(0)


def _at_both_ends(trace, records):
    """What `records` makes of a traceback, or of its two ends if it is deep."""
    steps = []
    while trace:
        steps.append(trace)
        trace = trace.tb_next
    if len(steps) <= DEEPEST:
        return records(steps[0])
    start = None
    for step in reversed(steps[:KEPT]):
        start = TracebackType(start, step.tb_frame, step.tb_lasti, step.tb_lineno)
    middle = RepeatedFrames(steps[KEPT:-KEPT], [(step.tb_frame.f_code, step.tb_lineno)
                                                for step in steps[KEPT:-KEPT]])
    return [*records(start), FrameInfo._from_stack_data_FrameInfo(middle), *records(steps[-KEPT])]


def _refuse(name):
    """A function that stands for `input`: nobody is there to answer."""
    def ask(*_, **__):
        raise StdinNotImplementedError(
            f"{name} was called, but this frontend does not support input requests.")
    return ask


def make():
    """The shell of this process."""
    return Shell.instance()


def serve(shell, number):
    """Run the cells that come through file descriptor `number`, until its other end closes."""
    from autograder import checking, drivers

    me = os.getpid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number_of_signal in (signal.SIGPIPE, signal.SIGXFSZ):  # errors in Python, not its end
        signal.signal(number_of_signal, signal.SIG_IGN)
    sys.modules.pop("channel", None)
    channel = open_channel(number)
    shell.init_environment()
    builtins.input, getpass.getpass = _refuse("raw_input"), _refuse("getpass")
    _reseed()
    channel.send("ready", {})
    while True:
        try:
            question = channel.receive()
            if question is None:
                return
            drivers.linger(question["test"])
            checking.given = question["inputs"]
            shell.run_cell(question["run"], store_history=question["count"])
        except KeyboardInterrupt:  # it came too late for the cell
            pass
        if os.getpid() != me:  # a fork of the student's, which came back from its cell
            os._exit(0)
        flush()
        channel.send("idle", {"execution_count": shell.execution_count - 1})


def _reseed():
    """Random numbers of its own: a fork would repeat its siblings'."""
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        sys.modules["torch"].seed()
