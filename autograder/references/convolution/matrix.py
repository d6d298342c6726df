"""A convolution as a matrix: known mistakes and hidden tests."""

import torch

from autograder.references import Behaviour, Mistake, Task
from autograder.references.convolution import functions as right


def _matrix(bent_weight=lambda w: w, change=lambda m, w, height, width: m):
    """conv_matrix of a bent kernel, with its result changed."""
    def wrong(weight, height, width):
        return change(right.conv_matrix(bent_weight(weight), height, width), weight, height, width)
    return wrong


def _steps_of(which):
    """conv_matrix that steps on by another width when it goes down a row."""
    def wrong(weight, height, width):
        (kh, kw), step = weight.shape, which(weight, height, width)
        out_h, out_w = height - kh + 1, width - kw + 1
        matrix = torch.zeros(out_h * out_w, height * width, dtype=weight.dtype)
        for row in range(out_h * out_w):
            i, j = divmod(row, out_w)
            for a in range(kh):
                for b in range(kw):
                    matrix[row, (i + a) * step + (j + b)] = weight[a, b]
        return matrix
    return wrong


CONV_MATRIX = [
    Mistake("the kernel is flipped",
            "Row (i, j) of the matrix holds weight[a, b] at pixel (i + a, j + b).",
            _matrix(lambda w: w.flip(0, 1))),
    Mistake("the matrix is transposed",
            "One row per output pixel, one column per input pixel: (H'W', HW).",
            _matrix(change=lambda m, w, height, width: m.t())),
    Mistake("pixel (i, j) is put at i * height + j",
            "Rows of a picture have `width` pixels: pixel (i, j) is number i * width + j.",
            _steps_of(lambda w, height, width: height)),
    Mistake("pixel (i, j) is put at i * W' + j",
            "The columns of the matrix count input pixels: pixel (i, j) is number i * width + j.",
            _steps_of(lambda w, height, width: width - w.shape[1] + 1)),
    Mistake("each row is the one above, moved by one, across the ends of the rows",
            "At the end of an output row the window jumps to the next row of the picture.",
            _matrix(change=lambda m, w, height, width: torch.stack(
                [m[0].roll(i) for i in range(len(m))]))),
]


def conv_matrix():
    """Tests of a convolution written as a matrix."""
    return Task(right.conv_matrix, {
        "values": Behaviour(lambda draw: [
            (draw.normal(2, 2), 3, 3), (draw.normal(3, 3), 5, 5), (draw.normal(1, 1), 2, 2),
        ]),
        "rectangular": Behaviour(lambda draw: [
            (draw.normal(2, 3), 4, 6), (draw.normal(3, 1), 3, 5), (draw.normal(1, 4), 3, 4),
        ]),
    }, CONV_MATRIX)
