"""Drivers of the receptive-field assignment's own."""

import torch
from torch import nn

COLUMNS = ("size", "jump", "rf", "start")


class Residual(nn.Module):
    """A block that adds its input to what its body makes of it."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        """Return body(x) + x, of the shape of `x`."""
        return self.body(x) + x


def network(layers):
    """The module that a description stands for, in float64.

    A layer is (class name, options) or (class name, options, tensors by name), and a block is
    ("Residual", layers). What is not given is drawn, the same each time.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(*[_layer(*layer) for layer in layers]).double()


def _layer(kind, options, tensors=()):
    if kind == "Residual":
        return Residual(network(options))
    layer = getattr(nn, kind)(**options).double()
    layer.load_state_dict(dict(tensors), strict=False)
    return layer


def _rows(rows, keys):
    """Some columns of a table, as tensors."""
    if not isinstance(rows, list | tuple) or not all(isinstance(r, dict) for r in rows):
        raise TypeError("return a list of dictionaries, one for each layer and the input")
    return {key: torch.tensor([float(_of(row, key)) for row in rows], dtype=torch.float64)
            for key in keys}


def _of(row, key):
    if not isinstance(row, dict) or key not in row:
        raise TypeError(f"a row is a dictionary with the keys {', '.join(COLUMNS)}")
    return row[key]


def sizes(fn, args, kwargs):
    """The sizes in a table."""
    return _rows(fn(*args, **kwargs), ["size"])


def fields(fn, args, kwargs):
    """The jumps and fields in a table."""
    return _rows(fn(*args, **kwargs), ["jump", "rf"])


def starts(fn, args, kwargs):
    """The starts in a table."""
    return _rows(fn(*args, **kwargs), ["start"])


def merged(fn, args, kwargs):
    """One row, each of its numbers as a tensor."""
    row = fn(*args, **kwargs)
    return {key: torch.tensor(float(_of(row, key)), dtype=torch.float64) for key in COLUMNS}


def region(fn, args, kwargs):
    """Build the network that ``args[0]`` describes, in training mode, and pass it on."""
    layers, *rest = args
    return fn(network(layers), *rest, **kwargs)


def region_and_module(fn, args, kwargs):
    """As `region`, and whether the network is as it was."""
    layers, *rest = args
    module = network(layers)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    result = fn(module, *rest, **kwargs)
    after = module.state_dict()
    same = before.keys() == after.keys() and all(
        torch.equal(before[name], after[name]) for name in before)
    return {"result": result, "weights and statistics left unchanged": same,
            "still in training mode": all(part.training for part in module.modules())}


def effective_shares(fn, args, kwargs):
    """As `effective`, for each share of ``args[2]``."""
    layers, x, masses = args
    return [fn(network(layers).eval(), x.clone(), mass) for mass in masses]


def effective(fn, args, kwargs):
    """Build the network that ``args[0]`` describes, in evaluation mode, and pass it on."""
    layers, *rest = args
    return fn(network(layers).eval(), *rest, **kwargs)
