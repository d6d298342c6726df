"""What leaves a notebook's process, and what comes in: messages over a socket.

A frame is the length of what follows (4 bytes, big-endian) and JSON. `open_channel` is called once
in a process; from then on what is printed, by Python or by other programs, goes out in the order in
which it came.
"""

import contextlib
import io
import json
import os
import select
import struct
import sys
import threading
from time import monotonic

BUFFER = 1 << 16  # characters of a stream that wait until they are sent
WAIT = 0.2  # seconds that they wait, if nothing else sends them

_channel = _captured = None  # of this process; a fork of it has none
_lock = threading.RLock()  # around all that is sent or waits for it


class Channel:
    """The way to the grader; several threads may send."""

    def __init__(self, number):
        self.number = number

    def send(self, kind, content):
        """Send one message; what is not JSON is sent as its repr."""
        body = json.dumps([kind, content], default=repr).encode()
        with _lock:
            data = memoryview(struct.pack(">I", len(body)) + body)
            while data:
                data = data[os.write(self.number, data):]

    def receive(self):
        """The next question, or None when the grader has gone."""
        head = self._exactly(4)
        if not head:
            return None
        question = json.loads(self._exactly(struct.unpack(">I", head)[0]))
        question["inputs"] = {name: self._exactly(length)
                              for name, length in question["inputs"].items()}
        return question

    def _exactly(self, length):
        parts = bytearray()
        while len(parts) < length:
            part = os.read(self.number, length - len(parts))
            if not part:
                return None
            parts += part
        return bytes(parts)


class Stream(io.TextIOBase):
    """Standard output or error of a cell."""

    encoding = "UTF-8"

    def __init__(self, name, number):
        self.name, self.number, self.master = name, number, os.getpid()
        self.parts, self.size, self.since = [], 0, 0.0

    def writable(self):
        """Return True."""
        return True

    def fileno(self):
        """Return the file descriptor that other programs write to."""
        return self.number

    def write(self, text):
        """Keep `text` until there is enough to send."""
        if not isinstance(text, str):
            __tracebackhide__ = True  # IPython reads it
            raise TypeError(f"write() argument must be str, not {type(text)}")
        with _lock:
            if _captured:
                _captured.drain()
            self.keep(text)
        return len(text)

    def keep(self, text):
        """Put `text` after what is kept already."""
        if not self.parts:
            self.since = monotonic()
        self.parts.append(text)
        self.size += len(text)
        if self.size > BUFFER or os.getpid() != self.master:
            self.flush()

    def flush(self):
        """Send what was kept; a fork hands it to the process that it comes from."""
        with _lock:
            text, self.parts, self.size = "".join(self.parts), [], 0
            if text and _channel:
                _channel.send("stream", {"name": self.name, "text": text})
            elif text and os.getpid() != self.master:
                data = text.encode("utf-8", "replace")
                while data:
                    data = data[os.write(self.number, data):]


class Captured:
    """What other programs and C code write to file descriptors 1 and 2 goes into the streams."""

    def __init__(self, streams):
        self.ends, self.waiting = {}, select.poll()
        for stream in streams:
            read, write = os.pipe()
            os.dup2(write, stream.number)
            os.close(write)
            os.set_blocking(read, False)
            self.ends[read] = stream
            self.waiting.register(read, select.POLLIN)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        waiting = select.poll()  # a thread can't use another's
        for number in self.ends:
            waiting.register(number, select.POLLIN)
        while True:
            waiting.poll(WAIT * 1000)
            with _lock:
                self.drain()
                for stream in self.ends.values():
                    if stream.parts and monotonic() - stream.since > WAIT:
                        stream.flush()

    def drain(self):
        """Take what is there."""
        with _lock:
            for number, _ in self.waiting.poll(0):
                with contextlib.suppress(BlockingIOError):
                    while data := os.read(number, BUFFER):
                        self.ends[number].keep(data.decode("utf-8", "replace"))

    def flush(self):
        """Take what is there and send what waits."""
        self.drain()
        for stream in self.ends.values():
            stream.flush()


def open_channel(number):
    """Use file descriptor `number` as this process's channel, and return it."""
    global _channel, _captured
    _channel = Channel(number)
    sys.stdout, sys.stderr = streams = Stream("stdout", 1), Stream("stderr", 2)
    _captured = Captured(streams)
    os.register_at_fork(before=_before_fork, after_in_parent=_lock.release,
                        after_in_child=_after_fork)
    return _channel


def _before_fork():
    flush()
    _lock.acquire()  # or another thread holds it in the fork, for ever


def _after_fork():
    global _channel, _captured
    _channel = _captured = None
    _lock.release()


def flush():
    """Send all that was printed so far."""
    if _captured:
        _captured.flush()


def emit(kind, content):
    """Send a message after all that was printed before it."""
    flush()
    if _channel:
        _channel.send(kind, content)
