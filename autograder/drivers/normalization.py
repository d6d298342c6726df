"""Drivers of the normalization assignment's own."""

import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from autograder.drivers import with_all
from autograder.drivers.receptive_fields import network


def axes(fn, args, kwargs):
    """The axes that the function names, smallest first; negative ones count from the end."""
    kind, ndim = args
    found = fn(kind, ndim, **kwargs)
    if not isinstance(found, list | tuple | set | range) or not all(type(a) is int for a in found):
        raise TypeError("return a tuple of axes, such as (1, 2)")
    ndim += kind == "group"  # which is counted in the reshaped tensor
    return {"axes": str(tuple(sorted(a + ndim if a < 0 else a for a in found)))}


def output(fn, args, kwargs):
    """The output of a forward pass that returns (output, cache)."""
    return _forward(fn, args, kwargs)[0]


def output_and_input(fn, args, kwargs):
    """The output of a forward pass, and whether x, gamma and beta are as before."""
    before = copy.deepcopy(args[:3])
    result = output(fn, args, kwargs)
    same = all(torch.equal(a, b) for a, b in zip(args, before, strict=False))
    return {"output": result, "x, gamma and beta left unchanged": same}


def _forward(fn, args, kwargs):
    result = fn(*args, **kwargs)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise TypeError("return two things: the output and the cache")
    return result


def cache(fn, args, kwargs):
    """The cache of a forward pass, by its names."""
    kept = _forward(fn, args, kwargs)[1]
    if not isinstance(kept, tuple | list) or len(kept) != 4:
        raise TypeError("the cache is (x_hat, inv_std, gamma, training)")
    return dict(zip(("x_hat", "inv_std", "gamma", "training"), kept, strict=True))


def _after(which):
    def statistic(fn, args, kwargs):
        x, gamma, beta, running_mean, running_var, training = args
        found = {}
        for name, batch in (("after one batch", x), ("after two", 2 * x.flip(-1) + 1)):
            _forward(fn, (batch, gamma, beta, running_mean, running_var, training), kwargs)
            found[name] = (running_mean, running_var)[which].clone()
        return found
    return statistic


running_mean, running_var = _after(0), _after(1)
running_mean.__doc__ = "The running mean after one call, and after another on another batch."
running_var.__doc__ = "The running variance after one call, and after another on another batch."


def evaluation(fn, args, kwargs):
    """The output, and the two running statistics after the call."""
    result = output(fn, args, kwargs)
    return {"output": result, "running_mean": args[3], "running_var": args[4]}


def forward_gradients(fn, args, kwargs):
    """Gradients of an unevenly weighed output by x, gamma and beta, through the statistics."""
    leaves = [a.requires_grad_() for a in args[:3]]
    result = output(fn, args, kwargs)
    found = {"running statistics are cut off from the graph":
             not (args[3].requires_grad or args[4].requires_grad)}
    return found | {"gradients": _weighed(result, leaves)}


def _weighed(result, leaves):
    if not result.requires_grad:
        return "cut off"
    # uneven, and of mean 1: the part of a gradient that goes through a mean is not small then
    weights = 1 + torch.cos(torch.arange(result.numel(), dtype=result.dtype)).view(result.shape)
    return torch.autograd.grad(result, leaves, weights, materialize_grads=True, allow_unused=True)


def gradients(fn, args, kwargs):
    """Gradients of an unevenly weighed result by every argument."""
    leaves = [a.requires_grad_() for a in args]
    return {"gradients": _weighed(fn(*args, **kwargs), leaves)}


def _backward(which):
    def gradient(fn, args, kwargs):
        grads = fn(*args, **kwargs)
        if not isinstance(grads, tuple | list) or len(grads) != 3:
            raise TypeError("return three gradients: by x, by gamma and by beta")
        return grads[which]
    return gradient


grad_x, grad_gamma, grad_beta = map(_backward, range(3))
grad_x.__doc__ = "The gradient by x."
grad_gamma.__doc__ = "The gradient by gamma."
grad_beta.__doc__ = "The gradient by beta."


def _module(fn, args, kwargs):
    """Build a module of the student's class, in float64."""
    if not (isinstance(fn, type) and issubclass(fn, nn.Module)) or issubclass(fn, _NormBase):
        raise TypeError("write a class of your own that derives from nn.Module itself")
    return fn(*args, **kwargs).double()


def _state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def state(fn, args, kwargs):
    """The names, shapes and values in the state of a new module."""
    return _state(_module(fn, args, kwargs))


def parameters(fn, args, kwargs):
    """The names of what is a parameter, and of what needs a gradient."""
    module = _module(fn, args, kwargs)
    every = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {"parameters": ", ".join(sorted(name for name, _ in module.named_parameters())),
            "what needs a gradient": ", ".join(sorted(
                name for name, value in every.items() if value.requires_grad))}


def _run(fn, args, kwargs):
    """Build a module, load its state if there is one, and run it over the steps."""
    kwargs = dict(kwargs)
    steps, given = kwargs.pop("steps"), kwargs.pop("state", None)
    module = _module(fn, args, kwargs)
    if given:
        module.load_state_dict(dict(given))
    return module, [module.train(mode == "train")(x) for mode, x in steps]


def outputs(fn, args, kwargs):
    """What comes out at each step."""
    return _run(fn, args, kwargs)[1]


def outputs_in_evaluation(fn, args, kwargs):
    """What comes out at the steps in evaluation mode."""
    steps, results = kwargs["steps"], _run(fn, args, kwargs)[1]
    return [result for (mode, _), result in zip(steps, results, strict=True) if mode == "eval"]


def statistics(fn, args, kwargs):
    """The buffers after the last step."""
    module = _run(fn, args, kwargs)[0]
    return {name: value for name, value in _state(module).items()
            if name not in ("weight", "bias")}


def module_gradients(fn, args, kwargs):
    """Gradients of an unevenly weighed output by x and the parameters, in training mode."""
    (_, x), = kwargs["steps"]
    module = _module(fn, args, {}).train()
    leaves = [x.requires_grad_(), *module.parameters()]
    return {"gradients": _weighed(module(x), leaves)}


def modes(fn, args, kwargs):
    """Whose statistics are used, and what moves, if gradients are on or off in either mode."""
    module, found = _module(fn, args, {}), {}
    (_, x), = kwargs["steps"]
    for training in (True, False):
        for grad in (True, False):
            before = _state(module)
            with torch.set_grad_enabled(grad):
                out = module.train(training)(x)
            after = _state(module)
            where = f"{'train' if training else 'eval'}(), gradients {'on' if grad else 'off'}, "
            found[where + "standardized by its own batch"] = bool(
                out.detach().double().mean((0, 2, 3)).abs().max() < 1e-3)
            found[where + "running statistics moved"] = any(
                not torch.equal(after[name], before[name])
                for name in ("running_mean", "running_var") if name in before)
    return found


def _folded(fn, args, kwargs):
    """The two layers that the descriptions stand for, and the one made of them."""
    conv, norm = network((args[0],))[0], network((args[1],))[0]
    norm.train(kwargs.get("training", False))
    before = _state(conv) | {f"bn.{name}": value for name, value in _state(norm).items()}
    one = fn(conv, norm)
    if not isinstance(one, nn.Conv2d):
        raise TypeError("return one nn.Conv2d")
    after = _state(conv) | {f"bn.{name}": value for name, value in _state(norm).items()}
    return one, all(torch.equal(after[name], before[name]) for name in before)


def folded(fn, args, kwargs):
    """What the one convolution makes of a picture."""
    one, _ = _folded(fn, args, kwargs)
    return one(args[2].to(one.weight.dtype))


def layers_after_folding(fn, args, kwargs):
    """Whether the two layers are as they were before they were folded."""
    return {"conv and bn left unchanged": _folded(fn, args, kwargs)[1]}


def _frozen(fn, args, kwargs):
    """Build a network in training mode, freeze it, and switch it to the modes given."""
    model = network(args[0]).train()
    fn(model)
    for mode in kwargs.get("modes_set_after", ()):
        model.train(mode == "train")
    return model


def _buffers(model):
    return [value for name, value in model.named_buffers() if "running" in name]


def frozen_outputs(fn, args, kwargs):
    """What a frozen network makes of a batch, and its running statistics after that, in order."""
    model = _frozen(fn, args, kwargs)
    with with_all():  # torch's own batch norm runs here, not the student's
        result = model(args[1])
    return {"output": result, "running statistics": _buffers(model)}


def frozen_statistics(fn, args, kwargs):
    """The running statistics of a frozen network, in order, after a batch."""
    return frozen_outputs(fn, args, kwargs)["running statistics"]


def frozen_parameters(fn, args, kwargs):
    """Which parameters of a frozen network still learn, in order."""
    learns = [p.requires_grad for p in _frozen(fn, args, kwargs).parameters()]
    return {"which parameters learn": ", ".join("yes" if learn else "no" for learn in learns)}
