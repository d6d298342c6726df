"""Weight norm: known mistakes and hidden tests."""

import torch

from autograder.references import Behaviour, Mistake, Task
from autograder.references.normalization import functions as right
from autograder.references.normalization.inputs import positive


def _first(values, v):
    """Values of shape (O,), shaped to meet v, (O, ...)."""
    return values.view(-1, *[1] * (v.dim() - 1))


def _length(length):
    """Divide by another length: `length(v)` is shaped to meet v."""
    return lambda v, g: v / length(v) * _first(g, v)


def _norm(v):
    return v.flatten(1).norm(dim=1)


WEIGHT_NORM = [
    Mistake("v is divided by the length of the whole tensor",
            "Each output channel has a length of its own: v[o].",
            _length(lambda v: v.norm())),
    Mistake("each row of a kernel is normalized by itself",
            "v[o] is one long vector: its length takes in every axis but the first.",
            _length(lambda v: v.norm(dim=-1, keepdim=True))),
    Mistake("lengths are taken over the output channels",
            "The first axis numbers the outputs: sum over all others.",
            _length(lambda v: v.norm(dim=0, keepdim=True))),
    Mistake("v is divided by its length squared",
            "Take the root of the sum of squares.",
            _length(lambda v: _first(_norm(v) ** 2, v))),
    Mistake("the length is the sum of absolute values",
            "The length is the root of the sum of squares.",
            _length(lambda v: _first(v.abs().flatten(1).sum(1), v))),
    Mistake("v is standardized",
            "No mean is subtracted: divide v[o] by its length.",
            lambda v, g: (v - _first(v.flatten(1).mean(1), v)) / _first(
                v.flatten(1).std(1, correction=0), v) * _first(g, v)),
    Mistake("v is not divided by its length",
            "The length of the result is g[o], whatever that of v[o] is.",
            lambda v, g: v * _first(g, v)),
    Mistake("g is left out",
            "The length of the result is g[o].",
            lambda v, g: v / _first(_norm(v), v)),
    Mistake("g lies along the last axis",
            "g[o] belongs to output o: give g the shape (O, 1, 1, 1) first.",
            lambda v, g: v / _first(_norm(v), v) * g),
    Mistake("the length counts as a constant",
            "v moves its length: no detach, no no_grad.",
            lambda v, g: v / _first(_norm(v.detach()), v) * _first(g, v)),
    Mistake("v is not learned",
            "Both g and v get a gradient.",
            lambda v, g: right.weight_norm(v.detach(), g)),
    Mistake("g is not learned",
            "Both g and v get a gradient.",
            lambda v, g: right.weight_norm(v, g.detach())),
]


def weight_norm():
    """Tests of weight norm."""
    return Task(right.weight_norm, {
        "kernels": Behaviour(lambda draw: [
            (draw.normal(4, 2, 3, 5), draw.normal(4)), (draw.normal(3, 4, 2, 3), draw.normal(3)),
            (2 + draw.normal(1, 3, 2, 4), draw.normal(1)),
        ]),
        "matrices": Behaviour(lambda draw: [
            (draw.normal(4, 4), draw.normal(4)), (draw.normal(3, 6), positive(draw, 3)),
        ]),
        "gradient": Behaviour(lambda draw: [
            (1 + draw.normal(3, 2, 4, 3), draw.normal(3)),
            (draw.normal(3, 5), torch.ones(3).double()),
        ], driver="normalization.gradients"),
    }, WEIGHT_NORM)
