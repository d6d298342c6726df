"""Frozen batch norms: known mistakes and hidden tests."""

from torch import nn

from autograder.references import Behaviour, Mistake, Task
from autograder.references.normalization import functions as right
from autograder.references.normalization.inputs import picture, positive

AFTER = {"modes_set_after": ("eval", "train")}
NORMS = nn.BatchNorm1d, nn.BatchNorm2d


def _stay(part):
    """Put a module into evaluation mode for good."""
    part.eval()
    part.train = lambda mode=True: part


def _each(act, kinds=NORMS, parts=lambda model: model.modules()):
    """Do something to each batch norm, or each part of another kind."""
    def wrong(model):
        for part in list(parts(model)):
            if isinstance(part, kinds):
                act(part)
        return model
    return wrong


def _freeze(part, statistics=True, parameters=True):
    if statistics:
        _stay(part)
    if parameters:
        part.requires_grad_(False)


def _by_momentum(part):
    """No statistic moves with momentum 0."""
    part.requires_grad_(False)
    part.momentum = 0.0


def _whole(model):
    """The whole model stays in evaluation mode."""
    right.freeze_bn(model).eval()
    model.train = lambda mode=True: model
    return model


def _other_parameters(model):
    right.freeze_bn(model).requires_grad_(False)
    return model


FREEZE_BN = [
    Mistake("the batch norms wake up with model.train()",
            "model.train() reaches every part: give each batch norm a train that does nothing.",
            _each(lambda part: part.eval() and part.requires_grad_(False))),
    Mistake("only the parameters are frozen",
            "The running statistics are buffers, and move with every batch in training mode: "
            "frozen parts stay in evaluation mode.",
            _each(lambda part: part.requires_grad_(False))),
    Mistake("the running statistics stand still, and the batch's are used",
            "Neither momentum 0 nor track_running_stats=False is enough: the output still depends "
            "on the batch. Frozen parts stay in evaluation mode.",
            _each(_by_momentum)),
    Mistake("gamma and beta still learn",
            "Call requires_grad_(False) on each batch norm, too.",
            _each(lambda part: _freeze(part, parameters=False))),
    Mistake("batch norms inside of other modules are missed",
            "model.modules() visits every part, however deep; children() does not.",
            _each(_freeze, parts=lambda model: model.children())),
    Mistake("BatchNorm1d is missed",
            "Freeze nn.BatchNorm1d, too.",
            _each(_freeze, kinds=nn.BatchNorm2d)),
    Mistake("the whole model is frozen in evaluation mode",
            "Dropout and all the rest still have to switch: freeze the batch norms alone.",
            _whole),
    Mistake("no parameter of the model learns",
            "Call requires_grad_(False) on the batch norms alone.",
            _other_parameters),
    Mistake("layer norm and group norm are frozen, too",
            "They keep no statistics, and learn on: nn.BatchNorm1d and nn.BatchNorm2d alone.",
            _each(_freeze, kinds=(*NORMS, nn.GroupNorm, nn.LayerNorm))),
]


def _conv(channels_in, channels_out):
    return "Conv2d", {"in_channels": channels_in, "out_channels": channels_out, "kernel_size": 3,
                      "padding": 1}


def _norm(draw, channels, kind="BatchNorm2d"):
    """A batch norm with drawn statistics."""
    return (kind, {"num_features": channels}, {
        "weight": draw.normal(channels), "bias": draw.normal(channels),
        "running_mean": draw.normal(channels), "running_var": positive(draw, channels)})


def _networks(draw):
    """A plain network, a nested one, and one that ends in vectors."""
    groups = ("GroupNorm", {"num_groups": 2, "num_channels": 4})
    plain = _conv(2, 4), _norm(draw, 4), ("ReLU", {}), groups
    nested = _conv(2, 4), ("Residual", (("Residual", (_conv(4, 4), _norm(draw, 4))), _conv(4, 4)))
    vectors = _norm(draw, 2), ("Flatten", {}), _norm(draw, 60, "BatchNorm1d")
    return plain, nested, vectors


def freeze_bn():
    """Tests of what is frozen, and what is not."""
    def batches(draw):
        cases = [(network, picture(draw, 3, 2, 5, 6)) for network in _networks(draw)]
        return [cases[0], *((*case, AFTER) for case in cases)]

    def with_dropout(draw):
        drop = ("Residual", (("Dropout", {"p": 1.0}),))
        return [((*network, drop), *rest) for network, *rest in batches(draw)]

    return Task(right.freeze_bn, {
        "statistics": Behaviour(batches, driver="normalization.frozen_statistics"),
        "outputs": Behaviour(with_dropout, driver="normalization.frozen_outputs"),
        "parameters": Behaviour(lambda draw: [(network, AFTER) for network in _networks(draw)],
                                driver="normalization.frozen_parameters"),
    }, FREEZE_BN)
