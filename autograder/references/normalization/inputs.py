"""What hidden tests of norms are fed, and how a number per channel meets a picture."""

import torch


def per_channel(values, x):
    """Values of shape (C,), shaped to meet `x`, (N, C, ...)."""
    return values.view(1, -1, *[1] * (x.dim() - 2))


def positive(draw, *shape):
    """Numbers of 0.5 or more."""
    return draw.normal(*shape).abs() + 0.5


def channelwise(draw, x):
    """`x` with another mean and another spread in each channel."""
    c = x.shape[1]
    return x * per_channel(positive(draw, c), x) + 3 * per_channel(draw.normal(c), x)


def picture(draw, *shape):
    """Numbers whose channels have means and spreads of their own, no two of them close together.

    So even two numbers have a variance next to which the usual eps is nothing, whatever the seed.
    """
    x = draw.permutation(*shape)
    return channelwise(draw, 12 * x / x.numel())


def unit_planes(draw, *shape):
    """Pictures each channel of which has the mean 0 and the biased variance 1 by itself."""
    x = draw.normal(*shape)
    var, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
    return (x - mean) / var.sqrt()


def balanced(draw, *shape):
    """Float32 pictures of -3, -1, 1 and 3, as often each in every channel: their mean is 0."""
    n, c, h, w = shape
    values = torch.tensor([-3.0, -1.0, 1.0, 3.0]).repeat(n * h * w // 4)
    order = torch.stack([draw.permutation(n * h * w).long() for _ in range(c)])
    return values[order].view(c, n, h, w).transpose(0, 1).contiguous()
