"""Slow, obvious references for the convolution assignment, in float64.

Shapes are torch's: pictures (N, C, H, W), kernels (O, C, kH, kW). A number given for a stride, a
padding, a dilation or a kernel size stands for the same number along both axes. Each function is
tested against its counterpart in torch.nn.functional.
"""

import math

import torch
from torch import nn


def pair(value):
    """The value for rows and for columns."""
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


def conv_out_size(input_size, kernel_size, stride=1, padding=0, dilation=1):
    """How many times a window fits along one axis; ValueError where it does not fit once."""
    span = dilation * (kernel_size - 1) + 1
    room = input_size + 2 * padding - span
    if room < 0:
        raise ValueError(f"a window of {span} does not fit in {input_size} + 2*{padding}")
    return room // stride + 1


def zero_pad(x, padding, value=0.0):
    """`x` (N, C, H, W) with a border of `value` around each picture."""
    ph, pw = pair(padding)
    n, c, h, w = x.shape
    out = torch.full((n, c, h + 2 * ph, w + 2 * pw), value, dtype=x.dtype)
    out[:, :, ph:ph + h, pw:pw + w] = x
    return out


def windows(x, kernel_size, stride, padding, dilation=1, value=0.0):
    """Each output position (i, j) with the slices of the padded picture that its window covers."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = map(pair, (kernel_size, stride, padding, dilation))
    for i in range(conv_out_size(x.shape[-2], kh, sh, ph, dh)):
        for j in range(conv_out_size(x.shape[-1], kw, sw, pw, dw)):
            rows = slice(i * sh, i * sh + dh * (kh - 1) + 1, dh)
            columns = slice(j * sw, j * sw + dw * (kw - 1) + 1, dw)
            yield (i, j), (slice(None), slice(None), rows, columns)


def out_shape(x, kernel_size, stride, padding, dilation=1):
    """The height and width of the result."""
    sizes = zip(x.shape[-2:], *map(pair, (kernel_size, stride, padding, dilation)), strict=True)
    return tuple(conv_out_size(*size) for size in sizes)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """What torch.nn.functional.conv2d returns, for groups=1; ValueError on unequal channels."""
    if x.shape[1] != weight.shape[1]:
        raise ValueError(f"x has {x.shape[1]} channels, the kernels have {weight.shape[1]}")
    dtype = torch.result_type(x, weight)
    x, weight = x.to(dtype), weight.to(dtype)
    size = weight.shape[-2:]
    padded = zero_pad(x, padding)
    shape = (len(x), len(weight), *out_shape(x, size, stride, padding, dilation))
    out = torch.zeros(shape, dtype=dtype)
    for (i, j), window in windows(x, size, stride, padding, dilation):
        out[:, :, i, j] = torch.einsum("nchw,ochw->no", padded[window], weight)
    return out if bias is None else out + bias.view(1, -1, 1, 1)


def im2col(x, kernel_size, stride=1, padding=0):
    """What torch.nn.functional.unfold returns: (N, C*kH*kW, L), one column per window."""
    padded = zero_pad(x, padding)
    columns = [padded[window].reshape(len(x), -1)
               for _, window in windows(x, kernel_size, stride, padding)]
    return torch.stack(columns, dim=2)


def conv2d_im2col(x, weight, bias=None, stride=1, padding=0):
    """The same numbers as `conv2d` gives."""
    return conv2d(x, weight, bias, stride, padding)


def col2im(cols, output_size, kernel_size, stride=1, padding=0):
    """What torch.nn.functional.fold returns: every column added back where it came from."""
    (h, w), (kh, kw), (ph, pw) = map(pair, (output_size, kernel_size, padding))
    n, channels = cols.shape[0], cols.shape[1] // (kh * kw)
    padded = zero_pad(torch.zeros(n, channels, h, w, dtype=cols.dtype), padding)
    blank = torch.zeros(n, channels, h, w)
    for column, (_, window) in enumerate(windows(blank, kernel_size, stride, padding)):
        padded[window] += cols[:, :, column].view(n, channels, kh, kw)
    return padded[:, :, ph:ph + h, pw:pw + w]


def conv2d_backward(grad_output, x, weight, stride=1, padding=0):
    """Gradients of ``(conv2d(x, weight, bias, …) * grad_output).sum()`` by x, weight and bias."""
    ph, pw = pair(padding)
    padded = zero_pad(x, padding)
    grad_padded, grad_weight = torch.zeros_like(padded), torch.zeros_like(weight)
    for (i, j), window in windows(x, weight.shape[-2:], stride, padding):
        g = grad_output[:, :, i, j]
        grad_padded[window] += torch.einsum("no,ochw->nchw", g, weight)
        grad_weight += torch.einsum("no,nchw->ochw", g, padded[window])
    h, w = x.shape[-2:]
    return grad_padded[:, :, ph:ph + h, pw:pw + w], grad_weight, grad_output.sum(dim=(0, 2, 3))


def conv_matrix(weight, height, width):
    """The matrix (H'W', HW) that does to a flattened picture what the kernel (kH, kW) does."""
    kh, kw = weight.shape
    out_h, out_w = height - kh + 1, width - kw + 1
    matrix = torch.zeros(out_h * out_w, height * width, dtype=weight.dtype)
    for i in range(out_h):
        for j in range(out_w):
            for a in range(kh):
                for b in range(kw):
                    matrix[i * out_w + j, (i + a) * width + (j + b)] = weight[a, b]
    return matrix


def max_pool2d(x, kernel_size, stride=None, padding=0):
    """What torch.nn.functional.max_pool2d returns."""
    stride = kernel_size if stride is None else stride
    padded = zero_pad(x, padding, value=-math.inf)
    shape = (*x.shape[:2], *out_shape(x, kernel_size, stride, padding))
    out = torch.zeros(shape, dtype=x.dtype)
    for (i, j), window in windows(x, kernel_size, stride, padding):
        out[:, :, i, j] = padded[window].amax(dim=(2, 3))
    return out


def max_pool2d_backward(grad_output, x, kernel_size, stride=None, padding=0):
    """The gradient by x: each entry of `grad_output` goes to the first largest of its window."""
    stride = kernel_size if stride is None else stride
    (ph, pw), (h, w) = pair(padding), x.shape[-2:]
    padded = zero_pad(x, padding, value=-math.inf)
    grad = torch.zeros_like(padded)
    for (i, j), window in windows(x, kernel_size, stride, padding):
        for n in range(x.shape[0]):
            for c in range(x.shape[1]):
                place = (n, c, *window[2:])
                a, b = divmod(int(padded[place].flatten().argmax()), pair(kernel_size)[1])
                grad[place][a, b] += grad_output[n, c, i, j]
    return grad[:, :, ph:ph + h, pw:pw + w]


def count_parameters(layer):
    """How many numbers an nn.Conv2d or nn.Linear learns."""
    return sum(p.numel() for p in layer.parameters())


def count_macs(layer, output_size=None):
    """Multiply-adds for one sample: one per weight and per output position it is used at."""
    if isinstance(layer, nn.Linear):
        return layer.in_features * layer.out_features
    kh, kw = layer.kernel_size
    per_output = layer.in_channels // layer.groups * kh * kw
    return per_output * layer.out_channels * output_size[0] * output_size[1]
