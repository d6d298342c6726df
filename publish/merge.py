"""Make one document of the site's pages, as a reader of paper needs it.

Links between pages become links within the document, figures that move give way to their worked
example, and what is folded is opened, but for the code that draws the figures.
"""

from html import escape
from pathlib import Path

from bs4 import BeautifulSoup

from publish import PublishError
from publish.pages import address, book_title, split_link

STYLE = Path(__file__).with_name("print.css")
REFERENCES = ("aria-labelledby", "aria-describedby", "for", "headers")
HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
UNPRINTABLE = ["a.headerlink", ".launch-run", "details.above-input", "script", "button.copybtn"]


def place(page, fragment=""):
    """The id that stands in the document for a page, or for a place in it."""
    name = page.replace("/", "-")
    return f"{name}--{fragment}" if fragment else name


def merge(pages, site, numbers=None):
    """The HTML of the whole book.

    `pages` are those of `read_site`, which this changes; `site` is the folder they come from.
    `numbers` maps an id of the document to the number of its page, for the table of contents.
    """
    site, base = Path(site).resolve(), address(pages)
    head = _head(pages, site)
    names = {page.name for page in pages}
    for page in pages:
        prepare(page, names, site, base)
    title = escape(book_title(pages))
    cover = (f'<div class="cover"><p class="book-title">{title}</p>'
             f'<p>The pages of <a href="{base}">{base}</a>, to print and to keep.</p>'
             "<p>Figures that move are replaced by a worked example, and link to their page. "
             "The code that draws figures is left out.</p></div>")
    body = "".join(f'<section class="chapter" id="{place(page.name)}">'
                   f"{page.article.decode_contents()}</section>" for page in pages)
    return (f'<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light"><head>{head}'
            f"<title>{title}</title><style>{_running_heads(pages)}"
            f"{STYLE.read_text(encoding='utf-8')}</style></head><body>{cover}"
            f"{contents_list(pages, numbers or {})}"
            f'<main class="bd-article">{body}</main></body></html>')


def prepare(page, names, site, base):
    """Change the article of a page so that it can stand in one document with the others."""
    article = page.article
    for node in article.select(", ".join(UNPRINTABLE)):
        node.decompose()
    for box in article.select("[data-interactive]"):
        figure = box.find_parent("figure") or box
        where = f"{base}{page.name}.html#{figure.get('id') or ''}".rstrip("#")
        note = f'<p class="moves">This figure moves: <a href="{where}">{where}</a></p>'
        box.append(BeautifulSoup(note, "html.parser"))
        del box["role"], box["data-interactive"]
    for node in article.find_all("noscript"):
        node.unwrap()
    for node in article.find_all("details"):
        node["open"] = ""
    for node in article.find_all(True):
        _rename(node, page, names, site, base)
    for section in article.find_all("section", id=True):
        heading = section.find(HEADINGS, recursive=False)
        if heading and not heading.get("id"):  # what stands before it may be on an earlier page
            heading["id"] = section["id"]
            del section["id"]


def _rename(node, page, names, site, base):
    """Make ids and addresses of one element hold in the whole document."""
    if node.get("id"):
        node["id"] = place(page.name, node["id"])
    for key in REFERENCES:
        if node.get(key):
            value = node[key] if isinstance(node[key], list) else node[key].split()
            node[key] = " ".join(place(page.name, word) for word in value)
    if node.get("src"):
        path, _ = split_link(node["src"], page.name) or (None, None)
        node["src"] = (site / path).as_uri() if path else node["src"]
        del node["loading"]
    found = split_link(node["href"], page.name) if node.get("href") else None
    if found:
        path, fragment = found
        name = path.removesuffix(".html")
        node["href"] = f"#{place(name, fragment)}" if name in names else f"{base}{path}"
        del node["download"], node["target"]


def _head(pages, site):
    """The site's style sheets, and MathJax with its settings."""
    head, seen = ['<meta charset="utf-8">'], set()
    for page in pages:
        for link in page.soup.select("link[rel=stylesheet]"):
            path, _ = split_link(link["href"], page.name)
            if path not in seen:
                seen.add(path)
                head.append(f'<link rel="stylesheet" href="{(site / path).as_uri()}">')
    head += [f"<script>{script.text}</script>" for script in pages[0].soup.find_all("script")
             if "window.MathJax" in script.text]
    head.append(f'<script defer src="{(site / mathjax(pages)).as_uri()}"></script>')
    return "".join(head)


def mathjax(pages):
    """Where the site has the MathJax that its pages load, relative to its root."""
    script = pages[0].soup.select_one("script[src*=mathjax]")
    if script is None:
        raise PublishError(f"{pages[0].name}.html loads no MathJax: build the site anew")
    return split_link(script["src"], pages[0].name)[0]


def _running_heads(pages):
    """The title of a chapter at the top of its pages."""
    rules = []
    for page in pages:
        title = page.title.replace("\\", "").replace('"', "”")
        rules.append(f'#{place(page.name)} {{ page: {place(page.name)}; }} @page '
                     f'{place(page.name)} {{ @top-right {{ content: "{title}"; }} }}')
    return "\n".join(rules)


def contents_list(pages, numbers):
    """The table of contents: parts, pages and their sections, with links and page numbers."""
    def entry(target, text, level):
        number = numbers.get(target, "")
        return (f'<li class="level-{level}"><a href="#{target}"><span>{text}</span>'
                f'<span class="number">{number}</span></a></li>')

    lines, part = [], ""
    for page in pages:
        if page.part != part:
            part = page.part
            lines.append(f'<li class="part">{escape(part)}</li>')
        lines.append(entry(place(page.name), escape(page.title), 1))
        for heading in page.article.find_all("h2"):
            if heading.get("id"):
                lines.append(entry(heading["id"], escape(heading.get_text()), 2))
    return ('<nav class="book-contents" aria-label="Contents">'
            f"<p class=\"book-contents-title\">Contents</p><ul>{''.join(lines)}</ul></nav>")
