"""Parameters and multiply-adds: known mistakes and hidden tests."""

from autograder.references import Behaviour, Mistake, Task
from autograder.references.convolution import functions as right


def _conv_count(formula):
    """A count for convolutions by `formula(layer, kh, kw)`, right for other layers."""
    def wrong(layer):
        if not hasattr(layer, "kernel_size"):
            return right.count_parameters(layer)
        return formula(layer, *layer.kernel_size)
    return wrong


def _biases(layer):
    return 0 if layer.bias is None else layer.out_channels


COUNT_PARAMETERS = [
    Mistake("the biases are left out",
            "Each output channel has one bias, if the layer has any.",
            lambda layer: layer.weight.numel()),
    Mistake("a bias is counted where there is none",
            "layer.bias is None when the layer was made with bias=False.",
            lambda layer: layer.weight.numel() + len(layer.weight)),
    Mistake("there is a bias for every pair of channels",
            "Each output channel has one bias, whatever the number of input channels.",
            _conv_count(lambda m, kh, kw: m.weight.numel() + _biases(m) * m.in_channels)),
    Mistake("the groups are ignored",
            "With groups, each kernel sees in_channels / groups channels.",
            _conv_count(lambda m, kh, kw: m.in_channels * m.out_channels * kh * kw + _biases(m))),
    Mistake("the kernel is taken to be square",
            "The kernel has kernel_size[0] * kernel_size[1] entries.",
            _conv_count(lambda m, kh, kw: m.weight.numel() // kw * kh + _biases(m))),
    Mistake("the input channels are left out",
            "Each kernel has one slice for each input channel that it sees.",
            _conv_count(lambda m, kh, kw: m.out_channels * kh * kw + _biases(m))),
]


def _macs(formula):
    """A count for convolutions by `formula(layer, positions)`, right for other layers."""
    def wrong(layer, output_size=None):
        if not hasattr(layer, "kernel_size"):
            return right.count_macs(layer)
        return formula(layer, output_size[0] * output_size[1])
    return wrong


COUNT_MACS = [
    Mistake("positions of the input are counted, not of the output",
            "A kernel is applied once for each output position; with stride 2 there are about a "
            "quarter as many as input positions.",
            _macs(lambda m, positions: m.weight.numel() * positions
                  * m.stride[0] * m.stride[1])),
    Mistake("multiplications and additions are counted separately",
            "One multiply-add counts once.",
            _macs(lambda m, positions: 2 * m.weight.numel() * positions)),
    Mistake("the biases are counted",
            "A bias is added, not multiplied: it is no multiply-add.",
            _macs(lambda m, positions: (m.weight.numel() + _biases(m)) * positions)),
    Mistake("the positions are left out",
            "Each weight is used once for each output position.",
            _macs(lambda m, positions: m.weight.numel())),
    Mistake("the groups are ignored",
            "With groups, each kernel sees in_channels / groups channels.",
            _macs(lambda m, positions: m.weight.numel() * m.groups * positions)),
    Mistake("the kernel is taken to be square",
            "The kernel has kernel_size[0] * kernel_size[1] entries.",
            _macs(lambda m, positions: m.weight.numel() // m.kernel_size[1]
                  * m.kernel_size[0] * positions)),
]


def _layer(kind, *output_size, **options):
    """A layer for the driver to build, and the size of what it puts out."""
    return ((kind, options), *output_size)


def count_parameters():
    """Tests of a layer's number of parameters."""
    return Task(right.count_parameters, {
        "conv": Behaviour(lambda draw: [
            _layer("Conv2d", in_channels=3, out_channels=2, kernel_size=3),
            _layer("Conv2d", in_channels=4, out_channels=7, kernel_size=(3, 5), bias=False),
            _layer("Linear", in_features=20, out_features=6),
        ], driver="convolution.layer"),
        "groups": Behaviour(lambda draw: [
            _layer("Conv2d", in_channels=8, out_channels=12, kernel_size=3, groups=4),
            _layer("Conv2d", in_channels=6, out_channels=6, kernel_size=(5, 3), groups=6,
                   bias=False),
        ], driver="convolution.layer"),
    }, COUNT_PARAMETERS)


def count_macs():
    """Tests of a layer's number of multiply-adds."""
    return Task(right.count_macs, {
        "conv": Behaviour(lambda draw: [
            _layer("Conv2d", (14, 14), in_channels=1, out_channels=4, kernel_size=3, stride=2),
            _layer("Conv2d", (7, 5), in_channels=4, out_channels=9, kernel_size=(3, 5), stride=2),
            _layer("Conv2d", (6, 9), in_channels=3, out_channels=8, kernel_size=1, bias=False),
        ], driver="convolution.layer"),
        "other_layers": Behaviour(lambda draw: [
            _layer("Conv2d", (5, 7), in_channels=8, out_channels=12, kernel_size=3, groups=4),
            _layer("Linear", in_features=20, out_features=6),
        ], driver="convolution.layer"),
    }, COUNT_MACS)
