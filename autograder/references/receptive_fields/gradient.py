"""The field of a real module by its gradient: known mistakes and hidden tests."""

import copy

import torch
from torch import nn

from autograder.references import Behaviour, Mistake, Task
from autograder.references.receptive_fields import functions as right


def _measured(change, size=torch.ones, unit=lambda row, column: (row, column)):
    """The measurement on a module changed by `change`, on a picture made by `size`."""
    def wrong(module, input_size, at):
        x = size(1, *input_size, dtype=torch.float64)
        return right.bounds(right.input_gradient(change(module), x, unit(*at)))
    return wrong


def _tamed(parameters=lambda p: p.fill_(0.01), pools=True, statistics=True, mode="eval"):
    """`right.tame` with some of its steps left out, or another rule for the parameters."""
    def change(module):
        tame = right.tame(module)
        kept = copy.deepcopy(module).double()
        with torch.no_grad():
            for mine, theirs in zip(tame.parameters(), kept.parameters(), strict=True):
                mine.copy_(parameters(theirs))
            if not statistics:
                for mine, theirs in zip(tame.buffers(), kept.buffers(), strict=True):
                    mine.copy_(theirs)
        if not pools:
            _put_back(tame, module)
        return tame.train() if mode == "train" else tame
    return change


def _put_back(tame, module):
    """Give `tame` the max pools of `module` again."""
    for part, original in zip(list(tame.modules()), list(module.modules()), strict=True):
        for name, child in original.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(part, name, child)


def _bent(bend):
    """The right bounds, bent."""
    return lambda module, size, unit: bend(*right.rf_by_gradient(module, size, unit))


def _all_units(module, input_size, unit):
    """The gradient of every output unit together."""
    x = torch.ones(1, *input_size, dtype=torch.float64, requires_grad=True)
    return right.bounds(torch.autograd.grad(right.tame(module)(x).sum(), x)[0])


def _in_place(module, input_size, unit):
    """Overwrite the caller's own weights, and leave it in evaluation mode."""
    found = right.rf_by_gradient(module, input_size, unit)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1.0)
    module.eval()
    return found


RF_BY_GRADIENT = [
    Mistake("the weights stay as they are",
            "Weights that are 0, cancel or kill a ReLU hide pixels: set all parameters positive.",
            _measured(_tamed(parameters=lambda p: p))),
    Mistake("the weights are made positive with abs, and zeros stay",
            "A weight that is 0 today connects too: fill the parameters with one positive number.",
            _measured(_tamed(parameters=torch.abs))),
    Mistake("a max pool passes its gradient to one pixel of each window",
            "Every pixel of the window can win: put an average pool in the max pool's place.",
            _measured(_tamed(pools=False))),
    Mistake("batch norm runs in training mode",
            "Its batch mean is made of the whole picture: call eval() on your copy.",
            _measured(_tamed(mode="train"), size=lambda *s, dtype: torch.arange(
                torch.Size(s).numel(), dtype=dtype).view(s).cos() + 1)),
    Mistake("batch norm keeps its running mean, and a ReLU behind it is dead",
            "The statistics are buffers, not parameters: call reset_running_stats().",
            _measured(_tamed(statistics=False))),
    Mistake("the last bounds are one past the last pixel",
            "All four are pixels that the unit sees.",
            _bent(lambda top, bottom, left, right: (top, bottom + 1, left, right + 1))),
    Mistake("rows and columns of the answer are swapped",
            "First the rows (top, bottom), then the columns (left, right).",
            _bent(lambda top, bottom, left, right: (left, right, top, bottom))),
    Mistake("row and column of the unit are swapped",
            "unit is (row, column): the output is out[0, :, row, column].",
            _measured(right.tame, unit=lambda row, column: (column, row))),
    Mistake("the answer is the height and the width, not the four bounds",
            "Return (top, bottom, left, right).",
            _bent(lambda top, bottom, left, right: (bottom - top + 1, right - left + 1))),
    Mistake("all output units are measured together",
            "Take the gradient of out[0, :, row, column].sum() alone.",
            _all_units),
    Mistake("the caller's module is changed",
            "Work on copy.deepcopy(module): its weights and its mode belong to the caller.",
            _in_place),
]


def _conv(channels_in, channels_out, kernel_size, **options):
    """The description of a convolution; its tensors follow with `with_values`."""
    return ("Conv2d", {"in_channels": channels_in, "out_channels": channels_out,
                       "kernel_size": kernel_size} | options)


def _values(layer, **tensors):
    """The description with some of its parameters or buffers given."""
    return (*layer, tensors)


def _zero_edge(draw):
    """A kernel whose last column and first row are 0."""
    weight = draw.normal(1, 1, 3, 5)
    weight[..., -1], weight[..., 0, :] = 0, 0
    return (_values(_conv(1, 1, (3, 5), padding=(1, 2), bias=False), weight=weight),)


def _cancelling(draw):
    """Two channels that cancel in the last column once they are added."""
    weight = torch.ones(2, 1, 3, 3, dtype=torch.float64)
    weight[1, :, :, -1] = -1
    one = torch.ones(1, 2, 1, 1, dtype=torch.float64)
    return (_values(_conv(1, 2, 3, bias=False), weight=weight),
            _values(_conv(2, 1, 1, bias=False), weight=one))


def _dead(kind, **tensors):
    """A residual block whose convolution ends in a ReLU that the given tensors kill."""
    low = torch.full((2,), -1e6, dtype=torch.float64)
    if kind == "bias":
        body = (_values(_conv(2, 2, 3, padding=1), bias=low), ("ReLU", {}))
    else:
        body = (_conv(2, 2, 3, padding=1, bias=False),
                _values(("BatchNorm2d", {"num_features": 2}), running_mean=-low), ("ReLU", {}))
    return ("Residual", body)


def rf_by_gradient():
    """Tests of the measurement."""
    relu = ("ReLU", {})
    plain = _conv(1, 4, 3, stride=2, padding=1), _conv(4, 2, 3, stride=2, padding=1)
    pool = ("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1})
    return Task(right.rf_by_gradient, {
        "bounds": Behaviour(lambda draw: [
            (plain, (1, 28, 22), (3, 2)), (plain, (1, 28, 22), (0, 5)),
            ((_conv(3, 2, (2, 5), stride=(1, 2)), _conv(2, 1, (4, 3), dilation=(1, 2))),
             (3, 15, 23), (4, 1)),
        ], driver="receptive_fields.region"),
        "weights": Behaviour(lambda draw: [
            (_zero_edge(draw), (1, 7, 9), (3, 4)), (_cancelling(draw), (1, 6, 7), (1, 2)),
            ((_dead("bias"),), (2, 9, 8), (4, 5)),
        ], driver="receptive_fields.region"),
        "pools": Behaviour(lambda draw: [
            ((_conv(1, 2, 3), pool), (1, 16, 19), (2, 3)),
            ((_conv(1, 2, 3, padding=1), pool, ("Residual", (_conv(2, 2, 3, padding=1),)),
              ("MaxPool2d", {"kernel_size": 2})), (1, 20, 24), (2, 4)),
        ], driver="receptive_fields.region"),
        "batch_norm": Behaviour(lambda draw: [
            ((*_zero_edge(draw), ("BatchNorm2d", {"num_features": 1}), relu, _conv(1, 1, 3)),
             (1, 14, 17), (4, 6)),
            ((_dead("statistics"), _conv(2, 1, 3)), (2, 12, 15), (3, 8)),
        ], driver="receptive_fields.region"),
        "copy": Behaviour(lambda draw: [
            ((*plain, ("BatchNorm2d", {"num_features": 2})), (1, 20, 17), (2, 1)),
        ], driver="receptive_fields.region_and_module"),
    }, RF_BY_GRADIENT)
