"""The figure `valley`, driven in Chromium and compared with the recurrence in Python.

And what `valley` and `schedule` do on one page: address, reset, readers.
"""

import functools
import math
import re

import pytest
import torch
from figures import (
    FOLDER,
    hash_of,
    live,
    pick,
    root,
    slide,
    values,
    words_without_scripts,
    write_book,
)
from site_helpers import build_book
from test_browser import THEMES, settle, violations
from test_interactive_schedule import START, by_torch, check_readings, close, doubles, make, record

ALT = {"valley": "A ball takes steps in a valley.", "schedule": "A designer of schedules."}
PAGES = {
    "page": "# A page\n" + "".join(
        f"\n## Figure {name}\n\n```{{interactive}} {name}\n:alt: {alt}\nA caption.\n```\n"
        for name, alt in ALT.items()),
    "plain": "# No figure\n\nOnly words.\n",
}
LIMIT = {0: 2, 9: 3.8}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder of a small book: a page with both figures, and one with none."""
    source = write_book(tmp_path_factory.mktemp("valley") / "source", PAGES)
    built = build_book(source, source.parent / "out")
    assert built.returncode == 0, built.output[-3000:]
    return built.html / "book"


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
        torch.testing.assert_close(*doubles(walk["rates"], rates), rtol=1e-12, atol=0)
        places = places_of(rates, state["curvature"], state["momentum"])
        scale = max(map(abs, places))
        torch.testing.assert_close(*doubles(walk["places"], places), rtol=1e-7, atol=1e-13 * scale)


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


# Both: address, reset, readers

BOTH = ("schedule:steps=60,peak=0.3,pct=33,div=8,final=500,shape=linear,phases=3,base=80,top=98,"
        "scale=log,at=17;valley:rate=320,plan=1cycle,m=0.9,lambda=4,n=7")


def shown(tab):
    """All that a reader sees of both figures."""
    return [(root(tab, name).inner_text(), root(tab, name).locator("svg.stage g").evaluate_all(
        "all => all.map((g) => g.innerHTML.replace(/byhand-[a-z0-9-]+/g, ''))"),
        root(tab, name).locator("input").evaluate_all(
            "all => all.map((i) => i.type === 'radio' ? i.checked : i.value)")) for name in ALT]


def test_the_address_holds_the_settings(tab, visit):
    """What both figures show survives in the address; a copy of it shows the same."""
    assert hash_of(tab) == ""
    figure = root(tab, "schedule")
    for label, value in (("total_steps", 60), ("div_factor", 8), ("final_div_factor", 500)):
        figure.get_by_label(label, exact=True).fill(str(value))
    for label, value in (("max_lr", 7), ("pct_start", 33), ("base_momentum", 80),
                         ("max_momentum", 98), ("Chosen step", 17)):
        figure.get_by_label(label, exact=True).fill(str(value))
    for name in ("linear", "3", "logarithmic"):
        figure.get_by_role("radio", name=name, exact=True).first.check()
    root(tab, "valley").get_by_label("Highest rate").fill("320")
    root(tab, "valley").get_by_label("Steps shown").fill("7")
    for name in ("1cycle", "0.9", "4"):
        pick(tab, "valley", name)
    assert hash_of(tab) == BOTH
    other = visit(hash="#" + BOTH)
    assert shown(other) == shown(tab)
    links = [root(other, name).get_by_text("Link to this view").get_attribute("href")
             for name in ("schedule", "valley")]
    assert links == [f"#{part}" for part in BOTH.split(";")]


def test_reset_leads_back(tab):
    """Reset shows the first state again, and takes that figure out of the address."""
    before = shown(tab)
    tab.evaluate("hash => { location.hash = hash; }", BOTH)
    tab.wait_for_function("document.querySelector('[data-key=valley] .live')"
                          ".textContent.startsWith('After 7 steps')")
    assert all(a != b for a, b in zip(shown(tab), before, strict=True))
    root(tab, "schedule").get_by_role("button", name="Reset").click()
    assert hash_of(tab).startswith("valley:")
    root(tab, "valley").get_by_role("button", name="Reset").click()
    assert hash_of(tab) == "" and shown(tab) == before


def test_a_broken_address_shows_what_it_can(visit, tab):
    """Values out of range count for nothing; a step beyond the end is the last one."""
    other = visit(hash="#schedule:steps=0,peak=0.02,pct=99,div=x,final=-1,shape=sin,phases=4,"
                  "base=,top=100,scale=log2,at=-1;valley:rate=52,plan=cos,m=9,lambda=3,n=41")
    assert shown(other) == shown(tab)
    tab.evaluate("location.hash = '#schedule:steps=20,base=90,top=80,at=500'")
    tab.wait_for_function("document.querySelector('[data-key=schedule] code')"
                          ".textContent.includes('total_steps=20')")
    check_readings(tab, by_torch(steps=20, base=80, top=80), 19)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [1440, 375])
def test_a_figure_in_use_is_accessible_and_fits(visit, theme, width):
    """Axe finds nothing in either theme, with problems shown too; nothing sticks out sideways."""
    tab = visit(width=width, color_scheme=theme, hash="#" + BOTH.replace("div=8", "div=999"))

    def fits():
        assert tab.evaluate("document.scrollingElement.scrollWidth") <= width
        for box in tab.locator(".interactive-body").all():
            assert box.evaluate("""e => {
                const edge = e.getBoundingClientRect().right;
                return [...e.querySelectorAll("*:not(g, g *)")]
                    .filter((c) => c.getBoundingClientRect().right > edge).map((c) => c.outerHTML);
            }""") == []
        assert tab.locator(".plot text").evaluate_all("""all => all.filter((text) => {
            const [frame, box] = [text.ownerSVGElement, text].map((e) => e.getBoundingClientRect());
            return box.right > frame.right + 1 || box.left < frame.left - 1;
        }).map((text) => text.textContent)""") == []

    settle(tab)
    fits()
    figure = root(tab, "schedule")
    figure.get_by_label("total_steps").fill("10")
    figure.get_by_label("pct_start").fill("10")
    figure.get_by_label("div_factor", exact=True).fill("")
    assert figure.locator(".problem:visible").count() == 2
    fits()
    assert tab.evaluate("document.documentElement.dataset.theme") == theme
    seen = list(tab.errors)
    assert violations(tab) == []
    tab.errors[:] = seen  # axe asks for style sheets at wrong addresses
    tab.outside.clear()


def test_without_scripts_there_are_words(visit):
    """The alternative text and a worked example stand in for each figure."""
    words_without_scripts(visit, ALT)


def test_examples_are_true():
    """Their numbers are PyTorch's and the recurrence's, and their call runs."""
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
    text = (FOLDER / "valley.example.txt").read_text(encoding="utf-8")
    rows = [values(line) for line in re.findall(r"^\d.* {3}[a-z].*$", text, re.MULTILINE)]
    assert len(rows) == 5
    for rate, factor, *walk in rows:
        assert factor == 1 - rate and walk == places_of([rate] * 4, 1, 0)


def test_scripts_are_loaded_once_and_only_where_needed(book):
    """Each script once and in an order that works; none on a page without figures."""
    found = {name: re.findall(r'src="[./]*_static/interactive/([\w.-]+)\.js',
                              (book / f"{name}.html").read_text(encoding="utf-8"))
             for name in ("page", "plain")}
    assert found == {"plain": [], "page": [
        "common", "common.controls", "common.drawing", "schedule.sums", "schedule.view", "schedule",
        "valley.sums", "valley.view", "valley"]}
