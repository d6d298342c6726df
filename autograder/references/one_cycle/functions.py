"""Slow, obvious references for the 1cycle assignment: curves of numbers, and the scheduler.

A schedule is a list of knots (step, rate, momentum), with half a cosine or a line between
neighbours. Steps count from 0, and the last one of a run of T steps is T - 1.
"""

import math


def lin_anneal(start, end, pct):
    """The place on the line from `start` to `end` at the share `pct` of the way, 0 to 1."""
    return (1 - pct) * start + pct * end


def cos_anneal(start, end, pct):
    """The place on half a cosine from `start` to `end` at the share `pct` of the way, 0 to 1."""
    return lin_anneal(start, end, (1 - math.cos(math.pi * pct)) / 2)


ANNEAL = {"cos": cos_anneal, "linear": lin_anneal}


def knots(total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4,
          base_momentum=0.85, max_momentum=0.95, three_phase=False):
    """The knots of a 1cycle schedule: two phases, or three."""
    start, peak = max_lr / div_factor, pct_start * total_steps - 1
    end = start / final_div_factor
    middle = [(2 * peak, start, max_momentum)] if three_phase else []
    return [(0, start, max_momentum), (peak, max_lr, base_momentum), *middle,
            (total_steps - 1, end, max_momentum)]


def along(step, points, anneal, momentum_anneal):
    """Rate and momentum at a step, from knots; one annealing for each leads to the next knot."""
    for (first, *here), (last, *there) in zip(points, points[1:], strict=False):
        if step <= last or (last, *there) == points[-1]:
            pct = (step - first) / (last - first)
            return (anneal(here[0], there[0], pct),
                    momentum_anneal(here[1], there[1], pct))
    raise AssertionError("no knots")


def checked(step, total_steps, anneal_strategy):
    """Refuse what no schedule is for: ValueError, or RuntimeError for a step outside the run."""
    if total_steps < 4:
        raise ValueError(f"total_steps is {total_steps}: a cycle needs 4")
    if anneal_strategy not in ANNEAL:
        raise ValueError(f"anneal_strategy is {anneal_strategy!r}: use 'cos' or 'linear'")
    if not 0 <= step < total_steps:
        raise RuntimeError(f"there is no step {step} in a run of {total_steps}")


def one_cycle(step, total_steps, max_lr, pct_start=0.3, div_factor=25.0, final_div_factor=1e4,
              base_momentum=0.85, max_momentum=0.95, anneal_strategy="cos", three_phase=False):
    """Rate and momentum of one step, as torch's OneCycleLR gives them."""
    checked(step, total_steps, anneal_strategy)
    points = knots(total_steps, max_lr, pct_start, div_factor, final_div_factor, base_momentum,
                   max_momentum, three_phase)
    return along(step, points, *[ANNEAL[anneal_strategy]] * 2)


class OneCycle:
    """A scheduler that writes `one_cycle` into an optimizer.

    `max_lr` is a number, or a list with one for each group; ValueError if it is as long as
    something else. Every method that a mistake bends has a name of its own.
    """

    def __init__(self, optimizer, max_lr, total_steps, cycle_momentum=True, **options):
        count = len(optimizer.param_groups)
        self.peaks = list(max_lr) if isinstance(max_lr, list | tuple) else [max_lr] * count
        self.optimizer, self.total_steps, self.options = optimizer, total_steps, options
        self.cycle_momentum, self.number = cycle_momentum, 0
        self.refuse_lengths()
        self.write()

    def refuse_lengths(self):
        """ValueError unless there is one peak for each group."""
        if len(self.peaks) != len(self.optimizer.param_groups):
            raise ValueError(f"{len(self.peaks)} rates for {len(self.optimizer.param_groups)} "
                             "groups")

    def settings(self, peak):
        """Rate and momentum of this step; after the last one they stay."""
        return one_cycle(min(self.number, self.total_steps - 1), self.total_steps, peak,
                         **self.options)

    def write(self):
        """Write this step's settings into each group."""
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=False):
            group["lr"], momentum = self.settings(peak)
            if self.cycle_momentum:
                self.write_momentum(group, momentum)

    def write_momentum(self, group, momentum):
        """Write a momentum, which Adam calls its first beta."""
        if "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum

    def step(self):
        """Go on to the next step; RuntimeError when there have been all of them."""
        if self.number >= self.total_steps:
            raise RuntimeError(f"{self.total_steps} steps are over")
        self.number += 1
        self.write()

    def state_dict(self):
        """Where it stands."""
        return {"number": self.number}

    def load_state_dict(self, state):
        """Go on from there."""
        self.number = state["number"]
        self.write()


def exponential_decay(learning_rate, global_step, decay_steps, decay_rate, staircase=False):
    """Times `decay_rate` in every `decay_steps` steps, smoothly or in stairs."""
    share = global_step // decay_steps if staircase else global_step / decay_steps
    return learning_rate * decay_rate ** share


def natural_exp_decay(learning_rate, global_step, decay_steps, decay_rate):
    """Times exp(-decay_rate) in every `decay_steps` steps."""
    return learning_rate * math.exp(-decay_rate * global_step / decay_steps)


def polynomial_decay(learning_rate, global_step, decay_steps, end_learning_rate=0.0001, power=1.0,
                     cycle=False):
    """Down to `end_learning_rate` along a power; then it stays, or starts a longer fall."""
    span = decay_steps
    while cycle and span < global_step:
        span += decay_steps
    share = min(global_step, span) / span
    return (learning_rate - end_learning_rate) * (1 - share) ** power + end_learning_rate


def cosine_decay(learning_rate, global_step, decay_steps, alpha=0.0):
    """Down to the share `alpha` of the rate along half a cosine; then it stays."""
    share = min(global_step, decay_steps) / decay_steps
    return learning_rate * cos_anneal(1, alpha, share)
