"""The trusted side, without a kernel: the socket, what may be shown, what is marked."""

import base64
import contextlib
import csv
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest
import torch
import torch.nn.functional as F
from courses import cell, exercise
from hypothesis import given, settings
from hypothesis import strategies as st
from nbgrader.api import Gradebook

from autograder import checking, references, scan, wire
from autograder.checking import Remote
from autograder.desk import CONNECTIONS, Desk
from autograder.drivers import Forbidden, drive, linger, with_all, without
from autograder.export import SafeCsvExportPlugin
from autograder.feedback import ShowBehaviour
from autograder.outputs import LONGEST, Collector
from autograder.references.convolution import functions
from autograder.verdicts import Judge

NAME = "convolution/conv2d/bias"

numbers = st.none() | st.booleans() | st.integers(-2**60, 2**60) | st.text(max_size=5)
tensors = st.builds(
    lambda shape, dtype: torch.arange(torch.Size(shape).numel()).view(shape).to(dtype),
    st.lists(st.integers(0, 3), max_size=4), st.sampled_from(list(wire.DTYPES.values())))
trees = st.recursive(numbers | tensors, lambda inner: st.lists(inner, max_size=3).map(tuple)
                     | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=8)


def same(a, b):
    """Whether two trees are equal, dtypes included."""
    if torch.is_tensor(a):
        return torch.is_tensor(b) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


def through(raw):
    """What `receive` makes of raw bytes."""
    left, right = socket.socketpair()

    def feed():
        with left, contextlib.suppress(OSError):
            left.sendall(raw)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        return wire.receive(right)
    finally:
        right.close()
        thread.join()


def frame(header, body=b""):
    """A frame with any header."""
    return struct.pack(">II", len(header), len(body)) + header + body


@settings(max_examples=100, deadline=None)
@given(trees)
def test_every_tree_comes_through(tree):
    """What is sent is what is received."""
    left, right = socket.socketpair()
    with left, right:
        left.sendall(wire.frame(tree))
        assert same(wire.receive(right), tree)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_tree_or_refused(raw):
    """Garbage is a ValueError or the end, never anything else."""
    for data in (raw, frame(raw), frame(b'{"tensor":"float64","shape":[2]}', raw)):
        with contextlib.suppress(ValueError, EOFError):
            through(data)


@pytest.mark.parametrize("header", [
    b'{"tensor":"object","shape":[1]}', b'{"tensor":"float64","shape":[-1]}',
    b'{"tensor":"float64","shape":[9999999999]}', b'{"tensor":"float64","shape":"ab"}',
    b'{"tensor":"float64","shape":[1.5]}', b'{"shape":[1]}', b"[1]", b'{"tuple":7}',
    b'{"dict":[1]}', b'{"tensor":"float64","shape":[true]}', b"{" * 9000,
    b'{"tuple":[' * 50_000, b"\xff", b'{"tensor":["float64"],"shape":[]}',
])
def test_frames_that_lie_are_refused(header):
    """A shape without its bytes, a type that is none, a header that is not JSON."""
    with pytest.raises(ValueError):
        through(frame(header, bytes(8)))


def test_a_frame_too_large_is_refused_before_it_is_read():
    """The length alone decides."""
    with pytest.raises(ValueError, match="too large"):
        through(struct.pack(">II", 4, 0xFFFFFFFF))


def test_only_plain_values_can_be_sent():
    """No object is ever pickled."""
    left, right = socket.socketpair()
    with left, right:
        for value in (object(), {"a": {1}}, torch.zeros(2, dtype=torch.complex64), b"bytes"):
            with pytest.raises(TypeError):
                left.sendall(wire.frame(value))


@pytest.fixture
def desk(tmp_path):
    """A desk that listens, and a way to ask it."""
    desk = Desk(Judge(5))
    desk.path = path = tmp_path / "judge.sock"

    def ask(question, raw=None):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            try:
                connection.sendall(raw or wire.frame(question))
                connection.shutdown(socket.SHUT_WR)
                return wire.receive(connection)
            except (EOFError, ConnectionError):
                return None

    with desk.listening(path):
        yield desk, ask


def answers(ask, fn=functions.conv2d):
    """Outcomes for the check that is open, by any function."""
    opened = ask({"open": NAME})
    return [drive(*case[:1], fn, *case[1:]) for case in opened["cases"]]


def test_a_right_answer_is_a_verdict_and_the_kernel_learns_nothing(desk):
    """The reply is the same empty one for right and for wrong."""
    desk, ask = desk
    desk.expect([NAME])
    assert ask({"judge": NAME, "outcomes": answers(ask)}) == {}
    assert desk.verdicts[NAME].passed


def test_a_wrong_answer_gets_the_same_reply(desk):
    """Only the grader knows."""
    desk, ask = desk
    desk.expect([NAME])
    wrong = answers(ask, lambda *a, **k: functions.conv2d(*a, **k) + 1)
    assert ask({"judge": NAME, "outcomes": wrong}) == {}
    assert not desk.verdicts[NAME].passed


def test_nothing_is_answered_outside_its_cell(desk):
    """Neither before the cell runs, nor for another check, nor after it."""
    desk, ask = desk
    assert "error" in ask({"open": NAME})
    desk.expect(["convolution/conv2d/dtype"])
    assert "error" in ask({"open": NAME})
    desk.expect([NAME])
    right = answers(ask)
    desk.expect([])
    assert "error" in ask({"judge": NAME, "outcomes": right})
    assert desk.verdicts == {}


def test_each_check_is_opened_and_answered_once(desk):
    """A second answer can't mend the first, and probing is not possible."""
    desk, ask = desk
    desk.expect([NAME])
    right = answers(ask)
    assert "error" in ask({"open": NAME})
    ask({"judge": NAME, "outcomes": [{"value": None}] * len(right)})
    assert "error" in ask({"judge": NAME, "outcomes": right})
    assert not desk.verdicts[NAME].passed


def test_an_answer_without_a_question_is_refused(desk):
    """Nobody can answer a check that was not opened."""
    desk, ask = desk
    desk.expect([NAME])
    assert "error" in ask({"judge": NAME, "outcomes": ()})


@pytest.mark.parametrize("outcomes", [
    None, 5, "right", (), ({},), ({"value": 1, "error": 2},), ({"error": "x"},),
    ({"error": {"types": (), "message": "", "line": ""}},),
    ({"error": {"types": ("ValueError",), "message": 5, "line": ""}},),
    ({"value": float("nan")},), ({"value": torch.tensor(float("nan"))},), [{"value": True}] * 99,
])
def test_an_answer_of_any_form_is_a_failed_verdict(desk, outcomes):
    """No answer breaks the desk, and none passes by its form."""
    desk, ask = desk
    desk.expect([NAME])
    ask({"open": NAME})
    ask({"judge": NAME, "outcomes": outcomes})
    assert not desk.verdicts[NAME].passed


def test_garbage_does_not_stop_the_desk(desk):
    """After nonsense and after a kernel that hangs up, the next question is answered."""
    desk, ask = desk
    for raw in (b"GET / HTTP/1.0\r\n\r\n", frame(b"[]"), b"\x00", frame(b"7")):
        ask(None, raw=raw)
    desk.expect([NAME])
    assert ask({"judge": NAME, "outcomes": answers(ask)}) == {}
    assert desk.verdicts[NAME].passed


def test_inputs_that_came_with_the_cell_are_not_asked_for(desk, monkeypatch):
    """They open the check, once, and the answer counts."""
    desk, ask = desk
    desk.expect([NAME, "convolution/conv2d/no_such"])
    frames = desk.hand_out()
    assert list(frames) == [NAME] and desk.hand_out() == {}
    assert "error" in ask({"open": NAME})
    monkeypatch.setattr(checking, "given", frames)
    remote = Remote(str(desk.path))
    cases, _ = remote.open(NAME)
    assert same(cases, desk.judge.cases(NAME)) and remote.kept is None and not checking.given
    remote.judge(NAME, tuple(drive(*case[:1], functions.conv2d, *case[1:]) for case in cases))
    assert desk.verdicts[NAME].passed


def test_one_connection_serves_all_questions(desk):
    """The student's side keeps it."""
    desk, _ = desk
    desk.expect([NAME])
    remote = Remote(str(desk.path))
    cases, _ = remote.open(NAME)
    kept = remote.kept
    remote.judge(NAME, tuple(drive(*case[:1], functions.conv2d, *case[1:]) for case in cases))
    assert remote.kept is kept is not None
    assert desk.verdicts[NAME].passed


def test_a_closed_connection_is_made_anew(desk):
    """Connections that others open and leave cost no answer, however many they are."""
    desk, _ = desk
    desk.expect([NAME])
    remote = Remote(str(desk.path))
    cases, _ = remote.open(NAME)
    idle = [socket.socket(socket.AF_UNIX) for _ in range(3 * CONNECTIONS)]
    for connection in idle:
        connection.connect(str(desk.path))
    assert idle[0].recv(1) == b""  # the oldest was closed; so was the one before, which is kept
    remote.judge(NAME, tuple(drive(*case[:1], functions.conv2d, *case[1:]) for case in cases))
    assert desk.verdicts[NAME].passed
    for connection in idle:
        connection.close()


def test_an_interrupted_question_leaves_no_answer_to_the_next(desk, monkeypatch):
    """A cell was stopped while it waited for inputs; the next check gets its own."""
    desk, _ = desk
    desk.expect([NAME])
    remote = Remote(str(desk.path))
    own, receive = threading.get_ident(), wire.receive

    def stopped(connection):
        if threading.get_ident() == own:  # and not the desk's thread
            raise KeyboardInterrupt
        return receive(connection)

    assert remote.open(NAME)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(wire, "receive", stopped)
        remote.open(NAME)
    desk.expect(["convolution/conv2d/dtype"])
    cases, _ = remote.open("convolution/conv2d/dtype")
    assert len(cases) == len(desk.judge.cases("convolution/conv2d/dtype"))


def png():
    """A real, small PNG, in base64."""
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()


def test_outputs_keep_text_and_pictures_and_nothing_that_runs():
    """HTML, SVG, JavaScript, Markdown and pictures that are none are dropped."""
    collector, outputs = Collector(10_000), []
    collector.take("display_data", {"data": {
        "text/plain": "plain", "text/html": "<script>1</script>", "image/svg+xml": "<svg/>",
        "application/javascript": "1", "text/markdown": "x", "image/png": png()}}, outputs)
    collector.take("display_data", {"data": {"image/png": "PHNjcmlwdD4="}}, outputs)
    assert [dict(o.data) for o in outputs] == [{"text/plain": "plain", "image/png": png()}]


def test_outputs_stop_at_the_limit():
    """Bytes are counted as they arrive, whatever kind they are of."""
    for message in ("stream", {"name": "stdout", "text": "x" * 600}), (
            "display_data", {"data": {"text/html": "x" * 600}}):
        collector, outputs = Collector(1000), []
        collector.take(*message, outputs)
        assert collector.full is None
        collector.take(*message, outputs)
        assert "printed more than 1,000 bytes" in collector.full


@pytest.mark.parametrize("kind", ["stream", "display_data", "execute_result", "error", "comm_open"])
@pytest.mark.parametrize("content", [
    {}, {"text": 5}, {"data": "x"}, {"data": {"text/plain": ["a"]}}, {"traceback": "x"},
    {"traceback": [None, 5], "ename": None, "evalue": {}}, {"name": 7, "text": "\ud800"},
    {"text": "x" * (LONGEST + 5)}, {"execution_count": "x", "data": {}},
])
def test_messages_of_any_form_make_valid_notebooks(kind, content):
    """A kernel that talks nonsense leaves outputs that can be saved."""
    outputs = []
    Collector(10**6).take(kind, content, outputs)
    code = nbformat.v4.new_code_cell("1", outputs=outputs)
    notebook = nbformat.v4.new_notebook(cells=[code])
    nbformat.validate(notebook)
    assert len(nbformat.writes(notebook).encode()) < 2 * LONGEST


@pytest.mark.parametrize("source,words", [
    ("y = F.conv2d(x, w)", {"conv2d"}), ("from torch.nn.functional import unfold", {"unfold"}),
    ("getattr(F, 'conv2d')(x, w)", {"conv2d"}),
    ("torch.ops.aten.convolution", {"ops", "convolution"}),
    ("nn.Conv2d(1, 1, 3)", {"Conv2d"}), ("import torch.nn.functional as f; f.fold", {"fold"}),
    ("def conv2d(x):\n    return im2col(x)", set()), ("conv2d(x, w)", set()), ("x = (", set()),
    ("# F.conv2d", set()), ("import autograder.drivers", {"autograder"}),
    ("exec('1')", {"exec"}), ("model.eval()", set()), ("torch.testing.assert_close(a, b)", set()),
])
def test_the_scan_finds_forbidden_functions(source, words):
    """Attributes, imports and names in strings count; the student's own functions do not."""
    notebook = exercise()
    cell(notebook, "conv2d_bias").source += '\ncheck("convolution/conv2d/bias", conv2d)'
    cell(notebook, "conv2d").source = source
    scan.mark(notebook)
    notes = [o.text for o in cell(notebook, "conv2d").outputs]
    assert notes == ([f"{scan.NOTE}this cell uses {', '.join(sorted(words))}.\n"] if words else [])


def test_export_quotes_fields_and_defuses_formulas(tmp_path, monkeypatch):
    """A name can neither shift the columns nor run in a spreadsheet."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)  # alembic
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as gradebook:
        gradebook.add_assignment("convolution")
        gradebook.add_student("amina", first_name="A,B", last_name='=HYPERLINK("http://x")')
        gradebook.add_student("-bo", first_name="@x", email="\tx")
        SafeCsvExportPlugin(to=str(tmp_path / "grades.csv")).export(gradebook)
    with open(tmp_path / "grades.csv", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert rows["amina"]["first_name"] == "A,B" and rows["amina"]["score"] == "0.0"
    assert rows["amina"]["last_name"] == "'=HYPERLINK(\"http://x\")"
    assert rows["'-bo"]["first_name"] == "'@x" and rows["'-bo"]["email"] == "'\tx"


def test_feedback_shows_the_behaviour_and_not_the_test():
    """A student reads a summary and the sentence of each test, and no check's name."""
    notebook = exercise()
    for grade_id, score in (("conv2d_bias", 1), ("conv2d_channels", 0)):
        test = cell(notebook, grade_id)
        test.source += f'\n### BEGIN HIDDEN TESTS\ncheck("convolution/conv2d/{grade_id}", conv2d)'
        test.metadata.nbgrader.score = score
    message = "conv2d: wrong.\n  This is what comes out when the kernel is\n    flipped."
    cell(notebook, "conv2d_channels").outputs = [
        nbformat.v4.new_output("error", ename="CheckFailed", evalue=message, traceback=[])]
    test = cell(notebook, "conv_out_size_formula")
    test.source += '\n### BEGIN HIDDEN TESTS\ncheck("convolution/conv_out_size/formula", f)'
    test.outputs = [nbformat.v4.new_output(
        "error", ename="CheckFailed", traceback=[],
        evalue="conv_out_size: wrong.\n  it raised NotImplementedError: it is not written yet")]
    shown, _ = ShowBehaviour().preprocess(notebook, {})
    assert "| 0 of 1 | [not written yet](#conv_out_size_formula) |" in shown.cells[0].source
    row = "| `conv2d` | 1 of 2 | [the kernel is flipped](#conv2d_channels) |"
    assert row in shown.cells[0].source
    assert cell(shown, "conv2d_bias").source == "# Output channel o has bias[o] added once."
    assert not any("check(" in c.source for c in shown.cells)


# ---- forbidden operations ------------------------------------------------------------------------

CONV = references.rules("convolution").operations
NORM = references.rules("normalization").operations
IMAGE, KERNEL = torch.ones(1, 2, 5, 5), torch.ones(3, 2, 3, 3)
NAMES = [full for full in torch._C._dispatch_get_all_op_names()
         if full.partition("::")[2].partition(".")[0] in CONV | NORM]


def placed():
    """What torch has registered for all operators that a task forbids."""
    return [torch._C._dispatch_dump(name) for name in NAMES]


def given(argument):
    """Something that fits a type in an operator's schema, or None."""
    kind = str(argument.type)
    if kind == "List[int]":
        return [1] * (argument.N or 2)
    return {"Tensor": torch.ones(1, 2, 4, 4), "int": 1, "bool": False, "float": 0.1, "str": "valid",
            "List[bool]": [True] * (argument.N or 3), "List[Optional[number]]": [None]}.get(kind)


@pytest.mark.parametrize("full", [name for name in NAMES if "quantized::" not in name])
def test_every_operator_of_a_forbidden_name_is_refused(full):
    """With gradients, without them, and in inference mode; each overload; with one text."""
    namespace, _, operator = full.partition("::")
    name, _, overload = operator.partition(".")
    called = getattr(getattr(getattr(torch.ops, namespace), name), overload or "default")
    arguments = called._schema.arguments
    args = [given(a) for a in arguments if not a.kwarg_only]
    kwargs = {a.name: given(a) for a in arguments
              if a.kwarg_only and (a.is_out or not a.has_default_value())}
    for context in contextlib.nullcontext, torch.no_grad, torch.inference_mode:
        def student(context=context):
            with context():
                called(*args, **kwargs)

        error = drive("call", student, (), {}, CONV if name in CONV else NORM)["error"]
        assert error["types"][0] == "Forbidden"
        assert error["message"].startswith("this task does not allow torch's own ")


def other_thread(function):
    """What a call in another thread returns or raises."""
    found = []

    def run():
        try:
            found.append(function())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def within(context, function):
    """The result of a call in a context."""
    with context():
        return function()


EARLIER = F.conv2d(IMAGE.clone().requires_grad_(), KERNEL).sum()  # a graph that is there already


@pytest.mark.parametrize("student,name", [
    (lambda: F.conv2d(IMAGE.double(), KERNEL.double()), "convolution"),
    (lambda: F.conv2d(IMAGE.clone().requires_grad_(), KERNEL), "convolution"),
    (lambda: F.conv2d(IMAGE.half(), KERNEL.half()), "convolution"),
    (lambda: F.conv2d(IMAGE.to("meta"), KERNEL.to("meta")), "convolution"),
    (lambda: F.conv2d(IMAGE.to_mkldnn(), KERNEL), "convolution"),
    (lambda: torch.nn.LazyConv2d(3, 3)(IMAGE), "convolution"),
    (lambda: F.conv_transpose2d(IMAGE, KERNEL.mT.transpose(0, 1)), "convolution"),
    (lambda: EARLIER.backward(retain_graph=True), "convolution_backward"),
    (lambda: torch.nn.grad.conv2d_weight(IMAGE, KERNEL.shape, IMAGE[:, [0] * 3, 2:, 2:]),
     "convolution_backward"),
    (lambda: torch.vmap(lambda x: F.conv2d(x, KERNEL))(IMAGE), "convolution"),
    (lambda: torch.func.grad(lambda x: F.conv2d(x, KERNEL).sum())(IMAGE), "convolution"),
    (lambda: within(torch._C._DisableTorchDispatch, lambda: F.conv2d(IMAGE, KERNEL)),
     "convolution"),
    (lambda: other_thread(lambda: F.conv2d(IMAGE, KERNEL)), "convolution"),
    (lambda: other_thread(lambda: EARLIER.backward(retain_graph=True)), "convolution_backward"),
    (lambda: F.unfold(IMAGE, 3), "im2col"),
    (lambda: IMAGE.unfold(2, 3, 1), "unfold"),
    (lambda: F.max_pool2d(IMAGE, 2), "max_pool2d_with_indices"),
    (lambda: F.max_pool1d(IMAGE[0], 2), "max_pool2d_with_indices"),
    (lambda: F.max_pool1d(IMAGE[0].clone().requires_grad_(), 2), "max_pool2d_with_indices"),
    (lambda: within(torch.inference_mode, lambda: F.max_pool1d(IMAGE[0], 2)),
     "max_pool2d_with_indices"),
    (lambda: F.batch_norm(IMAGE, None, None, training=True), "native_batch_norm"),
    (lambda: F.rms_norm(F.layer_norm(IMAGE, (5,)), (5,)), "native_layer_norm"),
])
def test_no_way_leads_to_a_forbidden_operation(student, name):
    """Types, layouts, other threads, older graphs, transforms and switches make no difference."""
    before = placed()
    error = drive("call", student, (), {}, CONV | NORM)["error"]
    assert error["types"][:2] == ["Forbidden", "RuntimeError"]
    assert error["message"] == f"this task does not allow torch's own {name}"
    assert placed() == before
    student()  # which is a real one elsewhere


def test_what_is_allowed_stays_so():
    """Other operations work on, forward and backward, and give what they give elsewhere."""
    def student():
        x = IMAGE.clone().requires_grad_()
        y = F.pad(x, (1, 1)).as_strided((2, 3), (3, 1)).softmax(1) @ torch.ones(3, 2)
        z = y.sum() + torch.einsum("nchw,ochw->no", x[..., :3, :3], KERNEL).sum()
        return torch.autograd.grad(z, x)[0]

    outcome = drive("call", student, (), {}, CONV | NORM)
    assert torch.equal(outcome["value"], student())


def test_blocks_nest_and_leave_no_trace():
    """An inner block adds to an outer one; the last that ends takes everything out of torch."""
    before = placed()
    with pytest.raises(ZeroDivisionError), without(CONV):
        with without(CONV), without(NORM):
            for call in (lambda: F.conv2d(IMAGE, KERNEL), lambda: F.layer_norm(IMAGE, (5,))):
                pytest.raises(Forbidden, call)
            with with_all():
                F.conv2d(IMAGE, KERNEL)
                F.layer_norm(IMAGE, (5,))
            pytest.raises(Forbidden, F.conv2d, IMAGE, KERNEL)
        F.layer_norm(IMAGE, (5,))
        pytest.raises(Forbidden, F.conv2d, IMAGE, KERNEL)
        raise ZeroDivisionError
    assert placed() == before
    assert F.conv2d(IMAGE, KERNEL).shape == (1, 3, 3, 3)


def test_two_threads_drive_at_once():
    """The one that ends first leaves the other's operations refused."""
    inside, end = threading.Event(), threading.Event()

    def first():
        with without(CONV):
            inside.set()
            end.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(10)
    with without(CONV):
        end.set()
        thread.join()
        pytest.raises(Forbidden, F.conv2d, IMAGE, KERNEL)
    F.conv2d(IMAGE, KERNEL)


def test_refusals_that_linger_end_when_they_must():
    """They stay from block to block, change with the names, and are gone when they are to go."""
    def refuses():
        outcomes = [drive("call", fn, (), {}) for fn in (
            lambda: F.conv2d(IMAGE, KERNEL), lambda: F.layer_norm(IMAGE, (5,)))]
        return tuple("error" in outcome for outcome in outcomes)

    before = placed()
    linger(True)
    try:
        with without(CONV):
            assert refuses() == (True, False)
        assert refuses() == (True, False)
        with without(CONV), with_all():
            assert refuses() == (False, False)
        with without(NORM):
            assert refuses() == (False, True)
        assert refuses() == (False, True)
    finally:
        linger(False)
    assert refuses() == (False, False)
    with without(CONV):
        pass
    assert refuses() == (False, False)
    assert placed() == before


def test_refusals_work_in_a_fork_and_print_nothing():
    """A process that was forked within a block refuses too; torch has nothing to warn of."""
    code = """if True:
        import os, sys, torch
        from autograder import references
        from autograder.drivers import Forbidden, drive, without
        x = torch.ones(1, 1, 3, 3)
        def student():
            return torch.conv2d(x, x)
        names = references.rules("convolution").operations
        def refused():
            outcomes = [drive("call", student, (), {}, names) for _ in range(50)]
            return all(o["error"]["types"][0] == "Forbidden" for o in outcomes)
        assert refused()
        with without(names), without(["max_pool2d_with_indices", "native_layer_norm"]):
            pid = os.fork()
            if not pid:
                os._exit(not refused())
            assert os.waitpid(pid, 0)[1] == 0
        pid = os.fork()
        if not pid:
            os._exit(not (refused() and student().item() == 9))
        assert os.waitpid(pid, 0)[1] == 0
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_cases_are_drawn_once_and_no_function_changes_them():
    """A student's function that writes into its arguments leaves the next one's as they were."""
    judge = Judge(4)
    cases, again = judge.cases(NAME), Judge(4).cases(NAME)
    assert judge.open(NAME)[0] is cases

    def spoils(x, weight, *args, **kwargs):
        x.fill_(float("nan"))
        weight.fill_(float("nan"))
        return x

    outcomes = [drive(*case[:1], spoils, *case[1:]) for case in cases]
    assert not judge.verdict(NAME, tuple(outcomes)).passed
    assert all(same(a[1:], b[1:]) for a, b in zip(cases, again, strict=True))
