"""Our steps between a submission and the gradebook do what nbgrader's own do."""

import copy
import json
import shutil
from datetime import UTC, datetime

import nbformat
import pytest
from courses import SLUG, cell, exercise, new_course
from nbgrader import preprocessors as stock
from nbgrader.api import BaseCell, Comment, Grade, SubmittedAssignment, SubmittedNotebook
from nbgrader.nbgraderformat import MetadataValidator, SchemaTooOldError, ValidationError
from nbgrader.plugins import LateSubmissionPlugin
from sqlalchemy import event, select
from sqlalchemy.engine import Engine
from traitlets.config import Config

from autograder import preprocessors as ours
from autograder.course import Course
from autograder.rebuild import read_bytes, read_file, rebuild
from autograder.release import release

STUDENT = "amina"


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A course whose assignment is released."""
    course = new_course(tmp_path_factory.mktemp("released"), released=False)
    release(course, SLUG)
    return course


@pytest.fixture
def pair(released, tmp_path):
    """Two copies of the course, each with a submission in its gradebook."""
    courses = []
    for name in "stock", "ours":
        shutil.copytree(released.root, tmp_path / name)
        courses.append(Course(tmp_path / name))
        with courses[-1].gradebook() as gradebook:
            for student in STUDENT, "bo":
                gradebook.add_student(student)
                gradebook.add_submission(SLUG, student)
    return courses


def resources(course):
    """What nbgrader tells its preprocessors."""
    return {"nbgrader": {"notebook": SLUG, "assignment": SLUG, "student": STUDENT,
                         "db_url": course.directory.db_url}}


def apply(step, notebook, course, config=None):
    """What a preprocessor makes of a copy of a notebook."""
    return step(config=config)(copy.deepcopy(notebook), resources(course))[0]


def rows(course):
    """All that the gradebook has on submissions."""
    found = []
    with course.gradebook() as gradebook:
        for table, *values in (
                (Grade, Grade.auto_score, Grade.manual_score, Grade.needs_manual_grade),
                (Comment, Comment.auto_comment, Comment.manual_comment)):
            query = select(SubmittedAssignment.student_id, BaseCell.name, *values,
                           SubmittedNotebook.late_submission_penalty).select_from(table).join(
                BaseCell, BaseCell.id == table.cell_id).join(
                SubmittedNotebook, SubmittedNotebook.id == table.notebook_id).join(
                SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
            found += sorted(map(tuple, gradebook.db.execute(query)))
    return found


def master(course):
    """The released notebook with hidden tests, as nbgrader's own steps make it."""
    notebook = exercise()
    for step in stock.OverwriteKernelspec, stock.OverwriteCells:
        notebook = apply(step, notebook, course)
    return notebook


def test_cells_are_overwritten_as_by_nbgrader(pair):
    """Hidden tests, points, types, locks and the kernel are the gradebook's."""
    notebook = exercise()
    notebook.metadata["kernelspec"] = {"name": "other", "display_name": "x", "language": "x"}
    cell(notebook, "conv2d_bias").metadata.nbgrader.update(points=99, locked=False)
    cell(notebook, "conv2d_channels").source = "pass"
    cell(notebook, "conv2d_dtype").cell_type = "markdown"
    cell(notebook, "conv2d_refuses").metadata.nbgrader.grade_id = "unknown"
    expected = notebook
    for step in stock.OverwriteKernelspec, stock.OverwriteCells:
        expected = apply(step, expected, pair[0])
    assert "check(" in cell(expected, "conv2d_channels").source
    assert apply(ours.OverwriteCells, notebook, pair[1]) == expected


def marked(course):
    """A notebook that ran: right, wrong and partly right cells, answers and none."""
    notebook = master(course)
    cell(notebook, "conv2d").source = "def conv2d():\n    pass"
    outputs = {"conv2d_bias": ("error", {"ename": "E", "evalue": "", "traceback": []}),
               "conv2d_dtype": ("stream", {"name": "stderr", "text": "x"}),
               "conv2d_channels": ("execute_result", {"data": {"text/plain": "0.5"}})}
    for name, (kind, content) in outputs.items():
        cell(notebook, name).outputs = [nbformat.v4.new_output(kind, **content)]
    return notebook


def save(course, names):
    """Save marks by the steps of these two classes of a module."""
    config = Config()
    config.AssignLatePenalties.plugin_class = Zero
    for step in names:
        apply(step, marked(course), course, config)


class Zero(LateSubmissionPlugin):
    """Takes a point from those who are late."""

    def late_submission_penalty(self, student_id, score, total_seconds_late):
        """One point."""
        return 1


@pytest.mark.parametrize("due", [None, datetime(2030, 1, 1, tzinfo=UTC)])
def test_marks_are_saved_as_by_nbgrader(pair, due):
    """Marks, comments and penalties; what people wrote stays, and asks to be looked at."""
    for course, steps in zip(pair, (stock, ours), strict=True):
        with course.gradebook() as gradebook:
            gradebook.find_grade("conv2d_gradients", SLUG, SLUG, STUDENT).manual_score = 0.25
            gradebook.find_comment("im2col", SLUG, SLUG, STUDENT).manual_comment = "Nice."
            gradebook.find_assignment(SLUG).duedate = due and due.replace(tzinfo=None)
            gradebook.find_submission(SLUG, STUDENT).timestamp = datetime(2030, 1, 2)
            gradebook.find_submission_notebook(
                SLUG, SLUG, STUDENT).late_submission_penalty = 0.75
            gradebook.db.commit()
        save(course, (steps.SaveAutoGrades, steps.AssignLatePenalties))
    expected = rows(pair[0])
    assert rows(pair[1]) == expected
    about = {row[1]: row[2:] for row in expected if row[0] == STUDENT and len(row) == 6}
    penalty = 1 if due else None
    assert about["conv2d_channels"] == (0.5, None, False, penalty)
    assert about["conv2d_gradients"] == (1, 0.25, True, penalty)
    assert about["conv2d_bias"][0] == 0


def test_a_notebook_takes_a_few_queries(pair):
    """Their number does not grow with that of the cells."""
    asked = []

    def note(connection, cursor, statement, *_):
        asked.append(statement)

    notebook = marked(pair[1])
    with ours.opened(pair[1].directory.db_url):
        pass
    event.listen(Engine, "before_cursor_execute", note)
    try:
        for step in ours.OverwriteCells, ours.SaveAutoGrades, ours.AssignLatePenalties:
            apply(step, notebook, pair[1])
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(asked) < 20


@pytest.mark.parametrize("damage", [
    lambda about: about.pop("schema_version"), lambda about: about.update(schema_version=9),
    lambda about: about.update(points=-1), lambda about: about.update(grade_id="conv2d_dtype"),
    lambda about: about.update(grade_id=""), lambda about: about.update(grade="yes"),
])
def test_damaged_metadata_of_a_release_are_found(pair, damage):
    """Whatever was checked before, and with nbgrader's own words."""
    whole = master(pair[0])
    broken = copy.deepcopy(whole)
    damage(cell(broken, "conv2d_bias").metadata.nbgrader)
    apply(ours.CheckCellMetadata, whole, pair[0])
    errors = []
    for step in stock.CheckCellMetadata, ours.CheckCellMetadata, ours.CheckCellMetadata:
        with pytest.raises(Exception) as error:
            apply(step, broken, pair[0])
        errors.append((error.type, str(error.value)))
    assert errors[0] == errors[1] == errors[2]
    apply(ours.CheckCellMetadata, whole, pair[0])


def test_an_unchanged_release_is_checked_once(pair, monkeypatch):
    """The schema is not looked at again for the next submission, with cells added or not."""
    notebook = master(pair[0])
    apply(ours.CheckCellMetadata, notebook, pair[0])
    monkeypatch.setattr(MetadataValidator, "validate_nb", lambda *_: pytest.fail("checked again"))
    notebook.cells.insert(3, nbformat.v4.new_code_cell("x = 1"))
    apply(ours.CheckCellMetadata, notebook, pair[0])


@pytest.mark.parametrize("edit", [
    lambda about: about.update(points=-1, locked="no"), lambda about: about.clear(),
    lambda about: about.update(schema_version=1), lambda about: about.update(grade_id="conv2d"),
    lambda about: about.update(grade_id="", task=True), lambda about: about.update(extra={}),
])
def test_no_submission_brings_damaged_metadata(edit, tmp_path):
    """What nbgrader's check would stop a whole submission for is not in a rebuilt one."""
    notebook = exercise()
    for each in list(notebook.cells):
        if "nbgrader" in each.metadata:
            edit(each.metadata.nbgrader)
    notebook.cells += copy.deepcopy(notebook.cells)
    with pytest.raises((ValidationError, SchemaTooOldError, KeyError)):
        MetadataValidator().validate_nb(notebook)
    path = tmp_path / "convolution.ipynb"
    path.write_text(json.dumps(notebook))
    MetadataValidator().validate_nb(rebuild(exercise(), read_bytes(read_file(path))))
