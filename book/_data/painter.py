"""Write the data of the interactive figure `painter`: the digits that a kernel is slid over.

`python book/_data/painter.py` writes two files beside the figure's script: painter.data.js, which
the figure reads, and painter.example.txt, the worked example that a reader without scripts gets.

Pixels are rounded to tenths and weights are whole, so that each sum is exact.
"""

import json

import torch
import torch.nn.functional as F
from tracer import FOLDER, TENTHS, number, pictures, products

TOP_EDGE = [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]
WINDOW = (4, 10)  # row and column of the window in the worked example: A of the chapter
LAWS = [(28, 3, 1, 0, 1), (28, 3, 2, 1, 1), (28, 5, 3, 2, 2), (28, 3, 1, 0, 14)]  # n, k, s, p, d


def law(n, k, s, p, d):
    """The law of sizes with numbers, as one line."""
    reach = n + 2 * p - d * (k - 1) - 1
    size = reach // s + 1
    fits = "" if size > 0 else ": no window fits"
    return (f"n = {n}, k = {k}, s = {s}, p = {p}, d = {d}: "
            f"⌊({n} + 2·{p} − {d}·({k} − 1) − 1) / {s}⌋ + 1 = "
            f"⌊{number(reach, 0)} / {s}⌋ + 1 = {size}{fits}")


def example(data):
    """The worked example: one number of the first digit's map of top edges, and four sizes."""
    picture = data["digits"][0]
    x = torch.tensor([[TENTHS.index(v) for v in row] for row in picture["rows"]]).double()
    r, c = WINDOW
    total = F.conv2d(x[None, None], torch.tensor(TOP_EDGE).double()[None, None])[0, 0, r, c]
    return "\n".join([
        f"The kernel for top edges on the digit {picture['label']}, with stride 1 and no padding. "
        "Rows and columns count from 0.", "",
        f"Its window at row {r}, column {c}:",
        *products(x[r:r + 3, c:c + 3], TOP_EDGE, 1, 0),
        f"Sum {number(total, 1)}: this is the output at row {r}, column {c}.", "",
        "The side of the output is ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1:",
        *(law(*case) for case in LAWS), ""])


def script(data):
    """The text of painter.data.js."""
    return ("// Written by `python book/_data/painter.py`: change that, not this.\n"
            f"byhand.data.painter = {json.dumps(data, indent=1)};\n")


def make():
    """The data: the same digits as the figure `tracer` has."""
    return {"digits": pictures()}


def main():
    """Write the two files."""
    data = make()
    (FOLDER / "painter.data.js").write_text(script(data), encoding="utf-8")
    (FOLDER / "painter.example.txt").write_text(example(data), encoding="utf-8")


if __name__ == "__main__":
    main()
