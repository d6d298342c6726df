"""References against torch, known mistakes against the hidden tests, right answers of any style."""

import functools
import importlib

import nbformat
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autograder import check, references
from autograder.checking import CheckFailed, attach
from autograder.drivers import drive
from autograder.references import Mistake, Task
from autograder.references.convolution import functions
from autograder.verdicts import Judge

SEEDS = (0, 20261120)
MISTAKES = [(slug, function, mistake) for slug in references.slugs()
            for function, task in references.tasks(slug).items() for mistake in task.mistakes]
RIGHT = {slug: importlib.import_module(f"right_{slug}").RIGHT for slug in references.slugs()}
VARIANTS = [(slug, function, variant) for slug in RIGHT
            for function, variants in RIGHT[slug].items() for variant in variants]


@functools.cache
def judge_of(seed):
    """One judge for all answers, as in a class: it runs references and mistakes once."""
    return Judge(seed)


def answer(judge, name, fn):
    """The verdict on `fn` for one check."""
    return judge.verdict(name, [drive(*case[:1], fn, *case[1:]) for case in judge.cases(name)])


def checks_of(slug, function):
    """The names of the checks of one function."""
    return [name for name in references.names() if name.startswith(f"{slug}/{function}/")]


def solution(slug):
    """The functions that the solution notebook defines, run as the notebook runs them."""
    notebook = nbformat.read(f"solutions/{slug}/{slug}.ipynb", as_version=4)
    space = {}
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader", {})
        if about.get("solution") or about.get("grade_id") == "setup":
            exec(compile(cell.source, about["grade_id"], "exec"), space)
    return space


@st.composite
def convolutions(draw):
    """Shapes of a convolution whose window fits."""
    size, kernel = st.integers(1, 9), st.integers(1, 4)
    option = dict(stride=draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
                  padding=draw(st.tuples(st.integers(0, 3), st.integers(0, 3))),
                  dilation=draw(st.tuples(st.integers(1, 3), st.integers(1, 3))))
    n, c, o = draw(st.tuples(*[st.integers(1, 3)] * 3))
    x, weight = (n, c, draw(size), draw(size)), (o, c, draw(kernel), draw(kernel))
    for axis in (0, 1):
        span = option["dilation"][axis] * (weight[2 + axis] - 1) + 1
        assume(span <= x[2 + axis] + 2 * option["padding"][axis])
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    shapes = (x, weight, (o,))
    return [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes], option


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_conv2d_reference_equals_torch(case):
    """The loops and torch's convolution agree on drawn shapes, values and gradients."""
    (x, weight, bias), option = case
    want = F.conv2d(x, weight, bias, **option)
    torch.testing.assert_close(functions.conv2d(x, weight, bias, **option), want)
    if option.pop("dilation") == (1, 1):
        leaves = [t.clone().requires_grad_() for t in (x, weight, bias)]
        out = F.conv2d(*leaves, **option)
        upstream = torch.cos(torch.arange(out.numel()).double()).view(out.shape)
        grads = torch.autograd.grad(out, leaves, upstream)
        for got, by_autograd in zip(functions.conv2d_backward(upstream, x, weight, **option), grads,
                                    strict=True):
            torch.testing.assert_close(got, by_autograd)


@settings(max_examples=40, deadline=None)
@given(convolutions())
def test_columns_equal_torch(case):
    """im2col and col2im agree with unfold and fold, and are each other's transpose."""
    (x, weight, _), option = case
    option.pop("dilation")
    kernel = tuple(weight.shape[2:])
    assume(all(k <= s + 2 * p for k, s, p in
               zip(kernel, x.shape[2:], option["padding"], strict=True)))
    cols = functions.im2col(x, kernel, **option)
    torch.testing.assert_close(cols, F.unfold(x, kernel, **option))
    back = functions.col2im(cols, tuple(x.shape[2:]), kernel, **option)
    torch.testing.assert_close(back, F.fold(cols, tuple(x.shape[2:]), kernel, **option))
    torch.testing.assert_close((cols * cols).sum(), (x * back).sum())


@settings(max_examples=40, deadline=None)
@given(convolutions(), st.booleans())
def test_max_pool_reference_equals_torch(case, ties):
    """Pooling and its gradient agree with torch, ties included."""
    (x, weight, _), option = case
    kernel = tuple(weight.shape[2:])
    padding = tuple(min(p, k // 2) for p, k in zip(option["padding"], kernel, strict=True))
    assume(all(k <= s + 2 * p for k, s, p in zip(kernel, x.shape[2:], padding, strict=True)))
    x = (x.round() if ties else x).requires_grad_()
    want = F.max_pool2d(x, kernel, option["stride"], padding)
    torch.testing.assert_close(
        functions.max_pool2d(x.detach(), kernel, option["stride"], padding), want.detach())
    upstream = torch.cos(torch.arange(want.numel()).double()).view(want.shape)
    got = functions.max_pool2d_backward(upstream, x.detach(), kernel, option["stride"], padding)
    torch.testing.assert_close(got, torch.autograd.grad(want, x, upstream)[0])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(3, 6), st.integers(3, 6))
def test_matrix_reference_equals_torch(kh, kw, height, width):
    """The matrix does to a flattened picture what torch does to the picture."""
    weight, x = torch.randn(kh, kw).double(), torch.randn(height, width).double()
    want = F.conv2d(x[None, None], weight[None, None]).flatten()
    torch.testing.assert_close(functions.conv_matrix(weight, height, width) @ x.flatten(), want)


def test_counts_equal_torch():
    """Parameters and multiply-adds agree with what torch itself counts."""
    from torch.utils.flop_counter import FlopCounterMode

    layers = [(torch.nn.Conv2d(6, 9, (3, 5), stride=2, groups=3), (1, 6, 11, 9)),
              (torch.nn.Conv2d(4, 8, 3, bias=False), (1, 4, 7, 8)),
              (torch.nn.Linear(20, 6), (1, 20))]
    for layer, shape in layers:
        with FlopCounterMode(display=False) as counter:
            out = layer(torch.zeros(shape))
        size = tuple(out.shape[2:]) or None
        assert 2 * functions.count_macs(layer, size) == counter.get_total_flops()
        assert functions.count_parameters(layer) == sum(p.numel() for p in layer.parameters())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("slug", references.slugs())
def test_solution_passes_every_check(slug, seed):
    """What the solution notebook defines gets every point, whatever the seed."""
    judge, space = judge_of(seed), solution(slug)
    for name in references.names():
        if name.startswith(f"{slug}/"):
            verdict = answer(judge, name, space[name.split("/")[1]])
            assert verdict.passed, verdict.message


@pytest.mark.parametrize("slug,function,variant", VARIANTS, ids=lambda v: getattr(v, "__name__", v))
def test_right_answers_of_any_style_pass(slug, function, variant):
    """Loops, einsum, as_strided, numpy or float32 inside: right is right."""
    for name in checks_of(slug, function):
        verdict = answer(judge_of(0), name, variant)
        assert verdict.passed, verdict.message


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("slug,function,mistake", MISTAKES,
                         ids=[f"{f}: {m.name}" for _, f, m in MISTAKES])
def test_known_mistake_is_caught_and_named(slug, function, mistake, seed):
    """At least one hidden test fails, and one that fails calls the mistake by its name."""
    if line := unnamed(judge_of(seed), slug, function, mistake.wrong, mistake.name):
        pytest.fail(line, pytrace=False)


def unnamed(judge, slug, function, wrong, name):
    """What keeps the hidden tests from calling `wrong` by its name, in one line; or None."""
    where = f"{slug}/{function}: '{name}'"
    checks = checks_of(slug, function)
    outcomes = [[drive(*case[:1], wrong, *case[1:]) for case in judge.cases(check)]
                for check in checks]
    verdicts = [judge.verdict(*pair) for pair in zip(checks, outcomes, strict=True)]
    if all(v.passed for v in verdicts):
        return f"{where}: no hidden test catches it: give one an input on which it shows"
    assert all(v.passed or "case" in v.message for v in verdicts)
    others = {v.mistake for v in verdicts} - {None}
    if name in others:
        return None
    if others:
        return (f"{where}: its results are those of {', '.join(map(repr, sorted(others)))}: give a "
                "test an input that tells them apart, or drop one")
    errors = [o["error"] for case in outcomes for o in case if "error" in o]
    raised = f", as in {errors[0]['types'][0]}: {errors[0]['message']}" if errors else ""
    return f"{where}: no test that fails gets a value from it{raised}: let it return what is wrong"


@pytest.mark.parametrize("name,wrong,line", [
    ("all is right", functions.conv_out_size, "no hidden test catches it: give one an input"),
    ("another", lambda n, k, s=1, p=0, d=1: functions.conv_out_size(n, k, s, p),
     "its results are those of 'the dilation is ignored': give a test an input"),
    ("a slip", lambda n, *rest: n + missing,  # noqa: F821
     "gets a value from it, as in NameError: name 'missing' is not defined: let it return"),
    ("the dilation is ignored", lambda n, k, s=1, p=0, d=1: functions.conv_out_size(n, k, s, p),
     None),
])
def test_a_mistake_without_a_name_is_one_line(name, wrong, line):
    """An author reads which mistake of which function, what is wrong with it, and what to do."""
    found = unnamed(Judge(), "convolution", "conv_out_size", wrong, name)
    assert found is line or found.startswith(f"convolution/conv_out_size: '{name}': ")
    assert line is None or line in found and "\n" not in found


def ill_formed(slug, tasks):
    """What is wrong with the known mistakes of an assignment, one line each."""
    for function, task in tasks.items():
        names = [m.name for m in task.mistakes]
        if not names:
            yield f"{slug}/{function}: no known mistake: write one that you expect"
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield f"{slug}/{function}: two mistakes are called '{name}': rename one"
        for mistake in task.mistakes:
            if not mistake.hint.endswith("."):
                yield f"{slug}/{function}: the hint of '{mistake.name}' ends without a full stop"


def test_every_reference_module_is_well_formed():
    """Mistakes of one function have names of their own, and hints that end in a full stop."""
    for slug in references.slugs():
        assert importlib.import_module(f"autograder.references.{slug}").__doc__
        if lines := list(ill_formed(slug, references.tasks(slug))):
            pytest.fail("\n".join(lines), pytrace=False)


def test_an_ill_formed_module_is_named():
    """Each breach with its function and its mistake."""
    twice = Mistake("it is twice", "A hint.", abs)
    tasks = {"f": Task(abs, {}), "g": Task(abs, {}, [twice, twice, Mistake("late", "Hm", abs)])}
    assert list(ill_formed("slug", tasks)) == [
        "slug/f: no known mistake: write one that you expect",
        "slug/g: two mistakes are called 'it is twice': rename one",
        "slug/g: the hint of 'late' ends without a full stop"]


def test_inputs_depend_on_the_seed_and_nothing_else():
    """The same seed draws the same inputs; another seed draws others of the same shapes."""
    name = "convolution/conv2d/rectangular"
    first, again, other = Judge(1).cases(name), Judge(1).cases(name), Judge(2).cases(name)
    assert torch.equal(first[0][1][0], again[0][1][0])
    assert not torch.equal(first[0][1][0], other[0][1][0])
    assert first[0][1][0].shape == other[0][1][0].shape


@pytest.fixture
def judge():
    """A judge attached to `check` for one test."""
    attach(Judge(3))
    yield
    attach(None)


def test_message_says_what_where_got_and_never_expected_values(judge):
    """A student reads the call, the shape, their own value, the mistake and a hint."""
    def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
        return functions.conv2d(x, weight.flip(2, 3), bias, stride, padding, dilation)

    with pytest.raises(CheckFailed) as failure:
        check("convolution/conv2d/rectangular", conv2d)
    text = str(failure.value)
    assert "x of shape (2, 2, 4, 6)" in text and "where you have" in text
    assert "the kernel is flipped" in text and "Hint:" in text
    case = Judge(3).cases("convolution/conv2d/rectangular")[0]
    right = functions.conv2d(*case[1], **case[2])
    assert not any(f"{value:.4g}" in text for value in right.flatten().tolist())


def test_message_shows_the_line_that_raised(judge):
    """An exception is reported with the student's own line."""
    def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
        return x[0, 0, 99]

    with pytest.raises(CheckFailed, match=r"IndexError: .*\n.*in your line: return x\[0, 0, 99\]"):
        check("convolution/conv2d/bias", conv2d)


def test_line_that_raised_is_found_in_a_class():
    """The line stands in one of the student's methods."""
    class Layer:
        def __init__(self, size):
            self.size = size.missing

    assert drive("call", Layer, (3,), {})["error"]["line"] == "self.size = size.missing"


def test_message_for_what_is_not_written_yet(judge):
    """An untouched stub is called that."""
    def conv2d(*args, **kwargs):
        raise NotImplementedError

    with pytest.raises(CheckFailed, match="it is not written yet"):
        check("convolution/conv2d/bias", conv2d)


@pytest.mark.parametrize("wrong,text", [
    (lambda *a, **k: None, "expected a tensor, got None"),
    (lambda *a, **k: torch.zeros(1), "expected shape"),
    (lambda *a, **k: object(), "it returned a object"),
    (lambda x, w, *a, **k: functions.conv2d(x, w, *a, **k) * float("nan"), "where you have nan"),
])
def test_results_of_another_kind(judge, wrong, text):
    """Nothing that comes back breaks the comparison."""
    with pytest.raises(CheckFailed, match=text):
        check("convolution/conv2d/bias", wrong)


def test_unknown_name_says_what_there_is(judge):
    """A mistyped name is answered with the nearest one."""
    with pytest.raises(LookupError, match="'convolution/conv2d/bais'.*'convolution/conv2d/bias'"):
        check("convolution/conv2d/bais", F.conv2d)
    with pytest.raises(LookupError):
        check("nonsense", F.conv2d)


@pytest.mark.parametrize("slug", references.slugs())
def test_every_task_has_a_right_answer_of_another_style(slug):
    """Every graded function, and nothing else, is written a second time."""
    missing = references.tasks(slug).keys() - RIGHT[slug].keys()
    assert not missing, f"write {missing} a second time, and list it in RIGHT of right_{slug}.py"
    assert not RIGHT[slug].keys() - references.tasks(slug).keys()


def test_forbidden_operations_are_refused_while_a_check_runs(judge):
    """Calling torch's own convolution is an error with its name, and allowed again afterwards."""
    with pytest.raises(CheckFailed, match="this task does not allow torch's own convolution"):
        check("convolution/conv2d/bias", F.conv2d)
    with pytest.raises(CheckFailed, match="does not allow torch's own im2col"):
        check("convolution/im2col/order", F.unfold)
    with pytest.raises(CheckFailed, match="does not allow torch's own max_pool2d"):
        check("convolution/max_pool2d/values", lambda x, k, s=None, p=0: F.max_pool2d(x, k, s, p))
    assert F.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3)).item() == 9
