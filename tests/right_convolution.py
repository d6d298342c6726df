"""Right answers to the convolution assignment in styles that the solution does not use.

Each must get full marks: the hidden tests may not depend on how a function is written.
"""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F


def pair(value):
    """A pair as it is; a number as a pair of itself."""
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


def size_by_counting(input_size, kernel_size, stride=1, padding=0, dilation=1):
    """Count the starts, one by one."""
    starts, start = 0, -padding
    while start + dilation * (kernel_size - 1) < input_size + padding:
        starts, start = starts + 1, start + stride
    if not starts:
        raise ValueError("does not fit")
    return starts


def size_by_floor(input_size, kernel_size, stride=1, padding=0, dilation=1):
    """The formula of torch's documentation, with a subclass of ValueError."""
    value = (input_size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1
    if math.floor(value) < 1:
        raise type("DoesNotFit", (ValueError,), {})()
    return math.floor(value)


def conv2d_seven_loops(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """Every product by itself, over a list of starts, without padding the picture."""
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(padding), pair(dilation)
    (n_, c_, h, w), (o_, c_weight, kh, kw) = x.shape, weight.shape
    if c_ != c_weight:
        raise ValueError("channels differ")
    ho = size_by_counting(h, kh, sh, ph, dh)
    wo = size_by_counting(w, kw, sw, pw, dw)
    values = []
    for n, o, i, j in itertools.product(range(n_), range(o_), range(ho), range(wo)):
        total = torch.zeros((), dtype=torch.result_type(x, weight)) if bias is None else bias[o]
        for c, a, b in itertools.product(range(c_), range(kh), range(kw)):
            row, column = i * sh + a * dh - ph, j * sw + b * dw - pw
            if 0 <= row < h and 0 <= column < w:
                total = total + x[n, c, row, column] * weight[o, c, a, b]
        values.append(total)
    return torch.stack(values).view(n_, o_, ho, wo)


def conv2d_einsum(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """All windows at once through as_strided, then one einsum."""
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(padding), pair(dilation)
    if x.shape[1] != weight.shape[1]:
        raise ValueError("channels differ")
    dtype = torch.result_type(x, weight)
    padded, weight = F.pad(x, (pw, pw, ph, ph)).to(dtype).contiguous(), weight.to(dtype)
    kh, kw = weight.shape[2:]
    ho = size_by_floor(x.shape[2], kh, sh, ph, dh)
    wo = size_by_floor(x.shape[3], kw, sw, pw, dw)
    n, c, h, w = padded.shape
    view = padded.as_strided((n, c, ho, wo, kh, kw),
                             (c * h * w, h * w, sh * w, sw, dh * w, dw))
    out = torch.einsum("ncijab,ocab->noij", view, weight)
    return out if bias is None else out + bias[:, None, None]


def conv2d_shift_and_add(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """One shifted picture per kernel entry, computed in float32 and handed back in x's dtype."""
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(padding), pair(dilation)
    if x.shape[1] != weight.shape[1]:
        raise ValueError("channels differ")
    dtype = torch.result_type(x, weight)
    kh, kw = weight.shape[2:]
    ho = size_by_floor(x.shape[2], kh, sh, ph, dh)
    wo = size_by_floor(x.shape[3], kw, sw, pw, dw)
    padded = F.pad(x.float(), (pw, pw, ph, ph))
    out = torch.zeros(len(x), len(weight), ho, wo)
    for a, b in itertools.product(range(kh), range(kw)):
        shifted = padded[:, :, a * dh:a * dh + sh * ho:sh, b * dw:b * dw + sw * wo:sw]
        out = out + torch.tensordot(shifted[:, :, :ho, :wo], weight[:, :, a, b].float(),
                                    dims=([1], [1])).permute(0, 3, 1, 2)
    if bias is not None:
        out = out + bias.float()[None, :, None, None]
    return out.to(dtype)


def im2col_by_index(x, kernel_size, stride=1, padding=0):
    """Fancy indexing, in the manner of numpy courses, in float32."""
    (kh, kw), (sh, sw), (ph, pw) = pair(kernel_size), pair(stride), pair(padding)
    n, c, h, w = x.shape
    ho, wo = size_by_floor(h, kh, sh, ph), size_by_floor(w, kw, sw, pw)
    padded = np.pad(x.numpy().astype(np.float32), ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    channel = np.repeat(np.arange(c), kh * kw)[:, None]
    row = np.tile(np.repeat(np.arange(kh), kw), c)[:, None] + sh * np.repeat(np.arange(ho), wo)
    column = np.tile(np.arange(kw), c * kh)[:, None] + sw * np.tile(np.arange(wo), ho)
    return torch.from_numpy(padded[:, channel, row, column])


def im2col_by_windows(x, kernel_size, stride=1, padding=0):
    """One column at a time."""
    (kh, kw), (sh, sw), (ph, pw) = pair(kernel_size), pair(stride), pair(padding)
    padded = F.pad(x, (pw, pw, ph, ph))
    places = itertools.product(range(0, padded.shape[2] - kh + 1, sh),
                               range(0, padded.shape[3] - kw + 1, sw))
    return torch.stack([padded[:, :, i:i + kh, j:j + kw].flatten(1) for i, j in places], dim=-1)


def conv2d_columns_last(x, weight, bias=None, stride=1, padding=0):
    """Windows as rows, channels last, then a permute."""
    rows = im2col_by_windows(x, tuple(weight.shape[2:]), stride, padding).transpose(1, 2)
    out = rows @ weight.flatten(1).t() + (0 if bias is None else bias)
    height = size_by_floor(x.shape[2], weight.shape[2], pair(stride)[0], pair(padding)[0])
    return out.reshape(len(x), height, -1, len(weight)).permute(0, 3, 1, 2)


def col2im_by_windows(cols, output_size, kernel_size, stride=1, padding=0):
    """Add one column at a time."""
    (h, w), (kh, kw), (sh, sw), (ph, pw) = map(pair, (output_size, kernel_size, stride, padding))
    n, c = len(cols), cols.shape[1] // (kh * kw)
    padded = torch.zeros(n, c, h + 2 * ph, w + 2 * pw, dtype=torch.float32)
    places = itertools.product(range(0, h + 2 * ph - kh + 1, sh), range(0, w + 2 * pw - kw + 1, sw))
    for column, (i, j) in enumerate(places):
        padded[:, :, i:i + kh, j:j + kw] += cols[:, :, column].view(n, c, kh, kw)
    return padded[:, :, ph:ph + h, pw:pw + w]


def backward_by_full_convolution(grad_output, x, weight, stride=1, padding=0):
    """Zeros between the gradients, a full convolution with the flipped kernel, and loops for dw."""
    (sh, sw), (ph, pw), (kh, kw) = pair(stride), pair(padding), weight.shape[2:]
    n, o, ho, wo = grad_output.shape
    h, w = x.shape[2] + 2 * ph, x.shape[3] + 2 * pw
    spread = torch.zeros(n, o, h - kh + 1, w - kw + 1, dtype=x.dtype)
    spread[:, :, :(ho - 1) * sh + 1:sh, :(wo - 1) * sw + 1:sw] = grad_output
    full = conv2d_einsum(spread, weight.flip(2, 3).transpose(0, 1), padding=(kh - 1, kw - 1))
    padded = F.pad(x, (pw, pw, ph, ph))
    grad_weight = torch.zeros_like(weight)
    for a, b in itertools.product(range(kh), range(kw)):
        seen = padded[:, :, a:a + sh * ho:sh, b:b + sw * wo:sw][:, :, :ho, :wo]
        grad_weight[:, :, a, b] = torch.einsum("noij,ncij->oc", grad_output, seen)
    grad_x = full[:, :, ph:h - ph, pw:w - pw]
    return [grad_x, grad_weight, grad_output.sum((0, 2, 3))]


def matrix_by_unit_pictures(weight, height, width):
    """Convolve each picture with a single 1: its result is a column of the matrix."""
    units = torch.eye(height * width, dtype=weight.dtype).view(-1, 1, height, width)
    return conv2d_einsum(units, weight[None, None]).flatten(1).t()


def max_pool2d_by_loops(x, kernel_size, stride=None, padding=0):
    """The window, clipped to the picture."""
    (kh, kw), (ph, pw) = pair(kernel_size), pair(padding)
    sh, sw = (kh, kw) if stride is None else pair(stride)
    h, w = x.shape[2:]
    ho, wo = size_by_floor(h, kh, sh, ph), size_by_floor(w, kw, sw, pw)
    out = torch.empty(*x.shape[:2], ho, wo)
    for i, j in itertools.product(range(ho), range(wo)):
        top, left = i * sh - ph, j * sw - pw
        window = x[:, :, max(top, 0):top + kh, max(left, 0):left + kw]
        out[:, :, i, j] = window.flatten(2).max(dim=2).values
    return out


def max_pool2d_backward_by_loops(grad_output, x, kernel_size, stride=None, padding=0):
    """Find each winner with a comparison in reading order."""
    (kh, kw), (ph, pw) = pair(kernel_size), pair(padding)
    sh, sw = (kh, kw) if stride is None else pair(stride)
    grad = torch.zeros_like(x)
    n_, c_, ho, wo = grad_output.shape
    for n, c, i, j in itertools.product(range(n_), range(c_), range(ho), range(wo)):
        best = None
        for a, b in itertools.product(range(kh), range(kw)):
            row, column = i * sh + a - ph, j * sw + b - pw
            inside = 0 <= row < x.shape[2] and 0 <= column < x.shape[3]
            if inside and (best is None or x[n, c, row, column] > x[(n, c, *best)]):
                best = row, column
        grad[(n, c, *best)] += grad_output[n, c, i, j]
    return grad


def parameters_by_numel(layer):
    """Ask the layer."""
    return sum(p.numel() for p in layer.parameters())


def macs_by_numel(layer, output_size=None):
    """Every weight once for each place."""
    return layer.weight.numel() * math.prod(output_size or (1,))


RIGHT = {
    "conv_out_size": [size_by_counting, size_by_floor],
    "conv2d": [conv2d_seven_loops, conv2d_einsum, conv2d_shift_and_add],
    "im2col": [im2col_by_index, im2col_by_windows],
    "conv2d_im2col": [conv2d_columns_last, conv2d_einsum],
    "col2im": [col2im_by_windows],
    "conv2d_backward": [backward_by_full_convolution],
    "conv_matrix": [matrix_by_unit_pictures],
    "max_pool2d": [max_pool2d_by_loops],
    "max_pool2d_backward": [max_pool2d_backward_by_loops],
    "count_parameters": [parameters_by_numel],
    "count_macs": [macs_by_numel],
}
