"""Group norm and instance norm: known mistakes and hidden tests."""

import torch

from autograder.references import Behaviour, Mistake, Task
from autograder.references.normalization import functions as right
from autograder.references.normalization.inputs import per_channel, picture, unit_planes


def _grouped(before=lambda x, groups: x, after=lambda x, groups: x,
             groups=lambda x, groups: groups, axes=lambda x: tuple(range(2, x.dim())),
             correction=0, scale=lambda var, eps: (var + eps).sqrt(),
             affine=lambda x_hat, weight, bias, groups: x_hat * (
                 1 if weight is None else per_channel(weight, x_hat)) + (
                 0 if bias is None else per_channel(bias, x_hat))):
    """Group norm as most people write it, with one of its steps replaced."""
    def wrong(x, num_groups, weight=None, bias=None, eps=1e-5):
        if x.shape[1] % num_groups:
            raise ValueError("groups of several sizes")
        count = groups(x, num_groups)
        parts = before(x, count).reshape(len(x), count, -1, *x.shape[2:])
        var, mean = torch.var_mean(parts, axes(parts), correction=correction, keepdim=True)
        x_hat = after(((parts - mean) / scale(var, eps)).reshape(x.shape), count)
        return affine(x_hat, weight, bias, num_groups)
    return wrong


def _interleave(x, groups):
    """Channels 0, G, 2 * G, ... first, or with C / G for G, back to their places."""
    return x.view(len(x), -1, groups, *x.shape[2:]).transpose(1, 2).reshape(x.shape)


def _per_group(x_hat, weight, bias, groups):
    """The first `groups` of the numbers, one for each group."""
    size = x_hat.shape[1] // groups
    for values, act in ((weight, torch.mul), (bias, torch.add)):
        if values is not None:
            x_hat = act(x_hat, per_channel(values[:groups].repeat_interleave(size), x_hat))
    return x_hat


def _smaller_last(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Where the channels cannot be parted evenly, a last, smaller group."""
    parts = x.chunk(num_groups, dim=1)
    out = torch.cat([right.group_norm(part, 1, eps=eps) for part in parts], dim=1)
    return right.group_norm(x, x.shape[1], weight, bias, eps) if weight is not None else out


SPREAD = [
    ("the variance that divides x is the unbiased one", "Divide by n: correction=0.",
     {"correction": 1}),
    ("eps is added to the standard deviation", "It belongs under the root: sqrt(var + eps).",
     {"scale": lambda var, eps: var.sqrt() + eps}),
    ("eps is left out", "It belongs under the root: sqrt(var + eps).",
     {"scale": lambda var, eps: var.sqrt()}),
    ("eps is always 1e-5", "Use the argument `eps`.",
     {"scale": lambda var, eps: (var + 1e-5).sqrt()}),
]

GROUP_NORM = [
    Mistake("the groups are interleaved",
            "A group is made of neighbours: channels 0 to C // num_groups - 1 are the first.",
            _grouped(before=_interleave, after=lambda x, groups: _interleave(
                x, x.shape[1] // groups))),
    Mistake("num_groups is taken for the channels in a group",
            "There are num_groups groups, of C // num_groups channels each.",
            _grouped(groups=lambda x, groups: x.shape[1] // groups)),
    Mistake("all channels are one group",
            "Each group has a mean of its own: reshape to (N, num_groups, -1).",
            _grouped(groups=lambda x, groups: 1)),
    Mistake("each channel is a group",
            "The channels of one group share a mean.",
            _grouped(groups=lambda x, groups: x.shape[1])),
    Mistake("the samples share a mean",
            "Group norm knows no batch: leave out axis 0.",
            _grouped(axes=lambda x: (0, *range(2, x.dim())))),
    Mistake("each pixel has a mean of its own",
            "All pixels of a group's channels share a mean.",
            _grouped(axes=lambda x: (2,))),
    *(Mistake(name, hint, _grouped(**change)) for name, hint, change in SPREAD),
    Mistake("weight and bias belong to groups",
            "Each channel has its own weight and bias: their shape is (C,).",
            _grouped(affine=_per_group)),
    Mistake("weight and bias lie along the width",
            "They belong to channels: give them the shape (1, C, 1, 1) first.",
            _grouped(affine=lambda x_hat, weight, bias, groups: x_hat * (
                1 if weight is None else weight) + (0 if bias is None else bias))),
    Mistake("weight and bias are swapped",
            "weight stretches, bias shifts.",
            lambda x, num_groups, weight=None, bias=None, eps=1e-5: right.group_norm(
                x, num_groups, bias, weight, eps)),
    Mistake("weight is left out",
            "Multiply by weight where it is given.",
            lambda x, num_groups, weight=None, bias=None, eps=1e-5: right.group_norm(
                x, num_groups, None, bias, eps)),
    Mistake("bias is left out",
            "Add bias where it is given.",
            lambda x, num_groups, weight=None, bias=None, eps=1e-5: right.group_norm(
                x, num_groups, weight, None, eps)),
    Mistake("channels that cannot be parted evenly are parted all the same",
            "Raise a ValueError unless num_groups divides C.",
            _smaller_last),
]


def group_norm():
    """Tests of group norm."""
    return Task(right.group_norm, {
        "groups": Behaviour(lambda draw: [
            (picture(draw, 2, 6, 3, 4), 2), (picture(draw, 3, 6, 5, 2), 3),
            (picture(draw, 2, 4, 3, 5), 1), (picture(draw, 1, 4, 2, 3), 4),
            (picture(draw, 2, 8, 3, 5), 2),
        ]),
        "affine": Behaviour(lambda draw: [
            (unit_planes(draw, 2, 4, 2500, 4), 2, draw.normal(4), draw.normal(4)),
            (unit_planes(draw, 1, 6, 90, 120), 3, None, draw.normal(6)),
            (unit_planes(draw, 1, 6, 90, 120), 2, draw.normal(6)),
        ]),
        "epsilon": Behaviour(lambda draw: [
            (unit_planes(draw, 2, 4, 90, 110) * 1e-3, 2, {"eps": 1e-3}),
            (unit_planes(draw, 1, 6, 80, 120) * 2 + 1, 3, {"eps": 0.5}),
        ]),
        "refuses": Behaviour(lambda draw: [
            (draw.normal(2, 5, 3, 4), 2), (draw.normal(1, 6, 4, 3), 4),
            (draw.normal(2, 3, 2, 2), 4),
        ]),
    }, GROUP_NORM)


def _over(axes=(2, 3), correction=0, scale=lambda var, eps: (var + eps).sqrt()):
    """Instance norm with other axes, or another spread."""
    def wrong(x, eps=1e-5):
        if x.shape[2:].numel() == 1:
            raise ValueError("one pixel")
        var, mean = torch.var_mean(x, axes, correction=correction, keepdim=True)
        return (x - mean) / scale(var, eps)
    return wrong


INSTANCE_NORM = [
    Mistake("the samples share a mean",
            "That is batch norm: leave out axis 0.",
            _over(axes=(0, 2, 3))),
    Mistake("the channels share a mean",
            "That is layer norm: leave out axis 1.",
            _over(axes=(1, 2, 3))),
    Mistake("each row has a mean of its own",
            "All pixels of a plane share a mean: axes 2 and 3.",
            _over(axes=(3,))),
    Mistake("all numbers share one mean",
            "Each channel of each sample has a mean of its own: leave out axes 0 and 1.",
            _over(axes=(0, 1, 2, 3))),
    *(Mistake(name, hint, _over(**change)) for name, hint, change in SPREAD),
    Mistake("planes of one pixel are given an answer",
            "The pixel is its own mean, and nothing is left of it: raise a ValueError.",
            lambda x, eps=1e-5: torch.zeros_like(x) if x.shape[2:].numel() == 1
            else right.instance_norm(x, eps)),
]


def instance_norm():
    """Tests of instance norm."""
    return Task(right.instance_norm, {
        "planes": Behaviour(lambda draw: [
            (picture(draw, *shape),) for shape in ((4, 3, 5, 7), (2, 5, 3, 3), (1, 4, 6, 2))
        ]),
        "epsilon": Behaviour(lambda draw: [
            (unit_planes(draw, 2, 2, 90, 110) * 1e-3, {"eps": 1e-3}),
            (unit_planes(draw, 1, 3, 80, 120) * 2 + 1, {"eps": 0.5}),
        ]),
        "refuses": Behaviour(lambda draw: [(draw.normal(4, 3, 1, 1),), (draw.normal(1, 2, 1, 1),)]),
    }, INSTANCE_NORM)
