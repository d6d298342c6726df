"""The PDF holds all of the site: each chapter, each picture, whole, and every link."""

import re
import zipfile
from collections import Counter
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from pdfs import bookmarks, drawn, flat, pages_of, tagged
from PIL import Image
from pypdf import PdfReader
from site_helpers import content_pages

from publish.finish import without_radicals

CHINESE = re.compile(r"[\u3400-\u9fff]")
HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]


@pytest.fixture(scope="module")
def pdf(made):
    """The PDF, open."""
    return PdfReader(made.pdf)


@pytest.fixture(scope="module")
def articles(site):
    """The article of each page, parsed, by the page's name."""
    return {name: BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"),
                                "html.parser").select_one("article") for name in content_pages()}


@pytest.fixture(scope="module")
def texts(pdf):
    """The text of each page of the PDF."""
    return [page.extract_text() for page in pdf.pages]


def test_the_command_says_what_it_wrote(made, pdf):
    """Each file has a line with its path, its count and its size."""
    first, second = made.says.splitlines()
    assert first.startswith(f"{made.pdf}: {len(pdf.pages)} pages, ")
    assert second.startswith(f"{made.zip}: {len(zipfile.ZipFile(made.zip).namelist())} files, ")
    assert len(pdf.pages) > 100


def test_bookmarks_are_the_headings(pdf, texts, articles):
    """Each heading of each page is a bookmark, as deep as it is on the page, in order."""
    expected = [(int(heading.name[1]), " ".join(heading.get_text().removesuffix("#").split()))
                for article in articles.values() for heading in article.find_all(HEADINGS)]
    found = list(bookmarks(pdf))
    assert [(depth, title) for depth, title, _ in found] == expected
    numbers = [number for *_, number in found]
    assert numbers == sorted(numbers)
    for _, title, number in found:
        assert flat(title) in flat(texts[number]), title


def test_the_contents_name_the_pages(pdf, texts):
    """The table of contents gives every chapter and section the page that its bookmark has."""
    starts = [(title, number + 1) for depth, title, number in bookmarks(pdf) if depth < 3]
    first = starts[0][1]
    text = flat("".join(texts[1:first - 1]))
    place = 0
    for title, number in starts:
        line = flat(title) + str(number)
        place = text.find(line, place)
        assert place >= 0, f"{title} is not listed on page {number}"


def test_every_picture_is_there_once(pdf, articles, site):
    """The pictures drawn are those of the pages; a picture cut in two would be drawn twice."""
    expected = Counter()
    for name, article in articles.items():
        for image in article.find_all("img"):
            with Image.open((site / name).parent / image["src"]) as picture:
                expected[picture.size] += 1
    assert Counter((width, height) for _, width, height in drawn(pdf)) == expected


def test_every_picture_has_words(pdf, articles):
    """The alternative texts of the site stand in the PDF's structure."""
    expected = Counter(image["alt"] for article in articles.values()
                       for image in article.find_all("img"))
    found = Counter(element["/Alt"] for element in tagged(pdf, "/Figure") if "/Alt" in element)
    assert found == expected


def test_no_figure_is_cut(pdf, articles):
    """Each figure, with its caption, stands on one page; so does the worked example of one."""
    figures = tagged(pdf, "/Figure")
    count = sum(len(article.find_all(["figure", "img"])) for article in articles.values())
    assert len(figures) == count
    assert [pages_of(pdf, figure) for figure in figures
            if len(pages_of(pdf, figure)) != 1] == []


def test_moving_figures_give_their_example(texts, articles):
    """In place of a figure that moves stand its worked example and the address of its page."""
    text = flat("".join(texts))
    examples = [example for article in articles.values()
                for example in article.select("[data-interactive] noscript pre")]
    assert examples
    for example in examples:
        assert flat(example.get_text()) in text, example.get_text()[:80]
    assert text.count("Thisfiguremoves:") == sum(
        len(article.select("[data-interactive]")) for article in articles.values())


def test_folded_answers_are_open(texts, articles):
    """Every answer that a page folds away can be read on paper."""
    text = flat("".join(texts))
    answers = [answer for article in articles.values()
               for answer in article.select("details:not([class])")]
    assert len(answers) > 50
    for answer in answers:
        words = answer.find("p").find_all(string=True, recursive=False)
        longest = max(words, key=len, default="")
        assert flat(longest) in text, longest


def test_links_stay_within_the_book(pdf):
    """Links lead to a place of the PDF or to a web page, never to a file of this computer."""
    places = {name.removeprefix("/") for name in pdf.named_destinations}
    inside = outside = 0
    for page in pdf.pages:
        for note in page.get("/Annots", []):
            note = note.get_object()
            if "/A" in note:
                assert urlsplit(note["/A"]["/URI"]).scheme in ("http", "https"), note["/A"]["/URI"]
                outside += 1
            else:
                assert str(note["/Dest"]).removeprefix("/") in places
                inside += 1
    assert inside > 300 and outside > 20


def test_chinese_is_written_with_chinese_letters(pdf, texts, articles):
    """Each Chinese letter of the glossary can be found in the PDF: a font has it."""
    start, = (number for depth, title, number in bookmarks(pdf) if title == "Glossary")
    text = "".join(texts[start:])
    wanted = set(CHINESE.findall(articles["book/glossary"].get_text()))
    assert len(wanted) > 200 and wanted <= set(text)


def test_the_pdf_is_for_every_reader(pdf):
    """It says its title and language, and is tagged for screen readers."""
    root = pdf.trailer["/Root"]
    assert pdf.metadata.title == "ConvNets by Hand" and root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert len(tagged(pdf, "/H1")) == len(content_pages())


def test_radicals_become_letters():
    """Radicals in a table of letters are replaced; letters and glyphs' numbers stay."""
    table = b"2 beginbfchar\n<2F00> <2F00>\n<35> <2ED1>\n<36> <9AD4>\nendbfchar\n"
    assert without_radicals(table) == \
        b"2 beginbfchar\n<2F00> <4E00>\n<35> <9577>\n<36> <9AD4>\nendbfchar\n"
