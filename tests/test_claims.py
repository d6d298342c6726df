"""The page "Claims to get right": every known row is there or left out, and programs run."""

import ast
import re
from html import unescape

import entries
import pytest
import torch
import torch.nn.functional as F
from site_helpers import ROOT
from torch import nn

BOOK = ROOT / "book"
PATH = BOOK / "_data" / "claims.yaml"
CLAIMS, LEFT_OUT, _ = entries.read(PATH, "claims", BOOK)
PROGRAMS = [claim for claim in CLAIMS if "try" in claim]

# The list of claims that the course set out to get right, by letter and number.
ROWS = {"C": 16, "R": 4, "N": 23, "T": 11, "F": 16}


def outcome(program):
    """What a program shows: the value of its last line, as text."""
    names = {"torch": torch, "F": F, "nn": nn}
    tree = ast.parse(program)
    last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, "program", "exec"), names)
    return str(eval(compile(last, "program", "eval"), names))


def test_every_row_is_told_or_left_out_for_a_reason():
    """Of the seventy rows none is forgotten, and none is made up."""
    rows = {f"{letter}{number}" for letter, count in ROWS.items()
            for number in range(1, count + 1)}
    told = [claim["id"] for claim in CLAIMS]
    assert sorted(told + list(LEFT_OUT)) == sorted(rows)
    assert all(len(reason.split()) > 8 for reason in LEFT_OUT.values())


def test_every_claim_is_shown():
    """A claim has a cell that prints its numbers, a cell of another kind, or a program."""
    without = {claim["id"] for claim in CLAIMS
               if "try" not in claim and not any(proof["shows"] for proof in claim["proof"])}
    # an error message, a figure, a class, and gradients that are all 0
    assert without == {"N5", "T3", "T4", "F6"}
    assert len(PROGRAMS) == 11


@pytest.fixture
def float32():
    """The number format that a reader's program has by default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize("claim", PROGRAMS, ids=lambda claim: claim["id"])
def test_a_program_gives_what_the_page_says(float32, claim):
    """Run as a reader would, each program shows the printed result, and the text tells of it."""
    assert outcome(claim["try"]) == claim["gives"]
    assert max(map(len, claim["try"].splitlines())) <= 85
    printed = set(entries.tokens(claim["gives"].replace("'", " ")))
    assert printed & set(entries.tokens(entries.words(claim)))


def test_a_wrong_result_is_seen():
    """The comparison above can fail."""
    assert outcome("x = 2\nx * 3") == "6"
    assert outcome("1 - torch.tensor(0.5).tanh().item() ** 2") != "0.5"


def test_each_claim_stands_once_on_the_page(site):
    """The page draws every claim once, with a link to each of its cells, and none left out."""
    text = (site / "book" / "claims.html").read_text(encoding="utf-8")
    parts = re.split(r'<div class="claim-entry" id="(\w+)">', text)
    drawn = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert sorted(drawn) == sorted(claim["id"] for claim in CLAIMS)
    for claim in CLAIMS:
        for proof in claim["proof"]:
            assert f'href="{proof["page"]}.html#cell-{proof["cell"]}"' in drawn[claim["id"]]
        if "try" in claim:
            assert claim["gives"] in unescape(re.sub("<[^>]*>", "", drawn[claim["id"]]))
