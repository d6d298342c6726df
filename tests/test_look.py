"""What a page looks like: nothing sticks out, pictures are sharp, and one style draws them all."""

import ast
import contextlib
import re

import matplotlib.pyplot as plt
import nbformat
import pytest
from bs4 import BeautifulSoup
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from site_helpers import ROOT, content_pages
from test_browser import PAGES, PATIENCE, settle

NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
SHARP = 2  # pixels of a picture for each of a desktop's
PAPER = 718  # pixels of an A4 page between its margins
READABLE = 62  # pixels of a phone for each inch of a picture, whose letters have 10 points
CONTRAST = 4.5  # of letters with what is under them, by WCAG 2.2
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


# Words of a page that end one line and begin the next, in their middle: names may break behind
# a mark of theirs, at a <wbr>, which ends a text.
BROKEN = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.querySelector("article"), 4);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (text.parentElement.closest("pre, svg, mjx-container, .visually-hidden")) continue;
    for (const word of text.data.matchAll(/[\\w.]+/g)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const tops = [...range.getClientRects()].map((box) => Math.round(box.top));
      if (new Set(tops).size > 1) found.push(word[0]);
    }
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
def test_no_word_is_broken_on_a_phone(phone):
    """At 375 pixels lines end between words, or behind the marks of a long name."""
    assert phone.evaluate(BROKEN) == []


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


@pytest.mark.parametrize("name", content_pages())
def test_no_program_is_cut_off_on_paper(browser, address, name):
    """Printed on A4, each program and each output fits its box, for paper does not scroll."""
    with opened(browser, PAPER, f"{address}{name}.html") as page:
        page.emulate_media(media="print")
        assert page.evaluate("""() => [...document.querySelectorAll("article pre")]
          .filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth + 1)
          .map((e) => e.textContent.slice(0, 60))""") == []


@pytest.mark.parametrize("name", content_pages())
def test_numbers_are_written_as_people_write_them(site, name):
    """In prose 1e-04 is 0.0001; what code prints stays as it is."""
    soup = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    article = soup.select_one("article")
    for code in article.select("pre, code, script"):
        code.extract()
    assert re.findall(r"(?<![\w.])\d[\d.]*e[-+\u2212]?\d+\b", article.get_text()) == []


def test_the_measures_see_faults(browser, tmp_path):
    """A wide word, a box that only the mouse scrolls, and the like are found."""
    coarse = (ROOT / ".github" / "images" / "page.png").as_uri()
    path = tmp_path / "page.html"
    path.write_text(
        "<article><p style='width:40px'>unbreakableword</p>"
        "<div style='width:40px;overflow-x:auto'><b style='display:block;width:90px'>x</b></div>"
        "<div tabindex=0 style='width:40px;overflow-x:auto'>reachablewithkeys</div>"
        "<div class='math' style='width:20px;overflow:hidden'><mjx-container>"
        "<mjx-math style='display:inline-block;width:80px'>y</mjx-math></mjx-container></div>"
        "<i style='display:block;width:20px;word-break:break-all'>word run_<wbr>ning</i>"
        f"<div class='picture' style='--inches: 7'><img src='{coarse}' width=1000></div>"
        "</article>")
    with opened(browser, 1440, path.as_uri()) as page:
        found, broken = page.evaluate(STUCK), page.evaluate(BROKEN)
        (_, natural, shown, inches), = pictures(page)
    assert [text.split()[0] for text in found] == ["P", "DIV", "MJX-CONTAINER"]
    assert broken == ["word", "run_", "ning"]
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


def luminance(color):
    """The relative luminance of a colour, by WCAG 2.2."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
             for part in to_rgb(color)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other):
    """The contrast of two colours, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def functions(path, *names):
    """These functions of a chapter, with the palette and what its first cells import."""
    code = sources(path)
    nodes = [node for source in code for node in ast.parse(source).body]
    parts = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)
             or isinstance(node, ast.FunctionDef) and node.name in names]
    known = {}
    exec("\n".join([*PALETTE, *map(ast.unparse, parts)]), known)
    return [known[name] for name in names]


GRIDS = [path for path in NOTEBOOKS if "def grid(" in "\n".join(sources(path))]


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_the_numbers_of_a_grid_can_be_read(path):
    """On every shade of every colour a number has a contrast of 4.5 to 1, in both themes."""
    css = (ROOT / "book" / "_static" / "book.css").read_text(encoding="utf-8")
    dark = float(re.search(r"filter: brightness\(([\d.]+)\)", css)[1])
    grid, _ = functions(path, "grid", "tint")
    colors = re.findall("#[0-9A-F]{6}", " ".join(PALETTE))
    assert len(colors) == 6
    fig, ax = plt.subplots()
    for color in colors[:-1]:  # ink is no fill
        ax.clear()
        grid(ax, [[value / 10 for value in range(-10, 11)]], 0, 0, color)
        fills = [patch.get_facecolor() for patch in ax.patches if isinstance(patch, Rectangle)]
        assert len(fills) == len(ax.texts) == 21 and len(set(fills)) > 5
        for fill, text in zip(fills, ax.texts, strict=True):
            for light in (1, dark):
                shown = [[light * part for part in to_rgb(paint)]
                         for paint in (fill, text.get_color())]
                assert contrast(*shown) >= CONTRAST, (color, text.get_text(), light)
    plt.close(fig)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_words_are_written_in_a_pale_colour(path):
    """Words on white are in ink, grey, blue or a colour of the cycle: the others are too pale."""
    palette = {}
    exec("\n".join(PALETTE), {}, palette)
    pale = {name for name, color in palette.items() if contrast(color, "white") < CONTRAST}
    assert pale == {"KERNEL", "OUTPUT", "GRADIENT"}
    found = [ast.unparse(call) for source in sources(path) for call in ast.walk(ast.parse(source))
             if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
             and call.func.attr in ("text", "annotate", "set_title", "suptitle")
             for keyword in call.keywords if keyword.arg == "color"
             for name in ast.walk(keyword.value) if isinstance(name, ast.Name) and name.id in pale]
    assert found == []
