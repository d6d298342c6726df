"""im2col, the convolution by one matrix product, and col2im."""

import torch

from autograder.references import Behaviour, Mistake, Task
from autograder.references.convolution import functions as right
from autograder.references.convolution.forward import CONV2D, picture
from autograder.references.convolution.functions import pair


def _reordered(cols, x, kernel_size, order):
    """Columns whose rows are laid out in another order of (channel, row, column)."""
    (kh, kw), n = pair(kernel_size), len(cols)
    parts = cols.view(n, x.shape[1], kh, kw, -1)
    return parts.permute(0, *(1 + axis for axis in order), 4).reshape(n, -1, cols.shape[-1])


def _im2col(change):
    """im2col with its result changed by `change(cols, x, kernel_size)`."""
    def wrong(x, kernel_size, stride=1, padding=0):
        return change(right.im2col(x, kernel_size, stride, padding), x, kernel_size)
    return wrong


def _windows_by_column(x, kernel_size, stride=1, padding=0):
    """Walk the windows down each column of the picture first."""
    turned = right.im2col(x.transpose(2, 3), pair(kernel_size)[::-1], pair(stride)[::-1],
                          pair(padding)[::-1])
    return _reordered(turned, x, pair(kernel_size)[::-1], (0, 2, 1))


IM2COL = [
    Mistake("the pixel comes before the channel in each column",
            "Within a column: channel first, then row of the window, then column of the window.",
            _im2col(lambda cols, x, k: _reordered(cols, x, k, (1, 2, 0)))),
    Mistake("each window is read column by column",
            "Within a window, go along the rows, as flatten() does.",
            _im2col(lambda cols, x, k: _reordered(cols, x, k, (0, 2, 1)))),
    Mistake("the windows are walked column by column",
            "Window number i * W' + j stands at row i, column j of the result.",
            _windows_by_column),
    Mistake("rows and columns of the matrix are swapped",
            "The result is (N, C * kH * kW, L): one column per window.",
            _im2col(lambda cols, x, k: cols.transpose(1, 2))),
    Mistake("the channels stay apart",
            "Each column holds the window of every channel: (N, C * kH * kW, L).",
            _im2col(lambda cols, x, k: cols.view(len(x) * x.shape[1], -1, cols.shape[-1]))),
    Mistake("the stride is ignored",
            "Window (i, j) starts at row i * stride and column j * stride.",
            lambda x, k, s=1, p=0: right.im2col(x, k, 1, p)),
    Mistake("the padding is ignored",
            "Put `padding` rows and columns of zeros on each side first.",
            lambda x, k, s=1, p=0: right.im2col(x, k, s, 0)),
    Mistake("the two paddings are swapped",
            "padding = (rows, columns); torch's F.pad counts from the last axis, columns first.",
            lambda x, k, s=1, p=0: right.im2col(x, k, s, pair(p)[::-1])),
]


def _product(arrange):
    """conv2d_im2col whose product (N, O, L) is laid out by `arrange(product, out)`."""
    def wrong(x, weight, bias=None, stride=1, padding=0):
        out = right.conv2d(x, weight, bias, stride, padding)
        return arrange(out.flatten(2), out)
    return wrong


CONV2D_IM2COL = [
    Mistake("the product is reshaped as if channels came last",
            "The product is (N, O, L): view it as (N, O, H', W'), or transpose before a reshape "
            "that puts O last.",
            _product(lambda p, out: p.reshape(len(out), *out.shape[2:], -1).permute(0, 3, 1, 2))),
    Mistake("the product is transposed before it is given its shape",
            "The product is (N, O, L) already: view it as (N, O, H', W').",
            _product(lambda p, out: p.transpose(1, 2).reshape(out.shape))),
    Mistake("rows and columns of the result are swapped",
            "L counts windows row by row: view it as (H', W').",
            _product(lambda p, out: out.transpose(2, 3))),
    Mistake("the result is still a matrix",
            "Give it its picture shape back: (N, O, H', W').",
            _product(lambda p, out: p)),
    *[m for m in CONV2D if m.name in {
        "the kernel is flipped", "the bias is left out", "every output channel gets bias[0]",
        "every picture of the batch gets the first one's result", "the stride is ignored",
        "the padding is ignored",
    }],
]


def _overwritten(cols, output_size, kernel_size, stride=1, padding=0):
    """Let a later column replace what an earlier one put down."""
    (h, w), (kh, kw), (ph, pw) = map(pair, (output_size, kernel_size, padding))
    n, c = len(cols), cols.shape[1] // (kh * kw)
    padded = torch.zeros(n, c, h + 2 * ph, w + 2 * pw, dtype=cols.dtype)
    blank = torch.zeros(n, c, h, w)
    for column, (_, window) in enumerate(right.windows(blank, kernel_size, stride, padding)):
        padded[window] = cols[:, :, column].view(n, c, kh, kw)
    return padded[:, :, ph:ph + h, pw:pw + w]


def _averaged(cols, output_size, kernel_size, stride=1, padding=0):
    """Divide each pixel by the number of windows that cover it."""
    total = right.col2im(cols, output_size, kernel_size, stride, padding)
    count = right.col2im(torch.ones_like(cols), output_size, kernel_size, stride, padding)
    return total / count.clamp(min=1)


def _uncropped(cols, output_size, kernel_size, stride=1, padding=0):
    """Keep the border."""
    (h, w), (ph, pw) = pair(output_size), pair(padding)
    return right.col2im(cols, (h + 2 * ph, w + 2 * pw), kernel_size, stride, 0)


def _cropped_at_end(cols, output_size, kernel_size, stride=1, padding=0):
    """Cut the border off at the bottom and the right only."""
    h, w = pair(output_size)
    return _uncropped(cols, output_size, kernel_size, stride, padding)[:, :, :h, :w]


COL2IM = [
    Mistake("overlapping windows overwrite each other",
            "Add each column in with +=: a pixel gets a share from every window that covers it.",
            _overwritten),
    Mistake("overlaps are averaged",
            "Add and do not divide: col2im is the transpose of im2col, not its inverse.",
            _averaged),
    Mistake("the border of the padding is kept",
            "Cut `padding` rows and columns off each side at the end.",
            _uncropped),
    Mistake("the padding is cut off at the end only",
            "Cut `padding` rows and columns off each side at the end.",
            _cropped_at_end),
    Mistake("each window is read column by column",
            "A column holds channel, row, column of its window, in that order.",
            lambda cols, size, k, s=1, p=0: right.col2im(
                cols.view(len(cols), -1, *pair(k), cols.shape[-1]).transpose(2, 3)
                .reshape(cols.shape), size, k, s, p)),
]


def _columns(draw, n, channels, output_size, kernel_size, stride=1, padding=0):
    """Arguments of col2im: columns that belong to pictures of the given size."""
    (h, w), (kh, kw) = output_size, kernel_size
    (sh, sw), (ph, pw) = pair(stride), pair(padding)
    length = right.conv_out_size(h, kh, sh, ph) * right.conv_out_size(w, kw, sw, pw)
    cols = draw.normal(n, channels * kh * kw, length)
    return cols, output_size, kernel_size, stride, padding


def im2col():
    """Tests of im2col."""
    return Task(right.im2col, {
        "order": Behaviour(lambda draw: [
            (draw.normal(1, 1, 4, 5), 2), (draw.normal(2, 3, 5, 6), (3, 2)),
        ]),
        "stride_padding": Behaviour(lambda draw: [
            (draw.normal(2, 3, 7, 6), 3, 2, 1),
            (draw.normal(1, 2, 6, 8), (2, 3), (2, 1), (0, 2)),
        ]),
    }, IM2COL)


def conv2d_im2col():
    """Tests of the convolution by one matrix product."""
    return Task(right.conv2d_im2col, {
        "values": Behaviour(lambda draw: [
            picture(draw, (1, 1, 4, 5), (2, 1, 2, 2), bias=False, flips=True),
            picture(draw, (3, 2, 4, 5), (4, 2, 3, 2), flips=True),
        ]),
        "stride_padding": Behaviour(lambda draw: [
            picture(draw, (2, 2, 5, 6), (3, 2, 2, 3), stride=2, padding=1),
            picture(draw, (1, 2, 6, 5), (3, 2, 3, 2), stride=(2, 3), padding=(0, 2)),
        ]),
    }, CONV2D_IM2COL)


def col2im():
    """Tests of col2im."""
    return Task(right.col2im, {
        "overlap": Behaviour(lambda draw: [
            (right.im2col(torch.ones(1, 1, 4, 5).double(), 3), (4, 5), 3),
            (right.im2col(torch.ones(2, 3, 6, 7).double(), (2, 3)), (6, 7), (2, 3)),
        ]),
        "values": Behaviour(lambda draw: [
            _columns(draw, 2, 3, (5, 6), (2, 2)),
            _columns(draw, 1, 2, (4, 6), (2, 3), (2, 1)),
        ]),
        "stride_padding": Behaviour(lambda draw: [
            _columns(draw, 2, 2, (7, 6), (3, 3), 2, 1),
            _columns(draw, 1, 2, (6, 4), (2, 3), (2, 1), (0, 2)),
        ]),
    }, COL2IM)
