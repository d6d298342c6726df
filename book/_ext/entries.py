"""Read the questions and the claims of the book from YAML, and check each entry.

`read` returns the entries without a fault, and a Problem for each of the others.
CONTRIBUTING.md describes the fields.
"""

import re
from pathlib import Path
from typing import NamedTuple

import cells
import yaml

ELSEWHERE = "foundations"  # claims that no chapter takes up: they bring a program of their own
QUESTION = {"id", "page", "question", "explanation", "proof"}
CLAIM = {"id", "page", "claim", "truth"}
FIELDS = {"questions": QUESTION | {"choices", "number", "unit", "answer", "try", "gives"},
          "claims": CLAIM | {"proof", "try", "gives"}}
NEEDED = {"questions": QUESTION, "claims": CLAIM}
KINDS = ("choices", "number", "answer")
TOKEN = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?(?!\w|\.\d)"
                   r"|\bTrue\b|\bFalse\b")


class Problem(NamedTuple):
    """What is wrong with an entry, and the line of the file in which the entry begins."""

    line: int
    message: str


class _Loader(yaml.SafeLoader):
    """YAML with the line of each entry, and no key given twice."""

    def construct_mapping(self, node, deep=False):
        """Build a dictionary; `line` tells where it begins."""
        keys = [key.value for key, _ in node.value]
        again = next((key for key in keys if keys.count(key) > 1), None)
        if again is not None:
            raise yaml.constructor.ConstructorError(None, None, f"{again!r} twice", node.start_mark)
        return {**super().construct_mapping(node, deep=deep), "line": node.start_mark.line + 1}


def read(path, kind, book):
    """Read `kind`, questions or claims; returns (entries, left out {id: reason}, Problems).

    `book` is the folder of the notebooks. Entries keep their order, and hold their `line`; each
    `proof` is a list of {page, cell, shows}.
    """
    try:
        data = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        reason = " ".join(filter(None, (error.problem, error.context)))
        return [], {}, [Problem(error.problem_mark.line + 1, f"not YAML: {reason}")]
    if not isinstance(data, dict) or not isinstance(data.get(kind), list):
        return [], {}, [Problem(1, f"it must begin with `{kind}:` and a list")]
    found, problems, seen = [], [], set()
    for number, entry in enumerate(data[kind], 1):
        line = entry.get("line", 1) if isinstance(entry, dict) else 1
        try:
            found.append(_checked(entry, kind, Path(book), seen))
        except ValueError as error:
            name = entry.get("id", f"number {number}") if isinstance(entry, dict) else number
            problems.append(Problem(line, f"{kind[:-1]} {name}: {error}"))
    left_out = {key: reason for key, reason in (data.get("left_out") or {}).items()
                if key != "line"}
    problems += [Problem(1, f"claim {key}: both told and left out") for key in left_out
                 if key in seen]
    return found, left_out, problems


def pages(kind, book):
    """The names that the `page` of an entry may have."""
    notebooks = sorted(path.stem for path in Path(book).glob("*.ipynb"))
    return notebooks + [ELSEWHERE] * (kind == "claims")


def _checked(entry, kind, book, seen):
    """Return an entry with its proofs completed; ValueError says what is wrong with it."""
    if not isinstance(entry, dict):
        raise ValueError("not a list of fields")
    for field in sorted(NEEDED[kind]):
        if not entry.get(field):
            raise ValueError(f"`{field}` is missing")
    unknown = sorted(set(entry) - FIELDS[kind] - {"line"})
    if unknown:
        raise ValueError(f"there is no field `{unknown[0]}`")
    if entry["id"] in seen:
        raise ValueError("another entry has this id")
    seen.add(entry["id"])
    known = pages(kind, book)
    if entry["page"] not in known:
        raise ValueError(f"`page` is {entry['page']!r}: use {' or '.join(known)}")
    if ("try" in entry) != ("gives" in entry):
        raise ValueError("`try` and `gives` belong together")
    if not entry.get("proof") and "try" not in entry:
        raise ValueError("nothing proves it: give `proof` or `try`")
    if kind == "questions":
        _check_answer(entry)
    proofs = [_proof(proof, entry, book) for proof in entry.get("proof") or []]
    shown = [value for proof in proofs for value in proof["shows"]]
    if "number" in entry and entry["number"] not in shown + tokens(str(entry.get("gives", ""))):
        raise ValueError(f"nothing proves its number, {entry['number']}")
    return {**entry, "proof": proofs}


def _check_answer(entry):
    """Raise ValueError unless a question has an answer of one kind, and one right choice."""
    kinds = [kind for kind in KINDS if kind in entry]
    if len(kinds) != 1:
        raise ValueError(f"give one of {', '.join(KINDS)}; it has {' and '.join(kinds) or 'none'}")
    if kinds == ["number"] and not isinstance(entry["number"], int | float):
        raise ValueError(f"`number` is {entry['number']!r}, not a number")
    if kinds != ["choices"]:
        return
    choices = entry["choices"]
    if not isinstance(choices, list) or not all(
            isinstance(choice, dict) and choice.get("text") for choice in choices):
        raise ValueError("each choice needs a `text`")
    right = [choice for choice in choices if choice.get("right")]
    if len(right) != 1 or len(choices) < 2:
        raise ValueError(f"{len(right)} right choices of {len(choices)}: one must be right")
    for number, choice in enumerate(choices, 1):
        if bool(choice.get("right")) == bool(choice.get("why")):
            raise ValueError(f"choice {number} needs either `right: true` or a `why`")
        if not re.search(r"\w", re.sub(r"\$[^$]*\$", "", str(choice["text"]))):
            raise ValueError(f"choice {number} is a formula alone, which has no name to read out: "
                             "give it a word")


def _proof(proof, entry, book):
    """Return {page, cell, shows}; ValueError if there is no such cell, or it shows other numbers.

    `shows` are numbers that the cell prints one after the other, in one place only.
    """
    if not isinstance(proof, dict) or not proof.get("cell"):
        raise ValueError("each proof needs a `cell`")
    unknown = sorted(set(proof) - {"page", "cell", "shows", "line"})
    if unknown:
        raise ValueError(f"a proof has no field `{unknown[0]}`")
    page, name, shows = proof.get("page", entry["page"]), proof["cell"], proof.get("shows") or []
    path = book / f"{page}.ipynb"
    if not path.is_file():
        raise ValueError(f"a proof is on page {page!r}, which is no notebook of the book")
    cell = cells.read(path)[1].get(name)
    if cell is None:
        raise ValueError(f"there is no cell {name!r} in book/{page}.ipynb")
    shows = [str(value) if isinstance(value, bool) else float(value) for value in shows]
    printed = tokens(cells.printed(cell))
    places = sum(printed[i:i + len(shows)] == shows for i in range(len(printed)))
    if shows and places != 1:
        listed = ", ".join(map(str, proof["shows"]))
        raise ValueError(f"cell {name!r} of book/{page}.ipynb prints {listed} in "
                         f"{places or 'no'} places: its output must hold them once, in a row")
    told = tokens(words(entry))
    for value, given in zip(shows, proof.get("shows") or [], strict=True):
        if isinstance(value, float) and value not in told:
            raise ValueError(f"cell {name!r} shows {given}, and its text does not")
    return {"page": page, "cell": name, "shows": shows}


def words(entry):
    """What an entry tells the reader is true: its question, its right answer, its explanation."""
    right = [choice["text"] for choice in entry.get("choices", []) if choice.get("right")]
    parts = [entry.get(field, "") for field in
             ("question", "number", "answer", "explanation", "truth", "claim")]
    return " ".join(map(str, parts + right))


def tokens(text):
    """The numbers of a text in their order, as floats, and the words True and False."""
    text = re.sub(r"(?<=\d)(?:\{,\}|,)(?=\d{3}(?!\d))", "", text).replace("\N{MINUS SIGN}", "-")
    return [token if token in ("True", "False") else float(token)
            for token in TOKEN.findall(text)]
