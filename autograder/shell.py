"""A notebook's cells in this process, without a Jupyter kernel: what comes out goes to a channel.

`make` builds the shell once; a process that was forked afterwards calls `serve` with its end of a
socket pair. A frame is the length of what follows (4 bytes, big-endian) and JSON: a question is
``{"run": source, "count": bool}``; answers have the kind and the content of Jupyter's messages,
and the last is ``idle``.
"""

import base64
import io
import json
import os
import random
import select
import signal
import struct
import sys
import threading

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type

BUFFER = 1 << 16  # characters of a stream that wait until they are sent


class Channel:
    """The way to the grader; several threads may send."""

    def __init__(self, number):
        self.number, self.lock = number, threading.RLock()

    def send(self, kind, content):
        """Send one message; what is not JSON is sent as its repr."""
        body = json.dumps([kind, content], default=repr).encode()
        with self.lock:
            data = memoryview(struct.pack(">I", len(body)) + body)
            while data:
                data = data[os.write(self.number, data):]

    def receive(self):
        """The next question, or None when the grader has gone."""
        head = self._exactly(4)
        return json.loads(self._exactly(struct.unpack(">I", head)[0])) if head else None

    def _exactly(self, length):
        parts = bytearray()
        while len(parts) < length:
            part = os.read(self.number, length - len(parts))
            if not part:
                return None
            parts += part
        return bytes(parts)


_channel = None  # of this process


def _emit(kind, content):
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Stream):
            stream.flush()
    if _channel:
        _channel.send(kind, content)


class Stream(io.TextIOBase):
    """Standard output or error of a cell."""

    encoding, errors = "utf-8", "replace"

    def __init__(self, name, number):
        self.name, self.number = name, number
        self.parts, self.size, self.lock = [], 0, threading.RLock()

    def writable(self):
        """Return True."""
        return True

    def fileno(self):
        """Return the file descriptor that other programs write to."""
        return self.number

    def write(self, text):
        """Keep `text` until there is enough to send."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self.lock:
            self.parts.append(text)
            self.size += len(text)
            if self.size > BUFFER:
                self.flush()
        return len(text)

    def flush(self):
        """Send what was kept."""
        with self.lock:
            text, self.parts, self.size = "".join(self.parts), [], 0
        if text and _channel:
            _channel.send("stream", {"name": self.name, "text": text})


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
        _emit("execute_result", {"data": _encoded(format_dict), "metadata": md_dict or {},
                                 "execution_count": self.prompt_count})

    def finish_displayhook(self):
        """Nothing."""


class Displays(DisplayPublisher):
    """Sends what `display` shows, pictures among it."""

    def publish(self, data, metadata=None, **_):
        """Send a MIME bundle."""
        _emit("display_data", {"data": _encoded(data), "metadata": metadata or {}})

    def clear_output(self, wait=False):
        """Nothing: a grader reads what was shown first."""


class Shell(InteractiveShell):
    """IPython's shell with the channel in the place of a terminal."""

    displayhook_class = Type(Results)
    display_pub_class = Type(Displays)

    def init_history(self):
        """Keep no history on disk."""
        self.config.HistoryManager.hist_file = ":memory:"
        self.config.HistoryManager.enabled = False
        super().init_history()

    def enable_gui(self, gui=None):
        """Nothing: there is no window."""

    def _showtraceback(self, etype, evalue, stb):
        _emit("error", {"ename": etype.__name__, "evalue": str(evalue), "traceback": list(stb)})

    def ask_exit(self):
        """End the process, as `exit` ends a kernel."""
        os._exit(0)


def make():
    """The shell of this process."""
    return Shell.instance()


def serve(shell, number):
    """Run the cells that come through file descriptor `number`, until its other end closes."""
    global _channel
    _channel, me = Channel(number), os.getpid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number_of_signal in (signal.SIGPIPE, signal.SIGXFSZ):  # errors in Python, not its end
        signal.signal(number_of_signal, signal.SIG_IGN)
    sys.stdout, sys.stderr = Stream("stdout", 1), Stream("stderr", 2)
    captured = _Captured(_channel)
    _reseed()
    _channel.send("ready", {})
    while True:
        try:
            question = _channel.receive()
            if question is None:
                return
            shell.run_cell(question["run"], store_history=question["count"])
        except KeyboardInterrupt:  # it came too late for the cell
            pass
        if os.getpid() != me:  # a fork of the student's, which came back from its cell
            os._exit(0)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Stream):
                stream.flush()
        captured.drain()
        _channel.send("idle", {"execution_count": shell.execution_count - 1})


def _reseed():
    """Random numbers of its own: a fork would repeat its siblings'."""
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        sys.modules["torch"].seed()


class _Captured:
    """What other programs and C code write to file descriptors 1 and 2."""

    def __init__(self, channel):
        self.channel, self.ends, self.lock = channel, {}, threading.Lock()
        for number, name in ((1, "stdout"), (2, "stderr")):
            read, write = os.pipe()
            os.dup2(write, number)
            os.close(write)
            os.set_blocking(read, False)
            self.ends[read] = name
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        poll = select.poll()
        for number in self.ends:
            poll.register(number, select.POLLIN)
        while True:
            poll.poll()
            self.drain()

    def drain(self):
        """Send what is there."""
        with self.lock:
            for number, name in self.ends.items():
                try:
                    while data := os.read(number, BUFFER):
                        self.channel.send("stream", {"name": name,
                                                     "text": data.decode("utf-8", "replace")})
                except BlockingIOError:
                    pass
