"""From solutions to exercises: the same bytes each time, and nothing that gives an answer away."""

import json
import re
import shutil

import nbformat
import pytest
from courses import ROOT, SLUG, autograder, cell, nbgrader, new_course

from autograder.__main__ import main
from autograder.course import Course, CourseError
from autograder.references import names
from autograder.release import problems, release

EXERCISE = f"exercises/{SLUG}/{SLUG}.ipynb"
SLUGS = Course(ROOT).slugs()


@pytest.fixture
def course(tmp_path):
    """A course with nothing released yet."""
    return new_course(tmp_path, released=False)


def change(course, edit):
    """Edit the source notebook in place."""
    path = course.notebook("source", SLUG)
    notebook = nbformat.read(path, as_version=4)
    edit(notebook)
    nbformat.write(notebook, path)


def task(notebook, function):
    """The cell with the heading of a function."""
    return next(c for c in notebook.cells if c.source.startswith("## ") and
                f"`{function}`" in c.source.split("\n")[0])


def found(course):
    """The problems of the source notebook."""
    return problems(course, SLUG, names())


def test_release_writes_the_committed_exercises(course):
    """Both commands, ours and nbgrader's own, give the committed bytes, again and again."""
    exercises = [f"exercises/{slug}/{slug}.ipynb" for slug in SLUGS]
    committed = [(ROOT / exercise).read_bytes() for exercise in exercises]
    ours = [autograder(course.root, "release")]
    for runs in (lambda: ours, lambda: [
            nbgrader(course.root, "generate_assignment", slug, "--force") for slug in SLUGS]):
        assert [run.stderr for run in runs() if run.returncode] == []
        assert [(course.root / exercise).read_bytes() for exercise in exercises] == committed


def test_exercises_are_those_of_the_solutions():
    """Every solution has its exercise, and no exercise is without a solution."""
    course = Course(ROOT)
    exercises = {p.parent.name for p in (ROOT / "exercises").glob("*/*.ipynb")}
    assert set(course.slugs()) == exercises
    for slug in course.slugs():
        assert problems(course, slug, names()) == []


def test_refuses_a_second_file(course):
    """A data file beside the notebook would be handed to students."""
    (course.folder("source", SLUG) / "answers.npz").write_bytes(b"")
    assert found(course) == [f"solutions/{SLUG}/answers.npz: nbgrader would hand it to students: "
                             f"only {SLUG}.ipynb may be in this folder"]


def test_refuses_a_solution_line_elsewhere(course):
    """A line of an answer that also stands in another cell is an answer left."""
    line = "room = input_size + 2 * padding - span"
    change(course, lambda nb: cell(nb, "conv2d_visible").update(source=f"{line}\nassert True"))
    assert any(f"students would see a line of the solution: {line}" in p for p in found(course))


def test_refuses_an_answer_without_a_region(course):
    """An answer cell with nothing to cut would be handed out as it is."""
    def edit(notebook):
        answer = cell(notebook, "im2col")
        answer.source = "\n".join(x for x in answer.source.split("\n") if "###" not in x)

    change(course, edit)
    assert any("without ### BEGIN SOLUTION" in p for p in found(course))


def test_refuses_an_open_region(course):
    """A region that never ends is named with its cell."""
    def edit(notebook):
        answer = cell(notebook, "im2col")
        answer.source = answer.source.replace("### END SOLUTION", "")

    change(course, edit)
    assert any("BEGIN SOLUTION without its END" in p for p in found(course))


def test_refuses_a_check_without_a_case(course):
    """A mistyped check name, and the check that nothing runs any more, are both named."""
    def edit(notebook):
        test = cell(notebook, "conv2d_bias")
        test.source = test.source.replace("conv2d/bias", "conv2d/bais")

    change(course, edit)
    text = "\n".join(found(course))
    assert ("no case is called 'convolution/conv2d/bais' in autograder/references/convolution: "
            "mend the name, or list its task in TASKS") in text
    assert "no hidden test runs 'convolution/conv2d/bias': copy the cell of a test" in text


def test_refuses_points_that_do_not_add_up(course):
    """The heading of a task and the whole notebook both promise points."""
    change(course, lambda nb: cell(nb, "conv2d_bias").metadata.nbgrader.update(points=2))
    task, whole = (re.search(r"(\d+) points, not (\d+): change the (.*)", line)
                   for line in found(course))
    assert "conv2d" in task.string and task[3] == "heading, or their points"
    assert "whole notebook" in whole.string and whole[3] == "number at its top"
    assert int(task[1]) == int(task[2]) + 1 and int(whole[1]) == int(whole[2]) + 1


@pytest.mark.parametrize("kind,old,new", [
    ("cell", '"id": "conv2d-bias"', '"id": "conv2d-channels"'),
    ("grade", '"grade_id": "conv2d_bias"', '"grade_id": "conv2d_channels"'),
])
def test_refuses_an_id_that_was_copied_along(course, kind, old, new):
    """A copied cell that kept its id is named, with the cell that it was copied from."""
    path = course.notebook("source", SLUG)
    path.write_text(path.read_text().replace(old, new))
    (line,) = found(course)
    assert f"{kind} id {new.split()[1]!r} again: cell ".replace('"', "") in line
    assert "has it already" in line


def test_refuses_a_check_that_students_would_see(course):
    """A test without its region is named with the way out."""
    def edit(notebook):
        test = cell(notebook, "conv2d_bias")
        test.source = "\n".join(x for x in test.source.split("\n") if "###" not in x)

    change(course, edit)
    assert any("(conv2d_bias): students would see its check: put it between ### BEGIN" in line
               for line in found(course))


@pytest.mark.parametrize("grade_id", ["conv2d_bias", "conv2d_visible"])
def test_refuses_a_locked_cell_that_ends_in_an_expression(course, grade_id):
    """nbgrader would read the value as partial credit."""
    def edit(notebook):
        cell(notebook, grade_id).source += "\n0.5"

    change(course, edit)
    assert any("it ends in an expression" in p for p in found(course))


def test_refuses_a_graded_cell_without_a_check(course):
    """A test whose verdict does not come from the references is not one."""
    change(course, lambda nb: cell(nb, "conv2d_bias").update(source='"""Nothing."""\nassert True'))
    assert any("a graded cell without a check" in p for p in found(course))


@pytest.mark.parametrize("raw,text", [
    (b"{", "not JSON"), (b"\xff\xfe", "not UTF-8"), (b"[]", "not a notebook"),
    (json.dumps({"nbformat": 3, "worksheets": []}).encode(), "format 3"),
])
def test_broken_source_is_one_line_and_changes_nothing(course, raw, text, monkeypatch, capsys):
    """Exit code 1, one line with the file and the way out, no exercise, no gradebook."""
    course.notebook("source", SLUG).write_bytes(raw)
    monkeypatch.chdir(course.root)
    assert main(["release", SLUG]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"{SLUG}.ipynb: " in said and text in said
    assert not (course.root / EXERCISE).exists()
    assert not (course.root / "autograder" / "gradebook.db").exists()


def test_wrong_slug_and_wrong_folder(course, tmp_path_factory):
    """One line that says what there is, or where to run it."""
    run = autograder(course.root, "release", "konvolution")
    assert (run.returncode, run.stderr) == (
        1, f"no assignment 'konvolution' in solutions/: there are: {', '.join(SLUGS)}\n")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    run = autograder(elsewhere, "release")
    assert run.returncode == 1 and "run this from the root of the course" in run.stderr


def test_cells_may_not_change_once_marks_exist(course):
    """nbgrader's refusal comes out as one line."""
    from courses import exercise, hand_in

    release(course, SLUG)
    hand_in(course, "amina", exercise())
    with course.gradebook() as gradebook:
        gradebook.add_student("amina")
        gradebook.add_submission(SLUG, "amina")

    def edit(notebook):
        notebook.cells.remove(cell(notebook, "conv2d_bias"))
        for place in (notebook.cells[0], task(notebook, "conv2d")):
            place.source = re.sub(r"(\d+) points", lambda found: f"{int(found[1]) - 1} points",
                                  place.source, count=1)

    change(course, edit)
    kept = [n for n in names() if n != "convolution/conv2d/bias"]
    assert problems(course, SLUG, kept) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autograder.release.check_names", lambda: kept)
        with pytest.raises(CourseError, match="submissions of an earlier version"):
            release(course, SLUG)


def test_a_leak_in_the_generated_notebook_is_caught(course, monkeypatch):
    """Should nbgrader ever leave an answer in, the exercise of before is put back."""
    target = course.notebook("release", SLUG)
    target.parent.mkdir(parents=True)
    target.write_bytes(b"the exercise of last year")

    def generate(slug, **options):
        shutil.copy(course.notebook("source", slug), target)
        return {"success": True}

    monkeypatch.setattr(course.api, "generate_assignment", generate)
    with pytest.raises(CourseError, match="an answer is left in it"):
        release(course, SLUG)
    assert target.read_bytes() == b"the exercise of last year"
