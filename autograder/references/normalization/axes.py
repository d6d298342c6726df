"""Which axes share a mean: known mistakes and hidden tests."""

from autograder.references import Behaviour, Mistake, Task
from autograder.references.normalization import functions as right


def _swapped(kind, bend):
    """The right axes, but for one kind of norm."""
    def wrong(asked, ndim):
        axes = right.which_axes(asked, ndim)
        return bend(ndim) if asked == kind else axes
    return wrong


WHICH_AXES = [
    Mistake("batch norm averages over the channels",
            "Batch norm has one mean per channel: every axis but axis 1.",
            _swapped("batch", lambda ndim: tuple(range(1, ndim)))),
    Mistake("batch norm averages over the samples alone",
            "All pixels of a channel share a mean: add the axes of height and width.",
            _swapped("batch", lambda ndim: (0,))),
    Mistake("batch norm averages over everything",
            "Leave out axis 1: each channel has a mean of its own.",
            _swapped("batch", lambda ndim: tuple(range(ndim)))),
    Mistake("layer norm averages over the channels of one pixel",
            "Here a layer is all of a sample: channels, height and width.",
            _swapped("layer", lambda ndim: (1,))),
    Mistake("layer norm averages over the last axis alone",
            "Here a layer is all of a sample: every axis but axis 0.",
            _swapped("layer", lambda ndim: (ndim - 1,))),
    Mistake("layer norm averages over everything",
            "Leave out axis 0: each sample has a mean of its own.",
            _swapped("layer", lambda ndim: tuple(range(ndim)))),
    Mistake("instance norm averages over the samples",
            "Each sample has its own mean for each channel: leave out axes 0 and 1.",
            _swapped("instance", lambda ndim: (0, *range(2, ndim)))),
    Mistake("instance norm averages over the channels",
            "Each channel has its own mean in each sample: leave out axes 0 and 1.",
            _swapped("instance", lambda ndim: tuple(range(1, ndim)))),
    Mistake("group norm's axes are those of the tensor before it is reshaped",
            "After the reshape to (N, groups, C // groups, ...), there is one axis more.",
            _swapped("group", lambda ndim: tuple(range(1, ndim)))),
    Mistake("group norm averages over the groups",
            "Axis 1 of the reshaped tensor numbers the groups: leave it out.",
            _swapped("group", lambda ndim: tuple(range(1, ndim + 1)))),
    Mistake("group norm leaves out the channels of a group",
            "The channels of one group, axis 2 of the reshaped tensor, share a mean.",
            _swapped("group", lambda ndim: tuple(range(3, ndim + 1)))),
    Mistake("there are always four axes",
            "Use ndim: vectors have two axes, sequences three, videos five.",
            lambda kind, ndim: right.which_axes(kind, ndim) and right.which_axes(kind, 4)),
    Mistake("an unknown kind is given axes",
            "Raise a ValueError for a kind that is not one of the four.",
            lambda kind, ndim: right.which_axes(kind if kind in right.AXES else "batch", ndim)),
    Mistake("instance norm of vectors is given no axes",
            "Without height and width, each mean would be that of one number: a ValueError.",
            lambda kind, ndim: () if (kind, ndim) == ("instance", 2)
            else right.which_axes(kind, ndim)),
]


def which_axes():
    """Tests of the axes."""
    kinds = tuple(right.AXES)
    return Task(right.which_axes, {
        "pictures": Behaviour(lambda draw: [(kind, 4) for kind in kinds],
                              driver="normalization.axes"),
        "ranks": Behaviour(lambda draw: [
            ("batch", 2), ("batch", 3), ("layer", 2), ("group", 3), ("instance", 3),
            *((kind, 5) for kind in kinds),
        ], driver="normalization.axes"),
        "refuses": Behaviour(lambda draw: [("instance", 2), ("weight", 4), ("spectral", 3)],
                             driver="normalization.axes"),
    }, WHICH_AXES)
