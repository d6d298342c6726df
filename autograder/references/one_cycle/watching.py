"""The watcher of activations: known mistakes and hidden tests."""

import torch

from autograder.references import Behaviour, Mistake, Task
from autograder.references.one_cycle import learning as right


def _with(**methods):
    """The watcher with some of its methods replaced."""
    return type("ActivationStats", (right.ActivationStats,), methods)


def _row(**columns):
    """Other numbers in a row: functions of (activations, bins, limit)."""
    def row(self, output):
        bent = {name: column(output, self.bins, self.limit) for name, column in columns.items()}
        return right.row(output, self.bins, self.limit) | bent
    return _with(row=row)


def _share(condition):
    return lambda a, bins, limit: condition(a).double().mean()


def _silent(a):
    """Which channels are 0 for each picture, (N, C)."""
    return (a == 0).flatten(2).all(dim=2) if a.dim() > 2 else a == 0


def _listener(**how):
    """A hook that listens in any mode, notes the graph, or answers something."""
    def listener(self, index):
        def listen(module, inputs, output):
            if module.training or how.get("eval"):
                self.note(index, inputs[0] if how.get("inputs") else output)
            return output.detach() if how.get("answers") else None
        return listen
    return listener


def _graph(self, output):
    """A row whose mean drags the graph along."""
    return right.row(output.detach(), self.bins, self.limit) | {"mean": output.mean()}


def _keep(rows):
    """Keep some of the rows written so far."""
    def note(self, index, output):
        self.stats[index] = rows([*self.stats[index], self.row(output)])
    return note


def _running(rows):
    """All rows replaced by one that holds the means of all."""
    return [{name: torch.stack([torch.as_tensor(r[name]).double() for r in rows]).mean(0)
             for name in rows[0]}]


def _together(self, index, output):
    """Write all rows into the first list."""
    self.stats[0].append(self.row(output))


def _leave(self, *error):
    """Leave the hooks where they are."""


def _leave_after_error(self, kind, *error):
    """Take the hooks away only if nothing happened."""
    if kind is None:
        right.ActivationStats.__exit__(self, kind, *error)


def _swallow(self, *error):
    """Take the hooks away, and exceptions too."""
    right.ActivationStats.__exit__(self, *error)
    return True


def _leave_one(self, *error):
    """Take only the last hook away."""
    self.handles[-1].remove()


ACTIVATION_STATS = [
    Mistake("the standard deviation is the biased one",
            "Take output.std() as torch gives it.",
            _row(std=lambda a, bins, limit: a.std(correction=0))),
    Mistake("std is the variance", "Take output.std(), its root.",
            _row(std=lambda a, bins, limit: a.var())),
    Mistake("mean and std are those of the first sample",
            "Take them over the whole batch.",
            _row(mean=lambda a, bins, limit: a[0].mean(), std=lambda a, bins, limit: a[0].std())),
    Mistake("the mean is that of the absolute values", "Take the mean of the values themselves.",
            _row(mean=lambda a, bins, limit: a.abs().mean())),
    Mistake("negative numbers count as near zero",
            "fastai counts value <= 0.05. Here near zero is abs(value) <= 0.05.",
            _row(near_zero=_share(lambda a: a <= 0.05))),
    Mistake("only exact zeros count as near zero", "Near zero is abs(value) <= 0.05.",
            _row(near_zero=_share(lambda a: a == 0))),
    Mistake("dead is the share of zeros",
            "A channel is dead if it is 0 everywhere, for the whole batch.",
            _row(dead=_share(lambda a: a == 0))),
    Mistake("channels that are negative everywhere count as dead",
            "Dead is exactly 0: a negative number lets gradients pass.",
            _row(dead=_share(lambda a: (a <= 0).transpose(0, 1).flatten(1).all(dim=1)))),
    Mistake("channels whose sum is 0 count as dead",
            "Ask whether all values are 0: positive and negative ones may cancel.",
            _row(dead=_share(lambda a: a.transpose(0, 1).flatten(1).sum(1).abs() < 1e-9))),
    Mistake("channels that are near zero everywhere count as dead",
            "Dead is exactly 0: the 0.05 belongs to near_zero.",
            _row(dead=_share(lambda a: (a.abs() <= 0.05).transpose(0, 1).flatten(1).all(1)))),
    Mistake("dead is judged picture by picture",
            "A channel that one picture wakes is not dead.",
            _row(dead=_share(_silent))),
    Mistake("a channel that is 0 for one picture counts as dead",
            "It must be 0 for every picture of the batch.",
            _row(dead=_share(lambda a: _silent(a).any(dim=0)))),
    Mistake("pictures that are 0 in every channel are counted, not channels",
            "Channels are axis 1.",
            _row(dead=_share(lambda a: (a == 0).flatten(1).all(dim=1)))),
    Mistake("dead is a number of channels", "It is a share: divide by the number of channels.",
            _row(dead=lambda a, bins, limit: right.row(a, bins, limit)["dead"] * a.shape[1])),
    Mistake("the histogram begins at 0",
            "fastai's drops all negative numbers. Here it goes from -limit to limit.",
            _row(hist=lambda a, bins, limit: torch.histc(a.clamp(max=limit), bins, 0, limit))),
    Mistake("numbers beyond the limit are not counted",
            "They belong into the outermost bins: clamp before you count.",
            _row(hist=lambda a, bins, limit: torch.histc(a, bins, -limit, limit))),
    Mistake("the histogram spans the values of the batch",
            "It goes from -limit to limit, so that batches can be compared.",
            _row(hist=lambda a, bins, limit: torch.histc(a, bins))),
    Mistake("the histogram holds shares", "It holds counts.",
            _row(hist=lambda a, bins, limit: right.row(a, bins, limit)["hist"] / a.numel())),
    Mistake("bins and limit are ignored", "They are arguments.",
            _row(hist=lambda a, bins, limit: right.row(a, 40, 10.0)["hist"])),
    Mistake("batches in evaluation mode are recorded",
            "Write down only what a module puts out while module.training is true.",
            _with(listener=_listener(eval=True))),
    Mistake("the inputs are recorded", "A hook gets (module, inputs, output).",
            _with(listener=_listener(inputs=True))),
    Mistake("only the last batch is kept", "stats[i] holds one row for each batch.",
            _with(note=_keep(lambda rows: rows[-1:]))),
    Mistake("the rows are averaged", "stats[i] holds one row for each batch.",
            _with(note=_keep(_running))),
    Mistake("the newest batch comes first", "Append: the first batch is stats[i][0].",
            _with(note=_keep(lambda rows: [rows[-1], *rows[:-1]]))),
    Mistake("all modules share one list", "stats[i] belongs to modules[i].",
            _with(note=_together)),
    Mistake("the hooks stay after an exception",
            "Remove them in __exit__, or in a finally: both run after an exception too.",
            _with(__exit__=_leave_after_error)),
    Mistake("the hooks stay after the end",
            "Keep the handles, and call remove() of each in __exit__.", _with(__exit__=_leave)),
    Mistake("only the last hook is removed", "Keep all handles, in a list.",
            _with(__exit__=_leave_one)),
    Mistake("exceptions inside the block are swallowed",
            "__exit__ must not return True.", _with(__exit__=_swallow)),
    Mistake("the statistics hold the graph",
            "Call output.detach() first: otherwise no batch's memory is ever freed.",
            _with(listener=_listener(), row=_graph)),
    Mistake("the hook answers, and its answer replaces the output",
            "A hook that returns something changes the network: return None.",
            _with(listener=_listener(answers=True))),
]


def _conv(draw, scale=1.0, channels=4):
    """A convolution whose first channel is always 0, its second always negative."""
    weight, bias = draw.normal(channels, 2, 3, 3) * scale, draw.normal(channels)
    weight[:2], bias[:2] = 0, torch.tensor([0.0, -1.5])
    return ("Conv2d", {"in_channels": 2, "out_channels": channels, "kernel_size": 3},
            {"weight": weight, "bias": bias})


def _pictures(draw, count=3):
    return tuple(draw.normal(3 + i, 2, 6, 5) for i in range(count))


def _cancelling(draw):
    """Batches (N, 6) for a ReLU that is leaky or not: sums of 0, zeros for one sample or all."""
    batches = []
    for count in (4, 6):
        x = draw.normal(count, 6)
        x[:, 0], x[:, 1], x[0, 2], x[0, 3] = 0, -x[:, 1].abs(), 0, 0
        x[1] = 0
        x[:, 4] = torch.tensor([2.0, -2.0]).repeat(count // 2)
        x[:, 5] *= 0.01  # near zero, and not dead
        x[-1, [2, 3, 5]] = x[-1, [2, 3, 5]].abs()  # so the ReLU silences 0 and 1 alone, in any draw
        batches.append(x)
    return tuple(batches)


def ActivationStats():  # noqa: N802, the name of the class that it tests
    """Tests of the watcher."""
    relu = ("ReLU", {})

    def watched(draw):
        return [(((_conv(draw), relu), _pictures(draw)),)]

    return Task(right.ActivationStats, {
        "mean_std": Behaviour(watched, driver="one_cycle_watching.mean_and_std"),
        "near_zero": Behaviour(lambda draw: [
            (((_conv(draw, 0.1), relu), _pictures(draw)),),
            (((("Identity", {}),), tuple(x / 20 for x in _pictures(draw))),),
        ], driver="one_cycle_watching.near_zero"),
        "dead": Behaviour(lambda draw: [
            (((_conv(draw), relu), _pictures(draw)),),
            (((("Identity", {}), relu), _cancelling(draw)),),
        ], driver="one_cycle_watching.dead"),
        "hist": Behaviour(lambda draw: [
            (((_conv(draw, 3.0), relu), _pictures(draw)),),
            (((_conv(draw),), _pictures(draw)), {"bins": 7, "limit": 2.0}),
        ], driver="one_cycle_watching.histograms"),
        "evaluation": Behaviour(lambda draw: [
            (((_conv(draw), relu), _pictures(draw, 4)),),
        ], driver="one_cycle_watching.modes"),
        "removed": Behaviour(watched, driver="one_cycle_watching.left_behind"),
        "exception": Behaviour(watched, driver="one_cycle_watching.interrupted"),
        "untouched": Behaviour(watched, driver="one_cycle_watching.outputs"),
    }, ACTIVATION_STATS)
