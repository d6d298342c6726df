"""Write the data of the interactive figure `batchsize`: batches of pictures, each one number.

`python book/_data/batchsize.py` writes two files beside the figure's script: batchsize.data.js,
which the figure reads, and batchsize.example.txt, the worked example that a reader without
scripts gets.

The number of a picture is its ink: the sum of its pixels from 0 to 1, rounded, as a unit of a
fully connected layer computes it whose weights are all 1. Pictures are drawn from the training
digits with replacement, so that batch means scatter with sigma / sqrt(n) exactly. The running
statistics are those of torch's BatchNorm1d after a training of its own.
"""

from pathlib import Path

import torch
from torch import nn

import strokes

FOLDER = Path(__file__).parents[1] / "_static" / "interactive"

# 24 means measure a scatter to 15 % or so. Of the seeds 0 to 39 this is the one whose measured
# scatter stays closest to sigma / sqrt(n) at all sizes: within 18 %.
SEED = 4
BATCHES, LARGEST = 24, 64
STEPS = 200  # batches of the largest size that the running statistics have seen
EXAMPLE = 17  # the test digit that is shown to the layer in each batch
GAMMA, BETA = 1, 1
WORKED = 4  # the batch size of the worked example


def ink(data):
    """The sums of pictures (N, 28, 28), uint8, in pixels of full ink: (N,), int64."""
    return (data.double().sum((1, 2)) / 255).round().long()


def running(population, draw):
    """Running mean and variance, two floats, of a BatchNorm1d that saw STEPS batches."""
    norm = nn.BatchNorm1d(1).double()
    for _ in range(STEPS):
        rows = torch.randint(len(population), (LARGEST,), generator=draw)
        norm(population[rows, None].double())
    return norm.running_mean.item(), norm.running_var.item()


def make():
    """The figure's data as a dictionary; the same on each call."""
    population = ink(strokes.StrokeDigits(train=True).data)
    draw = torch.Generator().manual_seed(SEED)
    mean, variance = running(population, draw)
    rows = torch.randint(len(population), (BATCHES, LARGEST), generator=draw)
    values = population.double()
    return {
        "population": {"count": len(population), "mean": round(values.mean().item(), 3),
                       "deviation": round(values.std(correction=0).item(), 3)},
        "running": {"mean": round(mean, 2), "variance": round(variance, 2),
                    "steps": STEPS, "size": LARGEST},
        "layer": {"gamma": GAMMA, "beta": BETA, "eps": 1e-5},
        "example": ink(strokes.StrokeDigits(train=False).data)[EXAMPLE].item(),
        "batches": population[rows].tolist(),
    }


def text_of(value):
    """A Python value as JavaScript; dictionaries and lists of lists take several lines."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k}: {text_of(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list) and isinstance(value[0], list):
        return "[\n" + "".join(f"    {text_of(row)},\n" for row in value) + "  ]"
    return str(value)


def script(data):
    """The text of batchsize.data.js."""
    return ("// Written by `python book/_data/batchsize.py`: change that, not this.\n"
            "byhand.data.batchsize = {\n"
            + "".join(f"  {key}: {text_of(value)},\n" for key, value in data.items()) + "};\n")


def example(data):
    """The worked example: one picture in three batches, and in evaluation mode."""
    x, beta, eps = data["example"], data["layer"]["beta"], data["layer"]["eps"]
    mean, variance = data["running"]["mean"], data["running"]["variance"]

    def line(start, mean, variance):
        value = (x - mean) / (variance + eps) ** 0.5 * data["layer"]["gamma"] + beta
        return f"{start}: ({x} - {mean:.2f}) / {variance ** 0.5:.2f} + {beta} = {value:.3f}"

    lines = [f"One picture has {x} pixels of ink. What does the layer answer? "
             f"Its γ is {data['layer']['gamma']}, its β is {beta}.", "",
             f"Training mode, batches of {WORKED}, mean and standard deviation of the batch:"]
    for number, batch in enumerate(data["batches"][:3], start=1):
        values = torch.tensor([x, *batch[1:WORKED]], dtype=torch.float64)
        words = ", ".join(str(int(v)) for v in values)
        lines.append(line(f"batch {number}, ink {words}", values.mean().item(),
                          values.var(correction=0).item()))
    theory = data["population"]["deviation"]
    return "\n".join([
        *lines, "Three batches, three answers for the same picture.", "",
        "Evaluation mode, running statistics, any batch:", line("always", mean, variance), "",
        f"Batch means scatter with σ/√n: here σ is {theory:.2f}, so {theory / 2:.2f} for n = 4, "
        f"and {theory / 8:.2f} for n = 64.",
        f"In a batch of one, the picture is its own mean: ({x} - {x}) / √(0 + ε) + {beta} = "
        f"{beta}, for every picture.",
        "The output is β, and all information is lost.", ""])


def main():
    """Write the two files."""
    data = make()
    (FOLDER / "batchsize.data.js").write_text(script(data), encoding="utf-8")
    (FOLDER / "batchsize.example.txt").write_text(example(data), encoding="utf-8")


if __name__ == "__main__":
    main()
