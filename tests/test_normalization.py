"""The normalization references against torch, and what the drivers refuse."""

import nbformat
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from autograder import check, references
from autograder.checking import CheckFailed, attach
from autograder.drivers import drive
from autograder.references.normalization import functions
from autograder.scan import ANYWHERE, forbidden_words
from autograder.verdicts import Judge

SHAPES = st.one_of(st.tuples(*[st.integers(1, 5)] * 2), st.tuples(*[st.integers(1, 4)] * 4))
CLOSE = torch.testing.assert_close


def drawn(seed, *shapes):
    """A float64 tensor for each shape, with a mean that is not 0."""
    generator = torch.Generator().manual_seed(seed)
    return [1 + 2 * torch.randn(shape, generator=generator, dtype=torch.float64)
            for shape in shapes]


@settings(max_examples=60)
@given(SHAPES, st.integers(0, 99), st.floats(0, 1), st.floats(1e-5, 1), st.booleans())
def test_forward_and_backward_equal_torch(shape, seed, momentum, eps, training):
    """Outputs, running statistics and all three gradients; what torch refuses is refused."""
    c = shape[1]
    x, gamma, beta, mean, var, upstream = drawn(seed, shape, c, c, c, c, shape)
    mine, theirs = (mean.clone(), var.abs() + 0.1), (mean.clone(), var.abs() + 0.1)
    if training and x.numel() == c:
        with pytest.raises(ValueError):
            F.batch_norm(x, *theirs, gamma, beta, training, momentum, eps)
        with pytest.raises(ValueError):
            functions.batchnorm_forward(x, gamma, beta, *mine, training, momentum, eps)
        return
    leaves = [t.requires_grad_() for t in (x, gamma, beta)]
    want = F.batch_norm(x, *theirs, gamma, beta, training, momentum, eps)
    got, cache = functions.batchnorm_forward(x, gamma, beta, *mine, training, momentum, eps)
    CLOSE(got, want)
    CLOSE(mine, theirs)
    grads = torch.autograd.grad(want, leaves, upstream)
    CLOSE(torch.autograd.grad(got, leaves, upstream), grads, rtol=1e-6, atol=1e-6)
    kept = [t.detach() if torch.is_tensor(t) else t for t in cache]
    CLOSE(functions.batchnorm_backward(upstream, kept), grads, rtol=1e-6, atol=1e-6)


@settings(max_examples=20)
@given(st.sampled_from([0.1, 0.3, None]), st.integers(0, 99),
       st.lists(st.booleans(), min_size=1, max_size=5))
def test_module_equals_torch(momentum, seed, modes):
    """The same state after the same batches, and each loads the other's."""
    mine, theirs = (kind(3, eps=0.01, momentum=momentum).double()
                    for kind in (functions.BatchNorm2d, nn.BatchNorm2d))
    for i, mode in enumerate(modes):
        x, = drawn(seed + i, (2, 3, 4, 5))
        CLOSE(mine.train(mode)(x), theirs.train(mode)(x))
    CLOSE(dict(mine.state_dict()), dict(theirs.state_dict()))
    for source, target in ((mine, nn.BatchNorm2d(3)), (theirs, functions.BatchNorm2d(3))):
        target.double().load_state_dict(source.state_dict())
        CLOSE(dict(target.state_dict()), dict(source.state_dict()))
    names = [sorted(name for name, _ in module.named_parameters()) for module in (mine, theirs)]
    assert names[0] == names[1] == ["bias", "weight"]


@settings(max_examples=40)
@given(st.tuples(*[st.integers(1, 4)] * 4), st.integers(1, 4), st.integers(0, 99), st.booleans())
def test_layer_group_and_instance_norm_equal_torch(shape, count, seed, affine):
    """Blocks of any number of axes, every number of groups; what torch refuses is refused."""
    x, weight, bias, gamma, beta = drawn(seed, shape, shape[-min(count, 3):],
                                         shape[-min(count, 3):], shape[1], shape[1])
    given_ = (weight, bias) if affine else (None, None)
    CLOSE(functions.layer_norm(x, weight.shape, *given_, eps=0.01),
          F.layer_norm(x, weight.shape, *given_, eps=0.01))
    given_ = (gamma, beta) if affine else (None, None)
    if shape[1] % count:
        for norm in (F.group_norm, functions.group_norm):
            with pytest.raises((RuntimeError, ValueError)):
                norm(x, count, *given_)
    else:
        assume(x.numel() // count > shape[0])  # torch refuses groups of one number
        CLOSE(functions.group_norm(x, count, *given_, eps=0.01),
              F.group_norm(x, count, *given_, eps=0.01))
    if shape[2] * shape[3] == 1:
        for norm in (F.instance_norm, functions.instance_norm):
            with pytest.raises(ValueError):
                norm(x)
    else:
        CLOSE(functions.instance_norm(x, eps=0.01), F.instance_norm(x, eps=0.01))


@pytest.mark.parametrize("shape", [(3,), (4, 3), (1, 2, 4, 5), (2, 3, 4, 5)])
def test_layer_norm_refuses_what_torch_refuses(shape):
    """A block that is not the end of x, or has more axes."""
    for norm in (F.layer_norm, functions.layer_norm):
        with pytest.raises((RuntimeError, ValueError)):
            norm(torch.ones(3, 2, 4, 5), shape)


@pytest.mark.parametrize("kind,norm", [
    ("batch", lambda x: F.batch_norm(x, None, None, training=True)),
    ("layer", lambda x: F.layer_norm(x, x.shape[1:])),
    ("instance", F.instance_norm),
    ("group", lambda x: F.group_norm(x, 2)),
])
@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 2), (2, 4, 3, 2, 5), (3, 4)])
def test_axes_are_those_of_torch(kind, norm, shape):
    """Standardizing over the axes gives what torch's norm of that name gives."""
    if kind == "instance" and len(shape) == 2:
        pytest.skip("a mean of one number")
    x, = drawn(1, shape)
    parts = x.view(shape[0], 2, -1, *shape[2:]) if kind == "group" else x
    axes = functions.which_axes(kind, len(shape))
    var, mean = torch.var_mean(parts, axes, correction=0, keepdim=True)
    CLOSE(((parts - mean) / (var + 1e-5).sqrt()).view(shape), norm(x))


@pytest.mark.parametrize("layer", [nn.Conv2d(2, 4, (3, 2)), nn.Linear(5, 3)])
def test_weight_norm_equals_torch(layer):
    """torch's parametrization, with its g of shape (O, 1, ...)."""
    layer = parametrizations.weight_norm(layer.double())
    with torch.no_grad():
        layer.parametrizations.weight.original0.mul_(3)
    g, v = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    CLOSE(functions.weight_norm(v, g.flatten()), layer.weight)
    assert g.requires_grad and v.requires_grad


@settings(max_examples=30)
@given(st.integers(0, 99), st.booleans(), st.sampled_from([1, 2]), st.integers(1, 2),
       st.sampled_from([(0, 0), (1, 2)]), st.integers(1, 2))
def test_folded_layer_equals_the_two(seed, bias, groups, stride, padding, dilation):
    """With padding too, since batch norm comes after it."""
    conv = nn.Conv2d(4, 6, (2, 3), stride, padding, dilation, groups, bias).double()
    bn = nn.BatchNorm2d(6, eps=0.01).double()
    for target, values in zip([*conv.parameters(), *bn.parameters(), bn.running_mean],
                              drawn(seed, *[t.shape for t in [*conv.parameters(),
                                                              *bn.parameters(), bn.running_mean]]),
                              strict=True):
        target.data.copy_(values)
    bn.running_var.copy_(drawn(seed, 6)[0].abs())
    with pytest.raises(ValueError):
        functions.fold_conv_bn(conv, bn)
    x, = drawn(seed, (2, 4, 7, 8))
    CLOSE(functions.fold_conv_bn(conv, bn.eval())(x), bn(conv(x)), rtol=1e-6, atol=1e-6)


def test_frozen_model_equals_evaluation():
    """A nested model without other modes answers in training as in evaluation."""
    x, = drawn(0, (4, 2, 5, 6))
    inner = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3))
    model = nn.Sequential(nn.Conv2d(2, 3, 3), inner).double()
    model(x)
    want = model.eval()(x)
    functions.freeze_bn(model.train()).train()
    CLOSE(model(x), want)
    assert [p.requires_grad for p in model.parameters()] == [True] * 2 + [False] * 2 + [
        True] * 2 + [False] * 2


@pytest.fixture
def judge():
    """A judge attached to `check` for one test."""
    attach(Judge(3))
    yield
    attach(None)


@pytest.mark.parametrize("name,fn,operation", [
    ("instance_norm/planes", lambda x, eps=1e-5: F.instance_norm(x, eps=eps), "native_batch_norm"),
    ("layer_norm/axes", lambda x, s, w=None, b=None, eps=1e-5: F.layer_norm(
        x, s if isinstance(s, tuple) else (s,), w, b, eps), "native_layer_norm"),
    ("group_norm/groups", F.group_norm, "native_group_norm"),
    ("weight_norm/matrices", lambda v, g: torch._weight_norm(v, g[:, None], 0),
     "_weight_norm_interface"),
    ("batchnorm_forward/vectors", lambda x, g, b, m, v, *rest: (
        F.batch_norm(x, m, v, g, b, *rest), None), "native_batch_norm"),
])
def test_torch_s_own_norms_are_refused(judge, name, fn, operation):
    """A call of torch's own is an error with its name."""
    with pytest.raises(CheckFailed, match=f"does not allow torch's own {operation}"):
        check(f"normalization/{name}", fn)


def test_the_solution_needs_nothing_that_is_forbidden():
    """No teacher is asked to look at a right answer, but at torch's own norms."""
    words = references.rules("normalization").words | ANYWHERE
    path = "solutions/normalization/normalization.ipynb"
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            assert not list(forbidden_words(cell.source, words))
    for source in ("F.group_norm(x, 2)", "nn.LayerNorm(3)", "torch.autograd.grad(y, x)",
                   "from torch.nn.utils.fusion import fuse_conv_bn_eval"):
        assert list(forbidden_words(source, words))


@pytest.mark.parametrize("wrong", [
    nn.BatchNorm2d, type("Mine", (nn.BatchNorm2d,), {}), functions.BatchNorm2d(3), lambda c: None])
def test_the_module_must_be_a_class_of_ones_own(judge, wrong):
    """Neither torch's class, nor one derived from it, nor something else."""
    with pytest.raises(CheckFailed, match="a class of your own that derives from nn.Module"):
        check("normalization/BatchNorm2d/state", wrong)


def test_messages_of_a_module_show_its_steps(judge):
    """A student reads what the module was made with, and what it was given in which mode."""
    class BatchNorm2d(functions.BatchNorm2d):
        def forward(self, x):
            return super().forward(x) + 1

    with pytest.raises(CheckFailed) as failure:
        check("normalization/BatchNorm2d/train", BatchNorm2d)
    text = " ".join(str(failure.value).split())
    assert "num_features=3, steps=(('train', <tensor of shape (4, 3, 5, 7)>)" in text


@pytest.mark.parametrize("driver,fn,args,words", [
    ("output", lambda *a, **k: a[0], (torch.ones(2, 3),), "return two things"),
    ("output", lambda *a, **k: (a[0],) * 3, (torch.ones(2, 3),), "return two things"),
    ("cache", lambda *a, **k: (a[0], a[0]), (torch.ones(2, 3),), "the cache is"),
    ("cache", lambda *a, **k: (a[0], (a[0],) * 3), (torch.ones(2, 3),), "the cache is"),
    ("grad_x", lambda *a, **k: a[0], (torch.ones(2, 3), ()), "return three gradients"),
    ("grad_x", lambda *a, **k: (a[0], a[0]), (torch.ones(2, 3), ()), "return three gradients"),
    ("folded", lambda *a, **k: None, (
        ("Conv2d", {"in_channels": 1, "out_channels": 2, "kernel_size": 1}),
        ("BatchNorm2d", {"num_features": 2})), "return one nn.Conv2d"),
    ("axes", lambda *a, **k: None, ("batch", 4), "return a tuple of axes"),
    ("axes", lambda *a, **k: (True, 2), ("batch", 4), "return a tuple of axes"),
])
def test_results_of_another_kind_are_told(driver, fn, args, words):
    """What a driver cannot use gets a message that says what to return."""
    outcome = drive(f"normalization.{driver}", fn, args, {})
    assert words in outcome["error"]["message"]
