"""Values between the kernel and the grader: JSON and raw bytes over a socket, nothing executable.

A frame is the length of its header (4 bytes, big-endian), the header, and the bytes of its tensors
one after another. What comes from the kernel is read with limits and may be anything; `receive`
raises ValueError for whatever it is not meant to be.
"""

import json
import math
import struct

import torch

LARGEST = 64_000_000  # bytes of a frame
LARGEST_HEADER = 100_000  # bytes of its header, a few thousand values
DTYPES = {str(dtype).removeprefix("torch."): dtype for dtype in (
    torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool)}


def frame(value):
    """The bytes of one tree of tensors, numbers, strings, None, tuples and dictionaries.

    Raises TypeError for anything else, and ValueError for what is too large.
    """
    buffers = []
    header = json.dumps(_flat(value, buffers)).encode()
    body = b"".join(buffers)
    if len(header) > LARGEST_HEADER or len(header) + len(body) > LARGEST:
        raise ValueError(f"more than {LARGEST // 10**6} MB")
    return struct.pack(">II", len(header), len(body)) + header + body


def receive(connection):
    """Read one tree from a socket; EOFError at its end, ValueError for what is no frame."""
    lengths = struct.unpack(">II", _exactly(connection, 8))
    if sum(lengths) > LARGEST or lengths[0] > LARGEST_HEADER:
        raise ValueError("frame too large")
    return _content(_exactly(connection, sum(lengths)), lengths[0])


def read(data):
    """The tree in a `frame` that comes from the grader."""
    return _content(bytearray(data[8:]), struct.unpack(">I", data[:4])[0])


def _content(content, header):
    """The tree in what follows the lengths of a frame, of which the header has so many bytes."""
    try:
        return _tree(json.loads(content[:header]), memoryview(content[header:]), [0])
    except (KeyError, TypeError, AttributeError, RecursionError, RuntimeError) as error:
        raise ValueError("not a frame") from error


def _exactly(connection, length):
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(min(length - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return parts


def _flat(value, buffers):
    """The JSON form of a tree; the bytes of its tensors are appended to `buffers`."""
    if type(value) is torch.Tensor:
        name = str(value.dtype).removeprefix("torch.")
        if name not in DTYPES:
            raise TypeError(f"it returned a tensor of {value.dtype}")
        buffers.append(value.detach().cpu().contiguous().numpy().tobytes())
        return {"tensor": name, "shape": list(value.shape)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return {"tuple": [_flat(v, buffers) for v in value]}
    if isinstance(value, dict):
        return {"dict": {str(k): _flat(v, buffers) for k, v in value.items()}}
    raise TypeError(f"it returned a {type(value).__name__}")


def _tree(value, body, offset):
    """The tree that a JSON form and the bytes of its tensors stand for."""
    if not isinstance(value, dict):
        if isinstance(value, list):
            raise ValueError("a bare list")
        return value
    if "tuple" in value:
        return tuple(_tree(v, body, offset) for v in value["tuple"])
    if "dict" in value:
        return {str(k): _tree(v, body, offset) for k, v in value["dict"].items()}
    dtype, shape = DTYPES[value["tensor"]], value["shape"]
    if len(shape) > 8 or any(type(n) is not int or not 0 <= n <= LARGEST for n in shape):
        raise ValueError("not a shape")
    size = math.prod(shape) * dtype.itemsize
    raw = body[offset[0]:offset[0] + size]
    if len(raw) != size:
        raise ValueError("missing bytes")
    offset[0] += size
    if not size:
        return torch.zeros(shape, dtype=dtype)
    if dtype is torch.bool:
        return torch.frombuffer(raw, dtype=torch.uint8).ne(0).view(shape)
    return torch.frombuffer(raw, dtype=dtype).view(shape)
