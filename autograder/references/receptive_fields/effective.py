"""The effective receptive field: known mistakes and hidden tests."""

import math

import torch

from autograder.references import Behaviour, Mistake, Task
from autograder.references.receptive_fields import functions as right


def _shared(share, mass=lambda given: given):
    """The side measured on another share of the pixels, or for another mass."""
    def wrong(module, x, mass_=0.95):
        return right.side(share(module, x), mass(mass_))
    return lambda module, x, mass=0.95: wrong(module, x, mass)


def _middle(x):
    return x.shape[2] // 2, x.shape[3] // 2


def _normal(share):
    return share / share.sum()


def _squared(module, x):
    """Squared gradients."""
    return _normal((right.input_gradient(module, x, _middle(x)) ** 2).sum(dim=(0, 1)))


def _signed(module, x):
    """Samples and channels added before the sign is taken away."""
    return _normal(right.input_gradient(module, x, _middle(x)).sum(dim=(0, 1)).abs())


def _first_sample(module, x):
    """The first picture alone."""
    return right.shares(module, x[:1])


def _corner(module, x):
    """The unit at (0, 0)."""
    return _normal(right.input_gradient(module, x, (0, 0)).abs().sum(dim=(0, 1)))


def _profile(module, x, mass=0.95):
    """The middle row by itself."""
    row = right.shares(module, x)[x.shape[2] // 2]
    return right.side(_normal(torch.diag(row)), mass)


def _every_unit(module, x):
    """The gradient of all output units."""
    x = x.clone().requires_grad_()
    return _normal(torch.autograd.grad(module(x).sum(), x)[0].abs().sum(dim=(0, 1)))


def _strongest(module, x, mass=0.95):
    """The side of a square as large as the strongest pixels."""
    held = right.shares(module, x).flatten().sort(descending=True)[0].cumsum(0)
    return math.ceil(math.sqrt(int((held < mass).sum()) + 1))


EFFECTIVE_RF = [
    Mistake("the strongest pixels are counted, wherever they lie",
            "Grow a square around the middle pixel: its side is odd.",
            _strongest),
    Mistake("the gradients are squared",
            "Add absolute values: squares make the middle weigh more.",
            _shared(_squared)),
    Mistake("pictures and channels are added before the absolute value",
            "Gradients of either sign would cancel: abs() first, then the sum.",
            _shared(_signed)),
    Mistake("only the first picture is used",
            "Add the absolute gradients of all pictures of x.",
            _shared(_first_sample)),
    Mistake("the mass is always 0.95",
            "Use the argument `mass`.",
            _shared(right.shares, mass=lambda given: 0.95)),
    Mistake("the result is the reach to one side, not the side of the square",
            "From the middle pixel, `reach` pixels to both sides: the side is 2 * reach + 1.",
            lambda module, x, mass=0.95: right.effective_rf(module, x, mass) // 2),
    Mistake("the square is one ring too large",
            "Stop at the first square that holds the mass.",
            lambda module, x, mass=0.95: right.effective_rf(module, x, mass) + 2),
    Mistake("the whole field is measured, not the part that holds the mass",
            "Grow a square from the middle, and stop when it holds `mass` of the sum.",
            _shared(right.shares, mass=lambda given: 1 - 1e-12)),
    Mistake("all output units are measured together",
            "Take the gradient of the middle output unit alone.",
            _shared(_every_unit)),
    Mistake("the unit is in a corner",
            "The middle unit is at (H // 2, W // 2).",
            _shared(_corner)),
    Mistake("only the middle row is measured",
            "The square has rows and columns: add up the gradient inside all of it.",
            _profile),
]


SHARES = tuple(n / 40 for n in range(2, 40))


def _uniform(depth, kernel_size):
    """A stack of layers that take means."""
    weight = torch.full((1, 1, kernel_size, kernel_size), kernel_size ** -2.0, dtype=torch.float64)
    layer = ("Conv2d", {"in_channels": 1, "out_channels": 1, "kernel_size": kernel_size,
                        "padding": kernel_size // 2, "bias": False}, {"weight": weight})
    return (layer,) * depth


def _random(draw, depth, width):
    """A stack of random layers with ReLUs, of He's standard deviation."""
    layers, channels = [], 2
    for _ in range(depth):
        weight = draw.normal(width, channels, 3, 3) * (2 / (9 * channels)) ** 0.5
        layers += [("Conv2d", {"in_channels": channels, "out_channels": width, "kernel_size": 3,
                               "padding": 1, "bias": False}, {"weight": weight}), ("ReLU", {})]
        channels = width
    return tuple(layers[:-1])


def _opposed():
    """Two input channels whose weights cancel everywhere but in the middle."""
    weight = torch.ones(1, 2, 5, 5, dtype=torch.float64)
    weight[0, 1] = -1
    weight[0, 1, 2, 2] = 1
    return (("Conv2d", {"in_channels": 2, "out_channels": 1, "kernel_size": 5, "padding": 2,
                        "bias": False}, {"weight": weight}),)


def _gated():
    """A wide kernel for bright pictures, and one pixel for dark ones."""
    weight = torch.zeros(2, 1, 5, 5, dtype=torch.float64)
    weight[0], weight[1, 0, 2, 2] = 1 / 25, -3
    ones = torch.ones(1, 2, 1, 1, dtype=torch.float64)
    return (("Conv2d", {"in_channels": 1, "out_channels": 2, "kernel_size": 5, "padding": 2,
                        "bias": False}, {"weight": weight}), ("ReLU", {}),
            ("Conv2d", {"in_channels": 2, "out_channels": 1, "kernel_size": 1, "bias": False},
             {"weight": ones}))


def effective_rf():
    """Tests of the effective field."""
    ones = torch.ones(1, 1, 31, 35, dtype=torch.float64)
    return Task(right.effective_rf, {
        "uniform": Behaviour(lambda draw: [
            (_uniform(5, 3), ones), (_uniform(10, 3), ones), (_uniform(4, 5), ones),
            (_uniform(1, 3), ones),
        ], driver="receptive_fields.effective"),
        "mass": Behaviour(lambda draw: [
            (_uniform(10, 3), ones, 0.5), (_uniform(10, 3), ones, 0.8),
            (_uniform(6, 3), ones, 0.999),
        ], driver="receptive_fields.effective"),
        "pictures": Behaviour(lambda draw: [
            (_opposed(), torch.ones(1, 2, 9, 11, dtype=torch.float64)),
            (_gated(), torch.stack([torch.ones(1, 9, 11), -torch.ones(1, 9, 11)]).double(), 0.7),
        ], driver="receptive_fields.effective"),
        "networks": Behaviour(lambda draw: [
            (_random(draw, depth, 4), draw.normal(6, 2, 29, 33), SHARES) for depth in (6, 9, 9, 11)
        ], driver="receptive_fields.effective_shares"),
    }, EFFECTIVE_RF)
