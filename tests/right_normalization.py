"""Right answers to the normalization assignment in styles that the solution does not use.

Each must get full marks: the hidden tests may not depend on how a function is written.
"""

import copy
import math

import numpy as np
import torch
from torch import nn


def axes_by_names(kind, ndim):
    """Cross out names, and count from the end."""
    names = ["N", "C", *"DHWXYZ"[:ndim - 2]]
    if kind == "group":
        names[1:2] = ["G", "C"]
    kept = {"batch": "C", "layer": "N", "instance": "NC", "group": "NG"}
    if kind not in kept or ndim < 2 or set(names) <= set(kept[kind]):
        raise ValueError(kind)
    return [i - len(names) for i, name in enumerate(names) if name not in kept[kind]]


def axes_by_cases(kind, ndim):
    """One branch for each kind."""
    match kind:
        case "batch" if ndim >= 2:
            return {0} | set(range(2, ndim))
        case "layer" if ndim >= 2:
            return range(1, ndim)
        case "instance" if ndim >= 3:
            return range(2, ndim)
        case "group" if ndim >= 2:
            return range(2, ndim + 1)
    raise ValueError(kind)


def forward_on_rows(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    """One row per channel, torch.var_mean and lerp_."""
    rows = x.transpose(0, 1).flatten(1)
    if training and rows.shape[1] < 2:
        raise ValueError("too few")
    var, mean = running_var[:, None], running_mean[:, None]
    if training:
        var, mean = torch.var_mean(rows, 1, correction=0, keepdim=True)
        running_mean.lerp_(mean.detach().flatten(), momentum)
        running_var.lerp_(rows.detach().var(1), momentum)
    inv_std = torch.rsqrt(var + eps)
    back = (rows - mean) * inv_std
    swapped = x.transpose(0, 1).shape
    out = torch.addcmul(beta[:, None], gamma[:, None], back)
    return out.view(swapped).transpose(0, 1), [
        back.view(swapped).transpose(0, 1), inv_std.flatten(), gamma, training]


def forward_by_welford(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    """Merge count, mean and sum of squares sample by sample."""
    x_ = x.reshape(*x.shape[:2], -1)
    count, mean, square = 0, torch.zeros_like(gamma), torch.zeros_like(gamma)
    if training:
        for sample in x_:
            n, delta = sample.shape[1], sample.mean(1) - mean
            square = square + ((sample - sample.mean(1, keepdim=True)) ** 2).sum(1)
            square = square + delta ** 2 * (count * n / (count + n))
            count, mean = count + n, mean + delta * n / (count + n)
        if count == 1:
            raise ValueError("one")
        var = square / count
        running_mean += momentum * (mean.detach() - running_mean)
        running_var -= momentum * (running_var - (square / (count - 1)).detach())
    else:
        mean, var = running_mean.clone(), running_var.clone()
    inv_std = (var + eps) ** -0.5
    x_hat = torch.einsum("ncp,c->ncp", x_ - mean[:, None], inv_std)
    out = torch.einsum("ncp,c->ncp", x_hat, gamma) + beta[:, None]
    return out.view(x.shape), (x_hat.view(x.shape), inv_std, gamma, training)


def forward_in_float32(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    """Compute in single precision, whatever came in."""
    result, kept = forward_on_rows(*(t.float() for t in (x, gamma, beta)),
                                   *(mine := [running_mean.float(), running_var.float()]),
                                   training, momentum, eps)
    running_mean.copy_(mine[0])
    running_var.copy_(mine[1])
    return result.to(x.dtype), tuple(kept)


def backward_by_matrix(grad_output, cache):
    """The whole Jacobian of each channel: gamma / std * (I - 1/n - x_hat x_hat^T / n)."""
    x_hat, inv_std, gamma, training = (c.numpy() if torch.is_tensor(c) else c for c in cache)
    columns = np.moveaxis(x_hat, 1, 0).reshape(len(gamma), -1)
    grads = np.moveaxis(grad_output.numpy(), 1, 0).reshape(len(gamma), -1)
    n = columns.shape[1]
    jacobian = np.stack([np.eye(n) - training * (np.ones((n, n)) + np.outer(c, c)) / n
                         for c in columns]) * (gamma * inv_std)[:, None, None]
    by_x = np.einsum("cij,ci->cj", jacobian, grads)
    shape = np.moveaxis(x_hat, 1, 0).shape
    return (torch.from_numpy(np.moveaxis(by_x.reshape(shape), 0, 1).copy()),
            torch.from_numpy((columns * grads).sum(1)), torch.from_numpy(grads.sum(1)))


def backward_by_stages(grad_output, cache):
    """Back through each step of the forward pass, one at a time."""
    x_hat, inv_std, gamma, training = cache
    dims, shape = [d for d in range(x_hat.dim()) if d != 1], [1, -1] + [1] * (x_hat.dim() - 2)
    n = x_hat.numel() / x_hat.size(1)
    std, centred = 1 / inv_std.view(shape), x_hat / inv_std.view(shape)
    by_hat = grad_output * gamma.view(shape)
    by_centred = by_hat / std
    if training:
        by_std = -(by_hat * centred).sum(dims, keepdim=True) / std ** 2
        by_var = by_std / (2 * std)
        by_centred = by_centred + by_var * 2 * centred / n
        by_centred = by_centred - by_centred.sum(dims, keepdim=True) / n
    return [by_centred, torch.einsum("nc...,nc...->c", grad_output, x_hat),
            torch.einsum("nc...->c", grad_output)]


class RebindingNorm(nn.Module):
    """Assign new buffers by name, compute inline, count first."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        for name, fill in (("weight", torch.ones), ("bias", torch.zeros)):
            self.register_parameter(name, nn.Parameter(fill(num_features)))
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.long))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.options = {"eps": eps, "momentum": momentum}

    def forward(self, x):
        """Return the output."""
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
            self.num_batches_tracked = self.num_batches_tracked + 1
            share = self.options["momentum"]
            share = 1 / float(self.num_batches_tracked) if share is None else share
            n = x[:, 0].numel()
            new = var.detach() * n / (n - 1)
            self.running_mean = (1 - share) * self.running_mean + share * mean.detach()
            self.running_var = (1 - share) * self.running_var + share * new
        scale = self.weight / (var + self.options["eps"]).sqrt()
        return x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]


class SummingNorm(RebindingNorm):
    """The same through a function of another style, with running statistics in place."""

    def forward(self, x):
        """Return the output."""
        share = self.options["momentum"]
        if self.training:
            self.num_batches_tracked.add_(1)
            share = share if share is not None else self.num_batches_tracked.double().pow(-1).item()
        return forward_by_welford(x, self.weight, self.bias, self.running_mean, self.running_var,
                                  self.training, share, self.options["eps"])[0]


def layer_flat(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """One row per block, in numpy and single precision."""
    shape = tuple(np.atleast_1d(normalized_shape))
    if x.shape[-len(shape):] != shape:
        raise ValueError(shape)
    rows = x.numpy().reshape(-1, math.prod(shape)).astype(np.float32)
    rows = (rows - rows.mean(1, keepdims=True)) / np.sqrt(rows.var(1, keepdims=True) + eps)
    out = torch.from_numpy(rows).view(x.shape)
    return (out * (weight if weight is not None else 1)) + (bias if bias is not None else 0)


def layer_by_moments(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """A weight and a bias of ones and zeros where none are given, and means of products."""
    shape = torch.Size([normalized_shape] if isinstance(normalized_shape, int)
                       else normalized_shape)
    if list(x.shape)[x.dim() - len(shape):] != list(shape):
        raise ValueError("another shape")
    weight = x.new_ones(shape) if weight is None else weight
    bias = x.new_zeros(shape) if bias is None else bias
    flat = x.flatten(x.dim() - len(shape))
    centred = flat - flat.sum(-1, keepdim=True) / shape.numel()
    power = torch.einsum("...i,...i->...", centred, centred)[..., None] / shape.numel()
    return torch.addcmul(bias, weight, (centred * (power + eps).rsqrt()).view_as(x))


def group_by_loop(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Cut the channels into groups, and put them together again."""
    if divmod(x.shape[1], num_groups)[1] or num_groups > x.shape[1]:
        raise ValueError("cannot be divided")
    parts = [(p - p.mean((1, 2, 3), keepdim=True)) / torch.sqrt(
        p.var((1, 2, 3), unbiased=False, keepdim=True) + eps)
        for p in x.split(x.shape[1] // num_groups, dim=1)]
    out = torch.cat(parts, dim=1).movedim(1, -1)
    out = out if weight is None else out * weight
    return (out if bias is None else out + bias).movedim(-1, 1)


def group_by_layer(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Layer norm of the reshaped tensor, in single precision."""
    if x.shape[1] % num_groups != 0:
        raise ValueError(num_groups)
    parts = x.float().unflatten(1, (num_groups, -1))
    out = layer_by_moments(parts, parts.shape[2:], eps=eps).flatten(1, 2)
    for values, act in ((weight, torch.mul), (bias, torch.add)):
        out = out if values is None else act(out, values.float()[:, None, None])
    return out


def instance_by_groups(x, eps=1e-5):
    """As many groups as channels."""
    if x[0, 0].numel() == 1:
        raise ValueError("one pixel")
    return group_by_loop(x, x.shape[1], eps=eps)


def instance_in_numpy(x, eps=1e-5):
    """Planes as arrays."""
    planes = x.numpy()
    if planes.shape[-2:] == (1, 1):
        raise ValueError("one pixel")
    centred = planes - planes.mean(axis=(2, 3), keepdims=True)
    return torch.tensor(centred / np.sqrt((centred ** 2).mean((2, 3), keepdims=True) + eps))


def weight_by_normalize(v, g):
    """Directions by torch's normalize, along one flattened axis."""
    return (nn.functional.normalize(v.flatten(1)) * g.unsqueeze(1)).view_as(v)


def weight_by_einsum(v, g):
    """Squares by einsum, in single precision."""
    v_, g_ = v.float(), g.float()
    square = torch.einsum("oi,oi->o", v_.reshape(len(v), -1), v_.reshape(len(v), -1))
    return torch.einsum("o,o...->o...", g_ * torch.rsqrt(square), v_).to(v.dtype)


def fold_into_new(conv, bn):
    """A new layer, in single precision, filled in place."""
    if bn.training is True:
        raise ValueError("evaluation mode only")
    one = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride,
                    conv.padding, conv.dilation, conv.groups, bias=True)
    factor = (bn.weight * torch.rsqrt(bn.running_var + bn.eps)).detach()
    shift = bn.bias.detach() - factor * bn.running_mean
    with torch.no_grad():
        one.weight.copy_(torch.einsum("o,oihw->oihw", factor, conv.weight))
        one.bias.copy_(shift if conv.bias is None else shift + factor * conv.bias)
    return one


def fold_by_matrix(conv, bn):
    """A diagonal matrix times the flattened kernel; the bias is what bn makes of conv's."""
    if bn.training:
        raise ValueError("training")
    one, bn_ = copy.deepcopy(conv), copy.deepcopy(bn)
    diagonal = torch.diag(bn_.weight.data / torch.sqrt(bn_.running_var + bn_.eps))
    one.weight.data = (diagonal @ conv.weight.data.flatten(1)).view_as(conv.weight)
    start = torch.zeros(len(conv.weight), dtype=conv.weight.dtype)
    start = start if conv.bias is None else conv.bias.data.clone()
    one.register_parameter("bias", nn.Parameter(
        diagonal @ (start - bn_.running_mean) + bn_.bias.data))
    return one


class Sleeping(nn.Module):
    """A batch norm in a box that does not pass the mode on."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm.requires_grad_(False)

    def train(self, mode=True):
        """Set this box's mode alone."""
        self.norm.eval()
        self.training = mode
        return self

    def forward(self, x):
        """Return the norm's output in evaluation mode."""
        return self.norm.eval()(x)


def freeze_by_boxes(model):
    """Replace each batch norm by a box around it, walking down by hand."""
    for name, child in model.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            setattr(model, name, Sleeping(child))
        else:
            freeze_by_boxes(child)
    return model


def freeze_by_hooks(model):
    """Go back to evaluation mode at each forward pass."""
    def asleep(module, inputs):
        module.eval()

    for part in filter(lambda m: "BatchNorm" in type(m).__name__, model.modules()):
        part.register_forward_pre_hook(asleep)
        for parameter in part.parameters(recurse=False):
            parameter.requires_grad = False


def freeze_by_class(model):
    """Give each batch norm a class whose train leaves it in evaluation mode."""
    for part in model.modules():
        if type(part) in (nn.BatchNorm1d, nn.BatchNorm2d):
            part.__class__ = type("Frozen", (type(part),), {
                "train": lambda self, mode=True: nn.Module.train(self, False)})
            part.train().requires_grad_(False)
    return model


RIGHT = {
    "which_axes": [axes_by_names, axes_by_cases],
    "batchnorm_forward": [forward_on_rows, forward_by_welford, forward_in_float32],
    "batchnorm_backward": [backward_by_matrix, backward_by_stages],
    "BatchNorm2d": [RebindingNorm, SummingNorm],
    "layer_norm": [layer_flat, layer_by_moments],
    "group_norm": [group_by_loop, group_by_layer],
    "instance_norm": [instance_by_groups, instance_in_numpy],
    "weight_norm": [weight_by_normalize, weight_by_einsum],
    "fold_conv_bn": [fold_into_new, fold_by_matrix],
    "freeze_bn": [freeze_by_boxes, freeze_by_hooks, freeze_by_class],
}
