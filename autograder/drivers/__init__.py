"""How the kernel exercises a student's function: inputs in, plain values out.

Nothing here is secret: a driver knows how to call a function, never what it should return. The
grader drives its reference, and every known mistake, in the same way. A driver is called as
``driver(fn, args, kwargs)`` and returns a tree of tensors, numbers, strings and None. This module
holds those that any assignment can use; ``autograder.drivers.<slug>`` adds an assignment's own.
"""

import collections
import contextlib
import copy
import functools
import importlib
import linecache
import threading
import traceback

import torch
import torch.library


def call(fn, args, kwargs):
    """Call the function, and return what it returns."""
    return fn(*args, **kwargs)


def unchanged(fn, args, kwargs):
    """Call the function; return its result and whether each tensor it was given is as before."""
    before = copied(args)
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


# The place below autograd and above every backend: an operator gets here when it has been taken to
# pieces, whatever its tensors are. Torch itself has none here that a task would forbid.
_PLACE = "BackendSelect"
# What is made of a forbidden operation only if a gradient is needed, and computes by itself if not.
_SHORTCUTS = {"max_pool2d_with_indices": [("aten", "max_pool1d", _PLACE),
                                          ("aten", "max_pool1d", "AutogradCPU")]}


class _Refusals:
    """The operations that torch refuses now: those of all blocks that run, in every thread."""

    def __init__(self):
        self.blocks = collections.Counter()  # names -> how many blocks that run are without them
        self.names, self.libraries = frozenset(), contextlib.ExitStack()
        self.lingering, self.lock = False, threading.RLock()

    @contextlib.contextmanager
    def block(self, names):
        """Refuse `names` while the block runs; None lets all of them through."""
        self._change(names, 1)
        try:
            yield
        finally:
            self._change(names, -1)

    def linger(self, on):
        """Whether refusals stay when no block runs any more, for the next block of the same names.
        """
        with self.lock:
            self.lingering = on
            self._change(None, 0)

    def _change(self, names, by):
        with self.lock:
            self.blocks[names] += by
            running = +self.blocks
            names = frozenset() if None in running else frozenset().union(*running)
            if names == self.names or self.lingering and not running:
                return
            self.names = frozenset()
            self.libraries.close()
            for namespace, operators in _operators(names).items():
                library = torch.library.Library(namespace, "IMPL")
                self.libraries.callback(library._destroy)
                for operator, place, refusal in operators:
                    library.impl(operator, refusal, place)
            self.names = names


_refusals = _Refusals()


def without(names):
    """A block in which torch's operations of these names in aten raise Forbidden, in any thread.

    Blocks may nest. To begin and end one takes some 0.3 ms, but nothing within one of the same
    names; calls of what is allowed cost nothing.
    """
    return _refusals.block(frozenset(names))


def linger(on):
    """Whether the refusals of `without` may outlast its block, until the next or `linger(False)`.

    To begin and end a block is the dearest part of many a test: so they stay between test cells
    that follow one another, where nothing of a student's runs.
    """
    _refusals.linger(on)


def with_all():
    """A block inside of `without` in which torch refuses nothing: for a driver's own calls."""
    return _refusals.block(None)


@functools.cache
def _operators(names):
    """For each of torch's namespaces, the operators to refuse: where, and with what."""
    found = collections.defaultdict(list)
    for name in names:
        refusal = functools.partial(_forbid, name)
        for namespace, operator, place in _SHORTCUTS.get(name, ()):
            found[namespace].append((operator, place, refusal))
        for namespace, operator, overload in _overloads()[name]:
            if not _leads_on(f"{namespace}::{operator}", overload):
                found[namespace].append((operator, _PLACE, refusal))
    return found


@functools.cache
def _overloads():
    """All that torch can compute: for each name, (namespace, operator, overload)."""
    found = collections.defaultdict(list)
    for full in torch._C._dispatch_get_all_op_names():
        namespace, _, operator = full.partition("::")
        name, _, overload = operator.partition(".")
        found[name].append((namespace, operator, overload))
    return found


def _leads_on(operator, overload):
    """Whether an operator is made of others: then those are refused, as far as they have to be."""
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    return has_kernel(operator, "CompositeImplicitAutograd") or (
        "out" in overload and has_kernel(operator, "CompositeExplicitAutograd"))


def _forbid(name, *args, **kwargs):
    raise Forbidden(f"this task does not allow torch's own {name}")


def drive(driver, fn, args, kwargs, forbidden=()):
    """Run `fn` under a driver on its own copy of the inputs, without some torch operations.

    Returns ``{"value": tree}``, or ``{"error": {"types", "message", "line"}}`` when `fn` raised:
    the exception's class names (most derived first), its text, and the student's line.
    """
    args, kwargs = copied(args), copied(kwargs)
    try:
        with without(forbidden) if forbidden else contextlib.nullcontext():
            result = find(driver)(fn, args, kwargs)
        return {"value": plain(result)}
    except Exception as error:
        types = [t.__name__ for t in type(error).__mro__ if issubclass(t, Exception)]
        return {"error": {"types": types, "message": str(error), "line": _line(error, fn)}}


def copied(value):
    """A deep copy of inputs: the same tree with its own tensors."""
    if type(value) is torch.Tensor and not value.requires_grad:
        return value.clone()
    if type(value) is tuple:
        return tuple(copied(v) for v in value)
    if type(value) is dict:
        return {k: copied(v) for k, v in value.items()}
    return copy.deepcopy(value)


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
