"""The size of the field, and how many layers it takes: known mistakes and hidden tests."""

from autograder.references import Behaviour, Mistake, Task
from autograder.references.receptive_fields import functions as right

VGG16 = ((3, 1, 1, 1),) * 2 + ((2, 2, 0, 1),) + ((3, 1, 1, 1),) * 2 + ((2, 2, 0, 1),) + 3 * (
    ((3, 1, 1, 1),) * 3 + ((2, 2, 0, 1),))
RESNET18 = ((7, 2, 3, 1), (3, 2, 1, 1)) + ((3, 1, 1, 1),) * 4 + 3 * (
    ((3, 2, 1, 1),) + ((3, 1, 1, 1),) * 3)


def _walk(growth, after=lambda jump, stride: jump * stride, order=tuple, first=1):
    """The recurrence with another growth, jump, order of layers or first value."""
    def wrong(layers):
        rf, jump = first, 1
        for layer in order(layers):
            rf += growth(*layer, jump)
            jump = after(jump, layer[1])
        return rf
    return wrong


RF_SIZE = [
    Mistake("each layer adds kernel_size - 2",
            "The window's middle was there before; k - 1 other entries are new, not k - 2.",
            _walk(lambda k, s, p, d, j: (k - 2) * d * j)),
    Mistake("each layer adds kernel_size",
            "The window's middle was there before: only k - 1 entries are new.",
            _walk(lambda k, s, p, d, j: k * d * j)),
    Mistake("the jump is left out",
            "One step in a later layer is many pixels: multiply by the strides before it.",
            _walk(lambda k, s, p, d, j: (k - 1) * d)),
    Mistake("a layer's own stride counts already for its own growth",
            "Add (k - 1) * dilation * jump first, and multiply the jump by the stride after.",
            _walk(lambda k, s, p, d, j: (k - 1) * d * j * s)),
    Mistake("the jump is the stride of the layer before, not the product of all before",
            "Two layers of stride 2 make steps of 4 pixels: jump = jump * stride.",
            _walk(lambda k, s, p, d, j: (k - 1) * d * j, after=lambda jump, stride: stride)),
    Mistake("the strides are added up",
            "Two layers of stride 2 and 3 make steps of 6 pixels: jump = jump * stride.",
            _walk(lambda k, s, p, d, j: (k - 1) * d * j,
                  after=lambda jump, stride: jump + stride - 1)),
    Mistake("the layers are taken in reverse order",
            "The first tuple is the layer next to the input.",
            _walk(lambda k, s, p, d, j: (k - 1) * d * j, order=reversed)),
    Mistake("the dilation is ignored",
            "With dilation d, neighbouring entries stand d apart: the window adds (k - 1) * d.",
            _walk(lambda k, s, p, d, j: (k - 1) * j)),
    Mistake("dilation 1 is taken for one pixel between the entries",
            "As in torch, dilation 1 is the ordinary kernel, without gaps.",
            _walk(lambda k, s, p, d, j: (k - 1) * (d + 1) * j)),
    Mistake("the dilated kernel spans dilation * kernel_size pixels",
            "Between k entries there are k - 1 gaps: it spans dilation * (k - 1) + 1 pixels.",
            _walk(lambda k, s, p, d, j: (k * d - 1) * j)),
    Mistake("the padding is added",
            "Padding moves the field, it does not widen it.",
            _walk(lambda k, s, p, d, j: ((k - 1) * d + 2 * p) * j)),
    Mistake("the padding is subtracted",
            "Padding moves the field, it does not make it narrower.",
            _walk(lambda k, s, p, d, j: ((k - 1) * d - 2 * p) * j)),
    Mistake("the field starts from 0 pixels",
            "Before any layer, a unit is a pixel, and sees one: itself.",
            _walk(lambda k, s, p, d, j: (k - 1) * d * j, first=0)),
]


def rf_size():
    """Tests of the width of the field."""
    return Task(right.rf_size, {
        "growth": Behaviour(lambda draw: [
            ((),), (((3, 1, 0, 1),),), (((3, 1, 0, 1),) * 3,), (((5, 1, 0, 1), (1, 1, 0, 1)),),
            (((2, 1, 0, 1), (7, 1, 0, 1), (4, 1, 0, 1)),),
        ]),
        "stride": Behaviour(lambda draw: [
            (((3, 2, 0, 1), (3, 2, 0, 1)),),
            (((5, 2, 0, 1), (3, 1, 0, 1), (3, 2, 0, 1), (3, 1, 0, 1)),),
            (((3, 1, 0, 1), (3, 2, 0, 1), (3, 1, 0, 1), (5, 2, 0, 1)),),
            (((3, 2, 0, 1), (3, 3, 0, 1), (3, 2, 0, 1), (3, 1, 0, 1)),),
        ]),
        "dilation": Behaviour(lambda draw: [
            (((3, 1, 0, 2),),), (((3, 1, 0, 1), (3, 1, 0, 2), (3, 1, 0, 4)),),
            (((5, 2, 0, 3), (3, 2, 0, 2), (2, 1, 0, 5)),),
        ]),
        "networks": Behaviour(lambda draw: [
            (VGG16,), (RESNET18,), (((5, 2, 2, 1),) + ((3, 2, 1, 1),) * 4,),
            (((3, 1, 3, 1), (2, 2, 0, 1), (3, 1, 4, 2)),),
        ]),
    }, RF_SIZE)


def _count(enough=lambda rf, target: rf >= target, growth=None, start=0):
    """The count with another comparison, growth or first value."""
    size = _walk(growth) if growth else right.rf_size

    def wrong(target, kernel_size, strides=()):
        right.min_layers_for_rf(target, kernel_size)  # refuses what cannot be
        count = start
        while not enough(size([(kernel_size, s, 0, 1)
                               for s in [*strides, *[1] * count][:count]]), target):
            count += 1
        return count
    return wrong


def _strides_last(target, kernel_size, strides=()):
    """Count with the strides on the last layers."""
    count = right.min_layers_for_rf(target, kernel_size) and 1
    while count and right.rf_size([(kernel_size, s, 0, 1) for s in
                                   [*[1] * count, *strides][-count:]]) < target:
        count += 1
    return count


MIN_LAYERS_FOR_RF = [
    Mistake("the field must be larger than the target",
            "At least `target` pixels: a field of exactly that width is wide enough.",
            _count(lambda rf, target: rf > target)),
    Mistake("one layer too many is counted",
            "Test the field before you add the layer: 3x3 reaches 3 pixels with one layer.",
            lambda target, k, strides=(): right.min_layers_for_rf(target, k, strides) + 1),
    Mistake("the strides are ignored",
            "After a layer of stride 2 each later layer adds twice as many pixels.",
            lambda target, k, strides=(): right.min_layers_for_rf(target, k)),
    Mistake("a layer's own stride counts already for its own growth",
            "Add (k - 1) * jump first, and multiply the jump by the stride after.",
            _count(growth=lambda k, s, p, d, j: (k - 1) * d * j * s)),
    Mistake("each layer adds kernel_size",
            "The window's middle was there before: only k - 1 entries are new.",
            _count(growth=lambda k, s, p, d, j: k * d * j)),
    Mistake("the strides are given to the last layers",
            "The first layers have the strides; those that follow have stride 1.",
            _strides_last),
    Mistake("there is always at least one layer",
            "A pixel sees itself: a target of 1 needs no layer.",
            _count(start=1)),
    Mistake("the count ends with the list of strides",
            "After the listed strides, the layers go on with stride 1.",
            lambda target, k, strides=(): min(
                right.min_layers_for_rf(target, k, strides), len(strides) or target)),
    Mistake("1x1 layers are given a count",
            "No number of 1x1 layers widens the field: raise a ValueError.",
            lambda target, k, strides=(): right.min_layers_for_rf(
                target, k, strides) if k > 1 else target - 1),
]


def min_layers_for_rf():
    """Tests of the number of layers."""
    return Task(right.min_layers_for_rf, {
        "plain": Behaviour(lambda draw: [
            (3, 3), (28, 3), (9, 3), (10, 3), (1, 3), (17, 5), (6, 2), (41, 7),
        ]),
        "strides": Behaviour(lambda draw: [
            (28, 3, (2, 2, 2, 2)), (7, 3, (2, 2)), (8, 3, (2, 2)), (100, 3, (2, 1, 2)),
            (65, 5, (2,)), (12, 3, (1, 1, 2)), (224, 3, (2, 2, 1, 2)),
        ]),
        "refuses": Behaviour(lambda draw: [(2, 1), (28, 1, (2, 2)), (2, 3)]),
    }, MIN_LAYERS_FOR_RF)
