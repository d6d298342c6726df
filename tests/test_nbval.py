"""`pytest --nbval` with the root's conftest.py: what must pass does, what must fail does.

One notebook holds a cell for every case.
It is run as its author would have left it, then a cell's source or its saved output is changed,
and one run of pytest judges them all.
"""

import base64
import importlib.metadata
import io
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

import nbclient
import nbformat
import numpy
import pytest
from PIL import Image, ImageDraw

ROOT = Path(__file__).parents[1]
SETUP = """
import math, sys, warnings
import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib_inline.backend_inline import set_matplotlib_formats
def curves(move=0, style="-", colour="#D55E00", width=1.5, drop=False, grid=False, loc=1):
    fig, ax = plt.subplots(figsize=(4, 3))
    x = [0.1 * i for i in range(60)]
    ax.plot(x, [math.sin(t) for t in x], color="#0072B2")
    if not drop:
        y = [math.cos(t) + move for t in x]
        ax.plot(x, y, style, color=colour, linewidth=width)
    ax.set_ylim(-2, 2)
    ax.grid(grid)
    ax.legend(["sine", "cosine"][:2 - drop], loc=loc)
    plt.show()
def numbers(changed=None, shade=0.5):
    fig, ax = plt.subplots(figsize=(3, 3))
    ax.imshow([[0.1 * (i + j) for j in range(4)] for i in range(3)] + [[shade] * 4],
              cmap="Blues", vmin=0, vmax=1)
    for i in range(16):
        ax.text(i % 4, i // 4, str(changed if i == 6 and changed else i), ha="center")
    plt.show()
"""
SVG = "set_matplotlib_formats('svg')"


class Case(NamedTuple):
    """A cell: its source when its author ran it, then what was changed, then the verdict."""

    name: str
    ran: str
    now: str = ""
    tamper: object = None
    message: str = ""
    tags: tuple = ()


def picture(change):
    """Return a tampering that sends the cell's saved PNG, a PIL image in RGB, through `change`."""

    def tamper(cell):
        data = next(o.data for o in cell.outputs if "image/png" in o.get("data", {}))
        image = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
        file = io.BytesIO()
        change(image).save(file, "PNG")
        data["image/png"] = base64.b64encode(file.getvalue()).decode()

    return tamper


def box(colour, at=0.5):
    """Return a change that paints a box of 3 % of the picture, its corner at the share `at`."""

    def change(image):
        x, y = round(at * image.width), round(at * image.height)
        side = round((0.03 * image.width * image.height) ** 0.5)
        ImageDraw.Draw(image).rectangle((x, y, x + side, y + side), fill=colour)
        return image

    return change


def rolled(image):
    """Return the picture moved by one pixel to the right and down."""
    return Image.fromarray(numpy.roll(numpy.asarray(image), (1, 1), (0, 1)))


def noisy(image):
    """Return the picture with every value off by at most 2 of 255."""
    noise = numpy.random.default_rng(0).integers(-2, 3, (image.height, image.width, 3))
    return Image.fromarray((numpy.asarray(image) + noise).clip(0, 255).astype("uint8"))


def wider(image):
    """Return the picture with one more column, as a tight bounding box may give."""
    return Image.fromarray(numpy.pad(numpy.asarray(image), ((0, 0), (0, 1), (0, 0)), "edge"))


def cut(image):
    """Return the picture without its last 9 columns."""
    return image.crop((0, 0, image.width - 9, image.height))


def saved(**values):
    """Return a tampering that sets fields of the cell, such as `outputs` or `execution_count`."""
    return lambda cell: cell.update(values)


def broken(cell):
    """Cut the cell's saved PNG short, so that it cannot be read."""
    data = cell.outputs[0].data
    data["image/png"] = data["image/png"][:40]


PASS = [
    Case("number", "0.123456"),
    Case("tolerance", "print('loss', 0.9312)", "print('loss', 0.9313)"),
    Case("tolerance of small", "4.001e-06", "4.002e-06"),
    Case("sign of nothing", "print('[ 0.0000, 1.5]')", "print('[-0.0000, 1.5]')"),
    Case("spaces", "print('a   1.5\\nb')", "print('a 1.5\\n b')"),
    Case("address", "object()"),
    Case("semicolon", "plt.plot([1, 2], [3, 4]);"),
    Case("semicolon alone", "5;"),
    Case("history", "len(In) > 9"),
    Case("stream order", "print('a')\nprint('b', file=sys.stderr)\nprint('c')\n5"),
    Case("no output", "x = 1"),
    Case("empty cell", ""),
    Case("exception", "1 / 0", tags=("raises-exception",)),
    Case("ignored", "0.1", "0.9", tags=("nbval-ignore-output",)),
    Case("curves", "curves()"),
    Case("curves, float noise", "curves()", "curves(move=1e-4)"),
    Case("curves, moved by a pixel", "curves()", tamper=picture(rolled)),
    Case("curves, noise of 2", "curves()", tamper=picture(noisy)),
    Case("curves, a column more", "curves()", tamper=picture(wider)),
    Case("numbers, noise of 2", "numbers()", tamper=picture(noisy)),
    Case("numbers, moved by a pixel", "numbers()", tamper=picture(rolled)),
    Case("svg", f"{SVG}\ncurves()"),
    Case("svg, float noise", "curves()", "curves(move=1e-4)"),
    Case("svg, picture", "numbers()"),
]
FAIL = [
    Case("number", "0.123456", "0.124", message="the file has 0.123456, the run gave 0.124"),
    Case("small number", "4e-06", "5e-06", message="the file has 4e-06, the run gave 5e-06"),
    Case("integer", "1000", "1001", message="line 1: the file has '1000', the run gave '1001'"),
    Case("integer as float", "print('1000.')", "print('1001.')", message="gave 1001."),
    Case("integer for float", "1.0", "1", message="the file has '1.0', the run gave '1'"),
    Case("text", "print('a')\nprint('loss 1.5')", "print('a')\nprint('lost 1.5')",
         message="stdout: line 2: the file has 'loss 1.5', the run gave 'lost 1.5'"),
    Case("version", "'2.1400.1'", "'2.1401.1'", message="2.1401.1"),
    Case("more numbers", "[0.5]", "[0.5, 0.5]", message="text/plain"),
    Case("nan", "0.5", "float('nan')", message="nan"),
    Case("missing output", "5", tamper=saved(outputs=[]),
         message="outputs: the file has [], the run gave ['text/plain']"),
    Case("missing picture", "curves()", "plt.show()", message="'image/png'"),
    Case("extra output", "x = 5", "x = 5; print(x)", message="the run gave ['stdout']"),
    Case("warning", "x = 5", "x = 5; warnings.warn('too big')", message="UserWarning: too big"),
    Case("order", "display(5)\ndisplay('a')", "display('a')\ndisplay(5)", message="line 1"),
    Case("never run", "5", tamper=saved(execution_count=None, outputs=[]),
         message="never run: run all cells and save"),
    Case("never run, ignored", "5", tags=("nbval-ignore-output",),
         tamper=saved(execution_count=None, outputs=[]), message="never run"),
    Case("exception", "5", "raise ValueError('new')", message="new"),
    Case("other exception", "1 / 0", "int('x')", tags=("raises-exception",),
         message="ZeroDivisionError"),
    Case("no exception", "1 / 0", "5", tags=("raises-exception",), message="['error']"),
    Case("html", "HTML('<b>1</b>')", "HTML('<b>2</b>')", message="text/html"),
    Case("red box", "curves()", tamper=picture(box("red")), message="of 255 (allowed"),
    Case("white box", "curves()", tamper=picture(box("white", 0.3)), message="pixels at x="),
    Case("grey box", "numbers()", tamper=picture(box("#888888", 0.2)), message="allowed"),
    Case("moved curve", "curves()", "curves(move=0.06)", message="image/png"),
    Case("dashes", "curves()", "curves(style='--')", message="image/png"),
    Case("colour", "curves()", "curves(colour='#E69F00')", message="image/png"),
    Case("near colour", "curves()", "curves(colour='#C85A08')", message="image/png"),
    Case("line width", "curves()", "curves(width=2.5)", message="image/png"),
    Case("missing curve", "curves()", "curves(drop=True)", message="image/png"),
    Case("grid", "curves()", "curves(grid=True)", message="image/png"),
    Case("legend", "curves()", "curves(loc=3)", message="image/png"),
    Case("digit", "numbers()", "numbers(changed=8)", message="image/png"),
    Case("shade", "numbers()", "numbers(shade=0.52)", message="image/png"),
    Case("size", "curves()", tamper=picture(cut), message="pixels, the run gave"),
    Case("broken picture", "curves()", tamper=broken, message="cannot be read"),
    Case("svg, colour", f"{SVG}\ncurves()", f"{SVG}\ncurves(colour='#E69F00')",
         message="#e69f00"),
    Case("svg, moved curve", "curves()", "curves(move=0.06)", message="a point moved by"),
    Case("svg, shorter curve", "plt.plot([1, 9, 1]); plt.axis([0, 2, 0, 9]); plt.show()",
         "plt.plot([1, 9]); plt.axis([0, 2, 0, 9]); plt.show()", message="other segments"),
    Case("svg, dashes", "curves()", "curves(style='--')", message="dasharray"),
    Case("svg, missing curve", "curves()", "curves(drop=True)", message="image/svg+xml: line"),
    Case("svg, picture", "numbers()", "numbers(shade=0.6)", message="of 255 (allowed"),
]


def notebook(cases):
    """Return a notebook whose second and later code cells are `cases`, run and then changed."""
    cells = [nbformat.v4.new_code_cell(SETUP)]
    cells += [nbformat.v4.new_code_cell(c.ran, metadata={"tags": list(c.tags)}) for c in cases]
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata["kernelspec"] = {"name": "absent", "display_name": "absent"}
    nbclient.NotebookClient(made, kernel_name="python3", record_timing=False).execute()
    for case, cell in zip(cases, made.cells[1:], strict=True):
        cell.source = case.now or cell.source
        if case.tamper:
            case.tamper(cell)
    return made


def run(folder, *arguments, **environment):
    """Run pytest in `folder` and return the process; its output is text."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a new folder that holds the project's conftest.py."""
    made = tmp_path_factory.mktemp("nbval")
    shutil.copy(ROOT / "conftest.py", made)
    return made


@pytest.fixture(scope="module")
def verdicts(folder):
    """Return {notebook: [None or the message of each case]} from one run over both notebooks."""
    for name, cases in (("clean", PASS), ("changed", FAIL)):
        nbformat.write(notebook(cases), folder / f"{name}.ipynb")
    # A kernel that inherits MPLBACKEND would draw nothing, and the kernelspec does not exist.
    done = run(folder, "--nbval", "--color=no", "--junitxml=report.xml", MPLBACKEND="agg")
    assert done.returncode == 1, done.stdout + done.stderr
    found = {}
    for case in ElementTree.parse(folder / "report.xml").iter("testcase"):
        texts = [child.text for child in case if child.tag in ("failure", "error")]
        found.setdefault(Path(case.get("classname")).stem, []).append("\n".join(texts) or None)
    assert {name: len(cells) for name, cells in found.items()} == {
        "clean": 1 + len(PASS), "changed": 1 + len(FAIL)}
    return found


@pytest.mark.parametrize("number", range(len(PASS)), ids=[case.name for case in PASS])
def test_passes(verdicts, number):
    """A cell passes if its outputs are those of the file, up to the tolerance."""
    assert verdicts["clean"][1 + number] is None


@pytest.mark.parametrize("number", range(len(FAIL)), ids=[case.name for case in FAIL])
def test_fails(verdicts, number):
    """A cell that does not give what the file holds fails, and the message says where."""
    message = verdicts["changed"][1 + number]
    assert message is not None
    assert f"Cell {1 + number}:" in message
    assert FAIL[number].message in message


def test_setup_cells_pass(verdicts):
    """The first cell of each notebook, which is unchanged, passes."""
    assert (verdicts["clean"][0], verdicts["changed"][0]) == (None, None)


@pytest.mark.parametrize("without_nbval", [False, True])
def test_plain_pytest_is_untouched(folder, without_nbval):
    """Without --nbval the notebooks are ignored, with nbval installed or not."""
    (folder / "test_one.py").write_text("import os\ndef test_one():\n"
                                        "    assert os.environ['MPLBACKEND'] == 'agg'\n")
    without = ["-p", "no:nbval"] if without_nbval else []
    done = run(folder, *without, MPLBACKEND="agg")
    assert done.returncode == 0
    assert "1 passed" in done.stdout


def test_other_nbval_is_refused_in_one_line(folder):
    """Another version of nbval ends the run before a cell runs, and the line says what to do."""
    (folder / "other.py").write_text(
        "import importlib.metadata as m\nold = m.version\n"
        "m.version = lambda name: '0.12.0' if name == 'nbval' else old(name)\n")
    done = run(folder, "-p", "other", "--nbval", PYTHONPATH=str(folder))
    lines = [line for line in done.stderr.splitlines() if line]
    assert (done.returncode, len(lines)) == (4, 1)
    assert re.search(r"nbval 0\.12\.0 found.*pip install nbval==0\.11\.0", lines[0])


def test_pinned_version_is_installed():
    """The version that conftest.py was written for is the one that is installed."""
    assert f'NBVAL = "{importlib.metadata.version("nbval")}"' in (ROOT / "conftest.py").read_text()


def test_a_cell_may_take_two_minutes_unless_told(folder):
    """nbval's own limit of 2000 seconds becomes 120; a limit on the command line stays."""
    (folder / "limit.py").write_text(
        "def pytest_collection(session):\n"
        "    print('limit', session.config.option.nbval_cell_timeout)\n")
    for argument, limit in (("--color=no", "limit 120.0"), ("--nbval-cell-timeout=9", "limit 9.0")):
        done = run(folder, "-s", "-p", "limit", "--nbval", argument, "test_one.py",
                   PYTHONPATH=str(folder))
        assert limit in done.stdout


def test_endless_cell_is_stopped(folder):
    """A cell that does not end fails when its time is up, and names the limit."""
    ended = folder / "endless"
    ended.mkdir()
    cell = nbformat.v4.new_code_cell("while True:\n    pass", execution_count=1)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), ended / "endless.ipynb")
    done = run(folder, "--nbval", "--nbval-cell-timeout=1", "endless")
    assert done.returncode == 1
    assert "Timeout of 1 seconds exceeded" in done.stdout
