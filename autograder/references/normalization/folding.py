"""Batch norm folded into a convolution: known mistakes and hidden tests."""

import copy

import torch
from torch import nn

from autograder.references import Behaviour, Mistake, Task
from autograder.references.normalization import functions as right
from autograder.references.normalization.inputs import positive


def _made(scale=lambda bn: bn.weight / (bn.running_var + bn.eps).sqrt(),
          kernel=lambda weight, scale: weight * scale.view(-1, 1, 1, 1),
          bias=lambda b, mean, scale, beta: (b - mean) * scale + beta, options=lambda kept: kept):
    """The one convolution as most people make it, with one of the steps replaced."""
    def wrong(conv, bn):
        if bn.training:
            raise ValueError("training")
        keep = {name: getattr(conv, name)
                for name in ("stride", "padding", "dilation", "groups", "padding_mode")}
        one = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, dtype=torch.float64,
                        **options(keep))
        before = torch.zeros_like(bn.bias) if conv.bias is None else conv.bias
        one.weight = nn.Parameter(kernel(conv.weight, scale(bn)).detach())
        one.bias = nn.Parameter(bias(before, bn.running_mean, scale(bn), bn.bias).detach())
        return one
    return wrong


def _without(*names):
    """The one convolution, made without some of the options."""
    return _made(options=lambda kept: {k: v for k, v in kept.items() if k not in names})


def _in_place(conv, bn):
    """Overwrite the caller's convolution."""
    one = right.fold_conv_bn(conv, bn)
    conv.weight.data.copy_(one.weight.data)
    if conv.bias is not None:
        conv.bias.data.copy_(one.bias.data)
    return one


def _no_bias(conv, bn):
    """Where the convolution has no bias, the result has none either."""
    one = right.fold_conv_bn(conv, bn)
    if conv.bias is None:
        one.bias = None
    return one


def _any_mode(conv, bn):
    """Fold, whatever the mode is."""
    return right.fold_conv_bn(conv, copy.deepcopy(bn).eval())


def _scaled(scale):
    return lambda bn: scale(bn.weight, bn.running_var, bn.eps)


FOLD_CONV_BN = [
    Mistake("the running mean is forgotten",
            "Batch norm subtracts it before it stretches: the bias is "
            "(b - mean) * gamma / std + beta.",
            _made(bias=lambda b, mean, scale, beta: b * scale + beta)),
    Mistake("the convolution's bias is forgotten",
            "It goes through the batch norm, too: (b - mean) * gamma / std + beta.",
            _made(bias=lambda b, mean, scale, beta: beta - mean * scale)),
    Mistake("the convolution's bias is not stretched",
            "It goes through the batch norm, too: (b - mean) * gamma / std + beta.",
            _made(bias=lambda b, mean, scale, beta: b - mean * scale + beta)),
    Mistake("the running mean is not stretched",
            "It is subtracted before the stretching: (b - mean) * gamma / std + beta.",
            _made(bias=lambda b, mean, scale, beta: b * scale - mean + beta)),
    Mistake("beta is forgotten",
            "Batch norm adds it last: (b - mean) * gamma / std + beta.",
            _made(bias=lambda b, mean, scale, beta: (b - mean) * scale)),
    Mistake("the kernel is not stretched",
            "Each output channel's kernel is multiplied by its gamma / std.",
            _made(kernel=lambda weight, scale: weight)),
    Mistake("the input channels are stretched",
            "Batch norm comes after the convolution: its channels are the kernel's axis 0.",
            _made(kernel=lambda weight, scale: weight * scale.view(1, -1, 1, 1)[:, :weight.shape[1]]
                  if weight.shape[1] <= len(scale) else weight)),
    Mistake("gamma is left out",
            "The factor is gamma / sqrt(var + eps).",
            _made(scale=_scaled(lambda gamma, var, eps: 1 / (var + eps).sqrt()))),
    Mistake("gamma has lost its sign",
            "gamma may be negative: do not take its absolute value.",
            _made(scale=_scaled(lambda gamma, var, eps: gamma.abs() / (var + eps).sqrt()))),
    Mistake("the running variance is taken for the standard deviation",
            "The factor is gamma / sqrt(var + eps).",
            _made(scale=_scaled(lambda gamma, var, eps: gamma / (var + eps)))),
    Mistake("eps is left out",
            "The factor is gamma / sqrt(var + eps).",
            _made(scale=_scaled(lambda gamma, var, eps: gamma / var.sqrt()))),
    Mistake("eps is added to the standard deviation",
            "It belongs under the root: sqrt(var + eps).",
            _made(scale=_scaled(lambda gamma, var, eps: gamma / (var.sqrt() + eps)))),
    Mistake("eps is always 1e-5",
            "Use bn.eps.",
            _made(scale=_scaled(lambda gamma, var, eps: gamma / (var + 1e-5).sqrt()))),
    Mistake("a convolution without bias is folded into one without",
            "Batch norm shifts: the result needs a bias, even where conv.bias is None.",
            _no_bias),
    Mistake("the stride is lost", "Give the new layer conv.stride.", _without("stride")),
    Mistake("the padding is lost", "Give the new layer conv.padding.", _without("padding")),
    Mistake("the dilation is lost", "Give the new layer conv.dilation.", _without("dilation")),
    Mistake("stride, padding and dilation are lost",
            "Give the new layer all the options of conv: stride, padding, dilation, groups.",
            _without("stride", "padding", "dilation")),
    Mistake("the caller's convolution is changed",
            "Work on copy.deepcopy(conv), or on a new layer.",
            _in_place),
    Mistake("batch norm in training mode is folded",
            "Its statistics would be those of a batch that is not there: raise a ValueError.",
            _any_mode),
]


def _conv(draw, channels_in, channels_out, kernel_size, bias=None, **options):
    """The description of a convolution with drawn weights, and no bias unless it is given."""
    options = {"in_channels": channels_in, "out_channels": channels_out,
               "kernel_size": kernel_size} | options | ({} if bias is not None else {"bias": False})
    size = (kernel_size,) * 2 if isinstance(kernel_size, int) else kernel_size
    tensors = {"weight": draw.normal(channels_out, channels_in // options.get("groups", 1), *size)}
    return "Conv2d", options, tensors | ({} if bias is None else {"bias": bias})


def _norm(channels, eps=1e-5, **tensors):
    """The description of a batch norm; what is not given is as in a new one."""
    zero, one = torch.zeros(channels).double(), torch.ones(channels).double()
    return ("BatchNorm2d", {"num_features": channels, "eps": eps},
            {"weight": one, "bias": zero, "running_mean": zero, "running_var": one} | tensors)


def _drawn(draw, c, **options):
    """A batch norm with everything drawn, its first gamma below 0."""
    gamma = positive(draw, c)
    gamma[0] = -gamma[0]
    return _norm(c, weight=gamma, bias=draw.normal(c), running_mean=draw.normal(c),
                 running_var=positive(draw, c) ** 2 + 0.5, **options)


def fold_conv_bn():
    """Tests of the folded layer."""
    def picture(draw, channels):
        return draw.normal(2, channels, 7, 9)

    def stretched(draw, c, **options):
        _, _, tensors = _drawn(draw, c)
        return _norm(c, **{k: tensors[k] for k in ("weight", "running_var")} | options)

    zero = torch.zeros(4).double()
    return Task(right.fold_conv_bn, {
        "kernel": Behaviour(lambda draw: [
            (_conv(draw, c, 4, (2, 3), zero), stretched(draw, 4), picture(draw, c)) for c in (3, 4)
        ], driver="normalization.folded"),
        "bias": Behaviour(lambda draw: [
            (_conv(draw, 3, 4, 3, draw.normal(4)), _drawn(draw, 4), picture(draw, 3)),
            (_conv(draw, 2, 3, (1, 2), draw.normal(3)), _drawn(draw, 3), picture(draw, 2)),
        ], driver="normalization.folded"),
        "no_bias": Behaviour(lambda draw: [
            (_conv(draw, c, 4, size), _norm(4, bias=draw.normal(4), running_mean=draw.normal(4)),
             picture(draw, c)) for c, size in ((3, 3), (2, 1))
        ], driver="normalization.folded"),
        "options": Behaviour(lambda draw: [
            (_conv(draw, 3, 4, 3, zero, stride=(2, 1), padding=(1, 2)), _norm(4), picture(draw, 3)),
            (_conv(draw, 4, 4, (2, 3), zero, groups=2, dilation=(1, 2)), _norm(4),
             picture(draw, 4)),
        ], driver="normalization.folded"),
        "epsilon": Behaviour(lambda draw: [
            (_conv(draw, 3, 4, 2, zero), _norm(4, 1e-3, running_var=1e-3 * positive(draw, 4)),
             picture(draw, 3)),
            (_conv(draw, 2, 4, 1, zero), _norm(4, 0.5), picture(draw, 2)),
        ], driver="normalization.folded"),
        "untouched": Behaviour(lambda draw: [
            (_conv(draw, 3, 4, 3, draw.normal(4)), _drawn(draw, 4), picture(draw, 3)),
            (_conv(draw, 3, 4, 2), _drawn(draw, 4), picture(draw, 3)),
        ], driver="normalization.layers_after_folding"),
        "refuses": Behaviour(lambda draw: [
            (_conv(draw, 3, 4, 3, zero), _drawn(draw, 4), picture(draw, 3), {"training": True}),
        ], driver="normalization.folded"),
    }, FOLD_CONV_BN)
