"""Answers that are nearly the same, for a person to look at.

An answer becomes the set of its fingerprints: every run of `RUN` tokens, without comments, layout
and docstrings, with one name for all local names. What the exercise gave, what the model solution
says and what many students write count for nothing, and two answers are alike if most of the rest
is the same. That is no proof of anything: a person has to look.
"""

import builtins
import itertools
import keyword
import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

HONEST = ("Answers that are nearly the same ask for a person to look at them. They prove nothing: "
          "people learn together, read the same pages, and some questions have one natural answer.")
RUN = 6  # tokens in a fingerprint
ENOUGH = 18  # fingerprints that an answer must have of its own before it is compared
ALIKE = 0.8  # share of these fingerprints that two answers have in common
LONGEST = 20_000  # characters of an answer that are looked at

TOKEN = re.compile(r"""
    (?P<space> [^\S\n]+ | \\\n | \#[^\n]* )
  | (?P<line> \n )
  | (?P<string> [bBfFrRuU]{0,2} (?: '''(?:\\.|[^\\])*?''' | \"\"\"(?:\\.|[^\\])*?\"\"\"
                                  | '(?:\\.|[^'\\\n])*'   | "(?:\\.|[^"\\\n])*" ) )
  | (?P<number> 0[xXbBoO][\da-fA-F_]+
              | (?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?[jJ]? )
  | (?P<name> \w+ )
  | (?P<operator> \*\*=? | //=? | >>=? | <<=? | [-+*/%@&|^<>=!:]= | -> | . )
""", re.VERBOSE | re.DOTALL)
KEPT = frozenset(keyword.kwlist) | frozenset(dir(builtins))


@dataclass(frozen=True)
class Group:
    """Students whose answers to a question are alike.

    `similarity` is that of the least similar pair that ties them together, from ALIKE to 1;
    `tokens` is about how much of each answer is the same and is not common property.
    """

    students: tuple[str, ...]
    questions: tuple[str, ...]
    similarity: float
    tokens: int


def tokens(source, known=frozenset()):
    """The tokens of a source that matter, as a list of texts; never raises.

    Names that are neither Python's nor among `known`, and not attributes, all become "_".
    """
    found, depth, fresh = [], 0, True  # fresh: at the begin of a statement
    for match in TOKEN.finditer(source[:LONGEST]):
        kind, text = match.lastgroup, match[0]
        if kind == "line":
            fresh = fresh or depth == 0
        elif kind == "string":
            if not (fresh and depth == 0):
                found.append(_string(text))
        elif kind == "number":
            found.append(_number(text))
        elif kind == "name":
            attribute = bool(found) and found[-1] == "."
            found.append(text if attribute or text in KEPT or text in known else "_")
        elif kind == "operator":
            depth = max(0, depth + (text in "([{") - (text in ")]}"))
            found.append(text)
        if kind not in ("line", "space"):
            fresh = False
    return found


def _string(text):
    """A string's value, whatever its quotes; the values in an f-string count for nothing."""
    body = text.lstrip("bBfFrRuU")
    width = 3 if body[:3] in ("'''", '"""') else 1
    prefix = text[:len(text) - len(body)].lower()
    return "f''" if "f" in prefix else f"'{body[width:-width]}'"


def _number(text):
    """A number, whatever its spelling."""
    plain = text.replace("_", "").lower()
    try:
        return str(int(plain, 0) if plain.isdecimal() or plain[:2] in ("0x", "0b", "0o")
                   else float(plain))
    except ValueError:
        return plain


def fingerprints(found):
    """The set of hashes of all runs of RUN tokens."""
    return set(map(hash, zip(*(found[i:] for i in range(RUN)), strict=False)))


def similar(answers, starters, models, known=frozenset()):
    """The groups of students with answers that are alike, the largest amount in common first.

    `answers` is {question: {student: source}}; `starters` and `models` are {question: source}:
    what the exercise gave and what the solution says. `known` are names that everybody has.
    """
    together = defaultdict(list)
    for question, by_student in answers.items():
        starter = tokens(starters.get(question, ""), known)
        given = fingerprints(starter) | fingerprints(tokens(models.get(question, ""), known))
        texts = {student: tuple(_own(tokens(source, known), starter))
                 for student, source in by_student.items()}
        for students, similarity, amount in _question(texts, given):
            together[students].append((question, similarity, amount))
    groups = [Group(students, tuple(q for q, _, _ in parts), min(s for _, s, _ in parts),
                    sum(a for _, _, a in parts)) for students, parts in together.items()]
    return sorted(groups, key=lambda group: (-group.tokens, -group.similarity, group.students))


def _own(found, starter):
    """Tokens without the first ones that the starter has too: the line with the def."""
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(found, starter, strict=False))
    return found[sum(1 for _ in same):]


def _question(texts, given):
    """Yield (students, similarity, amount) for the answers to one question."""
    alike = defaultdict(list)  # the same tokens -> students
    for student, found in texts.items():
        alike[found].append(student)
    prints = {found: fingerprints(found) - given for found in alike}
    count = Counter()
    for found, students in alike.items():
        count.update(dict.fromkeys(prints[found], len(students)))
    common = _common(len(texts))
    rare = {}
    for found in alike:
        own = [p for p in prints[found] if count[p] <= common]
        if len(own) >= ENOUGH:
            rare[found] = sorted(own, key=lambda p: (count[p], p))
    pairs = {(found, found): 1.0 for found in rare if len(alike[found]) > 1}
    pairs |= _pairs(rare)
    for nodes, similarity in _clusters(pairs):
        students = tuple(sorted(student for node in nodes for student in alike[node]))
        yield students, similarity, min(len(rare[node]) for node in nodes) + RUN - 1


def _common(students):
    """From how many students on, more than that, a fingerprint is common property."""
    return min(30, max(8, students // 20))


def _pairs(rare):
    """{(answer, answer): similarity} of those that are alike.

    Fingerprints come with the rarest first. Two answers that are alike share one of the rarest
    few, as many as may differ plus one: only those who do are compared.
    """
    lists = {found: set(own) for found, own in rare.items()}
    seen, alike = defaultdict(list), {}
    for found, own in sorted(rare.items(), key=lambda item: len(item[1])):
        few = own[:len(own) - math.ceil(ALIKE * len(own)) + 1]
        others = {other for p in few for other in seen[p]}
        for other in others:
            if len(lists[other]) >= ALIKE * len(own):
                both = len(lists[found] & lists[other])
                similarity = both / (len(own) + len(lists[other]) - both)
                if similarity >= ALIKE:
                    alike[found, other] = similarity
        for p in few:
            seen[p].append(found)
    return alike


def _clusters(pairs):
    """Yield (answers, least similarity) of those that pairs tie together."""
    parent = {}

    def top(node):
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in pairs:
        parent[top(one)] = top(other)
    nodes, least = defaultdict(set), {}
    for (one, other), similarity in pairs.items():
        root = top(one)
        nodes[root] |= {one, other}
        least[root] = min(similarity, least.get(root, 1.0))
    for root, found in nodes.items():
        yield found, least[root]
