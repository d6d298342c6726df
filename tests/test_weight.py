"""What a reader's browser loads for each page, on the first visit and on the next."""

import gzip

import pytest
from site_helpers import content_pages
from test_browser import settle

LIMIT = 1_500_000  # bytes
TEXT = (".html", ".css", ".js", ".svg", ".json")


@pytest.fixture(scope="module")
def visited(browser, site, address):
    """What each page loads, {page: {path: (bytes, bytes as a server sends them)}}, and its icons.

    The icons are {page: (how many are not drawn, how long the path of each other is)}.
    """
    found, icons = {}, {}
    context = browser.new_context()
    tab = context.new_page()
    for name in content_pages():
        asked = set()
        tab.on("request", lambda request, asked=asked: asked.add(request.url.split("?")[0]))
        tab.goto(f"{address}{name}.html")
        settle(tab)
        for image in tab.locator("article img").all():  # those below load when scrolled to
            asked.add(image.evaluate("image => image.src"))
        files = [url.removeprefix(address) for url in asked if url.startswith(address)]
        found[name] = {path: sizes(site / path) for path in files if (site / path).is_file()}
        assert f"{name}.html" in found[name]
        tab.locator("svg.svg-inline--fa").first.wait_for(state="attached")
        icons[name] = tab.locator("i[class*=fa-]").count(), tab.evaluate(
            "[...document.querySelectorAll('svg.svg-inline--fa path')]"
            ".map(path => path.getAttribute('d').length)")
    context.close()
    return found, icons


@pytest.fixture(scope="module")
def loaded(visited):
    """What each page loads."""
    return visited[0]


def sizes(path):
    """The size of a file, and its size when a server compresses it, as GitHub Pages does."""
    data = path.read_bytes()
    return len(data), len(gzip.compress(data, 6)) if path.suffix in TEXT else len(data)


@pytest.mark.parametrize("name", content_pages())
def test_a_first_visit_is_light(loaded, name):
    """A page with its pictures, styles, scripts and letters is sent in less than 1.5 MB."""
    total = sum(sent for _, sent in loaded[name].values())
    assert 100_000 < total < LIMIT, sorted(loaded[name].items(), key=lambda item: -item[1][1])[:5]


@pytest.mark.parametrize("name", content_pages())
def test_the_pictures_of_a_page_are_light(loaded, name):
    """A page, its pictures and what only some pages load weigh less than 1.5 MB as files."""
    shared = set.intersection(*(set(files) for files in loaded.values()))
    own = {path: raw for path, (raw, _) in loaded[name].items()
           if path not in shared and "mathjax" not in path}
    assert f"{name}.html" in own and sum(own.values()) < LIMIT, own


def test_only_icons_that_are_shown_are_loaded(visited):
    """The icons' script is small, their letters are not loaded, and every icon is drawn."""
    loaded, icons = visited
    script = "_static/scripts/fontawesome.js"
    assert 20_000 < loaded["book/intro"][script][0] < 200_000
    assert not [path for files in loaded.values() for path in files if "webfonts" in path]
    assert icons.keys() == set(content_pages())
    for left, drawn in icons.values():
        assert left == 0 and len(drawn) > 10 and min(drawn) > 10


def test_weights_are_told(loaded):
    """The table of weights, in bytes, for who wants to see it: pytest -rP shows it."""
    for name, files in loaded.items():
        pictures = sum(raw for path, (raw, _) in files.items() if path.startswith("_images/"))
        page = files[f"{name}.html"][0]
        raw, sent = (sum(column) for column in zip(*files.values(), strict=True))
        print(f"{name:32} page {page:8} pictures {pictures:8} all {raw:8} sent {sent:8}")
        assert page + pictures <= raw and sent < raw
