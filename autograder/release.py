"""From solutions to exercises: what an author wrote is checked, then nbgrader cuts it.

Nothing is generated unless every check passes. `problems` holds the checks.
"""

import ast
import functools
import re
import subprocess
import sys

from autograder import notebooks, rules
from autograder.course import CourseError

STUB = "raise NotImplementedError"
POINTS = re.compile(r"\((\d+) points?\)|\*\*(\d+) points?\.?\*\*")


def release(course, slug):
    """Generate the student notebook of an assignment, and put the assignment into the gradebook.

    Raises CourseError, with one line for each problem, and generates nothing if there is any.
    """
    course.require(slug)
    found = problems(course, slug, check_names())
    if found:
        raise CourseError("\n".join(found))
    target = course.notebook("release", slug)
    before = target.read_bytes() if target.is_file() else None
    result = course.api.generate_assignment(slug, force=True, create=True)
    if result["success"]:
        found = list(leaks(course, slug))
    else:
        found = [_reason(slug, f"{result.get('error') or ''}\n{result.get('log') or ''}")]
    if found:
        _put_back(target, before)
        raise CourseError("\n".join(found))


def _put_back(path, before):
    """Leave the student notebook as it was."""
    path.unlink(missing_ok=True)
    if before is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(before)


@functools.cache
def check_names():
    """Every check that has references; asked of another process, which may import torch."""
    run = subprocess.run([sys.executable, "-m", "autograder.references"],
                         capture_output=True, text=True)
    if run.returncode:
        raise CourseError(f"the references cannot be imported: {run.stderr.strip()[-300:]}")
    return run.stdout.split()


def problems(course, slug, names):
    """What is wrong with a source notebook, one line each; `names` are the checks there are."""
    path = course.notebook("source", slug)
    folder = path.parent
    strays = [p for p in folder.rglob("*") if p != path and ".ipynb_checkpoints" not in p.parts]
    found = [f"{p.relative_to(course.root)}: nbgrader would hand it to students: only {path.name} "
             "may be in this folder" for p in strays]
    try:
        notebook = notebooks.read(path)
    except notebooks.NotebookError as error:
        return [*found, str(error)]
    where = path.relative_to(course.root)
    found += [f"{where}, cell {number}: {line}" for number, line in rules.own_ids(notebook)]
    found += [f"{where}, {line}" for line in (*_points(notebook), *_answers(notebook),
                                             *_tests(notebook, slug, names))]
    return found


def _points(notebook):
    """Headings that promise other points than their test cells give."""
    given, promised, heading, total = 0, None, None, None
    cells = list(notebook.cells)
    points = {cell.index: cell.points for cell in notebooks.grade_cells(notebook)}
    for i, cell in enumerate([*cells, None]):
        lines = cell.source.splitlines() if cell and cell.cell_type == "markdown" else []
        titles = [line for line in lines if line.startswith("## ")]
        if titles or cell is None:
            if promised is not None and promised != given:
                yield (f"'{heading}': its test cells add up to {given:g} points, not {promised}: "
                       "change the heading, or their points")
            match = POINTS.search(titles[0]) if titles else None
            heading, promised, given = titles and titles[0], match and int(match[1]), 0
        if total is None and lines and (match := POINTS.search(cell.source)) and match[2]:
            total = int(match[2])
        given += points.get(i, 0)
    if total is None:
        yield "whole notebook: it says nowhere '**n points.**'"
    elif total != sum(points.values()):
        yield (f"whole notebook: its tests give {sum(points.values()):g} points, not {total}: "
               "change the number at its top")


def _answers(notebook):
    """Answer cells without a solution to cut out, and solutions that stay."""
    solutions, rest = set(), []
    for i, cell in enumerate(notebook.cells, start=1):
        try:
            cut = [line for name in ("SOLUTION", "HIDDEN TESTS")
                   for region in notebooks.regions(cell.source, name)
                   for line in _lines(region)]
        except ValueError as error:
            yield f"cell {i}: {error}"
            continue
        about = cell.metadata.get("nbgrader", {})
        if about.get("solution") and not cut:
            yield f"cell {i}: an answer cell without ### BEGIN SOLUTION would be left as it is"
        solutions |= set(cut)
        if cell.cell_type == "code":
            rest.append((i, set(_lines(cell.source)) - set(cut)))
    for i, lines in rest:
        for line in sorted(lines & solutions):
            yield f"cell {i}: students would see a line of the solution: {line}"


def _lines(source):
    """Lines long enough to give something away."""
    return [line.strip() for line in source.splitlines() if len(line.strip()) > 25]


def _tests(notebook, slug, names):
    """Hidden tests without a case, cases without a test, and cells nbgrader would misread."""
    used = []
    for cell in notebooks.grade_cells(notebook):
        if cell.kind not in ("test", "locked") or cell.cell.cell_type != "code":
            continue
        try:
            tree = ast.parse(cell.cell.source)
        except SyntaxError as error:
            yield f"cell {cell.index + 1} ({cell.grade_id}): not Python: {error.msg}"
            continue
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)
                 and getattr(node.func, "id", "") == "check"]
        checks = [call.args[0].value for call in calls]
        used += checks
        last = tree.body[-1]
        if isinstance(last, ast.Expr) and last.value not in calls and not _asserts(last.value):
            yield (f"cell {cell.index + 1} ({cell.grade_id}): it ends in an expression, which "
                   "nbgrader would take for partial credit")
        if cell.kind == "test" and cell.points and not checks:
            yield f"cell {cell.index + 1} ({cell.grade_id}): a graded cell without a check(...)"
        if checks and "### BEGIN HIDDEN TESTS" not in cell.cell.source:
            yield (f"cell {cell.index + 1} ({cell.grade_id}): students would see its check: put it "
                   "between ### BEGIN HIDDEN TESTS and ### END HIDDEN TESTS")
        for name in checks:
            if name not in names or not name.startswith(f"{slug}/"):
                yield (f"cell {cell.index + 1} ({cell.grade_id}): no case is called '{name}' in "
                       f"autograder/references/{slug}: mend the name, or list its task in TASKS")
    for name in sorted({n for n in names if n.startswith(f"{slug}/")} - set(used)):
        yield f"whole notebook: no hidden test runs '{name}': copy the cell of a test"


def _asserts(expression):
    """Whether an expression is a call such as ``assert_close(…)``, which has no value."""
    function = getattr(expression, "func", None)
    return getattr(function, "attr", getattr(function, "id", "")).startswith("assert")


def leaks(course, slug):
    """What a generated student notebook still gives away, one line each."""
    path = course.notebook("release", slug)
    for cell in notebooks.grade_cells(notebooks.read(path)):
        source = cell.cell.source
        where = f"{path.relative_to(course.root)}, cell {cell.index + 1}"
        if cell.kind == "solution" and STUB not in source:
            yield f"{where}: an answer is left in it"
        if "### BEGIN" in source or "check(" in source:
            yield f"{where}: a hidden test or a solution is left in it"


def _reason(slug, log):
    """Why nbgrader could not generate, in one line."""
    if "Cannot add or remove cells" in log or "Cannot remove" in log:
        return (f"{slug}: submissions of an earlier version are in the gradebook, and cells were "
                "added or removed since: keep the cells, or start a new gradebook")
    lines = [line for line in log.splitlines() if line.strip()]
    return f"{slug}: nbgrader could not generate it: {lines[-1] if lines else 'no reason given'}"
