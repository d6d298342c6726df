"""The zip of the site opens from a folder, and the command says what keeps it from its work."""

import shutil
import zipfile

import pytest
from site_helpers import content_pages, publish
from test_browser import settle, watch


@pytest.fixture(scope="module")
def unzipped(made, tmp_path_factory):
    """The folder that the zip holds."""
    folder = tmp_path_factory.mktemp("unzipped")
    with zipfile.ZipFile(made.zip) as archive:
        archive.extractall(folder)
    (top,) = folder.iterdir()
    return top


def test_the_zip_holds_the_site(unzipped, site):
    """Every file is the site's, and every page and exercise of the site is there."""
    files = {path.relative_to(unzipped) for path in unzipped.rglob("*") if path.is_file()}
    for path in files:
        assert (unzipped / path).read_bytes() == (site / path).read_bytes(), path
    wanted = {path.relative_to(site) for suffix in ("*.html", "*.ipynb", "*.png")
              for path in site.rglob(suffix)}
    assert {str(path) for path in wanted - files} == {"404.html"}


def test_the_same_site_gives_the_same_zip(made, site, tmp_path):
    """Neither dates nor the order of the files on the disk change a byte."""
    copy = tmp_path / "copy"
    for path in sorted(site.rglob("*"), reverse=True):
        if path.is_file():
            to = copy / path.relative_to(site)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
    assert publish("zip", "--site", copy, "--to", tmp_path).returncode == 0
    assert (tmp_path / made.zip.name).read_bytes() == made.zip.read_bytes()


@pytest.fixture
def offline(browser, unzipped):
    """A tab that watches for requests that leave the unzipped folder, and for errors."""
    context = browser.new_context()
    tab = context.new_page()
    watch(tab, unzipped.as_uri())
    yield tab
    context.close()
    assert tab.outside == [] and tab.errors == []


def test_the_unzipped_folder_opens(offline, unzipped):
    """The file index.html leads to the first page, whose links lead on, with formulas."""
    offline.goto((unzipped / "index.html").as_uri())
    offline.wait_for_url("**/book/intro.html")
    for name in content_pages():
        offline.goto((unzipped / f"{name}.html").as_uri())
        settle(offline)
        formulas = offline.locator("article .math").count()
        assert offline.locator("article mjx-container").count() == formulas
    offline.locator(".prev-next-footer a").first.click()
    offline.wait_for_load_state("load")


@pytest.mark.parametrize("word", ["stride", "感受野"])
def test_search_works_in_the_unzipped_folder(offline, unzipped, word):
    """A search from a page finds its word in the glossary, and each result says so much."""
    offline.goto((unzipped / "search.html").as_uri() + f"?q={word}")
    link = offline.locator(".search a[href*='glossary']").first
    link.wait_for()
    offline.get_by_text("Search finished").wait_for()
    link.click()
    offline.wait_for_url("**/glossary.html*")


# What can go wrong


@pytest.mark.parametrize("what", ["pdf", "zip"])
def test_a_site_that_is_not_built(tmp_path, what):
    """Without the site, one line says what is missing and how to make it."""
    run = publish(what, "--site", tmp_path / "nothing", "--to", tmp_path / "out")
    assert run.returncode == 1 and run.stdout == ""
    line, = run.stderr.splitlines()
    assert "nothing/book/intro.html is not there" in line and "jupyter-book build" in line
    assert not (tmp_path / "out").exists()


def test_no_chromium(tmp_path):
    """Without Chromium, one line says how to get it."""
    run = publish("pdf", "--site", tmp_path, "--to", tmp_path / "out", PATH=str(tmp_path),
                  CHROMIUM="")
    assert run.returncode == 1 and "apt-get install chromium" in run.stderr
    assert len(run.stderr.splitlines()) == 1 and not (tmp_path / "out").exists()


def test_a_chromium_that_does_not_run(site, tmp_path):
    """A Chromium that fails is named, in one line."""
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    run = publish("pdf", "--site", site, "--to", tmp_path / "out", CHROMIUM=str(broken))
    assert run.returncode == 1 and f"{broken} does not print the book" in run.stderr
    assert len(run.stderr.splitlines()) == 1 and not (tmp_path / "out").exists()
