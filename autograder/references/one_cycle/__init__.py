"""Hidden tests of the 1cycle assignment.

`functions` and `learning` hold the references; each of the other modules holds, for one group of
functions, the known mistakes and what its hidden tests feed a student's function. Curves are
compared on numbers of the size of their peak; what lies far below it, the end of the cycle, is
compared by its power of ten.
"""

from autograder.references import Rules
from autograder.references.one_cycle import (
    annealing,
    cycle,
    decays,
    range_test,
    scheduler,
    training,
    watching,
)

TASKS = {task.__name__: task() for task in (
    annealing.lin_anneal,
    annealing.cos_anneal,
    cycle.one_cycle,
    scheduler.OneCycle,
    decays.exponential_decay,
    decays.natural_exp_decay,
    decays.polynomial_decay,
    decays.cosine_decay,
    range_test.lr_range_test,
    watching.ActivationStats,
    training.train_one_cycle,
)}

# Schedulers that do a task's work; LambdaLR and LRScheduler are a way to write one's own.
RULES = Rules(words=frozenset({
    "OneCycleLR", "CyclicLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "ExponentialLR",
    "LinearLR", "PolynomialLR", "StepLR",
}))
