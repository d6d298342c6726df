"""A reader can run each chapter and get its exercise: every address leads to what it promises."""

import os
import re
import shutil
import subprocess
import sys
from urllib.parse import urlsplit

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from site_helpers import ROOT, build_book, content_pages

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
REPOSITORY = CONFIG["repository"]["url"].removeprefix("https://github.com/")
BRANCH = CONFIG["repository"]["branch"]
NOTEBOOKS = [name for name in content_pages() if (ROOT / f"{name}.ipynb").is_file()]
EXERCISE = re.compile(r"exercises/(\w+)/\1\.ipynb")
GOES_TO = re.compile(r"https://(colab\.research\.google\.com/github|github\.com)/"
                     rf"{REPOSITORY}(?:/(blob|tree|edit)/(\w+)/(.*))?$")


@pytest.fixture(scope="module")
def soup(site):
    """Every written page, parsed, by its name."""
    return {name: BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
            for name in content_pages()}


def exercises_of(name):
    """The exercises that the notebook of a page names, by their paths in the repository."""
    text = (ROOT / f"{name}.ipynb").read_text(encoding="utf-8")
    return sorted({match[0] for match in EXERCISE.finditer(text)})


def colab_paths(part):
    """The paths in the repository that Colab is to open, in a part of a page."""
    start = f"https://colab.research.google.com/github/{REPOSITORY}/blob/{BRANCH}/"
    found = [a["href"] for a in part.select("a[href*='colab']")]
    assert all(address.startswith(start) for address in found), found
    return [address.removeprefix(start) for address in found]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_menu_opens_the_chapter_and_its_exercise(soup, name):
    """The rocket lists the page's notebook and its exercise, and both are in the repository."""
    paths = colab_paths(soup[name].select_one(".dropdown-launch-buttons"))
    assert paths == [f"{name}.ipynb", *exercises_of(name)] and len(paths) > 1
    assert all((ROOT / path).is_file() for path in paths)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_box_offers_the_exercise(soup, site, name):
    """Each exercise has one box, in the section that names it, with Colab and the file itself."""
    boxes = soup[name].select("article .launch-exercise")
    assert [path for box in boxes for path in colab_paths(box)] == exercises_of(name)
    for box, path in zip(boxes, exercises_of(name), strict=True):
        link, = box.select("a[download]")
        assert link["download"] == path.rsplit("/", 1)[1]
        copy = (site / name).parent / link["href"]
        assert copy.resolve() == (site / path).resolve()
        assert copy.read_bytes() == (ROOT / path).read_bytes()
        box.extract()
        assert path in soup[name].select_one("article").text


@pytest.mark.parametrize("name", sorted(set(content_pages()) - set(NOTEBOOKS)))
def test_a_written_page_offers_no_notebook(soup, name):
    """Colab cannot open a page that is no notebook."""
    assert colab_paths(soup[name]) == [] and not soup[name].select(".launch")


def test_every_exercise_is_offered_and_nothing_else(site):
    """The notebooks on the site are the released exercises, byte for byte."""
    there = {path.relative_to(site): path.read_bytes() for path in site.rglob("*.ipynb")}
    released = {path.relative_to(ROOT): path.read_bytes()
                for path in ROOT.glob("exercises/*/*.ipynb")}
    assert there == released != {}


@pytest.mark.parametrize("name", content_pages())
def test_links_into_the_repository_name_its_files(soup, name):
    """A link to this repository has its owner, its branch, and a file or folder that exists."""
    addresses = [a["href"] for a in soup[name].select("a[href]")]
    own = [a for a in addresses if REPOSITORY.split("/")[0] in urlsplit(a).path
           and urlsplit(a).netloc in ("github.com", "colab.research.google.com")
           and "/issues/" not in a]
    assert own, "the theme's repository button is gone"
    for address in own:
        found = GOES_TO.match(address)
        assert found, address
        if found[2]:
            assert found[3] == BRANCH and (ROOT / found[4]).exists(), address


# What a reader runs first in Colab


def test_the_first_page_has_the_same_lines(soup):
    """The lines to run first are those of every chapter, and those of the first page."""
    notes = {soup[name].select_one(".launch-run pre").text.strip() for name in NOTEBOOKS}
    lines, = notes
    assert lines in [pre.text.strip() for pre in soup["book/intro"].select("article pre")]
    assert "Run this page in Colab" in soup["book/intro"].text


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The files of this working tree that chapters load, as a repository to be cloned."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "book").mkdir()
    for path in ("strokes.py", "book/book.mplstyle"):
        shutil.copy(ROOT / path, folder / path)
    for command in (["init", "--quiet", "--initial-branch", BRANCH], ["add", "."],
                    ["-c", "user.name=-", "-c", "user.email=-", "commit", "--quiet", "-m", "-"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_chapter_starts_in_an_empty_folder(soup, published, tmp_path, monkeypatch, name):
    """With the lines run first, as in Colab, the chapter's imports and style are found."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{published.as_uri()}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"https://github.com/{REPOSITORY}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p and p != str(ROOT)))
    cells = [cell for cell in nbformat.read(ROOT / f"{name}.ipynb", as_version=4).cells
             if cell.cell_type == "code"]
    last = max(n for n, cell in enumerate(cells) if "mplstyle" in cell.source)
    first = nbformat.v4.new_code_cell(soup[name].select_one(".launch-run pre").text)
    where = nbformat.v4.new_code_cell("print(strokes.__file__)")
    book = nbformat.v4.new_notebook(cells=[first, *cells[:last + 1], where])
    NotebookClient(book, timeout=120, kernel_name="python3",
                   resources={"metadata": {"path": tmp_path}}).execute()
    assert str(tmp_path) in book.cells[-1].outputs[0].text


# In a browser, and against faults


def test_the_exercise_is_downloaded(browser, address, tmp_path):
    """The box of the first chapter gives the exercise under the name that it is handed in by."""
    tab = browser.new_page()
    tab.goto(f"{address}{NOTEBOOKS[0]}.html")
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download the notebook").click()
    path, = exercises_of(NOTEBOOKS[0])
    assert download.value.suggested_filename == path.rsplit("/", 1)[1]
    download.value.save_as(tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == (ROOT / path).read_bytes()
    tab.close()


def test_an_exercise_that_is_not_there_fails_the_build(tmp_path):
    """A page that names an exercise that nobody released is told of, with the way out."""
    book = tmp_path / "scratch"
    (book / "book").mkdir(parents=True)
    shutil.copy(ROOT / "_config.yml", book)
    shutil.copy(ROOT / "book" / "references.bib", book / "book")
    for folder in ("_ext", "_static"):
        shutil.copytree(ROOT / "book" / folder, book / "book" / folder)
    text = "# Page\n\nThe exercise is `exercises/nothing/nothing.ipynb`."
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)]),
                   book / "book" / "page.ipynb")
    (book / "_toc.yml").write_text("format: jb-book\nroot: book/page\n")
    built = build_book(book, tmp_path / "out")
    assert built.returncode != 0
    assert "there is no exercises/nothing/nothing.ipynb" in built.output
    assert "python -m autograder release nothing" in built.output
    assert not list(built.html.rglob("*.ipynb"))
