"""What a page looks like: nothing sticks out, pictures are sharp, and one style draws them all."""

import contextlib
import re

import nbformat
import pytest
from site_helpers import ROOT, content_pages
from test_browser import PAGES, PATIENCE, settle

NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
SHARP = 2  # pixels of a picture for each of a desktop's
READABLE = 62  # pixels of a phone for each inch of a picture, whose letters have 10 points
PALETTE = ['INPUT, KERNEL, OUTPUT = "#0072B2", "#E69F00", "#009E73"',
           'GRADIENT, GREY, INK = "#D55E00", "#6B7280", "#1F2937"']

# Boxes of a page whose content is wider than they are, and which a reader cannot move.
# Drawings and the inside of a formula measure themselves; a formula is compared with its box.
STUCK = """() => {
  const found = [];
  const name = (e) => `${e.tagName} ${e.getAttribute("class") ?? ""}: ${e.textContent.trim()}`;
  const moves = (e) => ["auto", "scroll"].includes(getComputedStyle(e).overflowX)
    && (e.tabIndex >= 0 || e.querySelector("a, button, input, [tabindex]"));
  for (const e of document.querySelectorAll("article *")) {
    if (e.closest("svg, mjx-container, .math, .visually-hidden") || !e.clientWidth) continue;
    if (getComputedStyle(e).display === "inline") continue;
    if (e.scrollWidth > e.clientWidth + 1 && !moves(e)) found.push(name(e).slice(0, 120));
  }
  for (const e of document.querySelectorAll("article mjx-container")) {
    const right = e.querySelector("mjx-math").getBoundingClientRect().right;
    const box = e.closest(".math").getBoundingClientRect().right;
    if (right > box + 1 && !moves(e)) found.push(name(e).slice(0, 120));
  }
  return found;
}"""


@contextlib.contextmanager
def opened(browser, width, url):
    """A tab of a width with a page."""
    context = browser.new_context(viewport={"width": width, "height": 812})
    context.set_default_timeout(PATIENCE)
    tab = context.new_page()
    tab.goto(url)
    settle(tab)
    yield tab
    context.close()


@pytest.fixture(scope="module")
def phone(browser, address, request):
    """A page of the site, by its name, on a phone: opened once for all tests of it."""
    with opened(browser, 375, f"{address}{request.param}.html") as tab:
        yield tab


def pictures(page):
    """The PNGs of a page: address, natural width, width on the page, and inches."""
    return page.evaluate("""async () => {
      const found = [...document.querySelectorAll("article img[src$='.png']")];
      for (const e of found) { e.loading = "eager"; await e.decode(); }
      return found.map((e) => [e.src.split("/").pop(), e.naturalWidth,
        e.clientWidth - 2 * parseFloat(getComputedStyle(e).paddingLeft),
        Number(e.closest(".picture")?.style.getPropertyValue("--inches"))]);
    }""")


@pytest.mark.parametrize("phone", PAGES, indirect=True)
def test_a_phone_shows_the_whole_width(phone):
    """At 375 pixels nothing sticks out: a wide table or program scrolls in its own box."""
    width, screen = phone.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
    assert width <= screen, phone.evaluate(
        "w => [...document.querySelectorAll('article *')]"
        ".filter(e => e.getBoundingClientRect().right > w)"
        ".map(e => e.outerHTML.slice(0, 120)).slice(0, 3)", screen)


@pytest.mark.parametrize("phone", content_pages(), indirect=True)
def test_nothing_is_cut_off_on_a_phone(phone):
    """At 375 pixels each box holds its content, or can be scrolled, by keyboard too."""
    assert phone.evaluate(STUCK) == []


@pytest.mark.parametrize("phone", content_pages(), indirect=True)
def test_pictures_have_words_and_load(phone):
    """Every picture is drawn and says what it shows, in more than a file name."""
    for image in phone.locator("article img").all():
        image.scroll_into_view_if_needed()
        text = image.get_attribute("alt") or ""
        assert len(text.split()) > 2 and "_images/" not in text, image.get_attribute("src")
        assert image.evaluate("async e => { await e.decode(); return e.naturalWidth; }") > 0


@pytest.mark.parametrize("phone", content_pages(), indirect=True)
def test_pictures_are_readable_on_a_phone(phone):
    """What a chapter draws keeps letters of a size that can be read."""
    for file, _, shown, inches in pictures(phone):
        assert inches and shown >= READABLE * inches, (file, shown, inches)


@pytest.mark.parametrize("name", [f"book/{path.stem}" for path in NOTEBOOKS])
def test_pictures_are_sharp(browser, address, name):
    """On a desktop a picture has two pixels for each of the page."""
    with opened(browser, 1440, f"{address}{name}.html") as desktop:
        wide = pictures(desktop)
    assert wide, "a chapter without a picture"
    for file, natural, shown, _ in wide:
        assert natural >= SHARP * shown, (file, natural, shown)


def test_the_measures_see_faults(browser, tmp_path):
    """A wide word, a box that only the mouse scrolls, and a coarse picture are found."""
    coarse = (ROOT / ".github" / "images" / "page.png").as_uri()
    path = tmp_path / "page.html"
    path.write_text(
        "<article><p style='width:40px'>unbreakableword</p>"
        "<div style='width:40px;overflow-x:auto'><b style='display:block;width:90px'>x</b></div>"
        "<div tabindex=0 style='width:40px;overflow-x:auto'>reachablewithkeys</div>"
        "<div class='math' style='width:20px;overflow:hidden'><mjx-container>"
        "<mjx-math style='display:inline-block;width:80px'>y</mjx-math></mjx-container></div>"
        f"<div class='picture' style='--inches: 7'><img src='{coarse}' width=1000></div>"
        "</article>")
    with opened(browser, 1440, path.as_uri()) as page:
        found = page.evaluate(STUCK)
        (_, natural, shown, inches), = pictures(page)
    assert [text.split()[0] for text in found] == ["P", "DIV", "MJX-CONTAINER"]
    assert (shown, inches) == (1000, 7) and natural < SHARP * shown


# One style file


def sources(path):
    """The code of a notebook, cell by cell."""
    cells = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_one_style_draws_every_figure(path):
    """A chapter uses the book's style, repeats nothing of it and means the palette's colours."""
    code = sources(path)
    assert 'plt.style.use("book.mplstyle")' in code[0]
    own = re.compile(r"rcParams|\bplt\.rc\b|style\.context|\bdpi=|fontsize=")
    assert [source for source in code if own.search(source)] == []
    for line in PALETTE:
        assert line in "\n".join(code).splitlines()
