"""The 1cycle schedule: known mistakes and hidden tests."""

import math

from autograder.references import Behaviour, Mistake, Task
from autograder.references.one_cycle import functions as right
from autograder.references.one_cycle.annealing import geometric, quarter


def _bent(points=lambda found, T, pct: found, rate=lambda given: given,
          momentum=lambda given: given, step=lambda step, T: step,
          result=lambda rate, m, o: (rate, m), anneal=None, **fixed):
    """The schedule with its knots, its annealing, its step or its result bent.

    `points(knots, T, pct_start)` returns other knots, `rate` and `momentum` another strategy for
    either, and `anneal` is used for both; further options are taken instead of the caller's.
    """
    def wrong(number, total_steps, max_lr, **options):
        options = {"pct_start": 0.3, "anneal_strategy": "cos"} | options | fixed
        kind = options.pop("anneal_strategy")
        right.checked(number, total_steps, kind)
        found = right.knots(total_steps, max_lr, **options)
        found = points(found, total_steps, options["pct_start"])
        pair = right.along(step(number, total_steps), found,
                           *(anneal or right.ANNEAL[choice(kind)] for choice in (rate, momentum)))
        return result(*pair, {"max_lr": max_lr, "base_momentum": 0.85, "max_momentum": 0.95}
                      | options)
    return wrong


def _moved(peak=lambda step: step, middle=lambda step: step, last=lambda step: step):
    """Knots at other steps; the one in the middle is given the moved peak's double."""
    def points(found, T, pct):
        steps = [0, peak(found[1][0]), *[middle(2 * peak(knot[0])) for knot in found[1:-2]],
                 last(T - 1)]
        return [(at, *knot[1:]) for at, knot in zip(steps, found, strict=True)]
    return points


def _ending(rate):
    """Another last rate, from the found knots."""
    return lambda found, T, pct: [*found[:-1], (found[-1][0], rate(found), found[-1][2])]


def _momenta(change):
    """Other momenta at the knots."""
    return lambda found, T, pct: [(at, rate, m) for (at, rate, _), m in
                                  zip(found, change([knot[2] for knot in found]), strict=True)]


def _after(step, total_steps, max_lr, **options):
    """After the run it goes on."""
    if step < total_steps:
        return right.one_cycle(step, total_steps, max_lr, **options)
    return right.along(step, right.knots(total_steps, max_lr),
                       *[right.cos_anneal] * 2)


def _any_length(step, total_steps, max_lr, **options):
    """A run of any length has a cycle."""
    if total_steps >= 4:
        return right.one_cycle(step, total_steps, max_lr, **options)
    return right.along(step, right.knots(total_steps, max_lr),
                       *[right.cos_anneal] * 2)


def _mirrored(rate, momentum, options):
    """The momentum that goes down in proportion to the rate."""
    base, top = options["base_momentum"], options["max_momentum"]
    return rate, top - (top - base) * rate / options["max_lr"]


def _cut_off(rate, momentum, options):
    """The momentum that mirrors the rate between its start and its peak, and never rises higher."""
    base, top = options["base_momentum"], options["max_momentum"]
    start = options["max_lr"] / options.get("div_factor", 25.0)
    return rate, min(top, top - (top - base) * (rate - start) / (options["max_lr"] - start))


def _fastai_end(step, total_steps, max_lr, final_div_factor=1e4, div_factor=25.0, **options):
    """The end is a share of the peak."""
    return right.one_cycle(step, total_steps, max_lr, div_factor=div_factor,
                           final_div_factor=final_div_factor / div_factor, **options)


def _one_less(anneal_last):
    """Both knots one step later, as fastai counts."""
    return _moved(peak=lambda step: step + 1, last=anneal_last)


ONE_CYCLE = [
    Mistake("the end is max_lr / final_div_factor",
            "That is fastai's rule. PyTorch divides the start, max_lr / div_factor.", _fastai_end),
    Mistake("the cycle ends at the rate where it started",
            "The last rate is the start divided by final_div_factor.",
            _bent(_ending(lambda found: found[0][1]))),
    Mistake("the cycle ends at 0",
            "The last rate is the start divided by final_div_factor.",
            _bent(_ending(lambda found: 0.0))),
    Mistake("peak and end come one step late",
            "Steps count from 0: the peak is at pct_start * T - 1, the end at T - 1.",
            _bent(_one_less(lambda last: last + 1))),
    Mistake("the peak comes one step late",
            "The peak is at step pct_start * T - 1.", _bent(_one_less(lambda last: last))),
    Mistake("the end comes one step late",
            "The last step is T - 1.", _bent(_moved(last=lambda last: last + 1))),
    Mistake("the peak is moved to a whole step, rounded down",
            "The peak may lie between two steps: keep pct_start * T - 1 a float.",
            _bent(_moved(peak=lambda step: math.floor(step + 1e-9)))),
    Mistake("the peak is moved to the nearest whole step",
            "The peak may lie between two steps: keep pct_start * T - 1 a float.",
            _bent(_moved(peak=round))),
    Mistake("the rate is always annealed by a cosine",
            "anneal_strategy may be 'linear'.", _bent(rate=lambda given: "cos")),
    Mistake("the rate is always annealed by a line",
            "anneal_strategy is 'cos' unless the caller says 'linear'.",
            _bent(rate=lambda given: "linear")),
    Mistake("it is a quarter of a cosine",
            "The angle goes from 0 to pi: use cos_anneal.", _bent(anneal=quarter)),
    Mistake("the rate is annealed by equal factors",
            "That is exponential; use cos_anneal or lin_anneal.", _bent(anneal=geometric)),
    Mistake("the momentum goes up and down with the rate",
            "At the peak of the rate the momentum is lowest: base_momentum.",
            _bent(_momenta(lambda m: [m[1], m[0], *[m[1]] * (len(m) - 2)]))),
    Mistake("the momentum is constant",
            "It falls from max_momentum to base_momentum, and climbs again.",
            _bent(_momenta(lambda m: [m[0]] * len(m)))),
    Mistake("the momentum is computed from the rate",
            "Anneal it from knot to knot: it begins and ends at max_momentum itself.",
            _bent(result=_mirrored)),
    Mistake("the momentum is the mirror image of the rate, cut off at max_momentum",
            "The rate falls far below its start, so the momentum arrives too early: anneal it from "
            "knot to knot.",
            _bent(result=_cut_off)),
    Mistake("the momentum is always annealed by a line",
            "It follows the same curve as the rate: cos_anneal, unless the caller says 'linear'.",
            _bent(momentum=lambda given: "linear")),
    Mistake("the momentum is always annealed by a cosine",
            "It follows the same curve as the rate: lin_anneal, if the caller says 'linear'.",
            _bent(momentum=lambda given: "cos")),
    Mistake("the momentum stays low in the second phase",
            "It climbs back to max_momentum.",
            _bent(_momenta(lambda m: [*m[:2], *[m[1]] * (len(m) - 2)]))),
    Mistake("base_momentum and max_momentum are ignored",
            "They are arguments.", _bent(base_momentum=0.85, max_momentum=0.95)),
    Mistake("pct_start is ignored", "It is an argument.", _bent(pct_start=0.3)),
    Mistake("div_factor is ignored", "It is an argument.", _bent(div_factor=25.0)),
    Mistake("final_div_factor is ignored", "It is an argument.", _bent(final_div_factor=1e4)),
    Mistake("three_phase is ignored",
            "Three phases have a knot at 2 * pct_start * T - 2.", _bent(three_phase=False)),
    Mistake("the second of three phases ends at 2 * pct_start * T - 1",
            "It is as long as the first, pct_start * T - 1 steps: it ends at twice that.",
            _bent(_moved(middle=lambda step: step + 1))),
    Mistake("the second of three phases falls to the end already",
            "It falls to the start, max_lr / div_factor; the third falls to the end.",
            _bent(lambda found, T, pct: found if len(found) < 4 else
                  [*found[:2], (found[2][0], *found[3][1:]), found[3]])),
    Mistake("the momentum falls again in the third phase",
            "It stays at max_momentum there.",
            _bent(_momenta(lambda m: m if len(m) < 4 else [*m[:3], m[1]]))),
    Mistake("the momentum stays low until the third phase",
            "It is back at max_momentum when the second phase ends.",
            _bent(_momenta(lambda m: m if len(m) < 4 else [*m[:2], m[1], m[3]]))),
    Mistake("steps are counted from 1",
            "The first step is 0, with the rate max_lr / div_factor.",
            _bent(step=lambda step, T: max(step - 1, 0))),
    Mistake("momentum and rate are swapped",
            "Return the learning rate first.", _bent(result=lambda rate, m, options: (m, rate))),
    Mistake("the step after the last one has a rate",
            "The steps are 0 to T - 1: raise a RuntimeError for T.", _after),
    Mistake("a cycle of three steps or fewer is not refused",
            "The climb would end before step 0: raise a ValueError for total_steps < 4.",
            _any_length),
]


def _steps(total_steps, count=None):
    """The name of a range of steps: the whole run, or its last `count`."""
    return f"{total_steps - (count or total_steps)} to {total_steps - 1}"


def _curve(total_steps, max_lr, **options):
    return _steps(total_steps), total_steps, max_lr, options


def one_cycle():
    """Tests of the schedule."""
    three = {"three_phase": True, "div_factor": 4.0}
    return Task(right.one_cycle, {
        "shape": Behaviour(lambda draw: [_curve(100, 1.0), _curve(20, 0.4)],
                           driver="one_cycle.rates"),
        "fractions": Behaviour(lambda draw: [
            _curve(97, 1.0), _curve(11, 0.5), _curve(20, 2.0, pct_start=0.37),
            _curve(100, 1.0, pct_start=0.125),
        ], driver="one_cycle.rates"),
        "factors": Behaviour(lambda draw: [
            _curve(20, 3.0, div_factor=5.0), _curve(40, 0.01, div_factor=10.0, pct_start=0.5),
        ], driver="one_cycle.rates"),
        "end": Behaviour(lambda draw: [
            (_steps(total, 2), total, 1.0, options) for total, options in (
                (100, {}), (20, {"final_div_factor": 100.0}), (40, {"div_factor": 10.0}),
                (20, {"div_factor": 2.0, "final_div_factor": 50.0}))
        ], driver="one_cycle.magnitudes", tolerance=5e-3),
        "linear": Behaviour(lambda draw: [
            _curve(20, 1.0, anneal_strategy="linear"), _curve(100, 0.2, anneal_strategy="linear"),
        ], driver="one_cycle.rates"),
        "momentum": Behaviour(lambda draw: [
            _curve(100, 1.0), _curve(20, 0.1, base_momentum=0.5, max_momentum=0.9),
            _curve(40, 1.0, anneal_strategy="linear"),
        ], driver="one_cycle.momenta"),
        "three_phase": Behaviour(lambda draw: [
            _curve(100, 1.0, **three), _curve(20, 0.5, anneal_strategy="linear", **three),
        ], driver="one_cycle.rates"),
        "three_phase_momentum": Behaviour(lambda draw: [
            _curve(100, 1.0, **three), _curve(20, 0.5, anneal_strategy="linear", **three),
        ], driver="one_cycle.momenta"),
        # The first case is allowed: an exercise not yet written raises a RuntimeError as well.
        "refuses_steps": Behaviour(lambda draw: [
            (19, 20, 1.0), (20, 20, 1.0), (21, 20, 1.0), (-1, 20, 1.0),
        ], driver="one_cycle.allowed"),
        "refuses_options": Behaviour(lambda draw: [
            (3, 4, 1.0), (0, 3, 1.0), (1, 2, 1.0), (0, 1, 1.0),
            (0, 20, 1.0, {"anneal_strategy": "cosine"}),
        ], driver="one_cycle.allowed"),
    }, ONE_CYCLE)
