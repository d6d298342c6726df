"""The built site: warnings are errors, links lead somewhere, and no answer is on it."""

import html
import itertools
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from site_helpers import PREFIX, ROOT, build_book, content_pages

PAGES = content_pages()
OTHERS = ["404", "genindex", "search"]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


class Page(HTMLParser):
    """The tags of one page: `tags` holds (name, attributes) in their order."""

    def __init__(self, path):
        super().__init__()
        self.tags = []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        """Keep a tag."""
        self.tags.append((tag, dict(attrs)))

    def all(self, name):
        """The attributes of every tag of that name."""
        return [attributes for tag, attributes in self.tags if tag == name]

    def addresses(self):
        """Everything that the page links to or loads, as (tag, address)."""
        return [(tag, a[key]) for tag, a in self.tags for key in ("href", "src") if a.get(key)]


@pytest.fixture(scope="session")
def pages(site):
    """Every page of the site, read once, by its name."""
    return {str(path.relative_to(site).with_suffix("")): Page(path)
            for path in site.rglob("*.html") if "_static" not in path.parts}


def test_the_site_builds(built):
    """The build ends well with every warning an error, and says nothing of a warning."""
    assert built.returncode == 0, built.output[-4000:]
    assert "WARNING" not in built.output and "ERROR" not in built.output


def test_every_page_is_known(pages):
    """What is built is the table of contents, three pages of the theme, and a redirect."""
    assert set(pages) == {*PAGES, *OTHERS, "index"}


# What may go wrong in a page must fail the build


@pytest.fixture
def scratch(tmp_path):
    """A book with the course's settings; call it with pages to build, by file name."""
    def build(**contents):
        book = tmp_path / "scratch"
        (book / "book").mkdir(parents=True)
        shutil.copy(ROOT / "_config.yml", book)
        shutil.copy(ROOT / "book" / "references.bib", book / "book")
        for folder in ("_ext", "_static"):
            shutil.copytree(ROOT / "book" / folder, book / "book" / folder)
        (book / "book" / "_static" / "interactive" / "bare.js").write_text("")
        (book / "book" / "picture.png").write_bytes(PICTURE)
        names = sorted(contents)
        for name in names:
            content = contents[name]
            kind = ".md" if isinstance(content, str) else ".ipynb"
            text = content if isinstance(content, str) else nbformat.writes(content)
            (book / "book" / (name + kind)).write_text(text, encoding="utf-8")
        (book / "_toc.yml").write_text(yaml.safe_dump({
            "format": "jb-book", "root": f"book/{names[0]}",
            "chapters": [{"file": f"book/{name}"} for name in names[1:]]}))
        return build_book(book, tmp_path / "out")
    return build


PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8ffff3f0005fe02fea7a12a1b0000000049454e44ae426082")


def notebook(**metadata):
    """A notebook whose only code cell shows a picture."""
    data = {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"}
    output = nbformat.v4.new_output("display_data", data)
    return nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_markdown_cell("# Notebook"),
        nbformat.v4.new_code_cell("show()", outputs=[output], execution_count=1,
                                  metadata=metadata),
    ], metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"},
                 "language_info": {"name": "python", "pygments_lexer": "ipython3"}})


def test_a_book_without_faults_builds(scratch):
    """Pictures with alternative text, terms, citations and references pass."""
    image = {"image": {"alt": "a black dot"}, "figure": {"caption": "A dot", "name": "dot"}}
    built = scratch(
        a="# Page\n\n(here)=\n## Here\n\n![a dot](picture.png) and {ref}`here`\n\n"
          "<img src='../_static/x.png' alt='a dot'>\n\n{cite:t}`lecun1998` {zh}`卷積|卷积`\n\n"
          "```{bibliography}\n```\n\n```{glossary}\nstride\n  A step.\n```\n\n{term}`stride`\n",
        b=notebook(mystnb=image))
    assert built.returncode == 0, built.output[-3000:]
    assert 'alt="a black dot"' in (built.html / "book" / "b.html").read_text(encoding="utf-8")


FIGURES = " or ".join(sorted(
    path.stem for path in (*(ROOT / "book" / "_static" / "interactive").glob("*.js"),
                           Path("bare.js"))
    if "." not in path.stem and path.stem != "common"))
FAULTS = {
    "alt_missing": ("![](picture.png)", "image without alternative text: book/picture.png"),
    "alt_is_the_name": ("![picture.png](picture.png)", "image without alternative text"),
    "alt_blank": ("```{figure} picture.png\n:alt: ' '\n```", "image without alternative text"),
    "html_without_alt": ("<img src='x.png'>", "image without alternative text: x.png"),
    "html_with_empty_alt": ("text <img src='y.png' alt=''>", "without alternative text: y.png"),
    "reference": ("{ref}`nowhere`", "undefined label: 'nowhere'"),
    "page": ("[there](nowhere.md)", "nowhere.md"),
    "heading": ("[there](#no-such-heading)", "no-such-heading"),
    "term": ("{term}`no such word`", "no such word"),
    "citation": ("{cite:t}`nobody1900`", "nobody1900"),
    "chinese": ("{zh}`一|二|三`", "write {zh}`traditional|simplified`"),
    "chinese_half": ("{zh}`一|`", "write {zh}`traditional|simplified`"),
    "directive": ("```{figrue} picture.png\n```", "figrue"),
    "interactive_without_alt": ("```{interactive} tracer\nA caption.\n```",
                                "interactive figure 'tracer': no alternative text: write `:alt:"),
    "interactive_blank_alt": ("```{interactive} tracer\n:alt: ' '\n```", "no alternative text"),
    "interactive_unknown": ("```{interactive} trace\n:alt: a figure\n```",
                            f"'trace': there is none of that name: use {FIGURES}, or add"),
    "interactive_helper": ("```{interactive} common\n:alt: a figure\n```", "none of that name"),
    "interactive_without_example": (
        "```{interactive} bare\n:alt: a figure\n```",
        "no example for readers without scripts: write book/_static/interactive/bare.example.txt"),
    "interactive_caption": ("```{interactive} layers\n:alt: a figure\n\n- a list\n```",
                            "its caption must begin with a paragraph"),
}


def test_every_fault_is_found(scratch):
    """Each fault is one warning that names its page, and the build fails."""
    faulty = {name: f"# {name}\n\n{text}\n" for name, (text, _) in FAULTS.items()}
    built = scratch(notebook=notebook(), **faulty)
    assert built.returncode != 0
    warnings = [line for line in built.output.splitlines() if "WARNING" in line or "ERROR" in line]
    for name, (_, says) in FAULTS.items():
        found = [line for line in warnings if f"book/{name}.md" in line and says in line]
        assert len(found) == 1, f"{name}: {found} among\n" + "\n".join(warnings)
    figure = [line for line in warnings if "notebook.ipynb" in line or "book/notebook," in line]
    assert len(figure) == 1 and "without alternative text" in figure[0], warnings
    assert "cell 2" in figure[0] and "mystnb" in figure[0]


@pytest.mark.parametrize("fault", ["alt_missing", "reference"])
def test_one_fault_is_enough(scratch, fault):
    """A single warning makes the exit code say so."""
    assert scratch(a=f"# Page\n\n{FAULTS[fault][0]}\n").returncode != 0


# No answer of an exercise on the site


def secrets(sources):
    """The lines of solutions and hidden tests that are long enough to be told apart."""
    region = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END \1", re.DOTALL)
    lines = (line for source in sources for match in region.finditer(source)
             for line in match[2].splitlines())
    return {plain(line) for line in lines if len(line.strip()) > 25}


def plain(text):
    """Text without tags and character references, its white space made single blanks."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())


def leaks(folder, lines):
    """Which of the lines stand in which file of a site: (file, line)."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in {".html", ".js", ".txt", ".md", ".ipynb", ".py"} \
                and "_static" not in path.relative_to(folder).parts:
            raw = path.read_text(encoding="utf-8")
            # what a reader sees, and what the file says; the search index escapes its text
            texts = [plain(raw), " ".join(raw.split())]
            found += [(path.name, line) for line in sorted(lines)
                      if any(line in text or json.dumps(line)[1:-1] in text for text in texts)]
    return found


def test_no_answer_is_published(site):
    """No line of a solution or of a hidden test is anywhere under _build/html.

    The exercises themselves are there; of their text, the third hint of a task is one line.
    """
    notebooks = sorted(ROOT.glob("solutions/*/*.ipynb"))
    assert notebooks, "no solution notebook to take lines from"
    for path in notebooks:
        cells = nbformat.read(path, as_version=4).cells
        lines = secrets(cell.source for cell in cells)
        assert len(lines) >= 5, f"{path.parent.name}: no answers found to look for"
        exercise = nbformat.read(site / "exercises" / path.parent.name / path.name, as_version=4)
        code, text = ("\n".join(cell.source for cell in exercise.cells if cell.cell_type == kind)
                      for kind in ("code", "markdown"))
        assert [line for line in lines if line in " ".join(code.split())] == []
        assert [leak for leak in leaks(site, lines)
                if leak[0] != path.name or leak[1] not in plain(text)] == []


@pytest.mark.parametrize(("name", "content"), [
    ("page.html", "<pre><span>total</span> <span>+=</span> weight[i, j] * x[n, "
                  "<span class='mi'>2</span> &lt; 3]</pre>"),
    ("searchindex.js", '{"titles": ["total += weight[i, j] * x[n, 2 < 3]"]}'),
    ("_sources/page.md.txt", "    total  += weight[i, j] * x[n, 2 < 3]  "),
])
def test_a_published_answer_is_found(tmp_path, name, content):
    """A line is found in highlighted code, in the search index and in copied sources."""
    source = ("def f(x):\n    ### BEGIN SOLUTION\n    total += weight[i, j] * x[n, 2 < 3]\n"
              "    return total\n    ### END SOLUTION\n")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("<p>nothing of interest here, but long enough</p>")
    lines = secrets([source])
    assert lines == {"total += weight[i, j] * x[n, 2 < 3]"}
    assert leaks(tmp_path, lines) == []
    path.write_text(content)
    assert leaks(tmp_path, lines) == [(path.name, lines.pop())]


def test_no_source_is_published(site):
    """The site carries no copy of the notebooks and texts that it was built from."""
    assert not (site / "_sources").exists()
    assert not [p for p in site.rglob("*") if p.suffix in {".ipynb", ".md", ".py", ".bib"}
                and not {"_static", "exercises"} & set(p.relative_to(site).parts)]


# What each page says of itself, what it links to and what it weighs


@pytest.mark.parametrize("name", PAGES)
def test_a_page_describes_itself(pages, name):
    """A page has a title, a description of some length and its own canonical address."""
    page = pages[name]
    assert re.search(r"<title>[^<]{5,} &#8212; ConvNets by Hand</title>", page.text)
    descriptions = [m["content"] for m in page.all("meta") if m.get("name") == "description"]
    assert len(descriptions) == 1 and len(descriptions[0]) > 50
    canonical = [link["href"] for link in page.all("link") if link.get("rel") == "canonical"]
    assert canonical == [f"{CONFIG['html']['baseurl']}{name}.html"]
    assert [a["lang"] for a in page.all("html")] == ["en"]


def test_the_site_has_one_address():
    """The settings that repeat the site's address agree with one another."""
    base, settings = CONFIG["html"]["baseurl"], CONFIG["sphinx"]["config"]
    assert settings["ogp_site_url"] == base
    assert settings["notfound_urls_prefix"] == urlsplit(base).path == PREFIX


def test_titles_and_descriptions_differ(pages):
    """No two pages have the same title or description."""
    for pattern in (r"<title>(.*?)</title>", r'<meta name="description" content="(.*?)"'):
        found = [re.search(pattern, pages[name].text)[1] for name in PAGES]
        assert len(set(found)) == len(PAGES)


def test_the_sitemap_lists_the_pages(site):
    """Search engines are told of each page, and of none that does not exist."""
    listed = re.findall(r"<loc>(.*?)</loc>", (site / "sitemap.xml").read_text())
    expected = {f"{CONFIG['html']['baseurl']}{name}.html" for name in PAGES}
    assert expected <= set(listed)
    for url in listed:
        assert (site / url.removeprefix(CONFIG["html"]["baseurl"])).is_file(), url


@pytest.mark.parametrize("name", [*PAGES, *OTHERS, "index"])
def test_local_links_lead_somewhere(site, pages, name):
    """Each local link, picture, style and script exists, and so does the place in it."""
    broken = []
    for _, address in pages[name].addresses():
        url = urlsplit(address)
        if url.scheme or url.netloc or address in ("#", "javascript:void(0)"):
            continue
        if url.path.startswith(PREFIX):
            target = site / unquote(url.path.removeprefix(PREFIX))
        else:
            target = (site / name).parent / unquote(url.path) if url.path else site / f"{name}.html"
        target = target.resolve()
        if target.is_dir():
            target /= "index.html"
        other = pages.get(str(target.relative_to(site.resolve()).with_suffix("")))
        places = {a.get("id") for _, a in other.tags} | {""} if other else {""}
        if not target.is_file() or unquote(url.fragment) not in places:
            broken.append(address)
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(pages):
    """No page names a script, style, picture or frame of another host."""
    for name, page in pages.items():
        loaded = [a for tag, a in page.addresses() if tag not in ("a", "link")]
        loaded += [link["href"] for link in page.all("link")
                   if link.get("rel") not in ("canonical", "next", "prev", "search", "index")]
        assert [a for a in loaded if urlsplit(a).netloc] == [], name


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light(site, pages, name):
    """A page and its pictures weigh less than 1.5 MB together."""
    pictures = {(site / name).parent / unquote(a["src"]) for a in pages[name].all("img")}
    files = [site / f"{name}.html", *pictures]
    assert sum(path.stat().st_size for path in files) < 1_500_000


# What the written pages claim


def test_the_first_pages_sums_are_right(pages):
    """The program on the first page prints what stands below it and in its tables."""
    text = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
    program, = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    shown, = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                         check=True)
    assert run.stdout == shown
    tables = re.findall(r"<table.*?</table>", pages["book/intro"].text, re.DOTALL)
    numbers = [re.findall(r"<td[^>]*>(.*?)</td>", table.replace("−", "-")) for table in tables]
    tensors = re.findall(r"-?\d+(?=\.)", program + shown)
    assert [int(n) for n in itertools.chain(*numbers)] == [int(n) for n in tensors]


def test_the_glossary_has_both_scripts(pages):
    """Every word can be linked to and has its Chinese names, unless it points to another."""
    entries = re.findall(r"<dt(.*?)</dt>(.*?)</dd>", pages["book/glossary"].text, re.DOTALL)
    assert len(entries) > 30
    for term, definition in entries:
        assert 'id="term-' in term
        scripts = set(re.findall(r'lang="(zh[^"]*)"', definition))
        assert scripts in ({"zh-Hant", "zh-Hans"}, {"zh"}) or ">See <" in definition, term
