"""A warm kernel shows what a Jupyter kernel shows, but for a short list of differences."""

import contextlib
import re
from types import SimpleNamespace

import nbformat
import pytest
from courses import ROOT
from nbformat.v4 import new_code_cell, new_notebook
from probes import PROBES

from autograder import execute, warm, warm_kernel
from autograder.sandbox import Limits

# name of a probe -> why its outputs differ. No student's mark depends on any of them.
KNOWN = {
    "stdout's file descriptor": "ipykernel sends to its log what Python writes to fileno()",
    "surrogates": "ipykernel replaces half a character before it sends it, the grader after",
    "history": "a graded notebook keeps no history; In, Out and _ are there",
    "a running loop": "an event loop runs only while a cell awaits",
    "run a loop": "so asyncio.run works, which Jupyter refuses",
    "the kernel's own object": "there is no Jupyter kernel",
    "modules before anybody imports them": "they are imported before the fork",
    "a warning of the compiler": "once; ipykernel compiles a cell three times, and warns each time",
    "argv": "Jupyter's are the kernel's own",
}
# The course's own notebooks, some up to a heading.
NOTEBOOKS = {
    "book/convolution.ipynb": "## 9. Count before you run",
    "solutions/convolution/convolution.ipynb": None,
    "solutions/normalization/normalization.ipynb": None,
}
IGNORED = ("status", "execute_input", "idle", "comm_open", "comm_msg")  # they show nothing
KERNEL = re.compile(r"/site-packages/ipykernel/|/autograder/(shell|channel)\.py")
MUST_DIFFER = [(re.compile(pattern), word) for pattern, word in (
    (r"0x[0-9a-f]+", "ADDRESS"),
    (r"/tmp/ipykernel_\d+/\d+\.py", "CELL"), (r"\(\d+\.py, line", "(CELL, line"),
    (r"/[^ :']*/(kernel|warm)-\w+", "FOLDER"),
    (r"(?<![\d.])\d[\d.e+]* ?(ns|[µμ]s|ms|s)\b", "TIME"),
    (r"Thread-\d+", "Thread"),
)]


class Recorder(execute.Collector):
    """A collector that also keeps what a notebook may not hold."""

    def __init__(self, limit):
        super().__init__(limit)
        self.messages = []

    def take(self, kind, content, outputs):
        """Keep everything."""
        self.messages.append((kind, content))
        super().take(kind, content, outputs)


class Watched(execute.TrustedExecute):
    """Runs a notebook and keeps what each cell sent."""

    def _run_cell(self, index):
        why = super()._run_cell(index)
        self.sent[index] = shown(self.collector.messages)
        return why


def run(sources, warm_kernel, metadata=None):
    """Run cells in one kernel; return what each showed, their outputs, and which were lost."""
    cells = [new_code_cell(source, metadata=about) for source, about in
             zip(sources, metadata or [{}] * len(sources), strict=True)]
    notebook = new_notebook(cells=cells)
    runner = Watched(warm=warm_kernel, seed=1, timeout=60)
    runner.sent = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "Collector", Recorder)
        runner.preprocess(notebook, {"metadata": {"path": "/"}})
    return SimpleNamespace(sent=[runner.sent[index] for index in range(len(cells))],
                           outputs=[cell.outputs for cell in cells], lost=runner.lost)


def shown(messages):
    """What can be seen of messages: pieces of one stream as one text, without what must differ."""
    found = []
    for kind, content in messages:
        if kind in IGNORED:
            continue
        if kind == "stream" and found and found[-1][:2] == (kind, content["name"]):
            found[-1] = (*found[-1][:2], found[-1][2] + content["text"])
        elif kind == "stream":
            found.append((kind, content["name"], content["text"]))
        elif kind == "error":
            lines = [part for part in content["traceback"] if not KERNEL.search(part)]
            found.append((kind, content["ename"], content["evalue"], "\n".join(lines)))
        else:
            found.append((kind, content))
    return plain(found)


def plain(value):
    """A value of JSON without what must differ from run to run."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    if isinstance(value, str) and len(value) < 10_000:
        for pattern, word in MUST_DIFFER:
            value = pattern.sub(word, value)
    return value


def course_cells():
    """(source, metadata) of the course's own cells, and the style that its plots ask for."""
    style = (ROOT / "book" / "book.mplstyle").read_text()
    cells = [(f"open('book.mplstyle', 'w').write({style!r});", {})]
    for name, heading in NOTEBOOKS.items():
        notebook = nbformat.read(ROOT / name, as_version=4)
        end = next((i for i, cell in enumerate(notebook.cells) if heading
                    and cell.source.splitlines()[:1] == [heading]), None)
        assert heading is None or end is not None, f"{name} has no heading {heading!r}"
        cells += [(cell.source, cell.metadata) for cell in notebook.cells[:end]
                  if cell.cell_type == "code"]
    return cells


@pytest.fixture(scope="module")
def both():
    """All cells through both kernels: {name of a probe or number of a cell: what it showed}."""
    cells = course_cells()
    names = [*PROBES, *range(len(cells))]
    sources = [*PROBES.values(), *(source for source, _ in cells)]
    metadata = [{}] * len(PROBES) + [about for _, about in cells]
    found = [run(sources, warm_kernel, metadata) for warm_kernel in (True, False)]
    assert found[0].lost == found[1].lost == {}
    return SimpleNamespace(
        cells=range(len(cells)), sources=dict(zip(names, sources, strict=True)),
        warm=dict(zip(names, found[0].sent, strict=True)),
        jupyter=dict(zip(names, found[1].sent, strict=True)))


@pytest.mark.parametrize("name", PROBES)
def test_a_probe(both, name):
    """The same messages in the same order; where a difference is known, it is still there."""
    if name in KNOWN:
        assert both.warm[name] != both.jupyter[name], f"no difference any more: {KNOWN[name]}"
    else:
        assert both.warm[name] == both.jupyter[name], PROBES[name]


def test_the_course_s_own_cells(both):
    """Every picture, number and error of chapters and assignments is the same."""
    kinds = {message[0] for number in both.cells for message in both.warm[number]}
    assert {"display_data", "execute_result", "error"} <= kinds
    assert len(both.cells) > 100
    for number in both.cells:
        assert both.warm[number] == both.jupyter[number], both.sources[number]


def test_the_list_of_differences_is_short_and_true():
    """Each is about a probe that exists, and has a reason."""
    assert set(KNOWN) <= set(PROBES) and all(KNOWN.values()) and len(KNOWN) <= 10


# Where a warm kernel does better than ipykernel, which takes seconds or shows nothing at all.


@pytest.fixture
def kernel():
    """A warm kernel of a test's own."""
    made = warm.server().kernel(Limits())
    yield made
    made.close()


def text(messages, name="stdout"):
    """All that a cell printed."""
    return "".join(content["text"] for kind, content in messages
                   if kind == "stream" and content["name"] == name)


def test_endless_recursion_is_told_at_once(kernel):
    """Both ends of the traceback, how often in between, and the limit is a few seconds."""
    kernel_said = list(kernel.run("def deep(n):\n    return deep(n + 1)\ndeep(0)", 20))
    ((_, error),) = [message for message in kernel_said if message[0] == "error"]
    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error["traceback"]))
    assert error["ename"] == "RecursionError"
    assert re.search(r"skipping similar frames: deep at line 2 \(9\d\d times\)", trace)
    assert "----> 3 deep(0)" in trace and trace.endswith(f"RecursionError: {error['evalue']}")
    assert trace.count("return deep(n + 1)") == 19
    assert text(kernel.run("print('on')", 5)) == "on\n"


def test_forks_print_in_order_and_once(kernel):
    """What the notebook printed before stands before, and nothing is lost, doubled or torn."""
    said = text(kernel.run("""
import os
print("before")
forks = []
for letter in "ab":
    forks.append(os.fork())
    if not forks[-1]:
        for _ in range(30):
            print(letter * 20_000)
        os._exit(0)
for number in forks:
    os.waitpid(number, 0)
print("after")
""", 60))
    assert said.startswith("before\n") and said.endswith("\nafter\n")
    assert said.count("before") == said.count("after") == 1
    assert said.count("a") == 30 * 20_000 + 1 and said.count("b") == 30 * 20_000 + 1


def test_programs_print_in_order(kernel):
    """Between what the notebook prints, each time, without waiting."""
    said = text(kernel.run("""
import os
for n in range(20):
    print(n)
    os.system(f"echo of {n}")
""", 30))
    assert said.split("\n") == [line for n in range(20) for line in (f"{n}", f"of {n}")] + [""]


def test_what_was_printed_before_a_cell_kills_its_kernel(kernel):
    """Its author sees how far it came."""
    found = []
    with pytest.raises(warm_kernel.KernelDied):
        for message in kernel.run("import os, time\nprint('this far')\ntime.sleep(1)\n"
                                  "os.abort()", 30):
            found.append(message)
    assert text(found) == "this far\n"


def test_the_shell_is_at_home_in_its_sandbox(kernel):
    """IPython's own notes go where the notebook may write, not where the fork server was."""
    said = list(kernel.run("%cd -q /tmp\n%bookmark here\n%cd -q /\n%cd -q -b here\n%pwd", 30))
    assert [content["data"]["text/plain"] for kind, content in said
            if kind == "execute_result"] == ["'/tmp'"]


# Test cells are compiled before the process of a notebook is forked.

PREPARED = '''"""Doc."""
import json
total = 2 + 2

def twice(x):
    return 2 * x

json.dumps({"total": twice(total)})'''
FUTURE = "from __future__ import annotations\ndef f(x: missing): pass"
SHOWN = "'{\"total\": 8}'"
HOW_MANY = "print(len(get_ipython().compile.trees))"


@pytest.fixture(scope="module")
def preparing():
    """A server that has been sent cells that it can prepare, and some that it cannot."""
    made = warm.ForkServer()
    made.prepare([PREPARED, "def broken(:", "0 is 0", "x = '\\w'", PREPARED, "x" * 200_000,
                  FUTURE, "1/0"])
    yield made
    made.close()


@pytest.fixture
def prepared(preparing):
    """A kernel of that server's."""
    with contextlib.closing(preparing.kernel(Limits())) as made:
        yield made


def values(messages):
    """The values that a cell showed."""
    return [content["data"]["text/plain"] for kind, content in messages if kind == "execute_result"]


def test_a_prepared_cell_runs_as_any_other(prepared):
    """Two are prepared; one that warns, fails, is too long or changes the compiler is not."""
    assert text(prepared.run(HOW_MANY, 5)) == "2\n"
    used = "import builtins; compiled = []\nold = builtins.compile\nbuiltins.compile = lambda " \
           "source, *a, **k: (compiled.append(source), old(source, *a, **k))[1]"
    list(prepared.run(used, 5))
    list(prepared.run("compiled.clear()", 5))
    assert values(prepared.run(PREPARED, 5)) == [SHOWN]
    assert text(prepared.run("print(len(compiled))", 5)) == "2\n"  # of this cell itself
    assert [k for k, _ in prepared.run("def broken(:", 5)] == ["error", "idle"]
    assert "SyntaxWarning" in text(prepared.run("0 is 0", 5), "stderr")
    ((_, error),) = [m for m in prepared.run("1/0", 5) if m[0] == "error"]
    assert "----> 1 1/0" in re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error["traceback"]))


def test_what_a_notebook_does_to_its_compiler_holds_for_prepared_cells(prepared):
    """Its transformers of syntax, and what it imports from the future."""
    change = "import ast\nclass T(ast.NodeTransformer):\n    def visit_Constant(self, node):\n" \
             "        return ast.Constant(7) if node.value == 2 else node\n" \
             "get_ipython().ast_transformers.append(T())"
    list(prepared.run(change, 5))
    assert values(prepared.run(PREPARED, 5)) == ["'{\"total\": 98}'"]
    list(prepared.run("get_ipython().ast_transformers.clear()", 5))
    assert values(prepared.run(PREPARED, 5)) == [SHOWN]
    assert [kind for kind, _ in prepared.run(FUTURE, 5)] == ["idle"]
    assert values(prepared.run(PREPARED, 5)) == [SHOWN]
    code = "print(twice.__code__.co_flags & annotations.compiler_flag > 0)"
    assert text(prepared.run(code, 5)) == "True\n"


def test_only_the_master_copy_is_prepared(monkeypatch):
    """What a student wrote reaches no compiler outside of the sandbox."""
    sent = []
    monkeypatch.setattr(warm.own_server(), "prepare", sent.extend)
    about = {"schema_version": 3, "points": 1, "grade_id": "a", "task": False}
    cells = [("mine = 1", {}), ("answer = 2", about | {"grade": False, "solution": True,
                                                       "locked": False}),
             ("both = 3", about | {"grade": True, "solution": True, "locked": False}),
             ("assert answer", about | {"grade": True, "solution": False, "locked": True})]
    run([source for source, _ in cells], True, [{"nbgrader": m} if m else m for _, m in cells])
    assert sent == ["assert answer"]
