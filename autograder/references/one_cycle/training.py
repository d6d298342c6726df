"""The training loop: known mistakes and hidden tests."""

import functools

import torch
import torch.nn.functional as F

from autograder.references import Behaviour, Mistake, Task
from autograder.references.one_cycle import learning as right
from autograder.references.one_cycle.range_test import linear


def _loop(order="zbos", epochs=lambda epochs: epochs, batches=lambda loader: loader,
          mode=True, momentum=right.momentum_of, note="before", keep="step", reduction="mean"):
    """The loop with its parts in another order or left out.

    `order` names them: z for zero_grad, b for backward, o for the optimizer's step, s for the
    scheduler's; e for the scheduler's once an epoch, f the same before the epoch.
    `note` says when rate and momentum are read, `keep` what is kept of the losses.
    """
    def wrong(model, loader, optimizer, scheduler, epochs_=1):
        group, kept = optimizer.param_groups[0], {"loss": [], "lr": [], "momentum": []}
        if mode:
            model.train()
        for _ in range(epochs(epochs_)):
            for x, y in batches(loader):
                loss = F.cross_entropy(model(x), y, reduction=reduction)
                settings = group["lr"], momentum(group)
                parts = {"z": optimizer.zero_grad, "b": loss.backward, "o": optimizer.step,
                         "s": scheduler.step, "e": lambda: None}
                for part in order:
                    parts[part]()
                if note == "after":
                    settings = group["lr"], momentum(group)
                for name, value in zip(kept, (loss.item(), *settings), strict=True):
                    kept[name].append(value)
            if "e" in order:
                scheduler.step()
        return _summed(kept, keep, len(batches(loader)))
    return wrong


def _summed(kept, keep, count):
    """The history, or one loss for each epoch."""
    losses = torch.tensor(kept["loss"], dtype=torch.float64).view(-1, count)
    per_epoch = {"step": losses.flatten(), "mean": losses.mean(1), "last": losses[:, -1]}
    return kept | {"loss": per_epoch[keep].tolist()}


def _after_the_step(model, loader, optimizer, scheduler, epochs=1):
    """Measure each loss again after the step."""
    history = {"loss": [], "lr": [], "momentum": []}
    for _ in range(epochs):
        for batch in loader:
            once = right.train_one_cycle(model, [batch], optimizer, scheduler)
            with torch.no_grad():
                once["loss"] = [F.cross_entropy(model(batch[0]), batch[1]).item()]
            for name, values in once.items():
                history[name] += values
    return history


TRAIN_ONE_CYCLE = [
    Mistake("the scheduler is called before the optimizer",
            "optimizer.step() uses this step's rate; scheduler.step() sets the next one.",
            _loop("zbso")),
    Mistake("the scheduler is called once per epoch",
            "1cycle counts batches: call scheduler.step() after each of them.", _loop("zboe")),
    Mistake("the scheduler is never called",
            "Call scheduler.step() after each batch.", _loop("zbo")),
    Mistake("the scheduler is called twice per batch",
            "Call scheduler.step() once after each batch.", _loop("zboss")),
    Mistake("the optimizer is never called",
            "Call optimizer.step() after loss.backward().", _loop("zbs")),
    Mistake("gradients of earlier batches are added",
            "Call optimizer.zero_grad() in each step.", _loop("bos")),
    Mistake("the gradients are deleted before they are used",
            "zero_grad() belongs before backward(), or after optimizer.step().", _loop("bzos")),
    Mistake("there is one epoch only", "Go through the loader `epochs` times.",
            _loop(epochs=lambda epochs: 1)),
    Mistake("the last batch of an epoch is dropped",
            "Use every batch, the smaller last one too.",
            _loop(batches=lambda loader: loader[:-1])),
    Mistake("the model trains in evaluation mode",
            "Call model.train() at the start.", _loop(mode=False)),
    Mistake("rate and momentum are read after scheduler.step()",
            "That is what the next step will use: read them before.", _loop(note="after")),
    Mistake("the momentum of Adam is its second beta",
            "The first beta is the momentum.",
            _loop(momentum=lambda group: group["betas"][-1] if "betas" in group
                  else group["momentum"])),
    Mistake("Adam's momentum is looked for where SGD has it",
            "Adam's group has no 'momentum': it is the first of group['betas'].",
            _loop(momentum=lambda group: group.get("momentum", 0.0))),
    Mistake("the history has one loss per epoch, their mean",
            "Keep one loss for each step.", _loop(keep="mean")),
    Mistake("the history has one loss per epoch, the last one",
            "Keep one loss for each step.", _loop(keep="last")),
    Mistake("the loss is a sum over the batch",
            "Use cross_entropy as it is: the mean over the batch.", _loop(reduction="sum")),
    Mistake("the loss is measured after the step",
            "Keep the loss that the gradient came from.", _after_the_step),
]

SGD, ADAM = ("SGD", {"momentum": 0.9}), ("Adam", {"betas": (0.9, 0.97)})
CYCLE = ("OneCycle", {"max_lr": 0.15})


def _data(draw, count=14, size=4):
    """Drawn vectors and labels; the last batch is smaller."""
    x = draw.normal(count, 5)
    return x, x[:, :3].argmax(1), size


@functools.lru_cache
def _digits(seed):
    """720 and 400 neatly written stroke digits as 49 numbers each."""
    import strokes  # loads torchvision

    pixels, labels = strokes.draw(1120, seed=seed, level=0.7)
    x = torch.from_numpy(pixels.copy()).double()[:, None] / 255
    x, y = (F.avg_pool2d(x, 4).flatten(1) - strokes.MEAN) / strokes.STD, torch.tensor(labels)
    return x[:720], y[:720], 32, x[720:], y[720:]


def _network(draw):
    """49 numbers to ten classes, with a hidden layer of 32."""
    return (("Linear", {"in_features": 49, "out_features": 32},
             {"weight": draw.normal(32, 49) / 7, "bias": torch.zeros(32).double()}),
            ("ReLU", {}),
            ("Linear", {"in_features": 32, "out_features": 10},
             {"weight": draw.normal(10, 32) / 6, "bias": torch.zeros(10).double()}))


def train_one_cycle():
    """Tests of the loop."""
    def small(draw):
        return [(linear(draw), _data(draw), optimizer, CYCLE, epochs)
                for optimizer, epochs in ((SGD, 2), (ADAM, 3))]

    def steady(draw):
        return [(*case[:3], ("Constant", {"lr": 0.1}), case[-1]) for case in small(draw)]

    def normed(draw):
        layers = (*linear(draw, classes=4), ("BatchNorm1d", {"num_features": 4}))
        return [(layers, _data(draw), SGD, CYCLE, 2)]

    return Task(right.train_one_cycle, {
        "order": Behaviour(small, driver="one_cycle_training.calls"),
        "loss": Behaviour(steady, driver="one_cycle_training.losses"),
        "lr": Behaviour(small, driver="one_cycle_training.kept_rates"),
        "momentum": Behaviour(small, driver="one_cycle_training.kept_momenta"),
        "mode": Behaviour(normed, driver="one_cycle_training.mode"),
        "digits": Behaviour(lambda draw: [
            (_network(draw), _digits(int(draw.integers(0, 1000, 1))), SGD, CYCLE, 2)
            for _ in range(3)
        ], driver="one_cycle_training.digits", tolerance=0.06),
    }, TRAIN_ONE_CYCLE)
