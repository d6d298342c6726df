"""The gradients of a convolution: known mistakes and hidden tests."""

from torch.nn import functional as F

from autograder.references import Behaviour, Mistake, Task
from autograder.references.convolution import functions as right
from autograder.references.convolution.functions import pair


def _backward(change):
    """conv2d_backward with its three gradients changed by `change(grads, arguments)`."""
    def wrong(grad_output, x, weight, stride=1, padding=0):
        grads = right.conv2d_backward(grad_output, x, weight, stride, padding)
        return change(grads, (grad_output, x, weight, stride, padding))
    return wrong


def _grad_x(change):
    """conv2d_backward with a wrong gradient by x."""
    return _backward(lambda grads, arguments: (change(*arguments), *grads[1:]))


def _grad_weight(change):
    """conv2d_backward with a wrong gradient by weight."""
    return _backward(lambda grads, arguments: (grads[0], change(*arguments), grads[2]))


def _grad_bias(change):
    """conv2d_backward with a wrong gradient by bias."""
    return _backward(lambda grads, arguments: (*grads[:2], change(arguments[0])))


def _uncropped_grad(g, x, weight, stride, padding):
    """The gradient by the padded picture."""
    return right.conv2d_backward(g, right.zero_pad(x, padding), weight, stride, 0)[0]


def _full_convolution(g, x, weight, flip):
    """The stride-1 recipe, with the kernel flipped or not, whatever the stride was."""
    kernel = (weight.flip(2, 3) if flip else weight).transpose(0, 1)
    return F.conv2d(g, kernel, padding=(weight.shape[2] - 1, weight.shape[3] - 1))


def _neighbouring_windows(g, x, weight, stride, padding):
    """The gradient by weight as if each window started one pixel after the one before."""
    (out_h, out_w), (kh, kw) = g.shape[2:], weight.shape[2:]
    padded = right.zero_pad(x, padding)[:, :, :out_h + kh - 1, :out_w + kw - 1]
    return right.conv2d_backward(g, padded, weight)[1]


CONV2D_BACKWARD = [
    Mistake("the kernel is not flipped on the way back",
            "Pixel (i + a, j + b) met weight[a, b]: each grad_output entry stamps the kernel back "
            "where it was. As one convolution, that needs the kernel flipped.",
            _grad_x(lambda g, x, w, s, p: right.conv2d_backward(g, x, w.flip(2, 3), s, p)[0])),
    Mistake("the border of the padding is kept in the gradient by x",
            "The gradient by x has the shape of x: cut the padding off.",
            _grad_x(_uncropped_grad)),
    Mistake("the stride is left out of the gradient by x",
            "Entry (i, j) of grad_output belongs to the window that starts at (i * stride, "
            "j * stride): with the recipe of a full convolution, put stride - 1 zeros between.",
            _grad_x(lambda g, x, w, s, p: _full_convolution(g, x, w, flip=True))),
    Mistake("only one output channel reaches the gradient by x",
            "Every output channel used x: add up what each sends back.",
            _grad_x(lambda g, x, w, s, p: right.conv2d_backward(g[:, :1], x, w[:1], s, p)[0])),
    Mistake("the gradient by weight is flipped",
            "weight[a, b] met x[i * stride + a, j * stride + b]: no flip here.",
            _backward(lambda grads, _: (grads[0], grads[1].flip(2, 3), grads[2]))),
    Mistake("the gradient by weight is averaged over the batch",
            "Sum over the samples; the mean belongs to the loss, and is in grad_output already.",
            _backward(lambda grads, a: (grads[0], grads[1] / len(a[1]), grads[2]))),
    Mistake("only the first sample reaches the gradient by weight",
            "Sum over all samples of the batch.",
            _grad_weight(lambda g, x, w, s, p: right.conv2d_backward(g[:1], x[:1], w, s, p)[1])),
    Mistake("the padding is left out of the gradient by weight",
            "The windows were cut from the padded picture; cut them from it here too.",
            _grad_weight(lambda g, x, w, s, p: right.conv2d_backward(
                g, F.pad(x, (0, 2 * pair(p)[1], 0, 2 * pair(p)[0])), w, s, 0)[1])),
    Mistake("the stride is left out of the gradient by weight",
            "Window (i, j) starts at row i * stride and column j * stride.",
            _grad_weight(_neighbouring_windows)),
    Mistake("the gradient by bias is summed over the samples only",
            "bias[o] was added at every position of every sample: sum over N, H' and W'.",
            _grad_bias(lambda g: g.sum(dim=0))),
    Mistake("the gradient by bias is summed over the positions only",
            "bias[o] was added in every sample too: sum over N, H' and W'.",
            _grad_bias(lambda g: g.sum(dim=(2, 3)))),
    Mistake("the gradient by bias is a mean",
            "Add up, do not average: bias[o] was added at every position of every sample.",
            _grad_bias(lambda g: g.mean(dim=(0, 2, 3)))),
]


def _upstream(draw, x, weight, stride, padding):
    """Arguments of conv2d_backward, with a grad_output of the shape that the convolution has."""
    x, weight = draw.normal(*x), draw.normal(*weight)
    out_size = right.out_shape(x, weight.shape[-2:], stride, padding)
    return draw.normal(len(x), len(weight), *out_size), x, weight, stride, padding


def conv2d_backward():
    """Tests of the three gradients of a convolution."""
    plain = [((2, 3, 4, 3), (4, 3, 3, 2), 1, 0), ((1, 2, 4, 5), (3, 2, 3, 3), 1, 0)]
    strided = [
        ((2, 3, 6, 5), (4, 3, 3, 2), 2, 1),
        ((1, 2, 7, 6), (3, 2, 3, 3), (3, 2), (0, 1)),
        ((1, 2, 4, 6), (3, 2, 1, 3), 2, (0, 2)),
    ]

    def behaviour(which, shapes):
        return Behaviour(lambda draw: [_upstream(draw, *shape) for shape in shapes], driver=which)

    return Task(right.conv2d_backward, {
        "grad_x": behaviour("convolution.grad_x", plain),
        "grad_weight": behaviour("convolution.grad_weight", plain),
        "grad_bias": behaviour("convolution.grad_bias", plain + strided),
        "strided_grad_x": behaviour("convolution.grad_x", strided),
        "strided_grad_weight": behaviour("convolution.grad_weight", strided),
    }, CONV2D_BACKWARD)
