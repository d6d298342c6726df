"""Batch norm gone wrong: ways to make the forward pass differ from the reference."""

import torch

from autograder.references.normalization import functions as right
from autograder.references.normalization.inputs import per_channel


def bent(mean=lambda mean: mean, var=lambda x, axes: x.var(axes, correction=0),
         scale=lambda var, eps: (var + eps).sqrt(), stored=lambda var, count: var * count
         / (count - 1), step=lambda old, new, momentum: (1 - momentum) * old + momentum * new,
         into=lambda old, new: old.copy_(new.detach()), uses_batch=lambda training: training,
         moves=lambda training: training):
    """Batch norm as most people write it, with one or more of its steps replaced."""
    def wrong(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
        count, axes = x.numel() // x.shape[1], (0, *range(2, x.dim()))
        if training and count == 1:
            raise ValueError("one number")
        found = running_mean.clone(), running_var.clone()
        if uses_batch(training):
            found = mean(x.mean(axes)), var(x, axes)
        if moves(training):
            into(running_mean, step(running_mean, x.mean(axes), momentum))
            into(running_var, step(running_var, stored(x.var(axes, correction=0), count), momentum))
        std = scale(found[1], eps)
        normal = (x - per_channel(found[0], x)) / per_channel(std, x)
        out = normal * per_channel(gamma, x) + per_channel(beta, x)
        return out, (normal, 1 / std, gamma, training)
    return wrong


def over(axes):
    """The mean and variance of other axes; what is kept is right."""
    def wrong(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
        out, cache = right.batchnorm_forward(x, gamma, beta, running_mean, running_var, training,
                                            momentum, eps)
        if training:
            dim = axes(x.dim())
            mean, var = x.mean(dim, keepdim=True), x.var(dim, correction=0, keepdim=True)
            out = (x - mean) / (var + eps).sqrt() * per_channel(gamma, x) + per_channel(beta, x)
        return out, cache
    return wrong


def affine(change, when=lambda training: True):
    """Another use of gamma and beta: `change(x_hat, gamma, beta)`."""
    def wrong(x, gamma, beta, *rest, **options):
        out, cache = right.batchnorm_forward(x, gamma, beta, *rest, **options)
        return (change(cache[0], gamma, beta) if when(rest[2]) else out), cache
    return wrong


def called(change):
    """The right function, called with other arguments."""
    def wrong(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
        given = {"x": x, "gamma": gamma, "beta": beta, "running_mean": running_mean,
                 "running_var": running_var, "training": training, "momentum": momentum, "eps": eps}
        return right.batchnorm_forward(**given | change(**given))
    return wrong


def kept(change):
    """The right output, with another cache."""
    def wrong(x, *rest, **options):
        out, cache = right.batchnorm_forward(x, *rest, **options)
        return out, change(out, *cache)
    return wrong


def updated_first(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    """In training mode, normalize with the running statistics, once they have moved."""
    given = gamma, beta, running_mean, running_var
    result = right.batchnorm_forward(x, *given, training, momentum, eps)
    return right.batchnorm_forward(x, *given, False, momentum, eps) if training else result


def overwritten(x, *rest, **options):
    """The right answer, in the caller's x."""
    out, cache = right.batchnorm_forward(x, *rest, **options)
    x.copy_(out.detach())
    return out, cache


def lets_pass(x, gamma, beta, *rest, **options):
    """Give an answer where there is one number per channel."""
    if x.numel() == x.shape[1] and rest[2]:
        out = torch.zeros_like(x) + per_channel(beta, x)
        return out, (torch.zeros_like(x), torch.ones_like(gamma), gamma, True)
    return right.batchnorm_forward(x, gamma, beta, *rest, **options)
