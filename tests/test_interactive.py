"""The interactive figures, driven in Chromium and compared with torch."""

import importlib.util
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from figures import FOLDER, hash_of, numbers, pick, root, words_without_scripts, write_book
from site_helpers import ROOT, build_book
from test_browser import THEMES, settle, violations

ALT = {"tracer": 'Three maps & the windows "between" them.', "layers": "Rows of units and a cone."}
PAGE = f"""# A page with figures

{{numref}}`both-figures` is the first.

## A heading

```{{interactive}} tracer
:name: both-figures
:alt: {ALT["tracer"]}
From $7 \\times 7$ pixels to **one** number.

A legend.
```

```{{interactive}} layers
:alt: {ALT["layers"]}
```
"""
TWICE = "# Twice the same\n" + 2 * f"\n```{{interactive}} tracer\n:alt: {ALT['tracer']}\n```\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The sources of the book with figures."""
    return write_book(tmp_path_factory.mktemp("figures") / "source",
                      {"page": PAGE, "twice": TWICE, "plain": "# No figure\n\nOnly words."})


@pytest.fixture(scope="module")
def book(source):
    """The folder of its built pages."""
    built = build_book(source, source.parent / "out")
    assert built.returncode == 0, built.output[-3000:]
    return built.html / "book"


# tracer: what torch says

DATA = json.loads((FOLDER / "tracer.data.js").read_text("utf-8").partition("= ")[2].rstrip(";\n"))


def expected(digit):
    """Pixels, conv1 sums and conv2 sums of a digit by torch; (28, 28), (2, 14, 14), (7, 7)."""
    rows = DATA["digits"][digit]["rows"]
    x = torch.tensor([[int(v, 11) / 10 for v in row] for row in rows], dtype=torch.float64)
    weights = [torch.tensor(DATA[layer][part], dtype=torch.float64) / 100
               for layer in ("conv1", "conv2") for part in ("weight", "bias")]
    one = F.conv2d(x[None], *weights[:2], stride=2, padding=1)
    two = F.conv2d(one.relu(), *weights[2:], stride=2, padding=1)
    return x, one, two[0]


def reached(row, column):
    """Which of the 14 x 14 and of the 28 x 28 cells a cell of conv2 depends on, by gradient."""
    ones = torch.ones(1, 1, 3, 3)
    x = torch.ones(1, 28, 28, requires_grad=True)
    one = F.conv2d(x, ones, stride=2, padding=1)
    one.retain_grad()
    F.conv2d(one, ones, stride=2, padding=1)[0, row, column].backward()
    return one.grad[0] != 0, x.grad[0] != 0


def spans(mask):
    """First and last row, first and last column of a mask, which must fill that box."""
    rows, columns = (mask.any(axis).nonzero()[:, 0].tolist() for axis in (1, 0))
    box = [rows[0], rows[-1], columns[0], columns[-1]]
    assert mask.sum() == len(rows) * len(columns)
    return box


def products(tab):
    """What the tables show: for A, B and the pixels, nine (value, weight, product)."""
    return [[tuple(numbers(" ".join(cell.locator("span").all_inner_texts())))
             for cell in table.locator("td").all()]
            for table in root(tab, "tracer").locator("table").all() if table.is_visible()]


def check_products(table, window, weight):
    """A table shows these nine values, these nine weights, and their products."""
    right = torch.stack([window, weight, window * weight], 1)
    torch.testing.assert_close(torch.tensor(table, dtype=torch.float64), right, rtol=0, atol=1e-9)


def choose(tab, row, column):
    """Click a cell of conv2."""
    root(tab, "tracer").locator(".conv2 [role=row]").nth(row).locator(".cell").nth(column).click()


def drawn(tab, selector, map_index):
    """The boxes of a class in cells of a map (0 input, 1 A, 2 B, 3 conv2): top, left, h, w."""
    return root(tab, "tracer").evaluate(
        """(e, [selector, index]) => {
            const number = (r, name) => Number(r.getAttribute(name));
            const map = e.querySelectorAll("rect.paper[x]")[index];
            const side = [28, 14, 14, 7][index];
            const cell = number(map, "width") / side;
            return [...e.querySelectorAll(selector)].map((r) => [
                (number(r, "y") - number(map, "y")) / cell,
                (number(r, "x") - number(map, "x")) / cell,
                number(r, "height") / cell, number(r, "width") / cell]);
        }""", [selector, map_index])


def test_the_tracer_computes_what_torch_computes(tab):
    """All values of all digits: the pixels, both maps of conv1, the 49 cells of conv2."""
    for digit in range(len(DATA["digits"])):
        found = tab.evaluate("d => byhand.tracer.compute(d)", digit)
        x, one, two = expected(digit)
        for values, scale, torch_values in (
                (found["input"], 10, x), (found["conv1"]["sums"], 1e3, one),
                (found["conv1"]["maps"], 1e3, one.relu()), (found["conv2"]["sums"], 1e5, two),
                (found["conv2"]["map"], 1e5, two.relu())):
            torch.testing.assert_close(torch.tensor(values, dtype=torch.float64) / scale,
                                       torch_values, rtol=0, atol=1e-9)
        assert two.relu().count_nonzero() > 10


def test_arrow_keys_reach_every_cell(tab):
    """From cell to cell by keyboard: value, windows and region are told as torch has them."""
    grid, live = root(tab, "tracer").locator(".conv2"), root(tab, "tracer").locator(".live")
    two = expected(0)[2].relu()
    grid.locator("[tabindex='0']").press("Control+Home")
    for row in range(7):
        for column in range(7) if row % 2 == 0 else reversed(range(7)):
            said = numbers(live.inner_text().replace("conv2", ""))
            assert said[:2] == [row, column]
            assert said[2] == pytest.approx(two[row, column].item(), abs=1e-9)
            one, x = reached(row, column)
            assert said[3:12] == [*spans(one), *spans(x), x.sum()]
            assert ("padding" in live.inner_text()) == (row * column == 0)
            last = column == (6 if row % 2 == 0 else 0)
            key = "ArrowDown" if last else "ArrowRight" if row % 2 == 0 else "ArrowLeft"
            tab.keyboard.press(key)
    assert said[:2] == [6, 6]  # the last ArrowDown led nowhere
    tab.keyboard.press("Home")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "row 6, column 0: "\
        f"{two[6, 0]:.2f}"
    assert grid.locator("[tabindex='0']").count() == 1
    tab.keyboard.press("Control+End")
    assert numbers(live.inner_text().replace("conv2", ""))[:2] == [6, 6]


@pytest.mark.parametrize("digit", [0, 1])
def test_the_cells_show_their_numbers(tab, digit):
    """The 49 cells show torch's numbers to two decimals, and one digit is not another."""
    figure = root(tab, "tracer")
    pick(tab, "tracer", str(DATA["digits"][digit]["label"]))
    shown = [numbers(text)[0] for text in figure.locator(".cell text").all_text_contents()]
    two = expected(digit)[2].relu().flatten().tolist()
    assert shown == pytest.approx(two, abs=0.0051)
    assert figure.locator("g.input rect:not(.paper)").count() == expected(digit)[0].count_nonzero()


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 6), (6, 0), (6, 6), (2, 4), (3, 3)])
def test_products_and_sums_follow_a_click(tab, row, column):
    """The nine products of each map, the sum and ReLU; and the boxes drawn on the maps."""
    choose(tab, row, column)
    _, one, two = expected(0)
    windows = F.unfold(one.relu()[:, None], 3, padding=1, stride=2)[:, :, row * 7 + column]
    weights = torch.tensor(DATA["conv2"]["weight"][0], dtype=torch.float64).flatten(1) / 100
    for table, window, weight in zip(products(tab)[:2], windows, weights, strict=True):
        check_products(table, window, weight)
    shares = (windows * weights).sum(1).tolist()
    said = numbers(root(tab, "tracer").locator(".two .sum").inner_text())
    total = two[row, column].item()
    assert said == pytest.approx([*shares, DATA["conv2"]["bias"][0] / 100, total, max(total, 0)],
                                 abs=1e-9)
    assert drawn(tab, ".front .chosen", 3)[-1] == pytest.approx([row, column, 1, 1])
    for index in (1, 2):
        assert drawn(tab, ".front .window", index)[index - 1] == pytest.approx(
            [2 * row - 1, 2 * column - 1, 3, 3])
    top, bottom, left, right = spans(reached(row, column)[1])
    assert drawn(tab, ".front .field", 0) == [
        pytest.approx([top, left, bottom - top + 1, right - left + 1])]


def check_source(tab, map_index, row, column):
    """The third table and its sum are those of one cell of conv1."""
    x, one, _ = expected(0)
    window = F.unfold(x[None, None], 3, padding=1, stride=2)[0, :, row * 14 + column]
    weight = torch.tensor(DATA["conv1"]["weight"], dtype=torch.float64)[map_index].flatten() / 100
    check_products(products(tab)[2], window, weight)
    said = numbers(root(tab, "tracer").locator(".one .sum").inner_text())
    total = one[map_index, row, column].item()
    bias = DATA["conv1"]["bias"][map_index] / 100
    assert said == pytest.approx([total - bias, bias, total, max(total, 0)], abs=1e-9)
    assert drawn(tab, ".front .window", 0)[-1] == pytest.approx(
        [2 * row - 1, 2 * column - 1, 3, 3])
    assert drawn(tab, ".front .chosen", 1 + map_index)[0] == pytest.approx([row, column, 1, 1])


def test_a_cell_of_a_window_is_traced_by_keyboard(tab):
    """Tab leads from conv2 to the windows, arrows through them: each shows its nine products."""
    choose(tab, 2, 4)
    check_source(tab, 0, 4, 8)
    tab.keyboard.press("Tab")
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("ArrowLeft")
    check_source(tab, 0, 3, 7)
    tab.keyboard.press("End")
    check_source(tab, 0, 3, 9)
    tab.keyboard.press("Tab")
    tab.keyboard.press("ArrowDown")
    check_source(tab, 1, 5, 8)
    # the other map keeps one cell in the order of the Tab key, and none is chosen there
    assert root(tab, "tracer").locator("table [tabindex='0']").count() == 2
    assert root(tab, "tracer").locator("table [aria-selected='true']").count() == 1


def test_a_cell_of_a_window_is_traced_by_mouse(tab):
    """A click in a table and a click in the drawing of conv1 do the same."""
    choose(tab, 6, 2)
    root(tab, "tracer").locator("table").nth(1).locator("td").nth(2).click()
    check_source(tab, 1, 11, 5)
    box = root(tab, "tracer").locator(".front .window").first.bounding_box()
    tab.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.8)
    check_source(tab, 0, 13, 3)
    tab.mouse.click(box["x"] + box["width"] * 2, box["y"])  # outside the window: nothing
    check_source(tab, 0, 13, 3)


def test_padding_comes_from_nowhere(tab):
    """A cell of padding is 0, hatched, and has no pixels; an input window shows its padding."""
    choose(tab, 0, 0)
    figure = root(tab, "tracer")
    assert figure.locator("td.padded").count() == 10 + 5  # 5 in A and B each, 5 in the pixels
    assert figure.locator(".stage rect.padding").count() == 15
    figure.locator("table").first.locator("td").first.click()
    assert "depends on no pixel" in figure.locator(".one .sum").inner_text()
    assert len(products(tab)) == 2
    tab.keyboard.press("Control+End")
    check_source(tab, 0, 1, 1)


def test_regions_agree_with_the_gradient(tab):
    """The region function gives torch's support for all 49 cells."""
    for row, column in [(r, c) for r in range(7) for c in range(7)]:
        found = tab.evaluate("([r, c]) => byhand.tracer.region(r, c)", [row, column])
        for layer, mask in zip(("conv1", "input"), reached(row, column), strict=True):
            assert sum(found[layer], []) == spans(mask)


# layers: what torch says


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


# Both: address, reset, readers


def test_the_address_holds_the_settings(tab, visit):
    """What two figures show survives in the address; a copy of it shows the same."""
    assert hash_of(tab) == ""
    choose(tab, 5, 3)
    root(tab, "tracer").locator("table").nth(1).locator("td").nth(2).click()
    pick(tab, "tracer", "2")
    assert hash_of(tab) == "tracer:digit=2,r=5,c=3,map=B,i=0,j=2"
    root(tab, "layers").get_by_label("stride of layer 2").fill("2")
    root(tab, "layers").locator("input[type=range]").press("End")
    both = "tracer:digit=2,r=5,c=3,map=B,i=0,j=2;layers:n=16,l=3.1.1.1-3.2.1.1-3.1.1.1,u=7"
    assert hash_of(tab) == both
    other = visit(hash="#" + both)
    for name in ALT:
        assert root(other, name).inner_text() == root(tab, name).inner_text()
    assert lit(other) == lit(tab)
    link = root(other, "tracer").get_by_text("Link to this view").get_attribute("href")
    assert link == "#" + both.partition(";")[0]


def test_reset_leads_back(tab):
    """Reset shows the first state again, and takes that figure out of the address."""
    before = {name: root(tab, name).inner_text() for name in ALT}
    choose(tab, 6, 6)
    pick(tab, "layers", "simple_cnn")
    root(tab, "layers").get_by_label("size n").fill("40")
    assert all(root(tab, name).inner_text() != before[name] for name in ALT)
    root(tab, "tracer").get_by_role("button", name="Reset").click()
    assert hash_of(tab).startswith("layers:n=40,")
    root(tab, "layers").get_by_role("button", name="Reset").click()
    assert hash_of(tab) == "" and "#" not in tab.url
    assert {name: root(tab, name).inner_text() for name in ALT} == before


def test_a_link_scrolls_to_its_figure_and_a_heading_stays_a_heading(visit):
    """The first figure of an address is shown; other fragments change no figure."""
    tab = visit(hash="#layers:n=20,l=3.2.1.1")
    tab.wait_for_function("scrollY > 300")
    assert 0 <= root(tab, "layers").bounding_box()["y"] < 450
    shown = root(tab, "layers").inner_text()
    tab.evaluate("location.hash = '#a-heading'")
    assert root(tab, "layers").inner_text() == shown
    tab.evaluate("location.hash = '#layers:n=21,l=3.2.1.1'")
    tab.wait_for_timeout(100)
    assert root(tab, "layers").get_by_label("size n").input_value() == "21"


@pytest.mark.parametrize("hash", [
    "#tracer:digit=4,r=7,c=-1,map=C,i=3,j=x;layers:n=65,l=3.1.1,u=-1", "#tracer:;layers:l=",
    "#layers:n=,l=0.1.1.1-3.1.1.1;tracer:r", "#layers:l=3.1.1.1.1;tracer:r=1e0",
    "#tracer:<b>x</b>", "#%%%"])
def test_a_broken_address_shows_the_first_state(visit, tab, hash):
    """Values out of range, and text that is no address of ours, count for nothing."""
    other = visit(hash=hash)
    for name in ALT:
        assert root(other, name).inner_text() == root(tab, name).inner_text()


def test_the_same_figure_twice(visit):
    """Two copies on a page have their own state, and their own part of the address."""
    tab = visit("twice")
    for key, count in (("tracer", 7), ("tracer-2", 1)):
        root(tab, key).locator(".conv2 [tabindex='0']").press("Home")
        for _ in range(count):
            tab.keyboard.press("ArrowRight")
    assert hash_of(tab) == ("tracer:digit=7,r=2,c=6,map=A,i=1,j=1;"
                            "tracer-2:digit=7,r=2,c=1,map=A,i=1,j=1")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [1440, 375])
def test_a_figure_in_use_is_accessible_and_fits(visit, theme, width):
    """Axe finds nothing in either theme, with errors shown too; nothing sticks out sideways."""
    tab = visit(width=width, color_scheme=theme)
    choose(tab, 0, 0)
    tab.keyboard.press("ArrowDown")
    pick(tab, "layers", "simple_cnn")
    for label, value in (("size n", 64), ("padding of layer 1", 9), ("kernel of layer 5", 15),
                         ("dilation of layer 5", 16), ("kernel of layer 2", "")):
        root(tab, "layers").get_by_label(label).fill(str(value))
    assert root(tab, "layers").locator(".problem:visible").count() == 2
    settle(tab)
    assert tab.evaluate("document.documentElement.dataset.theme") == theme
    assert tab.evaluate("document.scrollingElement.scrollWidth") <= width
    for box in tab.locator(".interactive-body").all():
        assert box.evaluate("e => [...e.querySelectorAll('*:not(svg *)')].every("
                            "c => c.getBoundingClientRect().right <= innerWidth)")
    seen = list(tab.errors)
    assert violations(tab) == []
    tab.errors[:] = seen  # axe asks for style sheets at wrong addresses
    tab.outside.clear()


def test_themes_and_focus_are_visible(visit):
    """Paper and ink change with the theme; the cell in focus has a ring, the others none."""
    light, dark = (visit(color_scheme=theme) for theme in THEMES)
    colours = [tab.evaluate("""[["rect.paper", "fill"], [".cell text", "fill"],
        ["table caption", "color"]].map(([s, p]) =>
        getComputedStyle(document.querySelector("[data-interactive] " + s))[p])""")
        for tab in (light, dark)]
    assert all(a != b for a, b in zip(*colours, strict=True))
    ring = root(light, "tracer").locator(".ring")
    visible = "e => getComputedStyle(e).visibility"
    assert ring.evaluate(visible) == "hidden"
    root(light, "tracer").locator(".conv2 [tabindex='0']").press("ArrowRight")
    assert ring.evaluate(visible) == "visible"
    light.keyboard.press("Tab")
    assert ring.evaluate(visible) == "hidden"
    assert light.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_less_motion_means_none(visit):
    """Nothing moves for a reader who asks for less motion."""
    for motion, moves in (("reduce", False), ("no-preference", True)):
        tab = visit(reduced_motion=motion)
        durations = tab.evaluate("[...document.querySelectorAll('[data-interactive] *')]"
                                 ".map(e => getComputedStyle(e).transitionDuration)")
        assert any(d != "0s" for d in durations) == moves


def test_without_scripts_there_are_words(visit):
    """The alternative text and a worked example stand in for each figure."""
    words_without_scripts(visit, ALT)


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


# The data and the directive


@pytest.fixture(scope="module")
def generator():
    """The module that writes the data."""
    spec = importlib.util.spec_from_file_location("tracer", ROOT / "book" / "_data" / "tracer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trained(generator):
    """The net, trained again."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    net = generator.fit()
    torch.set_num_threads(threads)
    return net


def test_the_data_can_be_made_again(generator, trained):
    """Training again gives the kernels, and the files are what the generator writes."""
    for layer, again in generator.kernels(trained).items():
        for part in ("weight", "bias"):
            torch.testing.assert_close(torch.tensor(again[part]), torch.tensor(DATA[layer][part]),
                                       rtol=0, atol=2)
    assert generator.pictures() == DATA["digits"]
    assert (FOLDER / "tracer.data.js").read_text(encoding="utf-8") == generator.script(DATA)
    assert (FOLDER / "tracer.example.txt").read_text(encoding="utf-8") == generator.example(DATA)


def test_the_kernels_have_learned(generator, trained):
    """With the figure's kernels the net reads most digits; without training it reads few."""
    import strokes

    test = strokes.StrokeDigits(train=False)
    x, y = generator.tenths(test.data)[:, None] / 10.0, test.targets

    def accuracy(net):
        return (net(x.double()).argmax(1) == y).double().mean().item()

    with torch.no_grad():
        for layer, name in ((trained[0], "conv1"), (trained[2], "conv2")):
            layer.weight.copy_(torch.tensor(DATA[name]["weight"]) / 100)
            layer.bias.copy_(torch.tensor(DATA[name]["bias"]) / 100)
    assert accuracy(trained) > 0.65 > 0.3 > accuracy(generator.small_net(generator.SEED))


def test_scripts_are_loaded_once_and_only_where_needed(book):
    """Each script once, the common one first, deferred and classic; none on other pages."""
    found = {name: re.findall(r'<script ([^>]*?)src="[./]*_static/interactive/([\w.-]+)\.js',
                              (book / f"{name}.html").read_text(encoding="utf-8"))
             for name in ("page", "twice", "plain")}
    assert [name for _, name in found["page"]] == [
        "common", "common.controls", "common.drawing", "layers.sums", "layers",
        "tracer.data", "tracer.sums", "tracer.zones", "tracer"]
    assert [name for _, name in found["twice"]] == [
        "common", "common.controls", "common.drawing", "tracer.data", "tracer.sums",
        "tracer.zones", "tracer"]
    assert found["plain"] == []
    assert {attributes.strip() for attributes, _ in found["page"]} == {'defer="defer"'}


def test_a_figure_is_numbered_and_has_a_caption(book):
    """Captions hold markup, a number and a place to link to; without a caption there is none."""
    text = (book / "page.html").read_text(encoding="utf-8")
    one, two = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert 'id="both-figures"' in one and 'href="#both-figures"' in text
    assert re.search(r"<figcaption>.*Fig\. 1.*<strong>one</strong>.*A legend\.", one, re.DOTALL)
    assert "figcaption" not in two and 'id="interactive-layers"' in two


@pytest.mark.parametrize(("builder", "suffix"), [("text", "txt"), ("latex", "tex")])
def test_other_builders_get_the_words(source, tmp_path, builder, suffix):
    """In print the alternative text stands where the figure would be."""
    custom = ["custom", "--custom-builder"] if builder == "text" else []
    run = subprocess.run(
        [Path(sys.executable).with_name("jupyter-book"), "build", source, "-W", "-n",
         "--keep-going", "--path-output", tmp_path, "--builder", *custom, builder],
        capture_output=True, text=True, check=False, timeout=600)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    text = " ".join(" ".join(path.read_text(encoding="utf-8").split())
                    for path in tmp_path.rglob(f"*.{suffix}"))
    assert ALT["layers"] in text and "Three maps" in text and "A legend." in text
