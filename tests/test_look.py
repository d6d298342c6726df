"""What a page looks like: nothing sticks out, pictures are sharp, and one style draws them all."""

import re

import nbformat
import pytest
from site_helpers import ROOT, content_pages
from test_browser import PATIENCE, settle

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


@pytest.fixture
def tab(browser):
    """Open tabs of a width; all are closed afterwards."""
    contexts = []

    def open_tab(width):
        contexts.append(browser.new_context(viewport={"width": width, "height": 812}))
        contexts[-1].set_default_timeout(PATIENCE)
        return contexts[-1].new_page()

    yield open_tab
    for context in contexts:
        context.close()


def pictures(page):
    """The PNGs of a page: address, natural width, width on the page, and inches."""
    return page.evaluate("""async () => {
      const found = [...document.querySelectorAll("article img[src$='.png']")];
      for (const e of found) { e.loading = "eager"; await e.decode(); }
      return found.map((e) => [e.src.split("/").pop(), e.naturalWidth,
        e.clientWidth - 2 * parseFloat(getComputedStyle(e).paddingLeft),
        Number(e.closest(".picture")?.style.getPropertyValue("--inches"))]);
    }""")


@pytest.mark.parametrize("name", content_pages())
def test_nothing_is_cut_off_on_a_phone(tab, address, name):
    """At 375 pixels each box holds its content, or can be scrolled, by keyboard too."""
    page = tab(375)
    page.goto(f"{address}{name}.html")
    settle(page)
    assert page.evaluate(STUCK) == []


@pytest.mark.parametrize("name", [f"book/{path.stem}" for path in NOTEBOOKS])
def test_pictures_are_sharp_and_readable(tab, address, name):
    """On a desktop a picture has two pixels for each of the page; on a phone it stays readable."""
    desktop, phone = tab(1440), tab(375)
    for page in (desktop, phone):
        page.goto(f"{address}{name}.html")
        settle(page)
    wide = pictures(desktop)
    assert wide, "a chapter without a picture"
    for file, natural, shown, _ in wide:
        assert natural >= SHARP * shown, (file, natural, shown)
    for file, _, shown, inches in pictures(phone):
        assert inches and shown >= READABLE * inches, (file, shown, inches)


def test_the_measures_see_faults(tab, tmp_path):
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
    page = tab(1440)
    page.goto(path.as_uri())
    found = page.evaluate(STUCK)
    assert [text.split()[0] for text in found] == ["P", "DIV", "MJX-CONTAINER"]
    (_, natural, shown, inches), = pictures(page)
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
