"""What each hidden test expects: cases, references, tolerances and known mistakes.

One module or package per assignment, named by its slug, with a dictionary ``TASKS`` from the name
of each graded function to its `Task`. The kernel that runs students' work has no need of them.
"""

import difflib
import functools
import hashlib
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field

import torch


class UnknownCheck(LookupError):
    """A check name with nothing behind it; the text says what there is instead."""


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people give: `wrong` has the signature of the function it stands for.

    `name` completes the sentence "This is what comes out when …"; `hint` says where to look.
    """

    name: str
    hint: str
    wrong: Callable


@dataclass(frozen=True)
class Behaviour:
    """One hidden test: what to feed the function, and how to drive and compare it.

    `cases` takes a `Draw` and returns a list of argument tuples, the last item of which may be a
    dictionary of keyword arguments. `driver` is a name in `autograder.drivers`. Values must agree
    within `tolerance` times the largest expected value; `dtype` asks for the same dtype too.
    """

    cases: Callable
    driver: str = "call"
    tolerance: float = 1e-4
    dtype: bool = False


@dataclass(frozen=True)
class Task:
    """A graded function: its reference, its hidden tests by name, its known mistakes."""

    reference: Callable
    behaviours: dict[str, Behaviour]
    mistakes: list[Mistake] = field(default_factory=list)


@dataclass(frozen=True)
class Rules:
    """What students may not use.

    `operations` are names in torch's aten, refused while a check runs. `words` are names that a
    source is searched for: attributes, imports from torch, and arguments of getattr.
    """

    operations: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()


class Draw:
    """Random inputs of one hidden test, from a seed and the test's name."""

    def __init__(self, seed, name):
        digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
        self.generator = torch.Generator().manual_seed(int.from_bytes(digest[:7]))

    def normal(self, *shape):
        """A float64 tensor of the given shape, mean 0 and standard deviation 1."""
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64)

    def integers(self, low, high, *shape):
        """An int64 tensor of the given shape with values from `low` to `high` - 1."""
        return torch.randint(low, high, shape, generator=self.generator)

    def permutation(self, *shape):
        """A float64 tensor of the given shape whose values are all different whole numbers."""
        count = torch.Size(shape).numel()
        return torch.randperm(count, generator=self.generator).double().view(shape)


@functools.cache
def slugs():
    """The names of the assignments that have references."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def tasks(slug):
    """The graded functions of an assignment: a dictionary from name to `Task`."""
    if slug not in slugs():
        there_are = ", ".join(slugs())
        raise UnknownCheck(f"no references for assignment '{slug}'; there are: {there_are}")
    return importlib.import_module(f"{__name__}.{slug}").TASKS


def rules(slug):
    """What an assignment forbids: a `Rules`."""
    tasks(slug)
    return getattr(importlib.import_module(f"{__name__}.{slug}"), "RULES", Rules())


def forbidden(name):
    """The torch operations that a check does not allow, by their names in aten."""
    return tuple(sorted(rules(name.split("/")[0]).operations))


@functools.cache
def names():
    """Every check name there is, in the order of definition."""
    return [f"{slug}/{function}/{behaviour}"
            for slug in slugs()
            for function, task in tasks(slug).items()
            for behaviour in task.behaviours]


def find(name):
    """The `Task` and the `Behaviour` behind ``"slug/function/behaviour"``."""
    slug, function, behaviour = (name.split("/") + ["", ""])[:3]
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.0)
        raise UnknownCheck(f"no check is called '{name}'; the nearest is '{near[0]}'")
    task = tasks(slug)[function]
    return task, task.behaviours[behaviour]
