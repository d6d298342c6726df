"""Read the built site: which pages the book has, in which order, and what they say."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from bs4 import BeautifulSoup, Tag

from publish import PublishError

BUILD = "jupyter-book build . -W -n --keep-going -q"


@dataclass
class Page:
    """A page of the site: its name without .html, its part of the book, and its HTML."""

    name: str
    part: str
    soup: BeautifulSoup

    @property
    def article(self) -> Tag:
        """What people wrote, without the theme around it."""
        return self.soup.select_one("article.bd-article")

    @property
    def title(self) -> str:
        """The page's heading, without the sign that links to it."""
        heading = self.article.find("h1")
        return "".join(text for text in heading.strings if text.parent.name != "a").strip()


def contents(toc):
    """The (part, page name) of each page, in the order of the table of contents.

    `toc` is the path of _toc.yml; the first page has the part "".
    """
    table = yaml.safe_load(Path(toc).read_text(encoding="utf-8"))
    chapters = [(part.get("caption", ""), chapter)
                for part in table["parts"] for chapter in part["chapters"]]
    return [("", table["root"])] + [(part, page["file"]) for part, chapter in chapters
                                    for page in (chapter, *chapter.get("sections", []))]


def read_site(site, toc):
    """The pages of the site in the folder `site`, as a list of `Page`.

    Raises PublishError if the site is not there, or lacks a page of the table of contents.
    """
    pages = []
    for part, name in contents(toc):
        path = Path(site) / f"{name}.html"
        if not path.is_file():
            raise PublishError(f"{path} is not there: build the site first, with {BUILD}")
        soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        pages.append(Page(name, part, soup))
    return pages


def address(pages):
    """The address at which the site is published, with a slash at its end.

    Raises PublishError if the pages do not name it.
    """
    link = pages[0].soup.select_one("link[rel=canonical]")
    ending = f"{pages[0].name}.html"
    if link is None or not link["href"].endswith(ending):
        raise PublishError(f"{ending} names no canonical address: set html.baseurl in _config.yml")
    return link["href"].removesuffix(ending)


def book_title(pages):
    """The title of the book, which ends the title of each page."""
    return re.split(r"\s+[—–-]\s+", pages[0].soup.title.text)[-1].strip()


def split_link(link, page):
    """Where a link on a page leads within the site: (path, fragment), or None if elsewhere.

    `page` is the name of the page; the path is relative to the site, such as book/intro.html.
    """
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or link.startswith("/"):
        return None
    if not parts.path:
        return f"{page}.html", parts.fragment
    steps = []
    for step in [*page.split("/")[:-1], *parts.path.split("/")]:
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps), parts.fragment
