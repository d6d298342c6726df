"""The forward pass of batch norm: known mistakes and hidden tests."""

import torch

from autograder.references import Behaviour, Mistake, Task
from autograder.references.normalization import functions as right
from autograder.references.normalization.bends import (
    affine,
    bent,
    called,
    kept,
    lets_pass,
    over,
    overwritten,
    updated_first,
)
from autograder.references.normalization.inputs import (
    balanced,
    channelwise,
    per_channel,
    picture,
    positive,
    unit_planes,
)

BATCHNORM_FORWARD = [
    Mistake("each row is normalized by itself",
            "Axis -1 is not the batch: take the mean over the samples and all pixels of a channel.",
            over(lambda ndim: (-1,))),
    Mistake("each sample is normalized by itself",
            "That is layer norm: take the mean of each channel over all samples.",
            over(lambda ndim: tuple(range(1, ndim)))),
    Mistake("each picture's channels are normalized by themselves",
            "That is instance norm: the mean of a channel goes over the samples, too.",
            over(lambda ndim: tuple(range(2, ndim)) or (0,))),
    Mistake("each pixel has a mean of its own",
            "With pictures, a channel's mean goes over its rows and columns, too.",
            over(lambda ndim: (0,))),
    Mistake("all channels share one mean",
            "Each channel has its own mean: leave out axis 1.",
            over(lambda ndim: tuple(range(ndim)))),
    Mistake("eps is added to the standard deviation",
            "It belongs under the root: sqrt(var + eps).",
            bent(scale=lambda var, eps: var.sqrt() + eps)),
    Mistake("eps is left out",
            "Without it, a channel without variance is divided by 0: sqrt(var + eps).",
            bent(scale=lambda var, eps: var.sqrt())),
    Mistake("eps is always 1e-5",
            "Use the argument `eps`.",
            called(lambda **given: {"eps": 1e-5})),
    Mistake("x is divided by the variance",
            "Divide by its root: sqrt(var + eps).",
            bent(scale=lambda var, eps: var + eps)),
    Mistake("the variance that divides x is the unbiased one",
            "Divide by n here: correction=0. Only the running variance takes n - 1.",
            bent(var=lambda x, axes: x.var(axes))),
    Mistake("the variance is the mean of squares less the square of the mean",
            "In float32, with a mean of 10000, both are near 10**8 and little is left of the "
            "difference: take the mean of (x - mean)**2.",
            bent(var=lambda x, axes: (x * x).mean(axes) - x.mean(axes) ** 2)),
    Mistake("momentum weighs the old value",
            "Here, as in torch, momentum is the share of the new one: "
            "(1 - momentum) * old + momentum * new.",
            called(lambda momentum, **given: {"momentum": 1 - momentum})),
    Mistake("momentum is always 0.1",
            "Use the argument `momentum`.",
            called(lambda **given: {"momentum": 0.1})),
    Mistake("the running statistics that came in do not change",
            "`running_mean = ...` gives a name to another tensor: write into the one you got, with "
            "copy_, mul_ or add_.",
            bent(moves=lambda training: False)),
    Mistake("the running variance takes the biased variance",
            "It estimates that of all data: times n / (n - 1).",
            bent(stored=lambda var, count: var)),
    Mistake("the running variance takes the standard deviation",
            "running_var holds variances.",
            bent(stored=lambda var, count: (var * count / (count - 1)).sqrt())),
    Mistake("the running statistics take the batch's, whole",
            "They move by a share: (1 - momentum) * old + momentum * new.",
            bent(step=lambda old, new, momentum: new)),
    Mistake("the new statistics are added without making the old ones smaller",
            "The two shares add up to 1: (1 - momentum) * old + momentum * new.",
            bent(step=lambda old, new, momentum: old + momentum * new)),
    Mistake("the running statistics move in evaluation, too",
            "Only training may change them.",
            bent(moves=lambda training: True)),
    Mistake("the batch's statistics are used in evaluation",
            "With training=False, use running_mean and running_var.",
            bent(uses_batch=lambda training: True)),
    Mistake("the argument training is not looked at",
            "It alone decides the mode: not whether gradients are on.",
            bent(uses_batch=lambda training: True, moves=lambda training: True)),
    Mistake("the running statistics are used in training",
            "With training=True, normalize with the batch's own mean and variance.",
            updated_first),
    Mistake("gamma and beta lie along the width",
            "They belong to channels: give them the shape (1, C, 1, 1) first.",
            affine(lambda x_hat, gamma, beta: x_hat * gamma + beta)),
    Mistake("gamma and beta are swapped",
            "gamma stretches, beta shifts: gamma * x_hat + beta.",
            called(lambda gamma, beta, **given: {"gamma": beta, "beta": gamma})),
    Mistake("gamma is left out",
            "The output is gamma * x_hat + beta.",
            affine(lambda x_hat, gamma, beta: x_hat + per_channel(beta, x_hat))),
    Mistake("beta is left out",
            "The output is gamma * x_hat + beta.",
            affine(lambda x_hat, gamma, beta: x_hat * per_channel(gamma, x_hat))),
    Mistake("gamma and beta are left out",
            "The output is gamma * x_hat + beta.",
            affine(lambda x_hat, gamma, beta: x_hat)),
    Mistake("gamma and beta are left out in evaluation",
            "The output is gamma * x_hat + beta in both modes.",
            affine(lambda x_hat, gamma, beta: x_hat, when=lambda training: not training)),
    Mistake("no gradient flows through the mean and the variance",
            "Both are functions of x: neither detach them, nor take them under no_grad. Only the "
            "running statistics are cut off.",
            bent(mean=torch.detach, var=lambda x, axes: x.detach().var(axes, correction=0))),
    Mistake("no gradient flows through the variance",
            "The variance is a function of x, too.",
            bent(var=lambda x, axes: x.detach().var(axes, correction=0))),
    Mistake("the running statistics stay part of the graph",
            "Move them under torch.no_grad(), or with detached numbers: they would hold every "
            "batch's graph.",
            bent(into=lambda old, new: old.copy_(new))),
    Mistake("x is overwritten",
            "x belongs to the caller: x -= mean changes it, x - mean does not.",
            overwritten),
    Mistake("the cache holds the standard deviation",
            "inv_std is 1 / sqrt(var + eps).",
            kept(lambda out, x_hat, inv_std, *rest: (x_hat, 1 / inv_std, *rest))),
    Mistake("the cache holds the output",
            "x_hat is what gamma and beta have not touched yet.",
            kept(lambda out, x_hat, *rest: (out, *rest))),
    Mistake("the cache holds x less its mean",
            "x_hat is divided by sqrt(var + eps), too.",
            kept(lambda out, x_hat, inv_std, *rest: (
                x_hat / per_channel(inv_std, x_hat), inv_std, *rest))),
    Mistake("inv_std in the cache keeps axes of size 1",
            "Its shape is (C,).",
            kept(lambda out, x_hat, inv_std, *rest: (x_hat, per_channel(inv_std, x_hat), *rest))),
    Mistake("one number per channel is given an answer in training",
            "Its variance is 0, and the output beta whatever it was: raise a ValueError.",
            lets_pass),
]


def _plain(x):
    """x with gamma 1, beta 0 and untouched statistics, to train on.

    Most pictures fed in this way are as wide as they have channels: there a gamma along the width
    does no harm, and costs a student the tests of gamma alone.
    """
    one = torch.ones(x.shape[1], dtype=x.dtype)
    return x, one, 0 * one, 0 * one, one.clone(), True


def _single(values):
    """One number per channel in evaluation, equal to its running mean: the output is beta."""
    one = torch.ones_like(values)
    return values.view(1, -1, 1, 1), one, 2 * one, values.clone(), one.clone(), False


def _drawn(draw, x, training):
    """x with everything else drawn."""
    c = x.shape[1]
    return x, draw.normal(c), draw.normal(c), draw.normal(c), positive(draw, c), training


def _moving(draw):
    """Batches with statistics that are on their way, with several momenta."""
    given = [_plain(picture(draw, *shape))[:3] + (draw.normal(3), positive(draw, 3), True)
             for shape in ((4, 3, 2, 3), (5, 3), (1, 3, 4, 3), (2, 3, 1, 3))]
    options = {}, {"momentum": 0.3}, {"momentum": 0.0}, {"momentum": 1.0}
    return [(*case, option) for case, option in zip(given, options, strict=True)]


def batchnorm_forward():
    """Tests of the forward pass."""
    shapes = (4, 3, 5, 7), (2, 5, 3, 3), (8, 2, 1, 1), (3, 4, 2, 4), (1, 3, 6, 4)
    own = "normalization."
    return Task(right.batchnorm_forward, {
        "normalize": Behaviour(lambda draw: [_plain(picture(draw, *s)) for s in shapes],
                               driver=own + "output_and_input"),
        "vectors": Behaviour(lambda draw: [
            _plain(picture(draw, *s)) for s in ((5, 3), (2, 4), (3, 3))], driver=own + "output"),
        "affine": Behaviour(lambda draw: [
            (*_drawn(draw, unit_planes(draw, *shape), True)[:3], torch.zeros(shape[1]).double(),
             torch.ones(shape[1]).double(), training)
            for shape, training in (((2, 3, 70, 80), True), ((3, 4, 900, 4), True),
                                    ((2, 3, 70, 80), False), ((3, 4, 900, 4), False))
        ], driver=own + "output"),
        "epsilon": Behaviour(lambda draw: [
            (*_plain(unit_planes(draw, 3, 2, 1500, 2) * 1e-3), {"eps": 1e-3}),
            (*_plain(unit_planes(draw, 2, 3, 1500, 3) * 0.7 + 2), {"eps": 0.5}),
        ], driver=own + "output"),
        "numbers": Behaviour(lambda draw: [
            _plain(torch.full((2, 3, 2, 3), 3.0, dtype=torch.float64)),
            _plain(balanced(draw, 2, 4, 150, 4) + 10_000),
        ], driver=own + "output", tolerance=1e-3),  # float32, and n or n - 1 is for other tests
        "running_mean": Behaviour(_moving, driver=own + "running_mean"),
        "running_var": Behaviour(_moving, driver=own + "running_var"),
        "eval": Behaviour(lambda draw: [
            _plain(picture(draw, *shape))[:3] + (draw.normal(shape[1]), positive(draw, shape[1]),
                                                 False)
            for shape in ((4, 3, 5, 3), (6, 2), (2, 4, 3, 4))
        ], driver=own + "evaluation"),
        "gradient": Behaviour(lambda draw: [
            _plain(channelwise(draw, unit_planes(draw, *shape)))
            for shape in ((2, 3, 70, 80), (3, 2, 60, 60))
        ], driver=own + "forward_gradients"),
        "cache": Behaviour(lambda draw: [
            _drawn(draw, channelwise(draw, unit_planes(draw, *shape)), training)
            for shape, training in (((2, 3, 1800, 3), True), ((2, 4, 3, 4), False))
        ], driver=own + "cache"),
        "refuses": Behaviour(lambda draw: [
            _plain(draw.normal(1, 3, 1, 1)), _plain(draw.normal(1, 4)), _single(draw.normal(1)),
        ], driver=own + "output"),
    }, BATCHNORM_FORWARD)
