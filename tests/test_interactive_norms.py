"""The figures of the normalization chapter, driven in Chromium and compared with torch."""

import importlib.util
import itertools
import json
import re

import pytest
import torch
import torch.nn.functional as F
from figures import FOLDER, as_new, hash_of, numbers, pick, root, words_without_scripts, write_book
from site_helpers import ROOT, build_book
from test_browser import THEMES, settle, violations

ALT = {"norms": "A brick of numbers & its means.", "batchsize": 'Means of batches, "restless".'}
PAGES = {
    "page": "# A page with figures\n" + "".join(
        f"\n```{{interactive}} {name}\n:alt: {alt}\n```\n" for name, alt in ALT.items()),
    "plain": "# No figure\n\nOnly words.",
}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder of the built pages."""
    source = write_book(tmp_path_factory.mktemp("norms") / "source", PAGES)
    built = build_book(source, source.parent / "out")
    assert built.returncode == 0, built.output[-3000:]
    return built.html / "book"


def goto(tab, state):
    """Give the page another address, and wait until its figures have read it."""
    tab.evaluate("""state => new Promise((done) => {
        addEventListener("hashchange", () => setTimeout(done), { once: true });
        location.hash = state;
    })""", state)


def near(found, right, rel=0, tolerance=1e-9):
    """Whether nested lists of numbers are torch's."""
    torch.testing.assert_close(torch.as_tensor(found, dtype=torch.float64), right,
                               rtol=rel, atol=tolerance)


# norms: what torch says


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


# batchsize: what torch says


@pytest.fixture(scope="module")
def generator():
    """The module that writes the data."""
    path = ROOT / "book" / "_data" / "batchsize.py"
    spec = importlib.util.spec_from_file_location("batchsize", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data(generator):
    """The data, made again."""
    return generator.make()


def answers(data, n, training):
    """The outputs of torch's layer for the example in each batch, (24,)."""
    layer, running = data["layer"], data["running"]
    found = []
    for batch in data["batches"]:
        x = torch.tensor([data["example"], *batch[1:n]], dtype=torch.float64)[:, None]
        weights = [torch.tensor([layer[name]], dtype=torch.float64) for name in ("gamma", "beta")]
        statistics = [torch.tensor([running[name]], dtype=torch.float64)
                      for name in ("mean", "variance")]
        if training and n == 1:
            with pytest.raises(ValueError, match="more than 1 value per channel"):
                F.batch_norm(x, *statistics, *weights, training=True)
            found.append(weights[1][0])
            continue
        found.append(F.batch_norm(x, *statistics, *weights, training=training,
                                  eps=layer["eps"])[0, 0])
    return torch.stack(found)


def scattering(data, n):
    """Batch means (24,) and their standard deviation."""
    means = torch.tensor(data["batches"], dtype=torch.float64)[:, :n].mean(1)
    return means, means.std(correction=0).item()


@pytest.mark.parametrize("training", [True, False])
def test_all_batch_sizes_agree_with_torch(tab, data, training):
    """Means, their scatter, sigma / sqrt(n), and the outputs, for n from 1 to 64."""
    for n in range(1, 65):
        found = tab.evaluate("a => byhand.batchsize.compute(...a)", [n, training])
        means, scatter = scattering(data, n)
        near(found["means"], means)
        near(found["outputs"], answers(data, n, training))
        assert found["scatter"] == pytest.approx(scatter, abs=1e-9)
        assert found["theory"] == pytest.approx(data["population"]["deviation"] / n ** 0.5)
        assert abs(scatter / found["theory"] - 1) < 0.18


def facts(tab):
    """The numbers in the table, row by row."""
    return [numbers(text) for text in
            root(tab, "batchsize").locator(".facts td").all_inner_texts()]


def check_facts(tab, data, n, training, batch):
    """Table, sentence and dots are those of a state."""
    outputs, (means, scatter) = answers(data, n, training), scattering(data, n)
    low, high = outputs.min().item(), outputs.max().item()
    table = facts(tab)
    assert table[0] == [pytest.approx(scatter, abs=0.0051)]
    assert table[1] == [pytest.approx(data["population"]["deviation"] / n ** 0.5, abs=0.0051)]
    ends = [low] if training and n == 1 or not training else [low, high]
    assert table[2] == pytest.approx(ends, abs=6e-4)
    x = torch.tensor([data["example"], *data["batches"][batch][1:n]], dtype=torch.float64)
    mean, variance = ((x.mean().item(), x.var(correction=0).item()) if training else
                      (data["running"]["mean"], data["running"]["variance"]))
    sums = [data["example"], mean, variance, 1e-5, 1, outputs[batch].item()]
    table[3][1] = abs(table[3][1])  # the minus before the mean is an operator
    assert table[3] == pytest.approx(sums, abs=0.0051)
    live = numbers(root(tab, "batchsize").locator(".live").inner_text())
    assert live[0] == n and live[-1] == pytest.approx(outputs[batch].item(), abs=6e-4)
    tops = root(tab, "batchsize").evaluate("""e => [...e.querySelectorAll("rect.paper")]
        .map((r) => Number(r.getAttribute("y")))""")
    for name, values, top in zip(("mean", "output"), (means, outputs), tops, strict=True):
        places = root(tab, "batchsize").evaluate("""(e, name) =>
            [...e.querySelectorAll("circle." + name)].map((c) => Number(c.getAttribute("cy")))""",
            name)
        assert len(places) == 24 and all(top <= y <= top + 150 for y in places)
        # a higher dot is a higher value, and equal steps are equal heights
        y, v = torch.tensor(places, dtype=torch.float64), torch.as_tensor(values)
        if v.std() > 1e-9:
            slope = (y[v.argmax()] - y[v.argmin()]) / (v.max() - v.min())
            assert slope < 0
            near((y - y[v.argmin()]).tolist(), slope * (v - v.min()), tolerance=1e-6)
        else:
            assert len(set(places)) == 1


def test_the_sliders_and_the_switch_work_by_keyboard(tab, data):
    """From a batch of one to 64, in both modes; the table and the dots are torch's."""
    figure = root(tab, "batchsize")
    size, batch = figure.get_by_label("Batch size n"), figure.get_by_label("Look at batch")
    check_facts(tab, data, 4, True, 0)
    for key, n in (("ArrowRight", 5), ("End", 64), ("Home", 1), ("ArrowRight", 2)):
        size.press(key)
        check_facts(tab, data, n, True, 0)
    batch.press("End")
    check_facts(tab, data, 2, True, 23)
    figure.get_by_role("radio", name="training", exact=True).press("ArrowRight")
    check_facts(tab, data, 2, False, 23)
    assert figure.locator(".mean.unused").count() == 24
    before = facts(tab)[2:]
    size.press("PageUp")
    assert facts(tab)[2:] == before  # in evaluation mode the batch size does not matter


def test_the_mouse_does_the_same(tab, data):
    """Clicks on the slider, the switch and a batch's column."""
    figure = root(tab, "batchsize")
    slider = figure.get_by_label("Batch size n")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    tab.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    dot = figure.locator(".output").nth(16).bounding_box()
    tab.mouse.click(dot["x"] + dot["width"] / 2, dot["y"] - 20)
    check_facts(tab, data, 64, True, 16)
    assert figure.locator(".here").count() == 2
    pick(tab, "batchsize", "evaluation")
    check_facts(tab, data, 64, False, 16)


def test_a_batch_of_one_loses_everything(tab, data):
    """In training mode all outputs are beta, and the page says so; torch refuses the batch."""
    figure = root(tab, "batchsize")
    assert "lost" not in figure.locator(".remark").inner_text()
    figure.get_by_label("Batch size n").press("Home")
    assert facts(tab)[2] == [data["layer"]["beta"]]
    assert "each output is β = 1, whatever the picture was: all information is lost. " \
        "BatchNorm1d refuses" in figure.locator(".remark").inner_text()
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        torch.nn.BatchNorm1d(1)(torch.tensor([[154.0]]))
    check_facts(tab, data, 1, True, 0)
    pick(tab, "batchsize", "evaluation")
    assert "lost" not in figure.locator(".remark").inner_text()


def test_the_data_can_be_made_again(generator, data):
    """The files are what the generator writes; the running statistics are those of torch."""
    for name, text in (("data.js", generator.script(data)), ("example.txt",
                                                             generator.example(data))):
        assert (FOLDER / f"batchsize.{name}").read_text(encoding="utf-8") == text
    population, running = data["population"], data["running"]
    error = population["deviation"] / running["size"] ** 0.5
    assert abs(running["mean"] - population["mean"]) < error
    assert running["variance"] == pytest.approx(population["deviation"] ** 2, rel=0.1)


# Both: address, reset, readers


FIRST = {"norms": "norms:over=NHW,groups=1,at=0111",
         "batchsize": "batchsize:n=4,mode=train,batch=1"}
OTHER = {"norms": "norms:over=CH,groups=2,at=1302",
         "batchsize": "batchsize:n=2,mode=eval,batch=8"}


def change(tab):
    """Bring both figures to another state."""
    figure = root(tab, "norms")
    for axis in ("N pictures", "C channels", "W columns"):
        figure.get_by_role("checkbox", name=axis, exact=True).click(force=True)
    pick(tab, "norms", "2")
    cells(tab)[36 + 27 + 2].click()
    figure = root(tab, "batchsize")
    for label, key, times in (("Batch size n", "ArrowLeft", 2), ("Look at batch", "ArrowUp", 7)):
        for _ in range(times):
            figure.get_by_label(label).press(key)
    pick(tab, "batchsize", "evaluation")


def test_the_address_holds_the_settings(tab, visit):
    """What the figures show survives in the address; a copy of it shows the same."""
    assert hash_of(tab) == ""
    for name in ALT:
        link = root(tab, name).get_by_text("Link to this view")
        assert link.get_attribute("href") == "#" + FIRST[name]
    change(tab)
    assert hash_of(tab) == ";".join(OTHER.values())
    other = visit(hash="#" + ";".join(OTHER.values()))
    for name in ALT:
        assert root(other, name).inner_text() == root(tab, name).inner_text()
    assert shown(other) == shown(tab)


def test_reset_leads_back(tab):
    """Reset shows the first state again, and takes that figure out of the address."""
    before = {name: root(tab, name).inner_text() for name in ALT}
    change(tab)
    assert all(root(tab, name).inner_text() != before[name] for name in ALT)
    root(tab, "norms").get_by_role("button", name="Reset").click()
    assert hash_of(tab) == OTHER["batchsize"]
    root(tab, "batchsize").get_by_role("button", name="Reset").click()
    assert hash_of(tab) == "" and "#" not in tab.url
    assert {name: root(tab, name).inner_text() for name in ALT} == before


@pytest.mark.parametrize("hash", [
    "#norms:over=WN,groups=3,at=2000;batchsize:n=65,mode=test,batch=25",
    "#norms:over=X,groups=,at=01;batchsize:n=0,batch=0", "#norms:;batchsize:n=1e1", "#%%%"])
def test_a_broken_address_shows_the_first_state(tab, hash):
    """Values out of range count for nothing."""
    before = {name: root(tab, name).inner_text() for name in ALT}
    change(tab)
    if ":" not in hash:
        as_new(tab)
    goto(tab, hash)
    assert {name: root(tab, name).inner_text() for name in ALT} == before


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [1440, 375])
def test_a_figure_in_use_is_accessible_and_fits(visit, theme, width):
    """Axe finds nothing in either theme; nothing sticks out sideways, whatever is chosen."""
    tab = visit(width=width, color_scheme=theme)
    for axes, n in (("C", 1), ("NH", 64), ("N", 2)):
        goto(tab, f"norms:over={axes},groups=1,at=1322;batchsize:n={n}")
        assert tab.evaluate("document.scrollingElement.scrollWidth") <= width
        inside = """e => [...e.querySelectorAll('*:not(defs *)')].filter(
            (c) => c.getBoundingClientRect().right > Math.min(innerWidth,
                e.getBoundingClientRect().right)).map((c) => c.outerHTML.slice(0, 120))"""
        for name in ALT:
            assert root(tab, name).evaluate(inside) == []
        # every mean fits its box
        assert root(tab, "norms").evaluate("""e => [...e.querySelectorAll(".means li")]
            .filter((li) => li.scrollWidth > li.clientWidth || li.scrollHeight > li.clientHeight)
            .map((li) => li.innerText)""") == []
    if width < 1440:  # for axe one width is enough
        return
    goto(tab, "norms:over=C,groups=1,at=1322;batchsize:n=1")
    settle(tab)
    assert tab.evaluate("document.documentElement.dataset.theme") == theme
    seen = list(tab.errors)
    assert violations(tab) == []
    tab.errors[:] = seen  # axe asks for style sheets at wrong addresses
    tab.outside.clear()


def test_the_focus_is_visible(visit):
    """The cell in focus has a ring; so have switches and sliders."""
    tab = visit()
    ring = root(tab, "norms").locator(".ring")
    visible = "e => getComputedStyle(e).visibility"
    assert ring.evaluate(visible) == "hidden"
    root(tab, "norms").locator(".brick [tabindex='0']").press("ArrowRight")
    assert ring.evaluate(visible) == "visible"
    root(tab, "norms").get_by_role("checkbox").first.press("Tab")
    assert ring.evaluate(visible) == "hidden"
    assert tab.evaluate(
        "getComputedStyle(document.activeElement.nextElementSibling).outlineStyle") == "solid"


def test_without_scripts_there_are_words(visit):
    """The alternative text and a worked example stand in for each figure."""
    words_without_scripts(visit, ALT)


def test_the_examples_are_true(brick, data):
    """The brick, its means and the arithmetic of the first; the answers of the second."""
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

    text = (FOLDER / "batchsize.example.txt").read_text(encoding="utf-8")
    results = [numbers(line)[-1] for line in text.splitlines() if re.match("batch|always", line)]
    right = [*answers(data, 4, True)[:3].tolist(), answers(data, 4, False)[0].item()]
    assert results == pytest.approx(right, abs=6e-4)
