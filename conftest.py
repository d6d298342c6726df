"""Make `pytest --nbval` strict and portable; without --nbval this file does nothing.

nbval alone passes a cell that never ran and any figure, and fails a last digit or a trailing `;`.
Here a cell passes if it was run, and the outputs that the file holds agree with those of the run:

* text: equal, but for spaces, object addresses and the last digits of floats (integers are exact);
* PNG and JPEG: equal as pictures, where no detail moved by more than one pixel;
* SVG: the same elements in the same style, where no coordinate moved by more than 0.75 point.
"""

import base64
import importlib.metadata
import io
import itertools
import math
import os
import re

import pytest

NBVAL = "0.11.0"
CELL_TIMEOUT = 120.0  # seconds; nbval's own default is 2000
RTOL, ATOL, ATOL_EXPONENT = 1e-3, 1e-4, 1e-7  # the last where both are written like 4e-06
PICTURE_LIMITS = ((3, 8.0), (16, 3.0))  # (side of a window in pixels, mean difference of 255)
POINT = 0.75  # SVG user units
WIDGET = "application/vnd.jupyter.widget-view+json"  # holds a random id
ADDRESS = re.compile(r"\bat 0x[0-9A-Fa-f]+")
FLOAT = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE][-+]?\d))(?:[eE][-+]?\d+)?"
                   r"(?!\.?\d)")  # not an integer, not a version such as 2.14.1
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
SVG_ID = re.compile(r"\b(?:[a-z]|image)[0-9a-f]{10,}\b")  # matplotlib's, other in each run
SVG_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)  # holds the date
SVG_PICTURE = re.compile(r"data:image/\w+;base64,([^\"]*)")
SVG_PLACE = re.compile(r"\s(?:d|[xy][12]?|c[xy]|points|transform|width|height|viewBox)=\"[^\"]*\"")
SVG_SHAPE = re.compile(r"(?:scale|matrix|rotate|skew[XY])\([^)]*\)")  # these hold no lengths


def pytest_configure(config):
    """Replace what needs it in nbval, if this is a run with --nbval or --nbval-lax."""
    option = config.option
    if not (getattr(option, "nbval", False) or getattr(option, "nbval_lax", False)):
        return
    found = importlib.metadata.version("nbval")
    if found != NBVAL:
        raise pytest.UsageError(f"conftest.py: nbval {found} found, but it changes the inside of"
                                f" nbval {NBVAL}: pip install nbval=={NBVAL}")
    from nbval.kernel import RunningKernel
    from nbval.plugin import IPyNbCell
    if not (option.nbval_current_env or option.nbval_kernel_name):
        option.nbval_current_env = True
    if option.nbval_cell_timeout == 2000:
        option.nbval_cell_timeout = CELL_TIMEOUT
    os.environ.pop("MPLBACKEND", None)  # a kernel that inherits one draws no figure
    RunningKernel.execute_cell_input = execute
    IPyNbCell.compare_outputs = compare_outputs
    if not hasattr(IPyNbCell, "lenient_runtest"):
        IPyNbCell.lenient_runtest = IPyNbCell.runtest
        IPyNbCell.runtest = runtest


def execute(kernel, source, allow_stdin=None):
    """Run `source` with a history, without which IPython ignores a trailing `;`; return its id."""
    return kernel.kc.execute(source, store_history=True, allow_stdin=allow_stdin,
                             stop_on_error=False)


def runtest(cell):
    """Run a cell and compare; fail it also if its author never ran it."""
    cell.lenient_runtest()
    if cell.cell.source.strip() and cell.cell.execution_count is None:
        cell.raise_cell_error("The file holds a cell that was never run: run all cells and save")


def compare_outputs(cell, test, ref, skip_compare=None):
    """Return whether the outputs `test` of the run agree with `ref` of the file.

    What differs goes to `cell.comparison_traceback`, which nbval prints.
    """
    then, now = flat(ref), flat(test)
    kinds = [[kind for kind, _ in outputs] for outputs in (then, now)]
    if kinds[0] == kinds[1]:
        found = [difference(*pair, now[n][1]) for n, pair in enumerate(then)]
    else:
        found = [f"outputs: the file has {kinds[0]}, the run gave {kinds[1]}"]
        found += [f"in the run, {kind}: {value[:400]}" for kind, value in now
                  if kind in ("stderr", "error") and kind not in kinds[0]]
    cell.comparison_traceback = [f"  {message}" for message in found if message]
    return not cell.comparison_traceback


def flat(outputs):
    """Return (kind, value) of each output; streams stand last, since their place varies."""
    shown, streams = [], []
    for output in outputs:
        if output["output_type"] == "stream":
            streams.append((output["name"], output["text"]))
        elif "data" in output:
            data = output["data"]
            shown += [(kind, data[kind]) for kind in sorted(data) if kind != WIDGET]
        else:
            shown.append(("error", f"{output['ename']}: {output['evalue']}"))
    return shown + sorted(streams)


def difference(kind, then, now):
    """Return one line on how `then`, in the file, and `now`, of the run, differ, or None."""
    if kind in ("image/png", "image/jpeg"):
        found = picture_difference(then, now)
    elif kind == "image/svg+xml":
        found = svg_difference(then, now)
    elif isinstance(then, str) and isinstance(now, str):
        found = text_difference(then, now)
    else:
        found = None if then == now else f"the file has {then!r}, the run gave {now!r}"
    return found and f"{kind}: {found}"


def text_difference(then, now):
    """Return where two texts differ by more than spaces, addresses and the tolerance, or None."""
    then, now = (ADDRESS.sub("at 0xADDRESS", text) for text in (then, now))
    if skeleton(then) == skeleton(now):
        for a, b in zip(FLOAT.findall(then), FLOAT.findall(now), strict=True):
            rtol, atol = tolerance(a, b)
            if not math.isclose(float(a), float(b), rel_tol=rtol, abs_tol=atol):
                return f"the file has {a}, the run gave {b} (allowed: {rtol:g} of it, or {atol:g})"
        return None
    pairs = itertools.zip_longest(then.splitlines(), now.splitlines())
    for line, (a, b) in enumerate(pairs, start=1):
        if a is None or b is None or skeleton(a) != skeleton(b):
            return f"line {line}: the file has {a!r}, the run gave {b!r}"
    return f"the file has {then!r}, the run gave {now!r}"


def tolerance(a, b):
    """Return how far the numbers that `a` and `b` spell may part: a share and a distance."""
    if a.endswith(".") and b.endswith("."):  # integers in a float tensor
        return 0, 0
    return RTOL, ATOL_EXPONENT if "e" in a.lower() and "e" in b.lower() else ATOL


def skeleton(text):
    """Return `text` with its floats as # and its runs of spaces as one."""
    return " ".join(FLOAT.sub(" # ", text).split())


def pixels(picture):
    """Return the base64 `picture` as an array (height, width, 4), premultiplied, 0 to 255."""
    import numpy
    from PIL import Image
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        array = numpy.asarray(image.convert("RGBA"), dtype=float).copy()
    array[..., :3] *= array[..., 3:] / 255
    return array


def picture_difference(then, now):
    """Return how two base64 pictures differ, or None if they look the same.

    A pixel differs by as much as it leaves the range of the 3 x 3 pixels around it in the other.
    So an edge may move by a pixel, while a thin line, a digit or a colour may not change.
    """
    import numpy
    try:
        a, b = pixels(then), pixels(now)
    except (OSError, ValueError):
        return "the file or the run holds a picture that cannot be read"
    size = numpy.maximum(a.shape, b.shape)
    if (size - numpy.minimum(a.shape, b.shape)).max() > 1:
        sides = a.shape[1::-1] + b.shape[1::-1]
        return "the file has {}x{} pixels, the run gave {}x{}".format(*sides)
    a, b = (numpy.pad(c, [(0, n) for n in size - c.shape], mode="edge") for c in (a, b))
    off = numpy.maximum(outside(a, b), outside(b, a))
    for side, allowed in PICTURE_LIMITS:
        side = min(side, *size[:2])
        means = numpy.lib.stride_tricks.sliding_window_view(off, (side, side)).mean((2, 3))
        y, x = numpy.unravel_index(means.argmax(), means.shape)
        if means[y, x] > allowed:
            return (f"the pictures differ by {means[y, x]:.1f} of 255 (allowed: {allowed:g}) over"
                    f" {side}x{side} pixels at x={x}, y={y} of {size[1]}x{size[0]}")
    return None


def outside(a, b):
    """Return (height, width): how far each pixel of `a` leaves the range around it in `b`."""
    import numpy
    edged = numpy.pad(b, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = [edged[y:y + b.shape[0], x:x + b.shape[1]] for y in range(3) for x in range(3)]
    low, high = numpy.minimum.reduce(around), numpy.maximum.reduce(around)
    return numpy.maximum(numpy.maximum(low - a, a - high), 0).max(-1)


def svg_parts(svg):
    """Return (pictures, numbers that place, the rest) of an SVG, its random ids numbered."""
    names = {}
    pictures = SVG_PICTURE.findall(svg)
    svg = SVG_METADATA.sub("", SVG_PICTURE.sub("", svg))
    svg = SVG_ID.sub(lambda match: names.setdefault(match[0], f"id{len(names)}"), svg)
    placed = " ".join(SVG_PLACE.findall(svg))
    shapes = "\n".join(SVG_SHAPE.findall(placed))
    rest = SVG_PLACE.sub(lambda match: match[0].split("=")[0], svg)
    return pictures, placed, rest + "\n" + shapes


def svg_difference(then, now):
    """Return how two SVG texts differ, or None if they draw the same."""
    (pictures, placed, rest), (pictures_now, placed_now, rest_now) = map(svg_parts, (then, now))
    if rest != rest_now:
        found = text_difference(rest, rest_now)
        if found:
            return found
    if NUMBER.sub("#", placed) != NUMBER.sub("#", placed_now):
        return "a path has other segments"
    pairs = zip(NUMBER.findall(placed), NUMBER.findall(placed_now), strict=True)
    far = max((abs(float(x) - float(y)) for x, y in pairs), default=0)
    if far > POINT:
        return f"a point moved by {far:g} (allowed: {POINT})"
    found = (picture_difference(*pair) for pair in zip(pictures, pictures_now, strict=True))
    return next(filter(None, found), None)
