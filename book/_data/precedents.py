"""Write the data of the interactive figure `precedents`: a small picture and two kernels.

`python book/_data/precedents.py` writes two files beside the figure's script: precedents.data.js,
which the figure reads, and precedents.example.txt, the worked example for readers without scripts.

The picture is the 7 of the convolution chapter, in blocks of three by three pixels; the kernels
are the chapter's too. All numbers are whole.
"""

import json

import torch
import torch.nn.functional as F
from tracer import FOLDER, number, products

import strokes

INDEX = 74  # the chapter's digit, of the training data
FIRST = [[1, 2, 0], [0, 1, 3], [2, 0, 1]]
SECOND = [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]
CELL = (1, 2)  # row and column of the output in the worked example


def picture():
    """The digit as 9 rows of 9 whole numbers from 0, paper, to 3, ink."""
    digit = strokes.StrokeDigits(train=True).data[INDEX, :27, 1:].double() / 255
    return (F.avg_pool2d(digit[None], 3)[0] * 3).round().int().tolist()


def make():
    """The data: the picture and the kernels of two layers without padding."""
    return {"input": picture(), "first": FIRST, "second": SECOND}


def layers(data, stride=1):
    """Input (9, 9), layer one and output of `data` as float64, which holds whole numbers."""
    x, a, b = (torch.tensor(data[name]).double() for name in ("input", "first", "second"))
    one = F.conv2d(x[None, None], a[None, None], stride=stride)
    return x, one[0, 0], F.conv2d(one, b[None, None])[0, 0]


def example(data):
    """The worked example: one output, one cell under it, and what it depends on."""
    x, one, out = layers(data)
    r, c = CELL
    i, j = r + 1, c + 1
    return "\n".join([
        f"The output at row {r}, column {c}, with stride 1. Rows and columns count from 0.", "",
        f"It reads rows {r} to {r + 2} and columns {c} to {c + 2} of layer one:",
        *products(one[r:r + 3, c:c + 3], data["second"], 0, 0),
        f"Sum {number(out[r, c], 0)}.", "",
        f"The middle one of these, row {i}, column {j}, reads rows {i} to {i + 2} and columns {j} "
        f"to {j + 2} of the input:",
        *products(x[i:i + 3, j:j + 3], data["first"], 0, 0),
        f"Sum {number(one[i, j], 0)}.", "",
        f"Through layer one the output depends on rows {r} to {r + 4} and columns {c} to {c + 4} "
        "of the input: 5 × 5 pixels.",
        "With stride 2 in layer one, the windows lie two pixels apart, and it is 7 × 7 pixels.",
        ""])


def script(data):
    """The text of precedents.data.js."""
    lines = [f' "{key}": [\n  ' + ",\n  ".join(map(json.dumps, rows)) + "\n ]"
             for key, rows in data.items()]
    return ("// Written by `python book/_data/precedents.py`: change that, not this.\n"
            "byhand.data.precedents = {\n" + ",\n".join(lines) + "\n};\n")


def main():
    """Write the two files."""
    data = make()
    (FOLDER / "precedents.data.js").write_text(script(data), encoding="utf-8")
    (FOLDER / "precedents.example.txt").write_text(example(data), encoding="utf-8")


if __name__ == "__main__":
    main()
