"""Slow, obvious references for the normalization assignment.

Each set of numbers that share a mean is visited by a loop, and standardized by itself; the backward
pass is left to autograd. So nothing here is what students write.
"""

import copy
import inspect

import torch
from torch import nn


def called_with(signature):
    """Mark what a hidden test is called with, for messages, where its driver takes more."""
    def mark(thing):
        thing.__signature__ = inspect.signature(signature)
        return thing
    return mark


AXES = {"batch": lambda ndim: (0, *range(2, ndim)), "layer": lambda ndim: tuple(range(1, ndim)),
        "instance": lambda ndim: tuple(range(2, ndim)),
        "group": lambda ndim: tuple(range(2, ndim + 1))}


def which_axes(kind, ndim):
    """The axes of (N, C, ...), with `ndim` axes in all, over which a kind of norm takes its mean.

    `kind` is "batch", "layer", "instance" or "group"; the last counts the axes of the tensor once
    it is reshaped to (N, groups, C // groups, ...). Raises ValueError for another kind, and where
    a mean would be that of one number, whatever the sizes are.
    """
    if kind not in AXES or ndim < (3 if kind == "instance" else 2):
        raise ValueError(f"no axes for {kind!r} with {ndim} axes")
    return AXES[kind](ndim)


def moments(values):
    """The mean and the biased variance of all numbers in a tensor."""
    mean = values.sum() / values.numel()
    return mean, ((values - mean) ** 2).sum() / values.numel()


def standardized(values, eps):
    """All numbers of a tensor less their mean, over sqrt(variance + eps)."""
    mean, var = moments(values)
    return (values - mean) / (var + eps).sqrt()


def batchnorm_forward(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    """Batch norm of `x`, (N, C) or (N, C, H, W), with statistics of shape (C,).

    Returns the output and (x_hat, inv_std, gamma, training). In training mode, the two running
    statistics move in place. Raises ValueError there if a channel has one number only.
    """
    count = x.numel() // x.shape[1]
    if training and count == 1:
        raise ValueError("a channel with one number has no variance")
    x_hat, inv_std = [], []
    for c in range(x.shape[1]):
        mean, var = running_mean[c].clone(), running_var[c].clone()
        if training:
            mean, var = moments(x[:, c])
            with torch.no_grad():
                running_mean[c] += momentum * (mean - running_mean[c])
                running_var[c] += momentum * (var * count / (count - 1) - running_var[c])
        inv_std.append(1 / (var + eps).sqrt())
        x_hat.append((x[:, c] - mean) * inv_std[c])
    out = torch.stack([gamma[c] * x_hat[c] + beta[c] for c in range(x.shape[1])], dim=1)
    return out, (torch.stack(x_hat, dim=1), torch.stack(inv_std), gamma, training)


def batchnorm_backward(grad_output, cache):
    """The gradients by x, gamma and beta, from what the forward pass kept.

    An x that gives this x_hat is made up first: adding the same number to a whole channel, or
    stretching it, makes no difference once inv_std is given.
    """
    x_hat, inv_std, gamma, training = cache
    grads = []
    for c in range(x_hat.shape[1]):
        x = (x_hat[:, c] / inv_std[c]).requires_grad_()
        g, b = gamma[c].clone().requires_grad_(), torch.zeros_like(gamma[c], requires_grad=True)
        if training:
            eps = 1 / inv_std[c] ** 2 - moments(x.detach())[1]
            out = standardized(x, eps) * g + b
        else:
            out = x * inv_std[c] * g + b
        grads.append(torch.autograd.grad(out, (x, g, b), grad_output[:, c]))
    by_x, by_gamma, by_beta = zip(*grads, strict=True)
    return torch.stack(by_x, dim=1), torch.stack(by_gamma), torch.stack(by_beta)


@called_with(lambda num_features, eps=1e-5, momentum=0.1, state=None, steps=(): None)
class BatchNorm2d(nn.Module):
    """Batch norm of pictures (N, C, H, W), with the state of torch's own.

    With ``momentum=None`` the running statistics are plain means over all batches so far.
    """

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x):
        """Return the output, of the shape of `x`; the mode is that of the module."""
        if self.training:
            self.num_batches_tracked += 1
        count = max(int(self.num_batches_tracked), 1)
        momentum = 1 / count if self.momentum is None else self.momentum
        return batchnorm_forward(x, self.weight, self.bias, self.running_mean, self.running_var,
                                 self.training, momentum, self.eps)[0]


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Standardize each block of shape `normalized_shape`, an int or a tuple, at the end of `x`."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if tuple(x.shape[-len(shape):]) != shape:
        raise ValueError(f"x of shape {tuple(x.shape)} does not end in {shape}")
    blocks = [standardized(block, eps) for block in x.reshape(-1, *shape)]
    blocks = [block if weight is None else block * weight for block in blocks]
    return torch.stack([b if bias is None else b + bias for b in blocks]).view(x.shape)


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Standardize each group of neighbouring channels of each sample of `x`, (N, C, H, W)."""
    if x.shape[1] % num_groups:
        raise ValueError(f"{x.shape[1]} channels cannot be parted into {num_groups} groups")
    size = x.shape[1] // num_groups
    out = torch.stack([
        torch.cat([standardized(sample[first:first + size], eps)
                   for first in range(0, x.shape[1], size)]) for sample in x])
    for c in range(x.shape[1]):
        out[:, c] = out[:, c] * (1 if weight is None else weight[c]) + (
            0 if bias is None else bias[c])
    return out


def instance_norm(x, eps=1e-5):
    """Standardize each channel of each sample of `x`, (N, C, H, W)."""
    if x.shape[2:].numel() == 1:
        raise ValueError("a plane of one pixel has no variance")
    return torch.stack([torch.stack([standardized(plane, eps) for plane in sample])
                        for sample in x])


def weight_norm(v, g):
    """The weights of length `g`, (O,), in the directions `v`, (O, ...)."""
    return torch.stack([length * part / (part * part).sum().sqrt()
                        for part, length in zip(v, g, strict=True)])


@called_with(lambda conv, bn, x, training=False: None)
def fold_conv_bn(conv, bn):
    """One nn.Conv2d that does what `conv` and then `bn`, in evaluation mode, do.

    Raises ValueError if `bn` is in training mode: what it does depends on the batch then.
    """
    if bn.training:
        raise ValueError("batch norm in training mode cannot be folded")
    folded = copy.deepcopy(conv)
    folded.bias = nn.Parameter(torch.zeros_like(bn.bias))
    with torch.no_grad():
        for c in range(bn.num_features):
            scale = bn.weight[c] / (bn.running_var[c] + bn.eps).sqrt()
            without = 0 if conv.bias is None else conv.bias[c]
            folded.weight[c] = scale * conv.weight[c]
            folded.bias[c] = scale * (without - bn.running_mean[c]) + bn.bias[c]
    return folded


class Frozen(nn.Module):
    """A batch norm that stays in evaluation mode."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm.eval().requires_grad_(False)

    def train(self, mode=True):
        """Leave the mode as it is."""
        return self

    def forward(self, x):
        """Return the output of the batch norm with its running statistics."""
        return self.norm(x)


@called_with(lambda model, x=None, modes_set_after=(): None)
def freeze_bn(model):
    """Freeze each nn.BatchNorm1d and nn.BatchNorm2d inside `model`, for good; return `model`."""
    for part in list(model.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                setattr(part, name, Frozen(child))
    return model
