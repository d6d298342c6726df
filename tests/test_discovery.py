"""What search engines, messengers and the book's own search are told; and the 404 page."""

import functools
import http.server
import re
import sys
import threading

import pytest
import yaml
from bs4 import BeautifulSoup
from matplotlib.image import imread
from site_helpers import PREFIX, ROOT, content_pages
from test_browser import settle

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
BASE = CONFIG["html"]["baseurl"]
OTHERS = ["search", "genindex", "404"]
FIND = """words => words.map(word => Search._performSearch(...Search._parseQuery(word))
    .map(([page, , anchor]) => page + anchor))"""


def head(path):
    """The meta tags of a page by name or property, and the page."""
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    tags = [(tag.get("property") or tag.get("name"), tag["content"])
            for tag in soup.find_all("meta") if tag.get("content")]
    return tags, soup


@pytest.mark.parametrize("name", content_pages())
def test_a_page_is_introduced_as_it_is(site, name):
    """Title, address and name of the site are the page's own; its description is whole."""
    tags, soup = head(site / f"{name}.html")
    one = {key: value for key, value in tags if key and key != "viewport"}
    assert len(one) == len([key for key, _ in tags if key and key != "viewport"])
    assert one["og:title"] == soup.select_one("article h1").get_text().removesuffix("#")
    assert one["og:url"] == f"{BASE}{name}.html"
    assert one["og:site_name"] == CONFIG["title"]
    text = one["og:description"]
    assert text == one["description"] and 50 <= len(text) <= 202
    assert re.search(r"[.?!]$| …$", text) and ";," not in text and "  " not in text
    words = " ".join(soup.select_one("article").get_text().split())
    assert text.removesuffix(" …")[-40:] in words
    assert "robots" not in one


@pytest.mark.parametrize("name", content_pages())
def test_a_shared_page_has_a_picture(site, name):
    """The address of the picture is whole and leads into the site; its size is what it says."""
    tags = dict(head(site / f"{name}.html")[0])
    assert tags["og:image"].startswith(BASE) and tags["og:image:alt"].startswith(CONFIG["title"])
    height, width, _ = imread(site / tags["og:image"].removeprefix(BASE)).shape
    assert (width, height) == (1200, 630)
    assert (tags["og:image:width"], tags["og:image:height"]) == (str(width), str(height))
    assert tags["twitter:card"] == "summary_large_image"


def test_the_picture_is_the_scripts(monkeypatch, tmp_path):
    """The script draws the picture that is there, in the style of the book."""
    monkeypatch.syspath_prepend(ROOT / "book" / "_data")
    monkeypatch.delitem(sys.modules, "card", raising=False)
    import card

    card.main(tmp_path / "card.png")
    assert (imread(tmp_path / "card.png") == imread(card.PLACE)).all()


@pytest.mark.parametrize("name", OTHERS)
def test_a_page_without_contents_is_not_listed(site, name):
    """Search engines are asked to leave out the search, the index and the 404 page."""
    assert ("robots", "noindex") in head(site / f"{name}.html")[0]


def test_the_sitemap_is_the_book(site):
    """The sitemap lists the written pages and no other, and robots.txt allows and names it."""
    listed = re.findall(r"<loc>(.*?)</loc>", (site / "sitemap.xml").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(f"{BASE}{name}.html" for name in content_pages())
    robots = (site / "robots.txt").read_text(encoding="utf-8").splitlines()
    assert robots == ["User-agent: *", "Allow: /", f"Sitemap: {BASE}sitemap.xml"]


def test_the_entrance_leads_to_the_first_page(site):
    """The site's index.html sends a reader on, by itself or by a link."""
    first = f"{content_pages()[0]}.html"
    tags, soup = head(site / "index.html")
    assert soup.select_one("meta[http-equiv=refresh]")["content"] == f"0; url={first}"
    assert soup.a["href"] == first and soup.title.text == CONFIG["title"]
    assert soup.select_one("link[rel=canonical]")["href"] == BASE + first


# In a browser


@pytest.fixture(scope="module")
def lost(site, tmp_path_factory):
    """The address of a server that answers with 404.html what it does not find."""
    root = tmp_path_factory.mktemp("host")
    (root / PREFIX.strip("/")).symlink_to(site, target_is_directory=True)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            """Keep quiet."""

        def send_error(self, code, *args):
            """Send the page instead of a line."""
            page = (site / "404.html").read_bytes()
            self.send_response(code)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["nothing", "book/nothing.html", "a/b/c/nothing.html"])
def test_the_404_page_works_at_any_depth(browser, lost, path):
    """Wherever a reader is lost, styles, scripts and links of the page are those of the site."""
    tab = browser.new_page()
    failed = []
    tab.on("response", lambda response: response.status >= 400 and failed.append(response.url))
    assert tab.goto(lost + path).status == 404
    settle(tab)
    assert failed == [lost + path]
    # without the theme's styles a heading is bold
    assert tab.evaluate("getComputedStyle(document.querySelector('h1')).fontWeight") != "700"
    links = tab.locator("a[href]:not([href^='#']):not([href*='//'])")
    for link in {link.evaluate("link => link.href") for link in links.all()}:
        assert tab.request.get(link).status == 200, link
    tab.get_by_role("link", name="search the book").click()
    tab.wait_for_url("**/search.html")
    tab.close()


@pytest.fixture(scope="module")
def searching(browser, address):
    """The search page, ready to be asked."""
    tab = browser.new_page()
    tab.goto(f"{address}search.html?q=stride")
    tab.get_by_text("Search finished").wait_for()
    yield tab
    tab.close()


def test_the_glossary_can_be_searched(searching, site):
    """Each English word leads to its own entry; each Chinese name, in both scripts, to the page."""
    glossary = head(site / "book" / "glossary.html")[1].select_one("dl.glossary")
    english = {term.get_text().removesuffix("#").strip().replace("\xa0", " "): term["id"]
               for term in glossary.find_all("dt")}
    found = searching.evaluate(FIND, list(english))
    lost = [word for word, places in zip(english, found, strict=True)
            if f"book/glossary#{english[word]}" not in places]
    assert len(english) > 100 and lost == []
    labelled = ["".join(name.find_all(string=True, recursive=False))
                for name in glossary.select(".zh span[lang]")]
    chinese = sorted({part.strip() for name in labelled for part in re.split("[（）]", name)
                      if re.search("[\u3400-\u9fff]", part)})
    found = searching.evaluate(FIND, chinese)
    lost = [word for word, places in zip(chinese, found, strict=True)
            if not any(place.startswith("book/glossary") for place in places)]
    assert len(chinese) > 150 and lost == []


def test_a_word_that_is_not_there_is_not_found(searching):
    """The search that the test above trusts finds nothing where there is nothing."""
    assert searching.evaluate(FIND, ["transmogrifier", "冰淇淋"]) == [[], []]
