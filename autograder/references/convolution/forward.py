"""The convolution by loops: known mistakes and hidden tests."""

from torch.nn import functional as F

from autograder.references import Behaviour, Mistake, Task
from autograder.references.convolution import functions as right
from autograder.references.convolution.functions import pair


def _bent(change):
    """conv2d with its arguments changed first by `change(x, weight, bias, options)`."""
    def wrong(x, weight, bias=None, stride=1, padding=0, dilation=1):
        options = {"stride": stride, "padding": padding, "dilation": dilation}
        return right.conv2d(*change(x, weight, bias, options), **options)
    return wrong


def _option(name, change):
    """conv2d with one of its options changed."""
    def wrong(x, weight, bias, options):
        options[name] = change(options[name])
        return x, weight, bias
    return _bent(wrong)


def _result(change):
    """conv2d with its result changed by `change(out, x)`."""
    def wrong(x, weight, bias=None, stride=1, padding=0, dilation=1):
        return change(right.conv2d(x, weight, bias, stride, padding, dilation), x)
    return wrong


def _one_sided(x, weight, bias, options):
    """Pad before the first row and column, not after the last."""
    ph, pw = pair(options["padding"])
    options["padding"] = 0
    return F.pad(x, (pw, 0, ph, 0)), weight, bias


def _edge_padding(x, weight, bias, options):
    """Pad with copies of the border."""
    ph, pw = pair(options["padding"])
    options["padding"] = 0
    return F.pad(x.double(), (pw, pw, ph, ph), mode="replicate"), weight, bias


def _runs_over(x, weight, bias, options):
    """Take windows that hang over the bottom or right edge, with zeros beyond it."""
    sh, sw = pair(options["stride"])
    ph, pw = pair(options["padding"])
    options["padding"] = 0
    return F.pad(x, (pw, pw + sw - 1, ph, ph + sh - 1)), weight, bias


def _overwrite(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """Use the picture as scratch paper."""
    out = right.conv2d(x, weight, bias, stride, padding, dilation)
    x.mul_(0)
    return out


def _no_refusal(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """Use as many channels as both have."""
    channels = min(x.shape[1], weight.shape[1])
    return right.conv2d(x[:, :channels], weight[:, :channels], bias, stride, padding, dilation)


CONV2D = [
    Mistake("the kernel is flipped",
            "This layer slides the kernel as it is (cross-correlation): out[i, j] uses "
            "weight[a, b] with x[i + a, j + b].",
            _bent(lambda x, w, b, o: (x, w.flip(2, 3), b))),
    Mistake("the kernel is transposed",
            "weight[a, b]: a moves down the rows of the picture, b along its columns.",
            _bent(lambda x, w, b, o: (x, w.transpose(2, 3), b))),
    Mistake("rows and columns of the result are swapped",
            "The result is (N, O, H', W'): rows before columns.",
            _result(lambda out, x: out.transpose(2, 3))),
    Mistake("the kernel is taken to be 3 by 3",
            "Read the kernel's height and width from weight.shape.",
            _bent(lambda x, w, b, o: (x, w[:, :, :3, :3], b))),
    Mistake("the last window of each axis is left out",
            "range(n) stops before n: there are (H - kH) // stride + 1 places, not one less.",
            _result(lambda out, x: out[:, :, :-1, :-1])),
    Mistake("windows that hang over the edge are counted",
            "Divide with `//`: a window that does not fit is dropped.",
            _bent(_runs_over)),
    Mistake("the bias is left out",
            "Each output channel o has bias[o] added once.",
            _bent(lambda x, w, b, o: (x, w, None))),
    Mistake("every output channel gets bias[0]",
            "Output channel o has its own bias[o].",
            _bent(lambda x, w, b, o: (x, w, b if b is None else b[:1].expand(len(b))))),
    Mistake("the bias is added once for each input channel",
            "Sum over the input channels first, then add bias[o] once.",
            _bent(lambda x, w, b, o: (x, w, b if b is None else b * x.shape[1]))),
    Mistake("every picture of the batch gets the first one's result",
            "Loop over the samples: out[n] comes from x[n].",
            _result(lambda out, x: out[:1].expand_as(out))),
    Mistake("only the first input channel is used",
            "Sum over all input channels: weight[o, c] goes with x[n, c].",
            _bent(lambda x, w, b, o: (x[:, :1], w[:, :1], b))),
    Mistake("the input channels are averaged",
            "Sum over the input channels; do not divide by their number.",
            _bent(lambda x, w, b, o: (x, w / x.shape[1], b))),
    Mistake("every output channel uses the first kernel",
            "Output channel o has its own kernel weight[o].",
            _bent(lambda x, w, b, o: (x, w[:1].expand_as(w), b))),
    Mistake("the stride is ignored",
            "Window (i, j) starts at row i * stride and column j * stride.",
            _option("stride", lambda s: 1)),
    Mistake("the first stride is used along both axes",
            "stride may be a pair (rows, columns).",
            _option("stride", lambda s: pair(s)[0])),
    Mistake("the padding is ignored",
            "Put `padding` rows and columns of zeros on each side first.",
            _option("padding", lambda p: 0)),
    Mistake("the two paddings are swapped",
            "padding = (rows, columns); torch's F.pad counts from the last axis, columns first.",
            _option("padding", lambda p: pair(p)[::-1])),
    Mistake("only the top and the left are padded",
            "Padding goes on all four sides.",
            _bent(_one_sided)),
    Mistake("the border is padded with copies instead of zeros",
            "Fill the border with zeros.",
            _bent(_edge_padding)),
    Mistake("the dilation is ignored",
            "With dilation d, weight[a, b] meets the pixel d * a rows and d * b columns on.",
            _option("dilation", lambda d: 1)),
    Mistake("the result takes the dtype of x, and fractions are cut off",
            "Whole-number pictures have fractional results: torch.result_type(x, weight).",
            _result(lambda out, x: out.to(x.dtype))),
    Mistake("the result is float32 whatever came in",
            "Make the output with dtype=torch.result_type(x, weight).",
            _result(lambda out, x: out.float())),
    Mistake("x is changed in place",
            "Work on a copy: what the caller passed in must stay as it was.",
            _overwrite),
    Mistake("the result is cut off from autograd",
            "Keep tensors: .item(), .data, .detach() and numpy lose the gradient.",
            _bent(lambda x, w, b, o: (x.detach(), w.detach(), b if b is None else b.detach()))),
    Mistake("unequal channels are accepted",
            "Raise a ValueError when x.shape[1] is not weight.shape[1].",
            _no_refusal),
]


def picture(draw, x, weight, bias=True, flips=False, **options):
    """Arguments of a convolution: x (N, C, H, W), weight (O, C, kH, kW), bias (O,) or None.

    Unless `flips`, the kernels look the same upside down: then a flipped kernel fails the tests
    that are about the kernel, and no others.
    """
    kernels = draw.normal(*weight)
    kernels = kernels if flips else (kernels + kernels.flip(2, 3)) / 2
    return draw.normal(*x), kernels, draw.normal(weight[0]) if bias else None, options


def conv2d():
    """Tests of the convolution by loops."""
    return Task(right.conv2d, {
        "channels": Behaviour(lambda draw: [
            picture(draw, (1, 1, 4, 5), (1, 1, 2, 3), bias=False, flips=True),
            picture(draw, (2, 3, 3, 4), (4, 3, 2, 2), bias=False, flips=True),
            picture(draw, (3, 2, 2, 3), (5, 2, 1, 1), bias=False, flips=True),
        ]),
        "bias": Behaviour(lambda draw: [
            picture(draw, (2, 3, 3, 4), (4, 3, 2, 2)),
            picture(draw, (1, 2, 4, 4), (3, 2, 3, 3)),
        ]),
        "rectangular": Behaviour(lambda draw: [
            picture(draw, (2, 2, 4, 6), (3, 2, 2, 4), flips=True),
            picture(draw, (1, 2, 6, 4), (3, 2, 4, 2), flips=True),
            picture(draw, (1, 2, 4, 6), (3, 2, 4, 3), flips=True),
        ]),
        "stride_padding": Behaviour(lambda draw: [
            picture(draw, (2, 2, 5, 6), (3, 2, 2, 3), stride=2, padding=1),
            picture(draw, (1, 3, 5, 4), (2, 3, 3, 2), stride=3, padding=2),
            picture(draw, (1, 2, 6, 5), (3, 2, 3, 2), stride=(2, 3), padding=(0, 2)),
        ]),
        "dilation": Behaviour(lambda draw: [
            picture(draw, (2, 2, 6, 5), (3, 2, 3, 2), dilation=2),
            picture(draw, (1, 2, 7, 5), (3, 2, 3, 2), stride=2, padding=2, dilation=(3, 2)),
        ]),
        "dtype": Behaviour(lambda draw: [
            (draw.integers(-9, 9, 1, 2, 4, 5), *picture(draw, (1,), (3, 2, 3, 2), bias=False)[1:]),
            picture(draw, (1, 2, 4, 5), (3, 2, 3, 2)),
            [t.float() for t in picture(draw, (1, 2, 4, 5), (3, 2, 3, 2))[:3]],
        ], dtype=True),
        "layout": Behaviour(lambda draw: [
            picture(draw, (2, 3, 4, 5), (2, 3, 3, 2)),
        ], driver="convolution.layouts"),
        "gradients": Behaviour(lambda draw: [
            picture(draw, (2, 2, 2, 4), (3, 2, 2, 3), padding=1),
        ], driver="gradients"),
        "inputs": Behaviour(lambda draw: [
            picture(draw, (2, 2, 3, 4), (3, 2, 3, 2), stride=2, padding=1),
            picture(draw, (1, 2, 4, 4), (3, 2, 3, 3)),
        ], driver="unchanged"),
        "refuses": Behaviour(lambda draw: [
            picture(draw, (1, 3, 6, 7), (4, 2, 3, 3)),
            picture(draw, (1, 2, 6, 7), (4, 3, 3, 3)),
            picture(draw, (1, 2, 3, 7), (4, 2, 5, 3)),
            picture(draw, (1, 2, 3, 5), (4, 2, 3, 3)),
        ]),
    }, CONV2D)
