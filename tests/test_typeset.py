"""The extension that sets pages: lines break where they may, and pictures know their inches."""

import importlib.util
import re
import struct
import zlib
from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.utils import new_document
from site_helpers import ROOT

SPEC = importlib.util.spec_from_file_location("typeset", ROOT / "book" / "_ext" / "typeset.py")
typeset = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(typeset)


def paragraph(*parts):
    """A document of one paragraph; a text in a pair of dollars is a formula."""
    document, line = new_document("page"), nodes.paragraph()
    for part in parts:
        formula = part.startswith("$")
        line += nodes.math(part, part.strip("$")) if formula else nodes.Text(part)
    document += line
    return document


def png(path, width, metre=None):
    """Write the head of a PNG `width` pixels wide, with `metre` pixels a metre."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, 1, 8, 6, 0, 0, 0))]
    if metre:
        parts.append((b"pHYs", struct.pack(">IIB", metre, metre, 1)))
    parts.append((b"IDAT", b""))
    path.write_bytes(typeset.SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts))
    return path


@pytest.mark.parametrize(("text", "bound"), [
    ("a 3 × 3 layer", "a 3_×_3 layer"),
    ("28 × 28 × 3", "28_×_28_×_3"),
    ("95 % of it", "95_% of it"),
    ("a × b", "a × b"),
    ("3 layers", "3 layers"),
])
def test_numbers_stay_with_their_sign(text, bound):
    """A line does not end inside a size or before a percent sign; other spaces stay."""
    document = paragraph(text)
    typeset.bind(document)
    assert document.astext() == bound.replace("_", "\u00a0")


def test_code_keeps_its_spaces():
    """What a reader may copy stays as it is."""
    document = paragraph("x")
    document[0] += nodes.literal("", "3 × 3")
    typeset.bind(document)
    assert document.astext() == "x3 × 3"


def test_short_code_stays_in_one_line():
    """A pair of numbers is tied; a call with several arguments may go on in the next line."""
    document = paragraph("x")
    document[0] += [nodes.literal("", "(1, 1)"), nodes.literal("", "product.reshape(55, 55, 96)")]
    typeset.bind(document)
    assert [code["classes"] for code in document.findall(nodes.literal)] == [["tied"], []]


@pytest.mark.parametrize(("parts", "tied"), [
    (["so ", "$x$", ", and"], ["x,"]),
    (["for ", "$x$", " and ", "$y$", "."], ["y."]),
    (["(", "$x$", ")."], ["(x)."]),
    (["$x$"], []),
    (["$x$", "-axis"], []),
])
def test_marks_stay_with_their_formula(parts, tied):
    """The mark behind a formula and the bracket before it are tied to it; no text is lost."""
    document = paragraph(*parts)
    before = document.astext()
    typeset.bind(document)
    assert document.astext() == before
    assert [node.astext() for node in document.findall(nodes.inline)] == tied


def test_inches_come_from_the_file(tmp_path):
    """A PNG says how many pixels make a metre, else 96 make an inch; others have no inches."""
    assert typeset.inches(png(tmp_path / "a.png", 1540, 8661)) == pytest.approx(7, abs=1e-3)
    assert typeset.inches(png(tmp_path / "b.png", 192)) == 2
    (tmp_path / "c.png").write_bytes(b"not a picture")
    (tmp_path / "d.png").write_bytes(typeset.SIGNATURE)
    assert typeset.inches(tmp_path / "c.png") is typeset.inches(tmp_path / "d.png") is None


def test_a_picture_gets_a_box(tmp_path):
    """The box has the inches, can be reached by keyboard, and is named without breaking out."""
    png(tmp_path / "a.png", 192)
    document = new_document("page")
    document += nodes.image(uri="a.png", alt='a "dot" & more. And so on.')
    document += nodes.image(uri="gone.png", alt="gone")
    typeset.box_pictures(SimpleNamespace(srcdir=tmp_path), document)
    start, image, end, other = document
    assert (image["uri"], end.astext(), other["uri"]) == ("a.png", "</div>", "gone.png")
    for part in ("--inches: 2.00", 'tabindex="0"', 'aria-label="a &quot;dot&quot; &amp; more"'):
        assert part in start.astext()


@pytest.mark.parametrize(("body", "broken"), [
    ("<td>running_mean is new</td>", "running_|mean is new"),
    ("<code><span>a/b/convolution.ipynb</span></code>", "a/b/convolution.|ipynb"),
    ("<p>It is 0.25, or e.g. 3/4.</p>", "It is 0.25, or e.g. 3/4."),
    ("<pre>running_mean</pre>after_all", "running_meanafter_|all"),
    ('<span class="math notranslate">x_{in}_{out}</span>', "x_{in}_{out}"),
    ('<svg viewBox="a_long_name"><text>one_name</text></svg>', "one_name"),
])
def test_names_may_break_behind_their_marks(body, broken):
    """A name has places to break, and numbers, programs, formulas and drawings have none."""
    made = typeset.breakable(body)
    assert re.sub("<wbr[^>]*>", "", made) == body
    assert re.sub("<[^>]*>", "", re.sub("<wbr[^>]*>", "|", made)) == broken


def test_a_short_name_breaks_in_tables_alone():
    """A name that fits a line has places of another kind than one that does not."""
    made = typeset.breakable("<p>top_edge exercises/convolution/convolution.ipynb</p>")
    assert made == ('<p>top_<wbr class="short">edge exercises/<wbr>convolution/<wbr>'
                    "convolution.<wbr>ipynb</p>")


def test_an_output_of_one_line_may_go_on_in_the_next():
    """Tables and programs keep their lines; what a cell prints in one line does not have to."""
    document = new_document("page")
    for text, kind in [("one line\n", "output"), ("two\nlines", "output"), ("code", "input")]:
        document += nodes.literal_block(text, text, classes=[kind])
    typeset.wrap_lines(document)
    assert ["one-line" in block["classes"] for block in document] == [True, False, False]
