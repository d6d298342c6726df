"""The figure `norms`, driven in Chromium and compared with torch."""

import itertools
import json
import re

import pytest
import torch
import torch.nn.functional as F
from figures import FOLDER, goto, near, numbers, pick, root
from site_helpers import ROOT

PAGE = "norms"


@pytest.fixture(scope="module")
def brick():
    """The brick of the chapter, read from its notebook: (2, 4, 3, 3)."""
    cells = json.loads((ROOT / "book" / "normalization.ipynb").read_text("utf-8"))["cells"]
    source = next("".join(c["source"]) for c in cells if "brick = torch.tensor" in
                  "".join(c["source"]))
    rows = re.search(r"torch\.tensor\((\[.*?\]\])\)", source, re.DOTALL)[1]
    return torch.tensor(json.loads(rows), dtype=torch.float64).reshape(2, 4, 3, 3)

CHOICES = [("".join(a), g) for n in range(5) for a in itertools.combinations("NCHW", n)
           for g in ((1, 2, 4) if "C" in a else (1,))]


def averaged(brick, axes, groups):
    """Means, variances and normalized values of the brick by torch; the last is (2, 4, 3, 3)."""
    groups = groups if "C" in axes else 4
    x = brick.reshape(2, groups, 4 // groups, 3, 3)
    dims = [{"N": 0, "C": 2, "H": 3, "W": 4}[axis] for axis in axes]
    if not dims:
        return x, torch.zeros_like(x), torch.zeros_like(brick)
    mean, variance = x.mean(dims, keepdim=True), x.var(dims, correction=0, keepdim=True)
    return mean, variance, ((x - mean) / (variance + 1e-5).sqrt()).reshape(brick.shape)


def computed(tab, axes, groups):
    """What the figure computes: the means, the owners of the cells, the normalized values."""
    return tab.evaluate("""([axes, groups]) => {
        const { means, number, normalized, places } = byhand.norms;
        return { means: means(axes, groups),
                 owners: places().map((p) => number(p, axes, groups)),
                 normalized: places().map((p) => normalized(p, axes, groups)) };
    }""", [axes, groups])


def test_any_axes_agree_with_torch(tab, brick):
    """All 16 choices of axes, with C split in 1, 2 and 4: means, variances and values."""
    for axes, groups in CHOICES:
        mean, variance, normalized = averaged(brick, axes, groups)
        found = computed(tab, axes, groups)
        near([m["mean"] for m in found["means"]], mean.flatten())
        near([m["variance"] for m in found["means"]], variance.flatten())
        near(found["normalized"], normalized.flatten())
        assert {m["count"] for m in found["means"]} == {72 // mean.numel()}
        near([found["means"][i]["mean"] for i in found["owners"]],
             mean.expand(2, mean.shape[1], 4 // mean.shape[1], 3, 3).flatten())

TORCH = {
    "batch norm": ("Batch norm", 4, lambda x: F.batch_norm(x, None, None, training=True)),
    "layer norm": ("Layer norm over C, H, W", 2, lambda x: F.layer_norm(x, (4, 3, 3))),
    "layer norm over C": ("Layer norm over C", 18, lambda x: F.layer_norm(
        x.movedim(1, -1), (4,)).movedim(-1, 1)),
    "instance norm": ("Instance norm", 8, F.instance_norm),
    "group norm": ("Group norm with 2 groups", 4, lambda x: F.group_norm(x, 2)),
    "whole batch": ("The whole batch", 1, lambda x: F.layer_norm(x, x.shape)),
}


def cells(tab):
    """The 72 cells in torch's order."""
    found = root(tab, "norms").locator(".brick .cell").all()
    return [found[12 * (3 * n + h) + 3 * c + w] for n, c, h, w in
            itertools.product(range(2), range(4), range(3), range(3))]


def shown(tab):
    """What the page shows: numbers, letters, colours, labels of the cells; the means' texts."""
    order = [12 * (3 * n + h) + 3 * c + w for n, c, h, w in
             itertools.product(range(2), range(4), range(3), range(3))]
    found = root(tab, "norms").evaluate("""e => ({
        cells: [...e.querySelectorAll(".brick .cell")].map((g) => [
            ...[...g.querySelectorAll("text")].map((t) => t.textContent),
            getComputedStyle(g.firstChild).getPropertyValue("--tinted"),
            g.getAttribute("aria-label")]),
        means: [...e.querySelectorAll(".means li")].map((li) => [
            li.querySelector(".tag").textContent, li.querySelector("strong").textContent,
            li.querySelector(".deviation").textContent,
            getComputedStyle(li).getPropertyValue("--tinted")]),
    })""")
    found["cells"] = [found["cells"][i] for i in order]
    return found


@pytest.mark.parametrize("preset", TORCH)
def test_presets_are_torchs_layers(tab, brick, preset):
    """A preset computes what torch's function does, says its name, and prints all its means."""
    title, count, layer = TORCH[preset]
    pick(tab, "norms", preset)
    axes, groups = tab.evaluate("name => byhand.norms.PRESETS[name]", preset)
    near(computed(tab, axes, groups)["normalized"], layer(brick).flatten())
    numbers_each = f"each of {72 // count} numbers" if count > 1 else "of 72 numbers"
    verdict = root(tab, "norms").locator(".verdict").inner_text()
    assert verdict.split("\n") == [title, f"{count} mean{'s' * (count > 1)}, {numbers_each}"]
    mean, variance, _ = averaged(brick, axes, groups)
    page = shown(tab)
    near([float(m[1]) for m in page["means"]], mean.flatten(), tolerance=0.0051)
    near([float(m[2]) for m in page["means"]], variance.sqrt().flatten(), tolerance=0.0051)


def test_cells_that_share_a_mean_look_alike(tab, brick):
    """Numbers of the chapter; one letter and one colour for each mean, in cells and below them."""
    for axes, groups in CHOICES:
        count = averaged(brick, axes, groups)[0].numel()
        goto(tab, f"norms:over={axes},groups={groups},at=1311")
        page, owners = shown(tab), computed(tab, axes, groups)["owners"]
        assert [int(c[0]) for c in page["cells"]] == brick.flatten().tolist()
        for cell, owner in zip(page["cells"], owners, strict=True):
            assert cell[1:3] == [page["means"][owner][0], page["means"][owner][3]]
        assert [numbers(c[3])[0] for c in page["cells"]] == brick.flatten().tolist()
        assert len(page["means"]) == count
        # 72 numbers that share no mean need no letters
        assert len({m[0] for m in page["means"]}) == (count if count < 72 else 1)
        assert len({m[3] for m in page["means"]}) == min(count, 36)
        assert root(tab, "norms").locator(".means li.here").count() == 1


@pytest.mark.parametrize(("axes", "groups", "title"), [
    ("NHW", 1, "Batch norm"), ("NCHW", 4, "Batch norm"), ("HW", 1, "Instance norm"),
    ("CHW", 4, "Instance norm"), ("NCHW", 2, "No usual name"), ("CW", 1, "No usual name"),
    ("C", 2, "No usual name"), ("", 1, "Nothing averaged"), ("N", 1, "No usual name"),
    ("C", 4, "Nothing averaged"), ("NW", 1, "No usual name")])
def test_names(tab, axes, groups, title):
    """A choice has the name of its norm however it was reached; most have none."""
    assert tab.evaluate("a => byhand.norms.name(...a).title", [axes, groups]) == title


def test_what_is_said_of_other_norms_holds(tab, brick):
    """Group norm with one and with four groups; BatchNorm1d on flattened maps."""
    def value(axes, groups):
        found = computed(tab, axes, groups)["normalized"]
        return torch.tensor(found, dtype=torch.float64).reshape(brick.shape)

    near(value("CHW", 1), F.group_norm(brick, 1))
    near(value("CHW", 4), F.group_norm(brick, 4))
    near(value("N", 1), F.batch_norm(brick.flatten(1), None, None, training=True)
         .reshape(brick.shape))


def chosen_numbers(tab):
    """What the page works out for the chosen cell, line by line."""
    return [numbers(text) for text in
            root(tab, "norms").locator(".sums p").all_inner_texts()]


def check_chosen(tab, brick, axes, groups, place):
    """The arithmetic and the sentence are those of one place of the brick."""
    mean, variance, normalized = averaged(brick, axes, groups)
    group = place[1] * mean.shape[1] // 4
    index = [min(i, s - 1) for i, s in zip((place[0], group, 0, *place[2:]), mean.shape,
                                           strict=True)]
    m, v = mean[tuple(index)].item(), variance[tuple(index)].item()
    count = 72 // mean.numel()
    x, y = brick[place].item(), normalized[place].item()
    lines = chosen_numbers(tab)
    root_of = (v + 1e-5) ** 0.5
    right = [[x], [m * count, count, m], [v], [v, 1e-5, root_of], [x, m, root_of, y]]
    lines[4][1] = abs(lines[4][1])  # the minus before the mean is an operator
    assert [pytest.approx(line, abs=6e-4) for line in right] == lines
    live = root(tab, "norms").locator(".live").inner_text()
    assert live.endswith(f"normalized {y:.3f}".rstrip("0").rstrip(".").replace("-", "−") + ".")
    assert "picture {}, channel {}, row {}, column {}".format(*place) in live


def test_a_cell_is_chosen_by_mouse(tab, brick):
    """A click shows whose mean a number shares, and what becomes of it."""
    for preset, place in (("batch norm", (1, 2, 0, 1)), ("layer norm over C", (0, 3, 2, 2)),
                          ("group norm", (1, 0, 1, 1)), ("whole batch", (0, 0, 0, 2))):
        pick(tab, "norms", preset)
        cells(tab)[36 * place[0] + 9 * place[1] + 3 * place[2] + place[3]].click()
        check_chosen(tab, brick, *tab.evaluate("p => byhand.norms.PRESETS[p]", preset), place)


def test_everything_works_by_keyboard(tab, brick):
    """Arrow keys walk all cells; Space turns axes on and off; Tab leads to the groups."""
    figure = root(tab, "norms")
    figure.locator(".brick [tabindex='0']").press("Control+Home")
    for step in range(72):
        r, c = divmod(step, 12)
        c = c if r % 2 == 0 else 11 - c
        if step % 7 == 0:
            check_chosen(tab, brick, "NHW", 1, (r // 3, c // 3, r % 3, c % 3))
        label = tab.evaluate("document.activeElement.getAttribute('aria-label')")
        assert numbers(label) == [brick[r // 3, c // 3, r % 3, c % 3], r // 3, c // 3, r % 3, c % 3]
        last = c == (11 if r % 2 == 0 else 0)
        tab.keyboard.press("ArrowDown" if last else "ArrowRight" if r % 2 == 0 else "ArrowLeft")
    assert figure.locator(".brick [tabindex='0']").count() == 1
    boxes = figure.get_by_role("checkbox")
    assert figure.get_by_role("radio", name="2", exact=True).is_disabled()
    boxes.first.press("Space")  # N off
    tab.keyboard.press("Tab")
    tab.keyboard.press("Space")  # C on
    assert figure.locator(".verdict strong").inner_text() == "Layer norm over C, H, W"
    figure.get_by_role("radio", name="1", exact=True).press("ArrowRight")
    assert figure.locator(".verdict strong").inner_text() == "Group norm with 2 groups"
    assert figure.get_by_role("radio", name="group norm", exact=True).is_checked()
    check_chosen(tab, brick, "CHW", 2, (1, 0, 2, 0))


def test_the_outline_surrounds_the_cells_of_one_mean(tab):
    """Around the chosen cell's fellows: a line of as many sides as their tiles have borders."""
    for preset, sides in (("batch norm", 24), ("layer norm", 48), ("layer norm over C", 16),
                          ("instance norm", 12), ("group norm", 24), ("whole batch", 96)):
        pick(tab, "norms", preset)
        line = root(tab, "norms").locator(".mine").get_attribute("d")
        assert line.count("M") == sides, preset


def test_the_example_is_true(brick):
    """The brick, its means and the arithmetic of one number."""
    text = (FOLDER / "norms.example.txt").read_text(encoding="utf-8")
    rows = re.findall(r"^(?:picture \d:| {10})  (\S.*)$", text, re.MULTILINE)
    digits = torch.tensor([numbers(row) for row in rows]).double()
    near(digits.reshape(2, 3, 4, 3).movedim(2, 1).tolist(), brick)
    said = re.findall(r"over (.*): (\d+) means?, (?:each )?of (\d+) numbers: (.*)", text)
    assert len(said) == 6
    for over, count, each, means in said:
        axes = "".join(axis for axis in "NCHW" if axis in over)
        mean = averaged(brick, axes, 2 if "half" in over else 1)[0].flatten()
        near(numbers(means), mean)
        assert [int(count), int(each)] == [mean.numel(), 72 // mean.numel()]
    mean, variance, normalized = averaged(brick, "NHW", 1)
    x, place = brick[0, 1, 1, 1].item(), (0, 1, 1, 1)
    assert f"The {x:.0f} in the middle of picture 0, channel 1" in text
    last = numbers(text.partition("The variance is ")[2].replace("- ", ""))
    right = [variance[0, 1].item(), x, mean[0, 1].item(), variance[0, 1].item(), 1e-5,
             normalized[place].item()]
    assert last == pytest.approx(right, abs=6e-4)
