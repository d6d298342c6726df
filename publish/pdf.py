"""Print the book to one PDF with Chromium."""

import io
import tempfile
from pathlib import Path

from publish import PublishError
from publish.chromium import HOW_TO_GET_IT, find_chromium
from publish.finish import finish
from publish.merge import HEADINGS, merge
from publish.pages import read_site

PATIENCE = 300_000  # milliseconds


def write_pdf(site, toc, path):
    """Write the book in the folder `site` to `path`; returns the number of pages.

    Raises PublishError without Chromium, without a built site, or if a picture is missing.
    """
    chromium = find_chromium()
    if chromium is None:
        raise PublishError(f"the PDF {HOW_TO_GET_IT}")
    from playwright.sync_api import Error, sync_playwright

    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            # The first run says on which page each heading stands, the second prints that.
            first = _print(browser, merge(read_site(site, toc), site))
            numbers = page_numbers(first)
            data = _print(browser, merge(read_site(site, toc), site, numbers))
            browser.close()
    except Error as error:
        raise PublishError(f"{chromium} does not print the book: {error.message.splitlines()[0]}; "
                           "set CHROMIUM to the path of another") from error
    if page_numbers(data) != numbers:
        raise PublishError("the page numbers in the table of contents moved the pages: "
                           "make room for them in publish/print.css")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return finish(data, headings(read_site(site, toc)), path)


def headings(pages):
    """The text of every heading of the book, in order, which the bookmarks repeat."""
    return [" ".join(heading.get_text().removesuffix("#").split()) for page in pages
            for heading in page.article.find_all(HEADINGS)]


def _print(browser, html):
    """The PDF of a document, as bytes, after its formulas are drawn and its pictures loaded."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "book.html"
        source.write_text(html, encoding="utf-8")
        tab = browser.new_page()
        tab.set_default_timeout(PATIENCE)
        lost = []
        tab.on("requestfailed", lambda request: lost.append(request.url))
        tab.emulate_media(media="print", color_scheme="light")
        tab.goto(source.as_uri())
        tab.evaluate("() => window.MathJax?.startup?.promise")
        tab.evaluate("() => document.fonts.ready")
        tab.evaluate("() => Promise.all([...document.images].map(i => i.decode()))")
        if lost:
            raise PublishError(f"the site lacks {lost[0]}: build it again")
        data = tab.pdf(prefer_css_page_size=True, print_background=True, tagged=True, outline=True)
        tab.close()
    return data


def page_numbers(data):
    """The page, counted from 1, of each place that a link in the PDF leads to: {id: number}."""
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    numbers = {page.indirect_reference.idnum: n for n, page in enumerate(reader.pages, start=1)}
    return {name.removeprefix("/"): numbers[place.raw_get("/Page").idnum]
            for name, place in reader.named_destinations.items()}
