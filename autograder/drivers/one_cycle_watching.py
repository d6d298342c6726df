"""Drivers of the 1cycle assignment's watcher of activations."""

import torch

from autograder.drivers.receptive_fields import network


def _watch(fn, args, kwargs, modes=None):
    """Run a network under the watcher: training mode, or a mode per batch."""
    (layers, batches), *rest = args
    model = network(layers)
    with fn(list(model), *rest, **kwargs) as watcher:
        for x, training in zip(batches, modes or [True] * len(batches), strict=True):
            model.train(training)
            model(x)
    return model, watcher


def _columns(watcher, *names):
    """Per layer, what was written down for each batch: (batches,) or (batches, bins) each."""
    found = {name: [] for name in names}
    for rows in watcher.stats:
        if not all(isinstance(row, dict) and row.keys() >= set(names) for row in rows):
            raise TypeError("stats[i] is a list of dictionaries, one for each batch")
        for name in names:
            values = [torch.as_tensor(row[name]).detach().double() for row in rows]
            found[name].append(torch.stack(values) if values else torch.zeros(0))
    return {name: tuple(columns) for name, columns in found.items()}


def mean_and_std(fn, args, kwargs):
    """Mean and standard deviation per layer and batch."""
    return _columns(_watch(fn, args, kwargs)[1], "mean", "std")


def near_zero(fn, args, kwargs):
    """Share near zero per layer and batch."""
    return _columns(_watch(fn, args, kwargs)[1], "near_zero")


def dead(fn, args, kwargs):
    """Share of dead channels per layer and batch."""
    return _columns(_watch(fn, args, kwargs)[1], "dead")


def histograms(fn, args, kwargs):
    """Histogram per layer and batch."""
    return _columns(_watch(fn, args, kwargs)[1], "hist")


def modes(fn, args, kwargs):
    """What is written down when the second and third batch are evaluated."""
    return _columns(_watch(fn, args, kwargs, [True, False, False, True])[1], "mean")


def _hooks(model):
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.modules())


def left_behind(fn, args, kwargs):
    """Hooks after the end, and whether a later batch is still heard."""
    model, watcher = _watch(fn, args, kwargs)
    before = [len(rows) for rows in watcher.stats]
    model(args[0][1][0])
    return {"hooks left": _hooks(model),
            "batches heard later": sum(map(len, watcher.stats)) - sum(before)}


def interrupted(fn, args, kwargs):
    """Hooks after an exception inside, and whether it came through."""
    (layers, batches), *rest = args
    model, through = network(layers), False
    try:
        with fn(list(model), *rest, **kwargs):
            model(batches[0])
            raise KeyError("inside")
    except KeyError:
        through = True
    return {"hooks left": _hooks(model), "the exception came through": through}


def outputs(fn, args, kwargs):
    """What the network puts out while it is watched, and whether a graph is held."""
    (layers, batches), *rest = args
    model = network(layers)
    with fn(list(model), *rest, **kwargs) as watcher:
        result = model(batches[0])
    held = any(torch.is_tensor(value) and value.requires_grad
               for rows in watcher.stats for row in rows for value in row.values())
    return {"output": result, "gradients flow": result.requires_grad,
            "statistics hold a graph": held}
