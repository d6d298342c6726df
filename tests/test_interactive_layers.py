"""The figure `layers`, driven in Chromium and compared with torch."""

import random
import re

import pytest
import torch
import torch.nn.functional as F
from figures import FOLDER, numbers, pick, root


def stack(layers, n, dtype=torch.float64):
    """The outputs of a list of 1-D layers whose weights are 1, the input first."""
    rows = [torch.ones(1, 1, n, dtype=dtype, requires_grad=True)]
    for kernel, stride, padding, dilation in layers:
        ones = torch.ones(1, 1, kernel, dtype=dtype)
        rows.append(F.conv1d(rows[-1], ones, stride=stride, padding=padding, dilation=dilation))
    return rows


def support(rows, unit, onto=0):
    """Which cells of a row the unit of the last row depends on, by gradient."""
    gradient, = torch.autograd.grad(rows[-1][0, 0, unit], rows[onto], retain_graph=True)
    return gradient[0, 0].nonzero()[:, 0].tolist()


def measured(layers, n):
    """The table, measured: sizes at n, the rest on a row so long that no border is near."""
    sizes = [row.shape[-1] for row in stack(layers, n)]
    found = [{"size": n, "jump": 1, "field": 1, "start": 0}]
    long = stack(layers, 4000)
    for depth in range(1, len(layers) + 1):
        rows = long[:depth + 1]
        unit = rows[-1].shape[-1] // 2
        first, second = (support(rows, u) for u in (unit, unit + 1))
        jump = second[0] - first[0]
        found.append({"size": sizes[depth], "jump": jump, "field": first[-1] - first[0] + 1,
                      "start": (first[0] + first[-1]) / 2 - unit * jump})
    return found


def random_lists():
    """Lists of layers that fit, drawn with a fixed seed, each with a size."""
    draw, lists = random.Random(4), []
    while len(lists) < 30:
        n = draw.randint(4, 64)
        layers = [[draw.randint(1, 5), draw.randint(1, 3), draw.randint(0, 4), draw.randint(1, 3)]
                  for _ in range(draw.randint(1, 4))]
        size = n
        for k, s, p, d in layers:
            size = (size + 2 * p - d * (k - 1) - 1) // s + 1 if size > 0 else 0
        lists += [(layers, n)] if size > 0 else []
    return lists

PRESETS = {
    "three 3 × 3": ([[3, 1, 1, 1]] * 3, 16, 7),
    "two with stride 2": ([[3, 2, 1, 1]] * 2, 16, 7),
    "dilated 1, 2, 4": ([[3, 1, 1, 1], [3, 1, 2, 2], [3, 1, 4, 4]], 24, 15),
    "with pooling": ([[3, 1, 1, 1], [2, 2, 0, 1]] * 2, 18, 10),
    "simple_cnn": ([[5, 2, 2, 1]] + [[3, 2, 1, 1]] * 4, 28, 65),
}


def same_as_torch(tab, layers, n, units=None):
    """The table and the cones of some units, by default the ends and the middle, agree."""
    assert tab.evaluate("a => byhand.layers.table(...a)", [layers, n]) == measured(layers, n)
    rows = stack(layers, n)
    size = rows[-1].shape[-1]
    empty = 0
    for unit in units or sorted({0, size // 2, size - 1}):
        cone = tab.evaluate("a => byhand.layers.cone(...a)", [layers, n, unit])
        assert [row["units"] for row in cone] == [
            support(rows, unit, depth) for depth in range(len(rows))]
        pixels = support(rows, unit)
        assert tab.evaluate("a => byhand.layers.region(...a)", [layers, n, unit]) == (
            {"first": pixels[0], "last": pixels[-1], "count": len(pixels)} if pixels else None)
        empty += not pixels
    return empty


@pytest.mark.parametrize("name", PRESETS)
def test_presets_agree_with_torch(tab, name):
    """A preset is what its name says; its table, and every unit's region, are torch's."""
    layers, n, field = PRESETS[name]
    assert tab.evaluate("n => byhand.layers.PRESETS[n]", name) == {"n": n, "layers": layers}
    same_as_torch(tab, layers, n, range(stack(layers, n)[-1].shape[-1]))
    pick(tab, "layers", name)
    shown = [numbers(row.replace("layer", "").replace("input", "0"))[1:]
             for row in root(tab, "layers").locator(".reading tbody tr").all_inner_texts()]
    assert shown == [list(row.values()) for row in measured(layers, n)]
    assert shown[-1][2] == field


def test_random_lists_agree_with_torch(tab):
    """Thirty lists with stride, dilation, borders and padding beyond the window."""
    empty = sum(same_as_torch(tab, layers, n) for layers, n in random_lists())
    assert empty > 0  # a unit that reads padding alone was among them


def lit(tab):
    """The numbers of the pixels that are drawn as read."""
    return root(tab, "layers").locator(".stage").evaluate(
        "e => [...e.querySelectorAll('.pixel')].flatMap("
        "(r, i) => r.classList.contains('lit') ? [i] : [])")


def test_the_unit_is_chosen_by_keyboard(tab):
    """Arrow keys, Home and End move the unit; what is lit and what is told follow."""
    layers, n, _ = PRESETS["with pooling"]
    figure = root(tab, "layers")
    pick(tab, "layers", "with pooling")
    rows, slider = stack(layers, n), figure.locator("input[type=range]")
    for key, unit in (("Home", 0), ("ArrowRight", 1), ("ArrowUp", 2), ("End", 3), ("ArrowLeft", 2)):
        slider.press(key)
        assert lit(tab) == support(rows, unit)
        first, last = support(rows, unit)[0], support(rows, unit)[-1]
        assert f"Unit {unit} of layer 4 reads pixels {first} to {last}." in \
            figure.locator(".live").inner_text()
    # what no unit of the next layer reads is drawn as such: the ninth cell of layer 3
    assert figure.locator(".stage .layer.unread").count() == 1


def test_the_unit_is_chosen_by_mouse(tab):
    """A click above a pixel chooses the unit that stands there; dragging moves it."""
    figure = root(tab, "layers")
    rows = stack(*PRESETS["three 3 × 3"][:2])
    cells = figure.locator(".stage .pixel")
    figure.locator(".stage").scroll_into_view_if_needed()
    for unit in (12, 0):
        box, top = cells.nth(unit).bounding_box(), figure.locator(".chosen").bounding_box()
        tab.mouse.click(box["x"] + box["width"] / 2, top["y"] + 3)
        assert lit(tab) == support(rows, unit)
    tab.mouse.down()
    tab.mouse.move(cells.nth(5).bounding_box()["x"] + 8, top["y"])
    tab.mouse.up()
    assert lit(tab) == support(rows, 5)
    tab.mouse.move(cells.nth(9).bounding_box()["x"] + 8, top["y"])
    assert lit(tab) == support(rows, 5)


def test_cells_stand_at_the_centre_of_their_field(tab):
    """A unit is drawn above pixel start + unit · jump, in each row and with padding beside it."""
    layers, n, _ = PRESETS["with pooling"]
    figure = root(tab, "layers")
    pick(tab, "layers", "with pooling")
    boxes = figure.locator(".stage").evaluate(
        "e => [...e.querySelectorAll('.pixel, .layer')].map(r => r.getBoundingClientRect())"
        ".map(b => [b.top + b.height / 2, b.left + b.width / 2])")
    rows = sorted({round(y) for y, _ in boxes}, reverse=True)
    first, second = sorted(x for y, x in boxes if round(y) == rows[0])[:2]
    for y, row in zip(rows, measured(layers, n), strict=True):
        places = [(x - first) / (second - first) for top, x in sorted(boxes, key=lambda b: b[1])
                  if round(top) == y]
        assert places == pytest.approx(
            [row["start"] + i * row["jump"] for i in range(row["size"])], abs=0.02)


def test_layers_are_written_added_and_removed(tab):
    """The list is edited by keyboard, and the table and the drawing are those of the new list."""
    figure = root(tab, "layers")
    figure.get_by_role("button", name="Add a layer").press("Enter")
    for label, value in (("stride of layer 1", 2), ("kernel of layer 4", 5),
                         ("dilation of layer 4", 2), ("padding of layer 4", 3), ("size n", 21)):
        figure.get_by_label(label).fill(str(value))
    figure.get_by_role("button", name="Remove layer 2").press("Space")
    layers, n = [[3, 2, 1, 1], [3, 1, 1, 1], [5, 1, 3, 2]], 21
    shown = figure.locator(".reading tbody tr").last.inner_text()
    assert numbers(shown)[1:] == list(measured(layers, n)[-1].values())
    rows = stack(layers, n)
    assert lit(tab) == support(rows, (rows[-1].shape[-1] - 1) // 2)
    assert figure.locator(".choice input:checked").count() == 0
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "Remove layer 2"
    figure.get_by_label("kernel of layer 1").press("ArrowUp")
    assert figure.get_by_label("kernel of layer 1").input_value() == "4"
    for _ in range(2):
        figure.get_by_role("button", name="Remove layer 1").click()
    assert figure.get_by_role("button", name="Remove layer 1").is_disabled()
    for _ in range(7):
        figure.get_by_role("button", name="Add a layer").click()
    assert figure.get_by_role("button", name="Add a layer").is_disabled()


@pytest.mark.parametrize("typed", ["", "0", "16", "2.5", "-1", "1e1"])
def test_a_wrong_number_is_refused_in_one_line(tab, typed):
    """The picture keeps the last list that makes sense; leaving the field restores its number."""
    figure = root(tab, "layers")
    field, problem = figure.get_by_label("kernel of layer 2"), figure.locator(".problem:visible")
    before = figure.locator(".reading").inner_text()
    field.fill(typed)
    assert problem.all_inner_texts() == ["kernel of layer 2: enter a whole number from 1 to 15."]
    assert field.get_attribute("aria-invalid") == "true"
    assert figure.locator(".reading").inner_text() == before
    field.blur()
    assert field.input_value() == "3" and problem.count() == 0
    assert field.get_attribute("aria-invalid") == "false"


def test_a_complaint_ends_with_its_field(tab):
    """A list that comes from the address ends what was being typed, and the line about it."""
    figure = root(tab, "layers")
    figure.get_by_label("kernel of layer 3").fill("")
    assert figure.locator(".problem:visible").count() == 1
    tab.evaluate("location.hash = '#layers:n=12,l=3.1.1.1-3.2.1.1-5.1.2.1'")
    tab.wait_for_function("document.activeElement.value === '5'")
    assert figure.locator(".problem:visible").count() == 0


def test_a_layer_that_does_not_fit_is_named(tab):
    """One line says which layer and why; the layers before it are still drawn."""
    figure = root(tab, "layers")
    figure.get_by_label("dilation of layer 2").fill("9")
    assert figure.locator(".problem:visible").all_inner_texts() == [
        "Layer 2 does not fit: its window is 19 wide, and what it reads is 18 wide with padding."]
    assert [r.split()[1:] for r in figure.locator(".reading tbody tr").all_inner_texts()[2:]] == [
        ["2", *"––––"], ["3", *"––––"]]
    assert "of layer 1 reads pixels" in figure.locator(".live").inner_text()
    with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        stack([[3, 1, 1, 1], [3, 1, 1, 9]], 16)
    figure.get_by_label("padding of layer 2").fill("2")
    assert figure.locator(".problem:visible").count() == 0
    figure.get_by_label("kernel of layer 1").fill("15")
    figure.get_by_label("size n").fill("1")
    assert "Layer 1 does not fit" in figure.locator(".problem:visible").inner_text()
    assert figure.locator(".live").inner_text().startswith("Pixel 0 reads pixel 0.")


def test_examples_are_true(tab):
    """The example of `layers` is a table of that figure."""
    text = (FOLDER / "layers.example.txt").read_text(encoding="utf-8")
    rows = [numbers(line) for line in re.findall(r"^(?:input|layer \d).*", text, re.MULTILINE)]
    layers = [[3, int(row[1]), 1, 1] for row in rows[1:]]
    table = measured(layers, 16)
    assert rows[0] == list(table[0].values())
    for depth, row in enumerate(rows[1:], 1):
        before, now = table[depth - 1], table[depth]
        assert row == [depth, layers[depth - 1][1], now["size"], now["jump"],
                       before["field"], 2, before["jump"], now["field"], now["start"]]
    unit, depth, centre, first, last = numbers(text.partition("unit i")[2])
    pixels = support(stack(layers, 16), int(unit))
    assert depth == len(layers) and centre == unit * table[-1]["jump"] + table[-1]["start"]
    assert [first, last] == [pixels[0], pixels[-1]]
