"""From submissions to marks, through nbgrader itself."""

import copy
import csv
import html
import subprocess
import sys

import nbformat
import pytest
from courses import ROOT, SLUG, autograder, cell, exercise, hand_in, nbgrader, new_course

from autograder.release import release
from autograder.sample import CLASS
from autograder.sample import hand_in as hand_in_sample

SCORES = {
    "convolution": {"amina": 37, "bo": 0, "chidi": 34, "dora": 25, "emil": 35, "farah": 29,
                    "goran": 0},
    "receptive_fields": {"amina": 27, "bo": 0, "chidi": 21, "dora": 24, "emil": 23, "farah": 24,
                         "goran": 0},
    "normalization": {"amina": 52, "bo": 0, "chidi": 47, "dora": 48, "emil": 49, "farah": 45,
                      "goran": 0},
    "one_cycle": {"amina": 55, "bo": 0, "chidi": 54, "dora": 52, "emil": 53, "farah": 53,
                  "goran": 0},
}
MISTAKES = {
    "convolution": {
        "chidi": ["conv2d: the kernel is flipped"],
        "dora": ["conv_out_size: the division is rounded up"],
        "emil": ["conv2d_backward: the gradient by bias is a mean",
                 "max_pool2d: the border is padded with zeros"],
        "farah": ["col2im: overlapping windows overwrite each other",
                  "count_macs: positions of the input are counted, not of the output"],
    },
    "receptive_fields": {
        "chidi": ["rf_size: each layer adds kernel_size - 2"],
        "dora": ["rf_table: the half of an even kernel is rounded down in each layer",
                 "effective_rf: pictures and channels are added before the absolute value"],
        "emil": ["rf_by_gradient: the weights are made positive with abs, and zeros stay",
                 "min_layers_for_rf: the field must be larger than the target"],
        "farah": ["rf_region: the region is not clipped at the border",
                  "merge_paths: start is the mean of the paths' starts"],
    },
    "normalization": {
        "chidi": ["batchnorm_forward: the variance that divides x is the unbiased one",
                  "BatchNorm2d: the variance that divides x is the unbiased one"],
        "dora": ["batchnorm_forward: the running variance takes the biased variance",
                 "batchnorm_backward: the way through the mean is left out"],
        "emil": ["group_norm: num_groups is taken for the channels in a group",
                 "freeze_bn: the batch norms wake up with model.train()"],
        "farah": ["BatchNorm2d: whether gradients are on decides the mode",
                  "layer_norm: eps is added to the standard deviation",
                  "fold_conv_bn: the running mean is forgotten"],
    },
    "one_cycle": {
        "chidi": ["one_cycle: the peak is moved to a whole step, rounded down"],
        "dora": ["natural_exp_decay: the exponent is decay_rate / global_step",
                 "cosine_decay: alpha is a floor under the cosine"],
        "emil": ["ActivationStats: negative numbers count as near zero",
                 "train_one_cycle: the scheduler is called before the optimizer"],
        "farah": ["OneCycle: Adam's second beta becomes 0.999",
                  "lr_range_test: the model stays trained"],
    },
}


def scores(course, slug=SLUG):
    """The score of each student in the gradebook."""
    with course.gradebook() as gradebook:
        return {s.student_id: s.score for s in gradebook.assignment_submissions(slug)}


def feedback(course, student, slug=SLUG):
    """A student's feedback page, as text."""
    page = (course.folder("feedback", slug, student) / f"{slug}.html").read_text()
    return html.unescape(page)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A course with all assignments in its gradebook, graded by our command."""
    course = new_course(tmp_path_factory.mktemp("course"), released=False)
    for slug in course.slugs():
        release(course, slug)
    assert autograder(course.root, "sample").returncode == 0
    run = autograder(course.root, "grade")
    assert run.returncode == 0, run.stderr
    return course, run.stdout


@pytest.mark.parametrize("slug", CLASS)
def test_sample_class_by_our_command(released, slug):
    """What `make course` shows: a score for each, and each known mistake by its name."""
    course, shown = released
    assert scores(course, slug) == SCORES[slug]
    table = shown.split(f"\n{slug}\n")[1].split("feedback:")[0]
    rows = {line.split()[0]: line for line in table.splitlines() if line.startswith("  ")}
    most = SCORES[slug]["amina"]
    for student in CLASS[slug]:
        assert f"{SCORES[slug][student]}/{most}" in rows[student]
        for mistake in MISTAKES[slug].get(student, []):
            assert mistake in table
            assert mistake.split(": ")[1] in feedback(course, student, slug)
    assert "Known mistake" not in feedback(course, "amina", slug)
    assert "it is not written yet" in feedback(course, "bo", slug)


def test_export_writes_the_scores(released, tmp_path):
    """nbgrader's own export reads the same marks."""
    run = nbgrader(released[0].root, "export", "--to", str(tmp_path / "grades.csv"))
    assert run.returncode == 0, run.stderr
    with open(tmp_path / "grades.csv") as file:
        rows = {(row["assignment"], row["student_id"]): float(row["score"])
                for row in csv.DictReader(file)}
    assert rows == {(slug, student): score for slug in SCORES
                    for student, score in SCORES[slug].items()}


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """Broken notebooks between two right ones, graded by stock `nbgrader autograde`."""
    course = new_course(tmp_path_factory.mktemp("batch"), released=False)
    release(course, SLUG)
    hand_in_sample(course, SLUG, "a-right", {})
    hand_in(course, "b-not-json", b"{")
    right = nbformat.read(course.notebook("submitted", SLUG, "a-right"), as_version=4)
    copied = copy.deepcopy(right)
    copied.cells.append(copy.deepcopy(cell(copied, "conv2d_bias")))
    hand_in(course, "c-copied-test", copied)
    renamed = hand_in(course, "c-renamed", right)
    renamed.rename(renamed.with_name("convolution (2).ipynb"))
    hand_in(course, "d-untouched", exercise())
    hand_in_sample(course, SLUG, "z-right", {})
    run = nbgrader(course.root, "autograde", SLUG)
    assert run.returncode == 0, run.stderr
    assert nbgrader(course.root, "generate_feedback", SLUG).returncode == 0
    return course


def test_one_broken_notebook_does_not_stop_the_others(batch):
    """The solution gets all points, the untouched exercise none, whoever stands between."""
    most = SCORES[SLUG]["amina"]
    assert scores(batch) == {"a-right": most, "b-not-json": 0, "c-copied-test": most,
                             "c-renamed": 0, "d-untouched": 0, "z-right": most}


def test_a_broken_notebook_gets_a_reason(batch):
    """The student reads what was wrong with the file."""
    page = feedback(batch, "b-not-json")
    assert "could not be read" in page and "It is not JSON" in page
    assert "There is no file called convolution.ipynb." in feedback(batch, "c-renamed")


def test_a_worse_resubmission_does_not_keep_the_old_score(batch):
    """Handed in again, broken: the score is that of the last one."""
    hand_in(batch, "z-right", b"\xff\xfe")
    assert nbgrader(batch.root, "autograde", SLUG, "--student", "z-right",
                    "--force").returncode == 0
    assert scores(batch)["z-right"] == 0


@pytest.mark.parametrize("prepare,words", [
    (lambda course: None, "exercises/convolution/convolution.ipynb does not exist"),
    (lambda course: new_exercise(course), "there is no gradebook"),
])
def test_grading_before_releasing_is_one_line(tmp_path, prepare, words):
    """It says what is missing and which command makes it."""
    course = new_course(tmp_path, released=False)
    hand_in(course, "amina", exercise())
    prepare(course)
    run = autograder(course.root, "grade", SLUG)
    assert run.returncode == 1 and run.stderr.count("\n") == 1
    assert words in run.stderr and "python -m autograder release convolution" in run.stderr
    assert not (course.root / "autograder" / "gradebook.db").exists()


def new_exercise(course):
    """Put a student notebook there without a gradebook."""
    path = course.notebook("release", SLUG)
    path.parent.mkdir(parents=True)
    path.write_text(nbformat.writes(exercise()))


def test_nobody_has_handed_in(tmp_path):
    """One line that says where notebooks belong."""
    run = autograder(new_course(tmp_path).root, "grade")
    assert run.returncode == 1 and run.stderr.count("\n") == 1
    assert "autograder/submitted/<student>/<assignment>/" in run.stderr


def test_a_jupyter_kernel_gives_the_same_marks(tmp_path):
    """With `warm` off, notebooks run behind nbclient, and are worth the same."""
    course = new_course(tmp_path, released=False)
    release(course, SLUG)
    with open(course.root / "nbgrader_config.py", "a") as config:
        config.write("\nc.TrustedExecute.warm = False\n")
    for student in ("amina", "emil"):
        hand_in_sample(course, SLUG, student, CLASS[SLUG][student])
    assert nbgrader(course.root, "autograde", SLUG).returncode == 0
    assert scores(course) == {student: SCORES[SLUG][student] for student in ("amina", "emil")}


def test_kernels_that_do_not_start(released):
    """One line and exit code 1; earlier marks stay."""
    released, _ = released
    before = scores(released)
    hand_in(released, "amina", exercise())
    with open(released.root / "nbgrader_config.py", "a") as config:
        config.write("\nimport types\nfrom autograder import warm\n"
                     "warm.sys = types.SimpleNamespace(executable='/no/such/python')\n")
    run = autograder(released.root, "grade", SLUG)
    assert run.returncode == 1 and run.stderr.count("\n") == 1
    assert run.stderr.startswith("no kernel was started")
    assert {student: scores(released)[student] for student in before} == before


@pytest.mark.parametrize("module,forbidden", [
    ("autograder", "nbgrader"), ("autograder.references", "nbgrader"),
    ("autograder.verdicts", "nbgrader"), ("autograder.release", "torch"),
    ("autograder.grading", "torch"), ("autograder.rebuild", "torch"),
    ("autograder.notebooks", "torch"), ("autograder.notebooks", "nbgrader"),
])
def test_import_directions(module, forbidden):
    """The student's side never loads nbgrader; the teacher's commands never load torch."""
    code = f"import sys, {module}; sys.exit('{forbidden}' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
