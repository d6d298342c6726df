"""Drivers of the 1cycle assignment's functions that train: the range test and the loop."""

import torch
import torch.nn.functional as F
from torch.optim.lr_scheduler import OneCycleLR

from autograder.drivers.one_cycle import column_of, fresh, optimizer_of
from autograder.drivers.receptive_fields import network


def batches_of(x, y, size):
    """A list of (x, y), the last one maybe smaller."""
    return list(zip(x.split(size), y.split(size), strict=True))


def _range_test(fn, args, kwargs):
    layers, description, (x, y, size), *rest = args
    model = network(layers)
    optimizer = optimizer_of(description, model.parameters())
    for _ in range(2):  # so that there is something in the optimizer's memory
        F.cross_entropy(model(x[:size]), y[:size]).backward()
        optimizer.step()
        optimizer.zero_grad()
    before = [{name: value.clone() for name, value in part.items()}
              for part in (dict(model.named_parameters()), dict(model.named_buffers()),
                           _memory(optimizer))]
    lrs, losses = fn(model, optimizer, batches_of(x, y, size), *rest, **kwargs)
    after = dict(model.named_parameters()), dict(model.named_buffers()), _memory(optimizer)
    same = [old.keys() == new.keys() and all(torch.equal(old[name], new[name]) for name in old)
            for old, new in zip(before, after, strict=True)]
    return column_of(lrs), column_of(losses), same, optimizer.param_groups[0]["lr"]


def _memory(optimizer):
    """What an optimizer keeps per parameter, by number and name."""
    return {f"{number}.{name}": torch.as_tensor(value)
            for number, kept in enumerate(optimizer.state.values())
            for name, value in kept.items() if value is not None}


def range_rates(fn, args, kwargs):
    """The rates of a range test."""
    return _range_test(fn, args, kwargs)[0]


def range_losses(fn, args, kwargs):
    """The losses of a range test."""
    return _range_test(fn, args, kwargs)[1]


def range_both(fn, args, kwargs):
    """Rates and losses, each as long as the run."""
    lrs, losses, *_ = _range_test(fn, args, kwargs)
    return {"rates": lrs, "losses": losses}


def range_model(fn, args, kwargs):
    """Whether the model is as it was."""
    _, _, (parameters, buffers, _), _ = _range_test(fn, args, kwargs)
    return {"parameters as before": parameters, "buffers as before": buffers}


def range_optimizer(fn, args, kwargs):
    """Whether the optimizer is as it was."""
    _, _, (_, _, memory), rate = _range_test(fn, args, kwargs)
    return {"rate": column_of([rate]), "memory as before": memory}


def _cycle(description, max_lr, total_steps):
    """The settings of a 1cycle schedule for each step."""
    optimizer, settings = fresh(description), []
    planned, group = OneCycleLR(optimizer, max_lr, total_steps), optimizer.param_groups[0]
    for _ in range(total_steps):
        settings.append({key: group[key] for key in ("lr", "momentum", "betas") if key in group})
        optimizer.step()
        planned.step()
    return settings


class Plan:
    """A schedule with step() and get_last_lr(), which writes each call down."""

    def __init__(self, optimizer, description, total_steps, log, max_lr=None, lr=None):
        self.optimizer, self.log, self.number = optimizer, log, 0
        self.settings = (_cycle(description, max_lr, total_steps) if lr is None
                         else [{"lr": lr}] * total_steps)
        optimizer.param_groups[0].update(self.settings[0])

    def step(self):
        """Go on to the next step's settings; the last ones stay."""
        self.log.append("scheduler.step")
        self.number = min(self.number + 1, len(self.settings) - 1)
        self.optimizer.param_groups[0].update(self.settings[self.number])

    def get_last_lr(self):
        """The rate of the only group, in a list."""
        return [self.optimizer.param_groups[0]["lr"]]


def _train(fn, args, kwargs):
    """Train the network that args describe: its log, and the history that came back."""
    layers, (x, y, size), description, (_, options), epochs = args
    model, log = network(layers).eval(), []
    loader = batches_of(x, y, size)
    optimizer = optimizer_of(description, model.parameters())
    plan = Plan(optimizer, description, epochs * len(loader), log, **options)
    model.register_forward_pre_hook(lambda module, inputs: log.append(
        "model in training mode" if module.training else "model in evaluation mode"))
    optimizer.register_step_post_hook(lambda *_: log.append("optimizer.step"))
    history = fn(model, loader, optimizer, plan, epochs, **kwargs)
    return model, log, history


def _kept(history, name):
    if not isinstance(history, dict) or name not in history:
        raise TypeError("return a dictionary with the keys loss, lr and momentum")
    return column_of(history[name])


def losses(fn, args, kwargs):
    """The losses in the history."""
    return _kept(_train(fn, args, kwargs)[2], "loss")


def kept_rates(fn, args, kwargs):
    """The rates in the history."""
    return _kept(_train(fn, args, kwargs)[2], "lr")


def kept_momenta(fn, args, kwargs):
    """The momenta in the history."""
    return _kept(_train(fn, args, kwargs)[2], "momentum")


def calls(fn, args, kwargs):
    """Who was called, in order, the model left out."""
    return [entry for entry in _train(fn, args, kwargs)[1] if not entry.startswith("model")]


def mode(fn, args, kwargs):
    """In which mode the model saw each batch; it comes in evaluation mode."""
    return [entry for entry in _train(fn, args, kwargs)[1] if entry.startswith("model")]


def digits(fn, args, kwargs):
    """The share of digits that the trained network reads, and the steps it took."""
    layers, (x, y, size, x_test, y_test), *rest = args
    model, log, _ = _train(fn, (layers, (x, y, size), *rest), kwargs)
    with torch.no_grad():
        read = (model.eval()(x_test).argmax(1) == y_test).double().mean()
    return {"steps": log.count("optimizer.step"), "share read": read}
