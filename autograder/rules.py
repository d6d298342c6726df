"""The rules that the tests hold notebooks to.

A rule takes a notebook and yields (cell, message) for every breach; `problems` and `one_body` name
the file too. Cells count from 1, and 0 stands for the whole notebook.
"""

import ast
import json
import re
import statistics
import sys
from typing import NamedTuple

from autograder.notebooks import grade_cells, read, regions

IMPORTS = sys.stdlib_module_names | {"matplotlib", "numpy", "strokes", "torch", "torchvision"}
LINES, MEDIAN, COLUMNS, ROW, WORDS, OUTPUT = 25, 6, 79, 2, 120, 350_000
FORBIDDEN = re.compile(r"\b(?:simply|obvious(?:ly)?|it is easy to see|clearly|trivial(?:ly)?"
                       r"|just)\b", re.IGNORECASE)
ABSOLUTE = re.compile(r"(?<![\w.:/~-])/(?:content|etc|home|mnt|opt|root|tmp|usr|Users|var|work)/"
                      r"|\b[A-Za-z]:\\|file://")
FENCE = re.compile(r"\s*(`{3,}|~{3,}|:{3,})\s*(\{[\w:-]+\}|\S*)")
CODE_FENCES = {"{math}", "{code}", "{code-block}", "{code-cell}"}
NEXT_SENTENCE = re.compile(r"(\S+)[.!?][)\"'*_”’]*\s+[(\"'*_“‘]*[A-Z]")
ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|cf|vs|al|[Ff]ig|[Ee]q|[Cc]h)$")


class Problem(NamedTuple):
    """One breach of one rule; `cell` counts from 1, 0 stands for the whole notebook."""

    path: str
    cell: int
    message: str

    def __str__(self):
        """Return "path, cell n: message"."""
        where = f"cell {self.cell}" if self.cell else "whole notebook"
        return f"{self.path}, {where}: {self.message}"


def problems(path, kind):
    """Return the Problems of the notebook in `path`; `kind` is a key of RULES."""
    notebook = read(path)
    return [Problem(str(path), *found) for rule in RULES[kind] for found in rule(notebook)]


def _tree(source):
    """Return the syntax tree of `source`, or None if it is not plain Python."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return None


def _code(notebook):
    """Return [(number, cell, tree or None)] of the code cells."""
    return [(number, cell, _tree(cell.source))
            for number, cell in enumerate(notebook.cells, 1) if cell.cell_type == "code"]


def _nodes(tree, *kinds):
    """Return the nodes of `kinds` anywhere in `tree`, which may be None."""
    return [node for node in ast.walk(tree or ast.parse("")) if isinstance(node, kinds)]


def _prose(source, asides=True):
    """Return the lines of Markdown without code, mathematics, tables and options.

    With `asides` false, directives and <details> are left out too.
    """
    lines, fences, details, mathematics = [], [], 0, False
    for line in re.sub(r"\$\$.*?\$\$", "", source, flags=re.DOTALL).split("\n"):
        fence = FENCE.match(line)
        if fence and not fence[2] and fences and fence[1] == fences[-1][0]:
            fences.pop()
            continue
        if fence:
            fences.append((fence[1], fence[2][:1] != "{" or fence[2] in CODE_FENCES))
            continue
        details += line.count("<details")
        mathematics = mathematics or line.startswith("\\begin{")
        aside = not asides and (fences or details)
        dropped = mathematics or any(is_code for _, is_code in fences)
        if not (aside or dropped or re.match(r"\s*(?:\||:[\w-]+:)", line)):
            line = re.sub(r"`[^`]*`|\$[^$]+\$", "x", line)
            lines.append(re.sub(r"<[^>]+>", " ", line))
        details -= line.count("</details>")
        mathematics = mathematics and not line.startswith("\\end{")
    return lines


def _markdown(notebook):
    """Return [(number, cell)] of the Markdown cells."""
    return [(n, cell) for n, cell in enumerate(notebook.cells, 1) if cell.cell_type == "markdown"]


def own_ids(notebook):
    """Cells have ids of their own, and graded cells grade ids."""
    cells = [(number, cell.get("id")) for number, cell in enumerate(notebook.cells, 1)]
    grades = [(cell.index + 1, cell.grade_id) for cell in grade_cells(notebook)]
    for kind, found in (("cell", cells), ("grade", grades)):
        seen = {}
        for number, name in found:
            if not name:
                yield number, f"no {kind} id"
            elif name in seen:
                yield number, f"{kind} id {name!r} again: cell {seen[name]} has it already"
            seen.setdefault(name, number)


def saved_clean(notebook):
    """Cells have no timings, and the kernel is python3."""
    for number, cell in enumerate(notebook.cells, 1):
        if "execution" in cell.metadata:
            yield number, "timings in its metadata: execute with record_timing=False"
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield 0, "the kernelspec is not python3"


def opening(notebook):
    """The first cell is the title with *You will* and *You need*, the second the imports."""
    cells = [*notebook.cells, None, None]
    title = cells[0].source if cells[0] and cells[0].cell_type == "markdown" else ""
    for wanted in ("# ", "*You will*", "*You need*"):
        if not (title.startswith(wanted) if wanted == "# " else wanted in title):
            yield 1, f"the first cell lacks {wanted!r}"
    places = {number for number, _, tree in _code(notebook)
              if _nodes(tree, ast.Import, ast.ImportFrom)}
    if 2 not in places:
        yield 2, "the second cell is not the imports"
    yield from ((number, "an import outside the second cell") for number in sorted(places - {2}))


def imports(notebook):
    """A book notebook imports torch, torchvision, matplotlib, numpy, strokes or Python's own."""
    for number, _, tree in _code(notebook):
        for node in _nodes(tree, ast.Import, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                if "*" in names:
                    yield number, "import *: name what it needs"
                names = ["." * node.level + (node.module or "")]
            for name in names:
                if name.partition(".")[0] not in IMPORTS:
                    yield number, f"imports {name}: a chapter needs torch and the data alone"


def code_size(notebook):
    """Code cells are plain Python, short and narrow, and at most two stand in a row."""
    sizes, row = [], 0
    code = {number: (cell, tree) for number, cell, tree in _code(notebook)}
    for number in range(1, len(notebook.cells) + 1):
        row = row + 1 if number in code else 0
        if row == ROW + 1:
            yield number, f"more than {ROW} code cells in a row"
        if number not in code:
            continue
        cell, tree = code[number]
        lines = [line for line in cell.source.split("\n") if line.strip()]
        sizes.append(len(lines))
        if tree is None:
            yield number, "not plain Python: no % or ! lines"
        if len(lines) > LINES:
            yield number, f"{len(lines)} lines, at most {LINES}"
        if max(map(len, lines), default=0) > COLUMNS:
            yield number, f"{max(map(len, lines))} columns, at most {COLUMNS}"
    if sizes and statistics.median(sizes) > MEDIAN:
        yield 0, f"the median code cell has {statistics.median(sizes):g} lines, at most {MEDIAN}"


def prose(notebook):
    """Markdown has one sentence per line and no word that scolds the reader."""
    for number, cell in _markdown(notebook):
        for line in _prose(cell.source):
            yield from ((number, f"the word {word!r}") for word in FORBIDDEN.findall(line))
            if line.startswith("#"):
                continue
            text = re.sub(r"^\s*(?:(?:[-*+>]|\d+\.)\s+)?(?:\*\*[^*]+\*\*)?", "", line)
            for match in NEXT_SENTENCE.finditer(text):
                if not ABBREVIATION.search(match[1]):
                    yield number, f"a second sentence in a line, after {match[1]!r}"


def cell_words(notebook):
    """A cell of prose has at most 120 words, but for title, asides and questionnaire."""
    questions = False
    for number, cell in _markdown(notebook):
        for heading in re.findall(r"^##? .*", cell.source, re.MULTILINE):
            questions = "question" in heading.lower()
        text = " ".join(_prose(cell.source, asides=False))
        words = len(re.findall(r"\w+(?:[-'’]\w+)*", text))
        if words > WORDS and number > 1 and not questions:
            yield number, f"{words} words, at most {WORDS}"


def executed(notebook):
    """The cells were run in order, from 1; none is empty or hides from nbval.

    The tag nbval-ignore-output is allowed, for times.
    """
    for count, (number, cell, _) in enumerate(_code(notebook), 1):
        if not cell.source.strip():
            yield number, "an empty code cell"
        if "nbval-skip" in cell.metadata.get("tags", []) or "# NBVAL_" in cell.source:
            yield number, "a cell that nbval skips: for times, use the tag nbval-ignore-output"
        if cell.execution_count != count:
            yield number, f"its count is {cell.execution_count}, not {count}: restart and run all"


def outputs(notebook):
    """Outputs are small, and pictures have an alternative text (mystnb.image.alt)."""
    for number, cell, _ in _code(notebook):
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        for output in cell.outputs:
            size = len(json.dumps(output))
            if size > OUTPUT:
                yield number, f"an output of {size} bytes, at most {OUTPUT}"
            kinds = output.get("data", {})
            if any(kind.startswith("image/") for kind in kinds) and not alt.strip():
                yield number, "a picture without metadata mystnb.image.alt"


def _texts(value):
    """Yield the strings in a value of JSON, except pictures."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in items:
            if not str(key).startswith("image/"):
                yield from _texts(part)


def paths(notebook):
    """No source and no output names a place on one machine."""
    for number, cell in enumerate(notebook.cells, 1):
        for text in _texts([cell.source, cell.get("outputs", [])]):
            for found in ABSOLUTE.findall(text):
                yield number, f"an absolute path ({found}...)"


def stripped(notebook):
    """No cell has outputs or a count."""
    for number, cell, _ in _code(notebook):
        if cell.outputs or cell.execution_count is not None:
            yield number, "outputs or a count: clear all outputs"


def graded(notebook):
    """A test opens with a docstring and ends in a statement or check(...)."""
    trees = {number: tree for number, _, tree in _code(notebook)}
    for index, _, _, kind, _ in grade_cells(notebook):
        number, tree = index + 1, trees.get(index + 1)
        if kind != "test":
            continue
        if tree is None or not ast.get_docstring(tree):
            yield number, "a test without a docstring that says what it tests"
        elif isinstance(last := tree.body[-1], ast.Expr) and len(tree.body) > 1:
            call = getattr(last.value, "func", None)
            name = getattr(call, "attr", getattr(call, "id", ""))
            if name != "check" and not name.startswith("assert"):
                yield number, "a test that ends in an expression: nbgrader may take it for a mark"


def tested(notebook):
    """In the solutions, a test holds more than its docstring, and an answer has its region."""
    trees = {number: tree for number, _, tree in _code(notebook)}
    for index, _, _, kind, cell in grade_cells(notebook):
        tree = trees.get(index + 1)
        if kind == "test" and tree and len(tree.body) < 2:
            yield index + 1, "a test that tests nothing"
        try:
            if kind == "solution" and not regions(cell.source, "SOLUTION"):
                yield index + 1, "an answer without ### BEGIN SOLUTION"
        except ValueError as error:
            yield index + 1, str(error)


def stubs(notebook):
    """In the exercises, every answer raises NotImplementedError."""
    trees = {number: tree for number, _, tree in _code(notebook)}
    for index, _, _, kind, cell in grade_cells(notebook):
        raised = {name.id for node in _nodes(trees.get(index + 1), ast.Raise)
                  for name in _nodes(node, ast.Name)}
        if kind == "solution" and cell.cell_type == "code" and "NotImplementedError" not in raised:
            yield index + 1, "an answer that does not raise NotImplementedError"


def one_body(files):
    """Return Problems: functions and classes that two of the notebooks define differently."""
    bodies, found = {}, []
    for path in files:
        for number, _, tree in _code(read(path)):
            for node in tree.body if tree else []:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    first, body = bodies.setdefault(node.name, (path, ast.dump(node)))
                    if first != path and body != ast.dump(node):
                        message = f"{node.name} has another body in {first}"
                        found.append(Problem(str(path), number, message))
    return found


RULES = {
    "book": (own_ids, saved_clean, opening, imports, code_size, prose, cell_words, executed,
             outputs, paths),
    "solutions": (own_ids, saved_clean, stripped, graded, tested, paths),
    "exercises": (own_ids, saved_clean, stripped, graded, stubs, paths),
}
