"""Helpers for the tests of the interactive figures: a book with some, tabs, and what they show."""

import re
import shutil

import yaml
from site_helpers import ROOT
from test_browser import PATIENCE, watch

FOLDER = ROOT / "book" / "_static" / "interactive"
RAISED = {raised: plain for plain, raised in zip("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True)}


def write_book(folder, pages):
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


def opener(browser, book):
    """Yield a function that opens pages; then close them, and look at what they reported."""
    contexts, tabs = [], []

    def open_page(name="page", hash="", width=1440, **options):
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


def words_without_scripts(visit, alts):
    """Without scripts, the alternative text and a worked example stand in for each figure."""
    tab = visit(java_script_enabled=False)
    tab.errors.clear()  # scripts that were not loaded
    for name, alt in alts.items():
        text = root(tab, name).locator("noscript").inner_text()
        example = (FOLDER / f"{name}.example.txt").read_text(encoding="utf-8")
        assert alt in text and example.strip() in text
        assert root(tab, name).get_attribute("aria-label") == alt


def numbers(text):
    """All numbers in a text, as floats."""
    return [float(n.replace("−", "-")) for n in re.findall(r"[-−]?\d+(?:\.\d+)?", text)]


def values(text):
    """All numbers in a text as floats, such as −4.5, 4 × 10⁻⁶ and 10⁻⁴."""
    text = re.sub(r"(?:(\d) × )?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)",
                  lambda m: f"{m[1] or 1}e" + "".join(RAISED[c] for c in m[2]), text)
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", text.replace("−", "-"))]


def live(tab, name):
    """What a figure says."""
    return root(tab, name).locator(".live").inner_text()


def slide(tab, name, label, *keys):
    """Move a slider of a figure by keys."""
    for key in keys:
        root(tab, name).get_by_label(label, exact=True).press(key)


def pick(tab, name, label):
    """Choose one of a figure's options."""
    root(tab, name).get_by_role("radio", name=label, exact=True).check()


def hash_of(tab):
    """The part of the address from # on, once it has been written."""
    tab.wait_for_timeout(350)
    return tab.url.partition("#")[2]
