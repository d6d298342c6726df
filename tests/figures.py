"""Helpers for the tests of the interactive figures: a book with all, tabs, and what they show."""

import importlib.util
import re
import shutil
import sys

import torch
import yaml
from site_helpers import ROOT
from test_browser import PATIENCE, settle, violations, watch

FOLDER = ROOT / "book" / "_static" / "interactive"
ALT = {
    "tracer": 'Three maps & the windows "between" them.', "layers": "Rows of units and a cone.",
    "painter": "A kernel on a digit.", "precedents": "An output and what it depends on.",
    "norms": "A brick of numbers & its means.", "batchsize": 'Means of batches, "restless".',
    "valley": "A ball takes steps in a valley.", "schedule": "A designer of schedules.",
}
FIGURES = {  # the figures of a page; a test file names its page as PAGE, by default the first
    "fields": ["tracer", "layers"], "convolution": ["painter", "precedents"],
    "norms": ["norms", "batchsize"], "cycle": ["valley", "schedule"],
}


def block(name, caption=""):
    """A figure as an author writes it."""
    return f"\n```{{interactive}} {name}\n:alt: {ALT[name]}\n{caption}```\n"


PAGES = {
    "fields": "# A page with figures\n\n{numref}`both-figures` is the first.\n\n## A heading\n"
              + block("tracer", ":name: both-figures\nFrom $7 \\times 7$ pixels to **one** number."
                                "\n\nA legend.\n") + block("layers"),
    **{page: "# A page\n" + "".join(f"\n## Figure {name}\n{block(name)}" for name in names)
       for page, names in FIGURES.items() if page != "fields"},
    "twice": "# Twice the same\n" + 2 * block("tracer"),
    "plain": "# No figure\n\nOnly words.\n",
}
RAISED = {raised: plain for plain, raised in zip("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True)}


def load_generator(name):
    """The module in book/_data that writes the data of a figure."""
    folder = ROOT / "book" / "_data"
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))  # one generator may use another
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


def write_book(folder, pages=PAGES):
    """A book with the course's settings and these pages, the first being its root."""
    (folder / "book").mkdir(parents=True)
    shutil.copy(ROOT / "_config.yml", folder)
    shutil.copy(ROOT / "book" / "references.bib", folder / "book")
    for part in ("_ext", "_static"):
        shutil.copytree(ROOT / "book" / part, folder / "book" / part)
    for name, text in pages.items():
        (folder / "book" / f"{name}.md").write_text(text, encoding="utf-8")
    first, *others = (f"book/{name}" for name in pages)
    (folder / "_toc.yml").write_text(yaml.safe_dump({
        "format": "jb-book", "root": first, "chapters": [{"file": name} for name in others]}))
    return folder


def opener(browser, book, page):
    """Yield a function that opens pages; then close them, and look at what they reported."""
    contexts, tabs = [], []

    def open_page(name=page, hash="", width=1440, **options):
        contexts.append(browser.new_context(
            viewport={"width": width, "height": 900}, **options))
        tab = contexts[-1].new_page()
        tab.set_default_timeout(PATIENCE)
        watch(tab, book.parent.as_uri())
        tabs.append(tab)
        tab.goto((book / f"{name}.html").as_uri() + hash)
        if options.get("java_script_enabled", True):
            tab.wait_for_function(
                "[...document.querySelectorAll('[data-interactive]')].every(e => e.dataset.ready)")
        return tab

    yield open_page
    seen = [tab.errors + tab.outside for tab in tabs]
    for context in contexts:
        context.close()
    assert seen == [[]] * len(tabs)


def as_new(tab):
    """Make a page as if it had been opened now."""
    tab.evaluate("""() => {
        for (const button of document.querySelectorAll(".interactive-foot button")) button.click();
        document.activeElement.blur();
        scrollTo(0, 0);
        history.replaceState(null, "", location.href.replace(/#.*/, ""));
    }""")


def root(tab, name):
    """The box of a figure, by its key."""
    return tab.locator(f"[data-key='{name}']")


def goto(tab, state):
    """Give the page another address, and wait until its figures have read it."""
    tab.evaluate("""state => new Promise((done) => {
        history.replaceState(null, "", location.href.replace(/#.*/, ""));
        addEventListener("hashchange", () => setTimeout(done), { once: true });
        location.hash = state;
    })""", state)


def near(found, right, rel=0, tolerance=1e-9):
    """Whether nested lists of numbers are torch's."""
    torch.testing.assert_close(torch.as_tensor(found, dtype=torch.float64), right,
                               rtol=rel, atol=tolerance)


def check_products(table, window, weight):
    """A table of nine cells shows these values, weights and products; both have 9 numbers."""
    found = [numbers(" ".join(cell.locator("span").all_inner_texts()))
             for cell in table.locator("td").all()]
    near(found, torch.stack([window, weight, window * weight], -1).reshape(9, 3))


def shown(tab, names):
    """All that a reader sees of these figures: words, drawings, inputs."""
    return {name: root(tab, name).evaluate("""e => [e.innerText,
        [...e.querySelectorAll("svg.stage g")].map(
            (g) => g.innerHTML.replace(/byhand-[a-z0-9-]+/g, "")).join(),
        [...e.querySelectorAll("input")].map(
            (i) => (/radio|checkbox/.test(i.type) ? i.checked : i.value)).join()]""")
            for name in names}


def accessible(tab, theme):
    """Axe finds no breach of WCAG on the page, which has this theme."""
    settle(tab)
    assert tab.evaluate("document.documentElement.dataset.theme") == theme
    seen = list(tab.errors)
    assert violations(tab) == []
    tab.errors[:] = seen  # axe asks for style sheets at wrong addresses
    tab.outside.clear()


def fits(tab, width):
    """Nothing sticks out of a page or a figure sideways, and no text out of its drawing."""
    assert tab.evaluate("document.scrollingElement.scrollWidth") <= width
    for box in tab.locator(".interactive-body").all():
        assert box.evaluate("""e => {
            const edge = Math.min(e.getBoundingClientRect().right, innerWidth) + 0.5;
            return [...e.querySelectorAll("*:not(defs *, g, g *)")]
                .filter((c) => c.getBoundingClientRect().right > edge).map((c) => c.outerHTML);
        }""") == []
        assert box.locator("svg.stage text").evaluate_all("""all => all.filter((text) => {
            const [frame, own] = [text.ownerSVGElement, text].map(
                (e) => e.getBoundingClientRect());
            return own.right > frame.right + 1 || own.left < frame.left - 1;
        }).map((text) => text.textContent)""") == []


def numbers(text):
    """All numbers in a text, as floats."""
    return [float(n.replace("−", "-")) for n in re.findall(r"[-−]?\d+(?:\.\d+)?", text)]


def values(text):
    """All numbers in a text as floats, such as −4.5, 4 × 10⁻⁶ and 10⁻⁴."""
    text = re.sub(r"(?:(\d) × )?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)",
                  lambda m: f"{m[1] or 1}e" + "".join(RAISED[c] for c in m[2]), text)
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", text.replace("−", "-"))]


def live(tab, name):
    """What a figure says, with plain spaces."""
    return root(tab, name).locator(".live").inner_text().replace("\u00a0", " ")


def slide(tab, name, label, *keys):
    """Move a slider of a figure by keys."""
    for key in keys:
        root(tab, name).get_by_label(label, exact=True).press(key)


def pick(tab, name, label):
    """Choose one of a figure's options."""
    root(tab, name).get_by_role("radio", name=label, exact=True).check()


def hash_of(tab):
    """The part of the address from # on, once the page's own timer has written it."""
    return tab.evaluate("() => new Promise("
                        "done => setTimeout(() => done(location.hash.slice(1)), 350))")
