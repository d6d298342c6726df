"""The figure `painter`, driven in Chromium and compared with torch."""

import random
import re

import pytest
import torch
import torch.nn.functional as F
from figures import FOLDER, live, load_generator, near, numbers, pick, root, slide

PAGE = "convolution"
PRESETS = {
    "top edges": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "left edges": [[-1, 0, 1]] * 3, "blur": [[1, 1, 1]] * 3,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "shift": [[0, 0, 0], [0, 0, 1], [0, 0, 0]], "1 to 9": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
}


@pytest.fixture(scope="module")
def generator():
    """The module that writes the data."""
    return load_generator("painter")


@pytest.fixture(scope="module")
def pictures(generator):
    """The digits in tenths and the impulse, (28, 28) each."""
    digits = [torch.tensor([[int(v, 11) for v in row] for row in digit["rows"]]).double()
              for digit in generator.make()["digits"]]
    impulse = torch.zeros(28, 28, dtype=torch.float64)
    impulse[14, 14] = 10
    return [*digits, impulse]


def by_torch(picture, weights, s=1, p=0, d=1):
    """The output (o, o) in tenths; an empty list where torch finds that the kernel is too large."""
    kernel = torch.tensor(weights, dtype=torch.float64)
    try:
        return F.conv2d(picture[None, None], kernel[None, None], stride=s, padding=p,
                        dilation=d)[0, 0]
    except RuntimeError as error:
        assert "Kernel size can't be greater than actual input size" in str(error)
        return []


def settings():
    """Every stride, padding, dilation and size, with random weights of a fixed seed."""
    draw = random.Random(8)
    return [{"picture": draw.randrange(4), "s": s, "p": p, "d": d,
             "weights": [[draw.randint(-9, 9) for _ in range(k)] for _ in range(k)]}
            for s in range(1, 7) for p in range(5) for d in range(1, 15) for k in (3, 5)]


def test_all_settings_are_torchs(tab, pictures):
    """Outputs, sizes and the worked out law at all 840 positions of the controls."""
    states, refused = settings(), 0
    found = tab.evaluate("all => all.map((s) => [byhand.painter.compute(s), "
                         "byhand.painter.law(s), byhand.painter.problem(s)])", states)
    for state, (output, law, problem) in zip(states, found, strict=True):
        right = by_torch(pictures[state["picture"]], *(state[n] for n in ("weights", *"spd")))
        assert len(output) == len(right)
        if len(right):
            near(output, right)
        refused += not len(right)
        assert (problem == "") == (len(right) > 0)
        k, s, p, d = len(state["weights"]), state["s"], state["p"], state["d"]
        assert numbers(law[1].replace("− ", "-")) == [28, 2, p, -d, k, -1, -1, s, 1]
        reach, by, plus, size = numbers(law[2])
        assert [reach, by, plus] == [28 + 2 * p - d * (k - 1) - 1, s, 1]
        assert size == len(right) if len(right) else size < 1
    assert refused > 100


def shown(tab):
    """What the drawing shows: input (side, squares) and output (o, values by sign and ink)."""
    return root(tab, "painter").evaluate("""e => {
        const number = (n, a) => Number(n.getAttribute(a));
        return ["input", "output"].map((name, i) => {
            const paper = e.querySelectorAll(".stage rect.paper[x]")[i];
            if (!paper) return null;
            return { width: number(paper, "width"), squares:
                [...e.querySelectorAll(`g.${name} rect`)].map((r) => [
                    (number(r, "y") - number(paper, "y")) / number(r, "height"),
                    (number(r, "x") - number(paper, "x")) / number(r, "width"),
                    number(r, "fill-opacity") * (r.matches(".below") ? -1 : 1)]),
                cell: number(e.querySelector("g.input rect"), "width") };
        });
    }""")


def check_drawing(tab, picture, weights, s=1, p=0, d=1):
    """Both pictures show these numbers, at one scale; the sentence tells size, ends and rest."""
    right = by_torch(picture, weights, s, p, d)
    drawn_input, drawn = shown(tab)
    for found, values, top in ((drawn_input, F.pad(picture, (p, p, p, p)), 10),
                               (drawn, right, right.abs().max().clamp(min=1))):
        assert found["width"] / found["cell"] == pytest.approx(len(values), abs=0.02)
        ink = torch.zeros_like(values)
        for row, column, value in found["squares"]:
            ink[round(row), round(column)] = value
        near(ink.tolist(), values / top, tolerance=6e-4)
    said = numbers(live(tab, "painter"))
    assert said[:2] == [len(right), len(right)]
    low, high = right.min().item() / 10, right.max().item() / 10
    assert said[2:4] == pytest.approx([low, high] if low < high else [low])
    rest = (28 + 2 * p - d * (len(weights) - 1) - 1) % s
    assert ("No window reaches" in live(tab, "painter")) == (rest > 0)
    assert said[4:] == ([rest, rest] if rest > 1 else [])


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_what_they_say(tab, pictures, name):
    """A preset, from another one, shows its weights and torch's output."""
    pick(tab, "painter", "blur" if name != "blur" else "shift")
    pick(tab, "painter", name)
    cells = root(tab, "painter").locator(".drawn td").all_inner_texts()
    assert [numbers(text)[0] for text in cells] == sum(PRESETS[name], [])
    check_drawing(tab, pictures[0], PRESETS[name])


def test_a_kernel_is_drawn_by_mouse(tab, pictures):
    """Clicks paint with the brush, dragging paints a line; turning and clearing do their part."""
    figure = root(tab, "painter")
    figure.get_by_role("button", name="Clear").click()
    assert live(tab, "painter") == "The output is 26 × 26. All its numbers are 0.0."
    cells = figure.locator(".drawn td")
    cells.nth(1).click()
    figure.get_by_role("group", name="A click paints").get_by_label("2", exact=True).check()
    cells.nth(3).scroll_into_view_if_needed()
    boxes = [cells.nth(i).bounding_box() for i in range(9)]
    places = [(b["x"] + b["width"] / 2, b["y"] + b["height"] / 2) for b in boxes]
    tab.mouse.move(*places[6])
    tab.mouse.down()
    tab.mouse.move(*places[7])
    tab.mouse.move(*places[8], steps=3)
    tab.mouse.up()
    tab.mouse.move(*places[4])  # no button is down: nothing is painted
    weights = [[0, 1, 0], [0, 0, 0], [2, 2, 2]]
    check_drawing(tab, pictures[0], weights)
    figure.get_by_role("button", name="Turn by 180°").click()
    check_drawing(tab, pictures[0], [[2, 2, 2], [0, 0, 0], [0, 1, 0]])
    assert figure.get_by_role("group", name="Start from").locator("input:checked").count() == 0


def test_a_kernel_is_drawn_by_keyboard(tab, pictures):
    """Arrows move, digits and a minus set a weight, Space paints, Delete clears; sliders follow."""
    figure = root(tab, "painter")
    figure.locator(".drawn [tabindex='0']").press("Control+Home")
    for key in ("7", "-", "ArrowRight", "Delete", "ArrowRight", "Space", "ArrowDown", "5",
                "Backspace", "ArrowDown", "3", "-", "-"):
        tab.keyboard.press(key)
    weights = [[-7, 0, 1], [0, 0, 0], [1, 1, 3]]
    check_drawing(tab, pictures[0], weights)
    label = tab.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label == "row 2, column 2: 3"
    figure.get_by_label("Chosen weight").press("ArrowDown")
    weights[2][2] = 2
    slide(tab, "painter", "Stride s", "ArrowRight", "ArrowRight")
    slide(tab, "painter", "Padding p", "End", "ArrowLeft")
    slide(tab, "painter", "Dilation d", "ArrowRight")
    figure.get_by_role("group", name="Picture").get_by_label("7", exact=True).press("ArrowRight")
    check_drawing(tab, pictures[1], weights, s=3, p=3, d=2)
    law = figure.locator(".law span").all_inner_texts()
    assert law == ["o = ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1",
                   "= ⌊(28 + 2·3 − 2·(3 − 1) − 1) / 3⌋ + 1", "= ⌊29 / 3⌋ + 1 = 10"]


def test_another_size_keeps_the_middle(tab, pictures):
    """From 3 × 3 to 5 × 5 zeros come around the kernel; back, its middle stays."""
    figure = root(tab, "painter")
    pick(tab, "painter", "5 × 5")
    figure.locator(".drawn td").nth(24).click()
    figure.locator(".drawn [tabindex='0']").press("9")
    weights = [[0] * 5, *([0, *row, 0] for row in PRESETS["top edges"]), [0, 0, 0, 0, 9]]
    check_drawing(tab, pictures[0], weights)
    pick(tab, "painter", "3 × 3")
    check_drawing(tab, pictures[0], PRESETS["top edges"])
    assert figure.get_by_label("top edges").is_checked()


def test_an_impulse_shows_the_kernel_turned(tab):
    """1 to 9 come out as 9 to 1, and after turning as 1 to 9."""
    pick(tab, "painter", "impulse")
    pick(tab, "painter", "1 to 9")
    for order in (range(9, 0, -1), range(1, 10)):
        squares = sorted(shown(tab)[1]["squares"])
        assert [round(ink * 9) for _, _, ink in squares] == list(order)
        root(tab, "painter").get_by_role("button", name="Turn by 180°").click()


def test_a_kernel_that_does_not_fit_is_told(tab, pictures):
    """One line says how wide it is and what helps; the output is gone, and comes back."""
    figure = root(tab, "painter")
    slide(tab, "painter", "Dilation d", "End")
    assert by_torch(pictures[0], PRESETS["top edges"], d=14) == []
    assert figure.locator(".problem:visible").all_inner_texts() == [
        "The kernel does not fit: it spans 29 pixels, and the picture has 28 with its padding. "
        "Lower the dilation, or raise the padding."]
    assert live(tab, "painter") == "There is no output: no window fits."
    assert figure.locator(".law").inner_text().endswith("= ⌊−1 / 1⌋ + 1 = 0")
    assert shown(tab)[1] is None
    slide(tab, "painter", "Padding p", "ArrowRight")
    assert figure.locator(".problem:visible").count() == 0
    check_drawing(tab, pictures[0], PRESETS["top edges"], p=1, d=14)


@pytest.mark.parametrize("typed", ["", "10", "-10", "0.5"])
def test_a_wrong_weight_is_refused_in_one_line(tab, pictures, typed):
    """The kernel keeps its weight; leaving the field shows it again."""
    figure = root(tab, "painter")
    field, problem = figure.get_by_label("Chosen weight"), figure.locator(".problem:visible")
    field.fill(typed)
    assert problem.all_inner_texts() == ["Chosen weight: enter a whole number from −9 to 9."]
    check_drawing(tab, pictures[0], PRESETS["top edges"])
    field.blur()
    assert field.input_value() == "0" and problem.count() == 0


def test_the_windows_lie_where_torch_reads(tab):
    """The orange squares are the pixels that the first output depends on; the next one follows."""
    slide(tab, "painter", "Stride s", *["ArrowRight"] * 3)
    slide(tab, "painter", "Padding p", *["ArrowRight"] * 2)
    slide(tab, "painter", "Dilation d", *["ArrowRight"] * 2)
    x = torch.zeros(1, 1, 32, 32, requires_grad=True)
    F.conv2d(x, torch.ones(1, 1, 3, 3), stride=4, dilation=3)[0, 0, 0, :2].sum().backward()
    read = x.grad[0, 0].nonzero().tolist()
    places = root(tab, "painter").evaluate("""e => {
        const number = (n, a) => Number(n.getAttribute(a));
        const paper = e.querySelector(".stage rect.paper[x]");
        const cell = number(paper, "width") / 32;
        return [".tap", ".window"].map((s) => [...e.querySelectorAll(s)].map((r) =>
            ["y", "x"].map((a) => (number(r, a) - number(paper, a)) / cell)));
    }""")
    taps, (first, after) = places
    step = [b - a for a, b in zip(first, after, strict=True)]
    assert step == pytest.approx([0, 4])
    both = [[round(r), round(c + shift)] for r, c in taps for shift in (0, step[1])]
    assert sorted(both) == read


def test_the_data_can_be_made_again(generator):
    """The files are what the generator writes, and the chapter's digit comes first."""
    import strokes

    data = generator.make()
    assert (FOLDER / "painter.data.js").read_text(encoding="utf-8") == generator.script(data)
    assert (FOLDER / "painter.example.txt").read_text(encoding="utf-8") == generator.example(data)
    digit = strokes.StrokeDigits(train=True).data[74] / 25.5
    near([[int(v, 11) for v in row] for row in data["digits"][0]["rows"]],
         digit.double(), tolerance=0.51)


def test_the_example_is_true(pictures):
    """Its products, its sum and its four sizes are torch's."""
    text = (FOLDER / "painter.example.txt").read_text(encoding="utf-8")
    products = [numbers(line) for line in text.splitlines() if "×" in line]
    pairs = torch.tensor(sum(products, [])).reshape(9, 2).double()
    near(pairs[:, 0].reshape(3, 3), pictures[0][4:7, 10:13] / 10, tolerance=1e-6)
    total = by_torch(pictures[0], PRESETS["top edges"])[4, 10].item() / 10
    assert pairs.prod(1).sum().item() == pytest.approx(total, abs=1e-6)
    assert numbers(text.partition("Sum ")[2])[0] == pytest.approx(total)
    cases = re.findall(r"^n = 28, k = (\d), s = (\d), p = (\d), d = (\d+): .* = (\d+)", text,
                       re.MULTILINE)
    assert len(cases) == 4
    for k, s, p, d, size in (map(int, case) for case in cases):
        assert len(by_torch(pictures[0], [[1] * k] * k, s, p, d)) == size
