"""Questions and claims as data: each fault is found and named, and cells have their anchors."""

import re
import textwrap

import entries
import nbformat
import pytest
import yaml
from figures import write_book
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from site_helpers import ROOT, build_book

BOOK = ROOT / "book"
KINDS = {kind: BOOK / "_data" / f"{kind}.yaml" for kind in entries.FIELDS}
QUESTION = {
    "id": "q1", "page": "chapter", "question": "How much is 6 times 7?", "number": 42,
    "explanation": "It is 42.", "proof": [{"cell": "product", "shows": [6, 7, 42]}]}
CHOICES = [{"text": "6 times 7 is 42", "right": True}, {"text": "13", "why": "That is the sum."}]
CLAIM = {"id": "C1", "page": "chapter", "claim": "6 times 7 is 13.", "truth": "It is 42.",
         "proof": [{"cell": "product", "shows": [42]}]}


def chapter():
    """A notebook with a cell of each kind that an anchor must find a place in."""
    cells = {
        "title": new_markdown_cell("# A chapter\n\nWords."),
        "product": new_code_cell("6, 7, 6 * 7", execution_count=1, outputs=[new_output(
            "execute_result", {"text/plain": "(6, 7, 42)"}, execution_count=1)]),
        "list": new_markdown_cell("- a list\n- of two"),
        "table": new_markdown_cell("| a | b |\n|---|---|\n| 1 | 2 |"),
        "formula": new_markdown_cell("$$6 \\cdot 7 = 42$$"),
        "section": new_markdown_cell("## A section\n\nMore words."),
        "hidden": new_code_cell("x = 1", execution_count=2,
                                metadata={"tags": ["hide-input"]}),
        "quote": new_markdown_cell("> **Predict.** A number."),
        "said": new_code_cell("print('one')\n42", execution_count=3, outputs=[
            new_output("stream", name="stdout", text="one -1.5e-03 True\n"),
            new_output("execute_result", {"text/plain": "tensor([42., 42.])"},
                       execution_count=3)]),
    }
    for name, cell in cells.items():
        cell.id = name
    return new_notebook(cells=list(cells.values()), metadata={
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python", "pygments_lexer": "ipython3"}})


@pytest.fixture
def book(tmp_path):
    """A folder with one chapter."""
    nbformat.write(chapter(), tmp_path / "chapter.ipynb")
    return tmp_path


def problems(book, kind, *listed, left_out=None):
    """What is wrong with these entries."""
    data = {kind: list(listed), **({"left_out": left_out} if left_out else {})}
    path = book / f"{kind}.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return [problem.message for problem in entries.read(path, kind, book)[2]]


def choices(*changed):
    """A question with these choices."""
    question = {key: value for key, value in QUESTION.items() if key != "number"}
    return {**question, "choices": list(changed)}


def test_entries_without_a_fault_pass(book):
    """A number, choices, an open answer and a claim with a program are all in order."""
    wide = {**QUESTION, "id": "q2", "page": "chapter", "proof": [
        {"cell": "said", "shows": ["-1.5e-03"]}, {"cell": "product", "shows": [42]}],
        "explanation": "It is 42, and not −1.5e-3."}
    opened = {**choices(), "id": "q3", "answer": "42"}
    del opened["choices"]
    assert problems(book, "questions", QUESTION, wide, opened,
                    {**choices(*CHOICES), "id": "q4"}) == []
    programmed = {**CLAIM, "id": "C2", "page": entries.ELSEWHERE, "try": "6 * 7", "gives": "42"}
    del programmed["proof"]
    assert problems(book, "claims", CLAIM, programmed, left_out={"C3": "no number"}) == []


FAULTS = {
    "no explanation": ({**QUESTION, "explanation": ""}, "`explanation` is missing"),
    "no page": ({**QUESTION, "page": None}, "`page` is missing"),
    "a page that is none": ({**QUESTION, "page": "chaptre"},
                            "`page` is 'chaptre': use chapter"),
    "a misspelled field": ({**QUESTION, "unity": "pixels"}, "there is no field `unity`"),
    "no proof": ({**QUESTION, "proof": []}, "`proof` is missing"),
    "a cell that is none": ({**QUESTION, "proof": [{"cell": "prodcut"}]},
                            "there is no cell 'prodcut' in book/chapter.ipynb"),
    "a proof elsewhere": ({**QUESTION, "proof": [{"page": "other", "cell": "product"}]},
                          "a proof is on page 'other', which is no notebook of the book"),
    "a proof without a cell": ({**QUESTION, "proof": ["product"]}, "each proof needs a `cell`"),
    "a misspelled proof": ({**QUESTION, "proof": [{"cell": "product", "show": [42]}]},
                           "a proof has no field `show`"),
    "a number that is not printed": (
        {**QUESTION, "proof": [{"cell": "product", "shows": [6, 42]}]},
        "cell 'product' of book/chapter.ipynb prints 6, 42 in no places"),
    "a number that is printed twice": (
        {**QUESTION, "proof": [{"cell": "said", "shows": [42]}]},
        "prints 42 in 2 places: its output must hold them once, in a row"),
    "a number that is not told": ({**QUESTION, "question": "How much?"},
                                  "cell 'product' shows 6, and its text does not"),
    "a number without a proof": ({**QUESTION, "number": 43}, "nothing proves its number, 43"),
    "a number in words": ({**QUESTION, "number": "many"}, "`number` is 'many', not a number"),
    "two kinds of answer": ({**QUESTION, "answer": "42"},
                            "give one of choices, number, answer; it has number and answer"),
    "no answer": ({key: value for key, value in QUESTION.items() if key != "number"},
                  "give one of choices, number, answer; it has none"),
    "two right choices": (choices(CHOICES[0], {"text": "43", "right": True}),
                          "2 right choices of 2: one must be right"),
    "no right choice": (choices(CHOICES[1], {"text": "43", "why": "No."}),
                        "0 right choices of 2"),
    "a wrong choice without a reason": (choices(*CHOICES, {"text": "43"}),
                                        "choice 3 needs either `right: true` or a `why`"),
    "a right choice with a reason": (choices({**CHOICES[0], "why": "So."}, CHOICES[1]),
                                     "choice 1 needs either"),
    "a choice without words": (choices(*CHOICES, {"why": "No."}), "each choice needs a `text`"),
    "a choice without a name": (choices(CHOICES[0], {"text": "$x_1 + 1$", "why": "No."}),
                                "choice 2 is a formula alone, which has no name to read out"),
    "half a program": ({**QUESTION, "try": "6 * 7"}, "`try` and `gives` belong together"),
    "a word": ("6 times 7", "not a list of fields"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_question_is_named(book, fault):
    """Each fault is one problem, which names the entry, and hides no other entry."""
    entry, says = FAULTS[fault]
    found = problems(book, "questions", entry, {**QUESTION, "id": "q2"})
    assert len(found) == 1, found
    name = "q1" if isinstance(entry, dict) else "1"
    assert found[0].startswith(f"question {name}: ") and says in found[0]


@pytest.mark.parametrize(("entry", "says"), [
    ({**CLAIM, "truth": ""}, "claim C1: `truth` is missing"),
    ({**CLAIM, "proof": []}, "claim C1: nothing proves it: give `proof` or `try`"),
    ({**CLAIM, "claim": "6 times 7 is 13.", "truth": "It is 43."},
     "claim C1: cell 'product' shows 42, and its text does not"),
    ({**CLAIM, "question": "How much?"}, "claim C1: there is no field `question`"),
])
def test_a_fault_in_a_claim_is_named(book, entry, says):
    """The same for claims."""
    assert problems(book, "claims", entry) == [says]


def test_ids_are_unique(book):
    """An id stands once, and a claim is not both told and left out."""
    assert problems(book, "questions", QUESTION, QUESTION) \
        == ["question q1: another entry has this id"]
    assert problems(book, "claims", CLAIM, left_out={"C1": "no number"}) \
        == ["claim C1: both told and left out"]


@pytest.mark.parametrize(("text", "line", "says"), [
    ("questions:\n- id: q1\n  page: [chapter\n", 4, "not YAML: expected ',' or ']'"),
    ("questions:\n- id: q1\n  id: q2\n", 2, "not YAML: 'id' twice"),
    ("claims: []\n", 1, "it must begin with `questions:` and a list"),
    ("", 1, "it must begin with `questions:` and a list"),
])
def test_a_file_that_cannot_be_read_is_one_problem(book, text, line, says):
    """What is no YAML, or something else, is named with its line."""
    path = book / "questions.yaml"
    path.write_text(text, encoding="utf-8")
    found, _, wrong = entries.read(path, "questions", book)
    assert found == [] and len(wrong) == 1
    assert wrong[0].line == line and says in wrong[0].message


def test_tokens_are_the_numbers_of_a_text():
    """Commas between thousands, minus signs and powers of ten are read; names are not."""
    assert entries.tokens("56,448 $18{,}432$ (28, 28) −3 tensor([1., .5]) 4e-06 True") == [
        56448, 18432, 28, 28, -3, 1, 0.5, 4e-6, "True"]
    assert entries.tokens("conv2d w1 x_3 3.2.1") == []


# What a build says and makes


def scratch(folder, page, **files):
    """Build a book with one chapter, a page and files of entries; returns what a build does."""
    source = write_book(folder / "source", {"page": page})
    nbformat.write(chapter(), source / "book" / "chapter.ipynb")
    toc = yaml.safe_load((source / "_toc.yml").read_text())
    toc["chapters"] = [{"file": "book/chapter"}]
    (source / "_toc.yml").write_text(yaml.safe_dump(toc))
    (source / "book" / "_data").mkdir()
    for kind, listed in files.items():
        (source / "book" / "_data" / f"{kind}.yaml").write_text(
            yaml.safe_dump({kind: listed}, sort_keys=False))
    return build_book(source, folder / "out")


def test_a_build_warns_of_each_fault_once(tmp_path):
    """Faulty entries and directives are one warning each, and the build fails."""
    listed = [QUESTION, {**QUESTION, "id": "q2", "explanation": ""},
              {**QUESTION, "id": "q3", "proof": [{"cell": "gone"}]}]
    page = textwrap.dedent("""
        # Questions

        ```{quiz}
        :chapter: chapter
        ```

        ```{quiz}
        ```

        ```{quiz}
        :chapter: chaptre
        ```

        ```{quiz}
        :chapter: foundations
        ```

        ```{claims}
        ```
        """)
    built = scratch(tmp_path, page, questions=listed)
    warnings = [line for line in built.output.splitlines() if "WARNING" in line]
    says = ["questions.yaml:13: WARNING: question q2: `explanation` is missing",
            "questions.yaml:19: WARNING: question q3: there is no cell 'gone'",
            "{quiz}: there is no chapter 'chaptre': use chapter",
            "{quiz}: there is no chapter 'foundations': use chapter",
            "{claims}: there is no file book/_data/claims.yaml"]
    assert built.returncode != 0 and len(warnings) == len(says), warnings
    for part in says:
        assert sum(part in line for line in warnings) == 1, (part, warnings)


def test_a_chapter_without_entries_is_named(tmp_path):
    """A directive that would draw nothing says so."""
    built = scratch(tmp_path, "# Claims\n\n```{claims}\n:chapter: foundations\n```\n",
                    claims=[CLAIM])
    assert built.returncode != 0
    assert "{claims}: claims.yaml holds nothing on 'foundations'" in built.output


def test_an_entry_on_no_page_is_named(tmp_path):
    """A question whose chapter no {quiz} draws would be lost in silence."""
    built = scratch(tmp_path, "# Claims\n\n```{claims}\n:chapter: chapter\n```\n",
                    questions=[QUESTION], claims=[CLAIM])
    warnings = [line for line in built.output.splitlines() if "WARNING" in line]
    assert built.returncode != 0 and len(warnings) == 1, warnings
    assert ("questions.yaml:2: WARNING: q1 is on no page: write {quiz} with `:chapter: chapter`"
            in warnings[0])


def test_every_kind_of_cell_gets_its_anchor(tmp_path):
    """Headings, lists, tables, formulas, quotes and hidden code all have one."""
    built = scratch(tmp_path, "# Questions\n\n```{quiz}\n```\n\n```{claims}\n```\n",
                    questions=[QUESTION], claims=[CLAIM])
    assert built.returncode == 0, built.output[-3000:]
    text = (built.html / "book" / "chapter.html").read_text(encoding="utf-8")
    for cell in chapter().cells:
        assert text.count(f'id="cell-{cell.id}"') == 1, cell.id
    assert 'id="a-section"' in text  # a heading keeps its own address
    text = (built.html / "book" / "page.html").read_text(encoding="utf-8")
    assert len(re.findall(r'href="chapter\.html#cell-product"', text)) == 2
    assert "quiz/quiz.js" in text


def test_every_cell_of_the_book_has_its_anchor(site):
    """Each cell of each chapter is a place that a link can lead to."""
    for path in BOOK.glob("*.ipynb"):
        text = (site / "book" / f"{path.stem}.html").read_text(encoding="utf-8")
        for cell in nbformat.read(path, as_version=4).cells:
            assert text.count(f'id="cell-{cell.id}"') == 1, f"{path.stem}: {cell.id}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_books_entries_have_no_fault(kind):
    """All questions and claims of the book are in order, and their cells print their numbers."""
    found, _, wrong = entries.read(KINDS[kind], kind, BOOK)
    assert found and wrong == []
