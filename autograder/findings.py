"""What a graded notebook says in words: known mistakes, and what a teacher should look at."""

import re

from autograder.scan import NOTE

MISTAKE = re.compile(r"^  This is what comes out when (.*)\.$", re.MULTILINE)
NOTED = re.compile(rf"{re.escape(NOTE)}this cell uses ([\w, ]+)\.\n")


def findings(notebook):
    """(named mistakes, notes for a teacher) of an autograded notebook, each once."""
    mistakes, notes = [], []
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader", {})
        for output in cell.get("outputs", []):
            noted = NOTED.fullmatch(output.get("text", ""))
            if noted:
                name = about.get("grade_id", "a cell of their own")
                notes.append(f"look at {name}: it uses {noted[1]}")
            mistake = mistake_in(output)
            if mistake and about.get("grade"):
                mistakes.append(f"{output.evalue.split(':')[0]}: {mistake}")
    return list(dict.fromkeys(mistakes)), list(dict.fromkeys(notes))


def unwritten(output):
    """Whether a test cell's output says that the answer is not written yet."""
    return "NotImplementedError: it is not written yet" in output.get("evalue", "")


def mistake_in(output):
    """The known mistake that a test cell's output names, or None."""
    message = output.get("evalue", "").replace("\n    ", " ")  # unwrapped
    found = MISTAKE.search(message)
    return found and found[1]
