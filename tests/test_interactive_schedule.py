"""The figure `schedule`, driven in Chromium and compared with PyTorch."""

import math
import random
import re

import pytest
import torch
from figures import FOLDER, live, near, pick, root, slide, values
from torch.optim import lr_scheduler

PAGE = "cycle"
START = {"steps": 100, "peak": 1, "pct": 30, "div": 25, "final": 10000, "shape": "cos",
         "phases": 2, "base": 85, "top": 95, "scale": "linear", "at": None}


# What PyTorch does


def make(state):
    """An optimizer and its OneCycleLR."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=9.0, momentum=0.5)
    return optimizer, lr_scheduler.OneCycleLR(
        optimizer, max_lr=state["peak"], total_steps=state["steps"],
        pct_start=state["pct"] / 100, anneal_strategy=state["shape"],
        base_momentum=state["base"] / 100, max_momentum=state["top"] / 100,
        div_factor=state["div"], final_div_factor=state["final"],
        three_phase=state["phases"] == 3)


def record(optimizer, scheduler, steps):
    """The rate, the momentum and rate / (1 - momentum) of each step of a run."""
    found = {"rate": [], "momentum": [], "effective": []}
    for step in range(steps):
        group = optimizer.param_groups[0]
        found["rate"].append(float(group["lr"]))
        found["momentum"].append(group["momentum"])
        found["effective"].append(group["lr"] / (1 - group["momentum"]))
        optimizer.step()
        if step < steps - 1:
            scheduler.step()
    return found


def by_torch(**change):
    """The curves of PyTorch for a changed first state."""
    state = {**START, **change}
    return record(*make(state), state["steps"])


def close(found, right, rel=1e-11):
    """Two sets of curves are the same."""
    assert set(found) == set(right)
    for name, curve in right.items():
        near(found[name], torch.tensor(curve, dtype=torch.float64), rel, 1e-18)


SETTINGS = [
    {}, {"steps": 97}, {"steps": 20, "pct": 33}, {"steps": 11, "shape": "linear"},
    {"phases": 3}, {"phases": 3, "shape": "linear", "steps": 97}, {"phases": 3, "pct": 62},
    {"phases": 3, "pct": 50, "steps": 31}, {"steps": 1}, {"steps": 2}, {"steps": 3},
    {"steps": 3, "phases": 3}, {"pct": 95, "steps": 13}, {"div": 1, "final": 1, "peak": 3},
    {"base": 0, "top": 99, "peak": 0.0001, "final": 999999, "steps": 1000},
]


@pytest.mark.parametrize("change", SETTINGS, ids=str)
def test_every_step_is_pytorchs(tab, change):
    """Rate, momentum and rate / (1 - momentum) at each step of the run."""
    found = tab.evaluate("s => byhand.schedule.curves(s)", {**START, **change})
    close(found, by_torch(**change))


def test_random_schedules_are_pytorchs(tab):
    """Fifty more, drawn with a fixed seed; where PyTorch fails, the figure has no curves."""
    draw, states = random.Random(6), []
    for _ in range(50):
        base = draw.randint(0, 98)
        states.append({**START, "steps": draw.choice([4, 5, 10, 20, 37, 64]),
                       "peak": draw.choice([0.003, 0.1, 3]), "pct": draw.randint(1, 19) * 5,
                       "div": draw.randint(1, 300), "final": draw.randint(1, 10 ** 5),
                       "shape": draw.choice(["cos", "linear"]), "phases": draw.choice([2, 3]),
                       "base": base, "top": draw.randint(base, 99)})
    failed = 0
    for state, found in zip(states, tab.evaluate(
            "all => all.map((s) => byhand.schedule.curves(s))", states), strict=True):
        try:
            right = record(*make(state), state["steps"])
        except ZeroDivisionError:
            failed += 1
            assert found is None
        else:
            close(found, right)
    assert failed > 0


def readings(tab):
    """The table: for each row its step, rate, momentum and rate / (1 - m)."""
    rows = root(tab, "schedule").locator(".readings tbody tr").all()
    return {row.locator("th").inner_text(): [
        values(cell)[0] for cell in row.locator("td").all_inner_texts()] for row in rows}


def curve(tab, name, log=False):
    """A curve read off the drawing with the help of its own marks: steps and values."""
    steps, heights, marks, ticks = root(tab, "schedule").locator(f".panel.{name}").evaluate(
        """e => {
            const number = (n, a) => Number(n.getAttribute(a));
            const all = (selector) => [...e.querySelectorAll(selector)];
            const points = e.querySelector(".curve").getAttribute("points").split(" ")
                .map((p) => p.split(",").map(Number));
            const texts = all(".tick:not(.side)").map((t) => [Number(t.textContent),
                                                             number(t, "x")]);
            const [[a, xa], [b, xb]] = [texts[0], texts.at(-1)];
            return [points.map(([x]) => a + (x - xa) / (xb - xa) * (b - a)),
                    points.map(([, y]) => y), all(".mark").map((m) => number(m, "y1")),
                    all(".side").map((t) => t.textContent)];
        }""")
    scale = [math.log10(values(t)[0]) if log else values(t)[0] for t in ticks]
    (y0, y1), (v0, v1) = (marks[0], marks[-1]), (scale[0], scale[-1])
    return steps, [v0 + (y - y0) / (y1 - y0) * (v1 - v0) for y in heights]


def check_drawing(tab, right, log=False):
    """The three drawn curves are these, to the width of their lines."""
    for name, wanted in right.items():
        logs = log and name != "momentum"
        steps, found = curve(tab, name, logs)
        wanted = [math.log10(v) for v in wanted] if logs else wanted
        assert steps == pytest.approx(list(range(len(wanted))), abs=0.02 * len(wanted) / 10)
        assert found == pytest.approx(wanted, abs=0.004 * (max(wanted) - min(wanted))), name


def check_readings(tab, right, chosen):
    """The table shows these curves at the first, highest, last and chosen step, to 4 digits."""
    rate = right["rate"]
    top = rate.index(max(rate))
    for name, step in {"first": 0, "highest": top, "last": len(rate) - 1, "chosen": chosen}.items():
        assert readings(tab)[name] == pytest.approx(
            [step, *(curve[step] for curve in right.values())], rel=5.1e-4)


def check_code(tab, right):
    """The text runs, and what it makes takes these steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=9.0, momentum=0.5)
    names = {"optimizer": optimizer}
    exec(root(tab, "schedule").locator(".program code").inner_text(), names)
    close(record(optimizer, names["scheduler"], len(right["rate"])), right)


def test_the_first_view_is_pytorchs_default(tab):
    """Curves, table, sentence and code before anything is changed."""
    right = by_torch()
    check_drawing(tab, right)
    check_readings(tab, right, 29)
    check_code(tab, right)
    said = values(live(tab, "schedule").replace("(1 − momentum)", ""))
    assert said == pytest.approx([29, 1, 0.85, 1 / 0.15, 0.04, 29, 4e-6, 1e-4], rel=5e-4)
    defaults = lr_scheduler.OneCycleLR(make(START)[0], max_lr=1, total_steps=100)
    close(record(defaults.optimizer, defaults, 100), right)


def test_a_schedule_is_designed_by_keyboard(tab):
    """Every control, by keys: the drawing, the table and the code are PyTorch's for all of it."""
    figure = root(tab, "schedule")
    for label, value in (("total_steps", 60), ("div_factor", 8), ("final_div_factor", 500)):
        figure.get_by_label(label, exact=True).press("Control+a")
        tab.keyboard.type(str(value))
    slide(tab, "schedule", "max_lr", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    slide(tab, "schedule", "pct_start", *["ArrowRight"] * 6)
    slide(tab, "schedule", "base_momentum", *["ArrowLeft"] * 5)
    slide(tab, "schedule", "max_momentum", *["ArrowRight"] * 3)
    figure.get_by_role("radio", name="cosine", exact=True).press("ArrowRight")
    figure.get_by_role("radio", name="2", exact=True).press("ArrowRight")
    right = by_torch(steps=60, div=8, final=500, peak=0.03, pct=36, base=80, top=98,
                     shape="linear", phases=3)
    check_drawing(tab, right)
    check_code(tab, right)
    slide(tab, "schedule", "Chosen step", "Home", "ArrowRight", "ArrowRight")
    check_readings(tab, right, 2)
    assert "The climb ends at 20.6, between two steps." in live(tab, "schedule")
    figure.get_by_role("radio", name="logarithmic").check()
    check_drawing(tab, right, log=True)
    slide(tab, "schedule", "Chosen step", "End")
    check_readings(tab, right, 59)
    assert figure.locator(".choice").first.locator("input:checked").count() == 0


@pytest.mark.parametrize(("name", "change"), [
    ("PyTorch", {}), ("Smith", {"shape": "linear", "phases": 3}),
    ("matched to fastai", {"pct": 25, "final": 4000})])
def test_presets_are_what_they_say(tab, name, change):
    """Each preset, from another one, leads to its own curves."""
    pick(tab, "schedule", "Smith" if name == "PyTorch" else "PyTorch")
    pick(tab, "schedule", name)
    check_drawing(tab, by_torch(**change))
    check_code(tab, by_torch(**change))


def points(tab, name):
    """Where the steps of a curve, and the chosen one, stand on the page."""
    steps, chosen, corner = root(tab, "schedule").locator(f".panel.{name}").evaluate(
        """e => {
            const { left, top } = e.ownerSVGElement.getBoundingClientRect();
            const dot = e.querySelector(".chosen-dot");
            return [e.querySelector(".curve").getAttribute("points").split(" ")
                .map((p) => p.split(",").map(Number)),
                ["cx", "cy"].map((a) => Number(dot.getAttribute(a))), [left, top]];
        }""")
    return [[x + corner[0], y + corner[1]] for x, y in [*steps, chosen]]


def test_a_step_is_chosen_by_mouse(tab):
    """A click in a panel chooses the step there; dragging moves it; beside the panels, nothing."""
    pick(tab, "schedule", "logarithmic")
    stage, right = root(tab, "schedule").locator(".stage"), by_torch()
    stage.scroll_into_view_if_needed()
    for name, step in (("rate", 70), ("momentum", 12)):
        x, y = points(tab, name)[step]
        tab.mouse.click(x, y)
        check_readings(tab, right, step)
        assert points(tab, name)[-1] == pytest.approx([x, y], abs=0.02)
    tab.mouse.down()
    tab.mouse.move(points(tab, "momentum")[99][0] + 2, y)
    tab.mouse.up()
    check_readings(tab, right, 99)
    tab.mouse.move(x, y)
    box = stage.bounding_box()
    tab.mouse.click(box["x"] + 2, box["y"] + 2)
    check_readings(tab, right, 99)


def test_momenta_keep_their_order(tab):
    """The lower one pushes the higher one up, and the higher one the lower one down."""
    slide(tab, "schedule", "base_momentum", "End")
    assert 'base_momentum=0.99,\n    max_momentum=0.99' in root(
        tab, "schedule").locator("code").inner_text()
    slide(tab, "schedule", "max_momentum", "Home")
    check_readings(tab, by_torch(base=0, top=0), 29)
    check_drawing(tab, {"rate": by_torch()["rate"]})


def test_where_pytorch_divides_by_zero(tab):
    """One line says so and how to get out; the curves come back when it can be drawn."""
    figure = root(tab, "schedule")
    with pytest.raises(ZeroDivisionError):
        make({**START, "steps": 10, "pct": 10})
    figure.get_by_label("total_steps").fill("10")
    slide(tab, "schedule", "pct_start", *["ArrowLeft"] * 20)
    assert figure.locator(".problem:visible").all_inner_texts() == [
        "PyTorch stops with a ZeroDivisionError here: the climb, 0.1 of 10 steps, ends at step 0, "
        "where it begins. Change total_steps or pct_start."]
    assert figure.locator(".panel").count() == 0 and "NaN" not in figure.inner_text()
    assert set("".join(figure.locator(".readings td").all_inner_texts()[-16:])) == {"–"}
    slide(tab, "schedule", "pct_start", "ArrowLeft")
    assert "climb would end before step 0" in live(tab, "schedule")
    check_drawing(tab, by_torch(steps=10, pct=9))
    assert figure.locator(".problem:visible").count() == 0


@pytest.mark.parametrize("typed", ["", "0", "1001", "2.5"])
def test_a_wrong_number_is_refused_in_one_line(tab, typed):
    """The curves keep the last number that makes sense; leaving the field restores it."""
    field, problem = (root(tab, "schedule").locator(s) for s in (
        "input[type=number] >> nth=0", ".problem:visible"))
    field.fill(typed)
    assert problem.all_inner_texts() == ["total_steps: enter a whole number from 1 to 1000."]
    check_readings(tab, by_torch(), 29)
    field.blur()
    assert field.input_value() == "100" and problem.count() == 0


def test_the_call_is_copied(visit):
    """The button puts the call on the clipboard, or selects it where there is none."""
    tab = visit(permissions=["clipboard-read", "clipboard-write"])
    button = root(tab, "schedule").get_by_role("button", name="Copy the call")
    code = root(tab, "schedule").locator("code").inner_text()
    button.press("Enter")
    root(tab, "schedule").get_by_role("button", name="Copied").wait_for()
    assert tab.evaluate("navigator.clipboard.readText()") == code
    pick(tab, "schedule", "Smith")
    tab.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    button.click()
    assert tab.evaluate("String(getSelection())").strip() == root(
        tab, "schedule").locator("code").inner_text()


def test_the_example_is_true():
    """Its numbers are PyTorch's, and its call runs."""
    text = (FOLDER / "schedule.example.txt").read_text(encoding="utf-8")
    rows = {name: values(line) for name, line in re.findall(
        r"^(first|highest|last) +(.*)$", text, re.MULTILINE)}
    optimizer = make(START)[0]
    names = {"optimizer": optimizer, "torch": torch}
    exec(text[text.index("scheduler ="):], names)
    right = record(optimizer, names["scheduler"], 100)
    close(right, by_torch())
    for row, step in zip(rows.values(), (0, 29, 99), strict=True):
        assert [row[0], *row[-3:]] == pytest.approx(
            [step, *(curve[step] for curve in right.values())], rel=1e-5)
