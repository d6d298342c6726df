"""Batch norm as a module: known mistakes and hidden tests."""

import torch
from torch import nn

from autograder.references import Behaviour, Mistake, Task
from autograder.references.normalization import functions as right
from autograder.references.normalization.bends import bent
from autograder.references.normalization.inputs import (
    channelwise,
    per_channel,
    picture,
    positive,
    unit_planes,
)

STATISTICS = "running_mean", "running_var", "num_batches_tracked"


def _built(change):
    """The class, whose modules `change` alters as soon as they are made."""
    class BatchNorm2d(right.BatchNorm2d):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            change(self)
    return BatchNorm2d


def _running(norm=right.batchnorm_forward, mode=lambda module: module.training,
             counts=lambda module: module.training, share=lambda module, count: 1 / max(count, 1),
             bend=lambda module, x, out: out):
    """The class, with one or more steps of its forward pass replaced."""
    class BatchNorm2d(right.BatchNorm2d):
        def forward(self, x):
            if counts(self):
                self.num_batches_tracked += 1
            share_ = self.momentum
            if share_ is None:
                share_ = share(self, int(self.num_batches_tracked))
            out = norm(x, self.weight, self.bias, self.running_mean, self.running_var, mode(self),
                       share_, self.eps)[0]
            return bend(self, x, out)
    return BatchNorm2d


def _unregistered(module):
    for name in STATISTICS:
        value = getattr(module, name)
        delattr(module, name)
        setattr(module, name, value)


def _as_parameters(module):
    for name in STATISTICS[:2]:
        value = getattr(module, name)
        delattr(module, name)
        setattr(module, name, nn.Parameter(value, requires_grad=False))


def _as_buffers(module):
    for name in ("weight", "bias"):
        value = getattr(module, name).data
        delattr(module, name)
        module.register_buffer(name, value)


def _with_axes(module):
    for name in ("running_mean", "running_var"):
        setattr(module, name, getattr(module, name).view(1, -1, 1, 1))


class Renamed(right.BatchNorm2d):
    """Its parameters are called gamma and beta."""

    def state_dict(self, *args, **options):
        """Return the state under the other names."""
        names = {"weight": "gamma", "bias": "beta"}
        return {names.get(name, name): value
                for name, value in super().state_dict(*args, **options).items()}


def _fixed(**options):
    """The class, which takes no notice of some options."""
    return _built(lambda module: [setattr(module, *item) for item in options.items()])


BATCH_NORM_2D = [
    Mistake("the running statistics are not part of the state",
            "Neither saved nor moved with the module: use self.register_buffer(name, tensor).",
            _built(_unregistered)),
    Mistake("batches are not counted in the state",
            "torch's state has num_batches_tracked, too: a buffer that holds the int 0.",
            _built(lambda module: delattr(module, "num_batches_tracked") or setattr(
                module, "num_batches_tracked", 0))),
    Mistake("the parameters are called gamma and beta",
            "torch calls them weight and bias.",
            Renamed),
    Mistake("the running statistics have axes of size 1",
            "In torch's state their shape is (C,).",
            _built(_with_axes)),
    Mistake("the running variance begins at 0",
            "It begins at 1, and the running mean at 0: an untrained module changes nothing then.",
            _built(lambda module: module.running_var.zero_())),
    Mistake("weight begins with random numbers",
            "It begins at 1, and bias at 0.",
            _built(lambda module: module.weight.data.copy_(torch.arange(len(module.weight))))),
    Mistake("the running statistics are parameters",
            "No gradient moves them: they are buffers.",
            _built(_as_parameters)),
    Mistake("weight and bias are buffers",
            "They are learned: nn.Parameter(...).",
            _built(_as_buffers)),
    Mistake("evaluation is treated as training",
            "Pass self.training on.",
            _running(mode=lambda module: True)),
    Mistake("whether gradients are on decides the mode",
            "A module is trained under no_grad, or tested with gradients: use self.training.",
            _running(mode=lambda module: torch.is_grad_enabled())),
    Mistake("the batch's statistics are used in evaluation",
            "After eval(), use the running statistics.",
            _running(norm=bent(uses_batch=lambda training: True))),
    Mistake("batches are not counted",
            "Add 1 to num_batches_tracked with each batch in training mode.",
            _running(counts=lambda module: False, share=lambda module, count: 1.0)),
    Mistake("batches in evaluation are counted",
            "Only batches in training mode count.",
            _running(counts=lambda module: True)),
    Mistake("momentum=None is treated as 0.1",
            "With None, the n-th batch has the share 1 / n.",
            _running(share=lambda module, count: 0.1)),
    Mistake("with momentum=None, the first batch has the share 1 / 2",
            "Count the batch first: the n-th has the share 1 / n.",
            _running(share=lambda module, count: 1 / (count + 1))),
    Mistake("with momentum=None, the last batch replaces the others",
            "The n-th batch has the share 1 / n, so that all n weigh the same.",
            _running(share=lambda module, count: 1.0)),
    Mistake("the argument eps is not used",
            "Keep it: self.eps = eps.",
            _fixed(eps=1e-5)),
    Mistake("the argument momentum is not used",
            "Keep it: self.momentum = momentum.",
            _fixed(momentum=0.1)),
    Mistake("weight and bias change nothing",
            "Pass them on as gamma and beta.",
            _running(bend=lambda module, x, out: (
                out - per_channel(module.bias, x)) / per_channel(module.weight, x))),
    Mistake("no gradient reaches x, weight and bias",
            "Only the running statistics are moved under no_grad.",
            _running(bend=lambda module, x, out: out.detach())),
    Mistake("no gradient flows through the mean and the variance",
            "The batch's mean and variance are functions of x: do not detach them.",
            _running(norm=bent(mean=torch.detach,
                               var=lambda x, axes: x.detach().var(axes, correction=0)))),
    Mistake("the variance that divides x is the unbiased one",
            "Divide by n here: correction=0. Only the running variance takes n - 1.",
            _running(norm=bent(var=lambda x, axes: x.var(axes)))),
    Mistake("the running variance takes the biased variance",
            "It estimates that of all data: times n / (n - 1).",
            _running(norm=bent(stored=lambda var, count: var))),
    Mistake("momentum weighs the old value",
            "Here, as in torch, momentum is the share of the new one.",
            _running(norm=lambda *given: right.batchnorm_forward(
                *given[:6], 1 - given[6], given[7]))),
]


def _small(draw, *steps, channels=3):
    """Steps of the given modes, each with a small batch of its own, of another shape."""
    shapes = (4, channels, 5, 7), (2, channels, 3, 4), (3, channels, 4, 2)
    return tuple((mode, picture(draw, *shape))
                 for mode, shape in zip(steps, shapes, strict=False))


def _wide(draw, *steps, channels=3):
    """The same with wide batches: n or n - 1, and means over other axes, make no difference.

    Two of the tests tell those apart with small batches, so that a slip of the forward pass, which
    has tests of its own, does not cost all of the module's points.
    """
    shapes = (2, channels, 60, 90), (3, channels, 50, 80), (1, channels, 90, 120)
    return tuple((mode, channelwise(draw, unit_planes(draw, *shape)))
                 for mode, shape in zip(steps, shapes, strict=False))


def BatchNorm2d():  # noqa: N802
    """Tests of the module."""
    own = "normalization."

    def loaded(draw, channels):
        return (("weight", draw.normal(channels)), ("bias", draw.normal(channels)),
                ("running_mean", draw.normal(channels)),
                ("running_var", positive(draw, channels)),
                ("num_batches_tracked", torch.tensor(7)))

    return Task(right.BatchNorm2d, {
        "state": Behaviour(lambda draw: [(3,), (5,)], driver=own + "state"),
        "parameters": Behaviour(lambda draw: [(3,), (4,)], driver=own + "parameters"),
        "loads": Behaviour(lambda draw: [
            (c, {"state": loaded(draw, c), "steps": _wide(draw, "eval", "eval", channels=c)})
            for c in (3, 4)], driver=own + "outputs"),
        "train": Behaviour(lambda draw: [
            (3, {"steps": _small(draw, "train", "train")}),
            (4, {"eps": 0.5, "steps": _small(draw, "train", channels=4)}),
        ], driver=own + "outputs"),
        "running": Behaviour(lambda draw: [
            (3, {"steps": _small(draw, "train", "train", "eval")}),
            (2, {"momentum": 0.3, "steps": _small(draw, "eval", "train", channels=2)}),
        ], driver=own + "statistics"),
        "cumulative": Behaviour(lambda draw: [
            (3, {"momentum": None, "steps": _wide(draw, "train", "train", "train")}),
            (2, {"momentum": None, "steps": _wide(draw, "train", "train", channels=2)}),
        ], driver=own + "statistics"),
        "eval": Behaviour(lambda draw: [
            (3, {"momentum": 0.5, "steps": _wide(draw, "train", "train", "eval")}),
            (2, {"momentum": 0.5, "steps": (*_wide(draw, "train", channels=2),
                                            ("eval", draw.normal(1, 2, 1, 1)))}),
        ], driver=own + "outputs_in_evaluation"),
        "modes": Behaviour(lambda draw: [
            (3, {"steps": (("train and eval", picture(draw, 4, 3, 5, 6)),)}),
        ], driver=own + "modes"),
        "gradient": Behaviour(lambda draw: [
            (3, {"steps": (("train", channelwise(draw, unit_planes(draw, 2, 3, 70, 80))),)}),
        ], driver=own + "module_gradients"),
    }, BATCH_NORM_2D)
