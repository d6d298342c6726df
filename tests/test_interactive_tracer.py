"""The figure `tracer`, driven in Chromium and compared with torch."""

import json

import pytest
import torch
import torch.nn.functional as F
from figures import FOLDER, check_products, load_generator, numbers, pick, root

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


def tables(tab):
    """The tables that are shown: of A, of B, and mostly of the pixels."""
    return [t for t in root(tab, "tracer").locator("table").all() if t.is_visible()]


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
    for table, window, weight in zip(tables(tab)[:2], windows, weights, strict=True):
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
    check_products(tables(tab)[2], window, weight)
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
    assert len(tables(tab)) == 2
    tab.keyboard.press("Control+End")
    check_source(tab, 0, 1, 1)


def test_regions_agree_with_the_gradient(tab):
    """The region function gives torch's support for all 49 cells."""
    for row, column in [(r, c) for r in range(7) for c in range(7)]:
        found = tab.evaluate("([r, c]) => byhand.tracer.region(r, c)", [row, column])
        for layer, mask in zip(("conv1", "input"), reached(row, column), strict=True):
            assert sum(found[layer], []) == spans(mask)


# The data


@pytest.fixture(scope="module")
def generator():
    """The module that writes the data."""
    return load_generator("tracer")


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
