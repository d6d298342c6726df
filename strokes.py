"""Stroke digits: ten classes of 28 x 28 pictures that numpy draws, offline.

Each digit is a skeleton of line segments.
A picture bends, slants, rotates and shifts the skeleton, and a pen of random width draws it.
The same arguments give the same bytes with every numpy version and processor tried.

`StrokeDigits` takes the place of `torchvision.datasets.MNIST`.
`load` returns normalized tensors of either.
"""

import functools
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision import datasets

__all__ = ["MEAN", "STD", "StrokeDigits", "draw", "load"]

# Fixed on purpose: a computed mean changes in its last digits with the number of threads,
# and a long training run makes that visible.
MEAN, STD = 0.13, 0.31

SIZE = 28
N_TRAIN, N_TEST = 4000, 1000
PICTURES_AT_ONCE = 400  # bounds the memory of `draw`; the bytes depend on it


def _arc(x, y, width, height, start, stop, n):
    """n points on an ellipse, from one angle to another in degrees, as (n, 2)."""
    angle = np.linspace(np.deg2rad(start), np.deg2rad(stop), n)
    return np.stack([x + width * np.cos(angle), y - height * np.sin(angle)], 1)


def _line(*points):
    return np.array(points, float)


def _join(*parts):
    return np.concatenate(parts)


# The strokes of each digit, in a unit square with x to the right and y down.
SKELETONS = [
    [_arc(.5, .5, .26, .38, 90, 450, 16)],
    [_line((.34, .27), (.53, .12), (.53, .88))],
    [_join(_arc(.5, .33, .23, .21, 160, -40, 9), _line((.27, .86), (.77, .86)))],
    [_join(_arc(.48, .31, .22, .19, 150, -90, 9), _arc(.47, .68, .26, .19, 90, -150, 9))],
    [_line((.60, .12), (.22, .62), (.80, .62)), _line((.62, .40), (.62, .90))],
    [_join(_line((.74, .12), (.34, .12), (.30, .47)), _arc(.48, .65, .25, .22, 120, -150, 10))],
    [_join(_line((.64, .10)), _arc(.52, .63, .26, .40, 120, 180, 5),
           _arc(.50, .67, .24, .21, 180, 540, 14))],
    [_line((.24, .13), (.76, .13), (.42, .88))],
    [_join(_arc(.5, .31, .20, .19, -90, 270, 12), _arc(.5, .69, .25, .20, 90, -270, 12))],
    [_join(_arc(.50, .33, .23, .21, 0, 360, 14), _line((.73, .33), (.68, .62), (.56, .88)))],
]


def _hands(rng, m, level):
    """How m pictures are written: one number each; wobble is (m, 2, 4, 4)."""
    # A dict is built in order, so the draws follow one another as written.
    return {
        "angle": rng.uniform(-.22, .22, m) * level,
        "width": rng.uniform(.72, 1.1, m),
        "height": rng.uniform(.85, 1.1, m),
        "slant": rng.uniform(-.35, .3, m) * level,
        "shift": rng.uniform(-1.5, 1.5, (2, m)) * level,
        "pen": rng.uniform(.8, 1.9, m),
        "wobble": rng.normal(0, .055 * level, (m, 2, 4, 4)),
    }


def _bend(stroke, wobble):
    """Move the points of a (p, 2) stroke by a smooth field: (m, p, 2)."""
    cell = stroke.clip(0, .999) * 3
    col, row = cell.astype(int).T
    right, down = (cell - np.stack([col, row], 1)).T
    points = np.broadcast_to(stroke, (len(wobble), *stroke.shape)).copy()
    for axis in range(2):
        field = wobble[:, axis]
        points[:, :, axis] += (field[:, row, col] * (1 - right) * (1 - down)
                               + field[:, row, col + 1] * right * (1 - down)
                               + field[:, row + 1, col] * (1 - right) * down
                               + field[:, row + 1, col + 1] * right * down)
    return points


def _place(points, hands):
    """Slant, rotate and shift (m, p, 2) points; x and y in pixels, (m, p)."""
    points = (points - .5) * 22
    x = points[..., 0] * hands["width"][:, None]
    y = points[..., 1] * hands["height"][:, None]
    x = x - hands["slant"][:, None] * y
    cos, sin = np.cos(hands["angle"])[:, None], np.sin(hands["angle"])[:, None]
    right, down = hands["shift"][:, :, None]
    x, y = cos * x - sin * y + SIZE / 2 + right, sin * x + cos * y + SIZE / 2 + down
    return x.astype(np.float32), y.astype(np.float32)


def _squared_distance(x, y):
    """Squared distance of each pixel to the polyline (m, p): (m, 28, 28)."""
    centre = np.arange(SIZE) + .5
    down, right = np.meshgrid(centre, centre, indexing="ij")
    nearest = np.full((len(x), SIZE, SIZE), 1e9, np.float32)
    for i in range(x.shape[1] - 1):
        x0, y0 = x[:, i, None, None], y[:, i, None, None]
        dx, dy = x[:, i + 1, None, None] - x0, y[:, i + 1, None, None] - y0
        # t runs from 0 to 1 along the segment; 1e-6 guards a point segment
        t = ((right - x0) * dx + (down - y0) * dy) / (dx * dx + dy * dy + 1e-6)
        t = t.clip(0, 1).astype(np.float32)
        nearest = np.minimum(nearest, (right - x0 - t * dx) ** 2 + (down - y0 - t * dy) ** 2)
    return nearest


@functools.lru_cache(maxsize=4)
def draw(n=N_TRAIN + N_TEST, seed=0, level=1.6):
    """Draw n digits; `level` scales how far they bend, slant, rotate and shift.

    Returns pixels, uint8 of shape (n, 28, 28), 0 the paper and 255 the ink,
    and labels, int64 of shape (n,), each from 0 to 9.
    Both arrays are kept for the next call and therefore read-only.
    Raises ValueError if n or level is negative.
    """
    if n < 0 or level < 0:
        raise ValueError(f"draw(n={n}, level={level}): both must be 0 or more")
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, n).astype(np.int64)
    pixels = np.empty((n, SIZE, SIZE), np.uint8)
    for digit, strokes in enumerate(SKELETONS):
        all_rows = np.flatnonzero(labels == digit)
        for start in range(0, len(all_rows), PICTURES_AT_ONCE):
            rows = all_rows[start:start + PICTURES_AT_ONCE]
            hands = _hands(rng, len(rows), level)
            bent = [_bend(stroke, hands["wobble"]) for stroke in strokes]
            squared = np.minimum.reduce([_squared_distance(*_place(b, hands)) for b in bent])
            # Ink falls from 1 to 0 over 0.9 pixel around the pen's edge.
            edge = hands["pen"][:, None, None] - np.sqrt(squared)
            ink = (edge / .45 / 2 + .5).clip(0, 1)
            pixels[rows] = np.rint(ink * 255).astype(np.uint8)
    pixels.flags.writeable = labels.flags.writeable = False
    return pixels, labels


class StrokeDigits(datasets.VisionDataset):
    """Stroke digits behind the interface of `torchvision.datasets.MNIST`.

    An item is a PIL image (mode "L", 28 x 28) after `transform` and an int from 0 to 9 after
    `target_transform`.
    `data` is uint8 of shape (N, 28, 28), `targets` int64 of shape (N,).
    5,000 pictures are drawn: the first 4,000 to train, the last 1,000 to test.
    `root` and `download` are accepted so that this class and MNIST can change places: the
    pictures are drawn in memory, and nothing is read, written or downloaded.
    """

    classes = datasets.MNIST.classes

    def __init__(self, root=None, train=True, transform=None, target_transform=None,
                 download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        part = slice(0, N_TRAIN) if train else slice(N_TRAIN, None)
        pixels, labels = draw()
        # copies: a reader may change them, as with MNIST
        self.data = torch.from_numpy(pixels[part].copy())
        self.targets = torch.from_numpy(labels[part].copy())

    @property
    def class_to_idx(self):
        """Class name to label, for instance "0 - zero" to 0."""
        return {name: label for label, name in enumerate(self.classes)}

    def __len__(self):
        """Count the pictures of this split."""
        return len(self.data)

    def __getitem__(self, index):
        """Return picture and label number `index`, an int."""
        image = Image.fromarray(self.data[index].numpy())
        target = int(self.targets[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def extra_repr(self):
        """The line that `repr` adds: which split this is."""
        return f"Split: {'Train' if self.train else 'Test'}"


# What torchvision raises, from a dead network to a truncated file.
_ERRORS = (OSError, RuntimeError, ValueError, AssertionError, TypeError, KeyError, HTTPException)


def _from_files(name, root, train, download):
    """torchvision's MNIST or FashionMNIST, or one line that says what is wrong."""
    folder = Path(root).expanduser() / name / "raw"
    files = [folder / f"{split}-{kind}-ubyte" for split in ("train", "t10k")
             for kind in ("images-idx3", "labels-idx1")]
    fetch = f"call load({name!r}, root={str(root)!r}, download=True) with a network"
    instead = "or use load('StrokeDigits'), which needs no files"
    try:
        dataset = getattr(datasets, name)(root, train=train, download=download)
        if dataset.data.shape != (len(dataset.targets), SIZE, SIZE):
            raise ValueError(f"{len(dataset.targets)} labels for pictures of shape "
                             f"{tuple(dataset.data.shape)}")
    except _ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if all(file.is_file() for file in files):
            split = "train" if train else "t10k"
            raise ValueError(f"{name}: the {split} files in {folder} cannot be read ({reason}): "
                             f"delete them and {fetch}, {instead}") from None
        if download:
            raise RuntimeError(f"{name} could not be downloaded to {folder} ({reason}): "
                               f"try again with a network, {instead}") from None
        raise FileNotFoundError(f"{name} is not in {folder}: put its four unzipped idx files "
                                f"there, or {fetch}, {instead}") from None
    return dataset


def load(dataset="StrokeDigits", root="data", n_train=N_TRAIN, n_test=N_TEST,
         dtype=torch.float64, download=False):
    """Return x_train, y_train, x_test, y_test, normalized, in the order of the files.

    x has shape (N, 1, 28, 28) and is (pixel / 255 - 0.13) / 0.31; y is int64 of shape (N,).
    `dataset` is "StrokeDigits", or "MNIST" or "FashionMNIST" read from the folder `root`.
    Raises ValueError for a wrong argument or a damaged file, FileNotFoundError for missing
    files, RuntimeError if `download` is asked for and fails.
    """
    names = ("StrokeDigits", "MNIST", "FashionMNIST")
    if dataset not in names:
        raise ValueError(f"no dataset {dataset!r}: use one of {', '.join(names)}")
    if not dtype.is_floating_point:
        raise ValueError(f"dtype is {dtype}: use torch.float64 or torch.float32")
    parts = []
    for train, n in ((True, n_train), (False, n_test)):
        if dataset == "StrokeDigits":
            pictures = StrokeDigits(train=train)
        else:
            pictures = _from_files(dataset, root, train, download)
        if not 0 <= n <= len(pictures):
            argument = "n_train" if train else "n_test"
            raise ValueError(f"{argument} is {n}: {dataset} has {len(pictures)} such pictures, "
                             f"ask for 0 to {len(pictures)}")
        x = pictures.data[:n, None].to(dtype)
        parts += [(x / 255 - MEAN) / STD, pictures.targets[:n]]
    return tuple(parts)
