"""The range test: known mistakes and hidden tests."""

import copy
import math

import torch

from autograder.references import Behaviour, Mistake, Task
from autograder.references.one_cycle import learning as right


def _bent(rates=right.range_rates, stop=right.too_large, batches=lambda loader: loader,
          weights=lambda model: copy.deepcopy(model.state_dict()),
          memory=lambda optimizer: copy.deepcopy(optimizer.state_dict()),
          put_back=lambda model, weights: model.load_state_dict(weights),
          remember=lambda optimizer, memory: optimizer.load_state_dict(memory), **how):
    """The range test with one of its parts bent."""
    def wrong(model, optimizer, loader, start_lr=1e-5, end_lr=1.0, num_iter=100):
        saved, kept = weights(model), memory(optimizer)
        found = right.range_steps(model, optimizer, batches(loader),
                                  rates(start_lr, end_lr, num_iter), stop, **how)
        put_back(model, saved)
        remember(optimizer, kept)
        return found
    return wrong


def _even(start, end, count):
    return [start + (end - start) * i / (count - 1) for i in range(count)]


def _parameters_only(model, weights):
    model.load_state_dict({**model.state_dict(), **{
        name: weights[name] for name, _ in model.named_parameters()}})


def _rate_only(optimizer, memory):
    for group, old in zip(optimizer.param_groups, memory["param_groups"], strict=True):
        group["lr"] = old["lr"]


def _state_only(optimizer, memory):
    rates = [group["lr"] for group in optimizer.param_groups]
    optimizer.load_state_dict(memory)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def _one_pass(model, optimizer, loader, start_lr=1e-5, end_lr=1.0, num_iter=100):
    """Stop where the loader ends."""
    rates = right.range_rates(start_lr, end_lr, num_iter)[:len(loader)]
    return _bent(rates=lambda *given: rates)(model, optimizer, loader)


def _kept_last(model, optimizer, loader, start_lr=1e-5, end_lr=1.0, num_iter=100):
    """Write the loss down that ends the run."""
    rates, found = right.range_rates(start_lr, end_lr, num_iter), []

    def stop(loss, losses):
        if right.too_large(loss, losses):
            found.append(loss)
        return bool(found)

    lrs, losses = _bent(stop=stop)(model, optimizer, loader, start_lr, end_lr, num_iter)
    return lrs + rates[len(lrs):len(lrs) + len(found)], losses + found


LR_RANGE_TEST = [
    Mistake("the rates have equal distances",
            "They grow by the same factor: (end_lr / start_lr) ** (i / (num_iter - 1)).",
            _bent(rates=_even)),
    Mistake("the last rate is one factor below end_lr",
            "From the first rate to the last there are num_iter - 1 factors.",
            _bent(rates=lambda low, high, n: right.range_rates(low, high, n + 1)[:-1])),
    Mistake("the first rate is one factor above start_lr",
            "The first step is made with start_lr.",
            _bent(rates=lambda low, high, n: right.range_rates(low, high, n + 1)[1:])),
    Mistake("the rates end with the loader",
            "When the loader is exhausted, begin it again.", _one_pass),
    Mistake("a loss that is not a number does not end the run",
            "nan > anything is False: ask math.isfinite(loss) too.",
            _bent(stop=lambda loss, losses: bool(losses) and loss > 4 * min(losses))),
    Mistake("every step uses the first batch", "Go on to the next batch in each step.",
            _bent(batches=lambda loader: loader[:1])),
    Mistake("the loss is measured after the step",
            "Write down the loss that the gradient came from.", _bent(_after=True)),
    Mistake("gradients of earlier batches are added",
            "Call optimizer.zero_grad() in each step.", _bent(_zero=False)),
    Mistake("the run never stops early",
            "Stop at a loss above four times the lowest so far.",
            _bent(stop=lambda loss, losses: not math.isfinite(loss))),
    Mistake("a loss is compared with the one before it",
            "Compare with the lowest of all losses so far.",
            _bent(stop=lambda loss, losses: right.too_large(loss, losses[-1:]))),
    Mistake("a loss is compared with the first one",
            "Compare with the lowest of all losses so far.",
            _bent(stop=lambda loss, losses: right.too_large(loss, losses[:1]))),
    Mistake("the loss that ends the run is written down",
            "Stop before you write it down.", _kept_last),
    Mistake("the model stays trained",
            "Put its state back. state_dict() holds the model's own tensors, which change: "
            "save copy.deepcopy(model.state_dict()).",
            _bent(put_back=lambda model, weights: None)),
    Mistake("the model's buffers are not put back",
            "Batch norm's statistics are buffers, not parameters: save model.state_dict().",
            _bent(put_back=_parameters_only)),
    Mistake("the optimizer keeps the last rate",
            "Put its rate back: load_state_dict of a deep copy does that, too.",
            _bent(remember=_state_only)),
    Mistake("the optimizer keeps the momentum of the test run",
            "Its memory is in optimizer.state_dict(): save a deep copy and load it at the end.",
            _bent(remember=_rate_only)),
    Mistake("the optimizer stays as the run left it",
            "Save copy.deepcopy(optimizer.state_dict()) and load it at the end.",
            _bent(remember=lambda optimizer, memory: None)),
]

NORMED = (("Linear", {"in_features": 5, "out_features": 6}),
          ("BatchNorm1d", {"num_features": 6}), ("ReLU", {}),
          ("Linear", {"in_features": 6, "out_features": 3}))
COPYING = (("Linear", {"in_features": 3, "out_features": 3, "bias": False},
            {"weight": torch.eye(3).double()}),)
SGD, MOMENTUM = ("SGD", {"lr": 0.01}), ("SGD", {"lr": 0.02, "momentum": 0.9})


def linear(draw, inputs=5, classes=3):
    """The description of one linear layer with drawn weights."""
    return (("Linear", {"in_features": inputs, "out_features": classes}, {
        "weight": draw.normal(classes, inputs) / 2, "bias": draw.normal(classes) / 4}),)


def _data(draw, count=22, size=4):
    """Drawn vectors with labels that depend on them, in batches; the last one is smaller.

    They are small: no loss comes near four times another one.
    """
    x = draw.normal(count, 5)
    return x / 4, x[:, :3].argmax(1), size


def _planned(draw):
    """Batches of one for a model whose logits are its inputs: their losses are known.

    The fifth is above four times the lowest, the seventh above four times the one before it, the
    eighth above four times the first.
    """
    losses = torch.tensor([1.0, 0.3, 0.25, 0.8, 1.2, 0.9, 3.8, 5.0, 0.2]).double()
    losses = losses * (1 + 0.05 * draw.normal(1).tanh())
    x = torch.zeros(len(losses), 3).double()
    x[:, 0] = -((losses.exp() - 1) / 2).log()
    return x, torch.zeros(len(losses), dtype=torch.int64), 1


def _broken(draw):
    """Data whose fourth batch is not a number."""
    x, y, size = _data(draw)
    x[3 * size + 1, 2] = torch.nan
    return x, y, size


def lr_range_test():
    """Tests of the range test."""
    mild = {"start_lr": 0.001, "end_lr": 0.5, "num_iter": 6}
    both = [(NORMED, MOMENTUM, mild), (NORMED, ("Adam", {"lr": 0.02}), mild)]

    def around(draw):
        return [(layers, optimizer, _data(draw), options) for layers, optimizer, options in both]

    return Task(right.lr_range_test, {
        "rates": Behaviour(lambda draw: [
            (linear(draw), SGD, _data(draw), mild),
            (linear(draw), SGD, _data(draw, 60), {"start_lr": 0.01, "end_lr": 0.04,
                                                  "num_iter": 11}),
        ], driver="one_cycle_training.range_rates"),
        "losses": Behaviour(lambda draw: [
            (linear(draw), SGD, _data(draw), mild), (NORMED, SGD, _data(draw), mild),
        ], driver="one_cycle_training.range_losses"),
        "again": Behaviour(lambda draw: [
            (linear(draw), SGD, _data(draw, 10), {"start_lr": 0.01, "end_lr": 0.5, "num_iter": 8}),
        ], driver="one_cycle_training.range_both"),
        "stops": Behaviour(lambda draw: [
            (COPYING, SGD, _planned(draw), {"start_lr": 1e-9, "end_lr": 1e-8, "num_iter": 9})
            for _ in range(2)
        ], driver="one_cycle_training.range_both"),
        "not_a_number": Behaviour(lambda draw: [
            (linear(draw), SGD, _broken(draw), mild)
        ], driver="one_cycle_training.range_rates"),
        "model": Behaviour(around, driver="one_cycle_training.range_model"),
        "optimizer": Behaviour(around, driver="one_cycle_training.range_optimizer"),
    }, LR_RANGE_TEST)
