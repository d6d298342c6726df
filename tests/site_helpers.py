"""Helpers for the tests of the site: which pages there are, a build, and Chromium."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from publish.chromium import HOW_TO_GET_IT

ROOT = Path(__file__).parents[1]

# The site lives in a folder of its host, as on GitHub Pages; the 404 page relies on that.
PREFIX = "/convnets-by-hand/"


def content_pages(toc=ROOT / "_toc.yml"):
    """The pages that people write, in the order of the table of contents: book/intro, ..."""
    toc = yaml.safe_load(toc.read_text(encoding="utf-8"))
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    return [toc["root"]] + [page["file"] for chapter in chapters
                            for page in (chapter, *chapter.get("sections", []))]


def build_book(source, out):
    """Build a book, warnings being errors; returns returncode, output and the html folder."""
    run = subprocess.run(
        [Path(sys.executable).with_name("jupyter-book"), "build", str(source), "-W", "-n",
         "--keep-going", "--path-output", str(out)],
        capture_output=True, text=True, check=False, timeout=600)
    output = re.sub(r"\x1b\[[0-9;]*m", "", run.stdout + run.stderr)
    return SimpleNamespace(returncode=run.returncode, output=output,
                           html=out / "_build" / "html")


def publish(*arguments, **environment):
    """Run the command; returns returncode, stdout and stderr."""
    return subprocess.run([sys.executable, "-m", "publish", *map(str, arguments)], cwd=ROOT,
                          env=os.environ | environment, capture_output=True, text=True,
                          check=False, timeout=600)


def without_chromium(environment=os.environ):
    """Skip the calling test with the reason; on a CI server, where CI is set, fail it."""
    if environment.get("CI"):
        pytest.fail(HOW_TO_GET_IT)
    pytest.skip(HOW_TO_GET_IT)
