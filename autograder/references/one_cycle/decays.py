"""Four decays: known mistakes and hidden tests. The names of arguments are TensorFlow's."""

import math

from autograder.references import Behaviour, Mistake, Task
from autograder.references.one_cycle import functions as right

STEPS = (1, 10, 25, 40, 100)


def _tested(cases):
    return Behaviour(lambda draw: cases, driver="one_cycle.over")


def exponential_decay():
    """Tests of the exponential decay."""
    fn = right.exponential_decay
    return Task(fn, {
        "values": _tested([(0.1, (0, *STEPS), 10, 0.5), (2.0, (0, *STEPS), 25, 0.96)]),
        "staircase": _tested([(0.1, (0, 9, 10, 11, 20, 29), 10, 0.5, True),
                              (1.0, (0, 3, 4, 7, 9), 4, 0.8, True)]),
    }, [
        Mistake("the rate falls by decay_rate in every single step",
                "It takes decay_steps steps: the exponent is global_step / decay_steps.",
                lambda lr, step, span, rate, staircase=False: fn(lr, step, 1, rate, staircase)),
        Mistake("staircase is ignored", "With staircase=True the exponent is a whole number.",
                lambda lr, step, span, rate, staircase=False: fn(lr, step, span, rate)),
        Mistake("there are always stairs", "Without staircase the exponent is no whole number.",
                lambda lr, step, span, rate, staircase=False: fn(lr, step, span, rate, True)),
        Mistake("the stairs are rounded up", "Round down: the first stair is learning_rate.",
                lambda lr, step, span, rate, staircase=False: lr * rate ** (
                    math.ceil(step / span) if staircase else step / span)),
        Mistake("the stairs are rounded to the nearest", "Round down: use // or math.floor.",
                lambda lr, step, span, rate, staircase=False: lr * rate ** (
                    round(step / span) if staircase else step / span)),
        Mistake("the decay is a natural exponential",
                "decay_rate is the base of the power, not a rate in exp().",
                lambda lr, step, span, rate, staircase=False: lr * math.exp(-rate * (
                    step // span if staircase else step / span))),
        Mistake("the exponent is decay_steps / global_step",
                "The step is above the line: global_step / decay_steps.",
                lambda lr, step, span, rate, staircase=False: lr * rate ** (
                    span / step if step else 0)),
    ])


def natural_exp_decay():
    """Tests of the natural exponential decay."""
    fn = right.natural_exp_decay
    return Task(fn, {
        "start": _tested([(0.1, (0,), 10, 0.5), (3.0, (0,), 7, 1.5)]),
        "values": _tested([(0.1, STEPS, 10, 0.5), (2.0, STEPS, 30, 0.8)]),
    }, [
        Mistake("the exponent is decay_rate / global_step",
                "That rises. The step is above the line: decay_rate * global_step / decay_steps.",
                lambda lr, step, span, rate: lr * math.exp(-rate / step)),
        Mistake("the exponent is decay_rate * decay_steps / global_step",
                "That rises. The step is above the line: decay_rate * global_step / decay_steps.",
                lambda lr, step, span, rate: lr * math.exp(-rate * span / step)),
        Mistake("decay_steps is ignored", "The exponent is decay_rate * global_step / decay_steps.",
                lambda lr, step, span, rate: fn(lr, step, 1, rate)),
        Mistake("the rate rises", "The exponent has a minus.",
                lambda lr, step, span, rate: fn(lr, step, span, -rate)),
        Mistake("decay_rate is the base of the power",
                "The base is e, and decay_rate stands in the exponent.", right.exponential_decay),
        Mistake("the decay has stairs", "The exponent is no whole number.",
                lambda lr, step, span, rate: lr * math.exp(-rate * (step // span))),
        Mistake("the decay is 1 / (1 + decay_rate * global_step / decay_steps)",
                "That is inverse time decay: use an exponential.",
                lambda lr, step, span, rate: lr / (1 + rate * step / span)),
    ])


def _polynomial(span=lambda step, span, cycle: span * max(1, math.ceil(step / span)) if cycle
                else span, clamp=True, end=lambda lr, end: end, power=lambda power: power,
                total=lambda lr, end, share: (lr - end) * share + end):
    """The polynomial decay with some of its parts bent."""
    def wrong(lr, step, decay_steps, end_learning_rate=0.0001, power_=1.0, cycle=False):
        long, low = span(step, decay_steps, cycle), end(lr, end_learning_rate)
        share = (min(step, long) if clamp and not cycle else step) / long
        return total(lr, low, (1 - share) ** power(power_))
    return lambda lr, step, decay_steps, end_learning_rate=0.0001, power=1.0, cycle=False: wrong(
        lr, step, decay_steps, end_learning_rate, power, cycle)


def _at_the_end(lr, step, span, end_learning_rate=0.0001, power=1.0, cycle=False):
    """A fall of no steps has ended."""
    return end_learning_rate if cycle and step == 0 else right.polynomial_decay(
        lr, step, span, end_learning_rate, power, cycle)


def polynomial_decay():
    """Tests of the polynomial decay."""
    inside, cycles = (0, 1, 10, 25, 40), {"cycle": True, "power": 2.0, "end_learning_rate": 0.01}
    return Task(right.polynomial_decay, {
        "values": _tested([(0.1, inside, 40, 0.01), (0.1, inside, 40, 0.02, 2.0),
                           (1.0, inside, 40, 0.3, 0.5)]),
        "beyond": _tested([(0.1, (41, 50, 79, 200), 40, 0.01),
                           (1.0, (41, 60, 90), 40, 0.3, 2.0)]),
        "cycle": _tested([(0.1, (1, 39, 41, 60, 79, 81, 100), 40, cycles)]),
        "cycle_borders": _tested([(0.1, (40, 80, 160), 40, cycles), (1.0, (30, 60), 30, cycles)]),
        "cycle_start": _tested([(0.1, (0,), 40, cycles), (1.0, (0,), 30, cycles)]),
    }, [
        Mistake("power is ignored", "It is the exponent of 1 - step / decay_steps.",
                _polynomial(power=lambda power: 1.0)),
        Mistake("the end rate is a share of the learning rate",
                "end_learning_rate is a rate; alpha of the cosine decay is a share.",
                _polynomial(end=lambda lr, end: lr * end)),
        Mistake("end_learning_rate is ignored", "It is an argument.",
                _polynomial(end=lambda lr, end: 0.0001)),
        Mistake("the end rate is not subtracted from the learning rate",
                "(learning_rate - end_learning_rate) times the power, plus end_learning_rate.",
                _polynomial(total=lambda lr, end, share: lr * share + end)),
        Mistake("the end rate is not added", "The decay ends at end_learning_rate.",
                _polynomial(total=lambda lr, end, share: (lr - end) * share)),
        Mistake("the rate is the larger of the decay to 0 and the end",
                "(learning_rate - end_learning_rate) times the power, plus end_learning_rate.",
                _polynomial(total=lambda lr, end, share: max(lr * share, end))),
        Mistake("beyond decay_steps the rate does not stay at the end",
                "Use min(global_step, decay_steps).", _polynomial(clamp=False)),
        Mistake("cycle is ignored",
                "With cycle=True, decay_steps grows to the next multiple that is not below the "
                "step.", _polynomial(span=lambda step, span, cycle: span)),
        Mistake("every fall is as long as the first",
                "With cycle=True, decay_steps grows to the next multiple that is not below the "
                "step, and the step goes on counting.",
                lambda lr, step, span, *rest, cycle=False, **options: right.polynomial_decay(
                    lr, step % span if cycle else step, span, *rest, **options)),
        Mistake("at a multiple of decay_steps the next fall has begun already",
                "Round up: ceil(step / decay_steps), and at least 1.",
                _polynomial(span=lambda step, span, cycle: span * (
                    step // span + 1 if cycle else 1))),
        Mistake("with cycle=True, the rate at step 0 is the end",
                "At step 0 the multiple would be 0: take at least 1, and begin at learning_rate.",
                _at_the_end),
    ])


def cosine_decay():
    """Tests of the cosine decay."""
    fn = right.cosine_decay
    inside = (0, 10, 25, 50, 75, 100)
    return Task(fn, {
        "values": _tested([(0.1, inside, 100), (3.0, inside, 120)]),
        "alpha": _tested([(0.1, inside, 100, 0.2), (4.0, inside, 100, 0.5)]),
        "beyond": _tested([(0.1, (101, 150, 200), 100, 0.2), (4.0, (41, 50, 99), 40, 0.25)]),
    }, [
        Mistake("alpha is a rate, not a share",
                "It ends at learning_rate * alpha.",
                lambda lr, step, span, alpha=0.0: fn(lr, step, span, alpha / lr)),
        Mistake("alpha is a floor under the cosine",
                "(1 - alpha) * cosine + alpha, all times the learning rate.",
                lambda lr, step, span, alpha=0.0: max(fn(lr, step, span), alpha * lr)),
        Mistake("alpha is ignored", "It is an argument.",
                lambda lr, step, span, alpha=0.0: fn(lr, step, span)),
        Mistake("alpha is added to the whole cosine",
                "(1 - alpha) * cosine + alpha: at step 0 the rate is learning_rate.",
                lambda lr, step, span, alpha=0.0: fn(lr, step, span) + alpha * lr),
        Mistake("beyond decay_steps the rate rises again", "Use min(global_step, decay_steps).",
                lambda lr, step, span, alpha=0.0: lr * right.cos_anneal(1, alpha, step / span)),
        Mistake("beyond decay_steps it starts again", "Use min(global_step, decay_steps).",
                lambda lr, step, span, alpha=0.0: fn(
                    lr, step % span if step > span else step, span, alpha)),
        Mistake("it is a quarter of a cosine", "The angle goes from 0 to pi.",
                lambda lr, step, span, alpha=0.0: lr * (alpha + (1 - alpha) * math.cos(
                    math.pi / 2 * min(step, span) / span))),
        Mistake("the cosine goes down and up again", "The angle goes from 0 to pi, not to 2 pi.",
                lambda lr, step, span, alpha=0.0: lr * right.cos_anneal(
                    1, alpha, 2 * min(step, span) / span)),
        Mistake("the cosine is not halved and lifted",
                "0.5 * (1 + cos): a cosine alone goes down to -1.",
                lambda lr, step, span, alpha=0.0: lr * ((1 - alpha) * math.cos(
                    math.pi * min(step, span) / span) + alpha)),
    ])
