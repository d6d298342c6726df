"""The trusted side: compare outcomes with the reference's, name the mistake, say it to a student.

A `Judge` holds the references. It hands out inputs and takes back outcomes, as `drive` returns
them; expected values never leave it.
"""

import functools
import inspect
import os
import reprlib
import textwrap
from dataclasses import dataclass

import torch

from autograder import references, wire
from autograder.drivers import drive

LONGEST = 300  # characters of a student's text in a message


@dataclass(frozen=True)
class Verdict:
    """What one hidden test found: passed or not, the text for the student, the known mistake."""

    passed: bool
    message: str | None = None
    mistake: str | None = None


class Judge:
    """Answers `check` from the references, with inputs drawn from `seed`.

    ``cases(name)`` are those of a check, (driver, args, kwargs) each. They are drawn once: `drive`
    works on copies, and nobody else changes them.
    """

    def __init__(self, seed=0):
        self.seed = seed
        self.cases = functools.lru_cache(maxsize=None)(self._cases)
        self.opened = functools.lru_cache(maxsize=None)(self._opened)
        self.expected = functools.lru_cache(maxsize=None)(self._expected)
        self.bent = functools.lru_cache(maxsize=None)(self._bent)

    @classmethod
    def from_environment(cls):
        """A judge with the seed in AUTOGRADER_SEED, or 0."""
        return cls(int(os.environ.get("AUTOGRADER_SEED", "0")))

    def open(self, name):
        """The cases of a check, (driver, args, kwargs) each, and the operations it forbids."""
        return self.cases(name), references.forbidden(name)

    def _opened(self, name):
        """What `open` returns, as a frame for a kernel: the same for every student."""
        cases, forbidden = self.open(name)
        return wire.frame({"cases": cases, "forbidden": forbidden})

    def _cases(self, name):
        _, behaviour = references.find(name)
        cases = behaviour.cases(references.Draw(self.seed, name))
        return tuple((behaviour.driver, *_split(case)) for case in cases)

    def judge(self, name, outcomes):
        """The message for the student, or None when every outcome is right."""
        return self.verdict(name, outcomes).message

    def verdict(self, name, outcomes):
        """Compare one outcome per case with the reference's; name the mistake if it is known."""
        task, behaviour = references.find(name)
        cases, expected = self.cases(name), self.expected(name)
        if len(outcomes) != len(cases):
            return Verdict(False, f"{name}: {len(outcomes)} answers for {len(cases)} cases")
        found = [compare(*pair, behaviour) for pair in zip(outcomes, expected, strict=True)]
        wrong = [(case, text) for case, text in zip(cases, found, strict=True) if text is not None]
        if not wrong:
            return Verdict(True)
        mistake = self.diagnose(name, outcomes)
        return Verdict(False, _message(name, task, wrong, len(cases), mistake),
                       mistake and mistake.name)

    def diagnose(self, name, outcomes):
        """The first known mistake that gives the same outcomes in every case, or None."""
        task, behaviour = references.find(name)
        expected = self.expected(name)
        for mistake in task.mistakes:
            if not all(_alike(got, self.bent(name, mistake, case), behaviour)
                       for case, got in enumerate(outcomes)):
                continue
            bent = [self.bent(name, mistake, case) for case in range(len(outcomes))]
            if any("value" in b and compare(b, want, behaviour) is not None
                   for b, want in zip(bent, expected, strict=True)):
                return mistake
        return None

    def expect_mistakes(self, name):
        """Find out what each known mistake makes of the first case; most are told by that."""
        for mistake in references.find(name)[0].mistakes:
            self.bent(name, mistake, 0)

    def _bent(self, name, mistake, case):
        """What a known mistake makes of case number `case`: most differ in the first."""
        driver, args, kwargs = self.cases(name)[case]
        return drive(driver, mistake.wrong, args, kwargs)

    def _expected(self, name):
        task, _ = references.find(name)
        return [drive(driver, task.reference, args, kwargs)
                for driver, args, kwargs in self.cases(name)]


def compare(got, want, behaviour):
    """What is different between two outcomes, in a few words for a student; None if nothing is."""
    if "error" in want:
        expected = want["error"]["types"][0]
        if "value" in got:
            return f"expected it to raise a {expected}; it returned {_kind(got['value'])}"
        if expected in got["error"]["types"]:
            return None
        return f"expected it to raise a {expected}; it raised {_raised(got['error'])}"
    if "error" in got:
        return f"it raised {_raised(got['error'])}"
    return _difference(got["value"], want["value"], behaviour, "")


def _alike(got, bent, behaviour):
    """Whether an outcome is a known mistake's; any error is like the mistake's of that type."""
    if "error" in got and "error" in bent:
        return got["error"]["types"][0] == bent["error"]["types"][0]
    return compare(got, bent, behaviour) is None


def _difference(got, want, behaviour, where):
    """The first difference between two trees of plain values; `where` is the way to them."""
    at = f"{'result' if where.startswith('[') else ''}{where}: " if where else ""
    if isinstance(want, torch.Tensor):
        if not isinstance(got, torch.Tensor):
            return f"{at}expected a tensor, got {_kind(got)}"
        return _tensor_difference(got, want, behaviour, at)
    if isinstance(want, tuple):
        if not isinstance(got, tuple) or len(got) != len(want):
            return f"{at}expected {len(want)} values, got {_kind(got)}"
        pairs = enumerate(zip(got, want, strict=True))
        found = (_difference(g, w, behaviour, f"{where}[{i}]") for i, (g, w) in pairs)
    elif isinstance(want, dict):
        if not isinstance(got, dict) or got.keys() != want.keys():
            return f"{at}expected {', '.join(want)}, got {_kind(got)}"
        found = (_difference(got[k], want[k], behaviour, f"{at}{k}") for k in want)
    elif type(got) is not type(want):
        wanted = "None" if want is None else f"a {type(want).__name__}"
        return f"{at}expected {wanted}, got {_kind(got)}"
    else:
        return None if got == want else f"{at}got {_short(reprlib.repr(got))}"
    return next((f for f in found if f), None)


def _tensor_difference(got, want, behaviour, at):
    """Shape, dtype where it is asked for, then values against the largest expected one."""
    if got.shape != want.shape:
        return f"{at}expected shape {tuple(want.shape)}, got {tuple(got.shape)}"
    if behaviour.dtype and got.dtype != want.dtype:
        return f"{at}expected dtype {want.dtype}, got {got.dtype}"
    if got.is_complex():
        return f"{at}expected real numbers, got {got.dtype}"
    got, want = got.double().cpu(), want.double()
    scale = want.abs().max() if want.numel() else torch.tensor(0.0)
    off = ~((got - want).abs() <= behaviour.tolerance * scale + 1e-12)
    if not off.any():
        return None
    if want.dim() == 0:
        return f"{at}you have {got.item():.6g}"
    first = tuple(off.nonzero()[0].tolist())
    return (f"{at}shape {tuple(got.shape)} is right, {int(off.sum())} of {off.numel()} values are "
            f"not; the first is at {list(first)}, where you have {got[first].item():.6g}")


def _message(name, task, wrong, count, mistake):
    """The lines a student reads."""
    (_, args, kwargs), difference = wrong[0]
    function = name.split("/")[1]
    call = ", ".join(_arguments(task.reference, args, kwargs))
    lines = [f"{function}: wrong in {len(wrong)} of {count} cases.",
             f"  Called with {call}",
             f"  {difference}"]
    if mistake:
        lines += [f"  This is what comes out when {mistake.name}.", f"  Hint: {mistake.hint}"]
    return "\n".join(textwrap.fill(line, 88, subsequent_indent="    ", break_long_words=False)
                     for line in "\n".join(lines).split("\n"))


def _arguments(reference, args, kwargs):
    """Each argument with its name; tensors by shape."""
    bound = inspect.signature(reference).bind_partial(*args, **kwargs)
    for key, value in bound.arguments.items():
        if value is not None:
            shape = torch.is_tensor(value) and tuple(value.shape)
            yield f"{key} of shape {shape}" if torch.is_tensor(value) else f"{key}={_said(value)}"


def _said(value):
    """An argument as a student would write it: layers as calls, tensors by shape, not too long."""
    if torch.is_tensor(value):
        return f"<tensor of shape {tuple(value.shape)}>"
    if isinstance(value, tuple):
        if value and isinstance(value[0], str) and isinstance(value[-1], dict | tuple):
            return _layer(*value)
        end = ",)" if len(value) == 1 else ")"
        text = f"({', '.join(map(_said, value))}{end}"
        return text if len(text) <= 2 * LONGEST else f"{text[:2 * LONGEST]}…"
    return repr(value)


def _layer(kind, options, tensors=()):
    """A layer that a driver builds: (class name, options or layers, tensors by name)."""
    inside = ([f"{key}={value!r}" for key, value in options.items()]
              if isinstance(options, dict) else map(_said, options))
    given = f" with {' and '.join(tensors)} set" if tensors else ""
    return f"{kind}({', '.join(inside)}){given}"


def _kind(value):
    """A value in a few words."""
    if torch.is_tensor(value):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, tuple):
        return f"{len(value)} values"
    if isinstance(value, dict):
        return f"{len(value)} named values"
    return "None" if value is None else f"the {type(value).__name__} {reprlib.repr(value)}"


def _raised(error):
    """A student's exception: what, and in which of their lines."""
    if error["types"][0] == "NotImplementedError" and not error["message"]:
        return "NotImplementedError: it is not written yet"
    text = f"{_short(error['types'][0])}: {_short(error['message'])}".strip()
    return text + (f"\n  in your line: {_short(error['line'])}" if error["line"] else "")


def _short(text):
    """A student's text on one line, not too long, that can be saved."""
    line = " ".join(text[:LONGEST].split())
    return "".join(c if c.isprintable() else "?" for c in line)


def _split(case):
    """A case's arguments and keyword arguments."""
    if case and isinstance(case[-1], dict):
        return tuple(case[:-1]), case[-1]
    return tuple(case), {}
