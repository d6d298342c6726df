"""The scheduler: known mistakes and hidden tests."""

from autograder.references import Behaviour, Mistake, Task
from autograder.references.one_cycle import functions as right


def _with(**methods):
    """The scheduler with some of its methods replaced."""
    return type("OneCycle", (right.OneCycle,), methods)


def _settings(choose):
    """The scheduler that asks `one_cycle` for another step, or stops at the last one later."""
    def settings(self, peak):
        return right.along(choose(self), right.knots(self.total_steps, peak, **self.options),
                           *[right.cos_anneal] * 2)
    return settings


def _late(self, optimizer, max_lr, total_steps, **options):
    """Write nothing before the first call of step()."""
    kept = [dict(group) for group in optimizer.param_groups]
    right.OneCycle.__init__(self, optimizer, max_lr, total_steps, **options)
    for group, old in zip(optimizer.param_groups, kept, strict=True):
        group.update(old)


def _endless(self):
    """Go on for ever."""
    self.number += 1
    self.write()


def _early_end(self):
    """Refuse the call that follows the last step."""
    if self.number >= self.total_steps - 1:
        raise RuntimeError("over")
    _endless(self)


def _value_error(self):
    """Refuse as torch does: with a ValueError."""
    if self.number >= self.total_steps:
        raise ValueError("over")
    _endless(self)


def _rewritten(groups):
    """Write to some of the groups only, or with some peaks."""
    def write(self):
        pairs = list(zip(self.optimizer.param_groups, self.peaks, strict=False))
        for group, peak in groups(pairs):
            group["lr"], momentum = self.settings(peak)
            if self.cycle_momentum:
                self.write_momentum(group, momentum)
    return write


def _to_old_groups(self):
    """Write to the groups that the optimizer had at the beginning."""
    if not hasattr(self, "groups"):
        self.groups = self.optimizer.param_groups
    for group, peak in zip(self.groups, self.peaks, strict=False):
        group["lr"], momentum = self.settings(peak)
        if self.cycle_momentum:
            self.write_momentum(group, momentum)


def _momentum_key(self, group, momentum):
    """Write a key that Adam never reads."""
    group["momentum"] = momentum


def _one_beta(change):
    """Write other betas."""
    def write_momentum(self, group, momentum):
        if "betas" in group:
            group["betas"] = change(momentum, group["betas"])
        else:
            group["momentum"] = momentum
    return write_momentum


def _always(self, optimizer, max_lr, total_steps, cycle_momentum=True, **options):
    """Cycle the momentum, whatever the caller says."""
    right.OneCycle.__init__(self, optimizer, max_lr, total_steps, True, **options)


def _plain(self, optimizer, max_lr, total_steps, cycle_momentum=True, **options):
    """Forget the options."""
    right.OneCycle.__init__(self, optimizer, max_lr, total_steps, cycle_momentum)


def _whole_state(self):
    """Save everything, the optimizer too."""
    return dict(self.__dict__)


def _whole_load(self, state):
    """Take everything over, the optimizer too."""
    self.__dict__.update(state)


def _load_late(self, state):
    """Write first, and take the number over after that."""
    self.write()
    self.number = state["number"]


def _live_state(self):
    """Hand out what goes on changing."""
    return self.__dict__


def _live_load(self, state):
    """Take over all but the optimizer."""
    self.number = state["number"]


ONE_CYCLE = [
    Mistake("the first step is made with the optimizer's own rate",
            "The constructor writes the settings of step 0 into the groups.",
            _with(__init__=_late)),
    Mistake("the schedule runs one step ahead",
            "The constructor writes step 0; the first call of step() goes on to step 1.",
            _with(settings=_settings(lambda self: min(self.number + 1, self.total_steps - 1)))),
    Mistake("the call after the last step moves the rate once more",
            "PyTorch's rate jumps up here. Yours stays: there is no step T.",
            _with(settings=_settings(lambda self: self.number))),
    Mistake("the call that follows the last step is refused",
            "A loop calls step() after each of its T batches: refuse only the call after that.",
            _with(step=_early_end)),
    Mistake("step() may be called more than T times",
            "Raise a RuntimeError when T calls were made already.", _with(step=_endless)),
    Mistake("one call too many raises a ValueError",
            "Raise a RuntimeError.", _with(step=_value_error)),
    Mistake("only the first group has a schedule",
            "Write to all of optimizer.param_groups.",
            _with(write=_rewritten(lambda pairs: pairs[:1]))),
    Mistake("all groups have the first of the rates",
            "A list of max_lr holds one for each group.",
            _with(write=_rewritten(lambda pairs: [(g, pairs[0][1]) for g, _ in pairs]))),
    Mistake("the groups have the rates in reverse",
            "The first rate belongs to the first group.",
            _with(write=_rewritten(lambda pairs: [
                (g, peak) for (g, _), (_, peak) in zip(pairs, pairs[::-1], strict=True)]))),
    Mistake("a list of the wrong length is not refused",
            "Raise a ValueError unless there is one rate for each group.",
            _with(refuse_lengths=lambda self: None)),
    Mistake("Adam's momentum is not written where Adam reads it",
            "Adam's momentum is the first of the group's two betas.",
            _with(write_momentum=_momentum_key)),
    Mistake("Adam's second beta is changed",
            "The first beta is the momentum; keep the second: (momentum, group['betas'][1]).",
            _with(write_momentum=_one_beta(lambda momentum, betas: (betas[0], momentum)))),
    Mistake("both betas are the momentum",
            "The first beta is the momentum; keep the second: (momentum, group['betas'][1]).",
            _with(write_momentum=_one_beta(lambda momentum, betas: (momentum, momentum)))),
    Mistake("Adam's second beta becomes 0.999",
            "Keep the one that the optimizer has: group['betas'][1].",
            _with(write_momentum=_one_beta(lambda momentum, betas: (momentum, 0.999)))),
    Mistake("cycle_momentum=False is ignored",
            "With cycle_momentum=False, leave momentum and betas alone.", _with(__init__=_always)),
    Mistake("the options are not passed on",
            "Hand pct_start and the others on to one_cycle.", _with(__init__=_plain)),
    Mistake("after load_state_dict the schedule begins again",
            "The number of the step belongs into the state, and out of it again.",
            _with(load_state_dict=lambda self, state: None)),
    Mistake("the state holds the optimizer, and the old one is moved after loading",
            "Leave the optimizer out of the state.",
            _with(state_dict=_whole_state, load_state_dict=_whole_load)),
    Mistake("the schedule writes to the groups that the optimizer had before it loaded its state",
            "Keep the optimizer, not its groups: read optimizer.param_groups anew each time.",
            _with(write=_to_old_groups)),
    Mistake("load_state_dict writes the settings before it takes over the number of the step",
            "Take the number over first, then write the settings of that step.",
            _with(load_state_dict=_load_late)),
    Mistake("a saved state goes on changing",
            "Return a new dictionary, not the one that the object lives on.",
            _with(state_dict=_live_state, load_state_dict=_live_load)),
]

SGD = ("SGD", {"momentum": 0.9})
ADAM = ("Adam", {"betas": (0.9, 0.97)})


def OneCycle():  # noqa: N802, the name of the class that it tests
    """Tests of the scheduler."""
    mild = {"div_factor": 4.0, "final_div_factor": 5.0}
    return Task(right.OneCycle, {
        "rates": Behaviour(lambda draw: [(SGD, 0.5, 20), (("Adam", {}), 0.01, 10)],
                           driver="one_cycle.group_rates"),
        "options": Behaviour(lambda draw: [
            (SGD, 0.5, 20, {"pct_start": 0.5, "div_factor": 5.0}),
            (SGD, 0.5, 20, {"anneal_strategy": "linear", "three_phase": True, **mild}),
        ], driver="one_cycle.group_rates"),
        "momentum": Behaviour(lambda draw: [
            (SGD, 0.5, 20), (("SGD", {}), 0.5, 20, {"base_momentum": 0.6, "max_momentum": 0.8}),
        ], driver="one_cycle.group_momenta"),
        "adam": Behaviour(lambda draw: [(ADAM, 0.5, 20), (("AdamW", {}), 0.01, 10)],
                          driver="one_cycle.group_momenta"),
        "fixed_momentum": Behaviour(lambda draw: [
            (SGD, 0.5, 10, {"cycle_momentum": False}), (ADAM, 0.5, 10, {"cycle_momentum": False}),
            (("SGD", {}), 0.5, 10, {"cycle_momentum": False}),
        ], driver="one_cycle.group_momenta"),
        "groups": Behaviour(lambda draw: [
            (("SGD", {"momentum": 0.9, "groups": 3}), [0.1, 0.5, 1.0], 10),
            (("Adam", {"groups": 2}), 0.01, 10),
        ], driver="one_cycle.group_rates"),
        "resume": Behaviour(lambda draw: [
            (SGD, 0.5, 20, mild), (("Adam", {"groups": 2}), [0.01, 0.03], 10, mild),
        ], driver="one_cycle.resumed"),
        "last_call": Behaviour(lambda draw: [(SGD, 0.5, 20, mild), (("Adam", {}), 0.5, 10, mild)],
                               driver="one_cycle.last_call"),
        "too_many": Behaviour(lambda draw: [(SGD, 0.5, 20), (("Adam", {}), 0.5, 10)],
                              driver="one_cycle.one_more"),
        "refuses": Behaviour(lambda draw: [
            (("SGD", {"momentum": 0.9, "groups": 3}), [0.1, 0.2], 10),
            (("SGD", {"momentum": 0.9, "groups": 2}), [0.1, 0.2, 0.3], 10),
        ], driver="one_cycle.built"),
    }, ONE_CYCLE)
