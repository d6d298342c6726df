"""The book's table of hostile notebooks says what the corpus asserts."""

from pathlib import Path

import pytest
from hostile import CASES

PAGE = Path(__file__).parents[1] / "book" / "hostile.md"


def rows():
    """What stands in the table: for each notebook, what this course gives it."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]
    return {row[0]: row[-1] for row in cells}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_table_has_every_case_and_its_score(case):
    """A case that is added or that must get something else shows up in the book."""
    what = case.what.replace("<", "&lt;").replace("@", "&#64;")
    score = f"{case.score[0]} to {case.score[1]}" if isinstance(case.score, tuple) else case.score
    assert rows().get(what) == str(score)
