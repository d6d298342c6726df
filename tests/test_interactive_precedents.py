"""The figure `precedents`, driven in Chromium and compared with torch."""

import pytest
import torch
import torch.nn.functional as F
from figures import FOLDER, check_products, live, load_generator, near, numbers, pick, root

PAGE = "convolution"


@pytest.fixture(scope="module")
def generator():
    """The module that writes the data."""
    return load_generator("precedents")


@pytest.fixture(scope="module")
def data(generator):
    """The data, made again: input (9, 9) and both kernels (3, 3)."""
    return {name: torch.tensor(rows).double() for name, rows in generator.make().items()}


def by_torch(data, stride):
    """Input with a gradient, layer one and output of both layers, without padding."""
    x = data["input"].clone().requires_grad_()
    one = F.conv2d(x[None, None], data["first"][None, None], stride=stride)
    one.retain_grad()
    return x, one, F.conv2d(one, data["second"][None, None])[0, 0]


def depends(data, stride, row, column):
    """How an output depends on layer one and on the input: the gradients, which are weights."""
    x, one, out = by_torch(data, stride)
    out[row, column].backward()
    return one.grad[0, 0], x.grad


def reached(stride, row, column):
    """First and last row and column that an output reads in layer one and input, by gradient."""
    ones = {"input": torch.ones(9, 9), "first": torch.ones(3, 3), "second": torch.ones(3, 3)}
    found = []
    for gradient in depends(ones, stride, row, column):
        rows, columns = (gradient.any(axis).nonzero()[:, 0].tolist() for axis in (1, 0))
        found.append([[rows[0], rows[-1]], [columns[0], columns[-1]]])
    return found


@pytest.mark.parametrize(("stride", "side", "field"), [(1, 5, 5), (2, 2, 7)])
def test_layers_regions_and_merged_weights_are_torchs(tab, data, stride, side, field):
    """Both maps; for every output its region in each layer, and its weights on the input."""
    found = tab.evaluate("s => byhand.precedents.compute(s)", stride)
    _, one, out = by_torch(data, stride)
    near(found["one"], one[0, 0].detach())
    near(found["two"], out.detach())
    assert out.shape == (side, side)
    merged = tab.evaluate("s => byhand.precedents.merged(s)", stride)
    assert len(merged) == field
    for row, column in [(r, c) for r in range(side) for c in range(side)]:
        region = tab.evaluate("a => byhand.precedents.region(...a)", [row, column, stride])
        assert [region["one"], region["input"]] == reached(stride, row, column)
        (top, bottom), (left, right) = region["input"]
        gradient = depends(data, stride, row, column)[1]
        near(merged, gradient[top:bottom + 1, left:right + 1])
        assert gradient.count_nonzero() == gradient[top:bottom + 1, left:right + 1].count_nonzero()
        direct = tab.evaluate("a => byhand.precedents.direct(...a)", [row, column, stride])
        assert len(direct) == field ** 2
        assert sum(term["product"] for term in direct) == out[row, column].item()


def drawn(tab):
    """The frames in cells of their map: field, windows and chosen cells as top, left, h, w."""
    return root(tab, "precedents").evaluate("""e => {
        const number = (n, a) => Number(n.getAttribute(a));
        const first = (s) => e.querySelector(s);
        const maps = { input: first(".pixels rect"), one: first(".numbers.one rect"),
                       two: first(".outputs rect") };
        const frame = (s, i, map) => {
            const node = e.querySelectorAll(`.front ${s}`)[i];
            const cell = number(map, "width");
            return [(number(node, "y") - number(map, "y")) / cell,
                    (number(node, "x") - number(map, "x")) / cell,
                    number(node, "height") / cell, number(node, "width") / cell];
        };
        return { field: frame(".field", 0, maps.input), window: frame(".window", 0, maps.one),
                 source: frame(".window", 1, maps.input), inner: frame(".chosen", 0, maps.one),
                 chosen: frame(".chosen", 1, maps.two) };
    }""")


def signed(text):
    """The numbers of a sum such as −3 + 4 − 2, each with its sign."""
    return numbers(text.replace("−\u00a0", "−").replace("+\u00a0", ""))


def check(tab, data, stride, row, column, i=1, j=1):
    """Sentence, frames, both tables, three sums: all of one output and one cell of its window."""
    figure = root(tab, "precedents")
    _, one, out = by_torch(data, stride)
    one, value = one[0, 0].detach(), out[row, column].item()
    window, region = reached(stride, row, column)
    side = 3 + 2 * stride
    said = numbers(live(tab, "precedents").replace("(3 − 1) ·", ""))
    assert said == [row, column, value, *sum(window, []), *sum(region, []), 3, stride, side, side,
                    side, side ** 2]
    r, c = row + i, column + j
    frames = {"field": [region[0][0], region[1][0], side, side], "window": [row, column, 3, 3],
              "source": [r * stride, c * stride, 3, 3], "inner": [r, c, 1, 1],
              "chosen": [row, column, 1, 1]}
    for name, frame in drawn(tab).items():
        assert frame == pytest.approx(frames[name], abs=0.01), name
    top, left = r * stride, c * stride
    tables = figure.locator("table")
    check_products(tables.nth(0), one[row:row + 3, column:column + 3], data["second"])
    check_products(tables.nth(1), data["input"][top:top + 3, left:left + 3], data["first"])
    for text, right in zip(figure.locator(".sum").all_inner_texts(),
                           (value, one[r, c].item(), value), strict=True):
        terms, total = text.rpartition(": ")[2].split(" = ")
        assert numbers(total) == [right] == [sum(signed(terms))]
    weights = depends(data, stride, row, column)[1]
    products = (weights * data["input"])[weights * data["input"] != 0]
    terms = figure.locator(".direct .sum").inner_text().rpartition(": ")[2].split(" = ")[0]
    assert signed(terms) == products.tolist()


def test_arrow_keys_reach_every_output(tab, data):
    """From output to output by keyboard, for both strides."""
    figure = root(tab, "precedents")
    for stride, side in ((1, 5), (2, 2)):
        pick(tab, "precedents", str(stride))
        figure.locator(".outputs [tabindex='0']").press("Control+Home")
        for row in range(side):
            for column in range(side) if row % 2 == 0 else reversed(range(side)):
                check(tab, data, stride, row, column)
                out = by_torch(data, stride)[2][row, column].item()
                assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == \
                    f"row {row}, column {column}: {out:g}".replace("-", "−")
                last = column == (side - 1 if row % 2 == 0 else 0)
                tab.keyboard.press("ArrowDown" if last else
                                   "ArrowRight" if row % 2 == 0 else "ArrowLeft")
        assert figure.locator(".outputs [tabindex='0']").count() == 1


def test_a_cell_of_the_window_is_traced(tab, data):
    """By arrows in the table, by a click in the table, and by a click in the drawing."""
    figure = root(tab, "precedents")
    figure.locator(".outputs [role=row]").nth(3).locator(".cell").nth(0).click()
    check(tab, data, 1, 3, 0)
    tab.keyboard.press("Tab")
    for key in ("ArrowUp", "ArrowRight"):
        tab.keyboard.press(key)
    check(tab, data, 1, 3, 0, 0, 2)
    figure.locator("table").first.locator("td").nth(6).click()
    check(tab, data, 1, 3, 0, 2, 0)
    cells = figure.locator(".numbers.one rect")
    cells.nth(4 * 7 + 2).scroll_into_view_if_needed()
    for place, wanted in ((4 * 7 + 2, (1, 2)), (0, (1, 2))):  # the second lies outside the window
        box = cells.nth(place).bounding_box()
        tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        check(tab, data, 1, 3, 0, *wanted)


def test_maps_show_their_numbers(tab, data):
    """All cells hold torch's numbers, grey below 0; merged weights replace the pixels read."""
    figure = root(tab, "precedents")
    for stride in (1, 2):
        pick(tab, "precedents", str(stride))
        pick(tab, "precedents", "pixels")
        _, one, out = by_torch(data, stride)
        for selector, values in ((".pixels text", data["input"]), (".one text", one[0, 0]),
                                 (".outputs text", out)):
            found = [numbers(t)[0] for t in figure.locator(selector).all_text_contents()]
            assert found == values.flatten().tolist()
        below = figure.locator(".outputs rect").evaluate_all(
            "all => all.map((r) => r.matches('.below'))")
        assert below == (out < 0).flatten().tolist()
        pick(tab, "precedents", "merged weights")
        row, column = (1, 2) if stride == 1 else (1, 1)
        (top, bottom), (left, right) = reached(stride, row, column)[1]
        wanted = data["input"].clone()
        box = (slice(top, bottom + 1), slice(left, right + 1))
        wanted[box] = depends(data, stride, row, column)[1][box]
        assert [numbers(t)[0] for t in figure.locator(".pixels text").all_text_contents()] \
            == wanted.flatten().tolist()


def test_a_smaller_output_keeps_the_choice_inside(tab, data):
    """With stride 2 the output has 2 × 2 cells: a choice beyond them moves to the last."""
    root(tab, "precedents").locator(".outputs .cell").last.click()
    check(tab, data, 1, 4, 4)
    pick(tab, "precedents", "2")
    check(tab, data, 2, 1, 1)
    pick(tab, "precedents", "1")
    check(tab, data, 1, 1, 1)


def test_the_data_can_be_made_again(generator):
    """The files are what the generator writes."""
    data = generator.make()
    for name, text in (("data.js", generator.script(data)),
                       ("example.txt", generator.example(data))):
        assert (FOLDER / f"precedents.{name}").read_text(encoding="utf-8") == text


def test_the_example_is_true(data):
    """Its products and sums are torch's, and its regions those of a gradient."""
    text = (FOLDER / "precedents.example.txt").read_text(encoding="utf-8")
    pairs = torch.tensor([numbers(line) for line in text.splitlines() if "×" in line
                          and "pixels" not in line]).reshape(2, 9, 2).double()
    _, one, out = by_torch(data, 1)
    near(pairs[0, :, 0].reshape(3, 3), one[0, 0, 1:4, 2:5].detach())
    near(pairs[0, :, 1].reshape(3, 3), data["second"])
    near(pairs[1, :, 0].reshape(3, 3), data["input"][2:5, 3:6])
    near(pairs[1, :, 1].reshape(3, 3), data["first"])
    sums = [numbers(line)[0] for line in text.splitlines() if line.startswith("Sum")]
    assert sums == pairs.prod(2).sum(1).tolist() == [out[1, 2].item(), one[0, 0, 2, 3].item()]
    last = numbers(text.partition("Through layer one")[2])
    assert last == [*sum(reached(1, 1, 2)[1], []), 5, 5, 2, 7, 7]
    assert [high - low + 1 for low, high in reached(2, 0, 0)[1]] == [7, 7]
