"""Answers that are nearly the same: those who copied are found, those who did not are left alone.
"""

import importlib
import inspect
import tokenize

import pytest
from courses import ROOT

from autograder import notebooks, similar
from autograder.similar import RUN, fingerprints, tokens

SLUGS = ["convolution", "normalization", "receptive_fields"]
OWN = '''
def f(x, width=2):
    """Give back windows."""
    found = []
    for start in range(0, len(x) - width + 1, width):
        window = x[start:start + width]
        if window.sum() > 0.5 and "sums" in SETTINGS:
            found.append(torch.stack([window.mean(), window.amax() - window.amin()]))
    return torch.cat(found).reshape(-1, 2) if found else x.new_zeros(0, 2)
'''
DRESSED = """
def f(x, width = 2):
    '''Something else.'''
    # my own work
    out = [ ]
    for i in range(0x0, len(x) - width + 1,
                   width):

        piece = x[i : i+width]   # a piece
        if piece.sum() > 5e-1 and 'sums' in SETTINGS:
            out.append(torch.stack([piece.mean(),
                piece.amax() - piece.amin()]))
    return torch.cat(out).reshape(-1, 2) if out else x.new_zeros(0, 2)
"""
OTHER = '''
def f(x, width=2):
    """Give back windows."""
    rows = x[:len(x) // width * width].view(-1, width)
    kept = rows[rows.sum(dim=1) > 0.5]
    spread = kept.max(dim=1).values - kept.min(dim=1).values
    return torch.stack((kept.mean(dim=1), spread), dim=1)
'''
STARTER = '''
def f(x, width=2):
    """Give back windows."""
    raise NotImplementedError
'''


def groups(answers, starter=STARTER, model=""):
    """The students of the groups that are found among the answers to one question."""
    found = similar.similar({"f": answers}, {"f": starter}, {"f": model}, frozenset({"torch"}))
    return [group.students for group in found]


def test_comments_layout_docstrings_names_and_spelling_do_not_count():
    """A disguised copy has the same tokens."""
    assert tokens(OWN) == tokens(DRESSED)
    assert tokens("a = b.c(1.50, 0x10, 1_000)") == tokens("x = (y)\\\n .c(1.5,16,1000)".replace(
        "(y)", "y"))
    assert tokens("x.sum()") != tokens("x.mean()") and tokens("x * 2") != tokens("x * 3")
    assert tokens("'a'") == [] and tokens("f('a')") == tokens('f("a")') != tokens("f('b')")


@pytest.mark.parametrize("slug", SLUGS)
def test_tokens_are_pythons(slug):
    """Operators, numbers and names are cut where Python's own tokenizer cuts them."""
    for notebook in ("solutions", "exercises"):
        for cell in notebooks.read(ROOT / notebook / slug / f"{slug}.ipynb").cells:
            if cell.cell_type != "code":
                continue
            lines = iter(cell.source.splitlines(keepends=True))
            pythons = [t.string for t in tokenize.generate_tokens(lambda lines=lines: next(
                lines, "")) if t.type in (tokenize.NAME, tokenize.OP)]
            known = frozenset(pythons)
            mine = [t for t in tokens(cell.source, known) if t in known]
            assert mine == pythons


def test_a_copy_in_disguise_is_found():
    """And only it."""
    assert groups({"ana": OWN, "bo": DRESSED, "cy": OTHER, "di": STARTER}) == [("ana", "bo")]
    assert groups({"ana": OWN, "cy": OTHER, "di": STARTER, "ed": STARTER}) == []


def test_a_copy_with_a_changed_line_is_found():
    """It is less similar than a whole one."""
    changed = DRESSED.replace("piece.amax() - piece.amin()", "piece.std()")
    found = similar.similar({"f": {"ana": OWN, "bo": changed}}, {"f": STARTER}, {})
    assert [group.students for group in found] == [("ana", "bo")]
    assert similar.ALIKE <= found[0].similarity < 1 and found[0].tokens > 40


def test_the_model_and_what_many_write_count_for_nothing():
    """The same answer in ten heads is common property, and so is the solution."""
    assert groups({"ana": OWN, "bo": DRESSED}, model=OWN) == []
    assert groups({f"s{i}": OWN for i in range(8)}) == [tuple(f"s{i}" for i in range(8))]
    assert groups({f"s{i}": OWN for i in range(9)}) == []
    assert groups({f"s{i}": OWN for i in range(2000)}) == []


def test_short_answers_look_alike_and_are_left_alone():
    """There is one natural way to write three lines."""
    short = "def f(x, width=2):\n    rows = x.view(-1, width)\n    return rows.sum(dim=1)\n"
    assert groups({"ana": short, "bo": short}) == []


def test_one_who_can_not_be_read_costs_only_themselves():
    """Neither a broken source nor a huge one is an error."""
    strange = {"a": "def f(:\n  '''never closed", "b": "\x00\ud800$?`", "c": "(" * 10**6,
               "d": "%%time\n!ls", "e": "x = 0x" + "_" * 50 + "1e", "f": "'" * 10**5}
    assert groups({**strange, "ana": OWN, "bo": DRESSED}) == [("ana", "bo")]


@pytest.mark.parametrize("slug", SLUGS)
def test_answers_in_different_styles_are_not_alike(slug):
    """Right answers that were written independently of each other, and the model."""
    right = importlib.import_module(f"right_{slug}").RIGHT
    cells = {step: {cell.grade_id: cell.cell.source for cell in notebooks.grade_cells(
        notebooks.read(ROOT / step / slug / f"{slug}.ipynb")) if cell.kind == "solution"}
        for step in ("solutions", "exercises")}
    answers, compared = {}, 0
    for question, functions in right.items():
        functions = functions if isinstance(functions, list | tuple) else [functions]
        answers[question] = {f"s{i}": inspect.getsource(function)
                             for i, function in enumerate(functions)}
        answers[question] |= {"model": cells["solutions"][question]}
        compared += len(functions) > 1
    assert compared > 1
    assert similar.similar(answers, cells["exercises"], {}) == []


def test_several_questions_are_one_group():
    """With the least similarity and the sum of what is the same."""
    both = {"f": {"ana": OWN, "bo": DRESSED}, "g": {"ana": OWN, "bo": DRESSED, "cy": OTHER}}
    (group,) = similar.similar(both, {"f": STARTER, "g": STARTER}, {})
    assert (group.students, group.questions, group.similarity) == (("ana", "bo"), ("f", "g"), 1.0)


def test_fingerprints_are_runs_of_tokens():
    """One more than the tokens that follow the first run."""
    found = tokens("a.b(1) + c.d(2) + e.f(3)")
    assert len(fingerprints(found)) == len(found) - RUN + 1
    assert fingerprints(found[:RUN - 1]) == set()
