"""Drivers of the 1cycle assignment's own: curves of numbers, and schedules at work.

`one_cycle_training` drives the functions that train, `one_cycle_watching` those that listen.
"""

import torch
from torch import nn

SMALLEST = 1e-12  # what a rate of 0, or below it, counts as in a logarithm


def number(value):
    """A number or a tensor of one number, as a float; TypeError for anything else."""
    if value is None or isinstance(value, str | tuple | list | dict):
        raise TypeError(f"expected a number, got a {type(value).__name__}")
    return float(value)


def column_of(values):
    """Numbers, or tensors of one number each, as a float64 tensor."""
    return torch.tensor([number(value) for value in values], dtype=torch.float64)


def over(fn, args, kwargs):
    """Call the function once for each item of the argument that is a tuple: a curve of numbers."""
    place = next(i for i, arg in enumerate(args) if isinstance(arg, tuple))
    return column_of(fn(*args[:place], item, *args[place + 1:], **kwargs) for item in args[place])


def _pairs(fn, args, kwargs):
    """What a schedule returns for the steps "from to to", two columns."""
    first, last = map(int, args[0].split(" to "))
    pairs = [fn(step, *args[1:], **kwargs) for step in range(first, last + 1)]
    if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        raise TypeError("return two numbers, the learning rate and the momentum")
    return [column_of(column) for column in zip(*pairs, strict=True)]


def rates(fn, args, kwargs):
    """The learning rates of a schedule."""
    return _pairs(fn, args, kwargs)[0]


def magnitudes(fn, args, kwargs):
    """The powers of ten of the learning rates."""
    return _pairs(fn, args, kwargs)[0].clamp(min=SMALLEST).log10()


def momenta(fn, args, kwargs):
    """The momenta of a schedule."""
    return _pairs(fn, args, kwargs)[1]


def allowed(fn, args, kwargs):
    """Whether a schedule has a step: it raises, or returns something."""
    fn(*args, **kwargs)
    return "settings for this step"


def optimizer_of(description, parameters):
    """The optimizer that (class name, options) stands for; "groups" shares the parameters out."""
    kind, options = description
    options = {"lr": 123.0} | options
    count, parameters = options.pop("groups", 1), list(parameters)
    groups = [{"params": parameters[i::count]} for i in range(count)]
    return getattr(torch.optim, kind)(groups, **options)


def fresh(description):
    """An optimizer of parameters that have no gradients."""
    return optimizer_of(description, [nn.Parameter(torch.zeros(2)) for _ in range(6)])


def _now(optimizer):
    """Per group: rate, and momentum or both betas."""
    return [column_of([group["lr"], *(group["betas"] if "betas" in group else [group["momentum"]])])
            for group in optimizer.param_groups]


def _steps(optimizer, schedule, count):
    """Make steps; what each of them used, a tensor (count, groups, numbers).

    The schedule is not told of the last one.
    """
    used = []
    for number in range(count):
        if number:
            schedule.step()
        used.append(torch.stack(_now(optimizer)))
        optimizer.step()
    return torch.stack(used)


def _trace(fn, args, kwargs):
    optimizer = fresh(args[0])
    return _steps(optimizer, fn(optimizer, *args[1:], **kwargs), args[2])


def group_rates(fn, args, kwargs):
    """The rate of each group in each step."""
    return _trace(fn, args, kwargs)[..., 0]


def group_momenta(fn, args, kwargs):
    """The momentum of each group in each step, or its betas."""
    return _trace(fn, args, kwargs)[..., 1:]


def _resumed(fn, args, kwargs, order):
    """Stop in the middle, go on with new objects that load the old ones' state in this order.

    Returns what the steps of the new run used, and what the old optimizer holds after it.
    """
    old = fresh(args[0])
    schedule = fn(old, *args[1:], **kwargs)
    _steps(old, schedule, args[2] // 2)
    schedule.step()
    state = {"schedule": schedule.state_dict(), "optimizer": old.state_dict()}
    if not isinstance(state["schedule"], dict):
        raise TypeError("state_dict() returns a dictionary")
    _steps(old, schedule, 2)  # the old run goes on; what was saved stays
    optimizer = fresh(args[0])
    new = {"schedule": fn(optimizer, *args[1:], **kwargs), "optimizer": optimizer}
    for part in order:
        new[part].load_state_dict(state[part])
    used = _steps(optimizer, new["schedule"], args[2] - args[2] // 2 - 2)
    return used, torch.stack(_now(old))


def resumed(fn, args, kwargs):
    """Resume twice: the schedule loads its state before the optimizer does, and after it."""
    before, old = _resumed(fn, args, kwargs, ("schedule", "optimizer"))
    after, _ = _resumed(fn, args, kwargs, ("optimizer", "schedule"))
    return {"the schedule is loaded, then the optimizer": before,
            "the optimizer is loaded, then the schedule": after, "the old optimizer": old}


def _told(schedule):
    """Call step(); what it raised."""
    try:
        schedule.step()
    except RuntimeError:
        return "a RuntimeError"
    except Exception as error:
        return f"a {type(error).__name__}"
    return "nothing"


def last_call(fn, args, kwargs):
    """The settings after the call that follows the last step, and what that call raised."""
    optimizer = fresh(args[0])
    schedule = fn(optimizer, *args[1:], **kwargs)
    _steps(optimizer, schedule, args[2])
    raised = _told(schedule)
    return {"settings": torch.stack(_now(optimizer)), "it raised": raised}


def one_more(fn, args, kwargs):
    """What the call after that raises."""
    optimizer = fresh(args[0])
    schedule = fn(optimizer, *args[1:], **kwargs)
    _steps(optimizer, schedule, args[2])
    _told(schedule)
    return {"it raised": _told(schedule)}


def built(fn, args, kwargs):
    """Build a schedule, no more."""
    fn(fresh(args[0]), *args[1:], **kwargs)
    return "a schedule"
