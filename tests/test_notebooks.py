"""The rules for notebooks: each is broken here, and every notebook of the course keeps them."""

import copy
import re
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from autograder import notebooks, rules

ROOT = Path(__file__).parents[1]
KINDS = {
    "book": sorted((ROOT / "book").glob("*.ipynb")),
    "solutions": sorted((ROOT / "solutions").glob("*/*.ipynb")),
    "exercises": sorted((ROOT / "exercises").glob("*/*.ipynb")),
}
PNG = new_output("display_data", {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"})
ANSWER = '''def double(x):
    """Return twice x, of shape (N,)."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION'''
TEST = '''"""Doubling keeps the sign."""
### BEGIN HIDDEN TESTS
from autograder import check
check("a/double/sign", double)
### END HIDDEN TESTS'''


def nbgrader(grade_id, **changes):
    """Return the metadata of a cell that nbgrader knows; the default is an answer."""
    known = {"grade": False, "grade_id": grade_id, "locked": False, "schema_version": 3,
             "solution": True, "task": False}
    return {"nbgrader": {**known, **changes}}


def finished(*cells):
    """Return a notebook of `cells`, with ids and the kernelspec."""
    made = new_notebook(cells=list(cells))
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    return made


def chapter():
    """Return a book notebook that keeps every rule."""
    return finished(
        new_markdown_cell("# Double a number\n\n*You will* double.\n\n*You need* addition."),
        new_code_cell("import math\n\nimport torch\nfrom torch import nn", execution_count=1),
        new_markdown_cell("## By hand\n\nTwice 2 is 4.\nSo we write a function."),
        new_code_cell("def double(x):\n    return 2 * x", execution_count=2),
        new_code_cell("double(2)", execution_count=3,
                      outputs=[new_output("execute_result", {"text/plain": "4"},
                                          execution_count=3)]),
        new_markdown_cell("The figure shows it."),
        new_code_cell("double.__doc__", execution_count=4, outputs=[PNG],
                      metadata={"mystnb": {"image": {"alt": "A line through the origin."}}}),
    )


def solution():
    """Return a solution notebook that keeps every rule."""
    return finished(
        new_markdown_cell("# Double a number"),
        new_code_cell("import torch", metadata=nbgrader("setup", solution=False, locked=True)),
        new_code_cell(ANSWER, metadata=nbgrader("double")),
        new_code_cell("assert double(2) == 4"),
        new_code_cell(TEST, metadata=nbgrader("double_sign", grade=True, solution=False,
                                              locked=True, points=1)),
    )


def exercise():
    """Return the exercise of `solution`, as nbgrader writes it."""
    made = solution()
    made.cells[2].source = "def double(x):\n    raise NotImplementedError"
    made.cells[4].source = '"""Doubling keeps the sign."""'
    return made


GOOD = {"book": chapter, "solutions": solution, "exercises": exercise}


def source(number, text):
    """Return a change that gives the cell with `number`, from 1, the source `text`."""
    return lambda nb: nb.cells[number - 1].update(source=text)


def insert(number, *cells):
    """Return a change that puts `cells` before the cell with `number`, from 1."""
    return lambda nb: nb.cells.__setitem__(slice(number - 1, number - 1), copy.deepcopy(cells))


def output(text):
    """Return a change that makes `text` the printed output of a chapter's fifth cell."""
    return lambda nb: nb.cells[4].update(outputs=[new_output("stream", name="stdout", text=text)])


def with_count(cell):
    """Return `cell` as if it had been run once."""
    cell.execution_count = 1
    return cell


def without_id(nb):
    """Take the id of the third cell away."""
    del nb.cells[2]["id"]


def same_id(nb):
    """Give the third cell the id of the first."""
    nb.cells[2].id = nb.cells[0].id


def timings(nb):
    """Give the second cell the times at which it ran."""
    nb.cells[1].metadata["execution"] = {"iopub.status.busy": "2026-01-01T00:00:00"}


def other_kernel(nb):
    """Name a kernel that readers do not have."""
    nb.metadata["kernelspec"]["name"] = "conda-env-mine"


def no_alt(nb):
    """Take the alternative text of the figure away."""
    nb.cells[6].metadata = nbformat.from_dict({})


def blank_alt(nb):
    """Leave the alternative text of the figure blank."""
    nb.cells[6].metadata["mystnb"]["image"]["alt"] = " "


def long_cells(nb):
    """Make the code cells 3, 6, 7 and 9 lines long: the median is 6.5."""
    for number, lines in ((4, 6), (5, 7), (7, 9)):
        nb.cells[number - 1].source = "\n".join(["1"] * lines)


CELL = [with_count(new_code_cell("x = 1"))]
LONG = "\n".join(["ten words stand in this line and no more here."] * 13)
BREACHES = [  # (kind, the change, the number of the cell to blame, part of the message)
    *((kind, *breach) for kind in GOOD for breach in [
        (without_id, 3, "no cell id"),
        (same_id, 3, "cell id 'cell-0' again: cell 1 has it already"),
        (timings, 2, "record_timing"),
        (other_kernel, 0, "kernelspec"),
        (source(1, "# Double\n\n*You will* *You need* /home/me/data.csv"), 1, "path (/home/"),
    ]),
    ("book", source(1, "Double a number *You will* *You need*"), 1, "lacks '# '"),
    ("book", source(1, "# Double\n\n*You need* addition."), 1, "lacks '*You will*'"),
    ("book", source(1, "# Double\n\n*You will* double."), 1, "lacks '*You need*'"),
    ("book", lambda nb: nb.cells.pop(0), 1, "lacks"),
    ("book", source(2, "x = 1"), 2, "second cell is not the imports"),
    ("book", source(4, "import math\nx = 2"), 4, "an import outside"),
    ("book", source(4, "def f():\n    import math"), 4, "an import outside"),
    ("book", source(2, "from torch import *"), 2, "import *"),
    ("book", source(2, "import torch, pandas.core"), 2, "imports pandas.core"),
    ("book", source(2, "from autograder import check"), 2, "imports autograder"),
    ("book", source(2, "from . import helper"), 2, "imports ."),
    ("book", source(4, "%matplotlib inline\nx = 1"), 4, "plain Python"),
    ("book", source(4, "!pip install x"), 4, "plain Python"),
    ("book", source(4, "x = %timeit -o 1"), 4, "plain Python"),
    ("book", source(4, "\n".join(["x = 1"] * 26)), 4, "26 lines, at most 25"),
    ("book", source(4, "x = " + "1" * 76), 4, "80 columns, at most 79"),
    ("book", long_cells, 0, "median code cell has 6.5 lines"),
    ("book", insert(4, *CELL), 6, "more than 2 code cells in a row"),
    ("book", source(3, LONG), 3, "130 words"),
    ("book", source(3, LONG + "\n\n```python\n1\n```\nMore words."), 3, "132 words"),
    ("book", source(6, "## A question\n\nWhy?\n\n## Answered\n\n" + LONG), 6, "at most 120"),
    ("book", source(3, "This is simply so."), 3, "'simply'"),
    ("book", source(3, "Obviously it holds."), 3, "'Obviously'"),
    ("book", source(3, "It is easy to see that it holds."), 3, "'It is easy to see'"),
    ("book", source(3, "It is clearly so."), 3, "'clearly'"),
    ("book", source(3, "A trivial case."), 3, "'trivial'"),
    ("book", source(3, "It is just a sum."), 3, "'just'"),
    ("book", source(3, "## Just a sum"), 3, "'Just'"),
    ("book", source(3, ":::{note}\nIt is clearly so.\n:::"), 3, "'clearly'"),
    ("book", source(3, "It is 5. Then it is 6."), 3, "second sentence in a line, after '5'"),
    ("book", source(3, "Why `x`? **Because** it is."), 3, "second sentence"),
    ("book", source(3, "- (It is so.) Then more."), 3, "second sentence"),
    ("book", source(3, "```{note}\nOne. Two.\n```"), 3, "after 'One'"),
    ("book", source(3, "```python\n1\n```\nOne. Two.\n\n```python\n2\n```"), 3, "after 'One'"),
    ("book", lambda nb: nb.cells[3].update(execution_count=None), 4, "count is None, not 2"),
    ("book", lambda nb: nb.cells[3].update(execution_count=7), 4, "count is 7, not 2"),
    ("book", source(7, ""), 7, "empty code cell"),
    ("book", lambda nb: nb.cells[3].metadata.update(tags=["nbval-skip"]), 4, "nbval skips"),
    ("book", source(4, "# NBVAL_IGNORE_OUTPUT\nx = 2"), 4, "nbval skips"),
    ("book", output("x" * 350_001), 5, "at most 350000"),
    ("book", no_alt, 7, "mystnb.image.alt"),
    ("book", blank_alt, 7, "mystnb.image.alt"),
    ("book", source(4, "open('/tmp/x')"), 4, "path (/tmp/...)"),
    ("book", source(4, r"open('C:\\data')"), 4, "absolute path (C:"),
    ("book", output("saved\n/work/main/x.png"), 5, "path (/work/...)"),
    ("book", output("see file:///x"), 5, "path (file://...)"),
    *((kind, *breach) for kind in ("solutions", "exercises") for breach in [
        (lambda nb: nb.cells[3].update(execution_count=1), 4, "clear all outputs"),
        (lambda nb: nb.cells[3].update(outputs=[PNG]), 4, "clear all outputs"),
        (lambda nb: nb.cells[4].metadata.nbgrader.update(grade_id="double"), 5,
     "grade id 'double' again: cell 3 has it already"),
        (lambda nb: nb.cells[4].metadata.nbgrader.update(grade_id=""), 5, "no grade id"),
        (source(5, "assert double(2) == 4"), 5, "without a docstring"),
        (source(5, '"""It doubles."""\nassert (\n'), 5, "without a docstring"),
        (source(5, '"""It doubles."""\ndouble(2) / 4'), 5, "ends in an expression"),
        (source(5, '"""It doubles."""\nprint(double(2))'), 5, "ends in an expression"),
        (source(5, '"""It doubles."""\nscore = 1\nscore;'), 5, "ends in an expression"),
    ]),
    ("solutions", source(5, '"""It doubles."""'), 5, "tests nothing"),
    ("solutions", source(3, "def double(x):\n    return 2 * x"), 3, "BEGIN SOLUTION"),
    ("solutions", source(3, ANSWER.replace("END", "end")), 3, "without its END"),
    ("exercises", source(3, "def double(x):\n    return 2 * x"), 3, "NotImplementedError"),
    ("exercises", source(3, "# raise NotImplementedError\n2"), 3, "NotImplementedError"),
]
KEPT = [  # (kind, a change that breaks no rule)
    ("book", source(3, "A kernel, e.g. Sobel's, sees edges, cf. Figure 2 and Smith et al. Yes.")),
    ("book", source(3, "1. Pad first.\n2. Then cut.\n   - Multiply.\n\n**Predict.** What comes?")),
    ("book", source(3, "## One. Two\n\nFirst.\n\nSecond.")),
    ("book", source(3, "```python\n# One. Two, simply.\n```\n\n| One. Two | simply |\n|---|---|")),
    ("book", source(3, "$$\n\\text{A. B}\n$$\n\nWith $a. B$ and `just. Now` it holds.")),
    ("book", source(3, "\\begin{align}\na. B\n\\end{align}\nIt holds.")),
    ("book", source(3, "```{figure} x.png\n:alt: One. Two.\n\nOne.\n```")),
    ("book", source(3, "````\n```\nOne. Two.\n```\n````\nFirst.")),
    ("book", source(3, "```{math}\n\\text{A. B}\n```\nFirst.")),
    ("book", source(3, '<img src="x.png" alt="One. Two.">')),
    ("book", source(3, f"<details><summary>Hint</summary>\n\n{LONG}\n\n</details>")),
    ("book", source(3, f"````{{dropdown}} Answer\n```python\n1\n```\n{LONG}\n````\nShort.")),
    ("book", source(3, f"## Questionnaire\n\n{LONG}")),
    ("book", source(1, f"# Double\n\n*You will* *You need*\n\n{LONG}")),
    ("book", source(3, "The adjustment of 2.5 Hz (see https://example.org/home/x) is unjust.")),
    ("book", source(4, '"""\n%d and !\n"""\nx = 5 \\\n    % 3')),
    ("book", source(4, "\n".join(["x = 1", ""] * 25))),
    ("book", source(4, "x = " + "1" * 75)),
    ("book", source(2, "import json\nimport numpy as np\nimport strokes, torchvision.datasets\n"
                       "import matplotlib.pyplot as plt\nfrom torch.nn import functional as F")),
    ("book", output("x" * 349_000)),
    ("book", lambda nb: nb.cells[3].metadata.update(tags=["nbval-ignore-output"])),
    ("book", lambda nb: nb.cells[6].outputs[0].data.update({"image/png": "aa+/tmp/aa"})),
    ("book", output("a/home/b and 3/tmp/5 and ../var/x")),
    ("solutions", source(5, '"""It doubles."""\nfor x in (1, 2):\n    assert double(x) == 2 * x')),
    ("solutions", lambda nb: nb.cells[2].metadata.nbgrader.update(grade=True, points=2)),
    ("exercises", source(3, "def double(x):\n    raise NotImplementedError('double')")),
    ("exercises", source(5, '"""It doubles."""\nassert double(1) == 2')),
]


def judged(kind, change, tmp_path):
    """Return the Problems of a good notebook after `change`, read from a file."""
    notebook = GOOD[kind]()
    change(notebook)
    path = tmp_path / "it.ipynb"
    path.write_text(nbformat.v4.writes(notebook), encoding="utf-8")
    return rules.problems(path, kind)


@pytest.mark.parametrize("kind", GOOD)
def test_good_notebook_has_no_problem(kind, tmp_path):
    """A notebook that keeps every rule passes all of them."""
    assert judged(kind, lambda nb: None, tmp_path) == []


@pytest.mark.parametrize("number", range(len(BREACHES)),
                         ids=[f"{kind}-{message}" for kind, _, _, message in BREACHES])
def test_breach_is_found(number, tmp_path):
    """Breaking a rule gives a problem at that cell, which the message names."""
    kind, change, cell, message = BREACHES[number]
    found = judged(kind, change, tmp_path)
    assert [p for p in found if p.cell == cell and message in p.message], found
    where = f"cell {cell}: " if cell else "whole notebook: "
    assert str(found[0]).startswith(f"{tmp_path / 'it.ipynb'}, ")
    assert any(where in str(p) for p in found)


@pytest.mark.parametrize("number", range(len(KEPT)))
def test_what_looks_like_a_breach_passes(number, tmp_path):
    """What resembles a breach, and is none, gives no problem."""
    kind, change = KEPT[number]
    assert judged(kind, change, tmp_path) == []


def test_one_name_one_body(tmp_path):
    """Two chapters may share a helper, but not its name with another body."""
    def write(name, *sources):
        path = tmp_path / name
        path.write_text(nbformat.v4.writes(finished(*map(new_code_cell, sources))))
        return path

    one = write("one.ipynb", "def show(x):\n    return x", "def f():\n    return 1")
    same = write("same.ipynb", "def show(x):  # a comment\n    return (x)")
    twice = write("twice.ipynb", "def f2():\n    return 1", "def f2():\n    return 2")
    other = write("other.ipynb", "x = 1", "def show(x):\n    return -x")
    assert rules.one_body([one, same, twice]) == []
    assert rules.one_body([one, other]) == [
        (str(other), 2, f"show has another body in {one}")]
    late = write("late.ipynb", "def f2():\n    return 2")
    assert [p.path for p in rules.one_body([twice, late])] == [str(late)]


GOOD_TEXT = nbformat.v4.writes(solution())
BROKEN = {
    "empty": ("", "not JSON at line 1"),
    "conflict": ("<<<<<<< HEAD\n" + GOOD_TEXT, "not JSON at line 1"),
    "cut short": (GOOD_TEXT[:300], "not JSON at line"),
    "list": ("[]", "JSON, but not a notebook"),
    "null": ("null", "JSON, but not a notebook"),
    "deep": ("[" * 100_000, "JSON, but not a notebook"),
    "old": ('{"nbformat": 3, "worksheets": []}', "notebook format 3, not 4"),
    "no cells": ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "not a notebook"),
    "odd cell": (GOOD_TEXT.replace('"cell_type": "code"', '"cell_type": "cod"', 1), "cells/1"),
    "odd minor": (GOOD_TEXT.replace('"nbformat_minor": 5', '"nbformat_minor": "5"'), "minor"),
    "bytes": (b"\xff\xfe\x00", "not UTF-8"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file_gives_one_line(name, tmp_path):
    """A file that is no notebook gives one line: the path, what is wrong, the way out."""
    content, message = BROKEN[name]
    path = tmp_path / "it.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(notebooks.NotebookError) as caught:
        notebooks.read(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert message in line
    assert line.endswith(notebooks.MEND)
    assert "\n" not in line


@pytest.mark.parametrize("name", ["absent.ipynb", ".", "file/it.ipynb", "nul\0.ipynb"])
def test_unreadable_path_gives_one_line(name, tmp_path):
    """A path that cannot be read gives one line that begins with it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(notebooks.NotebookError) as caught:
        notebooks.read(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(caught.value)


def test_read_changes_nothing(tmp_path):
    """A notebook comes back as it is in the file: no id is added, and old minors are read."""
    notebook = chapter()
    without_id(notebook)
    notebook.nbformat_minor = 4
    for cell in notebook.cells:
        cell.pop("id", None)
    path = tmp_path / "it.ipynb"
    path.write_text(nbformat.v4.writes(notebook))
    assert notebooks.read(path) == notebook


def test_grade_cells():
    """Every cell that nbgrader knows is listed, with its place, kind and points."""
    made = solution()
    made.cells += [new_markdown_cell("Why?", metadata=nbgrader("why", grade=True, points=2)),
                   new_markdown_cell("Do.", metadata=nbgrader("do", solution=False, task=True,
                                                             locked=True, points=3))]
    assert [found[:4] for found in notebooks.grade_cells(made)] == [
        (1, "setup", 0.0, "locked"), (2, "double", 0.0, "solution"),
        (4, "double_sign", 1.0, "test"), (5, "why", 2.0, "manual"), (6, "do", 3.0, "task")]


def test_regions():
    """The text of each region comes back without its marks; unbalanced marks are refused."""
    assert notebooks.regions(ANSWER, "SOLUTION") == ["    return 2 * x"]
    assert notebooks.regions(ANSWER, "HIDDEN TESTS") == []
    assert notebooks.regions(f"{ANSWER}\n{ANSWER}", "SOLUTION") == ["    return 2 * x"] * 2
    begin, end = "### BEGIN SOLUTION", "### END SOLUTION"
    for wrong, message in ((begin, "without its END"), (end, "without its BEGIN"),
                           (f"{begin}\n{begin}\n{end}", "line 2: BEGIN SOLUTION inside")):
        with pytest.raises(ValueError, match=message):
            notebooks.regions(wrong, "SOLUTION")


def test_rules_need_neither_torch_nor_nbgrader():
    """The modules import nbformat, each other and the standard library alone."""
    for name in ("notebooks", "rules"):
        text = (ROOT / "autograder" / f"{name}.py").read_text(encoding="utf-8")
        imported = set(re.findall(r"^\s*(?:import|from) (\w+)", text, re.MULTILINE))
        assert imported - {"nbformat", "autograder"} <= rules.sys.stdlib_module_names


@pytest.mark.parametrize(("kind", "path"), [
    pytest.param(kind, path, id=str(path.relative_to(ROOT)))
    for kind, found in KINDS.items() for path in found])
def test_course_keeps_the_rules(kind, path):
    """Every notebook of the course keeps the rules for its kind."""
    found = rules.problems(path, kind)
    assert not found, "\n".join(map(str, found))


def test_chapters_agree_on_their_helpers():
    """A function that two chapters define under one name has one body."""
    found = rules.one_body(KINDS["book"])
    assert not found, "\n".join(map(str, found))


def test_nothing_is_missing():
    """Book and _toc.yml agree; each assignment has its page, and each page names its exercise."""
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    entries = [entry for part in parts for entry in part["chapters"]]
    entries += [section for entry in entries for section in entry.get("sections", [])]
    pages = {Path(entry["file"]).name for entry in entries
             if not (ROOT / f"{entry['file']}.md").exists()}
    assert pages, "_toc.yml lists no notebook"
    assert {path.stem for path in KINDS["book"]} == pages, "book/ and _toc.yml differ"
    slugs = {path.stem for path in KINDS["solutions"]}
    assert slugs <= pages, "an assignment without a page of its name"
    for kind in ("solutions", "exercises"):
        found = {path.relative_to(ROOT / kind) for path in KINDS[kind]}
        assert found == {Path(slug, f"{slug}.ipynb") for slug in slugs}, kind
    for path in KINDS["book"]:
        named = set(re.findall(r"exercises/(\w+)/\1\.ipynb", path.read_text(encoding="utf-8")))
        assert named and named <= slugs, f"{path.name} names no exercise that there is"
        assert path.stem in named or path.stem not in slugs, f"{path.name} names another exercise"
