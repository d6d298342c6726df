"""How the kernel exercises a student's function: inputs in, plain values out.

Nothing here is secret: a driver knows how to call a function, never what it should return. The
grader drives its reference, and every known mistake, in the same way. A driver is called as
``driver(fn, args, kwargs)`` and returns a tree of tensors, numbers, strings and None. This module
holds those that any assignment can use; ``autograder.drivers.<slug>`` adds an assignment's own.
"""

import contextlib
import copy
import importlib
import linecache
import traceback

import torch
from torch.utils._python_dispatch import TorchDispatchMode


def call(fn, args, kwargs):
    """Call the function, and return what it returns."""
    return fn(*args, **kwargs)


def unchanged(fn, args, kwargs):
    """Call the function; return its result and whether each tensor it was given is as before."""
    before = copy.deepcopy(args)
    result = fn(*args, **kwargs)
    same = [torch.equal(a, b) for a, b in zip(args, before, strict=True) if torch.is_tensor(a)]
    return {"result": result, "inputs left unchanged": all(same)}


def gradients(fn, args, kwargs):
    """Differentiate the result by every floating-point tensor argument.

    The result is weighed with fixed, uneven numbers first, so that no two entries can stand in for
    each other.
    """
    args = [a.requires_grad_() if torch.is_tensor(a) and a.is_floating_point() else a for a in args]
    result = fn(*args, **kwargs)
    leaves = [a for a in args if torch.is_tensor(a) and a.requires_grad]
    if not result.requires_grad:
        return {"gradients": "cut off"}
    weights = torch.cos(torch.arange(result.numel(), dtype=result.dtype)).view(result.shape)
    return {"gradients": torch.autograd.grad(result, leaves, weights)}


def find(driver):
    """The driver called ``"name"``, or ``"slug.name"`` for an assignment's own."""
    module, _, name = driver.rpartition(".")
    home = importlib.import_module(f"autograder.drivers.{module}") if module else None
    return getattr(home, name) if home else globals()[name]


class Forbidden(RuntimeError):
    """A student's function used a torch operation that its task forbids."""


class _Without(TorchDispatchMode):
    """Refuse some torch operations, by their names in aten."""

    def __init__(self, names):
        super().__init__()
        self.names = frozenset(names)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.rpartition("::")[2]
        if name in self.names:
            raise Forbidden(f"this task does not allow torch's own {name}")
        return func(*args, **(kwargs or {}))


def drive(driver, fn, args, kwargs, forbidden=()):
    """Run `fn` under a driver on its own copy of the inputs, without some torch operations.

    Returns ``{"value": tree}``, or ``{"error": {"types", "message", "line"}}`` when `fn` raised:
    the exception's class names (most derived first), its text, and the student's line.
    """
    args, kwargs = copy.deepcopy(args), copy.deepcopy(kwargs)
    try:
        with _Without(forbidden) if forbidden else contextlib.nullcontext():
            result = find(driver)(fn, args, kwargs)
        return {"value": plain(result)}
    except Exception as error:
        types = [t.__name__ for t in type(error).__mro__ if issubclass(t, Exception)]
        return {"error": {"types": types, "message": str(error), "line": _line(error, fn)}}


def plain(value):
    """The value with tensors cut from autograd; TypeError for what is not plain data."""
    if torch.is_tensor(value):
        return value.detach().as_subclass(torch.Tensor)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.Size | tuple | list):
        return tuple(plain(v) for v in value)
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    raise TypeError(f"it returned a {type(value).__name__}; return a tensor, a number or a tuple")


def _line(error, fn):
    """The last line of the student's own code that the exception passed through, or ''."""
    bodies = [fn, *vars(fn).values()] if isinstance(fn, type) else [fn]  # a class: its methods
    codes = [body.__code__ for body in bodies if hasattr(body, "__code__")]
    home = codes[0].co_filename if codes else None
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == home]
    return linecache.getline(home, frames[-1].lineno).strip() if frames else ""
