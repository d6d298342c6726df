"""Slow, obvious references for the receptive-field assignment.

A layer is a tuple (kernel_size, stride, padding, dilation), along one axis. Positions are in pixels
of the input, and the centre of pixel 0 is 0. Everything that can be is counted from sets of pixels,
not from the recurrence that students write, so that the two are independent.
"""

import copy
import math

import torch
from torch import nn


def out_sizes(layers, input_size):
    """The number of units per layer, the input first; ValueError where a window does not fit."""
    sizes = [input_size]
    for kernel_size, stride, padding, dilation in layers:
        room = sizes[-1] + 2 * padding - dilation * (kernel_size - 1) - 1
        if room < 0:
            raise ValueError(f"a window of {dilation * (kernel_size - 1) + 1} does not fit")
        sizes.append(room // stride + 1)
    return sizes


def seen(layers, units, sizes=None):
    """The pixels that a set of the last layer's units see.

    With `sizes`, as `out_sizes` returns them, what is not there (padding) is left out at each
    layer; without, every layer is endless to both sides.
    """
    for depth, (kernel_size, stride, padding, dilation) in reversed(list(enumerate(layers))):
        units = {unit * stride - padding + tap * dilation
                 for unit in units for tap in range(kernel_size)}
        if sizes:
            units = {unit for unit in units if 0 <= unit < sizes[depth]}
    return units


def rf_size(layers):
    """How many pixels wide the field of one unit of the last layer is: an int."""
    pixels = seen(layers, {0})
    return max(pixels) - min(pixels) + 1


def rf_table(layers, input_size):
    """One row per layer, the input first: a dictionary of size, jump, rf and start.

    `jump` is the distance of two neighbours' fields, `start` the centre of unit 0's, both in
    pixels. Raises ValueError where a window does not fit.
    """
    rows = []
    for depth, size in enumerate(out_sizes(layers, input_size)):
        first, second = seen(layers[:depth], {0}), seen(layers[:depth], {1})
        rows.append({"size": size, "jump": min(second) - min(first),
                     "rf": max(first) - min(first) + 1, "start": (min(first) + max(first)) / 2})
    return rows


def rf_region(layers, input_size, index):
    """The first and the last pixel that unit `index` of the last layer sees; None if it sees none.

    Raises IndexError where there is no such unit, and ValueError where a window does not fit.
    """
    sizes = out_sizes(layers, input_size)
    if not 0 <= index < sizes[-1]:
        raise IndexError(f"no unit {index}: the last layer has {sizes[-1]}")
    pixels = seen(layers, {index}, sizes)
    return (min(pixels), max(pixels)) if pixels else None


def tame(module):
    """A copy in which every connection is positive and passes its gradient on, in float64."""
    module = copy.deepcopy(module).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(0.01)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
        for name, child in part.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(part, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
    return module


def input_gradient(module, x, unit):
    """The gradient of one output unit, all channels added, by `x`, of shape (N, C, H, W)."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(module(x)[:, :, unit[0], unit[1]].sum(), x)[0]


def bounds(gradient):
    """(top, bottom, left, right), inclusive, of what is not 0 in a gradient (N, C, H, W)."""
    rows, columns = (gradient.abs().amax(dim=(0, 1)) > 0).nonzero(as_tuple=True)
    return tuple(int(v) for v in (rows.min(), rows.max(), columns.min(), columns.max()))


def rf_by_gradient(module, input_size, unit):
    """(top, bottom, left, right), inclusive: the pixels that output `unit` (row, column) sees.

    `input_size` is (C, H, W). Every weight of a copy of `module` is made positive first.
    """
    x = torch.ones(1, *input_size, dtype=torch.float64)
    return bounds(input_gradient(tame(module), x, unit))


def merge_paths(*rows):
    """The row of a sum of several paths, from each one's row (size, jump, rf, start).

    Raises ValueError where sizes or jumps differ: such paths cannot be added.
    """
    if len({(row["size"], row["jump"]) for row in rows}) > 1:
        raise ValueError("paths of different size or jump cannot be added")
    low = min(row["start"] - (row["rf"] - 1) / 2 for row in rows)
    high = max(row["start"] + (row["rf"] - 1) / 2 for row in rows)
    return rows[0] | {"rf": int(high - low) + 1, "start": (low + high) / 2}


def shares(module, x):
    """The share of each pixel (H, W) in the absolute gradient of the middle output unit."""
    height, width = x.shape[2:]
    share = input_gradient(module, x, (height // 2, width // 2)).abs().sum(dim=(0, 1))
    return share / share.sum()


def side(share, mass):
    """The side of the smallest square around the middle of `share` (H, W) that holds `mass`."""
    row, column = share.shape[0] // 2, share.shape[1] // 2
    for reach in range(max(share.shape)):
        rows = slice(max(row - reach, 0), row + reach + 1)
        columns = slice(max(column - reach, 0), column + reach + 1)
        if share[rows, columns].sum() >= mass:
            return 2 * reach + 1
    raise ValueError(f"no square holds {mass} of the gradient")


def effective_rf(module, x, mass=0.95):
    """The side of the smallest square around the middle pixel that holds `mass` of the gradient.

    `module` keeps the height and width of `x` (N, C, H, W), both odd. Returns an int, in pixels.
    """
    return side(shares(module, x), mass)


def min_layers_for_rf(target, kernel_size, strides=()):
    """The fewest layers of one kernel size whose receptive field is at least `target` pixels.

    The first layers have `strides`, the others stride 1. Raises ValueError if no number is enough.
    """
    if kernel_size == 1 and target > 1:
        raise ValueError("1x1 layers do not widen the field")
    for count in range(math.ceil(target) + 1):
        used = [*strides, *[1] * count][:count]
        if rf_size([(kernel_size, stride, 0, 1) for stride in used]) >= target:
            return count
    raise AssertionError("each layer widens the field by at least one pixel")
