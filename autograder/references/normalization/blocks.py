"""Layer norm: known mistakes and hidden tests."""

import torch
from torch.nn import functional as F

from autograder.references import Behaviour, Mistake, Task
from autograder.references.normalization import functions as right
from autograder.references.normalization.inputs import picture


def _shape(normalized_shape):
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)


def bent(axes=lambda x, shape: tuple(range(-len(shape), 0)), correction=0,
         scale=lambda var, eps: (var + eps).sqrt(), affine=lambda x_hat, weight, bias, shape:
         x_hat * (1 if weight is None else weight) + (0 if bias is None else bias)):
    """Layer norm as most people write it, with one of its steps replaced."""
    def wrong(x, normalized_shape, weight=None, bias=None, eps=1e-5):
        shape = _shape(normalized_shape)
        if tuple(x.shape[-len(shape):]) != shape:
            raise ValueError(f"x does not end in {shape}")
        var, mean = torch.var_mean(x, axes(x, shape), correction=correction, keepdim=True)
        return affine((x - mean) / scale(var, eps), weight, bias, shape)
    return wrong


def _first(affine):
    """Weight and bias with all their entries equal to one of their own."""
    def wrong(x_hat, weight, bias, shape):
        weight = torch.ones(shape).double() if weight is None else weight
        bias = torch.zeros(shape).double() if bias is None else bias
        return x_hat * affine(weight) + affine(bias)
    return wrong


LAYER_NORM = [
    Mistake("only the last axis is averaged over",
            "All axes that normalized_shape names share a mean.",
            bent(axes=lambda x, shape: (-1,))),
    Mistake("every axis but the first is averaged over",
            "normalized_shape says how many axes share a mean, counted from the last.",
            bent(axes=lambda x, shape: tuple(range(1, x.dim())))),
    Mistake("the first axes are averaged over, not the last",
            "normalized_shape is the end of x.shape: axes -1, -2, and so on.",
            bent(axes=lambda x, shape: tuple(range(len(shape))))),
    Mistake("the mean is that of batch norm",
            "Layer norm knows no batch: each sample is normalized by itself.",
            bent(axes=lambda x, shape: (0, *range(2, x.dim())))),
    Mistake("the variance that divides x is the unbiased one",
            "Divide by n: correction=0.",
            bent(correction=1)),
    Mistake("eps is added to the standard deviation",
            "It belongs under the root: sqrt(var + eps).",
            bent(scale=lambda var, eps: var.sqrt() + eps)),
    Mistake("eps is left out",
            "It belongs under the root: sqrt(var + eps).",
            bent(scale=lambda var, eps: var.sqrt())),
    Mistake("eps is always 1e-5",
            "Use the argument `eps`.",
            bent(scale=lambda var, eps: (var + 1e-5).sqrt())),
    Mistake("weight and bias are one number each",
            "Each entry of the block has its own: their shape is normalized_shape.",
            bent(affine=_first(lambda values: values.flatten()[0]))),
    Mistake("weight and bias are one number per entry of the block's first axis",
            "Each entry of the block has its own: their shape is normalized_shape.",
            bent(affine=_first(lambda values: values[(slice(None), *[slice(1)] * (
                values.dim() - 1))]))),
    Mistake("weight and bias are swapped",
            "weight stretches, bias shifts.",
            bent(affine=lambda x_hat, weight, bias, shape: x_hat * (
                1 if bias is None else bias) + (0 if weight is None else weight))),
    Mistake("weight is left out",
            "Multiply by weight where it is given.",
            bent(affine=lambda x_hat, weight, bias, shape: x_hat + (0 if bias is None else bias))),
    Mistake("bias is left out",
            "Add bias where it is given.",
            bent(affine=lambda x_hat, weight, bias, shape: x_hat * (
                1 if weight is None else weight))),
    Mistake("x may end in another shape than normalized_shape",
            "Raise a ValueError if x.shape does not end in normalized_shape.",
            lambda x, normalized_shape, weight=None, bias=None, eps=1e-5: F.layer_norm(
                x, x.shape[-len(_shape(normalized_shape)):], weight, bias, eps)),
]


def _standard_rows(draw, *shape):
    """Numbers whose rows along the last axis have the mean 0 and the biased variance 1."""
    return F.layer_norm(draw.normal(*shape), shape[-1:], eps=1e-12)


def layer_norm():
    """Tests of layer norm."""
    return Task(right.layer_norm, {
        "axes": Behaviour(lambda draw: [
            (picture(draw, 4, 3, 5, 7), (3, 5, 7)), (picture(draw, 2, 3, 4, 6), (4, 6)),
            (picture(draw, 2, 5, 4), (4,)), (picture(draw, 3, 6), 6),
            (picture(draw, 4, 4, 4, 4), (4, 4)),
        ]),
        "affine": Behaviour(lambda draw: [
            (_standard_rows(draw, 2, 4, 3, 10_000), (4, 3, 10_000), draw.normal(4, 3, 10_000),
             draw.normal(4, 3, 10_000)),
            (_standard_rows(draw, 3, 2, 10_000), 10_000, None, draw.normal(10_000)),
            (_standard_rows(draw, 3, 2, 10_000), 10_000, draw.normal(10_000)),
        ]),
        "epsilon": Behaviour(lambda draw: [
            (_standard_rows(draw, 3, 2, 10_000) * 1e-3, 10_000, {"eps": 1e-3}),
            (_standard_rows(draw, 2, 9_000) * 3 + 1, (9_000,), {"eps": 0.5}),
        ]),
        "refuses": Behaviour(lambda draw: [
            (draw.normal(2, 3, 4, 5), (3, 4)), (draw.normal(2, 3, 4, 4), (3, 4)),
            (draw.normal(4, 6), 4), (draw.normal(3, 2), (3, 3)),
        ]),
    }, LAYER_NORM)
