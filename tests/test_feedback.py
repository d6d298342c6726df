"""The feedback page is nbconvert's, made in less time."""

import base64
import re

import matplotlib.pyplot as plt
import nbformat
import pytest
from bs4 import BeautifulSoup
from courses import ROOT
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.converters import GenerateFeedback
from traitlets.config import Config

from autograder import notebooks
from autograder.feedback import FeedbackExporter

THEIRS = "No description has been provided for this image"
OURS = "a picture that the cell shows"


def exporters():
    """nbconvert's exporter and ours, with nbgrader's template for feedback."""
    config = GenerateFeedback(config=Config()).config
    return HTMLExporter(config=config), FeedbackExporter(config=config)


def page(exporter, notebook):
    """The page of a notebook, read and written again as nbconvert's exporter does."""
    about = {"student": "amina", "assignment": "a", "notebook": "a", "score": 1, "max_score": 2,
             "late_penalty": 0, "timestamp": None}
    text, _ = exporter.from_notebook_node(notebook, {"nbgrader": about, "metadata": {"name": "a"}})
    return str(BeautifulSoup(text, features="html.parser"))


def without_ours(text):
    """Our page without the two things that it has of its own."""
    text, times = re.subn(r'<meta content="width=device-width[^"]*" name="viewport"/>\n', "", text)
    assert times == 1
    return text.replace(OURS, THEIRS)


@pytest.fixture
def notebook(tmp_path):
    """A graded notebook with every kind of cell and output."""
    made = nbformat.read(ROOT / "solutions/convolution/convolution.ipynb", as_version=4)
    plt.figure(figsize=(1, 1))
    plt.savefig(tmp_path / "plot.png")
    plt.close()
    plot = base64.b64encode((tmp_path / "plot.png").read_bytes()).decode()
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "m"}, "text/plain": "W"}
    outputs = [new_output("stream", name="stdout", text="a < b & \x1b[31mred\x1b[0m"),
               new_output("display_data", data={"image/png": plot, "text/plain": "Figure"}),
               new_output("display_data", data={"image/png": plot},
                          metadata={"image/png": {"alt": "a line"}}),
               new_output("display_data", data={"text/html": "<b>x</b><img src='x'>"}),
               new_output("display_data", data={"text/latex": "$x^2$"}),
               new_output("display_data", data=widget),
               new_output("error", ename="E", evalue="v", traceback=["\x1b[1mE\x1b[0m: v"])]
    made.cells += [new_code_cell("%time x = 1  # π", outputs=outputs),
                   new_code_cell("!ls"), new_code_cell(""),
                   new_markdown_cell("$a_b$ and `x`\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
                   new_markdown_cell("![it](attachment:p.png)",
                                     attachments={"p.png": {"image/png": plot}})]
    for cell in made.cells:
        cell.metadata.get("nbgrader", {}).update(score=0.5, comment="well & done")
    return made


def test_the_page_is_nbconverts(notebook):
    """Alike after nbconvert's second pass, which is left out, but for two things.

    The word for pictures, and that a phone takes its own width for the page's.
    """
    theirs, ours = exporters()
    for _ in range(2):  # the second is made of what was remembered
        expected = page(theirs, notebook)
        assert expected.count(THEIRS) == 2
        assert without_ours(page(ours, notebook)) == expected


def test_nothing_is_remembered_of_another_student(notebook):
    """Cells of the same text with other scores, outputs, attachments and languages."""
    theirs, ours = exporters()
    page(ours, notebook)
    for cell in notebook.cells:
        cell.metadata.get("nbgrader", {}).update(score=0.25, comment="see me")
        if cell.get("outputs"):
            cell.outputs = cell.outputs[:1]
        if cell.get("attachments"):
            cell.attachments = {"p.png": {"image/png": "AAAA"}}
    notebook.metadata.language_info = {"name": "r"}
    assert without_ours(page(ours, notebook)) == page(theirs, notebook)


def test_a_notebook_is_saved_as_nbformat_saves_it(notebook):
    """To the letter, with what was remembered of its cells and without, and with none."""
    notebook.cells.append(new_code_cell("x" * 2 * notebooks.LONGEST))
    notebook.metadata["cells"] = []
    for _ in range(2):
        assert notebooks.text(notebook) == f"{nbformat.writes(notebook)}\n"
    assert notebooks.text(new_notebook()) == f"{nbformat.writes(new_notebook())}\n"
