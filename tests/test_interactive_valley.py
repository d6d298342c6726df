"""The figure `valley`, driven in Chromium and compared with the recurrence in Python."""

import functools
import math
import re

import pytest
import torch
from figures import FOLDER, live, near, root, slide, values
from test_interactive_schedule import by_torch

PAGE = "cycle"
LIMIT = {0: 2, 9: 3.8}


# What the recurrence does


@functools.cache
def cycle():
    """PyTorch's 1cycle of 40 steps to the rate 1."""
    return by_torch(steps=40)["rate"]


def rates_of(rate, plan):
    """The 40 rates of a plan."""
    return [rate / 100 * part for part in (cycle() if plan == "1cycle" else [1] * 40)]


def places_of(rates, curvature, momentum):
    """Where a ball is that starts at 3, before and after each step."""
    w, v, places = 3.0, 0.0, [3.0]
    for rate in rates:
        v = momentum / 10 * v + curvature * w
        w = w - rate * v
        places.append(w)
    return places


def grid(plan):
    """All positions of all controls for one plan, as states of the figure."""
    return [{"rate": rate, "curvature": curvature, "momentum": momentum, "plan": plan, "shown": 40}
            for rate in range(5, 455, 5) for curvature in (1, 2, 4) for momentum in (0, 9)]


@pytest.mark.parametrize("plan", ["constant", "1cycle"])
def test_the_ball_follows_the_recurrence(tab, plan):
    """All 41 places and 40 rates, at every position of the controls."""
    states = grid(plan)
    walks = tab.evaluate("all => all.map((s) => byhand.valley.walk(s))", states)
    for state, walk in zip(states, walks, strict=True):
        rates = rates_of(state["rate"], plan)
        near(walk["rates"], torch.tensor(rates, dtype=torch.float64), 1e-12, 0)
        places = places_of(rates, state["curvature"], state["momentum"])
        scale = max(map(abs, places))
        near(walk["places"], torch.tensor(places, dtype=torch.float64), 1e-7, 1e-13 * scale)


def test_a_constant_rate_is_judged_as_a_long_walk_shows(tab):
    """Six hundred steps tell who converges, bounces for ever or leaves; signs tell who bounces."""
    states, words = grid("constant"), set()
    told = tab.evaluate("all => all.map((s) => byhand.valley.sentence(s))", states)
    for state, text in zip(states, told, strict=True):
        walk = places_of([state["rate"] / 100] * 600, state["curvature"], state["momentum"])
        crossings = sum(a * b < 0 for a, b in zip(walk[:40], walk[1:41], strict=True))
        if not math.isfinite(walk[-1]) or abs(walk[-1]) > 1e4:
            word = "leaves"
        elif abs(walk[-1]) > 1:
            word = "bounces for ever"
        elif walk[1] == 0 and not state["momentum"]:
            word = "converges in one step"
        elif crossings:
            word = "swings and converges" if state["momentum"] else "bounces and converges"
        else:
            word = "slides down one side and converges"
        assert text.startswith(f"It {word}"), (state, text)
        assert values(text)[-1] == pytest.approx(walk[40], rel=5.1e-3)
        words.add(word)
    assert len(words) == 6


def test_a_cycle_is_judged_by_its_walk(tab):
    """Numbers and words of every cycle agree with the recurrence."""
    states, words = grid("1cycle"), set()
    told = tab.evaluate("all => all.map((s) => byhand.valley.sentence(s))", states)
    for state, text in zip(states, told, strict=True):
        rates = rates_of(state["rate"], "1cycle")
        walk = places_of(rates, state["curvature"], state["momentum"])
        limit = LIMIT[state["momentum"]] / state["curvature"]
        fast = sum(rate > limit * (1 + 1e-9) for rate in rates)
        far, end = max(map(abs, walk)), abs(walk[-1])
        crossed = any(a * b < 0 for a, b in zip(walk, walk[1:], strict=False))
        assert text.startswith("It leaves" if end > 3 else "It bounces" if crossed else "It ")
        assert ("leaves" in text) == (end > 3)
        assert ("converges" in text) == (end < 0.3)
        assert ("on one side" in text) == (not crossed)
        assert (f"{fast} of 40 rates are above " in text) == (fast > 0)
        if far > 3:
            assert values(text.partition("|w| = ")[2])[0] == pytest.approx(far, rel=5.1e-3)
        assert values(text)[-1] == pytest.approx(walk[-1], rel=5.1e-3)
        words.add((end > 3, far > 3, crossed, end < 0.3))
    assert len(words) >= 4


def dots(tab, panel):
    """The balls of a panel in its own units, read off with the help of its marks."""
    return root(tab, "valley").locator(f"g.{panel}").evaluate(
        """(e, panel) => {
            const number = (n, a) => Number(n.getAttribute(a));
            const value = (t) => Number(t.textContent.replace("−", "-"));
            const across = [...e.querySelectorAll(".tick:not(.side)")];
            const [x0, x1] = [across[0], across.at(-1)];
            const side = [...e.querySelectorAll(".tick.side")];
            const marks = [...e.querySelectorAll(".mark")].map((m) => number(m, "y1"));
            return [...e.querySelectorAll("circle")].map((c) => [
                value(x0) + (number(c, "cx") - number(x0, "x")) / (number(x1, "x")
                    - number(x0, "x")) * (value(x1) - value(x0)),
                panel === "valley" ? number(c, "cy") : value(side[0])
                    + (number(c, "cy") - marks[0]) / (marks.at(-1) - marks[0])
                    * (value(side.at(-1)) - value(side[0]))]);
        }""", panel)


def check_dots(tab, rates, walk, curvature, shown):
    """Places inside the valley are on its wall, each at its w; the panels show w and rate."""
    inside = [w for w in walk[:shown + 1] if abs(w) <= 5 and curvature / 2 * w * w <= 18.5]
    found = dots(tab, "valley")
    assert [x for x, _ in found] == pytest.approx(inside, abs=0.01)
    # heights are those of a parabola: w² and y lie on one line, and up is up
    if len(set(inside)) > 2:
        low, high = min(found, key=lambda p: p[0] ** 2), max(found, key=lambda p: p[0] ** 2)
        slope = (high[1] - low[1]) / (high[0] ** 2 - low[0] ** 2)
        assert slope < 0
        assert [y for _, y in found] == pytest.approx(
            [low[1] + slope * (x * x - low[0] ** 2) for x, _ in found], abs=0.05)
    near = [(step, w) for step, w in enumerate(walk[:shown + 1]) if abs(w) <= 5]
    assert [n for point in dots(tab, "places") for n in point] == pytest.approx(
        [n for point in near for n in point], abs=0.02)
    assert [y for _, y in dots(tab, "rates")] == pytest.approx(rates, abs=0.01)


def test_the_ball_is_moved_by_keyboard(tab):
    """Rate, schedule, momentum and curvature by keys: dots and sentence follow."""
    figure = root(tab, "valley")
    rates = rates_of(50, "constant")
    check_dots(tab, rates, places_of(rates, 1, 0), 1, 40)
    slide(tab, "valley", "Highest rate", *["ArrowRight"] * 30)
    rates = rates_of(200, "constant")
    assert live(tab, "valley") == ("It bounces for ever: the rate is exactly 2/λ = 2. "
                                   "After 40 steps it is at w = 3.")
    slide(tab, "valley", "Highest rate", *["ArrowRight"] * 12)
    assert live(tab, "valley").startswith("It leaves: the rate is above 2/λ = 2,")
    rates = rates_of(260, "constant")
    check_dots(tab, rates, places_of(rates, 1, 0), 1, 40)
    assert "39 of 41 places lie outside" in figure.locator("svg").text_content()
    figure.get_by_role("radio", name="constant").press("ArrowRight")
    rates = rates_of(260, "1cycle")
    walk = places_of(rates, 1, 0)
    check_dots(tab, rates, walk, 1, 40)
    assert "converges" in live(tab, "valley")
    assert f"{sum(r > 2 for r in rates)} of 40 rates are above 2/λ = 2" in live(tab, "valley")
    figure.get_by_role("radio", name="0", exact=True).press("ArrowRight")
    figure.get_by_role("radio", name="1", exact=True).press("ArrowRight")
    walk = places_of(rates, 2, 9)
    check_dots(tab, rates, walk, 2, 40)
    slide(tab, "valley", "Steps shown", "Home", *["ArrowRight"] * 3)
    check_dots(tab, rates, walk, 2, 3)
    said = values(live(tab, "valley"))
    assert said[:2] == pytest.approx([3, walk[3]], rel=5.1e-3)


def test_the_ball_is_moved_by_mouse(tab):
    """Clicks on the choices, and on the slider's track."""
    figure = root(tab, "valley")
    for name in ("1cycle", "0.9", "4"):
        figure.locator(".choice label", has_text=re.compile(f"^{name}$")).click()
    slider = figure.get_by_label("Highest rate")
    box = slider.bounding_box()
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    rate = round(float(slider.input_value()))
    assert abs(rate - 227) < 15
    rates = rates_of(rate, "1cycle")
    walk = places_of(rates, 4, 9)
    check_dots(tab, rates, walk, 4, 40)
    assert values(live(tab, "valley"))[-1] == pytest.approx(walk[-1], rel=5.1e-3)


def test_the_example_is_true():
    """Its numbers are the recurrence's."""
    text = (FOLDER / "valley.example.txt").read_text(encoding="utf-8")
    rows = [values(line) for line in re.findall(r"^\d.* {3}[a-z].*$", text, re.MULTILINE)]
    assert len(rows) == 5
    for rate, factor, *walk in rows:
        assert factor == 1 - rate and walk == places_of([rate] * 4, 1, 0)
