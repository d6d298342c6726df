"""Write the data of the interactive figure `tracer`: three digits and the kernels of a small net.

`python book/_data/tracer.py` trains the net (a few seconds) and writes two files beside the
figure's script: tracer.data.js, which the figure reads, and tracer.example.txt, the worked example
that a reader without scripts gets.

The net is two convolutions and one linear layer. Its first two layers are the figure's, whole: no
channel is left out. Pixels are rounded to tenths and kernels to hundredths, and everything after
that is exact, so that a reader can check each number with a calculator.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import strokes

FOLDER = Path(__file__).parents[1] / "_static" / "interactive"

# One of the few seeds among 40 whose two maps are both alive and unlike each other.
SEED, EPOCHS, BATCH, RATE = 14, 12, 100, 0.01
DIGITS = [("train", 74), ("test", 12), ("test", 8)]  # a 7, the one of the first chapter, a 2, a 0
CELL = (2, 4)  # row and column of conv2 in the worked example
TENTHS = "0123456789a"  # how a pixel of 0 to 10 tenths is written


def tenths(data):
    """Pixels, uint8 of any shape, in tenths: int64 from 0, paper, to 10, ink."""
    return (data.double() / 25.5).round().long()


def small_net(seed):
    """A net that reads (N, 1, 28, 28) pictures through a 7 x 7 map; float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(2, 1, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(49, 10)).double()


def fit(seed=SEED, epochs=EPOCHS):
    """Train a small net on the stroke digits and return it; one thread makes it repeatable."""
    train = strokes.StrokeDigits(train=True)
    x, y = tenths(train.data)[:, None].double() / 10, train.targets
    net = small_net(seed)
    order = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=order).split(BATCH):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


def kernels(net):
    """The two convolutions in hundredths, nested lists: weights (O, C, 3, 3), biases (O,)."""
    def whole(parameter):
        return (parameter.detach() * 100).round().long().tolist()
    return {f"conv{i}": {"weight": whole(layer.weight), "bias": whole(layer.bias)}
            for i, layer in ((1, net[0]), (2, net[2]))}


def pictures():
    """The digits: label, where it comes from, and 28 rows of 28 pixels in tenths."""
    splits = {name: strokes.StrokeDigits(train=name == "train") for name in ("train", "test")}
    return [{"label": splits[name].targets[i].item(), "split": name, "index": i,
             "rows": ["".join(TENTHS[v] for v in row)
                      for row in tenths(splits[name].data[i]).tolist()]}
            for name, i in DIGITS]


def padded(data, digit):
    """What the layers of `data` compute from a digit, each in its own whole unit.

    Returns float64 tensors: pixels (30, 30) in tenths, with a border of padding; conv1 before
    ReLU (2, 14, 14) and after it with padding (2, 16, 16), in thousandths; conv2 before ReLU
    (7, 7), in hundred-thousandths. float64 holds such whole numbers exactly.
    """
    rows = data["digits"][digit]["rows"]
    x = torch.tensor([[TENTHS.index(v) for v in row] for row in rows], dtype=torch.float64)
    one, two = ({name: torch.tensor(v, dtype=torch.float64) for name, v in data[layer].items()}
                for layer in ("conv1", "conv2"))
    sums = F.conv2d(x[None], one["weight"], one["bias"] * 10, stride=2, padding=1)
    maps = sums.relu()
    out = F.conv2d(maps, two["weight"], two["bias"] * 1000, stride=2, padding=1)[0]
    return F.pad(x, (1, 1, 1, 1)), sums, F.pad(maps, (1, 1, 1, 1)), out


def number(value, places):
    """A whole number as a decimal: number(-270475, 5) is "−2.70475"."""
    value = int(value)
    digits = f"{abs(value):0{places + 1}d}"
    cut = len(digits) - places
    return "−" * (value < 0) + digits[:cut] + "." * (places > 0) + digits[cut:]


def products(window, kernel, places, weight_places=2):
    """Three lines of three products each; window and kernel are (3, 3), kernel in hundredths."""
    return ["   ".join(f"{number(v, places)} × {number(w, weight_places)}"
                       for v, w in zip(*rows, strict=True))
            for rows in zip(window.tolist(), kernel, strict=True)]


def example(data):
    """The worked example: one cell of conv2 of the first digit, and one cell under it."""
    r, c = CELL
    x, sums, maps, out = padded(data, 0)
    two, one = data["conv2"], data["conv1"]
    lines = [f"One cell, worked out: conv2, row {r}, column {c}, for the digit "
             f"{data['digits'][0]['label']}. Rows and columns count from 0."]
    shares = []
    for channel, name in enumerate("AB"):
        window = maps[channel, 2 * r:2 * r + 3, 2 * c:2 * c + 3]
        kernel = two["weight"][0][channel]
        shares.append((window * torch.tensor(kernel)).sum())
        lines += ["", f"Map {name}, rows {2 * r - 1} to {2 * r + 1}, "
                  f"columns {2 * c - 1} to {2 * c + 1}, times its kernel:",
                  *products(window, kernel, 3), f"Sum {number(shares[-1], 5)}"]
    total = out[r, c]
    lines += ["", f"{number(shares[0], 5)} + {number(shares[1], 5)} + bias "
              f"{number(two['bias'][0], 2)} = {number(total, 5)}; "
              f"ReLU gives {number(total.relu(), 5)}."]
    i, j = 2 * r, 2 * c
    window, kernel = x[2 * i:2 * i + 3, 2 * j:2 * j + 3], one["weight"][0][0]
    inner = sums[0, i, j]
    return "\n".join([
        *lines, "", f"Its middle cell of map A, row {i}, column {j}, comes from the pixels in rows "
        f"{2 * i - 1} to {2 * i + 1}, columns {2 * j - 1} to {2 * j + 1}:",
        *products(window, kernel, 1),
        f"Sum {number((window * torch.tensor(kernel)).sum(), 3)} + bias "
        f"{number(one['bias'][0], 2)} = {number(inner, 3)}; "
        f"ReLU gives {number(inner.relu(), 3)}.", ""])


def script(data):
    """The text of tracer.data.js."""
    lines = [f'"{key}": {json.dumps(value, indent=1 if key == "digits" else None)}'
             for key, value in data.items()]
    return ("// Written by `python book/_data/tracer.py`: change that, not this.\n"
            "byhand.data.tracer = {\n" + ",\n".join(lines) + "\n};\n")


def main():
    """Train, and write the two files."""
    torch.set_num_threads(1)
    data = {"start": list(CELL), **kernels(fit()), "digits": pictures()}
    (FOLDER / "tracer.data.js").write_text(script(data), encoding="utf-8")
    (FOLDER / "tracer.example.txt").write_text(example(data), encoding="utf-8")


if __name__ == "__main__":
    main()
