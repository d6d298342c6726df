"""The directive of the interactive figures: scripts, captions, copies, and other builders."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from figures import ALT, hash_of, root


def test_the_same_figure_twice(visit):
    """Two copies on a page have their own state, and their own part of the address."""
    tab = visit("twice")
    for key, count in (("tracer", 7), ("tracer-2", 1)):
        root(tab, key).locator(".conv2 [tabindex='0']").press("Home")
        for _ in range(count):
            tab.keyboard.press("ArrowRight")
    assert hash_of(tab) == ("tracer:digit=7,r=2,c=6,map=A,i=1,j=1;"
                            "tracer-2:digit=7,r=2,c=1,map=A,i=1,j=1")


def test_a_link_scrolls_to_its_figure_and_a_heading_stays_a_heading(visit):
    """The first figure of an address is shown; other fragments change no figure."""
    tab = visit(hash="#layers:n=20,l=3.2.1.1")
    figure = root(tab, "layers").element_handle()
    tab.wait_for_function("""(e) => {
      const { top } = e.getBoundingClientRect();
      return scrollY > 300 && 0 <= top && top < 450;
    }""", arg=figure)  # it may move once more while the page settles
    shown = root(tab, "layers").inner_text()
    tab.evaluate("location.hash = '#a-heading'")
    assert root(tab, "layers").inner_text() == shown
    tab.evaluate("location.hash = '#layers:n=21,l=3.2.1.1'")
    tab.wait_for_timeout(100)
    assert root(tab, "layers").get_by_label("size n").input_value() == "21"


SCRIPTS = {
    "fields": ["layers.sums", "layers", "tracer.data", "tracer.sums", "tracer.zones", "tracer"],
    "twice": ["tracer.data", "tracer.sums", "tracer.zones", "tracer"],
    "convolution": ["painter.data", "painter.sums", "painter.tools", "painter",
                    "precedents.data", "precedents.sums", "precedents.view", "precedents"],
    "cycle": ["schedule.sums", "schedule.view", "schedule",
              "valley.sums", "valley.view", "valley"],
}


def test_scripts_are_loaded_once_and_only_where_needed(book):
    """Each script once, the common ones first, deferred and classic; none on other pages."""
    for name in (*SCRIPTS, "plain"):
        found = re.findall(r'<script ([^>]*?)src="[./]*_static/interactive/([\w.-]+)\.js',
                           (book / f"{name}.html").read_text(encoding="utf-8"))
        common = ["common", "common.controls", "common.drawing"] if name in SCRIPTS else []
        assert [script for _, script in found] == [*common, *SCRIPTS.get(name, [])]
        assert {attributes.strip() for attributes, _ in found} <= {'defer="defer"'}


def test_a_figure_is_numbered_and_has_a_caption(book):
    """Captions hold markup, a number and a place to link to; without a caption there is none."""
    text = (book / "fields.html").read_text(encoding="utf-8")
    one, two = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert 'id="both-figures"' in one and 'href="#both-figures"' in text
    assert re.search(r"<figcaption>.*Fig\. 1.*<strong>one</strong>.*A legend\.", one, re.DOTALL)
    assert "figcaption" not in two and 'id="interactive-layers"' in two


@pytest.mark.parametrize(("builder", "suffix"), [("text", "txt"), ("latex", "tex")])
def test_other_builders_get_the_words(figures_source, tmp_path, builder, suffix):
    """In print the alternative text stands where the figure would be."""
    custom = ["custom", "--custom-builder"] if builder == "text" else []
    run = subprocess.run(
        [Path(sys.executable).with_name("jupyter-book"), "build", figures_source, "-W", "-n",
         "--keep-going", "--path-output", tmp_path, "--builder", *custom, builder],
        capture_output=True, text=True, check=False, timeout=600)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    text = " ".join(" ".join(path.read_text(encoding="utf-8").split())
                    for path in tmp_path.rglob(f"*.{suffix}"))
    assert ALT["layers"] in text and "Three maps" in text and "A legend." in text
