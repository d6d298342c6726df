"""Max pooling and its gradient: known mistakes and hidden tests."""

import math

import torch
from torch.nn import functional as F

from autograder.references import Behaviour, Mistake, Task
from autograder.references.convolution import functions as right
from autograder.references.convolution.functions import pair


def _pool(change_x=lambda x, p: x, **options):
    """max_pool2d of a changed picture, or with an option fixed."""
    def wrong(x, kernel_size, stride=None, padding=0):
        given = {"stride": stride, "padding": padding} | options
        return right.max_pool2d(change_x(x, padding), kernel_size, **given)
    return wrong


def _zero_padded_pool(x, kernel_size, stride=None, padding=0):
    """Pool over a border of zeros."""
    return right.max_pool2d(right.zero_pad(x, padding), kernel_size,
                            kernel_size if stride is None else stride)


def _ceil_pool(x, kernel_size, stride=None, padding=0):
    """Count windows that hang over the edge."""
    return F.max_pool2d(x, kernel_size, stride, padding, ceil_mode=True)


MAX_POOL2D = [
    Mistake("the border is padded with zeros",
            "A zero would beat negative pixels: pad with minus infinity.",
            _zero_padded_pool),
    Mistake("the stride is 1 when none is given",
            "stride=None means the kernel size: windows side by side.",
            lambda x, k, s=None, p=0: right.max_pool2d(x, k, 1 if s is None else s, p)),
    Mistake("the stride is always the kernel size",
            "Use the stride that is given; the kernel size is only the default.",
            _pool(stride=None)),
    Mistake("the padding is ignored",
            "Put `padding` rows and columns of minus infinity on each side first.",
            _pool(padding=0)),
    Mistake("the mean is taken",
            "Take the largest of each window, not the average.",
            lambda x, k, s=None, p=0: F.avg_pool2d(x, k, s, p, count_include_pad=False)),
    Mistake("windows that hang over the edge are counted",
            "Divide with `//`: a window that does not fit is dropped.",
            _ceil_pool),
    Mistake("the maximum runs over the channels too",
            "Pool each channel by itself.",
            lambda x, k, s=None, p=0: right.max_pool2d(
                x.amax(dim=1, keepdim=True).expand_as(x), k, s, p)),
]


def _shared(split):
    """The gradient of each window shared over its largest entries by `split(mask)`."""
    def wrong(grad_output, x, kernel_size, stride=None, padding=0):
        stride = kernel_size if stride is None else stride
        (ph, pw), (h, w) = pair(padding), x.shape[-2:]
        padded = right.zero_pad(x, padding, value=-math.inf)
        grad = torch.zeros_like(padded)
        for (i, j), window in right.windows(x, kernel_size, stride, padding):
            piece = padded[window]
            mask = (piece == piece.amax(dim=(2, 3), keepdim=True)).to(x.dtype)
            grad[window] += split(mask) * grad_output[:, :, i, j, None, None]
        return grad[:, :, ph:ph + h, pw:pw + w]
    return wrong


def _last_of_ties(grad_output, x, kernel_size, stride=None, padding=0):
    """Send the gradient to the last of several largest."""
    flipped = _shared(lambda m: (m.flip(2, 3).flatten(2).cumsum(2) == 1).to(m.dtype)
                      .view(m.shape).flip(2, 3) * m)
    return flipped(grad_output, x, kernel_size, stride, padding)


def _overwritten_grad(grad_output, x, kernel_size, stride=None, padding=0):
    """Let a later window replace the gradient that an earlier one sent to the same pixel."""
    stride = kernel_size if stride is None else stride
    (ph, pw), (h, w) = pair(padding), x.shape[-2:]
    padded = right.zero_pad(x, padding, value=-math.inf)
    grad = torch.zeros_like(padded)
    for (i, j), window in right.windows(x, kernel_size, stride, padding):
        piece = padded[window]
        first = (piece.flatten(2).argmax(dim=2))[..., None]
        mask = torch.zeros_like(piece.flatten(2)).scatter(2, first, 1.0).view(piece.shape).bool()
        sent = grad_output[:, :, i, j, None, None].expand_as(piece)
        grad[window] = torch.where(mask, sent, grad[window])
    return grad[:, :, ph:ph + h, pw:pw + w]


MAX_POOL2D_BACKWARD = [
    Mistake("every largest entry gets the whole gradient",
            "Where several are equal, only the first of the window (row by row) gets it.",
            _shared(lambda mask: mask)),
    Mistake("equal entries share the gradient",
            "Where several are equal, only the first of the window (row by row) gets it.",
            _shared(lambda mask: mask / mask.sum(dim=(2, 3), keepdim=True))),
    Mistake("the last of several equal entries gets the gradient",
            "Where several are equal, the first of the window (row by row) gets it, as in torch.",
            _last_of_ties),
    Mistake("overlapping windows overwrite each other's gradient",
            "A pixel that wins in two windows gets both gradients: add with +=.",
            _overwritten_grad),
    Mistake("every pixel of a window gets the gradient",
            "Only the pixel that won passes the gradient on; the others had no effect.",
            _shared(torch.ones_like)),
    Mistake("the gradient is 1 wherever a pixel won",
            "Send back the entry of grad_output that belongs to the window, not 1.",
            lambda g, x, k, s=None, p=0: right.max_pool2d_backward(torch.ones_like(g), x, k, s, p)),
]


def max_pool2d():
    """Tests of max pooling."""
    return Task(right.max_pool2d, {
        "values": Behaviour(lambda draw: [
            (draw.permutation(2, 3, 4, 6), 2),
            (draw.permutation(1, 2, 7, 5), 3),
            (draw.permutation(2, 1, 6, 8), (2, 3)),
        ]),
        "stride": Behaviour(lambda draw: [
            (draw.permutation(2, 3, 7, 8), 3, 2),
            (draw.permutation(1, 2, 6, 9), (2, 3), (1, 2)),
        ]),
        "padding": Behaviour(lambda draw: [
            (-1 - draw.permutation(2, 3, 5, 6), 3, 2, 1),
            (-1 - draw.permutation(1, 2, 4, 7), (3, 2), 2, (1, 0)),
        ]),
    }, MAX_POOL2D)


def max_pool2d_backward():
    """Tests of the gradient of max pooling."""
    return Task(right.max_pool2d_backward, {
        "values": Behaviour(lambda draw: [
            (draw.normal(2, 3, 2, 3), draw.permutation(2, 3, 4, 6), 2),
            (draw.normal(1, 2, 2, 2), draw.permutation(1, 2, 7, 6), 3),
        ]),
        "overlap": Behaviour(lambda draw: [
            (draw.normal(2, 2, 3, 4), draw.permutation(2, 2, 7, 9), 3, 2),
            (draw.normal(1, 2, 3, 4), -1 - draw.permutation(1, 2, 5, 7), 3, 2, 1),
        ]),
        "ties": Behaviour(lambda draw: [
            (draw.normal(2, 3, 2, 3), draw.integers(0, 2, 2, 3, 4, 6).double(), 2),
            (draw.normal(1, 2, 2, 2), draw.integers(0, 2, 1, 2, 5, 5).double(), 3, 2),
        ]),
    }, MAX_POOL2D_BACKWARD)
