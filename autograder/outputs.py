"""What a kernel may put into a notebook: text and pictures, within limits, nothing that runs."""

import base64
import binascii

from nbformat.v4 import new_output

PNG = b"\x89PNG\r\n\x1a\n"
LONGEST = 20_000  # characters of one text


class Collector:
    """Takes one cell's messages as they arrive and keeps what is harmless.

    `full` is None, or says that the messages came to more than `limit` bytes.
    """

    def __init__(self, limit):
        self.limit, self.size, self.full = limit, 0, None

    def take(self, kind, content, outputs):
        """Add what one message shows to a cell's `outputs`."""
        if kind not in ("stream", "display_data", "execute_result", "error"):
            return
        self.size += _size(content)
        if self.size > self.limit:
            self.full = f"it printed more than {self.limit:,} bytes"
            return
        output = self._output(kind, content)
        if output is None:
            return
        last = outputs[-1] if outputs else None
        if kind == "stream" and last and last.output_type == "stream" and last.name == output.name:
            last.text = (last.text + output.text)[:LONGEST]
        else:
            outputs.append(output)

    @staticmethod
    def _output(kind, content):
        """The notebook's form of one message, or None for what has nothing to show."""
        if kind == "stream":
            name = "stderr" if content.get("name") == "stderr" else "stdout"
            return new_output("stream", name=name, text=_text(content.get("text")))
        if kind == "error":
            trace = content.get("traceback")
            lines = [_text(line) for line in trace[:200]] if isinstance(trace, list) else []
            return new_output("error", ename=_text(content.get("ename")),
                              evalue=_text(content.get("evalue")), traceback=lines)
        data = content.get("data")
        data = _harmless(data) if isinstance(data, dict) else {}
        count = content.get("execution_count")
        if kind == "execute_result":
            return new_output(kind, data=data, metadata={},
                              execution_count=count if isinstance(count, int) else None)
        return new_output(kind, data=data, metadata={}) if data else None


def _harmless(data):
    """Plain text and real PNG pictures; no HTML, no SVG, no JavaScript, no Markdown."""
    kept = {}
    if "text/plain" in data:
        kept["text/plain"] = _text(data["text/plain"])
    try:
        picture = base64.b64decode(data.get("image/png") or "", validate=False)
    except (binascii.Error, TypeError, ValueError):
        picture = b""
    if picture.startswith(PNG):
        kept["image/png"] = base64.b64encode(picture).decode()
    return kept


def _text(value):
    """A string that can be saved, not too long."""
    text = value if isinstance(value, str) else ""
    return text[:LONGEST].encode("utf-8", "replace").decode()


def _size(value):
    """Characters of all strings in a message."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(_size(k) + _size(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return 1
