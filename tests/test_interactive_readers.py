"""What every interactive figure does alike: address, reset, keyboard, both themes, a phone."""

import pytest
from figures import (
    ALT,
    FIGURES,
    FOLDER,
    accessible,
    as_new,
    fits,
    goto,
    hash_of,
    opener,
    pick,
    root,
    shown,
)
from test_browser import THEMES

# A state in which each figure is brought by its controls, as its address holds it.
CHANGED = {
    "tracer": "digit=2,r=5,c=3,map=B,i=0,j=2",
    "layers": "n=16,l=3.1.1.1-3.2.1.1-3.1.1.1,u=7",
    "painter": "pic=2,k=0.0.0.0.0.0.-1.2.1.0.0.2.2.2.0.0.-1.0.1.0.0.0.0.0.0,"
               "s=2,p=3,d=2,at=32,brush=2",
    "precedents": "s=2,r=1,c=0,i=0,j=2,show=weights",
    "norms": "over=CH,groups=2,at=1302", "batchsize": "n=2,mode=eval,batch=8",
    "valley": "rate=320,plan=1cycle,m=0.9,lambda=4,n=7",
    "schedule": "steps=60,peak=0.3,pct=33,div=8,final=500,shape=linear,phases=3,base=80,top=98,"
                "scale=log,at=17",
}
BROKEN = {  # values out of range, and text that is no address of ours
    "fields": ["tracer:digit=4,r=7,c=-1,map=C,i=3,j=x;layers:n=65,l=3.1.1,u=-1",
               "tracer:;layers:l=", "layers:n=,l=0.1.1.1-3.1.1.1;tracer:r",
               "layers:l=3.1.1.1.1;tracer:r=1e0", "tracer:<b>x</b>", "%%%"],
    "convolution": ["painter:pic=9,k=1.2.3.4,s=0,p=5,d=15,at=33,brush=7;"
                    "precedents:s=3,r=5,c=-1,i=3,j=,show=x",
                    "painter:k=0.0.0.0.10.0.0.0.0,at=;precedents:", "painter:k=1..1"],
    "norms": ["norms:over=WN,groups=3,at=2000;batchsize:n=65,mode=test,batch=25",
              "norms:over=X,groups=,at=01;batchsize:n=0,batch=0", "norms:;batchsize:n=1e1"],
    "cycle": ["schedule:steps=0,peak=0.02,pct=99,div=x,final=-1,shape=sin,phases=4,base=,top=100,"
              "scale=log2,at=-1;valley:rate=52,plan=cos,m=9,lambda=3,n=41"],
}
CROWDED = {  # states that fill much room
    "fields": ["tracer:digit=7,r=1,c=0,map=A,i=1,j=1;layers:n=64,"
               "l=5.2.9.1-3.2.1.1-3.2.1.1-3.2.1.1-15.2.1.16"],
    "convolution": ["painter:pic=0,k=" + ".".join(["-9"] * 25) + ",s=1,p=4,d=14;"
                    "precedents:s=2,r=1,c=1,i=2,j=2,show=weights",
                    "painter:pic=0,k=9.9.9.9.9.9.9.9.9,s=6,p=4,d=1;"
                    "precedents:s=1,r=1,c=4,i=2,j=2,show=weights"],
    "norms": [f"norms:over={axes},groups=1,at=1322;batchsize:n={n}"
              for axes, n in (("NH", 64), ("N", 2), ("C", 1))],
    "cycle": [";".join(f"{n}:{CHANGED[n]}" for n in FIGURES["cycle"]).replace("div=8", "div=999")],
}


@pytest.fixture(scope="module")
def pages(browser, book):
    """A function that gives a page by its name, as if it had been opened now."""
    source, opened = opener(browser, book, None), {}
    open_page = next(source)

    def page(name):
        opened[name] = opened.get(name) or open_page(name)
        as_new(opened[name])
        return opened[name]

    yield page
    next(source, None)


# How each figure is brought into its state in CHANGED


def fill(tab, name, **fields):
    """Give fields and sliders of a figure other values; the words of a label are joined by _."""
    for label, value in fields.items():
        field = root(tab, name).get_by_label(label, exact=True)
        if not field.count():
            field = root(tab, name).get_by_label(label.replace("_", " "), exact=True)
        field.fill(str(value))


def use(tab, name):
    """Change everything that a figure's address holds, by mouse and by keyboard."""
    figure = root(tab, name)

    def cell(selector, row, column):
        figure.locator(f"{selector} >> nth={row}").locator(".cell, td").nth(column).click()

    if name == "tracer":
        cell(".conv2 [role=row]", 5, 3)
        cell("table >> nth=1 >> tr", 0, 2)
        pick(tab, name, "2")
    elif name == "layers":
        fill(tab, name, stride_of_layer_2=2)
        figure.locator("input[type=range]").press("End")
    elif name == "painter":
        for choice in ("left edges", "5 × 5"):
            pick(tab, name, choice)
        figure.get_by_role("group", name="A click paints").get_by_label("2", exact=True).check()
        for row, column in ((1, 2), (2, 3), (2, 2), (2, 1), (3, 2)):
            cell(".drawn tr", row, column)
        figure.get_by_role("group", name="Picture").get_by_label("2", exact=True).check()
        fill(tab, name, Stride_s=2, Padding_p=3, Dilation_d=2, Chosen_weight=0)
    elif name == "precedents":
        for choice in ("2", "merged weights"):
            pick(tab, name, choice)
        cell(".outputs [role=row]", 1, 0)
        cell("table tr", 0, 2)
    elif name == "norms":
        for axis in ("N pictures", "C channels", "W columns"):
            figure.get_by_role("checkbox", name=axis, exact=True).click(force=True)
        pick(tab, name, "2")
        cell(".brick [role=row]", 3, 11)
    elif name == "batchsize":
        fill(tab, name, Batch_size_n=2, Look_at_batch=8)
        pick(tab, name, "evaluation")
    elif name == "valley":
        fill(tab, name, Highest_rate=320, Steps_shown=7)
        for choice in ("1cycle", "0.9", "4"):
            pick(tab, name, choice)
    else:
        fill(tab, name, total_steps=60, div_factor=8, final_div_factor=500, max_lr=7, pct_start=33,
             base_momentum=80, max_momentum=98, Chosen_step=17)
        for choice in ("linear", "3", "logarithmic"):
            figure.get_by_role("radio", name=choice, exact=True).first.check()


@pytest.mark.parametrize("page", FIGURES)
def test_the_address_holds_the_settings(pages, visit, page):
    """What the controls changed is in the address; a copy of it shows the same, and links do."""
    tab, names = pages(page), FIGURES[page]
    assert hash_of(tab) == ""
    for name in names:
        use(tab, name)
    address = ";".join(f"{name}:{CHANGED[name]}" for name in names)
    assert hash_of(tab) == address
    other = visit(page, hash="#" + address)
    assert shown(other, names) == shown(tab, names)
    for name in names:
        link = root(other, name).get_by_text("Link to this view", exact=True)
        assert link.get_attribute("href") == f"#{name}:{CHANGED[name]}"
        assert root(other, name).locator(".live[role=status]").count() == 1


@pytest.mark.parametrize("page", FIGURES)
def test_reset_leads_back(pages, page):
    """Reset shows the first state again, and takes that figure alone out of the address."""
    tab, (one, two) = pages(page), FIGURES[page]
    before = shown(tab, (one, two))
    goto(tab, f"{one}:{CHANGED[one]};{two}:{CHANGED[two]}")
    between = shown(tab, (one, two))
    assert all(between[name] != before[name] for name in before)
    root(tab, one).get_by_role("button", name="Reset", exact=True).press("Enter")
    assert hash_of(tab) == f"{two}:{CHANGED[two]}"
    assert shown(tab, (one, two)) == {one: before[one], two: between[two]}
    root(tab, two).get_by_role("button", name="Reset", exact=True).click()
    assert hash_of(tab) == "" and "#" not in tab.url
    assert shown(tab, (one, two)) == before


@pytest.mark.parametrize(("page", "hash"), [(p, hash) for p in BROKEN for hash in BROKEN[p]])
def test_a_broken_address_shows_the_first_state(pages, page, hash):
    """Values out of range, and text that is no address of ours, count for nothing."""
    tab, names = pages(page), FIGURES[page]
    before = shown(tab, names)
    goto(tab, hash)
    assert shown(tab, names) == before


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("page", FIGURES)
def test_figures_in_use_are_accessible_and_fit(visit, page, theme):
    """Axe finds nothing, with problems shown too; on a phone nothing sticks out sideways."""
    tab = visit(page, color_scheme=theme)
    for width in (1440, 375):
        tab.set_viewport_size({"width": width, "height": 900})
        for state in CROWDED[page]:
            goto(tab, state)
            fits(tab, width)
        if page == "fields":
            fill(tab, "layers", kernel_of_layer_2="")
        if page == "convolution":
            goto(tab, CROWDED[page][0])
            fill(tab, "painter", Chosen_weight="")
        if page == "cycle":
            fill(tab, "schedule", total_steps=10, pct_start=10, div_factor="")
        problems = {"norms": 0}.get(page, 2)
        assert tab.locator(".interactive-body .problem:visible").count() == problems
        fits(tab, width)
        # every mean fits its box
        assert tab.locator(".means li").evaluate_all("""all => all.filter((li) =>
            li.scrollWidth > li.clientWidth || li.scrollHeight > li.clientHeight)
            .map((li) => li.innerText)""") == []
    accessible(tab, theme)


RING = """() => {
    const node = document.activeElement;
    const figure = node.closest("[data-interactive]");
    if (!figure) return null;
    const seen = (e) => getComputedStyle(e);
    const ringed = node.matches(".cell")
        ? seen(node.closest("svg").querySelector(".ring")).visibility === "visible"
        : ((e) => seen(e).outlineStyle === "solid" && parseFloat(seen(e).outlineWidth) >= 3)(
            node.matches(".choice input") ? node.nextElementSibling : node);
    return [figure.dataset.key, node.outerHTML.slice(0, 80), ringed];
}"""


@pytest.mark.parametrize("page", FIGURES)
def test_the_tab_key_reaches_everything_with_a_ring(pages, page):
    """From the first control to the link; each has a ring in focus, cells only then."""
    tab, names = pages(page), FIGURES[page]
    visible = "all => all.filter((e) => getComputedStyle(e).visibility === 'visible').length"
    assert tab.locator(".ring").evaluate_all(visible) == 0
    for name in names:
        inside = root(tab, name)
        stops = inside.evaluate("""e => [...e.querySelectorAll(
            "button, input, a, [tabindex='0']")].filter((n) => !n.matches(":disabled")
            && (n.type !== "radio" || n.checked
                || !e.querySelector(`input[name="${n.name}"]:checked`) && n.matches(
                    "label:first-of-type > input"))).length""")
        inside.locator("button, input, [tabindex='0']").first.focus()
        tab.keyboard.press("Shift+Tab")
        found = []
        for _ in range(stops):
            tab.keyboard.press("Tab")
            found.append(tab.evaluate(RING))
        assert [stop for stop in found if not stop or stop[0] != name or not stop[2]] == []
        assert "Link to this view" in tab.evaluate("document.activeElement.textContent")
    tab.evaluate("document.activeElement.blur()")
    assert tab.locator(".ring").evaluate_all(visible) == 0


def test_themes_differ(visit):
    """Paper and ink of drawings and tables change with the theme."""
    colours = [visit(color_scheme=theme).evaluate("""[["rect.paper", "fill"],
        [".cell text", "fill"], ["table caption", "color"]].map(([s, p]) =>
        getComputedStyle(document.querySelector("[data-interactive] " + s))[p])""")
        for theme in THEMES]
    assert all(a != b for a, b in zip(*colours, strict=True))


def test_less_motion_means_none(visit):
    """Nothing moves for a reader who asks for less motion."""
    for motion, moves in (("reduce", False), ("no-preference", True)):
        tab = visit(reduced_motion=motion)
        durations = tab.evaluate("[...document.querySelectorAll('[data-interactive] *')]"
                                 ".map(e => getComputedStyle(e).transitionDuration)")
        assert any(d != "0s" for d in durations) == moves


@pytest.mark.parametrize("page", FIGURES)
def test_without_scripts_there_are_words(visit, page):
    """The alternative text and a worked example stand in for each figure."""
    tab = visit(page, java_script_enabled=False)
    tab.errors.clear()  # scripts that were not loaded
    for name in FIGURES[page]:
        text = root(tab, name).locator("noscript").inner_text()
        example = (FOLDER / f"{name}.example.txt").read_text(encoding="utf-8")
        assert ALT[name] in text and example.strip() in text
        assert root(tab, name).get_attribute("aria-label") == ALT[name]
