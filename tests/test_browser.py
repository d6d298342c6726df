"""The built site in a real browser: offline, without errors, for every reader, on every screen."""

from types import SimpleNamespace

import pytest
from site_helpers import content_pages, without_chromium

from publish.chromium import find_chromium

PAGES = [*content_pages(), "search", "genindex", "404"]
THEMES = ["light", "dark"]
PATIENCE = 120_000  # milliseconds; a busy computer takes its time
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def watch(tab, base):
    """Collect what a tab asks of other hosts, and every error; other hosts get no answer."""
    tab.outside, tab.errors = [], []

    def answer(route):
        if route.request.url.startswith((base, "data:", "blob:")):
            route.continue_()
        else:
            tab.outside.append(route.request.url)
            route.abort()

    tab.route("**/*", answer)
    tab.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.on("console",
           lambda message: message.type == "error" and tab.errors.append(message.text))
    tab.on("requestfailed", lambda request: tab.errors.append(f"not loaded: {request.url}"))


def settle(tab):
    """Wait until a page is loaded and its formulas are drawn."""
    tab.wait_for_load_state("load")
    tab.evaluate("() => window.MathJax?.startup?.promise")
    tab.wait_for_timeout(200)


def violations(tab):
    """The WCAG 2.2 A and AA rules that axe finds broken, each with its first element."""
    from axe_playwright_python.sync_playwright import Axe

    # what passes need not be told, and takes time to tell
    options = {"runOnly": WCAG, "resultTypes": ["violations"]}
    found = Axe().run(tab, options=options).response["violations"]
    return [f"{rule['id']} in {len(rule['nodes'])} places, first {rule['nodes'][0]['html'][:200]}"
            for rule in found]


@pytest.fixture(scope="module")
def visit(browser, address):
    """Open a page once per theme; returns what was seen: outside, errors, violations, ..."""
    seen = {}

    def open_once(name, theme):
        if (name, theme) not in seen:
            context = browser.new_context(color_scheme=theme,
                                          viewport={"width": 1440, "height": 900})
            context.set_default_timeout(PATIENCE)
            tab = context.new_page()
            watch(tab, address)
            status = tab.goto(f"{address}{name}.html").status
            settle(tab)
            # axe asks for style sheets at wrong addresses: what the page did, comes first
            seen[name, theme] = SimpleNamespace(
                status=status, outside=list(tab.outside), errors=list(tab.errors),
                theme=tab.evaluate("document.documentElement.dataset.theme"),
                ground=tab.evaluate("getComputedStyle(document.body).backgroundColor"),
                violations=violations(tab))
            context.close()
        return seen[name, theme]

    return open_once


@pytest.fixture
def tab(browser):
    """A tab of the size of a phone."""
    context = browser.new_context(viewport={"width": 375, "height": 812})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def every_page(test):
    """Run a test for each page in each theme."""
    test = pytest.mark.parametrize("theme", THEMES)(test)
    return pytest.mark.parametrize("name", PAGES)(test)


@every_page
def test_nothing_is_asked_of_another_host(visit, name, theme):
    """A reader without a network sees the whole page."""
    page = visit(name, theme)
    assert page.status == 200
    assert page.outside == []


@every_page
def test_no_error_is_reported(visit, name, theme):
    """Scripts run to their end, and everything a page asks for is there."""
    assert visit(name, theme).errors == []


@every_page
def test_the_page_is_accessible(visit, name, theme):
    """Axe finds no breach of WCAG 2.2, levels A and AA."""
    assert visit(name, theme).violations == []


@pytest.mark.parametrize("name", PAGES)
def test_the_themes_differ(visit, name):
    """A page follows the reader's system from light to dark."""
    light, dark = (visit(name, theme) for theme in THEMES)
    assert (light.theme, dark.theme) == ("light", "dark")
    assert light.ground != dark.ground


@pytest.mark.parametrize("name", content_pages())
def test_a_folder_on_disk_is_enough(tab, site, name):
    """Opened as a file, a page draws its formulas and reports no error."""
    watch(tab, site.as_uri())
    tab.goto((site / f"{name}.html").as_uri())
    settle(tab)
    formulas = tab.locator("article .math").count()
    assert tab.locator("article mjx-container").count() == formulas
    assert tab.locator("mjx-merror").count() == 0
    assert tab.outside == [] and tab.errors == []


def test_formulas_have_a_shape(tab, site):
    """The formula on the first page is drawn with MathJax's own letters."""
    tab.goto((site / "book" / "intro.html").as_uri())
    settle(tab)
    box = tab.locator("article mjx-container").first.bounding_box()
    assert box["width"] > 100 and box["height"] > 10
    assert tab.evaluate("document.fonts.check('16px MJXTEX')")


@pytest.mark.parametrize("word", ["stride", "感受野"])
def test_search_finds_a_word(tab, address, word):
    """The search page finds English and Chinese words in the glossary."""
    tab.goto(f"{address}search.html?q={word}")
    tab.locator(".search a[href*='glossary']").first.wait_for()


# The instruments: each must see what it is there to see


@pytest.fixture
def broken(tab, tmp_path):
    """A page with one fault of each kind, opened and watched."""
    watch(tab, tmp_path.as_uri())
    path = tmp_path / "broken.html"
    path.write_text(
        "<!doctype html><html lang='en'><title>Broken</title><style>body{background:#fff}</style>"
        "<article><p style='color:#ccc'>pale</p><div style='width:900px'>wide</div>"
        "<img src='gone.png' alt='a picture that is gone'></article>"
        "<script>console.error('a message'); undefinedName();</script>"
        "<script src='https://cdn.example.org/x.js'></script></html>")
    tab.goto(path.as_uri())
    settle(tab)
    return tab


def test_faults_are_seen(broken):
    """Another host, an error, a lost file, pale text and a wide box do not go unnoticed."""
    assert broken.outside == ["https://cdn.example.org/x.js"]
    for part in ("a message", "undefinedName is not defined", "gone.png"):
        assert any(part in error for error in broken.errors), part
    assert any(v.startswith("color-contrast in 1 places") for v in violations(broken))
    assert broken.evaluate("document.scrollingElement.scrollWidth > innerWidth")


def test_chromium_is_found_or_named():
    """CHROMIUM comes first, then the usual names; without any, the reason is given."""
    assert find_chromium({"CHROMIUM": "/opt/c"}, lambda name: name) == "/opt/c"
    assert find_chromium({}, lambda name: name if "browser" in name else None) \
        == "chromium-browser"
    assert find_chromium({}, lambda name: None) is None
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        without_chromium({})
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        without_chromium({"CI": "true"})
