"""References for what happens in a training: the range test, the watcher, the loop.

Steps that a known mistake leaves out or does otherwise are arguments with a leading underscore.
"""

import copy
import math

import torch
import torch.nn.functional as F


def range_rates(start_lr, end_lr, num_iter):
    """`num_iter` rates with the same factor between neighbours, both ends included."""
    return [start_lr * (end_lr / start_lr) ** (i / (num_iter - 1)) for i in range(num_iter)]


def range_steps(model, optimizer, loader, rates, stop, _zero=True, _after=False):
    """One step per rate; rates and losses up to the loss that is too large or not a number."""
    lrs, losses = [], []
    for number, rate in enumerate(rates):
        x, y = loader[number % len(loader)]
        for group in optimizer.param_groups:
            group["lr"] = rate
        if _zero:
            optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        if stop(loss.item(), losses):
            break
        loss.backward()
        optimizer.step()
        lrs.append(rate)
        losses.append(F.cross_entropy(model(x), y).item() if _after else loss.item())
    return lrs, losses


def too_large(loss, losses):
    """Whether a loss ends the run: above four times the lowest before it, or not finite."""
    return not math.isfinite(loss) or (losses != [] and loss > 4 * min(losses))


def lr_range_test(model, optimizer, loader, start_lr=1e-5, end_lr=1.0, num_iter=100):
    """Rates and losses of a range test; model and optimizer are as before."""
    weights = copy.deepcopy(model.state_dict())
    memory = copy.deepcopy(optimizer.state_dict())
    found = range_steps(model, optimizer, loader, range_rates(start_lr, end_lr, num_iter),
                        too_large)
    model.load_state_dict(weights)
    optimizer.load_state_dict(memory)
    return found


def row(a, bins, limit):
    """What is written down about one batch of activations (N, C) or (N, C, H, W)."""
    values = sorted(a.flatten().tolist())
    mean = sum(values) / len(values)
    counts = [0] * bins
    for value in values:
        counts[min(max(math.floor((value + limit) / (2 * limit) * bins), 0), bins - 1)] += 1
    channels = [a[:, c].flatten().tolist() for c in range(a.shape[1])]
    return {
        "mean": mean,
        "std": math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1)),
        "near_zero": sum(abs(value) <= 0.05 for value in values) / len(values),
        "dead": sum(all(v == 0 for v in channel) for channel in channels) / len(channels),
        "hist": torch.tensor(counts),
    }


class ActivationStats:
    """Listen to modules between `with` and the end of its block."""

    def __init__(self, modules, bins=40, limit=10.0):
        self.modules, self.bins, self.limit = list(modules), bins, limit
        self.stats = [[] for _ in self.modules]

    def __enter__(self):
        """Begin to listen."""
        self.handles = [module.register_forward_hook(self.listener(index))
                        for index, module in enumerate(self.modules)]
        return self

    def listener(self, index):
        """The hook of one module."""
        def listen(module, inputs, output):
            if module.training:
                self.note(index, output.detach())
        return listen

    def note(self, index, output):
        """Write one row."""
        self.stats[index].append(self.row(output))

    def row(self, output):
        """The row of one batch."""
        return row(output, self.bins, self.limit)

    def __exit__(self, *error):
        """Stop, whatever happened; exceptions go on."""
        for handle in self.handles:
            handle.remove()


def momentum_of(group):
    """The momentum of a group: Adam's first beta, or SGD's momentum."""
    return group["betas"][0] if "betas" in group else group["momentum"]


def train_one_cycle(model, loader, optimizer, scheduler, epochs=1):
    """Train; the history of each step: its loss, and the rate and momentum that it used."""
    history = {"loss": [], "lr": [], "momentum": []}
    model.train()
    for _ in range(epochs):
        for x, y in loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            history["loss"].append(loss.item())
            history["lr"].append(optimizer.param_groups[0]["lr"])
            history["momentum"].append(momentum_of(optimizer.param_groups[0]))
            optimizer.step()
            scheduler.step()
    return history
