"""The 1cycle references against torch, and mistakes that cannot be named because they raise."""

import itertools
import math
import warnings

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_references import SEEDS, answer, checks_of
from torch import nn
from torch.optim import lr_scheduler

from autograder import references
from autograder.references.one_cycle import functions, learning
from autograder.verdicts import Judge

OPTIONS = st.fixed_dictionaries({
    "pct_start": st.floats(0.05, 0.95), "div_factor": st.floats(1.5, 100),
    "final_div_factor": st.floats(1, 1e5), "base_momentum": st.floats(0.1, 0.8),
    "max_momentum": st.floats(0.85, 0.99), "anneal_strategy": st.sampled_from(["cos", "linear"]),
    "three_phase": st.booleans()})


def optimizers(count=1, **options):
    """An SGD, or an Adam if betas are given, of `count` groups without gradients."""
    groups = [{"params": [nn.Parameter(torch.zeros(1))]} for _ in range(count)]
    kind = torch.optim.Adam if "betas" in options else torch.optim.SGD
    return kind(groups, lr=7.0, **options)


def curve(optimizer, plan, steps):
    """Rate and momentum of each group in each step."""
    rows = []
    for step in range(steps):
        rows.append([(group["lr"], group["betas"] if "betas" in group else group["momentum"])
                     for group in optimizer.param_groups])
        optimizer.step()
        if step < steps - 1:
            plan.step()
    return rows


def flat(rows):
    """All numbers of a tree."""
    for row in rows:
        yield from flat(row) if isinstance(row, list | tuple) else [row]


@settings(max_examples=100, deadline=None)
@given(st.integers(4, 120), st.floats(1e-3, 10), OPTIONS)
def test_one_cycle_equals_torch(steps, max_lr, options):
    """Every rate and momentum, to the last digits: the end is a thousandth part of nothing."""
    peak = options["pct_start"] * steps - 1
    assume(peak > 0.01 and abs(steps - 1 - (1 + options["three_phase"]) * peak) > 0.01)
    optimizer = optimizers(momentum=0.9)
    plan = lr_scheduler.OneCycleLR(optimizer, max_lr, steps, **options)
    for step, [(lr, momentum)] in enumerate(curve(optimizer, plan, steps)):
        got = functions.one_cycle(step, steps, max_lr, **options)
        assert got == pytest.approx((lr, momentum), rel=1e-9, abs=1e-13 * max_lr)


@pytest.mark.parametrize("options,max_lr", [
    ({"momentum": 0.9}, [0.1, 0.5]), ({"betas": (0.9, 0.98)}, 0.03)])
def test_one_cycle_class_equals_torch(options, max_lr):
    """Several groups, and both betas, in every step."""
    kinds = lr_scheduler.OneCycleLR, functions.OneCycle
    rows = [curve(optimizer, kind(optimizer, max_lr, 23), 23)
            for kind, optimizer in zip(kinds, [optimizers(2, **options) for _ in kinds],
                                       strict=True)]
    assert list(flat(rows[1])) == pytest.approx(list(flat(rows[0])))


def test_the_end_of_torch_s_schedule():
    """What the exercise says of it: the call after the last step moves the rate up again."""
    optimizer = optimizers(momentum=0.9)
    plan = lr_scheduler.OneCycleLR(optimizer, 1.0, 100)
    curve(optimizer, plan, 100)
    last = optimizer.param_groups[0]["lr"]
    plan.step()
    assert last == pytest.approx(4e-6) and optimizer.param_groups[0]["lr"] > 100 * last
    ours = functions.OneCycle(optimizer, 1.0, 100)
    curve(optimizer, ours, 100)
    ours.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(4e-6)
    with pytest.raises(RuntimeError):
        ours.step()


def by_torch(plan, steps, rate):
    """The rates of one of torch's schedulers."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], rate)
    return [row[0][0] for row in curve(optimizer, plan(optimizer), steps)]


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 30), st.floats(0.2, 0.99), st.floats(0.3, 4))
def test_decays_equal_torch(span, rate, power):
    """Exponential, stairs, natural, polynomial beyond its end, cosine within its fall."""
    steps, n = range(span + 5), span + 5
    for got, plan in [
        ([functions.exponential_decay(0.3, t, span, rate) for t in steps],
         lambda o: lr_scheduler.ExponentialLR(o, rate ** (1 / span))),
        ([functions.exponential_decay(0.3, t, span, rate, True) for t in steps],
         lambda o: lr_scheduler.StepLR(o, span, rate)),
        ([functions.natural_exp_decay(0.3, t, span, rate) for t in steps],
         lambda o: lr_scheduler.ExponentialLR(o, math.exp(-rate / span))),
        ([functions.polynomial_decay(0.3, t, span, 0.0, power) for t in steps],
         lambda o: lr_scheduler.PolynomialLR(o, span, power)),
    ]:
        assert got == pytest.approx(by_torch(plan, n, 0.3), rel=1e-6, abs=1e-12)
    got = [functions.cosine_decay(0.3, t, span, 0.1) for t in range(span + 1)]
    expected = by_torch(lambda o: lr_scheduler.CosineAnnealingLR(o, span, 0.03), span + 1, 0.3)
    assert got == pytest.approx(expected)


@given(st.integers(1, 200), st.integers(1, 50))
def test_cycles_of_the_polynomial_decay_equal_tensorflow_s_formula(step, span):
    """TensorFlow multiplies decay_steps by max(1, ceil(step / decay_steps))."""
    long = span * max(1, math.ceil(step / span))
    expected = (0.1 - 0.01) * (1 - step / long) ** 2 + 0.01
    assert functions.polynomial_decay(0.1, step, span, 0.01, 2.0, True) == pytest.approx(expected)


def test_statistics_equal_torch():
    """The counted row and torch's own functions."""
    a = torch.randn(5, 4, 3, 2, generator=torch.Generator().manual_seed(0)).double() * 3
    a[:, 1], a[:, 3] = 0, -a[:, 3].abs() - 0.1
    a[2, :3] = a[2, :3].clamp(min=0)
    row = learning.row(a, 11, 4.0)
    torch.testing.assert_close(row["hist"].double(), torch.histc(a.clamp(-4, 4), 11, -4, 4))
    assert (row["mean"], row["std"]) == pytest.approx((a.mean().item(), a.std().item()))
    assert (row["near_zero"], row["dead"]) == (
        (a.abs() <= 0.05).double().mean().item(), 0.25)


def no_guard(learning_rate, global_step, decay_steps, end_learning_rate=0.0001, power=1.0,
             cycle=False):
    """The printed formula: 0 / 0 at step 0."""
    if cycle:
        decay_steps *= math.ceil(global_step / decay_steps)
    left = 1 - min(global_step, decay_steps) / decay_steps
    return (learning_rate - end_learning_rate) * left ** power + end_learning_rate


class TorchsOwn:
    """torch's scheduler, called by our name."""

    def __new__(cls, optimizer, max_lr, total_steps, **options):
        """Hand out torch's."""
        return lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps, **options)


class OldGroups(functions.OneCycle):
    """A scheduler that keeps the groups instead of the optimizer."""

    def __init__(self, optimizer, *args, **options):
        self.groups = optimizer.param_groups
        super().__init__(optimizer, *args, **options)

    def write(self):
        """Write to the groups of the beginning."""
        for group, peak in zip(self.groups, self.peaks, strict=True):
            group["lr"], momentum = self.settings(peak)
            if self.cycle_momentum:
                self.write_momentum(group, momentum)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_scheduler_that_keeps_the_groups_loses_one_point_and_is_told_why(seed):
    """An optimizer that loads its state gets new groups, as the exercise says."""
    optimizer = optimizers(momentum=0.9)
    groups, group = optimizer.param_groups, optimizer.param_groups[0]
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.param_groups is not groups and optimizer.param_groups[0] is not group
    judge = Judge(seed)
    verdicts = {name: answer(judge, name, OldGroups)
                for name in checks_of("one_cycle", "OneCycle")}
    failed = {name: verdict for name, verdict in verdicts.items() if not verdict.passed}
    assert set(failed) == {"one_cycle/OneCycle/resume"}
    assert "groups that the optimizer had before" in failed["one_cycle/OneCycle/resume"].mistake


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("function,wrong,failed", [
    ("polynomial_decay", no_guard, {"cycle_start"}),
    ("natural_exp_decay", lambda lr, step, span, rate: lr * math.exp(-rate / step),
     {"start", "values"}),
    ("OneCycle", TorchsOwn, {"last_call", "too_many"}),
])
def test_slips_cost_what_they_should(function, wrong, failed, seed):
    """Slips that raise: the hidden tests that fail, and those that do not."""
    judge = Judge(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {name.split("/")[2] for name in checks_of("one_cycle", function)
                 if not answer(judge, name, wrong).passed}
    assert found == failed


def test_most_mistakes_in_the_schedule_cost_a_part_of_its_points():
    """A slip in the momentum costs no rate, one in the end of the cycle only the end."""
    judge, names = Judge(0), checks_of("one_cycle", "one_cycle")
    lost = {mistake.name: {name.split("/")[2] for name in names
                           if not answer(judge, name, mistake.wrong).passed}
            for mistake in references.tasks("one_cycle")["one_cycle"].mistakes}
    momenta = {"momentum", "three_phase_momentum"}
    assert all(failed <= momenta for name, failed in lost.items()
               if name.startswith("the momentum"))
    assert lost["the peak is moved to the nearest whole step"] == {"fractions"}
    assert lost["the end is max_lr / final_div_factor"] == {"end"}
    assert lost["the step after the last one has a rate"] == {"refuses_steps"}


def test_the_digits_can_be_learned_from_any_draw():
    """The reference reads most digits, from each of many starts: the band is not luck."""
    shares = [outcome["value"]["share read"].item()
              for outcome in itertools.chain.from_iterable(
                  Judge(seed).expected("one_cycle/train_one_cycle/digits") for seed in range(4))]
    assert len(shares) == 12 and min(shares) > 0.85
