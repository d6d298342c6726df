"""Size, jump, field and start of every layer, and one unit's region: mistakes and hidden tests."""

import math

from autograder.references import Behaviour, Mistake, Task
from autograder.references.receptive_fields import functions as right
from autograder.references.receptive_fields.size import RESNET18, VGG16


def _table(step, first=0.0):
    """The table with a bent step: `step` maps a row, a layer and the right next row to the next."""
    def wrong(layers, input_size):
        rows = [right.rf_table((), input_size)[0] | {"start": first}]
        for layer, row in zip(layers, right.rf_table(layers, input_size)[1:], strict=True):
            rows.append(row | step(rows[-1], layer, row))
        return rows
    return wrong


def _start(move):
    """The table with another movement of the centre, in pixels: `move(k, s, p, d, jump)`."""
    return _table(lambda old, layer, row: {"start": old["start"] + move(*layer, old["jump"])})


def _ceil_size(old, layer, row):
    """Count windows that hang over the edge."""
    k, s, p, d = layer
    return {"size": math.ceil((old["size"] + 2 * p - d * (k - 1) - 1) / s) + 1}


RF_TABLE = [
    Mistake("the row of the input is missing",
            "Begin with the input itself: size input_size, jump 1, rf 1, start 0.",
            lambda layers, n: right.rf_table(layers, n)[1:]),
    Mistake("the division of the size is rounded up",
            "A window that runs over the edge does not count: divide with `//`.",
            _table(_ceil_size)),
    Mistake("the padding is counted on one side only",
            "Padding is added on both sides: the row grows by 2 * padding.",
            _table(lambda old, layer, row: {
                "size": (old["size"] + layer[2] - layer[3] * (layer[0] - 1) - 1) // layer[1] + 1})),
    Mistake("the size of a dilated layer is that of an undilated one",
            "A dilated kernel spans dilation * (kernel_size - 1) + 1 units.",
            _table(lambda old, layer, row: {
                "size": (old["size"] + 2 * layer[2] - layer[0]) // layer[1] + 1})),
    Mistake("a window that does not fit is given a size",
            "Raise a ValueError when the window is larger than the padded row.",
            lambda layers, n: [{"size": n, "jump": 1, "rf": 1, "start": 0.0}] * (len(layers) + 1)),
    Mistake("the jump is the layer's own stride",
            "Strides multiply: after two layers of stride 2, neighbours are 4 pixels apart.",
            _table(lambda old, layer, row: {
                "jump": layer[1], "rf": old["rf"] + (layer[0] - 1) * layer[3] * old["jump"]})),
    Mistake("a layer's own stride counts already for its own growth",
            "Add (k - 1) * dilation * jump with the jump of the layer before.",
            _table(lambda old, layer, row: {
                "rf": old["rf"] + (layer[0] - 1) * layer[3] * row["jump"]})),
    Mistake("the dilation does not widen the field",
            "With dilation d the window adds (k - 1) * d steps of the layer before.",
            _table(lambda old, layer, row: {"rf": old["rf"] + (layer[0] - 1) * old["jump"]})),
    Mistake("start is rounded down to a whole pixel",
            "With an even kernel the centre lies between two pixels: keep the half.",
            _table(lambda old, layer, row: {"start": math.floor(row["start"])})),
    Mistake("the half of an even kernel is rounded down in each layer",
            "Half of k - 1 is 0.5 for k = 2: divide with `/`, not `//`.",
            _start(lambda k, s, p, d, j: ((k - 1) * d // 2 - p) * j)),
    Mistake("the centre of pixel 0 is taken to be 0.5",
            "Here pixel 0 has its centre at 0, so that start is an index.",
            _table(lambda old, layer, row: {"start": row["start"] + 0.5}, first=0.5)),
    Mistake("start is the left edge of the field, not its centre",
            "The centre lies (rf - 1) / 2 to the right of the first pixel.",
            _table(lambda old, layer, row: {"start": row["start"] - (row["rf"] - 1) / 2})),
    Mistake("the padding moves start by pixels, not by jumps",
            "One unit of padding is as wide as a step of the layer that it pads: times the jump.",
            _start(lambda k, s, p, d, j: (k - 1) * d / 2 * j - p)),
    Mistake("start moves by the jump after the layer",
            "The window lies on the layer before: use the jump before you multiply it.",
            _start(lambda k, s, p, d, j: ((k - 1) * d / 2 - p) * j * s)),
    Mistake("start ignores the padding",
            "Padding moves unit 0 to the left: subtract padding * jump.",
            _start(lambda k, s, p, d, j: (k - 1) * d / 2 * j)),
    Mistake("start ignores the dilation",
            "The middle of a dilated kernel lies (k - 1) * dilation / 2 from its first entry.",
            _start(lambda k, s, p, d, j: ((k - 1) / 2 - p) * j)),
]

LONG = ((5, 2, 1, 1), (2, 1, 0, 3), (3, 2, 2, 1), (4, 3, 0, 1), (2, 1, 1, 2))


def rf_table():
    """Tests of the table."""
    cases = (((3, 2, 1, 1), (3, 2, 1, 1)), 28), (((2, 2, 0, 1), (3, 1, 2, 1)), 13), (LONG, 121)
    return Task(right.rf_table, {
        "size": Behaviour(lambda draw: [*cases, ((), 9), (((4, 3, 0, 1),), 12),
                                        (((3, 1, 2, 2), (3, 2, 1, 3)), 20)],
                          driver="receptive_fields.sizes"),
        "rf": Behaviour(lambda draw: [*cases, (VGG16, 224), (RESNET18, 224)],
                        driver="receptive_fields.fields"),
        "start": Behaviour(lambda draw: [*cases, (((2, 1, 0, 1),) * 3, 9), (((3, 2, 3, 1),), 7),
                                         (((2, 2, 0, 1), (2, 2, 0, 1), (3, 2, 2, 1)), 40)],
                           driver="receptive_fields.starts"),
        "refuses": Behaviour(lambda draw: [(((5, 1, 0, 1),), 4), (((3, 2, 0, 1), (3, 1, 0, 1)), 5),
                                           (((3, 1, 0, 3),), 6), (((5, 1, 0, 1),), 5)],
                             driver="receptive_fields.sizes"),
    }, RF_TABLE)


def _region(bend):
    """The right answer, or its refusal, with the pair of bounds bent."""
    def wrong(layers, input_size, index):
        found = right.rf_region(layers, input_size, index)
        return found and bend(*found)
    return wrong


def _by_formula(clip, whole=False):
    """The centre and half the field to both sides, clipped at the input or not at all.

    With `whole`, the centre and the half are rounded down.
    """
    def wrong(layers, input_size, index):
        right.rf_region(layers, input_size, index)  # refuses what cannot be
        row = right.rf_table(layers, input_size)[-1]
        centre, half = row["start"] + index * row["jump"], (row["rf"] - 1) / 2
        if whole:
            centre, half = math.floor(centre), row["rf"] // 2
        low, high = int(centre - half), int(centre + half)
        if not clip:
            return low, high
        low, high = max(low, 0), min(high, input_size - 1)
        return (low, high) if low <= high else None
    return wrong


def _by_intervals(layers, input_size, index):
    """Walk back with the two ends, clipped at every layer: a gap counts as seen."""
    sizes = right.out_sizes(layers, input_size)
    right.rf_region(layers, input_size, index)
    low = high = index
    for size, (k, s, p, d) in reversed(list(zip(sizes[:-1], layers, strict=True))):
        low, high = max(low * s - p, 0), min(high * s - p + (k - 1) * d, size - 1)
    return (low, high) if low <= high else None


def _with_start_zero(layers, input_size, index):
    """Count from the first pixel: index * jump, and the field to the right."""
    right.rf_region(layers, input_size, index)
    row = right.rf_table(layers, input_size)[-1]
    low = index * row["jump"]
    return low, min(low + row["rf"] - 1, input_size - 1)


def _without_padding(layers, input_size, index):
    """Walk back with sets, and forget that padding moves the window to the left."""
    sizes, units = right.out_sizes(layers, input_size), {index}
    right.rf_region(layers, input_size, index)
    for size, (k, s, _, d) in reversed(list(zip(sizes[:-1], layers, strict=True))):
        units = {u * s + tap * d for u in units for tap in range(k) if u * s + tap * d < size}
    return (min(units), max(units)) if units else None


RF_REGION = [
    Mistake("the walk back forgets the padding",
            "The first entry of unit u's window lies at u * stride - padding.",
            _without_padding),
    Mistake("the last bound is one past the last pixel",
            "Both bounds are pixels that the unit sees.",
            _region(lambda low, high: (low, high + 1))),
    Mistake("the bounds are floats",
            "A pixel's index is an int: floats cannot index a picture.",
            _region(lambda low, high: (float(low), float(high)))),
    Mistake("the region is not clipped at the border",
            "There are no pixels before 0 or after input_size - 1: padding is not seen.",
            _by_formula(clip=False)),
    Mistake("the region is clipped at the input only",
            "Padding stands around every layer: drop what is outside in each, on the way back.",
            _by_formula(clip=True)),
    Mistake("a gap of a dilated kernel counts as seen",
            "Walk back with the set of units that the kernel's entries touch, not with two ends.",
            _by_intervals),
    Mistake("the field is taken to be rf // 2 pixels to each side",
            "An even field has no middle pixel: go (rf - 1) / 2 to both sides of the centre.",
            _by_formula(clip=True, whole=True)),
    Mistake("start is ignored",
            "Unit 0's field begins at start - (rf - 1) / 2, and with padding that is below 0.",
            _with_start_zero),
    Mistake("a negative index counts from the end",
            "Units are numbered from 0: raise an IndexError for others.",
            lambda layers, n, i: right.rf_region(
                layers, n, i + right.out_sizes(layers, n)[-1] if i < 0 else i)),
    Mistake("an index behind the last unit is answered",
            "Raise an IndexError when the last layer has no such unit.",
            lambda layers, n, i: right.rf_region(
                layers, n, min(i, right.out_sizes(layers, n)[-1] - 1))),
    Mistake("a unit that sees only padding is given pixels",
            "Return None when no pixel is left.",
            lambda layers, n, i: right.rf_region(layers, n, i) or (0, 0)),
]


def rf_region():
    """Tests of one unit's region."""
    two, pooled = ((3, 2, 1, 1), (3, 2, 1, 1)), ((3, 1, 1, 1), (2, 2, 0, 1), (3, 1, 0, 1))
    return Task(right.rf_region, {
        "inside": Behaviour(lambda draw: [
            ((), 5, 3), (two, 28, 3), (two, 28, 2), (pooled, 20, 3), (((2, 1, 0, 1),) * 3, 9, 4),
            (((3, 1, 0, 2), (3, 2, 0, 1)), 21, 5),
        ]),
        "borders": Behaviour(lambda draw: [
            (two, 28, 0), (two, 28, 1), (two, 29, 7), (pooled, 20, 0),
            (((5, 1, 2, 1),) * 3, 12, 11), (((2, 1, 1, 1),) * 2, 6, 0),
            (((3, 1, 3, 1),), 6, 1), (((3, 1, 3, 1),), 6, 0), (((1, 1, 2, 1),), 4, 6),
        ]),
        "dropped": Behaviour(lambda draw: [
            (((3, 2, 0, 1), (3, 1, 1, 1)), 8, 2), (((2, 3, 0, 1), (3, 1, 1, 1)), 10, 2),
            (((3, 3, 0, 1), (3, 2, 1, 1), (3, 1, 1, 1)), 17, 2),
            (((3, 1, 0, 1), (3, 1, 3, 3)), 9, 0), (((3, 1, 1, 1), (3, 1, 2, 4)), 10, 1),
            (((1, 2, 0, 1), (3, 1, 1, 2)), 12, 0),
        ]),
        "refuses": Behaviour(lambda draw: [
            (two, 28, 7), (two, 28, -1), (((3, 1, 0, 1),), 2, 0), (two, 28, 6),
        ]),
    }, RF_REGION)
