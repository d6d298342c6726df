"""Right answers to the 1cycle assignment in styles that the solution does not use.

Each must get full marks: the hidden tests may not depend on how a function is written.
"""

import contextlib
import io
import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def lin_in_float32(start, end, pct):
    """A weighted mean, in float32."""
    start, end, pct = (np.float32(value) for value in (start, end, pct))
    return (np.float32(1) - pct) * start + pct * end


def lin_of_tensors(start, end, pct):
    """A tensor of one number."""
    return torch.lerp(torch.tensor(float(start)), torch.tensor(float(end)), float(pct))


def cos_in_torch_style(start, end, pct):
    """As torch's source writes it."""
    return end + (start - end) / 2.0 * (math.cos(math.pi * pct) + 1)


def cos_by_squared_sine(start, end, pct):
    """Half an angle, squared; in float32."""
    share = np.sin(np.float32(math.pi / 2 * pct)) ** 2
    return np.float32(start) + share * np.float32(end - start)


def cycle_by_phases(step, total_steps, max_lr, pct_start=.3, div_factor=25., final_div_factor=1e4,
                    base_momentum=.85, max_momentum=.95, anneal_strategy="cos", three_phase=False):
    """One `if` per phase."""
    if total_steps < 4 or anneal_strategy not in {"cos", "linear"}:
        raise ValueError("no cycle")
    if step not in range(total_steps):
        raise RuntimeError("no such step")
    anneal = {"cos": cos_in_torch_style, "linear": lin_in_float32}[anneal_strategy]
    low, up = max_lr / div_factor, pct_start * total_steps - 1
    bottom = low / final_div_factor
    if step <= up:
        return anneal(low, max_lr, step / up), anneal(max_momentum, base_momentum, step / up)
    if not three_phase:
        share = (step - up) / (total_steps - 1 - up)
        return (anneal(max_lr, bottom, share), anneal(base_momentum, max_momentum, share))
    if step <= 2 * up:
        share = step / up - 1
        return anneal(max_lr, low, share), anneal(base_momentum, max_momentum, share)
    return anneal(low, bottom, (step - 2 * up) / (total_steps - 1 - 2 * up)), max_momentum


def cycle_by_interpolation(step, total_steps, max_lr, pct_start=.3, div_factor=25.,
                           final_div_factor=1e4, base_momentum=.85, max_momentum=.95,
                           anneal_strategy="cos", three_phase=False):
    """Where between the knots, by np.interp; a list of float32 tensors comes back."""
    if total_steps < 4:
        raise ValueError("too short")
    if anneal_strategy not in ("cos", "linear"):
        raise ValueError("no such strategy")
    if step < 0 or step >= total_steps:
        raise RuntimeError("no such step")
    up, low = pct_start * total_steps - 1, max_lr / div_factor
    at, rates = [0, up, total_steps - 1], [low, max_lr, low / final_div_factor]
    momenta = [max_momentum, base_momentum, max_momentum]
    if three_phase:
        at.insert(2, 2 * up)
        rates.insert(2, low)
        momenta.append(max_momentum)
    left, share = divmod(float(np.interp(step, at, range(len(at)))), 1)
    left = int(left)
    if anneal_strategy == "cos":
        share = (1 - math.cos(math.pi * share)) / 2
    right = min(left + 1, len(at) - 1)
    return [torch.tensor((1 - share) * values[left] + share * values[right], dtype=torch.float32)
            for values in (rates, momenta)]


class OneCycleFromTables:
    """All settings are computed beforehand."""

    def __init__(self, optimizer, max_lr, total_steps, cycle_momentum=True, **options):
        peaks = max_lr if isinstance(max_lr, list) else [max_lr for _ in optimizer.param_groups]
        self.groups = optimizer.param_groups
        self.tables = [[cycle_by_phases(step, total_steps, peak, **options)
                        for step in range(total_steps)] for peak in peaks]
        if len(self.tables) != len(self.groups):
            raise ValueError("one for each group")
        self.optimizer, self.cycles = optimizer, cycle_momentum
        self.t, self.total_steps = -1, total_steps
        self.step()

    def step(self):
        """Take the next row, if there is one."""
        self.t += 1
        if self.t > self.total_steps:
            raise RuntimeError("too many")
        if self.t < self.total_steps:
            for group, table in zip(self.optimizer.param_groups, self.tables, strict=True):
                lr, momentum = table[self.t]
                settings = {"lr": lr}
                if self.cycles and "momentum" in group:
                    settings["momentum"] = momentum
                elif self.cycles:
                    settings["betas"] = momentum, group["betas"][1]
                group.update(settings)

    def state_dict(self):
        """A table of one row."""
        return {"t": self.t, "version": 1}

    def load_state_dict(self, state):
        """The optimizer loads its own rates."""
        self.t = state["t"]


class OneCycleOnLambdaLR(LambdaLR):
    """LambdaLR does the counting and the saving."""

    def __init__(self, optimizer, max_lr, total_steps, cycle_momentum=True, **options):
        count = len(optimizer.param_groups)
        peaks = list(max_lr) if isinstance(max_lr, list | tuple) else [max_lr] * count
        if len(peaks) != count:
            raise ValueError("one for each group")
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak
        self.total, self.options, self.cycle_momentum = total_steps, options, cycle_momentum
        super().__init__(optimizer, [lambda step: self.at(step)[0]] * count)

    def at(self, step):
        """Factor of the peak, and momentum."""
        return cycle_by_phases(min(step, self.total - 1), self.total, 1.0, **self.options)

    def step(self, *args):
        """Rates by LambdaLR, momenta by hand."""
        if self.last_epoch >= self.total:
            raise RuntimeError("too many")
        super().step(*args)
        momentum = self.at(self.last_epoch)[1]
        for group in self.optimizer.param_groups:
            if self.cycle_momentum and "betas" in group:
                group["betas"] = (momentum, group["betas"][1])
            elif self.cycle_momentum:
                group["momentum"] = momentum


class OneCycleOnLRScheduler(LRScheduler):
    """torch's base class, as torch's own schedulers use it."""

    def __init__(self, optimizer, max_lr, total_steps, cycle_momentum=True, **options):
        self.peaks = max_lr if isinstance(max_lr, list) else [max_lr] * len(optimizer.param_groups)
        if len(self.peaks) != len(optimizer.param_groups):
            raise ValueError("one for each group")
        self.total, self.options, self.cycle_momentum = total_steps, options, cycle_momentum
        super().__init__(optimizer)

    def get_lr(self):
        """The rates of this step; the momenta are written on the way."""
        if self.last_epoch > self.total:
            raise RuntimeError("too many")
        pairs = [cycle_by_phases(min(self.last_epoch, self.total - 1), self.total, peak,
                                 **self.options) for peak in self.peaks]
        for group, (_, momentum) in zip(self.optimizer.param_groups, pairs, strict=True):
            if not self.cycle_momentum:
                continue
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum
        return [lr for lr, _ in pairs]


def exponential_by_logarithms(learning_rate, global_step, decay_steps, decay_rate, staircase=False):
    """Add logarithms, in float32."""
    times = np.floor_divide(global_step, decay_steps) if staircase else global_step / decay_steps
    return np.exp(np.log(np.float32(learning_rate)) + times * np.log(np.float32(decay_rate)))


def natural_by_torch(learning_rate, global_step, decay_steps, decay_rate):
    """A tensor."""
    return learning_rate * torch.tensor(-decay_rate * global_step / decay_steps).exp()


def polynomial_by_counting(learning_rate, global_step, decay_steps, end_learning_rate=0.0001,
                           power=1.0, cycle=False):
    """The number of falls by whole-number division, rounded up."""
    if cycle:
        falls = -(-global_step // decay_steps) or 1
        left = 1 - global_step / (falls * decay_steps)
    else:
        left = max(0, 1 - global_step / decay_steps)
    return np.float32(end_learning_rate) + (learning_rate - end_learning_rate) * left ** power


def cosine_between_rates(learning_rate, global_step, decay_steps, alpha=0.0):
    """From one rate to the other."""
    if global_step >= decay_steps:
        return torch.tensor(learning_rate * alpha)
    return cos_by_squared_sine(learning_rate, learning_rate * alpha, global_step / decay_steps)


def range_test_by_geomspace(model, optimizer, loader, start_lr=1e-5, end_lr=1.0, num_iter=100):
    """Tensors instead of lists, clones instead of deep copies, an iterator over the batches."""
    saved = [tensor.clone() for tensor in model.state_dict().values()]
    before = torch.save(optimizer.state_dict(), file := io.BytesIO())
    lrs, losses, best = [], [], math.inf
    batches = itertools.cycle(loader)
    for lr, (x, y) in zip(np.geomspace(start_lr, end_lr, num_iter).tolist(), batches, strict=False):
        model.zero_grad()
        loss = F.nll_loss(F.log_softmax(model(x), dim=1), y)
        if not loss <= min(4 * best, 1e300):
            break
        best = min(best, loss.item())
        loss.backward()
        for group in optimizer.param_groups:
            group.update(lr=lr)
        optimizer.step()
        lrs.append(lr)
        losses.append(loss.detach())
    with torch.no_grad():
        for tensor, old in zip(model.state_dict().values(), saved, strict=True):
            tensor.copy_(old)
    assert before is None
    file.seek(0)
    optimizer.load_state_dict(torch.load(file))
    return torch.tensor(lrs), torch.tensor([float(v) for v in losses])


@contextlib.contextmanager
def activation_stats_by_generator(modules, bins=40, limit=10.0):
    """A generator with a finally; numbers as floats, counts by numpy."""
    class Kept:
        stats = [[] for _ in modules]

    def hook(module, _, output, rows):
        if not module.training:
            return
        a = output.detach().numpy()
        axes = (0, *range(2, a.ndim))
        counts, _ = np.histogram(a.clip(-limit, limit), bins, (-limit, limit))
        rows.append({"mean": float(a.mean()), "std": float(a.std(ddof=1)),
                     "near_zero": float((np.abs(a) <= 0.05).mean()), "more": "than was asked for",
                     "dead": float((np.abs(a).max(axis=axes) == 0).mean()),
                     "hist": torch.from_numpy(counts)})

    with contextlib.ExitStack() as stack:
        for module, rows in zip(modules, Kept.stats, strict=True):
            handle = module.register_forward_hook(
                lambda m, i, o, rows=rows: hook(m, i, o, rows))
            stack.callback(handle.remove)
        yield Kept


class ActivationStatsInFloat32:
    """A tuple of columns first, dictionaries on demand; everything in float32."""

    def __init__(self, modules, bins=40, limit=10.0):
        self.modules, self.bins, self.limit = modules, bins, limit
        self.heard = {module: [] for module in modules}

    def __enter__(self):
        """Listen."""
        self.handles = tuple(m.register_forward_hook(self.hook) for m in self.modules)
        return self

    def __exit__(self, *_):
        """Stop."""
        [handle.remove() for handle in self.handles]
        return False

    def hook(self, module, inputs, output):
        """Keep the output itself."""
        if module.training:
            with torch.no_grad():
                self.heard[module].append(output.clone().float())

    @property
    def stats(self):
        """Rows, from what was heard."""
        return [[self.row(a) for a in self.heard[m]] for m in self.modules]

    def row(self, a):
        """One batch."""
        place = ((a + self.limit) / (2 * self.limit) * self.bins).floor().long()
        hist = torch.bincount(place.clamp(0, self.bins - 1).flatten(), minlength=self.bins)
        std, mean = torch.std_mean(a)
        dead = torch.stack([a[:, c].count_nonzero() == 0 for c in range(a.shape[1])])
        return dict(mean=mean, std=std, near_zero=a.abs().le(0.05).float().mean(),
                    dead=dead.float().mean(), hist=hist)


def train_over_a_flat_list(model, loader, optimizer, scheduler, epochs=1):
    """One loop; gradients deleted after the step; rates asked of the scheduler."""
    model.train(True)
    rows = []
    for x, y in itertools.chain.from_iterable(itertools.repeat(list(loader), epochs)):
        loss = F.nll_loss(model(x).log_softmax(1), y)
        loss.backward()
        group = optimizer.param_groups[0]
        rows.append((loss.detach(), group["lr"], group.get("betas", [group.get("momentum")])[0]))
        optimizer.step()
        scheduler.step()
        for parameter in model.parameters():
            parameter.grad = None
    return dict(zip(("loss", "lr", "momentum"), zip(*rows, strict=True), strict=True))


def train_with_last_lr(model, loader, optimizer, scheduler, epochs=1):
    """The rate from get_last_lr; the loss comes out of numpy."""
    history = {name: [] for name in ("momentum", "loss", "lr", "epoch")}
    model.train()
    for epoch in range(epochs):
        for x, y in loader:
            optimizer.zero_grad(set_to_none=False)
            loss = torch.nn.CrossEntropyLoss()(model(x), y)
            history["loss"].append(loss.detach().numpy())
            loss.backward()
            optimizer.step()
            history["lr"] += scheduler.get_last_lr()
            settings = optimizer.param_groups[0]
            history["momentum"].append(np.float32((*settings.get("betas", ()),
                                                   settings.get("momentum"))[0]))
            history["epoch"].append(epoch)
            scheduler.step()
    return history


RIGHT = {
    "lin_anneal": [lin_in_float32, lin_of_tensors],
    "cos_anneal": [cos_in_torch_style, cos_by_squared_sine],
    "one_cycle": [cycle_by_phases, cycle_by_interpolation],
    "OneCycle": [OneCycleFromTables, OneCycleOnLambdaLR, OneCycleOnLRScheduler],
    "exponential_decay": [exponential_by_logarithms],
    "natural_exp_decay": [natural_by_torch],
    "polynomial_decay": [polynomial_by_counting],
    "cosine_decay": [cosine_between_rates],
    "lr_range_test": [range_test_by_geomspace],
    "ActivationStats": [activation_stats_by_generator, ActivationStatsInFloat32],
    "train_one_cycle": [train_over_a_flat_list, train_with_last_lr],
}
