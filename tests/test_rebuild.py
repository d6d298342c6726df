"""What a student may and may not change about a notebook that is graded."""

import copy
import json
import os

import nbformat
import pytest
from courses import cell, exercise
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.rebuild import LARGEST, Unreadable, read_bytes, read_file, rebuild, unreadable

ANSWER = "def conv2d(x, weight):\n    return x"


@pytest.fixture
def handed_in():
    """An exercise with one answer written."""
    notebook = exercise()
    cell(notebook, "conv2d").source = ANSWER
    return notebook


def rebuilt(notebook, tmp_path):
    """The rebuilt form of a notebook that goes through a file."""
    path = tmp_path / "convolution.ipynb"
    path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook))
    return rebuild(exercise(), read_bytes(read_file(path)))


def test_answer_is_carried_over_and_nothing_else(handed_in, tmp_path):
    """The result is the release with one source changed."""
    expected = exercise()
    cell(expected, "conv2d").source = ANSWER
    for c in handed_in.cells:
        c.metadata["tags"] = ["skip-execution"]
        c.metadata.get("nbgrader", {}).update(points=99, locked=False)
        if c.source.startswith('"""'):
            c.source = "pass"
    handed_in.metadata["kernelspec"] = {"name": "other", "display_name": "x", "language": "x"}
    assert rebuilt(handed_in, tmp_path) == expected


@pytest.mark.parametrize("edit", [
    lambda nb: nb.cells.append(copy.deepcopy(cell(nb, "conv2d_bias"))),
    lambda nb: nb.cells.remove(cell(nb, "conv2d_bias")),
    lambda nb: nb.cells.insert(0, nb.cells.pop(nb.cells.index(cell(nb, "conv2d_bias")))),
    lambda nb: cell(nb, "conv2d_bias").metadata.nbgrader.update(schema_version=1),
    lambda nb: cell(nb, "conv2d_bias").metadata.nbgrader.update(grade=False, solution=True),
    lambda nb: cell(nb, "conv2d_bias").update(cell_type="markdown"),
    lambda nb: cell(nb, "conv2d_bias").metadata.update(nbgrader="nonsense"),
    lambda nb: nb.cells.reverse(),
    lambda nb: nb.update(cells=[cell(nb, "conv2d")]),
    lambda nb: nb.update(nbformat_minor=99),
    lambda nb: [c.pop("id") for c in nb.cells],
    lambda nb: [c.update(metadata=[]) for c in nb.cells if c.cell_type == "markdown"],
])
def test_structure_is_the_releases(handed_in, tmp_path, edit):
    """Copies, deletions, moves and edited metadata leave no trace."""
    expected = rebuilt(copy.deepcopy(handed_in), tmp_path)
    edit(handed_in)
    assert rebuilt(handed_in, tmp_path) == expected


def test_a_helper_cell_keeps_its_place_as_bare_code(handed_in, tmp_path):
    """A cell the student added runs where it stood, without its tags."""
    extra = nbformat.v4.new_code_cell("HELP = 1", metadata={"tags": ["skip-execution"]})
    handed_in.cells.insert(handed_in.cells.index(cell(handed_in, "conv2d")), extra)
    got = rebuilt(handed_in, tmp_path).cells
    at = [c.source for c in got].index("HELP = 1")
    assert got[at].metadata == {}
    assert got[at + 1].source == ANSWER


def test_an_answer_in_a_cell_of_its_own_counts(handed_in, tmp_path):
    """Deleted the answer cell and wrote a new one: it runs after the stub, before the tests."""
    at = handed_in.cells.index(cell(handed_in, "conv2d"))
    handed_in.cells[at] = nbformat.v4.new_code_cell(ANSWER)
    sources = [c.source for c in rebuilt(handed_in, tmp_path).cells]
    stub = cell(exercise(), "conv2d").source
    test = cell(exercise(), "conv2d_channels").source
    assert sources.index(stub) < sources.index(ANSWER) < sources.index(test)


def test_a_second_copy_of_an_answer_runs_second(handed_in, tmp_path):
    """As in the student's own notebook, the later definition holds."""
    again = copy.deepcopy(cell(handed_in, "conv2d"))
    again.source = ANSWER + "  # better"
    handed_in.cells.insert(handed_in.cells.index(cell(handed_in, "conv2d")) + 1, again)
    sources = [c.source for c in rebuilt(handed_in, tmp_path).cells]
    assert sources.index(ANSWER) < sources.index(again.source)


def test_helpers_after_the_last_known_cell_still_run_before_the_tests(tmp_path):
    """A notebook that lost everything but one answer of its own."""
    only = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(ANSWER)])
    got = rebuilt(only, tmp_path)
    first_test = next(i for i, c in enumerate(got.cells)
                      if c.metadata.get("nbgrader", {}).get("grade"))
    assert got.cells[first_test - 1].source == ANSWER


def test_format_3_is_read(handed_in, tmp_path):
    """An old notebook's answers count as well."""
    sheets = [{"cell_type": c.cell_type, "metadata": c.metadata,
               ("input" if c.cell_type == "code" else "source"): c.source.splitlines(True)}
              for c in handed_in.cells]
    old = {"nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": sheets}]}
    assert rebuilt(old, tmp_path) == rebuilt(handed_in, tmp_path)


@pytest.mark.parametrize("raw,reason", [
    (b"", "not JSON"), (b"{", "not JSON"), (b"null", "not a notebook"), (b"[]", "not a notebook"),
    (b"\xff\xfe{\x00}\x00", "not UTF-8"), (b'{"cells": null}', "not a notebook"),
    (b'{"cells": [{"source": 5}]}', "not a notebook"), (b'{"cells": [7]}', "not a notebook"),
    (b'{"cells": {"a": 1}}', "not a notebook"), (b"[" * 100_000, "not"),
    (b" " * (LARGEST + 1), "larger than 20 MB"),
])
def test_what_cannot_be_read_gets_one_reason(tmp_path, raw, reason):
    """A sentence that its author can act on."""
    path = tmp_path / "convolution.ipynb"
    path.write_bytes(raw)
    with pytest.raises(Unreadable, match=reason) as error:
        read_bytes(read_file(path))
    assert "hand it in again" in str(error.value) and "\n" not in str(error.value)


def test_links_fifos_and_folders_are_not_followed(tmp_path):
    """None of them is opened, and none hangs."""
    (tmp_path / "real").write_text(nbformat.writes(exercise()))
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "folder", "fifo", "absent"):
        with pytest.raises(Unreadable):
            read_bytes(read_file(tmp_path / name))


def test_a_lone_surrogate_can_be_saved(tmp_path):
    """Half a character in an answer becomes a question mark."""
    raw = json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": "x = '\ud800'"}]})
    got = rebuilt(raw, tmp_path)
    assert "x = '?'" in [c.source for c in got.cells]
    nbformat.writes(got).encode()


def test_the_reason_stands_at_the_top():
    """The untouched release with one cell more, still a valid notebook."""
    notebook = unreadable(exercise(), "It is not JSON.")
    nbformat.validate(notebook)
    assert "It is not JSON." in notebook.cells[0].source
    assert notebook.cells[1:] == exercise().cells


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    | st.sampled_from(["code", "markdown", "conv2d", "conv2d_bias"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["cells", "cell_type", "source", "metadata", "nbgrader", "grade_id",
                         "nbformat", "worksheets", "id"]), inner, max_size=5), max_leaves=20)


@settings(max_examples=150, deadline=None)
@given(json_values)
def test_no_json_breaks_it(tmp_path_factory, value):
    """Whatever is in the file, it is rebuilt into a valid notebook or refused with a reason."""
    path = tmp_path_factory.mktemp("any") / "convolution.ipynb"
    path.write_text(json.dumps(value))
    try:
        cells = read_bytes(read_file(path))
    except Unreadable:
        return
    notebook = rebuild(exercise(), cells)
    nbformat.validate(notebook)
    tests = [c.source for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")]
    assert tests == [c.source for c in exercise().cells
                     if c.metadata.get("nbgrader", {}).get("grade")]
