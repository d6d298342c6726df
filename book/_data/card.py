"""Draw the picture that messengers show when somebody shares a page: book/_static/card.png.

`python book/_data/card.py` writes it: the example of the first page, a picture, a kernel and
their result, in the colours and letters of the book. Messengers want 1200 by 630 pixels.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrow, Rectangle

BOOK = Path(__file__).parents[1]
PLACE = BOOK / "_static" / "card.png"
WIDTH, HEIGHT, DPI = 1200, 630, 100
INPUT, KERNEL, OUTPUT = "#0072B2", "#E69F00", "#009E73"
INK, CELL = "#1F2937", 58  # pixels

SEVEN = torch.tensor([[0., 0, 0, 0, 0], [1, 1, 1, 1, 0], [0, 0, 0, 1, 0],
                      [0, 0, 0, 1, 0], [0, 0, 0, 1, 0]])
STROKE = torch.tensor([[-1., 2, -1]] * 3)
WINDOW = (2, 2)  # the framed one: row and column


def table(ax, values, left, top, color):
    """Draw a table of whole numbers; above 0, the larger is the darker."""
    for i, row in enumerate(values.int().tolist()):
        for j, value in enumerate(row):
            strength = 0.05 + 0.6 * max(value, 0) / values.max().item()
            face = [1 - strength * (1 - part) for part in to_rgb(color)]
            x, y = left + j * CELL, top + i * CELL
            ax.add_patch(Rectangle((x, y), CELL, CELL, fc=face, ec="white", lw=2))
            ax.text(x + CELL / 2, y + CELL / 2, f"{value}".replace("-", "\N{MINUS SIGN}"), size=20,
                    color=INK, ha="center", va="center_baseline")


def frame(ax, left, top, side, color):
    """Outline a square of `side` cells."""
    ax.add_patch(Rectangle((left, top), side * CELL, side * CELL, fill=False, ec=color, lw=5))


def draw():
    """Return the figure, WIDTH by HEIGHT pixels at DPI."""
    fig = plt.figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI)
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    ax.axis("off")
    ax.text(80, 100, "ConvNets by Hand", size=48, weight="bold", va="center")
    ax.text(80, 170, "First on paper, then in code, and proved equal to PyTorch’s.", size=21,
            va="center")
    result = F.conv2d(SEVEN[None, None], STROKE[None, None])[0, 0]
    i, j = WINDOW
    table(ax, SEVEN, 80, 270, INPUT)
    table(ax, STROKE, 488, 328, KERNEL)
    table(ax, result, 946, 328, OUTPUT)
    frame(ax, 80 + j * CELL, 270 + i * CELL, 3, KERNEL)
    frame(ax, 946 + j * CELL, 328 + i * CELL, 1, INK)
    ax.text(429, 415, "\N{ASTERISK OPERATOR}", size=44, ha="center", va="center_baseline")
    ax.add_patch(FancyArrow(730, 415, 130, 0, width=5, head_width=26, head_length=26,
                            length_includes_head=True, fc=INK, ec=INK, lw=0))
    return fig


def main(path=PLACE):
    """Write the picture to `path`."""
    with plt.style.context(BOOK / "book.mplstyle"):
        fig = draw()
        # not cut to what is drawn, as the book's figures are
        fig.savefig(path, dpi=DPI, bbox_inches=fig.bbox_inches, metadata={"Software": None})
        plt.close(fig)


if __name__ == "__main__":
    main()
